//! The signature profile `og-sig-1` (`message.md` section 3): XML Signature, enveloped, the whole document, exclusive
//! canonicalisation, SHA-256, and a closed grammar for everything inside `ds:Signature`.
//!
//! [`read`] looks at the octets once: canonical form, digest, signature and the caller's values come out of the same
//! pass, so what is used is what was hashed. Its result is of no use until [`Unverified::verify`] has turned it into a
//! [`Verified`], which nothing else can make.
//!
//! ```compile_fail,E0616
//! // The value cannot be reached before the signature is checked.
//! fn leak<V>(message: oncegate::message::sig::Unverified<V>) -> V { message.value }
//! ```
//! ```compile_fail,E0451
//! // A proof cannot be made by hand.
//! let forged = oncegate::message::sig::Verified { value: 1, digest: oncegate::message::crypto::sha256(b""), thumbprint: None };
//! ```

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

mod grammar;
mod sign;

pub use sign::{SignError, sign, sign_envelope};

use crate::base::fault::{Code, Fault};
use crate::base::ids::Digest;
use crate::message::crypto::{Algorithm, PublicKey, Sha256, equal, sha256};
use crate::message::xml::{Canonical, Event, Octets, Profile, Reader, Start, Violation, Visitor};
use grammar::Grammar;

/// The namespace of XML Signature.
pub const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";

/// A message that was read but not verified: all that can be learnt is what it claims.
pub struct Unverified<V> {
    value: V,
    digest: Digest,
    signed_info: Vec<u8>,
    signature: Vec<u8>,
    algorithm: Algorithm,
    thumbprint: Option<Digest>,
    certificate: Option<Vec<u8>>,
}

/// A value that was read from octets whose signature is valid.
#[derive(Debug)]
pub struct Verified<V> {
    value: V,
    digest: Digest,
    thumbprint: Option<Digest>,
}

/// What a reader says of a message before it is verified: enough to find the key.
pub trait Claim {
    /// What is claimed.
    type Claimed;
    /// The claim, never to be used for anything but finding the key and writing the refusal's record.
    fn claimed(&self) -> Self::Claimed;
}

impl<V> Unverified<V> {
    /// What the message claims.
    pub fn claimed(&self) -> V::Claimed
    where
        V: Claim,
    {
        self.value.claimed()
    }

    /// The digest of the message: its identity.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The SHA-256 of the certificate in `KeyInfo`: a key to look up, never a source of trust.
    pub fn thumbprint(&self) -> Option<Digest> {
        self.thumbprint
    }

    /// The certificate in `KeyInfo`, for tools that check its path themselves; the gateway never does.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// The algorithm that the message states.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks the signature with the enrolled key. The algorithm is the key's; the message must state the same.
    pub fn verify(self, key: &PublicKey) -> Result<Verified<V>, Fault> {
        if key.algorithm() != self.algorithm {
            return Err(Fault::new(Code::SigAlgorithm));
        }
        key.verify(&self.signed_info, &self.signature)
            .map_err(|crate::message::crypto::BadSignature| Fault::new(Code::SigInvalid))?;
        Ok(Verified { value: self.value, digest: self.digest, thumbprint: self.thumbprint })
    }
}

impl<V> Verified<V> {
    /// The value.
    pub fn value(&self) -> &V {
        &self.value
    }

    /// The digest of the message.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The SHA-256 of the certificate in `KeyInfo`.
    pub fn thumbprint(&self) -> Option<Digest> {
        self.thumbprint
    }

    /// Spends the proof for what it proves.
    pub fn into_value(self) -> V {
        self.value
    }
}

impl Octets for Sha256 {
    fn put(&mut self, octets: &[u8]) {
        self.update(octets);
    }
}

/// Why a message could not be read.
#[derive(Debug)]
pub struct ReadFault<V> {
    /// The refusal.
    pub fault: Fault,
    /// What had been read up to there; of use only for the refusal's record.
    pub value: V,
}

/// Takes no notice of what is read, where the signature alone matters.
pub struct Unread;

impl Visitor for Unread {
    type Error = Fault;

    fn start(&mut self, _: &Start<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn text(&mut self, _: &str, _: usize) -> Result<(), Fault> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Reads a message: XML, canonical form, digest and the closed grammar of the signature, in one pass. The visitor sees
/// all of the document but `ds:Signature`, and may stop with a fault of its own.
pub fn read<V: Visitor<Error = Fault>>(octets: &[u8], mut visitor: V) -> Result<Unverified<V>, ReadFault<V>> {
    match scan(octets, &mut visitor) {
        Ok(Scanned { digest, parts }) => Ok(Unverified {
            value: visitor,
            digest,
            signed_info: parts.signed_info,
            signature: parts.signature,
            algorithm: parts.algorithm,
            thumbprint: parts.certificate.as_deref().map(sha256),
            certificate: parts.certificate,
        }),
        Err(fault) => Err(ReadFault { fault, value: visitor }),
    }
}

struct Scanned {
    digest: Digest,
    parts: grammar::Parts,
}

fn scan<V: Visitor<Error = Fault>>(octets: &[u8], visitor: &mut V) -> Result<Scanned, Fault> {
    let mut reader = Reader::new(octets, Profile::Message).map_err(|violation| refusal(&violation, ""))?;
    let mut document = Canonical::new(octets, Sha256::new());
    let mut signature: Option<Grammar<'_>> = None;
    loop {
        // Looked at where it lies: moving it out of the result costs more than reading it did.
        let event = reader.next();
        let event = match &event {
            Ok(event) => event,
            Err(violation) => {
                let violation = violation.clone();
                return Err(refusal(&violation, &reader.path()));
            }
        };
        match (event, &mut signature) {
            (Event::Done, _) => break,
            (_, Some(grammar)) if !grammar.is_done() => grammar.event(event)?,
            (Event::Start(start), None) if start.is(DSIG, "Signature") => {
                if start.depth() != 2 {
                    return Err(Fault::at(
                        Code::SigProfile,
                        format!("ds:Signature is not the last child of the root, at byte {}", start.at()),
                    ));
                }
                signature = Some(Grammar::new(octets, start)?);
            }
            (Event::Start(start), Some(_)) => {
                return Err(Fault::at(Code::SigProfile, format!("an element after ds:Signature, at byte {}", start.at())));
            }
            _ => {
                document.event(event).map_err(|violation| refusal(&violation, ""))?;
                visit(event, visitor)?;
            }
        }
    }
    let parts = signature.ok_or_else(|| Fault::new(Code::SigMissing))?.finish()?;
    let digest = document.finish().finish();
    if !equal(&digest, &parts.digest) {
        return Err(Fault::new(Code::SigDigest));
    }
    Ok(Scanned { digest, parts })
}

fn visit<V: Visitor<Error = Fault>>(event: &Event<'_, '_>, visitor: &mut V) -> Result<(), Fault> {
    match event {
        Event::Start(start) => visitor.start(start),
        Event::Text { text, at, .. } => visitor.text(text, *at),
        Event::End { .. } => visitor.end(),
        Event::Done => Ok(()),
    }
}

fn refusal(violation: &Violation, path: &str) -> Fault {
    let detail = if path.is_empty() { violation.to_string() } else { format!("{violation}, in {path}") };
    Fault::at(violation.code, detail)
}

#[cfg(test)]
mod tests;
