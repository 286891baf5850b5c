//! One exchange from its octets to its reply.

use super::answers::{Late, Place};
use super::attachments::{Carried, Rest, of_holder};
use super::{Gateway, Refused, Replayed, Reply, Visit, Wait, World, log_unavailable, now};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::DAY_MS;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::{Logged, Private, Record, RecordKind};
use crate::exchange::admission::{Answer, Authenticated, Permitted, Refusal, admit_answer, authenticate, permit, personal};
use crate::exchange::ledger::{Begin, Forward, Release};
use crate::host::store::{Committed, Pending};
use crate::host::transport::UpstreamError;
use crate::message::envelope::{Claimed, Kind};
use crate::rules::quota::Alarm;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Counts an exchange as open for as long as it lives.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the consumer's side of an exchange is told.
enum Progress {
    Recorded(Logged),
    Ended(Result<Release, Refused>),
}

/// An exchange whose question is permitted.
pub(super) struct Running {
    pub(super) world: Arc<World>,
    /// The client certificate that the question came with.
    pub(super) system: Option<Digest>,
    arrived: Instant,
    /// Its place in the quota and its room are taken for as long as it is open, unless it is kept.
    visit: Option<Visit>,
    pub(super) question: Permitted,
    pub(super) consumer: AgencyId,
    pub(super) provider: AgencyId,
    _open: Open,
}

impl Gateway {
    /// Takes a message from a peer and sees it through.
    pub async fn submit(self: &Arc<Self>, mut visit: Visit, carried: impl Into<Carried>, wait: Wait) -> Result<Reply, Refused> {
        let Carried { octets, rest } = carried.into();
        visit.has_octets(octets.len());
        let (system, length) = (visit.peer.system(), octets.len() as u64);
        let agency = visit.peer.agency();
        let taken = self.check(&visit.world, agency, octets.len(), || self.take(&visit, octets)).await;
        match taken {
            Err(refusal) => {
                if refusal.fault.code.as_str().starts_with("OG-SIG") {
                    // A signature that fails costs as much as one that holds; ten junk messages cost like a hundred.
                    visit.world.quotas.charge(visit.peer.agency(), 9);
                }
                Err(self.refuse(&system, length, refusal).await)
            }
            Ok(Taken::Replay(id, place)) => match self.answer_again(place) {
                Ok(release) => Ok(Reply::Answered { id, release, replayed: Replayed::Yes }),
                Err(fault) => Err(self.refuse(&system, length, Refusal::new(fault)).await),
            },
            Ok(Taken::Kept(id, index)) => Ok(Reply::Accepted { id, logged: Some(index) }),
            Ok(Taken::Late(answer)) => self.deliver_late(&visit, answer, rest).await,
            Ok(Taken::Question(question)) => {
                self.take_in_question(&mut visit, &question, rest).await?;
                if wait.is_none() { self.accept(visit, question).await } else { self.start(visit, question, wait).await }
            }
        }
    }

