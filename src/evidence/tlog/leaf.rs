//! A leaf as it is read back: what [`Record::leaf`](super::Record::leaf) wrote.

use crate::base::ids::Digest;
use serde::Deserialize;

/// What a leaf says. The keys of the file form stand beside the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Leaf {
    /// What was done, for records of other things than messages.
    #[serde(rename = "a")]
    pub action: Option<String>,
    /// The legal basis, as far as leaves have it.
    #[serde(rename = "b")]
    pub basis: Option<String>,
    /// The commitment to the private part.
    #[serde(rename = "c")]
    pub commitment: Option<String>,
    /// The case.
    pub case: Option<String>,
    /// The document type.
    #[serde(rename = "d")]
    pub document_type: Option<String>,
    /// The fault code.
    #[serde(rename = "e")]
    pub code: Option<String>,
    /// On whose behalf it was asked.
    #[serde(rename = "f")]
    pub principal: Option<String>,
    /// The grant.
    #[serde(rename = "g")]
    pub grant: Option<String>,
    /// The digest of the message.
    #[serde(rename = "h")]
    pub digest: Option<String>,
    /// The tags of the persons, one after the other.
    #[serde(rename = "i")]
    pub tags: Option<String>,
    /// Commitments to keys of the log.
    #[serde(rename = "j")]
    pub keys: Option<String>,
    /// The word of the kind.
    #[serde(rename = "k")]
    pub kind: String,
    /// Microseconds since the request came.
    #[serde(rename = "l")]
    pub elapsed_us: Option<u64>,
    /// The message id.
    #[serde(rename = "m")]
    pub message: Option<String>,
    /// Until when the citizen is not shown it, in milliseconds since 1970.
    #[serde(rename = "n")]
    pub withheld_until: Option<u64>,
    /// Octets.
    #[serde(rename = "o")]
    pub octets: u64,
    /// The purpose.
    #[serde(rename = "p")]
    pub purpose: Option<String>,
    /// The digest of the message answered.
    #[serde(rename = "q")]
    pub counterpart: Option<String>,
    /// The version of the registry.
    #[serde(rename = "r")]
    pub registry_version: u64,
    /// Who holds.
    #[serde(rename = "s")]
    pub provider: Option<String>,
    /// Milliseconds since 1970.
    #[serde(rename = "t")]
    pub time: u64,
    /// `1` in the test world.
    pub test: Option<String>,
    /// In whose place the provider stands.
    #[serde(rename = "to")]
    pub addressed: Option<String>,
    /// Who asked.
    #[serde(rename = "u")]
    pub consumer: Option<String>,
    /// How long it holds, in milliseconds since 1970.
    pub until: Option<u64>,
    /// The version of the form.
    #[serde(rename = "v")]
    pub version: u64,
    /// SHA-256 of octets that could not be read.
    #[serde(rename = "w")]
    pub raw: Option<String>,
    /// SHA-256 of the client certificate.
    #[serde(rename = "x")]
    pub system: Option<String>,
    /// How many refusals it stands for.
    #[serde(rename = "y")]
    pub summed: Option<u64>,
    /// The record concerned.
    #[serde(rename = "z")]
    pub concerns: Option<u64>,
}

impl Leaf {
    /// The digest of the message that it is of, or of octets that were none.
    pub fn digest_of_message(&self) -> Option<Digest> {
        self.digest.as_ref().or(self.raw.as_ref()).and_then(|text| Digest::parse_base64url(text))
    }

    /// Reads a leaf; a record that was shredded has none.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Blind, Record, RecordKind};
    use super::*;
    use crate::base::time::UnixTime;

    #[test]
    fn a_leaf_is_read_as_written() {
        let mut record = Record::new(RecordKind::Request, UnixTime::from_ms(7));
        (record.basis, record.concerns, record.octets) = (Some("a \"law\"\u{1}".into()), Some(9), 3);
        let leaf = Leaf::parse(&record.leaf(&Blind::default())).expect("as written");
        assert_eq!((leaf.kind.as_str(), leaf.time, leaf.concerns, leaf.octets), ("req", 7, Some(9), 3));
        assert_eq!(leaf.basis.as_deref(), Some("a \"law\"\u{1}"));
        assert_eq!(Leaf::parse(""), None);
    }
}
