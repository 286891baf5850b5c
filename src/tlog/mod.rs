//! The evidence log: what a record says, and the proof that it is durable.
//!
//! A leaf is UTF-8 JSON with sorted keys, no spaces, strings and integers only (RFC 8785 holds trivially), at most
//! 1 KiB, and holds nothing that would ever need erasing: no identifier, no name, no free text of a person. Over the
//! leaves stands a Merkle tree ([`tree`]), which checkpoints sign ([`note`]) and receipts stand on ([`proof`]).

pub mod note;
pub mod policy;
pub mod proof;
pub mod tiles;
pub mod tree;

use crate::envelope::World;
use crate::fault;
use crate::ids::{AgencyId, Code, Digest, MessageId, Uuid};
use crate::limits;
use crate::time::UnixTime;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write;
use std::sync::Arc;

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A permitted request, before it is forwarded.
    Request,
    /// An answer, before it is released.
    Answer,
    /// A refusal or failure, before it is answered.
    Refusal,
}

impl RecordKind {
    /// The word in the leaf.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "req",
            Self::Answer => "rsp",
            Self::Refusal => "err",
        }
    }
}

/// One verdict or effect. The log line, the metrics and the leaf are all written from it.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it is of.
    pub kind: RecordKind,
    /// When it was decided.
    pub time: UnixTime,
    /// The id of the request, also in the record of its answer.
    pub message: Option<MessageId>,
    /// The digest of the message that the record is of.
    pub digest: Option<Digest>,
    /// The digest of the message that it answers.
    pub counterpart: Option<Digest>,
    /// Who asked.
    pub consumer: Option<AgencyId>,
    /// Who holds.
    pub provider: Option<AgencyId>,
    /// What was asked for.
    pub document_type: Option<Code>,
    /// For which purpose.
    pub purpose: Option<Code>,
    /// On which legal basis.
    pub basis: Option<Arc<str>>,
    /// By which grant.
    pub grant: Option<Code>,
    /// In which case.
    pub case: Option<Uuid>,
    /// By which version of the registry.
    pub registry_version: u64,
    /// Why it was refused.
    pub code: Option<fault::Code>,
    /// How many octets came.
    pub octets: u64,
    /// SHA-256 of octets that could not be read as a message.
    pub raw: Option<Digest>,
    /// SHA-256 of the client certificate.
    pub system: Option<Digest>,
    /// Test or live.
    pub world: World,
    /// How long the exchange took so far, in microseconds; not part of the leaf.
    pub elapsed_us: u64,
}

impl Record {
    /// A record that says only what it is of and when.
    pub fn new(kind: RecordKind, time: UnixTime) -> Self {
        Self {
            kind,
            time,
            message: None,
            digest: None,
            counterpart: None,
            consumer: None,
            provider: None,
            document_type: None,
            purpose: None,
            basis: None,
            grant: None,
            case: None,
            registry_version: 0,
            code: None,
            octets: 0,
            raw: None,
            system: None,
            world: World::Live,
            elapsed_us: 0,
        }
    }

    /// The leaf. Keys: `b` legal basis, `case`, `d` document type, `e` fault code, `g` grant, `h` digest of the message,
    /// `k` kind, `m` message id, `o` octets, `p` purpose, `q` digest of the message answered, `r` registry version,
    /// `s` provider, `t` milliseconds since the epoch, `test`, `u` consumer, `v` version of this form, `w` SHA-256 of
    /// unreadable octets, `x` SHA-256 of the client certificate.
    pub fn leaf(&self) -> String {
        let mut leaf = String::with_capacity(512);
        leaf.push('{');
        // A legal basis is the only long text; cut, it still names the law.
        let basis = self.basis.as_deref().map(|basis| basis.get(..basis.floor_char_boundary(200)).unwrap_or(basis));
        text("b", basis, &mut leaf);
        shown("case", self.case.as_ref(), &mut leaf);
        shown("d", self.document_type.as_ref(), &mut leaf);
        shown("e", self.code.as_ref(), &mut leaf);
        shown("g", self.grant.as_ref(), &mut leaf);
        digest("h", self.digest.as_ref(), &mut leaf);
        text("k", Some(self.kind.as_str()), &mut leaf);
        shown("m", self.message.as_ref(), &mut leaf);
        integer("o", self.octets, &mut leaf);
        shown("p", self.purpose.as_ref(), &mut leaf);
        digest("q", self.counterpart.as_ref(), &mut leaf);
        integer("r", self.registry_version, &mut leaf);
        shown("s", self.provider.as_ref(), &mut leaf);
        integer("t", self.time.as_ms(), &mut leaf);
        text("test", (self.world == World::Test).then_some("1"), &mut leaf);
        shown("u", self.consumer.as_ref(), &mut leaf);
        integer("v", 1, &mut leaf);
        digest("w", self.raw.as_ref(), &mut leaf);
        digest("x", self.system.as_ref(), &mut leaf);
        leaf.push('}');
        assert!(leaf.len() <= limits::LEAF_BYTES_MAX, "the parts of a leaf are bounded so that it fits");
        leaf
    }
}

