//! What the gateway learns from a valid document: enough to decide and to record, and no more.

use super::documents::{DateForm, DocumentType, Part, SubjectKind};
use super::rules::Watched;
use crate::base::ids::{Code, Identifier, Uuid};
use crate::base::limits;
use std::fmt;

/// What is known about a valid document. Holds personal data, of which [`fmt::Debug`] prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    /// The name of its type.
    pub document_type: Code,
    /// `Head/DocumentId`, if the type has a head.
    pub document_id: Option<Uuid>,
    /// `Head/Status`, if the type has a head: `in-force` or `cancelled`.
    pub status: Option<String>,
    /// The fields that it has, by path, each once: what a grant must permit.
    pub optional_paths: Vec<String>,
    /// All identifiers with their paths, check digits verified.
    pub identifiers: Vec<(String, Identifier)>,
    /// The persons that it is about, one for each role that fits.
    pub subjects: Vec<Subject>,
}

/// A person that a document is about. Holds personal data, of which [`fmt::Debug`] prints nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The role that a request names in `Of`; empty for a request that names none.
    pub role: String,
    /// What it is.
    pub kind: SubjectKind,
    /// Its identifiers.
    pub identifiers: Vec<Identifier>,
    /// The family name, unless absent.
    pub family: Option<String>,
    /// The given name, unless absent.
    pub given: Option<String>,
    /// The date of birth, perhaps without day or month.
    pub birth_date: Option<String>,
    /// The name of an organisation.
    pub name: Option<String>,
}

impl Facts {
    /// The persons in a role; the role of a request without `Of` is empty.
    pub fn subjects_as(&self, role: &str) -> impl Iterator<Item = &Subject> {
        self.subjects.iter().filter(move |subject| subject.role == role)
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

/// What has been kept so far while a document is read.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) document_id: Option<Uuid>,
    pub(super) status: Option<String>,
    identifiers: Vec<(String, Identifier)>,
    persons: Vec<Person>,
}

/// A person as the document gives it; its role is settled at the end.
#[derive(Default)]
struct Person {
    /// The place of its element.
    place: usize,
    /// How many values had been kept to be compared when it began: the last of them stand beside it.
    compared: usize,
    subject: Subject,
}

impl Gathered {
    /// Begins a person; false if there are too many.
    pub(super) fn begin_subject(&mut self, place: usize, compared: usize) -> bool {
        self.persons.push(Person { place, compared, subject: Subject::default() });
        self.persons.len() <= limits::DOCUMENT_WATCHED_MAX
    }

    /// Keeps an identifier; false if there are too many.
    pub(super) fn identifier(&mut self, path: &str, identifier: Identifier, part: Option<&Part>) -> bool {
        if matches!(part, Some(Part::SubjectId(_)))
            && let Some(person) = self.persons.last_mut()
        {
            person.subject.identifiers.push(identifier.clone());
        }
        self.identifiers.push((path.to_owned(), identifier));
        self.identifiers.len() <= limits::DOCUMENT_IDENTIFIERS_MAX
    }

    /// Keeps a part of the person that began last.
    pub(super) fn part(&mut self, part: &Part, value: &str) {
        let Some(Person { subject: person, .. }) = self.persons.last_mut() else { return };
        match part {
            Part::Family => person.family = Some(value.to_owned()),
            Part::Name => person.name = Some(value.to_owned()),
            Part::Given => person.given = Some(value.to_owned()),
            Part::BirthDate(form) => person.birth_date = form.read(value),
            Part::Subject | Part::SubjectId(_) | Part::DocumentId | Part::Status => {}
        }
    }
}

impl DateForm {
    /// A date as a question has it; one that cannot be read is none.
    fn read(self, text: &str) -> Option<String> {
        let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
        let parts = match self {
            // A time zone does not move a birthday.
            Self::Iso => return Some(text.get(..10).filter(|_| text.len() > 10).unwrap_or(text).to_owned()),
            Self::Dotted => (text.get(6..10)?, text.get(3..5)?, text.get(..2)?),
            Self::Compact => (text.get(..4)?, text.get(4..6)?, text.get(6..8)?),
        };
        let (year, month, day) = parts;
        (digits(year) && digits(month) && digits(day)).then(|| format!("{year}-{month}-{day}"))
    }
}

/// Puts together what was kept. The fields that are listed come in the order of the schema, others behind them.
pub(super) fn gather(document: &DocumentType, gathered: Gathered, watched: &[Watched], mut fields: Vec<String>) -> Facts {
    let place = |field: &String| document.fields.iter().position(|known| known == field).unwrap_or(usize::MAX);
    if fields.len() > 1 {
        fields.sort_by_cached_key(place);
    }
    let mut subjects = Vec::new();
    for person in &gathered.persons {
        for row in document.subjects.iter().filter(|row| row.node == person.place) {
            let beside = watched.iter().take(person.compared).rev().find(|kept| Some(kept.node) == row.only_if_node);
            if row.only_if.as_ref().is_none_or(|(_, is)| beside.is_some_and(|beside| *beside.value == **is)) {
                subjects.push(Subject { role: row.role.clone(), kind: row.kind, ..person.subject.clone() });
            }
        }
    }
    Facts {
        document_type: document.name.clone(),
        document_id: gathered.document_id,
        status: gathered.status,
        optional_paths: fields,
        identifiers: gathered.identifiers,
        subjects,
    }
}
