//! Bulkheads around holders: a thin shell around [`Bulkheads`], which decides.
//!
//! An exchange takes its place at the holder before its request is recorded, and what it holds that others need goes back
//! meanwhile: its place among its agency's open exchanges is one with that holder for as long as the holder has it.

use super::{Gateway, Refused, Visit, now};
use crate::base::fault::{Code, Fault};
use crate::base::ids::AgencyId;
use crate::exchange::admission::{Permitted, Refusal};
use crate::exchange::bulkhead::{Asking, Bulkheads, Entered, Outcome, Standing, Ticket, Told, Turned};
use crate::host::transport::UpstreamError;
use crate::rules::quota::Slot;
use crate::rules::registry::Load;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The bulkheads, and who waits.
pub(super) struct Holders {
    inner: Mutex<Inner>,
    started: Instant,
}

#[derive(Default)]
struct Inner {
    bulkheads: Bulkheads,
    waiting: BTreeMap<Ticket, oneshot::Sender<Result<(), Turned>>>,
}

impl Default for Holders {
    fn default() -> Self {
        Self { inner: Mutex::default(), started: Instant::now() }
    }
}

/// A place at a holder, or in the queue for one; given back when dropped.
pub(super) struct Place {
    holders: Arc<Holders>,
    holder: AgencyId,
    ticket: Ticket,
    outcome: Outcome,
    waits: Option<oneshot::Receiver<Result<(), Turned>>>,
}

/// One of the exchanges that a consumer has open with a holder. Meanwhile it is none of those that it has open with all.
pub(super) struct Open {
    holders: Arc<Holders>,
    holder: AgencyId,
    consumer: AgencyId,
    slot: Arc<Slot>,
}

/// What became of a question at its holder's door.
pub(super) enum Entering {
    /// It has a place there.
    Entered(Place, Open),
    /// The holder has failed, and is tried again while the question is still good.
    LeftAlone,
}

impl Holders {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes to a holder, or waits, or is turned away.
    pub(super) fn enter(self: &Arc<Self>, holder: &AgencyId, load: Load, octets: usize) -> Result<Place, Turned> {
        let mut inner = self.lock();
        let (ticket, entered) = inner.bulkheads.enter(&Asking { holder, load, octets }, self.started.elapsed())?;
        let waits = (entered == Entered::Waits).then(|| {
            let (tell, told) = oneshot::channel();
            inner.waiting.insert(ticket, tell);
            told
        });
        Ok(Place { holders: Arc::clone(self), holder: holder.clone(), ticket, outcome: Outcome::Unknown, waits })
    }

    /// What stands at each holder that was asked.
    pub(super) fn standings(&self) -> Vec<(AgencyId, Standing)> {
        let inner = self.lock();
        inner.bulkheads.standings(self.started.elapsed()).map(|(holder, standing)| (holder.clone(), standing)).collect()
    }

    /// Forgets the holders for whom this holds, if nothing of them is open.
    pub(super) fn forget(&self, is_gone: impl Fn(&AgencyId) -> bool) {
        self.lock().bulkheads.forget(is_gone);
    }
}

impl Place {
    /// Waits for the place, at most for so long.
    pub(super) async fn comes(&mut self, within: Duration) -> Result<(), Turned> {
        let Some(waits) = self.waits.take() else { return Ok(()) };
        match tokio::time::timeout(within, waits).await {
            Ok(Ok(told)) => told,
            // It has waited for as long as a holder may take, so it is as long again.
            _ => Err(Turned::Full(within)),
        }
    }

