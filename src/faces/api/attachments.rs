//! Attachments: bodies of several parts, and `GET /v1/attachments/{sha256}` with ranges (RFC 9110, section 14).

use super::problem::insert;
use super::respond;
use crate::base::fault::{Code, Fault};
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::gateway::driver::{Carried, Gateway, Visit};
use crate::host::config::Limits;
use crate::host::transport::{Body, Inbound, Parts, full};
use crate::message::parts::{Related, is_related};
use crate::rules::registry::AgencyIndex;
use hyper::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, IF_RANGE, RANGE};
use hyper::{HeaderMap, Response, StatusCode};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// The largest body of several parts.
pub(super) fn body_bytes_max(limits: &Limits) -> usize {
    let heads = (limits::PART_HEAD_BYTES_MAX + BOUNDARY_BYTES_MAX) * limits::PARTS_MAX;
    let all = limits.attachment_bytes.saturating_mul(limits::ATTACHMENTS_MAX as u64);
    usize::try_from(all).unwrap_or(usize::MAX).saturating_add(limits.message_bytes + heads)
}

/// A boundary with what stands around it.
const BOUNDARY_BYTES_MAX: usize = 70 + 8;

/// Reads the message of a body of several parts; the others are read when it is permitted.
pub(super) async fn read(
    gateway: &Gateway,
    visit: &mut Visit,
    (headers, content_type): (&HeaderMap, &str),
    body: Inbound,
) -> Result<Carried, Fault> {
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
        return Err(Fault::at(Code::HttpMediaType, "Content-Encoding is not taken"));
    }
    let related = Related::parse(content_type).map_err(|wrong| Fault::at(Code::HttpMediaType, wrong.to_string()))?;
    let limits = gateway.limits();
    let mut parts = Parts::of_request(&related, body);
    let root = parts.root(limits.message_bytes, |octets| gateway.make_room(visit, octets));
    let read = tokio::time::timeout(Duration::from_millis(limits.body_ms), root).await;
    let octets = read.unwrap_or_else(|_| Err(Fault::at(Code::HttpTimeout, "the message did not arrive in time")))?;
    Ok(Carried::from_visitor(octets, parts, visit))
}

/// Whether `Accept` names bodies of several parts.
pub(super) fn are_accepted(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accept.flat_map(|value| value.split(',')).any(|range| {
        let mut parameters = range.split(';').skip(1).map(str::trim);
        is_related(range) && !parameters.any(|parameter| parameter.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32)))
    })
}

/// An answer with what it names; one that names nothing is alone.
pub(super) fn with_parts(gateway: &Arc<Gateway>, agency: AgencyIndex, octets: Vec<u8>) -> Result<Response<Body>, Fault> {
    let world = gateway.world();
    let agency = world.registry.agency(agency).ok_or_else(|| Fault::new(Code::TlsUnknownCertificate))?;
    let Some((content_type, body)) = gateway.with_parts(&octets, &agency.id)? else {
        return Ok(respond(StatusCode::OK, "application/xml", octets));
    };
    let mut response = Response::new(body);
    insert(response.headers_mut(), "content-type", &content_type);
    Ok(response)
}

/// The hash in a path, if it is the path of an attachment.
pub(super) fn named(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/attachments/").filter(|rest| !rest.contains('/'))
}

