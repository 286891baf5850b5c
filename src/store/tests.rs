//! What the store promises when its disk fails, or forgets what was not synced.

use super::writer::{Disk, Disks};
use super::*;
use crate::ids::{AgencyId, Digest, Identifier, MessageId};
use crate::time::UnixTime;
use crate::tlog::{Private, Record, RecordKind};
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
    let private = Private { identifiers: vec![Identifier::synthetic(number as u32)], ..Private::default() };
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
    let is_acknowledged = |number| u64::from(runtime.block_on(store.append(entry(number))).is_ok());
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
    let (store, recovered) = Store::open(&folder.0, ORIGIN, Settings::default()).expect("a power cut is no damage");
    assert!(runtime.block_on(store.append(entry(1 << 40))).is_ok_and(|committed| committed.logged.index() == recovered.size));
    store.close();
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
