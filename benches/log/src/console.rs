//! What a console asks of a log of so many records: pages of 50 by each filter and by pairs of them, histograms, counts; and what the
//! figures of traffic cost a record, and a start.

use crate::scale::append_all;
use crate::work::{self, case, entry, memory, message, mixed, open, runtime, school, settle};
use oncegate::base::fault;
use oncegate::base::ids::{AgencyId, Code, Identifier};
use oncegate::base::time::UnixTime;
use oncegate::evidence::audit::Filter;
use oncegate::evidence::journal::Entry;
use oncegate::evidence::tlog::RecordKind;
use oncegate::evidence::traffic::{Told, Traffic};
use oncegate::host::store::{Store, Sync};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The records of the log, but that a fiftieth of the answers are refusals, and one of 20,000 records says that the log was read.
fn asked(number: u64) -> Entry {
    let mut entry = entry(number);
    if mixed(number ^ 77) % 20_000 == 0 {
        entry.record.kind = RecordKind::Audit;
    } else if number % 2 == 1 && mixed(number) % 50 == 0 {
        entry.record.kind = RecordKind::Refusal;
        let codes = [fault::Code::RteDeadline, fault::Code::RteUnreachable, fault::Code::LimRequests, fault::Code::PolField];
        entry.record.code = Some(codes[mixed(number ^ 5) as usize % 4]);
    }
    entry
}

