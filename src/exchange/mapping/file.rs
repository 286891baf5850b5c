//! A mapping's file, as somebody writes it: on the left the path in the document, on the right where its value comes from.

use super::convert::{Conversion, Form, Zone, Zones};
use crate::base::fault::{Code as FaultCode, nearest};
use crate::base::ids::{Code, Digest, Identifier};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use toml::{Spanned, Value};

/// Something wrong in a file of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Its code.
    pub code: FaultCode,
    /// The octets of the text that are meant.
    pub at: Range<usize>,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.what)
    }
}

/// What a mapping needs beside its own text.
pub struct Around<'a> {
    /// The text of another file, by the name that the mapping has for it.
    pub files: &'a dyn Fn(&str) -> Result<String, String>,
    /// Where clocks stand.
    pub zones: &'a dyn Zones,
}

/// A file, read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) document: Code,
    /// The digest of the schema for which it was made.
    pub(super) schema: Option<(Digest, Range<usize>)>,
    pub(super) persons: Vec<Person>,
    pub(super) several: Several,
    pub(super) during: Option<(String, String)>,
    pub(super) lines: Vec<Line>,
    pub(super) yes: Option<(String, Range<usize>)>,
    pub(super) facts: Vec<Line>,
}

/// Whoever the register knows people as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The role in the document by which a question means them; empty for a question that names none.
    pub role: Box<str>,
    /// The scheme of their identifiers.
    pub scheme: Box<str>,
    /// The column that they stand in.
    pub column: Box<str>,
}

/// What is given where there are several documents of one person.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Several {
    /// All of them.
    #[default]
    All,
    /// None: it is an error of the register.
    Refuse,
    /// The one whose value at this path is the greatest.
    Latest(Box<str>),
}

/// A path, or the name of a fact, and where its value comes from.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) path: String,
    pub(super) from: From,
    pub(super) at: Range<usize>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A column, or several that are joined.
    Columns {
        /// The columns.
        columns: Vec<Box<str>>,
        /// What stands between them.
        with: Box<str>,
        /// What is done with the text.
        conversion: Conversion,
    },
    /// It is always this.
    Text(Box<str>),
    /// The identifier of this agency.
    AgencyId,
    /// The name of this agency.
    AgencyName,
    /// The identifier and the name of this agency, in the elements `Id` and `Name` of what stands here.
    Agency,
    /// The moment of the answer.
    Now,
    /// The day of the answer.
    Today,
    /// As of when the data is.
    AsOf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    format: u32,
    document: Spanned<String>,
    schema: Option<Spanned<String>>,
    person: Spanned<OneOrMany>,
    several: Option<Spanned<Value>>,
    during: Option<RawDuring>,
    #[serde(default)]
    map: BTreeMap<String, Spanned<Value>>,
    yes: Option<Spanned<String>>,
    #[serde(default)]
    facts: BTreeMap<String, Spanned<Value>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "{ column, scheme }, or a list of { role, column, scheme }")]
