//! The index: rows and postings, behind the journal by a watermark. Everything in it comes from the journal and is made
//! anew when in doubt. A thread of its own follows the writer; acknowledging never waits for it.

mod blocks;
mod columns;
mod count;
mod exchanges;
mod live;
mod names;
mod postings;
mod recent;
mod row;
mod rows;
mod scan;
mod search;
mod volume;

pub(crate) use exchanges::Enough;
pub(crate) use row::{By, Row};
use rows::IdTimes;
pub(crate) use search::{Conditions, Hits, View};

use super::StoreError;
use super::keys::{Keys, PrivateHead};
use crate::base::limits;
use crate::evidence::audit::Filter;
use crate::evidence::journal::{Frame, FrameKind};
use live::{Live, Remade, live_path};
use names::Names;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use volume::{Volume, volume_path};

/// A record as it is put in.
pub(crate) struct Entered {
    pub leaf: Vec<u8>,
    pub head: PrivateHead,
    pub segment: u32,
    pub offset: u32,
}

impl Entered {
    /// Octets of memory that it takes while it waits.
    fn size(&self) -> usize {
        size_of::<Step>() + self.leaf.capacity() + 8 * self.head.persons.capacity()
    }
}

enum Step {
    Enter(Entered),
    /// The next record is the first of this volume.
    Begin(u32, u64),
}

#[derive(Default)]
struct Queue {
    steps: Vec<Step>,
    /// Octets of memory that the steps take.
    octets: usize,
    is_closing: bool,
    is_awaited: bool,
    /// How many records the writer has handed over, whether or not they were kept here.
    seen: u64,
    /// The last volume that the writer has begun: number and first record.
    begun: Option<(u32, u64)>,
}

/// Gives the records of the journal from one index to before another, each with its volume's number and first record.
pub(crate) type Journal =
    Box<dyn Fn(u64, u64, &mut dyn FnMut(Entered, (u32, u64)) -> Result<(), StoreError>) -> Result<(), StoreError> + Send>;

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// There is room in the queue again.
    room: Condvar,
    /// How many records are in the index; whoever waits for more is told.
    done: Mutex<u64>,
    told: Condvar,
    /// It could not be written: nothing is kept for it until it has caught up from the journal. Changes under `queue`.
    has_failed: AtomicBool,
    trouble: Mutex<Option<StoreError>>,
    /// Held while a complete volume is made anew.
    forgetting: Mutex<()>,
    sealed: RwLock<Vec<Arc<Volume>>>,
    live: RwLock<Live>,
    names: RwLock<Names>,
    log: PathBuf,
}

/// The index.
pub struct Index {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    was_rebuilt: bool,
}

/// The index while the journal is read at start.
pub(crate) struct Opening {
    log: PathBuf,
    sealed: Vec<Arc<Volume>>,
    live: Live,
    names: Names,
    was_rebuilt: bool,
    waiting: Waiting,
}

#[derive(Default)]
struct Waiting {
    rows: Vec<Row>,
    more: Vec<(u64, u32)>,
    ids: IdTimes,
}

impl Waiting {
    fn enter(&mut self, entered: &Entered, place: u32, names: &mut Names) {
        let (row, id) = Row::of(&entered.leaf, &entered.head, (entered.segment, entered.offset), names);
        self.rows.push(row);
        self.ids = id.map_or(self.ids, |time| self.ids.with(time));
        self.more.extend(entered.head.persons.iter().skip(1).map(|key| (*key, place)));
    }
}

