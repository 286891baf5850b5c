//! How much is open, by what it is and how far it has come: kept beside the rows, so that nobody has to count them.

use super::row::{Row, Stage, What};

/// How far something has come, without when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It waits to be handed out, or is on its way.
    Waiting,
    /// A worker of its receiver has it.
    Leased,
    /// Its receiver has taken it, and answers later.
    Delivered,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Leased, Self::Delivered];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Leased => "leased",
            Self::Delivered => "delivered",
        }
    }
}

/// How much is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts([[u64; State::ALL.len()]; What::ALL.len()]);

impl Counts {
    /// How much there is of each kind in each state.
    pub fn all(&self) -> impl Iterator<Item = (What, State, u64)> {
        What::ALL
            .into_iter()
            .zip(&self.0)
            .flat_map(|(what, states)| State::ALL.into_iter().zip(states).map(move |(state, count)| (what, state, *count)))
    }

    pub(super) fn add(&mut self, row: &Row) {
        let count = self.of(row);
        *count = count.saturating_add(1);
    }

    pub(super) fn take(&mut self, row: &Row) {
        let count = self.of(row);
        *count = count.saturating_sub(1);
    }

    fn of(&mut self, row: &Row) -> &mut u64 {
        let state = match row.stage {
            Stage::Waiting => State::Waiting,
            Stage::Leased { .. } => State::Leased,
            Stage::Delivered(_) => State::Delivered,
        };
        &mut self.0[row.what as usize][state as usize]
    }

    /// Its octets; nothing if nothing is open.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let octets = || self.0.iter().flatten().flat_map(|count| count.to_be_bytes()).collect();
        (*self != Self::default()).then(octets)
    }

    /// Reads what [`Counts::write`] wrote.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let (counts, rest) = octets.as_chunks::<8>();
        let mut read = Self::default();
        if !rest.is_empty() || counts.len() != read.0.iter().flatten().count() {
            return None;
        }
        let places = read.0.iter_mut().flatten();
        places.zip(counts).for_each(|(place, count)| *place = u64::from_be_bytes(*count));
        Some(read)
    }
}
