//! The configuration: one file in TOML, read, checked and turned into types before a port is opened.
//!
//! Unknown keys are errors. A setting may tighten a limit, never lift one. Paths are relative to the file.

mod console;
mod notices;
mod oidc;

pub use console::{Console, ConsoleTls, Duty, Official, People};
pub(crate) use notices::is_loopback;
pub use notices::{Login, Mail, Notices, Relay, Wire};
pub use oidc::Oidc;

use crate::base::fault;
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::evidence::tlog::note::{Role, VerifierKey};
use crate::rules::registry::Endpoint;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// Where the log and its keys are kept.
    pub data: PathBuf,
    /// The exchange listener.
    pub exchange: Exchange,
    /// The public listener.
    pub public: SocketAddr,
    /// The registry.
    pub registry: RegistryFiles,
    /// A folder of schema sets, besides what the program brings.
    pub schemas: Option<PathBuf>,
    /// A folder with the keys of agencies for which the gateway signs, `<agency>.key` and `<agency>.pem`.
    pub seal: Option<PathBuf>,
    /// Cases, if this gateway coordinates some.
    pub cases: Option<Cases>,
    /// Limits, tightened.
    pub limits: Limits,
    /// The lines about records.
    pub records: Lines,
    /// The log: its name, its key, who witnesses it.
    pub log: Log,
    /// The file of the witness that this gateway is for the logs of others.
    pub witness: Option<PathBuf>,
    /// How people are told of their cases.
    pub notices: Notices,
    /// The pages for people, if there are any.
    pub console: Option<Console>,
}

/// The log: its name, its key, who witnesses it.
#[derive(Debug)]
pub struct Log {
    /// Its name in checkpoints: a URL without its scheme that no other log has.
    pub origin: String,
    /// Who cosigns its checkpoints.
    pub witnesses: Witnesses,
    /// Who stamps its checkpoints with the time.
    pub stamps: Option<Stamps>,
    /// The authorities that witnesses' and time stamping authorities' TLS certificates come from; those of the exchange
    /// if there are none.
    pub authorities: Option<PathBuf>,
}

/// Who cosigns checkpoints, and how often they are asked.
#[derive(Clone, Debug)]
pub struct Witnesses {
    /// The witnesses.
    pub witnesses: Vec<WitnessAt>,
    /// How often they are asked, in seconds.
    pub every_s: u64,
}

/// A witness and where it is.
#[derive(Clone, Debug)]
pub struct WitnessAt {
    /// Its key.
    pub key: VerifierKey,
    /// Its submission prefix.
    pub url: Endpoint,
}

/// Who stamps checkpoints with the time, and how often.
#[derive(Clone, Debug)]
pub struct Stamps {
    /// The time stamping authority.
    pub url: Endpoint,
    /// How often, in hours.
    pub every_hours: u64,
}

/// Cases: who coordinates them, and by which situations.
#[derive(Clone, Debug)]
pub struct Cases {
    /// The agencies in whose name the gateway coordinates, at most one of each world; their keys are in the folder `seal`.
    pub coordinators: Vec<AgencyId>,
    /// A folder of life situations beside those of the program.
    pub catalogue: Option<PathBuf>,
    /// How many times as fast the clock of cases of the test world goes.
    pub test_pace: u32,
    /// Where curators are told of what nobody else puts right.
    pub curators: BTreeMap<String, String>,
}

/// The exchange listener and the gateway's own identity.
#[derive(Debug)]
pub struct Exchange {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The name under which agencies reach it, if it is not that of where it listens.
    pub host: Option<String>,
    /// The gateway's certificate chain in PEM, for both directions.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities whose certificates are accepted from agencies, both as clients and as providers.
    pub authorities: PathBuf,
    /// Their revocation lists, if any.
    pub revocation: Option<PathBuf>,
}

/// The registry's files.
#[derive(Debug)]
pub struct RegistryFiles {
    /// The registry.
    pub file: PathBuf,
    /// Its detached signature.
    pub signature: PathBuf,
    /// The certificate of whoever signs it.
    pub authority: PathBuf,
}

