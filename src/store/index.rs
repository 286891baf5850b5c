//! The queryable index in sled, behind the journal by a watermark.
//!
//! One tree. Keys: `00` the watermark; `01 | second 8 | seq 8` for message ids, the second being that of the id (1,024 ms
//! long); `02 | agency, zero-ended | time 8 | seq 8` for consumers. A value holds the rows of all records that were put
//! in together and share the key but for its end, which is that of the first: `id 16 | seq 8` under `01`, `time 8 | seq 8
//! | kind | code` under `02`, so that a page needs no look into the journal. sled copies a node for each key it is given,
//! hence few keys. The watermark is written last; after a crash some rows are there twice, and readers pass over them.
//! A thread of its own follows the writer; acknowledging never waits for it.

use super::StoreError;
use super::recovery::{segment_path, segments};
use crate::ids::{AgencyId, MessageId};
use crate::journal;
use crate::limits;
use crate::tlog::Record;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

const WATERMARK: &[u8] = &[0];
/// Octets of a row under `01`, and under `02`.
const ID_ROW: usize = 24;
const TRAIL_ROW: usize = 18;
/// Rows that may wait; beyond that the index is rebuilt from the journal once it has caught up.
const WAITING_MAX: usize = 200_000;

/// What the index keeps of a record.
#[derive(Clone, Debug)]
pub struct Row {
    time: u64,
    message: Option<MessageId>,
    consumer: Option<AgencyId>,
    kind: u8,
    code: u8,
}

impl Row {
    /// The row of a record.
    pub fn of(record: &Record) -> Self {
        let code = record.code.and_then(|code| crate::fault::Code::ALL.iter().position(|known| *known == code));
        Self {
            time: record.time.as_ms(),
            message: record.message,
            consumer: record.consumer.clone(),
            kind: record.kind.as_str().as_bytes().first().copied().unwrap_or(0),
            code: code.map_or(0, |at| at as u8 + 1),
        }
    }

    /// The row of a leaf as it stands in the journal.
    fn of_leaf(leaf: &[u8]) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Leaf<'l> {
            t: u64,
            m: Option<&'l str>,
            u: Option<&'l str>,
            k: &'l str,
            e: Option<&'l str>,
        }
        let leaf: Leaf<'_> = serde_json::from_slice(leaf).ok()?;
        let code = leaf.e.and_then(|code| crate::fault::Code::ALL.iter().position(|known| known.as_str() == code));
        Some(Self {
            time: leaf.t,
            message: leaf.m.and_then(MessageId::parse),
            consumer: leaf.u.and_then(AgencyId::parse),
            kind: leaf.k.as_bytes().first().copied().unwrap_or(0),
            code: code.map_or(0, |at| at as u8 + 1),
        })
    }
}

#[derive(Default)]
struct Queue {
    rows: Vec<(u64, Row)>,
    is_closing: bool,
    has_overflowed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    next: AtomicU64,
    has_failed: AtomicBool,
}

/// The index.
pub struct Index {
    tree: sled::Db,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    was_rebuilt: bool,
}

impl Index {
    pub(super) fn open(path: &Path, journal: &Path, size: u64) -> Result<Self, StoreError> {
        let (tree, was_rebuilt) = match open_tree(path, journal, size) {
            Ok(tree) => (tree, false),
            // The journal holds everything that is in the index.
            Err(_) => {
                remove(path).map_err(|cause| StoreError::io(path, cause))?;
                (open_tree(path, journal, size)?, true)
            }
        };
        let shared = Arc::new(Shared { next: AtomicU64::new(size), ..Shared::default() });
        let follower = Follower { tree: tree.clone(), shared: Arc::clone(&shared), journal: journal.to_owned() };
        let builder = std::thread::Builder::new().name("index".to_owned());
        let thread = builder.spawn(move || follower.run()).map_err(|cause| StoreError::io(path, cause))?;
        Ok(Self { tree, shared, thread: Mutex::new(Some(thread)), was_rebuilt })
    }

    /// Hands a row on; never waits.
    pub(super) fn follow(&self, seq: u64, row: Row) {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.rows.len() >= WAITING_MAX {
            queue.has_overflowed = true;
            return;
        }
        queue.rows.push((seq, row));
        let is_batch = queue.rows.len() == limits::INDEX_GATHER_MAX;
        drop(queue);
        if is_batch {
            self.shared.wake.notify_one();
        }
    }

    /// Whether the index had to be made anew at start.
    pub fn was_rebuilt(&self) -> bool {
        self.was_rebuilt
    }

