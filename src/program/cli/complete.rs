//! `oncegate completions` and `oncegate man`: what packages install beside the program.

use super::{Cli, Failure, Out, Outcome};
use clap::CommandFactory;
use std::io::Write;
use std::path::PathBuf;

/// Print the completions of a shell.
#[derive(clap::Args)]
#[command(
    before_help = "Examples:\n  oncegate completions bash > ~/.local/share/bash-completion/completions/oncegate\n  source <(oncegate completions bash)"
)]
pub(super) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

/// Write the manual pages: one for the program, and one for each command.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate man ~/.local/share/man/man1\n  oncegate man pages && man -l pages/oncegate-run.1")]
pub(super) struct Man {
    /// The folder, made if it is not there
    folder: PathBuf,
}

impl Completions {
    pub(super) fn run(self, _: &Out) -> Outcome {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "oncegate", &mut text);
        Ok(std::io::stdout().lock().write_all(&text)?)
    }
}

impl Man {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let failed = |cause: std::io::Error| Failure::new(1, format!("{}: {cause}", self.folder.display()));
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), &self.folder).map_err(failed)?;
        out.say(format_args!("the manual pages are in {}", self.folder.display()));
        Ok(())
    }
}
