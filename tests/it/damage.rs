//! What is changed, cut or removed below `data` while the gateway is stopped.

use crate::folder::Folder;
use oncegate::base::ids::{AgencyId, Identifier, MessageId};
use oncegate::base::time::UnixTime;
use oncegate::evidence::journal::Entry;
use oncegate::evidence::tlog::{Private, Record, RecordKind};
use oncegate::host::store::{NotVerified, Note, Settings, Store, StoreError, verify_all};
use oncegate::message::crypto::sha256;
use std::fs;
use std::path::{Path, PathBuf};

const ORIGIN: &str = "localhost/audit";
const RECORDS: u64 = 25;

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable").map(|entry| entry.expect("readable").path()) {
        let to = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::copy(&entry, &to).expect("writable");
        }
    }
}

/// A data folder as version 0.1.0 wrote it.
fn last_version(folder: &Folder) -> PathBuf {
    let data = folder.path().join("data");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/data-1"), &data);
    data
}

fn open(data: &Path) -> Result<u64, StoreError> {
    let (store, _) = Store::open(data, ORIGIN, Settings::default())?;
    let size = store.size();
    store.close();
    Ok(size)
}

#[test]
fn a_data_folder_of_the_last_version_starts_verifies_and_has_its_keys_bound() {
    let folder = Folder::new();
    let data = last_version(&folder);
    assert_eq!(verify_all(&data, &[]).expect("whole").head.size, RECORDS);
    let (store, _) = Store::open(&data, ORIGIN, Settings::default()).expect("it starts");
    for index in 0..RECORDS {
        assert!(!store.record(index).expect("it is found").leaf.is_empty());
    }
    store.close();
    drop(store);
    let sums = fs::read_to_string(data.join("keys/sums")).expect("the keys are listed");
    assert_eq!(
        sums.lines().map(|line| line.split(' ').next().expect("a name")).collect::<Vec<_>>(),
        ["index", "log", "person-2026"]
    );
    assert_eq!(open(&data).expect("again"), RECORDS);
}

#[test]
fn a_key_that_was_changed_cut_or_removed_is_named_and_never_made_anew() {
    let folder = Folder::new();
    let data = last_version(&folder);
    assert_eq!(open(&data).expect("it starts"), RECORDS);
    type Spoil = fn(&Path, Vec<u8>);
    let spoil: [(&str, Spoil); 3] = [
        ("changed", |path, mut octets| {
            let at = octets.len() / 2;
            octets[at] ^= 1;
            fs::write(path, octets).expect("writable");
        }),
        ("cut", |path, octets| fs::write(path, &octets[..octets.len() - 1]).expect("writable")),
        ("removed", |path, _| fs::remove_file(path).expect("there")),
    ];
    for name in ["log", "index", "person-2026", "private", "bodies"] {
        let path = data.join("keys").join(name);
        let good = fs::read(&path).expect("readable");
        for (what, spoil) in &spoil {
            spoil(&path, good.clone());
            match open(&data) {
                Err(StoreError::Damaged { path: named, .. }) => assert_eq!(named, path, "{what}"),
                other => panic!("keys/{name} {what}: {other:?}"),
            }
            println!("keys/{name} {what}: named at start");
            fs::write(&path, &good).expect("writable");
        }
    }
    assert_eq!(open(&data).expect("whole again"), RECORDS);
}

#[test]
fn without_its_segments_a_log_does_not_begin_anew_while_anything_of_it_remains() {
    let folder = Folder::new();
    let data = last_version(&folder);
    assert_eq!(open(&data).expect("it starts"), RECORDS);
    fs::remove_file(data.join("log/seg-000000")).expect("there");
    for gone in ["", "tree", "live-000000"] {
        if !gone.is_empty() {
            assert!(
                matches!(open(&data), Err(StoreError::Damaged { path, .. }) if path == data.join("log/seg-000000")),
                "{gone}"
            );
            fs::remove_dir_all(data.join("log").join(gone)).expect("there");
        }
    }
}

