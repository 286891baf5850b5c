//! A piece of open work, and the keys that it lies under.

use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::exchange::ledger::OutcomePlace;
use crate::message::schema::Priority as Class;
use serde::{Deserialize, Serialize};

/// Which piece of work: the record that a message was accepted with, and who is to have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The index of the record.
    pub index: u64,
    /// Who is to have it.
    pub to: AgencyId,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum What {
    /// A question or an application: it is over when it is answered.
    Question,
    /// An answer to a question, for who asked it.
    Answer,
    /// How far a question has come, for who asked it.
    Status,
    /// A cancel, for the holder of the question.
    Cancel,
    /// An event, for a subscriber.
    Event,
    /// A word that an event was withheld: for whom it was withheld from, and for its publisher.
    Withheld,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Question, Self::Answer, Self::Status, Self::Cancel, Self::Event, Self::Withheld];

    /// The word for it in headers and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Question => "request",
            Self::Answer => "answer",
            Self::Status => "status",
            Self::Cancel => "cancel",
            Self::Event => "event",
            Self::Withheld => "withheld",
        }
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits to be handed out.
    Waiting,
    /// A worker of the receiver has it, until then.
    Leased {
        /// The record of the lease, which is its name.
        lease: u64,
        /// When it runs out.
        until: UnixTime,
    },
    /// The receiver has taken it, and answers later; it is asked again at the time that it has named, if it has.
    Delivered(Option<UnixTime>),
}

/// A piece of open work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub key: Key,
    /// What it is.
    pub what: What,
    /// Who sent it.
    pub sender: AgencyId,
    /// The id of the message; of an answer, a status or a cancel that of the question.
    pub id: MessageId,
    /// The digest of the message.
    pub digest: Digest,
    /// SHA-256 of the client certificate that it came with.
    pub system: Option<Digest>,
    /// How soon.
    pub class: Class,
    /// When it was accepted.
    pub since: UnixTime,
    /// Until when it may be handed out.
    pub deadline: UnixTime,
    /// What of one receiver has the same number is handed out one after the other, in the order of the records.
    pub order: Option<u64>,
    /// The record that has its octets.
    pub place: OutcomePlace,
    /// How far it has come.
    pub stage: Stage,
    /// How often it was handed out before: whoever gets it again is told so.
    pub tries: u32,
}

/// The place of a row among those that wait for its receiver.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(super) class: Class,
    pub(super) at: UnixTime,
    pub(super) key: Key,
}

impl Row {
    /// Its place among those that wait.
    pub fn waits_at(&self) -> Place {
        // What has an order is not overtaken by what came later with a nearer end.
        let at = if self.order.is_some() { self.since.plus_ms(limits::REQUEST_LIFE_MS) } else { self.deadline };
        Place { class: self.class, at, key: self.key.clone() }
    }

    /// When something is to be done with it by itself before its deadline, as its stage says.
    pub fn returns(&self) -> Option<UnixTime> {
        match self.stage {
            Stage::Waiting => None,
            Stage::Leased { until, .. } => Some(until),
            Stage::Delivered(again) => again,
        }
    }

    /// The keys that it is found by, beside its own.
    pub(super) fn keys(&self) -> Vec<Vec<u8>> {
        let mut keys = vec![due(self.deadline, &self.key)];
        match (self.stage, self.returns()) {
            (Stage::Waiting, _) => keys.push(waiting(&self.key.to, Some(&self.waits_at()))),
            (_, Some(at)) => keys.push(timer(at, &self.key)),
            (_, None) => {}
        }
        if let Stage::Leased { lease, .. } = self.stage {
            keys.push(leased(&self.key.to, lease));
        }
        if self.what == What::Question {
            keys.extend([by_digest(&self.digest), by_id(self.id, &self.sender)]);
        }
        keys.extend(self.order.map(|order| in_order(&self.key.to, order, Some(self.key.index))));
        keys
    }

    /// Its octets.
    pub(super) fn write(&self) -> Vec<u8> {
        let stage = match self.stage {
            Stage::Waiting => (0, 0, 0),
            Stage::Leased { lease, until } => (1, lease, until.as_ms()),
            Stage::Delivered(again) => (2, 0, again.map_or(0, UnixTime::as_ms)),
        };
        let place = (self.place.index, self.place.segment, self.place.offset);
        let row = Written {
            w: self.what,
            u: self.sender.as_str().to_owned(),
            m: *self.id.octets(),
            h: self.digest.to_base64url(),
            x: self.system.map(Digest::to_base64url),
            c: self.class,
            a: self.since.as_ms(),
            d: self.deadline.as_ms(),
            o: self.order,
            p: place,
            s: stage,
            n: self.tries,
        };
        serde_json::to_vec(&row).unwrap_or_default()
    }

