//! Making an installation, and changing its registry: what `oncegate init` and `oncegate agency` do.
//!
//! The registry is changed as text, so that the comments of whoever keeps it stay, and is signed again after each change.
//! A change that would leave no good registry is refused, and nothing is left of it.

mod admit;
mod enrol;
mod live;
mod renew;

pub use renew::Renewal;

use crate::base::ids::{AgencyId, Code, Digest};
use crate::base::time::UnixTime;
use crate::gateway::driver::now;
use crate::host::authority::{Authority, AuthorityError, Issued, KeyType, Purpose, make_registry_key, make_root, sign_registry};
use crate::host::config::Config;
use crate::host::inforce::InForce;
use crate::host::schemas::sets::{Judging, Sets};
use crate::host::store::{make_folder, replace};
use crate::message::pki;
use crate::rules::registry::{About, AgencyIndex, Registry, Status};
use std::fmt::Write as _;
use std::fs::File;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An installation in a folder.
pub struct Installation {
    folder: PathBuf,
}

/// Why an installation could not be made or changed.
#[derive(Debug)]
pub enum SetupError {
    /// A file could not be read or written.
    File(PathBuf, std::io::Error),
    /// The folder holds an installation already.
    Exists(PathBuf),
    /// Something could not be issued.
    Authority(AuthorityError),
    /// The change makes no sense.
    Change(String),
}

impl std::fmt::Display for SetupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, cause) => write!(f, "{}: {cause}", path.display()),
            Self::Exists(path) => write!(f, "{}: there is an installation here already; choose another folder", path.display()),
            Self::Authority(cause) => cause.fmt(f),
            Self::Change(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for SetupError {}

impl From<AuthorityError> for SetupError {
    fn from(cause: AuthorityError) -> Self {
        Self::Authority(cause)
    }
}

/// Where a new gateway listens, and under which names.
pub struct Listening {
    /// The exchange listener.
    pub exchange: SocketAddr,
    /// The public listener.
    pub public: SocketAddr,
    /// Host names and addresses in the gateway's certificate beside those of this machine. Agencies reach it by the first.
    pub hosts: Vec<String>,
    /// Where the log and its keys are kept; a relative path is relative to the installation.
    pub data: PathBuf,
    /// The name of the log; else one is made that no other log has.
    pub origin: Option<String>,
}

impl Default for Listening {
    fn default() -> Self {
        Self {
            exchange: SocketAddr::from(([127, 0, 0, 1], 8443)),
            public: SocketAddr::from(([127, 0, 0, 1], 8081)),
            hosts: Vec::new(),
            data: PathBuf::from("data"),
            origin: None,
        }
    }
}

/// An agency to be added.
pub struct NewAgency<'n> {
    /// Its name in messages.
    pub id: &'n AgencyId,
    /// Its name for people.
    pub name: &'n str,
    /// Where it is asked, if it holds documents.
    pub url: Option<&'n str>,
    /// The document types that it holds.
    pub holds: &'n [&'n str],
    /// Further lines of its entry: quota, seal, test.
    pub more: &'n str,
}

/// A grant to be added.
pub struct NewGrant<'n> {
    /// Its name.
    pub id: &'n str,
    /// Who: an agency or a pattern.
    pub who: &'n str,
    /// `read` or `apply`.
    pub action: &'n str,
    /// The document type.
    pub what: &'n str,
    /// Whom or what its documents are about.
    pub about: About,
    /// The optional fields.
    pub fields: &'n [&'n str],
    /// The purpose.
    pub purpose: &'n str,
    /// The legal basis.
    pub basis: &'n str,
    /// The last day.
    pub until: &'n str,
}

/// A delegation to be added.
pub struct NewDelegation<'n> {
    /// Its name.
    pub id: &'n str,
    /// Who asks.
    pub agent: &'n str,
    /// On whose behalf.
    pub principal: &'n str,
    /// The document types; none means all.
    pub what: &'n [String],
    /// The purposes; none means all.
    pub purposes: &'n [String],
    /// The legal basis.
    pub basis: &'n str,
    /// The first day.
    pub from: Option<&'n str>,
    /// The last day.
    pub until: &'n str,
}

