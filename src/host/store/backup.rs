//! A copy of a log that is of one instant, also of a running gateway: every segment up to where the journal was durable when the
//! copy was begun, under a checkpoint of just that. What has not changed since the last backup is not copied again.
//!
//! No pin is needed. A segment that is followed by another changes only where something in it is erased, and of the last one
//! octets are only added behind the end. So each copy is read again, held against the roots that its records were committed to,
//! and made again if it was torn.
//!
//! Files in the backup have their digest in their name and are never written over; the manifest, which names them, is replaced in
//! one step, after all of them are synced. Whatever interrupts a backup, the last good one stays. Keys go to a folder of their own,
//! in one file, before the manifest: keys that are newer than the log fit it, older ones may lack one.

use super::answers::{Answers, One, forget_time};
use super::durable::{make_folder, replace, sync_directory};
use super::end::End;
use super::kept::{BackupError, FILES, Item, KEYS, Kept, MANIFEST, MARK, Manifest, Position, is_name};
use super::recovery::{Segment, segment_path, segments, walk_file, walk_segment};
use super::{Store, StoreError, bound, keys, lock};
use crate::base::ids::Digest;
use crate::base::time::UnixTime;
use crate::evidence::journal::{Erasure, Header};
use crate::evidence::tlog::tree::{Edge, Hash, Hashes, Head};
use crate::message::crypto::Sha256;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

impl Store {
    /// Up to where the log is durable.
    pub fn position(&self) -> Result<Position, StoreError> {
        let (end, checkpoint) = self.writer.signed_end()?;
        Ok(Position { checkpoint: checkpoint.to_string(), segment: end.segment, offset: end.offset })
    }
}

impl Position {
    /// The same of a stopped gateway, whose log is locked only for as long as this takes.
    pub fn of_stopped(data: &Path, origin: &str) -> Result<Self, BackupError> {
        let (folder, keys) = (data.join("log"), data.join("keys"));
        if !segment_path(&folder, 0).exists() {
            return Err(BackupError::NoLog { path: folder });
        }
        let restoring = data.join(MARK);
        if restoring.exists() {
            return Err(StoreError::Restoring { path: restoring }.into());
        }
        let _lock = lock(&folder)?;
        if let Some(path) = ["shred", "erase"].map(|name| folder.join(name)).into_iter().find(|path| path.exists()) {
            return Err(BackupError::Erasing { path });
        }
        keys::expect_all(&keys)?;
        bound::check(&keys)?;
        let segments = segments(&folder)?;
        let last = segments.last().ok_or_else(|| BackupError::NoLog { path: folder.clone() })?;
        let walk = walk_segment(&folder, last, Erasure::None, |_, _| Ok(()))?;
        if let Some(end) = End::read(&folder) {
            end.hold(&folder, walk.head.size)?;
        }
        let path = keys.join("log");
        if !path.exists() {
            return Err(StoreError::Damaged { path, offset: 0 }.into());
        }
        let signed = keys::signer(&keys, origin)?.checkpoint(walk.head);
        let checkpoint = signed.map_err(|crate::message::crypto::SigningFailed| StoreError::Stopped)?;
        Ok(Self { checkpoint: checkpoint.to_string(), segment: last.number, offset: walk.end })
    }
}

/// A segment that was torn is copied again so often: what tears it takes milliseconds, every ten minutes.
const TRIES: u32 = 5;

/// What a backup has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backed {
    /// The tree that it holds.
    pub head: Head,
    /// Names of the files that were copied, below `data`.
    pub copied: Vec<String>,
    /// How many were there already.
    pub kept: usize,
    /// Octets that were copied.
    pub octets: u64,
}

/// Where a backup comes from and where it goes.
pub struct Places<'p> {
    /// The data directory.
    pub data: &'p Path,
    /// The folder of the backup.
    pub folder: &'p Path,
    /// The folder of the keys.
    pub keys: Option<&'p Path>,
    /// The name of the log.
    pub origin: &'p str,
    /// What people have answered, looked at before the log said its position.
    pub answers: &'p Answers,
}

