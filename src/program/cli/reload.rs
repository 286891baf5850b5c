//! `oncegate reload`, and how commands that change an installation tell its running gateway.

use super::{Failure, Out, Outcome};
use crate::host::config::Config;
use crate::host::control::{Command, call};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:\n  oncegate reload -c office/oncegate.toml\n  kill -HUP PID     the same; what became of it is in the gateway's log";

/// Make the running gateway read schemas, registry, certificates and revocation lists again.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Reload {
    /// The configuration
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
}

impl Reload {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match told(&self.config)? {
            Told::Taken(lines) => {
                out.result(lines.join("\n"), &serde_json::json!({ "format": 1, "running": true, "taken": lines }))
            }
            Told::Partly(lines, bad) => {
                lines.iter().for_each(|line| out.say(line));
                Err(Failure::new(1, format!("the running gateway did not take all: {}", bad.join("\n"))))
            }
            Told::NotRunning => Err(Failure::new(7, "no gateway is running with this configuration")),
        }
    }
}

enum Told {
    Taken(Vec<String>),
    /// Sets of schemas are refused; the rest was taken.
    Partly(Vec<String>, Vec<String>),
    NotRunning,
}

/// Tells the gateway of this installation that something was changed, and says what it did.
pub(super) fn tell(config: &Path, out: &Out) -> Outcome {
    match told(config)? {
        Told::Taken(lines) => out.say(format_args!("the running gateway took it: {}", lines.join("; "))),
        // What is wrong with a set is no fault of what was changed here.
        Told::Partly(lines, bad) => {
            out.say(format_args!("the running gateway took it: {}", lines.join("; ")));
            bad.iter().for_each(|line| out.say(line));
        }
        Told::NotRunning => out.say("no gateway is running here; the change is in force when one starts"),
    }
    Ok(())
}

fn told(config: &Path) -> Result<Told, Failure> {
    let data = Config::load(config).map_err(|error| Failure::new(2, error))?.data;
    let answer = call(&data, Command::Reload).map_err(|cause| {
        let what = format!("the change is written, and the running gateway could not be told: {cause}; send it SIGHUP");
        Failure::new(7, what)
    })?;
    match answer {
        None => Ok(Told::NotRunning),
        Some(answer) if !answer.refused.is_empty() => {
            let refused = answer.refused.join("; ");
            let bad = answer.bad.iter().map(|line| format!("\n{line}")).collect::<String>();
            Err(Failure::new(1, format!("the running gateway did not take it: {refused}{bad}")))
        }
        Some(answer) if answer.bad.is_empty() => Ok(Told::Taken(answer.taken)),
        Some(answer) => Ok(Told::Partly(answer.taken, answer.bad)),
    }
}
