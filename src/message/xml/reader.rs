//! The strict reader: tokens with resolved names and normalised values, each with its octets.

use super::chars::{check_octets, check_piece, ends_text, find, is_blank, same};
use super::start::{Scope, Slot, Start};
use super::tag::{parse_tag, reference, tag_length, usual_tag};
use super::{Violation, malformed, refused};
use crate::base::fault::Code;
use crate::base::limits;
use quick_xml::events::Event as Token;

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";
const XSI_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Longest name, and deepest element, that a path for people shows.
const PATH_NAME_BYTES: usize = 40;
const PATH_DEPTH: usize = 16;

const XML_NAMESPACE_INDEX: u32 = 1;

/// How much text is copied at a time.
const PIECE_BYTES: usize = 4096;

/// What a document may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A message, as it arrives.
    Message,
    /// A schema of the operator: comments are passed over.
    Schema,
}

/// A token of the document.
#[derive(Debug)]
pub enum Event<'e, 'a> {
    /// A start tag; an empty-element tag is followed by an [`Event::End`] of its own.
    Start(&'e Start<'a>),
    /// Text inside the root element, or one reference.
    Text {
        /// The octets as they stand.
        raw: &'a str,
        /// The characters meant.
        text: &'e str,
        /// Where the octets begin.
        at: usize,
        /// Whether `raw` is its own canonical form.
        canonical: bool,
    },
    /// An end tag; `raw` is empty after an empty-element tag.
    End {
        /// The octets as they stand.
        raw: &'a str,
        /// The qualified name.
        name: &'a str,
        /// Where the octets begin.
        at: usize,
    },
    /// The document is over and was well-formed.
    Done,
}

/// An open element: its name and how much of the scope was there before it.
struct Open<'a> {
    name: &'a str,
    bindings: usize,
    uris: usize,
}

/// The reader.
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    start: Start<'a>,
    open: Vec<Open<'a>>,
    scratch: String,
    /// Whether there is a carriage return anywhere.
    has_returns: bool,
    profile: Profile,
    state: State,
    /// How many octets of the document were before these.
    base: usize,
    extent: Extent,
}

/// Whether there may be more of a document than a reader has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Part,
}

/// What a reader knows of a document whose next octets are read by another one.
#[derive(Default)]
pub(super) struct Place {
    /// How many octets were read.
    pub(super) base: usize,
    /// The open elements: the name of each, and how much of the scope was there before it.
    open: Vec<(String, usize, usize)>,
    bindings: Vec<(String, u32)>,
    uris: Vec<String>,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    BeforeRoot,
    InRoot,
    EmptyTag,
    Ended {
        popped: bool,
    },
}

impl<'a> Reader<'a> {
    /// A reader over a whole document; checks at once that it is UTF-8 and within its size.
    pub fn new(octets: &'a [u8], profile: Profile) -> Result<Self, Violation> {
        if profile == Profile::Message && octets.len() > limits::MESSAGE_BYTES_MAX {
            return Err(Violation { code: Code::XmlLimit, what: "more octets than a message may have", at: octets.len() });
        }
        let text = check_octets(octets)?;
        let mut scope = Scope { bindings: Vec::with_capacity(8), uris: Vec::with_capacity(8) };
        scope.bindings.push(("xml", XML_NAMESPACE_INDEX));
        scope.uris.extend(["".into(), XML_NAMESPACE.into()]);
        let (attributes, declarations) = (Vec::with_capacity(4), Vec::with_capacity(4));
        let start = Start { scope, attributes, declarations, ..Start::default() };
        Ok(Self {
            text,
            at: 0,
            start,
            open: Vec::with_capacity(16),
            scratch: String::new(),
            has_returns: memchr::memchr(b'\r', octets).is_some(),
            profile,
            state: State::BeforeRoot,
            base: 0,
            extent: Extent::Whole,
        })
    }

    /// A reader that goes on with the next octets of a document, where another one has left it.
    pub(super) fn resume(octets: &'a [u8], place: &'a Place) -> Result<Self, Violation> {
        let text = if place.base == 0 { check_octets(octets)? } else { check_piece(octets)? };
        let mut scope = Scope { bindings: vec![("xml", XML_NAMESPACE_INDEX)], uris: vec!["".into(), XML_NAMESPACE.into()] };
        if !place.uris.is_empty() {
            scope.bindings = place.bindings.iter().map(|(prefix, uri)| (prefix.as_str(), *uri)).collect();
            scope.uris = place.uris.iter().map(|uri| uri.as_str().into()).collect();
        }
        let open = |(name, bindings, uris): &'a (String, usize, usize)| Open { name, bindings: *bindings, uris: *uris };
        Ok(Self {
            text,
            at: 0,
            start: Start { scope, ..Start::default() },
            open: place.open.iter().map(open).collect(),
            scratch: String::new(),
            has_returns: memchr::memchr(b'\r', octets).is_some(),
            profile: Profile::Message,
            state: place.state,
            base: place.base,
            extent: Extent::Part,
        })
    }

