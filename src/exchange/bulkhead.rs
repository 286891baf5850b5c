//! Bulkheads: how much may be under way to one holder, and how much may wait for it. Whatever becomes of a holder costs the others
//! nothing.
//!
//! A pure state without clock: times are those of an engine's clock that never goes back. A holder has so many places, a bounded
//! queue for them, and a share of the room for messages. One that fails several times in a row is left alone: whoever asks then is
//! turned away and told for how long. When that time is over, one request tries whether it is back, and the next pause is twice as
//! long if it is not. What waits when a holder is given up is turned away as well, since it would wait for nothing.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::rules::registry::Load;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A request that is at a holder, or waits to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Whoever wants to ask a holder.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The holder.
    pub holder: &'a AgencyId,
    /// What it bears.
    pub load: Load,
    /// How many octets are taken to it.
    pub octets: usize,
}

/// Whether somebody who came in goes on or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// There is a place.
    Now,
    /// There will be one.
    Waits,
}

/// Why somebody is turned away, and when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The holder has failed, and is left alone for so long.
    LeftAlone(Duration),
    /// The queue is full; it takes about so long.
    Full(Duration),
}

impl Turned {
    /// After how many seconds to come again: at least one.
    pub fn seconds(&self) -> u32 {
        let (Self::LeftAlone(wait) | Self::Full(wait)) = self;
        u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
    }
}

/// What a request to a holder has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The holder is there: it said something, were it a refusal.
    Spoke,
    /// It could not be reached, broke off, failed, or said nothing in all the time that it has.
    Failed,
    /// Nothing: the request was given up before it could show anything.
    Unknown,
}

/// What somebody who waits is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// There is a place.
    Goes(Ticket),
    /// There will be none.
    Turned(Ticket, Turned),
}

/// How a holder is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is asked.
    Asked,
    /// It is left alone for so long.
    LeftAlone(Duration),
    /// One request tries whether it is back, or may.
    Tried,
}

impl State {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::LeftAlone(_) => "left-alone",
            Self::Tried => "tried",
        }
    }
}

/// What stands at a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Requests that it has.
    pub under_way: usize,
    /// Requests that wait for a place.
    pub waiting: usize,
    /// How it is met.
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    Closed {
        failures: u32,
    },
    /// For the so manieth time in a row.
    Open {
        until: Duration,
        times: u32,
    },
    Trying {
        ticket: Ticket,
        times: u32,
    },
}

struct UnderWay {
    octets: usize,
    since: Duration,
}

/// What is known of a holder that was asked.
struct Door {
    load: Load,
    breaker: Breaker,
    under_way: BTreeMap<Ticket, UnderWay>,
    waiting: VecDeque<(Ticket, usize)>,
    /// Of all that is under way or waits.
    octets: usize,
    /// How long a request takes it, as of late.
    typical: Duration,
    /// How many exchanges each consumer has open with it.
    consumers: BTreeMap<AgencyId, u32>,
}

impl Door {
    fn new(load: Load) -> Self {
        let breaker = Breaker::Closed { failures: 0 };
        let (under_way, waiting, consumers) = (BTreeMap::new(), VecDeque::new(), BTreeMap::new());
        Self { load, breaker, under_way, waiting, octets: 0, typical: Duration::ZERO, consumers }
    }

    fn has_place(&self) -> bool {
        self.under_way.len() < self.load.parallel as usize
    }

    /// About how long it takes until the queue is through.
    fn queue_takes(&self) -> Duration {
        let rounds = (self.waiting.len() as u64 + 1).div_ceil(u64::from(self.load.parallel.max(1)));
        let takes = self.typical.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
        takes.min(Duration::from_millis(limits::HOLDER_PAUSE_MS_MAX))
    }

    fn goes(&mut self, ticket: Ticket, octets: usize, now: Duration) {
        self.under_way.insert(ticket, UnderWay { octets, since: now });
    }

