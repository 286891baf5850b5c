//! The keys of what lies beside the leaves. Each record has a ticket, each ticket a key of its own, derived from a root
//! through a tree of keys: erasing a record replaces the keys on the way to it by those of all the others, so that the
//! file stays small and what was erased cannot be derived any more. The roots never leave this folder.

use super::StoreError;
use super::bound::{self, Committed};
use super::durable::{make_folder, replace};
use crate::base::ids::{Digest, Identifier, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::journal::{Frame, FrameKind};
use crate::evidence::tlog::note::{LogSigner, Role};
use crate::evidence::tlog::{Blind, Private, Record};
use crate::message::crypto::{self, HmacKey, NoRandomness, PrivateKey, SealKey};
use crate::message::envelope::{Personal, Subject};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Children of a node in the tree of keys, as bits.
const FAN_BITS: u32 = 8;
/// Nodes on the way from the root to a ticket's key.
const DEPTH: u32 = u64::BITS / FAN_BITS;

type Secret = [u8; 32];

/// A tree of keys over all tickets, from which the keys of erased ones are gone.
struct KeyTree {
    path: PathBuf,
    /// The nodes that are kept: depth and the ticket's leading bits that lead there. None lies below another.
    nodes: BTreeMap<(u32, u64), Secret>,
    /// The parent of the last key that was asked for: tickets come one after the other.
    last: Option<(u64, HmacKey)>,
}

fn child(node: &Secret, number: u64) -> Secret {
    HmacKey::new(node).tag(&[&number.to_be_bytes()])
}

/// Where a ticket's key is: the number of its parent, and its own among the children.
const fn place(ticket: u64) -> (u64, u64) {
    (ticket >> FAN_BITS, ticket & ((1 << FAN_BITS) - 1))
}

impl KeyTree {
    fn open(path: PathBuf) -> Result<Self, StoreError> {
        let nodes = match std::fs::read(&path) {
            Ok(octets) => read_nodes(&octets).ok_or_else(|| StoreError::Damaged { path: path.clone(), offset: 0 })?,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                let nodes = BTreeMap::from([((0, 0), random()?)]);
                write_secret(&path, &write_nodes(&nodes))?;
                nodes
            }
            Err(cause) => return Err(StoreError::io(&path, cause)),
        };
        Ok(Self { path, nodes, last: None })
    }

    /// The node at a depth on the way to a ticket, if it has not been erased.
    fn node(&self, depth: u32, prefix: u64) -> Option<Secret> {
        let (mut at, mut key) = (0..=depth).find_map(|from| {
            let key = self.nodes.get(&(from, prefix.checked_shr((depth - from) * FAN_BITS).unwrap_or(0)))?;
            Some((from, *key))
        })?;
        while at < depth {
            at += 1;
            key = child(&key, prefix >> ((depth - at) * FAN_BITS) & ((1 << FAN_BITS) - 1));
        }
        Some(key)
    }

    fn key(&mut self, ticket: u64) -> Option<Secret> {
        if let Some(key) = self.nodes.get(&(DEPTH, ticket)) {
            return Some(*key);
        }
        let (prefix, number) = place(ticket);
        if self.last.as_ref().is_none_or(|(known, _)| *known != prefix) {
            self.last = Some((prefix, HmacKey::new(&self.node(DEPTH - 1, prefix)?)));
        }
        self.last.as_ref().map(|(_, parent)| parent.tag(&[&number.to_be_bytes()]))
    }
}

/// Erases the keys of some tickets, and of all before a ticket. Returns when they are gone from the disk. Whoever seals meanwhile does not
/// wait for that; one erases at a time.
fn erase(tree: &Mutex<KeyTree>, tickets: &[u64], before: u64) -> Result<(), StoreError> {
    let (path, known) = {
        let tree = lock(tree);
        (tree.path.clone(), tree.nodes.clone())
    };
    let mut nodes = known.clone();
    tickets.iter().for_each(|ticket| puncture(&mut nodes, *ticket));
    if let Some(last) = before.checked_sub(1) {
        split(&mut nodes, |depth, prefix| relation(depth, prefix, 0, last));
    }
    if nodes != known {
        write_secret(&path, &write_nodes(&nodes))?;
        let mut tree = lock(tree);
        (tree.nodes, tree.last) = (nodes, None);
    }
    Ok(())
}

