//! The stored form of the log: frames, commit groups, recovery. No I/O.
//!
//! A segment is a sequence of frames, all integers big-endian: a head, `len u32 | crc32 u32 | kind u8 | seq u64 |
//! leaf_len u16 | leaf | private_len u32 | private_crc u32 | body_len u32 | body_crc u32`, then `private` and `body`. `len`
//! counts all that follows the checksum; the checksum (CRC-32, IEEE) is over the rest of the head, and private part and
//! body have their own: they can be erased and the frame is still read. A segment is written with zeros ahead of its end,
//! so a `len` of zero is the end of what was written. Kinds: 1 record, 2 commit, 3 a record shredded to the hash of its
//! leaf, 5 segment header. Every group of frames ends with a commit frame, whose leaf is the offset at which the group
//! begins (u64), the root of the tree (32) and the time (u64). What follows the last commit frame was never acknowledged:
//! recovery cuts it off.
//!
//! A group is written only when the one before it is durable. So a good commit frame tells by its offset whether what
//! cannot be read before it was acknowledged, and is damaged, or is part of the same unfinished group. And a commit frame
//! left over from a group that failed cannot end another group.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::tree::{Hash, Head};
use crate::evidence::tlog::{Private, Record};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A record: a leaf, its private part, its body.
    Record,
    /// The end of a commit group.
    Commit,
    /// A record of which only the hash of its leaf is left: the first 32 octets of what was the leaf.
    Shredded,
    /// The start of a segment: the number of records before it and the root over them.
    Header,
}

impl FrameKind {
    const fn code(self) -> u8 {
        match self {
            Self::Record => 1,
            Self::Commit => 2,
            Self::Shredded => 3,
            Self::Header => 5,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Record),
            2 => Some(Self::Commit),
            3 => Some(Self::Shredded),
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
    /// What is beside the leaf and never part of a proof: personal data, sealed. Zeros once erased.
    pub private: &'s [u8],
    /// The message that is kept with the record, sealed. Zeros once erased.
    pub body: &'s [u8],
}

impl Frame<'_> {
    /// The hash that stands in the tree for a record.
    pub fn hash(&self) -> Hash {
        match (self.kind, self.leaf.first_chunk::<32>()) {
            (FrameKind::Shredded, Some(hash)) => Hash::from_octets(*hash),
            _ => Hash::of_leaf(self.leaf),
        }
    }
}

const HEAD: usize = 8;
/// kind, seq, leaf_len, and lengths and checksums of private part and body.
const FIXED: usize = 1 + 8 + 2 + 4 * 4;
/// Largest frame.
pub const FRAME_BYTES_MAX: usize = HEAD + FIXED + limits::LEAF_BYTES_MAX + limits::PRIVATE_BYTES_MAX + limits::BODY_BYTES_MAX;

/// Why no frame could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Nothing was written here.
    End,
    /// What stands here is no frame, or was changed.
    Broken,
    /// The head of a frame is good, and what belongs to it is not.
    Parts {
        /// The length of the frame with its head, which has a checksum of its own.
        length: usize,
    },
}

/// Whether private parts and bodies may have been erased. In the segment that is written to none is: zeros there are
/// octets that have not reached the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// They are as they were written.
    None,
    /// They may be zeros.
    Possible,
}

/// Appends a frame.
///
/// # Panics
/// When leaf, private part or body is over its limit: they are bounded where they are made.
pub fn write_frame(frame: &Frame<'_>, out: &mut Vec<u8>) {
    assert!(frame.leaf.len() <= limits::LEAF_BYTES_MAX, "a leaf is bounded where it is made");
    assert!(frame.private.len() <= limits::PRIVATE_BYTES_MAX, "a private part is bounded where it is made");
    assert!(frame.body.len() <= limits::BODY_BYTES_MAX, "a body is bounded where it is made");
    let length = FIXED + frame.leaf.len() + frame.private.len() + frame.body.len();
    let start = out.len();
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(frame.kind.code());
    out.extend_from_slice(&frame.seq.to_be_bytes());
    out.extend_from_slice(&(frame.leaf.len() as u16).to_be_bytes());
    out.extend_from_slice(frame.leaf);
    for part in [frame.private, frame.body] {
        out.extend_from_slice(&(part.len() as u32).to_be_bytes());
        out.extend_from_slice(&crc32fast::hash(part).to_be_bytes());
    }
    let checksum = crc32fast::hash(out.get(start + HEAD..).unwrap_or_default());
    if let Some(place) = out.get_mut(start + 4..start + HEAD) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
    out.extend_from_slice(frame.private);
    out.extend_from_slice(frame.body);
}

