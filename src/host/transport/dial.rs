//! Connections to whoever is named by a host: over TLS or not, and to permitted addresses alone.
//!
//! A name is looked up once, and the address that was looked at is the one that is connected to: a name that means another address a
//! moment later gets nobody there.

use crate::base::limits;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt::Display;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoConnection {
    /// All addresses of the host are of those that are not permitted; one of them.
    Forbidden(IpAddr),
    /// Nobody is there, or says who it is.
    Failed(String),
}

impl Display for NoConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Forbidden(address) => write!(f, "{address} is not permitted"),
            Self::Failed(cause) => f.write_str(cause),
        }
    }
}

/// A connection that we made.
#[derive(Debug)]
pub enum Dialed {
    /// Without TLS.
    Plain(TcpStream),
    /// With it.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Dialed {
    /// Connects to the first address of a host that answers, of those that are permitted.
    pub async fn connect(host: &str, port: u16, permits: impl Fn(IpAddr) -> bool) -> Result<TcpStream, NoConnection> {
        let connected = tokio::time::timeout(Duration::from_millis(limits::CONNECT_MS), first(host, port, permits)).await;
        connected.unwrap_or_else(|_| Err(NoConnection::Failed("no connection in time".to_owned())))
    }

    /// Begins TLS on a connection, with whoever has a certificate for this host.
    pub async fn secure(stream: TcpStream, host: &str, tls: &Arc<ClientConfig>) -> Result<Self, NoConnection> {
        let name = ServerName::try_from(host.to_owned()).map_err(failed)?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(failed)?;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Whom it is with.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Plain(stream) => stream.peer_addr(),
            Self::Tls(stream) => stream.get_ref().0.peer_addr(),
        }
    }
}

async fn first(host: &str, port: u16, permits: impl Fn(IpAddr) -> bool) -> Result<TcpStream, NoConnection> {
    let (mut forbidden, mut silent) = (None, None);
    for address in tokio::net::lookup_host((host, port)).await.map_err(failed)? {
        if !permits(address.ip()) {
            forbidden = Some(NoConnection::Forbidden(address.ip()));
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(failed)?;
                return Ok(stream);
            }
            Err(cause) => silent = Some(failed(cause)),
        }
    }
    // Whoever is at a permitted address and does not answer may do so later.
    Err(silent.or(forbidden).unwrap_or_else(|| failed("the host has no address")))
}

fn failed(cause: impl Display) -> NoConnection {
    NoConnection::Failed(cause.to_string())
}

impl AsyncRead for Dialed {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Dialed {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
