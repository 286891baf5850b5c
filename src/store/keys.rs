//! Keys for outcomes at rest. Each start of the gateway makes one, so that no number is ever used twice with a key, even
//! when the tail of the journal was cut off; destroying a key erases all outcomes that it sealed.

use super::{StoreError, seal_with, sync_directory};
use crate::crypto::{self, SealKey};
use crate::journal::{Outcome, Settlement};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) struct Keys {
    folder: PathBuf,
    current: u64,
    key: SealKey,
    nonce: AtomicU64,
    older: Mutex<BTreeMap<u64, Option<SealKey>>>,
}

impl Keys {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|cause| StoreError::io(folder, cause))?;
        let mut older = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(|cause| StoreError::io(folder, cause))?.flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("outcome-")?.strip_suffix(".key")?.parse::<u64>().ok());
            if let Some(number) = number {
                older.insert(number, None);
            }
        }
        // The number is the time of its making, in milliseconds; two starts within one still differ.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let current = older.keys().next_back().map_or(now, |last| now.max(last + 1));
        let octets = crypto::random::<32>().map_err(|crypto::NoRandomness| StoreError::NoRandomness)?;
        write_key(&key_path(folder, current), &octets).map_err(|cause| StoreError::io(folder, cause))?;
        sync_directory(folder).map_err(|cause| StoreError::io(folder, cause))?;
        let key = SealKey::new(&octets).ok_or(StoreError::NoRandomness)?;
        Ok(Self { folder: folder.to_owned(), current, key, nonce: AtomicU64::new(0), older: Mutex::new(older) })
    }

    pub(super) fn seal(&self, outcome: Outcome) -> Result<Vec<u8>, StoreError> {
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        seal_with(&self.key, self.current, nonce, outcome).ok_or(StoreError::Forgotten)
    }

    pub(super) fn open_outcome(&self, private: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (settlement, sealed) = Settlement::read(private).ok_or(StoreError::Forgotten)?;
        let mut octets = sealed.to_vec();
        if settlement.key == self.current {
            self.key.open(settlement.nonce, &mut octets).map_err(|crypto::NotSealed| StoreError::Forgotten)?;
            return Ok(octets);
        }
        let mut older = self.older.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let slot = older.get_mut(&settlement.key).ok_or(StoreError::Forgotten)?;
        if slot.is_none() {
            let path = key_path(&self.folder, settlement.key);
            let octets = std::fs::read(&path).map_err(|cause| StoreError::io(&path, cause))?;
            *slot = <&[u8; 32]>::try_from(octets.as_slice()).ok().and_then(SealKey::new);
        }
        let key = slot.as_ref().ok_or(StoreError::Forgotten)?;
        key.open(settlement.nonce, &mut octets).map_err(|crypto::NotSealed| StoreError::Forgotten)?;
        Ok(octets)
    }

    /// Destroys the keys that were out of use before `oldest`: a key was in use until its successor was made.
    pub(super) fn forget_before(&self, oldest: u64) {
        let mut older = self.older.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let numbers: Vec<u64> = older.keys().copied().chain([self.current]).collect();
        for pair in numbers.windows(2) {
            if let [number, successor] = pair
                && *successor < oldest
            {
                older.remove(number);
                let _ = std::fs::remove_file(key_path(&self.folder, *number));
            }
        }
    }
}

fn key_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("outcome-{number}.key"))
}

fn write_key(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(octets)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that was made long ago may have sealed an outcome until its successor was made.
    #[test]
    fn a_key_is_kept_until_its_last_outcome_is_past_its_window() {
        let folder = std::env::temp_dir().join(format!("oncegate-keys-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("writable");
        for number in [100, 200, 300] {
            write_key(&key_path(&folder, number), &[1; 32]).expect("writable");
        }
        let keys = Keys::open(&folder).expect("opens");
        let kept = || [100, 200, 300].map(|number| key_path(&folder, number).exists());
        keys.forget_before(200);
        assert_eq!(kept(), [true, true, true]);
        keys.forget_before(201);
        assert_eq!(kept(), [false, true, true]);
        keys.forget_before(301);
        assert_eq!(kept(), [false, false, true]);
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
}
