//! How many records there are by time.

use crate::base::limits;
use crate::base::time::UnixTime;

/// Records by time, in buckets of one width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Not before.
    pub from: UnixTime,
    /// Before; the last bucket may be narrower than the others.
    pub to: UnixTime,
    /// How wide a bucket is.
    pub step_ms: u64,
    /// The buckets, from the first to the last.
    pub buckets: Vec<Bucket>,
    /// Whether each record was counted; otherwise some of the numbers are calculated from a part that was.
    pub is_exact: bool,
}

/// Records that a filter finds, of some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// All of them.
    pub records: u64,
    /// Refusals and failures.
    pub refused: u64,
}

impl Bucket {
    /// Counts so many more.
    pub fn add(&mut self, other: Self) {
        self.records = self.records.saturating_add(other.records);
        self.refused = self.refused.saturating_add(other.refused);
    }
}

impl Histogram {
    /// Empty, with as many buckets of whole milliseconds as fit, at most so many; none if no time is between.
    pub fn new(from: UnixTime, to: UnixTime, buckets: usize) -> Self {
        let width = to.as_ms().saturating_sub(from.as_ms());
        let step_ms = width.div_ceil(buckets.clamp(1, limits::HISTOGRAM_BUCKETS_MAX) as u64).max(1);
        let buckets = vec![Bucket::default(); width.div_ceil(step_ms) as usize];
        Self { from, to, step_ms, buckets, is_exact: true }
    }

    /// The bucket of a time.
    pub fn bucket_of(&self, time: UnixTime) -> Option<usize> {
        let is_in = self.from <= time && time < self.to;
        let at = time.as_ms().saturating_sub(self.from.as_ms()).checked_div(self.step_ms)?;
        is_in.then_some(at as usize)
    }

    /// All buckets together.
    pub fn sum(&self) -> Bucket {
        self.buckets.iter().fold(Bucket::default(), |mut sum, bucket| {
            sum.add(*bucket);
            sum
        })
    }
}

/// How many records a filter finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// So many, and of them refusals.
    pub found: Bucket,
    /// Whether each was counted; otherwise the number is calculated from a part that was.
    pub is_exact: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_has_so_many_buckets_and_each_time_is_in_one() {
        for (from, to, buckets, expected) in [
            (0, 96, 96, (1, 96)),
            (0, 97, 96, (2, 49)),
            (10, 20, 3, (4, 3)),
            (10, 20, 0, (10, 1)),
            (0, 1000, 97, (11, 91)),
            (0, u64::MAX, 1, (u64::MAX, 1)),
            (5, 5, 96, (1, 0)),
            (6, 5, 96, (1, 0)),
        ] {
            let time = UnixTime::from_ms;
            let histogram = Histogram::new(time(from), time(to), buckets);
            assert_eq!((histogram.step_ms, histogram.buckets.len()), expected, "{from} {to} {buckets}");
            let last = to.checked_sub(1).filter(|last| *last >= from);
            assert_eq!(last.and_then(|last| histogram.bucket_of(time(last))), expected.1.checked_sub(1));
            assert_eq!(histogram.bucket_of(time(to)), None);
            assert_eq!(from.checked_sub(1).and_then(|before| histogram.bucket_of(time(before))), None);
        }
    }
}
