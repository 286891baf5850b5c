//! Holding a document against a set while it is read: one frame for each open element, no tree.
//!
//! Rules are named as the specification names them (part 1, appendix C.1: `cvc-…`).

use super::keys::{Ended, Keys, Mark};
use super::model::{Cursor, Matched, Model, Presence, Refused};
use super::names::Name;
use super::row::Listed;
use super::set::{ANY_TYPE, Bindings, Complex, Content, Element, Methods, Set, TypeRef, Use};
use super::simple::{Identity, NoScope, Pieces, Reason, Room, Scope, Simple, Value};
use super::violation::Violation;
use super::wildcard::Process;
use crate::base::limits;

/// The namespace of `xsi:type` and `xsi:nil`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A start tag as a run sees it.
pub trait Tag: Scope {
    /// The namespace name of the element, empty if it has none.
    fn uri(&self) -> &str;
    /// Its local name.
    fn local(&self) -> &str;
    /// An attribute by its place: namespace name, local name, value. Namespace declarations are no attributes.
    fn attribute(&self, at: usize) -> Option<(&str, &str, &str)>;
    /// What prefixes stand for here.
    fn bindings(&self) -> Bindings;
}

/// What has been inside an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    /// No element.
    NoElement,
    /// Elements.
    Elements,
    /// Something wrong: what its content should be is not known any more.
    Broken,
}

/// What an element may hold.
#[derive(Clone, Copy, Debug)]
enum Holds<'s> {
    Nothing,
    Value(&'s Simple),
    Elements { model: &'s Model, is_mixed: bool },
}

/// An open element. It is small and plain, so that one is written where it will lie.
#[derive(Clone, Copy, Debug)]
struct Frame<'s> {
    element: Option<&'s Element>,
    of: TypeRef,
    holds: Holds<'s>,
    cursor: Cursor,
    base: u32,
    is_nil: bool,
    inside: Inside,
    /// Of a type that `xsi:type` names what is inside was not promised by the declared one.
    presence_inside: Presence,
}

/// What the next element is to the content around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// One that the declared type of the element around it lists.
    Listed(Listed),
    /// One that was not promised: the first one, one that a wildcard lets through, or one inside a type that `xsi:type` names. With
    /// its declaration, if it has one.
    Other(Option<u32>),
}

impl Next {
    fn declared(self) -> Option<u32> {
        match self {
            Self::Listed(listed) => Some(listed.element),
            Self::Other(element) => element,
        }
    }
}

/// A run over one document.
pub struct Run<'s> {
    pub(super) set: &'s Set,
    frames: Vec<Frame<'s>>,
    /// The paths of all open models.
    stack: Vec<u32>,
    text: String,
    /// What prefixes stand for at the innermost open element, where its value may be a qualified name.
    bindings: Option<Bindings>,
    /// Of a value that is too long to be kept: how far it has been checked.
    pieces: Option<Pieces<'s>>,
    room: Room,
    /// How many open elements are not looked at.
    skipped: usize,
    keys: Keys,
    violations: Vec<Violation>,
    most: usize,
    next: Next,
    /// Of the attributes of the element that began last, by their places: those that its type demands.
    demanded: u64,
    kept: Kept,
}

/// Whether somebody asked for the value of the element that ends, with room for it.
#[derive(Default)]
enum Kept {
    #[default]
    Nothing,
    Asked(String),
    Text(String),
}

/// What an attribute of `xsi:` says of an element.
#[derive(Default)]
struct Says<'t> {
    of: Option<&'t str>,
    nil: Option<&'t str>,
}

impl<'s> Run<'s> {
    /// A run that keeps so many violations, and passes over what comes behind them.
    pub fn new(set: &'s Set, most: usize) -> Self {
        Self {
            set,
            frames: Vec::with_capacity(8),
            stack: Vec::new(),
            text: String::with_capacity(64),
            bindings: None,
            pieces: None,
            room: Room::default(),
            skipped: 0,
            keys: Keys::default(),
            violations: Vec::new(),
            most: most.max(1),
            next: Next::Other(None),
            demanded: 0,
            kept: Kept::Nothing,
        }
    }