/// The end of a commit group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The tree after the group.
    pub head: Head,
    /// The offset in the segment where the group begins.
    pub start: u64,
    /// When it was written.
    pub time: UnixTime,
}

impl Commit {
    /// Appends its frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let leaf = [&self.start.to_be_bytes(), self.head.root.octets().as_slice(), &self.time.as_ms().to_be_bytes()].concat();
        write_frame(&Frame { kind: FrameKind::Commit, seq: self.head.size, leaf: &leaf, private: b"", body: b"" }, out);
    }

    fn read(frame: &Frame<'_>) -> Option<Self> {
        let (start, rest) = frame.leaf.split_first_chunk::<8>()?;
        let (root, rest) = rest.split_first_chunk::<32>()?;
        let time = rest.try_into().ok().map(u64::from_be_bytes)?;
        let head = Head { size: frame.seq, root: Hash::from_octets(*root) };
        Some(Self { head, start: u64::from_be_bytes(*start), time: UnixTime::from_ms(time) })
    }
}

/// The start of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The tree before the segment.
    pub head: Head,
    /// The volume that its records belong to.
    pub volume: u32,
}

/// Octets of the frame that begins a segment.
pub const HEADER_BYTES: usize = HEAD + FIXED + 32 + 4;
/// Octets of the frame that ends a group.
pub const COMMIT_BYTES: usize = HEAD + FIXED + 8 + 32 + 8;

impl Header {
    /// Appends its frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let leaf = [self.head.root.octets().as_slice(), &self.volume.to_be_bytes()].concat();
        write_frame(&Frame { kind: FrameKind::Header, seq: self.head.size, leaf: &leaf, private: b"", body: b"" }, out);
    }

    /// Reads it from the beginning of a segment.
    pub fn read(segment: &[u8]) -> Option<Self> {
        let (frame, _) = read_frame(segment, Erasure::None).ok()?;
        let (root, volume) = frame.leaf.split_first_chunk::<32>()?;
        let volume = volume.try_into().ok().map(u32::from_be_bytes)?;
        let head = Head { size: frame.seq, root: Hash::from_octets(*root) };
        (frame.kind == FrameKind::Header).then_some(Self { head, volume })
    }
}

/// Reads the frame at the start of `octets`, and its length with its head.
pub fn read_frame(octets: &[u8], erasure: Erasure) -> Result<(Frame<'_>, usize), FrameError> {
    let length = u32_at(octets, 0).ok_or(FrameError::End)? as usize;
    if length == 0 {
        return Err(FrameError::End);
    }
    if !(FIXED..=FRAME_BYTES_MAX - HEAD).contains(&length) {
        return Err(FrameError::Broken);
    }
    let rest = octets.get(HEAD..HEAD + length).ok_or(FrameError::Broken)?;
    let checksum = u32_at(octets, 4).ok_or(FrameError::Broken)?;
    let (frame, parts) = parse(rest, checksum, erasure).ok_or(FrameError::Broken)?;
    match parts {
        Parts::Good => Ok((frame, HEAD + length)),
        Parts::Changed => Err(FrameError::Parts { length: HEAD + length }),
    }
}

/// What private part and body of a frame with a good head are.
enum Parts {
    Good,
    Changed,
}

fn parse(rest: &[u8], expected: u32, erasure: Erasure) -> Option<(Frame<'_>, Parts)> {
    let kind = FrameKind::from_code(*rest.first()?)?;
    let seq = u64::from_be_bytes(rest.get(1..9)?.try_into().ok()?);
    let leaf_len = usize::from(u16::from_be_bytes(rest.get(9..11)?.try_into().ok()?));
    // Before it is hashed: whoever looks for frames tries at each octet.
    if leaf_len > limits::LEAF_BYTES_MAX {
        return None;
    }
    let leaf = rest.get(11..11 + leaf_len)?;
    let (head, parts) = rest.split_at_checked(FIXED + leaf_len)?;
    if checksum(head) != expected {
        return None;
    }
    let sizes = head.get(11 + leaf_len..)?;
    let (private, body) = parts.split_at_checked(u32_at(sizes, 0)? as usize)?;
    if private.len() > limits::PRIVATE_BYTES_MAX
        || body.len() > limits::BODY_BYTES_MAX
        || u32_at(sizes, 8)? as usize != body.len()
    {
        return None;
    }
    let is_whole = |part: &[u8], expected| {
        checksum(part) == expected || (erasure == Erasure::Possible && part.iter().all(|octet| *octet == 0))
    };
    let is_good = is_whole(private, u32_at(sizes, 4)?) && is_whole(body, u32_at(sizes, 12)?);
    Some((Frame { kind, seq, leaf, private, body }, if is_good { Parts::Good } else { Parts::Changed }))
}

