//! Power cuts of the program itself: a kill is survived by a writer that never syncs, a cut is not. See `rig.rs`.
//!
//! `POWER_CUTS=500 cargo test --test it powercut` does it for longer; `CRASH_SEED` begins elsewhere. It needs the right to
//! mount; without it the store's own tests with a disk that forgets (`src/host/store/tests.rs`) are all there is.

use crate::books::{Books, Chance, Retried, ask, compare, hold_against_checkpoints, missing, note, records, retry};
use crate::figures::{number_from, tell};
use crate::folder::Folder;
use crate::memory::{Tree, signer};
use crate::process::{LONG, Process, Scene, answered, oncegate, send};
use crate::rig::{Device, Rig};
use crate::tool::{free_port, said};
use crate::witness::fetcher;
use oncegate::evidence::tlog::note::{Checkpoint, LogSigner, Role};
use oncegate::gateway::witness::Submission;
use oncegate::host::transport::{Fetch, Fetcher};
use oncegate::message::crypto::sha256;
use oncegate::rules::registry::Endpoint;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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
        fs::create_dir(scene.data()).expect("writable");
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
            Syncs::Made => self.rig.command(oncegate()),
            Syncs::Faked => {
                let mut command = self.rig.command("strace");
                command.args(["-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null"]);
                command.args(["-e", "trace=fdatasync", "-e", "inject=fdatasync:retval=0", oncegate()]);
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

    /// An exchange that nobody asks for again; gives the index of its answer.
    fn victim(&self, number: usize) -> u64 {
        let gateway = self.start(Syncs::Made);
        let client = self.scene.client();
        let index = self.scene.block_on(async {
            let received = answered(&client, &self.scene.request(&client, number)).await;
            let other = self.scene.request(&client, number + 1);
            self.books.asked(&other);
            ask(&self.books, &client, other.id, &other.octets).await.expect("the gateway is there");
            received.headers.get("oncegate-log-index").expect("an index").to_str().expect("digits").parse().expect("digits")
        });
        gateway.stop();
        index
    }

    /// Runs a command, and cuts the power at some moment of it.
    fn cut_during(&mut self, arguments: &[&str]) {
        let armed = self.rig.arm();
        let mut command = self.rig.command(oncegate());
        let mut child = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        // No event is waited for: any moment will do.
        std::thread::sleep(Duration::from_micros(self.chance.below(120_000)));
        armed.cut();
        let _ = child.kill();
        child.wait().expect("it ends");
        self.rig.restore();
    }

    /// How many of the answers that were given are not on record.
    fn lost(&self) -> usize {
        missing(&self.books, &records(&self.data()))
    }

    /// What lies on the disk is what was promised; the gateway starts, and everything is answered as before.
    fn check(&mut self) {
        // What was to be shredded may stand there half written, until the start ends it.
        if !self.data().join("log/shred").exists() {
            compare(&self.books, &records(&self.data()));
        }
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

/// The files below a folder and what is in them, but for those that are made anew when they are gone.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(&next).expect("readable").map(|entry| entry.expect("readable").path()) {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            let is_derived = ["tree", "names", "work", "cases", "lost+found"].contains(&name)
                || name.starts_with("live-")
                || name.starts_with("vol-");
            if is_derived || name == "lock" || name.ends_with(".lock") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let octets = fs::read(&path).expect("readable");
                found.insert(path.strip_prefix(folder).expect("below it").to_owned(), octets);
            }
        }
    }
    found
}

/// Runs a command on the rig, and cuts the power when it has said that all is done.
fn done_and_cut(rig: &mut Rig, arguments: &[&str]) {
    let armed = rig.arm();
    let output = rig.command(oncegate()).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    let before = contents(&rig.inside());
    armed.cut();
    rig.restore();
    let after = contents(&rig.inside());
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "{arguments:?}: files have come or gone");
    for (name, octets) in &before {
        assert!(after[name] == *octets, "{arguments:?}: {} is not as it was", name.display());
    }
}