/// Erases the key of a ticket: the one on the way to it that is kept is replaced by those beside the way.
fn puncture(nodes: &mut BTreeMap<(u32, u64), Secret>, ticket: u64) {
    let at = |depth: u32| ticket.checked_shr((DEPTH - depth) * FAN_BITS).unwrap_or(0);
    let Some((depth, mut key)) = (0..=DEPTH).find_map(|depth| Some((depth, nodes.remove(&(depth, at(depth)))?))) else { return };
    for below in depth + 1..=DEPTH {
        let (parent, on_the_way) = place(at(below));
        for number in (0..1 << FAN_BITS).filter(|number| *number != on_the_way) {
            nodes.insert((below, parent << FAN_BITS | number), child(&key, number));
        }
        key = child(&key, on_the_way);
    }
}

/// Replaces the keys of all tickets from one on by new ones, which nobody has sealed with.
fn renew(nodes: &mut BTreeMap<(u32, u64), Secret>, from: u64) -> Result<(), StoreError> {
    split(nodes, |depth, prefix| relation(depth, prefix, from, u64::MAX));
    for depth in 1..=DEPTH {
        let prefix = from.checked_shr((DEPTH - depth) * FAN_BITS).unwrap_or(0);
        let (parent, number) = place(prefix);
        let is_first_below = from.trailing_zeros() >= (DEPTH - depth) * FAN_BITS;
        for number in if is_first_below { number } else { number + 1 }..1 << FAN_BITS {
            nodes.insert((depth, parent << FAN_BITS | number), random()?);
        }
        if is_first_below {
            break;
        }
    }
    Ok(())
}

/// The keys in a copy, as they are to be in a folder that is restored from it: with new ones for all that is sealed from start
/// `last + 1` on. The log that the copy is of may have gone on and sealed with those that it had; nothing is ever sealed twice
/// under one key.
pub(super) fn renewed(octets: &[u8], last: u32) -> Option<Result<Vec<u8>, StoreError>> {
    let mut nodes = read_nodes(octets)?;
    let from = (u64::from(last) + 1) << 32;
    Some(renew(&mut nodes, from).map(|()| write_nodes(&nodes)))
}

/// How a node lies to a range of tickets that is to be erased.
enum Relation {
    Outside,
    Inside,
    Across,
}

fn relation(depth: u32, prefix: u64, first: u64, last: u64) -> Relation {
    let below = (DEPTH - depth) * FAN_BITS;
    let from = prefix.checked_shl(below).unwrap_or(0);
    let to = from | 1_u64.checked_shl(below).map_or(u64::MAX, |size| size - 1);
    if last < from || to < first {
        Relation::Outside
    } else if first <= from && to <= last {
        Relation::Inside
    } else {
        Relation::Across
    }
}

fn split(nodes: &mut BTreeMap<(u32, u64), Secret>, place: impl Fn(u32, u64) -> Relation) {
    let mut waiting: Vec<((u32, u64), Secret)> = Vec::new();
    nodes.retain(|(depth, prefix), key| match place(*depth, *prefix) {
        Relation::Outside => true,
        Relation::Inside => false,
        Relation::Across => {
            waiting.push(((*depth, *prefix), *key));
            false
        }
    });
    while let Some(((depth, prefix), key)) = waiting.pop() {
        for number in 0..1 << FAN_BITS {
            let below = (depth + 1, prefix << FAN_BITS | number);
            match place(below.0, below.1) {
                Relation::Outside => drop(nodes.insert(below, child(&key, number))),
                Relation::Inside => {}
                Relation::Across => waiting.push((below, child(&key, number))),
            }
        }
    }
}

const NODE: usize = 1 + 8 + 32;

fn write_nodes(nodes: &BTreeMap<(u32, u64), Secret>) -> Vec<u8> {
    let mut octets = Vec::with_capacity(nodes.len() * NODE + 4);
    for ((depth, prefix), key) in nodes {
        octets.push(*depth as u8);
        octets.extend_from_slice(&prefix.to_be_bytes());
        octets.extend_from_slice(key);
    }
    octets.extend_from_slice(&crc32fast::hash(&octets).to_be_bytes());
    octets
}

