//! The only user of ring: digests, signature verification, signing, sealing, random octets.
//!
//! Algorithms are those of the profile `og-sig-1` (`message.md` section 3), those that tokens of OpenID Connect are signed with (RFC 7518,
//! section 3.1), and no others.

use crate::base::ids::Digest;
use ring::rand::SecureRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RsaKeyPair, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use ring::{aead, digest, hmac, rand};

/// A signature algorithm. The registry names one per key; a message never chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256; the signature is r‖s in 64 octets.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384; per key opt-in, since it costs 14 times P-256 to verify.
    EcdsaP384,
    /// Ed25519 (RFC 8032, RFC 9231); per key opt-in.
    Ed25519,
    /// RSA PKCS#1 v1.5 with SHA-256, 2048 to 4096 bits.
    RsaSha256,
}

impl Algorithm {
    /// The URI of XML Signature (RFC 9231).
    pub const fn uri(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            Self::EcdsaP384 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
            Self::Ed25519 => "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
            Self::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        }
    }

    /// The algorithm with this URI.
    pub fn from_uri(uri: &str) -> Option<Self> {
        [Self::EcdsaP256, Self::RsaSha256, Self::Ed25519, Self::EcdsaP384].into_iter().find(|algorithm| algorithm.uri() == uri)
    }

    /// Whether a signature of this algorithm can have this many octets.
    pub const fn fits(self, octets: usize) -> bool {
        match self {
            Self::EcdsaP256 | Self::Ed25519 => octets == 64,
            Self::EcdsaP384 => octets == 96,
            Self::RsaSha256 => octets >= 256 && octets <= 512,
        }
    }

    /// What one verification costs, in verifications with P-256 (measured: P-384 528 µs against 38 µs).
    pub const fn price(self) -> u32 {
        match self {
            Self::EcdsaP384 => 14,
            _ => 1,
        }
    }
}

/// A public key with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    octets: Box<[u8]>,
}

/// A signature that is not the key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

impl PublicKey {
    /// A key from the octets of a `SubjectPublicKeyInfo`'s bit string: an uncompressed point, an Ed25519 key, or a
    /// DER `RSAPublicKey`.
    pub fn new(algorithm: Algorithm, octets: &[u8]) -> Option<Self> {
        let fits = match algorithm {
            Algorithm::EcdsaP256 => octets.len() == 65 && octets.first() == Some(&4),
            Algorithm::EcdsaP384 => octets.len() == 97 && octets.first() == Some(&4),
            Algorithm::Ed25519 => octets.len() == 32,
            // 4096 bits and the DER around them; ring refuses less than 2048 bits itself.
            Algorithm::RsaSha256 => (256..=530).contains(&octets.len()),
        };
        fits.then(|| Self { algorithm, octets: octets.into() })
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its octets, as in the bit string of a `SubjectPublicKeyInfo`.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Checks a signature over a message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let algorithm: &dyn VerificationAlgorithm = match self.algorithm {
            Algorithm::EcdsaP256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::EcdsaP384 => &ECDSA_P384_SHA384_FIXED,
            Algorithm::Ed25519 => &ED25519,
            Algorithm::RsaSha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        // ring hides the cause on purpose: a verifier that explains is an oracle.
        UnparsedPublicKey::new(algorithm, &self.octets)
            .verify(message, signature)
            .map_err(|ring::error::Unspecified| BadSignature)
    }
}

/// How RSA pads what it signs (RFC 8017, section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As in PKCS#1 v1.5.
    Pkcs1,
    /// PSS, with MGF1 of SHA-256 and a salt of 32 octets.
    Pss,
}

/// A public key of RSA by its numbers, as a JSON Web Key has it (RFC 7518, section 6.3.1); 2048 to 8192 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaNumbers {
    /// The modulus, its highest octet first.
    pub modulus: Vec<u8>,
    /// The exponent, its highest octet first.
    pub exponent: Vec<u8>,
}

impl RsaNumbers {
    /// Checks a signature over SHA-256 of a message.
    pub fn verify(&self, padding: Padding, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let algorithm = match padding {
            Padding::Pkcs1 => &RSA_PKCS1_2048_8192_SHA256,
            Padding::Pss => &RSA_PSS_2048_8192_SHA256,
        };
        let key = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        key.verify(algorithm, message, signature).map_err(|ring::error::Unspecified| BadSignature)
    }
}

/// Whoever can sign: a key in memory here, a hardware module elsewhere.
pub trait Signer: Send + Sync {
    /// The algorithm of its signatures.
    fn algorithm(&self) -> Algorithm;
    /// Signs a message.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed>;
}

/// The key could not sign: no randomness, or a key that is not of its algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningFailed;

/// A private key in memory.
pub struct PrivateKey(Kind);