    /// Reads, verifies, remembers and permits.
    fn take(&self, visit: &Visit, octets: Vec<u8>) -> Result<Taken, Refusal> {
        let snapshot = self.snapshot(&visit.world);
        let octets = self.seal.at_the_door(&visit.world.registry, visit.peer.agency(), octets).map_err(Refusal::new)?;
        let authenticated = authenticate(snapshot, &visit.peer, octets)?;
        visit.world.quotas.charge(visit.peer.agency(), authenticated.price().saturating_sub(1));
        if matches!(authenticated.message().header.kind, Kind::Answer | Kind::Status | Kind::Fault) {
            return Ok(Taken::Late(authenticated));
        }
        let (id, digest) = (authenticated.id(), authenticated.digest());
        let sender = authenticated.message().header.from.clone();
        let refuse = |fault| Refusal::of(fault, authenticated.message(), digest);
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(refuse(Fault::new(Code::HttpBusy).with_retry_after(5)));
        }
        let begun = self.ledger().begin(snapshot.now, &sender, id, digest);
        match begun {
            Ok(Begin::Replay(place)) => return Ok(Taken::Replay(id, place)),
            Ok(Begin::Fresh) => {}
            Err(fault) => {
                // What is kept was accepted, and is so again.
                let kept = self.work().stage(&digest).filter(|_| fault.code == Code::MsgInProgress);
                return kept.map(|(_, record)| Taken::Kept(id, record)).ok_or_else(|| refuse(fault));
            }
        }
        let permitted = permit(snapshot, authenticated).and_then(|question| {
            let may_ask = visit.world.quotas.use_grant(question.grounds().grant);
            let counted = may_ask.and_then(|()| self.count_person(visit, &sender, &question));
            counted.map_err(|fault| Refusal::of(fault, question.message(), digest))?;
            Ok(question)
        });
        permitted.map(Taken::Question).inspect_err(|_| self.ledger().abandon(&sender, id))
    }

    /// Who tries out numbers is stopped before the holder is asked.
    fn count_person(&self, visit: &Visit, sender: &AgencyId, question: &Permitted) -> Result<(), Fault> {
        let agency = visit.world.registry.agency(question.consumer());
        let (Some(agency), Some(context)) = (agency, question.context()) else { return Ok(()) };
        let budget = agency.allowance.persons_per_day;
        let keys = self.store.person_keys(&context.subject);
        let asked = self.persons().ask(sender, &keys, budget, now());
        let how = match asked.alarm {
            Alarm::None => return asked.verdict,
            Alarm::Near => "has asked for four fifths of its",
            Alarm::Beyond => "has asked for more than its",
        };
        self.telemetry.alarm("persons", &format!("{sender} {how} {budget} persons of this day"));
        asked.verdict
    }

    async fn start(self: &Arc<Self>, visit: Visit, question: Permitted, wait: Wait) -> Result<Reply, Refused> {
        let id = question.message().header.id;
        let mut running = self.running(Arc::clone(&visit.world), question, Some(visit))?;
        let (recorded, mut is_recorded) = oneshot::channel();
        let (ended, mut is_ended) = oneshot::channel();
        let gateway = Arc::clone(self);
        // The exchange outlives the connection it came by; `drained` waits for it.
        tokio::spawn(async move {
            let result = gateway.run(&mut running, recorded).await;
            if let Err(refused) = &result {
                gateway.ledger().fail(&running.consumer, id, refused.fault.code);
            }
            gateway.settled.tell(&running.consumer);
            drop(running);
            let _ = ended.send(result);
        });
        let mut progress = None;
        if let Wait::UpTo(limit) = wait
            && let Ok(ended) = tokio::time::timeout(limit, &mut is_ended).await
        {
            progress = Some(Progress::Ended(ended.unwrap_or_else(|_| Err(interrupted(id)))));
        }
        // Whoever does not wait for the answer waits for the record all the same: nothing is accepted without one.
        let progress = match progress {
            Some(progress) => progress,
            None => tokio::select! {
                biased;
                Ok(logged) = &mut is_recorded => Progress::Recorded(logged),
                ended = &mut is_ended => Progress::Ended(ended.unwrap_or_else(|_| Err(interrupted(id)))),
            },
        };
        match progress {
            Progress::Recorded(logged) => Ok(Reply::Accepted { id, logged: Some(logged.index()) }),
            Progress::Ended(result) => result.map(|release| Reply::Answered { id, release, replayed: Replayed::No }),
        }
    }

    /// An exchange about to run.
    pub(super) fn running(&self, world: Arc<World>, question: Permitted, visit: Option<Visit>) -> Result<Running, Refused> {
        let name = |index| world.registry.agency(index).map(|agency| agency.id.clone());
        let (Some(consumer), Some(provider)) = (name(question.consumer()), name(question.holder())) else {
            return Err(Refused { fault: Fault::new(Code::RteNoHolder), id: None, logged: None });
        };
        let system = visit.as_ref().map(|visit| visit.peer.system());
        let arrived = visit.as_ref().map_or_else(Instant::now, |visit| visit.arrived);
        Ok(Running { world, system, arrived, visit, question, consumer, provider, _open: Open::new(&self.open) })
    }

    /// Record, forward, check, record, release: in this order, which the types demand.
    async fn run(self: &Arc<Self>, running: &mut Running, recorded: oneshot::Sender<Logged>) -> Result<Release, Refused> {
        let record = running.record(RecordKind::Request);
        self.telemetry.close(&record, None);
        let body = self.archived(running.question.octets());
        let entry = Entry { record, private: running.private(), body };
        let committed = self.keep(entry).await;
        running.note_recorded(committed.as_ref().ok());
        let committed = committed.map_err(|cause| running.unrecorded(&cause))?;
        let _ = recorded.send(committed.logged);
        let forward = Forward::new(&mut running.question, &committed.logged);
        match self.forward(forward, running).await {
            Ok(arrived) => self.conclude(running, arrived).await,
            Err(fault) => Err(self.fail(running, Refusal::new(fault)).await),
        }
    }

    /// Checks an answer, records and releases it, and tells whoever waits for word of it.
    pub(super) async fn conclude(&self, running: &Running, arrived: Arrived) -> Result<Release, Refused> {
        let (carried, verdict) = match arrived {
            Arrived::At(carried) => (carried, None),
            Arrived::Late(late) => (late.carried, Some(late.verdict)),
        };
        let result = self.admit(running, carried).await;
        if let Some(verdict) = verdict {
            let _ = verdict.send(result.as_ref().map(|_| ()).map_err(Clone::clone));
        }
        result
    }

    /// Checks an answer, and releases it.
    pub(super) async fn admit(&self, running: &Running, carried: Carried) -> Result<Release, Refused> {
        let Carried { octets, rest } = carried;
        let (world, agency) = (&running.world, running.question.consumer());
        let size = octets.len();
        let check = || admit_answer(self.snapshot(world), &running.question, octets);
        match self.check(world, agency, size, check).await {
            Ok(answer) => {
                let parties = [running.provider.clone(), running.consumer.clone()];
                match self.take_in_answer(running.question.message(), &answer, parties, rest).await {
                    Ok(attachments) => self.release(running, answer, attachments).await,
                    Err(fault) => Err(self.fail(running, Refusal::new(fault)).await),
                }
            }
            Err(refusal) => Err(self.fail(running, refusal).await),
        }
    }

    async fn release(&self, running: &Running, answer: Answer, attachments: Option<Pending>) -> Result<Release, Refused> {
        let mut record = running.record(RecordKind::Answer);
        (record.digest, record.counterpart) = (Some(answer.digest()), Some(running.question.digest()));
        record.octets = answer.octets().len() as u64;
        let (id, digest) = (running.question.message().header.id, running.question.digest());
        self.telemetry.close(&record, None);
        // Room for the tag of the seal, so that it is not copied once more to get some.
        let mut body = Vec::with_capacity(answer.octets().len() + 16);
        body.extend_from_slice(answer.octets());
        let private = Private { is_with_request: true, ..running.private() };
        let entry = Entry { record, private, body: Some(body) };
        let committed = self.keep(entry).await;
        attachments.into_iter().for_each(|pending| pending.settle(committed.as_ref().ok()));
        let committed = committed.map_err(|cause| running.unrecorded(&cause))?;
        self.ledger().settle(&running.consumer, id, digest, committed.place);
        Ok(Release::new(answer, committed.logged))
    }

    /// A request is kept with its record only where there is an archive; an answer always, to be given again.
    fn archived(&self, octets: &[u8]) -> Option<Vec<u8>> {
        (self.limits.archive_days > 0).then(|| octets.to_vec())
    }

    /// Delivers the question; the holder answers at once, or later by a message of its own.
    async fn forward(self: &Arc<Self>, forward: Forward, running: &mut Running) -> Result<Arrived, Fault> {
        match self.post(forward, running, Tries::First).await? {
            Posted::Arrived(arrived) => Ok(arrived),
            Posted::Taken(mut waiting) => match tokio::time::timeout(running.left(), waiting.arrived()).await {
                Ok(Ok(late)) => Ok(Arrived::Late(late)),
                _ => Err(Fault::new(Code::RteDeadline)),
            },
            Posted::Failed(error) => Err(fault_of(error)),
        }
    }

    /// Takes the question to the holder once.
    pub(super) async fn post(self: &Arc<Self>, forward: Forward, running: &mut Running, tries: Tries) -> Result<Posted, Fault> {
        let holder = running.world.registry.agency(forward.holder()).ok_or_else(|| Fault::new(Code::RteNoHolder))?;
        let url = holder.url.clone().ok_or_else(|| Fault::new(Code::RteNoHolder))?;
        let deadline = running.left().min(self.patience(running.question.message()));
        let mut waiting = self.answers.expect(running.question.digest(), running.provider.clone());
        let mut headers = vec![("oncegate-message-id", running.question.message().header.id.to_string())];
        if tries == Tries::Further {
            headers.push(("oncegate-redelivered", "true".to_owned()));
        }
        // What was sent is gone: an answer may take days, and meanwhile there is room for others.
        let (gateway, room) = (Arc::clone(self), running.visit.as_mut().and_then(Visit::take_room));
        let (attachments, holder) = (running.question.message().attachments.len(), running.provider.clone());
        let mut posting = Box::pin(async move {
            let posted = gateway.carry(&url, (forward.into_octets(), attachments), headers, deadline, &holder).await;
            drop(room);
            posted
        });
        let posted = tokio::select! {
            biased;
            posted = &mut posting => posted,
            Ok(late) = waiting.arrived() => {
                // The holder waits for our word before it answers the request by which it got the question.
                tokio::spawn(posting);
                return Ok(Posted::Arrived(Arrived::Late(late)));
            }
        };
        Ok(match posted {
            Err(UpstreamError::Status(202, _)) => Posted::Taken(waiting),
            // It may have answered by a message of its own just before this broke.
            Err(error) => waiting.already().map_or(Posted::Failed(error), |late| Posted::Arrived(Arrived::Late(late))),
            Ok(carried) => Posted::Arrived(Arrived::At(carried)),
        })
    }

    /// Records a failure of the exchange.
    pub(super) async fn fail(&self, running: &Running, refusal: Refusal) -> Refused {
        let mut record = running.record(RecordKind::Refusal);
        (record.counterpart, record.raw) = (refusal.digest, refusal.raw);
        let public = Some(refusal.fault.detail.as_ref()).filter(|detail| !detail.is_empty());
        let cause = refusal.fault.sealed.as_deref().or(public).map(str::to_owned);
        let private = Private { is_with_request: true, cause, ..running.private() };
        self.record_refusal(record, private, refusal.fault).await
    }

    /// An answer that comes as a message of its own goes to the exchange that waits for it, and is acknowledged when it is on
    /// record.
    async fn deliver_late(&self, visit: &Visit, answer: Authenticated, rest: Option<Box<Rest>>) -> Result<Reply, Refused> {
        let id = answer.id();
        let (question, from) = (answer.message().header.in_reply_to, answer.message().header.from.clone());
        let (digest, claimed) = (answer.digest(), Claimed { id: Some(id), from: None });
        let kept = question.and_then(|question| self.work().answered(&question.digest, &from));
        if let Some(kept) = kept {
            return self.take_answer(kept, id, Carried { octets: answer.into_octets(), rest }).await;
        }
        let carried = Carried { octets: answer.into_octets(), rest };
        let said = question.and_then(|question| self.answers.deliver(question.digest, &from, carried));
        // Whoever expected it may have got another meanwhile, or waited for too long.
        if let Some(said) = said
            && let Ok(verdict) = said.await
        {
            return verdict.map(|()| Reply::Accepted { id, logged: None }).map_err(|refused| Refused { id: Some(id), ..refused });
        }
        let refusal = Refusal { claimed, digest: Some(digest), ..Refusal::new(Fault::new(Code::MsgReplyTo)) };
        Err(self.refuse(&visit.peer.system(), 0, refusal).await)
    }
}

