//! From declarations to the compiled form: simple and complex types (XML Schema 1.0, part 1, sections 3.4 and 3.14).

use super::SchemaError;
use super::build::{Builder, Draft, DraftContent, Growth, State};
use super::built_in::base_of;
use super::model::{Particle, Term};
use super::names::Name;
use super::read::{Context, Decl, Level, Place, Space, XS, attribute, bindings, child, children};
use super::set::{ANY_TYPE, Attributes, Methods, SimpleType, TypeRef, Use};
use super::simple::{Facets, Simple};
use super::wildcard::Wildcard;
use crate::base::limits;
use roxmltree::Node;
use std::collections::BTreeSet;
use std::sync::Arc;

impl<'d> Builder<'d> {
    /// A built-in simple type.
    pub(super) fn built_in(&mut self, name: &str) -> TypeRef {
        if let Some(known) = self.built_in.get(name) {
            return TypeRef::Simple(*known);
        }
        let Some(simple) = Simple::built_in(name) else { return TypeRef::Missing };
        let base = if name == "anySimpleType" { ANY_TYPE } else { self.built_in(base_of(name)) };
        let name_of = self.declarations.names.intern(XS, name);
        let by = if matches!(name, "NMTOKENS" | "IDREFS" | "ENTITIES") { Methods::LIST } else { Methods::RESTRICTION };
        let number = self.simple.len() as u32;
        self.simple.push(SimpleType { name: Some(name_of), base, by, members: Vec::new(), simple });
        self.built_in.insert(name.to_owned(), number);
        TypeRef::Simple(number)
    }

    /// The type that a value of a schema document names.
    pub(super) fn type_named(&mut self, node: &Node<'d, 'd>, text: &str, context: Context) -> Result<TypeRef, SchemaError> {
        let name = self.declarations.resolve(node, text, context)?;
        if self.declarations.names.uri(name) == XS {
            let local = self.declarations.names.local(name).to_owned();
            match self.built_in(&local) {
                TypeRef::Missing if local == "anyType" => return Ok(ANY_TYPE),
                TypeRef::Missing => {}
                found => return Ok(found),
            }
        }
        match self.declarations.find(Space::Type, name, context) {
            Some(found) => self.type_at(found, Some(name)),
            None => Ok(TypeRef::Missing),
        }
    }

    /// The type of a declaration. A complex one is only numbered, and read later.
    pub(super) fn type_at(&mut self, decl: Decl<'d>, name: Option<Name>) -> Result<TypeRef, SchemaError> {
        let place = (decl.context.unit, decl.node.id().get());
        if let Some(known) = self.types.get(&place) {
            return Ok(*known);
        }
        if self.complex.len().saturating_add(self.simple.len()) >= limits::SCHEMA_COMPONENTS_MAX {
            return Err(self.declarations.error(&decl.node, decl.context, "a set of schemas with too many types"));
        }
        if decl.node.tag_name().name() == "simpleType" {
            if !self.begun.insert(place) || self.begun.len() > limits::SCHEMA_DERIVATIONS_MAX {
                return Err(self.declarations.error(
                    &decl.node,
                    decl.context,
                    "a type that is derived from itself, or in too many steps",
                ));
            }
            let found = self.simple_type(decl, name)?;
            self.begun.remove(&place);
            self.types.insert(place, found);
            return Ok(found);
        }
        let number = self.complex.len() as u32;
        self.complex.push(Draft {
            name,
            base: ANY_TYPE,
            by: Methods::RESTRICTION,
            is_abstract: matches!(attribute(&decl.node, "abstract"), Some("true" | "1")),
            block: self.methods(&decl, "block", "blockDefault"),
            attributes: Attributes::default(),
            content: DraftContent::Empty,
            state: State::New,
        });
        self.places.push(Some(decl));
        self.types.insert(place, TypeRef::Complex(number));
        self.waiting.push((number, decl));
        Ok(TypeRef::Complex(number))
    }

