//! The inside of start tags: names, attributes with normalised values, references.
//!
//! Tags are read twice over: [`usual_tag`] takes those that are spelled as nearly all are, in one go; whatever it does not
//! take [`parse_tag`] reads by all the rules. A test holds the two against each other.

use super::chars::{ascii_name, check_qname, ends_value, find, is_char, is_space};
use super::start::{Declaration, NO_NAMESPACE, Slot, Start};
use super::{Violation, malformed, refused};
use crate::base::fault::Code;
use crate::base::limits;
use std::borrow::Cow;

/// Reads a start tag that is spelled as nearly all are: ASCII names, one space before each attribute, quotation marks. Tells
/// its length and whether it is an empty-element tag. On any other, and on all that is wrong, [`parse_tag`] decides.
pub(super) fn usual_tag<'a>(start: &mut Start<'a>, text: &'a str, at: usize) -> Option<(usize, bool)> {
    start.attributes.clear();
    start.declarations.clear();
    let tag = text.as_bytes().get(at..)?;
    let (length, colon) = ascii_name(tag.get(1..)?)?;
    let mut end = length.saturating_add(1);
    start.name = text.get(at.saturating_add(1)..at.saturating_add(end))?;
    (start.at, start.prefix_len, start.plain) = (at, colon, true);
    while tag.get(end) == Some(&b' ') {
        end = usual_attribute(start, text, at, end)?;
    }
    let empty = tag.get(end) == Some(&b'/');
    let close = end.saturating_add(usize::from(empty));
    start.plain &= !empty;
    (length <= limits::NAME_BYTES_MAX && tag.get(close) == Some(&b'>')).then(|| (close.saturating_add(1), empty))
}

/// Reads the attribute after the space at `from`; tells where it ends.
fn usual_attribute<'a>(start: &mut Start<'a>, text: &'a str, at: usize, from: usize) -> Option<usize> {
    let text = text.get(at..)?;
    let rest = text.as_bytes().get(from.saturating_add(1)..)?;
    let (length, prefix_len) = ascii_name(rest)?;
    let (name_at, opens) = (from.saturating_add(1), length.saturating_add(2));
    let inside = rest.get(opens..).filter(|_| rest.get(length..opens) == Some(b"=\""))?;
    let mut value_len =
        find(inside, ends_value, |rest| rest.iter().position(|byte| matches!(byte, b'"' | b'&' | b'<' | ..b' ')))?;
    let is_plain = inside.get(value_len) == Some(&b'"');
    if !is_plain {
        value_len = memchr::memchr(b'"', inside)?;
    }
    let place = start.attributes.len().saturating_add(start.declarations.len());
    if length > limits::NAME_BYTES_MAX || value_len > limits::VALUE_BYTES_MAX || place >= limits::ATTRIBUTES_MAX {
        return None;
    }
    let value_at = name_at.saturating_add(opens);
    let end = value_at.saturating_add(value_len).saturating_add(1);
    let name = text.get(name_at..name_at.saturating_add(length))?;
    let raw_value = text.get(value_at..value_at.saturating_add(value_len))?;
    let (value, canonical) = if is_plain { (Cow::Borrowed(raw_value), true) } else { normalise(raw_value, at).ok()? };
    start.plain &= canonical;
    match name.strip_prefix("xmlns") {
        Some("") => start.declarations.push(Declaration { prefix: "", place, uri: value }),
        Some(_) if prefix_len == 5 => {
            let prefix = name.get(6..)?;
            start.declarations.push(Declaration { prefix, place, uri: value });
        }
        _ => {
            let spelled = if canonical { text.get(from..end) } else { None };
            start.attributes.push(Slot { name, prefix_len, value, uri: NO_NAMESPACE, spelled });
        }
    }
    Some(end)
}

/// The length of a tag: up to the first `>` outside of quotes.
pub(super) fn tag_length(tag: &[u8]) -> Option<usize> {
    let mut at = 1_usize;
    loop {
        let rest = tag.get(at..)?;
        let found = memchr::memchr3(b'>', b'"', b'\'', rest)?;
        let inside = rest.get(found.saturating_add(1)..)?;
        at = at.saturating_add(found).saturating_add(1);
        match rest.get(found) {
            Some(b'>') => return Some(at),
            Some(quote) => at = at.saturating_add(memchr::memchr(*quote, inside)?).saturating_add(1),
            None => return None,
        }
    }
}