    /// The holder is left alone, for twice as long as the last time; `spread`, of 0 to 999, moves the end.
    fn leave_alone(&mut self, times: u32, now: Duration, spread: u64) -> Vec<Told> {
        let pause = limits::HOLDER_PAUSE_MS.saturating_mul(1 << times.min(16)).min(limits::HOLDER_PAUSE_MS_MAX);
        // Between half and the whole of it.
        let wait = Duration::from_millis(pause / 2 + (pause / 2).saturating_mul(spread.min(999)) / 999);
        self.breaker = Breaker::Open { until: now.saturating_add(wait), times: times.saturating_add(1) };
        let turned: Vec<(Ticket, usize)> = self.waiting.drain(..).collect();
        self.octets = turned.iter().fold(self.octets, |octets, (_, given_back)| octets.saturating_sub(*given_back));
        turned.into_iter().map(|(ticket, _)| Told::Turned(ticket, Turned::LeftAlone(wait))).collect()
    }

    fn learn(&mut self, ticket: Ticket, outcome: Outcome, now: Duration, spread: u64) -> Vec<Told> {
        match (outcome, self.breaker) {
            (Outcome::Spoke, _) => self.breaker = Breaker::Closed { failures: 0 },
            (Outcome::Failed, Breaker::Closed { failures }) => {
                let failures = failures.saturating_add(1);
                if failures >= self.load.failures {
                    return self.leave_alone(0, now, spread);
                }
                self.breaker = Breaker::Closed { failures };
            }
            (Outcome::Failed, Breaker::Trying { ticket: trying, times }) if trying == ticket => {
                return self.leave_alone(times, now, spread);
            }
            (Outcome::Unknown, Breaker::Trying { ticket: trying, times }) if trying == ticket => {
                self.breaker = Breaker::Open { until: now, times };
            }
            // What set out before the holder was left alone says nothing new by failing too.
            _ => {}
        }
        Vec::new()
    }

    /// Gives the places that are free to those who wait.
    fn call_in(&mut self, now: Duration) -> Vec<Told> {
        let mut told = Vec::new();
        while self.has_place()
            && let Some((ticket, octets)) = self.waiting.pop_front()
        {
            self.goes(ticket, octets, now);
            told.push(Told::Goes(ticket));
        }
        told
    }

    fn state(&self, now: Duration) -> State {
        match self.breaker {
            Breaker::Closed { .. } => State::Asked,
            Breaker::Open { until, .. } if now < until => State::LeftAlone(until.saturating_sub(now)),
            Breaker::Open { .. } | Breaker::Trying { .. } => State::Tried,
        }
    }
}

/// The bulkheads of all holders that were asked. There are no more than there are agencies.
#[derive(Default)]
pub struct Bulkheads {
    doors: BTreeMap<AgencyId, Door>,
    last: u64,
}

impl Bulkheads {
    /// A request comes to a holder: it goes, waits, or is turned away.
    pub fn enter(&mut self, asking: &Asking<'_>, now: Duration) -> Result<(Ticket, Entered), Turned> {
        let ticket = Ticket(self.last.saturating_add(1));
        let door = self.doors.entry(asking.holder.clone()).or_insert_with(|| Door::new(asking.load));
        door.load = asking.load;
        match door.breaker {
            Breaker::Closed { .. } => {}
            Breaker::Open { until, .. } if now < until => return Err(Turned::LeftAlone(until.saturating_sub(now))),
            // Nobody knows when the one that tries is through; the next pause is not shorter than the first was.
            Breaker::Trying { .. } => return Err(Turned::LeftAlone(Duration::from_millis(limits::HOLDER_PAUSE_MS))),
            Breaker::Open { times, .. } => {
                door.breaker = Breaker::Trying { ticket, times };
                self.last = ticket.0;
                door.octets = door.octets.saturating_add(asking.octets);
                door.goes(ticket, asking.octets, now);
                return Ok((ticket, Entered::Now));
            }
        }
        let octets = door.octets.saturating_add(asking.octets);
        let goes = door.has_place() && door.waiting.is_empty();
        if octets > limits::HOLDER_BYTES_MAX || !goes && door.waiting.len() >= door.load.waiting as usize {
            return Err(Turned::Full(door.queue_takes()));
        }
        (self.last, door.octets) = (ticket.0, octets);
        if goes {
            door.goes(ticket, asking.octets, now);
            return Ok((ticket, Entered::Now));
        }
        door.waiting.push_back((ticket, asking.octets));
        Ok((ticket, Entered::Waits))
    }

