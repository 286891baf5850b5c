//! What the index keeps of a record: a row of fixed width, from which pages are answered and postings are made.

use super::names::Names;
use crate::base::ids::{AgencyId, MessageId, Uuid};
use crate::evidence::tlog::RecordKind;
use crate::host::store::keys::PrivateHead;
use crate::message::crypto;
use serde::Deserialize;
use std::borrow::Cow;

/// Octets of a row.
pub(crate) const ROW: usize = 88;

/// What records are found by. Those before `Message` are names, whose keys are their numbers; the others are hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum By {
    Consumer,
    Provider,
    DocumentType,
    Purpose,
    Basis,
    Code,
    Message,
    Case,
    Official,
    Person,
}

impl By {
    pub(crate) const ALL: [Self; 10] = [
        Self::Consumer,
        Self::Provider,
        Self::DocumentType,
        Self::Purpose,
        Self::Basis,
        Self::Code,
        Self::Message,
        Self::Case,
        Self::Official,
        Self::Person,
    ];

    pub(crate) const fn number(self) -> usize {
        self as usize
    }

    /// Whether its keys are numbers of names; the others are hashes, nearly all different.
    pub(crate) const fn is_name(self) -> bool {
        (self as usize) < Self::Message as usize
    }
}

/// A row. A key of 0 means that the record has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub time: u64,
    /// Keys by [`By`]: numbers of names from 1, and hashes. Of several persons, the first.
    pub keys: [u64; 10],
    pub latency_us: u32,
    pub octets: u32,
    pub segment: u32,
    pub offset: u32,
    /// The place of its kind among all, from 1.
    pub kind: u8,
    /// What it is to the exchange that it belongs to.
    pub role: Role,
    /// The key of that exchange, of 48 bits; see [`exchange_key`].
    pub exchange: u64,
}

/// What a record is to an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// None of it: a refusal at the door, a reading of the log, a record that was shredded.
    #[default]
    None,
    /// Its question.
    Question,
    /// Its question, kept with the record.
    KeptQuestion,
    /// The answer, or how it failed.
    End,
}

impl Role {
    const ALL: [Self; 4] = [Self::None, Self::Question, Self::KeptQuestion, Self::End];

    /// Whether it asks.
    pub(crate) fn is_question(self) -> bool {
        matches!(self, Self::Question | Self::KeptQuestion)
    }

    fn of(leaf: &Leaf<'_>, body: Body) -> Self {
        match leaf.k {
            "req" if body == Body::Kept => Self::KeptQuestion,
            "req" => Self::Question,
            "rsp" => Self::End,
            // A refusal at the door has no grant, and ends nothing.
            "err" if leaf.g.is_some() || leaf.z.is_some() => Self::End,
            _ => Self::None,
        }
    }
}

/// Whether a message is kept with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Kept,
    None,
}

impl Body {
    pub(crate) fn of(octets: &[u8]) -> Self {
        if octets.is_empty() { Self::None } else { Self::Kept }
    }
}

/// A leaf as the index reads it.
#[derive(Deserialize)]
struct Leaf<'l> {
    #[serde(borrow)]
    b: Option<Cow<'l, str>>,
    case: Option<&'l str>,
    d: Option<&'l str>,
    e: Option<&'l str>,
    g: Option<&'l str>,
    k: &'l str,
    l: Option<u64>,
    m: Option<&'l str>,
    o: u64,
    p: Option<&'l str>,
    s: Option<&'l str>,
    t: u64,
    u: Option<&'l str>,
    z: Option<u64>,
}

/// The octet that stands for a kind in rows.
pub(crate) fn kind_octet(word: &str) -> u8 {
    RecordKind::ALL.iter().position(|kind| kind.as_str() == word).map_or(0, |at| at as u8 + 1)
}

