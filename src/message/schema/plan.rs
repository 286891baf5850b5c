//! The plan of a document type: its paths as far as they are listed, worked out when its schema is loaded, so that a document
//! can be followed by numbers. What lies outside of it is followed by names; see [`super::trail`].

use super::paths::{Path, Unfolded};
use super::tree::Tree;
use std::collections::BTreeMap;

/// The plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    nodes: Vec<Node>,
    /// The last step of each path: the name, behind an `@` if it is one of an attribute.
    steps: Vec<Box<str>>,
}

/// A listed path; what can be there in two ways is there twice. It is small, since documents walk from one to the next.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) parent: u32,
    /// The first that has the same path.
    pub(super) first: u32,
    field: u32,
    /// The place in the tree of watches, and the watch there.
    pub(super) place: u32,
    watch: u32,
    /// Where its attributes begin, and where the elements in it, if they are listed.
    attributes: u32,
    elements: u32,
}

impl Plan {
    /// The root's place.
    pub(super) const ROOT: u32 = 0;

    /// The plan of what was unfolded, with its fields and watches.
    pub(super) fn of(unfolded: &Unfolded, fields: &[String], tree: &Tree) -> Self {
        let fields: BTreeMap<&str, u32> = fields.iter().map(String::as_str).zip(0..).collect();
        let mut firsts = BTreeMap::new();
        let mut nodes = Vec::<Node>::with_capacity(unfolded.all.len());
        let mut steps = Vec::with_capacity(unfolded.all.len());
        for (at, path) in (0..).zip(&unfolded.all) {
            let Path { path: whole, parent, inside, .. } = path;
            let step = whole.rsplit('/').next().unwrap_or_default();
            let above = nodes.get(*parent).map_or(Tree::OUTSIDE, |parent| parent.place);
            let place = if at == Self::ROOT { Tree::ROOT } else { tree.child(above, step) };
            let (attributes, elements) =
                inside.map_or((NONE, NONE), |(attributes, elements)| (attributes as u32, elements as u32));
            steps.push(step.into());
            nodes.push(Node {
                parent: *parent as u32,
                first: *firsts.entry(whole.as_str()).or_insert(at),
                field: fields.get(whole.as_str()).copied().filter(|_| path.is_optional()).unwrap_or(NONE),
                place,
                watch: tree.path(place).unwrap_or(NONE),
                attributes,
                elements,
            });
        }
        Self { nodes, steps }
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    /// The last step of a path.
    pub(super) fn step(&self, at: u32) -> &str {
        self.steps.get(at as usize).map_or("", |step| step)
    }

    /// An element in an element, by its place in the content model. They lie one behind the other; the last may not be listed.
    #[inline]
    pub(super) fn element(&self, parent: u32, place: u32) -> Option<u32> {
        let at = self.node(parent)?.elements.checked_add(place)?;
        ((at as usize) < self.nodes.len()).then_some(at)
    }

    /// An attribute of an element.
    pub(super) fn attribute(&self, parent: u32, local: &str) -> Option<u32> {
        let node = self.node(parent).filter(|node| node.attributes != NONE)?;
        let own = self.steps.get(node.attributes as usize..node.elements as usize)?;
        let found = own.iter().position(|attribute| attribute.strip_prefix('@') == Some(local))?;
        Some(node.attributes.saturating_add(found as u32))
    }
}

impl Node {
    /// Which field it is, if a document may lack it.
    #[inline]
    pub(super) fn field(&self) -> Option<u32> {
        Some(self.field).filter(|field| *field != NONE)
    }

    /// The watch of its path.
    #[inline]
    pub(super) fn watch(&self) -> Option<u32> {
        Some(self.watch).filter(|watch| *watch != NONE)
    }
}

const NONE: u32 = u32::MAX;
