//! `documents.toml`: which documents there are, whom they are about, and which rules go beyond their schema.

use super::SchemaError;
use super::paths::{Occurs, Path, Reach, unfold};
use super::tree::Tree;
use crate::base::fault::nearest;
use crate::base::ids::Code;
use crate::base::limits;
use crate::message::xsd::Set;
use serde::Deserialize;

/// The namespace of the types that come with the gateway.
pub(super) const TYPES: &str = "urn:oncegate:types:1";

/// A document type.
#[derive(Debug)]
pub struct DocumentType {
    /// Its name: `birth-certificate`.
    pub name: Code,
    /// The namespace of its elements.
    pub namespace: String,
    /// The local name of its root element.
    pub root: String,
    /// The schema file that declares the root.
    pub file: String,
    /// How it is to be kept: `health`, `personal`, `test`.
    pub class: Code,
    /// Its title in English.
    pub title: String,
    /// The persons that it is about.
    pub subjects: Vec<SubjectPath>,
    /// The paths of the elements and attributes that a document may lack: what a grant may name.
    pub fields: Vec<String>,
    /// Whether it has more paths than are listed: it contains itself, or lets other elements through.
    pub reach: Reach,
    /// Whether its first element is a head of ours, which is not the holder's to withhold.
    pub(super) head: Head,
    /// Whether values of attributes are kept.
    pub(super) attributes: Attributes,
    pub(super) watches: Vec<Watch>,
    /// The same as a tree.
    pub(super) tree: Tree,
    pub(super) rules: Vec<Rule>,
}

/// Whether values of attributes are of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attributes {
    Watched,
    Unwatched,
}

/// What a document begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Ours,
    None,
}

impl DocumentType {
    /// The paths of whoever has this role in it, where nobody else may stand; the role of a request without `Of` is empty.
    pub fn described(&self, role: &str) -> Vec<&str> {
        self.subjects.iter().filter(|row| row.role == role && row.is_alone).map(|row| row.path.as_str()).collect()
    }

    /// Whether a grant may name this path: something that a document may lack is there or below.
    pub fn has_field(&self, field: &str) -> bool {
        let field = field.strip_suffix("/**").unwrap_or(field);
        let leads = |path: &String| path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        // Of what cannot be listed, whatever begins like a path that is listed may be.
        let continues = |path: &String| field.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/'));
        self.fields.iter().any(leads) || self.reach == Reach::Open && self.fields.iter().any(continues)
    }
}

/// Where a document holds a person that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectPath {
    /// The role that a request names in `Of`; empty for a request that names none.
    pub role: String,
    /// The path of the element from the root.
    pub path: String,
    /// The element that must hold a value for the person to have the role: `Parent/Role` and `mother`.
    pub only_if: Option<(String, String)>,
    /// Whether nobody else may stand there.
    is_alone: bool,
    pub(super) node: usize,
    pub(super) only_if_node: Option<usize>,
}

/// A rule, its elements as places in the list of watches.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// A period does not end before it begins, and its days are its length, both ends counted.
    Period { from: usize, to: usize, days: Option<usize> },
    /// A birth is not after the record of it.
    Birth { born: usize, recorded: usize },
    /// A marriage does not end before it begins.
    Marriage { begins: usize, ends: usize },
    /// No role is given to two elements.
    OncePerRole { roles: Vec<usize> },
}

/// A path whose values are kept, and why.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) path: String,
    pub(super) is_compared: bool,
    pub(super) part: Option<Part>,
}

/// What a value tells about a document or a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Subject,
    /// An identifier in the scheme that stands beside it, or in this one.
    SubjectId(Option<Box<str>>),
    Family,
    Given,
    BirthDate(DateForm),
    DocumentId,
    Status,
}

/// How a date is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) enum DateForm {
    /// `2015-09-01`, as `xs:date` has it, a time zone left out.
    #[default]
    #[serde(rename = "yyyy-mm-dd")]
    Iso,
    /// `01.09.2015`
    #[serde(rename = "dd.mm.yyyy")]
    Dotted,
    /// `20150901`
    #[serde(rename = "yyyymmdd")]
    Compact,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    document: Vec<toml::Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    file: String,
    root: String,
    class: String,
    title: String,
    #[serde(default)]
    subject: Vec<SubjectRow>,
    #[serde(default)]
    rule: Vec<RuleRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectRow {
    #[serde(default)]
    role: String,
    path: String,
    only_if: Option<OnlyIf>,
    #[serde(default)]
    id: Vec<IdRow>,
    family: Option<String>,
    given: Option<String>,
    birth_date: Option<DateRow>,
}

