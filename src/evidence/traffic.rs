//! What goes through the gateway, in figures: by minute and by hour, by agency, by fault, and how long answers took. A fold over records
//! that asks no clock and does no I/O; it is told each record once, in any order, so that what was before a start can be told while
//! the gateway works already.
//!
//! Only minutes and hours in which there was something are kept, of so many agencies and so many hours of agencies; what does not
//! fit is left out, and that is said.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

use crate::base::fault::{Blame, Code};
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::base::time::{DAY_MS, UnixTime};
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Record, RecordKind};
use std::collections::{BTreeMap, VecDeque};

/// Milliseconds of a minute.
pub const MINUTE_MS: u64 = 60 * 1000;
/// Milliseconds of an hour.
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
/// Minutes that are kept: those of 24 hours.
pub const MINUTES: u64 = 24 * 60;
/// Hours that are kept: those of 30 days.
pub const HOURS: u64 = 30 * 24;
/// Hours of which latencies and faults are kept.
pub const HOURS_OF_DAY: u64 = 24;

/// What is told of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it was decided.
    pub time: UnixTime,
    /// What it is of.
    pub kind: RecordKind,
    /// Why it was refused.
    pub code: Option<Code>,
    /// Who asked.
    pub consumer: Option<AgencyId>,
    /// Who holds.
    pub provider: Option<AgencyId>,
    /// How long it took.
    pub elapsed_us: u32,
    /// How many it stands for.
    pub count: u32,
    /// Whether a message was refused that was never permitted: there is no other record of it.
    pub is_at_the_door: bool,
}

impl Told {
    /// What is told of a record that is about to be made durable.
    pub fn of_record(record: &Record) -> Self {
        Self {
            time: record.time,
            kind: record.kind,
            code: record.code,
            consumer: record.consumer.clone(),
            provider: record.provider.clone(),
            elapsed_us: u32::try_from(record.elapsed_us).unwrap_or(u32::MAX),
            count: record.summed.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX)),
            is_at_the_door: record.grant.is_none() && record.concerns.is_none(),
        }
    }

    /// The same of a leaf; nothing if its kind is not known.
    pub fn of_leaf(leaf: &Leaf) -> Option<Self> {
        let agency = |name: &Option<String>| name.as_deref().and_then(AgencyId::parse);
        Some(Self {
            time: UnixTime::from_ms(leaf.time),
            kind: RecordKind::ALL.into_iter().find(|kind| kind.as_str() == leaf.kind)?,
            code: leaf.code.as_deref().and_then(Code::parse),
            consumer: agency(&leaf.consumer),
            provider: agency(&leaf.provider),
            elapsed_us: leaf.elapsed_us.map_or(0, |us| u32::try_from(us).unwrap_or(u32::MAX)),
            count: leaf.summed.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX)),
            is_at_the_door: leaf.grant.is_none() && leaf.concerns.is_none(),
        })
    }

    /// What it adds to figures.
    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        let end = match (self.kind, self.code) {
            (RecordKind::Request, _) => {
                tally.requests = self.count;
                return tally;
            }
            (RecordKind::Answer, _) => &mut tally.answered,
            (RecordKind::Refusal, Some(code)) if is_quota(code) => &mut tally.limited,
            (RecordKind::Refusal, Some(code)) if code.blame() != Blame::Sender => &mut tally.failed,
            (RecordKind::Refusal, _) => &mut tally.refused,
            _ => return tally,
        };
        *end = self.count;
        if self.kind == RecordKind::Refusal && self.is_at_the_door {
            tally.requests = self.count;
        }
        tally
    }
}

/// Whether a code says that a quota is used up.
pub fn is_quota(code: Code) -> bool {
    code.status() == 429
}

/// What became of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that came: those that were permitted, and those that were refused at the door.
    pub requests: u32,
    /// Answers that were released.
    pub answered: u32,
    /// Refused, by the fault of whoever sent it.
    pub refused: u32,
    /// Refused, since a quota was used up.
    pub limited: u32,
    /// Failed, by the fault of a holder or of the gateway.
    pub failed: u32,
}

impl Tally {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.each(other, u32::saturating_add);
    }

    fn take(&mut self, other: &Self) {
        self.each(other, u32::saturating_sub);
    }

    fn each(&mut self, other: &Self, of: fn(u32, u32) -> u32) {
        for (mine, others) in [
            (&mut self.requests, other.requests),
            (&mut self.answered, other.answered),
            (&mut self.refused, other.refused),
            (&mut self.limited, other.limited),
            (&mut self.failed, other.failed),
        ] {
            *mine = of(*mine, others);
        }
    }
}

/// An agency in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// What became of what it asked.
    pub consumer: Tally,
    /// What became of what it was asked.
    pub holder: Tally,
}

impl Sides {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.consumer.add(&other.consumer);
        self.holder.add(&other.holder);
    }
}

