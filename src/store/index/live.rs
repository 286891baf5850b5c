//! The volume that grows: rows in a file, postings in sled.
//!
//! sled copies a node for each key that it is given, so postings share keys: those of one name, and those of hashes with
//! the same first octet, that were put in together. A key is `by | name 4, or first octet of the hash | first place 4`;
//! a value the places (4) of a name, or key and place (12) of hashes. The watermark is written last. After a crash what
//! is put in again has the same keys, since they begin at the watermark, and overwrites what was there.

use super::blocks::Blocks;
use super::names::Known;
use super::row::{By, ROW, Row};
use super::volume::{Source, read_posting, read_rows};
use crate::limits;
use crate::store::StoreError;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

const WATERMARK: &[u8] = &[0xff];

pub(crate) struct Live {
    folder: PathBuf,
    pub number: u32,
    pub first: u64,
    rows: Blocks,
    more: Vec<(u64, u32)>,
    /// How many rows have each name: what is rare is looked for first.
    counts: BTreeMap<(By, u64), u64>,
    tree: sled::Db,
}

pub(crate) fn live_path(log: &Path, number: u32) -> PathBuf {
    log.join(format!("live-{number:06}"))
}

impl Live {
    /// Opens the live volume. Its rows are to be put in again; how many of them sled has the postings of is
    /// [`Live::indexed`]. A sled that does not open is made anew.
    pub(crate) fn open(log: &Path, number: u32, first: u64) -> Result<(Self, Remade), StoreError> {
        let folder = live_path(log, number);
        let io = |cause| StoreError::io(&folder, cause);
        std::fs::create_dir_all(&folder).map_err(io)?;
        let path = folder.join("ix");
        let (tree, remade) = match open_tree(&path) {
            Ok(tree) => (tree, Remade::No),
            // The journal holds everything that is in it.
            Err(_) => {
                remove(&path).map_err(io)?;
                (open_tree(&path)?, Remade::Yes)
            }
        };
        let rows = Blocks::create(&folder.join("rows"))?;
        Ok((Self { folder, number, first, rows, more: Vec::new(), counts: BTreeMap::new(), tree }, remade))
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> u64 {
        self.rows.len() / ROW as u64
    }

    /// How many rows a key has; of hashes, about one.
    pub(crate) fn estimate(&self, by: By, key: u64) -> u64 {
        if by.is_name() { self.counts.get(&(by, key)).copied().unwrap_or(0) } else { 1 }
    }

    /// How many rows the postings cover.
    pub(crate) fn indexed(&self) -> u64 {
        let value = self.tree.get(WATERMARK).ok().flatten();
        value.and_then(|value| value.as_ref().try_into().ok().map(u64::from_be_bytes)).unwrap_or(0)
    }

    /// How many postings there are: sled forgets pages whose checksums do not fit without saying so.
    pub(crate) fn postings(&self) -> u64 {
        let count = |(key, value): (sled::IVec, sled::IVec)| match key.first() {
            Some(by) if usize::from(*by) < By::Message.number() => value.len() as u64 / 4,
            Some(by) if usize::from(*by) < By::ALL.len() => value.len() as u64 / 12,
            _ => 0,
        };
        self.tree.iter().filter_map(Result::ok).map(count).sum()
    }

    /// Throws the postings away.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        self.tree.clear().map_err(|cause| StoreError::Index(cause.to_string()))
    }

    /// Appends rows; `more` are persons beyond the first, with their places.
    pub(crate) fn append(&mut self, rows: &[Row], more: &[(u64, u32)]) -> Result<(), StoreError> {
        let mut octets = Vec::with_capacity(rows.len() * ROW);
        for row in rows {
            row.write(&mut octets);
            for by in By::ALL.into_iter().filter(|by| by.is_name() && row.key(*by) != 0) {
                *self.counts.entry((by, row.key(by))).or_insert(0) += 1;
            }
        }
        self.rows.append(&octets)?;
        self.more.extend_from_slice(more);
        Ok(())
    }

