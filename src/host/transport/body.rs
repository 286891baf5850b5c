//! Bodies: whole, with their length known and checked before a byte is read; and those that are sent as they are made.

use crate::base::fault::{Code, Fault};
use crate::base::limits;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use hyper::{HeaderMap, Version};
use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
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

/// Where the body of a request is left by whoever did not read it to its end, so that what is still on its way can be dealt
/// with when the request is answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Unread(Arc<Mutex<Option<Incoming>>>);

impl Unread {
    /// The body that was left, if there is one.
    pub(super) fn take(&self) -> Option<Incoming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn leave(&self, body: Incoming) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }
}

/// The body of a request.
pub struct Inbound {
    body: Option<Incoming>,
    unread: Option<Unread>,
    more: Option<Box<dyn Fn(u64) + Send + Sync>>,
}

impl Inbound {
    pub(super) fn new(body: Incoming, unread: Option<Unread>) -> Self {
        Self { body: Some(body), unread, more: None }
    }

    /// The same, of a connection that is told when more may come than a message has.
    pub(super) fn with_more(body: Incoming, unread: Option<Unread>, more: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self { body: Some(body), unread, more: Some(Box::new(more)) }
    }

    /// So many octets may come beside those of a message.
    pub(super) fn expects(&self, octets: u64) {
        if let Some(more) = &self.more {
            more(octets);
        }
    }
}

/// One that comes by a connection of somebody else's making.
impl From<Incoming> for Inbound {
    fn from(body: Incoming) -> Self {
        Self::new(body, None)
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && let Some(unread) = &self.unread
            && !body.is_end_stream()
        {
            unread.leave(body);
        }
    }
}

impl hyper::body::Body for Inbound {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(hyper::body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), hyper::body::Body::size_hint)
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
    /// How many octets are to come, where that is known.
    left: Option<u64>,
}

/// A body of the portions that come.
pub fn streamed(portions: mpsc::Receiver<Option<Bytes>>) -> Body {
    Either::Right(Streamed { portions, is_whole: false, left: None })
}

/// A body of so many octets, which are given as they are made.
pub fn sized(length: u64) -> (Outflow, Body) {
    let (sender, portions) = mpsc::channel(PORTIONS);
    (Outflow(sender), Either::Right(Streamed { portions, is_whole: length == 0, left: Some(length) }))
}

/// Portions that wait to be sent.
const PORTIONS: usize = 2;

/// Where the octets of such a body are given, by a thread that may wait.
pub struct Outflow(mpsc::Sender<Option<Bytes>>);

/// Nobody takes them any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl Outflow {
    /// Gives some, and waits until there is room for more.
    pub fn give(&self, octets: Vec<u8>) -> Result<(), Gone> {
        self.0.blocking_send(Some(octets.into())).map_err(|_| Gone)
    }
}

