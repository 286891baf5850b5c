//! Content models: which elements may follow which, as the automaton of positions (Glushkov).
//!
//! XML Schema demands that the next element alone tells its particle ("unique particle attribution", part 1, section
//! 3.8.6), so the automaton is deterministic as it is and one position with one count is the whole state. A model for
//! which that does not hold is refused.

use super::read::QName;
use crate::base::limits;

/// One element particle.
#[derive(Clone, Debug)]
pub(super) struct Particle {
    pub(super) name: QName,
    pub(super) complex: usize,
    pub(super) min: u32,
    pub(super) max: u32,
    /// Whether a document may lack the element: it or a group around it may occur zero times, or it is one of a choice.
    pub(super) optional: bool,
}

/// A model as it is written.
#[derive(Debug)]
pub(super) enum Tree {
    Element(Particle),
    Sequence(Vec<Tree>, Repeat),
    Choice(Vec<Tree>, Repeat),
}

/// How often a group may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) optional: bool,
    pub(super) unbounded: bool,
}

/// A particle and what may follow it.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub(super) particle: Particle,
    next: Vec<usize>,
    last: bool,
    /// Whether a group around it may occur again.
    looped: bool,
}

impl Position {
    /// Whether the element may occur more than once in its parent.
    pub(super) fn repeats(&self) -> bool {
        self.particle.max > 1 || self.looped
    }
}

/// A compiled model.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) positions: Vec<Position>,
    first: Vec<usize>,
    empty: bool,
}

/// How far a model has been read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    /// One more than the position of the last element; zero before the first.
    place: u32,
    count: u32,
}

/// The first and last positions of a part of the model, and whether it may be empty.
struct Part {
    first: Vec<usize>,
    last: Vec<usize>,
    empty: bool,
}

impl Model {
    /// Compiles a model, or says why it is refused.
    pub(super) fn compile(tree: Tree) -> Result<Self, String> {
        let mut model = Self::default();
        let part = model.part(tree, Optional::No)?;
        for last in &part.last {
            if let Some(position) = model.positions.get_mut(*last) {
                position.last = true;
            }
        }
        (model.first, model.empty) = (part.first, part.empty);
        model.check_unambiguous()?;
        Ok(model)
    }

    /// Takes the next element; returns its position.
    #[inline]
    pub(super) fn step(&self, cursor: &mut Cursor, uri: &str, local: &str) -> Option<usize> {
        let matches = |position: &Position| *position.particle.name.local == *local && *position.particle.name.uri == *uri;
        let current = (cursor.place as usize).checked_sub(1);
        let next = match current.and_then(|at| self.positions.get(at).map(|position| (at, position))) {
            None => &self.first,
            Some((at, position)) => {
                if cursor.count < position.particle.max && matches(position) {
                    cursor.count = cursor.count.saturating_add(1);
                    return Some(at);
                }
                if cursor.count < position.particle.min {
                    return None;
                }
                &position.next
            }
        };
        let found = next.iter().copied().find(|at| self.positions.get(*at).is_some_and(matches))?;
        *cursor = Cursor { place: u32::try_from(found).ok()?.checked_add(1)?, count: 1 };
        Some(found)
    }

    /// Whether the content may end here.
    #[inline]
    pub(super) fn may_end(&self, cursor: Cursor) -> bool {
        let current = (cursor.place as usize).checked_sub(1).and_then(|at| self.positions.get(at));
        current.map_or(self.empty, |position| position.last && cursor.count >= position.particle.min)
    }

    /// The local names of what may come next, for people.
    pub(super) fn expected(&self, cursor: Cursor) -> impl Iterator<Item = &str> {
        let current = (cursor.place as usize).checked_sub(1).and_then(|at| self.positions.get(at));
        let again = current.filter(|position| cursor.count < position.particle.max);
        let may_leave = current.is_none_or(|position| cursor.count >= position.particle.min);
        let next = if may_leave { current.map_or(&self.first, |position| &position.next).as_slice() } else { &[] };
        let next = next.iter().filter_map(|at| self.positions.get(*at));
        again.into_iter().chain(next).map(|position| &*position.particle.name.local)
    }

    fn part(&mut self, tree: Tree, optional: Optional) -> Result<Part, String> {
        match tree {
            Tree::Element(particle) => self.element(particle, optional),
            Tree::Sequence(items, repeat) => {
                let inner = optional.or(repeat);
                let start = self.positions.len();
                let mut whole = Part { first: Vec::new(), last: Vec::new(), empty: true };
                for item in items {
                    let part = self.part(item, inner)?;
                    self.follow(&whole.last, &part.first);
                    whole = whole.then(part);
                }
                Ok(self.repeated(whole, repeat, start))
            }
            Tree::Choice(items, repeat) => {
                let start = self.positions.len();
                let mut whole = Part { first: Vec::new(), last: Vec::new(), empty: false };
                for item in items {
                    let part = self.part(item, Optional::Yes)?;
                    whole.first.extend(part.first);
                    whole.last.extend(part.last);
                    whole.empty |= part.empty;
                }
                Ok(self.repeated(whole, repeat, start))
            }
        }
    }

