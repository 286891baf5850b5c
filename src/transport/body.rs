//! Bodies: whole, with their length known and checked before a byte is read.

use crate::fault::{Code, Fault};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{HeaderMap, Version};
use std::time::Duration;

/// The body of what we send.
pub type Body = Full<Bytes>;

/// A body of these octets.
pub fn full(octets: impl Into<Bytes>) -> Body {
    Full::new(octets.into())
}

/// The length that a request declares, within the limit. On HTTP/1.1 a length is required and `Transfer-Encoding` is
/// refused: hyper drops `Content-Length` when both are there, and with it the sender's own word about where it ends.
pub fn declared_length(version: Version, headers: &HeaderMap, limit: usize) -> Result<usize, Fault> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(Fault::at(Code::HttpLengthRequired, "Transfer-Encoding is not taken"));
    }
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|value| value.parse::<usize>().ok());
    match declared {
        Some(length) if length > limit => Err(Fault::at(Code::HttpTooLarge, format!("{length} bytes; the limit is {limit}"))),
        Some(length) => Ok(length),
        // HTTP/2 frames its bodies; the limit is held while reading.
        None if version == Version::HTTP_2 => Ok(0),
        None => Err(Fault::new(Code::HttpLengthRequired)),
    }
}

/// Reads a whole body within limit and deadline.
pub async fn read_body(
    version: Version,
    headers: &HeaderMap,
    body: Incoming,
    limit: usize,
    deadline: Duration,
) -> Result<Vec<u8>, Fault> {
    let declared = declared_length(version, headers, limit)?;
    let collected = tokio::time::timeout(deadline, Limited::new(body, limit).collect());
    let bytes = match collected.await {
        Err(_) => return Err(Fault::at(Code::HttpTimeout, "the body did not arrive in time")),
        Ok(Err(cause)) if cause.is::<http_body_util::LengthLimitError>() => return Err(Fault::new(Code::HttpTooLarge)),
        Ok(Err(_)) => return Err(Fault::new(Code::HttpIncomplete)),
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    if declared > 0 && bytes.len() != declared {
        return Err(Fault::new(Code::HttpIncomplete));
    }
    Ok(bytes.into())
}
