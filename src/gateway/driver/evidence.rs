//! What the gateway can prove: receipts, checkpoints, static tiles.

use super::{Gateway, log_unreadable};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, MessageId};
use crate::base::limits;
use crate::evidence::tlog::note::Checkpoint;
use crate::evidence::tlog::tiles::{Content, Tile, write_bundle};
use crate::evidence::tlog::tree::Hash;
use crate::gateway::witness;
use crate::host::store::{Found, Store, StoreError};
use std::sync::Arc;

impl witness::Log for Store {
    type Error = StoreError;

    fn checkpoint(&self) -> Arc<Checkpoint> {
        Self::checkpoint(self)
    }

    fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        Self::consistency(self, old, new)
    }
}

/// Who may see a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// An agency: those of its own exchanges.
    Own(AgencyId),
    /// An auditor: all.
    All,
}

impl Sight {
    fn has(&self, found: &Found) -> bool {
        let Self::Own(agency) = self else { return true };
        // Names of agencies are written into a leaf as they are, and in no other of its values after these keys.
        ["u", "s"].iter().any(|key| found.leaf.contains(&format!("\"{key}\":\"{agency}\"")))
    }
}

impl Gateway {
    /// The receipts of all records of a message, its request's first: C2SP tlog-proofs, one after the other. They stand on
    /// the latest checkpoint that witnesses have cosigned, if it has them all, and else on the log's own latest.
    ///
    /// It reads files: not to be called where others wait.
    pub fn receipt(&self, sight: &Sight, id: MessageId) -> Result<String, Fault> {
        let scope = match sight {
            Sight::Own(agency) => Some(agency),
            Sight::All => None,
        };
        let records = self.store.by_message(id, scope).map_err(|cause| log_unreadable(&cause))?;
        let own: Vec<Found> = records.into_iter().filter(|found| sight.has(found)).collect();
        let last = own.last().ok_or_else(|| Fault::new(Code::MsgUnknown))?.index;
        let cosigned = self.witnessing.cosigned().filter(|checkpoint| checkpoint.claimed().size > last);
        let checkpoint = cosigned.unwrap_or_else(|| self.store.checkpoint());
        let mut text = String::new();
        for found in own.iter().take(limits::RECEIPT_PROOFS_MAX) {
            let proof = self.store.receipt(found.index, &checkpoint).map_err(|cause| log_unreadable(&cause))?;
            text.push_str(&proof.to_string());
        }
        Ok(text)
    }

    /// The latest checkpoint, with the cosignatures of witnesses if they have seen this very one.
    pub fn checkpoint(&self) -> Arc<Checkpoint> {
        let latest = self.store.checkpoint();
        match self.witnessing.cosigned() {
            Some(cosigned) if cosigned.claimed() == latest.claimed() => cosigned,
            _ => latest,
        }
    }

    /// The octets of a static tile; none if the log is not that large, or a leaf of the bundle was shredded.
    pub fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, Fault> {
        if !tile.is_within(self.store.size()) {
            return Ok(None);
        }
        let failed = |cause| log_unreadable(&cause);
        if tile.content() != Content::Entries {
            return tile.hashes(&*self.store).map(Some).map_err(failed);
        }
        let records = (tile.start()..tile.start() + tile.width()).map(|index| self.store.record(index));
        let records: Vec<Found> = records.collect::<Result<_, _>>().map_err(failed)?;
        let mut octets = Vec::new();
        let is_whole = records.iter().all(|found| !found.leaf.is_empty())
            && write_bundle(records.iter().map(|found| found.leaf.as_bytes()), &mut octets).is_ok();
        Ok(is_whole.then_some(octets))
    }
}
