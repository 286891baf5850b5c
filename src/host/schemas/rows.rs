//! Where `documents.toml` says something: for what is wrong with it, and only the other files of the set can tell.

use super::DOCUMENTS;
use crate::message::schema::SchemaError;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// What is said at the first row that gives a key this value; at the beginning of the file, if there is none.
pub(super) fn at(text: &str, key: &str, value: &str, what: &str) -> SchemaError {
    let place = DeTable::parse(text).ok().and_then(|table| find(table.get_ref(), key, value));
    SchemaError::in_text(DOCUMENTS, text, place.map_or(0, |place| place.start), what)
}

fn find(table: &DeTable<'_>, key: &str, value: &str) -> Option<Range<usize>> {
    let Some(DeValue::Array(rows)) = table.get("document").map(|rows| rows.get_ref()) else { return None };
    let tables = rows.iter().filter_map(|row| row.get_ref().as_table());
    tables
        .flat_map(|row| row.iter())
        .find_map(|(known, given)| (known.get_ref() == key && given.get_ref().as_str() == Some(value)).then(|| given.span()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_says_has_a_place() {
        let text = "[[document]]\nname = \"a\"\n[[document]]\nname = \"b\"\nfile = \"b.xsd\"\n";
        assert_eq!(at(text, "file", "b.xsd", "x").to_string(), "documents.toml:5:8: x");
        assert_eq!(at(text, "name", "b", "x").to_string(), "documents.toml:4:8: x");
        assert_eq!(at(text, "name", "c", "x").to_string(), "documents.toml:1:1: x");
        assert_eq!(at("[[", "name", "c", "x").to_string(), "documents.toml:1:1: x");
    }
}
