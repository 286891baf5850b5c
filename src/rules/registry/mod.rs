//! The registry: agencies, their keys and systems, holders of document types, and grants. An immutable, versioned value.
//!
//! It is loaded from a bundle that its authority signed; keys are found by thumbprint, agencies by name or by the
//! thumbprint of a client certificate, grants by consumer and document type. Every lookup is logarithmic in the size of
//! the registry, so ten thousand agencies cost no more per exchange than ten.

pub mod diff;
mod figures;
mod file;
mod group;
mod sources;
mod succession;

pub use file::{RegistryError, certificates};
pub use sources::Sources;

use crate::base::ids::{AgencyId, Code, Digest, Region};
use crate::base::limits;
use crate::base::time::{Day, UnixTime};
use crate::message::crypto::PublicKey;
use crate::message::envelope::World;
use crate::message::schema::{DocumentType, FieldPath, Schemas, SubjectKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was read, or what is wrong with it, at which offset.
type Loaded<T> = Result<T, (usize, String)>;

/// A registry file whose signature is the authority's.
pub struct Bundle<'t>(&'t str);

/// The signature of a registry file is not the authority's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSigned;

impl<'t> Bundle<'t> {
    /// Checks the detached signature (base64) over the octets of the file.
    pub fn verify(text: &'t str, signature: &str, authority: &PublicKey) -> Result<Self, NotSigned> {
        let signature = BASE64.decode(signature.trim()).map_err(|_| NotSigned)?;
        authority.verify(text.as_bytes(), &signature).map_err(|crate::message::crypto::BadSignature| NotSigned)?;
        Ok(Self(text))
    }
}

/// An agency.
#[derive(Debug)]
pub struct Agency {
    /// Its name in messages.
    pub id: AgencyId,
    /// Its name for people.
    pub name: String,
    /// Whether it may take part.
    pub status: Status,
    /// The world it lives in.
    pub world: World,
    /// Where its messages are delivered. Without it they wait in its inbox.
    pub url: Option<Url>,
    /// Who signs its messages.
    pub seal: Seal,
    /// What it may use.
    pub allowance: Allowance,
    /// What it bears when it is asked.
    pub load: Load,
    /// The agencies whose systems may carry its messages.
    pub carried_by: Vec<AgencyId>,
    /// What it may do beside asking and answering.
    pub roles: Vec<Role>,
    keys: Vec<Key>,
}

/// What an agency may do beside asking and answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It sees the whole log.
    Auditor,
    /// It shows citizens who has asked about them.
    Portal,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 2] = [Self::Auditor, Self::Portal];

    /// The word of the registry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Portal => "portal",
        }
    }
}

/// Whether an agency may take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It may.
    Active,
    /// It is known and refused.
    Suspended,
}

/// Who signs the messages of an agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// Its own system, end to end.
    Agency,
    /// The gateway, which holds its key.
    Gateway,
}

/// The quota of an agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests per minute.
    pub requests_per_minute: u32,
    /// Requests that may come at once.
    pub burst: u32,
    /// KiB of messages per minute.
    pub kib_per_minute: u32,
    /// Exchanges open at once.
    pub parallel: u32,
    /// Different persons on one day.
    pub persons_per_day: u32,
    /// Answers that there is no record.
    pub misses: Misses,
}

/// How often an agency may be answered that there is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misses {
    /// So many times on one day.
    pub per_day: u32,
    /// So many of a hundred answers of one day; all of them are no bound.
    pub share: u32,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            requests_per_minute: 600,
            burst: 100,
            kib_per_minute: 60 << 10,
            parallel: 64,
            persons_per_day: limits::PERSONS_PER_DAY,
            misses: Misses { per_day: limits::MISSES_PER_DAY, share: 100 },
        }
    }
}

/// What a holder bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Requests that it has at once.
    pub parallel: u32,
    /// Requests that wait for a place.
    pub waiting: u32,
    /// So many failures in a row, and it is left alone for a while.
    pub failures: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self { parallel: limits::HOLDER_PARALLEL, waiting: limits::HOLDER_WAITING, failures: limits::HOLDER_FAILURES }
    }
}

/// Where a provider listens: `https://host:port/path`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// Host name or address, as its certificate has it: an address of IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path, with its leading solidus.
    pub path: String,
}

