//! Which keys belong to a log. A key of 32 octets has no form by which a changed one could be told from a good one, so the
//! file `keys/sums` has the SHA-256 of each. A key that does not fit is never used, and one that is gone is never made anew:
//! the index would find a part of a person's records, tags would fit nobody, and the checkpoints would be of another log.
//!
//! Whoever can change a key can change its line. So the first records of each start and of each volume commit to all keys in
//! their leaves (`j`), which the tree is built over: [`Committed`] is what was read of them.

use super::StoreError;
use super::durable::replace;
use crate::base::ids::Digest;
use crate::base::time::UnixTime;
use crate::evidence::journal::{Frame, FrameKind};
use crate::message::crypto::sha256;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const SUMS: &str = "sums";

/// Whether the keys of the log in a data folder are the ones that it began with.
pub fn keys_fit(data: &Path) -> Result<(), StoreError> {
    check(&data.join("keys"))
}

/// Sees that each key is the one that it was. A folder of the version before this file has none; its keys are taken as they
/// are, once.
pub(super) fn check(folder: &Path) -> Result<(), StoreError> {
    let listed = listed(folder)?;
    let found = found(folder)?;
    for (name, sum) in &listed {
        if found.get(name) != Some(sum) {
            return Err(StoreError::Damaged { path: folder.join(name), offset: 0 });
        }
    }
    Ok(())
}

/// Writes down the keys that are there and were not before.
pub(super) fn add(folder: &Path) -> Result<(), StoreError> {
    let (listed, found) = (listed(folder)?, found(folder)?);
    if found.keys().all(|name| listed.contains_key(name)) {
        return Ok(());
    }
    let all: BTreeMap<String, Digest> = found.into_iter().chain(listed).collect();
    let text: String = all.iter().map(|(name, sum)| format!("{name} {sum}\n")).collect();
    let path = folder.join(SUMS);
    replace(&path, text.as_bytes(), 0o600).map_err(|cause| StoreError::io(&path, cause))
}

/// The keys that are listed, with the SHA-256 of each.
pub(super) fn listed(folder: &Path) -> Result<BTreeMap<String, Digest>, StoreError> {
    let path = folder.join(SUMS);
    let text = match std::fs::read(&path) {
        Ok(octets) => octets,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(cause) => return Err(StoreError::io(&path, cause)),
    };
    let damaged = || StoreError::Damaged { path: path.clone(), offset: 0 };
    let text = String::from_utf8(text).map_err(|_| damaged())?;
    let whole = text.strip_suffix('\n').ok_or_else(damaged)?;
    let line = |line: &str| line.split_once(' ').and_then(|(name, sum)| Some((name.to_owned(), Digest::parse_hex(sum)?)));
    let listed: Option<BTreeMap<_, _>> = whole.lines().map(line).collect();
    // The two that each log has: a list that was cut has lost one of them, or a year.
    let is_whole = |listed: &BTreeMap<String, Digest>| listed.keys().all(|name| is_bound(name)) && listed.contains_key("log");
    listed.filter(is_whole).ok_or_else(damaged)
}

fn found(folder: &Path) -> Result<BTreeMap<String, Digest>, StoreError> {
    let mut found = BTreeMap::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(cause) => return Err(StoreError::io(folder, cause)),
    };
    for entry in entries.flatten() {
        let Some(name) = entry.file_name().to_str().filter(|name| is_bound(name)).map(str::to_owned) else { continue };
        let path = entry.path();
        let octets = std::fs::read(&path).map_err(|cause| StoreError::io(&path, cause))?;
        if octets.len() != 32 {
            return Err(StoreError::Damaged { path, offset: octets.len().min(32) as u64 });
        }
        found.insert(name, sha256(&octets));
    }
    Ok(found)
}

fn is_bound(name: &str) -> bool {
    matches!(name, "log" | "index") || year_of(name).is_some()
}

/// The year of a key that makes tags.
fn year_of(name: &str) -> Option<u16> {
    let year = name.strip_prefix("person-")?;
    (year.len() == 4 && year.bytes().all(|octet| octet.is_ascii_digit())).then(|| year.parse().ok())?
}

fn key_of(year: u16) -> String {
    format!("person-{year}")
}

