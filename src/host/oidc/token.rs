//! ID tokens (OpenID Connect Core 1.0, sections 2 and 3.1.3.7) and the keys that they are verified with (RFC 7517).
//!
//! The crate `jsonwebtoken` takes tokens apart and verifies their signatures, which the room `crypto` computes; what times, nonce and parties
//! have to be is said here. RS256, PS256, ES256 and EdDSA are believed (RFC 7518, section 3.1; RFC 8037, section 3.1). What is made with a
//! shared secret, or not signed, is refused before any key is looked at.

use super::fault::{OidcError, Place};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::crypto::{self, Padding, PublicKey, RsaNumbers};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, new_error};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::signature;
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The algorithms that are believed.
pub(super) const ALGORITHMS: [(&str, Algorithm); 4] =
    [("RS256", Algorithm::RS256), ("PS256", Algorithm::PS256), ("ES256", Algorithm::ES256), ("EdDSA", Algorithm::EdDSA)];

/// The keys of a provider.
pub(super) struct Keys(Vec<Jwk>);

impl Keys {
    /// Reads a set of keys. Keys of a kind that is not known are left out, as RFC 7517, section 5, has it.
    pub fn read(octets: &[u8]) -> Result<Self, OidcError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set =
            serde_json::from_slice(octets).map_err(|_| OidcError::Malformed(Place::Keys, "there is no list of keys"))?;
        if set.keys.len() > limits::OIDC_KEYS_MAX {
            return Err(OidcError::Malformed(Place::Keys, "there are more than 100"));
        }
        Ok(Self(set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect()))
    }

    /// The key that a header names; if it names none, the only one that fits (OpenID Connect Core 1.0, section 10.1).
    fn find(&self, header: &Header) -> Option<DecodingKey> {
        let is_named = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
        let mut fitting = self.0.iter().filter(is_named).filter_map(|key| fitting(key, header.alg));
        let first = fitting.next()?;
        fitting.next().is_none().then_some(first)
    }
}

/// A key, if it is for verifying signatures of this algorithm.
fn fitting(key: &Jwk, algorithm: Algorithm) -> Option<DecodingKey> {
    let common = &key.common;
    let is_for_it = common.key_algorithm.is_none_or(|named| named == KeyAlgorithm::from(algorithm))
        && common.public_key_use.as_ref().is_none_or(|named| *named == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|named| named.contains(&KeyOperations::Verify));
    let is_of_curve = match &key.algorithm {
        AlgorithmParameters::EllipticCurve(numbers) => numbers.curve == EllipticCurve::P256,
        AlgorithmParameters::OctetKeyPair(numbers) => numbers.curve == EllipticCurve::Ed25519,
        _ => true,
    };
    let decoding = DecodingKey::from_jwk(key).ok().filter(|_| is_for_it && is_of_curve)?;
    verifier(&algorithm, &decoding).is_ok().then_some(decoding)
}

/// What a token has to be.
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub access_token: Option<&'a str>,
    pub now: UnixTime,
}

