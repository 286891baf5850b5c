//! Being asked: a port with mutual TLS, at which the gateway of this agency is answered and nobody else.

use super::holder::Holder;
use super::kept::Kept;
use super::pull::Say;
use crate::base::limits::{BODY_MS, MESSAGE_BYTES_MAX};
use crate::host::transport::{self, Connection, Inbound, Listening, full};
use crate::message::schema::fields_of_header;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// Connections that are open at once: a gateway keeps up to 128.
const CONNECTIONS_MAX: usize = 512;

/// Serves until it is told to stop. `tls` is asked for each connection, so that a renewed certificate counts at once.
pub async fn listen(
    listener: TcpListener,
    tls: Arc<dyn Fn() -> Listening + Send + Sync>,
    (holder, kept): (Arc<dyn Fn() -> Arc<Holder> + Send + Sync>, Arc<Kept>),
    say: Say,
    stop: watch::Receiver<bool>,
) {
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
        let (tls, holder, kept, say, stop) = (tls(), Arc::clone(&holder), Arc::clone(&kept), Arc::clone(&say), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            let connection = match Connection::accept(stream, &tls).await {
                Ok(connection) => connection,
                Err(failed) => return say(format!("no handshake with {address}: {}", failed.cause)),
            };
            let is_gateway = connection.is_of_host(&holder().client().gateway().host);
            if !is_gateway {
                say(format!("{address} is not the gateway of this agency, and gets nothing"));
            }
            let service = service_fn(move |request| {
                let (holder, kept, say) = (holder(), Arc::clone(&kept), Arc::clone(&say));
                async move {
                    let response =
                        if is_gateway { respond((&holder, &kept), request, &say).await } else { status(StatusCode::FORBIDDEN) };
                    Ok::<_, Infallible>(response)
                }
            });
            connection.serve(service, stop).await;
        });
    }
}

async fn respond((holder, kept): (&Holder, &Kept), request: Request<Inbound>, say: &Say) -> Response<transport::Body> {
    let (head, body) = request.into_parts();
    let fields = head.headers.get("oncegate-fields").and_then(|value| fields_of_header(value.to_str().ok()?));
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (kind, id) = (header("oncegate-kind"), header("oncegate-message-id"));
    let kind = if kind.is_empty() { "request" } else { &kind };
    let read = transport::read_body(head.version, &head.headers, body, MESSAGE_BYTES_MAX, Duration::from_millis(BODY_MS));
    let Ok(octets) = read.await else { return status(StatusCode::BAD_REQUEST) };
    if kind == "request" {
        match holder.answer(&octets, fields).await {
            Ok(answered) => {
                say(answered.said.to_string());
                let mut response = Response::new(full(answered.octets));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
                return response;
            }
            // An application, say: its answer is somebody else's to give, by a message of its own.
            Err(what) => say(format!("{id} is put by for own systems: {what}")),
        }
    }
    match kept.put_by(kind, &id, &octets) {
        Ok(()) => status(StatusCode::ACCEPTED),
        Err(cause) => {
            say(format!("{kind} {id} cannot be put by: {cause}"));
            status(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

fn status(code: StatusCode) -> Response<transport::Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = code;
    response
}
