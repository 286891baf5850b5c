//! Segment files, which are the truth, and sled, which is the index that people query.
//!
//! One thread writes: it takes what waits, appends the frames of a commit group, calls `fdatasync` once and then releases
//! everything that waited. The index follows behind with a watermark and is made anew when it does not open or disagrees. After a failed `fdatasync` the store stops for good: a store that may lie is not asked again.

mod again;
mod answers;
mod attachments;
mod backup;
mod bound;
mod durable;
mod end;
mod hashes;
mod index;
mod kept;
mod keys;
mod past;
mod recall;
mod recovery;
mod report;
mod restore;
mod shelf;
mod shred;
#[cfg(test)]
mod tests;
mod upkeep;
mod whole;
mod writer;

pub use answers::Answers;
pub use attachments::{Attachments, Content, Held, Named, Naming, NoRoom, Pending, Reading, Spoilt, Writing};
pub use backup::{Backed, Places, back_up};
pub use bound::keys_fit;
pub(crate) use durable::{make_folder, replace, sync_parent};
use end::End;
pub(crate) use index::Enough;
pub use index::Index;
pub use kept::{BackupError, Position};
pub use keys::{Beside, Keys, PrivateHead};
pub(crate) use past::PastSearch;
pub use recall::{Recalled, Recalling};
pub use recovery::Recovered;
pub use report::{Export, ExportForm, ReportError};
pub use restore::Restoring;
pub use shelf::{Recorded, Saving, SledShelf};
pub use upkeep::Scrubbed;
pub use whole::{NotVerified, Note, Verified, verify_all};
pub use writer::{Committed, Settings, StoreError, Sync};

use crate::base::ids::{AgencyId, Identifier, MessageId};
use crate::base::limits;
use crate::base::time::{DAY_MS, UnixTime};
use crate::evidence::audit::Filter;
use crate::evidence::journal::{self, Entry, Erasure, FrameKind};
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::note::{Checkpoint, VerifierKey};
use crate::evidence::tlog::proof::Proof;
use crate::evidence::tlog::tree::{self, Hash, Hashes};
use crate::evidence::tlog::{Logged, RecordKind};
use crate::exchange::ledger::OutcomePlace;
use crate::message::envelope::Subject;
use index::{Conditions, Hits};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// The log's store: one per data directory.
pub struct Store {
    writer: writer::Handle,
    keys: Arc<Keys>,
    index: Arc<Index>,
    tree: Arc<hashes::TreeFiles>,
    verifier: VerifierKey,
    folder: PathBuf,
    bytes_max: u64,
    /// Why the last record could not be sealed, until the keys are read again.
    unsealed: Mutex<Option<StoreError>>,
    attachments: Arc<Attachments>,
    /// The volume whose first records have committed to the keys.
    volume: AtomicU32,
    sync: Sync,
    /// Held for as long as the store is open, so that no second process writes to it.
    _lock: File,
}

/// The key that the checkpoints of a data directory's log are verified with, which is made if there is none yet: for
/// whoever is to know it before the gateway starts.
pub fn log_key(data: &Path, origin: &str) -> Result<VerifierKey, StoreError> {
    let folder = data.join("keys");
    let key = folder.join("log");
    if !key.exists() && recovery::segment_path(&data.join("log"), 0).exists() {
        // A new key would make another log of it, that nobody trusts.
        return Err(StoreError::Damaged { path: key, offset: 0 });
    }
    bound::check(&folder)?;
    make_folder(&folder).map_err(|cause| StoreError::io(&folder, cause))?;
    keys::signer(&folder, origin).map(|signer| signer.verifier().clone())
}

/// Removes all that is derived from the journal of a stopped gateway: it is made anew when the store is opened.
pub fn remove_derived(data: &Path) -> Result<(), StoreError> {
    let folder = data.join("log");
    let _lock = lock(&folder)?;
    for entry in std::fs::read_dir(&folder).map_err(|cause| StoreError::io(&folder, cause))?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_str().unwrap_or("");
        let is_derived = matches!(name, "tree" | "names" | "end" | shelf::SHELF | shelf::SHELF_OF_CASES)
            || name.starts_with("vol-")
            || name.starts_with("live-");
        if is_derived {
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(|cause| StoreError::io(&path, cause))?;
        }
    }
    Ok(())
}

