//! Quotas: what an agency may use per time, on the engine's clock.
//!
//! The generic cell rate algorithm of governor, one cell per agency and kind, held beside the registry by number: no
//! table grows with what comes in. The clock is injected and monotonic, so that a jump of the wall clock gives nobody
//! a second quota.

mod doors;
mod persons;

pub use doors::{Doors, Doorway, Full, Inside};
pub use persons::{Alarm, Asked, Persons};

use crate::fault::{Code, Fault};
use crate::limits;
use crate::registry::{AgencyIndex, GrantIndex, Registry};
use governor::clock::Clock;
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
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
}

impl Slot {
    /// How the agency stands with its quota.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
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
        let agency = |allowance: crate::registry::Allowance| OfAgency {
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
        Ok(Slot { open: Arc::clone(&quota.open), standing })
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
            for _ in 0..requests {
                if quota.requests.check().is_err() {
                    break;
                }
            }
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
