//! `oncegate agency test`, `go-live`: an agency's conformance run, and the switch from the test world to the live one.

use super::super::reload::tell;
use super::super::{Failure, Out, Outcome, runtime};
use super::{address, parse};
use crate::base::ids::{AgencyId, Code};
use crate::host::config::Config;
use crate::message::envelope::World;
use crate::program::conformance::persons::Named;
use crate::program::conformance::report::{Line, Report};
use crate::program::conformance::{NoRun, Orders, Prepared, authority, go_live, prepare, read};
use crate::program::setup::Installation;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// A conformance run, or the verification of its report.
#[derive(clap::Args)]
pub(super) struct Test {
    /// The agency
    #[arg(required_unless_present = "verify", conflicts_with = "verify")]
    id: Option<String>,
    /// A document type; may be given again; without it, all that the agency holds
    #[arg(long = "document", value_name = "TYPE")]
    documents: Vec<String>,
    /// A person of whom the agency has a record, [TYPE=]SCHEME:VALUE; two are needed. Without it, in the test world, documented people who do not exist
    #[arg(long, value_name = "PERSON")]
    found: Vec<String>,
    /// A person of whom it has none
    #[arg(long, value_name = "PERSON")]
    none: Vec<String>,
    /// How long to wait for each answer, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    wait: u64,
    /// Verify a report instead, offline
    #[arg(long, value_name = "FILE")]
    verify: Option<PathBuf>,
    /// The certificate of the registry's key; without it, that of the installation
    #[arg(long, value_name = "FILE", requires = "verify")]
    authority: Option<PathBuf>,
}

/// The switch.
#[derive(clap::Args)]
pub(super) struct GoLive {
    /// The agency
    id: String,
    /// From the live world back to the test world
    #[arg(long)]
    back: bool,
}

impl Test {
    pub(super) fn run(self, installation: &Installation, out: &Out) -> Outcome {
        if let Some(file) = &self.verify {
            return verify(installation, file, self.authority.as_deref(), out);
        }
        let id = parse(self.id.as_deref().unwrap_or_default())?;
        let code = |text: &String| Code::parse(text).ok_or_else(|| Failure::new(2, format!("\"{text}\" is not a document type")));
        let documents: Vec<Code> = self.documents.iter().map(code).collect::<Result<_, _>>()?;
        let (found, none) = (named(&self.found)?, named(&self.none)?);
        let (gateway, patience) = (address(installation)?, Duration::from_secs(self.wait));
        let orders = Orders { id: &id, documents: &documents, found: &found, none: &none, patience, gateway: &gateway };
        let prepared = prepare(installation, &orders).map_err(could_not)?;
        let ended = runtime().and_then(|runtime| runtime.block_on(until_interrupted(&prepared, out)));
        let put_in_order = prepared.end();
        let Some(mut report) = ended? else {
            put_in_order.map_err(could_not)?;
            return Err(Failure::new(2, "interrupted; its grants are taken out again, and there is no report"));
        };
        if let Err(left) = put_in_order {
            out.say(format_args!("warning: the grants of the run may be in force until the next run or tomorrow: {left}"));
        }
        prepared.explain(&mut report);
        let file = prepared.keep(&report).map_err(could_not)?;
        show(&report, &file, out)
    }
}

/// Makes the checks until they are done, or somebody stops them and there is no report.
async fn until_interrupted(prepared: &Prepared<'_>, out: &Out) -> Result<Option<Report>, Failure> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = |document: &Code, line: &Line| {
        let state = if line.held { "held" } else { "BROKEN" };
        out.say(format_args!("{document} {:>2} {} {state}", line.number, line.name));
    };
    tokio::select! {
        report = prepared.run(&told) => report.map(Some).map_err(could_not),
        _ = terminate.recv() => Ok(None),
        _ = interrupt.recv() => Ok(None),
    }
}

impl GoLive {
    pub(super) fn run(self, installation: &Installation, out: &Out) -> Outcome {
        let id = parse(&self.id)?;
        if self.back {
            installation.move_to(&id, World::Test).map_err(|error| Failure::new(2, error))?;
            out.result(format_args!("{id} is in the test world"), &told(&id, "test", &[]))?;
            return tell(&installation.config(), out);
        }
        let files = go_live(installation, &id).map_err(could_not)?;
        for file in &files {
            out.say(format_args!("by the report {}", file.display()));
        }
        if files.is_empty() {
            out.say(format_args!("{id} holds no document about anybody, so there was nothing to test"));
        }
        out.result(format_args!("{id} is live"), &told(&id, "live", &files))?;
        tell(&installation.config(), out)
    }
}

fn told(id: &AgencyId, world: &str, files: &[PathBuf]) -> serde_json::Value {
    serde_json::json!({ "format": 1, "id": id.as_str(), "world": world, "reports": files })
}

fn verify(installation: &Installation, file: &Path, certificate: Option<&Path>, out: &Out) -> Outcome {
    let certificate = match certificate {
        Some(certificate) => certificate.to_owned(),
        None => Config::load(&installation.config()).map_err(|error| Failure::new(2, error))?.registry.authority,
    };
    let key = authority(&certificate).map_err(could_not)?;
    let report = read(file, &key).map_err(could_not)?;
    show(&report.map_err(|why| Failure::new(6, format!("{}: {why}", file.display())))?, file, out)
}

/// Shows a report; one with a check that is not held is a failure.
fn show(report: &Report, file: &Path, out: &Out) -> Outcome {
    let (held, all) = report.score();
    if out.is_json {
        out.print(serde_json::json!({ "format": 1, "held": held, "of": all, "file": file, "report": report }))?;
    } else {
        out.print(format_args!("{}report {}, signed", report.to_people(), file.display()))?;
    }
    if held == all {
        return Ok(());
    }
    Err(Failure::new(1, format!("{held} of {all} checks are held; the report says which rule was broken, and the next step")))
}

fn named(texts: &[String]) -> Result<Vec<Named>, Failure> {
    texts.iter().map(|text| Named::parse(text).map_err(|why| Failure::new(2, why))).collect()
}

fn could_not(why: NoRun) -> Failure {
    Failure::new(2, why)
}
