//! Open work: what was accepted and is not over.
//!
//! Questions that wait for their holder or its answer, answers and words of progress that wait for whoever asked, events that
//! wait for their subscribers. All of it lies on a [`Shelf`] and is a fold over the journal ([`Work::fold`]): a start reads the
//! records that the shelf has not got, and memory holds only what is being done at this moment and a line for each agency that
//! something waits for. There is no clock here and no disk; time is an argument.
//!
//! Whoever can be reached has a door at which work is handed out: a holder that fails is tried later and later, each for itself
//! and not message by message. Whoever cannot comes for it and gets it on lease. Of what waits for one receiver the nearest
//! deadline comes first, within three classes; what has an order is never overtaken.

mod counts;
mod doors;
mod facts;
mod notice;
mod row;
mod shelf;
mod variants;

pub use counts::{Counts, State};
pub use doors::Way;
pub use facts::{Told, action};
pub use notice::Notice;
pub use row::{Key, Row, Stage, What};
pub use shelf::{Change, Memory, Shelf, conformance};
pub use variants::Variant;

use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
pub use crate::message::schema::Priority as Class;
use doors::Doors;
use row::of;
use std::collections::BTreeMap;

/// What the journal says of a piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It was accepted: its record is durable, with its octets.
    Accepted(Row),
    /// A worker of its receiver has it.
    Leased {
        /// Which.
        key: Key,
        /// The digest of what it has.
        digest: Option<Digest>,
        /// The record of the lease.
        lease: u64,
        /// When it runs out.
        until: UnixTime,
    },
    /// It has it for longer.
    Extended {
        /// Which.
        key: Key,
        /// When its lease runs out.
        until: UnixTime,
    },
    /// Its receiver has taken it. A question is answered later; everything else is over.
    Taken {
        /// Which.
        key: Key,
        /// When the receiver wants to be asked again.
        again: Option<UnixTime>,
    },
    /// It is over.
    Ended(Key),
    /// An event was accepted; the receiver of its row is its publisher.
    Published(Row),
    /// A variant of an event was accepted, which names that event by its digest; the receiver of its row is its publisher.
    Variant(Row, Digest),
    /// An event was withheld from a subscriber, which is told so; and its publisher is, once.
    Withheld {
        /// Which, and from whom.
        key: Key,
        /// The word to the subscriber.
        word: Row,
    },
}

/// What is being done with a piece of work at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    /// It is on its way to its receiver.
    Delivering,
    /// Its lease is being recorded.
    Leasing,
    /// What became of it is being recorded.
    Settling,
    /// That it was cancelled is being recorded.
    Cancelling(Carrier),
}

/// Whoever took something to its receiver before it was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// It is on its way.
    Out,
    /// It is back, or there is none.
    Back,
}

/// Why something is not cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCancelled {
    /// It is not open.
    Unknown,
    /// It is just being ended otherwise.
    TooLate,
}

/// All open work.
pub struct Work<S> {
    shelf: S,
    doors: Doors,
    ways: Ways,
    busy: BTreeMap<Key, Busy>,
    counts: Counts,
    /// What has a record before this one may have been handed out by an earlier run of the program, which told nobody.
    begun: u64,
}

/// How each receiver gets what waits for it.
pub type Ways = Box<dyn Fn(&AgencyId) -> Way + Send>;

impl<S: Shelf> Work<S> {
    /// The work that lies on a shelf. Of all of it it is unknown whether it was handed out before, until [`Work::begin`] is told.
    pub fn open(shelf: S, ways: Ways) -> Self {
        let counts = counted(&shelf);
        let mut work = Self { shelf, doors: Doors::default(), ways, busy: BTreeMap::new(), counts, begun: u64::MAX };
        let mut next = row::waiting_behind(None);
        while let Some(place) = work.shelf.from(&next).and_then(|(key, _)| row::read_waiting(&key)) {
            next = row::waiting_behind(Some(&place.key.to));
            work.look(&place.key.to);
        }
        work
    }

    /// It has been told of all records, of which there are so many: what comes from now on was never handed out before.
    pub fn begin(&mut self, records: u64) {
        self.begun = records;
    }