/// Reads a tag into `start`; tells whether it is an empty-element tag.
pub(super) fn parse_tag<'a>(start: &mut Start<'a>, raw: &'a str, at: usize) -> Result<bool, Violation> {
    start.attributes.clear();
    start.declarations.clear();
    (start.raw, start.at) = (raw, at);
    let inner = raw.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).ok_or_else(|| malformed("a broken tag", at))?;
    // A solidus may also end an unquoted value, but those are refused below.
    let (inner, empty) = inner.strip_suffix('/').map_or((inner, false), |inner| (inner, true));
    let end = inner.bytes().position(is_space).unwrap_or(inner.len());
    let (name, mut rest) = inner.split_at_checked(end).ok_or_else(|| malformed("a broken tag", at))?;
    start.prefix_len = name_parts(name, at)?;
    start.name = name;
    start.plain = !empty;
    let mut place = 0;
    while !rest.is_empty() {
        let offset = at.saturating_add(raw.len()).saturating_sub(rest.len());
        let trimmed = trim_start(rest);
        if trimmed.is_empty() {
            start.plain = false;
            break;
        }
        if trimmed.len() == rest.len() {
            return Err(malformed("no white space before an attribute", offset));
        }
        start.plain &= rest.len() == trimmed.len().saturating_add(1) && rest.starts_with(' ');
        if place >= limits::ATTRIBUTES_MAX {
            return Err(refused(Code::XmlLimit, "too many attributes", offset));
        }
        rest = parse_attribute(start, trimmed, place, offset)?;
        place = place.saturating_add(1);
    }
    Ok(empty)
}

/// Reads one attribute at the start of `text`; returns what follows it.
fn parse_attribute<'a>(start: &mut Start<'a>, text: &'a str, place: usize, at: usize) -> Result<&'a str, Violation> {
    let equals = text.bytes().position(|byte| byte == b'=').ok_or_else(|| malformed("an attribute without a value", at))?;
    let (name, rest) = (text.get(..equals).unwrap_or(""), text.get(equals.saturating_add(1)..).unwrap_or(""));
    let tight =
        if name.bytes().next_back().is_some_and(is_space) { name.trim_end_matches([' ', '\t', '\n', '\r']) } else { name };
    let value = trim_start(rest);
    let quote = value.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''));
    let quote = quote.ok_or_else(|| malformed("an attribute value without quotes", at))?;
    let value = value.get(1..).unwrap_or("");
    let end = memchr::memchr(quote, value.as_bytes()).ok_or_else(|| malformed("an attribute value that does not end", at))?;
    let (raw_value, after) = (value.get(..end).unwrap_or(""), value.get(end.saturating_add(1)..).unwrap_or(""));
    if raw_value.len() > limits::VALUE_BYTES_MAX {
        return Err(refused(Code::XmlLimit, "an attribute value too long", at));
    }
    let (value, canonical) = normalise(raw_value, at)?;
    let spaced = tight.len() != name.len() || rest.len() != after.len().saturating_add(raw_value.len()).saturating_add(2);
    start.plain &= canonical && quote == b'"' && !spaced;
    let prefix_len = name_parts(tight, at)?;
    if tight == "xmlns" {
        start.declarations.push(Declaration { prefix: "", place, uri: value });
    } else if let Some(prefix) = tight.strip_prefix("xmlns:") {
        start.declarations.push(Declaration { prefix, place, uri: value });
    } else {
        start.attributes.push(Slot { name: tight, prefix_len, value, uri: NO_NAMESPACE, spelled: None });
    }
    Ok(after)
}

fn trim_start(text: &str) -> &str {
    let blank = text.bytes().take_while(|byte| is_space(*byte)).count();
    text.get(blank..).unwrap_or("")
}

/// The length of the prefix of a qualified name.
fn name_parts(name: &str, at: usize) -> Result<usize, Violation> {
    if name.len() > limits::NAME_BYTES_MAX {
        return Err(refused(Code::XmlLimit, "a name too long", at));
    }
    check_qname(name).ok_or_else(|| malformed("something that is not a qualified name", at))
}