fn read_nodes(octets: &[u8]) -> Option<BTreeMap<(u32, u64), Secret>> {
    let (nodes, checksum) = octets.split_last_chunk::<4>()?;
    if crc32fast::hash(nodes).to_be_bytes() != *checksum || nodes.len() % NODE != 0 {
        return None;
    }
    nodes
        .chunks_exact(NODE)
        .map(|node| {
            let (depth, rest) = node.split_first()?;
            let (prefix, key) = rest.split_first_chunk::<8>()?;
            Some(((u32::from(*depth), u64::from_be_bytes(*prefix)), key.try_into().ok()?))
        })
        .collect()
}

/// What stands in the private part of a frame in front of what is sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateHead {
    /// The ticket that private part and body were sealed under; none if there is neither.
    pub ticket: u64,
    /// The index keys of the persons.
    pub persons: Vec<u64>,
    /// The index key of the official.
    pub official: Option<u64>,
    /// Of an answer: it says that there is no record.
    pub is_miss: bool,
}

/// In the octet that says whether there is an official: it is an answer that there is no record.
const MISS: u8 = 2;

impl PrivateHead {
    /// Writes the head; what is sealed comes behind it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(10 + 8 * (self.persons.len() + usize::from(self.official.is_some())));
        out.extend_from_slice(&self.ticket.to_be_bytes());
        out.push(self.persons.len() as u8);
        out.push(u8::from(self.official.is_some()) | if self.is_miss { MISS } else { 0 });
        for key in self.persons.iter().chain(&self.official) {
            out.extend_from_slice(&key.to_be_bytes());
        }
    }

    /// Reads the head, and what is sealed behind it; zeros are a head with nothing in it. What is never written is no head: read
    /// as far as it goes, it would take some of the keys for what is sealed.
    pub fn read(private: &[u8]) -> Option<(Self, &[u8])> {
        let (ticket, rest) = private.split_first_chunk::<8>()?;
        let ([persons, flags], mut rest) = rest.split_first_chunk::<2>()?;
        let (officials, is_miss) = (flags & !MISS, flags & MISS != 0);
        if usize::from(*persons) > limits::IDENTIFIERS_MAX || officials > 1 {
            return None;
        }
        let mut next = || {
            let (key, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            Some(u64::from_be_bytes(*key))
        };
        let persons = (0..*persons).map(|_| next()).collect::<Option<_>>()?;
        let official = if officials == 1 { Some(next()?) } else { None };
        Some((Self { ticket: u64::from_be_bytes(*ticket), persons, official, is_miss }, rest))
    }
}

/// What is put beside a leaf.
pub struct Beside {
    /// The private part: its head, and what is sealed.
    pub private: Vec<u8>,
    /// The body, sealed.
    pub body: Vec<u8>,
    /// The head of the private part.
    pub head: PrivateHead,
    /// What the leaf says of it.
    pub blind: Blind,
}

/// All keys of a store.
pub struct Keys {
    folder: PathBuf,
    private: Mutex<KeyTree>,
    bodies: Mutex<KeyTree>,
    /// Held while keys are erased.
    erasing: Mutex<()>,
    start: u32,
    next: AtomicU32,
    index: HmacKey,
    years: Mutex<BTreeMap<u16, HmacKey>>,
    /// The keys that the next records are to commit to.
    uncommitted: Mutex<BTreeMap<String, Digest>>,
    /// The latest year that had a key at start: of earlier ones none is made, since there are records of them, or could be.
    first_year: u16,
}

