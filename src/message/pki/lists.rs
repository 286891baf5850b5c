//! Any certificate and any revocation list, read for who made it and how long it counts (RFC 5280, sections 4 and 5).

use super::{ParsedExtension, pem_blocks};
use crate::base::time::UnixTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer, GeneralName, X509Certificate};

/// What any certificate says of itself: a leaf's or an authority's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The subject, for people.
    pub subject: String,
    /// Host names and addresses.
    pub hosts: Vec<String>,
    /// Valid from this time on.
    pub not_before: UnixTime,
    /// Valid up to this time.
    pub not_after: UnixTime,
}

/// Reads what any certificate says of itself.
pub fn facts(der: &[u8]) -> Option<Facts> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let names = parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(names.general_names.as_slice()),
        _ => None,
    });
    let hosts = names.unwrap_or_default().iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => address(octets),
        _ => None,
    });
    Some(Facts {
        subject: parsed.subject().to_string(),
        hosts: hosts.collect(),
        not_before: time(parsed.validity().not_before.timestamp()),
        not_after: time(parsed.validity().not_after.timestamp()),
    })
}

/// The issuer and subject of a certificate, and whether the first made the second by its key.
pub fn is_issued_by(certificate: &[u8], authority: &[u8]) -> bool {
    let (Ok((_, leaf)), Ok((_, authority))) = (X509Certificate::from_der(certificate), X509Certificate::from_der(authority))
    else {
        return false;
    };
    leaf.issuer().as_raw() == authority.subject().as_raw() && leaf.verify_signature(Some(authority.public_key())).is_ok()
}

/// The public key of any certificate, as a `SubjectPublicKeyInfo` in DER.
pub fn public_key(der: &[u8]) -> Option<Vec<u8>> {
    X509Certificate::from_der(der).ok().map(|(_, parsed)| parsed.public_key().raw.to_vec())
}

/// Whether the public key of a certificate is this one (the octets of its bit string).
pub fn has_key(certificate: &[u8], key: &[u8]) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| *parsed.public_key().subject_public_key.data == *key)
}

/// A revocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// Its DER.
    pub der: Vec<u8>,
    /// Who made it, for people.
    pub issuer: String,
    issuer_raw: Vec<u8>,
    /// When it was made.
    pub this_update: UnixTime,
    /// When the next one was promised, if one was.
    pub next_update: Option<UnixTime>,
}

/// Why a revocation list is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListError {
    /// The file holds no list, neither in PEM nor in DER.
    Absent,
    /// A block in PEM that is no list: it would be passed over in silence.
    Else,
    /// A block that is no list of RFC 5280, or is damaged.
    Damaged,
    /// A list of version 1, which cannot say which certificates it covers.
    Version1,
}

impl std::fmt::Display for ListError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Absent => "holds no revocation list, neither in PEM nor in DER",
            Self::Else => "holds something else than revocation lists as well",
            Self::Damaged => "a revocation list in it is damaged",
            Self::Version1 => {
                "a revocation list in it is of version 1; make it in version 2 (for openssl ca: set crl_extensions, with a \
                 crlNumber and an authorityKeyIdentifier)"
            }
        })
    }
}

impl std::error::Error for ListError {}

const LABEL: &str = "X509 CRL";

/// Reads the revocation lists of a file: one in DER, or any number in PEM with text around them.
pub fn read_lists(octets: &[u8]) -> Result<Vec<RevocationList>, ListError> {
    if octets.first() == Some(&0x30) && !octets.starts_with(b"0-") {
        return RevocationList::from_der(octets).map(|list| vec![list]);
    }
    let text = String::from_utf8_lossy(octets);
    let (begin, end) = (format!("-----BEGIN {LABEL}-----"), format!("-----END {LABEL}-----"));
    // What looks like the border of a block is one of a list: a list between borders that are damaged would be passed over.
    let borders = || text.lines().map(str::trim).filter(|line| line.starts_with("--"));
    if borders().next().is_none() {
        return Err(ListError::Absent);
    }
    if borders().any(|line| line != begin && line != end) {
        return Err(ListError::Else);
    }
    // They take turns, and each block between them is whole.
    let blocks = pem_blocks(&text, LABEL);
    let are_in_turn = borders().enumerate().all(|(number, line)| line == if number % 2 == 0 { &begin } else { &end });
    if !are_in_turn || borders().count() != 2 * blocks.len() {
        return Err(ListError::Damaged);
    }
    blocks.iter().map(|der| RevocationList::from_der(der)).collect()
}

impl RevocationList {
    /// Reads a list in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, ListError> {
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| ListError::Damaged)?;
        if !rest.is_empty() {
            return Err(ListError::Damaged);
        }
        if list.version().is_none() {
            return Err(ListError::Version1);
        }
        Ok(Self {
            der: der.to_vec(),
            issuer: list.issuer().to_string(),
            issuer_raw: list.issuer().as_raw().to_vec(),
            this_update: time(list.last_update().timestamp()),
            next_update: list.next_update().map(|next| time(next.timestamp())),
        })
    }

    /// Whether it bears the name of this authority.
    pub fn is_named_after(&self, authority: &[u8]) -> bool {
        X509Certificate::from_der(authority).is_ok_and(|(_, authority)| authority.subject().as_raw() == self.issuer_raw)
    }

    /// Whether it was signed by the key of this authority: of two authorities of one name only one has.
    pub fn is_signed_by(&self, authority: &[u8]) -> bool {
        let (Ok((_, list)), Ok((_, authority))) =
            (CertificateRevocationList::from_der(&self.der), X509Certificate::from_der(authority))
        else {
            return false;
        };
        list.verify_signature(authority.public_key()).is_ok()
    }

    /// Whether two lists bear the name of one authority.
    pub fn is_of_same_name(&self, other: &Self) -> bool {
        self.issuer_raw == other.issuer_raw
    }
}

fn time(seconds: i64) -> UnixTime {
    UnixTime::from_ms(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
}

fn address(octets: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(octets).map(|octets| std::net::IpAddr::from(octets).to_string());
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| std::net::IpAddr::from(octets).to_string())).ok()
}
