//! Errors as problem details (RFC 9457), in XML by default and in JSON where it is preferred.

use super::respond;
use crate::base::fault::Code;
use crate::gateway::driver::{Refused, as_xml};
use crate::host::transport::Body;
use hyper::header::{ACCEPT, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Response, StatusCode};

/// The form of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/problem+xml`.
    Xml,
    /// `application/problem+json`.
    Json,
}

impl Form {
    /// What a request prefers: JSON only where its weight is above XML's (RFC 9110, section 12.5.1).
    pub fn preferred(headers: &HeaderMap) -> Self {
        let (mut xml, mut json) = (0.0, 0.0);
        let accept = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in accept.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or("");
            let weight =
                parts.find_map(|part| part.strip_prefix("q=")).and_then(|weight| weight.parse::<f64>().ok()).unwrap_or(1.0);
            match media {
                "application/json" | "application/problem+json" => json = weight.max(json),
                "application/xml" | "application/problem+xml" | "text/xml" => xml = weight.max(xml),
                _ => {}
            }
        }
        if json > xml { Self::Json } else { Self::Xml }
    }
}

/// The response to a refusal.
pub fn problem(refused: &Refused, form: Form) -> Response<Body> {
    let fault = &refused.fault;
    let status = StatusCode::from_u16(fault.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match form {
        Form::Xml => respond(status, "application/problem+xml", as_xml(refused)),
        Form::Json => respond(status, "application/problem+json", as_json(refused)),
    };
    let headers = response.headers_mut();
    if let Some(seconds) = fault.retry_after_seconds {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(id) = refused.id {
        insert(headers, "oncegate-message-id", &id.to_string());
    }
    if let Some(logged) = refused.logged {
        insert(headers, "oncegate-log-index", &logged.index().to_string());
    }
    if fault.code == Code::HttpMethod
        && let Some(methods) = fault.detail.strip_prefix("allowed: ")
    {
        insert(headers, "allow", methods);
    }
    if fault.code == Code::AttRange {
        insert(headers, "content-range", &fault.detail);
    }
    // Where the framing is in doubt nothing further is read from the connection.
    if matches!(
        fault.code,
        Code::HttpMalformed | Code::HttpTimeout | Code::HttpLengthRequired | Code::HttpTooLarge | Code::HttpIncomplete
    ) {
        insert(headers, "connection", "close");
    }
    response
}

/// Puts a header whose value is of our own making.
pub(super) fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn as_json(refused: &Refused) -> String {
    let fault = &refused.fault;
    let code = fault.code;
    let mut problem = serde_json::json!({
        "type": format!("urn:oncegate:error:{code}"), "title": code.title(), "status": code.status(),
        "detail": if fault.detail.is_empty() { code.title() } else { &fault.detail },
        "code": code.as_str(), "blame": code.blame().as_str(), "retry": code.retry().as_str(), "help": code.next_step(),
    });
    let extensions = [
        ("retryAfterSeconds", fault.retry_after_seconds.map(serde_json::Value::from)),
        ("messageId", refused.id.map(|id| id.to_string().into())),
        ("logIndex", refused.logged.map(|logged| logged.index().into())),
    ];
    for (name, value) in extensions {
        if let (Some(value), Some(object)) = (value, problem.as_object_mut()) {
            object.insert(name.to_owned(), value);
        }
    }
    problem.to_string()
}
