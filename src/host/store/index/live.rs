//! The volume that grows: rows in a file, postings in sled.
//!
//! sled copies a node for each key that it is given, so postings share keys: those in the same of 64 buckets that were put in
//! together. What a record costs does not grow with the number of agencies this way. A key is `by | bucket | first place 4`;
//! a value postings, `name 4, or hash 8 | place 4`. The watermark is written last. After a crash what is put in again has the
//! same keys, since they begin at the watermark, and overwrites what was there.

use super::blocks::Blocks;
use super::columns::Columns;
use super::names::Known;
use super::recent::Recent;
use super::row::{By, ROW, Row};
use super::rows::{IdTimes, each_span, read_rows};
use super::volume::Source;
use crate::base::limits;
use crate::host::store::StoreError;
use crate::rules::quota::Found;
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
    /// What of the rows can be asked without reading them.
    pub columns: Columns,
    recent: Recent,
    ids: IdTimes,
    /// None only while it is opened anew, or when that has failed.
    tree: Option<sled::Db>,
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
        let (tree, remade) = open_or_remake(&folder)?;
        let rows = Blocks::create(&folder.join("rows"))?;
        let (more, columns, recent, ids) = (Vec::new(), Columns::default(), Recent::default(), IdTimes::default());
        Ok((Self { folder, number, first, rows, more, columns, recent, ids, tree: Some(tree) }, remade))
    }

    /// Opens sled anew: after an error it takes nothing any more.
    pub(crate) fn reopen(&mut self) -> Result<(), StoreError> {
        // It holds its files until it is dropped, and may panic when it is.
        let old = self.tree.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
        self.tree = Some(open_or_remake(&self.folder)?.0);
        Ok(())
    }

    fn tree(&self) -> Result<&sled::Db, StoreError> {
        self.tree.as_ref().ok_or_else(|| StoreError::Index("it is being opened again".to_owned()))
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> u64 {
        self.rows.len() / ROW as u64
    }

    /// How many rows the postings cover.
    pub(crate) fn indexed(&self) -> u64 {
        let value = self.tree().ok().and_then(|tree| tree.get(WATERMARK).ok().flatten());
        value.and_then(|value| value.as_ref().try_into().ok().map(u64::from_be_bytes)).unwrap_or(0)
    }

    /// How many postings there are: sled forgets pages whose checksums do not fit without saying so.
    pub(crate) fn postings(&self) -> u64 {
        let count = |(key, value): (sled::IVec, sled::IVec)| match key.first() {
            Some(by) => By::ALL.get(usize::from(*by)).map_or(0, |by| value.len() as u64 / by.posting() as u64),
            None => 0,
        };
        self.tree.iter().flat_map(|tree| tree.iter()).filter_map(Result::ok).map(count).sum()
    }

    /// Throws the postings away.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        self.tree()?.clear().map_err(|cause| StoreError::Index(cause.to_string()))
    }

    /// Appends rows; `more` are persons beyond the first, with their places.
    pub(crate) fn append(&mut self, rows: &[Row], more: &[(u64, u32)], ids: IdTimes) -> Result<(), StoreError> {
        let (mut octets, mut exchanges) = (Vec::with_capacity(rows.len() * ROW), Vec::with_capacity(rows.len()));
        for row in rows {
            row.write(&mut octets);
            exchanges.push(row.exchange);
        }
        self.rows.append(&octets)?;
        rows.iter().for_each(|row| self.columns.push(row));
        exchanges.into_iter().for_each(|key| self.recent.push(key));
        self.ids = self.ids.and(ids);
        self.more.extend_from_slice(more);
        Ok(())
    }

    /// Puts in the postings of rows that begin at `place`. sled panics on some damage instead of returning an error.
    pub(crate) fn index(&self, place: u32, rows: &[Row], more: &[(u64, u32)]) -> Result<(), StoreError> {
        let tree = self.tree()?;
        let put = catch_unwind(AssertUnwindSafe(|| Self::put(tree, place, rows, more)));
        match put {
            Ok(result) => result.map_err(|cause| StoreError::Index(cause.to_string())),
            Err(_) => Err(StoreError::Index("sled gave up".to_owned())),
        }
    }

    fn put(tree: &sled::Db, first: u32, rows: &[Row], more: &[(u64, u32)]) -> sled::Result<()> {
        let mut shared = BTreeMap::<[u8; 2], (u32, Vec<u8>)>::new();
        let mut add = |by: By, key: u64, place: u32| {
            if key == 0 {
                return;
            }
            let (_, value) = shared.entry(prefix(by, key)).or_insert_with(|| (place, Vec::new()));
            by.write_posting(key, place, value);
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
        for (number, ([by, bucket], (place, value))) in shared.into_iter().enumerate() {
            if number > 0 && number % limits::INDEX_BATCH_MAX == 0 {
                tree.apply_batch(std::mem::take(&mut batch))?;
            }
            let [a, b, c, d] = place.to_be_bytes();
            batch.insert(&[by, bucket, a, b, c, d], value);
        }
        batch.insert(WATERMARK, &(u64::from(first) + rows.len() as u64).to_be_bytes());
        tree.apply_batch(batch)
    }

    pub(crate) fn rows(&self, from: u64, to: u64, out: &mut Vec<Row>) -> Result<(), StoreError> {
        read_rows(&self.rows, from, to, out)
    }

    /// The places of a key that are before `before`, latest first, in portions.
    pub(crate) fn places(&self, by: By, key: u64, before: u32) -> impl Iterator<Item = Result<Vec<u32>, StoreError>> + use<> {
        let tree = self.tree();
        let failed = tree.as_ref().err().map(|cause| Err((*cause).clone()));
        let values = tree.ok().map(|tree| tree.scan_prefix(prefix(by, key)).values().rev()).into_iter().flatten();
        failed.into_iter().chain(values.map(move |value| {
            let value = value.map_err(|cause| StoreError::Index(cause.to_string()))?;
            let postings = value.chunks_exact(by.posting()).rev().filter_map(|posting| by.read_posting(posting));
            Ok(postings.filter(|(of, place)| *of == key && *place < before).map(|(_, place)| place).collect())
        }))
    }

    /// The places of the records of an exchange, latest first.
    pub(crate) fn exchange(&self, key: u64) -> impl Iterator<Item = u32> {
        self.recent.places(key)
    }

    /// Gives the person's key and whose budget it counts in of each question from a time on; some more than once.
    pub(crate) fn asked_since(&self, from: u64, mut visit: impl FnMut(u64, u64)) -> Result<(), StoreError> {
        let (mut more, mut place) = (self.more.iter().peekable(), 0);
        each_span(&self.rows, |_, rows| {
            for row in rows {
                let is_meant = row.time >= from && row.asks() != 0 && row.key(By::Person) != 0;
                let beyond = std::iter::from_fn(|| more.next_if(|(_, of)| *of <= place)).map(|(person, _)| *person);
                let persons = std::iter::once(row.key(By::Person)).chain(beyond);
                persons.filter(|_| is_meant).for_each(|person| visit(person, row.asks().into()));
                place += 1;
            }
            Ok(())
        })
    }

    /// Gives in whose budget each answer from a time on counts, and what it says.
    pub(crate) fn answered_since(&self, from: u64, mut visit: impl FnMut(u32, Found)) -> Result<(), StoreError> {
        each_span(&self.rows, |_, rows| {
            let answers = rows.iter().filter(|row| row.time >= from).filter_map(Row::answers);
            answers.for_each(|(budget, found)| visit(budget, found));
            Ok(())
        })
    }

    /// The persons beyond the first of the rows from place `from` to before `to`.
    pub(crate) fn more_between(&self, from: u32, to: u32) -> &[(u64, u32)] {
        let (from, to) = (self.more.partition_point(|more| more.1 < from), self.more.partition_point(|more| more.1 < to));
        self.more.get(from..to).unwrap_or_default()
    }

    /// What a sealed volume is made of.
    pub(crate) fn source(&self, names: Known) -> Source<'_> {
        Source { number: self.number, first: self.first, names, ids: self.ids, rows: &self.rows, more: &self.more }
    }

    pub(crate) fn flush(&self) {
        let _ = self.tree().map(|tree| tree.flush());
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

/// The buckets of names that came one after the other are different; hashes are spread by any of their bits.
fn prefix(by: By, key: u64) -> [u8; 2] {
    [by.number() as u8, (key % BUCKETS) as u8]
}

impl By {
    /// Octets of a posting: the key and the place.
    fn posting(self) -> usize {
        if self.is_name() { 8 } else { 12 }
    }

    fn write_posting(self, key: u64, place: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(key.to_be_bytes().get(12 - self.posting()..).unwrap_or_default());
        out.extend_from_slice(&place.to_be_bytes());
    }

    fn read_posting(self, octets: &[u8]) -> Option<(u64, u32)> {
        let (key, place) = octets.split_last_chunk::<4>()?;
        let key = key.iter().fold(0_u64, |key, octet| key << 8 | u64::from(*octet));
        Some((key, u32::from_be_bytes(*place)))
    }
}

const BUCKETS: u64 = 64;

fn open_tree(path: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new().path(path).cache_capacity(16 << 20).flush_every_ms(Some(500)).mode(sled::Mode::LowSpace);
    let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
    match opened {
        Ok(opened) => opened.map_err(|cause| StoreError::Index(cause.to_string())),
        Err(_) => Err(StoreError::Index("sled gave up".to_owned())),
    }
}

/// A sled that does not open is made anew: the journal holds everything that is in it.
fn open_or_remake(folder: &Path) -> Result<(sled::Db, Remade), StoreError> {
    let path = folder.join("postings");
    match open_tree(&path) {
        Ok(tree) => Ok((tree, Remade::No)),
        Err(_) => {
            remove(&path).map_err(|cause| StoreError::io(&path, cause))?;
            Ok((open_tree(&path)?, Remade::Yes))
        }
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}