impl Installation {
    /// An installation that is there.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes an installation: configuration, authority, certificates, an empty registry.
    pub fn create(folder: &Path, listening: &Listening) -> Result<Self, SetupError> {
        let this = Self::at(folder);
        if this.config().exists() {
            return Err(SetupError::Exists(folder.to_owned()));
        }
        let (now, configuration) = (now(), configuration(listening)?);
        let good = Config::parse(&configuration, folder);
        good.map_err(|(_, what)| SetupError::Change(what))?;
        let root = make_root(&unique_name(now)?, now)?;
        let registry_key = make_registry_key(now)?;
        let names: Vec<String> = LOCAL.iter().map(|&name| name.to_owned()).chain(listening.hosts.iter().cloned()).collect();
        let server = Authority::open(&root.certificate, &root.key)?.issue_server("Oncegate gateway", &names, now)?;
        for (name, text) in [
            ("certs/ca.pem", &root.certificate),
            ("certs/authority.pem", &registry_key.certificate),
            ("certs/gateway.pem", &server.certificate),
            ("registry.toml", &REGISTRY.to_owned()),
            ("schemas/README.md", &SCHEMAS.to_owned()),
            ("oncegate.toml", &configuration),
        ] {
            this.write(name, text)?;
        }
        for (name, key) in
            [("authority/ca.key", &root.key), ("authority/registry.key", &registry_key.key), ("certs/gateway.key", &server.key)]
        {
            this.write_secret(name, key)?;
        }
        this.sign()?;
        Ok(this)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("oncegate.toml")
    }

    /// The folder of an agency's keys and client configuration.
    pub fn agency_folder(&self, id: &AgencyId) -> PathBuf {
        self.folder.join("agencies").join(id.as_str())
    }

    /// Adds an agency: makes its keys, issues its certificates, writes its client configuration, enters it into the
    /// registry and signs the registry. Gives the agency's folder.
    pub fn add_agency(&self, agency: &NewAgency<'_>, gateway: &str) -> Result<PathBuf, SetupError> {
        let _lock = self.lock()?;
        let folder = self.agency_folder(agency.id);
        if folder.exists() && self.draft()?.find(agency.id).is_none() {
            let what = format!(
                "{} is there, and the registry has no such agency: adding it was interrupted; remove the folder",
                folder.display()
            );
            return Err(SetupError::Change(what));
        }
        let entry = self.prepare_agency(agency, gateway)?;
        if let Err(error) = self.extend(&entry) {
            // It was not there before; without it the agency can be added again.
            let _ = std::fs::remove_dir_all(&folder);
            return Err(error);
        }
        Ok(folder)
    }

    /// Makes the keys and files of an agency and gives its registry entry, which is not yet entered.
    pub fn prepare_agency(&self, agency: &NewAgency<'_>, gateway: &str) -> Result<String, SetupError> {
        let folder = format!("agencies/{}", agency.id);
        if self.agency_folder(agency.id).exists() {
            return Err(SetupError::Change(format!("{folder} is there already; the agency was added before")));
        }
        let authority = self.authority()?;
        let hosts: Vec<String> =
            agency.url.and_then(crate::rules::registry::Url::parse).map(|url| url.host).into_iter().collect();
        let tls = authority.issue(agency.id, Purpose::Tls, KeyType::P256, &hosts, now())?;
        let sign = authority.issue(agency.id, Purpose::Signing, KeyType::P256, &[], now())?;
        self.write(&format!("{folder}/ca.pem"), &self.read("certs/ca.pem")?)?;
        self.write_pair(&folder, "tls", &tls)?;
        self.write_pair(&folder, "sign", &sign)?;
        self.write(&format!("{folder}/client.toml"), &client_configuration(agency.id, gateway))?;
        agency_entry(agency, &tls, &sign)
    }

