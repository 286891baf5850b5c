//! Power cuts of the program itself: a kill is survived by a writer that never syncs, a cut is not. See `rig.rs`.
//!
//! `POWER_CUTS=500 cargo test --test it powercut` does it for longer; `CRASH_SEED` begins elsewhere. It needs the right to
//! mount; without it the store's own tests with a disk that forgets (`src/store/tests.rs`) are all there is.

use crate::books::{Books, Chance, Retried, compare, hold_against_checkpoints, missing, note, records, retry};
use crate::figures::{number_from, tell};
use crate::process::{LONG, ONCEGATE, Process, Scene, send};
use crate::rig::{Device, Rig};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const CUTS: u64 = 8;
const CLIENTS: usize = 4;
/// The power is cut after up to so many events, which are: a request is sent, a provider has it, its answer is back.
const EVENTS_MAX: u64 = 120;
const AGAIN: usize = 10;
/// After so many cuts the log begins anew: each time all of it is read.
const CUTS_PER_LOG: u64 = 12;

/// Whether the program's syncs reach the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncs {
    Made,
    /// The journal's are left out, and reported as made.
    Faked,
}

/// A gateway whose data lie on a file system whose power can be cut.
struct Stage {
    rig: Rig,
    scene: Arc<Scene>,
    books: Arc<Books>,
    chance: Chance,
    retried: Retried,
    cuts: u64,
    answered: usize,
}

impl Stage {
    fn new(device: Device) -> Result<Self, String> {
        let books = Books::new();
        let scene = Arc::new(Scene::observed("records = \"off\"\n", books.observer()));
        std::fs::create_dir(scene.data()).expect("writable");
        let rig = Rig::new(&scene.data(), device)?;
        let chance = Chance(number_from("CRASH_SEED", 20_260_101).max(1));
        Ok(Self { rig, scene, books, chance, retried: Retried::default(), cuts: 0, answered: 0 })
    }

    fn data(&self) -> PathBuf {
        self.rig.inside()
    }

    fn begin_anew(&mut self) {
        self.rig.begin_anew();
        self.answered += self.books.pages().asked.values().filter(|asked| asked.answer.is_some()).count();
        *self.books.pages() = Default::default();
    }

    /// The command that becomes the gateway.
    fn gateway(&self, syncs: Syncs) -> Command {
        let mut command = match syncs {
            Syncs::Made => self.rig.command(ONCEGATE),
            Syncs::Faked => {
                let mut command = self.rig.command("strace");
                command.args(["-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null"]);
                command.args(["-e", "trace=fdatasync", "-e", "inject=fdatasync:retval=0", ONCEGATE]);
                command
            }
        };
        command.args(["run", "-c"]).arg(self.scene.config());
        command
    }

    fn start(&self, syncs: Syncs) -> Process {
        Process::from(self.gateway(syncs)).unwrap_or_else(|(status, said)| panic!("it does not start: {status}\n{said}"))
    }

    /// Many clients ask at once, until the power is cut.
    fn cut_under_load(&mut self, syncs: Syncs) {
        self.cuts += 1;
        self.books.pages().round = self.cuts;
        let gateway = self.start(syncs);
        let armed = self.rig.arm();
        let mut events = self.books.events.subscribe();
        let until = *events.borrow() + 20 + self.chance.below(EVENTS_MAX);
        let pause = Duration::from_micros(self.chance.below(3_000));
        let first = self.chance.below(146) as usize;
        self.scene.block_on(async {
            let mut clients = JoinSet::new();
            clients.spawn(watch_log(Arc::clone(&self.scene), Arc::clone(&self.books)));
            for client in 0..CLIENTS {
                clients.spawn(load(Arc::clone(&self.scene), Arc::clone(&self.books), first + client * 17));
            }
            let counted = tokio::time::timeout(LONG, events.wait_for(|count| *count >= until)).await;
            counted.expect("requests are answered").expect("the books are open");
            // A random moment after it, since events themselves come at few places of an exchange.
            tokio::time::sleep(pause).await;
            armed.cut();
            gateway.killed();
            while let Some(ended) = clients.join_next().await {
                ended.expect("a client only ends");
            }
        });
        self.rig.restore();
    }

