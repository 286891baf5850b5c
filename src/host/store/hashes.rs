//! The hashes of the tree in flat files, one a level: what tlog-tiles are cut from. They are derived from the leaves and
//! written before them: what a group that failed has left behind its end is overwritten by the next.

use super::StoreError;
use crate::evidence::tlog::tree::{Edge, Hash, Hashes};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// Levels that a tree of 2^63 leaves has.
const LEVELS: usize = 8;

/// The files.
pub(super) struct TreeFiles {
    folder: PathBuf,
    levels: RwLock<Vec<std::sync::Arc<File>>>,
}

/// Hashes that are to be kept, level by level.
#[derive(Default)]
pub(super) struct Kept([Vec<u8>; LEVELS]);

impl Kept {
    pub(super) fn keep(&mut self, level: u32, hash: Hash) {
        if let Some(level) = self.0.get_mut(level as usize) {
            level.extend_from_slice(hash.octets());
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }
}

impl TreeFiles {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|cause| StoreError::io(folder, cause))?;
        let this = Self { folder: folder.to_owned(), levels: RwLock::default() };
        let mut level = 0;
        while this.path(level).exists() {
            this.level(level)?;
            level += 1;
        }
        Ok(this)
    }

    fn path(&self, level: usize) -> PathBuf {
        self.folder.join(level.to_string())
    }

    /// The file of a level, made if it is not there.
    fn level(&self, level: usize) -> Result<std::sync::Arc<File>, StoreError> {
        if let Some(file) = self.levels.read().unwrap_or_else(PoisonError::into_inner).get(level) {
            return Ok(std::sync::Arc::clone(file));
        }
        let mut levels = self.levels.write().unwrap_or_else(PoisonError::into_inner);
        while levels.len() <= level {
            let path = self.path(levels.len());
            let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
            levels.push(std::sync::Arc::new(file.map_err(|cause| StoreError::io(&path, cause))?));
        }
        levels.get(level).map(std::sync::Arc::clone).ok_or(StoreError::Stopped)
    }

    /// Writes hashes that were kept when the tree had grown from `size` leaves on.
    pub(super) fn write(&self, size: u64, kept: &Kept) -> Result<(), StoreError> {
        for (level, octets) in kept.0.iter().enumerate().filter(|(_, octets)| !octets.is_empty()) {
            let at = (size >> (8 * level)) * 32;
            self.level(level)?.write_all_at(octets, at).map_err(|cause| StoreError::io(&self.path(level), cause))?;
        }
        Ok(())
    }

    /// The edge of the tree of `size` leaves, if the files hold it.
    pub(super) fn edge(&self, size: u64) -> Result<Edge, StoreError> {
        Edge::of(self, size)
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let levels = self.levels.read().unwrap_or_else(PoisonError::into_inner);
        for (level, file) in levels.iter().enumerate() {
            file.sync_data().map_err(|cause| StoreError::io(&self.path(level), cause))?;
        }
        Ok(())
    }
}

impl Hashes for TreeFiles {
    type Error = StoreError;

    fn read(&self, level: u32, from: u64, count: u64, out: &mut Vec<Hash>) -> Result<(), StoreError> {
        let level = level as usize;
        let mut octets = [0; 256 * 32];
        let octets = octets.get_mut(..count as usize * 32).ok_or(StoreError::Stopped)?;
        let read = self.level(level)?.read_exact_at(octets, from * 32);
        read.map_err(|_| StoreError::Damaged { path: self.path(level), offset: from * 32 })?;
        out.extend(octets.as_chunks::<32>().0.iter().map(|hash| Hash::from_octets(*hash)));
        Ok(())
    }
}
