//! What the figures of traffic are told of what was before a start.

use super::*;
use crate::base::fault;
use crate::evidence::traffic::Told;

fn at(number: u64) -> UnixTime {
    UnixTime::from_ms(1_800_000_000_000 + number * 90_000)
}

/// Requests, answers, refusals of them, and refusals at the door that stand for several; now and then something else.
fn record(number: u64) -> Record {
    let kinds = [RecordKind::Request, RecordKind::Answer, RecordKind::Refusal, RecordKind::Refusal, RecordKind::Administration];
    let mut record = Record::new(kinds[number as usize % 5], at(number));
    record.consumer = AgencyId::parse(&format!("xx.school-{}", number % 4));
    record.message = Some(MessageId::new(at(number), [number as u8; 10]));
    record.elapsed_us = number * 10;
    if number % 5 < 3 {
        (record.provider, record.grant) = (AgencyId::parse("xx.clinic"), Code::parse("g"));
    }
    match number % 5 {
        2 => record.code = Some(fault::Code::RteDeadline),
        3 => (record.code, record.summed) = (Some(fault::Code::LimRequests), Some(number)),
        _ => {}
    }
    record
}

fn put(store: &Store, size: u64) {
    let runtime = runtime();
    for number in 0..size {
        let entry = Entry { record: record(number), private: Private::default(), body: None };
        runtime.block_on(store.append(entry)).expect("there is room");
    }
}

/// All that is told, and from when on it is whole.
fn recalled(store: &Store, mut recalling: Recalling) -> (Vec<Told>, Option<UnixTime>) {
    let (mut all, mut since) = (Vec::new(), None);
    while let Some(recalled) = store.recall_next(&mut recalling).expect("an index") {
        all.splice(0..0, recalled.told);
        since = Some(recalled.whole_since);
    }
    (all, since)
}

#[test]
fn what_was_before_a_start_is_told_as_it_was_when_it_was_recorded() {
    let folder = Folder::new();
    let (store, _) = Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
    put(&store, 150);
    let expected = |from: u64, to: u64| -> Vec<Told> { (from..to).map(|number| Told::of_record(&record(number))).collect() };
    // What the index does not say of a kind that does not count is no matter.
    let shown =
        |told: Vec<Told>| -> Vec<Told> { told.into_iter().filter(|told| told.kind != RecordKind::Administration).collect() };
    let (told, since) = recalled(&store, store.recall_traffic(150, at(0)));
    assert_eq!((shown(told), since), (shown(expected(0, 150)), Some(at(0))));
    // What came after the start is told by whoever writes it, and what is too old does not count.
    let (told, since) = recalled(&store, store.recall_traffic(140, at(50)));
    assert_eq!((shown(told), since), (shown(expected(50, 140)), Some(at(50))));
    assert_eq!(recalled(&store, store.recall_traffic(0, at(0))), (Vec::new(), None));
}

#[test]
fn so_many_rows_and_leaves_are_looked_at_and_no_more() {
    let folder = Folder::new();
    let (store, _) = Store::open(&folder.0, ORIGIN, SMALL).expect("opens");
    put(&store, 100);
    let with = |rows_left, leaves_left| {
        let recalling = Recalling { rows_left, leaves_left, ..store.recall_traffic(100, at(0)) };
        recalled(&store, recalling)
    };
    let sums = |told: &[Told]| told.iter().filter(|told| told.count > 1).count();
    let (told, since) = with(100, 20);
    assert_eq!((told.len(), sums(&told), since), (100, 20, Some(at(0))));
    // It is whole from a moment after the earliest that was looked at.
    let (told, since) = with(60, 20);
    assert_eq!((told.len(), since), (60, Some(at(40).plus_ms(60_000))));
    // A refusal whose leaf is not read counts once.
    let (told, _) = with(100, 19);
    assert_eq!((told.len(), sums(&told)), (100, 19));
}