    /// A request is over, or does not wait any longer; those who are told of it go on.
    pub fn over(&mut self, holder: &AgencyId, ticket: Ticket, outcome: Outcome, now: Duration, spread: u64) -> Vec<Told> {
        let Some(door) = self.doors.get_mut(holder) else { return Vec::new() };
        if let Some(at) = door.waiting.iter().position(|(waits, _)| *waits == ticket) {
            let given_back = door.waiting.remove(at).map_or(0, |(_, octets)| octets);
            door.octets = door.octets.saturating_sub(given_back);
            return Vec::new();
        }
        let Some(done) = door.under_way.remove(&ticket) else { return Vec::new() };
        door.octets = door.octets.saturating_sub(done.octets);
        if outcome == Outcome::Spoke {
            let took = now.saturating_sub(done.since);
            door.typical = if door.typical.is_zero() { took } else { (door.typical.saturating_mul(7)).saturating_add(took) / 8 };
        }
        let mut told = door.learn(ticket, outcome, now, spread);
        told.extend(door.call_in(now));
        told
    }

    /// Opens an exchange of a consumer with a holder, if it has not `most` of them open.
    pub fn open(&mut self, holder: &AgencyId, load: Load, consumer: &AgencyId, most: u32) -> Result<(), u32> {
        let door = self.doors.entry(holder.clone()).or_insert_with(|| Door::new(load));
        let open = door.consumers.get(consumer).copied().unwrap_or(0);
        if open >= most {
            return Err(open);
        }
        door.consumers.insert(consumer.clone(), open.saturating_add(1));
        Ok(())
    }

    /// Such an exchange is over.
    pub fn close(&mut self, holder: &AgencyId, consumer: &AgencyId) {
        let Some(door) = self.doors.get_mut(holder) else { return };
        match door.consumers.get_mut(consumer) {
            Some(open) if *open > 1 => *open = open.saturating_sub(1),
            Some(_) => drop(door.consumers.remove(consumer)),
            None => {}
        }
    }

    /// What stands at each holder that was asked.
    pub fn standings(&self, now: Duration) -> impl Iterator<Item = (&AgencyId, Standing)> {
        self.doors.iter().map(move |(holder, door)| {
            let (under_way, waiting) = (door.under_way.len(), door.waiting.len());
            (holder, Standing { under_way, waiting, state: door.state(now) })
        })
    }

