//! From octets to text: UTF-8, UTF-16, and the encodings that a declaration names (XML 1.0, section 4.3.3 and appendix F).

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};
use std::fmt;

/// Why octets are no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The declaration names an encoding that nobody here knows.
    Unknown(String),
    /// Some octet is not of the encoding.
    Not(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "it declares the encoding {name:?}, which is not known; save it as UTF-8"),
            Self::Not(name) => write!(f, "its octets are not {name}; declare the encoding that it has, or save it as UTF-8"),
        }
    }
}

/// Decodes a document; a byte order mark is left out.
pub fn decode(octets: &[u8]) -> Result<String, Unreadable> {
    let (encoding, rest) = match octets {
        [0xEF, 0xBB, 0xBF, rest @ ..] => (UTF_8, rest),
        [0xFF, 0xFE, rest @ ..] => (UTF_16LE, rest),
        [0xFE, 0xFF, rest @ ..] => (UTF_16BE, rest),
        [b'<', 0, ..] => (UTF_16LE, octets),
        [0, b'<', ..] => (UTF_16BE, octets),
        _ => (declared(octets)?, octets),
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(rest);
    text.map(std::borrow::Cow::into_owned).ok_or(Unreadable::Not(encoding.name()))
}

/// The encoding that the declaration names. One of two octets a character cannot be meant where the declaration was readable.
fn declared(octets: &[u8]) -> Result<&'static Encoding, Unreadable> {
    let head = String::from_utf8_lossy(octets.get(..DECLARATION_BYTES_MAX).unwrap_or(octets));
    let declaration = head.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")).map_or("", |(inside, _)| inside);
    let Some((_, after)) = declaration.split_once("encoding") else { return Ok(UTF_8) };
    let after = after.trim_start().strip_prefix('=').map_or("", str::trim_start);
    let Some(quote) = after.chars().next().filter(|first| matches!(first, '"' | '\'')) else { return Ok(UTF_8) };
    let label = after.split(quote).nth(1).unwrap_or("");
    match Encoding::for_label(label.as_bytes()) {
        Some(found) if found == UTF_16LE || found == UTF_16BE => Ok(UTF_8),
        Some(found) if found != REPLACEMENT => Ok(found),
        _ => Err(Unreadable::Unknown(label.to_owned())),
    }
}

const DECLARATION_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agencies_save_is_read() {
        let utf16 = |order: fn(u16) -> [u8; 2]| "\u{feff}<a>Ж</a>".encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let declared = |label: &str, octets: &[u8]| {
            [format!("<?xml version=\"1.0\" encoding=\"{label}\"?><a>").as_bytes(), octets, b"</a>"].concat()
        };
        for octets in [
            "<a>Ж</a>".as_bytes().to_vec(),
            "\u{feff}<a>Ж</a>".as_bytes().to_vec(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
            utf16(u16::to_le_bytes)[2..].to_vec(),
            declared("windows-1251", &[0xC6]),
            declared("Windows-1251", &[0xC6]),
            declared("ISO-8859-5", &[0xB6]),
            declared("koi8-r", &[0xF6]),
            declared("UTF-16", "Ж".as_bytes()),
        ] {
            let text = decode(&octets).unwrap_or_else(|error| panic!("{octets:?}: {error}"));
            assert!(text.ends_with("<a>Ж</a>") && text.starts_with('<'), "{text}");
        }
        assert_eq!(decode(&declared("iso-8859-1", &[0xE9])).expect("read").chars().filter(|c| *c == 'é').count(), 1);
    }

    #[test]
    fn what_is_not_of_its_encoding_is_refused() {
        assert_eq!(decode(b"<a>\xC6</a>"), Err(Unreadable::Not("UTF-8")));
        assert_eq!(decode(b"\xFF\xFE<"), Err(Unreadable::Not("UTF-16LE")));
        let unknown = decode(b"<?xml version='1.0' encoding='x-none'?><a/>").expect_err("unknown");
        assert!(unknown.to_string().contains("x-none"));
        assert!(decode(b"<?xml version='1.0' encoding='iso-2022-kr'?><a/>").is_err(), "the replacement encoding");
    }
}
