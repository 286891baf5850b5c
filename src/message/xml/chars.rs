//! The character classes of XML 1.0 (fifth edition), productions 2, 3, 4, 4a, and of Namespaces in XML, production 7.

use super::Violation;
use crate::base::fault::Code;

/// Checks that the octets are UTF-8 without BOM and hold only characters that XML 1.0 allows (production 2).
pub(super) fn check_octets(octets: &[u8]) -> Result<&str, Violation> {
    if octets.starts_with(b"\xef\xbb\xbf") {
        return Err(Violation { code: Code::XmlNotUtf8, what: "a byte order mark", at: 0 });
    }
    check_piece(octets)
}

/// The same of octets from inside a document.
pub(super) fn check_piece(octets: &[u8]) -> Result<&str, Violation> {
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

/// The place of the first octet that `marks` finds. It looks at eight octets at a time and sets the top bit of those that
/// it finds; since it may borrow, only the lowest of them counts. Most texts and values are shorter than what a call of a
/// vectorised search costs, so only what is longer is given to `search`.
#[inline]
pub(super) fn find(octets: &[u8], marks: impl Fn(u64) -> u64, search: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
    let mut place = 0_usize;
    for word in octets.as_chunks::<8>().0.iter().take(8) {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(place.saturating_add((found.trailing_zeros() / 8) as usize));
        }
        place = place.saturating_add(8);
    }
    search(octets.get(place..)?).map(|found| place.saturating_add(found))
}

/// Marks `<`, `>` and `&`: what text may end at.
#[inline]
pub(super) fn ends_text(word: u64) -> u64 {
    // The two brackets differ in one bit.
    zeros((word & !each(0b10)) ^ each(b'<')) | zeros(word ^ each(b'&'))
}

/// Marks `"`, `<`, `&` and control characters: where a quoted value ends, or is not its own canonical form.
#[inline]
pub(super) fn ends_value(word: u64) -> u64 {
    let control = word.wrapping_sub(each(b' ')) & !word & each(0x80);
    // The quotation mark and the ampersand differ in one bit.
    zeros((word & !each(0b100)) ^ each(b'"')) | zeros(word ^ each(b'<')) | control
}

/// Eight times the same octet.
#[inline]
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Marks the octets that are zero.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & each(0x80)
}

/// Whether two short texts are equal, without a call.
#[inline]
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (left.as_chunks::<8>(), right.as_chunks::<8>());
    left.len() == right.len()
        && words.iter().zip(other_words).all(|(word, other)| u64::from_ne_bytes(*word) == u64::from_ne_bytes(*other))
        && rest.iter().zip(other_rest).all(|(octet, other)| octet == other)
}

/// The length of an ASCII qualified name at the start of the octets, and the position of its colon, 0 if it has none.
/// Nothing if there is no name, a second colon, or a letter beyond ASCII.
#[inline]
pub(super) fn ascii_name(octets: &[u8]) -> Option<(usize, usize)> {
    let class = |at: usize| octets.get(at).and_then(|byte| CLASSES.get(usize::from(*byte))).map_or(Class::Other, |class| *class);
    let part = |from: usize| {
        let mut at = from;
        if class(at) != Class::Letter {
            return None;
        }
        while matches!(class(at), Class::Letter | Class::Digit) {
            at = at.saturating_add(1);
        }
        Some(at)
    };
    let end = part(0)?;
    match class(end) {
        Class::Colon => part(end.saturating_add(1)).filter(|rest| class(*rest) == Class::Other).map(|rest| (rest, end)),
        Class::Other => Some((end, 0)),
        _ => None,
    }
}

/// What an octet is in an ASCII name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Colon,
    Beyond,
    Other,
}

