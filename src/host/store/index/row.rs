//! What the index keeps of a record: a row of fixed width, from which pages are answered and postings are made.

use super::names::Names;
use crate::base::ids::{Digest, MessageId, Uuid};
use crate::evidence::tlog::RecordKind;
use crate::host::store::keys::PrivateHead;
use crate::message::crypto;
use crate::rules::quota::Found;
use serde::Deserialize;
use std::borrow::Cow;

/// Octets of a row.
pub(crate) const ROW: usize = 99;

/// In the number of a budget: the answer says that there is no record.
const MISS: u32 = 1 << 31;

/// Where in a row its kind is.
const KIND_AT: usize = 88;

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
    Digest,
    Official,
    Person,
}

impl By {
    pub(crate) const ALL: [Self; 11] = [
        Self::Consumer,
        Self::Provider,
        Self::DocumentType,
        Self::Purpose,
        Self::Basis,
        Self::Code,
        Self::Message,
        Self::Case,
        Self::Digest,
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
    pub keys: [u64; 11],
    pub latency_us: u32,
    pub octets: u32,
    pub segment: u32,
    pub offset: u32,
    /// The place of its kind among all, from 1.
    pub kind: u8,
    /// Of a question or an answer, in whose budgets it counts: the number of a name.
    pub budget: u32,
    /// Of an answer: it says that there is no record.
    pub is_miss: bool,
    /// The key of the exchange whose question or end it is, of 48 bits; see [`exchange_key`].
    pub exchange: u64,
}

/// A leaf as the index reads it.
#[derive(Deserialize)]
struct Leaf<'l> {
    #[serde(borrow)]
    b: Option<Cow<'l, str>>,
    case: Option<&'l str>,
    d: Option<&'l str>,
    e: Option<&'l str>,
    f: Option<&'l str>,
    g: Option<&'l str>,
    h: Option<&'l str>,
    k: &'l str,
    l: Option<u64>,
    m: Option<&'l str>,
    o: u64,
    p: Option<&'l str>,
    s: Option<&'l str>,
    t: u64,
    u: Option<&'l str>,
    w: Option<&'l str>,
    z: Option<u64>,
}

impl Leaf<'_> {
    /// Whether it is the question of an exchange, or how it ended.
    fn is_of_exchange(&self) -> bool {
        match self.k {
            "req" | "rsp" | "evt" | "cnl" => true,
            // A refusal at the door has no grant, and ends nothing.
            "err" => self.g.is_some() || self.z.is_some(),
            _ => false,
        }
    }
}

/// The octet that stands for a kind in rows.
pub(crate) fn kind_octet(word: &str) -> u8 {
    RecordKind::ALL.iter().position(|kind| kind.as_str() == word).map_or(0, |at| at as u8 + 1)
}

impl Row {
    /// The row of a record, from its leaf and the head of its private part; names that are new get numbers. A record that
    /// was shredded has an empty row. With it comes the time in the id of the message that it is of, if it is of an exchange.
    pub(crate) fn of(leaf: &[u8], head: &PrivateHead, place: (u32, u32), names: &mut Names) -> (Self, Option<u64>) {
        let (segment, offset) = place;
        let Ok(leaf) = serde_json::from_slice::<Leaf<'_>>(leaf) else {
            return (Self { segment, offset, ..Self::default() }, None);
        };
        let mut name = |text: Option<&str>| text.map_or(0, |text| names.number_or_new(text));
        let id = leaf.m.and_then(MessageId::parse);
        let message = id.map_or(0, |id| message_key(&id));
        let id_of_exchange = id.filter(|_| leaf.is_of_exchange());
        let exchange = leaf.u.zip(id_of_exchange).map_or(0, |(sender, id)| exchange_key(sender, &id));
        let consumer = name(leaf.u);
        let budget = match leaf.f {
            _ if !matches!(leaf.k, "req" | "rsp") => 0,
            // Whoever asks for another asks from the other's budget.
            Some(principal) => name(Some(principal)),
            None => consumer,
        };
        let case = leaf.case.and_then(Uuid::parse).map_or(0, |case| case_key(&case));
        let keys = [
            consumer,
            name(leaf.s),
            name(leaf.d),
            name(leaf.p),
            name(leaf.b.as_deref()),
            name(leaf.e),
            message,
            case,
            // What could not be read as a message has a digest of its octets.
            leaf.h.or(leaf.w).and_then(Digest::parse_base64url).map_or(0, |digest| digest_key(&digest)),
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
            budget: budget as u32,
            is_miss: head.is_miss && leaf.k == "rsp",
            exchange,
        };
        (row, id_of_exchange.map(|id| id.time().as_ms()))
    }

    /// Of a question, in whose budget of persons it counts.
    pub(crate) fn asks(&self) -> u32 {
        if self.kind == kind_octet("req") { self.budget } else { 0 }
    }

    /// Of an answer, in whose budget it counts, and what it says.
    pub(crate) fn answers(&self) -> Option<(u32, Found)> {
        let is_answer = self.kind == kind_octet("rsp") && self.budget != 0;
        is_answer.then_some((self.budget, if self.is_miss { Found::Nothing } else { Found::Something }))
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
        out.push(self.kind);
        // There are never so many names.
        let miss = if self.is_miss { MISS } else { 0 };
        out.extend_from_slice(&(self.budget | miss).to_be_bytes());
        out.extend_from_slice(self.exchange.to_be_bytes().get(2..).unwrap_or_default());
        debug_assert_eq!(out.len() - start, ROW);
    }

    /// The time and the kind of a row, without the rest of it.
    pub(crate) fn brief(octets: &[u8; ROW]) -> (u64, u8) {
        let [a, b, c, d, e, f, g, h, ..] = *octets;
        (u64::from_be_bytes([a, b, c, d, e, f, g, h]), octets[KIND_AT])
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
        let budget = next(4)? as u32;
        (row.budget, row.is_miss) = (budget & !MISS, budget & MISS != 0);
        row.exchange = next(6)?;
        Some(row)
    }
}

/// The random half of a message id.
pub(crate) fn message_key(id: &MessageId) -> u64 {
    key_of(id.octets().last_chunk())
}

/// A key of these octets, which is never that of "there is none".
fn key_of(octets: Option<&[u8; 8]>) -> u64 {
    octets.map_or(0, |octets| u64::from_be_bytes(*octets).max(1))
}

/// What the records of an exchange are found by: of the hash of its sender and its message id, so that nobody can choose ids with
/// which many exchanges have one key.
pub(crate) fn exchange_key(sender: &str, id: &MessageId) -> u64 {
    let hash = crypto::sha256(&[id.octets().as_slice(), sender.as_bytes()].concat());
    hash.octets().first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets) >> 16)
}

/// The first octets of a digest.
pub(crate) fn digest_key(digest: &Digest) -> u64 {
    key_of(digest.octets().first_chunk())
}

/// The second half of a case's id.
pub(crate) fn case_key(case: &Uuid) -> u64 {
    key_of(case.octets().last_chunk())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_written() {
        let mut row =
            Row { time: u64::MAX, latency_us: 1, octets: 2, segment: 3, offset: 4, kind: b'r', budget: 5, ..Row::default() };
        (row.exchange, row.is_miss) = ((1 << 48) - 2, true);
        for (number, key) in (1..).zip(&mut row.keys) {
            *key = number;
        }
        row.keys[10] = u64::MAX;
        let mut octets = Vec::new();
        row.write(&mut octets);
        assert_eq!((octets.len(), Row::read(&octets)), (ROW, Some(row)));
        assert_eq!(octets.first_chunk().map(Row::brief), Some((row.time, row.kind)));
    }
}