/// An agency, whatever the hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agency {
    /// When it last sent something.
    pub last_seen: Option<UnixTime>,
    /// When an answer of it was last released.
    pub last_answer: Option<UnixTime>,
    /// When and how it last failed as a holder.
    pub last_failure: Option<(UnixTime, Code)>,
    /// When and by which quota it was last refused, the latest last.
    pub rejections: VecDeque<(UnixTime, Code)>,
    /// All of its hours that are kept.
    pub sum: Sides,
    answers: TwoDays,
}

/// How long answers took on the day of the last of them and on the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TwoDays {
    /// Counted since 1970.
    last: u64,
    of_last: Option<Latency>,
    of_before: Option<Latency>,
}

impl TwoDays {
    fn add(&mut self, time: UnixTime, us: u32) {
        let day = time.as_ms() / DAY_MS;
        if day > self.last {
            self.of_before = self.of_last.take().filter(|_| day == self.last + 1);
            self.last = day;
        }
        let latency = match self.last - day {
            0 => &mut self.of_last,
            1 => &mut self.of_before,
            _ => return,
        };
        latency.get_or_insert_default().add(us);
    }
}

impl Agency {
    /// How long its answers took on the day of a time and on the one before, by UTC.
    pub fn latency(&self, now: UnixTime) -> Latency {
        let today = now.as_ms() / DAY_MS;
        let days = [(self.answers.last, &self.answers.of_last), (self.answers.last.saturating_sub(1), &self.answers.of_before)];
        let mut sum = Latency::default();
        let near = days.into_iter().filter(|(day, _)| day + 1 >= today).filter_map(|(_, latency)| latency.as_ref());
        near.for_each(|latency| sum.merge(latency));
        sum
    }

    fn reject(&mut self, time: UnixTime, code: Code) {
        let at = self.rejections.partition_point(|known| known.0 <= time);
        self.rejections.insert(at, (time, code));
        if self.rejections.len() > limits::TRAFFIC_REJECTIONS_MAX {
            self.rejections.pop_front();
        }
    }
}

/// Latencies, counted in classes that are an eighth of an octave wide: memory does not grow with their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency(Box<[u32; Latency::CLASSES]>);

impl Default for Latency {
    fn default() -> Self {
        Self(Box::new([0; Self::CLASSES]))
    }
}

impl Latency {
    /// Those of all numbers of 32 bits.
    const CLASSES: usize = 240;

    /// Counts a time in microseconds.
    pub fn add(&mut self, us: u32) {
        if let Some(count) = self.0.get_mut(class_of(us)) {
            *count = count.saturating_add(1);
        }
    }

    /// Both together.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }

    /// The time that so many of a hundred are not above, rounded up by an eighth at most; nothing if there is none.
    pub fn percentile(&self, of_hundred: u64) -> Option<u32> {
        let rank = (self.count() * of_hundred).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.0.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        at.map(upper)
    }
}

/// Its highest bit and the three behind it.
fn class_of(us: u32) -> usize {
    let high = us.max(8).ilog2();
    let fine = if us < 8 { us } else { us >> (high - 3) & 7 };
    ((if us < 8 { 0 } else { high - 2 }) * 8 + fine) as usize
}

/// The greatest time of a class.
fn upper(class: usize) -> u32 {
    let (octave, fine) = (class as u32 / 8, class as u64 % 8);
    if octave == 0 { fine as u32 } else { u32::try_from(((fine + 9) << (octave - 1)) - 1).unwrap_or(u32::MAX) }
}

/// An hour.
#[derive(Clone, Debug, Default)]
struct Hour {
    sum: Tally,
    /// By the number of the agency.
    agencies: BTreeMap<u32, Sides>,
    /// Of the last day only.
    latency: Option<Latency>,
    faults: BTreeMap<Code, u32>,
}

/// The figures.
#[derive(Debug, Default)]
pub struct Traffic {
    minutes: BTreeMap<u64, Tally>,
    hours: BTreeMap<u64, Hour>,
    /// The number of each agency.
    numbers: BTreeMap<AgencyId, u32>,
    agencies: Vec<Agency>,
    /// The first hour of which latencies and faults are kept.
    day: u64,
    /// How many hours of agencies there are.
    kept: usize,
    /// Before this hour, none of agencies are kept: there were too many.
    cut: u64,
    left_out: u64,
    latest: UnixTime,
    whole_since: UnixTime,
}

impl Traffic {
    /// Nothing yet; the figures are whole from now on.
    pub fn new(now: UnixTime) -> Self {
        Self { latest: now, whole_since: now, ..Self::default() }
    }

    /// All records from this time on have been told, but those before the 30 days.
    pub fn is_whole_since(&mut self, time: UnixTime) {
        self.whole_since = self.whole_since.min(time);
    }

