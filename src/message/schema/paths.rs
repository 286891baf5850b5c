//! The paths of a document type: what its schema unfolds to, as far as that has an end.

use crate::base::limits;
use crate::message::xsd::Set;
use crate::message::xsd::model::{Occurrence, Presence, Times};
use crate::message::xsd::set::{Content, TypeRef};
use std::collections::BTreeSet;

/// The namespace of the types that come with the gateway.
pub(super) const TYPES: &str = "urn:oncegate:types:1";

/// An element or attribute of a document by its path; an attribute's last step begins with `@`.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) path: String,
    presence: Presence,
    pub(super) occurs: Occurs,
    pub(super) of: Option<TypeRef>,
    /// The place of the parent in the list.
    pub(super) parent: usize,
    /// Where in the list its attributes begin, and the elements in it behind them, in the order of its content model. As many as
    /// there is room for are there.
    pub(super) inside: Option<(usize, usize)>,
}

impl Path {
    /// Whether a document may lack it.
    pub(super) fn is_optional(&self) -> bool {
        self.presence == Presence::Optional
    }
}

/// Whether all paths of a document type can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// They are.
    Listed,
    /// There are more.
    Open,
}

/// How often an element may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occurs {
    /// At most once in the document.
    Once,
    /// At most once in its parent, which may occur more often.
    OnceInParent,
    Repeatedly,
}

/// All paths, or as many as are listed.
pub(super) struct Unfolded {
    /// The root's own comes first; it is empty.
    pub(super) all: Vec<Path>,
    pub(super) reach: Reach,
    /// The paths of elements in which a document may have more than is listed; empty for the root.
    pub(super) open: Vec<String>,
}

impl Unfolded {
    /// Those below the root.
    pub(super) fn paths(&self) -> &[Path] {
        self.all.get(1..).unwrap_or_default()
    }
}

/// Unfolds an element, breadth first. Where a type contains itself, and after so many paths, it ends.
pub(super) fn unfold(set: &Set, root: u32) -> Unfolded {
    let of = set.element(root).map(|element| element.of);
    let start = Path { path: String::new(), presence: Presence::Required, occurs: Occurs::Once, of, parent: 0, inside: None };
    let (mut paths, mut reach, mut open, mut at) = (vec![start], Reach::Listed, Vec::new(), 0);
    let extended = extended(set);
    while let Some(parent) = paths.get(at).cloned() {
        let is_whole = match parent.of {
            Some(TypeRef::Complex(number)) => !contains_itself(&paths, at) && children(set, &mut paths, (at, &parent), number),
            _ => true,
        };
        if !is_whole {
            reach = Reach::Open;
        }
        if !is_whole || parent.of.is_some_and(|of| extended.contains(&of)) {
            open.push(parent.path);
        }
        at = at.saturating_add(1);
    }
    Unfolded { all: paths, reach, open }
}

/// All that is listed of an element, line by line, with what stands there.
pub(super) fn described(set: &Set, root: u32, text: &str) -> String {
    let mut out = text.to_owned();
    for Path { path, presence, occurs, of, .. } in unfold(set, root).all {
        let expects = of.and_then(|of| set.simple_of(of)).map_or(String::new(), |simple| simple.expects());
        out.push_str(&format!("\n{path} {presence:?} {occurs:?} {expects}"));
    }
    out
}

/// The types in whose place a document may name one with more in it (`xsi:type`): nobody lists what that has.
fn extended(set: &Set) -> BTreeSet<TypeRef> {
    let all = (0..set.complex_count()).filter_map(|number| u32::try_from(number).ok());
    all.filter_map(|number| set.complex(number)).map(|complex| complex.base).collect()
}

fn contains_itself(paths: &[Path], at: usize) -> bool {
    let of = paths.get(at).map(|path| path.of);
    let mut above = at;
    while above != 0 {
        above = paths.get(above).map_or(0, |path| path.parent);
        if paths.get(above).map(|path| path.of) == of {
            return true;
        }
    }
    false
}

