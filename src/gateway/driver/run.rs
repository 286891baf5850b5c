//! One exchange from its octets to its reply.

use super::answers::{Late, Place};
use super::attachments::{Carried, Rest, may_come_again, of_holder};
use super::holders::{self, Entering, HadItsTime, outcome_of};
use super::misses;
use super::{Gateway, Refused, Replayed, Reply, Visit, Wait, World, log_unavailable, now};
use crate::base::fault::{Blame, Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Digest, MessageId};
use crate::base::limits;
use crate::base::time::{DAY_MS, UnixTime};
use crate::evidence::journal::Entry;
use crate::evidence::tlog::{Logged, Private, Record, RecordKind};
use crate::exchange::admission::{
    Answer, Authenticated, Event, Permitted, Refusal, admit_answer, authenticate, permit, permit_event, personal,
};
use crate::exchange::bulkhead::{Outcome, Turned};
use crate::exchange::ledger::{Begin, Forward, Known, Release};
use crate::exchange::work::{Key, Row, Way, action};
use crate::host::store::{Committed, Pending};
use crate::host::transport::{Bytes, UpstreamError};
use crate::message::envelope::{Claimed, Kind};
use crate::message::schema::fields_header;
use crate::rules::quota::{Alarm, Found};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Counts an exchange as open for as long as it lives.
pub(super) struct Open(Arc<AtomicUsize>);

impl Open {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
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
    Kept(Result<Logged, Refused>),
    Ended(Result<Concluded, Refused>),
}

/// What came of an exchange.
pub(super) enum Concluded {
    /// Its answer may be released.
    Released(Release),
    /// Its holder has said something that is not the answer yet; with its record.
    Heard(Logged),
    /// It is kept, and delivered by itself; with its record.
    Kept(Logged),
}

