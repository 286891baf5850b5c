//! A volume that is complete: its rows, and for each [`By`] the sorted postings (key, place in the volume), in files that
//! never change, with the first key of each block in memory.

use super::blocks::{BLOCK, Blocks};
use super::names::Known;
use super::row::{By, ROW, Row};
use super::rows::{IdTimes, SPAN, each_span, read_rows};
use crate::host::store::StoreError;
use crate::host::store::durable::sync_directory;
use crate::rules::quota::Found;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Octets of a posting: key and place.
const POSTING: u64 = 12;
/// Postings in a block; what is left of it is zeros, so that none lies across two.
pub(crate) const PER_BLOCK: u64 = BLOCK / POSTING;

/// What is said of a volume beside its files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub format: u32,
    pub number: u32,
    pub first: u64,
    pub count: u64,
    /// Names that the rows may speak of.
    pub names: Known,
    /// The times in the ids of messages that rows are of.
    pub ids: IdTimes,
    /// Earliest and latest time of each span of rows.
    pub times: Vec<(u64, u64)>,
    /// Postings of each list.
    postings: Vec<u64>,
    rows: (u64, Vec<u32>),
    runs: (u64, Vec<u32>),
    /// The first posting of each block, for each list.
    firsts: Vec<Vec<(u64, u32)>>,
}

/// The lists of a volume: the postings of each [`By`], and behind them those of exchanges, those of kinds, and who was asked about.
const EXCHANGES: usize = By::ALL.len();
/// The place of a kind among all, from 1, is its key.
pub(crate) const KINDS: usize = EXCHANGES + 1;
/// Pairs of a person's key and the number of the agency in whose budget it counts, each once.
const ASKED: usize = KINDS + 1;
const LISTS: usize = ASKED + 1;
const FORMAT: u32 = 5;

pub(crate) struct Volume {
    pub meta: Meta,
    rows: Blocks,
    runs: Blocks,
    /// The block at which each list begins.
    starts: Vec<u64>,
    /// The earliest and the latest time of its records.
    range: (u64, u64),
}

pub(crate) fn volume_path(log: &Path, number: u32) -> PathBuf {
    log.join(format!("vol-{number:06}"))
}

/// Whether files of a volume end before they should, as in a copy that was interrupted.
pub(crate) fn is_short(log: &Path, number: u32) -> bool {
    let folder = volume_path(log, number);
    let length = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |found| found.len());
    let octets = std::fs::read(folder.join("meta")).unwrap_or_default();
    if let Some((json, sum)) = octets.split_last_chunk::<4>()
        && crc32fast::hash(json).to_be_bytes() == *sum
    {
        let meta = serde_json::from_slice::<Meta>(json).unwrap_or_default();
        return length("rows") < meta.rows.0 || length("runs") < meta.runs.0;
    }
    let mut texts = serde_json::Deserializer::from_slice(&octets).into_iter::<serde::de::IgnoredAny>();
    let first = texts.next();
    match first {
        // Within the checksum.
        Some(Ok(_)) => octets.len() - texts.byte_offset() < 4,
        // Within the text; one that was changed so that it does not end still has its last octet before the checksum.
        Some(Err(cause)) => cause.is_eof() && octets.iter().rev().nth(4) != Some(&b'}'),
        None => true,
    }
}

/// Where rows are that a volume is made from.
pub(crate) struct Source<'s> {
    pub number: u32,
    pub first: u64,
    pub names: Known,
    pub ids: IdTimes,
    pub rows: &'s Blocks,
    /// Persons beyond the first of a record: key and place.
    pub more: &'s [(u64, u32)],
}

impl Volume {
    pub(crate) fn open(log: &Path, number: u32) -> Result<Self, StoreError> {
        let folder = volume_path(log, number);
        let path = folder.join("meta");
        let octets = std::fs::read(&path).map_err(|cause| StoreError::io(&path, cause))?;
        let damaged = || StoreError::Damaged { path: path.clone(), offset: 0 };
        let (json, sum) = octets.split_last_chunk::<4>().ok_or_else(damaged)?;
        if crc32fast::hash(json).to_be_bytes() != *sum {
            return Err(damaged());
        }
        let mut meta: Meta = serde_json::from_slice(json).map_err(|_| damaged())?;
        if meta.format != FORMAT || meta.number != number || meta.postings.len() != LISTS || meta.firsts.len() != LISTS {
            return Err(damaged());
        }
        let (rows, runs) = (std::mem::take(&mut meta.rows), std::mem::take(&mut meta.runs));
        let mut starts = Vec::new();
        let mut at = 0;
        for count in &meta.postings {
            starts.push(at);
            at += count.div_ceil(PER_BLOCK);
        }
        let file = |name: &str, (length, sums): (u64, Vec<u32>)| Blocks::open(&folder.join(name), length, sums);
        let (rows, runs) = (file("rows", rows)?, file("runs", runs)?);
        let range = meta.times.iter().fold((u64::MAX, 0), |(from, to), span| (from.min(span.0), to.max(span.1)));
        Ok(Self { meta, rows, runs, starts, range })
    }

