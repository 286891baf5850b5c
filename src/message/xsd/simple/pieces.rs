//! Long values, checked piece by piece as they come and never kept.
//!
//! So are texts, and octets in base64 or hexadecimal, whatever is said of their white space, length and pattern. What is compared
//! with other values must be there whole: an enumeration, a fixed value, a key, an ID.

use super::binary::{Base64, Hex};
use super::lexical::White;
use super::{DATATYPE, Fault, Form, Identity, NOT_BASE64, NOT_HEX, Primitive, Reason, Simple, Variety};
use crate::message::xsd::pattern::Steps;
use std::sync::Arc;

/// A value that comes in pieces.
pub struct Pieces<'s> {
    of: &'s Simple,
    count: Count,
    /// One for each pattern.
    steps: Vec<Steps<'s>>,
    /// Of white space that is collapsed: whether some stands behind what came so far, and whether anything came.
    has_gap: bool,
    is_begun: bool,
}

/// What a value is made of, counted; nothing once it is not of its form.
enum Count {
    Characters(usize),
    Hex(Option<Hex>),
    Base64(Option<Base64>),
}

impl Simple {
    /// The beginning of a value that comes in pieces; none where a value must be there whole to be checked.
    pub fn pieces(&self) -> Option<Pieces<'_>> {
        let count = match (&self.variety, self.form) {
            (Variety::Any | Variety::Atomic(Primitive::String), Form::Any) => Count::Characters(0),
            (Variety::Atomic(Primitive::HexBinary), _) => Count::Hex(Some(Hex::default())),
            (Variety::Atomic(Primitive::Base64Binary), _) => Count::Base64(Some(Base64::default())),
            _ => return None,
        };
        if self.enumeration.is_some() || self.identity != Identity::None {
            return None;
        }
        let steps = self.patterns.iter().map(|pattern| pattern.steps()).collect::<Option<Vec<_>>>()?;
        Some(Pieces { of: self, count, steps, has_gap: false, is_begun: false })
    }
}

impl Pieces<'_> {
    /// Takes the next piece as written.
    pub fn take(&mut self, piece: &str) {
        match self.of.white {
            White::Preserve => self.count(piece),
            White::Replace => {
                for (at, part) in piece.split(['\t', '\n', '\r']).enumerate() {
                    self.count(if at > 0 { " " } else { "" });
                    self.count(part);
                }
            }
            White::Collapse => {
                for (at, word) in piece.split([' ', '\t', '\n', '\r']).enumerate() {
                    self.has_gap |= at > 0 && self.is_begun;
                    if !word.is_empty() {
                        self.count(if self.has_gap { " " } else { "" });
                        self.count(word);
                        (self.has_gap, self.is_begun) = (false, true);
                    }
                }
            }
        }
    }

    /// Takes what comes next, its white space being as the type has it.
    fn count(&mut self, text: &str) {
        match &mut self.count {
            Count::Characters(count) => *count = count.saturating_add(text.chars().count()),
            Count::Hex(count) => *count = count.take().and_then(|mut hex| hex.take(text).map(|()| hex)),
            Count::Base64(count) => *count = count.take().and_then(|mut base64| base64.take(text).map(|()| base64)),
        }
        self.steps.iter_mut().for_each(|steps| steps.take(text));
    }

    /// Whether all that came is a value of the type: the same as [`Simple::check`] says of it whole.
    pub fn end(self) -> Result<(), Reason> {
        let (count, of) = match self.count {
            Count::Characters(count) => (count, "characters"),
            Count::Hex(hex) => (hex.and_then(Hex::octets).ok_or(Fault::Plain(DATATYPE, NOT_HEX))?, "octets"),
            Count::Base64(base64) => (base64.and_then(Base64::octets).ok_or(Fault::Plain(DATATYPE, NOT_BASE64))?, "octets"),
        };
        self.of.check_length(count, of)?;
        let mut patterns = self.of.patterns.iter().zip(&self.steps);
        match patterns.find(|(_, steps)| !steps.is_match()) {
            None => Ok(()),
            Some((pattern, _)) => Err(Fault::Pattern(Arc::clone(pattern)).into()),
        }
    }
}
