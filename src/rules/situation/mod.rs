//! Life situations: what follows when a child is born, a pupil falls ill or work is lost. A situation is a text file: steps of
//! several agencies, each with the condition under which it applies, the documents that it needs and from whom, and its term.
//!
//! Files are read and checked as a whole, and what is wrong is told with its place; a catalogue exists only if nothing is. An overlay
//! of a region may make a situation better for people, and never worse. What a situation means for one family is its plan.

mod built_in;
pub mod course;
pub mod diagnostic;
pub mod explain;
mod file;
pub mod measure;
pub mod offices;
mod overlay;
pub mod plan;
pub mod practice;
pub mod quiet;
mod steps;
pub mod texts;
pub mod time;
mod words;

pub use diagnostic::{Diagnostic, File};

use crate::base::fault;
use crate::base::ids::{Code, Region};
use crate::base::limits;
use crate::message::schema::FieldPath;
use crate::rules::condition::{Condition, FactIndex, Kind, Value, Vocabulary};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use time::{Calendar, Term};

/// A language in which people are spoken to, as in `en`.
pub type Language = Box<str>;

/// A text in each language of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(BTreeMap<Language, Box<str>>);

impl Texts {
    /// A text in all of these languages and in no other.
    pub fn parse(raw: BTreeMap<String, String>, languages: &[Language]) -> Result<Self, TextsError> {
        let missing = languages.iter().find(|language| raw.get(&***language).is_none_or(|text| text.trim().is_empty()));
        if let Some(missing) = missing {
            return Err(TextsError::Missing(missing.clone()));
        }
        if let Some(other) = raw.keys().find(|key| !languages.iter().any(|language| **language == ***key)) {
            return Err(TextsError::Foreign { language: other.as_str().into(), known: languages.to_vec() });
        }
        if raw.values().any(|text| text.chars().count() > limits::CATALOGUE_TEXT_MAX || text.chars().any(char::is_control)) {
            return Err(TextsError::TooLong);
        }
        Ok(Self(raw.into_iter().map(|(language, text)| (Language::from(language), text.into())).collect()))
    }

    /// The text in a language, or in the first that there is.
    pub fn in_language(&self, language: &str) -> &str {
        self.0.get(language).or_else(|| self.0.values().next()).map_or("", |text| text)
    }
}

/// What is wrong with a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextsError {
    /// It is not there in this language.
    Missing(Language),
    /// It is there in a language that is none of those that are known.
    Foreign {
        /// The language.
        language: Language,
        /// Those that are known.
        known: Vec<Language>,
    },
    /// It has too many characters in a language, or a line break.
    TooLong,
}

impl fmt::Display for TextsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(language) => write!(f, "there is no text in the language {language}"),
            Self::Foreign { language, known } => write!(f, "{language} is none of the languages {}", known.join(", ")),
            Self::TooLong => write!(f, "a text has at most {} characters, and no line break", limits::CATALOGUE_TEXT_MAX),
        }
    }
}

/// All situations, with what they speak of; nothing in it is missing or contradicts the rest.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    languages: Vec<Language>,
    country: Box<str>,
    roles: BTreeMap<Code, Texts>,
    facts: Vec<Fact>,
    numbers: BTreeMap<Box<str>, FactIndex>,
    documents: BTreeMap<Code, Document>,
    offices: BTreeMap<Code, Office>,
    /// By kind: which agencies they are.
    posts: BTreeMap<Code, Vec<offices::Post>>,
    /// The situations, each with its overlays worked in, by name, version and region; the one without a region is for all others.
    situations: BTreeMap<(Code, Version, Option<Region>), Arc<Situation>>,
    /// By region, and one for the country.
    calendars: BTreeMap<Box<str>, Calendar>,
    population: Population,
    /// What people are told.
    texts: texts::Notices,
}

/// What people are like, where situations are tried out.
#[derive(Clone, Debug)]
pub struct Population {
    facts: BTreeMap<FactIndex, Spread>,
    /// How many of those who are found in documents there are.
    found: f64,
    /// Documents that people may do without.
    missing: BTreeSet<Code>,
}

/// People of whom nothing is said.
impl Default for Population {
    fn default() -> Self {
        Self { facts: BTreeMap::new(), found: 0.9, missing: BTreeSet::new() }
    }
}

/// How a fact is spread over people.
#[derive(Clone, Debug, PartialEq)]
pub enum Spread {
    /// It is true of this share of them.
    Share(f64),
    /// A number from one to another, each as often.
    Between(i64, i64),
    /// One of these values, each as often.
    Among(Vec<Value>),
}