impl Url {
    /// Reads an `https` URL without user, query or fragment (RFC 3986).
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_after(text.strip_prefix("https://")?, 443)
    }

    /// Host and port as a URL and a `Host` field have them: an address of IPv6 stands in brackets.
    pub fn authority(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }

    fn parse_after(rest: &str, port: u16) -> Option<Self> {
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
        if !path.bytes().all(plain) {
            return None;
        }
        if let Some((host, after)) = authority.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            // An address of IPv6 (RFC 3986, section 3.2.2). One form of each, since connections are kept by it.
            let host = host.parse::<std::net::Ipv6Addr>().ok()?.to_string();
            let port = if after.is_empty() { port } else { after.strip_prefix(':')?.parse().ok()? };
            return Some(Self { host, port, path: path.to_owned() });
        }
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, port),
        };
        let good = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        good.then(|| Self { host: host.to_owned(), port, path: path.to_owned() })
    }
}

/// Whether there is TLS under HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// There is none.
    Http,
    /// There is.
    Https,
}

/// Where a service is that proves its answers itself, by signatures: a witness, or a time stamping authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Over TLS or not.
    pub scheme: Scheme,
    /// Host, port and path.
    pub url: Url,
}

impl Endpoint {
    /// Reads an `http` or `https` URL.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("http://") {
            Some(rest) => Some(Self { scheme: Scheme::Http, url: Url::parse_after(rest, 80)? }),
            None => Some(Self { scheme: Scheme::Https, url: Url::parse(text)? }),
        }
    }

    /// The endpoint below this one: `add-checkpoint` below `https://w.example/a` is `https://w.example/a/add-checkpoint`.
    pub fn below(&self, path: &str) -> Self {
        let mut this = self.clone();
        this.url.path = format!("{}/{path}", self.url.path.trim_end_matches('/'));
        this
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.url.authority(), self.url.path)
    }
}

/// An enrolled key.
#[derive(Debug)]
struct Key {
    thumbprint: Digest,
    key: PublicKey,
    from: UnixTime,
    until: UnixTime,
    revoked_at: Option<UnixTime>,
}

/// An enrolled key, as far as it is of interest when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// SHA-256 of its certificate.
    pub thumbprint: Digest,
    /// Valid from this time on.
    pub from: UnixTime,
    /// Valid up to this time.
    pub until: UnixTime,
    /// A revocation is entered, whether or not its time has come.
    pub is_revoked: bool,
}

/// Why an agency has no key for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// No such key is enrolled, or none is named and there is not exactly one.
    Unknown,
    /// The key is not valid at the time.
    OutsideValidity,
    /// The key was revoked.
    Revoked,
}

impl Agency {
    /// The key with this thumbprint, or the agency's only valid key if none is named.
    pub fn key(&self, thumbprint: Option<&Digest>, now: UnixTime) -> Result<&PublicKey, NoKey> {
        let Some(thumbprint) = thumbprint else {
            let mut valid = self.keys.iter().filter(|key| key.state(now).is_ok());
            let first = valid.next().ok_or(NoKey::Unknown)?;
            // A renewed certificate of the same key is no second key.
            return if valid.all(|other| other.key == first.key) { Ok(&first.key) } else { Err(NoKey::Unknown) };
        };
        let key = self.keys.iter().find(|key| key.thumbprint == *thumbprint).ok_or(NoKey::Unknown)?;
        key.state(now).map(|()| &key.key)
    }

    /// The thumbprint of the key that [`Agency::key`] finds when none is named.
    pub fn only_thumbprint(&self, now: UnixTime) -> Option<Digest> {
        self.keys.iter().find(|key| key.state(now).is_ok()).map(|key| key.thumbprint)
    }

    /// Up to when the agency has a valid key, if it has one now.
    pub fn last_key_ends(&self, now: UnixTime) -> Option<UnixTime> {
        self.keys.iter().filter(|key| key.state(now).is_ok()).map(|key| key.until).max()
    }

    /// The keys, in the order of the registry.
    pub fn keys(&self) -> impl Iterator<Item = Enrolled> {
        self.keys.iter().map(|key| Enrolled {
            thumbprint: key.thumbprint,
            from: key.from,
            until: key.until,
            is_revoked: key.revoked_at.is_some(),
        })
    }

    /// How many keys are enrolled.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }
}

impl Key {
    fn state(&self, now: UnixTime) -> Result<(), NoKey> {
        if self.revoked_at.is_some_and(|revoked| revoked <= now) {
            return Err(NoKey::Revoked);
        }
        if now < self.from || now > self.until { Err(NoKey::OutsideValidity) } else { Ok(()) }
    }
}

