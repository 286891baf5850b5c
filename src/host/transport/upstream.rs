//! Connections to providers: mutual TLS, HTTP/1.1, pooled per address.

use super::Body;
use super::body::{CollectError, collect, full};
use crate::base::limits;
use crate::rules::registry::Url;
use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why a provider gave no answer.
#[derive(Debug)]
pub enum UpstreamError {
    /// No connection could be made.
    Unreachable(String),
    /// The connection broke before the answer was whole.
    Broken(String),
    /// The answer is larger than a message may be.
    TooLarge,
    /// The provider answered with another status than 200.
    Status(u16, Option<u32>),
    /// The deadline passed.
    Deadline,
}

impl std::fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(cause) => write!(f, "not reached: {cause}"),
            Self::Broken(cause) => write!(f, "broken off: {cause}"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Status(status, _) => write!(f, "status {status}"),
            Self::Deadline => f.write_str("no answer in time"),
        }
    }
}

/// A response, whole.
pub struct Received {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// A connection, and what it was made under.
struct Kept {
    sender: SendRequest<Body>,
    tls: Arc<rustls::ClientConfig>,
}

/// Connections that wait for a request, by host and port.
type Idle = BTreeMap<(String, u16), Vec<Kept>>;

/// A pool of connections.
pub struct Upstream {
    tls: RwLock<Arc<rustls::ClientConfig>>,
    idle: Mutex<Idle>,
}

impl Upstream {
    /// An empty pool.
    pub fn new(tls: Arc<rustls::ClientConfig>) -> Self {
        Self { tls: RwLock::new(tls), idle: Mutex::default() }
    }

    /// Takes another identity for the connections to come; those that are kept are closed, those
    /// that are in use when they are given back.
    pub fn renew(&self, tls: Arc<rustls::ClientConfig>) {
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Idle::default();
    }