    /// Writes a volume; once this returns it is durable under its name.
    pub(crate) fn seal(log: &Path, source: &Source<'_>) -> Result<(), StoreError> {
        let folder = volume_path(log, source.number);
        let new = folder.with_extension("new");
        let io = |cause| StoreError::io(&new, cause);
        if new.exists() {
            std::fs::remove_dir_all(&new).map_err(io)?;
        }
        std::fs::create_dir_all(&new).map_err(io)?;
        let count = source.rows.len() / ROW as u64;
        let mut meta = Meta {
            format: FORMAT,
            number: source.number,
            first: source.first,
            count,
            names: source.names,
            ids: source.ids,
            ..Meta::default()
        };
        let mut rows = Blocks::create(&new.join("rows"))?;
        each_span(source.rows, |octets, found| {
            meta.times.push(times_of(found));
            rows.append(octets)
        })?;
        meta.rows = rows.finish()?;
        let mut runs = Blocks::create(&new.join("runs"))?;
        for list in 0..LISTS {
            let postings = sorted(source, list)?;
            meta.postings.push(postings.len() as u64);
            meta.firsts.push(write_run(&postings, &mut runs)?);
        }
        meta.runs = runs.finish()?;
        let mut octets = serde_json::to_vec(&meta).map_err(|cause| StoreError::Index(cause.to_string()))?;
        octets.extend_from_slice(&crc32fast::hash(&octets).to_be_bytes());
        let mut file = File::create(new.join("meta")).map_err(io)?;
        file.write_all(&octets).and_then(|()| file.sync_all()).map_err(io)?;
        sync_directory(&new).map_err(io)?;
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(io)?;
        }
        std::fs::rename(&new, &folder).and_then(|()| sync_directory(log)).map_err(io)
    }

    /// Reads rows from place `from` to before `to`.
    pub(crate) fn rows(&self, from: u64, to: u64, out: &mut Vec<Row>) -> Result<(), StoreError> {
        read_rows(&self.rows, from, to, out)
    }

    /// The latest time of its records.
    pub(crate) fn latest(&self) -> u64 {
        self.range.1
    }

    /// The places of the records of an exchange, latest first.
    pub(crate) fn exchange(&self, key: u64) -> Places<'_> {
        self.places_of(EXCHANGES, key, u32::MAX)
    }

    /// Gives the person's key and whose budget it counts in of each question from a time on; some more than once.
    pub(crate) fn asked_since(&self, from: u64, mut visit: impl FnMut(u64, u64)) -> Result<(), StoreError> {
        let (earliest, latest) = self.range;
        if latest < from {
            return Ok(());
        }
        if earliest >= from {
            return self.each_posting(ASKED, |person, budget| visit(person, budget.into()));
        }
        // A volume in which the day begins.
        let mut budgets = Vec::new();
        each_span(&self.rows, |_, rows| {
            budgets.extend(rows.iter().map(|row| if row.time >= from { row.asks() } else { 0 }));
            Ok(())
        })?;
        self.each_posting(By::Person.number(), |person, place| match budgets.get(place as usize) {
            Some(budget) if *budget > 0 => visit(person, u64::from(*budget)),
            _ => {}
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

    fn each_posting(&self, list: usize, mut visit: impl FnMut(u64, u32)) -> Result<(), StoreError> {
        for block in 0..self.meta.firsts.get(list).map_or(0, Vec::len) as u64 {
            self.block(list, block)?.into_iter().for_each(|(key, place)| visit(key, place));
        }
        Ok(())
    }

    /// How many postings a list has.
    pub(crate) fn postings(&self, list: usize) -> u64 {
        self.meta.postings.get(list).copied().unwrap_or(0)
    }

    /// The first posting of each block of a list.
    pub(crate) fn firsts(&self, list: usize) -> &[(u64, u32)] {
        self.meta.firsts.get(list).map_or(&[], Vec::as_slice)
    }

    /// Reads of rows their times and kinds, from place `from` to before `to`.
    pub(crate) fn briefs(&self, from: u64, to: u64, out: &mut Vec<(u64, u8)>) -> Result<(), StoreError> {
        let mut octets = Vec::new();
        self.rows.read(from * ROW as u64, to * ROW as u64, &mut octets)?;
        out.clear();
        out.extend(octets.as_chunks::<ROW>().0.iter().map(Row::brief));
        Ok(())
    }

    fn places_of(&self, list: usize, key: u64, before: u32) -> Places<'_> {
        let firsts = self.firsts(list);
        // The block before the first one that begins with something later may hold the last of them.
        let block = firsts.partition_point(|first| *first < (key, before));
        Places { volume: self, list, key, before, block }
    }

    /// The postings of a block of a list.
    pub(crate) fn block(&self, list: usize, block: u64) -> Result<Vec<(u64, u32)>, StoreError> {
        let count = self.meta.postings.get(list).copied().unwrap_or(0);
        let start = (self.starts.get(list).copied().unwrap_or(0) + block) * BLOCK;
        let mut octets = Vec::new();
        self.runs.read(start, start + (count - (block * PER_BLOCK).min(count)).min(PER_BLOCK) * POSTING, &mut octets)?;
        Ok(octets.as_chunks::<12>().0.iter().filter_map(|posting| read_posting(posting)).collect())
    }

    /// The same volume, knowing less of one row.
    pub(crate) fn without(&self, log: &Path, place: u64, less: fn(&Row) -> Row) -> Result<Self, StoreError> {
        let path = log.join("rows.new");
        let mut rows = Blocks::create(&path)?;
        let mut firsts = Vec::new();
        each_span(&self.rows, |octets, found| {
            let mut octets = octets.to_vec();
            let start = firsts.len() as u64;
            firsts.extend(found.iter().map(|row| row.key(By::Person)));
            let at = place.checked_sub(start).filter(|at| *at < found.len() as u64);
            if let Some((at, row)) = at.and_then(|at| Some((at as usize * ROW, found.get(at as usize)?))) {
                let mut known = Vec::new();
                less(row).write(&mut known);
                octets.splice(at..at + ROW, known);
            }
            rows.append(&octets)
        })?;
        // Persons beyond the first of a record are in the postings alone.
        let mut more = Vec::new();
        let blocks = self.meta.firsts.get(By::Person.number()).map_or(0, Vec::len) as u64;
        for block in 0..blocks {
            let postings = self.block(By::Person.number(), block)?;
            more.extend(
                postings.into_iter().filter(|(key, at)| firsts.get(*at as usize) != Some(key) && u64::from(*at) != place),
            );
        }
        let Meta { number, first, names, ids, .. } = &self.meta;
        let source = Source { number: *number, first: *first, names: *names, ids: *ids, rows: &rows, more: &more };
        Self::seal(log, &source)?;
        std::fs::remove_file(&path).map_err(|cause| StoreError::io(&path, cause))?;
        Self::open(log, self.meta.number)
    }

    /// The first place whose times or postings are not those that follow from the rows, and from the persons beyond the first
    /// of a record. Of what was erased postings count for nothing.
    pub(crate) fn wrong_place(&self, more: &[(u64, u32)], erased: &BTreeSet<u32>) -> Result<Option<u64>, StoreError> {
        let mut times = Vec::new();
        each_span(&self.rows, |_, found| {
            times.push(times_of(found));
            Ok(())
        })?;
        let known = &self.meta.times;
        if let Some(span) = (0..times.len().max(known.len())).find(|span| times.get(*span) != known.get(*span)) {
            return Ok(Some(span as u64 * SPAN));
        }
        let Meta { number, first, names, ids, .. } = &self.meta;
        let source = Source { number: *number, first: *first, names: *names, ids: *ids, rows: &self.rows, more };
        for list in 0..ASKED {
            let (mut expected, mut found) = (sorted(&source, list)?, Vec::new());
            for (block, first) in (0..).zip(self.meta.firsts.get(list).into_iter().flatten()) {
                let postings = self.block(list, block)?;
                if postings.first() != Some(first) {
                    return Ok(Some(first.1.into()));
                }
                found.extend(postings);
            }
            [&mut expected, &mut found].into_iter().for_each(|list| list.retain(|(_, place)| !erased.contains(place)));
            let at = (0..expected.len().max(found.len())).find(|at| expected.get(*at) != found.get(*at));
            if let Some((_, place)) = at.and_then(|at| expected.get(at).or(found.get(at))) {
                return Ok(Some((*place).into()));
            }
        }
        Ok(None)
    }

    /// Reads all of it, to find what a disk has changed.
    pub(crate) fn scrub(&self) -> Result<u64, StoreError> {
        let mut octets = Vec::new();
        for file in [&self.rows, &self.runs] {
            let mut at = 0;
            while at < file.len() {
                let to = (at + 64 * BLOCK).min(file.len());
                file.read(at, to, &mut octets)?;
                at = to;
            }
        }
        Ok(self.rows.len() + self.runs.len())
    }
}

/// The earliest and the latest time of a span of rows; those that were shredded have none.
fn times_of(rows: &[Row]) -> (u64, u64) {
    let times = rows.iter().map(|row| row.time).filter(|time| *time > 0);
    times.fold((u64::MAX, 0), |(from, to), time| (from.min(time), to.max(time)))
}

/// The places of a key, a block of them at a time, latest first.
pub(crate) struct Places<'v> {
    volume: &'v Volume,
    list: usize,
    key: u64,
    before: u32,
    block: usize,
}