    /// Whether its receiver may have something already. That it was on its way to one that can be reached is not on record.
    fn may_be_there(&self, row: &Row) -> bool {
        let is_of_before = row.key.index < self.begun && self.way(&row.key.to) == Way::Push;
        row.stage != Stage::Waiting || row.tries > 0 || is_of_before
    }

    /// The receivers have changed: others may be reached, and events have other subscribers.
    pub fn arrange(&mut self, ways: Ways) {
        self.ways = ways;
        for to in self.doors.names() {
            self.look(&to);
        }
        let mut next = vec![of::EVENT];
        while let Some(index) = self.shelf.from(&next).and_then(|(key, _)| row::read_event(of::EVENT, &key)) {
            self.shelf.write(vec![(row::fresh(index), Some(Vec::new()))]);
            next = [row::event(index), vec![0]].concat();
        }
    }

    /// Takes what the journal says. It may be said again: a start begins with what the shelf may have already.
    pub fn fold(&mut self, fact: Fact) {
        match fact {
            Fact::Accepted(row) => self.put(&row),
            Fact::Leased { key, digest, lease, until } => {
                let is_known = self.row(&key).is_some();
                match self.event(key.index).filter(|_| !is_known) {
                    // Of an event that has not been given to its subscribers again yet: one of them has it.
                    Some(event) => {
                        let given = self.given_of(event, digest, &key.to);
                        self.put(&Row { stage: Stage::Leased { lease, until }, ..given });
                    }
                    None => self.move_on(&key, |row| row.stage = Stage::Leased { lease, until }),
                }
            }
            Fact::Extended { key, until } => self.move_on(&key, |row| {
                if let Stage::Leased { until: end, .. } = &mut row.stage {
                    // A clock that was set back takes nothing from a worker.
                    *end = until.max(*end);
                }
            }),
            Fact::Taken { key, again } => match self.row(&key) {
                Some(row) if row.what == What::Question => {
                    self.is_back(&key);
                    self.move_on(&key, |row| row.stage = Stage::Delivered(again));
                }
                Some(row) => self.remove(&row),
                None => self.note_had(&key),
            },
            Fact::Ended(key) => match self.row(&key) {
                Some(row) => self.remove(&row),
                None => self.note_had(&key),
            },
            Fact::Published(event) => {
                let index = event.key.index;
                let due = row::due(event.deadline, &event.key);
                let kept = [(row::event(index), event.write()), (row::fresh(index), Vec::new()), (due, Vec::new())];
                self.shelf.write(kept.into_iter().map(|(key, value)| (key, Some(value))).collect());
                self.join_variants(&event);
            }
            Fact::Variant(row, base) => self.keep_variant(&row, &base),
            Fact::Withheld { key, word } => {
                self.fold(Fact::Ended(key.clone()));
                self.put(&word);
                self.tell_publisher(key.index, &word);
            }
        }
    }

    /// The next that may be taken to its receiver now; it is on its way from then on.
    pub fn next(&mut self, now: UnixTime) -> Option<Row> {
        let place = self.doors.next(now)?;
        let row = self.row(&place.key)?;
        let tries = if self.may_be_there(&row) { row.tries.max(1) } else { row.tries };
        self.busy.insert(place.key.clone(), Busy::Delivering);
        self.doors.set_out(&place.key.to);
        self.look(&place.key.to);
        Some(Row { tries, ..row })
    }

    /// Whoever took something to its receiver is back, and reached it.
    pub fn reached(&mut self, to: &AgencyId) {
        self.doors.reached(to);
        self.look(to);
    }

    /// Whoever took something to its receiver is back, and did not reach it: it waits again, and the receiver is left alone for
    /// longer and longer. `spread`, of 0 to 999, moves the moment so that not all come back at once.
    pub fn failed(&mut self, key: &Key, now: UnixTime, spread: u64) {
        self.doors.failed(&key.to, now, spread);
        self.release(key);
    }

    /// Whoever was to take something to its receiver was not let go: it waits as before, and its receiver is left alone until then.
    pub fn put_off(&mut self, key: &Key, until: UnixTime) {
        self.doors.is_back(&key.to);
        self.doors.leave_alone(&key.to, until);
        if self.busy.get(key) == Some(&Busy::Delivering) {
            self.busy.remove(key);
        }
        self.look(&key.to);
    }

