//! Whom a document is about: the rows of `documents.toml` that say so, and the scopes that they become.
//!
//! A row names the element of a person or an organisation, and by paths below it where identifiers, names and the date of birth
//! are.

use super::facts::SubjectKind;
use super::paths::{Occurs, TYPES};
use super::scopes::{Birth, CODE, DateForm, Form, IdForm, Piece, Scope, VALUE, Words};
use super::watch::{Hold, Watching};
use crate::base::ids::{Code, Identifier};
use crate::message::xsd::Set;
use crate::message::xsd::set::TypeRef;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Where a document holds somebody that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectPath {
    /// The role that a request names in `Of`; empty for a request that names none.
    pub role: String,
    /// What stands there.
    pub kind: SubjectKind,
    /// Whether others may have the role beside whoever is asked about: a certificate names two parents.
    pub several: bool,
    /// The path of the element from the root; empty for the root itself.
    pub path: String,
    /// The element or attribute that must hold a value for the subject to have the role: `Parent/Role` and `mother`.
    pub only_if: Option<(String, String)>,
    /// The paths of what tells it from others, below that element: all of it where it is of a type of ours.
    pub(super) parts: Vec<String>,
    /// Whether nobody else may stand there.
    pub(super) is_alone: bool,
    /// The scope in which the value of `only_if` and the subject meet.
    pub(super) meets: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubjectRow {
    #[serde(default)]
    role: String,
    path: String,
    kind: Option<SubjectKind>,
    #[serde(default)]
    several: bool,
    only_if: Option<OnlyIf>,
    #[serde(default)]
    id: Vec<IdRow>,
    family: Option<TextRow>,
    given: Option<TextRow>,
    name: Option<TextRow>,
    birth_date: Option<DateRow>,
    pub(super) todo: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyIf {
    path: String,
    is: String,
}

/// An identifier: its path below the subject's element, and its scheme, or where a code for that stands.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct IdRow {
    path: String,
    scheme: Option<String>,
    scheme_at: Option<String>,
    #[serde(default)]
    schemes: BTreeMap<String, String>,
    #[serde(default)]
    form: IdForm,
}

#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(untagged, expecting = "a path, or a list of paths and of { path, words }")]
enum TextRow {
    One(String),
    Parts(Vec<PieceRow>),
}

#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(untagged, expecting = "a path, or { path, words } with words first, last, all-but-first or all-but-last")]
enum PieceRow {
    Path(String),
    Words(WordsRow),
}

#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct WordsRow {
    path: String,
    words: Words,
}

#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(untagged, expecting = "a path, { path, form } or { year, month, day }")]
enum DateRow {
    Path(String),
    Written(WrittenRow),
    Parts(PartsRow),
}

#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct WrittenRow {
    path: String,
    #[serde(default = "iso")]
    form: String,
}

#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct PartsRow {
    year: String,
    month: Option<String>,
    day: Option<String>,
}

fn iso() -> String {
    "yyyy-mm-dd".to_owned()
}

impl TextRow {
    fn paths(&self) -> Vec<&str> {
        match self {
            Self::One(path) => vec![path],
            Self::Parts(pieces) => pieces.iter().map(PieceRow::path).collect(),
        }
    }
}

impl PieceRow {
    fn path(&self) -> &str {
        match self {
            Self::Path(path) | Self::Words(WordsRow { path, .. }) => path,
        }
    }
}

impl DateRow {
    fn paths(&self) -> Vec<&str> {
        match self {
            Self::Path(path) | Self::Written(WrittenRow { path, .. }) => vec![path],
            Self::Parts(parts) => {
                [Some(&parts.year), parts.month.as_ref(), parts.day.as_ref()].into_iter().flatten().map(String::as_str).collect()
            }
        }
    }
}