    /// From when on the figures are whole.
    pub fn whole_since(&self) -> UnixTime {
        self.whole_since
    }

    /// From when on those of single agencies are: later, if there were too many for the memory that they may have.
    pub fn agencies_since(&self) -> UnixTime {
        self.whole_since.max(UnixTime::from_ms(self.cut.saturating_mul(HOUR_MS)))
    }

    /// How often something of an agency was left out, since there were as many agencies as may be.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Takes a record.
    pub fn tell(&mut self, told: &Told) {
        self.latest = self.latest.max(told.time);
        let (minute, hour) = (told.time.as_ms() / MINUTE_MS, told.time.as_ms() / HOUR_MS);
        let last_hour = self.latest.as_ms() / HOUR_MS;
        self.forget();
        let tally = told.tally();
        let (consumer, provider) = (self.number(told.consumer.as_ref()), self.number(told.provider.as_ref()));
        self.note(told, consumer, provider);
        if hour + HOURS <= last_hour || tally == Tally::default() {
            return;
        }
        if minute + MINUTES > self.latest.as_ms() / MINUTE_MS {
            self.minutes.entry(minute).or_default().add(&tally);
        }
        let known = self.hours.entry(hour).or_default();
        known.sum.add(&tally);
        if hour >= self.day {
            if told.kind == RecordKind::Answer {
                known.latency.get_or_insert_default().add(told.elapsed_us);
            }
            if let Some(code) = told.code.filter(|_| told.kind == RecordKind::Refusal) {
                let count = known.faults.entry(code).or_default();
                *count = count.saturating_add(told.count);
            }
        }
        if hour < self.cut {
            return;
        }
        let before = known.agencies.len();
        consumer.into_iter().for_each(|agency| known.agencies.entry(agency).or_default().consumer.add(&tally));
        provider.into_iter().for_each(|agency| known.agencies.entry(agency).or_default().holder.add(&tally));
        self.kept += known.agencies.len() - before;
        for (agency, is_consumer) in [(consumer, true), (provider, false)] {
            let Some(agency) = agency.and_then(|number| self.agencies.get_mut(number as usize)) else { continue };
            let side = if is_consumer { &mut agency.sum.consumer } else { &mut agency.sum.holder };
            side.add(&tally);
        }
        self.cut();
    }

    /// What is said of agencies whatever the hour.
    fn note(&mut self, told: &Told, consumer: Option<u32>, provider: Option<u32>) {
        let is_sent = match told.kind {
            RecordKind::Request | RecordKind::Event | RecordKind::Cancel | RecordKind::Audit => true,
            RecordKind::Refusal => told.is_at_the_door,
            _ => false,
        };
        if let Some(agency) = consumer.and_then(|number| self.agencies.get_mut(number as usize)) {
            agency.last_seen = agency.last_seen.max(is_sent.then_some(told.time));
            if let Some(code) = told.code.filter(|code| is_quota(*code)) {
                agency.reject(told.time, code);
            }
        }
        if let Some(agency) = provider.and_then(|number| self.agencies.get_mut(number as usize)) {
            let is_answer = told.kind == RecordKind::Answer;
            agency.last_answer = agency.last_answer.max(is_answer.then_some(told.time));
            agency.last_seen = agency.last_seen.max(agency.last_answer);
            if is_answer {
                agency.answers.add(told.time, told.elapsed_us);
            }
            let failure = told.code.filter(|code| told.kind == RecordKind::Refusal && code.blame() == Blame::Receiver);
            agency.last_failure = agency.last_failure.max(failure.map(|code| (told.time, code)));
        }
    }

    /// The number of an agency; none if there are as many as may be.
    fn number(&mut self, agency: Option<&AgencyId>) -> Option<u32> {
        let agency = agency?;
        if let Some(number) = self.numbers.get(agency) {
            return Some(*number);
        }
        if self.agencies.len() == limits::TRAFFIC_AGENCIES_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        let number = self.agencies.len() as u32;
        self.numbers.insert(agency.clone(), number);
        self.agencies.push(Agency::default());
        Some(number)
    }

    /// Forgets what is past its time.
    fn forget(&mut self) {
        let (minute, hour) = (self.latest.as_ms() / MINUTE_MS, self.latest.as_ms() / HOUR_MS);
        while self.minutes.first_key_value().is_some_and(|(first, _)| first + MINUTES <= minute) {
            self.minutes.pop_first();
        }
        while self.hours.first_key_value().is_some_and(|(first, _)| first + HOURS <= hour) {
            let gone = self.hours.pop_first().map_or_else(BTreeMap::new, |(_, hour)| hour.agencies);
            self.give_up(&gone);
        }
        let day = (hour + 1).saturating_sub(HOURS_OF_DAY);
        if self.day < day {
            for (_, hour) in self.hours.range_mut(self.day..day) {
                (hour.latency, hour.faults) = (None, BTreeMap::new());
            }
            self.day = day;
        }
    }

