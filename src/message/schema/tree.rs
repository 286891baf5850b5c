//! The paths of a document type whose values are kept, as a tree in which a document is followed step by step.

/// The tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    local: Box<str>,
    /// Which of the paths ends here.
    path: Option<u32>,
    children: Vec<u32>,
}

impl Tree {
    /// The place of the root element.
    pub(super) const ROOT: u32 = 0;
    /// The place of all that no path leads to.
    pub(super) const OUTSIDE: u32 = u32::MAX;

    pub(super) fn of<'p>(paths: impl Iterator<Item = &'p str>) -> Self {
        let mut tree = Self { nodes: vec![Node::default()] };
        for (number, path) in (0..).zip(paths) {
            let steps = path.split('/').filter(|step| !step.is_empty());
            let end = steps.fold(Self::ROOT, |at, step| tree.grown(at, step));
            if let Some(node) = tree.nodes.get_mut(end as usize) {
                node.path = Some(number);
            }
        }
        tree
    }

    fn grown(&mut self, at: u32, step: &str) -> u32 {
        let known = self.child(at, step);
        if known != Self::OUTSIDE {
            return known;
        }
        let new = self.nodes.len() as u32;
        self.nodes.push(Node { local: step.into(), ..Node::default() });
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.children.push(new);
        }
        new
    }

    /// The place one step below.
    pub(super) fn child(&self, at: u32, step: &str) -> u32 {
        let Some(node) = self.nodes.get(at as usize) else { return Self::OUTSIDE };
        let is_it = |child: &&u32| self.nodes.get(**child as usize).is_some_and(|child| *child.local == *step);
        node.children.iter().find(is_it).copied().unwrap_or(Self::OUTSIDE)
    }

    /// Which path ends at a place.
    pub(super) fn path(&self, at: u32) -> Option<u32> {
        self.nodes.get(at as usize)?.path
    }
}