    /// Puts in the postings of rows that begin at `place`. sled panics on some damage instead of returning an error.
    pub(crate) fn index(&self, place: u32, rows: &[Row], more: &[(u64, u32)]) -> Result<(), StoreError> {
        let put = catch_unwind(AssertUnwindSafe(|| self.put(place, rows, more)));
        match put {
            Ok(result) => result.map_err(|cause| StoreError::Index(cause.to_string())),
            Err(_) => Err(StoreError::Index("sled gave up".to_owned())),
        }
    }

    fn put(&self, first: u32, rows: &[Row], more: &[(u64, u32)]) -> sled::Result<()> {
        let mut shared = BTreeMap::<Vec<u8>, (u32, Vec<u8>)>::new();
        let mut add = |by: By, key: u64, place: u32| {
            if key == 0 {
                return;
            }
            let (_, value) = shared.entry(prefix(by, key)).or_insert_with(|| (place, Vec::new()));
            if !by.is_name() {
                value.extend_from_slice(&key.to_be_bytes());
            }
            value.extend_from_slice(&place.to_be_bytes());
        };
        let mut extra = more.iter().peekable();
        for (place, row) in (first..).zip(rows) {
            for by in By::ALL {
                add(by, row.key(by), place);
            }
            while let Some((key, place)) = extra.next_if(|(_, of)| *of <= place) {
                add(By::Person, *key, *place);
            }
        }
        let mut batch = sled::Batch::default();
        for (number, (mut key, (place, value))) in shared.into_iter().enumerate() {
            if number > 0 && number % limits::INDEX_BATCH_MAX == 0 {
                self.tree.apply_batch(std::mem::take(&mut batch))?;
            }
            key.extend_from_slice(&place.to_be_bytes());
            batch.insert(key, value);
        }
        batch.insert(WATERMARK, &(u64::from(first) + rows.len() as u64).to_be_bytes());
        self.tree.apply_batch(batch)
    }

    pub(crate) fn rows(&self, from: u64, to: u64, out: &mut Vec<Row>) -> Result<(), StoreError> {
        read_rows(&self.rows, from, to, out)
    }

    /// The places of a key that are before `before`, latest first, in portions.
    pub(crate) fn places(&self, by: By, key: u64, before: u32) -> impl Iterator<Item = Result<Vec<u32>, StoreError>> + use<> {
        let values = self.tree.scan_prefix(prefix(by, key)).values().rev();
        values.map(move |value| {
            let value = value.map_err(|cause| StoreError::Index(cause.to_string()))?;
            let places: Vec<u32> = if by.is_name() {
                value.as_chunks::<4>().0.iter().map(|place| u32::from_be_bytes(*place)).collect()
            } else {
                let postings = value.as_chunks::<12>().0.iter().filter_map(|posting| read_posting(posting));
                postings.filter(|posting| posting.0 == key).map(|posting| posting.1).collect()
            };
            Ok(places.into_iter().rev().filter(|place| *place < before).collect())
        })
    }

    /// The persons beyond the first of the rows from place `from` to before `to`.
    pub(crate) fn more_between(&self, from: u32, to: u32) -> &[(u64, u32)] {
        let (from, to) = (self.more.partition_point(|more| more.1 < from), self.more.partition_point(|more| more.1 < to));
        self.more.get(from..to).unwrap_or_default()
    }

    /// What a sealed volume is made of.
    pub(crate) fn source(&self, names: Known) -> Source<'_> {
        Source { number: self.number, first: self.first, names, rows: &self.rows, more: &self.more }
    }

    pub(crate) fn flush(&self) {
        let _ = self.tree.flush();
    }

    /// The folder, to be removed once nothing uses it any more.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Whether the postings had to be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remade {
    Yes,
    No,
}

fn prefix(by: By, key: u64) -> Vec<u8> {
    let key = key.to_be_bytes();
    let part = if by.is_name() { key.get(4..) } else { key.get(..1) };
    [&[by.number() as u8], part.unwrap_or_default()].concat()
}

fn open_tree(path: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new().path(path).cache_capacity(16 << 20).flush_every_ms(Some(500)).mode(sled::Mode::LowSpace);
    let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
    match opened {
        Ok(opened) => opened.map_err(|cause| StoreError::Index(cause.to_string())),
        Err(_) => Err(StoreError::Index("sled gave up".to_owned())),
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}
