//! All cases, as lines on a shelf: what is open, when each has something to do, and which records have its changes. What is personal is
//! sealed beside those records and nowhere else; the lines are a fold over the leaves of the log.

use super::super::work::{Change as Put, Shelf};
use super::survey::no_region;
use crate::base::ids::{AgencyId, Code, Digest, Region, Uuid};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::RecordKind;
use crate::evidence::tlog::leaf::Leaf;
use crate::message::envelope::World;
use crate::rules::quality::scoreboard::Invited;
use crate::rules::quality::{Month, Rated};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was done, in records of cases.
pub mod action {
    /// A case begins.
    pub const OPEN: &str = "open";
    /// It has changed.
    pub const CHANGE: &str = "change";
    /// It is over.
    pub const CLOSE: &str = "close";
    /// An agency gets a document for its step.
    pub const HAND: &str = "hand";
}

/// A case, as far as everybody has to know of it who looks for something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseRow {
    /// Its id.
    pub id: Uuid,
    /// Whether it is open.
    pub state: State,
    /// When something is to be done in it, if nothing happens before.
    pub wakes: Option<UnixTime>,
    /// The records of its changes; of a case that is over the log is asked.
    pub records: Vec<u64>,
    /// The keys of what started it, and of whom it is about.
    pub keys: Vec<Digest>,
    /// When it began.
    pub opened: UnixTime,
    /// The situation.
    pub situation: Option<Code>,
    /// Its version.
    pub version: Option<String>,
    /// Where.
    pub region: Option<Region>,
}

/// Whether a case is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Open,
    /// It is over.
    Closed,
}

#[derive(Serialize, Deserialize)]
struct Written {
    s: u8,
    w: u64,
    r: Vec<u64>,
    k: Vec<String>,
    o: u64,
    d: Option<String>,
    b: Option<String>,
}

/// All cases.
pub struct Book<S> {
    shelf: S,
    /// How many are open.
    open: u64,
}

mod of {
    pub const CASE: u8 = b'c';
    pub const TIMER: u8 = b't';
    pub const KEY: u8 = b'k';
    pub const LINK: u8 = b'l';
    pub const SURVEY: u8 = b'r';
    pub const INVITED: u8 = b'i';
    pub const PERSON: u8 = b'p';
    pub const OPEN: u8 = b'o';
    pub const COUNT: u8 = b'n';
}

impl<S: Shelf> Book<S> {
    /// The cases that lie on a shelf.
    pub fn open(shelf: S) -> Self {
        let open = shelf.get(&[of::COUNT]).and_then(|octets| Some(u64::from_be_bytes(octets.try_into().ok()?)));
        Self { shelf, open: open.unwrap_or(0) }
    }

    /// Takes a record, if it is one of a case, with the keys of the persons whom it is about: the only way in which a line changes. It may
    /// be told again.
    pub fn record(&mut self, leaf: &Leaf, index: u64, persons: &[u64]) {
        if leaf.kind != RecordKind::Case.as_str() {
            return;
        }
        let Some(id) = leaf.case.as_deref().and_then(Uuid::parse) else { return };
        let before = self.row(&id);
        let mut row = match (&before, leaf.action.as_deref()) {
            (Some(row), Some(action::OPEN | action::CHANGE | action::CLOSE)) => row.clone(),
            (None, Some(action::OPEN)) => CaseRow {
                id,
                state: State::Open,
                wakes: None,
                records: Vec::new(),
                keys: [&leaf.counterpart, &leaf.digest]
                    .into_iter()
                    .flatten()
                    .filter_map(|key| Digest::parse_base64url(key))
                    .collect(),
                opened: UnixTime::from_ms(leaf.time),
                situation: leaf.purpose.as_deref().and_then(Code::parse),
                version: leaf.basis.as_deref().and_then(|basis| basis.split(' ').next()).map(str::to_owned),
                region: leaf.basis.as_deref().and_then(|basis| Region::parse(basis.split_once(' ')?.1)),
            },
            _ => return,
        };
        if row.records.last().is_some_and(|last| *last >= index) {
            return;
        }
        row.wakes = leaf.until.map(UnixTime::from_ms);
        row.records.push(index);
        // An event that has joined a case that was applied for.
        let start = leaf.counterpart.as_deref().and_then(Digest::parse_base64url);
        if let (Some(start), true) = (start, leaf.action.as_deref() == Some(action::CHANGE)) {
            self.shelf.write(vec![(keyed(&start), Some(id.octets().to_vec()))]);
        }
        let link = leaf.digest.as_deref().and_then(Digest::parse_base64url);
        if let (Some(link), true) = (link, leaf.action.as_deref() == Some(action::CHANGE)) {
            self.shelf.write(vec![(linked(&link), Some(id.octets().to_vec()))]);
        }
        if leaf.action.as_deref() == Some(action::CLOSE) {
            if let (Some(link), State::Open) = (link, row.state) {
                self.invite(leaf, &row, &link);
            }
            row.state = State::Closed;
        }
        if before.is_none() {
            self.shelf.write(persons.iter().map(|person| (about(*person, &id), Some(Vec::new()))).collect());
        }
        self.put(before.as_ref(), &row);
    }

