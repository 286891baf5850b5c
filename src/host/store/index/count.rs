//! Counting by time. Records are nearly in the order of their times, so most spans of rows are whole in one bucket: there the postings of
//! one key are counted from where they begin and end, and those of several keys are met. Where a border goes through a span, times are
//! looked at. The live volume is counted by its columns.
//!
//! What is read block by block has a most. Where more would have to be read, only every so many spans of each bucket are, and their
//! numbers are multiplied; who asked is told.

use super::live::Live;
use super::postings::{Key, Meeting, Met, Ranks, Term};
use super::rows::SPAN;
use super::search::{Conditions, Effort, View, each_row};
use super::volume::{PER_BLOCK, Volume};
use super::{Index, row};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::audit::{Bucket, Histogram};
use crate::evidence::tlog::RecordKind;
use crate::host::store::StoreError;
use std::sync::Arc;

/// Places of a volume: those whose times are all in one bucket, or some whose times have to be looked at.
#[derive(Clone, Copy)]
struct Piece {
    from: u32,
    to: u32,
    bucket: Option<usize>,
}

/// Which of what is found was refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// All of it: it is what is looked for.
    All,
    /// Nothing: another kind is looked for, or the volume has none.
    Nothing,
    /// It has to be found out.
    Some,
}

/// What is to be counted of a volume.
struct Plan<'v> {
    volume: &'v Volume,
    terms: Vec<Term>,
    refused: Refused,
    pieces: Vec<Piece>,
}

/// The octet of refusals.
fn refusal() -> u8 {
    row::kind_octet(RecordKind::Refusal.as_str())
}

fn refusals() -> Term {
    Term::One(Key::kind(refusal()))
}

fn bucket_of(histogram: &Histogram, time: u64) -> Option<usize> {
    histogram.bucket_of(UnixTime::from_ms(time))
}

impl Index {
    /// Counts what is found; the times of the conditions must lie in those of the histogram.
    pub(in crate::host::store) fn histogram(&self, conditions: &Conditions, histogram: &mut Histogram) -> Result<(), StoreError> {
        if conditions.is_void {
            return Ok(());
        }
        let mut volumes = Vec::new();
        self.each_volume(|view| {
            match view {
                View::Live(live) => count_live(view, live, conditions, histogram)?,
                View::Sealed(volume) => volumes.push(Arc::clone(volume)),
            }
            Ok(false)
        })?;
        count_sealed(&volumes, conditions, histogram, limits::COUNT_BLOCKS_MAX)
    }
}

fn count_live(view: &View<'_>, live: &Live, conditions: &Conditions, histogram: &mut Histogram) -> Result<(), StoreError> {
    let mut count = |time: u64, kind: u8| {
        let bucket = bucket_of(histogram, time).and_then(|at| histogram.buckets.get_mut(at));
        bucket.into_iter().for_each(|bucket| bucket.add(Bucket { records: 1, refused: u64::from(kind == refusal()) }));
    };
    if conditions.hash().is_some() {
        let mut effort = Effort::ALL;
        each_row(view, conditions, u64::MAX, &mut effort, |_, row| {
            count(row.time, row.kind);
            false
        })?;
        return Ok(());
    }
    let found = (0..live.count()).filter(|place| conditions.hold_in(&live.columns, *place));
    found.filter_map(|place| live.columns.brief(place)).for_each(|(time, kind)| count(time, kind));
    Ok(())
}

/// Counts what complete volumes have, with about so many blocks read one by one.
fn count_sealed(
    volumes: &[Arc<Volume>],
    conditions: &Conditions,
    histogram: &mut Histogram,
    blocks_max: u64,
) -> Result<(), StoreError> {
    let mut plans = Vec::new();
    for volume in volumes {
        plans.extend(Plan::new(volume, conditions, histogram)?);
    }
    let cost = plans.iter().map(Plan::cost).fold(0, u64::saturating_add);
    let mut sample = Sample::new(histogram.buckets.len(), cost.div_ceil(blocks_max).max(1));
    for plan in &plans {
        plan.count(conditions, histogram, &mut sample)?;
    }
    sample.put(histogram);
    Ok(())
}

