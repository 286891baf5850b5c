//! A log that comes back from a backup and from its keys, into a folder that was empty, as the same log: it has the same name and
//! key, all receipts hold, and it goes on from where the backup was made.
//!
//! The log that the backup is of may have gone on after it, and sealed more under the keys that are in the copy. So the restored
//! one has other keys for all that it seals from now on: see [`keys::renewed`]. Whether a later state of the log was seen by
//! somebody is for its witnesses to say, at start; and for the checkpoints that are given here.

use super::answers::{forget_time, is_answers};
use super::backup::copy_octets;
use super::bound::{self, Committed};
use super::durable::{make_folder, replace, sync_directory, sync_parent};
use super::kept::{BackupError, FILES, KEYS, Kept, MANIFEST, MARK, Manifest};
use super::keys::{self, PrivateHead};
use super::recovery::{segment_path, segments, start_of, walk_segment};
use super::{Settings, Store, StoreError, writer};
use crate::evidence::journal::Erasure;
use crate::evidence::tlog::note::{Checkpoint, VerifierKey};
use crate::evidence::tlog::tree::{Edge, Head};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A log whose files are in their place, and that is not yet in order.
pub struct Restoring {
    data: PathBuf,
    origin: String,
    head: Head,
    checkpoint: Checkpoint,
    verifier: VerifierKey,
    taken: String,
}

impl Restoring {
    /// Puts the files of a backup into a data directory that is empty, or not there yet.
    pub fn begin(folder: &Path, keys: &Path, data: &Path, origin: &str) -> Result<Self, BackupError> {
        let manifest = Manifest::read(folder)?.ok_or_else(|| BackupError::NoBackup(folder.to_owned()))?;
        let (kept, mut secrets) = Kept::open(&keys.join(KEYS))?;
        for (path, of) in [(folder.join(MANIFEST), &manifest.origin), (keys.join(KEYS), &kept.origin)] {
            if of != origin {
                return Err(BackupError::OtherLog { path, of: of.clone() });
            }
        }
        expect_empty(data)?;
        make_folder(data).map_err(|cause| StoreError::io(data, cause))?;
        let mark = data.join(MARK);
        replace(&mark, format!("from the backup of {}\n", manifest.taken).as_bytes(), 0o600)
            .map_err(|cause| StoreError::io(&mark, cause))?;
        put_files(folder, data, &manifest)?;
        let head = manifest.head(folder)?;
        let (start, committed) = walk_all(&data.join("log"), head, manifest.position.offset)?;
        put_keys(&data.join("keys"), &mut secrets, start)?;
        committed.hold(&data.join("keys"))?;
        let signer = keys::signer(&data.join("keys"), origin)?;
        let checkpoint = Checkpoint::parse(&manifest.position.checkpoint).map_err(BackupError::Unsigned)?;
        checkpoint.verify(signer.verifier()).map_err(BackupError::Unsigned)?;
        let verifier = signer.verifier().clone();
        Ok(Self { data: data.to_owned(), origin: origin.to_owned(), head, checkpoint, verifier, taken: manifest.taken })
    }

    /// When the backup was made.
    pub fn taken(&self) -> &str {
        &self.taken
    }

    /// The key of the log, for checkpoints that somebody has kept.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Makes anew what is derived, and verifies all of it; only then a gateway may start with it.
    pub fn finish(self, checkpoints: &[Checkpoint]) -> Result<Head, BackupError> {
        // Before the effort: whoever restores an older state wants to know it at once.
        if let Some(said) = checkpoints.iter().map(Checkpoint::claimed).find(|said| said.size > self.head.size) {
            return Err(BackupError::NotVerified(super::NotVerified::Checkpoint { said, found: None }));
        }
        let (store, _) = Store::open_on(&self.data, &self.origin, Settings::default(), writer::files())?;
        store.close();
        drop(store);
        let all: Vec<Checkpoint> = checkpoints.iter().cloned().chain([self.checkpoint]).collect();
        super::verify_all(&self.data, &all).map_err(BackupError::NotVerified)?;
        let mark = self.data.join(MARK);
        std::fs::remove_file(&mark).and_then(|()| sync_directory(&self.data)).map_err(|cause| StoreError::io(&mark, cause))?;
        Ok(self.head)
    }
}

