//! The words that situations speak: country and languages, roles, agencies, documents, facts.

use super::diagnostic::File;
use super::file::{Noted, Read, Reading, Table};
use super::time::Term;
use super::{Document, DocumentOf, Fact, Keeper, Level, Office, Reads, Source, Spread, Sum, Texts};
use crate::base::fault::Code as Fault;
use crate::base::ids::Code;
use crate::base::limits;
use crate::message::schema::{DocumentType, FieldPath};
use crate::rules::condition::{FactIndex, Kind, Value};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

pub(super) type RawTexts = Spanned<BTreeMap<String, String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    format: Spanned<u32>,
    country: Spanned<String>,
    languages: Spanned<Vec<String>>,
}

pub(super) fn head(reading: &mut Reading<'_>, file: &File) -> Read<()> {
    let raw: RawHead = reading.toml(file)?;
    reading.format(file, &raw.format)?;
    let (country, at) = (raw.country.get_ref(), raw.country.span());
    if country.len() != 2 || !country.bytes().all(|octet| octet.is_ascii_uppercase()) {
        return reading.wrong(Fault::CatSyntax, file, &at, format!("\"{country}\" is not a country of ISO 3166-1, as in RU"));
    }
    reading.catalogue.country = country.as_str().into();
    let (languages, at) = (raw.languages.get_ref(), raw.languages.span());
    let is_language = |text: &String| text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_lowercase());
    if languages.is_empty() || languages.len() > 8 || !languages.iter().all(is_language) {
        return reading.wrong(
            Fault::CatSyntax,
            file,
            &at,
            "languages are one to eight codes of ISO 639-1, as in [\"en\", \"ru\"]",
        );
    }
    reading.catalogue.languages = languages.iter().map(|language| language.as_str().into()).collect();
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoles {
    format: Spanned<u32>,
    role: Table<RawTexts>,
}

