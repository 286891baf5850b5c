//! What the crate that judges has wrong by the specification, and how it is told to it so that it has it right.
//!
//! - **A member of a substitution group in the place of its head.** A restriction may name a member where its base names the head:
//!   the head stands for a choice of all members (part 1, section 3.9.6, "Particle Valid (Restriction)"), so member restricts
//!   member, whatever its type. The crate compares the member's type with the head's, and refuses one that extends it (GML, XBRL).
//!   It is shown the head in the member's place, and judges numbers and order.
//! - **Facets of a content whose type was narrowed before.** Where a complex type with simple content restricts one of
//!   `xs:anySimpleType` by a type of its own, what is derived from it restricts that type (section 3.4.2); the crate takes it for
//!   `xs:anySimpleType` still (OVAL). It is shown no facets there; our reading has them.
//! - **Facets of a type that is not to be had.** The stand-in for it is a string, which has no bounds.

use super::super::read::XS;
use super::Change;
use crate::base::limits;
use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};

/// A name as a schema means it: namespace and local part.
type Full<'d> = (&'d str, &'d str);

/// How the components of a set are related, as far as the judge is to be told in other words.
#[derive(Debug, Default)]
pub(super) struct Relations<'d> {
    /// Of a member of a substitution group its head, where the head lets members stand in its place.
    heads: BTreeMap<Full<'d>, Full<'d>>,
    types: BTreeMap<Full<'d>, Type<'d>>,
    absent: Vec<String>,
}

/// What counts of a complex type.
#[derive(Debug, Default)]
struct Type<'d> {
    base: Option<Full<'d>>,
    /// The elements that its content refers to.
    refers: BTreeSet<Full<'d>>,
    /// Whether it says itself which simple type its content is of.
    has_simple_type: bool,
}

