//! Reading schema documents: which there are, and which components they declare (XML Schema 1.0, part 1, sections 3 and 4).
//!
//! Whether a set keeps all constraints on schemas is for the judge to say (`judge.rs`); here everything is taken as it is meant,
//! and refused only where nothing can be made of it. All recursion has a bound, since nobody has judged the set before.

use super::SchemaError;
use super::names::{Name, Names};
use crate::base::limits;
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The namespace of XML Schema.
pub const XS: &str = "http://www.w3.org/2001/XMLSchema";

/// The namespace of `xml:lang` and the like.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// What a set is given for it that brings none of its own.
const XML_FILE: &str = "xml.xsd (built in)";
const XML_SCHEMA: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace">
  <xs:attribute name="lang"><xs:simpleType><xs:union memberTypes="xs:language"><xs:simpleType><xs:restriction base="xs:string">
    <xs:enumeration value=""/></xs:restriction></xs:simpleType></xs:union></xs:simpleType></xs:attribute>
  <xs:attribute name="space"><xs:simpleType><xs:restriction base="xs:NCName">
    <xs:enumeration value="default"/><xs:enumeration value="preserve"/></xs:restriction></xs:simpleType></xs:attribute>
  <xs:attribute name="base" type="xs:anyURI"/>
  <xs:attribute name="id" type="xs:ID"/>
  <xs:attributeGroup name="specialAttrs">
    <xs:attribute ref="xml:base"/><xs:attribute ref="xml:lang"/><xs:attribute ref="xml:space"/><xs:attribute ref="xml:id"/>
  </xs:attributeGroup>
</xs:schema>"#;

/// A schema document: its name in its set, and its text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name, by which others are found from it.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Where schema documents come from.
pub trait Library {
    /// The document that another one names by a location, or by its namespace alone; none if there is none.
    fn fetch(&mut self, from: &str, location: Option<&str>, namespace: &str) -> Option<Source>;
}

/// A document that is named and was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Where it is named, and what is absent.
    pub error: SchemaError,
    /// Whether it was to be imported: then its namespace may come from elsewhere, or not be needed.
    pub is_import: bool,
    /// The namespace that was to come.
    pub namespace: String,
}

/// What a set is read from: each document once.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The documents.
    pub sources: Vec<Source>,
    /// Which documents were asked for, rather than named by others.
    pub roots: Vec<usize>,
    /// By document and location (and namespace): which document that is.
    edges: BTreeMap<(usize, String, String), usize>,
    /// Those that were not found.
    pub absent: Vec<Absent>,
}

/// The tree of a schema document, within the bounds of schemas.
pub fn parse(source: &Source) -> Result<Document<'_>, SchemaError> {
    if source.text.len() > limits::SCHEMA_BYTES_MAX {
        return Err(SchemaError::new(&source.name, (1, 1), "a file larger than a schema may be"));
    }
    if swells(&source.text) {
        return Err(SchemaError::new(
            &source.name,
            (1, 1),
            "entities or namespaces that make the file larger than a schema may be",
        ));
    }
    let failed = |error: roxmltree::Error| {
        let at = error.pos();
        SchemaError::new(&source.name, (at.row, at.col), &format!("not well-formed: {error}"))
    };
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let document = {
        let options = ParsingOptions { allow_dtd: true, nodes_limit: limits::SCHEMA_NODES_MAX, ..ParsingOptions::default() };
        Document::parse_with_options(text, options)
    }
    .map_err(failed)?;
    if is_too_deep(&document) {
        return Err(SchemaError::new(&source.name, (1, 1), "elements are nested too deep"));
    }
    Ok(document)
}

/// The target namespace of a document, empty if it has none.
pub fn target_of(source: &Source) -> Result<String, SchemaError> {
    let document = parse(source)?;
    Ok(attribute(&document.root_element(), "targetNamespace").unwrap_or("").to_owned())
}

fn is_too_deep(document: &Document<'_>) -> bool {
    let (mut node, mut depth) = (document.root(), 0_usize);
    loop {
        if let Some(child) = node.first_child() {
            (node, depth) = (child, depth.saturating_add(1));
            if depth > limits::SCHEMA_DEPTH_MAX {
                return true;
            }
            continue;
        }
        loop {
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            let Some(parent) = node.parent() else { return false };
            (node, depth) = (parent, depth.saturating_sub(1));
        }
    }
}

