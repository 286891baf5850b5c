//! `oncegate check`

use super::{Failure, Out, Outcome};
use crate::host::config::Config;
use crate::program::server::{Checked, check};
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  oncegate check -c office/oncegate.toml\n  oncegate check -c office/oncegate.toml --json";

/// Check everything that a configuration names.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Check {
    /// The configuration
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
}

impl Check {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let config = Config::load(&self.config).map_err(|error| Failure::new(2, error))?;
        let checked = check(config).map_err(|error| Failure::new(2, error))?;
        let (agencies, grants) = (checked.registry.agencies().len(), checked.registry.grants().len());
        let (documents, version) = (checked.schemas.document_types().count(), checked.registry.version());
        let warnings = warnings(&checked);
        if out.is_json {
            let result = serde_json::json!({
                "format": 1, "registryVersion": version, "agencies": agencies, "grants": grants, "documentTypes": documents, "warnings": warnings,
            });
            return out.print(result);
        }
        out.print(format_args!("ok    configuration   {}", self.config.display()))?;
        out.print(format_args!("ok    registry        version {version}, {agencies} agencies, {grants} grants, signature good"))?;
        out.print(format_args!("ok    schemas         {documents} document types"))?;
        warnings.iter().try_for_each(|warning| out.print(format_args!("warn  {warning}")))
    }
}

/// What is allowed and probably not meant.
fn warnings(checked: &Checked) -> Vec<String> {
    let mut warnings = Vec::new();
    for (_, agency) in checked.registry.agencies() {
        if agency.key_count() == 0 {
            warnings.push(format!("agency {} has no key: it can send nothing", agency.id));
        }
    }
    for grant in checked.registry.grants() {
        let held = checked.registry.agencies().any(|(index, _)| checked.registry.is_holder(index, &grant.what));
        if !held {
            warnings.push(format!("grant {} is for {}, which nobody holds", grant.id, grant.what));
        }
        if !checked.registry.is_for_somebody(grant) {
            let who = grant.pattern.as_deref().unwrap_or_default();
            warnings.push(format!("grant {} is for {who}, and no registered agency has a name like that", grant.id));
        }
        if grant.until < crate::gateway::driver::now().day() {
            warnings.push(format!("grant {} ended on {}", grant.id, grant.until));
        }
    }
    warnings
}
