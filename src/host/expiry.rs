//! What ends: every certificate and revocation list that an installation depends on, in one pass that stops at nothing.

use super::config::Config;
use super::telemetry::Telemetry;
use super::transport::{Anchors, load_lists};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::crypto::sha256;
use crate::message::pki::{self, Certificate, Facts};
use crate::rules::registry::{Registry, Status, certificates};
use std::path::{Path, PathBuf};

/// Of which kind something that ends is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The gateway's TLS certificate.
    Gateway,
    /// An authority's certificate.
    Authority,
    /// A revocation list.
    List,
    /// A signing key of an agency, as the registry has it.
    Signing,
    /// The TLS certificate of an agency, as far as its file lies beside the registry.
    Tls,
    /// The certificate of a key with which the gateway signs for an agency.
    Seal,
}

impl Kind {
    /// The word in metrics and in `/health`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Authority => "authority",
            Self::List => "revocation_list",
            Self::Signing => "agency_signing",
            Self::Tls => "agency_tls",
            Self::Seal => "seal",
        }
    }
}

/// How it stands with something that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Valid, and for longer than the notice.
    Good,
    /// Valid, and not for long any more.
    EndsSoon,
    /// Its time has not begun.
    NotYetValid,
    /// Its time is over.
    Ended,
    /// It does not belong to what it is used with.
    DoesNotFit,
    /// Its file cannot be read.
    Unreadable,
}

impl State {
    /// The word in `/health` and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::EndsSoon => "ends soon",
            Self::NotYetValid => "not yet valid",
            Self::Ended => "ended",
            Self::DoesNotFit => "does not fit",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Nothing is to be done.
    Good,
    /// It works, and somebody should act.
    Warning,
    /// Something cannot work any more.
    Failure,
}

/// One certificate, key or list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its kind.
    pub kind: Kind,
    /// Its name for the operator: a file, or the key of an agency.
    pub what: String,
    /// How it stands.
    pub state: State,
    /// How bad that is.
    pub weight: Weight,
    /// Up to when it is valid, if it says so.
    pub until: Option<UnixTime>,
    /// What is wrong, beside the state.
    pub cause: Option<String>,
    /// What to do next; nothing for what is good.
    pub next: &'static str,
}

impl Row {
    /// What was found, without what it was found of.
    pub fn found(&self) -> String {
        match (self.state, self.until, &self.cause) {
            (State::DoesNotFit | State::Unreadable, _, Some(cause)) => cause.clone(),
            (State::EndsSoon, Some(until), _) => format!("ends on {until}"),
            (State::Ended, Some(until), _) => format!("ended on {until}"),
            (State::Good, Some(until), _) => format!("valid until {until}"),
            (state, Some(until), _) => format!("is {}, until {until}", state.as_str()),
            (state, None, _) => format!("is {}", state.as_str()),
        }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colon = if self.cause.is_some() { ":" } else { "" };
        write!(f, "{}{colon} {}", self.what, self.found())?;
        if self.next.is_empty() { Ok(()) } else { write!(f, "; {}", self.next) }
    }
}

/// Looks at everything that ends, worst first. Without a registry it looks at the files alone.
pub fn survey<'r>(config: &Config, registry: impl Into<Option<&'r Registry>>, now: UnixTime) -> Vec<Row> {
    let exchange = &config.exchange;
    let mut rows = gateway(config, now);
    rows.extend(authorities(&exchange.authorities, now));
    if let Some(others) = config.log.authorities.as_ref().filter(|others| **others != exchange.authorities) {
        rows.extend(authorities(others, now));
    }
    if let Some(path) = &exchange.revocation {
        rows.extend(lists(path, now));
    }
    if let Some(registry) = registry.into() {
        rows.extend(signing(registry, now));
        rows.extend(unbelieved(config, now));
        rows.extend(beside(config, registry, now));
    }
    rows.extend(config.seal.iter().flat_map(|folder| seals(folder, now)));
    rows.sort_by_key(|row| (std::cmp::Reverse(row.weight), row.until, row.kind));
    rows
}

/// Tells metrics and `/health` what a survey found.
pub fn tell(telemetry: &Telemetry, rows: &[Row]) {
    let ends = rows.iter().filter_map(|row| Some((row.kind.as_str(), row.until?.as_ms() / 1000)));
    let bad = rows.iter().filter(|row| row.weight > Weight::Good);
    let notices = bad.map(|row| (row.kind.as_str(), row.state.as_str(), row.until)).collect();
    telemetry.certificates_end(ends, notices);
}

