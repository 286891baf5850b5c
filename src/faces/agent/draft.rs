//! A first draft of an agent's files, from a table and a document type: what can be guessed by names and kinds, and a `todo` for the
//! rest, which `check` refuses until somebody has looked.

use super::inspect::{Column, Kind};
use crate::base::ids::Code;
use crate::message::schema::{Entry, Form, Gives, PlaceOf, Schemas, Takes, Wrong, places};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A mapping's draft.
pub struct Draft {
    /// Its text.
    pub map: String,
    /// The fixtures' text.
    pub fixtures: String,
    /// How many lines somebody has to look at.
    pub todos: usize,
}

/// A line of the draft: what stands behind the sign.
enum Guess {
    Sure(String),
    Todo(String),
}

/// Names by which registers know what schemas call otherwise, in the languages of those who wrote them.
const SYNONYMS: [(&str, &[&str]); 14] = [
    ("family", &["surname", "lastname", "familyname", "фамилия"]),
    ("given", &["firstname", "givenname", "forename", "name", "имя"]),
    ("patronymic", &["middlename", "отчество"]),
    ("birthdate", &["born", "dob", "dateofbirth", "birthday", "датарождения"]),
    ("sex", &["gender", "пол"]),
    ("from", &["begin", "begins", "start", "since", "начало", "датаначала"]),
    ("to", &["end", "ends", "until", "till", "конец", "датаокончания"]),
    ("since", &["from", "begin", "start", "начало"]),
    ("days", &["duration", "length", "дней"]),
    ("reason", &["cause", "why", "причина"]),
    ("diagnosis", &["icd10", "icd", "diag", "мкб", "диагноз"]),
    ("mayreturnon", &["back", "return", "returns", "returnon", "допуск"]),
    ("documentid", &["id", "no", "number", "documentno", "docno", "номер"]),
    ("issuedat", &["issued", "signed", "issuedon", "created", "датавыдачи"]),
];

impl Draft {
    /// A draft for a document type from these columns.
    pub fn new(schemas: &Schemas, document: &Code, columns: &[Column]) -> Self {
        let places = places(schemas, document);
        let known = schemas.document_type(document);
        let subject = known.and_then(|known| known.newest()).and_then(|version| version.subjects.first());
        let (role, subject) =
            subject.map_or((String::new(), String::new()), |subject| (subject.role.clone(), subject.path.clone()));
        let person = columns.iter().find(|column| matches!(column.kind, Kind::Id(_)));
        let guessing = Guessing { places: &places, columns, subject, person };
        let lines = guessing.lines(schemas, document);
        let todos = lines.iter().filter(|(_, guess)| matches!(guess, Guess::Todo(_))).count() + usize::from(person.is_none());
        let map = guessing.map(document, &role, &lines);
        Self { map, fixtures: fixtures(&lines, person), todos }
    }
}

struct Guessing<'g> {
    places: &'g [PlaceOf],
    columns: &'g [Column],
    /// The path of whoever the document is about.
    subject: String,
    /// The column by which they are known.
    person: Option<&'g Column>,
}

