//! `oncegate check`

use super::{Failure, Out, Outcome};
use crate::base::fault::Code;
use crate::host::config::Config;
use crate::host::expiry::{Row, Weight, survey};
use crate::host::schemas::sets::{Held, Row as SetRow, Sets};
use crate::message::schema::DocumentType;
use crate::program::server::{Checked, check};
use std::collections::BTreeMap;
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
        let (documents, version) = (checked.sets.schemas().document_types().count(), checked.registry.version());
        let rows = survey(&checked.config, &checked.registry, crate::gateway::driver::now());
        let of = |weight| rows.iter().filter(move |row| row.weight == weight);
        let warnings: Vec<String> = warnings(&checked).into_iter().chain(of(Weight::Warning).map(Row::to_string)).collect();
        let bad = checked.sets.bad();
        let of_sets = bad.iter().flat_map(|bad| bad.lines()).map(|line| format!("{} {line}", Code::CfgSchema));
        let failures: Vec<String> = of_sets.chain(of(Weight::Failure).map(Row::to_string)).collect();
        let certificates = if of(Weight::Failure).next().is_none() { "ok" } else { "--" };
        let verdict = failures.first().map_or(Ok(()), |first| {
            let more = if failures.len() > 1 { format!(", and {} more", failures.len() - 1) } else { String::new() };
            Err(Failure::new(2, format!("{first}{more}")))
        });
        if out.is_json {
            let result = serde_json::json!({
                "format": 1, "registryVersion": version, "agencies": agencies, "grants": grants, "documentTypes": documents, "sets": sets(&checked.sets), "warnings": warnings, "failures": failures,
            });
            out.print(result)?;
            return verdict;
        }
        out.print(format_args!("ok    configuration   {}", self.config.display()))?;
        out.print(format_args!("ok    registry        version {version}, {agencies} agencies, {grants} grants, signature good"))?;
        let state = if bad.is_empty() { "ok" } else { "--" };
        out.print(format_args!("{state}    schemas         {documents} document types"))?;
        print_sets(&checked.sets, out)?;
        let good = of(Weight::Good).count();
        out.print(format_args!("{certificates}    certificates    {good} of {} good", rows.len()))?;
        warnings.iter().try_for_each(|warning| out.print(format_args!("warn  {warning}")))?;
        failures.iter().try_for_each(|failure| out.print(format_args!("fail  {failure}")))?;
        out.say("which fields each grant releases: oncegate schema fields TYPE -c FILE");
        verdict
    }
}

/// What each set has in force, line by line, and what was taken leniently.
fn print_sets(sets: &Sets, out: &Out) -> Outcome {
    for held in sets.held() {
        for row in sets.rows(&held.name) {
            out.print(format_args!("      set {}: {row}", held.name))?;
        }
        held.notes.iter().try_for_each(|note| out.print(format_args!("note  set {}: {note}", held.name)))?;
    }
    Ok(())
}

fn sets(sets: &Sets) -> Vec<serde_json::Value> {
    let row = |row: SetRow| {
        serde_json::json!({
            "name": row.document, "version": row.version, "root": row.root, "namespace": row.namespace, "file": row.file,
            "until": row.until,
        })
    };
    let held = |held: &Held| {
        let documents: Vec<_> = sets.rows(&held.name).into_iter().map(row).collect();
        serde_json::json!({ "set": held.name, "documents": documents, "notes": held.notes })
    };
    sets.held().map(held).collect()
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
            warnings.push(format!("grant {} is for {}, which no agency holds", grant.id, grant.what));
        }
        if held && !checked.registry.has_sources(grant) {
            let sources = grant.sources.as_ref().map_or(String::new(), ToString::to_string);
            warnings.push(format!("grant {} is for events on {}{sources}, and no such agency holds it", grant.id, grant.what));
        }
        if !checked.registry.is_for_somebody(grant) {
            let who = grant.pattern.as_deref().unwrap_or_default();
            warnings.push(format!("grant {} is for {who}, and no registered agency has a name like that", grant.id));
        }
        if grant.until < crate::gateway::driver::now().day() {
            warnings.push(format!("grant {} ended on {}", grant.id, grant.until));
        }
    }
    warnings.extend(narrowings(checked));
    warnings
}

/// Who may ask for two predicates about one number, and so can tell more of it than either says.
fn narrowings(checked: &Checked) -> Vec<String> {
    let (registry, schemas) = (&checked.registry, checked.sets.schemas());
    let mut families: BTreeMap<&str, Vec<&DocumentType>> = BTreeMap::new();
    for document in schemas.document_types() {
        if let Some(family) = &document.family {
            families.entry(family.as_str()).or_default().push(document);
        }
    }
    let mut warnings = Vec::new();
    for (index, agency) in registry.agencies() {
        for (family, documents) in &families {
            let may = documents.iter().filter(|document| registry.grants_of(index, &document.name).next().is_some());
            let may: Vec<&str> = may.map(|document| document.name.as_str()).collect();
            if may.len() > 1 {
                let (id, what) = (&agency.id, may.join(" and "));
                warnings.push(format!(
                    "agency {id} may ask for {what}: both are about the {family}, and together they say more of it"
                ));
            }
        }
    }
    warnings
}
