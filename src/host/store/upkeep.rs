//! Reading again while the gateway runs: to find what a disk or a hand has changed, and to give back what was erased.
//!
//! [`Store::scrub`] reads one closed segment and one volume.

use super::index::Row;
use super::recovery::{Segment, segment_path, segments, walk_segment};
use super::shred::Erased;
use super::{PrivateHead, Store, StoreError};
use crate::evidence::journal::{self, Erasure, Frame, FrameKind};
use crate::evidence::tlog::tree::{Hash, Hashes};
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What reading again has found to be as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Octets that were read.
    pub octets: u64,
    /// Octets of erased messages and personal parts that were given back.
    pub reclaimed: u64,
}

impl Store {
    /// Reads one closed segment, and the volume of the same turn, and compares them with their checksums and with the tree.
    /// Parts whose keys are gone are made zeros. Turns go round; without closed segments nothing is done.
    pub fn scrub(&self, turn: u64) -> Result<Scrubbed, StoreError> {
        let mut scrubbed = Scrubbed::default();
        let segments = segments(&self.folder)?;
        let of_turn = |count: usize| usize::try_from(turn).unwrap_or(0).checked_rem(count);
        if let Some(at) = of_turn(segments.len().saturating_sub(1)) {
            scrubbed = self.scrub_segment(&segments, at)?;
        }
        let volumes = self.index.sealed();
        if let Some(volume) = of_turn(volumes.len()).and_then(|at| volumes.get(at)) {
            scrubbed.octets += volume.scrub()?;
        }
        Ok(scrubbed)
    }

    fn scrub_segment(&self, segments: &[Segment], at: usize) -> Result<Scrubbed, StoreError> {
        let (Some(segment), Some(next)) = (segments.get(at), segments.get(at + 1)) else { return Ok(Scrubbed::default()) };
        let path = segment_path(&self.folder, segment.number);
        let mut erased: Vec<std::ops::Range<u64>> = Vec::new();
        let mut kept = Kept::new(&*self.tree);
        let walk = walk_segment(&self.folder, segment, Erasure::Possible, |offset, frame| {
            if !kept.has(frame)? {
                return Err(StoreError::Damaged { path: path.clone(), offset: u64::from(offset) });
            }
            erased.extend(self.erased(frame).into_iter().map(|range| {
                let base = u64::from(offset);
                base + range.start as u64..base + range.end as u64
            }));
            Ok(())
        })?;
        if walk.head != next.header.head {
            // It is shorter than it was when the next was begun.
            return Err(StoreError::Damaged { path, offset: walk.end });
        }
        let mut scrubbed = Scrubbed { octets: walk.end, reclaimed: 0 };
        if !erased.is_empty() {
            let open = File::options().write(true).open(&path);
            let file = open.map_err(|cause| StoreError::io(&path, cause))?;
            for range in erased {
                make_zeros(&file, &range).map_err(|cause| StoreError::io(&path, cause))?;
                scrubbed.reclaimed += range.end - range.start;
            }
            file.sync_all().map_err(|cause| StoreError::io(&path, cause))?;
        }
        Ok(scrubbed)
    }

    /// The parts of a frame that are there and whose keys are gone.
    fn erased(&self, frame: &Frame<'_>) -> Vec<std::ops::Range<usize>> {
        let is_there = |part: &[u8]| part.iter().any(|octet| *octet != 0);
        let Some((head, _)) = PrivateHead::read(frame.private).filter(|_| is_there(frame.private)) else {
            return Vec::new();
        };
        let (private, body) = journal::parts_of(frame);
        let has_lost_private = !self.keys.has_private(head.ticket);
        let has_lost_body = is_there(frame.body) && !self.keys.has_body(head.ticket);
        // The head of the private part says which key a body has: it goes with the last of them.
        let is_bare = has_lost_private && (has_lost_body || !is_there(frame.body));
        [(is_bare, private), (has_lost_body, body)]
            .into_iter()
            .filter_map(|(is_erased, part)| is_erased.then_some(part))
            .collect()
    }

    /// Destroys the keys of what is personal about a record and of its message, for good; its leaf, and all proofs, stay. Its volume must be
    /// complete. The record of it is the caller's, and comes first.
    pub fn erase_private(&self, index: u64) -> Result<(), StoreError> {
        if !self.is_complete(index) {
            return Err(StoreError::Live);
        }
        let ticket = self.ticket(index)?;
        self.begin_erasure(index, Erased::Private)?;
        self.erase_attachments(index)?;
        self.keys.erase_private(&[ticket])?;
        self.keys.erase_bodies(&[ticket], 0)?;
        self.index.forget(index, Row::without_persons)?;
        // The octets are worth nothing without the key; the index keys before them go as well.
        let segment = self.place(index)?.segment;
        self.scrub_segment(&segments(&self.folder)?, segment as usize)?;
        self.erasure_ended()
    }

    /// Destroys the key of the message that is kept with a record, for good. The record of it is the caller's, and comes first.
    pub fn erase_body(&self, index: u64) -> Result<(), StoreError> {
        let ticket = self.ticket(index)?;
        self.begin_erasure(index, Erased::Body)?;
        self.erase_attachments(index)?;
        self.keys.erase_bodies(&[ticket], 0)?;
        self.erasure_ended()
    }

    fn ticket(&self, index: u64) -> Result<u64, StoreError> {
        let place = self.place(index)?;
        let ticket = self.with_frame(place, |frame| PrivateHead::read(frame.private).map(|(head, _)| head.ticket))?;
        ticket.ok_or(StoreError::Forgotten)
    }
}

/// The hashes of leaves as the tree's files have them, read a tile at a time.
pub(super) struct Kept<'t, H> {
    tree: &'t H,
    start: u64,
    hashes: Vec<Hash>,
}

impl<'t, H: Hashes<Error = StoreError>> Kept<'t, H> {
    pub(super) fn new(tree: &'t H) -> Self {
        Self { tree, start: 0, hashes: Vec::new() }
    }

    /// Whether the hash of a record's leaf is the one in the tree.
    pub(super) fn has(&mut self, frame: &Frame<'_>) -> Result<bool, StoreError> {
        if !matches!(frame.kind, FrameKind::Record | FrameKind::Shredded) {
            return Ok(false);
        }
        let at = frame.seq.wrapping_sub(self.start) as usize;
        if frame.seq < self.start || at >= self.hashes.len() {
            self.start = frame.seq;
            self.hashes.clear();
            // The last tile may not be full.
            if self.tree.read(0, frame.seq, 256, &mut self.hashes).is_err() {
                self.tree.read(0, frame.seq, 1, &mut self.hashes)?;
            }
            return Ok(self.hashes.first() == Some(&frame.hash()));
        }
        Ok(self.hashes.get(at) == Some(&frame.hash()))
    }
}

/// Gives the blocks back where the file system can, and writes zeros where it cannot.
fn make_zeros(file: &File, range: &std::ops::Range<u64>) -> io::Result<()> {
    let length = range.end - range.start;
    let punched = fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, range.start, length);
    if punched.is_err() {
        file.write_all_at(&vec![0; length as usize], range.start)?;
    }
    Ok(())
}
