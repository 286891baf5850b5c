//! Reading the files of this room: what is wrong is told all at once, each with its file, line and column, and the nearest known word.
//!
//! Refuses what is larger than `QUALITY_FILE_BYTES_MAX`, keys that are not known, and texts that are not there in each language.

use super::words::Month;
use crate::base::fault::{Code as Fault, nearest};
use crate::base::ids::{AgencyId, Code, Region};
use crate::base::limits;
use crate::rules::situation::diagnostic::told_of_toml;
use crate::rules::situation::{Diagnostic, File, Texts};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;

/// What is wrong was noted already; what depends on it is left out.
pub(super) struct Noted;

pub(super) type Read<T> = Result<T, Noted>;

/// A word with its place.
pub(super) type Word = Spanned<String>;

/// A text in several languages, as it stands in a file.
pub(super) type RawTexts = Spanned<BTreeMap<String, String>>;

/// Tables that name things: the key is the name.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned", transparent)]
pub(super) struct Table<T>(pub BTreeMap<Word, T>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// A file that is being read, and what is wrong with it so far.
pub(super) struct Reading<'f> {
    file: &'f File,
    wrong: Vec<Diagnostic>,
}

impl<'f> Reading<'f> {
    /// Reads a file of this form; either all of it is good, or all that is wrong is told.
    pub(super) fn whole<R: DeserializeOwned, T>(
        file: &'f File,
        read: impl FnOnce(&mut Self, R) -> Read<T>,
    ) -> Result<T, Vec<Diagnostic>> {
        let mut reading = Self { file, wrong: Vec::new() };
        let value = reading.toml().and_then(|raw| read(&mut reading, raw));
        let mut wrong = reading.wrong;
        wrong.sort_by_key(|told| (told.line, told.column));
        wrong.truncate(limits::CATALOGUE_ERRORS_MAX);
        match value {
            Ok(value) if wrong.is_empty() => Ok(value),
            _ => Err(wrong),
        }
    }

    fn toml<T: DeserializeOwned>(&mut self) -> Read<T> {
        let most = limits::QUALITY_FILE_BYTES_MAX;
        if self.file.text.len() > most {
            return self.wrong(Fault::QuaTooMuch, &(0..0), format!("a file has at most {most} octets"));
        }
        toml::from_str(&self.file.text).or_else(|error| {
            let (span, what) = told_of_toml(&error);
            self.wrong(Fault::QuaSyntax, &span, what)
        })
    }

    pub(super) fn note(&mut self, code: Fault, at: &Range<usize>, what: impl Into<String>) {
        // Of a hostile file not everything is said.
        if self.wrong.len() < limits::CATALOGUE_ERRORS_MAX * 4 {
            self.wrong.push(Diagnostic::new(code, self.file, at, what));
        }
    }

    pub(super) fn wrong<T>(&mut self, code: Fault, at: &Range<usize>, what: impl Into<String>) -> Read<T> {
        self.note(code, at, what);
        Err(Noted)
    }

    /// Each file says which form it has: this program reads the first.
    pub(super) fn format(&mut self, format: &Spanned<u32>) -> Read<()> {
        match format.get_ref() {
            1 => Ok(()),
            other => self.wrong(Fault::QuaSyntax, &format.span(), format!("format = {other}; this program reads format = 1")),
        }
    }

    /// A word that `parse` takes, or what it should be.
    pub(super) fn parsed<T>(&mut self, text: &Word, parse: impl FnOnce(&str) -> Option<T>, should: &str) -> Read<T> {
        let word = text.get_ref();
        parse(word).map_or_else(|| self.wrong(Fault::QuaSyntax, &text.span(), format!("\"{word}\" is not {should}")), Ok)
    }

    /// A name.
    pub(super) fn code(&mut self, text: &Word) -> Read<Code> {
        self.parsed(text, Code::parse, "a name: small letters, digits, points and dashes, at most 64")
    }

    /// The name of an agency.
    pub(super) fn agency(&mut self, text: &Word) -> Read<AgencyId> {
        self.parsed(text, AgencyId::parse, "the name of an agency, as ru.yar.school-17 is")
    }

    /// A region.
    pub(super) fn region(&mut self, text: &Word) -> Read<Region> {
        self.parsed(text, Region::parse, "a region, as RU-YAR is")
    }

    /// A month.
    pub(super) fn month(&mut self, text: &Word) -> Read<Month> {
        self.parsed(text, Month::parse, "a month, as 2026-03 is")
    }

    /// One of those that are known.
    pub(super) fn known<T: Clone>(&mut self, text: &Word, what: &str, known: &[(&str, T)]) -> Read<T> {
        let word = text.get_ref();
        if let Some((_, found)) = known.iter().find(|(name, _)| name == word) {
            return Ok(found.clone());
        }
        let near = nearest(word, known.iter().map(|(name, _)| *name));
        let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        self.wrong(Fault::QuaUnknown, &text.span(), format!("no {what} is called {word}{near}"))
    }

    /// A text in both languages.
    pub(super) fn texts(&mut self, raw: RawTexts) -> Read<Texts> {
        let span = raw.span();
        let languages = LANGUAGES.map(Into::into);
        Texts::parse(raw.into_inner(), &languages).or_else(|wrong| self.wrong(Fault::QuaSyntax, &span, wrong.to_string()))
    }

    /// A count within bounds.
    pub(super) fn count(&mut self, raw: &Spanned<u64>, within: std::ops::RangeInclusive<u64>, what: &str) -> Read<u64> {
        let count = *raw.get_ref();
        if within.contains(&count) {
            return Ok(count);
        }
        let (least, most) = (within.start(), within.end());
        self.wrong(Fault::QuaSyntax, &raw.span(), format!("{what} is {least} to {most}, and not {count}"))
    }

    /// Each of several, with whatever is wrong noted.
    pub(super) fn each<T, U>(&mut self, raw: Vec<T>, mut read: impl FnMut(&mut Self, T) -> Read<U>) -> Vec<U> {
        raw.into_iter().filter_map(|one| read(self, one).ok()).collect()
    }

    /// A name that none of those before it has.
    pub(super) fn once(&mut self, before: &mut BTreeSet<Code>, word: &Word) -> Read<Code> {
        let name = self.code(word)?;
        if !before.insert(name.clone()) {
            return self.wrong(Fault::QuaSyntax, &word.span(), format!("{name} stands there twice"));
        }
        Ok(name)
    }
}

/// The languages of all texts of this room.
pub(super) const LANGUAGES: [&str; 2] = ["en", "ru"];

/// More of anything than this is no figure of a country.
pub(super) const MANY: u64 = 1_000_000_000_000;
