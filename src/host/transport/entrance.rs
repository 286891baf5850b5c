//! The way in: who may shake hands, and how many connections an address and a certificate may have.
//!
//! Those who have not shaken hands have a room of their own, so that they never take that of those who have. Whoever comes
//! too fast has to wait: before the handshake by address, which others may share, and after it by certificate.

use super::tls::Listening;
use super::{Body, Connection, End, Inbound, NoHandshake, limits, serve};
use crate::base::ids::Digest;
use crate::rules::quota::{Doors, Doorway, Inside};
use hyper::service::Service;
use hyper::{Request, Response};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The first 64 bits of an IPv6 address, which are those of a network; an IPv4 address whole.
type Address = u128;

/// How many connections an entrance has room for.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// In all.
    pub connections: usize,
    /// Of one address.
    pub per_address: u32,
    /// With one client certificate.
    pub per_certificate: u32,
}

/// The entrance of a listener.
pub struct Entrance {
    tls: watch::Sender<Listening>,
    connections: usize,
    room: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    pending: Arc<Doors<Address>>,
    addresses: Arc<Doors<Address>>,
    certificates: Arc<Doors<Digest>>,
    started: Instant,
}

/// Why somebody did not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Their address has too many connections.
    Address,
    /// The handshake failed, or took too long.
    Handshake,
    /// Their certificate has too many connections.
    Certificate,
}

impl Turned {
    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Handshake => "handshake",
            Self::Certificate => "certificate",
        }
    }
}

/// A handshake that failed, or a certificate that has too many connections.
#[derive(Debug)]
pub struct Failed {
    /// Why they did not get in.
    pub turned: Turned,
    /// Where they came from.
    pub peer: SocketAddr,
    /// What TLS says, and the subject of the certificate if it was that.
    pub cause: Option<NoHandshake>,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a handshake with {} failed", self.peer.ip().to_canonical())?;
        let Some(no) = &self.cause else { return Ok(()) };
        write!(f, ": {}", no.cause)?;
        no.subject.as_ref().map_or(Ok(()), |subject| write!(f, "; the certificate's subject is {subject}"))
    }
}

/// A TCP connection that may shake hands.
pub struct Knock {
    stream: TcpStream,
    peer: SocketAddr,
    address: Inside<Address>,
    pending: Inside<Address>,
    handshake: OwnedSemaphorePermit,
    room: OwnedSemaphorePermit,
}

/// What a connection takes of the entrance's room for as long as it is open.
pub struct Place {
    renewed: watch::Receiver<Listening>,
    _address: Inside<Address>,
    _certificate: Inside<Digest>,
    _room: OwnedSemaphorePermit,
}

impl Place {
    /// Serves requests like [`Connection::serve`], and ends when the certificate is not believed any more.
    pub async fn serve<S>(mut self, connection: Connection, service: S, stop: watch::Receiver<bool>) -> End
    where
        S: Service<Request<Inbound>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let shown = connection.shown;
        let revoked = async {
            while self.renewed.changed().await.is_ok() {
                if !self.renewed.borrow().believes(&shown) {
                    return;
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            // What comes after the certificate was revoked is not read.
            biased;
            () = revoked => End::Revoked,
            () = shown.expired() => End::Revoked,
            end = serve(connection.stream, connection.protocol, service, stop) => end,
        }
    }
}

impl Entrance {
    /// An entrance with nobody inside.
    pub fn new(tls: Listening, room: Room) -> Self {
        let addresses = Doorway { open: room.per_address, per_second: limits::ADDRESS_PER_SECOND, burst: limits::ADDRESS_BURST };
        let certificates =
            Doorway { open: room.per_certificate, per_second: limits::CERTIFICATE_PER_SECOND, burst: limits::CERTIFICATE_BURST };
        // How fast they come is counted once.
        let pending = Doorway { open: limits::ADDRESS_HANDSHAKES_MAX, per_second: u32::MAX, burst: u32::MAX };
        Self {
            tls: watch::Sender::new(tls),
            connections: room.connections,
            room: Arc::new(Semaphore::new(room.connections)),
            handshakes: Arc::new(Semaphore::new(limits::HANDSHAKES_MAX)),
            pending: Doors::new(pending),
            addresses: Doors::new(addresses),
            certificates: Doors::new(certificates),
            started: Instant::now(),
        }
    }

    /// Takes another identity, other authorities and revocation lists for the handshakes to come. Tickets given before are
    /// worth nothing any more.
    pub fn renew(&self, tls: Listening) {
        self.tls.send_replace(tls);
    }

    /// Waits for the next who may shake hands.
    pub async fn next(&self, listener: &TcpListener) -> Result<Knock, Turned> {
        loop {
            let (Ok(room), Ok(handshake)) =
                (Arc::clone(&self.room).acquire_owned().await, Arc::clone(&self.handshakes).acquire_owned().await)
            else {
                return std::future::pending().await;
            };
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of file descriptors, most likely: wait for some to be given back.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let (who, now) = (address(peer), self.started.elapsed());
            return match (self.addresses.enter(who, now), self.pending.enter(who, now)) {
                (Ok(address), Ok(pending)) => Ok(Knock { stream, peer, address, pending, handshake, room }),
                _ => Err(Turned::Address),
            };
        }
    }

    /// Shakes hands.
    pub async fn admit(&self, knock: Knock) -> Result<(Connection, Place), Failed> {
        let Knock { stream, peer, address, pending, handshake, room } = knock;
        self.slow_down(&address).await;
        let renewed = self.tls.subscribe();
        let tls = renewed.borrow().clone();
        let connection = Connection::accept(stream, &tls).await;
        let connection = connection.map_err(|cause| Failed { turned: Turned::Handshake, peer, cause: Some(cause) })?;
        drop((pending, handshake));
        let certificate = self.certificates.enter(connection.certificate, self.started.elapsed());
        let certificate = certificate.map_err(|_| Failed { turned: Turned::Certificate, peer, cause: None })?;
        self.slow_down(&certificate).await;
        Ok((connection, Place { renewed, _address: address, _certificate: certificate, _room: room }))
    }

    async fn slow_down<K: Ord + Copy>(&self, who: &Inside<K>) {
        while let Err(wait) = who.go_on(self.started.elapsed()) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Waits until nobody is inside.
    pub async fn left(&self) {
        let _ = self.room.acquire_many(u32::try_from(self.connections).unwrap_or(u32::MAX)).await;
    }
}

fn address(peer: SocketAddr) -> Address {
    match peer.ip().to_canonical() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_address() {
        let at = |text: &str| address(SocketAddr::new(text.parse().expect("an address"), 1));
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
        assert_eq!(at("192.0.2.1"), at("::ffff:192.0.2.1"));
    }
}
