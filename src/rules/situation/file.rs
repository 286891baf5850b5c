//! The files of a catalogue, read and checked as a whole.
//!
//! `catalogue.toml` has the country and its languages; `roles.toml`, `agencies.toml`, `documents.toml` and `facts.toml` the words that
//! situations speak, with further ones in `facts-own.toml` and the like; `offices.toml` which agencies
//! they are; `population.toml` what people are like on whom they are tried
//! out; `federal/` the situations, `region/<ISO 3166-2>/` overlays of them, `calendar/` the days off, `texts/` what people are told.

use super::diagnostic::{Diagnostic, File, told_of_toml};
use super::{Catalogue, Checked, Legal, Texts, TextsError, offices, texts, words};
use crate::base::fault::{Code as Fault, nearest};
use crate::base::ids::Code;
use crate::base::limits;
use crate::message::schema::Schemas;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// What is wrong was noted already; what depends on it is left out.
pub(super) struct Noted;

pub(super) type Read<T> = Result<T, Noted>;

/// A catalogue that is being read, and what is wrong with it so far.
pub(super) struct Reading<'r> {
    pub catalogue: Catalogue,
    pub schemas: &'r Schemas,
    pub wrong: Vec<Diagnostic>,
}

impl Catalogue {
    /// Reads a catalogue, in whatever order its files come. Either all of it is good, or all that is wrong is told.
    pub fn read(files: &[File], schemas: &Schemas) -> Result<Self, Vec<Diagnostic>> {
        let mut reading = Reading { catalogue: Self::default(), schemas, wrong: Vec::new() };
        reading.all(files);
        let Reading { catalogue, mut wrong, .. } = reading;
        if wrong.is_empty() {
            return Ok(catalogue);
        }
        wrong.sort_by(|left, right| (&left.file, left.line, left.column).cmp(&(&right.file, right.line, right.column)));
        wrong.truncate(limits::CATALOGUE_ERRORS_MAX);
        Err(wrong)
    }
}

