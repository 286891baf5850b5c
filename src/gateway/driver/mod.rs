//! The driver: runs one exchange after the order that `exchange` and its proofs prescribe, and owns what it needs for it.
//!
//! Admission runs where the request came in, on any core; the ledger and the quotas are held for moments; the journal
//! groups what waits. An exchange runs in a task of its own, so that a consumer who goes away does not undo it.

mod answers;
mod attachments;
pub mod audit;
mod bodies;
mod cases;
pub mod console;
pub mod decisions;
mod delivery;
mod events;
mod evidence;
mod health;
mod holders;
mod inbox;
mod misses;
mod problem;
mod refusals;
mod run;
mod seal;
mod traffic;

pub use attachments::Carried;
pub use cases::{CaseError, Coordination, Quality, Telling as TellingPeople, changes_at};
pub use evidence::Sight;
pub use health::{Health, Reason};
pub use inbox::{Done, Leased};
pub use problem::as_xml;
pub use seal::{SealError, SealKeys};

use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::{DAY_MS, UnixTime};
use crate::evidence::journal::Entry;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Blind, Logged, Private, Record, RecordKind};
use crate::evidence::traffic::Told as OfTraffic;
use crate::exchange::admission::{Peer, Snapshot};
use crate::exchange::ledger::{Begin, Known, Ledger, OutcomePlace, Release, Seen};
use crate::exchange::work::{Class, Key, Told, Variant, Way, Ways, Work};
use crate::gateway::witness::Witnessing;
use crate::host::config::{Limits, Lines};
use crate::host::schemas::sets::Sets;
use crate::host::store::{Committed, Pending, Recovered, SledShelf, Store, StoreError};
use crate::host::telemetry::{Telemetry, Worker};
use crate::host::transport::Upstream;
use crate::message::schema::Schemas;
use crate::rules::quality::Folder;
use crate::rules::quota::{EngineClock, Misses, Persons, Quotas, Slot};
use crate::rules::registry::diff::{Change, diff};
use crate::rules::registry::{AgencyIndex, Registry};
use crate::rules::situation::Catalogue;
use run::Tries;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};

/// A change of the registry.
pub struct Renewed {
    /// When.
    pub at: UnixTime,
    /// The version before.
    pub from: u64,
    /// The version since.
    pub to: u64,
    /// What it changes for those who are in it.
    pub changes: Vec<Change>,
}

/// A running gateway.
pub struct Gateway {
    world: RwLock<Arc<World>>,
    ledger: Mutex<Ledger>,
    store: Arc<Store>,
    witnessing: Witnessing,
    damage: Mutex<Option<String>>,
    /// What was said of it last.
    last_health: Mutex<Health>,
    upstream: Upstream,
    answers: answers::Awaited,
    holders: Arc<holders::Holders>,
    work: Mutex<Work<SledShelf>>,
    /// Held while work is told of a record: whoever saves it waits until it has been told of all.
    telling: tokio::sync::RwLock<()>,
    /// Told when there may be something to deliver.
    work_changed: Notify,
    deliveries: Arc<Semaphore>,
    cases: cases::Cases,
    /// How people are told of their cases, if they are.
    telling_people: Option<TellingPeople>,
    /// What people are asked when a case is over, and what they said.
    quality: Option<cases::Quality>,
    persons: Mutex<Persons>,
    misses: Mutex<Misses>,
    clock: EngineClock,
    started: Instant,
    telemetry: Telemetry,
    seal: SealKeys,
    limits: Limits,
    is_stopping: AtomicBool,
    /// Nobody waits any more.
    is_leaving: AtomicBool,
    /// The last record could not be written.
    is_unrecording: AtomicBool,
    open: Arc<AtomicUsize>,
    bodies: bodies::Bodies,
    transfers: attachments::Transfers,
    heavy: Semaphore,
    sums: refusals::Sums,
    settled: Settled,
    /// Of whom something waits in the inbox.
    inbox: Settled,
    /// Told when there is an event.
    published: Notify,
    figures: traffic::Figures,
    /// How questions ended whose consumer waits.
    refusals: answers::Ends,
    /// Held while two people decide.
    deciding: tokio::sync::Mutex<()>,
    renewed: Mutex<Option<Arc<Renewed>>>,
}