    /// Posts a message and reads the answer, which must come with `200`, all within the deadline.
    pub async fn post(
        &self,
        url: &Url,
        octets: Vec<u8>,
        headers: &[(&'static str, String)],
        deadline: Duration,
    ) -> Result<Vec<u8>, UpstreamError> {
        let received = self.send(Method::POST, url, octets, headers, deadline).await?;
        if received.status != StatusCode::OK {
            let retry_after = received.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            return Err(UpstreamError::Status(received.status.as_u16(), retry_after));
        }
        Ok(received.body)
    }

    /// Sends a request and reads the response, all within the deadline.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        octets: Vec<u8>,
        headers: &[(&'static str, String)],
        deadline: Duration,
    ) -> Result<Received, UpstreamError> {
        let octets = Bytes::from(octets);
        let make = || build(method.clone(), url, octets.clone(), headers);
        tokio::time::timeout(deadline, self.exchange(url, make)).await.unwrap_or(Err(UpstreamError::Deadline))
    }

    /// Gets something of any length and gives it to `take` as it comes; the body that is returned is that of a refusal.
    /// Each portion has the deadline.
    pub async fn download(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        deadline: Duration,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<Received, UpstreamError> {
        let broken = |cause: String| UpstreamError::Broken(cause);
        let mut kept = self.connect(url).await?;
        let request = build(Method::GET, url, Bytes::new(), headers)?;
        let response = tokio::time::timeout(deadline, kept.sender.send_request(request)).await;
        let response = response.map_err(|_| UpstreamError::Deadline)?.map_err(|cause| broken(cause.to_string()))?;
        if response.status() != StatusCode::OK {
            return self.finish(url, kept, response).await;
        }
        let (head, mut body) = response.into_parts();
        while let Some(frame) = tokio::time::timeout(deadline, body.frame()).await.map_err(|_| UpstreamError::Deadline)? {
            let Ok(portion) = frame.map_err(|cause| broken(cause.to_string()))?.into_data() else { continue };
            take(&portion).map_err(|cause| broken(cause.to_string()))?;
        }
        Ok(Received { status: head.status, headers: head.headers, body: Vec::new() })
    }

    /// A kept connection may be closed by the peer at any time, also while the request is on its way: then it is sent once
    /// more, over a new connection. That is no second message, since its id is the same.
    async fn exchange(
        &self,
        url: &Url,
        make: impl Fn() -> Result<Request<Body>, UpstreamError>,
    ) -> Result<Received, UpstreamError> {
        if let Some(mut kept) = self.take(url)
            && kept.sender.ready().await.is_ok()
            && let Ok(response) = kept.sender.send_request(make()?).await
        {
            return self.finish(url, kept, response).await;
        }
        let mut kept = self.connect(url).await?;
        let response = kept.sender.send_request(make()?).await.map_err(|cause| UpstreamError::Broken(cause.to_string()))?;
        self.finish(url, kept, response).await
    }

    async fn finish(
        &self,
        url: &Url,
        kept: Kept,
        response: hyper::Response<hyper::body::Incoming>,
    ) -> Result<Received, UpstreamError> {
        let (head, body) = response.into_parts();
        let body = collect(body, limits::MESSAGE_BYTES_MAX).await.map_err(|error| match error {
            CollectError::TooLarge => UpstreamError::TooLarge,
            CollectError::Broken(cause) => UpstreamError::Broken(cause.to_string()),
            CollectError::NoRoom(fault) => UpstreamError::Broken(fault.to_string()),
            CollectError::Trailers => UpstreamError::Broken("trailer fields".to_owned()),
        })?;
        self.give_back(url, kept);
        Ok(Received { status: head.status, headers: head.headers, body })
    }

    fn take(&self, url: &Url) -> Option<Kept> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.get_mut(&(url.host.clone(), url.port))?;
        std::iter::from_fn(|| waiting.pop()).find(|kept| !kept.sender.is_closed())
    }

    fn give_back(&self, url: &Url, kept: Kept) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at under the lock, under which what was kept before is closed.
        let is_of_now = Arc::ptr_eq(&kept.tls, &self.tls.read().unwrap_or_else(PoisonError::into_inner));
        if kept.sender.is_closed() || !is_of_now {
            return;
        }
        let waiting = idle.entry((url.host.clone(), url.port)).or_default();
        if waiting.len() < limits::POOL_IDLE_MAX {
            waiting.push(kept);
        }
    }

    async fn connect(&self, url: &Url) -> Result<Kept, UpstreamError> {
        let tls = Arc::clone(&self.tls.read().unwrap_or_else(PoisonError::into_inner));
        let connector = TlsConnector::from(Arc::clone(&tls));
        let connecting = async {
            let stream = TcpStream::connect((url.host.as_str(), url.port)).await.map_err(|cause| cause.to_string())?;
            stream.set_nodelay(true).map_err(|cause| cause.to_string())?;
            let name = ServerName::try_from(url.host.clone()).map_err(|cause| cause.to_string())?;
            let stream = connector.connect(name, stream).await.map_err(|cause| cause.to_string())?;
            http1::handshake(TokioIo::new(stream)).await.map_err(|cause| cause.to_string())
        };
        let connected = tokio::time::timeout(Duration::from_millis(limits::CONNECT_MS), connecting).await;
        let connected = connected.map_err(|_| UpstreamError::Unreachable("no connection in time".to_owned()))?;
        let (sender, connection) = connected.map_err(UpstreamError::Unreachable)?;
        // The task ends with the connection, which ends when the last sender is dropped.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Kept { sender, tls })
    }
}

/// Without the port that https has anyway.
fn host_field(url: &Url) -> String {
    let authority = url.authority();
    if url.port == 443 { authority.trim_end_matches(":443").to_owned() } else { authority }
}

fn build(method: Method, url: &Url, octets: Bytes, headers: &[(&'static str, String)]) -> Result<Request<Body>, UpstreamError> {
    let mut request = Request::builder().method(method).uri(url.path.as_str()).header(HOST, host_field(url));
    if headers.iter().all(|(name, _)| *name != "content-type") {
        request = request.header(CONTENT_TYPE, "application/xml");
    }
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(full(octets)).map_err(|cause| UpstreamError::Unreachable(cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring::default_provider;
    use rustls::{ClientConfig, RootCertStore};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    /// Whoever takes the connection and says nothing is not waited for as long as an answer is.
    #[tokio::test(start_paused = true)]
    async fn a_connection_is_there_in_so_long_or_not_at_all() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
        let tls = tls.expect("versions of TLS").with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let url = Url::parse(&format!("https://{}/", silent.local_addr().expect("bound"))).expect("an address");
        let begun = Instant::now();
        let posted = Upstream::new(Arc::new(tls)).post(&url, Vec::new(), &[], Duration::from_millis(limits::ANSWER_MS)).await;
        assert!(matches!(&posted, Err(UpstreamError::Unreachable(cause)) if cause.contains("in time")), "{posted:?}");
        assert_eq!(begun.elapsed(), Duration::from_millis(limits::CONNECT_MS));
    }
}
