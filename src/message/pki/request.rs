//! Certificate requests (PKCS#10, RFC 2986): a key, and the proof that whoever asks has it.

use super::{algorithm_of, pem_blocks};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::prelude::FromDer;

/// What is taken from a request, and what is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key, as a `SubjectPublicKeyInfo` in DER.
    pub key: Vec<u8>,
    /// What else was asked for, for people; the authority sets it by its own profile.
    pub passed_over: Vec<String>,
}

/// Why a certificate request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// No request in PEM.
    Absent,
    /// A request that cannot be read.
    Damaged,
    /// A key of another algorithm or size than the profile allows.
    Key,
    /// The signature over the request is not that of its key, or of an algorithm that is not known.
    Proof,
}

impl std::fmt::Display for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Absent => "the file holds no certificate request in PEM (BEGIN CERTIFICATE REQUEST)",
            Self::Damaged => "the certificate request is damaged",
            Self::Key => "the key is not P-256, P-384, Ed25519 or RSA with 2048 to 4096 bits",
            Self::Proof => {
                "the request's signature is not that of its key, or not made with SHA-256, SHA-384, SHA-512 or Ed25519"
            }
        })
    }
}

impl std::error::Error for RequestError {}

/// Signatures with SHA-1, which prove nothing any more.
const SHA1: [&str; 2] = ["1.2.840.113549.1.1.5", "1.3.14.3.2.29"];

/// Reads a request in PEM and checks its proof.
pub fn read_request(text: &str) -> Result<Request, RequestError> {
    let labels = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
    let der = labels.iter().find_map(|label| pem_blocks(text, label).into_iter().next()).ok_or(RequestError::Absent)?;
    let (_, request) = X509CertificationRequest::from_der(&der).map_err(|_| RequestError::Damaged)?;
    let info = &request.certification_request_info;
    let algorithm = algorithm_of(&info.subject_pki).ok_or(RequestError::Key)?;
    crate::message::crypto::PublicKey::new(algorithm, &info.subject_pki.subject_public_key.data).ok_or(RequestError::Key)?;
    let signed_with = request.signature_algorithm.algorithm.to_id_string();
    if SHA1.contains(&signed_with.as_str()) || request.verify_signature().is_err() {
        return Err(RequestError::Proof);
    }
    let mut passed_over = Vec::new();
    let subject = info.subject.to_string();
    if !subject.is_empty() {
        passed_over.push(format!("subject {subject}"));
    }
    for attribute in info.attributes() {
        match attribute.parsed_attribute() {
            ParsedCriAttribute::ExtensionRequest(wanted) => {
                passed_over
                    .extend(wanted.extensions.iter().map(|wanted| format!("extension {}", name_of(&wanted.oid.to_id_string()))));
            }
            _ => passed_over.push(format!("attribute {}", attribute.oid.to_id_string())),
        }
    }
    Ok(Request { key: info.subject_pki.raw.to_vec(), passed_over })
}

/// The name of an extension that requests often ask for.
fn name_of(oid: &str) -> String {
    let name = match oid {
        "2.5.29.14" => "subjectKeyIdentifier",
        "2.5.29.15" => "keyUsage",
        "2.5.29.17" => "subjectAltName",
        "2.5.29.19" => "basicConstraints",
        "2.5.29.37" => "extendedKeyUsage",
        other => other,
    };
    name.to_owned()
}