impl<'v> Plan<'v> {
    /// Nothing if the volume has nothing of what is looked for.
    fn new(volume: &'v Volume, conditions: &Conditions, histogram: &Histogram) -> Result<Option<Self>, StoreError> {
        let mut pieces = pieces(volume, conditions, histogram);
        let mut terms = Vec::new();
        for term in conditions.terms() {
            let Some(term) = term.of(volume)?.filter(|_| !pieces.is_empty()) else { return Ok(None) };
            terms.push(term);
        }
        let refused = match conditions.kind {
            0 if refusals().of(volume)?.is_some() => Refused::Some,
            kind if kind == refusal() => Refused::All,
            _ => Refused::Nothing,
        };
        let whole = (pieces.first().map_or(0, |piece| piece.from), pieces.last().map_or(0, |piece| piece.to));
        if pieces.len() > 1 && is_rare(volume, &terms, whole)? {
            pieces = vec![Piece { from: whole.0, to: whole.1, bucket: None }];
        }
        Ok(Some(Self { volume, terms, refused, pieces }))
    }

    /// How many blocks have to be read one by one, at most.
    fn cost(&self) -> u64 {
        self.pieces.iter().map(|piece| self.cost_of(piece)).sum()
    }

    fn cost_of(&self, piece: &Piece) -> u64 {
        let blocks = |term: &Term| term.blocks(self.volume, piece.from, piece.to);
        let all: Vec<u64> = self.terms.iter().map(blocks).collect();
        let rows = u64::from(piece.to - piece.from).min(SPAN).div_ceil(ROWS_PER_BLOCK);
        if piece.bucket.is_none() {
            let places = all.iter().min().map_or(u64::MAX, |blocks| blocks.saturating_mul(PER_BLOCK));
            return met(&all) + rows.min(places);
        }
        let records = if self.has_sum() { 0 } else { met(&all) };
        let refused = if self.meets_refused() { met(&[all, vec![blocks(&refusals())]].concat()) } else { 0 };
        records + refused
    }

    /// Whether refusals have to be met with what is found.
    fn meets_refused(&self) -> bool {
        self.refused == Refused::Some && !self.terms.is_empty()
    }

    /// Whether its records can be counted from where the postings begin and end.
    fn has_sum(&self) -> bool {
        matches!(self.terms[..], [] | [Term::One(_)])
    }

    fn count(&self, conditions: &Conditions, histogram: &mut Histogram, sample: &mut Sample) -> Result<(), StoreError> {
        let mut ranks = Ranks::new(self.volume);
        if self.has_sum() {
            for piece in &self.pieces {
                let Some(bucket) = piece.bucket.and_then(|at| histogram.buckets.get_mut(at)) else { continue };
                bucket.add(self.sum(piece, conditions, &mut ranks)?);
            }
        }
        let end = self.volume.meta.count as u32;
        let with_refused = [&self.terms[..], &[refusals()]].concat();
        let mut meetings = (Meeting::new(self.volume, &self.terms, end), Meeting::new(self.volume, &with_refused, end));
        for whole in self.pieces.iter().rev() {
            for piece in parts(*whole, sample.every) {
                self.count_one_by_one(&piece, conditions, histogram, (&mut meetings, sample))?;
            }
        }
        Ok(())
    }

    fn count_one_by_one(
        &self,
        piece: &Piece,
        conditions: &Conditions,
        histogram: &Histogram,
        (meetings, sample): (&mut (Meeting<'_>, Meeting<'_>), &mut Sample),
    ) -> Result<(), StoreError> {
        let is_counted = piece.bucket.is_some() && self.has_sum() && !self.meets_refused();
        if is_counted || !sample.takes(piece) {
            return Ok(());
        }
        let Some(at) = piece.bucket else { return self.look(piece, conditions, histogram, (&mut meetings.0, sample)) };
        let records = if self.has_sum() { 0 } else { meet(&mut meetings.0, piece, |_| ())? };
        let refused = match self.refused {
            Refused::All => records,
            Refused::Nothing => 0,
            Refused::Some => meet(&mut meetings.1, piece, |_| ())?,
        };
        sample.add(piece.bucket, at, Bucket { records, refused });
        Ok(())
    }

    /// What a piece has that is whole in a bucket, as far as that can be told without looking at each.
    fn sum(&self, piece: &Piece, conditions: &Conditions, ranks: &mut Ranks<'_>) -> Result<Bucket, StoreError> {
        let Piece { from, to, .. } = *piece;
        let records = match self.terms[..] {
            [Term::One(key)] => ranks.count(key, from, to)?,
            // What was shredded has a place, and neither a time nor a kind.
            _ if conditions.is_of_all_times() || !self.has_shredded() => u64::from(to - from),
            _ => {
                let kinds = 1..=RecordKind::ALL.len() as u8;
                kinds.map(|kind| ranks.count(Key::kind(kind), from, to)).sum::<Result<u64, _>>()?
            }
        };
        let refused = match (self.refused, &self.terms[..]) {
            (Refused::All, _) => records,
            (Refused::Some, []) => ranks.count(Key::kind(refusal()), from, to)?,
            _ => 0,
        };
        Ok(Bucket { records, refused })
    }