/// Makes a backup of a log up to a position, or brings the one in the folder up to it.
pub fn back_up(places: &Places<'_>, position: Position, now: UnixTime) -> Result<Backed, BackupError> {
    let Places { data, folder, keys, origin, answers } = *places;
    expect_apart(places)?;
    answers.expect_same(data)?;
    let _lock = begin(folder)?;
    let last = Manifest::read(folder)?;
    let log = Log { folder: data.join("log") };
    let path = folder.join(MANIFEST);
    let mut manifest = Manifest { format: 1, origin: origin.to_owned(), taken: now.to_string(), position, files: Vec::new() };
    let head = manifest.head(folder)?;
    if let Some(last) = &last {
        if last.origin != origin {
            return Err(BackupError::OtherLog { path, of: last.origin.clone() });
        }
        log.expect_goes_on(last.head(folder)?, head)?;
    }
    let mut copying =
        Copying { folder, last: last.map_or(Vec::new(), |last| last.files), made: Vec::new(), copied: Vec::new(), octets: 0 };
    // First, since they go on changing.
    answers.each().try_for_each(|one| copying.copy_answers(one))?;
    log.copy(&manifest.position, head, &mut copying)?;
    for (name, path) in others(data)? {
        copying.copy(&name, &path, None, |_| Ok(()))?;
    }
    sync_directory(&folder.join(FILES)).map_err(|cause| StoreError::io(folder, cause))?;
    if let Some(keys) = keys {
        make_folder(keys).map_err(|cause| StoreError::io(keys, cause))?;
        let path = keys.join(KEYS);
        let text = Kept::read(&data.join("keys"), origin, now)?;
        replace(&path, &text, 0o600).map_err(|cause| StoreError::io(&path, cause))?;
    }
    let Copying { made, copied, octets, .. } = copying;
    manifest.files = made;
    let text = serde_json::to_vec_pretty(&manifest).map_err(|cause| StoreError::Index(cause.to_string()))?;
    replace(&path, &text, 0o600).map_err(|cause| StoreError::io(&path, cause))?;
    remove_others(folder, &manifest);
    Ok(Backed { head, kept: manifest.files.len() - copied.len(), copied, octets })
}

/// Sees that neither data, backup nor keys lie within another.
fn expect_apart(places: &Places<'_>) -> Result<(), BackupError> {
    let whole = |path: &Path| {
        // Of what is not there yet the folder above counts.
        let there = path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("."));
        let rest = path.strip_prefix(there).unwrap_or(path).to_owned();
        let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        std::fs::canonicalize(there).map(|there| there.join(rest)).map_err(|cause| StoreError::io(path, cause))
    };
    let folders = [Some(places.data), Some(places.folder), places.keys];
    let folders = folders.into_iter().flatten().map(|path| Ok((path, whole(path)?))).collect::<Result<Vec<_>, StoreError>>()?;
    for (at, (one, first)) in folders.iter().enumerate() {
        for (two, second) in folders.iter().skip(at + 1) {
            if first.starts_with(second) || second.starts_with(first) {
                return Err(BackupError::Together((*one).to_owned(), (*two).to_owned()));
            }
        }
    }
    Ok(())
}

/// Takes the folder, which is empty or was a backup's.
fn begin(folder: &Path) -> Result<File, BackupError> {
    let path = folder.join("lock");
    let io = |cause| StoreError::io(folder, cause);
    make_folder(folder).map_err(io)?;
    let mut found = std::fs::read_dir(folder).map_err(io)?.flatten();
    if !path.exists() && found.any(|entry| entry.file_name() != "lost+found") {
        return Err(BackupError::NotEmpty(folder.to_owned()));
    }
    let file = File::create(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(BackupError::Busy(folder.to_owned())),
        Err(std::fs::TryLockError::Error(cause)) => return Err(io(cause).into()),
    }
    make_folder(&folder.join(FILES)).map_err(io)?;
    Ok(file)
}

/// What is not derived beside the segments: time stamps with their checkpoints, and which registry was in force.
fn others(data: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let stamps = data.join("log/stamps");
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    match std::fs::read_dir(&stamps) {
        Ok(entries) => found.extend(entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            (is_name(&name) && !name.ends_with(".new")).then(|| (format!("log/stamps/{name}"), entry.path()))
        })),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => return Err(StoreError::io(&stamps, cause)),
    }
    let registry = data.join("registry");
    found.extend(registry.exists().then(|| ("registry".to_owned(), registry)));
    found.sort();
    Ok(found)
}

