//! Shredding: of a record only the hash of its leaf is left, and all proofs of other records stay as they are.
//!
//! The frame is overwritten where it stands. What is to be written is made durable beside the segment first: if the power
//! goes in between, it is written again at the next start.

use super::durable::{replace, sync_directory};
use super::index::Row;
use super::recovery::segment_path;
use super::{PrivateHead, Store, StoreError};
use crate::evidence::journal;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

fn intent_path(folder: &Path) -> PathBuf {
    folder.join("shred")
}

/// A frame's head as it is to be, and how much behind it is to be zeros.
struct Intent {
    segment: u32,
    offset: u32,
    zeros: u32,
    head: Vec<u8>,
}

impl Intent {
    fn write(&self, folder: &Path) -> std::io::Result<()> {
        let mut octets = Vec::new();
        for number in [self.segment, self.offset, self.zeros] {
            octets.extend_from_slice(&number.to_be_bytes());
        }
        octets.extend_from_slice(&self.head);
        octets.extend_from_slice(&crc32fast::hash(&octets).to_be_bytes());
        let mut file = File::create(intent_path(folder))?;
        file.write_all(&octets)?;
        file.sync_all()?;
        sync_directory(folder)
    }

    /// What was begun and not ended. One that did not get to the disk whole has not begun.
    fn read(folder: &Path) -> Option<Self> {
        let octets = std::fs::read(intent_path(folder)).ok()?;
        let (rest, sum) = octets.split_last_chunk::<4>()?;
        let (numbers, head) = rest.split_first_chunk::<12>()?;
        let number = |at: usize| numbers.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        if crc32fast::hash(rest).to_be_bytes() != *sum {
            return None;
        }
        Some(Self { segment: number(0)?, offset: number(4)?, zeros: number(8)?, head: head.to_vec() })
    }

    /// The record that it is about: its frame begins with length, checksum and kind.
    fn record(&self) -> Option<u64> {
        self.head.get(9..17)?.try_into().ok().map(u64::from_be_bytes)
    }

    fn carry_out(&self, folder: &Path) -> Result<(), StoreError> {
        let path = segment_path(folder, self.segment);
        let write = || {
            let file = File::options().write(true).open(&path)?;
            file.write_all_at(&self.head, u64::from(self.offset))?;
            file.write_all_at(&vec![0; self.zeros as usize], u64::from(self.offset) + self.head.len() as u64)?;
            file.sync_all()
        };
        write().map_err(|cause| StoreError::io(&path, cause))
    }
}

/// Ends in the journal what a crash has interrupted; gives the record that the index has to forget as well.
pub(super) fn resume(folder: &Path) -> Result<Option<u64>, StoreError> {
    let Some(intent) = Intent::read(folder) else { return Ok(None) };
    intent.carry_out(folder)?;
    Ok(intent.record())
}

/// Nothing is to be done any more.
pub(super) fn end(folder: &Path) -> Result<(), StoreError> {
    let path = intent_path(folder);
    match std::fs::remove_file(&path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(&path, cause)),
        _ => Ok(()),
    }
}

/// What is erased of a record, as it is written down until it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Erased {
    Private,
    Body,
    Record,
}

fn erasure_path(folder: &Path) -> PathBuf {
    folder.join("erase")
}

impl Store {
    /// Writes down what is to be erased: whatever of it a crash prevents is done at the next start.
    pub(super) fn begin_erasure(&self, index: u64, what: Erased) -> Result<(), StoreError> {
        let path = erasure_path(&self.folder);
        let text = [&[what as u8], index.to_be_bytes().as_slice()].concat();
        let text = [text.as_slice(), &crc32fast::hash(&text).to_be_bytes()].concat();
        replace(&path, &text, 0o600).map_err(|cause| StoreError::io(&path, cause))
    }

    /// It is erased.
    pub(super) fn erasure_ended(&self) -> Result<(), StoreError> {
        let path = erasure_path(&self.folder);
        std::fs::remove_file(&path).map_err(|cause| StoreError::io(&path, cause))
    }

    /// Ends an erasure that a crash has interrupted.
    pub(super) fn end_erasure(&self) -> Result<(), StoreError> {
        let Ok(octets) = std::fs::read(erasure_path(&self.folder)) else { return Ok(()) };
        let read = octets.split_last_chunk::<4>().and_then(|(text, sum)| {
            let (what, index) = text.split_first()?;
            (crc32fast::hash(text).to_be_bytes() == *sum).then_some((*what, u64::from_be_bytes(index.try_into().ok()?)))
        });
        let ended = match read {
            Some((what, index)) if what == Erased::Private as u8 => self.erase_private(index),
            Some((what, index)) if what == Erased::Body as u8 => self.erase_body(index),
            Some((what, index)) if what == Erased::Record as u8 => self.shred(index),
            _ => Err(StoreError::Forgotten),
        };
        match ended {
            // Of another log, or of a tail that is gone.
            Err(StoreError::Forgotten | StoreError::Live) => self.erasure_ended(),
            ended => ended,
        }
    }

    /// Leaves of a record only the hash of its leaf, for good. Its volume must be complete. The record of it is the
    /// caller's, and comes first.
    pub fn shred(&self, index: u64) -> Result<(), StoreError> {
        let place = self.place(index)?;
        // A volume ends with a segment, so that one is closed too.
        if !self.is_complete(index) {
            return Err(StoreError::Live);
        }
        let made = self.with_frame(place, |frame| {
            let (private, body) = journal::parts_of(frame);
            let ticket = PrivateHead::read(frame.private).map(|(head, _)| head.ticket).filter(|ticket| *ticket != 0);
            let zeros = (private.len() + body.len()) as u32;
            let head = journal::shredded(frame)?;
            Some((ticket, Intent { segment: place.segment, offset: place.offset, zeros, head }))
        })?;
        let (ticket, intent) = made.ok_or(StoreError::Forgotten)?;
        self.begin_erasure(index, Erased::Record)?;
        self.erase_attachments(index)?;
        if let Some(ticket) = ticket {
            self.keys.erase_private(&[ticket])?;
            self.keys.erase_bodies(&[ticket], 0)?;
        }
        intent.write(&self.folder).map_err(|cause| StoreError::io(&intent_path(&self.folder), cause))?;
        intent.carry_out(&self.folder)?;
        self.index.forget(index, Row::bare)?;
        end(&self.folder)?;
        self.erasure_ended()
    }
}
