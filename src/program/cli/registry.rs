//! `oncegate registry diff`

use super::{Failure, Out, Outcome, runtime};
use crate::base::time::UnixTime;
use crate::faces::client::{Client, ClientError, problem_of};
use crate::gateway::driver::now;
use crate::host::config::{Config, read_bounded};
use crate::host::schemas::sets::{Judging, Sets};
use crate::rules::registry::Registry as Bundle;
use crate::rules::registry::diff::{Change, Concerns, diff};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:\n  oncegate registry diff registry.toml.before office/registry.toml\n  \
oncegate registry diff registry.toml.before office/registry.toml -c office/oncegate.toml --as agencies/xx.court";

/// Compare registries.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Registry {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say who gains and who loses rights, and what stops working; signatures are not checked
    #[command(before_help = EXAMPLES)]
    Diff(Diff),
}

#[derive(Args)]
struct Diff {
    /// The old registry
    old: PathBuf,
    /// The new registry
    new: PathBuf,
    /// The configuration that names the schemas; without it, the program's own
    #[arg(short, long)]
    config: Option<PathBuf>,
    /// The folder of an auditor: for each change, also print how often it was used in the last 30 days, and by whom
    #[arg(long = "as")]
    agency: Option<PathBuf>,
}

impl Registry {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let Action::Diff(diff) = self.action;
        diff.run(out)
    }
}

impl Diff {
    fn run(self, out: &Out) -> Outcome {
        let schemas = match &self.config {
            None => Sets::built_in(),
            Some(config) => {
                let config = Config::load(config).map_err(|error| Failure::new(2, error))?;
                let loaded = Sets::load(config.schemas.as_deref(), &Judging::Compiled, None);
                loaded.map_err(|error| Failure::new(2, format!("OG-CFG-004 {error}")))?
            }
        };
        let read = |path: &Path| {
            let text = read_bounded(path).map_err(|error| Failure::new(2, error))?;
            Bundle::check(&text, schemas.schemas()).map_err(|error| {
                Failure::new(2, format!("{}:{}:{}: OG-CFG-002 {}", path.display(), error.line, error.column, error.what))
            })
        };
        let changes = diff(&read(&self.old)?, &read(&self.new)?, now());
        let uses = match &self.agency {
            Some(agency) => Some(runtime()?.block_on(Uses::of(&Client::load(&super::ask::folder(agency))?))?),
            None => None,
        };
        for change in &changes {
            show(change, uses.as_ref(), out)?;
        }
        if changes.is_empty() {
            out.say("nothing changes");
        }
        Ok(())
    }
}

fn show(change: &Change, uses: Option<&Uses>, out: &Out) -> Outcome {
    let is_of_somebody = change.concerns != Concerns::default();
    let used = uses.filter(|_| is_of_somebody).map(|uses| {
        let uses = if change.concerns.provider.is_some() { &uses.by_provider } else { &uses.by_basis };
        let of_it = uses.iter().filter(|used| change.concerns.includes(&used.of));
        of_it.fold((0, Vec::new()), |(count, mut by), used| {
            by.extend(used.of.consumer.clone().filter(|consumer| !by.contains(consumer)));
            (count + used.count, by)
        })
    });
    if out.is_json {
        let used = used.map(|(count, by)| serde_json::json!({ "days": DAYS, "requests": count, "by": by }));
        return out.print(serde_json::json!({
            "format": 1, "effect": change.effect.as_str(), "what": change.what, "used": used,
        }));
    }
    let used = used.map_or(String::new(), |(count, by)| match count {
        0 => format!("  (not used in {DAYS} days)"),
        count => format!("  (used {count} times in {DAYS} days by {})", by.join(", ")),
    });
    out.print(format_args!("{:<8} {}{used}", change.effect.as_str(), change.what))
}

/// How often something was asked in the last days.
struct Use {
    of: Concerns,
    count: u64,
}

/// Requests of the last days. A summary counts by four things at most, so there are two of them.
struct Uses {
    by_basis: Vec<Use>,
    by_provider: Vec<Use>,
}

impl Uses {
    async fn of(client: &Client) -> Result<Self, Failure> {
        let from = now().minus_ms(DAYS * crate::base::time::DAY_MS);
        Ok(Self {
            by_basis: summary(client, from, &["consumer", "document", "purpose", "basis"]).await?,
            by_provider: summary(client, from, &["consumer", "document", "purpose", "provider"]).await?,
        })
    }
}

async fn summary(client: &Client, from: UnixTime, by: &[&str]) -> Result<Vec<Use>, Failure> {
    let received = client.get(&format!("/v1/log/summary?kind=req&from={from}&by={}", by.join("%2C"))).await?;
    if !received.status.is_success() {
        return Err(ClientError::Refused(problem_of(&received)).into());
    }
    let found: serde_json::Value = serde_json::from_slice(&received.body).map_err(|error| Failure::new(1, error))?;
    let groups = found["groups"].as_array().cloned().unwrap_or_default();
    Ok(groups
        .iter()
        .map(|group| {
            let word = |name: &str| group[name].as_str().map(str::to_owned);
            let of = Concerns {
                consumer: word("consumer"),
                provider: word("provider"),
                document: word("document"),
                purpose: word("purpose"),
                basis: word("basis"),
            };
            Use { of, count: group["requests"].as_u64().unwrap_or(0) }
        })
        .collect())
}

const DAYS: u64 = 30;
