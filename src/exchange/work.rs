//! Open work: questions that were accepted to be delivered, and are not over.
//!
//! A pure state without clock or disk. What is accepted, delivered and ended is in the journal, and this is a fold over it: a
//! start reads it again. Holders that cannot be reached are tried again later and later, each for itself and not message by
//! message; of what waits for one holder the nearest deadline comes first.

use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::exchange::ledger::OutcomePlace;
use std::collections::{BTreeMap, BTreeSet};

/// A question that is kept until it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Who asked.
    pub sender: AgencyId,
    /// The id of the question.
    pub id: MessageId,
    /// Its digest.
    pub digest: Digest,
    /// SHA-256 of the client certificate that it came with.
    pub system: Option<Digest>,
    /// Who is asked.
    pub holder: AgencyId,
    /// Until when it may be delivered.
    pub deadline: UnixTime,
    /// The record that it is kept with.
    pub place: OutcomePlace,
    /// How often it was tried before: whoever gets it again is told so.
    pub tries: u32,
}

/// How far a question has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits to be delivered.
    Waiting,
    /// Somebody is about it: it is being delivered, or its answer is being looked at.
    UnderWay,
    /// The holder has taken it, and will answer by a message of its own.
    Delivered,
}

struct Item {
    kept: Kept,
    stage: Stage,
}

/// What is known of a holder that something waits for.
#[derive(Default)]
struct Door {
    /// By deadline and record.
    waiting: BTreeSet<(UnixTime, u64)>,
    under_way: usize,
    failures: u32,
    not_before: UnixTime,
}

impl Door {
    /// How many may be under way: one that failed is tried with one question.
    fn room(&self) -> usize {
        if self.failures == 0 { limits::DELIVERIES_PER_HOLDER } else { 1 }
    }

    fn is_open(&self, now: UnixTime) -> bool {
        self.under_way < self.room() && self.not_before <= now
    }
}

/// All open work.
#[derive(Default)]
pub struct Work {
    /// By the record of the question.
    items: BTreeMap<u64, Item>,
    doors: BTreeMap<AgencyId, Door>,
    by_digest: BTreeMap<Digest, u64>,
    by_id: BTreeMap<(MessageId, AgencyId), u64>,
    /// All that is not under way, by deadline.
    deadlines: BTreeSet<(UnixTime, u64)>,
}

impl Work {
    /// A question was accepted: its record is durable, with its octets.
    pub fn accept(&mut self, kept: Kept) {
        let (index, deadline) = (kept.place.index, kept.deadline);
        self.doors.entry(kept.holder.clone()).or_default().waiting.insert((deadline, index));
        self.by_digest.insert(kept.digest, index);
        self.by_id.insert((kept.id, kept.sender.clone()), index);
        self.deadlines.insert((deadline, index));
        self.items.insert(index, Item { kept, stage: Stage::Waiting });
    }

    /// The next question that may be delivered now; it is under way from then on.
    pub fn next(&mut self, now: UnixTime) -> Option<Kept> {
        let (deadline, index) =
            self.doors.values().filter(|door| door.is_open(now)).filter_map(|door| door.waiting.first()).min().copied()?;
        let item = self.items.get_mut(&index)?;
        item.stage = Stage::UnderWay;
        self.deadlines.remove(&(deadline, index));
        if let Some(door) = self.doors.get_mut(&item.kept.holder) {
            door.waiting.remove(&(deadline, index));
            door.under_way = door.under_way.saturating_add(1);
        }
        Some(item.kept.clone())
    }

    /// The holder could not be reached, or is busy: the question waits again, and the holder is left alone for longer and longer.
    /// `spread`, of 0 to 999, moves the moment so that not all come back at once.
    pub fn failed(&mut self, index: u64, now: UnixTime, deadline: UnixTime, spread: u64) {
        let Some(item) = self.items.get_mut(&index).filter(|item| item.stage == Stage::UnderWay) else { return };
        item.stage = Stage::Waiting;
        (item.kept.deadline, item.kept.tries) = (deadline, item.kept.tries.saturating_add(1));
        self.deadlines.insert((deadline, index));
        let door = self.doors.entry(item.kept.holder.clone()).or_default();
        door.under_way = door.under_way.saturating_sub(1);
        door.waiting.insert((deadline, index));
        // Of several that were under way together the first has said it.
        if door.not_before <= now {
            let pause = limits::DELIVERY_PAUSE_MS.saturating_mul(1 << door.failures.min(16)).min(limits::DELIVERY_PAUSE_MS_MAX);
            door.failures = door.failures.saturating_add(1);
            // Between half and the whole of it.
            door.not_before = now.plus_ms(pause / 2 + (pause / 2).saturating_mul(spread.min(999)) / 999);
        }
    }

