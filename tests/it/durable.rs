//! What a command or an answer promises to keep is on the disk by the rules of POSIX alone: octets when the file was synced
//! since, a name when its folder was. `strace` tells what the program did; the worst file system that the rules allow is
//! reckoned from it. Power cuts on ext4 (`powercut.rs`) are kinder: there a sync of one file makes the names of others durable.

use crate::attached::{left, naming};
use crate::figures::tell;
use crate::folder::Folder;
use crate::process::{LONG, Process, Scene, answered, oncegate};
use crate::tool::said;
use oncegate::faces::client::Attached;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls that change a file or a name, or make them durable.
const CALLS: &str = "trace=openat,mkdir,mkdirat,rename,renameat,renameat2,write,pwrite64,ftruncate,fsync,fdatasync,unlink";

/// Everything that is not yet on the disk.
#[derive(Default)]
struct Pending {
    octets: BTreeSet<PathBuf>,
    names: BTreeSet<PathBuf>,
    calls: u64,
}

impl Pending {
    /// What a trace of a program leaves open below a folder.
    fn after(trace: &str, folder: &Path) -> Self {
        let (mut this, mut unfinished) = (Self::default(), BTreeMap::new());
        for line in trace.lines() {
            let Some((pid, call)) = line.split_once(' ') else { continue };
            let call = call.trim_start();
            if let Some((begun, _)) = call.split_once("<unfinished ...>") {
                unfinished.insert(pid, begun);
            } else if let Some((_, rest)) = call.split_once(" resumed>") {
                // A call that had begun when the thread began to be traced has no beginning.
                if let Some(begun) = unfinished.remove(pid) {
                    this.apply(&format!("{begun}{rest}"), folder);
                }
            } else {
                this.apply(call, folder);
            }
        }
        this
    }

    fn apply(&mut self, call: &str, folder: &Path) {
        let Some((call, result)) = call.rsplit_once(" = ") else { return };
        if result.starts_with('-') {
            return;
        }
        let Some((name, arguments)) = call.split_once('(') else { return };
        // Paths stand between quotation marks, those of open files between angle brackets.
        let quoted: Vec<PathBuf> = arguments.split('"').skip(1).step_by(2).map(PathBuf::from).collect();
        let open = |text: &str| {
            let path = text.split_once('<')?.1.split_once('>')?.0;
            Some(PathBuf::from(path.trim_end_matches(" (deleted)")))
        };
        let is_ours = |path: &PathBuf| path.starts_with(folder);
        let (first, second) = (quoted.first().filter(|path| is_ours(path)), quoted.get(1).filter(|path| is_ours(path)));
        let file = open(arguments).filter(is_ours);
        match (name, first, file) {
            ("openat", Some(path), _) if arguments.contains("O_CREAT") => {
                // It may have been there: then less is open than is reckoned.
                self.names.insert(path.clone());
                self.octets.insert(path.clone());
            }
            ("mkdir" | "mkdirat", Some(path), _) => drop(self.names.insert(path.clone())),
            ("rename" | "renameat" | "renameat2", Some(from), _) => {
                let to = second.expect("another name");
                self.names.remove(from);
                self.names.insert(to.clone());
                if self.octets.remove(from) {
                    self.octets.insert(to.clone());
                } else {
                    self.octets.remove(to);
                }
            }
            ("unlink", Some(path), _) => {
                self.names.remove(path);
                self.octets.remove(path);
            }
            ("write" | "pwrite64" | "ftruncate", _, Some(path)) => drop(self.octets.insert(path)),
            ("fsync" | "fdatasync", _, Some(path)) => {
                self.octets.remove(&path);
                self.names.retain(|name| name.parent() != Some(&path));
            }
            _ => return,
        }
        self.calls += 1;
    }

