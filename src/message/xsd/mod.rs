//! XML Schema 1.0: reading schema documents, the compiled form, and the automaton that holds a document against it.
//!
//! A set of schemas is read once ([`read`]), judged by the constraints that XML Schema puts on schemas (`judge`), and compiled
//! ([`set`]): types with their content models and simple types, immutable and shared. A [`run`] walks along it while a document
//! is read, without a tree, in memory that depends on how deep the document is and not on how long.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

pub mod example;
pub mod identity;
pub mod judge;
pub mod model;
pub mod names;
pub mod pattern;
pub mod read;
pub mod row;
pub mod run;
pub mod set;
pub mod simple;
pub mod wildcard;

mod build;
mod built_in;
mod keys;
mod tag;
#[cfg(test)]
mod tests;
mod types;
mod violation;

pub use set::Set;
pub use violation::Violation;

use std::fmt;

/// Why a set of schemas is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
}

impl SchemaError {
    pub(crate) fn new(file: &str, (line, column): (u32, u32), what: &str) -> Self {
        Self { file: file.to_owned(), line: line as usize, column: column as usize, what: what.to_owned() }
    }

    pub(crate) fn in_text(file: &str, text: &str, at: usize, what: &str) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or("").chars().count().saturating_add(1);
        Self { file: file.to_owned(), line, column, what: what.to_owned() }
    }

    pub(crate) fn at(source: &read::Source, node: &roxmltree::Node<'_, '_>, what: &str) -> Self {
        let place = node.document().text_pos_at(node.range().start);
        Self::new(&source.name, (place.row, place.col), what)
    }
}

/// Compiles what was loaded, and then has it judged: what the judge is given is bounded by our own reading, so a set that ours
/// refuses never gets there.
pub fn compile_judged(loaded: &read::Loaded) -> Result<Set, SchemaError> {
    let set = compile(loaded)?;
    judge::judge(loaded)?;
    Ok(set)
}

/// Compiles what was loaded. Whether it keeps all constraints on schemas is for the judge to say.
pub fn compile(loaded: &read::Loaded) -> Result<Set, SchemaError> {
    build::build(loaded)
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)
    }
}

impl std::error::Error for SchemaError {}