    /// Enrols a further signing key of an agency; gives the certificate's file. With a certificate request only the
    /// certificate is made, and the private key never leaves the agency.
    pub fn add_key(&self, id: &AgencyId, name: &str, key_type: KeyType, request: Option<&str>) -> Result<PathBuf, SetupError> {
        let folder = format!("agencies/{id}");
        let is_there = |ending: &str| self.agency_folder(id).join(format!("{name}.{ending}")).exists();
        if Code::parse(name).is_none() {
            return Err(SetupError::Change(format!("\"{name}\" is not a name for a key; a name looks like sign-2")));
        }
        let _lock = self.lock()?;
        // With a certificate request the private key may lie there already: it was made there.
        if is_there("pem") || (request.is_none() && is_there("key")) {
            return Err(SetupError::Change(format!("{folder}/{name}.pem is there already; choose another name")));
        }
        let authority = self.authority()?;
        let issued = match request {
            Some(request) => authority.certify(request, id, Purpose::Signing, now())?,
            None => authority.issue(id, Purpose::Signing, key_type, &[], now())?,
        };
        let key = format!("[[agency.key]]\ncertificate = \"{}\"\n", base64_of(&issued)?);
        let registry = self.changed_entry(id, |entry| format!("{}\n{key}", entry.trim_end()))?;
        self.check(&registry)?;
        let made = self.write_pair(&folder, name, &issued).and_then(|()| self.publish(&registry));
        if let Err(error) = made {
            // Only what was made here.
            for ending in if request.is_none() { &["pem", "key"][..] } else { &["pem"] } {
                let _ = std::fs::remove_file(self.agency_folder(id).join(format!("{name}.{ending}")));
            }
            return Err(error);
        }
        Ok(self.agency_folder(id).join(format!("{name}.pem")))
    }

    /// Adds a grant.
    pub fn add_grant(&self, grant: &NewGrant<'_>) -> Result<(), SetupError> {
        self.extend_registry(&grant_entry(grant))
    }

    /// Says that an agency holds a document type.
    pub fn add_holder(&self, id: &AgencyId, document: &str) -> Result<(), SetupError> {
        self.extend_registry(&format!("\n[[holder]]\ndocument = {}\nagency = \"{id}\"\n", quoted(document)))
    }

    /// Ends a grant: takes it out of the registry.
    pub fn revoke_grant(&self, id: &str) -> Result<(), SetupError> {
        self.take_out("grant", id, |registry| registry.grants().any(|grant| grant.id.as_str() == id))
    }

    /// Lets an agency ask on behalf of another.
    pub fn add_delegation(&self, delegation: &NewDelegation<'_>) -> Result<(), SetupError> {
        self.extend_registry(&delegation_entry(delegation))
    }

    /// Ends a delegation: takes it out of the registry.
    pub fn end_delegation(&self, id: &str) -> Result<(), SetupError> {
        self.take_out("delegation", id, |registry| registry.delegations().any(|delegation| delegation.id.as_str() == id))
    }

    /// Takes the section of a kind out of the registry that has this name, and sees that it is gone.
    fn take_out(&self, kind: &str, id: &str, is_there: impl Fn(&Registry) -> bool) -> Result<(), SetupError> {
        let _lock = self.lock()?;
        let text = next_version(&self.read("registry.toml")?)?;
        let entry = format!("\nid = {}\n", quoted(id));
        let section = section(&text, &format!("[[{kind}]]"), &entry);
        let section = section.ok_or_else(|| SetupError::Change(format!("no {kind} is called {id} in a line of its own")))?;
        let without = format!("{}{}", text.get(..section.start).unwrap_or(""), text.get(section.end..).unwrap_or(""));
        if is_there(&self.check(&without)?) {
            let what = format!("the {kind} {id} is not written as this command writes it: take it out by hand");
            return Err(SetupError::Change(what));
        }
        self.publish(&without)
    }