/// The version of a situation: numbers with points between, which are ordered as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u32>);

impl Version {
    /// Reads a version, as in `2026.2`.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| {
            let is_number = part.bytes().all(|digit| digit.is_ascii_digit()) && (part.len() == 1 || !part.starts_with('0'));
            part.parse().ok().filter(|_| is_number)
        };
        text.split('.').map(number).collect::<Option<Vec<u32>>>().filter(|parts| parts.len() <= 4).map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

/// Something that is known, fetched or asked about those whom a situation is about.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its name: role and word, as in `child.birth_order`.
    pub name: Box<str>,
    /// What it is.
    pub kind: Kind,
    /// Where it is found.
    pub source: Option<Source>,
    /// Of what it is the sum, if it adds up over cases.
    pub sum: Option<Sum>,
    /// What it is if its document does not exist, or has nothing at its place.
    pub none: Option<Value>,
    /// How the citizen is asked, if nobody else can say it.
    pub ask: Option<Texts>,
}

/// What adds up over the cases of one situation about the same person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// A number in each of them.
    pub of: FactIndex,
    /// Of those that began within this time before.
    pub within: Term,
}

/// Where a fact is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// In which document, and whose.
    pub document: DocumentOf,
    /// At which path.
    pub path: FieldPath,
    /// What is taken from there.
    pub reads: Reads,
}

/// What is taken from a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// What stands there.
    Content,
    /// Whether something stands there.
    Presence,
}

/// A document about somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DocumentOf {
    /// Its type.
    pub document: Code,
    /// Whose: a role in the situation.
    pub role: Code,
}

impl DocumentOf {
    /// Reads what is written as `marriage-record:mother`.
    pub fn parse(text: &str) -> Option<Self> {
        let (document, role) = text.split_once(':')?;
        Some(Self { document: Code::parse(document)?, role: Code::parse(role)? })
    }
}

impl fmt::Display for DocumentOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.document, self.role)
    }
}

/// A type of document, as situations speak of it.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its name for people.
    pub title: Texts,
    /// Who has it.
    pub holder: Keeper,
    /// The roles in which its schema names somebody: it may be asked for by any of them.
    pub names: BTreeSet<Code>,
}

/// Who has a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// An agency: it is fetched.
    Office(Code),
    /// The citizen alone: it is asked for.
    Applicant,
}

/// A kind of agency: which agency it is depends on the region.
#[derive(Clone, Debug)]
pub struct Office {
    /// Its name for people.
    pub title: Texts,
    /// Federal, regional or local.
    pub level: Level,
}

/// Whose an office is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The country's.
    Federal,
    /// A region's.
    Regional,
    /// A town's or an institution's.
    Local,
    /// Nobody's of the state: a charity, an employer.
    Partner,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Federal, Self::Regional, Self::Local, Self::Partner];

    /// Its name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Federal => "federal",
            Self::Regional => "regional",
            Self::Local => "local",
            Self::Partner => "partner",
        }
    }
}

/// A life situation.
#[derive(Clone, Debug)]
pub struct Situation {
    /// Its name.
    pub id: Code,
    /// Which version of it.
    pub version: Version,
    /// Where it holds, if not everywhere.
    pub region: Option<Region>,
    /// The version of the region's overlay.
    pub overlay: Option<Version>,
    /// Its name for people.
    pub title: Texts,
    /// Who looks after it.
    pub curator: Box<str>,
    /// Those whom it is about, the first one most of all.
    pub roles: Vec<Role>,
    /// What starts it.
    pub starts_on: Vec<Start>,
    /// What is known when it starts.
    pub facts_at_start: Vec<FactIndex>,
    /// The law that it carries out.
    pub legal: Vec<Legal>,
    /// How it was before.
    pub baseline: Baseline,
    /// What is done, in the order of the file.
    pub steps: Vec<Step>,
    /// Which questionnaire follows its end, and after how long.
    pub survey: Option<Survey>,
}

/// Somebody whom a situation is about.
#[derive(Clone, Debug)]
pub struct Role {
    /// The role.
    pub name: Code,
    /// The documents that say who it is, and prove that. Whoever has none is known from the start.
    pub found_in: Vec<FoundIn>,
}

/// A document that names somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundIn {
    /// Who is found.
    pub role: Code,
    /// Which document, and whose.
    pub document: DocumentOf,
    /// As whom it names them: a role of the document's schema.
    pub named_as: Box<str>,
}

