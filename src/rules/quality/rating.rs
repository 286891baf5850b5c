//! What is kept of one answer, apart from the person who gave it: one line of JSON, with a month and no day, a region and no address.
//!
//! Refuses keys that are not known, a key twice, and what is of no form. A line holds nothing that was not asked, so that nobody can be
//! found by it: what is shown of many lines is suppressed where it is of few.

use super::questionnaire::Answer;
use super::words::{Comment, Dimension, Ending, Month, Provider, Rated, Reason, Score};
use crate::base::ids::{AgencyId, Code, Region};
use crate::base::limits;
use crate::rules::situation::texts::is_hidden;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is kept of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    about: About,
    scores: BTreeMap<Dimension, Score>,
    comment: Option<Comment>,
    reasons: BTreeSet<Reason>,
}

/// What an answer is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// A situation, or one service.
    pub rated: Rated,
    /// Where.
    pub region: Region,
    /// In which month it came to its end.
    pub month: Month,
    /// How it came to its end.
    pub ending: Ending,
    /// The agencies that took part.
    pub agencies: BTreeSet<AgencyId>,
    /// Whose the provider is: that of the service, or of what mattered most in the situation.
    pub provider: Provider,
}

/// Why a line is no rating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RatingError {
    /// It is longer than any rating.
    TooLong,
    /// It is no JSON of this form. The cause is not kept: it repeats what stands there, which may be somebody's words.
    Form {
        /// Where in the line, from 1.
        column: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A key has a value that is none of its own.
    Value(&'static str),
    /// It is about neither a situation nor a service, or about both.
    NotOne,
    /// Nothing was answered.
    Empty,
    /// Too many agencies took part, or none.
    Agencies,
}

impl fmt::Display for RatingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a line has at most {} octets", limits::RATING_BYTES_MAX),
            Self::Form { column, what } => write!(f, "it is no rating at column {column}: {what}"),
            Self::Value(key) => write!(f, "{key} has a value that it cannot have"),
            Self::NotOne => f.write_str("it is about one situation or about one service"),
            Self::Empty => f.write_str("nothing is answered"),
            Self::Agencies => write!(f, "1 to {} agencies took part, each once", limits::RATING_AGENCIES_MAX),
        }
    }
}

impl std::error::Error for RatingError {}

impl From<serde_json::Error> for RatingError {
    fn from(cause: serde_json::Error) -> Self {
        let what = match cause.classify() {
            serde_json::error::Category::Data => "a key is missing, not known, there twice, or of another type",
            _ => "it is no JSON",
        };
        Self::Form { column: cause.column(), what }
    }
}

/// A line of a file that is no rating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// Which, from 1.
    pub line: usize,
    /// Why.
    pub cause: RatingError,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.cause)
    }
}

impl std::error::Error for LineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl Rating {
    /// What is kept of an answer. Its agencies are one to `RATING_AGENCIES_MAX`.
    pub fn new(about: About, answer: Answer) -> Result<Self, RatingError> {
        let (scores, comment) = answer.into_parts();
        Self { about, scores, comment, reasons: BTreeSet::new() }.checked()
    }

    /// With the reasons that somebody has read from its comment.
    #[must_use]
    pub fn coded(self, reasons: BTreeSet<Reason>) -> Self {
        Self { reasons, ..self }
    }

    fn checked(self) -> Result<Self, RatingError> {
        if !(1..=limits::RATING_AGENCIES_MAX).contains(&self.about.agencies.len()) {
            return Err(RatingError::Agencies);
        }
        if self.scores.is_empty() && self.comment.is_none() {
            return Err(RatingError::Empty);
        }
        Ok(self)
    }

    /// What it is about.
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// By dimension.
    pub const fn scores(&self) -> &BTreeMap<Dimension, Score> {
        &self.scores
    }

    /// In their own words.
    pub const fn comment(&self) -> Option<&Comment> {
        self.comment.as_ref()
    }

    /// Why they were not content, as it was coded.
    pub const fn reasons(&self) -> &BTreeSet<Reason> {
        &self.reasons
    }

    /// Whether the person is satisfied: the mean of what they gave is 4 or more. Nothing of whoever gave no points.
    pub fn satisfied(&self) -> Option<Satisfied> {
        let count = self.scores.len();
        let sum: usize = self.scores.values().map(|score| usize::from(score.value())).sum();
        (count > 0).then_some(if sum >= 4 * count { Satisfied::Yes } else { Satisfied::No })
    }