impl Reading<'_> {
    fn all(&mut self, files: &[File]) {
        let total: usize = files.iter().map(|file| file.text.len()).sum();
        let empty = File::new("catalogue", "");
        if files.len() > limits::CATALOGUE_FILES_MAX || total > limits::CATALOGUE_BYTES_MAX {
            let what = format!(
                "a catalogue has at most {} files of {} octets together",
                limits::CATALOGUE_FILES_MAX,
                limits::CATALOGUE_BYTES_MAX
            );
            return self.note(Fault::CatTooMuch, &empty, &(0..0), what);
        }
        let given = files;
        let mut files: Vec<&File> = files.iter().collect();
        files.sort_by(|left, right| left.name.cmp(&right.name));
        for kind in KINDS {
            let is_of_kind = |file: &&File| word_kind(&file.name) == Some(kind);
            let (own, others): (Vec<&File>, Vec<&File>) = files.into_iter().partition(is_of_kind);
            files = others;
            if own.is_empty() && !matches!(kind, "population" | "offices") {
                self.note(Fault::CatUnknown, &empty, &(0..0), format!("the catalogue has no {kind}.toml"));
            }
            own.into_iter().for_each(|file| self.words(kind, file));
        }
        let (calendars, files): (Vec<&File>, Vec<&File>) = files.into_iter().partition(|file| file.name.starts_with("calendar/"));
        let (situations, files): (Vec<&File>, Vec<&File>) = files.into_iter().partition(|file| file.name.starts_with("federal/"));
        let (overlays, files): (Vec<&File>, Vec<&File>) = files.into_iter().partition(|file| file.name.starts_with("region/"));
        let (notices, others): (Vec<&File>, Vec<&File>) =
            files.into_iter().partition(|file| file.name.starts_with(texts::FOLDER));
        calendars.into_iter().for_each(|file| self.calendar(file));
        situations.into_iter().for_each(|file| self.situation(file));
        overlays.into_iter().for_each(|file| self.overlay(file));
        self.notices(&notices, given);
        for file in others {
            let words = KINDS.map(|kind| format!("{kind}.toml")).join(", ");
            let what = format!("it is none of {words}, and neither in federal/ nor in region/, calendar/ or texts/");
            self.note(Fault::CatUnknown, file, &(0..0), what);
        }
    }

    /// The texts of notices, among all that is given.
    fn notices(&mut self, found: &[&File], given: &[File]) {
        for file in found {
            // What is wrong is noted.
            let _: Read<()> = texts::text(self, file, given);
        }
        texts::missing(self, given);
    }

    fn words(&mut self, kind: &str, file: &File) {
        // What is wrong is noted.
        let _: Read<()> = match kind {
            "catalogue" => words::head(self, file),
            "roles" => words::roles(self, file),
            "agencies" => words::offices(self, file),
            "documents" => words::documents(self, file),
            "facts" => words::facts(self, file),
            "population" => words::population(self, file),
            _ => offices::offices(self, file),
        };
    }

    pub(super) fn note(&mut self, code: Fault, file: &File, at: &Range<usize>, what: impl Into<String>) {
        // Of a hostile file not everything is said.
        if self.wrong.len() < limits::CATALOGUE_ERRORS_MAX * 4 {
            self.wrong.push(Diagnostic::new(code, file, at, what));
        }
    }

    pub(super) fn wrong<T>(&mut self, code: Fault, file: &File, at: &Range<usize>, what: impl Into<String>) -> Read<T> {
        self.note(code, file, at, what);
        Err(Noted)
    }

    /// Reads the file as a value of this form.
    pub(super) fn toml<T: DeserializeOwned>(&mut self, file: &File) -> Read<T> {
        toml::from_str(&file.text).or_else(|error| {
            let (span, what) = told_of_toml(&error);
            self.wrong(Fault::CatSyntax, file, &span, what)
        })
    }

    /// A code, as names of things are.
    pub(super) fn code(&mut self, file: &File, text: &Spanned<String>) -> Read<Code> {
        let parsed = Code::parse(text.get_ref());
        parsed.map_or_else(
            || {
                let what = format!("\"{}\" is not a name: small letters, digits, points and dashes, at most 64", text.get_ref());
                self.wrong(Fault::CatSyntax, file, &text.span(), what)
            },
            Ok,
        )
    }

    /// A word that has to be one of those that are known.
    pub(super) fn known(&mut self, file: &File, text: &Spanned<String>, what: &str, known: &[Code]) -> Read<Code> {
        let code = self.code(file, text)?;
        if known.contains(&code) {
            return Ok(code);
        }
        let near = nearest(text.get_ref(), known.iter().map(Code::as_str));
        let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        self.wrong(Fault::CatUnknown, file, &text.span(), format!("no {what} is called {code}{near}"))
    }

    pub(super) fn role(&mut self, file: &File, text: &Spanned<String>) -> Read<Code> {
        let known: Vec<Code> = self.catalogue.roles.keys().cloned().collect();
        self.known(file, text, "role", &known)
    }

    pub(super) fn office(&mut self, file: &File, text: &Spanned<String>) -> Read<Code> {
        let known: Vec<Code> = self.catalogue.offices.keys().cloned().collect();
        self.known(file, text, "agency", &known)
    }

    pub(super) fn document(&mut self, file: &File, text: &Spanned<String>) -> Read<Code> {
        let known: Vec<Code> = self.catalogue.documents.keys().cloned().collect();
        self.known(file, text, "document", &known)
    }

    /// A text in all languages of the catalogue, and in no other.
    pub(super) fn texts(&mut self, file: &File, raw: Spanned<BTreeMap<String, String>>) -> Read<Texts> {
        let span = raw.span();
        match Texts::parse(raw.into_inner(), &self.catalogue.languages) {
            Ok(texts) => Ok(texts),
            Err(TextsError::Foreign { language, known }) => {
                let what = format!("{language} is none of the languages of the catalogue: {}", known.join(", "));
                self.wrong(Fault::CatText, file, &span, what)
            }
            Err(wrong) => self.wrong(Fault::CatText, file, &span, wrong.to_string()),
        }
    }

    /// A reference to the law: country, act and article, as in `RU:143-FZ:16`; one of those that `checked` names has been looked up.
    pub(super) fn legal(&mut self, file: &File, text: &Spanned<String>, checked: &[String]) -> Read<Legal> {
        let reference = text.get_ref();
        let mut parts = reference.split(':');
        let country = parts.next().unwrap_or_default();
        let is_good = country.len() == 2
            && country.bytes().all(|octet| octet.is_ascii_uppercase())
            && parts.clone().next().is_some()
            && parts.all(|part| !part.is_empty())
            && reference.chars().count() <= 80
            && !reference.contains(|c: char| c.is_whitespace() || c.is_control());
        if !is_good {
            let what = format!("\"{reference}\" is not a reference to the law: country, act and article, as in RU:143-FZ:16");
            return self.wrong(Fault::CatSyntax, file, &text.span(), what);
        }
        let checked = if checked.contains(reference) { Checked::Yes } else { Checked::No };
        Ok(Legal { reference: reference.as_str().into(), checked })
    }

    /// A name that stood in another file before.
    pub(super) fn twice<T>(&mut self, file: &File, name: &Spanned<String>) -> Read<T> {
        self.wrong(Fault::CatOrder, file, &name.span(), format!("{} twice: another file has it already", name.get_ref()))
    }

    /// Each of several, with whatever is wrong noted.
    pub(super) fn each<T, U>(&mut self, raw: Vec<T>, mut read: impl FnMut(&mut Self, T) -> Read<U>) -> Vec<U> {
        raw.into_iter().filter_map(|one| read(self, one).ok()).collect()
    }

    /// Each file says which form it has: this program reads the first.
    pub(super) fn format(&mut self, file: &File, format: &Spanned<u32>) -> Read<()> {
        match format.get_ref() {
            1 => Ok(()),
            other => {
                self.wrong(Fault::CatSyntax, file, &format.span(), format!("format = {other}; this program reads format = 1"))
            }
        }
    }
}

/// The kinds of files with words, in the order in which they are read: each speaks only of those before it.
const KINDS: [&str; 7] = ["catalogue", "roles", "agencies", "documents", "facts", "population", "offices"];

/// The kind of a file with words: `facts.toml`, or `facts-own.toml` beside it.
fn word_kind(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(".toml")?;
    Some(stem.split_once('-').map_or(stem, |(kind, _)| kind)).filter(|_| !name.contains('/'))
}

/// Tables that name things: the key is the name.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned", transparent)]
pub(super) struct Table<T>(pub BTreeMap<Spanned<String>, T>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}