impl hyper::body::Body for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.is_whole {
            return Poll::Ready(None);
        }
        self.portions.poll_recv(context).map(|portion| match portion {
            Some(Some(portion)) => {
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(portion.len() as u64);
                    self.is_whole = *left == 0;
                }
                Some(Ok(Frame::data(portion)))
            }
            Some(None) => {
                self.is_whole = true;
                None
            }
            None => Some(Err(io::Error::other("broken off"))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_whole
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
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
    body: Inbound,
    limit: usize,
    deadline: Duration,
) -> Result<Vec<u8>, Fault> {
    read_body_as(version, headers, body, limit, deadline, |_| Ok(())).await
}

/// The same; whoever takes the octets is told how many have come before they are kept, and may have no room for them.
pub async fn read_body_as(
    version: Version,
    headers: &HeaderMap,
    mut body: Inbound,
    limit: usize,
    deadline: Duration,
    room: impl FnMut(usize) -> Result<(), Fault>,
) -> Result<Vec<u8>, Fault> {
    let declared = declared_length(version, headers, limit)?;
    let begins = if version == Version::HTTP_2 && headers.contains_key(EXPECT) { EXPECT_PATIENCE } else { deadline };
    let read = async {
        let first = tokio::time::timeout(begins, body.frame()).await.map_err(|_| CollectError::NoRoom(not_promised()))?;
        collect_as(body, first, limit, Trailers::Refused, room).await
    };
    let octets = match tokio::time::timeout(deadline, read).await {
        Err(_) => return Err(Fault::at(Code::HttpTimeout, "the body did not arrive in time")),
        Ok(Err(CollectError::Trailers)) => return Err(trailers()),
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

/// On HTTP/2 nobody here can send `100 (Continue)`: whoever does not send its body before it gets that is told so at once
/// (RFC 9110, section 10.1.1: it repeats the request without the expectation).
fn not_promised() -> Fault {
    Fault::at(Code::HttpExpectation, "there is no 100 (Continue) on HTTP/2")
}

/// Trailer fields mean nothing here; and those of HTTP/2 may be pseudo-header fields, which are gone by the time that they are
/// seen (RFC 9113, section 8.1).
fn trailers() -> Fault {
    Fault::at(Code::HttpMalformed, "trailer fields are not taken")
}

/// Reads the body of a request that has no use for one and forgets it, for a short while.
pub async fn forget(body: Inbound) -> Result<(), Fault> {
    if hyper::body::Body::is_end_stream(&body) {
        return Ok(());
    }
    match discard(body).await {
        Discarded::Trailers => Err(trailers()),
        Discarded::Whole | Discarded::Part => Ok(()),
    }
}

/// How much of a body was read and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discarded {
    /// All of it.
    Whole,
    /// All of it, and trailer fields.
    Trailers,
    /// What came in the time that there was.
    Part,
}

/// Reads a body and forgets it, for a short while.
pub(super) async fn discard(mut body: impl hyper::body::Body + Unpin) -> Discarded {
    let discarding = async {
        let mut discarded = Discarded::Whole;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) if frame.is_trailers() => discarded = Discarded::Trailers,
                Ok(_) => {}
                Err(_) => return Discarded::Part,
            }
        }
        discarded
    };
    let limit = Duration::from_millis(limits::DISCARD_MS);
    tokio::time::timeout(limit, discarding).await.unwrap_or(Discarded::Part)
}

/// How long a body is waited for whose sender would be told to go on.
const EXPECT_PATIENCE: Duration = Duration::from_millis(limits::EXPECT_MS);

/// Why a body could not be collected.
pub(super) enum CollectError {
    /// It is longer than it may be.
    TooLarge,
    /// The connection broke.
    Broken(hyper::Error),
    /// Whoever takes it has no room for it.
    NoRoom(Fault),
    /// There is something behind it.
    Trailers,
}

/// What is done about trailer fields (RFC 9110, section 6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trailers {
    Ignored,
    Refused,
}

/// Collects a body in one place, so that its octets are copied once. Trailers are passed over.
pub(super) async fn collect(mut body: Incoming, limit: usize) -> Result<Vec<u8>, CollectError> {
    let first = body.frame().await;
    collect_as(body, first, limit, Trailers::Ignored, |_| Ok(())).await
}

/// Collects what begins with this frame.
async fn collect_as(
    mut body: impl hyper::body::Body<Data = Bytes, Error = hyper::Error> + Unpin,
    mut next: Option<hyper::Result<Frame<Bytes>>>,
    limit: usize,
    on_trailers: Trailers,
    mut has_room: impl FnMut(usize) -> Result<(), Fault>,
) -> Result<Vec<u8>, CollectError> {
    let mut octets = Vec::new();
    while let Some(frame) = next {
        let Ok(data) = frame.map_err(CollectError::Broken)?.into_data() else {
            if on_trailers == Trailers::Refused {
                return Err(CollectError::Trailers);
            }
            next = body.frame().await;
            continue;
        };
        let room = limit.saturating_sub(octets.len());
        if data.len() > room {
            return Err(CollectError::TooLarge);
        }
        has_room(octets.len().saturating_add(data.len())).map_err(CollectError::NoRoom)?;
        // What is declared is only believed when something has come, and never beyond the limit.
        let rest = usize::try_from(body.size_hint().lower()).unwrap_or(room);
        octets.reserve(data.len().saturating_add(rest).min(room));
        octets.extend_from_slice(&data);
        next = body.frame().await;
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_and_forgotten_for_so_long_and_no_longer() {
        let begun = tokio::time::Instant::now();
        assert_eq!(discard(full("all there")).await, Discarded::Whole);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let (sender, portions) = mpsc::channel(1);
        let drips = tokio::spawn(async move {
            while sender.send(Some(Bytes::from_static(b"x"))).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(discard(streamed(portions)).await, Discarded::Part);
        assert_eq!(begun.elapsed(), Duration::from_millis(limits::DISCARD_MS));
        drips.await.expect("nobody takes any more");
    }
}
