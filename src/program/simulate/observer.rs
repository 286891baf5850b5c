//! Whoever watches from outside: it knows the messages that pass and the records that are durable, nothing of what gateways think,
//! and says what must never have been seen. The first finding ends a run.

use super::letters::{Letter, Letters, PARALLEL, PER_MINUTE, PERSONS, SCHOOL, Sort};
use crate::base::ids::Digest;
use crate::base::time::{DAY_MS, UnixTime};
use crate::evidence::tlog::leaf::Leaf;
use crate::exchange::work::action;
use std::collections::{BTreeMap, BTreeSet};

/// What was seen of a message at a gateway.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Its record is durable.
    pub is_recorded: bool,
    /// Its sender was told that it is accepted.
    pub is_promised: bool,
    /// Answers to it that are on record, and the one that was released.
    pub answers: Vec<u32>,
    pub released: Option<u32>,
    /// The cancel that is on record.
    pub cancel: Option<u32>,
}

/// What was handed out to a receiver.
#[derive(Clone, Debug, Default)]
struct Handed {
    count: u32,
    leases: Vec<Lease>,
    is_over: bool,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    name: u64,
    until: UnixTime,
    is_back: bool,
}

/// What is handed out, as it is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handing<'l> {
    pub gateway: usize,
    /// The record that it was accepted with.
    pub index: u64,
    pub to: usize,
    pub letter: &'l Letter,
    pub is_marked: bool,
    pub now: UnixTime,
}

/// The observer.
#[derive(Default)]
pub(super) struct Observer {
    pub finding: Option<String>,
    seen: BTreeMap<(usize, u32), Seen>,
    handed: BTreeMap<(usize, u64, usize), Handed>,
    /// Events by gateway, subscriber and person, in the order in which they were handed out first.
    lines: BTreeMap<(usize, usize, u64), Vec<(u64, UnixTime)>>,
    /// The latest that the clock of each gateway has said: what ended by it is over, also if it is set back.
    latest: BTreeMap<usize, UnixTime>,
    recorded: BTreeMap<usize, u64>,
    leases: BTreeSet<(usize, u64)>,
    persons: BTreeMap<(usize, usize, u64), BTreeSet<u64>>,
    entered: BTreeMap<(usize, u64, usize), (u64, Vec<u64>)>,
    /// Grants have ended and come back: who may hear of what, and in which order, is not known from outside.
    pub is_order_known: bool,
}

impl Observer {
    /// Nothing was seen yet.
    pub(super) fn new() -> Self {
        Self { is_order_known: true, ..Self::default() }
    }

    fn find(&mut self, what: impl FnOnce() -> String) {
        if self.finding.is_none() {
            self.finding = Some(what());
        }
    }

    /// What was seen of a message.
    pub(super) fn of(&mut self, gateway: usize, letter: u32) -> &mut Seen {
        self.seen.entry((gateway, letter)).or_default()
    }

    /// A gateway looks at its clock.
    pub(super) fn clock(&mut self, gateway: usize, time: UnixTime) {
        let latest = self.latest.entry(gateway).or_default();
        *latest = time.max(*latest);
    }

    /// The latest that a gateway's clock has said.
    pub(super) fn latest(&self, gateway: usize) -> UnixTime {
        self.latest.get(&gateway).copied().unwrap_or_default()
    }

    /// Something is wrong that somebody else has found.
    pub(super) fn tell(&mut self, what: String) {
        self.find(|| what);
    }

    /// A record is durable; it may be told again.
    pub(super) fn record(&mut self, gateway: usize, index: u64, leaf: &Leaf, letters: &Letters, agency: usize) {
        let next = self.recorded.entry(gateway).or_default();
        if index < *next {
            return;
        }
        *next = index + 1;
        let letter = |text: &Option<String>| letters.find(&Digest::parse_base64url(text.as_deref()?)?).map(|found| found.number);
        let (own, other) = (letter(&leaf.digest), letter(&leaf.counterpart));
        let key = leaf.concerns.map(|concerns| (gateway, concerns, agency));
        match (leaf.kind.as_str(), leaf.action.as_deref()) {
            ("req" | "evt", _) | (_, Some(action::KEEP)) => {
                let Some(own) = own else { return };
                self.of(gateway, own).is_recorded = true;
                if leaf.kind == "req" {
                    self.asked(gateway, letters.get(own), UnixTime::from_ms(leaf.time));
                }
            }
            ("rsp" | "sts", _) => {
                let (Some(own), Some(question)) = (own, other) else { return };
                self.of(gateway, own).is_recorded = true;
                if leaf.kind == "rsp" {
                    let seen = self.of(gateway, question);
                    seen.answers.push(own);
                    if seen.answers.len() > 1 {
                        self.find(|| format!("question {question} has two answers on record"));
                    } else if seen.cancel.is_some() {
                        self.find(|| format!("question {question} was answered after its cancel was on record"));
                    }
                }
            }
            ("cnl", _) => {
                let (Some(own), Some(question)) = (own, other) else { return };
                self.of(gateway, own).is_recorded = true;
                let seen = self.of(gateway, question);
                seen.cancel = Some(own);
                if !seen.answers.is_empty() {
                    self.find(|| format!("question {question} was cancelled after its answer was on record"));
                }
            }
            ("err", _) => self.over(key),
            (_, Some(action::LEASE)) => drop(self.leases.insert((gateway, index))),
            (_, Some(action::TAKEN)) => self.over(key),
            _ => {}
        }
    }

