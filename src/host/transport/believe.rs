//! Which certificates are believed: paths to authorities, with revocation lists that belong to keys and not to names.
//!
//! The library that checks paths takes the first list that bears an authority's name, and fails where the key is another
//! one. Two authorities have one name whenever one has renewed its key. So the authorities and lists are laid out in
//! views, each with at most one authority and one list of a name, and a certificate is believed if one view believes it
//! and none knows it as revoked.

use crate::base::limits;
use crate::message::pki::{RevocationList, facts};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::cell::RefCell;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

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

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Authorities and lists, at most one of each name.
struct View {
    roots: RootCertStore,
    lists: Vec<CertificateRevocationListDer<'static>>,
}

/// An authority of a name with one of its lists; authorities between root and leaf are known by their lists alone.
struct Choice<'a> {
    root: Option<&'a CertificateDer<'static>>,
    list: Option<&'a RevocationList>,
}

/// Lays out authorities and lists. A list that bears the name of an authority and was signed by none of that name is refused.
fn views(roots: &[CertificateDer<'static>], lists: &[RevocationList], file: &Path) -> Result<Vec<View>, TlsError> {
    let named = |list: &RevocationList| roots.iter().any(|root| list.is_named_after(root));
    let signed = |list: &RevocationList| roots.iter().any(|root| list.is_named_after(root) && list.is_signed_by(root));
    if let Some(foreign) = lists.iter().find(|list| named(list) && !signed(list)) {
        let what = format!(
            "{}: the revocation list of {} was signed by no key of that authority in the file of authorities",
            file.display(),
            foreign.issuer
        );
        return Err(TlsError::Config(what));
    }
    let mut groups: Vec<(Vec<u8>, Vec<Choice<'_>>)> = Vec::new();
    for root in roots {
        let name = rustls::RootCertStore::from_iter(webpki_root(root)).subjects().first().map(|name| name.as_ref().to_vec());
        let own: Vec<_> = lists.iter().filter(|list| list.is_named_after(root) && list.is_signed_by(root)).collect();
        let choices: Vec<_> = if own.is_empty() {
            vec![Choice { root: Some(root), list: None }]
        } else {
            own.into_iter().map(|list| Choice { root: Some(root), list: Some(list) }).collect()
        };
        let name = name.unwrap_or_default();
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => known.extend(choices),
            None => groups.push((name, choices)),
        }
    }
    let mut between: Vec<Vec<Choice<'_>>> = Vec::new();
    for list in lists.iter().filter(|list| !named(list)) {
        let choice = Choice { root: None, list: Some(list) };
        match between.iter_mut().find(|known| known.iter().any(|of| of.list.is_some_and(|of| of.is_of_same_name(list)))) {
            Some(known) => known.push(choice),
            None => between.push(vec![choice]),
        }
    }
    let groups: Vec<_> = groups.into_iter().map(|(_, choices)| choices).collect();
    lay_out(&groups, &between, file)
}

fn webpki_root(root: &CertificateDer<'static>) -> Option<rustls::pki_types::TrustAnchor<'static>> {
    let mut store = RootCertStore::empty();
    store.add(root.clone()).ok()?;
    store.roots.pop()
}

fn lay_out(roots: &[Vec<Choice<'_>>], between: &[Vec<Choice<'_>>], file: &Path) -> Result<Vec<View>, TlsError> {
    let most = |groups: &[Vec<Choice<'_>>]| groups.iter().map(Vec::len).max().unwrap_or(1);
    if most(roots) * most(between) > limits::AUTHORITY_VIEWS_MAX {
        let what = format!("{}: too many authorities or revocation lists of one name; name each list once", file.display());
        return Err(TlsError::Config(what));
    }
    let mut views = Vec::new();
    for (outer, inner) in (0..most(roots)).flat_map(|outer| (0..most(between)).map(move |inner| (outer, inner))) {
        let chosen = |groups: &'_ [Vec<Choice<'_>>], at: usize| -> Vec<(Option<CertificateDer<'static>>, Option<Vec<u8>>)> {
            let of = |group: &Vec<Choice<'_>>| {
                let choice = group.get(at % group.len())?;
                Some((choice.root.cloned(), choice.list.map(|list| list.der.clone())))
            };
            groups.iter().filter_map(of).collect()
        };
        let mut view = View { roots: RootCertStore::empty(), lists: Vec::new() };
        for (root, list) in chosen(roots, outer).into_iter().chain(chosen(between, inner)) {
            if let Some(root) = root {
                view.roots.add(root).map_err(|cause| TlsError::Config(cause.to_string()))?;
            }
            view.lists.extend(list.map(CertificateRevocationListDer::from));
        }
        views.push(view);
    }
    Ok(views)
}

/// Verifiers, one for each view: of clients or of servers. Whatever is the same for all of them is asked of the first.
struct Verifiers<V: ?Sized> {
    all: Vec<Arc<V>>,
    first: Arc<V>,
}

// By hand: rustls asks for it, and a verifier has nothing to show.
impl<V: ?Sized> Debug for Verifiers<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} views", self.all.len())
    }
}

