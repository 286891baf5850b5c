//! Whom a document is about, put together while it is read: see [`super::scopes`] for what the scopes mean.

use super::documents::Version;
use super::facts::Subject;
use super::scopes::{Birth, CODE, Form, IdForm, Piece, Scope, VALUE, joined};
use super::subjects::SubjectPath;
use crate::base::ids::{CheckDigitError, Identifier};
use crate::base::limits;

/// The scopes that are open, and the subjects that are whole.
#[derive(Default)]
pub(super) struct People {
    open: Vec<Open>,
    subjects: Vec<Subject>,
    begun: usize,
}

/// An element of a scope.
struct Open {
    scope: usize,
    values: Vec<(u16, Box<str>)>,
    identifiers: Vec<Identifier>,
    /// Subjects that are whole but for their role, each with its scope.
    waiting: Vec<(usize, Subject)>,
}

impl People {
    /// Begins scopes; false if there are too many.
    pub(super) fn begin(&mut self, scopes: &[usize]) -> bool {
        for scope in scopes {
            self.open.push(Open { scope: *scope, values: Vec::new(), identifiers: Vec::new(), waiting: Vec::new() });
        }
        self.begun = self.begun.saturating_add(scopes.len());
        self.begun <= limits::DOCUMENT_SCOPES_MAX
    }

    /// Keeps a value in the innermost such scope; false if there are too many.
    pub(super) fn keep(&mut self, scope: usize, slot: u16, value: &str) -> bool {
        let Some(open) = self.innermost(scope) else { return true };
        open.values.push((slot, value.into()));
        open.values.len() <= limits::DOCUMENT_WATCHED_MAX
    }

    /// Gives an identifier to the innermost such scope.
    pub(super) fn identify(&mut self, scope: usize, identifier: Identifier) {
        if let Some(open) = self.innermost(scope) {
            open.identifiers.push(identifier);
        }
    }

    /// Ends the scopes that began last. An identifier that was put together is returned, or why it is none.
    pub(super) fn end(&mut self, version: &Version, count: usize) -> Vec<Result<Identifier, CheckDigitError>> {
        let mut identifiers = Vec::new();
        for _ in 0..count {
            let Some(open) = self.open.pop() else { break };
            match version.scopes.get(open.scope) {
                Some(Scope::Identifier { of, form, schemes }) => {
                    let made = open.identifier(*form, schemes);
                    if let Some(Ok(identifier)) = &made {
                        self.identify(*of, identifier.clone());
                    }
                    identifiers.extend(made);
                }
                Some(Scope::Subject(form)) => self.complete(version, form, open),
                Some(Scope::Meeting) => self.meet(version, open),
                None => {}
            }
        }
        identifiers
    }

    /// The subjects, when the document has ended.
    pub(super) fn into_subjects(self) -> Vec<Subject> {
        self.subjects
    }

    fn innermost(&mut self, scope: usize) -> Option<&mut Open> {
        self.open.iter_mut().rev().find(|open| open.scope == scope)
    }

    /// A subject has ended: it stands for its rows, those that wait for a word on its role once that is known.
    fn complete(&mut self, version: &Version, form: &Form, open: Open) {
        let of = open.scope;
        let whole = open.subject(form);
        let rows = || form.rows.iter().filter_map(|row| version.subjects.get(*row));
        let mut waits: Vec<usize> = Vec::new();
        for scope in rows().filter_map(|row| row.meets) {
            if !waits.contains(&scope) {
                waits.push(scope);
            }
        }
        let known = rows().filter(|row| row.meets.is_none());
        let takers = known.map(Taker::Row).chain(waits.into_iter().map(Taker::Scope));
        for (taker, subject) in shared(takers, whole) {
            match taker {
                Taker::Row(row) => self.subjects.push(Subject { role: row.role.clone(), ..subject }),
                Taker::Scope(scope) => {
                    if let Some(open) = self.innermost(scope) {
                        open.waiting.push((of, subject));
                    }
                }
            }
        }
    }

    fn meet(&mut self, version: &Version, open: Open) {
        for (of, subject) in open.waiting {
            let Some(Scope::Subject(form)) = version.scopes.get(of) else { continue };
            let rows = form.rows.iter().filter_map(|row| Some((*row, version.subjects.get(*row)?)));
            let fits = |(row, path): &(usize, &SubjectPath)| {
                let is = path.only_if.as_ref().map(|(_, is)| is.as_str());
                let mut said = open.values.iter().filter(|(slot, _)| usize::from(*slot) == *row).map(|(_, value)| &**value);
                path.meets == Some(open.scope) && said.next() == is && is.is_some()
            };
            for ((_, path), subject) in shared(rows.filter(fits), subject) {
                self.subjects.push(Subject { role: path.role.clone(), ..subject });
            }
        }
    }
}

/// Who takes a subject that is whole.
enum Taker<'v> {
    /// A row, whose role it has.
    Row(&'v SubjectPath),
    /// The scope in which its role will be known.
    Scope(usize),
}

/// Gives a subject to each; the last one takes it as it is.
fn shared<T>(takers: impl Iterator<Item = T>, subject: Subject) -> impl Iterator<Item = (T, Subject)> {
    let (mut takers, mut left) = (takers.peekable(), Some(subject));
    std::iter::from_fn(move || {
        let taker = takers.next()?;
        let own = if takers.peek().is_some() { left.clone() } else { left.take() };
        own.map(|own| (taker, own))
    })
}

impl Open {
    /// The one value of a slot; none where it is absent, or where it is not clear which.
    fn one(&self, slot: u16) -> Option<&str> {
        let mut values = self.values.iter().filter(|(own, value)| *own == slot && !value.is_empty()).map(|(_, value)| &**value);
        values.next().filter(|first| values.all(|other| other == *first))
    }

    /// A code that no row knows names an identifier that nobody asks by.
    fn identifier(&self, form: IdForm, schemes: &[(String, String)]) -> Option<Result<Identifier, CheckDigitError>> {
        let (value, code) = (self.one(VALUE)?, self.one(CODE)?);
        let (_, scheme) = schemes.iter().find(|(known, _)| known == code)?;
        Some(Identifier::parse(scheme, &form.read(value)))
    }

    fn subject(self, form: &Form) -> Subject {
        let text = |pieces: &[Piece]| {
            let mut text = String::new();
            for piece in pieces {
                for (_, value) in self.values.iter().filter(|(slot, _)| *slot == piece.slot) {
                    for word in piece.words.of(value) {
                        text.push_str(if text.is_empty() { "" } else { " " });
                        text.push_str(word);
                    }
                }
            }
            Some(text).filter(|text| !text.is_empty())
        };
        let (family, given, name) = (text(&form.family), text(&form.given), text(&form.name));
        let birth_date = match &form.birth {
            None => None,
            Some(Birth::Written { slot, form }) => self.one(*slot).and_then(|value| form.read(value)),
            Some(Birth::Parts { year, month, day }) => {
                let part = |slot: &Option<u16>| slot.and_then(|slot| self.one(slot));
                self.one(*year).and_then(|year| joined(year, part(month), part(day)))
            }
        };
        let (kind, identifiers) = (form.kind, self.identifiers);
        Subject { role: String::new(), kind, identifiers, family, given, birth_date, name }
    }
}
