//! Whoever watches from outside: what is durable, what goes over the network, what agencies do; and says what must never be seen.

use crate::base::ids::{Code, Digest, MessageId, Uuid};
use crate::base::time::UnixTime;
use crate::exchange::cases::{Change, Handing, read};
use crate::rules::situation::DocumentOf;
use std::collections::{BTreeMap, BTreeSet};

/// The watcher.
#[derive(Default)]
pub(super) struct Watcher {
    pub finding: Option<String>,
    /// The changes of each case that are durable, by their records.
    pub logs: BTreeMap<Uuid, BTreeMap<u64, (UnixTime, String)>>,
    decided: BTreeSet<MessageId>,
    /// The case that each event has begun.
    begun: BTreeMap<String, Uuid>,
    came: BTreeSet<(Uuid, DocumentOf, MessageId)>,
    over: BTreeSet<(Uuid, Code)>,
    offered: BTreeMap<(Uuid, Code), MessageId>,
    asked: BTreeMap<(Uuid, DocumentOf), MessageId>,
    pub closed: BTreeSet<Uuid>,
    seen: BTreeMap<MessageId, Digest>,
    done: BTreeMap<(Uuid, Code), MessageId>,
}

impl Watcher {
    /// Something was seen that must never be.
    pub(super) fn tell(&mut self, finding: String) {
        self.finding.get_or_insert(finding);
    }

    /// How many cases there are.
    pub(super) fn cases(&self) -> usize {
        self.logs.len()
    }

    /// How many steps agencies have done.
    pub(super) fn steps(&self) -> u64 {
        self.done.len() as u64
    }

    /// Changes of a case are durable.
    pub(super) fn durable(&mut self, case: Uuid, index: u64, at: UnixTime, text: &str) {
        let log = self.logs.entry(case).or_default();
        if log.insert(index, (at, text.to_owned())).is_some() {
            return;
        }
        let Some(changes) = read(text) else { return self.tell(format!("record {index} of {case} cannot be read")) };
        if self.closed.contains(&case) && changes.iter().any(|change| !matches!(change, Change::Again { .. })) {
            self.tell(format!("the case {case} goes on after its end"));
        }
        changes.iter().for_each(|change| self.change(case, change));
    }

    fn change(&mut self, case: Uuid, change: &Change) {
        match change {
            Change::Came { document, paper, .. } => {
                if let Some(start) = &paper.start {
                    let first = *self.begun.entry(start.clone()).or_insert(case);
                    if first != case {
                        self.tell(format!("the event {start} has begun {first} and {case}"));
                    }
                }
                if !self.came.insert((case, document.0.clone(), paper.message.0)) {
                    self.tell(format!("{} came twice by one answer in {case}", document.0));
                }
                self.asked.remove(&(case, document.0.clone()));
            }
            Change::Absent { document, .. } | Change::NotHad { document, .. } => {
                self.asked.remove(&(case, document.0.clone()));
            }
            Change::Asked(errand) => {
                let Some(document) = &errand.document else { return };
                self.decided.insert(errand.message.0);
                if self.asked.insert((case, document.0.clone()), errand.message.0).is_some() {
                    self.tell(format!("{} is asked for while it is awaited in {case}", document.0));
                }
            }
            Change::Offered(errand) => {
                self.decided.insert(errand.message.0);
                let step = (case, errand.step.0.clone());
                if self.over.contains(&step) || self.offered.insert(step, errand.message.0).is_some() {
                    self.tell(format!("the step {} of {case} is offered again", errand.step.0));
                }
            }
            Change::NotOffered { step, .. }
            | Change::Unusable { step, .. }
            | Change::HandedOver { step, state: Handing::Taken, .. } => drop(self.offered.remove(&(case, step.0.clone()))),
            Change::HandedOver { message: Some(message), .. } | Change::Told { message: Some(message), .. } => {
                self.decided.insert(message.0);
            }
            Change::Done { step } | Change::Refused { step, .. } | Change::Expired { step }
                if !self.over.insert((case, step.0.clone())) =>
            {
                self.tell(format!("the step {} of {case} ends twice", step.0));
            }
            Change::Closed { .. } if !self.closed.insert(case) => self.tell(format!("the case {case} ends twice")),
            _ => {}
        }
    }

    /// A message of a case leaves the gateway.
    pub(super) fn sent(&mut self, message: MessageId, made: Digest) {
        if !self.decided.contains(&message) {
            self.tell(format!("the message {message} goes out before its change is durable"));
        }
        if *self.seen.entry(message).or_insert(made) != made {
            self.tell(format!("the message {message} goes out with other octets"));
        }
    }

    /// An agency has done a step.
    pub(super) fn is_done(&mut self, case: Uuid, step: &Code, message: MessageId) {
        let first = *self.done.entry((case, step.clone())).or_insert(message);
        if first != message {
            self.tell(format!("the step {step} of {case} is done by {first} and by {message}"));
        }
    }
}
