//! The server of a holder: questions come over mutual TLS, are read whole, and get an answer or a status.

use super::Connection;
use super::body::{Body, Inbound, full, read_body};
use super::tls::Listening;
use crate::base::limits::{BODY_MS, MESSAGE_BYTES_MAX};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// Connections that are open at once: a gateway keeps up to 128.
const CONNECTIONS_MAX: usize = 512;

/// A question as it came, or another message: a gateway says of which kind.
pub struct Question {
    /// Its octets.
    pub octets: Vec<u8>,
    /// What stands in `Oncegate-Fields`.
    pub fields: Option<String>,
    /// What stands in `Oncegate-Kind`; `request` where nothing does.
    pub kind: String,
    /// What stands in `Oncegate-Message-Id`.
    pub id: String,
}

/// Who gets an answer.
pub type MayAsk = Arc<dyn Fn(&Connection) -> bool + Send + Sync>;

/// How a holder is reached: asked anew for each connection, so that what was renewed counts at once.
#[derive(Clone)]
pub struct Door {
    /// Certificate and authorities.
    pub tls: Arc<dyn Fn() -> Listening + Send + Sync>,
    /// Who gets an answer.
    pub may_ask: MayAsk,
    /// Told of whoever gets none, and why.
    pub turned: SayTurned,
}

/// Told from where somebody came, and why he gets nothing.
pub type SayTurned = Arc<dyn Fn(SocketAddr, &str) + Send + Sync>;

impl Door {
    /// One that stays as it is, and says nothing.
    pub fn fixed(tls: Listening, may_ask: impl Fn(&Connection) -> bool + Send + Sync + 'static) -> Self {
        Self { tls: Arc::new(move || tls.clone()), may_ask: Arc::new(may_ask), turned: Arc::new(|_, _| {}) }
    }
}

/// Serves until told to stop. What cannot be read is told so; what else comes is for `answer` to say: the octets of a message, or a
/// status.
pub async fn serve_questions<F, A>(listener: TcpListener, door: Door, answer: F, stop: watch::Receiver<bool>)
where
    F: Fn(Question) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Vec<u8>, u16>> + Send + 'static,
{
    let (room, mut stopping) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), stop.clone());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, address)) = accepted else {
            // Too many files are open, say: others have to end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let (door, answer, stop) = (door.clone(), answer.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            let connection = match Connection::accept(stream, &(door.tls)()).await {
                Ok(connection) => connection,
                Err(failed) => return (door.turned)(address, &format!("no handshake: {}", failed.cause)),
            };
            let may_ask = (door.may_ask)(&connection);
            if !may_ask {
                (door.turned)(address, "it is not the gateway of this agency, and gets nothing");
            }
            let service = service_fn(move |request| {
                let answer = answer.clone();
                async move { Ok::<_, Infallible>(if may_ask { respond(request, answer).await } else { status(403) }) }
            });
            connection.serve(service, stop).await;
        });
    }
}

async fn respond<F, A>(request: Request<Inbound>, answer: F) -> Response<Body>
where
    F: Fn(Question) -> A,
    A: Future<Output = Result<Vec<u8>, u16>>,
{
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (fields, id) = (header("oncegate-fields"), header("oncegate-message-id").unwrap_or_default());
    let kind = header("oncegate-kind").unwrap_or_else(|| "request".to_owned());
    let read = read_body(head.version, &head.headers, body, MESSAGE_BYTES_MAX, Duration::from_millis(BODY_MS));
    let Ok(octets) = read.await else { return status(400) };
    match answer(Question { octets, fields, kind, id }).await {
        Ok(answer) => {
            let mut response = Response::new(full(answer));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            response
        }
        Err(code) => status(code),
    }
}

fn status(code: u16) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
