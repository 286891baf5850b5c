//! What the store promises when its disk fails, or forgets what was not synced.

mod count;
mod past;
mod recall;

use super::shelf::Saving;
use super::writer::{Disk, Disks};
use super::*;
use crate::base::ids::{AgencyId, Code, Digest, Uuid};
use crate::base::time::UnixTime;
use crate::evidence::audit::{Grouping, QueryError};
use crate::evidence::tlog::{Blind, Private, Record, RecordKind};
use crate::exchange::work::{Shelf, conformance};
use crate::message::envelope::{Described, Person, Personal};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const ORIGIN: &str = "log.example/audit";

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("oncegate-store-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("writable");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn entry(number: u64) -> Entry {
    let mut record = Record::new(RecordKind::Answer, UnixTime::from_ms(number));
    let (id, digest) = (MessageId::new(UnixTime::from_ms(number), [7; 10]), Digest::from_octets([1; 32]));
    record.message = Some(id);
    record.consumer = AgencyId::parse("xx.demo.school-17");
    (record.digest, record.counterpart) = (Some(digest), Some(digest));
    let private = Private { subject: vec![Identifier::synthetic(number as u32)].into(), ..Private::default() };
    // A body makes the frame so long that it lies on several sectors.
    Entry { record, private, body: Some(vec![b'a'; 3000]) }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

/// What a test knows and decides of a disk.
#[derive(Default)]
struct Control {
    is_broken: AtomicBool,
    is_full: AtomicBool,
    syncs_after_failure: AtomicU32,
    /// What lies on the platter: octets that a sync has covered.
    durable: Mutex<Vec<u8>>,
    /// What was written since, in order.
    pending: Mutex<Vec<(u64, Vec<u8>)>>,
}

struct Faulty(File, Arc<Control>);

impl Disk for Faulty {
    fn write(&self, octets: &[u8], at: u64) -> io::Result<()> {
        if self.1.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.1.pending.lock().expect("not poisoned").push((at, octets.to_vec()));
        self.0.write_all_at(octets, at)
    }

    fn sync(&self) -> io::Result<()> {
        if self.1.is_broken.load(Ordering::Relaxed) {
            self.1.syncs_after_failure.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::other("the disk has failed"));
        }
        let mut durable = self.1.durable.lock().expect("not poisoned");
        for (at, octets) in self.1.pending.lock().expect("not poisoned").drain(..) {
            put(&mut durable, at, &octets);
        }
        Ok(())
    }
}

fn put(image: &mut Vec<u8>, at: u64, octets: &[u8]) {
    let (from, to) = (at as usize, at as usize + octets.len());
    image.resize(image.len().max(to), 0);
    image[from..to].copy_from_slice(octets);
}

fn faulty(control: &Arc<Control>) -> Disks {
    let control = Arc::clone(control);
    Arc::new(move |file| Box::new(Faulty(file, Arc::clone(&control))))
}