/// Looks the rows up in the schema, and makes scopes of them. The error has the place of its row among them.
pub(super) fn subjects(
    rows: &[&SubjectRow],
    watching: &mut Watching<'_>,
    set: &Set,
) -> Result<Vec<SubjectPath>, (usize, String)> {
    let mut made: Vec<(SubjectPath, usize)> = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        // What reads the same is one scope, whatever its roles.
        let known = rows.iter().zip(&made).find(|(other, _)| row.reads_like(other)).map(|(_, (_, scope))| *scope);
        let (subject, scope) = subject(row, at, known, watching, set).map_err(|what| (at, what))?;
        // Of two that stand for one role without a word on which is which, nobody could say whom a document is about.
        let is_same = |(other, _): &&(SubjectPath, usize)| (&other.role, other.kind) == (&subject.role, subject.kind);
        if made.iter().filter(is_same).any(|(other, _)| other.only_if.is_none() || subject.only_if.is_none()) {
            let role = if subject.role.is_empty() { "no role" } else { &subject.role };
            return Err((at, format!("two subjects for {role}; give each a role of its own, or say only_if of both")));
        }
        made.push((subject, scope));
    }
    Ok(made.into_iter().map(|(subject, _)| subject).collect())
}

fn subject(
    row: &SubjectRow,
    at: usize,
    known: Option<usize>,
    watching: &mut Watching<'_>,
    set: &Set,
) -> Result<(SubjectPath, usize), String> {
    if !row.role.is_empty() && Code::parse(&row.role).is_none() {
        return Err(format!("the role {}, which is not a code", row.role));
    }
    if row.path.rsplit('/').next().is_some_and(|last| last.starts_with('@')) {
        return Err(format!("the subject {}, which is an attribute; name the element, and the attribute in id", row.path));
    }
    // The empty path is the root itself, which is there once.
    let is_alone = watching.find(&row.path)?.occurs == Occurs::Once;
    let (scope, kind) = match known {
        Some(scope) => (scope, watching.stands_for(scope, at)),
        None => {
            let scope = watching.scope(&row.path, Scope::Subject(Form::default()));
            let form = if row.is_foreign() { foreign(row, scope, watching)? } else { ours(row, scope, watching, set)? };
            let kind = form.kind;
            watching.settle(scope, Form { rows: vec![at], ..form });
            (scope, kind)
        }
    };
    let meets = row.only_if.as_ref().map(|only_if| meeting(only_if, &row.path, at, watching)).transpose()?;
    let only_if = row.only_if.as_ref().map(|only_if| (only_if.path.clone(), only_if.is.clone()));
    let parts = row.parts();
    let several = row.several;
    Ok((SubjectPath { role: row.role.clone(), kind, several, path: row.path.clone(), only_if, parts, is_alone, meets }, scope))
}

impl SubjectRow {
    fn is_foreign(&self) -> bool {
        let has_name = self.family.is_some() || self.given.is_some() || self.name.is_some();
        !self.id.is_empty() || has_name || self.birth_date.is_some()
    }

    /// The paths of its parts, from the root; of a type of ours the element is one.
    fn parts(&self) -> Vec<String> {
        if !self.is_foreign() {
            return vec![self.path.clone()];
        }
        let ids = self.id.iter().flat_map(|id| [Some(id.path.as_str()), id.scheme_at.as_deref()]).flatten();
        let names = [&self.family, &self.given, &self.name].into_iter().flatten().flat_map(TextRow::paths);
        let birth = self.birth_date.iter().flat_map(DateRow::paths);
        ids.chain(names).chain(birth).map(|part| below(&self.path, part)).collect()
    }

    fn reads_like(&self, other: &Self) -> bool {
        let parts = |row: &Self| (row.kind, row.path.clone(), row.id.clone(), row.birth_date.clone());
        let names = |row: &Self| (row.family.clone(), row.given.clone(), row.name.clone());
        parts(self) == parts(other) && names(self) == names(other)
    }
}