type Question = (&'static str, fn(u64, u64) -> Filter);

fn agency(n: u64) -> Option<AgencyId> {
    Some(school(mixed(n) % 2000))
}

fn holder(n: u64) -> Option<AgencyId> {
    AgencyId::parse(&format!("xx.region.clinic-{:03}", mixed(n) % 50))
}

fn type_of(n: u64) -> Option<Code> {
    Code::parse(["medical-absence-note", "birth-certificate", "identity-record"][n as usize % 3])
}

fn other_purpose(n: u64) -> Option<Code> {
    Code::parse(["registration", "school-attendance", "birth-allowance"][n as usize % 3])
}

/// A tenth of the log, far back.
fn early(size: u64) -> (Option<UnixTime>, Option<UnixTime>) {
    (Some(work::time(size / 20)), Some(work::time(size / 20 * 3)))
}

const QUESTIONS: [Question; 25] = [
    ("nothing", |_, _| Filter::default()),
    ("time far back", |_, size| Filter { from: early(size).0, to: early(size).1, ..Filter::default() }),
    ("consumer", |n, _| Filter { consumer: agency(n), ..Filter::default() }),
    ("holder", |n, _| Filter { provider: holder(n), ..Filter::default() }),
    ("either party", |n, _| Filter { party: agency(n), ..Filter::default() }),
    ("either party, a holder", |n, _| Filter { party: holder(n), ..Filter::default() }),
    ("document type", |n, _| Filter { document_type: type_of(n), ..Filter::default() }),
    ("purpose", |n, _| Filter { purpose: other_purpose(n), ..Filter::default() }),
    ("code", |_, _| Filter { code: Some("OG-RTE-006".into()), ..Filter::default() }),
    ("message", |n, size| Filter { message: Some(message(mixed(n) % size)), ..Filter::default() }),
    ("case", |n, size| Filter { case: Some(case(mixed(n) % size)), ..Filter::default() }),
    ("person", |n, _| Filter { person: Some(Identifier::synthetic((mixed(n) % 1_000_000) as u32)), ..Filter::default() }),
    ("official", |n, _| Filter { official: Some(Identifier::synthetic((mixed(n) % 20_000) as u32)), ..Filter::default() }),
    ("kind err", |_, _| Filter { kind: Some(RecordKind::Refusal), ..Filter::default() }),
    ("kind aud, rare", |_, _| Filter { kind: Some(RecordKind::Audit), ..Filter::default() }),
    ("kind adm, none", |_, _| Filter { kind: Some(RecordKind::Administration), ..Filter::default() }),
    ("agency and document", |n, _| Filter { party: agency(n), document_type: type_of(n), ..Filter::default() }),
    ("agency and time", |n, size| Filter { party: agency(n), from: early(size).0, to: early(size).1, ..Filter::default() }),
    ("agency and kind err", |n, _| Filter { party: agency(n), kind: Some(RecordKind::Refusal), ..Filter::default() }),
    ("holder and kind aud, rare", |n, _| Filter { provider: holder(n), kind: Some(RecordKind::Audit), ..Filter::default() }),
    ("document and kind aud, rare", |n, _| Filter {
        document_type: type_of(n),
        kind: Some(RecordKind::Audit),
        ..Filter::default()
    }),
    ("document and purpose, never", |n, _| Filter { document_type: type_of(n), purpose: other_purpose(n), ..Filter::default() }),
    ("holder and document, never", |n, _| Filter {
        provider: holder(n),
        document_type: type_of(n),
        basis: Some("RU:nothing".into()),
        ..Filter::default()
    }),
    ("holder and consumer", |n, _| Filter { provider: holder(n), consumer: agency(n), ..Filter::default() }),
    ("purpose, code and time", |n, size| Filter {
        purpose: other_purpose(n),
        code: Some("OG-POL-011".into()),
        from: early(size).0,
        to: early(size).1,
        ..Filter::default()
    }),
];

/// Median, 99 of 100 and the longest, in milliseconds, of so many runs.
fn time(runs: u64, mut run: impl FnMut(u64)) -> [f64; 3] {
    let mut took: Vec<Duration> = (0..runs)
        .map(|number| {
            let start = Instant::now();
            run(number);
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    [took.len() / 2, took.len() * 99 / 100, took.len() - 1].map(|at| took[at].as_secs_f64() * 1e3)
}

fn line(name: &str, [median, most, longest]: [f64; 3], what: &str) {
    println!("| {name} | {median:.2} | {most:.2} | {longest:.2} | {what} |");
}

fn pages(store: &Store) {
    let size = store.size();
    println!(
        "\n| page of 50, ms | median | 99 of 100 | longest | records of a page; pages to the end of one |\n|---|---|---|---|---|"
    );
    for (name, filter) in QUESTIONS {
        let (mut found, mut pages) = (0, 0);
        let took = time(200, |number| {
            let page = store.search(&filter(number, size), None, 50).expect("an index");
            found += page.records.len();
            pages += u64::from(page.next.is_some());
        });
        line(name, took, &format!("{:.1}; {pages} of 200 go on", found as f64 / 200.0));
    }
}

fn histograms(store: &Store) {
    let size = store.size();
    let ranges = [("all", 0, size), ("a tenth", size / 20, size / 20 * 3), ("an hour", size / 2, size / 2 + 1200)];
    for (range, from, to) in ranges {
        println!("\n| 96 buckets of {range}, ms | median | 99 of 100 | longest | records; exact |\n|---|---|---|---|---|");
        for (name, filter) in QUESTIONS {
            let (mut found, mut exact) = (0, 0);
            let took = time(20, |number| {
                let filter = filter(number, size);
                let histogram = store.histogram(&filter, work::time(from), work::time(to), 96).expect("an index");
                found += histogram.sum().records;
                exact += u64::from(histogram.is_exact);
            });
            line(name, took, &format!("{:.1}; {exact} of 20", found as f64 / 20.0));
        }
    }
    println!("\n| count, ms | median | 99 of 100 | longest | records; exact |\n|---|---|---|---|---|");
    for (name, filter) in QUESTIONS {
        let (mut found, mut exact) = (0, 0);
        let took = time(20, |number| {
            let count = store.count(&filter(number, size)).expect("an index");
            found += count.found.records;
            exact += u64::from(count.is_exact);
        });
        line(name, took, &format!("{:.1}; {exact} of 20", found as f64 / 20.0));
    }
}

fn figures(store: &Store) {
    let size = store.size();
    let told: Vec<Told> = (size - size.min(1_000_000)..size).map(|number| Told::of_record(&asked(number).record)).collect();
    let mut traffic = Traffic::new(work::time(0));
    let start = Instant::now();
    told.iter().for_each(|told| traffic.tell(told));
    println!("\nfigures of traffic: {:.0} ns a record", start.elapsed().as_secs_f64() * 1e9 / told.len() as f64);
    let before = memory().0;
    let mut again = Traffic::new(work::time(size));
    let (start, mut count) = (Instant::now(), 0);
    let mut recalling = store.recall_traffic(size, work::time(size).minus_ms(30 * 24 * 3_600_000));
    while let Some(recalled) = store.recall_next(&mut recalling).expect("an index") {
        count += recalled.told.len();
        recalled.told.iter().for_each(|told| again.tell(told));
        again.is_whole_since(recalled.whole_since);
    }
    println!("after a start: {count} records in {:.2} s, {} MiB", start.elapsed().as_secs_f64(), memory().0 - before);
    let took = time(200, |_| {
        assert!(!again.by_agency(work::time(size), 720).is_empty());
    });
    println!("all agencies in 30 days: {:.2} ms", took[0]);
}

pub fn measure(folder: &Path, records: u64) {
    let runtime = runtime();
    let store = Arc::new(open(folder, Sync::Never));
    let start = Instant::now();
    append_all(&store, &runtime, records, asked);
    settle(&store);
    println!("{records} records in {:.0} s, {} MiB", start.elapsed().as_secs_f64(), memory().0);
    pages(&store);
    histograms(&store);
    figures(&store);
    println!("\nmemory: {} MiB, at most {} MiB", memory().0, memory().1);
    Arc::into_inner(store).expect("nobody else has it").close();
    std::fs::remove_dir_all(folder).expect("it is ours");
}
