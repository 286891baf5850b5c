//! `oncegate demo`

use super::{Failure, Out, Outcome};

/// Make a throw-away world.
#[derive(clap::Args)]
pub(super) struct Demo {}

impl Demo {
    pub(super) fn run(self, _: &Out) -> Outcome {
        Err(Failure::new(1, "not built yet"))
    }
}