#[test]
fn after_a_failed_sync_nothing_is_taken_any_more() {
    let (folder, control) = (Folder::new(), Arc::new(Control::default()));
    let (store, _) = Store::open_on(&folder.0, ORIGIN, Settings::default(), faulty(&control)).expect("opens");
    let runtime = runtime();
    assert!(runtime.block_on(store.append(entry(1))).is_ok());
    control.is_broken.store(true, Ordering::Relaxed);
    assert!(matches!(runtime.block_on(store.append(entry(2))), Err(StoreError::Io { .. })));
    assert!(!store.is_ready());
    // The disk may say that it is well again: nobody asks it.
    control.is_broken.store(false, Ordering::Relaxed);
    assert!(matches!(runtime.block_on(store.append(entry(3))), Err(StoreError::Stopped)));
    assert_eq!((store.size(), control.syncs_after_failure.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn after_a_full_disk_the_next_that_fits_is_taken() {
    let (folder, control) = (Folder::new(), Arc::new(Control::default()));
    let (store, _) = Store::open_on(&folder.0, ORIGIN, Settings::default(), faulty(&control)).expect("opens");
    let runtime = runtime();
    assert!(runtime.block_on(store.append(entry(1))).is_ok());
    control.is_full.store(true, Ordering::Relaxed);
    assert!(matches!(runtime.block_on(store.append(entry(2))), Err(StoreError::Io { .. })));
    assert!(store.is_ready());
    control.is_full.store(false, Ordering::Relaxed);
    let committed = runtime.block_on(store.append(entry(3))).expect("there is room");
    assert_eq!(committed.logged.index(), 1);
    store.close();
    drop(store);
    assert_eq!(Store::open(&folder.0, ORIGIN, Settings::default()).expect("opens").1.size, 2);
}

/// Appends records; then the power fails while one more is being synced, and of what was written since the last sync
/// only some sectors are there. Gives how many records were acknowledged, and how many are found.
fn power_cut(records: u64, kept: u64) -> (u64, u64) {
    const SECTOR: usize = 512;
    let (folder, control, runtime) = (Folder::new(), Arc::new(Control::default()), runtime());
    let (store, _) = Store::open_on(&folder.0, ORIGIN, Settings::default(), faulty(&control)).expect("opens");
    let seen = Mutex::new(vec![Checkpoint::clone(&store.checkpoint())]);
    let is_acknowledged = |number| {
        let appended = runtime.block_on(store.append(entry(number)));
        seen.lock().expect("not poisoned").push(Checkpoint::clone(&store.checkpoint()));
        u64::from(appended.is_ok())
    };
    let acknowledged: u64 = (0..records).map(is_acknowledged).sum();
    control.is_broken.store(true, Ordering::Relaxed);
    // Whatever is acknowledged now counts as well: this is what the test is about.
    let acknowledged = acknowledged + is_acknowledged(records);
    drop(store);
    let mut image = control.durable.lock().expect("not poisoned").clone();
    let mut sectors = BTreeMap::new();
    for (at, octets) in control.pending.lock().expect("not poisoned").drain(..) {
        for (offset, octet) in (at..).zip(octets) {
            sectors.entry(offset as usize / SECTOR).or_insert_with(Vec::new).push((offset, octet));
        }
    }
    for (number, octets) in sectors {
        if kept >> (number % 64) & 1 == 1 {
            octets.into_iter().for_each(|(at, octet)| put(&mut image, at, &[octet]));
        }
    }
    std::fs::write(recovery::segment_path(&folder.0.join("log"), 0), image).expect("writable");
    // What is derived is not synced: it may be gone, or not be there yet.
    if kept.is_multiple_of(3) {
        std::fs::remove_dir_all(folder.0.join("log/tree")).expect("there");
    } else if kept % 3 == 1 {
        std::fs::write(folder.0.join("log/tree/0"), vec![0; 32 * records as usize]).expect("writable");
    }
    let (store, recovered) = Store::open(&folder.0, ORIGIN, Settings::default()).expect("a power cut is no damage");
    assert!(runtime.block_on(store.append(entry(1 << 40))).is_ok_and(|committed| committed.logged.index() == recovered.size));
    store.close();
    drop(store);
    let seen = seen.into_inner().expect("not poisoned");
    assert!(seen.iter().map(|checkpoint| checkpoint.claimed().size).is_sorted());
    verify_all(&folder.0, &seen).expect("the log goes on from every checkpoint that was seen");
    (acknowledged, recovered.size)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_survives_a_power_cut(records in 0..6_u64, kept: u64) {
        let (acknowledged, found) = power_cut(records, kept);
        prop_assert!(found >= acknowledged, "{acknowledged} were acknowledged, {found} are found");
    }
}

#[test]
fn whom_agencies_asked_for_today_is_known_again() {
    let (folder, runtime) = (Folder::new(), runtime());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let now = UnixTime::from_ms(now);
    let asking = |kind, agency: &str, subject: Subject, time: UnixTime| {
        let mut record = Record::new(kind, time);
        (record.consumer, record.message) = (AgencyId::parse(agency), Some(MessageId::new(time, [1; 10])));
        Entry { record, private: Private { subject, ..Private::default() }, body: None }
    };
    let somebody =
        |numbers: &[u32]| Subject::from(numbers.iter().map(|number| Identifier::synthetic(*number)).collect::<Vec<_>>());
    let called = |family: &str, given: Option<&str>| {
        let person = Person { family: Some(Personal::new(family)), given: given.map(Personal::new), birth_date: None };
        Subject { described: Described::Person(person), ..Subject::default() }
    };
    let named = |family: &str, given: &str| called(family, Some(given));
    let (store, before) = Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
    assert!(before.asked.is_empty());
    let entries = [
        asking(RecordKind::Request, "xx.school", somebody(&[1, 2]), now),
        asking(RecordKind::Request, "xx.school", named("A", "B"), now),
        asking(RecordKind::Request, "xx.school", named("A", "B"), now),
        asking(RecordKind::Request, "xx.school", Subject::default(), now),
        asking(RecordKind::Request, "xx.clinic", somebody(&[2]), now),
        asking(RecordKind::Request, "xx.clinic", somebody(&[3]), now.minus_ms(DAY_MS)),
        asking(RecordKind::Refusal, "xx.court", somebody(&[4]), now),
    ];
    for entry in entries {
        runtime.block_on(store.append(entry)).expect("durable");
    }
    let keys = |subjects: &[Subject]| {
        subjects.iter().flat_map(|subject| store.person_keys(subject)).collect::<std::collections::HashSet<_>>()
    };
    let school = (AgencyId::parse("xx.school").expect("a name"), keys(&[somebody(&[1]), somebody(&[2]), named("A", "B")]));
    let clinic = (AgencyId::parse("xx.clinic").expect("a name"), keys(&[somebody(&[2])]));
    let different = [named("A", "B"), named("AB", ""), named("", "AB"), named("A", ""), called("A", None)];
    assert_eq!((keys(&different).len(), keys(&[Subject::default()]).len()), (5, 0));
    // An organisation is found by the identifier that it has, whatever it is called.
    let office = Subject { described: Described::Organisation(Some(Personal::new("A"))), ..somebody(&[1]) };
    assert_eq!(keys(&[office]), keys(&[somebody(&[1])]));
    drop(store);
    let (_, again) = Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
    assert_eq!(again.asked, BTreeMap::from([school, clinic]));
}

const SMALL: Settings = Settings { sync: Sync::Never, bytes_max: u64::MAX, volume_records: 64 };

/// A record of the n-th exchange; four agencies ask three, about nine persons.
fn varied(number: u64) -> Entry {
    let mut entry = entry(number);
    let agency = |kind: &str, number: u64| AgencyId::parse(&format!("xx.{kind}-{number}"));
    (entry.record.consumer, entry.record.provider) = (agency("school", number % 4), agency("clinic", number % 3));
    entry.record.kind = RecordKind::ALL[number as usize % 2];
    entry.private.subject =
        (0..1 + number % 2).map(|other| Identifier::synthetic((number % 9 + 9 * other) as u32)).collect::<Vec<_>>().into();
    entry.body = None;
    entry
}

/// 200 records, of which those from 60 on to 70 have messages beside them.
fn some_with_messages(store: &Store, runtime: &tokio::runtime::Runtime) {
    append(store, runtime, 0..60);
    for number in 60..70 {
        runtime.block_on(store.append(Entry { body: Some(vec![b'b'; 9000]), ..varied(number) })).expect("there is room");
    }
    append(store, runtime, 70..200);
    store.close();
}

fn append(store: &Store, runtime: &tokio::runtime::Runtime, numbers: std::ops::Range<u64>) {
    runtime.block_on(async {
        // Together, as many exchanges come, in the order in which they were put in.
        let waiting: Vec<_> = numbers.map(|number| Box::pin(store.append(varied(number)))).collect();
        for append in waiting {
            append.await.expect("there is room");
        }
    });
}

/// All that a filter finds, page by page.
fn all(store: &Store, filter: &Filter) -> Vec<u64> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.search(filter, before, 7).expect("an index");
        found.extend(page.records.iter().map(|record| record.index));
        match page.next {
            Some(next) => before = Some(next),
            None => return found,
        }
    }
}

/// A filter, and which numbers it holds for.
type Case = (Filter, fn(u64) -> bool);

fn filters() -> Vec<Case> {
    let agency = |name: &str| AgencyId::parse(name);
    vec![
        (Filter::default(), |_| true),
        (Filter { consumer: agency("xx.school-1"), ..Filter::default() }, |n| n % 4 == 1),
        (Filter { provider: agency("xx.clinic-2"), ..Filter::default() }, |n| n % 3 == 2),
        (Filter { consumer: agency("xx.school-1"), provider: agency("xx.clinic-2"), ..Filter::default() }, |n| {
            n % 4 == 1 && n % 3 == 2
        }),
        (Filter { consumer: agency("xx.nobody"), ..Filter::default() }, |_| false),
        (Filter { party: agency("xx.clinic-0"), ..Filter::default() }, |n| n % 3 == 0),
        (Filter { kind: Some(RecordKind::Request), ..Filter::default() }, |n| n % 2 == 0),
        (Filter { person: Some(Identifier::synthetic(4)), ..Filter::default() }, |n| n % 9 == 4),
        // The second of two persons.
        (Filter { person: Some(Identifier::synthetic(13)), ..Filter::default() }, |n| n % 9 == 4 && n % 2 == 1),
        (Filter { message: Some(MessageId::new(UnixTime::from_ms(77), [7; 10])), ..Filter::default() }, |n| n == 77),
        (Filter { from: Some(UnixTime::from_ms(60)), to: Some(UnixTime::from_ms(200)), ..Filter::default() }, |n| {
            (60..200).contains(&n)
        }),
    ]
}

fn check_all(store: &Store, size: u64) {
    for (filter, holds) in filters() {
        let expected: Vec<u64> = (0..size).rev().filter(|number| holds(*number)).collect();
        assert_eq!(all(store, &filter), expected, "{filter:?}");
    }
    let checkpoint = store.checkpoint();
    for index in (0..size).step_by(17) {
        let receipt = store.receipt(index, &checkpoint).expect("in the log");
        assert_eq!(receipt.verify(store.verifier()).map(|shown| shown.head.size), Ok(size));
    }
    for old in (0..=size).step_by(41) {
        let old = tree::Head { size: old, root: tree::root(&*store.tree, old).expect("kept") };
        let proof = store.consistency(old.size, size).expect("kept");
        assert_eq!(tree::verify_consistency(&old, &checkpoint.claimed(), &proof), Ok(()));
    }
}

#[test]
fn what_is_put_in_is_found_across_volumes_restarts_and_loss_of_all_that_is_derived() {
    let (folder, runtime) = (Folder::new(), runtime());
    let open = || Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    let mut size = 0;
    for more in [10, 54, 1, 200, 30] {
        let store = open();
        assert_eq!(store.size(), size);
        append(&store, &runtime, size..size + more);
        size += more;
        check_all(&store, size);
        store.close();
    }
    let log = folder.0.join("log");
    let volumes = std::fs::read_dir(&log).expect("readable").flatten();
    let sealed = volumes.filter(|entry| entry.file_name().to_string_lossy().starts_with("vol-")).count();
    assert!(sealed >= 2, "{sealed} volumes");
    for lost in ["names", "tree", "vol-000001", "vol-000000/rows", "vol-000000/meta", "tree/0"] {
        let path = log.join(lost);
        if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) }.expect("it is there");
        let store = open();
        check_all(&store, size);
        store.close();
    }
}

