//! Cases: drives what [`exchange::cases`](crate::exchange::cases) decides.
//!
//! Each change is recorded before anything comes of it. Messages of a case are ordinary messages of the coordinating agency, signed with
//! its key and submitted like anybody's. What comes of them is heard from their records; what started or changes a case waits in open work
//! until the change is recorded, whose record ends it. One thing at a time is done in a case, and any number of cases at once.

mod board;
mod desk;
mod letters;
mod notices;
mod starts;
mod survey;

pub use notices::Telling;
pub use survey::Quality;

use super::run::Open;
use super::{Gateway, World, now};
use crate::base::fault::Code;
use crate::base::ids::{AgencyId, Code as Word, Digest, MessageId, Uuid};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Private, Record, RecordKind};
use crate::exchange::admission::read_again;
use crate::exchange::cases::{
    Around, Board, Book, Came, Case, CaseRow, Change, Heard, Opening, Part, Reading, RowState, Sending, Sent, action, read, write,
};
use crate::exchange::ledger::{Known, OutcomePlace};
use crate::exchange::work::Row;
use crate::host::store::{Recorded, Saving, SledShelf, Store, StoreError};
use crate::message::crypto::{Sha256, equal, random, sha256};
use crate::message::envelope::{self, Subject};
use crate::rules::situation::{Catalogue, Situation, Version};
use letters::paper_key;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Who coordinates cases, and how.
#[derive(Clone, Debug, Default)]
pub struct Coordination {
    /// The agencies in whose name cases are coordinated: at most one of each world.
    pub coordinators: Vec<AgencyId>,
    /// How many times as fast the clock of cases of the test world goes.
    pub pace: u32,
}

/// All cases of a gateway.
pub(super) struct Cases {
    coordination: Coordination,
    book: Mutex<Option<Book<SledShelf>>>,
    /// Those that something was done in lately.
    kept: Mutex<Kept>,
    hints: Mutex<Hints>,
    /// Below which index all records are that changed cases: the index has to be no further for a look at them.
    changed_below: AtomicU64,
    changed: Notify,
    room: Arc<Semaphore>,
    /// Two starts for one person come one after the other: whoever comes second finds the case of the first.
    starting: [tokio::sync::Mutex<()>; STARTS_AT_ONCE],
    /// All open cases at a glance.
    board: Mutex<Board>,
    /// Told of a case that has changed.
    watched: tokio::sync::broadcast::Sender<Uuid>,
}

type Held = Arc<tokio::sync::Mutex<Option<InHand>>>;

#[derive(Default)]
struct Kept {
    cases: BTreeMap<Uuid, (u64, Held)>,
    by_use: BTreeMap<u64, Uuid>,
    uses: u64,
}

/// A case, and the version of its situation.
struct InHand {
    case: Case,
    situation: Arc<Situation>,
    /// Messages of which it is known that they were taken.
    sent: BTreeSet<MessageId>,
    /// Messages of which it is on record who gets what with them.
    handed: BTreeSet<MessageId>,
    /// Notices that somebody is about.
    telling: BTreeMap<u32, notices::Trying>,
}

impl InHand {
    fn new(case: Case, situation: Arc<Situation>) -> Self {
        Self { case, situation, sent: BTreeSet::new(), handed: BTreeSet::new(), telling: BTreeMap::new() }
    }

    fn is_over(&self) -> bool {
        self.case.is_over() && self.case.under_way().next().is_none() && self.case.notices.iter().all(|notice| notice.is_over)
    }
}

/// What was recorded of messages of cases, and has to be heard.
#[derive(Default)]
struct Hints {
    waiting: BTreeMap<Uuid, VecDeque<Hint>>,
    ready: VecDeque<Uuid>,
    /// Records that were not heard of yet: a start begins with the first of them.
    open: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Hint {
    message: MessageId,
    place: OutcomePlace,
    code: Option<Code>,
}

/// A change of a case, and what it ends.
struct Step<'s> {
    /// The work that it ends.
    ends: Option<&'s Row>,
    /// Whom it is by.
    by: &'s AgencyId,
    at: UnixTime,
}

impl Cases {
    /// No cases yet: [`Cases::open`] opens the book.
    pub(super) fn new(coordination: Coordination) -> Self {
        Self {
            coordination,
            book: Mutex::default(),
            kept: Mutex::default(),
            hints: Mutex::default(),
            changed_below: AtomicU64::new(0),
            changed: Notify::new(),
            room: Arc::new(Semaphore::new(CASES_AT_ONCE)),
            starting: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            board: Mutex::default(),
            watched: tokio::sync::broadcast::channel(256).0,
        }
    }

