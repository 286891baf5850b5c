//! Validation while a document is read: the automaton of [`crate::message::xsd`], and beside it where in the document one is,
//! so that what a grant must permit, and whom the document is about, is known at its end.

use super::documents::{Attributes, Head, Version};
use super::facts::Facts;
use super::people::People;
use super::rules::{self, Watched};
use super::tree::Tree;
use super::watch::{HeadPart, Hold, Watch};
use super::{Place, Schemas};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{CheckDigitError, Code as Word, Identifier, Uuid};
use crate::base::limits;
use crate::message::xml::{Start, Visitor};
use crate::message::xsd::model::Presence;
use crate::message::xsd::run::{Run, XSI};
use crate::message::xsd::set::TypeRef;
use std::ops::Range;

/// Validates one document after another as its tokens come; see [`Schemas`].
///
/// Nothing fails at once: the first fault is kept, the rest of the document passed over, and
/// [`Validator::finish`] tells. So whoever drives several readers over one pass need not unwind them.
pub struct Validator<'s> {
    schemas: &'s Schemas,
    /// What was asked for, where that is known.
    expected: Option<&'s Word>,
    document: Option<Place<'s>>,
    run: Run<'s>,
    depth: usize,
    at: usize,
    /// Each path of the document once, in the order in which it was met.
    trail: Vec<Step>,
    /// The last steps of all of them, one behind the other.
    locals: String,
    /// The places of the open elements in it.
    open: Vec<u32>,
    /// The scheme that stands at the innermost open element.
    scheme: String,
    gathered: Gathered,
    people: People,
    watched: Vec<Watched>,
    fault: Option<Fault>,
}

/// A path of the document.
struct Step {
    /// Of its last step the length and the end, by which most others are told apart.
    key: u64,
    /// The octets of its last step among all of them.
    local: Range<u32>,
    parent: u32,
    first_child: u32,
    next: u32,
    presence: Presence,
    /// The place in the tree of watches.
    place: u32,
}

/// What a step is to.
#[derive(Clone, Copy)]
enum To {
    Element,
    Attribute,
}

