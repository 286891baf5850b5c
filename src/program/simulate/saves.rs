//! What a gateway has saved of what it keeps on a shelf, and what a crash leaves of that.

use super::plan::{Left, Trouble};
use crate::exchange::work::Memory;

/// Shelves as they were saved, each with the number of records that it had been told of; the last few of them.
#[derive(Default)]
pub(super) struct Saves(Vec<(Memory, u64)>);

impl Saves {
    /// Saves a shelf.
    pub(super) fn save(&mut self, shelf: &Memory, mark: u64) {
        self.0.push((shelf.clone(), mark));
        if self.0.len() > SAVES {
            self.0.remove(0);
        }
    }

    /// The mark of the last save.
    pub(super) fn mark(&self) -> Option<u64> {
        self.0.last().map(|(_, mark)| *mark)
    }

    /// The last save, with its mark; an empty shelf if there is none, or it knows more than the journal has.
    pub(super) fn last(&self, size: u64) -> (Memory, u64) {
        self.0.last().cloned().filter(|(_, mark)| *mark <= size).unwrap_or_default()
    }

    /// The power goes when the shelf is like this: how what is left differs from the last save.
    pub(super) fn crash(&mut self, left: Left, shelf: &Memory) -> Option<Trouble> {
        match left {
            Left::Saved => None,
            Left::Older => {
                self.0.truncate(self.0.len().saturating_sub(1).max(1));
                Some(Trouble::ShelfOlder)
            }
            Left::Newer => {
                self.0.push((shelf.clone(), self.mark().unwrap_or(0)));
                Some(Trouble::ShelfNewer)
            }
            Left::Nothing => {
                self.0.clear();
                Some(Trouble::ShelfLost)
            }
        }
    }
}

const SAVES: usize = 3;