    /// The registry as it stands, signed or not.
    pub fn draft(&self) -> Result<Registry, SetupError> {
        self.check(&self.read("registry.toml")?)
    }

    /// The schemas that the configuration names.
    pub fn schemas(&self) -> Result<Sets, SetupError> {
        let config = Config::load(&self.config()).map_err(|error| SetupError::Change(error.to_string()))?;
        let loaded = Sets::load(config.schemas.as_deref(), &Judging::Compiled, None);
        loaded.map_err(|error| SetupError::Change(format!("OG-CFG-004 {error}")))
    }

    /// Reads a registry that is not yet written.
    fn check(&self, text: &str) -> Result<Registry, SetupError> {
        Registry::check(text, self.schemas()?.schemas()).map_err(|error| {
            let path = self.folder.join("registry.toml");
            SetupError::Change(format!("{}:{}:{}: OG-CFG-002 {}", path.display(), error.line, error.column, error.what))
        })
    }

    /// Appends to the registry and signs it.
    pub fn extend_registry(&self, entries: &str) -> Result<(), SetupError> {
        let _lock = self.lock()?;
        self.extend(entries)
    }

    fn extend(&self, entries: &str) -> Result<(), SetupError> {
        let text = next_version(&self.read("registry.toml")?)? + entries;
        self.check(&text)?;
        self.publish(&text)
    }

    /// Suspends an agency, or lets it take part again.
    pub fn suspend(&self, id: &AgencyId, suspension: Suspension) -> Result<(), SetupError> {
        let _lock = self.lock()?;
        let line = (suspension == Suspension::Impose).then(|| "suspended = true".to_owned());
        let expected = if suspension == Suspension::Impose { Status::Suspended } else { Status::Active };
        let is_so = |registry: &Registry, index| registry.agency(index).is_some_and(|agency| agency.status == expected);
        self.put_line(id, ("suspended", line), is_so)
    }

    /// Has another agency stand in the place of one, or ends that.
    pub fn succeed(&self, id: &AgencyId, by: Option<&AgencyId>) -> Result<(), SetupError> {
        let _lock = self.lock()?;
        let line = by.map(|by| format!("succeeded_by = \"{by}\""));
        let is_so = |registry: &Registry, index| {
            registry.agency(registry.acting(index)).is_some_and(|acting| acting.id == *by.unwrap_or(id))
        };
        self.put_line(id, ("succeeded_by", line), is_so)
    }

    /// Puts a line into the entry of an agency in place of that of the same key, or takes that away.
    fn put_line(
        &self,
        id: &AgencyId,
        (key, line): (&str, Option<String>),
        is_so: impl Fn(&Registry, AgencyIndex) -> bool,
    ) -> Result<(), SetupError> {
        let is_other = |line: &&str| line.split('=').next().is_none_or(|own| own.trim() != key);
        let text = self.changed_entry(id, |entry| {
            let others: String = entry.lines().filter(is_other).map(|line| format!("{line}\n")).collect();
            line.as_ref().map_or_else(|| others.clone(), |line| others.replacen("\nname = ", &format!("\n{line}\nname = "), 1))
        })?;
        let registry = self.check(&text)?;
        // TOML has many ways to say the same, and not all of them are understood above.
        if !registry.find(id).is_some_and(|index| is_so(&registry, index)) {
            let what = format!(
                "the entry of {id} is not written as this command writes it: change `{key}` by hand, then oncegate agency sign"
            );
            return Err(SetupError::Change(what));
        }
        self.publish(&text)
    }

    /// Held while the registry is changed: a change that comes meanwhile begins with what this one has written.
    fn lock(&self) -> Result<File, SetupError> {
        let locked = File::open(&self.folder).and_then(|folder| folder.lock().map(|()| folder));
        locked.map_err(|cause| SetupError::File(self.folder.clone(), cause))
    }

