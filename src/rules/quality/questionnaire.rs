//! Questionnaires, each a file, and the answers to them.
//!
//! A question is one of two kinds: five points for a dimension, or words of one's own. Refuses a second question for a dimension, more
//! than one free text, keys that are not known. An answer holds what was asked and nothing else: no name, no time.

use super::file::{RawTexts, Read, Reading, Word};
use super::words::{Comment, Dimension, Score};
use crate::base::fault::Code as Fault;
use crate::base::ids::Code;
use crate::base::limits;
use crate::rules::situation::texts::is_hidden;
use crate::rules::situation::{Diagnostic, File, Texts, Version};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use toml::Spanned;

/// What people are asked after a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Questionnaire {
    /// Its name.
    pub id: Code,
    /// Which version of it.
    pub version: Version,
    /// Its name for people.
    pub title: Texts,
    /// What the five points mean, from the worst.
    pub anchors: [Texts; 5],
    questions: Vec<Question>,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its name in forms.
    pub id: Code,
    /// What it asks.
    pub text: Texts,
    /// How it is answered.
    pub kind: Kind,
}

/// How a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With one of five points.
    Scale(Dimension),
    /// In one's own words, of so many characters.
    Text {
        /// At most.
        characters_max: usize,
    },
}

/// What somebody has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    scores: BTreeMap<Dimension, Score>,
    text: Option<Comment>,
}

impl Answer {
    /// By dimension; those that were left out are not there.
    pub const fn scores(&self) -> &BTreeMap<Dimension, Score> {
        &self.scores
    }

    /// What was written.
    pub const fn text(&self) -> Option<&Comment> {
        self.text.as_ref()
    }

    /// Both, for what is kept of it.
    pub fn into_parts(self) -> (BTreeMap<Dimension, Score>, Option<Comment>) {
        (self.scores, self.text)
    }
}

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// Nothing was answered.
    Empty,
    /// There is no such question. What was asked for is not repeated: it comes from outside.
    UnknownQuestion,
    /// The same question is answered twice.
    Twice(Code),
    /// The answer is none of 1 to 5.
    OutOfRange(Code),
    /// The text is longer than it may be.
    TooLong {
        /// Which question.
        question: Code,
        /// The most.
        characters_max: usize,
    },
    /// The text has a character that is not seen and does something.
    Control(Code),
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing is answered"),
            Self::UnknownQuestion => f.write_str("there is no such question"),
            Self::Twice(question) => write!(f, "{question} is answered twice"),
            Self::OutOfRange(question) => write!(f, "{question} is answered with a number from 1 to 5"),
            Self::TooLong { question, characters_max } => write!(f, "{question} has at most {characters_max} characters"),
            Self::Control(question) => write!(f, "{question} has a control character"),
        }
    }
}

impl std::error::Error for AnswerError {}

impl Questionnaire {
    /// Reads a questionnaire. Either all of it is good, or all that is wrong is told.
    pub fn read(file: &File) -> Result<Self, Vec<Diagnostic>> {
        Reading::whole(file, read)
    }

    /// The one that comes with the program: it cannot be wrong, a test reads it.
    pub fn built_in() -> Result<Self, Vec<Diagnostic>> {
        Self::read(&Self::built_in_file())
    }

    /// Its file.
    pub fn built_in_file() -> File {
        File::new("quality/questionnaire.toml", include_str!("../../../schemas/quality/questionnaire.toml"))
    }

