//! What a backup consists of: a manifest of the files of the log, and one file of its keys; and why there is none.

use super::{NotVerified, StoreError, bound, keys};
use crate::base::time::UnixTime;
use crate::evidence::tlog::note::{Checkpoint, NoteError};
use crate::evidence::tlog::tree::Head;
use crate::message::crypto::sha256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Up to where a log is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The checkpoint of all records up to there.
    pub checkpoint: String,
    /// The segment of the last of them.
    pub segment: u32,
    /// Behind it.
    pub offset: u64,
}

/// What a backup consists of: the file `backup.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub format: u32,
    /// The name of the log.
    pub origin: String,
    /// When it was made.
    pub taken: String,
    pub position: Position,
    pub files: Vec<Item>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Item {
    /// Its name below `data`.
    pub name: String,
    /// Its name in the backup's folder `files`.
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
    /// When it was changed last in `data`, as the file system says: what has the same time and length is not copied again.
    pub modified: String,
}

pub(super) const MANIFEST: &str = "backup.json";
pub(super) const FILES: &str = "files";

impl Manifest {
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, BackupError> {
        let path = folder.join(MANIFEST);
        let octets = match std::fs::read(&path) {
            Ok(octets) => octets,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(StoreError::io(&path, cause).into()),
        };
        let manifest: Option<Self> = serde_json::from_slice(&octets).ok();
        let is_good =
            |found: &Self| found.format == 1 && found.files.iter().all(|item| is_name(&item.file) && is_inside(&item.name));
        manifest.filter(is_good).map(Some).ok_or(BackupError::Changed { path })
    }

    pub(super) fn head(&self, folder: &Path) -> Result<Head, BackupError> {
        let parsed = Checkpoint::parse(&self.position.checkpoint);
        parsed.map(|found| found.claimed()).map_err(|_| BackupError::Changed { path: folder.join(MANIFEST) })
    }
}

/// Names in a manifest lead nowhere else.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && !name.starts_with('.')
}

fn is_inside(name: &str) -> bool {
    name.split('/').all(is_name)
}

/// The file in `data` that says that a restore has not ended.
pub(super) const MARK: &str = "restoring";
/// The file of keys in a backup's folder of keys.
pub(super) const KEYS: &str = "keys.json";

/// The keys of a log in one file, so that it is replaced in one step.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    format: u32,
    pub origin: String,
    taken: String,
    /// Each file, in base64.
    files: BTreeMap<String, String>,
}

fn is_key(name: &str) -> bool {
    matches!(name, "log" | "index" | "private" | "bodies" | "starts" | "sums") || name.starts_with("person-") && name.len() == 11
}

impl Kept {
    /// Reads all keys of a folder; gives the octets of the file.
    pub(super) fn read(folder: &Path, origin: &str, now: UnixTime) -> Result<Vec<u8>, StoreError> {
        // A key is listed after it is made, so those that are read after the list are at least those that it has.
        let listed = bound::listed(folder)?;
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(|cause| StoreError::io(folder, cause))?.flatten() {
            let Some(name) = entry.file_name().into_string().ok().filter(|name| is_key(name)) else { continue };
            let path = entry.path();
            let octets = std::fs::read(&path).map_err(|cause| StoreError::io(&path, cause))?;
            let is_whole = match name.as_str() {
                "private" | "bodies" => keys::renewed(&octets, u32::MAX - 1).is_some(),
                _ => listed.get(&name).is_none_or(|sum| *sum == sha256(&octets)),
            };
            if !is_whole {
                return Err(StoreError::Damaged { path, offset: 0 });
            }
            files.insert(name, STANDARD.encode(octets));
        }
        keys::expect_all(folder)?;
        let kept = Self { format: 1, origin: origin.to_owned(), taken: now.to_string(), files };
        serde_json::to_vec_pretty(&kept).map_err(|cause| StoreError::Index(cause.to_string()))
    }