/// Limits, tightened.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest message in bytes.
    pub message_bytes: usize,
    /// Largest attachment in bytes.
    pub attachment_bytes: u64,
    /// Most octets of all attachments on disk.
    pub attachments_bytes: u64,
    /// Longest wait for an answer in milliseconds.
    pub wait_ms: u64,
    /// Deadline for a provider's answer in milliseconds.
    pub answer_ms: u64,
    /// Deadline for a request body in milliseconds.
    pub body_ms: u64,
    /// Most octets of the journal on disk.
    pub journal_bytes: u64,
    /// Most connections.
    pub connections: usize,
    /// Most connections of one address.
    pub per_address: u32,
    /// Most connections with one client certificate.
    pub per_certificate: u32,
    /// For how many days messages are kept with their records, sealed; 0 for no archive.
    pub archive_days: u32,
    /// What a citizen's trail tells of refused requests.
    pub attempts: Attempts,
}

/// Whether citizens are shown requests about them that were refused before any holder was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempts {
    /// They stand in the trail.
    Shown,
    /// They do not.
    Hidden,
}

/// Which lines there are about records, on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// One line for each, in words.
    Text,
    /// One line for each, in JSON.
    Json,
    /// None; what is about the gateway itself is still said, in words.
    Off,
}

/// What is wrong with a configuration, and where.
#[derive(Clone, Debug)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line from 1, if it is about a place in the file.
    pub line: usize,
    /// Column from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub suggestion: Option<String>,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": OG-CFG-001 {}", self.what)?;
        self.suggestion.as_ref().map_or(Ok(()), |suggestion| write!(f, "; {suggestion}"))
    }
}