impl Keys {
    /// Opens the keys of a log, or makes them.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        make_folder(folder).map_err(|cause| StoreError::io(folder, cause))?;
        let start = next_start(&folder.join("starts"))?;
        let index = HmacKey::new(&secret(&folder.join("index"))?);
        Ok(Self {
            folder: folder.to_owned(),
            private: Mutex::new(KeyTree::open(folder.join("private"))?),
            bodies: Mutex::new(KeyTree::open(folder.join("bodies"))?),
            erasing: Mutex::default(),
            start,
            next: AtomicU32::new(1),
            index,
            years: Mutex::default(),
            uncommitted: Mutex::default(),
            first_year: 0,
        })
    }

    /// Takes what the records say of the keys: each must be the one that was committed to, and one that is gone stays gone.
    pub(super) fn hold(&mut self, committed: &Committed) -> Result<(), StoreError> {
        committed.hold(&self.folder)?;
        self.first_year = committed.latest();
        Ok(())
    }

    /// Has the next records commit to all keys.
    pub(super) fn commit_to_all(&self) -> Result<(), StoreError> {
        *lock(&self.uncommitted) = bound::listed(&self.folder)?;
        Ok(())
    }

    /// The commitments that a leaf with so much room takes, in its form.
    pub(super) fn commit(&self, room: usize) -> (BTreeMap<String, Digest>, Option<String>) {
        let (taken, text) = bound::commit(&mut lock(&self.uncommitted), room);
        (taken, (!text.is_empty()).then_some(text))
    }

    /// Takes commitments back that did not become durable.
    pub(super) fn uncommit(&self, taken: BTreeMap<String, Digest>) {
        lock(&self.uncommitted).extend(taken);
    }

    /// Goes on behind the last start that the log has tickets of: keys that were put back from a copy know less than it, and
    /// what is sealed twice with one key and nonce is open.
    pub(super) fn go_on_behind(&mut self, start: u32) -> Result<(), StoreError> {
        if self.start <= start {
            let path = self.folder.join("starts");
            self.start = start.checked_add(1).ok_or_else(|| StoreError::Damaged { path: path.clone(), offset: 0 })?;
            write_secret(&path, format!("{}\n", self.start).as_bytes())?;
        }
        Ok(())
    }

    /// Seals what is personal and the body, and makes what the leaf and the index say of them.
    pub fn seal(&self, record: &Record, private: &Private, body: Option<Vec<u8>>) -> Result<Beside, StoreError> {
        let mut beside = Beside { private: Vec::new(), body: Vec::new(), head: PrivateHead::default(), blind: Blind::default() };
        if private.is_empty() && body.is_none() {
            return Ok(beside);
        }
        beside.head.ticket = self.take_ticket()?;
        // A head has no room for more, and what stands behind a longer one could never be opened.
        beside.head.persons = self.person_keys(&private.subject);
        beside.head.persons.truncate(limits::IDENTIFIERS_MAX);
        beside.head.official = private.official.as_ref().map(|id| self.index_key(id));
        beside.head.is_miss = private.is_miss;
        beside.head.write(&mut beside.private);
        if let Some(message) = record.message {
            let tags = private.subject.identifiers.iter().map(|id| self.person_tag(record.time, id, message.octets()));
            beside.blind.tags = tags.collect::<Result<_, _>>()?;
        }
        if let Some(part) = private.sealed() {
            let salt = random()?;
            let json = part.to_json(&salt);
            beside.blind.commitment = Some(Digest::from_octets(HmacKey::new(&salt).tag(&[json.as_bytes()])));
            let mut sealed = json.into_bytes();
            seal(&self.private, beside.head.ticket, &mut sealed)?;
            beside.private.extend_from_slice(&sealed);
        }
        if let Some(mut body) = body {
            seal(&self.bodies, beside.head.ticket, &mut body)?;
            beside.body = body;
        }
        Ok(beside)
    }

    /// A ticket that nobody else gets.
    pub(super) fn take_ticket(&self) -> Result<u64, StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number == u32::MAX {
            return Err(StoreError::Stopped);
        }
        Ok(u64::from(self.start) << 32 | u64::from(number))
    }

    /// The key of a ticket among those of bodies, for whoever has the ticket and seals nothing twice in one place.
    pub(super) fn body_key(&self, ticket: u64) -> Option<SealKey> {
        lock(&self.bodies).key(ticket).and_then(|key| SealKey::new(&key))
    }

    /// Opens the body of a frame.
    pub fn open_body(&self, private: &[u8], body: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (head, _) = PrivateHead::read(private).ok_or(StoreError::Forgotten)?;
        open(&self.bodies, head.ticket, body)
    }

    /// Opens the personal part of a frame: JSON.
    pub fn open_private(&self, private: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (head, sealed) = PrivateHead::read(private).ok_or(StoreError::Forgotten)?;
        if sealed.is_empty() { Ok(Vec::new()) } else { open(&self.private, head.ticket, sealed) }
    }

    pub(super) fn person_keys(&self, subject: &Subject) -> Vec<u64> {
        if !subject.identifiers.is_empty() {
            return subject.identifiers.iter().map(|id| self.index_key(id)).collect();
        }
        // An organisation always has an identifier.
        let Some(person) = subject.person() else { return Vec::new() };
        // U+0000 and U+0001 are in no document, so no other name has the same key, and no identifier.
        let named = [&person.family, &person.given, &person.birth_date];
        let [family, given, born] = named.map(|part| {
            let mark: &[u8] = if part.is_some() { b"\0" } else { b"\x01" };
            [mark, part.as_ref().map_or("", Personal::expose).as_bytes()]
        });
        let parts = [family, given, born];
        let parts = parts.as_flattened();
        if named.iter().any(|part| part.is_some()) { vec![first_of(self.index.tag(parts))] } else { Vec::new() }
    }

    /// The key that a person or official has in the index.
    pub(super) fn index_key(&self, id: &Identifier) -> u64 {
        first_of(self.index.tag(&[id.scheme().as_bytes(), b"|", id.value().as_bytes()]))
    }

    /// The key with which a person finds all leaves of a year that are about them: HMAC of the message id under it begins
    /// with the tag.
    pub(super) fn person_key(&self, year: u16, id: &Identifier) -> Result<Secret, StoreError> {
        let mut years = lock(&self.years);
        let secret = self.year(&mut years, year)?;
        Ok(secret.tag(&[id.scheme().as_bytes(), b"|", id.value().as_bytes()]))
    }

    fn year<'y>(&self, years: &'y mut BTreeMap<u16, HmacKey>, year: u16) -> Result<&'y HmacKey, StoreError> {
        match years.entry(year) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                // One that was there at start and is not any more must not come back as another.
                bound::check(&self.folder)?;
                let path = self.folder.join(format!("person-{year}"));
                let is_new = !path.exists();
                if is_new && year < self.first_year {
                    return Err(StoreError::Damaged { path, offset: 0 });
                }
                let secret = secret(&path)?;
                bound::add(&self.folder)?;
                if is_new {
                    let listed = bound::listed(&self.folder)?.into_iter().filter(|(name, _)| path.ends_with(name));
                    lock(&self.uncommitted).extend(listed);
                }
                Ok(place.insert(HmacKey::new(&secret)))
            }
        }
    }

    /// Sees that the key of a time's year is there, or can be made.
    pub(super) fn expect_year(&self, time: UnixTime) -> Result<(), StoreError> {
        let mut years = lock(&self.years);
        self.year(&mut years, time.day().parts().0).map(|_| ())
    }

    fn person_tag(&self, time: UnixTime, id: &Identifier, message: &[u8; 16]) -> Result<[u8; limits::TAG_BYTES], StoreError> {
        let key = self.person_key(time.day().parts().0, id)?;
        let tag = HmacKey::new(&key).tag(&[message]);
        Ok(tag.first_chunk().copied().unwrap_or_default())
    }

    /// Whether what is personal about a record can still be opened.
    pub fn has_private(&self, ticket: u64) -> bool {
        lock(&self.private).key(ticket).is_some()
    }

    /// Whether the message that is kept with a record can still be opened.
    pub fn has_body(&self, ticket: u64) -> bool {
        lock(&self.bodies).key(ticket).is_some()
    }

    /// Destroys the keys of some bodies, and of all with an earlier ticket than `before`.
    pub fn erase_bodies(&self, tickets: &[u64], before: u64) -> Result<(), StoreError> {
        let _alone = lock(&self.erasing);
        erase(&self.bodies, tickets, before)
    }

    /// Destroys the keys of some personal parts.
    pub fn erase_private(&self, tickets: &[u64]) -> Result<(), StoreError> {
        let _alone = lock(&self.erasing);
        erase(&self.private, tickets, 0)
    }
}