    /// Whether there is nothing more to be read here.
    pub(super) fn is_read(&self) -> bool {
        self.at >= self.text.len() && self.state != State::EmptyTag
    }

    /// What the next reader has to know.
    pub(super) fn leave(mut self) -> Place {
        self.leave_scope();
        let Scope { bindings, uris } = std::mem::take(&mut self.start.scope);
        Place {
            base: self.base.saturating_add(self.text.len()),
            open: self.open.iter().map(|open| (open.name.to_owned(), open.bindings, open.uris)).collect(),
            bindings: bindings.into_iter().map(|(prefix, uri)| (prefix.to_owned(), uri)).collect(),
            uris: uris.into_iter().map(std::borrow::Cow::into_owned).collect(),
            state: self.state,
        }
    }

    /// The next token.
    #[expect(clippy::should_implement_trait, reason = "it lends from the reader, which an iterator cannot")]
    pub fn next(&mut self) -> Result<Event<'_, 'a>, Violation> {
        self.leave_scope();
        if self.state == State::EmptyTag {
            let (name, at) = (self.start.name, self.start.at.saturating_add(self.start.raw.len()));
            self.close();
            return Ok(Event::End { raw: "", name, at });
        }
        loop {
            let at = self.at;
            let rest = self.text.as_bytes().get(at..).unwrap_or_default();
            match rest {
                [] if self.extent == Extent::Part => return Ok(Event::Done),
                [] => return self.finish(),
                [b'<', b'/', ..] => {
                    let (raw, name) = self.read_end(at)?;
                    return Ok(Event::End { raw, name, at: at.saturating_add(self.base) });
                }
                [b'<', b'!' | b'?', ..] => self.pass_over(at)?,
                [b'<', ..] => {
                    self.read_start(at)?;
                    return Ok(Event::Start(&self.start));
                }
                [b'&', ..] => return self.read_reference(at),
                _ if self.open.is_empty() => self.pass_over_blank(at)?,
                _ => return self.read_text(at),
            }
        }
    }

