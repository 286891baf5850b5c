//! A document that comes in pieces, and is never whole in memory: the strict reader over one window of it after the other.
//!
//! A window ends where a token does, or inside a text where nothing is cut that belongs together: a character, a reference, a
//! carriage return with its line feed, the end of a CDATA section. What the reader knows is carried from one window to the next. So
//! it is the same reader, and the same rules, as for a message; what is kept is one tag at most, and the names of what is open.

use super::reader::{Event, Place, Reader};
use super::tag::tag_length;
use super::{ScanError, Violation, Visitor, refused};
use crate::base::fault::Code;
use crate::base::limits;

/// A document of which more is to come.
#[derive(Default)]
pub struct Stream {
    /// What has come and is not read: less than a token.
    pending: Vec<u8>,
    place: Place,
}

impl Stream {
    /// Takes the next octets, and tells the visitor what is whole.
    pub fn take<V: Visitor>(&mut self, octets: &[u8], visitor: &mut V) -> Result<(), ScanError<V::Error>> {
        self.pending.extend_from_slice(octets);
        let whole = whole(&self.pending);
        self.read(whole, visitor)?;
        if self.pending.len() > limits::MARKUP_BYTES_MAX {
            let at = self.place.base;
            return Err(ScanError::Xml(refused(Code::XmlLimit, "a tag longer than one may be", at)));
        }
        Ok(())
    }

    /// The document is over.
    pub fn finish<V: Visitor>(mut self, visitor: &mut V) -> Result<(), ScanError<V::Error>> {
        self.read(self.pending.len(), visitor)?;
        let placed = self.placed();
        Reader::resume(&[], &self.place).and_then(|reader| reader.finish().map(|_| ())).map_err(placed)
    }

    fn read<V: Visitor>(&mut self, length: usize, visitor: &mut V) -> Result<(), ScanError<V::Error>> {
        let window = self.pending.get(..length).unwrap_or_default();
        let placed = self.placed();
        let mut reader = Reader::resume(window, &self.place).map_err(&placed)?;
        while !reader.is_read() {
            let next = reader.next();
            match &next {
                Ok(Event::Start(start)) => visitor.start(start).map_err(ScanError::Visitor)?,
                Ok(Event::Text { text, at, .. }) => visitor.text(text, *at).map_err(ScanError::Visitor)?,
                Ok(Event::End { .. }) => visitor.end().map_err(ScanError::Visitor)?,
                Ok(Event::Done) => break,
                Err(violation) => return Err(placed(violation.clone())),
            }
        }
        self.place = reader.leave();
        self.pending.drain(..length);
        Ok(())
    }

    /// The reader knows places in its window.
    fn placed<E>(&self) -> impl Fn(Violation) -> ScanError<E> + use<E> {
        let base = self.place.base;
        move |violation| ScanError::Xml(Violation { at: violation.at.saturating_add(base), ..violation })
    }
}

/// How many of these octets can be read by themselves.
fn whole(octets: &[u8]) -> usize {
    let mut at = 0_usize;
    loop {
        let rest = octets.get(at..).unwrap_or_default();
        let length = match rest {
            [] | [b'<'] => None,
            [b'<', b'!' | b'?', ..] => return instruction(rest).map_or(at, |length| at.saturating_add(length)),
            [b'<', ..] => tag_length(rest),
            [b'&', ..] => {
                let most = rest.get(..REFERENCE_BYTES_MAX);
                match memchr::memchr(b';', most.unwrap_or(rest)) {
                    Some(end) => Some(end.saturating_add(1)),
                    // It is none, and the reader says so.
                    None if most.is_some() => return octets.len(),
                    None => None,
                }
            }
            text => match memchr::memchr2(b'<', b'&', text) {
                Some(end) => Some(end),
                None => return octets.len().saturating_sub(held(text)),
            },
        };
        match length {
            Some(length) => at = at.saturating_add(length),
            None => return at,
        }
    }
}

/// The length of what begins with `<!` or `<?`, if its end is there. All but a declaration is refused, so what stands behind that
/// is of no use to anybody.
fn instruction(octets: &[u8]) -> Option<usize> {
    let end: &[u8] = match octets {
        [b'<', b'?', ..] => b"?>",
        [b'<', b'!', b'-', ..] => b"-->",
        [b'<', b'!', b'[', ..] => b"]]>",
        _ => b">",
    };
    let length = memchr::memmem::find(octets, end)?.saturating_add(end.len());
    if octets.starts_with(b"<?") { Some(length) } else { Some(octets.len()) }
}

/// How many octets at the end of a text may belong to what comes.
fn held(text: &[u8]) -> usize {
    match text {
        [.., b'\r'] => 1,
        [.., b']', b']'] => 2,
        [.., b']'] => 1,
        _ => {
            let begun = text.iter().rev().take(4).position(|byte| byte & 0b1100_0000 != 0b1000_0000);
            let first = begun.and_then(|back| Some((back, text.iter().rev().nth(back)?)));
            match first {
                Some((back, byte)) if byte.leading_ones() as usize > back.saturating_add(1) => back.saturating_add(1),
                _ => 0,
            }
        }
    }
}

/// So long is a reference at most.
const REFERENCE_BYTES_MAX: usize = 16;