    /// How many of the answers that were given are not on record.
    fn lost(&self) -> usize {
        missing(&self.books, &records(&self.data()))
    }

    /// What lies on the disk is what was promised; the gateway starts, and everything is answered as before.
    fn check(&mut self) {
        compare(&self.books, &records(&self.data()));
        let gateway = self.start(Syncs::Made);
        self.scene.block_on(retry(&self.books, &self.scene.client(), AGAIN, &mut self.retried));
        gateway.killed();
        compare(&self.books, &records(&self.data()));
        // Only now: the start has made the tree's files anew, which no sync has covered.
        hold_against_checkpoints(&self.data(), &self.books);
        assert!(self.books.pages().asked.values().all(|asked| asked.answer.is_some()), "an exchange was never answered");
    }
}

/// Asks without end, until the gateway is away or takes nothing any more.
async fn load(scene: Arc<Scene>, books: Arc<Books>, first: usize) {
    let client = scene.client();
    for number in first.. {
        let request = scene.request(&client, number);
        books.asked(&request);
        match send(&client, &request.octets).await {
            Some(received) if received.status.as_u16() == 200 => drop(note(&books, request.id, received)),
            _ => return,
        }
    }
}

/// Reads the log's checkpoint again and again, until the gateway is away.
async fn watch_log(scene: Arc<Scene>, books: Arc<Books>) {
    let client = scene.client();
    while let Ok(received) = client.get("/log/checkpoint").await {
        books.seen(&received.body);
    }
}

/// Says that nothing was cut.
fn skipped(row: &str, why: &str) {
    println!("NOT RUN, no file system can be mounted here (it needs root and a loop device): {why}");
    tell(row, "not run: needs root");
}

#[test]
fn nothing_answered_is_lost_when_the_power_is_cut() {
    let (mut cuts, mut answered) = (0, 0);
    for device in [Device::Plain, Device::Caching] {
        let mut stage = match Stage::new(device) {
            Ok(stage) => stage,
            Err(why) => return skipped("power cuts", &why),
        };
        for round in 1..=number_from("POWER_CUTS", CUTS).div_ceil(2) {
            stage.cut_under_load(Syncs::Made);
            stage.check();
            if round % CUTS_PER_LOG == 0 {
                stage.begin_anew();
            }
        }
        stage.begin_anew();
        println!("{device:?}: cut {} times, {} answered", stage.cuts, stage.answered);
        println!("retried: answered before {}, on record only {}", stage.retried.answered_before, stage.retried.on_record_only);
        println!("retried: answered afresh {}", stage.retried.afresh);
        (cuts, answered) = (cuts + stage.cuts, answered + stage.answered);
    }
    tell("power cuts", format!("{cuts}; {answered} answered, 0 lost"));
}

/// Whether this rig would see it: the program's syncs are left out, or the device is never told to flush.
#[test]
fn a_missing_sync_is_found_by_a_power_cut() {
    let mut lost = Vec::new();
    for (device, syncs) in
        [(Device::Plain, Syncs::Faked), (Device::Caching, Syncs::Faked), (Device::CachingUnflushed, Syncs::Made)]
    {
        let mut stage = match Stage::new(device) {
            Ok(stage) => stage,
            Err(why) => return skipped("power cuts with a planted missing sync", &why),
        };
        stage.cut_under_load(syncs);
        let count = stage.lost();
        assert!(count > 0, "{device:?}, {syncs:?}: nothing is lost, so this rig shows nothing");
        lost.push(count);
    }
    tell("power cuts with a planted missing sync", format!("{} of 3 found, answers lost: {lost:?}", lost.len()));
}