fn state(from: UnixTime, until: UnixTime, now: UnixTime) -> State {
    // A certificate is valid through its last second (RFC 5280, section 4.1.2.5).
    if until.plus_ms(1000) <= now {
        State::Ended
    } else if now < from {
        State::NotYetValid
    } else if until <= now.plus_ms(limits::EXPIRY_NOTICE_MS) {
        State::EndsSoon
    } else {
        State::Good
    }
}

fn row(kind: Kind, what: String, facts: &Facts, now: UnixTime, next: &'static str) -> Row {
    let state = state(facts.not_before, facts.not_after, now);
    let weight = match state {
        State::Good => Weight::Good,
        State::EndsSoon => Weight::Warning,
        _ => Weight::Failure,
    };
    let next = if weight == Weight::Good { "" } else { next };
    Row { kind, what, state, weight, until: Some(facts.not_after), cause: None, next }
}

fn bad(kind: Kind, what: String, state: State, cause: String, next: &'static str) -> Row {
    Row { kind, what, state, weight: Weight::Failure, until: None, cause: Some(cause), next }
}

const UNREADABLE: &str = "put the file in place; docs/configuration.md names what each key is for";
const RENEW_GATEWAY: &str = "renew it: oncegate renew --in FOLDER, then kill -HUP; see docs/renewal.md";
const RENEW_AGENCY: &str = "renew it: oncegate renew AGENCY --in FOLDER; see docs/renewal.md";
const RENEW_AUTHORITY: &str = "give every side the next authority beside this one; see docs/renewal.md";
const RENEW_LIST: &str = "get the authority's next list, then kill -HUP: what was revoked since is not known here";

fn chain(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let octets = std::fs::read(path).map_err(|cause| cause.to_string())?;
    let found = pki::pem_blocks(&String::from_utf8_lossy(&octets), "CERTIFICATE");
    if found.is_empty() { Err("holds no certificate in PEM".to_owned()) } else { Ok(found) }
}

fn gateway(config: &Config, now: UnixTime) -> Vec<Row> {
    let (path, authorities) = (&config.exchange.certificate, &config.exchange.authorities);
    let what = format!("the gateway's certificate {}", path.display());
    let chain = match chain(path) {
        Ok(chain) => chain,
        Err(cause) => return vec![bad(Kind::Gateway, what, State::Unreadable, cause, UNREADABLE)],
    };
    let Some(facts) = chain.first().and_then(|leaf| pki::facts(leaf)) else {
        return vec![bad(Kind::Gateway, what, State::Unreadable, "cannot be read".to_owned(), UNREADABLE)];
    };
    let mut rows = vec![row(Kind::Gateway, what.clone(), &facts, now, RENEW_GATEWAY)];
    // The path is looked at within the validity, so that what has ended is not called foreign as well.
    let within = now.max(facts.not_before).min(facts.not_after);
    if let Ok(anchors) = Anchors::load(authorities)
        && let Err(cause) = anchors.check_chain(&chain, within)
    {
        let cause = format!("no path leads from it to {}: {cause}", authorities.display());
        let next = "have it issued by that authority, or add the one that issued it to exchange.authorities";
        rows.push(bad(Kind::Gateway, what, State::DoesNotFit, cause, next));
    }
    rows
}

fn authorities(path: &Path, now: UnixTime) -> Vec<Row> {
    let found = match chain(path) {
        Ok(found) => found,
        Err(cause) => {
            return vec![bad(Kind::Authority, path.display().to_string(), State::Unreadable, cause, UNREADABLE)];
        }
    };
    let mut rows: Vec<Row> = Vec::new();
    for facts in found.iter().filter_map(|der| pki::facts(der)) {
        let what = format!("the authority {} in {}", facts.subject, path.display());
        rows.push(row(Kind::Authority, what, &facts, now, RENEW_AUTHORITY));
    }
    // Beside a valid one an old one does no harm.
    if rows.iter().any(|row| row.weight < Weight::Failure) {
        rows.iter_mut().for_each(|row| row.weight = row.weight.min(Weight::Warning));
    }
    rows
}

