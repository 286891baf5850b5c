//! From the octets of a file to its text: strictly, and with the line of what is not of the encoding.
//!
//! A file that is read in another encoding than it was written in is worse than one that is not read: names become other names. So a
//! byte order mark that says something else is refused, and so is a file that says to be of one octet a character and is UTF-8.

use encoding_rs::{DecoderResult, Encoding, REPLACEMENT, UTF_8};
use memchr::{memchr_iter, memchr2_iter};

/// What is wrong with a file, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Counted from 1.
    pub line: u64,
    pub what: String,
}

impl Wrong {
    pub fn new(line: u64, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// Finds an encoding by one of its labels.
pub(super) fn encoding(label: Option<&str>) -> Option<&'static Encoding> {
    let Some(label) = label else { return Some(UTF_8) };
    Encoding::for_label(label.as_bytes()).filter(|found| *found != REPLACEMENT)
}

/// Decodes a file. A byte order mark is left out, and no control character is taken but tabs and line breaks.
pub(super) fn decode(mut octets: Vec<u8>, encoding: &'static Encoding) -> Result<String, Wrong> {
    if let Some((marked, len)) = Encoding::for_bom(&octets) {
        if marked != encoding {
            let what =
                format!("the file begins with the mark of {}, and its encoding is said to be {}", marked.name(), encoding.name());
            return Err(Wrong::new(1, what));
        }
        octets.drain(..len);
    }
    let text = if encoding == UTF_8 { utf_8(octets)? } else { other(&octets, encoding)? };
    control(&text)?;
    Ok(text)
}

fn utf_8(octets: Vec<u8>) -> Result<String, Wrong> {
    String::from_utf8(octets).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        not_of(UTF_8, lines(good))
    })
}

fn other(octets: &[u8], encoding: &'static Encoding) -> Result<String, Wrong> {
    if encoding.is_single_byte()
        && let Some(line) = utf_8_after_all(octets)
    {
        let what = format!("the file is UTF-8, and its encoding is said to be {}", encoding.name());
        return Err(Wrong::new(line, what));
    }
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let most = decoder.max_utf8_buffer_length_without_replacement(octets.len());
    // The most is three times the file; what is needed is mostly less, so the room grows with the text.
    let mut text = String::with_capacity(octets.len().min(most.unwrap_or(0)));
    let mut rest = octets;
    loop {
        let (result, read) = decoder.decode_to_string_without_replacement(rest, &mut text, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return Ok(text),
            DecoderResult::OutputFull => text.reserve(rest.len().max(ROOM)),
            DecoderResult::Malformed(..) => return Err(not_of(encoding, lines(text.as_bytes()))),
        }
    }
}

/// The line of the first character that is not ASCII, of octets that are UTF-8. In text of one octet a character, pairs that look like it
/// do not come by chance.
fn utf_8_after_all(octets: &[u8]) -> Option<u64> {
    let at = octets.iter().position(|octet| !octet.is_ascii())?;
    std::str::from_utf8(octets).ok()?;
    Some(lines(octets.get(..at)?))
}

fn not_of(encoding: &'static Encoding, line: u64) -> Wrong {
    Wrong::new(line, format!("an octet is not {}; say in which encoding the file is", encoding.name()))
}

/// Control characters are no text: NUL ends texts elsewhere, and those of the second block are what a wrong encoding leaves.
fn control(text: &str) -> Result<(), Wrong> {
    let octets = text.as_bytes();
    let wrong = |at: usize, what: &str| Wrong::new(lines(octets.get(..at).unwrap_or_default()), what);
    let is_break = |at: usize| octets.get(at + 1) == Some(&b'\n');
    let is_bad = |octet: &u8| (*octet < b' ' && !matches!(octet, b'\t' | b'\n' | b'\r')) || *octet == 0x7f;
    if let Some(at) = octets.iter().position(is_bad) {
        return Err(wrong(at, if octets.get(at) == Some(&0) { "a NUL" } else { "a control character" }));
    }
    for at in memchr2_iter(b'\r', 0xc2, octets) {
        if octets.get(at) == Some(&b'\r') {
            if !is_break(at) {
                return Err(wrong(at, "a carriage return that no line feed follows"));
            }
        } else if matches!(octets.get(at + 1), Some(0x80..=0x9f)) {
            return Err(wrong(at, "a control character, as a wrong encoding makes them"));
        }
    }
    Ok(())
}

/// The line in which whatever follows these octets is.
fn lines(before: &[u8]) -> u64 {
    memchr_iter(b'\n', before).count() as u64 + 1
}

const ROOM: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8], label: &str) -> Result<String, Wrong> {
        decode(octets.to_vec(), encoding(Some(label)).expect("a label"))
    }

    #[test]
    fn a_file_is_read_in_the_encoding_that_it_is_said_to_have() {
        let utf16: Vec<u8> = "\u{feff}a;Ж\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (octets, label) in [
            ("a;Ж\r\n".as_bytes(), "utf-8"),
            ("\u{feff}a;Ж\r\n".as_bytes(), "utf-8"),
            (b"a;\xC6\r\n", "windows-1251"),
            (b"a;\xF6\r\n", "koi8-r"),
            (&utf16, "utf-16le"),
            (utf16.get(2..).expect("a mark"), "utf-16le"),
        ] {
            assert_eq!(read(octets, label).as_deref(), Ok("a;Ж\r\n"), "{label}");
        }
        assert!(encoding(Some("x-none")).is_none() && encoding(Some("iso-2022-kr")).is_none());
    }

    #[test]
    fn another_encoding_than_said_is_refused_with_its_line() {
        let marked: Vec<u8> = "\u{feff}a".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (octets, label, line, words) in [
            (&b"a\n\xC6\xE0\n"[..], "utf-8", 2, "not UTF-8"),
            ("a\nb\nЖук\n".as_bytes(), "windows-1251", 3, "the file is UTF-8"),
            ("a\nИ\n".as_bytes(), "iso-8859-5", 2, "the file is UTF-8"),
            (&marked, "utf-8", 1, "UTF-16LE"),
            ("\u{feff}a".as_bytes(), "windows-1251", 1, "mark of UTF-8"),
            (b"a\n\x81\xFF\n", "shift_jis", 2, "not Shift_JIS"),
            (b"a\n\x98\n", "windows-1251", 2, "wrong encoding"),
        ] {
            let wrong = read(octets, label).expect_err(words);
            assert_eq!(wrong.line, line, "{words}");
            assert!(wrong.what.contains(words), "{}", wrong.what);
        }
    }

    #[test]
    fn a_control_character_is_refused_with_its_line() {
        for (octets, line) in [(&b"a\nb\0c\n"[..], 2), (b"a\x07", 1), (b"a\n\n\x7f", 3), (b"a\rb\n", 1), (b"a\n\xC2\x85", 2)] {
            assert_eq!(read(octets, "utf-8").expect_err("refused").line, line, "{octets:?}");
        }
        assert!(read(b"a\tb\r\nc\n", "utf-8").is_ok());
    }
}
