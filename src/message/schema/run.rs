//! Validation while a document is read: one frame for each open element, nothing allocated for an element.

use super::Schemas;
use super::compile::{Complex, Content};
use super::documents::{DocumentType, Part, PathNode};
use super::facts::{Facts, Gathered, gather};
use super::model::{Cursor, Model};
use super::rules::{self, Watched};
use super::value::is_blank;
use crate::base::fault::{Code, Fault};
use crate::base::ids::{Identifier, Uuid};
use crate::base::limits;
use crate::message::xml::{Start, Visitor};

/// Validates one document after another as its tokens come; see [`Schemas`].
///
/// Nothing fails at once: the first fault is kept, the rest of the document passed over, and
/// [`Validator::finish`] tells. So whoever drives several readers over one pass need not unwind them.
pub struct Validator<'s> {
    schemas: &'s Schemas,
    document: Option<&'s DocumentType>,
    frames: Vec<Frame<'s>>,
    depth: usize,
    at: usize,
    text: String,
    scratch: String,
    scheme: String,
    /// One bit for each field that the document has.
    fields: Vec<u64>,
    gathered: Gathered,
    watched: Vec<Watched>,
    fault: Option<Fault>,
}

/// An open element.
struct Frame<'s> {
    node: &'s PathNode,
    place: usize,
    complex: &'s Complex,
    cursor: Cursor,
}

/// For a document on its own.
impl Visitor for Validator<'_> {
    type Error = std::convert::Infallible;

    fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error> {
        self.start(element);
        Ok(())
    }

    fn text(&mut self, text: &str, at: usize) -> Result<(), Self::Error> {
        self.text(text, at);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        self.end();
        Ok(())
    }
}

impl<'s> Validator<'s> {
    /// A validator for documents of these schemas.
    pub fn new(schemas: &'s Schemas) -> Self {
        Self {
            schemas,
            document: None,
            frames: Vec::with_capacity(16),
            depth: 0,
            at: 0,
            text: String::new(),
            scratch: String::new(),
            scheme: String::new(),
            fields: Vec::new(),
            gathered: Gathered::default(),
            watched: Vec::new(),
            fault: None,
        }
    }

    /// An element begins; the first one chooses the document type.
    #[inline]
    pub fn start(&mut self, element: &Start<'_>) {
        self.at = element.at();
        self.depth = self.depth.saturating_add(1);
        if self.fault.is_some() {
            return;
        }
        let result = if self.frames.is_empty() { self.root(element) } else { self.child(element) };
        self.keep(result);
    }

    /// A piece of text inside the innermost open element.
    #[inline]
    pub fn text(&mut self, text: &str, at: usize) {
        let Some(frame) = self.frames.last() else { return };
        if self.fault.is_some() {
            return;
        }
        self.at = at;
        let result = match &frame.complex.content {
            Content::Text(_) if text.len() <= limits::PAYLOAD_TEXT_BYTES_MAX.saturating_sub(self.text.len()) => {
                self.text.push_str(text);
                Ok(())
            }
            Content::Text(_) => Err(self.wrong("longer than any text may be")),
            Content::Elements(_) if is_blank(text) => Ok(()),
            Content::Elements(_) => Err(self.wrong("text between the elements")),
            Content::Empty => Err(self.wrong("text where there may be none")),
        };
        self.keep(result);
    }

    /// The innermost open element ends.
    #[inline]
    pub fn end(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.fault.is_none() {
            let result = self.close();
            self.keep(result);
            self.frames.pop();
        }
    }

    /// Whether the root element has ended.
    pub fn is_done(&self) -> bool {
        self.depth == 0 && (self.document.is_some() || self.fault.is_some())
    }

    /// What is known about the document, or its first fault. The validator is then ready for another document.
    pub fn finish(&mut self) -> Result<Facts, Fault> {
        let done = self.is_done();
        let fields = std::mem::take(&mut self.fields);
        let gathered = std::mem::take(&mut self.gathered);
        let watched = std::mem::take(&mut self.watched);
        let (document, fault) = (self.document.take(), self.fault.take());
        self.frames.clear();
        self.text.clear();
        self.depth = 0;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let unfinished = || Fault::at(Code::DocSchema, "a document that does not end");
        let document = document.filter(|_| done).ok_or_else(unfinished)?;
        rules::check(&document.rules, &document.nodes, &watched)?;
        Ok(gather(document, gathered, &watched, &fields))
    }

    fn root(&mut self, element: &Start<'_>) -> Result<(), Fault> {
        let found = if self.document.is_none() { self.schemas.by_root(element.uri(), element.local()) } else { None };
        let unknown = || Fault::at(Code::DocUnknown, format!("byte {}", element.at()));
        let document = found.ok_or_else(unknown)?;
        self.document = Some(document);
        self.fields.clear();
        self.fields.resize(document.fields.len().div_ceil(64), 0);
        self.open(document, 0, element)
    }

    fn child(&mut self, element: &Start<'_>) -> Result<(), Fault> {
        let (Some(frame), Some(document)) = (self.frames.last_mut(), self.document) else { return Ok(()) };
        let found = match &frame.complex.content {
            Content::Elements(model) => model.step(&mut frame.cursor, element.uri(), element.local()),
            _ => None,
        };
        match found {
            Some(position) => {
                let place = frame.node.first_child.saturating_add(position);
                self.open(document, place, element)
            }
            None => Err(self.unexpected()),
        }
    }

