//! The system refuses the gateway something, at each place where it can: `strace` gives the n-th call of a kind an error, or
//! kills the program just before it. Nothing acknowledged is lost, a failed sync stops the journal and says why, and the
//! next start needs no hand.
//!
//! Calls are counted in each thread by itself, so one round gives an error to the n-th call of the thread that writes the
//! journal, and to that of the index and of the start if they make so many.
//!
//! `FAULT_CALLS=2000 cargo test --test it faults` does it for longer; with `FAULT_FIRST=1001` it begins there, so that several
//! can share the work.

use crate::books::{Books, Retried, compare, hold_against_checkpoints, note, records, retry};
use crate::figures::{number_from, tell};
use crate::process::{Process, Scene, health, oncegate, send};
use crate::rig::{Device, Rig};
use oncegate::faces::client::{Client, problem_of};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The first calls of a kind, each of which fails once.
const CALLS: u64 = 200;
/// A log of so many records is followed by a new one: each round reads all of it.
const RECORDS_MAX: usize = 2000;
/// Answers that are asked for again after each round.
const AGAIN: usize = 6;
/// The writer fills so far ahead with as many calls at the first record after a start.
const AHEAD: u64 = 8;

/// Who sends what is no message, and how often: fewer than are summed up.
const SENDERS: [&str; 4] = ["xx.demo.school-17", "xx.demo.social-fund", "xx.demo.civil-registry", "xx.demo.maternity"];
const REFUSALS: usize = 900;