    fn simple_type(&mut self, decl: Decl<'d>, name: Option<Name>) -> Result<TypeRef, SchemaError> {
        let fail = |this: &Self, node: &Node<'_, '_>, what: &str| Err(this.declarations.error(node, decl.context, what));
        let Some(node) = children(&decl.node).next() else { return fail(self, &decl.node, "a simple type that says nothing") };
        let inner = |node: Node<'d, 'd>| Decl { node, context: decl.context };
        let (base, by, members, simple) = match node.tag_name().name() {
            "list" => {
                let item = match (attribute(&node, "itemType"), child(&node, "simpleType")) {
                    (Some(text), _) => self.type_named(&node, text, decl.context)?,
                    (None, Some(inline)) => self.type_at(inner(inline), None)?,
                    (None, None) => TypeRef::Missing,
                };
                let Some(item) = self.simple(item) else { return Ok(TypeRef::Missing) };
                (self.built_in("anySimpleType"), Methods::LIST, Vec::new(), Simple::list(&item))
            }
            "union" => {
                let mut members = Vec::new();
                for text in attribute(&node, "memberTypes").unwrap_or("").split_ascii_whitespace() {
                    members.push(self.type_named(&node, text, decl.context)?);
                }
                for inline in children(&node).filter(|node| node.tag_name().name() == "simpleType") {
                    members.push(self.type_at(inner(inline), None)?);
                }
                let all: Option<Vec<_>> = members.iter().map(|member| self.simple(*member)).collect();
                let Some(all) = all else { return Ok(TypeRef::Missing) };
                (self.built_in("anySimpleType"), Methods::UNION, members, Simple::union(&all))
            }
            "restriction" => {
                let base = match (attribute(&node, "base"), child(&node, "simpleType")) {
                    (Some(text), _) => self.type_named(&node, text, decl.context)?,
                    (None, Some(inline)) => self.type_at(inner(inline), None)?,
                    (None, None) => TypeRef::Missing,
                };
                let Some(of) = self.simple(base) else { return Ok(TypeRef::Missing) };
                let simple = self.restricted(&of, &node, decl.context)?;
                // What is a union stays one, with the same members, but for who may stand for it.
                (base, Methods::RESTRICTION, Vec::new(), simple)
            }
            _ => return fail(self, &node, "a simple type is made by restriction, list or union"),
        };
        if simple.members() > limits::SCHEMA_MEMBERS_MAX {
            return fail(self, &node, "a type whose values are of too many others");
        }
        let number = self.simple.len() as u32;
        self.simple.push(SimpleType { name, base, by, members, simple });
        Ok(TypeRef::Simple(number))
    }

    fn simple(&self, of: TypeRef) -> Option<Arc<Simple>> {
        match of {
            TypeRef::Simple(number) => self.simple.get(number as usize).map(|found| Arc::clone(&found.simple)),
            _ => None,
        }
    }

    fn restricted(&self, base: &Arc<Simple>, node: &Node<'d, 'd>, context: Context) -> Result<Arc<Simple>, SchemaError> {
        let mut facets = Facets::default();
        for facet in children(node) {
            let value = attribute(&facet, "value").unwrap_or("");
            let slot = match facet.tag_name().name() {
                "length" => &mut facets.length,
                "minLength" => &mut facets.min_length,
                "maxLength" => &mut facets.max_length,
                "totalDigits" => &mut facets.total_digits,
                "fractionDigits" => &mut facets.fraction_digits,
                "minInclusive" => &mut facets.min_inclusive,
                "maxInclusive" => &mut facets.max_inclusive,
                "minExclusive" => &mut facets.min_exclusive,
                "maxExclusive" => &mut facets.max_exclusive,
                "whiteSpace" => &mut facets.white_space,
                "pattern" => {
                    facets.patterns.push(value.into());
                    continue;
                }
                "enumeration" => {
                    facets.enumeration.push((value.into(), bindings(&facet, value)));
                    continue;
                }
                _ => continue,
            };
            *slot = Some(value.into());
        }
        Simple::restrict(base, &facets).map_err(|what| self.declarations.error(node, context, &what))
    }

