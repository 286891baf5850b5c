//! What only forwards: two legs of mutual TLS made of the gateway's own transport, in a process of its own.

use super::BenchError;
use crate::base::limits;
use crate::host::transport::{Body, Connection, Identity, Inbound, Upstream, full, read_body};
use crate::rules::registry::Url;
use hyper::service::Service;
use hyper::{Request, Response, StatusCode};
use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Forwards what comes in at a port to the provider, until the process is ended.
pub fn forward(folder: &Path, port: u16, provider: u16) -> Result<(), BenchError> {
    tokio::runtime::Runtime::new().map_err(BenchError::Io)?.block_on(serve(folder, port, provider))
}

async fn serve(folder: &Path, port: u16, provider: u16) -> Result<(), BenchError> {
    let path = |name: &str| folder.join(name);
    let identity = Identity::load(&path("gateway.pem"), &path("gateway.key"), &path("ca.pem"), None)?;
    let (tls, upstream) = (identity.server()?, Arc::new(Upstream::new(identity.client()?)));
    let url = Url::parse(&format!("https://localhost:{provider}/v1/messages")).ok_or(BenchError::Workload("no address"))?;
    let through = Through { upstream, url: Arc::new(url) };
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(BenchError::Io)?;
    let (_stop, stopped) = watch::channel(false);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (through, tls, stopped) = (through.clone(), tls.clone(), stopped.clone());
        tokio::spawn(async move {
            if let Ok(connection) = Connection::accept(stream, &tls).await {
                connection.serve(through, stopped).await;
            }
        });
    }
}

#[derive(Clone)]
struct Through {
    upstream: Arc<Upstream>,
    url: Arc<Url>,
}

impl Service<Request<Inbound>> for Through {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Inbound>) -> Self::Future {
        let through = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let octets = read_body(head.version, &head.headers, body, limits::MESSAGE_BYTES_MAX, Duration::from_secs(30))
                .await
                .unwrap_or_default();
            let answer = through.upstream.post(&through.url, octets.into(), &[], Duration::from_secs(30)).await;
            let mut response = Response::new(full(""));
            match answer {
                Ok(answer) => *response.body_mut() = full(answer.octets),
                Err(_) => *response.status_mut() = StatusCode::BAD_GATEWAY,
            }
            Ok(response)
        })
    }
}