impl std::error::Error for ConfigError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    format: Spanned<u32>,
    data: String,
    exchange: RawExchange,
    #[serde(default)]
    public: RawPublic,
    registry: RawRegistry,
    schemas: Option<String>,
    seal: Option<String>,
    cases: Option<RawCases>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    log: RawLog,
    witness: Option<RawWitnessFile>,
    #[serde(default)]
    notices: notices::Raw,
    console: Option<console::Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCases {
    coordinators: Spanned<Vec<String>>,
    catalogue: Option<String>,
    test_pace: Option<Spanned<u64>>,
    #[serde(default)]
    curators: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWitnessFile {
    file: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExchange {
    listen: Spanned<String>,
    host: Option<Spanned<String>>,
    certificate: String,
    key: String,
    authorities: String,
    revocation: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPublic {
    listen: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegistry {
    file: String,
    signature: String,
    authority: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    message_bytes: Option<Spanned<u64>>,
    attachment_bytes: Option<Spanned<u64>>,
    attachments_bytes: Option<Spanned<u64>>,
    wait_ms: Option<Spanned<u64>>,
    answer_ms: Option<Spanned<u64>>,
    body_ms: Option<Spanned<u64>>,
    journal_bytes: Option<Spanned<u64>>,
    connections: Option<Spanned<u64>>,
    connections_per_address: Option<Spanned<u64>>,
    connections_per_certificate: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    records: Option<Spanned<String>>,
    origin: Option<Spanned<String>>,
    archive_days: Option<u32>,
    #[serde(default)]
    trail_refusals: bool,
    authorities: Option<String>,
    #[serde(default)]
    witness: Vec<RawWitness>,
    witness_seconds: Option<Spanned<u64>>,
    timestamp: Option<Spanned<String>>,
    timestamp_hours: Option<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWitness {
    key: Spanned<String>,
    url: Spanned<String>,
}

impl Config {
    /// Reads a configuration file.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = read_bounded(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|(offset, what)| {
            let (line, column) = place(&text, offset);
            let suggestion = fault::suggestion(&what);
            ConfigError { file: file.to_owned(), line, column, what, suggestion }
        })
    }

    /// Reads the text of a configuration; paths in it are relative to the folder. A refusal has its offset in the text. No
    /// file is opened.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, (usize, String)> {
        let raw: Raw =
            toml::from_str(text).map_err(|error| (error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        if *raw.format.get_ref() != 1 {
            return Err((raw.format.span().start, "this gateway reads format = 1".to_owned()));
        }
        let path = |text: String| folder.join(text);
        let standard = Limits::standard();
        let notices = raw.notices.check(path, folder.join(&raw.exchange.authorities))?;
        let console_authorities = folder.join(&raw.exchange.authorities);
        Ok(Self {
            data: path(raw.data),
            exchange: Exchange {
                listen: address(&raw.exchange.listen)?,
                host: raw.exchange.host.map(host).transpose()?,
                certificate: path(raw.exchange.certificate),
                key: path(raw.exchange.key),
                authorities: path(raw.exchange.authorities),
                revocation: raw.exchange.revocation.map(path),
            },
            public: raw.public.address()?,
            registry: RegistryFiles {
                file: path(raw.registry.file),
                signature: path(raw.registry.signature),
                authority: path(raw.registry.authority),
            },
            schemas: raw.schemas.map(path),
            seal: raw.seal.map(path),
            cases: raw.cases.map(|cases| cases.check(path)).transpose()?,
            limits: Limits {
                message_bytes: tightened("message_bytes", raw.limits.message_bytes, standard.message_bytes as u64)? as usize,
                attachment_bytes: within(
                    "attachment_bytes",
                    raw.limits.attachment_bytes,
                    standard.attachment_bytes,
                    limits::ATTACHMENT_BYTES_MAX,
                )?,
                attachments_bytes: within(
                    "attachments_bytes",
                    raw.limits.attachments_bytes,
                    standard.attachments_bytes,
                    i64::MAX as u64,
                )?,
                wait_ms: tightened("wait_ms", raw.limits.wait_ms, standard.wait_ms)?,
                answer_ms: tightened("answer_ms", raw.limits.answer_ms, standard.answer_ms)?,
                body_ms: tightened("body_ms", raw.limits.body_ms, standard.body_ms)?,
                journal_bytes: tightened("journal_bytes", raw.limits.journal_bytes, standard.journal_bytes)?,
                connections: tightened("connections", raw.limits.connections, standard.connections as u64)? as usize,
                per_address: count("connections_per_address", raw.limits.connections_per_address, standard.per_address)?,
                per_certificate: count(
                    "connections_per_certificate",
                    raw.limits.connections_per_certificate,
                    standard.per_certificate,
                )?,
                archive_days: raw.log.archive_days.unwrap_or(standard.archive_days),
                attempts: if raw.log.trail_refusals { Attempts::Shown } else { standard.attempts },
            },
            records: lines(raw.log.records.as_ref())?,
            log: raw.log.check(path)?,
            witness: raw.witness.map(|witness| path(witness.file)),
            notices,
            console: raw.console.map(|console| console.check(path, console_authorities)).transpose()?,
        })
    }
}

impl RawPublic {
    fn address(&self) -> Result<SocketAddr, (usize, String)> {
        self.listen.as_ref().map_or(Ok(SocketAddr::from(([127, 0, 0, 1], 8081))), address)
    }
}

impl RawCases {
    fn check(self, path: impl Fn(String) -> PathBuf) -> Result<Cases, (usize, String)> {
        let at = self.coordinators.span().start;
        let names = self.coordinators.into_inner();
        let wrong = |name: &str| (at, format!("coordinators: \"{name}\" is not the name of an agency, as in ru.cases"));
        let coordinators = names.iter().map(|name| AgencyId::parse(name).ok_or_else(|| wrong(name)));
        let pace = within("test_pace", self.test_pace, 1, PACE_MAX)?;
        Ok(Cases {
            coordinators: coordinators.collect::<Result<_, _>>()?,
            catalogue: self.catalogue.map(path),
            test_pace: u32::try_from(pace).unwrap_or(1),
            curators: self.curators,
        })
    }
}

/// A day in a second, and faster still.
const PACE_MAX: u64 = 1_000_000;

impl Limits {
    /// Those of a configuration that says nothing of them.
    fn standard() -> Self {
        Self {
            message_bytes: limits::MESSAGE_BYTES_MAX,
            attachment_bytes: limits::ATTACHMENT_BYTES,
            attachments_bytes: limits::ATTACHMENTS_BYTES,
            wait_ms: limits::WAIT_MS_MAX,
            answer_ms: limits::ANSWER_MS,
            body_ms: limits::BODY_MS,
            journal_bytes: u64::MAX,
            connections: limits::CONNECTIONS_MAX,
            per_address: limits::ADDRESS_CONNECTIONS_MAX,
            per_certificate: limits::CERTIFICATE_CONNECTIONS_MAX,
            archive_days: 0,
            attempts: Attempts::Hidden,
        }
    }
}

impl RawLog {
    fn check(self, path: impl Fn(String) -> PathBuf) -> Result<Log, (usize, String)> {
        let mut witnesses: Vec<WitnessAt> = Vec::with_capacity(self.witness.len());
        for raw in &self.witness {
            let wrong = |what: String| (raw.key.span().start, what);
            let key = VerifierKey::parse(raw.key.get_ref()).map_err(|error| wrong(error.to_string()))?;
            if key.role() != Role::Witness {
                return Err(wrong("the key is a log's, not a witness's".to_owned()));
            }
            if witnesses.iter().any(|known| known.key.is_of_same_key(&key)) {
                return Err(wrong("the key is there already".to_owned()));
            }
            if witnesses.len() == limits::WITNESSES_MAX {
                return Err(wrong(format!("more than {} witnesses", limits::WITNESSES_MAX)));
            }
            witnesses.push(WitnessAt { key, url: endpoint(&raw.url)? });
        }
        let every_hours = within("timestamp_hours", self.timestamp_hours, 24, STAMP_HOURS_MAX)?;
        let stamps = self.timestamp.as_ref().map(|url| Ok(Stamps { url: endpoint(url)?, every_hours })).transpose()?;
        let every_s = within("witness_seconds", self.witness_seconds, 10, WITNESS_SECONDS_MAX)?;
        let witnesses = Witnesses { witnesses, every_s };
        let (origin, authorities) = (origin(self.origin)?, self.authorities.map(&path));
        Ok(Log { origin, witnesses, stamps, authorities })
    }
}

const WITNESS_SECONDS_MAX: u64 = 3600;
const STAMP_HOURS_MAX: u64 = 31 * 24;

fn endpoint(text: &Spanned<String>) -> Result<Endpoint, (usize, String)> {
    let wrong = || (text.span().start, format!("\"{}\" is not a URL; write \"https://host:port/path\"", text.get_ref()));
    Endpoint::parse(text.get_ref()).ok_or_else(wrong)
}

fn within(name: &str, value: Option<Spanned<u64>>, standard: u64, most: u64) -> Result<u64, (usize, String)> {
    match value {
        None => Ok(standard),
        Some(value) if (1..=most).contains(value.get_ref()) => Ok(value.into_inner()),
        Some(value) => Err((value.span().start, format!("{name} is at least 1 and at most {most}"))),
    }
}

/// A list of so many at most.
fn within_list<T>(name: &str, list: Option<Spanned<Vec<T>>>, most: usize) -> Result<Vec<T>, (usize, String)> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let (place, list) = (list.span().start, list.into_inner());
    if list.len() > most { Err((place, format!("{name} has at most {most} entries"))) } else { Ok(list) }
}

fn address(text: &Spanned<String>) -> Result<SocketAddr, (usize, String)> {
    let wrong = || (text.span().start, format!("\"{}\" is not an address; write \"127.0.0.1:8443\"", text.get_ref()));
    text.get_ref().parse().map_err(|_| wrong())
}

/// A host name (RFC 1123, section 2.1) or an address; a port belongs into `listen`.
fn host(text: Spanned<String>) -> Result<String, (usize, String)> {
    let name = text.get_ref();
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if name.parse::<std::net::IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label)) {
        return Ok(text.into_inner());
    }
    Err((text.span().start, format!("host = \"{name}\" is not a host name; write \"gateway.example\", without a port")))
}

