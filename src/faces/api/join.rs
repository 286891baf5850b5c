//! Asking to take part, at the public listener. Nothing of it is secret, and nothing of it is believed before an operator has compared
//! codes: the newcomer knows the authority by its fingerprint, the operator knows the newcomer by the code of what it has sent.

use super::problem::{Form, problem};
use super::respond;
use crate::base::fault::{Code, Fault};
use crate::base::ids::Digest;
use crate::base::limits;
use crate::gateway::driver::{Refused, now};
use crate::host::config::read_bounded;
use crate::host::joins::{Joins, State};
use crate::host::transport::{Body, Inbound, read_body};
use hyper::{Method, Request, Response, StatusCode};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where those wait who want to take part.
#[derive(Clone)]
pub struct JoinApi(Arc<Files>);

struct Files {
    data: PathBuf,
    authorities: PathBuf,
}

impl JoinApi {
    /// For a gateway with this data, whose certificates are of these authorities.
    pub fn new(data: PathBuf, authorities: PathBuf) -> Self {
        Self(Arc::new(Files { data, authorities }))
    }

    /// Whether a path is one of these.
    pub(super) fn has(path: &str) -> bool {
        path == "/v1/join" || path.starts_with("/v1/join/")
    }

    /// Answers.
    pub(super) async fn answer(self, request: Request<Inbound>) -> Response<Body> {
        let form = Form::preferred(request.headers());
        let answered = self.look(request).await;
        answered.unwrap_or_else(|fault| problem(&Refused { fault, id: None, logged: None }, form))
    }

    async fn look(self, request: Request<Inbound>) -> Result<Response<Body>, Fault> {
        let (head, body) = request.into_parts();
        let code = head.uri.path().strip_prefix("/v1/join/").map(str::to_owned);
        let octets = match (&head.method, &code) {
            (&Method::POST, None) => {
                let deadline = Duration::from_millis(limits::BODY_MS);
                Some(read_body(head.version, &head.headers, body, limits::JOIN_BYTES_MAX, deadline).await?)
            }
            (&Method::GET, _) => None,
            (_, Some(_)) => return Err(Fault::at(Code::HttpMethod, "allowed: GET")),
            (_, None) => return Err(Fault::at(Code::HttpMethod, "allowed: GET, POST")),
        };
        let looked = tokio::task::spawn_blocking(move || self.0.look(code.as_deref(), octets.as_deref())).await;
        let (status, said) = looked.unwrap_or_else(|_| Err(Fault::new(Code::HttpBusy)))?;
        Ok(respond(status, "application/json", said.to_string()))
    }
}

impl Files {
    fn look(&self, code: Option<&str>, octets: Option<&[u8]>) -> Result<(StatusCode, serde_json::Value), Fault> {
        let joins = Joins::of(&self.data);
        match (code, octets) {
            (Some(code), _) => {
                let code = Digest::parse_hex(code);
                let state = code.and_then(|code| joins.state(&code)).ok_or_else(|| Fault::new(Code::JoinUnknown))?;
                Ok((StatusCode::OK, said(&state)))
            }
            (None, Some(octets)) => {
                let (code, state) = joins.put(octets, now())?;
                let mut said = said(&state);
                said["code"] = code.to_string().into();
                Ok((StatusCode::OK, said))
            }
            (None, None) => {
                let unread = |cause: &dyn std::fmt::Display| Fault::new(Code::HttpBusy).with_private(cause.to_string());
                let authorities = read_bounded(&self.authorities).map_err(|cause| unread(&cause))?;
                let until = joins.is_open(now()).map(|until| until.to_string());
                Ok((StatusCode::OK, serde_json::json!({ "format": 1, "authorities": authorities, "openUntil": until })))
            }
        }
    }
}

fn said(state: &State) -> serde_json::Value {
    let mut said = serde_json::to_value(state).unwrap_or_default();
    said["format"] = 1.into();
    said
}
