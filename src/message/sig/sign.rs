//! Making signed messages: what we write is canonical already and is hashed as it stands; what others wrote is read,
//! canonicalised and signed at the door.

use super::DSIG;
use crate::base::fault::{Code, Fault};
use crate::base::ids::Digest;
use crate::message::crypto::{Algorithm, Sha256, Signer, sha256};
use crate::message::xml::{Canonical, Event, Profile, Reader};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Why a document could not be signed.
#[derive(Debug)]
pub enum SignError {
    /// The document is not of the XML subset, or holds a signature already.
    Document(Fault),
    /// The key could not sign.
    Key,
}

impl std::fmt::Display for SignError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Document(fault) => fault.fmt(f),
            Self::Key => f.write_str("the key could not sign"),
        }
    }
}

impl std::error::Error for SignError {}

/// Signs a canonical message that has no signature: appends `ds:Signature` as the last child of its root. Gives the
/// signed message and its digest.
pub fn sign_envelope(canonical: &str, signer: &dyn Signer, certificate: Option<&[u8]>) -> Result<(String, Digest), SignError> {
    let digest = sha256(canonical.as_bytes());
    let signature = signature(&digest, signer, certificate)?;
    let end = canonical.rfind("</").unwrap_or(canonical.len());
    let (inside, close) = canonical.split_at_checked(end).unwrap_or((canonical, ""));
    Ok((format!("{inside}{signature}{close}"), digest))
}

/// Signs any message of the XML subset; its octets are kept as they are.
pub fn sign(octets: &[u8], signer: &dyn Signer, certificate: Option<&[u8]>) -> Result<Vec<u8>, SignError> {
    let refused =
        |violation: crate::message::xml::Violation| SignError::Document(Fault::at(violation.code, violation.to_string()));
    let mut reader = Reader::new(octets, Profile::Message).map_err(refused)?;
    let mut canonical = Canonical::new(octets, Sha256::new());
    let mut root_end = None;
    loop {
        let event = reader.next().map_err(refused)?;
        match &event {
            Event::Done => break,
            Event::Start(start) if start.is(DSIG, "Signature") => {
                return Err(SignError::Document(Fault::at(Code::SigProfile, "the message holds a signature already")));
            }
            Event::End { raw, at, .. } => root_end = Some((*at, raw.is_empty())),
            _ => {}
        }
        canonical.event(&event).map_err(refused)?;
    }
    let signature = signature(&canonical.finish().finish(), signer, certificate)?;
    match root_end {
        Some((at, false)) => {
            let (inside, close) = octets.split_at_checked(at).unwrap_or((octets, b""));
            Ok([inside, signature.as_bytes(), close].concat())
        }
        _ => Err(SignError::Document(Fault::at(Code::MsgStructure, "an empty message"))),
    }
}

fn signature(digest: &Digest, signer: &dyn Signer, certificate: Option<&[u8]>) -> Result<String, SignError> {
    let info = signed_info(digest, signer.algorithm());
    let value = BASE64.encode(signer.sign(info.as_bytes()).map_err(|crate::message::crypto::SigningFailed| SignError::Key)?);
    // The canonical form of SignedInfo declares its namespace; inside Signature it is inherited.
    let inherited = info.replacen(" xmlns=\"http://www.w3.org/2000/09/xmldsig#\"", "", 1);
    let key_info = certificate.map_or(String::new(), |der| {
        format!("<KeyInfo><X509Data><X509Certificate>{}</X509Certificate></X509Data></KeyInfo>", BASE64.encode(der))
    });
    Ok(format!("<Signature xmlns=\"{DSIG}\">{inherited}<SignatureValue>{value}</SignatureValue>{key_info}</Signature>"))
}

fn signed_info(digest: &Digest, algorithm: Algorithm) -> String {
    let (method, digest) = (algorithm.uri(), BASE64.encode(digest.octets()));
    format!(
        "<SignedInfo xmlns=\"{DSIG}\"><CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">\
         </CanonicalizationMethod><SignatureMethod Algorithm=\"{method}\"></SignatureMethod><Reference URI=\"\"><Transforms>\
         <Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></Transform>\
         <Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></Transform></Transforms>\
         <DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></DigestMethod>\
         <DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
    )
}
