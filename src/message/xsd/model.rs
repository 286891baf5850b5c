//! Content models: which elements may follow which (XML Schema 1.0, part 1, section 3.8).
//!
//! A model is a tree of particles, and where a document stands in it is a path from the root to the particle of the last
//! element, with a count for each step. Since the next element alone tells its particle ("unique particle attribution",
//! section 3.8.6), one path is enough, and a count costs the same whatever its bound. Only where a counted particle stands in a
//! counted group can it be open how often which of the two was repeated; then all counts that are possible are kept.

use super::names::{Name, Names};
use super::row::{Listed, Mark, Row, Slot};
use super::wildcard::{Process, Wildcard};
use crate::base::limits;

pub use super::row::Presence;

/// What has no upper bound.
pub const UNBOUNDED: u32 = u32::MAX;

/// A particle as a schema has it.
#[derive(Clone, Debug)]
pub struct Particle {
    /// How often at least.
    pub min: u32,
    /// How often at most.
    pub max: u32,
    /// What.
    pub term: Term,
}

/// What a particle is of.
#[derive(Clone, Debug)]
pub enum Term {
    /// An element, by its number in the set.
    Element(u32),
    /// Any element that a wildcard lets through.
    Any(Wildcard),
    /// One after the other.
    Sequence(Vec<Particle>),
    /// One of them.
    Choice(Vec<Particle>),
    /// All of them in any order.
    All(Vec<Particle>),
}

impl Particle {
    /// Whether it is of nothing at all.
    pub fn is_empty(&self) -> bool {
        match &self.term {
            Term::Sequence(items) | Term::All(items) => items.iter().all(Self::is_empty),
            Term::Choice(items) => items.is_empty() && self.min == 0,
            _ => false,
        }
    }

    /// How many particles it has.
    pub fn size(&self) -> usize {
        match &self.term {
            Term::Element(_) | Term::Any(_) => 1,
            Term::Sequence(items) | Term::Choice(items) | Term::All(items) => {
                items.iter().map(Self::size).fold(1, usize::saturating_add)
            }
        }
    }
}

/// The names by which an element particle is met: its own and those of its substitution group, each with its declaration.
pub trait Declared {
    /// The names of an element.
    fn names(&self, element: u32) -> Vec<(Name, u32)>;
    /// What the names are.
    fn table(&self) -> &Names;
}

#[derive(Debug)]
enum Kind {
    /// The names by which it is met, its own first. `place` is that of the first among all of the model.
    Element {
        name: Name,
        element: u32,
        place: u32,
        others: Box<[(Name, u32)]>,
    },
    Any(Wildcard),
    Sequence,
    Choice,
    All,
}

#[derive(Debug)]
struct Node {
    /// Zero where a repetition may be of nothing.
    min: u32,
    max: u32,
    nullable: bool,
    presence: Presence,
    kind: Kind,
    parent: u32,
    /// The place among the parent's children.
    place: u32,
    depth: u32,
    children: Box<[u32]>,
    /// Of a group: the names that it may begin with, sorted, each with the child that begins so.
    first: Box<[(Name, u32)]>,
    /// Of a group: the children that may begin with what a wildcard lets through.
    first_any: Box<[u32]>,
}

/// A compiled model.
#[derive(Debug)]
pub struct Model {
    nodes: Vec<Node>,
    depth: usize,
    /// Whether one path is not enough.
    is_ambiguous: bool,
    /// How many words say which members of an `all` were seen.
    words: usize,
    /// How many names of elements there are, those of a substitution group one by one.
    places: u32,
    /// The same as a row, if it is one.
    row: Option<Row>,
}

const NONE: u32 = u32::MAX;

/// What the next element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// One with this declaration.
    Element(Listed),
    /// One that a wildcard let through.
    Any(Process),
}

/// How often content may have an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// At most once.
    Once,
    /// More often.
    Repeatedly,
}

/// An element that content may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The element, by its number in the set.
    pub element: u32,
    /// Whether content may lack it.
    pub presence: Presence,
    /// How often it may be there.
    pub times: Times,
}

/// Why the next element cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No particle is for it here.
    Unexpected,
    /// It is open in more ways than are kept where the document stands.
    TooManyWays,
}

/// How far a model has been read: in a row the place, else the number of paths that are kept. The paths themselves lie at the
/// end of a stack that all open elements share.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    mark: Mark,
    paths: u32,
}