/// What came of taking a question to its holder.
pub(super) enum Posted {
    /// An answer.
    Arrived(Arrived),
    /// The holder has it, and will answer by a message of its own.
    Taken(Place),
    /// Nothing that is an answer.
    Failed(UpstreamError),
}

/// Whether a holder may have had a question before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tries {
    /// It has not.
    First,
    /// It may.
    Further,
}

/// How an answer came.
pub(super) enum Arrived {
    /// By the request that brought the question.
    At(Carried),
    /// By a message of its own.
    Late(Late),
}

enum Taken {
    Question(Permitted),
    Replay(MessageId, crate::exchange::ledger::OutcomePlace),
    /// It is kept already, with this record.
    Kept(MessageId, u64),
    Late(Authenticated),
}

impl Running {
    /// Its record is durable, or it is not known whether it is.
    pub(super) fn note_recorded(&mut self, committed: Option<&Committed>) {
        if let Some(pending) = self.visit.as_mut().and_then(|visit| visit.attachments.take()) {
            pending.settle(committed);
        }
    }

    /// How long it may still take.
    pub(super) fn left(&self) -> Duration {
        Duration::from_millis(self.question.message().header.expires_at.as_ms().saturating_sub(now().as_ms()))
    }

    pub(super) fn record(&self, kind: RecordKind) -> Record {
        let (message, context) = (self.question.message(), self.question.context());
        let mut record = Record::new(kind, now());
        (record.message, record.digest) = (Some(message.header.id), Some(self.question.digest()));
        (record.consumer, record.provider) = (Some(self.consumer.clone()), Some(self.provider.clone()));
        record.document_type = Some(self.question.what().clone());
        record.purpose = context.map(|context| context.purpose.clone());
        record.case = context.and_then(|context| context.case);
        record.basis = Some(self.question.grounds().basis.clone());
        record.grant = Some(self.question.grounds().grant_id.clone());
        let withheld = self.world.registry.grant(self.question.grounds().grant).map_or(0, |grant| grant.withheld_days);
        record.withheld_until = (withheld > 0).then(|| record.time.plus_ms(u64::from(withheld) * DAY_MS));
        record.registry_version = self.world.registry.version();
        record.octets = self.question.length();
        record.system = self.system;
        record.world = message.header.world;
        record.elapsed_us = self.arrived.elapsed().as_micros() as u64;
        record
    }

