//! A start tag as it was read: names resolved against the namespaces in scope, values normalised.

use std::borrow::Cow;

/// Index of "no namespace" in the table of names.
pub(super) const NO_NAMESPACE: u32 = 0;

/// A start tag.
#[derive(Debug, Default)]
pub struct Start<'a> {
    pub(super) raw: &'a str,
    pub(super) name: &'a str,
    pub(super) prefix_len: usize,
    pub(super) uri: u32,
    /// Whether the tag is spelled canonically, its order and declarations aside.
    pub(super) plain: bool,
    pub(super) attributes: Vec<Slot<'a>>,
    pub(super) declarations: Vec<Declaration<'a>>,
    pub(super) scope: Scope<'a>,
    pub(super) at: usize,
    pub(super) depth: usize,
}

/// An attribute as the reader keeps it.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    pub(super) name: &'a str,
    pub(super) prefix_len: usize,
    pub(super) value: Cow<'a, str>,
    pub(super) uri: u32,
    /// The attribute with the space before it, if it is spelled canonically.
    pub(super) spelled: Option<&'a str>,
}

/// A namespace declaration, its place among all attributes of the tag kept.
#[derive(Debug)]
pub(super) struct Declaration<'a> {
    pub(super) prefix: &'a str,
    pub(super) place: usize,
    pub(super) uri: Cow<'a, str>,
}

/// The namespace bindings in scope.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    pub(super) bindings: Vec<(&'a str, u32)>,
    pub(super) uris: Vec<Cow<'a, str>>,
}

/// An attribute as a visitor sees it.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'e> {
    /// Its namespace name, empty if it has none.
    pub uri: &'e str,
    /// Its local name.
    pub local: &'e str,
    /// Its normalised value.
    pub value: &'e str,
}

impl<'a> Scope<'a> {
    /// The binding of a prefix, the empty one included.
    pub(super) fn resolve(&self, prefix: &str) -> Option<u32> {
        let bound = self.bindings.iter().rev().find(|(bound, _)| same_prefix(bound, prefix)).map(|(_, uri)| *uri);
        bound.or(if prefix.is_empty() { Some(NO_NAMESPACE) } else { None })
    }

    pub(super) fn uri(&self, index: u32) -> &str {
        self.uris.get(index as usize).map_or("", |uri| uri)
    }

    /// At most [`limits::BINDINGS_MAX`] names are in scope, so the search is bounded.
    pub(super) fn intern(&mut self, uri: Cow<'a, str>) -> u32 {
        let known = self.uris.iter().position(|known| *known == uri);
        known.unwrap_or_else(|| {
            self.uris.push(uri);
            self.uris.len().saturating_sub(1)
        }) as u32
    }
}

impl Start<'_> {
    /// The namespace name of the element, empty if it has none.
    pub fn uri(&self) -> &str {
        self.scope.uri(self.uri)
    }

    /// The local name of the element.
    pub fn local(&self) -> &str {
        local(self.name, self.prefix_len)
    }

    /// Whether the element has this expanded name.
    pub fn is(&self, uri: &str, name: &str) -> bool {
        self.local() == name && self.uri() == uri
    }

    /// The attributes, namespace declarations excluded.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = Attribute<'_>> {
        self.attributes.iter().map(|slot| self.shown(slot))
    }

    /// An attribute by its place among them.
    #[inline]
    pub fn attribute(&self, at: usize) -> Option<Attribute<'_>> {
        self.attributes.get(at).map(|slot| self.shown(slot))
    }

    #[inline]
    fn shown<'s>(&'s self, slot: &'s Slot<'_>) -> Attribute<'s> {
        Attribute { uri: self.scope.uri(slot.uri), local: local(slot.name, slot.prefix_len), value: &slot.value }
    }

    /// What all prefixes stand for at this element.
    pub fn bindings(&self) -> Vec<(Box<str>, Box<str>)> {
        let mut found: Vec<(Box<str>, Box<str>)> = Vec::new();
        for (prefix, uri) in self.scope.bindings.iter().rev() {
            if found.iter().all(|(known, _)| **known != **prefix) {
                found.push(((*prefix).into(), self.scope.uri(*uri).into()));
            }
        }
        found
    }

    /// The namespace name that a prefix stands for at this element: for names inside the values of a schema.
    pub fn namespace(&self, prefix: &str) -> Option<&str> {
        self.scope.resolve(prefix).map(|uri| self.scope.uri(uri))
    }

    /// Offset of the tag in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How deep the element is; the root is at depth 1.
    pub fn depth(&self) -> usize {
        self.depth
    }
}

impl<'a> Start<'a> {
    pub(super) fn prefix(&self) -> &'a str {
        self.name.get(..self.prefix_len).unwrap_or("")
    }
}

impl<'a> Slot<'a> {
    pub(super) fn prefix(&self) -> &'a str {
        self.name.get(..self.prefix_len).unwrap_or("")
    }

    pub(super) fn local(&self) -> &'a str {
        local(self.name, self.prefix_len)
    }
}

fn local(name: &str, prefix_len: usize) -> &str {
    if prefix_len == 0 { name } else { name.get(prefix_len.saturating_add(1)..).unwrap_or("") }
}

/// Prefixes are a letter or two: comparing them in place is faster than a call.
#[inline]
pub(super) fn same_prefix(left: &str, right: &str) -> bool {
    left.len() == right.len() && left.bytes().zip(right.bytes()).all(|(left, right)| left == right)
}
