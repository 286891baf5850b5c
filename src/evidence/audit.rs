//! What may be asked of the log: filters, queries and cursors, without I/O.
//!
//! A query comes as pairs of key and value, from an address or from JSON. Keys that are unknown or given twice, values
//! that have not their form and cursors of another query are refused, each by name; the values of persons and officials
//! are never repeated.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

pub mod decisions;
mod export;
mod histogram;
mod pairs;
mod query;
mod report;

pub use export::{COLUMNS, ExportError, ExportVerifier, Exported, csv_row};
#[cfg(feature = "server")]
pub(crate) use export::{First, Last, Line};
pub use histogram::{Bucket, Count, Histogram};
pub use pairs::{Pairs, encoded};
pub use query::{Cursor, KEYS, Query, QueryError, digest, reason};
pub use report::{Anomaly, AnomalyKind, GROUPINGS_MAX, Group, Grouping, Latencies, Thresholds};

use crate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId, Uuid};
use crate::base::time::UnixTime;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Private, RecordKind, basis_of_leaf};

/// Which records are looked for: all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not before.
    pub from: Option<UnixTime>,
    /// Before.
    pub to: Option<UnixTime>,
    /// Of this kind.
    pub kind: Option<RecordKind>,
    /// Asked by this agency.
    pub consumer: Option<AgencyId>,
    /// Answered by this agency.
    pub provider: Option<AgencyId>,
    /// This agency asked, or holds.
    pub party: Option<AgencyId>,
    /// What this agency may see: it asked, or holds. Set by whoever knows who is looking.
    pub scope: Option<AgencyId>,
    /// Of this document type.
    pub document_type: Option<Code>,
    /// For this purpose.
    pub purpose: Option<Code>,
    /// On this legal basis, as far as leaves have it.
    pub basis: Option<String>,
    /// Ended with this fault.
    pub code: Option<String>,
    /// Of this message, and of its answer.
    pub message: Option<MessageId>,
    /// Of the message, or of the octets, that have this digest.
    pub digest: Option<Digest>,
    /// In this case.
    pub case: Option<Uuid>,
    /// Asked by this official.
    pub official: Option<Identifier>,
    /// About this person.
    pub person: Option<Identifier>,
}

impl Filter {
    /// Whether a leaf is one of those looked for, as far as leaves tell: person and official are not in them.
    pub fn matches(&self, leaf: &Leaf) -> bool {
        let is = |wanted: Option<&str>, there: &Option<String>| wanted.is_none_or(|wanted| there.as_deref() == Some(wanted));
        let is_party = |party: &Option<AgencyId>| {
            let name = party.as_ref().map(AgencyId::as_str);
            name.is_none_or(|name| [&leaf.consumer, &leaf.provider].iter().any(|there| there.as_deref() == Some(name)))
        };
        let time = UnixTime::from_ms(leaf.time);
        self.from.is_none_or(|from| from <= time)
            && self.to.is_none_or(|to| time < to)
            && self.kind.is_none_or(|kind| kind.as_str() == leaf.kind)
            && is(self.consumer.as_ref().map(AgencyId::as_str), &leaf.consumer)
            && is(self.provider.as_ref().map(AgencyId::as_str), &leaf.provider)
            && is_party(&self.party)
            && is_party(&self.scope)
            && is(self.document_type.as_ref().map(Code::as_str), &leaf.document_type)
            && is(self.purpose.as_ref().map(Code::as_str), &leaf.purpose)
            && is(self.basis_of_leaves(), &leaf.basis)
            && is(self.code.as_deref(), &leaf.code)
            && is(self.message.map(|id| id.to_string()).as_deref(), &leaf.message)
            && self.digest.is_none_or(|digest| leaf.digest_of_message() == Some(digest))
            && is(self.case.map(|case| case.to_string()).as_deref(), &leaf.case)
    }

    /// Whether what is beside a leaf fits: person and official.
    pub fn matches_private(&self, private: &Private) -> bool {
        self.person.as_ref().is_none_or(|person| private.subject.identifiers.contains(person))
            && self.official.as_ref().is_none_or(|official| private.official.as_ref() == Some(official))
    }

    /// The legal basis as leaves have it, which may be cut.
    pub fn basis_of_leaves(&self) -> Option<&str> {
        self.basis.as_deref().map(basis_of_leaf)
    }

    /// Whether it asks for somebody.
    pub fn is_personal(&self) -> bool {
        self.person.is_some() || self.official.is_some()
    }

    /// The filter as pairs of key and value, always in the same order.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let identifier = |id: &Identifier| format!("{}|{}", id.scheme(), id.value());
        [
            ("from", self.from.map(|time| time.to_string())),
            ("to", self.to.map(|time| time.to_string())),
            ("kind", self.kind.map(|kind| kind.as_str().to_owned())),
            ("consumer", self.consumer.as_ref().map(ToString::to_string)),
            ("provider", self.provider.as_ref().map(ToString::to_string)),
            ("agency", self.party.as_ref().map(ToString::to_string)),
            ("seen-by", self.scope.as_ref().map(ToString::to_string)),
            ("document", self.document_type.as_ref().map(ToString::to_string)),
            ("purpose", self.purpose.as_ref().map(ToString::to_string)),
            ("basis", self.basis.clone()),
            ("code", self.code.clone()),
            ("message", self.message.map(|id| id.to_string())),
            ("digest", self.digest.map(|digest| digest.to_string())),
            ("case", self.case.map(|case| case.to_string())),
            ("official", self.official.as_ref().map(identifier)),
            ("person", self.person.as_ref().map(identifier)),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }
}