/// The normalised value of an attribute (XML 1.0, section 3.3.3), and whether the spelling is canonical.
fn normalise(raw: &str, at: usize) -> Result<(Cow<'_, str>, bool), Violation> {
    let special = |byte: u8| matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r' | b'"');
    if !raw.bytes().any(special) {
        return Ok((Cow::Borrowed(raw), true));
    }
    let mut value = String::with_capacity(raw.len());
    let mut canonical = true;
    let mut rest = raw;
    while let Some(character) = rest.chars().next() {
        let mut used = character.len_utf8();
        match character {
            '<' => return Err(malformed("< in an attribute value", at)),
            '&' => {
                let (meant, length) = reference(rest, at)?;
                used = length;
                value.push(meant);
                canonical &= matches!(rest.get(..length), Some("&amp;" | "&lt;" | "&quot;" | "&#x9;" | "&#xA;" | "&#xD;"));
            }
            '\r' if rest.starts_with("\r\n") => canonical = false,
            '\t' | '\n' | '\r' => {
                value.push(' ');
                canonical = false;
            }
            '"' => {
                value.push('"');
                canonical = false;
            }
            _ => {
                used = rest.bytes().position(special).unwrap_or(rest.len());
                value.push_str(rest.get(..used).unwrap_or(""));
            }
        }
        rest = rest.get(used..).unwrap_or("");
    }
    Ok((Cow::Owned(value), canonical))
}

/// The character that a reference at the start of `text` means, and the reference's length.
pub(super) fn reference(text: &str, at: usize) -> Result<(char, usize), Violation> {
    let broken = || malformed("a broken reference", at);
    let end = text.bytes().take(16).position(|byte| byte == b';').ok_or_else(broken)?;
    let name = text.get(1..end).ok_or_else(broken)?;
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => match name.strip_prefix('#') {
            Some(number) => numeric(number).ok_or_else(broken)?,
            None if check_qname(name).is_some() => return Err(refused(Code::XmlEntity, "an entity reference", at)),
            None => return Err(broken()),
        },
    };
    Ok((character, end.saturating_add(1)))
}

/// XML 1.0, production 66: a lower-case x, digits, and a character that may stand in a document.
fn numeric(number: &str) -> Option<char> {
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    let plain = !digits.is_empty() && digits.bytes().all(|byte| (byte as char).is_digit(radix));
    let code = if plain { u32::from_str_radix(digits, radix).ok()? } else { return None };
    if is_char(code) { char::from_u32(code) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, parse: impl for<'a> Fn(&mut Start<'a>, &'a str) -> Option<bool>) -> Option<String> {
        let mut start = Start::default();
        let empty = parse(&mut start, text)?;
        let Start { name, prefix_len, plain, attributes, declarations, .. } = start;
        let attributes: Vec<_> = attributes.iter().map(|slot| (slot.name, slot.prefix_len, &slot.value)).collect();
        Some(format!("{empty} {name} {prefix_len} {plain} {attributes:?} {declarations:?}"))
    }

    proptest! {
        #[test]
        fn usual_tags_are_read_as_all_others_are(
            tag in "<[a-c:я1]{1,3}(( {1,2}|\n)(xmlns|xmlns:a|[a-c:1]{1,3}) ?=(\"[a<>'я& \n/]{0,12}\"|\"(&amp;|&#9;|&#xA;|&quot;|x){0,3}\"|'[a\"]{0,2}'|a)){0,3} ?/?>",
            after in "(<b c=\"d\">|\"|>|a){0,2}",
        ) {
            let text = format!("{tag}{after}");
            let usual = read(&text, |start, text| usual_tag(start, text, 0).map(|(_, empty)| empty));
            let any = read(&text, |start, text| parse_tag(start, text.get(..tag_length(text.as_bytes())?)?, 0).ok());
            prop_assert!(usual.is_none() || usual == any, "{text:?}: {usual:?}, {any:?}");
            if let Some((length, _)) = usual_tag(&mut Start::default(), &text, 0) {
                prop_assert_eq!(Some(length), tag_length(text.as_bytes()));
            }
        }
    }

    #[test]
    fn what_is_spelled_usually_is_read_in_one_go() {
        for tag in ["<a>", "<p:a/>", "<a b=\"c\" p:d=\"&quot;\">", "<a xmlns=\"u:v\" xmlns:p=\"\"/>"] {
            assert!(usual_tag(&mut Start::default(), tag, 0).is_some(), "{tag}");
        }
        let (name, value) = ("n".repeat(limits::NAME_BYTES_MAX), "v".repeat(limits::VALUE_BYTES_MAX));
        let attributes: String = (0..limits::ATTRIBUTES_MAX).map(|number| format!(" a{number}=\"\"")).collect();
        for tag in [format!("<{name} {name}=\"{value}\">"), format!("<a{attributes}>")] {
            assert!(usual_tag(&mut Start::default(), &tag, 0).is_some(), "at the limits: {tag}");
        }
    }
}
