//! Small requests to services that prove their answers themselves: witnesses, and time stamping authorities.
//!
//! Over TLS or not, one connection per request, no redirect is followed, and everything has a limit and a deadline.

use super::body::full;
use super::upstream::{Received, UpstreamError};
use crate::base::limits;
use crate::rules::registry::{Endpoint, Scheme};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What is sent, and what may come back.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The body and its media type, for a `POST`; nothing for a `GET`.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// Largest body of the answer.
    pub answer_bytes_max: usize,
    /// When the whole answer must be there.
    pub deadline: Duration,
}

/// Who fetches.
#[derive(Clone)]
pub struct Fetcher {
    tls: Arc<rustls::ClientConfig>,
}

impl Fetcher {
    /// One that believes what this configuration believes.
    pub fn new(tls: Arc<rustls::ClientConfig>) -> Self {
        Self { tls }
    }

    /// Sends a request and reads the answer, whatever its status.
    pub async fn fetch(&self, at: &Endpoint, fetch: Fetch) -> Result<Received, UpstreamError> {
        let deadline = fetch.deadline;
        let fetched = async {
            let connecting = TcpStream::connect((at.url.host.as_str(), at.url.port));
            let connected = tokio::time::timeout(Duration::from_millis(limits::CONNECT_MS), connecting).await;
            let connected = connected.map_err(|_| UpstreamError::Unreachable("no connection in time".to_owned()))?;
            let stream = connected.map_err(unreachable)?;
            stream.set_nodelay(true).map_err(unreachable)?;
            match at.scheme {
                Scheme::Http => ask(stream, at, fetch).await,
                Scheme::Https => {
                    let name = ServerName::try_from(at.url.host.clone()).map_err(unreachable)?;
                    let connector = TlsConnector::from(Arc::clone(&self.tls));
                    ask(connector.connect(name, stream).await.map_err(unreachable)?, at, fetch).await
                }
            }
        };
        tokio::time::timeout(deadline, fetched).await.unwrap_or(Err(UpstreamError::Deadline))
    }
}

async fn ask<S>(stream: S, at: &Endpoint, fetch: Fetch) -> Result<Received, UpstreamError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    let host = at.url.authority();
    let request = Request::builder().uri(at.url.path.as_str()).header(HOST, host);
    let request = match fetch.body {
        Some((media_type, octets)) => request.method(Method::POST).header(CONTENT_TYPE, media_type).body(full(octets)),
        None => request.body(full(Vec::new())),
    };
    let request = request.map_err(unreachable)?;
    // The connection moves only while it is polled; it ends with this function, whatever the peer does.
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response, fetch.answer_bytes_max).await
    };
    let (mut answer, mut connection) = (std::pin::pin!(answer), std::pin::pin!(connection));
    tokio::select! {
        answered = answer.as_mut() => answered,
        // The peer may close as soon as it has answered: what it sent is still there to be read.
        _ = connection.as_mut() => answer.await,
    }
}

async fn read(response: Response<hyper::body::Incoming>, answer_bytes_max: usize) -> Result<Received, UpstreamError> {
    let (head, body) = response.into_parts();
    let collected = Limited::new(body, answer_bytes_max).collect().await.map_err(|cause| {
        let is_too_large = cause.is::<http_body_util::LengthLimitError>();
        if is_too_large { UpstreamError::TooLarge } else { UpstreamError::Broken(cause.to_string()) }
    })?;
    Ok(Received { status: head.status, headers: head.headers, body: collected.to_bytes().into(), parts: None })
}

fn unreachable(cause: impl std::fmt::Display) -> UpstreamError {
    UpstreamError::Unreachable(cause.to_string())
}

fn broken(cause: impl std::fmt::Display) -> UpstreamError {
    UpstreamError::Broken(cause.to_string())
}
