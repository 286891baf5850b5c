//! A witness that remembers: its state is one file, replaced as a whole and synced before a cosignature is given.
//!
//! One process has the file at a time. A file that is missing or damaged stops the witness: to go on from nothing would
//! be to cosign whatever comes.

use super::book::{Book, Refusal, Submission};
use super::file::WitnessFile;
use crate::base::ids::Digest;
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::note::{Checkpoint, LogSigner, NoteError, Role, SignatureLine, VerifierKey};
use crate::host::config::ConfigError;
use crate::host::store::{replace, sync_parent};
use crate::message::crypto::{SigningFailed, sha256};
use crate::message::pki;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Why a witness does not start.
#[derive(Debug)]
pub enum WitnessError {
    /// Its configuration is wrong.
    Config(ConfigError),
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// The state file is missing.
    NoState(PathBuf),
    /// Another process has the state file.
    InUse(PathBuf),
    /// The state file is not as it was written.
    Damaged(PathBuf),
    /// The state is another witness's, or the key is not an Ed25519 key.
    Key(PathBuf),
    /// A witness cannot have this name.
    Name(String),
}

impl std::fmt::Display for WitnessError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::File(path, cause) => write!(f, "{}: {cause}", path.display()),
            Self::NoState(path) => write!(
                f,
                "{}: the state is missing; a witness that lost it must not go on, for it would cosign whatever comes: make a \
                 new one, with a new key",
                path.display()
            ),
            Self::InUse(path) => write!(f, "{}: another process has it", path.display()),
            Self::Damaged(path) => {
                write!(f, "{}: damaged; put back a copy that is not older than the last cosignature", path.display())
            }
            Self::Name(name) => {
                write!(
                    f,
                    "\"{name}\" is not a name for a witness: it has no spaces, plus signs or quotation marks, and at most 255 bytes"
                )
            }
            Self::Key(path) => write!(f, "{}: not an Ed25519 key, or not the one that cosigned the state", path.display()),
        }
    }
}

impl std::error::Error for WitnessError {}

impl From<ConfigError> for WitnessError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// A witness.
pub struct Witness {
    signer: LogSigner,
    path: PathBuf,
    /// Origins by the digests that they are asked for with.
    digests: BTreeMap<Digest, String>,
    held: Mutex<Held>,
    _lock: File,
}

struct Held {
    book: Book,
    /// After a failed write nobody knows what is on disk: nothing is cosigned any more.
    is_stopped: bool,
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weighed {
    /// It was cosigned.
    Cosigned(SignatureLine),
    /// It was not.
    Refused(Refusal),
    /// It was not, and it shows that its log has two histories.
    Fork(Refusal),
}

impl Witness {
    /// Makes the state of a new witness.
    pub fn create(path: &Path) -> Result<(), WitnessError> {
        let failed = |cause| WitnessError::File(path.to_owned(), cause);
        File::create_new(path).map_err(failed)?;
        replace(path, written(&Book::default()).as_bytes(), 0o644).map_err(failed)
    }

    /// Opens a witness: its key, and its state, which no other process may have.
    pub fn open(file: &WitnessFile) -> Result<Self, WitnessError> {
        let pem = crate::host::config::read_bounded(&file.key)?;
        let signer = signer(&pem, &file.name).ok_or_else(|| WitnessError::Key(file.key.clone()))?;
        let path = file.state.clone();
        let lock = lock(&path)?;
        let text = match std::fs::read_to_string(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(WitnessError::NoState(path)),
            Err(cause) if cause.kind() == io::ErrorKind::InvalidData => return Err(WitnessError::Damaged(path)),
            read => read.map_err(|cause| WitnessError::File(path.clone(), cause))?,
        };
        let mut book = Book::new(file.logs.iter().cloned());
        for checkpoint in read(&text).ok_or_else(|| WitnessError::Damaged(path.clone()))? {
            // Each was cosigned with this key before it was written.
            match checkpoint.cosigned_at(signer.verifier()) {
                Ok(_) => book.enter(checkpoint),
                Err(NoteError::Unsigned) => return Err(WitnessError::Key(path)),
                Err(_) => return Err(WitnessError::Damaged(path)),
            }
        }
        let digests = book.origins().map(|origin| (sha256(origin.as_bytes()), origin.to_owned())).collect();
        Ok(Self { signer, path, digests, held: Mutex::new(Held { book, is_stopped: false }), _lock: lock })
    }

