//! Every file below `data` of a real gateway that is stopped, and each class of octets in it: changed, cut, removed. What becomes
//! of it is in a table: the start names it, or reading does, or `log verify --all`, or it is shown to be without effect, since
//! start, search, trail, what is sealed and all receipts are as before. Nothing may be silent.

use crate::damage::copy;
use crate::process::{Scene, answered, oncegate};
use crate::tool::said;
use oncegate::base::ids::{AgencyId, Digest, Identifier, MessageId};
use oncegate::base::time::UnixTime;
use oncegate::evidence::audit::Filter;
use oncegate::evidence::journal::{self, Entry, Erasure};
use oncegate::evidence::tlog::{Private, Record, RecordKind};
use oncegate::host::inforce::InForce;
use oncegate::host::store::{Settings, Store, StoreError, Sync};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ORIGIN: &str = "localhost/audit";
const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;

fn person(number: u64) -> Identifier {
    Identifier::synthetic(number as u32 % 7)
}

fn entry(number: u64, time: u64) -> Entry {
    let mut record = Record::new(RecordKind::Answer, UnixTime::from_ms(time + number));
    let digest = Digest::from_octets([number as u8; 32]);
    record.message = Some(MessageId::new(UnixTime::from_ms(time + number), [7; 10]));
    record.consumer = AgencyId::parse(&format!("xx.school-{}", number % 3));
    (record.digest, record.counterpart) = (Some(digest), Some(digest));
    let private = Private { subject: vec![person(number)].into(), ..Private::default() };
    Entry { record, private, body: Some(vec![b'a'; 300]) }
}

/// A gateway that has run in two years, with complete volumes, things erased, and a time stamp.
fn old_office() -> Scene {
    let scene = Scene::new("records = \"off\"\n");
    let data = scene.data();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let small = Settings { sync: Sync::Always, volume_records: 40, ..Settings::default() };
    let (store, _) = Store::open(&data, ORIGIN, small).expect("opens");
    scene.block_on(async {
        for number in 0..90 {
            store.append(entry(number, now - YEAR_MS)).await.expect("durable");
        }
    });
    let stamped = store.checkpoint().to_string();
    store.close();
    drop(store);
    let school = scene.client();
    for round in 0..2 {
        let gateway = scene.start();
        scene.block_on(answered(&school, &scene.request(&school, round)));
        gateway.stop();
        if round == 0 {
            for (index, part) in [("5", "private"), ("6", "record")] {
                let mut command = Command::new(oncegate());
                command.args(["log", "erase", index, part, "--reason", "a court", "-c"]).arg(scene.config());
                let output = command.output().expect("it starts");
                assert!(output.status.success(), "{}", said(&output));
            }
        }
    }
    let stamps = data.join("log/stamps");
    fs::create_dir_all(&stamps).expect("writable");
    fs::write(stamps.join("90.checkpoint"), stamped).expect("writable");
    fs::write(stamps.join("90.tsr"), [0x30; 80]).expect("writable");
    // Zeros that were written ahead may be missing; copies are faster without them.
    for number in 0.. {
        let path = scene.segment(number);
        let Ok(mut octets) = fs::read(&path) else { break };
        let mut end = 0;
        while let Ok((_, length)) = journal::read_frame(&octets[end..], Erasure::Possible) {
            end += length;
        }
        octets.truncate(end);
        fs::write(&path, octets).expect("writable");
    }
    scene
}