pub(super) fn roles(reading: &mut Reading<'_>, file: &File) -> Read<()> {
    let raw: RawRoles = reading.toml(file)?;
    reading.format(file, &raw.format)?;
    for (name, title) in raw.role.0 {
        let (Ok(code), Ok(title)) = (reading.code(file, &name), reading.texts(file, title)) else { continue };
        if reading.catalogue.roles.insert(code, title).is_some() {
            // What is wrong is noted.
            let _: Read<()> = reading.twice(file, &name);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOffices {
    format: Spanned<u32>,
    agency: Table<RawOffice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOffice {
    title: RawTexts,
    level: Spanned<String>,
}

pub(super) fn offices(reading: &mut Reading<'_>, file: &File) -> Read<()> {
    let raw: RawOffices = reading.toml(file)?;
    reading.format(file, &raw.format)?;
    for (name, office) in raw.agency.0 {
        let level = Level::ALL.into_iter().find(|level| level.as_str() == office.level.get_ref());
        if level.is_none() {
            let what = format!("level = \"{}\"; it is federal, regional, local or partner", office.level.get_ref());
            reading.note(Fault::CatSyntax, file, &office.level.span(), what);
        }
        let (code, title) = (reading.code(file, &name), reading.texts(file, office.title));
        if let (Ok(code), Ok(title), Some(level)) = (code, title, level)
            && reading.catalogue.offices.insert(code, Office { title, level }).is_some()
        {
            // What is wrong is noted.
            let _: Read<()> = reading.twice(file, &name);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocuments {
    format: Spanned<u32>,
    document: Table<RawDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    title: RawTexts,
    holder: Spanned<String>,
}

/// The holder of what only the citizen has.
const APPLICANT: &str = "applicant";

pub(super) fn documents(reading: &mut Reading<'_>, file: &File) -> Read<()> {
    let raw: RawDocuments = reading.toml(file)?;
    reading.format(file, &raw.format)?;
    for (name, document) in raw.document.0 {
        // What is wrong is noted.
        let _: Read<()> = add_document(reading, file, &name, document);
    }
    Ok(())
}

fn add_document(reading: &mut Reading<'_>, file: &File, name: &Spanned<String>, raw: RawDocument) -> Read<()> {
    let code = reading.code(file, name)?;
    if reading.catalogue.documents.contains_key(&code) {
        return reading.twice(file, name);
    }
    let schemas = reading.schemas;
    let Some(known) = schemas.document_type(&code) else {
        let known: Vec<Code> = schemas.document_types().map(|known| known.name.clone()).collect();
        return reading.known(file, name, "document type of the schemas", &known).map(drop);
    };
    let names = known.roles().into_iter().filter_map(Code::parse).collect();
    let holder = match raw.holder.get_ref().as_str() {
        APPLICANT => Keeper::Applicant,
        "" => return reading.wrong(Fault::CatHolder, file, &raw.holder.span(), "nobody holds it: name an agency, or applicant"),
        _ => Keeper::Office(reading.office(file, &raw.holder)?),
    };
    let title = reading.texts(file, raw.title)?;
    reading.catalogue.documents.insert(code, Document { title, holder, names });
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFacts {
    format: Spanned<u32>,
    fact: Table<Spanned<RawFact>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFact {
    r#type: Spanned<String>,
    from: Option<Spanned<RawSource>>,
    sum: Option<Spanned<RawSum>>,
    none: Option<Spanned<toml::Value>>,
    ask: Option<RawTexts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSum {
    of: Spanned<String>,
    within: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    document: Spanned<String>,
    of: Spanned<String>,
    at: Option<Spanned<String>>,
    exists: Option<Spanned<String>>,
}

pub(super) fn facts(reading: &mut Reading<'_>, file: &File) -> Read<()> {
    let raw: RawFacts = reading.toml(file)?;
    reading.format(file, &raw.format)?;
    if raw.fact.0.len() + reading.catalogue.facts.len() > limits::CATALOGUE_FACTS_MAX {
        let what = format!("a catalogue has at most {} facts", limits::CATALOGUE_FACTS_MAX);
        return reading.wrong(Fault::CatTooMuch, file, &(0..0), what);
    }
    for (name, fact) in raw.fact.0 {
        let Ok(fact) = read_fact(reading, file, &name, fact) else { continue };
        let catalogue = &mut reading.catalogue;
        catalogue.numbers.insert(fact.name.clone(), FactIndex(catalogue.facts.len() as u16));
        catalogue.facts.push(fact);
    }
    Ok(())
}

/// Words that the Common Expression Language keeps for itself, and those of conditions.
const RESERVED: [&str; 24] = [
    "as",
    "break",
    "const",
    "continue",
    "date",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
    "and",
    "or",
];

/// The role that a fact begins with, if its name is one: words of small letters, digits and `_`, with points between.
fn role_of(name: &str) -> Option<&str> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_')
            && !RESERVED.contains(&word)
    };
    (name.len() <= 64 && name.contains('.') && name.split('.').all(is_word)).then(|| name.split('.').next())?
}

fn read_fact(reading: &mut Reading<'_>, file: &File, name: &Spanned<String>, raw: Spanned<RawFact>) -> Read<Fact> {
    let (at, raw) = (raw.span(), raw.into_inner());
    if reading.catalogue.numbers.contains_key(name.get_ref().as_str()) {
        return reading.twice(file, name);
    }
    if role_of(name.get_ref()).is_none() {
        let what =
            format!("\"{}\" is not the name of a fact: words with points between, as in child.birth_order", name.get_ref());
        return reading.wrong(Fault::CatSyntax, file, &name.span(), what);
    }
    let Some(kind) = Kind::parse(raw.r#type.get_ref()) else {
        let what = format!("type = \"{}\"; it is bool, int, text or date", raw.r#type.get_ref());
        return reading.wrong(Fault::CatSyntax, file, &raw.r#type.span(), what);
    };
    if let Some(sum) = raw.sum {
        let at = sum.span();
        return match (kind, &raw.from, &raw.none, &raw.ask) {
            (Kind::Number, None, None, None) => read_sum(reading, file, name.get_ref(), sum.into_inner()),
            _ => reading.wrong(Fault::CatFact, file, &at, "a sum is an int, and has neither from, none nor ask"),
        };
    }
    let source = raw.from.map(|source| read_source(reading, file, kind, source.into_inner())).transpose();
    let none = raw.none.map(|none| read_value(reading, file, kind, &none)).transpose();
    let ask: Result<Option<Texts>, Noted> = raw.ask.map(|ask| reading.texts(file, ask)).transpose();
    let (source, none, ask) = (source?, none?, ask?);
    match (&source, &none, &ask) {
        (None, _, None) => reading.wrong(Fault::CatFact, file, &at, "nobody can say it: give it from = { ... } or ask = { ... }"),
        (None, Some(_), _) => reading.wrong(Fault::CatFact, file, &at, "none = is for what is fetched, and this has no from ="),
        (Some(_), None, None) => {
            let what = "where there is no such document nothing says what it is: give it none = ... or ask = { ... }";
            reading.wrong(Fault::CatFact, file, &at, what)
        }
        _ => Ok(Fact { name: name.get_ref().as_str().into(), kind, source, sum: None, none, ask }),
    }
}

/// What adds up over the cases of a person.
fn read_sum(reading: &mut Reading<'_>, file: &File, name: &str, raw: RawSum) -> Read<Fact> {
    let of = reading.catalogue.fact_named(raw.of.get_ref());
    let of = of.filter(|of| reading.catalogue.fact(*of).is_some_and(|fact| fact.kind == Kind::Number && fact.source.is_some()));
    let Some(of) = of else {
        let what = format!("\"{}\" is no number in a document that is described above", raw.of.get_ref());
        return reading.wrong(Fault::CatFact, file, &raw.of.span(), what);
    };
    let Some(within) = Term::parse(raw.within.get_ref()) else {
        return reading.wrong(Fault::CatDeadline, file, &raw.within.span(), Term::FORM);
    };
    Ok(Fact { name: name.into(), kind: Kind::Number, source: None, sum: Some(Sum { of, within }), none: None, ask: None })
}

fn read_value(reading: &mut Reading<'_>, file: &File, kind: Kind, raw: &Spanned<toml::Value>) -> Read<Value> {
    let value = match (kind, raw.get_ref()) {
        (Kind::Truth, toml::Value::Boolean(truth)) => Some(Value::Truth(*truth)),
        (Kind::Number, toml::Value::Integer(number)) => Some(Value::Number(*number)),
        (Kind::Text, toml::Value::String(text)) => Some(Value::Text(text.as_str().into())),
        (Kind::Date, toml::Value::Datetime(date)) => Value::parse(kind, &date.to_string()),
        _ => None,
    };
    value.map_or_else(
        || reading.wrong(Fault::CatSyntax, file, &raw.span(), format!("none = has to be {kind}, as its type is")),
        Ok,
    )
}

fn read_source(reading: &mut Reading<'_>, file: &File, kind: Kind, raw: RawSource) -> Read<Source> {
    let document = reading.document(file, &raw.document)?;
    let role = reading.role(file, &raw.of)?;
    let (text, reads) = match (raw.at, raw.exists) {
        (Some(at), None) => (at, Reads::Content),
        (None, Some(exists)) if kind == Kind::Truth => (exists, Reads::Presence),
        (None, Some(exists)) => {
            return reading.wrong(Fault::CatSyntax, file, &exists.span(), "whether something exists is a bool");
        }
        _ => {
            return reading.wrong(
                Fault::CatSyntax,
                file,
                &raw.document.span(),
                "a source has at = \"path\" or exists = \"path\"",
            );
        }
    };
    let path = read_path(reading, file, &document, &text)?;
    Ok(Source { document: DocumentOf { document, role }, path, reads })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPopulation {
    format: Spanned<u32>,
    found: Spanned<f64>,
    #[serde(default)]
    missing: Vec<Spanned<String>>,
    #[serde(default)]
    fact: Table<Spanned<RawSpread>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpread {
    share: Option<f64>,
    from: Option<i64>,
    to: Option<i64>,
    among: Option<Vec<Spanned<toml::Value>>>,
}

pub(super) fn population(reading: &mut Reading<'_>, file: &File) -> Read<()> {
    let raw: RawPopulation = reading.toml(file)?;
    reading.format(file, &raw.format)?;
    let is_share = |share: f64| (0.0..=1.0).contains(&share);
    if !is_share(*raw.found.get_ref()) {
        reading.note(Fault::CatSyntax, file, &raw.found.span(), "a share is a number from 0 to 1");
    }
    reading.catalogue.population.found = raw.found.into_inner();
    for text in raw.missing {
        let Ok(document) = reading.document(file, &text) else { continue };
        reading.catalogue.population.missing.insert(document);
    }
    for (name, raw) in raw.fact.0 {
        let known = reading.catalogue.fact_named(name.get_ref());
        let kind = known.and_then(|index| reading.catalogue.fact(index)).map(|fact| fact.kind);
        let (Some(index), Some(kind)) = (known, kind) else {
            reading.note(Fault::CatUnknown, file, &name.span(), format!("no fact is called {}", name.get_ref()));
            continue;
        };
        let (at, raw) = (raw.span(), raw.into_inner());
        let spread = match (kind, raw.share, raw.from, raw.to, raw.among) {
            (Kind::Truth, Some(share), None, None, None) if is_share(share) => Spread::Share(share),
            (Kind::Number, None, Some(from), Some(to), None) if from <= to => Spread::Between(from, to),
            (Kind::Text | Kind::Date, None, None, None, Some(among)) if !among.is_empty() => {
                Spread::Among(reading.each(among, |reading, value| read_value(reading, file, kind, &value)))
            }
            _ => {
                let what = "a bool has share = 0.4, an int from = 1 and to = 4, a text or date among = [...]";
                reading.note(Fault::CatSyntax, file, &at, what);
                continue;
            }
        };
        reading.catalogue.population.facts.insert(index, spread);
    }
    Ok(())
}

/// A path that documents of this type may have.
pub(super) fn read_path(reading: &mut Reading<'_>, file: &File, document: &Code, text: &Spanned<String>) -> Read<FieldPath> {
    let schemas = reading.schemas;
    let known: Option<&DocumentType> = schemas.document_type(document);
    let path = FieldPath::parse(text.get_ref()).filter(|path| !path.is_pattern() && !path.is_everything());
    let Some(path) = path else {
        let what = format!("\"{}\" is not a path: names of elements with / between them, the last may be @name", text.get_ref());
        return reading.wrong(Fault::CatPath, file, &text.span(), what);
    };
    match known {
        Some(known) if known.has_path(&path) => Ok(path),
        Some(known) => {
            let near = known.nearest(&path).map_or(String::new(), |near| format!("; did you mean {near}?"));
            reading.wrong(Fault::CatPath, file, &text.span(), format!("{document} has nothing at {}{near}", text.get_ref()))
        }
        None => Err(Noted),
    }
}
