//! `documents.toml`: which documents there are, in which versions, whom they are about, and which rules go beyond their schema.

use super::SchemaError;
use super::facts::SubjectKind;
use super::field::{FieldPath, lies_in};
use super::paths::{Path, Reach, TYPES, unfold};
use super::plan::Plan;
use super::rules::{Rule, RuleRow};
use super::scopes::Scope;
use super::subjects::{SubjectPath, SubjectRow, subjects};
use super::tree::Tree;
use super::watch::{HeadPart, Watch, Watching};
use crate::base::fault;
use crate::base::ids::Code;
use crate::base::limits;
use crate::base::time::Day;
use crate::message::xml::Start;
use crate::message::xsd::Set;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use toml::Spanned;

/// The class of documents that say yes or no, and give no record.
pub const PREDICATE: &str = "predicate";

/// A document type.
#[derive(Clone, Debug)]
pub struct DocumentType {
    /// Its name: `birth-certificate`.
    pub name: Code,
    /// How it is to be kept: `health`, `personal`, `predicate`, `test`.
    pub class: Code,
    /// Of a predicate: whoever may ask for two of one family can narrow down what both are about.
    pub family: Option<Code>,
    /// Its title in English.
    pub title: String,
    /// How soon messages about it are handed out.
    pub priority: Priority,
    /// How long attachments of messages about it are kept, in seconds, where that is not as long as answers.
    pub attachments_seconds: Option<NonZeroU32>,
    /// The paths of the elements and attributes that a document may lack: what a grant may name. Those of all versions.
    pub fields: Vec<String>,
    /// The other paths: each is there wherever what it lies in is.
    required: Vec<String>,
    /// Whether it has more paths than are listed: it contains itself, or lets other elements through.
    pub reach: Reach,
    /// The paths of elements that may have more in them than is listed; empty for the root.
    open: Vec<String>,
    versions: Vec<Version>,
    /// Whether another set may have a document of this name in its place.
    pub gives_way: bool,
}

/// How soon a message is handed out of those that wait: all of one before the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// First.
    Urgent,
    /// As most.
    #[default]
    Normal,
    /// When there is nothing else.
    Bulk,
}

/// A version of a document type: the only one, or one of several side by side.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its name, where there is more than one: `4.07`.
    pub version: Option<String>,
    /// The last day on which documents of it are taken.
    pub until: Option<Day>,
    /// The attribute of the root that has this value in documents of this version alone.
    pub when: Option<(String, String)>,
    /// The namespace of its elements; empty for none.
    pub namespace: String,
    /// The local name of its root element.
    pub root: String,
    /// The schema file that declares the root.
    pub file: String,
    /// Whom it is about.
    pub subjects: Vec<SubjectPath>,
    /// The place of its schema in the set.
    pub(super) schema: usize,
    /// The paths that a document may lack.
    pub(super) fields: Vec<String>,
    required: Vec<String>,
    reach: Reach,
    open: Vec<String>,
    /// Whether its first element is a head of ours, which is not the holder's to withhold.
    pub(super) head: Head,
    /// Whether values of attributes are kept.
    pub(super) attributes: Attributes,
    pub(super) watches: Vec<Watch>,
    /// The same as a tree.
    pub(super) tree: Tree,
    pub(super) plan: Plan,
    pub(super) scopes: Vec<Scope>,
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

/// A part of a document that tells its subject from others: the consumer knows it, and the holder must not leave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Describing<'d> {
    /// The path of the subject's element; empty for the root.
    element: &'d str,
    /// The path of the part: the element itself, or something in it.
    part: &'d str,
}

impl<'d> Describing<'d> {
    /// An element that is such a part with all that is in it.
    pub fn whole(element: &'d str) -> Self {
        Self { element, part: element }
    }

    /// Whether what stands at a path lies in the part, or is an element around it in that of the subject.
    pub fn covers(&self, path: &str) -> bool {
        let is_inside = self.element.is_empty() || lies_in(path, self.element);
        lies_in(path, self.part) || is_inside && lies_in(self.part, path)
    }