impl Opening {
    /// Opens what is there of the volumes before `number`, and begins the live one; gives with it the first volume whose
    /// records have to be entered, all of them: 0 if everything is to be made anew.
    pub(crate) fn begin(log: &Path, starts: &[(u32, u64)]) -> Result<(Self, u32), StoreError> {
        let last = starts.last().map_or(0, |(number, _)| *number);
        let ends = starts.iter().skip(1).map(|(_, next)| *next);
        // The volumes that are good, up to the first that is not: it may not have been finished.
        let good = starts.iter().zip(ends).map_while(|((number, first), next)| {
            let meta = |volume: &Volume| volume.meta.first == *first && volume.meta.first + volume.meta.count == next;
            Volume::open(log, *number).ok().filter(meta).map(Arc::new)
        });
        let mut sealed: Vec<Arc<Volume>> = good.collect();
        let known = sealed.last().map_or(Names::new(log).known(), |volume| volume.meta.names);
        let names = Names::open(&log.join("names"), known).unwrap_or_else(|| {
            sealed.clear();
            Names::new(&log.join("names"))
        });
        let from = sealed.len() as u32;
        let was_rebuilt = from < last;
        remove_stale(log, from, last)?;
        let first = starts.iter().find(|(number, _)| *number == from).map_or(0, |(_, first)| *first);
        let (live, remade) = Live::open(log, from, first)?;
        let was_rebuilt = was_rebuilt || remade == Remade::Yes;
        Ok((Self { log: log.to_owned(), sealed, live, names, was_rebuilt, waiting: Waiting::default() }, from))
    }

    /// Enters the next record of the journal.
    pub(crate) fn enter(&mut self, entered: &Entered) -> Result<(), StoreError> {
        let place = self.live.count() + self.waiting.rows.len() as u64;
        self.waiting.enter(entered, place as u32, &mut self.names);
        if self.waiting.rows.len() >= limits::INDEX_GATHER_MAX { self.put() } else { Ok(()) }
    }

    fn put(&mut self) -> Result<(), StoreError> {
        let (live, waiting) = (&mut self.live, &mut self.waiting);
        live.append(&waiting.rows, &waiting.more, std::mem::take(&mut waiting.ids))?;
        waiting.rows.clear();
        waiting.more.clear();
        Ok(())
    }

    /// The number of the volume that is entered into.
    pub(crate) fn number(&self) -> u32 {
        self.live.number
    }

    /// The journal goes on in the next volume.
    pub(crate) fn next_volume(&mut self, number: u32, first: u64) -> Result<(), StoreError> {
        self.put()?;
        let (volume, live) = seal(&self.log, &self.live, &mut self.names, (number, first))?;
        let old = std::mem::replace(&mut self.live, live);
        self.sealed.push(volume);
        discard(old);
        Ok(())
    }

    /// Follows the writer from now on.
    pub(crate) fn finish(mut self, size: u64, journal: Journal) -> Result<Index, StoreError> {
        self.put()?;
        self.was_rebuilt |= make_whole(&self.live)? == Remade::Yes;
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue { seen: size, ..Queue::default() }),
            wake: Condvar::new(),
            room: Condvar::new(),
            done: Mutex::new(size),
            told: Condvar::new(),
            has_failed: AtomicBool::new(false),
            trouble: Mutex::default(),
            forgetting: Mutex::default(),
            sealed: RwLock::new(self.sealed),
            live: RwLock::new(self.live),
            names: RwLock::new(self.names),
            log: self.log.clone(),
        });
        let follower = Arc::clone(&shared);
        let builder = std::thread::Builder::new().name("index".to_owned());
        let thread = builder.spawn(move || follower.run(&journal)).map_err(|cause| StoreError::io(&self.log, cause))?;
        Ok(Index { shared, thread: Mutex::new(Some(thread)), was_rebuilt: self.was_rebuilt })
    }
}

/// Reads what the complete volumes say, to hold it against the journal.
pub(crate) struct Reader {
    volumes: Vec<Volume>,
    names: Option<Names>,
    rows: Vec<Row>,
    start: u64,
    /// Of the volume so far: persons beyond the first of a record, and what was erased.
    more: Vec<(u64, u32)>,
    erased: BTreeSet<u32>,
}

/// A file that ends before it should: it was cut short while it was copied, or is older than the others.
pub(crate) struct Short(pub PathBuf);

