//! What may be asked of the log: filters and cursors, without I/O.

use crate::ids::{AgencyId, Code, Identifier, MessageId, Uuid};
use crate::time::UnixTime;
use crate::tlog::RecordKind;

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
    /// Held by this agency.
    pub provider: Option<AgencyId>,
    /// This agency asked, or holds.
    pub party: Option<AgencyId>,
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
    /// In this case.
    pub case: Option<Uuid>,
    /// Asked by this official.
    pub official: Option<Identifier>,
    /// About this person.
    pub person: Option<Identifier>,
}