    /// The part, as a field.
    pub fn field(&self) -> Option<FieldPath> {
        FieldPath::parse(if self.part.is_empty() { "**" } else { self.part })
    }

    /// Whether all that a field names lies in the part.
    pub fn has(&self, field: &FieldPath) -> bool {
        field.lies_in(self.part)
    }
}

impl DocumentType {
    /// Its versions, in the order of `documents.toml`.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// The version that was written last: of one that has no name, that is all there is.
    pub fn newest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// What tells whoever has this role in it from others, where nobody else may stand in any version; the role of a request
    /// without `Of` is empty.
    pub fn described(&self, role: &str) -> Vec<Describing<'_>> {
        let Some((first, others)) = self.versions.split_first() else { return Vec::new() };
        let mut found: Vec<Describing<'_>> = first.described(role).collect();
        found.retain(|part| others.iter().all(|version| version.described(role).any(|known| known == *part)));
        found
    }

    /// What it is about in this role: nothing for a document about a thing.
    pub fn kinds(&self, role: &str) -> Vec<SubjectKind> {
        let of_role = self.versions.iter().flat_map(|version| &version.subjects).filter(|row| row.role == role);
        let mut kinds: Vec<SubjectKind> = of_role.map(|row| row.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// Whether others may have this role beside whoever is asked about.
    pub fn lets_several(&self, role: &str) -> bool {
        let mut of_role = self.versions.iter().flat_map(|version| &version.subjects).filter(|row| row.role == role);
        of_role.any(|row| row.several)
    }

    /// The roles in which it is about somebody; an empty one is that of a question without `Of`.
    pub fn roles(&self) -> BTreeSet<&str> {
        self.versions.iter().flat_map(|version| &version.subjects).map(|row| row.role.as_str()).collect()
    }

    /// All paths that are listed: those that a document may lack, and the others.
    pub fn paths(&self) -> [&[String]; 2] {
        [&self.fields, &self.required]
    }

    /// Whether a grant may name this path: something that a document may lack is there or below, or it lies in such a thing.
    pub fn has_field(&self, field: &FieldPath) -> bool {
        let is_inside = |path: &String| self.fields.iter().any(|field| lies_in(path, field));
        let named = |path: &&String| field.covers(path);
        self.fields.iter().any(|path| field.covers(path))
            || self.required.iter().filter(named).any(is_inside)
            || self.is_open_for(field)
    }

    /// Whether a document may have what this path names.
    pub fn has_path(&self, path: &FieldPath) -> bool {
        self.paths().into_iter().flatten().any(|known| path.covers(known)) || self.is_open_for(path)
    }

    /// The path that is listed and most like this one.
    pub fn nearest(&self, path: &FieldPath) -> Option<&str> {
        fault::nearest(path.as_str(), self.paths().into_iter().flatten().map(String::as_str))
    }

    /// Whether it names something in an element of which not all is listed.
    fn is_open_for(&self, path: &FieldPath) -> bool {
        self.open.iter().any(|open| open.is_empty() || path.is_within(open))
    }

    /// Whether it is about somebody of this kind, in any role of any version.
    pub fn is_about(&self, kind: SubjectKind) -> bool {
        self.versions.iter().flat_map(|version| &version.subjects).any(|row| row.kind == kind)
    }

    /// A type with one version.
    pub(super) fn new(row: &Row, version: Version) -> Result<Self, String> {
        let code = |text: &str| Code::parse(text).ok_or_else(|| format!("{text}, which is not a code"));
        let (name, class) = (code(&row.name)?, code(&row.class)?);
        let family = row.family.as_deref().map(code).transpose()?;
        let (fields, required) = (version.fields.clone(), version.required.clone());
        let (reach, open) = (version.reach, version.open.clone());
        let (title, priority, attachments_seconds) = (row.title.clone(), row.priority, row.attachments_seconds);
        let gives_way = row.gives_way.as_ref().is_some_and(|gives_way| *gives_way.get_ref());
        Ok(Self {
            gives_way,
            name,
            class,
            family,
            title,
            priority,
            attachments_seconds,
            fields,
            required,
            reach,
            open,
            versions: vec![version],
        })
    }

    /// Takes one more version of it.
    pub(super) fn add(&mut self, row: &Row, version: Version) -> Result<(), String> {
        let name = &self.name;
        if row.version.is_none() || self.versions.iter().any(|other| other.version.is_none() || other.version == version.version)
        {
            return Err(format!("the document {name} twice; give each a version of its own"));
        }
        if row.class != self.class.as_str() {
            return Err(format!("the class {}, where another version of {name} is {}", row.class, self.class));
        }
        if self.versions.iter().any(|other| !version.is_told_from(other)) {
            return Err(format!(
                "a version of {name} that cannot be told from another; say when = {{ attribute, is }} of both, an attribute of the root"
            ));
        }
        join(&mut self.fields, &version.fields);
        join(&mut self.required, &version.required);
        self.required.retain(|path| !self.fields.contains(path));
        join(&mut self.open, &version.open);
        if version.reach == Reach::Open {
            self.reach = Reach::Open;
        }
        self.versions.push(version);
        Ok(())
    }
}

/// Puts those behind a list that it does not have.
fn join(list: &mut Vec<String>, more: &[String]) {
    let known: BTreeSet<&String> = list.iter().collect();
    let new: Vec<String> = more.iter().filter(|path| !known.contains(path)).cloned().collect();
    list.extend(new);
}

impl Version {
    fn described(&self, role: &str) -> impl Iterator<Item = Describing<'_>> {
        let alone = self.subjects.iter().filter(move |row| row.role == role && row.is_alone);
        alone.flat_map(|row| row.parts.iter().map(|part| Describing { element: &row.path, part }))
    }

    /// Whether the start tag of a document says which of both it is of.
    pub(super) fn is_told_from(&self, other: &Self) -> bool {
        if (&self.namespace, &self.root) != (&other.namespace, &other.root) {
            return true;
        }
        let both = self.when.as_ref().zip(other.when.as_ref());
        both.is_some_and(|((left, here), (right, there))| left == right && here != there)
    }

    /// Whether what stands at a path goes out only to whoever may have it. A head of ours is not the holder's to withhold.
    pub(super) fn is_field(&self, path: &str) -> bool {
        let is_of_head = self.head == Head::Ours && path.starts_with("Head/");
        !is_of_head && self.required.iter().all(|required| required != path)
    }

    /// Whether the start tag of a document with its root says that it is of this version.
    pub(super) fn is_told_by(&self, root: &Start<'_>) -> bool {
        self.when.as_ref().is_none_or(|(attribute, is)| {
            let mut attributes = root.attributes();
            attributes.any(|found| found.uri.is_empty() && found.local == *attribute && found.value.trim() == is)
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    document: Vec<Spanned<Row>>,
}

/// A `[[document]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) file: String,
    root: String,
    class: String,
    family: Option<String>,
    title: String,
    #[serde(default)]
    priority: Priority,
    attachments_seconds: Option<NonZeroU32>,
    version: Option<String>,
    until: Option<Spanned<String>>,
    when: Option<When>,
    #[serde(default)]
    subject: Vec<Spanned<SubjectRow>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleRow>>,
    /// A guess that somebody has to confirm.
    todo: Option<Spanned<String>>,
    /// Of the documents of the program: whether another set may have one of this name in its place.
    pub(super) gives_way: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    attribute: String,
    is: String,
}

/// A row, and where it begins.
pub(super) type Placed = (usize, Row);

/// What is wrong at a place of the file.
pub(super) type Wrong = (usize, String);

/// Reads the rows of the file.
pub(super) fn rows(text: &str) -> Result<Vec<Placed>, SchemaError> {
    let fail = |at: usize, what: &str| SchemaError::in_text(FILE, text, at, what);
    if text.len() > limits::SCHEMA_BYTES_MAX {
        return Err(fail(0, "a file larger than documents.toml may be"));
    }
    let file: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        fail(at, error.message())
    })?;
    Ok(file.document.into_iter().map(|row| (row.span().start, row.into_inner())).collect())
}

