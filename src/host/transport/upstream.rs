//! Connections to providers: mutual TLS, HTTP/1.1, pooled per address.
//!
//! A connection that waited for a request may have died without a word: a provider that was switched off, a firewall that
//! has forgotten it. So none waits for long, TCP asks whether the other end is there, and a message that was given to such a
//! one and gets no head is given to a new one as well, once. That is no second message, since its id is the same.

use super::Body;
use super::body::{CollectError, collect, full};
use super::parts::Parts;
use crate::base::fault::{Code, Fault};
use crate::base::limits;
use crate::message::parts::{Related, Wrong, is_related};
use crate::rules::registry::Url;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
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
    /// The answer has attachments, and is no such body.
    Parts(Fault),
}

impl std::fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(cause) => write!(f, "not reached: {cause}"),
            Self::Broken(cause) => write!(f, "broken off: {cause}"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Status(status, _) => write!(f, "status {status}"),
            Self::Deadline => f.write_str("no answer in time"),
            Self::Parts(fault) => fault.fmt(f),
        }
    }
}

/// A response, whole.
pub struct Received {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body; if it has several parts, the first.
    pub body: Vec<u8>,
    /// The others, which have not been read.
    pub parts: Option<Parts>,
}

/// The answer to a message: the answer itself, and what may come behind it.
pub struct Arrival {
    /// The message.
    pub octets: Vec<u8>,
    /// The parts behind it, which have not been read.
    pub parts: Option<Parts>,
}

/// A connection, and what it was made under.
struct Kept {
    sender: SendRequest<Body>,
    tls: Arc<rustls::ClientConfig>,
    /// When it was last of use.
    used: Instant,
}

impl Kept {
    /// Whether a request may be given to it. A peer, and whatever stands in between, forgets a connection some time.
    fn is_good(&self) -> bool {
        !self.sender.is_closed() && self.used.elapsed() < Duration::from_millis(limits::POOL_IDLE_MS)
    }
}

/// Which of the two times that a request may be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    First,
    Second,
}

/// What is said to whoever may have had a message before.
pub const REDELIVERED: (&str, &str) = ("oncegate-redelivered", "true");

