//! What many exchanges leave behind: memory, how long a start takes, what it costs to find out whether a message was here before.
//!
//! Exchanges are driven through the gateway, up to a number. Beyond that their records are written by the store itself, with the same
//! leaves and short bodies, and without syncs, and the last 100,000 are driven through the gateway, so that its memory has settled.

use super::load::{Outcome, Plan, Traffic, Until, Weight};
use super::rounds::{Stage, free_port};
use super::world::{CLIENTS, Size};
use super::{BenchError, Options};
use crate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::{Private, Record, RecordKind};
use crate::exchange::ledger::Known;
use crate::gateway::driver::now;
use crate::host::store::{Settings, Store, StoreError, Sync};
use crate::message::crypto;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// What was found after so many exchanges.
#[derive(Clone, Copy, Debug, Default)]
pub struct Point {
    /// Exchanges so far.
    pub exchanges: u64,
    /// Resident memory of the gateway that had the last of them, and how much of it is anonymous, in MiB.
    pub resident_mib: f64,
    /// Of which anonymous.
    pub anonymous_mib: f64,
    /// Opening the store, in seconds.
    pub open_seconds: f64,
    /// From starting the program to its first answer, in seconds.
    pub start_seconds: f64,
    /// Resident memory after that start, in MiB.
    pub started_mib: f64,
    /// Finding out that a message is new, in microseconds.
    pub fresh_us: f64,
    /// Finding what became of one that was here, in microseconds.
    pub replay_us: f64,
    /// Exchanges a second, with the gateway on one core.
    pub per_second: f64,
    /// CPU time of the gateway for each, in microseconds.
    pub cpu_us: f64,
}

impl Point {
    /// The figures with their names in JSON and for people.
    fn figures(&self) -> [(&'static str, &'static str, f64); 9] {
        [
            ("residentMib", "resident, MiB", self.resident_mib),
            ("anonymousMib", "anonymous, MiB", self.anonymous_mib),
            ("openSeconds", "open store, s", self.open_seconds),
            ("startSeconds", "first answer, s", self.start_seconds),
            ("startedMib", "at start, MiB", self.started_mib),
            ("freshUs", "fresh id, us", self.fresh_us),
            ("replayUs", "replay, us", self.replay_us),
            ("perSecond", "exchanges/s", self.per_second),
            ("cpuUs", "CPU each, us", self.cpu_us),
        ]
    }
}

/// What was found at each power of ten.
#[derive(Clone, Debug, Default)]
pub struct Endurance {
    points: Vec<Point>,
}

const FIRST: u64 = 100_000;
/// What is said of more exchanges than are tried.
const BEYOND: u64 = 50_000_000;

impl Endurance {
    /// The table for people.
    pub fn table(&self) -> String {
        let cells =
            |cells: &[(&str, &str, f64)]| cells.iter().map(|(_, _, value)| format!("  {value:>15.2}")).collect::<String>();
        let names: String = Point::default().figures().iter().map(|(_, name, _)| format!("  {name:>15}")).collect();
        let mut out = format!("{:<12}{names}", "exchanges");
        for point in &self.points {
            let _ = write!(out, "\n{:<12}{}", point.exchanges, cells(&point.figures()));
        }
        if let Some((from, to, point)) = self.beyond() {
            let known = point.figures();
            let cells = cells(known.split_at_checked(5).unwrap_or_default().0);
            let _ = write!(out, "\n{:<12}{cells}  on the line through {from} and {to}", point.exchanges);
        }
        out
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let row = |point: &Point| {
            let figures = point.figures().into_iter().map(|(key, _, value)| (key.to_owned(), json!(value)));
            let count = ("exchanges".to_owned(), json!(point.exchanges));
            Value::Object(std::iter::once(count).chain(figures).collect())
        };
        let beyond = self.beyond().map(|(from, to, point)| json!({ "from": [from, to], "point": row(&point) }));
        json!({ "format": 1, "points": self.points.iter().map(row).collect::<Vec<_>>(), "extrapolated": beyond })
    }

    /// What memory and starts would be at more exchanges, on the line through the first and the last point.
    fn beyond(&self) -> Option<(u64, u64, Point)> {
        let [from, .., to] = self.points.as_slice() else { return None };
        let share = (BEYOND as f64 - to.exchanges as f64) / (to.exchanges as f64 - from.exchanges as f64);
        let line = |figure: fn(&Point) -> f64| (figure(to) + share * (figure(to) - figure(from))).max(0.0);
        let point = Point {
            exchanges: BEYOND,
            resident_mib: line(|point| point.resident_mib),
            anonymous_mib: line(|point| point.anonymous_mib),
            open_seconds: line(|point| point.open_seconds),
            start_seconds: line(|point| point.start_seconds),
            started_mib: line(|point| point.started_mib),
            ..Point::default()
        };
        Some((from.exchanges, to.exchanges, point))
    }
}