/// What a text would become once its entities are put in place and its namespaces handed down, at most; the library that reads
/// it has no bound on either.
fn swells(text: &str) -> bool {
    let (mut declared, mut prefixes) = (0_usize, BTreeSet::new());
    for (at, _) in text.match_indices("xmlns") {
        let rest = text.get(at..).unwrap_or("");
        let name = rest.split(['=', ' ', '\t', '\r', '\n', '>']).next().unwrap_or("");
        declared = declared.saturating_add(1);
        prefixes.insert(name);
        if declared.saturating_mul(prefixes.len()) > limits::SCHEMA_BINDINGS_MAX {
            return true;
        }
    }
    let Some(first) = text.find("<!ENTITY") else { return false };
    let end = text
        .rfind("<!ENTITY")
        .map_or(first, |last| text.get(last..).and_then(|rest| rest.find('>')).unwrap_or(0).saturating_add(last));
    let (inside, outside) = (text.get(first..end).unwrap_or(""), text.get(end..).unwrap_or(""));
    let within = inside.matches('&').count();
    // An entity inside another one is put in place at most 255 times.
    let each = if within == 0 { inside.len() } else { inside.len().saturating_mul(255) };
    outside.matches('&').count().saturating_add(text.get(..first).unwrap_or("").matches('&').count()).saturating_mul(each)
        > limits::SCHEMA_BYTES_MAX
}

/// Finds all documents that the given ones name, directly or not.
pub fn load(roots: Vec<Source>, library: &mut dyn Library) -> Result<Loaded, SchemaError> {
    let mut loaded = Loaded::default();
    for root in roots {
        let known = loaded.sources.iter().position(|known| known.name == root.name);
        let at = known.unwrap_or(loaded.sources.len());
        if known.is_none() {
            loaded.sources.push(root);
        }
        loaded.roots.push(at);
    }
    let (mut at, mut octets, mut nodes) = (0, 0_usize, 0_usize);
    let (mut later, mut targets) = (VecDeque::new(), Vec::new());
    loop {
        let Some(source) = loaded.sources.get(at).cloned() else {
            let Some((at, source, import)) = later.pop_front() else { break };
            loaded.follow_later(at, &source, import, &targets, library)?;
            continue;
        };
        let too_large = SchemaError::new(&source.name, (1, 1), "a set of schemas with too many documents, or too large");
        octets = octets.saturating_add(source.text.len());
        if octets > limits::SCHEMA_SET_BYTES_MAX || loaded.sources.len() > limits::SCHEMA_FILES_MAX {
            return Err(too_large);
        }
        let document = parse(&source)?;
        nodes = nodes.saturating_add(document.descendants().count());
        if nodes > limits::SCHEMA_SET_NODES_MAX {
            return Err(too_large);
        }
        targets.push(attribute(&document.root_element(), "targetNamespace").unwrap_or("").to_owned());
        for node in document
            .root_element()
            .children()
            .filter(|node| is_xs(node, "include") || is_xs(node, "import") || is_xs(node, "redefine"))
        {
            if is_xs(&node, "import") && attribute(&node, "schemaLocation").is_none_or(|location| location.contains("://")) {
                later.push_back((at, source.clone(), node.range().start));
            } else {
                loaded.follow(at, &source, &node, library);
            }
            let named = loaded.edges.len().saturating_add(loaded.absent.len()).saturating_add(later.len());
            if named > limits::SCHEMA_FILES_MAX.saturating_mul(16) {
                return Err(SchemaError::at(&source, &node, "a set of schemas whose documents name too many others"));
            }
        }
        at = at.saturating_add(1);
    }
    Ok(loaded)
}

