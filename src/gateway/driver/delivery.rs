//! What is kept: accepted with `202`, and delivered until its deadline, over a restart too.
//!
//! It is in the journal with its octets, and [`Work`](crate::exchange::work::Work) says what is to be done with it when. Between
//! two tries nothing of a message is in memory. Before each try it is looked at again: a key, a grant or an agency may have ended
//! while it waited.

use super::attachments::Carried;
use super::run::{Arrived, Concluded, Open, Posted, Running, Tries, fault_of, is_passing, to_its_end};
use super::{Gateway, Refused, Replayed, Reply, Visit, Wait, now};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::{Logged, Private, Record, RecordKind};
use crate::exchange::admission::{Answer, Authenticated, Cancel, Permitted, Refusal, permit_again, permit_cancel};
use crate::exchange::bulkhead::Turned;
use crate::exchange::ledger::{Forward, Known};
use crate::exchange::work::{Fact, Key, NotCancelled, Notice, Row, Stage, What, action};
use crate::host::store::Pending;
use crate::host::transport::{Bytes, UpstreamError};
use crate::rules::registry::Status;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Why something that is kept is not handed out.
pub(super) enum Unready {
    /// The log cannot be read just now.
    Later,
    /// It may not be delivered any more.
    Refused(Box<Refusal>),
}

