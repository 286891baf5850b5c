//! Bodies: whole, with their length known and checked before a byte is read; and those that are sent as they are made.

use crate::base::fault::{Code, Fault};
use crate::base::limits;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as _, Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{HeaderMap, Version};
use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// The body of what we send.
pub type Body = Either<Full<Bytes>, Streamed>;

/// An extension of a response: what is given back when the peer has taken all of it, or never will.
#[derive(Clone)]
pub struct Held {
    _what: Arc<dyn Any + Send + Sync>,
}

impl Held {
    /// Holds something.
    pub fn new(what: Arc<dyn Any + Send + Sync>) -> Self {
        Self { _what: what }
    }
}

/// A body of these octets.
pub fn full(octets: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(octets.into()))
}

/// A body that comes in portions, of which the last is none. If they end without it, the connection is broken off, so that
/// nobody takes a part for the whole.
pub struct Streamed {
    portions: mpsc::Receiver<Option<Bytes>>,
    is_whole: bool,
}

/// A body of the portions that come.
pub fn streamed(portions: mpsc::Receiver<Option<Bytes>>) -> Body {
    Either::Right(Streamed { portions, is_whole: false })
}

impl hyper::body::Body for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.is_whole {
            return Poll::Ready(None);
        }
        self.portions.poll_recv(context).map(|portion| match portion {
            Some(Some(portion)) => Some(Ok(Frame::data(portion))),
            Some(None) => {
                self.is_whole = true;
                None
            }
            None => Some(Err(io::Error::other("broken off"))),
        })
    }
}

/// The length that a request declares, within the limit. On HTTP/1.1 a length is required and `Transfer-Encoding` is
/// refused: hyper drops `Content-Length` when both are there, and with it the sender's own word about where it ends.
pub fn declared_length(version: Version, headers: &HeaderMap, limit: usize) -> Result<Option<usize>, Fault> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(Fault::at(Code::HttpLengthRequired, "Transfer-Encoding is not taken"));
    }
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|value| value.parse::<usize>().ok());
    match declared {
        Some(length) if length > limit => Err(Fault::at(Code::HttpTooLarge, format!("{length} bytes; the limit is {limit}"))),
        Some(length) => Ok(Some(length)),
        // HTTP/2 frames its bodies; the limit is held while reading.
        None if version == Version::HTTP_2 => Ok(None),
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
    read_body_as(version, headers, body, limit, deadline, |_| Ok(())).await
}

/// The same; whoever takes the octets is told how many have come before they are kept, and may have no room for them.
pub async fn read_body_as(
    version: Version,
    headers: &HeaderMap,
    body: Incoming,
    limit: usize,
    deadline: Duration,
    room: impl FnMut(usize) -> Result<(), Fault>,
) -> Result<Vec<u8>, Fault> {
    let declared = declared_length(version, headers, limit)?;
    let octets = match tokio::time::timeout(deadline, collect_as(body, limit, room)).await {
        Err(_) => return Err(Fault::at(Code::HttpTimeout, "the body did not arrive in time")),
        Ok(Err(CollectError::TooLarge)) => return Err(Fault::new(Code::HttpTooLarge)),
        Ok(Err(CollectError::Broken(_))) => return Err(Fault::new(Code::HttpIncomplete)),
        Ok(Err(CollectError::NoRoom(fault))) => return Err(fault),
        Ok(Ok(octets)) => octets,
    };
    if declared.is_some_and(|declared| octets.len() != declared) {
        return Err(Fault::new(Code::HttpIncomplete));
    }
    Ok(octets)
}

/// Reads a body and forgets it, for a short while.
pub async fn discard(mut body: impl hyper::body::Body + Unpin) {
    let discarding = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = tokio::time::timeout(Duration::from_millis(limits::DISCARD_MS), discarding).await;
}

/// Why a body could not be collected.
pub(super) enum CollectError {
    /// It is longer than it may be.
    TooLarge,
    /// The connection broke.
    Broken(hyper::Error),
    /// Whoever takes it has no room for it.
    NoRoom(Fault),
}

/// Collects a body in one place, so that its octets are copied once. Trailers are passed over.
pub(super) async fn collect(body: Incoming, limit: usize) -> Result<Vec<u8>, CollectError> {
    collect_as(body, limit, |_| Ok(())).await
}

async fn collect_as(
    mut body: Incoming,
    limit: usize,
    mut has_room: impl FnMut(usize) -> Result<(), Fault>,
) -> Result<Vec<u8>, CollectError> {
    let mut octets = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(CollectError::Broken)?.into_data() else { continue };
        let room = limit.saturating_sub(octets.len());
        if data.len() > room {
            return Err(CollectError::TooLarge);
        }
        has_room(octets.len().saturating_add(data.len())).map_err(CollectError::NoRoom)?;
        // What is declared is only believed when something has come, and never beyond the limit.
        let rest = usize::try_from(body.size_hint().lower()).unwrap_or(room);
        octets.reserve(data.len().saturating_add(rest).min(room));
        octets.extend_from_slice(&data);
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_and_forgotten_for_so_long_and_no_longer() {
        let begun = tokio::time::Instant::now();
        discard(full("all there")).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let (sender, portions) = mpsc::channel(1);
        let drips = tokio::spawn(async move {
            while sender.send(Some(Bytes::from_static(b"x"))).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        discard(streamed(portions)).await;
        assert_eq!(begun.elapsed(), Duration::from_millis(limits::DISCARD_MS));
        drips.await.expect("nobody takes any more");
    }
}
