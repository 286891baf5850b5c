//! Terms: how long a step may take, in working days or as an ISO 8601 duration; and the calendars that count working days.

use crate::base::time::{DAY_MS, Day, UnixTime};
use std::collections::BTreeSet;
use std::fmt;

/// How long something may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// `5wd`: it ends with the fifth working day after the one on which it began.
    WorkingDays(u32),
    /// `PT30M`, `PT4H`: by the clock, also at night.
    Minutes(u32),
    /// `P20D`, `P2W`: days of the calendar.
    Days(u32),
    /// `P6M`, `P1Y`: months, to the same day of the month, or to its last one.
    Months(u32),
}

impl Term {
    /// The form, for whoever wrote another.
    pub const FORM: &'static str = "working days as 5wd, or an ISO 8601 duration of one part: PT30M, PT4H, P20D, P2W, P6M, P1Y";

    /// Reads a term; none of length zero, and none beyond ten years.
    pub fn parse(text: &str) -> Option<Self> {
        let count = |digits: &str| {
            let is_number = !digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|digit| digit.is_ascii_digit());
            digits.parse::<u32>().ok().filter(|count| is_number && *count > 0)
        };
        let times = |count: u32, by: u32| count.checked_mul(by);
        let term = if let Some(days) = text.strip_suffix("wd") {
            Self::WorkingDays(count(days)?)
        } else if let Some(clock) = text.strip_prefix("PT") {
            match clock.split_at_checked(clock.len().checked_sub(1)?)? {
                (minutes, "M") => Self::Minutes(count(minutes)?),
                (hours, "H") => Self::Minutes(times(count(hours)?, 60)?),
                _ => return None,
            }
        } else {
            let date = text.strip_prefix('P')?;
            match date.split_at_checked(date.len().checked_sub(1)?)? {
                (days, "D") => Self::Days(count(days)?),
                (weeks, "W") => Self::Days(times(count(weeks)?, 7)?),
                (months, "M") => Self::Months(count(months)?),
                (years, "Y") => Self::Months(times(count(years)?, 12)?),
                _ => return None,
            }
        };
        (term.most_days() <= 3660).then_some(term)
    }

    /// Whether it surely is no longer than another, whichever day it begins on and whichever days are holidays.
    pub fn is_at_most(self, other: Self) -> bool {
        match (self, other) {
            (Self::WorkingDays(own), Self::WorkingDays(other)) => own <= other,
            (Self::Minutes(own), Self::Minutes(other)) | (Self::Months(own), Self::Months(other)) => own <= other,
            (Self::WorkingDays(_), _) => false,
            // So many working days take at least as many days of the calendar.
            (own, Self::WorkingDays(days)) => own.most_days() <= days,
            (own, other) => u64::from(own.most_days()) * DAY_MS <= other.least_ms(),
        }
    }

    /// The most days of the calendar that it takes where it is not counted in working days; a part counts as a day.
    const fn most_days(self) -> u32 {
        match self {
            Self::WorkingDays(days) => days.saturating_mul(2),
            Self::Minutes(minutes) => minutes.div_ceil(24 * 60),
            Self::Days(days) => days,
            Self::Months(months) => months.saturating_mul(31),
        }
    }

    const fn least_ms(self) -> u64 {
        match self {
            Self::WorkingDays(days) | Self::Days(days) => days as u64 * DAY_MS,
            Self::Minutes(minutes) => minutes as u64 * 60_000,
            Self::Months(months) => months as u64 * 28 * DAY_MS,
        }
    }

    /// About how many working days it is, of eight hours: what models count with.
    pub fn in_working_days(self) -> f64 {
        match self {
            Self::WorkingDays(days) => f64::from(days),
            Self::Minutes(minutes) => f64::from(minutes) / 480.0,
            Self::Days(days) => f64::from(days) * 5.0 / 7.0,
            Self::Months(months) => f64::from(months) * 21.0,
        }
    }

    /// When it ends that begins at `start`.
    pub fn end(self, start: UnixTime, calendar: &Calendar) -> UnixTime {
        match self {
            Self::Minutes(minutes) => start.plus_ms(u64::from(minutes) * 60_000),
            Self::Days(days) => start.plus_ms(u64::from(days) * DAY_MS),
            Self::WorkingDays(days) => calendar.end_of(calendar.working_day_after(calendar.day(start), days)),
            Self::Months(months) => {
                let (day, clock) = (calendar.day(start), calendar.clock(start));
                calendar.at(month_after(day, months), clock)
            }
        }
    }
}

