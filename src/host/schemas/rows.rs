//! What `documents.toml` says before anything is compiled: which guesses nobody has confirmed, and where a file is named.

use super::DOCUMENTS;
use crate::message::schema::SchemaError;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// The guesses that nobody has confirmed: rows with the key `todo`, at any depth. A text that is no TOML has none; what is wrong
/// with it is told by whoever reads it whole.
pub(super) fn unconfirmed(text: &str) -> Vec<SchemaError> {
    let mut found = Vec::new();
    visit(text, &mut |key, value, place| {
        if key == "todo" {
            let guess = value.as_str().unwrap_or("a guess");
            let what = format!("nobody has confirmed this yet: {guess}; correct the row if need be, then take the todo line out");
            found.push(SchemaError::in_text(DOCUMENTS, text, place.start, &what));
        }
    });
    found
}

/// What is said of a file of the set, at the place where a row names it.
pub(super) fn at_file(text: &str, file: &str, what: &str) -> SchemaError {
    let mut at = 0;
    visit(text, &mut |key, value, place| {
        if key == "file" && value.as_str() == Some(file) && at == 0 {
            at = place.start;
        }
    });
    SchemaError::in_text(DOCUMENTS, text, at, what)
}

fn visit(text: &str, tell: &mut dyn FnMut(&str, &DeValue<'_>, Range<usize>)) {
    if let Ok(table) = DeTable::parse(text) {
        inside(table.get_ref(), tell);
    }
}

/// The parser has a bound on how deep values are nested.
fn inside(table: &DeTable<'_>, tell: &mut dyn FnMut(&str, &DeValue<'_>, Range<usize>)) {
    // A table is sorted by its keys; people read from the top.
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in rows {
        tell(key.get_ref(), value.get_ref(), key.span());
        match value.get_ref() {
            DeValue::Table(table) => inside(table, tell),
            DeValue::Array(values) => {
                let tables = values.iter().filter_map(|value| value.get_ref().as_table());
                tables.for_each(|table| inside(table, tell));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_that_nobody_has_confirmed_are_named_with_their_place() {
        let text =
            "[[document]]\nname = \"a\"\ntodo = \"the name\"\nsubject = [{ path = \"P\", todo = \"whom\" }]\nfile = \"a.xsd\"\n";
        let found: Vec<_> = unconfirmed(text).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("documents.toml:3:1: nobody has confirmed this yet: the name; "), "{}", found[0]);
        assert!(found[1].starts_with("documents.toml:4:26: nobody has confirmed this yet: whom; "), "{}", found[1]);
        assert_eq!(at_file(text, "a.xsd", "x").to_string(), "documents.toml:5:1: x");
        assert!(unconfirmed("todo = [").is_empty());
    }
}
