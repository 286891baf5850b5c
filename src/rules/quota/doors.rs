//! Doors: how many connections somebody may have open, and how fast new ones may come.
//!
//! Somebody is an address before the handshake and a certificate after it. The table grows only with those who have a
//! connection or had one a moment ago, and has a limit.

use super::{Cell, EngineClock};
use crate::base::limits;
use governor::{Quota, RateLimiter};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What one of them may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doorway {
    /// Connections open at once.
    pub open: u32,
    /// New connections per second, in the long run.
    pub per_second: u32,
    /// New connections that may come at once.
    pub burst: u32,
}

/// The doors of a listener, for one kind of somebody.
pub struct Doors<K> {
    doorway: Doorway,
    clock: EngineClock,
    known: Mutex<BTreeMap<K, Known>>,
}

struct Known {
    open: u32,
    rate: Arc<Cell>,
    /// From when on nothing of the burst is used, if nobody comes.
    fresh_at: Duration,
}

/// They have as many connections as they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A place inside, given back when dropped.
pub struct Inside<K: Ord + Copy> {
    doors: Arc<Doors<K>>,
    who: K,
    rate: Arc<Cell>,
}

impl<K: Ord + Copy> Inside<K> {
    /// Whether they come slowly enough to go on; if not, when to ask again.
    pub fn go_on(&self, now: Duration) -> Result<(), Duration> {
        self.doors.clock.advance_to(now);
        self.rate.check().map_err(|not_until| not_until.wait_time_from(now))
    }
}

impl<K: Ord + Copy> Doors<K> {
    /// Doors that nobody has passed.
    pub fn new(doorway: Doorway) -> Arc<Self> {
        Arc::new(Self { doorway, clock: EngineClock::default(), known: Mutex::default() })
    }

    /// Lets somebody in, if there is room; `now` is the time since the start.
    pub fn enter(self: &Arc<Self>, who: K, now: Duration) -> Result<Inside<K>, Full> {
        self.clock.advance_to(now);
        let mut known = self.known();
        if known.len() >= limits::DOORS_MAX && !known.contains_key(&who) {
            known.retain(|_, one| one.open > 0 || one.fresh_at > now);
            if known.len() >= limits::DOORS_MAX {
                return Err(Full);
            }
        }
        let one = known.entry(who).or_insert_with(|| self.fresh());
        if one.open >= self.doorway.open {
            return Err(Full);
        }
        one.open += 1;
        one.fresh_at = now + Duration::from_secs(u64::from(self.doorway.burst.div_ceil(self.doorway.per_second.max(1))));
        let rate = Arc::clone(&one.rate);
        drop(known);
        Ok(Inside { doors: Arc::clone(self), who, rate })
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.known().len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn fresh(&self) -> Known {
        let nonzero = |figure: u32| NonZeroU32::new(figure).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(nonzero(self.doorway.per_second)).allow_burst(nonzero(self.doorway.burst));
        Known { open: 0, rate: Arc::new(RateLimiter::direct_with_clock(quota, self.clock.clone())), fresh_at: Duration::ZERO }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<K, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Copy> Drop for Inside<K> {
    fn drop(&mut self) {
        if let Some(one) = self.doors.known().get_mut(&self.who) {
            one.open = one.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOORWAY: Doorway = Doorway { open: 3, per_second: 2, burst: 4 };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(1_000_000 + ms)
    }

    #[test]
    fn no_more_are_inside_than_may_be() {
        let doors = Doors::new(DOORWAY);
        let inside: Vec<_> = (0..3).map(|_| doors.enter('a', at(0)).expect("there is room")).collect();
        assert_eq!(doors.enter('a', at(0)).err(), Some(Full));
        assert!(doors.enter('b', at(0)).is_ok(), "others have their own");
        drop(inside);
        assert!(doors.enter('a', at(0)).is_ok());
    }

    #[test]
    fn nobody_comes_faster_than_may_be() {
        let doors = Doors::new(DOORWAY);
        let go_on = |who, now| doors.enter(who, now).expect("there is room").go_on(now);
        for _ in 0..4 {
            assert_eq!(go_on('a', at(0)), Ok(()));
        }
        assert_eq!(go_on('a', at(0)), Err(Duration::from_millis(500)));
        assert_eq!(go_on('a', at(499)), Err(Duration::from_millis(1)));
        assert_eq!(go_on('a', at(500)), Ok(()));
        assert_eq!(go_on('b', at(500)), Ok(()), "others have their own");
    }

    #[test]
    fn those_who_are_gone_are_forgotten() {
        let doors = Doors::new(DOORWAY);
        for who in 0..limits::DOORS_MAX as u32 {
            assert!(doors.enter(who, at(0)).is_ok());
        }
        assert_eq!(doors.len(), limits::DOORS_MAX);
        // Not yet: whoever came a moment ago has used a part of the burst.
        assert_eq!(doors.enter(u32::MAX, at(1999)).err(), Some(Full));
        let staying = doors.enter(7, at(1999)).expect("known");
        assert!(doors.enter(u32::MAX, at(2000)).is_ok());
        assert_eq!(doors.len(), 2);
        drop(staying);
    }

    #[test]
    fn those_who_stay_are_never_forgotten() {
        let doors = Doors::new(DOORWAY);
        assert!(doors.is_empty());
        let staying: Vec<_> = (0..3).map(|_| doors.enter(7, at(0)).expect("there is room")).collect();
        assert!(!doors.is_empty());
        for who in 8..limits::DOORS_MAX as u32 + 7 {
            assert!(doors.enter(who, at(0)).is_ok());
        }
        // Long after, all are forgotten but the one that is inside, who still has no more than three places.
        assert!(doors.enter(u32::MAX, at(60_000)).is_ok());
        assert_eq!((doors.len(), doors.enter(7, at(60_000)).err()), (2, Some(Full)));
        drop(staying);
        assert!(doors.enter(7, at(60_000)).is_ok());
    }
}