    /// The next octets, which are then behind the reader.
    fn take(&mut self, length: usize) -> &'a str {
        let from = self.at;
        self.at = from.saturating_add(length);
        self.text.get(from..self.at).unwrap_or("")
    }

    /// White space around the root element.
    #[cold]
    fn pass_over_blank(&mut self, at: usize) -> Result<(), Violation> {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        let raw = self.take(memchr::memchr2(b'<', b'&', rest).unwrap_or(rest.len()));
        if is_blank(raw) { Ok(()) } else { Err(malformed("text outside the root element", at)) }
    }

    /// Markup that is no tag: quick-xml says what it is and where it ends. All of it is refused but the declaration, and
    /// comments in schemas.
    #[cold]
    fn pass_over(&mut self, at: usize) -> Result<(), Violation> {
        let mut tokens = quick_xml::Reader::from_reader(self.text.as_bytes().get(at..).unwrap_or_default());
        let token = tokens.read_event().map_err(|_| malformed("markup that does not end or nest", at))?;
        match token {
            Token::Decl(_) if self.base > 0 => Err(malformed("an XML declaration that is not at the start", at)),
            Token::Decl(_) => {
                let raw = self.take(tokens.buffer_position() as usize);
                check_declaration(raw, at)
            }
            Token::Comment(_) if self.profile == Profile::Schema => {
                self.take(tokens.buffer_position() as usize);
                Ok(())
            }
            Token::Comment(_) => Err(refused(Code::XmlComment, "a comment", at)),
            Token::CData(_) => Err(refused(Code::XmlCdata, "a CDATA section", at)),
            Token::PI(_) => Err(refused(Code::XmlInstruction, "a processing instruction", at)),
            Token::DocType(_) => Err(refused(Code::XmlDoctype, "a DOCTYPE", at)),
            _ => Err(malformed("markup that does not end or nest", at)),
        }
    }

    /// The path of the innermost open element, local names only, for people. The names are the sender's: those that are
    /// longer than any of ours, or go deeper, or have letters beyond ASCII, are not repeated.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for (depth, open) in self.open.iter().enumerate() {
            path.push('/');
            let name = open.name.split_once(':').map_or(open.name, |(_, local)| local);
            let is_shown = name.len() <= PATH_NAME_BYTES && name.is_ascii() && depth < PATH_DEPTH;
            path.push_str(if is_shown { name } else { "\u{2026}" });
            if depth >= PATH_DEPTH {
                break;
            }
        }
        path
    }

    fn read_start(&mut self, at: usize) -> Result<(), Violation> {
        if matches!(self.state, State::Ended { .. }) && self.open.is_empty() {
            return Err(malformed("a second root element", at));
        }
        if self.open.len() >= limits::DEPTH_MAX {
            return Err(refused(Code::XmlLimit, "elements nested too deep", at));
        }
        let (bindings, uris) = (self.start.scope.bindings.len(), self.start.scope.uris.len());
        let empty = match usual_tag(&mut self.start, self.text, at) {
            Some((length, empty)) => {
                self.start.raw = self.take(length);
                empty
            }
            None => self.read_unusual_tag(at)?,
        };
        self.open.push(Open { name: self.start.name, bindings, uris });
        self.start.depth = self.open.len();
        resolve_names(&mut self.start)?;
        self.start.at = at.saturating_add(self.base);
        self.state = if empty { State::EmptyTag } else { State::InRoot };
        Ok(())
    }

    #[cold]
    fn read_unusual_tag(&mut self, at: usize) -> Result<bool, Violation> {
        let tag = self.text.as_bytes().get(at..).unwrap_or_default();
        let raw = self.take(tag_length(tag).ok_or_else(|| malformed("markup that does not end or nest", at))?);
        parse_tag(&mut self.start, raw, at)
    }

    fn read_end(&mut self, at: usize) -> Result<(&'a str, &'a str), Violation> {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        let unended = || malformed("markup that does not end or nest", at);
        let Some(open) = self.open.last().map(|open| open.name) else {
            memchr::memchr(b'>', rest).ok_or_else(unended)?;
            return Err(malformed("an end tag without a start tag", at));
        };
        let end = open.len().saturating_add(2);
        let is_plain = rest.get(end) == Some(&b'>') && rest.get(2..end).is_some_and(|name| same(name, open.as_bytes()));
        let length = if is_plain {
            open.len().saturating_add(3)
        } else {
            memchr::memchr(b'>', rest).ok_or_else(unended)?.saturating_add(1)
        };
        let raw = self.take(length);
        if !is_plain {
            let inner = raw.strip_prefix("</").and_then(|rest| rest.strip_suffix('>')).unwrap_or("");
            if inner.trim_end_matches([' ', '\t', '\n', '\r']) != open {
                return Err(malformed("an end tag that does not match its start tag", at));
            }
        }
        self.close();
        Ok((raw, open))
    }

    /// The element stays in scope until the next token is asked for, since its end may be canonicalised by it.
    fn close(&mut self) {
        self.state = State::Ended { popped: false };
    }

    fn leave_scope(&mut self) {
        if self.state == (State::Ended { popped: false }) {
            if let Some(open) = self.open.pop() {
                self.start.scope.bindings.truncate(open.bindings);
                self.start.scope.uris.truncate(open.uris);
            }
            self.state = State::Ended { popped: true };
        }
    }

    fn read_text(&mut self, at: usize) -> Result<Event<'_, 'a>, Violation> {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        // Where there are carriage returns text is copied: a piece at a time, so that no copy grows with it.
        let rest = if self.has_returns { self.piece(at) } else { rest };
        let found = find(rest, ends_text, |rest| memchr::memchr3(b'<', b'&', b'>', rest));
        let mut length = found.unwrap_or(rest.len());
        let has_bracket = rest.get(length) == Some(&b'>');
        if has_bracket {
            let after = rest.get(length..).unwrap_or_default();
            length = length.saturating_add(memchr::memchr2(b'<', b'&', after).unwrap_or(after.len()));
            // The brackets may stand at the end of the piece before.
            let whole = self.text.as_bytes().get(at.saturating_sub(2)..at.saturating_add(length)).unwrap_or_default();
            if memchr::memmem::find(whole, b"]]>").is_some() {
                return Err(malformed("]]> in text", at));
            }
        }
        let raw = self.take(length);
        let has_return = self.has_returns && memchr::memchr(b'\r', raw.as_bytes()).is_some();
        if !has_return {
            return Ok(Event::Text { raw, text: raw, at: at.saturating_add(self.base), canonical: !has_bracket });
        }
        self.scratch.clear();
        // XML 1.0, section 2.11: CR LF and a lone CR are read as LF.
        for (at, part) in raw.split('\r').enumerate() {
            let joined = part.starts_with('\n');
            self.scratch.push_str(if at > 0 && !joined { "\n" } else { "" });
            self.scratch.push_str(part);
        }
        Ok(Event::Text { raw, text: &self.scratch, at: at.saturating_add(self.base), canonical: false })
    }

    /// The next octets: whole characters, and no carriage return without what follows it.
    fn piece(&self, at: usize) -> &'a [u8] {
        let mut end = self.text.floor_char_boundary(at.saturating_add(PIECE_BYTES));
        let octets = self.text.as_bytes();
        if octets.get(end) == Some(&b'\n') && octets.get(..end).is_some_and(|before| before.ends_with(b"\r")) {
            end = end.saturating_add(1);
        }
        octets.get(at..end).unwrap_or_default()
    }

    fn read_reference(&mut self, at: usize) -> Result<Event<'_, 'a>, Violation> {
        if self.open.is_empty() {
            return Err(malformed("a reference outside the root element", at));
        }
        let (character, length) = reference(self.text.get(at..).unwrap_or(""), at)?;
        let raw = self.take(length);
        self.scratch.clear();
        self.scratch.push(character);
        let canonical = matches!(raw, "&amp;" | "&lt;" | "&gt;" | "&#xD;");
        Ok(Event::Text { raw, text: &self.scratch, at: at.saturating_add(self.base), canonical })
    }

    /// Whether the document may end here, and was well-formed.
    #[cold]
    pub(super) fn finish(&self) -> Result<Event<'_, 'a>, Violation> {
        if !self.open.is_empty() {
            return Err(malformed("an element that does not end", self.text.len()));
        }
        match self.state {
            State::Ended { .. } => Ok(Event::Done),
            _ => Err(malformed("no root element", self.text.len())),
        }
    }
}

