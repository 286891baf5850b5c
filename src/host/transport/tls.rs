//! Who we are and whom we believe, for both directions.

use super::believe::{self, TlsError, provider};
use crate::base::time::UnixTime;
use crate::host::keyfile;
use crate::message::pki::{self, KeyDer, RevocationList};
use rustls::client::Resumption;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, HandshakeKind, RootCertStore, ServerConfig, ServerConnection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A certificate with its key, and the authorities that are believed.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Vec<CertificateDer<'static>>,
    lists: Vec<RevocationList>,
    /// What is named when authorities and lists cannot be used.
    file: PathBuf,
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

impl Identity {
    /// Reads certificate chain, key, authorities and revocation lists.
    pub fn load(certificate: &Path, key: &Path, authorities: &Path, revocation: Option<&Path>) -> Result<Self, TlsError> {
        let roots = roots(authorities)?;
        let lists = revocation.map_or(Ok(Vec::new()), load_lists)?;
        let file = revocation.unwrap_or(authorities).to_owned();
        let (chain, key_der) = (certificates(certificate)?, private_key(key)?);
        let this = Self { chain, key: key_der, roots, lists, file };
        this.check_pair().map_err(|()| {
            let what = format!("{}: the key does not belong to the certificate {}", key.display(), certificate.display());
            TlsError::Config(what)
        })?;
        Ok(this)
    }

    /// Whether the key is the certificate's. A key that TLS cannot use is told apart when it is used.
    fn check_pair(&self) -> Result<(), ()> {
        let Ok(key) = rustls::crypto::ring::sign::any_supported_type(&self.key) else { return Ok(()) };
        let certified = rustls::sign::CertifiedKey::new(self.chain.clone(), key);
        match certified.keys_match() {
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => Err(()),
            _ => Ok(()),
        }
    }

    /// For a listener: client certificates are required.
    pub fn server(&self) -> Result<Listening, TlsError> {
        let failed = |cause: &dyn std::fmt::Display| TlsError::Config(cause.to_string());
        let verifier = believe::clients(&self.roots, &self.lists, &self.file)?;
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

    /// For a listener for browsers: a client certificate is asked for, and who has none gets in without. Nothing is resumed, so that what a
    /// browser has shown was checked on this very connection.
    pub fn browsers(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let failed = |cause: &dyn std::fmt::Display| TlsError::Config(cause.to_string());
        let verifier = believe::asked(believe::clients(&self.roots, &self.lists, &self.file)?);
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|cause| failed(&cause))?;
        let builder = builder.with_client_cert_verifier(verifier);
        let mut config = builder.with_single_cert(self.chain.clone(), self.key.clone_key()).map_err(|cause| failed(&cause))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }

    /// Whom a listener believes, to be asked about a certificate.
    pub fn verifier(&self) -> Result<Anchors, TlsError> {
        believe::clients(&self.roots, &self.lists, &self.file).map(Anchors)
    }