/// The head of a record's frame after it has been shredded: what is to be written in place of its head. The private part
/// and the body behind it are to be zeros.
pub fn shredded(frame: &Frame<'_>) -> Option<Vec<u8>> {
    let mut leaf = frame.hash().octets().to_vec();
    if frame.leaf.len() < leaf.len() {
        return None;
    }
    leaf.resize(frame.leaf.len(), 0);
    let (private, body) = (vec![0; frame.private.len()], vec![0; frame.body.len()]);
    let mut octets = Vec::new();
    write_frame(&Frame { kind: FrameKind::Shredded, seq: frame.seq, leaf: &leaf, private: &private, body: &body }, &mut octets);
    octets.truncate(HEAD + FIXED + leaf.len());
    Some(octets)
}

/// Where in a frame private part and body stand, from the start of the frame.
pub fn parts_of(frame: &Frame<'_>) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let private = HEAD + FIXED + frame.leaf.len();
    let body = private + frame.private.len();
    (private..body, body..body + frame.body.len())
}

#[cfg(test)]
std::thread_local! {
    /// How many octets this thread has hashed.
    static HASHED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn checksum(octets: &[u8]) -> u32 {
    #[cfg(test)]
    HASHED.set(HASHED.get() + octets.len());
    crc32fast::hash(octets)
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
    /// The last commit frame.
    pub commit: Option<Commit>,
    /// Octets behind `end` that were written and never acknowledged.
    pub cut: usize,
}

/// Where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct From {
    /// The offset in the segment of the octets that are walked: where a group begins.
    pub offset: u64,
    /// The number of records before them.
    pub size: u64,
}

/// Walks the frames of a segment, or of a part of it that begins with a group; gives each acknowledged record with its
/// offset in the part to `visit`, and tells where the acknowledged part ends. [`is_damaged`] tells whether it should have
/// been longer.
pub fn walk<'s>(part: &'s [u8], from: From, erasure: Erasure, mut visit: impl FnMut(usize, Frame<'s>)) -> Walked {
    let mut walked = Walked { size: from.size, ..Walked::default() };
    let mut waiting = Vec::new();
    let mut at = 0;
    while let Ok((frame, length)) = read_frame(part.get(at..).unwrap_or_default(), erasure) {
        let expected = walked.size + waiting.len() as u64;
        match frame.kind {
            FrameKind::Header if from.offset == 0 && at == 0 && frame.seq == expected => {}
            FrameKind::Record | FrameKind::Shredded if frame.seq == expected => waiting.push((at, frame)),
            FrameKind::Commit if frame.seq == expected => match Commit::read(&frame) {
                Some(commit) if commit.start == from.offset + walked.end as u64 => {
                    for (offset, record) in waiting.drain(..) {
                        visit(offset, record);
                    }
                    (walked.end, walked.size, walked.commit) = (at + length, frame.seq, Some(commit));
                }
                _ => break,
            },
            _ => break,
        }
        at += length;
    }
    walked.cut = at.saturating_sub(walked.end);
    walked
}

/// Whether records behind `offset`, where [`walk`] stopped, were acknowledged: a group that begins behind it was written
/// only when what stood there was durable. `rest` is what stands there, as far as two of the largest groups reach.
///
/// The last group of all has no such witness: damaged, it looks like one whose octets did not all reach the disk.
pub fn is_damaged(rest: &[u8], offset: u64) -> bool {
    later_group(rest, offset).is_some()
}

/// Whether what [`is_damaged`] tells of begins with octets that nobody has written yet: a file that is copied while it grows is
/// read from front to back, so that zeros may stand before a group that came later. No frame is zeros for so long, in a segment
/// where nothing was erased.
pub fn is_unwritten(rest: &[u8], offset: u64) -> bool {
    let Some(end) = later_group(rest, offset) else { return false };
    let mut at = 0;
    while let Ok((_, length)) = read_frame(rest.get(at..).unwrap_or_default(), Erasure::None) {
        at += length;
    }
    let between = rest.get(at..end).unwrap_or_default();
    between.starts_with(&[0; 4]) || between.windows(UNWRITTEN).any(|octets| octets.iter().all(|octet| *octet == 0))
}

/// So many zeros stand in no frame.
const UNWRITTEN: usize = 64;

