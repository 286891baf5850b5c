//! The postings of complete volumes, asked three ways: the last place of a key that is not above another, the places that several lists
//! have in common, and how many there are between two places. Lists are sorted and the first posting of each block is in memory, so each
//! of these reads the blocks that it must and no others.

use super::volume::{KINDS, PER_BLOCK, Volume};
use crate::host::store::StoreError;

/// A list of a volume, and a key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    list: usize,
    key: u64,
}

impl Key {
    /// The key of a list by its number; see [`super::By::number`].
    pub(crate) fn new(list: usize, key: u64) -> Self {
        Self { list, key }
    }

    /// The records of a kind.
    pub(crate) fn kind(kind: u8) -> Self {
        Self { list: KINDS, key: kind.into() }
    }

    /// How many blocks hold what it has from place `from` to before `to`, without reading any; one too many at most.
    pub(crate) fn blocks(self, volume: &Volume, from: u32, to: u32) -> u64 {
        let firsts = volume.firsts(self.list);
        let at = |place: u32| firsts.partition_point(|first| *first < (self.key, place));
        if firsts.is_empty() { 0 } else { (at(to) - at(from) + 1) as u64 }
    }
}

/// What has to be in a place: a key, or one of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    One(Key),
    Either(Key, Key),
}

impl Term {
    /// See [`Key::blocks`].
    pub(crate) fn blocks(self, volume: &Volume, from: u32, to: u32) -> u64 {
        match self {
            Self::One(key) => key.blocks(volume, from, to),
            Self::Either(left, right) => left.blocks(volume, from, to) + right.blocks(volume, from, to),
        }
    }

    /// The same without what the volume does not have; nothing if it has none of it.
    pub(crate) fn of(self, volume: &Volume) -> Result<Option<Self>, StoreError> {
        let mut ranks = Ranks::new(volume);
        let mut has = |key: Key| ranks.count(key, 0, u32::MAX).map(|count| count > 0);
        Ok(match self {
            Self::One(key) => has(key)?.then_some(self),
            Self::Either(left, right) => match (has(left)?, has(right)?) {
                (true, true) => Some(self),
                (true, false) => Some(Self::One(left)),
                (false, true) => Some(Self::One(right)),
                (false, false) => None,
            },
        })
    }
}

/// Counts postings between places: two blocks are read for it, however many there are.
pub(crate) struct Ranks<'v> {
    volume: &'v Volume,
    /// The block that was read last.
    last: Option<(usize, usize)>,
    postings: Vec<(u64, u32)>,
}

impl<'v> Ranks<'v> {
    pub(crate) fn new(volume: &'v Volume) -> Self {
        Self { volume, last: None, postings: Vec::new() }
    }

    /// How often a key is from place `from` to before `to`.
    pub(crate) fn count(&mut self, key: Key, from: u32, to: u32) -> Result<u64, StoreError> {
        let below = self.rank(key, from)?;
        Ok(self.rank(key, to)?.saturating_sub(below))
    }

    /// How many postings of the list come before a place of the key.
    fn rank(&mut self, Key { list, key }: Key, place: u32) -> Result<u64, StoreError> {
        let is_before = |posting: &(u64, u32)| *posting < (key, place);
        let Some(block) = self.volume.firsts(list).partition_point(is_before).checked_sub(1) else { return Ok(0) };
        if self.last != Some((list, block)) {
            self.postings = self.volume.block(list, block as u64)?;
            self.last = Some((list, block));
        }
        Ok(block as u64 * PER_BLOCK + self.postings.partition_point(is_before) as u64)
    }
}

/// The places of a key, sought from above.
struct Cursor<'v> {
    volume: &'v Volume,
    key: Key,
    block: Option<usize>,
    /// The places of the key in that block.
    places: Vec<u32>,
    /// How many of them are not above the place that was asked for last.
    at: usize,
}

impl<'v> Cursor<'v> {
    fn new(volume: &'v Volume, key: Key) -> Self {
        Self { volume, key, block: None, places: Vec::new(), at: 0 }
    }

