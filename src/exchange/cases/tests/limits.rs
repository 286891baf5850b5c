//! Limits of cases, each at its value and one above.

use super::{Book, State, action};
use crate::base::ids::{Code, Uuid};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Blind, Record, RecordKind};
use crate::exchange::work::Memory;

const START: UnixTime = UnixTime::from_ms(1_800_000_000_000);

#[test]
fn a_case_in_which_nothing_could_be_done_is_looked_at_again_after_so_long_and_no_sooner() {
    let id = Uuid::from_octets([7; 16]);
    let mut record = Record::new(RecordKind::Case, START);
    (record.case, record.action, record.until) = (Some(id), Code::parse(action::OPEN), Some(START.plus_ms(10)));
    let leaf = Leaf::parse(&record.leaf(&Blind::default())).expect("as written");
    let mut book = Book::open(Memory::default());
    book.record(&leaf, 1);
    assert_eq!(book.row(&id).map(|row| row.state), Some(State::Open));
    let wakes = START.plus_ms(10);
    assert_eq!((book.due(wakes.minus_ms(1)), book.due(wakes)), (None, Some(id)));
    let again = wakes.plus_ms(limits::CASE_AGAIN_MS);
    assert_eq!((book.due(again.minus_ms(1)), book.due(again)), (None, Some(id)));
}