/// Removes what the manifest does not name: of earlier backups, and of those that were interrupted. It costs room and nothing else.
fn remove_others(folder: &Path, manifest: &Manifest) {
    let named: BTreeSet<&str> = manifest.files.iter().map(|item| item.file.as_str()).collect();
    for entry in std::fs::read_dir(folder.join(FILES)).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_none_or(|name| !named.contains(name)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The log that is copied.
struct Log {
    folder: PathBuf,
}

impl Log {
    /// Sees that the log goes on from what was backed up.
    fn expect_goes_on(&self, kept: Head, now: Head) -> Result<(), BackupError> {
        if kept.size > now.size {
            return Err(BackupError::Older { kept: kept.size, found: now.size });
        }
        let segments = segments(&self.folder)?;
        if self.edge(&segments, kept)?.root() == kept.root { Ok(()) } else { Err(BackupError::OtherHistory { kept: kept.size }) }
    }

    /// The edge of the tree at a size: from its files where they give the root, from the records otherwise.
    fn edge(&self, segments: &[Segment], head: Head) -> Result<Edge, StoreError> {
        let tree = Tree(self.folder.join("tree"));
        if let Some(edge) = Edge::of(&tree, head.size).ok().filter(|edge| edge.root() == head.root) {
            return Ok(edge);
        }
        let mut edge = Edge::new();
        for (at, segment) in segments.iter().enumerate() {
            if edge.size() >= head.size {
                break;
            }
            let erasure = if at + 1 == segments.len() { Erasure::None } else { Erasure::Possible };
            let walked = walk_segment(&self.folder, segment, erasure, |_, frame| {
                if edge.size() < head.size {
                    edge.push(frame.hash(), |_, _| {});
                }
                Ok(())
            });
            // What the gateway is just adding behind them may look torn.
            if edge.size() < head.size {
                walked?;
            }
        }
        Ok(edge)
    }

    fn copy(&self, position: &Position, head: Head, copying: &mut Copying<'_>) -> Result<(), BackupError> {
        let segments = segments(&self.folder)?;
        for segment in segments.iter().filter(|segment| segment.number <= position.segment) {
            let path = segment_path(&self.folder, segment.number);
            let is_last = segment.number == position.segment;
            let next = segments.get(segment.number as usize + 1).map(|next| next.header.head);
            let expected = if is_last { Some(head) } else { next };
            let expected = expected.ok_or_else(|| StoreError::Damaged { path: path.clone(), offset: 0 })?;
            let name = format!("log/seg-{:06}", segment.number);
            let limit = is_last.then_some(position.offset);
            copying.copy(&name, &path, limit, |copy| {
                let mut edge = self.edge(&segments, segment.header.head)?;
                is_whole(copy, &segment.header, expected, limit, &mut edge).map_err(|error| match error {
                    // It is the source that is damaged.
                    StoreError::Damaged { offset, .. } => StoreError::Damaged { path: path.clone(), offset },
                    other => other,
                })
            })?;
        }
        Ok(())
    }
}

/// Sees that the records of a copied segment are those that were committed to.
fn is_whole(copy: &Path, header: &Header, expected: Head, end: Option<u64>, edge: &mut Edge) -> Result<(), StoreError> {
    let damaged = |offset| StoreError::Damaged { path: copy.to_owned(), offset };
    if edge.root() != header.head.root {
        return Err(damaged(0));
    }
    let erasure = if end.is_some() { Erasure::None } else { Erasure::Possible };
    let walk = walk_file(copy.to_owned(), header, erasure, |_, frame| {
        edge.push(frame.hash(), |_, _| {});
        Ok(())
    })?;
    let found = Head { size: edge.size(), root: edge.root() };
    let is_good = walk.head == expected && found == expected && end.is_none_or(|end| end == walk.end);
    if is_good { Ok(()) } else { Err(damaged(walk.end)) }
}

/// The tree's files, read alone.
struct Tree(PathBuf);

impl Hashes for Tree {
    type Error = io::Error;

    fn read(&self, level: u32, from: u64, count: u64, out: &mut Vec<Hash>) -> io::Result<()> {
        let mut octets = vec![0; count as usize * 32];
        File::open(self.0.join(level.to_string()))?.read_exact_at(&mut octets, from * 32)?;
        out.extend(octets.as_chunks::<32>().0.iter().map(|hash| Hash::from_octets(*hash)));
        Ok(())
    }
}

struct Copying<'c> {
    folder: &'c Path,
    /// The files of the last backup.
    last: Vec<Item>,
    made: Vec<Item>,
    copied: Vec<String>,
    octets: u64,
}

impl Copying<'_> {
    /// Copies a file of answers, unless the last backup has the same octets; nothing in the backup says when it was changed.
    fn copy_answers(&mut self, one: &One) -> Result<(), BackupError> {
        let files = self.folder.join(FILES);
        let new = files.join(".new");
        let copied = copy_octets(&one.path, &new, one.octets);
        one.expect_same()?;
        let sha256 = copied?.to_string();
        let is_same = |item: &&Item| item.name == one.name && item.sha256 == sha256;
        let is_there = |item: &&Item| std::fs::metadata(files.join(&item.file)).is_ok_and(|kept| kept.len() == item.bytes);
        if let Some(item) = self.last.iter().find(is_same).filter(is_there) {
            self.made.push(item.clone());
            return std::fs::remove_file(&new).map_err(|cause| StoreError::io(&new, cause).into());
        }
        let file = format!("{}-{}", one.name.replace('/', "-"), sha256.get(..16).unwrap_or_default());
        forget_time(&new);
        std::fs::rename(&new, files.join(&file)).map_err(|cause| StoreError::io(&new, cause))?;
        self.made.push(Item { name: one.name.clone(), file, bytes: one.octets, sha256, modified: String::new() });
        self.copied.push(one.name.clone());
        self.octets += one.octets;
        Ok(())
    }

    /// Copies a file, or its first octets, unless the last backup has it as it is.
    fn copy(
        &mut self,
        name: &str,
        path: &Path,
        limit: Option<u64>,
        check: impl Fn(&Path) -> Result<(), StoreError>,
    ) -> Result<(), BackupError> {
        let files = self.folder.join(FILES);
        for attempt in 1.. {
            let found = std::fs::metadata(path).map_err(|cause| StoreError::io(path, cause))?;
            let (modified, length) = (format!("{}.{:09}", found.mtime(), found.mtime_nsec()), limit.unwrap_or(found.len()));
            let is_same = |item: &&Item| item.name == name && item.bytes == length && item.modified == modified;
            let is_there = |item: &&Item| std::fs::metadata(files.join(&item.file)).is_ok_and(|kept| kept.len() == item.bytes);
            if let Some(item) = self.last.iter().find(is_same).filter(is_there) {
                self.made.push(item.clone());
                return Ok(());
            }
            let new = files.join(".new");
            let digest = copy_octets(path, &new, length)?;
            match check(&new) {
                // It may just have been given back what was erased.
                Err(StoreError::Damaged { .. }) if attempt < TRIES => continue,
                checked => checked?,
            }
            let sha256 = digest.to_string();
            let file = format!("{}-{}", name.replace('/', "-"), sha256.get(..16).unwrap_or_default());
            std::fs::rename(&new, files.join(&file)).map_err(|cause| StoreError::io(&new, cause))?;
            self.made.push(Item { name: name.to_owned(), file, bytes: length, sha256, modified });
            self.copied.push(name.to_owned());
            self.octets += length;
            break;
        }
        Ok(())
    }
}

/// Copies the first octets of a file and syncs them; gives their digest. Zeros take no room.
pub(super) fn copy_octets(from: &Path, to: &Path, length: u64) -> Result<Digest, StoreError> {
    let mut source = File::open(from).map_err(|cause| StoreError::io(from, cause))?.take(length);
    let write = |cause| StoreError::io(to, cause);
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(to).map_err(write)?;
    let (mut digest, mut block, mut at) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        let count = source.read(&mut block).map_err(|cause| StoreError::io(from, cause))?;
        let octets = block.get(..count).unwrap_or_default();
        if octets.is_empty() {
            break;
        }
        digest.update(octets);
        if octets.iter().any(|octet| *octet != 0) {
            file.write_all_at(octets, at).map_err(write)?;
        }
        at += octets.len() as u64;
    }
    if at < length {
        return Err(StoreError::Damaged { path: from.to_owned(), offset: at });
    }
    file.set_len(at).and_then(|()| file.sync_all()).map_err(write)?;
    Ok(digest.finish())
}
