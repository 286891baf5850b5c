//! The compiled form of a set of schemas: immutable, shared, and all that a validator looks at.

use super::identity::Constraint;
use super::model::Model;
use super::names::{Name, Names};
use super::simple::{Scope, Simple, Value};
use super::wildcard::Wildcard;
use std::sync::Arc;

/// A type, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TypeRef {
    /// A simple type.
    Simple(u32),
    /// A complex type; the first is `xs:anyType`.
    Complex(u32),
    /// One that the schemas name and do not have: whatever is of it is invalid (part 1, section 5.3).
    Missing,
}

/// The number of `xs:anyType`.
pub const ANY_TYPE: TypeRef = TypeRef::Complex(0);

/// Ways to derive, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Methods(pub u8);

impl Methods {
    /// By extension.
    pub const EXTENSION: Self = Self(1);
    /// By restriction.
    pub const RESTRICTION: Self = Self(2);
    /// By substitution of elements.
    pub const SUBSTITUTION: Self = Self(4);
    /// By a list.
    pub const LIST: Self = Self(8);
    /// By a union.
    pub const UNION: Self = Self(16);

    /// Whether both have a way in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The ways of both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The value that an element or attribute has if none is written.
#[derive(Clone, Debug)]
pub struct Preset {
    /// The value as written in the schema.
    pub text: Box<str>,
    /// What prefixes stand for there.
    pub bindings: Bindings,
    /// Whether no other may be written.
    pub is_fixed: bool,
}

/// What prefixes stand for at a place of a schema.
#[derive(Clone, Debug, Default)]
pub struct Bindings(pub Vec<(Box<str>, Box<str>)>);

impl Scope for Bindings {
    fn namespace(&self, prefix: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *prefix).map(|(_, uri)| &**uri)
    }
}

/// An element declaration.
#[derive(Debug)]
pub struct Element {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub of: TypeRef,
    /// Whether `xsi:nil` may say that it has no content.
    pub nillable: bool,
    /// Whether only others of its substitution group may stand in a document.
    pub is_abstract: bool,
    /// Which derived types and substitutions may not stand in its place.
    pub block: Methods,
    /// Its default or fixed value.
    pub preset: Option<Preset>,
    /// Its identity constraints.
    pub constraints: Vec<u32>,
    /// Those that may stand in its place.
    pub substitutes: Vec<(Name, u32)>,
    /// The heads of the substitution group that it is in.
    pub head: Option<u32>,
}

impl Element {
    /// Whether it has a fixed value.
    pub fn is_fixed(&self) -> bool {
        self.preset.as_ref().is_some_and(|preset| preset.is_fixed)
    }
}

/// An attribute as a type has it.
#[derive(Clone, Debug)]
pub struct Use {
    /// Its name.
    pub name: Name,
    /// Its type; none if the schemas do not have it.
    pub of: Option<Arc<Simple>>,
    /// Whether it must be there.
    pub is_required: bool,
    /// Its default or fixed value.
    pub preset: Option<Arc<Preset>>,
    /// Its fixed value, for comparing.
    pub fixed: Option<Arc<Value>>,
}

/// The attributes of a type.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// Those that it names.
    pub uses: Vec<Use>,
    /// Those that it lets through besides.
    pub wildcard: Option<Wildcard>,
}

/// What may stand inside an element.
#[derive(Debug)]
pub enum Content {
    /// Nothing.
    Empty,
    /// A value.
    Simple(Arc<Simple>),
    /// Elements; text between them if it is mixed.
    Elements {
        /// Which, in which order.
        model: Model,
        /// Whether text may stand between them.
        is_mixed: bool,
    },
}

/// A complex type.
#[derive(Debug)]
pub struct Complex {
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// What it is derived from.
    pub base: TypeRef,
    /// How.
    pub by: Methods,
    /// Whether only derived types may stand in a document.
    pub is_abstract: bool,
    /// Which derived types may not stand in its place.
    pub block: Methods,
    /// Its attributes.
    pub attributes: Attributes,
    /// How many of them must be there.
    pub required: usize,
    /// Whether some of them have a default that names an element or refers to one.
    pub has_identities: bool,
    /// Its content.
    pub content: Content,
}

/// A simple type with its place in the hierarchy.
#[derive(Debug)]
pub struct SimpleType {
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// What it is derived from.
    pub base: TypeRef,
    /// How.
    pub by: Methods,
    /// The members of a union.
    pub members: Vec<TypeRef>,
    /// What its values are.
    pub simple: Arc<Simple>,
}

/// How large a set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Types, with a name or without.
    pub types: usize,
    /// Element declarations, global or local.
    pub elements: usize,
}

