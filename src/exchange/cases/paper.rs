//! What is read from a signed message that has come for a case: its documents, and what stands at their places.

use super::change::{Came, Paper, Said, Text, Written};
use crate::base::ids::{Code, Digest};
use crate::exchange::admission::{Authenticated, same_subject, same_subject_as};
use crate::message::crypto::sha256;
use crate::message::envelope::{Body, Message, NAMESPACE, Subject};
use crate::message::schema::Facts;
use crate::message::xml::{Profile, Start, Visitor, scan};
use crate::rules::condition::Value;
use crate::rules::situation::{Catalogue, DocumentOf, Reads, Situation};
use std::collections::BTreeMap;

/// A message that was verified, and what its documents say.
pub struct Reading {
    /// The message.
    pub message: Message,
    /// Its digest.
    pub digest: Digest,
    sha256: Digest,
    size: u64,
    contents: Vec<BTreeMap<String, String>>,
}

/// One of its documents.
#[derive(Clone, Copy)]
pub struct PaperOf<'r> {
    /// What the gateway knows of it.
    pub facts: &'r Facts,
    values: &'r BTreeMap<String, String>,
}

impl Reading {
    /// Reads a message that was verified.
    pub fn new(verified: Authenticated) -> Self {
        let mut texts = Texts::default();
        // What was verified is well-formed.
        let _ = scan(verified.octets(), Profile::Message, &mut texts);
        let (digest, message, octets) = verified.into_parts();
        Self { digest, message, sha256: sha256(&octets), size: octets.len() as u64, contents: texts.documents }
    }

    /// A message that nobody has verified, with what its documents are said to say: for trying cases out where nothing is signed.
    /// Nothing that a gateway got can become one.
    #[cfg(any(test, feature = "server"))]
    pub(super) fn tried(message: Message, contents: Vec<BTreeMap<String, String>>) -> Self {
        let octets = message.header.id.to_string();
        let digest = sha256(octets.as_bytes());
        Self { digest, message, sha256: digest, size: octets.len() as u64, contents }
    }

    /// Its documents that are valid, with what they say.
    pub fn documents(&self) -> impl Iterator<Item = PaperOf<'_>> {
        let Body::Documents(documents) = &self.message.body else { return [].iter().zip(&[]).filter_map(none as Pick<'_>) };
        documents.iter().zip(self.contents.as_slice()).filter_map(pick as Pick<'_>)
    }

    /// The document of a type.
    pub fn document(&self, name: &Code) -> Option<PaperOf<'_>> {
        self.documents().find(|paper| paper.facts.document_type == *name)
    }

    /// As it is written down in a case.
    pub fn paper(&self, way: Came) -> Paper {
        Paper {
            message: Text(self.message.header.id),
            from: Text(self.message.header.from.clone()),
            sha256: Text(self.sha256),
            size: self.size,
            way,
            start: None,
        }
    }
}

type Pick<'r> = fn((&'r Result<Facts, crate::base::fault::Fault>, &'r BTreeMap<String, String>)) -> Option<PaperOf<'r>>;

fn pick<'r>(
    (facts, values): (&'r Result<Facts, crate::base::fault::Fault>, &'r BTreeMap<String, String>),
) -> Option<PaperOf<'r>> {
    facts.as_ref().ok().map(|facts| PaperOf { facts, values })
}

fn none<'r>(_: (&'r Result<Facts, crate::base::fault::Fault>, &'r BTreeMap<String, String>)) -> Option<PaperOf<'r>> {
    None
}

