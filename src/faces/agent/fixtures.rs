//! Fixtures: questions with the rows that a source would give, and what is to be answered. They are tried without a source, a key or a
//! network. A case says only how its rows differ from a good one, which follows from the mapping.

use super::config::Finding;
use super::zones::Database;
use crate::base::fault::Code as FaultCode;
use crate::base::ids::{AgencyId, Identifier};
use crate::base::time::{Day, UnixTime};
use crate::exchange::mapping::{
    Asked, Cell, Conversion, Failed, From, Mapping, Outcome, Own, Question, Row, Table, TimeForm, Wrong,
};
use crate::host::config::read_bounded;
use crate::message::schema::{FieldPath, Schemas, places};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The cases of a hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixtures {
    format: u32,
    /// What a good row has that does not follow from the mapping.
    #[serde(default)]
    row: BTreeMap<String, String>,
    #[serde(default)]
    case: Vec<Case>,
}

/// A case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// Who is asked about: SCHEME:VALUE; without it, whoever the good row is about.
    of: Option<String>,
    /// The optional fields that may go out; without it, all.
    select: Option<Vec<String>>,
    /// The period that is asked about.
    from: Option<String>,
    to: Option<String>,
    /// The day of the question.
    today: Option<String>,
    /// The rows of the source, each by what differs from the good one; without it, one good row.
    rows: Option<Vec<BTreeMap<String, String>>>,
    /// That the source fails, by this code.
    source: Option<String>,
    /// What is to be answered: `documents 1`, `no record`, or a code.
    expect: String,
    /// What the answer has, by path.
    #[serde(default)]
    has: BTreeMap<String, String>,
    /// What it has not: the names of elements.
    #[serde(default)]
    lacks: Vec<String>,
}

/// How a case went.
#[derive(Debug)]
pub struct Tried {
    /// What it is called.
    pub name: String,
    /// What was answered.
    pub outcome: String,
    /// Why it is not what was expected, if it is not.
    pub wrong: Option<String>,
    /// What happened, step by step, without a value.
    pub steps: Vec<String>,
}

/// Who tries.
pub struct Trying<'t> {
    /// The mapping.
    pub mapping: &'t Mapping,
    /// The schemas.
    pub schemas: &'t Schemas,
    /// The agency.
    pub agency: &'t AgencyId,
    /// What it is called.
    pub name: &'t str,
    /// Its identifier.
    pub identifier: Option<&'t Identifier>,
}

impl Fixtures {
    /// Reads a file. One without a case is refused: it would show nothing.
    pub fn load(file: &Path) -> Result<Self, Finding> {
        let text = read_bounded(file).map_err(|error| Finding::of_file(file, FaultCode::AgtFile, error.what))?;
        let wrong =
            |at: std::ops::Range<usize>, what: String| Finding::at(file, &text, Wrong { code: FaultCode::AgtFile, at, what });
        let read: Self =
            toml::from_str(&text).map_err(|error| wrong(error.span().unwrap_or(0..0), error.message().to_owned()))?;
        match (read.format, read.case.is_empty()) {
            (1, false) => Ok(read),
            (1, true) => Err(wrong(0..0, "there is no [[case]], so nothing is tried".to_owned())),
            _ => Err(wrong(0..0, "this program reads format = 1".to_owned())),
        }
    }

    /// Tries all cases.
    pub fn run(&self, trying: &Trying<'_>) -> Vec<Tried> {
        let good = good_row(trying, &self.row);
        self.case.iter().map(|case| trying.case(case, &good)).collect()
    }
}

/// The cells of a row, by column.
type Cells = BTreeMap<String, String>;

