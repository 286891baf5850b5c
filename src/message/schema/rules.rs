//! What is true of a document beyond its schema: dates that follow one another, roles that are given once.
//!
//! XML Schema 1.0 cannot compare two values. The rules are rows of `documents.toml`; each answers with a code of its own.

use super::watch::{Watch, Watching};
use crate::base::fault::{Code, Fault};
use crate::base::time::Day;
use serde::Deserialize;

/// A rule of `documents.toml` with the paths that it compares.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum RuleRow {
    Period { from: String, to: String, days: Option<String> },
    Birth { born: String, recorded: String },
    Marriage { begins: String, ends: String },
    OncePerRole { paths: Vec<String> },
}

impl RuleRow {
    /// Looks its paths up in the schema.
    pub(super) fn look_up(&self, watching: &mut Watching<'_>) -> Result<Rule, String> {
        let mut once = |path: &String| watching.compared_once(path);
        Ok(match self {
            Self::Period { from, to, days } => {
                let days = days.as_ref().map(&mut once).transpose()?;
                Rule::Period { from: once(from)?, to: once(to)?, days }
            }
            Self::Birth { born, recorded } => Rule::Birth { born: once(born)?, recorded: once(recorded)? },
            Self::Marriage { begins, ends } => Rule::Marriage { begins: once(begins)?, ends: once(ends)? },
            Self::OncePerRole { paths } => {
                Rule::OncePerRole { roles: paths.iter().map(|path| watching.compared(path)).collect::<Result<_, _>>()? }
            }
        })
    }
}

/// A rule, its elements as places in the list of watches.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// A period does not end before it begins, and its days are its length, both ends counted.
    Period { from: usize, to: usize, days: Option<usize> },
    /// A birth is not after the record of it.
    Birth { born: usize, recorded: usize },
    /// A marriage does not end before it begins.
    Marriage { begins: usize, ends: usize },
    /// No role is given to two elements.
    OncePerRole { roles: Vec<usize> },
}

/// A value that was kept to be compared.
pub(super) struct Watched {
    pub(super) node: usize,
    pub(super) value: Box<str>,
}

/// Checks all rules; the first one broken is the fault.
pub(super) fn check(rules: &[Rule], nodes: &[Watch], watched: &[Watched]) -> Result<(), Fault> {
    let values = Values { nodes, watched };
    rules.iter().try_for_each(|rule| match rule {
        Rule::Period { from, to, days } => values.period(*from, *to, *days),
        Rule::Birth { born, recorded } => values.in_order(*born, *recorded, Code::DocBirth),
        Rule::Marriage { begins, ends } => values.in_order(*begins, *ends, Code::DocMarriage),
        Rule::OncePerRole { roles } => values.once_per_role(roles),
    })
}

struct Values<'v> {
    nodes: &'v [Watch],
    watched: &'v [Watched],
}

impl Values<'_> {
    fn of(&self, node: usize) -> Option<&str> {
        self.watched.iter().find(|watched| watched.node == node).map(|watched| &*watched.value)
    }

    fn path(&self, node: usize) -> &str {
        self.nodes.get(node).map_or("", |watch| &watch.path)
    }

    fn period(&self, from: usize, to: usize, days: Option<usize>) -> Result<(), Fault> {
        self.in_order(from, to, Code::DocPeriod)?;
        let Some(((first, last), days)) = self.of(from).zip(self.of(to)).zip(days) else { return Ok(()) };
        let Some(counted) = self.of(days) else { return Ok(()) };
        let fault = |what| Fault::at(Code::DocPeriod, format!("{}: {what}", self.path(days)));
        let (Some(first), Some(last)) = (Day::parse(first), Day::parse(last)) else { return Err(fault("not counted from days")) };
        let length = last.days_since_epoch().saturating_sub(first.days_since_epoch()).saturating_add(1);
        if counted.trim_start_matches('+').parse() == Ok(length) { Ok(()) } else { Err(fault("not the days of the period")) }
    }

    /// Both are days, instants in UTC, or births known by the year or month: all are words that sort by time, and the
    /// shorter one decides how closely they can be compared. Decimals of a second are left aside.
    fn in_order(&self, earlier: usize, later: usize, code: Code) -> Result<(), Fault> {
        let Some((early, late)) = self.of(earlier).zip(self.of(later)) else { return Ok(()) };
        let plain = |text: &str| text.bytes().take(4).filter(u8::is_ascii_digit).count() == 4;
        let closeness = early.len().min(late.len()).min("2026-03-04T05:12:09".len());
        let good = plain(early) && plain(late) && early.get(..closeness) <= late.get(..closeness);
        let fault = || Fault::at(code, format!("{} is after {}", self.path(earlier), self.path(later)));
        if good { Ok(()) } else { Err(fault()) }
    }

    fn once_per_role(&self, roles: &[usize]) -> Result<(), Fault> {
        let given = || self.watched.iter().filter(|watched| roles.contains(&watched.node));
        let twice = given().enumerate().find(|(at, role)| given().take(*at).any(|other| other.value == role.value));
        twice.map_or(Ok(()), |(_, role)| Err(Fault::at(Code::DocParents, format!("{}: given before", self.path(role.node)))))
    }
}
