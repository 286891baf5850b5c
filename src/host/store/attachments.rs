//! Attachments at rest: contents in files of their own, sealed in chunks, and notes that say which message names them.
//!
//! A content is sealed under the key of a ticket of its own, in the tree of keys that bodies have, so what erases those erases
//! it. Each chunk has its number and whether it is the last one as its nonce (the STREAM construction of Hoang, Reyhanitabar,
//! Rogaway and Vizár, 2015): none can be left out, moved or added, and each is checked before any of it goes out.
//!
//! A file is `new-…` until it is whole, synced and the content that was announced; `c-…` then. A note is `p-…` until the record
//! of its message is durable, and `n-…` then; nothing of a message without a record is given out. What a crash leaves in between
//! is swept at start: a note counts if the log has its record, and a content if a note counts that names it.

use super::durable::{make_folder, replace, sync_directory};
use super::{Committed, Keys, StoreError};
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::crypto::{NotSealed, SealKey, Sha256, equal};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A content that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    ticket: u64,
    /// Its size.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// An attachment as its message names it, with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its identifier in the message.
    pub id: String,
    /// Its media type.
    pub media_type: String,
    /// The content.
    pub content: Content,
}

/// What a note says of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// SHA-256 of its octets.
    pub octets: Digest,
    /// Its digest, by which its record is known.
    pub digest: Digest,
    /// The message id in its record: that of the question.
    pub exchange: MessageId,
    /// Who sent it, and to whom: they may have what it names.
    pub parties: [AgencyId; 2],
    /// Until when it is kept.
    pub until: UnixTime,
}

/// Why a content is not taken.
#[derive(Debug)]
pub enum Spoilt {
    /// It is longer or shorter than was announced.
    Size,
    /// It is another one than was announced.
    Differs,
    /// It could not be written.
    Store(StoreError),
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// All that attachments may take is taken.
    Limit,
    /// The disk is full, or nearly.
    Disk,
}

struct Note {
    naming: Naming,
    named: Vec<Named>,
    is_recorded: bool,
}

struct Kept {
    from: AgencyId,
    made: UnixTime,
    /// Notes that name it, and exchanges that are about to.
    uses: usize,
}

#[derive(Default)]
struct Table {
    /// Boxed: the nodes of a map whose keys come in their order are half empty.
    notes: BTreeMap<u64, Box<Note>>,
    contents: BTreeMap<u64, Kept>,
    /// By hash, for whoever asks for one: the notes that name it.
    by_hash: BTreeSet<(Digest, u64)>,
    by_message: BTreeMap<Digest, u64>,
    /// By the end of their time.
    by_end: BTreeSet<(UnixTime, u64)>,
    /// Notes that nobody needs any more, until they are removed together: each removal writes all keys anew.
    unneeded: BTreeSet<u64>,
}

/// All attachments of a store.
pub struct Attachments {
    folder: PathBuf,
    keys: Arc<Keys>,
    table: Mutex<Table>,
    /// Octets that are taken or promised, and those that are promised and not written yet.
    taken: AtomicU64,
    promised: AtomicU64,
    bytes_max: AtomicU64,
}

#[derive(Serialize, Deserialize)]
struct RawNote {
    octets: String,
    digest: String,
    exchange: String,
    parties: [String; 2],
    until: u64,
    made: u64,
    contents: Vec<(u64, u64, String, String, String)>,
}

impl Attachments {
    /// Those in a folder, which is swept before anything is asked of it.
    pub(super) fn new(folder: PathBuf, keys: Arc<Keys>) -> Self {
        Self {
            folder,
            keys,
            table: Mutex::default(),
            taken: AtomicU64::new(0),
            promised: AtomicU64::new(0),
            bytes_max: AtomicU64::new(limits::ATTACHMENTS_BYTES),
        }
    }

