//! `oncegate console`: who signs in at the pages for people.

use super::{Failure, Out, Outcome};
use crate::host::config::{Config, Duty, Official};
use crate::host::control::{self, Answer, Command as Told};
use std::path::PathBuf;

const EXAMPLES: &str =
    "Examples:\n  oncegate console link --name a.petrova --role auditor --agency ru.audit\n  oncegate console sign-out a.petrova";

/// Sign people in and out at the pages of a running gateway.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Console {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print a link that signs somebody in, once and within ten minutes
    #[command(before_help = "Examples:\n  oncegate console link --name a.petrova --role auditor --agency ru.audit")]
    Link(Link),
    /// End all sessions of somebody
    #[command(before_help = "Examples:\n  oncegate console sign-out a.petrova")]
    SignOut(SignOut),
}

#[derive(clap::Args)]
struct Link {
    /// The configuration
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
    /// Who, as records have it
    #[arg(long, default_value = "operator")]
    name: String,
    /// What they do: operator, auditor, curator, desk, security or agency; may be given several times
    #[arg(long = "role", default_value = "operator")]
    roles: Vec<String>,
    /// For which agency: auditors, desks and agencies are on record under its name
    #[arg(long)]
    agency: Option<String>,
}

#[derive(clap::Args)]
struct SignOut {
    /// The configuration
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
    /// Whose sessions
    name: String,
}

impl Console {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.command {
            Command::Link(link) => {
                let roles = link.roles.iter().map(String::as_str);
                let official = Official::new(&link.name, link.agency.as_deref(), roles).map_err(|what| Failure::new(2, what))?;
                let roles: Vec<&str> = official.duties.iter().map(|duty: &Duty| duty.as_str()).collect();
                let agency = official.agency.as_ref().map(|agency| agency.as_str());
                let who = serde_json::json!({ "name": official.name, "agency": agency, "roles": roles });
                let answer = tell(&link.config, Told::Link(who.to_string()))?;
                match (answer.link, answer.refused.first()) {
                    (Some(link), _) => out.print(format_args!("{link}"))?,
                    (None, Some(why)) => return Err(Failure::new(1, why)),
                    (None, None) => return Err(Failure::new(1, "the gateway gave no link")),
                }
            }
            Command::SignOut(sign_out) => {
                let answer = tell(&sign_out.config, Told::SignOut(sign_out.name))?;
                answer.taken.iter().try_for_each(|line| out.print(format_args!("{line}")))?;
            }
        }
        Ok(())
    }
}

fn tell(config: &std::path::Path, command: Told) -> Result<Answer, Failure> {
    let config = Config::load(config).map_err(|error| Failure::new(2, error))?;
    let told =
        control::call(&config.data, command).map_err(|cause| Failure::new(1, format!("the gateway cannot be told: {cause}")))?;
    told.ok_or_else(|| Failure::new(1, "no gateway runs on this folder; start it with: oncegate run"))
}
