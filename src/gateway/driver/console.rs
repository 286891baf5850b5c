//! What whoever looks after a gateway sees of its open work: nothing that a message says, and nobody whom one is about.

use super::Gateway;
use crate::base::time::UnixTime;
use crate::exchange::work::{Counts, Row, Way};

/// Open work, the oldest first.
pub struct OpenWork {
    /// How much there is.
    pub counts: Counts,
    /// The oldest of it.
    pub rows: Vec<OpenRow>,
    /// How much of it is on its way.
    pub under_way: usize,
}

/// A piece of it.
pub struct OpenRow {
    /// What it is.
    pub row: Row,
    /// How its receiver gets it.
    pub way: Way,
    /// When something is to be done with it next; nothing if that can be now.
    pub next: Option<UnixTime>,
}

impl Gateway {
    /// The oldest of what is open, so many pieces at most. Others wait meanwhile: ask for few.
    pub fn open_work(&self, most: usize) -> OpenWork {
        let work = self.work();
        let rows = work.first_rows(most).into_iter().map(|row| {
            let next = row.returns().or_else(|| work.left_alone_until(&row.key.to));
            OpenRow { next, way: work.way(&row.key.to), row }
        });
        OpenWork { rows: rows.collect(), counts: work.counts().clone(), under_way: work.under_way() }
    }
}
