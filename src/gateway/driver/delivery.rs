//! Questions that are kept: accepted with `202`, and delivered until their deadline, over a restart too.
//!
//! What is kept is in the journal with its octets, and [`Work`](crate::exchange::work::Work) says what is to be done with it when.
//! Between two tries nothing of a question is in memory but its row there. Before each try it is looked at again: a key, a grant
//! or an agency may have ended while it waited.

use super::attachments::Carried;
use super::run::{Arrived, Posted, Running, Tries, fault_of};
use super::{Gateway, Refused, Reply, Visit, now};
use crate::base::fault::{Blame, Code, Fault};
use crate::base::ids::MessageId;
use crate::base::time::UnixTime;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::{Logged, Private, Record, RecordKind};
use crate::exchange::admission::{Permitted, Refusal, permit_again};
use crate::exchange::ledger::{Forward, Release};
use crate::exchange::work::{Kept, Stage};
use crate::host::transport::UpstreamError;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Why a kept question is not taken up.
enum Unready {
    /// The log cannot be read just now.
    Later,
    /// It may not be delivered any more.
    Refused(Box<Refusal>),
}

impl Gateway {
    /// Accepts a question that its consumer does not wait for: its record and its octets are durable before it is told so.
    pub(super) async fn accept(&self, visit: Visit, question: Permitted) -> Result<Reply, Refused> {
        let (id, digest) = (question.message().header.id, question.digest());
        let (system, deadline) = (Some(visit.peer.system()), question.message().header.expires_at);
        let mut running = self.running(Arc::clone(&visit.world), question, Some(visit))?;
        let record = running.record(RecordKind::Request);
        self.telemetry.close(&record, None);
        let entry = Entry { record, private: running.private(), body: Some(running.question.octets().to_vec()) };
        let kept = self.keep(entry).await;
        running.note_recorded(kept.as_ref().ok());
        let committed = match kept {
            Ok(committed) => committed,
            Err(cause) => {
                self.ledger().abandon(&running.consumer, id);
                return Err(running.unrecorded(&cause));
            }
        };
        let (sender, holder) = (running.consumer.clone(), running.provider.clone());
        self.work().accept(Kept { sender, id, digest, system, holder, deadline, place: committed.place, tries: 0 });
        self.work_changed.notify_one();
        Ok(Reply::Accepted { id, logged: Some(committed.logged.index()) })
    }

    /// Delivers what is kept, until the gateway stops.
    pub async fn deliver_kept(self: Arc<Self>) {
        while !self.is_stopping.load(Ordering::Relaxed) {
            let time = now();
            while let Ok(permit) = Arc::clone(&self.deliveries).try_acquire_owned() {
                let (expired, next) = {
                    let mut work = self.work();
                    let expired = work.expired(time);
                    let next = if expired.is_none() { work.next(time) } else { None };
                    (expired, next)
                };
                let gateway = Arc::clone(&self);
                match (expired, next) {
                    (Some(kept), _) => drop(tokio::spawn(async move {
                        gateway.give_up(&kept, Refusal::new(Fault::new(Code::RteDeadline))).await;
                        drop(permit);
                    })),
                    (None, Some(kept)) => drop(tokio::spawn(async move {
                        gateway.deliver(kept).await;
                        drop(permit);
                        gateway.work_changed.notify_one();
                    })),
                    (None, None) => break,
                }
            }
            let wakes = self.work().wakes().map_or(PAUSE_MS_MAX, |wakes| wakes.as_ms().saturating_sub(time.as_ms()));
            let pause = Duration::from_millis(wakes.clamp(PAUSE_MS_MIN, PAUSE_MS_MAX));
            let _ = tokio::time::timeout(pause, self.work_changed.notified()).await;
        }
    }

    /// How far a question of a sender has come that is kept.
    pub fn stage(&self, sender: &crate::base::ids::AgencyId, id: MessageId) -> Option<Stage> {
        self.work().stage_of(sender, id)
    }

    async fn deliver(self: &Arc<Self>, kept: Kept) {
        let index = kept.place.index;
        let (mut running, logged) = match self.take_up(&kept) {
            Ok(found) => found,
            Err(Unready::Later) => return self.again(index, kept.deadline),
            Err(Unready::Refused(refusal)) => return self.give_up(&kept, *refusal).await,
        };
        let deadline = running.question.message().header.expires_at;
        let forward = Forward::new(&mut running.question, &logged);
        let tries = if kept.tries == 0 { Tries::First } else { Tries::Further };
        match self.post(forward, &mut running, tries).await {
            Ok(Posted::Arrived(arrived)) => {
                let result = self.conclude(&running, arrived).await;
                self.end(&kept, deadline, result.as_ref().err());
            }
            Ok(Posted::Taken(waiting)) => {
                self.work().delivered(index);
                // An answer that came by a message of its own before that was noted has gone this way.
                let late = waiting.already();
                let kept = late.is_some().then(|| self.work().answered(&kept.digest, &kept.holder)).flatten();
                if let Some((late, kept)) = late.zip(kept) {
                    let result = self.conclude(&running, Arrived::Late(late)).await;
                    self.end(&kept, deadline, result.as_ref().err());
                }
            }
            Ok(Posted::Failed(error)) if is_passing(&error) => self.again(index, deadline),
            Ok(Posted::Failed(error)) => {
                let refused = self.fail(&running, Refusal::new(fault_of(error))).await;
                self.end(&kept, deadline, Some(&refused));
            }
            Err(fault) => {
                let refused = self.fail(&running, Refusal::new(fault)).await;
                self.end(&kept, deadline, Some(&refused));
            }
        }
    }

