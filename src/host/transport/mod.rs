//! TLS and HTTP: how octets come in and go out, with a deadline and a limit on everything.
//!
//! TLS 1.3, and 1.2 with AEAD suites (rustls has no others), client certificates required, protocol by ALPN and never
//! by sniffing: a connection that says nothing is closed by the handshake's deadline (RFC 8446, RFC 9112, RFC 9113).

mod astray;
mod believe;
mod body;
mod dial;
mod entrance;
mod fetch;
mod linger;
mod parts;
mod plain;
mod probe;
mod pulse;
mod questions;
mod tls;
mod upstream;

pub use believe::TlsError;
pub use body::{
    Body, Gone, Held, Inbound, Outflow, Streamed, declared_length, forget, full, read_body, read_body_as, sized, streamed,
};
pub use dial::{Dialed, NoConnection};
pub use entrance::{Entrance, Failed, Knock, Place, Room, Turned};
pub use fetch::{Fetch, Fetcher, NotTold, Telling};
pub use hyper::body::Bytes;
pub use parts::{Came, Parts};
pub use plain::{Answered, Asked, Asking, serve_whole};
pub use probe::{NotThere, Step, There, knock, probe};
pub use questions::{Door, MayAsk, Question, SayTurned, serve_questions};
pub use tls::{Anchors, Identity, Listening, load_lists, trust, trust_nobody};
pub use upstream::{Arrival, Received, Upstream, UpstreamError};

use crate::base::ids::Digest;
use crate::base::limits;
use crate::message::crypto::sha256;
use crate::message::pki::Certificate;
use astray::Beginning;
use body::{Discarded, Unread, discard};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pulse::{Felt, Heads, Paced, Pulse, Verdict};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tls::Shown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Interval;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection whose handshake is done.
pub struct Connection {
    /// Boxed: it is handed from one future to the next, each of which would keep room for all of it.
    stream: Box<TlsStream<TcpStream>>,
    /// SHA-256 of the client's certificate.
    pub certificate: Digest,
    shown: Shown,
    protocol: Protocol,
}

/// Why a handshake failed, for the operator.
#[derive(Debug)]
pub struct NoHandshake {
    /// What TLS says.
    pub cause: String,
    /// The subject of the client's certificate, if it was that.
    pub subject: Option<String>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed it, or we did.
    Closed,
    /// What came was no HTTP; whatever answer that got was not ours.
    Malformed,
    /// The peer kept it waiting: silent, slow, or not taking its answers.
    Stuck,
    /// The client's certificate is not believed any more: it was revoked, or has expired.
    Revoked,
    /// The peer speaks TLS, and this listener does not.
    Tls,
}

impl End {
    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Malformed => "malformed",
            Self::Stuck => "stuck",
            Self::Revoked => "revoked",
            Self::Tls => "tls",
        }
    }
}

/// Which HTTP a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, and 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Connection {
    /// Shakes hands within the deadline. Whoever has no certificate of our authorities does not get here.
    pub async fn accept(stream: TcpStream, tls: &Listening) -> Result<Self, NoHandshake> {
        let failed = |cause: &dyn std::fmt::Display| NoHandshake { cause: cause.to_string(), subject: None };
        stream.set_nodelay(true).map_err(|cause| failed(&cause))?;
        let handshake = async {
            if Beginning::of(&stream).await == Beginning::Http {
                astray::wants_tls(stream).await;
                return None;
            }
            Some(believe::watched(TlsAcceptor::from(tls.config()).accept(stream)).await)
        };
        let done = tokio::time::timeout(Duration::from_millis(limits::HANDSHAKE_MS), handshake).await;
        let shaken = done.map_err(|_| failed(&"it took too long"))?;
        let (shaken, subject) =
            shaken.ok_or_else(|| failed(&"it speaks HTTP without TLS; its address must begin with https://"))?;
        let stream = shaken.map_err(|cause| NoHandshake { cause: cause.to_string(), subject })?;
        let (_, session) = stream.get_ref();
        let shown = tls.shown(session).ok_or_else(|| failed(&"the certificate of a resumed session is no longer trusted"))?;
        let certificate = sha256(shown.first().ok_or_else(|| failed(&"no certificate"))?);
        let protocol = if session.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
        Ok(Self { stream: Box::new(stream), certificate, shown, protocol })
    }

    /// Whether the client's certificate is that of a host and of no agency. Certificates of agencies name them, so none of them passes
    /// for a gateway, whatever host it is for.
    pub fn is_of_host(&self, host: &str) -> bool {
        let Some(leaf) = self.shown.first() else { return false };
        let is_agency = Certificate::from_der(leaf).is_ok_and(|certificate| certificate.agency.is_some());
        !is_agency && tls::is_for_host(leaf, host)
    }

    /// Serves requests until the peer closes, a deadline passes, or `stop` says that no further one is taken.
    pub async fn serve<S>(self, service: S, stop: watch::Receiver<bool>) -> End
    where
        S: Service<Request<Inbound>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        serve(self.stream, self.protocol, service, stop).await
    }
}

