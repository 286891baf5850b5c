//! The one thread that writes to the journal.

use super::durable::sync_directory;
use super::end::End;
use super::hashes::{Kept, TreeFiles};
use super::index::{Entered, Index};
use super::keys::Beside;
use super::recovery::{Recovered, segment_path};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::journal::{Commit, Frame, FrameKind, Header, write_frame};
use crate::evidence::tlog::Logged;
use crate::evidence::tlog::note::{Checkpoint, LogSigner};
use crate::evidence::tlog::tree::{Edge, Hash, Head};
use crate::exchange::ledger::OutcomePlace;
use crate::message::crypto::SigningFailed;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// How the store writes.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether each group is synced; only the benchmark's comparand turns it off.
    pub sync: Sync,
    /// Most octets that the journal may take on disk.
    pub bytes_max: u64,
    /// Most records of a volume.
    pub volume_records: u64,
}

/// Whether a commit group is synced before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// It is.
    Always,
    /// It is not: for measuring what syncing costs.
    Never,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sync: Sync::Always, bytes_max: u64::MAX, volume_records: limits::VOLUME_RECORDS_MAX }
    }
}

/// Why something could not be stored or read.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// The operating system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// Its words.
        cause: Arc<io::Error>,
    },
    /// Another process holds the data directory.
    InUse {
        /// The lock.
        path: PathBuf,
    },
    /// A file was changed or cut.
    Damaged {
        /// The file.
        path: PathBuf,
        /// From where on.
        offset: u64,
    },
    /// Records are gone that were durable when the log was closed last.
    Lost {
        /// The segment that they ended in.
        path: PathBuf,
        /// Where they ended.
        offset: u64,
        /// So many there were.
        known: u64,
        /// So many there are.
        found: u64,
    },
    /// The journal has reached its limit on disk.
    Full,
    /// An earlier sync failed, or the store was closed.
    Stopped,
    /// The key of an outcome is gone, or never was.
    Forgotten,
    /// The folder was being restored, and that has not ended.
    Restoring {
        /// What says so.
        path: PathBuf,
    },
    /// The record is in the volume that still grows.
    Live,
    /// The system gave no random octets.
    NoRandomness,
    /// The index could not be opened even after a rebuild.
    Index(String),
}