/// The answer to `HEAD` (RFC 9110, section 9.3.2): on HTTP/2 nobody else takes the body away, and one is an error of the stream.
pub(super) fn without_body(response: Response<Body>) -> Response<Body> {
    let length = hyper::body::Body::size_hint(response.body()).exact();
    let mut response = response.map(|_| full(""));
    if let Some(length) = length.filter(|_| !response.headers().contains_key(CONTENT_LENGTH)) {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

/// What an attachment is, without it.
pub(super) fn head(gateway: &Gateway, agency: &AgencyId, sha256: &str) -> Result<Response<Body>, Fault> {
    let content = gateway.attachment(agency, sha256)?;
    let mut response = describe(full(""), sha256);
    response.headers_mut().insert(CONTENT_LENGTH, content.size.into());
    Ok(response)
}

/// An attachment, or a part of it.
pub(super) fn get(gateway: &Arc<Gateway>, agency: &AgencyId, sha256: &str, headers: &HeaderMap) -> Result<Response<Body>, Fault> {
    let content = gateway.attachment(agency, sha256)?;
    let asked = match asked(headers, sha256, content.size) {
        Asked::Whole => None,
        Asked::Part(range) => Some(range),
        Asked::Beyond => return Err(Fault::at(Code::AttRange, format!("bytes */{}", content.size))),
    };
    let range = asked.clone().unwrap_or(0..content.size);
    let length = range.end - range.start;
    let mut response = describe(gateway.give_out(agency, content, range)?, sha256);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    if let Some(part) = asked {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        insert(response.headers_mut(), "content-range", &format!("bytes {}-{}/{}", part.start, part.end - 1, content.size));
    }
    Ok(response)
}

/// Its media type stands in the signed message; here it is octets, which nobody shows by mistake.
fn describe(body: Body, sha256: &str) -> Response<Body> {
    let mut response = respond(StatusCode::OK, "application/octet-stream", "");
    *response.body_mut() = body;
    let headers = response.headers_mut();
    insert(headers, "etag", &format!("\"{sha256}\""));
    insert(headers, "accept-ranges", "bytes");
    insert(headers, "cache-control", "private, no-store");
    insert(headers, "content-disposition", "attachment");
    response
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Beyond,
}

/// What of it is asked for. Several ranges at once, and what is no range, ask for the whole (RFC 9110, section 14.2).
fn asked(headers: &HeaderMap, sha256: &str, size: u64) -> Asked {
    let text = headers.get(RANGE).and_then(|range| range.to_str().ok());
    // A date is never as strong as the tag (RFC 9110, section 13.1.5).
    let is_same = headers.get(IF_RANGE).is_none_or(|tag| tag.to_str().is_ok_and(|tag| tag == format!("\"{sha256}\"")));
    let Some(range) = text.filter(|_| is_same).and_then(|text| text.strip_prefix("bytes=")) else { return Asked::Whole };
    let Some((first, last)) = range.trim().split_once('-').filter(|_| !range.contains(',')) else { return Asked::Whole };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match (first, last) {
        ("", last) => match number(last) {
            Some(0) => Asked::Beyond,
            Some(_) if size == 0 => Asked::Beyond,
            Some(count) => Asked::Part(size.saturating_sub(count)..size),
            None => Asked::Whole,
        },
        (first, last) => match (number(first), if last.is_empty() { Some(u64::MAX) } else { number(last) }) {
            (Some(first), Some(last)) if last < first => Asked::Whole,
            (Some(first), Some(_)) if first >= size => Asked::Beyond,
            (Some(first), Some(last)) => Asked::Part(first..last.saturating_add(1).min(size)),
            _ => Asked::Whole,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn a_range_is_a_part_of_the_whole() {
        let with = |range: &str, size: u64| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_str(range).expect("a value"));
            asked(&headers, "x", size)
        };
        for (range, size, found) in [
            ("bytes=0-0", 10, Asked::Part(0..1)),
            ("bytes=3-", 10, Asked::Part(3..10)),
            ("bytes=3-99999999999999999999", 10, Asked::Whole),
            ("bytes=3-18446744073709551615", 10, Asked::Part(3..10)),
            ("bytes=9-9", 10, Asked::Part(9..10)),
            ("bytes=10-", 10, Asked::Beyond),
            ("bytes=10-5", 10, Asked::Whole),
            ("bytes=-4", 10, Asked::Part(6..10)),
            ("bytes=-11", 10, Asked::Part(0..10)),
            ("bytes=-0", 10, Asked::Beyond),
            ("bytes=-", 10, Asked::Whole),
            ("bytes=0-", 0, Asked::Beyond),
            ("bytes=0-1,3-4", 10, Asked::Whole),
            ("bytes=+1-2", 10, Asked::Whole),
            ("lines=1-2", 10, Asked::Whole),
        ] {
            assert_eq!(with(range, size), found, "{range} of {size}");
        }
    }

    #[test]
    fn a_part_is_given_of_what_the_asker_has_and_of_nothing_else() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=1-"));
        for (tag, found) in [("\"x\"", Asked::Part(1..3)), ("W/\"x\"", Asked::Whole), ("\"y\"", Asked::Whole)] {
            headers.insert(IF_RANGE, HeaderValue::from_static(tag));
            assert_eq!(asked(&headers, "x", 3), found, "{tag}");
        }
    }

    #[test]
    fn several_parts_are_taken_by_whoever_says_so() {
        for (accept, is_taken) in [
            ("multipart/related", true),
            ("application/xml;q=0.9, Multipart/Related; type=\"application/xml\"", true),
            ("application/xml", false),
            ("*/*", false),
            ("multipart/related;q=0", false),
            ("multipart/related; q=0.0", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(are_accepted(&headers), is_taken, "{accept}");
        }
    }
}