#[test]
fn a_changed_octet_in_what_is_derived_is_never_served() {
    let (folder, runtime) = (Folder::new(), runtime());
    let store = Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    append(&store, &runtime, 0..200);
    check_all(&store, 200);
    store.close();
    drop(store);
    for name in ["vol-000000/rows", "vol-000000/runs", "vol-000000/meta", "tree/0", "names"] {
        let path = folder.0.join("log").join(name);
        let good = std::fs::read(&path).expect("there");
        for at in (0..good.len()).step_by(good.len() / 7 + 1) {
            let mut changed = good.clone();
            changed[at] ^= 4;
            std::fs::write(&path, &changed).expect("writable");
            let store = Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
            for (filter, holds) in filters() {
                let expected: Vec<u64> = (0..200).rev().filter(|number| holds(*number)).collect();
                let found =
                    store.search(&filter, None, 1000).map(|page| page.records.iter().map(|r| r.index).collect::<Vec<_>>());
                assert!(
                    matches!(&found, Err(StoreError::Damaged { .. })) || found.as_ref().ok() == Some(&expected),
                    "{name} {at}: {found:?}"
                );
            }
            let checkpoint = store.checkpoint();
            for index in 0..200 {
                let receipt = store.receipt(index, &checkpoint);
                assert!(receipt.is_err() || receipt.is_ok_and(|receipt| receipt.verify(store.verifier()).is_ok()));
            }
            store.close();
            drop(store);
            std::fs::write(&path, &good).expect("writable");
        }
    }
}

