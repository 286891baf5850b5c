//! The public listener: health, metrics and descriptions, read-only, on loopback unless told otherwise.

use super::problem::{Form, problem};
use super::{common, no_such_path, respond};
use crate::gateway::{Gateway, Refused};
use crate::transport::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

/// The API of the public listener.
#[derive(Clone)]
pub struct PublicApi(Arc<Gateway>);

impl PublicApi {
    /// The API.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self(gateway)
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        let found = match (request.method(), path) {
            (&Method::GET, "/metrics") => {
                let metrics = self.0.telemetry().metrics();
                Some(respond(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", metrics))
            }
            (&Method::GET, path) => common(&self.0, path),
            _ => None,
        };
        // What is asked here is nobody's message: it leaves no record.
        let refused = || Refused { fault: no_such_path(request.method(), path), id: None, logged: None };
        found.unwrap_or_else(|| problem(&refused(), Form::preferred(request.headers())))
    }
}

impl Service<Request<Incoming>> for PublicApi {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}
