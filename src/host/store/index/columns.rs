//! The rows of the live volume by columns, in memory: whatever a name, a kind or a time decides needs no reading there, and there is
//! never more of it than a volume has records.

use super::row::{By, Row};

/// How many of [`By`] are names.
pub(crate) const NAMES: usize = By::Message as usize;

/// Times, kinds and names of rows, by place.
#[derive(Default)]
pub(crate) struct Columns {
    times: Vec<u64>,
    kinds: Vec<u8>,
    names: Vec<[u32; NAMES]>,
}

impl Columns {
    /// Takes the next row.
    pub(crate) fn push(&mut self, row: &Row) {
        self.times.push(row.time);
        self.kinds.push(row.kind);
        let mut names = [0; NAMES];
        // Numbers of names fit four octets, as in rows.
        names.iter_mut().zip(row.keys).for_each(|(name, key)| *name = key as u32);
        self.names.push(names);
    }

    /// The time and the kind at a place.
    pub(crate) fn brief(&self, place: u64) -> Option<(u64, u8)> {
        let place = place as usize;
        Some((*self.times.get(place)?, *self.kinds.get(place)?))
    }

    /// The number of a name at a place, 0 for none.
    pub(crate) fn name(&self, by: By, place: u64) -> u64 {
        let names = self.names.get(place as usize).and_then(|names| names.get(by.number()));
        names.copied().unwrap_or(0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_says_what_the_row_says() {
        let mut row = Row { time: 7, kind: 3, ..Row::default() };
        (1..).zip(&mut row.keys).for_each(|(number, key)| *key = number);
        let mut columns = Columns::default();
        columns.push(&Row::default());
        columns.push(&row);
        assert_eq!((columns.brief(0), columns.brief(1), columns.brief(2)), (Some((0, 0)), Some((7, 3)), None));
        for by in By::ALL.into_iter().filter(|by| by.is_name()) {
            assert_eq!((columns.name(by, 0), columns.name(by, 1), columns.name(by, 2)), (0, row.key(by), 0));
        }
    }
}
