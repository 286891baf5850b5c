//! Conditions and catalogues of life situations.

use crate::forge::Choices;
use oncegate::base::limits;
use oncegate::message::schema::Schemas;
use oncegate::rules::condition::{Condition, FactIndex, Facts, Kind, Value, Verdict, Vocabulary};
use oncegate::rules::situation::course::{Course, Synthetic};
use oncegate::rules::situation::{Catalogue, File};
use std::sync::LazyLock;

const NAMES: [(&str, Kind); 6] = [
    ("a.yes", Kind::Truth),
    ("b.yes", Kind::Truth),
    ("c.n", Kind::Number),
    ("d.n", Kind::Number),
    ("e.t", Kind::Text),
    ("f.d", Kind::Date),
];

struct Words;

impl Vocabulary for Words {
    fn find(&self, name: &str) -> Option<(FactIndex, Kind)> {
        let at = NAMES.iter().position(|(known, _)| *known == name)?;
        Some((FactIndex(at as u16), NAMES[at].1))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        NAMES.iter().map(|(known, _)| *known).find(|known| known.starts_with(name))
    }
}

/// What is known, by the bits of a number.
struct Known(Vec<Option<Value>>);

impl Facts for Known {
    fn value(&self, fact: FactIndex) -> Option<&Value> {
        self.0.get(usize::from(fact.0))?.as_ref()
    }
}

fn known(choices: &mut Choices<'_>) -> Known {
    let mut value = |kind: Kind| match kind {
        Kind::Truth => Value::Truth(choices.below(2) == 1),
        Kind::Number => Value::Number(choices.below(5) as i64 - 2),
        Kind::Text => Value::Text(["", "x", "y"][choices.below(3)].into()),
        Kind::Date => Value::parse(Kind::Date, ["2026-03-01", "2026-02-28"][choices.below(2)]).expect("a day"),
    };
    Known(NAMES.iter().map(|(_, kind)| Some(value(*kind))).collect())
}

/// A condition is read or refused with a place in it; to learn more changes nothing that was certain, and the facts that are named as the
/// reason are enough.
pub fn condition(input: &[u8]) {
    let (numbers, text) = input.split_at(input.len().min(16));
    let Ok(text) = std::str::from_utf8(text) else { return };
    let condition = match Condition::parse(text, &Words) {
        Ok(condition) => condition,
        Err(error) => {
            assert!(text.get(error.at.clone()).is_some(), "{:?} in {text:?}", error.at);
            return;
        }
    };
    assert!(text.chars().count() <= limits::CONDITION_CHARACTERS_MAX && condition.facts().len() <= limits::CONDITION_FACTS_MAX);
    let mut choices = Choices(numbers);
    let all = known(&mut choices);
    let hidden = choices.below(64);
    let hide = |facts: &Known, hidden: usize| {
        Known(facts.0.iter().enumerate().map(|(at, value)| value.clone().filter(|_| hidden >> at & 1 == 0)).collect())
    };
    let some = hide(&all, hidden);
    let (before, after) = (condition.evaluate(&some), condition.evaluate(&all));
    assert!(
        after.verdict != Verdict::Unknown && (before.verdict == Verdict::Unknown || before.verdict == after.verdict),
        "{text}"
    );
    let reason = before.because().fold(0, |reason, fact| reason | 1 << fact.0);
    let enough = if before.verdict == Verdict::Unknown { hide(&all, hidden & reason) } else { hide(&all, !reason) };
    assert_eq!(condition.evaluate(&enough).verdict, before.verdict, "{text} because of {reason:b}");
}

/// Conditions to begin with.
pub fn conditions() -> Vec<Vec<u8>> {
    let texts = [
        "a.yes && (b.yes || c.n >= 2) && !(d.n in [1, -2])",
        "e.t == 'x' || f.d < date('2026-03-01')",
        "(a.yes || !b.yes) == (c.n != d.n)",
        "true || a.yes && false",
        "((((a.yes))))",
    ];
    texts.iter().map(|text| [&[3; 16], text.as_bytes()].concat()).collect()
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(Schemas::built_in);

const BIRTH: &str = "federal/birth-of-child.toml";
const YAROSLAVL: &str = "region/RU-YAR/birth-of-child.toml";

/// A situation, or an overlay of one, beside the other files of the program: it is taken, or refused with places in its lines; what is taken
/// comes to an end for people who do not exist.
pub fn catalogue(input: &[u8]) {
    let Some((kind, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let name = if kind % 2 == 0 { BIRTH } else { YAROSLAVL };
    let words = |file: &File| !file.name.contains('/') || file.name.starts_with("calendar/") || file.name == BIRTH;
    let mut files: Vec<File> = Catalogue::built_in_files().into_iter().filter(|file| words(file) && file.name != name).collect();
    files.push(File::new(name, text));
    match Catalogue::read(&files, &SCHEMAS) {
        Err(wrong) => {
            assert!(!wrong.is_empty() && wrong.len() <= limits::CATALOGUE_ERRORS_MAX);
            for wrong in &wrong {
                let of = files.iter().find(|file| file.name == wrong.file);
                let lines = of.map_or(1, |file| file.text.split('\n').count());
                assert!((1..=lines).contains(&wrong.line), "{wrong}");
                assert!(!wrong.to_string().is_empty());
            }
        }
        Ok(catalogue) => {
            for situation in catalogue.situations() {
                for number in 0..3 {
                    let person = Synthetic::new(&catalogue, situation, number);
                    let course = Course::run(&catalogue, situation, &person);
                    assert!(course.steps.len() + course.stuck.len() <= situation.steps.len());
                }
            }
        }
    }
}

/// Situations and overlays to begin with.
pub fn catalogues() -> Vec<Vec<u8>> {
    let files = Catalogue::built_in_files();
    let of = |folder: &str, kind: u8| {
        let of = files.iter().filter(|file| file.name.starts_with(folder)).map(|file| [&[kind], file.text.as_bytes()].concat());
        of.collect::<Vec<_>>()
    };
    [of("federal/birth", 0), of("federal/pupil", 0), of("region/RU-YAR/birth", 1)].concat()
}