impl Guessing<'_> {
    /// What must be there, found by asking a form what it lacks, and what may be and has a column of its name.
    fn lines(&self, schemas: &Schemas, document: &Code) -> Vec<(String, Guess)> {
        let mut paths: Vec<String> = Vec::new();
        let id = if self.subject.is_empty() { "Id".to_owned() } else { format!("{}/Id", self.subject) };
        if self.places.iter().any(|place| place.path == id) {
            paths.push(id);
        }
        for _ in 0..ROUNDS {
            let entry = |path: &String| {
                let takes = self.place(path).map(|place| &place.takes);
                let beside = match takes {
                    Some(Takes::Id) => Some("scheme"),
                    Some(Takes::Money) => Some("currency"),
                    _ => None,
                };
                (path.clone(), beside)
            };
            let entries: Vec<(String, Option<&str>)> = paths.iter().map(entry).collect();
            let entries: Vec<Entry<'_>> = entries
                .iter()
                .map(|(path, beside)| Entry { path, gives: Gives::Column, beside: *beside, samples: &[] })
                .collect();
            let Err(errors) = Form::new(schemas, document, &entries) else { break };
            let before = paths.len();
            for error in errors {
                let path = match error.why {
                    Wrong::Missing => Some(error.path),
                    Wrong::MissingChoice(of) => of.iter().find(|path| self.column_of(path).is_some()).or(of.first()).cloned(),
                    _ => None,
                };
                paths.extend(path.filter(|path| !paths.contains(path)));
            }
            if paths.len() == before {
                break;
            }
        }
        // What may be there as well, from columns that nothing else has taken.
        let mut taken: Vec<&str> = paths.iter().filter_map(|path| self.column_of(path)).map(|column| &*column.name).collect();
        for place in
            self.places.iter().filter(|place| !place.path.contains('@') && !paths.contains(&place.path)).collect::<Vec<_>>()
        {
            let free = self.column_of(&place.path).filter(|column| !taken.contains(&&*column.name));
            if let Some(column) = free
                && matches!(self.guess(&place.path), Guess::Sure(_))
            {
                taken.push(&column.name);
                paths.push(place.path.clone());
            }
        }
        let order = |path: &String| self.places.iter().position(|place| place.path == *path).unwrap_or(usize::MAX);
        paths.sort_by_key(order);
        let mut lines: Vec<(String, Guess)> = Vec::new();
        for path in paths {
            // The issuer of a document of ours is this agency.
            if path.starts_with("Head/Issuer/") {
                if lines.iter().all(|(known, _)| known != "Head/Issuer") {
                    lines.push(("Head/Issuer".to_owned(), Guess::Sure("{ agency = true }".to_owned())));
                }
                continue;
            }
            let guess = self.guess(&path);
            lines.push((path, guess));
        }
        lines
    }

    fn place(&self, path: &str) -> Option<&PlaceOf> {
        self.places.iter().find(|place| place.path == path)
    }

    /// The column of a path, by its name.
    fn column_of(&self, path: &str) -> Option<&Column> {
        let mut steps = path.rsplit('/');
        let (last, above) = (plain(steps.next().unwrap_or_default()), plain(steps.next().unwrap_or_default()));
        let synonyms = SYNONYMS.iter().find(|(name, _)| *name == last).map_or(&[][..], |(_, others)| others);
        let exact = |column: &&Column| plain(&column.name) == format!("{above}{last}");
        let own = |column: &&Column| plain(&column.name) == last;
        let other = |column: &&Column| synonyms.contains(&plain(&column.name).as_str());
        let of = |fits: &dyn Fn(&&Column) -> bool| self.columns.iter().find(fits);
        // What has such a name deeper in the document is somebody else's.
        let is_theirs = path.starts_with(&self.subject) || path.matches('/').count() < 2;
        of(&exact).or_else(|| of(&own).filter(|_| is_theirs)).or_else(|| of(&other).filter(|_| is_theirs))
    }

    fn guess(&self, path: &str) -> Guess {
        if path == "Head/Status" {
            return Guess::Sure("{ text = \"in-force\" }".to_owned());
        }
        let column = self.column_of(path);
        let named = |column: &Column| quoted(&column.name);
        let Some(place) = self.place(path) else {
            return Guess::Todo("{ column = \"\", todo = \"which column is it?\" }".to_owned());
        };
        match (&place.takes, column) {
            (Takes::Id, _) if path == format!("{}/Id", self.subject).trim_start_matches('/') => match self.person {
                Some(column) => {
                    Guess::Sure(format!("{{ column = {}, as = \"id\", scheme = \"{}\" }}", named(column), scheme(column)))
                }
                None => todo("which column holds the identifier, and of which scheme is it?"),
            },
            _ if path == "Head/DocumentId" => match column.filter(|column| column.is_unique && column.empty == 0) {
                Some(column) => Guess::Sure(format!("{{ column = {}, as = \"document-id\" }}", named(column))),
                None => Guess::Todo(
                    "{ column = \"\", as = \"document-id\", todo = \"which column is another in each row?\" }".to_owned(),
                ),
            },
            (Takes::Instant, None) if path == "Head/IssuedAt" => Guess::Sure("{ now = true }".to_owned()),
            (Takes::OneOf(codes), column) => self.codes(codes, column),
            (_, None) => todo(&format!("which column is it? it takes {}", place.expects)),
            (takes, Some(column)) => fitting(takes, column, &place.expects),
        }
    }

    fn codes(&self, codes: &[String], column: Option<&Column>) -> Guess {
        let rows: Vec<String> = codes.iter().map(|code| format!("\"?\" = \"{code}\"")).take(CODES).collect();
        let column = column.map_or("\"\"".to_owned(), |column| quoted(&column.name));
        match codes {
            [only] => Guess::Sure(format!("{{ text = \"{only}\" }}")),
            // Two rows for one code are no table, so all but the first stand in the question.
            _ => Guess::Todo(format!(
                "{{ column = {column}, codes = {{ {} }}, todo = \"which code of the register is which? {}; or always the same: {{ text = … }}\" }}",
                rows.first().map_or("", String::as_str),
                codes.join(", ")
            )),
        }
    }

    fn map(&self, document: &Code, role: &str, lines: &[(String, Guess)]) -> String {
        let mut out = format!(
            "# How a row becomes a {document}: on the left the path in the document, on the right where its value comes from.\n"
        );
        out.push_str(
            "# A line with todo is a question to you: correct it, then take its todo out. docs/agent.md has all conversions.\n",
        );
        let _ = write!(out, "format = 1\ndocument = \"{document}\"\n");
        let role = if role.is_empty() { String::new() } else { format!("role = \"{role}\", ") };
        let _ = match self.person {
            Some(column) => {
                writeln!(out, "person = {{ {role}column = {}, scheme = \"{}\" }}", quoted(&column.name), scheme(column))
            }
            None => writeln!(
                out,
                "# No column has identifiers whose check digits are known. Which one is it?\nperson = {{ {role}column = \"todo\", scheme = \"XX-TODO\" }}"
            ),
        };
        if let [Some(from), Some(to)] = ["Absence/From", "Absence/To"].map(|path| lines.iter().find(|(known, _)| known == path)) {
            let _ = writeln!(out, "during = {{ from = \"{}\", to = \"{}\" }}", from.0, to.0);
        }
        out.push_str("\n[map]\n");
        let width = lines.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0) + 2;
        for (path, guess) in lines {
            let (Guess::Sure(text) | Guess::Todo(text)) = guess;
            let _ = writeln!(out, "{:<width$} = {text}", format!("\"{path}\""));
        }
        out
    }
}

