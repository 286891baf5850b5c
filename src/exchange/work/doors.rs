//! The doors at which work is handed out: a line for each agency that something waits for.

use super::row::Place;
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::base::time::UnixTime;
use std::collections::{BTreeMap, BTreeSet};

/// How a receiver gets what waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is taken there.
    Push,
    /// It comes for it.
    Inbox,
    /// It is the gateway itself, for its cases.
    Here,
}

struct Door {
    way: Way,
    /// The first that can be handed out.
    head: Option<Place>,
    under_way: usize,
    failures: u32,
    not_before: UnixTime,
}

impl Door {
    /// How many may be under way: one that failed is tried with one.
    fn has_room(&self) -> bool {
        self.under_way < if self.failures == 0 { limits::DELIVERIES_PER_HOLDER } else { 1 }
    }

    /// What is to be handed out here, if anything is.
    fn offers(&self) -> Option<&Place> {
        self.head.as_ref().filter(|_| self.way != Way::Inbox && self.has_room())
    }
}

/// All doors.
#[derive(Default)]
pub(super) struct Doors {
    doors: BTreeMap<AgencyId, Door>,
    /// What can be handed out now.
    ready: BTreeSet<Place>,
    /// When doors may be tried again behind which something waits.
    paused: BTreeSet<(UnixTime, AgencyId)>,
}

impl Doors {
    /// Says how a receiver gets its work, and what is first at its door.
    pub fn has(&mut self, to: &AgencyId, head: Option<Place>, way: Way) {
        let known = self.doors.get(to).map(|door| (&door.head, door.way));
        if known.map_or(head.is_some(), |known| known != (&head, way)) {
            self.change(to, |door| (door.head, door.way) = (head, way));
        }
        if self.doors.get(to).is_some_and(|door| door.head.is_none() && door.under_way == 0 && door.failures == 0) {
            self.doors.remove(to);
        }
    }

    /// All that are known.
    pub fn names(&self) -> Vec<AgencyId> {
        self.doors.keys().cloned().collect()
    }

    /// What is handed out next.
    pub fn next(&mut self, now: UnixTime) -> Option<Place> {
        while let Some((at, to)) = self.paused.first().cloned().filter(|(at, _)| *at <= now) {
            self.paused.remove(&(at, to.clone()));
            let offered = self.doors.get(&to).and_then(Door::offers).cloned();
            self.ready.extend(offered);
        }
        self.ready.first().cloned()
    }

    /// Somebody has set out to a receiver.
    pub fn set_out(&mut self, to: &AgencyId) {
        self.change(to, |door| door.under_way = door.under_way.saturating_add(1));
    }

    /// It answered.
    pub fn reached(&mut self, to: &AgencyId) {
        self.change(to, |door| {
            door.under_way = door.under_way.saturating_sub(1);
            (door.failures, door.not_before) = (0, UnixTime::default());
        });
    }

    /// It did not answer.
    pub fn failed(&mut self, to: &AgencyId, now: UnixTime, spread: u64) {
        self.change(to, |door| {
            door.under_way = door.under_way.saturating_sub(1);
            // Of several that were under way together the first has said it.
            if door.not_before <= now {
                let pause = limits::DELIVERY_PAUSE_MS.saturating_mul(1 << door.failures.min(16));
                let pause = pause.min(limits::DELIVERY_PAUSE_MS_MAX);
                door.failures = door.failures.saturating_add(1);
                // Between half and the whole of it.
                door.not_before = now.plus_ms(pause / 2 + (pause / 2).saturating_mul(spread.min(999)) / 999);
            }
        });
    }

    /// Somebody is back who was not let go.
    pub fn is_back(&mut self, to: &AgencyId) {
        self.change(to, |door| door.under_way = door.under_way.saturating_sub(1));
    }

    /// It is not to be asked before then.
    pub fn leave_alone(&mut self, to: &AgencyId, until: UnixTime) {
        self.change(to, |door| door.not_before = door.not_before.max(until));
    }

    /// When a receiver that did not answer is tried again.
    pub fn opens(&self, to: &AgencyId) -> Option<UnixTime> {
        self.doors.get(to).map(|door| door.not_before).filter(|opens| *opens > UnixTime::default())
    }

    /// When there is something to hand out.
    pub fn wakes(&self) -> Option<UnixTime> {
        let ready = (!self.ready.is_empty()).then(UnixTime::default);
        ready.or_else(|| self.paused.first().map(|(at, _)| *at))
    }

    /// Changes a door, and what is known of all.
    fn change(&mut self, to: &AgencyId, change: impl FnOnce(&mut Door)) {
        let door = self.doors.entry(to.clone()).or_insert_with(|| Door {
            way: Way::Inbox,
            head: None,
            under_way: 0,
            failures: 0,
            not_before: UnixTime::default(),
        });
        if let Some(head) = &door.head {
            self.ready.remove(head);
            self.paused.remove(&(door.not_before, to.clone()));
        }
        change(door);
        match door.offers() {
            None => {}
            // Whether its time has come is for `next` to say.
            Some(_) if door.not_before > UnixTime::default() => drop(self.paused.insert((door.not_before, to.clone()))),
            Some(head) => drop(self.ready.insert(head.clone())),
        }
    }
}
