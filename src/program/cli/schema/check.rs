//! `oncegate schema check`: what a set of schemas is, and all that is wrong with it.

use super::Chosen;
use crate::base::limits;
use crate::host::schemas::guard::{Verdict, Wrong};
use crate::program::cli::{Failure, Out, Outcome};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Compile each root of a set of schemas, and say what it has and all that is wrong.
#[derive(clap::Args)]
#[command(
    before_help = "Examples:\n  oncegate schema check tax/\n  oncegate schema check extract-2.xsd --json\n  oncegate schema check --in ubl ubl/maindoc/UBL-Invoice.xsd"
)]
pub(super) struct Check {
    /// The set's folder, whose roots are the documents that no other one names; or its roots
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The set's folder, where roots are named and other documents lie above or beside them
    #[arg(long = "in")]
    within: Option<PathBuf>,
}

impl Check {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let chosen = Chosen::open(&self.paths, self.within.as_deref())?;
        let verdicts = chosen.hold(&chosen.roots)?;
        let mut faults: Vec<Wrong> = chosen.folder.faults().iter().cloned().map(Wrong::from).collect();
        let found =
            faults.iter().cloned().chain(verdicts.iter().flat_map(|verdict| verdict.faults.iter().cloned())).collect::<Vec<_>>();
        faults.clear();
        let mut seen = BTreeSet::new();
        let parts = chosen.hold(&parts(&chosen, &verdicts))?;
        for fault in found.into_iter().chain(parts.into_iter().flat_map(|part| part.faults)) {
            // What a process told of a root is not told again of each file.
            if seen.insert((fault.file.clone(), fault.line, fault.column)) {
                faults.push(fault);
            }
        }
        let count = faults.len();
        faults.truncate(limits::SCHEMA_TOLD_MAX);
        if out.is_json {
            let folder = chosen.path.display().to_string();
            let told =
                serde_json::json!({ "format": 1, "folder": folder, "valid": count == 0, "roots": verdicts, "faults": faults });
            out.print(told)?;
        } else {
            print(out, &chosen, &verdicts, &faults)?;
        }
        match count {
            0 => Ok(()),
            1 => Err(Failure::new(2, "1 fault; correct it, and check again")),
            _ => Err(Failure::new(2, format_args!("{count} faults; correct them, and check again"))),
        }
    }
}

/// Where a root is refused, each of its files for itself: one fault hides others.
fn parts(chosen: &Chosen, verdicts: &[Verdict]) -> Vec<String> {
    let refused = verdicts.iter().filter(|verdict| !verdict.faults.is_empty());
    let names: BTreeSet<&str> = refused
        .flat_map(|verdict| {
            let known: Vec<&str> = verdict.files.iter().map(String::as_str).collect();
            if known.is_empty() { chosen.folder.files().collect() } else { known }
        })
        .collect();
    let is_root = |name: &str| chosen.roots.iter().any(|root| root == name);
    let is_file = |name: &str| chosen.folder.read(name).is_ok();
    names.into_iter().filter(|name| !is_root(name) && is_file(name)).take(limits::SCHEMA_TOLD_MAX).map(str::to_owned).collect()
}

fn print(out: &Out, chosen: &Chosen, verdicts: &[Verdict], faults: &[Wrong]) -> Outcome {
    for verdict in verdicts {
        let root = chosen.shown(&verdict.root);
        let word = if verdict.faults.is_empty() { "ok  " } else { "bad " };
        let memory = verdict.memory_kib.map_or(String::new(), |kib| format!(", {} MiB", kib.div_ceil(1024)));
        let size = format!("{}, {}, {} ms{memory}", many(verdict.files.len(), "file"), many(verdict.types, "type"), verdict.ms);
        out.print(format_args!("{word}{root}  {size}"))?;
        if verdict.faults.is_empty() {
            let shown: Vec<&str> = verdict.elements.iter().take(ELEMENTS_SHOWN_MAX).map(String::as_str).collect();
            let more = verdict.elements.len().saturating_sub(shown.len());
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let shown = if shown.is_empty() { "none: no document can begin with anything".to_owned() } else { shown.join(" ") };
            out.print(format_args!("      roots of documents: {shown}{more}"))?;
        }
        for note in &verdict.notes {
            out.print(format_args!("note  {note}"))?;
        }
    }
    for fault in faults {
        let file = if fault.file.is_empty() { chosen.path.display().to_string() } else { chosen.shown(&fault.file) };
        out.print(format_args!("{file}:{}:{}: {}", fault.line, fault.column, fault.what))?;
    }
    Ok(())
}

fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

const ELEMENTS_SHOWN_MAX: usize = 8;
