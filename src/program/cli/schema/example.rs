//! `oncegate schema example`: a valid document from any schema.

use super::Chosen;
use crate::host::schemas::example::valid;
use crate::host::schemas::guard::{compile_root, named};
use crate::message::xsd::example::Fullness;
use crate::program::cli::{Failure, Out, Outcome};
use std::path::PathBuf;

/// Make a valid document: what must be in it, or with --full what may be in it as well.
#[derive(clap::Args)]
#[command(
    before_help = "Examples:\n  oncegate schema example tax/ --root Extract\n  oncegate schema example tax/ --root {urn:tax:2}Extract --full > full.xml"
)]
pub(super) struct Example {
    /// The set's folder, or one of its files
    path: PathBuf,
    /// The root element, NAME or {NAMESPACE}NAME; may be left out where there is only one
    #[arg(long)]
    root: Option<String>,
    /// With all that may be in it, once
    #[arg(long)]
    full: bool,
}

impl Example {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let chosen = Chosen::open(std::slice::from_ref(&self.path), None)?;
        let (schema, name) = self.find(&chosen)?;
        let set = compile_root(&chosen.folder, &schema).map_err(|error| Failure::new(2, error))?;
        let element =
            set.global_elements().find(|number| set.element(*number).is_some_and(|element| named(&set, element.name) == name));
        let element =
            element.ok_or_else(|| Failure::new(2, format_args!("{name} is not a root of {}", chosen.shown(&schema))))?;
        let fullness = if self.full { Fullness::Full } else { Fullness::Minimal };
        let made = valid(&set, element, fullness);
        let made =
            made.map_err(|why| Failure::new(1, format_args!("no example of {name} could be made: {why}; write one by hand")))?;
        if out.is_json {
            let schema = chosen.shown(&schema);
            return out
                .print(serde_json::json!({ "format": 1, "root": name, "schema": schema, "full": self.full, "document": made }));
        }
        out.print(made.trim_end())
    }

    /// The document of the set that has the root, and the root's name.
    fn find(&self, chosen: &Chosen) -> Result<(String, String), Failure> {
        let verdicts = chosen.hold(&chosen.roots)?;
        let is_it = |name: &str| match &self.root {
            None => true,
            Some(wanted) => name == wanted || name.rsplit('}').next() == Some(wanted),
        };
        let good = verdicts.iter().filter(|verdict| verdict.faults.is_empty());
        let mut found: Vec<(String, String)> = good
            .flat_map(|verdict| {
                verdict.elements.iter().filter(|name| is_it(name)).map(|name| (verdict.root.clone(), name.clone()))
            })
            .collect();
        found.dedup_by(|one, other| one.1 == other.1);
        let fault = verdicts.iter().flat_map(|verdict| &verdict.faults).next();
        match (found.len(), fault) {
            (1, _) => Ok(found.swap_remove(0)),
            (0, Some(fault)) => {
                let (file, path) = (chosen.shown(&fault.file), self.path.display());
                let place = format!("{file}:{}:{}: {}", fault.line, fault.column, fault.what);
                Err(Failure::new(2, format_args!("{place}; oncegate schema check {path} tells all")))
            }
            (0, None) => Err(Failure::new(2, "the set has no such root element; oncegate schema check says which it has")),
            (_, _) => {
                let names: Vec<&str> = found.iter().take(8).map(|(_, name)| name.as_str()).collect();
                Err(Failure::new(2, format_args!("name one with --root: {}", names.join(" "))))
            }
        }
    }
}
