//! What is heard of the messages of a case.

use super::change::{Came, Change, Handing, Text, Time};
use super::forward::Ids;
use super::paper::{PaperOf, Reading};
use super::visits::{Slot, usable};
use super::{Around, Case, Sending};
use crate::base::ids::{Code, MessageId};
use crate::base::time::UnixTime;
use crate::message::envelope::Body;
use crate::rules::situation::{DocumentOf, Step};

/// What came of a message.
pub enum Heard<'h> {
    /// Its receiver has answered, or said how far it is.
    Message(&'h Reading),
    /// It was refused, or could not be delivered: by this code.
    Failed(&'h str),
}

/// The document with which an agency says how a step ended that makes no document.
pub const OUTCOME: &str = "case-outcome";

/// What an agency says of a step.
pub enum Saying<'s> {
    /// It is done; perhaps with documents.
    Done,
    /// It will not be done.
    Refused(Option<&'s str>),
    /// It is at work, perhaps until then.
    AtWork(Option<UnixTime>),
    /// It can be attended at these times.
    Times(Vec<Slot>),
    /// It could not understand what it was sent.
    Fault(&'s str),
}

impl Case {
    /// The changes that follow from what was heard of a message; none if nobody waits for it any more.
    pub fn hear(&self, around: Around<'_>, message: MessageId, heard: &Heard<'_>, ids: Ids<'_>) -> Vec<Change> {
        let Some(sent) = self.errands.get(&message).filter(|_| !self.is_over()) else { return Vec::new() };
        let changes = match &sent.what {
            Sending::Ask(errand) => errand
                .document
                .as_ref()
                .map_or_else(Vec::new, |document| self.hear_of_document(around, &document.0, errand.tries, heard)),
            Sending::Task(errand) => self.hear_of_step(around, &errand.step, errand.tries, heard),
            Sending::HandOver { step, to } => {
                let state = match heard {
                    Heard::Message(reading) => match said(reading) {
                        Saying::Done | Saying::AtWork(_) => Handing::Taken,
                        Saying::Refused(_) | Saying::Fault(_) | Saying::Times(_) => Handing::Refused,
                    },
                    Heard::Failed(_) => Handing::Refused,
                };
                vec![Change::HandedOver {
                    step: Text(step.clone()),
                    to: Text(to.clone()),
                    message: Some(Text(message)),
                    until: None,
                    state,
                }]
            }
            Sending::Word { .. } => Vec::new(),
        };
        self.with_notices(around, changes, ids)
    }

    fn hear_of_document(&self, around: Around<'_>, document: &DocumentOf, tries: u32, heard: &Heard<'_>) -> Vec<Change> {
        let not_had = |code: &str| {
            let again = Time::from(self.again(around.now, tries));
            vec![Change::NotHad { document: Text(document.clone()), code: code.to_owned(), again }]
        };
        let reading = match heard {
            Heard::Failed(code) => return not_had(code),
            Heard::Message(reading) => reading,
        };
        match &reading.message.body {
            Body::Documents(_) => match reading.document(&document.document) {
                Some(paper) => self.has_come(around, document, reading, paper, Came::Fetched),
                // What is attached is not read here.
                None => not_had("OG-DOC-003"),
            },
            Body::NoRecord { .. } => {
                vec![Change::Absent { document: Text(document.clone()), paper: reading.paper(Came::Fetched) }]
            }
            Body::Later { by, .. } => vec![Change::Promised { document: Text(document.clone()), by: self.time(*by).into() }],
            Body::Fault { code, .. } => not_had(code),
            Body::State { .. } | Body::Ask(_) => Vec::new(),
        }
    }

    /// The changes that follow from a document that has come: what the facts are by it, whom it proves to be somebody, and what it
    /// says against what is known.
    pub fn has_come(
        &self,
        around: Around<'_>,
        document: &DocumentOf,
        reading: &Reading,
        paper: PaperOf<'_>,
        way: Came,
    ) -> Vec<Change> {
        let facts = paper.says(around.catalogue, document);
        let people = paper.people(around.situation, document, &self.people);
        let names = people.iter().map(|(role, _)| Text(role.clone())).collect();
        let mut changes: Vec<Change> =
            people.into_iter().map(|(role, subject)| Change::Person { role: Text(role), subject }).collect();
        changes.retain(|change| matches!(change, Change::Person { role, .. } if !self.people.contains_key(&role.0)));
        let against = facts.iter().filter(|(name, said)| {
            let known = around.catalogue.fact_named(name).and_then(|fact| self.knowledge.known(fact));
            let was_absent = |origin: &crate::rules::situation::plan::Origin| {
                matches!(origin, crate::rules::situation::plan::Origin::Absence(absent) if absent == document)
            };
            known.is_some_and(|(value, origin)| *value != said.0 && !was_absent(origin))
        });
        let against: Vec<Change> =
            against.map(|(name, _)| Change::Contradicted { document: Text(document.clone()), fact: name.clone() }).collect();
        changes.push(Change::Came { document: Text(document.clone()), paper: reading.paper(way), facts, names });
        changes.extend(against);
        changes
    }

    fn hear_of_step(&self, around: Around<'_>, step: &Text<Code>, tries: u32, heard: &Heard<'_>) -> Vec<Change> {
        let again = |tries: u32| Time::from(self.again(around.now, tries));
        let reading = match heard {
            Heard::Failed(code) => {
                return vec![Change::NotOffered { step: step.clone(), code: (*code).to_owned(), again: again(tries) }];
            }
            Heard::Message(reading) => reading,
        };
        let unusable = |code: &str| {
            vec![Change::Unusable { step: step.clone(), code: code.to_owned(), again: again(tries.saturating_add(4)) }]
        };
        if !self.is_outcome_of(reading, &step.0) {
            return unusable("OG-CAS-006");
        }
        match said(reading) {
            Saying::AtWork(by) => vec![Change::Accepted { step: step.clone(), by: by.map(|by| self.time(by).into()) }],
            Saying::Refused(reason) => vec![Change::Refused { step: step.clone(), reason: reason.map(str::to_owned) }],
            Saying::Fault(code) => unusable(code),
            Saying::Times(times) => {
                let is_attended = around.situation.steps.iter().any(|known| known.id == step.0 && known.appointment.is_some());
                let times = usable(times.into_iter(), self.time(around.now));
                if !is_attended || times.is_empty() {
                    return unusable("OG-CAS-006");
                }
                vec![Change::Offers { step: step.clone(), times }]
            }
            Saying::Done => {
                let Some(known) = around.situation.steps.iter().find(|known| known.id == step.0) else { return Vec::new() };
                let mut changes = match self.what_it_gives(around, known, reading) {
                    Ok(changes) => changes,
                    Err(code) => return unusable(code),
                };
                changes.push(Change::Done { step: step.clone() });
                changes
            }
        }
    }

    /// Whether an outcome, if there is one, is that of a step of this case.
    fn is_outcome_of(&self, reading: &Reading, step: &Code) -> bool {
        let outcome = Code::parse(OUTCOME).and_then(|name| reading.document(&name));
        outcome.is_none_or(|paper| {
            let is = |path: &str, own: &str| paper.text(path).is_none_or(|named| named == own);
            is("Case", &self.id.to_string()) && is("Step", step.as_str())
        })
    }

    /// The document that a step makes: it has to be there, and to be about whom it should be about.
    fn what_it_gives(&self, around: Around<'_>, step: &Step, reading: &Reading) -> Result<Vec<Change>, &'static str> {
        let Some(gives) = &step.gives else { return Ok(Vec::new()) };
        let paper = reading.document(&gives.document).ok_or("OG-CAS-009")?;
        if !self.is_of(&gives.role, paper) {
            return Err("OG-RTE-007");
        }
        Ok(self.has_come(around, gives, reading, paper, Came::Made))
    }

    /// Whether a document is about whom it should be about.
    pub(super) fn is_of(&self, role: &Code, paper: PaperOf<'_>) -> bool {
        match self.people.get(role) {
            Some(person) => paper.names(person),
            // Who it is about is known from it alone: it has to name somebody of the case as well.
            None => self.people.values().any(|person| paper.names(person)),
        }
    }
}

/// What an agency says of a step.
fn said(reading: &Reading) -> Saying<'_> {
    match &reading.message.body {
        Body::Later { by, .. } => Saying::AtWork(Some(*by)),
        Body::State { .. } => Saying::AtWork(None),
        Body::NoRecord { .. } => Saying::Refused(None),
        Body::Fault { code, .. } => Saying::Fault(code),
        Body::Ask(_) => Saying::Fault("OG-MSG-004"),
        Body::Documents(_) => {
            let outcome = Code::parse(OUTCOME).and_then(|name| reading.outcome(&name));
            if outcome.is_some_and(|(state, _)| state == "times") {
                return Saying::Times(reading.times());
            }
            match outcome.and_then(|(state, reason)| (state == "refused").then_some(reason)) {
                Some(reason) => Saying::Refused(reason),
                None => Saying::Done,
            }
        }
    }
}

impl Reading {
    /// The times of an outcome.
    fn times(&self) -> Vec<Slot> {
        let Some(paper) = Code::parse(OUTCOME).and_then(|name| self.document(&name)) else { return Vec::new() };
        let moment = |place: &str| paper.text(place).and_then(UnixTime::parse);
        let slots =
            paper.texts("Slot").filter_map(|(_, at)| Some((moment(&format!("{at}/@from"))?, moment(&format!("{at}/@until"))?)));
        slots.collect()
    }

    /// State and reason of an outcome, if there is one.
    fn outcome(&self, name: &Code) -> Option<(&str, Option<&str>)> {
        let paper = self.document(name)?;
        Some((paper.text("State")?, paper.text("Reason")))
    }
}