    /// Reads one line.
    pub fn parse(line: &str) -> Result<Self, RatingError> {
        if line.len() > limits::RATING_BYTES_MAX {
            return Err(RatingError::TooLong);
        }
        let raw: Line<'_> = serde_json::from_str(line)?;
        let rated = match (raw.situation, raw.service) {
            (Some(code), None) => Rated::Situation(value("situation", Code::parse(&code))?),
            (None, Some(code)) => Rated::Service(value("service", Code::parse(&code))?),
            _ => return Err(RatingError::NotOne),
        };
        let agencies: BTreeSet<AgencyId> =
            value("agencies", raw.agencies.iter().map(|name| AgencyId::parse(name)).collect::<Option<_>>())?;
        if agencies.len() != raw.agencies.len() {
            return Err(RatingError::Agencies);
        }
        let about = About {
            rated,
            region: value("region", Region::parse(&raw.region))?,
            month: value("month", Month::parse(&raw.month))?,
            ending: value("ending", Ending::parse(&raw.ending))?,
            agencies,
            provider: value("provider", Provider::parse(&raw.provider))?,
        };
        let comment = raw.text.map(|text| value("text", comment(text.into_owned()))).transpose()?;
        let reasons: BTreeSet<Reason> =
            value("reasons", raw.reasons.iter().map(|name| Reason::parse(name)).collect::<Option<_>>())?;
        Self { about, scores: raw.scores.parsed()?, comment, reasons }.checked()
    }

    /// Writes one line, without its end: the same octets for the same rating.
    pub fn to_line(&self) -> String {
        let About { rated, region, month, ending, agencies, provider } = &self.about;
        let (situation, service) = match rated {
            Rated::Situation(code) => (Some(code.as_str().into()), None),
            Rated::Service(code) => (None, Some(code.as_str().into())),
        };
        let score = |dimension| self.scores.get(&dimension).map(|score| score.value());
        let line = Line {
            situation,
            service,
            region: region.as_str().into(),
            month: month.to_string().into(),
            ending: ending.as_str().into(),
            agencies: agencies.iter().map(|agency| agency.as_str().into()).collect(),
            provider: provider.as_str().into(),
            scores: Scores {
                process: score(Dimension::Process),
                comfort: score(Dimension::Comfort),
                courtesy: score(Dimension::Courtesy),
                competence: score(Dimension::Competence),
                conditions: score(Dimension::Conditions),
            },
            text: self.comment.as_ref().map(|comment| comment.as_str().into()),
            reasons: self.reasons.iter().map(|reason| reason.as_str().into()).collect(),
        };
        serde_json::to_string(&line).expect("strings and numbers are JSON")
    }
}

/// Reads a file of lines, one after the other; empty lines are none.
pub fn read(text: &str) -> impl Iterator<Item = Result<Rating, LineError>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
    lines.map(|(at, line)| Rating::parse(line).map_err(|cause| LineError { line: at + 1, cause }))
}

/// Whether somebody is satisfied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Satisfied {
    /// The mean of what they gave is 4 or more.
    Yes,
    /// It is less.
    No,
}

fn value<T>(key: &'static str, parsed: Option<T>) -> Result<T, RatingError> {
    parsed.ok_or(RatingError::Value(key))
}

/// A text as an answer would have it: one line, nothing hidden, not empty.
fn comment(text: String) -> Option<Comment> {
    let is_good =
        !text.trim().is_empty() && text.chars().count() <= limits::COMMENT_CHARACTERS_MAX && !text.chars().any(is_hidden);
    is_good.then(|| Comment::checked(text))
}

type Text<'l> = std::borrow::Cow<'l, str>;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    situation: Option<Text<'l>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    service: Option<Text<'l>>,
    #[serde(borrow)]
    region: Text<'l>,
    #[serde(borrow)]
    month: Text<'l>,
    #[serde(borrow)]
    ending: Text<'l>,
    #[serde(borrow)]
    agencies: Vec<Text<'l>>,
    #[serde(borrow)]
    provider: Text<'l>,
    scores: Scores,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<Text<'l>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Text<'l>>,
}

/// A struct and no map: a key that stands there twice is refused.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Scores {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comfort: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    courtesy: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    competence: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conditions: Option<u8>,
}

