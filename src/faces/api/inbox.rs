//! The inbox, for agencies without a server.

use super::log::Reader;
use super::problem::insert;
use super::respond;
use crate::base::fault::{Code, Fault};
use crate::base::limits;
use crate::evidence::audit::{Pairs, QueryError};
use crate::gateway::driver::{Done, Leased};
use crate::host::transport::{Body, full};
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};
use std::time::Duration;

impl Reader {
    /// `GET /v1/inbox?wait=N&max=K`: what waits for this agency, on lease. `204` if that is nothing.
    pub(super) async fn inbox(&self, query: &str) -> Result<Response<Body>, Fault> {
        let (wait, most) = parse(query)?;
        let wait = Duration::from_millis(wait.saturating_mul(1000).min(self.gateway.limits().wait_ms));
        let leased = self.gateway.come_for(&self.agency, self.peer.system(), most.unwrap_or(1), wait).await?;
        Ok(match (leased.len(), most) {
            (0, _) => empty(),
            (1, None | Some(1)) => leased.into_iter().next().map_or_else(empty, one),
            _ => several(leased),
        })
    }

    /// `POST /v1/inbox/{lease}/ack`, `/nack`, `/extend`.
    pub(super) async fn lease_is(&self, lease: &str, what: &str) -> Result<Response<Body>, Fault> {
        let done = match what {
            "ack" => Done::Ack,
            "nack" => Done::Nack,
            _ => Done::Extend,
        };
        let lease: u64 = lease.parse().map_err(|_| Fault::new(Code::MsgLease))?;
        let until = self.gateway.lease_is(&self.agency, lease, done, self.peer.system()).await?;
        let state = match done {
            Done::Ack => "taken",
            Done::Nack => "returned",
            Done::Extend => "leased",
        };
        let body = serde_json::json!({ "lease": lease, "state": state, "until": until.map(|until| until.to_string()) });
        Ok(respond(StatusCode::OK, "application/json", body.to_string()))
    }
}

/// How long to wait, in seconds, and for how many messages at most, if that is said.
fn parse(query: &str) -> Result<(u64, Option<usize>), Fault> {
    let mut pairs = Pairs::parse(query)?;
    let wait = pairs
        .take("wait")
        .map_or(Ok(0), |seconds| seconds.parse().map_err(|_| QueryError::value("wait", "a number of whole seconds")))?;
    let most = pairs.take("max").map(|count| {
        let count = count.parse().ok().filter(|count| (1..=limits::INBOX_MAX).contains(count));
        count.ok_or_else(|| QueryError::value("max", "a number from 1 to 100"))
    });
    match pairs.iter().next() {
        Some((key, _)) => Err(QueryError::unknown(key).into()),
        None => Ok((wait, most.transpose()?)),
    }
}

fn empty() -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// What is said of a message beside its octets.
fn said(leased: &Leased) -> Vec<(&'static str, String)> {
    let row = &leased.row;
    let mut said = vec![
        ("oncegate-lease", leased.lease.to_string()),
        ("oncegate-lease-until", leased.until.to_string()),
        ("oncegate-kind", row.what.as_str().to_owned()),
        ("oncegate-message-id", row.id.to_string()),
        ("oncegate-deadline", row.deadline.to_string()),
        ("oncegate-log-index", row.place.index.to_string()),
    ];
    said.extend(leased.fields.iter().map(|fields| ("oncegate-fields", fields.clone())));
    if row.tries > 0 {
        said.push(("oncegate-redelivered", "true".to_owned()));
    }
    said
}

fn one(leased: Leased) -> Response<Body> {
    let said = said(&leased);
    let mut response = respond(StatusCode::OK, leased.notice.form().media(), leased.notice.into_octets());
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in said {
        insert(headers, name, &value);
    }
    response
}

/// RFC 2046, section 5.1. A signed message holds no line of its own that begins with this boundary: two hyphens and a digest that
/// is of all of them.
fn several(leased: Vec<Leased>) -> Response<Body> {
    let boundary = boundary(&leased);
    let mut body = Vec::new();
    for leased in leased {
        body.extend_from_slice(format!("--{boundary}\r\nContent-Type: {}\r\n", leased.notice.form().media()).as_bytes());
        for (name, value) in said(&leased) {
            body.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(&leased.notice.into_octets());
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let media = format!("multipart/mixed; boundary=\"{boundary}\"");
    let mut response = respond(StatusCode::OK, "application/xml", body);
    insert(response.headers_mut(), "content-type", &media);
    response
}

fn boundary(leased: &[Leased]) -> String {
    let all: Vec<u8> = leased.iter().flat_map(|leased| *leased.row.digest.octets()).collect();
    crate::message::crypto::sha256(&all).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inbox_is_asked_with_wait_and_max_and_nothing_else() {
        assert_eq!(parse(""), Ok((0, None)));
        assert_eq!(parse("wait=30&max=100"), Ok((30, Some(100))));
        for wrong in ["max=0", "max=101", "wait=-1", "wait=soon", "max", "limit=5"] {
            assert_eq!(parse(wrong).map_err(|fault| fault.code), Err(Code::AudQuery), "{wrong}");
        }
    }
}
