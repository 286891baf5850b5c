//! Durable appending beside the disk and other stores: the contestants take turns within each round, so that a disk that
//! others keep busy slows all of them.

use crate::peers::{self, Peer, item};
use crate::work::{Goal, cpu, entry, middle, open, runtime};
use oncegate::host::store::{Store, Sync};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

enum Contestant {
    Ours(Arc<Store>),
    Peer(Arc<Peer>),
}

const CONCURRENT: [u64; 4] = [1, 8, 64, 256];

/// What one contestant did in one turn: records per second, until it was over and until they could be queried, and CPU
/// time per record in microseconds.
#[derive(Clone, Copy)]
struct Turn {
    durable: f64,
    queryable: f64,
    cpu_us: f64,
}

impl Contestant {
    fn turn(&self, runtime: &Runtime, next: &Arc<AtomicU64>, open: u64, length: Duration) -> Turn {
        let (start, before, from) = (Instant::now(), cpu(), next.load(Ordering::Relaxed));
        let is_over = Arc::new(AtomicBool::new(false));
        runtime.block_on(async {
            let tasks: Vec<_> = (0..open).map(|_| self.task(next, &is_over)).collect();
            tokio::time::sleep(length).await;
            is_over.store(true, Ordering::Relaxed);
            for task in tasks {
                task.await.expect("it ends");
            }
        });
        let durable = start.elapsed();
        if let Self::Ours(store) = self {
            crate::work::settle(store);
        }
        let count = (next.load(Ordering::Relaxed) - from) as f64;
        Turn {
            durable: count / durable.as_secs_f64(),
            queryable: count / start.elapsed().as_secs_f64(),
            cpu_us: (cpu() - before).as_secs_f64() * 1e6 / count,
        }
    }

    fn task(&self, next: &Arc<AtomicU64>, is_over: &Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
        let (next, is_over) = (Arc::clone(next), Arc::clone(is_over));
        let number = move || (!is_over.load(Ordering::Relaxed)).then(|| next.fetch_add(1, Ordering::Relaxed));
        match self {
            Self::Ours(store) => {
                let store = Arc::clone(store);
                tokio::spawn(async move {
                    while let Some(number) = number() {
                        store.append(entry(number)).await.expect("there is room");
                    }
                })
            }
            Self::Peer(peer) => {
                let peer = Arc::clone(peer);
                tokio::spawn(async move {
                    while let Some(number) = number() {
                        peer.append(item(number)).await;
                    }
                })
            }
        }
    }
}

fn contestants(folder: &Path) -> Vec<(&'static str, Contestant)> {
    let peer = |engine| Contestant::Peer(Arc::new(Peer::start(engine)));
    let path = |name: &str| folder.join(name);
    vec![
        ("disk", peer(peers::Disk::open(&path("disk")))),
        ("oncegate", Contestant::Ours(Arc::new(open(&path("oncegate"), Sync::Always)))),
        #[cfg(feature = "fjall")]
        ("fjall", peer(peers::Fjall::open(&path("fjall")))),
        #[cfg(feature = "rocksdb")]
        ("RocksDB", peer(peers::Rocks::open(&path("rocksdb")))),
        #[cfg(feature = "rusqlite")]
        ("SQLite", peer(peers::Sqlite::open(&path("sqlite")))),
    ]
}

pub fn run(folder: &Path, rounds: usize, length: Duration) -> Vec<Goal> {
    let runtime = runtime();
    let contestants = contestants(folder);
    let next: Vec<_> = contestants.iter().map(|_| Arc::new(AtomicU64::new(0))).collect();
    println!("durable records per second, medians of {rounds} rounds of {} s each, all in turn", length.as_secs_f64());
    let names = contestants.iter().map(|(name, _)| format!("{name:>12}")).collect::<String>();
    println!("{:<34}{names}", "");
    let mut goals = Vec::new();
    for open in CONCURRENT {
        let mut turns = vec![Vec::new(); contestants.len()];
        for round in 0..rounds {
            // Nobody always comes after the same one.
            for place in 0..contestants.len() {
                let at = (place + round) % contestants.len();
                let turn = contestants[at].1.turn(&runtime, &next[at], open, length);
                turns[at].push(turn);
            }
        }
        let of = |what: fn(&Turn) -> f64| turns.iter().map(|turns| middle(turns.iter().map(what))).collect::<Vec<_>>();
        row(&format!("{open} at once: records/s"), &of(|turn| turn.durable), 0);
        row("  until they can be queried", &of(|turn| turn.queryable), 0);
        row("  CPU of a record, us", &of(|turn| turn.cpu_us), 1);
        // Ratios are of the same round.
        let shares: Vec<f64> = (0..contestants.len())
            .map(|at| middle(turns[at].iter().zip(&turns[0]).map(|(turn, disk)| turn.durable / disk.durable)))
            .collect();
        row("  share of the disk's", &shares, 2);
        if open == 64 {
            goals.push(Goal::at_least("share of the disk's limit, 64 at once", shares[1], 0.5));
            if let Some(at) = contestants.iter().position(|(name, _)| *name == "SQLite") {
                let ratio = middle(turns[1].iter().zip(&turns[at]).map(|(ours, theirs)| ours.queryable / theirs.queryable));
                goals.push(Goal::at_least("queryable records/s, to SQLite's, 64 at once", ratio, 1.0));
            }
        }
    }
    for (_, contestant) in &contestants {
        if let Contestant::Ours(store) = contestant {
            store.close();
        }
    }
    goals
}

fn row(name: &str, values: &[f64], places: usize) {
    let values = values.iter().map(|value| format!("{value:>12.places$}")).collect::<String>();
    println!("{name:<34}{values}");
}