    /// The set that it holds documents against.
    pub fn set(&self) -> &'s Set {
        self.set
    }

    /// Makes it ready for another document.
    pub fn reset(&mut self) {
        self.frames.clear();
        self.stack.clear();
        self.text.clear();
        self.pieces = None;
        self.skipped = 0;
        self.keys = Keys::default();
        self.violations.clear();
    }

    /// The violations so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    fn is_over(&self) -> bool {
        self.violations.len() >= self.most
    }

    #[cold]
    fn wrong(&mut self, rule: &'static str, what: impl Into<String>) {
        if !self.is_over() {
            self.violations.push(Violation { rule, what: what.into() });
        }
    }

    /// An element begins.
    pub fn start(&mut self, tag: &impl Tag) {
        if self.skipped > 0 || self.is_over() {
            self.skipped = self.skipped.saturating_add(1);
            return;
        }
        match self.declaration(tag) {
            Some(next) => {
                self.next = next;
                self.begin(next.declared(), tag);
            }
            None => self.skipped = 1,
        }
    }

    /// What the element that began last is to the content around it.
    pub fn next(&self) -> Next {
        self.next
    }

    /// Whether the element that began last is one that is not looked at.
    pub fn is_skipping(&self) -> bool {
        self.skipped > 0
    }

    /// Whether the type of the element that began last demands the attribute that it has at this place.
    pub fn attribute_presence(&self, at: usize) -> Presence {
        let is_promised = self.frames.last().is_some_and(|frame| frame.presence_inside == Presence::Required);
        let is_demanded = at < u64::BITS as usize && self.demanded >> at & 1 == 1;
        if is_promised && is_demanded { Presence::Required } else { Presence::Optional }
    }

    /// The type of the element that began last.
    pub fn current_type(&self) -> Option<TypeRef> {
        self.frames.last().map(|frame| frame.of)
    }

    /// Ends the innermost open element, and gives its value with its white space as its type has it, if it is good; in `room`,
    /// which may be used again and again.
    pub fn end_with_value(&mut self, room: String) -> Option<String> {
        self.kept = Kept::Asked(room);
        self.end();
        match std::mem::take(&mut self.kept) {
            Kept::Text(text) => Some(text),
            Kept::Nothing | Kept::Asked(_) => None,
        }
    }

    /// What the next element is, unless it is not to be looked at.
    fn declaration(&mut self, tag: &impl Tag) -> Option<Next> {
        let set = self.set;
        let global = || set.names().find(tag.uri(), tag.local()).and_then(|name| set.global_element(name));
        let Some(frame) = self.frames.last_mut() else {
            let global = global();
            let is_typed = says(tag).of.is_some();
            if global.is_none() && !is_typed {
                self.wrong("cvc-elt.1", format!("no global element is called {}", tag.local()));
                return None;
            }
            return Some(Next::Other(global));
        };
        if frame.inside == Inside::Broken {
            return None;
        }
        frame.inside = Inside::Elements;
        if frame.is_nil {
            frame.inside = Inside::Broken;
            self.wrong("cvc-elt.3.2.1", "an element inside one that is nil");
            return None;
        }
        let Holds::Elements { model, .. } = frame.holds else {
            frame.inside = Inside::Broken;
            let rule = match (frame.of, frame.holds) {
                (TypeRef::Complex(_), Holds::Value(_)) => "cvc-complex-type.2.2",
                (TypeRef::Complex(_), _) => "cvc-complex-type.2.1",
                _ => "cvc-type.3.1.2",
            };
            self.wrong(rule, format!("{} where there may be none", self.shown(tag)));
            return None;
        };
        let (base, before) = (frame.base as usize, frame.cursor);
        match model.step(&mut frame.cursor, &mut self.stack, base, (set.names(), tag.uri(), tag.local())) {
            Ok(Matched::Element(listed)) if frame.presence_inside == Presence::Required => Some(Next::Listed(listed)),
            Ok(Matched::Element(listed)) => Some(Next::Other(Some(listed.element))),
            Ok(Matched::Any(Process::Skip)) => None,
            Ok(Matched::Any(Process::Lax)) => Some(Next::Other(global())),
            Ok(Matched::Any(Process::Strict)) if global().is_some() || says(tag).of.is_some() => Some(Next::Other(global())),
            Ok(Matched::Any(Process::Strict)) => {
                self.wrong("cvc-assess-elt.1.1", format!("{} is not declared", self.shown(tag)));
                None
            }
            Err(Refused::TooManyWays) => {
                self.wrong("cvc-model-group", "the content is open in more ways than are kept");
                None
            }
            Err(Refused::Unexpected) => {
                frame.inside = Inside::Broken;
                let expected = model.expected(before, &self.stack, base, self.set.names());
                let what = format!("{} where {}", self.shown(tag), in_words(&expected));
                self.wrong("cvc-complex-type.2.4", what);
                None
            }
        }
    }

    /// An element in words: a name that no schema has is the document's own, and not told.
    fn shown(&self, tag: &impl Tag) -> String {
        match self.set.names().find(tag.uri(), tag.local()) {
            Some(_) => format!("the element {}", tag.local()),
            None => "an element that no schema of the set has".to_owned(),
        }
    }

    fn begin(&mut self, number: Option<u32>, tag: &impl Tag) {
        let set = self.set;
        let element = number.and_then(|number| set.element(number));
        if element.is_some_and(|element| element.is_abstract) {
            self.wrong(
                "cvc-elt.2",
                format!("the element {} is abstract: another of its substitution group is wanted", tag.local()),
            );
        }
        let says = says(tag);
        let declared = element.map_or(ANY_TYPE, |element| element.of);
        let of = self.type_of(element, declared, &says, tag);
        let complex = match of {
            TypeRef::Complex(number) => set.complex(number),
            _ => None,
        };
        if complex.is_some_and(|complex| complex.is_abstract) {
            self.wrong("cvc-type.2", format!("the type of {} is abstract: xsi:type must name another", tag.local()));
        }
        let is_nil = says.nil.is_some_and(|text| self.nil(element, text));
        let holds = match (complex.map(|complex| &complex.content), of) {
            (Some(Content::Simple(simple)), _) => Holds::Value(simple),
            (Some(Content::Elements { model, is_mixed }), _) => Holds::Elements { model, is_mixed: *is_mixed },
            (None, TypeRef::Simple(_)) => set.simple_of(of).map_or(Holds::Nothing, |simple| Holds::Value(simple)),
            _ => Holds::Nothing,
        };
        self.text.clear();
        if self.bindings.is_some() || matches!(holds, Holds::Value(simple) if !simple.is_plain()) {
            self.bindings = matches!(holds, Holds::Value(_)).then(|| tag.bindings());
        }
        self.frames.push(Frame {
            element,
            of,
            holds,
            cursor: Cursor::default(),
            base: self.stack.len() as u32,
            is_nil,
            inside: if of == TypeRef::Missing { Inside::Broken } else { Inside::NoElement },
            presence_inside: if of == declared && element.is_some() { Presence::Required } else { Presence::Optional },
        });
        if self.frames.len() > limits::DEPTH_MAX {
            self.wrong("cvc-elt", "elements are nested too deep");
        }
        let depth = self.frames.len();
        let constraints: &[u32] = element.map_or(&[], |element| &element.constraints);
        if self.keys.are_open() || !constraints.is_empty() {
            let name = element.map(|element| element.name).or_else(|| set.names().find(tag.uri(), tag.local()));
            let found = self.keys.start(set, depth, constraints, name, tag.uri());
            self.told(found);
        }
        self.attributes(complex, tag);
    }

    #[inline]
    fn told(&mut self, found: Result<(), Violation>) {
        if let Err(violation) = found {
            self.wrong(violation.rule, violation.what);
        }
    }

    /// The type that counts: the declared one, or one derived from it that `xsi:type` names (section 3.3.4).
    fn type_of(&mut self, element: Option<&Element>, declared: TypeRef, says: &Says<'_>, tag: &impl Tag) -> TypeRef {
        if declared == TypeRef::Missing {
            self.wrong("cvc-elt.1", format!("the type of {} is not declared", tag.local()));
            return declared;
        }
        match says.of {
            None => declared,
            Some(text) => self.named_type(text, element, declared, tag),
        }
    }

    #[cold]
    fn named_type(&mut self, text: &str, element: Option<&Element>, declared: TypeRef, tag: &impl Tag) -> TypeRef {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let (prefix, local) = text.split_once(':').unwrap_or(("", text));
        let uri = if prefix == "xml" { Some("http://www.w3.org/XML/1998/namespace") } else { tag.namespace(prefix) };
        let uri = uri.or(if prefix.is_empty() { Some("") } else { None });
        let named = uri.and_then(|uri| self.set.names().find(uri, local)).and_then(|name| self.set.global_type(name));
        let Some(named) = named.filter(|named| *named != TypeRef::Missing) else {
            self.wrong("cvc-elt.4.2", "xsi:type names a type that is not declared");
            return declared;
        };
        let of_type = match declared {
            TypeRef::Complex(number) => self.set.complex(number).map_or(Methods::default(), |complex| complex.block),
            _ => Methods::default(),
        };
        let block = element.map_or(Methods::default(), |element| element.block).and(of_type);
        match self.set.derives(named, declared) {
            Some(ways) if !ways.meets(block) => named,
            Some(_) => {
                self.wrong("cvc-elt.4.3", "xsi:type names a type that may not stand here: its derivation is blocked");
                declared
            }
            None => {
                self.wrong("cvc-elt.4.3", "xsi:type names a type that is not derived from the declared one");
                declared
            }
        }
    }

    #[cold]
    fn nil(&mut self, element: Option<&Element>, text: &str) -> bool {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        if !matches!(text, "true" | "false" | "0" | "1") {
            self.wrong("cvc-datatype-valid.1.2.1", "xsi:nil is neither true nor false");
            return false;
        }
        // What nobody declared has no say in it.
        if element.is_some_and(|element| !element.nillable) {
            self.wrong("cvc-elt.3.1", "xsi:nil on an element that is not nillable");
            return false;
        }
        let is_nil = matches!(text, "true" | "1");
        if is_nil && element.and_then(|element| element.preset.as_ref()).is_some_and(|preset| preset.is_fixed) {
            self.wrong("cvc-elt.3.2.2", "xsi:nil on an element whose value is fixed");
        }
        is_nil
    }

    fn attributes(&mut self, complex: Option<&'s Complex>, tag: &impl Tag) {
        let (mut at, mut required, mut wild_ids) = (0_usize, 0_usize, 0_usize);
        self.demanded = 0;
        while let Some((uri, local, value)) = tag.attribute(at) {
            let place = u32::try_from(at).unwrap_or(u32::MAX);
            at = at.saturating_add(1);
            if uri == XSI && matches!(local, "type" | "nil" | "schemaLocation" | "noNamespaceSchemaLocation") {
                continue;
            }
            let Some(complex) = complex else {
                self.wrong("cvc-type.3.1.1", format!("the attribute {local} on an element of a simple type"));
                continue;
            };
            if let Some(declared) = self.declared(complex, uri, local) {
                let name = Some(declared.name);
                required = required.saturating_add(usize::from(declared.is_required));
                self.demanded |= u64::from(declared.is_required).checked_shl(place).unwrap_or(0);
                self.attribute(declared, name, uri, value, tag);
                continue;
            }
            if self.wild(complex, (uri, local, value), tag) == Identity::Id {
                wild_ids = wild_ids.saturating_add(1);
            }
        }
        let Some(complex) = complex else { return };
        if wild_ids > 0 {
            let has_own =
                complex.attributes.uses.iter().any(|own| own.of.as_ref().is_some_and(|of| of.identity() == Identity::Id));
            if wild_ids > 1 || has_own {
                self.wrong("cvc-complex-type.5", "two attributes that are IDs");
            }
        }
        if complex.required > required || complex.has_identities || self.keys.wants_fields() {
            self.absent(complex, required, tag);
        }
    }

    /// An attribute that its type does not name; says whether it is an ID.
    #[cold]
    fn wild(&mut self, complex: &Complex, (uri, local, value): (&str, &str, &str), tag: &impl Tag) -> Identity {
        let wildcard = complex.attributes.wildcard.as_ref().filter(|wildcard| wildcard.spaces.allow(uri));
        let name = self.set.names().find(uri, local);
        let global = name.and_then(|name| self.set.global_attribute(name));
        match (wildcard.map(|wildcard| wildcard.process), global) {
            (None, _) => self.wrong("cvc-complex-type.3.2.2", format!("the attribute {local}, which the type does not have")),
            (Some(Process::Skip), _) | (Some(Process::Lax), None) => {}
            (Some(Process::Strict), None) => {
                self.wrong("cvc-assess-attr.1", format!("the attribute {local} is not declared"));
            }
            (Some(_), Some(declared)) => {
                self.attribute(declared, name, uri, value, tag);
                return declared.of.as_ref().map_or(Identity::None, |of| of.identity());
            }
        }
        Identity::None
    }

    /// The attribute of a type by its name.
    fn declared(&self, complex: &'s Complex, uri: &str, local: &str) -> Option<&'s Use> {
        let (names, uses) = (self.set.names(), &complex.attributes.uses);
        if uses.len() <= FEW {
            // To compare with each is faster than to look a name up.
            return uses.iter().find(|declared| names.is(declared.name, uri, local));
        }
        let name = names.find(uri, local)?;
        uses.iter().find(|declared| declared.name == name)
    }

    /// Attributes that are not there: required ones, and those with a default, which count as if they were.
    #[cold]
    fn absent(&mut self, complex: &'s Complex, required: usize, tag: &impl Tag) {
        let uses = &complex.attributes.uses;
        let is_there = |name: Name| {
            let mut at = 0;
            while let Some((uri, local, _)) = tag.attribute(at) {
                if self.set.names().find(uri, local) == Some(name) {
                    return true;
                }
                at = at.saturating_add(1);
            }
            false
        };
        if complex.required > required {
            let missing = uses.iter().find(|declared| declared.is_required && !is_there(declared.name));
            let missing = missing.map_or("", |missing| self.set.names().local(missing.name));
            let what = format!("the attribute {missing} is missing");
            self.wrong("cvc-complex-type.4", what);
        }
        if self.keys.wants_fields() || complex.has_identities {
            for declared in uses {
                let Some(preset) = declared.preset.as_ref().filter(|_| !is_there(declared.name)) else { continue };
                let Some(of) = &declared.of else { continue };
                let value = of.value(&preset.text, &preset.bindings, &mut self.room).ok();
                if let Some(value) = &value {
                    self.identified(of, value);
                }
                let uri = self.set.names().uri(declared.name);
                let found = self.keys.attribute(self.set, Some(declared.name), uri, value.as_ref());
                self.told(found);
            }
        }
    }

    fn attribute(&mut self, declared: &Use, name: Option<Name>, uri: &str, value: &str, tag: &impl Tag) {
        let set = self.set;
        let local = || set.names().local(declared.name);
        let Some(of) = &declared.of else {
            self.wrong("cvc-attribute.1", format!("the type of the attribute {} is not declared", local()));
            return;
        };
        let identity = of.identity();
        let wants_value = declared.fixed.is_some() || identity != Identity::None || self.keys.wants_fields();
        if !wants_value {
            if let Err(reason) = of.check(value, tag, &mut self.room) {
                self.wrong(reason.rule, format!("the attribute {} is {}", local(), explained(of, &reason)));
            }
            return;
        }
        match of.value(value, tag, &mut self.room) {
            Err(reason) => self.wrong(reason.rule, format!("the attribute {} is {}", local(), explained(of, &reason))),
            Ok(value) => {
                if declared.fixed.as_ref().is_some_and(|fixed| **fixed != value) {
                    self.wrong("cvc-attribute.4", format!("the attribute {} is not the fixed value", local()));
                }
                self.identified(of, &value);
                let found = self.keys.attribute(self.set, name, uri, Some(&value));
                self.told(found);
            }
        }
    }

    /// Keeps what is an ID, or refers to one.
    fn identified(&mut self, of: &Simple, value: &Value) {
        let found = self.keys.identified(of, value);
        self.told(found);
    }

    /// A piece of text inside the innermost open element.
    pub fn text(&mut self, text: &str) {
        if self.skipped > 0 || self.is_over() || text.is_empty() {
            return;
        }
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.inside == Inside::Broken {
            return;
        }
        if frame.is_nil {
            frame.inside = Inside::Broken;
            return self.wrong("cvc-elt.3.2.1", "text inside an element that is nil");
        }
        match frame.holds {
            Holds::Value(_) => self.keep_text(text),
            Holds::Elements { is_mixed: true, .. } => {
                if frame.element.is_some_and(|element| element.preset.is_some()) {
                    self.keep_text(text);
                }
            }
            Holds::Elements { .. } if text.bytes().all(|octet| matches!(octet, b' ' | b'\t' | b'\n' | b'\r')) => {}
            Holds::Elements { .. } => {
                frame.inside = Inside::Broken;
                self.wrong("cvc-complex-type.2.3", "text between the elements");
            }
            Holds::Nothing => {
                frame.inside = Inside::Broken;
                self.wrong("cvc-complex-type.2.1", "text where there may be none");
            }
        }
    }

    fn keep_text(&mut self, text: &str) {
        if let Some(pieces) = &mut self.pieces {
            return pieces.take(text);
        }
        if text.len() > limits::KEPT_TEXT_BYTES_MAX.saturating_sub(self.text.len()) {
            return self.begin_pieces(text);
        }
        self.text.push_str(text);
        if self.text.len() > LONG_TEXT_BYTES {
            // What a long text takes, the caches of patterns must not take besides.
            self.room.caches.clear();
        }
    }

    /// A value that is too long to be kept is checked as it comes, where nobody asks what it is.
    #[cold]
    fn begin_pieces(&mut self, text: &str) {
        let Some(frame) = self.frames.last() else { return };
        let is_fixed = frame.element.is_some_and(Element::is_fixed);
        let is_asked = is_fixed || self.keys.wants_value(self.set);
        let pieces = match frame.holds {
            Holds::Value(simple) if !is_asked => simple.pieces(),
            _ => None,
        };
        match pieces {
            Some(mut pieces) => {
                pieces.take(&self.text);
                pieces.take(text);
                self.pieces = Some(pieces);
            }
            None => self.too_long(),
        }
        self.text = String::new();
    }

    fn too_long(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.inside = Inside::Broken;
        }
        self.wrong("cvc-datatype-valid", too_long());
    }

    /// The innermost open element ends.
    pub fn end(&mut self) {
        if self.skipped > 0 {
            self.skipped = self.skipped.saturating_sub(1);
            return;
        }
        if self.is_over() {
            return;
        }
        if self.keys.is_large() {
            self.room.caches.clear();
        }
        let depth = self.frames.len();
        let Some(frame) = self.frames.pop() else { return };
        let mut mark = None;
        if self.pieces.is_some() {
            self.end_pieces(&frame);
        } else if frame.inside != Inside::Broken && !frame.is_nil {
            mark = self.content(&frame);
        }
        self.stack.truncate(frame.base as usize);
        if self.keys.are_open() {
            let with = match (frame.is_nil, frame.holds) {
                (true, _) => Ended::Nil,
                (false, Holds::Value(_)) => Ended::Value(mark),
                (false, _) => Ended::Elements,
            };
            let found = self.keys.end(self.set, depth, &with);
            self.told(found);
        }
        if self.frames.is_empty() && !self.is_over() {
            let found = self.keys.finish();
            self.told(found);
        }
    }

    /// Whether the content of an element is whole; gives the mark of its value if it has one and keys are kept.
    fn content(&mut self, frame: &Frame<'s>) -> Option<Mark> {
        let local = || frame.element.map_or("", |element| self.set.names().local(element.name));
        match frame.holds {
            Holds::Nothing => None,
            Holds::Value(simple) => {
                let text = std::mem::take(&mut self.text);
                let mark = self.value(frame.element, simple, &text);
                self.text = text;
                mark
            }
            Holds::Elements { model, is_mixed } => {
                let preset = frame.element.and_then(|element| element.preset.as_ref());
                if let Some(preset) = preset.filter(|preset| is_mixed && preset.is_fixed)
                    && (frame.inside == Inside::Elements || !self.text.is_empty() && *self.text != *preset.text)
                {
                    self.wrong("cvc-elt.5.2.2", format!("the element {} is not the fixed value", local()));
                    return None;
                }
                if !model.may_end(frame.cursor, &self.stack, frame.base as usize) {
                    let expected = model.expected(frame.cursor, &self.stack, frame.base as usize, self.set.names());
                    self.wrong("cvc-complex-type.2.4", format!("the end of {} where {}", local(), in_words(&expected)));
                }
                None
            }
        }
    }

    #[cold]
    fn end_pieces(&mut self, frame: &Frame<'s>) {
        let (Some(pieces), Holds::Value(simple)) = (self.pieces.take(), frame.holds) else { return };
        if frame.inside == Inside::Broken {
            return;
        }
        if matches!(self.kept, Kept::Asked(_)) {
            return self.wrong("cvc-datatype-valid", too_long());
        }
        if let Err(reason) = pieces.end() {
            let local = frame.element.map_or("", |element| self.set.names().local(element.name));
            self.wrong(reason.rule, format!("the value of {local} is {}", explained(simple, &reason)));
        }
    }

    fn value(&mut self, element: Option<&Element>, simple: &Simple, text: &str) -> Option<Mark> {
        let preset = element.and_then(|element| element.preset.as_ref());
        let bindings = self.bindings.take();
        let (text, scope): (&str, &dyn Scope) = match (preset.filter(|_| text.is_empty()), &bindings) {
            (Some(preset), _) => (&*preset.text, &preset.bindings),
            (None, Some(bindings)) => (text, bindings),
            (None, None) => (text, &NoScope),
        };
        let is_fixed = preset.filter(|preset| preset.is_fixed);
        let wants_value = is_fixed.is_some() || simple.identity() != Identity::None || self.keys.wants_value(self.set);
        let mark = if wants_value { self.compared(element, simple, (text, scope)) } else { None };
        if !wants_value || matches!(self.kept, Kept::Asked(_)) {
            match simple.check(text, scope, &mut self.room) {
                Ok(text) => self.kept.keep(text),
                Err(reason) if !wants_value => self.no_value(element, simple, &reason),
                Err(_) => {}
            }
        }
        mark
    }

    /// A value that is compared with others.
    #[cold]
    fn compared(&mut self, element: Option<&Element>, simple: &Simple, (text, scope): (&str, &dyn Scope)) -> Option<Mark> {
        let value = simple.value(text, scope, &mut self.room).map_err(|reason| self.no_value(element, simple, &reason)).ok()?;
        let fixed = element.and_then(|element| element.preset.as_ref()).filter(|preset| preset.is_fixed);
        if let Some(fixed) = fixed.map(|fixed| simple.value(&fixed.text, &fixed.bindings, &mut self.room))
            && fixed.as_ref().ok() != Some(&value)
        {
            let local = element.map_or("", |element| self.set.names().local(element.name));
            self.wrong("cvc-elt.5.2.2", format!("the element {local} is not the fixed value"));
        }
        self.identified(simple, &value);
        self.keys.are_open().then(|| value.digest())
    }

    #[cold]
    fn no_value(&mut self, element: Option<&Element>, simple: &Simple, reason: &Reason) {
        let local = element.map_or("", |element| self.set.names().local(element.name));
        self.wrong(reason.rule, format!("the value of {local} is {}", explained(simple, reason)));
    }
}

