//! Validation of documents by their schemas, while they are read.
//!
//! Schemas are written in a declared subset of XML Schema 1.0 (`docs/schemas.md`). They are compiled once, and every
//! construct that would not be enforced is refused then, with its place: a schema that says more than the gateway checks
//! would be worse than none. Compiled, a document type is a list of paths with one automaton for each content model;
//! a [`Validator`] walks along it without a tree, in memory bounded by the depth. It refuses any `xsi:` attribute, any
//! element or attribute that is not declared, and text where there may be none; then it verifies check digits and the
//! rules that XML Schema cannot express.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]

mod compile;
mod documents;
mod facts;
mod model;
mod number;
mod pattern;
mod read;
mod rules;
mod run;
#[cfg(test)]
mod tests;
mod value;

pub use documents::{DocumentType, SubjectPath};
pub use facts::{Facts, Subject};
pub use run::Validator;

use crate::base::ids::Code;
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
    /// What is not enforced, or what is wrong.
    pub what: String,
}

impl SchemaError {
    fn at(file: &str, text: &str, at: usize, what: String) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or("").chars().count().saturating_add(1);
        Self { file: file.to_owned(), line, column, what }
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)
    }
}

impl std::error::Error for SchemaError {}

/// A compiled set of schemas with its documents. Immutable; to be shared in an `Arc`.
#[derive(Debug)]
pub struct Schemas {
    documents: Vec<DocumentType>,
    types: compile::Types,
    files: Vec<(String, String)>,
}

impl Schemas {
    /// Compiles a set: the name and text of each schema file, and the text of `documents.toml`.
    pub fn compile(files: &[(String, String)], documents: &str) -> Result<Self, SchemaError> {
        let sources = files.iter().map(|(file, text)| read::Source::read(file, text)).collect::<Result<Vec<_>, _>>()?;
        let types = compile::compile(&sources)?;
        let documents = documents::read(documents, &sources, &types)?;
        Ok(Self { documents, types, files: files.to_vec() })
    }

    /// The schemas that come with the gateway.
    ///
    /// # Panics
    /// Never: they are part of the program, and its tests compile them.
    pub fn built_in() -> Self {
        let files: Vec<_> = Self::built_in_files().iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        Self::compile(&files, Self::built_in_documents()).expect("the schemas of the program are of its own subset")
    }

    /// The schema files that come with the gateway, by name: what [`Schemas::built_in`] compiles.
    pub fn built_in_files() -> &'static [(&'static str, &'static str)] {
        BUILT_IN
    }

    /// The `documents.toml` that comes with the gateway.
    pub fn built_in_documents() -> &'static str {
        include_str!("../../../schemas/documents.toml")
    }

    /// The schema of the message itself: for users and their tools. The gateway checks messages by code instead.
    pub fn message_file() -> (&'static str, &'static str) {
        ("message-1.xsd", include_str!("../../../schemas/message-1.xsd"))
    }

    /// The text of a schema file, that of the message included.
    pub fn file(&self, name: &str) -> Option<&str> {
        let (message, text) = Self::message_file();
        let own = self.files.iter().find(|(file, _)| file == name).map(|(_, text)| text.as_str());
        own.or_else(|| (name == message).then_some(text))
    }

    /// A valid example of a document type that comes with the gateway.
    pub fn example(name: &str) -> Option<&'static str> {
        EXAMPLES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The document type with this name.
    pub fn document_type(&self, name: &Code) -> Option<&DocumentType> {
        self.documents.iter().find(|document| document.name == *name)
    }

    /// All document types, in the order of `documents.toml`.
    pub fn document_types(&self) -> impl Iterator<Item = &DocumentType> {
        self.documents.iter()
    }

    /// The document type whose root element has this name.
    pub fn by_root(&self, namespace: &str, root: &str) -> Option<&DocumentType> {
        self.documents.iter().find(|document| document.root == root && document.namespace == namespace)
    }
}

macro_rules! built_in {
    ($($file:literal),* $(,)?) => { &[$(($file, include_str!(concat!("../../../schemas/", $file)))),*] };
}

const BUILT_IN: &[(&str, &str)] = built_in![
    "types-1.xsd",
    "bench-record-1.xsd",
    "birth-certificate-1.xsd",
    "identity-record-1.xsd",
    "medical-absence-note-1.xsd",
    "medical-birth-record-1.xsd",
    "residence-record-1.xsd",
    "school-enrolment-1.xsd",
];

macro_rules! examples {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../../schemas/examples/", $name, "/valid/full.xml")))),*] };
}

const EXAMPLES: &[(&str, &str)] = examples![
    "birth-certificate",
    "identity-record",
    "medical-absence-note",
    "medical-birth-record",
    "residence-record",
    "school-enrolment",
];