/// One version of the registry, with the schemas that it was checked against, and its quotas: they are swapped together.
pub struct World {
    /// The registry.
    pub registry: Registry,
    /// The schemas.
    pub sets: Arc<Sets>,
    /// The life situations.
    pub catalogue: Arc<Catalogue>,
    /// What people are asked after them, and what else is known of the quality of services.
    pub quality: Arc<Folder>,
    /// Its quotas.
    pub quotas: Quotas,
    /// The longest time for which a grant withholds accesses from citizens.
    withheld_days: u16,
    /// The lanes of each agency, by number.
    lanes: Vec<Lanes>,
}

/// Life situations, and what is known of the quality of services, which speaks of them.
pub type Situations = (Arc<Catalogue>, Arc<Folder>);

/// What takes long is done one after the other for each agency, so that a queue of it delays nobody else's.
struct Lanes {
    large_messages: Semaphore,
    reads: Semaphore,
    reports: Arc<Semaphore>,
}

impl Lanes {
    fn new() -> Self {
        Self {
            large_messages: Semaphore::new(1),
            reads: Semaphore::new(limits::AGENCY_READS_MAX),
            reports: Arc::new(Semaphore::new(limits::AGENCY_REPORTS_MAX)),
        }
    }
}

impl World {
    fn new(registry: Registry, sets: Arc<Sets>, (catalogue, quality): Situations, clock: &EngineClock) -> Self {
        let quotas = Quotas::new(&registry, clock);
        let lanes = registry.agencies().map(|_| Lanes::new()).collect();
        let withheld_days = registry.grants().map(|grant| grant.withheld_days).max().unwrap_or(0);
        Self { registry, sets, catalogue, quality, quotas, withheld_days, lanes }
    }

    /// What documents are held against.
    pub fn schemas(&self) -> &Schemas {
        self.sets.schemas()
    }

    /// Waits until one more question of an agency to the log may be worked on.
    pub async fn may_read(&self, agency: AgencyIndex) -> Option<SemaphorePermit<'_>> {
        self.lanes.get(agency.number())?.reads.acquire().await.ok()
    }

    /// Room for one more report of an agency, if there is any.
    pub fn may_report(&self, agency: AgencyIndex) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.lanes.get(agency.number())?.reports).try_acquire_owned().ok()
    }
}

/// Tells those of an agency that wait that one of its exchanges has ended. Those of others are not woken: a crowd of them would
/// cost each exchange what it costs to wake it. It has no more entries than there are agencies.
#[derive(Default)]
struct Settled(Mutex<BTreeMap<AgencyId, watch::Sender<()>>>);

impl Settled {
    fn of(&self, agency: &AgencyId) -> watch::Receiver<()> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(agency.clone()).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    fn tell_all(&self) {
        for waiting in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            waiting.send_replace(());
        }
    }

    fn tell(&self, agency: &AgencyId) {
        if let Some(waiting) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(agency) {
            waiting.send_replace(());
        }
    }
}

/// What a gateway is made of.
pub struct Parts {
    /// The registry.
    pub registry: Registry,
    /// The schemas.
    pub sets: Sets,
    /// The life situations.
    pub catalogue: Arc<Catalogue>,
    /// What is known of the quality of services.
    pub known: Arc<Folder>,
    /// Who coordinates cases.
    pub coordination: Coordination,
    /// How people are told of cases.
    pub telling: Option<TellingPeople>,
    /// Where the answers of people lie, if anybody is asked.
    pub quality: Option<cases::Quality>,
    /// The store, and what it knew.
    pub store: (Store, Recovered),
    /// Who cosigns the log's checkpoints.
    pub witnessing: Witnessing,
    /// Connections to providers.
    pub upstream: Upstream,
    /// Keys of agencies for which the gateway signs.
    pub seal: SealKeys,
    /// Limits.
    pub limits: Limits,
    /// Where lines go.
    pub lines: Lines,
}

/// A peer at the door, identified and within its quota, with the world that it came into.
pub struct Visit {
    world: Arc<World>,
    peer: Peer,
    slot: Arc<Slot>,
    arrived: Instant,
    body: OwnedSemaphorePermit,
    /// What its message names, until that has its record.
    attachments: Option<Pending>,
    /// Whether the holder may have had its message before.
    tries: Tries,
}

