//! The curve of open work: what one more kept request costs beside so many that wait for a holder that is dead.
//!
//! In process, with the store and the shelf of the gateway: a request is a record with its octets, durable and sealed, of which
//! open work is told, as the gateway does it once a request is verified; network and verification are left out, since they know
//! nothing of what waits. Each row is a process of its own, so that its memory is its own.

use super::BenchError;
use super::process::{cpu_of_threads, resident_kib_of};
use crate::base::ids::{AgencyId, Code, MessageId};
use crate::base::limits::REQUEST_LIFE_MS;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Blind, Private, Record, RecordKind};
use crate::exchange::work::{Class, Row, Told, Way, Work};
use crate::gateway::driver::now;
use crate::host::store::{Committed, Settings, SledShelf, Store, StoreError};
use crate::message::crypto::{random, sha256};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const ORIGIN: &str = "localhost/bench";
const CONSUMER: &str = "xx.bench.consumer";
const HOLDER: &str = "xx.bench.dead";
/// How large a message is.
const MESSAGE_BYTES: usize = 2048;
/// How many are accepted at once, and so share a sync.
const AT_ONCE: u64 = 64;
/// How many are handed out at once, as the gateway does it for one holder.
const OUT_AT_ONCE: usize = 16;
/// How many are handed out for the figure.
const HANDED_OUT: usize = 480;
/// The figure of accepting is that of the last tenth, of so many at least.
const MEASURED_MIN: u64 = 512;
/// The longest that the index is waited for.
const INDEXED_WITHIN: Duration = Duration::from_secs(600);

/// What was measured beside so many that wait.
#[derive(Clone, Copy, Debug)]
pub struct Depth {
    /// How many.
    pub kept: u64,
    /// CPU of accepting one more.
    pub accept: Duration,
    /// CPU of handing one out and ending it.
    pub hand_out: Duration,
    /// Resident memory, before it is opened again.
    pub resident_kib: u64,
    /// The shelf on disk.
    pub shelf_bytes: u64,
    /// From opening the store until open work is there.
    pub start: Duration,
}

impl Depth {
    /// The heads of the columns of [`Depth::row`].
    pub const HEAD: &str = "     kept   accept, CPU   hand out and end, CPU   resident   shelf on disk   per kept      start";

    /// As a row.
    pub fn row(&self) -> String {
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        format!(
            "{:>9} {:>10.1} us {:>20.1} us {:>6} MiB {:>11.1} MiB {:>6} B {:>7.0} ms",
            self.kept,
            us(self.accept),
            us(self.hand_out),
            self.resident_kib >> 10,
            self.shelf_bytes as f64 / f64::from(1 << 20),
            self.shelf_bytes / self.kept.max(1),
            self.start.as_secs_f64() * 1e3
        )
    }

    /// As JSON.
    pub fn json(&self) -> serde_json::Value {
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        serde_json::json!({
            "format": 1, "kept": self.kept, "acceptCpuUs": us(self.accept), "handOutCpuUs": us(self.hand_out),
            "residentKib": self.resident_kib, "shelfBytes": self.shelf_bytes, "startMs": self.start.as_secs_f64() * 1e3,
        })
    }
}

/// Measures beside so many, in a folder that it removes.
pub fn queue(folder: &Path, kept: u64) -> Result<Depth, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::Io)?;
    let result = runtime.block_on(measure(folder, kept));
    let _ = std::fs::remove_dir_all(folder);
    result
}

async fn measure(folder: &Path, kept: u64) -> Result<Depth, BenchError> {
    let settings = || Settings { bytes_max: u64::MAX, ..Settings::default() };
    let (store, _) = Store::open(folder, ORIGIN, settings()).map_err(broken)?;
    let mut bench =
        Bench { work: open_work(&store)?, store: Arc::new(store), holder: agency(HOLDER)?, consumer: agency(CONSUMER)? };
    let measured = (kept / 10).max(MEASURED_MIN).min(kept);
    bench.accept(kept - measured).await?;
    bench.indexed().await?;
    let before = cpu();
    bench.accept(measured).await?;
    bench.indexed().await?;
    let accept = each(before, measured)?;
    let resident_kib = resident_kib_of("/proc/self");
    let before = cpu();
    let ended = bench.hand_out().await?;
    bench.indexed().await?;
    let hand_out = each(before, ended)?;
    // As many wait again.
    bench.accept(ended).await?;
    let mark = bench.store.size();
    bench.work.shelf_mut().note(mark).and_then(|saving| saving.save()).map_err(broken)?;
    let shelf_bytes = bench.work.shelf().size_on_disk();
    let Bench { work, store, .. } = bench;
    drop(work);
    store.close();
    drop(store);
    let start = Instant::now();
    let (store, _) = Store::open(folder, ORIGIN, settings()).map_err(broken)?;
    let work = open_work(&store)?;
    let start = start.elapsed();
    let is_there = work.waits_for(&agency(HOLDER)?);
    store.close();
    if !is_there {
        return Err(BenchError::Workload("nothing waits after a start"));
    }
    Ok(Depth { kept, accept, hand_out, resident_kib, shelf_bytes, start })
}

