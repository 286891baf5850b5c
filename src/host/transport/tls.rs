//! Who we are and whom we believe, for both directions.

use crate::base::time::UnixTime;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, ServerConfig, ServerConnection};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A certificate with its key, and the authorities that are believed.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Arc<RootCertStore>,
    revocation: Vec<CertificateRevocationListDer<'static>>,
}

/// What a listener shakes hands with.
#[derive(Clone)]
pub struct Listening {
    /// For rustls.
    config: Arc<ServerConfig>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Listening {
    /// For rustls.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// The client's certificate and what it came with. One that came out of a ticket is checked as if it were shown: since
    /// the ticket was given it may have expired or been revoked.
    pub(super) fn shown(&self, session: &ServerConnection) -> Option<Shown> {
        let shown = Shown(session.peer_certificates()?.to_vec());
        let is_checked = session.handshake_kind() != Some(HandshakeKind::Resumed) || self.believes(&shown);
        is_checked.then_some(shown)
    }

    /// Whether a certificate that was believed before still is.
    pub(super) fn believes(&self, shown: &Shown) -> bool {
        let now = rustls::pki_types::UnixTime::now();
        shown.0.split_first().is_some_and(|(first, others)| self.verifier.verify_client_cert(first, others, now).is_ok())
    }
}

/// How often it is looked whether a certificate has expired, beside when it does.
const EXPIRY_LOOK: Duration = Duration::from_secs(60 * 60);

/// The certificates that a client has shown, its own first.
pub(super) struct Shown(Vec<CertificateDer<'static>>);

impl Shown {
    pub(super) fn first(&self) -> Option<&[u8]> {
        self.0.first().map(|first| first.as_ref())
    }

    /// Waits until its own has expired.
    pub(super) async fn expired(&self) {
        let ends = self.first().and_then(crate::message::pki::not_after).map_or(0, UnixTime::as_ms);
        // Through its last second (RFC 5280, section 4.1.2.5), as for those who come anew.
        let ends = UNIX_EPOCH + Duration::from_millis(ends.saturating_add(1000));
        // In portions: clocks are set, and timers do not reach years ahead.
        while let Ok(left) = ends.duration_since(SystemTime::now()) {
            tokio::time::sleep(left.min(EXPIRY_LOOK).max(Duration::from_millis(1))).await;
        }
    }
}

/// Why TLS cannot be set up.
#[derive(Debug)]
pub enum TlsError {
    /// A PEM file cannot be read.
    File(String, rustls::pki_types::pem::Error),
    /// A certificate, key or revocation list does not fit.
    Config(String),
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file, cause) => write!(f, "{file}: {cause}"),
            Self::Config(cause) => f.write_str(cause),
        }
    }
}

impl std::error::Error for TlsError {}

