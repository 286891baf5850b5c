//! How the log behaves as it grows: appending, proofs, pages, memory, disk, opening, reading again.

use crate::work::{self, Goal, case, cpu, entry, memory, message, middle, mixed, on_disk, open, runtime, school, settle};
use oncegate::base::ids::{Code, Identifier};
use oncegate::base::time::UnixTime;
use oncegate::evidence::audit::Filter;
use oncegate::evidence::journal::Entry;
use oncegate::host::store::{Store, Sync, verify_all};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Appends the first records that `of` makes.
pub fn append_all(store: &Arc<Store>, runtime: &Runtime, count: u64, of: fn(u64) -> Entry) {
    append_of(store, runtime, (0, count), 512, of);
}

/// Appends records `from` to before `to`, as many at a time as `open`.
fn append(store: &Arc<Store>, runtime: &Runtime, from: u64, to: u64, open: u64) {
    append_of(store, runtime, (from, to), open, entry);
}

fn append_of(store: &Arc<Store>, runtime: &Runtime, (from, to): (u64, u64), open: u64, of: fn(u64) -> Entry) {
    let next = Arc::new(AtomicU64::new(from));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..open)
            .map(|_| {
                let (store, next) = (Arc::clone(store), Arc::clone(&next));
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= to {
                            return;
                        }
                        store.append(of(number)).await.expect("there is room");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends");
        }
    });
}

/// CPU time per record in microseconds of appending so many, the index with it.
fn cost(store: &Arc<Store>, runtime: &Runtime, from: u64, count: u64) -> f64 {
    settle(store);
    let before = cpu();
    append(store, runtime, from, from + count, 64);
    settle(store);
    (cpu() - before).as_secs_f64() * 1e6 / count as f64
}