    /// Reads what [`Row::write`] wrote.
    pub(super) fn read(key: Key, octets: &[u8]) -> Option<Self> {
        let row: Written = serde_json::from_slice(octets).ok()?;
        let (index, segment, offset) = row.p;
        Some(Self {
            key,
            what: row.w,
            sender: AgencyId::parse(&row.u)?,
            id: MessageId::from_octets(row.m)?,
            digest: Digest::parse_base64url(&row.h)?,
            system: row.x.as_deref().and_then(Digest::parse_base64url),
            class: row.c,
            since: UnixTime::from_ms(row.a),
            deadline: UnixTime::from_ms(row.d),
            order: row.o,
            place: OutcomePlace { index, segment, offset },
            stage: match row.s {
                (0, ..) => Stage::Waiting,
                (1, lease, until) => Stage::Leased { lease, until: UnixTime::from_ms(until) },
                (_, _, again) => Stage::Delivered((again > 0).then(|| UnixTime::from_ms(again))),
            },
            tries: row.n,
        })
    }
}

/// The form of a row on a shelf.
#[derive(Serialize, Deserialize)]
struct Written {
    w: What,
    u: String,
    m: [u8; 16],
    h: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    x: Option<String>,
    c: Class,
    a: u64,
    d: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    o: Option<u64>,
    p: (u64, u32, u32),
    s: (u8, u64, u64),
    n: u32,
}

/// What a key is of, in its first octet.
pub(super) mod of {
    /// A row.
    pub const ROW: u8 = b'r';
    /// What waits, by receiver.
    pub const WAITING: u8 = b'w';
    /// Deadlines.
    pub const DUE: u8 = b'd';
    /// What comes back by itself.
    pub const TIMER: u8 = b't';
    /// What is leased, by receiver and lease.
    pub const LEASE: u8 = b'l';
    /// Questions by digest.
    pub const DIGEST: u8 = b'h';
    /// Questions by id and sender.
    pub const ID: u8 = b'i';
    /// What has an order.
    pub const ORDER: u8 = b'o';
    /// Events that are kept for subscribers.
    pub const EVENT: u8 = b'e';
    /// Events that have not been given to all that may have them.
    pub const FRESH: u8 = b'f';
    /// That a subscriber has had an event.
    pub const HAD: u8 = b'g';
    /// How much is open.
    pub const COUNTS: u8 = b'c';
    /// Variants of events, by the digest of the event.
    pub const VARIANT: u8 = b'v';
    /// The digest of the event that something is a variant of.
    pub const BASE: u8 = b'b';
}

fn key(of: u8, parts: &[&[u8]]) -> Vec<u8> {
    std::iter::once(of).chain(parts.iter().flat_map(|part| part.iter().copied())).collect()
}

/// Behind a name stands a zero, which no name has: so no name is the beginning of another.
fn name(agency: &AgencyId) -> Vec<u8> {
    [agency.as_str().as_bytes(), &[0]].concat()
}

fn unnamed(octets: &[u8]) -> Option<(AgencyId, &[u8])> {
    let end = octets.iter().position(|octet| *octet == 0)?;
    let (name, rest) = octets.split_at_checked(end)?;
    Some((AgencyId::parse(std::str::from_utf8(name).ok()?)?, rest.get(1..)?))
}