    /// For connections to providers or to a gateway: HTTP/1.1, which is never dearer than HTTP/2 on pooled connections.
    pub fn client(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let failed = |cause: rustls::Error| TlsError::Config(cause.to_string());
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(failed)?;
        let verifier = believe::servers(&self.roots, &self.lists, &self.file)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
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
    without_identity(roots).map_err(failed)
}

/// For connections without TLS: whoever speaks it all the same is not believed.
pub fn trust_nobody() -> Result<Arc<ClientConfig>, TlsError> {
    without_identity(RootCertStore::empty()).map_err(|cause| TlsError::Config(cause.to_string()))
}

fn without_identity(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Whether a certificate is for a host (RFC 9525).
pub(super) fn is_for_host(der: &[u8], host: &str) -> bool {
    let der = CertificateDer::from(der.to_vec());
    let parsed = rustls::server::ParsedCertificate::try_from(&der);
    let name = rustls::pki_types::ServerName::try_from(host.to_owned());
    parsed.is_ok_and(|parsed| name.is_ok_and(|name| rustls::client::verify_server_name(&parsed, &name).is_ok()))
}

/// The authorities that certificates of signing keys are checked against: for tools, which have no registry.
#[derive(Clone)]
pub struct Anchors(Arc<dyn ClientCertVerifier>);

impl Anchors {
    /// Reads authorities from a PEM file.
    pub fn load(authorities: &Path) -> Result<Self, TlsError> {
        believe::clients(&roots(authorities)?, &[], authorities).map(Self)
    }

    /// One authority in DER and its revocation lists, as a listener believes them.
    pub fn of(authority: &[u8], revocation: &str) -> Result<Self, TlsError> {
        let (roots, file) = ([CertificateDer::from(authority).into_owned()], Path::new("the lists"));
        believe::clients(&roots, &revocation_lists(revocation.as_bytes(), file)?, file).map(Self)
    }

    /// Checks the path from a leaf certificate to an authority at a time (RFC 5280).
    pub fn check(&self, certificate: &[u8], now: UnixTime) -> Result<(), TlsError> {
        self.check_chain(&[certificate.to_vec()], now)
    }

    /// Checks the path from the first certificate over the others to an authority at a time (RFC 5280).
    pub fn check_chain(&self, chain: &[Vec<u8>], now: UnixTime) -> Result<(), TlsError> {
        let now = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_millis(now.as_ms()));
        let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let (leaf, others) = chain.split_first().ok_or_else(|| TlsError::Config("no certificate".to_owned()))?;
        let checked = self.0.verify_client_cert(leaf, others, now);
        checked.map(|_| ()).map_err(|cause| TlsError::Config(cause.to_string()))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = read_all(CertificateDer::pem_file_iter(path), path)?;
    if found.is_empty() { Err(TlsError::Config(format!("{}: holds no certificate", path.display()))) } else { Ok(found) }
}

/// The authorities of a file, each of which TLS can use.
fn roots(authorities: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = certificates(authorities)?;
    for root in &found {
        let added = RootCertStore::empty().add(root.clone());
        added.map_err(|cause| TlsError::Config(format!("{}: {cause}", authorities.display())))?;
    }
    Ok(found)
}

/// Reads the revocation lists of a file.
pub fn load_lists(path: &Path) -> Result<Vec<RevocationList>, TlsError> {
    let octets = std::fs::read(path)
        .map_err(|cause| TlsError::File(path.display().to_string(), rustls::pki_types::pem::Error::Io(cause)))?;
    revocation_lists(&octets, path)
}

/// Nothing is revoked by no list at all, or by one whose label is damaged: that is never what whoever names the file means.
fn revocation_lists(octets: &[u8], path: &Path) -> Result<Vec<RevocationList>, TlsError> {
    pki::read_lists(octets).map_err(|cause| TlsError::Config(format!("{}: {cause}", path.display())))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    Ok(match keyfile::read(path).map_err(|cause| TlsError::Config(cause.to_string()))? {
        KeyDer::Pkcs8(der) => PrivateKeyDer::Pkcs8(der.into()),
        KeyDer::Pkcs1(der) => PrivateKeyDer::Pkcs1(der.into()),
        KeyDer::Sec1(der) => PrivateKeyDer::Sec1(der.into()),
    })
}

type Pem<T> = Result<T, rustls::pki_types::pem::Error>;

fn read_all<T>(items: Pem<impl Iterator<Item = Pem<T>>>, path: &Path) -> Result<Vec<T>, TlsError> {
    let failed = |cause| TlsError::File(path.display().to_string(), cause);
    items.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    /// A revocation list, made by `openssl ca -gencrl` of OpenSSL 3.0 for an authority that was made for it.
    const LIST: &str = "-----BEGIN X509 CRL-----
MIHFMG4CAQEwCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBQRcNMjYxMTI5MDkwOTI5
WhgPMjEyNjExMDUwOTA5MjlaoC8wLTAfBgNVHSMEGDAWgBSsCVTT5Tj+1+uMAXOP
zp/Loy8ZeTAKBgNVHRQEAwIBATAKBggqhkjOPQQDAgNHADBEAiBLH0irTm4/Co6F
DWLTFN5cSo0IauL41MDf5ZiHt/bBrAIgM2dMR6bB3f5i8XqfeackjytL0HdXbG0U
Vhj2nbU9J+Q=
-----END X509 CRL-----
";

    #[test]
    fn a_file_without_a_revocation_list_is_refused() {
        // A list under another label would otherwise mean that nothing is revoked.
        for octets in [&b""[..], b"\x30\x03\x02\x01\x01", b"-----BEGIN CRL-----\nAAAA\n-----END CRL-----\n"] {
            let read = revocation_lists(octets, Path::new("revoked.pem"));
            let said = read.expect_err("refused").to_string();
            assert!(said.starts_with("revoked.pem: ") && said.contains("revocation list"), "{said}");
        }
        // A list whose label is damaged is not passed over because there is a good one beside it.
        let good = LIST;
        for label in ["CRL", "X509 CLR", "x509 crl", "X509  CRL", "CERTIFICATE REVOCATION LIST"] {
            let damaged = good.replace("X509 CRL", label);
            for both in [format!("{good}{damaged}"), format!("{damaged}{good}"), format!("{good}{damaged}{good}")] {
                let read = revocation_lists(both.as_bytes(), Path::new("revoked.pem"));
                let said = read.expect_err("refused").to_string();
                assert!(said.starts_with("revoked.pem: ") && said.contains("revocation list"), "{label}: {said}");
            }
        }
        let count = |octets: &str| revocation_lists(octets.as_bytes(), Path::new("revoked.pem")).map(|lists| lists.len()).ok();
        assert_eq!([count(good), count(&good.repeat(2))], [Some(1), Some(2)]);
        // Only one of the two lines is damaged, or one is missing.
        for (from, to) in
            [("-----BEGIN X509 CRL", "-----BEGIN CRL"), ("-----END X509 CRL", "-----END CRL"), ("-----BEGIN X509 CRL-----", "")]
        {
            assert_eq!(count(&format!("{good}{}", good.replace(from, to))), None, "{from}");
            assert_eq!(count(&format!("{}{good}", good.replace(from, to))), None, "{from}, in front");
        }
    }
}