impl Model {
    /// Compiles a particle. What is wrong is said in words. `room` is how many names its tables may have, and those of others.
    pub fn compile(particle: &Particle, declared: &dyn Declared, room: &mut usize) -> Result<Self, &'static str> {
        let mut model = Self { nodes: Vec::new(), depth: 0, is_ambiguous: false, words: 0, places: 0, row: None };
        let root = simplified(particle.clone());
        model.add(&root, (NONE, 0, 0), declared, room)?;
        model.words =
            model.nodes.first().filter(|root| matches!(root.kind, Kind::All)).map_or(0, |root| root.children.len().div_ceil(32));
        model.depth =
            model.nodes.iter().map(|node| node.depth as usize).max().unwrap_or(0).saturating_add(1).saturating_add(model.words);
        model.is_ambiguous = model.find_ambiguous();
        model.row = model.slots().and_then(|slots| Row::of(&slots, declared.table()));
        Ok(model)
    }

    /// The slots of a row, if the model is one: a sequence that occurs once, of elements and choices of elements, or one of those
    /// alone.
    fn slots(&self) -> Option<Vec<Slot>> {
        let root = self.node(0)?;
        match root.kind {
            Kind::Sequence if root.max == 1 => root.children.iter().map(|child| self.slot(*child)).collect(),
            _ => Some(vec![self.slot(0)?]),
        }
    }

    fn slot(&self, at: u32) -> Option<Slot> {
        let node = self.node(at)?;
        let alone = |child: &u32| self.node(*child).filter(|child| (child.min, child.max) == (1, 1));
        let leaves: Vec<&Node> = match node.kind {
            Kind::Element { .. } => vec![node],
            Kind::Choice => node.children.iter().map(alone).collect::<Option<_>>()?,
            _ => return None,
        };
        let mut names = Vec::new();
        for leaf in leaves {
            let Kind::Element { name, element, place, others } = &leaf.kind else { return None };
            names.push((*name, Listed { element: *element, presence: leaf.presence, place: *place }));
            // Where one may stand for another, neither must be there.
            let others = (place.saturating_add(1)..).zip(others);
            names.extend(
                others.map(|(place, (name, element))| (*name, Listed { element: *element, presence: Presence::Optional, place })),
            );
        }
        Some(Slot { min: node.min, max: node.max, node: at, names })
    }

    fn add(
        &mut self,
        particle: &Particle,
        (parent, place, depth): (u32, u32, u32),
        declared: &dyn Declared,
        room: &mut usize,
    ) -> Result<u32, &'static str> {
        if self.nodes.len() >= limits::SCHEMA_PARTICLES_MAX {
            return Err("a content model with too many particles");
        }
        if depth as usize > limits::SCHEMA_DEPTH_MAX {
            return Err("a content model whose groups are nested too deep");
        }
        let at = self.nodes.len() as u32;
        let (kind, items): (Kind, &[Particle]) = match &particle.term {
            Term::Element(element) => {
                let names = declared.names(*element);
                take(room, names.len())?;
                let mut names = names.into_iter();
                let (name, element) = names.next().unwrap_or((NONE, *element));
                let (place, others) = (self.places, names.collect::<Box<[_]>>());
                self.places = place.saturating_add(1).saturating_add(others.len() as u32);
                (Kind::Element { name, element, place, others }, &[])
            }
            Term::Any(wildcard) => (Kind::Any(wildcard.clone()), &[]),
            Term::Sequence(items) => (Kind::Sequence, items),
            Term::Choice(items) => (Kind::Choice, items),
            Term::All(items) => (Kind::All, items),
        };
        let is_all = matches!(kind, Kind::All);
        if is_all && (parent != NONE || items.iter().any(|item| item.max > 1 || !matches!(item.term, Term::Element(_)))) {
            return Err("an xs:all that is not the whole content, or holds more than elements that occur once");
        }
        self.nodes.push(Node {
            min: particle.min,
            max: particle.max,
            nullable: false,
            presence: self.presence(particle.min, parent),
            kind,
            parent,
            place,
            depth,
            children: Box::default(),
            first: Box::default(),
            first_any: Box::default(),
        });
        let mut children = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            children.push(self.add(item, (at, place as u32, depth.saturating_add(1)), declared, room)?);
        }
        self.finish(at, children);
        take(room, self.node(at).map_or(0, |node| node.first.len()))?;
        Ok(at)
    }

    fn presence(&self, min: u32, parent: u32) -> Presence {
        let is_within = |parent: &Node| parent.presence == Presence::Optional || matches!(parent.kind, Kind::Choice);
        if min == 0 || self.node(parent).is_some_and(is_within) { Presence::Optional } else { Presence::Required }
    }

    /// Works out whether a group may be of nothing, and what it may begin with.
    fn finish(&mut self, at: u32, children: Vec<u32>) {
        let is_nullable = |child: &u32| self.node(*child).is_some_and(|child| child.nullable);
        let kind = self.node(at).map(|node| &node.kind);
        let body_nullable = match kind {
            Some(Kind::Sequence | Kind::All) => children.iter().all(is_nullable),
            Some(Kind::Choice) => children.iter().any(is_nullable),
            _ => false,
        };
        let (mut first, mut first_any) = (Vec::new(), Vec::new());
        for child in &children {
            let Some(node) = self.node(*child) else { continue };
            match &node.kind {
                Kind::Element { name, others, .. } => {
                    first.push((*name, *child));
                    first.extend(others.iter().map(|(name, _)| (*name, *child)));
                }
                Kind::Any(_) => first_any.push(*child),
                _ => {
                    first.extend(node.first.iter().map(|(name, _)| (*name, *child)));
                    if !node.first_any.is_empty() {
                        first_any.push(*child);
                    }
                }
            }
            if matches!(kind, Some(Kind::Sequence)) && !node.nullable {
                break;
            }
        }
        // Of two that begin alike the first counts; the sort is stable.
        first.sort_by_key(|(name, _)| *name);
        first.dedup_by_key(|(name, _)| *name);
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.nullable = body_nullable || node.min == 0;
            if body_nullable {
                node.min = 0;
            }
            (node.children, node.first, node.first_any) = (children.into(), first.into(), first_any.into());
        }
    }

    fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    /// Whether a counted particle stands first and last in a counted group, so that the next one may be of either, and it is
    /// not enough to repeat the inner one as often as it goes.
    fn find_ambiguous(&self) -> bool {
        self.nodes.iter().any(|inner| {
            let (mut node, mut first, mut last) = (inner, true, true);
            while inner.max > 1 && (first && last) {
                let Some(parent) = self.node(node.parent) else { return false };
                if matches!(parent.kind, Kind::Sequence) {
                    let siblings =
                        |mut range: std::slice::Iter<'_, u32>| range.all(|at| self.node(*at).is_some_and(|node| node.nullable));
                    let (before, after) = parent.children.split_at((node.place as usize).min(parent.children.len()));
                    first &= siblings(before.iter());
                    last &= siblings(after.get(1..).unwrap_or_default().iter());
                }
                if first && last && parent.max > 1 && (inner.min > 1 || parent.min > 1) {
                    return true;
                }
                node = parent;
            }
            false
        })
    }

    /// How many words a path takes.
    fn stride(&self) -> usize {
        self.depth.saturating_add(1)
    }

    /// Takes the next element. `stack` ends with the paths of `cursor`, which begin at `base`.
    #[inline]
    pub fn step(
        &self,
        cursor: &mut Cursor,
        stack: &mut Vec<u32>,
        base: usize,
        (names, uri, local): (&Names, &str, &str),
    ) -> Result<Matched, Refused> {
        match &self.row {
            Some(row) => row.step(&mut cursor.mark, names, (uri, local)).map(Matched::Element).ok_or(Refused::Unexpected),
            None => self.step_tree(cursor, stack, base, &Next { name: names.find(uri, local), uri }),
        }
    }

    #[inline(never)]
    fn step_tree(&self, cursor: &mut Cursor, stack: &mut Vec<u32>, base: usize, next: &Next<'_>) -> Result<Matched, Refused> {
        if self.is_ambiguous {
            return self.step_all(cursor, stack, base, next);
        }
        let stride = self.stride();
        if cursor.paths == 0 {
            if base.saturating_add(stride) > limits::SCHEMA_STACK_MAX {
                return Err(Refused::TooManyWays);
            }
            stack.resize(base.saturating_add(stride), 0);
            let path = stack.get_mut(base..).ok_or(Refused::Unexpected)?;
            let root = self.node(0).ok_or(Refused::Unexpected)?;
            let leaf = self.enter(root, 0, path, next).ok_or(Refused::Unexpected)?;
            cursor.paths = 1;
            return self.matched(leaf, next);
        }
        let path = stack.get_mut(base..).ok_or(Refused::Unexpected)?;
        let leaf = self.go(path, next, &mut |_| true).ok_or(Refused::Unexpected)?;
        self.matched(leaf, next)
    }

    /// Keeps all ways.
    #[cold]
    fn step_all(&self, cursor: &mut Cursor, stack: &mut Vec<u32>, base: usize, next: &Next<'_>) -> Result<Matched, Refused> {
        let stride = self.stride();
        let mut found: Vec<Vec<u32>> = Vec::new();
        let mut last = None;
        if cursor.paths == 0 {
            let mut path = vec![0; stride];
            last = self.node(0).and_then(|root| self.enter(root, 0, &mut path, next));
            found.extend(last.map(|_| path));
        } else {
            for path in stack.get(base..).unwrap_or_default().chunks(stride) {
                let mut scratch = path.to_vec();
                let mut keep = |way: &[u32]| {
                    last = way.first().copied();
                    // What lies below the leaf is left from before.
                    let end = last.and_then(|leaf| self.node(leaf)).map_or(0, |leaf| (leaf.depth as usize).saturating_add(2));
                    let kept = way.iter().enumerate().map(|(at, word)| if at < end { *word } else { 0 });
                    found.push(kept.collect());
                    false
                };
                self.go(&mut scratch, next, &mut keep);
            }
        }
        found.sort_unstable();
        found.dedup();
        let leaf = last.ok_or(Refused::Unexpected)?;
        if found.len() > limits::SCHEMA_WAYS_MAX
            || found.len().saturating_mul(stride).saturating_add(base) > limits::SCHEMA_STACK_MAX
        {
            return Err(Refused::TooManyWays);
        }
        cursor.paths = found.len() as u32;
        stack.truncate(base);
        found.iter().for_each(|path| stack.extend_from_slice(path));
        self.matched(leaf, next)
    }

    fn matched(&self, leaf: u32, next: &Next<'_>) -> Result<Matched, Refused> {
        match self.node(leaf).map(|node| &node.kind) {
            Some(Kind::Element { name, element, place, others }) => {
                if Some(*name) == next.name {
                    let presence = self.node(leaf).map_or(Presence::Optional, |node| node.presence);
                    return Ok(Matched::Element(Listed { element: *element, presence, place: *place }));
                }
                // Where one may stand for another, neither must be there.
                let mut others = (place.saturating_add(1)..).zip(others);
                let other = others.find(|(_, (name, _))| Some(*name) == next.name);
                let listed = |(place, (_, element)): (u32, &(Name, u32))| Listed {
                    element: *element,
                    presence: Presence::Optional,
                    place,
                };
                other.map(|other| Matched::Element(listed(other))).ok_or(Refused::Unexpected)
            }
            Some(Kind::Any(wildcard)) => Ok(Matched::Any(wildcard.process)),
            _ => Err(Refused::Unexpected),
        }
    }

    /// Goes from a path to each that the next element leads to, until `take` is content with one; the path is then that one.
    /// The leaf of a path is its first word, the counts from the root down are the others.
    fn go(&self, path: &mut [u32], next: &Next<'_>, take: &mut dyn FnMut(&[u32]) -> bool) -> Option<u32> {
        let leaf = path.first().copied()?;
        let mut node = self.node(leaf)?;
        let mut at = leaf;
        if self.node(node.parent).is_some_and(|parent| matches!(parent.kind, Kind::All)) {
            return self.go_in_all(path, next).filter(|_| take(path));
        }
        loop {
            let depth = node.depth as usize;
            let count = path.get(depth.saturating_add(1)).copied()?;
            // Once more.
            if count < node.max && self.begins(node, next) {
                let before = self.kept(path);
                let leaf = self.enter(node, at, path, next)?;
                *path.get_mut(depth.saturating_add(1))? = count.saturating_add(1);
                if take(path) {
                    return Some(leaf);
                }
                path.copy_from_slice(&before);
            }
            if count < node.min {
                return None;
            }
            // What comes behind it in its sequence.
            let parent = self.node(node.parent)?;
            if matches!(parent.kind, Kind::Sequence) {
                for sibling in parent.children.get((node.place as usize).saturating_add(1)..).unwrap_or_default() {
                    let other = self.node(*sibling)?;
                    if self.begins(other, next) {
                        let before = self.kept(path);
                        let leaf = self.enter(other, *sibling, path, next)?;
                        if take(path) {
                            return Some(leaf);
                        }
                        path.copy_from_slice(&before);
                    }
                    if !other.nullable {
                        return None;
                    }
                }
            }
            (at, node) = (node.parent, parent);
        }
    }

    /// A copy of a path, where it may be needed again.
    fn kept(&self, path: &[u32]) -> Vec<u32> {
        if self.is_ambiguous { path.to_vec() } else { Vec::new() }
    }

    fn go_in_all(&self, path: &mut [u32], next: &Next<'_>) -> Option<u32> {
        let root = self.node(0)?;
        let child = next.name.and_then(|name| find(&root.first, name))?;
        let place = self.node(child)?.place;
        let word = path.get_mut(2_usize.saturating_add(place as usize / 32))?;
        let bit = 1 << (place % 32);
        if *word & bit != 0 {
            return None;
        }
        *word |= bit;
        *path.first_mut()? = child;
        Some(child)
    }

    /// Whether a particle may begin with the next element.
    #[inline]
    fn begins(&self, node: &Node, next: &Next<'_>) -> bool {
        match &node.kind {
            Kind::Element { name, others, .. } => {
                Some(*name) == next.name || others.iter().any(|(name, _)| Some(*name) == next.name)
            }
            Kind::Any(wildcard) => wildcard.spaces.allow(next.uri),
            _ => self.branch(node, next).is_some(),
        }
    }

    /// The child of a group that begins with the next element.
    fn branch(&self, node: &Node, next: &Next<'_>) -> Option<u32> {
        let named = next.name.and_then(|name| find(&node.first, name));
        named.or_else(|| {
            let begins = |child: &&u32| self.node(**child).is_some_and(|child| self.begins(child, next));
            node.first_any.iter().find(begins).copied()
        })
    }

    /// Goes down from a particle to the leaf that the next element is of, counting each as met once.
    fn enter(&self, node: &Node, at: u32, path: &mut [u32], next: &Next<'_>) -> Option<u32> {
        if !self.begins(node, next) {
            return None;
        }
        let (mut node, mut at) = (node, at);
        loop {
            *path.get_mut((node.depth as usize).saturating_add(1))? = 1;
            match node.kind {
                Kind::Element { .. } | Kind::Any(_) => {
                    *path.first_mut()? = at;
                    return Some(at);
                }
                Kind::All => {
                    path.get_mut(2..)?.fill(0);
                    return self.go_in_all(path, next);
                }
                _ => {
                    at = self.branch(node, next)?;
                    node = self.node(at)?;
                }
            }
        }
    }

    /// Whether the content may end here.
    #[inline]
    pub fn may_end(&self, cursor: Cursor, stack: &[u32], base: usize) -> bool {
        if let Some(row) = self.row.as_ref().filter(|_| !cursor.mark.is_first()) {
            return row.may_end(cursor.mark);
        }
        if cursor.paths == 0 {
            return self.nodes.first().is_none_or(|root| root.nullable);
        }
        stack.get(base..).unwrap_or_default().chunks(self.stride()).any(|path| self.may_end_at(path).unwrap_or(false))
    }

    fn may_end_at(&self, path: &[u32]) -> Option<bool> {
        let mut node = self.node(path.first().copied()?)?;
        loop {
            let Some(parent) = self.node(node.parent) else {
                return Some(path.get((node.depth as usize).saturating_add(1)).copied()? >= node.min);
            };
            if matches!(parent.kind, Kind::All) {
                let seen =
                    |place: usize| path.get(2_usize.saturating_add(place / 32)).is_some_and(|word| word >> (place % 32) & 1 == 1);
                let is_done =
                    |(place, child): (usize, &u32)| seen(place) || self.node(*child).is_some_and(|child| child.nullable);
                return Some(parent.children.iter().enumerate().all(is_done));
            }
            if path.get((node.depth as usize).saturating_add(1)).copied()? < node.min {
                return Some(false);
            }
            if matches!(parent.kind, Kind::Sequence) {
                let mut rest = parent.children.get((node.place as usize).saturating_add(1)..).unwrap_or_default().iter();
                if !rest.all(|sibling| self.node(*sibling).is_some_and(|sibling| sibling.nullable)) {
                    return Some(false);
                }
            }
            node = parent;
        }
    }

    /// What may come next, for people: local names, and `*` for what a wildcard lets through.
    pub fn expected<'n>(&self, cursor: Cursor, stack: &[u32], base: usize, names: &'n Names) -> Vec<&'n str> {
        let mut found = Vec::new();
        if let Some(row) = self.row.as_ref().filter(|_| !cursor.mark.is_first()) {
            self.expected_at(&self.path_of(row, cursor.mark), names, &mut found);
        } else if cursor.paths == 0 {
            self.beginnings(0, names, &mut found);
        }
        for path in stack.get(base..).filter(|_| cursor.paths > 0).unwrap_or_default().chunks(self.stride()) {
            self.expected_at(path, names, &mut found);
        }
        let mut seen = Vec::new();
        found.retain(|name| {
            !seen.contains(name) && {
                seen.push(*name);
                true
            }
        });
        found
    }

    /// The path to a place of a row.
    fn path_of(&self, row: &Row, mark: Mark) -> Vec<u32> {
        let at = row.node(mark);
        let mut path = vec![1; self.stride()];
        let (depth, leaf) =
            self.node(at).map_or((0, at), |node| (node.depth as usize, node.children.first().copied().unwrap_or(at)));
        if let Some(count) = path.get_mut(depth.saturating_add(1)) {
            *count = mark.count();
        }
        if let Some(first) = path.first_mut() {
            *first = leaf;
        }
        path
    }

    fn expected_at<'n>(&self, path: &[u32], names: &'n Names, found: &mut Vec<&'n str>) {
        let Some(mut at) = path.first().copied() else { return };
        while let Some(node) = self.node(at) {
            let count = path.get((node.depth as usize).saturating_add(1)).copied().unwrap_or(0);
            let Some(parent) = self.node(node.parent) else {
                if count < node.max && !matches!(node.kind, Kind::All) {
                    self.beginnings(at, names, found);
                }
                return;
            };
            if matches!(parent.kind, Kind::All) {
                for (place, child) in parent.children.iter().enumerate() {
                    if path.get(2_usize.saturating_add(place / 32)).is_some_and(|word| word >> (place % 32) & 1 == 0) {
                        self.beginnings(*child, names, found);
                    }
                }
                return;
            }
            if count < node.max {
                self.beginnings(at, names, found);
            }
            if count < node.min {
                return;
            }
            if matches!(parent.kind, Kind::Sequence) {
                for sibling in parent.children.get((node.place as usize).saturating_add(1)..).unwrap_or_default() {
                    self.beginnings(*sibling, names, found);
                    if self.node(*sibling).is_some_and(|sibling| !sibling.nullable) {
                        return;
                    }
                }
            }
            at = node.parent;
        }
    }

    fn beginnings<'n>(&self, at: u32, names: &'n Names, found: &mut Vec<&'n str>) {
        let Some(node) = self.node(at) else { return };
        match &node.kind {
            Kind::Element { name, .. } => found.push(names.local(*name)),
            Kind::Any(_) => found.push("*"),
            _ => {
                found.extend(node.first.iter().map(|(name, _)| names.local(*name)));
                if !node.first_any.is_empty() {
                    found.push("*");
                }
            }
        }
    }

    /// The elements that content may have, those that may stand for others among them: for paths of fields.
    pub fn elements(&self) -> impl Iterator<Item = Occurrence> {
        self.nodes.iter().enumerate().flat_map(|(at, node)| {
            let Kind::Element { element, others, .. } = &node.kind else { return Vec::new() };
            let times = self.times(at as u32);
            let others = others.iter().map(|(_, element)| Occurrence { element: *element, presence: Presence::Optional, times });
            std::iter::once(Occurrence { element: *element, presence: node.presence, times }).chain(others).collect()
        })
    }

    fn times(&self, at: u32) -> Times {
        let mut node = self.node(at);
        while let Some(found) = node {
            if found.max > 1 {
                return Times::Repeatedly;
            }
            node = self.node(found.parent);
        }
        Times::Once
    }

    /// Whether a wildcard lets elements through that are not named.
    pub fn is_open(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.kind, Kind::Any(_)))
    }
}

