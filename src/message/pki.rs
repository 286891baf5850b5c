//! Certificates: what the gateway reads from them, and nothing it would have to believe.
//!
//! A certificate is a container for a key that the registry enrols: the path was checked when it was enrolled (RFC
//! 5280), and the TLS layer checks it again at each handshake. Here the fields are read that the profiles in `certs/`
//! demand.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

mod keys;
mod lists;
mod request;

pub use keys::{KeyDer, KeyError, find_encrypted, find_key, read_key};
pub use lists::{Facts, ListError, RevocationList, facts, has_key, is_issued_by, public_key, read_lists};
pub use request::{Request, RequestError, read_request};

use crate::base::ids::{AgencyId, Digest};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::crypto::{Algorithm, PublicKey, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate, X509Version};

/// A leaf certificate, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the DER octets.
    pub thumbprint: Digest,
    /// The agency that its subject alternative name states, if it states one.
    pub agency: Option<AgencyId>,
    /// The key.
    pub key: PublicKey,
    /// Valid from this time on.
    pub not_before: UnixTime,
    /// Valid up to this time.
    pub not_after: UnixTime,
}

/// Why a certificate cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// Not base64, not DER, too long, or octets after the certificate.
    Encoding,
    /// A key of another algorithm or size than the profile allows.
    Key,
    /// Version 1, which has no extensions and so cannot say what it is for.
    Version,
    /// A certificate authority's, or one whose key usage excludes signatures.
    Usage,
    /// Its extended key usage is for something else.
    Extended,
    /// An extension that whoever does not know it must refuse.
    Critical,
    /// A validity outside of what the gateway's time can hold.
    Validity,
}

impl std::fmt::Display for CertificateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Encoding => "not a DER certificate in base64 of at most 4 KiB",
            Self::Key => "the key is not P-256, P-384, Ed25519 or RSA with 2048 to 4096 bits",
            Self::Version => "the certificate is of version 1; version 3 is wanted",
            Self::Usage => "the certificate is an authority's or its key usage has neither digitalSignature nor nonRepudiation",
            Self::Extended => "the certificate's extended key usage lacks clientAuth; leave the extension out",
            Self::Critical => "the certificate has a critical extension that is not known here",
            Self::Validity => "the validity cannot be read",
        })
    }
}

impl std::error::Error for CertificateError {}

impl Certificate {
    /// Reads a certificate in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > limits::CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::Encoding);
        }
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError::Encoding)?;
        if !rest.is_empty() {
            return Err(CertificateError::Encoding);
        }
        check_profile(&parsed)?;
        let spki = parsed.public_key();
        let algorithm = algorithm_of(spki).ok_or(CertificateError::Key)?;
        let time = |value: i64| {
            u64::try_from(value).map(|s| UnixTime::from_ms(s.saturating_mul(1000))).map_err(|_| CertificateError::Validity)
        };
        Ok(Self {
            thumbprint: sha256(der),
            agency: agency_of(&parsed),
            key: PublicKey::new(algorithm, &spki.subject_public_key.data).ok_or(CertificateError::Key)?,
            not_before: time(parsed.validity().not_before.timestamp())?,
            not_after: time(parsed.validity().not_after.timestamp())?,
        })
    }

    /// Reads a certificate in base64, white space allowed, as `X509Certificate` of XML Signature and PEM have it.
    pub fn from_base64(text: &str) -> Result<Self, CertificateError> {
        Self::from_der(&decode(text).ok_or(CertificateError::Encoding)?)
    }
}

/// The extensions that are read here and where a path is checked; any other that is critical is refused (RFC 5280, section
/// 4.2): key usage, subject alternative name, basic constraints, name constraints, distribution points, extended key usage.
const KNOWN_EXTENSIONS: [&str; 6] = ["2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.37"];

/// The rule for certificates of signing keys, as far as one certificate can show it; `message.md` has it in words. A
/// qualified seal often has nonRepudiation alone.
fn check_profile(parsed: &X509Certificate<'_>) -> Result<(), CertificateError> {
    if parsed.version() != X509Version::V3 {
        return Err(CertificateError::Version);
    }
    let usage = parsed.key_usage().map_err(|_| CertificateError::Encoding)?;
    let may_sign = |usage: &x509_parser::extensions::KeyUsage| usage.digital_signature() || usage.non_repudiation();
    if parsed.is_ca() || usage.is_some_and(|usage| !may_sign(usage.value)) {
        return Err(CertificateError::Usage);
    }
    let extended = parsed.extended_key_usage().map_err(|_| CertificateError::Encoding)?;
    if extended.is_some_and(|extended| !extended.value.client_auth) {
        return Err(CertificateError::Extended);
    }
    let is_known = |oid: String| KNOWN_EXTENSIONS.contains(&oid.as_str());
    if parsed.extensions().iter().any(|extension| extension.critical && !is_known(extension.oid.to_id_string())) {
        return Err(CertificateError::Critical);
    }
    Ok(())
}

/// Up to when a certificate is valid, whatever else it is.
pub fn not_after(der: &[u8]) -> Option<UnixTime> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    Some(UnixTime::from_ms(seconds.saturating_mul(1000)))
}

/// Decodes base64 with white space in it.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return BASE64.decode(text).ok();
    }
    let mut tight = Vec::with_capacity(text.len());
    tight.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    BASE64.decode(tight).ok()
}

/// The DER of the blocks of a PEM file (RFC 7468) that have this label.
pub fn pem_blocks(text: &str, label: &str) -> Vec<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&begin) {
        let Some((body, after)) = after.split_once(&end) else { break };
        blocks.extend(decode(body));
        rest = after;
    }
    blocks
}

/// Writes DER as PEM.
pub fn to_pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn algorithm_of(spki: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> Option<Algorithm> {
    let curve = spki.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).map(|oid| oid.to_id_string());
    match (spki.algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
        ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Some(Algorithm::EcdsaP256),
        ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => Some(Algorithm::EcdsaP384),
        ("1.3.101.112", _) => Some(Algorithm::Ed25519),
        ("1.2.840.113549.1.1.1", _) => Some(Algorithm::RsaSha256),
        _ => None,
    }
}

fn agency_of(certificate: &X509Certificate<'_>) -> Option<AgencyId> {
    let names = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(names),
        _ => None,
    })?;
    names.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => AgencyId::from_urn(uri),
        _ => None,
    })
}
