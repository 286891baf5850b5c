//! White space, and the forms of names, languages and references.

use super::super::pattern::letters::{follows_in_name, starts_name};

/// What happens to white space before a value is looked at (part 2, section 4.3.6); later ones are narrower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum White {
    Preserve,
    Replace,
    Collapse,
}

impl White {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "preserve" => Some(Self::Preserve),
            "replace" => Some(Self::Replace),
            "collapse" => Some(Self::Collapse),
            _ => None,
        }
    }

    /// The value as its white space is to be read: a part of the text where that is enough, else it is in `room`.
    #[inline]
    pub(super) fn apply<'t>(self, raw: &'t str, room: &mut String) -> Option<&'t str> {
        match self {
            Self::Preserve => Some(raw),
            Self::Replace if !raw.bytes().any(|byte| matches!(byte, b'\t' | b'\n' | b'\r')) => Some(raw),
            Self::Replace => {
                room.clear();
                room.extend(raw.chars().map(|sign| if matches!(sign, '\t' | '\n' | '\r') { ' ' } else { sign }));
                None
            }
            Self::Collapse if is_collapsed(raw) => Some(raw),
            Self::Collapse => {
                let trimmed = raw.trim_matches([' ', '\t', '\n', '\r']);
                if is_collapsed(trimmed) {
                    return Some(trimmed);
                }
                room.clear();
                for word in trimmed.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
                    room.push_str(if room.is_empty() { "" } else { " " });
                    room.push_str(word);
                }
                None
            }
        }
    }
}

fn is_collapsed(raw: &str) -> bool {
    let (words, rest) = raw.as_bytes().as_chunks::<8>();
    let mut previous = b' ';
    for word in words {
        if holds_space(*word) {
            if !is_collapsed_after(&mut previous, word) {
                return false;
            }
        } else {
            previous = 0;
        }
    }
    is_collapsed_after(&mut previous, rest) && (previous != b' ' || raw.is_empty())
}

#[inline]
fn is_collapsed_after(previous: &mut u8, bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| {
        let good = *byte > b' ' || (*byte == b' ' && *previous != b' ');
        *previous = *byte;
        good
    })
}

/// Whether any of eight octets is a space or below: borrows from the top bit of each octet, all eight at once.
#[inline]
fn holds_space(word: [u8; 8]) -> bool {
    let word = u64::from_ne_bytes(word);
    word.wrapping_sub(0x2121_2121_2121_2121) & !word & 0x8080_8080_8080_8080 != 0
}

/// XML 1.0 (second edition), production 5.
pub(super) fn is_name(value: &str) -> bool {
    value.chars().next().is_some_and(starts_name) && value.chars().all(follows_in_name)
}

/// Namespaces in XML, production 4.
pub fn is_ncname(value: &str) -> bool {
    is_name(value) && !value.contains(':')
}

/// XML 1.0, production 7.
pub(super) fn is_nmtoken(value: &str) -> bool {
    !value.is_empty() && value.chars().all(follows_in_name)
}

/// `[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*` (section 3.3.3).
pub(super) fn is_language(value: &str) -> bool {
    value.split('-').enumerate().all(|(at, part)| {
        let good = |byte: u8| byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit());
        (1..=8).contains(&part.len()) && part.bytes().all(good)
    })
}

/// A qualified name: its prefix, empty if there is none, and its local part.
pub(super) fn qualified(value: &str) -> Option<(&str, &str)> {
    match value.split_once(':') {
        Some((prefix, local)) => (is_ncname(prefix) && is_ncname(local)).then_some((prefix, local)),
        None => is_ncname(value).then_some(("", value)),
    }
}

/// What is a reference once the characters that no URI may have are escaped (section 3.2.17). That leaves little to refuse,
/// and it is what both Xerces and libxml2 refuse: a percent sign without two digits, a second fragment, a colon before any
/// other delimiter that does not end a scheme, and a bracket that is not closed in an authority.
pub(super) fn is_reference(value: &str) -> bool {
    let mut parts = value.split('%');
    parts.next();
    let escaped = parts.all(|part| part.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)));
    if !escaped || value.bytes().filter(|byte| *byte == b'#').count() > 1 {
        return false;
    }
    let scheme_fits = match value.find([':', '/', '?', '#']).and_then(|at| value.split_at_checked(at)) {
        Some((scheme, rest)) if rest.starts_with(':') => is_scheme(scheme),
        _ => true,
    };
    let authority = value.split_once("//").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    scheme_fits && (!authority.contains('[') || authority.contains(']'))
}

/// RFC 2396, section 3.1.
fn is_scheme(text: &str) -> bool {
    let follows = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.bytes().next().is_some_and(|first| first.is_ascii_alphabetic()) && text.bytes().all(follows)
}
