//! What a register's rows become: from columns to documents of a schema, by a mapping that was checked against both; or a yes or no
//! about them, where the record itself is not to leave.
//!
//! A mapping is whole or it is refused: each path that every document has comes from somewhere, no path is unknown, and what can be
//! known of values fits its type. For a question there are documents, or the word that there is no record, or a failure with a code
//! of its own. Who made the failure right is told rows, columns and paths, and nobody is told a value.

mod convert;
mod decide;
mod file;
mod table;
#[cfg(test)]
mod tests;

pub use convert::{Conversion, Form as TimeForm, Surroundings, Zone, Zones, identifier};
pub use file::{Around, From, Person, Several, Wrong};
pub use table::{Asked, Cell, Row, Table};

use crate::base::fault::{Code as FaultCode, Fault, nearest};
use crate::base::ids::{AgencyId, Code, Identifier};
use crate::base::time::{Day, UnixTime};
use crate::message::schema::{
    Describing, Entry, Facts, FieldPath, Form, FormError, Gives, Holding, Known, Schemas, Unfilled, Validator, Wrong as Misplaced,
};
use crate::message::xml::{Profile, ScanError, scan};
use decide::Decision;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// A mapping that is whole.
#[derive(Debug)]
pub struct Mapping {
    document: Code,
    persons: Vec<Person>,
    several: Several,
    during: Option<(usize, usize)>,
    latest: Option<usize>,
    entries: Vec<Mapped>,
    form: Form,
    decision: Option<Decision>,
}

#[derive(Debug)]
struct Mapped {
    path: Box<str>,
    from: From,
}

/// What is asked of a holder.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The role of the subject in the document; empty where the question names none.
    pub role: &'q str,
    /// The subject's identifiers.
    pub identifiers: &'q [Identifier],
    /// The period that documents are to concern.
    pub during: Option<(Day, Option<Day>)>,
    /// The optional fields that may go out.
    pub fields: &'q [FieldPath],
    /// The moment of the answer.
    pub now: UnixTime,
}

/// Whoever answers.
pub struct Own<'o> {
    /// The agency.
    pub id: &'o AgencyId,
    /// What it is called.
    pub name: &'o str,
    /// Its registration number or the like.
    pub identifier: Option<&'o Identifier>,
    /// Where clocks stand.
    pub zones: &'o dyn Zones,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These documents, as markup.
    Documents(Vec<String>),
    /// There is none.
    NoRecord,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The code that whoever asked is told.
    pub code: FaultCode,
    /// Where and why, for the holder's own lines: rows, columns and paths, no values.
    pub what: String,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.what)
    }
}

impl Mapping {
    /// Reads a mapping and holds it against the schemas; all that is wrong is said.
    pub fn compile(text: &str, around: &Around<'_>, schemas: &Schemas) -> Result<Self, Vec<Wrong>> {
        let read = file::read(text, around)?;
        let mut wrong = Vec::new();
        if let Some((pinned, at)) = &read.schema
            && schemas.digest_of(&read.document).is_some_and(|digest| digest != *pinned)
        {
            let what = format!("the schema of {} has changed since the mapping was pinned to it", read.document);
            wrong.push(Wrong { code: FaultCode::AgtSchema, at: at.clone(), what });
        }
        let mut places = Vec::new();
        let mut entries = Vec::new();
        for line in read.lines {
            let parts = match line.from {
                From::Agency => {
                    vec![(format!("{}/Id", line.path), From::AgencyId), (format!("{}/Name", line.path), From::AgencyName)]
                }
                from => vec![(line.path, from)],
            };
            for (path, from) in parts {
                places.push(line.at.clone());
                entries.push(Mapped { path: path.into(), from });
            }
        }
        let decision = match &read.yes {
            None => None,
            Some((yes, at)) => {
                places.push(at.clone());
                entries.push(Mapped { path: decide::ANSWER.into(), from: From::Text("yes".into()) });
                Decision::compile((yes, at), &read.facts, entries.len().saturating_sub(1))
                    .map_err(|other| wrong.extend(other))
                    .ok()
            }
        };
        let form = form(schemas, &read.document, &entries).map_err(|errors| wrong.extend(told(errors, &entries, &places)));
        let persons = read.persons;
        for person in &persons {
            let document = schemas.document_type(&read.document);
            if let Some(document) = document.filter(|document| !document.roles().contains(&*person.role)) {
                let roles: Vec<&str> = document.roles().into_iter().filter(|role| !role.is_empty()).collect();
                let what =
                    format!("{} is about nobody in the role \"{}\"; its roles: {}", document.name, person.role, roles.join(", "));
                wrong.push(Wrong { code: FaultCode::AgtUnknown, at: 0..0, what });
            }
        }
        let mut find = |path: &str| {
            let found = entries.iter().position(|entry| *entry.path == *path);
            if found.is_none() {
                let what = format!("{path} is named, and is not in [map]");
                wrong.push(Wrong { code: FaultCode::AgtUnknown, at: 0..0, what });
            }
            found
        };
        let during = read.during.map(|(from, to)| (find(&from), find(&to)));
        let latest = if let Several::Latest(path) = &read.several { find(path) } else { None };
        match form {
            Ok(form) if wrong.is_empty() => Ok(Self {
                document: read.document,
                persons,
                several: read.several,
                during: during.and_then(|(from, to)| from.zip(to)),
                latest,
                entries,
                form,
                decision,
            }),
            _ => Err(wrong),
        }
    }

