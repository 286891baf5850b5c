//! What is changed, cut or removed below `data` while the gateway is stopped.

use crate::folder::Folder;
use oncegate::host::store::{NotVerified, Note, Settings, Store, StoreError, verify_all};
use std::fs;
use std::path::{Path, PathBuf};

const ORIGIN: &str = "localhost/audit";
const RECORDS: u64 = 25;

fn copy(from: &Path, to: &Path) {
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