/// The keys of a log that is verified: read, never made.
pub(super) struct Tried {
    folder: PathBuf,
    private: KeyTree,
    index: HmacKey,
    years: BTreeMap<u16, HmacKey>,
}

impl Tried {
    /// Nothing if there are no keys beside the log, as in a copy that was made without them.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, StoreError> {
        let read = |name: &str| {
            let path = folder.join(name);
            match std::fs::read(&path) {
                Ok(octets) => Ok(Some((path, octets))),
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(cause) => Err(StoreError::io(&path, cause)),
            }
        };
        let nodes = |(path, octets): (PathBuf, Vec<u8>)| match read_nodes(&octets) {
            Some(nodes) => Ok(KeyTree { path, nodes, last: None }),
            None => Err(StoreError::Damaged { path, offset: 0 }),
        };
        read("bodies")?.map(nodes).transpose()?;
        let private = read("private")?.map(nodes).transpose()?;
        let (Some(private), Some((path, index))) = (private, read("index")?) else { return Ok(None) };
        let index: Secret = index.try_into().map_err(|_| StoreError::Damaged { path, offset: 0 })?;
        Ok(Some(Self { folder: folder.to_owned(), private, index: HmacKey::new(&index), years: BTreeMap::new() }))
    }

    /// Sees that what lies beside a leaf opens, and that index keys and tags are those of the persons whom it names. What was
    /// erased says nothing.
    pub(super) fn fit(&mut self, frame: &Frame<'_>) -> Result<(), StoreError> {
        #[derive(Deserialize)]
        struct Opened {
            #[serde(rename = "i", default)]
            identifiers: Vec<String>,
        }
        let Some((head, sealed)) = PrivateHead::read(frame.private) else { return Ok(()) };
        if frame.kind != FrameKind::Record || sealed.iter().all(|octet| *octet == 0) {
            return Ok(());
        }
        let Some(key) = self.private.key(head.ticket).and_then(|key| SealKey::new(&key)) else { return Ok(()) };
        let damaged = |name: &str| StoreError::Damaged { path: self.folder.join(name), offset: 0 };
        let mut octets = sealed.to_vec();
        key.open(0, &mut octets).map_err(|crypto::NotSealed| damaged("private"))?;
        let Ok(opened) = serde_json::from_slice::<Opened>(&octets) else { return Ok(()) };
        let pairs = opened.identifiers.as_chunks::<2>().0;
        let expected: Vec<u64> =
            pairs.iter().map(|[scheme, value]| first_of(self.index.tag(&[scheme.as_bytes(), b"|", value.as_bytes()]))).collect();
        if !expected.is_empty() && !head.persons.iter().eq(expected.iter().take(limits::IDENTIFIERS_MAX)) {
            return Err(damaged("index"));
        }
        self.fit_tags(frame.leaf, pairs)
    }

    fn fit_tags(&mut self, leaf: &[u8], pairs: &[[String; 2]]) -> Result<(), StoreError> {
        #[derive(Deserialize)]
        struct Leaf<'l> {
            i: Option<&'l str>,
            m: Option<&'l str>,
            t: u64,
        }
        let Ok(leaf) = serde_json::from_slice::<Leaf<'_>>(leaf) else { return Ok(()) };
        let (Some(tags), Some(message)) = (leaf.i, leaf.m.and_then(MessageId::parse)) else { return Ok(()) };
        // A refused answer has its cause alone sealed; whom it is about is sealed with the request.
        if pairs.is_empty() {
            return Ok(());
        }
        let year = UnixTime::from_ms(leaf.t).day().parts().0;
        let path = self.folder.join(format!("person-{year}"));
        let key = match self.years.entry(year) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match std::fs::read(&path).ok().map(Secret::try_from) {
                Some(Ok(secret)) => place.insert(HmacKey::new(&secret)),
                Some(Err(_)) => return Err(StoreError::Damaged { path, offset: 0 }),
                // The key of a year may be destroyed, and then nobody can tell whose its tags are.
                None => return Ok(()),
            },
        };
        let tag = |[scheme, value]: &[String; 2]| {
            let person = key.tag(&[scheme.as_bytes(), b"|", value.as_bytes()]);
            let tag = HmacKey::new(&person).tag(&[message.octets()]);
            URL_SAFE_NO_PAD.encode(tag.get(..limits::TAG_BYTES).unwrap_or_default())
        };
        let expected: String = pairs.iter().map(tag).collect();
        if tags == expected { Ok(()) } else { Err(StoreError::Damaged { path, offset: 0 }) }
    }
}