/// Where a commit frame stands whose group begins behind `offset`.
fn later_group(rest: &[u8], offset: u64) -> Option<usize> {
    let mut at = 0;
    while let Some(distance) = rest.get(at..).and_then(|rest| rest.iter().position(|octet| *octet != 0)) {
        let found = at + distance;
        // A frame begins with its length, whose first octets may be zero.
        let starts = found.saturating_sub(3)..=found;
        let mut frames = starts.filter_map(|start| match read_frame(rest.get(start..)?, Erasure::Possible) {
            Ok((frame, length)) => Some((start, Some(frame), start + length)),
            // Its head tells where the next one begins. Looked through, what is left of it would be hashed again and again.
            Err(FrameError::Parts { length }) => Some((start, None, start + length)),
            Err(FrameError::End | FrameError::Broken) => None,
        });
        at = match frames.next() {
            Some((start, Some(frame), _))
                if frame.kind == FrameKind::Commit && Commit::read(&frame).is_some_and(|commit| commit.start > offset) =>
            {
                return Some(start);
            }
            Some((_, _, end)) => end,
            None => found + 1,
        };
    }
    None
}

/// What is to be made durable: a record, what is personal about it, and the message that is to be kept with it.
pub struct Entry {
    /// The record.
    pub record: Record,
    /// Who it is about.
    pub private: Private,
    /// The message: an answer, to be given again when the same request comes again, or one for the archive.
    pub body: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: From = From { offset: 0, size: 0 };

    fn segment(groups: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut head = Head { size: 0, root: Hash::of_empty() };
        let time = UnixTime::from_ms(7);
        Header { head, volume: 0 }.write(&mut out);
        assert_eq!(out.len(), HEADER_BYTES);
        Commit { head, start: 0, time }.write(&mut out);
        assert_eq!(out.len(), HEADER_BYTES + COMMIT_BYTES);
        for group in groups {
            let start = out.len() as u64;
            for _ in 0..*group {
                let leaf = format!("the leaf of record number {:08}", head.size);
                let kind = FrameKind::Record;
                write_frame(&Frame { kind, seq: head.size, leaf: leaf.as_bytes(), private: b"p", body: b"body" }, &mut out);
                head.size += 1;
            }
            Commit { head, start, time }.write(&mut out);
        }
        out
    }

    #[test]
    fn frames_are_read_as_they_were_written() {
        let octets = segment(&[3, 1, 5]);
        let mut leaves = Vec::new();
        let walked =
            walk(&octets, START, Erasure::None, |_, frame| leaves.push(String::from_utf8_lossy(frame.leaf).into_owned()));
        assert_eq!((walked.end, walked.size, walked.cut), (octets.len(), 9, 0));
        assert_eq!(leaves.last().map(String::as_str), Some("the leaf of record number 00000008"));
        let head = Head { size: 0, root: Hash::of_empty() };
        assert_eq!(Header::read(&octets), Some(Header { head, volume: 0 }));
    }

    #[test]
    fn a_cut_anywhere_leaves_whole_groups() {
        let octets = segment(&[2, 2]);
        let first = segment(&[2]).len();
        for cut in 0..octets.len() {
            let mut padded = octets[..cut].to_vec();
            padded.resize(octets.len() + 64, 0);
            let walked = walk(&padded, START, Erasure::None, |_, _| {});
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
            assert_eq!(walk(&changed, START, Erasure::None, |_, _| {}).size, 0, "byte {at}");
        }
    }

    #[test]
    fn what_was_not_written_yet_is_told_from_what_was_changed() {
        let octets = segment(&[2, 2, 2]);
        let (first, second) = (segment(&[2]).len(), segment(&[2, 2]).len());
        // Read from front to back while it grew: zeros from within the second group on, and the third behind them.
        for (from, to) in [(first, first + 9), (first, second), (first + 30, first + 120), (second - 70, second)] {
            let mut torn = octets.clone();
            torn[from..to].fill(0);
            torn.resize(octets.len() + 4096, 0);
            let rest = &torn[first..];
            assert!(is_damaged(rest, first as u64) && is_unwritten(rest, first as u64), "{from} to {to}");
        }
        for at in first..second {
            let mut changed = octets.clone();
            changed[at] ^= 0x10;
            changed.resize(octets.len() + 4096, 0);
            let rest = &changed[first..];
            assert!(is_damaged(rest, first as u64) && !is_unwritten(rest, first as u64), "byte {at}");
        }
        assert!(!is_unwritten(&octets[first..], first as u64), "it is whole");
    }

