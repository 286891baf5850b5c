//! Rows in a file, one after the other.

use super::blocks::Blocks;
use super::row::{ROW, Row};
use crate::host::store::StoreError;

/// Rows whose times are known as a range.
pub(crate) const SPAN: u64 = 4096;

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
