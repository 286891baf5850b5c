//! The same for an agency: its files, its certificates, the way to the gateway, what the registry says of it, and, if it is an agent, the
//! sources of what it holds.

use super::{Finding, Report, State, reach};
use crate::faces::client::{Client, problem_of};
use crate::gateway::driver::now;
use crate::host::config::read_bounded;
use crate::host::transport::Identity;
use crate::message::pki::{not_after, pem_blocks};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The files that `client.toml` names.
struct Files {
    authorities: PathBuf,
    tls: (PathBuf, PathBuf),
    sign: (PathBuf, PathBuf),
}

impl Files {
    fn read(folder: &Path) -> Option<Self> {
        let table: toml::Table = read_bounded(&folder.join("client.toml")).ok()?.parse().ok()?;
        let file = |key: &str| table.get(key).and_then(toml::Value::as_str).map(|name| folder.join(name));
        Some(Self {
            authorities: file("authorities")?,
            tls: (file("tls_certificate")?, file("tls_key")?),
            sign: (file("sign_certificate")?, file("sign_key")?),
        })
    }
}

/// Looks at everything that an agency needs.
pub async fn examine_agency(folder: &Path) -> Vec<Finding> {
    let mut report = Report::default();
    let of = folder.join("client.toml");
    let client = match Client::load(folder) {
        Ok(client) => client,
        Err(error) => {
            report.bad("configuration", of.display(), error, "correct that file, or take part anew: oncegate join");
            return report.0;
        }
    };
    report.good("configuration", of.display(), format!("{} at {}", client.agency(), client.gateway().authority()));
    let Some(files) = Files::read(folder) else { return report.0 };
    modes(&files, &mut report);
    certificates(&files, &mut report);
    let identity = Identity::load(&files.tls.0, &files.tls.1, &files.authorities, None);
    let tls = match identity.and_then(|identity| identity.client()) {
        Ok(tls) => tls,
        Err(error) => {
            report.bad("key", files.tls.0.display(), error, "the key must be that of the certificate, and both must be PEM");
            return report.0;
        }
    };
    report.good("key", files.tls.0.display(), "fits the certificate");
    if reach::from_agency(client.gateway(), tls, &mut report).await {
        let holds = registered(&client, &mut report).await;
        held(folder, holds, &mut report).await;
    }
    report.0
}

/// Keys are for their owner alone.
fn modes(files: &Files, report: &mut Report) {
    for path in [&files.tls.1, &files.sign.1] {
        let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
        match mode & 0o077 {
            0 => report.good("files", path.display(), "only its owner may read it"),
            _ => {
                let found = format!("mode {mode:04o}: not only its owner can read it");
                report.bad("files", path.display(), found, "chmod 600, and replace the key if others may have read it");
            }
        }
    }
}

/// Certificates, and how long they last.
fn certificates(files: &Files, report: &mut Report) {
    for path in [&files.tls.0, &files.sign.0, &files.authorities] {
        let text = read_bounded(path).unwrap_or_default();
        let Some(until) = pem_blocks(&text, "CERTIFICATE").first().and_then(|der| not_after(der)) else {
            report.bad("certificate", path.display(), "holds no certificate in PEM", "have the operator issue it again");
            continue;
        };
        let next = "have the operator renew it: oncegate renew AGENCY; both certificates are taken until the old one ends";
        let days = until.day().days_since_epoch() - now().day().days_since_epoch();
        let found = format!("until {until}, {days} days left");
        match (until < now(), days) {
            (true, _) => report.bad("certificate", path.display(), format!("ended at {until}"), next),
            (false, ..SOON_DAYS) => report.add("certificate", path.display(), State::Warning, found, next),
            (false, _) => report.good("certificate", path.display(), found),
        }
    }
}

/// From so few days left on somebody is told.
const SOON_DAYS: i64 = 30;

/// What the registry says that the agency holds, if the gateway knows it.
async fn registered(client: &Client, report: &mut Report) -> Option<BTreeSet<String>> {
    let of = client.agency();
    let received = match client.get("/v1/catalogue").await {
        Ok(received) => received,
        Err(error) => {
            report.bad("registry", of, error, "the gateway was reached a moment ago: try again");
            return None;
        }
    };
    if !received.status.is_success() {
        let problem = problem_of(&received);
        report.bad("registry", of, format!("{} {}", problem.code, problem.title), &problem.help);
        return None;
    }
    let catalogue: serde_json::Value = serde_json::from_slice(&received.body).unwrap_or_default();
    let list = |key: &str| catalogue[key].as_array().cloned().unwrap_or_default();
    let holds: BTreeSet<String> = list("holds").iter().filter_map(|what| what.as_str().map(str::to_owned)).collect();
    let may = list("mayAsk").len();
    report.good("registry", of, format!("known; holds {} document types, has {may} grants", holds.len()));
    Some(holds)
}

/// What an agent holds, beside what the registry says, and whether its sources give it.
#[cfg(feature = "agent")]
async fn held(folder: &Path, holds: Option<BTreeSet<String>>, report: &mut Report) {
    use crate::faces::agent::{Config, FILE, schemas};
    let path = folder.join(FILE);
    if !path.exists() {
        return;
    }
    let read = || {
        let config = Config::load(folder)?;
        let sets = schemas(&config)?;
        let holds = config.holds(sets.schemas())?;
        Ok::<_, Vec<crate::faces::agent::Finding>>((config, holds))
    };
    let (config, own) = match read() {
        Ok(read) => read,
        Err(wrong) => {
            let first = wrong.first().map_or_else(String::new, ToString::to_string);
            return report.bad("agent", path.display(), first, "oncegate agent check tells all that is wrong");
        }
    };
    for hold in &own {
        let document = hold.mapping.document().to_string();
        if holds.as_ref().is_some_and(|holds| !holds.contains(&document)) {
            let next = "have the operator say so: oncegate agency holds";
            report.bad("agent", &document, "the registry does not say that this agency holds it: nobody asks for it here", next);
        }
        match source(&config, hold, &own).await {
            Ok(columns) => report.good("source", &hold.config.source, format!("{columns} columns, for {document}")),
            Err(what) => report.bad("source", &hold.config.source, what, "oncegate agent check says more"),
        }
    }
    let known: BTreeSet<String> = own.iter().map(|hold| hold.mapping.document().to_string()).collect();
    for document in holds.iter().flatten().filter(|document| !known.contains(*document)) {
        let found = "the registry says that this agency holds it, and agent.toml has no [[hold]] for it: it is told OG-SRC-009";
        report.add("agent", document, State::Warning, found, "add it, or have the operator take it out");
    }
}

/// How many columns the source of something held has, if it has those of its mapping.
#[cfg(feature = "agent")]
async fn source(
    config: &crate::faces::agent::Config,
    hold: &crate::faces::agent::Hold,
    all: &[crate::faces::agent::Hold],
) -> Result<usize, String> {
    use crate::host::source::Source;
    let name = &hold.config.source;
    let kind = config.sources.get(name).ok_or("there is no such source")?;
    let opened = Source::open(name, kind, &config.folder, &config.keys(name, all)).await.map_err(|error| error.to_string())?;
    let columns = opened.columns(&hold.by_any(kind)).await.map_err(|error| error.to_string())?;
    match hold.mapping.against(&columns).first() {
        Some(wrong) => Err(wrong.what.clone()),
        None => Ok(columns.len()),
    }
}

#[cfg(not(feature = "agent"))]
async fn held(_: &Path, _: Option<BTreeSet<String>>, _: &mut Report) {}
