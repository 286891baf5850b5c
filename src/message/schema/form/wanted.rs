//! What is wanted of a form, as a tree of steps.

use super::{FormError, Wrong};
use crate::message::xsd::simple::is_ncname;

/// Something that somebody has a value for.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'e> {
    /// Where it goes: `Patient/Name/Family`, `Id[2]`, `Amount/@currency`.
    pub path: &'e str,
    /// Whether it is the same in all documents.
    pub gives: Gives,
    /// The attribute that its value brings along, where the element has it and nothing else gives it.
    pub beside: Option<&'e str>,
    /// Values that it takes, or forms of them; nothing is known if there are none.
    pub samples: &'e [&'e str],
}

/// Where the value of an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// It is always the same.
    Constant,
    /// It is another for each document. Of its samples one must be of the type.
    Column,
    /// It is one of its samples: all of them must be of the type.
    OneOf,
}

impl Entry<'_> {
    /// How many of its samples must be values of its type.
    pub(super) fn fitting(&self) -> usize {
        if self.gives == Gives::Column { 1 } else { self.samples.len() }
    }
}

/// A step of paths, with what lies below it.
#[derive(Debug, Default)]
pub(super) struct Wanted<'w> {
    pub(super) name: &'w str,
    /// Counted from 1; 0 where the path has no number.
    number: u32,
    pub(super) entry: Option<usize>,
    pub(super) inside: Vec<Wanted<'w>>,
    /// The whole path of the first entry that has it.
    path: &'w str,
}

impl<'w> Wanted<'w> {
    /// The tree of these entries, and what is wrong with their paths. Numbers are in their order.
    pub(super) fn of(entries: &[Entry<'w>]) -> (Self, Vec<FormError>) {
        let (mut root, mut faults) = (Self::default(), Vec::new());
        for (number, entry) in entries.iter().enumerate() {
            let wrong = || FormError { path: entry.path.to_owned(), why: Wrong::Form };
            let Some(steps) = steps(entry.path) else {
                faults.push(wrong());
                continue;
            };
            // Two values for one place.
            if root.put(&steps, number, entry.path).is_some() {
                faults.push(wrong());
            }
        }
        root.sort();
        (root, faults)
    }

    /// Puts an entry where these steps lead; gives the one that is there already.
    fn put(&mut self, steps: &[(&'w str, u32)], entry: usize, path: &'w str) -> Option<usize> {
        let Some(((name, number), rest)) = steps.split_first() else { return self.entry.replace(entry) };
        let known = self.inside.iter_mut().find(|child| child.name == *name && child.number == *number);
        match known {
            Some(child) => child.put(rest, entry, path),
            None => {
                let mut child = Self { name, number: *number, path, ..Self::default() };
                child.put(rest, entry, path);
                self.inside.push(child);
                None
            }
        }
    }

    fn sort(&mut self) {
        self.inside.sort_by_key(|child| child.number);
        self.inside.iter_mut().for_each(Self::sort);
    }

    pub(super) fn is_attribute(&self) -> bool {
        self.name.starts_with('@')
    }

    /// The step as it was written.
    pub(super) fn step_text(&self) -> String {
        if self.number == 0 { self.name.to_owned() } else { format!("{}[{}]", self.name, self.number) }
    }

    pub(super) fn first_path(&self) -> String {
        self.path.to_owned()
    }
}

/// The steps of a path, each with its number.
fn steps(path: &str) -> Option<Vec<(&str, u32)>> {
    let mut found = Vec::new();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let (name, number) = match part.strip_suffix(']').map(|open| open.split_once('[')) {
            Some(Some((name, number))) => (name, number.parse().ok().filter(|number| *number > 0)?),
            Some(None) => return None,
            None => (part, 0),
        };
        let is_last = parts.peek().is_none();
        let is_name = match name.strip_prefix('@') {
            Some(attribute) => is_last && number == 0 && is_ncname(attribute),
            None => is_ncname(name),
        };
        if !is_name {
            return None;
        }
        found.push((name, number));
    }
    Some(found)
}
