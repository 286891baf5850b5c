//! Validation of documents by their schemas, while they are read.
//!
//! Schemas are XML Schema 1.0, read, judged and compiled by [`crate::message::xsd`]; `documents.toml` says which documents there
//! are, whom they are about, and which rules go beyond their schema. A [`Validator`] walks along a document without a tree, in
//! memory that depends on its depth and its different paths. It refuses what the schema does not declare; then it verifies check
//! digits and the rules that XML Schema cannot express.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]

mod documents;
mod facts;
mod paths;
mod rules;
mod run;
#[cfg(test)]
mod tests;
mod tree;

pub use crate::message::xsd::SchemaError;
pub use documents::{DocumentType, SubjectPath};
pub use facts::{Facts, Subject};
pub use paths::Reach;
pub use run::Validator;

use crate::base::ids::Code;
use crate::message::xsd::read::{Library, Loaded, Source, load, target_of};
use crate::message::xsd::set::TypeRef;
use crate::message::xsd::{Set, compile, compile_judged};

/// A compiled set of schemas with its documents. Immutable; to be shared in an `Arc`.
#[derive(Debug)]
pub struct Schemas {
    documents: Vec<DocumentType>,
    set: Set,
    /// By complex type: whether it is an identifier of ours.
    identifiers: Vec<bool>,
    files: Vec<(String, String)>,
}

impl Schemas {
    /// Compiles a set: the name and text of each schema file, and the text of `documents.toml`.
    pub fn compile(files: &[(String, String)], documents: &str) -> Result<Self, SchemaError> {
        let loaded = loaded(files)?;
        Self::with(compile_judged(&loaded)?, &loaded, files, documents)
    }

    fn with(set: Set, loaded: &Loaded, files: &[(String, String)], documents: &str) -> Result<Self, SchemaError> {
        let targets = loaded.sources.iter().map(|source| Ok((source.name.clone(), target_of(source)?)));
        let targets: Vec<(String, String)> = targets.collect::<Result<_, SchemaError>>()?;
        let documents = documents::read(documents, &targets, &set)?;
        let id = set.names().find(documents::TYPES, "Id").and_then(|name| set.global_type(name));
        let is_id = |number: usize| id.is_some_and(|id| set.derives(TypeRef::Complex(number as u32), id).is_some());
        let identifiers = (0..set.complex_count()).map(is_id).collect();
        Ok(Self { documents, set, identifiers, files: files.to_vec() })
    }

    /// The schemas that come with the gateway.
    ///
    /// # Panics
    /// Never: they are part of the program, and its tests compile them.
    pub fn built_in() -> Self {
        let files: Vec<_> = Self::built_in_files().iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        // They were judged by the program's tests.
        let loaded = loaded(&files).expect("the schemas of the program can be read");
        let set = compile(&loaded).expect("the schemas of the program can be compiled");
        Self::with(set, &loaded, &files, Self::built_in_documents()).expect("the documents of the program are of its schemas")
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

/// The files of a set, which find each other by their names.
struct Files<'f>(&'f [(String, String)]);

impl Library for Files<'_> {
    fn fetch(&mut self, _from: &str, location: Option<&str>, namespace: &str) -> Option<Source> {
        let source = |(name, text): &(String, String)| Source { name: name.clone(), text: text.clone() };
        let named = location.and_then(|location| self.0.iter().find(|(name, _)| name == location)).map(source);
        let has = |(name, text): &&(String, String)| {
            let source = Source { name: name.clone(), text: text.clone() };
            !namespace.is_empty() && target_of(&source).is_ok_and(|target| target == namespace)
        };
        named.or_else(|| self.0.iter().find(has).map(source))
    }
}

fn loaded(files: &[(String, String)]) -> Result<Loaded, SchemaError> {
    let sources = files.iter().map(|(name, text)| Source { name: name.clone(), text: text.clone() });
    let loaded = load(sources.collect(), &mut Files(files))?;
    // What is to be there and is not may be what everything hangs on.
    match loaded.absent.first() {
        Some(absent) => Err(absent.error.clone()),
        None => Ok(loaded),
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