impl Scores {
    fn parsed(self) -> Result<BTreeMap<Dimension, Score>, RatingError> {
        let given = [
            (Dimension::Process, self.process),
            (Dimension::Comfort, self.comfort),
            (Dimension::Courtesy, self.courtesy),
            (Dimension::Competence, self.competence),
            (Dimension::Conditions, self.conditions),
        ];
        let given = given.into_iter().filter_map(|(dimension, score)| Some((dimension, score?)));
        given.map(|(dimension, score)| Ok((dimension, value("scores", Score::new(score))?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::quality::questionnaire::Questionnaire;
    use proptest::prelude::*;

    const LINE: &str = r#"{"situation":"birth-of-child","region":"RU-YAR","month":"2026-03","ending":"done","agencies":["xx.town.sfr","xx.town.zags"],"provider":"state","scores":{"process":5,"courtesy":3},"text":"Долго","reasons":["waiting"]}"#;

    #[test]
    fn a_line_is_read_and_written_octet_for_octet() {
        let rating = Rating::parse(LINE).expect("a rating");
        assert_eq!(rating.to_line(), LINE);
        assert_eq!(rating.satisfied(), Some(Satisfied::Yes), "the mean is 4");
        let least = r#"{"service":"x","region":"RU-YAR","month":"2026-03","ending":"abandoned","agencies":["xx.town.charity"],"provider":"non-state","scores":{"process":3}}"#;
        assert_eq!(Rating::parse(least).expect("a rating").to_line(), least);
    }

    #[test]
    fn what_is_no_rating_is_refused_and_none_of_it_repeated() {
        for (from, to, expected) in [
            ("\"situation\"", "\"snils\":\"112-233-445 95\",\"situation\"", "not known"),
            ("\"month\":\"2026-03\"", "\"month\":\"2026-03\",\"month\":\"2026-03\"", "there twice"),
            ("\"process\":5", "\"process\":5,\"process\":4", "there twice"),
            ("\"process\":5", "\"process\":6", "scores has a value"),
            ("\"process\":5", "\"process\":5.0", "of another type"),
            ("\"process\":5", "\"waiting\":5", "not known"),
            ("2026-03", "2026-03-04", "month has a value"),
            ("RU-YAR", "Yaroslavl", "region has a value"),
            ("\"done\"", "\"finished\"", "ending has a value"),
            ("\"state\"", "\"State\"", "provider has a value"),
            ("[\"waiting\"]", "[\"sloth\"]", "reasons has a value"),
            ("xx.town.sfr", "SFR", "agencies has a value"),
            ("[\"xx.town.sfr\",\"xx.town.zags\"]", "[]", "1 to 64 agencies"),
            ("\"xx.town.sfr\"", "\"xx.town.zags\"", "1 to 64 agencies"),
            ("\"situation\":\"birth-of-child\",", "", "about one situation or about one service"),
            ("\"situation\"", "\"service\":\"x\",\"situation\"", "about one situation or about one service"),
            ("Долго", "a\\u0000b", "text has a value"),
            ("Долго", " ", "text has a value"),
            ("{\"process\":5,\"courtesy\":3},\"text\":\"Долго\"", "{}", "nothing is answered"),
            ("\"reasons\":[\"waiting\"]}", "", "it is no JSON"),
        ] {
            assert!(LINE.contains(from), "{from}");
            let told = Rating::parse(&LINE.replacen(from, to, 1)).expect_err(to).to_string();
            assert!(told.contains(expected) && !told.contains("112-233"), "expected {expected}, found {told}");
        }
    }

    #[test]
    fn a_line_and_its_agencies_are_within_their_limits() {
        let with = |count: usize| {
            let names: Vec<String> = (0..count).map(|number| format!("\"xx.town.school-{number}\"")).collect();
            LINE.replace("\"xx.town.sfr\",\"xx.town.zags\"", &names.join(","))
        };
        assert!(Rating::parse(&with(limits::RATING_AGENCIES_MAX)).is_ok());
        assert!(matches!(Rating::parse(&with(limits::RATING_AGENCIES_MAX + 1)), Err(RatingError::Agencies)));
        let of = |octets: usize| format!("{LINE}{}", " ".repeat(octets - LINE.len()));
        assert!(Rating::parse(&of(limits::RATING_BYTES_MAX)).is_ok());
        assert!(matches!(Rating::parse(&of(limits::RATING_BYTES_MAX + 1)), Err(RatingError::TooLong)));
        let text = |characters: usize| LINE.replace("Долго", &"ё".repeat(characters));
        assert!(Rating::parse(&text(limits::COMMENT_CHARACTERS_MAX)).is_ok());
        assert!(matches!(Rating::parse(&text(limits::COMMENT_CHARACTERS_MAX + 1)), Err(RatingError::Value("text"))));
    }

    #[test]
    fn a_line_that_is_wrong_is_named_by_its_number() {
        let text = format!("{LINE}\n\n{LINE}\nno\n");
        let told: Vec<String> = read(&text).filter_map(Result::err).map(|wrong| wrong.to_string()).collect();
        assert_eq!((told.len(), read(&text).count()), (1, 3));
        assert!(told[0].starts_with("line 4: "), "{told:?}");
    }

    /// The rule of B4: answers cannot be tied to a person.
    #[test]
    fn a_line_has_a_month_and_no_day_and_no_name_of_anybody() {
        let questionnaire = Questionnaire::built_in().unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let answer = questionnaire.answer([("process", "2")]).expect("an answer");
        let about = Rating::parse(LINE).expect("a rating").about().clone();
        let line = Rating::new(about, answer).expect("a rating").to_line();
        let json: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let keys: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
        let known = ["situation", "region", "month", "ending", "agencies", "provider", "scores"];
        assert_eq!(keys.iter().collect::<BTreeSet<_>>(), known.iter().collect());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_the_same(text in "\\PC{0,30}", scores in proptest::array::uniform5(proptest::option::of(0_u8..7))) {
            let names = Dimension::ALL.iter().map(|dimension| dimension.as_str());
            let scores: serde_json::Map<String, serde_json::Value> =
                names.zip(scores).filter_map(|(name, score)| Some((name.to_owned(), score?.into()))).collect();
            let mut line: serde_json::Value = serde_json::from_str(LINE).expect("JSON");
            line["text"] = text.into();
            line["scores"] = scores.into();
            if let Ok(rating) = Rating::parse(&line.to_string()) {
                prop_assert_eq!(&Rating::parse(&rating.to_line()).expect("it was one"), &rating);
            }
        }
    }
}
