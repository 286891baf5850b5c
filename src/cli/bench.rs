//! `oncegate bench`

use super::{Failure, Out, Outcome};

/// Measure this machine and this gateway.
#[derive(clap::Args)]
pub(super) struct Bench {}

impl Bench {
    pub(super) fn run(self, _: &Out) -> Outcome {
        Err(Failure::new(1, "not built yet"))
    }
}