impl Reader {
    /// A volume that is not there is made anew at start, as all that is derived; one that is there must be whole. But the last may
    /// be cut short, and the names older than it, in a copy of a running log.
    pub(crate) fn open(log: &Path) -> Result<(Self, Option<Short>), StoreError> {
        let (mut volumes, mut short) = (Vec::new(), None);
        let count = (0..).take_while(|number| volume_path(log, *number).exists()).last().map_or(0, |last| last + 1);
        for number in 0..count {
            match Volume::open(log, number) {
                Ok(volume) => volumes.push(volume),
                Err(StoreError::Damaged { path, .. }) if number + 1 == count && volume::is_short(log, number) => {
                    short = Some(Short(path));
                }
                Err(error) => return Err(error),
            }
        }
        let known = volumes.last().map(|volume: &Volume| volume.meta.names);
        let path = log.join("names");
        let names = match known.map(|known| (known, Names::open(&path, known))) {
            Some((known, None)) if names::is_short(&path, known) => {
                short = Some(Short(path));
                None
            }
            Some((_, None)) => return Err(StoreError::Damaged { path, offset: 0 }),
            other => other.and_then(|(_, names)| names),
        };
        Ok((Self { volumes, names, rows: Vec::new(), start: 0, more: Vec::new(), erased: BTreeSet::new() }, short))
    }

    /// How many records the complete volumes know.
    pub(crate) fn known(&self) -> u64 {
        self.volumes.last().map_or(0, |volume| volume.meta.first + volume.meta.count)
    }

    /// The record whose row is not what follows from its frame, if it is this one; at the end of a volume, the first whose
    /// postings are not. Records of the live volume have none that count.
    pub(crate) fn wrong(&mut self, segment: u32, offset: u32, frame: &Frame<'_>) -> Result<Option<u64>, StoreError> {
        let at = self.volumes.partition_point(|volume| volume.meta.first + volume.meta.count <= frame.seq);
        let (Some(volume), Some(names)) = (self.volumes.get(at), &mut self.names) else { return Ok(None) };
        let place = frame.seq - volume.meta.first;
        if place == 0 {
            self.more.clear();
            self.erased.clear();
        }
        if place < self.start || place >= self.start + self.rows.len() as u64 || place == 0 {
            self.start = place;
            volume.rows(place, (place + rows::SPAN).min(volume.meta.count), &mut self.rows)?;
        }
        let head = PrivateHead::read(frame.private).map(|(head, _)| head).unwrap_or_default();
        let leaf = if frame.kind == FrameKind::Record { frame.leaf } else { &[] };
        let (expected, _) = Row::of(leaf, &head, (segment, offset), names);
        let found = self.rows.get((place - self.start) as usize);
        // What was erased since is still in the row.
        let is_erased = head == PrivateHead::default();
        if found.is_none_or(|found| *found != expected && (!is_erased || found.without_persons() != expected)) {
            return Ok(Some(frame.seq));
        }
        self.more.extend(head.persons.iter().skip(1).map(|key| (*key, place as u32)));
        if is_erased {
            self.erased.insert(place as u32);
        }
        if place + 1 < volume.meta.count {
            return Ok(None);
        }
        let wrong = volume.wrong_place(&self.more, &self.erased)?;
        Ok(wrong.map(|place| volume.meta.first + place))
    }
}

/// How many postings the first `count` rows have.
fn postings_of(live: &Live, count: u64) -> Result<u64, StoreError> {
    let (mut rows, mut at, mut postings) = (Vec::new(), 0, live.more_between(0, count as u32).len() as u64);
    while at < count {
        let to = (at + limits::INDEX_GATHER_MAX as u64).min(count);
        live.rows(at, to, &mut rows)?;
        postings += rows.iter().flat_map(|row| row.keys).filter(|key| *key != 0).count() as u64;
        at = to;
    }
    Ok(postings)
}

/// Gives sled the postings of all rows. It may know more records than there are, when it is of another log or of a tail that
/// was lost; and what was put in behind the watermark is put in again.
fn make_whole(live: &Live) -> Result<Remade, StoreError> {
    let indexed = live.indexed();
    let remade = if indexed > live.count() || live.postings() < postings_of(live, indexed)? {
        live.clear()?;
        Remade::Yes
    } else {
        Remade::No
    };
    put_missing(live)?;
    Ok(remade)
}

/// Puts in the postings of rows that sled lacks.
fn put_missing(live: &Live) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    let mut at = live.indexed();
    while at < live.count() {
        let to = (at + limits::INDEX_GATHER_MAX as u64).min(live.count());
        live.rows(at, to, &mut rows)?;
        live.index(at as u32, &rows, live.more_between(at as u32, to as u32))?;
        at = to;
    }
    Ok(())
}

