//! Counting by time, held against a search page by page, and that against what was put in.

use super::*;
use crate::base::fault;
use crate::evidence::audit::{Bucket, Histogram};

const START_MS: u64 = 1_000_000;

/// Numbers that look random, the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn some<T>(&mut self, of_ten: u64, make: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.below(10) < of_ten { make(self) } else { None }
    }

    fn agency(&mut self) -> Option<AgencyId> {
        AgencyId::parse(&format!("xx.a-{}", self.below(4)))
    }

    fn code(&mut self) -> Option<Code> {
        Code::parse(["a", "b"][self.below(2) as usize])
    }

    fn identifier(&mut self) -> Option<Identifier> {
        Some(Identifier::synthetic(self.below(6) as u32))
    }

    /// Several have one half, by which rows know them.
    fn message(&mut self) -> Option<MessageId> {
        let mut random = [0; 10];
        random[9] = self.below(4) as u8;
        Some(MessageId::new(UnixTime::from_ms(self.below(3) << 20), random))
    }

    fn case(&mut self) -> Option<Uuid> {
        Uuid::parse(&format!("01990a5c-000{}-7000-8000-00000000000{}", self.below(2), self.below(4)))
    }

    fn kind(&mut self) -> RecordKind {
        // Some of them are rare.
        let at = if self.below(4) > 0 { self.below(3) } else { self.below(RecordKind::ALL.len() as u64) };
        RecordKind::ALL[at as usize]
    }

    fn entry(&mut self, number: u64) -> Entry {
        // Nearly in order; now and then a clock is far off.
        let off = if self.below(40) == 0 { self.below(5_000) } else { self.below(30) };
        let mut record = Record::new(self.kind(), UnixTime::from_ms(START_MS + number * 10 + off));
        (record.consumer, record.provider) = (self.some(8, Self::agency), self.some(8, Self::agency));
        (record.document_type, record.purpose) = (self.some(7, Self::code), self.some(7, Self::code));
        record.basis = self.some(7, |random| Some(["L1", "L2"][random.below(2) as usize].into()));
        (record.message, record.case) = (self.some(7, Self::message), self.some(5, Self::case));
        if record.kind == RecordKind::Refusal {
            record.code = Some(fault::Code::ALL[self.below(3) as usize]);
        }
        let persons: Vec<Identifier> = (0..self.below(3)).filter_map(|_| self.identifier()).collect();
        let private = Private { subject: persons.into(), official: self.some(5, Self::identifier), ..Private::default() };
        Entry { record, private, body: None }
    }

    fn filter(&mut self, size: u64) -> Filter {
        let time = |random: &mut Self| Some(UnixTime::from_ms(START_MS + random.below(size * 10 + 100)));
        Filter {
            from: self.some(2, time),
            to: self.some(2, time),
            kind: self.some(3, |random| Some(random.kind())),
            consumer: self.some(2, Self::agency),
            provider: self.some(2, Self::agency),
            party: self.some(2, Self::agency),
            scope: self.some(2, Self::agency),
            document_type: self.some(2, Self::code),
            purpose: self.some(1, Self::code),
            basis: self.some(1, |random| Some(["L1", "L2", "L3"][random.below(3) as usize].to_owned())),
            code: self.some(1, |random| Some(fault::Code::ALL[random.below(4) as usize].as_str().to_owned())),
            message: self.some(1, Self::message),
            digest: None,
            case: self.some(1, Self::case),
            official: self.some(1, Self::identifier),
            person: self.some(2, Self::identifier),
        }
    }
}