impl StoreError {
    pub(super) fn io(path: &Path, cause: io::Error) -> Self {
        Self::Io { path: path.to_owned(), cause: Arc::new(cause) }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::InUse { path } => write!(f, "{}: another gateway is running on this data directory", path.display()),
            Self::Damaged { path, offset } => {
                write!(f, "{}: damaged from byte {offset} on; restore it from a copy", path.display())
            }
            Self::Lost { path, offset, known, found } => write!(
                f,
                "{}: damaged: the log had {known} records, up to byte {offset} of this file, when it was closed last, and {found} are there; restore it from a copy. Without one, `oncegate log rebuild` goes on with those that are there, and whoever has a receipt of the others can show it",
                path.display()
            ),
            Self::Full => f.write_str("the journal has reached its limit on disk"),
            Self::Stopped => f.write_str("the journal has stopped"),
            Self::Forgotten => f.write_str("the outcome can no longer be read"),
            Self::Restoring { path } => write!(
                f,
                "{}: a restore into this folder was begun and has not ended; empty the folder and run `oncegate restore` again",
                path.display()
            ),
            Self::Live => f.write_str("the record is in the volume that still grows: it can be erased once that is complete"),
            Self::NoRandomness => f.write_str("the system gives no random octets"),
            Self::Index(cause) => write!(f, "the index cannot be opened: {cause}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// A durable record and its place.
#[derive(Clone, Copy, Debug)]
pub struct Committed {
    /// The proof.
    pub logged: Logged,
    /// Where the frame is.
    pub place: OutcomePlace,
}

struct Waiting {
    leaf: String,
    beside: Beside,
    reply: oneshot::Sender<Result<Committed, StoreError>>,
}

impl Waiting {
    fn len(&self) -> usize {
        self.leaf.len() + self.beside.private.len() + self.beside.body.len()
    }
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// So many records wake the writer.
    awaited: usize,
    is_closing: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    has_stopped: AtomicBool,
    /// The error that stopped it.
    why: OnceLock<StoreError>,
    /// Why the last group could not be written, until there is room again.
    trouble: Mutex<Option<StoreError>>,
    /// Octets that the journal takes, and those of them that are written ahead.
    used: AtomicU64,
    ahead: AtomicU64,
    /// The tree of all records that are durable, and where the journal ends with them.
    end: RwLock<End>,
    /// The volume that is written to.
    volume: AtomicU32,
    /// The next record begins a volume, if the one that is written to has any.
    turns: AtomicBool,
    signer: LogSigner,
    /// The last checkpoint that was asked for.
    checkpoint: Mutex<Arc<Checkpoint>>,
}

impl Shared {
    fn head(&self) -> Head {
        self.end().head
    }

    fn end(&self) -> End {
        *self.end.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, why: &StoreError) {
        let _ = self.why.set(why.clone());
        self.has_stopped.store(true, Ordering::Release);
    }

    /// Signs when it is asked: a signature costs as much as writing ten records.
    fn checkpoint(&self) -> Arc<Checkpoint> {
        let mut kept = self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.head();
        if head != kept.claimed() {
            match self.signer.checkpoint(head) {
                Ok(checkpoint) => *kept = Arc::new(checkpoint),
                // The one before is true as well.
                Err(SigningFailed) => self.stop(&StoreError::Stopped),
            }
        }
        Arc::clone(&kept)
    }
}

/// What a segment is written to. The files are the only one outside of tests, which put one in between that fails or
/// that loses what was not synced.
pub(super) trait Disk: Send {
    fn write(&self, octets: &[u8], at: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
}

impl Disk for File {
    fn write(&self, octets: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(octets, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Makes the disk of a segment from its file.
pub(super) type Disks = Arc<dyn Fn(File) -> Box<dyn Disk> + Send + std::marker::Sync>;

/// The files themselves.
pub(super) fn files() -> Disks {
    Arc::new(|file| Box::new(file))
}

/// What the writer writes to, beside its segment.
pub(super) struct Parts {
    pub folder: PathBuf,
    pub settings: Settings,
    pub signer: LogSigner,
    pub tree: Arc<TreeFiles>,
    pub index: Arc<Index>,
    pub disks: Disks,
}

pub(super) struct Handle {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Handle {
    pub(super) fn start(parts: Parts, recovered: &Recovered) -> Result<Self, StoreError> {
        let head = Head { size: recovered.edge.size(), root: recovered.edge.root() };
        let Parts { folder, settings, signer, tree, index, disks } = parts;
        let checkpoint = signer.checkpoint(head).map_err(|SigningFailed| StoreError::Stopped)?;
        let segment = if recovered.size == 0 && recovered.end == 0 {
            Segment::create(&folder, 0, &Header { head, volume: 0 }, disks).map_err(Failure::into_error)?
        } else {
            Segment::resume(&folder, recovered, disks)?
        };
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            has_stopped: AtomicBool::new(false),
            why: OnceLock::new(),
            trouble: Mutex::default(),
            used: AtomicU64::new(0),
            ahead: AtomicU64::new(0),
            end: RwLock::new(End { head, segment: segment.number, offset: segment.end }),
            volume: AtomicU32::new(recovered.volume),
            turns: AtomicBool::new(false),
            signer,
            checkpoint: Mutex::new(Arc::new(checkpoint)),
        });
        let volume = Volume { number: recovered.volume, first: recovered.volume_first, began: recovered.volume_time };
        let (shared_, edge, kept) = (Arc::clone(&shared), recovered.edge.clone(), Kept::default());
        let mut writer = Writer { shared: shared_, segment, settings, edge, kept, volume, tree, buffer: Vec::new(), index };
        writer.tell_room();
        let builder = std::thread::Builder::new().name("journal".to_owned());
        let thread = builder.spawn(move || writer.run()).map_err(|cause| StoreError::io(&folder, cause))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn send(
        &self,
        leaf: String,
        beside: Beside,
        reply: oneshot::Sender<Result<Committed, StoreError>>,
    ) -> Result<(), StoreError> {
        if !self.is_ready() {
            return Err(StoreError::Stopped);
        }
        let waiting = Waiting { leaf, beside, reply };
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_closing {
            return Err(StoreError::Stopped);
        }
        queue.waiting.push(waiting);
        let is_awaited = queue.waiting.len() == queue.awaited;
        drop(queue);
        if is_awaited {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// Has the next record begin a volume.
    pub(super) fn begin_volume(&self) {
        self.shared.turns.store(true, Ordering::Release);
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.shared.has_stopped.load(Ordering::Acquire)
    }

    /// Why it has stopped.
    pub(super) fn why_stopped(&self) -> Option<&StoreError> {
        self.shared.why.get()
    }

    /// Why the last group could not be written, if there is still no room for the next.
    pub(super) fn trouble(&self) -> Option<StoreError> {
        self.shared.trouble().clone()
    }

    /// Octets that the journal takes, and how many are written ahead for what comes.
    pub(super) fn room(&self) -> (u64, u64) {
        (self.shared.used.load(Ordering::Relaxed), self.shared.ahead.load(Ordering::Relaxed))
    }

    /// The latest checkpoint.
    pub(super) fn checkpoint(&self) -> Arc<Checkpoint> {
        self.shared.checkpoint()
    }

    pub(super) fn size(&self) -> u64 {
        self.shared.head().size
    }

    /// Where the journal ends with all that is durable.
    pub(super) fn end(&self) -> End {
        self.shared.end()
    }

    /// The same, signed.
    pub(super) fn signed_end(&self) -> Result<(End, Checkpoint), StoreError> {
        let end = self.end();
        let checkpoint = self.shared.signer.checkpoint(end.head).map_err(|SigningFailed| StoreError::Stopped)?;
        Ok((end, checkpoint))
    }

    /// The volume that is written to.
    pub(super) fn volume(&self) -> u32 {
        self.shared.volume.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).is_closing = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// The volume that is written to.
struct Volume {
    number: u32,
    first: u64,
    /// Time of its first commit in milliseconds; 0 before it.
    began: u64,
}

struct Writer {
    shared: Arc<Shared>,
    segment: Segment,
    settings: Settings,
    edge: Edge,
    kept: Kept,
    volume: Volume,
    tree: Arc<TreeFiles>,
    buffer: Vec<u8>,
    index: Arc<Index>,
}

impl Writer {
    fn run(&mut self) {
        while let Some(group) = self.next_group() {
            if group.is_empty() {
                self.probe();
                continue;
            }
            match self.commit(&group) {
                Ok(places) => {
                    *self.shared.trouble() = None;
                    self.tell_room();
                    self.release(group, &places);
                }
                Err(Failure::Group(error)) => {
                    *self.shared.trouble() = Some(error.clone());
                    refuse(group, &error);
                }
                Err(Failure::Store(error)) => {
                    // A failed sync leaves it unknown what is on disk: never try again, never carry on.
                    self.shared.stop(&error);
                    refuse(group, &error);
                    let late = std::mem::take(&mut self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).waiting);
                    refuse(late, &StoreError::Stopped);
                    return;
                }
            }
        }
    }

    /// Tries, behind the end, whether a group could be written again: zeros there are what was never written.
    fn probe(&mut self) {
        let room = limits::ROOM_BYTES_MIN;
        if self.used() + room > self.settings.bytes_max {
            *self.shared.trouble() = Some(StoreError::Full);
            return;
        }
        let mut kept = Kept::default();
        kept.keep(0, Hash::of_empty());
        let tried = self.tree.write(self.edge.size(), &kept).and_then(|()| self.segment.append(&vec![0; room as usize]));
        *self.shared.trouble() = tried.err();
        self.tell_room();
    }

    fn used(&self) -> u64 {
        self.segment.used_before + self.segment.end
    }

    fn tell_room(&self) {
        self.shared.used.store(self.used(), Ordering::Relaxed);
        self.shared.ahead.store(self.segment.prepared.saturating_sub(self.segment.end), Ordering::Relaxed);
    }

    /// What waits; nothing when it is time to see whether there is room again. The first record after a pause is taken at
    /// once. While records come faster than they are synced, the
    /// writer lets a group gather: a sync costs as much for one record as for sixteen.
    fn next_group(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = Duration::from_micros(limits::GROUP_BUSY_US);
        let paused = Instant::now();
        while queue.waiting.is_empty() {
            if queue.is_closing {
                return None;
            }
            queue.awaited = 1;
            if self.shared.trouble().is_none() {
                queue = self.shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let pause = Duration::from_millis(limits::HEALTH_MS);
            let (woken, timeout) = self.shared.wake.wait_timeout(queue, pause).unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            if timeout.timed_out() && queue.waiting.is_empty() {
                return Some(Vec::new());
            }
        }
        if paused.elapsed() < busy {
            queue = self.gather(queue);
        }
        queue.awaited = 0;
        let mut octets = 0;
        let fits = queue.waiting.iter().take(limits::GROUP_RECORDS_MAX).take_while(|waiting| {
            octets += waiting.len();
            octets <= limits::GROUP_BYTES_MAX
        });
        // One record fits in any case: its parts are bounded.
        let taken = fits.count().max(1);
        let rest = queue.waiting.split_off(taken);
        Some(std::mem::replace(&mut queue.waiting, rest))
    }

    fn gather<'q>(&self, mut queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
        let end = Instant::now() + Duration::from_micros(limits::GROUP_GATHER_US);
        queue.awaited = limits::GROUP_GATHER_RECORDS;
        while queue.waiting.len() < limits::GROUP_GATHER_RECORDS && !queue.is_closing {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queue = self.shared.wake.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue
    }

    fn commit(&mut self, group: &[Waiting]) -> Result<Vec<OutcomePlace>, Failure> {
        self.buffer.clear();
        self.kept.clear();
        self.roll()?;
        let mut edge = self.edge.clone();
        let mut places = Vec::with_capacity(group.len());
        for waiting in group {
            let (seq, offset) = (edge.size(), (self.segment.end + self.buffer.len() as u64) as u32);
            places.push(OutcomePlace { index: seq, segment: self.segment.number, offset });
            let (leaf, beside) = (waiting.leaf.as_bytes(), &waiting.beside);
            let frame = Frame { kind: FrameKind::Record, seq, leaf, private: &beside.private, body: &beside.body };
            write_frame(&frame, &mut self.buffer);
            edge.push(frame.hash(), |level, hash| self.kept.keep(level, hash));
        }
        let head = Head { size: edge.size(), root: edge.root() };
        let time = wall_clock();
        Commit { head, start: self.segment.end, time }.write(&mut self.buffer);
        let used = self.segment.used_before + self.segment.end + self.buffer.len() as u64;
        if used > self.settings.bytes_max {
            return Err(Failure::Group(StoreError::Full));
        }
        // First what is derived: if there is no room for it, nothing has been committed.
        self.tree.write(self.edge.size(), &self.kept).map_err(Failure::Group)?;
        self.segment.append(&self.buffer).map_err(Failure::Group)?;
        if self.settings.sync == Sync::Always {
            self.segment.sync().map_err(Failure::Store)?;
        }
        self.segment.end += self.buffer.len() as u64;
        self.edge = edge;
        if self.volume.began == 0 {
            self.volume.began = time.as_ms();
        }
        // Only now: a checkpoint that is seen before it is durable would be a fork after a crash.
        let end = End { head, segment: self.segment.number, offset: self.segment.end };
        *self.shared.end.write().unwrap_or_else(PoisonError::into_inner) = end;
        Ok(places)
    }

    /// Goes on to the next segment when this one is full, or its volume is.
    fn roll(&mut self) -> Result<(), Failure> {
        let count = self.edge.size() - self.volume.first;
        let is_old = wall_clock().as_ms().saturating_sub(self.volume.began) > limits::VOLUME_MS;
        let is_asked = count > 0 && self.shared.turns.swap(false, Ordering::AcqRel);
        let is_complete = is_asked || count >= self.settings.volume_records || (is_old && count >= limits::VOLUME_RECORDS_MIN);
        if !is_complete && self.segment.end <= limits::SEGMENT_BYTES_MAX {
            return Ok(());
        }
        let head = Head { size: self.edge.size(), root: self.edge.root() };
        let volume = self.volume.number + u32::from(is_complete);
        // What a complete segment says of the tree is what recovery starts from. The system tells of a failed sync once.
        self.tree.sync().map_err(Failure::Store)?;
        self.segment = self.segment.next(&Header { head, volume })?;
        if is_complete {
            self.volume = Volume { number: volume, first: head.size, began: 0 };
            self.shared.volume.store(volume, Ordering::Relaxed);
            self.index.begin(volume, head.size);
        }
        Ok(())
    }

    fn release(&self, group: Vec<Waiting>, places: &[OutcomePlace]) {
        for (waiting, place) in group.into_iter().zip(places) {
            // Nobody waits any more when the exchange was given up; the record stands all the same.
            let _ = waiting.reply.send(Ok(Committed { logged: Logged::durable(place.index), place: *place }));
            let (leaf, head) = (waiting.leaf.into_bytes(), waiting.beside.head);
            self.index.enter(Entered { leaf, head, segment: place.segment, offset: place.offset });
        }
    }
}

/// The time of a commit: for people and for the age of a volume, nothing is decided by it.
fn wall_clock() -> UnixTime {
    UnixTime::from_ms(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}

/// What went wrong with a commit group.
enum Failure {
    /// Nothing of it counts, and the next may do better.
    Group(StoreError),
    /// It is unknown what is on disk.
    Store(StoreError),
}

impl Failure {
    fn into_error(self) -> StoreError {
        match self {
            Self::Group(error) | Self::Store(error) => error,
        }
    }
}

fn refuse(group: Vec<Waiting>, error: &StoreError) {
    for waiting in group {
        let _ = waiting.reply.send(Err(error.clone()));
    }
}

/// The segment that is written to.
struct Segment {
    folder: PathBuf,
    number: u32,
    disk: Box<dyn Disk>,
    disks: Disks,
    /// Behind the last acknowledged frame.
    end: u64,
    /// Up to here the file is written, with frames or with zeros.
    prepared: u64,
    used_before: u64,
}

impl Segment {
    fn create(folder: &Path, number: u32, first: &Header, disks: Disks) -> Result<Self, Failure> {
        let path = segment_path(folder, number);
        let open = || File::options().create(true).truncate(true).write(true).open(&path);
        let file = open().map_err(|cause| Failure::Group(StoreError::io(&path, cause)))?;
        let disk = disks(file);
        let mut segment = Self { folder: folder.to_owned(), number, disk, disks, end: 0, prepared: 0, used_before: 0 };
        let mut header = Vec::new();
        first.write(&mut header);
        Commit { head: first.head, start: 0, time: wall_clock() }.write(&mut header);
        segment.append(&header).map_err(Failure::Group)?;
        segment.sync().map_err(Failure::Store)?;
        sync_directory(folder).map_err(|cause| Failure::Store(StoreError::io(folder, cause)))?;
        segment.end = header.len() as u64;
        Ok(segment)
    }

    /// Goes on behind the last acknowledged frame; the tail is cut off first, so that no old frame can ever be read
    /// behind a new one.
    fn resume(folder: &Path, recovered: &Recovered, disks: Disks) -> Result<Self, StoreError> {
        let path = segment_path(folder, recovered.segment);
        let file = File::options().write(true).open(&path).map_err(|cause| StoreError::io(&path, cause))?;
        file.set_len(recovered.end).map_err(|cause| StoreError::io(&path, cause))?;
        file.sync_all().map_err(|cause| StoreError::io(&path, cause))?;
        let used_before = (0..recovered.segment).try_fold(0, |used, number| {
            let path = segment_path(folder, number);
            let found = std::fs::metadata(&path).map_err(|cause| StoreError::io(&path, cause))?;
            Ok(used + found.blocks() * 512)
        })?;
        let (end, number, disk) = (recovered.end, recovered.segment, disks(file));
        Ok(Self { folder: folder.to_owned(), number, disk, disks, end, prepared: end, used_before })
    }

    fn next(&self, first: &Header) -> Result<Self, Failure> {
        let used_before = self.used_before + self.prepared;
        Self::create(&self.folder, self.number + 1, first, Arc::clone(&self.disks)).map(|next| Self { used_before, ..next })
    }

    /// Writes behind the end, without moving it. A segment is filled with zeros well ahead, as far as there is room: a
    /// sync of octets that were written before has no metadata to write and takes two thirds of the time.
    fn append(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        let failed = |cause| StoreError::io(&segment_path(&self.folder, self.number), cause);
        let needed = self.end + octets.len() as u64;
        if needed > self.prepared {
            let zeros = vec![0; 1 << 20];
            let target = needed.next_multiple_of(limits::PREWRITE_BYTES);
            while self.prepared < target {
                let length = (target - self.prepared).min(zeros.len() as u64);
                match self.disk.write(zeros.get(..length as usize).unwrap_or_default(), self.prepared) {
                    Ok(()) => self.prepared += length,
                    // Where there is no room for as much there may be some for the group.
                    Err(_) => break,
                }
            }
        }
        self.disk.write(octets, self.end).map_err(failed)?;
        self.prepared = self.prepared.max(needed);
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.disk.sync().map_err(|cause| StoreError::io(&segment_path(&self.folder, self.number), cause))
    }
}