impl Identity {
    /// Reads certificate chain, key, authorities and revocation lists from PEM files.
    pub fn load(certificate: &Path, key: &Path, authorities: &Path, revocation: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for root in certificates(authorities)? {
            roots.add(root).map_err(|cause| TlsError::Config(format!("{}: {cause}", authorities.display())))?;
        }
        let revocation = match revocation {
            Some(path) => {
                let octets = std::fs::read(path)
                    .map_err(|cause| TlsError::File(path.display().to_string(), rustls::pki_types::pem::Error::Io(cause)))?;
                revocation_lists(&octets, path)?
            }
            None => Vec::new(),
        };
        let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| TlsError::File(key.display().to_string(), cause))?;
        Ok(Self { chain: certificates(certificate)?, key, roots: Arc::new(roots), revocation })
    }

    /// For a listener: client certificates are required.
    pub fn server(&self) -> Result<Listening, TlsError> {
        let failed = |cause: &dyn std::fmt::Display| TlsError::Config(cause.to_string());
        let verifier = verifier(Arc::clone(&self.roots), &self.revocation)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|cause| failed(&cause))?;
        let builder = builder.with_client_cert_verifier(Arc::clone(&verifier));
        let mut config = builder.with_single_cert(self.chain.clone(), self.key.clone_key()).map_err(|cause| failed(&cause))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Stateless tickets (RFC 8446, section 4.6.1), sealed under a key that lives in memory and is replaced every six
        // hours. No early data, which could be replayed.
        config.ticketer = Ticketer::new().map_err(|cause| failed(&cause))?;
        config.send_tls13_tickets = 1;
        config.max_early_data_size = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Listening { config: Arc::new(config), verifier })
    }

    /// For connections to providers or to a gateway: HTTP/1.1, which is never dearer than HTTP/2 on pooled connections.
    pub fn client(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let failed = |cause: rustls::Error| TlsError::Config(cause.to_string());
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(failed)?;
        let builder = builder.with_root_certificates(Arc::clone(&self.roots));
        let mut config = builder.with_client_auth_cert(self.chain.clone(), self.key.clone_key()).map_err(failed)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// For connections without a certificate of our own, to servers of these authorities.
pub fn trust(authorities: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    let failed = |cause: rustls::Error| TlsError::Config(format!("{}: {cause}", authorities.display()));
    let mut roots = RootCertStore::empty();
    for root in certificates(authorities)? {
        roots.add(root).map_err(failed)?;
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(failed)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The authorities that certificates of signing keys are checked against: for tools, which have no registry.
#[derive(Clone)]
pub struct Anchors(Arc<dyn ClientCertVerifier>);

impl Anchors {
    /// Reads authorities from a PEM file.
    pub fn load(authorities: &Path) -> Result<Self, TlsError> {
        let failed = |cause: &dyn std::fmt::Display| TlsError::Config(format!("{}: {cause}", authorities.display()));
        let mut roots = RootCertStore::empty();
        for root in certificates(authorities)? {
            roots.add(root).map_err(|cause| failed(&cause))?;
        }
        verifier(Arc::new(roots), &[]).map(Self).map_err(|cause| failed(&cause))
    }

    /// One authority in DER and its revocation lists in PEM, as a listener believes them.
    pub fn of(authority: &[u8], revocation: &str) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority).into_owned()).map_err(|cause| TlsError::Config(cause.to_string()))?;
        verifier(Arc::new(roots), &revocation_lists(revocation.as_bytes(), Path::new("the lists"))?).map(Self)
    }

    /// Checks the path from a leaf certificate to an authority at a time (RFC 5280).
    pub fn check(&self, certificate: &[u8], now: crate::base::time::UnixTime) -> Result<(), TlsError> {
        let now = rustls::pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_millis(now.as_ms()));
        let checked = self.0.verify_client_cert(&CertificateDer::from(certificate), &[], now);
        checked.map(|_| ()).map_err(|cause| TlsError::Config(cause.to_string()))
    }
}

fn verifier(
    roots: Arc<RootCertStore>,
    revocation: &[CertificateRevocationListDer<'static>],
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider()).with_crls(revocation.iter().cloned());
    builder.build().map_err(|cause| TlsError::Config(cause.to_string()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = read_all(CertificateDer::pem_file_iter(path), path)?;
    if found.is_empty() { Err(TlsError::Config(format!("{}: holds no certificate", path.display()))) } else { Ok(found) }
}

const BEGIN: &[u8] = b"-----BEGIN ";

fn revocation_lists(octets: &[u8], path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let found = read_all(Ok(CertificateRevocationListDer::pem_slice_iter(octets)), path)?;
    // Nothing is revoked by no list at all, or by one whose label is damaged: that is never what whoever names the file means.
    let blocks = octets.windows(BEGIN.len()).filter(|window| window == &BEGIN).count();
    if found.is_empty() || found.len() != blocks {
        return Err(TlsError::Config(format!("{}: holds no revocation list in PEM, or something else as well", path.display())));
    }
    Ok(found)
}

type Pem<T> = Result<T, rustls::pki_types::pem::Error>;

fn read_all<T>(items: Pem<impl Iterator<Item = Pem<T>>>, path: &Path) -> Result<Vec<T>, TlsError> {
    let failed = |cause| TlsError::File(path.display().to_string(), cause);
    items.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_revocation_list_is_refused() {
        // A list in DER, or under another label, would otherwise mean that nothing is revoked.
        for octets in [&b""[..], b"\x30\x03\x02\x01\x01", b"-----BEGIN CRL-----\nAAAA\n-----END CRL-----\n"] {
            let read = revocation_lists(octets, Path::new("revoked.pem"));
            assert!(matches!(&read, Err(TlsError::Config(cause)) if cause.contains("no revocation list")), "{octets:?}");
        }
        let one = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
        let read = |text: &str| revocation_lists(text.as_bytes(), Path::new("revoked.pem")).map(|lists| lists.len());
        assert_eq!(read(&one.repeat(2)).ok(), Some(2));
        assert!(read(&format!("{one}{}", one.replace("X509 CRL", "X509 CRI"))).is_err(), "a label with a flipped bit");
    }
}
