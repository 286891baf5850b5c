//! What the gateway learns from a valid document: enough to decide and to record, and no more.

use super::{FieldPath, Known, Schemas};
use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::{Code, Identifier, Uuid};
use crate::base::time::Day;
use serde::Deserialize;
use std::fmt;

/// What is known about a valid document. Holds personal data, of which [`fmt::Debug`] prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    /// The name of its type.
    pub document_type: Code,
    /// The last day on which documents of its version are taken.
    pub until: Option<Day>,
    /// `Head/DocumentId`, if the type has a head.
    pub document_id: Option<Uuid>,
    /// `Head/Status`, if the type has a head: `in-force` or `cancelled`.
    pub status: Option<String>,
    /// The fields that it has, by path, each once: what a grant must permit.
    pub optional_paths: Vec<String>,
    /// All identifiers with their paths, check digits verified.
    pub identifiers: Vec<(String, Identifier)>,
    /// Whom it is about, one for each role that fits.
    pub subjects: Vec<Subject>,
}

/// What a document is about.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectKind {
    /// A person.
    #[default]
    Person,
    /// An organisation.
    Organisation,
}

/// A person or an organisation that a document is about. Holds personal data, of which [`fmt::Debug`] prints nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The role that a request names in `Of`; empty for a request that names none.
    pub role: String,
    /// Which of both it is.
    pub kind: SubjectKind,
    /// Its identifiers.
    pub identifiers: Vec<Identifier>,
    /// A person's family name, unless absent.
    pub family: Option<String>,
    /// A person's given name, unless absent.
    pub given: Option<String>,
    /// A person's date of birth, perhaps without day or month.
    pub birth_date: Option<String>,
    /// An organisation's name.
    pub name: Option<String>,
}

impl Facts {
    /// That documents of its version are still taken on this day.
    pub fn in_force(&self, today: Day) -> Result<(), Fault> {
        match self.until.filter(|until| *until < today) {
            None => Ok(()),
            Some(until) => Err(Fault::at(FaultCode::DocEnded, format!("documents of this version were taken until {until}"))),
        }
    }

    /// Whoever has a role; the role of a request without `Of` is empty.
    pub fn subjects_as(&self, role: &str) -> impl Iterator<Item = &Subject> {
        self.subjects.iter().filter(move |subject| subject.role == role)
    }

    /// The optional paths that may not go out if these fields may: what is left out of it ([`crate::message::xml::without`]).
    pub fn withheld(&self, schemas: &Schemas, fields: &[FieldPath]) -> Vec<&str> {
        let listed = schemas.document_type(&self.document_type).map_or([&[][..]; 2], |document| document.paths());
        let [optional, required] = listed;
        let known = Known::of(fields, &[optional, required, &self.optional_paths]);
        let is_released = |path: &str| fields.iter().any(|field| field.releases(path, &known));
        self.optional_paths.iter().map(String::as_str).filter(|path| !is_released(path)).collect()
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Facts");
        debug.field("document_type", &self.document_type).field("document_id", &self.document_id).field("status", &self.status);
        debug.field("optional_paths", &self.optional_paths).field("identifiers", &self.identifiers.len());
        debug.field("subjects", &self.subjects).finish()
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({:?}, …)", self.role)
    }
}