impl Loaded {
    /// The namespaces that were to be imported, and that no document of the set has.
    pub fn absent_namespaces(&self) -> Vec<String> {
        let mut found: Vec<String> =
            self.absent.iter().filter(|absent| absent.is_import).map(|absent| absent.namespace.clone()).collect();
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            return found;
        }
        let mut known: BTreeSet<String> = self.edges.keys().map(|(_, _, of)| of.clone()).collect();
        for source in &self.sources {
            let target =
                parse(source).ok().and_then(|document| attribute(&document.root_element(), "targetNamespace").map(str::to_owned));
            known.extend(target);
        }
        found.retain(|namespace| !known.contains(namespace));
        found
    }

    /// The document that was found for what an `include`, `import` or `redefine` of a document names.
    pub(super) fn found(&self, document: usize, node: &Node<'_, '_>) -> Option<usize> {
        let key = |name| attribute(node, name).unwrap_or("").to_owned();
        self.edges.get(&(document, key("schemaLocation"), key("namespace"))).copied()
    }

    /// Follows an import that has no location, or one on the web, when all others have been: where the set has brought a document
    /// of the namespace by then, a second one would declare everything twice.
    fn follow_later(
        &mut self,
        at: usize,
        source: &Source,
        import: usize,
        targets: &[String],
        library: &mut dyn Library,
    ) -> Result<(), SchemaError> {
        let document = parse(source)?;
        let mut nodes = document.root_element().children().filter(|node| node.range().start == import);
        let Some(node) = nodes.next() else { return Ok(()) };
        let namespace = attribute(&node, "namespace").unwrap_or("");
        match (targets.iter().position(|target| target == namespace), attribute(&node, "schemaLocation")) {
            (None, _) => self.follow(at, source, &node, library),
            (Some(known), Some(location)) => drop(self.edges.insert((at, location.to_owned(), namespace.to_owned()), known)),
            (Some(_), None) => {}
        }
        Ok(())
    }

    fn follow(&mut self, at: usize, source: &Source, node: &Node<'_, '_>, library: &mut dyn Library) {
        let location = attribute(node, "schemaLocation");
        let namespace = attribute(node, "namespace").unwrap_or("");
        let is_import = node.tag_name().name() == "import";
        let key = (at, location.unwrap_or("").to_owned(), namespace.to_owned());
        if self.edges.contains_key(&key) {
            return;
        }
        match library.fetch(&source.name, location, namespace) {
            Some(found) => {
                let known = self.sources.iter().position(|known| known.name == found.name);
                let number = known.unwrap_or(self.sources.len());
                if known.is_none() {
                    self.sources.push(found);
                }
                self.edges.insert(key, number);
            }
            None if is_import && namespace == XML => {
                let known = self.sources.iter().position(|known| known.name == XML_FILE);
                let number = known.unwrap_or(self.sources.len());
                if known.is_none() {
                    self.sources.push(Source { name: XML_FILE.to_owned(), text: XML_SCHEMA.to_owned() });
                }
                self.edges.insert(key, number);
            }
            None if is_import && location.is_none() => {}
            None => {
                let what = format!("{} is not in the set", location.unwrap_or(namespace));
                let error = SchemaError::at(source, node, &what);
                self.absent.push(Absent { error, is_import, namespace: namespace.to_owned() });
            }
        }
    }
}

/// Which symbol space a name is of (section 2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Space {
    Type,
    Element,
    Attribute,
    Group,
    AttributeGroup,
    Notation,
}

impl Space {
    fn of(local: &str) -> Option<Self> {
        Some(match local {
            "simpleType" | "complexType" => Self::Type,
            "element" => Self::Element,
            "attribute" => Self::Attribute,
            "group" => Self::Group,
            "attributeGroup" => Self::AttributeGroup,
            "notation" => Self::Notation,
            _ => return None,
        })
    }
}

/// Whether a name is of the target namespace, or of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Qualified,
    Unqualified,
}

impl Form {
    pub(super) fn of(text: &str) -> Self {
        if text.trim_matches(BLANKS) == "qualified" { Self::Qualified } else { Self::Unqualified }
    }
}

/// Where a declaration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Global,
    Local,
}

/// A document as read for one target namespace: one without its own takes that of whoever includes it.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) document: usize,
    pub(super) target: String,
    /// Whether names without a namespace are of the target's.
    is_chameleon: bool,
    pub(super) elements: Form,
    pub(super) attributes: Form,
}