/// An identifier of a person in a foreign document: its path from the person's element, and its scheme.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdRow {
    path: String,
    scheme: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DateRow {
    path: String,
    #[serde(default)]
    form: DateForm,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyIf {
    path: String,
    is: String,
}

/// A rule with the paths that it compares.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum RuleRow {
    Period { from: String, to: String, days: Option<String> },
    Birth { born: String, recorded: String },
    Marriage { begins: String, ends: String },
    OncePerRole { paths: Vec<String> },
}

/// Reads the file, and looks its paths up in the schemas. `targets` has the target namespace of each schema file.
pub(super) fn read(text: &str, targets: &[(String, String)], set: &Set) -> Result<Vec<DocumentType>, SchemaError> {
    let fail = |at: usize, what: String| SchemaError::in_text("documents.toml", text, at, &what);
    if text.len() > limits::SCHEMA_BYTES_MAX {
        return Err(fail(0, "a file larger than documents.toml may be".to_owned()));
    }
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        fail(at, error.message().to_owned())
    })?;
    let mut documents: Vec<DocumentType> = Vec::new();
    for row in file.document {
        let at = row.span().start;
        let document = document(row.into_inner(), targets, set).map_err(|what| fail(at, what))?;
        let same = |other: &DocumentType| (&other.namespace, &other.root) == (&document.namespace, &document.root);
        if documents.iter().any(|other| other.name == document.name || same(other)) {
            return Err(fail(at, format!("the document {} twice", document.name)));
        }
        documents.push(document);
    }
    Ok(documents)
}

fn document(row: Row, targets: &[(String, String)], set: &Set) -> Result<DocumentType, String> {
    let target = targets.iter().find(|(file, _)| *file == row.file).map(|(_, target)| target);
    let target = target.ok_or_else(|| format!("the file {}, which is not in the set", row.file))?;
    let element = set.names().find(target, &row.root).and_then(|name| set.global_element(name));
    let element = element.ok_or_else(|| format!("the root {}, which {} does not declare", row.root, row.file))?;
    let code = |text: &str| Code::parse(text).ok_or_else(|| format!("{text}, which is not a code"));
    let unfolded = unfold(set, element);
    let head = if is_headed(set, &unfolded.paths) { Head::Ours } else { Head::None };
    let mut watching = Watching { paths: &unfolded.paths, reach: unfolded.reach, watches: Vec::new() };
    let rules = row.rule.iter().map(|rule| watching.rule(rule)).collect::<Result<_, _>>()?;
    let subjects = row.subject.into_iter().map(|subject| watching.subject(subject)).collect::<Result<_, _>>()?;
    if head == Head::Ours {
        watching.watch("Head/DocumentId").part = Some(Part::DocumentId);
        watching.watch("Head/Status").part = Some(Part::Status);
    }
    let watches = watching.watches;
    let has_attribute = watches.iter().any(|watch| watch.path.contains('@'));
    let attributes = if has_attribute { Attributes::Watched } else { Attributes::Unwatched };
    // One name in two branches of a choice is one field.
    let mut fields: Vec<String> = Vec::new();
    for path in unfolded.paths.iter().filter(|path| path.is_optional() && !(head == Head::Ours && path.path.starts_with("Head/")))
    {
        if !fields.contains(&path.path) {
            fields.push(path.path.clone());
        }
    }
    Ok(DocumentType {
        name: code(&row.name)?,
        namespace: target.clone(),
        root: row.root,
        file: row.file,
        class: code(&row.class)?,
        title: row.title,
        subjects,
        fields,
        reach: unfolded.reach,
        head,
        attributes,
        tree: Tree::of(watches.iter().map(|watch| watch.path.as_str())),
        watches,
        rules,
    })
}

fn is_headed(set: &Set, paths: &[Path]) -> bool {
    let ours = set.names().find(TYPES, "DocHead").and_then(|name| set.global_type(name));
    ours.is_some() && paths.iter().any(|path| path.path == "Head" && path.of == ours)
}

/// The paths that values are kept of, while they are collected.
struct Watching<'p> {
    paths: &'p [Path],
    reach: Reach,
    watches: Vec<Watch>,
}