    pub(super) fn open(path: &Path) -> Result<(Self, BTreeMap<String, Vec<u8>>), BackupError> {
        let octets = match std::fs::read(path) {
            Ok(octets) => octets,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(BackupError::NoBackup(path.to_owned())),
            Err(cause) => return Err(StoreError::io(path, cause).into()),
        };
        let kept: Option<Self> = serde_json::from_slice(&octets).ok().filter(|kept: &Self| kept.format == 1);
        let files = kept.as_ref().and_then(|kept| {
            let file = |(name, text): (&String, &String)| Some((name.clone(), STANDARD.decode(text).ok()?));
            kept.files.iter().map(file).collect::<Option<BTreeMap<_, _>>>()
        });
        let files = files.filter(|files| files.keys().all(|name| is_key(name)));
        kept.zip(files).ok_or_else(|| BackupError::Changed { path: path.to_owned() })
    }
}

/// Why there is no backup, or why it was not restored.
#[derive(Debug)]
pub enum BackupError {
    /// A file cannot be read or written, or is damaged.
    Store(StoreError),
    /// There is no log.
    NoLog {
        /// Where it would be.
        path: PathBuf,
    },
    /// An erasure was interrupted and has not been ended.
    Erasing {
        /// What says so.
        path: PathBuf,
    },
    /// Two folders that must be apart.
    Together(PathBuf, PathBuf),
    /// Another backup is being made in this folder.
    Busy(PathBuf),
    /// A folder that must be empty or must hold a backup.
    NotEmpty(PathBuf),
    /// A folder without a backup.
    NoBackup(PathBuf),
    /// It is of another log.
    OtherLog {
        /// Where.
        path: PathBuf,
        /// The log that it is of.
        of: String,
    },
    /// The backup has more records than the log.
    Older {
        /// So many are in the backup.
        kept: u64,
        /// So many in the log.
        found: u64,
    },
    /// The log does not go on from the one that was backed up.
    OtherHistory {
        /// So many records were backed up.
        kept: u64,
    },
    /// A file of the backup is not as it was written.
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// While they were copied, people gave answers.
    AnswersChange,
    /// The checkpoint of the backup is not signed with the key that is beside it.
    Unsigned(NoteError),
    /// What was restored is not what was backed up.
    NotVerified(NotVerified),
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl std::fmt::Display for BackupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(StoreError::Io { path, cause }) if cause.kind() == io::ErrorKind::StorageFull => write!(
                f,
                "{}: the disk is full. The last backup that was finished can still be used; make room, and run the command again",
                path.display()
            ),
            Self::Store(error) => error.fmt(f),
            Self::NoLog { path } => write!(f, "{}: there is no log yet: start the gateway once", path.display()),
            Self::Erasing { path } => write!(
                f,
                "{}: an erasure was interrupted; start the gateway once, which ends it, then make the backup",
                path.display()
            ),
            Self::Together(one, two) => write!(
                f,
                "{} and {} must be two folders, none within the other: whoever has both a copy of the log and its keys can read what is sealed, and what is in a copy of both cannot be erased",
                one.display(),
                two.display()
            ),
            Self::Busy(path) => write!(f, "{}: another backup is being made there; wait until it has ended", path.display()),
            Self::NotEmpty(path) => {
                write!(f, "{}: the folder is not empty; name one that is, or that is not there yet", path.display())
            }
            Self::NoBackup(path) => write!(f, "{}: there is no backup; `oncegate backup` makes one", path.display()),
            Self::OtherLog { path, of } => write!(
                f,
                "{}: it is of another log, {of}; name another folder, or the configuration whose log.origin is that name",
                path.display()
            ),
            Self::Older { kept, found } => write!(
                f,
                "the backup has {kept} records and the log {found}: the log was put back to an older state. Restore the backup, or find the missing records, before it is backed up again; for a backup of this state name another folder"
            ),
            Self::OtherHistory { kept } => write!(
                f,
                "the log does not go on from the {kept} records that were backed up: it was changed. Run `oncegate log verify --all`, and restore the backup; for a backup of this state name another folder"
            ),
            Self::Changed { path } => write!(
                f,
                "{}: it is not as the backup wrote it; use another copy of the backup, or make a new one in an empty folder",
                path.display()
            ),
            Self::AnswersChange => write!(f, "people are just answering how it was; run the command again"),
            Self::Unsigned(cause) => write!(
                f,
                "the checkpoint of the backup: {cause}; the keys are not those of this log. Name the folder of keys that was made with it"
            ),
            Self::NotVerified(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for BackupError {}