/// Makes a complete volume of the live one, and begins the next.
fn seal(log: &Path, live: &Live, names: &mut Names, (number, first): (u32, u64)) -> Result<(Arc<Volume>, Live), StoreError> {
    names.sync()?;
    Volume::seal(log, &live.source(names.known()))?;
    let volume = Arc::new(Volume::open(log, live.number)?);
    let (next, _) = Live::open(log, number, first)?;
    Ok((volume, next))
}

/// Removes the files of a volume that is complete. What is left of them is removed at the next start.
fn discard(live: Live) {
    let folder = live.folder().to_owned();
    drop(live);
    let _ = std::fs::remove_dir_all(&folder);
}

/// Removes live volumes other than number `from`, and sealed ones from it on, which are to be made anew.
fn remove_stale(log: &Path, from: u32, last: u32) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(log).map_err(|cause| StoreError::io(log, cause))?.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_str().unwrap_or("");
        let is_other_live = name.starts_with("live-") && (path != live_path(log, from) || from != last);
        let is_unfinished = name.starts_with("vol-") && name.ends_with(".new");
        if name == "rows.new" {
            // Of a volume that was to forget something.
            std::fs::remove_file(&path).map_err(|cause| StoreError::io(&path, cause))?;
        }
        if is_other_live || is_unfinished {
            std::fs::remove_dir_all(&path).map_err(|cause| StoreError::io(&path, cause))?;
        }
    }
    for number in from..=last {
        let path = volume_path(log, number);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(|cause| StoreError::io(&path, cause))?;
        }
    }
    Ok(())
}

impl Shared {
    fn run(&self, journal: &Journal) {
        loop {
            let (steps, is_closing) = self.next_steps();
            if let Err(cause) = self.follow(&steps) {
                self.come_back(cause, journal);
            }
            if is_closing && steps.is_empty() {
                return;
            }
        }
    }

    /// The index is disposable: after a failure nothing is kept for it, and it is brought up to date from the journal as soon
    /// as it can be written again. Tries seldom if it does not succeed; gives up only when the store is closed.
    fn come_back(&self, cause: StoreError, journal: &Journal) {
        {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            self.has_failed.store(true, Ordering::Release);
            (queue.steps, queue.octets) = (Vec::new(), 0);
        }
        self.room.notify_all();
        self.told.notify_all();
        let mut cause = cause;
        let mut pause = limits::WORKER_RETRY_MS;
        loop {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
            if self.is_closed_within(Duration::from_millis(pause)) {
                return;
            }
            pause = (pause * 2).min(limits::WORKER_RETRY_MS_MAX);
            match self.catch_up(journal) {
                Ok(()) => return,
                Err(again) => cause = again,
            }
        }
    }

