//! Sources: where the rows about a person come from, for an agency that becomes a holder from a table that it has.
//!
//! A file of separated values, a statement for PostgreSQL, a service that answers in JSON, or a program of the agency. Each is bounded in
//! time, rows and octets; none is asked by pasting a value into text that somebody executes. A source that is down, too old, changed or
//! too talkative says so by a code of its own, so that nobody takes an outage for "there is none". What is said of a failure names lines,
//! columns and limits, and never what is in a cell: texts of databases and programs, which may repeat values, are not passed on.

mod answer;
mod command;
mod config;
mod csv;
mod decode;
mod file;
mod http;
mod json;
mod postgres;
mod statement;

pub use config::{
    Absent, CommandConfig, CsvConfig, Environment, HttpConfig, Method, PostgresConfig, SourceConfig, Span, TlsConfig,
};
pub use statement::Statement;

use crate::base::fault::{Code, nearest};
use crate::base::time::UnixTime;
use crate::exchange::mapping::{Asked, Cell, Row, Table};
use std::path::Path;
use std::sync::Arc;

/// One register by which people are found: a column of a file, and the scheme of the identifiers in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The column.
    pub column: Box<str>,
    /// The scheme: `RU-SNILS`.
    pub scheme: Box<str>,
}

/// How a source is asked.
#[derive(Clone, Debug)]
pub enum How {
    /// By a key: files.
    Key(Key),
    /// By a statement: databases.
    Statement(Arc<Statement>),
    /// By the question alone: services and programs.
    Question,
}

/// How a source is asked, and what is expected of it.
#[derive(Clone, Debug)]
pub struct By {
    /// How.
    pub how: How,
    /// The columns that it must have, in any order: those that the mapping was made for. Nothing is compared if it is not said.
    pub columns: Option<Arc<[Box<str>]>>,
}

/// Why a source gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The code.
    pub code: Code,
    /// What happened, for the agency's own lines. It never holds what is in a cell.
    pub what: String,
}

/// What looking at a source again has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// Nothing.
    Same,
    /// There was something new, and it is in use.
    Loaded {
        /// So many rows.
        rows: usize,
    },
}

/// A source that is open.
pub struct Source {
    name: Box<str>,
    kind: Kind,
}

enum Kind {
    File(file::FileSource),
    Postgres(postgres::PostgresSource),
    Http(http::HttpSource),
    Command(command::CommandSource),
}

impl SourceError {
    pub(crate) fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into() }
    }
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.what)
    }
}

impl std::error::Error for SourceError {}

/// Its name: passwords and rows are inside.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.name)
    }
}

impl Source {
    /// Opens a source. `folder` is what names of files in its configuration start from, `keys` are the columns by which it will be
    /// asked. A file is read, so that a bad one is found now; a database or service is not asked for anything yet.
    pub async fn open(name: &str, config: &SourceConfig, folder: &Path, keys: &[Key]) -> Result<Self, SourceError> {
        let opened = match config {
            SourceConfig::Csv(config) => file::FileSource::open(config, folder, keys).await.map(Kind::File),
            SourceConfig::Postgres(config) => postgres::PostgresSource::open(config, folder).map(Kind::Postgres),
            SourceConfig::HttpJson(config) => http::HttpSource::open(config, folder).map(Kind::Http),
            SourceConfig::Command(config) => command::CommandSource::open(config, folder).map(Kind::Command),
        };
        let kind = opened.map_err(|error| named(name, error))?;
        Ok(Self { name: name.into(), kind })
    }

    /// All rows about a person.
    pub async fn rows(&self, asked: &Asked, by: &By) -> Result<Table, SourceError> {
        let pinned = by.columns.as_deref();
        let table = match (&self.kind, &by.how) {
            (Kind::File(file), How::Key(key)) => file.rows(asked, key),
            (Kind::Postgres(postgres), How::Statement(statement)) => postgres.rows(asked, statement, pinned).await,
            (Kind::Http(http), How::Question) => http.rows(asked).await,
            (Kind::Command(command), How::Question) => command.rows(asked).await,
            _ => Err(self.asked_wrongly()),
        };
        let table = table.map_err(|error| named(&self.name, error))?;
        hold_to(&table.columns, pinned).map_err(|error| named(&self.name, error))?;
        Ok(table)
    }

