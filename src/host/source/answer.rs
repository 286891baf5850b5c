//! What every kind of source has in common: the question in words, and rows that are gathered within the limits.

use super::SourceError;
use crate::base::fault::Code;
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::exchange::mapping::{Asked, Cell, Row, Table};
use serde::Serialize;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A question as a program or a service gets it.
#[derive(Serialize)]
pub(super) struct Question<'a> {
    scheme: &'a str,
    value: &'a str,
    from: Option<String>,
    to: Option<String>,
    today: String,
}

impl<'a> Question<'a> {
    pub fn of(asked: &'a Asked) -> Self {
        Self {
            scheme: asked.person.scheme(),
            value: asked.person.value(),
            from: asked.from.map(|day| day.to_string()),
            to: asked.to.map(|day| day.to_string()),
            today: asked.today.to_string(),
        }
    }

    /// The question as one line of JSON.
    pub fn line(&self) -> Result<Vec<u8>, SourceError> {
        let mut line = serde_json::to_vec(self)
            .map_err(|_| SourceError::new(Code::SrcUnavailable, "the question cannot be written as JSON"))?;
        line.push(b'\n');
        Ok(line)
    }
}

/// What may be put into a question: each has its place in a statement and in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Scheme,
    Value,
    From,
    To,
    Today,
}

impl Parameter {
    pub const ALL: [(&'static str, Self); 5] =
        [("scheme", Self::Scheme), ("value", Self::Value), ("from", Self::From), ("to", Self::To), ("today", Self::Today)];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, parameter)| *parameter)
    }

    /// What it is in a question; nothing if the question does not say.
    pub fn of(self, asked: &Asked) -> Option<String> {
        match self {
            Self::Scheme => Some(asked.person.scheme().to_owned()),
            Self::Value => Some(asked.person.value().to_owned()),
            Self::From => asked.from.map(|day| day.to_string()),
            Self::To => asked.to.map(|day| day.to_string()),
            Self::Today => Some(asked.today.to_string()),
        }
    }
}

/// Rows that are gathered for one answer.
pub(super) struct Gathering {
    columns: Arc<[Box<str>]>,
    rows: Vec<Row>,
    rows_max: usize,
    octets: usize,
    cells: Vec<Cell>,
}

impl Gathering {
    pub fn new(columns: &Arc<[Box<str>]>, rows_max: usize) -> Self {
        Self { columns: Arc::clone(columns), rows: Vec::new(), rows_max, octets: 0, cells: Vec::new() }
    }

    /// Takes the next cell of a row that is not ended yet.
    pub fn cell(&mut self, text: Option<&str>) -> Result<(), SourceError> {
        let text = text.unwrap_or_default();
        if text.len() > limits::SOURCE_CELL_BYTES_MAX {
            let what = format!("a cell has more than {} octets, which is the limit", limits::SOURCE_CELL_BYTES_MAX);
            return Err(SourceError::new(Code::SrcTooMuch, what));
        }
        self.octets = self.octets.saturating_add(text.len());
        if self.octets > limits::SOURCE_ANSWER_BYTES_MAX {
            return Err(too_large());
        }
        self.cells.push(Cell::new(text));
        Ok(())
    }

    /// Ends a row. Its number is its place in the answer, unless it has one of its own.
    pub fn end_row(&mut self, number: Option<u64>) -> Result<(), SourceError> {
        if self.rows.len() >= self.rows_max {
            let what = format!("more than {} rows for one question, which is the limit: rows_max", self.rows_max);
            return Err(SourceError::new(Code::SrcTooMuch, what));
        }
        let number = number.unwrap_or_else(|| self.rows.len() as u64 + 1);
        self.rows.push(Row { number, cells: std::mem::take(&mut self.cells) });
        Ok(())
    }

    pub fn finish(self, as_of: UnixTime) -> Table {
        Table { columns: self.columns, rows: self.rows, as_of }
    }
}

pub(super) fn too_large() -> SourceError {
    let what = format!("the answer has more than {} octets, which is the limit", limits::SOURCE_ANSWER_BYTES_MAX);
    SourceError::new(Code::SrcTooMuch, what)
}

/// How many rows a source may give, from its configuration.
pub(super) fn rows_max(said: Option<usize>) -> Result<usize, SourceError> {
    within("rows_max", said, limits::SOURCE_ROWS, limits::SOURCE_ROWS_MAX)
}

/// A number of the configuration, which has a default and a limit.
pub(super) fn within(key: &str, said: Option<usize>, otherwise: usize, most: usize) -> Result<usize, SourceError> {
    let number = said.unwrap_or(otherwise);
    let wrong = || SourceError::new(Code::AgtFile, format!("{key} is a number from 1 to {most}"));
    (1..=most).contains(&number).then_some(number).ok_or_else(wrong)
}