    fn over(&mut self, key: Option<(usize, u64, usize)>) {
        if let Some(key) = key {
            self.handed.entry(key).or_default().is_over = true;
        }
    }

    fn asked(&mut self, gateway: usize, question: &Letter, time: UnixTime) {
        let day = time.as_ms() / DAY_MS;
        let persons = self.persons.entry((gateway, question.from, day)).or_default();
        persons.insert(question.person);
        let count = persons.len();
        if count > PERSONS as usize {
            self.find(|| format!("agency {} has asked about {count} persons of one day", question.from));
        }
    }

    /// Somebody was let in at the door of a gateway's run, and has so many exchanges open there.
    pub(super) fn entered(&mut self, (gateway, run): (usize, u64), agency: usize, now: u64, open: usize) {
        let (first, times) = self.entered.entry((gateway, run, agency)).or_insert_with(|| (now, Vec::new()));
        times.push(now);
        let most = u64::from(PER_MINUTE.1) + (now - *first) * u64::from(PER_MINUTE.0) / 60_000 + 1;
        let count = times.len() as u64;
        if count > most || open > PARALLEL as usize {
            self.find(|| format!("agency {agency} was let in {count} times where {most} are its quota, and has {open} open"));
        }
    }

    /// A sender is told that its message is accepted.
    pub(super) fn promised(&mut self, gateway: usize, letter: u32) {
        let seen = self.of(gateway, letter);
        seen.is_promised = true;
        if !seen.is_recorded {
            self.find(|| format!("message {letter} was accepted before its record was durable"));
        }
    }

    /// A question or a notice goes out to its receiver.
    pub(super) fn posted(&mut self, handing: Handing<'_>) {
        self.handed_out(handing);
    }

    /// Something is given to a worker on lease.
    pub(super) fn leased(&mut self, handing: Handing<'_>, lease: u64, until: UnixTime) {
        let key = (handing.gateway, handing.index, handing.to);
        let latest = self.latest(handing.gateway);
        let running = self.handed.get(&key).and_then(|handed| {
            handed.leases.iter().find(|other| !other.is_back && other.until > latest && other.name != lease).copied()
        });
        if let Some(other) = running {
            self.find(|| format!("record {} is on lease {lease} while lease {} runs until {}", key.1, other.name, other.until));
        }
        if !self.leases.contains(&(handing.gateway, lease)) {
            self.find(|| format!("record {} is on lease {lease}, which is not on record", key.1));
        }
        self.handed_out(handing);
        let handed = self.handed.entry(key).or_default();
        handed.leases.push(Lease { name: lease, until, is_back: false });
    }

    fn handed_out(&mut self, handing: Handing<'_>) {
        let Handing { gateway, index, to, letter, is_marked, now } = handing;
        let number = letter.number;
        // Of a notice the record is that of the message itself.
        if !self.of(gateway, number).is_recorded {
            self.find(|| format!("message {number} went to agency {to} before its record was durable"));
        }
        let is_dated = matches!(letter.sort, Sort::Question | Sort::Event);
        if is_dated && letter.expires <= now {
            self.find(|| format!("message {number} went to agency {to} at {now}, after its end at {}", letter.expires));
        }
        let handed = self.handed.entry((gateway, index, to)).or_default();
        handed.count += 1;
        let (count, is_over) = (handed.count, handed.is_over);
        if is_over && letter.sort == Sort::Event {
            self.find(|| format!("event {number} went to agency {to} again, which had taken it"));
        }
        if count > 1 && !is_marked {
            self.find(|| format!("message {number} went to agency {to} again, and it was not told so"));
        }
        if letter.sort == Sort::Event && count == 1 && self.is_order_known {
            self.lined_up(gateway, to, letter, index);
        }
    }