impl Visit {
    /// The body has so many octets, or is gone: what more room it took is given back.
    fn has_octets(&mut self, octets: usize) {
        let surplus = self.body.num_permits().saturating_sub(octets);
        drop(self.body.split(surplus));
    }

    /// The room that the body takes, for whoever has its octets from now on.
    fn take_room(&mut self) -> Option<OwnedSemaphorePermit> {
        self.body.split(self.body.num_permits())
    }

    /// The place of the visitor's quota: whoever has it keeps it taken.
    pub fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    /// The peer.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The world.
    pub fn world(&self) -> &World {
        &self.world
    }
}

/// How long a consumer waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Up to this time, then `202`.
    UpTo(Duration),
    /// Not at all: `202` as soon as the request's record is durable.
    Not,
}

impl Wait {
    /// When whoever waits goes away.
    fn end(self) -> Option<Instant> {
        match self {
            Self::UpTo(limit) => Some(Instant::now() + limit),
            Self::Not => None,
        }
    }

    /// What is left of a wait.
    fn until(end: Option<Instant>) -> Self {
        end.map_or(Self::Not, |end| Self::UpTo(end.saturating_duration_since(Instant::now())))
    }

    /// Whether nobody waits.
    pub fn is_none(self) -> bool {
        matches!(self, Self::Not | Self::UpTo(Duration::ZERO))
    }
}

/// What a message led to.
pub enum Reply {
    /// The signed answer.
    Answered {
        /// The message answered.
        id: MessageId,
        /// The answer.
        release: Release,
        /// Whether it was given before.
        replayed: Replayed,
    },
    /// It is recorded and on its way.
    Accepted {
        /// The message.
        id: MessageId,
        /// The index of its record.
        logged: Option<u64>,
    },
    /// A question was taken back.
    Cancelled {
        /// The cancel.
        id: MessageId,
        /// The question.
        question: MessageId,
        /// The index of the record of that.
        logged: u64,
    },
}

/// How far an event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// It is told to whoever may hear of it.
    Published,
    /// It is a variant, and waits for the event that it names.
    Waits,
    /// It is a variant that is past its time.
    Expired,
}

/// Whether an outcome was given before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It is the same as before.
    Yes,
    /// It is the first time.
    No,
}

/// A refusal with its record.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The fault.
    pub fault: Fault,
    /// The message, if one was read.
    pub id: Option<MessageId>,
    /// The record, if it could be made durable.
    pub logged: Option<Logged>,
}