    /// Puts a registry and its signature in place, or leaves both as they were.
    fn publish(&self, text: &str) -> Result<(), SetupError> {
        let signature = sign_registry(text, &self.read("authority/registry.key")?)?;
        let before = self.read("registry.toml")?;
        self.write("registry.toml", text)?;
        self.write("registry.sig", &signature).inspect_err(|_| drop(self.write("registry.toml", &before)))
    }

    /// Signs the registry as it stands. If another content of its version was in force, it gets a version of its own; that is
    /// given.
    pub fn sign(&self) -> Result<Option<u64>, SetupError> {
        let _lock = self.lock()?;
        let text = self.read("registry.toml")?;
        let data = Config::load(&self.config()).map_err(|error| SetupError::Change(error.to_string()))?.data;
        let digest = crate::message::crypto::sha256(text.as_bytes());
        let is_taken = |version| InForce::read(&data).is_some_and(|last| last.contradicts(InForce { version, digest }));
        if !self.check(&text).is_ok_and(|registry| is_taken(registry.version())) {
            let signature = sign_registry(&text, &self.read("authority/registry.key")?)?;
            self.write("registry.sig", &signature)?;
            return Ok(None);
        }
        let raised = next_version(&text)?;
        let version = self.check(&raised)?.version();
        self.publish(&raised)?;
        Ok(Some(version))
    }

    /// The registry with other lines for one agency: from its `[[agency]]` to the next top-level table.
    fn changed_entry(&self, id: &AgencyId, change: impl FnOnce(&str) -> String) -> Result<String, SetupError> {
        let text = next_version(&self.read("registry.toml")?)?;
        let section = section(&text, "[[agency]]", &format!("\nid = \"{id}\"\n"));
        let section = section.ok_or_else(|| SetupError::Change(format!("no agency is called {id} in a line of its own")))?;
        let Range { start, end } = section;
        let (before, entry, after) =
            (text.get(..start).unwrap_or(""), text.get(start..end).unwrap_or(""), text.get(end..).unwrap_or(""));
        Ok(format!("{before}{}{after}", change(entry)))
    }

    fn authority(&self) -> Result<Authority, SetupError> {
        Ok(Authority::open(&self.read("certs/ca.pem")?, &self.read("authority/ca.key")?)?)
    }

    fn read(&self, name: &str) -> Result<String, SetupError> {
        let path = self.folder.join(name);
        std::fs::read_to_string(&path).map_err(|cause| SetupError::File(path, cause))
    }

    /// A reader sees the old file or the new one; what was written is there after a power cut.
    fn write(&self, name: &str, text: &str) -> Result<(), SetupError> {
        self.write_with(name, text, 0o644)
    }

    fn write_secret(&self, name: &str, text: &str) -> Result<(), SetupError> {
        self.write_with(name, text, 0o600)
    }

    fn write_with(&self, name: &str, text: &str, mode: u32) -> Result<(), SetupError> {
        let path = self.folder.join(name);
        let made = make_folder(path.parent().unwrap_or(&self.folder));
        made.and_then(|()| replace(&path, text.as_bytes(), mode)).map_err(|cause| SetupError::File(path.clone(), cause))
    }

    fn write_pair(&self, folder: &str, name: &str, issued: &Issued) -> Result<(), SetupError> {
        self.write(&format!("{folder}/{name}.pem"), &issued.certificate)?;
        if issued.key.is_empty() { Ok(()) } else { self.write_secret(&format!("{folder}/{name}.key"), &issued.key) }
    }
}

/// What to do with an agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// It may not take part any more.
    Impose,
    /// It may again.
    Lift,
}