    /// Somebody is asked how it was: under which link, and one more of those about this, here and in this month. Who has answered is
    /// counted elsewhere.
    fn invite(&mut self, leaf: &Leaf, row: &CaseRow, link: &Digest) {
        let Some(situation) = &row.situation else { return };
        let coordinator = leaf.consumer.as_deref().and_then(AgencyId::parse);
        let region = row.region.clone().or_else(|| no_region(coordinator.as_ref()?));
        let Some(region) = region else { return };
        let month = Month::of(UnixTime::from_ms(leaf.time).day());
        let world = if leaf.test.is_some() { World::Test } else { World::Live };
        let key = [&[of::INVITED, letter(world)], format!(" {month} {region} {situation}").as_bytes()].concat();
        let count = self.shelf.get(&key).and_then(|octets| Some(u64::from_be_bytes(octets.try_into().ok()?))).unwrap_or(0);
        self.shelf.write(vec![(key, Some((count + 1).to_be_bytes().to_vec())), (surveyed(link), Some(row.id.octets().to_vec()))]);
    }

    /// How many were asked how it was: about what, where and when, in a world.
    pub fn invited(&self, world: World) -> Vec<Invited> {
        let prefix = [of::INVITED, letter(world), b' '];
        let (mut from, mut found) = (prefix.to_vec(), Vec::new());
        while let Some((key, octets)) = self.shelf.from(&from) {
            let Some(rest) = key.strip_prefix(&prefix) else { break };
            found.extend(read_invited(rest, &octets));
            from = [key.as_slice(), &[0]].concat();
        }
        found
    }

    /// The case that an invitation is of, by the link's hash; whether it still takes an answer the case says.
    pub fn by_survey(&self, link: &Digest) -> Option<Uuid> {
        read_id(&self.shelf.get(&surveyed(link))?)
    }

    fn put(&mut self, before: Option<&CaseRow>, row: &CaseRow) {
        let mut changes: Vec<Put> = Vec::new();
        changes.extend(before.and_then(|row| Some((timer(row.wakes?, &row.id), None))));
        changes.extend(row.wakes.map(|wakes| (timer(wakes, &row.id), Some(Vec::new()))));
        changes.push((case(&row.id), Some(row.write())));
        if before.is_none() {
            changes.extend(row.keys.iter().map(|key| (keyed(key), Some(row.id.octets().to_vec()))));
        }
        let was_open = before.is_some_and(|row| row.state == State::Open);
        if was_open != (row.state == State::Open) {
            self.open = if was_open { self.open.saturating_sub(1) } else { self.open + 1 };
            changes.push((opened(&row.id), (!was_open).then(Vec::new)));
            changes.push((vec![of::COUNT], Some(self.open.to_be_bytes().to_vec())));
        }
        self.shelf.write(changes);
    }

    /// A case.
    pub fn row(&self, id: &Uuid) -> Option<CaseRow> {
        self.shelf.get(&case(id)).and_then(|octets| CaseRow::read(*id, &octets))
    }

    /// The case that something with this key has started.
    pub fn by_key(&self, key: &Digest) -> Option<Uuid> {
        read_id(&self.shelf.get(&keyed(key))?)
    }

    /// The cases about any of some persons, by their keys, in the order in which they began. Of those that are over only the log knows more.
    pub fn about(&self, persons: &[u64]) -> Vec<CaseRow> {
        let mut found = BTreeMap::new();
        for person in persons {
            let mut from = about(*person, &Uuid::from_octets([0; 16]));
            let prefix = from.get(..9).unwrap_or_default().to_vec();
            while let Some((key, _)) = self.shelf.from(&from) {
                let Some(id) = key.strip_prefix(prefix.as_slice()).and_then(read_id) else { break };
                found.extend(self.row(&id).map(|row| ((row.opened, id), row)));
                from = [key.as_slice(), &[0]].concat();
            }
        }
        found.into_values().collect()
    }

    /// The case that a personal link is of, by the link's hash; whether it is still in force the case says.
    pub fn by_link(&self, link: &Digest) -> Option<Uuid> {
        read_id(&self.shelf.get(&linked(link))?)
    }

    /// The next case in which something is to be done by a time. It comes again after a while if nothing comes of it.
    pub fn due(&mut self, now: UnixTime) -> Option<Uuid> {
        let (key, _) = self.shelf.from(&[of::TIMER])?;
        let (at, id) = read_timer(&key)?;
        if at > now {
            return None;
        }
        match self.row(&id).is_some_and(|row| row.wakes == Some(at)) {
            true => self.wake(&id, now.plus_ms(limits::CASE_AGAIN_MS)),
            false => self.shelf.write(vec![(key, None)]),
        }
        Some(id)
    }

    /// Something is to be done in a case at a time, that is not written down: it was tried, and came to nothing.
    pub fn wake(&mut self, id: &Uuid, at: UnixTime) {
        let Some(before) = self.row(id) else { return };
        let row = CaseRow { wakes: Some(at), ..before.clone() };
        if row != before {
            self.put(Some(&before), &row);
        }
    }