#[test]
fn what_a_command_says_is_done_is_done_after_a_power_cut() {
    const ROW: &str = "power cuts after commands";
    let folder = Folder::new();
    let at = folder.path().join("at");
    fs::create_dir(&at).expect("writable");
    let mut rig = match Rig::new(&at, Device::Plain) {
        Ok(rig) => rig,
        Err(why) => return skipped(ROW, &why),
    };
    let path = |name: &str| at.join(name).to_str().expect("a name").to_owned();
    let (office, w, witness) = (path("office"), path("w"), path("w/witness.toml"));
    let log = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let commands: &[&[&str]] = &[
        &["init", &office],
        &["agency", "add", "xx.some.school-1", "--in", &office, "--name", "School 1"],
        &["agency", "suspend", "xx.some.school-1", "--in", &office],
        &["agency", "suspend", "xx.some.school-1", "--lift", "--in", &office],
        &["agency", "cert", "xx.some.school-1", "--in", &office, "--name", "sign-2"],
        &["agency", "sign", "--in", &office],
        &["witness", "init", &w, "--name", "witness.example/w1"],
        &["witness", "add", "-c", &witness, log],
    ];
    for command in commands {
        done_and_cut(&mut rig, command);
    }
    tell(ROW, format!("{}, nothing undone", commands.len()));
}

/// The records of erasures begin new segments and end volumes; the trees of keys are replaced.
#[test]
fn what_is_erased_stays_erased_when_the_power_is_cut() {
    const ROW: &str = "power cuts after and during erasures";
    let mut stage = match Stage::new(Device::Caching) {
        Ok(stage) => stage,
        Err(why) => return skipped(ROW, &why),
    };
    let config = stage.scene.config();
    let config = config.to_str().expect("a name");
    let (mut done, mut during) = (0, 0);
    for round in 0..number_from("POWER_CUTS", CUTS).div_ceil(2) {
        let victim = stage.victim(round as usize);
        let erasure = |index: u64, part: &'static str| {
            vec![
                "log".to_owned(),
                "erase".to_owned(),
                index.to_string(),
                part.to_owned(),
                "--reason".to_owned(),
                "a court".to_owned(),
                "-c".to_owned(),
                config.to_owned(),
            ]
        };
        for (index, part) in [(victim, "message"), (victim - 1, "private"), (victim, "record")] {
            let arguments = erasure(index, part);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            if stage.chance.below(2) == 0 {
                done_and_cut(&mut stage.rig, &arguments);
                done += 1;
            } else {
                stage.cut_during(&arguments);
                during += 1;
            }
            stage.check();
        }
        stage.begin_anew();
    }
    tell(ROW, format!("{done} after, {during} during; nothing undone, nothing else lost"));
}

/// A witness on a rig, and the log that it witnesses.
struct Witnessed {
    rig: Rig,
    runtime: tokio::runtime::Runtime,
    fetcher: Fetcher,
    at: Endpoint,
    log: LogSigner,
    file: String,
    _folder: Folder,
}

impl Witnessed {
    fn new(device: Device) -> Result<Self, String> {
        let folder = Folder::new();
        let at = folder.path().join("at");
        fs::create_dir(&at).expect("writable");
        let rig = Rig::new(&at, device)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let log = signer("log.example/2026", Role::Log, 1);
        let listen = format!("127.0.0.1:{}", free_port());
        let path = |name: &str| at.join(name).to_str().expect("a name").to_owned();
        for arguments in [
            &["init", &path("w"), "--name", "witness.example/w1", "--listen", &listen][..],
            &["add", "-c", &path("w/witness.toml"), &log.verifier().to_string()],
        ] {
            let output = rig.command(oncegate()).arg("witness").args(arguments).output().expect("it starts");
            assert!(output.status.success(), "{}", said(&output));
        }
        let at = Endpoint::parse(&format!("http://{listen}")).expect("a URL");
        let (fetcher, file) = (fetcher(folder.path()), path("w/witness.toml"));
        Ok(Self { rig, runtime, fetcher, at, log, file, _folder: folder })
    }

