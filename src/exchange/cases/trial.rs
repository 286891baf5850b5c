//! Cases tried out where nothing is signed: a land with one agency of each kind, people who do not exist, and what their documents
//! would say. Tests and the simulator take cases through with it; no gateway does.

use super::change::{StartedBy, Text, Written};
use super::{Around, Opening, Reading};
use crate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId};
#[cfg(test)]
use crate::base::time::Day;
use crate::base::time::UnixTime;
use crate::message::envelope::{Body, Described, Header, Kind, Message, Person, Personal, Subject, World};
use crate::message::schema::{Facts, Schemas, Subject as Named, SubjectKind};
use crate::rules::condition::{FactIndex, Kind as FactKind, Value};
use crate::rules::registry::{About, Registry};
use crate::rules::situation::course::Synthetic;
use crate::rules::situation::{Catalogue, DocumentOf, File, Keeper, Reads, Situation, Start};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

/// The land.
pub struct Land {
    /// The schemas of the program.
    pub schemas: Schemas,
    /// The catalogue of the program, with an agency for each office.
    pub catalogue: Catalogue,
    /// The registry, with all grants that steps need.
    pub registry: Registry,
    /// Who coordinates.
    pub coordinator: AgencyId,
}

/// Somebody who does not exist, with all whom a situation is about.
pub(crate) struct Family<'l> {
    land: &'l Land,
    /// The situation.
    pub situation: &'l Situation,
    person: Synthetic,
    number: u64,
}

/// How a document differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    /// It does not.
    None,
    /// It says the contrary.
    #[cfg(test)]
    Contrary,
    /// It is about nobody of the case.
    #[cfg(test)]
    Stranger,
}

impl Twist {
    #[cfg(test)]
    fn of(self, value: Value) -> Value {
        match (value, self) {
            (Value::Truth(truth), Self::Contrary) => Value::Truth(!truth),
            (Value::Number(number), Self::Contrary) => Value::Number(number.saturating_add(1)),
            (value, _) => value,
        }
    }

    #[cfg(test)]
    fn is_stranger(self) -> bool {
        self == Self::Stranger
    }

    #[cfg(not(test))]
    fn of(self, value: Value) -> Value {
        value
    }

    #[cfg(not(test))]
    fn is_stranger(self) -> bool {
        false
    }
}

/// A document, as a reading has it: what a gateway knows of it, and what stands at its places.
pub(crate) type Sheet = (Facts, BTreeMap<String, String>);

impl Land {
    /// Makes the land; nothing if the built-in documents do not fit, which a test would tell.
    pub fn new() -> Option<Self> {
        let schemas = Schemas::built_in();
        let bare = Catalogue::built_in(&schemas).ok()?;
        let mut files = Catalogue::built_in_files();
        files.push(File::new("offices.toml", offices(&bare)));
        let catalogue = Catalogue::read(&files, &schemas).ok()?;
        let registry = Registry::check(&registry(&catalogue, &schemas), &schemas).ok()?;
        Some(Self { schemas, catalogue, registry, coordinator: AgencyId::parse(COORDINATOR)? })
    }

    /// What a case is looked at by.
    pub fn around<'a>(&'a self, situation: &'a Situation, now: UnixTime) -> Around<'a> {
        Around { catalogue: &self.catalogue, situation, registry: &self.registry, schemas: &self.schemas, now }
    }

    /// Who holds a document.
    pub(crate) fn holder(&self, document: &Code) -> AgencyId {
        let keeper = self.catalogue.documents().get(document).map(|known| &known.holder);
        match keeper {
            Some(Keeper::Office(office)) => agency_of(office).unwrap_or_else(|| self.coordinator.clone()),
            _ => self.coordinator.clone(),
        }
    }

    /// A message that somebody has sent. Its octets are its id.
    pub(crate) fn message(&self, from: &AgencyId, (id, at): (MessageId, UnixTime), body: Body, sheets: Vec<Sheet>) -> Reading {
        let header = Header {
            id,
            in_reply_to: None,
            kind: Kind::Answer,
            from: from.clone(),
            to: Some(self.coordinator.clone()),
            created_at: at,
            expires_at: at.plus_ms(60_000),
            world: World::Test,
            signer_certificate: None,
        };
        let (facts, contents): (Vec<_>, Vec<_>) = sheets.into_iter().map(|(facts, content)| (Ok(facts), content)).unzip();
        let body = if matches!(body, Body::Documents(_)) { Body::Documents(facts) } else { body };
        Reading::tried(Message { header, context: None, body, attachments: Vec::new() }, contents)
    }

