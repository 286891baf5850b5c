//! Reading everything again: to find what a disk or a hand has changed, and to give back what was erased.
//!
//! [`Store::scrub`] reads one closed segment and one volume of a running gateway. [`verify_all`] derives everything anew
//! from the journal of a stopped one, and holds it against checkpoints that others have kept.

use super::index::{Reader, Row};
use super::keys::Tried;
use super::recovery::{Segment, segment_path, segments, walk_segment};
use super::shred::Erased;
use super::{PrivateHead, Store, StoreError, bound, hashes, lock};
use crate::evidence::journal::{self, Erasure, Frame, FrameKind};
use crate::evidence::tlog::note::Checkpoint;
use crate::evidence::tlog::tree::{Edge, Hash, Hashes, Head};
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

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
struct Kept<'t, H> {
    tree: &'t H,
    start: u64,
    hashes: Vec<Hash>,
}

impl<'t, H: Hashes<Error = StoreError>> Kept<'t, H> {
    fn new(tree: &'t H) -> Self {
        Self { tree, start: 0, hashes: Vec::new() }
    }

    /// Whether the hash of a record's leaf is the one in the tree.
    fn has(&mut self, frame: &Frame<'_>) -> Result<bool, StoreError> {
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

/// What was derived anew, all of which is as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The tree.
    pub head: Head,
    /// Segments.
    pub segments: usize,
    /// Octets that were read.
    pub octets: u64,
    /// Records of which only the hash is left.
    pub shredded: u64,
    /// Checkpoints that it was held against.
    pub checkpoints: usize,
    /// The first record whose hash the tree's files do not have yet: they were cut short while copying, and are made anew from
    /// the journal at the next start.
    pub tree_ends: Option<u64>,
}

/// Why a log is not what it was.
#[derive(Debug)]
pub enum NotVerified {
    /// A file is damaged, or cannot be read.
    Store(StoreError),
    /// A record, or its hash in the tree, was changed.
    Record {
        /// The record.
        index: u64,
        /// Where it is.
        path: PathBuf,
        /// Where in it.
        offset: u64,
    },
    /// The records are not those that a commit frame was written for.
    Commit {
        /// The segment.
        path: PathBuf,
        /// What the frame says.
        said: Head,
        /// What the records are.
        found: Head,
    },
    /// A checkpoint that somebody kept is of another history.
    Checkpoint {
        /// What it says.
        said: Head,
        /// The log at that size; none if it is smaller.
        found: Option<Head>,
    },
    /// A row of the index is not what the journal says.
    Index {
        /// The record.
        index: u64,
    },
}

impl From<StoreError> for NotVerified {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl std::fmt::Display for NotVerified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Record { index, path, offset } => {
                write!(f, "record {index} is not the one that the tree was built over ({}, byte {offset})", path.display())
            }
            Self::Commit { path, said, found } => write!(
                f,
                "{}: {} records were committed with the root {}, but the records there give {}",
                path.display(),
                said.size,
                said.root,
                found.root
            ),
            Self::Checkpoint { said, found: None } => {
                write!(f, "a checkpoint of {} records was given out, and the log has fewer: it was rolled back", said.size)
            }
            Self::Checkpoint { said, found: Some(found) } => write!(
                f,
                "a checkpoint of {} records was given out with the root {}, but those records now give {}: the log was changed",
                said.size, said.root, found.root
            ),
            Self::Index { index } => write!(f, "the index has another record {index} than the journal; start with `log rebuild`"),
        }
    }
}

impl std::error::Error for NotVerified {}