    /// The holder has taken the question, and will answer later.
    pub fn delivered(&mut self, index: u64) {
        let Some(item) = self.items.get_mut(&index).filter(|item| item.stage == Stage::UnderWay) else { return };
        item.stage = Stage::Delivered;
        self.deadlines.insert((item.kept.deadline, index));
        self.reached(index);
    }

    /// The holder answers again.
    fn reached(&mut self, index: u64) {
        let holder = self.items.get(&index).map(|item| &item.kept.holder);
        if let Some(door) = holder.and_then(|holder| self.doors.get_mut(holder)) {
            door.under_way = door.under_way.saturating_sub(1);
            (door.failures, door.not_before) = (0, UnixTime::default());
        }
    }

    /// Takes up a question that its holder answers by a message of its own; nothing if nobody expects that, or somebody is about it.
    pub fn answered(&mut self, digest: &Digest, holder: &AgencyId) -> Option<Kept> {
        let index = *self.by_digest.get(digest)?;
        let item = self.items.get_mut(&index).filter(|item| item.kept.holder == *holder && item.stage != Stage::UnderWay)?;
        let door = self.doors.entry(holder.clone()).or_default();
        door.waiting.remove(&(item.kept.deadline, index));
        door.under_way = door.under_way.saturating_add(1);
        self.deadlines.remove(&(item.kept.deadline, index));
        item.stage = Stage::UnderWay;
        Some(item.kept.clone())
    }

    /// A question that is under way is over: it was answered or refused, and that is durable.
    pub fn ended(&mut self, index: u64) {
        if self.items.get(&index).is_some_and(|item| item.stage == Stage::UnderWay) {
            self.reached(index);
        }
        let Some(Item { kept, .. }) = self.items.remove(&index) else { return };
        self.by_digest.remove(&kept.digest);
        self.by_id.remove(&(kept.id, kept.sender.clone()));
        self.deadlines.remove(&(kept.deadline, index));
        if let Some(door) = self.doors.get_mut(&kept.holder) {
            door.waiting.remove(&(kept.deadline, index));
            if door.waiting.is_empty() && door.under_way == 0 && door.failures == 0 {
                self.doors.remove(&kept.holder);
            }
        }
    }

