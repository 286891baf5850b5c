//! The answers of people in a backup: files under `ratings` that change as wholes, each by another in its place.
//!
//! They are looked at before the log says up to where it is durable, and again after that: where nothing has changed, they are those of
//! just that state, and no answer is lost or has a link that would take another. Refuses a look that has got old.
//!
//! When a file was changed says when somebody has answered, so a backup does not keep it.

use super::StoreError;
use super::kept::{BackupError, is_name};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The files as they were at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers(Vec<One>);

/// A file, and which one it is: whatever stands in its place later is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct One {
    /// Its name below `data`.
    pub name: String,
    pub path: PathBuf,
    pub octets: u64,
    is: (u64, i64, i64),
}

/// Which file this is.
fn identity(found: &Metadata) -> (u64, i64, i64) {
    (found.ino(), found.ctime(), found.ctime_nsec())
}

impl Answers {
    /// Looks at those of a data directory.
    pub fn look(data: &Path) -> Result<Self, StoreError> {
        let mut found = Vec::new();
        for world in WORLDS {
            let folder = data.join("ratings").join(world);
            let entries = match std::fs::read_dir(&folder) {
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(|cause| StoreError::io(&folder, cause))?,
            };
            for entry in entries {
                let entry = entry.map_err(|cause| StoreError::io(&folder, cause))?;
                let path = entry.path();
                let Some(file) = entry.file_name().into_string().ok().filter(|name| is_whole(name)) else { continue };
                match std::fs::metadata(&path) {
                    // It has just gone among the others: the second look sees it.
                    Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                    Err(cause) => return Err(StoreError::io(&path, cause)),
                    Ok(one) => {
                        let (octets, is) = (one.len(), identity(&one));
                        found.push(One { name: format!("ratings/{world}/{file}"), path, octets, is });
                    }
                }
            }
        }
        // What changes most often is copied first.
        found.sort_by_key(|one| (!one.name.ends_with("/recent"), one.name.clone()));
        Ok(Self(found))
    }

    /// Sees that they are still as they were at this look.
    pub(super) fn expect_same(&self, data: &Path) -> Result<(), BackupError> {
        if Self::look(data)? == *self { Ok(()) } else { Err(BackupError::AnswersChange) }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &One> {
        self.0.iter()
    }
}

impl One {
    /// Sees that what was copied was this file from its beginning to its end.
    pub(super) fn expect_same(&self) -> Result<(), BackupError> {
        match std::fs::metadata(&self.path) {
            Ok(found) if identity(&found) == self.is => Ok(()),
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(StoreError::io(&self.path, cause).into()),
            _ => Err(BackupError::AnswersChange),
        }
    }
}

/// Takes from a copy when it was made, as it is taken from what it is a copy of.
pub(super) fn forget_time(path: &Path) {
    // It is written: whoever cannot take its time from it does not lose it.
    if let Ok(file) = std::fs::File::options().write(true).open(path) {
        let _ = file.set_modified(SystemTime::UNIX_EPOCH);
    }
}

/// Whether a name in a manifest is that of a file of answers.
pub(super) fn is_answers(name: &str) -> bool {
    name.starts_with("ratings/")
}

/// What is half written was acknowledged to nobody.
fn is_whole(name: &str) -> bool {
    is_name(name) && Path::new(name).extension().is_none_or(|extension| extension != "new")
}

const WORLDS: [&str; 2] = ["live", "test"];
