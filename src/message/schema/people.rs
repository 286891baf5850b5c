//! Whom a document is about, put together while it is read: see [`super::scopes`] for what the scopes mean.

use super::documents::Version;
use super::facts::Subject;
use super::scopes::{Birth, CODE, Form, IdForm, Piece, Scope, VALUE, joined};
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
    /// Subjects that are whole but for their role, each with its row.
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
        let mut whole = Some(open.subject(form));
        for (at, row) in form.rows.iter().enumerate() {
            let is_last = at.saturating_add(1) == form.rows.len();
            let (Some(path), Some(subject)) = (version.subjects.get(*row), if is_last { whole.take() } else { whole.clone() })
            else {
                continue;
            };
            let subject = Subject { role: path.role.clone(), ..subject };
            match path.meets {
                None => self.subjects.push(subject),
                Some(scope) => {
                    if let Some(open) = self.innermost(scope) {
                        open.waiting.push((*row, subject));
                    }
                }
            }
        }
    }

    fn meet(&mut self, version: &Version, open: Open) {
        for (row, subject) in open.waiting {
            let is = version.subjects.get(row).and_then(|path| path.only_if.as_ref()).map(|(_, is)| is.as_str());
            let mut said = open.values.iter().filter(|(slot, _)| usize::from(*slot) == row).map(|(_, value)| &**value);
            if said.next() == is && is.is_some() {
                self.subjects.push(subject);
            }
        }
    }
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