impl Unready {
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl Gateway {
    /// Keeps a question that its consumer does not wait for, or whose holder is not asked now, and waits for its outcome.
    pub(super) async fn accept_within(self: &Arc<Self>, visit: Visit, question: Permitted, wait: Wait) -> Result<Reply, Refused> {
        let (gateway, id) = (Arc::clone(self), question.message().header.id);
        let (consumer, logged) = to_its_end(id, async move { gateway.accept(visit, question).await }).await?;
        self.outcome_within(&consumer, id, wait, Some(logged.index())).await
    }

    /// Accepts a question: its record and its octets are durable before anybody is told so.
    async fn accept(&self, visit: Visit, question: Permitted) -> Result<(AgencyId, Logged), Refused> {
        let id = question.message().header.id;
        let mut running = self.running(Arc::clone(&visit.world), question, Some(visit))?;
        let mut record = running.request();
        record.until = Some(running.question.message().header.expires_at);
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
        // Open work knows it from now on.
        self.ledger().abandon(&running.consumer, id);
        Ok((running.consumer, committed.logged))
    }

    /// Waits for the outcome of a question that is kept, and says how far it has come.
    pub(super) async fn outcome_within(
        &self,
        sender: &AgencyId,
        id: MessageId,
        wait: Wait,
        logged: Option<u64>,
    ) -> Result<Reply, Refused> {
        let Wait::UpTo(limit) = wait else { return Ok(Reply::Accepted { id, logged }) };
        let _open = Open::new(&self.open);
        let place = self.refusals.expect(sender, id);
        let known = self.known_within(sender, id, limit).await;
        match known.map_err(|fault| Refused { fault, id: Some(id), logged: None })? {
            Some(Known::Settled(outcome)) => match self.answer_again(outcome) {
                Ok(release) => Ok(Reply::Answered { id, release, replayed: Replayed::No }),
                Err(fault) => Err(Refused { fault, id: Some(id), logged: None }),
            },
            Some(Known::Refused(code)) => {
                Err(place.refused().unwrap_or_else(|| Refused { fault: Fault::new(code), id: Some(id), logged: None }))
            }
            _ => Ok(Reply::Accepted { id, logged }),
        }
    }

    /// Keeps a question whose consumer waits: its holder cannot be reached, or answers later.
    pub(super) async fn go_on(&self, running: &mut Running, octets: Bytes, asked: Logged) -> Result<Logged, Refused> {
        let id = running.question.message().header.id;
        let key = Key { index: asked.index(), to: running.provider.clone() };
        // Whoever has taken it to its holder goes on with it, and nobody else is to.
        self.work().set_out(&key);
        running.kept = Some(asked.index());
        let mut record = running.record(RecordKind::Delivery);
        record.action = Word::parse(action::KEEP);
        record.until = Some(running.question.message().header.expires_at);
        let private = Private { is_with_request: true, ..running.private() };
        let entry = Entry { record, private, body: Some(octets.to_vec()) };
        match self.keep(entry).await {
            Ok(committed) => {
                self.ledger().abandon(&running.consumer, id);
                Ok(committed.logged)
            }
            Err(cause) => {
                running.kept = None;
                self.work().reached(&key.to);
                self.work().release(&key);
                Err(running.unrecorded(&cause))
            }
        }
    }

    /// Records that a receiver has taken something, or is to be tried again if that cannot be recorded.
    async fn taken(&self, row: &Row) {
        let record = self.delivery(row, action::TAKEN, None);
        let kept = self.keep(Entry { record, private: Private::default(), body: None }).await;
        let mut work = self.work();
        work.reached(&row.key.to);
        if kept.is_err() {
            work.release(&row.key);
        }
    }

    /// A record of what was done with something that is kept.
    pub(super) fn delivery(&self, row: &Row, what: &str, until: Option<UnixTime>) -> Record {
        Record { action: Word::parse(what), until, ..self.record_about(RecordKind::Delivery, row) }
    }

    /// A record about something that is kept. Whoever tells an event is not told who hears it.
    pub(super) fn record_about(&self, kind: RecordKind, row: &Row) -> Record {
        let mut record = Record::new(kind, now());
        record.concerns = Some(row.key.index);
        (record.message, record.digest, record.provider) = (Some(row.id), Some(row.digest), Some(row.key.to.clone()));
        record.consumer = (!matches!(row.what, What::Event | What::Withheld)).then(|| row.sender.clone());
        record.registry_version = self.world().registry.version();
        record
    }

    /// Delivers what is kept, until the gateway stops.
    pub async fn deliver_kept(self: Arc<Self>) {
        while !self.is_stopping.load(Ordering::Relaxed) {
            let time = now();
            // Where nothing can be recorded what is done comes to nothing, and would be done again and again.
            while self.do_next(time) && !self.is_unrecording.load(Ordering::Relaxed) {}
            if self.is_unrecording.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(limits::HEALTH_MS)).await;
                continue;
            }
            let wakes = self.work().wakes().map_or(PAUSE_MS_MAX, |wakes| wakes.as_ms().saturating_sub(time.as_ms()));
            let pause = Duration::from_millis(wakes.clamp(PAUSE_MS_MIN, PAUSE_MS_MAX));
            let _ = tokio::time::timeout(pause, self.work_changed.notified()).await;
        }
    }

    /// Does one thing of what there is to do, or has it done; nothing if there is none.
    fn do_next(self: &Arc<Self>, time: UnixTime) -> bool {
        let back = self.work().come_back(time);
        if let Some(to) = back {
            self.inbox.tell(&to);
            return true;
        }
        let Ok(permit) = Arc::clone(&self.deliveries).try_acquire_owned() else { return false };
        let (expired, next) = {
            let mut work = self.work();
            let expired = work.expired(time);
            let next = if expired.is_none() { work.next(time) } else { None };
            (expired, next)
        };
        let (row, is_over) = match (expired, next) {
            (Some(row), _) => (row, true),
            (None, Some(row)) => (row, false),
            (None, None) => return false,
        };
        let gateway = Arc::clone(self);
        tokio::spawn(async move {
            match (is_over, row.what) {
                (true, _) => gateway.give_up(&row, Refusal::new(Fault::new(Code::RteDeadline))).await,
                (false, what) if gateway.cases.is_coordinator(&row.key.to) => match what {
                    What::Question => gateway.case_order(&row).await,
                    What::Event => gateway.case_event(&row).await,
                    // Nobody has to be told what the gateway knows itself.
                    What::Answer | What::Status | What::Cancel | What::Withheld => {
                        gateway.work().reached(&row.key.to);
                        gateway.give_up(&row, Refusal::new(Fault::new(Code::RteNoHolder))).await;
                    }
                },
                (false, What::Question) => gateway.deliver(&row).await,
                (false, _) => gateway.hand_over(&row).await,
            }
            drop(permit);
            gateway.work_changed.notify_one();
        });
        true
    }

    /// How far a question of a sender has come that is kept.
    pub fn stage(&self, sender: &AgencyId, id: MessageId) -> Option<Stage> {
        self.work().asked(sender, id).map(|row| row.stage)
    }

    async fn deliver(self: &Arc<Self>, row: &Row) {
        let (mut running, logged) = match self.take_up(row) {
            Ok(found) => found,
            Err(unready) => return self.not_now(row, unready).await,
        };
        let forward = Forward::new(&mut running.question, &logged);
        let tries = if row.tries == 0 { Tries::First } else { Tries::Further };
        match self.post(forward, &mut running, tries) {
            Ok((posting, _)) => {
                let posted = posting.await;
                self.came_of(row, &running, posted).await;
            }
            Err(fault) => self.not_now(row, Unready::refused(Refusal::new(fault))).await,
        }
    }

    /// Notes what came of taking a question to its holder that is kept.
    pub(super) async fn came_of(self: &Arc<Self>, row: &Row, running: &Running, posted: Posted) {
        match posted {
            Posted::Failed(error) if is_passing(&error) => return self.again(row),
            Posted::Taken(waiting) => {
                self.taken(row).await;
                // An answer that came by a message of its own before that was noted has gone this way.
                let late = waiting.already();
                let is_ours = late.is_some() && self.work().answered(&row.digest, &row.key.to).is_some();
                if let Some(late) = late.filter(|_| is_ours) {
                    let concluded = self.conclude(running, Arrived::Late(late)).await;
                    self.end(row, concluded).await;
                }
                return;
            }
            Posted::Turned(turned) => return self.put_off(row, &turned),
            _ => self.work().reached(&row.key.to),
        }
        let is_ours = self.work().settle(&row.key);
        let concluded = match posted {
            // It was cancelled meanwhile: what came is on record, and goes nowhere. Whether the cancel ends it is for its own record
            // to say.
            _ if !is_ours => return self.came_too_late(running).await,
            Posted::Arrived(arrived) => self.conclude(running, arrived).await,
            Posted::Failed(error) => Err(self.fail(running, Refusal::new(fault_of(error))).await),
            Posted::Taken(_) | Posted::Turned(_) => return,
        };
        self.end(row, concluded).await;
    }

    async fn came_too_late(&self, running: &Running) {
        drop(self.refuse_what_came(running, Fault::new(Code::MsgCancelled)).await);
    }

    /// Refuses what a holder has sent without ending its question: it has nothing to show for it.
    pub(super) async fn not_yet(&self, running: &Running, fault: Fault) -> Refused {
        Refused { logged: None, ..self.refuse_what_came(running, fault).await }
    }

    async fn refuse_what_came(&self, running: &Running, fault: Fault) -> Refused {
        // What concerns a question ends it.
        let record = Record { concerns: None, ..running.record(RecordKind::Refusal) };
        let private = Private { is_with_request: true, ..running.private() };
        self.record_refusal(record, private, fault).await
    }

    /// Takes an answer that came by a message of its own to a question that is kept.
    pub(super) async fn take_answer(&self, row: Row, id: MessageId, carried: Carried) -> Result<Reply, Refused> {
        let running = match self.take_up(&row) {
            Ok((running, _)) => running,
            Err(unready) => {
                let fault = match &unready {
                    Unready::Later => Fault::new(Code::LogUnavailable).with_retry_after(5),
                    Unready::Refused(refusal) => refusal.fault.clone(),
                };
                self.not_now(&row, unready).await;
                return Err(Refused { fault, id: Some(id), logged: None });
            }
        };
        let concluded = self.admit(&running, carried).await;
        let told = concluded.as_ref().map(|_| Reply::Accepted { id, logged: None }).map_err(Clone::clone);
        self.end(&row, concluded).await;
        told.map_err(|refused| Refused { id: Some(id), ..refused })
    }

    /// Reads a kept question again, and looks whether it may still be delivered.
    pub(super) fn take_up(&self, row: &Row) -> Result<(Running, Logged), Unready> {
        let (octets, logged) = self.read_again(row)?;
        let world = self.world();
        let question = permit_again(self.snapshot(&world), octets).map_err(Unready::refused)?;
        let running = self.running(world, question, None);
        let mut running = running.map_err(|refused| Unready::refused(Refusal::new(refused.fault)))?;
        if running.provider != row.key.to {
            // The record says who is asked: another holder is asked by another question.
            let moved = Fault::at(Code::RteNoHolder, format!("{} does not hold it any more", row.key.to));
            return Err(Unready::refused(Refusal::new(moved)));
        }
        (running.system, running.kept) = (row.system, Some(row.key.index));
        Ok((running, logged))
    }

    /// Reads something else again that is kept, and looks whether its receiver may still have it.
    pub(super) fn take_notice(&self, row: &Row) -> Result<Notice, Unready> {
        let world = self.world();
        let receiver = world.registry.find(&row.key.to).and_then(|index| Some((index, world.registry.agency(index)?)));
        let Some((index, _)) = receiver.filter(|(_, agency)| agency.status == Status::Active) else {
            let gone = Fault::at(Code::RteNoHolder, format!("{} is not registered, or suspended", row.key.to));
            return Err(Unready::refused(Refusal::new(gone)));
        };
        if row.what == What::Withheld {
            return self.word_of_withholding(row);
        }
        let (octets, logged) = self.read_again(row)?;
        if row.what == What::Event {
            self.may_still_hear(&world, octets.clone(), index)?;
        }
        Ok(Notice::new(octets, &logged))
    }

    fn read_again(&self, row: &Row) -> Result<(Vec<u8>, Logged), Unready> {
        self.store.outcome(row.place).map_err(|cause| {
            self.telemetry.say_sparingly(&format!("a message that is kept cannot be read: {cause}"));
            Unready::Later
        })
    }

    /// Takes something else than a question to its receiver.
    async fn hand_over(&self, row: &Row) {
        let notice = match self.take_notice(row) {
            Ok(notice) => notice,
            Err(unready) => return self.not_now(row, unready).await,
        };
        let world = self.world();
        let url = world.registry.find(&row.key.to).and_then(|index| world.registry.agency(index)?.url.clone());
        let Some(url) = url else { return self.again(row) };
        let mut headers = vec![("oncegate-message-id", row.id.to_string()), ("oncegate-kind", row.what.as_str().to_owned())];
        if row.tries > 0 {
            headers.push(("oncegate-redelivered", "true".to_owned()));
        }
        headers.push(("content-type", notice.form().media().to_owned()));
        let deadline = Duration::from_millis(self.limits.answer_ms);
        let posted = self.upstream.post(&url, Bytes::from(notice.into_octets()), &headers, deadline).await;
        match posted {
            Ok(_) | Err(UpstreamError::Status(200..=299, _)) => self.taken(row).await,
            // It answers, and will not have it: questions to it are not to wait for that.
            Err(UpstreamError::Status(status, after)) if !matches!(status, 408 | 425 | 429 | 503) => {
                self.work().reached(&row.key.to);
                self.give_up(row, Refusal::new(fault_of(UpstreamError::Status(status, after)))).await;
            }
            Err(_) => self.again(row),
        }
    }

    /// The receiver could not be reached.
    pub(super) fn again(&self, row: &Row) {
        let time = now();
        // Any number will do that is not the same for all.
        let spread = (time.as_ms() ^ row.key.index.wrapping_mul(2_654_435_761)) % 1000;
        self.work().failed(&row.key, time, spread);
        self.work_changed.notify_one();
    }

    /// What came is not on record, and comes another time. It is not asked for at once: what stood in its way may still do so.
    pub(super) fn later(&self, row: &Row) {
        let mut work = self.work();
        work.release(&row.key);
        work.leave_alone(&row.key.to, now().plus_ms(limits::DELIVERY_PAUSE_MS));
        drop(work);
        self.work_changed.notify_one();
    }

    /// The receiver is left alone for a while, or too many wait for it: nobody was asked.
    fn put_off(&self, row: &Row, turned: &Turned) {
        let until = now().plus_ms(u64::from(turned.seconds()) * 1000);
        self.work().put_off(&row.key, until);
        self.work_changed.notify_one();
    }

    /// What was about to be handed out is not.
    pub(super) async fn not_now(&self, row: &Row, unready: Unready) {
        match unready {
            Unready::Later => self.again(row),
            Unready::Refused(refusal) => {
                self.work().reached(&row.key.to);
                self.give_up(row, *refusal).await;
            }
        }
    }

    /// It is over, if that is on record; else it is tried again.
    pub(super) async fn end(&self, row: &Row, concluded: Result<Concluded, Refused>) {
        match concluded {
            Err(Refused { logged: None, .. }) => return self.later(row),
            Err(refused) => self.refusals.tell(&row.sender, row.id, refused),
            // The record of what was released, or of what its holder has said, has told open work what is to be done.
            Ok(_) => {}
        }
        self.settled.tell(&row.sender);
        self.inbox.tell(&row.sender);
        self.work_changed.notify_one();
    }

    /// Records what a holder says of a question that goes on, for whoever asked.
    pub(super) async fn hear(
        &self,
        running: &Running,
        (answer, attachments): (Answer, Option<Pending>),
        again: Option<UnixTime>,
    ) -> Result<Concluded, Refused> {
        let mut record = running.record(RecordKind::Status);
        (record.digest, record.counterpart) = (Some(answer.digest()), Some(running.question.digest()));
        (record.octets, record.until) = (answer.octets().len() as u64, again);
        // It stands in the record of the question, and a leaf has only so much room.
        record.basis = None;
        self.telemetry.close(&record, None);
        let private = Private { is_with_request: true, ..running.private() };
        let entry = Entry { record, private, body: Some(answer.into_octets()) };
        let committed = self.keep(entry).await;
        attachments.into_iter().for_each(|pending| pending.settle(committed.as_ref().ok()));
        let committed = committed.map_err(|cause| running.unrecorded(&cause))?;
        Ok(Concluded::Heard(committed.logged))
    }

    /// Records that something will not be delivered any more.
    pub(super) async fn give_up(&self, row: &Row, refusal: Refusal) {
        match row.what {
            // It was on record before it waited, and can be got in other ways.
            What::Answer | What::Status | What::Cancel | What::Withheld => {
                return self.work().fold(Fact::Ended(row.key.clone()));
            }
            What::Event => {
                if self.refuse_event(row, &row.key.to, refusal.fault).await.logged.is_none() {
                    self.work().release(&row.key);
                }
                return;
            }
            What::Question => {}
        }
        let mut record = self.record_about(RecordKind::Refusal, row);
        record.system = row.system;
        let cause = Some(refusal.fault.detail.as_ref()).filter(|detail| !detail.is_empty()).map(str::to_owned);
        let private = Private { is_with_request: true, cause, ..Private::default() };
        let refused = self.record_refusal(record, private, refusal.fault).await;
        self.end(row, Err(refused)).await;
    }

    /// Takes a question back that its sender cancels, if that comes in time.
    pub(super) async fn cancel(&self, visit: &Visit, cancel: Authenticated) -> Result<Reply, Refused> {
        let (id, digest) = (cancel.id(), cancel.digest());
        let wanted = permit_cancel(self.snapshot(&visit.world), &cancel);
        let refuse = |fault| Refusal::of(fault, cancel.message(), digest);
        let taken = wanted.and_then(|wanted| self.take_back(&wanted).map_err(refuse));
        let row = match taken {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Reply::Accepted { id, logged: None }),
            Err(refusal) => return Err(self.refuse(&visit.peer.system(), cancel.octets().len() as u64, refusal).await),
        };
        let mut record = self.record_about(RecordKind::Cancel, &row);
        record.code = Some(Code::MsgCancelled);
        (record.digest, record.counterpart, record.system) = (Some(digest), Some(row.digest), Some(visit.peer.system()));
        record.octets = cancel.octets().len() as u64;
        self.telemetry.close(&record, None);
        let entry = Entry { record, private: Private::default(), body: Some(cancel.into_octets()) };
        match self.keep(entry).await {
            Ok(committed) => {
                let fault = Fault::new(Code::MsgCancelled);
                let refused = Refused { fault, id: Some(row.id), logged: Some(committed.logged) };
                self.refusals.tell(&row.sender, row.id, refused);
                self.settled.tell(&row.sender);
                self.inbox.tell(&row.key.to);
                self.work_changed.notify_one();
                Ok(Reply::Cancelled { id, question: row.id, logged: committed.logged.index() })
            }
            Err(cause) => {
                self.work().uncancel(&row.key);
                Err(Refused { fault: super::log_unavailable(&cause), id: Some(id), logged: None })
            }
        }
    }

    /// The question that is taken back; nothing if it was before.
    fn take_back(&self, cancel: &Cancel) -> Result<Option<Row>, Fault> {
        let (id, digest) = cancel.question;
        match self.work().cancel(&digest, &cancel.sender) {
            Ok(row) if row.id == id => return Ok(Some(row)),
            Ok(row) => {
                self.work().uncancel(&row.key);
                return Err(Fault::new(Code::MsgReplyTo));
            }
            Err(NotCancelled::TooLate) => return Err(Fault::new(Code::MsgTooLate)),
            Err(NotCancelled::Unknown) => {}
        }
        match self.known(&cancel.sender, id)? {
            Some(Known::Refused(Code::MsgCancelled)) => Ok(None),
            // Its consumer waits, and its holder has not said anything yet.
            Some(Known::Open) => Err(Fault::new(Code::MsgInProgress).with_retry_after(1)),
            Some(Known::Settled(_) | Known::Refused(_)) => Err(Fault::new(Code::MsgTooLate)),
            None => Err(Fault::new(Code::MsgReplyTo)),
        }
    }
}

/// How long nothing is looked at, in milliseconds.
const PAUSE_MS_MIN: u64 = 5;
const PAUSE_MS_MAX: u64 = 60_000;