/// A particle of a compiled model, for whoever looks at what may stand in it.
#[derive(Clone, Copy, Debug)]
pub struct Part<'m> {
    model: &'m Model,
    node: &'m Node,
}

/// What a part is of.
#[derive(Clone, Copy, Debug)]
pub enum Of<'m> {
    /// An element.
    Element(u32),
    /// Any element that a wildcard lets through.
    Any(&'m Wildcard),
    /// Its parts one after the other.
    Sequence,
    /// One of its parts.
    Choice,
    /// All of its parts in any order.
    All,
}

impl Model {
    /// The particle that is the whole content.
    pub fn root(&self) -> Option<Part<'_>> {
        self.nodes.first().map(|node| Part { model: self, node })
    }
}

impl<'m> Part<'m> {
    /// How often at least; zero where a repetition may be of nothing.
    pub fn min(&self) -> u32 {
        self.node.min
    }

    /// How often at most.
    pub fn max(&self) -> u32 {
        self.node.max
    }

    /// What it is of.
    pub fn of(&self) -> Of<'m> {
        match &self.node.kind {
            Kind::Element { element, .. } => Of::Element(*element),
            Kind::Any(wildcard) => Of::Any(wildcard),
            Kind::Sequence => Of::Sequence,
            Kind::Choice => Of::Choice,
            Kind::All => Of::All,
        }
    }

    /// Its parts, if it is a group.
    pub fn parts(&self) -> impl Iterator<Item = Self> + use<'m> {
        let model = self.model;
        self.node.children.iter().filter_map(move |child| model.node(*child).map(|node| Self { model, node }))
    }
}

