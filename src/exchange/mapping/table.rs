//! What a source is asked, and what it gives: rows of cells under named columns. No cell prints itself.

use crate::base::ids::Identifier;
use crate::base::time::{Day, UnixTime};
use std::fmt;
use std::sync::Arc;

/// What a source is asked: about whom, and about when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The identifier by which the register knows people.
    pub person: Identifier,
    /// From when on, if the question says so.
    pub from: Option<Day>,
    /// Until when, if the question says so.
    pub to: Option<Day>,
    /// The day of the question.
    pub today: Day,
}

/// A cell; nothing where there is none. An empty text is nothing as well.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Cell(Option<Box<str>>);

impl Cell {
    /// A cell with this text. What is around it goes; nothing is left of a text of spaces.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        Self((!text.is_empty()).then(|| text.into()))
    }

    /// A cell with nothing in it.
    pub const fn empty() -> Self {
        Self(None)
    }

    /// The text, for a document; never for a line or a fault.
    pub fn expose(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Cell(…)" } else { "Cell()" })
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number for people: in a file the line that it begins in, counted from 1, else its place in the answer.
    pub number: u64,
    /// A cell for each column.
    pub cells: Vec<Cell>,
}

/// What a source gives: all rows about one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns.
    pub columns: Arc<[Box<str>]>,
    /// The rows, in the source's order.
    pub rows: Vec<Row>,
    /// As of when the data is.
    pub as_of: UnixTime,
}