    /// What the holder has shown is told when this is dropped.
    pub(super) fn shows(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = self.holders.started.elapsed();
        // Any number will do that is not the same for all.
        let spread = u64::from(now.subsec_nanos()) % 1000;
        let mut inner = self.holders.lock();
        inner.waiting.remove(&self.ticket);
        let told = inner.bulkheads.over(&self.holder, self.ticket, self.outcome, now, spread);
        for told in told {
            let (ticket, verdict) = match told {
                Told::Goes(ticket) => (ticket, Ok(())),
                Told::Turned(ticket, turned) => (ticket, Err(turned)),
            };
            // Whoever is called in and has gone away meanwhile gives its place back when it is dropped.
            if let Some(tell) = inner.waiting.remove(&ticket) {
                let _ = tell.send(verdict);
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.slot.come_back();
        self.holders.lock().bulkheads.close(&self.holder, &self.consumer);
    }
}

impl Gateway {
    /// Takes a place at the holder of a question that somebody waits for; refused before anything of it is recorded as permitted.
    pub(super) async fn enter_holder(&self, visit: &Visit, question: &Permitted) -> Result<Entering, Refused> {
        let fault = match self.try_enter_holder(visit, question) {
            Ok(entering) => return Ok(entering),
            Err(fault) => fault,
        };
        let header = &question.message().header;
        self.ledger().abandon(&header.from, header.id);
        let refusal = Refusal::of(fault, question.message(), question.digest());
        Err(self.refuse(&visit.peer.system(), question.length(), refusal).await)
    }

    fn try_enter_holder(&self, visit: &Visit, question: &Permitted) -> Result<Entering, Fault> {
        let (registry, none) = (&visit.world.registry, || Fault::new(Code::RteNoHolder));
        let holder = registry.agency(question.holder()).ok_or_else(none)?;
        let consumer = registry.agency(visit.peer.agency()).ok_or_else(none)?;
        let most = consumer.allowance.parallel;
        let opened = self.holders.lock().bulkheads.open(&holder.id, holder.load, &consumer.id, most);
        opened.map_err(|open| Fault::at(Code::LimParallel, format!("{open} are open with {}", holder.id)).with_retry_after(1))?;
        let (holders, slot) = (Arc::clone(&self.holders), Arc::clone(&visit.slot));
        slot.go_away();
        let open = Open { holders, holder: holder.id.clone(), consumer: consumer.id.clone(), slot };
        let octets = question.octets().len();
        let expires_at = question.message().header.expires_at;
        match self.holders.enter(&holder.id, holder.load, octets) {
            Ok(place) => Ok(Entering::Entered(place, open)),
            Err(Turned::LeftAlone(wait)) if now().plus_ms(wait.as_millis() as u64) < expires_at => Ok(Entering::LeftAlone),
            Err(turned) => Err(fault_of(turned, &holder.id)),
        }
    }

    /// What stands at each holder that was asked.
    pub fn standings(&self) -> Vec<(AgencyId, Standing)> {
        self.holders.standings()
    }
}

/// What a consumer is told who was turned away.
pub(super) fn fault_of(turned: Turned, holder: &AgencyId) -> Fault {
    let seconds = turned.seconds();
    let fault = match turned {
        Turned::LeftAlone(_) => Fault::at(Code::RteLeftAlone, format!("{holder} is tried again in {seconds} s")),
        Turned::Full(_) => Fault::at(Code::RteBusy, format!("too many requests wait for {holder}")),
    };
    fault.with_retry_after(seconds)
}

/// What a holder has shown. That a consumer gave it less time than it has is not the holder's fault; nor is what it says of a
/// message, were it nonsense.
pub(super) fn outcome_of<T>(posted: &Result<T, UpstreamError>, had_all_its_time: HadItsTime) -> Outcome {
    match posted {
        Ok(_) | Err(UpstreamError::TooLarge | UpstreamError::Parts(_)) => Outcome::Spoke,
        Err(UpstreamError::Status(500..=599, _)) | Err(UpstreamError::Unreachable(_) | UpstreamError::Broken(_)) => {
            Outcome::Failed
        }
        Err(UpstreamError::Status(..)) => Outcome::Spoke,
        Err(UpstreamError::Deadline) if had_all_its_time == HadItsTime::Yes => Outcome::Failed,
        Err(UpstreamError::Deadline) => Outcome::Unknown,
    }
}

/// Whether a holder had as much time for an answer as holders have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HadItsTime {
    /// It had.
    Yes,
    /// The message was to expire before.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_holder_says_is_no_failure_and_silence_only_if_it_had_its_time() {
        let posted = |error| Err::<Vec<u8>, _>(error);
        let text = String::new;
        for (error, outcome) in [
            (UpstreamError::Unreachable(text()), Outcome::Failed),
            (UpstreamError::Broken(text()), Outcome::Failed),
            (UpstreamError::Status(500, None), Outcome::Failed),
            (UpstreamError::Status(503, Some(7)), Outcome::Failed),
            (UpstreamError::Status(202, None), Outcome::Spoke),
            (UpstreamError::Status(400, None), Outcome::Spoke),
            (UpstreamError::Status(429, None), Outcome::Spoke),
            (UpstreamError::TooLarge, Outcome::Spoke),
            (UpstreamError::Deadline, Outcome::Failed),
        ] {
            let posted = posted(error);
            assert_eq!(outcome_of(&posted, HadItsTime::Yes), outcome, "{posted:?}");
        }
        assert_eq!(outcome_of(&posted(UpstreamError::Deadline), HadItsTime::No), Outcome::Unknown);
        assert_eq!(outcome_of(&Ok(()), HadItsTime::No), Outcome::Spoke);
    }

    #[tokio::test]
    async fn a_place_that_is_given_back_goes_to_whoever_waits() {
        let (holders, clinic) = (Arc::new(Holders::default()), AgencyId::parse("xx.clinic").expect("a name"));
        let load = Load { parallel: 1, waiting: 2, failures: 1 };
        let enter = || holders.enter(&clinic, load, 1);
        let mut first = enter().expect("a place");
        let (mut second, third) = (enter().expect("room"), enter().expect("room"));
        assert!(enter().is_err());
        assert_eq!(first.comes(Duration::ZERO).await, Ok(()));
        drop(third);
        let mut third = enter().expect("whoever goes away makes room");
        drop(first);
        assert_eq!(second.comes(Duration::MAX).await, Ok(()));
        // Whoever still waits when the holder is given up is told so.
        second.shows(Outcome::Failed);
        drop(second);
        assert!(matches!(third.comes(Duration::MAX).await, Err(Turned::LeftAlone(_))));
        drop(third);
        assert!(holders.lock().waiting.is_empty());
    }
}
