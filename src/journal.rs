//! The stored form of the log: frames, commit groups, recovery. No I/O.
//!
//! A segment is a sequence of frames, all integers big-endian:
//! `len u32 | crc32 u32 | kind u8 | seq u64 | leaf_len u16 | leaf | private_len u32 | private`. `len` counts what follows
//! the checksum; the checksum (CRC-32, IEEE) is over the same octets. A segment is written with zeros ahead of its end,
//! so a `len` of zero is the end of what was written. Kinds: 1 record, 2 commit, 5 segment header; 3 (erasure) and 4
//! (volume header) are kept for what comes. Every group of frames ends with a commit frame, whose leaf is the offset at
//! which the group begins (u64). What follows the last commit frame was never acknowledged: recovery cuts it off.
//!
//! A group is written only when the one before it is durable. So a good commit frame tells by its offset whether what
//! cannot be read before it was acknowledged, and is damaged, or is part of the same unfinished group. And a commit frame
//! left over from a group that failed cannot end another group.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

use crate::ids::{Digest, MessageId};
use crate::limits;
use crate::tlog::Record;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A record: a leaf and its private part.
    Record,
    /// The end of a commit group.
    Commit,
    /// The start of a segment.
    Header,
}

impl FrameKind {
    const fn code(self) -> u8 {
        match self {
            Self::Record => 1,
            Self::Commit => 2,
            Self::Header => 5,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Record),
            2 => Some(Self::Commit),
            5 => Some(Self::Header),
            _ => None,
        }
    }
}

/// A frame, borrowed from its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'s> {
    /// What it is.
    pub kind: FrameKind,
    /// Index of the record; for a commit frame, the number of records so far.
    pub seq: u64,
    /// The leaf.
    pub leaf: &'s [u8],
    /// What is never part of a proof.
    pub private: &'s [u8],
}

const HEAD: usize = 8;
/// kind, seq, leaf_len, private_len.
const FIXED: usize = 1 + 8 + 2 + 4;

/// Why no frame could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Nothing was written here.
    End,
    /// What stands here is no frame, or was changed.
    Broken,
}

/// Appends a frame.
///
/// # Panics
/// When leaf or private part is over its limit: they are bounded where they are made.
pub fn write_frame(frame: &Frame<'_>, out: &mut Vec<u8>) {
    assert!(frame.leaf.len() <= limits::LEAF_BYTES_MAX, "a leaf is bounded where it is made");
    assert!(frame.private.len() <= limits::PRIVATE_BYTES_MAX, "a private part is bounded where it is made");
    let length = FIXED + frame.leaf.len() + frame.private.len();
    let start = out.len();
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(frame.kind.code());
    out.extend_from_slice(&frame.seq.to_be_bytes());
    out.extend_from_slice(&(frame.leaf.len() as u16).to_be_bytes());
    out.extend_from_slice(frame.leaf);
    out.extend_from_slice(&(frame.private.len() as u32).to_be_bytes());
    out.extend_from_slice(frame.private);
    let checksum = crc32fast::hash(out.get(start + HEAD..).unwrap_or_default());
    if let Some(place) = out.get_mut(start + 4..start + HEAD) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Appends the frame that ends a group: the number of records so far, and the offset in the segment where the group begins.
pub fn write_commit(size: u64, start: u64, out: &mut Vec<u8>) {
    write_frame(&Frame { kind: FrameKind::Commit, seq: size, leaf: &start.to_be_bytes(), private: b"" }, out);
}

/// Where the group begins that a commit frame ends.
fn group_start(commit: &Frame<'_>) -> Option<u64> {
    commit.leaf.try_into().ok().map(u64::from_be_bytes)
}

/// Reads the frame at the start of `octets`, and its length with its head.
pub fn read_frame(octets: &[u8]) -> Result<(Frame<'_>, usize), FrameError> {
    let length = u32_at(octets, 0).ok_or(FrameError::End)? as usize;
    if length == 0 {
        return Err(FrameError::End);
    }
    if !(FIXED..=FIXED + limits::LEAF_BYTES_MAX + limits::PRIVATE_BYTES_MAX).contains(&length) {
        return Err(FrameError::Broken);
    }
    let body = octets.get(HEAD..HEAD + length).ok_or(FrameError::Broken)?;
    if u32_at(octets, 4) != Some(crc32fast::hash(body)) {
        return Err(FrameError::Broken);
    }
    parse_body(body).map(|frame| (frame, HEAD + length)).ok_or(FrameError::Broken)
}

fn parse_body(body: &[u8]) -> Option<Frame<'_>> {
    let kind = FrameKind::from_code(*body.first()?)?;
    let seq = u64::from_be_bytes(body.get(1..9)?.try_into().ok()?);
    let leaf_len = usize::from(u16::from_be_bytes(body.get(9..11)?.try_into().ok()?));
    let (leaf, rest) = body.get(11..)?.split_at_checked(leaf_len)?;
    let private = rest.get(4..)?;
    (u32_at(rest, 0)? as usize == private.len()).then_some(Frame { kind, seq, leaf, private })
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// What walking a segment found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Offset behind the last commit frame.
    pub end: usize,
    /// Number of records at the last commit frame.
    pub size: u64,
    /// Octets behind `end` that were written and never acknowledged.
    pub cut: usize,
}

