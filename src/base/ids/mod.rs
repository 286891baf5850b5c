//! Names of things, each a type that can only be made by parsing.
//!
//! Comparison is byte for byte everywhere: no case folding, no trimming, no Unicode. Identifiers of persons are
//! personal data, so [`Identifier`] prints its scheme only.

mod mail;
mod scheme;

pub use mail::MailAddress;
pub use scheme::{CheckDigitError, Expected};

use crate::base::time::UnixTime;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::sync::Arc;

/// The name of an agency: `ru.yar.school-17`. Two lower-case letters, then one to five labels of up to 40 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgencyId(Arc<str>);

impl AgencyId {
    /// Reads a name of the form `[a-z]{2}(\.[a-z0-9-]{1,40}){1,5}`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut labels = text.split('.');
        let country = labels.next()?;
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        let mut count = 0;
        for label in labels {
            let fits = (1..=40).contains(&label.len());
            if !fits || !label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
                return None;
            }
            count += 1;
        }
        (1..=5).contains(&count).then(|| Self(text.into()))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URI that stands for the agency in the subject alternative name of its certificates.
    pub fn urn(&self) -> String {
        format!("urn:oncegate:agency:{}", self.0)
    }

    /// Reads the form that [`AgencyId::urn`] writes.
    pub fn from_urn(urn: &str) -> Option<Self> {
        Self::parse(urn.strip_prefix("urn:oncegate:agency:")?)
    }
}

impl fmt::Display for AgencyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A code: `[a-z0-9][a-z0-9.-]{0,63}`; purposes, document types, situations, steps and roles are codes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(Arc<str>);

impl Code {
    /// Reads a code.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let good = bytes.first().is_some_and(plain)
            && bytes.len() <= 64
            && bytes.iter().all(|byte| plain(byte) || matches!(byte, b'.' | b'-'));
        good.then(|| Self(text.into()))
    }

    /// The code as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A region by ISO 3166-2: `RU-YAR`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// Reads a region of the form `[A-Z]{2}-[A-Z0-9]{1,3}`.
    pub fn parse(text: &str) -> Option<Self> {
        let (country, part) = text.split_once('-')?;
        let is_good = country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase())
            && (1..=3).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        is_good.then(|| Self(text.into()))
    }

    /// The region as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message id: a UUID of version 7 (RFC 9562, section 5.7) in lower case, so that it carries its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// Reads a UUID of version 7 and variant 10.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(parse_uuid(text)?);
        (id.0[6] >> 4 == 7 && id.0[8] >> 6 == 2).then_some(id)
    }

    /// Makes an id for the time `now` from 10 random octets.
    pub fn new(now: UnixTime, random: [u8; 10]) -> Self {
        let mut octets = [0; 16];
        octets[..6].copy_from_slice(&now.as_ms().to_be_bytes()[2..]);
        octets[6..].copy_from_slice(&random);
        octets[6] = octets[6] & 0x0f | 0x70;
        octets[8] = octets[8] & 0x3f | 0x80;
        Self(octets)
    }

    /// The 16 octets, whose order is the order of time.
    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id with these octets, if they are of version 7.
    pub fn from_octets(octets: [u8; 16]) -> Option<Self> {
        (octets[6] >> 4 == 7 && octets[8] >> 6 == 2).then_some(Self(octets))
    }

    /// The time that the id carries.
    pub fn time(&self) -> UnixTime {
        let mut ms = [0; 8];
        ms[2..].copy_from_slice(&self.0[..6]);
        UnixTime::from_ms(u64::from_be_bytes(ms))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_uuid(&self.0, f)
    }
}

/// Any UUID in lower case: cases, consents, documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// The UUID with these octets.
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Reads a UUID of any version.
    pub fn parse(text: &str) -> Option<Self> {
        parse_uuid(text).map(Self)
    }

    /// The octets.
    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// An id of version 7 with the time of another one and 74 bits of a digest: the same each time, and nobody's choice.
    pub fn derived(time_of: &[u8; 16], from: &Digest) -> Self {
        let mut octets = *time_of;
        for (place, octet) in octets.iter_mut().zip(from.octets()).skip(6) {
            *place = *octet;
        }
        octets[6] = octets[6] & 0x0f | 0x70;
        octets[8] = octets[8] & 0x3f | 0x80;
        Self(octets)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_uuid(&self.0, f)
    }
}