    /// Gives up the oldest hours of agencies until there are no more than may be.
    fn cut(&mut self) {
        while self.kept > limits::TRAFFIC_AGENCY_HOURS_MAX {
            let Some((number, hour)) = self.hours.iter_mut().find(|(_, hour)| !hour.agencies.is_empty()) else { return };
            let gone = std::mem::take(&mut hour.agencies);
            self.cut = number + 1;
            self.give_up(&gone);
        }
    }

    /// What agencies did in an hour is not kept any more.
    fn give_up(&mut self, gone: &BTreeMap<u32, Sides>) {
        self.kept -= gone.len();
        for (number, sides) in gone {
            let Some(agency) = self.agencies.get_mut(*number as usize) else { continue };
            agency.sum.consumer.take(&sides.consumer);
            agency.sum.holder.take(&sides.holder);
        }
    }

    /// It is later now: what is past its time goes, whether or not something was told since.
    pub fn advance(&mut self, now: UnixTime) {
        self.latest = self.latest.max(now);
        self.forget();
    }

    /// The minutes of the 24 hours up to a time in which there was something, by when they begin.
    pub fn minutes(&self, now: UnixTime) -> impl Iterator<Item = (UnixTime, &Tally)> {
        let first = (now.as_ms() / MINUTE_MS + 1).saturating_sub(MINUTES);
        self.minutes.range(first..).map(|(minute, tally)| (UnixTime::from_ms(minute * MINUTE_MS), tally))
    }

    /// The hours of the 30 days up to a time in which there was something, by when they begin.
    pub fn hours(&self, now: UnixTime) -> impl Iterator<Item = (UnixTime, &Tally)> {
        self.hours_of(now, HOURS).map(|(hour, known)| (hour, &known.sum))
    }

    /// How long answers took, by the hour, for 24 hours up to a time.
    pub fn latencies(&self, now: UnixTime) -> impl Iterator<Item = (UnixTime, &Latency)> {
        self.hours_of(now, HOURS_OF_DAY).filter_map(|(hour, known)| Some((hour, known.latency.as_ref()?)))
    }

    /// How long answers took in the 24 hours up to a time.
    pub fn latency(&self, now: UnixTime) -> Latency {
        self.latencies(now).fold(Latency::default(), |mut sum, (_, latency)| {
            sum.merge(latency);
            sum
        })
    }

    /// Refusals and failures by code, by the hour, for 24 hours up to a time.
    pub fn faults(&self, now: UnixTime) -> impl Iterator<Item = (UnixTime, &BTreeMap<Code, u32>)> {
        self.hours_of(now, HOURS_OF_DAY).map(|(hour, known)| (hour, &known.faults)).filter(|(_, faults)| !faults.is_empty())
    }

    /// The agencies that are known.
    pub fn agencies(&self) -> impl Iterator<Item = (&AgencyId, &Agency)> {
        self.numbers.iter().filter_map(|(id, number)| Some((id, self.agencies.get(*number as usize)?)))
    }

    /// What is known of an agency whatever the hour.
    pub fn agency(&self, id: &AgencyId) -> Option<&Agency> {
        self.agencies.get(*self.numbers.get(id)? as usize)
    }

    /// The hours of an agency in which there was something, for 30 days up to a time.
    pub fn hours_of_agency(&self, id: &AgencyId, now: UnixTime) -> impl Iterator<Item = (UnixTime, &Sides)> {
        let number = self.numbers.get(id).copied();
        self.hours_of(now, HOURS).filter_map(move |(hour, known)| Some((hour, known.agencies.get(&number?)?)))
    }

    /// What each agency has done in so many hours up to a time. Of many hours it takes long: of all that are kept, each agency has a sum.
    pub fn by_agency(&self, now: UnixTime, hours: u64) -> BTreeMap<&AgencyId, Sides> {
        let mut sums = vec![Sides::default(); self.agencies.len()];
        for (number, sides) in self.hours_of(now, hours).flat_map(|(_, known)| &known.agencies) {
            sums.get_mut(*number as usize).into_iter().for_each(|sum| sum.add(sides));
        }
        let of = |(id, number): (_, &u32)| Some((id, *sums.get(*number as usize)?));
        self.numbers.iter().filter_map(of).filter(|(_, sides)| *sides != Sides::default()).collect()
    }

    fn hours_of(&self, now: UnixTime, hours: u64) -> impl Iterator<Item = (UnixTime, &Hour)> {
        let first = (now.as_ms() / HOUR_MS + 1).saturating_sub(hours);
        self.hours.range(first..).map(|(hour, known)| (UnixTime::from_ms(hour * HOUR_MS), known))
    }
}

#[cfg(test)]
mod tests;