    /// Reads a complex type, its base first.
    pub(super) fn fill(&mut self, number: u32, decl: Decl<'d>, depth: usize) -> Result<(), SchemaError> {
        let Some(draft) = self.complex.get_mut(number as usize) else { return Ok(()) };
        match draft.state {
            State::Done => return Ok(()),
            State::New if depth < limits::SCHEMA_DERIVATIONS_MAX => draft.state = State::Begun,
            _ => {
                let what = "a type that is derived from itself, or in too many steps";
                return Err(self.declarations.error(&decl.node, decl.context, what));
            }
        }
        let node = decl.node;
        let is_mixed = matches!(attribute(&node, "mixed"), Some("true" | "1"));
        if let Some(outer) = child(&node, "simpleContent") {
            self.simple_content(number, decl, outer, depth)?;
        } else if let Some(outer) = child(&node, "complexContent") {
            self.complex_content(number, decl, outer, depth)?;
        } else {
            let own = self.own_particle(decl.context, &node)?;
            let content = match own {
                Some(particle) => DraftContent::Elements(Arc::new(particle), is_mixed),
                None if is_mixed => DraftContent::Elements(Arc::new(nothing()), true),
                None => DraftContent::Empty,
            };
            let attributes = self.own_attributes(decl.context, &node)?.0;
            self.set(number, (ANY_TYPE, Methods::RESTRICTION), attributes, content);
        }
        Ok(())
    }

    fn set(&mut self, number: u32, (base, by): (TypeRef, Methods), attributes: Attributes, content: DraftContent) {
        if let Some(draft) = self.complex.get_mut(number as usize) {
            (draft.base, draft.by, draft.attributes, draft.content, draft.state) = (base, by, attributes, content, State::Done);
        }
    }

    /// The base of a derivation, read.
    fn base(&mut self, node: &Node<'d, 'd>, context: Context, depth: usize) -> Result<TypeRef, SchemaError> {
        let base = match attribute(node, "base") {
            Some(text) => self.type_named(node, text, context)?,
            None => TypeRef::Missing,
        };
        if let TypeRef::Complex(number) = base
            && let Some(decl) = self.places.get(number as usize).copied().flatten()
        {
            self.fill(number, decl, depth.saturating_add(1))?;
        }
        if base == TypeRef::Missing {
            return Err(self.declarations.error(node, context, "src-resolve: a base type that is not declared"));
        }
        Ok(base)
    }

    fn simple_content(&mut self, number: u32, decl: Decl<'d>, outer: Node<'d, 'd>, depth: usize) -> Result<(), SchemaError> {
        let Some(node) = children(&outer).next() else { return self.says_nothing(&outer, decl.context) };
        let base = self.base(&node, decl.context, depth)?;
        let is_extension = node.tag_name().name() == "extension";
        let inline = match child(&node, "simpleType").filter(|_| !is_extension) {
            Some(inline) => {
                let of = self.type_at(Decl { node: inline, context: decl.context }, None)?;
                self.simple(of)
            }
            None => None,
        };
        let of_base = match base {
            TypeRef::Complex(base) => match self.complex.get(base as usize).map(|draft| &draft.content) {
                Some(DraftContent::Simple(simple)) => Some(Arc::clone(simple)),
                _ => None,
            },
            base => self.simple(base),
        };
        let Some(of) = inline.or(of_base) else {
            return Err(self.declarations.error(&node, decl.context, "src-ct.2: simple content whose base has none"));
        };
        let simple = if is_extension { of } else { self.restricted(&of, &node, decl.context)? };
        let by = if is_extension { Methods::EXTENSION } else { Methods::RESTRICTION };
        let attributes = self.derived_attributes(decl.context, &node, base, by)?;
        self.set(number, (base, by), attributes, DraftContent::Simple(simple));
        Ok(())
    }

    fn says_nothing(&self, node: &Node<'_, '_>, context: Context) -> Result<(), SchemaError> {
        Err(self.declarations.error(node, context, "src-ct: neither an extension nor a restriction"))
    }