impl Row {
    /// The row of a record, from its leaf and the head of its private part; names that are new get numbers. A record that
    /// was shredded has an empty row. With it comes the time in the id of the message that it is of, if it is of an exchange.
    pub(crate) fn of(leaf: &[u8], head: &PrivateHead, body: Body, place: (u32, u32), names: &mut Names) -> (Self, Option<u64>) {
        let (segment, offset) = place;
        let Ok(leaf) = serde_json::from_slice::<Leaf<'_>>(leaf) else {
            return (Self { segment, offset, ..Self::default() }, None);
        };
        let mut name = |text: Option<&str>| text.map_or(0, |text| names.number_or_new(text));
        let id = leaf.m.and_then(MessageId::parse);
        let message = id.map_or(0, |id| message_key(&id));
        let exchange = leaf.u.and_then(AgencyId::parse).zip(id).map(|(sender, id)| exchange_key(&sender, &id));
        let role = if exchange.is_some() { Role::of(&leaf, body) } else { Role::None };
        let case = leaf.case.and_then(Uuid::parse).map_or(0, |case| case_key(&case));
        let keys = [
            name(leaf.u),
            name(leaf.s),
            name(leaf.d),
            name(leaf.p),
            name(leaf.b.as_deref()),
            name(leaf.e),
            message,
            case,
            head.official.unwrap_or(0),
            head.persons.first().copied().unwrap_or(0),
        ];
        let row = Self {
            time: leaf.t,
            keys,
            latency_us: leaf.l.unwrap_or(0).min(u64::from(u32::MAX)) as u32,
            octets: leaf.o.min(u64::from(u32::MAX)) as u32,
            segment,
            offset,
            kind: kind_octet(leaf.k),
            role,
            exchange: exchange.filter(|_| role != Role::None).unwrap_or(0),
        };
        (row, id.filter(|_| role != Role::None).map(|id| id.time().as_ms()))
    }

    /// Nothing but the place in the journal.
    pub(crate) fn bare(&self) -> Self {
        Self { segment: self.segment, offset: self.offset, ..Self::default() }
    }

    /// The row without what came from the private part.
    pub(crate) fn without_persons(&self) -> Self {
        let mut row = *self;
        for by in [By::Official, By::Person] {
            if let Some(key) = row.keys.get_mut(by.number()) {
                *key = 0;
            }
        }
        row
    }

    pub(crate) fn key(&self, by: By) -> u64 {
        self.keys.get(by.number()).copied().unwrap_or(0)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.time.to_be_bytes());
        for by in By::ALL {
            let key = self.key(by);
            // Numbers of names fit four octets: there are never more names than records in memory's reach.
            if by.is_name() {
                out.extend_from_slice(&(key as u32).to_be_bytes())
            } else {
                out.extend_from_slice(&key.to_be_bytes())
            }
        }
        for number in [self.latency_us, self.octets, self.segment, self.offset] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&[self.kind, self.role as u8]);
        out.extend_from_slice(self.exchange.to_be_bytes().get(2..).unwrap_or_default());
        debug_assert_eq!(out.len() - start, ROW);
    }

    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let mut rest = octets;
        let mut next = |count: usize| {
            let (octets, after) = rest.split_at_checked(count)?;
            rest = after;
            Some(octets.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet)))
        };
        let mut row = Self { time: next(8)?, ..Self::default() };
        for (by, key) in By::ALL.into_iter().zip(&mut row.keys) {
            *key = next(if by.is_name() { 4 } else { 8 })?;
        }
        let mut number = || next(4).map(|number| number as u32);
        (row.latency_us, row.octets, row.segment, row.offset) = (number()?, number()?, number()?, number()?);
        row.kind = next(1)? as u8;
        row.role = Role::ALL.get(next(1)? as usize).copied()?;
        row.exchange = next(6)?;
        Some(row)
    }
}

/// The random half of a message id.
pub(crate) fn message_key(id: &MessageId) -> u64 {
    id.octets().last_chunk().map_or(0, |octets| u64::from_be_bytes(*octets))
}

/// What the records of an exchange are found by: of the hash of its sender and its message id, so that nobody can choose ids with
/// which many exchanges have one key.
pub(crate) fn exchange_key(sender: &AgencyId, id: &MessageId) -> u64 {
    let hash = crypto::sha256(&[id.octets().as_slice(), sender.as_str().as_bytes()].concat());
    hash.octets().first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets) >> 16)
}

/// The second half of a case's id.
pub(crate) fn case_key(case: &Uuid) -> u64 {
    case.octets().last_chunk().map_or(0, |octets| u64::from_be_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_written() {
        let mut row = Row {
            time: u64::MAX,
            latency_us: 1,
            octets: 2,
            segment: 3,
            offset: 4,
            kind: b'r',
            role: Role::End,
            ..Row::default()
        };
        row.exchange = (1 << 48) - 2;
        for (number, key) in (1..).zip(&mut row.keys) {
            *key = number;
        }
        row.keys[9] = u64::MAX;
        let mut octets = Vec::new();
        row.write(&mut octets);
        assert_eq!((octets.len(), Row::read(&octets)), (ROW, Some(row)));
    }
}