/// A new file system has a folder of its own.
fn expect_empty(data: &Path) -> Result<(), BackupError> {
    match std::fs::read_dir(data) {
        Ok(mut entries) => match entries.find(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name() != "lost+found")) {
            Some(_) => Err(BackupError::NotEmpty(data.to_owned())),
            None => Ok(()),
        },
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(StoreError::io(data, cause).into()),
    }
}

fn put_files(folder: &Path, data: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    for item in &manifest.files {
        let (from, to) = (folder.join(FILES).join(&item.file), data.join(&item.name));
        let parent = to.parent().unwrap_or(data);
        make_folder(parent).map_err(|cause| StoreError::io(parent, cause))?;
        let length = std::fs::metadata(&from).map_or(0, |found| found.len());
        let is_same = length == item.bytes && copy_octets(&from, &to, length)?.to_string() == item.sha256;
        if !is_same {
            return Err(BackupError::Changed { path: from });
        }
        if is_answers(&item.name) {
            forget_time(&to);
        }
        sync_parent(&to).map_err(|cause| StoreError::io(&to, cause))?;
    }
    Ok(())
}

/// Reads the whole journal, which must give the tree of the backup; gives the last start that sealed something, and what is
/// said of the keys.
fn walk_all(log: &Path, head: Head, end: u64) -> Result<(u32, Committed), BackupError> {
    let (mut edge, mut start, mut committed, mut last) = (Edge::new(), 0, Committed::default(), None);
    let segments = segments(log)?;
    for (at, segment) in segments.iter().enumerate() {
        let path = segment_path(log, segment.number);
        let is_last = at + 1 == segments.len();
        if (edge.size(), edge.root()) != (segment.header.head.size, segment.header.head.root) {
            return Err(StoreError::Damaged { path, offset: 0 }.into());
        }
        let erasure = if is_last { Erasure::None } else { Erasure::Possible };
        let walk = walk_segment(log, segment, erasure, |_, frame| {
            edge.push(frame.hash(), |_, _| {});
            let ticket = PrivateHead::read(frame.private).map(|(head, _)| head).unwrap_or_default();
            start = start.max(start_of(&ticket));
            committed.take(frame);
            Ok(())
        })?;
        last = Some((path, walk.end));
    }
    let Some((path, offset)) = last else { return Err(BackupError::NoLog { path: log.to_owned() }) };
    let found = Head { size: edge.size(), root: edge.root() };
    if found != head || offset != end {
        return Err(StoreError::Damaged { path, offset }.into());
    }
    Ok((start, committed))
}

/// Writes the keys, with new ones for what will be sealed.
fn put_keys(folder: &Path, secrets: &mut BTreeMap<String, Vec<u8>>, start: u32) -> Result<(), BackupError> {
    make_folder(folder).map_err(|cause| StoreError::io(folder, cause))?;
    let damaged = |name: &str| StoreError::Damaged { path: folder.join(name), offset: 0 };
    let counted = secrets.get("starts").and_then(|octets| std::str::from_utf8(octets).ok()?.trim_end().parse::<u32>().ok());
    // The keys may be older than the log, or newer.
    let last = counted.ok_or_else(|| damaged("starts"))?.max(start);
    if last == u32::MAX {
        return Err(damaged("starts").into());
    }
    secrets.insert("starts".to_owned(), format!("{last}\n").into_bytes());
    for name in ["private", "bodies"] {
        let renewed = secrets.get(name).and_then(|octets| keys::renewed(octets, last)).ok_or_else(|| damaged(name))??;
        secrets.insert(name.to_owned(), renewed);
    }
    for (name, octets) in secrets.iter() {
        let path = folder.join(name);
        replace(&path, octets, 0o600).map_err(|cause| StoreError::io(&path, cause))?;
    }
    if let Some(name) = ["log", "index"].into_iter().find(|name| !secrets.contains_key(*name)) {
        return Err(damaged(name).into());
    }
    Ok(bound::check(folder)?)
}