/// Room for the journal, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What it takes.
    pub used: u64,
    /// What it may take, where that is limited.
    pub most: Option<u64>,
    /// What is free on its disk, if that is known.
    pub free: Option<u64>,
}

/// A record as it was found: its leaf is what the tree holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its index.
    pub index: u64,
    /// Its leaf; nothing if the record was shredded.
    pub leaf: String,
}

/// A page of what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records, newest first.
    pub records: Vec<Found>,
    /// Where to go on: the records with this index and higher ones were looked at. None at the end.
    pub next: Option<u64>,
    /// How many records were in the index.
    pub indexed: u64,
}

impl Store {
    /// Opens the store in `data`, or makes it; gives what the ledger has to know again. `origin` is the log's name.
    pub fn open(data: &Path, origin: &str, settings: Settings) -> Result<(Self, Recovered), StoreError> {
        let path = data.join(kept::MARK);
        if path.exists() {
            return Err(StoreError::Restoring { path });
        }
        Self::open_on(data, origin, settings, writer::files())
    }

    fn open_on(data: &Path, origin: &str, settings: Settings, disks: writer::Disks) -> Result<(Self, Recovered), StoreError> {
        let (store, mut recovered) = Self::open_once(data, origin, settings, Arc::clone(&disks))?;
        match store.recall(&mut recovered) {
            Ok(()) => Ok((store, recovered)),
            // A complete volume that cannot be read is made anew, as all that is derived.
            Err(StoreError::Damaged { path, .. }) if store.index.is_part(&path) => {
                store.close();
                drop(store);
                let volume = path.parent().unwrap_or(&path);
                std::fs::remove_dir_all(volume).map_err(|cause| StoreError::io(volume, cause))?;
                let (store, mut recovered) = Self::open_once(data, origin, settings, disks)?;
                store.recall(&mut recovered)?;
                Ok((store, recovered))
            }
            Err(cause) => Err(cause),
        }
    }

