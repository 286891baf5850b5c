//! Separated values, strictly: RFC 4180, with any separator, and line breaks of either kind.
//!
//! Spreadsheets repair what they read, each in its own way, and nobody sees it. Here nothing is repaired: a quote that is never closed, text
//! behind a closing quote, a quote inside a cell that does not begin with one, and a row of another length than the header are refused.
//! What a cell says is never evaluated, so one that begins with `=` is a text like any other.

use super::decode::Wrong;
use crate::base::limits;
use memchr::{memchr, memchr_iter, memchr3};
use std::borrow::Cow;

/// What is between cells and around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    separator: u8,
    quote: u8,
}

impl Form {
    pub fn new(separator: Option<&str>, quote: Option<char>) -> Result<Self, &'static str> {
        let mark = |text: &str| match text.as_bytes() {
            [b'\t'] => Some(b'\t'),
            [octet] if octet.is_ascii_punctuation() || *octet == b' ' => Some(*octet),
            _ => None,
        };
        let separator = match separator.unwrap_or(",") {
            "tab" => b'\t',
            said => mark(said).ok_or("separator is one character that is no letter or digit, or \"tab\"")?,
        };
        let quote = quote.unwrap_or('"').to_string();
        let quote = mark(&quote).filter(|quote| *quote != separator && *quote != b'\t');
        Ok(Self { separator, quote: quote.ok_or("quote is one character that is no letter or digit, and not the separator")? })
    }
}

/// A cell as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'t> {
    /// What is between its quotes, or between its separators.
    inside: &'t str,
    /// The quote that stands doubled in it, if it has some.
    doubled: Option<char>,
}

impl<'t> Field<'t> {
    /// What it says.
    pub fn text(self) -> Cow<'t, str> {
        match self.doubled {
            Some(quote) => Cow::Owned(self.inside.replace(&format!("{quote}{quote}"), &quote.to_string())),
            None => Cow::Borrowed(self.inside),
        }
    }
}

/// Where a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub offset: usize,
    pub line: u64,
}

/// Reads records from where it stands.
pub(super) struct Reader<'t> {
    text: &'t str,
    form: Form,
    at: Place,
}

/// What comes behind a cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Cell,
    End,
}

impl<'t> Reader<'t> {
    pub fn new(text: &'t str, form: Form) -> Self {
        Self::from(text, form, Place { offset: 0, line: 1 })
    }

    pub fn from(text: &'t str, form: Form, at: Place) -> Self {
        Self { text, form, at }
    }

    /// Reads the next record into `fields`, and says where it began; nothing at the end.
    pub fn next(&mut self, fields: &mut Vec<Field<'t>>) -> Result<Option<Place>, Wrong> {
        fields.clear();
        let begun = self.at;
        if begun.offset >= self.text.len() {
            return Ok(None);
        }
        loop {
            if fields.len() >= limits::SOURCE_COLUMNS_MAX {
                return Err(Wrong::new(begun.line, format!("more than {} cells in a row", limits::SOURCE_COLUMNS_MAX)));
            }
            let (field, behind) = if self.peek() == Some(self.form.quote) { self.quoted()? } else { self.plain()? };
            if field.inside.len() > limits::SOURCE_CELL_BYTES_MAX {
                let what = format!("cell {} has more than {} octets", fields.len() + 1, limits::SOURCE_CELL_BYTES_MAX);
                return Err(Wrong::new(begun.line, what));
            }
            fields.push(field);
            if behind == Behind::End {
                return Ok(Some(begun));
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at.offset).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at.offset..).unwrap_or_default()
    }

    /// A cell without quotes: up to a separator or the end of the line.
    fn plain(&mut self) -> Result<(Field<'t>, Behind), Wrong> {
        let rest = self.rest();
        let end = memchr3(self.form.separator, b'\n', self.form.quote, rest.as_bytes()).unwrap_or(rest.len());
        let inside = rest.get(..end).unwrap_or_default();
        self.at.offset += end;
        match self.peek() {
            Some(octet) if octet == self.form.separator => {
                self.at.offset += 1;
                Ok((Field { inside, doubled: None }, Behind::Cell))
            }
            Some(b'\n') => {
                self.end_line();
                let inside = inside.strip_suffix('\r').unwrap_or(inside);
                Ok((Field { inside, doubled: None }, Behind::End))
            }
            Some(_) => Err(Wrong::new(self.at.line, "a quote inside a cell that does not begin with one")),
            None => Ok((Field { inside, doubled: None }, Behind::End)),
        }
    }