#[test]
fn what_is_erased_is_gone_and_every_proof_stays() {
    let (folder, runtime) = (Folder::new(), runtime());
    let open = || Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    some_with_messages(&open(), &runtime);
    let store = open();
    let checkpoint = store.checkpoint();
    assert!(store.private(13).expect("there").starts_with(b"{\"f\":[],\"i\":[\"XX-OGTEST\""));
    assert_eq!(store.body(63).expect("there").len(), 9000);
    assert!(matches!(store.erase_private(199), Err(StoreError::Live)));
    store.erase_private(13).expect("its volume is complete");
    store.erase_body(63).expect("writable");
    assert!(matches!(store.private(13), Err(StoreError::Forgotten)));
    assert!(matches!(store.body(63), Err(StoreError::Forgotten)));
    assert!(store.body(64).is_ok() && store.private(63).is_ok());
    let mut reclaimed = 0;
    for turn in 0..9 {
        reclaimed += store.scrub(turn).expect("whole").reclaimed;
    }
    assert!(reclaimed >= 9000, "{reclaimed}");
    assert!(matches!(store.shred(199), Err(StoreError::Live)));
    store.shred(14).expect("its volume is complete");
    let check = |store: &Store| {
        assert_eq!(store.record(14).expect("its hash is there").leaf, "");
        assert!(store.record(13).is_ok() && store.body(64).is_ok());
        for index in (0..200).filter(|index| *index != 14) {
            assert!(store.receipt(index, &checkpoint).is_ok(), "{index}");
        }
        let persons = |number: u32| all(store, &Filter { person: Some(Identifier::synthetic(number)), ..Filter::default() });
        assert!(!persons(14 % 9).contains(&14), "a shredded record is about nobody");
        assert_eq!(persons(13).len(), (0..200).filter(|n| n % 9 == 4 && n % 2 == 1 && *n != 13).count());
        for turn in 0..9 {
            store.scrub(turn).expect("whole");
        }
    };
    check(&store);
    store.close();
    drop(store);
    assert_eq!(verify_all(&folder.0, &[Checkpoint::clone(&checkpoint)]).expect("whole").shredded, 1);
    let store = open();
    check(&store);
    store.close();
    drop(store);
    // All that is derived can be made anew, with the hole in it.
    for derived in ["tree", "vol-000000", "names"] {
        let path = folder.0.join("log").join(derived);
        if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) }.expect("there");
    }
    let store = open();
    check(&store);
    store.close();
}

/// The power goes when a record's frame is to be overwritten: the next start does it, and the index forgets it too.
#[test]
fn a_shredding_that_was_interrupted_is_ended_at_the_next_start() {
    let (folder, runtime) = (Folder::new(), runtime());
    let open = || Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    let (log, store) = (folder.0.join("log"), open());
    append(&store, &runtime, 0..200);
    store.close();
    drop(store);
    let segment = std::fs::read(recovery::segment_path(&log, 0)).expect("there");
    let mut intent = Vec::new();
    journal::walk(&segment, journal::From { offset: 0, size: 0 }, Erasure::None, |offset, frame| {
        if frame.seq == 14 {
            let (private, body) = journal::parts_of(&frame);
            for number in [0, offset, private.len() + body.len()] {
                intent.extend_from_slice(&(number as u32).to_be_bytes());
            }
            intent.extend(journal::shredded(&frame).expect("the leaf is long enough"));
        }
    });
    intent.extend_from_slice(&crc32fast::hash(&intent).to_be_bytes());
    std::fs::write(log.join("shred"), intent).expect("writable");
    std::fs::write(log.join("rows.new"), "rows").expect("writable");
    let store = open();
    assert_eq!(store.record(14).expect("its hash is there").leaf, "");
    let found = all(&store, &Filter { consumer: AgencyId::parse("xx.school-2"), ..Filter::default() });
    assert!(!found.contains(&14) && found.contains(&18), "{found:?}");
    store.close();
    drop(store);
    assert!(!log.join("shred").exists() && !log.join("rows.new").exists());
    assert_eq!(verify_all(&folder.0, &[]).expect("whole").shredded, 1);
}

