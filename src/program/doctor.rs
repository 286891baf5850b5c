//! What an operator should look at: one pass over everything that a gateway needs, which never stops at the first fault.
//!
//! It changes nothing, and it can run beside the gateway. Each finding says what was looked at, how bad it is, and what to do.

mod agency;
mod reach;

pub use agency::examine_agency;

use crate::gateway::driver::now;
use crate::host::config::Config;
use crate::host::expiry::{Weight, survey};
use crate::host::inforce::InForce;
use crate::host::schemas::sets::Sets;
use crate::host::store::keys_fit;
use crate::host::transport::Identity;
use crate::message::schema::Schemas;
use crate::program::server::{load_identity, load_registry, load_sets};
use crate::rules::registry::{Registry, Status};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it should be.
    Good,
    /// It works, and will not for ever; or it is allowed and probably not meant.
    Warning,
    /// Something does not work.
    Bad,
}

impl State {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warn",
            Self::Bad => "BAD",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// Of what: a file, an agency, a host.
    pub of: String,
    /// How bad it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do; empty if nothing.
    pub next: String,
}

/// Collects what is found.
#[derive(Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    fn add(&mut self, check: &'static str, of: impl ToString, state: State, found: impl ToString, next: &str) {
        self.0.push(Finding { check, of: of.to_string(), state, found: found.to_string(), next: next.to_owned() });
    }

    fn good(&mut self, check: &'static str, of: impl ToString, found: impl ToString) {
        self.add(check, of, State::Good, found, "");
    }

    fn bad(&mut self, check: &'static str, of: impl ToString, found: impl ToString, next: &str) {
        self.add(check, of, State::Bad, found, next);
    }
}

/// Looks at everything that a configuration names, and at everybody whom its gateway talks with.
pub async fn examine(file: &Path) -> Vec<Finding> {
    let mut report = Report::default();
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => {
            report.bad("configuration", file.display(), error, "correct that line; docs/configuration.md describes every key");
            return report.0;
        }
    };
    report.good("configuration", file.display(), "read");
    modes(&config, &mut report);
    let identity = identity(&config, &mut report);
    let schemas = schemas(&config, &mut report);
    let registry = schemas.as_ref().and_then(|sets| registry(&config, sets.schemas(), &mut report));
    certificates(&config, registry.as_ref(), &mut report);
    if let Some(registry) = &registry {
        agencies(registry, &mut report);
    }
    disk(&config, &mut report);
    keys(&config, &mut report);
    reach::gateway(&config, &mut report).await;
    // With a certificate that has ended nobody takes our hand: that is told once, and not of each holder.
    let ended = |finding: &Finding| finding.check == "certificate" && finding.state == State::Bad;
    let of_gateway = |finding: &Finding| finding.of.contains(&*config.exchange.certificate.to_string_lossy());
    let is_usable = !report.0.iter().any(|finding| ended(finding) && of_gateway(finding));
    reach::others(&config, identity.as_ref().filter(|_| is_usable), registry.as_ref(), &mut report).await;
    report.0
}

/// Keys are for their owner alone.
fn modes(config: &Config, report: &mut Report) {
    let mut secrets = vec![config.exchange.key.clone()];
    let folders = [config.seal.clone(), Some(config.data.join("keys"))];
    for folder in folders.into_iter().flatten() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_secret = |path: &PathBuf| path.is_file() && path.extension().is_none_or(|extension| extension != "pem");
        secrets.extend(entries.filter(is_secret));
    }
    secrets.sort();
    let mut open = 0;
    for path in secrets {
        match std::fs::metadata(&path) {
            Err(cause) => report.bad("files", path.display(), cause, "put the file where the configuration says it is"),
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
                let mode = metadata.permissions().mode() & 0o777;
                let found = format!("mode {mode:04o}: not only its owner can read it");
                report.bad("files", path.display(), found, "chmod 600, and replace the key if others may have read it");
                open += 1;
            }
            Ok(_) => {}
        }
    }
    if open == 0 {
        report.good("files", "private keys", "only their owner may read them");
    }
}

fn identity(config: &Config, report: &mut Report) -> Option<Identity> {
    let of = config.exchange.certificate.display();
    match load_identity(&config.exchange) {
        Ok(identity) => {
            report.good("key", of, "fits the certificate");
            Some(identity)
        }
        Err(error) => {
            let next =
                "the key must be that of the certificate, and both must be PEM; oncegate init and certs/README.md make them";
            report.bad("key", of, error, next);
            None
        }
    }
}

/// Everything that ends: certificates, revocation lists, signing keys.
fn certificates(config: &Config, registry: Option<&Registry>, report: &mut Report) {
    let mut rows = survey(config, registry, now());
    // Its order is by what ends first, which changes with what is mended; here each keeps its place.
    rows.sort_by(|one, other| (one.kind, &one.what).cmp(&(other.kind, &other.what)));
    for row in rows {
        let state = match row.weight {
            Weight::Good => State::Good,
            Weight::Warning => State::Warning,
            Weight::Failure => State::Bad,
        };
        report.add("certificate", &row.what, state, row.found(), row.next);
    }
}