struct Bench {
    store: Arc<Store>,
    work: Work<SledShelf>,
    holder: AgencyId,
    consumer: AgencyId,
}

impl Bench {
    /// Accepts so many, some at a time.
    async fn accept(&mut self, count: u64) -> Result<(), BenchError> {
        let mut left = count;
        while left > 0 {
            let now_many = left.min(AT_ONCE);
            let mut records = Vec::new();
            for _ in 0..now_many {
                let random = random().map_err(|_| BenchError::Workload("the system gives no random octets"))?;
                let time = now();
                let mut record = self.record(RecordKind::Request, MessageId::new(time, random));
                record.until = Some(time.plus_ms(REQUEST_LIFE_MS));
                records.push(record);
            }
            self.keep(records).await?;
            left -= now_many;
        }
        Ok(())
    }

    /// Waits for what is done behind: the index of the log is part of what a record costs, and not of what the next one does.
    async fn indexed(&self) -> Result<(), BenchError> {
        let start = Instant::now();
        while self.store.index().watermark() < self.store.size() {
            if start.elapsed() > INDEXED_WITHIN {
                return Err(BenchError::Workload("the index stays behind"));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Takes some to the holder, reading their octets, and records an answer to each. Gives how many.
    async fn hand_out(&mut self) -> Result<u64, BenchError> {
        let mut ended = 0;
        while ended < HANDED_OUT {
            let mut rows: Vec<Row> = Vec::new();
            while rows.len() < OUT_AT_ONCE
                && let Some(row) = self.work.next(now())
            {
                let (octets, _) = self.store.outcome(row.place).map_err(broken)?;
                if octets.len() != MESSAGE_BYTES {
                    return Err(BenchError::Workload("a kept request has lost its octets"));
                }
                self.work.reached(&row.key.to);
                self.work.settle(&row.key);
                rows.push(row);
            }
            if rows.is_empty() {
                break;
            }
            ended += rows.len();
            let answers = rows.iter().map(|row| {
                let mut record = self.record(RecordKind::Answer, row.id);
                (record.concerns, record.counterpart) = (Some(row.key.index), Some(row.digest));
                record
            });
            let answers = answers.collect();
            self.keep(answers).await?;
        }
        Ok(ended as u64)
    }

    fn record(&self, kind: RecordKind, id: MessageId) -> Record {
        let mut record = Record::new(kind, now());
        (record.message, record.digest) = (Some(id), Some(sha256(id.to_string().as_bytes())));
        (record.consumer, record.provider) = (Some(self.consumer.clone()), Some(self.holder.clone()));
        record.document_type = Code::parse("medical-absence-note");
        record.purpose = Code::parse("school-attendance");
        record.octets = MESSAGE_BYTES as u64;
        record
    }

    /// What the gateway does with records of open work: durable first, then told.
    async fn keep(&mut self, records: Vec<Record>) -> Result<(), BenchError> {
        let mut appending = JoinSet::new();
        for record in records {
            let store = Arc::clone(&self.store);
            appending.spawn(async move {
                let entry = Entry { record: record.clone(), private: Private::default(), body: Some(vec![b'x'; MESSAGE_BYTES]) };
                store.append(entry).await.map(|committed| (record, committed))
            });
        }
        while let Some(appended) = appending.join_next().await {
            let appended: Result<(Record, Committed), StoreError> =
                appended.map_err(|_| BenchError::Workload("a task has ended"))?;
            let (record, committed) = appended.map_err(broken)?;
            let leaf = Leaf::parse(&record.leaf(&Blind::default())).ok_or(BenchError::Workload("a leaf is not read"))?;
            self.work.record(Told { leaf: &leaf, place: committed.place, person: None, class: Class::default() });
        }
        Ok(())
    }
}

/// As the gateway opens it.
fn open_work(store: &Store) -> Result<Work<SledShelf>, BenchError> {
    let (shelf, mark) = store.shelf().map_err(broken)?;
    let mut work = Work::open(shelf, Box::new(|_| Way::Push));
    let told = store.tell(mark, now(), &mut |recorded| {
        work.record(Told { leaf: &recorded.leaf, place: recorded.place, person: None, class: Class::default() });
    });
    told.map_err(broken)?;
    Ok(work)
}

fn each(before: Duration, count: u64) -> Result<Duration, BenchError> {
    let count = u32::try_from(count).ok().filter(|count| *count > 0).ok_or(BenchError::Workload("nothing was measured"))?;
    Ok(cpu().saturating_sub(before) / count)
}

/// That of all threads, the writer's and the index's too.
fn cpu() -> Duration {
    cpu_of_threads("/proc/self")
}

fn agency(name: &str) -> Result<AgencyId, BenchError> {
    AgencyId::parse(name).ok_or(BenchError::Workload("the name of an agency"))
}

fn broken(cause: StoreError) -> BenchError {
    BenchError::Start(cause.to_string())
}
