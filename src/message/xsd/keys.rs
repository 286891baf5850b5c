//! Identity constraints and IDs while a document is read (XML Schema 1.0, part 1, section 3.11.4; part 2, section 3.3.8).
//!
//! Values are kept as digests of a fixed size, and there is a most that are kept.

use super::identity::{Constraint, Kind, Path};
use super::names::Name;
use super::set::Set;
use super::simple::{Identity, Simple, Value};
use super::violation::Violation;
use crate::base::limits;

pub(super) type Mark = [u8; 12];

/// A set of marks, sorted: half of what a tree takes.
#[derive(Debug, Default)]
struct Marks(Vec<Mark>);

impl Marks {
    /// Whether it was not there before.
    fn insert(&mut self, mark: Mark) -> bool {
        let Err(at) = self.0.binary_search(&mark) else { return false };
        self.0.insert(at, mark);
        true
    }

    fn is_subset(&self, of: &Self) -> bool {
        self.0.iter().all(|mark| of.0.binary_search(mark).is_ok())
    }
}

/// How an element ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    /// With a value; none is known of one that is wrong.
    Value(Option<Mark>),
    /// With nothing, as `xsi:nil` says.
    Nil,
    /// With elements, or with nothing of a value.
    Elements,
}

/// The state of all constraints of a document.
#[derive(Debug, Default)]
pub(super) struct Keys {
    scopes: Vec<Scope>,
    candidates: Vec<Candidate>,
    /// How many paths are followed for their fields.
    walks: usize,
    finished: Vec<Finished>,
    ids: Marks,
    references: Marks,
    count: usize,
}

/// A constraint whose element is open.
#[derive(Debug)]
struct Scope {
    constraint: u32,
    depth: usize,
    selector: Vec<Walk>,
    table: Marks,
    /// How many tables were finished when its element began.
    begins: usize,
}

/// An element that a selector has found, while it is open.
#[derive(Debug)]
struct Candidate {
    scope: usize,
    depth: usize,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    walks: Vec<Walk>,
    mark: Option<Mark>,
    is_nil: bool,
}

/// The table of a constraint whose element has ended, for keyrefs further out.
#[derive(Debug)]
struct Finished {
    name: Name,
    depth: usize,
    table: Marks,
}

/// How far a path was walked, at each depth below its beginning: bit `n` says that `n` steps lead here.
#[derive(Debug)]
struct Walk {
    at: usize,
    states: Vec<u32>,
}

impl Walk {
    fn new(at: usize) -> Self {
        Self { at, states: vec![1] }
    }

    fn start(&mut self, path: &Path, name: Option<Name>, uri: &str) {
        let before = self.states.last().copied().unwrap_or(0);
        let mut next = u32::from(path.is_deep);
        for (at, step) in path.steps.iter().enumerate() {
            if before >> at & 1 == 1 && step.fits(name, uri) {
                next |= 1 << at.saturating_add(1);
            }
        }
        self.states.push(next);
    }

    /// Whether all steps lead to the element at this depth below the beginning.
    fn is_here(&self, path: &Path) -> bool {
        self.states.last().is_some_and(|state| state >> path.steps.len() & 1 == 1)
    }
}

fn wrong(rule: &'static str, what: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { rule, what: what.into() })
}

fn paths(set: &Set, constraint: u32) -> Option<&Constraint> {
    set.constraints.get(constraint as usize)
}