    /// Finds again what the gateway has to know from the start on.
    fn recall(&self, recovered: &mut Recovered) -> Result<(), StoreError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let midnight = UnixTime::from_ms(now - now % DAY_MS);
        (recovered.asked, recovered.answered) = (self.asked_since(midnight)?, self.answered_since(midnight)?);
        Ok(())
    }

    fn open_once(data: &Path, origin: &str, settings: Settings, disks: writer::Disks) -> Result<(Self, Recovered), StoreError> {
        let folder = data.join("log");
        make_folder(&folder).map_err(|cause| StoreError::io(&folder, cause))?;
        let lock = lock(&folder)?;
        if recovery::segment_path(&folder, 0).exists() {
            keys::expect_all(&data.join("keys"))?;
        } else {
            bound::expect_no_remains(&folder)?;
        }
        bound::check(&data.join("keys"))?;
        let mut keys = Keys::open(&data.join("keys"))?;
        let tree = Arc::new(hashes::TreeFiles::open(&folder.join("tree"))?);
        let shredded = shred::resume(&folder)?;
        let (recovered, opening) = recovery::recover(&folder, &tree)?;
        if let Some(end) = End::read(&folder) {
            end.hold(&folder, recovered.size)?;
        }
        keys.go_on_behind(recovered.start)?;
        keys.hold(&recovered.keys)?;
        let key = data.join("keys/log");
        if recovered.size > 0 && !key.exists() {
            // A new key would make another log of it, that nobody trusts.
            return Err(StoreError::Damaged { path: key, offset: 0 });
        }
        let signer = keys::signer(&data.join("keys"), origin)?;
        bound::add(&data.join("keys"))?;
        keys.commit_to_all()?;
        let verifier = signer.verifier().clone();
        let index = Arc::new(opening.finish(recovered.size, again::journal(&folder))?);
        if let Some(record) = shredded {
            index.forget(record, index::Row::bare)?;
        }
        shred::end(&folder)?;
        let (tree_, index_) = (Arc::clone(&tree), Arc::clone(&index));
        let parts = writer::Parts { folder: folder.clone(), settings, signer, tree: tree_, index: index_, disks };
        let writer = writer::Handle::start(parts, &recovered)?;
        let unsealed = Mutex::default();
        let keys = Arc::new(keys);
        let attachments = Arc::new(Attachments::new(data.join("attachments"), Arc::clone(&keys)));
        let store = Self {
            writer,
            attachments,
            keys,
            index,
            tree,
            verifier,
            folder,
            bytes_max: settings.bytes_max,
            unsealed,
            volume: AtomicU32::new(recovered.volume),
            sync: settings.sync,
            _lock: lock,
        };
        store.attachments.sweep(|naming| store.has_record_of(naming))?;
        store.end_erasure()?;
        Ok((store, recovered))
    }

    /// The attachments.
    pub fn attachments(&self) -> &Arc<Attachments> {
        &self.attachments
    }

    /// Whether the message that a note is about has its record: that it was taken, and not that it was refused.
    fn has_record_of(&self, naming: &Naming) -> Result<bool, StoreError> {
        let filter = Filter { message: Some(naming.exchange), ..Filter::default() };
        let digest = naming.digest.to_base64url();
        let mut before = None;
        loop {
            let page = self.search(&filter, before, limits::PAGE_RECORDS_MAX)?;
            let leaves = page.records.iter().filter_map(|found| Leaf::parse(&found.leaf));
            let mut taken = leaves.filter(|leaf| leaf.kind == "req" || leaf.kind == "rsp");
            if taken.any(|leaf| leaf.digest.as_deref() == Some(&digest)) {
                return Ok(true);
            }
            let Some(next) = page.next else { return Ok(false) };
            before = Some(next);
        }
    }

    /// Erases what the message of a record names, with the message.
    fn erase_attachments(&self, index: u64) -> Result<(), StoreError> {
        let leaf = self.record(index)?.leaf;
        let digest = Leaf::parse(&leaf).and_then(|leaf| leaf.digest);
        digest.map_or(Ok(()), |digest| self.attachments.erase(&digest))
    }

    /// Makes an entry durable. Returns when `fdatasync` has covered it.
    pub async fn append(&self, entry: Entry) -> Result<Committed, StoreError> {
        let sealed = self.keys.seal(&entry.record, &entry.private, entry.body);
        if let Err(cause) = &sealed {
            *self.unsealed.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause.clone());
        }
        let mut beside = sealed?;
        let mut leaf = entry.record.leaf(&beside.blind);
        let (taken, keys) = self.keys.commit(limits::LEAF_BYTES_MAX.saturating_sub(leaf.len() + KEYS_BYTES));
        if keys.is_some() {
            beside.blind.keys = keys;
            leaf = entry.record.leaf(&beside.blind);
        }
        let (sender, receiver) = oneshot::channel();
        let committed = match self.writer.send(leaf, beside, sender) {
            Ok(()) => receiver.await.map_err(|_| StoreError::Stopped).flatten(),
            Err(error) => Err(error),
        };
        if committed.is_err() {
            self.keys.uncommit(taken);
        } else if self.writer.volume() != self.volume.load(Ordering::Relaxed) {
            self.volume.store(self.writer.volume(), Ordering::Relaxed);
            self.keys.commit_to_all()?;
        }
        committed
    }

    /// The keys that a person has in the index: one for each identifier; without any, one for name and date of birth.
    pub fn person_keys(&self, subject: &Subject) -> Vec<u64> {
        self.keys.person_keys(subject)
    }

    /// Reads an outcome back, with the proof of its record: a place is known only of what was durable.
    pub fn outcome(&self, place: OutcomePlace) -> Result<(Vec<u8>, Logged), StoreError> {
        let body = self.with_frame(place, |frame| self.keys.open_body(frame.private, frame.body))??;
        Ok((body, Logged::durable(place.index)))
    }

    /// The leaf of a record at a place, and the proof that it is durable.
    pub fn leaf(&self, place: OutcomePlace) -> Result<(String, Logged), StoreError> {
        let found = self.with_frame(place, found)?;
        Ok((found.leaf, Logged::durable(place.index)))
    }

    /// Reads the frame of a record and holds its leaf against the tree: what was changed is never given out.
    fn with_frame<R>(&self, place: OutcomePlace, read: impl FnOnce(&journal::Frame<'_>) -> R) -> Result<R, StoreError> {
        let path = recovery::segment_path(&self.folder, place.segment);
        let offset = u64::from(place.offset);
        let file = File::open(&path).map_err(|cause| StoreError::io(&path, cause))?;
        let cut = |cause: io::Error| match cause.kind() {
            io::ErrorKind::UnexpectedEof => StoreError::Damaged { path: path.clone(), offset },
            _ => StoreError::io(&path, cause),
        };
        let mut head = [0; 4];
        file.read_exact_at(&mut head, offset).map_err(cut)?;
        let length = (u32::from_be_bytes(head) as usize + 8).min(journal::FRAME_BYTES_MAX);
        let mut octets = vec![0; length];
        file.read_exact_at(&mut octets, offset).map_err(cut)?;
        match journal::read_frame(&octets, Erasure::Possible) {
            Ok((frame, _)) if frame.seq == place.index && self.is_in_tree(&frame)? => Ok(read(&frame)),
            _ => Err(StoreError::Damaged { path, offset }),
        }
    }

    fn is_in_tree(&self, frame: &journal::Frame<'_>) -> Result<bool, StoreError> {
        let mut hash = Vec::with_capacity(1);
        self.tree.read(0, frame.seq, 1, &mut hash)?;
        Ok(matches!(frame.kind, FrameKind::Record | FrameKind::Shredded) && hash.first() == Some(&frame.hash()))
    }

    /// The key that the log's checkpoints are verified with.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The latest checkpoint: the tree of all records that are durable.
    pub fn checkpoint(&self) -> Arc<Checkpoint> {
        self.writer.checkpoint()
    }

    /// The proof that the tree of `old` records is the beginning of that of `new`, which are durable.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        if old > new || new > self.size() {
            return Err(StoreError::Forgotten);
        }
        tree::consistency(&*self.tree, old, new)
    }

    /// The receipt of a record against a checkpoint of this log: a proof that has been checked before it is given.
    pub fn receipt(&self, index: u64, checkpoint: &Checkpoint) -> Result<Proof, StoreError> {
        let head = checkpoint.claimed();
        if index >= head.size || head.size > self.size() {
            return Err(StoreError::Forgotten);
        }
        let leaf = self.record(index)?.leaf.into_bytes();
        let hashes = tree::inclusion(&*self.tree, index, head.size)?;
        let proof = Proof { leaf, index, hashes, checkpoint: checkpoint.clone() };
        // A leaf that was shredded is gone, and what a disk has changed is not given out.
        proof.verify(&self.verifier).map_err(|_| StoreError::Damaged { path: self.folder.join("tree"), offset: 0 })?;
        Ok(proof)
    }

    /// A record by its index.
    pub fn record(&self, index: u64) -> Result<Found, StoreError> {
        let place = self.place(index)?;
        self.with_frame(place, found)
    }

    /// The personal part of a record, opened: JSON, empty if there is none.
    pub fn private(&self, index: u64) -> Result<Vec<u8>, StoreError> {
        let place = self.place(index)?;
        self.with_frame(place, |frame| self.keys.open_private(frame.private))?
    }

    /// A record by its index, and its personal part, opened: both with one look. Nothing for the part if it was erased.
    pub fn record_and_private(&self, index: u64) -> Result<(Found, Option<Vec<u8>>), StoreError> {
        let place = self.place(index)?;
        let (found, private) = self.with_frame(place, |frame| (found(frame), self.keys.open_private(frame.private)))?;
        match private {
            Ok(private) => Ok((found, Some(private))),
            Err(StoreError::Forgotten) => Ok((found, None)),
            Err(cause) => Err(cause),
        }
    }

    /// The message that is kept with a record.
    pub fn body(&self, index: u64) -> Result<Vec<u8>, StoreError> {
        let place = self.place(index)?;
        self.outcome(place).map(|(body, _)| body)
    }

    fn place(&self, index: u64) -> Result<OutcomePlace, StoreError> {
        self.settle(index + 1);
        let Some(row) = self.index.row(index)? else {
            self.index.expect_written()?;
            return Err(StoreError::Forgotten);
        };
        Ok(OutcomePlace { index, segment: row.segment, offset: row.offset })
    }

    /// Waits a moment for the index if it is behind; gives how far it is.
    fn settle(&self, size: u64) -> u64 {
        self.index.settle(size.min(self.size()), Duration::from_millis(limits::INDEX_WAIT_MS))
    }

    /// The records that a filter finds with an index below `before`, newest first.
    pub fn search(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Result<Page, StoreError> {
        let before = before.unwrap_or(u64::MAX);
        // What is behind it is not looked at.
        let indexed = self.settle(before);
        self.index.expect_written()?;
        let conditions = self.conditions(filter);
        let mut hits = Hits::new();
        self.index.each_volume(|view| {
            if view.first() >= before {
                return Ok(false);
            }
            hits.look(view, &conditions, before, limit.min(limits::PAGE_RECORDS_MAX))
        })?;
        let mut records = Vec::with_capacity(hits.rows.len());
        for (index, row) in &hits.rows {
            let place = OutcomePlace { index: *index, segment: row.segment, offset: row.offset };
            records.push(self.with_frame(place, found)?);
        }
        if filter.message.is_some() || filter.case.is_some() || filter.digest.is_some() {
            records.retain(|found| has_ids_of(filter, found));
        }
        Ok(Page { records, next: hits.next, indexed })
    }

    /// All of them: for a filter that finds few.
    pub fn search_all(&self, filter: &Filter) -> Result<Vec<Found>, StoreError> {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = self.search(filter, before, limits::PAGE_RECORDS_MAX)?;
            found.extend(page.records);
            before = page.next;
            if before.is_none() {
                return Ok(found);
            }
        }
    }

    fn conditions(&self, filter: &Filter) -> Conditions {
        self.index.conditions(filter, &self.keys)
    }

    /// The records of a message and of its answer, oldest first; those only that an agency may see, if one is named. Of more
    /// than fit the refusals are left out: whoever is refused decides how many there are.
    pub fn by_message(&self, id: MessageId, scope: Option<&AgencyId>) -> Result<Vec<Found>, StoreError> {
        let filter = Filter { message: Some(id), scope: scope.cloned(), ..Filter::default() };
        // One look, which takes about as long for a message that is another's as for none.
        let page = self.search(&filter, None, limits::RECEIPT_PROOFS_MAX)?;
        let mut records = if page.next.is_none() { page.records } else { self.by_kind(&filter)? };
        records.sort_by_key(|found| found.index);
        Ok(records)
    }

    /// As many records as receipts may be of, by their kinds: refusals come last.
    fn by_kind(&self, of: &Filter) -> Result<Vec<Found>, StoreError> {
        let mut records = Vec::new();
        for kind in RecordKind::ALL {
            let filter = Filter { kind: Some(kind), ..of.clone() };
            let mut before = None;
            while records.len() < limits::RECEIPT_PROOFS_MAX {
                let page = self.search(&filter, before, limits::RECEIPT_PROOFS_MAX - records.len())?;
                records.extend(page.records);
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
        }
        Ok(records)
    }

    /// The key with which a person finds all leaves of a year that are about them.
    pub fn person_key(&self, year: u16, person: &Identifier) -> Result<[u8; 32], StoreError> {
        self.keys.person_key(year, person)
    }

    /// Has the next record begin a new volume, so that the one with all before it is complete.
    pub fn begin_volume(&self) {
        self.writer.begin_volume();
    }

    /// Whether a record is in a volume that is complete: only of those anything can be erased but messages.
    pub fn is_complete(&self, index: u64) -> bool {
        self.settle(u64::MAX);
        self.index.is_complete(index)
    }

    /// The queryable index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Whether entries are still taken.
    pub fn is_ready(&self) -> bool {
        self.writer.is_ready()
    }

    /// The error after which no entries are taken any more; none after [`Store::close`].
    pub fn why_stopped(&self) -> Option<&StoreError> {
        self.writer.why_stopped()
    }

    /// What the next record would meet: nothing if it would be written. It comes to be nothing again by itself.
    pub fn trouble(&self) -> Option<StoreError> {
        if let Some(why) = self.why_stopped() {
            return Some(why.clone());
        }
        if !self.is_ready() {
            return Some(StoreError::Stopped);
        }
        let (used, ahead) = self.writer.room();
        if used + limits::ROOM_BYTES_MIN > self.bytes_max {
            return Some(StoreError::Full);
        }
        if let Some(trouble) = self.writer.trouble() {
            return Some(trouble);
        }
        let free = rustix::fs::statvfs(&self.folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if free < limits::ROOM_BYTES_MIN && ahead < limits::ROOM_BYTES_MIN {
            return Some(StoreError::io(&self.folder, io::ErrorKind::StorageFull.into()));
        }
        let mut unsealed = self.unsealed.lock().unwrap_or_else(PoisonError::into_inner);
        if unsealed.is_some() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
            *unsealed = self.keys.expect_year(UnixTime::from_ms(now)).err();
        }
        unsealed.clone()
    }

    /// What the journal takes of the disk, and what there is.
    pub fn room(&self) -> Room {
        let free = rustix::fs::statvfs(&self.folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        Room { used: self.writer.room().0, most: (self.bytes_max < u64::MAX).then_some(self.bytes_max), free }
    }

    /// How many records are durable.
    pub fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Destroys the keys of the messages that are kept with records from before a time.
    pub fn forget_bodies(&self, before: UnixTime) -> Result<(), StoreError> {
        let filter = Filter { to: Some(before), kind: Some(RecordKind::Answer), ..Filter::default() };
        let mut page = self.search(&filter, None, 1)?;
        // A page looks at so many rows and no more, and what is not old yet may be more than that.
        while let (true, Some(next)) = (page.records.is_empty(), page.next) {
            page = self.search(&filter, Some(next), 1)?;
        }
        let Some(last) = page.records.pop() else { return Ok(()) };
        let place = self.place(last.index)?;
        let ticket = self.with_frame(place, |frame| PrivateHead::read(frame.private).map_or(0, |(head, _)| head.ticket))?;
        self.keys.erase_bodies(&[], ticket + 1)
    }

    /// Writes what waits and stops the writer.
    pub fn close(&self) {
        self.writer.close();
        self.index.close();
        if self.is_ready() && self.sync == Sync::Always {
            // Only a memory: the next start does without it.
            let _ = self.writer.end().write(&self.folder);
        }
    }
}

/// What tiles are cut from; of records that are durable.
impl Hashes for Store {
    type Error = StoreError;

    fn read(&self, level: u32, from: u64, count: u64, out: &mut Vec<Hash>) -> Result<(), StoreError> {
        self.tree.read(level, from, count, out)
    }
}

/// What a leaf has around its commitments to keys: their name, quotation marks, colon, comma.
const KEYS_BYTES: usize = 7;

/// Whether a record has the ids that a filter names: rows know them by a part.
fn has_ids_of(filter: &Filter, found: &Found) -> bool {
    filter.message.is_none_or(|id| found.leaf.contains(&format!("\"m\":\"{id}\"")))
        && filter.case.is_none_or(|case| found.leaf.contains(&format!("\"case\":\"{case}\"")))
        && filter.digest.is_none_or(|digest| Leaf::parse(&found.leaf).and_then(|leaf| leaf.digest_of_message()) == Some(digest))
}

fn found(frame: &journal::Frame<'_>) -> Found {
    let leaf = if frame.kind == FrameKind::Record { String::from_utf8_lossy(frame.leaf).into_owned() } else { String::new() };
    Found { index: frame.seq, leaf }
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|cause| StoreError::io(&path, cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(std::fs::TryLockError::Error(cause)) => Err(StoreError::io(&path, cause)),
    }
}