/// An agency as it stands in the registry, with what it holds.
fn agency_entry(agency: &NewAgency<'_>, tls: &Issued, sign: &Issued) -> Result<String, SetupError> {
    let mut entry = format!("\n[[agency]]\nid = \"{}\"\nname = {}\n", agency.id, quoted(agency.name));
    if let Some(url) = agency.url {
        let _ = writeln!(entry, "url = {}", quoted(url));
    }
    entry.push_str(agency.more);
    let _ = write!(entry, "[[agency.system]]\ncertificate_sha256 = \"{}\"\n", thumbprint(tls)?);
    let _ = write!(entry, "[[agency.key]]\ncertificate = \"{}\"\n", base64_of(sign)?);
    for document in agency.holds {
        let _ = write!(entry, "\n[[holder]]\ndocument = {}\nagency = \"{}\"\n", quoted(document), agency.id);
    }
    Ok(entry)
}

/// A grant as it stands in the registry.
pub fn grant_entry(grant: &NewGrant<'_>) -> String {
    let fields: Vec<String> = grant.fields.iter().map(|field| quoted(field)).collect();
    let about = match grant.about {
        About::Person => String::new(),
        other => format!("about = \"{}\"\n", other.as_str()),
    };
    format!(
        "\n[[grant]]\nid = {}\nwho = {}\naction = {}\nwhat = {}\n{about}fields = [{}]\npurpose = {}\nbasis = {}\nuntil = {}\n",
        quoted(grant.id),
        quoted(grant.who),
        quoted(grant.action),
        quoted(grant.what),
        fields.join(", "),
        quoted(grant.purpose),
        quoted(grant.basis),
        quoted(grant.until)
    )
}

/// A delegation as it stands in the registry.
fn delegation_entry(delegation: &NewDelegation<'_>) -> String {
    let list = |name: &str, codes: &[String]| match codes {
        [] => String::new(),
        codes => format!("{name} = [{}]\n", codes.iter().map(|code| quoted(code)).collect::<Vec<_>>().join(", ")),
    };
    format!(
        "\n[[delegation]]\nid = {}\nagent = {}\nprincipal = {}\n{}{}basis = {}\n{}until = {}\n",
        quoted(delegation.id),
        quoted(delegation.agent),
        quoted(delegation.principal),
        list("what", delegation.what),
        list("purposes", delegation.purposes),
        quoted(delegation.basis),
        delegation.from.map_or(String::new(), |from| format!("from = {}\n", quoted(from))),
        quoted(delegation.until)
    )
}

/// Where the section of a kind stands that has this line, up to the next top-level table. A grant may have the name of an
/// agency, and a comment may speak of one.
fn section(text: &str, kind: &str, line: &str) -> Option<Range<usize>> {
    let start = text.match_indices(line).find_map(|(at, _)| {
        let table = text.get(..at)?.rfind("\n[")? + 1;
        text.get(table..at)?.starts_with(kind).then_some(table)
    })?;
    let rest = text.get(start + 1..)?;
    let next =
        ["\n[[agency]]", "\n[[holder]]", "\n[[grant]]", "\n[[delegation]]"].iter().filter_map(|table| rest.find(table)).min();
    // The line break before the next table is its own.
    Some(start..next.map_or(text.len(), |at| start + 1 + at))
}

/// Two authorities of one name are told apart by their keys alone, and not by every program: each gets a name of its own.
fn unique_name(now: UnixTime) -> Result<String, SetupError> {
    let octets = crate::message::crypto::random::<4>();
    let octets = octets.map_err(|_| SetupError::Change("the system gives no random octets".to_owned()))?;
    Ok(format!("Oncegate authority {} {:08x}", now.day(), u32::from_be_bytes(octets)))
}

/// A basic string of TOML.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Every change has a version of its own.
fn next_version(text: &str) -> Result<String, SetupError> {
    let broken = || SetupError::Change("registry.toml has no line \"version = N\"".to_owned());
    let at = if text.starts_with("version = ") { 0 } else { text.find("\nversion = ").ok_or_else(broken)? + 1 };
    let (before, rest) = text.split_at(at);
    let (line, after) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
    let version: u64 = line.trim_start_matches("version = ").trim().parse().map_err(|_| broken())?;
    Ok(format!("{before}version = {}{after}", version + 1))
}