impl Trying<'_> {
    fn case(&self, case: &Case, good: &Cells) -> Tried {
        let mut steps = Vec::new();
        let told =
            self.outcome(case, good, &mut steps).unwrap_or_else(|what| (format!("the case itself is wrong: {what}"), Vec::new()));
        let (outcome, documents) = told;
        let wrong =
            if outcome == case.expect { self.differs(case, &documents) } else { Some(format!("{} was expected", case.expect)) };
        Tried { name: case.name.clone(), outcome, wrong, steps }
    }

    fn outcome(&self, case: &Case, good: &Cells, steps: &mut Vec<String>) -> Result<(String, Vec<String>), String> {
        let person = self.mapping.persons().first().ok_or("the mapping names nobody")?;
        let own = || Identifier::parse(&person.scheme, good.get(&*person.column).map_or("", String::as_str)).ok();
        let asked_of = match &case.of {
            Some(of) => of
                .split_once(':')
                .and_then(|(scheme, value)| Identifier::parse(scheme, value).ok())
                .ok_or("of is SCHEME:VALUE")?,
            None => own().ok_or_else(|| format!("[row] has no identifier of {} in {}", person.scheme, person.column))?,
        };
        let day = |text: &Option<String>| match text {
            Some(text) => Day::parse(text).map(Some).ok_or_else(|| format!("\"{text}\" is no day")),
            None => Ok(None),
        };
        let today = day(&case.today)?.map_or("2026-03-10".to_owned(), |day| day.to_string());
        let now = UnixTime::parse(&format!("{today}T12:00:00Z")).ok_or("today is no day")?;
        let fields: Option<Vec<FieldPath>> = match &case.select {
            Some(select) => select.iter().map(|path| FieldPath::parse(path)).collect(),
            None => FieldPath::parse("**").map(|all| vec![all]),
        };
        let fields = fields.ok_or("select has something that is not the path of a field")?;
        let question = Question {
            role: &person.role,
            identifiers: std::slice::from_ref(&asked_of),
            during: day(&case.from)?.map(|from| day(&case.to).map(|to| (from, to))).transpose()?,
            fields: &fields,
            now,
        };
        let answered = self.answer(case, good, &question, steps);
        Ok(match answered {
            Ok(Outcome::Documents(documents)) => (format!("documents {}", documents.len()), documents),
            Ok(Outcome::NoRecord) => ("no record".to_owned(), Vec::new()),
            Err(Failed { code, what }) => {
                steps.push(what);
                (code.to_string(), Vec::new())
            }
        })
    }

    fn answer(&self, case: &Case, good: &Cells, question: &Question<'_>, steps: &mut Vec<String>) -> Result<Outcome, Failed> {
        let (person, asked) = self.mapping.asked(question)?;
        steps.push(format!("the source is asked by {} in column \"{}\"", person.scheme, person.column));
        if let Some(code) = &case.source {
            let code = FaultCode::parse(code).unwrap_or(FaultCode::SrcUnavailable);
            return Err(Failed { code, what: "the source fails, as the case says".to_owned() });
        }
        let table = table(case, good, &asked);
        steps.push(format!("rows: {}", table.rows.len()));
        let own = Own { id: self.agency, name: self.name, identifier: self.identifier, zones: &Database };
        let outcome = self.mapping.answer(question, (person, &asked), &table, &own, self.schemas)?;
        if let Outcome::Documents(documents) = &outcome {
            steps.push(format!(
                "each is valid by the schema of {}; octets: {}",
                self.mapping.document(),
                documents.concat().len()
            ));
        }
        Ok(outcome)
    }

    /// What of a case's words on documents is not so. Paths are looked for by the last element.
    fn differs(&self, case: &Case, documents: &[String]) -> Option<String> {
        let all = documents.concat();
        let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let has = |name: &str, text: &str| {
            let mut escaped = String::new();
            crate::message::xml::escape_text(text, &mut escaped);
            all.contains(&format!("{name}>{escaped}</"))
        };
        let missing = case
            .has
            .iter()
            .find(|(path, text)| !has(&last(path), text))
            .map(|(path, _)| format!("{path} is another, or not there"));
        let there = |path: &&String| all.contains(&format!("{}>", last(path)));
        missing.or_else(|| case.lacks.iter().find(there).map(|path| format!("{path} is there")))
    }
}

