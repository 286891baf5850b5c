//! What stands in front: the `Content-Type` of the whole, and the heads of parts.

use super::{Head, Wrong};
use crate::base::limits;

/// A `Content-Type` that announces a message with its attachments (RFC 2387, section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// What stands between the parts.
    pub boundary: String,
    /// The `Content-ID` of the root, where it is named: it is the first part all the same.
    pub start: Option<String>,
}

/// Whether a `Content-Type` is that of such a body, whatever its parameters are.
pub fn is_related(content_type: &str) -> bool {
    content_type.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("multipart/related")
}

impl Related {
    /// Reads a `Content-Type`.
    pub fn parse(content_type: &str) -> Result<Self, Wrong> {
        let rest = content_type.split_once(';').filter(|(media, _)| is_related(media)).map(|(_, rest)| rest);
        let (mut boundary, mut kind, mut start) = (None, None, None);
        for (name, value) in parameters(rest.ok_or(Wrong::MediaType)?)? {
            let slot = match name.as_str() {
                "boundary" => &mut boundary,
                "type" => &mut kind,
                "start" => &mut start,
                _ => continue,
            };
            // Of two each reader would take another.
            if slot.replace(value).is_some() {
                return Err(Wrong::MediaType);
            }
        }
        let is_xml = |kind: &String| ["application/xml", "text/xml"].iter().any(|known| kind.eq_ignore_ascii_case(known));
        let boundary = boundary.filter(|boundary| is_boundary(boundary) && kind.as_ref().is_none_or(is_xml));
        let start = start.map(|start| bare(&start).ok_or(Wrong::MediaType)).transpose()?;
        Ok(Self { boundary: boundary.ok_or(Wrong::MediaType)?, start })
    }
}

/// RFC 2046, section 5.1.1.
fn is_boundary(text: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=70).contains(&text.len()) && text.bytes().all(is_known) && !text.ends_with(' ')
}

/// The parameters of a field, names in lower case (RFC 9110, section 5.6.6).
fn parameters(mut rest: &str) -> Result<Vec<(String, String)>, Wrong> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return Ok(found);
        }
        let (name, after) = rest.split_once('=').ok_or(Wrong::MediaType)?;
        if name.is_empty() || !name.bytes().all(is_token) || found.len() == PARAMETERS_MAX {
            return Err(Wrong::MediaType);
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                let (value, after) = after.split_at_checked(end).ok_or(Wrong::MediaType)?;
                let value = value.trim_end_matches([' ', '\t']);
                if value.is_empty() || value.contains(['"', ' ', '\t']) {
                    return Err(Wrong::MediaType);
                }
                (value.to_owned(), after)
            }
        };
        found.push((name.to_ascii_lowercase(), value));
        rest = after.trim_start_matches([' ', '\t']);
        match rest.strip_prefix(';') {
            Some(after) => rest = after,
            None if rest.is_empty() => {}
            None => return Err(Wrong::MediaType),
        }
    }
}

/// The text up to the closing quotation mark, and what stands behind that.
fn unquoted(quoted: &str) -> Result<(String, &str), Wrong> {
    let (mut value, mut chars) = (String::new(), quoted.chars());
    loop {
        match chars.next().ok_or(Wrong::MediaType)? {
            '"' => return Ok((value, chars.as_str())),
            '\\' => value.push(chars.next().ok_or(Wrong::MediaType)?),
            other => value.push(other),
        }
    }
}

const PARAMETERS_MAX: usize = 8;

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// An identifier without its angle brackets.
fn bare(text: &str) -> Option<String> {
    let inner = match text.strip_prefix('<') {
        Some(inner) => inner.strip_suffix('>')?,
        None => text,
    };
    let is_plain = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte));
    is_plain.then(|| inner.to_owned())
}

/// Reads the lines of a part's head, without the empty one.
pub(super) fn parse(octets: &[u8]) -> Result<Head, Wrong> {
    let mut head = Head::default();
    if octets.is_empty() {
        return Ok(head);
    }
    let text = std::str::from_utf8(octets).map_err(|_| Wrong::Head)?;
    let mut has_encoding = false;
    for (count, line) in text.split("\r\n").enumerate() {
        let (name, value) = line.split_once(':').ok_or(Wrong::Head)?;
        // A name with white space in it, or none, is a line that goes on from the one before (RFC 5322, section 2.2.3).
        let is_good =
            !name.is_empty() && name.bytes().all(is_token) && !value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
        if !is_good || count >= limits::PART_FIELDS_MAX {
            return Err(Wrong::Head);
        }
        let value = value.trim_matches([' ', '\t']);

        match name.to_ascii_lowercase().as_str() {
            "content-id" => {
                let before = head.id.replace(bare(value).ok_or(Wrong::Head)?);
                before.map_or(Ok(()), |_| Err(Wrong::Head))?;
            }
            "content-type" => {
                let before = head.media_type.replace(value.to_owned());
                before.map_or(Ok(()), |_| Err(Wrong::Head))?;
            }
            "content-transfer-encoding" => {
                let is_plain = ["binary", "8bit", "7bit"].iter().any(|known| value.eq_ignore_ascii_case(known));
                if !is_plain || std::mem::replace(&mut has_encoding, true) {
                    return Err(Wrong::Encoding);
                }
            }
            "content-encoding" => return Err(Wrong::Encoding),
            _ => {}
        }
    }
    Ok(head)
}
