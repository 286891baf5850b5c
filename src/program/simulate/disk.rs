//! The disk of a gateway: segments of the journal as octets, of which those behind the last sync may be lost or torn. What is
//! written there and how it is read again is the work of `evidence::journal` and `evidence::tlog`.

use super::dice::Dice;
use super::plan::Trouble;
use super::plant::Plant;
use crate::base::time::UnixTime;
use crate::evidence::journal::{self, Commit, Erasure, Frame, FrameKind, From, Header, write_frame};
use crate::evidence::tlog::tree::{Edge, Head};
use crate::exchange::ledger::OutcomePlace;
use crate::host::store::PrivateHead;

/// What a record is written as.
pub(super) struct Entry {
    pub leaf: String,
    pub person: Option<u64>,
    /// The number of the message that is kept with it.
    pub letter: Option<(u32, usize)>,
}

/// The disk.
pub(super) struct Disk {
    segments: Vec<Vec<u8>>,
    /// What was written of the last segment since the last sync.
    unsynced: Vec<u8>,
    pub is_full: bool,
    /// The tree of all that was synced.
    synced: Edge,
}

/// Why a journal is not what was acknowledged.
pub(super) type Broken = String;

impl Disk {
    /// A disk with an empty journal.
    pub(super) fn new() -> Self {
        let mut disk = Self { segments: Vec::new(), unsynced: Vec::new(), is_full: false, synced: Edge::new() };
        disk.begin(&Edge::new());
        disk
    }

    /// How many records are durable.
    pub(super) fn size(&self) -> u64 {
        self.synced.size()
    }

    /// The tree of what is durable.
    pub(super) fn head(&self) -> Head {
        Head { size: self.synced.size(), root: self.synced.root() }
    }

    fn begin(&mut self, edge: &Edge) {
        let head = Head { size: edge.size(), root: edge.root() };
        let mut octets = Vec::new();
        Header { head, volume: 0 }.write(&mut octets);
        Commit { head, start: 0, time: UnixTime::from_ms(0) }.write(&mut octets);
        self.segments.push(octets);
    }