/// A subject in the words of another schema.
fn foreign(row: &SubjectRow, scope: usize, watching: &mut Watching<'_>) -> Result<Form, String> {
    let kind = row.kind.unwrap_or(if row.name.is_some() { SubjectKind::Organisation } else { SubjectKind::Person });
    let (is_person, named) = (kind == SubjectKind::Person, row.family.is_some() || row.given.is_some());
    if is_person && row.name.is_some() {
        return Err("a name, which is an organisation's; a person has family and given".to_owned());
    }
    if !is_person && (named || row.birth_date.is_some()) {
        return Err("family, given or birth_date, which are a person's; an organisation has name".to_owned());
    }
    let mut form = Form { kind, ..Form::default() };
    for id in &row.id {
        identifier(id, &row.path, scope, watching)?;
    }
    let mut text = |row_of: &Option<TextRow>, form: &mut Form| match row_of {
        None => Ok(Vec::new()),
        Some(TextRow::One(path)) => Ok(vec![Piece { slot: form.keep(path, &row.path, scope, watching)?, words: Words::All }]),
        Some(TextRow::Parts(pieces)) => pieces
            .iter()
            .map(|piece| {
                let words = if let PieceRow::Words(row) = piece { row.words } else { Words::All };
                Ok::<_, String>(Piece { slot: form.keep(piece.path(), &row.path, scope, watching)?, words })
            })
            .collect(),
    };
    form.family = text(&row.family, &mut form)?;
    form.given = text(&row.given, &mut form)?;
    form.name = text(&row.name, &mut form)?;
    form.birth = match &row.birth_date {
        None => None,
        Some(DateRow::Path(path)) => {
            Some(Birth::Written { slot: form.keep(path, &row.path, scope, watching)?, form: DateForm::parse(&iso())? })
        }
        Some(DateRow::Written(written)) => {
            let slot = form.keep(&written.path, &row.path, scope, watching)?;
            Some(Birth::Written { slot, form: DateForm::parse(&written.form)? })
        }
        Some(DateRow::Parts(parts)) => {
            let mut keep = |path: &String| form.keep(path, &row.path, scope, watching);
            let month = parts.month.as_ref().map(&mut keep).transpose()?;
            let day = parts.day.as_ref().map(&mut keep).transpose()?;
            Some(Birth::Parts { year: keep(&parts.year)?, month, day })
        }
    };
    Ok(form)
}

/// A subject of one of our own types.
fn ours(row: &SubjectRow, scope: usize, watching: &mut Watching<'_>, set: &Set) -> Result<Form, String> {
    let has = |watching: &Watching<'_>, path: &str| watching.knows(&below(&row.path, path));
    let of = watching.find(&row.path).ok().and_then(|path| path.of);
    let is_a = |name: &str| {
        let ours = set.names().find(TYPES, name).and_then(|name| set.global_type(name));
        ours.zip(of).is_some_and(|(ours, of): (TypeRef, TypeRef)| set.derives(of, ours).is_some())
    };
    let is_organisation = is_a("Org") || is_a("Organisation");
    // Of whom nothing is said but who it is.
    let is_known = is_a("Known");
    if !is_organisation && !is_known && !has(watching, "Name/Family") {
        let path = if row.path.is_empty() { "the root" } else { &row.path };
        return Err(format!("{path}, where nobody can be told by; say id, or family, given and birth_date, or name"));
    }
    let mut form = Form::default();
    if has(watching, "Id") {
        watching.hold(&below(&row.path, "Id"), Hold::OwnId(scope));
    }
    let mut keep = |form: &mut Form, path: &str| -> Result<Vec<Piece>, String> {
        if !watching.knows(&below(&row.path, path)) {
            return Ok(Vec::new());
        }
        Ok(vec![Piece { slot: form.keep(path, &row.path, scope, watching)?, words: Words::All }])
    };
    if is_organisation {
        form.kind = SubjectKind::Organisation;
        form.name = keep(&mut form, "Name")?;
        return Ok(form);
    }
    form.family = keep(&mut form, "Name/Family")?;
    form.given = keep(&mut form, "Name/Given")?;
    let born = keep(&mut form, "BirthDate")?;
    let iso = DateForm::parse(&iso())?;
    form.birth = born.first().map(|piece| Birth::Written { slot: piece.slot, form: iso });
    Ok(form)
}