/// A segment is begun with two frames. If the power goes when only the first is there, it is begun again.
#[test]
fn a_segment_that_was_only_just_begun_is_begun_again() {
    let (folder, runtime) = (Folder::new(), runtime());
    let open = || Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
    for (size, number) in [(0, 0), (64, 1)] {
        let store = open().0;
        append(&store, &runtime, store.size()..size + 1);
        store.close();
        drop(store);
        let path = recovery::segment_path(&folder.0.join("log"), number);
        let mut octets = std::fs::read(&path).expect("there");
        octets[journal::HEADER_BYTES..].fill(0);
        std::fs::write(&path, octets).expect("writable");
        let (store, recovered) = open();
        assert_eq!(recovered.size, size);
        append(&store, &runtime, size..size + 3);
        store.close();
        drop(store);
        let (store, recovered) = open();
        assert_eq!(recovered.size, size + 3);
        append(&store, &runtime, size + 3..64);
        store.close();
        drop(store);
        verify_all(&folder.0, &[]).expect("whole");
    }
}

/// The tree's files are synced when a segment is complete. What a sync that fails has left is unknown there as well.
#[test]
fn a_failed_sync_of_the_tree_stops_the_journal() {
    let (folder, runtime) = (Folder::new(), runtime());
    let tree = folder.0.join("log/tree");
    std::fs::create_dir_all(&tree).expect("writable");
    // It takes what is written and cannot be synced.
    std::os::unix::fs::symlink("/dev/null", tree.join("0")).expect("writable");
    let store = Store::open(&folder.0, ORIGIN, Settings { volume_records: 8, ..SMALL }).expect("opens").0;
    append(&store, &runtime, 0..7);
    append(&store, &runtime, 7..8);
    assert!(matches!(runtime.block_on(store.append(varied(8))), Err(StoreError::Io { .. })));
    assert!(!store.is_ready() && matches!(store.why_stopped(), Some(StoreError::Io { path, .. }) if path.starts_with(&tree)));
    assert!(matches!(runtime.block_on(store.append(varied(9))), Err(StoreError::Stopped)));
    assert_eq!(store.size(), 8);
}

/// A bit that a disk has changed in a closed segment is found by reading it again, and its record is not given out.
#[test]
fn a_changed_bit_in_a_closed_segment_is_found_and_never_served() {
    let (folder, runtime) = (Folder::new(), runtime());
    let store = Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    append(&store, &runtime, 0..200);
    store.close();
    drop(store);
    let path = recovery::segment_path(&folder.0.join("log"), 0);
    let good = std::fs::read(&path).expect("there");
    let end = good.iter().rposition(|octet| *octet != 0).expect("written");
    for at in (0..end).step_by(end / 40 + 1) {
        let mut changed = good.clone();
        changed[at] ^= 0x10;
        std::fs::write(&path, &changed).expect("writable");
        assert!(verify_all(&folder.0, &[]).is_err(), "byte {at}");
        let Ok((store, _)) = Store::open(&folder.0, ORIGIN, SMALL) else { continue };
        let found = (0..9).filter_map(|turn| store.scrub(turn).err()).next();
        assert!(matches!(found, Some(StoreError::Damaged { path: of, .. }) if of == path), "byte {at}: {:?}", store.scrub(0));
        for index in 0..64 {
            if let Ok(found) = store.record(index) {
                assert!(found.leaf.contains(&format!("\"t\":{index},")), "byte {at}: {}", found.leaf);
            }
        }
        store.close();
    }
    std::fs::write(&path, &good).expect("writable");
    assert_eq!(verify_all(&folder.0, &[]).expect("whole again").head.size, 200);
}

/// A file that was cut is made anew if it is derived; if not, it is named, at start or by reading it again.
#[test]
fn a_cut_file_is_found_and_never_served() {
    let (folder, runtime) = (Folder::new(), runtime());
    let store = Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    append(&store, &runtime, 0..200);
    store.close();
    drop(store);
    for name in ["seg-000000", "seg-000001", "vol-000000/rows", "vol-000000/runs", "vol-000001/meta", "tree/0", "names"] {
        let path = folder.0.join("log").join(name);
        let good = std::fs::read(&path).expect("there");
        let written = good.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
        for length in [0, 1, written / 3, written * 2 / 3, written - 1] {
            std::fs::write(&path, &good[..length]).expect("writable");
            let opened = Store::open(&folder.0, ORIGIN, SMALL);
            let is_segment = name.starts_with("seg-");
            match opened {
                Err(StoreError::Damaged { path: of, .. }) => {
                    assert!(is_segment && of == path, "{name} {length}: {}", of.display())
                }
                Err(other) => panic!("{name} {length}: {other}"),
                Ok((store, _)) => {
                    let scrubbed = (0..9).filter_map(|turn| store.scrub(turn).err()).next();
                    assert_eq!(scrubbed.is_some(), is_segment, "{name} {length}");
                    if !is_segment {
                        check_all(&store, 200);
                    }
                    for index in 0..200 {
                        let found = store.record(index);
                        let is_right = |found: &Found| found.leaf.contains(&format!("\"t\":{index},"));
                        let is_named = matches!(&found, Err(StoreError::Damaged { path: of, .. }) if *of == path);
                        assert!(found.as_ref().is_ok_and(is_right) || is_named, "{name} {length}: {found:?}");
                    }
                    store.close();
                }
            }
            assert_eq!(verify_all(&folder.0, &[]).is_err(), is_segment, "{name} {length}");
            std::fs::write(&path, &good).expect("writable");
        }
    }
}

