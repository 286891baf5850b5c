//! What happens in one run of cases besides what follows from it.

use super::super::dice::Dice;
use super::super::plan::{Case, Habits, Left, Trouble, When, listed};
use super::plant::Plant;
use std::fmt;

/// An event that starts a case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub at: u64,
    /// Which situation, by its place among those that events start.
    pub situation: u64,
    pub family: u64,
    /// It is told once more after so long, in another message.
    pub again: Option<u64>,
    /// How many times as fast the clock of its case goes.
    pub pace: u32,
}

/// A fault at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub at: u64,
    pub what: Happening,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    Crash { down: u64, shelf: Left, when: When },
    Partition { agency: usize, long: u64 },
    Full { long: u64 },
}

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub seed: u64,
    pub plant: Option<Plant>,
    pub starts: Vec<Start>,
    pub faults: Vec<Fault>,
    pub habits: Habits,
    pub left_out: Case,
}

/// What is done badly now and then.
const HABITS: [Trouble; 9] = [
    Trouble::Loss,
    Trouble::Delay,
    Trouble::Twice,
    Trouble::NoAnswer,
    Trouble::LateAnswer,
    Trouble::AnswerTwice,
    Trouble::OtherAnswer,
    Trouble::Busy,
    Trouble::Asks,
];

/// For how long things are begun and go wrong.
pub(super) const BUSY_MS: u64 = 4 * 60 * 1000;
/// So many groups of agencies are cut off each by itself.
pub(super) const GROUPS: usize = 6;

impl Plan {
    /// The plan of a line.
    pub(super) fn of(case: &Case, plant: Option<Plant>) -> Self {
        let mut dice = Dice::new(case.seed ^ 0x11fe);
        let starts = (0..dice.between(1, 4)).map(|_| Start {
            at: dice.below(BUSY_MS / 2),
            situation: dice.number(),
            family: dice.below(10_000),
            again: dice.hits(400).then(|| dice.pick(&[1, 40, 4_000, 60_000])),
            pace: dice.pick(&[1, 60, 1_000]),
        });
        let starts = starts.collect();
        let faults = (0..dice.below(7)).map(|_| fault(&mut dice)).collect();
        let habits = Habits::of(&HABITS, &mut dice, 400, case);
        Self { seed: case.seed, plant, starts, faults, habits, left_out: case.clone() }
    }

    /// How much there is that can be left out.
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.starts.len(), self.faults.len(), self.habits.count()]
    }
}

fn fault(dice: &mut Dice) -> Fault {
    let at = dice.below(BUSY_MS * 3 / 4);
    let what = match dice.below(8) {
        0..=5 => {
            let shelf = dice.pick(&[Left::Saved, Left::Older, Left::Newer, Left::Nothing]);
            let when = dice.pick(&[When::AtOnce, When::Writing, When::Writing]);
            Happening::Crash { down: dice.pick(&[50, 5_000, 30_000]), shelf, when }
        }
        6 => Happening::Partition { agency: dice.below(GROUPS as u64) as usize, long: dice.pick(&[2_000, 30_000, 90_000]) },
        _ => Happening::Full { long: dice.pick(&[300, 2_000, 30_000]) },
    };
    Fault { at, what }
}

/// For whoever looks for a cause.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed(f, "event", &self.starts, &self.left_out.messages)?;
        listed(f, "fault", &self.faults, &self.left_out.faults)?;
        write!(f, "{}", self.habits)
    }
}