/// Walks the frames of a segment that starts with record number `size`; gives each acknowledged record with its offset
/// to `visit`, and tells where the acknowledged part ends. [`is_damaged`] tells whether it should have been longer.
pub fn walk<'s>(segment: &'s [u8], size: u64, mut visit: impl FnMut(usize, Frame<'s>)) -> Walked {
    let mut walked = Walked { end: 0, size, cut: 0 };
    let mut waiting = Vec::new();
    let mut at = 0;
    while let Ok((frame, length)) = read_frame(segment.get(at..).unwrap_or_default()) {
        let expected = walked.size + waiting.len() as u64;
        match frame.kind {
            FrameKind::Record if frame.seq == expected => waiting.push((at, frame)),
            FrameKind::Header if at == 0 && frame.seq == expected => {}
            FrameKind::Commit if frame.seq == expected && group_start(&frame) == Some(walked.end as u64) => {
                waiting.drain(..).for_each(|(at, frame)| visit(at, frame));
                (walked.size, walked.end) = (frame.seq, at + length);
            }
            // Numbers that do not follow are a tail of an earlier life of the file.
            _ => break,
        }
        at += length;
    }
    walked.cut = at.saturating_sub(walked.end);
    walked
}

/// Whether records behind `end`, where [`walk`] stopped, were acknowledged: a group that begins behind `end` was written
/// only when what stood at `end` was durable.
///
/// The last group of all has no such witness: damaged, it looks like one whose octets did not all reach the disk.
pub fn is_damaged(segment: &[u8], end: usize) -> bool {
    let mut at = end;
    while let Some(offset) = segment.get(at..).and_then(|rest| rest.iter().position(|octet| *octet != 0)) {
        let found = at + offset;
        // A frame begins with its length, whose first octets may be zero.
        let starts = found.saturating_sub(3).max(end)..=found;
        let frame = starts.filter_map(|start| Some((start, read_frame(segment.get(start..)?).ok()?))).next();
        at = match frame {
            Some((_, (frame, _)))
                if frame.kind == FrameKind::Commit && group_start(&frame).is_some_and(|start| start > end as u64) =>
            {
                return true;
            }
            Some((start, (_, length))) => start + length,
            None => found + 1,
        };
    }
    false
}

/// The head of a record's private part: enough to fill the ledger without reading the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The request's id.
    pub id: MessageId,
    /// The request's digest.
    pub digest: Digest,
    /// The key that the outcome is sealed with.
    pub key: u64,
    /// The number that the outcome was sealed under.
    pub nonce: u64,
}

const SETTLEMENT: usize = 16 + 32 + 8 + 8;

impl Settlement {
    /// Writes the head in front of the sealed outcome.
    pub fn with_outcome(&self, sealed: &[u8]) -> Vec<u8> {
        let mut private = Vec::with_capacity(SETTLEMENT + sealed.len());
        private.extend_from_slice(self.id.octets());
        private.extend_from_slice(self.digest.octets());
        private.extend_from_slice(&self.key.to_be_bytes());
        private.extend_from_slice(&self.nonce.to_be_bytes());
        private.extend_from_slice(sealed);
        private
    }

    /// Reads the head and the sealed outcome.
    pub fn read(private: &[u8]) -> Option<(Self, &[u8])> {
        let (head, sealed) = private.split_at_checked(SETTLEMENT)?;
        let number = |from: usize| head.get(from..from + 8)?.try_into().ok().map(u64::from_be_bytes);
        let settlement = Self {
            id: MessageId::from_octets(head.get(..16)?.try_into().ok()?)?,
            digest: Digest::from_octets(head.get(16..48)?.try_into().ok()?),
            key: number(48)?,
            nonce: number(56)?,
        };
        Some((settlement, sealed))
    }
}

/// What is to be made durable: a record, and the outcome that is to be remembered with it.
pub struct Entry {
    /// The record.
    pub record: Record,
    /// The request that it settles, with its outcome: the octets of the signed answer.
    pub outcome: Option<Outcome>,
}

/// An outcome to remember.
pub struct Outcome {
    /// The request's id.
    pub id: MessageId,
    /// The request's digest.
    pub digest: Digest,
    /// The signed answer.
    pub octets: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(groups: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        write_frame(&Frame { kind: FrameKind::Header, seq: 0, leaf: b"", private: b"" }, &mut out);
        write_commit(0, 0, &mut out);
        let mut seq = 0;
        for group in groups {
            let start = out.len() as u64;
            for _ in 0..*group {
                write_frame(
                    &Frame { kind: FrameKind::Record, seq, leaf: format!("leaf {seq}").as_bytes(), private: b"p" },
                    &mut out,
                );
                seq += 1;
            }
            write_commit(seq, start, &mut out);
        }
        out
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let octets = segment(&[3, 1, 5]);
        let mut leaves = Vec::new();
        let walked = walk(&octets, 0, |_, frame| leaves.push(String::from_utf8_lossy(frame.leaf).into_owned()));
        assert_eq!(walked, Walked { end: octets.len(), size: 9, cut: 0 });
        assert_eq!(leaves.last().map(String::as_str), Some("leaf 8"));
    }

    #[test]
    fn a_cut_anywhere_leaves_whole_groups() {
        let octets = segment(&[2, 2]);
        let first = segment(&[2]).len();
        for cut in 0..octets.len() {
            let mut padded = octets[..cut].to_vec();
            padded.resize(octets.len() + 64, 0);
            let walked = walk(&padded, 0, |_, _| {});
            // Zeros that were cut off are read as they were.
            let is_whole = |length: usize| padded[..length] == octets[..length];
            let expected = if is_whole(octets.len()) { 4 } else { 2 * u64::from(is_whole(first)) };
            assert_eq!(walked.size, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found() {
        let octets = segment(&[1]);
        for at in 0..octets.len() {
            let mut changed = octets.clone();
            changed[at] ^= 1;
            assert_eq!(walk(&changed, 0, |_, _| {}).size, 0, "byte {at}");
        }
    }
}