    /// The outcome with which an agency says when a step can be attended: at so many hours of days to come.
    #[cfg(test)]
    pub(crate) fn times(&self, now: UnixTime, slots: &[(i64, u64)]) -> Option<Sheet> {
        let mut content = BTreeMap::from([("State".to_owned(), "times".to_owned())]);
        for (number, (day, hour)) in slots.iter().enumerate() {
            let place = if number == 0 { "Slot".to_owned() } else { format!("Slot#{}", number + 1) };
            let day = Day::from_days(now.day().days_since_epoch() + day);
            content.insert(format!("{place}/@from"), format!("{day}T{hour:02}:00:00Z"));
            content.insert(format!("{place}/@until"), format!("{day}T{hour:02}:30:00Z"));
            content.insert(place, String::new());
        }
        Some((facts_of(&Code::parse(super::hear::OUTCOME)?, Vec::new()), content))
    }

    /// The outcome with which an agency ends a step that makes no document.
    pub(crate) fn outcome(&self, state: &str) -> Option<Sheet> {
        let content = [("State", state), ("Reason", "so it is")].map(|(path, text)| (path.to_owned(), text.to_owned()));
        Some((facts_of(&Code::parse(super::hear::OUTCOME)?, Vec::new()), content.into()))
    }
}

impl<'l> Family<'l> {
    /// The family with this number.
    pub(crate) fn new(land: &'l Land, situation: &'l Situation, number: u64) -> Self {
        Self { land, situation, person: Synthetic::new(&land.catalogue, situation, number), number }
    }

    /// Somebody in a role.
    pub(crate) fn subject(&self, role: &Code) -> Subject {
        let roles = self.situation.roles.iter();
        let place = roles.zip(0..).find(|(known, _)| known.name == *role).map_or(31, |(_, place)| place);
        let identifiers = vec![Identifier::synthetic((self.number % 100_000) as u32 * 32 + place)];
        let text = |text: &str| Some(Personal::new(text));
        let described = match role.as_str() {
            "company" => Described::Organisation(text("Nobody and Sons")),
            _ => Described::Person(Person { family: text("Nobody"), given: text(role.as_str()), birth_date: None }),
        };
        Subject { identifiers, described }
    }

    /// Whether there is a document.
    pub(crate) fn has(&self, document: &DocumentOf) -> bool {
        self.person.has(document)
    }

    /// What the citizen says.
    pub(crate) fn answer(&self, fact: FactIndex) -> String {
        let known = self.land.catalogue.fact(fact);
        let value = known.and_then(|_| self.person.fact(fact)).map(written);
        value.unwrap_or_else(|| {
            let text = match known.map(|known| known.kind) {
                Some(FactKind::Truth) => "false",
                Some(FactKind::Number) => "0",
                Some(FactKind::Date) => "2026-05-04",
                Some(FactKind::Text) | None => CALLED,
            };
            text.to_owned()
        })
    }

    /// A document of theirs.
    pub(crate) fn sheet(&self, document: &DocumentOf, twist: Twist) -> Sheet {
        let mut content = BTreeMap::new();
        for (index, fact) in (0..).map(FactIndex).zip(self.land.catalogue.facts()) {
            let Some(source) = fact.source.as_ref().filter(|source| source.document == *document) else { continue };
            let is_place = fact.kind == FactKind::Text && self.person.fact(index).is_none();
            let value = self.person.fact(index).cloned().or_else(|| is_place.then(|| Value::Text(CALLED.into())));
            let value = value.map(|value| twist.of(value));
            let path = source.path.as_str().to_owned();
            match (value, source.reads) {
                (Some(Value::Truth(true)), Reads::Presence) => drop(content.entry(path).or_insert_with(String::new)),
                (Some(value), Reads::Content) => drop(content.insert(path, written(&value))),
                (_, Reads::Presence) | (None, _) => {}
            }
        }
        let mut named = Vec::new();
        if twist.is_stranger() {
            named.push(as_named(&vec![Identifier::synthetic(4_000_000)].into(), "somebody"));
        } else {
            named.push(as_named(&self.subject(&document.role), "whoever-it-is-about"));
            // It names who is known, so that it is seen to be of the case.
            let first = self.situation.subject().map(|role| self.subject(&role.name));
            named.extend(first.iter().map(|subject| as_named(subject, "whoever-it-began-with")));
            for found in self.situation.roles.iter().flat_map(|role| &role.found_in).filter(|found| found.document == *document) {
                if self.person.is_named(found) {
                    named.push(as_named(&self.subject(&found.role), &found.named_as));
                }
            }
        }
        (facts_of(&document.document, named), content)
    }

    /// The document whose event starts the situation, if one does.
    pub(crate) fn start(&self) -> Option<DocumentOf> {
        let mut starts = self.situation.starts_on.iter();
        let what = starts.find_map(|start| if let Start::Document(document) = start { Some(document) } else { None })?;
        self.land.catalogue.start_document(self.situation, what)
    }