/// An agency's place in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgencyIndex(pub(crate) u32);

impl AgencyIndex {
    /// The number, for tables beside the registry.
    pub const fn number(self) -> usize {
        self.0 as usize
    }
}

/// A grant's place in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GrantIndex(pub(crate) u32);

impl GrantIndex {
    /// The number, for tables beside the registry.
    pub const fn number(self) -> usize {
        self.0 as usize
    }
}

/// What a grant permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// To ask for documents.
    Read,
    /// To send an application.
    Apply,
    /// To be told of events.
    Subscribe,
}

impl Action {
    /// The word for it in a registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Apply => "apply",
            Self::Subscribe => "subscribe",
        }
    }
}

/// Whom or what the documents of a grant are about, and the questions for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Persons.
    #[default]
    Person,
    /// Organisations.
    Organisation,
    /// Things, such as buildings: nobody whose description could be held against the question's.
    Thing,
}

impl About {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Person, Self::Organisation, Self::Thing];

    /// The word for it in a registry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Organisation => "organisation",
            Self::Thing => "thing",
        }
    }

    /// Whether a question about somebody of this kind may stand on it. Whoever asks about a thing still says who wants to know.
    pub fn fits(self, kind: SubjectKind) -> bool {
        match self {
            Self::Person => kind == SubjectKind::Person,
            Self::Organisation => kind == SubjectKind::Organisation,
            Self::Thing => true,
        }
    }

    /// Whether documents of a type are about this. A thing is what a document is about that is about nobody: of any other the
    /// subject is held against the question's, whatever a registry says.
    pub fn is_of(self, document: &DocumentType) -> bool {
        match self {
            Self::Person => document.is_about(SubjectKind::Person),
            Self::Organisation => document.is_about(SubjectKind::Organisation),
            Self::Thing => Self::all_of(document).next().is_none(),
        }
    }

    /// The kinds of subject that documents of a type have.
    fn all_of(document: &DocumentType) -> impl Iterator<Item = Self> {
        [Self::Person, Self::Organisation].into_iter().filter(|about| about.is_of(document))
    }
}

/// A row that answers "why may they?".
#[derive(Debug)]
pub struct Grant {
    /// Its name.
    pub id: Code,
    /// Whom it is for, if it is for more than the one agency that it is found by: `*` stands for any part of one label.
    pub pattern: Option<Box<str>>,
    /// What they may do.
    pub action: Action,
    /// With which document type.
    pub what: Code,
    /// Whom or what it is about.
    pub about: About,
    /// Which optional fields they may receive.
    pub fields: Arc<[FieldPath]>,
    /// For which purpose.
    pub purpose: Code,
    /// On which legal basis.
    pub basis: Arc<str>,
    /// Until which day, that day included.
    pub until: Day,
    /// How often per minute, beside the agency's quota.
    pub per_minute: Option<u32>,
    /// For how many days the citizen is not shown what it was used for, where the law orders that.
    pub withheld_days: u16,
    /// Whose events it is for, if it is to be told of some alone.
    pub sources: Option<Box<Sources>>,
}

/// That an agency may ask on behalf of another: by the other's grants, never by its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Its name.
    pub id: Code,
    /// Who asks.
    pub agent: AgencyIndex,
    /// For whom.
    pub principal: AgencyIndex,
    /// For which document types; empty means for all.
    pub what: Vec<Code>,
    /// For which purposes; empty means for all.
    pub purposes: Vec<Code>,
    /// On which legal basis.
    pub basis: Box<str>,
    /// From which day on.
    pub from: Option<Day>,
    /// Until which day, that day included.
    pub until: Day,
}

/// A holder of a document type.
#[derive(Debug)]
struct Holder {
    agency: AgencyIndex,
    regions: Vec<Region>,
}

/// The registry.
#[derive(Debug)]
pub struct Registry {
    version: u64,
    digest: Digest,
    agencies: Vec<Agency>,
    by_name: BTreeMap<AgencyId, AgencyIndex>,
    by_system: BTreeMap<Digest, AgencyIndex>,
    holders: BTreeMap<Code, Vec<Holder>>,
    /// Agencies that open no port, and come for what waits for them.
    outbound: BTreeSet<AgencyIndex>,
    /// In whose place another stands.
    successors: BTreeMap<AgencyIndex, AgencyIndex>,
    grants: Vec<Grant>,
    exact: BTreeMap<(AgencyIndex, Code), Vec<GrantIndex>>,
    patterned: BTreeMap<Code, Vec<GrantIndex>>,
    /// By agent and principal.
    delegations: BTreeMap<(AgencyIndex, AgencyIndex), Vec<Delegation>>,
}

