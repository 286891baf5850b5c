//! The loose reader: documents of other people's tests and folders, with comments, CDATA and DOCTYPE, as a tree.
//!
//! No message comes this way: what an agency sends is read by the strict reader of `message::xml`. Here an operator holds files
//! against a set of schemas, and is told all that is wrong, each with its place.

use crate::message::xsd::Set;
use crate::message::xsd::read::Source;
use crate::message::xsd::run::{Run, Tag, XSI};
use crate::message::xsd::set::Bindings;
use crate::message::xsd::simple::Scope;
use roxmltree::{Document, Node, ParsingOptions};

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The rule of the specification; "xml" where the document is not well-formed.
    pub rule: &'static str,
    /// In words.
    pub what: String,
}

fn parse(text: &str) -> Result<Document<'_>, Told> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| {
        let at = error.pos();
        Told { line: at.row, column: at.col, rule: "xml", what: format!("not well-formed: {error}") }
    })
}

/// Holds a document against a set; tells at most so many violations.
pub fn hold(set: &Set, text: &str, most: usize) -> Vec<Told> {
    let document = match parse(text) {
        Ok(document) => document,
        Err(told) => return vec![told],
    };
    let (mut run, mut told) = (Run::new(set, most), Vec::new());
    let mut node = document.root_element();
    run.start(&Element(node));
    collect(&run, &mut told, &document, node.range().start);
    loop {
        let next = match node.first_child() {
            Some(child) => Some(child),
            None => {
                leave(&mut run, &mut told, &document, node);
                next_of(&mut run, &mut told, &document, node)
            }
        };
        let Some(next) = next else { return told };
        node = next;
        if node.is_element() {
            run.start(&Element(node));
        } else if node.is_text() {
            run.text(node.text().unwrap_or(""));
        }
        collect(&run, &mut told, &document, node.range().start);
    }
}

/// What follows a node, when the elements that end before it are left.
fn next_of<'d>(run: &mut Run<'_>, told: &mut Vec<Told>, document: &Document<'_>, mut node: Node<'d, 'd>) -> Option<Node<'d, 'd>> {
    loop {
        if node == document.root_element() {
            return None;
        }
        if let Some(next) = node.next_sibling() {
            return Some(next);
        }
        node = node.parent()?;
        leave(run, told, document, node);
    }
}

fn leave(run: &mut Run<'_>, told: &mut Vec<Told>, document: &Document<'_>, node: Node<'_, '_>) {
    if node.is_element() {
        run.end();
        let range = node.range();
        let tag = document.input_text().get(range.clone()).and_then(|text| text.rfind("</")).unwrap_or(0);
        collect(run, told, document, range.start + tag);
    }
}

/// Gives new violations their place.
fn collect(run: &Run<'_>, told: &mut Vec<Told>, document: &Document<'_>, at: usize) {
    let known = told.len();
    if run.violations().len() > known {
        let place = document.text_pos_at(at);
        let new = run.violations().iter().skip(known);
        told.extend(new.map(|found| Told { line: place.row, column: place.col, rule: found.rule, what: found.what.clone() }));
    }
}

/// An element as a run sees it.
struct Element<'d>(Node<'d, 'd>);

impl Scope for Element<'_> {
    fn namespace(&self, prefix: &str) -> Option<&str> {
        self.0.lookup_namespace_uri(Some(prefix).filter(|prefix| !prefix.is_empty()))
    }
}

impl Tag for Element<'_> {
    fn uri(&self) -> &str {
        self.0.tag_name().namespace().unwrap_or("")
    }

    fn local(&self) -> &str {
        self.0.tag_name().name()
    }

    fn attribute(&self, at: usize) -> Option<(&str, &str, &str)> {
        self.0.attributes().nth(at).map(|found| (found.namespace().unwrap_or(""), found.name(), found.value()))
    }

    fn bindings(&self) -> Bindings {
        Bindings(self.0.namespaces().map(|space| (space.name().unwrap_or("").into(), space.uri().into())).collect())
    }
}

/// The namespace and the local name of the root of a document, and where the document says that schemas of it lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Says {
    /// The namespace of the root, empty if it has none.
    pub uri: String,
    /// The local name of the root.
    pub local: String,
    /// The locations of `xsi:schemaLocation` and `xsi:noNamespaceSchemaLocation`, anywhere in it.
    pub hints: Vec<String>,
}

/// What a document says of itself.
pub fn says(text: &str) -> Result<Says, Told> {
    let document = parse(text)?;
    let mut hints = Vec::new();
    let of_schemas = document.descendants().flat_map(|node| node.attributes()).filter(|found| found.namespace() == Some(XSI));
    for attribute in of_schemas {
        match attribute.name() {
            "noNamespaceSchemaLocation" => hints.push(attribute.value().trim().to_owned()),
            "schemaLocation" => {
                hints.extend(attribute.value().split_ascii_whitespace().skip(1).step_by(2).map(str::to_owned));
            }
            _ => {}
        }
    }
    let root = document.root_element().tag_name();
    Ok(Says { uri: root.namespace().unwrap_or("").to_owned(), local: root.name().to_owned(), hints })
}

/// The target namespace of a schema document; nothing if it is no schema document.
pub fn target(source: &Source) -> Option<String> {
    let document = parse(&source.text).ok()?;
    let root = document.root_element();
    let is_schema = root.tag_name().name() == "schema";
    is_schema.then(|| root.attribute("targetNamespace").unwrap_or("").to_owned())
}