/// Binds the declarations, then resolves the names of the element and its attributes.
fn resolve_names(start: &mut Start<'_>) -> Result<(), Violation> {
    let at = start.at;
    if start.declarations.is_empty() && start.attributes.is_empty() && start.prefix() != "xmlns" {
        let found = start.scope.resolve(start.prefix());
        start.uri = found.ok_or_else(|| refused(Code::XmlNamespace, "a prefix that is not declared", at))?;
        return Ok(());
    }
    resolve_all(start, at)
}

#[inline(never)]
fn resolve_all(start: &mut Start<'_>, at: usize) -> Result<(), Violation> {
    for index in 0..start.declarations.len() {
        let (seen, rest) = start.declarations.split_at_mut(index);
        let Some(declaration) = rest.first_mut() else { break };
        if seen.iter().any(|other| other.prefix == declaration.prefix) {
            return Err(refused(Code::XmlNamespace, "a prefix declared twice", at));
        }
        check_binding(declaration.prefix, &declaration.uri, at)?;
        let (prefix, uri) = (declaration.prefix, std::mem::take(&mut declaration.uri));
        let uri = start.scope.intern(uri);
        start.scope.bindings.push((prefix, uri));
    }
    if start.scope.bindings.len() > limits::BINDINGS_MAX {
        return Err(refused(Code::XmlLimit, "too many namespace bindings in scope", at));
    }
    let unbound = || refused(Code::XmlNamespace, "a prefix that is not declared", at);
    if start.prefix() == "xmlns" {
        return Err(refused(Code::XmlNamespace, "an element with the prefix xmlns", at));
    }
    start.uri = start.scope.resolve(start.prefix()).ok_or_else(unbound)?;
    for slot in &mut start.attributes {
        if slot.prefix_len > 0 {
            slot.uri = start.scope.resolve(slot.prefix()).ok_or_else(unbound)?;
        }
    }
    for (index, slot) in start.attributes.iter().enumerate() {
        let same = |other: &Slot<'_>| other.uri == slot.uri && other.local() == slot.local();
        if start.attributes.iter().skip(index.saturating_add(1)).any(same) {
            return Err(malformed("an attribute given twice", at));
        }
        check_forbidden(start.scope.uri(slot.uri), slot.local(), at)?;
    }
    Ok(())
}