/// Serves plain HTTP/1.1: for the public listener on loopback.
pub async fn serve_plain<S>(stream: TcpStream, service: S, stop: watch::Receiver<bool>) -> End
where
    S: Service<Request<Inbound>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let beginning = tokio::time::timeout(Duration::from_millis(limits::HEAD_MS), Beginning::of(&stream));
    let mut stopping = stop.clone();
    let beginning = tokio::select! {
        _ = stopping.wait_for(|stop| *stop) => return End::Closed,
        beginning = beginning => beginning,
    };
    match beginning {
        Err(_) => End::Stuck,
        Ok(Beginning::Tls) => {
            astray::wants_no_tls(stream).await;
            End::Tls
        }
        Ok(_) => serve(stream, Protocol::Http1, service, stop).await,
    }
}

/// Shakes hands with a browser, and serves what it asks by the service for the certificate that it has shown, if it has shown one.
pub async fn serve_browser<S>(
    stream: TcpStream,
    tls: Arc<rustls::ServerConfig>,
    service: impl FnOnce(Option<Digest>) -> S,
    stop: watch::Receiver<bool>,
) -> End
where
    S: Service<Request<Inbound>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let handshake = async {
        if Beginning::of(&stream).await == Beginning::Http {
            astray::wants_tls(stream).await;
            return None;
        }
        TlsAcceptor::from(tls).accept(stream).await.ok()
    };
    let shaken = tokio::time::timeout(Duration::from_millis(limits::HANDSHAKE_MS), handshake).await;
    let Ok(Some(stream)) = shaken else { return End::Closed };
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(|chain| chain.first()).map(|certificate| sha256(certificate));
    let protocol = if session.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
    serve(Box::new(stream), protocol, service(certificate), stop).await
}

/// Serves requests that come on a stream of octets, whatever it is: what both listeners do once they have one.
pub async fn serve<IO, S>(stream: IO, protocol: Protocol, service: S, stop: watch::Receiver<bool>) -> End
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Inbound>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    // HTTP/2 may read a whole message before it says that there is a request.
    let pulse = Pulse::new(if protocol == Protocol::Http2 { u64::from(CONNECTION_WINDOW_BYTES) } else { 0 });
    let io = TokioIo::new(Felt::new(stream, &pulse));
    let felt = Arc::clone(&pulse);
    // HTTP/1.1 has no windows: what its peer does not take is seen on the stream.
    let frame_bytes = if protocol == Protocol::Http2 { FRAME_BYTES } else { usize::MAX };
    // HTTP/1.1 has one request at a time, HTTP/2 any number.
    let of_connection = (protocol == Protocol::Http1).then(Unread::default);
    let service = service_fn(move |request: Request<Incoming>| {
        let body_bytes = request.body().size_hint().upper().unwrap_or(u64::MAX).min(limits::MESSAGE_BYTES_MAX as u64);
        let (busy, service) = (felt.begin(body_bytes), service.clone());
        let has_body = !request.body().is_end_stream();
        let unread = has_body.then(|| of_connection.clone().unwrap_or_default());
        let (felt, feels) = (Arc::clone(&felt), Arc::clone(&felt));
        // Whoever waits to be told to send its body is not told so by our reading what nobody wants.
        let may_read = !request.headers().contains_key(EXPECT);
        async move {
            let inbound = |body| Inbound::with_more(body, unread.clone(), move |octets| feels.forgot(octets));
            let mut response = service.call(request.map(inbound)).await?;
            let rest = unread.and_then(|unread| unread.take());
            if protocol == Protocol::Http2 {
                rest.into_iter().for_each(|rest| {
                    let felt = Arc::clone(&felt);
                    linger::forget_stream(rest, move |octets| felt.forgot(octets))
                });
            } else if let Some(rest) = rest
                && !(may_read && is_forgotten(rest, &response).await)
            {
                busy.leaves_a_rest();
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let held = response.extensions_mut().remove::<Held>();
            if response.status() == StatusCode::REQUEST_TIMEOUT {
                busy.is_late();
            }
            Ok::<_, Infallible>(response.map(|body| Paced::new(body, frame_bytes, busy, held)))
        }
    });
    match protocol {
        Protocol::Http1 => {
            let connection = Box::pin(http1().serve_connection(io, service));
            drive(connection, &pulse, Heads::Begin, stop, |connection| connection.graceful_shutdown()).await
        }
        Protocol::Http2 => {
            let connection = Box::pin(http2().serve_connection(io, service));
            drive(connection, &pulse, Heads::Unknown, stop, |connection| connection.graceful_shutdown()).await
        }
    }
}