    fn element(&mut self, mut particle: Particle, optional: Optional) -> Result<Part, String> {
        if self.positions.len() >= limits::SCHEMA_PARTICLES_MAX {
            return Err("a content model with too many elements".to_owned());
        }
        let at = self.positions.len();
        let empty = particle.min == 0;
        particle.optional = empty || optional == Optional::Yes;
        self.positions.push(Position { particle, next: Vec::new(), last: false, looped: false });
        Ok(Part { first: vec![at], last: vec![at], empty })
    }

    /// Lets a group, whose positions begin at `start`, occur as often as it may.
    fn repeated(&mut self, mut part: Part, repeat: Repeat, start: usize) -> Part {
        if repeat.unbounded {
            self.positions.iter_mut().skip(start).for_each(|position| position.looped = true);
            let (first, last) = (part.first.clone(), part.last.clone());
            self.follow(&last, &first);
        }
        part.empty |= repeat.optional;
        part
    }

    fn follow(&mut self, from: &[usize], to: &[usize]) {
        for at in from {
            if let Some(position) = self.positions.get_mut(*at) {
                let new: Vec<usize> = to.iter().copied().filter(|at| !position.next.contains(at)).collect();
                position.next.extend(new);
            }
        }
    }

    fn check_unambiguous(&self) -> Result<(), String> {
        let ambiguous = |name: &QName| format!("an ambiguous content model: {} could be either of two particles", name.local);
        let clash = |group: &[usize]| {
            let names: Vec<&QName> = group.iter().filter_map(|at| self.positions.get(*at)).map(|p| &p.particle.name).collect();
            let twice =
                names.iter().enumerate().find(|(at, name)| names.iter().skip(at.saturating_add(1)).any(|other| other == *name));
            twice.map(|(_, name)| ambiguous(name))
        };
        if let Some(what) = clash(&self.first) {
            return Err(what);
        }
        for (at, position) in self.positions.iter().enumerate() {
            // A particle that may come again is one more follower of itself: counting it twice over is ambiguous too.
            let again = (position.particle.max > 1).then_some(at);
            let followers: Vec<usize> = position.next.iter().copied().chain(again).collect();
            if let Some(what) = clash(&followers) {
                return Err(what);
            }
            let same = |other: &&Position| {
                other.particle.name == position.particle.name && other.particle.complex != position.particle.complex
            };
            if let Some(other) = self.positions.iter().find(same) {
                return Err(format!("the element {} with two types in one content model", other.particle.name.local));
            }
        }
        Ok(())
    }
}

impl Part {
    fn then(mut self, next: Part) -> Part {
        if self.empty {
            self.first.extend(&next.first);
        }
        if !next.empty {
            self.last.clear();
        }
        self.last.extend(next.last);
        Part { empty: self.empty && next.empty, ..self }
    }
}

/// Whether a group further out makes what is inside it optional.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Optional {
    Yes,
    No,
}

impl Optional {
    fn or(self, group: Repeat) -> Self {
        if group.optional { Self::Yes } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONCE: Repeat = Repeat { optional: false, unbounded: false };
    const ANY: Repeat = Repeat { optional: true, unbounded: true };

    fn element(name: &str, min: u32, max: u32) -> Tree {
        let name = QName { uri: "u".into(), local: name.into() };
        Tree::Element(Particle { name, complex: 0, min, max, optional: false })
    }

    fn accepts(model: &Model, names: &str) -> bool {
        let mut cursor = Cursor::default();
        names.chars().all(|name| model.step(&mut cursor, "u", &name.to_string()).is_some()) && model.may_end(cursor)
    }

    #[test]
    fn models_accept_what_they_say() {
        let choice = Tree::Choice(vec![element("b", 1, 1), element("c", 1, 1)], ONCE);
        let tree = Tree::Sequence(vec![element("a", 0, 1), choice, element("d", 2, 3)], ONCE);
        let model = Model::compile(tree).expect("a model");
        for (names, good) in [
            ("abdd", true),
            ("cddd", true),
            ("abd", false),
            ("bdddd", false),
            ("abcdd", false),
            ("", false),
            ("dd", false),
            ("abddx", false),
        ] {
            assert_eq!(accepts(&model, names), good, "{names}");
        }
        let optional: Vec<bool> = model.positions.iter().map(|position| position.particle.optional).collect();
        assert_eq!(optional, [true, true, true, false]);
    }

    #[test]
    fn groups_repeat() {
        let tree = Tree::Sequence(vec![element("a", 1, 1), element("b", 0, u32::MAX)], ANY);
        let model = Model::compile(tree).expect("a model");
        for (names, good) in [("", true), ("a", true), ("abbb", true), ("aab", true), ("ba", false)] {
            assert_eq!(accepts(&model, names), good, "{names}");
        }
    }

    #[test]
    fn ambiguous_models_are_refused() {
        for tree in [
            Tree::Choice(vec![element("a", 1, 1), element("a", 1, 1)], ONCE),
            Tree::Sequence(vec![element("a", 0, 1), element("a", 1, 1)], ONCE),
            Tree::Sequence(vec![element("a", 0, 2), element("b", 0, 1), element("a", 1, 1)], ONCE),
            Tree::Sequence(vec![element("a", 2, 3)], ANY),
            Tree::Sequence(vec![element("a", 1, 1), element("b", 0, 1)], ANY).then_a(),
        ] {
            assert!(Model::compile(tree).is_err());
        }
    }

    impl Tree {
        fn then_a(self) -> Tree {
            Tree::Sequence(vec![self, element("a", 1, 1)], ONCE)
        }
    }
}
