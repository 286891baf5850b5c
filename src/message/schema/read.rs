//! A schema file as a tree of elements of the XML Schema namespace, the names inside values resolved.

use super::SchemaError;
use crate::base::limits;
use crate::message::xml::{self, Profile, ScanError, Start, Visitor};

pub(super) const XS: &str = "http://www.w3.org/2001/XMLSchema";

/// An expanded name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QName {
    pub(super) uri: Box<str>,
    pub(super) local: Box<str>,
}

/// An element of a schema.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) local: Box<str>,
    pub(super) at: usize,
    pub(super) children: Vec<Node>,
    attributes: Vec<(Box<str>, Box<str>)>,
    /// The values that are names, by attribute.
    names: Vec<(Box<str>, QName)>,
}

/// A schema file.
#[derive(Debug)]
pub(super) struct Source<'t> {
    pub(super) file: &'t str,
    pub(super) root: Node,
    pub(super) target: Box<str>,
    text: &'t str,
}

impl Node {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    /// The names that an attribute holds: one for `type`, several for `memberTypes`.
    pub(super) fn names<'n>(&'n self, attribute: &'n str) -> impl Iterator<Item = &'n QName> {
        self.names.iter().filter(move |(known, _)| **known == *attribute).map(|(_, name)| name)
    }

    pub(super) fn child(&self, local: &str) -> Option<&Node> {
        self.children.iter().find(|child| *child.local == *local)
    }
}

impl<'t> Source<'t> {
    /// Reads a file and checks the attributes of its root.
    pub(super) fn read(file: &'t str, text: &'t str) -> Result<Self, SchemaError> {
        let fail = |at, what: String| SchemaError::at(file, text, at, what);
        if text.len() > limits::SCHEMA_BYTES_MAX {
            return Err(fail(0, "a file larger than a schema may be".to_owned()));
        }
        let mut builder = Builder::default();
        xml::scan(text.as_bytes(), Profile::Schema, &mut builder).map_err(|error| match error {
            ScanError::Xml(violation) => fail(violation.at, violation.what.to_owned()),
            ScanError::Visitor((at, what)) => fail(at, what),
        })?;
        let root = builder.root.ok_or_else(|| fail(0, "no element".to_owned()))?;
        let target = root.attribute("targetNamespace").unwrap_or("").into();
        let source = Self { file, root, target, text };
        source.check_root()?;
        Ok(source)
    }

    pub(super) fn error(&self, at: usize, what: impl Into<String>) -> SchemaError {
        SchemaError::at(self.file, self.text, at, what.into())
    }

    pub(super) fn fail<T>(&self, node: &Node, what: impl Into<String>) -> Result<T, SchemaError> {
        Err(self.error(node.at, what))
    }

    /// Refuses any attribute that is not listed: what is not known is not enforced.
    pub(super) fn only(&self, node: &Node, attributes: &[&str]) -> Result<(), SchemaError> {
        let strange = node.attributes.iter().find(|(name, _)| !attributes.contains(&&**name));
        strange.map_or(Ok(()), |(name, _)| self.fail(node, format!("the attribute {name} on xs:{}", node.local)))
    }

    /// Refuses a child element by its place.
    pub(super) fn refuse<T>(&self, node: &Node, parent: &Node) -> Result<T, SchemaError> {
        self.fail(node, format!("xs:{} inside xs:{}", node.local, parent.local))
    }

    pub(super) fn required<'n>(&self, node: &'n Node, attribute: &str) -> Result<&'n str, SchemaError> {
        let missing = || self.error(node.at, format!("xs:{} without the attribute {attribute}", node.local));
        node.attribute(attribute).ok_or_else(missing)
    }

    fn check_root(&self) -> Result<(), SchemaError> {
        let root = &self.root;
        if *root.local != *"schema" {
            return self.fail(root, "a root element other than xs:schema");
        }
        self.only(root, &["targetNamespace", "elementFormDefault", "attributeFormDefault", "version"])?;
        if self.target.is_empty() {
            return self.fail(root, "a schema without a targetNamespace");
        }
        if root.attribute("elementFormDefault") != Some("qualified") {
            return self.fail(root, "elementFormDefault other than qualified");
        }
        match root.attribute("attributeFormDefault") {
            None | Some("unqualified") => Ok(()),
            Some(_) => self.fail(root, "attributeFormDefault other than unqualified"),
        }
    }
}

/// Builds the tree; annotations are passed over, since they say nothing that could be enforced.
#[derive(Default)]
struct Builder {
    open: Vec<Node>,
    root: Option<Node>,
    skipped: usize,
}

impl Visitor for Builder {
    type Error = (usize, String);

    fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error> {
        if self.skipped > 0 || element.is(XS, "annotation") {
            self.skipped = self.skipped.saturating_add(1);
            return Ok(());
        }
        if element.uri() != XS {
            return Err((element.at(), "an element that is not of XML Schema".to_owned()));
        }
        self.open.push(node(element)?);
        Ok(())
    }

    fn text(&mut self, text: &str, at: usize) -> Result<(), Self::Error> {
        let found = text.bytes().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        match found.filter(|_| self.skipped == 0) {
            Some(offset) => Err((at.saturating_add(offset), "text".to_owned())),
            None => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        if self.skipped > 0 {
            self.skipped = self.skipped.saturating_sub(1);
            return Ok(());
        }
        if let Some(node) = self.open.pop() {
            match self.open.last_mut() {
                Some(parent) => parent.children.push(node),
                None => self.root = Some(node),
            }
        }
        Ok(())
    }
}

fn node(element: &Start<'_>) -> Result<Node, (usize, String)> {
    let (mut attributes, mut names) = (Vec::new(), Vec::new());
    for attribute in element.attributes() {
        if !attribute.uri.is_empty() {
            return Err((element.at(), format!("the attribute {} of another namespace", attribute.local)));
        }
        if matches!(attribute.local, "type" | "base" | "itemType" | "memberTypes") {
            for word in attribute.value.split_ascii_whitespace() {
                let (prefix, local) = word.split_once(':').unwrap_or(("", word));
                let unbound = || (element.at(), format!("the name {word}, whose prefix is not declared"));
                let uri = element.namespace(prefix).ok_or_else(unbound)?;
                names.push((attribute.local.into(), QName { uri: uri.into(), local: local.into() }));
            }
        }
        attributes.push((attribute.local.into(), attribute.value.into()));
    }
    Ok(Node { local: element.local().into(), at: element.at(), children: Vec::new(), attributes, names })
}