    /// Learns what is in the folder, and removes what a crash has left. `is_recorded` says whether the log has the record of a
    /// message.
    pub(super) fn sweep(&self, is_recorded: impl Fn(&Naming) -> Result<bool, StoreError>) -> Result<(), StoreError> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        let names = std::fs::read_dir(&self.folder).map_err(|cause| StoreError::io(&self.folder, cause))?;
        let mut contents = BTreeSet::new();
        for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
            match name.split_once('-').and_then(|(kind, ticket)| Some((kind, u64::from_str_radix(ticket, 16).ok()?))) {
                Some(("c", ticket)) => drop(contents.insert(ticket)),
                Some((kind @ ("n" | "p"), ticket)) => self.resume(kind, ticket, &is_recorded)?,
                // What a crash has left half written.
                _ if name.starts_with("new-") || name.ends_with(".new") => remove(&self.folder.join(name))?,
                _ => {}
            }
        }
        let named: BTreeSet<u64> = self.table().contents.keys().copied().collect();
        let unnamed: Vec<u64> = contents.difference(&named).copied().collect();
        // It may have been about to be erased when the gateway ended.
        if !unnamed.is_empty() {
            self.keys.erase_bodies(&unnamed, 0)?;
        }
        unnamed.into_iter().try_for_each(|ticket| remove(&self.path("c", ticket)))
    }

    /// Takes a note up again that is in the folder.
    fn resume(
        &self,
        kind: &str,
        ticket: u64,
        is_recorded: impl Fn(&Naming) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let path = self.path(kind, ticket);
        if !self.keys.has_body(ticket) {
            return remove(&path);
        }
        let Some((naming, made, named)) = self.read_note(&path, ticket)? else {
            // Changed on the disk: nothing that it names is given out.
            return Ok(());
        };
        if kind == "p" {
            if !is_recorded(&naming)? {
                return remove(&path);
            }
            std::fs::rename(&path, self.path("n", ticket)).map_err(|cause| StoreError::io(&path, cause))?;
        }
        let mut table = self.table();
        for Named { content, .. } in &named {
            self.taken.fetch_add(charge(content.size), Ordering::Relaxed);
            let kept = Kept { from: naming.parties[0].clone(), made, uses: 0 };
            if let Some(known) = table.contents.insert(content.ticket, kept) {
                self.taken.fetch_sub(charge(content.size), Ordering::Relaxed);
                table
                    .contents
                    .entry(content.ticket)
                    .and_modify(|kept| (kept.uses, kept.made) = (known.uses, known.made.min(made)));
            }
        }
        table.put(ticket, Note { naming, named, is_recorded: true });
        Ok(())
    }

    fn read_note(&self, path: &Path, ticket: u64) -> Result<Option<(Naming, UnixTime, Vec<Named>)>, StoreError> {
        let mut octets = std::fs::read(path).map_err(|cause| StoreError::io(path, cause))?;
        let opened = self.key(ticket)?.open(NOTE_PLACE, &mut octets);
        let Some(raw) = opened.ok().and_then(|()| serde_json::from_slice::<RawNote>(&octets).ok()) else { return Ok(None) };
        let [from, to] = &raw.parties;
        let read = || {
            let named = raw.contents.iter().map(|(ticket, size, hash, id, media_type)| {
                let content = Content { ticket: *ticket, size: *size, sha256: Digest::parse_hex(hash)? };
                Some(Named { id: id.clone(), media_type: media_type.clone(), content })
            });
            let naming = Naming {
                octets: Digest::parse_hex(&raw.octets)?,
                digest: Digest::parse_hex(&raw.digest)?,
                exchange: MessageId::parse(&raw.exchange)?,
                parties: [AgencyId::parse(from)?, AgencyId::parse(to)?],
                until: UnixTime::from_ms(raw.until),
            };
            Some((naming, UnixTime::from_ms(raw.made), named.collect::<Option<Vec<_>>>()?))
        };
        Ok(read())
    }

    /// Sets how many octets all may take together.
    pub fn limit(&self, bytes: u64) {
        self.bytes_max.store(bytes, Ordering::Relaxed);
    }

    /// Octets that are taken.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// A content that its sender has sent not long ago, for another message of its.
    pub fn again(self: &Arc<Self>, from: &AgencyId, sha256: &Digest, size: u64, now: UnixTime) -> Option<Held> {
        let oldest = now.minus_ms(limits::ATTACHMENT_AGAIN_MS);
        let mut table = self.table();
        let contents = table.notes_of(sha256).flat_map(|note| &note.named).map(|named| named.content);
        let found: Vec<Content> = contents.filter(|content| content.sha256 == *sha256 && content.size == size).collect();
        let found = found
            .into_iter()
            .find(|content| table.contents.get(&content.ticket).is_some_and(|kept| kept.from == *from && kept.made >= oldest))?;
        if let Some(kept) = table.contents.get_mut(&found.ticket) {
            kept.uses += 1;
        }
        Some(Held { attachments: Arc::clone(self), content: found })
    }

    /// Room for a content of a size, and the file that it is written to.
    pub fn begin(
        self: &Arc<Self>,
        from: &AgencyId,
        (size, sha256): (u64, Digest),
        now: UnixTime,
    ) -> Result<Writing, Result<NoRoom, StoreError>> {
        let folder = &self.folder;
        let failed = |cause: io::Error| Err(StoreError::io(folder, cause));
        make_folder(folder).map_err(failed)?;
        let room = self.room(size)?;
        let ticket = self.keys.take_ticket().map_err(Err)?;
        let path = self.path("new", ticket);
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = open.map_err(|cause| Err(StoreError::io(&path, cause)))?;
        let key = self.key(ticket).map_err(Err)?;
        let (chunk, hash) = (Vec::with_capacity(limits::CHUNK_BYTES + TAG_BYTES), Sha256::new());
        let content = Content { ticket, size, sha256 };
        let (kept, left) = (Kept { from: from.clone(), made: now, uses: 1 }, Left { path, room: Some(room) });
        Ok(Writing { kept: Some(kept), content, key, hash: Some(hash), file, chunk, written: 0, came: 0, left })
    }

    fn room(self: &Arc<Self>, size: u64) -> Result<Room, Result<NoRoom, StoreError>> {
        let octets = charge(size);
        let most = self.bytes_max.load(Ordering::Relaxed);
        let fits = |taken: u64| taken.checked_add(octets).filter(|taken| *taken <= most);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|_| Ok(NoRoom::Limit))?;
        self.promised.fetch_add(octets, Ordering::Relaxed);
        let room = Room { attachments: Arc::clone(self), octets };
        let free = rustix::fs::statvfs(&self.folder).map_err(|cause| Err(StoreError::io(&self.folder, cause.into())))?;
        let free = free.f_bavail.saturating_mul(free.f_frsize);
        if free < self.promised.load(Ordering::Relaxed).saturating_add(limits::DISK_RESERVE_BYTES) {
            return Err(Ok(NoRoom::Disk));
        }
        Ok(room)
    }

    /// Writes down what a message names, which is held; durable when this returns. It is given out once the message's record is
    /// durable, too.
    pub fn note(self: &Arc<Self>, naming: Naming, named: Vec<Named>, now: UnixTime) -> Result<Pending, StoreError> {
        make_folder(&self.folder).map_err(|cause| StoreError::io(&self.folder, cause))?;
        let ticket = self.keys.take_ticket()?;
        let row = |Named { id, media_type, content }: &Named| {
            (content.ticket, content.size, content.sha256.to_string(), id.clone(), media_type.clone())
        };
        let raw = RawNote {
            octets: naming.octets.to_string(),
            digest: naming.digest.to_string(),
            exchange: naming.exchange.to_string(),
            parties: naming.parties.each_ref().map(|party| party.to_string()),
            until: naming.until.as_ms(),
            made: now.as_ms(),
            contents: named.iter().map(row).collect(),
        };
        let mut octets = serde_json::to_vec(&raw).map_err(|cause| StoreError::Index(cause.to_string()))?;
        self.key(ticket)?.seal(NOTE_PLACE, &mut octets).map_err(|NotSealed| StoreError::Forgotten)?;
        // The names of the contents are made durable with that of the note.
        let path = self.path("p", ticket);
        replace(&path, &octets, 0o600).map_err(|cause| StoreError::io(&path, cause))?;
        self.table().put(ticket, Note { naming, named, is_recorded: false });
        Ok(Pending { attachments: Arc::clone(self), ticket: Some(ticket) })
    }

    /// The contents that a message names, by SHA-256 of its octets, in its order; nothing if it has no record.
    pub fn of_message(&self, octets: &Digest) -> Option<Vec<Named>> {
        let table = self.table();
        let note = table.note_of(octets)?;
        note.is_recorded.then(|| note.named.clone())
    }

    /// A content that an agency may have: it sent it, or it was sent to it.
    pub fn for_party(&self, party: &AgencyId, sha256: &Digest) -> Option<Content> {
        let table = self.table();
        let mut theirs = table.notes_of(sha256).filter(|note| note.is_recorded && note.naming.parties.contains(party));
        theirs.find_map(|note| note.named.iter().map(|named| named.content).find(|content| content.sha256 == *sha256))
    }

    /// Reads a part of a content.
    pub fn read(&self, content: Content, range: Range<u64>) -> Result<Reading, StoreError> {
        let path = self.path("c", content.ticket);
        let file = File::open(&path).map_err(|cause| StoreError::io(&path, cause))?;
        Ok(Reading { content, key: self.key(content.ticket)?, file, path, range, is_placed: false })
    }

    /// Whether a message has a note whose time has not passed.
    pub fn has_note(&self, octets: &Digest, now: UnixTime) -> bool {
        self.table().note_of(octets).is_some_and(|note| note.naming.until > now)
    }

    /// Removes what is kept no longer, but nothing of an exchange that is open.
    pub fn tidy_up(&self, now: UnixTime, is_open: impl Fn(&Naming) -> bool) -> Result<(), StoreError> {
        let past: Vec<(u64, Naming)> = {
            let table = self.table();
            let past = table.by_end.iter().take_while(|(until, _)| *until <= now);
            past.filter_map(|(_, ticket)| Some((*ticket, table.notes.get(ticket)?.naming.clone()))).collect()
        };
        self.remove(past.into_iter().filter(|(_, naming)| !is_open(naming)).map(|(ticket, _)| ticket).collect())
    }

    /// Forgets what is kept under a name: nobody needs it any more, or finds it. It is removed with the next that goes.
    pub fn forget(&self, octets: &Digest) {
        let mut table = self.table();
        let ticket = table.by_message.get(octets).copied();
        table.unneeded.extend(ticket);
    }

    /// Whether what was kept under a name was forgotten and is still there: a crash would leave it.
    pub fn is_leaving(&self, octets: &Digest) -> bool {
        let table = self.table();
        table.by_message.get(octets).is_some_and(|ticket| table.unneeded.contains(ticket))
    }

    /// Removes what was forgotten.
    pub fn remove_forgotten(&self) -> Result<(), StoreError> {
        let over: Vec<u64> = self.table().unneeded.iter().copied().collect();
        self.remove(over.clone())?;
        let mut table = self.table();
        over.iter().for_each(|ticket| _ = table.unneeded.remove(ticket));
        Ok(())
    }

    /// Removes what a message names: it was erased.
    pub(super) fn erase(&self, digest: &str) -> Result<(), StoreError> {
        let is_it = |note: &Note| note.naming.digest.to_string() == digest || note.naming.digest.to_base64url() == digest;
        let over = {
            let table = self.table();
            table.notes.iter().filter(|(_, note)| is_it(note)).map(|(ticket, _)| *ticket).collect()
        };
        self.remove(over)
    }

    fn remove(&self, over: Vec<u64>) -> Result<(), StoreError> {
        if over.is_empty() {
            return Ok(());
        }
        let mut erased = over.clone();
        for ticket in over {
            erased.extend(self.drop_note(ticket));
        }
        // Without their keys they are nothing, whatever the file system has kept of them.
        self.keys.erase_bodies(&erased, 0)?;
        sync_directory(&self.folder).map_err(|cause| StoreError::io(&self.folder, cause))
    }

    /// Takes a note away, and the contents that nothing else names; gives their tickets.
    fn drop_note(&self, ticket: u64) -> Vec<u64> {
        let mut gone = Vec::new();
        let mut table = self.table();
        for kind in ["n", "p"] {
            let _ = remove(&self.path(kind, ticket));
        }
        let Some(note) = table.take(ticket) else { return gone };
        for named in note.named {
            gone.extend(self.give_back(&mut table, named.content));
        }
        gone
    }

    /// One use less of a content; it goes with the last.
    fn give_back(&self, table: &mut Table, content: Content) -> Option<u64> {
        let kept = table.contents.get_mut(&content.ticket)?;
        kept.uses = kept.uses.saturating_sub(1);
        if kept.uses > 0 {
            return None;
        }
        table.contents.remove(&content.ticket);
        self.taken.fetch_sub(charge(content.size), Ordering::Relaxed);
        let _ = remove(&self.path("c", content.ticket));
        Some(content.ticket)
    }

    fn key(&self, ticket: u64) -> Result<SealKey, StoreError> {
        self.keys.body_key(ticket).ok_or(StoreError::Forgotten)
    }

    fn path(&self, kind: &str, ticket: u64) -> PathBuf {
        self.folder.join(format!("{kind}-{ticket:016x}"))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The note of a message, by SHA-256 of its octets, that was not forgotten.
    fn note_of(&self, octets: &Digest) -> Option<&Note> {
        let ticket = self.by_message.get(octets).filter(|ticket| !self.unneeded.contains(ticket))?;
        self.notes.get(ticket).map(Box::as_ref)
    }

    /// The notes that name a content of this hash.
    fn notes_of(&self, sha256: &Digest) -> impl Iterator<Item = &Note> {
        let tickets = self.by_hash.range((*sha256, 0)..=(*sha256, u64::MAX));
        tickets.filter_map(|(_, ticket)| self.notes.get(ticket).map(Box::as_ref))
    }

    fn put(&mut self, ticket: u64, note: Note) {
        for Named { content, .. } in &note.named {
            self.by_hash.insert((content.sha256, ticket));
            if let Some(kept) = self.contents.get_mut(&content.ticket) {
                kept.uses += 1;
            }
        }
        self.by_message.insert(note.naming.octets, ticket);
        self.by_end.insert((note.naming.until, ticket));
        self.notes.insert(ticket, Box::new(note));
    }

    fn take(&mut self, ticket: u64) -> Option<Note> {
        let note = self.notes.remove(&ticket)?;
        self.by_end.remove(&(note.naming.until, ticket));
        for Named { content, .. } in &note.named {
            self.by_hash.remove(&(content.sha256, ticket));
        }
        if self.by_message.get(&note.naming.octets) == Some(&ticket) {
            self.by_message.remove(&note.naming.octets);
        }
        Some(*note)
    }
}

