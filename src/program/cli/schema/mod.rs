//! `oncegate schema`: sets of schemas, tried without a gateway.

mod suite;

use super::{Out, Outcome};
use crate::host::schemas::guard::{self, Which};
use clap::Subcommand;
use std::path::PathBuf;

/// Look at sets of XML Schema 1.0, run tests of them, make examples; needs no gateway.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate schema check schemas/\n  oncegate schema example schemas/ --root Extract --full")]
pub(super) struct Schema {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a list of tests, and print what agrees and what does not
    Suite(suite::Suite),
    /// Hold roots that standard input names: the process that `check` and others start
    #[command(hide = true)]
    Hold(Hold),
}

/// Compile and judge the roots that standard input names, one a line, within limits; `check` starts it.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate schema hold FOLDER < roots\n  oncegate schema hold FOLDER --whole < roots")]
struct Hold {
    /// The set's folder
    folder: PathBuf,
    /// All files of the folder count, not only those that roots name
    #[arg(long)]
    whole: bool,
}

impl Schema {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.command {
            Command::Suite(command) => command.run(out),
            Command::Hold(command) => {
                let which = if command.whole { Which::Whole } else { Which::Named };
                guard::serve(&command.folder, which, std::io::stdin().lock(), std::io::stdout())?;
                Ok(())
            }
        }
    }
}