    /// Who it is about, who asked, and for which fields.
    pub(super) fn private(&self) -> Private {
        personal(self.question.message())
    }

    /// Nothing was released, and there is no record to point to.
    pub(super) fn unrecorded(&self, cause: &crate::host::store::StoreError) -> Refused {
        Refused { fault: log_unavailable(cause), id: Some(self.question.message().header.id), logged: None }
    }
}

fn interrupted(id: MessageId) -> Refused {
    Refused { fault: Fault::new(Code::HttpBusy).with_retry_after(1), id: Some(id), logged: None }
}

pub(super) fn fault_of(error: UpstreamError) -> Fault {
    match error {
        UpstreamError::Unreachable(cause) | UpstreamError::Broken(cause) => {
            Fault::new(Code::RteUnreachable).with_private(cause).with_retry_after(5)
        }
        UpstreamError::TooLarge => {
            Fault::at(Code::RteBadAnswer, format!("the answer is larger than {} bytes", limits::MESSAGE_BYTES_MAX))
        }
        UpstreamError::Status(429 | 503, retry_after) => Fault::new(Code::RteBusy).with_retry_after(retry_after.unwrap_or(5)),
        UpstreamError::Status(status, _) => {
            Fault::at(Code::RteBadAnswer, format!("the holder answered with HTTP status {status}"))
        }
        UpstreamError::Deadline => Fault::new(Code::RteDeadline),
        UpstreamError::Parts(fault) => of_holder(&fault),
    }
}