fn tightened(name: &str, value: Option<Spanned<u64>>, limit: u64) -> Result<u64, (usize, String)> {
    match value {
        None => Ok(limit),
        Some(value) if (1..=limit).contains(value.get_ref()) => Ok(value.into_inner()),
        Some(value) => Err((value.span().start, format!("{name} is at least 1 and at most {limit}: a setting tightens a limit"))),
    }
}

/// What C2SP signed-note lets a key be named.
fn origin(value: Option<Spanned<String>>) -> Result<String, (usize, String)> {
    let Some(value) = value else { return Ok("oncegate/audit".to_owned()) };
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= limits::LOG_NAME_BYTES_MAX
            && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
    };
    let place = value.span().start;
    let name = value.into_inner();
    if is_name(&name) { Ok(name) } else { Err((place, "origin is a name without spaces and plus signs".to_owned())) }
}

fn lines(value: Option<&Spanned<String>>) -> Result<Lines, (usize, String)> {
    match value.map(|value| value.get_ref().as_str()) {
        None | Some("text") => Ok(Lines::Text),
        // The only form that there was, under its name.
        Some("json" | "stderr") => Ok(Lines::Json),
        Some("off") => Ok(Lines::Off),
        Some(other) => Err((
            value.map_or(0, |value| value.span().start),
            format!("records = \"{other}\"; it is \"text\", \"json\" or \"off\""),
        )),
    }
}

