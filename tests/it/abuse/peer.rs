//! A peer that speaks octets: TLS with an agency's certificate, and frames of HTTP/2 made by hand.

use crate::process::Scene;
use oncegate::host::transport::Identity;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const HTTP1: &[u8] = b"http/1.1";
pub const HTTP2: &[u8] = b"h2";

/// The preface of HTTP/2 with empty settings (RFC 9113, section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Whoever connects.
#[derive(Clone)]
pub struct Peer {
    address: SocketAddr,
    from: IpAddr,
    tls: rustls::ClientConfig,
}

impl Peer {
    /// An agency of the scene.
    pub fn new(scene: &Scene, agency: &str) -> Self {
        let folder = scene.world().agency_folder(agency);
        let identity = Identity::load(&folder.join("tls.pem"), &folder.join("tls.key"), &folder.join("ca.pem"), None);
        let tls = identity.expect("files").client().expect("they fit");
        Self { address: scene.world().exchange_address(), from: Ipv4Addr::LOCALHOST.into(), tls: (*tls).clone() }
    }

    /// The same from another of the machine's own addresses.
    pub fn from(&self, address: &str) -> Self {
        Self { from: address.parse().expect("an address"), ..self.clone() }
    }

    pub async fn tcp(&self) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(self.from, 0))?;
        socket.connect(self.address).await
    }

    pub async fn tls(&self, protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut tls = self.tls.clone();
        tls.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(tls)).connect(name, self.tcp().await?).await
    }
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut out = length[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// The header block of a request, without Huffman codes (RFC 7541): method by its index in the static table.
pub fn head(method: u8, path: &str) -> Vec<u8> {
    let mut block = vec![0x80 | method, 0x87];
    for (index, value) in [(4_u8, path), (1, "localhost")] {
        block.push(index);
        block.push(u8::try_from(value.len()).expect("short"));
        block.extend(value.as_bytes());
    }
    block
}

pub const GET: u8 = 2;
pub const POST: u8 = 3;