impl Watching<'_> {
    fn watch(&mut self, path: &str) -> &mut Watch {
        let at = self.place(path);
        // The place was made just now, or was there.
        #[expect(clippy::indexing_slicing, reason = "the place is one of the list")]
        &mut self.watches[at]
    }

    fn place(&mut self, path: &str) -> usize {
        let known = self.watches.iter().position(|watch| watch.path == path);
        known.unwrap_or_else(|| {
            self.watches.push(Watch { path: path.to_owned(), is_compared: false, part: None });
            self.watches.len().saturating_sub(1)
        })
    }

    fn find(&self, path: &str) -> Result<&Path, String> {
        let mut places = self.paths.iter().filter(|known| known.path == *path);
        match (places.next(), places.next()) {
            (Some(found), None) => Ok(found),
            (None, _) if self.reach == Reach::Open => Err(format!("the path {path}, which cannot be found in the schema")),
            (None, _) => {
                let near = nearest(path, self.paths.iter().map(|known| known.path.as_str()));
                let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                Err(format!("the path {path}, which the schema does not have{hint}"))
            }
            (Some(_), Some(_)) => Err(format!("the path {path}, which the schema has twice")),
        }
    }

    /// The place of an element whose value is compared with others.
    fn compared(&mut self, path: &str) -> Result<usize, String> {
        self.find(path)?;
        self.watch(path).is_compared = true;
        Ok(self.place(path))
    }

    fn compared_once(&mut self, path: &str) -> Result<usize, String> {
        let repeats = self.find(path)?.occurs != Occurs::Once;
        if repeats { Err(format!("a rule on {path}, which may occur more than once")) } else { self.compared(path) }
    }

    /// The place of an element that stands before another in the same parent, exactly once.
    fn compared_before(&mut self, path: &str, other: &str) -> Result<usize, String> {
        let found = self.find(path)?;
        let parent = |path: &str| path.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
        let place = |path: &str| self.paths.iter().position(|known| known.path == *path);
        let once = !found.is_optional() && found.occurs != Occurs::Repeatedly;
        if once && place(path) < place(other) && parent(path) == parent(other) {
            self.compared(path)
        } else {
            Err(format!("only_if on {path}, which does not stand before the person once"))
        }
    }

    fn rule(&mut self, row: &RuleRow) -> Result<Rule, String> {
        Ok(match row {
            RuleRow::Period { from, to, days } => {
                let days = days.as_ref().map(|days| self.compared_once(days)).transpose()?;
                Rule::Period { from: self.compared_once(from)?, to: self.compared_once(to)?, days }
            }
            RuleRow::Birth { born, recorded } => {
                Rule::Birth { born: self.compared_once(born)?, recorded: self.compared_once(recorded)? }
            }
            RuleRow::Marriage { begins, ends } => {
                Rule::Marriage { begins: self.compared_once(begins)?, ends: self.compared_once(ends)? }
            }
            RuleRow::OncePerRole { paths } => {
                Rule::OncePerRole { roles: paths.iter().map(|path| self.compared(path)).collect::<Result<_, _>>()? }
            }
        })
    }

    fn subject(&mut self, row: SubjectRow) -> Result<SubjectPath, String> {
        // The empty path is the root itself, which is there once.
        let is_alone = row.path.is_empty() || self.find(&row.path)?.occurs == Occurs::Once;
        let below = |path: &str| if row.path.is_empty() { path.to_owned() } else { format!("{}/{path}", row.path) };
        self.watch(&row.path).part = Some(Part::Subject);
        let is_foreign = !row.id.is_empty() || row.family.is_some() || row.given.is_some() || row.birth_date.is_some();
        if is_foreign {
            let mut part = |path: &str, part: Part| {
                let path = below(path);
                self.find(&path)?;
                self.watch(&path).part = Some(part);
                Ok::<(), String>(())
            };
            for id in &row.id {
                part(&id.path, Part::SubjectId(Some(id.scheme.as_str().into())))?;
            }
            row.family.iter().try_for_each(|path| part(path, Part::Family))?;
            row.given.iter().try_for_each(|path| part(path, Part::Given))?;
            row.birth_date.iter().try_for_each(|date| part(&date.path, Part::BirthDate(date.form)))?;
        } else {
            let ours = [("Id", Part::SubjectId(None)), ("Name/Family", Part::Family), ("Name/Given", Part::Given)];
            for (suffix, part) in ours.into_iter().chain([("BirthDate", Part::BirthDate(DateForm::Iso))]) {
                let path = below(suffix);
                if self.paths.iter().any(|known| known.path == path) {
                    self.watch(&path).part = Some(part);
                }
            }
        }
        if !row.role.is_empty() && Code::parse(&row.role).is_none() {
            return Err(format!("the role {}, which is not a code", row.role));
        }
        let only_if_node = match &row.only_if {
            Some(only_if) => Some(self.compared_before(&only_if.path, &row.path)?),
            None => None,
        };
        let only_if = row.only_if.map(|only_if| (only_if.path, only_if.is));
        Ok(SubjectPath { node: self.place(&row.path), role: row.role, path: row.path, only_if, is_alone, only_if_node })
    }
}