    /// The document type.
    pub fn document(&self) -> &Code {
        &self.document
    }

    /// As whom the register knows people.
    pub fn persons(&self) -> &[Person] {
        &self.persons
    }

    /// The columns that it reads.
    pub fn columns(&self) -> BTreeSet<&str> {
        let of_entries = self.entries.iter().map(|entry| &entry.from);
        let of_facts = self.decision.iter().flat_map(Decision::sources);
        let columns = of_entries.chain(of_facts).flat_map(|from| match from {
            From::Columns { columns, .. } => &columns[..],
            _ => &[],
        });
        columns.chain(self.persons.iter().map(|person| &person.column)).map(|column| &**column).collect()
    }

    /// What is wrong with it where the source has these columns.
    pub fn against(&self, columns: &[Box<str>]) -> Vec<Wrong> {
        let missing = self.columns().into_iter().filter(|own| columns.iter().all(|column| **column != **own));
        let say = |column: &str| {
            let near = nearest(column, columns.iter().map(|column| &**column));
            let near = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
            Wrong { code: FaultCode::AgtUnknown, at: 0..0, what: format!("the source has no column \"{column}\"{near}") }
        };
        missing.map(say).collect()
    }

    /// Each path, and where its value comes from.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &From)> {
        self.entries.iter().map(|entry| (&*entry.path, &entry.from))
    }

    /// Whether the answer is a yes or no and no record.
    pub fn is_decision(&self) -> bool {
        self.decision.is_some()
    }

    /// What the source is to be asked.
    pub fn asked(&self, question: &Question<'_>) -> Result<(&Person, Asked), Failed> {
        let in_role = self.persons.iter().filter(|person| *person.role == *question.role);
        let mut pairs = in_role.flat_map(|person| {
            let fits = question.identifiers.iter().filter(|identifier| identifier.scheme() == &*person.scheme);
            fits.map(move |identifier| (person, identifier.clone()))
        });
        let schemes: Vec<&str> = self.persons.iter().map(|person| &*person.scheme).collect();
        let none =
            || Failed { code: FaultCode::SrcSelector, what: format!("the register knows people by {}", schemes.join(", ")) };
        let (person, identifier) = pairs.next().ok_or_else(none)?;
        let (from, to) = question.during.map_or((None, None), |(from, to)| (Some(from), to));
        Ok((person, Asked { person: identifier, from, to, today: question.now.day() }))
    }

    /// The answer, by the rows that the source gave.
    pub fn answer(
        &self,
        question: &Question<'_>,
        (person, asked): (&Person, &Asked),
        table: &Table,
        own: &Own<'_>,
        schemas: &Schemas,
    ) -> Result<Outcome, Failed> {
        let changed = self.against(&table.columns);
        if let Some(first) = changed.first() {
            return Err(Failed { code: FaultCode::SrcChanged, what: first.what.clone() });
        }
        let place = |column: &str| table.columns.iter().position(|known| **known == *column);
        let at = place(&person.column).unwrap_or(usize::MAX);
        for row in &table.rows {
            let found = row.cells.get(at).and_then(Cell::expose).and_then(|text| identifier(&person.scheme, text));
            if found.as_ref() != Some(&asked.person) {
                let what = format!("row {} is of another person than was asked about", row.number);
                return Err(Failed { code: FaultCode::SrcPersons, what });
            }
        }
        let document = schemas.document_type(&self.document);
        let goes = Goes {
            fields: question.fields,
            known: document.map(|document| Known::of(question.fields, &document.paths())).unwrap_or_default(),
            subject: document.map(|document| document.described(question.role)).unwrap_or_default(),
        };
        let reading = Reading { mapping: self, question, own, table, place: &place, goes: &goes };
        let mut rows = table.rows.iter().map(|row| reading.row(row)).collect::<Vec<_>>();
        rows.retain(|row| self.concerns(row, question.during));
        if rows.is_empty() {
            return Ok(Outcome::NoRecord);
        }
        if let Some(decision) = &self.decision {
            let answer = decision.decide(&reading, &table.rows)?;
            rows.truncate(1);
            for row in &mut rows {
                row.say(decision.answer, answer);
            }
        }
        self.documents(rows, (asked, question), schemas).map(Outcome::Documents)
    }

    /// Whether a row is of the period that was asked about. One that does not say when it is, is.
    fn concerns(&self, row: &Filled<'_>, during: Option<(Day, Option<Day>)>) -> bool {
        let (Some((from, to)), Some((first, last))) = (self.during, during) else { return true };
        let day = |entry: usize| row.text(entry).and_then(|text| Day::parse(text.get(..10)?));
        let begins_late = day(from).zip(last).is_some_and(|(from, last)| from > last);
        let ends_early = day(to).is_some_and(|to| to < first);
        !begins_late && !ends_early
    }

    fn documents(
        &self,
        rows: Vec<Filled<'_>>,
        (asked, question): (&Asked, &Question<'_>),
        schemas: &Schemas,
    ) -> Result<Vec<String>, Failed> {
        let rows = match (&self.several, rows.len()) {
            (Several::Refuse, 2..) => {
                let what = format!("rows {}, where the mapping gives one", numbers(&rows));
                return Err(Failed { code: FaultCode::SrcSeveral, what });
            }
            (Several::Latest(_), 2..) => {
                let key = |row: &Filled<'_>| self.latest.and_then(|entry| row.text(entry).map(str::to_owned));
                let latest = rows.iter().map(key).max().flatten();
                let mut kept: Vec<_> = rows.into_iter().filter(|row| key(row) == latest).collect();
                kept.truncate(1);
                kept
            }
            _ => rows,
        };
        let (mut documents, mut people): (Vec<String>, Vec<(u64, Facts)>) = (Vec::new(), Vec::new());
        for row in rows {
            let (markup, facts) = self.document_of(&row, schemas)?;
            let is_theirs = facts.subjects_as(question.role).any(|subject| subject.identifiers.contains(&asked.person));
            if !is_theirs {
                let what = format!(
                    "the document of row {} is not about whom was asked about: [map] puts no such identifier into it",
                    row.number
                );
                return Err(Failed { code: FaultCode::SrcPersons, what });
            }
            people.push((row.number, facts));
            documents.push(markup);
        }
        same_person(&people, question.role)?;
        Ok(documents)
    }

    /// A row's document, which is valid.
    fn document_of(&self, row: &Filled<'_>, schemas: &Schemas) -> Result<(String, Facts), Failed> {
        let failed = |what: String| Failed { code: FaultCode::SrcRow, what: format!("row {}: {what}", row.number) };
        let filled = self.form.fill(row);
        // What a cell should hold says more than that nothing is there.
        if let Some(why) = row.failed.borrow_mut().take() {
            return Err(failed(why));
        }
        let markup = filled.map_err(|unfilled: Unfilled| failed(unfilled.to_string()))?;
        let mut validator = Validator::new(schemas);
        validator.expect(Some(&self.document));
        let scanned = scan(markup.as_bytes(), Profile::Message, &mut validator);
        let broken = |error: ScanError<_>| match error {
            ScanError::Xml(violation) => Fault::at(violation.code, violation.to_string()),
            ScanError::Visitor(never) => match never {},
        };
        let facts = scanned.map_err(broken).and_then(|_| validator.finish()).map_err(|fault| {
            // Its detail says a path and what the schema expects there, never a value.
            failed(format!("{} {}", fault.code, fault.detail))
        })?;
        Ok((markup, facts))
    }
}

