//! The faces: what each listener answers, by the contract in `http.md`.
//!
//! A handler reads the request into types, asks the gateway, and writes the response; it decides nothing itself.

pub(crate) mod apart;
mod attachments;
mod cases;
mod catalogue;
mod evidence;
mod exchange;
mod inbox;
mod join;
mod log;
mod problem;
mod public;

pub use exchange::{ExchangeApi, check_head};
pub use join::JoinApi;
pub use problem::{Form, problem};
pub use public::PublicApi;

use crate::base::fault::{Code, Fault};
use crate::gateway::driver::Gateway;
use crate::host::transport::{Body, full};
use crate::message::xsd::example::Fullness;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};

/// The description of the contract in OpenAPI 3.1; a test holds it against [`ROUTES`].
pub const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// All routes: method, path with its parameters in braces, and the listeners that have it.
pub const ROUTES: &[(&str, &str, Listeners)] = &[
    ("POST", "/v1/messages", Listeners::Exchange),
    ("GET", "/v1/messages/{id}", Listeners::Exchange),
    ("GET", "/v1/messages/{id}/answer", Listeners::Exchange),
    ("GET", "/v1/messages/{id}/receipt", Listeners::Exchange),
    ("GET", "/v1/messages/{id}/refusals", Listeners::Exchange),
    ("GET", "/v1/inbox", Listeners::Exchange),
    ("POST", "/v1/inbox/{lease}/ack", Listeners::Exchange),
    ("POST", "/v1/inbox/{lease}/nack", Listeners::Exchange),
    ("POST", "/v1/inbox/{lease}/extend", Listeners::Exchange),
    ("GET", "/v1/attachments/{sha256}", Listeners::Exchange),
    ("HEAD", "/v1/attachments/{sha256}", Listeners::Exchange),
    ("POST", "/v1/cases", Listeners::Exchange),
    ("GET", "/v1/cases/{id}", Listeners::Exchange),
    ("GET", "/v1/cases/{id}/timeline", Listeners::Exchange),
    ("GET", "/v1/cases/{id}/form", Listeners::Exchange),
    ("GET", "/v1/cases/{id}/events", Listeners::Exchange),
    ("POST", "/v1/cases/{id}/orders", Listeners::Exchange),
    ("GET", "/v1/my/{link}", Listeners::Public),
    ("GET", "/v1/join", Listeners::Public),
    ("POST", "/v1/join", Listeners::Public),
    ("GET", "/v1/join/{code}", Listeners::Public),
    ("GET", "/v1/catalogue", Listeners::Exchange),
    ("GET", "/v1/trail", Listeners::Exchange),
    ("POST", "/v1/trail", Listeners::Exchange),
    ("GET", "/v1/log/records", Listeners::Exchange),
    ("GET", "/v1/log/records/{index}", Listeners::Exchange),
    ("GET", "/v1/log/records/{index}/receipt", Listeners::Exchange),
    ("POST", "/v1/log/search", Listeners::Exchange),
    ("GET", "/v1/log/summary", Listeners::Exchange),
    ("GET", "/v1/log/anomalies", Listeners::Exchange),
    ("GET", "/v1/log/export", Listeners::Exchange),
    ("GET", "/v1/schemas/{name}", Listeners::Both),
    ("GET", "/v1/schemas/{set}/{path}", Listeners::Both),
    ("GET", "/v1/examples/{type}", Listeners::Both),
    ("GET", "/v1/openapi.json", Listeners::Both),
    ("GET", "/log/checkpoint", Listeners::Both),
    ("GET", "/log/key", Listeners::Both),
    ("GET", "/log/tile/{level}/{number}", Listeners::Both),
    ("GET", "/health", Listeners::Both),
    ("GET", "/metrics", Listeners::Public),
];

/// Which listeners have a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listeners {
    /// The exchange listener.
    Exchange,
    /// The public listener.
    Public,
    /// Both.
    Both,
}

impl Listeners {
    /// Whether this one has what those have.
    fn has(self, those: Self) -> bool {
        those == Self::Both || those == self
    }

    /// The other one, for whoever came to the wrong one.
    const fn other(self) -> &'static str {
        match self {
            Self::Public => "this is the public listener; what was asked for is at the exchange listener, which speaks TLS",
            Self::Exchange | Self::Both => "this is the exchange listener; what was asked for is at the public listener",
        }
    }
}

