//! Opening the journal: cut off what was never acknowledged, make the tree's edge and the index's rows anew from the live
//! volume. Volumes that are complete are not read, unless something derived from them is missing.

use super::StoreError;
use super::bound::Committed;
use super::hashes::{Kept, TreeFiles};
use super::index::{Entered, Opening};
use super::keys::PrivateHead;
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::evidence::journal::{self, Erasure, Frame, FrameKind, Header};
use crate::evidence::tlog::tree::{Edge, Head};
use crate::rules::quota::Answers;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Default)]
pub struct Recovered {
    /// How many records are durable.
    pub size: u64,
    /// Octets at the end that were never acknowledged.
    pub cut: u64,
    /// The index keys of the persons whom each agency has asked about today, UTC.
    pub asked: BTreeMap<AgencyId, HashSet<u64>>,
    /// The answers of today, UTC, in each agency's budget.
    pub answered: BTreeMap<AgencyId, Answers>,
    /// The last start of the gateway that sealed something.
    pub(super) start: u32,
    /// What the records say of the keys.
    pub(super) keys: Committed,
    pub(super) segment: u32,
    pub(super) end: u64,
    pub(super) edge: Edge,
    pub(super) volume: u32,
    /// Number of records before the live volume, and the time of its first commit in milliseconds.
    pub(super) volume_first: u64,
    pub(super) volume_time: u64,
}

pub(super) fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("seg-{number:06}"))
}

/// A segment and what it begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub number: u32,
    pub header: Header,
}

/// The segments, in order, each beginning where the one before it ended.
pub(super) fn segments(folder: &Path) -> Result<Vec<Segment>, StoreError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|cause| StoreError::io(folder, cause))? {
        let name = entry.map_err(|cause| StoreError::io(folder, cause))?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix("seg-")?.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    let mut segments: Vec<Segment> = Vec::new();
    for (place, number) in (0..).zip(&numbers) {
        let path = segment_path(folder, place);
        if place != *number {
            return Err(StoreError::Damaged { path, offset: 0 });
        }
        let is_last = place + 1 == numbers.len() as u32;
        let mut octets = Vec::new();
        let file = File::open(&path).map_err(|cause| StoreError::io(&path, cause))?;
        let start = journal::HEADER_BYTES + journal::COMMIT_BYTES;
        file.take(start as u64).read_to_end(&mut octets).map_err(|cause| StoreError::io(&path, cause))?;
        // Of the last segment the commit frame behind its header may be missing: then it was never begun.
        let header = Header::read(&octets).filter(|header| !is_last || has_commit(&octets, header));
        let last = segments.last().map(|last| last.header);
        match (header, last) {
            (Some(header), None) if header.head.size == 0 && header.volume == 0 => {
                segments.push(Segment { number: place, header })
            }
            (Some(header), Some(last))
                if header.head.size >= last.head.size && (last.volume..=last.volume + 1).contains(&header.volume) =>
            {
                segments.push(Segment { number: place, header });
            }
            // The last segment may not have been begun when the power went.
            (None, _) if is_last && !is_begun(&path)? => {}
            _ => return Err(StoreError::Damaged { path, offset: 0 }),
        }
    }
    Ok(segments)
}

fn has_commit(octets: &[u8], header: &Header) -> bool {
    let from = journal::From { offset: 0, size: header.head.size };
    journal::walk(octets, from, Erasure::None, |_, _| {}).commit.is_some()
}

/// Whether a segment whose first frame cannot be read has groups behind it.
fn is_begun(path: &Path) -> Result<bool, StoreError> {
    let mut octets = Vec::new();
    let file = File::open(path).map_err(|cause| StoreError::io(path, cause))?;
    file.take(WINDOW as u64).read_to_end(&mut octets).map_err(|cause| StoreError::io(path, cause))?;
    Ok(journal::is_damaged(&octets, 0))
}