/// A compiled set of schemas.
#[derive(Debug)]
pub struct Set {
    pub(super) names: Names,
    pub(super) elements: Vec<Element>,
    pub(super) complex: Vec<Complex>,
    pub(super) simple: Vec<SimpleType>,
    pub(super) constraints: Vec<Constraint>,
    /// The global elements, attributes and types, by name, sorted.
    pub(super) global_elements: Vec<(Name, u32)>,
    pub(super) global_attributes: Vec<(Name, Use)>,
    pub(super) global_types: Vec<(Name, TypeRef)>,
}

fn find<T>(sorted: &[(Name, T)], name: Name) -> Option<&T> {
    let at = sorted.binary_search_by_key(&name, |(name, _)| *name).ok()?;
    sorted.get(at).map(|(_, found)| found)
}

impl Set {
    /// All names of the set.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// A global element.
    pub fn global_element(&self, name: Name) -> Option<u32> {
        find(&self.global_elements, name).copied()
    }

    /// A global attribute.
    pub fn global_attribute(&self, name: Name) -> Option<&Use> {
        find(&self.global_attributes, name)
    }

    /// A type with a name.
    pub fn global_type(&self, name: Name) -> Option<TypeRef> {
        find(&self.global_types, name).copied()
    }

    /// The global elements, sorted by the number of their name.
    pub fn global_elements(&self) -> impl Iterator<Item = u32> {
        self.global_elements.iter().map(|(_, element)| *element)
    }

    /// The types with a name, sorted by the number of the name.
    pub fn global_types(&self) -> impl Iterator<Item = (Name, TypeRef)> {
        self.global_types.iter().copied()
    }

    /// How many types and elements it has, the built-in types among them.
    pub fn size(&self) -> Size {
        Size { types: self.complex.len().saturating_add(self.simple.len()), elements: self.elements.len() }
    }

    /// What was read leniently, in words, each once.
    pub fn notes(&self) -> Vec<String> {
        let of_content = self.complex.iter().filter_map(|complex| match &complex.content {
            Content::Simple(simple) => Some(simple),
            _ => None,
        });
        let all = self.simple.iter().map(|found| &found.simple).chain(of_content);
        let mut notes: Vec<String> = all.flat_map(|simple| simple.notes().iter().cloned()).collect();
        notes.sort_unstable();
        notes.dedup();
        notes
    }

    /// An element by its number.
    pub fn element(&self, number: u32) -> Option<&Element> {
        self.elements.get(number as usize)
    }

    /// How many complex types there are.
    pub fn complex_count(&self) -> usize {
        self.complex.len()
    }

    /// A complex type by its number.
    pub fn complex(&self, number: u32) -> Option<&Complex> {
        self.complex.get(number as usize)
    }

    /// The simple type of a type that has one: its own, or that of its content.
    pub fn simple_of(&self, of: TypeRef) -> Option<&Arc<Simple>> {
        match of {
            TypeRef::Simple(number) => self.simple.get(number as usize).map(|found| &found.simple),
            TypeRef::Complex(number) => match self.complex(number).map(|complex| &complex.content) {
                Some(Content::Simple(simple)) => Some(simple),
                _ => None,
            },
            TypeRef::Missing => None,
        }
    }

    /// Base and way of derivation of a type.
    fn derivation(&self, of: TypeRef) -> Option<(TypeRef, Methods)> {
        match of {
            TypeRef::Simple(number) => self.simple.get(number as usize).map(|found| (found.base, found.by)),
            TypeRef::Complex(number) => self.complex(number).map(|found| (found.base, found.by)),
            TypeRef::Missing => None,
        }
    }

    /// The members of a union, and theirs: each may stand for it.
    fn members(&self, of: TypeRef) -> Vec<TypeRef> {
        let mut found = Vec::new();
        let mut open = vec![of];
        while let Some(TypeRef::Simple(number)) = open.pop() {
            for member in self.simple.get(number as usize).map_or(&[][..], |union| &union.members) {
                if !found.contains(member) {
                    found.push(*member);
                    open.push(*member);
                }
            }
        }
        found
    }

    /// The ways by which one type is derived from another, if it is (part 1, sections 3.4.6 and 3.14.6).
    pub fn derives(&self, of: TypeRef, from: TypeRef) -> Option<Methods> {
        let (mut at, mut ways) = (of, Methods::default());
        // A simple type in the place of another one is a restriction of it, whatever the steps are (section 3.14.6).
        if of != from && matches!(of, TypeRef::Simple(_)) {
            ways = Methods::RESTRICTION;
        }
        let members = self.members(from);
        for _ in 0..=self.complex.len().saturating_add(self.simple.len()) {
            if at == from {
                return Some(ways);
            }
            if members.contains(&at) {
                return Some(ways);
            }
            let (base, by) = self.derivation(at)?;
            if base == at {
                return None;
            }
            (at, ways) = (base, ways.and(by));
        }
        None
    }
}
