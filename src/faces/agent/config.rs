//! `agent.toml`: who answers, from which sources, by which mappings; and where own systems ask.

use super::zones::Database;
use crate::base::fault::Code as FaultCode;
use crate::base::ids::Identifier;
use crate::exchange::mapping::{Around, Mapping, Wrong};
use crate::host::config::{place, read_bounded};
use crate::host::source::{By, How, Key, SourceConfig, Statement};
use crate::message::schema::Schemas;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Spanned;

/// The name of the file in an agent's folder.
pub const FILE: &str = "agent.toml";

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// The folder that names of files start from.
    pub folder: PathBuf,
    /// The folder with `client.toml`.
    pub client: PathBuf,
    /// How questions come.
    pub holds: Holds,
    /// Where own systems ask, if they do.
    pub desk: Option<DeskConfig>,
    /// What the agency is called.
    pub name: String,
    /// Its registration number or the like.
    pub identifier: Option<Identifier>,
    /// A folder of schema sets, besides what the program brings.
    pub schemas: Option<PathBuf>,
    /// Sources by name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// What is held.
    pub holds_of: Vec<HoldConfig>,
}

/// How questions come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The agent comes for them: no port is open.
    Outbound,
    /// The gateway asks here.
    At(SocketAddr),
}

/// Where own systems ask.
#[derive(Clone, Debug)]
pub struct DeskConfig {
    /// Where it listens.
    pub at: DeskAt,
    /// What of answers and events is kept, and where.
    pub kept: PathBuf,
    /// For how many days.
    pub keep_days: u32,
}

/// Where a desk listens, and who may ask there.
#[derive(Clone, Debug)]
pub enum DeskAt {
    /// A Unix socket, for these users.
    Socket(PathBuf, Vec<u32>),
    /// A port of this machine, for whoever has the token of this file.
    Port(SocketAddr, PathBuf),
}

/// One thing that is held.
#[derive(Clone, Debug)]
pub struct HoldConfig {
    /// The source.
    pub source: String,
    /// The file of its mapping.
    pub map: PathBuf,
    /// The file of its statement.
    pub query: Option<PathBuf>,
    /// The file of its fixtures.
    pub fixtures: Option<PathBuf>,
    /// The columns that the source must have, no more and no less.
    pub columns: Option<Arc<[Box<str>]>>,
}

/// A hold that is whole.
#[derive(Debug)]
pub struct Hold {
    /// Its configuration.
    pub config: HoldConfig,
    /// Its mapping.
    pub mapping: Mapping,
    /// Its statement.
    pub statement: Option<Arc<Statement>>,
}

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its code.
    pub code: FaultCode,
    /// The file, and where in it: line and column, if that is known.
    pub place: String,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.place, self.code, self.what)
    }
}

impl Finding {
    /// Something wrong with a file as a whole.
    pub fn of_file(file: &Path, code: FaultCode, what: impl fmt::Display) -> Self {
        Self { code, place: file.display().to_string(), what: what.to_string() }
    }

