//! The paths of a document type whose values are kept, and why.

use super::paths::{self, Found, Occurs, Path};
use super::scopes::{Form, IdForm, Scope};
use crate::base::fault::nearest;
use crate::message::schema::SubjectKind;
use crate::message::xsd::Set;

/// A path whose values are kept, and why.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    pub(super) path: String,
    pub(super) is_compared: bool,
    pub(super) head: Option<HeadPart>,
    /// The scopes that begin here, the outermost first.
    pub(super) opens: Vec<usize>,
    pub(super) holds: Vec<Hold>,
}

/// What a value tells about a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadPart {
    DocumentId,
    Status,
}

/// What becomes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// A value of the innermost such scope.
    Slot { scope: usize, slot: u16 },
    /// An identifier of that subject in this scheme.
    Id { scope: usize, scheme: Box<str>, form: IdForm },
    /// An identifier of that subject in the scheme that stands at it, as our own types have it.
    OwnId(usize),
}

/// The watches and scopes of a document type, while they are collected.
pub(super) struct Watching<'p> {
    set: &'p Set,
    root: u32,
    /// What is listed of its paths, for whoever mistyped one.
    paths: &'p [Path],
    watches: Vec<Watch>,
    scopes: Vec<Scope>,
}

impl<'p> Watching<'p> {
    pub(super) fn new(set: &'p Set, root: u32, paths: &'p [Path]) -> Self {
        Self { set, root, paths, watches: Vec::new(), scopes: Vec::new() }
    }

    /// What was collected. What an element is inside of begins before what is inside of it.
    pub(super) fn finish(mut self) -> (Vec<Watch>, Vec<Scope>) {
        for watch in &mut self.watches {
            watch.opens.sort_by_key(|scope| self.scopes.get(*scope).map_or(0, Scope::rank));
        }
        (self.watches, self.scopes)
    }

    pub(super) fn head(&mut self, path: &str, part: HeadPart) {
        self.watch(path).head = Some(part);
    }

    pub(super) fn hold(&mut self, path: &str, hold: Hold) {
        self.watch(path).holds.push(hold);
    }

    /// Begins a scope at each element of this path.
    pub(super) fn scope(&mut self, path: &str, scope: Scope) -> usize {
        let number = self.scopes.len();
        // Whatever meets in one element meets in one scope.
        if matches!(scope, Scope::Meeting) {
            let opens = self.watch(path).opens.clone();
            let known = opens.into_iter().find(|number| matches!(self.scopes.get(*number), Some(Scope::Meeting)));
            if let Some(known) = known {
                return known;
            }
        }
        self.scopes.push(scope);
        self.watch(path).opens.push(number);
        number
    }

    pub(super) fn settle(&mut self, scope: usize, form: Form) {
        if let Some(scope) = self.scopes.get_mut(scope) {
            *scope = Scope::Subject(form);
        }
    }

    /// Notes that a subject stands for one more row.
    pub(super) fn stands_for(&mut self, scope: usize, row: usize) -> SubjectKind {
        let Some(Scope::Subject(form)) = self.scopes.get_mut(scope) else { return SubjectKind::default() };
        form.rows.push(row);
        form.kind
    }

    /// Whether the schema has the path.
    pub(super) fn knows(&self, path: &str) -> bool {
        paths::find(self.set, self.root, path).is_some()
    }

    pub(super) fn find(&self, path: &str) -> Result<Found, String> {
        paths::find(self.set, self.root, path).ok_or_else(|| {
            let near = nearest(path, self.paths.iter().map(|known| known.path.as_str()));
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            format!("the path {path}, which the schema does not have{hint}")
        })
    }

    /// Whether a path may be there more than once in one element that it lies in.
    pub(super) fn repeats_within(&self, path: &str, place: &str) -> bool {
        let mut at = path;
        while at.len() > place.len() {
            if self.find(at).is_ok_and(|found| found.occurs == Occurs::Repeatedly) {
                return true;
            }
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
        false
    }

    /// The place of an element whose value is compared with others.
    pub(super) fn compared(&mut self, path: &str) -> Result<usize, String> {
        self.find(path)?;
        self.watch(path).is_compared = true;
        Ok(self.place(path))
    }

    /// The same, of one that is there once at most.
    pub(super) fn compared_once(&mut self, path: &str) -> Result<usize, String> {
        let repeats = self.find(path)?.occurs != Occurs::Once;
        if repeats { Err(format!("a rule on {path}, which may occur more than once")) } else { self.compared(path) }
    }

    fn watch(&mut self, path: &str) -> &mut Watch {
        let at = self.place(path);
        // The place was made just now, or was there.
        #[expect(clippy::indexing_slicing, reason = "the place is one of the list")]
        &mut self.watches[at]
    }

    fn place(&mut self, path: &str) -> usize {
        let known = self.watches.iter().position(|watch| watch.path == path);
        known.unwrap_or_else(|| {
            self.watches.push(Watch { path: path.to_owned(), ..Watch::default() });
            self.watches.len().saturating_sub(1)
        })
    }
}