fn table(case: &Case, good: &Cells, asked: &Asked) -> Table {
    let none = vec![Cells::new()];
    let changes = case.rows.as_ref().unwrap_or(&none);
    let mut columns: Vec<Box<str>> = good.keys().map(|column| column.as_str().into()).collect();
    for column in changes.iter().flat_map(BTreeMap::keys) {
        if columns.iter().all(|known| **known != **column) {
            columns.push(column.as_str().into());
        }
    }
    let row = |(at, change): (usize, &Cells)| {
        let cell = |column: &str| Cell::new(change.get(column).or_else(|| good.get(column)).map_or("", String::as_str));
        Row { number: at as u64 + 2, cells: columns.iter().map(|column| cell(column)).collect() }
    };
    let rows = changes.iter().enumerate().map(row).collect();
    let as_of = UnixTime::parse(&format!("{}T00:00:00Z", asked.today)).unwrap_or_default();
    Table { columns: columns.into(), rows, as_of }
}

/// A row that becomes a valid document, as far as its mapping tells what that is.
fn good_row(trying: &Trying<'_>, given: &Cells) -> Cells {
    let places = places(trying.schemas, trying.mapping.document());
    let mut row = Cells::new();
    for (path, from) in trying.mapping.sources() {
        let From::Columns { columns, conversion, .. } = from else { continue };
        let plain: String = path.split('/').map(|step| step.split('[').next().unwrap_or(step)).collect::<Vec<_>>().join("/");
        let sample = places.iter().find(|place| place.path == plain).and_then(|place| place.sample.clone());
        for column in columns {
            row.entry(column.to_string()).or_insert_with(|| good_cell(path, conversion, sample.clone()));
        }
    }
    for column in trying.mapping.columns() {
        row.entry(column.to_owned()).or_default();
    }
    for person in trying.mapping.persons() {
        row.insert(person.column.to_string(), some_identifier(&person.scheme, 1));
    }
    row.extend(given.iter().map(|(column, text)| (column.clone(), text.clone())));
    row
}

fn good_cell(path: &str, conversion: &Conversion, sample: Option<String>) -> String {
    let last = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let day = match () {
        () if last.contains("birth") || last.contains("born") => "2015-09-01",
        () if ["to", "until", "end"].contains(&last.as_str()) || last.ends_with("until") => "2026-03-06",
        () if last.contains("return") => "2026-03-09",
        () => "2026-03-02",
    };
    match conversion {
        Conversion::Text => sample.unwrap_or_else(|| "Text".to_owned()),
        Conversion::Id { scheme } => some_identifier(scheme, 1),
        Conversion::Day(form) | Conversion::Years(form) | Conversion::Instant { form, .. } => written(form, day),
        Conversion::Integer => {
            if last.contains("days") {
                "5".to_owned()
            } else {
                sample.unwrap_or_else(|| "1".to_owned())
            }
        }
        Conversion::Money { decimal, .. } => format!("1000{decimal}00"),
        Conversion::YesNo { yes, .. } => yes.first().map_or(String::new(), |word| word.to_string()),
        Conversion::Codes(codes) => codes.keys().next().map_or(String::new(), |code| code.to_string()),
        Conversion::DocumentId => "N-1".to_owned(),
    }
}

/// A day at ten o'clock, as a form has it.
fn written(form: &TimeForm, day: &str) -> String {
    let (year, month, date) = Day::parse(day).map_or((2026, 3, 2), Day::parts);
    let text = form.to_string();
    let two = |number: u8| format!("{number:02}");
    let text = text.replace("yyyy", &year.to_string()).replace("mm", &two(month)).replace("dd", &two(date));
    let text = text.replace("HH", "10").replace("MM", "00").replace("SS", "00");
    text.replace('m', &month.to_string()).replace('d', &date.to_string()).replace('H', "10")
}

/// An identifier of a scheme that is nobody's, or at least no one's in particular.
pub fn some_identifier(scheme: &str, number: u32) -> String {
    if scheme == "XX-OGTEST" {
        return Identifier::synthetic(number).value().to_owned();
    }
    let is_good = |text: &String| Identifier::parse(scheme, text).is_ok();
    let lengths = 1..=20_usize;
    let tries = |length: usize| (1..20_000_u32).map(move |tried| format!("{tried:0length$}"));
    let wanted = usize::try_from(number).unwrap_or(1).saturating_sub(1);
    lengths.flat_map(tries).filter(is_good).nth(wanted).unwrap_or_else(|| "1".to_owned())
}
