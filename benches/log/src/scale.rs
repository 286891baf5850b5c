//! How the log behaves as it grows: appending, proofs, pages, memory, disk, opening.

use crate::work::{self, cpu, entry, memory, message, mixed, on_disk, open, runtime, school};
use oncegate::audit::Filter;
use oncegate::ids::{Code, Identifier};
use oncegate::store::{Store, Sync};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Appends records `from` to before `to`, as many at a time as `open`.
pub fn append(store: &Arc<Store>, runtime: &tokio::runtime::Runtime, from: u64, to: u64, open: u64) {
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
                        store.append(entry(number)).await.expect("there is room");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends");
        }
    });
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

fn questions() -> Vec<(&'static str, fn(u64, u64) -> Filter)> {
    vec![
        ("consumer", |n, _| Filter { consumer: Some(school(mixed(n) % 2000)), ..Filter::default() }),
        ("document type", |_, _| Filter { document_type: Code::parse("birth-certificate"), ..Filter::default() }),
        ("message", |n, size| Filter { message: Some(message(mixed(n) % size)), ..Filter::default() }),
        ("person", |n, _| Filter {
            person: Some(Identifier::synthetic((mixed(n) % 1_000_000) as u32)),
            ..Filter::default()
        }),
        ("official", |n, _| Filter { official: Some(Identifier::synthetic((mixed(n) % 20_000) as u32)), ..Filter::default() }),
        ("consumer and document type", |n, _| Filter {
            consumer: Some(school(mixed(n) % 2000)),
            document_type: Code::parse("birth-certificate"),
            ..Filter::default()
        }),
        ("nothing", |_, _| Filter::default()),
    ]
}

fn report(folder: &Path, store: &Store) {
    let size = store.size();
    let checkpoint = store.checkpoint();
    let (p50, p99) = time(|number| {
        store.receipt(mixed(number) % size, &checkpoint).expect("in the log");
    });
    println!("  receipt                       {p50:>9.0} us  p99 {p99:>9.0} us");
    for (name, filter) in questions() {
        let mut found = 0;
        let (p50, p99) = time(|number| {
            found += store.search(&filter(number, size), None, 100).expect("an index").records.len();
        });
        println!("  page by {name:<28}{p50:>9.0} us  p99 {p99:>9.0} us  {:.1} records", found as f64 / 200.0);
    }
    let (now, most) = memory();
    println!("  {} octets a record on the disk, {now} MiB of memory, at most {most}", on_disk(folder) / size);
}

pub fn measure(folder: &Path, records: u64) {
    let runtime = runtime();
    let mut store = Arc::new(open(folder, Sync::Never));
    let mut size = 0;
    for target in [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000].into_iter().filter(|target| *target <= records) {
        append(&store, &runtime, size, target - 10_000, 512);
        let (start, before) = (Instant::now(), cpu());
        append(&store, &runtime, target.max(10_000) - 10_000, target, 512);
        let (took, spent) = (start.elapsed(), cpu() - before);
        size = target;
        println!("{size} records");
        println!(
            "  the last 10,000 appended at   {:>9.0} /s, {:.1} us of CPU each",
            1e4 / took.as_secs_f64(),
            spent.as_secs_f64() * 1e2
        );
        report(folder, &store);
        Arc::into_inner(store).expect("nobody else has it").close();
        let start = Instant::now();
        store = Arc::new(open(folder, Sync::Never));
        println!("  opened after closing in       {:>9.2} s", start.elapsed().as_secs_f64());
        Arc::into_inner(store).expect("nobody else has it").close();
        size = killed(folder, size);
        let start = Instant::now();
        store = Arc::new(open(folder, Sync::Never));
        println!("  opened after kill -9 in       {:>9.2} s, {} records", start.elapsed().as_secs_f64(), store.size());
        size = store.size();
    }
}

/// Has a process of its own append for a second, and kills it.
fn killed(folder: &Path, size: u64) -> u64 {
    let program = std::env::current_exe().expect("its path");
    let mut child = Command::new(program)
        .args(["--append-until-killed", &size.to_string(), "--folder"])
        .arg(folder)
        .spawn()
        .expect("it starts");
    std::thread::sleep(Duration::from_secs(4));
    child.kill().expect("it runs");
    child.wait().expect("it ended");
    size
}

pub fn append_until_killed(folder: &Path, from: u64) {
    let store = Arc::new(work::open(folder, Sync::Always));
    append(&store, &runtime(), from, u64::MAX, 64);
}