/// A response with a body of one media type.
fn respond(status: StatusCode, media_type: &'static str, body: impl Into<hyper::body::Bytes>) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// The request's path without its query, split at the solidus.
fn segments(path: &str) -> Vec<&str> {
    path.strip_prefix('/').unwrap_or(path).split('/').collect()
}

/// Why a listener has nothing for a request.
fn no_such_path(here: Listeners, method: &Method, path: &str) -> Fault {
    let known = |template: &str| {
        let (template, path) = (segments(template), segments(path));
        // What a set calls its files may have folders.
        let has_length = template.len() == path.len() || template.last() == Some(&"{path}") && path.len() > template.len();
        has_length && template.iter().zip(&path).all(|(known, given)| known.starts_with('{') || known == given)
    };
    let routes = || ROUTES.iter().filter(|(_, template, _)| known(template));
    let methods: Vec<&str> = routes().filter(|(_, _, at)| here.has(*at)).map(|(method, _, _)| *method).collect();
    let is_elsewhere = routes().any(|(known, _, at)| !here.has(*at) && (methods.is_empty() || *known == method.as_str()));
    if is_elsewhere {
        return Fault::at(Code::HttpMisdirected, here.other());
    }
    if methods.is_empty() || methods.contains(&method.as_str()) {
        Fault::new(Code::HttpNoSuchPath)
    } else {
        Fault::at(Code::HttpMethod, format!("allowed: {}", methods.join(", ")))
    }
}

/// What is the same at both listeners: descriptions, schemas and examples, and whether messages are taken.
fn common(gateway: &Gateway, path: &str, query: &str) -> Option<Response<Body>> {
    match segments(path).as_slice() {
        ["v1", "openapi.json"] => Some(respond(StatusCode::OK, "application/vnd.oai.openapi+json;version=3.1", OPENAPI)),
        ["v1", "schemas", name] => {
            let file = gateway.world().schemas().file(name).map(str::to_owned)?;
            Some(respond(StatusCode::OK, "application/xml", file.to_owned()))
        }
        // A set has folders: the rest of the path is that of a file in it.
        ["v1", "schemas", ..] => {
            let path = unescaped(path.strip_prefix("/v1/schemas/")?)?;
            let file = gateway.world().sets.file(&path).map(<[u8]>::to_vec)?;
            Some(respond(StatusCode::OK, "application/xml", file))
        }
        ["v1", "examples", name] => {
            let fullness = if query == "full" { Fullness::Full } else { Fullness::Minimal };
            let example = gateway.world().sets.example(name, fullness)?;
            Some(respond(StatusCode::OK, "application/xml", example.to_string()))
        }
        ["health"] => Some(health(gateway)),
        _ => None,
    }
}

/// A path without its percent-encoding (RFC 3986, section 2.1).
pub(crate) fn unescaped(path: &str) -> Option<String> {
    let (mut octets, mut rest) = (Vec::with_capacity(path.len()), path);
    while let Some((before, after)) = rest.split_once('%') {
        octets.extend_from_slice(before.as_bytes());
        // A sign before the digit would be read as well.
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after.get(2..)?;
    }
    octets.extend_from_slice(rest.as_bytes());
    String::from_utf8(octets).ok()
}

fn health(gateway: &Gateway) -> Response<Body> {
    let health = gateway.health();
    let (status, word) =
        if health.is_ready() { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    let journal = if gateway.store().is_ready() { "open" } else { "stopped" };
    let version = gateway.world().registry.version();
    let lag = gateway.store().size().saturating_sub(gateway.store().index().watermark());
    // The place of damage is the operator's to know, and in the lines.
    let log = match (gateway.witnessing().fork(), gateway.damage()) {
        (Some(_), _) => "forked",
        (None, Some(_)) => "damaged",
        (None, None) => "whole",
    };
    let witnesses: Vec<serde_json::Value> = gateway
        .witnessing()
        .known()
        .into_iter()
        .map(|known| serde_json::json!({ "name": known.name, "size": known.size, "answers": known.trouble.is_none() }))
        .collect();
    let reasons = health.reasons.iter().map(|reason| serde_json::json!({ "code": reason.code.as_str(), "what": reason.what }));
    // Why a worker does not go on is in the lines: it names paths.
    let failing: Vec<&str> = health.workers.iter().map(|(worker, _)| worker.as_str()).collect();
    let schemas = health
        .schemas
        .iter()
        .map(|(set, reason)| serde_json::json!({ "set": set, "code": reason.code.as_str(), "what": reason.what }));
    let body = serde_json::json!({
        "schemas": schemas.collect::<Vec<_>>(), "status": word, "journal": journal, "reason": health.reasons.first().map(|reason| &reason.what),
        "reasons": reasons.collect::<Vec<_>>(), "failingWorkers": failing, "log": log, "records": gateway.store().size(),
        "witnesses": witnesses, "registryVersion": version, "indexLag": lag, "certificates": certificates(gateway),
    });
    respond(status, "application/json", body.to_string())
}

/// What ends or has ended, by kind: which file or agency it is, is the operator's to know, and in the lines.
fn certificates(gateway: &Gateway) -> Vec<serde_json::Value> {
    let notices = gateway.telemetry().notices().into_iter();
    let told = notices.map(
        |(what, state, until)| serde_json::json!({ "what": what, "state": state, "until": until.map(|until| until.to_string()) }),
    );
    told.collect()
}

/// The seconds of `Prefer: wait=N`, and whether `respond-async` is preferred (RFC 7240, section 4).
fn preference(headers: &HeaderMap) -> (Option<u64>, bool) {
    let (mut wait, mut is_async) = (None, false);
    for value in headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()) {
        for part in value.split(',').map(str::trim) {
            let token = part.split(';').next().unwrap_or("").trim();
            match token.split_once('=') {
                // Of a preference that comes twice the first one counts (RFC 7240, section 2).
                Some((name, seconds)) if wait.is_none() && name.trim().eq_ignore_ascii_case("wait") => {
                    wait = Some(seconds.trim().trim_matches('"').parse().ok())
                }
                None if token.eq_ignore_ascii_case("respond-async") => is_async = true,
                _ => {}
            }
        }
    }
    (wait.flatten(), is_async)
}
