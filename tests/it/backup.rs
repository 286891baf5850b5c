//! Backups of a real gateway, while it runs and while it is stopped, and what comes back from them.

use crate::books::{Books, ask};
use crate::evidence::Witnessed;
use crate::folder::Folder;
use crate::process::{Scene, answered, oncegate};
use crate::tool::said;
use oncegate::evidence::tlog::note::Checkpoint;
use oncegate::evidence::tlog::proof::Proof;
use oncegate::evidence::tlog::tree::verify_consistency;
use oncegate::faces::client::Client;
use oncegate::host::store::{Settings, Store, log_key};
use oncegate::program::demo::copy;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const ORIGIN: &str = "localhost/audit";

/// Where backups of a scene go.
struct Shelf<'s> {
    scene: &'s Scene,
    folder: Folder,
}

impl<'s> Shelf<'s> {
    fn new(scene: &'s Scene) -> Self {
        Self { scene, folder: Folder::new() }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("one/log")
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("two/keys")
    }

    fn backup(&self) -> Command {
        let mut command = Command::new(oncegate());
        command.arg("backup").arg(self.log()).arg("--keys").arg(self.keys()).arg("-c").arg(self.scene.config()).arg("--json");
        command
    }

    /// Makes a backup; gives what it says.
    fn back_up(&self) -> serde_json::Value {
        let output = self.backup().output().expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Restores it into the scene's data directory, or fails.
    fn restore(&self, more: &[&Path]) -> Output {
        let mut command = Command::new(oncegate());
        command.arg("restore").arg(self.log()).arg("--keys").arg(self.keys()).arg("-c").arg(self.scene.config());
        for checkpoint in more {
            command.arg("--checkpoint").arg(checkpoint);
        }
        command.output().expect("it starts")
    }
}

/// Runs a command on the log of a scene.
fn log(scene: &Scene, arguments: &[&str]) -> Output {
    Command::new(oncegate()).arg("log").args(arguments).arg("-c").arg(scene.config()).output().expect("it starts")
}

fn copied(backed: &serde_json::Value) -> Vec<&str> {
    backed["copied"].as_array().expect("a list").iter().filter_map(|name| name.as_str()).collect()
}

async fn checkpoint_of(client: &Client) -> Checkpoint {
    let received = client.get("/log/checkpoint").await.expect("the gateway is there");
    Checkpoint::parse(std::str::from_utf8(&received.body).expect("text")).expect("a checkpoint")
}

async fn receipt_of(client: &Client, id: &str) -> String {
    let received = client.get(&format!("/v1/messages/{id}/receipt")).await.expect("the gateway is there");
    String::from_utf8(received.body.to_vec()).expect("text")
}

/// Asks until the gateway is away.
async fn load(scene: Arc<Scene>, books: Arc<Books>, first: usize) {
    let client = scene.client();
    for number in first.. {
        let request = scene.request(&client, number);
        if ask(&books, &client, request.id, &request.octets).await.is_none() {
            return;
        }
    }
}

/// Starts a load of several clients.
fn under_load(scene: &Arc<Scene>) -> JoinSet<()> {
    let (mut clients, books) = (JoinSet::new(), Books::new());
    scene.block_on(async {
        for client in 0..3 {
            clients.spawn(load(Arc::clone(scene), Arc::clone(&books), 20 + client * 40));
        }
    });
    clients
}

#[test]
fn a_backup_under_load_is_restored_and_goes_on_as_the_same_log() {
    let scene = Arc::new(Scene::new("records = \"off\"\n"));
    let shelf = Shelf::new(&scene);
    let (gateway, school) = (scene.start(), scene.client());
    let request = scene.request(&school, 0);
    scene.block_on(answered(&school, &request));
    let early = scene.folder().join("early.receipt");
    fs::write(&early, scene.block_on(receipt_of(&school, &request.id.to_string()))).expect("writable");
    let clients = under_load(&scene);
    let mut sizes = Vec::new();
    for _ in 0..5 {
        let seen = scene.block_on(checkpoint_of(&school)).claimed().size;
        let backed = shelf.back_up();
        let size = backed["records"].as_u64().expect("a number");
        assert!(size >= seen, "{size} of {seen}");
        assert!(copied(&backed).contains(&"log/seg-000000"), "{backed}");
        sizes.push(size);
    }
    assert!(sizes.is_sorted() && sizes.first() < sizes.last(), "there was no load: {sizes:?}");
    let old = scene.block_on(checkpoint_of(&school));
    gateway.kill();
    scene.block_on(async { clients.join_all().await });
    // The machine is gone; elsewhere the log comes back.
    let lost = scene.folder().join("lost");
    fs::rename(scene.data(), &lost).expect("writable");
    let output = shelf.restore(&[&early]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let size = *sizes.last().expect("backups");
    assert!(said(&output).contains(&format!("{size} records")), "{}", said(&output));
    for name in ["private", "bodies"] {
        let keys = |data: &Path| fs::read(data.join("keys").join(name)).expect("there");
        assert_ne!(keys(&lost), keys(&scene.data()), "it seals under keys of its own");
    }
    for name in ["log", "index", "sums"] {
        let keys = |data: &Path| fs::read(data.join("keys").join(name)).expect("there");
        assert_eq!(keys(&lost), keys(&scene.data()));
    }
    let output = log(&scene, &["verify", "--all", "--checkpoint", early.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(!said(&output).contains("note:"), "{}", said(&output));
    // Where somebody has seen more than the backup has, that is told.
    let late = scene.folder().join("late.checkpoint");
    fs::write(&late, old.to_string()).expect("writable");
    let is_older = old.claimed().size > size;
    let output = log(&scene, &["verify", "--all", "--checkpoint", late.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code() == Some(6), is_older, "{}", said(&output));

    let gateway = scene.start();
    // A message of before is answered from the log, with the answer that was sealed then; a new one goes through.
    let again = scene.block_on(answered(&school, &request));
    assert!(crate::process::is_replayed(&again));
    let more = scene.request(&school, 3);
    scene.block_on(answered(&school, &more));
    let receipts = scene.block_on(receipt_of(&school, &more.id.to_string()));
    let key = log_key(&scene.data(), ORIGIN).expect("a key");
    for text in [fs::read_to_string(&early).expect("there"), receipts.clone()] {
        for proof in Proof::parse_bundle(&text).expect("receipts") {
            proof.verify(&key).expect("it holds under the same key");
        }
    }
    gateway.stop();
    // The tree goes on from the receipt of before.
    let old = Proof::parse_bundle(&fs::read_to_string(&early).expect("there")).expect("receipts").remove(0).checkpoint.claimed();
    let (store, _) = Store::open(&scene.data(), ORIGIN, Settings::default()).expect("opens");
    let new = store.checkpoint().claimed();
    let proof = store.consistency(old.size, new.size).expect("kept");
    assert!(new.size > size);
    verify_consistency(&old, &new, &proof).expect("it is the same log");
    store.close();
    drop(store);
    let output = log(&scene, &["verify", "--all", "--checkpoint", early.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_second_backup_copies_only_what_is_new() {
    let scene = Scene::new("records = \"off\"\n");
    let shelf = Shelf::new(&scene);
    let school = scene.client();
    let exchange = |number| scene.run_once(&school, number);
    exchange(0);
    // An erasure ends a volume, and with it a segment.
    let erase = |index: &str| {
        let output = log(&scene, &["erase", index, "private", "--reason", "a court"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    };
    erase("0");
    let first = shelf.back_up();
    assert_eq!(copied(&first), ["log/seg-000000", "log/seg-000001", "registry"], "{first}");
    assert_eq!((copied(&shelf.back_up()).len(), shelf.back_up()["kept"].as_u64()), (0, Some(3)));
    exchange(1);
    assert_eq!(copied(&shelf.back_up()), ["log/seg-000001"]);
    // What was erased in a segment is erased in its copy.
    erase("1");
    assert_eq!(copied(&shelf.back_up()), ["log/seg-000000", "log/seg-000001", "log/seg-000002"]);
    // Of a running gateway the same.
    let gateway = scene.start();
    scene.block_on(answered(&school, &scene.request(&school, 3)));
    assert_eq!(copied(&shelf.back_up()), ["log/seg-000002"]);
    assert!(copied(&shelf.back_up()).is_empty());
    gateway.stop();
    let files = fs::read_dir(shelf.log().join("files")).expect("readable").count();
    assert_eq!(files, 4, "what is not part of it any more was removed");
    fs::remove_dir_all(scene.data()).expect("there");
    let output = shelf.restore(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    exchange(4);
}

#[test]
fn a_backup_that_is_older_than_what_a_witness_saw_is_not_started() {
    let witnessed = Witnessed::new();
    let scene = &witnessed.scene;
    let shelf = Shelf::new(scene);
    let (gateway, school) = (scene.start(), scene.client());
    scene.block_on(answered(&school, &scene.request(&school, 0)));
    shelf.back_up();
    let request = scene.request(&school, 1);
    scene.block_on(answered(&school, &request));
    let receipt = scene.folder().join("late.receipt");
    let cosigned = witnessed.cosigned_receipt(&school, &request.id.to_string());
    fs::write(&receipt, cosigned[0].to_string()).expect("writable");
    gateway.stop();
    let newest = scene.folder().join("newest");
    fs::rename(scene.data(), &newest).expect("writable");
    // Whoever names the receipt is told at once.
    let output = shelf.restore(&[&receipt]);
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    assert!(said(&output).contains("rolled back"), "{}", said(&output));
    // What was not ended is not started.
    assert!(scene.refuses_to_start().contains("oncegate restore"));
    fs::remove_dir_all(scene.data()).expect("there");
    let output = shelf.restore(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let said = scene.refuses_to_start();
    assert!(said.contains("OG-LOG-002") && said.contains("which has 2"), "{said}");
    // Nor is a log that was put back made a backup of, in the place of one that has more.
    fs::remove_dir_all(scene.data()).expect("there");
    copy(&newest, &scene.data()).expect("a copy");
    shelf.back_up();
    fs::remove_dir_all(scene.data()).expect("there");
    let older = Shelf::new(scene);
    copy(&newest, &scene.data()).expect("a copy");
    older.back_up();
    scene.start().stop();
}

#[test]
fn a_backup_is_refused_where_it_would_do_harm() {
    let scene = Scene::new("records = \"off\"\n");
    let shelf = Shelf::new(&scene);
    let refused = |arguments: &[&Path], status: i32, words: &str| {
        let mut command = Command::new(oncegate());
        command.arg("backup").args(arguments).arg("-c").arg(scene.config());
        let output = command.output().expect("it starts");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    };
    let (log, keys, data) = (shelf.log(), shelf.keys(), scene.data());
    let (with, without) = (Path::new("--keys"), Path::new("--without-keys"));
    refused(&[&log], 2, "--keys");
    refused(&[&log, with, &keys, without], 2, "--without-keys");
    refused(&[&log, without], 1, "there is no log yet");
    let school = scene.client();
    let gateway = scene.start();
    scene.block_on(answered(&school, &scene.request(&school, 0)));
    refused(&[&log, with, &log], 2, "two folders");
    refused(&[&log, with, &log.join("keys")], 2, "two folders");
    refused(&[&data.join("backup"), without], 2, "two folders");
    refused(&[scene.folder(), without], 2, "");
    let full = shelf.folder.path().join("full");
    fs::create_dir_all(&full).expect("writable");
    fs::write(full.join("file"), "of others").expect("writable");
    refused(&[&full, without], 2, "not empty");
    shelf.back_up();
    let before = scene.folder().join("before");
    gateway.stop();
    copy(&data, &before).expect("a copy");
    let gateway = scene.start();
    scene.block_on(answered(&school, &scene.request(&school, 1)));
    shelf.back_up();
    gateway.stop();
    // An older state does not take the place of a newer one.
    fs::remove_dir_all(&data).expect("there");
    fs::rename(&before, &data).expect("writable");
    refused(&[&log, with, &keys], 6, "the backup has 4 records and the log 2");
    // A restore needs an empty folder, a backup as it was written, and its own keys.
    let restore = |status: i32, words: &str| {
        let output = shelf.restore(&[]);
        assert_eq!(output.status.code(), Some(status), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    };
    restore(2, "not empty");
    let file = |folder: &Path, begins: &str| {
        let found = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path());
        found.into_iter().find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begins)))
    };
    for path in [
        log.join("backup.json"),
        file(&log.join("files"), "log-seg-000000").expect("there"),
        file(&log.join("files"), "registry").expect("there"),
        keys.join("keys.json"),
    ] {
        let good = fs::read(&path).expect("there");
        for (what, octets) in [("cut", good[..good.len() / 2].to_vec()), ("changed", changed(&good)), ("gone", Vec::new())] {
            if what == "gone" { fs::remove_file(&path) } else { fs::write(&path, octets) }.expect("writable");
            let _ = fs::remove_dir_all(&data);
            let output = shelf.restore(&[]);
            assert!(matches!(output.status.code(), Some(2 | 6)), "{what} {}: {}", path.display(), said(&output));
            fs::write(&path, &good).expect("writable");
        }
    }
    let _ = fs::remove_dir_all(&data);
    restore(0, "ok  4 records");
}

/// Each octet of the middle is another.
fn changed(octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    let (middle, length) = (octets.len() / 2, octets.len());
    octets[middle..(middle + 64).min(length)].iter_mut().for_each(|octet| *octet ^= 1);
    octets
}

/// A backup is killed at many moments, and its disk is full at many places: what was finished before stays.
#[test]
fn an_interrupted_backup_leaves_the_last_good_one() {
    let scene = Scene::new("records = \"off\"\n");
    let shelf = Shelf::new(&scene);
    let (gateway, school) = (scene.start(), scene.client());
    scene.block_on(answered(&school, &scene.request(&school, 0)));
    let mut known = shelf.back_up()["records"].as_u64().expect("a number");
    let restored = || {
        let elsewhere = Folder::new();
        let data = elsewhere.path().join("data");
        let restoring = oncegate::host::store::Restoring::begin(&shelf.log(), &shelf.keys(), &data, ORIGIN);
        restoring.expect("a whole backup").finish(&[]).expect("a good one").size
    };
    for round in 0..12_u64 {
        scene.block_on(answered(&school, &scene.request(&school, round as usize + 1)));
        let mut child = shelf.backup().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(4 * round));
        let _ = child.kill();
        child.wait().expect("it ends");
        let size = restored();
        assert!(size >= known, "{size} of {known}");
        known = size;
    }
    let (mut full, end) = (0, Instant::now() + Duration::from_secs(60));
    for call in ["pwrite64", "write", "fsync", "rename"] {
        for number in 1..8 {
            scene.block_on(answered(&school, &scene.request(&school, 20 + full)));
            let mut command = Command::new("strace");
            command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}")]);
            command.args(["-e", &format!("inject={call}:error=ENOSPC:when={number}")]);
            command.arg(oncegate()).arg("backup").arg(shelf.log()).arg("--keys").arg(shelf.keys()).arg("-c").arg(scene.config());
            let output = command.output().expect("strace is installed");
            let size = restored();
            assert!(size >= known, "{size} of {known}");
            known = size;
            let text = said(&output);
            if output.status.code() == Some(1) && text.contains("the disk is full") {
                full += 1;
            }
            assert!(Instant::now() < end, "it takes too long");
        }
    }
    assert!(full >= 4, "no disk was full: {full}");
    assert!(shelf.back_up()["records"].as_u64() > Some(known - 1));
    gateway.stop();
}

/// A copy that somebody makes with the means of the system while the gateway runs may be torn, and is never called changed.
#[test]
fn a_copy_of_a_running_log_is_never_called_changed() {
    let scene = Arc::new(Scene::new("records = \"off\"\n"));
    let gateway = scene.start();
    let clients = under_load(&scene);
    let (mut whole, mut noted, mut torn) = (0, 0, 0);
    let config = fs::read_to_string(scene.config()).expect("readable");
    let line = config.lines().find(|line| line.starts_with("data")).map(str::to_owned);
    for round in 0..25 {
        let folder = scene.folder().join(format!("copy-{round}"));
        let output = Command::new("cp").arg("-r").arg(scene.data()).arg(&folder).output().expect("it starts");
        // What is removed while it copies it may miss.
        assert!(folder.join("log/seg-000000").exists(), "{}", said(&output));
        let text = format!("data = {folder:?}");
        let other = line.as_ref().map_or(format!("{text}\n{config}"), |line| config.replacen(line, &text, 1));
        let path = scene.config().with_file_name("copy.toml");
        fs::write(&path, other).expect("writable");
        let output = Command::new(oncegate()).args(["log", "verify", "--all", "-c"]).arg(path).output().expect("it starts");
        let text = said(&output);
        match output.status.code() {
            Some(0) if text.contains("note:") => noted += 1,
            Some(0) => whole += 1,
            Some(1) if text.contains("cut short while copying") || text.contains("while it was copied") => torn += 1,
            other => panic!("{other:?}: {text}"),
        }
        fs::remove_dir_all(&folder).expect("there");
    }
    println!("copies of a running log: {whole} whole, {noted} with a note, {torn} torn, none called changed");
    gateway.kill();
    scene.block_on(async { clients.join_all().await });
}