    /// What is open, but for what is made anew when it is gone.
    fn open(&self) -> Vec<String> {
        let is_derived = |path: &&PathBuf| {
            let is_work = path.to_str().is_some_and(|path| path.contains("/log/work") || path.contains("/log/cases"));
            is_work
                || path.iter().filter_map(|part| part.to_str()).any(|part| {
                    ["tree", "names", "lock", "rows.new"].contains(&part)
                        || part.starts_with("live-")
                        || part.starts_with("vol-")
                        || part.ends_with(".lock")
                        // A note of an attachment that is found under its old name is held against the log.
                        || part.starts_with("n-")
                })
        };
        let tell = |what: &'static str| move |path: &PathBuf| format!("{what} of {}", path.display());
        let octets = self.octets.iter().filter(|path| !is_derived(path)).map(tell("octets"));
        octets.chain(self.names.iter().filter(|path| !is_derived(path)).map(tell("name"))).collect()
    }
}

/// A program that is traced.
fn traced(trace: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-y", "-s", "4096", "--seccomp-bpf", "-e", CALLS, "-e", "write=none", "-o"]).arg(trace);
    command.arg(oncegate());
    command
}

/// Nothing is open; and the same trace without the syncs of one kind shows that something would be.
fn check(trace: &Path, folder: &Path, what: &str) -> u64 {
    let text = fs::read_to_string(trace).expect("a trace");
    let pending = Pending::after(&text, folder);
    assert_eq!(pending.open(), Vec::<String>::new(), "{what}");
    let is_folder = |line: &str| {
        let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        line.contains("fsync(") && path.is_some_and(|(path, _)| Path::new(path).is_dir())
    };
    for (kind, is_left_out) in [("folders", true), ("files", false)] {
        let lines = text.lines().filter(|line| !line.contains("sync") || is_folder(line) != is_left_out);
        let rest: Vec<&str> = lines.collect();
        let open = Pending::after(&rest.join("\n"), folder).open();
        assert!(!open.is_empty(), "{what}: without the syncs of {kind} nothing is open, so this shows nothing");
    }
    pending.calls
}

#[test]
fn what_is_promised_is_durable_by_the_rules_alone() {
    let folder = Folder::new();
    let (trace, path) = (folder.path().join("trace"), |name: &str| folder.path().join(name).to_str().expect("a name").to_owned());
    let (office, w) = (path("office"), path("w"));
    let run = |arguments: &[&str], inside: &Path| {
        let output = traced(&trace).args(arguments).output().expect("it starts");
        assert!(output.status.success(), "{}", said(&output));
        check(&trace, inside, &arguments.join(" "))
    };
    let mut calls = run(&["init", &office], folder.path());
    calls += run(&["agency", "add", "xx.some.school-1", "--in", &office, "--name", "School 1"], folder.path());
    calls += run(&["agency", "suspend", "xx.some.school-1", "--in", &office], folder.path());
    calls += run(&["witness", "init", &w, "--name", "witness.example/w1"], folder.path());
    let log = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    calls += run(&["witness", "add", "-c", &path("w/witness.toml"), log], folder.path());

    // The first start of a gateway, and an answer; then what is erased begins a new segment.
    let scene = Scene::new("records = \"off\"\n");
    let own = scene.folder().join("trace");
    let mut command = traced(&own);
    command.args(["run", "-c"]).arg(scene.config());
    let gateway = Process::from(command).unwrap_or_else(|(status, said)| panic!("{status}: {said}"));
    let client = scene.client();
    for number in 0..3 {
        scene.block_on(answered(&client, &scene.request(&client, number)));
    }
    // Its attachment is kept with its record, whatever its holder makes of it.
    let file = scene.folder().join("scan.pdf");
    fs::write(&file, vec![7; 200_000]).expect("writable");
    let attached = Attached::of_file(&file, 1).expect("a file");
    let question = naming(&scene, &client, vec![attached.attachment().clone()]);
    scene.block_on(client.post_with(question.octets, &[attached], "wait=30", LONG)).expect("the gateway is there");
    assert_eq!(left(&scene).len(), 2);
    gateway.killed();
    calls += check(&own, scene.world().folder(), "a gateway");
    let config = scene.config().to_str().expect("a name").to_owned();
    for (index, part) in [("1", "message"), ("0", "private"), ("1", "record")] {
        calls += run(&["log", "erase", index, part, "--reason", "a court", "-c", &config], scene.world().folder());
    }
    tell("calls reckoned by the rules of POSIX", format!("{calls}; nothing promised is not durable"));
}