    fn open(&mut self, document: &'s DocumentType, place: usize, element: &Start<'_>) -> Result<(), Fault> {
        let lost = || Fault::at(Code::DocSchema, "an element that the schema lost");
        let node = document.nodes.get(place).ok_or_else(lost)?;
        let complex = self.schemas.types.complexes.get(node.complex).ok_or_else(lost)?;
        if let Some(field) = node.field
            && let Some(word) = self.fields.get_mut(field / 64)
        {
            *word |= 1 << (field % 64);
        }
        self.text.clear();
        self.frames.push(Frame { node, place, complex, cursor: Cursor::default() });
        if node.watch.identifier {
            // An identifier whose type lost its scheme must not be taken for one of the scheme before.
            self.scheme.clear();
        }
        if element.attributes().len() > 0 || complex.required != 0 {
            self.attributes(complex, element)?;
        }
        if node.watch.part == Some(Part::Subject) && !self.gathered.begin_subject(place, self.watched.len()) {
            return Err(self.wrong("more persons than a document may be about"));
        }
        Ok(())
    }

    fn attributes(&mut self, complex: &'s Complex, element: &Start<'_>) -> Result<(), Fault> {
        let mut seen = 0_u64;
        let identifier = self.frames.last().is_some_and(|frame| frame.node.watch.identifier);
        for attribute in element.attributes() {
            let same = |known: &super::compile::Attribute| *known.local == *attribute.local;
            let found = if attribute.uri.is_empty() { complex.attributes.iter().position(same) } else { None };
            let Some((at, declared)) = found.and_then(|at| complex.attributes.get(at).map(|declared| (at, declared))) else {
                return Err(self.wrong("an attribute that is not declared"));
            };
            seen |= u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(0);
            let mut scratch = std::mem::take(&mut self.scratch);
            let checked = declared.simple.check(attribute.value, &mut scratch).map(|value| {
                if identifier && *declared.local == *"scheme" {
                    self.scheme.clear();
                    self.scheme.push_str(value);
                }
            });
            self.scratch = scratch;
            if let Err(what) = checked {
                return Err(self.wrong(&format!("the attribute {}: {what}", declared.local)));
            }
        }
        match complex.required & !seen {
            0 => Ok(()),
            missing => {
                let missing = complex.attributes.get(missing.trailing_zeros() as usize).map_or("", |attribute| &attribute.local);
                Err(self.wrong(&format!("without the attribute {missing}")))
            }
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(frame) = self.frames.last() else { return Ok(()) };
        match &frame.complex.content {
            Content::Empty => Ok(()),
            Content::Elements(model) if model.may_end(frame.cursor) => Ok(()),
            Content::Elements(model) => Err(self.wrong(&format!("ends too early; {}", expected(model, frame.cursor)))),
            Content::Text(simple) if frame.node.watch.is_nothing() => {
                let checked = simple.check(&self.text, &mut self.scratch).map(|_| ());
                checked.map_err(|what| self.wrong(what))
            }
            Content::Text(simple) => {
                let mut scratch = std::mem::take(&mut self.scratch);
                let text = std::mem::take(&mut self.text);
                let result = match simple.check(&text, &mut scratch) {
                    Ok(value) => self.value(value),
                    Err(what) => Err(self.wrong(what)),
                };
                (self.scratch, self.text) = (scratch, text);
                self.text.clear();
                result
            }
        }
    }

    /// Keeps the value of the innermost element, where there is a reason to.
    #[inline]
    fn value(&mut self, value: &str) -> Result<(), Fault> {
        let Some(frame) = self.frames.last() else { return Ok(()) };
        let (watch, place, path) = (frame.node.watch, frame.place, frame.node.path.as_str());
        if watch.identifier {
            let identifier = Identifier::parse(&self.scheme, value)
                .map_err(|error| Fault::at(Code::DocCheckDigit, self.place_of(&error.detail_public())))?;
            if !self.gathered.identifier(path, identifier, watch.part) {
                return Err(self.wrong("more identifiers than a document may hold"));
            }
        }
        if watch.compared {
            if self.watched.len() >= limits::DOCUMENT_WATCHED_MAX {
                return Err(self.wrong("more values to compare than a document may hold"));
            }
            self.watched.push(Watched { node: place, value: value.into() });
        }
        match watch.part {
            Some(Part::DocumentId) => self.gathered.document_id = Uuid::parse(value),
            Some(Part::Status) => self.gathered.status = Some(value.into()),
            Some(part) => self.gathered.part(part, value),
            None => {}
        }
        Ok(())
    }

    fn unexpected(&self) -> Fault {
        let next = self.frames.last().map(|frame| match &frame.complex.content {
            Content::Elements(model) => expected(model, frame.cursor),
            _ => "expected no element".to_owned(),
        });
        self.wrong(&format!("an element that is not expected; {}", next.unwrap_or_default()))
    }

    /// A fault at the innermost open element. The path is made of the schema's names, so it tells nothing of the content.
    #[cold]
    fn wrong(&self, what: &str) -> Fault {
        Fault::at(Code::DocSchema, self.place_of(what))
    }

    fn place_of(&self, what: &str) -> String {
        let root = self.document.map_or("", |document| &document.root);
        let path = self.frames.last().map_or("", |frame| frame.node.path.as_str());
        let slash = if path.is_empty() { "" } else { "/" };
        format!("{root}{slash}{path}, byte {}: {what}", self.at)
    }

    #[inline]
    fn keep(&mut self, result: Result<(), Fault>) {
        if let Err(fault) = result {
            self.fault = Some(fault);
        }
    }
}

fn expected(model: &Model, cursor: Cursor) -> String {
    let names: Vec<&str> = model.expected(cursor).take(8).collect();
    if names.is_empty() { "expected the end of the element".to_owned() } else { format!("expected {}", names.join(" or ")) }
}
