//! The records that are appended, and what is asked of them.

use oncegate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId, Uuid};
use oncegate::base::time::UnixTime;
use oncegate::evidence::audit::Filter;
use oncegate::evidence::journal::Entry;
use oncegate::evidence::tlog::{Private, Record, RecordKind};
use oncegate::host::store::{Settings, Store, Sync};
use std::path::Path;
use std::time::Duration;

pub const ORIGIN: &str = "bench.example/audit";
/// The time of the first record; the others follow, three seconds apart: ten million are most of a year.
const START_MS: u64 = 1_767_225_600_000;

/// A number that looks random, always the same for the same number.
pub fn mixed(number: u64) -> u64 {
    let mut x = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 32)
}

pub fn message(number: u64) -> MessageId {
    let exchange = number / 2;
    let mut random = [0; 10];
    random[..8].copy_from_slice(&mixed(exchange).to_be_bytes());
    MessageId::new(UnixTime::from_ms(START_MS + exchange * 6000), random)
}

pub fn school(number: u64) -> AgencyId {
    AgencyId::parse(&format!("xx.region.school-{number:04}")).expect("a name")
}

/// The time of the n-th record.
pub fn time(number: u64) -> UnixTime {
    UnixTime::from_ms(START_MS + number * 3000)
}

pub fn case(number: u64) -> Uuid {
    let random = mixed(number / 2);
    Uuid::parse(&format!("01990a5c-0000-7000-8000-{:012x}", random % 10_000_000)).expect("a UUID")
}

/// The n-th record: a request, or the answer to it; of 2,000 agencies that ask, 50 that hold, 1,000,000 persons.
pub fn entry(number: u64) -> Entry {
    entry_of(number, 2000)
}

/// The n-th record of so many agencies that ask.
pub fn entry_of(number: u64, agencies: u64) -> Entry {
    let exchange = number / 2;
    let kind = if number % 2 == 0 { RecordKind::Request } else { RecordKind::Answer };
    let mut record = Record::new(kind, time(number));
    let random = mixed(exchange);
    let digest = |salt: u64| {
        let mut octets = [0; 32];
        for (place, part) in octets.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *part = mixed(exchange ^ salt.rotate_left(place as u32)).to_be_bytes();
        }
        Some(Digest::from_octets(octets))
    };
    record.message = Some(message(number));
    (record.digest, record.counterpart) = (digest(7), if number % 2 == 1 { digest(8) } else { None });
    record.system = digest(9);
    record.consumer = Some(school(random % agencies));
    record.provider = AgencyId::parse(&format!("xx.region.clinic-{:03}", random % 50));
    record.document_type = Code::parse(["medical-absence-note", "birth-certificate", "identity-record"][random as usize % 3]);
    record.purpose = Code::parse(["school-attendance", "birth-allowance", "registration"][random as usize % 3]);
    record.basis = Some(["RU:323-FZ:13", "RU:143-FZ:22", "RU:210-FZ:7"][random as usize % 3].into());
    record.grant = Code::parse("school-reads-absence");
    record.case = Some(case(number));
    record.registry_version = 7;
    record.octets = 2_400;
    record.elapsed_us = 3_000 + random % 10_000;
    let private = Private {
        subject: vec![Identifier::synthetic((random % 1_000_000) as u32)].into(),
        official: Some(Identifier::synthetic((random % 20_000) as u32)),
        role: Code::parse("class-teacher"),
        ..Private::default()
    };
    Entry { record, private, body: None }
}

/// The keys of the n-th record in an index, in the order of the log's own: those that it has are not 0.
pub fn keys(number: u64) -> [u64; 11] {
    let exchange = number / 2;
    let random = mixed(exchange);
    let kind = random % 3 + 1;
    let hash = |number: u64| mixed(number) | 1;
    [
        random % 2000 + 1,
        random % 50 + 2001,
        kind,
        kind + 3,
        kind + 6,
        0,
        hash(exchange),
        hash(random % 10_000_000),
        hash(exchange ^ 7),
        hash(random % 20_000),
        hash(random % 1_000_000),
    ]
}

/// A figure that there is a goal for.
pub struct Goal {
    text: String,
}

impl Goal {
    pub fn at_least(name: &str, value: f64, least: f64) -> Self {
        Self::new(name, value, "at least", least, value >= least)
    }

    pub fn below(name: &str, value: f64, most: f64) -> Self {
        Self::new(name, value, "below", most, value < most)
    }

    fn new(name: &str, value: f64, how: &str, bound: f64, is_met: bool) -> Self {
        let met = if is_met { "met" } else { "MISSED" };
        Self { text: format!("{name:<56}{value:>10.2}   {how} {bound:<6} {met}") }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

pub fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Waits until all that is in the log can be queried.
pub fn settle(store: &Store) {
    while store.index().watermark() < store.size() {
        store.search(&Filter::default(), None, 1).expect("an index");
    }
}

pub fn open(folder: &Path, sync: Sync) -> Store {
    let settings = Settings { sync, ..Settings::default() };
    Store::open(folder, ORIGIN, settings).expect("the store opens").0
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime")
}

/// CPU time of this process.
pub fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let mut fields = text.rsplit_once(')').expect("its form").1.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok()).expect("its form");
    Duration::from_millis((ticks() + ticks()) * 10)
}

/// Resident memory of this process in MiB: now, and at its most.
pub fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("its form");
        line.split_whitespace().next().and_then(|field| field.parse::<u64>().ok()).expect("its form") / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// Octets that a folder takes on the disk, by files and folders of the log whose names are part of what is asked for.
pub fn on_disk(folder: &Path, is_part: &dyn Fn(&str) -> bool) -> u64 {
    let log = std::fs::read_dir(folder.join("log")).expect("readable").flatten();
    log.filter(|entry| entry.file_name().to_str().is_some_and(is_part)).map(|entry| taken(&entry.path())).sum()
}

fn taken(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).expect("readable");
    if !meta.is_dir() {
        return meta.blocks() * 512;
    }
    std::fs::read_dir(path).expect("readable").flatten().map(|entry| taken(&entry.path())).sum()
}