    fn complex_content(&mut self, number: u32, decl: Decl<'d>, outer: Node<'d, 'd>, depth: usize) -> Result<(), SchemaError> {
        let mixed = attribute(&outer, "mixed").or_else(|| attribute(&decl.node, "mixed"));
        let is_mixed = matches!(mixed.map(str::trim), Some("true" | "1"));
        let Some(node) = children(&outer).next() else { return self.says_nothing(&outer, decl.context) };
        let base = self.base(&node, decl.context, depth)?;
        let own = self.own_particle(decl.context, &node)?;
        let by = if node.tag_name().name() == "extension" { Methods::EXTENSION } else { Methods::RESTRICTION };
        let attributes = self.derived_attributes(decl.context, &node, base, by)?;
        let of_base = match base {
            TypeRef::Complex(base) => self.complex.get(base as usize).map(|draft| draft.content.clone()),
            _ => None,
        };
        let content = match (own, by == Methods::EXTENSION, of_base) {
            (None, true, Some(content)) if !matches!(content, DraftContent::Empty) => content,
            (None, ..) if is_mixed => DraftContent::Elements(Arc::new(nothing()), true),
            (None, ..) => DraftContent::Empty,
            (Some(own), true, Some(DraftContent::Elements(of_base, _))) if !of_base.is_empty() => {
                let size = of_base.size();
                self.particles = self.particles.checked_sub(size).ok_or_else(|| {
                    self.declarations.error(&node, decl.context, "a set of schemas whose content models have too many particles")
                })?;
                // A long chain of extensions stays flat.
                let mut items = match Particle::clone(&of_base) {
                    Particle { min: 1, max: 1, term: Term::Sequence(items) } => items,
                    single => vec![single],
                };
                items.push(own);
                DraftContent::Elements(Arc::new(Particle { min: 1, max: 1, term: Term::Sequence(items) }), is_mixed)
            }
            (Some(own), ..) => DraftContent::Elements(Arc::new(own), is_mixed),
        };
        if let DraftContent::Elements(particle, _) = &content
            && particle.size() > limits::SCHEMA_PARTICLES_MAX
        {
            return Err(self.declarations.error(&node, decl.context, "a content model with too many particles"));
        }
        self.set(number, (base, by), attributes, content);
        Ok(())
    }

    /// The particle that a type or a derivation writes itself; none if it says nothing (section 3.4.2, "explicit content").
    fn own_particle(&mut self, context: Context, node: &Node<'d, 'd>) -> Result<Option<Particle>, SchemaError> {
        let group = children(node).find(|node| matches!(node.tag_name().name(), "sequence" | "choice" | "all" | "group"));
        let Some(group) = group else { return Ok(None) };
        let found = self.particle(Decl { node: group, context }, &mut Growth::default())?;
        let says_nothing = |found: &Particle| match &found.term {
            Term::Sequence(items) | Term::All(items) => items.is_empty(),
            Term::Choice(items) => items.is_empty() && found.min == 0,
            _ => false,
        };
        Ok(found.filter(|found| !says_nothing(found)))
    }

    /// The attributes that a node writes itself, those of its attribute groups among them, and the names that it prohibits.
    fn own_attributes(&mut self, context: Context, node: &Node<'d, 'd>) -> Result<(Attributes, Vec<Name>), SchemaError> {
        let mut own = Own::default();
        self.collect_attributes(context, node, &mut own, &mut Vec::new())?;
        let prohibited = std::mem::take(&mut own.prohibited);
        Ok((own.whole(), prohibited))
    }

    fn collect_attributes(
        &mut self,
        context: Context,
        node: &Node<'d, 'd>,
        own: &mut Own,
        open: &mut Vec<Place>,
    ) -> Result<(), SchemaError> {
        for child in children(node) {
            self.spend_attributes(1, &child, context)?;
            own.written_out = own.written_out.saturating_add(1);
            match child.tag_name().name() {
                "attribute" => {
                    let is_prohibited = attribute(&child, "use") == Some("prohibited");
                    let found = self.attribute_use(Decl { node: child, context }, Level::Local)?;
                    if is_prohibited {
                        own.prohibited.push(found.name);
                    } else {
                        own.add(found);
                    }
                }
                "attributeGroup" => {
                    let name = self.declarations.resolve(&child, attribute(&child, "ref").unwrap_or(""), context)?;
                    let Some(group) = self.declarations.find(Space::AttributeGroup, name, context) else {
                        return Err(self.declarations.error(
                            &child,
                            context,
                            "src-resolve: an attribute group that is not declared",
                        ));
                    };
                    let (inner, written_out) = self.attribute_group(group, open)?;
                    self.spend_attributes(written_out, &child, context)?;
                    own.written_out = own.written_out.saturating_add(written_out);
                    inner.uses.iter().for_each(|found| own.add(found.clone()));
                    own.of_groups.extend(inner.wildcard.clone());
                }
                "anyAttribute" => own.wildcard = Some(self.wildcard(&child, context)),
                _ => {}
            }
            if own.uses.len() > limits::SCHEMA_ATTRIBUTES_MAX {
                return Err(self.declarations.error(&child, context, "a type with too many attributes"));
            }
        }
        Ok(())
    }