/// Median and 99th percentile in microseconds of 200 runs.
fn time(mut run: impl FnMut(u64)) -> (f64, f64) {
    let mut took: Vec<Duration> = (0..200)
        .map(|number| {
            let start = Instant::now();
            run(number);
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    (took[100].as_secs_f64() * 1e6, took[198].as_secs_f64() * 1e6)
}

type Question = (&'static str, fn(u64, u64) -> Filter);

fn person(number: u64) -> Option<Identifier> {
    Some(Identifier::synthetic((mixed(number) % 1_000_000) as u32))
}

fn official(number: u64) -> Option<Identifier> {
    Some(Identifier::synthetic((mixed(number) % 20_000) as u32))
}

/// The second of the first half of the log.
fn early(size: u64) -> (Option<UnixTime>, Option<UnixTime>) {
    (Some(work::time(size / 4)), Some(work::time(size / 2)))
}

const QUESTIONS: [Question; 14] = [
    ("nothing", |_, _| Filter::default()),
    ("time", |_, size| Filter { from: early(size).0, to: early(size).1, ..Filter::default() }),
    ("consumer", |n, _| Filter { consumer: Some(school(mixed(n) % 2000)), ..Filter::default() }),
    ("either party", |n, _| Filter { party: Some(school(mixed(n) % 2000)), ..Filter::default() }),
    ("document type", |_, _| Filter { document_type: Code::parse("birth-certificate"), ..Filter::default() }),
    ("purpose", |_, _| Filter { purpose: Code::parse("registration"), ..Filter::default() }),
    ("basis", |_, _| Filter { basis: Some("RU:323-FZ:13".into()), ..Filter::default() }),
    ("message", |n, size| Filter { message: Some(message(mixed(n) % size)), ..Filter::default() }),
    ("case", |n, size| Filter { case: Some(case(mixed(n) % size)), ..Filter::default() }),
    ("official", |n, _| Filter { official: official(n), ..Filter::default() }),
    ("person", |n, _| Filter { person: person(n), ..Filter::default() }),
    ("person and time", |n, size| Filter { person: person(n), from: early(size).0, to: early(size).1, ..Filter::default() }),
    ("consumer and document type", |n, _| Filter {
        consumer: Some(school(mixed(n) % 2000)),
        document_type: Code::parse("birth-certificate"),
        ..Filter::default()
    }),
    ("official, purpose and time", |n, size| Filter {
        official: official(n),
        purpose: Code::parse("registration"),
        from: early(size).0,
        to: early(size).1,
        ..Filter::default()
    }),
];

/// A line of the table, with a value for each size.
struct Line {
    name: String,
    values: Vec<f64>,
    beyond: Beyond,
}

/// What is to be expected at ten times the largest size.
#[derive(Clone, Copy)]
enum Beyond {
    /// What grows with the number of volumes, grows on in a line.
    Line,
    /// The same.
    Same,
    /// So many times as much.
    Times(f64),
    Unknown,
}

#[derive(Default)]
struct Table {
    sizes: Vec<u64>,
    lines: Vec<Line>,
}

impl Table {
    fn put(&mut self, name: &str, value: f64, beyond: Beyond) {
        println!("  {name:<46}{value:>12.2}");
        match self.lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.values.push(value),
            None => {
                let values = [vec![f64::NAN; self.sizes.len() - 1], vec![value]].concat();
                self.lines.push(Line { name: name.to_owned(), values, beyond });
            }
        }
    }

    fn last(&self, name: &str) -> f64 {
        let line = self.lines.iter().find(|line| line.name == name);
        line.and_then(|line| line.values.last().copied()).unwrap_or(f64::NAN)
    }

    fn worst(&self, is_one: impl Fn(&str) -> bool) -> f64 {
        let lines = self.lines.iter().filter(|line| is_one(&line.name));
        lines.flat_map(|line| &line.values).copied().fold(0.0, f64::max)
    }

    fn print(&self) {
        let sizes: String = self.sizes.iter().map(|size| format!("{:>12}", format!("{size:e}"))).collect();
        let last = self.sizes.last().copied().unwrap_or(0);
        println!("{:<48}{sizes}{:>14}", "records", format!("({:e})", last * 10));
        for line in &self.lines {
            let values: String = line.values.iter().map(|value| format!("{value:>12.2}")).collect();
            let beyond = line.beyond(&self.sizes).map_or(String::new(), |value| format!("({value:.2})"));
            println!("{:<48}{values}{beyond:>14}", line.name);
        }
    }
}

impl Line {
    fn beyond(&self, sizes: &[u64]) -> Option<f64> {
        let (last, size) = (*self.values.last()?, *sizes.last()? as f64);
        match self.beyond {
            Beyond::Same => Some(last),
            Beyond::Times(times) => Some(last * times),
            Beyond::Line => {
                let at = self.values.len().checked_sub(2)?;
                let slope = (last - self.values[at]) / (size - sizes[at] as f64);
                Some(last + slope.max(0.0) * size * 9.0)
            }
            Beyond::Unknown => None,
        }
    }
}

fn questions(store: &Store, table: &mut Table) {
    settle(store);
    let size = store.size();
    let checkpoint = store.checkpoint();
    let (p50, p99) = time(|number| {
        store.receipt(mixed(number) % size, &checkpoint).expect("in the log");
    });
    table.put("inclusion proof, checked, us", p50, Beyond::Line);
    table.put("inclusion proof, checked, 99 of 100, us", p99, Beyond::Unknown);
    for (name, filter) in QUESTIONS {
        let mut found = 0;
        let (p50, p99) = time(|number| {
            found += store.search(&filter(number, size), None, 100).expect("an index").records.len();
        });
        table.put(&format!("page by {name}, us"), p50, Beyond::Line);
        table.put(&format!("page by {name}, 99 of 100, us"), p99, Beyond::Unknown);
        println!("      {:.1} records", found as f64 / 200.0);
    }
}

fn disk(folder: &Path, size: u64, table: &mut Table) {
    let mut of = |name: &str, beyond, is_part: &dyn Fn(&str) -> bool| {
        table.put(name, on_disk(folder, is_part) as f64 / size as f64, beyond);
    };
    of("octets a record: segments", Beyond::Same, &|name| name.starts_with("seg-"));
    of("octets a record: tree", Beyond::Same, &|name| name == "tree");
    of("octets a record: sealed volumes, names", Beyond::Same, &|name| name.starts_with("vol-") || name == "names");
    of("octets a record: live volume", Beyond::Times(0.1), &|name| name.starts_with("live-"));
    of("octets a record: all", Beyond::Same, &|_| true);
}

/// Reads all segments and volumes again.
fn scrub(store: &Store, folder: &Path, table: &mut Table) {
    let log = std::fs::read_dir(folder.join("log")).expect("readable").flatten();
    let names: Vec<_> = log.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let count = |prefix: &str| names.iter().filter(|name| name.starts_with(prefix)).count() as u64;
    let turns = count("seg-").saturating_sub(1).max(count("vol-"));
    if turns == 0 {
        return;
    }
    let (start, before) = (Instant::now(), cpu());
    let octets: u64 = (0..turns).map(|turn| store.scrub(turn).expect("nothing is damaged").octets).sum();
    table.put("scrub, MB/s", octets as f64 / 1e6 / start.elapsed().as_secs_f64(), Beyond::Same);
    table.put("scrub, MB/s of CPU", octets as f64 / 1e6 / (cpu() - before).as_secs_f64(), Beyond::Same);
}

/// CPU of a record when the log has `size`, and over a whole volume, which is sealed in between.
fn costs(store: &Arc<Store>, runtime: &Runtime, size: u64, table: &mut Table) -> u64 {
    let windows = [0, 1, 2, 3, 4].map(|window| cost(store, runtime, size + window * WINDOW, WINDOW));
    table.put("append, CPU of a record, us", middle(windows.into_iter()), Beyond::Same);
    let size = size + 5 * WINDOW;
    table.put("append, the same over a whole volume, us", cost(store, runtime, size, VOLUME), Beyond::Same);
    size + VOLUME
}

const WINDOW: u64 = 20_000;
const VOLUME: u64 = oncegate::base::limits::VOLUME_RECORDS_MAX;

pub fn measure(folder: &Path, records: u64) -> Vec<Goal> {
    let runtime = runtime();
    let mut store = Arc::new(open(folder, Sync::Never));
    let (mut size, mut table) = (0, Table::default());
    for target in [10_000, 1_000_000, 10_000_000, 100_000_000].into_iter().filter(|target| *target <= records) {
        table.sizes.push(target);
        println!("{target} records");
        let start = Instant::now();
        append(&store, &runtime, size, target, 512);
        settle(&store);
        table.put("loaded without sync, records/s", (target - size) as f64 / start.elapsed().as_secs_f64(), Beyond::Unknown);
        questions(&store, &mut table);
        let (now, most) = memory();
        table.put("memory, MiB", now as f64, Beyond::Line);
        table.put("memory, at most, MiB", most as f64, Beyond::Line);
        disk(folder, target, &mut table);
        scrub(&store, folder, &mut table);
        // Costs of appending are taken on the log as it is, and appended records stay: the next size counts from there.
        size = costs(&store, &runtime, target, &mut table);
        store = reopen(store, folder, size, &mut table);
        size = store.size();
    }
    Arc::into_inner(store).expect("nobody else has it").close();
    let verified = verify(folder, &mut table);
    std::fs::remove_dir_all(folder).expect("it is ours");
    assert_eq!(verified, size, "all of it is verified");
    table.print();
    goals(&table)
}

fn reopen(store: Arc<Store>, folder: &Path, size: u64, table: &mut Table) -> Arc<Store> {
    Arc::into_inner(store).expect("nobody else has it").close();
    let start = Instant::now();
    let store = open(folder, Sync::Never);
    table.put("open after close, s", start.elapsed().as_secs_f64(), Beyond::Same);
    store.close();
    drop(store);
    let lost = killed(folder, size);
    let start = Instant::now();
    let store = open(folder, Sync::Never);
    table.put("open after kill -9, s", start.elapsed().as_secs_f64(), Beyond::Same);
    table.put("  of which records of the live volume", (store.size() % VOLUME) as f64, Beyond::Unknown);
    assert!(store.size() > lost, "what was acknowledged is there");
    Arc::new(store)
}

fn verify(folder: &Path, table: &mut Table) -> u64 {
    let start = Instant::now();
    let verified = verify_all(folder, &[]).expect("nothing was changed");
    let took = start.elapsed().as_secs_f64();
    table.put("verification of all of it, s", took, Beyond::Times(10.0));
    table.put("verification of all of it, MB/s", verified.octets as f64 / 1e6 / took, Beyond::Same);
    verified.head.size
}

fn goals(table: &Table) -> Vec<Goal> {
    let is_page = |name: &str| name.starts_with("page by") && !name.contains("99 of");
    let is_cost = |name: &str| name == "append, CPU of a record, us";
    let is_whole = |name: &str| name.starts_with("append, the same");
    let ratio = |is: &dyn Fn(&str) -> bool| {
        let values = table.lines.iter().find(|line| is(&line.name)).map_or(&[][..], |line| &line.values);
        values.last().copied().unwrap_or(f64::NAN) / values.first().copied().unwrap_or(f64::NAN)
    };
    vec![
        Goal::below(
            "inclusion proof, the worst median, ms",
            table.worst(|name| name == "inclusion proof, checked, us") / 1e3,
            1.0,
        ),
        Goal::below("first page of 100, the worst median, ms", table.worst(is_page) / 1e3, 10.0),
        Goal::below("CPU of an append, the largest log to the smallest", ratio(&is_cost), 1.2),
        Goal::below("the same over a whole volume", ratio(&is_whole), 1.2),
        Goal::below("KiB a record on the disk", table.last("octets a record: all") / 1024.0, 1.2),
        Goal::below("memory, at most, MiB", table.last("memory, at most, MiB"), 256.0),
        Goal::below("open after kill -9, s", table.worst(|name| name == "open after kill -9, s"), 3.0),
        Goal::at_least("scrub, MB/s", table.last("scrub, MB/s"), 200.0),
    ]
}

/// Has a process of its own append for some seconds, and kills it.
fn killed(folder: &Path, size: u64) -> u64 {
    let program = std::env::current_exe().expect("its path");
    let mut child = Command::new(program)
        .args(["--append-until-killed", &size.to_string(), "--folder"])
        .arg(folder)
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_secs(6));
    child.kill().expect("it runs");
    child.wait().expect("it ended");
    size
}

pub fn append_until_killed(folder: &Path, from: u64) {
    let store = Arc::new(work::open(folder, Sync::Always));
    append(&store, &runtime(), from, u64::MAX, 64);
}