    /// Writes a commit group behind the end, and does not sync it; gives the places of its records. Nothing if there is no room.
    pub(super) fn write<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e Entry>,
        time: UnixTime,
    ) -> Option<(Vec<OutcomePlace>, Edge)> {
        if self.is_full {
            return None;
        }
        let mut edge = self.synced.clone();
        if self.segments.last().is_some_and(|segment| segment.len() > SEGMENT_BYTES) {
            self.begin(&edge);
        }
        let segment = self.segments.len() as u32 - 1;
        let start = self.segments.last().map_or(0, Vec::len) as u64;
        let (mut places, mut octets) = (Vec::new(), Vec::new());
        for entry in entries {
            let (index, offset) = (edge.size(), start as u32 + octets.len() as u32);
            places.push(OutcomePlace { index, segment, offset });
            let mut private = Vec::new();
            let head = PrivateHead { ticket: index, persons: entry.person.into_iter().collect(), official: None, is_miss: false };
            head.write(&mut private);
            let body = entry.letter.map_or(Vec::new(), |(number, size)| {
                let mut body = number.to_be_bytes().to_vec();
                body.resize(size.max(4), 7);
                body
            });
            let leaf = entry.leaf.as_bytes();
            let frame = Frame { kind: FrameKind::Record, seq: index, leaf, private: &private, body: &body };
            write_frame(&frame, &mut octets);
            edge.push(frame.hash(), |_, _| {});
        }
        let head = Head { size: edge.size(), root: edge.root() };
        Commit { head, start, time }.write(&mut octets);
        self.unsynced = octets;
        Some((places, edge))
    }

    /// What was written is durable.
    pub(super) fn sync(&mut self, edge: Edge) {
        if let Some(segment) = self.segments.last_mut() {
            segment.append(&mut self.unsynced);
        }
        self.synced = edge;
    }

    /// The power goes: of what was not synced anything may be left.
    pub(super) fn lose(&mut self, dice: &mut Dice) -> Option<Trouble> {
        let mut left = std::mem::take(&mut self.unsynced);
        if left.is_empty() {
            return None;
        }
        let length = left.len() as u64;
        let lost = match dice.below(4) {
            0 => {
                left.clear();
                Trouble::Unsynced
            }
            // All of it reached the disk, and nobody knows.
            1 => Trouble::Torn,
            2 => {
                left.truncate(dice.below(length) as usize);
                Trouble::Torn
            }
            _ => {
                // Its blocks were not written in their order.
                let from = dice.below(length) as usize;
                let to = (from + 1 + dice.below(200) as usize).min(left.len());
                left[from..to].fill(0);
                Trouble::Torn
            }
        };
        if let Some(segment) = self.segments.last_mut() {
            segment.append(&mut left);
            // Written ahead.
            segment.resize(segment.len() + 64, 0);
        }
        Some(lost)
    }

    /// Reads the journal again from the start, and cuts off what was never committed. Says what is wrong with it, held against what
    /// was synced before.
    pub(super) fn recover(&mut self, plant: Option<Plant>, mut visit: impl FnMut((u32, u32), &Frame<'_>)) -> Result<(), Broken> {
        let known = self.head();
        let (mut edge, mut is_same) = (Edge::new(), known.size == 0);
        let last = self.segments.len() - 1;
        let mut end = 0;
        for (number, octets) in self.segments.iter().enumerate() {
            let header = Header::read(octets).ok_or("a segment has no header")?;
            if header.head != (Head { size: edge.size(), root: edge.root() }) {
                return Err(format!("segment {number} begins with another tree than the one before it ended with"));
            }
            let erasure = if number == last { Erasure::None } else { Erasure::Possible };
            let mut take = |offset: usize, frame: &Frame<'_>| {
                edge.push(frame.hash(), |_, _| {});
                is_same |= edge.size() == known.size && edge.root() == known.root;
                visit((number as u32, offset as u32), frame);
            };
            let from = From { offset: 0, size: header.head.size };
            let walked = journal::walk(octets, from, erasure, |offset, frame| take(offset, &frame));
            end = walked.end;
            let rest = &octets[walked.end..];
            if journal::is_damaged(rest, walked.end as u64) {
                return Err(format!("segment {number} is damaged at {end}"));
            }
            let commit = walked.commit.ok_or("a segment has no commit")?;
            if plant == Some(Plant::TornTailBelieved) {
                while let Ok((frame, length)) = journal::read_frame(&octets[end..], Erasure::None) {
                    if frame.kind == FrameKind::Record {
                        take(end, &frame);
                    }
                    end += length;
                }
            } else if commit.head != (Head { size: edge.size(), root: edge.root() }) {
                return Err(format!("segment {number} ends with another tree than its last commit has"));
            }
        }
        if !is_same {
            return Err(format!("of {} records that were acknowledged {} are there, or others", known.size, edge.size()));
        }
        self.segments[last].truncate(end);
        self.synced = edge;
        Ok(())
    }

    /// The number of the message that is kept with a record.
    pub(super) fn letter(&self, place: OutcomePlace) -> Option<u32> {
        self.with_frame(place, |frame| frame.body.first_chunk::<4>().copied())?.map(u32::from_be_bytes)
    }

    /// Reads a record again.
    pub(super) fn with_frame<R>(&self, place: OutcomePlace, read: impl FnOnce(&Frame<'_>) -> R) -> Option<R> {
        let octets = self.segments.get(place.segment as usize)?.get(place.offset as usize..)?;
        let (frame, _) = journal::read_frame(octets, Erasure::Possible).ok()?;
        (frame.seq == place.index).then(|| read(&frame))
    }
}

/// Small, so that a run has several.
const SEGMENT_BYTES: usize = 6_000;