/// Ids, codes and digests are of characters that JSON writes as they are.
fn shown(key: &str, value: Option<&impl std::fmt::Display>, out: &mut String) {
    if let Some(value) = value {
        comma(out);
        let _ = write!(out, "\"{key}\":\"{value}\"");
    }
}

/// Digests are written in base64url without padding (RFC 4648, section 5): 43 characters.
fn digest(key: &str, value: Option<&Digest>, out: &mut String) {
    text(key, value.map(|digest| URL_SAFE_NO_PAD.encode(digest.octets())).as_deref(), out);
}

fn integer(key: &str, value: u64, out: &mut String) {
    comma(out);
    let _ = write!(out, "\"{key}\":{value}");
}

/// RFC 8785, section 3.2.2.2: only the quotation mark, the reverse solidus and controls are escaped.
fn text(key: &str, value: Option<&str>, out: &mut String) {
    let Some(value) = value else { return };
    comma(out);
    let _ = write!(out, "\"{key}\":\"");
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

fn comma(out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
}

/// The proof that a record is durable. Only a store makes it, after its flush has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Logged {
    index: u64,
}

impl Logged {
    /// For the stores, which call it only for records that `fdatasync` has covered; `tests/it/tidy.rs` holds them to it.
    #[cfg_attr(not(feature = "server"), expect(dead_code, reason = "the core has no store"))]
    pub(crate) const fn durable(index: u64) -> Self {
        Self { index }
    }

    /// The index of the record in the log.
    pub const fn index(&self) -> u64 {
        self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_sorted_and_fits_at_its_longest() {
        let mut record = Record::new(RecordKind::Refusal, UnixTime::from_ms(u64::MAX));
        let name = format!("xx{}.{}", format!(".{}", "a".repeat(40)).repeat(2), "a".repeat(limits::AGENCY_BYTES_MAX - 85));
        record.message = Some(MessageId::new(UnixTime::from_ms(1), [0; 10]));
        let digest = Some(Digest::from_octets([0xff; 32]));
        // Octets that could not be read have no digest as a message.
        (record.digest, record.counterpart, record.raw, record.system) = (digest, digest, None, digest);
        (record.consumer, record.provider) = (AgencyId::parse(&name), AgencyId::parse(&name));
        record.basis = Some("Ж".repeat(200).into());
        let code = Code::parse(&"c".repeat(64));
        (record.document_type, record.purpose, record.grant) = (code.clone(), code.clone(), code);
        record.case = Uuid::parse("01990a5c-0000-7000-8000-000000000001");
        (record.code, record.octets, record.registry_version) = (Some(fault::Code::XmlLimit), u64::MAX, u64::MAX);
        let leaf = record.leaf();
        assert!(leaf.len() > 900, "{}", leaf.len());
    }

    #[test]
    fn a_leaf_is_plain_json() {
        let mut record = Record::new(RecordKind::Answer, UnixTime::from_ms(7));
        record.basis = Some("a \"law\" \\ \u{1}".into());
        assert_eq!(record.leaf(), r#"{"b":"a \"law\" \\ \u0001","k":"rsp","o":0,"r":0,"t":7,"v":1}"#);
    }
}
