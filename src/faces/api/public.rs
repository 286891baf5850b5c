//! The public listener: health, metrics and descriptions, read-only, on loopback unless told otherwise.

use super::evidence::{self, Leaves};
use super::join::JoinApi;
use super::problem::{Form, problem};
use super::{Listeners, check_head, common, no_such_path, respond};
use crate::base::limits;
use crate::gateway::driver::{Gateway, Refused};
use crate::gateway::witness;
use crate::host::transport::{Asked, Body, Inbound};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

/// The API of the public listener.
#[derive(Clone)]
pub struct PublicApi {
    gateway: Arc<Gateway>,
    witness: Option<witness::Service>,
    join: JoinApi,
}

impl PublicApi {
    /// The API; with that of a witness, if the gateway is one.
    pub fn new(gateway: Arc<Gateway>, witness: Option<witness::Service>, join: JoinApi) -> Self {
        Self { gateway, witness, join }
    }

    /// Whose descriptions these are.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    async fn file(&self, request: &Request<Inbound>) -> Response<Body> {
        let path = request.uri().path();
        let fault = match evidence::file(&self.gateway, path, Leaves::Hidden).await {
            Ok(Some(response)) => return response,
            Ok(None) => no_such_path(Listeners::Public, request.method(), path),
            Err(fault) => fault,
        };
        problem(&Refused { fault, id: None, logged: None }, Form::preferred(request.headers()))
    }

    fn answer(&self, request: &Request<Inbound>) -> Response<Body> {
        let path = request.uri().path();
        let found = match (request.method(), path) {
            (&Method::GET, "/metrics") => {
                let metrics = self.gateway.telemetry().metrics();
                Some(respond(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", metrics))
            }
            (&Method::GET, path) => common(&self.gateway, path, request.uri().query().unwrap_or("")),
            _ => None,
        };
        // What is asked here is nobody's message: it leaves no record.
        let refused = || Refused { fault: no_such_path(Listeners::Public, request.method(), path), id: None, logged: None };
        found.unwrap_or_else(|| problem(&refused(), Form::preferred(request.headers())))
    }
}

impl Service<Request<Inbound>> for PublicApi {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Inbound>) -> Self::Future {
        let path = request.uri().path();
        if let Err(fault) = check_head(&request) {
            let refused = Refused { fault, id: None, logged: None };
            return Box::pin(std::future::ready(Ok(problem(&refused, Form::preferred(request.headers())))));
        }
        if request.method() == Method::GET && path.starts_with("/log/") {
            let api = self.clone();
            return Box::pin(async move { Ok(api.file(&request).await) });
        }
        if let (&Method::GET, ["v1", "my", link]) = (request.method(), super::segments(path).as_slice()) {
            let (api, link) = (self.clone(), (*link).to_owned());
            return Box::pin(async move {
                let query = request.uri().query().unwrap_or("");
                Ok(match super::cases::mine(&api.gateway, &link, query).await {
                    Ok(response) => response,
                    Err(fault) => problem(&Refused { fault, id: None, logged: None }, Form::preferred(request.headers())),
                })
            });
        }
        if JoinApi::has(path) {
            return Box::pin({
                let join = self.join.clone();
                async move { Ok(join.answer(request).await) }
            });
        }
        let Some(witness) = self.witness.clone().filter(|witness| witness.has(path)) else {
            return Box::pin(std::future::ready(Ok(self.answer(&request))));
        };
        Box::pin(async move {
            let answered = match Asked::read(request, limits::WITNESS_REQUEST_BYTES_MAX).await {
                Ok(asked) => witness.answer(asked).await,
                Err(answered) => answered,
            };
            Ok(answered.into_response())
        })
    }
}