/// As many commitments as fit into so many octets, in the form of a leaf: `name:SHA-256`, with a blank between two. They are
/// taken from those that wait.
pub(super) fn commit(waiting: &mut BTreeMap<String, Digest>, room: usize) -> (BTreeMap<String, Digest>, String) {
    let (mut taken, mut text) = (BTreeMap::new(), String::new());
    while let Some(entry) = waiting.first_entry() {
        let one = format!("{}{}:{}", if text.is_empty() { "" } else { " " }, entry.key(), entry.get().to_base64url());
        if text.len() + one.len() > room {
            break;
        }
        text.push_str(&one);
        let (name, digest) = entry.remove_entry();
        taken.insert(name, digest);
    }
    (taken, text)
}

/// What the records say of the keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Committed {
    sums: BTreeMap<String, Digest>,
    /// The years of which records have tags.
    tagged: BTreeSet<u16>,
}

impl Committed {
    /// Reads what a record says.
    pub(super) fn take(&mut self, frame: &Frame<'_>) {
        #[derive(Deserialize)]
        struct Leaf<'l> {
            #[serde(borrow)]
            i: Option<&'l str>,
            j: Option<&'l str>,
            t: u64,
        }
        let Ok(leaf) = serde_json::from_slice::<Leaf<'_>>(frame.leaf) else { return };
        if frame.kind != FrameKind::Record {
            return;
        }
        self.tagged.extend(leaf.i.map(|_| UnixTime::from_ms(leaf.t).day().parts().0));
        for (name, sum) in leaf.j.unwrap_or("").split(' ').filter_map(|one| one.split_once(':')) {
            if let Some(sum) = Digest::parse_base64url(sum).filter(|_| is_bound(name)) {
                self.sums.entry(name.to_owned()).or_insert(sum);
            }
        }
    }

    /// Whether any record has said anything.
    pub(super) fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// The latest year that has a key. Records about nobody do not count: they may be of a clock that was wrong.
    pub(super) fn latest(&self) -> u16 {
        self.sums.keys().filter_map(|name| year_of(name)).chain(self.tagged.iter().copied()).max().unwrap_or(0)
    }

    /// Sees that the keys that are there are those that were committed to.
    pub(super) fn fit(&self, folder: &Path) -> Result<(), StoreError> {
        let found = found(folder)?;
        let is_other = |(name, sum): &(&String, &Digest)| found.get(*name).is_some_and(|found| found != *sum);
        self.sums.iter().find(is_other).map_or(Ok(()), |(name, _)| Err(damaged(folder.join(name))))
    }

    /// The same, and that none is gone; gives the past years whose keys were removed, which is allowed.
    pub(super) fn hold(&self, folder: &Path) -> Result<BTreeSet<u16>, StoreError> {
        self.fit(folder)?;
        let found = found(folder)?;
        let tagged = self.tagged.iter().map(|year| key_of(*year));
        let expected: BTreeSet<String> = self.sums.keys().cloned().chain(tagged).collect();
        let mut gone = BTreeSet::new();
        for name in expected.into_iter().filter(|name| !found.contains_key(name)) {
            match year_of(&name).filter(|year| *year < self.latest()) {
                Some(year) => drop(gone.insert(year)),
                None => return Err(damaged(folder.join(name))),
            }
        }
        Ok(gone)
    }
}

fn damaged(path: PathBuf) -> StoreError {
    StoreError::Damaged { path, offset: 0 }
}

/// Refuses a folder that had a log and has none of its segments any more: an empty log would begin in its place.
pub(super) fn expect_no_remains(log: &Path) -> Result<(), StoreError> {
    let holds = |path: &Path| std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0);
    let mut remains = vec![log.join("tree/0"), log.join("names")];
    for entry in std::fs::read_dir(log).map_err(|cause| StoreError::io(log, cause))?.flatten() {
        let path = entry.path();
        match entry.file_name().to_str().unwrap_or("") {
            name if name.starts_with("seg-") => remains.push(path),
            name if name.starts_with("live-") => remains.push(path.join("rows")),
            name if name.starts_with("vol-") => remains.push(path.join("meta")),
            "stamps" => remains.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path())),
            _ => {}
        }
    }
    // Of keys that records were erased from, a tree is longer than a root.
    let keys = log.parent().map(|data| data.join("keys")).unwrap_or_default();
    let is_split = |name: &str| std::fs::metadata(keys.join(name)).is_ok_and(|found| found.len() > 45);
    let is_left = remains.iter().any(|path| holds(path)) || ["private", "bodies"].into_iter().any(is_split);
    if is_left { Err(StoreError::Damaged { path: log.join("seg-000000"), offset: 0 }) } else { Ok(()) }
}
