//! The auditor's work: what is found is what a plain look through all leaves finds, and whoever looks is seen.

use crate::folder::Folder;
use oncegate::base::fault;
use oncegate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId, Uuid};
use oncegate::base::time::UnixTime;
use oncegate::evidence::audit::{Anomaly, AnomalyKind, Cursor, ExportVerifier, Filter, Grouping, Thresholds};
use oncegate::evidence::journal::Entry;
use oncegate::evidence::tlog::leaf::Leaf;
use oncegate::evidence::tlog::{Private, Record, RecordKind};
use oncegate::host::store::{ExportForm, Settings, Store, Sync};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use std::collections::BTreeMap;

/// So few that a store of some hundred records has several volumes.
const SMALL: Settings = Settings { sync: Sync::Never, bytes_max: u64::MAX, volume_records: 64 };
const START: u64 = 1_772_600_000_000;

/// Random enough, and always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// One of several, or none.
    fn of<T>(&mut self, sides: u64, make: impl Fn(u64) -> T) -> Option<T> {
        let side = self.roll(sides + 1);
        (side < sides).then(|| make(side))
    }
}

fn consumer(number: u64) -> AgencyId {
    AgencyId::parse(&format!("xx.school-{number}")).expect("an agency")
}

/// The second is a consumer as well.
fn provider(number: u64) -> AgencyId {
    if number == 1 { consumer(0) } else { AgencyId::parse(&format!("xx.clinic-{number}")).expect("an agency") }
}

fn word(kind: &str, number: u64) -> Code {
    Code::parse(&format!("{kind}-{number}")).expect("a code")
}

/// The second is longer than leaves have it.
fn basis(number: u64) -> String {
    if number == 1 { "ё".repeat(70) } else { format!("XX:LAW:{number}") }
}

/// Pairs of them have the same second half, which is all that the index knows.
fn message(number: u64) -> MessageId {
    MessageId::new(UnixTime::from_ms(START + number), [(number / 2) as u8; 10])
}

fn case(number: u64) -> Uuid {
    Uuid::parse(&format!("01990a5c-000{number}-7000-8000-00000000000{}", number / 2)).expect("a UUID")
}

/// Of some the first octets are the same.
fn digest(number: u64) -> Digest {
    let mut octets = [number as u8 / 2; 32];
    octets[31] = number as u8;
    Digest::from_octets(octets)
}

fn person(number: u64) -> Identifier {
    Identifier::synthetic(number as u32)
}

fn code(number: u64) -> fault::Code {
    [fault::Code::PolNoGrant, fault::Code::RteDeadline][number as usize]
}

fn entry(dice: &mut Dice, number: u64) -> Entry {
    let kind = RecordKind::ALL[dice.roll(6) as usize];
    // Nearly in order.
    let mut record = Record::new(kind, UnixTime::from_ms(START + number * 1000 + dice.roll(3000)));
    record.consumer = dice.of(4, consumer);
    record.provider = dice.of(3, provider);
    record.document_type = dice.of(3, |number| word("document", number));
    record.purpose = dice.of(2, |number| word("purpose", number));
    record.basis = dice.of(3, |number| basis(number).into());
    record.code = dice.of(2, code);
    record.message = dice.of(40, message);
    record.case = dice.of(6, case);
    (record.digest, record.raw) = (dice.of(30, digest), dice.of(30, digest));
    record.elapsed_us = dice.roll(50_000);
    let persons = dice.roll(3);
    let mut identifiers: Vec<Identifier> = (0..persons).map(|_| person(dice.roll(6))).collect();
    identifiers.dedup();
    let private =
        Private { subject: identifiers.into(), official: dice.of(3, |number| person(100 + number)), ..Private::default() };
    Entry { record, private, body: None }
}

/// A store, and what is private of its records.
struct Filled {
    store: Store,
    private: Vec<Private>,
    dice: Dice,
    runtime: tokio::runtime::Runtime,
    _folder: Folder,
}

impl Filled {
    fn new(seed: u64, size: u64) -> Self {
        let folder = Folder::new();
        let (store, _) = Store::open(folder.path(), "log.example/audit", SMALL).expect("opens");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut this = Self { store, private: Vec::new(), dice: Dice(seed), runtime, _folder: folder };
        this.grow(size);
        this
    }

    fn grow(&mut self, more: u64) {
        for _ in 0..more {
            let entry = entry(&mut self.dice, self.private.len() as u64);
            self.private.push(entry.private.clone());
            self.runtime.block_on(self.store.append(entry)).expect("there is room");
        }
    }

    fn leaf(&self, index: u64) -> Leaf {
        Leaf::parse(&self.store.record(index).expect("it is there").leaf).expect("a leaf")
    }