/// Lists what is inside an element; false if there is more than can be listed.
fn children(set: &Set, paths: &mut Vec<Path>, (at, parent): (usize, &Path), complex: u32) -> bool {
    let Some(complex) = set.complex(complex) else { return false };
    let below = |name: &str| if parent.path.is_empty() { name.to_owned() } else { format!("{}/{name}", parent.path) };
    let within = |times: Times| match (parent.occurs, times) {
        (_, Times::Repeatedly) => Occurs::Repeatedly,
        (Occurs::Once, Times::Once) => Occurs::Once,
        (_, Times::Once) => Occurs::OnceInParent,
    };
    let attributes = paths.len();
    for attribute in &complex.attributes.uses {
        let presence = if attribute.is_required { Presence::Required } else { Presence::Optional };
        let path = below(&format!("@{}", set.names().local(attribute.name)));
        paths.push(Path { path, presence, occurs: within(Times::Once), of: None, parent: at, inside: None });
    }
    let elements = paths.len();
    if let Some(path) = paths.get_mut(at) {
        path.inside = Some((attributes, elements));
    }
    let mut is_whole = complex.attributes.wildcard.is_none();
    if let Content::Elements { model, .. } = &complex.content {
        is_whole &= !model.is_open();
        for found in model.elements() {
            let element = set.element(found.element);
            let path = below(element.map_or("", |element| set.names().local(element.name)));
            let (occurs, of) = (within(found.times), element.map(|element| element.of));
            paths.push(Path { path, presence: found.presence, occurs, of, parent: at, inside: None });
        }
    }
    if paths.len() > limits::SCHEMA_PATHS_MAX {
        paths.truncate(limits::SCHEMA_PATHS_MAX);
        return false;
    }
    is_whole
}

/// A path, where all its places in the schema are taken together.
pub(super) struct Found {
    pub(super) occurs: Occurs,
    /// The type of what is there, if that is one.
    pub(super) of: Option<TypeRef>,
}

/// Looks a path up step by step, so that one is found that is not listed: a type may contain itself.
pub(super) fn find(set: &Set, root: u32, path: &str) -> Option<Found> {
    let mut types: Vec<TypeRef> = set.element(root).map(|element| element.of).into_iter().collect();
    let mut occurs = Occurs::Once;
    for step in path.split('/').filter(|_| !path.is_empty()) {
        let (mut inside, mut times) = (Vec::new(), Times::Once);
        for of in &types {
            let TypeRef::Complex(number) = of else { continue };
            let Some(complex) = set.complex(*number) else { continue };
            if let Some(name) = step.strip_prefix('@') {
                let uses = complex.attributes.uses.iter().filter(|declared| set.names().local(declared.name) == name);
                inside.extend(uses.map(|_| None));
                continue;
            }
            let Content::Elements { model, .. } = &complex.content else { continue };
            let named =
                |found: &Occurrence| set.element(found.element).is_some_and(|element| set.names().local(element.name) == step);
            let before = inside.len();
            for found in model.elements().filter(named) {
                inside.push(set.element(found.element).map(|element| element.of));
                // Two places may be two branches of a choice, or one behind the other.
                if found.times == Times::Repeatedly || inside.len() > before.saturating_add(1) {
                    times = Times::Repeatedly;
                }
            }
        }
        if inside.is_empty() {
            return None;
        }
        occurs = match (occurs, times) {
            (_, Times::Repeatedly) => Occurs::Repeatedly,
            (Occurs::Once, Times::Once) => Occurs::Once,
            (_, Times::Once) => Occurs::OnceInParent,
        };
        types = inside.into_iter().flatten().collect();
        types.sort_unstable();
        types.dedup();
    }
    let of = types.first().copied().filter(|_| types.len() == 1);
    Some(Found { occurs, of })
}