impl Kept {
    fn keep(&mut self, text: &str) {
        if let Self::Asked(room) = self {
            let mut room = std::mem::take(room);
            room.clear();
            room.push_str(text);
            *self = Self::Text(room);
        }
    }
}

fn says<'t>(tag: &'t impl Tag) -> Says<'t> {
    let (mut says, mut at) = (Says::default(), 0);
    while let Some((uri, local, value)) = tag.attribute(at) {
        match local {
            "type" if uri == XSI => says.of = Some(value),
            "nil" if uri == XSI => says.nil = Some(value),
            _ => {}
        }
        at = at.saturating_add(1);
    }
    says
}

/// As many attributes as most types have.
const FEW: usize = 8;

/// From where on a text is a long one.
const LONG_TEXT_BYTES: usize = 16 << 10;

/// What is said of a value that is too long to be kept and must be.
fn too_long() -> String {
    format!(
        "longer than {} KiB, which only text and octets in base64 or hexadecimal may be that are compared with nothing: no \
         enumeration, no fixed value, no key, no ID, nothing that documents.toml looks at",
        limits::KEPT_TEXT_BYTES_MAX >> 10
    )
}

/// Why a value is refused, and what was expected where the reason does not say it.
fn explained(simple: &Simple, reason: &Reason) -> String {
    let says_all = !matches!(
        reason.rule,
        "cvc-enumeration-valid"
            | "cvc-minInclusive-valid"
            | "cvc-minExclusive-valid"
            | "cvc-maxInclusive-valid"
            | "cvc-maxExclusive-valid"
    ) && simple.ancestor() != "union";
    if says_all { reason.what.to_string() } else { format!("{}; expected: {}", reason.what, simple.expects()) }
}

/// What was expected, in words.
fn in_words(expected: &[&str]) -> String {
    match expected {
        [] => "nothing more may stand".to_owned(),
        [only] => format!("{only} is expected"),
        many => {
            let shown = many.iter().take(8).copied().collect::<Vec<_>>().join(", ");
            let more = if many.len() > 8 { ", …" } else { "" };
            format!("one of {shown}{more} is expected")
        }
    }
}
