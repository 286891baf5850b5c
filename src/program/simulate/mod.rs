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
mod runs;
mod saves;
mod wire;
mod world;
mod writer;

pub use life::{Counts as LifeCounts, Lives, Plant as LifePlant};
pub use plan::{Case, Trouble};
pub use plant::Plant;
pub use runs::{Counted, Failing, Notes, Ran, Simulated};
pub use wire::Counts;

use letters::Land;
use plan::Plan;

/// A land in which runs take place.
pub struct Simulator(Land);

impl Simulated for Simulator {
    type Plant = Plant;
    type Counts = Counts;

    fn new() -> Option<Self> {
        Land::new().map(Self)
    }

    fn plant(name: &str) -> Option<Plant> {
        Plant::parse(name)
    }

    fn planned(case: &Case, plant: Option<Plant>) -> (String, [usize; 3]) {
        let plan = Plan::of(case, plant);
        (plan.to_string(), plan.sizes())
    }

    fn go(&self, case: &Case, plant: Option<Plant>, notes: Notes) -> Ran<Counts> {
        world::run(&self.0, case, plant, notes)
    }
}