/// Measures at each power of ten up to `most`; up to `driven` all of them go through the gateway.
pub(super) fn endure(options: &Options, most: u64, driven: u64, progress: &mut dyn FnMut(&str)) -> Result<Endurance, BenchError> {
    let stage = Stage::open(options)?;
    let (port, public) = (free_port()?, free_port()?);
    let config = stage.world.configure("endurance", Size::WORKLOAD, port, public)?;
    let data = config.with_file_name("data");
    let (mut found, mut done, mut next) = (Endurance::default(), 0, FIRST.min(most));
    loop {
        let filled = if next > driven { (next - done).saturating_sub(FIRST) } else { 0 };
        if filled > 0 {
            progress(&format!("writing the records of {filled} exchanges"));
            fill((&data, ORIGIN), filled).map_err(stored)?;
        }
        progress(&format!("{} exchanges through the gateway", next - done - filled));
        let (target, _) = stage.start("endurance", &config, port, &[])?;
        let until = Until::Count(next - done - filled);
        let (traffic, weight, warm) = (Traffic::Exchange, Weight::W2, Duration::ZERO);
        let process = &target.process;
        let Outcome { per_second, cpu_us, .. } =
            stage.load.run(&Plan { process, port, traffic, weight, clients: CLIENTS, warm, until })?;
        let (resident, anonymous) = process.memory_kib();
        target.process.stop();
        let mut point = Point { exchanges: next, per_second, cpu_us, ..Point::default() };
        (point.resident_mib, point.anonymous_mib) = (resident as f64 / 1024.0, anonymous as f64 / 1024.0);
        look_up(&data, &mut point).map_err(stored)?;
        let (target, first) = stage.start("endurance", &config, port, &[])?;
        point.start_seconds = first.as_secs_f64();
        point.started_mib = target.process.memory_kib().0 as f64 / 1024.0;
        target.process.stop();
        found.points.push(point);
        progress(found.table().lines().last().unwrap_or_default());
        if next >= most {
            return Ok(found);
        }
        (done, next) = (next, next.saturating_mul(10).min(most));
    }
}

fn stored(cause: StoreError) -> BenchError {
    BenchError::Start(cause.to_string())
}

/// Opens the store, and looks up ids that are new and ids of the whole time.
fn look_up(data: &Path, point: &mut Point) -> Result<(), StoreError> {
    let started = Instant::now();
    let (store, _) = Store::open(data, ORIGIN, Settings::default())?;
    point.open_seconds = started.elapsed().as_secs_f64();
    let nobody = AgencyId::parse("xx.bench.client-00").ok_or(StoreError::Forgotten)?;
    let oldest = now().minus_ms(limits::IDEMPOTENCY_WINDOW_MS);
    let started = Instant::now();
    for _ in 0..LOOK_UPS {
        assert_eq!(store.past(&nobody, fresh_id(now())?, oldest)?, None, "an id that is new");
    }
    point.fresh_us = started.elapsed().as_secs_f64() * 1e6 / LOOK_UPS as f64;
    // Of records all over the log, whose leaves name the message.
    let mut ids = Vec::new();
    for place in 0..LOOK_UPS {
        let leaf = store.record(store.size() * place / LOOK_UPS)?.leaf;
        let leaf: Value = serde_json::from_str(&leaf).unwrap_or_default();
        let id = leaf.get("m").and_then(Value::as_str).and_then(MessageId::parse);
        let sender = leaf.get("u").and_then(Value::as_str).and_then(AgencyId::parse);
        ids.extend(sender.zip(id));
    }
    let started = Instant::now();
    for (sender, id) in &ids {
        let past = store.past(sender, *id, oldest)?;
        assert!(past.is_some_and(|past| matches!(past.outcome, Known::Settled(_))), "an id that was answered");
    }
    point.replay_us = started.elapsed().as_secs_f64() * 1e6 / ids.len().max(1) as f64;
    store.close();
    Ok(())
}

const LOOK_UPS: u64 = 5_000;
/// The log's name where the configuration gives it none.
const ORIGIN: &str = "oncegate/audit";

fn fresh_id(time: UnixTime) -> Result<MessageId, StoreError> {
    let random = crypto::random::<10>().map_err(|crypto::NoRandomness| StoreError::NoRandomness)?;
    Ok(MessageId::new(time, random))
}

/// Writes the records of so many exchanges.
pub(super) fn fill((data, origin): (&Path, &str), count: u64) -> Result<(), StoreError> {
    let (store, _) = Store::open(data, origin, Settings { sync: Sync::Never, ..Settings::default() })?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|_| StoreError::Stopped)?;
    for from in (0..count).step_by(GROUP) {
        let ids =
            (from..count.min(from + GROUP as u64)).map(|number| Ok((number, fresh_id(now())?))).collect::<Result<Vec<_>, _>>()?;
        for kind in [RecordKind::Request, RecordKind::Answer] {
            let entries = ids.iter().map(|(number, id)| store.append(entry(kind, *number, *id)));
            runtime.block_on(async {
                let mut waiting: Vec<_> = entries.map(Box::pin).collect();
                std::future::poll_fn(|context| {
                    let mut failed = None;
                    waiting.retain_mut(|entry| match entry.as_mut().poll(context) {
                        std::task::Poll::Ready(result) => {
                            failed = failed.take().or(result.err());
                            false
                        }
                        std::task::Poll::Pending => true,
                    });
                    match failed {
                        Some(cause) => std::task::Poll::Ready(Err(cause)),
                        None if waiting.is_empty() => std::task::Poll::Ready(Ok(())),
                        None => std::task::Poll::Pending,
                    }
                })
                .await
            })?;
        }
    }
    store.close();
    Ok(())
}

const GROUP: usize = 256;

fn entry(kind: RecordKind, number: u64, id: MessageId) -> Entry {
    let mut record = Record::new(kind, now());
    record.message = Some(id);
    record.consumer = AgencyId::parse(&format!("xx.bench.client-{:02}", number % CLIENTS as u64));
    record.provider = AgencyId::parse("xx.bench.holder-0");
    record.document_type = Code::parse("birth-certificate");
    (record.purpose, record.grant) = (Code::parse("apply"), Code::parse("g-1"));
    let digest = Some(Digest::from_octets([1; 32]));
    (record.digest, record.counterpart, record.system) = (digest, digest, digest);
    let subject = vec![Identifier::synthetic((number % 100_000) as u32)].into();
    let body = (kind == RecordKind::Answer).then(|| vec![b'a'; 64]);
    Entry { record, private: Private { subject, ..Private::default() }, body }
}
