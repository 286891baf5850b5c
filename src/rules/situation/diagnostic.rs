//! What is wrong with a file of the catalogue, told with its place and the line that it stands on.

use crate::base::fault::{Code, nearest};
use std::fmt;
use std::ops::Range;

/// A file of the catalogue, by its name in the catalogue's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// For example `federal/birth-of-child.toml`.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl File {
    /// A file with this name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The code of the rule.
    pub code: Code,
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what to write instead.
    pub what: String,
    /// The line as it stands there.
    text: String,
    /// How many characters of it are meant.
    width: usize,
}

impl Diagnostic {
    /// What is wrong with these octets of a file.
    pub fn new(code: Code, file: &File, at: &Range<usize>, what: impl Into<String>) -> Self {
        let is_border = |at: usize| file.text.is_char_boundary(at);
        let start = (0..=at.start.min(file.text.len())).rev().find(|at| is_border(*at)).unwrap_or(0);
        let end = (start..=at.end.clamp(start, file.text.len())).rev().find(|at| is_border(*at)).unwrap_or(start);
        let (before, rest) = file.text.split_at(start);
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let line = file.text.get(begin..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let meant = rest.get(..end - start).and_then(|meant| meant.lines().next()).unwrap_or_default();
        Self {
            code,
            file: file.name.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(begin..).unwrap_or_default().chars().count() + 1,
            what: what.into(),
            text: line.to_owned(),
            width: meant.chars().count().max(1),
        }
    }
}

/// Two or four lines: place, code and what is wrong; the line with carets below what is meant.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, file, line, column, what, text, width } = self;
        write!(f, "{file}:{line}:{column}: {} {what}", code.as_str())?;
        if text.trim().is_empty() {
            return Ok(());
        }
        // Of long lines what is around the place.
        let from = column.saturating_sub(SHOWN / 2);
        let shown: String = text.chars().skip(from).take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let carets = "^".repeat((*width).min(SHOWN.saturating_sub(column - 1 - from)).max(1));
        write!(f, "\n    {}\n    {}{carets}", shown.trim_end(), " ".repeat(column - 1 - from))
    }
}

/// What a reader of TOML has to say, and where: in place of a key that is not known, the one that was meant.
pub fn told_of_toml(error: &toml::de::Error) -> (Range<usize>, String) {
    let message = error.message();
    let what = match unknown_key(message) {
        Some((key, near)) => format!("no key is called {key} here{near}; {}", expected(message)),
        None => message.lines().collect::<Vec<_>>().join(" "),
    };
    (error.span().unwrap_or(0..0), what)
}

/// A key that is not known, and the one that was meant.
fn unknown_key(message: &str) -> Option<(&str, String)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2);
    Some((key, nearest(key, known).map_or(String::new(), |near| format!("; did you mean {near}?"))))
}

fn expected(message: &str) -> String {
    let known = message.split_once(", ").map_or("", |(_, known)| known);
    known.replace('`', "")
}

/// Most characters of a line that are shown.
const SHOWN: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_with_its_line() {
        let file = File::new("federal/x.toml", "a = 1\nтег = \"ёж\" # x\n");
        let at = file.text.find("\"ёж\"").expect("there");
        let wrong = Diagnostic::new(Code::CatUnknown, &file, &(at..at + "\"ёж\"".len()), "no agency is called ёж");
        assert_eq!(
            wrong.to_string(),
            "federal/x.toml:2:7: OG-CAT-002 no agency is called ёж\n    тег = \"ёж\" # x\n          ^^^^"
        );
        for at in [0..0, 7..8, 90..100, 5..9, 5..6] {
            let _ = Diagnostic::new(Code::CatUnknown, &file, &at, "x").to_string();
        }
        let long = File::new("x", format!("{}here{}", "x".repeat(500), "y".repeat(500)));
        let told = Diagnostic::new(Code::CatUnknown, &long, &(500..504), "x").to_string();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[1].find("here"), lines[2].find("^^^^"), "{told}");
    }
}