/// Refuses a log that has begun and whose keys are not there: with new ones it would seem to be about nobody, and to have had
/// everything erased.
pub(super) fn expect_all(folder: &Path) -> Result<(), StoreError> {
    let lost = ["index", "private", "bodies"].map(|name| folder.join(name)).into_iter().find(|path| !path.exists());
    lost.map_or(Ok(()), |path| Err(StoreError::Damaged { path, offset: 0 }))
}

/// The key that signs the log's checkpoints, made when the log is.
pub(super) fn signer(folder: &Path, origin: &str) -> Result<LogSigner, StoreError> {
    let path = folder.join("log");
    // Of two who ask for it at once one makes it.
    let lock = std::fs::File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
    let _lock = lock.map_err(|cause| StoreError::io(folder, cause))?;
    let key = PrivateKey::from_seed(&secret(&path)?).ok_or(StoreError::NoRandomness)?;
    LogSigner::new(origin, Role::Log, key).map_err(|_| StoreError::Damaged { path, offset: 0 })
}

fn first_of(tag: Secret) -> u64 {
    tag.first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each ticket seals once with its key, so the nonce can be the same for all.
fn seal(keys: &Mutex<KeyTree>, ticket: u64, octets: &mut Vec<u8>) -> Result<(), StoreError> {
    let key = lock(keys).key(ticket).and_then(|key| SealKey::new(&key)).ok_or(StoreError::Forgotten)?;
    key.seal(0, octets).map_err(|crypto::NotSealed| StoreError::Forgotten)
}

fn open(keys: &Mutex<KeyTree>, ticket: u64, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let key = lock(keys).key(ticket).and_then(|key| SealKey::new(&key)).ok_or(StoreError::Forgotten)?;
    let mut octets = sealed.to_vec();
    key.open(0, &mut octets).map_err(|crypto::NotSealed| StoreError::Forgotten)?;
    Ok(octets)
}

fn random() -> Result<Secret, StoreError> {
    crypto::random().map_err(|NoRandomness| StoreError::NoRandomness)
}

/// Reads a secret, or makes it durable.
fn secret(path: &Path) -> Result<Secret, StoreError> {
    match std::fs::read(path) {
        Ok(octets) => octets.try_into().map_err(|_| StoreError::Damaged { path: path.to_owned(), offset: 0 }),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let octets = random()?;
            write_secret(path, &octets)?;
            Ok(octets)
        }
        Err(cause) => Err(StoreError::io(path, cause)),
    }
}