const NONE: u32 = u32::MAX;

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
            expected: None,
            document: None,
            run: Run::new(&schemas.start.set, 1),
            depth: 0,
            at: 0,
            trail: Vec::with_capacity(32),
            locals: String::with_capacity(512),
            open: Vec::with_capacity(16),
            scheme: String::new(),
            gathered: Gathered::default(),
            people: People::default(),
            watched: Vec::new(),
            fault: None,
        }
    }

    /// Says which document type was asked for: of several whose documents begin alike, it is that.
    pub fn expect(&mut self, document_type: Option<&'s Word>) {
        self.expected = document_type;
    }

    /// An element begins; the first one chooses the document type.
    #[inline]
    pub fn start(&mut self, element: &Start<'_>) {
        self.at = element.at();
        self.depth = self.depth.saturating_add(1);
        if self.fault.is_some() {
            return;
        }
        let result = if self.document.is_none() { self.root(element) } else { Ok(()) };
        let result = result.and_then(|()| self.element(element));
        self.keep(result);
    }

    /// A piece of text inside the innermost open element.
    #[inline]
    pub fn text(&mut self, text: &str, at: usize) {
        if self.fault.is_some() || self.depth == 0 {
            return;
        }
        self.at = at;
        self.run.text(text);
        let result = self.violated();
        self.keep(result);
    }

    /// The innermost open element ends.
    #[inline]
    pub fn end(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.fault.is_none() {
            let result = self.close();
            self.keep(result);
        }
    }

    /// Whether the root element has ended.
    pub fn is_done(&self) -> bool {
        self.depth == 0 && (self.document.is_some() || self.fault.is_some())
    }

    /// What is known about the document, or its first fault. The validator is then ready for another document.
    pub fn finish(&mut self) -> Result<Facts, Fault> {
        let done = self.is_done();
        let (gathered, people) = (std::mem::take(&mut self.gathered), std::mem::take(&mut self.people));
        let watched = std::mem::take(&mut self.watched);
        let (place, fault) = (self.document.take(), self.fault.take());
        let fields = place.filter(|_| fault.is_none()).map(|place| self.fields(place.version)).unwrap_or_default();
        self.trail.clear();
        self.locals.clear();
        self.open.clear();
        self.run.reset();
        self.depth = 0;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let unfinished = || Fault::at(Code::DocSchema, "a document that does not end");
        let Place { document, version, .. } = place.filter(|_| done).ok_or_else(unfinished)?;
        rules::check(&version.rules, &version.watches, &watched)?;
        Ok(Facts {
            document_type: document.name.clone(),
            until: version.until,
            document_id: gathered.document_id,
            status: gathered.status,
            optional_paths: fields,
            identifiers: gathered.identifiers,
            subjects: people.into_subjects(),
        })
    }

    fn root(&mut self, element: &Start<'_>) -> Result<(), Fault> {
        if !self.open.is_empty() {
            return Err(Fault::at(Code::DocUnknown, format!("byte {}", element.at())));
        }
        let place = self.schemas.choose(element, self.expected)?;
        if !std::ptr::eq(self.run.set(), &raw const place.schema.set) {
            self.run = Run::new(&place.schema.set, 1);
        }
        self.document = Some(place);
        Ok(())
    }

    fn element(&mut self, element: &Start<'_>) -> Result<(), Fault> {
        let was_skipping = self.run.is_skipping();
        self.run.start(element);
        if was_skipping {
            return Ok(());
        }
        if let Some(strange) = element.attributes().find(|found| found.uri == XSI && !matches!(found.local, "type" | "nil")) {
            return Err(self.wrong(&format!("the attribute xsi:{}, which no document of a message has", strange.local)));
        }
        // The path of what is wrong is that of the element around it.
        self.violated()?;
        let parent = self.open.last().copied().unwrap_or(NONE);
        if self.run.is_skipping() {
            // Nobody has looked at what is inside, so nothing inside can be granted on its own.
            let step = self.step(parent, To::Element, element.local())?;
            let step = self.step(step, To::Element, "**")?;
            self.lacks(step);
            return Ok(());
        }
        let presence = self.run.presence();
        let step = if parent == NONE { self.first() } else { self.step(parent, To::Element, element.local())? };
        self.open.push(step);
        if presence == Presence::Optional {
            self.lacks(step);
        }
        self.begin(step, element)
    }

    /// Notes an element that a document may lack.
    fn lacks(&mut self, step: u32) {
        if let Some(step) = self.trail.get_mut(step as usize) {
            step.presence = Presence::Optional;
        }
    }

    fn begin(&mut self, step: u32, element: &Start<'_>) -> Result<(), Fault> {
        let is_identifier = self.is_identifier();
        if is_identifier {
            // An identifier whose type lost its scheme must not be taken for one of the scheme before.
            self.scheme.clear();
        }
        let opens = self.watch(step).map_or(&[][..], |(_, watch)| &watch.opens);
        if !self.people.begin(opens) {
            return Err(self.wrong("more persons than a document may be about"));
        }
        let watched = self.document.map_or(Attributes::Unwatched, |place| place.version.attributes);
        for (at, attribute) in element.attributes().enumerate().filter(|(_, attribute)| attribute.uri != XSI) {
            if is_identifier && attribute.uri.is_empty() && attribute.local == "scheme" {
                self.scheme.extend(attribute.value.split_ascii_whitespace());
            }
            let presence = self.run.attribute_presence(at);
            if presence == Presence::Required && watched == Attributes::Unwatched {
                continue;
            }
            let own = self.step(step, To::Attribute, attribute.local)?;
            if presence == Presence::Optional {
                self.lacks(own);
            }
            if self.watch(own).is_some() {
                self.value(own, attribute.value.trim_matches([' ', '\t', '\n', '\r']), Identifies::No)?;
            }
        }
        Ok(())
    }

    /// Whether the innermost open element is an identifier of ours, whose scheme and check digits are looked at.
    fn is_identifier(&self) -> bool {
        match self.run.current_type() {
            Some(TypeRef::Complex(number)) => self.document.is_some_and(|place| place.schema.is_identifier(number)),
            _ => false,
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        if self.run.is_skipping() {
            self.run.end();
            return Ok(());
        }
        let step = self.open.last().copied().unwrap_or(NONE);
        let identifies = if self.is_identifier() { Identifies::Yes } else { Identifies::No };
        let is_kept = identifies == Identifies::Yes || self.watch(step).is_some();
        let value = if is_kept {
            self.run.end_with_value()
        } else {
            self.run.end();
            None
        };
        self.violated()?;
        if let Some(value) = value {
            self.value(step, &value, identifies)?;
        }
        self.end_scopes(step)?;
        self.open.pop();
        Ok(())
    }

    /// Ends what began with this element.
    fn end_scopes(&mut self, step: u32) -> Result<(), Fault> {
        let count = self.watch(step).map_or(0, |(_, watch)| watch.opens.len());
        let Some(place) = self.document.filter(|_| count > 0) else { return Ok(()) };
        for identifier in self.people.end(place.version, count) {
            let identifier = identifier.map_err(|error| self.no_identifier(&error))?;
            self.identified(step, identifier)?;
        }
        Ok(())
    }

    fn no_identifier(&self, error: &CheckDigitError) -> Fault {
        Fault::at(Code::DocCheckDigit, self.place_of(&error.detail_public()))
    }

    fn identified(&mut self, step: u32, identifier: Identifier) -> Result<(), Fault> {
        let path = self.path(step);
        self.gathered.identifiers.push((path, identifier));
        if self.gathered.identifiers.len() > limits::DOCUMENT_IDENTIFIERS_MAX {
            return Err(self.wrong("more identifiers than a document may hold"));
        }
        Ok(())
    }

    /// Keeps a value, where there is a reason to.
    fn value(&mut self, step: u32, value: &str, identifies: Identifies) -> Result<(), Fault> {
        let mut own = None;
        if identifies == Identifies::Yes {
            let identifier = Identifier::parse(&self.scheme, value).map_err(|error| self.no_identifier(&error))?;
            own = Some(identifier.clone());
            self.identified(step, identifier)?;
        }
        let Some((node, watch)) = self.watch(step) else { return Ok(()) };
        for hold in &watch.holds {
            self.hold(step, value, hold, own.as_ref())?;
        }
        if watch.is_compared {
            if self.watched.len() >= limits::DOCUMENT_WATCHED_MAX {
                return Err(self.wrong("more values to compare than a document may hold"));
            }
            self.watched.push(Watched { node, value: value.into() });
        }
        match watch.head {
            Some(HeadPart::DocumentId) => self.gathered.document_id = Uuid::parse(value),
            Some(HeadPart::Status) => self.gathered.status = Some(value.into()),
            None => {}
        }
        Ok(())
    }

    /// Keeps a value of somebody that the document is about.
    fn hold(&mut self, step: u32, value: &str, hold: &Hold, own: Option<&Identifier>) -> Result<(), Fault> {
        match hold {
            Hold::Slot { scope, slot } => {
                if !self.people.keep(*scope, *slot, value) {
                    return Err(self.wrong("more values of one person than a document may hold"));
                }
            }
            // An identifier that may be absent is absent where nothing stands.
            Hold::Id { .. } if value.is_empty() => {}
            Hold::Id { scope, scheme, form } => {
                let identifier = Identifier::parse(scheme, &form.read(value)).map_err(|error| self.no_identifier(&error))?;
                self.people.identify(*scope, identifier.clone());
                self.identified(step, identifier)?;
            }
            Hold::OwnId(scope) => {
                if let Some(own) = own {
                    self.people.identify(*scope, own.clone());
                }
            }
        }
        Ok(())
    }

    /// Why the values of a path are kept, with the place among the others.
    fn watch(&self, step: u32) -> Option<(usize, &'s Watch)> {
        let (place, version) = (self.trail.get(step as usize)?.place, self.document?.version);
        let at = version.tree.path(place)? as usize;
        Some((at, version.watches.get(at)?))
    }

    /// The root's place.
    fn first(&mut self) -> u32 {
        let presence = Presence::Required;
        self.trail.push(Step { key: 0, local: 0..0, parent: NONE, first_child: NONE, next: NONE, presence, place: Tree::ROOT });
        0
    }

    /// The place of a path, which is one step longer than another.
    fn step(&mut self, parent: u32, to: To, local: &str) -> Result<u32, Fault> {
        let sign = match to {
            To::Element => "",
            To::Attribute => "@",
        };
        let key = key(sign, local);
        let mut at = self.trail.get(parent as usize).map_or(NONE, |step| step.first_child);
        while let Some(step) = self.trail.get(at as usize) {
            if step.key == key && self.local(step).strip_prefix(sign) == Some(local) {
                return Ok(at);
            }
            at = step.next;
        }
        if self.trail.len() >= limits::SCHEMA_PATHS_MAX {
            return Err(self.wrong("more different paths than a document may have"));
        }
        let new = self.trail.len() as u32;
        let begin = self.locals.len() as u32;
        self.locals.push_str(sign);
        self.locals.push_str(local);
        let before = self.trail.get(parent as usize).map_or(Tree::OUTSIDE, |step| step.place);
        let after = self.locals.get(begin as usize..).unwrap_or("");
        let place = self.document.map_or(Tree::OUTSIDE, |document| document.version.tree.child(before, after));
        let next = self.trail.get_mut(parent as usize).map_or(NONE, |step| std::mem::replace(&mut step.first_child, new));
        let (local, presence) = (begin..self.locals.len() as u32, Presence::Required);
        self.trail.push(Step { key, local, parent, first_child: NONE, next, presence, place });
        Ok(new)
    }

    /// The last step of a path.
    fn local(&self, step: &Step) -> &str {
        self.locals.get(step.local.start as usize..step.local.end as usize).unwrap_or("")
    }

    fn path(&self, step: u32) -> String {
        let mut path = String::with_capacity(48);
        self.write_path(step, &mut path);
        path
    }

    /// Elements are not nested deeper than [`limits::DEPTH_MAX`], so neither is this.
    fn write_path(&self, step: u32, path: &mut String) {
        let Some(step) = self.trail.get(step as usize).filter(|step| step.parent != NONE) else { return };
        self.write_path(step.parent, path);
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(self.local(step));
    }

    /// What the document has and might lack: what is listed in the order of the schema, the rest behind it.
    fn fields(&self, version: &Version) -> Vec<String> {
        let optional = || (0..).zip(&self.trail).filter(|(_, step)| step.presence == Presence::Optional);
        let mut fields = Vec::with_capacity(optional().count());
        let paths = optional().map(|(at, _)| self.path(at));
        fields.extend(paths.filter(|path| !(version.head == Head::Ours && path.starts_with("Head/"))));
        let place = |field: &String| version.fields.iter().position(|known| known == field).unwrap_or(usize::MAX);
        if fields.len() > 1 {
            fields.sort_by_cached_key(place);
        }
        fields
    }

    /// The first violation, as a fault.
    fn violated(&self) -> Result<(), Fault> {
        match self.run.violations().first() {
            None => Ok(()),
            Some(violation) => Err(self.wrong(&violation.what)),
        }
    }

    /// A fault at the innermost open element. The path is made of the schema's names, so it tells nothing of the content.
    #[cold]
    fn wrong(&self, what: &str) -> Fault {
        Fault::at(Code::DocSchema, self.place_of(what))
    }

    fn place_of(&self, what: &str) -> String {
        let root = self.document.map_or("", |place| &place.version.root);
        let path = self.open.last().map_or(String::new(), |step| self.path(*step));
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

/// What has been kept so far of a document on the whole.
#[derive(Default)]
struct Gathered {
    document_id: Option<Uuid>,
    status: Option<String>,
    identifiers: Vec<(String, Identifier)>,
}

fn key(sign: &str, local: &str) -> u64 {
    let octets = local.as_bytes();
    let end = match octets.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last),
        None => octets.iter().fold(0, |word, octet| word << 8 | u64::from(*octet)),
    };
    end.wrapping_add(octets.len().wrapping_add(sign.len() << 16) as u64)
}

/// Whether a value is an identifier of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identifies {
    Yes,
    No,
}