    fn is_closed_within(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while !queue.is_closing {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self.wake.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Opens the postings anew, since sled takes nothing any more after an error, and enters what the journal has beyond the
    /// rows that are there.
    fn catch_up(&self, journal: &Journal) -> Result<(), StoreError> {
        self.live.write().unwrap_or_else(PoisonError::into_inner).reopen()?;
        make_whole(&self.live())?;
        loop {
            let from = self.end();
            let seen = self.queue.lock().unwrap_or_else(PoisonError::into_inner).seen;
            if from < seen {
                self.enter_from(journal, from, seen)?;
            }
            let begun = self.queue.lock().unwrap_or_else(PoisonError::into_inner).begun;
            if let Some((number, first)) = begun
                && number > self.number()
                && first == self.end()
            {
                self.next_volume(number, first)?;
            }
            let end = self.end();
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            *self.done.lock().unwrap_or_else(PoisonError::into_inner) = end;
            if end == queue.seen && queue.begun == begun {
                // From here on the writer's records are kept again: none has come since.
                self.has_failed.store(false, Ordering::Release);
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                self.told.notify_all();
                return Ok(());
            }
        }
    }

    /// Enters records from the journal.
    fn enter_from(&self, journal: &Journal, from: u64, to: u64) -> Result<(), StoreError> {
        let mut waiting = Waiting::default();
        journal(from, to, &mut |record, (number, first)| {
            if number > self.number() {
                self.put(&mut waiting)?;
                self.next_volume(number, first)?;
            }
            let place = self.live().count() + waiting.rows.len() as u64;
            waiting.enter(&record, place as u32, &mut self.names.write().unwrap_or_else(PoisonError::into_inner));
            if waiting.rows.len() >= limits::INDEX_GATHER_MAX { self.put(&mut waiting) } else { Ok(()) }
        })?;
        self.put(&mut waiting)
    }

    fn number(&self) -> u32 {
        self.live().number
    }

    /// Behind the last record that has a row.
    fn end(&self) -> u64 {
        let live = self.live();
        live.first + live.count()
    }

    /// Waits for a batch, or half a second for part of one, or until somebody asks.
    fn next_steps(&self) -> (Vec<Step>, bool) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let half_second = Duration::from_millis(500);
        while queue.steps.len() < limits::INDEX_GATHER_MAX && !queue.is_closing && !queue.is_awaited {
            let (woken, timeout) = self.wake.wait_timeout(queue, half_second).unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            if timeout.timed_out() && !queue.steps.is_empty() {
                break;
            }
        }
        queue.is_awaited = false;
        queue.octets = 0;
        self.room.notify_all();
        (std::mem::take(&mut queue.steps), queue.is_closing)
    }

    fn follow(&self, steps: &[Step]) -> Result<(), StoreError> {
        let mut waiting = Waiting::default();
        let mut entered = 0;
        for step in steps {
            match step {
                Step::Enter(record) => {
                    let place = self.live().count() + waiting.rows.len() as u64;
                    waiting.enter(record, place as u32, &mut self.names.write().unwrap_or_else(PoisonError::into_inner));
                    entered += 1;
                }
                Step::Begin(number, first) => {
                    self.put(&mut waiting)?;
                    self.next_volume(*number, *first)?;
                }
            }
        }
        self.put(&mut waiting)?;
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) += entered;
        self.told.notify_all();
        Ok(())
    }

    /// The postings are put in under a shared lock: queries go on meanwhile, and see rows that have no postings yet.
    fn put(&self, waiting: &mut Waiting) -> Result<(), StoreError> {
        let first = self.live().count();
        self.live().index(first as u32, &waiting.rows, &waiting.more)?;
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.append(&waiting.rows, &waiting.more, std::mem::take(&mut waiting.ids))?;
        waiting.rows.clear();
        waiting.more.clear();
        Ok(())
    }

    fn next_volume(&self, number: u32, first: u64) -> Result<(), StoreError> {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        let (volume, next) = seal(&self.log, &self.live(), &mut names, (number, first))?;
        drop(names);
        let old = {
            let mut sealed = self.sealed.write().unwrap_or_else(PoisonError::into_inner);
            let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
            sealed.push(volume);
            std::mem::replace(&mut *live, next)
        };
        discard(old);
        Ok(())
    }

    fn live(&self) -> std::sync::RwLockReadGuard<'_, Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, step: Step) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while queue.octets >= limits::INDEX_WAITING_BYTES_MAX && !self.has_failed.load(Ordering::Acquire) {
            queue = self.room.wait_timeout(queue, Duration::from_millis(100)).unwrap_or_else(PoisonError::into_inner).0;
        }
        match &step {
            Step::Enter(_) => queue.seen += 1,
            Step::Begin(number, first) => queue.begun = Some((*number, *first)),
        }
        // What failed catches up from the journal; until then nothing is kept for it.
        if self.has_failed.load(Ordering::Acquire) {
            return;
        }
        if let Step::Enter(entered) = &step {
            queue.octets += entered.size();
        }
        queue.steps.push(step);
        let is_batch = queue.steps.len() == limits::INDEX_GATHER_MAX;
        drop(queue);
        if is_batch {
            self.wake.notify_one();
        }
    }
}

impl Index {
    /// Hands a record on; waits only when too many wait already.
    pub(super) fn enter(&self, entered: Entered) {
        self.shared.step(Step::Enter(entered));
    }

    /// The next record is the first of a volume.
    pub(super) fn begin(&self, number: u32, first: u64) {
        self.shared.step(Step::Begin(number, first));
    }

