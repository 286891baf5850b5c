//! Statements: one `SELECT` with named parameters, which becomes a prepared one with numbered parameters.
//!
//! The words of PostgreSQL are told apart as its own scanner does ("Lexical Structure" in its manual), so that a colon in a text is no
//! parameter and a semicolon in a comment ends nothing. Whatever cannot be told apart for certain is refused. That a statement only
//! reads is looked at here so that a mistake is found early; what holds it is that it runs in a transaction that cannot write.

use super::SourceError;
use super::answer::Parameter;
use crate::base::fault::{Code, nearest};
use crate::base::limits;

/// A statement that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Without comments and without the last semicolon, its parameters numbered.
    text: Box<str>,
    /// What each number stands for, in the order in which they are first there.
    parameters: Vec<Parameter>,
}

impl Statement {
    /// Reads a statement: the text of the file that `query` names.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let wrong = |what: String| SourceError::new(Code::AgtStatement, what);
        if text.len() > limits::SOURCE_STATEMENT_BYTES_MAX {
            return Err(wrong(format!("it has more than {} octets", limits::SOURCE_STATEMENT_BYTES_MAX)));
        }
        let mut scanner = Scanner::new(text.strip_prefix('\u{feff}').unwrap_or(text));
        scanner.scan().map_err(|what| wrong(format!("line {}: {what}", scanner.line())))?;
        if !scanner.parameters.contains(&Parameter::Value) {
            return Err(wrong("it has no :value, so it would give the rows of everybody".to_owned()));
        }
        Ok(Self { text: scanner.out.trim().into(), parameters: scanner.parameters })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }
}

struct Scanner<'s> {
    text: &'s str,
    at: usize,
    out: String,
    parameters: Vec<Parameter>,
    depth: usize,
    /// What the last thing was that is no blank and no comment.
    last: Last,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Text,
    For,
    Point,
    Other,
    /// The semicolon: nothing may follow.
    End,
}

type Scanned = Result<(), String>;

impl<'s> Scanner<'s> {
    fn new(text: &'s str) -> Self {
        Self { text, at: 0, out: String::with_capacity(text.len()), parameters: Vec::new(), depth: 0, last: Last::Nothing }
    }

    fn line(&self) -> usize {
        self.text.get(..self.at).unwrap_or_default().matches('\n').count() + 1
    }

