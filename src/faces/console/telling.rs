//! What the catalogue calls things, and what it demands, in the words of a language.

use super::words::{Language, Words};
use crate::base::ids::{Code, Region};
use crate::rules::condition::speech::{Phrase, Speech};
use crate::rules::condition::{FactIndex, Relation, Value, Verdict};
use crate::rules::situation::plan::{Knowledge, Planned};
use crate::rules::situation::time::Term;
use crate::rules::situation::{Catalogue, Channel, Checked, DocumentOf, Legal, Must, Need, Situation, Start, Step};

/// What the catalogue calls things, in a language.
#[derive(Clone, Copy)]
pub(super) struct Telling<'t> {
    pub words: Words,
    pub catalogue: &'t Catalogue,
}

impl Telling<'_> {
    fn language(&self) -> &'static str {
        self.words.0.tag()
    }

    pub fn title<'s>(&self, situation: &'s Situation) -> &'s str {
        situation.title.in_language(self.language())
    }

    pub fn step<'s>(&self, step: &'s Step) -> &'s str {
        step.title.in_language(self.language())
    }

    pub fn office(&self, office: &Code) -> String {
        let known = self.catalogue.offices().get(office);
        known.map_or_else(|| office.to_string(), |known| known.title.in_language(self.language()).to_owned())
    }

    pub fn role(&self, role: &Code) -> String {
        let known = self.catalogue.role_title(role);
        known.map_or_else(|| role.to_string(), |known| known.in_language(self.language()).to_owned())
    }

    /// What people call a type of document, if the catalogue has a name for it.
    pub fn document_title(&self, document: &Code) -> Option<String> {
        self.catalogue.documents().get(document).map(|known| known.title.in_language(self.language()).to_owned())
    }

    pub fn document(&self, of: &DocumentOf) -> String {
        let title = self.document_title(&of.document).unwrap_or_else(|| of.document.to_string());
        format!("{title} ({})", self.role(&of.role).to_lowercase())
    }

    pub fn need(&self, need: &Need) -> String {
        match need.must {
            Must::Exist => self.document(&need.document),
            Must::BeLookedFor => self.words.fill("situations.if-any", &[("document", &self.document(&need.document))]),
        }
    }

    pub fn start(&self, start: &Start) -> String {
        match start {
            Start::Document(document) => self.document_title(document).unwrap_or_else(|| document.to_string()),
            Start::Request(way) => match way.as_str() {
                "portal" => self.words.say("situations.by-portal").to_owned(),
                "onestop" => self.words.say("situations.by-onestop").to_owned(),
                other => self.words.fill("situations.by-other", &[("way", other)]),
            },
        }
    }

    pub fn term(&self, term: Term) -> String {
        let count = |key: &str, n: u32| self.words.count(key, u64::from(n));
        match term {
            Term::WorkingDays(days) => count("situations.working-days", days),
            Term::Minutes(minutes) if minutes % 60 == 0 => count("unit.hours", minutes / 60),
            Term::Minutes(minutes) => count("unit.minutes", minutes),
            Term::Days(days) => count("unit.days", days),
            Term::Months(months) => count("situations.months", months),
        }
    }

    pub fn channel(&self, channel: &Channel) -> String {
        match channel {
            Channel::Online => self.words.say("situations.online").to_owned(),
            Channel::OneStop(at) => self.words.fill("situations.at-desk", &[("office", &self.office(at))]),
            Channel::InPerson => self.words.say("situations.in-person").to_owned(),
        }
    }

    pub fn law(&self, legal: &Legal) -> String {
        match legal.checked {
            Checked::Yes => legal.reference.to_string(),
            Checked::No => self.words.fill("situations.unchecked", &[("law", &legal.reference)]),
        }
    }

    /// Why a step applies, does not, or is not known to.
    pub fn why(&self, step: &Step, planned: &Planned, knowledge: &Knowledge) -> String {
        if step.when.is_none() {
            return self.words.say("situations.always").to_owned();
        }
        let known: Vec<String> = planned.because.iter().map(|fact| self.found(*fact, knowledge)).collect();
        let known = known.join("; ");
        match planned.applies {
            Verdict::Yes => known,
            Verdict::No => self.words.fill("situations.not-since", &[("why", &known)]),
            Verdict::Unknown => self.words.fill("situations.not-known", &[("why", &known)]),
        }
    }

    /// What is known of a fact, or where it is to be found.
    pub fn found(&self, index: FactIndex, knowledge: &Knowledge) -> String {
        let name = self.fact(index);
        if let Some((value, _)) = knowledge.known(index) {
            return format!("{name} — {}", self.value(value));
        }
        let Some(fact) = self.catalogue.fact(index) else { return name };
        match &fact.source {
            Some(source) => {
                self.words.fill("situations.stands-in", &[("fact", &name), ("document", &self.document(&source.document))])
            }
            None if fact.sum.is_some() => self.words.fill("situations.adds-up", &[("fact", &name)]),
            None => self.words.fill("situations.citizen-says", &[("fact", &name)]),
        }
    }
}

