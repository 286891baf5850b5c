//! Sockets that hold a connection and do nothing with it.

use super::peer::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, HEADERS, HTTP1, HTTP2, POST, PREFACE, Peer, SETTINGS, frame, head,
};
use crate::process::{LONG, Scene};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;

/// Sockets of each kind.
const EACH: usize = 15;

pub struct Closed {
    pub name: &'static str,
    pub after: Duration,
    pub said: String,
}

/// What is sent at first, and what then, again and again.
struct Kind {
    name: &'static str,
    protocol: &'static [u8],
    first: fn() -> Vec<u8>,
    then: fn() -> Vec<u8>,
    reads: bool,
}

const KINDS: [Kind; 12] = [
    Kind { name: "TLS, silent", protocol: HTTP1, first: Vec::new, then: Vec::new, reads: true },
    Kind {
        name: "HTTP/1.1, half a head, silent",
        protocol: HTTP1,
        first: || b"GET /health HT".to_vec(),
        then: Vec::new,
        reads: true,
    },
    Kind {
        name: "HTTP/1.1, a head by the octet",
        protocol: HTTP1,
        first: || b"GET /health HTTP/1.1\r\nx: ".to_vec(),
        then: || b"a".to_vec(),
        reads: true,
    },
    Kind {
        name: "HTTP/1.1, a second head by the octet",
        protocol: HTTP1,
        first: || b"GET /health HTTP/1.1\r\nhost: l\r\n\r\n".to_vec(),
        then: || b"G".to_vec(),
        reads: true,
    },
    Kind {
        name: "HTTP/1.1, a body by the octet",
        protocol: HTTP1,
        first: || post(b"content-length: 900\r\n\r\n"),
        then: || b"<".to_vec(),
        reads: true,
    },
    Kind {
        name: "HTTP/1.1, answers that are not read",
        protocol: HTTP1,
        first: || b"GET /v1/openapi.json HTTP/1.1\r\nhost: l\r\n\r\n".repeat(400),
        then: Vec::new,
        reads: false,
    },
    Kind { name: "HTTP/2, silent", protocol: HTTP2, first: Vec::new, then: Vec::new, reads: true },
    Kind { name: "HTTP/2, half a preface", protocol: HTTP2, first: || PREFACE[..9].to_vec(), then: Vec::new, reads: true },
    Kind { name: "HTTP/2, settings and nothing more", protocol: HTTP2, first: || PREFACE.to_vec(), then: Vec::new, reads: true },
    Kind {
        name: "HTTP/2, a head without end",
        protocol: HTTP2,
        first: || after_preface(&frame(HEADERS, 0, 1, &head(GET, "/health"))),
        then: || frame(CONTINUATION, 0, 1, b""),
        reads: true,
    },
    Kind {
        name: "HTTP/2, a body by the octet",
        protocol: HTTP2,
        first: || after_preface(&frame(HEADERS, END_HEADERS, 1, &posting())),
        then: || frame(DATA, 0, 1, b"<"),
        reads: true,
    },
    Kind { name: "HTTP/2, no window for answers", protocol: HTTP2, first: no_window, then: Vec::new, reads: true },
];

fn post(rest: &[u8]) -> Vec<u8> {
    [b"POST /v1/messages HTTP/1.1\r\nhost: l\r\ncontent-type: application/xml\r\n", rest].concat()
}

fn after_preface(frames: &[u8]) -> Vec<u8> {
    [PREFACE, frames].concat()
}

/// A head with the media type, as a new literal (RFC 7541, section 6.2.2).
fn posting() -> Vec<u8> {
    let mut block = head(POST, "/v1/messages");
    block.extend([0x0f, 0x10, 15]);
    block.extend(b"application/xml");
    block
}

/// `SETTINGS_INITIAL_WINDOW_SIZE` is 0.
fn no_window() -> Vec<u8> {
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let request = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(GET, "/v1/openapi.json"));
    [&PREFACE[..24], &settings, &request(1), &request(3), &request(5)].concat()
}

/// All of them at once, until each has been closed by the gateway.
pub async fn all(scene: &Arc<Scene>) -> Vec<Closed> {
    let peer = Peer::new(scene, "xx.demo.social-fund");
    let mut sockets = JoinSet::new();
    for _ in 0..EACH {
        let silent = peer.clone();
        sockets.spawn(async move {
            let stream = silent.tcp().await.expect("it listens");
            until_closed("TCP, no TLS", stream, Some(Vec::new)).await
        });
        let dripping = peer.clone();
        sockets.spawn(async move {
            let mut stream = dripping.tcp().await.expect("it listens");
            // The head of a TLS record with a ClientHello of 512 octets.
            stream.write_all(&[0x16, 3, 1, 2, 4, 1, 0, 2, 0, 3, 3]).await.expect("taken");
            until_closed("TLS, a hello by the octet", stream, Some(|| vec![7])).await
        });
        for kind in &KINDS {
            let peer = peer.clone();
            sockets.spawn(async move {
                let mut stream = peer.tls(kind.protocol).await.expect("a handshake");
                let first = (kind.first)();
                // One that is not read stops taking.
                let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(&first)).await;
                let _ = tokio::time::timeout(Duration::from_secs(1), stream.flush()).await;
                until_closed(kind.name, stream, kind.reads.then_some(kind.then)).await
            });
        }
    }
    sockets.join_all().await
}

/// Waits for the end while sending a little again and again; without `then` what comes is not read either.
async fn until_closed<S>(name: &'static str, stream: S, then: Option<fn() -> Vec<u8>>) -> Closed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let begun = Instant::now();
    let (mut from, mut to) = tokio::io::split(stream);
    let mut said = Vec::new();
    let reading = async {
        if then.is_none() {
            // The end is seen by writing.
            return std::future::pending().await;
        }
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            said.extend_from_slice(&buffer[..count]);
        }
    };
    let writing = async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let more = then.map_or_else(|| b"G".to_vec(), |then| then());
            let written: io::Result<()> = async {
                to.write_all(&more).await?;
                to.flush().await
            }
            .await;
            if written.is_err() {
                return;
            }
        }
    };
    let ending = async {
        tokio::select! { () = reading => {}, () = writing => {} }
    };
    assert!(tokio::time::timeout(LONG, ending).await.is_ok(), "{name}: not closed");
    let said =
        String::from_utf8_lossy(&said).lines().next().unwrap_or("").chars().filter(char::is_ascii_graphic).take(20).collect();
    Closed { name, after: begun.elapsed(), said }
}
