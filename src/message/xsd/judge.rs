//! Whether a set of schemas keeps the constraints that XML Schema puts on schemas: unique particle attribution, valid
//! restrictions, consistent declarations and the rest of part 1, appendix C.2 to C.4.
//!
//! Patterns are not among it: ours are compiled by [`super::pattern`], which says what is wrong with them, and the judge sees one
//! that lets everything through in their place.
//!
//! The rest is the crate `xsd-schema`'s to say. It never sees a message: it judges what an operator puts in place, after our own
//! reading has bounded it, and what it refuses is refused. What runs in the pass of a message is our compiled form alone.

use super::SchemaError;
use super::read::{Loaded, XML, Source, is_xs, parse};
use std::collections::BTreeMap;
use std::sync::Arc;
use xsd_schema::parser::resolver::SchemaLoader;
use xsd_schema::{SchemaResult, SchemaSetBuilder};

/// The scheme under which the judge sees the documents of a set.
const SCHEME: &str = "set:///";

/// The documents of a set, for the judge to load.
#[derive(Debug)]
struct Documents(Arc<BTreeMap<String, String>>);

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

/// Judges what was loaded.
pub fn judge(loaded: &Loaded) -> Result<(), SchemaError> {
    let mut texts = BTreeMap::new();
    for source in &loaded.sources {
        texts.insert(format!("{SCHEME}{}", source.name), without_patterns(source)?);
    }
    for (location, number) in loaded.places() {
        if let Some(source) = loaded.sources.get(number) {
            texts.entry(location).or_insert(without_patterns(source)?);
        }
    }
    // The judge asks its own catalogue for this namespace.
    if let Some(source) = loaded.source_of(XML) {
        texts.insert("embedded://xml.xsd".to_owned(), without_patterns(source)?);
    }
    let texts = Arc::new(texts);
    let mut builder = SchemaSetBuilder::with_loader(Box::new(Documents(Arc::clone(&texts))));
    let refused = |error: xsd_schema::SchemaError| refusal(&error);
    for root in &loaded.roots {
        let Some(source) = loaded.sources.get(*root) else { continue };
        builder.try_add(&format!("{SCHEME}{}", source.name)).map_err(refused)?;
    }
    builder.compile().map(|_| ()).map_err(refused)
}

/// The text of a schema with a pattern for everything in the place of each, and with nothing else moved.
fn without_patterns(source: &Source) -> Result<String, SchemaError> {
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let document = parse(source)?;
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for pattern in document.descendants().filter(|node| is_xs(node, "pattern")) {
        let Some(value) = pattern.attribute_node("value").map(|value| value.range_value()) else { continue };
        // One that an entity brings lies elsewhere.
        let (Some(before), true) = (text.get(at..value.start), value.end <= text.len()) else { continue };
        out.push_str(before);
        out.push_str("[\\s\\S]*");
        at = value.end;
    }
    out.push_str(text.get(at..).unwrap_or(""));
    Ok(out)
}

fn refusal(error: &xsd_schema::SchemaError) -> SchemaError {
    let text = error.to_string();
    match error.location() {
        Some(place) => {
            let file = place.base_uri.strip_prefix(SCHEME).unwrap_or(&place.base_uri);
            SchemaError::new(file, (place.line as u32, place.column as u32), &text)
        }
        None => SchemaError::new("", (1, 1), &text),
    }
}