fn number(octets: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = octets.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// The key of a row.
pub(super) fn row(of: &Key) -> Vec<u8> {
    key(of::ROW, &[&of.index.to_be_bytes(), of.to.as_str().as_bytes()])
}

/// What waits for a receiver: all of it, or at one place.
pub(super) fn waiting(to: &AgencyId, at: Option<&Place>) -> Vec<u8> {
    let start = key(of::WAITING, &[&name(to)]);
    let Some(at) = at else { return start };
    [start.as_slice(), &[at.class as u8], &at.at.as_ms().to_be_bytes(), &at.key.index.to_be_bytes()].concat()
}

/// Reads a key of what waits.
pub(super) fn read_waiting(key: &[u8]) -> Option<Place> {
    let (to, rest) = unnamed(key.strip_prefix(&[of::WAITING])?)?;
    let (class, rest) = rest.split_first()?;
    let (at, rest) = number(rest)?;
    let (index, _) = number(rest)?;
    let class = [Class::Urgent, Class::Normal, Class::Bulk].into_iter().find(|known| *known as u8 == *class)?;
    Some(Place { class, at: UnixTime::from_ms(at), key: Key { index, to } })
}

/// The receiver behind this one of whom something waits lies at this key or behind it.
pub(super) fn waiting_behind(to: Option<&AgencyId>) -> Vec<u8> {
    to.map_or_else(|| vec![of::WAITING], |to| key(of::WAITING, &[to.as_str().as_bytes(), &[1]]))
}

fn timed(of: u8, at: UnixTime, row: &Key) -> Vec<u8> {
    key(of, &[&at.as_ms().to_be_bytes(), &row.index.to_be_bytes(), row.to.as_str().as_bytes()])
}

/// A deadline.
pub(super) fn due(at: UnixTime, row: &Key) -> Vec<u8> {
    timed(of::DUE, at, row)
}

/// When something comes back by itself.
pub(super) fn timer(at: UnixTime, row: &Key) -> Vec<u8> {
    timed(of::TIMER, at, row)
}

/// Reads such a key.
pub(super) fn read_timed(of: u8, key: &[u8]) -> Option<(UnixTime, Key)> {
    let (at, rest) = number(key.strip_prefix(&[of])?)?;
    let (index, rest) = number(rest)?;
    Some((UnixTime::from_ms(at), Key { index, to: AgencyId::parse(std::str::from_utf8(rest).ok()?)? }))
}

/// What is leased to a receiver by a name; its row's key is the value.
pub(super) fn leased(to: &AgencyId, lease: u64) -> Vec<u8> {
    key(of::LEASE, &[&name(to), &lease.to_be_bytes()])
}

/// A question by its digest; its row's key is the value.
pub(super) fn by_digest(digest: &Digest) -> Vec<u8> {
    key(of::DIGEST, &[digest.octets()])
}

/// A question by its id and sender.
pub(super) fn by_id(id: MessageId, sender: &AgencyId) -> Vec<u8> {
    key(of::ID, &[id.octets(), sender.as_str().as_bytes()])
}

/// What of a receiver has an order: all of one number, or one of it.
pub(super) fn in_order(to: &AgencyId, order: u64, index: Option<u64>) -> Vec<u8> {
    let start = key(of::ORDER, &[&name(to), &order.to_be_bytes()]);
    index.map_or_else(|| start.clone(), |index| [start.as_slice(), &index.to_be_bytes()].concat())
}

/// The key of a row, as the value of another key.
pub(super) fn write_key(of: &Key) -> Vec<u8> {
    [&of.index.to_be_bytes(), of.to.as_str().as_bytes()].concat()
}

/// Reads it.
pub(super) fn read_key(octets: &[u8]) -> Option<Key> {
    let (index, rest) = number(octets)?;
    Some(Key { index, to: AgencyId::parse(std::str::from_utf8(rest).ok()?)? })
}

/// An event that is kept.
pub(super) fn event(index: u64) -> Vec<u8> {
    key(of::EVENT, &[&index.to_be_bytes()])
}

/// An event that has not been given to all.
pub(super) fn fresh(index: u64) -> Vec<u8> {
    key(of::FRESH, &[&index.to_be_bytes()])
}

/// The variants of an event: all of them, or one.
pub(super) fn variant(of: &Digest, index: Option<u64>) -> Vec<u8> {
    let start = key(of::VARIANT, &[of.octets()]);
    index.map_or_else(|| start.clone(), |index| [start.as_slice(), &index.to_be_bytes()].concat())
}

/// Reads which it is.
pub(super) fn read_variant(of: &Digest, key: &[u8]) -> Option<u64> {
    number(key.strip_prefix(variant(of, None).as_slice())?).map(|(index, _)| index)
}

/// Of what something is a variant.
pub(super) fn base(index: u64) -> Vec<u8> {
    key(of::BASE, &[&index.to_be_bytes()])
}

/// Reads the key of an event.
pub(super) fn read_event(of: u8, key: &[u8]) -> Option<u64> {
    number(key.strip_prefix(&[of])?).map(|(index, _)| index)
}

/// That a subscriber has had an event: all of one event, or one subscriber.
pub(super) fn had(index: u64, to: Option<&AgencyId>) -> Vec<u8> {
    key(of::HAD, &[&index.to_be_bytes(), to.map_or(&[][..], |to| to.as_str().as_bytes())])
}
