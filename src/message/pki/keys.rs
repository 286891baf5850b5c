//! Private keys as the tools of this world write them: one reader for every place that takes a key.

use super::{decode, pem_blocks};
use crate::message::crypto::PrivateKey;

/// Why a file holds no key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The key is encrypted as PKCS#8 has it (RFC 5958, section 3), and no passphrase was given.
    Encrypted,
    /// The key is encrypted in OpenSSL's form of before PKCS#8.
    OldEncrypted,
    /// Binary: a key in DER or a container such as PKCS#12.
    Binary,
    /// No private key in PEM is in the file.
    Absent,
    /// More than one private key: it would be chance which one counts.
    Several,
    /// A certificate, a request or a public key, and no private key.
    Public,
    /// A key of an algorithm or size that is not used here, or a damaged one.
    Unusable,
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Encrypted => {
                "the private key is encrypted, and the file FILE.pass beside it, for its passphrase, is not there; make that \
                 file, or write the key in the clear: openssl pkey -in FILE -out NEW"
            }
            Self::OldEncrypted => {
                "the private key is encrypted in the old form (Proc-Type), which is weak; convert it: openssl pkcs8 -topk8 \
                 -in FILE -out NEW"
            }
            Self::Binary => {
                "the file is binary (DER or PKCS#12), and a private key is read in PEM; convert it: openssl pkey -inform DER \
                 -in FILE -out NEW, or openssl pkcs12 -nocerts -nodes -in FILE -out NEW"
            }
            Self::Absent => "the file holds no private key in PEM",
            Self::Several => "the file holds more than one private key",
            Self::Public => "the file holds a certificate or a public key, and no private key",
            Self::Unusable => "the private key is damaged, or is not P-256, Ed25519 or RSA with 2048 to 4096 bits",
        })
    }
}

impl std::error::Error for KeyError {}

/// The DER of a private key, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyDer {
    /// PKCS#8 (RFC 5958).
    Pkcs8(Vec<u8>),
    /// An RSA key (RFC 8017, appendix A.1.2).
    Pkcs1(Vec<u8>),
    /// An elliptic curve key (RFC 5915).
    Sec1(Vec<u8>),
}

const PUBLIC: [&str; 5] = ["CERTIFICATE", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", "PUBLIC KEY", "RSA PUBLIC KEY"];

/// Finds the one private key of a file. Text before and after it, other blocks and any line ends are passed over.
pub fn find_key(octets: &[u8]) -> Result<KeyDer, KeyError> {
    let text = std::str::from_utf8(octets).map_err(|_| KeyError::Binary)?;
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(KeyError::OldEncrypted);
    }
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Err(KeyError::Encrypted);
    }
    let of = |label: &str, form: fn(Vec<u8>) -> KeyDer| pem_blocks(text, label).into_iter().map(form).collect::<Vec<_>>();
    let mut found = of("PRIVATE KEY", KeyDer::Pkcs8);
    found.extend(of("RSA PRIVATE KEY", KeyDer::Pkcs1));
    found.extend(of("EC PRIVATE KEY", KeyDer::Sec1));
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(KeyError::Several),
        (None, _) if PUBLIC.iter().any(|label| text.contains(&format!("-----BEGIN {label}-----"))) => Err(KeyError::Public),
        (None, _) if text.contains("PRIVATE KEY-----") => Err(KeyError::Unusable),
        // A key in DER that happens to be text would be a wonder; base64 without its lines is not.
        (None, _) if decode(text).is_some_and(|der| der.first() == Some(&0x30)) => Err(KeyError::Binary),
        (None, _) => Err(KeyError::Absent),
    }
}

/// The one encrypted key of a file, in DER (`EncryptedPrivateKeyInfo`).
pub fn find_encrypted(octets: &[u8]) -> Result<Vec<u8>, KeyError> {
    let text = std::str::from_utf8(octets).map_err(|_| KeyError::Binary)?;
    let mut found = pem_blocks(text, "ENCRYPTED PRIVATE KEY").into_iter();
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(KeyError::Several),
        (None, _) => Err(KeyError::Unusable),
    }
}

/// Reads the private key of a file, for signing.
pub fn read_key(octets: &[u8]) -> Result<PrivateKey, KeyError> {
    find_key(octets)?.for_signing()
}

impl KeyDer {
    /// The key, for signing.
    pub fn for_signing(&self) -> Result<PrivateKey, KeyError> {
        let key = match self {
            Self::Pkcs8(der) => PrivateKey::from_pkcs8(der),
            Self::Pkcs1(der) => PrivateKey::from_pkcs1(der),
            Self::Sec1(der) => sec1_in_pkcs8(der).and_then(|der| PrivateKey::from_pkcs8(&der)),
        };
        key.ok_or(KeyError::Unusable)
    }

    /// The key as PKCS#8, however it was written.
    pub fn into_pkcs8(self) -> Option<Vec<u8>> {
        match self {
            Self::Pkcs8(der) => Some(der),
            Self::Pkcs1(der) => in_pkcs8(&RSA, &der),
            Self::Sec1(der) => sec1_in_pkcs8(&der),
        }
    }
}

/// The identifiers of an elliptic curve key on P-256 (RFC 5480), as `AlgorithmIdentifier`.
const EC_P256: [u8; 21] = [0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// Puts a key on P-256 into the form that ring reads; one on another curve names it inside, and is refused there.
fn sec1_in_pkcs8(der: &[u8]) -> Option<Vec<u8>> {
    in_pkcs8(&EC_P256, der)
}

/// The identifier of an RSA key (RFC 8017, appendix A.1), as `AlgorithmIdentifier`.
const RSA: [u8; 15] = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

fn in_pkcs8(algorithm: &[u8], der: &[u8]) -> Option<Vec<u8>> {
    let inner = [&[2, 1, 0][..], algorithm, &wrapped(4, der)?].concat();
    wrapped(0x30, &inner)
}

/// A DER value of fewer than 65,536 octets.
fn wrapped(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(content.len()).ok()?;
    let [high, low] = length.to_be_bytes();
    let head = match length {
        0..128 => vec![tag, low],
        128..256 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    Some([&head, content].concat())
}
