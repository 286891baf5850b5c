//! `oncegate log verify --all`: everything is derived anew from the journal of a stopped gateway, or of a copy, and held against
//! what is kept beside it and against checkpoints that others have kept.
//!
//! A copy that was made while the gateway ran has files of different instants: what one of them lacks at its end is told as a
//! [`Note`], and is no damage. What was changed is [`NotVerified`].

use super::bound::{self, Committed};
use super::end::End;
use super::index::{Reader, Short};
use super::keys::Tried;
use super::recovery::{Segment, Walk, segment_path, segments, walk_segment};
use super::upkeep::Kept;
use super::{StoreError, hashes, lock};
use crate::base::limits;
use crate::evidence::journal::{self, Erasure, Frame, FrameKind};
use crate::evidence::tlog::note::Checkpoint;
use crate::evidence::tlog::tree::{Edge, Hash, Hashes, Head};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

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
    /// What is not whole, and is no damage.
    pub notes: Vec<Note>,
}

/// What is not whole and yet no damage: a file that was cut short while it was copied, or that is older than the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The first record whose hash the tree's files do not have.
    TreeEnds(u64),
    /// The journal ends within a group: all records before it hold.
    JournalEnds {
        /// The segment.
        path: PathBuf,
        /// Where the group begins.
        offset: u64,
        /// The records before it.
        records: u64,
    },
    /// What is derived knows more records than the journal has.
    JournalIsOlder {
        /// So many are in the journal.
        records: u64,
        /// So many the index or the tree knows.
        known: u64,
    },
    /// A derived file that ends too early.
    Short(PathBuf),
    /// The key of a year was removed with its line in `keys/sums`.
    YearGone(u16),
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TreeEnds(record) => write!(
                f,
                "the files of the tree were cut short while copying, at record {record}; the journal is whole, and the next start rebuilds them"
            ),
            Self::JournalEnds { path, offset, records } => write!(
                f,
                "{}: the last records were cut short while copying, or when the gateway was killed, from byte {offset} on; all {records} before hold, and the next start goes on from them. For a whole copy of a running gateway use `oncegate backup`",
                path.display()
            ),
            Self::JournalIsOlder { records, known } => write!(
                f,
                "the journal has {records} records, and the index or the tree knows {known}: the files were copied at different instants, or the last records are missing. Hold the log against a checkpoint that somebody has kept (`--checkpoint`); for a copy of one instant use `oncegate backup`"
            ),
            Self::Short(path) => {
                write!(f, "{}: cut short while copying; the journal is whole, and the next start rebuilds it", path.display())
            }
            Self::YearGone(year) => write!(
                f,
                "keys/person-{year} is not there: whose the tags of {year} are cannot be verified, by nobody. If it was not removed on purpose, put it back from a backup"
            ),
        }
    }
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
    /// The key of a year is not there: removed, or made while the folder was copied.
    KeyAbsent {
        /// Its file.
        path: PathBuf,
    },
    /// A copy that was made while the gateway wrote: octets are missing before others that came later.
    Torn {
        /// The segment.
        path: PathBuf,
        /// Where what is missing begins.
        offset: u64,
        /// The records before it, which hold.
        records: u64,
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
            Self::Checkpoint { said, found: None } => write!(
                f,
                "a checkpoint of {} records was given out, and the log has fewer: it was rolled back, or is a copy from before that",
                said.size
            ),
            Self::Checkpoint { said, found: Some(found) } => write!(
                f,
                "a checkpoint of {} records was given out with the root {}, but those records now give {}: the log was changed",
                said.size, said.root, found.root
            ),
            Self::Index { index } => write!(f, "the index has another record {index} than the journal; start with `log rebuild`"),
            Self::KeyAbsent { path } => write!(
                f,
                "{}: the key is not there, and the log has one. If this is a copy, the key was made while it was copied: copy again, or use `oncegate backup`; if it is no copy, put the key back from its backup",
                path.display()
            ),
            Self::Torn { path, offset, records } => write!(
                f,
                "{}: cut short while copying: from byte {offset} on octets are missing that the gateway was just writing. All {records} records before hold. Make the copy with `oncegate backup`, or stop the gateway first; if this is no copy, it is damage: restore the file",
                path.display()
            ),
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
    bound::check(&keys).map_err(absent_or_damaged)?;
    let hashed = std::fs::metadata(folder.join("tree/0")).map_or(0, |file| file.len() / 32);
    let tree = hashes::TreeFiles::open(&folder.join("tree"))?;
    let segments = segments(&folder)?;
    let mut waiting: Vec<Head> = checkpoints.iter().map(Checkpoint::claimed).collect();
    waiting.sort_by_key(|head| std::cmp::Reverse(head.size));
    let (index, short) = Reader::open(&folder)?;
    let (edge, tried) = (Edge::new(), Tried::open(&keys)?);
    let checkpoints = waiting.len();
    let mut whole =
        Whole { folder: &folder, tree: &tree, hashed, edge, waiting, index, tried, keys: Committed::default(), shredded: 0 };
    hold(&mut whole.waiting, &whole.edge)?;
    let (mut octets, mut notes) = (0, Vec::new());
    for (at, segment) in segments.iter().enumerate() {
        // In the segment that is written to nothing has been erased.
        let erasure = if at + 1 == segments.len() { Erasure::None } else { Erasure::Possible };
        let walk = whole.read(segment, erasure)?;
        octets += walk.end;
        if erasure == Erasure::None && walk.is_torn {
            let path = segment_path(&folder, segment.number);
            notes.push(Note::JournalEnds { path, offset: walk.end, records: walk.head.size });
        }
    }
    if let Some(said) = whole.waiting.first() {
        return Err(NotVerified::Checkpoint { said: *said, found: None });
    }
    let head = Head { size: whole.edge.size(), root: whole.edge.root() };
    if let Some(end) = End::read(&folder) {
        end.hold(&folder, head.size)?;
    }
    // A copy may have no keys beside it, or those alone that its checkpoints need.
    let gone = if whole.tried.is_some() { whole.keys.hold(&keys).map_err(absent_or_damaged)? } else { Default::default() };
    whole.keys.fit(&keys)?;
    notes.extend((hashed < head.size).then_some(Note::TreeEnds(hashed)));
    notes.extend(short.into_iter().map(|Short(path)| Note::Short(path)));
    // The tree is written before the group that it is of.
    let known = whole.index.known().max(hashed.saturating_sub(limits::GROUP_RECORDS_MAX as u64));
    notes.extend((known > head.size).then_some(Note::JournalIsOlder { records: head.size, known }));
    notes.extend(gone.into_iter().map(Note::YearGone));
    Ok(Verified { head, segments: segments.len(), octets, shredded: whole.shredded, checkpoints, notes })
}

