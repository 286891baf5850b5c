//! Plain HTTP/1.1 for services that take and give small texts: a request is read whole, and its answer is a value.

use super::body::{Body, Inbound, full, read_body};
use super::serve_plain;
use crate::base::limits;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// Any other method.
    Other,
}

/// A request, whole.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its method.
    pub asking: Asking,
    /// Its path, without the query.
    pub path: String,
    /// Its body; empty unless it is a `POST`.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its media type.
    pub media_type: &'static str,
    /// Its body.
    pub body: Vec<u8>,
}

impl Asked {
    /// Reads a request within the limit of its body and the deadline for it. What cannot be read has its answer.
    pub async fn read(request: Request<Inbound>, body_bytes_max: usize) -> Result<Self, Answered> {
        let (head, body) = request.into_parts();
        let asking = match head.method {
            Method::GET => Asking::Get,
            Method::POST => Asking::Post,
            _ => Asking::Other,
        };
        let body = if asking == Asking::Post {
            let deadline = Duration::from_millis(limits::BODY_MS);
            read_body(head.version, &head.headers, body, body_bytes_max, deadline)
                .await
                .map_err(|fault| Answered::text(fault.code.status(), fault.code.title()))?
        } else {
            Vec::new()
        };
        Ok(Self { asking, path: head.uri.path().to_owned(), body })
    }
}

impl Answered {
    /// A line of text.
    pub fn text(status: u16, line: impl std::fmt::Display) -> Self {
        Self { status, media_type: "text/plain; charset=utf-8", body: format!("{line}\n").into_bytes() }
    }

    /// As a response.
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(full(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        response
    }
}

/// Serves a connection until the peer closes it, a deadline passes, or `stop` says that no further request is taken.
pub async fn serve_whole<F, A>(stream: TcpStream, body_bytes_max: usize, answer: F, stop: watch::Receiver<bool>)
where
    F: Fn(Asked) -> A + Send + Sync + 'static,
    A: Future<Output = Answered> + Send + 'static,
{
    let answer = Arc::new(answer);
    let service = service_fn(move |request: Request<Inbound>| {
        let answer = Arc::clone(&answer);
        async move {
            let answered = match Asked::read(request, body_bytes_max).await {
                Ok(asked) => answer(asked).await,
                Err(answered) => answered,
            };
            Ok::<_, Infallible>(answered.into_response())
        }
    });
    serve_plain(stream, service, stop).await;
}