    /// The last place that is not above `place`; counts the blocks that it reads for it.
    fn at_or_below(&mut self, place: u32, read: &mut u64) -> Result<Option<u32>, StoreError> {
        let is_here = self.places.first().zip(self.places.last()).is_some_and(|(from, to)| (*from..=*to).contains(&place));
        if !is_here {
            let Key { list, key } = self.key;
            let firsts = self.volume.firsts(list);
            let Some(block) = firsts.partition_point(|first| *first <= (key, place)).checked_sub(1) else { return Ok(None) };
            if self.block != Some(block) {
                *read += 1;
                let postings = self.volume.block(list, block as u64)?;
                self.places.clear();
                self.places.extend(postings.into_iter().filter(|(of, _)| *of == key).map(|(_, place)| place));
                self.block = Some(block);
                self.at = self.places.len();
            }
        }
        self.seek(place);
        Ok(self.at.checked_sub(1).and_then(|at| self.places.get(at)).copied())
    }

    /// Mostly the next place is a few further down.
    fn seek(&mut self, place: u32) {
        if self.places.get(self.at).is_some_and(|above| *above <= place) {
            self.at = self.places.len();
        }
        for _ in 0..NEAR {
            match self.at.checked_sub(1).and_then(|at| self.places.get(at)) {
                Some(found) if *found > place => self.at -= 1,
                _ => return,
            }
        }
        let left = self.places.get(..self.at).unwrap_or_default();
        self.at = left.partition_point(|found| *found <= place);
    }
}

enum Side<'v> {
    One(Cursor<'v>),
    Either(Cursor<'v>, Cursor<'v>),
}

impl Side<'_> {
    fn at_or_below(&mut self, place: u32, read: &mut u64) -> Result<Option<u32>, StoreError> {
        match self {
            Self::One(cursor) => cursor.at_or_below(place, read),
            Self::Either(left, right) => Ok(left.at_or_below(place, read)?.max(right.at_or_below(place, read)?)),
        }
    }
}

/// The places that lists have in common, from the last to the first: whichever is further down is followed by the others.
pub(crate) struct Meeting<'v> {
    sides: Vec<Side<'v>>,
    next: Option<u32>,
    /// Blocks that were read.
    pub read: u64,
}

/// How far a meeting has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// All have this place.
    Here(u32),
    /// As many blocks were read as may be; everything above this place was looked at.
    Paused(u32),
    /// There is nothing more.
    Over,
}

impl<'v> Meeting<'v> {
    /// What all the terms have below `before`; what there is least of leads.
    pub(crate) fn new(volume: &'v Volume, terms: &[Term], before: u32) -> Self {
        let mut terms = terms.to_vec();
        terms.sort_by_key(|term| term.blocks(volume, 0, u32::MAX));
        let cursor = |key| Cursor::new(volume, key);
        let side = |term| match term {
            Term::One(key) => Side::One(cursor(key)),
            Term::Either(left, right) => Side::Either(cursor(left), cursor(right)),
        };
        Self { sides: terms.into_iter().map(side).collect(), next: before.checked_sub(1), read: 0 }
    }

    /// Goes on below another place.
    pub(crate) fn go_below(&mut self, before: u32) {
        self.next = before.checked_sub(1);
    }

    /// The next place that is not below `floor`, until more than so many blocks were read in all.
    pub(crate) fn next(&mut self, floor: u32, blocks_max: u64) -> Result<Met, StoreError> {
        let Some(mut place) = self.next else { return Ok(Met::Over) };
        'lower: while place >= floor {
            if self.read > blocks_max {
                self.next = Some(place);
                return Ok(Met::Paused(place));
            }
            for side in &mut self.sides {
                match side.at_or_below(place, &mut self.read)? {
                    None => return Ok(Met::Over),
                    Some(below) if below < place => {
                        place = below;
                        continue 'lower;
                    }
                    Some(_) => {}
                }
            }
            self.next = place.checked_sub(1);
            return Ok(Met::Here(place));
        }
        Ok(Met::Over)
    }
}

/// So many places are tried one by one.
const NEAR: usize = 8;