    fn start(&self, syncs: Syncs) -> Result<Process, String> {
        let mut command = match syncs {
            Syncs::Made => self.rig.command(oncegate()),
            Syncs::Faked => {
                let mut command = self.rig.command("strace");
                command.args(["-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null"]);
                command.args(["-e", "trace=fsync", "-e", "inject=fsync:retval=0", oncegate()]);
                command
            }
        };
        command.args(["witness", "run", "-c", &self.file]);
        Process::from(command).map_err(|(status, said)| format!("{status}: {said}"))
    }

    fn tree(size: u64) -> Tree {
        Tree::of((0..size).map(|number| format!("record {number}").into_bytes()))
    }

    /// Has the log's tree of so many more records cosigned; no when the witness is away, or has stopped.
    async fn grow(&self, old: u64) -> Option<u64> {
        let tree = Self::tree(old + 3);
        let checkpoint = self.log.checkpoint(tree.head()).expect("signs");
        let submission = Submission { old, proof: tree.consistency(old, tree.size()), checkpoint };
        let body = Some(("text/plain", submission.to_string().into_bytes()));
        let fetch = Fetch { body, headers: Vec::new(), answer_bytes_max: 100_000, deadline: LONG };
        let received = self.fetcher.fetch(&self.at.below("add-checkpoint"), fetch).await.ok()?;
        (received.status.as_u16() == 200).then(|| tree.size())
    }

    /// The size of the last checkpoint that it says it has cosigned.
    async fn last(&self) -> u64 {
        let path = format!("{}/checkpoint", sha256(self.log.verifier().name().as_bytes()));
        let fetch = Fetch { body: None, headers: Vec::new(), answer_bytes_max: 100_000, deadline: LONG };
        let received = self.fetcher.fetch(&self.at.below(&path), fetch).await.expect("an answer");
        match received.status.as_u16() {
            200 => Checkpoint::parse(&String::from_utf8_lossy(&received.body)).expect("a checkpoint").claimed().size,
            _ => 0,
        }
    }

    /// Has the log cosigned as it grows until the power is cut; gives the size that was last cosigned.
    fn cut(&mut self, syncs: Syncs, mut size: u64, pause: Duration) -> u64 {
        let running = self.start(syncs).expect("it starts");
        let armed = self.rig.arm();
        self.runtime.block_on(async {
            for _ in 0..6 {
                size = self.grow(size).await.expect("it cosigns");
            }
            let cutting = tokio::task::spawn_blocking(move || {
                std::thread::sleep(pause);
                armed.cut();
                running.killed();
            });
            while let Some(grown) = self.grow(size).await {
                size = grown;
            }
            cutting.await.expect("it is cut");
        });
        self.rig.restore();
        size
    }
}

#[test]
fn a_witness_knows_what_it_cosigned_when_the_power_is_cut() {
    const ROW: &str = "power cuts of a witness";
    let (mut cuts, mut size, mut chance) = (0, 0, Chance(number_from("CRASH_SEED", 20_260_101).max(1)));
    let mut witnessed = match Witnessed::new(Device::Caching) {
        Ok(witnessed) => witnessed,
        Err(why) => return skipped(ROW, &why),
    };
    for _ in 0..number_from("POWER_CUTS", CUTS).div_ceil(2) {
        let pause = Duration::from_micros(chance.below(30_000));
        let cosigned = witnessed.cut(Syncs::Made, size, pause);
        let running = witnessed.start(Syncs::Made).expect("it starts");
        size = witnessed.runtime.block_on(witnessed.last());
        assert!(size == cosigned || size == cosigned + 3, "{cosigned} were cosigned, and {size} are known");
        running.killed();
        cuts += 1;
    }
    tell(ROW, format!("{cuts}; {} cosignatures, 0 forgotten", size / 3));
    // And one that does not sync is found out.
    let mut witnessed = Witnessed::new(Device::Caching).expect("as before");
    let cosigned = witnessed.cut(Syncs::Faked, 0, Duration::from_millis(5));
    let known = witnessed.start(Syncs::Made).map(|_running| witnessed.runtime.block_on(witnessed.last()));
    assert!(known.as_ref().map_or(true, |known| *known < cosigned), "nothing is lost, so this rig shows nothing: {known:?}");
    println!("without syncs {cosigned} were cosigned, and then: {known:?}");
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