impl Gateway {
    /// Puts the parts together; open work learns what it has not been told of.
    pub fn new(parts: Parts) -> Result<Arc<Self>, StoreError> {
        let (store, recovered) = parts.store;
        store.attachments().limit(parts.limits.attachments_bytes);
        let clock = EngineClock::default();
        let world = Arc::new(World::new(parts.registry, Arc::new(parts.sets), (parts.catalogue, parts.known), &clock));
        let coordinators = Arc::new(parts.coordination.coordinators.clone());
        let work = open_work(&store, &world, &coordinators)?;
        let figures = traffic::Figures::new(store.size());
        let cases = cases::Cases::new(parts.coordination);
        cases.open(&store)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Arc::new(Self {
            world: RwLock::new(world),
            ledger: Mutex::default(),
            store: Arc::new(store),
            witnessing: parts.witnessing,
            damage: Mutex::default(),
            last_health: Mutex::default(),
            upstream: parts.upstream,
            answers: answers::Awaited::default(),
            holders: Arc::default(),
            work: Mutex::new(work),
            telling: tokio::sync::RwLock::default(),
            work_changed: Notify::new(),
            deliveries: Arc::new(Semaphore::new(limits::DELIVERIES_MAX)),
            cases,
            telling_people: parts.telling,
            quality: parts.quality,
            persons: Mutex::new(Persons::since_midnight(recovered.asked, now())),
            misses: Mutex::new(Misses::since_midnight(recovered.answered, now())),
            clock,
            started: Instant::now(),
            telemetry: Telemetry::new(parts.lines),
            seal: parts.seal,
            limits: parts.limits,
            is_stopping: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            is_unrecording: AtomicBool::new(false),
            open: Arc::default(),
            bodies: bodies::Bodies::default(),
            transfers: attachments::Transfers::default(),
            heavy: Semaphore::new(cores.div_ceil(2)),
            sums: refusals::Sums::default(),
            settled: Settled::default(),
            inbox: Settled::default(),
            published: Notify::new(),
            figures,
            refusals: answers::Ends::default(),
            deciding: tokio::sync::Mutex::default(),
            renewed: Mutex::default(),
        }))
    }

    /// Puts another registry in force, with the schemas that it was checked against; exchanges that are open go on by those they
    /// began with.
    pub fn reload(&self, registry: Registry, sets: Arc<Sets>, situations: Situations) {
        let world = Arc::new(World::new(registry, sets, situations, &self.clock));
        let (before, at) = (self.world(), now());
        if before.registry.version() != world.registry.version() {
            let changes = diff(&before.registry, &world.registry, at);
            let renewed = Renewed { at, from: before.registry.version(), to: world.registry.version(), changes };
            *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(renewed));
        }
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&world);
        self.work().arrange(ways(world, self.cases.coordinators()));
        self.published.notify_one();
        self.work_changed.notify_one();
    }

    /// How the registry changed last since the start, if it did.
    pub fn renewed(&self) -> Option<Arc<Renewed>> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The world in force.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The metrics, brought up to date.
    pub fn telemetry(&self) -> &Telemetry {
        let telemetry = &self.telemetry;
        telemetry.open_exchanges.set(self.open_exchanges() as i64);
        telemetry.journal_records.set(self.store.size() as i64);
        let indexed = self.store.index().watermark();
        telemetry.index_lag.set(self.store.size().saturating_sub(indexed) as i64);
        let mut ledger = self.ledger();
        ledger.forget(indexed);
        telemetry.remembered_ids.set(ledger.len() as i64);
        drop(ledger);
        telemetry.holders_are(&self.standings());
        let (open, oldest) = {
            let work = self.work();
            (work.counts().clone(), work.waits_since())
        };
        telemetry.work_is(open.all().map(|(what, state, count)| (what.as_str(), state.as_str(), count)));
        let age = oldest.map_or(0, |oldest| now().as_ms().saturating_sub(oldest.as_ms()) / 1000);
        telemetry.work_oldest.set(age as i64);
        telemetry.cases_open.set(self.count_open_cases() as i64);
        telemetry
    }

    /// The metrics, to count something.
    pub fn counters(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Takes another identity towards holders.
    pub fn renew_identity(&self, tls: Arc<rustls::ClientConfig>) {
        self.upstream.renew(tls);
    }

    /// For how long it runs.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Who cosigns the log's checkpoints.
    pub fn witnessing(&self) -> &Witnessing {
        &self.witnessing
    }

    /// Whether messages are taken: the journal is open and the gateway is not stopping. Registry and keys were read
    /// before there was a gateway.
    pub fn is_ready(&self) -> bool {
        self.store.is_ready() && !self.is_stopping.load(Ordering::Relaxed)
    }

    /// Takes no further messages, but the answers to those that are open.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Sends those home who still wait for what may take days: it is kept.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        self.settled.tell_all();
        self.inbox.tell_all();
    }

    fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// How many exchanges are open.
    pub fn open_exchanges(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Waits until no exchange is open, at most until the deadline.
    pub async fn drained(&self, deadline: Duration) {
        let end = Instant::now() + deadline;
        while self.open_exchanges() > 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Forgets what is past its window, and reads a part of the log again; called now and then, where nobody waits. Turns
    /// count the calls.
    pub fn tidy_up(&self, turn: u64) {
        let now = now();
        self.ledger().forget(self.store.index().watermark());
        self.persons().evict(now);
        self.misses().evict(now);
        let world = self.world();
        self.holders.forget(|holder| world.registry.find(holder).is_none());
        // An answer may be asked for again as long as its id is remembered; an archive keeps it longer.
        let kept = (limits::IDEMPOTENCY_WINDOW_MS * 2).max(u64::from(self.limits.archive_days) * DAY_MS);
        // What is open is still to be handed out.
        let oldest = self.work().oldest();
        let before = oldest.map_or(now.minus_ms(kept), |oldest| oldest.minus_ms(limits::CLOCK_SKEW_MS).min(now.minus_ms(kept)));
        let forgotten = self.store.forget_bodies(before);
        let scrubbed = self.store.scrub(turn);
        if let Err(cause) = &scrubbed
            && matches!(cause, StoreError::Damaged { .. })
        {
            self.telemetry.say(&format!("the log was changed or damaged: {cause}"));
            let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
            damage.get_or_insert(cause.to_string());
        }
        let failed = |what: &'static str| move |cause: StoreError| format!("{what}: {cause}");
        let forgotten = forgotten.err().map(failed("messages that are past their time could not be deleted"));
        let scrubbed = scrubbed.err().map(failed("the log could not be read again"));
        self.telemetry.worker_is(Worker::Upkeep, forgotten.or(scrubbed));
    }

    /// What was found to be damaged while the gateway runs. What is damaged is not served; what is not goes on.
    pub fn damage(&self) -> Option<String> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Identifies a peer and asks its quota, before a byte of its body is read. The length of the body is what was declared;
    /// where nothing was, as HTTP/2 allows, room is taken as it comes: see [`Gateway::make_room`].
    pub fn enter(&self, certificate: &Digest, declared: Option<usize>) -> Result<Visit, Fault> {
        self.clock.advance_to(self.started.elapsed());
        let world = self.world();
        let peer = Peer::identify(&world.registry, certificate)?;
        if !self.store.is_ready() {
            return Err(Fault::new(Code::LogUnavailable).with_retry_after(5));
        }
        let slot = world.quotas.enter(peer.agency(), declared.unwrap_or(0) as u64)?;
        // The first KiB is paid for in any case.
        let body = self.bodies.hold(declared.unwrap_or(1 << 10))?;
        Ok(Visit { world, peer, slot: Arc::new(slot), arrived: Instant::now(), body, attachments: None, tries: Tries::First })
    }

    /// Takes room, and of the quota, for a body of which so many octets have come and whose length was not declared: what does
    /// not come costs nobody anything, and what has come is paid for also when the rest does not.
    pub fn make_room(&self, visit: &mut Visit, octets: usize) -> Result<(), Fault> {
        // By the KiB, as quotas count: pieces of a few octets are not free.
        let more = octets.next_multiple_of(1 << 10).saturating_sub(visit.body.num_permits());
        if more > 0 {
            visit.world.quotas.take_octets(visit.peer.agency(), more as u64)?;
            visit.body.merge(self.bodies.hold(more)?);
        }
        Ok(())
    }

    /// Who a client certificate belongs to.
    pub fn identify(&self, certificate: &Digest) -> Result<(Arc<World>, Peer), Fault> {
        self.clock.advance_to(self.started.elapsed());
        let world = self.world();
        let peer = Peer::identify(&world.registry, certificate)?;
        Ok((world, peer))
    }

    /// Opens an exchange, or says what became of the same message before: what the ledger does not know is looked for in the log.
    fn begin(&self, now: UnixTime, sender: &AgencyId, id: MessageId, digest: Digest) -> Result<Begin, Fault> {
        let indexed = self.store.index().watermark();
        let seen = {
            let mut ledger = self.ledger();
            ledger.forget(indexed);
            ledger.begin(now, sender, id, digest)?
        };
        let inquiry = match seen {
            Seen::Here(begun) => return Ok(begun),
            Seen::Nowhere(inquiry) => inquiry,
        };
        match self.store.past(sender, id, oldest(now)) {
            Ok(past) => self.ledger().found(inquiry, past),
            Err(cause) => {
                self.ledger().not_found_out(inquiry);
                Err(log_unavailable(&cause))
            }
        }
    }

    /// An exchange has failed: its state can be asked for.
    fn has_failed(&self, sender: &AgencyId, id: MessageId, code: Code) {
        self.ledger().fail(sender, id, code, self.store.size());
    }

    /// What is known of an own message.
    pub fn known(&self, sender: &AgencyId, id: MessageId) -> Result<Option<Known>, Fault> {
        if self.work().asked(sender, id).is_some() {
            return Ok(Some(Known::Open));
        }
        let known = self.ledger().look_up(sender, id);
        let now = now();
        // What was kept may have had its outcome long after it was sent.
        let is_past = id.time().plus_ms(limits::EVENT_LIFE_MS) < oldest(now);
        if known.is_some() || is_past {
            return Ok(known);
        }
        let past = self.store.past(sender, id, oldest(now)).map_err(|cause| log_unreadable(&cause))?;
        Ok(past.map(|past| past.outcome))
    }

    /// Why an event was withheld from somebody, if it was.
    pub fn withheld(&self, event: OutcomePlace) -> Option<Code> {
        self.work().is_withheld(event.index).then_some(Code::PolEventField)
    }

    /// How far an event has come; nothing if an outcome is none.
    pub fn event(&self, place: OutcomePlace) -> Option<Telling> {
        let found = self.store.record(place.index).ok().and_then(|found| Leaf::parse(&found.leaf));
        let leaf = found.filter(|leaf| leaf.kind == RecordKind::Event.as_str())?;
        let variant = self.work().variant(place.index);
        Some(match (leaf.counterpart, variant) {
            (None, _) | (_, Some(Variant::Told)) => Telling::Published,
            (_, Some(Variant::Waits)) => Telling::Waits,
            (_, None) => Telling::Expired,
        })
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Waits until an own message is not open any more, at most for `wait`.
    pub async fn known_within(&self, sender: &AgencyId, id: MessageId, wait: Duration) -> Result<Option<Known>, Fault> {
        let mut settled = self.settled.of(sender);
        let _ = tokio::time::timeout(wait, async {
            let is_kept = || self.is_leaving() && self.work().asked(sender, id).is_some();
            while self.known(sender, id) == Ok(Some(Known::Open)) && !is_kept() && settled.changed().await.is_ok() {}
        })
        .await;
        self.known(sender, id)
    }

    /// The answer that was given to an own message.
    pub fn answer_again(&self, place: OutcomePlace) -> Result<Release, Fault> {
        let read = self.store.outcome(place).map_err(|cause| Fault::new(Code::LogUnavailable).with_private(cause.to_string()));
        read.map(|(octets, logged)| Release::again(octets, logged))
    }

    async fn record_refusal(&self, mut record: Record, private: Private, fault: Fault) -> Refused {
        record.code = Some(fault.code);
        let id = record.message;
        self.telemetry.close(&record, Some(&fault));
        match self.keep(Entry { record, private, body: None }).await {
            Ok(committed) => Refused { fault, id, logged: Some(committed.logged) },
            // That the log cannot be read is the cause itself, and no verdict about anybody.
            Err(_) if fault.code == Code::AudUnavailable => Refused { fault, id, logged: None },
            // Nothing is released either way; without a record even the refusal is not given its own name.
            Err(cause) => Refused { fault: log_unavailable(&cause), id, logged: None },
        }
    }

    /// Checks a message of so many octets. A large one waits in its agency's lane, so that a queue of them delays nobody
    /// else's, and leaves the threads that serve connections to the others.
    async fn check<T>(&self, world: &World, agency: AgencyIndex, octets: usize, check: impl FnOnce() -> T) -> T {
        if octets <= limits::HEAVY_BYTES {
            return check();
        }
        let lane = match world.lanes.get(agency.number()) {
            Some(lanes) => lanes.large_messages.acquire().await.ok(),
            None => None,
        };
        let heavy = self.heavy.acquire().await.ok();
        let checked = tokio::task::block_in_place(check);
        drop((heavy, lane));
        checked
    }

    /// Makes a record durable. That it fails is told once, until it succeeds again.
    async fn keep(&self, entry: Entry) -> Result<Committed, StoreError> {
        let is_told = is_of_work(&entry.record) || self.cases.concerns(&entry.record);
        let told = is_told.then(|| (entry.record.clone(), self.store.person_keys(&entry.private.subject)));
        let telling = if told.is_some() { Some(self.telling.read().await) } else { None };
        let of_traffic = OfTraffic::of_record(&entry.record);
        let kept = self.store.append(entry).await;
        if kept.is_ok() {
            self.figures.tell(&of_traffic);
        }
        if let (Ok(committed), Some((record, persons))) = (&kept, told) {
            self.tell_work(&record, &persons, committed.place);
        }
        drop(telling);
        let is_in_trouble = kept.is_err();
        if is_in_trouble != self.is_unrecording.swap(is_in_trouble, Ordering::Relaxed) {
            match (&kept, self.store.why_stopped()) {
                (Ok(_), _) => self.telemetry.say("records are written again"),
                (Err(_), Some(why)) => self.telemetry.say(&format!(
                    "the journal has stopped, and no message is taken any more: {why}; restart the gateway once the disk is in order"
                )),
                (Err(cause), None) => self.telemetry.say(&format!("a record could not be written: {cause}")),
            }
        }
        kept
    }

    /// Tells open work of a record, and those who wait for what may have come of it.
    fn tell_work(&self, record: &Record, persons: &[u64], place: OutcomePlace) {
        let Some(leaf) = Leaf::parse(&record.leaf(&Blind::default())) else { return };
        if !is_of_work(record) {
            return self.cases.tell(&leaf, place, persons);
        }
        let class = class_of(&self.world(), &leaf);
        // Before open work forgets it: else the same message would be new for a moment.
        self.tell_ledger(record, place);
        self.work().record(Told { leaf: &leaf, place, person: persons.first().copied(), class });
        if record.kind == RecordKind::Event {
            self.published.notify_one();
        }
        [&record.provider, &record.consumer].into_iter().flatten().for_each(|agency| self.inbox.tell(agency));
        self.work_changed.notify_one();
        self.cases.tell(&leaf, place, persons);
    }

    /// Tells the ledger how a question has ended that is kept.
    fn tell_ledger(&self, record: &Record, place: OutcomePlace) {
        let (Some(sender), Some(id), Some(concerned)) = (&record.consumer, record.message, record.concerns) else { return };
        let question = if record.kind == RecordKind::Refusal { record.digest } else { record.counterpart };
        let Some(digest) = question else { return };
        match (record.kind, record.code) {
            (RecordKind::Answer, _) => self.ledger().settle(sender, id, digest, place),
            (RecordKind::Refusal | RecordKind::Cancel, Some(code)) => {
                let key = record.provider.clone().map(|to| Key { index: concerned, to });
                // What came after its end is on record, and changes nothing.
                let is_open = key.is_some_and(|key| self.work().row(&key).is_some());
                if is_open {
                    self.ledger().refuse(sender, id, digest, code, place.index.saturating_add(1));
                }
            }
            _ => {}
        }
    }

    /// Saves open work, so that a start has few records to be told of.
    pub async fn save_work(&self) {
        let mark = {
            let _all = self.telling.write().await;
            self.store.size()
        };
        let noted = self.work().shelf_mut().note(mark);
        let of_cases = self.note_cases(mark);
        let saved = match noted {
            Ok(saving) => tokio::task::spawn_blocking(move || saving.save()).await.unwrap_or(Err(StoreError::Stopped)),
            Err(cause) => Err(cause),
        };
        if let Err(cause) = saved {
            self.telemetry.say_sparingly(&format!("open work could not be saved, and is in the journal: {cause}"));
        }
        let saved = match of_cases {
            Some(Ok(saving)) => tokio::task::spawn_blocking(move || saving.save()).await.unwrap_or(Err(StoreError::Stopped)),
            Some(Err(cause)) => Err(cause),
            None => Ok(()),
        };
        if let Err(cause) = saved {
            self.telemetry.say_sparingly(&format!("the book of cases could not be saved, and is in the journal: {cause}"));
        }
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> std::sync::MutexGuard<'_, Work<SledShelf>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn persons(&self) -> std::sync::MutexGuard<'_, Persons> {
        self.persons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot<'w>(&self, world: &'w World) -> Snapshot<'w> {
        Snapshot { now: now(), registry: &world.registry, schemas: world.schemas() }
    }
}

/// Whether open work has to know of a record.
fn is_of_work(record: &Record) -> bool {
    match record.kind {
        RecordKind::Request => record.until.is_some(),
        RecordKind::Answer | RecordKind::Refusal => record.concerns.is_some(),
        RecordKind::Event | RecordKind::Delivery | RecordKind::Status | RecordKind::Cancel => true,
        RecordKind::Case => record.concerns.is_some(),
        RecordKind::Audit | RecordKind::Erasure | RecordKind::Administration => false,
    }
}

fn class_of(world: &World, leaf: &Leaf) -> Class {
    let what = leaf.document_type.as_deref().and_then(crate::base::ids::Code::parse);
    what.and_then(|what| world.schemas().document_type(&what)).map(|document| document.priority).unwrap_or_default()
}

/// Whoever has an address is sent what waits for it; everybody else comes for it.
fn ways(world: Arc<World>, coordinators: Arc<Vec<AgencyId>>) -> Ways {
    Box::new(move |to| {
        if coordinators.contains(to) {
            return Way::Here;
        }
        let agency = world.registry.find(to).and_then(|index| world.registry.agency(index));
        if agency.is_some_and(|agency| agency.url.is_some()) { Way::Push } else { Way::Inbox }
    })
}

/// Opens open work, and tells it of the records that it has not been told of.
fn open_work(store: &Store, world: &Arc<World>, coordinators: &Arc<Vec<AgencyId>>) -> Result<Work<SledShelf>, StoreError> {
    let (shelf, mark) = store.shelf()?;
    let mut work = Work::open(shelf, ways(Arc::clone(world), Arc::clone(coordinators)));
    let oldest = now().minus_ms(limits::EVENT_LIFE_MS + limits::CLOCK_SKEW_MS);
    store.tell(mark, oldest, &mut |recorded| {
        let (class, person) = (class_of(world, &recorded.leaf), recorded.persons.first().copied());
        work.record(Told { leaf: &recorded.leaf, place: recorded.place, person, class });
    })?;
    work.begin(store.size());
    Ok(work)
}

/// What ended before this is not told of any more.
fn oldest(now: UnixTime) -> UnixTime {
    now.minus_ms(limits::IDEMPOTENCY_WINDOW_MS + limits::CLOCK_SKEW_MS)
}

/// Nothing can be read from the log, which is another matter than writing to it.
pub fn log_unreadable(cause: &StoreError) -> Fault {
    Fault::new(Code::AudUnavailable).with_private(cause.to_string()).with_retry_after(5)
}

fn log_unavailable(cause: &crate::host::store::StoreError) -> Fault {
    Fault::new(Code::LogUnavailable).with_private(cause.to_string()).with_retry_after(5)
}

/// The wall clock, read once per step of an exchange.
pub fn now() -> UnixTime {
    UnixTime::from_ms(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    fn world() -> (World, [AgencyIndex; 2]) {
        let agency = |name: &str| format!("[[agency]]\nid = \"{name}\"\nname = \"A\"\n");
        let text = format!("format = 1\nversion = 1\n{}{}", agency("xx.school"), agency("xx.clinic"));
        let registry = Registry::check(&text, &Schemas::built_in()).expect("a registry");
        let quality = Folder::read(&[], &Catalogue::default(), &[]).expect("nothing is wrong with nothing");
        let find = |name| registry.find(&AgencyId::parse(name).expect("a name")).expect("an agency");
        let agencies = ["xx.school", "xx.clinic"].map(find);
        (World::new(registry, Arc::new(Sets::built_in()), (Arc::default(), Arc::new(quality)), &EngineClock::default()), agencies)
    }

    #[test]
    fn an_agency_has_so_many_reports_at_once_and_no_more() {
        let (world, [school, clinic]) = world();
        let mut made: Vec<_> = (0..limits::AGENCY_REPORTS_MAX).map(|_| world.may_report(school).expect("room")).collect();
        assert!(world.may_report(school).is_none());
        assert!(world.may_report(clinic).is_some(), "others have their own");
        made.pop();
        assert!(world.may_report(school).is_some());
    }

    #[tokio::test]
    async fn an_agency_has_so_many_questions_worked_on_and_the_others_wait() {
        let (world, [school, clinic]) = world();
        let mut worked_on = Vec::new();
        for _ in 0..limits::AGENCY_READS_MAX {
            worked_on.push(world.may_read(school).await.expect("room"));
        }
        let mut next = pin!(world.may_read(school));
        tokio::select! {
            biased;
            _ = next.as_mut() => panic!("it has to wait"),
            other = world.may_read(clinic) => assert!(other.is_some(), "others have their own"),
        }
        worked_on.pop();
        assert!(next.await.is_some());
    }
}