/// All that can be asked of a log. An error is told by the file that it names.
fn answers(data: &Path) -> Result<String, StoreError> {
    let (store, recovered) = Store::open(data, ORIGIN, Settings::default())?;
    let mut told = format!("{} records, root {}\n", recovered.size, store.checkpoint().claimed().root);
    let error = |error: StoreError| format!("! {error}");
    let checkpoint = store.checkpoint();
    for index in 0..recovered.size {
        let private = store.private(index).map_or_else(error, |octets| octets.escape_ascii().to_string());
        let body = store.body(index).map_or_else(error, |octets| octets.escape_ascii().to_string());
        let leaf = store.record(index).map_or_else(error, |found| found.leaf);
        let receipt = store.receipt(index, &checkpoint).map_or_else(error, |proof| proof.to_string().escape_debug().to_string());
        let _ = writeln!(told, "{index} {leaf} {private} {body} {receipt}");
    }
    let persons = (0..7).map(|number| Filter { person: Some(person(number)), ..Filter::default() });
    let consumers =
        (0..3).map(|number| Filter { consumer: AgencyId::parse(&format!("xx.school-{number}")), ..Filter::default() });
    for filter in persons.chain(consumers).chain([Filter::default()]) {
        let found = store.search(&filter, None, 100).map(|page| page.records.iter().map(|found| found.index).collect::<Vec<_>>());
        let _ = writeln!(told, "{}", found.map_or_else(error, |found| format!("{found:?}")));
    }
    // And it goes on.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    runtime.block_on(store.append(entry(95, now)))?;
    let (private, body) = (store.private(recovered.size)?, store.body(recovered.size)?);
    let _ = writeln!(told, "it goes on: {} {}", private.starts_with(b"{"), body.len());
    store.close();
    Ok(told.replace(data.to_str().expect("UTF-8"), "data"))
}

const SILENT: &str = "silent";

/// What is done to a file.
#[derive(Clone, Debug)]
enum Spoil {
    Changed(usize),
    Cut(usize),
    Removed,
}

/// The places of a file at which an octet is changed: its first, its last, some between; of a segment each field of frames.
fn places(name: &str, octets: &[u8]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..=6).map(|part| part * octets.len().saturating_sub(1) / 6).collect();
    // Checksums stand at the end, where there are any.
    places.extend((1..6).filter_map(|behind| octets.len().checked_sub(behind)));
    if name.contains("seg-") {
        let mut frames = Vec::new();
        let mut at = 0;
        while let Ok((frame, length)) = journal::read_frame(octets.get(at..).unwrap_or_default(), Erasure::Possible) {
            frames.push((at, length, frame.leaf.len(), frame.private.len()));
            at += length;
        }
        let count = frames.len();
        for number in [0, 1, 2, 3, count / 2, count.saturating_sub(3), count.saturating_sub(2), count.saturating_sub(1)] {
            let Some((at, length, leaf, private)) = frames.get(number) else { continue };
            // Length, checksum, kind, number, length of the leaf, leaf, lengths and checksums of the parts, the parts.
            let fields = [3, 5, 8, 16, 18, 19, 19 + leaf / 2, 19 + leaf + 2, 19 + leaf + 6, 19 + leaf + 10, 19 + leaf + 14];
            let parts = [35 + leaf, 35 + leaf + private / 2, 35 + leaf + private, length - 1];
            places.extend(fields.into_iter().chain(parts).filter(|place| place < length).map(|place| at + place));
        }
    }
    places.retain(|place| *place < octets.len());
    places.sort_unstable();
    places.dedup();
    places
}