    /// What is asked, in the order of the file.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Reads what a form has sent: names of questions, and what was answered. What is left empty is not answered; of the rest, all is good
    /// or nothing is taken.
    pub fn answer<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Answer, AnswerError> {
        let (mut scores, mut text, mut seen) = (BTreeMap::new(), None, BTreeSet::new());
        for (name, given) in pairs {
            let question = self.questions.iter().find(|known| known.id.as_str() == name);
            let question = question.ok_or(AnswerError::UnknownQuestion)?;
            if !seen.insert(&question.id) {
                return Err(AnswerError::Twice(question.id.clone()));
            }
            match question.kind {
                _ if given.is_empty() => {}
                Kind::Scale(dimension) => {
                    let score = Score::parse(given).ok_or_else(|| AnswerError::OutOfRange(question.id.clone()))?;
                    scores.insert(dimension, score);
                }
                Kind::Text { characters_max } => text = comment(&question.id, given, characters_max)?,
            }
        }
        if scores.is_empty() && text.is_none() {
            return Err(AnswerError::Empty);
        }
        Ok(Answer { scores, text })
    }
}

/// What was written, as one line: where a form breaks lines, a blank stands.
fn comment(question: &Code, given: &str, characters_max: usize) -> Result<Option<Comment>, AnswerError> {
    // Before anything is copied: a character has at least one octet, and a line break of a form has two.
    if given.len() > characters_max * 8 || given.replace("\r\n", "\n").trim().chars().count() > characters_max {
        return Err(AnswerError::TooLong { question: question.clone(), characters_max });
    }
    if given.chars().any(|c| is_hidden(c) && !matches!(c, '\r' | '\n' | '\t')) {
        return Err(AnswerError::Control(question.clone()));
    }
    let line = given.split(char::is_whitespace).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    Ok((!line.is_empty()).then(|| Comment::checked(line)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    format: Spanned<u32>,
    id: Word,
    version: Word,
    title: RawTexts,
    anchors: Spanned<BTreeMap<Word, RawTexts>>,
    question: Spanned<Vec<RawQuestion>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuestion {
    id: Word,
    text: RawTexts,
    dimension: Option<Word>,
    characters_max: Option<Spanned<u64>>,
}

fn read(reading: &mut Reading<'_>, raw: Raw) -> Read<Questionnaire> {
    reading.format(&raw.format)?;
    let id = reading.code(&raw.id);
    let version = reading.parsed(&raw.version, Version::parse, "a version, as 2026.2 is");
    let title = reading.texts(raw.title);
    let anchors = anchors(reading, raw.anchors);
    let questions = questions(reading, raw.question);
    Ok(Questionnaire { id: id?, version: version?, title: title?, anchors: anchors?, questions: questions? })
}

fn anchors(reading: &mut Reading<'_>, raw: Spanned<BTreeMap<Word, RawTexts>>) -> Read<[Texts; 5]> {
    let span = raw.span();
    let mut found = BTreeMap::new();
    for (name, texts) in raw.into_inner() {
        let score = reading.parsed(&name, Score::parse, "one of the points 1 to 5")?;
        found.insert(score, reading.texts(texts)?);
    }
    let found: Vec<Texts> = found.into_values().collect();
    <[Texts; 5]>::try_from(found).or_else(|found| {
        let what = format!("each of the points 1 to 5 has its words; {} of them have", found.len());
        reading.wrong(Fault::QuaSyntax, &span, what)
    })
}

fn questions(reading: &mut Reading<'_>, raw: Spanned<Vec<RawQuestion>>) -> Read<Vec<Question>> {
    let span = raw.span();
    let (mut ids, mut dimensions, mut has_text) = (BTreeSet::new(), BTreeSet::new(), false);
    let questions = reading.each(raw.into_inner(), |reading, raw| {
        let at = raw.id.span();
        let question = question(reading, &mut ids, raw)?;
        match question.kind {
            Kind::Scale(dimension) if !dimensions.insert(dimension) => {
                reading.wrong(Fault::QuaSyntax, &at, format!("another question asks about {dimension} already"))
            }
            Kind::Text { .. } if std::mem::replace(&mut has_text, true) => {
                reading.wrong(Fault::QuaSyntax, &at, "another question asks for words already: one is enough")
            }
            _ => Ok(question),
        }
    });
    if dimensions.is_empty() {
        return reading.wrong(Fault::QuaSyntax, &span, "at least one question has five points: dimension = \"process\"");
    }
    Ok(questions)
}

fn question(reading: &mut Reading<'_>, ids: &mut BTreeSet<Code>, raw: RawQuestion) -> Read<Question> {
    let id = reading.once(ids, &raw.id)?;
    let text = reading.texts(raw.text)?;
    let kind = match (raw.dimension, raw.characters_max) {
        (Some(dimension), None) => {
            let known: Vec<(&str, Dimension)> = Dimension::ALL.iter().map(|known| (known.as_str(), *known)).collect();
            Kind::Scale(reading.known(&dimension, "dimension", &known)?)
        }
        (None, Some(most)) => {
            let most = reading.count(&most, 1..=limits::COMMENT_CHARACTERS_MAX as u64, "characters_max")?;
            Kind::Text { characters_max: most as usize }
        }
        _ => {
            let what = "a question has five points, or words: either dimension, or characters_max";
            return reading.wrong(Fault::QuaSyntax, &raw.id.span(), what);
        }
    };
    Ok(Question { id, text, kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn built_in() -> Questionnaire {
        Questionnaire::built_in().unwrap_or_else(|wrong| panic!("{}", wrong[0]))
    }

    /// What is told when this stands in place of that.
    fn told(from: &str, to: &str) -> Vec<String> {
        let text = Questionnaire::built_in_file().text;
        assert!(text.contains(from), "{from}");
        let file = File::new("q.toml", text.replacen(from, to, 1));
        Questionnaire::read(&file).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_questionnaire_of_the_program_has_five_dimensions_and_one_text() {
        let questionnaire = built_in();
        let dimensions: Vec<Dimension> = questionnaire
            .questions()
            .iter()
            .filter_map(|question| match question.kind {
                Kind::Scale(dimension) => Some(dimension),
                Kind::Text { .. } => None,
            })
            .collect();
        assert_eq!((dimensions.as_slice(), questionnaire.questions().len()), (Dimension::ALL, 6));
        assert_eq!(questionnaire.anchors[4].in_language("ru"), "очень хорошо");
        assert!(
            questionnaire.questions().iter().all(|question| question.text.in_language("ru") != question.text.in_language("en"))
        );
    }

    /// Situations name it.
    #[test]
    fn situations_ask_the_questionnaire_of_the_program() {
        let schemas = crate::message::schema::Schemas::built_in();
        let catalogue = crate::rules::situation::Catalogue::built_in(&schemas).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let named: BTreeSet<Code> =
            catalogue.situations().filter_map(|known| Some(known.survey.as_ref()?.questionnaire.clone())).collect();
        assert_eq!(named, BTreeSet::from([built_in().id]));
    }

    #[test]
    fn each_mistake_of_a_questionnaire_is_told_with_its_place() {
        for (from, to, expected) in [
            (
                "version = \"1\"",
                "vershion = \"1\"",
                "q.toml:5:1: OG-QUA-001 no key is called vershion here; did you mean version?",
            ),
            ("version = \"1\"", "version = \"one\"", "q.toml:5:11: OG-QUA-001 \"one\" is not a version"),
            ("format = 1", "format = 2", "q.toml:3:10: OG-QUA-001 format = 2; this program reads format = 1"),
            ("id = \"social-5point-1\"", "id = \"Social\"", "OG-QUA-001 \"Social\" is not a name"),
            ("\"courtesy\"\ntext", "\"curtesy\"\ntext", "OG-QUA-002 no dimension is called curtesy; did you mean courtesy?"),
            ("dimension = \"comfort\"", "dimension = \"process\"", "another question asks about process already"),
            ("dimension = \"comfort\"", "characters_max = 5", "another question asks for words already"),
            ("id = \"comfort\"", "id = \"process\"", "process stands there twice"),
            ("dimension = \"comfort\"\n", "", "either dimension, or characters_max"),
            ("characters_max = 1000", "characters_max = 0", "characters_max is 1 to 2000, and not 0"),
            ("characters_max = 1000", "characters_max = 2001", "characters_max is 1 to 2000, and not 2001"),
            ("5 = { en", "6 = { en", "\"6\" is not one of the points 1 to 5"),
            ("5 = { en = \"very good\", ru = \"очень хорошо\" }", "", "each of the points 1 to 5 has its words; 4 of them have"),
            ("en = \"How did it go?\", ", "", "there is no text in the language en"),
            ("en = \"How did it go?\"", "en = \"x\", fr = \"y\"", "fr is none of the languages en, ru"),
        ] {
            let told = told(from, to);
            assert!(told.iter().any(|told| told.contains(expected)), "expected {expected}\nand found {told:#?}");
        }
        assert_eq!(told("characters_max = 1000", "characters_max = 2000"), Vec::<String>::new());
    }

    #[test]
    fn a_file_of_so_many_octets_is_read_and_no_larger() {
        let text = Questionnaire::built_in_file().text;
        let of = |octets: usize| File::new("q.toml", format!("{text}#{}", "x".repeat(octets - text.len() - 1)));
        assert!(Questionnaire::read(&of(limits::QUALITY_FILE_BYTES_MAX)).is_ok());
        let wrong = Questionnaire::read(&of(limits::QUALITY_FILE_BYTES_MAX + 1)).expect_err("too large");
        assert_eq!(wrong[0].code, Fault::QuaTooMuch);
    }

    #[test]
    fn an_answer_holds_what_was_asked_and_nothing_else() {
        let questionnaire = built_in();
        let answer = |pairs: &[(&str, &str)]| questionnaire.answer(pairs.iter().copied());
        let code = |text: &str| Code::parse(text).expect("a code");
        let whole = answer(&[("process", "4"), ("courtesy", ""), ("comment", "  Long\r\nqueue. ")]).expect("an answer");
        assert_eq!(whole.scores(), &BTreeMap::from([(Dimension::Process, Score::new(4).expect("a score"))]));
        assert_eq!(whole.text().map(Comment::as_str), Some("Long queue."));
        assert!(answer(&[("comment", "x")]).is_ok() && answer(&[("conditions", "1")]).is_ok());
        let (longest, too_long) = ("ё".repeat(1000), "ё".repeat(1001));
        assert!(answer(&[("comment", &longest)]).is_ok());
        for (pairs, expected) in [
            (&[][..], AnswerError::Empty),
            (&[("process", ""), ("comment", " \r\n ")], AnswerError::Empty),
            (&[("name", "Ivanov")], AnswerError::UnknownQuestion),
            (&[("process", "4"), ("process", "5")], AnswerError::Twice(code("process"))),
            (&[("process", ""), ("process", "5")], AnswerError::Twice(code("process"))),
            (&[("process", "0")], AnswerError::OutOfRange(code("process"))),
            (&[("process", "6")], AnswerError::OutOfRange(code("process"))),
            (&[("process", "4 ")], AnswerError::OutOfRange(code("process"))),
            (&[("comment", &too_long)], AnswerError::TooLong { question: code("comment"), characters_max: 1000 }),
            (&[("comment", "a\u{0}b")], AnswerError::Control(code("comment"))),
            (&[("comment", "a\u{202e}b")], AnswerError::Control(code("comment"))),
        ] {
            assert_eq!(answer(pairs).expect_err("refused"), expected, "{pairs:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_form_sends_an_answer_is_within_its_bounds(
            pairs in proptest::collection::vec(("(process|comment|courtesy|[a-z]{1,3})", "([0-7]|\\PC{0,20}|[ -~\\n\\x00]{0,10})"), 0..6),
        ) {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, given)| (name.as_str(), given.as_str())).collect();
            if let Ok(answer) = built_in().answer(pairs.iter().copied()) {
                prop_assert!(!answer.scores().is_empty() || answer.text().is_some());
                prop_assert!(answer.text().is_none_or(|text| !text.as_str().chars().any(is_hidden)));
            }
        }
    }
}