    fn rest(&self) -> &'s str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn scan(&mut self) -> Scanned {
        while let Some(first) = self.rest().chars().next() {
            if first.is_whitespace() {
                self.copy(first.len_utf8());
            } else if self.rest().starts_with("--") {
                self.skip(self.rest().find('\n').unwrap_or(self.rest().len()));
            } else if self.rest().starts_with("/*") {
                self.comment()?;
            } else {
                self.token(first)?;
            }
        }
        match (self.last, self.depth) {
            (Last::Nothing, _) => Err("there is no statement".to_owned()),
            (_, 1..) => Err("a parenthesis is never closed".to_owned()),
            _ => Ok(()),
        }
    }

    /// Something that means something. The first must be the word that begins a question.
    fn token(&mut self, first: char) -> Scanned {
        if self.last == Last::End {
            return Err("there is something behind the semicolon; a statement is one".to_owned());
        }
        let is_word = first.is_alphabetic() || first == '_' || !first.is_ascii();
        if self.last == Last::Nothing && !is_word {
            return Err("it must begin with SELECT or WITH".to_owned());
        }
        match first {
            _ if is_word => return self.word(),
            '\'' => return self.string(Escapes::None),
            '"' => self.quoted_name()?,
            '$' => return self.dollar(),
            ':' => self.colon()?,
            '0'..='9' => self.copy(run(self.rest(), |c| c.is_ascii_alphanumeric() || c == '_' || c == '.')),
            ';' => {
                self.skip(1);
                self.last = Last::End;
                return Ok(());
            }
            '.' => {
                self.copy(1);
                self.last = Last::Point;
                return Ok(());
            }
            '(' | ')' => self.parenthesis(first)?,
            '\\' => return Err("a backslash: commands of psql are no SQL".to_owned()),
            _ if first.is_control() => return Err("a control character".to_owned()),
            _ => self.copy(first.len_utf8()),
        }
        self.last = Last::Other;
        Ok(())
    }

    fn parenthesis(&mut self, which: char) -> Scanned {
        let depth = if which == '(' { self.depth.checked_add(1) } else { self.depth.checked_sub(1) };
        self.depth = depth.ok_or("a parenthesis is closed that was never opened")?;
        self.copy(1);
        Ok(())
    }

    fn word(&mut self) -> Scanned {
        let rest = self.rest();
        let len = run(rest, |c| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii());
        let word = rest.get(..len).unwrap_or_default().to_ascii_lowercase();
        if self.last == Last::Nothing && !matches!(word.as_str(), "select" | "with") {
            return Err("it must begin with SELECT or WITH".to_owned());
        }
        // Behind a point it is the name of a column.
        if self.last != Last::Point {
            if WRITES.contains(&word.as_str()) {
                let name = word.to_ascii_uppercase();
                return Err(format!("{name} is for statements that write; a column of that name is written \"{word}\""));
            }
            if self.last == Last::For && matches!(word.as_str(), "share" | "no" | "key") {
                return Err("FOR SHARE locks rows, which is writing".to_owned());
            }
        }
        self.copy(len);
        if self.rest().starts_with('\'') {
            match word.as_str() {
                "e" => return self.string(Escapes::Backslash),
                "b" | "x" | "n" => return self.string(Escapes::None),
                _ => {}
            }
        }
        self.last = if word == "for" { Last::For } else { Last::Other };
        Ok(())
    }

    /// A text in single quotes, from its first quote on. Two of them side by side would be one text by a rule that depends on line
    /// breaks and on the kind of the first, so they are refused.
    fn string(&mut self, escapes: Escapes) -> Scanned {
        if self.last == Last::Text {
            return Err("two texts stand side by side; put || between them".to_owned());
        }
        let mut inside = self.rest().char_indices().skip(1);
        let end = loop {
            match inside.next() {
                None => return Err("a text is never closed".to_owned()),
                Some((_, '\\')) if escapes == Escapes::Backslash => drop(inside.next()),
                Some((at, '\'')) => {
                    // Doubled, it is part of the text.
                    if self.rest().get(at + 1..).is_some_and(|behind| behind.starts_with('\'')) {
                        inside.next();
                    } else {
                        break at;
                    }
                }
                Some((_, '\0')) => return Err("a NUL".to_owned()),
                Some(_) => {}
            }
        };
        self.copy(end + 1);
        self.last = Last::Text;
        Ok(())
    }

    fn quoted_name(&mut self) -> Scanned {
        let end = self.rest().get(1..).and_then(|inside| inside.find('"')).ok_or("a name in quotes is never closed")?;
        // A doubled quote is the end of one and the beginning of the next, which comes to the same.
        self.copy(end + 2);
        Ok(())
    }

    /// A text between two tags in dollars.
    fn dollar(&mut self) -> Scanned {
        let rest = self.rest();
        let tag_len = run(rest.get(1..).unwrap_or_default(), |c| c.is_alphanumeric() || c == '_' || !c.is_ascii());
        let tag = rest.get(..tag_len + 2).filter(|tag| tag.ends_with('$'));
        let is_number = rest.get(1..).is_some_and(|tag| tag.starts_with(|c: char| c.is_ascii_digit()));
        let Some(tag) = tag.filter(|_| !is_number) else {
            return Err("parameters have names, not numbers: :scheme, :value, :from, :to, :today".to_owned());
        };
        let inside = rest.get(tag.len()..).unwrap_or_default();
        let end = inside.find(tag).ok_or("a text in dollars is never closed")?;
        self.copy(tag.len() * 2 + end);
        self.last = Last::Text;
        Ok(())
    }

    fn colon(&mut self) -> Scanned {
        let rest = self.rest();
        if rest.starts_with("::") || rest.starts_with(":=") {
            self.copy(2);
            return Ok(());
        }
        let behind = rest.get(1..).unwrap_or_default();
        let len = run(behind, |c| c.is_alphanumeric() || c == '_' || !c.is_ascii());
        let name = behind.get(..len).unwrap_or_default();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            self.copy(1);
            return Ok(());
        }
        let Some(parameter) = Parameter::named(name) else {
            let meant = nearest(name, Parameter::ALL.iter().map(|(known, _)| *known));
            let meant = meant
                .map_or("they are :scheme, :value, :from, :to and :today".to_owned(), |known| format!("did you mean :{known}?"));
            return Err(format!("there is no parameter :{name}; {meant}"));
        };
        let place = self.parameters.iter().position(|known| *known == parameter).unwrap_or_else(|| {
            self.parameters.push(parameter);
            self.parameters.len() - 1
        });
        // All go there as text, so that nobody has to guess what the server takes them for.
        let as_text = format!("CAST(${} AS text)", place + 1);
        match parameter {
            Parameter::Scheme | Parameter::Value => self.out.push_str(&as_text),
            Parameter::From | Parameter::To | Parameter::Today => self.out.push_str(&format!("CAST({as_text} AS date)")),
        }
        self.at += 1 + len;
        Ok(())
    }

    /// A comment, which may have others inside it.
    fn comment(&mut self) -> Scanned {
        let (mut depth, mut len) = (0_usize, 0);
        let rest = self.rest();
        loop {
            let behind = rest.get(len..).unwrap_or_default();
            if behind.starts_with("/*") {
                (depth, len) = (depth + 1, len + 2);
            } else if behind.starts_with("*/") {
                (depth, len) = (depth.saturating_sub(1), len + 2);
            } else {
                len += behind.chars().next().ok_or("a comment is never closed")?.len_utf8();
            }
            if depth == 0 {
                self.skip(len);
                return Ok(());
            }
        }
    }

    fn copy(&mut self, len: usize) {
        self.out.push_str(self.rest().get(..len).unwrap_or_default());
        self.at += len;
    }

    /// Leaves something out; a blank is in its place, since it parts words.
    fn skip(&mut self, len: usize) {
        self.out.push(' ');
        self.at += len;
    }
}

