//! `documents.toml`: which documents there are, whom they are about, and which rules go beyond their schema.

use super::SchemaError;
use super::compile::{Content, Types};
use super::read::{QName, Source};
use crate::base::ids::Code;
use crate::base::limits;
use serde::Deserialize;

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
    /// The paths of the elements that a document may lack: what a grant may name.
    pub fields: Vec<String>,
    pub(super) nodes: Vec<PathNode>,
    pub(super) rules: Vec<Rule>,
}

impl DocumentType {
    /// The paths of whoever has this role in it, where nobody else may stand; the role of a request without `Of` is empty.
    pub fn described(&self, role: &str) -> Vec<&str> {
        let is_alone = |row: &SubjectPath| self.nodes.get(row.node).is_some_and(|node| node.occurs == Occurs::Once);
        self.subjects.iter().filter(|row| row.role == role && is_alone(row)).map(|row| row.path.as_str()).collect()
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
    pub(super) node: usize,
    pub(super) only_if_node: Option<usize>,
}

/// A rule, its elements as places in the list of paths.
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

/// An element of a document by its path; the children of one element stand together, in the order of its model.
#[derive(Debug)]
pub(super) struct PathNode {
    pub(super) path: String,
    pub(super) complex: usize,
    pub(super) first_child: usize,
    /// The place among the fields, if the document may lack the element.
    pub(super) field: Option<usize>,
    pub(super) watch: Watch,
    optional: bool,
    occurs: Occurs,
}

/// How often an element may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occurs {
    /// At most once in the document.
    Once,
    /// At most once in its parent, which may occur more often.
    OnceInParent,
    Repeatedly,
}

/// Why the value of an element is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    pub(super) identifier: bool,
    pub(super) compared: bool,
    pub(super) part: Option<Part>,
}

impl Watch {
    /// Whether the value is only checked.
    #[inline]
    pub(super) fn is_nothing(&self) -> bool {
        !self.identifier && !self.compared && self.part.is_none()
    }
}

/// What an element tells about a document or a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Subject,
    SubjectId,
    Family,
    Given,
    BirthDate,
    DocumentId,
    Status,
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

/// Reads the file and unfolds the types of each document into its paths.
pub(super) fn read(text: &str, sources: &[Source<'_>], types: &Types) -> Result<Vec<DocumentType>, SchemaError> {
    let fail = |at: usize, what: String| SchemaError::at("documents.toml", text, at, what);
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
        let document = document(row.into_inner(), sources, types).map_err(|what| fail(at, what))?;
        let same = |other: &DocumentType| (&other.namespace, &other.root) == (&document.namespace, &document.root);
        if documents.iter().any(|other| other.name == document.name || same(other)) {
            return Err(fail(at, format!("the document {} twice", document.name)));
        }
        documents.push(document);
    }
    Ok(documents)
}