/// A column for a place that takes something, if it holds that.
fn fitting(takes: &Takes, column: &Column, expects: &str) -> Guess {
    let name = quoted(&column.name);
    let sure = |text: String| Guess::Sure(text);
    match (takes, &column.kind) {
        (Takes::Text, Kind::Day(_) | Kind::Instant(_)) => {
            todo(&format!("column {} holds {}, and a text goes here: {expects}", column.name, column.kind))
        }
        (Takes::Text, _) => sure(name),
        (Takes::Day, Kind::Day(form)) => sure(format!("{{ column = {name}, as = \"day\"{} }}", form_of(form, "yyyy-mm-dd"))),
        (Takes::Instant, Kind::Instant(form)) if form.ends_with('Z') => sure(format!("{{ column = {name}, as = \"instant\" }}")),
        (Takes::Instant, Kind::Instant(form)) => Guess::Todo(format!(
            "{{ column = {name}, as = \"instant\", form = \"{form}\", zone = \"Z\", todo = \"where does its clock stand? such as Europe/Moscow or +03:00\" }}"
        )),
        (Takes::Integer, Kind::Integer) => sure(format!("{{ column = {name}, as = \"integer\" }}")),
        (Takes::Truth, Kind::YesNo | Kind::Integer) => sure(format!("{{ column = {name}, as = \"yes-no\" }}")),
        (Takes::Money, Kind::Amount(_) | Kind::Integer) => Guess::Todo(format!(
            "{{ column = {name}, as = \"money\", currency = \"EUR\", decimal = \"{}\", todo = \"which currency?\" }}",
            if column.kind == Kind::Amount(',') { ',' } else { '.' }
        )),
        (Takes::Id, Kind::Id(scheme)) => sure(format!("{{ column = {name}, as = \"id\", scheme = \"{scheme}\" }}")),
        _ => Guess::Todo(format!(
            "{{ column = {name}, todo = {} }}",
            quoted(&format!("it holds {}, and here goes {expects}", column.kind))
        )),
    }
}

fn todo(question: &str) -> Guess {
    Guess::Todo(format!("{{ column = \"\", todo = {} }}", quoted(question)))
}