/// What is found page by page, with its times.
fn counted(store: &Store, filter: &Filter, mut histogram: Histogram) -> Histogram {
    for index in all(store, filter) {
        let leaf = Leaf::parse(&store.record(index).expect("it was found").leaf).expect("as written");
        let at = histogram.bucket_of(UnixTime::from_ms(leaf.time));
        let bucket = at.and_then(|at| histogram.buckets.get_mut(at));
        bucket.into_iter().for_each(|bucket| bucket.add(Bucket { records: 1, refused: u64::from(leaf.kind == "err") }));
    }
    histogram
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_counted_by_time_is_what_a_search_finds_page_by_page(seed: u64, size in 0..260_u64) {
        let (folder, runtime, mut random) = (Folder::new(), runtime(), Random(seed));
        let (store, _) = Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
        let entries: Vec<Entry> = (0..size).map(|number| random.entry(number)).collect();
        let put: Vec<_> = entries.iter().map(|entry| (entry.record.leaf(&Blind::default()), entry.private.clone())).collect();
        runtime.block_on(async {
            for entry in entries {
                store.append(entry).await.expect("there is room");
            }
        });
        for _ in 0..60 {
            let filter = random.filter(size);
            let holds = |(leaf, private): &(String, Private)| {
                Leaf::parse(leaf).is_some_and(|leaf| filter.matches(&leaf)) && filter.matches_private(private)
            };
            let expected: Vec<u64> = (0..size).rev().filter(|at| holds(&put[*at as usize])).collect();
            prop_assert_eq!(all(&store, &filter), expected.clone(), "{:?}", filter);
            let count = store.count(&filter).expect("an index");
            prop_assert_eq!((count.found.records, count.is_exact), (expected.len() as u64, true), "{:?}", filter);
            let (from, width) = (START_MS + random.below(size * 10 + 1), 1 + random.below(size * 10 + 1));
            let (from, to) = (UnixTime::from_ms(from), UnixTime::from_ms(from + width));
            let buckets = 1 + random.below(100) as usize;
            let histogram = store.histogram(&filter, from, to, buckets).expect("an index");
            prop_assert_eq!(&histogram, &counted(&store, &filter, Histogram::new(from, to, buckets)), "{:?}", filter);
        }
    }
}

#[test]
fn what_was_shredded_is_counted_as_it_is_found() {
    let (folder, runtime) = (Folder::new(), runtime());
    let (store, _) = Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
    append(&store, &runtime, 1..150);
    store.settle(u64::MAX);
    store.shred(5).expect("its volume is complete");
    let of = |filter: &Filter| (store.count(filter).expect("an index").found.records, all(&store, filter).len() as u64);
    assert_eq!(of(&Filter::default()), (149, 149), "its place is there");
    assert_eq!(of(&Filter { kind: Some(RecordKind::Request), ..Filter::default() }), of_kind(0));
    let timed = Filter { from: Some(UnixTime::from_ms(0)), to: Some(UnixTime::from_ms(1 << 40)), ..Filter::default() };
    assert_eq!(of(&timed), (148, 148), "it has no time");
}

/// How many of the kind there are from 1 to 149 without the one that was shredded, twice.
fn of_kind(rest: u64) -> (u64, u64) {
    let count = (1..150_u64).filter(|number| number % 2 == rest && *number != 6).count() as u64;
    (count, count)
}

#[test]
fn a_case_of_so_many_records_is_counted_by_leaves_and_a_larger_one_by_rows() {
    let (folder, runtime) = (Folder::new(), runtime());
    let settings = Settings { volume_records: 1 << 16, ..SMALL };
    let (store, _) = Store::open(&folder.0, ORIGIN, settings).expect("opens");
    let (case, other) = ("01990a5c-0000-7000-8000-000000000001", "01990a5d-0000-7000-8000-000000000001");
    let of = |id: &str, number: usize| {
        let mut record = Record::new(RecordKind::Case, UnixTime::from_ms(START_MS + number as u64));
        record.case = Uuid::parse(id);
        Entry { record, private: Private::default(), body: None }
    };
    let filter = Filter { case: Uuid::parse(case), ..Filter::default() };
    let count = |store: &Store| {
        let count = store.count(&filter).expect("an index");
        (count.found.records, count.is_exact)
    };
    runtime.block_on(async {
        store.append(of(other, 0)).await.expect("there is room");
        for number in 1..limits::COUNT_LEAVES_MAX {
            store.append(of(case, number)).await.expect("there is room");
        }
    });
    // Rows know half of an id, and the other case has the same half.
    assert_eq!(count(&store), (limits::COUNT_LEAVES_MAX as u64 - 1, true));
    runtime.block_on(store.append(of(case, limits::COUNT_LEAVES_MAX))).expect("there is room");
    assert_eq!(count(&store), (limits::COUNT_LEAVES_MAX as u64 + 1, false));
}
