//! Up to where the log was durable when it was closed last: the file `log/end`. The last group of a journal has no other behind
//! it that would show that it was whole; with this, a start notices that its records are not there any more.
//!
//! It is only a memory: without it, or when it cannot be read, nothing is refused. After a kill it says less than there is.

use super::StoreError;
use super::durable::replace;
use super::recovery::segment_path;
use crate::evidence::tlog::tree::{Hash, Head};
use std::path::Path;

const NAME: &str = "end";

/// Where the journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The tree of all records that are durable.
    pub head: Head,
    /// The segment of the last group.
    pub segment: u32,
    /// Behind it.
    pub offset: u64,
}

impl End {
    /// What was written down when the log was closed last.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(NAME)).ok()?;
        let (line, sum) = text.strip_suffix('\n')?.rsplit_once(' ')?;
        if sum != checksum(line) {
            return None;
        }
        let mut parts = line.split(' ');
        let mut next = || parts.next();
        let size = next()?.parse().ok()?;
        let root = Hash::parse(next()?)?;
        Some(Self { head: Head { size, root }, segment: next()?.parse().ok()?, offset: next()?.parse().ok()? })
    }

    /// Writes it down.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let line = format!("{} {} {} {}", self.head.size, self.head.root, self.segment, self.offset);
        let path = folder.join(NAME);
        let text = format!("{line} {}\n", checksum(&line));
        replace(&path, text.as_bytes(), 0o600).map_err(|cause| StoreError::io(&path, cause))
    }

    /// Sees that no records are missing of those that were there.
    pub(super) fn hold(&self, folder: &Path, found: u64) -> Result<(), StoreError> {
        if found >= self.head.size {
            return Ok(());
        }
        let path = segment_path(folder, self.segment);
        Err(StoreError::Lost { path, offset: self.offset, known: self.head.size, found })
    }
}

fn checksum(line: &str) -> String {
    format!("{:08x}", crc32fast::hash(line.as_bytes()))
}
