//! Questions that are open: kept with their records, and without an outcome. Each complete volume has those that were open at its
//! end, so that whoever starts reads one list and the rows behind it, and not the month in which they may have come.

use super::blocks::{BLOCK, Blocks};
use super::row::{By, Role, Row};
use super::rows::each_span;
use crate::base::limits;
use crate::host::store::StoreError;
use std::collections::BTreeMap;

/// A question that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    /// The index of its record.
    pub index: u64,
    pub time: u64,
    pub key: Key,
    pub segment: u32,
    pub offset: u32,
}

/// What an exchange is known by in rows: the key of the exchange, half of the message id and the number of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    exchange: u64,
    message: u64,
    consumer: u32,
}

impl Key {
    fn of(row: &Row) -> Self {
        Self { exchange: row.exchange, message: row.key(By::Message), consumer: row.key(By::Consumer) as u32 }
    }
}

impl Open {
    fn of(index: u64, row: &Row) -> Self {
        Self { index, time: row.time, key: Key::of(row), segment: row.segment, offset: row.offset }
    }

    fn write(&self, out: &mut Vec<u8>) {
        for number in [self.index, self.time, self.key.exchange, self.key.message] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for number in [self.key.consumer, self.segment, self.offset, 0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }

    fn read(octets: &[u8; OPEN]) -> Self {
        let number = |at: usize, count: usize| {
            let octets = octets.get(at..at + count).unwrap_or_default();
            octets.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet))
        };
        let key = Key { exchange: number(16, 8), message: number(24, 8), consumer: number(32, 4) as u32 };
        Self { index: number(0, 8), time: number(8, 8), key, segment: number(36, 4) as u32, offset: number(40, 4) as u32 }
    }
}

/// What rows of a volume change: a question that is open at their end, or the end of one.
pub(crate) struct Changes {
    known: BTreeMap<Key, Option<Open>>,
    /// Whether ends are of interest that are of no question among the rows: where nothing was open before, none is.
    before: Before,
}

/// Whether questions were open before the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    None,
    Some,
}

impl Before {
    pub(crate) fn of(open: Option<&Blocks>) -> Self {
        if open.is_some_and(|open| open.len() > 0) { Self::Some } else { Self::None }
    }
}

impl Changes {
    pub(crate) fn new(before: Before) -> Self {
        Self { known: BTreeMap::new(), before }
    }

    /// Takes the next row.
    pub(crate) fn take(&mut self, index: u64, row: &Row) {
        match row.role {
            Role::KeptQuestion => drop(self.known.insert(Key::of(row), Some(Open::of(index, row)))),
            Role::End if self.before == Before::None => drop(self.known.remove(&Key::of(row))),
            Role::End => drop(self.known.insert(Key::of(row), None)),
            Role::Question | Role::None => {}
        }
    }

    /// Gives what is open after them, of what was open before; not what is so old that nothing can come of it any more.
    pub(crate) fn apply(
        &self,
        before: Option<OpenQuestions<'_>>,
        mut visit: impl FnMut(&Open) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for open in before.into_iter().flatten() {
            let open = open?;
            if !self.known.contains_key(&open.key) {
                visit(&open)?;
            }
        }
        // In the order of their records, as those before them are.
        let mut fresh: Vec<&Open> = self.known.values().flatten().collect();
        fresh.sort_unstable_by_key(|open| open.index);
        fresh.into_iter().try_for_each(visit)
    }
}

/// Where the open questions of a volume come from.
#[derive(Clone, Copy)]
pub(crate) enum Opens<'s> {
    /// Those of the volume before it, and its own rows.
    After(Option<&'s Blocks>),
    /// Those that it has already.
    Of(&'s Blocks),
}

impl Opens<'_> {
    /// Writes what is open at the end of a volume that begins with record `first`.
    pub(crate) fn write(&self, first: u64, rows: &Blocks, out: &mut Blocks) -> Result<(), StoreError> {
        let mut octets = Vec::new();
        let mut put = |open: &Open| {
            open.write(&mut octets);
            if octets.len() >= 16 * BLOCK as usize {
                out.append(&octets)?;
                octets.clear();
            }
            Ok(())
        };
        match self {
            Self::Of(own) => OpenQuestions::new(own).try_for_each(|open| put(&open?))?,
            Self::After(before) => {
                let (mut changes, mut index, mut latest) = (Changes::new(Before::of(*before)), first, 0);
                each_span(rows, |_, rows| {
                    for row in rows {
                        changes.take(index, row);
                        latest = latest.max(row.time);
                        index += 1;
                    }
                    Ok(())
                })?;
                let oldest = latest.saturating_sub(limits::EVENT_LIFE_MS + 2 * limits::CLOCK_SKEW_MS);
                changes.apply(before.map(OpenQuestions::new), |open| if open.time >= oldest { put(open) } else { Ok(()) })?;
            }
        }
        out.append(&octets)
    }
}