/// What the longest rounds end with.
const EXCHANGES_MAX: u64 = 12;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It fails, and the next ones do not.
    Once(&'static str),
    /// It fails, and so does each after it.
    FromThenOn(&'static str),
    /// The program is killed before it.
    Kill,
}

impl Fault {
    /// The part of the expression behind the call's name.
    fn text(self, number: u64) -> String {
        match self {
            Self::Once(error) => format!("error={error}:when={number}"),
            Self::FromThenOn(error) => format!("error={error}:when={number}+"),
            Self::Kill => format!("signal=KILL:when={number}"),
        }
    }
}

/// What the rounds have brought.
#[derive(Default)]
struct Sum {
    rounds: u64,
    injected: BTreeMap<String, u64>,
    killed: u64,
    not_started: u64,
    stopped: u64,
    refused: u64,
    answered: usize,
    retried: Retried,
}

/// A scene whose data lie in memory, where a sync costs nothing: what counts here is what the system says of it.
struct Stage {
    scene: Scene,
    books: Arc<Books>,
    data: PathBuf,
    trace: PathBuf,
    sum: Sum,
}

impl Stage {
    fn new() -> Self {
        let books = Books::new();
        let scene = Scene::observed("records = \"off\"\n", books.observer());
        let trace = scene.folder().join("trace");
        let memory = Path::new("/dev/shm");
        let data = if memory.is_dir() { memory } else { scene.folder() };
        let data = data.join(format!("oncegate-faults-{}", scene.world().exchange_address().port()));
        let mut stage = Self { data, scene, books, trace, sum: Sum::default() };
        stage.begin_anew();
        std::os::unix::fs::symlink(&stage.data, stage.scene.data()).expect("a link");
        stage
    }

    /// An empty log.
    fn begin_anew(&mut self) {
        let _ = fs::remove_dir_all(&self.data);
        fs::create_dir_all(&self.data).expect("writable");
        self.sum.answered += self.books.pages().asked.len();
        *self.books.pages() = Default::default();
    }

    /// The gateway, with a fault in its way.
    fn traced(&self, call: &str, paths: &[PathBuf], (fault, number): (Fault, u64)) -> Command {
        let mut command = Command::new("strace");
        // The tracer is the gateway's grandchild, so that the process that we have is the gateway.
        command.args(["-D", "-f", "-qq", "-y", "-Z", "-s", "0", "-o"]).arg(&self.trace);
        // Five times faster; but strace 6.1 then gives no signals.
        command.args((fault != Fault::Kill).then_some("--seccomp-bpf"));
        command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{}", fault.text(number))]);
        for path in paths {
            command.arg("-P").arg(path);
        }
        command.arg(oncegate()).args(["run", "-c"]).arg(self.scene.config());
        command
    }

    /// Runs the gateway with a fault under a load of so many exchanges, and then without one. Gives how many calls were
    /// given the fault.
    fn round(&mut self, call: &str, paths: &[PathBuf], (fault, number): (Fault, u64), exchanges: u64) -> u64 {
        self.sum.rounds += 1;
        self.books.pages().round = self.sum.rounds;
        let what = format!("{call} {} of {exchanges} exchanges", fault.text(number));
        match Process::from(self.traced(call, paths, (fault, number))) {
            Ok(gateway) => self.under_load(gateway, fault, exchanges, &what),
            Err((status, said)) => {
                self.sum.not_started += 1;
                let is_told = status.code() == Some(1) && said.contains("OG-LOG-001");
                assert!(is_told || fault == Fault::Kill, "{what}: {status}: {said}");
            }
        }
        let mut injected = 0;
        for line in fs::read_to_string(&self.trace).unwrap_or_default().lines().filter(|line| line.contains("(INJECTED)")) {
            *self.sum.injected.entry(format!("{call} of {}", kind_of(line))).or_default() += 1;
            injected += 1;
        }
        let _ = fs::remove_file(&self.trace);
        compare(&self.books, &records(&self.data));
        let gateway = self.scene.start();
        self.scene.block_on(retry(&self.books, &self.scene.client(), AGAIN, &mut self.sum.retried));
        gateway.kill();
        let records = records(&self.data);
        compare(&self.books, &records);
        hold_against_checkpoints(&self.data, &self.books);
        assert!(self.books.pages().asked.values().all(|asked| asked.answer.is_some()), "{what}: an exchange was never answered");
        if records.len() > RECORDS_MAX {
            self.begin_anew();
        }
        injected
    }

    /// The files that are written before the gateway takes messages, under both of their names.
    fn paths(&self) -> Vec<PathBuf> {
        const NAMES: [&str; 20] = [
            "",
            "log",
            "log/lock",
            "log/seg-000000",
            "log/shred",
            "log/tree",
            "log/tree/0",
            "log/live-000000",
            "log/live-000000/rows",
            "log/live-000000/postings",
            "keys",
            "keys/starts",
            "keys/starts.new",
            "keys/index",
            "keys/index.new",
            "keys/private.new",
            "keys/bodies.new",
            "keys/log",
            "keys/log.new",
            "keys/bodies",
        ];
        let places = [self.data.clone(), self.scene.data()];
        places.iter().flat_map(|place| NAMES.map(|name| if name.is_empty() { place.clone() } else { place.join(name) })).collect()
    }

    fn under_load(&mut self, gateway: Process, fault: Fault, exchanges: u64, what: &str) {
        // An exchange has two groups.
        let before = 2 * exchanges.saturating_sub(EXCHANGES_MAX);
        let loaded = self.scene.block_on(load(&self.scene, &self.books, before, exchanges.min(EXCHANGES_MAX)));
        let said = gateway.killed();
        match loaded {
            Loaded::Gone => {
                self.sum.killed += 1;
                assert_eq!(fault, Fault::Kill, "{what}: {said}");
            }
            Loaded::Stopped => {
                self.sum.stopped += 1;
                assert!(said.contains("the journal has stopped") && said.contains("Input/output error"), "{what}: {said}");
            }
            Loaded::Ended { refused, answered_last } => {
                self.sum.refused += refused;
                assert!(refused == 0 || said.contains("a record could not be written"), "{what}: {said}");
                if let Fault::Once(_) = fault {
                    assert!(refused <= 1, "{what}: one call failed, and {refused} messages were refused");
                    assert!(answered_last, "{what}: it does not go on");
                }
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// What sort of file a call was about.
fn kind_of(line: &str) -> &'static str {
    let kinds = [
        ("/log/seg-", "journal"),
        ("/log/tree", "tree"),
        ("/postings", "index"),
        ("/rows", "index"),
        ("/keys", "keys"),
        ("/log", "log"),
    ];
    kinds.iter().find(|(part, _)| line.contains(part)).map_or("others", |(_, kind)| kind)
}

/// How a load ended.
enum Loaded {
    /// The gateway is away.
    Gone,
    /// The journal has stopped.
    Stopped,
    /// All was sent.
    Ended { refused: u64, answered_last: bool },
}

/// Asks one question after the other, after so many groups that are records of octets that are no message: they cost little, up
/// to an agency's budget of refusals, so that several send them.
async fn load(scene: &Scene, books: &Books, before: u64, exchanges: u64) -> Loaded {
    let client = scene.client();
    let (mut refused, mut answered_last) = (0, true);
    let senders = SENDERS.map(|name| scene.world().client(name).expect("a client"));
    for sender in senders.iter().flat_map(|sender| std::iter::repeat_n(sender, REFUSALS)).take(before as usize) {
        let Some(received) = send(sender, b"no message").await else { return Loaded::Gone };
        if received.status.as_u16() != 400 {
            assert_eq!((received.status.as_u16(), problem_of(&received).code.as_str()), (503, "OG-LOG-001"));
            refused += 1;
        }
    }
    for number in 0..exchanges {
        let request = scene.request(&client, number as usize);
        books.asked(&request);
        let Some(received) = send(&client, &request.octets).await else { return Loaded::Gone };
        answered_last = received.status.as_u16() == 200;
        if answered_last {
            note(books, request.id, received);
            continue;
        }
        refused += 1;
        let problem = problem_of(&received);
        assert_eq!((received.status.as_u16(), problem.code.as_str()), (503, "OG-LOG-001"), "{problem:?}");
        assert_eq!((problem.blame.as_str(), problem.retry.as_str(), problem.log_index), ("gateway", "later", None));
        let body = String::from_utf8_lossy(&received.body);
        assert!(!body.contains("MedicalAbsenceNote") && !body.contains("seg-"), "{body}");
        let (status, said) = health(scene).expect("it answers");
        if said["journal"] == "stopped" {
            has_stopped(scene, books, &client, &said).await;
            return Loaded::Stopped;
        }
        // It is not ready until it has seen that there is room again.
        assert_eq!((&said["journal"], said["reason"].is_null()), (&"open".into(), status == 200), "{said}");
    }
    if let Ok(received) = client.get("/log/checkpoint").await {
        books.seen(&received.body);
    }
    Loaded::Ended { refused, answered_last }
}

/// The journal has stopped: nothing is taken, why is told without a path, and what is safe can be read.
async fn has_stopped(scene: &Scene, books: &Books, client: &Client, said: &serde_json::Value) {
    assert_eq!((&said["status"], &said["journal"]), (&"not ready".into(), &"stopped".into()), "{said}");
    let reason = said["reason"].as_str().expect("a reason");
    assert!(reason.contains("Input/output error") && !reason.contains("log/seg-"), "{reason}");
    for number in 0..2 {
        let late = scene.request(client, number);
        let received = send(client, &late.octets).await.expect("it stays");
        assert_eq!((received.status.as_u16(), problem_of(&received).code.as_str()), (503, "OG-LOG-001"));
    }
    for path in ["/v1/catalogue", "/log/checkpoint"] {
        let received = client.get(path).await.expect("it stays");
        assert_eq!(received.status.as_u16(), 200, "{path}");
        if path == "/log/checkpoint" {
            books.seen(&received.body);
        }
    }
}

/// Gives each of the first calls of the writer a fault; the kinds of fault take turns.
fn each_call(call: &str, faults: &[Fault], exchanges: impl Fn(u64) -> u64) -> Sum {
    let (mut stage, calls) = (Stage::new(), number_from("FAULT_CALLS", CALLS));
    for number in number_from("FAULT_FIRST", 1)..=calls {
        // The turn goes on by one whenever the number of kinds divides the number: so that not all odd ones are of one kind.
        let fault = faults[(number as usize + number as usize / faults.len()) % faults.len()];
        // Where many exchanges share a call it takes more of them.
        let is_hit = (0..4).any(|more| {
            let before = stage.sum.killed + stage.sum.not_started;
            let injected = stage.round(call, &[], (fault, number), exchanges(number) << more);
            injected > 0 || stage.sum.killed + stage.sum.not_started > before
        });
        assert!(is_hit, "{call} {}: there were not so many calls", fault.text(number));
    }
    stage.begin_anew();
    let sum = std::mem::take(&mut stage.sum);
    println!("{call}: {} rounds, {:?} given an error, killed {}", sum.rounds, sum.injected, sum.killed);
    println!("did not start {}, stopped {}, messages refused {}", sum.not_started, sum.stopped, sum.refused);
    println!("messages {}, of them answered in the end all", sum.answered);
    println!("retried: answered before {}, on record only {}", sum.retried.answered_before, sum.retried.on_record_only);
    println!("retried: answered afresh {}", sum.retried.afresh);
    sum
}

impl Sum {
    fn tell(&self, row: &str) {
        let injected = self.injected.values().sum::<u64>() + self.killed;
        tell(row, format!("{injected} in {} rounds; {} messages, 0 acknowledged lost", self.rounds, self.answered));
    }
}

#[test]
fn nothing_answered_is_lost_when_any_write_fails() {
    let faults = [Fault::Once("EIO"), Fault::FromThenOn("ENOSPC"), Fault::Once("ENOSPC"), Fault::FromThenOn("EIO"), Fault::Kill];
    // A group is written with two calls, one for the tree and one for its frames, and an exchange has two groups.
    let sum = each_call("pwrite64", &faults, |number| number.saturating_sub(AHEAD) / 4 + 4);
    assert!(sum.injected.keys().any(|of| of.ends_with("journal")) && sum.injected.keys().any(|of| of.ends_with("tree")));
    assert!(sum.refused > 0 && sum.killed > 0);
    sum.tell("system-call faults injected: writes");
}

#[test]
fn nothing_answered_is_lost_when_any_sync_fails() {
    let faults = [Fault::Once("EIO"), Fault::FromThenOn("EIO"), Fault::Kill];
    let sum = each_call("fdatasync", &faults, |number| number / 2 + 3);
    assert!(sum.stopped > 0 && sum.killed > 0);
    assert!(sum.injected.keys().any(|of| of.ends_with("journal")));
    sum.tell("system-call faults injected: syncs");
}

/// Each call of the start that changes or opens a file, in an empty folder and in one with a log.
#[test]
fn a_start_that_fails_anywhere_does_no_harm() {
    let mut stage = Stage::new();
    let paths = stage.paths();
    let mut places = 0;
    for call in ["mkdir", "openat", "write", "fsync", "ftruncate", "rename", "unlink"] {
        for fault in [Fault::Once("EIO"), Fault::Kill] {
            for is_empty in [true, false] {
                for number in 1.. {
                    if is_empty {
                        stage.begin_anew();
                    }
                    let before = (stage.sum.not_started, stage.sum.killed);
                    let injected = stage.round(call, &paths, (fault, number), 2);
                    places += injected.max(stage.sum.not_started - before.0);
                    if injected == 0 && before == (stage.sum.not_started, stage.sum.killed) {
                        break;
                    }
                }
            }
        }
    }
    println!("{places} calls of the start, {:?}, not started {}", stage.sum.injected, stage.sum.not_started);
    assert!(places > 60 && stage.sum.not_started > 60, "{places} {}", stage.sum.not_started);
    tell("system-call faults injected: starts", format!("{places}, each followed by a start without a hand"));
}

/// A disk that has so many pages left, and so many more each time: the places at which it becomes full are many.
#[test]
fn a_disk_that_is_full_at_any_place_stops_nothing() {
    const ROW: &str = "full disks";
    const PAGES: u64 = 24;
    /// More than fit into so many pages.
    const EXCHANGES: u64 = 40;
    let books = Books::new();
    let scene = Scene::observed("records = \"off\"\n", books.observer());
    fs::create_dir(scene.data()).expect("writable");
    let rig = match Rig::new(&scene.data(), Device::Memory) {
        Ok(rig) => rig,
        Err(why) => {
            println!("NOT RUN, nothing can be mounted here (it needs root): {why}");
            return tell(ROW, "not run: needs root");
        }
    };
    let (data, mut refused_in_all, mut at_once) = (rig.inside(), 0, 0);
    for pages in 0..number_from("FULL_DISKS", PAGES) {
        books.pages().round += 1;
        let mut command = rig.command(oncegate());
        command.args(["run", "-c"]).arg(scene.config());
        let gateway = Process::from(command).unwrap_or_else(|(status, said)| panic!("{status}: {said}"));
        // The writer fills ahead with the first record, as far as there is room.
        let filler = data.join("filler");
        let filled = fs::write(&filler, vec![1; 32 << 20]).map_err(|cause| cause.kind());
        assert_eq!(filled, Err(std::io::ErrorKind::StorageFull));
        let file = File::options().write(true).open(&filler).expect("it is there");
        let length = file.metadata().expect("it is there").len();
        file.set_len(length - pages * 4096).expect("it becomes shorter");
        drop(file);
        let Loaded::Ended { refused, .. } = scene.block_on(load(&scene, &books, 0, EXCHANGES)) else {
            panic!("{pages}: it has stopped")
        };
        assert!(refused > 0, "{pages} pages were enough");
        at_once += u64::from(refused == EXCHANGES);
        fs::remove_file(&filler).expect("it is there");
        // With room the same messages pass, without a restart.
        scene.block_on(retry(&books, &scene.client(), AGAIN, &mut Retried::default()));
        let said = gateway.killed();
        assert!(said.contains("No space left") && said.contains("records are written again"), "{said}");
        compare(&books, &records(&data));
        hold_against_checkpoints(&data, &books);
        refused_in_all += refused;
    }
    let answered = books.pages().asked.len();
    assert!(at_once < 4, "what room there is is not used");
    tell(ROW, format!("{PAGES} places; {refused_in_all} refused, {answered} answered, 0 lost, no restart needed"));
}