fn der(issued: &Issued) -> Result<Vec<u8>, SetupError> {
    let blocks = pki::pem_blocks(&issued.certificate, "CERTIFICATE");
    blocks.into_iter().next().ok_or_else(|| SetupError::Change("the certificate is not PEM".to_owned()))
}

fn thumbprint(issued: &Issued) -> Result<Digest, SetupError> {
    der(issued).map(|der| crate::message::crypto::sha256(&der))
}

fn base64_of(issued: &Issued) -> Result<String, SetupError> {
    use base64::Engine;
    der(issued).map(|der| base64::engine::general_purpose::STANDARD.encode(der))
}

const SCHEMAS: &str = "Schemas of documents that do not come with Oncegate: a folder or a ZIP archive for each set, each with its \
`documents.toml`.\n`oncegate schema add FOLDER` puts one here; docs/schemas.md says more.\n";

const REGISTRY: &str = "# The registry of an Oncegate gateway: agencies, holders and grants. docs/registry.md describes every key.\n\
# After a change by hand: oncegate agency sign\n\
format = 1\n\
version = 1\n";

/// Names of this machine, which every gateway's certificate has: whoever tries it does so from here.
const LOCAL: [&str; 2] = ["localhost", "127.0.0.1"];

/// The name of a log is in every receipt and must be no other log's, so a part of it is drawn by chance.
fn new_origin(host: Option<&str>) -> Result<String, SetupError> {
    let random =
        crate::message::crypto::random::<4>().map_err(|_| SetupError::Change("the system gives no random octets".to_owned()))?;
    Ok(format!("{}/audit/{:08x}", host.unwrap_or("oncegate"), u32::from_be_bytes(random)))
}

fn configuration(listening: &Listening) -> Result<String, SetupError> {
    let host = listening.hosts.first();
    let origin = listening.origin.clone().map_or_else(|| new_origin(host.map(String::as_str)), Ok)?;
    let host = host.map_or(String::new(), |host| format!("host = {}\n", quoted(host)));
    let data = quoted(&listening.data.to_string_lossy());
    Ok(format!(
        "# The configuration of an Oncegate gateway; docs/configuration.md describes every key. Paths are relative to this file.\n\
         format = 1\ndata = {data}\nschemas = \"schemas\"\n\n[exchange]\nlisten = \"{}\"\n{host}certificate = \"certs/gateway.pem\"\nkey = \"certs/gateway.key\"\n\
         authorities = \"certs/ca.pem\"\n\n[public]\nlisten = \"{}\"\n\n[registry]\nfile = \"registry.toml\"\nsignature = \"registry.sig\"\n\
         authority = \"certs/authority.pem\"\n\n[log]\n# The name of the log. It is in every receipt, no other log has it, and it never changes.\n\
         origin = {}\n",
        listening.exchange,
        listening.public,
        quoted(&origin)
    ))
}

/// The configuration by which an agency's systems reach a gateway; its keys lie beside it.
pub fn client_configuration(agency: &AgencyId, gateway: &str) -> String {
    format!(
        "# How the systems of {agency} reach the gateway. The keys beside this file are secret.\nformat = 1\nagency = \"{agency}\"\n\
         gateway = \"{gateway}\"\nauthorities = \"ca.pem\"\ntls_certificate = \"tls.pem\"\ntls_key = \"tls.key\"\n\
         sign_certificate = \"sign.pem\"\nsign_key = \"sign.key\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::next_version;

    #[test]
    fn the_line_of_the_version_is_raised_and_no_words_before_it() {
        let raised = next_version("# was version = 7\nformat = 1\nversion = 7\nx = \"version = 7\"\n").ok();
        assert_eq!(raised.as_deref(), Some("# was version = 7\nformat = 1\nversion = 8\nx = \"version = 7\"\n"));
        assert!(next_version("format = 1\n# version = 7\n").is_err() && next_version("version = x\n").is_err());
    }
}
