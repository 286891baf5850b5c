//! `oncegate validate --schema`: documents against a set of schemas, with all that is wrong.

use super::Chosen;
use crate::base::limits;
use crate::host::config::place;
use crate::host::schemas::guard::{Verdict, compile_root};
use crate::host::schemas::{decode, loose};
use crate::message::xml::{Profile, ScanError, Start, Visitor, scan};
use crate::message::xsd::Set;
use crate::message::xsd::run::XSI;
use crate::program::cli::{Failure, Out, Outcome};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Holds documents against a set.
pub(in crate::program::cli) fn validate(out: &Out, schema: &Path, files: &[PathBuf]) -> Outcome {
    let chosen = Chosen::open(&[schema.to_owned()], None)?;
    let verdicts = chosen.hold(&chosen.roots)?;
    let mut bench = Bench { chosen: &chosen, verdicts, sets: BTreeMap::new() };
    let mut invalid = 0;
    for file in files {
        let octets = read(file)?;
        let held = bench.hold(&octets)?;
        invalid += usize::from(!held.told.is_empty());
        held.print(out, file)?;
    }
    match invalid {
        0 => Ok(()),
        _ => {
            Err(Failure::new(2, format_args!("{invalid} of {} not valid; correct what is told, and validate again", files.len())))
        }
    }
}

/// What was found of a document.
struct Held {
    /// The root of the set by which it was held.
    schema: String,
    told: Vec<loose::Told>,
    /// Why no message may carry it, if none may.
    unsent: Option<loose::Told>,
}

struct Bench<'c> {
    chosen: &'c Chosen,
    verdicts: Vec<Verdict>,
    sets: BTreeMap<String, Set>,
}

impl Bench<'_> {
    fn hold(&mut self, octets: &[u8]) -> Result<Held, Failure> {
        let unreadable = |what: String| loose::Told { line: 1, column: 1, rule: "xml", what };
        let none = |told| Held { schema: String::new(), told: vec![told], unsent: None };
        let text = match decode::decode(octets) {
            Ok(text) => text,
            Err(error) => return Ok(none(unreadable(error.to_string()))),
        };
        let says = match loose::says(&text) {
            Ok(says) => says,
            Err(told) => return Ok(none(told)),
        };
        let name = if says.uri.is_empty() { says.local } else { format!("{{{}}}{}", says.uri, says.local) };
        let has = |verdict: &&Verdict| verdict.faults.is_empty() && verdict.elements.contains(&name);
        let Some(schema) = self.verdicts.iter().find(has).map(|verdict| verdict.root.clone()) else {
            self.refused()?;
            let what =
                format!("no schema in {} declares the root {name}; it declares {}", self.chosen.path.display(), self.declared());
            return Ok(none(loose::Told { line: 1, column: 1, rule: "cvc-elt.1", what }));
        };
        if !self.sets.contains_key(&schema) {
            let set = compile_root(&self.chosen.folder, &schema);
            let set = set.map_err(|error| Failure::new(2, format_args!("{}: {error}", self.chosen.path.display())))?;
            self.sets.insert(schema.clone(), set);
        }
        let told = self.sets.get(&schema).map_or(Vec::new(), |set| loose::hold(set, &text, limits::SCHEMA_TOLD_MAX));
        Ok(Held { schema: self.chosen.shown(&schema), told, unsent: unsent(octets, &text) })
    }

    /// What is refused of the set, if anything is: then it may be the part that would have the root.
    fn refused(&self) -> Outcome {
        let faults = self.chosen.folder.faults().iter().map(ToString::to_string);
        let of_roots = self.verdicts.iter().flat_map(|verdict| &verdict.faults);
        let of_roots = of_roots.map(|fault| format!("{}:{}:{}: {}", fault.file, fault.line, fault.column, fault.what));
        let Some(fault) = faults.chain(of_roots).next() else { return Ok(()) };
        let path = self.chosen.path.display();
        Err(Failure::new(2, format_args!("{path}: the set is refused: {fault}; oncegate schema check {path} tells all")))
    }

    fn declared(&self) -> String {
        let all: Vec<&str> = self.verdicts.iter().flat_map(|verdict| verdict.elements.iter().map(String::as_str)).collect();
        match all.len() {
            0 => "none".to_owned(),
            1..=SHOWN_MAX => all.join(", "),
            more => format!("{} and {} more", all.get(..SHOWN_MAX).unwrap_or_default().join(", "), more - SHOWN_MAX),
        }
    }
}

impl Held {
    fn print(&self, out: &Out, file: &Path) -> Outcome {
        let is_valid = self.told.is_empty();
        let told = |told: &loose::Told| serde_json::json!({ "line": told.line, "column": told.column, "rule": told.rule, "what": told.what });
        if out.is_json {
            return out.print(serde_json::json!({
                "format": 1, "file": file.display().to_string(), "valid": is_valid, "schema": self.schema,
                "violations": self.told.iter().map(told).collect::<Vec<_>>(),
                "inMessages": is_valid && self.unsent.is_none(), "notInMessages": self.unsent.as_ref().map(told),
            }));
        }
        let at = |told: &loose::Told| format!("{}:{}:{}", file.display(), told.line, told.column);
        for told in &self.told {
            out.print(format_args!("{}: {}: {}", at(told), told.rule, told.what))?;
        }
        if self.told.len() >= limits::SCHEMA_TOLD_MAX {
            out.print(format_args!("{}: there may be more; no more than {} are told", file.display(), limits::SCHEMA_TOLD_MAX))?;
        }
        if is_valid {
            out.print(format_args!("ok  {} by {}", file.display(), self.schema))?;
            if let Some(unsent) = &self.unsent {
                out.print(format_args!("note  {}: no message may carry it so: {}", at(unsent), unsent.what))?;
            }
        }
        Ok(())
    }
}

/// Why no message may carry a document as it is written.
fn unsent(octets: &[u8], text: &str) -> Option<loose::Told> {
    let at = |offset: usize, what: &str| {
        let (line, column) = place(text, offset);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        loose::Told { line: number(line), column: number(column), rule: "profile", what: what.to_owned() }
    };
    if std::str::from_utf8(octets).is_err() {
        return Some(at(0, "it is not UTF-8"));
    }
    match scan(octets, Profile::Message, &mut Plain) {
        Ok(()) => None,
        Err(ScanError::Xml(violation)) => Some(at(violation.at, violation.what)),
        Err(ScanError::Visitor((offset, what))) => Some(at(offset, what)),
    }
}

/// Finds what the strict reader lets through and messages do not have.
struct Plain;

impl Visitor for Plain {
    type Error = (usize, &'static str);

    fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error> {
        let says_where = |name: &str| matches!(name, "schemaLocation" | "noNamespaceSchemaLocation");
        if element.attributes().any(|found| found.uri == XSI && says_where(found.local)) {
            return Err((element.at(), "xsi:schemaLocation; leave it out, the gateway knows the schemas"));
        }
        Ok(())
    }

    fn text(&mut self, _: &str, _: usize) -> Result<(), Self::Error> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Reads a document within the bound.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |cause: std::io::Error| Failure::new(2, format_args!("{}: {cause}", path.display()));
    let mut octets = Vec::new();
    let limit = limits::SCHEMA_DOCUMENT_BYTES_MAX;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit + 1).read_to_end(&mut octets).map_err(failed)?;
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut octets)).map_err(failed)?;
    }
    if octets.len() as u64 > limit {
        return Err(Failure::new(2, format_args!("{}: larger than {} MiB; split it", path.display(), limit >> 20)));
    }
    Ok(octets)
}

const SHOWN_MAX: usize = 5;
