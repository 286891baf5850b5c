//! Strict, bounded reading of the XML subset that messages are written in, and exclusive canonicalisation.
//!
//! One pass over the octets feeds both the canonical form and whoever reads the values: there is no tree and no second
//! look. Follows XML 1.0 (fifth edition), Namespaces in XML 1.0 (third edition) and Exclusive XML Canonicalization 1.0;
//! refuses what `message.md` section 1 refuses. quick-xml finds the borders of the tokens; everything else, above all
//! the rules of well-formedness that quick-xml leaves to its caller, is checked here.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

mod canonical;
mod chars;
mod cut;
mod reader;
mod start;
mod stream;
mod tag;
mod write;

pub use canonical::{Canonical, Octets};
pub use cut::without;
pub use reader::{Event, Profile, Reader};
pub use start::{Attribute, Start};
pub use stream::Stream;
pub use write::{Writer, escape_attribute, escape_text};

use crate::base::fault::Code;
use std::fmt;

/// A broken rule of the XML subset, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which family and rule.
    pub code: Code,
    /// What exactly, in words without any of the document's content.
    pub what: &'static str,
    /// Offset in bytes from the start of the document.
    pub at: usize,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

#[cold]
fn malformed(what: &'static str, at: usize) -> Violation {
    Violation { code: Code::XmlMalformed, what, at }
}

#[cold]
fn refused(code: Code, what: &'static str, at: usize) -> Violation {
    Violation { code, what, at }
}

/// Whoever reads a document while it is scanned.
pub trait Visitor {
    /// What stops the scan.
    type Error;
    /// An element begins; its names are resolved and its attribute values normalised.
    fn start(&mut self, element: &Start<'_>) -> Result<(), Self::Error>;
    /// A piece of text, references resolved; the text of one element may come in several pieces.
    fn text(&mut self, text: &str, at: usize) -> Result<(), Self::Error>;
    /// The innermost open element ends.
    fn end(&mut self) -> Result<(), Self::Error>;
}

/// Why a scan ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanError<E> {
    /// The document broke a rule of the subset.
    Xml(Violation),
    /// The visitor had enough.
    Visitor(E),
}

/// Where canonical form goes that nobody wants.
struct Nowhere;

impl Octets for Nowhere {
    fn put(&mut self, _: &[u8]) {}
}

/// Reads a whole document. A message is held to the rules of canonical form as well, which is not kept: what cannot be signed is
/// no message for anybody.
pub fn scan<V: Visitor>(octets: &[u8], profile: Profile, visitor: &mut V) -> Result<(), ScanError<V::Error>> {
    let mut reader = Reader::new(octets, profile).map_err(ScanError::Xml)?;
    let mut canonical = (profile == Profile::Message).then(|| Canonical::new(octets, Nowhere));
    loop {
        // Events are looked at where they lie: to move one out of its result costs as much as to find it.
        let next = reader.next();
        let event = match &next {
            Ok(event) => event,
            Err(violation) => return Err(ScanError::Xml(violation.clone())),
        };
        if let Some(canonical) = &mut canonical {
            canonical.event(event).map_err(ScanError::Xml)?;
        }
        match event {
            Event::Start(start) => visitor.start(start).map_err(ScanError::Visitor)?,
            Event::Text { text, at, .. } => visitor.text(text, *at).map_err(ScanError::Visitor)?,
            Event::End { .. } => visitor.end().map_err(ScanError::Visitor)?,
            Event::Done => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
