//! Rows in a file, one after the other.

use super::blocks::Blocks;
use super::row::{ROW, Row};
use crate::host::store::StoreError;
use serde::{Deserialize, Serialize};

/// Rows whose times are known as a range.
pub(crate) const SPAN: u64 = 4096;

/// The earliest and the latest time in the ids of messages that rows are of: where a message cannot be, it is not looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdTimes(u64, u64);

impl Default for IdTimes {
    fn default() -> Self {
        Self(u64::MAX, 0)
    }
}

impl IdTimes {
    /// These and one more.
    pub(crate) fn with(self, time: u64) -> Self {
        Self(self.0.min(time), self.1.max(time))
    }

    /// Both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0.min(other.0), self.1.max(other.1))
    }

    /// Whether there may be an id of this time.
    pub(crate) fn may_have(self, time: u64) -> bool {
        self.0 <= time && time <= self.1
    }
}

/// Reads rows from place `from` to before `to`.
pub(crate) fn read_rows(blocks: &Blocks, from: u64, to: u64, out: &mut Vec<Row>) -> Result<(), StoreError> {
    let mut octets = Vec::new();
    blocks.read(from * ROW as u64, to * ROW as u64, &mut octets)?;
    out.clear();
    out.extend(octets.chunks_exact(ROW).filter_map(Row::read));
    Ok(())
}

/// Gives the rows of each span, as octets and as rows.
pub(crate) fn each_span(
    blocks: &Blocks,
    mut visit: impl FnMut(&[u8], &[Row]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (mut octets, mut at) = (Vec::new(), 0);
    while at < blocks.len() {
        let to = (at + SPAN * ROW as u64).min(blocks.len());
        blocks.read(at, to, &mut octets)?;
        let rows: Vec<Row> = octets.chunks_exact(ROW).filter_map(Row::read).collect();
        visit(&octets, &rows)?;
        at = to;
    }
    Ok(())
}