/// Documents of one identifier are of one person.
fn same_person(people: &[(u64, Facts)], role: &str) -> Result<(), Failed> {
    let subjects = || people.iter().flat_map(|(number, facts)| facts.subjects_as(role).map(move |subject| (*number, subject)));
    for (number, subject) in subjects() {
        for (other_number, other) in subjects() {
            let differs = |left: &Option<String>, right: &Option<String>| left.is_some() && right.is_some() && left != right;
            let is_other = differs(&subject.birth_date, &other.birth_date)
                || differs(&subject.family, &other.family) && differs(&subject.given, &other.given);
            if is_other && subject.identifiers == other.identifiers {
                let what = format!("rows {number} and {other_number} are of two people with one identifier");
                return Err(Failed { code: FaultCode::SrcPersons, what });
            }
        }
    }
    Ok(())
}

fn numbers(rows: &[Filled<'_>]) -> String {
    rows.iter().map(|row| row.number.to_string()).collect::<Vec<_>>().join(", ")
}

fn form(schemas: &Schemas, document: &Code, entries: &[Mapped]) -> Result<Form, Vec<FormError>> {
    let samples: Vec<(Vec<&str>, Gives)> = entries.iter().map(|entry| samples(&entry.from)).collect();
    let entries: Vec<Entry<'_>> = entries
        .iter()
        .zip(&samples)
        .map(|(entry, (samples, gives))| Entry { path: &entry.path, gives: *gives, beside: beside(&entry.from), samples })
        .collect();
    Form::new(schemas, document, &entries)
}

fn samples(from: &From) -> (Vec<&str>, Gives) {
    match from {
        From::Columns { conversion, .. } => {
            let (samples, is_all) = conversion.samples();
            (samples, if is_all { Gives::OneOf } else { Gives::Column })
        }
        From::Text(text) => (vec![text], Gives::Constant),
        From::Now | From::AsOf => (vec!["2026-03-04T05:12:09Z"], Gives::Constant),
        From::Today => (vec!["2026-03-04"], Gives::Constant),
        From::AgencyId | From::AgencyName | From::Agency => (Vec::new(), Gives::Constant),
    }
}

fn beside(from: &From) -> Option<&'static str> {
    match from {
        From::Columns { conversion, .. } => conversion.beside().map(|(name, _)| name),
        From::AgencyId => Some("scheme"),
        _ => None,
    }
}