    /// How many records are in the index.
    pub fn watermark(&self) -> u64 {
        self.shared.next.load(Ordering::Acquire)
    }

    /// The records of a message id, oldest first.
    pub fn by_message(&self, id: MessageId) -> Vec<u64> {
        let values = self.tree.scan_prefix(second_prefix(id)).values().filter_map(Result::ok);
        let mut found = Vec::new();
        for value in values {
            let rows = value.chunks_exact(ID_ROW).filter_map(|row| row.split_first_chunk::<16>());
            found.extend(rows.filter(|(known, _)| *known == id.octets()).filter_map(|(_, seq)| seq_of(seq)));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The latest records of a consumer, newest first: index, time in milliseconds, kind and code.
    pub fn trail(&self, agency: &AgencyId, limit: usize) -> Vec<(u64, u64, char, Option<crate::fault::Code>)> {
        let values = self.tree.scan_prefix(agency_prefix(agency)).rev().filter_map(Result::ok).map(|(_, value)| value);
        let mut found: Vec<(u64, u64, char, Option<crate::fault::Code>)> = Vec::new();
        for value in values {
            found.extend(value.chunks_exact(TRAIL_ROW).rev().filter_map(trail_entry));
            // Rows that are there twice are near each other: a few more than asked for settle that.
            if found.len() >= limit.saturating_mul(2) {
                break;
            }
        }
        found.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.0));
        found.dedup_by_key(|entry| entry.0);
        found.truncate(limit);
        found
    }

    pub(super) fn close(&self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).is_closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        let _ = self.tree.flush();
    }
}

fn trail_entry(row: &[u8]) -> Option<(u64, u64, char, Option<crate::fault::Code>)> {
    let (time, rest) = row.split_first_chunk::<8>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let code = usize::from(*rest.get(1)?).checked_sub(1).and_then(|at| crate::fault::Code::ALL.get(at).copied());
    Some((u64::from_be_bytes(*seq), u64::from_be_bytes(*time), char::from(*rest.first()?), code))
}

fn seq_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|octets| u64::from_be_bytes(*octets))
}

fn second_prefix(id: MessageId) -> [u8; 9] {
    let mut prefix = [1; 9];
    prefix[1..].copy_from_slice(&(id.time().as_ms() >> 10).to_be_bytes());
    prefix
}

fn agency_prefix(agency: &AgencyId) -> Vec<u8> {
    [&[2], agency.as_str().as_bytes(), &[0]].concat()
}

/// Opens the index and brings it up to the size of the journal. sled panics on some damage instead of returning an error,
/// so all of it is fenced.
fn open_tree(path: &Path, journal: &Path, size: u64) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new().path(path).cache_capacity(16 << 20).flush_every_ms(Some(500)).mode(sled::Mode::LowSpace);
    let failed = |cause: &dyn std::fmt::Display| StoreError::Index(cause.to_string());
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let tree = config.open().map_err(|cause| failed(&cause))?;
        if watermark(&tree) > size {
            return Err(failed(&"it is ahead of the journal"));
        }
        catch_up(&tree, journal, size)?;
        Ok(tree)
    }));
    opened.unwrap_or_else(|_| Err(failed(&"sled gave up")))
}

fn remove(path: &Path) -> std::io::Result<()> {
    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}

fn watermark(tree: &sled::Db) -> u64 {
    let value = tree.get(WATERMARK).ok().flatten();
    value.and_then(|value| value.as_ref().try_into().ok().map(u64::from_be_bytes)).unwrap_or(0)
}

/// Reads from the journal what the index lacks.
fn catch_up(tree: &sled::Db, journal: &Path, size: u64) -> Result<(), StoreError> {
    let from = watermark(tree);
    if from >= size {
        return Ok(());
    }
    let mut at = 0;
    for number in segments(journal)? {
        let path = segment_path(journal, number);
        let octets = std::fs::read(&path).map_err(|cause| StoreError::io(&path, cause))?;
        let mut rows = Vec::new();
        let walked = journal::walk(&octets, at, |_, frame| {
            if frame.seq >= from {
                rows.extend(Row::of_leaf(frame.leaf).map(|row| (frame.seq, row)));
            }
        });
        at = walked.size;
        for batch in rows.chunks(limits::INDEX_GATHER_MAX) {
            apply(tree, batch).map_err(|cause| StoreError::Index(cause.to_string()))?;
        }
    }
    Ok(())
}