    /// Why the index is not written at present; it is tried again.
    pub fn trouble(&self) -> Option<StoreError> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the index had to be made anew at start.
    pub fn was_rebuilt(&self) -> bool {
        self.was_rebuilt
    }

    /// How many records are in the index.
    pub fn watermark(&self) -> u64 {
        *self.shared.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all records up to `size` are in the index, or the time is over; says how many are.
    pub(super) fn settle(&self, size: u64, limit: Duration) -> u64 {
        let end = Instant::now() + limit;
        let mut done = self.shared.done.lock().unwrap_or_else(PoisonError::into_inner);
        while *done < size && !self.shared.has_failed.load(Ordering::Acquire) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).is_awaited = true;
            self.shared.wake.notify_one();
            done = self.shared.told.wait_timeout(done, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *done
    }

    /// Refuses a question while the index is not written: what it does not know yet would look as if it had never been.
    pub(super) fn expect_written(&self) -> Result<(), StoreError> {
        self.trouble().map_or(Ok(()), |cause| Err(StoreError::Index(cause.to_string())))
    }

    /// Puts a filter into the terms of rows.
    pub(super) fn conditions(&self, filter: &Filter, keys: &Keys) -> Conditions {
        Conditions::new(filter, &self.shared.names.read().unwrap_or_else(PoisonError::into_inner), keys)
    }

    /// The text of a name.
    pub(super) fn name(&self, number: u64) -> Option<Arc<str>> {
        self.shared.names.read().unwrap_or_else(PoisonError::into_inner).text(number).map(Arc::clone)
    }

    /// Gives each volume to `visit`, newest first, until it has enough.
    pub(super) fn each_volume(&self, mut visit: impl FnMut(&View<'_>) -> Result<bool, StoreError>) -> Result<(), StoreError> {
        // The live volume may become a sealed one in between: it is looked at as what it was.
        let (live, sealed) = {
            let sealed = self.shared.sealed.read().unwrap_or_else(PoisonError::into_inner);
            (self.shared.live(), sealed.clone())
        };
        if visit(&View::Live(live))? {
            return Ok(());
        }
        for volume in sealed.into_iter().rev() {
            if visit(&View::Sealed(volume))? {
                break;
            }
        }
        Ok(())
    }

    /// The row of a record.
    pub(super) fn row(&self, index: u64) -> Result<Option<Row>, StoreError> {
        let mut found = None;
        self.each_volume(|view| {
            let Some(place) = index.checked_sub(view.first()) else { return Ok(false) };
            let mut rows = Vec::new();
            if place < view.count() {
                view.rows(place, place + 1, &mut rows)?;
            }
            found = rows.first().copied();
            Ok(true)
        })?;
        Ok(found)
    }

    /// Whether a file is one of a complete volume.
    pub(super) fn is_part(&self, path: &Path) -> bool {
        self.sealed().iter().any(|volume| path.parent() == Some(&volume_path(&self.shared.log, volume.meta.number)))
    }

    /// Whether a record is in a volume that is complete.
    pub(super) fn is_complete(&self, index: u64) -> bool {
        index < self.shared.live().first
    }

    /// Makes a complete volume anew that knows less of a record, and none of its persons.
    pub(super) fn forget(&self, index: u64, less: fn(&Row) -> Row) -> Result<(), StoreError> {
        // One at a time; who looks for something else goes on meanwhile.
        let _forgetting = self.shared.forgetting.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |volume: &&Arc<Volume>| (volume.meta.first..volume.meta.first + volume.meta.count).contains(&index);
        let volume = self.sealed().iter().find(of).map(Arc::clone).ok_or(StoreError::Forgotten)?;
        let made = Arc::new(volume.without(&self.shared.log, index - volume.meta.first, less)?);
        let mut sealed = self.shared.sealed.write().unwrap_or_else(PoisonError::into_inner);
        let place = sealed.iter_mut().find(|other| other.meta.first == made.meta.first).ok_or(StoreError::Forgotten)?;
        *place = made;
        Ok(())
    }

    pub(super) fn sealed(&self) -> Vec<Arc<Volume>> {
        self.shared.sealed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn close(&self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).is_closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        self.shared.live().flush();
    }
}