/// A registry that is older than one that was in force. It is signed for ever: whoever brings it back would give back what
/// the authority has taken from somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    /// Its version.
    pub version: u64,
    /// The version that was in force.
    pub last: u64,
}

impl std::fmt::Display for Older {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (version, last) = (self.version, self.last);
        write!(f, "version {version} is older than {last}, which was in force; to go back, raise the version and sign it again")
    }
}

impl std::error::Error for Older {}

/// Why no holder was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHolder {
    /// None is registered.
    None,
    /// More than one is, and the request names none.
    Several,
}

impl Registry {
    /// Reads a registry; names of document types must be known to the schemas.
    pub fn load(bundle: &Bundle<'_>, schemas: &Schemas) -> Result<Self, RegistryError> {
        file::load(bundle.0, schemas)
    }

    /// Reads a registry that nobody signed: for checking a draft, never for running.
    pub fn check(text: &str, schemas: &Schemas) -> Result<Self, RegistryError> {
        file::load(text, schemas)
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The SHA-256 of its file: two contents are two registries, whatever version they say.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// All grants, each with whom it is for: an agency's name or a pattern.
    pub fn grants_with_whom(&self) -> impl Iterator<Item = (&Grant, &str)> {
        let mut agencies = vec![None; self.grants.len()];
        for ((agency, _), grants) in &self.exact {
            for grant in grants {
                if let Some(place) = agencies.get_mut(grant.number()) {
                    *place = self.agency(*agency);
                }
            }
        }
        self.grants.iter().zip(agencies).map(|(grant, agency)| {
            (grant, grant.pattern.as_deref().or(agency.map(|agency| agency.id.as_str())).unwrap_or_default())
        })
    }

    /// Whether a grant is for at least one agency that is registered.
    pub fn is_for_somebody(&self, grant: &Grant) -> bool {
        grant.pattern.as_deref().is_none_or(|who| self.agencies.iter().any(|agency| matches(who, agency.id.as_str())))
    }

    /// The registry, unless it is older than the version that was in force last.
    pub fn after(self, last: u64) -> Result<Self, Older> {
        if self.version < last { Err(Older { version: self.version, last }) } else { Ok(self) }
    }

    /// The agency at a place.
    pub fn agency(&self, index: AgencyIndex) -> Option<&Agency> {
        self.agencies.get(index.number())
    }

    /// All agencies.
    pub fn agencies(&self) -> impl ExactSizeIterator<Item = (AgencyIndex, &Agency)> {
        self.agencies.iter().enumerate().map(|(at, agency)| (AgencyIndex(at as u32), agency))
    }

    /// Whether an agency comes for what waits for it.
    pub fn is_outbound(&self, agency: AgencyIndex) -> bool {
        self.outbound.contains(&agency)
    }

    /// The agency with this name.
    pub fn find(&self, id: &AgencyId) -> Option<AgencyIndex> {
        self.by_name.get(id).copied()
    }

    /// The agency whose system has the client certificate with this thumbprint.
    pub fn by_system(&self, thumbprint: &Digest) -> Option<AgencyIndex> {
        self.by_system.get(thumbprint).copied()
    }

    /// All grants.
    pub fn grants(&self) -> impl ExactSizeIterator<Item = &Grant> {
        self.grants.iter()
    }

    /// The grant at a place.
    pub fn grant(&self, index: GrantIndex) -> Option<&Grant> {
        self.grants.get(index.number())
    }

    /// The grants of a consumer for a document type, those by name first.
    pub fn grants_of(&self, consumer: AgencyIndex, what: &Code) -> impl Iterator<Item = (GrantIndex, &Grant)> {
        let name = self.agency(consumer).map_or("", |agency| agency.id.as_str());
        let exact = self.exact.get(&(consumer, what.clone())).map_or(&[][..], Vec::as_slice);
        let patterned = self.patterned.get(what).map_or(&[][..], Vec::as_slice);
        let patterned = patterned.iter().filter(move |index| {
            self.grant(**index).and_then(|grant| grant.pattern.as_deref()).is_some_and(|who| matches(who, name))
        });
        exact.iter().chain(patterned).filter_map(|index| self.grant(*index).map(|grant| (*index, grant)))
    }

    /// All delegations.
    pub fn delegations(&self) -> impl Iterator<Item = &Delegation> {
        self.delegations.values().flatten()
    }

    /// By what an agency may ask on behalf of another.
    pub fn delegations_of(&self, agent: AgencyIndex, principal: AgencyIndex) -> &[Delegation] {
        self.delegations.get(&(agent, principal)).map_or(&[], Vec::as_slice)
    }

    /// Who does what an agency is asked: itself, or whoever stands in its place.
    pub fn acting(&self, agency: AgencyIndex) -> AgencyIndex {
        self.successors.get(&agency).copied().unwrap_or(agency)
    }

    /// An agency under all its names: its own, and those of the agencies in whose place it stands.
    pub fn names_of(&self, agency: AgencyIndex) -> impl Iterator<Item = &AgencyId> {
        let former = self.successors.iter().filter(move |(_, by)| **by == agency).map(|(old, _)| *old);
        std::iter::once(agency).chain(former).filter_map(|index| self.agency(index)).map(|agency| &agency.id)
    }

    /// Whether an agency is a holder of a document type.
    pub fn is_holder(&self, agency: AgencyIndex, what: &Code) -> bool {
        self.holders.get(what).is_some_and(|holders| holders.iter().any(|holder| holder.agency == agency))
    }

    /// The regions for which an agency is registered as a holder of a document type; none if it is for everywhere.
    pub fn regions_of(&self, agency: AgencyIndex, what: &Code) -> Vec<&Region> {
        let holders = self.holders.get(what).map_or(&[][..], Vec::as_slice);
        let rows = || holders.iter().filter(|holder| holder.agency == agency);
        if rows().any(|holder| holder.regions.is_empty()) {
            return Vec::new();
        }
        rows().flat_map(|holder| &holder.regions).collect()
    }

    /// Whether there is a holder whose events a grant could be for.
    pub fn has_sources(&self, grant: &Grant) -> bool {
        let Some(sources) = &grant.sources else { return true };
        let holders = self.holders.get(&grant.what).map_or(&[][..], Vec::as_slice);
        let is_source = |id: &AgencyId, regions: &[Region]| sources.may_include(id, regions);
        holders.iter().any(|holder| self.agency(holder.agency).is_some_and(|agency| is_source(&agency.id, &holder.regions)))
    }

    /// The document types that an agency holds.
    pub fn held_by(&self, agency: AgencyIndex) -> impl Iterator<Item = &Code> {
        self.holders.iter().filter(move |(_, holders)| holders.iter().any(|holder| holder.agency == agency)).map(|(what, _)| what)
    }

    /// The holders of a document type, of one world.
    pub fn holders(&self, what: &Code, world: World) -> impl Iterator<Item = AgencyIndex> {
        self.active_holders(what, world).map(|holder| holder.agency)
    }

    /// The one holder of a document type in a region: one that is registered for it, else one for everywhere. Several in whose place one
    /// stands are one.
    pub fn holder(&self, what: &Code, region: Option<&Region>, world: World) -> Result<AgencyIndex, NoHolder> {
        let here = |holder: &&Holder| region.is_some_and(|region| holder.regions.iter().any(|known| known == region));
        let only = |mut holders: Box<dyn Iterator<Item = &Holder> + '_>| {
            let first = holders.next().ok_or(NoHolder::None)?.agency;
            let is_another = |holder: &Holder| self.acting(holder.agency) != self.acting(first);
            if holders.any(is_another) { Err(NoHolder::Several) } else { Ok(first) }
        };
        match only(Box::new(self.active_holders(what, world).filter(here))) {
            Err(NoHolder::None) => only(Box::new(self.active_holders(what, world).filter(|holder| holder.regions.is_empty()))),
            found => found,
        }
    }