/// A content that is there, for whoever is about to name it; one that nobody has named when this is dropped is removed.
pub struct Held {
    attachments: Arc<Attachments>,
    content: Content,
}

impl Held {
    /// The content.
    pub fn content(&self) -> Content {
        self.content
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut table = self.attachments.table();
        self.attachments.give_back(&mut table, self.content);
    }
}

/// A note whose message has no record yet. Unless it is told that it has, it is undone.
pub struct Pending {
    attachments: Arc<Attachments>,
    ticket: Option<u64>,
}

impl Pending {
    /// What it names is kept for the gateway itself: its record came before, or comes whatever becomes of it.
    pub fn keep(mut self) {
        self.recorded();
    }

    /// Says what became of the record of the message: with one, what it names may be given out. Without, it is not known whether
    /// it is on the disk; the next start looks.
    pub fn settle(mut self, committed: Option<&Committed>) {
        match committed {
            Some(_) => self.recorded(),
            None => self.ticket = None,
        }
    }

    fn recorded(&mut self) {
        let Some(ticket) = self.ticket.take() else { return };
        let attachments = &self.attachments;
        if let Some(note) = attachments.table().notes.get_mut(&ticket) {
            note.is_recorded = true;
        }
        // A start that finds it under its old name looks for the record.
        let _ = std::fs::rename(attachments.path("p", ticket), attachments.path("n", ticket));
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.attachments.drop_note(ticket);
        }
    }
}

