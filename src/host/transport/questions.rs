//! The server of a holder: questions come over mutual TLS, are read whole, and get an answer or a status.

use super::Connection;
use super::body::{Body, Inbound, full, read_body};
use super::tls::Listening;
use crate::base::ids::Digest;
use crate::base::limits::{BODY_MS, MESSAGE_BYTES_MAX};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A question as it came.
pub struct Question {
    /// Its octets.
    pub octets: Vec<u8>,
    /// What stands in `Oncegate-Fields`.
    pub fields: Option<String>,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Askers {
    /// Whoever has this certificate.
    One(Digest),
    /// Whoever has one of the authorities.
    All,
}

/// Serves until told to stop. What is no question that can be read is told so; what else comes is for `answer` to say: the octets of a
/// message, or a status.
pub async fn serve_questions<F, A>(listener: TcpListener, tls: Listening, askers: Askers, answer: F, stop: watch::Receiver<bool>)
where
    F: Fn(Question) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<Vec<u8>, u16>> + Send + 'static,
{
    let mut stopping = stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (tls, answer, stop) = (tls.clone(), answer.clone(), stop.clone());
        tokio::spawn(async move {
            let Ok(connection) = Connection::accept(stream, &tls).await else { return };
            let may_ask = matches!(askers, Askers::All) || askers == Askers::One(connection.certificate);
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
    let fields = head.headers.get("oncegate-fields").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let read = read_body(head.version, &head.headers, body, MESSAGE_BYTES_MAX, Duration::from_millis(BODY_MS));
    let Ok(octets) = read.await else { return status(400) };
    match answer(Question { octets, fields }).await {
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
