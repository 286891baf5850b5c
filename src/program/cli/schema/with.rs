//! Which schemas a command holds documents against, where no configuration is at hand.

use crate::host::schemas::sets::{Judging, Sets};
use crate::program::cli::Failure;
use std::path::PathBuf;

/// The schemas of a command.
#[derive(clap::Args)]
pub(in crate::program::cli) struct With {
    /// A folder of schema sets, as a gateway's configuration names one, besides the schemas of Oncegate
    #[arg(long)]
    schemas: Option<PathBuf>,
}

impl With {
    /// Reads them. A set that is refused refuses the command: what it says must not depend on what could be read.
    pub(in crate::program::cli) fn load(&self) -> Result<Sets, Failure> {
        let sets = Sets::load(self.schemas.as_deref(), &Judging::of_this_program(), None);
        let sets = sets.map_err(|error| Failure::new(2, format_args!("OG-CFG-004 {error}")))?;
        let lines: Vec<String> = sets.bad().iter().flat_map(|bad| bad.lines()).collect();
        if lines.is_empty() { Ok(sets) } else { Err(Failure::new(2, format_args!("OG-CFG-004 {}", lines.join("\n")))) }
    }
}