/// A length of time of the configuration, which has a default and a limit.
pub(super) fn within_ms(key: &str, said: Option<Duration>, otherwise: u64, most: u64) -> Result<Duration, SourceError> {
    let time = said.unwrap_or(Duration::from_millis(otherwise));
    let wrong = || SourceError::new(Code::AgtFile, format!("{key} is a time from 1ms to {most}ms"));
    (Duration::from_millis(1)..=Duration::from_millis(most)).contains(&time).then_some(time).ok_or_else(wrong)
}

/// The names of the columns of a configuration.
pub(super) fn columns<'n>(names: impl Iterator<Item = &'n str>) -> Result<Arc<[Box<str>]>, SourceError> {
    let names: Arc<[Box<str>]> = names.map(Box::from).collect();
    let wrong = |what: &str| Err(SourceError::new(Code::AgtFile, format!("columns: {what}")));
    if names.is_empty() || names.len() > limits::SOURCE_COLUMNS_MAX {
        return wrong(&format!("there must be from 1 to {}", limits::SOURCE_COLUMNS_MAX));
    }
    if names.iter().any(|name| name.trim().is_empty()) {
        return wrong("one has no name");
    }
    match twice(&names) {
        Some(name) => wrong(&format!("{name:?} is there twice")),
        None => Ok(names),
    }
}

/// Which columns a row need not have, in the order of the columns.
pub(super) fn optional(names: &[String], columns: &[Box<str>]) -> Result<Vec<Presence>, SourceError> {
    for name in names {
        if !columns.iter().any(|column| **column == **name) {
            return Err(super::unknown_column("optional", name, columns));
        }
    }
    let presence = |column: &str| if names.iter().any(|name| name == column) { Presence::Optional } else { Presence::Required };
    Ok(columns.iter().map(|column| presence(column)).collect())
}

/// Whether a row must have a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
}

/// A name that is there twice.
pub(super) fn twice(names: &[Box<str>]) -> Option<&str> {
    let mut sorted: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    sorted.windows(2).find_map(|two| (two.first() == two.last()).then(|| two.first().copied())?)
}

/// Reads a password or a token. Nobody but its owner may read it, and its line's end is the editor's.
pub(super) fn secret(path: &Path) -> Result<String, SourceError> {
    let wrong = |what: &dyn std::fmt::Display| SourceError::new(Code::AgtFile, format!("{}: {what}", path.display()));
    // Opening a pipe would wait for whoever writes into it.
    if !std::fs::metadata(path).map_err(|cause| wrong(&cause.kind()))?.is_file() {
        return Err(wrong(&"it is no file"));
    }
    let file = std::fs::File::open(path).map_err(|cause| wrong(&cause.kind()))?;
    let mode = file.metadata().map_err(|cause| wrong(&cause.kind()))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(wrong(&format!("others may read it, its mode is {mode:o}; chmod 600 takes that from them")));
    }
    let mut text = String::new();
    let most = limits::SOURCE_SECRET_BYTES_MAX as u64;
    file.take(most + 1).read_to_string(&mut text).map_err(|_| wrong(&"it is no text in UTF-8"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || text.len() as u64 > most || line.contains(char::is_control) {
        return Err(wrong(&format!("it must have one line of at most {most} octets")));
    }
    Ok(line.to_owned())
}

pub(super) fn now() -> UnixTime {
    time(SystemTime::now())
}

pub(super) fn time(at: SystemTime) -> UnixTime {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_secret_is_one_line_that_nobody_else_may_read() {
        let path = std::env::temp_dir().join(format!("oncegate-secret-{}", std::process::id()));
        let read = |text: &[u8], mode: u32| {
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
            secret(&path).map_err(|error| error.what)
        };
        let long = |octets: usize| vec![b'x'; octets];
        for (text, expected) in [(&b"a b\n"[..], "a b"), (b"a\r\n", "a"), (b"a", "a")] {
            assert_eq!(read(text, 0o600).as_deref(), Ok(expected));
        }
        assert!(read(&long(limits::SOURCE_SECRET_BYTES_MAX), 0o400).is_ok());
        for (text, mode) in [
            (long(limits::SOURCE_SECRET_BYTES_MAX + 1), 0o600),
            (b"secret".to_vec(), 0o640),
            (b"secret".to_vec(), 0o604),
            (b"secret\nsecret\n".to_vec(), 0o600),
            (b"secret\0".to_vec(), 0o600),
            (b"\n".to_vec(), 0o600),
            (b"secret\xff".to_vec(), 0o600),
        ] {
            let said = read(&text, mode).expect_err("refused");
            assert!(!said.contains("secret\n") && said.starts_with(&path.display().to_string()), "{said}");
        }
        fs::remove_file(&path).expect("removed");
    }
}
