//! Checkpoints and static tiles over HTTP.

use super::respond;
use crate::base::fault::{Code, Fault};
use crate::evidence::tlog::tiles::{Content, Tile};
use crate::gateway::driver::Gateway;
use crate::host::transport::Body;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Response, StatusCode};
use std::sync::Arc;

const TEXT: &str = "text/plain; charset=utf-8";

/// Runs what reads files where nobody else waits for it.
async fn apart<T: Send + 'static>(
    gateway: &Arc<Gateway>,
    read: impl FnOnce(&Gateway) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let gateway = Arc::clone(gateway);
    let ended = tokio::task::spawn_blocking(move || read(&gateway)).await;
    ended.unwrap_or_else(|cause| Err(Fault::new(Code::HttpBusy).with_private(cause.to_string()).with_retry_after(1)))
}

/// `/log/checkpoint` and `/log/tile/…` (C2SP tlog-tiles). Leaves are for whoever may see them all; hashes and checkpoints
/// are for everybody.
pub(super) async fn file(gateway: &Arc<Gateway>, path: &str, leaves: Leaves) -> Result<Option<Response<Body>>, Fault> {
    if path == "/log/checkpoint" {
        let mut response = respond(StatusCode::OK, TEXT, gateway.checkpoint().to_string());
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        return Ok(Some(response));
    }
    if path == "/log/key" {
        return Ok(Some(respond(StatusCode::OK, TEXT, format!("{}\n", gateway.store().verifier()))));
    }
    let Some(tile) = path.strip_prefix("/log/").and_then(Tile::parse) else { return Ok(None) };
    if tile.content() == Content::Entries && leaves == Leaves::Hidden {
        return Ok(None);
    }
    let octets = apart(gateway, move |gateway| gateway.tile(&tile)).await?;
    Ok(octets.map(|octets| {
        let mut response = respond(StatusCode::OK, "application/octet-stream", octets);
        let cached = HeaderValue::from_static("public, max-age=31536000, immutable");
        response.headers_mut().insert(CACHE_CONTROL, cached);
        response
    }))
}

/// Whether the leaves themselves are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    Shown,
    Hidden,
}
