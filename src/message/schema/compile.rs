//! From the trees of schema files to types that can be run. Whatever is not understood here is refused here.

use super::SchemaError;
use super::model::{Model, Particle, Repeat, Tree};
use super::number::{Bound, Inclusive};
use super::pattern::Pattern;
use super::read::{Node, QName, Source, XS};
use super::value::{Kind, Simple, White};
use crate::base::limits;
use std::collections::{BTreeMap, BTreeSet};

/// The namespace of the types that all documents share; its type `Id` is the type of identifiers.
const TYPES: &str = "urn:oncegate:types:1";

/// The type of an element.
#[derive(Debug)]
pub(super) struct Complex {
    pub(super) attributes: Vec<Attribute>,
    /// One bit for each attribute that must be there.
    pub(super) required: u64,
    pub(super) content: Content,
    /// Whether it is the type of identifiers or extends it: values are then parsed, and check digits verified.
    pub(super) identifier: bool,
}

/// What stands between the tags.
#[derive(Debug)]
pub(super) enum Content {
    Empty,
    Text(Simple),
    Elements(Model),
}

/// An attribute; it is in no namespace.
#[derive(Clone, Debug)]
pub(super) struct Attribute {
    pub(super) local: Box<str>,
    pub(super) simple: Simple,
    required: bool,
}

/// All types of a set of schemas, and the elements that may be a root.
#[derive(Debug, Default)]
pub(super) struct Types {
    pub(super) complexes: Vec<Complex>,
    pub(super) roots: BTreeMap<QName, usize>,
}