    /// Nothing is taken to a receiver before then.
    pub fn leave_alone(&mut self, to: &AgencyId, until: UnixTime) {
        self.doors.leave_alone(to, until);
        self.look(to);
    }

    /// What was being done with it has come to nothing: it is as it was before, and whoever gets it is told that it may have come
    /// before.
    pub fn release(&mut self, key: &Key) {
        self.is_back(key);
        self.move_on(key, |row| row.tries = row.tries.saturating_add(1));
    }

    /// Whoever was about it is not any more.
    fn is_back(&mut self, key: &Key) {
        match self.busy.get_mut(key) {
            Some(Busy::Cancelling(carrier)) => *carrier = Carrier::Back,
            _ => drop(self.busy.remove(key)),
        }
    }

    /// It is on its way to its receiver, and is kept from now on.
    pub fn set_out(&mut self, key: &Key) {
        self.busy.insert(key.clone(), Busy::Delivering);
        self.doors.set_out(&key.to);
    }

    /// Nobody is about it any more, and nobody has had it meanwhile.
    pub fn free(&mut self, key: &Key) {
        if matches!(self.busy.get(key), Some(Busy::Settling | Busy::Leasing)) {
            self.busy.remove(key);
            self.look(&key.to);
        }
    }

    /// Whether a subscriber has had an event, or was refused it; of its publisher, whether it was told that it was withheld.
    pub fn has_had(&self, key: &Key) -> bool {
        self.shelf.get(&row::had(key.index, Some(&key.to))).is_some()
    }

    /// Whether the outcome of what is on its way may be recorded now: not if it was cancelled meanwhile.
    pub fn settle(&mut self, key: &Key) -> bool {
        match self.busy.get_mut(key) {
            Some(busy @ (Busy::Delivering | Busy::Settling)) => {
                *busy = Busy::Settling;
                true
            }
            Some(Busy::Cancelling(carrier)) => {
                *carrier = Carrier::Back;
                false
            }
            _ => false,
        }
    }

    /// Takes up a question that its holder answers by a message of its own; nothing if nobody expects that, or somebody is about
    /// it.
    pub fn answered(&mut self, digest: &Digest, holder: &AgencyId) -> Option<Row> {
        let row = self.question(digest).filter(|row| row.key.to == *holder && !self.busy.contains_key(&row.key))?;
        self.busy.insert(row.key.clone(), Busy::Settling);
        self.look(&row.key.to);
        Some(row)
    }

    /// Takes up a question that its sender cancels.
    pub fn cancel(&mut self, digest: &Digest, sender: &AgencyId) -> Result<Row, NotCancelled> {
        let row = self.question(digest).filter(|row| row.sender == *sender).ok_or(NotCancelled::Unknown)?;
        match self.busy.get(&row.key) {
            busy @ (None | Some(Busy::Delivering | Busy::Leasing)) => {
                let is_away = busy.is_some();
                let carrier = if busy == Some(&Busy::Delivering) { Carrier::Out } else { Carrier::Back };
                self.busy.insert(row.key.clone(), Busy::Cancelling(carrier));
                // Its receiver may have it by now.
                self.move_on(&row.key, |row| row.tries = row.tries.saturating_add(u32::from(is_away)));
                Ok(row)
            }
            Some(Busy::Settling | Busy::Cancelling(_)) => Err(NotCancelled::TooLate),
        }
    }

    /// A cancel could not be recorded: whoever is on the way with it goes on.
    pub fn uncancel(&mut self, key: &Key) {
        if self.busy.remove(key) == Some(Busy::Cancelling(Carrier::Out)) {
            self.busy.insert(key.clone(), Busy::Delivering);
        }
        self.look(&key.to);
    }