fn apply(tree: &sled::Db, rows: &[(u64, Row)]) -> sled::Result<()> {
    let Some((last, _)) = rows.last() else { return Ok(()) };
    let mut shared = BTreeMap::<Vec<u8>, (Vec<u8>, Vec<u8>)>::new();
    for (seq, row) in rows {
        if let Some(id) = row.message {
            let (_, value) = shared.entry(second_prefix(id).to_vec()).or_insert_with(|| (seq.to_be_bytes().to_vec(), Vec::new()));
            value.extend_from_slice(id.octets());
            value.extend_from_slice(&seq.to_be_bytes());
        }
        if let Some(consumer) = &row.consumer {
            let end = || ([row.time.to_be_bytes(), seq.to_be_bytes()].concat(), Vec::new());
            let (_, value) = shared.entry(agency_prefix(consumer)).or_insert_with(end);
            value.extend_from_slice(&row.time.to_be_bytes());
            value.extend_from_slice(&seq.to_be_bytes());
            value.extend_from_slice(&[row.kind, row.code]);
        }
    }
    let mut batch = sled::Batch::default();
    for (number, (mut key, (end, value))) in shared.into_iter().enumerate() {
        if number > 0 && number % limits::INDEX_BATCH_MAX == 0 {
            tree.apply_batch(std::mem::take(&mut batch))?;
        }
        key.extend_from_slice(&end);
        batch.insert(key, value);
    }
    batch.insert(WATERMARK, &(last + 1).to_be_bytes());
    tree.apply_batch(batch)
}

struct Follower {
    tree: sled::Db,
    shared: Arc<Shared>,
    journal: PathBuf,
}

impl Follower {
    fn run(&self) {
        loop {
            let (rows, is_closing, has_overflowed) = self.next_rows();
            let applied = catch_unwind(AssertUnwindSafe(|| {
                rows.chunks(limits::INDEX_GATHER_MAX).try_for_each(|batch| apply(&self.tree, batch))
            }));
            if !matches!(applied, Ok(Ok(()))) {
                // The index is disposable: it is rebuilt at the next start, and queries say how far it is behind.
                self.shared.has_failed.store(true, Ordering::Release);
                return;
            }
            if let Some((last, _)) = rows.last() {
                self.shared.next.store(last + 1, Ordering::Release);
                if has_overflowed {
                    let _ = catch_up(&self.tree, &self.journal, u64::MAX);
                }
            }
            if is_closing && rows.is_empty() {
                return;
            }
        }
    }

    /// Waits for a batch, or half a second for part of one.
    fn next_rows(&self) -> (Vec<(u64, Row)>, bool, bool) {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let half_second = std::time::Duration::from_millis(500);
        while queue.rows.len() < limits::INDEX_GATHER_MAX && !queue.is_closing {
            let (woken, timeout) = self.shared.wake.wait_timeout(queue, half_second).unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            if timeout.timed_out() && !queue.rows.is_empty() {
                break;
            }
        }
        let has_overflowed = std::mem::take(&mut queue.has_overflowed);
        (std::mem::take(&mut queue.rows), queue.is_closing, has_overflowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_share_a_key_are_found_and_given_once() {
        let tree = sled::Config::new().temporary(true).open().expect("sled opens an empty folder");
        let agency = |name: &str| AgencyId::parse(name).expect("a name");
        let id = |number: u8| MessageId::new(crate::time::UnixTime::from_ms(1_800_000_000_000), [number; 10]);
        let row = |number: u8, consumer: &str| Row {
            time: 7 + u64::from(number),
            message: Some(id(number / 2)),
            consumer: Some(agency(consumer)),
            kind: b'r',
            code: 0,
        };
        let rows: Vec<(u64, Row)> =
            (0..200_u8).map(|number| (u64::from(number), row(number, if number % 3 == 0 { "xx.a" } else { "xx.ab" }))).collect();
        apply(&tree, &rows[..150]).expect("a batch");
        // After a crash rows are put in again, cut otherwise.
        apply(&tree, &rows[100..]).expect("a batch");
        let index = Index { tree, shared: Arc::default(), thread: Mutex::new(None), was_rebuilt: false };
        assert_eq!(index.by_message(id(60)), [120, 121]);
        assert_eq!(index.by_message(id(250)), [0_u64; 0]);
        let trail: Vec<(u64, u64)> = index.trail(&agency("xx.a"), 40).into_iter().map(|entry| (entry.0, entry.1)).collect();
        let expected: Vec<(u64, u64)> =
            (0..200_u64).rev().filter(|seq| seq % 3 == 0).take(40).map(|seq| (seq, seq + 7)).collect();
        assert_eq!(trail, expected);
        assert_eq!(watermark(&index.tree), 200);
    }
}
