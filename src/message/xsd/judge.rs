//! Whether a set of schemas keeps the constraints that XML Schema puts on schemas: unique particle attribution, valid
//! restrictions, consistent declarations and the rest of part 1, appendix C.2 to C.4.
//!
//! Patterns are not among it: ours are compiled by [`super::pattern`], which says what is wrong with them, and the judge sees one
//! that lets everything through in their place.
//!
//! What the crate takes too strictly is told to it in other words, see [`View`].
//!
//! The rest is the crate `xsd-schema`'s to say. It never sees a message: it judges what an operator puts in place, after our own
//! reading has bounded it, and what it refuses is refused. What runs in the pass of a message is our compiled form alone.

mod plain;
mod relations;

use super::SchemaError;
use super::read::{Loaded, Source, XS, parse};
use relations::Relations;
use std::collections::BTreeMap;
use xsd_schema::parser::resolver::SchemaLoader;
use xsd_schema::{SchemaResult, SchemaSetBuilder};

/// The scheme under which the judge sees the documents of a set.
const SCHEME: &str = "set:///";

/// The documents of a set, for the judge to load.
#[derive(Debug)]
struct Documents(BTreeMap<String, String>);

impl SchemaLoader for Documents {
    fn load(&self, location: &str) -> SchemaResult<String> {
        self.0.get(location).cloned().ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound).into())
    }

    fn can_load(&self, _location: &str) -> bool {
        true
    }

    fn priority(&self) -> i32 {
        // Above those that would look at the disk.
        1000
    }
}

/// What the judge sees of a set.
enum View<'r, 'd> {
    /// All but the patterns.
    AsWritten,
    /// Besides, what the crate has wrong by the specification, put so that it has it right: see [`Relations`].
    InOtherWords(&'r Relations<'d>),
}

/// Judges what was loaded.
pub fn judge(loaded: &Loaded) -> Result<(), SchemaError> {
    let Err(refusal) = judge_as(loaded, &View::AsWritten) else { return Ok(()) };
    if !DOUBTED.iter().any(|words| refusal.what.contains(words)) {
        return Err(refusal);
    }
    let documents = loaded.sources.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let relations = Relations::of(&documents, loaded.absent_namespaces());
    // Where that does not help, the words about what is written are the ones to tell.
    judge_as(loaded, &View::InOtherWords(&relations)).map_err(|_| refusal)
}

/// The constraints of which the crate refuses what keeps them.
const DOUBTED: [&str; 2] = ["derivation-ok-restriction", "cos-applicable-facets"];

fn judge_as(loaded: &Loaded, view: &View<'_, '_>) -> Result<(), SchemaError> {
    let mut texts = BTreeMap::new();
    let absent = loaded.absent_namespaces();
    for (number, source) in loaded.sources.iter().enumerate() {
        texts.insert(place_of(number), prepared(loaded, (number, source), &absent, view)?);
    }
    for (number, (namespace, wanted)) in wanted_of(loaded, &absent)?.into_iter().enumerate() {
        texts.insert(stand_in(number), stand_in_text(namespace, &wanted));
    }
    let mut builder = SchemaSetBuilder::with_loader(Box::new(Documents(texts)));
    let refused = |error: xsd_schema::SchemaError| refusal(loaded, &error);
    for root in &loaded.roots {
        builder.try_add(&place_of(*root)).map_err(refused)?;
    }
    builder.compile().map(|_| ()).map_err(refused)
}

/// Where the judge finds a document of the set.
fn place_of(number: usize) -> String {
    format!("{SCHEME}{number}.xsd")
}

/// The text of a schema for the judge: a pattern for everything in the place of each pattern, and in the place of each location
/// that of the document which was found for it.
fn prepared(
    loaded: &Loaded,
    (number, source): (usize, &Source),
    absent: &[String],
    view: &View<'_, '_>,
) -> Result<String, SchemaError> {
    // The judge's reader knows no entities but XML's own.
    if let Some(text) = plain::without_entities(source)? {
        let source = Source { name: source.name.clone(), text };
        return changed(loaded, (number, &source), absent, view);
    }
    changed(loaded, (number, source), absent, view)
}