fn take(room: &mut usize, count: usize) -> Result<(), &'static str> {
    *room = room.checked_sub(count).ok_or("content models with too many names")?;
    Ok(())
}

/// The next element as a model sees it.
struct Next<'e> {
    name: Option<Name>,
    uri: &'e str,
}

fn find(first: &[(Name, u32)], name: Name) -> Option<u32> {
    let at = first.binary_search_by_key(&name, |(name, _)| *name).ok()?;
    first.get(at).map(|(_, child)| *child)
}

/// Leaves out what never occurs, and groups that say nothing.
fn simplified(particle: Particle) -> Particle {
    let Particle { min, max, term } = particle;
    let inner =
        |items: Vec<Particle>| -> Vec<Particle> { items.into_iter().filter(|item| item.max > 0).map(simplified).collect() };
    let (items, is_sequence) = match term {
        Term::Sequence(items) => (inner(items), true),
        Term::Choice(items) => (inner(items), false),
        Term::All(items) => {
            return Particle { min, max, term: Term::All(items.into_iter().filter(|item| item.max > 0).collect()) };
        }
        term => return Particle { min, max, term },
    };
    match <[Particle; 1]>::try_from(items) {
        Ok([only]) => match times((min, max), (only.min, only.max)) {
            Some((min, max)) => Particle { min, max, term: only.term },
            None => Particle { min, max, term: Term::Sequence(vec![only]) },
        },
        Err(items) if is_sequence => Particle { min, max, term: Term::Sequence(flat(items)) },
        Err(items) => Particle { min, max, term: Term::Choice(items) },
    }
}

/// A sequence that occurs once within a sequence is a part of it.
fn flat(items: Vec<Particle>) -> Vec<Particle> {
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Particle { min: 1, max: 1, term: Term::Sequence(inner) } => all.extend(inner),
            item => all.push(item),
        }
    }
    all
}

/// The bounds of a repetition of a repetition, if all numbers between them are possible.
fn times((min, max): (u32, u32), (inner_min, inner_max): (u32, u32)) -> Option<(u32, u32)> {
    let product = |one: u32, two: u32| if one == 0 || two == 0 { 0 } else { one.saturating_mul(two) };
    // Between so many repetitions and one more there is no gap.
    let joins = u64::from(product(min, inner_max)).saturating_add(1)
        >= u64::from(inner_min).saturating_mul(u64::from(min).saturating_add(1));
    (min == max || joins).then(|| (product(min, inner_min), product(max, inner_max)))
}