impl Keys {
    /// Whether values are of use at all.
    pub(super) fn wants_fields(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Whether some constraint's element is open.
    pub(super) fn are_open(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// Whether the innermost open element is a field, so that its value counts.
    pub(super) fn wants_value(&self, set: &Set) -> bool {
        self.candidates.iter().any(|candidate| {
            let constraint = self.scopes.get(candidate.scope).and_then(|scope| paths(set, scope.constraint));
            let fields = constraint.map_or(&[][..], |constraint| &constraint.fields);
            candidate.fields.iter().zip(fields).any(|(field, alternatives)| field.is_here(alternatives))
        })
    }

    /// Whether what is kept takes much memory.
    pub(super) fn is_large(&self) -> bool {
        self.count > limits::SCHEMA_KEYS_MAX / 4
    }

    /// An element begins at this depth (the root's is 1).
    pub(super) fn start(&mut self, set: &Set, depth: usize, own: &[u32], name: Option<Name>, uri: &str) -> Result<(), Violation> {
        for candidate in &mut self.candidates {
            let Some(scope) = self.scopes.get(candidate.scope) else { continue };
            let Some(constraint) = paths(set, scope.constraint) else { continue };
            for (field, alternatives) in candidate.fields.iter_mut().zip(&constraint.fields) {
                for walk in &mut field.walks {
                    if let Some(path) = alternatives.get(walk.at) {
                        walk.start(path, name, uri);
                    }
                }
            }
        }
        for scope in &mut self.scopes {
            let Some(constraint) = paths(set, scope.constraint) else { continue };
            for walk in &mut scope.selector {
                if let Some(path) = constraint.selector.get(walk.at) {
                    walk.start(path, name, uri);
                }
            }
        }
        for constraint in own {
            let alternatives = paths(set, *constraint).map_or(0, |found| found.selector.len());
            let selector = (0..alternatives).map(Walk::new).collect();
            let begins = self.finished.len();
            if self.scopes.len() >= limits::SCHEMA_CANDIDATES_MAX {
                return wrong("cvc-identity-constraint", "more elements at once that keys are kept of than there may be");
            }
            self.scopes.push(Scope { constraint: *constraint, depth, selector, table: Marks::default(), begins });
        }
        self.select(set, depth)
    }

    /// Notes for which constraints this element is one to look at.
    fn select(&mut self, set: &Set, depth: usize) -> Result<(), Violation> {
        for (number, scope) in self.scopes.iter().enumerate() {
            let Some(constraint) = paths(set, scope.constraint) else { continue };
            let is_selected =
                scope.selector.iter().any(|walk| constraint.selector.get(walk.at).is_some_and(|path| walk.is_here(path)));
            if is_selected {
                let field = |alternatives: &Vec<Path>| Field {
                    walks: (0..alternatives.len()).map(Walk::new).collect(),
                    mark: None,
                    is_nil: false,
                };
                let fields = constraint.fields.iter().map(field).collect();
                self.walks = self.walks.saturating_add(constraint.paths());
                self.candidates.push(Candidate { scope: number, depth, fields });
                if self.walks > limits::SCHEMA_CANDIDATES_MAX {
                    return wrong("cvc-identity-constraint", "more elements at once that keys are made of than are kept");
                }
            }
        }
        Ok(())
    }

    /// An attribute of the element that began last.
    pub(super) fn attribute(&mut self, set: &Set, name: Option<Name>, uri: &str, value: Option<&Value>) -> Result<(), Violation> {
        let mark = value.map(Value::digest);
        for candidate in &mut self.candidates {
            let constraint = self.scopes.get(candidate.scope).and_then(|scope| paths(set, scope.constraint));
            let Some(constraint) = constraint else { continue };
            for (field, alternatives) in candidate.fields.iter_mut().zip(&constraint.fields) {
                let is_here = field.walks.iter().any(|walk| {
                    alternatives.get(walk.at).is_some_and(|path| {
                        path.attribute.as_ref().is_some_and(|test| test.fits(name, uri)) && walk.is_here(path)
                    })
                });
                if is_here {
                    field.value(&Ended::Value(mark))?;
                }
            }
        }
        Ok(())
    }

    /// The element at this depth ends, with its value if it has one.
    pub(super) fn end(&mut self, set: &Set, depth: usize, with: &Ended) -> Result<(), Violation> {
        if self.scopes.is_empty() {
            return Ok(());
        }
        let mut found = self.values(set, with);
        // Those of this element are whole now.
        while self.candidates.last().is_some_and(|candidate| candidate.depth == depth) {
            let Some(candidate) = self.candidates.pop() else { break };
            let constraint = self.scopes.get(candidate.scope).and_then(|scope| paths(set, scope.constraint));
            self.walks = self.walks.saturating_sub(constraint.map_or(0, Constraint::paths));
            let kept = self.keep(set, &candidate);
            found = found.and(kept);
        }
        for candidate in &mut self.candidates {
            for walk in candidate.fields.iter_mut().flat_map(|field| &mut field.walks) {
                walk.states.pop();
            }
        }
        for scope in self.scopes.iter_mut().filter(|scope| scope.depth < depth) {
            for walk in &mut scope.selector {
                walk.states.pop();
            }
        }
        let ended = self.scopes_end(set, depth);
        found.and(ended)
    }

    fn values(&mut self, set: &Set, with: &Ended) -> Result<(), Violation> {
        let mut found = Ok(());
        for candidate in &mut self.candidates {
            let constraint = self.scopes.get(candidate.scope).and_then(|scope| paths(set, scope.constraint));
            let Some(constraint) = constraint else { continue };
            for (field, alternatives) in candidate.fields.iter_mut().zip(&constraint.fields) {
                if field.is_here(alternatives) {
                    let taken = field.value(with);
                    found = found.and(taken);
                }
            }
        }
        found
    }

    /// Takes the fields of an element into the table of its constraint.
    fn keep(&mut self, set: &Set, candidate: &Candidate) -> Result<(), Violation> {
        let Some(scope) = self.scopes.get_mut(candidate.scope) else { return Ok(()) };
        let Some(constraint) = paths(set, scope.constraint) else { return Ok(()) };
        let local = set.names().local(constraint.name);
        let marks: Option<Vec<Mark>> = candidate.fields.iter().map(|field| field.mark).collect();
        if constraint.kind == Kind::Key {
            if candidate.fields.iter().any(|field| field.is_nil) {
                return wrong("cvc-identity-constraint.4.2.3", format!("a field of the key {local} is nil"));
            }
            if marks.is_none() {
                return wrong("cvc-identity-constraint.4.2.1", format!("an element without all fields of the key {local}"));
            }
        }
        let Some(marks) = marks else { return Ok(()) };
        self.count = self.count.saturating_add(1);
        if self.count > limits::SCHEMA_KEYS_MAX {
            return wrong("cvc-identity-constraint", "more keys than are kept of one document");
        }
        let digest = crate::message::crypto::sha256(&marks.concat());
        let mark = digest.octets().first_chunk().copied().unwrap_or_default();
        let is_new = scope.table.insert(mark);
        match constraint.kind {
            Kind::Keyref => Ok(()),
            _ if is_new => Ok(()),
            Kind::Key => wrong("cvc-identity-constraint.4.2.2", format!("two elements with the same key {local}")),
            Kind::Unique => wrong("cvc-identity-constraint.4.1", format!("two elements with the same {local}, which is unique")),
        }
    }

    /// The constraints of the element at this depth are over: keys first, then what refers to them.
    fn scopes_end(&mut self, set: &Set, depth: usize) -> Result<(), Violation> {
        let first = self.scopes.iter().position(|scope| scope.depth == depth).unwrap_or(self.scopes.len());
        let ended = self.scopes.split_off(first);
        let mut keyrefs = Vec::new();
        for scope in ended {
            let Some(constraint) = paths(set, scope.constraint) else { continue };
            if constraint.kind == Kind::Keyref {
                keyrefs.push((constraint, scope));
            } else {
                self.finished.push(Finished { name: constraint.name, depth, table: scope.table });
            }
        }
        let mut found = Ok(());
        for (constraint, scope) in keyrefs {
            let known = self.known(constraint.refer, depth, scope.begins);
            if !scope.table.is_subset(&known) && found.is_ok() {
                let local = set.names().local(constraint.name);
                found = wrong("cvc-identity-constraint.4.3", format!("a value of {local} that no key has"));
            }
        }
        if self.scopes.is_empty() {
            self.finished.clear();
        }
        found
    }

    /// What a keyref may refer to: the keys of its own element, and those of elements inside it that only one of them has.
    fn known(&self, name: Option<Name>, depth: usize, begins: usize) -> Marks {
        let tables = || self.finished.iter().skip(begins).filter(|finished| Some(finished.name) == name);
        let inner = tables().filter(|finished| finished.depth != depth);
        let mut all: Vec<Mark> = inner.flat_map(|finished| finished.table.0.iter().copied()).collect();
        all.sort_unstable();
        // Each is there as often as there are elements that have it.
        let mut once: Vec<Mark> =
            all.chunk_by(|one, two| one == two).filter_map(|same| <[Mark; 1]>::try_from(same).ok()).flatten().collect();
        tables().filter(|finished| finished.depth == depth).for_each(|own| once.extend(&own.table.0));
        once.sort_unstable();
        Marks(once)
    }

    /// Keeps what is an ID, or refers to one.
    pub(super) fn identified(&mut self, of: &Simple, value: &Value) -> Result<(), Violation> {
        let items = match value {
            Value::List(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        let identity = of.identity();
        if identity == Identity::None {
            return Ok(());
        }
        if items.len() > limits::SCHEMA_KEYS_MAX.saturating_sub(self.count) {
            return wrong("cvc-id", "more IDs than are kept of one document");
        }
        self.count = self.count.saturating_add(items.len());
        for item in items {
            if identity != Identity::Id {
                self.references.insert(item.digest());
            } else if !self.ids.insert(item.digest()) {
                return wrong("cvc-id.2", "an ID that was there before");
            }
        }
        Ok(())
    }

    /// The document is over: what refers to an ID must refer to one that is there.
    pub(super) fn finish(&mut self) -> Result<(), Violation> {
        if self.references.is_subset(&self.ids) { Ok(()) } else { wrong("cvc-id.1", "a reference to an ID that is not there") }
    }
}

impl Field {
    /// Whether the innermost open element is it.
    fn is_here(&self, alternatives: &[Path]) -> bool {
        let leads = |walk: &Walk| alternatives.get(walk.at).is_some_and(|path| path.attribute.is_none() && walk.is_here(path));
        self.walks.iter().any(leads)
    }

    fn value(&mut self, with: &Ended) -> Result<(), Violation> {
        if self.mark.is_some() || self.is_nil {
            return wrong("cvc-identity-constraint.3", "a field that is there twice");
        }
        match with {
            Ended::Elements => return wrong("cvc-identity-constraint.3", "a field that has no value but elements"),
            Ended::Nil => self.is_nil = true,
            Ended::Value(mark) => self.mark = *mark,
        }
        Ok(())
    }
}