    /// Opens the book of cases, and tells it of the records that it has not been told of.
    pub(super) fn open(&self, store: &Store) -> Result<(), StoreError> {
        if self.coordination.coordinators.is_empty() {
            return Ok(());
        }
        let (shelf, mark) = store.shelf_of_cases()?;
        let mut book = Book::open(shelf);
        let mut tell = |recorded: Recorded| book.record(&recorded.leaf, recorded.place.index, &recorded.persons);
        let from = if mark == 0 { store.tell_cases(&mut tell)? } else { mark };
        store.tell(from, UnixTime::default(), &mut |recorded| {
            book.record(&recorded.leaf, recorded.place.index, &recorded.persons);
            if let Some((case, hint)) = self.hint_of(&recorded.leaf, recorded.place) {
                self.hints().put(case, hint);
            }
        })?;
        self.changed_below.store(store.size(), Ordering::Release);
        *self.book.lock().unwrap_or_else(PoisonError::into_inner) = Some(book);
        Ok(())
    }

    /// The agencies in whose name cases are coordinated.
    pub(super) fn coordinators(&self) -> Arc<Vec<AgencyId>> {
        Arc::new(self.coordination.coordinators.clone())
    }

    /// Whether an agency is a coordinating one.
    pub(super) fn is_coordinator(&self, agency: &AgencyId) -> bool {
        self.coordination.coordinators.contains(agency)
    }

    fn book<T>(&self, ask: impl FnOnce(&mut Book<SledShelf>) -> T) -> Option<T> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(ask)
    }

    fn hints(&self) -> MutexGuard<'_, Hints> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a record says of a message of a case.
    fn hint_of(&self, leaf: &Leaf, place: OutcomePlace) -> Option<(Uuid, Hint)> {
        let is_outcome = matches!(leaf.kind.as_str(), "rsp" | "sts" | "err");
        let consumer = leaf.consumer.as_deref().and_then(AgencyId::parse).filter(|_| is_outcome)?;
        let case = leaf.case.as_deref().and_then(Uuid::parse).filter(|_| self.is_coordinator(&consumer))?;
        let message = leaf.message.as_deref().and_then(MessageId::parse)?;
        let code = leaf.code.as_deref().and_then(|code| Code::ALL.iter().copied().find(|known| known.as_str() == code));
        if leaf.kind == "err" && code.is_none() {
            return None;
        }
        Some((case, Hint { message, place, code }))
    }

    /// Takes a record into account: of a case, or of a message of one.
    pub(super) fn tell(&self, leaf: &Leaf, place: OutcomePlace, persons: &[u64]) {
        if leaf.kind == RecordKind::Case.as_str() {
            self.changed_below.fetch_max(place.index + 1, Ordering::AcqRel);
            self.book(|book| book.record(leaf, place.index, persons));
            return;
        }
        if let Some((case, hint)) = self.hint_of(leaf, place) {
            self.hints().put(case, hint);
            self.changed.notify_one();
        }
    }

    /// Whether cases have to know of a record.
    pub(super) fn concerns(&self, record: &Record) -> bool {
        record.case.is_some() && !self.coordination.coordinators.is_empty()
    }

    /// Takes those from memory that are over, and of which nobody has to be told any more: of them only the log knows.
    fn let_go_of_closed(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { cases, by_use, .. } = &mut *kept;
        cases.retain(|_, (used, held)| {
            // Whoever is at work at one has it, and whoever waits for it.
            let slot = if Arc::strong_count(held) == 1 { held.try_lock().ok() } else { None };
            let is_over = slot.is_some_and(|slot| slot.as_ref().is_none_or(InHand::is_over));
            if is_over {
                by_use.remove(used);
            }
            !is_over
        });
    }

    fn held(&self, id: Uuid) -> Held {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let uses = kept.uses;
        let before = kept.cases.get(&id).map(|(used, held)| (*used, Arc::clone(held)));
        let held = match before {
            Some((used, held)) => {
                kept.by_use.remove(&used);
                held
            }
            None => Held::default(),
        };
        kept.cases.insert(id, (uses, Arc::clone(&held)));
        kept.by_use.insert(uses, id);
        // Those in which something is just being done stay.
        let mut over = kept.cases.len().saturating_sub(limits::CASES_KEPT_MAX);
        let oldest: Vec<(u64, Uuid)> = kept.by_use.iter().take(over * 2).map(|(used, id)| (*used, *id)).collect();
        for (used, id) in oldest {
            let is_idle = kept.cases.get(&id).is_some_and(|(_, held)| Arc::strong_count(held) == 1);
            if over > 0 && is_idle {
                kept.cases.remove(&id);
                kept.by_use.remove(&used);
                over -= 1;
            }
        }
        held
    }
}

