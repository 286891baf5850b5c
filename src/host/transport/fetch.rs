//! Small requests to services that prove their answers themselves: witnesses, and time stamping authorities; and to those who are told
//! something, and only have to confirm it.
//!
//! Over TLS or not, one connection per request, no redirect is followed, and everything has a limit and a deadline.

use super::body::{Body, full};
use super::dial::{Dialed, NoConnection};
use super::upstream::{Received, UpstreamError, host_field};
use crate::rules::registry::{Endpoint, Scheme};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What is sent, and what may come back. It has no `Debug`: header fields may be secrets.
#[derive(Clone)]
pub struct Fetch {
    /// The body and its media type, for a `POST`; nothing for a `GET`.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// Header fields beside it.
    pub headers: Vec<(&'static str, String)>,
    /// Largest body of the answer.
    pub answer_bytes_max: usize,
    /// When the whole answer must be there.
    pub deadline: Duration,
}

/// What is told to somebody whose answer is the status alone.
#[derive(Clone, Debug)]
pub struct Telling {
    /// The media type.
    pub media_type: &'static str,
    /// What is told.
    pub octets: Vec<u8>,
    /// Header fields beside it.
    pub headers: Vec<(&'static str, String)>,
    /// How much is read of what comes with the status; the rest is not waited for.
    pub answer_bytes_max: usize,
    /// When the status must be there.
    pub deadline: Duration,
}

/// Why somebody was not told.
#[derive(Debug)]
pub enum NotTold {
    /// It is where nobody may be told of anything.
    Forbidden(IpAddr),
    /// It was not reached, or said nothing that can be understood, or not in time.
    Failed(UpstreamError),
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
        let fetched = async {
            let stream = self.connect(at, |_| true).await.map_err(unreachable)?;
            let request = Request::builder().uri(at.url.path.as_str()).header(HOST, host_field(&at.url));
            let request = fetch.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
            let request = match fetch.body {
                Some((media_type, octets)) => request.method(Method::POST).header(CONTENT_TYPE, media_type).body(full(octets)),
                None => request.body(full(Vec::new())),
            };
            let request = request.map_err(unreachable)?;
            ask(stream, request, async |response| read(response, fetch.answer_bytes_max).await).await
        };
        tokio::time::timeout(fetch.deadline, fetched).await.unwrap_or(Err(UpstreamError::Deadline))
    }

    /// Tells somebody something, who is at a permitted address, and gives the status of the answer. What else is answered is read up to
    /// the limit, so that whoever says it is not cut off, and changes nothing.
    pub async fn tell(&self, at: &Endpoint, telling: Telling, permits: impl Fn(IpAddr) -> bool) -> Result<u16, NotTold> {
        let (deadline, heard) = (telling.deadline, OnceLock::new());
        let told = async {
            let stream = self.connect(at, permits).await.map_err(|why| match why {
                NoConnection::Forbidden(address) => NotTold::Forbidden(address),
                NoConnection::Failed(cause) => NotTold::Failed(UpstreamError::Unreachable(cause)),
            })?;
            let request = Request::builder().method(Method::POST).uri(at.url.path.as_str()).header(HOST, host_field(&at.url));
            let request = request.header(CONTENT_TYPE, telling.media_type);
            let request = telling.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
            let request = request.body(full(telling.octets)).map_err(|cause| NotTold::Failed(unreachable(cause)))?;
            let status = async |response: Response<Incoming>| {
                let (head, body) = response.into_parts();
                let status = *heard.get_or_init(|| head.status.as_u16());
                let _ = Limited::new(body, telling.answer_bytes_max).collect().await;
                Ok(status)
            };
            ask(stream, request, status).await.map_err(NotTold::Failed)
        };
        // Whoever has said the status has said all, though the rest does not end.
        let told = tokio::time::timeout(deadline, told).await;
        told.unwrap_or_else(|_| heard.get().copied().ok_or(NotTold::Failed(UpstreamError::Deadline)))
    }

    async fn connect(&self, at: &Endpoint, permits: impl Fn(IpAddr) -> bool) -> Result<Dialed, NoConnection> {
        let stream = Dialed::connect(&at.url.host, at.url.port, permits).await?;
        match at.scheme {
            Scheme::Http => Ok(Dialed::Plain(stream)),
            Scheme::Https => Dialed::secure(stream, &at.url.host, &self.tls).await,
        }
    }
}

async fn ask<A>(
    stream: Dialed,
    request: Request<Body>,
    read: impl AsyncFnOnce(Response<Incoming>) -> Result<A, UpstreamError>,
) -> Result<A, UpstreamError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    // The connection moves only while it is polled; it ends with this function, whatever the peer does.
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response).await
    };
    let (mut answer, mut connection) = (std::pin::pin!(answer), std::pin::pin!(connection));
    tokio::select! {
        answered = answer.as_mut() => answered,
        // The peer may close as soon as it has answered: what it sent is still there to be read.
        _ = connection.as_mut() => answer.await,
    }
}

async fn read(response: Response<Incoming>, answer_bytes_max: usize) -> Result<Received, UpstreamError> {
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
