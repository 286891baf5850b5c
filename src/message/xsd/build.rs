//! From declarations to the compiled form: elements, attributes, particles, and the set as a whole.

use super::SchemaError;
use super::identity::{Constraint, Kind, PathOf, read_paths};
use super::model::{Declared, Model, Particle, Term, UNBOUNDED};
use super::names::{Name, Names};
use super::read::{
    Context, Decl, Declarations, Form, Level, Loaded, Place, Space, XS, attribute, bindings, child, children, parse,
};
use super::set::{ANY_TYPE, Attributes, Bindings, Complex, Content, Element, Methods, Preset, Set, SimpleType, TypeRef, Use};
use super::simple::{Identity, Room, Simple};
use super::wildcard::{Process, Spaces, Wildcard};
use crate::base::limits;
use roxmltree::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A complex type while the set is built.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: Option<Name>,
    pub(super) base: TypeRef,
    pub(super) by: Methods,
    pub(super) is_abstract: bool,
    pub(super) block: Methods,
    pub(super) attributes: Attributes,
    pub(super) content: DraftContent,
    pub(super) state: State,
}

#[derive(Clone, Debug)]
pub(super) enum DraftContent {
    Empty,
    Simple(Arc<Simple>),
    Elements(Arc<Particle>, bool),
}

/// How far a type has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    New,
    Begun,
    Done,
}

/// How large a content model has become while it is read.
#[derive(Default)]
pub(super) struct Growth {
    particles: usize,
    depth: usize,
    /// The groups that are being read.
    open: Vec<Place>,
}