/// What is wrong with a form, at the lines that are meant.
fn told(errors: Vec<FormError>, entries: &[Mapped], places: &[std::ops::Range<usize>]) -> Vec<Wrong> {
    let say = |error: FormError| {
        let code = match error.why {
            Misplaced::Missing | Misplaced::MissingChoice(_) => FaultCode::AgtMissing,
            Misplaced::Unknown(_) | Misplaced::HasNoElements => FaultCode::AgtUnknown,
            _ => FaultCode::AgtFile,
        };
        let at = entries.iter().position(|entry| *entry.path == *error.path).and_then(|at| places.get(at)).cloned();
        Wrong { code, at: at.unwrap_or(0..0), what: error.to_string() }
    };
    errors.into_iter().map(say).collect()
}

/// The rows of a table, as one mapping reads them.
struct Reading<'r> {
    mapping: &'r Mapping,
    question: &'r Question<'r>,
    own: &'r Own<'r>,
    table: &'r Table,
    place: &'r dyn Fn(&str) -> Option<usize>,
    goes: &'r Goes<'r>,
}

/// What goes out of what may be left out: what may be given, and what tells whoever was asked about from others.
struct Goes<'g> {
    fields: &'g [FieldPath],
    known: Known<'g>,
    subject: Vec<Describing<'g>>,
}