    /// A cell in quotes, in which a quote stands doubled.
    fn quoted(&mut self) -> Result<(Field<'t>, Behind), Wrong> {
        let begun = self.at.line;
        self.at.offset += 1;
        let rest = self.rest();
        let (octets, mut end, mut doubled) = (rest.as_bytes(), 0, None);
        loop {
            let found = octets.get(end..).and_then(|behind| memchr(self.form.quote, behind));
            end += found.ok_or_else(|| Wrong::new(begun, "a quote is opened here and never closed"))?;
            if octets.get(end + 1) != Some(&self.form.quote) {
                break;
            }
            doubled = Some(char::from(self.form.quote));
            end += 2;
        }
        let inside = rest.get(..end).unwrap_or_default();
        self.at.line += memchr_iter(b'\n', inside.as_bytes()).count() as u64;
        self.at.offset += end + 1;
        let behind = match self.rest().as_bytes() {
            [] => Behind::End,
            [octet, ..] if *octet == self.form.separator => {
                self.at.offset += 1;
                Behind::Cell
            }
            [b'\n', ..] => self.end_line(),
            [b'\r', b'\n', ..] => {
                self.at.offset += 1;
                self.end_line()
            }
            _ => return Err(Wrong::new(self.at.line, "text behind the closing quote of a cell")),
        };
        Ok((Field { inside, doubled }, behind))
    }

    fn end_line(&mut self) -> Behind {
        self.at = Place { offset: self.at.offset + 1, line: self.at.line + 1 };
        Behind::End
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, separator: &str) -> Result<Vec<(u64, Vec<String>)>, Wrong> {
        let form = Form::new(Some(separator), None).expect("a form");
        let (mut reader, mut fields, mut records) = (Reader::new(text, form), Vec::new(), Vec::new());
        while let Some(place) = reader.next(&mut fields)? {
            records.push((place.line, fields.iter().map(|field| field.text().into_owned()).collect()));
            // Whoever begins there finds the same.
            let mut again = Vec::new();
            Reader::from(text, form, place).next(&mut again).expect("the same record");
            assert_eq!(again.len(), fields.len());
        }
        Ok(records)
    }

    fn record(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn cells_are_read_as_rfc_4180_writes_them() {
        let text = "a,b,c\r\n1,\"x, \"\"y\"\"\r\nz\", \n,,\r\n\"\",\"\"\"\",=1+1";
        let expected = vec![
            record(1, &["a", "b", "c"]),
            record(2, &["1", "x, \"y\"\r\nz", " "]),
            record(4, &["", "", ""]),
            record(5, &["", "\"", "=1+1"]),
        ];
        assert_eq!(read(text, ",").expect("read"), expected);
        assert_eq!(read("a\tЖ\n", "tab").expect("read"), vec![record(1, &["a", "Ж"])]);
        assert_eq!(read("a;b;", ";").expect("read"), vec![record(1, &["a", "b", ""])]);
        assert_eq!(read("", ",").expect("read"), vec![]);
    }

    #[test]
    fn what_cannot_be_read_in_one_way_is_refused_with_its_line() {
        for (text, line, words) in [
            ("a,b\n\"1,2\n3,4\n", 2, "never closed"),
            ("a,b\n\"1\" ,2\n", 2, "behind the closing quote"),
            ("a,b\n\"1\n2\"x,2\n", 3, "behind the closing quote"),
            ("a,b\nx\"1\",2\n", 2, "does not begin with one"),
            ("a\n\"", 2, "never closed"),
        ] {
            let wrong = read(text, ",").expect_err(words);
            assert_eq!(wrong.line, line, "{text:?}");
            assert!(wrong.what.contains(words), "{}", wrong.what);
        }
    }

    #[test]
    fn a_row_has_so_many_cells_of_so_many_octets_and_no_more() {
        let cells = |count: usize| ",".repeat(count - 1);
        assert!(read(&cells(limits::SOURCE_COLUMNS_MAX), ",").is_ok());
        assert!(read(&cells(limits::SOURCE_COLUMNS_MAX + 1), ",").is_err());
        for quote in ["", "\""] {
            let cell = |octets: usize| format!("{quote}{}{quote}", "x".repeat(octets));
            assert!(read(&cell(limits::SOURCE_CELL_BYTES_MAX), ",").is_ok());
            assert!(read(&cell(limits::SOURCE_CELL_BYTES_MAX + 1), ",").is_err());
        }
    }

    #[test]
    fn separator_and_quote_are_marks_and_not_the_same() {
        for (separator, quote) in
            [(",", ','), ("ab", '"'), ("", '"'), ("x", '"'), ("\n", '"'), ("¦", '"'), (",", '\t'), (",", 'ж')]
        {
            assert!(Form::new(Some(separator), Some(quote)).is_err(), "{separator:?} {quote:?}");
        }
        for (separator, quote) in [(";", '"'), ("tab", '\''), ("\t", '"'), ("|", '\'')] {
            assert!(Form::new(Some(separator), Some(quote)).is_ok(), "{separator:?} {quote:?}");
        }
    }
}