    /// Something wrong at a place of a file.
    pub fn at(file: &Path, text: &str, wrong: Wrong) -> Self {
        let place = match wrong.at.start {
            0 => file.display().to_string(),
            start => {
                let (line, column) = place(text, start);
                format!("{}:{line}:{column}", file.display())
            }
        };
        Self { code: wrong.code, place, what: wrong.what }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    format: u32,
    #[serde(default = "here")]
    client: PathBuf,
    #[serde(default = "outbound")]
    holds: String,
    agency: RawAgency,
    schemas: Option<PathBuf>,
    desk: Option<RawDesk>,
    #[serde(default)]
    source: BTreeMap<String, SourceConfig>,
    #[serde(default)]
    hold: Vec<Spanned<RawHold>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAgency {
    name: String,
    identifier: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDesk {
    listen: String,
    token: Option<PathBuf>,
    users: Option<Vec<u32>>,
    kept: Option<PathBuf>,
    keep_days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHold {
    source: String,
    map: PathBuf,
    query: Option<PathBuf>,
    fixtures: Option<PathBuf>,
    columns: Option<Vec<Box<str>>>,
}

fn here() -> PathBuf {
    PathBuf::from(".")
}

fn outbound() -> String {
    "outbound".to_owned()
}

impl Config {
    /// Reads the file of a folder; all that is wrong is said.
    pub fn load(folder: &Path) -> Result<Self, Vec<Finding>> {
        let file = folder.join(FILE);
        let text = read_bounded(&file).map_err(|error| vec![Finding::of_file(&file, FaultCode::AgtFile, error.what)])?;
        Self::read(folder, &file, &text)
    }

    fn read(folder: &Path, file: &Path, text: &str) -> Result<Self, Vec<Finding>> {
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let at = error.span().unwrap_or(0..0);
            vec![Finding::at(file, text, Wrong { code: FaultCode::AgtFile, at, what: error.message().to_owned() })]
        })?;
        let mut wrong = Vec::new();
        let mut say = |code: FaultCode, what: String| wrong.push(Finding::of_file(file, code, what));
        if raw.format != 1 {
            say(FaultCode::AgtFile, "this program reads format = 1".to_owned());
        }
        let holds = match raw.holds.as_str() {
            "outbound" => Holds::Outbound,
            address => address.parse().map(Holds::At).unwrap_or_else(|_| {
                say(FaultCode::AgtFile, "holds is \"outbound\", or an address such as 0.0.0.0:9443".to_owned());
                Holds::Outbound
            }),
        };
        let identifier = raw.agency.identifier.as_deref().and_then(|text| {
            let read = text.split_once(':').and_then(|(scheme, value)| Identifier::parse(scheme, value).ok());
            if read.is_none() {
                say(
                    FaultCode::AgtFile,
                    "agency.identifier is SCHEME:VALUE, with its check digits: RU-OGRN:1027700132195".to_owned(),
                );
            }
            read
        });
        let desk = raw.desk.and_then(|desk| desk_of(folder, desk).map_err(|what| say(FaultCode::AgtFile, what)).ok());
        let mut holds_of = Vec::new();
        for hold in raw.hold {
            let at = hold.span();
            let RawHold { source, map, query, fixtures, columns } = hold.into_inner();
            if !raw.source.contains_key(&source) {
                let names = raw.source.keys().map(String::as_str);
                let near =
                    crate::base::fault::nearest(&source, names).map_or(String::new(), |near| format!("; did you mean {near}?"));
                let what = format!("there is no [source.{source}]{near}");
                wrong.push(Finding::at(file, text, Wrong { code: FaultCode::AgtUnknown, at, what }));
            }
            let join = |path: PathBuf| folder.join(path);
            let columns = columns.map(Into::into);
            holds_of.push(HoldConfig { source, map: join(map), query: query.map(join), fixtures: fixtures.map(join), columns });
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            folder: folder.to_owned(),
            client: folder.join(raw.client),
            holds,
            desk,
            name: raw.agency.name,
            identifier,
            schemas: raw.schemas.map(|schemas| folder.join(schemas)),
            sources: raw.source,
            holds_of,
        })
    }

    /// The holds of this configuration, each held against the schemas; all that is wrong is said.
    pub fn holds(&self, schemas: &Schemas) -> Result<Vec<Hold>, Vec<Finding>> {
        let (mut holds, mut wrong) = (Vec::new(), Vec::new());
        for config in &self.holds_of {
            match config.open(schemas) {
                Ok(hold) => holds.push(hold),
                Err(found) => wrong.extend(found),
            }
        }
        for (at, hold) in holds.iter().enumerate() {
            let same = |other: &&Hold| {
                let roles = |hold: &Hold| hold.mapping.persons().iter().map(|person| person.role.clone()).collect::<Vec<_>>();
                other.mapping.document() == hold.mapping.document() && roles(other).iter().any(|role| roles(hold).contains(role))
            };
            if holds.iter().skip(at.saturating_add(1)).any(|other| same(&other)) {
                let what = format!("{} is held twice for one role", hold.mapping.document());
                wrong.push(Finding::of_file(&self.folder.join(FILE), FaultCode::AgtFile, what));
            }
        }
        if wrong.is_empty() { Ok(holds) } else { Err(wrong) }
    }

    /// The columns by which a source will be asked.
    pub fn keys(&self, source: &str, holds: &[Hold]) -> Vec<Key> {
        let of_source = holds.iter().filter(|hold| hold.config.source == source);
        let persons = of_source.flat_map(|hold| hold.mapping.persons());
        let mut keys: Vec<Key> = Vec::new();
        for person in persons {
            let key = Key { column: person.column.clone(), scheme: person.scheme.clone() };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

impl HoldConfig {
    /// Reads its files and holds them against the schemas.
    pub fn open(&self, schemas: &Schemas) -> Result<Hold, Vec<Finding>> {
        let text = read_bounded(&self.map).map_err(|error| vec![Finding::of_file(&self.map, FaultCode::AgtFile, error.what)])?;
        let folder = self.map.parent().unwrap_or(Path::new(".")).to_owned();
        let files = |name: &str| read_bounded(&folder.join(name)).map_err(|error| format!("{name}: {}", error.what));
        let mapping = Mapping::compile(&text, &Around { files: &files, zones: &Database }, schemas);
        let statement = self.query.as_ref().map(|query| {
            let text = read_bounded(query).map_err(|error| Finding::of_file(query, FaultCode::AgtFile, error.what))?;
            Statement::parse(&text).map(Arc::new).map_err(|error| Finding::of_file(query, error.code, error.what))
        });
        match (mapping, statement.transpose()) {
            (Ok(mapping), Ok(statement)) => Ok(Hold { config: self.clone(), mapping, statement }),
            (mapping, statement) => {
                let of_mapping = mapping.err().unwrap_or_default().into_iter().map(|wrong| Finding::at(&self.map, &text, wrong));
                Err(of_mapping.chain(statement.err()).collect())
            }
        }
    }
}

impl Hold {
    /// How its source is asked about somebody.
    pub fn by(&self, kind: &SourceConfig, column: &str, scheme: &str) -> By {
        let how = match kind {
            SourceConfig::Csv(_) => How::Key(Key { column: column.into(), scheme: scheme.into() }),
            SourceConfig::Postgres(_) => self.statement.clone().map_or(How::Question, How::Statement),
            SourceConfig::HttpJson(_) | SourceConfig::Command(_) => How::Question,
        };
        By { how, columns: self.config.columns.clone() }
    }

    /// How its source is asked for its columns.
    pub fn by_any(&self, kind: &SourceConfig) -> By {
        self.mapping
            .persons()
            .first()
            .map_or_else(|| By { how: How::Question, columns: None }, |person| self.by(kind, &person.column, &person.scheme))
    }
}

/// A desk from what was written.
fn desk_of(folder: &Path, raw: RawDesk) -> Result<DeskConfig, String> {
    let at = match raw.listen.strip_prefix("unix:") {
        Some(path) => match raw.users {
            Some(users) if !users.is_empty() => DeskAt::Socket(folder.join(path), users),
            _ => return Err("a desk at a Unix socket needs users, the numbers of those who may ask: users = [1000]".to_owned()),
        },
        None => {
            let address: SocketAddr = raw
                .listen
                .parse()
                .map_err(|_| "desk.listen is unix:desk.sock, or an address of this machine such as 127.0.0.1:8090".to_owned())?;
            let token = raw.token.ok_or("a desk at a port needs a token: the name of a file that holds it")?;
            if !address.ip().is_loopback() {
                return Err("a desk listens on this machine alone: 127.0.0.1 or [::1]".to_owned());
            }
            DeskAt::Port(address, folder.join(token))
        }
    };
    let keep_days = raw.keep_days.unwrap_or(30);
    Ok(DeskConfig { at, kept: folder.join(raw.kept.unwrap_or_else(|| PathBuf::from("kept"))), keep_days })
}