/// Derives everything anew from the journal of a stopped gateway, and changes nothing. The checkpoints are those that
/// somebody has kept; whose signatures they bear is the caller's to check.
pub fn verify_all(data: &Path, checkpoints: &[Checkpoint]) -> Result<Verified, NotVerified> {
    let folder = data.join("log");
    let _lock = lock(&folder)?;
    let keys = data.join("keys");
    bound::check(&keys)?;
    let mut tried = Tried::open(&keys)?;
    let hashed = std::fs::metadata(folder.join("tree/0")).map_or(0, |file| file.len() / 32);
    let tree = hashes::TreeFiles::open(&folder.join("tree"))?;
    let segments = segments(&folder)?;
    let mut waiting: Vec<Head> = checkpoints.iter().map(Checkpoint::claimed).collect();
    waiting.sort_by_key(|head| std::cmp::Reverse(head.size));
    let (mut edge, mut kept, mut index) = (Edge::new(), Kept::new(&tree), Reader::open(&folder)?);
    let empty = Head { size: 0, root: Hash::of_empty() };
    let mut verified =
        Verified { head: empty, segments: segments.len(), octets: 0, shredded: 0, checkpoints: waiting.len(), tree_ends: None };
    hold(&mut waiting, &edge)?;
    for (at, segment) in segments.iter().enumerate() {
        let path = segment_path(&folder, segment.number);
        let is_last = at + 1 == segments.len();
        committed(&path, segment.header.head, &edge)?;
        let mut wrong = None;
        let walk = walk_segment(&folder, segment, if is_last { Erasure::None } else { Erasure::Possible }, |offset, frame| {
            if wrong.is_some() {
                return Ok(());
            }
            // What somebody has signed counts before what lies beside it.
            let mut above = Vec::new();
            edge.push(frame.hash(), |level, hash| above.extend((level > 0).then_some((level, hash))));
            verified.shredded += u64::from(frame.kind == FrameKind::Shredded);
            let offset = u64::from(offset);
            if is_last && frame.seq >= hashed {
                verified.tree_ends.get_or_insert(frame.seq);
            } else if !kept.has(frame)? {
                wrong = Some(NotVerified::Record { index: frame.seq, path: path.clone(), offset });
            } else if let Some(damaged) = wrong_above(&tree, &folder, frame.seq, &above) {
                wrong = Some(damaged.into());
            }
            if wrong.is_some() {
                return Ok(());
            }
            if let Err(found) = hold(&mut waiting, &edge) {
                wrong = Some(found);
            } else if let Some(index) = index.wrong(segment.number, offset as u32, frame)? {
                wrong = Some(NotVerified::Index { index });
            } else if let Some(tried) = &mut tried {
                tried.fit(frame)?;
            }
            Ok(())
        })?;
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        committed(&path, walk.head, &edge)?;
        verified.octets += walk.end;
    }
    if let Some(said) = waiting.first() {
        return Err(NotVerified::Checkpoint { said: *said, found: None });
    }
    verified.head = Head { size: edge.size(), root: edge.root() };
    Ok(verified)
}

/// The file of a higher level that has another hash than follows from the records. What it does not have yet is made anew.
fn wrong_above(tree: &hashes::TreeFiles, folder: &Path, seq: u64, above: &[(u32, Hash)]) -> Option<StoreError> {
    above.iter().find_map(|(level, hash)| {
        let at = ((seq + 1) >> (8 * level)) - 1;
        let mut found = Vec::new();
        let is_other = tree.read(*level, at, 1, &mut found).is_ok() && found.first() != Some(hash);
        is_other.then(|| StoreError::Damaged { path: folder.join(format!("tree/{level}")), offset: at * 32 })
    })
}

fn committed(path: &Path, said: Head, edge: &Edge) -> Result<(), NotVerified> {
    let found = Head { size: edge.size(), root: edge.root() };
    if said == found { Ok(()) } else { Err(NotVerified::Commit { path: path.to_owned(), said, found }) }
}

/// Holds the tree against the checkpoints of its size; the smallest is the last.
fn hold(waiting: &mut Vec<Head>, edge: &Edge) -> Result<(), NotVerified> {
    while let Some(said) = waiting.last().filter(|said| said.size == edge.size()) {
        let found = Head { size: edge.size(), root: edge.root() };
        if *said != found {
            return Err(NotVerified::Checkpoint { said: *said, found: Some(found) });
        }
        waiting.pop();
    }
    Ok(())
}