impl<V: ?Sized> Verifiers<V> {
    /// One for each way to lay out authorities and lists; `file` is named where they cannot be used.
    fn new<E: std::fmt::Display>(
        roots: &[CertificateDer<'static>],
        lists: &[RevocationList],
        file: &Path,
        make: impl Fn(View) -> Result<Arc<V>, E>,
    ) -> Result<Self, TlsError> {
        let failed = |cause: &dyn std::fmt::Display| TlsError::Config(format!("{}: {cause}", file.display()));
        let made = views(roots, lists, file)?.into_iter().map(|view| make(view).map_err(|cause| failed(&cause)));
        let all = made.collect::<Result<Vec<_>, _>>()?;
        let first = all.first().cloned().ok_or_else(|| failed(&"no authority"))?;
        Ok(Self { all, first })
    }
}

/// Who is believed as a client.
pub(super) fn clients(
    roots: &[CertificateDer<'static>],
    lists: &[RevocationList],
    file: &Path,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let make =
        |view: View| WebPkiClientVerifier::builder_with_provider(Arc::new(view.roots), provider()).with_crls(view.lists).build();
    Ok(Arc::new(Verifiers::<dyn ClientCertVerifier>::new(roots, lists, file, make)?))
}

/// The same as those who are asked for a certificate, and get in without one.
pub(super) fn asked(clients: Arc<dyn ClientCertVerifier>) -> Arc<dyn ClientCertVerifier> {
    Arc::new(Asked { first: clients })
}

#[derive(Debug)]
struct Asked {
    first: Arc<dyn ClientCertVerifier>,
}

/// Who is believed as a server: the same authorities, the same lists.
pub(super) fn servers(
    roots: &[CertificateDer<'static>],
    lists: &[RevocationList],
    file: &Path,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let make =
        |view: View| WebPkiServerVerifier::builder_with_provider(Arc::new(view.roots), provider()).with_crls(view.lists).build();
    Ok(Arc::new(Verifiers::<WebPkiServerVerifier>::new(roots, lists, file, make)?))
}

/// One view must believe it, and none may know it as revoked.
fn weigh<T>(verdicts: impl Iterator<Item = Result<T, Error>>) -> Result<T, Error> {
    let (mut good, mut bad) = (None, None);
    for verdict in verdicts {
        match verdict {
            Ok(believed) => good = Some(believed),
            Err(Error::InvalidCertificate(CertificateError::Revoked)) => {
                return Err(Error::InvalidCertificate(CertificateError::Revoked));
            }
            // What says more than that the issuer is another one.
            Err(cause) if bad.is_none() || !is_about_issuer(&cause) => bad = Some(cause),
            Err(_) => {}
        }
    }
    let none = || bad.unwrap_or(Error::InvalidCertificate(CertificateError::UnknownIssuer));
    good.ok_or_else(none)
}

fn is_about_issuer(cause: &Error) -> bool {
    matches!(cause, Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature))
        || matches!(cause, Error::InvalidCertRevocationList(_))
}

thread_local! {
    static TURNED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Awaits a handshake; with it comes the subject of the certificate that was turned away in it. The verifier runs inside of a
/// poll, so what it leaves is of this handshake.
pub(super) async fn watched<F: Future>(handshake: F) -> (F::Output, Option<String>) {
    let mut handshake = std::pin::pin!(handshake);
    let mut subject = None;
    let output = std::future::poll_fn(|context| {
        TURNED.take();
        let polled = handshake.as_mut().poll(context);
        if let Some(turned) = TURNED.take() {
            subject = Some(turned);
        }
        polled
    })
    .await;
    (output, subject)
}

/// The checks of a handshake's signature, which no view changes: the same methods in two traits of rustls.
macro_rules! of_the_first {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.first.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.first.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.first.supported_verify_schemes()
        }
    };
}

impl ClientCertVerifier for Verifiers<dyn ClientCertVerifier> {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Names alone: every view has each of them.
        self.first.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verdict = weigh(self.all.iter().map(|view| view.verify_client_cert(end_entity, intermediates, now)));
        verdict.inspect_err(|_| TURNED.set(Some(subject_of(end_entity))))
    }

    of_the_first!();
}

impl ClientCertVerifier for Asked {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.first.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.first.verify_client_cert(end_entity, intermediates, now)
    }

    of_the_first!();
}

impl ServerCertVerifier for Verifiers<WebPkiServerVerifier> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |view: &Arc<WebPkiServerVerifier>| {
            view.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        weigh(self.all.iter().map(verify))
    }

    of_the_first!();
}

/// The subject, short and in one line: it was chosen by whoever was turned away.
fn subject_of(certificate: &CertificateDer<'_>) -> String {
    let subject = facts(certificate).map_or_else(|| "a certificate that cannot be read".to_owned(), |facts| facts.subject);
    subject.chars().map(|c| if c.is_control() { '?' } else { c }).take(limits::SUBJECT_SHOWN_MAX).collect()
}