/// An exchange whose question is permitted.
pub(super) struct Running {
    pub(super) world: Arc<World>,
    /// The client certificate that the question came with.
    pub(super) system: Option<Digest>,
    arrived: Instant,
    /// Its place in the quota and its room are taken for as long as it is open, unless it is kept.
    visit: Option<Visit>,
    /// The record that it is kept by.
    pub(super) kept: Option<u64>,
    pub(super) question: Permitted,
    pub(super) consumer: AgencyId,
    pub(super) provider: AgencyId,
    /// Its place at the holder, until it is there.
    pub(super) place: Option<holders::Place>,
    /// It is open with the holder, if somebody waits for it.
    with_holder: Option<holders::Open>,
    /// Whether its holder may have had it when it came.
    tries: Tries,
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
            Ok(Taken::Kept(row)) => self.outcome_within(&row.sender, row.id, wait, Some(row.key.index)).await,
            Ok(Taken::Told(id, index)) => Ok(Reply::Accepted { id, logged: Some(index) }),
            Ok(Taken::Late(answer)) => {
                let (gateway, id) = (Arc::clone(self), answer.id());
                to_its_end(id, async move { gateway.deliver_late(&visit, answer, rest).await }).await
            }
            Ok(Taken::Cancel(_) | Taken::Event(_)) if rest.is_some() => {
                let alone = Fault::at(Code::AttUnnamed, "an event or a cancel comes alone");
                Err(self.refuse(&system, length, Refusal::new(alone)).await)
            }
            Ok(Taken::Cancel(cancel)) => {
                let (gateway, id) = (Arc::clone(self), cancel.id());
                to_its_end(id, async move { gateway.cancel(&visit, cancel).await }).await
            }
            Ok(Taken::Event(event)) => {
                let (gateway, id) = (Arc::clone(self), event.message().header.id);
                to_its_end(id, async move { gateway.publish(&visit, event).await }).await
            }
            Ok(Taken::Question(question, tries)) => {
                visit.tries = tries;
                self.take_in_question(&mut visit, &question, rest).await?;
                let is_kept = wait.is_none() || self.comes_for_it(&visit, &question);
                if is_kept { self.accept_within(visit, question, wait).await } else { self.start(visit, question, wait).await }
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
        if authenticated.message().header.kind == Kind::Cancel {
            return Ok(Taken::Cancel(authenticated));
        }
        let (id, digest) = (authenticated.id(), authenticated.digest());
        let sender = authenticated.message().header.from.clone();
        let refuse = |fault| Refusal::of(fault, authenticated.message(), digest);
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(refuse(Fault::new(Code::HttpBusy).with_retry_after(5)));
        }
        let begun = self.begin(snapshot.now, &sender, id, digest);
        let tries = match begun {
            Ok(Begin::Replay(place)) if authenticated.message().header.kind == Kind::Event => {
                return Ok(Taken::Told(id, place.index));
            }
            Ok(Begin::Replay(place)) => return Ok(Taken::Replay(id, place)),
            Ok(Begin::Fresh) => Tries::First,
            Ok(Begin::Again) => Tries::Further,
            Err(fault) => return Err(refuse(fault)),
        };
        let kept = self.work().asked(&sender, id);
        if let Some(kept) = kept {
            // What is kept was accepted, and is so again.
            self.ledger().abandon(&sender, id);
            let is_same = kept.digest == digest;
            return if is_same { Ok(Taken::Kept(kept)) } else { Err(refuse(Fault::new(Code::MsgReplayed))) };
        }
        // It may have been kept when the ledger was asked, and have ended before open work was.
        let begun = self.ledger().look_up(&sender, id);
        match begun {
            Some(Known::Open) => {}
            Some(Known::Settled(place)) => return Ok(Taken::Replay(id, place)),
            Some(Known::Refused(_)) | None => return Err(refuse(Fault::new(Code::MsgInProgress).with_retry_after(1))),
        }
        if authenticated.message().header.kind == Kind::Event {
            let event = permit_event(snapshot, authenticated).and_then(|event| self.is_of_its_variants(&visit.world, event));
            return event.map(Taken::Event).inspect_err(|_| self.ledger().abandon(&sender, id));
        }
        let permitted = permit(snapshot, authenticated).and_then(|question| {
            let may_ask = visit.world.quotas.use_grant(question.grounds().grant);
            let may_ask = may_ask.and_then(|()| self.may_miss(visit, &question));
            let counted = may_ask.and_then(|()| self.count_person(visit, &sender, &question));
            counted.map_err(|fault| Refusal::of(fault, question.message(), digest))?;
            Ok(question)
        });
        permitted.map(|question| Taken::Question(question, tries)).inspect_err(|_| self.ledger().abandon(&sender, id))
    }

    /// Whether the holder of a question comes for it.
    fn comes_for_it(&self, visit: &Visit, question: &Permitted) -> bool {
        let holder = visit.world.registry.agency(question.holder());
        holder.is_some_and(|holder| self.work().way(&holder.id) != Way::Push)
    }

    /// Who tries out numbers is stopped before the holder is asked.
    fn count_person(&self, visit: &Visit, sender: &AgencyId, question: &Permitted) -> Result<(), Fault> {
        // Whoever asks for another asks from the other's budget.
        let agency = visit.world.registry.agency(question.principal().unwrap_or(question.consumer()));
        let (Some(agency), Some(context)) = (agency, question.context()) else { return Ok(()) };
        let budget = agency.allowance.persons_per_day;
        let keys = self.store.person_keys(&context.subject);
        let asked = self.persons().ask(&agency.id, &keys, budget, now());
        let how = match asked.alarm {
            Alarm::None => return asked.verdict,
            Alarm::Near => "has asked for four fifths of its",
            Alarm::Beyond => "has asked for more than its",
        };
        let by = if agency.id == *sender { String::new() } else { format!(", the last one by {sender}") };
        self.telemetry.alarm("persons", &format!("{} {how} {budget} persons of this day{by}", agency.id));
        asked.verdict
    }

    async fn start(self: &Arc<Self>, visit: Visit, question: Permitted, wait: Wait) -> Result<Reply, Refused> {
        let id = question.message().header.id;
        let (place, with_holder) = match self.enter_holder(&visit, &question).await? {
            Entering::Entered(place, with_holder) => (place, with_holder),
            // It is tried again in good time: the question is kept until then.
            Entering::LeftAlone => return self.accept_within(visit, question, wait).await,
        };
        let mut running = self.running(Arc::clone(&visit.world), question, Some(visit))?;
        let consumer = running.consumer.clone();
        (running.place, running.with_holder) = (Some(place), Some(with_holder));
        let (ended, mut is_ended) = oneshot::channel();
        let (leave, leaving) = oneshot::channel();
        let gateway = Arc::clone(self);
        // The exchange outlives the connection it came by; `drained` waits for it.
        tokio::spawn(async move {
            let result = gateway.run(&mut running, leaving).await;
            if let Err(refused) = &result {
                gateway.has_failed(&running.consumer, id, refused.fault.code);
            }
            gateway.settled.tell(&running.consumer);
            drop(running);
            let _ = ended.send(result);
        });
        let end = wait.end();
        let mut progress = None;
        if let Wait::UpTo(limit) = wait
            && let Ok(ended) = tokio::time::timeout(limit, &mut is_ended).await
        {
            progress = Some(Progress::Ended(ended.unwrap_or_else(|_| Err(interrupted(id)))));
        }
        let progress = match progress {
            Some(progress) => progress,
            // Whoever does not wait for the answer waits until it is kept all the same: nothing is accepted that a restart forgets.
            None => {
                let (reply, is_kept) = oneshot::channel();
                let _ = leave.send(reply);
                tokio::select! {
                    biased;
                    Ok(kept) = is_kept => Progress::Kept(kept),
                    ended = &mut is_ended => Progress::Ended(ended.unwrap_or_else(|_| Err(interrupted(id)))),
                }
            }
        };
        match progress {
            Progress::Kept(kept) => kept.map(|logged| Reply::Accepted { id, logged: Some(logged.index()) }),
            Progress::Ended(Ok(Concluded::Released(release))) => Ok(Reply::Answered { id, release, replayed: Replayed::No }),
            Progress::Ended(Ok(Concluded::Kept(logged) | Concluded::Heard(logged))) => {
                self.outcome_within(&consumer, id, Wait::until(end), Some(logged.index())).await
            }
            Progress::Ended(Err(refused)) => Err(refused),
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
        let open = Open::new(&self.open);
        let tries = visit.as_ref().map_or(Tries::First, |visit| visit.tries);
        let (place, with_holder) = (None, None);
        Ok(Running {
            world,
            system,
            arrived,
            visit,
            kept: None,
            question,
            consumer,
            provider,
            place,
            with_holder,
            tries,
            _open: open,
        })
    }

    /// Record, forward, check, record, release: in this order, which the types demand. Where whoever asked does not wait for all of
    /// it, the question is kept.
    async fn run(
        self: &Arc<Self>,
        running: &mut Running,
        leaving: oneshot::Receiver<oneshot::Sender<Result<Logged, Refused>>>,
    ) -> Result<Concluded, Refused> {
        let record = running.request();
        self.telemetry.close(&record, None);
        let body = self.archived(running.question.octets());
        let entry = Entry { record, private: running.private(), body };
        let committed = self.keep(entry).await;
        running.note_recorded(committed.as_ref().ok());
        let committed = committed.map_err(|cause| running.unrecorded(&cause))?;
        let logged = committed.logged;
        let forward = Forward::new(&mut running.question, &logged);
        let (mut posting, octets) = match self.post(forward, running, running.tries) {
            Ok(posting) => posting,
            Err(fault) => return Err(self.fail(running, Refusal::new(fault)).await),
        };
        let posted = tokio::select! {
            biased;
            posted = &mut posting => posted,
            Ok(reply) = leaving => {
                let _ = reply.send(self.go_on(running, octets.clone(), logged).await);
                posting.await
            }
        };
        // From now on the holder has no part in how long it takes.
        running.with_holder = None;
        match posted {
            posted if running.kept.is_some() => self.kept_on(running, posted, logged).await,
            Posted::Arrived(arrived) => self.conclude_first(running, arrived, (octets, logged)).await,
            Posted::Failed(error) if !is_passing(&error) || running.left().is_zero() => {
                Err(self.fail(running, Refusal::new(fault_of(error))).await)
            }
            posted => {
                self.go_on(running, octets, logged).await?;
                self.kept_on(running, posted, logged).await
            }
        }
    }

    /// What came of taking it to its holder is for open work now.
    async fn kept_on(self: &Arc<Self>, running: &Running, posted: Posted, asked: Logged) -> Result<Concluded, Refused> {
        let row = self.work().row(&Key { index: asked.index(), to: running.provider.clone() });
        match row {
            Some(row) => self.came_of(&row, running, posted).await,
            // It was cancelled meanwhile.
            None => self.work().reached(&running.provider),
        }
        Ok(Concluded::Kept(asked))
    }

    /// Checks the first word of a holder. If it is not the last, the question is kept from now on.
    async fn conclude_first(
        &self,
        running: &mut Running,
        arrived: Arrived,
        (question, asked): (Bytes, Logged),
    ) -> Result<Concluded, Refused> {
        let (carried, verdict) = arrived.apart();
        let result = match self.check_answer(running, carried).await {
            Ok((answer, attachments)) => match answer.goes_on() {
                None => self.release(running, answer, attachments).await.map(Concluded::Released),
                Some(again) => match self.go_on(running, question, asked).await {
                    Ok(_) => {
                        let heard = self.hear(running, (answer, attachments), again).await;
                        let mut work = self.work();
                        work.reached(&running.provider);
                        if heard.is_err() {
                            work.release(&Key { index: asked.index(), to: running.provider.clone() });
                        }
                        heard
                    }
                    Err(refused) => Err(refused),
                },
            },
            Err(refused) => Err(refused),
        };
        tell(verdict, &result);
        result
    }

    /// Checks what a holder says, records it, and tells whoever waits for word of it.
    pub(super) async fn conclude(&self, running: &Running, arrived: Arrived) -> Result<Concluded, Refused> {
        let (carried, verdict) = arrived.apart();
        let result = self.admit(running, carried).await;
        tell(verdict, &result);
        result
    }

    /// Checks what a holder says of a question that is kept, and records it.
    pub(super) async fn admit(&self, running: &Running, carried: Carried) -> Result<Concluded, Refused> {
        let (answer, attachments) = self.check_answer(running, carried).await?;
        match answer.goes_on() {
            None => self.release(running, answer, attachments).await.map(Concluded::Released),
            Some(again) => self.hear(running, (answer, attachments), again).await,
        }
    }

    /// Checks what a holder says, and takes in what it names.
    async fn check_answer(&self, running: &Running, carried: Carried) -> Result<(Answer, Option<Pending>), Refused> {
        let Carried { octets, rest } = carried;
        let (world, agency) = (&running.world, running.question.consumer());
        let size = octets.len();
        let check = || admit_answer(self.snapshot(world), &running.question, octets);
        match self.check(world, agency, size, check).await {
            Ok(answer) => {
                let parties = [running.provider.clone(), running.consumer.clone()];
                match self.take_in_answer((world, &running.question), &answer, parties, rest).await {
                    Ok(attachments) => Ok((answer, attachments)),
                    Err(fault) if running.kept.is_some() && may_come_again(&fault) => Err(self.not_yet(running, fault).await),
                    Err(fault) => Err(self.fail(running, Refusal::new(of_holder(&fault))).await),
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
        let found = misses::found(&running.question, &answer);
        let private = Private { is_with_request: true, is_miss: found == Some(Found::Nothing), ..running.private() };
        let entry = Entry { record, private, body: Some(body) };
        let committed = self.keep(entry).await;
        attachments.into_iter().for_each(|pending| pending.settle(committed.as_ref().ok()));
        let committed = committed.map_err(|cause| running.unrecorded(&cause))?;
        if let Some(found) = found {
            self.count_answer(&running.world, &running.question, found);
        }
        // Of what was kept open work has been told, and before it the ledger.
        if running.kept.is_none() {
            self.ledger().settle(&running.consumer, id, digest, committed.place);
        }
        Ok(Release::new(answer, committed.logged))
    }

    /// A request is kept with its record only where there is an archive; an answer always, to be given again.
    fn archived(&self, octets: &[u8]) -> Option<Vec<u8>> {
        (self.limits.archive_days > 0).then(|| octets.to_vec())
    }

    /// The place that a question has, or one for a question that is kept.
    fn place_of(&self, running: &mut Running) -> Result<holders::Place, Turned> {
        if let Some(place) = running.place.take() {
            return Ok(place);
        }
        let load = running.world.registry.agency(running.question.holder()).map(|agency| agency.load).unwrap_or_default();
        self.holders.enter(&running.provider, load, running.question.length() as usize)
    }

    /// Takes the question to the holder once; what is returned does so when it is awaited.
    pub(super) fn post(
        self: &Arc<Self>,
        forward: Forward,
        running: &mut Running,
        tries: Tries,
    ) -> Result<(Posting, Bytes), Fault> {
        let holder = running.world.registry.agency(forward.holder()).ok_or_else(|| Fault::new(Code::RteNoHolder))?;
        let url = holder.url.clone().ok_or_else(|| Fault::new(Code::RteNoHolder))?;
        let place = self.place_of(running);
        let message = running.question.message();
        let (expires_at, all_its_time) = (message.header.expires_at, self.patience(message));
        if until(expires_at).is_zero() {
            // While its record was written its time has passed.
            return Err(Fault::new(Code::RteDeadline));
        }
        let (attachments, provider) = (message.attachments.len(), running.provider.clone());
        let mut headers = vec![("oncegate-message-id", message.header.id.to_string())];
        headers.extend(running.fields().map(|fields| ("oncegate-fields", fields)));
        if tries == Tries::Further {
            headers.push(("oncegate-redelivered", "true".to_owned()));
        }
        let mut waiting = self.answers.expect(running.question.digest(), running.provider.clone());
        // What was sent is gone: an answer may take days, and meanwhile there is room for others.
        let (gateway, room) = (Arc::clone(self), running.visit.as_mut().and_then(Visit::take_room));
        let octets = Bytes::from(forward.into_octets());
        let sent = octets.clone();
        let mut sending = Box::pin(async move {
            let mut place = place?;
            place.comes(until(expires_at).min(all_its_time)).await?;
            let deadline = until(expires_at).min(all_its_time);
            let its_time = if deadline < all_its_time { HadItsTime::No } else { HadItsTime::Yes };
            let posted = gateway.carry(&url, (sent, attachments), headers, deadline, &provider).await;
            drop(room);
            place.shows(outcome_of(&posted, its_time));
            Ok((posted, place))
        });
        let posting = async move {
            let posted: Result<_, Turned> = tokio::select! {
                biased;
                posted = &mut sending => posted,
                Ok(late) = waiting.arrived() => {
                    // The holder waits for our word before it answers the request by which it got the question.
                    tokio::spawn(async move {
                        if let Ok((_, mut place)) = sending.await {
                            place.shows(Outcome::Spoke);
                        }
                    });
                    return Posted::Arrived(Arrived::Late(late));
                }
            };
            match posted {
                Err(turned) => Posted::Turned(turned),
                Ok((Err(UpstreamError::Status(202, _)), _)) => Posted::Taken(waiting),
                Ok((Ok(carried), _)) => Posted::Arrived(Arrived::At(carried)),
                // It may have answered by a message of its own just before this broke.
                Ok((Err(error), mut place)) => match waiting.already() {
                    Some(late) => {
                        place.shows(Outcome::Spoke);
                        Posted::Arrived(Arrived::Late(late))
                    }
                    None => Posted::Failed(error),
                },
            }
        };
        Ok((Box::pin(posting), octets))
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

/// Tells whoever sent an answer what comes of it.
fn tell(verdict: Option<Verdict>, result: &Result<Concluded, Refused>) {
    if let Some(verdict) = verdict {
        let _ = verdict.send(result.as_ref().map(|_| ()).map_err(Clone::clone));
    }
}

type Verdict = oneshot::Sender<Result<(), Refused>>;

impl Arrived {
    fn apart(self) -> (Carried, Option<Verdict>) {
        match self {
            Self::At(carried) => (carried, None),
            Self::Late(late) => (late.carried, Some(late.verdict)),
        }
    }
}

/// A question on its way to its holder.
pub(super) type Posting = Pin<Box<dyn Future<Output = Posted> + Send>>;

/// What came of taking a question to its holder.
pub(super) enum Posted {
    /// An answer.
    Arrived(Arrived),
    /// The holder has it, and will answer by a message of its own.
    Taken(Place),
    /// Nothing that is an answer.
    Failed(UpstreamError),
    /// It was not asked: it is left alone, or too many wait for it.
    Turned(Turned),
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
    Question(Permitted, Tries),
    Replay(MessageId, crate::exchange::ledger::OutcomePlace),
    /// It is kept already.
    Kept(Row),
    /// It is an event that was told before, with this record.
    Told(MessageId, u64),
    Event(Event),
    Cancel(Authenticated),
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
        until(self.question.message().header.expires_at)
    }

    /// The optional fields that its answer may hold, as a header has them; none where they would be too many for one.
    pub(super) fn fields(&self) -> Option<String> {
        fields_header(&self.question.fields(self.world.schemas())?)
    }

    /// On whose behalf it is asked.
    pub(super) fn principal(&self) -> Option<&AgencyId> {
        let agency = self.question.principal().and_then(|index| self.world.registry.agency(index));
        agency.map(|agency| &agency.id)
    }

    pub(super) fn record(&self, kind: RecordKind) -> Record {
        let (message, context) = (self.question.message(), self.question.context());
        let mut record = Record::new(kind, now());
        (record.message, record.digest) = (Some(message.header.id), Some(self.question.digest()));
        (record.consumer, record.provider) = (Some(self.consumer.clone()), Some(self.provider.clone()));
        record.principal = self.principal().cloned();
        let addressed = self.world.registry.agency(self.question.addressed()).map(|agency| &agency.id);
        record.addressed = addressed.filter(|addressed| **addressed != self.provider).cloned();
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
        record.concerns = self.kept;
        record.world = message.header.world;
        record.elapsed_us = self.arrived.elapsed().as_micros() as u64;
        record
    }

    /// The record that it is permitted by.
    pub(super) fn request(&self) -> Record {
        let mut record = self.record(RecordKind::Request);
        record.action = (self.tries == Tries::Further).then(|| Word::parse(action::AGAIN)).flatten();
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

/// How long it is until then.
fn until(time: UnixTime) -> Duration {
    Duration::from_millis(time.as_ms().saturating_sub(now().as_ms()))
}

/// Does something to its end, also when whoever asked for it hangs up meanwhile: what was recorded is told to whoever has to know.
pub(super) async fn to_its_end<T: Send + 'static>(
    id: MessageId,
    doing: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    tokio::spawn(doing).await.unwrap_or_else(|_| Err(interrupted(id)))
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

/// Whether a receiver that failed so may take it later.
pub(super) fn is_passing(error: &UpstreamError) -> bool {
    match error {
        UpstreamError::Unreachable(_) | UpstreamError::Broken(_) | UpstreamError::Deadline => true,
        UpstreamError::Status(status, _) => matches!(status, 408 | 425 | 429 | 500..=599),
        UpstreamError::TooLarge => false,
        UpstreamError::Parts(fault) => fault.code.blame() == Blame::Gateway,
    }
}