impl<'d> Relations<'d> {
    /// Those of a set's documents.
    pub(super) fn of(documents: &'d [Document<'_>], absent: Vec<String>) -> Self {
        let mut this = Self { absent, ..Self::default() };
        let mut closed = BTreeSet::new();
        for document in documents {
            let root = document.root_element();
            let target = root.attribute("targetNamespace").unwrap_or("");
            let is_closed = |node: &Node<'_, '_>| node.attribute("block").or(root.attribute("blockDefault")).is_some();
            for node in root.descendants().filter(|node| node.tag_name().namespace() == Some(XS)) {
                let Some(name) = node.attribute("name") else { continue };
                match node.tag_name().name() {
                    "element" if node.parent() == Some(root) => {
                        let head = node.attribute("substitutionGroup").and_then(|head| full(&node, head));
                        this.heads.extend(head.map(|head| ((target, name), head)));
                        closed.extend(is_closed(&node).then_some((target, name)));
                    }
                    "complexType" => {
                        this.types.entry((target, name)).or_insert_with(|| Type::of(&node));
                    }
                    _ => {}
                }
            }
        }
        this.heads.retain(|_, head| !closed.contains(head));
        this
    }

    /// What is to stand in the text of a schema for an element of it.
    pub(super) fn in_other_words<'n>(&'n self, node: &Node<'n, 'n>) -> Option<Change> {
        match (node.tag_name().name(), node.attribute("ref")) {
            ("element", Some(_)) => self.head_for_member(node),
            (name, _) if FACETS.contains(&name) => self.is_beyond_the_crate(node).then(|| (node.range(), String::new())),
            _ => None,
        }
    }

    /// The head that a base has where this type has a member.
    fn head_for_member<'n>(&'n self, node: &Node<'n, 'n>) -> Option<Change> {
        let head = self.shown(node)?;
        let written = node.attribute_node("ref")?;
        // Two members of one choice become one head: twice the same would be ambiguous.
        let parent = node.parent()?;
        let is_again = |before: Node<'n, 'n>| occurs(&before) == occurs(node) && self.shown(&before) == Some(head);
        if parent.tag_name().name() == "choice" && node.prev_siblings().skip(1).any(is_again) {
            return Some((node.range(), String::new()));
        }
        let quote = node.document().input_text().get(written.range_value().end..)?.chars().next()?;
        let (uri, local) = head;
        Some((written.range_value(), format!("og-head:{local}{quote} xmlns:og-head={quote}{uri}")))
    }

    /// The head that stands for a reference, if it does not stand for itself: as the oldest type has it that has either.
    fn shown<'n>(&'n self, node: &Node<'n, 'n>) -> Option<Full<'n>> {
        let member = full(node, node.attribute("ref")?)?;
        let restriction = node.ancestors().find(|above| above.tag_name().name() == "restriction")?;
        let bases = self.bases(full(&restriction, restriction.attribute("base")?)?);
        bases
            .iter()
            .rev()
            .find_map(|base| {
                let line = std::iter::successors(Some(member), |name| self.heads.get(name).copied());
                line.take(limits::SCHEMA_DERIVATIONS_MAX).find(|name| base.refers.contains(name))
            })
            .filter(|found| *found != member)
    }

    /// Whether the facet is one that the crate would take for one of another type.
    fn is_beyond_the_crate<'n>(&'n self, facet: &Node<'n, 'n>) -> bool {
        let Some(restriction) = facet.parent().filter(|parent| parent.tag_name().name() == "restriction") else { return false };
        let Some(base) = restriction.attribute("base").and_then(|base| full(&restriction, base)) else { return false };
        let is_of_content = restriction.parent().is_some_and(|parent| parent.tag_name().name() == "simpleContent");
        let is_absent = self.absent.iter().any(|absent| absent == base.0);
        is_absent || is_of_content && self.bases(base).iter().any(|base| base.has_simple_type)
    }

    /// A type and those that it is derived from, as far as they are of the set.
    fn bases<'n>(&'n self, name: Full<'n>) -> Vec<&'n Type<'n>> {
        let first = self.types.get(&name);
        let line = std::iter::successors(first, |found| self.types.get(&found.base?));
        line.take(limits::SCHEMA_DERIVATIONS_MAX).collect()
    }
}

impl<'d> Type<'d> {
    fn of(node: &Node<'d, '_>) -> Self {
        let inside = || node.descendants().filter(|node| node.tag_name().namespace() == Some(XS));
        let derived = inside().find(|node| matches!(node.tag_name().name(), "restriction" | "extension"));
        let refers = inside().filter(|node| node.tag_name().name() == "element");
        let content = derived.filter(|node| node.parent().is_some_and(|parent| parent.tag_name().name() == "simpleContent"));
        Self {
            base: derived.and_then(|node| full(&node, node.attribute("base")?)),
            refers: refers.filter_map(|node| full(&node, node.attribute("ref")?)).collect(),
            has_simple_type: content.is_some_and(|node| node.children().any(|child| child.tag_name().name() == "simpleType")),
        }
    }
}

/// What a name in an attribute means.
fn full<'d>(node: &Node<'d, '_>, written: &'d str) -> Option<Full<'d>> {
    match written.trim().split_once(':') {
        Some((prefix, local)) => Some((node.lookup_namespace_uri(Some(prefix))?, local)),
        None => Some((node.lookup_namespace_uri(None).unwrap_or(""), written.trim())),
    }
}

/// How often an element may occur: once, where nothing is said.
fn occurs<'n>(node: &Node<'n, '_>) -> [&'n str; 2] {
    ["minOccurs", "maxOccurs"].map(|name| node.attribute(name).unwrap_or("1"))
}

const FACETS: [&str; 12] = [
    "enumeration",
    "fractionDigits",
    "length",
    "maxExclusive",
    "maxInclusive",
    "maxLength",
    "minExclusive",
    "minInclusive",
    "minLength",
    "pattern",
    "totalDigits",
    "whiteSpace",
];
