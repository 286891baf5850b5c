//! What passes between the gateway and whoever else there is, and what all of them need to act.

use super::super::dice::Dice;
use super::super::plan::Trouble;
use super::super::runs::Counted;
use super::plan::Plan;
use super::watcher::Watcher;
use crate::base::ids::{AgencyId, Code, Digest, MessageId, Uuid};
use crate::base::time::UnixTime;
use crate::exchange::cases::trial::Land;
use crate::rules::situation::{DocumentOf, Situation};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A message of a case, as it leaves the gateway: its octets are its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Posted {
    pub id: MessageId,
    pub to: AgencyId,
    pub case: Uuid,
    pub start: usize,
    pub made: Digest,
    pub what: Asked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Document(DocumentOf),
    Step(Code),
    Word,
}

/// What an agency says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// What was asked for, or that there is none; that a step is done.
    Right,
    /// It is at work.
    AtWork,
    /// It could not understand what it was sent.
    Fault,
}

/// A message to or from the gateway.
#[derive(Clone, Debug)]
pub(super) enum Packet {
    /// An event: the number of its start, under a message id.
    Event(usize, MessageId),
    /// The citizen answers a form, or brings something.
    Order { case: Uuid, message: MessageId, answers: Vec<(String, String)>, bring: Vec<DocumentOf> },
    /// What an agency says of a message.
    Says(MessageId, Say),
    /// A message for an agency.
    Post(Arc<Posted>),
    /// What came was taken: an event, or an order.
    Taken(MessageId),
}

/// Where something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Towards {
    Gateway,
    Others,
}

/// Whether an event is told for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    First,
    Again,
}

/// Something that is to happen.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Arrive(Towards, Packet),
    Written(u64),
    Wake(u64),
    Save(u64),
    /// A message is taken to its agency, once more.
    Post(u64, MessageId),
    /// An event is told, or an order given, until it is taken.
    Tell(MessageId),
    Start(usize, Telling),
    /// The citizen looks at the form of a case.
    Look(Uuid),
    /// An agency says something by itself.
    Say(AgencyId, MessageId, Say),
    Fault(usize),
    FaultEnds(usize),
    Heal,
}

/// How often each thing has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Faults by kind.
    pub troubles: BTreeMap<Trouble, u64>,
    /// Steps of runs.
    pub steps: u64,
    /// Cases.
    pub cases: u64,
    /// Cases that have come to their end.
    pub ended: u64,
    /// Steps that agencies have done.
    pub done: u64,
    /// Messages of cases.
    pub messages: u64,
    /// Records in the journals.
    pub records: u64,
    /// Starts of gateways that read their journal again.
    pub starts: u64,
}

impl Counted for Counts {
    fn add(&mut self, other: &Self) {
        for (trouble, count) in &other.troubles {
            *self.troubles.entry(*trouble).or_default() += count;
        }
        let pairs = [
            (&mut self.steps, other.steps),
            (&mut self.cases, other.cases),
            (&mut self.ended, other.ended),
            (&mut self.done, other.done),
            (&mut self.messages, other.messages),
            (&mut self.records, other.records),
            (&mut self.starts, other.starts),
        ];
        pairs.into_iter().for_each(|(sum, more)| *sum += more);
    }

    fn faults(&self) -> Vec<(Trouble, u64)> {
        self.troubles.iter().map(|(kind, count)| (*kind, *count)).collect()
    }

    fn rows(&self) -> Vec<(&'static str, &'static str, u64)> {
        vec![
            ("steps", "steps", self.steps),
            ("starts", "starts of gateways", self.starts),
            ("records", "records", self.records),
            ("messages", "messages that came to agencies", self.messages),
            ("cases", "cases", self.cases),
            ("ended", "of them ended", self.ended),
            ("done", "steps done by agencies", self.done),
        ]
    }
}

/// What whoever acts has before it.
pub(super) struct Scene<'l> {
    pub now: u64,
    pub land: &'l Land,
    pub situations: &'l [Arc<Situation>],
    pub plan: Arc<Plan>,
    pub dice: Dice,
    pub watcher: Watcher,
    pub counts: Counts,
    pub out: Vec<(u64, Event)>,
    pub is_healed: bool,
    pub ids: u64,
    pub trace: Option<Vec<String>>,
}

impl Scene<'_> {
    /// What clocks say.
    pub(super) fn time(&self) -> UnixTime {
        UnixTime::from_ms(START + self.now)
    }

    /// Whether something is done badly now.
    pub(super) fn errs(&mut self, habit: Trouble) -> bool {
        let errs = !self.is_healed && self.dice.hits(self.plan.habits.rate(habit));
        if errs {
            self.count(habit);
        }
        errs
    }

    /// Counts a fault.
    pub(super) fn count(&mut self, trouble: Trouble) {
        *self.counts.troubles.entry(trouble).or_default() += 1;
    }

    /// Something is to happen later.
    pub(super) fn later(&mut self, after: u64, event: Event) {
        self.out.push((self.now + after, event));
    }

    /// Something goes by the network.
    pub(super) fn carry(&mut self, towards: Towards, packet: Packet) {
        self.out.push((self.now, Event::Arrive(towards, packet)));
    }

    /// A message id that was never given.
    pub(super) fn id(&mut self) -> MessageId {
        self.ids += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.ids.to_be_bytes());
        MessageId::new(self.time(), random)
    }

    /// The situation of a start.
    pub(super) fn situation(&self, start: usize) -> Arc<Situation> {
        let place = self.plan.starts[start].situation % self.situations.len().max(1) as u64;
        Arc::clone(&self.situations[place as usize])
    }

    /// Notes what happens.
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9} {}", self.now, what()));
        }
    }
}

/// True time at which a run begins.
const START: u64 = 1_800_014_400_000;
