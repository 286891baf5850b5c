//! Validation while a document is read: the automaton of [`crate::message::xsd`], and beside it where in the document one is,
//! so that what a grant must permit, and whom the document is about, is known at its end.

use super::documents::{Attributes, Head, Version};
use super::facts::Facts;
use super::people::People;
use super::plan::{Node, Plan};
use super::rules::{self, Watched};
use super::trail::{At, To, Trail};
use super::watch::{HeadPart, Hold, Watch};
use super::{Place, Schemas};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{CheckDigitError, Code as Word, Identifier, Uuid};
use crate::base::limits;
use crate::message::xml::{Start, Visitor};
use crate::message::xsd::row::Presence;
use crate::message::xsd::run::{Next, Run, XSI};
use crate::message::xsd::set::TypeRef;

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
    /// A bit for each path of the plan that the document has, and how many there are.
    seen: Vec<u64>,
    paths: usize,
    trail: Trail,
    /// Where the open elements are.
    open: Vec<At>,
    /// The scheme that stands at the innermost open element.
    scheme: String,
    /// For values.
    room: String,
    gathered: Gathered,
    people: People,
    watched: Vec<Watched>,
    fault: Option<Fault>,
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
            expected: None,
            document: None,
            run: Run::new(&schemas.start.set, 1),
            depth: 0,
            at: 0,
            seen: Vec::new(),
            paths: 0,
            trail: Trail::default(),
            open: Vec::with_capacity(16),
            scheme: String::new(),
            room: String::new(),
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

    /// Whether it is known to be wrong.
    pub fn is_refused(&self) -> bool {
        self.fault.is_some()
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

    #[inline(never)]
    fn root(&mut self, element: &Start<'_>) -> Result<(), Fault> {
        if !self.open.is_empty() {
            return Err(Fault::at(Code::DocUnknown, format!("byte {}", element.at())));
        }
        let place = self.schemas.choose(element, self.expected)?;
        if !std::ptr::eq(self.run.set(), &raw const place.schema.set) {
            self.run = Run::new(&place.schema.set, 1);
        }
        self.document = Some(place);
        self.seen.clear();
        self.seen.resize(place.version.plan.len().div_ceil(u64::BITS as usize), 0);
        self.paths = 0;
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
        if self.run.is_skipping() {
            // Nobody has looked at what is inside, so nothing inside can be granted on its own.
            let parent = self.open.last().copied().unwrap_or(ROOT);
            let step = self.outside(parent, To::Element(element.local()), Presence::Required)?;
            self.outside(step, To::Element("**"), Presence::Optional)?;
            return Ok(());
        }
        let at = match (self.open.last().copied(), self.run.next()) {
            (None, _) => self.listed(Plan::ROOT)?,
            (Some(parent), Next::Listed(listed)) => match self.node_in(parent, listed.place) {
                Some(node) => self.listed(node)?,
                None => self.outside(parent, To::Element(element.local()), listed.presence)?,
            },
            (Some(parent), Next::Other(_)) => self.outside(parent, To::Element(element.local()), Presence::Optional)?,
        };
        self.open.push(at);
        self.begin(at, element)
    }

    /// The place in the plan of an element, by its place in the content model around it.
    fn node_in(&self, parent: At, place: u32) -> Option<u32> {
        match parent {
            At::Listed(node) => self.document?.version.plan.element(node, place),
            At::Met(_) => None,
        }
    }

    /// Notes that a path of the plan is there.
    #[inline]
    fn listed(&mut self, node: u32) -> Result<At, Fault> {
        let (word, bit) = (node / u64::BITS, 1 << (node % u64::BITS));
        if let Some(word) = self.seen.get_mut(word as usize).filter(|word| **word & bit == 0) {
            *word |= bit;
            self.one_more()?;
        }
        Ok(At::Listed(node))
    }

    /// Notes that a path is there that the plan does not have.
    #[inline(never)]
    fn outside(&mut self, parent: At, to: To<'_>, presence: Presence) -> Result<At, Fault> {
        let Some(Place { version, .. }) = self.document else { return Ok(parent) };
        let before = self.trail.len();
        let step = self.trail.step(&version.plan, parent, to, &version.tree);
        if self.trail.len() > before {
            self.one_more()?;
        }
        if presence == Presence::Optional {
            self.trail.lacks(step);
        }
        Ok(At::Met(step))
    }

    #[inline]
    fn one_more(&mut self) -> Result<(), Fault> {
        self.paths = self.paths.saturating_add(1);
        if self.paths <= limits::SCHEMA_PATHS_MAX {
            Ok(())
        } else {
            Err(self.wrong("more different paths than a document may have"))
        }
    }

    fn begin(&mut self, step: At, element: &Start<'_>) -> Result<(), Fault> {
        let identifies = self.identifies();
        if identifies == Identifies::Yes {
            // An identifier whose type lost its scheme must not be taken for one of the scheme before.
            self.scheme.clear();
        }
        let opens = self.watch(step).map_or(&[][..], |(_, watch)| &watch.opens);
        if !opens.is_empty() && !self.people.begin(opens) {
            return Err(self.wrong("more persons than a document may be about"));
        }
        if element.attributes().len() > 0 { self.attributes(step, identifies, element) } else { Ok(()) }
    }

    #[inline(never)]
    fn attributes(&mut self, step: At, identifies: Identifies, element: &Start<'_>) -> Result<(), Fault> {
        let watched = self.document.map_or(Attributes::Unwatched, |place| place.version.attributes);
        for (at, attribute) in element.attributes().enumerate().filter(|(_, attribute)| attribute.uri != XSI) {
            if identifies == Identifies::Yes && attribute.uri.is_empty() && attribute.local == "scheme" {
                self.scheme.extend(attribute.value.split_ascii_whitespace());
            }
            let presence = self.run.attribute_presence(at);
            if presence == Presence::Required && watched == Attributes::Unwatched {
                continue;
            }
            let own = self.attribute(step, attribute.local, presence)?;
            if self.watch(own).is_some() {
                self.value(own, attribute.value.trim_matches([' ', '\t', '\n', '\r']), Identifies::No)?;
            }
        }
        Ok(())
    }

    /// Notes that an attribute is there.
    fn attribute(&mut self, of: At, local: &str, presence: Presence) -> Result<At, Fault> {
        let plan = self.document.map(|place| &place.version.plan);
        let node = match of {
            At::Listed(node) => plan.and_then(|plan| Some((plan.attribute(node, local)?, plan))),
            At::Met(_) => None,
        };
        // Of a type that `xsi:type` names what the declared one demands may be lacking.
        let is_known = |(at, plan): &(u32, &Plan)| {
            presence == Presence::Required || plan.node(*at).is_some_and(|node| node.field().is_some())
        };
        match node.filter(is_known) {
            Some((node, _)) => self.listed(node),
            None => self.outside(of, To::Attribute(local), presence),
        }
    }

    /// Whether the innermost open element is an identifier of ours, whose scheme and check digits are looked at.
    fn identifies(&self) -> Identifies {
        match self.run.current_type() {
            Some(TypeRef::Complex(number)) if self.document.is_some_and(|place| place.schema.is_identifier(number)) => {
                Identifies::Yes
            }
            _ => Identifies::No,
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        if self.run.is_skipping() {
            self.run.end();
            return Ok(());
        }
        let step = self.open.last().copied().unwrap_or(ROOT);
        let (identifies, watch) = (self.identifies(), self.watch(step));
        let value = if identifies == Identifies::Yes || watch.is_some() {
            self.run.end_with_value(std::mem::take(&mut self.room))
        } else {
            self.run.end();
            None
        };
        self.violated()?;
        if let Some(value) = value {
            self.value(step, &value, identifies)?;
            self.room = value;
        }
        if let Some((_, watch)) = watch.filter(|(_, watch)| !watch.opens.is_empty()) {
            self.end_scopes(step, watch.opens.len())?;
        }
        self.open.pop();
        Ok(())
    }

    /// Ends what began with this element.
    #[inline(never)]
    fn end_scopes(&mut self, step: At, count: usize) -> Result<(), Fault> {
        let Some(place) = self.document else { return Ok(()) };
        for identifier in self.people.end(place.version, count) {
            let identifier = identifier.map_err(|error| self.no_identifier(&error))?;
            self.identified(step, identifier)?;
        }
        Ok(())
    }

    fn no_identifier(&self, error: &CheckDigitError) -> Fault {
        Fault::at(Code::DocCheckDigit, self.place_of(&error.detail_public()))
    }

    fn identified(&mut self, step: At, identifier: Identifier) -> Result<(), Fault> {
        let path = self.path(step);
        self.gathered.identifiers.push((path, identifier));
        if self.gathered.identifiers.len() > limits::DOCUMENT_IDENTIFIERS_MAX {
            return Err(self.wrong("more identifiers than a document may hold"));
        }
        Ok(())
    }

    /// Keeps a value, where there is a reason to.
    #[inline(never)]
    fn value(&mut self, step: At, value: &str, identifies: Identifies) -> Result<(), Fault> {
        if identifies == Identifies::Yes {
            let identifier = Identifier::parse(&self.scheme, value).map_err(|error| self.no_identifier(&error))?;
            self.identified(step, identifier)?;
        }
        let Some((node, watch)) = self.watch(step) else { return Ok(()) };
        for hold in &watch.holds {
            self.hold(step, value, hold, identifies)?;
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
    fn hold(&mut self, step: At, value: &str, hold: &Hold, identifies: Identifies) -> Result<(), Fault> {
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
                // It was kept just now.
                if let Some((_, own)) = self.gathered.identifiers.last().filter(|_| identifies == Identifies::Yes) {
                    self.people.identify(*scope, own.clone());
                }
            }
        }
        Ok(())
    }

    /// Why the values of a path are kept, with the place among the others.
    #[inline]
    fn watch(&self, at: At) -> Option<(usize, &'s Watch)> {
        let version = self.document?.version;
        let watch = match at {
            At::Listed(node) => version.plan.node(node)?.watch()?,
            At::Met(step) => version.tree.path(self.trail.place(step))?,
        };
        Some((watch as usize, version.watches.get(watch as usize)?))
    }

    fn path(&self, at: At) -> String {
        let mut path = String::with_capacity(48);
        if let Some(Place { version, .. }) = self.document {
            self.trail.write_path(&version.plan, at, &mut path);
        }
        path
    }

    /// What the document has and might lack: what is listed in the order of the schema, the rest behind it.
    fn fields(&self, version: &Version) -> Vec<String> {
        let mut listed: Vec<u32> = Vec::with_capacity(32);
        for (at, word) in (0_u32..).zip(&self.seen) {
            let mut word = *word;
            while word != 0 {
                let node = at.saturating_mul(u64::BITS).saturating_add(word.trailing_zeros());
                listed.extend(version.plan.node(node).and_then(Node::field));
                word &= word.wrapping_sub(1);
            }
        }
        let mut others = Vec::new();
        for at in self.trail.optional() {
            let mut path = String::with_capacity(48);
            self.trail.write_path(&version.plan, at, &mut path);
            match version.fields.iter().position(|known| *known == path) {
                Some(known) => listed.push(known as u32),
                None if version.head == Head::Ours && path.starts_with("Head/") => {}
                None => others.push(path),
            }
        }
        if !listed.is_sorted_by(|one, next| one < next) {
            listed.sort_unstable();
            listed.dedup();
        }
        let mut fields = Vec::with_capacity(listed.len().saturating_add(others.len()));
        fields.extend(listed.iter().filter_map(|at| version.fields.get(*at as usize).cloned()));
        fields.extend(others);
        fields
    }

    /// The first violation, as a fault.
    #[inline]
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

const ROOT: At = At::Listed(Plan::ROOT);

/// What has been kept so far of a document on the whole.
#[derive(Default)]
struct Gathered {
    document_id: Option<Uuid>,
    status: Option<String>,
    identifiers: Vec<(String, Identifier)>,
}

/// Whether a value is an identifier of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identifies {
    Yes,
    No,
}
