//! Floods: as much as a few connections can send.

use super::peer::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, HEADERS, HTTP1, HTTP2, PING, POST, PREFACE, PRIORITY, Peer, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, frame, head,
};
use crate::process::Scene;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// Connections of a flood.
const CONNECTIONS: u32 = 4;
/// How long it goes on, if nothing stops it.
const LASTS: Duration = Duration::from_millis(1_200);

pub struct Flood {
    pub name: &'static str,
    kind: Kind,
}

enum Kind {
    /// What is sent first, and what in the nth turn.
    Octets(&'static [u8], fn() -> Vec<u8>, fn(u32) -> Vec<u8>),
    /// Handshakes and nothing else.
    Handshakes,
    /// Connections and nothing else.
    Connections,
    /// What is no TLS.
    NoTls(&'static [u8]),
}

use Kind::{Connections, Handshakes, NoTls, Octets};

pub const ALL: &[Flood] = &[
    Flood {
        name: "h2 rapid reset",
        kind: Octets(HTTP2, preface, |turn| [get(turn), frame(RST_STREAM, 0, stream(turn), &[0, 0, 0, 8])].concat()),
    },
    Flood {
        name: "h2 made you reset",
        kind: Octets(HTTP2, preface, |turn| [get(turn), frame(WINDOW_UPDATE, 0, stream(turn), &[0; 4])].concat()),
    },
    Flood {
        name: "h2 streams without end",
        kind: Octets(HTTP2, preface, |turn| frame(HEADERS, END_HEADERS, stream(turn), &head(POST, "/v1/messages"))),
    },
    Flood {
        name: "h2 CONTINUATION",
        kind: Octets(
            HTTP2,
            || [preface(), frame(HEADERS, 0, 1, &head(GET, "/"))].concat(),
            |_| frame(CONTINUATION, 0, 1, &[0x40, 1, b'a', 1, b'b'].repeat(100)),
        ),
    },
    Flood {
        name: "h2 empty CONTINUATION",
        kind: Octets(
            HTTP2,
            || [preface(), frame(HEADERS, 0, 1, &head(GET, "/"))].concat(),
            |_| frame(CONTINUATION, 0, 1, b"").repeat(50),
        ),
    },
    Flood { name: "h2 SETTINGS", kind: Octets(HTTP2, preface, |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(50)) },
    Flood { name: "h2 PING", kind: Octets(HTTP2, preface, |_| frame(PING, 0, 0, &[0; 8]).repeat(50)) },
    Flood { name: "h2 PRIORITY", kind: Octets(HTTP2, preface, |turn| frame(PRIORITY, 0, stream(turn), &[0, 0, 0, 0, 1])) },
    Flood { name: "h2 WINDOW_UPDATE", kind: Octets(HTTP2, preface, |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(50)) },
    Flood {
        name: "h2 empty DATA",
        kind: Octets(
            HTTP2,
            || [preface(), frame(HEADERS, END_HEADERS, 1, &head(POST, "/v1/messages"))].concat(),
            |_| frame(DATA, 0, 1, b"").repeat(50),
        ),
    },
    Flood {
        name: "h2 HPACK bomb",
        kind: Octets(HTTP2, bomb, |turn| {
            [
                vec![],
                frame(HEADERS, END_HEADERS | END_STREAM, stream(turn + 1), &[vec![0x82, 0x87, 0x84], vec![0xbe; 4000]].concat()),
            ]
            .concat()
        }),
    },
    Flood { name: "h2 unknown frames", kind: Octets(HTTP2, preface, |_| frame(0xee, 0, 0, &[0; 500])) },
    Flood {
        name: "h1 header fields",
        kind: Octets(HTTP1, || b"GET /health HTTP/1.1\r\n".to_vec(), |turn| format!("x{turn}: y\r\n").into_bytes()),
    },
    Flood {
        name: "h1 one long header field",
        kind: Octets(HTTP1, || b"GET /health HTTP/1.1\r\nx: ".to_vec(), |_| vec![b'a'; 1000]),
    },
    Flood { name: "h1 long target", kind: Octets(HTTP1, || b"GET /".to_vec(), |_| vec![b'a'; 1000]) },
    Flood {
        name: "h1 requests without reading",
        kind: Octets(HTTP1, Vec::new, |_| b"GET /v1/openapi.json HTTP/1.1\r\nhost: l\r\n\r\n".repeat(10)),
    },
    Flood {
        name: "h1 a terabyte",
        kind: Octets(
            HTTP1,
            || {
                b"POST /v1/messages HTTP/1.1\r\nhost: l\r\ncontent-type: application/xml\r\ncontent-length: 1099511627776\r\n\r\n"
                    .to_vec()
            },
            |_| vec![b'<'; 10_000],
        ),
    },
    Flood {
        name: "h1 chunks",
        kind: Octets(
            HTTP1,
            || {
                b"POST /v1/messages HTTP/1.1\r\nhost: l\r\ncontent-type: application/xml\r\ntransfer-encoding: chunked\r\n\r\n"
                    .to_vec()
            },
            |_| b"1\r\n<\r\n".repeat(100),
        ),
    },
    Flood { name: "TLS handshakes", kind: Handshakes },
    Flood { name: "TCP connections", kind: Connections },
    Flood { name: "no TLS, but HTTP", kind: NoTls(b"GET / HTTP/1.1\r\nhost: l\r\n\r\n") },
    Flood { name: "no TLS, but a large record", kind: NoTls(&[0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xff]) },
];

fn preface() -> Vec<u8> {
    PREFACE.to_vec()
}

fn stream(turn: u32) -> u32 {
    turn * 2 + 1
}

fn get(turn: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &head(GET, "/health"))
}

/// A header of 4,000 octets goes into the dynamic table, where each reference to it costs an octet.
fn bomb() -> Vec<u8> {
    let mut block = head(GET, "/health");
    block.extend([0x40, 1, b'x', 0x7f]);
    // 4,000 = 127 + 33 + 30 * 128 (RFC 7541, section 5.1).
    block.extend([0x80 | 33, 30]);
    block.extend([b'y'; 4_000]);
    [preface(), frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)].concat()
}