    /// Something is to be done in a case at a time, or before.
    pub fn wake_by(&mut self, id: &Uuid, at: UnixTime) {
        let is_earlier = self.row(id).is_some_and(|row| row.wakes.is_none_or(|wakes| at < wakes));
        if is_earlier {
            self.wake(id, at);
        }
    }

    /// Nothing is to be done in a case unless something happens.
    pub fn sleep(&mut self, id: &Uuid) {
        let Some(before) = self.row(id) else { return };
        let row = CaseRow { wakes: None, ..before.clone() };
        self.put(Some(&before), &row);
    }

    /// When something is to be done, if nothing happens before.
    pub fn wakes(&self) -> Option<UnixTime> {
        let (key, _) = self.shelf.from(&[of::TIMER])?;
        read_timer(&key).map(|(at, _)| at)
    }

    /// The first open case behind another one, in the order in which they began.
    pub fn open_behind(&self, last: Option<&Uuid>) -> Option<CaseRow> {
        let from = last.map_or_else(|| vec![of::OPEN], |last| [opened(last).as_slice(), &[0]].concat());
        let (key, _) = self.shelf.from(&from)?;
        self.row(&read_id(key.strip_prefix(&[of::OPEN])?)?)
    }

    /// How many are open.
    pub fn count_open(&self) -> u64 {
        self.open
    }

    /// The shelf.
    pub fn shelf(&self) -> &S {
        &self.shelf
    }

    /// The shelf, to have it saved.
    pub fn shelf_mut(&mut self) -> &mut S {
        &mut self.shelf
    }
}

impl CaseRow {
    fn write(&self) -> Vec<u8> {
        let written = Written {
            s: u8::from(self.state == State::Closed),
            w: self.wakes.map_or(0, UnixTime::as_ms),
            // The log has those of a case that is over.
            r: if self.state == State::Open { self.records.clone() } else { self.records.last().copied().into_iter().collect() },
            k: if self.state == State::Open { self.keys.iter().map(|key| key.to_base64url()).collect() } else { Vec::new() },
            o: self.opened.as_ms(),
            d: self.situation.as_ref().map(ToString::to_string),
            b: self.version.as_ref().map(|version| match &self.region {
                Some(region) => format!("{version} {region}"),
                None => version.clone(),
            }),
        };
        serde_json::to_vec(&written).unwrap_or_default()
    }

    fn read(id: Uuid, octets: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(octets).ok()?;
        Some(Self {
            id,
            state: if written.s == 0 { State::Open } else { State::Closed },
            wakes: (written.w > 0).then(|| UnixTime::from_ms(written.w)),
            records: written.r,
            keys: written.k.iter().filter_map(|key| Digest::parse_base64url(key)).collect(),
            opened: UnixTime::from_ms(written.o),
            situation: written.d.as_deref().and_then(Code::parse),
            version: written.b.as_deref().and_then(|both| both.split(' ').next()).map(str::to_owned),
            region: written.b.as_deref().and_then(|both| Region::parse(both.split_once(' ')?.1)),
        })
    }
}

fn case(id: &Uuid) -> Vec<u8> {
    [&[of::CASE], id.octets().as_slice()].concat()
}

fn opened(id: &Uuid) -> Vec<u8> {
    [&[of::OPEN], id.octets().as_slice()].concat()
}

fn keyed(key: &Digest) -> Vec<u8> {
    [&[of::KEY], key.octets().as_slice()].concat()
}

fn about(person: u64, case: &Uuid) -> Vec<u8> {
    [&[of::PERSON], person.to_be_bytes().as_slice(), case.octets()].concat()
}

fn linked(link: &Digest) -> Vec<u8> {
    [&[of::LINK], link.octets().as_slice()].concat()
}

const fn letter(world: World) -> u8 {
    match world {
        World::Test => b't',
        World::Live => b'l',
    }
}

fn surveyed(link: &Digest) -> Vec<u8> {
    [&[of::SURVEY], link.octets().as_slice()].concat()
}

fn read_invited(key: &[u8], octets: &[u8]) -> Option<Invited> {
    let mut words = std::str::from_utf8(key).ok()?.splitn(3, ' ');
    let (month, region) = (Month::parse(words.next()?)?, Region::parse(words.next()?)?);
    let rated = Rated::Situation(Code::parse(words.next()?)?);
    Some(Invited { rated, region, month, count: u64::from_be_bytes(octets.try_into().ok()?) })
}

fn timer(at: UnixTime, id: &Uuid) -> Vec<u8> {
    [&[of::TIMER], at.as_ms().to_be_bytes().as_slice(), id.octets()].concat()
}

fn read_timer(key: &[u8]) -> Option<(UnixTime, Uuid)> {
    let rest = key.strip_prefix(&[of::TIMER])?;
    let (at, id) = rest.split_first_chunk::<8>()?;
    Some((UnixTime::from_ms(u64::from_be_bytes(*at)), read_id(id)?))
}

fn read_id(octets: &[u8]) -> Option<Uuid> {
    <[u8; 16]>::try_from(octets).ok().map(Uuid::from_octets)
}

#[cfg(test)]
#[path = "tests/limits.rs"]
mod limits_tests;
