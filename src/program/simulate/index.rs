//! The log's index, as far as the ledger and the budgets need it: where each message's records are. It comes after the journal by
//! some records. What is looked up in it is read by `host::store`'s search.

use super::dice::Dice;
use super::disk::Disk;
use crate::base::ids::{AgencyId, MessageId};
use crate::base::time::UnixTime;
use crate::evidence::tlog::leaf::Leaf;
use crate::exchange::ledger::{OutcomePlace, Past};
use crate::host::store::{Enough, PastSearch};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// A record of a message: whose, where and when.
struct Posting {
    message: Option<(AgencyId, MessageId)>,
    place: OutcomePlace,
    time: u64,
}

/// The index.
#[derive(Default)]
pub(super) struct Index {
    places: BTreeMap<(AgencyId, MessageId), Vec<(OutcomePlace, u64)>>,
    behind: VecDeque<Posting>,
    size: u64,
}

impl Index {
    /// A record is durable; the index comes to it later.
    pub(super) fn push(&mut self, leaf: &Leaf, place: OutcomePlace) {
        let sender = leaf.consumer.as_deref().and_then(AgencyId::parse);
        let message = sender.zip(leaf.message.as_deref().and_then(MessageId::parse));
        self.behind.push_back(Posting { message, place, time: leaf.time });
    }

    /// It comes after: by some of what it lacks, or not at all.
    pub(super) fn go_on(&mut self, dice: &mut Dice) {
        if dice.hits(600) {
            self.take(dice.below(self.behind.len() as u64 + 1) as usize);
        }
    }

    /// It comes after wholly.
    pub(super) fn catch_up(&mut self) {
        self.take(self.behind.len());
    }

    fn take(&mut self, records: usize) {
        for Posting { message, place, time } in self.behind.drain(..records) {
            self.size = place.index + 1;
            if let Some(message) = message {
                self.places.entry(message).or_default().push((place, time));
            }
        }
    }

    /// How many records it has.
    pub(super) fn watermark(&self) -> u64 {
        self.size
    }

    /// What the log knows of a message, as far as the index has come.
    pub(super) fn past(&self, disk: &Disk, (sender, id): (&AgencyId, MessageId), oldest: UnixTime) -> Option<Past> {
        let mut search = PastSearch::new(sender, id, oldest);
        let places = self.places.get(&(sender.clone(), id)).map_or(&[][..], Vec::as_slice);
        for (place, time) in places.iter().rev() {
            let taken = disk.with_frame(*place, |frame| search.take(frame, *time, *place));
            if taken == Some(Enough::Yes) {
                break;
            }
        }
        search.found()
    }
}

/// Notes whom an agency has asked about, from a record of this day.
pub(super) fn note_asked(asked: &mut BTreeMap<AgencyId, HashSet<u64>>, leaf: &Leaf, persons: &[u64], since: u64) {
    // Whoever asks for another asks from the other's budget.
    let budget = leaf.principal.as_deref().or(leaf.consumer.as_deref()).and_then(AgencyId::parse);
    let Some(budget) = budget.filter(|_| leaf.kind == "req" && leaf.time >= since && !persons.is_empty()) else { return };
    asked.entry(budget).or_default().extend(persons);
}