    /// Its public key, by which others know its cosignatures.
    pub fn verifier(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    /// Weighs a body of `add-checkpoint`, and cosigns it once that is on disk. It waits for the disk.
    pub fn add_checkpoint(&self, body: &[u8], now: UnixTime) -> Weighed {
        let submission = std::str::from_utf8(body).ok().and_then(|body| Submission::parse(body).ok());
        let Some(submission) = submission else { return Weighed::Refused(Refusal::Malformed) };
        // Held over the write: what is weighed against must still be the last when the next is written (the race that
        // the specification tells of).
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_stopped {
            return Weighed::Refused(Refusal::Stopped);
        }
        let consistent = match held.book.weigh(&submission) {
            Ok(consistent) => consistent,
            Err(refusal) if held.book.is_fork(&submission) => return Weighed::Fork(refusal),
            Err(refusal) => return Weighed::Refused(refusal),
        };
        let line = match self.signer.cosign(consistent.checkpoint(), now.as_ms() / 1000) {
            Ok(line) => line,
            Err(SigningFailed) => return Weighed::Refused(Refusal::Stopped),
        };
        let mut cosigned = consistent.checkpoint().clone();
        let last = held.book.last(cosigned.origin());
        let is_known = last.is_some_and(|last| last.text() == cosigned.text());
        cosigned.add(line.clone());
        if !is_known {
            let mut next = held.book.clone();
            next.enter(cosigned);
            if replace(&self.path, written(&next).as_bytes(), 0o644).is_err() {
                held.is_stopped = true;
                return Weighed::Refused(Refusal::Stopped);
            }
            held.book = next;
        }
        Weighed::Cosigned(line)
    }

    /// The last checkpoint that it cosigned of the log whose origin has this SHA-256.
    pub fn last(&self, origin: &Digest) -> Option<String> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.digests.get(origin).and_then(|origin| held.book.last(origin)).map(Checkpoint::to_string)
    }

    /// The last checkpoints of all logs.
    pub fn all(&self) -> Vec<Checkpoint> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).book.all().cloned().collect()
    }

    /// Whether it still cosigns.
    pub fn is_ready(&self) -> bool {
        !self.held.lock().unwrap_or_else(PoisonError::into_inner).is_stopped
    }

    /// Keeps a submission that shows two histories of a log beside the state; the first one of each log.
    pub fn keep_evidence(&self, body: &[u8]) -> io::Result<Option<PathBuf>> {
        let Some(submission) = std::str::from_utf8(body).ok().and_then(|body| Submission::parse(body).ok()) else {
            return Ok(None);
        };
        let last = self.last(&sha256(submission.checkpoint.origin().as_bytes())).unwrap_or_default();
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".fork-{}", sha256(submission.checkpoint.origin().as_bytes())));
        let path = PathBuf::from(name);
        match File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(format!("{last}\n{}", submission.checkpoint).as_bytes())?;
                file.sync_all()?;
                sync_parent(&path)?;
                Ok(Some(path))
            }
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(cause) => Err(cause),
        }
    }
}

/// The signer with a private key in PEM (PKCS#8).
pub(super) fn signer(pem: &str, name: &str) -> Option<LogSigner> {
    let key = pki::read_key(pem.as_bytes()).ok()?;
    LogSigner::new(name, Role::Witness, key).ok()
}

fn lock(path: &Path) -> Result<File, WitnessError> {
    let path = suffixed(path, ".lock");
    let file = File::create(&path).map_err(|cause| WitnessError::File(path.clone(), cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(WitnessError::InUse(path)),
        Err(std::fs::TryLockError::Error(cause)) => Err(WitnessError::File(path, cause)),
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

/// The state: a line that names the form, the SHA-256 of all that follows it, and each checkpoint after its length.
fn written(book: &Book) -> String {
    let mut text = String::new();
    for checkpoint in book.all() {
        let checkpoint = checkpoint.to_string();
        text.push_str(&format!("{}\n{checkpoint}", checkpoint.len()));
    }
    format!("{FIRST_LINE}\n{}\n{text}", sha256(text.as_bytes()))
}

fn read(text: &str) -> Option<Vec<Checkpoint>> {
    let (digest, mut rest) = text.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?.split_once('\n')?;
    if sha256(rest.as_bytes()).to_string() != digest {
        return None;
    }
    let mut checkpoints = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_once('\n')?;
        let length = length.parse().ok().filter(|length| *length <= limits::NOTE_BYTES_MAX)?;
        let (checkpoint, after) = after.split_at_checked(length)?;
        checkpoints.push(Checkpoint::parse(checkpoint).ok()?);
        rest = after;
    }
    Some(checkpoints)
}

const FIRST_LINE: &str = "oncegate witness state 1";