    fn has_shredded(&self) -> bool {
        self.volume.postings(super::volume::KINDS) < self.volume.meta.count
    }

    /// Looks at the times of what a piece has.
    fn look(
        &self,
        piece: &Piece,
        conditions: &Conditions,
        histogram: &Histogram,
        (all, sample): (&mut Meeting<'_>, &mut Sample),
    ) -> Result<(), StoreError> {
        let (mut places, mut briefs) = (Vec::new(), Vec::new());
        let mut take = |(time, kind): (u64, u8)| {
            if let Some(at) = bucket_of(histogram, time).filter(|_| conditions.is_in_time(time)) {
                sample.add(None, at, Bucket { records: 1, refused: u64::from(kind == refusal()) });
            }
        };
        if !self.terms.is_empty() {
            meet(all, piece, |place| places.push(place))?;
            if places.len() as u64 <= RARE {
                for place in places {
                    self.volume.briefs(place.into(), u64::from(place) + 1, &mut briefs)?;
                    briefs.iter().copied().for_each(&mut take);
                }
                return Ok(());
            }
        }
        self.volume.briefs(piece.from.into(), piece.to.into(), &mut briefs)?;
        if self.terms.is_empty() {
            briefs.into_iter().for_each(take);
        } else {
            let at = |place: u32| briefs.get((place - piece.from) as usize).copied();
            places.into_iter().filter_map(at).for_each(take);
        }
        Ok(())
    }
}

/// How many blocks are read at most of lists that have so many: for each place of the shortest one of each other.
fn met(blocks: &[u64]) -> u64 {
    let least = blocks.iter().min().map_or(0, |least| least.saturating_mul(PER_BLOCK));
    blocks.iter().map(|blocks| *blocks.min(&least)).sum()
}

/// Gives the places of a piece that all lists have; says how many there are.
fn meet(meeting: &mut Meeting<'_>, piece: &Piece, mut visit: impl FnMut(u32)) -> Result<u64, StoreError> {
    let mut count = 0;
    meeting.go_below(piece.to);
    while let Met::Here(place) = meeting.next(piece.from, u64::MAX)? {
        visit(place);
        count += 1;
    }
    Ok(count)
}

/// Whether there is so little of a term that each can be looked at.
fn is_rare(volume: &Volume, terms: &[Term], (from, to): (u32, u32)) -> Result<bool, StoreError> {
    let mut ranks = Ranks::new(volume);
    for term in terms {
        if term.blocks(volume, from, to) > 2 {
            continue;
        }
        let count = match *term {
            Term::One(key) => ranks.count(key, from, to)?,
            Term::Either(left, right) => ranks.count(left, from, to)? + ranks.count(right, from, to)?,
        };
        if count <= RARE {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The pieces of a volume that may have something of the times that are looked for, in their order.
fn pieces(volume: &Volume, conditions: &Conditions, histogram: &Histogram) -> Vec<Piece> {
    let end = volume.meta.count as u32;
    if conditions.is_of_all_times() && histogram.buckets.len() == 1 {
        return vec![Piece { from: 0, to: end, bucket: Some(0) }];
    }
    let mut pieces: Vec<Piece> = Vec::new();
    for (from, (earliest, latest)) in (0..).step_by(SPAN as usize).zip(&volume.meta.times) {
        if *latest < conditions.from || *earliest >= conditions.to {
            continue;
        }
        let to = (from + SPAN as u32).min(end);
        let is_whole = *earliest >= conditions.from && *latest < conditions.to;
        let buckets = (bucket_of(histogram, *earliest), bucket_of(histogram, *latest));
        let bucket = if is_whole && buckets.0 == buckets.1 { buckets.0 } else { None };
        match pieces.last_mut() {
            Some(last) if bucket.is_some() && last.bucket == bucket && last.to == from => last.to = to,
            _ => pieces.push(Piece { from, to, bucket }),
        }
    }
    pieces
}

/// What was looked at of each bucket, and of how much. Of every so many spans one is looked at.
struct Sample {
    every: u64,
    groups: Vec<Group>,
    buckets: usize,
}

#[derive(Clone, Default)]
struct Group {
    pieces: u64,
    /// Rows of all of them, and of those that were looked at.
    all: u64,
    taken: u64,
    found: Vec<(usize, Bucket)>,
}

impl Sample {
    fn new(buckets: usize, every: u64) -> Self {
        Self { every, groups: vec![Group::default(); buckets + 1], buckets }
    }

    /// The group of what is whole in a bucket; that of what lies across a border is the last.
    fn group(&mut self, bucket: Option<usize>) -> Option<&mut Group> {
        self.groups.get_mut(bucket.unwrap_or(self.buckets))
    }

    /// Whether this one is looked at: the first of each group, and of every so many one.
    fn takes(&mut self, piece: &Piece) -> bool {
        let every = self.every;
        let Some(group) = self.group(piece.bucket) else { return false };
        let (takes, rows) = (group.pieces.is_multiple_of(every), u64::from(piece.to - piece.from));
        group.pieces += 1;
        group.all += rows;
        group.taken += if takes { rows } else { 0 };
        takes
    }

    fn add(&mut self, bucket: Option<usize>, at: usize, found: Bucket) {
        let Some(group) = self.group(bucket) else { return };
        match group.found.last_mut().filter(|(last, _)| *last == at) {
            Some((_, sum)) => sum.add(found),
            None => group.found.push((at, found)),
        }
    }

    /// Puts what was found into its buckets, multiplied where not all was looked at.
    fn put(self, histogram: &mut Histogram) {
        for group in self.groups {
            let times = |count: u64| (u128::from(count) * u128::from(group.all) / u128::from(group.taken.max(1))) as u64;
            histogram.is_exact &= group.all == group.taken;
            for (at, found) in &group.found {
                let found = Bucket { records: times(found.records), refused: times(found.refused) };
                histogram.buckets.get_mut(*at).into_iter().for_each(|bucket| bucket.add(found));
            }
        }
    }
}

/// The parts of a piece of which some are taken, from the last to the first: spans, unless all of it is.
fn parts(piece: Piece, every: u64) -> impl Iterator<Item = Piece> {
    let from_of = move |to: u32| if every == 1 { piece.from } else { ((to - 1) / SPAN as u32 * SPAN as u32).max(piece.from) };
    let part = move |to: u32| (to > piece.from).then(|| Piece { from: from_of(to), to, ..piece });
    std::iter::successors(part(piece.to), move |last| part(last.from))
}

/// So many rows are looked at one by one; of more the whole span is read.
const RARE: u64 = 32;
/// Rows that lie in a block.
const ROWS_PER_BLOCK: u64 = 45;

#[cfg(test)]
mod tests {
    use super::super::row::{By, Row};
    use super::*;
    use std::path::PathBuf;

    const COUNT: u64 = 30_000;

    /// A third is of one consumer, a half of one provider, a seventh was refused; a second apart, some a little too late.
    fn row(number: u64) -> Row {
        let late = if number.is_multiple_of(97) { 40_000 } else { 0 };
        let kind = if number.is_multiple_of(7) { refusal() } else { 1 };
        let mut row = Row { kind, time: 1 + number * 1000 + late, ..Row::default() };
        row.keys[By::Consumer.number()] = number % 3 + 1;
        row.keys[By::Provider.number()] = number % 2 + 1;
        row.keys[By::Person.number()] = if number.is_multiple_of(5000) { 9 } else { 0 };
        row
    }

    /// Two complete volumes.
    fn volumes(name: &str) -> (PathBuf, Vec<Arc<Volume>>) {
        let folder = std::env::temp_dir().join(format!("oncegate-count-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        let half = |volume: u32| {
            let first = u64::from(volume) * COUNT / 2;
            let (mut live, _) = Live::open(&folder, volume, first).expect("opens");
            let rows: Vec<Row> = (first..first + COUNT / 2).map(row).collect();
            live.append(&rows, &[], Default::default()).expect("writable");
            Volume::seal(&folder, &live.source(Default::default())).expect("writable");
            Arc::new(Volume::open(&folder, volume).expect("as written"))
        };
        let volumes = vec![half(1), half(0)];
        (folder, volumes)
    }

    fn naive(conditions: &Conditions, mut histogram: Histogram) -> Histogram {
        for row in (0..COUNT).map(row).filter(|row| conditions.hold(row, None)) {
            let at = bucket_of(&histogram, row.time).expect("it is in range");
            histogram.buckets[at].add(Bucket { records: 1, refused: u64::from(row.kind == refusal()) });
        }
        histogram
    }

    fn cases(from: u64, to: u64) -> Vec<Conditions> {
        let (a, b, person) = ((By::Consumer, 2), (By::Provider, 1), (By::Person, 9));
        let of = |kind, keys: &[(By, u64)], parties: &[u64]| Conditions::of((from, to), kind, keys, parties);
        vec![
            of(0, &[], &[]),
            of(refusal(), &[], &[]),
            of(1, &[], &[]),
            of(5, &[], &[]),
            of(0, &[a], &[]),
            of(0, &[a, b], &[]),
            of(refusal(), &[a, b], &[]),
            of(1, &[a], &[]),
            of(0, &[person], &[]),
            of(0, &[person, b], &[]),
            of(0, &[], &[1]),
            of(0, &[], &[1, 2]),
            of(0, &[a], &[3]),
            of(0, &[(By::Consumer, 7)], &[]),
        ]
    }

    fn histogram(from: u64, to: u64, buckets: usize) -> Histogram {
        Histogram::new(UnixTime::from_ms(from), UnixTime::from_ms(to), buckets)
    }

    #[test]
    fn what_is_counted_in_complete_volumes_is_what_their_rows_are() {
        let (folder, volumes) = volumes("exact");
        let end = COUNT * 1000 + 50_000;
        for (from, to, buckets) in [(0, u64::MAX, 1), (0, end, 96), (5_000_000, 25_000_000, 7), (9_999_001, 10_000_001, 96)] {
            for conditions in cases(from, to) {
                let mut counted = histogram(from, to, buckets);
                count_sealed(&volumes, &conditions, &mut counted, limits::COUNT_BLOCKS_MAX).expect("readable");
                assert_eq!(counted, naive(&conditions, histogram(from, to, buckets)), "{conditions:?}");
            }
        }
        std::fs::remove_dir_all(&folder).expect("it is there");
    }

    #[test]
    fn what_would_cost_too_much_is_calculated_from_a_part_and_said_to_be() {
        let (folder, volumes) = volumes("part");
        let end = COUNT * 1000 + 50_000;
        let conditions = Conditions::of((0, end), 0, &[(By::Consumer, 2), (By::Provider, 1)], &[]);
        let cost = {
            let counted = histogram(0, end, 2);
            let plans = volumes.iter().map(|volume| Plan::new(volume, &conditions, &counted).expect("readable"));
            plans.flatten().map(|plan| plan.cost()).sum::<u64>()
        };
        let exact = naive(&conditions, histogram(0, end, 2));
        let count = |blocks_max| {
            let mut counted = histogram(0, end, 2);
            count_sealed(&volumes, &conditions, &mut counted, blocks_max).expect("readable");
            counted
        };
        assert_eq!(count(cost), exact, "what is just not too much is counted");
        let part = count(cost - 1);
        assert!(!part.is_exact && exact.is_exact);
        for (found, known) in part.buckets.iter().zip(&exact.buckets) {
            let is_near = |found: u64, known: u64| found.abs_diff(known) * 10 < known;
            assert!(is_near(found.records, known.records) && is_near(found.refused, known.refused), "{found:?} {known:?}");
        }
        std::fs::remove_dir_all(&folder).expect("it is there");
    }

    #[test]
    fn of_one_key_all_are_counted_however_many_there_are_and_its_refusals_calculated() {
        let (folder, volumes) = volumes("key");
        let conditions = Conditions::of((0, u64::MAX), 0, &[(By::Consumer, 2)], &[]);
        let (mut part, exact) = (histogram(0, u64::MAX, 1), naive(&conditions, histogram(0, u64::MAX, 1)));
        count_sealed(&volumes, &conditions, &mut part, 1).expect("readable");
        assert_eq!((part.sum().records, part.is_exact), (exact.sum().records, false));
        assert!(part.sum().refused.abs_diff(exact.sum().refused) * 5 < exact.sum().refused, "{part:?} {exact:?}");
        // Where there are no refusals to be met with, nothing is calculated.
        let requests = Conditions::of((0, u64::MAX), 1, &[], &[]);
        let mut counted = histogram(0, u64::MAX, 1);
        count_sealed(&volumes, &requests, &mut counted, 1).expect("readable");
        assert_eq!(counted, naive(&requests, histogram(0, u64::MAX, 1)));
        std::fs::remove_dir_all(&folder).expect("it is there");
    }
}