/// What a token says that is what it has to be.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub sub: String,
    aud: Value,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    at_hash: Option<String>,
    auth_time: Option<f64>,
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl Claims {
    /// Verifies a token and holds what it says against what it has to be.
    pub fn verify(token: &str, keys: &Keys, expected: &Expected) -> Result<Self, OidcError> {
        // What has another algorithm, or "none", has a header that cannot be read, or is found here.
        let header = decode_header(token).map_err(|_| OidcError::NotSigned)?;
        if !ALGORITHMS.iter().any(|(_, algorithm)| *algorithm == header.alg) {
            return Err(OidcError::NotSigned);
        }
        let key = keys.find(&header).ok_or(OidcError::UnknownKey)?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[expected.issuer]);
        validation.set_audience(&[expected.client_id]);
        validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
        // The crate reads the clock itself and knows nothing of `iat`: times are looked at below.
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        // `decode` asks for it; all but the first time it is there already.
        let _ = RING.install_default();
        let claims = decode::<Self>(token, &key, &validation).map_err(|error| of_crate(&error))?.claims;
        claims.check(header.alg, expected)?;
        Ok(claims)
    }

    /// When the person signed in at the provider.
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.auth_time.filter(|seconds| *seconds >= 0.0).map(|seconds| UnixTime::from_ms((seconds * 1000.0) as u64))
    }

    fn check(&self, algorithm: Algorithm, expected: &Expected) -> Result<(), OidcError> {
        // The crate takes a list of issuers; that there is one, and that it is this one, is in the type and here.
        if self.iss != expected.issuer {
            return Err(OidcError::Issuer);
        }
        if !(1..=255).contains(&self.sub.len()) || !self.sub.is_ascii() {
            return Err(OidcError::TokenForm);
        }
        // That it is for us the crate has seen.
        let is_for_several = self.aud.as_array().is_some_and(|all| all.len() > 1);
        match &self.azp {
            None if is_for_several => return Err(OidcError::AuthorizedParty),
            Some(party) if party != expected.client_id => return Err(OidcError::AuthorizedParty),
            _ => {}
        }
        let (now, skew) = (expected.now.as_ms() as f64 / 1000.0, limits::OIDC_SKEW_MS as f64 / 1000.0);
        if self.exp + skew <= now {
            return Err(OidcError::Expired);
        }
        if self.iat > now + skew || self.nbf.is_some_and(|from| from > now + skew) {
            return Err(OidcError::Early);
        }
        if self.nonce.as_deref() != Some(expected.nonce) {
            return Err(OidcError::Nonce);
        }
        match (&self.at_hash, expected.access_token) {
            (Some(hash), Some(token)) if *hash != half_hash(algorithm, token) => Err(OidcError::AccessToken),
            (Some(_), None) => Err(OidcError::AccessToken),
            _ => Ok(()),
        }
    }
}

/// The left half of an access token's hash, by the hash of the algorithm (OpenID Connect Core 1.0, section 3.1.3.6).
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    match algorithm {
        // Ed25519 hashes with SHA-512 (RFC 8032, section 5.1).
        Algorithm::EdDSA => URL_SAFE_NO_PAD.encode(&crypto::sha512(token.as_bytes())[..32]),
        _ => URL_SAFE_NO_PAD.encode(&crypto::sha256(token.as_bytes()).octets()[..16]),
    }
}

fn of_crate(error: &Error) -> OidcError {
    match error.kind() {
        ErrorKind::InvalidSignature => OidcError::Signature,
        ErrorKind::InvalidAlgorithm => OidcError::NotSigned,
        ErrorKind::InvalidIssuer => OidcError::Issuer,
        ErrorKind::InvalidAudience => OidcError::Audience,
        _ => OidcError::TokenForm,
    }
}

/// How the crate comes to signatures: by the room `crypto`, which has them from ring. Nothing is signed.
static RING: CryptoProvider =
    CryptoProvider { signer_factory: signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };

struct Verifier {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Rsa(RsaNumbers, Padding),
    Other(PublicKey),
}

fn signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(new_error(ErrorKind::UnsupportedAlgorithm))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let padding = match algorithm {
        Algorithm::RS256 => Some(Padding::Pkcs1),
        Algorithm::PS256 => Some(Padding::Pss),
        _ => None,
    };
    let found = match (key.kind(), padding, algorithm) {
        _ if key.family() != algorithm.family() => None,
        (DecodingKeyKind::RsaModulusExponent { n, e }, Some(padding), _) => {
            Some(Key::Rsa(RsaNumbers { modulus: n.clone(), exponent: e.clone() }, padding))
        }
        (DecodingKeyKind::SecretOrDer(octets), None, Algorithm::ES256) => {
            PublicKey::new(crypto::Algorithm::EcdsaP256, octets).map(Key::Other)
        }
        (DecodingKeyKind::SecretOrDer(octets), None, Algorithm::EdDSA) => {
            PublicKey::new(crypto::Algorithm::Ed25519, octets).map(Key::Other)
        }
        _ => None,
    };
    let key = found.ok_or_else(|| new_error(ErrorKind::InvalidKeyFormat))?;
    Ok(Box::new(Verifier { algorithm: *algorithm, key }))
}

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match &self.key {
            Key::Rsa(key, padding) => key.verify(*padding, message, signature),
            Key::Other(key) => key.verify(message, signature),
        };
        verified.map_err(|crypto::BadSignature| signature::Error::new())
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