/// A table is faster than deciding for each octet.
#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Letter,
            b'0'..=b'9' | b'-' | b'.' => Class::Digit,
            b':' => Class::Colon,
            0x80.. => Class::Beyond,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Finds the first octet of a set, one by one.
    fn first(octets: &[u8], set: fn(u8) -> bool) -> Option<usize> {
        octets.iter().position(|octet| set(*octet))
    }

    fn ends_a_text(octet: u8) -> bool {
        matches!(octet, b'<' | b'>' | b'&')
    }

    fn ends_a_value(octet: u8) -> bool {
        matches!(octet, b'"' | b'<' | b'&' | ..b' ')
    }

    /// What a word of marks says: the place of its lowest.
    fn lowest(marks: u64) -> Option<usize> {
        (marks != 0).then(|| (marks.trailing_zeros() / 8) as usize)
    }

    #[test]
    fn each_octet_is_marked_in_each_place_among_any_others() {
        for (octet, other, place) in (0..=255).flat_map(|octet| {
            [b'a', b' ', b'!', b'=', b'?', 0x7f, 0x80, 0xa0, 0xff]
                .into_iter()
                .flat_map(move |other| (0..8).map(move |place| (octet, other, place)))
        }) {
            let mut word = [other; 8];
            word[place] = octet;
            let (text, value) = (ends_text(u64::from_le_bytes(word)), ends_value(u64::from_le_bytes(word)));
            assert_eq!(lowest(text), first(&word, ends_a_text), "{word:x?}");
            assert_eq!(lowest(value), first(&word, ends_a_value), "{word:x?}");
            assert_eq!(lowest(zeros(u64::from_le_bytes(word))), first(&word, |octet| octet == 0), "{word:x?}");
        }
    }

    proptest! {
        #[test]
        fn the_first_mark_is_found_as_by_looking_at_each_octet(
            octets in proptest::collection::vec(prop_oneof![20 => b'a'..=b'z', 1 => any::<u8>()], 0..200),
        ) {
            for (marks, set) in [(ends_text as fn(u64) -> u64, ends_a_text as fn(u8) -> bool), (ends_value, ends_a_value)] {
                prop_assert_eq!(find(&octets, marks, |rest| first(rest, set)), first(&octets, set));
            }
        }

        #[test]
        fn equal_is_what_has_the_same_octets(left in "[ab]{0,20}", right in "[ab]{0,20}", at in 0..20_usize) {
            prop_assert_eq!(same(left.as_bytes(), right.as_bytes()), left == right);
            prop_assert!(same(left.as_bytes(), left.clone().as_bytes()));
            let mut other = left.clone().into_bytes();
            if let Some(octet) = other.get_mut(at) {
                *octet ^= 1;
                prop_assert!(!same(left.as_bytes(), &other));
            }
        }

        #[test]
        fn a_name_is_checked_in_the_same_way_by_octets_and_by_characters(name in "[a-c:Z_1.\\-=\u{416}\u{b7}]{0,5}") {
            prop_assert_eq!(check_qname(&name), check_qname_by_char(&name));
        }

        #[test]
        fn an_ascii_name_ends_before_what_is_no_letter_of_names(name in "[a-cZ_1.:\\-]{0,5}", after in "[ =>/\"'\t]{0,2}") {
            let text = format!("{name}{after}");
            let expected = check_qname(&name).map(|colon| (name.len(), colon));
            prop_assert_eq!(ascii_name(text.as_bytes()), expected);
            let beyond = format!("{name}\u{416}");
            prop_assert_eq!(ascii_name(beyond.as_bytes()), None);
        }
    }

    #[test]
    fn names_are_told_from_what_is_none() {
        for (name, colon) in [
            ("a", Some(0)),
            ("_", Some(0)),
            ("Z9.-_", Some(0)),
            ("a:b", Some(1)),
            ("ab:c1", Some(2)),
            ("\u{416}", Some(0)),
            ("\u{416}:a", Some(2)),
            ("a:\u{416}\u{b7}", Some(1)),
            ("", None),
            ("1", None),
            ("-a", None),
            (".a", None),
            ("\u{b7}a", None),
            (":", None),
            (":a", None),
            ("a:", None),
            ("a:1", None),
            ("a:b:c", None),
            ("\u{416}:", None),
            (":\u{416}", None),
            ("\u{416}:a:b", None),
            ("a b", None),
            ("a\u{d7}", None),
        ] {
            assert_eq!(check_qname(name), colon, "{name:?}");
        }
    }
}
