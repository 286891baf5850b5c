//! A schema document without its DOCTYPE, for a reader that knows no entities.

use super::super::SchemaError;
use super::super::read::{Source, XML, parse};
use roxmltree::{Document, Node};

/// A document that declares entities, written anew with what they stand for; nothing where it declares none. Each element begins
/// in its old line where it can, so that what is said of it is found; documentation is left out.
pub(super) fn without_entities(source: &Source) -> Result<Option<String>, SchemaError> {
    if !source.text.contains("<!ENTITY") {
        return Ok(None);
    }
    let document = parse(source)?;
    let mut out = String::with_capacity(source.text.len());
    let (mut line, mut open) = (1, Vec::new());
    let mut next = Some(document.root_element());
    // No recursion: a schema may have many elements, but its writer no stack of their depth.
    while let Some(node) = next {
        if node.is_element() && node.tag_name().name() != "annotation" {
            begin(&document, &node, &mut line, &mut out);
            open.push(node);
            next = node.first_child();
            if next.is_some() {
                continue;
            }
        }
        let mut at = node;
        next = loop {
            if open.last() == Some(&at) {
                out.push_str("</");
                out.push_str(&tag(&at));
                out.push('>');
                open.pop();
            }
            match (at.next_sibling(), at.parent()) {
                _ if open.is_empty() => break None,
                (Some(sibling), _) => break Some(sibling),
                (None, Some(parent)) => at = parent,
                (None, None) => break None,
            }
        };
    }
    Ok(Some(out))
}

/// Writes the start of an element, with what it declares of prefixes beyond its parent.
fn begin(document: &Document<'_>, node: &Node<'_, '_>, line: &mut u32, out: &mut String) {
    let place = document.text_pos_at(node.range().start).row;
    while *line < place {
        out.push('\n');
        *line = line.saturating_add(1);
    }
    out.push('<');
    out.push_str(&tag(node));
    let is_known = |name: Option<&str>, uri: &str| {
        let parent = node.parent().filter(Node::is_element);
        parent.is_some_and(|parent| parent.lookup_namespace_uri(name).unwrap_or("") == uri)
    };
    for namespace in node.namespaces().filter(|found| found.uri() != XML && !is_known(found.name(), found.uri())) {
        let name = namespace.name().map_or("xmlns".to_owned(), |name| format!("xmlns:{name}"));
        attribute(&name, namespace.uri(), out);
    }
    for found in node.attributes() {
        let prefix = match found.namespace() {
            None => String::new(),
            Some(XML) => "xml:".to_owned(),
            Some(uri) => prefix_of(node, uri).map_or(String::new(), |prefix| format!("{prefix}:")),
        };
        attribute(&format!("{prefix}{}", found.name()), found.value(), out);
    }
    out.push('>');
}

fn attribute(name: &str, value: &str, out: &mut String) {
    let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let escaped = escaped.replace('\t', "&#9;").replace('\n', "&#10;").replace('\r', "&#13;");
    out.push_str(&format!(" {name}=\"{escaped}\""));
}

/// A prefix that is in force for a namespace; attributes need one.
fn prefix_of<'n>(node: &Node<'n, 'n>, uri: &str) -> Option<&'n str> {
    node.namespaces().filter(|found| found.uri() == uri).find_map(|found| found.name())
}

fn tag(node: &Node<'_, '_>) -> String {
    let (uri, local) = (node.tag_name().namespace().unwrap_or(""), node.tag_name().name());
    if node.lookup_namespace_uri(None).unwrap_or("") == uri {
        return local.to_owned();
    }
    let prefix = node.namespaces().filter(|found| found.uri() == uri).find_map(|found| found.name());
    prefix.map_or(local.to_owned(), |prefix| format!("{prefix}:{local}"))
}