/// What walking a segment's acknowledged records found; it is walked a window of the file at a time.
pub(super) struct Walk {
    /// Behind the last commit frame.
    pub end: u64,
    /// The tree at the last commit frame.
    pub head: Head,
    /// Time of the first and the last commit in milliseconds.
    pub times: (u64, u64),
    /// Octets behind the end that were written and never acknowledged.
    pub cut: u64,
    /// Whether anything stands behind the end: a group that was not finished, or not copied whole.
    pub is_torn: bool,
}

/// Octets that hold a whole group, its last frame reaching over its limit.
pub(super) const WINDOW: usize = 2 * limits::GROUP_BYTES_MAX + 2 * journal::FRAME_BYTES_MAX;

pub(super) fn walk_segment(
    folder: &Path,
    segment: &Segment,
    erasure: Erasure,
    visit: impl FnMut(u32, &Frame<'_>) -> Result<(), StoreError>,
) -> Result<Walk, StoreError> {
    walk_file(segment_path(folder, segment.number), &segment.header, erasure, visit)
}

/// The same of a segment that lies elsewhere.
pub(super) fn walk_file(
    path: PathBuf,
    header: &Header,
    erasure: Erasure,
    mut visit: impl FnMut(u32, &Frame<'_>) -> Result<(), StoreError>,
) -> Result<Walk, StoreError> {
    let io = |cause| StoreError::io(&path, cause);
    let file = File::open(&path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut walk = Walk { end: 0, head: header.head, times: (0, 0), cut: 0, is_torn: false };
    let mut window = Vec::new();
    loop {
        let size = (length - walk.end).min(WINDOW as u64) as usize;
        window.resize(size, 0);
        file.read_exact_at(&mut window, walk.end).map_err(io)?;
        let from = journal::From { offset: walk.end, size: walk.head.size };
        let mut result = Ok(());
        let base = walk.end;
        let walked = journal::walk(&window, from, erasure, |offset, frame| {
            if result.is_ok() {
                result = visit((base + offset as u64) as u32, &frame);
            }
        });
        result?;
        walk.cut = walked.cut as u64;
        let Some(commit) = walked.commit else {
            if journal::is_damaged(&window, walk.end) {
                return Err(StoreError::Damaged { path, offset: walk.end });
            }
            walk.is_torn = window.iter().any(|octet| *octet != 0);
            return Ok(walk);
        };
        let first = if walk.times.0 == 0 { commit.time.as_ms() } else { walk.times.0 };
        (walk.end, walk.head, walk.times) = (walk.end + walked.end as u64, commit.head, (first, commit.time.as_ms()));
    }
}

/// What recovery works on.
struct Recovery<'r> {
    folder: &'r Path,
    tree: &'r TreeFiles,
    /// The first volume whose records are entered into the index.
    from: u32,
    is_tree_lost: bool,
    recovered: Recovered,
    kept: Kept,
}

/// Reads what there is.
pub(super) fn recover(folder: &Path, tree: &TreeFiles) -> Result<(Recovered, Opening), StoreError> {
    let segments = segments(folder)?;
    let mut starts: Vec<(u32, u64)> = segments.iter().map(|segment| (segment.header.volume, segment.header.head.size)).collect();
    starts.dedup_by_key(|(volume, _)| *volume);
    let (mut index, from) = Opening::begin(folder, &starts)?;
    let mut recovery =
        Recovery { folder, tree, from, is_tree_lost: false, recovered: Recovered::default(), kept: Kept::default() };
    let mut previous: Option<(PathBuf, Walk)> = None;
    for (place, segment) in segments.iter().enumerate() {
        let header = &segment.header;
        let next = segments.get(place + 1).map(|next| next.header.head);
        if header.volume < from && !recovery.needs(segment, next) {
            previous = None;
            continue;
        }
        if let Some((path, walk)) = &previous
            && walk.head != header.head
        {
            return Err(StoreError::Damaged { path: path.clone(), offset: walk.end });
        }
        // In the segment that is written to nothing has been erased.
        let erasure = if next.is_none() { Erasure::None } else { Erasure::Possible };
        let walk = recovery.read(segment, erasure, &mut index)?;
        previous = Some((segment_path(folder, segment.number), walk));
    }
    recovery.find_start(&segments)?;
    Ok((recovery.recovered, index))
}

/// The start of the gateway that a ticket was given in.
pub(super) fn start_of(head: &PrivateHead) -> u32 {
    (head.ticket >> 32) as u32
}

impl Recovery<'_> {
    /// Whether a segment of a complete volume has to be read.
    fn needs(&mut self, segment: &Segment, next: Option<Head>) -> bool {
        let is_tree_good = |head: &Head| self.tree.edge(head.size).is_ok_and(|edge| edge.root() == head.root);
        // What begins to be made anew is made anew to the end: the hashes of full tiles do not show that others are gone.
        self.is_tree_lost |= !is_tree_good(&segment.header.head) || next.is_some_and(|next| !is_tree_good(&next));
        self.is_tree_lost
    }

    fn read(&mut self, segment: &Segment, erasure: Erasure, index: &mut Opening) -> Result<Walk, StoreError> {
        let header = segment.header;
        let enters = header.volume >= self.from;
        if self.recovered.edge.size() != header.head.size || self.recovered.edge.root() != header.head.root {
            self.recovered.edge = self.tree.edge(header.head.size)?;
            if self.recovered.edge.root() != header.head.root {
                let path = segment_path(self.folder, segment.number);
                return Err(StoreError::Damaged { path, offset: 0 });
            }
        }
        if enters && header.volume != index.number() {
            index.next_volume(header.volume, header.head.size)?;
        }
        if header.volume != self.recovered.volume || segment.number == 0 {
            (self.recovered.volume, self.recovered.volume_first, self.recovered.volume_time) =
                (header.volume, header.head.size, 0);
        }
        let (folder, number) = (self.folder, segment.number);
        let walk = walk_segment(folder, segment, erasure, |offset, frame| {
            self.take(frame);
            if enters {
                let head = PrivateHead::read(frame.private).map(|(head, _)| head).unwrap_or_default();
                let leaf = if frame.kind == FrameKind::Record { frame.leaf.to_vec() } else { Vec::new() };
                index.enter(&Entered { leaf, head, segment: number, offset })?;
            }
            Ok(())
        })?;
        let edge = &self.recovered.edge;
        self.tree.write(header.head.size, &self.kept)?;
        self.kept.clear();
        if (edge.size(), edge.root()) != (walk.head.size, walk.head.root) {
            // Each record has its checksum, and yet they are not those that were committed to.
            return Err(StoreError::Damaged { path: segment_path(folder, number), offset: 0 });
        }
        if self.recovered.volume_time == 0 {
            self.recovered.volume_time = walk.times.0;
        }
        (self.recovered.size, self.recovered.segment) = (walk.head.size, number);
        (self.recovered.end, self.recovered.cut) = (walk.end, walk.cut);
        Ok(walk)
    }

    /// Looks for the last ticket further back, where the live volume has none, and for what is said of the keys in the volume
    /// before it: the first records of each say it, if they were written by this version.
    fn find_start(&mut self, segments: &[Segment]) -> Result<(), StoreError> {
        let live = segments.last().map_or(0, |segment| segment.header.volume);
        for segment in segments.iter().rev().skip(1) {
            let is_silent = self.recovered.keys.is_empty() && segment.header.volume + 1 >= live;
            if self.recovered.start > 0 && !is_silent {
                break;
            }
            walk_segment(self.folder, segment, Erasure::Possible, |_, frame| {
                let head = PrivateHead::read(frame.private).map(|(head, _)| head).unwrap_or_default();
                self.recovered.start = self.recovered.start.max(start_of(&head));
                self.recovered.keys.take(frame);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn take(&mut self, frame: &Frame<'_>) {
        let kept = &mut self.kept;
        self.recovered.edge.push(frame.hash(), |level, hash| kept.keep(level, hash));
        if frame.kind == FrameKind::Record {
            let head = PrivateHead::read(frame.private).map(|(head, _)| head).unwrap_or_default();
            self.recovered.start = self.recovered.start.max(start_of(&head));
            self.recovered.keys.take(frame);
        }
    }
}