/// What starts a situation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// An event with this document.
    Document(Code),
    /// An application by this way.
    Request(Code),
}

/// A reference to the law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legal {
    /// As in `RU:143-FZ:16`.
    pub reference: Box<str>,
    /// Whether somebody has looked it up.
    pub checked: Checked,
}

/// Whether a reference has been looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Somebody has.
    Yes,
    /// Nobody has, as far as the file says.
    No,
}

/// How it was before there was a gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    /// Working days that a way of the citizen between two offices costs.
    pub carry_days: f64,
    /// Documents that people brought, where that was measured.
    pub documents: Option<u32>,
    /// Days that it took, where that was measured.
    pub days: Option<f64>,
    /// Where the figures are from.
    pub source: Box<str>,
}

/// A step of a situation.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name.
    pub id: Code,
    /// For people.
    pub title: Texts,
    /// Whose it is.
    pub office: Code,
    /// The fact that says which agency of that kind: an identifier by which it is called in documents.
    pub at: Option<FactIndex>,
    /// The service within the agency.
    pub service: Code,
    /// Under which condition it applies.
    pub when: Option<Condition>,
    /// Steps that have to be over.
    pub after: Vec<StepIndex>,
    /// What it needs.
    pub needs: Vec<Need>,
    /// Facts that its agency is told: of a partner these alone.
    pub shows: Vec<FactIndex>,
    /// Under which name it is attended together with others, on one day that the citizen chooses.
    pub appointment: Option<Code>,
    /// What its agency must not get to see.
    pub withhold: Vec<(Code, FieldPath)>,
    /// The document that exists when it is done.
    pub gives: Option<DocumentOf>,
    /// How long it may take, from when it can begin.
    pub deadline: Term,
    /// Until when the right to it may be used.
    pub expires: Option<Expiry>,
    /// Who is told of what.
    pub tell: Tell,
    /// Where it is done.
    pub channel: Channel,
    /// What for, in grants and records.
    pub purpose: Option<Code>,
    /// The law that it carries out.
    pub legal: Option<Legal>,
    /// What happens when a holder is silent.
    pub fallback: Fallback,
}

/// The number of a step in its situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepIndex(pub u16);

/// A document that a step needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Which, and whose.
    pub document: DocumentOf,
    /// Whether it is enough to know that there is none.
    pub must: Must,
}

/// How much a document is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Must {
    /// There is no step without it.
    Exist,
    /// A signed "there is none" will do.
    BeLookedFor,
}

/// When a right ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// How long after
    pub after: Term,
    /// the day that this fact has.
    pub from: FactIndex,
}

/// Who is told of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tell {
    /// The citizen.
    pub applicant: Vec<Notice>,
    /// The curator.
    pub curator: Vec<Notice>,
    /// The assistant.
    pub assistant: Vec<Notice>,
}

/// Of what somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// It has begun.
    Started,
    /// It is done.
    Done,
    /// Its term has passed.
    Late,
    /// It was refused, or cannot be done.
    Failed,
    /// The right to it ends soon.
    Expiring,
}

impl Notice {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Started, Self::Done, Self::Late, Self::Failed, Self::Expiring];

    /// Its name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Done => "done",
            Self::Late => "late",
            Self::Failed => "failed",
            Self::Expiring => "expiring",
        }
    }
}

/// Where a step is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// Between agencies: the citizen goes nowhere.
    #[default]
    Online,
    /// At a desk that does it for several agencies: an office.
    OneStop(Code),
    /// The citizen has to come.
    InPerson,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Online => f.write_str("online"),
            Self::OneStop(at) => write!(f, "onestop@{at}"),
            Self::InPerson => f.write_str("in-person"),
        }
    }
}

/// What happens when a holder is silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// It is waited for.
    #[default]
    Wait,
    /// After half of the term the citizen is asked for the document.
    AskApplicant,
}

/// The questionnaire after the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// How long after it.
    pub delay: Term,
    /// Which.
    pub questionnaire: Code,
}

impl Catalogue {
    /// The languages in which people are spoken to, the first one first.
    pub fn languages(&self) -> &[Language] {
        &self.languages
    }

    /// The facts, in the order of their numbers.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// A fact.
    pub fn fact(&self, index: FactIndex) -> Option<&Fact> {
        self.facts.get(usize::from(index.0))
    }

