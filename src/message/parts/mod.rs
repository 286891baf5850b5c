//! A message with its attachments in one body: `multipart/related` (RFC 2387) in the framing of MIME (RFC 2046, section 5.1),
//! read as it comes and bounded in everything but the octets of a part, which are given out as they come.
//!
//! Stricter than the RFCs where readers differ: no preamble, no epilogue but one line break, no white space behind a
//! boundary, no folded fields, no encoding of parts. Whatever begins a line like the boundary is the boundary.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

mod head;
mod name;
#[cfg(test)]
mod tests;

pub use head::{Related, is_related};
pub use name::{NotPlain, plain};

use crate::base::limits;
use memchr::memmem;

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// `Content-Type` is not `multipart/related` with a boundary, or says something else twice.
    MediaType,
    /// It does not begin with the boundary.
    Preamble,
    /// What stands behind a boundary is no line break and no end.
    Boundary,
    /// The head of a part is too large.
    HeadTooLarge,
    /// The head of a part is not one.
    Head,
    /// A part says of itself that it is encoded.
    Encoding,
    /// There are too many parts.
    TooMany,
    /// Something stands behind the end.
    Epilogue,
    /// It has ended before its end.
    Cut,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MediaType => "Content-Type is not multipart/related with one boundary, type application/xml",
            Self::Preamble => "the body does not begin with the boundary",
            Self::Boundary => "a boundary is not followed by a line break or two hyphens",
            Self::HeadTooLarge => "the head of a part is too large",
            Self::Head => "the head of a part is malformed",
            Self::Encoding => "Content-Transfer-Encoding is not binary",
            Self::TooMany => "there are too many parts",
            Self::Epilogue => "something stands behind the last boundary",
            Self::Cut => "the body ended before the last boundary",
        })
    }
}

impl std::error::Error for Wrong {}

/// What a part says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its `Content-ID`, without the angle brackets.
    pub id: Option<String>,
    /// Its `Content-Type`.
    pub media_type: Option<String>,
}

/// What comes next of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A part begins.
    Part(Head),
    /// Octets of it.
    Octets(&'a [u8]),
    /// It has ended.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was read.
    Start,
    /// Behind a boundary.
    Behind,
    Head,
    Octets,
    Epilogue,
}

/// Reads a body as it comes.
pub struct Reader {
    state: State,
    /// Line break, two hyphens, the boundary.
    delimiter: Vec<u8>,
    finder: memmem::Finder<'static>,
    /// What has come and was not read, from `at` on.
    held: Vec<u8>,
    at: usize,
    parts: usize,
    has_ended_part: bool,
}

impl Reader {
    /// A reader of what this `Content-Type` announces.
    pub fn new(related: &Related) -> Self {
        let delimiter = [b"\r\n--", related.boundary.as_bytes()].concat();
        let finder = memmem::Finder::new(&delimiter).into_owned();
        Self { state: State::Start, delimiter, finder, held: Vec::new(), at: 0, parts: 0, has_ended_part: false }
    }

    /// Takes what has come. All that was there before is to be read first.
    pub fn take(&mut self, octets: &[u8]) {
        self.held.drain(..self.at);
        self.at = 0;
        self.held.extend_from_slice(octets);
    }

    /// What comes next; nothing if more has to come.
    pub fn event(&mut self) -> Result<Option<Event<'_>>, Wrong> {
        loop {
            match self.state {
                State::Start => {
                    let opening = self.delimiter.get(2..).unwrap_or_default();
                    let rest = self.held.get(self.at..).unwrap_or_default();
                    let known = rest.len().min(opening.len());
                    if rest.get(..known) != opening.get(..known) {
                        return Err(Wrong::Preamble);
                    }
                    if known < opening.len() {
                        return Ok(None);
                    }
                    self.at = self.at.saturating_add(known);
                    self.state = State::Behind;
                }
                State::Behind => {
                    let Some(two) = self.held.get(self.at..self.at.saturating_add(2)) else { return Ok(None) };
                    self.state = match two {
                        b"\r\n" => State::Head,
                        b"--" if self.parts > 0 => State::Epilogue,
                        _ => return Err(Wrong::Boundary),
                    };
                    self.at = self.at.saturating_add(2);
                }
                State::Head => {
                    let Some(head) = self.head()? else { return Ok(None) };
                    self.parts = self.parts.saturating_add(1);
                    if self.parts > limits::PARTS_MAX {
                        return Err(Wrong::TooMany);
                    }
                    self.state = State::Octets;
                    return Ok(Some(Event::Part(head)));
                }
                State::Octets if self.has_ended_part => {
                    self.has_ended_part = false;
                    self.state = State::Behind;
                    return Ok(Some(Event::End));
                }
                State::Octets => return Ok(self.octets()),
                State::Epilogue => {
                    let rest = self.held.get(self.at..).unwrap_or_default();
                    return if b"\r\n".starts_with(rest) { Ok(None) } else { Err(Wrong::Epilogue) };
                }
            }
        }
    }

    /// That all has come.
    pub fn finish(&self) -> Result<(), Wrong> {
        let rest = self.held.get(self.at..).unwrap_or_default();
        if self.state == State::Epilogue && matches!(rest, b"" | b"\r\n") { Ok(()) } else { Err(Wrong::Cut) }
    }

    /// The head of a part, once it is there. The line break in front of it was read.
    fn head(&mut self) -> Result<Option<Head>, Wrong> {
        let rest = self.held.get(self.at..).unwrap_or_default();
        let bounded = rest.get(..limits::PART_HEAD_BYTES_MAX).unwrap_or(rest);
        let (lines, length) = match memmem::find(bounded, b"\r\n\r\n") {
            _ if bounded.starts_with(b"\r\n") => (0, 2),
            Some(end) => (end, end.saturating_add(4)),
            None if bounded.len() == limits::PART_HEAD_BYTES_MAX => return Err(Wrong::HeadTooLarge),
            None => return Ok(None),
        };
        let head = head::parse(rest.get(..lines).unwrap_or_default())?;
        self.at = self.at.saturating_add(length);
        Ok(Some(head))
    }

    /// Octets of a part up to the next boundary, or as many as cannot be the beginning of one.
    fn octets(&mut self) -> Option<Event<'_>> {
        let rest = self.held.get(self.at..).unwrap_or_default();
        let (count, after) = match self.finder.find(rest) {
            Some(found) => {
                self.has_ended_part = true;
                (found, found.saturating_add(self.delimiter.len()))
            }
            None => {
                let tail = self.delimiter.len().saturating_sub(1).min(rest.len());
                // The delimiter begins with a line break: what is held back is from the last one on.
                let from = rest.len().saturating_sub(tail);
                let kept = rest
                    .get(from..)
                    .and_then(|tail| memchr::memchr(b'\r', tail))
                    .map_or(rest.len(), |at| from.saturating_add(at));
                (kept, kept)
            }
        };
        let begin = self.at;
        self.at = self.at.saturating_add(after);
        if count == 0 {
            return if self.has_ended_part {
                self.has_ended_part = false;
                self.state = State::Behind;
                Some(Event::End)
            } else {
                None
            };
        }
        self.held.get(begin..begin.saturating_add(count)).map(Event::Octets)
    }
}
