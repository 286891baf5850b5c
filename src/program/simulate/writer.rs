//! What is on its way to the disk of a gateway: records that wait, and the group that is being written.

use super::dice::Dice;
use super::disk::{Disk, Entry};
use crate::base::time::UnixTime;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::tree::Edge;
use crate::exchange::ledger::OutcomePlace;

/// Whoever writes: one group after the other. What is done once a record is durable is a `T`.
pub(super) struct Writer<T> {
    queue: Vec<Waiting<T>>,
    writing: Option<Group<T>>,
}

/// A record, and what is done once it is durable, or could not be written.
pub(super) struct Waiting<T> {
    pub entry: Entry,
    pub leaf: Leaf,
    pub then: T,
}

/// A commit group, and where it is; nowhere if there is no room.
struct Group<T>(Vec<Waiting<T>>, Option<(Vec<OutcomePlace>, Edge)>);

/// A group that is durable at these places, or could not be written.
pub(super) struct Written<T> {
    pub group: Vec<Waiting<T>>,
    pub places: Option<Vec<OutcomePlace>>,
}

impl<T> Default for Writer<T> {
    fn default() -> Self {
        Self { queue: Vec::new(), writing: None }
    }
}

impl<T> Writer<T> {
    /// A record waits to be written.
    pub(super) fn push(&mut self, entry: Entry, leaf: Leaf, then: T) {
        self.queue.push(Waiting { entry, leaf, then });
    }

    /// Whether no group is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.writing.is_none()
    }

    /// Writes what waits as a group, if none is being written; gives how long it takes.
    pub(super) fn write(&mut self, disk: &mut Disk, dice: &mut Dice, time: UnixTime) -> Option<u64> {
        if self.writing.is_some() || self.queue.is_empty() {
            return None;
        }
        let group = std::mem::take(&mut self.queue);
        let places = disk.write(group.iter().map(|waiting| &waiting.entry), time);
        self.writing = Some(Group(group, places));
        Some(if dice.hits(30) { 1_500 } else { dice.between(1, 15) })
    }

    /// The group that was being written is durable now, if there was room for it.
    pub(super) fn sync(&mut self, disk: &mut Disk) -> Option<Written<T>> {
        let Group(group, written) = self.writing.take()?;
        let places = written.map(|(places, edge)| {
            disk.sync(edge);
            places
        });
        Some(Written { group, places })
    }
}