impl<'r> PaperOf<'r> {
    /// What stands at a path.
    pub fn text(&self, path: &str) -> Option<&'r str> {
        self.values.get(path).map(String::as_str)
    }

    /// All that stand at a path and at the same path after it: `Answer`, `Answer#2` and so on.
    pub fn texts(&self, path: &'r str) -> impl Iterator<Item = (&'r str, String)> + use<'r> {
        let values = self.values;
        (1..).map_while(move |number| {
            let place = nth(path, number);
            values.get(&place).map(|text| (text.as_str(), place))
        })
    }

    /// What the facts are by it, by their names.
    pub fn says(&self, catalogue: &Catalogue, document: &DocumentOf) -> Vec<(String, Said)> {
        let said = catalogue.facts().iter().filter_map(|fact| {
            let source = fact.source.as_ref().filter(|source| source.document == *document)?;
            let found = self.values.get(source.path.as_str());
            let value = match source.reads {
                Reads::Presence => Some(Value::Truth(found.is_some())),
                Reads::Content => found.and_then(|text| Value::parse(fact.kind, first_part(fact.kind, text))),
            };
            Some((fact.name.to_string(), Said(value?)))
        });
        said.collect()
    }

    /// Those whom it proves to be somebody in a situation. Whoever is known in another role is nobody else: of two spouses the other one
    /// is meant.
    pub fn people(&self, situation: &Situation, document: &DocumentOf, known: &BTreeMap<Code, Subject>) -> Vec<(Code, Written)> {
        let mut found = Vec::new();
        for role in &situation.roles {
            let named = role.found_in.iter().filter(|found_in| found_in.document == *document);
            let subjects = named.flat_map(|found_in| self.facts.subjects_as(&found_in.named_as));
            let is_another =
                |subject: &Subject| known.iter().any(|(other, known)| *other != role.name && same_subject(known, subject));
            let subject = subjects.map(as_subject).find(|subject| !subject.identifiers.is_empty() && !is_another(subject));
            found.extend(subject.map(|subject| (role.name.clone(), Written::from(&subject))));
        }
        found
    }

    /// Those whom it describes in a role of its schema, in their order.
    pub fn subjects_as(&self, role: &str) -> impl Iterator<Item = Subject> + use<'r> {
        let role = role.to_owned();
        self.facts.subjects.iter().filter(move |described| *described.role == *role).map(as_subject)
    }

    /// Whether it describes somebody in a role of its schema.
    pub fn is_about(&self, subject: &Subject, role: &str) -> bool {
        self.facts.subjects_as(role).any(|described| same_subject_as(subject, described))
    }

    /// Whether it describes somebody in whatever role.
    pub fn names(&self, subject: &Subject) -> bool {
        self.facts.subjects.iter().any(|described| same_subject_as(subject, described))
    }
}

/// An instant is the day that it is on, where a day is wanted.
fn first_part(kind: crate::rules::condition::Kind, text: &str) -> &str {
    match kind {
        crate::rules::condition::Kind::Date => text.split_once('T').map_or(text, |(day, _)| day),
        _ => text,
    }
}

fn as_subject(described: &crate::message::schema::Subject) -> Subject {
    crate::exchange::admission::as_asked(described)
}

/// The path of the so-manyth element at a path.
fn nth(path: &str, number: u32) -> String {
    if number == 1 { path.to_owned() } else { format!("{path}#{number}") }
}

/// The texts of all documents of a message, by path below their roots. Of several elements at one path each has its number.
#[derive(Default)]
struct Texts {
    documents: Vec<BTreeMap<String, String>>,
    /// How many there are at each path of the document that is being read.
    counts: BTreeMap<String, u32>,
    /// Elements above the documents.
    depth: usize,
    is_inside: bool,
    path: Vec<(String, String)>,
}

impl Texts {
    fn place(&self) -> String {
        self.path.iter().skip(1).map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("/")
    }

    fn put(&mut self, place: &str, text: String) -> String {
        let Some(document) = self.documents.last_mut() else { return String::new() };
        let number = self.counts.entry(place.to_owned()).or_default();
        *number += 1;
        let place = nth(place, *number);
        document.insert(place.clone(), text);
        place
    }
}

impl Visitor for Texts {
    type Error = std::convert::Infallible;

    fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error> {
        if self.is_inside {
            // Message, Body, Documents are above.
            if self.path.is_empty() {
                self.documents.push(BTreeMap::new());
                self.counts.clear();
            }
            self.path.push((element.local().to_owned(), String::new()));
            if self.path.len() > 1 {
                let place = self.place();
                let numbered = self.put(&place, String::new());
                for attribute in element.attributes() {
                    self.put(&format!("{numbered}/@{}", attribute.local), attribute.value.to_owned());
                }
                // What lies in the second of several is found under its number.
                if let (Some(last), Some((_, name))) = (self.path.last_mut(), numbered.rsplit_once('/').or(Some(("", &numbered))))
                {
                    last.0 = name.to_owned();
                }
            }
            return Ok(());
        }
        self.depth += 1;
        self.is_inside = self.depth == 3 && element.is(NAMESPACE, "Documents");
        Ok(())
    }

    fn text(&mut self, text: &str, _: usize) -> Result<(), Self::Error> {
        if let Some((_, so_far)) = self.path.last_mut() {
            so_far.push_str(text);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        match self.path.pop() {
            Some((name, text)) => {
                if !self.path.is_empty() {
                    self.path.push((name, String::new()));
                    let place = self.place();
                    self.path.pop();
                    if let Some(document) = self.documents.last_mut() {
                        document.insert(place, text.trim_matches([' ', '\t', '\r', '\n']).to_owned());
                    }
                }
            }
            None => {
                self.depth = self.depth.saturating_sub(1);
                self.is_inside = false;
            }
        }
        Ok(())
    }
}