    /// With what their case begins.
    pub(crate) fn opening(&self, start: StartedBy, by: &AgencyId, message: Digest, pace: u32) -> Opening {
        let subject = self.situation.subject().map(|role| self.subject(&role.name)).unwrap_or_default();
        Opening {
            situation: Text(self.situation.id.clone()),
            version: self.situation.version.to_string(),
            region: self.situation.region.clone().map(Text),
            test: true,
            coordinator: Text(self.land.coordinator.clone()),
            start,
            by: Text(by.clone()),
            message: Text(message),
            subject: Written::from(&subject),
            pace,
        }
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        value => value.to_string(),
    }
}

fn facts_of(document: &Code, subjects: Vec<Named>) -> Facts {
    let document_type = document.clone();
    let (optional_paths, identifiers) = (Vec::new(), Vec::new());
    Facts { document_type, until: None, document_id: None, status: None, optional_paths, identifiers, subjects }
}

fn as_named(subject: &Subject, role: &str) -> Named {
    let kind = subject.kind();
    let family = (kind == SubjectKind::Person).then(|| "Nobody".to_owned());
    Named { role: role.to_owned(), kind, identifiers: subject.identifiers.clone(), family, ..Named::default() }
}

fn agency_of(office: &Code) -> Option<AgencyId> {
    AgencyId::parse(&format!("xx.trial.{office}"))
}

fn offices(catalogue: &Catalogue) -> String {
    let mut text = "format = 1\n".to_owned();
    for kind in catalogue.offices().keys() {
        let _ = write!(text, "[[office]]\nkind = \"{kind}\"\nagency = \"xx.trial.{kind}\"\ncalled = [\"{CALLED}\"]\n");
    }
    text
}

/// Each office may have what its steps need and what says whether they apply; the coordinator what says whose a step is.
fn registry(catalogue: &Catalogue, schemas: &Schemas) -> String {
    let mut text = "format = 1\nversion = 1\n".to_owned();
    let offices = catalogue.offices().keys();
    for name in offices.map(|kind| format!("xx.trial.{kind}")).chain([COORDINATOR.to_owned()]) {
        let _ = write!(text, "[[agency]]\nid = \"{name}\"\nname = \"A\"\nurl = \"outbound\"\ntest = true\n");
    }
    for (document, known) in catalogue.documents() {
        if let Keeper::Office(kind) = &known.holder {
            let _ = write!(text, "[[holder]]\ndocument = \"{document}\"\nagency = \"xx.trial.{kind}\"\n");
        }
    }
    let mut grants: BTreeSet<(String, String, String)> = BTreeSet::new();
    for situation in catalogue.situations() {
        let found_in = situation.roles.iter().flat_map(|role| &role.found_in).map(|found| &found.document.document);
        let found_in: BTreeSet<&Code> = found_in.collect();
        for step in &situation.steps {
            let facts = step.when.iter().flat_map(|when| when.facts()).copied().chain(step.at);
            let sources = facts.filter_map(|fact| Some(&catalogue.fact(fact)?.source.as_ref()?.document.document));
            let needs = step.needs.iter().map(|need| &need.document.document);
            let purpose = step.purpose.as_ref().map_or(PURPOSE, Code::as_str);
            for document in sources.chain(needs).chain(found_in.iter().copied()) {
                for who in [step.office.as_str(), "cases"] {
                    grants.insert((who.to_owned(), document.to_string(), purpose.to_owned()));
                }
            }
        }
    }
    let mut number = 0;
    let mut grant = |who: &str, action: &str, what: &str, about: About, purpose: &str| {
        number += 1;
        let _ = write!(
            text,
            "[[grant]]\nid = \"g-{number}\"\nwho = \"xx.trial.{who}\"\naction = \"{action}\"\nwhat = \"{what}\"\nabout = \"{}\"\n\
             purpose = \"{purpose}\"\nbasis = \"L 1\"\nuntil = \"2099-12-31\"\n",
            about.as_str()
        );
    };
    for (who, document, purpose) in &grants {
        let known = Code::parse(document).and_then(|document| schemas.document_type(&document));
        for about in
            [About::Person, About::Organisation].into_iter().filter(|about| known.is_some_and(|known| about.is_of(known)))
        {
            grant(who, "read", document, about, purpose);
        }
    }
    for about in [About::Person, About::Organisation] {
        grant("cases", "apply", "case-task", about, PURPOSE);
    }
    text
}

/// All situations, the newest of each for its region.
pub(crate) fn situations(land: &Land) -> Vec<Arc<Situation>> {
    land.catalogue.situations().cloned().collect()
}

const COORDINATOR: &str = "xx.trial.cases";
const PURPOSE: &str = "life-situation";
/// As what documents know the only agency of its kind.
const CALLED: &str = "1";