/// The declarations at the top of the files, by kind and name.
struct Index<'s, 't> {
    types: BTreeMap<QName, (&'s Source<'t>, &'s Node)>,
}

struct Compiler<'s, 't> {
    index: Index<'s, 't>,
    types: Types,
    /// The types under construction, to find one that contains itself.
    open: BTreeSet<QName>,
    simples: BTreeMap<QName, Simple>,
    named: BTreeMap<QName, usize>,
}

/// Compiles all files of a set together.
pub(super) fn compile(sources: &[Source<'_>]) -> Result<Types, SchemaError> {
    let index = index(sources)?;
    let mut compiler =
        Compiler { index, types: Types::default(), open: BTreeSet::new(), simples: BTreeMap::new(), named: BTreeMap::new() };
    for source in sources {
        for node in &source.root.children {
            compiler.top(source, node)?;
        }
    }
    Ok(compiler.types)
}

fn index<'s, 't>(sources: &'s [Source<'t>]) -> Result<Index<'s, 't>, SchemaError> {
    let mut types = BTreeMap::new();
    for source in sources {
        for node in &source.root.children {
            match &*node.local {
                "include" | "import" => check_reference(sources, source, node)?,
                "simpleType" | "complexType" => {
                    let name = QName { uri: source.target.clone(), local: source.required(node, "name")?.into() };
                    if types.insert(name, (source, node)).is_some() {
                        return source.fail(node, "a type declared twice");
                    }
                }
                "element" => {}
                _ => return source.refuse(node, &source.root),
            }
        }
    }
    Ok(Index { types })
}

/// An import or include must name a file of the set: nothing is ever fetched.
fn check_reference(sources: &[Source<'_>], source: &Source<'_>, node: &Node) -> Result<(), SchemaError> {
    let include = *node.local == *"include";
    source.only(node, if include { &["schemaLocation"] } else { &["schemaLocation", "namespace"] })?;
    let file = source.required(node, "schemaLocation")?;
    let target = if include { &*source.target } else { source.required(node, "namespace")? };
    match sources.iter().find(|other| other.file == file) {
        None => source.fail(node, format!("the file {file}, which is not in the set")),
        Some(other) if *other.target != *target => source.fail(node, format!("the file {file}, whose namespace is another")),
        Some(_) if !include && *source.target == *target => source.fail(node, "an import of the schema's own namespace"),
        Some(_) => Ok(()),
    }
}

impl<'s, 't> Compiler<'s, 't> {
    fn top(&mut self, source: &'s Source<'t>, node: &'s Node) -> Result<(), SchemaError> {
        let name = || QName { uri: source.target.clone(), local: node.attribute("name").unwrap_or("").into() };
        match &*node.local {
            "element" => {
                source.required(node, "name")?;
                source.only(node, &["name", "type"])?;
                let complex = self.element_type(source, node)?;
                match self.types.roots.insert(name(), complex) {
                    None => Ok(()),
                    Some(_) => source.fail(node, "an element declared twice"),
                }
            }
            // What nothing refers to is compiled all the same, so that every line is understood or refused.
            "simpleType" | "complexType" => self.named_type(source, node, &name()).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The type of an element: named, or written inside it.
    fn element_type(&mut self, source: &'s Source<'t>, node: &'s Node) -> Result<usize, SchemaError> {
        let mut inside = node.children.iter();
        match (node.names("type").next(), inside.next(), inside.next()) {
            (Some(name), None, _) => self.named_type(source, node, name),
            (None, Some(child), None) if *child.local == *"complexType" => self.complex(source, child, None),
            (None, Some(child), None) if *child.local == *"simpleType" => {
                let simple = self.simple(source, child)?;
                Ok(self.push_simple(simple, None))
            }
            (None, None, _) => source.fail(node, "an element without a type, which could hold anything"),
            (_, Some(child), _) => source.refuse(child, node),
        }
    }

    fn named_type(&mut self, source: &'s Source<'t>, node: &'s Node, name: &QName) -> Result<usize, SchemaError> {
        if let Some(known) = self.named.get(name) {
            return Ok(*known);
        }
        let found = self.index.types.get(name).copied().filter(|(_, found)| *found.local == *"complexType");
        let Some((home, found)) = found else {
            let simple = self.named_simple(source, node, name)?;
            return Ok(self.push_simple(simple, Some(name.clone())));
        };
        check_visible(source, node, name)?;
        if !self.begin(source, node, name)? {
            return source.fail(node, "a type that contains itself: the depth of a document would have no bound");
        }
        let made = self.complex(home, found, Some(name.clone()))?;
        self.open.remove(name);
        self.named.insert(name.clone(), made);
        Ok(made)
    }

    /// Notes a type as under construction; false if it already is. Types that refer to types are compiled by recursion,
    /// which must not exhaust the stack.
    fn begin(&mut self, source: &Source<'_>, node: &Node, name: &QName) -> Result<bool, SchemaError> {
        if self.open.len() >= limits::DEPTH_MAX {
            return source.fail(node, "types that refer to one another too deeply");
        }
        Ok(self.open.insert(name.clone()))
    }

    fn push_simple(&mut self, simple: Simple, name: Option<QName>) -> usize {
        let made = self.push(Complex { attributes: Vec::new(), required: 0, content: Content::Text(simple), identifier: false });
        self.named.extend(name.map(|name| (name, made)));
        made
    }

    fn push(&mut self, complex: Complex) -> usize {
        self.types.complexes.push(complex);
        self.types.complexes.len().saturating_sub(1)
    }

    fn complex(&mut self, source: &'s Source<'t>, node: &'s Node, name: Option<QName>) -> Result<usize, SchemaError> {
        source.only(node, if name.is_some() { &["name"] } else { &[] })?;
        let (mut attributes, mut content) = (Vec::new(), Content::Empty);
        let mut identifier = name.as_ref().is_some_and(|name| *name.uri == *TYPES && *name.local == *"Id");
        for (at, child) in node.children.iter().enumerate() {
            match &*child.local {
                "attribute" => attributes.push(self.attribute(source, child)?),
                "sequence" | "choice" if at == 0 => {
                    let tree = self.group(source, child)?;
                    let model = Model::compile(tree).map_err(|what| source.error(child.at, what))?;
                    content = if model.positions.is_empty() { Content::Empty } else { Content::Elements(model) };
                }
                "simpleContent" if at == 0 && node.children.len() == 1 => {
                    let extended;
                    (attributes, content, extended) = self.simple_content(source, child)?;
                    identifier |= extended;
                }
                _ => return source.refuse(child, node),
            }
        }
        let required = required_bits(source, node, &attributes)?;
        Ok(self.push(Complex { attributes, required, content, identifier }))
    }

    /// The attributes and content of a type that extends text, and whether the text is an identifier.
    fn simple_content(&mut self, source: &'s Source<'t>, node: &'s Node) -> Result<(Vec<Attribute>, Content, bool), SchemaError> {
        source.only(node, &[])?;
        let [extension] = node.children.as_slice() else { return source.fail(node, "xs:simpleContent without one xs:extension") };
        if *extension.local != *"extension" {
            return source.refuse(extension, node);
        }
        source.only(extension, &["base"])?;
        source.required(extension, "base")?;
        let base = extension.names("base").next().ok_or_else(|| source.error(extension.at, "a base without a name"))?;
        let base = self.named_type(source, extension, base)?;
        let (mut attributes, simple, identifier) = match self.types.complexes.get(base) {
            Some(Complex { attributes, content: Content::Text(simple), identifier, .. }) => {
                (attributes.clone(), simple.clone(), *identifier)
            }
            _ => return source.fail(extension, "a base that is not of text"),
        };
        for child in &extension.children {
            if *child.local != *"attribute" {
                return source.refuse(child, extension);
            }
            attributes.push(self.attribute(source, child)?);
        }
        Ok((attributes, Content::Text(simple), identifier))
    }

    fn attribute(&mut self, source: &'s Source<'t>, node: &'s Node) -> Result<Attribute, SchemaError> {
        source.only(node, &["name", "type", "use"])?;
        let required = match node.attribute("use") {
            None | Some("optional") => false,
            Some("required") => true,
            Some(_) => return source.fail(node, "a use other than required and optional"),
        };
        let simple = match (node.names("type").next(), node.children.as_slice()) {
            (Some(name), []) => self.named_simple(source, node, name)?,
            (None, [child]) if *child.local == *"simpleType" => self.simple(source, child)?,
            (None, []) => return source.fail(node, "an attribute without a type"),
            (_, [child, ..]) => return source.refuse(child, node),
        };
        Ok(Attribute { local: source.required(node, "name")?.into(), simple, required })
    }

    fn group(&mut self, source: &'s Source<'t>, node: &'s Node) -> Result<Tree, SchemaError> {
        source.only(node, &["minOccurs", "maxOccurs"])?;
        let repeat = match occurs(source, node)? {
            (0, 1) => Repeat { optional: true, unbounded: false },
            (1, 1) => Repeat { optional: false, unbounded: false },
            (0, u32::MAX) => Repeat { optional: true, unbounded: true },
            (1, u32::MAX) => Repeat { optional: false, unbounded: true },
            _ => return source.fail(node, "a group that occurs neither once, nor at most once, nor without a bound"),
        };
        if *node.local == *"choice" && node.children.is_empty() {
            return source.fail(node, "an empty xs:choice, which nothing can satisfy");
        }
        let mut items = Vec::new();
        for child in &node.children {
            items.push(match &*child.local {
                "element" => Tree::Element(self.particle(source, child)?),
                "sequence" | "choice" => self.group(source, child)?,
                _ => return source.refuse(child, node),
            });
        }
        Ok(if *node.local == *"choice" { Tree::Choice(items, repeat) } else { Tree::Sequence(items, repeat) })
    }

    fn particle(&mut self, source: &'s Source<'t>, node: &'s Node) -> Result<Particle, SchemaError> {
        source.only(node, &["name", "type", "minOccurs", "maxOccurs"])?;
        let name = QName { uri: source.target.clone(), local: source.required(node, "name")?.into() };
        let (min, max) = occurs(source, node)?;
        if max == 0 {
            return source.fail(node, "an element that may not occur");
        }
        Ok(Particle { name, complex: self.element_type(source, node)?, min, max, optional: false })
    }

    fn named_simple(&mut self, source: &'s Source<'t>, node: &'s Node, name: &QName) -> Result<Simple, SchemaError> {
        if *name.uri == *XS {
            let unknown = || source.error(node.at, format!("the built-in type xs:{}", name.local));
            return Simple::built_in(&name.local).ok_or_else(unknown);
        }
        check_visible(source, node, name)?;
        if let Some(known) = self.simples.get(name) {
            return Ok(known.clone());
        }
        let unknown = || source.error(node.at, format!("the type {}, which is not declared", name.local));
        let (home, found) = self.index.types.get(name).copied().ok_or_else(unknown)?;
        if *found.local != *"simpleType" {
            return source.fail(node, format!("the type {}, which is not simple", name.local));
        }
        if !self.begin(source, node, name)? {
            return source.fail(node, "a type derived from itself");
        }
        let made = self.simple(home, found)?;
        self.open.remove(name);
        self.simples.insert(name.clone(), made.clone());
        Ok(made)
    }

    fn simple(&mut self, source: &'s Source<'t>, node: &'s Node) -> Result<Simple, SchemaError> {
        source.only(node, &["name"])?;
        let [child] = node.children.as_slice() else { return source.fail(node, "xs:simpleType without one derivation") };
        match &*child.local {
            "restriction" => self.restriction(source, child),
            "list" => {
                source.only(child, &["itemType"])?;
                let item = self.members(source, child, "itemType")?;
                let [item] = item.as_slice() else { return source.fail(child, "xs:list without one type of items") };
                if matches!(item.kind, Kind::List(_) | Kind::Union(_)) {
                    return source.fail(child, "a list of lists or unions");
                }
                Ok(Simple::of(White::Collapse, Kind::List(Box::new(item.clone()))))
            }
            "union" => {
                source.only(child, &["memberTypes"])?;
                let members = self.members(source, child, "memberTypes")?;
                if members.is_empty() || members.iter().any(|member| matches!(member.kind, Kind::Union(_))) {
                    return source.fail(child, "a union of nothing or of unions");
                }
                Ok(Simple::of(White::Collapse, Kind::Union(members)))
            }
            _ => source.refuse(child, node),
        }
    }

    /// The types that an attribute names, then those written inside.
    fn members(&mut self, source: &'s Source<'t>, node: &'s Node, attribute: &'s str) -> Result<Vec<Simple>, SchemaError> {
        let mut members =
            node.names(attribute).map(|name| self.named_simple(source, node, name)).collect::<Result<Vec<_>, _>>()?;
        for child in &node.children {
            if *child.local != *"simpleType" {
                return source.refuse(child, node);
            }
            members.push(self.simple(source, child)?);
        }
        Ok(members)
    }

    fn restriction(&mut self, source: &'s Source<'t>, node: &'s Node) -> Result<Simple, SchemaError> {
        source.only(node, &["base"])?;
        let inside = node.children.iter().filter(|child| *child.local == *"simpleType").count();
        let mut base = match (node.names("base").next(), inside) {
            (Some(name), 0) => self.named_simple(source, node, name)?,
            (None, 1) => match node.child("simpleType") {
                Some(child) => self.simple(source, child)?,
                None => return source.fail(node, "a restriction of nothing"),
            },
            _ => return source.fail(node, "a restriction without one base"),
        };
        let facets: Vec<&Node> = node.children.iter().filter(|child| *child.local != *"simpleType").collect();
        if matches!(base.kind, Kind::Union(_)) && !facets.is_empty() {
            return source.fail(node, "a facet on a union");
        }
        for facet in &facets {
            source.only(facet, &["value"])?;
            restrict(source, node, &mut base, facet)?;
        }
        base.bounds.settle();
        let all = |name: &str| {
            facets.iter().filter(|facet| *facet.local == *name).filter_map(|facet| facet.attribute("value")).collect()
        };
        let patterns: Vec<&str> = all("pattern");
        if matches!(base.kind, Kind::Date) && base.patterns.is_empty() && patterns == [PLAIN_DAY] {
            base.kind = Kind::PlainDay;
        } else if !patterns.is_empty() {
            base.patterns.push(Pattern::compile(&patterns).map_err(|what| source.error(node.at, what))?);
        }
        enumerate(source, node, base, &all("enumeration"))
    }
}

/// A name of another namespace must be imported by the file that uses it.
fn check_visible(source: &Source<'_>, node: &Node, name: &QName) -> Result<(), SchemaError> {
    let imported =
        || source.root.children.iter().any(|child| *child.local == *"import" && child.attribute("namespace") == Some(&*name.uri));
    if *name.uri == *source.target || imported() {
        Ok(())
    } else {
        source.fail(node, format!("the type {}, whose namespace is not imported", name.local))
    }
}

fn required_bits(source: &Source<'_>, node: &Node, attributes: &[Attribute]) -> Result<u64, SchemaError> {
    let mut bits = 0_u64;
    for (at, attribute) in attributes.iter().enumerate() {
        if attributes.iter().take(at).any(|other| other.local == attribute.local) {
            return source.fail(node, format!("the attribute {} declared twice", attribute.local));
        }
        let bit = u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at));
        let bit = bit.ok_or_else(|| source.error(node.at, "more than 64 attributes"))?;
        bits |= if attribute.required { bit } else { 0 };
    }
    Ok(bits)
}

fn occurs(source: &Source<'_>, node: &Node) -> Result<(u32, u32), SchemaError> {
    let number = |attribute: &str| match node.attribute(attribute) {
        None => Ok(1),
        Some("unbounded") if attribute == "maxOccurs" => Ok(u32::MAX),
        Some(text) if text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
            text.parse().map_err(|_| source.error(node.at, format!("{attribute} out of range")))
        }
        Some(_) => source.fail(node, format!("{attribute} that is not a number up to 999999")),
    };
    let (min, max) = (number("minOccurs")?, number("maxOccurs")?);
    if min > max { source.fail(node, "minOccurs above maxOccurs") } else { Ok((min, max)) }
}

/// Applies one facet other than pattern and enumeration.
fn restrict(source: &Source<'_>, parent: &Node, base: &mut Simple, facet: &Node) -> Result<(), SchemaError> {
    let text = source.required(facet, "value")?;
    let wrong = || source.error(facet.at, format!("xs:{} on a type that does not take it", facet.local));
    let has_length = matches!(base.kind, Kind::Text | Kind::Name | Kind::Uri | Kind::Base64 | Kind::List(_));
    let is_number = matches!(base.kind, Kind::Integer | Kind::Decimal);
    let count = || {
        let plain = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if plain { text.parse::<usize>().ok() } else { None };
        number.ok_or_else(|| source.error(facet.at, format!("xs:{} that is not a number up to 999999999", facet.local)))
    };
    let bound = |inclusive| {
        let bound = if is_number { Bound::parse(text, inclusive) } else { None };
        bound.ok_or_else(wrong)
    };
    match &*facet.local {
        "pattern" => {}
        "enumeration" if matches!(base.kind, Kind::Text | Kind::Name | Kind::Uri) => {}
        "length" if has_length => {
            (base.length_min, base.length_max) = (count()?.max(base.length_min), count()?.min(base.length_max))
        }
        "minLength" if has_length => base.length_min = count()?.max(base.length_min),
        "maxLength" if has_length => base.length_max = count()?.min(base.length_max),
        "minInclusive" => base.bounds.low.push(bound(Inclusive::Yes)?),
        "minExclusive" => base.bounds.low.push(bound(Inclusive::No)?),
        "maxInclusive" => base.bounds.high.push(bound(Inclusive::Yes)?),
        "maxExclusive" => base.bounds.high.push(bound(Inclusive::No)?),
        "totalDigits" if is_number => {
            base.bounds.total_digits = Some(count()?.min(base.bounds.total_digits.unwrap_or(usize::MAX)))
        }
        "fractionDigits" if is_number => {
            base.bounds.fraction_digits = Some(count()?.min(base.bounds.fraction_digits.unwrap_or(usize::MAX)))
        }
        "enumeration" | "length" | "minLength" | "maxLength" | "totalDigits" | "fractionDigits" => return Err(wrong()),
        _ => return source.refuse(facet, parent),
    }
    Ok(())
}

/// Settles the list of allowed values. A value is then decided by the list alone, so it holds only what all other facets
/// and the list of the base let through.
fn enumerate(source: &Source<'_>, node: &Node, mut base: Simple, values: &[&str]) -> Result<Simple, SchemaError> {
    let inherited = base.enumeration.take();
    let mut scratch = String::new();
    if values.is_empty() {
        base.enumeration = inherited.map(|mut known| {
            known.retain(|value| base.check(value, &mut scratch).is_ok());
            known
        });
        return Ok(base);
    }
    let mut allowed: Vec<Box<str>> = Vec::new();
    for value in values {
        let value = base.check(value, &mut scratch);
        let value = value.map_err(|what| source.error(node.at, format!("an enumeration with a value that is {what}")))?;
        if inherited.as_ref().is_some_and(|known| !known.iter().any(|known| **known == *value)) {
            return source.fail(node, "an enumeration with a value that the base does not allow");
        }
        allowed.push(value.into());
    }
    base.enumeration = Some(allowed);
    Ok(base)
}

/// The pattern of days that need no automaton, since reading a day means the same.
const PLAIN_DAY: &str = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
