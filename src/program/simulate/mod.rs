//! The simulator: gateways, agencies and workers on one thread, from one seed, with faults.
//!
//! Real are the ledger, open work with its fold over the journal, frames, commit groups and the walk of recovery, what is read of
//! a message's records again, the tree, quotas and budgets, the registry and the policy, and the check of a message's times.
//! Modelled are the network, the disk, the index, clocks, and the driver, step by step as `gateway::driver` has it; number, id and
//! digest stand for signed octets. Nothing here reads a clock, and nothing is random: a seed gives the same run on every machine.
//!
//! An observer from outside says what must never be seen; a seed that fails is made smaller, and told as a line that can be a test.

mod deliver;
mod dice;
mod disk;
mod gateway;
mod index;
mod letters;
mod life;
mod observer;
mod people;
mod plan;
mod plant;
mod wire;
mod world;

pub use life::{Counts as LifeCounts, Failing as FailingLife, Lives, Plant as LifePlant, Ran as LifeRan};
pub use plan::{Case, Trouble};
pub use plant::Plant;
pub use wire::Counts;
pub use world::Ran;

use letters::Land;
use plan::Plan;
use world::Notes;

/// A land in which runs take place.
pub struct Simulator(Land);

/// A case that fails, made as small as it could be.
pub struct Failing {
    /// The line that is a test.
    pub case: Case,
    /// What is planned in it.
    pub plan: String,
    /// What came of it, with its last steps.
    pub ran: Ran,
    /// How many runs it took to make it small.
    pub tries: u64,
}

impl Simulator {
    /// Makes the land; nothing if the built-in documents do not fit, which a test would tell.
    pub fn new() -> Option<Self> {
        Land::new().map(Self)
    }

    /// Runs a case.
    pub fn run(&self, case: &Case, plant: Option<Plant>) -> Ran {
        world::run(&self.0, case, plant, Notes::None)
    }

    /// Runs a case twice, and says whether both ended in the same: now and then, as it doubles the time.
    pub fn run_twice(&self, case: &Case, plant: Option<Plant>) -> Ran {
        let (mut first, second) = (self.run(case, plant), self.run(case, plant));
        if first.finding.is_none() && first != second {
            first.finding = Some(format!("two runs of one seed ended in {} and in {}", first.checkpoint, second.checkpoint));
        }
        first
    }

    /// Runs a case and notes what happens.
    pub fn told(&self, case: &Case, plant: Option<Plant>) -> Failing {
        let ran = world::run(&self.0, case, plant, Notes::Kept);
        Failing { plan: Plan::of(case, plant).to_string(), case: case.clone(), ran, tries: 0 }
    }

    /// Leaves out of a failing case what it fails without.
    pub fn shrink(&self, case: &Case, plant: Option<Plant>) -> Failing {
        let first = self.run(case, plant).finding;
        let (mut case, mut tries) = (case.clone(), 1);
        'smaller: while tries < SHRINK_RUNS {
            for smaller in case.smaller(Plan::of(&case, plant).sizes()) {
                tries += 1;
                if same_kind(first.as_deref(), self.run(&smaller, plant).finding.as_deref()) {
                    case = smaller;
                    continue 'smaller;
                }
            }
            break;
        }
        Failing { tries, ..self.told(&case, plant) }
    }
}

/// Whether the same was found, whatever it was found in.
fn same_kind(first: Option<&str>, second: Option<&str>) -> bool {
    let is_word = |word: &&str| !word.contains(|letter: char| letter.is_ascii_digit());
    let kind = |finding: Option<&str>| finding.map(|text| text.split(' ').filter(is_word).collect::<String>());
    kind(first) == kind(second)
}

/// Most runs that are spent to make a case smaller.
const SHRINK_RUNS: u64 = 400;
