//! Limits of cases, each at its value and one above.

use super::{Book, State, action};
use crate::base::ids::{Code, Uuid};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Blind, Record, RecordKind};
use crate::exchange::work::Memory;

const START: UnixTime = UnixTime::from_ms(1_800_000_000_000);

fn leaf(id: Uuid, what: &str) -> Leaf {
    let mut record = Record::new(RecordKind::Case, START);
    (record.case, record.action, record.until) = (Some(id), Code::parse(what), Some(START.plus_ms(10)));
    Leaf::parse(&record.leaf(&Blind::default())).expect("as written")
}

#[test]
fn open_cases_are_gone_through_in_their_order_and_those_that_are_over_are_not() {
    let ids = [1, 2, 3, 4].map(|octet| Uuid::from_octets([octet; 16]));
    let mut book = Book::open(Memory::default());
    let told =
        [(2, action::OPEN), (0, action::OPEN), (3, action::OPEN), (0, action::CLOSE), (1, action::OPEN), (1, action::CHANGE)];
    for (index, (number, what)) in (1..).zip(told) {
        book.record(&leaf(ids[number], what), index, &[]);
        // It may be told again.
        book.record(&leaf(ids[number], what), index, &[]);
    }
    let open = |book: &Book<Memory>| {
        let next = |last: &Option<Uuid>| book.open_behind(last.as_ref()).map(|row| Some(row.id));
        std::iter::successors(Some(None), next).flatten().collect::<Vec<Uuid>>()
    };
    assert_eq!((open(&book), book.count_open()), (ids[1..].to_vec(), 3));
    let book = Book::open(book.shelf().clone());
    assert_eq!((open(&book), book.count_open()), (ids[1..].to_vec(), 3), "as it was saved");
}

#[test]
fn a_case_in_which_nothing_could_be_done_is_looked_at_again_after_so_long_and_no_sooner() {
    let id = Uuid::from_octets([7; 16]);
    let mut book = Book::open(Memory::default());
    book.record(&leaf(id, action::OPEN), 1, &[]);
    assert_eq!(book.row(&id).map(|row| row.state), Some(State::Open));
    let wakes = START.plus_ms(10);
    assert_eq!((book.due(wakes.minus_ms(1)), book.due(wakes)), (None, Some(id)));
    let again = wakes.plus_ms(limits::CASE_AGAIN_MS);
    assert_eq!((book.due(again.minus_ms(1)), book.due(again)), (None, Some(id)));
}

#[test]
fn the_cases_about_somebody_are_found_by_each_of_their_keys_in_their_order() {
    let ids = [9, 4, 6].map(|octet| Uuid::from_octets([octet; 16]));
    let mut book = Book::open(Memory::default());
    for (index, (id, persons)) in (1..).zip([(ids[0], &[1, u64::MAX][..]), (ids[1], &[2]), (ids[2], &[1])]) {
        let opened = START.plus_ms(index);
        let mut record = Record::new(RecordKind::Case, opened);
        (record.case, record.action) = (Some(id), Code::parse(action::OPEN));
        book.record(&Leaf::parse(&record.leaf(&Blind::default())).expect("as written"), index, persons);
    }
    book.record(&leaf(ids[0], action::CLOSE), 4, &[1]);
    let about = |persons: &[u64]| book.about(persons).into_iter().map(|row| row.id).collect::<Vec<Uuid>>();
    assert_eq!(about(&[1]), [ids[0], ids[2]]);
    assert_eq!((about(&[u64::MAX]), about(&[2]), about(&[3])), (vec![ids[0]], vec![ids[1]], Vec::new()));
    assert_eq!(about(&[2, 1, u64::MAX]), [ids[0], ids[1], ids[2]], "each once");
}