    /// A fact by its name.
    pub fn fact_named(&self, name: &str) -> Option<FactIndex> {
        self.numbers.get(name).copied()
    }

    /// How a fact is spread over people.
    pub fn spread(&self, fact: FactIndex) -> &Spread {
        static SOME: Spread = Spread::Share(0.4);
        static NUMBER: Spread = Spread::Between(0, 100);
        static NONE: Spread = Spread::Among(Vec::new());
        let known = self.population.facts.get(&fact);
        known.unwrap_or_else(|| match self.fact(fact).map(|fact| fact.kind) {
            Some(Kind::Truth) => &SOME,
            Some(Kind::Number) => &NUMBER,
            _ => &NONE,
        })
    }

    /// What somebody in a role is called.
    pub fn role_title(&self, role: &Code) -> Option<&Texts> {
        self.roles.get(role)
    }

    /// The types of documents.
    pub fn documents(&self) -> &BTreeMap<Code, Document> {
        &self.documents
    }

    /// The kinds of agencies.
    pub fn offices(&self) -> &BTreeMap<Code, Office> {
        &self.offices
    }

    /// All situations in all versions, each with its overlays.
    pub fn situations(&self) -> impl Iterator<Item = &Arc<Situation>> {
        self.situations.values()
    }

    /// The newest version of a situation for a region; where the region has no overlay, that of the country.
    pub fn situation(&self, id: &Code, region: Option<&Region>) -> Option<&Arc<Situation>> {
        let of = |region: Option<&Region>| {
            let mut found = self.situations().filter(|known| known.id == *id && known.region.as_ref() == region);
            found.by_ref().max_by(|left, right| left.version.cmp(&right.version))
        };
        let newest = of(None)?;
        let own = region.and_then(|region| of(Some(region))).filter(|own| own.version == newest.version);
        Some(own.unwrap_or(newest))
    }

    /// A version of a situation that was begun with, for a region.
    pub fn version(&self, id: &Code, version: &Version, region: Option<&Region>) -> Option<&Arc<Situation>> {
        let of = |region: Option<&Region>| self.situations.get(&(id.clone(), version.clone(), region.cloned()));
        region.and_then(|region| of(Some(region))).or_else(|| of(None))
    }

    /// As whose document something that starts a situation is known in it: of those who are known from the start, of one whose document
    /// says a fact or is needed, if there is one.
    pub fn start_document(&self, situation: &Situation, what: &Code) -> Option<DocumentOf> {
        let of = |role: &Role| DocumentOf { document: what.clone(), role: role.name.clone() };
        let is_source = |fact: &Fact, of: &DocumentOf| fact.source.as_ref().is_some_and(|source| source.document == *of);
        let is_used = |of: &DocumentOf| {
            let mut needs = situation.steps.iter().flat_map(|step| &step.needs);
            self.facts.iter().any(|fact| is_source(fact, of)) || needs.any(|need| need.document == *of)
        };
        let known = || situation.roles.iter().filter(|role| role.found_in.is_empty()).map(of);
        known().find(is_used).or_else(|| known().next())
    }

    /// The calendar of a region, or that of its country.
    pub fn calendar(&self, region: Option<&Region>) -> Option<&Calendar> {
        let own = region.and_then(|region| self.calendars.get(region.as_str()));
        own.or_else(|| self.calendars.get(&self.country))
    }
}

impl Vocabulary for Catalogue {
    fn find(&self, name: &str) -> Option<(FactIndex, Kind)> {
        let index = self.fact_named(name)?;
        Some((index, self.fact(index)?.kind))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        fault::nearest(name, self.numbers.keys().map(|name| &**name))
    }
}

impl Step {
    /// What its agency must not see of a document.
    pub fn withholds(&self, document: &Code) -> impl Iterator<Item = &FieldPath> {
        self.withhold.iter().filter(move |(name, _)| name == document).map(|(_, path)| path)
    }
}

impl Situation {
    /// Whom it is about most of all.
    pub fn subject(&self) -> Option<&Role> {
        self.roles.first()
    }

    /// Somebody whom it is about.
    pub fn role(&self, name: &Code) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == *name)
    }

    /// A step.
    pub fn step(&self, index: StepIndex) -> Option<&Step> {
        self.steps.get(usize::from(index.0))
    }

    /// A step by its name.
    pub fn step_named(&self, id: &Code) -> Option<StepIndex> {
        self.steps.iter().position(|step| step.id == *id).map(|at| StepIndex(at as u16))
    }
}

#[cfg(test)]
mod tests;