impl Places<'_> {
    /// The next places, descending; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u32>>, StoreError> {
        while let Some(block) = self.block.checked_sub(1) {
            self.block = block;
            let postings = self.volume.block(self.list, block as u64)?;
            if postings.first().is_some_and(|first| first.0 < self.key) {
                // Nothing of the key lies before this block.
                self.block = 0;
            }
            let found = postings.iter().rev().filter(|(key, place)| *key == self.key && *place < self.before);
            let places: Vec<u32> = found.map(|(_, place)| *place).collect();
            if !places.is_empty() {
                return Ok(Some(places));
            }
        }
        Ok(None)
    }
}

/// The key and place of a posting.
fn read_posting(octets: &[u8]) -> Option<(u64, u32)> {
    let (key, rest) = octets.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*key), u32::from_be_bytes(*rest.first_chunk()?)))
}

fn sorted(source: &Source<'_>, list: usize) -> Result<Vec<(u64, u32)>, StoreError> {
    if list == ASKED {
        return asked(source);
    }
    let by = By::ALL.get(list).copied();
    let key_of = |row: &Row| match by {
        Some(by) => row.key(by),
        None if list == KINDS => row.kind.into(),
        None => row.exchange,
    };
    // At once, and no more than it takes: what grows leaves holes in memory.
    let mut postings = Vec::with_capacity((source.rows.len() / ROW as u64) as usize);
    let mut place = 0;
    each_span(source.rows, |_, rows| {
        for row in rows {
            let key = key_of(row);
            if key != 0 {
                postings.push((key, place));
            }
            place += 1;
        }
        Ok(())
    })?;
    if by == Some(By::Person) {
        postings.extend_from_slice(source.more);
    }
    postings.sort_unstable();
    // A record may name somebody twice.
    postings.dedup();
    Ok(postings)
}