impl Speech for Telling<'_> {
    /// Whom it is about, and what it says of them.
    fn fact(&self, fact: FactIndex) -> String {
        let Some(known) = self.catalogue.fact(fact) else { return String::new() };
        let (role, word) = known.name.split_once('.').unwrap_or(("", &known.name));
        let said = self.words.find(&format!("fact.{word}")).map_or_else(|| word.replace(['_', '.'], " "), str::to_owned);
        match Code::parse(role) {
            Some(role) => format!("{}: {said}", self.role(&role).to_lowercase()),
            None => said,
        }
    }

    fn value(&self, value: &Value) -> String {
        match value {
            Value::Truth(true) => self.words.say("situations.yes").to_owned(),
            Value::Truth(false) => self.words.say("situations.no").to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => self.words.find(&format!("value.{text}")).map_or_else(|| text.to_string(), str::to_owned),
            Value::Date(day) => day.to_string(),
        }
    }

    fn phrase(&self, phrase: Phrase, parts: &[String]) -> String {
        let words = self.words;
        let first = parts.first().map_or("", String::as_str);
        let compared = |key: &str| format!("{first} {} {}", words.say(key), parts.get(1).map_or("", String::as_str));
        match phrase {
            Phrase::Always => words.say("situations.always").to_owned(),
            Phrase::Never => words.say("situations.never").to_owned(),
            Phrase::Is => first.to_owned(),
            Phrase::IsNot => format!("{first} — {}", words.say("situations.no")),
            Phrase::All => parts.join(&format!(", {} ", words.say("situations.and"))),
            Phrase::Any => parts.join(&format!(", {} ", words.say("situations.or"))),
            Phrase::OneOf => {
                format!("{first} — {}", parts.get(1..).unwrap_or_default().join(&format!(" {} ", words.say("situations.or"))))
            }
            Phrase::Group => format!("({first})"),
            Phrase::Compare(relation) => match relation {
                Relation::Equal => compared("situations.is"),
                Relation::NotEqual => compared("situations.is-not"),
                Relation::Less => compared("situations.less"),
                Relation::AtMost => compared("situations.at-most"),
                Relation::Greater => compared("situations.more"),
                Relation::AtLeast => compared("situations.at-least"),
            },
        }
    }
}

/// What people call a region; one that there is no word for has its code.
pub(super) fn region_name(words: Words, region: &Region) -> String {
    words.find(&format!("region.{region}")).map_or_else(|| region.to_string(), str::to_owned)
}

/// A figure with one digit behind the point, if it has one.
pub(super) fn decimal(words: Words, figure: f64) -> String {
    let text = if figure.fract() == 0.0 { format!("{figure:.0}") } else { format!("{figure:.1}") };
    if words.0 == Language::Ru { text.replace('.', ",") } else { text }
}

/// A text that begins with a capital letter, as what stands alone does.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}