impl Form {
    /// A slot for the value at a path below the subject.
    fn keep(&mut self, path: &str, base: &str, scope: usize, watching: &mut Watching<'_>) -> Result<u16, String> {
        let path = below(base, path);
        watching.find(&path)?;
        let slot = self.slots;
        self.slots = slot.saturating_add(1);
        watching.hold(&path, Hold::Slot { scope, slot });
        Ok(slot)
    }
}

fn identifier(row: &IdRow, base: &str, scope: usize, watching: &mut Watching<'_>) -> Result<(), String> {
    let path = below(base, &row.path);
    watching.find(&path)?;
    let is_scheme = |scheme: &str| Identifier::is_scheme(scheme);
    let wrong = |scheme: &str| format!("{scheme}, which is not a scheme; a scheme is like RU-SNILS or XX-PASSPORT");
    match (&row.scheme, &row.scheme_at) {
        (Some(scheme), None) if row.schemes.is_empty() => {
            if !is_scheme(scheme) {
                return Err(wrong(scheme));
            }
            watching.hold(&path, Hold::Id { scope, scheme: scheme.as_str().into(), form: row.form });
            Ok(())
        }
        (None, Some(at)) if !row.schemes.is_empty() => {
            if let Some(scheme) = row.schemes.values().find(|scheme| !is_scheme(scheme)) {
                return Err(wrong(scheme));
            }
            let code = below(base, at);
            watching.find(&code)?;
            let meeting = common(&path, &code);
            if meeting.len() < base.len() {
                return Err(format!("scheme_at {at}, which does not stand in the subject"));
            }
            let schemes = row.schemes.iter().map(|(code, scheme)| (code.clone(), scheme.clone())).collect();
            let pair = watching.scope(meeting, Scope::Identifier { of: scope, form: row.form, schemes });
            watching.hold(&path, Hold::Slot { scope: pair, slot: VALUE });
            watching.hold(&code, Hold::Slot { scope: pair, slot: CODE });
            Ok(())
        }
        _ => Err(format!("the identifier {}, which needs a scheme, or scheme_at and schemes", row.path)),
    }
}

/// The element in which a subject and what says its role meet.
fn meeting(row: &OnlyIf, path: &str, at: usize, watching: &mut Watching<'_>) -> Result<usize, String> {
    watching.find(&row.path)?;
    let place = common(&row.path, path).to_owned();
    let apart = row.path != path && !lies_below(path, &row.path);
    if !apart || watching.repeats_within(path, &place) || watching.repeats_within(&row.path, &place) {
        return Err(format!("only_if on {}, which does not stand beside the subject once", row.path));
    }
    let scope = watching.scope(&place, Scope::Meeting);
    watching.hold(&row.path, Hold::Slot { scope, slot: u16::try_from(at).unwrap_or(u16::MAX) });
    Ok(scope)
}

pub(super) fn below(base: &str, path: &str) -> String {
    match (base.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (_, true) => base.to_owned(),
        _ => format!("{base}/{path}"),
    }
}

pub(super) fn lies_below(path: &str, above: &str) -> bool {
    above.is_empty() || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// The deepest element that has both, one of them itself if the other is inside it.
fn common<'p>(left: &'p str, right: &str) -> &'p str {
    if left == right || lies_below(right, left) {
        return left;
    }
    let mut place = left;
    while !(place == right || lies_below(right, place)) {
        place = place.rsplit_once('/').map_or("", |(above, _)| above);
    }
    place
}