    /// The plain look through everything, newest first.
    fn scan(&self, filter: &Filter) -> Vec<u64> {
        let fits = |index: &u64| filter.matches(&self.leaf(*index)) && filter.matches_private(&self.private[*index as usize]);
        (0..self.private.len() as u64).rev().filter(fits).collect()
    }

    /// Page by page, each from the cursor of the one before.
    fn search(&self, filter: &Filter, limit: usize) -> Vec<u64> {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = self.store.search(filter, before, limit).expect("an index");
            assert!(page.records.len() <= limit);
            found.extend(page.records.iter().map(|record| record.index));
            let Some(next) = page.next else { return found };
            let cursor = Cursor(next).to_text(filter);
            before = Some(Cursor::parse(&cursor, filter).expect("its own").0);
        }
    }
}

/// What a filter has: for each of its parts nothing, or a value that records may have.
fn filters() -> impl Strategy<Value = Filter> {
    let some = |sides: u64| proptest::option::weighted(0.25, 0..sides);
    let names = (some(4), some(3), some(4), some(4), some(3), some(2));
    let rare = proptest::option::weighted(0.08, 0_u64..30);
    let rest = (some(3), some(2), some(40), some(6), some(3), some(6), some(6), some(300), some(300));
    (names, rest, rare).prop_map(|(names, rest, rare)| Filter {
        from: rest.7.map(|number| UnixTime::from_ms(START + number * 1000)),
        to: rest.8.map(|number| UnixTime::from_ms(START + number * 1000)),
        kind: rest.6.map(|number| RecordKind::ALL[number as usize]),
        consumer: names.0.map(consumer),
        provider: names.1.map(provider),
        party: names.2.map(consumer),
        scope: names.3.map(consumer),
        document_type: names.4.map(|number| word("document", number)),
        purpose: names.5.map(|number| word("purpose", number)),
        basis: rest.0.map(basis),
        code: rest.1.map(|number| code(number).as_str().to_owned()),
        message: rest.2.map(message),
        digest: rare.map(digest),
        case: rest.3.map(case),
        official: rest.4.map(|number| person(100 + number)),
        person: rest.5.map(person),
    })
}

/// The lines of an export, as whoever gets it sees them.
fn exported(store: &Store, filter: &Filter, form: ExportForm) -> Vec<String> {
    let mut export = store.export(filter.clone(), form).expect("an index");
    let mut text = String::new();
    while let Some(portion) = store.export_next(&mut export).expect("readable") {
        text.push_str(&portion);
    }
    text.lines().map(str::to_owned).collect()
}

fn verified(lines: &[String], store: &Store) -> Result<(Vec<u64>, u64), String> {
    let (first, rest) = lines.split_first().ok_or("nothing")?;
    let mut verifier = ExportVerifier::begin(first, store.verifier()).map_err(|error| error.to_string())?;
    let mut shown = Vec::new();
    for line in rest {
        shown.extend(verifier.line(line).map_err(|error| error.to_string())?.map(|(index, _)| index));
    }
    let exported = verifier.finish().map_err(|error| error.to_string())?;
    Ok((shown, exported.hidden))
}

