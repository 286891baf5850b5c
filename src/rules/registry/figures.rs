//! The figures of a registry: quotas of agencies, and what holders bear.

use super::{Allowance, Load, Loaded, Misses};
use crate::base::limits;
use serde::Deserialize;
use std::ops::RangeInclusive;

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuota {
    requests_per_minute: Option<u32>,
    burst: Option<u32>,
    kib_per_minute: Option<u32>,
    parallel: Option<u32>,
    persons_per_day: Option<u32>,
    misses_per_day: Option<u32>,
    misses_share: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLoad {
    parallel: Option<u32>,
    waiting: Option<u32>,
    failures: Option<u32>,
}

impl RawQuota {
    /// Whether each figure may be one.
    pub(super) fn check(&self, place: usize) -> Loaded<()> {
        read_quota(self, place).map(drop)
    }

    /// What another has for what this does not.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            requests_per_minute: self.requests_per_minute.or(other.requests_per_minute),
            burst: self.burst.or(other.burst),
            kib_per_minute: self.kib_per_minute.or(other.kib_per_minute),
            parallel: self.parallel.or(other.parallel),
            persons_per_day: self.persons_per_day.or(other.persons_per_day),
            misses_per_day: self.misses_per_day.or(other.misses_per_day),
            misses_share: self.misses_share.or(other.misses_share),
        }
    }
}

impl RawLoad {
    /// Whether each figure may be one.
    pub(super) fn check(&self, place: usize) -> Loaded<()> {
        read_load(self, place).map(drop)
    }

    /// What another has for what this does not.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            parallel: self.parallel.or(other.parallel),
            waiting: self.waiting.or(other.waiting),
            failures: self.failures.or(other.failures),
        }
    }
}

/// A quota of nothing would be a suspension that does not say so, and a figure that is read as another one is a wrong figure.
pub(super) fn read_quota(raw: &RawQuota, place: usize) -> Loaded<Allowance> {
    let standard = Allowance::default();
    let figure = |name: &str, given: Option<u32>, standard: u32, range: RangeInclusive<u32>| {
        given.map_or(Ok(standard), |figure| within(name, figure, range, place))
    };
    let some = 1..=u32::MAX;
    Ok(Allowance {
        requests_per_minute: figure("requests_per_minute", raw.requests_per_minute, standard.requests_per_minute, some.clone())?,
        burst: figure("burst", raw.burst, standard.burst, some.clone())?,
        kib_per_minute: figure("kib_per_minute", raw.kib_per_minute, standard.kib_per_minute, 1024..=u32::MAX)?,
        parallel: figure("parallel", raw.parallel, standard.parallel, some)?,
        persons_per_day: figure(
            "persons_per_day",
            raw.persons_per_day,
            standard.persons_per_day,
            1..=limits::PERSONS_PER_DAY_MAX,
        )?,
        misses: Misses {
            per_day: figure("misses_per_day", raw.misses_per_day, standard.misses.per_day, 1..=limits::MISSES_PER_DAY_MAX)?,
            share: figure("misses_share", raw.misses_share, standard.misses.share, 1..=100)?,
        },
    })
}

pub(super) fn read_load(raw: &RawLoad, place: usize) -> Loaded<Load> {
    let standard = Load::default();
    let figure = |name: &str, given: Option<u32>, standard: u32, range: RangeInclusive<u32>| match given {
        Some(figure) if !range.contains(&figure) => {
            Err((place, format!("load.{name} = {figure}: it is {} to {}", range.start(), range.end())))
        }
        given => Ok(given.unwrap_or(standard)),
    };
    Ok(Load {
        parallel: figure("parallel", raw.parallel, standard.parallel, 1..=limits::HOLDER_PARALLEL_MAX)?,
        waiting: figure("waiting", raw.waiting, standard.waiting, 0..=limits::HOLDER_WAITING_MAX)?,
        failures: figure("failures", raw.failures, standard.failures, 1..=limits::HOLDER_FAILURES_MAX)?,
    })
}

pub(super) fn within(name: &str, figure: u32, range: RangeInclusive<u32>, place: usize) -> Loaded<u32> {
    if range.contains(&figure) {
        return Ok(figure);
    }
    let (least, most) = (range.start(), range.end());
    let what = if figure < *least {
        format!("{name} = {figure}: the least is {least}; to let an agency do nothing, suspend it")
    } else {
        format!("{name} = {figure}: the most is {most}")
    };
    Err((place, what))
}