/// The order of the log is that of its indexes: what a clock says may go backwards.
#[test]
fn a_clock_that_goes_backwards_hides_nothing() {
    let (folder, runtime) = (Folder::new(), runtime());
    let store = Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    let time = |number: u64| 10_000 - number * 37 % 5_000;
    for number in 0..200 {
        let mut entry = varied(number);
        entry.record.time = UnixTime::from_ms(time(number));
        runtime.block_on(store.append(entry)).expect("there is room");
    }
    for (from, to) in [(0, 20_000), (5_000, 6_000), (9_990, 10_001), (7_777, 7_778), (20_000, 30_000)] {
        let filter = Filter { from: Some(UnixTime::from_ms(from)), to: Some(UnixTime::from_ms(to)), ..Filter::default() };
        let expected: Vec<u64> = (0..200).rev().filter(|number| (from..to).contains(&time(*number))).collect();
        assert_eq!(all(&store, &filter), expected, "{from} to {to}");
    }
    store.close();
}

#[test]
fn a_summary_has_so_many_groups_and_no_more() {
    let folder = Folder::new();
    let settings = Settings { sync: Sync::Never, ..Settings::default() };
    let (store, _) = Store::open(&folder.0, ORIGIN, settings).expect("opens");
    let runtime = runtime();
    let store = Arc::new(store);
    let append = |hours: std::ops::Range<u64>| {
        // All at once, so that they are few groups for the disk.
        let appended = hours.map(|hour| {
            let record = Record::new(RecordKind::Answer, UnixTime::from_ms(hour * 60 * 60 * 1000));
            let (store, entry) = (Arc::clone(&store), Entry { record, private: Private::default(), body: None });
            runtime.spawn(async move { store.append(entry).await.expect("there is room") })
        });
        let appended: Vec<_> = appended.collect();
        runtime.block_on(async {
            for appended in appended {
                appended.await.expect("it ends");
            }
        });
    };
    let groups = || store.summary(&Filter::default(), &[Grouping::Hour]).map(|groups| groups.len());
    const MAX: u64 = limits::REPORT_GROUPS_MAX as u64;
    append(0..MAX);
    append(0..1);
    assert_eq!(groups().ok(), Some(limits::REPORT_GROUPS_MAX));
    append(MAX..MAX + 1);
    assert!(matches!(groups(), Err(ReportError::Query(QueryError::TooWide { limit: MAX, .. }))));
}

fn ticket(store: &Store, index: u64) -> u64 {
    let place = store.place(index).expect("there");
    let read = |frame: &journal::Frame<'_>| keys::PrivateHead::read(frame.private).map_or(0, |(head, _)| head.ticket);
    store.with_frame(place, read).expect("whole")
}

/// Keys are kept apart from the log, so older ones may be put back beside it. A ticket that is given twice seals twice with
/// one key and one nonce.
#[test]
fn no_ticket_is_given_twice_when_older_keys_are_put_back() {
    let (folder, runtime) = (Folder::new(), runtime());
    let open = || Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    let starts = folder.0.join("keys/starts");
    let again = |numbers: std::ops::Range<u64>| {
        let store = open();
        append(&store, &runtime, numbers);
        store.close();
    };
    again(0..2);
    let older = std::fs::read(&starts).expect("there");
    again(2..4);
    std::fs::write(&starts, older).expect("writable");
    again(4..6);
    // Here the live volume has none, and the count is gone.
    let store = open();
    for number in 6..80 {
        let record = Record::new(RecordKind::Refusal, UnixTime::from_ms(number));
        let nothing = Entry { record, private: Private::default(), body: None };
        runtime.block_on(store.append(nothing)).expect("there is room");
    }
    store.close();
    drop(store);
    std::fs::remove_file(&starts).expect("there");
    again(80..82);
    let store = open();
    let tickets: Vec<u64> = (0..82).map(|index| ticket(&store, index)).filter(|ticket| *ticket != 0).collect();
    let different: std::collections::BTreeSet<u64> = tickets.iter().copied().collect();
    assert_eq!((tickets.len(), different.len()), (8, 8), "{tickets:x?}");
    store.close();
}