/// Whether the rest of a body that nobody has read could be read and forgotten, so that the connection goes on. What is larger than
/// a message may be is not waited for.
async fn is_forgotten(rest: Incoming, response: &Response<Body>) -> bool {
    let is_small = rest.size_hint().upper().is_some_and(|octets| octets <= limits::MESSAGE_BYTES_MAX as u64);
    is_small && !response.headers().contains_key(CONNECTION) && discard(rest).await == Discarded::Whole
}

async fn drive<C>(
    mut connection: Pin<Box<C>>,
    pulse: &Pulse,
    heads: Heads,
    mut stop: watch::Receiver<bool>,
    close: impl Fn(Pin<&mut C>),
) -> End
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut beat = tokio::time::interval(Duration::from_millis(limits::PULSE_MS));
    let mut is_closing = false;
    loop {
        tokio::select! {
            // The connection first: what it does decides whether its pulse is felt.
            biased;
            ended = connection.as_mut() => return match ended {
                Err(error) if error.is_parse() => End::Malformed,
                _ => End::Closed,
            },
            _ = stop.wait_for(|stop| *stop), if !is_closing => {
                close(connection.as_mut());
                is_closing = true;
            }
            () = felt(pulse, heads, &mut beat) => match pulse.verdict(heads, Instant::now()) {
                Verdict::Goes => {}
                Verdict::Stuck => return End::Stuck,
                Verdict::Idle if is_closing => return End::Closed,
                Verdict::Idle => {
                    close(connection.as_mut());
                    is_closing = true;
                }
            }
        }
    }
}

/// Waits for the next beat. Of a request that is worked on nothing can be late but what its own connection does: so ten thousand who
/// wait for an answer on HTTP/1.1 wake nobody. On HTTP/2 others than the connection's own task move the pulse.
async fn felt(pulse: &Pulse, heads: Heads, beat: &mut Interval) {
    std::future::poll_fn(|context| match heads == Heads::Begin && pulse.is_calm() {
        true => Poll::Pending,
        false => beat.poll_tick(context).map(drop),
    })
    .await
}

fn http1() -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The pause before a head counts here as well; the pulse has the deadline of the head itself.
        .header_read_timeout(Duration::from_millis(limits::IDLE_MS))
        .max_headers(limits::HEADERS_MAX)
        .max_buf_size(limits::HEAD_BYTES_MAX.max(64 << 10));
    builder
}

fn http2() -> hyper::server::conn::http2::Builder<TokioExecutor> {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::STREAMS_MAX)
        .max_pending_accept_reset_streams(limits::RESETS_MAX)
        .max_local_error_reset_streams(limits::RESETS_MAX)
        .max_send_buf_size(64 << 10)
        .max_header_list_size(limits::HEAD_BYTES_MAX as u32)
        .initial_stream_window_size(limits::MESSAGE_BYTES_MAX as u32)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(Some(Duration::from_millis(limits::IDLE_MS)))
        .keep_alive_timeout(Duration::from_millis(limits::HEAD_MS));
    builder
}