    /// Takes an answer that came by a message of its own to a question that is kept.
    pub(super) async fn take_answer(&self, kept: Kept, id: MessageId, carried: Carried) -> Result<Reply, Refused> {
        let running = match self.take_up(&kept) {
            Ok((running, _)) => running,
            Err(Unready::Later) => {
                self.again(kept.place.index, kept.deadline);
                return Err(Refused { fault: Fault::new(Code::LogUnavailable).with_retry_after(5), id: Some(id), logged: None });
            }
            Err(Unready::Refused(refusal)) => {
                let fault = refusal.fault.clone();
                self.give_up(&kept, *refusal).await;
                return Err(Refused { fault, id: Some(id), logged: None });
            }
        };
        let result: Result<Release, Refused> = self.admit(&running, carried).await;
        self.end(&kept, running.question.message().header.expires_at, result.as_ref().err());
        result.map(|_| Reply::Accepted { id, logged: None }).map_err(|refused| Refused { id: Some(id), ..refused })
    }

    /// Reads a kept question again, and looks whether it may still be delivered.
    fn take_up(&self, kept: &Kept) -> Result<(Running, Logged), Unready> {
        let (octets, logged) = self.store.outcome(kept.place).map_err(|cause| {
            self.telemetry.say_sparingly(&format!("a question that is kept cannot be read: {cause}"));
            Unready::Later
        })?;
        let world = self.world();
        let question = permit_again(self.snapshot(&world), octets).map_err(|refusal| Unready::Refused(Box::new(refusal)))?;
        let running = self.running(world, question, None);
        let mut running = running.map_err(|refused| Unready::Refused(Box::new(Refusal::new(refused.fault))))?;
        if running.provider != kept.holder {
            // The record says who is asked: another holder is asked by another question.
            let moved = Fault::at(Code::RteNoHolder, format!("{} does not hold it any more", kept.holder));
            return Err(Unready::Refused(Box::new(Refusal::new(moved))));
        }
        running.system = kept.system;
        Ok((running, logged))
    }

    /// The holder could not be reached.
    fn again(&self, index: u64, deadline: UnixTime) {
        let time = now();
        // Any number will do that is not the same for all.
        let spread = (time.as_ms() ^ index.wrapping_mul(2_654_435_761)) % 1000;
        self.work().failed(index, time, deadline, spread);
        self.work_changed.notify_one();
    }

    /// It is over, if that is on record; else it is tried again.
    fn end(&self, kept: &Kept, deadline: UnixTime, refused: Option<&Refused>) {
        match refused {
            Some(Refused { logged: None, .. }) => return self.again(kept.place.index, deadline),
            Some(Refused { fault, .. }) => self.ledger().fail(&kept.sender, kept.id, fault.code),
            None => {}
        }
        self.work().ended(kept.place.index);
        self.settled.tell(&kept.sender);
        self.work_changed.notify_one();
    }

    /// Records that a question will not be delivered any more.
    async fn give_up(&self, kept: &Kept, refusal: Refusal) {
        let mut record = Record::new(RecordKind::Refusal, now());
        (record.message, record.digest, record.system) = (Some(kept.id), Some(kept.digest), kept.system);
        (record.consumer, record.provider) = (Some(kept.sender.clone()), Some(kept.holder.clone()));
        (record.concerns, record.registry_version) = (Some(kept.place.index), self.world().registry.version());
        let cause = Some(refusal.fault.detail.as_ref()).filter(|detail| !detail.is_empty()).map(str::to_owned);
        let private = Private { is_with_request: true, cause, ..Private::default() };
        let refused = self.record_refusal(record, private, refusal.fault).await;
        self.end(kept, kept.deadline, Some(&refused));
    }
}

/// Whether a holder that failed so may take the question later.
fn is_passing(error: &UpstreamError) -> bool {
    match error {
        UpstreamError::Unreachable(_) | UpstreamError::Broken(_) | UpstreamError::Deadline => true,
        UpstreamError::Status(status, _) => matches!(status, 408 | 425 | 429 | 500..=599),
        UpstreamError::TooLarge => false,
        UpstreamError::Parts(fault) => fault.code.blame() == Blame::Gateway,
    }
}

/// How long nothing is looked at, in milliseconds.
const PAUSE_MS_MIN: u64 = 5;
const PAUSE_MS_MAX: u64 = 60_000;
