//! The authority of a registry: makes keys, issues certificates by the profiles in `certs/`, signs the registry.
//!
//! Private keys are made here and written with mode 0600; they are never read back by anything but the program that
//! uses them, and never leave the folder they were made for.

use crate::base::ids::AgencyId;
use crate::base::time::{Day, UnixTime};
use crate::message::crypto::Signer;
use crate::message::pki;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SubjectPublicKeyInfo,
};
use std::net::IpAddr;

/// A key and its certificate, as PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The private key in PKCS#8; empty when the key was made elsewhere.
    pub key: String,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Connections, both ends.
    Tls,
    /// Messages.
    Signing,
}

/// The algorithm of a key to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256.
    P256,
    /// Ed25519: per key opt-in.
    Ed25519,
}

/// Why something could not be issued.
#[derive(Debug)]
pub enum AuthorityError {
    /// A certificate or key is not what it should be.
    Certificate(rcgen::Error),
    /// A private key cannot be used for signing.
    Key,
    /// A certificate request is refused.
    Request(pki::RequestError),
    /// A file holds no private key that can be used.
    Unreadable(pki::KeyError),
}

impl std::fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificate(cause) => write!(f, "{cause}"),
            Self::Request(cause) => write!(f, "{cause}"),
            Self::Unreadable(cause) => write!(f, "the registry's key: {cause}"),
            Self::Key => f.write_str("the authority's key cannot sign"),
        }
    }
}

impl std::error::Error for AuthorityError {}

impl From<rcgen::Error> for AuthorityError {
    fn from(cause: rcgen::Error) -> Self {
        Self::Certificate(cause)
    }
}

const ROOT_DAYS: i64 = 3650;
const LEAF_DAYS: i64 = 397;

/// Makes a certificate authority.
pub fn make_root(name: &str, now: UnixTime) -> Result<Issued, AuthorityError> {
    let key = KeyPair::generate()?;
    let mut params = params(name, now, ROOT_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(Issued { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
}

/// Makes the key that signs the registry, with a certificate of its own.
pub fn make_registry_key(now: UnixTime) -> Result<Issued, AuthorityError> {
    let key = KeyPair::generate()?;
    let mut params = params("Registry authority", now, ROOT_DAYS)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(Issued { certificate: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
}

/// A certificate authority that issues.
pub struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    /// Opens an authority from its certificate and key.
    pub fn open(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let found = pki::find_key(key.as_bytes()).map_err(AuthorityError::Unreadable)?;
        let der = found.into_pkcs8().ok_or(AuthorityError::Unreadable(pki::KeyError::Unusable))?;
        Ok(Self(Issuer::from_ca_cert_pem(certificate, KeyPair::try_from(der)?)?))
    }

    /// Makes a key for an agency and issues its certificate. `hosts` are the names and addresses that it serves on.
    pub fn issue(
        &self,
        agency: &AgencyId,
        purpose: Purpose,
        key_type: KeyType,
        hosts: &[String],
        now: UnixTime,
    ) -> Result<Issued, AuthorityError> {
        let key = match key_type {
            KeyType::P256 => KeyPair::generate()?,
            KeyType::Ed25519 => ed25519_key()?,
        };
        let certificate = leaf(&agency.to_string(), Some(agency), purpose, hosts, now)?.signed_by(&key, &self.0)?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Issues the certificate of a gateway's listener.
    pub fn issue_server(&self, name: &str, hosts: &[String], now: UnixTime) -> Result<Issued, AuthorityError> {
        let key = KeyPair::generate()?;
        let certificate = leaf(name, None, Purpose::Tls, hosts, now)?.signed_by(&key, &self.0)?;
        Ok(Issued { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// Issues a certificate for a key made elsewhere: from a certificate request (PKCS#10, RFC 2986) only its key is
    /// taken, everything else is ours.
    pub fn certify(&self, request: &str, agency: &AgencyId, purpose: Purpose, now: UnixTime) -> Result<Issued, AuthorityError> {
        let request = pki::read_request(request).map_err(AuthorityError::Request)?;
        let certificate = self.reissue(&agency.to_string(), Some(agency), purpose, &[], &request.key, now)?;
        Ok(Issued { certificate, key: String::new() })
    }

    /// Issues a certificate for a public key (`SubjectPublicKeyInfo` in DER): that of a request, or one whose certificate ends.
    pub fn reissue(
        &self,
        name: &str,
        agency: Option<&AgencyId>,
        purpose: Purpose,
        hosts: &[String],
        key: &[u8],
        now: UnixTime,
    ) -> Result<String, AuthorityError> {
        let key = SubjectPublicKeyInfo::from_der(key)?;
        Ok(leaf(name, agency, purpose, hosts, now)?.signed_by(&key, &self.0)?.pem())
    }
}

/// Makes a key and a request for its certificate (PKCS#10), both in PEM: the key stays with whoever made it.
pub fn make_request(agency: &AgencyId) -> Result<(String, String), AuthorityError> {
    let key = KeyPair::generate()?;
    let request = request_of(agency, &key)?;
    Ok((key.serialize_pem(), request))
}

/// The request for the certificate of a key that was made before, in PEM.
pub fn request_for(agency: &AgencyId, key_pem: &str) -> Result<String, AuthorityError> {
    request_of(agency, &KeyPair::from_pem(key_pem)?)
}

fn request_of(agency: &AgencyId, key: &KeyPair) -> Result<String, AuthorityError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, agency.to_string());
    Ok(params.serialize_request(key)?.pem()?)
}

/// Signs the octets of a registry file; the signature is written in base64.
pub fn sign_registry(text: &str, key_pem: &str) -> Result<String, AuthorityError> {
    let key = pki::read_key(key_pem.as_bytes()).map_err(AuthorityError::Unreadable)?;
    let signature = key.sign(text.as_bytes()).map_err(|crate::message::crypto::SigningFailed| AuthorityError::Key)?;
    Ok(BASE64.encode(signature) + "\n")
}

/// Makes the key of a log, of a witness or of notices, in PEM.
pub fn make_log_key() -> Result<String, AuthorityError> {
    Ok(ed25519_key()?.serialize_pem())
}

/// A key in PKCS#8 version 1 (RFC 8410, section 7): version 2, which rcgen writes, is not read by OpenSSL 3.0 and Node.
fn ed25519_key() -> Result<KeyPair, AuthorityError> {
    const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let seed = crate::message::crypto::random::<32>().map_err(|crate::message::crypto::NoRandomness| AuthorityError::Key)?;
    let der = [HEAD.as_slice(), &seed].concat();
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &rcgen::PKCS_ED25519)?)
}

fn params(name: &str, now: UnixTime, days: i64) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let day = |offset: i64| {
        let (year, month, day) = Day::from_days(now.day().days_since_epoch() + offset).parts();
        rcgen::date_time_ymd(i32::from(year), month, day)
    };
    (params.not_before, params.not_after) = (day(-1), day(days));
    Ok(params)
}

fn leaf(
    name: &str,
    agency: Option<&AgencyId>,
    purpose: Purpose,
    hosts: &[String],
    now: UnixTime,
) -> Result<CertificateParams, AuthorityError> {
    let mut params = params(name, now, LEAF_DAYS)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if purpose == Purpose::Tls {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    }
    if let Some(agency) = agency {
        params.subject_alt_names.push(SanType::URI(agency.urn().try_into()?));
    }
    for host in hosts {
        params.subject_alt_names.push(match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(host.clone().try_into()?),
        });
    }
    Ok(params)
}