pub(super) struct Builder<'d> {
    pub(super) declarations: Declarations<'d>,
    pub(super) elements: Vec<Element>,
    pub(super) complex: Vec<Draft>,
    pub(super) simple: Vec<SimpleType>,
    constraints: Vec<Constraint>,
    pub(super) types: BTreeMap<Place, TypeRef>,
    element_of: BTreeMap<Place, u32>,
    pub(super) begun: BTreeSet<Place>,
    /// Complex types that are yet to be read.
    pub(super) waiting: Vec<(u32, Decl<'d>)>,
    pub(super) places: Vec<Option<Decl<'d>>>,
    pub(super) built_in: BTreeMap<String, u32>,
    /// The attributes of each attribute group, and how many there are where it is written out: whoever judges the set writes it
    /// out each time.
    pub(super) attribute_groups: BTreeMap<Place, (Arc<Attributes>, usize)>,
    /// How many particles, and attributes, there may be yet.
    pub(super) particles: usize,
    pub(super) attributes: usize,
    /// How many heads of substitution groups are being read.
    heads: usize,
    /// The elements that have a default or fixed value, for when their types are known.
    preset_nodes: Vec<(u32, Decl<'d>)>,
}

/// Compiles what was loaded.
pub(super) fn build(loaded: &Loaded) -> Result<Set, SchemaError> {
    let documents = loaded.sources.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let declarations = Declarations::collect(loaded, &documents)?;
    let builder = Builder {
        declarations,
        elements: Vec::new(),
        complex: vec![any_type()],
        simple: Vec::new(),
        constraints: Vec::new(),
        types: BTreeMap::new(),
        element_of: BTreeMap::new(),
        begun: BTreeSet::new(),
        waiting: Vec::new(),
        places: vec![None],
        built_in: BTreeMap::new(),
        attribute_groups: BTreeMap::new(),
        particles: limits::SCHEMA_SET_PARTICLES_MAX,
        attributes: limits::SCHEMA_SET_ATTRIBUTES_MAX,
        heads: 0,
        preset_nodes: Vec::new(),
    };
    builder.all()
}

/// `xs:anyType` (section 3.4.7).
fn any_type() -> Draft {
    let wildcard = Wildcard { spaces: Spaces::Any, process: Process::Lax };
    let any = Particle { min: 0, max: UNBOUNDED, term: Term::Any(wildcard.clone()) };
    Draft {
        name: None,
        base: ANY_TYPE,
        by: Methods::RESTRICTION,
        is_abstract: false,
        block: Methods::default(),
        attributes: Attributes { uses: Vec::new(), wildcard: Some(wildcard) },
        content: DraftContent::Elements(Arc::new(Particle { min: 1, max: 1, term: Term::Sequence(vec![any]) }), true),
        state: State::Done,
    }
}

/// A number of occurrences; one that is beyond all counting is as good as the largest.
fn occurs(node: &Node<'_, '_>, name: &str) -> u32 {
    match attribute(node, name).map(str::trim) {
        None => 1,
        Some("unbounded") => UNBOUNDED,
        Some(text) => {
            text.parse().unwrap_or(if text.bytes().all(|byte| byte.is_ascii_digit()) { UNBOUNDED.saturating_sub(1) } else { 1 })
        }
    }
}

fn is_true(text: Option<&str>) -> bool {
    matches!(text.map(str::trim), Some("true" | "1"))
}

impl<'d> Builder<'d> {
    fn all(mut self) -> Result<Set, SchemaError> {
        let any_type = self.declarations.names.intern(XS, "anyType");
        if let Some(draft) = self.complex.first_mut() {
            draft.name = Some(any_type);
        }
        let mut global_types = vec![(any_type, ANY_TYPE)];
        for name in super::built_in::BUILT_IN {
            let simple = self.built_in(name);
            global_types.push((self.declarations.names.intern(XS, name), simple));
        }
        let (mut global_elements, mut global_attributes) = (Vec::new(), Vec::new());
        let all: Vec<((Space, Name), Decl<'d>)> = self.declarations.table.iter().map(|(key, decl)| (*key, *decl)).collect();
        for ((space, name), decl) in all {
            match space {
                Space::Type => global_types.push((name, self.type_at(decl, Some(name))?)),
                Space::Element => global_elements.push((name, self.element(decl, Level::Global)?)),
                Space::Attribute => {
                    let mut found = self.attribute_use(decl, Level::Global)?;
                    found.is_required = false;
                    global_attributes.push((name, found));
                }
                // What nobody uses must have an end as well.
                Space::Group => self.group(decl)?,
                Space::AttributeGroup => drop(self.attribute_group(decl, &mut Vec::new())?),
                Space::Notation => {}
            }
            self.read_waiting()?;
        }
        global_types.sort_by_key(|(name, _)| *name);
        global_elements.sort_by_key(|(name, _)| *name);
        global_attributes.sort_by_key(|(name, _)| *name);
        global_types.dedup_by_key(|(name, _)| *name);
        self.finish(Globals { global_types, global_elements, global_attributes })
    }

    /// Reads the complex types that were only named so far.
    fn read_waiting(&mut self) -> Result<(), SchemaError> {
        while let Some((number, decl)) = self.waiting.pop() {
            self.fill(number, decl, 0)?;
        }
        Ok(())
    }

    /// A default or fixed value is a value of its type (section 3.3.6, "Element Default Valid").
    fn check_presets(&self) -> Result<(), SchemaError> {
        for (number, decl) in &self.preset_nodes {
            let Some(element) = self.elements.get(*number as usize) else { continue };
            let simple = match element.of {
                TypeRef::Simple(simple) => self.simple.get(simple as usize).map(|found| &found.simple),
                TypeRef::Complex(complex) => match self.complex.get(complex as usize).map(|draft| &draft.content) {
                    Some(DraftContent::Simple(simple)) => Some(simple),
                    _ => None,
                },
                TypeRef::Missing => None,
            };
            let (Some(simple), Some(preset)) = (simple, &element.preset) else { continue };
            if let Err(reason) = simple.check(&preset.text, &preset.bindings, &mut Room::default()) {
                let what = format!("e-props-correct.2: the default or fixed value is {}", reason.what);
                return Err(self.declarations.error(&decl.node, decl.context, &what));
            }
        }
        Ok(())
    }

    fn finish(mut self, globals: Globals) -> Result<Set, SchemaError> {
        self.check_presets()?;
        let drafts = std::mem::take(&mut self.complex);
        let mut room = limits::SCHEMA_SET_NAMES_MAX;
        let substitutes = self.substitutes(&globals, &drafts, &mut room)?;
        for (element, found) in self.elements.iter_mut().zip(&substitutes) {
            element.substitutes.clone_from(found);
        }
        let mut complex = Vec::with_capacity(drafts.len());
        let names = NamesOf { elements: &self.elements, table: &self.declarations.names };
        let mut particles = 0_usize;
        for (number, draft) in drafts.into_iter().enumerate() {
            let content = match draft.content {
                DraftContent::Empty => Content::Empty,
                DraftContent::Simple(simple) => Content::Simple(simple),
                DraftContent::Elements(particle, is_mixed) => {
                    particles = particles.saturating_add(particle.size());
                    let compiled = if particles > limits::SCHEMA_SET_PARTICLES_MAX {
                        Err("a set of schemas whose content models have too many particles")
                    } else {
                        Model::compile(&particle, &names, &mut room)
                    };
                    let model = compiled.map_err(|what| self.error_of(number, what))?;
                    Content::Elements { model, is_mixed }
                }
            };
            let Draft { name, base, by, is_abstract, block, attributes, .. } = draft;
            let required = attributes.uses.iter().filter(|declared| declared.is_required).count();
            let is_identity = |of: &Arc<Simple>| of.identity() != Identity::None;
            let has_identities =
                attributes.uses.iter().any(|declared| declared.preset.is_some() && declared.of.as_ref().is_some_and(is_identity));
            complex.push(Complex { name, base, by, is_abstract, block, attributes, required, has_identities, content });
        }
        Ok(Set {
            names: self.declarations.names,
            elements: self.elements,
            complex,
            simple: self.simple,
            constraints: self.constraints,
            global_elements: globals.global_elements,
            global_attributes: globals.global_attributes,
            global_types: globals.global_types,
        })
    }

    fn error_of(&self, complex: usize, what: &str) -> SchemaError {
        match self.places.get(complex).copied().flatten() {
            Some(decl) => self.declarations.error(&decl.node, decl.context, what),
            None => SchemaError::new("", (1, 1), what),
        }
    }

    /// Who may stand in the place of each element (section 3.3.6, "substitution group").
    fn substitutes(&self, globals: &Globals, drafts: &[Draft], room: &mut usize) -> Result<Vec<Vec<(Name, u32)>>, SchemaError> {
        let mut found: Vec<Vec<(Name, u32)>> = vec![Vec::new(); self.elements.len()];
        for (_, member) in &globals.global_elements {
            let Some(element) = self.elements.get(*member as usize) else { continue };
            let (mut head, mut seen) = (element.head, BTreeSet::from([*member]));
            while let Some(number) = head.filter(|number| seen.insert(*number)) {
                let Some(of) = self.elements.get(number as usize) else { break };
                *room = room.saturating_sub(1);
                if seen.len() > limits::SCHEMA_DERIVATIONS_MAX || *room == 0 {
                    let what = "substitution groups that are too large, or nested too deep";
                    let decl = self.declarations.table.get(&(Space::Element, element.name));
                    return Err(match decl {
                        Some(decl) => self.declarations.error(&decl.node, decl.context, what),
                        None => SchemaError::new("", (1, 1), what),
                    });
                }
                if self.may_stand_for(element, of, drafts)
                    && let Some(list) = found.get_mut(number as usize)
                {
                    list.push((element.name, *member));
                }
                head = of.head;
            }
        }
        Ok(found)
    }

    fn may_stand_for(&self, member: &Element, head: &Element, drafts: &[Draft]) -> bool {
        if head.block.meets(Methods::SUBSTITUTION) {
            return false;
        }
        // The ways between both types, and what the types on the way forbid.
        let (mut at, mut ways, mut blocked) = (member.of, Methods::default(), head.block);
        for _ in 0..=drafts.len().saturating_add(self.simple.len()) {
            if at == head.of {
                if let TypeRef::Complex(number) = at {
                    blocked = blocked.and(drafts.get(number as usize).map_or(Methods::default(), |draft| draft.block));
                }
                return !blocked.meets(ways);
            }
            let (base, by, block) = match at {
                TypeRef::Simple(number) => {
                    self.simple.get(number as usize).map_or((ANY_TYPE, Methods::default(), Methods::default()), |found| {
                        (found.base, found.by, Methods::default())
                    })
                }
                TypeRef::Complex(number) => drafts
                    .get(number as usize)
                    .map_or((ANY_TYPE, Methods::default(), Methods::default()), |draft| (draft.base, draft.by, draft.block)),
                TypeRef::Missing => return true,
            };
            if at != member.of {
                blocked = blocked.and(block);
            }
            if base == at {
                // Through the members of a union, or not at all: the judge has seen to it.
                return !blocked.meets(ways);
            }
            (at, ways) = (base, ways.and(by));
        }
        false
    }

    /// The block or final of a declaration, or of its schema.
    pub(super) fn methods(&self, decl: &Decl<'d>, name: &str, default: &str) -> Methods {
        let root = decl.node.document().root_element();
        let text = attribute(&decl.node, name).or_else(|| attribute(&root, default)).unwrap_or("");
        text.split_ascii_whitespace().fold(Methods::default(), |all, word| {
            all.and(match word {
                "#all" => Methods(31),
                "extension" => Methods::EXTENSION,
                "restriction" => Methods::RESTRICTION,
                "substitution" => Methods::SUBSTITUTION,
                "list" => Methods::LIST,
                "union" => Methods::UNION,
                _ => Methods::default(),
            })
        })
    }

    pub(super) fn target_name(&mut self, context: Context, local: &str, form: Form) -> Name {
        let target = self.declarations.unit_of(context).map_or(String::new(), |unit| unit.target.clone());
        self.declarations.names.intern(if form == Form::Qualified { &target } else { "" }, local)
    }

    fn preset(&self, node: &Node<'_, '_>) -> Option<Preset> {
        let fixed = attribute(node, "fixed");
        let text = fixed.or_else(|| attribute(node, "default"))?;
        Some(Preset { text: text.into(), bindings: Bindings(bindings(node, text)), is_fixed: fixed.is_some() })
    }

    /// An element declaration, global or local.
    pub(super) fn element(&mut self, decl: Decl<'d>, level: Level) -> Result<u32, SchemaError> {
        let place = (decl.context.unit, decl.node.id().get());
        if let Some(known) = self.element_of.get(&place) {
            return Ok(*known);
        }
        let node = decl.node;
        let default = self.declarations.unit_of(decl.context).map_or(Form::Unqualified, |unit| unit.elements);
        let form = match level {
            Level::Global => Form::Qualified,
            Level::Local => attribute(&node, "form").map_or(default, Form::of),
        };
        let name = self.target_name(decl.context, attribute(&node, "name").unwrap_or(""), form);
        let number = self.elements.len() as u32;
        if self.elements.len() >= limits::SCHEMA_COMPONENTS_MAX {
            return Err(self.declarations.error(&node, decl.context, "a set of schemas with too many elements"));
        }
        self.element_of.insert(place, number);
        self.elements.push(Element {
            name,
            of: ANY_TYPE,
            nillable: is_true(attribute(&node, "nillable")),
            is_abstract: is_true(attribute(&node, "abstract")),
            block: self.methods(&decl, "block", "blockDefault"),
            preset: self.preset(&node),
            constraints: Vec::new(),
            substitutes: Vec::new(),
            head: None,
        });
        let head = match attribute(&node, "substitutionGroup").filter(|_| level == Level::Global) {
            Some(text) => {
                let head = self.declarations.resolve(&node, text, decl.context)?;
                match self.declarations.find(Space::Element, head, decl.context) {
                    Some(_) if self.heads >= limits::SCHEMA_DERIVATIONS_MAX => {
                        return Err(self.declarations.error(&node, decl.context, "substitution groups that are nested too deep"));
                    }
                    Some(found) => {
                        self.heads = self.heads.saturating_add(1);
                        let head = self.element(found, Level::Global)?;
                        self.heads = self.heads.saturating_sub(1);
                        Some(head)
                    }
                    None => None,
                }
            }
            None => None,
        };
        let of = self.type_of_element(decl, head)?;
        let constraints = self.constraints(decl)?;
        if let Some(element) = self.elements.get_mut(number as usize) {
            (element.of, element.head, element.constraints) = (of, head, constraints);
        }
        self.preset_nodes
            .extend(self.elements.get(number as usize).and_then(|element| element.preset.as_ref()).map(|_| (number, decl)));
        Ok(number)
    }

    fn type_of_element(&mut self, decl: Decl<'d>, head: Option<u32>) -> Result<TypeRef, SchemaError> {
        let node = decl.node;
        if let Some(text) = attribute(&node, "type") {
            return self.type_named(&node, text, decl.context);
        }
        match child(&node, "complexType").or_else(|| child(&node, "simpleType")) {
            Some(inline) => self.type_at(Decl { node: inline, context: decl.context }, None),
            None => Ok(head.and_then(|head| self.elements.get(head as usize)).map_or(ANY_TYPE, |head| head.of)),
        }
    }

    fn constraints(&mut self, decl: Decl<'d>) -> Result<Vec<u32>, SchemaError> {
        let mut numbers = Vec::new();
        for node in children(&decl.node) {
            let kind = match node.tag_name().name() {
                "unique" => Kind::Unique,
                "key" => Kind::Key,
                "keyref" => Kind::Keyref,
                _ => continue,
            };
            let name = self.target_name(decl.context, attribute(&node, "name").unwrap_or(""), Form::Qualified);
            let refer = match attribute(&node, "refer") {
                Some(text) => Some(self.declarations.resolve(&node, text, decl.context)?),
                None => None,
            };
            let mut paths = |node: &Node<'d, 'd>, of: PathOf| {
                let space = |prefix: &str| match prefix {
                    "xml" => Some("http://www.w3.org/XML/1998/namespace".to_owned()),
                    prefix => node.lookup_namespace_uri(Some(prefix)).map(str::to_owned),
                };
                let text = attribute(node, "xpath").unwrap_or("");
                let found = read_paths(text, of, &mut self.declarations.names, &space);
                found.map_err(|what| self.declarations.error(node, decl.context, &what))
            };
            let selector = child(&node, "selector").map_or(Ok(Vec::new()), |node| paths(&node, PathOf::Selector))?;
            let fields = children(&node).filter(|node| node.tag_name().name() == "field");
            let fields = fields.map(|field| paths(&field, PathOf::Field)).collect::<Result<Vec<_>, _>>()?;
            let mut all = selector.iter().chain(fields.iter().flatten());
            let is_long = all.any(|path| path.steps.len() > limits::SCHEMA_STEPS_MAX);
            let paths = fields.iter().map(Vec::len).fold(selector.len(), usize::saturating_add);
            if is_long || paths.max(fields.len()) > limits::SCHEMA_FIELDS_MAX || numbers.len() >= limits::SCHEMA_CANDIDATES_MAX {
                let what = "an identity constraint with too many paths, or too long ones";
                return Err(self.declarations.error(&node, decl.context, what));
            }
            numbers.push(self.constraints.len() as u32);
            self.constraints.push(Constraint { kind, name, refer, selector, fields });
        }
        Ok(numbers)
    }

    /// An attribute, global, local or referred to.
    pub(super) fn attribute_use(&mut self, decl: Decl<'d>, level: Level) -> Result<Use, SchemaError> {
        let node = decl.node;
        let is_required = attribute(&node, "use") == Some("required");
        if let Some(text) = attribute(&node, "ref") {
            let name = self.declarations.resolve(&node, text, decl.context)?;
            let found = match self.declarations.find(Space::Attribute, name, decl.context) {
                Some(global) if level == Level::Local => self.attribute_use(global, Level::Global)?,
                _ => Use { name, of: None, is_required, preset: None, fixed: None },
            };
            let mut found = Use { is_required, ..found };
            if let Some(preset) = self.preset(&node) {
                self.set_preset(&mut found, preset, decl)?;
            }
            return Ok(found);
        }
        let default = self.declarations.unit_of(decl.context).map_or(Form::Unqualified, |unit| unit.attributes);
        let form = match level {
            Level::Global => Form::Qualified,
            Level::Local => attribute(&node, "form").map_or(default, Form::of),
        };
        let name = self.target_name(decl.context, attribute(&node, "name").unwrap_or(""), form);
        let of = match (attribute(&node, "type"), child(&node, "simpleType")) {
            (Some(text), _) => self.type_named(&node, text, decl.context)?,
            (None, Some(inline)) => self.type_at(Decl { node: inline, context: decl.context }, None)?,
            (None, None) => self.built_in("anySimpleType"),
        };
        let of = match of {
            TypeRef::Simple(number) => self.simple.get(number as usize).map(|found| Arc::clone(&found.simple)),
            _ => None,
        };
        let mut found = Use { name, of, is_required, preset: None, fixed: None };
        if let Some(preset) = self.preset(&node) {
            self.set_preset(&mut found, preset, decl)?;
        }
        Ok(found)
    }

    fn set_preset(&self, found: &mut Use, preset: Preset, decl: Decl<'d>) -> Result<(), SchemaError> {
        if let Some(of) = &found.of {
            let value = of.value(&preset.text, &preset.bindings, &mut Room::default());
            let value = value.map_err(|reason| {
                let what = format!("a-props-correct.2: the default or fixed value is {}", reason.what);
                self.declarations.error(&decl.node, decl.context, &what)
            })?;
            found.fixed = Some(Arc::new(value)).filter(|_| preset.is_fixed);
        }
        found.preset = Some(Arc::new(preset));
        Ok(())
    }

    /// The wildcard of a node.
    pub(super) fn wildcard(&self, node: &Node<'_, '_>, context: Context) -> Wildcard {
        let target: Box<str> = self.declarations.unit_of(context).map_or("", |unit| &unit.target).into();
        let process = match attribute(node, "processContents") {
            Some("lax") => Process::Lax,
            Some("skip") => Process::Skip,
            _ => Process::Strict,
        };
        let spaces = match attribute(node, "namespace").map(str::trim) {
            None | Some("##any") => Spaces::Any,
            Some("##other") => Spaces::Other(target),
            Some(listed) => Spaces::Of(
                listed
                    .split_ascii_whitespace()
                    .map(|word| match word {
                        "##targetNamespace" => target.clone(),
                        "##local" => "".into(),
                        uri => uri.into(),
                    })
                    .collect(),
            ),
        };
        Wildcard { spaces, process }
    }

    /// The particle of a node; none of what never occurs. There is a most that there may be in all: groups that name groups twice
    /// are larger than they look.
    pub(super) fn particle(&mut self, decl: Decl<'d>, growth: &mut Growth) -> Result<Option<Particle>, SchemaError> {
        if growth.depth > limits::SCHEMA_DEPTH_MAX {
            return Err(self.declarations.error(&decl.node, decl.context, "a content model whose groups are nested too deep"));
        }
        growth.depth = growth.depth.saturating_add(1);
        let found = self.particle_inside(decl, growth)?;
        growth.depth = growth.depth.saturating_sub(1);
        Ok(found)
    }

    fn particle_inside(&mut self, decl: Decl<'d>, growth: &mut Growth) -> Result<Option<Particle>, SchemaError> {
        let node = decl.node;
        let (min, max) = (occurs(&node, "minOccurs"), occurs(&node, "maxOccurs"));
        if max == 0 {
            return Ok(None);
        }
        growth.particles = growth.particles.saturating_add(1);
        self.particles = self.particles.saturating_sub(1);
        if growth.particles > limits::SCHEMA_PARTICLES_MAX || self.particles == 0 {
            return Err(self.declarations.error(&node, decl.context, "a content model with too many particles"));
        }
        let term = match node.tag_name().name() {
            "element" => Term::Element(self.element_particle(decl)?),
            "any" => Term::Any(self.wildcard(&node, decl.context)),
            "group" => {
                let name = self.declarations.resolve(&node, attribute(&node, "ref").unwrap_or(""), decl.context)?;
                let Some(group) = self.declarations.find(Space::Group, name, decl.context) else {
                    return Err(self.declarations.error(&node, decl.context, "src-resolve: a group that is not declared"));
                };
                let found = self.group_particle(group, growth)?;
                return Ok(found.map(|found| match found {
                    Particle { min: 1, max: 1, term } => Particle { min, max, term },
                    Particle { min: 0, max: 1, term: term @ Term::All(_) } if max == 1 => Particle { min: 0, max, term },
                    found => Particle { min, max, term: Term::Sequence(vec![found]) },
                }));
            }
            group => {
                let mut items = Vec::new();
                for item in children(&node) {
                    items.extend(self.particle(Decl { node: item, context: decl.context }, growth)?);
                }
                match group {
                    "choice" => Term::Choice(items),
                    "all" => Term::All(items),
                    _ => Term::Sequence(items),
                }
            }
        };
        Ok(Some(Particle { min, max, term }))
    }

    /// The particle of a group's declaration.
    fn group_particle(&mut self, group: Decl<'d>, growth: &mut Growth) -> Result<Option<Particle>, SchemaError> {
        let place = (group.context.unit, group.node.id().get());
        if growth.open.contains(&place) {
            return Err(self.declarations.error(&group.node, group.context, "a group that contains itself"));
        }
        growth.open.push(place);
        let inner = children(&group.node).find(|node| matches!(node.tag_name().name(), "sequence" | "choice" | "all"));
        let found = match inner {
            Some(inner) => self.particle(Decl { node: inner, context: group.context }, growth)?,
            None => None,
        };
        growth.open.pop();
        Ok(found)
    }

    /// Reads a group for itself alone.
    fn group(&mut self, group: Decl<'d>) -> Result<(), SchemaError> {
        let before = self.particles;
        self.group_particle(group, &mut Growth::default())?;
        self.particles = before;
        Ok(())
    }

    fn element_particle(&mut self, decl: Decl<'d>) -> Result<u32, SchemaError> {
        let node = decl.node;
        let Some(text) = attribute(&node, "ref") else { return self.element(decl, Level::Local) };
        let name = self.declarations.resolve(&node, text, decl.context)?;
        match self.declarations.find(Space::Element, name, decl.context) {
            Some(global) => self.element(global, Level::Global),
            None => Err(self.declarations.error(&node, decl.context, "src-resolve: an element that is not declared")),
        }
    }
}

struct Globals {
    global_types: Vec<(Name, TypeRef)>,
    global_elements: Vec<(Name, u32)>,
    global_attributes: Vec<(Name, Use)>,
}

/// What a model is told of elements.
struct NamesOf<'b> {
    elements: &'b [Element],
    table: &'b Names,
}

impl Declared for NamesOf<'_> {
    fn names(&self, number: u32) -> Vec<(Name, u32)> {
        let Some(element) = self.elements.get(number as usize) else { return Vec::new() };
        std::iter::once((element.name, number)).chain(element.substitutes.iter().copied()).collect()
    }

    fn table(&self) -> &Names {
        self.table
    }
}
