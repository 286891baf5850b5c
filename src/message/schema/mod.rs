//! Validation of documents by their schemas, while they are read.
//!
//! Schemas are XML Schema 1.0, read, judged and compiled by [`crate::message::xsd`]; `documents.toml` says which documents there
//! are, whom they are about, and which rules go beyond their schema. A [`Validator`] walks along a document without a tree, in
//! memory that depends on its depth and its different paths. It refuses what the schema does not declare; then it verifies check
//! digits and the rules that XML Schema cannot express.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]

mod documents;
mod facts;
mod field;
mod form;
mod own;
mod paths;
mod people;
mod plan;
mod rules;
mod run;
mod scopes;
mod streamed;
mod subjects;
#[cfg(test)]
mod tests;
mod trail;
mod tree;
mod watch;

pub use crate::message::xsd::SchemaError;
pub use documents::{Describing, DocumentType, PREDICATE, Priority, Version};
pub use facts::{Facts, Subject, SubjectKind};
pub use field::{FieldPath, Known, fields_header, fields_of_header};
pub use form::{Entry, Form, FormError, Gives, Holding, PlaceOf, Takes, Unfilled, Wrong, places, recurring};
pub use own::OwnSet;
pub use paths::Reach;
pub use run::Validator;
pub use streamed::Streamed;
pub use subjects::SubjectPath;

use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::{Code, Digest};
use crate::message::crypto::sha256;
use crate::message::xml::Start;
use crate::message::xsd::read::{Library, Loaded, Source, load, target_of};
use crate::message::xsd::{compile, compile_judged};
use own::Schema;
use std::sync::Arc;

/// All document types that there are: those that come with the gateway, and the sets of other owners beside them. Immutable; to
/// be shared in an `Arc`.
#[derive(Debug)]
pub struct Schemas {
    /// The first one is there always.
    first: Arc<OwnSet>,
    others: Vec<Arc<OwnSet>>,
    absent: Vec<Code>,
    /// What a document is held against until its root has come.
    start: Arc<Schema>,
}

/// The version of a document type that a document is of.
#[derive(Clone, Copy)]
struct Place<'s> {
    document: &'s DocumentType,
    version: &'s Version,
    schema: &'s Schema,
}

impl Schemas {
    /// Compiles a set by itself, without the documents that come with the gateway: the name and text of each schema file, and
    /// the text of `documents.toml`.
    pub fn compile(files: &[(String, String)], documents: &str) -> Result<Self, SchemaError> {
        let all = loaded(files)?;
        let schema = Arc::new(Schema::new(compile_judged(&all)?, &all)?);
        let set = OwnSet::of("", documents, &mut |_| Ok(Arc::clone(&schema)));
        let first = set.map_err(first_of)?;
        Ok(Self { first: Arc::new(first), others: Vec::new(), absent: Vec::new(), start: schema })
    }

