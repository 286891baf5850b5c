//! What two people decide together: that something is erased of a record, or shown to a citizen before its day. One proposes, another
//! carries it out or declines, and each step is a record; what is open follows from those records alone.

use crate::base::time::UnixTime;
use crate::evidence::tlog::leaf::Leaf;
use std::collections::BTreeMap;

/// The purpose of all records of decisions.
pub const DECISION: &str = "two-persons";

/// What is done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// The personal part goes, with the message.
    ErasePrivate,
    /// The message goes that is kept with it.
    EraseMessage,
    /// All goes but the hash of its leaf.
    EraseRecord,
    /// The citizen sees it now.
    Disclose,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ErasePrivate, Self::EraseMessage, Self::EraseRecord, Self::Disclose];

    /// The word of the record that says that it was done.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ErasePrivate => "erase-private",
            Self::EraseMessage => "erase-message",
            Self::EraseRecord => "shred",
            Self::Disclose => "disclose",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.as_str() == text)
    }
}

/// A step of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Somebody proposes it.
    Propose,
    /// Somebody else carries it out.
    CarryOut,
    /// Somebody declines, or takes back what they proposed.
    Decline,
}

impl Step {
    /// The word of its record.
    pub fn word(self, measure: Measure) -> String {
        match self {
            Self::Propose => format!("propose-{}", measure.as_str()),
            Self::CarryOut => measure.as_str().to_owned(),
            Self::Decline => format!("decline-{}", measure.as_str()),
        }
    }

    fn parse(word: &str) -> Option<(Self, Measure)> {
        let (step, measure) = match word.split_once('-') {
            Some(("propose", measure)) => (Self::Propose, measure),
            Some(("decline", measure)) => (Self::Decline, measure),
            _ => (Self::CarryOut, word),
        };
        Measure::parse(measure).map(|measure| (step, measure))
    }
}

/// What somebody has proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The record of it.
    pub index: u64,
    /// When.
    pub at: UnixTime,
    /// What is to be done.
    pub measure: Measure,
    /// To which record.
    pub of: u64,
}

/// What is open. Records are taken in the order of the log.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    open: BTreeMap<(u64, Measure), Proposal>,
}

impl Decisions {
    /// Takes a record; one of another purpose says nothing of decisions.
    pub fn take(&mut self, index: u64, leaf: &Leaf) {
        let step = leaf.action.as_deref().filter(|_| leaf.purpose.as_deref() == Some(DECISION)).and_then(Step::parse);
        let (Some((step, measure)), Some(of)) = (step, leaf.concerns) else { return };
        match step {
            Step::Propose => {
                // The first stands until it is decided.
                let proposal = Proposal { index, at: UnixTime::from_ms(leaf.time), measure, of };
                self.open.entry((of, measure)).or_insert(proposal);
            }
            Step::CarryOut | Step::Decline => drop(self.open.remove(&(of, measure))),
        }
    }

    /// What is proposed for a record.
    pub fn find(&self, of: u64, measure: Measure) -> Option<&Proposal> {
        self.open.get(&(of, measure))
    }

    /// All that is open, the oldest first.
    pub fn open(&self) -> Vec<Proposal> {
        let mut open: Vec<Proposal> = self.open.values().copied().collect();
        open.sort_by_key(|proposal| proposal.index);
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(action: &str, of: u64) -> Leaf {
        let (action, purpose) = (Some(action.to_owned()), Some(DECISION.to_owned()));
        Leaf { action, purpose, concerns: Some(of), time: 7, ..Leaf::default() }
    }

    #[test]
    fn every_step_is_read_as_it_is_written() {
        for measure in Measure::ALL {
            for step in [Step::Propose, Step::CarryOut, Step::Decline] {
                assert_eq!(Step::parse(&step.word(measure)), Some((step, measure)));
            }
        }
        assert_eq!((Step::parse("propose-"), Step::parse("note"), Step::parse("decline-propose-shred")), (None, None, None));
    }

    #[test]
    fn what_is_proposed_is_open_until_it_is_carried_out_or_declined() {
        let mut decisions = Decisions::default();
        decisions.take(1, &leaf("propose-shred", 5));
        decisions.take(2, &leaf("propose-disclose", 5));
        decisions.take(3, &leaf("propose-shred", 6));
        decisions.take(4, &leaf("propose-shred", 5));
        let indexes = |decisions: &Decisions| decisions.open().iter().map(|open| open.index).collect::<Vec<_>>();
        assert_eq!(indexes(&decisions), [1, 2, 3], "the first of two stands");
        decisions.take(5, &leaf("shred", 5));
        decisions.take(6, &leaf("decline-shred", 6));
        // An erasure of whoever has the disk is of another purpose, and decides nothing.
        decisions.take(7, &Leaf { purpose: None, ..leaf("disclose", 5) });
        assert_eq!(indexes(&decisions), [2]);
        let expected = Proposal { index: 2, at: UnixTime::from_ms(7), measure: Measure::Disclose, of: 5 };
        assert_eq!(decisions.find(5, Measure::Disclose), Some(&expected));
        decisions.take(8, &leaf("propose-shred", 6));
        assert_eq!(indexes(&decisions), [2, 8], "what was declined may be proposed again");
    }
}