/// Runs a flood; tells what came of its connections.
pub async fn run(scene: &Arc<Scene>, flood: &'static Flood) -> String {
    let peer = Peer::new(scene, "xx.demo.social-fund").from("127.0.0.2");
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let peer = peer.clone();
        connections.spawn(async move {
            match &flood.kind {
                Octets(protocol, first, turn) => octets(&peer, protocol, first(), *turn).await,
                kind => again(&peer, kind).await,
            }
        });
    }
    let ended = connections.join_all().await;
    ended.first().cloned().unwrap_or_default()
}

/// Sends until it is pushed back, closed, or the time is over.
async fn octets(peer: &Peer, protocol: &[u8], first: Vec<u8>, turn: fn(u32) -> Vec<u8>) -> String {
    let mut stream = peer.tls(protocol).await.expect("a handshake");
    let (begun, mut sent) = (Instant::now(), 0);
    let mut next = first;
    for number in 0.. {
        sent += next.len();
        match tokio::time::timeout(Duration::from_millis(500), stream.write_all(&next)).await {
            Err(_) => return format!("pushed back after {sent} octets"),
            Ok(Err(_)) => return format!("closed after {sent} octets"),
            Ok(Ok(())) if begun.elapsed() > LASTS => break,
            Ok(Ok(())) => next = turn(number),
        }
    }
    let mut answer = [0; 64];
    let answered = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut answer)).await;
    format!("taken: {sent} octets, {}", if matches!(answered, Ok(Ok(1..))) { "answered" } else { "not answered" })
}

async fn again(peer: &Peer, kind: &Kind) -> String {
    let (begun, mut good, mut bad) = (Instant::now(), 0, 0);
    while begun.elapsed() < LASTS {
        let went = match kind {
            NoTls(octets) => refused(peer, octets).await,
            Connections => peer.tcp().await.is_ok(),
            _ => peer.tls(HTTP1).await.is_ok(),
        };
        *(if went { &mut good } else { &mut bad }) += 1;
    }
    format!("{good} went through, {bad} did not")
}

/// Whether something that is no TLS is closed.
async fn refused(peer: &Peer, octets: &[u8]) -> bool {
    let mut stream = peer.tcp().await.expect("it listens");
    stream.write_all(octets).await.expect("taken");
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.is_ok()
}