impl Hints {
    fn put(&mut self, case: Uuid, hint: Hint) {
        self.open.insert(hint.place.index);
        let waiting = self.waiting.entry(case).or_default();
        if waiting.is_empty() {
            self.ready.push_back(case);
        }
        waiting.push_back(hint);
    }

    fn next(&mut self) -> Option<(Uuid, VecDeque<Hint>)> {
        let case = self.ready.pop_front()?;
        Some((case, self.waiting.remove(&case).unwrap_or_default()))
    }
}

/// Something for which a case is looked up.
pub enum CaseError {
    /// There is no such case, or whoever asks has no part in it.
    Unknown,
    /// There are no cases here.
    None,
    /// It cannot be read just now.
    Unreadable(StoreError),
}

impl From<StoreError> for CaseError {
    fn from(cause: StoreError) -> Self {
        Self::Unreadable(cause)
    }
}

impl Gateway {
    fn around<'a>(&self, world: &'a World, situation: &'a Situation) -> Around<'a> {
        let (catalogue, registry, schemas) = (&*world.catalogue, &world.registry, world.schemas());
        Around { catalogue, situation, registry, schemas, now: now() }
    }

    /// Drives all cases until the gateway stops: hears what came of their messages, and does what its time has come for.
    pub async fn drive_cases(self: Arc<Self>) {
        if self.cases.coordination.coordinators.is_empty() {
            return std::future::pending().await;
        }
        self.settle_ratings().await;
        while !self.is_stopping() {
            let changed = self.cases.changed.notified();
            while self.drive_next() {}
            if self.is_unrecording.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(limits::HEALTH_MS)).await;
                continue;
            }
            let time = now();
            let wakes = self.cases.book(|book| book.wakes()).flatten();
            let pause = wakes.map_or(PAUSE_MS_MAX, |wakes| wakes.as_ms().saturating_sub(time.as_ms()));
            let pause = Duration::from_millis(pause.clamp(PAUSE_MS_MIN, PAUSE_MS_MAX));
            let _ = tokio::time::timeout(pause, changed).await;
        }
    }

    /// Has one thing done of what there is to do; nothing if there is none, or no room.
    fn drive_next(self: &Arc<Self>) -> bool {
        if self.is_stopping() || self.is_unrecording.load(Ordering::Relaxed) {
            return false;
        }
        let Ok(permit) = Arc::clone(&self.cases.room).try_acquire_owned() else { return false };
        let heard = self.cases.hints().next();
        let (id, hints) = match heard {
            Some(heard) => heard,
            None => match self.cases.book(|book| book.due(now())).flatten() {
                Some(id) => (id, VecDeque::new()),
                None => return false,
            },
        };
        let gateway = Arc::clone(self);
        let open = Open::new(&self.open);
        tokio::spawn(async move {
            gateway.go_on_with_case(id, hints).await;
            drop((open, permit));
            gateway.cases.changed.notify_one();
        });
        true
    }

    async fn go_on_with_case(self: &Arc<Self>, id: Uuid, hints: VecDeque<Hint>) {
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        let world = self.world();
        let went = self.hear_and_go_on(&world, id, &mut slot, &hints).await;
        if let Err(cause) = went {
            // What was decided may not be what is on record: it is read again.
            *slot = None;
            drop(slot);
            self.telemetry.say_sparingly(&format!("the case {id} waits: {cause}"));
            for hint in hints {
                self.cases.hints().put(id, hint);
            }
            tokio::time::sleep(Duration::from_millis(limits::DELIVERY_PAUSE_MS)).await;
            return;
        }
        let mut waiting = self.cases.hints();
        for hint in &hints {
            waiting.open.remove(&hint.place.index);
        }
    }

    async fn hear_and_go_on(
        self: &Arc<Self>,
        world: &Arc<World>,
        id: Uuid,
        slot: &mut Option<InHand>,
        hints: &VecDeque<Hint>,
    ) -> Result<(), StoreError> {
        if slot.is_none() {
            *slot = self.load_case(world, id)?;
        }
        let Some(hand) = slot else { return Ok(()) };
        self.hear_all(world, hand, hints).await?;
        self.look_for_lost(world, hand).await?;
        self.advance(world, hand).await
    }

    /// Hears what was recorded, each in the light of that before it. What came meanwhile is one record: documents that come at the same
    /// time do not wait for each other's.
    async fn hear_all(self: &Arc<Self>, world: &Arc<World>, hand: &mut InHand, hints: &VecDeque<Hint>) -> Result<(), StoreError> {
        let situation = Arc::clone(&hand.situation);
        let before = (hints.len() > 1).then(|| hand.case.clone());
        let (at, mut heard) = (now(), Vec::with_capacity(hints.len()));
        for hint in hints {
            let (changes, octets) = self.changes_heard(world, hand, hint)?;
            if before.is_some() {
                hand.case.apply_all(self.around(world, &situation), at, &changes);
            }
            heard.push((changes, octets));
        }
        if let Some(before) = before {
            hand.case = before;
        }
        let by = hand.case.opening.coordinator.0.clone();
        let papers: Vec<Followed<'_>> = heard.iter().map(|(changes, octets)| (changes.as_slice(), octets.as_slice())).collect();
        self.keep_papers(&hand.case.id, &by, &papers)?;
        let changes: Vec<Change> = heard.into_iter().flat_map(|(changes, _)| changes).collect();
        self.record_changes(world, hand, changes, Step { ends: None, by: &by, at }).await
    }

    /// The changes that follow from the record of a message, and its octets; they have to be kept before the changes are written down.
    fn changes_heard(&self, world: &World, hand: &InHand, hint: &Hint) -> Result<(Vec<Change>, Vec<u8>), StoreError> {
        let failed = |code: &str| {
            let around = self.around(world, &hand.situation);
            Ok((hand.case.hear(around, hint.message, &Heard::Failed(code), &mut new_id), Vec::new()))
        };
        if !hand.case.under_way().any(|(message, _)| *message == hint.message) {
            return Ok((Vec::new(), Vec::new()));
        }
        if let Some(code) = hint.code {
            return failed(code.as_str());
        }
        let octets = match self.store.outcome(hint.place) {
            Ok((octets, _)) => octets,
            Err(StoreError::Forgotten) => return failed(Code::AudUnavailable.as_str()),
            Err(cause) => return Err(cause),
        };
        let verified = match read_again(self.snapshot(world), octets.clone()) {
            Ok(verified) => verified,
            Err(refusal) => return failed(refusal.fault.code.as_str()),
        };
        let (reading, around) = (Reading::new(verified), self.around(world, &hand.situation));
        Ok((hand.case.hear(around, hint.message, &Heard::Message(&reading), &mut new_id), octets))
    }

    /// The cases about somebody, in the order in which they began.
    fn cases_of(&self, subject: &Subject, situation: Option<&Word>) -> Vec<CaseRow> {
        let persons = self.store.person_keys(subject);
        let mut rows = self.cases.book(|book| book.about(&persons)).unwrap_or_default();
        rows.retain(|row| situation.is_none_or(|situation| row.situation.as_ref() == Some(situation)));
        rows
    }

    /// Reads a case from its records. Nobody else waits for that.
    fn load_case(&self, world: &World, id: Uuid) -> Result<Option<InHand>, StoreError> {
        tokio::task::block_in_place(|| self.read_case(world, id))
    }

    fn read_case(&self, world: &World, id: Uuid) -> Result<Option<InHand>, StoreError> {
        let Some(row) = self.cases.book(|book| book.row(&id)).flatten() else { return Ok(None) };
        let records = match row.state {
            RowState::Open => row.records,
            RowState::Closed => self.store.records_of_case(&id, self.cases.changed_below.load(Ordering::Acquire))?,
        };
        let mut hand: Option<InHand> = None;
        for index in records {
            let (at, Some(changes)) = changes_at(&self.store, index)? else { return Ok(None) };
            if hand.is_none() {
                let begun = Case::begun(&world.catalogue, id, &changes, at);
                hand = begun.map(|(case, situation)| InHand::new(case, situation));
            }
            let Some(hand) = &mut hand else {
                self.telemetry.say_sparingly(&format!("the case {id} waits: its situation is not in the catalogue"));
                return Ok(None);
            };
            let situation = Arc::clone(&hand.situation);
            hand.case.apply_all(self.around(world, &situation), at, &changes);
        }
        // A crash may have left what was to be removed.
        let forgotten = hand.iter().flat_map(|hand| hand.case.unneeded());
        forgotten.for_each(|paper| self.store.attachments().forget(&paper_key(&id, paper)));
        Ok(hand)
    }

    /// Does all that comes next in a case.
    async fn advance(self: &Arc<Self>, world: &Arc<World>, hand: &mut InHand) -> Result<(), StoreError> {
        self.send(world, hand).await?;
        self.add_up(world, hand).await?;
        for _ in 0..ROUNDS_MAX {
            let situation = Arc::clone(&hand.situation);
            let changes = hand.case.forward(self.around(world, &situation), &mut new_id);
            if changes.is_empty() {
                break;
            }
            let by = hand.case.opening.coordinator.0.clone();
            self.record_changes(world, hand, changes, Step { ends: None, by: &by, at: now() }).await?;
            self.send(world, hand).await?;
        }
        let notices = self.notify(world, hand).await?;
        self.set_wake(world, hand, notices);
        Ok(())
    }

    /// Adds up what counts over all cases of the same situation and person, once this case's own part of it is known.
    async fn add_up(self: &Arc<Self>, world: &Arc<World>, hand: &mut InHand) -> Result<(), StoreError> {
        let situation = Arc::clone(&hand.situation);
        let around = self.around(world, &situation);
        let mut changes = Vec::new();
        for (fact, sum, own) in hand.case.unsummed(around) {
            let Some(named) = world.catalogue.fact(fact) else { continue };
            let mut total = own;
            for other in self.cases_of(&hand.case.subject(), Some(&situation.id)) {
                let other = if other.id == hand.case.id { None } else { self.load_case(world, other.id)? };
                let Some(other) = other else { continue };
                if other.case.opening.test != hand.case.opening.test {
                    continue;
                }
                let calendar = world.catalogue.calendar(hand.case.region());
                let counts = calendar.is_none_or(|calendar| sum.within.end(other.case.opened, calendar) > hand.case.opened);
                if counts && other.case.opened <= hand.case.opened {
                    total = total.saturating_add(other.case.number(sum.of).unwrap_or(0));
                }
            }
            changes.push(Change::Summed { fact: named.name.to_string(), sum: total });
        }
        if changes.is_empty() {
            return Ok(());
        }
        let by = hand.case.opening.coordinator.0.clone();
        self.record_changes(world, hand, changes, Step { ends: None, by: &by, at: now() }).await
    }

    /// Says when something is to be done in a case, and that it has changed.
    fn set_wake(&self, world: &World, hand: &InHand, notices: Option<UnixTime>) {
        let wakes = hand.case.wakes_by_itself(self.around(world, &hand.situation));
        let unsent = hand.case.under_way().any(|(id, _)| !hand.sent.contains(id)).then(|| now().plus_ms(UNSENT_MS));
        let id = hand.case.id;
        // Until what it has forgotten is gone from the disk it wakes again: after a crash nobody else would see to that.
        let is_leaving = |paper| self.store.attachments().is_leaving(&paper_key(&id, paper));
        let leaving = hand.case.unneeded().any(is_leaving).then(|| now().plus_ms(SENT_MS));
        let wakes = [wakes, notices, unsent, leaving].into_iter().flatten().min();
        self.cases.book(|book| match wakes {
            Some(wakes) => book.wake(&id, wakes.max(now().plus_ms(PAUSE_MS_MIN))),
            None => book.sleep(&id),
        });
        self.glance(world, hand);
        self.cases.changed.notify_one();
        let _ = self.cases.watched.send(id);
    }

    /// Writes changes down, and takes them.
    async fn record_changes(
        self: &Arc<Self>,
        world: &World,
        hand: &mut InHand,
        mut changes: Vec<Change>,
        step: Step<'_>,
    ) -> Result<(), StoreError> {
        self.invite(&hand.case, &mut changes, step.at)?;
        let mut rest = changes.as_slice();
        while !rest.is_empty() {
            let count = fitting(rest);
            let (some, others) = rest.split_at(count);
            rest = others;
            let mut record = Record::new(RecordKind::Case, step.at);
            let is_over = some.iter().any(|change| matches!(change, Change::Closed { .. }));
            let what = match some.first() {
                Some(Change::Opened(_)) => action::OPEN,
                _ if is_over => action::CLOSE,
                _ => action::CHANGE,
            };
            record.action = Word::parse(what);
            record.case = Some(hand.case.id);
            record.consumer = Some(step.by.clone());
            record.purpose = Some(hand.case.opening.situation.0.clone());
            record.registry_version = world.registry.version();
            record.world = hand.case.opening.world();
            let situation = Arc::clone(&hand.situation);
            let before: Vec<MessageId> = hand.case.under_way().map(|(id, _)| *id).collect();
            hand.case.apply_all(self.around(world, &situation), step.at, some);
            // What nobody waits for any more is taken back; what was answered is not open.
            let after: BTreeSet<MessageId> = hand.case.under_way().map(|(id, _)| *id).collect();
            let open: Vec<MessageId> = before.into_iter().filter(|id| !after.contains(id)).collect();
            let wakes = hand.case.wakes(self.around(world, &situation));
            let soon = step.at.plus_ms(SENT_MS);
            // What was decided on and not sent when the gateway dies is sent when it wakes, and what comes next is decided then: a case
            // that waits for nothing but that would wait for ever.
            // What is forgotten is removed a moment later, and seen to again by whoever wakes it.
            let is_left = rest.is_empty() && !some.iter().any(|change| matches!(change, Change::Forgotten { .. }));
            record.until = if hand.case.is_over() && is_left { wakes } else { Some(wakes.map_or(soon, |wakes| wakes.min(soon))) };
            if let Some(row) = step.ends.filter(|_| rest.is_empty()) {
                (record.concerns, record.provider) = (Some(row.key.index), Some(row.key.to.clone()));
            }
            if what == action::OPEN {
                let subject = hand.case.subject();
                let version = &hand.case.opening.version;
                let region = hand.case.region().map_or_else(String::new, |region| format!(" {region}"));
                record.basis = Some(format!("{version}{region}").into());
                record.counterpart = Some(self.start_key(&hand.case.opening, &subject, some));
            }
            record.digest = some.iter().find_map(|change| match change {
                Change::Link { hash, .. } => Some(hash.0),
                Change::Closed { invited: Some(invited), .. } => Some(invited.hash),
                _ => None,
            });
            if what == action::CHANGE && some.iter().any(is_start) {
                record.counterpart = Some(self.start_key(&hand.case.opening, &hand.case.subject(), some));
            }
            let private = Private { subject: hand.case.subject(), changes: Some(write(some)), ..Private::default() };
            self.telemetry.close(&record, None);
            self.keep(Entry { record, private, body: None }).await?;
            self.take_back_all(world, &hand.case, &open).await;
            for change in some {
                if let Change::Forgotten { document } = change
                    && let Some(paper) = hand.case.paper_of(&document.0)
                    && !hand.case.keeps(paper)
                {
                    self.store.attachments().forget(&paper_key(&hand.case.id, paper));
                }
            }
        }
        Ok(())
    }

    /// The key of what starts a case. It is made of keyed names of the persons: a leaf tells nobody whom it is about.
    fn start_key(&self, opening: &Opening, subject: &Subject, changes: &[Change]) -> Digest {
        let start = changes.iter().find_map(|change| match change {
            Change::Came { paper, .. } if paper.way == Came::Start => Some(paper.start.clone()),
            _ => None,
        });
        let of = start.flatten().unwrap_or_else(|| opening.message.0.to_string());
        self.case_key(&opening.situation.0, subject, &of)
    }

    fn case_key(&self, situation: &Word, subject: &Subject, of: &str) -> Digest {
        let mut persons = self.store.person_keys(subject);
        persons.sort_unstable();
        let mut hash = Sha256::new();
        persons.iter().for_each(|person| hash.update(&person.to_be_bytes()));
        hash.update(situation.as_str().as_bytes());
        hash.update(&[0]);
        // What tells one start from another is in the documents themselves.
        let keyed: Vec<u8> = persons.iter().flat_map(|person| person.to_be_bytes()).chain(of.bytes()).collect();
        hash.update(sha256(&keyed).octets());
        hash.finish()
    }

    /// Sees what became of messages of which nothing was heard since the case was read.
    async fn look_for_lost(self: &Arc<Self>, world: &Arc<World>, hand: &mut InHand) -> Result<(), StoreError> {
        let unsure: Vec<(MessageId, Sent)> =
            hand.case.under_way().filter(|(id, _)| !hand.sent.contains(id)).map(|(id, sent)| (*id, sent.clone())).collect();
        let coordinator = hand.case.opening.coordinator.0.clone();
        for (id, sent) in unsure {
            let known = self.known(&coordinator, id).map_err(|_| StoreError::Index("the log cannot be read".to_owned()))?;
            // One that is too old to be taken as it is is made anew.
            let is_old = sent.at.distance_ms(now()) >= limits::CLOCK_SKEW_MS / 2;
            let changes = match known {
                // Of a word nothing is heard.
                known if matches!(sent.what, Sending::Word { .. }) && (known.is_some() || is_old) => {
                    hand.sent.insert(id);
                    Vec::new()
                }
                Some(Known::Open) => {
                    hand.sent.insert(id);
                    Vec::new()
                }
                Some(Known::Settled(place)) => {
                    self.hear_all(world, hand, &VecDeque::from([Hint { message: id, place, code: None }])).await?;
                    Vec::new()
                }
                Some(Known::Refused(code)) => {
                    let around = self.around(world, &hand.situation);
                    hand.case.hear(around, id, &Heard::Failed(code.as_str()), &mut new_id)
                }
                // It was never taken.
                None if !is_old => Vec::new(),
                None => {
                    let around = self.around(world, &hand.situation);
                    hand.case.hear(around, id, &Heard::Failed(Code::MsgExpired.as_str()), &mut new_id)
                }
            };
            if !changes.is_empty() {
                self.record_changes(world, hand, changes, Step { ends: None, by: &coordinator, at: now() }).await?;
            }
        }
        self.send(world, hand).await
    }

    /// Looks a case up for an agency that has a part in it.
    pub async fn case<T>(
        &self,
        id: Uuid,
        agency: &AgencyId,
        look: impl FnOnce(&Case, Around<'_>, Part<'_>) -> T,
    ) -> Result<T, CaseError> {
        if self.cases.coordination.coordinators.is_empty() {
            return Err(CaseError::None);
        }
        // Whoever guesses ids takes nobody's place.
        if self.cases.book(|book| book.row(&id)).flatten().is_none() {
            return Err(CaseError::Unknown);
        }
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        let world = self.world();
        if slot.is_none() {
            *slot = self.load_case(&world, id)?;
        }
        let hand = slot.as_ref().ok_or(CaseError::Unknown)?;
        let known = part_under(&world, &hand.case, agency).ok_or(CaseError::Unknown)?;
        let part = if hand.case.sees_all(known) { Part::Whole } else { Part::Of(known) };
        Ok(look(&hand.case, self.around(&world, &hand.situation), part))
    }

    /// Looks a case up by a personal link that is in force.
    pub async fn case_by_link<T>(&self, link: &str, look: impl FnOnce(&Case, Around<'_>) -> T) -> Result<T, CaseError> {
        let hash = sha256(link.as_bytes());
        let id = self.cases.book(|book| book.by_link(&hash)).flatten().ok_or(CaseError::Unknown)?;
        let held = self.cases.held(id);
        let mut slot = held.lock().await;
        let world = self.world();
        if slot.is_none() {
            *slot = self.load_case(&world, id)?;
        }
        let is_in_force = |hand: &&InHand| hand.case.link_in_force(now()).is_some_and(|known| equal(&known, &hash));
        let hand = slot.as_ref().filter(is_in_force).ok_or(CaseError::Unknown)?;
        Ok(look(&hand.case, self.around(&world, &hand.situation)))
    }

    /// Looks at the cases about somebody in one world, the newest first and so many at most. What cannot be read is left out.
    pub async fn cases_about<T>(
        &self,
        subject: &Subject,
        world: envelope::World,
        mut look: impl FnMut(&Case, Around<'_>) -> T,
    ) -> Result<Vec<T>, CaseError> {
        let mut seen = Vec::new();
        for CaseRow { id, .. } in self.cases_of(subject, None).into_iter().rev().take(CASES_SHOWN_MAX) {
            let held = self.cases.held(id);
            let mut slot = held.lock().await;
            let current = self.world();
            if slot.is_none() {
                *slot = self.load_case(&current, id).unwrap_or_default();
            }
            if let Some(hand) = slot.as_ref().filter(|hand| hand.case.opening.world() == world) {
                seen.push(look(&hand.case, self.around(&current, &hand.situation)));
            }
        }
        Ok(seen)
    }

    /// Told of each case that has changed.
    pub fn watch_cases(&self) -> tokio::sync::broadcast::Receiver<Uuid> {
        self.cases.watched.subscribe()
    }

    /// How many cases are open.
    pub(super) fn count_open_cases(&self) -> u64 {
        self.cases.book(|book| book.count_open()).unwrap_or_default()
    }

    /// Saves the book of cases, so that a start has few records to be told of.
    pub(super) fn note_cases(&self, mark: u64) -> Option<Result<Saving, StoreError>> {
        self.cases.let_go_of_closed();
        let first = self.cases.hints().open.first().copied();
        self.cases.book(|book| book.shelf_mut().note(first.map_or(mark, |first| first.min(mark)).max(1)))
    }

    /// Whether all open cases have their situations in a catalogue; else which versions are missing.
    pub fn missing_situations(&self, catalogue: &Catalogue) -> Vec<String> {
        let mut missing = BTreeSet::new();
        let mut last: Option<Uuid> = None;
        let world = self.world();
        while let Some(row) = self.cases.book(|book| book.open_behind(last.as_ref())).flatten() {
            last = Some(row.id);
            let of = |catalogue: &Catalogue| {
                let version = row.version.as_deref().and_then(Version::parse)?;
                catalogue.version(row.situation.as_ref()?, &version, row.region.as_ref()).is_some().then_some(())
            };
            if of(catalogue).is_none() && of(&world.catalogue).is_some() {
                let (situation, version) = (row.situation.as_ref().map(Word::as_str), row.version.as_deref());
                missing.insert(format!("{} {}", situation.unwrap_or("?"), version.unwrap_or("?")));
            }
        }
        missing.into_iter().collect()
    }
}

/// The changes of a case in a record, and when it was written; no changes if they were erased.
pub fn changes_at(store: &Store, index: u64) -> Result<(UnixTime, Option<Vec<Change>>), StoreError> {
    let (found, private) = store.record_and_private(index)?;
    let at = Leaf::parse(&found.leaf).map_or_else(UnixTime::default, |leaf| UnixTime::from_ms(leaf.time));
    let private = private.and_then(|octets| serde_json::from_slice::<super::audit::Opened>(&octets).ok());
    Ok((at, private.and_then(|private| private.changes).and_then(|text| read(&text))))
}

/// The name under which an agency has a part in a case: its own, or that of one in whose place it stands.
fn part_under<'w>(world: &'w World, case: &Case, agency: &AgencyId) -> Option<&'w AgencyId> {
    let index = world.registry.find(agency)?;
    world.registry.names_of(index).find(|name| case.has_part(name))
}