    /// Takes up so many that wait for a receiver, to be leased once that is recorded.
    pub fn take(&mut self, to: &AgencyId, now: UnixTime, most: usize) -> Vec<Row> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(place) = self.eligible(to) else { break };
            // What is past its time `expired` is about to end.
            let Some(row) = self.row(&place.key).filter(|row| row.deadline > now) else { break };
            self.busy.insert(place.key, Busy::Leasing);
            taken.push(row);
        }
        self.look(to);
        taken
    }

    /// Whether what was taken up may be given to the worker, now that its lease is recorded: not if it was cancelled meanwhile.
    pub fn lease(&mut self, key: &Key, lease: u64, until: UnixTime) -> bool {
        let is_leasing = self.busy.get(key) == Some(&Busy::Leasing);
        if is_leasing {
            self.busy.remove(key);
            self.look(&key.to);
        }
        is_leasing && self.row(key).is_some_and(|row| row.stage == Stage::Leased { lease, until })
    }

    /// What a receiver has on lease by this name, if it still has it and nobody is about it.
    pub fn leased(&self, to: &AgencyId, lease: u64) -> Option<Row> {
        let key = row::read_key(&self.shelf.get(&row::leased(to, lease))?)?;
        self.row(&key).filter(|row| !self.busy.contains_key(&row.key))
    }

    /// Takes up what a receiver has on lease, to record what becomes of it.
    pub fn take_leased(&mut self, to: &AgencyId, lease: u64) -> Option<Row> {
        let row = self.leased(to, lease)?;
        self.busy.insert(row.key.clone(), Busy::Settling);
        Some(row)
    }

    /// A worker gives back what it has on lease.
    pub fn give_back(&mut self, key: &Key) {
        self.move_on(key, |row| (row.stage, row.tries) = (Stage::Waiting, row.tries.saturating_add(1)));
    }

    /// What comes back by itself now waits again: leases that have run out, holders that wanted to be asked again. Says whose.
    pub fn come_back(&mut self, now: UnixTime) -> Option<AgencyId> {
        let key = self.first_timed(of::TIMER, now)?;
        self.give_back(&key);
        Some(key.to)
    }

    /// The next whose deadline is past; it is being ended from then on.
    pub fn expired(&mut self, now: UnixTime) -> Option<Row> {
        loop {
            let key = self.first_timed(of::DUE, now)?;
            if let Some(row) = self.row(&key) {
                self.busy.insert(key.clone(), Busy::Settling);
                self.look(&key.to);
                return Some(row);
            }
            self.forget_event(&key);
        }
    }

    /// When there is something to do, if nothing happens before.
    pub fn wakes(&self) -> Option<UnixTime> {
        let timed = |of: u8| self.idle_from(of).map(|(at, _)| at);
        [self.doors.wakes(), timed(of::DUE), timed(of::TIMER)].into_iter().flatten().min()
    }

    /// A sender's question.
    pub fn asked(&self, sender: &AgencyId, id: MessageId) -> Option<Row> {
        self.row(&row::read_key(&self.shelf.get(&row::by_id(id, sender))?)?)
    }

    /// A question by its digest.
    pub fn question(&self, digest: &Digest) -> Option<Row> {
        self.row(&row::read_key(&self.shelf.get(&row::by_digest(digest))?)?)
    }

    /// A piece of work.
    pub fn row(&self, key: &Key) -> Option<Row> {
        self.shelf.get(&row::row(key)).and_then(|octets| Row::read(key.clone(), &octets))
    }

    /// The first event from a record on that has not been given to all that may have it.
    pub fn fresh_event(&self, from: u64) -> Option<Row> {
        let (key, _) = self.shelf.from(&row::fresh(from))?;
        let index = row::read_event(of::FRESH, &key)?;
        self.event(index)
    }

    /// An event that is kept. The receiver of its row is its publisher.
    pub fn event(&self, index: u64) -> Option<Row> {
        variants::read(index, &self.shelf.get(&row::event(index))?)
    }

    /// Whether an event was withheld from somebody.
    pub fn is_withheld(&self, index: u64) -> bool {
        self.event(index).is_some_and(|event| self.has_had(&event.key))
    }

    /// Gives an event to a subscriber, if it has not had it and does not wait for it.
    pub fn give(&mut self, event: &Row, to: &AgencyId) {
        self.give_variant(event, event, to);
    }

    /// An event was given to all that may have it.
    pub fn given(&mut self, index: u64) {
        self.shelf.write(vec![(row::fresh(index), None)]);
    }

    /// Whether anything waits for a receiver that could be handed out.
    pub fn waits_for(&self, to: &AgencyId) -> bool {
        self.eligible(to).is_some()
    }

    /// How a receiver gets what waits for it.
    pub fn way(&self, to: &AgencyId) -> Way {
        (self.ways)(to)
    }

    /// How much is open.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// When the oldest of what is still to be done was accepted. Events that are kept for whoever comes late are not.
    pub fn waits_since(&self) -> Option<UnixTime> {
        let (key, octets) = self.shelf.from(&[of::ROW])?;
        Row::read(row::read_key(key.strip_prefix(&[of::ROW])?)?, &octets).map(|row| row.since)
    }

    /// When the oldest of what is open was accepted: its octets, and those of all later records, are still wanted.
    pub fn oldest(&self) -> Option<UnixTime> {
        let event = self.shelf.from(&[of::EVENT]).and_then(|(key, _)| self.event(row::read_event(of::EVENT, &key)?));
        let event = event.map(|event| event.since);
        [self.waits_since(), event, self.oldest_variant()].into_iter().flatten().min()
    }

    /// The oldest of what is open, so many at most: for those who look after it.
    pub fn first_rows(&self, most: usize) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut next = vec![of::ROW];
        while rows.len() < most
            && let Some((key, octets)) = self.shelf.from(&next)
            && let Some(name) = key.strip_prefix(&[of::ROW])
        {
            rows.extend(row::read_key(name).and_then(|name| Row::read(name, &octets)));
            next = [key.as_slice(), &[0]].concat();
        }
        rows
    }

    /// Until when a receiver that did not answer is left alone.
    pub fn left_alone_until(&self, to: &AgencyId) -> Option<UnixTime> {
        self.doors.opens(to)
    }

    /// The shelf.
    pub fn shelf(&self) -> &S {
        &self.shelf
    }

    /// The shelf, to have it saved.
    pub fn shelf_mut(&mut self) -> &mut S {
        &mut self.shelf
    }

    /// How many are on their way.
    pub fn under_way(&self) -> usize {
        self.busy.len()
    }

    /// A subscriber has had an event that has not been given to it again yet. Of what is no event there is nothing to note.
    fn note_had(&mut self, key: &Key) {
        if self.shelf.get(&row::event(key.index)).is_some() {
            self.shelf.write(vec![(row::had(key.index, Some(&key.to)), Some(Vec::new()))]);
        }
    }

    /// Its publisher is told once that an event was withheld from some: neither from whom nor from how many.
    fn tell_publisher(&mut self, index: u64, word: &Row) {
        let Some(event) = self.event(index).filter(|event| !self.has_had(&event.key)) else { return };
        let key = Key { index: word.key.index, ..event.key.clone() };
        let row = Row { key, what: What::Withheld, since: word.since, order: None, ..event.clone() };
        let had = (row::had(index, Some(&event.key.to)), Some(Vec::new()));
        self.change(None, Some(&row), vec![had]);
        self.look(&row.key.to);
    }

    fn put(&mut self, row: &Row) {
        let before = self.row(&row.key);
        self.change(before.as_ref(), Some(row), Vec::new());
        self.look(&row.key.to);
    }

    /// Puts one row in the place of another, with what else changes, and counts them.
    fn change(&mut self, before: Option<&Row>, after: Option<&Row>, more: Vec<Change>) {
        let mut changes = before.map_or_else(Vec::new, taken_out);
        changes.extend(after.map_or_else(Vec::new, put_in));
        changes.extend(more);
        before.into_iter().for_each(|row| self.counts.take(row));
        after.into_iter().for_each(|row| self.counts.add(row));
        changes.push((vec![of::COUNTS], self.counts.write()));
        self.shelf.write(changes);
    }

    fn move_on(&mut self, key: &Key, change: impl FnOnce(&mut Row)) {
        if let Some(before) = self.row(key) {
            let mut row = before.clone();
            change(&mut row);
            self.change(Some(&before), Some(&row), Vec::new());
        }
        self.look(&key.to);
    }

    fn remove(&mut self, row: &Row) {
        let mut changes = Vec::new();
        if row.what == What::Event && self.shelf.get(&row::event(row.key.index)).is_some() {
            changes.push((row::had(row.key.index, Some(&row.key.to)), Some(Vec::new())));
        }
        self.change(Some(row), None, changes);
        self.busy.remove(&row.key);
        self.look(&row.key.to);
    }

    /// Nobody may have an event any more.
    pub fn forget_event(&mut self, key: &Key) {
        if self.forget_variant(key.index) {
            return;
        }
        let Some(event) = self.event(key.index) else {
            let due = self.first_due(key).map(|due| vec![(due, None)]);
            return self.shelf.write(due.unwrap_or_default());
        };
        let mut changes =
            vec![(row::event(key.index), None), (row::fresh(key.index), None), (row::due(event.deadline, &event.key), None)];
        let start = row::had(key.index, None);
        let mut next = start.clone();
        while let Some((found, _)) = self.shelf.from(&next).filter(|(found, _)| found.starts_with(&start)) {
            next = [found.as_slice(), &[0]].concat();
            changes.push((found, None));
        }
        self.shelf.write(changes);
    }

    /// A deadline of nothing.
    fn first_due(&self, key: &Key) -> Option<Vec<u8>> {
        let (found, _) = self.shelf.from(&[of::DUE])?;
        row::read_timed(of::DUE, &found).filter(|(_, other)| other == key).map(|_| found)
    }

    /// Sees what can be handed out first at a receiver's door.
    fn look(&mut self, to: &AgencyId) {
        let head = self.eligible(to);
        self.doors.has(to, head, self.way(to));
    }

    /// The first of what waits for a receiver that nobody is about and that nothing earlier stands before.
    fn eligible(&self, to: &AgencyId) -> Option<row::Place> {
        let mut next = row::waiting(to, None);
        for _ in 0..limits::WORK_SCAN_MAX {
            let (key, order) = self.shelf.from(&next)?;
            let place = row::read_waiting(&key).filter(|place| place.key.to == *to)?;
            if !self.busy.contains_key(&place.key) && self.is_first(&place.key, &order) {
                return Some(place);
            }
            next = [key.as_slice(), &[0]].concat();
        }
        None
    }

    fn is_first(&self, key: &Key, order: &[u8]) -> bool {
        let Ok(order) = <[u8; 8]>::try_from(order).map(u64::from_be_bytes) else { return true };
        let first = self.shelf.from(&row::in_order(&key.to, order, None));
        first.is_some_and(|(first, _)| first == row::in_order(&key.to, order, Some(key.index)))
    }

    /// The first of what has a time that nobody is about, if that time is past.
    fn first_timed(&self, of: u8, now: UnixTime) -> Option<Key> {
        self.idle_from(of).filter(|(at, _)| *at <= now).map(|(_, key)| key)
    }

    fn idle_from(&self, of: u8) -> Option<(UnixTime, Key)> {
        let mut next = vec![of];
        // No more are busy than this.
        for _ in 0..=self.busy.len() {
            let (key, _) = self.shelf.from(&next)?;
            let (at, row) = row::read_timed(of, &key)?;
            if !self.busy.contains_key(&row) {
                return Some((at, row));
            }
            next = [key.as_slice(), &[0]].concat();
        }
        None
    }
}