    /// The attributes of an attribute group, read once.
    pub(super) fn attribute_group(
        &mut self,
        group: Decl<'d>,
        open: &mut Vec<Place>,
    ) -> Result<(Arc<Attributes>, usize), SchemaError> {
        let place = (group.context.unit, group.node.id().get());
        if let Some(known) = self.attribute_groups.get(&place) {
            return Ok(known.clone());
        }
        if open.contains(&place) || open.len() > limits::SCHEMA_DEPTH_MAX {
            let what = "an attribute group that contains itself, or too many others inside each other";
            return Err(self.declarations.error(&group.node, group.context, what));
        }
        open.push(place);
        let mut own = Own::default();
        self.collect_attributes(group.context, &group.node, &mut own, open)?;
        open.pop();
        let written_out = own.written_out;
        let whole = (Arc::new(own.whole()), written_out);
        self.attribute_groups.insert(place, whole.clone());
        Ok(whole)
    }

    fn spend_attributes(&mut self, count: usize, node: &Node<'_, '_>, context: Context) -> Result<(), SchemaError> {
        self.attributes = self
            .attributes
            .checked_sub(count)
            .ok_or_else(|| self.declarations.error(node, context, "a set of schemas whose types have too many attributes"))?;
        Ok(())
    }

    /// The attributes of a derived type (section 3.4.2).
    fn derived_attributes(
        &mut self,
        context: Context,
        node: &Node<'d, 'd>,
        base: TypeRef,
        by: Methods,
    ) -> Result<Attributes, SchemaError> {
        let (mut own, prohibited) = self.own_attributes(context, node)?;
        let of_base = match base {
            TypeRef::Complex(base) => self.complex.get(base as usize).map(|draft| draft.attributes.clone()).unwrap_or_default(),
            _ => Attributes::default(),
        };
        let is_extension = by == Methods::EXTENSION;
        self.spend_attributes(of_base.uses.len(), node, context)?;
        let names: BTreeSet<Name> = own.uses.iter().map(|known| known.name).collect();
        let prohibited: BTreeSet<Name> = prohibited.into_iter().filter(|_| !is_extension).collect();
        let is_left = |inherited: &Use| !names.contains(&inherited.name) && !prohibited.contains(&inherited.name);
        own.uses.extend(of_base.uses.into_iter().filter(is_left));
        if own.uses.len() > limits::SCHEMA_ATTRIBUTES_MAX {
            return Err(self.declarations.error(node, context, "a type with too many attributes"));
        }
        if is_extension {
            own.wildcard = match (own.wildcard, of_base.wildcard) {
                (Some(own), Some(base)) => Some(Wildcard { spaces: own.spaces.either(base.spaces), process: own.process }),
                (one, two) => one.or(two),
            };
        }
        Ok(own)
    }
}

/// What a node says of attributes.
#[derive(Default)]
struct Own {
    uses: Vec<Use>,
    names: BTreeSet<Name>,
    prohibited: Vec<Name>,
    wildcard: Option<Wildcard>,
    of_groups: Vec<Wildcard>,
    /// How many there are where all groups are written out.
    written_out: usize,
}

impl Own {
    fn add(&mut self, found: Use) {
        if self.names.insert(found.name) {
            self.uses.push(found);
        }
    }

    /// The attributes, those of groups among them. A wildcard of its own is one; those of groups count as its own.
    fn whole(self) -> Attributes {
        let wildcard = match (self.wildcard, self.of_groups) {
            (Some(wildcard), groups) => {
                let spaces = groups.into_iter().fold(wildcard.spaces, |spaces, group| spaces.both(group.spaces));
                Some(Wildcard { spaces, process: wildcard.process })
            }
            (None, groups) => {
                groups.into_iter().reduce(|one, two| Wildcard { spaces: one.spaces.both(two.spaces), process: one.process })
            }
        };
        Attributes { uses: self.uses, wildcard }
    }
}

/// A sequence of nothing.
fn nothing() -> Particle {
    Particle { min: 1, max: 1, term: Term::Sequence(Vec::new()) }
}