/// A connection with the head of the response that came by it.
type Headed = Result<(Kept, hyper::Response<Incoming>), UpstreamError>;

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

    /// Posts a message and reads the answer, which must come with `200`, all within the deadline. If a connection that was kept
    /// gives no head in good time, it is posted once more over a new one, and the first that answers is heard. The second says that
    /// the provider may have had it before.
    pub async fn post(
        &self,
        url: &Url,
        octets: Bytes,
        headers: &[(&'static str, String)],
        deadline: Duration,
    ) -> Result<Arrival, UpstreamError> {
        let make = |sending: Sending| {
            let mut headers = headers.to_vec();
            if sending == Sending::Second && headers.iter().all(|(name, _)| *name != REDELIVERED.0) {
                headers.push((REDELIVERED.0, REDELIVERED.1.to_owned()));
            }
            build(Method::POST, url, full(octets.clone()), &headers)
        };
        let patience = Duration::from_millis(limits::AGAIN_MS).min(deadline / 2);
        let exchange = tokio::time::timeout(deadline, self.exchange(url, make, Some(patience)));
        arrival(exchange.await.unwrap_or(Err(UpstreamError::Deadline))?)
    }

    /// Posts what is made as it is sent, once, over a connection of its own, and reads the answer as [`Upstream::post`] does.
    pub async fn post_made(
        &self,
        url: &Url,
        body: Body,
        headers: &[(&'static str, String)],
        deadline: Duration,
    ) -> Result<Arrival, UpstreamError> {
        arrival(self.send_made(url, body, headers, deadline).await?)
    }

    /// The same, whatever is said to it.
    pub async fn send_made(
        &self,
        url: &Url,
        body: Body,
        headers: &[(&'static str, String)],
        deadline: Duration,
    ) -> Result<Received, UpstreamError> {
        let request = build(Method::POST, url, body, headers)?;
        let exchange = async { self.finish(url, self.anew(url, request).await?).await };
        tokio::time::timeout(deadline, exchange).await.unwrap_or(Err(UpstreamError::Deadline))
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
        let make = |_| build(method.clone(), url, full(octets.clone()), headers);
        tokio::time::timeout(deadline, self.exchange(url, make, None)).await.unwrap_or(Err(UpstreamError::Deadline))
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
        let request = build(Method::GET, url, full(Bytes::new()), headers)?;
        let response = tokio::time::timeout(deadline, kept.sender.send_request(request)).await;
        let response = response.map_err(|_| UpstreamError::Deadline)?.map_err(|cause| broken(cause.to_string()))?;
        if !matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return self.finish(url, (kept, response)).await;
        }
        let (head, mut body) = response.into_parts();
        while let Some(frame) = tokio::time::timeout(deadline, body.frame()).await.map_err(|_| UpstreamError::Deadline)? {
            let Ok(portion) = frame.map_err(|cause| broken(cause.to_string()))?.into_data() else { continue };
            take(&portion).map_err(|cause| broken(cause.to_string()))?;
        }
        Ok(Received { status: head.status, headers: head.headers, body: Vec::new(), parts: None })
    }

    /// A kept connection may be closed by the peer at any time, also while the request is on its way: then it is sent once
    /// more, over a new connection. So it is if nothing comes for as long as `patience` says.
    async fn exchange(
        &self,
        url: &Url,
        make: impl Fn(Sending) -> Result<Request<Body>, UpstreamError>,
        patience: Option<Duration>,
    ) -> Result<Received, UpstreamError> {
        let Some(kept) = self.take(url) else { return self.finish(url, self.anew(url, make(Sending::First)?).await?).await };
        let mut first = std::pin::pin!(ask(kept, make(Sending::First)?));
        let headed = match patience {
            Some(patience) => tokio::time::timeout(patience, first.as_mut()).await,
            None => Ok(first.as_mut().await),
        };
        let received = match headed {
            Ok(Ok(headed)) => self.finish(url, headed).await,
            Ok(Err(broken)) => Err(broken),
            Err(_) => return self.either(url, first, make(Sending::Second)?).await,
        };
        match received {
            Err(UpstreamError::Broken(_)) => self.finish(url, self.anew(url, make(Sending::Second)?).await?).await,
            received => received,
        }
    }

    /// Sends a request once more while the first is still waited for. A provider that is alive but slow may refuse to be asked
    /// twice at once, or have no second connection: so a word of the second that is no answer is heard only if nothing comes of
    /// the first.
    async fn either(
        &self,
        url: &Url,
        mut first: Pin<&mut impl Future<Output = Headed>>,
        request: Request<Body>,
    ) -> Result<Received, UpstreamError> {
        let mut second = std::pin::pin!(self.anew(url, request));
        let headed = tokio::select! {
            biased;
            headed = first.as_mut() => {
                let headed = match headed {
                    Ok(headed) => headed,
                    Err(_) => second.await?,
                };
                return self.finish(url, headed).await;
            }
            headed = second.as_mut() => headed,
        };
        let is_answer = |status: StatusCode| matches!(status, StatusCode::OK | StatusCode::ACCEPTED);
        match headed {
            Ok(headed) if is_answer(headed.1.status()) => {
                // What else was kept is most likely as dead as the first.
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).remove(&(url.host.clone(), url.port));
                self.finish(url, headed).await
            }
            other => match first.await {
                Ok(headed) => self.finish(url, headed).await,
                Err(_) => self.finish(url, other?).await,
            },
        }
    }

    /// Sends a request over a connection that is made for it.
    async fn anew(&self, url: &Url, request: Request<Body>) -> Headed {
        ask(self.connect(url).await?, request).await
    }

    async fn finish(&self, url: &Url, (kept, response): (Kept, hyper::Response<Incoming>)) -> Result<Received, UpstreamError> {
        let (head, body) = response.into_parts();
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        if head.status == StatusCode::OK && is_related(content_type) {
            // The connection is not used again: what comes by it may never end.
            let mut parts = Related::parse(content_type).map(|related| Parts::of_response(&related, body)).map_err(malformed)?;
            let body = parts.root(limits::MESSAGE_BYTES_MAX, |_| Ok(())).await.map_err(UpstreamError::Parts)?;
            return Ok(Received { status: head.status, headers: head.headers, body, parts: Some(parts.keeping(kept.sender)) });
        }
        let body = collect(body, limits::MESSAGE_BYTES_MAX).await.map_err(|error| match error {
            CollectError::TooLarge => UpstreamError::TooLarge,
            CollectError::Broken(cause) => UpstreamError::Broken(cause.to_string()),
            CollectError::NoRoom(fault) => UpstreamError::Broken(fault.to_string()),
            CollectError::Trailers => UpstreamError::Broken("trailer fields".to_owned()),
        })?;
        self.give_back(url, kept);
        Ok(Received { status: head.status, headers: head.headers, body, parts: None })
    }

    fn take(&self, url: &Url) -> Option<Kept> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.get_mut(&(url.host.clone(), url.port))?;
        // The one that was of use last comes first; if that is too old, all are.
        std::iter::from_fn(|| waiting.pop()).find(Kept::is_good)
    }

    /// Closes what has waited for too long.
    pub fn tidy_up(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, waiting| {
            waiting.retain(Kept::is_good);
            !waiting.is_empty()
        });
    }

    fn give_back(&self, url: &Url, mut kept: Kept) {
        kept.used = Instant::now();
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
            watch(&stream).map_err(|cause| cause.to_string())?;
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
        Ok(Kept { sender, tls, used: Instant::now() })
    }
}

/// Sends a request over a connection, and waits for the head of the response.
async fn ask(mut kept: Kept, request: Request<Body>) -> Headed {
    let broken = |cause: hyper::Error| UpstreamError::Broken(cause.to_string());
    kept.sender.ready().await.map_err(broken)?;
    let response = kept.sender.send_request(request).await.map_err(broken)?;
    Ok((kept, response))
}

/// Has TCP see whether the other end is still there: while nothing is said (RFC 9293, section 3.8.4), and, where the platform
/// has it, while something is not acknowledged (RFC 5482).
fn watch(stream: &TcpStream) -> rustix::io::Result<()> {
    use rustix::net::sockopt;
    let every = Duration::from_millis(limits::KEEPALIVE_MS);
    sockopt::set_socket_keepalive(stream.as_fd(), true)?;
    sockopt::set_tcp_keepidle(stream.as_fd(), every)?;
    sockopt::set_tcp_keepintvl(stream.as_fd(), every)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(stream.as_fd(), limits::UNACKNOWLEDGED_MS)?;
    Ok(())
}

/// Without the port that https has anyway.
pub(super) fn host_field(url: &Url) -> String {
    let authority = url.authority();
    if url.port == 443 { authority.trim_end_matches(":443").to_owned() } else { authority }
}

/// What came with `200`.
fn arrival(received: Received) -> Result<Arrival, UpstreamError> {
    if received.status != StatusCode::OK {
        let retry_after = received.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        return Err(UpstreamError::Status(received.status.as_u16(), retry_after));
    }
    Ok(Arrival { octets: received.body, parts: received.parts })
}

fn malformed(wrong: Wrong) -> UpstreamError {
    UpstreamError::Parts(Fault::at(Code::AttFraming, wrong.to_string()))
}

fn build(method: Method, url: &Url, body: Body, headers: &[(&'static str, String)]) -> Result<Request<Body>, UpstreamError> {
    let mut request = Request::builder().method(method).uri(url.path.as_str()).header(HOST, host_field(url));
    if headers.iter().all(|(name, _)| *name != "content-type") {
        request = request.header(CONTENT_TYPE, "application/xml");
    }
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(body).map_err(|cause| UpstreamError::Unreachable(cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::crypto::ring::default_provider;
    use rustls::{ClientConfig, RootCertStore};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    fn unused() -> Upstream {
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
        let tls = tls.expect("versions of TLS").with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        Upstream::new(Arc::new(tls))
    }

    /// Whoever takes the connection and says nothing is not waited for as long as an answer is.
    #[tokio::test(start_paused = true)]
    async fn a_connection_is_there_in_so_long_or_not_at_all() {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = Url::parse(&format!("https://{}/", silent.local_addr().expect("bound"))).expect("an address");
        let begun = Instant::now();
        let posted = unused().post(&url, Bytes::new(), &[], Duration::from_millis(limits::ANSWER_MS)).await;
        let error = posted.err();
        assert!(matches!(&error, Some(UpstreamError::Unreachable(cause)) if cause.contains("in time")), "{error:?}");
        assert_eq!(begun.elapsed(), Duration::from_millis(limits::CONNECT_MS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_waits_for_a_request_for_so_long_and_no_longer() {
        let upstream = unused();
        let url = Url::parse("https://localhost:1/").expect("an address");
        let mut peers = Vec::new();
        let mut keep = async || {
            let (stream, peer) = tokio::io::duplex(64);
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("nothing is said yet");
            peers.push((peer, tokio::spawn(connection)));
            let tls = Arc::clone(&upstream.tls.read().expect("nobody panics"));
            upstream.give_back(&url, Kept { sender, tls, used: Instant::now() });
        };
        let most = Duration::from_millis(limits::POOL_IDLE_MS);
        keep().await;
        tokio::time::advance(most - Duration::from_millis(1)).await;
        let kept = upstream.take(&url).expect("it is young enough");
        upstream.give_back(&url, kept);
        tokio::time::advance(most).await;
        assert!(upstream.take(&url).is_none(), "what was of use begins anew, and then is too old");
        keep().await;
        upstream.tidy_up();
        assert_eq!(upstream.idle.lock().expect("nobody panics").len(), 1);
        tokio::time::advance(most).await;
        upstream.tidy_up();
        assert!(upstream.idle.lock().expect("nobody panics").is_empty(), "also where nobody asks");
    }
}