/// The name of the file.
pub(super) const FILE: &str = "documents.toml";

impl Row {
    /// The guesses in it that nobody has confirmed.
    pub(super) fn guesses(&self) -> Vec<Wrong> {
        let said = |at: usize, what: &str| {
            (at, format!("a guess that nobody has confirmed ({what}); correct the row, then take its todo out"))
        };
        let own = self.todo.iter().map(|todo| said(todo.span().start, todo.get_ref()));
        let of_subjects = self.subject.iter().filter_map(|row| Some(said(row.span().start, row.get_ref().todo.as_deref()?)));
        own.chain(of_subjects).collect()
    }
}

/// Looks a row up in the schema that has its root. `at` is where the row begins.
pub(super) fn version((at, row): (usize, &Row), target: &str, (schema, set): (usize, &Set)) -> Result<Version, Wrong> {
    let here = |what: String| (at, what);
    let element = set.names().find(target, &row.root).and_then(|name| set.global_element(name));
    let element = element.ok_or_else(|| here(format!("the root {}, which {} does not declare", row.root, row.file)))?;
    let until = match &row.until {
        None => None,
        Some(until) => {
            let wrong = || (until.span().start, format!("until {}, which is not a day such as 2027-01-01", until.get_ref()));
            Some(Day::parse(until.get_ref()).ok_or_else(wrong)?)
        }
    };
    let unfolded = unfold(set, element);
    let head = if is_headed(set, unfolded.paths()) { Head::Ours } else { Head::None };
    let mut watching = Watching::new(set, element, unfolded.paths());
    if let Some(when) = &row.when {
        watching.find(&format!("@{}", when.attribute)).map_err(|what| here(format!("when has {what}")))?;
    }
    let rule = |row: &Spanned<RuleRow>, watching: &mut Watching<'_>| {
        row.get_ref().look_up(watching).map_err(|what| (row.span().start, what))
    };
    let rules = row.rule.iter().map(|row| rule(row, &mut watching)).collect::<Result<_, _>>()?;
    let found: Vec<&SubjectRow> = row.subject.iter().map(Spanned::get_ref).collect();
    let place = |number: usize| row.subject.get(number).map_or(at, |row| row.span().start);
    let subjects = subjects(&found, &mut watching, set).map_err(|(number, what)| (place(number), what))?;
    if head == Head::Ours {
        watching.head("Head/DocumentId", HeadPart::DocumentId);
        watching.head("Head/Status", HeadPart::Status);
    }
    let (watches, scopes) = watching.finish();
    let has_attribute = watches.iter().any(|watch| watch.path.contains('@'));
    let tree = Tree::of(watches.iter().map(|watch| watch.path.as_str()));
    let attributes = if has_attribute { Attributes::Watched } else { Attributes::Unwatched };
    let (fields, required) = fields(unfolded.paths(), head);
    Ok(Version {
        version: row.version.clone(),
        until,
        when: row.when.as_ref().map(|when| (when.attribute.clone(), when.is.clone())),
        namespace: target.to_owned(),
        root: row.root.clone(),
        file: row.file.clone(),
        subjects,
        schema,
        plan: Plan::of(&unfolded, &fields, &tree),
        fields,
        required,
        reach: unfolded.reach,
        open: unfolded.open,
        head,
        attributes,
        tree,
        watches,
        scopes,
        rules,
    })
}

/// The paths that a document may lack, and the others. One name in two branches of a choice is one field.
fn fields(paths: &[Path], head: Head) -> (Vec<String>, Vec<String>) {
    let is_field = |path: &&Path| path.is_optional() && !(head == Head::Ours && path.path.starts_with("Head/"));
    let (optional, others): (Vec<&Path>, Vec<&Path>) = paths.iter().partition(is_field);
    let mut seen = BTreeSet::new();
    let mut each_once = |paths: Vec<&Path>| -> Vec<String> {
        paths.into_iter().filter(|path| seen.insert(path.path.clone())).map(|path| path.path.clone()).collect()
    };
    let fields = each_once(optional);
    (fields, each_once(others))
}

fn is_headed(set: &Set, paths: &[Path]) -> bool {
    let ours = set.names().find(TYPES, "DocHead").and_then(|name| set.global_type(name));
    ours.is_some() && paths.iter().any(|path| path.path == "Head" && path.of == ours)
}
