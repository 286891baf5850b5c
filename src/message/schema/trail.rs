//! The paths of a document that its type's plan does not list: what lies inside a type that contains itself or that `xsi:type`
//! names, and what a wildcard lets through.

use super::plan::Plan;
use super::tree::Tree;
use crate::message::xsd::row::Presence;
use std::collections::BTreeMap;
use std::ops::Range;

/// Where in a document one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// At a path of the plan.
    Listed(u32),
    /// At one that the trail has.
    Met(u32),
}

/// What a step is to.
#[derive(Clone, Copy)]
pub(super) enum To<'n> {
    Element(&'n str),
    Attribute(&'n str),
}

/// Each such path once, in the order in which it was met.
#[derive(Default)]
pub(super) struct Trail {
    steps: Vec<Step>,
    /// The last steps of all of them, one behind the other.
    locals: String,
    /// Where those begin that lead out of the plan.
    exits: BTreeMap<u32, u32>,
}

struct Step {
    /// Of its last step the length and the end, by which most others are told apart.
    key: u64,
    /// The octets of its last step among all of them.
    local: Range<u32>,
    parent: At,
    first_child: u32,
    next: u32,
    presence: Presence,
    /// The place in the tree of watches.
    place: u32,
}

const NONE: u32 = u32::MAX;

impl Trail {
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
        self.locals.clear();
        self.exits.clear();
    }

    /// The place of a path that is one step longer than another, and new to it if it has not been met.
    pub(super) fn step(&mut self, plan: &Plan, parent: At, to: To<'_>, tree: &Tree) -> u32 {
        let (sign, local) = match to {
            To::Element(local) => ("", local),
            To::Attribute(local) => ("@", local),
        };
        // What can be there in two ways is one path.
        let parent = match parent {
            At::Listed(node) => At::Listed(plan.node(node).map_or(node, |node| node.first)),
            At::Met(_) => parent,
        };
        let key = key(sign, local);
        let first = match parent {
            At::Listed(node) => self.exits.get(&node).copied().unwrap_or(NONE),
            At::Met(step) => self.steps.get(step as usize).map_or(NONE, |step| step.first_child),
        };
        let mut at = first;
        while let Some(step) = self.steps.get(at as usize) {
            if step.key == key && self.local(step).strip_prefix(sign) == Some(local) {
                return at;
            }
            at = step.next;
        }
        let (new, begin) = (self.steps.len() as u32, self.locals.len() as u32);
        self.locals.push_str(sign);
        self.locals.push_str(local);
        let above = match parent {
            At::Listed(node) => plan.node(node).map_or(Tree::OUTSIDE, |node| node.place),
            At::Met(step) => self.place(step),
        };
        let place = tree.child(above, self.locals.get(begin as usize..).unwrap_or(""));
        match parent {
            At::Listed(node) => {
                self.exits.insert(node, new);
            }
            At::Met(step) => {
                if let Some(step) = self.steps.get_mut(step as usize) {
                    step.first_child = new;
                }
            }
        }
        let (local, presence) = (begin..self.locals.len() as u32, Presence::Required);
        self.steps.push(Step { key, local, parent, first_child: NONE, next: first, presence, place });
        new
    }

    /// Notes that a document may lack a path.
    pub(super) fn lacks(&mut self, step: u32) {
        if let Some(step) = self.steps.get_mut(step as usize) {
            step.presence = Presence::Optional;
        }
    }

    /// The place of a path in the tree of watches.
    pub(super) fn place(&self, step: u32) -> u32 {
        self.steps.get(step as usize).map_or(Tree::OUTSIDE, |step| step.place)
    }

    /// The paths that a document may lack.
    pub(super) fn optional(&self) -> impl Iterator<Item = At> {
        (0..).zip(&self.steps).filter(|(_, step)| step.presence == Presence::Optional).map(|(at, _)| At::Met(at))
    }

    /// Writes a path, step by step. Elements are not nested deeper than
    /// [`DEPTH_MAX`](crate::base::limits::DEPTH_MAX), so neither is this.
    pub(super) fn write_path(&self, plan: &Plan, at: At, path: &mut String) {
        let (parent, step) = match at {
            At::Listed(Plan::ROOT) => return,
            At::Listed(node) => match plan.node(node) {
                Some(found) => (At::Listed(found.parent), plan.step(node)),
                None => return,
            },
            At::Met(step) => match self.steps.get(step as usize) {
                Some(step) => (step.parent, self.local(step)),
                None => return,
            },
        };
        self.write_path(plan, parent, path);
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(step);
    }

    /// The last step of a path.
    fn local(&self, step: &Step) -> &str {
        self.locals.get(step.local.start as usize..step.local.end as usize).unwrap_or("")
    }
}

fn key(sign: &str, local: &str) -> u64 {
    let octets = local.as_bytes();
    let end = match octets.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last),
        None => octets.iter().fold(0, |word, octet| word << 8 | u64::from(*octet)),
    };
    end.wrapping_add(octets.len().wrapping_add(sign.len() << 16) as u64)
}
