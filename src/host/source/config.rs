//! `[source.NAME]` of `agent.toml`, as written. What it means is found out where a source is opened.

use serde::Deserialize;
use serde::de::Error as _;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A source of rows.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SourceConfig {
    /// A file of lines and separators.
    Csv(CsvConfig),
    /// A database of PostgreSQL.
    Postgres(PostgresConfig),
    /// A service that answers in JSON.
    HttpJson(HttpConfig),
    /// A program of the agency.
    Command(CommandConfig),
}

/// `kind = "csv"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvConfig {
    /// The file.
    pub file: PathBuf,
    /// Its encoding: a label of the Encoding Standard; UTF-8 if it is not said.
    pub encoding: Option<String>,
    /// What is between two cells: one character, or `tab`; a comma if it is not said.
    pub separator: Option<String>,
    /// What is around a cell that has a separator or a line break in it; `"` if it is not said.
    pub quote: Option<char>,
    /// How old its data may be; of any age if it is not said.
    pub max_age: Option<Span>,
    /// The column whose newest day or instant says as of when the data is; if it is not said, the time of the file counts.
    pub as_of_column: Option<String>,
    /// Most rows for one question.
    pub rows_max: Option<usize>,
}

/// `kind = "postgres"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// `host:port`; either this or `socket`.
    pub address: Option<String>,
    /// The folder of the server's socket, or the socket itself.
    pub socket: Option<PathBuf>,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// The file with its password.
    pub password_file: Option<PathBuf>,
    /// Whom to believe; needed unless the server is on this machine.
    pub tls: Option<TlsConfig>,
    /// Most connections.
    pub connections: Option<usize>,
    /// How long a statement may take.
    pub statement_timeout: Option<Span>,
    /// Most rows for one question.
    pub rows_max: Option<usize>,
}

/// Whom to believe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file with authorities.
    pub authorities: PathBuf,
}

/// `kind = "http-json"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Where to ask, with `{scheme}`, `{value}`, `{from}`, `{to}` and `{today}` in its path or query.
    pub url: String,
    /// How to ask; `GET` if it is not said.
    #[serde(default)]
    pub method: Method,
    /// A PEM file with authorities; needed for `https`.
    pub authorities: Option<PathBuf>,
    /// The file with a token, which is sent as `Authorization: Bearer`.
    pub token_file: Option<PathBuf>,
    /// A JSON pointer to the rows, or to the one row; the whole answer if it is not said.
    #[serde(default)]
    pub rows: String,
    /// The columns, each with the JSON pointer to it in a row.
    pub columns: BTreeMap<String, String>,
    /// Columns that a row need not have.
    #[serde(default)]
    pub optional: Vec<String>,
    /// What says that there is none.
    pub absent: Option<Absent>,
    /// How long an answer may take.
    pub deadline: Option<Span>,
    /// Most rows for one question.
    pub rows_max: Option<usize>,
}

/// How a service is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Method {
    /// By its address alone.
    #[default]
    #[serde(rename = "GET")]
    Get,
    /// With the question as JSON.
    #[serde(rename = "POST")]
    Post,
}

/// What says that a service has nothing about a person.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    /// This status.
    pub status: Option<u16>,
    /// Or, at this JSON pointer,
    pub pointer: Option<String>,
    /// this value.
    pub is: Option<String>,
}

/// `kind = "command"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// The program, from the root on.
    pub program: PathBuf,
    /// What it is started with.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// All of its environment, beside `PATH`.
    #[serde(default)]
    pub environment: Environment,
    /// The columns.
    pub columns: Vec<String>,
    /// Columns that a row need not have.
    #[serde(default)]
    pub optional: Vec<String>,
    /// How long an answer may take.
    pub deadline: Option<Span>,
    /// How many may run at once.
    pub at_once: Option<usize>,
    /// Most rows for one question.
    pub rows_max: Option<usize>,
}

/// Variables of an environment. People put passwords there, so its `Debug` names the variables alone.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Environment(pub BTreeMap<String, String>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A length of time: `500ms`, `2s`, `90m`, `26h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    /// Reads a whole number with a unit behind it.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.parse::<u64>().ok()?.checked_mul(*ms).map(|ms| Self(Duration::from_millis(ms)))
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a length of time is a whole number with ms, s, m, h or d behind it"))
    }
}

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_source_is_read_as_it_is_written() {
        let csv = "kind = \"csv\"\nfile = \"notes.csv\"\nencoding = \"windows-1251\"\nseparator = \";\"\nmax_age = \"26h\"";
        let read: SourceConfig = toml::from_str(csv).expect("a source");
        assert!(matches!(read, SourceConfig::Csv(csv) if csv.max_age == Span::parse("26h") && csv.quote.is_none()));
        let http = "kind = \"http-json\"\nurl = \"https://r.example/{value}\"\ncolumns = { name = \"/name\" }\nabsent = { status = 404 }";
        assert!(matches!(toml::from_str(http), Ok(SourceConfig::HttpJson(http)) if http.method == Method::Get));
        let postgres = "kind = \"postgres\"\nsocket = \"/run/postgresql\"\ndatabase = \"d\"\nuser = \"u\"\ntls = { authorities = \"ca.pem\" }";
        assert!(matches!(toml::from_str(postgres), Ok(SourceConfig::Postgres(_))));
        let command = "kind = \"command\"\nprogram = \"/bin/x\"\ncolumns = [\"a\"]\nenvironment = { PGPASSWORD = \"hidden\" }";
        let command: SourceConfig = toml::from_str(command).expect("a source");
        assert!(!format!("{command:?}").contains("hidden"));
    }

    #[test]
    fn an_unknown_key_or_kind_or_length_of_time_is_refused() {
        for text in [
            "kind = \"csv\"\nfile = \"a\"\nseperator = \";\"",
            "kind = \"xlsx\"\nfile = \"a\"",
            "file = \"a\"",
            "kind = \"csv\"\nfile = \"a\"\nmax_age = \"26\"",
            "kind = \"csv\"\nfile = \"a\"\nmax_age = \"-1h\"",
            "kind = \"csv\"\nfile = \"a\"\nmax_age = \"99999999999999999d\"",
            "kind = \"http-json\"\nurl = \"https://a/\"\nmethod = \"PUT\"\ncolumns = {}",
            "kind = \"postgres\"\ndatabase = \"d\"\nuser = \"u\"\npassword = \"hidden\"",
        ] {
            assert!(toml::from_str::<SourceConfig>(text).is_err(), "{text}");
        }
    }
}