/// [`tightened`] for a count.
fn count(name: &str, value: Option<Spanned<u64>>, limit: u32) -> Result<u32, (usize, String)> {
    tightened(name, value, u64::from(limit)).map(|count| u32::try_from(count).unwrap_or(limit))
}

/// Reads a text file of bounded size.
pub fn read_bounded(file: &Path) -> Result<String, ConfigError> {
    let failed = |what: String| ConfigError { file: file.to_owned(), line: 0, column: 0, what, suggestion: None };
    let unreadable = |cause: std::io::Error| failed(cause.to_string());
    let too_large = || failed(format!("the file is larger than {} bytes", limits::FILE_BYTES_MAX));
    let opened = File::open(file).map_err(unreadable)?;
    let size = opened.metadata().map_err(unreadable)?.len();
    if size > limits::FILE_BYTES_MAX {
        return Err(too_large());
    }
    let mut text = String::with_capacity(usize::try_from(size).unwrap_or(0));
    // A device says that it has no length, and a file may grow.
    opened.take(limits::FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > limits::FILE_BYTES_MAX { Err(too_large()) } else { Ok(text) }
}

/// Line and column, from 1, of an offset.
pub fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before.rsplit('\n').next().unwrap_or("").chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tlog::note::LogSigner;
    use crate::message::crypto::PrivateKey;

    const GOOD: &str = "format = 1\ndata = \"data\"\n[exchange]\nlisten = \"127.0.0.1:8443\"\ncertificate = \"c\"\nkey = \"k\"\n\
                        authorities = \"a\"\n[registry]\nfile = \"r\"\nsignature = \"s\"\nauthority = \"z\"\n";

    #[test]
    fn a_configuration_is_read_relative_to_its_file() {
        let config = Config::parse(GOOD, Path::new("/etc/oncegate")).expect("a good configuration");
        assert_eq!(config.data, Path::new("/etc/oncegate/data"));
        assert_eq!(config.limits.message_bytes, limits::MESSAGE_BYTES_MAX);
    }

    #[test]
    fn witnesses_are_read_and_a_logs_key_is_none() {
        let key = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        let text = format!("{GOOD}[[log.witness]]\nkey = \"{key}\"\nurl = \"http://127.0.0.1:8090/w\"\n");
        let (_, what) = Config::parse(&text, Path::new("")).expect_err("a log's key");
        assert!(what.contains("log's"), "{what}");
        let text =
            format!("{GOOD}[log]\ntimestamp = \"http://tsa.example\"\nauthorities = \"ca.pem\"\n[witness]\nfile = \"w.toml\"\n");
        let config = Config::parse(&text, Path::new("/etc")).expect("good");
        let stamps = config.log.stamps.expect("a time stamping authority");
        assert_eq!((stamps.url.to_string().as_str(), stamps.every_hours), ("http://tsa.example:80/", 24));
        assert_eq!((config.log.witnesses.every_s, config.witness.as_deref()), (10, Some(Path::new("/etc/w.toml"))));
    }

    /// What a configuration with these sections more is refused for.
    fn refused(sections: &str) -> Option<String> {
        Config::parse(&format!("{GOOD}{sections}"), Path::new("")).err().map(|(_, what)| what)
    }

    #[test]
    fn a_setting_tightens_a_limit_and_never_lifts_one() {
        let config = Config::parse(GOOD, Path::new("")).expect("a good configuration").limits;
        for (name, standard, limit) in [
            ("message_bytes", config.message_bytes as u64, limits::MESSAGE_BYTES_MAX as u64),
            ("wait_ms", config.wait_ms, limits::WAIT_MS_MAX),
            ("answer_ms", config.answer_ms, limits::ANSWER_MS),
            ("body_ms", config.body_ms, limits::BODY_MS),
            ("connections", config.connections as u64, limits::CONNECTIONS_MAX as u64),
            ("connections_per_address", config.per_address.into(), limits::ADDRESS_CONNECTIONS_MAX.into()),
            ("connections_per_certificate", config.per_certificate.into(), limits::CERTIFICATE_CONNECTIONS_MAX.into()),
        ] {
            let with = |value: u64| refused(&format!("[limits]\n{name} = {value}\n"));
            assert_eq!((standard, with(1), with(limit)), (limit, None, None), "{name}");
            for value in [0, limit + 1] {
                let what = with(value).expect(name);
                assert!(what.starts_with(name) && what.contains(&format!("at most {limit}")), "{what}");
            }
        }
    }

    #[test]
    fn an_attachment_may_be_made_so_large_and_no_larger() {
        let config = Config::parse(GOOD, Path::new("")).expect("a good configuration").limits;
        assert_eq!((config.attachment_bytes, config.attachments_bytes), (limits::ATTACHMENT_BYTES, limits::ATTACHMENTS_BYTES));
        let with = |value: u64| refused(&format!("[limits]\nattachment_bytes = {value}\nattachments_bytes = 1\n"));
        assert_eq!((with(1), with(limits::ATTACHMENT_BYTES_MAX)), (None, None));
        for value in [0, limits::ATTACHMENT_BYTES_MAX + 1] {
            assert!(with(value).is_some_and(|what| what.starts_with("attachment_bytes is at least 1")), "{value}");
        }
    }

    #[test]
    fn a_log_has_so_many_witnesses_and_no_more() {
        let with = |count: usize| {
            let witness = |number: usize| {
                let key = PrivateKey::from_seed(&[number as u8; 32]).expect("a seed");
                let signer = LogSigner::new("w", Role::Witness, key).expect("an Ed25519 key");
                format!("[[log.witness]]\nkey = \"{}\"\nurl = \"http://w\"\n", signer.verifier())
            };
            refused(&(0..count).map(witness).collect::<String>())
        };
        assert_eq!(with(limits::WITNESSES_MAX), None);
        assert_eq!(with(limits::WITNESSES_MAX + 1), Some(format!("more than {} witnesses", limits::WITNESSES_MAX)));
    }

    #[test]
    fn a_log_has_a_name_of_bounded_length() {
        let with = |length: usize| refused(&format!("[log]\norigin = \"{}\"\n", "n".repeat(length)));
        assert_eq!((with(1), with(limits::LOG_NAME_BYTES_MAX)), (None, None));
        for length in [0, limits::LOG_NAME_BYTES_MAX + 1] {
            assert!(with(length).is_some_and(|what| what.contains("origin is a name")), "{length}");
        }
    }

    /// A file with a hole takes no room on the disk.
    #[test]
    fn a_file_may_be_as_large_as_it_may_be_and_no_larger() {
        let path = std::env::temp_dir().join(format!("oncegate-config-{}", std::process::id()));
        let file = File::create(&path).expect("writable");
        let read = |size| {
            file.set_len(size).expect("it may have a hole");
            read_bounded(&path).map(|text| text.len() as u64).map_err(|error| error.what)
        };
        let refused = Err(format!("the file is larger than {} bytes", limits::FILE_BYTES_MAX));
        let (at, above) = (read(limits::FILE_BYTES_MAX), read(limits::FILE_BYTES_MAX + 1));
        std::fs::remove_file(&path).expect("it is there");
        assert_eq!((at, above), (Ok(limits::FILE_BYTES_MAX), refused.clone()));
        // It has no end, and says that its length is 0.
        let endless = read_bounded(Path::new("/dev/zero"));
        assert_eq!(endless.map(|text| text.len() as u64).map_err(|error| error.what), refused);
    }

    #[test]
    fn errors_name_the_place_and_the_next_step() {
        for (from, to, what) in [
            ("listen =", "lisen =", "unknown field `lisen`"),
            ("127.0.0.1:8443", "localhost", "is not an address"),
            ("format = 1", "format = 2", "format = 1"),
            ("[registry]", "[limits]\nmessage_bytes = 9999999\n[registry]", "tightens"),
            ("key = \"k\"\n", "", "missing field `key`"),
            ("[registry]", "[log]\ntimestamp = \"ftp://tsa\"\n[registry]", "is not a URL"),
            ("[registry]", "[log]\nwitness_seconds = 0\n[registry]", "at least 1"),
            ("[registry]", "[[log.witness]]\nkey = \"k\"\nurl = \"http://w\"\n[registry]", "verifier key"),
        ] {
            let (offset, found) = Config::parse(&GOOD.replace(from, to), Path::new("")).expect_err(what);
            assert!(found.contains(what), "{found}");
            assert!(offset > 0 || from == "format = 1", "{what} has no place");
        }
        assert_eq!(
            fault::suggestion("unknown field `lisen`, expected one of `listen`, `key`").as_deref(),
            Some("did you mean `listen`?")
        );
    }
}