    /// The documents that come with the gateway, and those of other owners. `absent` names the documents of sets that are not in
    /// force. Refused is a name that two sets give.
    pub fn with(sets: Vec<Arc<OwnSet>>, absent: Vec<Code>) -> Result<Self, Vec<SchemaError>> {
        let Self { first, start, .. } = Self::built_in();
        let claimed = |document: &DocumentType| {
            let claims = |own: &DocumentType| own.name == document.name;
            document.gives_way && sets.iter().any(|set| set.document_types().iter().any(claims))
        };
        let given: Vec<Code> =
            first.document_types().iter().filter(|document| claimed(document)).map(|document| document.name.clone()).collect();
        let first = if given.is_empty() { first } else { Arc::new(first.without(&given)) };
        let (mut others, mut faults): (Vec<Arc<OwnSet>>, Vec<SchemaError>) = (Vec::new(), Vec::new());
        for set in sets {
            let known = || std::iter::once(&first).chain(&others);
            for document in set.document_types() {
                let other = known().find(|other| other.document_types().iter().any(|known| known.name == document.name));
                if let Some(other) = other {
                    let whose = if other.name().is_empty() { "the gateway's own" } else { other.name() };
                    let what = format!("the document {}, which is one of {whose} already; give it another name", document.name);
                    faults.push(SchemaError::in_text(&format!("{}/{}", set.name(), documents::FILE), "", 0, &what));
                }
            }
            others.push(set);
        }
        if faults.is_empty() { Ok(Self { first, others, absent, start }) } else { Err(faults) }
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
        let schema = Arc::new(Schema::new(set, &loaded).expect("the schemas of the program have namespaces"));
        let first = OwnSet::of("", Self::built_in_documents(), &mut |_| Ok(Arc::clone(&schema)));
        let first = Arc::new(first.expect("the documents of the program are of its schemas"));
        Self { first, others: Vec::new(), absent: Vec::new(), start: schema }
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

    /// The text of a schema file that comes with the gateway, that of the message included.
    pub fn file(&self, name: &str) -> Option<&str> {
        let (message, text) = Self::message_file();
        self.first.file(name).or_else(|| (name == message).then_some(text))
    }

    /// A valid example of a document type that comes with the gateway.
    pub fn example(name: &str) -> Option<&'static str> {
        EXAMPLES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The sets of other owners.
    pub fn others(&self) -> &[Arc<OwnSet>] {
        &self.others
    }

    /// Whether a document of this name is of a set that is not in force.
    pub fn is_absent(&self, name: &Code) -> bool {
        self.absent.contains(name)
    }

    /// The document type with this name.
    pub fn document_type(&self, name: &Code) -> Option<&DocumentType> {
        self.document_types().find(|document| document.name == *name)
    }

    /// All document types: those of the gateway, then set by set, in the order of `documents.toml`.
    pub fn document_types(&self) -> impl Iterator<Item = &DocumentType> {
        self.sets().flat_map(|set| set.document_types())
    }

    /// The SHA-256 of what the schema of a document type says: its paths, which of them a document may lack, and what stands there;
    /// with the text of its file. Comments in other files change nothing.
    pub fn digest_of(&self, name: &Code) -> Option<Digest> {
        let (version, set) = self.newest_of(name)?;
        let root = set.names().find(&version.namespace, &version.root).and_then(|name| set.global_element(name))?;
        let text = self.sets().find_map(|set| {
            let is_here = set.document_types().iter().any(|document| document.name == *name);
            set.file(&version.file).filter(|_| is_here)
        });
        Some(sha256(paths::described(set, root, text.unwrap_or_default()).as_bytes()))
    }

    /// The version of a document type that was written last, and the set that its schema is in.
    fn newest_of(&self, name: &Code) -> Option<(&Version, &crate::message::xsd::Set)> {
        self.sets().find_map(|set| {
            let version = set.document_types().iter().find(|document| document.name == *name)?.newest()?;
            Some((version, set.schema(version)?))
        })
    }

    fn sets(&self) -> impl Iterator<Item = &OwnSet> {
        std::iter::once(&*self.first).chain(self.others.iter().map(|set| &**set))
    }

    /// Which document begins with this tag: of several the one that was asked for.
    fn choose(&self, root: &Start<'_>, expected: Option<&Code>) -> Result<Place<'_>, Fault> {
        let unknown = |what: &str| Fault::at(FaultCode::DocUnknown, format!("byte {}{what}", root.at()));
        let named = |version: &&Version| *version.root == *root.local() && *version.namespace == *root.uri();
        let versions = || {
            self.sets().flat_map(|set| {
                let of_set = set.document_types().iter();
                of_set.flat_map(move |document| {
                    let places = document.versions().iter().filter(named);
                    places.filter_map(move |version| Some(Place { document, version, schema: set.compiled(version)? }))
                })
            })
        };
        let told = |place: &Place<'_>| place.version.is_told_by(root);
        let mut found = versions().filter(told);
        if let (Some(only), None) = (found.next(), found.next()) {
            return Ok(only);
        }
        let (found, strange): (Vec<Place<'_>>, Vec<Place<'_>>) = versions().partition(told);
        let asked = |place: &&Place<'_>| expected.is_some_and(|expected| *expected == place.document.name);
        match (found.as_slice(), strange.as_slice()) {
            ([], []) => Err(unknown("")),
            ([], [one, ..]) => Err(unknown(&format!(": a version of {} that is not known", one.document.name))),
            (several, _) => match several.iter().filter(asked).collect::<Vec<_>>().as_slice() {
                [only] => Ok(**only),
                _ => Err(unknown(": documents of several types begin so, and none of them was asked for")),
            },
        }
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

/// The first fault of those that refuse a set.
fn first_of(faults: Vec<SchemaError>) -> SchemaError {
    faults.into_iter().next().unwrap_or_else(|| SchemaError::in_text(documents::FILE, "", 0, "refused"))
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
    "bank-details-1.xsd",
    "bench-record-1.xsd",
    "benefit-decision-1.xsd",
    "birth-allowance-application-1.xsd",
    "birth-certificate-1.xsd",
    "business-registration-1.xsd",
    "care-plan-1.xsd",
    "case-application-1.xsd",
    "case-order-1.xsd",
    "case-outcome-1.xsd",
    "case-state-1.xsd",
    "case-task-1.xsd",
    "death-record-1.xsd",
    "disability-record-1.xsd",
    "education-certificate-1.xsd",
    "employment-record-1.xsd",
    "enrolment-order-1.xsd",
    "exam-results-1.xsd",
    "family-capital-1.xsd",
    "family-status-1.xsd",
    "guardianship-record-1.xsd",
    "health-policy-1.xsd",
    "identity-record-1.xsd",
    "income-statement-1.xsd",
    "insurance-number-1.xsd",
    "marriage-record-1.xsd",
    "medical-absence-note-1.xsd",
    "medical-birth-record-1.xsd",
    "medical-referral-1.xsd",
    "military-record-1.xsd",
    "paternity-record-1.xsd",
    "pension-record-1.xsd",
    "place-offer-1.xsd",
    "predicate-1.xsd",
    "pregnancy-record-1.xsd",
    "residence-record-1.xsd",
    "school-enrolment-1.xsd",
    "unemployment-registration-1.xsd",
    "veteran-record-1.xsd",
];

macro_rules! examples {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../../schemas/examples/", $name, "/valid/full.xml")))),*] };
}

const EXAMPLES: &[(&str, &str)] = examples![
    "bank-details",
    "benefit-decision",
    "birth-allowance-application",
    "birth-certificate",
    "business-registration",
    "care-plan",
    "case-application",
    "case-order",
    "case-outcome",
    "case-state",
    "case-task",
    "death-record",
    "disability-record",
    "education-certificate",
    "employment-record",
    "enrolment-order",
    "exam-results",
    "family-capital",
    "family-status",
    "guardianship-record",
    "health-policy",
    "identity-record",
    "income-statement",
    "insurance-number",
    "is-adult",
    "is-of-pension-age",
    "is-of-school-age",
    "lives-in-region",
    "marriage-record",
    "medical-absence-note",
    "medical-birth-record",
    "medical-referral",
    "military-record",
    "paternity-record",
    "pension-record",
    "place-offer",
    "pregnancy-record",
    "receives-allowance",
    "residence-record",
    "school-enrolment",
    "unemployment-registration",
    "veteran-record",
];
