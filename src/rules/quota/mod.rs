//! Quotas: what an agency may use per time, on the engine's clock.
//!
//! The generic cell rate algorithm of governor, one cell per agency and kind, held beside the registry by number: no
//! table grows with what comes in. The clock is injected and monotonic, so that a jump of the wall clock gives nobody
//! a second quota.

mod doors;
mod misses;
mod persons;
mod rehearsal;

pub use doors::{Doors, Doorway, Full, Inside};
pub use misses::{Answers, Found, Misses};
pub use persons::{Alarm, Asked, Persons};
pub use rehearsal::{Rehearsed, rehearse};

use crate::base::fault::{Code, Fault};
use crate::base::limits;
use crate::rules::registry::{AgencyIndex, GrantIndex, Registry};
use governor::clock::Clock;
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The engine's clock: monotonic, set from outside, shared by all quotas.
#[derive(Clone, Debug, Default)]
pub struct EngineClock(Arc<AtomicU64>);

impl EngineClock {
    /// Moves the clock on; it never goes back.
    pub fn advance_to(&self, since_start: Duration) {
        self.0.fetch_max(since_start.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for EngineClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The names of the two quotas.
pub const MESSAGES: &str = "requests";
/// See [`MESSAGES`].
pub const READS: &str = "reads";

type Cell = RateLimiter<NotKeyed, InMemoryState, EngineClock, NoOpMiddleware<Duration>>;
type CountedCell = RateLimiter<NotKeyed, InMemoryState, EngineClock, StateInformationMiddleware>;

/// The quotas of all agencies of one registry.
pub struct Quotas {
    agencies: Vec<OfAgency>,
    /// Few grants have a quota: boxed, the others take a word each.
    grants: Vec<Option<Box<Cell>>>,
    /// Of certificates that nobody registered, all together.
    unknown_refusals: Cell,
    clock: EngineClock,
}

struct OfAgency {
    requests: CountedCell,
    reads: CountedCell,
    kib: Cell,
    refusals: Cell,
    open: Arc<AtomicU32>,
    parallel: u32,
    per_minute: u32,
}

/// A place among an agency's open exchanges, given back when dropped.
#[derive(Debug)]
pub struct Slot {
    open: Arc<AtomicU32>,
    standing: Standing,
    /// It is counted elsewhere at present.
    is_away: AtomicBool,
}

impl Slot {
    /// Gives the place back for as long as the exchange is counted elsewhere: others of the agency's may take it.
    pub fn go_away(&self) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes a place again, were it one too many: nobody comes in until there is room.
    pub fn come_back(&self) {
        if self.is_away.swap(false, Ordering::Relaxed) {
            self.open.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How the agency stands with its quota.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.go_away();
    }
}

/// What the `RateLimit` header fields say (draft-ietf-httpapi-ratelimit-headers).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The quota's name: `requests` for messages, `reads` for all else.
    pub policy: &'static str,
    /// Requests per minute.
    pub per_minute: u32,
    /// Requests that may still come at once.
    pub remaining: u32,
}

impl Quotas {
    /// Fresh quotas for a registry.
    pub fn new(registry: &Registry, clock: &EngineClock) -> Self {
        let counted = |per_minute, burst| {
            RateLimiter::direct_with_clock(quota(per_minute, burst), clock.clone())
                .with_middleware::<StateInformationMiddleware>()
        };
        let agency = |allowance: crate::rules::registry::Allowance| OfAgency {
            requests: counted(allowance.requests_per_minute, allowance.burst),
            reads: counted(reads_of(allowance.requests_per_minute), reads_of(allowance.burst)),
            kib: cell(allowance.kib_per_minute, allowance.kib_per_minute, clock),
            refusals: refusals(allowance.requests_per_minute, allowance.burst, clock),
            open: Arc::default(),
            parallel: allowance.parallel,
            per_minute: allowance.requests_per_minute,
        };
        Self {
            agencies: registry.agencies().map(|(_, known)| agency(known.allowance)).collect(),
            grants: registry.grants().map(|grant| grant.per_minute.map(|limit| Box::new(cell(limit, limit, clock)))).collect(),
            unknown_refusals: refusals(0, 0, clock),
            clock: clock.clone(),
        }
    }

    /// Whether a refusal has a record of its own, or is one of too many; of whom nobody knows, if of no agency.
    pub fn may_be_refused(&self, agency: Option<AgencyIndex>) -> bool {
        let quota = agency.and_then(|agency| self.agencies.get(agency.number()));
        quota.map_or(&self.unknown_refusals, |quota| &quota.refusals).check().is_ok()
    }

    /// Takes octets whose number was not declared.
    pub fn take_octets(&self, agency: AgencyIndex, octets: u64) -> Result<(), Fault> {
        let kib = u32::try_from(octets >> 10).unwrap_or(u32::MAX);
        self.agencies.get(agency.number()).map_or(Ok(()), |quota| self.take(&quota.kib, kib, Code::LimBytes))
    }

    /// Asked at the door, by the identity of the connection, before a byte of the body is read. A message whose
    /// verification is dear (P-384) or that failed costs more: see [`Quotas::charge`].
    pub fn enter(&self, agency: AgencyIndex, body_bytes: u64) -> Result<Slot, Fault> {
        let quota = self.agencies.get(agency.number()).ok_or_else(|| Fault::new(Code::TlsUnknownCertificate))?;
        let remaining = self.count(&quota.requests)?;
        let standing = Standing { policy: MESSAGES, per_minute: quota.per_minute, remaining };
        let kib = u32::try_from(body_bytes.div_ceil(1024)).unwrap_or(u32::MAX).max(1);
        self.take(&quota.kib, kib, Code::LimBytes)?;
        let parallel = quota.parallel;
        let entered = quota.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < parallel).then_some(open + 1));
        entered.map_err(|_| Fault::at(Code::LimParallel, format!("{parallel} are open")).with_retry_after(1))?;
        Ok(Slot { open: Arc::clone(&quota.open), standing, is_away: AtomicBool::new(false) })
    }

    /// Asked for everything that is not a message.
    pub fn read(&self, agency: AgencyIndex) -> Result<Standing, Fault> {
        let quota = self.agencies.get(agency.number()).ok_or_else(|| Fault::new(Code::TlsUnknownCertificate))?;
        let remaining = self.count(&quota.reads)?;
        Ok(Standing { policy: READS, per_minute: reads_of(quota.per_minute), remaining })
    }

    /// How an agency stands that has used up its messages, or its reads.
    pub fn used_up(&self, agency: AgencyIndex, policy: &'static str) -> Option<Standing> {
        let per_minute = self.per_minute(agency)?;
        let per_minute = if policy == READS { reads_of(per_minute) } else { per_minute };
        Some(Standing { policy, per_minute, remaining: 0 })
    }

    fn count(&self, cell: &CountedCell) -> Result<u32, Fault> {
        let state = cell.check().map_err(|not_until| refusal(Code::LimRequests, not_until.wait_time_from(self.clock.now())))?;
        Ok(state.remaining_burst_capacity())
    }

    /// Takes more of an agency's requests, as far as there are any: what a failed or dear verification costs.
    pub fn charge(&self, agency: AgencyIndex, requests: u32) {
        if let Some(quota) = self.agencies.get(agency.number()) {
            charge(&quota.requests, requests);
        }
    }

    /// Takes more of an agency's reads: what a long one costs.
    pub fn charge_reads(&self, agency: AgencyIndex, reads: u32) {
        if let Some(quota) = self.agencies.get(agency.number()) {
            charge(&quota.reads, reads);
        }
    }

    /// Asked after the grant is found.
    pub fn use_grant(&self, grant: GrantIndex) -> Result<(), Fault> {
        match self.grants.get(grant.number()) {
            Some(Some(cell)) => self.take(cell, 1, Code::LimGrant),
            _ => Ok(()),
        }
    }

    /// The quota that an agency has, for the catalogue.
    pub fn per_minute(&self, agency: AgencyIndex) -> Option<u32> {
        self.agencies.get(agency.number()).map(|quota| quota.per_minute)
    }

    fn take(&self, cell: &Cell, amount: u32, code: Code) -> Result<(), Fault> {
        let Some(amount) = NonZeroU32::new(amount) else { return Ok(()) };
        match cell.check_n(amount) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(refusal(code, not_until.wait_time_from(self.clock.now()))),
            Err(_) => Err(refusal(code, Duration::from_secs(59))),
        }
    }
}