    fn active_holders(&self, what: &Code, world: World) -> impl Iterator<Item = &Holder> {
        let holders = self.holders.get(what).map_or(&[][..], Vec::as_slice);
        let fits = move |agency: &Agency| agency.world == world && agency.status == Status::Active;
        holders.iter().filter(move |holder| self.agency(self.acting(holder.agency)).is_some_and(fits))
    }
}

/// Whether a name fits a pattern: label by label, one `*` per label standing for any text without a dot; `**` as the last one stands for
/// one label or more.
fn matches(pattern: &str, name: &str) -> bool {
    let (mut patterns, mut names) = (pattern.split('.').peekable(), name.split('.'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some("**"), Some(_)) => return patterns.peek().is_none(),
            (Some(pattern), Some(name)) if label_matches(pattern, name) => {}
            _ => return false,
        }
    }
}

fn label_matches(pattern: &str, label: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == label,
        Some((head, tail)) => label.len() >= head.len() + tail.len() && label.starts_with(head) && label.ends_with(tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_label_by_label() {
        for (pattern, name, fits) in [
            ("ru.*.school-*", "ru.yar.school-17", true),
            ("ru.*.school-*", "ru.yar.x.school-17", false),
            ("ru.*.school-*", "ru.yar.clinic-3", false),
            ("ru.*", "ru.yar.school-17", false),
            ("ru.zags", "ru.zags", true),
            ("ru.yar.**", "ru.yar.school-17", true),
            ("ru.yar.**", "ru.yar.schools.school-17", true),
            ("ru.yar.**", "ru.yar", false),
            ("ru.yar.**", "ru.yaroslavl.school-17", false),
            ("ru.**.school-17", "ru.yar.school-17", false),
            ("ru.s*s", "ru.s", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    /// Those who are counted are kept in memory.
    #[test]
    fn no_agency_has_more_persons_a_day_than_are_counted() {
        let persons = |given: &str| {
            let text = format!("format = 1\nversion = 1\n[[agency]]\nid = \"xx.a\"\nname = \"A\"\n[agency.quota]\n{given}\n");
            let registry = Registry::check(&text, &Schemas::built_in()).ok()?;
            registry.agencies().map(|(_, agency)| agency.allowance.persons_per_day).next()
        };
        let given = |count: u32| persons(&format!("persons_per_day = {count}"));
        let most = limits::PERSONS_PER_DAY_MAX;
        assert_eq!([0, 1, most, most + 1, u32::MAX].map(given), [None, Some(1), Some(most), None, None]);
        assert_eq!(persons("burst = 7"), Some(limits::PERSONS_PER_DAY));
    }

    #[test]
    fn how_often_there_may_be_no_record_is_a_count_and_a_share_of_a_hundred() {
        let misses = |given: &str| {
            let text = format!("format = 1\nversion = 1\n[[agency]]\nid = \"xx.a\"\nname = \"A\"\n[agency.quota]\n{given}\n");
            let registry = Registry::check(&text, &Schemas::built_in()).ok()?;
            registry.agencies().map(|(_, agency)| (agency.allowance.misses.per_day, agency.allowance.misses.share)).next()
        };
        let (most, standard) = (limits::MISSES_PER_DAY_MAX, limits::MISSES_PER_DAY);
        let counts = [0, 1, most, most + 1].map(|count| misses(&format!("misses_per_day = {count}")));
        assert_eq!(counts, [None, Some((1, 100)), Some((most, 100)), None]);
        let shares = [0, 1, 100, 101].map(|share| misses(&format!("misses_share = {share}")));
        assert_eq!(shares, [None, Some((standard, 1)), Some((standard, 100)), None]);
        assert_eq!(misses("burst = 7"), Some((standard, 100)));
    }

    #[test]
    fn only_plain_https_addresses_are_read() {
        let url = Url::parse("https://127.0.0.1:9001/oncegate").expect("an address");
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("127.0.0.1", 9001, "/oncegate"));
        assert_eq!(Url::parse("https://clinic.example").map(|url| (url.port, url.path)), Some((443, "/".to_owned())));
        let url = Url::parse("https://[0:0::1]:9001/x").expect("an address of IPv6");
        assert_eq!((url.host.as_str(), url.authority().as_str(), url.path.as_str()), ("::1", "[::1]:9001", "/x"));
        assert_eq!(Url::parse("https://[2001:db8::1]").map(|url| url.authority()), Some("[2001:db8::1]:443".to_owned()));
        for bad in
            ["https://::1:8443", "https://[::1", "https://[::1]x/", "https://[x]/", "https://a[b]/", "https://[fe80::1%25eth0]/"]
        {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
        for bad in ["http://a/", "https://", "https://a:99999/", "https://u@a/", "https://a/?q", "https://a:b/"] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }
}
