//! Opening the journal: find the segments, cut off what was never acknowledged, and read back what the ledger needs.

use super::StoreError;
use crate::exchange::OutcomePlace;
use crate::ids::{AgencyId, Digest, MessageId};
use crate::journal::{self, Settlement, Walked};
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Default)]
pub struct Recovered {
    /// How many records are durable.
    pub size: u64,
    /// Octets at the end that were never acknowledged.
    pub cut: u64,
    /// The outcomes that the ledger has to know, in the order of the log.
    pub settled: Vec<Settled>,
    pub(super) segment: u32,
    pub(super) end: u64,
}

/// An outcome that was found.
pub struct Settled {
    /// The sender of the request.
    pub sender: AgencyId,
    /// The request's id.
    pub id: MessageId,
    /// The request's digest.
    pub digest: Digest,
    /// Where the outcome is.
    pub place: OutcomePlace,
}

pub(super) fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("seg-{number:06}"))
}

/// The numbers of the segments, in order.
pub(super) fn segments(folder: &Path) -> Result<Vec<u32>, StoreError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|cause| StoreError::io(folder, cause))? {
        let name = entry.map_err(|cause| StoreError::io(folder, cause))?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix("seg-")?.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn recover(folder: &Path) -> Result<Recovered, StoreError> {
    let numbers = segments(folder)?;
    let mut recovered = Recovered::default();
    for (place, number) in (0..).zip(&numbers) {
        if place != *number {
            return Err(StoreError::Damaged { path: segment_path(folder, place), offset: 0 });
        }
        let walked = recover_segment(folder, *number, &mut recovered)?;
        let is_last = numbers.last() == Some(number);
        // Only the last segment can have a tail: the others were full and synced before the next was begun.
        if !is_last && walked.cut > 0 {
            return Err(StoreError::Damaged { path: segment_path(folder, *number), offset: walked.end as u64 });
        }
        (recovered.size, recovered.segment, recovered.end) = (walked.size, *number, walked.end as u64);
        recovered.cut = walked.cut as u64;
    }
    Ok(recovered)
}

fn recover_segment(folder: &Path, number: u32, recovered: &mut Recovered) -> Result<Walked, StoreError> {
    let path = segment_path(folder, number);
    let octets = std::fs::read(&path).map_err(|cause| StoreError::io(&path, cause))?;
    if let Ok((first, _)) = journal::read_frame(&octets)
        && first.seq != recovered.size
    {
        // A segment begins with the number at which the one before it ended, so that one has lost its end.
        return Err(StoreError::Damaged { path: segment_path(folder, recovered.segment), offset: recovered.end });
    }
    let walked = journal::walk(&octets, recovered.size, |offset, frame| {
        let sender = || serde_json::from_slice::<LeafSender>(frame.leaf).ok().and_then(|leaf| AgencyId::parse(leaf.u));
        if let Some((settlement, _)) = Settlement::read(frame.private)
            && let Some(sender) = sender()
        {
            let place = OutcomePlace { index: frame.seq, segment: number, offset: offset as u32 };
            recovered.settled.push(Settled { sender, id: settlement.id, digest: settlement.digest, place });
        }
    });
    if journal::is_damaged(&octets, walked.end) {
        return Err(StoreError::Damaged { path, offset: walked.end as u64 });
    }
    Ok(walked)
}

#[derive(serde::Deserialize)]
struct LeafSender<'l> {
    u: &'l str,
}