#[test]
fn small_segments_take_as_much_of_the_limit_as_they_take_on_disk() {
    let (folder, runtime) = (Folder::new(), runtime());
    let settings = Settings { bytes_max: 100 << 20, ..SMALL };
    for round in 0..3 {
        let store = Store::open(&folder.0, ORIGIN, settings).expect("opens").0;
        append(&store, &runtime, round * 200..(round + 1) * 200);
        store.close();
    }
    let store = Store::open(&folder.0, ORIGIN, Settings { bytes_max: 8 << 20, ..SMALL }).expect("opens").0;
    assert!(matches!(runtime.block_on(store.append(entry(600))), Err(StoreError::Full)));
    store.close();
}

/// What a crash leaves of an erasure, at each of its steps, is ended at the next start.
#[test]
fn an_erasure_that_was_interrupted_is_ended_at_the_next_start() {
    let (folder, runtime) = (Folder::new(), runtime());
    let open = || Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    let log = folder.0.join("log");
    some_with_messages(&open(), &runtime);
    let store = open();
    // The index cannot be written: what comes before that is done, and nothing of what comes behind.
    let in_the_way = log.join("vol-000000.new");
    let interrupted = |store: &Store, erase: &dyn Fn(&Store) -> Result<(), StoreError>| {
        std::fs::write(&in_the_way, "").expect("writable");
        assert!(matches!(erase(store), Err(StoreError::Io { .. })));
        std::fs::remove_file(&in_the_way).expect("there");
        store.close();
    };
    interrupted(&store, &|store| store.erase_private(13));
    drop(store);
    let store = open();
    let person = |store: &Store, number| all(store, &Filter { person: Some(Identifier::synthetic(number)), ..Filter::default() });
    assert!(matches!(store.private(13), Err(StoreError::Forgotten)) || store.private(13).expect("there").is_empty());
    assert!(!person(&store, 13 % 9).contains(&13) && !person(&store, 13).contains(&13), "what was erased is found by nothing");
    // Only the keys of the next are gone when it ends, or not even those.
    store.begin_erasure(14, shred::Erased::Record).expect("writable");
    store.close();
    drop(store);
    let store = open();
    assert_eq!(store.record(14).expect("its hash is there").leaf, "");
    store.begin_erasure(63, shred::Erased::Body).expect("writable");
    store.close();
    drop(store);
    let store = open();
    assert!(matches!(store.body(63), Err(StoreError::Forgotten)) && store.body(64).is_ok());
    // What is no erasure of this log, or of a record that is not there, holds up no start.
    for (index, what) in [(199, shred::Erased::Private), (999, shred::Erased::Record)] {
        store.begin_erasure(index, what).expect("writable");
    }
    store.close();
    drop(store);
    std::fs::write(log.join("erase"), "x").expect("writable");
    let store = open();
    assert!(store.private(199).is_ok_and(|private| !private.is_empty()) && !log.join("erase").exists());
    store.close();
    drop(store);
    assert_eq!(verify_all(&folder.0, &[]).expect("whole").shredded, 1);
}

/// As many records as a search looks at, and more, may not be old yet.
#[test]
fn old_messages_are_forgotten_behind_however_many_new_records() {
    let (folder, runtime) = (Folder::new(), runtime());
    let store = Store::open(&folder.0, ORIGIN, Settings { volume_records: u64::MAX, ..SMALL }).expect("opens").0;
    runtime.block_on(store.append(entry(1))).expect("there is room");
    let count = limits::SEARCH_ROWS_MAX as u64 + 10;
    let store = Arc::new(store);
    runtime.block_on(async {
        let mut appending = tokio::task::JoinSet::new();
        for _ in 0..count {
            let store = Arc::clone(&store);
            let record = Record::new(RecordKind::Refusal, UnixTime::from_ms(1_000_000));
            let new = Entry { record, private: Private::default(), body: None };
            appending.spawn(async move { store.append(new).await });
        }
        while let Some(appended) = appending.join_next().await {
            appended.expect("it ends").expect("there is room");
        }
    });
    while store.settle(u64::MAX) <= count {}
    assert!(store.body(0).is_ok());
    store.forget_bodies(UnixTime::from_ms(500_000)).expect("writable");
    assert!(matches!(store.body(0), Err(StoreError::Forgotten)));
    store.close();
}

/// Somebody with the disk who makes the postings anew, checksums and all, could have a record found by nothing.
#[test]
fn a_record_that_the_index_does_not_find_is_named() {
    let (folder, runtime) = (Folder::new(), runtime());
    let store = Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    append(&store, &runtime, 0..200);
    store.close();
    drop(store);
    let store = Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    let person = || all(&store, &Filter { person: Some(Identifier::synthetic(13)), ..Filter::default() });
    assert!(person().contains(&13));
    // Its row stays, and the posting of its second person goes.
    store.index.forget(13, |row| *row).expect("its volume is complete");
    assert!(!person().contains(&13));
    store.close();
    drop(store);
    let found = verify_all(&folder.0, &[]);
    assert!(matches!(found, Err(NotVerified::Index { index: 13 })), "{found:?}");
    remove_derived(&folder.0).expect("removed");
    let store = Store::open(&folder.0, ORIGIN, SMALL).expect("opens").0;
    store.close();
    drop(store);
    verify_all(&folder.0, &[]).expect("whole");
}

