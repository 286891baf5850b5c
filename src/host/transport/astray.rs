//! Whoever speaks to a listener in the other's language: HTTP to the one with TLS, TLS to the one without.
//!
//! What a connection speaks is never chosen by what it begins with; only what is told to those who cannot be served is.

use super::linger::Lingering;
use crate::base::fault::Code;
use std::pin::Pin;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A record of TLS with a handshake in it (RFC 8446, section 5.1).
    Tls,
    /// The method of a request (RFC 9112, section 3), or the preface of HTTP/2.
    Http,
    /// Neither, or nothing at all.
    Other,
}

impl Beginning {
    /// Waits for the first octet, which stays where it is.
    pub(super) async fn of(stream: &TcpStream) -> Self {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1) if first == [0x16] => Self::Tls,
            Ok(1) if first[0].is_ascii_uppercase() => Self::Http,
            _ => Self::Other,
        }
    }
}

/// Tells a peer that speaks HTTP that this port wants TLS.
pub(super) async fn wants_tls(stream: TcpStream) {
    let code = Code::HttpMalformed;
    let problem = serde_json::json!({
        "type": format!("urn:oncegate:error:{code}"), "title": code.title(), "status": code.status(), "code": code.as_str(),
        "detail": "this port speaks TLS, and this request came without it",
        "blame": code.blame().as_str(), "retry": code.retry().as_str(),
        "help": "write https:// instead of http://, and show the client certificate that is in the registry",
    })
    .to_string();
    let head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: ";
    tell(stream, format!("{head}{}\r\n\r\n{problem}", problem.len()).as_bytes()).await;
}

/// Tells a peer that speaks TLS that this port does not. An alert has no room for words (RFC 8446, section 6): fatal,
/// `handshake_failure`.
pub(super) async fn wants_no_tls(stream: TcpStream) {
    tell(stream, &[21, 3, 1, 0, 2, 2, 40]).await;
}

async fn tell(mut stream: TcpStream, octets: &[u8]) {
    if stream.write_all(octets).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    if let Some(mut lingering) = Lingering::begin() {
        std::future::poll_fn(|context| lingering.poll(Pin::new(&mut stream), context)).await;
    }
}
