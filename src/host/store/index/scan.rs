//! Reading rows one after the other: for summaries, for anomalies and for exports.

use super::search::{Conditions, each_row};
use super::{Index, Row};
use crate::host::store::StoreError;

impl Index {
    /// Gives each row below `before` for which the conditions hold to `visit`, latest first, until it has enough.
    pub(in crate::host::store) fn each_hit(
        &self,
        conditions: &Conditions,
        before: u64,
        mut visit: impl FnMut(u64, &Row) -> bool,
    ) -> Result<(), StoreError> {
        self.each_volume(|view| each_row(view, conditions, before, |index, row, holds| holds && visit(index, row)))
    }

    /// Reads rows from index `from` on, of one volume and to before `to` at most. None are read where there is none.
    pub(in crate::host::store) fn rows_from(&self, from: u64, to: u64, out: &mut Vec<Row>) -> Result<(), StoreError> {
        out.clear();
        self.each_volume(|view| {
            let Some(place) = from.checked_sub(view.first()) else { return Ok(false) };
            let end = (to - view.first()).min(view.count());
            if place < end {
                view.rows(place, end, out)?;
            }
            Ok(true)
        })
    }
}