    /// The next question whose deadline is past; it is under way from then on, to be ended.
    pub fn expired(&mut self, now: UnixTime) -> Option<Kept> {
        let (deadline, index) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now)?;
        self.deadlines.remove(&(deadline, index));
        let item = self.items.get_mut(&index)?;
        item.stage = Stage::UnderWay;
        if let Some(door) = self.doors.get_mut(&item.kept.holder) {
            door.waiting.remove(&(deadline, index));
            door.under_way = door.under_way.saturating_add(1);
        }
        Some(item.kept.clone())
    }

    /// When there is something to do, if nothing happens before.
    pub fn wakes(&self) -> Option<UnixTime> {
        let tries = self.doors.values().filter(|door| !door.waiting.is_empty() && door.under_way < door.room());
        let next = tries.map(|door| door.not_before).min();
        let end = self.deadlines.first().map(|(deadline, _)| *deadline);
        next.into_iter().chain(end).min()
    }

    /// How far a question has come, with its record; nothing if it is over or was not kept.
    pub fn stage(&self, digest: &Digest) -> Option<(Stage, u64)> {
        let index = *self.by_digest.get(digest)?;
        self.items.get(&index).map(|item| (item.stage, index))
    }

    /// How far a sender's message has come.
    pub fn stage_of(&self, sender: &AgencyId, id: MessageId) -> Option<Stage> {
        let index = *self.by_id.get(&(id, sender.clone()))?;
        self.items.get(&index).map(|item| item.stage)
    }

    /// How much is open.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_ms(1_800_000_000_000);

    fn kept(index: u64, holder: &str, seconds: u64) -> Kept {
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&index.to_be_bytes());
        let agency = |name: &str| AgencyId::parse(name).expect("an agency");
        Kept {
            sender: agency("xx.school"),
            id: MessageId::new(NOW, [1; 10]),
            digest: Digest::from_octets(octets),
            system: None,
            holder: agency(holder),
            deadline: NOW.plus_ms(seconds * 1000),
            place: OutcomePlace { index, segment: 0, offset: 0 },
            tries: 0,
        }
    }

    fn next(work: &mut Work, now: UnixTime) -> Option<u64> {
        work.next(now).map(|kept| kept.place.index)
    }

    #[test]
    fn the_nearest_deadline_comes_first() {
        let mut work = Work::default();
        for (index, seconds) in [(1, 30), (2, 10), (3, 20)] {
            work.accept(kept(index, "xx.clinic", seconds));
        }
        assert_eq!([(); 4].map(|()| next(&mut work, NOW)), [Some(2), Some(3), Some(1), None]);
    }

    #[test]
    fn a_holder_that_fails_is_left_alone_for_longer_and_longer_and_the_others_are_not() {
        let mut work = Work::default();
        for index in 1..=3 {
            work.accept(kept(index, "xx.clinic", 100_000));
        }
        let mut now = NOW;
        let mut pauses = Vec::new();
        for _ in 0..14 {
            let index = next(&mut work, now).expect("one is tried");
            if work.stage(&kept(2, "xx.clinic", 0).digest).is_none() {
                break;
            }
            assert!(pauses.is_empty() || next(&mut work, now).is_none(), "a door that failed is tried with one question");
            work.failed(index, now, NOW.plus_ms(100_000_000), 999);
            // Of those that were under way together, only the first counts.
            let wakes = work.wakes().expect("it is tried again");
            pauses.push(wakes.as_ms() - now.as_ms());
            assert!(next(&mut work, wakes.minus_ms(1)).is_none());
            now = wakes;
        }
        assert!(pauses.windows(2).all(|two| two[0] <= two[1]), "{pauses:?}");
        assert_eq!((pauses.first(), pauses.last()), (Some(&limits::DELIVERY_PAUSE_MS), Some(&limits::DELIVERY_PAUSE_MS_MAX)));
        work.accept(kept(9, "xx.register", 5));
        assert_eq!(next(&mut work, NOW), Some(9));
        let index = next(&mut work, now).expect("it is tried again");
        work.delivered(index);
        assert!(next(&mut work, now).is_some() && next(&mut work, now).is_some(), "whoever answers again is asked again");
    }

    #[test]
    fn a_holder_has_so_many_under_way_and_no_more() {
        let mut work = Work::default();
        (0..=limits::DELIVERIES_PER_HOLDER as u64).for_each(|index| work.accept(kept(index, "xx.clinic", 60)));
        (0..limits::DELIVERIES_PER_HOLDER).for_each(|_| assert!(next(&mut work, NOW).is_some()));
        assert!(next(&mut work, NOW).is_none());
        work.ended(0);
        assert!(next(&mut work, NOW).is_some());
    }

    #[test]
    fn an_answer_is_taken_once_from_the_holder_that_was_asked() {
        let mut work = Work::default();
        work.accept(kept(1, "xx.clinic", 60));
        let (digest, clinic, other) =
            (kept(1, "xx.clinic", 0).digest, kept(1, "xx.clinic", 0).holder, kept(1, "xx.other", 0).holder);
        assert!(work.answered(&digest, &other).is_none());
        assert_eq!(next(&mut work, NOW), Some(1));
        assert!(work.answered(&digest, &clinic).is_none(), "whoever delivers it takes what comes meanwhile");
        work.delivered(1);
        assert_eq!(work.stage(&digest), Some((Stage::Delivered, 1)));
        assert!(work.answered(&digest, &clinic).is_some() && work.answered(&digest, &clinic).is_none());
        work.ended(1);
        assert!(work.is_empty() && work.stage(&digest).is_none() && work.wakes().is_none() && work.doors.is_empty());
    }

    #[test]
    fn what_is_past_its_deadline_is_ended_and_not_delivered() {
        let mut work = Work::default();
        work.accept(kept(1, "xx.clinic", 10));
        work.accept(kept(2, "xx.clinic", 20));
        assert_eq!(next(&mut work, NOW), Some(1));
        work.delivered(1);
        assert!(work.expired(NOW.plus_ms(9_999)).is_none());
        let expired = work.expired(NOW.plus_ms(10_000)).expect("the first").place.index;
        assert_eq!((expired, work.expired(NOW.plus_ms(10_000))), (1, None));
        work.ended(1);
        assert_eq!(work.expired(NOW.plus_ms(20_000)).map(|kept| kept.place.index), Some(2));
        assert!(next(&mut work, NOW).is_none());
        work.ended(2);
        assert!(work.is_empty() && work.doors.is_empty());
    }
}
