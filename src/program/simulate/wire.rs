//! What passes between gateways and agencies, and what both need to act: the time, the dice, the messages, and whoever watches.

use super::dice::Dice;
use super::letters::{Land, Letters};
use super::observer::Observer;
use super::plan::{Plan, Trouble};
use super::runs::Counted;
use crate::base::fault::Code;
use crate::rules::registry::Registry;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Somebody on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    Gateway(usize),
    Agency(usize),
}

/// A call or its reply, on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub from: Node,
    pub to: Node,
    /// The call; its reply has the same.
    pub call: u64,
    pub what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// A message is given to a gateway, whose sender waits so long for an answer.
    Submit {
        letter: u32,
        wait: u64,
    },
    /// A worker comes for what waits.
    Come,
    /// A worker does something with a lease.
    Lease {
        lease: u64,
        done: Done,
    },
    /// A message is taken to a receiver.
    Post {
        letter: u32,
        is_question: bool,
    },
    Reply(Reply),
}

/// What a worker does with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Ack,
    Nack,
    Extend,
}

#[derive(Clone, Debug)]
pub(super) enum Reply {
    Answered,
    Accepted,
    Cancelled,
    Refused(Code),
    Leased(Vec<(u64, u32)>),
    LeaseKept,
    /// A receiver has an answer, or a word of how far it has come.
    Says(u32),
    /// It has taken it.
    Taken,
    /// It cannot take it now.
    Busy,
}

/// Something that is to happen.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Arrive(Packet),
    /// A call has waited long enough for its reply.
    CallOver(Node, u64),
    /// A commit group of a run of a gateway is synced, or could not be written.
    Written(usize, u64),
    /// A run of a gateway sees whether there is something to do.
    Wake(usize, u64),
    /// The consumer of a call does not wait any longer.
    Leave(usize, u64, u64),
    /// Open work is saved.
    Save(usize, u64),
    Send(usize),
    Cancel(usize),
    Fault(usize),
    FaultEnds(usize),
    /// An agency does something by itself.
    Agency(usize, Act),
    Heal,
    Check,
}

/// What an agency does by itself.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Submits a message, as often as so many times more.
    Submit { gateway: usize, letter: u32, wait: u64, more: u32 },
    /// Answers a question by a message of its own.
    Answer { gateway: usize, question: u32 },
    /// A worker comes.
    Come { gateway: usize, worker: u64 },
    /// A worker does something with a lease.
    Lease { gateway: usize, lease: u64, done: Done },
}

/// How often each thing has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Faults by kind.
    pub troubles: BTreeMap<Trouble, u64>,
    /// Steps.
    pub steps: u64,
    /// Messages that were accepted or answered, and how they ended.
    pub messages: u64,
    /// Questions that were answered.
    pub answered: u64,
    /// Questions that were cancelled.
    pub cancelled: u64,
    /// Questions that were refused, or were past their time.
    pub refused: u64,
    /// Events that were accepted.
    pub events: u64,
    /// Records in all journals.
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
            (&mut self.messages, other.messages),
            (&mut self.answered, other.answered),
            (&mut self.cancelled, other.cancelled),
            (&mut self.refused, other.refused),
            (&mut self.events, other.events),
            (&mut self.records, other.records),
            (&mut self.starts, other.starts),
        ];
        pairs.into_iter().for_each(|(sum, more)| *sum += more);
    }

    fn faults(&self) -> Vec<(Trouble, u64)> {
        Trouble::ALL.iter().map(|(kind, ..)| (*kind, self.troubles.get(kind).copied().unwrap_or(0))).collect()
    }

    fn rows(&self) -> Vec<(&'static str, &'static str, u64)> {
        vec![
            ("steps", "steps", self.steps),
            ("starts", "starts of gateways", self.starts),
            ("records", "records", self.records),
            ("messages", "messages accepted with 202", self.messages),
            ("events", "of them events", self.events),
            ("answered", "questions of them answered", self.answered),
            ("cancelled", "cancelled", self.cancelled),
            ("refused", "refused, or past their time", self.refused),
        ]
    }
}

/// What whoever acts has before it.
pub(super) struct Scene<'w> {
    /// Milliseconds of true time since the run began.
    pub now: u64,
    pub plan: Arc<Plan>,
    pub land: &'w Land,
    pub registry: Arc<Registry>,
    pub dice: Dice,
    pub letters: Letters,
    pub observer: Observer,
    pub counts: Counts,
    /// What is to happen, and when.
    pub out: Vec<(u64, Event)>,
    pub next_call: u64,
    /// Nothing goes wrong any more.
    pub is_healed: bool,
    /// What happened, for whoever looks for a cause; nothing where nobody will.
    pub trace: Option<Vec<String>>,
}

impl Scene<'_> {
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

    /// Sends a call that waits so long for its reply.
    pub(super) fn call(&mut self, from: Node, to: Node, what: What, wait: u64) -> u64 {
        self.next_call += 1;
        let call = self.next_call;
        self.later(wait, Event::CallOver(from, call));
        self.out.push((self.now, Event::Arrive(Packet { from, to, call, what })));
        call
    }

    /// Sends a reply.
    pub(super) fn reply(&mut self, from: Node, to: Node, call: u64, reply: Reply) {
        self.out.push((self.now, Event::Arrive(Packet { from, to, call, what: What::Reply(reply) })));
    }

    /// Notes what happens.
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9} {}", self.now, what()));
        }
    }
}