/// Counts the starts: no ticket is ever given twice, even when the tail of the journal was lost.
fn next_start(path: &Path) -> Result<u32, StoreError> {
    let damaged = || StoreError::Damaged { path: path.to_owned(), offset: 0 };
    let last = match std::fs::read_to_string(path) {
        Ok(text) => text.trim_end().parse::<u32>().map_err(|_| damaged())?,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => 0,
        Err(cause) => return Err(StoreError::io(path, cause)),
    };
    let start = last.checked_add(1).ok_or_else(damaged)?;
    write_secret(path, format!("{start}\n").as_bytes())?;
    Ok(start)
}

/// Replaces a file of secrets in one step: after a crash it is the old one or the new one.
fn write_secret(path: &Path, octets: &[u8]) -> Result<(), StoreError> {
    replace(path, octets, 0o600).map_err(|cause| StoreError::io(path, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(name: &str) -> KeyTree {
        let folder = std::env::temp_dir().join(format!("oncegate-keys-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("writable");
        KeyTree::open(folder.join("keys")).expect("opens")
    }

    fn without(tree: KeyTree, tickets: &[u64], before: u64) -> KeyTree {
        let tree = Mutex::new(tree);
        erase(&tree, tickets, before).expect("writable");
        tree.into_inner().expect("nobody has it")
    }

    #[test]
    fn an_erased_key_is_gone_and_no_other_is_changed() {
        let mut tree = tree("erased");
        let tickets = [0, 1, 15, 16, 17, 255, 256, 1 << 32 | 7, 2 << 32, u64::MAX];
        let keys = tickets.map(|ticket| tree.key(ticket));
        assert!(keys.iter().all(Option::is_some));
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), tickets.len(), "each has its own");
        let mut tree = without(tree, &[16, 2 << 32], 0);
        // Once more changes nothing.
        tree = without(tree, &[2 << 32], 0);
        let mut again = KeyTree::open(tree.path.clone()).expect("opens");
        for tree in [&mut tree, &mut again] {
            for (ticket, key) in tickets.iter().zip(&keys) {
                let expected = if [16, 2 << 32].contains(ticket) { None } else { *key };
                assert_eq!(tree.key(*ticket), expected, "{ticket}");
            }
        }
    }

    #[test]
    fn renewed_keys_are_others_from_a_start_on_and_the_same_before_it() {
        let mut tree = without(tree("renewed"), &[3 << 32 | 7], 0);
        let tickets = [0, 1, 3 << 32 | 7, 3 << 32 | 8, (4 << 32) - 1, 4 << 32, 4 << 32 | 1, 5 << 32, 1 << 56, u64::MAX];
        let before = tickets.map(|ticket| tree.key(ticket));
        let renew = || read_nodes(&renewed(&write_nodes(&tree.nodes), 3).expect("keys").expect("random")).expect("keys");
        let (one, two) = (renew(), renew());
        assert!(one.len() < 2500, "{}", one.len());
        let mut trees = [one, two].map(|nodes| KeyTree { path: tree.path.clone(), nodes, last: None });
        for (ticket, before) in tickets.iter().zip(before) {
            let [one, two] = trees.each_mut().map(|tree| tree.key(*ticket));
            if *ticket < 4 << 32 {
                assert_eq!((one, two), (before, before), "{ticket}");
            } else {
                assert!(one.is_some() && two.is_some() && one != before && two != before && one != two, "{ticket}");
            }
        }
        assert_eq!(before[2], None);
    }

    #[test]
    fn a_head_that_is_never_written_is_not_read() {
        let mut octets = Vec::new();
        let mut end = 0;
        for is_miss in [false, true] {
            let head = PrivateHead { ticket: 7, persons: vec![1, 2], official: Some(3), is_miss };
            octets.clear();
            head.write(&mut octets);
            end = octets.len();
            octets.extend_from_slice(b"sealed");
            assert_eq!(PrivateHead::read(&octets), Some((head, b"sealed".as_slice())));
        }
        for (at, count) in [(8, 5), (8, 255), (9, 4), (9, 255)] {
            let mut other = octets.clone();
            other[at] = count;
            assert_eq!(PrivateHead::read(&other), None, "{count} at {at}");
        }
        assert_eq!(PrivateHead::read(&octets[..end - 1]), None, "it is cut");
    }

    #[test]
    fn what_is_about_more_persons_than_a_head_names_is_opened() {
        let folder = std::env::temp_dir().join(format!("oncegate-keys-persons-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let keys = Keys::open(&folder).expect("opens");
        let identifiers: Vec<_> = (0..5).map(Identifier::synthetic).collect();
        let private = Private { subject: identifiers.into(), ..Private::default() };
        let record = Record::new(crate::evidence::tlog::RecordKind::Audit, UnixTime::from_ms(7));
        let beside = keys.seal(&record, &private, None).expect("sealed");
        let opened = keys.open_private(&beside.private).expect("it is opened");
        assert_eq!(opened.windows(9).filter(|window| window == b"XX-OGTEST").count(), 5, "{}", opened.escape_ascii());
    }

    #[test]
    fn all_keys_before_a_ticket_are_gone() {
        let mut tree = tree("before");
        let keys: Vec<_> = (0..600).map(|ticket| tree.key(ticket)).collect();
        for before in [1, 17, 256, 300, 599] {
            tree = without(tree, &[], before);
            for (ticket, key) in (0..).zip(&keys) {
                assert_eq!(tree.key(ticket), if ticket < before { None } else { *key }, "{ticket} of {before}");
            }
            assert!(tree.nodes.len() < 256 * 8, "{}", tree.nodes.len());
        }
    }
}
