//! Reading rows one after the other: for summaries, for anomalies and for exports.

use super::search::{Conditions, Effort, Looked, each_row};
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
        let mut effort = Effort::ALL;
        self.each_volume(|view| Ok(each_row(view, conditions, before, &mut effort, &mut visit)? == Looked::Enough))
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
