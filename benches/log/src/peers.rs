//! What stands beside the log: the disk alone, and other stores with the same work. Before each is a writer of the log's
//! kind: it takes what waits, commits it as one group, durably, and then releases those who wait.

use crate::work::{entry, keys};
use oncegate::base::ids::Digest;
use oncegate::base::limits;
use oncegate::evidence::tlog::Blind;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A record for a store that is not ours: its leaf, as many octets as stand beside a leaf, its keys in the index.
pub struct Item {
    pub octets: Vec<u8>,
    pub keys: [u64; 11],
}

/// What stands beside a leaf in the journal: the sealed private part of the benchmark's records, and the frame.
const BESIDE: usize = 242;

pub fn item(number: u64) -> Item {
    let digest = |octets: [u8; 32]| Some(Digest::from_octets(octets));
    let blind = Blind { tags: vec![[7; limits::TAG_BYTES]], commitment: digest([7; 32]), keys: None };
    let mut octets = entry(number).record.leaf(&blind).into_bytes();
    octets.resize(octets.len() + BESIDE, b'p');
    Item { octets, keys: keys(number) }
}

/// A key of the index as other stores have it: what it is by, the key, the record.
fn index_key(by: usize, key: u64, seq: u64) -> [u8; 17] {
    let mut octets = [by as u8; 17];
    octets[1..9].copy_from_slice(&key.to_be_bytes());
    octets[9..].copy_from_slice(&seq.to_be_bytes());
    octets
}

fn index_keys(item: &Item, seq: u64) -> impl Iterator<Item = [u8; 17]> {
    item.keys.iter().enumerate().filter(|(_, key)| **key != 0).map(move |(by, key)| index_key(by, *key, seq))
}

/// Commits a group; once it returns, all of it is durable.
pub trait Engine: Send {
    fn commit(&mut self, first: u64, group: &[Item]);
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(Item, oneshot::Sender<()>)>,
    awaited: usize,
    is_closing: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// An engine with its writer.
pub struct Peer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    pub fn start(mut engine: Box<dyn Engine>) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let mut size = 0;
            while let Some(group) = writer.next_group() {
                let (items, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
                engine.commit(size, &items);
                size += items.len() as u64;
                for reply in replies {
                    let _ = reply.send(());
                }
            }
        });
        Self { shared, thread: Some(thread) }
    }

    pub async fn append(&self, item: Item) {
        let (sender, receiver) = oneshot::channel();
        let is_awaited = {
            let mut queue = self.shared.queue.lock().expect("no writer panics");
            queue.waiting.push((item, sender));
            queue.waiting.len() == queue.awaited
        };
        if is_awaited {
            self.shared.wake.notify_one();
        }
        receiver.await.expect("it is committed");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.queue.lock().expect("no writer panics").is_closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ends");
        }
    }
}

impl Shared {
    /// Gathers as the log's writer does.
    fn next_group(&self) -> Option<Vec<(Item, oneshot::Sender<()>)>> {
        let mut queue = self.queue.lock().expect("no task panics");
        let paused = Instant::now();
        while queue.waiting.is_empty() {
            if queue.is_closing {
                return None;
            }
            queue.awaited = 1;
            queue = self.wake.wait(queue).expect("no task panics");
        }
        if paused.elapsed() < Duration::from_micros(limits::GROUP_BUSY_US) {
            let end = Instant::now() + Duration::from_micros(limits::GROUP_GATHER_US);
            queue.awaited = limits::GROUP_GATHER_RECORDS;
            while queue.waiting.len() < limits::GROUP_GATHER_RECORDS && !queue.is_closing {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                queue = self.wake.wait_timeout(queue, left).expect("no task panics").0;
            }
        }
        queue.awaited = 0;
        Some(std::mem::take(&mut queue.waiting))
    }
}

/// The disk alone: the same octets written to a file that was written before, and `fdatasync`.
pub struct Disk {
    file: File,
    at: u64,
    buffer: Vec<u8>,
}

const DISK_BYTES: u64 = 256 << 20;