/// Room that is promised to a content.
struct Room {
    attachments: Arc<Attachments>,
    octets: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.attachments.promised.fetch_sub(self.octets, Ordering::Relaxed);
        self.attachments.taken.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

/// A file that is removed with its room unless it has become a content.
struct Left {
    path: PathBuf,
    room: Option<Room>,
}

impl Drop for Left {
    fn drop(&mut self) {
        if self.room.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A content that is being written.
pub struct Writing {
    kept: Option<Kept>,
    content: Content,
    key: SealKey,
    hash: Option<Sha256>,
    file: File,
    chunk: Vec<u8>,
    written: u64,
    came: u64,
    left: Left,
}

impl Writing {
    /// Takes octets as they come.
    pub fn take(&mut self, mut octets: &[u8]) -> Result<(), Spoilt> {
        self.came = self.came.saturating_add(octets.len() as u64);
        if self.came > self.content.size {
            return Err(Spoilt::Size);
        }
        if let Some(hash) = &mut self.hash {
            hash.update(octets);
        }
        while !octets.is_empty() {
            let (some, rest) = octets.split_at(octets.len().min(limits::CHUNK_BYTES - self.chunk.len()));
            self.chunk.extend_from_slice(some);
            octets = rest;
            if self.chunk.len() == limits::CHUNK_BYTES {
                self.write_chunk()?;
            }
        }
        Ok(())
    }

    /// Sees that it is the content that was announced, and makes it durable but for its name.
    pub fn finish(mut self) -> Result<Held, Spoilt> {
        if self.came != self.content.size {
            return Err(Spoilt::Size);
        }
        let hash = self.hash.take().map(Sha256::finish);
        if !hash.is_some_and(|hash| equal(&hash, &self.content.sha256)) {
            return Err(Spoilt::Differs);
        }
        if self.written <= last_chunk(self.content.size) {
            self.write_chunk()?;
        }
        let (Some(mut room), Some(kept)) = (self.left.room.take(), self.kept.take()) else {
            return Err(Spoilt::Store(StoreError::Forgotten));
        };
        let attachments = Arc::clone(&room.attachments);
        let to = attachments.path("c", self.content.ticket);
        if let Err(cause) = self.file.sync_all().and_then(|()| std::fs::rename(&self.left.path, to)) {
            self.left.room = Some(room);
            return Err(Spoilt::Store(StoreError::io(&self.left.path, cause)));
        }
        // From now on it counts as what is kept, and not as what is promised.
        attachments.promised.fetch_sub(std::mem::take(&mut room.octets), Ordering::Relaxed);
        attachments.table().contents.insert(self.content.ticket, kept);
        Ok(Held { attachments, content: self.content })
    }

    fn write_chunk(&mut self) -> Result<(), Spoilt> {
        let place = place(self.written, self.content.size);
        self.key.seal(place, &mut self.chunk).map_err(|NotSealed| Spoilt::Store(StoreError::Forgotten))?;
        self.file.write_all(&self.chunk).map_err(|cause| Spoilt::Store(StoreError::io(&self.left.path, cause)))?;
        self.written += 1;
        self.chunk.clear();
        Ok(())
    }
}

/// A part of a content that is being read.
pub struct Reading {
    content: Content,
    key: SealKey,
    file: File,
    path: PathBuf,
    range: Range<u64>,
    is_placed: bool,
}

impl Reading {
    /// How many octets are still to come.
    pub fn left(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    /// The next octets, checked; nothing at the end.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.left() == 0 {
            return Ok(None);
        }
        const CHUNK: u64 = limits::CHUNK_BYTES as u64;
        let number = self.range.start / CHUNK;
        let begins = number * CHUNK;
        let length = CHUNK.min(self.content.size.saturating_sub(begins)) as usize;
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::UnexpectedEof => StoreError::Damaged { path: self.path.clone(), offset: begins },
            _ => StoreError::io(&self.path, cause),
        };
        if !self.is_placed {
            self.file.seek(SeekFrom::Start(number * (CHUNK + TAG_BYTES as u64))).map_err(failed)?;
            self.is_placed = true;
        }
        let mut chunk = vec![0; length + TAG_BYTES];
        self.file.read_exact(&mut chunk).map_err(failed)?;
        let opened = self.key.open(place(number, self.content.size), &mut chunk);
        opened.map_err(|NotSealed| StoreError::Damaged { path: self.path.clone(), offset: begins })?;
        chunk.truncate((self.range.end - begins).min(length as u64) as usize);
        chunk.drain(..(self.range.start - begins) as usize);
        self.range.start += chunk.len() as u64;
        Ok(Some(chunk))
    }
}

/// What a content counts for.
fn charge(size: u64) -> u64 {
    size.saturating_add(size / limits::CHUNK_BYTES as u64 * TAG_BYTES as u64).max(limits::ATTACHMENT_BYTES_MIN)
}

fn last_chunk(size: u64) -> u64 {
    size.saturating_sub(1) / limits::CHUNK_BYTES as u64
}

/// The nonce of a chunk: its number, and whether it is the last one.
fn place(chunk: u64, size: u64) -> u64 {
    chunk << 1 | u64::from(chunk == last_chunk(size))
}

/// The nonce of a note, whose ticket has nothing else.
const NOTE_PLACE: u64 = u64::MAX;
const TAG_BYTES: usize = 16;

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(StoreError::io(path, cause)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::crypto::sha256;

    const NOW: UnixTime = UnixTime::from_ms(1_800_000_000_000);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("oncegate-attachments-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).expect("writable");
            Self(folder)
        }

        /// Opens it as a start does; the log has the records of these messages.
        fn open(&self, recorded: &[Digest]) -> Arc<Attachments> {
            let keys = Keys::open(&self.0.join("keys")).expect("keys");
            let opened = Attachments::new(self.0.join("attachments"), Arc::new(keys));
            opened.sweep(|naming| Ok(recorded.contains(&naming.digest))).expect("swept");
            Arc::new(opened)
        }

        fn left(&self) -> Vec<String> {
            let names = std::fs::read_dir(self.0.join("attachments")).into_iter().flatten().flatten();
            let mut left: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            left.sort();
            left
        }

        /// The file of this kind, of which there is one.
        fn file(&self, kind: &str) -> PathBuf {
            let left = self.left();
            let found: Vec<&String> = left.iter().filter(|name| name.starts_with(kind)).collect();
            assert_eq!(found.len(), 1, "{left:?}");
            self.0.join("attachments").join(found[0])
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn agency(name: &str) -> AgencyId {
        AgencyId::parse(name).expect("an agency")
    }

    fn written(attachments: &Arc<Attachments>, octets: &[u8]) -> Held {
        let begun = attachments.begin(&agency("xx.school"), (octets.len() as u64, sha256(octets)), NOW);
        let mut writing = begun.unwrap_or_else(|_| panic!("there is room"));
        octets.chunks(777).for_each(|some| writing.take(some).expect("as announced"));
        writing.finish().unwrap_or_else(|_| panic!("as announced"))
    }

    fn noted(attachments: &Arc<Attachments>, number: u8, held: Vec<Held>) -> Pending {
        let row = |held: &Held| Named { id: "a".to_owned(), media_type: "a/b".to_owned(), content: held.content() };
        let named = held.iter().map(row).collect();
        let noted = attachments.note(naming(number), named, NOW);
        drop(held);
        noted.expect("noted")
    }

    fn naming(number: u8) -> Naming {
        Naming {
            octets: Digest::from_octets([number; 32]),
            digest: Digest::from_octets([number; 32]),
            exchange: MessageId::new(NOW, [number; 10]),
            parties: [agency("xx.school"), agency("xx.clinic")],
            until: NOW.plus_ms(u64::from(number) * 1000),
        }
    }

    fn all(attachments: &Attachments, content: Content, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let mut reading = attachments.read(content, range)?;
        let mut octets = Vec::new();
        while let Some(more) = reading.chunk()? {
            octets.extend(more);
        }
        Ok(octets)
    }

    /// Of many lengths around the ends of chunks, whole and in parts.
    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        const CHUNK: usize = limits::CHUNK_BYTES;
        let folder = Folder::new("read");
        let attachments = folder.open(&[]);
        for length in [0, 1, 15, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 3] {
            let octets: Vec<u8> = (0..length).map(|at| (at / 251 + at) as u8).collect();
            let content = written(&attachments, &octets);
            let end = length as u64;
            for range in [0..end, 0..end / 2, end / 2..end, end.saturating_sub(1)..end, 1.min(end)..CHUNK.min(length) as u64] {
                let expected = &octets[range.start as usize..range.end.max(range.start) as usize];
                assert_eq!(
                    all(&attachments, content.content(), range.clone()).expect("whole"),
                    expected,
                    "{range:?} of {length}"
                );
            }
        }
        assert_eq!((folder.left(), attachments.taken()), (Vec::new(), 0), "what nobody names goes");
    }

    #[test]
    fn a_content_that_is_another_or_cut_or_moved_is_not_given_out() {
        const CHUNK: usize = limits::CHUNK_BYTES;
        let folder = Folder::new("changed");
        let attachments = folder.open(&[]);
        let octets = vec![7; 3 * CHUNK];
        let held = written(&attachments, &octets);
        let (content, file) = (held.content(), folder.file("c-"));
        let good = std::fs::read(&file).expect("readable");
        let sealed = CHUNK + 16;
        let end = octets.len() as u64;
        let spoil = |spoilt: &[u8]| {
            std::fs::write(&file, spoilt).expect("writable");
            all(&attachments, content, 0..end).map(|octets| octets.len())
        };
        assert_eq!(spoil(&good).expect("whole"), octets.len());
        let moved = [&good[sealed..2 * sealed], &good[..sealed], &good[2 * sealed..]].concat();
        let twice = [&good[..sealed], &good[..sealed], &good[2 * sealed..]].concat();
        let mut changed = good.clone();
        changed[sealed + 9] ^= 1;
        for spoilt in [&moved[..], &twice, &changed, &good[..2 * sealed], &good[..good.len() - 1], b""] {
            assert!(matches!(spoil(spoilt), Err(StoreError::Damaged { .. })), "{}", spoilt.len());
        }
        // A shorter content whose last chunk is whole is no content.
        let shorter = Content { size: 2 * CHUNK as u64, ..content };
        std::fs::write(&file, &good[..2 * sealed]).expect("writable");
        assert!(matches!(all(&attachments, shorter, 0..2 * CHUNK as u64), Err(StoreError::Damaged { .. })));
        for (size, hash) in [(4, sha256(b"four")), (6, sha256(b"four")), (5, sha256(b"four"))] {
            let mut writing = attachments.begin(&agency("xx.school"), (size, hash), NOW).unwrap_or_else(|_| panic!("room"));
            let taken = writing.take(b"fives").and_then(|()| writing.finish().map(drop));
            assert!(matches!((size, taken), (5, Err(Spoilt::Differs)) | (4 | 6, Err(Spoilt::Size))));
        }
        drop(held);
        assert_eq!((folder.left(), attachments.taken()), (Vec::new(), 0));
    }

    #[test]
    fn a_start_keeps_what_has_its_record_and_sweeps_the_rest() {
        let folder = Folder::new("start");
        let attachments = folder.open(&[]);
        let (one, two, three) = (b"one".as_slice(), b"two".as_slice(), b"three".as_slice());
        // Recorded and told so; recorded, and killed before it was told; killed before its record; killed before its note.
        noted(&attachments, 1, vec![written(&attachments, one)]).settle_as_recorded();
        std::mem::forget(noted(&attachments, 2, vec![written(&attachments, two)]));
        std::mem::forget(noted(&attachments, 3, vec![written(&attachments, three)]));
        std::mem::forget(written(&attachments, b"four"));
        let begun = attachments.begin(&agency("xx.school"), (4, sha256(b"five")), NOW);
        std::mem::forget(begun.unwrap_or_else(|_| panic!("room")));
        assert!(attachments.for_party(&agency("xx.school"), &sha256(two)).is_none(), "without a record nobody has it");
        let attachments = folder.open(&[naming(2).digest]);
        for (octets, is_there) in [(one, true), (two, true), (three, false), (b"four", false), (b"five", false)] {
            for party in ["xx.school", "xx.clinic"] {
                assert_eq!(attachments.for_party(&agency(party), &sha256(octets)).is_some(), is_there);
            }
            assert!(attachments.for_party(&agency("xx.fund"), &sha256(octets)).is_none());
        }
        assert_eq!(folder.left().len(), 4, "{:?}", folder.left());
        assert!(folder.left().iter().all(|name| name.starts_with("c-") || name.starts_with("n-")), "{:?}", folder.left());
        assert_eq!(attachments.of_message(&naming(1).octets).expect("noted").len(), 1);
    }

    #[test]
    fn what_is_past_its_time_or_erased_goes_with_its_keys() {
        let folder = Folder::new("time");
        let attachments = folder.open(&[]);
        let (one, two) = (naming(1), naming(2));
        let held = written(&attachments, b"shared");
        let content = held.content();
        noted(&attachments, 1, vec![held]).settle_as_recorded();
        let again = attachments.again(&agency("xx.school"), &sha256(b"shared"), 6, NOW).expect("sent before");
        assert!(attachments.again(&agency("xx.clinic"), &sha256(b"shared"), 6, NOW).is_none(), "of another sender");
        assert!(attachments.again(&agency("xx.school"), &sha256(b"shared"), 7, NOW).is_none(), "of another size");
        let later = NOW.plus_ms(limits::ATTACHMENT_AGAIN_MS + 1);
        assert!(attachments.again(&agency("xx.school"), &sha256(b"shared"), 6, later).is_none(), "too long ago");
        noted(&attachments, 2, vec![again]).settle_as_recorded();
        attachments.tidy_up(one.until, |naming| naming.octets == one.octets).expect("writable");
        assert_eq!(folder.left().len(), 3, "nothing of an exchange that is open");
        attachments.tidy_up(one.until, |_| false).expect("writable");
        assert_eq!(folder.left().len(), 2, "what is still named stays");
        assert!(all(&attachments, content, 0..6).is_ok());
        let copy = folder.0.join("copy");
        std::fs::copy(folder.file("c-"), &copy).expect("readable");
        let (name, note) = (folder.file("c-"), folder.file("n-"));
        let kept = std::fs::read(&note).expect("readable");
        attachments.erase(&two.digest.to_base64url()).expect("writable");
        assert_eq!((folder.left(), attachments.taken()), (Vec::new(), 0));
        // Whoever has kept the files has nothing.
        std::fs::copy(&copy, &name).expect("writable");
        std::fs::write(&note, kept).expect("writable");
        assert!(matches!(all(&attachments, content, 0..6), Err(StoreError::Forgotten)));
        let attachments = folder.open(&[two.digest]);
        assert!(folder.left().is_empty() && attachments.for_party(&agency("xx.school"), &sha256(b"shared")).is_none());
    }

    impl Pending {
        fn settle_as_recorded(self) {
            let logged = crate::evidence::tlog::Logged::durable(0);
            let place = crate::exchange::ledger::OutcomePlace { index: 0, segment: 0, offset: 0 };
            self.settle(Some(&Committed { logged, place }));
        }
    }

    #[test]
    fn all_together_take_so_much_and_no_more() {
        let folder = Folder::new("room");
        let attachments = folder.open(&[]);
        attachments.limit(2 * limits::ATTACHMENT_BYTES_MIN);
        let begin = |size: u64| attachments.begin(&agency("xx.school"), (size, sha256(b"")), NOW);
        let (first, second) = (begin(1), begin(1));
        assert!(first.is_ok() && second.is_ok(), "each counts for something");
        assert!(matches!(begin(0), Err(Ok(NoRoom::Limit))));
        drop(first);
        assert!(begin(limits::ATTACHMENT_BYTES_MIN - 16).is_ok() && begin(limits::ATTACHMENT_BYTES_MIN).is_err());
        attachments.limit(u64::MAX);
        assert!(matches!(begin(1 << 60), Err(Ok(NoRoom::Disk))));
        drop(second);
        assert_eq!((folder.left(), attachments.taken()), (Vec::new(), 0));
    }
}