/// As it may be written.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkingDays(days) => write!(f, "{days}wd"),
            Self::Minutes(minutes) if minutes % 60 == 0 => write!(f, "PT{}H", minutes / 60),
            Self::Minutes(minutes) => write!(f, "PT{minutes}M"),
            Self::Days(days) => write!(f, "P{days}D"),
            Self::Months(months) => write!(f, "P{months}M"),
        }
    }
}

fn month_after(day: Day, months: u32) -> Day {
    let (year, month, of_month) = day.parts();
    let total = u32::from(year) * 12 + u32::from(month) - 1 + months;
    let (year, month) = (total / 12, total % 12 + 1);
    let of = |day: u16| Day::parse(&format!("{year:04}-{month:02}-{day:02}"));
    (0..4).find_map(|less| of(u16::from(of_month).saturating_sub(less))).unwrap_or(day)
}

/// Which days are working days, and where the day begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Milliseconds that local time is ahead of UTC.
    ahead_ms: i64,
    /// Days off beside Saturdays and Sundays.
    off: BTreeSet<Day>,
    /// Saturdays and Sundays on which people work.
    on: BTreeSet<Day>,
}

impl Calendar {
    /// A calendar so far ahead of UTC, with these days off and these Saturdays and Sundays that are working days.
    pub fn new(ahead_minutes: i32, off: BTreeSet<Day>, on: BTreeSet<Day>) -> Self {
        Self { ahead_ms: i64::from(ahead_minutes) * 60_000, off, on }
    }

    /// Minutes that local time is ahead of UTC.
    pub fn ahead_minutes(&self) -> i32 {
        i32::try_from(self.ahead_ms / 60_000).unwrap_or(0)
    }

    /// Whether people work on a day.
    pub fn is_working_day(&self, day: Day) -> bool {
        // 1970-01-01 was a Thursday.
        let is_weekend = matches!((day.days_since_epoch() + 3).rem_euclid(7), 5 | 6);
        if is_weekend { self.on.contains(&day) } else { !self.off.contains(&day) }
    }

    /// The day at an instant.
    pub fn day(&self, time: UnixTime) -> Day {
        Day::from_days(self.local(time).div_euclid(DAY_MS as i64))
    }

    /// Milliseconds since that day began.
    pub fn clock(&self, time: UnixTime) -> u64 {
        self.local(time).rem_euclid(DAY_MS as i64) as u64
    }

    fn local(&self, time: UnixTime) -> i64 {
        (time.as_ms() as i64).saturating_add(self.ahead_ms)
    }

    /// The instant on a day so many milliseconds after it began.
    pub fn at(&self, day: Day, clock: u64) -> UnixTime {
        let local = day.days_since_epoch().saturating_mul(DAY_MS as i64).saturating_add(clock as i64);
        UnixTime::from_ms(u64::try_from(local.saturating_sub(self.ahead_ms)).unwrap_or(0))
    }

    /// The instant at which a day is over.
    pub fn end_of(&self, day: Day) -> UnixTime {
        self.at(day, DAY_MS)
    }

    /// How many working days lie between two instants. A working day has eight hours: whoever waits for less on one has waited for that part
    /// of it, and whoever waits for more has waited for that day. What models count with is counted in the same way.
    pub fn working_days(&self, from: UnixTime, to: UnixTime) -> f64 {
        let (first, last) = (self.day(from).days_since_epoch(), self.day(to).days_since_epoch());
        let days = (first..=last).map(Day::from_days).filter(|day| self.is_working_day(*day));
        let waited = days.map(|day| {
            let (begins, ends) = (self.at(day, 0).max(from), self.end_of(day).min(to));
            (ends.as_ms().saturating_sub(begins.as_ms()) as f64 / WORK_MS).min(1.0)
        });
        waited.sum()
    }

    /// The working day that comes so many after a day.
    pub fn working_day_after(&self, day: Day, count: u32) -> Day {
        let (mut at, mut left) = (day.days_since_epoch(), count);
        // Even a calendar of which every day is off comes to an end.
        let end = at + i64::from(count) * 7 + 366;
        while left > 0 && at < end {
            at += 1;
            left -= u32::from(self.is_working_day(Day::from_days(at)));
        }
        Day::from_days(at)
    }
}