    /// Events about one person come one after the other.
    fn lined_up(&mut self, gateway: usize, to: usize, letter: &Letter, index: u64) {
        let latest = self.latest(gateway);
        let line = self.lines.entry((gateway, to, letter.person)).or_default();
        let is_overtaken = line.iter().any(|(other, _)| *other > index);
        let last = line.last().copied().filter(|(_, end)| *end > latest);
        line.push((index, letter.expires));
        let is_early = last.is_some_and(|(last, _)| self.handed.get(&(gateway, last, to)).is_some_and(|before| !before.is_over));
        if is_overtaken || is_early {
            self.find(|| format!("event {} went to agency {to} out of order", letter.number));
        }
    }

    /// A worker's ack, or extension until then, was taken.
    pub(super) fn acknowledged(&mut self, gateway: usize, to: usize, lease: u64, until: Option<UnixTime>) {
        let leases = self.handed.iter_mut().filter(|((at, _, who), _)| (*at, *who) == (gateway, to));
        let mut found = None;
        for ((_, index, _), handed) in leases {
            if let Some(place) = handed.leases.iter().position(|known| known.name == lease) {
                let is_last = place + 1 == handed.leases.len();
                if let Some(until) = until {
                    handed.leases[place].until = until;
                }
                found = Some((*index, is_last));
            }
        }
        match found {
            Some((_, true)) => {}
            Some((index, false)) => {
                self.find(|| format!("an ack of lease {lease} of record {index} counted after another lease"))
            }
            None => self.find(|| format!("an ack of lease {lease} counted, which agency {to} never had")),
        }
    }

    /// A worker has given a lease back.
    pub(super) fn given_back(&mut self, gateway: usize, to: usize, lease: u64) {
        for ((at, _, who), handed) in &mut self.handed {
            if (*at, *who) == (gateway, to) {
                handed.leases.iter_mut().filter(|known| known.name == lease).for_each(|known| known.is_back = true);
            }
        }
    }

    /// An answer goes out to whoever asked.
    pub(super) fn released(&mut self, gateway: usize, question: &Letter, answer: &Letter, to: usize) {
        let number = question.number;
        if answer.about != Some(number) || question.from != to {
            self.find(|| format!("message {} was released as the answer to question {number}", answer.number));
        }
        if !self.of(gateway, answer.number).is_recorded {
            self.find(|| format!("answer {} was released before its record was durable", answer.number));
        }
        let seen = self.of(gateway, number);
        let (before, is_cancelled) = (seen.released.replace(answer.number), seen.cancel.is_some());
        if before.is_some_and(|before| before != answer.number) {
            self.find(|| format!("two answers to question {number} were released"));
        }
        if is_cancelled {
            self.find(|| format!("question {number} was cancelled, and its answer released"));
        }
    }

    /// A holder is told that its message about a question was taken.
    pub(super) fn answer_taken(&mut self, gateway: usize, letter: u32) {
        if !self.of(gateway, letter).is_recorded {
            self.find(|| format!("answer {letter} was acknowledged before its record was durable"));
        }
    }

    /// Whoever asked is told that its question is cancelled.
    pub(super) fn cancelled(&mut self, gateway: usize, question: u32) {
        let seen = self.of(gateway, question);
        let (is_cancelled, released) = (seen.cancel.is_some(), seen.released);
        if !is_cancelled || released.is_some() {
            self.find(|| format!("question {question} is said to be cancelled, and is not, or is answered"));
        }
    }

    /// At the end: each event that was accepted came to each subscriber, or is refused or past its time on record.
    pub(super) fn heard(&mut self, gateway: usize, index: u64, letter: &Letter) {
        for to in SCHOOL..SCHOOL + 2 {
            let is_over = self.handed.get(&(gateway, index, to)).is_some_and(|handed| handed.is_over);
            if !is_over && self.is_order_known && letter.expires > self.latest(gateway) {
                self.find(|| format!("event {} never came to agency {to}", letter.number));
            }
        }
    }

    /// All messages that a gateway has accepted, by what was seen.
    pub(super) fn promises(&self) -> Vec<(usize, u32)> {
        self.seen.iter().filter(|(_, seen)| seen.is_promised).map(|(key, _)| *key).collect()
    }
}