#[test]
fn sled_is_a_shelf_and_stays_one_when_it_gives_up() {
    let folder = Folder::new();
    let mut shelf = SledShelf::open(&folder.0.join("a")).expect("a shelf");
    assert_eq!(conformance(&mut shelf), Ok(()));
    let mut shelf = SledShelf::open(&folder.0.join("b")).expect("a shelf");
    shelf.is_refused();
    assert_eq!(conformance(&mut shelf), Ok(()), "with all in memory");
}

#[test]
fn what_was_saved_is_there_again_and_what_could_not_be_written_is_written_later() {
    let folder = Folder::new();
    let path = folder.0.join("work");
    let mut shelf = SledShelf::open(&path).expect("a shelf");
    shelf.write(vec![(b"ra".to_vec(), Some(vec![1])), (b"rb".to_vec(), Some(vec![2]))]);
    shelf.note(5).and_then(Saving::save).expect("saved");
    shelf.is_refused();
    shelf.write(vec![(b"rb".to_vec(), None), (b"rc".to_vec(), Some(vec![3]))]);
    assert_eq!(shelf.from(b"rb"), Some((b"rc".to_vec(), vec![3])));
    shelf.note(6).and_then(Saving::save).expect("saved");
    drop(shelf);
    let shelf = SledShelf::open(&path).expect("a shelf");
    assert_eq!((shelf.mark(), shelf.get(b"ra"), shelf.get(b"rb"), shelf.get(b"rc")), (6, Some(vec![1]), None, Some(vec![3])));
    drop(shelf);
    std::fs::remove_file(path.join("db")).expect("removed");
    std::fs::create_dir(path.join("db")).expect("in its place");
    assert_eq!(SledShelf::open(&path).expect("made anew").mark(), 0);
}

/// What sled has taken, and the disk has not, is given to it again.
#[test]
fn what_was_noted_and_never_saved_is_not_lost() {
    let folder = Folder::new();
    let path = folder.0.join("work");
    let mut shelf = SledShelf::open(&path).expect("a shelf");
    shelf.write(vec![(b"ra".to_vec(), Some(vec![1])), (b"rb".to_vec(), Some(vec![2]))]);
    drop(shelf.note(5).expect("noted"));
    shelf.write(vec![(b"rb".to_vec(), None)]);
    shelf.is_refused();
    std::fs::remove_dir_all(&path).expect("the disk has nothing of it");
    shelf.note(6).and_then(Saving::save).expect("saved");
    drop(shelf);
    let shelf = SledShelf::open(&path).expect("a shelf");
    assert_eq!((shelf.mark(), shelf.get(b"ra"), shelf.get(b"rb")), (6, Some(vec![1]), None));
}

/// A book of cases that an earlier version has left lacks something: it is told of all again.
#[test]
fn a_shelf_of_another_form_is_made_anew() {
    let folder = Folder::new();
    let (store, _) = Store::open(&folder.0, ORIGIN, Settings::default()).expect("opens");
    runtime().block_on(store.append(entry(0))).expect("it is written");
    let mut before = SledShelf::open(&folder.0.join("cases")).expect("a shelf");
    before.write(vec![(b"ca".to_vec(), Some(vec![1]))]);
    before.note(1).and_then(Saving::save).expect("saved");
    drop(before);
    let (mut shelf, mark) = store.shelf_of_cases().expect("a shelf");
    assert_eq!((mark, shelf.get(b"ca")), (0, None));
    shelf.write(vec![(b"ca".to_vec(), Some(vec![2]))]);
    shelf.note(1).and_then(Saving::save).expect("saved");
    drop(shelf);
    let (shelf, mark) = store.shelf_of_cases().expect("a shelf");
    assert_eq!((mark, shelf.get(b"ca")), (1, Some(vec![2])));
}

/// Whoever has lost what it was told of is told of all cases again, each record once, however far the index is.
#[test]
fn all_records_of_cases_are_told_again_once() {
    let folder = Folder::new();
    let case = Uuid::parse("01990a5d-ac96-774b-8cce-b302099a8058").expect("an id");
    let of_case = |number: u64| {
        let mut record = Record::new(RecordKind::Case, UnixTime::from_ms(1_800_000_000_000 + number));
        (record.case, record.action) = (Some(case), Code::parse(if number == 0 { "open" } else { "change" }));
        Entry { record, private: Private::default(), body: None }
    };
    let all: Vec<u64> = (0..30).collect();
    let runtime = runtime();
    for is_index_lost in [false, true] {
        let (store, _) = Store::open(&folder.0, ORIGIN, Settings::default()).expect("opens");
        if !is_index_lost {
            for number in &all {
                runtime.block_on(store.append(of_case(*number))).expect("it is written");
            }
        }
        let mut told = Vec::new();
        let from = store.tell_cases(&mut |recorded| told.push(recorded.place.index)).expect("they are told");
        store.tell(from, UnixTime::default(), &mut |recorded| told.push(recorded.place.index)).expect("they are told");
        assert_eq!(told, all);
        assert_eq!(store.records_of_case(&case, store.size()).expect("they are found"), all);
        store.close();
        drop(store);
        remove_derived(&folder.0).expect("they are removed");
    }
}