/// The working hours of a day.
const WORK_MS: f64 = 8.0 * 60.0 * 60.0 * 1000.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).expect("a day")
    }

    fn time(text: &str) -> UnixTime {
        UnixTime::parse(text).expect("a time")
    }

    #[test]
    fn terms_are_read_and_written() {
        for (text, written) in [
            ("1wd", "1wd"),
            ("PT30M", "PT30M"),
            ("PT90M", "PT90M"),
            ("PT4H", "PT4H"),
            ("PT240M", "PT4H"),
            ("P20D", "P20D"),
            ("P2W", "P14D"),
            ("P6M", "P6M"),
            ("P1Y", "P12M"),
        ] {
            assert_eq!(Term::parse(text).expect(text).to_string(), written);
        }
        for text in
            ["", "wd", "0wd", "-1wd", "P", "PT", "P0D", "PT1S", "P1DT1H", "1d", "P1.5D", "P11Y", "5 wd", "P+1D", "P９D", "PTё"]
        {
            assert_eq!(Term::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_term_is_longer_or_surely_not() {
        let is_at_most = |own: &str, other: &str| Term::parse(own).expect(own).is_at_most(Term::parse(other).expect(other));
        for (own, other, expected) in [
            ("1wd", "9wd", true),
            ("9wd", "1wd", false),
            ("PT4H", "1wd", true),
            ("P1D", "1wd", true),
            ("P2D", "1wd", false),
            ("1wd", "P1D", false),
            ("1wd", "P30D", false),
            ("PT30M", "PT1H", true),
            ("PT1H", "PT30M", false),
            ("P1D", "PT24H", true),
            ("PT25H", "P1D", false),
            ("PT20H", "P1D", true),
            ("P28D", "P1M", true),
            ("P1M", "P28D", false),
            ("P1M", "P31D", true),
            ("P6M", "P6M", true),
        ] {
            assert_eq!(is_at_most(own, other), expected, "{own} {other}");
        }
    }

    #[test]
    fn working_days_leave_out_weekends_and_holidays() {
        let off = ["2026-01-01", "2026-01-02", "2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09"];
        let calendar = Calendar::new(180, off.map(day).into(), [day("2026-01-17")].into());
        for (start, term, end) in [
            // A Wednesday; 23:30 in Moscow is the evening before in UTC.
            ("2026-03-04T20:30:00Z", "1wd", "2026-03-05T21:00:00.000Z"),
            ("2026-03-04T21:30:00Z", "1wd", "2026-03-06T21:00:00.000Z"),
            // A Friday: until the end of Monday.
            ("2026-03-06T09:00:00Z", "1wd", "2026-03-09T21:00:00.000Z"),
            ("2025-12-31T09:00:00Z", "1wd", "2026-01-12T21:00:00.000Z"),
            // A Saturday that is a working day.
            ("2026-01-16T09:00:00Z", "1wd", "2026-01-17T21:00:00.000Z"),
            ("2026-03-04T20:30:00Z", "PT4H", "2026-03-05T00:30:00.000Z"),
            ("2026-08-31T09:00:00Z", "P6M", "2027-02-28T09:00:00.000Z"),
            ("2026-03-04T09:00:00Z", "P20D", "2026-03-24T09:00:00.000Z"),
        ] {
            let found = Term::parse(term).expect(term).end(time(start), &calendar);
            assert_eq!(found.to_string(), end, "{start} {term}");
        }
        let never = Calendar::new(0, (20_000..21_000).map(Day::from_days).collect(), BTreeSet::new());
        let _ = never.working_day_after(Day::from_days(20_000), 9);
    }

    #[test]
    fn working_days_are_counted_in_eight_hours() {
        let calendar = Calendar::new(180, [day("2026-03-09")].into(), BTreeSet::new());
        let at = |text: &str| UnixTime::parse(text).expect("an instant");
        // Friday, 9:00 to 13:00 in Moscow; the same to Tuesday, over a weekend and a holiday.
        let near = |left: f64, right: f64| (left - right).abs() < 1e-9;
        assert!(near(calendar.working_days(at("2026-03-06T06:00:00Z"), at("2026-03-06T10:00:00Z")), 0.5));
        assert!(near(calendar.working_days(at("2026-03-06T06:00:00Z"), at("2026-03-10T01:00:00Z")), 1.5));
        // Nobody waits twice for one day, and nobody before the beginning.
        assert!(near(calendar.working_days(at("2026-03-05T21:00:00Z"), at("2026-03-06T21:00:00Z")), 1.0));
        assert!(near(calendar.working_days(at("2026-03-07T06:00:00Z"), at("2026-03-08T06:00:00Z")), 0.0));
        assert!(near(calendar.working_days(at("2026-03-06T10:00:00Z"), at("2026-03-06T06:00:00Z")), 0.0));
    }
}
