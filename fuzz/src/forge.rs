//! Edits of a signed message by somebody who does not have the key.

use crate::originals::{ORIGINALS, Original};
use crate::xml;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oncegate::message::crypto::sha256;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many forgeries were tried, and how many were accepted because they say what the original says.
pub struct Forgeries {
    /// Tried.
    pub tried: AtomicU64,
    /// Of these differed from the original in their octets and were accepted, equal to it in every value.
    pub equal: AtomicU64,
}

/// The counters of this process.
pub static FORGERIES: Forgeries = Forgeries { tried: AtomicU64::new(0), equal: AtomicU64::new(0) };

impl Forgeries {
    /// What has been counted.
    pub fn counted() -> (u64, u64) {
        (FORGERIES.tried.load(Relaxed), FORGERIES.equal.load(Relaxed))
    }

    /// Counts one; says so from time to time where it runs without end.
    pub fn count(was_accepted: bool) {
        let tried = FORGERIES.tried.fetch_add(1, Relaxed) + 1;
        let equal = FORGERIES.equal.fetch_add(u64::from(was_accepted), Relaxed) + u64::from(was_accepted);
        if tried.is_multiple_of(1 << 14) {
            eprintln!("forgeries tried {tried}, accepted {equal} (all equal to the original)");
        }
    }
}

/// Choices, read from the octets of an input; zeros when they are used up.
pub struct Choices<'i>(pub &'i [u8]);

impl Choices<'_> {
    /// One octet.
    pub fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below a bound that is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (usize::from(self.octet()) << 8 | usize::from(self.octet())) % bound.max(1)
    }
}

/// An element: the start tag, and the whole of it.
pub(crate) struct Element {
    tag: Range<usize>,
    pub(crate) whole: Range<usize>,
}

/// A message that was signed and then edited up to five times, with the original that it was made of.
pub fn forged(input: &[u8]) -> (Vec<u8>, &'static Original) {
    let mut choices = Choices(input);
    let original = &ORIGINALS[choices.below(ORIGINALS.len())];
    let mut octets = original.octets.clone();
    let head = choices.octet();
    for _ in 0..1 + head % 5 {
        edit(&mut octets, &mut choices);
    }
    // Half of them state the digest that the edited document has: then the signature itself is all that stands against them.
    if head >= 128 {
        digest_again(&mut octets);
    }
    (octets, original)
}

const NAMES: &[&str] = &["Header", "Body", "From", "To", "Signature", "Object", "Documents", "Ask", "t:Id", "x", "ds:Signature"];
const ATTRIBUTES: &[&str] = &[
    " Id=\"a\"",
    " ID='a'",
    " xml:id=\"a\"",
    " URI=\"#a\"",
    " version=\"1\"",
    " xml:base=\"x\"",
    " xml:lang=\"ru\"",
    " xml:space=\"preserve\"",
    " xmlns=\"\"",
    " xmlns=\"urn:x\"",
    " xmlns:t=\"urn:x\"",
    " xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"",
    " xmlns:q='urn:q'",
    " xmlns=\"urn:oncegate:message:1\"",
    " scheme=\"RU-SNILS\"",
    "\n",
    " ",
];
const PIECES: &[&str] = &[
    "<!-- -->",
    "<?p?>",
    "<![CDATA[x]]>",
    "&#32;",
    "&#x20;",
    "&amp;",
    "&#13;",
    "\r\n",
    "\t",
    " ",
    "x",
    "<x/>",
    "<x></x>",
    "\u{416}",
    "<From>xx.clinic</From>",
    "<To>xx.other</To>",
    "<Test>true</Test>",
    "<LegalBasis>another law</LegalBasis>",
    "<!DOCTYPE Message>",
    "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/>",
    "<Object xmlns=\"http://www.w3.org/2000/09/xmldsig#\"></Object>",
];
const TEXTS: &[&str] =
    &["xx.clinic", "answer", "request", "2027-01-01T00:00:00Z", "true", "", "99000000136", "a law", "birth-certificate"];

