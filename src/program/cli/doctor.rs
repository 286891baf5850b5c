//! `oncegate doctor`

use super::{Failure, Out, Outcome, runtime};
use crate::program::doctor::{State, examine, examine_agency};
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  oncegate doctor -c office/oncegate.toml\n  oncegate doctor -c office/oncegate.toml --json | grep -v '\"ok\"'\n  \
     oncegate doctor --as agencies/ru.yar.clinic-3     at an agency: its keys, the way to the gateway, its sources";

/// Look at everything that a gateway needs: files, keys, certificates, registry, disk, clock, and everybody whom it talks with.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Doctor {
    /// The configuration
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
    /// At an agency: the folder with its client configuration
    #[arg(long = "as", value_name = "FOLDER", conflicts_with = "config")]
    agency: Option<PathBuf>,
}

impl Doctor {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let findings = match &self.agency {
            Some(folder) => runtime()?.block_on(examine_agency(folder)),
            None => runtime()?.block_on(examine(&self.config)),
        };
        let bad = findings.iter().filter(|finding| finding.state == State::Bad).count();
        for finding in &findings {
            let (check, of, state) = (finding.check, &finding.of, finding.state.as_str());
            let json = serde_json::json!({
                "format": 1, "check": check, "of": of, "state": state.to_lowercase(), "found": finding.found, "next": finding.next,
            });
            let next = if finding.next.is_empty() { String::new() } else { format!("\n      next: {}", finding.next) };
            out.result(format_args!("{state:<5} {check:<14} {of}: {}{next}", finding.found), &json)?;
        }
        match bad {
            0 => Ok(()),
            1 => Err(Failure::new(1, "one thing does not work")),
            bad => Err(Failure::new(1, format!("{bad} things do not work"))),
        }
    }
}