enum OneOrMany {
    One(RawPerson),
    Many(Vec<RawPerson>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerson {
    #[serde(default)]
    role: String,
    scheme: String,
    column: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDuring {
    from: String,
    to: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawFrom {
    column: Option<String>,
    columns: Option<Vec<String>>,
    with: Option<String>,
    r#as: Option<String>,
    form: Option<String>,
    zone: Option<String>,
    scheme: Option<String>,
    currency: Option<String>,
    decimal: Option<String>,
    yes: Option<Vec<String>>,
    no: Option<Vec<String>>,
    codes: Option<Value>,
    text: Option<String>,
    agency: Option<Value>,
    now: Option<bool>,
    todo: Option<String>,
}

/// The names of the conversions.
const CONVERSIONS: [&str; 9] = ["text", "id", "day", "instant", "integer", "money", "yes-no", "document-id", "years"];

/// Reads a file; all that is wrong is said.
pub(super) fn read(text: &str, around: &Around<'_>) -> Result<File, Vec<Wrong>> {
    let raw: RawFile = toml::from_str(text).map_err(|error| {
        vec![Wrong { code: FaultCode::AgtFile, at: error.span().unwrap_or(0..0), what: error.message().to_owned() }]
    })?;
    let mut reading = Reading { around, wrong: Vec::new() };
    if raw.format != 1 {
        reading.say(FaultCode::AgtFile, 0..0, "this program reads format = 1".to_owned());
    }
    let document = Code::parse(raw.document.get_ref());
    if document.is_none() {
        reading.say(
            FaultCode::AgtFile,
            raw.document.span(),
            format!("\"{}\" is not the name of a document", raw.document.get_ref()),
        );
    }
    let schema = raw.schema.and_then(|schema| reading.digest(&schema));
    let persons = reading.persons(&raw.person);
    let several = raw.several.map_or(Several::All, |several| reading.several(&several));
    let lines = reading.lines(raw.map);
    let facts = reading.lines(raw.facts);
    let yes = raw.yes.map(|yes| (yes.get_ref().clone(), yes.span()));
    if lines.is_empty() && yes.is_none() {
        reading.say(FaultCode::AgtFile, 0..0, "nothing is mapped: [map] has no line, and there is no yes".to_owned());
    }
    match document {
        Some(document) if reading.wrong.is_empty() => {
            let during = raw.during.map(|during| (during.from, during.to));
            Ok(File { document, schema, persons, several, during, lines, yes, facts })
        }
        _ => Err(reading.wrong),
    }
}

struct Reading<'r, 'a> {
    around: &'r Around<'a>,
    wrong: Vec<Wrong>,
}

impl Reading<'_, '_> {
    fn say(&mut self, code: FaultCode, at: Range<usize>, what: String) {
        self.wrong.push(Wrong { code, at, what });
    }

    fn digest(&mut self, schema: &Spanned<String>) -> Option<(Digest, Range<usize>)> {
        let digest = schema.get_ref().strip_prefix("sha256:").and_then(Digest::parse_hex);
        if digest.is_none() {
            let what = "schema is sha256: and 64 hexadecimal digits, as oncegate agent check --pin writes it".to_owned();
            self.say(FaultCode::AgtFile, schema.span(), what);
        }
        digest.map(|digest| (digest, schema.span()))
    }

    fn persons(&mut self, raw: &Spanned<OneOrMany>) -> Vec<Person> {
        let all = match raw.get_ref() {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        };
        if all.is_empty() {
            self.say(FaultCode::AgtFile, raw.span(), "person names nobody".to_owned());
        }
        let mut persons: Vec<Person> = Vec::new();
        for RawPerson { role, scheme, column } in all {
            if !Identifier::is_scheme(scheme) {
                self.say(
                    FaultCode::AgtFile,
                    raw.span(),
                    format!("\"{scheme}\" is not the scheme of an identifier, such as RU-SNILS"),
                );
            }
            if persons.iter().any(|known| *known.role == **role && *known.scheme == **scheme) {
                self.say(FaultCode::AgtFile, raw.span(), format!("two columns for one role and {scheme}"));
            }
            persons.push(Person { role: role.as_str().into(), scheme: scheme.as_str().into(), column: column.as_str().into() });
        }
        persons
    }

    fn several(&mut self, raw: &Spanned<Value>) -> Several {
        let latest = raw.get_ref().as_table().filter(|table| table.len() == 1).and_then(|table| table.get("latest")?.as_str());
        match (raw.get_ref().as_str(), latest) {
            (Some("all"), _) => Several::All,
            (Some("refuse"), _) => Several::Refuse,
            (_, Some(path)) => Several::Latest(path.into()),
            _ => {
                let what = "several is \"all\", \"refuse\" or { latest = \"Absence/From\" }".to_owned();
                self.say(FaultCode::AgtFile, raw.span(), what);
                Several::All
            }
        }
    }

    fn lines(&mut self, raw: BTreeMap<String, Spanned<Value>>) -> Vec<Line> {
        let mut lines = Vec::new();
        for (path, value) in raw {
            let at = value.span();
            match self.from(value.into_inner(), &at) {
                Ok(from) => lines.push(Line { path, from, at }),
                Err((code, what)) => self.say(code, at, format!("{path}: {what}")),
            }
        }
        lines
    }

    fn from(&self, value: Value, at: &Range<usize>) -> Result<From, (FaultCode, String)> {
        let form = |what: String| (FaultCode::AgtFile, what);
        let raw: RawFrom = match value {
            Value::String(column) => RawFrom { column: Some(column), ..RawFrom::default() },
            table @ Value::Table(_) => table.try_into().map_err(|error: toml::de::Error| form(error.message().to_owned()))?,
            _ => return Err(form("a column's name, or { column = …, as = … }, stands here".to_owned())),
        };
        let _ = at;
        if let Some(todo) = &raw.todo {
            return Err((FaultCode::AgtTodo, format!("{todo}; correct the line, then take its todo out")));
        }
        let given = [raw.text.is_some(), raw.agency.is_some(), raw.now.is_some(), raw.column.is_some(), raw.columns.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(form("one of column, columns, text, agency and now says where the value comes from".to_owned()));
        }
        if let Some(text) = &raw.text {
            return Ok(From::Text(text.as_str().into()));
        }
        if let Some(agency) = &raw.agency {
            return match (agency.as_bool(), agency.as_str()) {
                (Some(true), _) => Ok(From::Agency),
                (_, Some("id")) => Ok(From::AgencyId),
                (_, Some("name")) => Ok(From::AgencyName),
                _ => Err(form("agency is true, \"id\" or \"name\"".to_owned())),
            };
        }
        if raw.now.is_some() {
            return match raw.r#as.as_deref() {
                None | Some("instant") => Ok(From::Now),
                Some("day") => Ok(From::Today),
                Some("as-of") => Ok(From::AsOf),
                Some(other) => Err(form(format!("now as \"{other}\": it is an instant, a day or as-of"))),
            };
        }
        let columns = raw.columns.clone().or_else(|| raw.column.clone().map(|column| vec![column])).unwrap_or_default();
        if columns.is_empty() {
            return Err(form("columns names no column".to_owned()));
        }
        let columns = columns.iter().map(|column| column.as_str().into()).collect();
        let with = raw.with.as_deref().unwrap_or(" ").into();
        Ok(From::Columns { columns, with, conversion: self.conversion(&raw)? })
    }

    fn conversion(&self, raw: &RawFrom) -> Result<Conversion, (FaultCode, String)> {
        let form = |what: String| (FaultCode::AgtFile, what);
        if let Some(codes) = &raw.codes {
            return match raw.r#as {
                Some(_) => Err(form("codes and as exclude each other".to_owned())),
                None => self.codes(codes).map(Conversion::Codes),
            };
        }
        let needs = |name: &str, value: &Option<String>| {
            value.clone().ok_or_else(|| form(format!("as \"{}\" needs {name}", raw.r#as.as_deref().unwrap_or_default())))
        };
        match raw.r#as.as_deref().unwrap_or("text") {
            "text" => Ok(Conversion::Text),
            "id" => {
                let scheme = needs("scheme", &raw.scheme)?;
                let is_scheme = Identifier::is_scheme(&scheme);
                if is_scheme {
                    Ok(Conversion::Id { scheme: scheme.into() })
                } else {
                    Err(form(format!("\"{scheme}\" is not a scheme such as RU-SNILS")))
                }
            }
            "day" => Ok(Conversion::Day(self.form(raw, Form::DAY)?)),
            "years" => Ok(Conversion::Years(self.form(raw, Form::DAY)?)),
            "instant" => self.instant(raw),
            "integer" => Ok(Conversion::Integer),
            "money" => {
                let currency = needs("currency", &raw.currency)?;
                let decimal = raw.decimal.as_deref().unwrap_or(".");
                let is_good = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
                match decimal.chars().next().filter(|sign| is_good && matches!(sign, '.' | ',') && decimal.len() == 1) {
                    Some(decimal) => Ok(Conversion::Money { currency: currency.into(), decimal }),
                    None => Err(form("money has a currency such as EUR, and \".\" or \",\" as decimal".to_owned())),
                }
            }
            "yes-no" => {
                let words = |given: &Option<Vec<String>>, usual: &[&str]| -> Vec<Box<str>> {
                    let given = given.as_ref().map(|words| words.iter().map(|word| word.to_lowercase().into()).collect());
                    given.unwrap_or_else(|| usual.iter().map(|word| (*word).into()).collect())
                };
                Ok(Conversion::YesNo {
                    yes: words(&raw.yes, &["1", "true", "t", "yes", "y", "да"]),
                    no: words(&raw.no, &["0", "false", "f", "no", "n", "нет"]),
                })
            }
            "document-id" => Ok(Conversion::DocumentId),
            other => {
                let near =
                    nearest(other, CONVERSIONS.into_iter()).map_or(String::new(), |near| format!("; did you mean {near}?"));
                Err((FaultCode::AgtUnknown, format!("there is no conversion \"{other}\"{near}")))
            }
        }
    }

    fn form(&self, raw: &RawFrom, usual: &str) -> Result<Form, (FaultCode, String)> {
        let text = raw.form.as_deref().unwrap_or(usual);
        Form::parse(text).ok_or_else(|| {
            let what = format!("\"{text}\" is not a form such as dd.mm.yyyy or dd.mm.yyyy HH:MM: yyyy, m or mm, d or dd, H or HH, MM, SS, Z, and signs between them");
            (FaultCode::AgtFile, what)
        })
    }

    fn instant(&self, raw: &RawFrom) -> Result<Conversion, (FaultCode, String)> {
        let form = self.form(raw, Form::INSTANT)?;
        let zone = match raw.zone.as_deref() {
            None => None,
            Some(zone) => Some(Zone::parse(zone, self.around.zones).ok_or_else(|| {
                (FaultCode::AgtUnknown, format!("there is no zone \"{zone}\"; write +03:00 or one such as Europe/Moscow"))
            })?),
        };
        if zone.is_none() != form.has_offset() {
            return Err((FaultCode::AgtFile, "an instant needs a zone, or Z in its form, and not both".to_owned()));
        }
        Ok(Conversion::Instant { form, zone })
    }

    /// Codes that stand here, or in a file of their own: two columns of a table in TOML.
    fn codes(&self, value: &Value) -> Result<BTreeMap<Box<str>, Box<str>>, (FaultCode, String)> {
        let form = |what: String| (FaultCode::AgtFile, what);
        let table = match value {
            Value::Table(table) => table.clone(),
            Value::String(file) => {
                let text = (self.around.files)(file).map_err(|cause| (FaultCode::AgtUnknown, cause))?;
                toml::from_str(&text).map_err(|error| form(format!("{file}: {}", error.message())))?
            }
            _ => return Err(form("codes is a table, or the name of a file with one".to_owned())),
        };
        let pair = |(code, to): (String, Value)| match to {
            Value::String(to) => Ok((code.into(), to.into())),
            _ => Err(form(format!("the code {code} does not lead to a text"))),
        };
        let codes: BTreeMap<Box<str>, Box<str>> = table.into_iter().map(pair).collect::<Result<_, _>>()?;
        if codes.is_empty() { Err(form("codes has no row".to_owned())) } else { Ok(codes) }
    }
}