/// A row with the values of all entries. A value that cannot be had fails only the document that wants it.
struct Filled<'f> {
    number: u64,
    mapping: &'f Mapping,
    own: &'f Own<'f>,
    goes: &'f Goes<'f>,
    values: Vec<Result<Option<String>, String>>,
    failed: RefCell<Option<String>>,
}

impl<'r> Reading<'r> {
    fn row(&self, row: &Row) -> Filled<'r> {
        let values = self.mapping.entries.iter().map(|entry| {
            let value = self.value(&entry.from, row);
            value.map_err(|expects| format!("{}: {expects} is expected", entry.path))
        });
        let values = values.collect();
        Filled { number: row.number, mapping: self.mapping, own: self.own, goes: self.goes, values, failed: RefCell::default() }
    }

    fn around(&self) -> Surroundings<'r> {
        Surroundings { agency: self.own.id, today: self.question.now.day(), zones: self.own.zones }
    }

    /// The value of an entry or a fact for a row; or what is wrong with the cell, as what it should hold.
    fn value(&self, from: &From, row: &Row) -> Result<Option<String>, String> {
        let without_fraction = |time: UnixTime| format!("{}Z", time.to_string().split('.').next().unwrap_or_default());
        Ok(match from {
            From::Columns { columns, with, conversion } => {
                let cell = |column: &str| (self.place)(column).and_then(|at| row.cells.get(at)).and_then(Cell::expose);
                let texts: Vec<&str> = columns.iter().filter_map(|column| cell(column)).collect();
                if texts.is_empty() {
                    return Ok(None);
                }
                let applied = conversion.apply(&texts.join(with), &self.around());
                Some(applied.map_err(|expects| format!("{expects} in column \"{}\"", columns.join("\", \"")))?)
            }
            From::Text(text) => Some(text.to_string()),
            From::AgencyId => self.own.identifier.map(|identifier| identifier.value().to_owned()),
            From::AgencyName | From::Agency => Some(self.own.name.to_owned()),
            From::Now => Some(without_fraction(self.question.now)),
            From::Today => Some(self.question.now.day().to_string()),
            From::AsOf => Some(without_fraction(self.table.as_of)),
        })
    }
}

impl Filled<'_> {
    fn text(&self, entry: usize) -> Option<&str> {
        self.values.get(entry)?.as_ref().ok()?.as_deref()
    }

    fn say(&mut self, entry: usize, text: &str) {
        if let Some(value) = self.values.get_mut(entry) {
            *value = Ok(Some(text.to_owned()));
        }
    }
}

impl Holding for Filled<'_> {
    fn value(&self, entry: usize) -> Option<&str> {
        if let Some(Err(why)) = self.values.get(entry) {
            self.failed.borrow_mut().get_or_insert_with(|| why.clone());
        }
        self.text(entry)
    }

    fn beside(&self, entry: usize) -> Option<&str> {
        let mapping: &Mapping = self.mapping;
        match &mapping.entries.get(entry)?.from {
            From::Columns { conversion, .. } => conversion.beside().map(|(_, text)| text),
            From::AgencyId => self.own.identifier.map(Identifier::scheme),
            _ => None,
        }
    }

    fn is_constant(&self, entry: usize) -> bool {
        !matches!(self.mapping.entries.get(entry).map(|entry| &entry.from), Some(From::Columns { .. }))
    }

    fn gives(&self, path: &str) -> bool {
        let Goes { fields, known, subject } = self.goes;
        fields.iter().any(|field| field.releases(path, known)) || subject.iter().any(|part| part.covers(path))
    }
}