    /// The names of its columns, without asking about anybody.
    pub async fn columns(&self, by: &By) -> Result<Arc<[Box<str>]>, SourceError> {
        let columns = match (&self.kind, &by.how) {
            (Kind::File(file), _) => Ok(file.columns()),
            (Kind::Postgres(postgres), How::Statement(statement)) => postgres.columns(statement).await,
            (Kind::Http(http), _) => Ok(http.columns()),
            (Kind::Command(command), _) => Ok(command.columns()),
            (Kind::Postgres(_), _) => Err(self.asked_wrongly()),
        };
        columns.map_err(|error| named(&self.name, error))
    }

    /// Looks whether a file was replaced, and loads it. If the new one is bad, the last good one stays in use, and the error says what
    /// is wrong with it; it is said again each time, until there is another.
    pub async fn refresh(&self) -> Result<Refreshed, SourceError> {
        match &self.kind {
            Kind::File(file) => file.refresh().await.map_err(|error| named(&self.name, error)),
            Kind::Postgres(_) | Kind::Http(_) | Kind::Command(_) => Ok(Refreshed::Same),
        }
    }

    /// What is not wrong enough to refuse a file, and that its agency should know: rows that nobody can ask for.
    pub fn warnings(&self) -> Vec<String> {
        match &self.kind {
            Kind::File(file) => file.warnings(),
            Kind::Postgres(_) | Kind::Http(_) | Kind::Command(_) => Vec::new(),
        }
    }

    /// All rows of a file, for whoever has to look at them before anybody asks; nothing of what cannot be looked through.
    pub fn each_row(&self, see: &mut dyn FnMut(Row)) -> Option<UnixTime> {
        let Kind::File(file) = &self.kind else { return None };
        file.each(&mut |number, cells| see(Row { number, cells: cells.iter().map(|cell| Cell::new(cell)).collect() }));
        Some(file.as_of())
    }

    /// How many rows it has, where that is known.
    pub fn rows_held(&self) -> Option<usize> {
        match &self.kind {
            Kind::File(file) => Some(file.rows_held()),
            Kind::Postgres(_) | Kind::Http(_) | Kind::Command(_) => None,
        }
    }

    fn asked_wrongly(&self) -> SourceError {
        let how = match &self.kind {
            Kind::File(_) => "a file is asked by a key: the column of the person's identifier",
            Kind::Postgres(_) => "a database is asked by a statement: query",
            Kind::Http(_) | Kind::Command(_) => "a service or a program is asked by the question alone, without a query",
        };
        SourceError::new(Code::AgtFile, how)
    }
}

fn named(name: &str, error: SourceError) -> SourceError {
    SourceError { code: error.code, what: format!("source {name}: {}", error.what) }
}

/// Whether the columns are those that the mapping was made for. Names of columns are no personal data, so they are named.
fn hold_to(columns: &[Box<str>], pinned: Option<&[Box<str>]>) -> Result<(), SourceError> {
    let Some(pinned) = pinned else { return Ok(()) };
    let lacks = pinned.iter().filter(|name| !columns.contains(name)).map(|name| format!("{name:?} is missing"));
    let more = columns.iter().filter(|name| !pinned.contains(name)).map(|name| format!("{name:?} is new"));
    let differences: Vec<String> = lacks.chain(more).take(DIFFERENCES_MAX).collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(SourceError::new(
        Code::SrcChanged,
        format!("the columns are others than the mapping was made for: {}", differences.join(", ")),
    ))
}

/// Says that a column is not there, and which one may be meant.
fn unknown_column(place: &str, name: &str, columns: &[Box<str>]) -> SourceError {
    let meant = nearest(name, columns.iter().map(AsRef::as_ref));
    let meant = meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
    SourceError::new(Code::AgtUnknown, format!("{place}: there is no column {name:?}{meant}"))
}

const DIFFERENCES_MAX: usize = 10;

#[cfg(test)]
mod tests;
