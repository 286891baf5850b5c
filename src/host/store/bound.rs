//! Which keys belong to a log. A key of 32 octets has no form by which a changed one could be told from a good one, so the
//! file `keys/sums` has the SHA-256 of each. A key that does not fit is never used, and one that is gone is never made anew:
//! the index would find a part of a person's records, tags would fit nobody, and the checkpoints would be of another log.

use super::StoreError;
use super::durable::replace;
use crate::message::crypto::sha256;
use std::collections::BTreeMap;
use std::path::Path;

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
    let all: BTreeMap<String, String> = found.into_iter().chain(listed).collect();
    let text: String = all.iter().map(|(name, sum)| format!("{name} {sum}\n")).collect();
    let path = folder.join(SUMS);
    replace(&path, text.as_bytes(), 0o600).map_err(|cause| StoreError::io(&path, cause))
}

fn listed(folder: &Path) -> Result<BTreeMap<String, String>, StoreError> {
    let path = folder.join(SUMS);
    let text = match std::fs::read(&path) {
        Ok(octets) => octets,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(cause) => return Err(StoreError::io(&path, cause)),
    };
    let damaged = || StoreError::Damaged { path: path.clone(), offset: 0 };
    let text = String::from_utf8(text).map_err(|_| damaged())?;
    let whole = text.strip_suffix('\n').ok_or_else(damaged)?;
    let line = |line: &str| line.split_once(' ').map(|(name, sum)| (name.to_owned(), sum.to_owned()));
    let listed: Option<BTreeMap<_, _>> = whole.lines().map(line).collect();
    // The two that each log has: a list that was cut has lost one of them, or a year.
    let is_whole = |listed: &BTreeMap<String, String>| listed.keys().all(|name| is_bound(name)) && listed.contains_key("log");
    listed.filter(is_whole).ok_or_else(damaged)
}

fn found(folder: &Path) -> Result<BTreeMap<String, String>, StoreError> {
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
        found.insert(name, sha256(&octets).octets().iter().map(|octet| format!("{octet:02x}")).collect());
    }
    Ok(found)
}

fn is_bound(name: &str) -> bool {
    let is_year = |year: &str| year.len() == 4 && year.bytes().all(|octet| octet.is_ascii_digit());
    matches!(name, "log" | "index") || name.strip_prefix("person-").is_some_and(is_year)
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