/// Whether a backslash in a text means something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Backslash,
}

/// How many octets at the beginning are of this kind.
fn run(text: &str, is_of: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_of(c)).unwrap_or(text.len())
}

/// Words that only statements have that write, also inside of `WITH`; and the function that could lift what a session is held to.
const WRITES: [&str; 6] = ["insert", "update", "delete", "merge", "into", "set_config"];

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Vec<Parameter>) {
        let statement = Statement::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        (statement.text.into(), statement.parameters)
    }

    #[test]
    fn names_become_numbers_and_are_never_pasted() {
        let (text, parameters) =
            parsed("SELECT a FROM t WHERE id = :value AND s = :scheme AND d BETWEEN :from AND :to AND :value <> ''");
        assert_eq!(
            text,
            "SELECT a FROM t WHERE id = CAST($1 AS text) AND s = CAST($2 AS text) AND d BETWEEN CAST(CAST($3 AS text) AS date) \
             AND CAST(CAST($4 AS text) AS date) AND CAST($1 AS text) <> ''"
        );
        assert_eq!(parameters, [Parameter::Value, Parameter::Scheme, Parameter::From, Parameter::To]);
    }

    #[test]
    fn what_looks_like_a_parameter_in_texts_names_comments_and_casts_is_none() {
        for (text, expected) in [
            ("select ':from' where 'x' = :value", "select ':from' where 'x' = CAST($1 AS text)"),
            ("select 'it''s :from' where a=:value", "select 'it''s :from' where a=CAST($1 AS text)"),
            (r"select E'\':from' where a=:value", r"select E'\':from' where a=CAST($1 AS text)"),
            (r"select '\' where a=:value", r"select '\' where a=CAST($1 AS text)"),
            ("select \"a:from\" where a=:value", "select \"a:from\" where a=CAST($1 AS text)"),
            ("select $x$ ; :from $ $x$ where a=:value", "select $x$ ; :from $ $x$ where a=CAST($1 AS text)"),
            ("select $$:to$$ where a=:value", "select $$:to$$ where a=CAST($1 AS text)"),
            ("-- :from;\nselect a where a=:value;", "select a where a=CAST($1 AS text)"),
            (
                "/* a /* :from ; */ */ with x as (select 1) select a where a=:value ; -- end",
                "with x as (select 1) select a where a=CAST($1 AS text)",
            ),
            ("select a::text, b[1:2] where a=:value::bigint", "select a::text, b[1:2] where a=CAST($1 AS text)::bigint"),
            ("select t.update, \"delete\" where a=:value", "select t.update, \"delete\" where a=CAST($1 AS text)"),
            ("select a$1 where a=:value", "select a$1 where a=CAST($1 AS text)"),
        ] {
            assert_eq!(parsed(text).0, expected, "{text}");
        }
    }

    #[test]
    fn whatever_is_not_one_statement_that_reads_is_refused_with_its_line() {
        for (text, words) in [
            ("", "no statement"),
            ("-- nothing\n/* at all */", "no statement"),
            ("select a where a=:value; select 2", "line 1: there is something behind"),
            ("select a where a=:value;;", "behind the semicolon"),
            ("delete from t where a=:value", "SELECT or WITH"),
            ("(select a where a=:value)", "SELECT or WITH"),
            ("explain select a where a=:value", "SELECT or WITH"),
            ("with x as (\ndelete from t returning a) select a from x where a=:value", "line 2: DELETE"),
            ("with x as (insert into t values (1)) select :value", "INSERT"),
            ("with x as (update t set a=1) select :value", "UPDATE"),
            ("with x as (merge into t) select :value", "MERGE"),
            ("select a into b from t where a=:value", "INTO"),
            ("select a from t where a=:value for update", "UPDATE"),
            ("select a from t where a=:value for share", "FOR SHARE"),
            ("select a from t where a=:value for /* x */ no key update", "FOR SHARE"),
            ("select set_config('statement_timeout','0',false), :value", "SET_CONFIG"),
            ("select a where a=:vaule", "did you mean :value?"),
            ("select a where a=$1", "names, not numbers"),
            ("select a from t", "no :value"),
            ("select ':value'", "no :value"),
            ("select a where a=:value) as q; drop table t; --", "closed that was never opened"),
            ("select (a where a=:value", "never closed"),
            ("select 'a where a=:value", "a text is never closed"),
            (r"select E'a\' where a=:value", "a text is never closed"),
            ("select \"a where a=:value", "a name in quotes is never closed"),
            ("select $x$a$y$ where a=:value", "in dollars is never closed"),
            ("select /* a where a=:value", "a comment is never closed"),
            ("select /* /* */ a where a=:value", "a comment is never closed"),
            ("select E'a'\n'\\' where a=:value or ''=:value", "side by side"),
            ("select a where a=:value\\g", "backslash"),
            ("select a where a=:value \0", "control character"),
        ] {
            let error = Statement::parse(text).expect_err(text);
            assert_eq!(error.code, Code::AgtStatement, "{text}");
            assert!(error.what.contains(words), "{text}: {}", error.what);
        }
        let long = |octets: usize| format!("select :value {}", " ".repeat(octets - "select :value ".len()));
        assert!(Statement::parse(&long(limits::SOURCE_STATEMENT_BYTES_MAX)).is_ok());
        assert!(Statement::parse(&long(limits::SOURCE_STATEMENT_BYTES_MAX + 1)).is_err());
    }
}