/// A list past its time is still applied, so nothing fails; what was revoked since is not known.
fn lists(path: &Path, now: UnixTime) -> Vec<Row> {
    let found = match load_lists(path) {
        Ok(found) => found,
        Err(cause) => return vec![bad(Kind::List, path.display().to_string(), State::Unreadable, cause.to_string(), UNREADABLE)],
    };
    let rows = found.into_iter().filter_map(|list| {
        let until = list.next_update?;
        // Lists are made for days: the notice of certificates would never end.
        let state = if until <= now { State::Ended } else { State::Good };
        let what = format!("the revocation list of {} in {}", list.issuer, path.display());
        let (weight, next) = if state == State::Good { (Weight::Good, "") } else { (Weight::Warning, RENEW_LIST) };
        Some(Row { kind: Kind::List, what, state, weight, until: Some(until), cause: None, next })
    });
    rows.collect()
}

/// A signing key that has ended is a failure only where the agency has no other.
fn signing(registry: &Registry, now: UnixTime) -> Vec<Row> {
    let mut rows = Vec::new();
    for (_, agency) in registry.agencies().filter(|(_, agency)| agency.status == Status::Active) {
        let begun = rows.len();
        for (number, key) in agency.keys().filter(|key| !key.is_revoked).enumerate() {
            let facts = Facts { subject: String::new(), hosts: Vec::new(), not_before: key.from, not_after: key.until };
            let what = format!("signing key {} of {}", number + 1, agency.id);
            rows.push(row(Kind::Signing, what, &facts, now, RENEW_AGENCY));
        }
        let own = rows.get_mut(begun..).unwrap_or_default();
        if own.iter().any(|row| row.weight == Weight::Good) {
            // Another one takes over: that is what an overlap is for.
            own.iter_mut().filter(|row| row.weight == Weight::Failure).for_each(|row| row.weight = Weight::Warning);
        } else if own.iter().any(|row| row.weight == Weight::Warning) {
            own.iter_mut().for_each(|row| row.weight = row.weight.min(Weight::Warning));
        }
    }
    rows
}

/// Keys that a hand has entered: the gateway believes the registry, a consumer believes the certificate inside a message alone.
fn unbelieved(config: &Config, now: UnixTime) -> Vec<Row> {
    let text = std::fs::read_to_string(&config.registry.file).unwrap_or_default();
    let Ok(anchors) = Anchors::load(&config.exchange.authorities) else { return Vec::new() };
    let mut rows = Vec::new();
    for (agency, der) in certificates(&text) {
        let Ok(certificate) = Certificate::from_der(&der) else { continue };
        let within = now.max(certificate.not_before).min(certificate.not_after);
        let cause = match (&certificate.agency, anchors.check(&der, within)) {
            (None, _) => format!("it names no agency (URI:{})", agency.urn()),
            (Some(_), Err(cause)) => cause.to_string(),
            (Some(_), Ok(())) => continue,
        };
        let cause = format!("consumers will refuse what is signed with it: {cause}");
        let what = format!("the certificate {} of {agency}", certificate.thumbprint);
        let next = "have a certificate issued by an authority of the gateway, and enter it with oncegate agency enrol";
        rows.push(Row { weight: Weight::Warning, ..bad(Kind::Signing, what, State::DoesNotFit, cause, next) });
    }
    rows
}

/// The TLS certificates that `oncegate agency add` left beside the registry: the registry itself has only their digests.
fn beside(config: &Config, registry: &Registry, now: UnixTime) -> Vec<Row> {
    let folder = config.registry.file.parent().unwrap_or(Path::new("")).join("agencies");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path().join("tls.pem")).collect();
    paths.sort();
    let rows = paths.into_iter().filter_map(|path| {
        let der = chain(&path).ok()?.into_iter().next()?;
        let index = registry.by_system(&sha256(&der))?;
        let agency = registry.agency(index).filter(|agency| agency.status == Status::Active)?;
        let what = format!("the TLS certificate of {} in {}", agency.id, path.display());
        Some(row(Kind::Tls, what, &pki::facts(&der)?, now, RENEW_AGENCY))
    });
    rows.collect()
}

fn seals(folder: &Path, now: UnixTime) -> Vec<Row> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let rows = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "pem")).filter_map(|path| {
        let der = chain(&path).ok()?.into_iter().next()?;
        Some(row(Kind::Seal, format!("the seal's certificate {}", path.display()), &pki::facts(&der)?, now, RENEW_AGENCY))
    });
    rows.collect()
}
