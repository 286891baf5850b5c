//! The character classes of XML 1.0 (fifth edition), productions 2, 3, 4, 4a, and of Namespaces in XML, production 7.

use super::Violation;
use crate::fault::Code;

/// Checks that the octets are UTF-8 without BOM and hold only characters that XML 1.0 allows (production 2).
pub(super) fn check_octets(octets: &[u8]) -> Result<&str, Violation> {
    if octets.starts_with(b"\xef\xbb\xbf") {
        return Err(Violation { code: Code::XmlNotUtf8, what: "a byte order mark", at: 0 });
    }
    let control = |byte: &u8| *byte < 0x20 && !matches!(*byte, b'\t' | b'\n' | b'\r');
    // The fold has no early exit, so that the compiler can look at 16 octets at a time.
    if octets.iter().fold(false, |found, byte| found | control(byte)) {
        let at = octets.iter().position(control).unwrap_or(0);
        let code = if octets.get(at) == Some(&0) { Code::XmlNotUtf8 } else { Code::XmlMalformed };
        return Err(Violation { code, what: "a control character", at });
    }
    let text = std::str::from_utf8(octets).map_err(|error| Violation {
        code: Code::XmlNotUtf8,
        what: "octets that are not UTF-8",
        at: error.valid_up_to(),
    })?;
    for at in memchr::memchr_iter(0xef, octets) {
        if matches!(octets.get(at..at.saturating_add(3)), Some([0xef, 0xbf, 0xbe | 0xbf])) {
            return Err(Violation { code: Code::XmlMalformed, what: "a noncharacter", at });
        }
    }
    Ok(text)
}

/// Whether the character may stand in a document (production 2).
pub(super) fn is_char(code: u32) -> bool {
    matches!(code, 0x9 | 0xa | 0xd | 0x20..=0xd7ff | 0xe000..=0xfffd | 0x1_0000..=0x10_ffff)
}

/// White space (production 3).
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether the text is all white space.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(is_space)
}

/// The position of the colon in a qualified name, 0 if it has none; nothing if it is no qualified name.
pub(super) fn check_qname(name: &str) -> Option<usize> {
    let mut colon = 0;
    let mut at_start = true;
    for (at, byte) in name.bytes().enumerate() {
        let good = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
            b'0'..=b'9' | b'-' | b'.' => !at_start,
            b':' => {
                let second = colon != 0 || at_start;
                colon = at;
                at_start = true;
                if second {
                    return None;
                }
                continue;
            }
            _ => return check_qname_by_char(name),
        };
        if !good {
            return None;
        }
        at_start = false;
    }
    (!at_start).then_some(colon)
}

#[cold]
fn check_qname_by_char(name: &str) -> Option<usize> {
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let ncname = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(is_name_start) && chars.all(|c| is_name_start(c) || is_name_rest(c))
    };
    let has_prefix = name.len() != local.len();
    ((!has_prefix || ncname(prefix)) && ncname(local)).then_some(prefix.len())
}

/// Production 4 without the colon.
fn is_name_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

/// What production 4a adds.
fn is_name_rest(c: char) -> bool {
    matches!(c, '0'..='9' | '-' | '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