/// Octets that a peer may send on an HTTP/2 connection before anybody has read them.
const CONNECTION_WINDOW_BYTES: u32 = 4 * limits::MESSAGE_BYTES_MAX as u32;
/// Octets of a frame: those of HTTP/2, unless a peer takes larger ones (RFC 9113, section 4.2).
const FRAME_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_request_has_so_many_header_fields_and_no_more() {
        let status = async |fields: usize| {
            let (mut peer, stream) = tokio::io::duplex(64 << 10);
            let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(full("good"))));
            let (_stop, stopped) = watch::channel(false);
            let fields: String = (1..fields).map(|number| format!("f{number}: v\r\n")).collect();
            let request = format!("GET / HTTP/1.1\r\nhost: l\r\n{fields}\r\n");
            let mut line = [0; 12];
            let asked = async {
                peer.write_all(request.as_bytes()).await.expect("it is taken");
                peer.read_exact(&mut line).await.expect("a response");
                drop(peer);
            };
            tokio::join!(serve(stream, Protocol::Http1, service, stopped), asked);
            String::from_utf8_lossy(&line).into_owned()
        };
        assert_eq!(status(limits::HEADERS_MAX).await, "HTTP/1.1 200");
        assert_eq!(status(limits::HEADERS_MAX + 1).await, "HTTP/1.1 431");
    }

    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const GOAWAY: u8 = 7;
    const ACK: u8 = 1;

    /// A frame of HTTP/2 (RFC 9113, section 4.1).
    fn frame(kind: u8, flags: u8, stream: usize, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, kind, flags], (stream as u32).to_be_bytes().as_slice(), payload].concat()
    }

    /// A whole request whose answer never comes, on the stream with this number among the client's.
    fn request(number: usize) -> Vec<u8> {
        let head = [b"\x82\x87\x84\x01\x09".as_slice(), b"localhost"].concat();
        frame(HEADERS, 0x5, 2 * number + 1, &head)
    }

    /// What a client is sent for these frames on HTTP/2: of each frame its kind, its stream and its last octet.
    async fn answered(frames: Vec<u8>) -> Vec<(u8, usize, u8)> {
        let (mut peer, stream) = tokio::io::duplex(64 << 10);
        let service = service_fn(async |_| std::future::pending::<Result<Response<Body>, Infallible>>().await);
        let (_stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(stream, Protocol::Http2, service, stopped));
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        // What comes before the answer to the ping was said of the frames before the ping.
        let octets = [preface.as_slice(), &frame(SETTINGS, 0, 0, b""), &frames, &frame(PING, 0, 0, &[7; 8])].concat();
        peer.write_all(&octets).await.expect("it is taken");
        let mut said = Vec::new();
        let mut head = [0; 9];
        while peer.read_exact(&mut head).await.is_ok() {
            let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            peer.read_exact(&mut payload).await.expect("a whole frame");
            if (head[3], head[4]) == (PING, ACK) {
                break;
            }
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) as usize;
            // The error of a GOAWAY stands in front of what explains it.
            let error = if head[3] == GOAWAY { payload.get(7) } else { payload.last() };
            said.push((head[3], stream, error.copied().unwrap_or(0)));
        }
        serving.abort();
        said.retain(|(kind, _, _)| matches!(*kind, RST_STREAM | GOAWAY));
        said
    }

    #[tokio::test]
    async fn a_connection_has_so_many_streams_and_no_more() {
        const MAX: usize = limits::STREAMS_MAX as usize;
        let refused_stream = 7;
        let requests = |count: usize| (0..count).flat_map(request).collect();
        assert_eq!(answered(requests(MAX)).await, []);
        assert_eq!(answered(requests(MAX + 1)).await, [(RST_STREAM, 2 * MAX + 1, refused_stream)]);
    }

    #[tokio::test]
    async fn so_many_streams_may_be_reset_at_once_and_no_more() {
        let enhance_your_calm = 11;
        let reset = |number: usize| [request(number), frame(RST_STREAM, 0, 2 * number + 1, &[0, 0, 0, 8])].concat();
        let resets = |count: usize| (0..count).flat_map(reset).collect();
        assert_eq!(answered(resets(limits::RESETS_MAX)).await, []);
        assert_eq!(answered(resets(limits::RESETS_MAX + 1)).await, [(GOAWAY, 0, enhance_your_calm)]);
    }
}
