//! Segment files, which are the truth, and sled, which is the index that people query.
//!
//! One thread writes: it takes what waits, appends the frames of a commit group, calls `fdatasync` once and then releases
//! everything that waited. sled follows behind with a watermark and is thrown away and rebuilt when it does not open
//! or disagrees. After a failed `fdatasync` the store stops for good: a store that may lie is not asked again.

mod index;
mod keys;
mod recovery;
#[cfg(test)]
mod tests;
mod writer;

pub use index::{Index, Row};
pub use recovery::Recovered;
pub use writer::{Committed, Settings, StoreError, Sync};

use crate::crypto::SealKey;
use crate::exchange::OutcomePlace;
use crate::journal::{self, Entry, FrameKind, Settlement};
use crate::limits;
use crate::tlog::Logged;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::oneshot;

/// The log's store: one per data directory.
pub struct Store {
    writer: writer::Handle,
    keys: Arc<keys::Keys>,
    index: Arc<Index>,
    folder: PathBuf,
    /// Held for as long as the store is open, so that no second process writes to it.
    _lock: File,
}

impl Store {
    /// Opens the store in `data`, or makes it; gives what the ledger has to know again.
    pub fn open(data: &Path, settings: Settings) -> Result<(Self, Recovered), StoreError> {
        Self::open_on(data, settings, writer::files())
    }

    fn open_on(data: &Path, settings: Settings, disks: writer::Disks) -> Result<(Self, Recovered), StoreError> {
        let folder = data.join("log");
        std::fs::create_dir_all(&folder).map_err(|cause| StoreError::io(&folder, cause))?;
        let lock = lock(&folder)?;
        let keys = Arc::new(keys::Keys::open(&data.join("keys"))?);
        let recovered = recovery::recover(&folder)?;
        let index = Arc::new(Index::open(&folder.join("ix"), &folder, recovered.size)?);
        let writer = writer::Handle::start(&folder, settings, &recovered, Arc::clone(&index), disks)?;
        Ok((Self { writer, keys, index, folder, _lock: lock }, recovered))
    }

    /// Makes an entry durable. Returns when `fdatasync` has covered it.
    pub async fn append(&self, entry: Entry) -> Result<Committed, StoreError> {
        let private = match entry.outcome {
            Some(outcome) => self.keys.seal(outcome)?,
            None => Vec::new(),
        };
        let (sender, receiver) = oneshot::channel();
        self.writer.send(&entry.record, private, sender)?;
        receiver.await.map_err(|_| StoreError::Stopped)?
    }

    /// Reads an outcome back, with the proof of its record: a place is known only of what was durable.
    pub fn outcome(&self, place: OutcomePlace) -> Result<(Vec<u8>, Logged), StoreError> {
        let path = recovery::segment_path(&self.folder, place.segment);
        let file = File::open(&path).map_err(|cause| StoreError::io(&path, cause))?;
        let mut head = [0; 4];
        file.read_exact_at(&mut head, u64::from(place.offset)).map_err(|cause| StoreError::io(&path, cause))?;
        let length = (u32::from_be_bytes(head) as usize).min(limits::PRIVATE_BYTES_MAX + limits::LEAF_BYTES_MAX + 64) + 8;
        let mut octets = vec![0; length];
        file.read_exact_at(&mut octets, u64::from(place.offset)).map_err(|cause| StoreError::io(&path, cause))?;
        match journal::read_frame(&octets) {
            Ok((frame, _)) if frame.kind == FrameKind::Record && frame.seq == place.index => {
                Ok((self.keys.open_outcome(frame.private)?, Logged::durable(place.index)))
            }
            _ => Err(StoreError::Damaged { path, offset: u64::from(place.offset) }),
        }
    }

    /// The queryable index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Whether entries are still taken.
    pub fn is_ready(&self) -> bool {
        self.writer.is_ready()
    }

    /// How many records are durable.
    pub fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Destroys the keys of outcomes that are past their window.
    pub fn forget_before(&self, now_ms: u64) {
        self.keys.forget_before(now_ms.saturating_sub(limits::IDEMPOTENCY_WINDOW_MS * 2));
    }

    /// Writes what waits and stops the writer.
    pub fn close(&self) {
        self.writer.close();
        self.index.close();
    }
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

/// Makes the names in a directory durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Seals with a key and reads its number; a helper of the keys that needs the journal's form.
fn seal_with(key: &SealKey, number: u64, nonce: u64, outcome: journal::Outcome) -> Option<Vec<u8>> {
    let mut sealed = outcome.octets;
    key.seal(nonce, &mut sealed).ok()?;
    Some(Settlement { id: outcome.id, digest: outcome.digest, key: number, nonce }.with_outcome(&sealed))
}