    /// Forgets the holders about whom there is nothing to know, of those for whom this holds.
    pub fn forget(&mut self, is_gone: impl Fn(&AgencyId) -> bool) {
        let is_idle =
            |door: &Door| door.under_way.is_empty() && door.waiting.is_empty() && door.consumers.is_empty() && door.octets == 0;
        self.doors.retain(|holder, door| !is_idle(door) || !is_gone(holder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { parallel: 2, waiting: 3, failures: 3 };
    const LONGEST: Duration = Duration::from_millis(limits::HOLDER_PAUSE_MS_MAX);

    fn agency(name: &str) -> AgencyId {
        AgencyId::parse(name).expect("an agency")
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    struct World {
        bulkheads: Bulkheads,
        clinic: AgencyId,
        now: Duration,
    }

    impl World {
        fn new() -> Self {
            Self { bulkheads: Bulkheads::default(), clinic: agency("xx.clinic"), now: ms(1_000_000) }
        }

        fn ask(&mut self) -> Result<(Ticket, Entered), Turned> {
            self.ask_with(1000)
        }

        fn ask_with(&mut self, octets: usize) -> Result<(Ticket, Entered), Turned> {
            self.bulkheads.enter(&Asking { holder: &self.clinic, load: LOAD, octets }, self.now)
        }

        fn goes(&mut self) -> Ticket {
            let (ticket, entered) = self.ask().expect("a place");
            assert_eq!(entered, Entered::Now);
            ticket
        }

        fn over(&mut self, ticket: Ticket, outcome: Outcome) -> Vec<Told> {
            self.bulkheads.over(&self.clinic, ticket, outcome, self.now, 999)
        }

        fn state(&self) -> State {
            self.bulkheads.standings(self.now).next().expect("it was asked").1.state
        }
    }

    #[test]
    fn a_holder_has_so_many_places_a_queue_and_no_more() {
        let mut world = World::new();
        let [first, second] = [(); 2].map(|()| world.goes());
        let waiting = [(); 3].map(|()| world.ask().expect("room in the queue"));
        assert!(waiting.iter().all(|(_, entered)| *entered == Entered::Waits));
        assert!(matches!(world.ask(), Err(Turned::Full(_))));
        // Others have their own.
        let other = agency("xx.other");
        let entered = world.bulkheads.enter(&Asking { holder: &other, load: LOAD, octets: 1 }, world.now);
        assert!(matches!(entered, Ok((_, Entered::Now))));
        // Whoever gives up makes room; whoever came first goes first.
        assert_eq!(world.over(waiting[1].0, Outcome::Unknown), []);
        assert_eq!(world.over(first, Outcome::Spoke), [Told::Goes(waiting[0].0)]);
        assert_eq!(world.over(second, Outcome::Unknown), [Told::Goes(waiting[2].0)]);
        assert_eq!(world.over(second, Outcome::Failed), [], "it is over once");
    }

    #[test]
    fn whoever_finds_the_queue_full_is_told_how_long_it_takes() {
        let mut world = World::new();
        let first = world.goes();
        world.now += ms(10_000);
        assert_eq!(world.over(first, Outcome::Spoke), []);
        assert!((0..5).all(|_| world.ask().is_ok()));
        // Three wait and the next would be the fourth: two rounds of ten seconds.
        assert_eq!(world.ask(), Err(Turned::Full(ms(20_000))));
        assert_eq!([ms(0), ms(1), ms(1000), ms(1001)].map(|wait| Turned::Full(wait).seconds()), [1, 1, 1, 2]);
    }

    #[test]
    fn messages_take_no_more_than_their_holders_share_of_the_room() {
        let mut world = World::new();
        let large = world.ask_with(limits::HOLDER_BYTES_MAX - 1).expect("room").0;
        assert!(matches!(world.ask_with(2), Err(Turned::Full(_))));
        let small = world.ask_with(1).expect("up to the last octet").0;
        assert!(matches!(world.ask_with(1), Err(Turned::Full(_))));
        world.over(large, Outcome::Unknown);
        world.over(small, Outcome::Unknown);
        world.ask_with(limits::HOLDER_BYTES_MAX).expect("what was taken was given back");
    }

    #[test]
    fn a_holder_that_fails_is_left_alone_and_tried_by_one_at_a_time() {
        let mut world = World::new();
        for _ in 1..LOAD.failures {
            let ticket = world.goes();
            world.over(ticket, Outcome::Failed);
        }
        // One word from it, and it begins anew.
        let ticket = world.goes();
        world.over(ticket, Outcome::Spoke);
        for _ in 1..LOAD.failures {
            let ticket = world.goes();
            world.over(ticket, Outcome::Failed);
        }
        assert_eq!(world.state(), State::Asked);
        let [last, late] = [(); 2].map(|()| world.goes());
        let waits = world.ask().expect("room").0;
        let pause = ms(limits::HOLDER_PAUSE_MS);
        assert_eq!(world.over(last, Outcome::Failed), [Told::Turned(waits, Turned::LeftAlone(pause))]);
        assert_eq!((world.state(), world.ask()), (State::LeftAlone(pause), Err(Turned::LeftAlone(pause))));
        // What set out before says nothing new.
        assert_eq!(world.over(late, Outcome::Failed), []);
        assert_eq!(world.state(), State::LeftAlone(pause));
        let mut pauses = vec![pause];
        while pauses.len() < 10 {
            world.now += *pauses.last().expect("one");
            assert_eq!(world.state(), State::Tried);
            let tries = world.goes();
            assert!(matches!(world.ask(), Err(Turned::LeftAlone(_))), "one tries");
            world.over(tries, Outcome::Failed);
            let State::LeftAlone(next) = world.state() else { panic!("it failed") };
            pauses.push(next);
        }
        assert!(pauses.windows(2).all(|two| two[1] == (two[0] * 2).min(LONGEST)), "{pauses:?}");
        world.now += LONGEST;
        // One that shows nothing leaves the trial to the next one.
        let tries = world.goes();
        world.over(tries, Outcome::Unknown);
        let tries = world.goes();
        world.over(tries, Outcome::Spoke);
        assert_eq!(world.state(), State::Asked);
        world.goes();
    }

    #[test]
    fn pauses_are_spread_over_the_second_half() {
        let wait = |spread| {
            let mut world = World::new();
            for _ in 0..LOAD.failures {
                let ticket = world.goes();
                world.bulkheads.over(&world.clinic, ticket, Outcome::Failed, world.now, spread);
            }
            world.state()
        };
        let pause = ms(limits::HOLDER_PAUSE_MS);
        assert_eq!([0, 999, u64::MAX].map(wait), [pause / 2, pause, pause].map(State::LeftAlone));
    }

    #[test]
    fn a_consumer_has_so_many_exchanges_open_with_each_holder() {
        let mut bulkheads = Bulkheads::default();
        let [clinic, other, school, fund] = ["xx.clinic", "xx.other", "xx.school", "xx.fund"].map(agency);
        let mut open = |holder, consumer| bulkheads.open(holder, LOAD, consumer, 2);
        assert_eq!([(); 3].map(|()| open(&clinic, &school)), [Ok(()), Ok(()), Err(2)]);
        assert_eq!((open(&other, &school), open(&clinic, &fund)), (Ok(()), Ok(())));
        bulkheads.close(&clinic, &school);
        assert_eq!(bulkheads.open(&clinic, LOAD, &school, 2), Ok(()));
        (0..3).for_each(|_| bulkheads.close(&clinic, &school));
        bulkheads.forget(|_| true);
        let left: Vec<_> = bulkheads.standings(ms(0)).map(|(holder, _)| holder.clone()).collect();
        assert_eq!(left, [clinic, other], "whoever has something open is not forgotten");
    }

    proptest::proptest! {
        /// Whatever comes in whatever order: no more than the places, the queue and the room; nobody waits where there is a place;
        /// and each that waits is told once.
        #[test]
        fn whatever_comes_the_bounds_hold(steps in proptest::collection::vec((0_u8..5, 0_usize..8, 0_u64..3000), 1..200)) {
            let mut world = World::new();
            let (mut here, mut waiting): (Vec<Ticket>, Vec<Ticket>) = (Vec::new(), Vec::new());
            for (what, which, later) in steps {
                world.now += ms(later);
                let told = match what {
                    0 | 1 => {
                        match world.ask() {
                            Ok((ticket, Entered::Now)) => here.push(ticket),
                            Ok((ticket, Entered::Waits)) => waiting.push(ticket),
                            Err(_) => {}
                        }
                        Vec::new()
                    }
                    _ if here.is_empty() => Vec::new(),
                    _ => {
                        let ticket = here.swap_remove(which % here.len());
                        let outcomes = [Outcome::Spoke, Outcome::Failed, Outcome::Unknown];
                        world.over(ticket, outcomes[usize::from(what) - 2])
                    }
                };
                for told in told {
                    let (Told::Goes(ticket) | Told::Turned(ticket, _)) = told;
                    let at = waiting.iter().position(|waits| *waits == ticket).expect("it waited, and was not told before");
                    waiting.swap_remove(at);
                    if matches!(told, Told::Goes(_)) {
                        here.push(ticket);
                    }
                }
                if let Some((_, standing)) = world.bulkheads.standings(world.now).next() {
                    proptest::prop_assert_eq!((standing.under_way, standing.waiting), (here.len(), waiting.len()));
                    proptest::prop_assert!(standing.under_way <= 3 && standing.waiting <= 3);
                    proptest::prop_assert!(waiting.is_empty() || standing.under_way >= 2);
                }
            }
        }
    }
}
