//! Patterns: regular expressions of XML Schema 1.0 (part 2, appendix F).
//!
//! In XML Schema `^` and `$` are ordinary characters, a pattern always means the whole value, `.` means all but line ends, and
//! classes know subtraction; so patterns are read here and not by a library for other expressions. A pattern is compiled once
//! and then costs one step per character; its size and what a step may cost are bounded when it is compiled. What appendix F
//! refuses is refused, but for a few habits of real schemas that nobody can misunderstand; those leave a note.

mod class;
pub(super) mod letters;
mod parse;
mod plan;
mod sample;
mod symbols;
#[cfg(test)]
mod tests;

use parse::{Node, Sets, UNBOUNDED};
use plan::Plan;
use std::fmt;

pub use plan::{Caches, Steps};

/// The patterns of one step of derivation, compiled; a value must match one of them.
pub struct Pattern {
    sources: Box<[Box<str>]>,
    notes: Vec<String>,
    plan: Plan,
    /// How many characters a value has that matches.
    min: u64,
    max: u64,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.sources).finish()
    }
}

impl Pattern {
    /// Compiles the alternatives of one step of derivation: a value must match any of them.
    pub fn compile(alternatives: &[&str]) -> Result<Self, String> {
        let mut sets = Sets::default();
        let (mut nodes, mut notes) = (Vec::new(), Vec::new());
        for pattern in alternatives {
            let read = parse::read(pattern, &mut sets)?;
            nodes.push(read.node);
            notes.extend(read.notes);
        }
        notes.sort_unstable();
        notes.dedup();
        let node = if nodes.len() == 1 { nodes.pop().unwrap_or(Node::Empty) } else { Node::Alternation(nodes) };
        let (min, max) = lengths(&node);
        let plan = Plan::of(&node, &sets.sets)?;
        Ok(Self { sources: alternatives.iter().map(|text| Box::from(*text)).collect(), notes, plan, min, max })
    }

    /// Whether the whole value matches.
    pub fn matches(&self, value: &str, caches: &mut Caches) -> bool {
        // A character has one to four octets: what is much too long or short needs no look.
        let octets = u64::try_from(value.len()).unwrap_or(u64::MAX);
        if octets < self.min || octets > self.max.saturating_mul(4) {
            return false;
        }
        self.plan.matches(value, caches)
    }

    /// The beginning of a value that comes in pieces, if the pattern can be matched so: without a cache.
    pub fn steps(&self) -> Option<Steps<'_>> {
        self.plan.steps()
    }

    /// What was read leniently, in words.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The patterns as written.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|source| &**source)
    }

    /// Some values that match, the plainest first; none of a pattern that nothing matches.
    pub fn samples(&self) -> Vec<String> {
        sample::of(&self.sources)
    }
}

/// The same pattern in strictly correct syntax; `None` for what is not a pattern at all.
pub fn canonical(pattern: &str) -> Option<String> {
    parse::read(pattern, &mut Sets::default()).ok().map(|read| read.canonical)
}

/// The fewest and most characters of what matches.
fn lengths(node: &Node) -> (u64, u64) {
    match node {
        Node::Empty => (0, 0),
        Node::Set(_) => (1, 1),
        Node::Concat(nodes) => {
            nodes.iter().map(lengths).fold((0, 0), |sum, one| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)))
        }
        Node::Alternation(nodes) => {
            nodes.iter().map(lengths).fold((u64::MAX, 0), |all, one| (all.0.min(one.0), all.1.max(one.1)))
        }
        Node::Repeat { node, min, max } => {
            let (least, most) = lengths(node);
            let most = if *max == UNBOUNDED && most > 0 { u64::MAX } else { most.saturating_mul(u64::from(*max)) };
            (least.saturating_mul(u64::from(*min)), most)
        }
    }
}