/// Where a component is declared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decl<'d> {
    pub(super) node: Node<'d, 'd>,
    pub(super) context: Context,
}

/// What a declaration is read in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) unit: usize,
    /// Inside a redefinition: what is redefined, and the original.
    redefines: Option<(Space, Name, usize)>,
}

/// All declarations of a set, by name.
pub(super) struct Declarations<'d> {
    pub(super) sources: &'d [Source],
    pub(super) documents: &'d [Document<'d>],
    pub(super) units: Vec<Unit>,
    pub(super) names: Names,
    pub(super) table: BTreeMap<(Space, Name), Decl<'d>>,
    originals: Vec<Decl<'d>>,
}

impl<'d> Declarations<'d> {
    /// Collects the declarations of all documents.
    pub(super) fn collect(loaded: &'d Loaded, documents: &'d [Document<'d>]) -> Result<Self, SchemaError> {
        let mut this = Self {
            sources: &loaded.sources,
            documents,
            units: Vec::new(),
            names: Names::default(),
            table: BTreeMap::new(),
            originals: Vec::new(),
        };
        for root in &loaded.roots {
            this.unit(*root, None);
        }
        let (mut at, mut redefinitions, mut nodes) = (0, Vec::new(), 0_usize);
        while at < this.units.len() {
            let target = this.units.get(at).map_or("", |unit| &unit.target).to_owned();
            let document = this.units.get(at).map_or(0, |unit| unit.document);
            let Some(root) = documents.get(document).map(Document::root_element) else { break };
            for node in root.children() {
                nodes = nodes.saturating_add(1);
                if this.units.len() > limits::SCHEMA_FILES_MAX || nodes > limits::SCHEMA_SET_NODES_MAX {
                    let context = Context { unit: at, redefines: None };
                    return Err(this.error(&node, context, "documents that too many others include for their own namespaces"));
                }
                if !node.is_element() {
                    continue;
                }
                let other = loaded.found(document, &node);
                match (node.tag_name().name(), other) {
                    _ if node.tag_name().namespace() != Some(XS) => {}
                    ("import", Some(other)) => drop(this.unit(other, None)),
                    ("include", Some(other)) => drop(this.unit(other, Some(&target))),
                    ("redefine", Some(other)) => {
                        this.unit(other, Some(&target));
                        redefinitions.push((at, node));
                    }
                    _ => this.declare(at, node),
                }
            }
            at = at.saturating_add(1);
        }
        // What is redefined may itself be a redefinition, further down.
        for (unit, node) in redefinitions.into_iter().rev() {
            this.redefine(unit, node);
        }
        Ok(this)
    }

    fn unit(&mut self, document: usize, includer: Option<&str>) -> usize {
        let root = self.documents.get(document).map(Document::root_element);
        let own = root.and_then(|root| attribute(&root, "targetNamespace").map(str::to_owned));
        let is_chameleon = own.is_none() && includer.is_some_and(|target| !target.is_empty());
        let target = own.or_else(|| includer.map(str::to_owned)).unwrap_or_default();
        let known = self.units.iter().position(|unit| unit.document == document && unit.target == target);
        known.unwrap_or_else(|| {
            let form = |name| root.and_then(|root| attribute(&root, name)).map_or(Form::Unqualified, Form::of);
            let (elements, attributes) = (form("elementFormDefault"), form("attributeFormDefault"));
            self.units.push(Unit { document, target, is_chameleon, elements, attributes });
            self.units.len().saturating_sub(1)
        })
    }

    fn key(&mut self, unit: usize, node: &Node<'_, '_>) -> Option<(Space, Name)> {
        let space = Space::of(node.tag_name().name())?;
        let name = attribute(node, "name")?;
        let target = self.units.get(unit).map_or("", |unit| &unit.target);
        Some((space, self.names.intern(target, name)))
    }

    fn declare(&mut self, unit: usize, node: Node<'d, 'd>) {
        if let Some(key) = self.key(unit, &node) {
            // The judge refuses a second one.
            self.table.entry(key).or_insert(Decl { node, context: Context { unit, redefines: None } });
        }
    }

    fn redefine(&mut self, unit: usize, redefinition: Node<'d, 'd>) {
        for node in redefinition.children().filter(Node::is_element) {
            let Some((space, name)) = self.key(unit, &node) else { continue };
            let redefines = self.table.get(&(space, name)).copied().map(|original| {
                self.originals.push(original);
                (space, name, self.originals.len().saturating_sub(1))
            });
            self.table.insert((space, name), Decl { node, context: Context { unit, redefines } });
        }
    }

    /// The declaration that a name refers to; inside a redefinition its own name is that of the original.
    pub(super) fn find(&self, space: Space, name: Name, from: Context) -> Option<Decl<'d>> {
        match from.redefines {
            Some((of, own, original)) if of == space && own == name => self.originals.get(original).copied(),
            _ => self.table.get(&(space, name)).copied(),
        }
    }