/// Namespaces in XML 1.0, section 3, and the profile's rule against relative names.
fn check_binding(prefix: &str, uri: &str, at: usize) -> Result<(), Violation> {
    let wrong = |what| Err(refused(Code::XmlNamespace, what, at));
    if prefix == "xmlns" || uri == XMLNS_NAMESPACE || (prefix == "xml") != (uri == XML_NAMESPACE) {
        return wrong("a reserved prefix or namespace name bound otherwise");
    }
    if uri.is_empty() {
        return if prefix.is_empty() { Ok(()) } else { wrong("a prefix undeclared") };
    }
    let colon = uri.bytes().position(|byte| byte == b':').unwrap_or(0);
    let scheme = uri.as_bytes().get(..colon).unwrap_or_default();
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if !is_scheme {
        return wrong("a relative namespace name");
    }
    if is_plain_uri(uri) { Ok(()) } else { wrong("a namespace name that is not a plain URI") }
}

/// Whether a URI with a scheme is one that every peer canonicalises in the same way: RFC 3986 without the ampersand, which
/// libxml2 writes unescaped into the canonical form and others do not, and without IP literals. What is no URI libxml2
/// refuses, so that half of our peers could neither sign nor verify the message.
fn is_plain_uri(uri: &str) -> bool {
    let good = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b':'
                    | b'/'
                    | b'?'
                    | b'@'
                    | b'!'
                    | b'$'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
            )
    };
    // Names without a host, such as those of URNs, need no closer look.
    if uri.bytes().all(|byte| byte != b'/' && good(byte)) {
        return true;
    }
    let escaped = |part: &str| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    let (rest, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let characters = [rest, fragment]
        .iter()
        .all(|text| text.bytes().all(|byte| byte == b'%' || good(byte)) && text.split('%').skip(1).all(escaped));
    let host = rest.split_once("://").map_or("", |(_, after)| after.split(['/', '?']).next().unwrap_or(""));
    let is_port = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    characters && host.split_once(':').is_none_or(|(_, port)| is_port(port))
}

fn check_forbidden(uri: &str, local: &str, at: usize) -> Result<(), Violation> {
    let forbidden = match uri {
        XML_NAMESPACE => local == "base",
        XSI_NAMESPACE => matches!(local, "schemaLocation" | "noNamespaceSchemaLocation"),
        _ => false,
    };
    if forbidden { Err(refused(Code::XmlForbiddenAttribute, "xml:base or xsi:schemaLocation", at)) } else { Ok(()) }
}

/// XML 1.0, production 23, with UTF-8 as the only encoding.
fn check_declaration(raw: &str, at: usize) -> Result<(), Violation> {
    if at != 0 {
        return Err(malformed("an XML declaration that is not at the start", at));
    }
    let wrong = || malformed("a broken XML declaration", at);
    let mut rest = raw.strip_prefix("<?xml").and_then(|rest| rest.strip_suffix("?>")).ok_or_else(wrong)?;
    let mut expected: &[&str] = &["version", "encoding", "standalone"];
    while !rest.trim_start_matches([' ', '\t', '\n', '\r']).is_empty() {
        let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let (name, after) = trimmed.split_once('=').filter(|_| trimmed.len() < rest.len()).ok_or_else(wrong)?;
        let name = name.trim_end_matches([' ', '\t', '\n', '\r']);
        let place = expected.iter().position(|known| *known == name).ok_or_else(wrong)?;
        if name != "version" && expected.first() == Some(&"version") {
            return Err(wrong());
        }
        expected = expected.get(place.saturating_add(1)..).unwrap_or(&[]);
        let after = after.trim_start_matches([' ', '\t', '\n', '\r']);
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(wrong)?;
        let (value, after) = after.get(1..).and_then(|value| value.split_once(quote)).ok_or_else(wrong)?;
        match (name, value) {
            ("version", "1.0") | ("standalone", "yes" | "no") => {}
            ("version", _) => return Err(refused(Code::XmlVersion, "a version other than 1.0", at)),
            ("encoding", value) if value.eq_ignore_ascii_case("utf-8") => {}
            ("encoding", _) => return Err(refused(Code::XmlNotUtf8, "an encoding other than UTF-8", at)),
            _ => return Err(wrong()),
        }
        rest = after;
    }
    if expected.first() == Some(&"version") { Err(wrong()) } else { Ok(()) }
}