#[test]
fn every_filter_finds_what_a_plain_look_finds() {
    let stores: Vec<Filled> = (0..).zip([1, 63, 64, 65, 130, 300]).map(|(seed, size)| Filled::new(seed, size)).collect();
    let mut runner = TestRunner::new(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() });
    let cases = (0..stores.len(), filters(), 1..40_usize);
    let hits = std::cell::Cell::new(0);
    let result = runner.run(&cases, |(at, filter, limit)| {
        let filled = &stores[at];
        let expected = filled.scan(&filter);
        prop_assert_eq!(&filled.search(&filter, limit), &expected);
        hits.set(hits.get() + usize::from(!expected.is_empty()));
        // Persons are not exported, and such times no query has.
        if filter.is_personal() || filter.from.zip(filter.to).is_some_and(|(from, to)| from > to) {
            return Ok(());
        }
        let lines = exported(&filled.store, &filter, ExportForm::Proved);
        let (shown, _) = verified(&lines, &filled.store).map_err(TestCaseError::fail)?;
        prop_assert_eq!(shown.into_iter().rev().collect::<Vec<_>>(), &expected[..]);
        let table = exported(&filled.store, &filter, ExportForm::Table);
        prop_assert_eq!(table.len(), expected.len() + 1);
        Ok(())
    });
    match result {
        Ok(()) => assert!(hits.get() > 100, "only {} filters found anything", hits.get()),
        Err(TestError::Fail(reason, case)) => panic!("{reason}: {case:?}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn each_digest_finds_alone_also_one_that_begins_with_noughts() {
    let filled = Filled::new(1, 120);
    for number in 0..30 {
        let filter = Filter { digest: Some(digest(number)), ..Filter::default() };
        let expected = filled.scan(&filter);
        assert!(!expected.is_empty() || number > 0);
        assert_eq!(filled.search(&filter, 1), expected, "{number}");
    }
}

#[test]
fn each_part_of_a_filter_finds_alone() {
    let filled = Filled::new(7, 200);
    let all = Filter {
        from: Some(UnixTime::from_ms(START + 50_000)),
        to: Some(UnixTime::from_ms(START + 150_000)),
        kind: Some(RecordKind::Answer),
        consumer: Some(consumer(1)),
        provider: Some(provider(2)),
        party: Some(consumer(0)),
        scope: Some(consumer(2)),
        document_type: Some(word("document", 1)),
        purpose: Some(word("purpose", 0)),
        basis: Some(basis(1)),
        code: Some(code(1).as_str().to_owned()),
        message: Some(message(5)),
        digest: Some(digest(5)),
        case: Some(case(3)),
        official: Some(person(101)),
        person: Some(person(4)),
    };
    let none = Filter::default();
    for filter in [
        Filter { from: all.from, ..none.clone() },
        Filter { to: all.to, ..none.clone() },
        Filter { kind: all.kind, ..none.clone() },
        Filter { consumer: all.consumer, ..none.clone() },
        Filter { provider: all.provider, ..none.clone() },
        Filter { party: all.party, ..none.clone() },
        Filter { scope: all.scope, ..none.clone() },
        Filter { document_type: all.document_type, ..none.clone() },
        Filter { purpose: all.purpose, ..none.clone() },
        Filter { basis: all.basis, ..none.clone() },
        Filter { code: all.code, ..none.clone() },
        Filter { message: all.message, ..none.clone() },
        Filter { digest: all.digest, ..none.clone() },
        Filter { case: all.case, ..none.clone() },
        Filter { official: all.official, ..none.clone() },
        Filter { person: all.person, ..none.clone() },
    ] {
        let expected = filled.scan(&filter);
        assert!(!expected.is_empty() && expected.len() < 200, "{filter:?} finds {}", expected.len());
        assert_eq!(filled.search(&filter, 3), expected, "{filter:?}");
    }
}

#[test]
fn pages_go_on_where_they_were_while_the_log_grows() {
    let mut filled = Filled::new(3, 60);
    let filter = Filter { party: Some(consumer(0)), ..Filter::default() };
    let expected = filled.scan(&filter);
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = filled.store.search(&filter, before, 2).expect("an index");
        found.extend(page.records.iter().map(|record| record.index));
        // Also across the border of a volume.
        filled.grow(9);
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    assert_eq!(found, expected);
    assert!(filled.scan(&filter).len() > expected.len());
}

#[test]
fn a_summary_counts_what_a_plain_look_counts() {
    let filled = Filled::new(11, 200);
    for filter in [Filter::default(), Filter { party: Some(consumer(0)), ..Filter::default() }] {
        let groups = filled.store.summary(&filter, &[Grouping::Consumer, Grouping::Kind]).expect("a summary");
        let mut expected = BTreeMap::<Vec<String>, (u64, BTreeMap<String, u64>, Vec<u64>)>::new();
        for index in filled.scan(&filter) {
            let leaf = filled.leaf(index);
            let key = vec![leaf.consumer.clone().unwrap_or_default(), leaf.kind.clone()];
            let group = expected.entry(key).or_default();
            group.0 += 1;
            if let Some(code) = leaf.code {
                *group.1.entry(code).or_default() += 1;
            }
            if leaf.kind == "rsp" {
                group.2.push(leaf.elapsed_us.unwrap_or(0));
            }
        }
        assert_eq!(groups.len(), expected.len());
        for group in &groups {
            let (count, codes, times) = expected.get_mut(&group.key).expect("the same groups");
            assert_eq!((group.kinds.values().sum::<u64>(), &group.codes), (*count, &*codes), "{:?}", group.key);
            times.sort_unstable();
            for of_hundred in [50, 90, 99] {
                let exact = (!times.is_empty()).then(|| times[(times.len() * of_hundred).div_ceil(100) - 1]);
                let found = group.latencies.percentile(of_hundred as u64).map(u64::from);
                let is_near = exact.zip(found).is_none_or(|(exact, found)| found >= exact && found <= exact + exact / 64);
                assert!(is_near && exact.is_some() == found.is_some(), "{exact:?} {found:?}");
            }
        }
    }
}

#[test]
fn a_changed_export_is_found() {
    let filled = Filled::new(5, 150);
    let filter = Filter { consumer: Some(consumer(2)), from: Some(UnixTime::from_ms(START + 20_000)), ..Filter::default() };
    let lines = exported(&filled.store, &filter, ExportForm::Proved);
    let (shown, hidden) = verified(&lines, &filled.store).expect("whole");
    assert!(shown.len() > 10 && hidden > 50, "{} {hidden}", shown.len());
    // Hidden records are few hashes, not one each.
    assert!(lines.len() < 150, "{}", lines.len());
    for at in 0..lines.len() {
        let mut dropped = lines.clone();
        dropped.remove(at);
        assert!(verified(&dropped, &filled.store).is_err(), "without {at}");
        let mut added = lines.clone();
        added.insert(at, lines[at].clone());
        assert!(verified(&added, &filled.store).is_err(), "twice {at}");
        let octets: Vec<usize> = lines[at].char_indices().map(|(at, _)| at).step_by(7).collect();
        for octet in octets {
            let mut changed = lines.clone();
            let from = &lines[at][octet..].chars().next().expect("a character");
            let to = if *from == '1' { "2" } else { "1" };
            changed[at].replace_range(octet..octet + from.len_utf8(), to);
            // What was looked for is in the first line for people; that it was this is not proved.
            let is_word = at == 0 && lines[0][..octet].contains("\"filter\":") && !lines[0][..octet].contains("\"left\":");
            assert!(is_word || verified(&changed, &filled.store).is_err(), "line {at}, octet {octet}: {}", changed[at]);
        }
    }
    let plain = exported(&filled.store, &filter, ExportForm::Plain);
    assert!(verified(&plain, &filled.store).is_err_and(|error| error.contains("without a proof")));
}

/// Requests that stand out, each in its manner, among others that do not.
#[test]
fn what_stands_out_is_told() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let folder = Folder::new();
    let (store, _) = Store::open(folder.path(), "log.example/audit", SMALL).expect("opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    // Midnight of a day; times are hours from there on.
    let start = START / DAY * DAY;
    let ask = |agency: u64, hours: u64, official: u64, about: u64| {
        let mut record = Record::new(RecordKind::Request, UnixTime::from_ms(start + hours * 60 * 60 * 1000));
        record.consumer = Some(consumer(agency));
        let private = Private { subject: vec![person(about)].into(), official: Some(person(official)), ..Private::default() };
        runtime.block_on(store.append(Entry { record, private, body: None })).expect("there is room");
    };
    for day in 0..6 {
        // Two agencies ask for one person each by day, at most; on the fourth day the second asks for forty.
        ask(0, day * 24 + 10, 100, day);
        (0..if day == 3 { 40 } else { 1 }).for_each(|_| ask(1, day * 24 + 11, 101, 50));
        // The third asks twice in each night.
        ask(2, day * 24 + 23, 102, 60);
        ask(2, day * 24 + 3, 102, 60);
    }
    // An official asks for twelve persons on a day; and all four agencies ask for one.
    (0..12).for_each(|about| ask(3, 2 * 24 + 12, 103, 70 + about));
    (0..4).for_each(|agency| ask(agency, 5 * 24 + 12, 100 + agency, 90));
    let thresholds = Thresholds { persons: 12, agencies: 4, ..Thresholds::default() };
    let found = store.anomalies(&Filter::default(), &thresholds).expect("a report");
    let told: Vec<_> = found.iter().map(|found| (found.kind, found.agency.as_deref(), found.count, found.usual)).collect();
    let day = |of: &Anomaly| of.day.map(|day| day.days_since_epoch() as u64 - start / DAY);
    assert_eq!(
        told,
        [
            (AnomalyKind::Night, Some("xx.school-2"), 12, Some(13)),
            (AnomalyKind::ManyPersons, Some("xx.school-3"), 12, None),
            (AnomalyKind::ManyAgencies, None, 4, None),
            (AnomalyKind::Jump, Some("xx.school-1"), 40, Some(1)),
        ]
    );
    assert_eq!(found.iter().map(day).collect::<Vec<_>>(), [None, Some(2), Some(5), Some(3)]);
    assert!(found[1].official.is_some() && found[3].official.is_none());
    for found in &found {
        let leaf = Leaf::parse(&store.record(found.example).expect("it is there").leaf).expect("a leaf");
        assert!(found.agency.is_none() || leaf.consumer == found.agency);
    }
    // An agency is told of itself alone.
    let own = Filter { scope: Some(consumer(3)), ..Filter::default() };
    let found = store.anomalies(&own, &thresholds).expect("a report");
    assert_eq!(found.iter().map(|found| found.kind).collect::<Vec<_>>(), [AnomalyKind::ManyPersons]);
}