    pub(super) fn unit_of(&self, context: Context) -> Option<&Unit> {
        self.units.get(context.unit)
    }

    /// The name that a value of a schema document means.
    pub(super) fn resolve(&mut self, node: &Node<'_, '_>, text: &str, context: Context) -> Result<Name, SchemaError> {
        let text = text.trim_matches(BLANKS);
        let (prefix, local) = text.split_once(':').map_or((None, text), |(prefix, local)| (Some(prefix), local));
        let uri = match prefix {
            Some("xml") => Some(XML),
            prefix => node.lookup_namespace_uri(prefix),
        };
        let uri = match (uri, prefix) {
            (None, Some(prefix)) => {
                return Err(self.error(node, context, &format!("src-qname: the prefix {prefix} is not declared")));
            }
            (None | Some(""), None) => {
                self.unit_of(context).filter(|unit| unit.is_chameleon).map_or("", |unit| unit.target.as_str()).to_owned()
            }
            (Some(uri), _) => uri.to_owned(),
        };
        Ok(self.names.intern(&uri, local))
    }

    pub(super) fn error(&self, node: &Node<'_, '_>, context: Context, what: &str) -> SchemaError {
        let document = self.unit_of(context).map_or(0, |unit| unit.document);
        match self.sources.get(document) {
            Some(source) => SchemaError::at(source, node, what),
            None => SchemaError::new("", (1, 1), what),
        }
    }
}

/// What the prefixes stand for that a value at a node uses.
pub(super) fn bindings(node: &Node<'_, '_>, text: &str) -> Vec<(Box<str>, Box<str>)> {
    let words = text.split_ascii_whitespace();
    let prefixes: BTreeSet<&str> = words.map(|word| word.split_once(':').map_or("", |(prefix, _)| prefix)).collect();
    let bound = |prefix: &str| node.lookup_namespace_uri((!prefix.is_empty()).then_some(prefix));
    prefixes.into_iter().take(BINDINGS_MAX).filter_map(|prefix| Some((prefix.into(), bound(prefix)?.into()))).collect()
}

/// Of how many prefixes in one value the namespaces are kept.
const BINDINGS_MAX: usize = 64;

pub(super) const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

pub(super) fn is_xs(node: &Node<'_, '_>, local: &str) -> bool {
    node.is_element() && node.tag_name().name() == local && node.tag_name().namespace() == Some(XS)
}

/// An attribute without a namespace.
pub(super) fn attribute<'n>(node: &Node<'n, '_>, name: &str) -> Option<&'n str> {
    node.attributes().find(|found| found.namespace().is_none() && found.name() == name).map(|found| found.value())
}

/// The child elements of a node that are of XML Schema, but annotations.
pub(super) fn children<'n>(node: &Node<'n, 'n>) -> impl Iterator<Item = Node<'n, 'n>> + use<'n> {
    node.children()
        .filter(|child| child.is_element() && child.tag_name().namespace() == Some(XS) && child.tag_name().name() != "annotation")
}

pub(super) fn child<'n>(node: &Node<'n, 'n>, local: &str) -> Option<Node<'n, 'n>> {
    children(node).find(|child| child.tag_name().name() == local)
}

/// A node of a unit, for what is read once.
pub(super) type Place = (usize, u32);
