//! TLS and HTTP: how octets come in and go out, with a deadline and a limit on everything.
//!
//! TLS 1.3, and 1.2 with AEAD suites (rustls has no others), client certificates required, protocol by ALPN and never
//! by sniffing: a connection that says nothing is closed by the handshake's deadline (RFC 8446, RFC 9112, RFC 9113).

mod body;
mod fetch;
mod plain;
mod tls;
mod upstream;

pub use body::{Body, Streamed, declared_length, full, read_body, streamed};
pub use fetch::{Fetch, Fetcher};
pub use plain::{Answered, Asked, Asking, serve_whole};
pub use tls::{Anchors, Identity, TlsError, trust};
pub use upstream::{Received, Upstream, UpstreamError};

use crate::crypto::sha256;
use crate::ids::Digest;
use crate::limits;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection whose handshake is done.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    /// SHA-256 of the client's certificate.
    pub certificate: Digest,
    is_http2: bool,
}

impl Connection {
    /// Shakes hands within the deadline. Whoever has no certificate of our authorities does not get here.
    pub async fn accept(stream: TcpStream, tls: Arc<rustls::ServerConfig>) -> Option<Self> {
        stream.set_nodelay(true).ok()?;
        let handshake = TlsAcceptor::from(tls).accept(stream);
        let stream = tokio::time::timeout(Duration::from_millis(limits::HANDSHAKE_MS), handshake).await.ok()?.ok()?;
        let (_, session) = stream.get_ref();
        let certificate = sha256(session.peer_certificates()?.first()?);
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        Some(Self { stream, certificate, is_http2 })
    }

    /// Serves requests until the peer closes, a deadline passes, or `stop` says that no further one is taken.
    pub async fn serve<S>(self, service: S, stop: watch::Receiver<bool>)
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Send + 'static,
        S::Future: Send + 'static,
    {
        let io = TokioIo::new(self.stream);
        if self.is_http2 {
            let connection = http2().serve_connection(io, service);
            drive(connection, stop, |connection| connection.graceful_shutdown()).await;
        } else {
            let connection = http1().serve_connection(io, service);
            drive(connection, stop, |connection| connection.graceful_shutdown()).await;
        }
    }
}

/// Serves plain HTTP/1.1: for the public listener on loopback.
pub async fn serve_plain<S>(stream: TcpStream, service: S, stop: watch::Receiver<bool>)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    let connection = http1().serve_connection(TokioIo::new(stream), service);
    drive(connection, stop, |connection| connection.graceful_shutdown()).await;
}

async fn drive<C, E>(connection: C, mut stop: watch::Receiver<bool>, close: impl FnOnce(std::pin::Pin<&mut C>))
where
    C: Future<Output = Result<(), E>>,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // What ends a connection is of no interest here: each request has its record.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    close(connection.as_mut());
    let _ = connection.await;
}

fn http1() -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits::HEAD_MS))
        .max_headers(limits::HEADERS_MAX)
        .max_buf_size(limits::HEAD_BYTES_MAX.max(64 << 10));
    builder
}

fn http2() -> hyper::server::conn::http2::Builder<TokioExecutor> {
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::STREAMS_MAX)
        .max_header_list_size(limits::HEAD_BYTES_MAX as u32)
        .initial_stream_window_size(limits::MESSAGE_BYTES_MAX as u32)
        .initial_connection_window_size(4 * limits::MESSAGE_BYTES_MAX as u32)
        .keep_alive_interval(Some(Duration::from_millis(limits::IDLE_MS)))
        .keep_alive_timeout(Duration::from_millis(limits::HEAD_MS));
    builder
}