fn charge(cell: &CountedCell, amount: u32) {
    for _ in 0..amount {
        if cell.check().is_err() {
            break;
        }
    }
}

/// Reading is cheaper than a message.
fn reads_of(requests: u32) -> u32 {
    requests.saturating_mul(limits::READS_PER_REQUEST)
}

fn refusal(code: Code, wait: Duration) -> Fault {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    Fault::at(code, format!("next in {seconds} s")).with_retry_after(seconds)
}

fn cell(per_minute: u32, burst: u32, clock: &EngineClock) -> Cell {
    RateLimiter::direct_with_clock(quota(per_minute, burst), clock.clone())
}

/// One in a hundred of an agency's requests may be refused for ever and each have its record, and at once one in five.
fn refusals(requests_per_minute: u32, burst: u32, clock: &EngineClock) -> Cell {
    cell(limits::REFUSALS_PER_MINUTE.max(requests_per_minute / 100), limits::REFUSALS_BURST.max(burst / 5), clock)
}

fn quota(per_minute: u32, burst: u32) -> Quota {
    let nonzero = |figure: u32| NonZeroU32::new(figure).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(nonzero(per_minute)).allow_burst(nonzero(burst))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::AgencyId;
    use crate::message::schema::Schemas;

    /// The school has small quotas, the clinic those of an entry that says nothing; the first grant has a quota.
    const REGISTRY: &str = r#"
        format = 1
        version = 1
        [[agency]]
        id = "xx.school"
        name = "S"
        [agency.quota]
        requests_per_minute = 60
        burst = 4
        kib_per_minute = 1024
        parallel = 2
        [[agency]]
        id = "xx.clinic"
        name = "C"
        [[agency]]
        id = "xx.office"
        name = "O"
        [agency.quota]
        requests_per_minute = 120000
        burst = 10000
        [[grant]]
        id = "limited"
        who = "xx.school"
        what = "birth-certificate"
        purpose = "p"
        basis = "b"
        until = "2030-12-31"
        per_minute = 3
        [[grant]]
        id = "free"
        who = "xx.school"
        what = "birth-certificate"
        purpose = "p"
        basis = "b"
        until = "2030-12-31"
    "#;

    struct World {
        quotas: Quotas,
        clock: EngineClock,
        school: AgencyIndex,
        clinic: AgencyIndex,
        office: AgencyIndex,
        /// An agency that a newer registry has and these quotas have not.
        later: AgencyIndex,
        grants: Vec<GrantIndex>,
    }

    fn world() -> World {
        let schemas = Schemas::built_in();
        let load = |text: &str| Registry::check(text, &schemas).expect("a registry");
        let (registry, clock) = (load(REGISTRY), EngineClock::default());
        let newer = load(&REGISTRY.replacen("[[grant]]", "[[agency]]\nid = \"xx.later\"\nname = \"L\"\n[[grant]]", 1));
        let find = |registry: &Registry, name| registry.find(&AgencyId::parse(name).expect("a name")).expect("an agency");
        let [school, clinic, office] = ["xx.school", "xx.clinic", "xx.office"].map(|name| find(&registry, name));
        let what = crate::base::ids::Code::parse("birth-certificate").expect("a code");
        let grants = registry.grants_of(school, &what).map(|(index, _)| index).collect();
        clock.advance_to(Duration::from_secs(1000));
        World { quotas: Quotas::new(&registry, &clock), clock, school, clinic, office, later: find(&newer, "xx.later"), grants }
    }

    fn told<T>(verdict: Result<T, Fault>) -> Result<T, (Code, Option<u32>)> {
        verdict.map_err(|fault| (fault.code, fault.retry_after_seconds))
    }

    #[test]
    fn requests_come_in_a_burst_and_then_by_the_minute() {
        let World { quotas, clock, school, clinic, .. } = world();
        let enter = |agency| told(quotas.enter(agency, 0).map(|slot| slot.standing()));
        for remaining in (0..4).rev() {
            assert_eq!(enter(school), Ok(Standing { policy: MESSAGES, per_minute: 60, remaining }));
        }
        // Sixty a minute are one a second; whoever waits as long as is said does not come too early.
        clock.advance_to(Duration::from_millis(1_000_400));
        assert_eq!(enter(school), Err((Code::LimRequests, Some(1))));
        assert_eq!(enter(clinic), Ok(Standing { policy: MESSAGES, per_minute: 600, remaining: 99 }), "others have their own");
        clock.advance_to(Duration::from_millis(1_001_000));
        assert_eq!(enter(school), Ok(Standing { policy: MESSAGES, per_minute: 60, remaining: 0 }));
        assert_eq!(enter(school), Err((Code::LimRequests, Some(2))));
        assert_eq!([school, clinic].map(|agency| quotas.per_minute(agency)), [Some(60), Some(600)]);
    }

    #[test]
    fn an_exchange_that_is_counted_elsewhere_leaves_its_place_to_others() {
        let World { quotas, clock, school, .. } = world();
        let open = || quotas.agencies.get(school.number()).map(|quota| quota.open.load(Ordering::Relaxed));
        let enter = || quotas.enter(school, 0).map_err(|fault| fault.code);
        let (first, second) = (enter().expect("a place"), enter().expect("a place"));
        first.go_away();
        first.go_away();
        assert_eq!(open(), Some(1));
        let third = enter().expect("the first one's place");
        assert_eq!(enter().err(), Some(Code::LimParallel));
        // Back again it is one too many, and nobody comes in until there is room.
        first.come_back();
        first.come_back();
        assert_eq!(open(), Some(3));
        drop(third);
        clock.advance_to(Duration::from_secs(1010));
        assert_eq!(enter().err(), Some(Code::LimParallel));
        second.go_away();
        drop((first, second));
        assert_eq!(open(), Some(0), "each place was given back once");
    }

    #[test]
    fn a_clock_that_goes_back_gives_nobody_a_second_quota() {
        let World { quotas, clock, school, .. } = world();
        quotas.charge(school, 4);
        for seconds in [0, 10, 999, 1000] {
            clock.advance_to(Duration::from_secs(seconds));
            assert_eq!(clock.now(), Duration::from_secs(1000));
            assert_eq!(told(quotas.enter(school, 0).map(|_| ())), Err((Code::LimRequests, Some(2))));
        }
    }

    #[test]
    fn a_dear_message_costs_more_requests_as_far_as_there_are_any() {
        let World { quotas, clock, school, later, .. } = world();
        quotas.charge(school, 2);
        assert_eq!(told(quotas.enter(school, 0).map(|slot| slot.standing().remaining)), Ok(1));
        quotas.charge(school, u32::MAX);
        quotas.charge(later, 1);
        assert!(quotas.enter(school, 0).is_err());
        clock.advance_to(Duration::from_secs(1001));
        assert!(quotas.enter(school, 0).is_ok(), "what was not there is not owed");
    }

    #[test]
    fn octets_are_counted_in_kib_at_the_door_and_behind_it() {
        const MIB: u64 = 1 << 20;
        let full = Err((Code::LimBytes, Some(1)));
        let larger_than_the_quota = Err((Code::LimBytes, Some(60)));
        // What is declared is rounded up and never free; what was not declared is rounded down.
        for (declared, verdict) in
            [(MIB, Ok(())), (MIB - 1023, Ok(())), (MIB + 1, larger_than_the_quota), (u64::MAX, larger_than_the_quota)]
        {
            let World { quotas, school, .. } = world();
            assert_eq!(told(quotas.enter(school, declared).map(|_| ())), verdict, "{declared}");
            let after = if verdict.is_ok() { full } else { Ok(()) };
            assert_eq!(told(quotas.enter(school, 0).map(|_| ())), after, "behind {declared}");
        }
        for (taken, verdict) in [(MIB, Ok(())), (MIB + 1023, Ok(())), (MIB + 1024, larger_than_the_quota)] {
            let World { quotas, clock, school, clinic, later, .. } = world();
            assert_eq!(told(quotas.take_octets(school, taken)), verdict, "{taken}");
            assert_eq!(told(quotas.take_octets(school, 1024)), if verdict.is_ok() { full } else { Ok(()) }, "behind {taken}");
            assert_eq!(told(quotas.take_octets(school, 1023)), Ok(()));
            assert_eq!([clinic, later].map(|other| told(quotas.take_octets(other, taken))), [Ok(()); 2]);
            clock.advance_to(Duration::from_secs(1060));
            assert_eq!(told(quotas.take_octets(school, MIB)), Ok(()));
        }
    }

    #[test]
    fn places_are_given_back() {
        let World { quotas, school, clinic, later, .. } = world();
        let first = quotas.enter(school, 0).expect("the first place");
        let second = quotas.enter(school, 0).expect("the second place");
        assert_eq!(told(quotas.enter(school, 0).map(|_| ())), Err((Code::LimParallel, Some(1))));
        assert!(quotas.enter(clinic, 0).is_ok(), "others have their own");
        drop(first);
        let third = quotas.enter(school, 0).expect("the first place again");
        drop((second, third));
        assert_eq!(told(quotas.enter(later, 0).map(|_| ())), Err((Code::TlsUnknownCertificate, None)));
        assert_eq!(quotas.per_minute(later), None);
    }

    #[test]
    fn a_grant_has_the_quota_that_its_row_gives_it() {
        let World { quotas, clock, school, grants, .. } = world();
        let [limited, free] = grants.as_slice() else { panic!("two grants") };
        for _ in 0..3 {
            assert_eq!(told(quotas.use_grant(*limited)), Ok(()));
        }
        clock.advance_to(Duration::from_millis(1_000_500));
        assert_eq!(told(quotas.use_grant(*limited)), Err((Code::LimGrant, Some(20))));
        assert!((0..1000).all(|_| quotas.use_grant(*free).is_ok()));
        assert!(quotas.enter(school, 0).is_ok(), "the agency's own quota is another");
        clock.advance_to(Duration::from_secs(1020));
        assert_eq!(told(quotas.use_grant(*limited)), Ok(()));
    }

    #[test]
    fn reading_has_a_quota_of_its_own_and_costs_what_it_took() {
        let World { quotas, clock, school, clinic, later, .. } = world();
        let read = |agency| told(quotas.read(agency));
        let standing = |remaining| Standing { policy: READS, per_minute: 600, remaining };
        assert_eq!(read(school), Ok(standing(39)), "ten for each request");
        quotas.charge_reads(school, 20);
        assert_eq!(read(school), Ok(standing(18)));
        quotas.charge_reads(school, u32::MAX);
        quotas.charge_reads(later, 1);
        assert_eq!(read(school), Err((Code::LimRequests, Some(1))));
        assert!(read(clinic).is_ok() && quotas.enter(school, 0).is_ok(), "others have their own, and so have messages");
        assert_eq!(read(later), Err((Code::TlsUnknownCertificate, None)));
        clock.advance_to(Duration::from_secs(1001));
        assert_eq!(read(school), Ok(standing(9)), "ten a second");
        assert_eq!(quotas.used_up(school, READS), Some(standing(0)));
        assert_eq!(quotas.used_up(school, MESSAGES), Some(Standing { policy: MESSAGES, per_minute: 60, remaining: 0 }));
        assert_eq!(quotas.used_up(later, READS), None);
    }

    #[test]
    fn refusals_are_recorded_one_by_one_up_to_a_budget_of_each() {
        let World { quotas, clock, school, clinic, office, later, .. } = world();
        let count = |agency| (0..3_000).filter(|_| quotas.may_be_refused(agency)).count() as u32;
        for agency in [Some(school), Some(clinic), None] {
            assert_eq!(count(agency), limits::REFUSALS_BURST);
        }
        assert_eq!(count(Some(office)), 2_000, "a fifth of its burst");
        // Whom these quotas do not know shares the budget of those whom nobody knows.
        assert_eq!(count(Some(later)), 0);
        clock.advance_to(Duration::from_secs(1060));
        assert_eq!(count(Some(later)), limits::REFUSALS_PER_MINUTE);
        assert_eq!((count(Some(school)), count(None)), (limits::REFUSALS_PER_MINUTE, 0));
        assert_eq!(count(Some(office)), 1_200, "a hundredth of its requests");
    }
}