impl Disk {
    pub fn open(folder: &Path) -> Box<dyn Engine> {
        std::fs::create_dir_all(folder).expect("writable");
        let file = File::create(folder.join("file")).expect("writable");
        for at in 0..DISK_BYTES >> 20 {
            file.write_all_at(&[0; 1 << 20], at << 20).expect("there is room");
        }
        file.sync_all().expect("it syncs");
        Box::new(Self { file, at: 0, buffer: Vec::new() })
    }
}

impl Engine for Disk {
    fn commit(&mut self, _first: u64, group: &[Item]) {
        self.buffer.clear();
        group.iter().for_each(|item| self.buffer.extend_from_slice(&item.octets));
        if self.at + self.buffer.len() as u64 > DISK_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(&self.buffer, self.at).expect("there is room");
        self.file.sync_data().expect("it syncs");
        self.at += self.buffer.len() as u64;
    }
}

#[cfg(feature = "fjall")]
pub struct Fjall {
    database: fjall::Database,
    records: fjall::Keyspace,
    index: fjall::Keyspace,
}

#[cfg(feature = "fjall")]
impl Fjall {
    pub fn open(folder: &Path) -> Box<dyn Engine> {
        let database = fjall::Database::builder(folder).open().expect("it opens");
        let keyspace = |name| database.keyspace(name, fjall::KeyspaceCreateOptions::default).expect("it is made");
        let (records, index) = (keyspace("records"), keyspace("index"));
        Box::new(Self { database, records, index })
    }
}

#[cfg(feature = "fjall")]
impl Engine for Fjall {
    fn commit(&mut self, first: u64, group: &[Item]) {
        let mut batch = self.database.batch().durability(Some(fjall::PersistMode::SyncData));
        for (seq, item) in (first..).zip(group) {
            batch.insert(&self.records, seq.to_be_bytes(), item.octets.as_slice());
            index_keys(item, seq).for_each(|key| batch.insert(&self.index, key, b""));
        }
        batch.commit().expect("it commits");
    }
}

#[cfg(feature = "rocksdb")]
pub struct Rocks(rocksdb::DB);

#[cfg(feature = "rocksdb")]
impl Rocks {
    pub fn open(folder: &Path) -> Box<dyn Engine> {
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.increase_parallelism(2);
        Box::new(Self(rocksdb::DB::open_cf(&options, folder, ["records", "index"]).expect("it opens")))
    }
}

#[cfg(feature = "rocksdb")]
impl Engine for Rocks {
    fn commit(&mut self, first: u64, group: &[Item]) {
        let family = |name| self.0.cf_handle(name).expect("it was made");
        let (records, index) = (family("records"), family("index"));
        let mut batch = rocksdb::WriteBatch::default();
        for (seq, item) in (first..).zip(group) {
            batch.put_cf(records, seq.to_be_bytes(), &item.octets);
            index_keys(item, seq).for_each(|key| batch.put_cf(index, key, b""));
        }
        let mut options = rocksdb::WriteOptions::default();
        options.set_sync(true);
        self.0.write_opt(batch, &options).expect("it commits");
    }
}

#[cfg(feature = "rusqlite")]
pub struct Sqlite(rusqlite::Connection);

#[cfg(feature = "rusqlite")]
impl Sqlite {
    pub fn open(folder: &Path) -> Box<dyn Engine> {
        std::fs::create_dir_all(folder).expect("writable");
        let connection = rusqlite::Connection::open(folder.join("file")).expect("it opens");
        let setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE records (seq INTEGER PRIMARY KEY, octets BLOB);
            CREATE TABLE postings (key BLOB PRIMARY KEY) WITHOUT ROWID;";
        connection.execute_batch(setup).expect("tables are made");
        Box::new(Self(connection))
    }
}

#[cfg(feature = "rusqlite")]
impl Engine for Sqlite {
    fn commit(&mut self, first: u64, group: &[Item]) {
        let transaction = self.0.transaction().expect("it begins");
        {
            let mut record = transaction.prepare_cached("INSERT INTO records VALUES (?1, ?2)").expect("it parses");
            let mut posting = transaction.prepare_cached("INSERT INTO postings VALUES (?1)").expect("it parses");
            for (seq, item) in (first..).zip(group) {
                record.execute((seq as i64, &item.octets)).expect("a row");
                index_keys(item, seq).for_each(|key| {
                    posting.execute([key.as_slice()]).expect("a row");
                });
            }
        }
        transaction.commit().expect("it commits");
    }
}