/// Octets of an open question.
const OPEN: usize = 48;
/// So many are read at once.
const PORTION: u64 = 16 * BLOCK / OPEN as u64;

/// The open questions of a file, in the order of their records.
pub(crate) struct OpenQuestions<'f> {
    file: &'f Blocks,
    at: u64,
    octets: Vec<u8>,
    /// How many octets of those that were read have been given.
    given: usize,
    has_failed: bool,
}

impl<'f> OpenQuestions<'f> {
    pub(crate) fn new(file: &'f Blocks) -> Self {
        Self { file, at: 0, octets: Vec::new(), given: 0, has_failed: false }
    }
}

impl Iterator for OpenQuestions<'_> {
    type Item = Result<Open, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.given >= self.octets.len() {
            if self.at >= self.file.len() || self.has_failed {
                return None;
            }
            let to = (self.at + PORTION * OPEN as u64).min(self.file.len());
            if let Err(cause) = self.file.read(self.at, to, &mut self.octets) {
                self.has_failed = true;
                return Some(Err(cause));
            }
            (self.at, self.given) = (to, 0);
        }
        let open = Open::read(self.octets.get(self.given..)?.first_chunk()?);
        self.given += OPEN;
        Some(Ok(open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_question_is_read_as_written() {
        let key = Key { exchange: (1 << 48) - 2, message: u64::MAX - 3, consumer: 4 };
        let open = Open { index: 5, time: 6, key, segment: 7, offset: 8 };
        let mut octets = Vec::new();
        open.write(&mut octets);
        assert_eq!((octets.len(), octets.first_chunk().map(Open::read)), (OPEN, Some(open)));
    }

    fn row(role: Role, exchange: u64, consumer: u64) -> Row {
        let mut row = Row { role, exchange, time: exchange, ..Row::default() };
        row.keys[By::Consumer.number()] = consumer;
        row
    }

    fn open_after(rows: &[Row]) -> Vec<u64> {
        let [none, some] = [Before::None, Before::Some].map(|before| open_with(rows, before));
        assert_eq!(none, some);
        none
    }

    fn open_with(rows: &[Row], before: Before) -> Vec<u64> {
        let mut changes = Changes::new(before);
        (0..).zip(rows).for_each(|(index, row)| changes.take(index, row));
        let mut found = Vec::new();
        let mut push = |index| found.push(index);
        changes
            .apply(None, |open| {
                push(open.index);
                Ok(())
            })
            .expect("nothing is read");
        found
    }

    #[test]
    fn a_question_is_open_from_its_record_to_its_end_and_again_when_it_comes_again() {
        use Role::{End, KeptQuestion, None as Nothing, Question};
        assert_eq!(open_after(&[row(KeptQuestion, 1, 1)]), [0]);
        assert_eq!(open_after(&[row(Question, 1, 1), row(Nothing, 1, 1)]), [0_u64; 0]);
        assert_eq!(open_after(&[row(KeptQuestion, 1, 1), row(End, 1, 1)]), [0_u64; 0]);
        assert_eq!(open_after(&[row(KeptQuestion, 1, 1), row(End, 1, 1), row(KeptQuestion, 1, 1)]), [2]);
        assert_eq!(open_after(&[row(KeptQuestion, 1, 1), row(KeptQuestion, 1, 1)]), [1], "the later record is the place");
        assert_eq!(open_after(&[row(KeptQuestion, 1, 1), row(End, 1, 2), row(End, 2, 1)]), [0], "others' ends");
        assert_eq!(open_after(&[row(KeptQuestion, 9, 1), row(KeptQuestion, 2, 1)]), [0, 1], "in the order of the records");
    }
}