fn form_of(form: &str, usual: &str) -> String {
    if form == usual { String::new() } else { format!(", form = \"{form}\"") }
}

fn scheme(column: &Column) -> &'static str {
    if let Kind::Id(scheme) = column.kind { scheme } else { "XX-TODO" }
}

/// A name without what is written in one way or another.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A text of TOML.
pub fn quoted(text: &str) -> String {
    // A string of JSON is one of TOML as well.
    serde_json::Value::String(text.to_owned()).to_string()
}

/// Eight cases: what must not go wrong with any holder.
fn fixtures(lines: &[(String, Guess)], person: Option<&Column>) -> String {
    let sure = lines.iter().filter_map(|(path, guess)| match guess {
        Guess::Sure(text) => Some((path.as_str(), text.as_str())),
        Guess::Todo(_) => None,
    });
    let of_column = |text: &str| {
        let value: Option<toml::Value> =
            toml::from_str::<BTreeMap<String, toml::Value>>(&format!("v = {text}")).ok()?.remove("v");
        match value? {
            toml::Value::String(column) => Some(column),
            toml::Value::Table(table) => table.get("column")?.as_str().map(str::to_owned),
            _ => None,
        }
    };
    let columns: Vec<(&str, String, &str)> = sure.filter_map(|(path, text)| Some((path, of_column(text)?, text))).collect();
    let person = person.map_or("todo", |person| &person.name);
    let is_required = |(path, column, _): &&(&str, String, &str)| column != person && !path.contains("DocumentId");
    let empty = columns.iter().find(is_required).map_or("todo", |(_, column, _)| column.as_str());
    let strict = columns
        .iter()
        .find(|(_, _, text)| text.contains("\"day\"") || text.contains("\"integer\""))
        .map_or(empty, |(_, column, _)| column.as_str());
    let id = columns.iter().find(|(path, ..)| *path == "Head/DocumentId").map_or("todo", |(_, column, _)| column.as_str());
    let texts = || columns.iter().filter(|(_, column, text)| column != person && text.starts_with('"'));
    let is_name = |(path, ..): &&(&str, String, &str)| ["Family", "Given", "Name"].iter().any(|name| path.ends_with(name));
    let text = texts().find(is_name).or_else(|| texts().next()).map_or(empty, |(_, column, _)| column.as_str());
    let (person, empty, strict, id, text) = (quoted(person), quoted(empty), quoted(strict), quoted(id), quoted(text));
    let scheme_value = "ZZ-OTHER:1+1";
    format!(
        "# Questions, what the source would give, and what is to be answered: oncegate agent test tries them without a network.\n\
         # A row is a good one, made from the mapping, with what is written here in its place.\nformat = 1\n\n\
         # [row] says what of a good row does not follow from the mapping: [row] and then column = \"text\".\n\n\
         [[case]]\nname = \"found\"\nexpect = \"documents 1\"\n\n\
         [[case]]\nname = \"nobody\"\nrows = []\nexpect = \"no record\"\n\n\
         [[case]]\nname = \"several\"\nrows = [{{}}, {{ {id} = \"N-2\" }}]\nexpect = \"documents 2\"\n\n\
         [[case]]\nname = \"another person's row\"\nrows = [{{ {person} = \"1\" }}]\nexpect = \"OG-SRC-004\"\n\n\
         [[case]]\nname = \"a cell that must not be empty\"\nrows = [{{ {empty} = \"\" }}]\nexpect = \"OG-SRC-003\"\n\n\
         [[case]]\nname = \"a cell that says something else\"\nrows = [{{ {strict} = \"yesterday\" }}]\nexpect = \"OG-SRC-003\"\n\n\
         [[case]]\nname = \"too old\"\nsource = \"OG-SRC-002\"\nexpect = \"OG-SRC-002\"\n\n\
         [[case]]\nname = \"another identifier\"\nof = \"{scheme_value}\"\nexpect = \"OG-SRC-010\"\n\n\
         [[case]]\nname = \"signs that mean something elsewhere\"\nrows = [{{ {text} = \"<b>&'; DROP TABLE %\" }}]\nexpect = \"documents 1\"\n"
    )
}

/// So many times a form is asked what it lacks.
const ROUNDS: usize = 40;
/// So many codes are listed.
const CODES: usize = 40;