    #[test]
    fn what_was_erased_is_still_a_record_with_the_same_hash() {
        let octets = segment(&[1, 1]);
        let mut at = 0;
        walk(&octets, START, Erasure::None, |offset, frame| at = if frame.seq == 0 { offset } else { at });
        let (frame, _) = read_frame(&octets[at..], Erasure::None).expect("a record");
        let (hash, (private, body)) = (frame.hash(), parts_of(&frame));
        assert_eq!((&octets[at..][private.clone()], &octets[at..][body.clone()]), (b"p".as_slice(), b"body".as_slice()));
        let mut erased = octets.clone();
        erased[at..][private.start..body.end].fill(0);
        assert_eq!(walk(&erased, START, Erasure::None, |_, _| {}).size, 0);
        assert_eq!(walk(&erased, START, Erasure::Possible, |_, _| {}).size, 2);
        let head = shredded(&frame).expect("the leaf is long enough");
        erased[at..at + head.len()].copy_from_slice(&head);
        let mut found = None;
        assert_eq!(
            walk(&erased, START, Erasure::Possible, |_, frame| found = found.or(Some((frame.kind, frame.hash())))).size,
            2
        );
        assert_eq!(found, Some((FrameKind::Shredded, hash)));
    }

    /// A frame with parts of these lengths, whatever the limits are; all its checksums are right.
    fn frame_with(leaf: usize, private: usize, body: usize) -> Vec<u8> {
        let (private, body) = (vec![7; private], vec![8; body]);
        let mut head = [&[1], 5_u64.to_be_bytes().as_slice(), &(leaf as u16).to_be_bytes(), &vec![9; leaf]].concat();
        for part in [&private, &body] {
            head.extend_from_slice(&(part.len() as u32).to_be_bytes());
            head.extend_from_slice(&crc32fast::hash(part).to_be_bytes());
        }
        let length = head.len() + private.len() + body.len();
        let checksum = crc32fast::hash(&head);
        [(length as u32).to_be_bytes().as_slice(), &checksum.to_be_bytes(), &head, &private, &body].concat()
    }

    #[test]
    fn no_part_of_a_frame_is_longer_than_it_may_be() {
        const LEAF: usize = limits::LEAF_BYTES_MAX;
        const PRIVATE: usize = limits::PRIVATE_BYTES_MAX;
        const BODY: usize = limits::BODY_BYTES_MAX;
        for (leaf, private, body) in [(0, 0, 0), (LEAF, 0, 0), (0, PRIVATE, 0), (0, 0, BODY), (LEAF, PRIVATE, BODY)] {
            let octets = frame_with(leaf, private, body);
            let (frame, length) = read_frame(&octets, Erasure::None).expect("within the limits");
            assert_eq!((frame.leaf.len(), frame.private.len(), frame.body.len(), length), (leaf, private, body, octets.len()));
            let mut written = Vec::new();
            write_frame(&frame, &mut written);
            assert!(written == octets, "it is written as it was");
        }
        for (leaf, private, body) in [
            (LEAF + 1, 0, 0),
            (u16::MAX.into(), 0, 0),
            (0, PRIVATE + 1, 0),
            (0, BODY, 0),
            (0, 0, BODY + 1),
            (LEAF, PRIVATE, BODY + 1),
        ] {
            let octets = frame_with(leaf, private, body);
            assert_eq!(read_frame(&octets, Erasure::None).err(), Some(FrameError::Broken), "{leaf}, {private}, {body}");
        }
    }

    /// What stands behind the end may be anything, whoever made it: looking for groups in it takes time in proportion to its
    /// length. Only what is hashed could take more.
    #[test]
    fn a_tail_is_looked_through_once_whatever_stands_in_it() {
        const LENGTH: usize = 256 << 10;
        let tail = |pattern: &[u8]| pattern.iter().copied().cycle().take(LENGTH).collect::<Vec<u8>>();
        // Each five octets may begin a frame whose leaf is of 65,281 octets.
        let long_leaves = tail(&[0, 1, 0xff, 1, 1]);
        // Each 35 octets are a good head of a frame whose body was changed.
        let changed_bodies = tail(&frame_with(0, 0, LENGTH / 2)[..HEAD + FIXED]);
        for (what, octets) in [("long leaves", long_leaves), ("changed bodies", changed_bodies), ("ones", tail(&[1]))] {
            HASHED.set(0);
            assert!(!is_damaged(&octets, 0), "{what}");
            let hashed = HASHED.get() / LENGTH;
            assert!(hashed <= 256, "{what}: each octet was hashed {hashed} times");
        }
    }
}
