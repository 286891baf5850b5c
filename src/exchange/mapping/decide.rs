//! A yes or no instead of a record: a condition over facts of the register's rows. What is not known is never a no.

use super::file::Line;
use super::{Conversion, Failed, From, Reading, Row, Wrong};
use crate::base::fault::{Code as FaultCode, nearest};
use crate::rules::condition::{Condition, FactIndex, Facts, Kind, Value, Verdict, Vocabulary};
use std::ops::Range;

/// Where the answer stands in a document.
pub(super) const ANSWER: &str = "Answer";

/// A condition, with where its facts come from.
#[derive(Debug)]
pub(super) struct Decision {
    condition: Condition,
    facts: Vec<(Box<str>, From, Kind)>,
    /// The entry that takes the answer.
    pub(super) answer: usize,
}

impl Decision {
    pub(super) fn compile((yes, at): (&str, &Range<usize>), facts: &[Line], answer: usize) -> Result<Self, Vec<Wrong>> {
        let facts: Vec<(Box<str>, From, Kind)> =
            facts.iter().map(|line| (line.path.as_str().into(), line.from.clone(), kind_of(&line.from))).collect();
        let condition = Condition::parse(yes, &Names(&facts)).map_err(|error| {
            let start = at.start.saturating_add(1).saturating_add(error.at.start);
            vec![Wrong { code: FaultCode::AgtFile, at: start..at.end, what: format!("yes: {}", error.what) }]
        })?;
        Ok(Self { condition, facts, answer })
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &From> {
        self.facts.iter().map(|(_, from, _)| from)
    }

    /// Yes if it holds for one of the rows, no if it does for none. What would decide and is not known is a failure.
    pub(super) fn decide(&self, reading: &Reading<'_>, rows: &[Row]) -> Result<&'static str, Failed> {
        let mut open = None;
        for row in rows {
            let known = self.known(reading, row)?;
            let finding = self.condition.evaluate(&known);
            match finding.verdict {
                Verdict::Yes => return Ok("yes"),
                Verdict::No => {}
                Verdict::Unknown => {
                    let names = finding.because().filter_map(|fact| self.facts.get(usize::from(fact.0)));
                    let names: Vec<&str> = names.map(|(name, _, _)| &**name).collect();
                    open.get_or_insert_with(|| format!("row {} does not say {}", row.number, names.join(", ")));
                }
            }
        }
        match open {
            Some(what) => Err(Failed { code: FaultCode::SrcUndecided, what }),
            None => Ok("no"),
        }
    }

    fn known(&self, reading: &Reading<'_>, row: &Row) -> Result<Known, Failed> {
        let mut known = Vec::new();
        for (name, from, kind) in &self.facts {
            let text = reading.value(from, row);
            let text = text.map_err(|expects| {
                let what = format!("row {}: {name}: {expects} is expected", row.number);
                Failed { code: FaultCode::SrcRow, what }
            })?;
            known.push(text.and_then(|text| Value::parse(*kind, &text)));
        }
        Ok(Known(known))
    }
}

/// What a fact is, by how it is had.
fn kind_of(from: &From) -> Kind {
    match from {
        From::Columns { conversion: Conversion::Day(_), .. } | From::Today => Kind::Date,
        From::Columns { conversion: Conversion::Integer | Conversion::Years(_), .. } => Kind::Number,
        From::Columns { conversion: Conversion::YesNo { .. }, .. } => Kind::Truth,
        _ => Kind::Text,
    }
}

struct Names<'n>(&'n [(Box<str>, From, Kind)]);

impl Vocabulary for Names<'_> {
    fn find(&self, name: &str) -> Option<(FactIndex, Kind)> {
        let at = self.0.iter().position(|(known, _, _)| **known == *name)?;
        Some((FactIndex(u16::try_from(at).ok()?), self.0.get(at)?.2))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.0.iter().map(|(known, _, _)| &**known))
    }
}

struct Known(Vec<Option<Value>>);

impl Facts for Known {
    fn value(&self, fact: FactIndex) -> Option<&Value> {
        self.0.get(usize::from(fact.0))?.as_ref()
    }
}