/// A SHA-256 digest: of a message, a certificate, an attachment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest with these octets.
    pub const fn from_octets(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// Reads 64 hexadecimal digits in lower case.
    pub fn parse_hex(text: &str) -> Option<Self> {
        let mut octets = [0; 32];
        if text.len() != 64 {
            return None;
        }
        for (octet, pair) in octets.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *octet = hex_digit(*pair.first()?)? << 4 | hex_digit(*pair.get(1)?)?;
        }
        Some(Self(octets))
    }

    /// Reads 43 characters of base64url (RFC 4648, section 5).
    pub fn parse_base64url(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// 43 characters of base64url without padding (RFC 4648, section 5).
    pub fn to_base64url(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The octets.
    pub const fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An identifier of a person or an organisation in its scheme, its check digits verified.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    scheme: Box<str>,
    value: Box<str>,
}

impl Identifier {
    /// Reads an identifier whose scheme has the form `[A-Z]{2}-[A-Z0-9]{2,16}` and verifies its check digits where
    /// the scheme defines them. A scheme that the gateway does not know is taken as it is.
    pub fn parse(scheme: &str, value: &str) -> Result<Self, CheckDigitError> {
        scheme::verify(scheme, value)?;
        Ok(Self { scheme: scheme.into(), value: value.into() })
    }

    /// Whether a text has the form of a scheme's name.
    pub fn is_scheme(scheme: &str) -> bool {
        scheme::is_scheme(scheme)
    }

    /// The schemes whose check digits are verified; one whose forms are several comes as often.
    pub fn schemes() -> impl Iterator<Item = &'static str> {
        scheme::names()
    }

    /// The identifier with this number in the scheme `XX-OGTEST`, whose people do not exist: for tests and examples.
    pub fn synthetic(number: u32) -> Self {
        Self { scheme: "XX-OGTEST".into(), value: scheme::synthetic(number).into() }
    }

    /// The scheme: `RU-SNILS`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The value. Personal data: it goes into messages, never into logs, metrics or faults.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({}:…)", self.scheme)
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|&at| bytes.get(at) != Some(&b'-')) {
        return None;
    }
    let mut octets = [0; 16];
    let mut digits = bytes.iter().enumerate().filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23)).map(|(_, byte)| *byte);
    for octet in &mut octets {
        *octet = hex_digit(digits.next()?)? << 4 | hex_digit(digits.next()?)?;
    }
    Some(octets)
}

fn write_uuid(octets: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // In one piece: whatever it is written to makes room once.
    let mut text = [b'-'; 36];
    // After 4, 6, 8 and 10 octets stands a hyphen (RFC 9562, section 4).
    let places = (0..36).filter(|at| !matches!(at, 8 | 13 | 18 | 23));
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 0xf]);
    for (at, digit) in places.zip(digits) {
        if let (Some(place), Some(digit)) = (text.get_mut(at), b"0123456789abcdef".get(usize::from(digit))) {
            *place = *digit;
        }
    }
    f.write_str(std::str::from_utf8(&text).unwrap_or_default())
}

/// Lower case only: one spelling for one value.
fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agency_names_have_one_form() {
        for good in ["ru.zags", "ru.yar.school-17", "xx.a.b.c.d.e"] {
            assert!(AgencyId::parse(good).is_some(), "{good}");
        }
        for bad in ["", "ru", "ru.", "RU.zags", "ru.Zags", "ru.a.b.c.d.e.f", "ru..a", "rus.a", "ru.a_b", "ru.zags "] {
            assert!(AgencyId::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn message_ids_carry_their_time() {
        let id = MessageId::parse("01990a5d-ac96-774b-8cce-b302099a8057").expect("a UUIDv7");
        assert_eq!(id.time().to_string(), "2025-09-02T12:18:55.254Z");
        assert_eq!(id.to_string(), "01990a5d-ac96-774b-8cce-b302099a8057");
        let made = MessageId::new(UnixTime::from_ms(1_772_601_129_007), [0xff; 10]);
        assert_eq!(made.time().as_ms(), 1_772_601_129_007);
        assert_eq!(MessageId::parse(&made.to_string()), Some(made));
    }

    #[test]
    fn other_uuids_are_no_message_ids() {
        for bad in [
            "01990a5d-ac96-474b-8cce-b302099a8057",
            "01990A5D-ac96-774b-8cce-b302099a8057",
            "01990a5d-ac96-774b-0cce-b302099a8057",
            "01990a5dac96774b8cceb302099a8057",
        ] {
            assert!(MessageId::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_identifier_never_prints_its_value() {
        let id = Identifier::parse("RU-SNILS", "11223344595").expect("valid check digits");
        assert!(!format!("{id:?}").contains("112"));
    }
}