fn schemas(config: &Config, report: &mut Report) -> Option<Sets> {
    let of = config.schemas.as_ref().map_or_else(|| "the program's own".to_owned(), |path| path.display().to_string());
    match load_sets(config, None) {
        Ok(sets) => {
            report.good("schemas", of, format!("{} document types", sets.schemas().document_types().count()));
            for held in sets.held() {
                let rows = sets.rows(&held.name).into_iter().map(|row| row.to_string());
                report.good("schemas", &held.name, rows.chain(held.notes.iter().cloned()).collect::<Vec<_>>().join("; "));
            }
            for bad in sets.bad() {
                let next = "correct what is named; oncegate reload then puts it in force";
                bad.faults.iter().for_each(|fault| report.bad("schemas", &bad.name, fault, next));
            }
            Some(sets)
        }
        Err(error) => {
            report.bad("schemas", of, error, "correct the schema; docs/schemas.md says what is read");
            None
        }
    }
}

fn registry(config: &Config, schemas: &Schemas, report: &mut Report) -> Option<Registry> {
    let of = config.registry.file.display();
    let registry = match load_registry(config, schemas) {
        Ok(registry) => registry,
        Err(error) => {
            report.bad("registry", of, error, "correct it, then oncegate agency sign; a running gateway keeps the one before");
            return None;
        }
    };
    let this = InForce { version: registry.version(), digest: registry.digest() };
    match InForce::read(&config.data) {
        Some(last) if this.contradicts(last) || this.version < last.version => {
            let found = format!("version {}, and another one was in force: version {}", this.version, last.version);
            report.bad("registry", of, found, "raise the version, then oncegate agency sign");
        }
        Some(last) if last != this => {
            let found = format!("version {}; the gateway has taken version {} last", this.version, last.version);
            report.add("registry", of, State::Warning, found, "oncegate reload");
        }
        _ => report.good("registry", of, format!("version {}, signature good", this.version)),
    }
    Some(registry)
}

/// An agency without any key can send nothing.
fn agencies(registry: &Registry, report: &mut Report) {
    for (_, agency) in registry.agencies().filter(|(_, agency)| agency.status == Status::Active) {
        if agency.keys().all(|key| key.is_revoked) {
            let next = "enrol a key: oncegate agency enrol";
            report.add("agency", &agency.id, State::Warning, "it has no signing key: it can send nothing", next);
        }
    }
}

/// Room on the disk, and for how long it lasts at the pace so far.
fn disk(config: &Config, report: &mut Report) {
    let (of, next) = (config.data.display(), "free some room on that file system; the gateway then continues by itself");
    let folder = if config.data.exists() { config.data.as_path() } else { config.data.parent().unwrap_or(Path::new(".")) };
    let Ok(room) = rustix::fs::statvfs(folder) else {
        return report.bad("disk", of, "the file system cannot be asked", "make the folder, and let the gateway write to it");
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let log = config.data.join("log");
    let segments = std::fs::read_dir(&log).into_iter().flatten().flatten().filter_map(|entry| entry.metadata().ok());
    use std::os::unix::fs::MetadataExt;
    let used: u64 = segments.filter(std::fs::Metadata::is_file).map(|metadata| metadata.blocks() * 512).sum();
    let first = std::fs::metadata(log.join("seg-000000")).and_then(|metadata| metadata.created());
    let age = first.ok().and_then(|first| first.elapsed().ok()).map_or(0, |age| age.as_secs());
    let daily = used.saturating_mul(86_400).checked_div(age).unwrap_or(0);
    let free_mib = free >> 20;
    let lasts = free.checked_div(daily).filter(|_| age > 86_400);
    let found = match lasts {
        Some(days) => format!("{free_mib} MiB free, {} MiB used by the log, room for {days} days at its pace so far", used >> 20),
        None => format!("{free_mib} MiB free, {} MiB used by the log", used >> 20),
    };
    if free < DISK_FULL {
        report.bad("disk", of, found, next);
    } else if free < DISK_LOW || lasts.is_some_and(|days| days < SOON_DAYS) {
        report.add("disk", of, State::Warning, found, next);
    } else {
        report.good("disk", of, found);
    }
}

/// Days of room left from which on an operator is told.
const SOON_DAYS: u64 = 30;

/// A segment is written ahead by this much, so with less the next record may find no room.
const DISK_FULL: u64 = 16 << 20;
const DISK_LOW: u64 = 1 << 30;

/// The keys of a log that has begun.
fn keys(config: &Config, report: &mut Report) {
    let (folder, begun) = (config.data.join("keys"), config.data.join("log/seg-000000").exists());
    if !begun {
        return report.good("log", &config.log.origin, "not begun");
    }
    let missing: Vec<&str> = ["log", "index"].into_iter().filter(|name| !folder.join(name).exists()).collect();
    let next = "put the keys back from their backup; new ones would make another log of it";
    match (missing.is_empty(), keys_fit(&config.data)) {
        (false, _) => {
            report.bad("log", &config.log.origin, format!("{} is missing in {}", missing.join(", "), folder.display()), next)
        }
        (true, Err(error)) => report.bad("log", &config.log.origin, error, next),
        (true, Ok(())) => report.good("log", &config.log.origin, "its keys are there, and fit it"),
    }
}