fn spoils(name: &str, octets: &[u8]) -> Vec<Spoil> {
    let changed = places(name, octets).into_iter().map(Spoil::Changed);
    let mut cuts = vec![0, octets.len() / 2, octets.len().saturating_sub(1)];
    cuts.dedup();
    let cuts = cuts.into_iter().filter(|cut| *cut < octets.len()).map(Spoil::Cut);
    changed.chain(cuts).chain([Spoil::Removed]).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// What `log verify --all` says: its exit status and its words.
fn verified(scene: &Scene, data: &Path) -> (i32, String) {
    let config = fs::read_to_string(scene.config()).expect("readable");
    let line = config.lines().find(|line| line.starts_with("data")).expect("it is set").to_owned();
    let name = format!("{}.toml", data.file_name().expect("a name").to_string_lossy());
    let path = scene.config().with_file_name(name);
    fs::write(&path, config.replacen(&line, &format!("data = {data:?}"), 1)).expect("writable");
    let output = Command::new(oncegate()).args(["log", "verify", "--all", "-c"]).arg(path).output().expect("it starts");
    (output.status.code().expect("it ends"), said(&output))
}

/// What came of it, in a word; a panic if it was silent.
fn outcome(scene: &Scene, data: &Path, good: &str, what: &str) -> String {
    let (status, words) = verified(scene, data);
    let by_all = match status {
        0 if words.contains("note:") => "noted by --all",
        0 => "",
        _ => "named by --all",
    };
    let at_start = match answers(data) {
        Err(error) => {
            if !error.to_string().contains(data.to_str().expect("UTF-8")) {
                println!("{what}: no file is named: {error}");
                return SILENT.to_owned();
            }
            "named at start".to_owned()
        }
        Ok(told) if told == good => "start, search, trail, receipts as before".to_owned(),
        Ok(told) => {
            // What is damaged is never served: the answer says which file it is.
            let is_named = |(told, good): &(&str, &str)| told == good || told.contains("damaged from byte");
            let silent = told.lines().zip(good.lines()).find(|pair| !is_named(pair));
            if silent.is_some() || by_all.is_empty() {
                println!("{what}: silent: {by_all}\n  {silent:?}");
                return SILENT.to_owned();
            }
            "named when it is read".to_owned()
        }
    };
    [at_start.as_str(), by_all].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// A case: a file, and what is done to it.
type Case<'c> = (&'c str, &'c [u8], Spoil);
/// For each file and class of what is done, how often what came of it.
type Table = BTreeMap<(String, &'static str), BTreeMap<String, usize>>;

/// Carries out cases in a folder of their own.
fn carry_out(scene: &Scene, case: &Path, good: &str, cases: &[Case<'_>]) -> Table {
    let mut table = Table::new();
    for (name, octets, spoil) in cases {
        let _ = fs::remove_dir_all(case);
        copy(&scene.data(), case);
        let at = case.join(name);
        let class = match spoil {
            Spoil::Changed(place) => {
                let mut changed = octets.to_vec();
                changed[*place] ^= 1;
                fs::write(&at, changed).expect("writable");
                "changed"
            }
            Spoil::Cut(length) => {
                fs::write(&at, &octets[..*length]).expect("writable");
                "cut"
            }
            Spoil::Removed => {
                fs::remove_file(&at).expect("there");
                "removed"
            }
        };
        let came = outcome(scene, case, good, &format!("{name} {spoil:?}"));
        // sled's own files are of one kind.
        let kind = if name.contains("/postings/") { "log/live-N/postings/…".to_owned() } else { (*name).to_owned() };
        *table.entry((kind, class)).or_default().entry(came).or_default() += 1;
    }
    table
}

/// A name without its numbers.
fn kind(name: &str) -> String {
    name.chars().filter(|character| !character.is_ascii_digit()).collect()
}

#[test]
fn whatever_is_spoilt_below_data_is_named_or_has_no_effect() {
    let scene = old_office();
    let data = scene.data();
    let case = scene.folder().join("case");
    copy(&data, &case);
    assert_eq!(verified(&scene, &case).0, 0, "{}", verified(&scene, &case).1);
    let good = answers(&case).expect("it starts");
    assert!(good.lines().count() > 100 && !good.contains("! damaged"), "{good}");
    let mut paths = Vec::new();
    files(&data, &mut paths);
    paths.sort();
    let named = |path: &PathBuf| path.strip_prefix(&data).expect("inside").to_str().expect("UTF-8").to_owned();
    let all: Vec<(String, Vec<u8>)> = paths.iter().map(|path| (named(path), fs::read(path).expect("readable"))).collect();
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (at, (name, octets)) in all.iter().enumerate() {
        let is_same = |other: Option<&(String, Vec<u8>)>| other.is_some_and(|(other, _)| kind(other) == kind(name));
        // Of many files of one kind the first and the last are looked at in full.
        let is_between = is_same(at.checked_sub(1).and_then(|at| all.get(at))) && is_same(all.get(at + 1));
        let spoils = spoils(name, octets);
        let step = if is_between || kind(name).contains("vol-") { spoils.len().div_ceil(6) } else { 1 };
        cases.extend(spoils.into_iter().rev().step_by(step).map(|spoil| (name.as_str(), octets.as_slice(), spoil)));
    }
    let halves: [Vec<Case<'_>>; 2] = [0, 1].map(|half| cases.iter().skip(half).step_by(2).cloned().collect());
    let (scene, good) = (&scene, good.as_str());
    let tables = std::thread::scope(|scope| {
        let threads = halves.each_ref().map(|cases| {
            let folder = scene.folder().join(format!("case-{}", cases.as_ptr().addr()));
            scope.spawn(move || carry_out(scene, &folder, good, cases))
        });
        threads.map(|thread| thread.join().expect("no panic"))
    });
    let mut table = Table::new();
    for (what, came) in tables.into_iter().flatten() {
        let row = table.entry(what).or_default();
        came.into_iter().for_each(|(came, count)| *row.entry(came).or_default() += count);
    }
    println!("{} cases\n| file below data | what was done | what came of it |\n|---|---|---|", cases.len());
    for ((name, class), came) in &table {
        let came: Vec<String> = came.iter().map(|(came, count)| format!("{count}: {came}")).collect();
        println!("| `{name}` | {class} | {} |", came.join(" / "));
    }
    let silent: Vec<_> = table.iter().filter(|(_, came)| came.contains_key(SILENT)).map(|(what, _)| what).collect();
    assert!(silent.is_empty(), "{silent:?}");
    let expected = ["keys/log", "keys/sums", "keys/starts", "log/end", "log/names", "log/seg-000000", "log/tree/0", "registry"];
    for name in expected.into_iter().chain(["log/vol-000000/meta", "log/stamps/90.tsr"]) {
        assert!(table.keys().any(|(known, _)| known == name), "{name} is not in the table");
    }
}

/// What the gateway itself has in `data`, beside its log: which registry was in force, and its socket.
#[test]
fn what_lies_beside_the_log_is_named_or_has_no_effect() {
    let scene = Scene::new("records = \"off\"\n");
    let school = scene.client();
    let exchange = |number| scene.run_once(&school, number);
    exchange(0);
    let registry = scene.data().join("registry");
    let (good, in_force) = (fs::read(&registry).expect("there"), InForce::read(&scene.data()));
    for (number, spoil) in spoils("registry", &good).into_iter().enumerate() {
        match &spoil {
            Spoil::Changed(place) => {
                let mut changed = good.clone();
                changed[*place] ^= 1;
                fs::write(&registry, changed).expect("writable");
            }
            Spoil::Cut(length) => fs::write(&registry, &good[..*length]).expect("writable"),
            Spoil::Removed => fs::remove_file(&registry).expect("there"),
        }
        match crate::process::Process::run(&scene.config()) {
            Ok(gateway) => {
                scene.block_on(answered(&school, &scene.request(&school, number)));
                gateway.stop();
                assert_eq!(InForce::read(&scene.data()), in_force, "{spoil:?}");
                println!("data/registry {spoil:?}: without effect, and written anew");
            }
            Err((_, said)) => {
                assert!(said.contains("OG-CFG-") && said.contains("registry"), "{spoil:?}: {said}");
                println!("data/registry {spoil:?}: named at start");
            }
        }
        fs::write(&registry, &good).expect("writable");
    }
    // A socket that a killed gateway has left, or a file in its place.
    scene.start().kill();
    exchange(1);
    fs::write(scene.data().join("control"), "of others").expect("writable");
    exchange(3);
}