fn changed(
    loaded: &Loaded,
    (number, source): (usize, &Source),
    absent: &[String],
    view: &View<'_, '_>,
) -> Result<String, SchemaError> {
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let document = parse(source)?;
    let mut changes: Vec<Change> = Vec::new();
    for node in document.descendants().filter(|node| node.is_element() && node.tag_name().namespace() == Some(XS)) {
        match node.tag_name().name() {
            "pattern" => {
                changes.extend(node.attribute_node("value").map(|value| (value.range_value(), "[\\s\\S]*".to_owned())));
            }
            "include" | "import" | "redefine" => {
                let location = node.attribute_node("schemaLocation");
                let namespace = node.attribute_node("namespace");
                let stand_in_of = |uri: &str| absent.iter().position(|absent| absent == uri).map(stand_in);
                let found = loaded.found(number, &node).map(place_of);
                let place = found.or_else(|| namespace.and_then(|found| stand_in_of(found.value())));
                match (place, location, namespace) {
                    (Some(place), Some(location), _) => changes.push((location.range_value(), place)),
                    (Some(place), None, Some(namespace)) => {
                        let end = namespace.range().end;
                        changes.push((end..end, format!(" schemaLocation=\"{place}\"")));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        if let View::InOtherWords(relations) = view {
            changes.extend(relations.in_other_words(&node));
        }
    }
    Ok(with_changes(text, changes))
}

/// A place in a text, and what is to stand there.
type Change = (std::ops::Range<usize>, String);

fn with_changes(text: &str, mut changes: Vec<Change>) -> String {
    changes.sort_by_key(|(range, _)| range.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in changes {
        // What lies in a part that was taken out goes with it.
        let (Some(before), true) = (text.get(at..range.start), range.end <= text.len()) else { continue };
        out.push_str(before);
        out.push_str(&new);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or(""));
    out
}

/// What is named of namespaces that were imported and are not to be had: each name with whether it must be a complex type, an
/// element, an attribute or a group. It is unknown, so whatever is of it will be refused; but a set is not refused for what
/// nobody sends.
type Wanted = BTreeMap<(&'static str, String), ()>;

fn stand_in(number: usize) -> String {
    format!("{SCHEME}absent-{number}.xsd")
}

fn wanted_of<'a>(loaded: &Loaded, absent: &'a [String]) -> Result<Vec<(&'a String, Wanted)>, SchemaError> {
    let mut found: Vec<(&String, Wanted)> = absent.iter().map(|namespace| (namespace, Wanted::new())).collect();
    if found.is_empty() {
        return Ok(found);
    }
    for source in &loaded.sources {
        let document = parse(source)?;
        for node in document.descendants().filter(|node| node.is_element() && node.tag_name().namespace() == Some(XS)) {
            for (name, value) in
                node.attributes().filter(|found| found.namespace().is_none()).map(|found| (found.name(), found.value()))
            {
                let Some(kind) = kind_of(&node, name) else { continue };
                for word in value.split_ascii_whitespace() {
                    let Some((prefix, local)) = word.split_once(':') else { continue };
                    let uri = node.lookup_namespace_uri(Some(prefix));
                    if let Some((_, wanted)) = found.iter_mut().find(|(namespace, _)| Some(namespace.as_str()) == uri) {
                        wanted.insert((kind, local.to_owned()), ());
                    }
                }
            }
        }
    }
    Ok(found)
}

/// What the value of an attribute of a schema names.
fn kind_of(node: &roxmltree::Node<'_, '_>, attribute: &str) -> Option<&'static str> {
    match (node.tag_name().name(), attribute) {
        ("extension" | "restriction", "base")
            if node.parent().is_some_and(|parent| parent.tag_name().name() == "complexContent") =>
        {
            Some("complexType")
        }
        (_, "type" | "base" | "itemType" | "memberTypes") => Some("simpleType"),
        ("element", "ref" | "substitutionGroup") => Some("element"),
        ("attribute", "ref") => Some("attribute"),
        ("group", "ref") => Some("group"),
        ("attributeGroup", "ref") => Some("attributeGroup"),
        _ => None,
    }
}

fn stand_in_text(namespace: &str, wanted: &Wanted) -> String {
    let mut text = format!("<xs:schema xmlns:xs=\"{XS}\" targetNamespace=\"{namespace}\">");
    for (kind, local) in wanted.keys() {
        let inside = match *kind {
            "simpleType" => "<xs:restriction base=\"xs:string\"/>",
            "group" => "<xs:sequence/>",
            _ => "",
        };
        text += &format!("<xs:{kind} name=\"{local}\">{inside}</xs:{kind}>");
    }
    text + "</xs:schema>"
}

fn refusal(loaded: &Loaded, error: &xsd_schema::SchemaError) -> SchemaError {
    // Its places are told as ours.
    let name = |place: &str| {
        let number = place.strip_prefix(SCHEME).and_then(|rest| rest.strip_suffix(".xsd"))?.parse::<usize>().ok()?;
        loaded.sources.get(number).map(|source| source.name.clone())
    };
    let mut text = error.to_string();
    for (number, source) in loaded.sources.iter().enumerate().rev() {
        text = text.replace(&place_of(number), &source.name);
    }
    match error.location() {
        Some(place) => {
            let file = name(&place.base_uri).unwrap_or_default();
            let words = text.split_once(&format!("{file}:{}:{}: ", place.line, place.column)).map(|(_, rest)| rest.to_owned());
            SchemaError::new(&file, (place.line as u32, place.column as u32), &words.unwrap_or(text))
        }
        None => SchemaError::new("", (1, 1), &text),
    }
}