fn document(row: Row, sources: &[Source<'_>], types: &Types) -> Result<DocumentType, String> {
    let source = sources
        .iter()
        .find(|source| source.file == row.file)
        .ok_or_else(|| format!("the file {}, which is not in the set", row.file))?;
    let root = QName { uri: source.target.clone(), local: row.root.as_str().into() };
    let complex = types.roots.get(&root).ok_or_else(|| format!("the root {}, which {} does not declare", row.root, row.file))?;
    let code = |text: &str| Code::parse(text).ok_or_else(|| format!("{text}, which is not a code"));
    let mut nodes = unfold(types, *complex)?;
    let fields = number_fields(&mut nodes);
    let rules = row.rule.iter().map(|rule| self::rule(rule, &mut nodes)).collect::<Result<_, _>>()?;
    let subjects = row.subject.into_iter().map(|subject| self::subject(subject, &mut nodes)).collect::<Result<_, _>>()?;
    for (path, part) in [("Head/DocumentId", Part::DocumentId), ("Head/Status", Part::Status)] {
        if let Some(node) = nodes.iter_mut().find(|node| node.path == path) {
            node.watch.part = Some(part);
        }
    }
    Ok(DocumentType {
        name: code(&row.name)?,
        namespace: source.target.to_string(),
        root: row.root,
        file: row.file,
        class: code(&row.class)?,
        title: row.title,
        subjects,
        fields,
        nodes,
        rules,
    })
}

/// All paths of a document, breadth first; types that contain themselves were refused, so there is an end.
fn unfold(types: &Types, root: usize) -> Result<Vec<PathNode>, String> {
    let node = |path, complex, optional, occurs| PathNode {
        path,
        complex,
        first_child: 0,
        field: None,
        watch: Watch::default(),
        optional,
        occurs,
    };
    let mut nodes = vec![node(String::new(), root, false, Occurs::Once)];
    let mut at = 0;
    while let Some(parent) = nodes.get(at) {
        let (path, complex, outer) = (parent.path.clone(), parent.complex, parent.occurs);
        let first_child = nodes.len();
        let found = types.complexes.get(complex).ok_or("a type that is not there")?;
        if let Content::Elements(model) = &found.content {
            for position in &model.positions {
                let particle = &position.particle;
                let path =
                    if path.is_empty() { particle.name.local.to_string() } else { format!("{path}/{}", particle.name.local) };
                let occurs = match outer {
                    _ if position.repeats() => Occurs::Repeatedly,
                    Occurs::Once => Occurs::Once,
                    Occurs::OnceInParent | Occurs::Repeatedly => Occurs::OnceInParent,
                };
                nodes.push(node(path, particle.complex, particle.optional, occurs));
            }
        }
        if nodes.len() > limits::SCHEMA_PATHS_MAX {
            return Err("a document with too many paths".to_owned());
        }
        let is_id = found.identifier;
        if let Some(parent) = nodes.get_mut(at) {
            (parent.first_child, parent.watch.identifier) = (first_child, is_id);
        }
        at = at.saturating_add(1);
    }
    Ok(nodes)
}

/// Numbers the elements that a document may lack. The head is not the holder's to withhold, so it has no fields.
fn number_fields(nodes: &mut [PathNode]) -> Vec<String> {
    let mut fields = Vec::new();
    for node in nodes.iter_mut().filter(|node| node.optional && !node.path.starts_with("Head/")) {
        // One name in two branches of a choice is one field.
        let known = fields.iter().position(|field| *field == node.path);
        node.field = Some(known.unwrap_or(fields.len()));
        if known.is_none() {
            fields.push(node.path.clone());
        }
    }
    fields
}

fn find(path: &str, nodes: &[PathNode]) -> Result<usize, String> {
    let mut places = nodes.iter().enumerate().filter(|(_, node)| node.path == *path).map(|(at, _)| at);
    match (places.next(), places.next()) {
        (Some(at), None) => Ok(at),
        (None, _) => Err(format!("the path {path}, which the schema does not have")),
        (Some(_), Some(_)) => Err(format!("the path {path}, which the schema has twice")),
    }
}

/// The place of an element whose value is compared with others.
fn compared(path: &str, nodes: &mut [PathNode]) -> Result<usize, String> {
    let at = find(path, nodes)?;
    if let Some(node) = nodes.get_mut(at) {
        node.watch.compared = true;
    }
    Ok(at)
}

fn compared_once(path: &str, nodes: &mut [PathNode]) -> Result<usize, String> {
    let at = compared(path, nodes)?;
    let repeats = nodes.get(at).is_some_and(|node| node.occurs != Occurs::Once);
    if repeats { Err(format!("a rule on {path}, which may occur more than once")) } else { Ok(at) }
}

/// The place of an element that stands before another in the same parent, exactly once.
fn compared_before(path: &str, node: usize, nodes: &mut [PathNode]) -> Result<usize, String> {
    let at = compared(path, nodes)?;
    let parent = |at: usize| nodes.get(at).map(|node| node.path.rsplit_once('/').map_or("", |(parent, _)| parent));
    let once = nodes.get(at).is_some_and(|node| !node.optional && node.occurs != Occurs::Repeatedly);
    if once && at < node && parent(at) == parent(node) {
        Ok(at)
    } else {
        Err(format!("only_if on {path}, which does not stand before the person once"))
    }
}

fn rule(row: &RuleRow, nodes: &mut [PathNode]) -> Result<Rule, String> {
    Ok(match row {
        RuleRow::Period { from, to, days } => {
            let days = days.as_ref().map(|days| compared_once(days, nodes)).transpose()?;
            Rule::Period { from: compared_once(from, nodes)?, to: compared_once(to, nodes)?, days }
        }
        RuleRow::Birth { born, recorded } => {
            Rule::Birth { born: compared_once(born, nodes)?, recorded: compared_once(recorded, nodes)? }
        }
        RuleRow::Marriage { begins, ends } => {
            Rule::Marriage { begins: compared_once(begins, nodes)?, ends: compared_once(ends, nodes)? }
        }
        RuleRow::OncePerRole { paths } => {
            Rule::OncePerRole { roles: paths.iter().map(|path| compared(path, nodes)).collect::<Result<_, _>>()? }
        }
    })
}

fn subject(row: SubjectRow, nodes: &mut [PathNode]) -> Result<SubjectPath, String> {
    let node = find(&row.path, nodes)?;
    let parts = [("", Part::Subject), ("/Id", Part::SubjectId), ("/Name/Family", Part::Family), ("/Name/Given", Part::Given)];
    for (suffix, part) in parts.into_iter().chain([("/BirthDate", Part::BirthDate)]) {
        let path = format!("{}{suffix}", row.path);
        if let Some(node) = nodes.iter_mut().find(|node| node.path == path) {
            node.watch.part = Some(part);
        }
    }
    if !row.role.is_empty() && Code::parse(&row.role).is_none() {
        return Err(format!("the role {}, which is not a code", row.role));
    }
    let only_if_node = row.only_if.as_ref().map(|only_if| compared_before(&only_if.path, node, nodes)).transpose()?;
    let only_if = row.only_if.map(|only_if| (only_if.path, only_if.is));
    Ok(SubjectPath { role: row.role, path: row.path, only_if, node, only_if_node })
}