enum Kind {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl PrivateKey {
    /// Reads a key in PKCS#8 (RFC 5208) or RFC 5958 form.
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let rng = rand::SystemRandom::new();
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &rng) {
            return Some(Self(Kind::P256(key)));
        }
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Some(Self(Kind::Ed25519(key)));
        }
        RsaKeyPair::from_pkcs8(der).ok().map(|key| Self(Kind::Rsa(Box::new(key))))
    }

    /// Reads an RSA key in the form of PKCS#1 (RFC 8017, appendix A.1.2).
    pub fn from_pkcs1(der: &[u8]) -> Option<Self> {
        RsaKeyPair::from_der(der).ok().map(|key| Self(Kind::Rsa(Box::new(key))))
    }

    /// The Ed25519 key with this seed (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(|key| Self(Kind::Ed25519(key)))
    }

    /// The public key that belongs to it.
    pub fn public_key(&self) -> Option<PublicKey> {
        let octets = match &self.0 {
            Kind::P256(key) => key.public_key().as_ref(),
            Kind::Ed25519(key) => key.public_key().as_ref(),
            Kind::Rsa(key) => key.public().as_ref(),
        };
        PublicKey::new(self.algorithm(), octets)
    }
}

impl Signer for PrivateKey {
    fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::P256(_) => Algorithm::EcdsaP256,
            Kind::Ed25519(_) => Algorithm::Ed25519,
            Kind::Rsa(_) => Algorithm::RsaSha256,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let rng = rand::SystemRandom::new();
        match &self.0 {
            Kind::P256(key) => key.sign(&rng, message).map(|value| value.as_ref().to_vec()).map_err(|_| SigningFailed),
            Kind::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            Kind::Rsa(key) => {
                let mut value = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &rng, message, &mut value).map_err(|_| SigningFailed)?;
                Ok(value)
            }
        }
    }
}

/// SHA-256 over octets that come in pieces.
pub struct Sha256(digest::Context);

impl Sha256 {
    /// An empty digest.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Takes the next octets.
    pub fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    /// The digest.
    pub fn finish(self) -> Digest {
        to_digest(&self.0.finish())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// SHA-256 of some octets.
pub fn sha256(octets: &[u8]) -> Digest {
    to_digest(&digest::digest(&digest::SHA256, octets))
}

/// SHA-512 of some octets.
pub fn sha512(octets: &[u8]) -> [u8; 64] {
    let mut value = [0; 64];
    // ring's SHA-512 always has 64 octets.
    value.copy_from_slice(digest::digest(&digest::SHA512, octets).as_ref());
    value
}

fn to_digest(value: &digest::Digest) -> Digest {
    let mut octets = [0; 32];
    // ring's SHA-256 always has 32 octets.
    octets.copy_from_slice(value.as_ref());
    Digest::from_octets(octets)
}

/// Whether two digests are equal, in a time that does not depend on where they differ.
pub fn equal(left: &Digest, right: &Digest) -> bool {
    let difference = left.octets().iter().zip(right.octets()).fold(0_u8, |all, (left, right)| all | (left ^ right));
    std::hint::black_box(difference) == 0
}

/// No randomness could be had from the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness;

/// Random octets from the system.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut octets = [0; N];
    rand::SystemRandom::new().fill(&mut octets).map_err(|_| NoRandomness)?;
    Ok(octets)
}

/// A key of HMAC-SHA-256 (RFC 2104).
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// The key with these octets.
    pub fn new(octets: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, octets))
    }

    /// The tag of octets that come in pieces.
    pub fn tag(&self, pieces: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        pieces.iter().for_each(|piece| context.update(piece));
        let mut octets = [0; 32];
        // ring's HMAC-SHA-256 always has 32 octets.
        octets.copy_from_slice(context.sign().as_ref());
        octets
    }
}

/// Seals octets at rest with AES-256-GCM (NIST SP 800-38D): what is stored beside a leaf.
pub struct SealKey(aead::LessSafeKey);

/// Octets that were not sealed with this key, or not for this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSealed;

impl SealKey {
    /// The key with these octets.
    pub fn new(octets: &[u8; 32]) -> Option<Self> {
        aead::UnboundKey::new(&aead::AES_256_GCM, octets).ok().map(|key| Self(aead::LessSafeKey::new(key)))
    }

    /// Seals `octets` in place and appends the tag. `place` must never be used twice with one key: it is the nonce.
    pub fn seal(&self, place: u64, octets: &mut Vec<u8>) -> Result<(), NotSealed> {
        self.0.seal_in_place_append_tag(nonce(place), aead::Aad::empty(), octets).map_err(|_| NotSealed)
    }

    /// Opens what [`SealKey::seal`] sealed for `place`.
    pub fn open(&self, place: u64, octets: &mut Vec<u8>) -> Result<(), NotSealed> {
        let length = self.0.open_in_place(nonce(place), aead::Aad::empty(), octets).map_err(|_| NotSealed)?.len();
        octets.truncate(length);
        Ok(())
    }
}

fn nonce(place: u64) -> aead::Nonce {
    let mut octets = [0; 12];
    for (to, from) in octets.iter_mut().skip(4).zip(place.to_be_bytes()) {
        *to = from;
    }
    aead::Nonce::assume_unique_for_key(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let key = SealKey::new(&[7; 32]).expect("32 octets");
        let mut octets = b"an answer".to_vec();
        key.seal(3, &mut octets).expect("sealing");
        assert_ne!(&octets[..9], b"an answer");
        assert_eq!(key.open(4, &mut octets.clone()), Err(NotSealed));
        key.open(3, &mut octets).expect("opening");
        assert_eq!(octets, b"an answer");
    }
}