/// The file that `log verify --all` names.
fn named(data: &Path) -> Option<PathBuf> {
    match verify_all(data, &[]) {
        Ok(_) => None,
        Err(NotVerified::Store(StoreError::Damaged { path, .. }) | NotVerified::Record { path, .. }) => Some(path),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn verifying_all_holds_tags_and_index_keys_against_the_persons_that_the_records_name() {
    let folder = Folder::new();
    let data = last_version(&folder);
    assert_eq!(named(&data), None);
    // Without a list of keys, as the last version left them: what the records say is all that there is.
    for name in ["index", "person-2026", "private", "bodies"] {
        let path = data.join("keys").join(name);
        let good = fs::read(&path).expect("readable");
        for at in 0..good.len() {
            let mut octets = good.clone();
            octets[at] ^= 0x10;
            fs::write(&path, octets).expect("writable");
            assert_eq!(named(&data), Some(path.clone()), "keys/{name}, octet {at}");
        }
        println!("keys/{name}: each of {} octets changed: named by --all", good.len());
        fs::write(&path, &good).expect("writable");
    }
    assert_eq!(named(&data), None);
}

#[test]
fn a_tree_that_was_cut_short_while_copying_is_told_from_a_changed_one() {
    let folder = Folder::new();
    let data = last_version(&folder);
    let tree = data.join("log/tree/0");
    let good = fs::read(&tree).expect("readable");
    for octets in [0, 31, 32, 700, good.len() - 1] {
        fs::write(&tree, &good[..octets]).expect("writable");
        let verified = verify_all(&data, &[]).expect("the journal is whole");
        assert_eq!((verified.head.size, verified.notes), (RECORDS, vec![Note::TreeEnds(octets as u64 / 32)]));
    }
    let mut changed = good.clone();
    changed[40] ^= 1;
    fs::write(&tree, changed).expect("writable");
    assert_eq!(named(&data), Some(data.join("log/seg-000000")));
}

const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1000;
const THIS_YEAR: u64 = 56 * YEAR_MS;

/// A log of 300 records, of two years, in volumes of 100; 30 are in the live one.
fn two_years(folder: &Folder) -> PathBuf {
    let data = folder.path().join("data");
    let settings = Settings { volume_records: 90, ..Settings::default() };
    let (store, _) = Store::open(&data, ORIGIN, settings).expect("opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for number in 0..300 {
        let time = THIS_YEAR + number - if number < 100 { YEAR_MS } else { 0 };
        runtime.block_on(store.append(of_a_person(number, time))).expect("durable");
    }
    store.close();
    data
}

fn of_a_person(number: u64, time: u64) -> Entry {
    let mut record = Record::new(RecordKind::Answer, UnixTime::from_ms(time));
    record.message = Some(MessageId::new(UnixTime::from_ms(time), [7; 10]));
    record.consumer = AgencyId::parse("xx.school-1");
    let private = Private { subject: vec![Identifier::synthetic(number as u32 % 9)].into(), ..Private::default() };
    Entry { record, private, body: None }
}

/// Removes the line of a key, or makes it fit the key as it is.
fn fit_line(data: &Path, name: &str) {
    let path = data.join("keys/sums");
    let text = fs::read_to_string(&path).expect("readable");
    let line = fs::read(data.join("keys").join(name)).ok().map(|key| format!("{name} {}\n", sha256(&key)));
    let others = text.lines().filter(|line| !line.starts_with(&format!("{name} "))).map(|line| format!("{line}\n"));
    let mut lines: Vec<String> = others.chain(line).collect();
    lines.sort();
    fs::write(&path, lines.concat()).expect("writable");
}

#[test]
fn a_key_that_was_changed_or_removed_with_its_line_is_named_all_the_same() {
    let folder = Folder::new();
    let data = two_years(&folder);
    let (this, last) = ("person-2025", "person-2024");
    let keys: Vec<_> = fs::read_dir(data.join("keys")).expect("readable").flatten().map(|entry| entry.file_name()).collect();
    assert!(keys.iter().any(|name| name == this) && keys.iter().any(|name| name == last), "{keys:?}");
    for name in ["log", "index", this, last] {
        let case = folder.path().join("case");
        for what in ["changed", "removed"] {
            let _ = fs::remove_dir_all(&case);
            copy(&data, &case);
            let path = case.join("keys").join(name);
            if what == "changed" { fs::write(&path, [9; 32]) } else { fs::remove_file(&path) }.expect("writable");
            if name != "log" || what == "changed" {
                fit_line(&case, name);
            }
            if (name, what) == (last, "removed") {
                // It may be destroyed on purpose. It is told, and no other is ever made in its place.
                assert_eq!(verify_all(&case, &[]).expect("whole").notes, vec![Note::YearGone(2024)]);
                assert_eq!(open(&case).expect("it starts"), 300);
                let (store, _) = Store::open(&case, ORIGIN, Settings::default()).expect("it starts");
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                let made = runtime.block_on(store.append(of_a_person(7, THIS_YEAR - YEAR_MS)));
                assert!(matches!(made, Err(StoreError::Damaged { path: of, .. }) if of == path));
                runtime.block_on(store.append(of_a_person(7, THIS_YEAR + 400))).expect("this year's is there");
                store.close();
                assert!(!path.exists());
                println!("keys/{name} removed with its line in keys/sums: noted by --all, never made anew");
                continue;
            }
            if what == "changed" {
                assert_eq!(named(&case), Some(path.clone()), "{name} {what}");
            }
            match open(&case) {
                Err(StoreError::Damaged { path: of, .. }) => assert_eq!(of, path, "{name} {what}"),
                other => panic!("{name} {what}: {other:?}"),
            }
            println!("keys/{name} {what} with its line in keys/sums: named at start");
        }
    }
    // What was committed to when a volume began is known when it is all that is read.
    fs::write(data.join("keys/index"), [9; 32]).expect("writable");
    fit_line(&data, "index");
    for number in 0..2 {
        fs::remove_dir_all(data.join(format!("log/vol-00000{number}"))).expect("there");
    }
    assert!(matches!(open(&data), Err(StoreError::Damaged { path, .. }) if path == data.join("keys/index")));
}

/// A machine may start with a clock that is years ahead, and have refused something before it was set right.
#[test]
fn a_clock_that_was_ahead_once_leaves_the_keys_of_this_year_to_be_made() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let append = |entry| {
        let (store, _) = Store::open(&data, ORIGIN, Settings::default()).expect("opens");
        runtime.block_on(store.append(entry)).expect("durable");
        store.close();
    };
    let record = Record::new(RecordKind::Refusal, UnixTime::from_ms(THIS_YEAR + 4 * YEAR_MS));
    append(Entry { record, private: Private::default(), body: None });
    append(of_a_person(1, THIS_YEAR));
    assert!(data.join("keys/person-2025").exists());
}

#[test]
fn what_a_copy_of_a_running_log_lacks_is_told_and_is_no_damage() {
    let folder = Folder::new();
    let data = two_years(&folder);
    let case = folder.path().join("case");
    let notes = |spoil: &dyn Fn(&Path)| {
        let _ = fs::remove_dir_all(&case);
        copy(&data, &case);
        spoil(&case.join("log"));
        verify_all(&case, &[]).map(|verified| verified.notes)
    };
    let cut = |path: PathBuf, length: usize| {
        let octets = fs::read(&path).expect("readable");
        fs::write(&path, &octets[..octets.len().min(length)]).expect("writable");
    };
    let log = case.join("log");
    assert_eq!(notes(&|_| {}).expect("whole"), []);
    // The tree ends in a segment that is followed by others.
    assert_eq!(notes(&|log| cut(log.join("tree/0"), 32 * 20)).expect("the journal is whole"), [Note::TreeEnds(20)]);
    let names = Note::Short(log.join("names"));
    assert_eq!(notes(&|log| cut(log.join("names"), 4)).expect("the journal is whole"), [names]);
    let last = (0..9).take_while(|number| data.join(format!("log/vol-{number:06}")).exists()).last().expect("volumes");
    for name in ["rows", "runs"] {
        let path = log.join(format!("vol-{last:06}/{name}"));
        assert_eq!(notes(&|_| cut(path.clone(), 50)).expect("the journal is whole"), [Note::Short(path.clone())]);
    }
    // The last group is not whole. What the log knew when it was closed is not in a copy of a running one.
    let segment = log.join(format!("seg-{:06}", last + 1));
    let good = fs::read(data.join("log").join(segment.file_name().expect("a name"))).expect("readable");
    let ends = good.iter().rposition(|octet| *octet != 0).expect("not empty");
    let torn = notes(&|log| {
        fs::remove_file(log.join("end")).expect("there");
        cut(segment.clone(), ends - 200);
    });
    let torn = torn.expect("what is there holds");
    assert!(matches!(&torn[..], [Note::JournalEnds { path, records: 299, .. }] if *path == segment), "{torn:?}");
    // Zeros stand before a group that came later: a copy that proves nothing, and says so.
    let holed = |from: usize, to: usize| {
        notes(&|_| {
            let mut octets = good.clone();
            octets[from..to].fill(0);
            fs::write(&segment, octets).expect("writable");
        })
    };
    match holed(ends - 3000, ends - 2000) {
        Err(NotVerified::Torn { path, .. }) => assert_eq!(path, segment),
        other => panic!("{other:?}"),
    }
    // One octet is a change.
    let changed = notes(&|_| {
        let mut octets = good.clone();
        octets[ends - 2500] ^= 1;
        fs::write(&segment, octets).expect("writable");
    });
    assert!(matches!(&changed, Err(NotVerified::Store(StoreError::Damaged { path, .. })) if *path == segment), "{changed:?}");
    // Without its last segment the journal is older than what is derived from it.
    let older = notes(&|log| {
        fs::remove_file(log.join("end")).expect("there");
        fs::remove_file(&segment).expect("there");
        fs::remove_file(log.join(format!("seg-{last:06}"))).expect("there");
    });
    assert!(matches!(older.expect("it holds")[..], [Note::JournalIsOlder { .. }]));
}

#[test]
fn names_volumes_and_higher_levels_of_the_tree_are_named_when_they_are_damaged() {
    let folder = Folder::new();
    let data = two_years(&folder);
    let mut tried = 0;
    for name in
        ["log/names", "log/vol-000000/meta", "log/vol-000001/meta", "log/vol-000001/rows", "log/vol-000000/runs", "log/tree/1"]
    {
        let path = data.join(name);
        let good = fs::read(&path).expect("readable");
        for at in (0..good.len()).step_by(good.len().div_ceil(12)).chain([good.len() - 1]) {
            let mut octets = good.clone();
            octets[at] ^= 1;
            fs::write(&path, &octets).expect("writable");
            let found = verify_all(&data, &[]);
            let is_named = match &found {
                Err(NotVerified::Store(StoreError::Damaged { path: of, .. })) => *of == path,
                // A name that is as long and as good JSON is another name.
                Err(NotVerified::Index { .. }) => name != "log/tree/1",
                _ => false,
            };
            assert!(is_named, "{name}, octet {at}: {found:?}");
            tried += 1;
        }
        fs::write(&path, &good).expect("writable");
    }
    assert!(tried > 40 && verify_all(&data, &[]).expect("whole again").notes.is_empty(), "{tried}");
}