/// The changes that follow from a message, and its octets.
type Followed<'f> = (&'f [Change], &'f [u8]);

/// Whether it is the document of an event.
fn is_start(change: &Change) -> bool {
    matches!(change, Change::Came { paper, .. } if paper.way == Came::Start)
}

/// How many changes fit into one record.
fn fitting(changes: &[Change]) -> usize {
    let mut octets = 0;
    // As they lie in the sealed part: a text in a text.
    let sizes = changes.iter().map(|change| serde_json::Value::String(write(std::slice::from_ref(change))).to_string().len());
    let count = sizes.take_while(|size| {
        octets += size;
        octets <= limits::CASE_CHANGES_BYTES_MAX
    });
    count.count().max(1)
}

/// A message id of now. Without randomness there is no gateway.
fn new_id() -> MessageId {
    MessageId::new(now(), random::<10>().unwrap_or_default())
}

/// Cases in which something is done at once.
const CASES_AT_ONCE: usize = 64;
/// Starts for different persons at once, at most.
const STARTS_AT_ONCE: usize = 64;
/// Cases of one person that are shown together.
const CASES_SHOWN_MAX: usize = 100;
/// How often it is asked what comes next before others get their turn.
const ROUNDS_MAX: usize = 16;
const PAUSE_MS_MIN: u64 = 5;
const PAUSE_MS_MAX: u64 = 60_000;
/// After how long a message is sent for which there was no room.
const UNSENT_MS: u64 = 1_000;
/// After how long it is looked whether messages were sent that were decided on.
const SENT_MS: u64 = 10_000;
/// How long is waited for room, and how often.
const BUSY_MS: u64 = 50;
const SENDING_ROUNDS: usize = 40;