/// What lies on a shelf; one of an earlier version has no count beside it.
fn counted(shelf: &impl Shelf) -> Counts {
    if let Some(counts) = shelf.get(&[of::COUNTS]).and_then(|octets| Counts::read(&octets)) {
        return counts;
    }
    let (mut counts, mut next) = (Counts::default(), vec![of::ROW]);
    while let Some((key, octets)) = shelf.from(&next) {
        let Some(found) = key.strip_prefix(&[of::ROW]).and_then(row::read_key) else { break };
        Row::read(found, &octets).iter().for_each(|row| counts.add(row));
        next = [key.as_slice(), &[0]].concat();
    }
    counts
}

/// The changes that put a row on the shelf.
fn put_in(row: &Row) -> Vec<Change> {
    let key = row::write_key(&row.key);
    let order = row.order.map_or_else(Vec::new, |order| order.to_be_bytes().to_vec());
    let value = |found: &[u8]| match found.first() {
        Some(&of::WAITING) => order.clone(),
        Some(&(of::DIGEST | of::ID | of::LEASE)) => key.clone(),
        _ => Vec::new(),
    };
    let keys = row.keys().into_iter().map(|found| {
        let value = value(&found);
        (found, Some(value))
    });
    keys.chain([(row::row(&row.key), Some(row.write()))]).collect()
}

/// The changes that take it from there.
fn taken_out(row: &Row) -> Vec<Change> {
    row.keys().into_iter().chain([row::row(&row.key)]).map(|key| (key, None)).collect()
}

#[cfg(test)]
mod tests;
