//! Files of rows that are read by blocks, each under a checksum: what a disk has changed is never taken for an answer.

use crate::host::store::StoreError;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Octets of a block.
pub(crate) const BLOCK: u64 = 4096;

/// A file and the checksums of its blocks. The last block may be shorter than the others.
pub(crate) struct Blocks {
    path: PathBuf,
    file: File,
    length: u64,
    sums: Vec<u32>,
    /// The octets of the block that is not full yet.
    tail: Vec<u8>,
}

impl Blocks {
    /// An empty file that grows.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let open = File::options().create(true).truncate(true).read(true).write(true).open(path);
        let file = open.map_err(|cause| StoreError::io(path, cause))?;
        Ok(Self { path: path.to_owned(), file, length: 0, sums: Vec::new(), tail: Vec::new() })
    }

    /// A file that is complete, with the checksums of its blocks.
    pub(crate) fn open(path: &Path, length: u64, sums: Vec<u32>) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|cause| StoreError::io(path, cause))?;
        let found = file.metadata().map_err(|cause| StoreError::io(path, cause))?.len();
        let this = Self { path: path.to_owned(), file, length, sums, tail: Vec::new() };
        if found == length && this.sums.len() as u64 == length.div_ceil(BLOCK) {
            Ok(this)
        } else {
            Err(this.damaged(found.min(length)))
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn append(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        self.file.write_all_at(octets, self.length).map_err(|cause| StoreError::io(&self.path, cause))?;
        self.length += octets.len() as u64;
        let mut rest = octets;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK as usize - self.tail.len()));
            self.tail.extend_from_slice(now);
            rest = later;
            if self.tail.len() as u64 == BLOCK {
                self.sums.push(crc32fast::hash(&self.tail));
                self.tail.clear();
            }
        }
        Ok(())
    }

    /// Makes it durable, and gives its length and the checksums of all its blocks.
    pub(crate) fn finish(self) -> Result<(u64, Vec<u32>), StoreError> {
        self.file.sync_data().map_err(|cause| StoreError::io(&self.path, cause))?;
        let mut sums = self.sums;
        if !self.tail.is_empty() {
            sums.push(crc32fast::hash(&self.tail));
        }
        Ok((self.length, sums))
    }

    /// Reads the octets from `from` to before `to`, if the blocks that they lie in are as they were written.
    pub(crate) fn read(&self, from: u64, to: u64, out: &mut Vec<u8>) -> Result<(), StoreError> {
        out.clear();
        if from >= to {
            return Ok(());
        }
        if to > self.length {
            return Err(self.damaged(self.length));
        }
        let (first, last) = (from / BLOCK, (to - 1) / BLOCK);
        let start = first * BLOCK;
        out.resize((((last + 1) * BLOCK).min(self.length) - start) as usize, 0);
        self.file.read_exact_at(out, start).map_err(|_| self.damaged(start))?;
        for (number, block) in (first..).zip(out.chunks(BLOCK as usize)) {
            let is_good = match self.sums.get(number as usize) {
                Some(sum) => *sum == crc32fast::hash(block),
                None => block == self.tail,
            };
            if !is_good {
                return Err(self.damaged(number * BLOCK));
            }
        }
        out.truncate((to - start) as usize);
        out.drain(..(from - start) as usize);
        Ok(())
    }

    fn damaged(&self, offset: u64) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), offset }
    }
}