/// One edit.
pub(crate) fn edit(octets: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let kind = choices.octet() % 20;
    let elements = elements(octets);
    if elements.is_empty() {
        return;
    }
    let one = &elements[choices.below(elements.len())];
    let (tag, whole) = (one.tag.clone(), one.whole.clone());
    let other = elements[choices.below(elements.len())].whole.clone();
    let piece = choices.below(usize::MAX);
    let (end, text) = (tag.end - 1, text_after(octets, tag.end));
    let put = |octets: &mut Vec<u8>, range: Range<usize>, with: &[u8]| drop(octets.splice(range, with.iter().copied()));
    let copy = octets[whole.clone()].to_vec();
    match kind {
        0 if other.start <= whole.start || other.start >= whole.end => {
            put(octets, other.start..other.start, &copy);
            let moved = if other.start <= whole.start { whole.start + copy.len() } else { whole.start };
            put(octets, moved..moved + copy.len(), b"");
        }
        1 => put(octets, other.start..other.start, &copy),
        2 => put(octets, other.end..other.end, &copy),
        3 => {
            let name = NAMES[piece % NAMES.len()];
            put(octets, whole, &[format!("<{name}>").as_bytes(), &copy, format!("</{name}>").as_bytes()].concat());
        }
        4 | 5 => rename(octets, one, NAMES[piece % NAMES.len()]),
        6 => put(octets, whole, b""),
        7 if whole.end <= other.start => {
            let second = octets[other.clone()].to_vec();
            put(octets, other, &copy);
            put(octets, whole, &second);
        }
        8 | 9 => {
            let at = if octets.get(end.wrapping_sub(1)) == Some(&b'/') { end - 1 } else { end };
            put(octets, at..at, ATTRIBUTES[piece % ATTRIBUTES.len()].as_bytes());
        }
        10 => put(octets, tag.end..tag.end, PIECES[piece % PIECES.len()].as_bytes()),
        11 => put(octets, whole.end..whole.end, PIECES[piece % PIECES.len()].as_bytes()),
        12 => put(octets, text, TEXTS[piece % TEXTS.len()].as_bytes()),
        13 => {
            let inside = octets[text.clone()].to_vec();
            put(octets, text, &[b"<![CDATA[", inside.as_slice(), b"]]>"].concat());
        }
        14 if !text.is_empty() => {
            let at = text.start + piece % text.len();
            let reference = if piece.is_multiple_of(2) { format!("&#{};", octets[at]) } else { format!("&#x{:X};", octets[at]) };
            put(octets, at..at + 1, reference.as_bytes());
        }
        15 => octets[tag].iter_mut().filter(|octet| **octet == b'"').for_each(|octet| *octet = b'\''),
        16 => put(octets, text.start..text.start, PIECES[piece % PIECES.len()].as_bytes()),
        17 if !text.is_empty() => octets[text.start + piece % text.len()] ^= 1 << (piece % 7),
        18 if octets[tag.end..].starts_with(b"</") => put(octets, tag.end - 1..whole.end, b"/>"),
        _ => {
            let at = piece % octets.len();
            octets[at] = choices.octet();
        }
    }
}

fn text_after(octets: &[u8], at: usize) -> Range<usize> {
    at..octets[at..].iter().position(|octet| *octet == b'<').map_or(octets.len(), |length| at + length)
}

fn rename(octets: &mut Vec<u8>, element: &Element, name: &str) {
    let name_of = |at: usize| at..at + octets[at..].iter().take_while(|octet| !b" \t\r\n/>".contains(octet)).count();
    let start = name_of(element.tag.start + 1);
    let close =
        octets[element.whole.clone()].windows(2).rposition(|two| two == b"</").filter(|_| element.whole.end > element.tag.end);
    if let Some(close) = close.map(|close| name_of(element.whole.start + close + 2)) {
        octets.splice(close, name.bytes());
    }
    octets.splice(start, name.bytes());
}

/// The elements as a careless reader finds them: what stands between angle brackets, paired by depth alone.
pub(crate) fn elements(octets: &[u8]) -> Vec<Element> {
    let (mut found, mut open, mut at): (Vec<Element>, Vec<usize>, usize) = (Vec::new(), Vec::new(), 0);
    while let Some(start) =
        octets.get(at..).and_then(|rest| rest.iter().position(|octet| *octet == b'<')).map(|distance| at + distance)
    {
        let Some(length) = octets[start..].iter().position(|octet| *octet == b'>') else { break };
        at = start + length + 1;
        match octets.get(start + 1) {
            Some(b'/') => {
                if let Some(element) = open.pop().and_then(|number| found.get_mut(number)) {
                    element.whole.end = at;
                }
            }
            Some(b'!' | b'?') | None => {}
            Some(_) => {
                if octets[at - 2] != b'/' {
                    open.push(found.len());
                }
                found.push(Element { tag: start..at, whole: start..at });
            }
        }
    }
    found
}

/// States the digest of the document as it is now, in the first `DigestValue`.
fn digest_again(octets: &mut Vec<u8>) {
    let find = |octets: &[u8], what: &[u8]| octets.windows(what.len()).position(|window| window == what);
    let (Some(start), Some(end)) = (find(octets, b"<Signature "), find(octets, b"</Signature>")) else { return };
    let Some(rest) = octets.get(end + b"</Signature>".len()..).filter(|_| start < end) else { return };
    let Ok(canonical) = xml::canonical(&[&octets[..start], rest].concat()) else { return };
    let digest = STANDARD.encode(sha256(&canonical).octets());
    let (Some(from), Some(to)) = (find(octets, b"<DigestValue>"), find(octets, b"</DigestValue>")) else { return };
    if from + b"<DigestValue>".len() <= to {
        octets.splice(from + b"<DigestValue>".len()..to, digest.bytes());
    }
}