/// Who was asked about in whose budget.
fn asked(source: &Source<'_>) -> Result<Vec<(u64, u32)>, StoreError> {
    let count = (source.rows.len() / ROW as u64) as usize;
    let (mut pairs, mut budgets) = (Vec::with_capacity(count / 2), Vec::with_capacity(count));
    each_span(source.rows, |_, rows| {
        for row in rows {
            budgets.push(row.asks());
            if row.asks() != 0 && row.key(By::Person) != 0 {
                pairs.push((row.key(By::Person), row.asks()));
            }
        }
        Ok(())
    })?;
    let more = source.more.iter().map(|(person, place)| (*person, budgets.get(*place as usize).copied().unwrap_or(0)));
    pairs.extend(more);
    pairs.retain(|(person, budget)| *person != 0 && *budget != 0);
    pairs.sort_unstable();
    pairs.dedup();
    Ok(pairs)
}

fn write_run(postings: &[(u64, u32)], runs: &mut Blocks) -> Result<Vec<(u64, u32)>, StoreError> {
    let mut firsts = Vec::new();
    let mut octets = Vec::with_capacity(BLOCK as usize);
    for block in postings.chunks(PER_BLOCK as usize) {
        octets.clear();
        firsts.extend(block.first());
        for (key, place) in block {
            octets.extend_from_slice(&key.to_be_bytes());
            octets.extend_from_slice(&place.to_be_bytes());
        }
        octets.resize(BLOCK as usize, 0);
        runs.append(&octets)?;
    }
    Ok(firsts)
}