/// A log while it is read from its beginning.
struct Whole<'w> {
    folder: &'w Path,
    tree: &'w hashes::TreeFiles,
    /// So many leaves have their hash in the tree's files.
    hashed: u64,
    edge: Edge,
    waiting: Vec<Head>,
    index: Reader,
    tried: Option<Tried>,
    keys: Committed,
    shredded: u64,
}

impl Whole<'_> {
    fn read(&mut self, segment: &Segment, erasure: Erasure) -> Result<Walk, NotVerified> {
        let (folder, number) = (self.folder, segment.number);
        let path = segment_path(folder, number);
        committed(&path, segment.header.head, &self.edge)?;
        let (tree, mut wrong) = (self.tree, None);
        let mut kept = Kept::new(tree);
        let walked = walk_segment(folder, segment, erasure, |offset, frame| {
            if wrong.is_none() {
                wrong = self.take(frame, (number, offset), &mut kept)?;
            }
            Ok(())
        });
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        let walk = match walked {
            Err(StoreError::Damaged { path: of, offset })
                if erasure == Erasure::None && of == path && is_unwritten(&path, offset) =>
            {
                return Err(NotVerified::Torn { path, offset, records: self.edge.size() });
            }
            walked => walked?,
        };
        committed(&path, walk.head, &self.edge)?;
        Ok(walk)
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        (segment, offset): (u32, u32),
        kept: &mut Kept<'_, hashes::TreeFiles>,
    ) -> Result<Option<NotVerified>, StoreError> {
        // What somebody has signed counts before what lies beside it.
        let mut above = Vec::new();
        self.edge.push(frame.hash(), |level, hash| above.extend((level > 0).then_some((level, hash))));
        self.shredded += u64::from(frame.kind == FrameKind::Shredded);
        if frame.seq < self.hashed && !kept.has(frame)? {
            let path = segment_path(self.folder, segment);
            return Ok(Some(NotVerified::Record { index: frame.seq, path, offset: offset.into() }));
        }
        if let Some(damaged) = wrong_above(self.tree, self.folder, frame.seq, &above) {
            return Ok(Some(damaged.into()));
        }
        if let Err(found) = hold(&mut self.waiting, &self.edge) {
            return Ok(Some(found));
        }
        if let Some(index) = self.index.wrong(segment, offset, frame)? {
            return Ok(Some(NotVerified::Index { index }));
        }
        self.keys.take(frame);
        self.tried.as_mut().map_or(Ok(()), |tried| tried.fit(frame))?;
        Ok(None)
    }
}

/// Whether a segment goes on, from where it cannot be read, with octets that were not written yet when it was copied.
fn is_unwritten(path: &Path, offset: u64) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let length = file.metadata().map_or(0, |found| found.len().saturating_sub(offset));
    let mut rest = vec![0; length.min(super::recovery::WINDOW as u64) as usize];
    file.read_exact_at(&mut rest, offset).is_ok() && journal::is_unwritten(&rest, offset)
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
/// The key of a year is made while the gateway runs: a copy that lacks it may be older than it, and is not called changed.
fn absent_or_damaged(error: StoreError) -> NotVerified {
    let is_of_a_year = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("person-"));
    match error {
        StoreError::Damaged { path, .. } if is_of_a_year(&path) && !path.exists() => NotVerified::KeyAbsent { path },
        error => NotVerified::Store(error),
    }
}

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
