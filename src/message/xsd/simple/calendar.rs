//! Instants, days, recurring dates and durations (part 2, sections 3.2.6 to 3.2.14).
//!
//! Fractions of seconds count to 18 digits and years and the parts of durations to 11, far beyond what section 5.4 asks for.

use std::cmp::Ordering;

/// A point on the timeline: the first moment of what is longer, in a reference year for what recurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Seconds of the local timeline.
    pub(super) seconds: i64,
    /// Millionths of millionths of millionths of a second.
    pub(super) attos: u64,
    /// Minutes east of UTC, where given.
    pub(super) zone: Option<i16>,
}

/// Which parts a date has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parts {
    DateTime,
    Time,
    Date,
    YearMonth,
    Year,
    MonthDay,
    Day,
    Month,
}

/// A text that is read from its start.
struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn is(&mut self, sign: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(sign)?;
        Some(())
    }

    fn two(&mut self) -> Option<u32> {
        let bytes = self.rest.as_bytes();
        let digit = |at: usize| bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit <= 9).map(u32::from);
        let number = digit(0)?.saturating_mul(10).saturating_add(digit(1)?);
        self.rest = self.rest.get(2..)?;
        Some(number)
    }

    /// A run of digits, at least one.
    fn digits(&mut self) -> Option<&'t str> {
        let end = self.rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!digits.is_empty()).then_some(digits)
    }

    /// A year: a sign, four digits or more, no leading zero beyond four; there is no year 0000.
    fn year(&mut self) -> Option<i64> {
        let negative = self.is('-').is_some();
        let digits = self.digits()?;
        let good = (4..=11).contains(&digits.len()) && !(digits.len() > 4 && digits.starts_with('0'));
        let year = digits.parse::<i64>().ok().filter(|year| good && *year != 0)?;
        Some(if negative { year.saturating_neg() } else { year })
    }

    fn month(&mut self) -> Option<u32> {
        self.two().filter(|month| (1..=12).contains(month))
    }

    fn day(&mut self, year: i64, month: u32) -> Option<u32> {
        self.two().filter(|day| (1..=days_of(year, month)).contains(day))
    }

    /// A time of day in seconds, and the fraction. 24:00:00 is the end of the day; there are no leap seconds.
    fn time(&mut self) -> Option<(i64, u64)> {
        let hour = self.two()?;
        self.is(':')?;
        let minute = self.two()?;
        self.is(':')?;
        let second = self.two()?;
        let attos = self.fraction()?;
        if hour > 24 || minute > 59 || second > 59 || (hour == 24 && (minute > 0 || second > 0 || attos > 0)) {
            return None;
        }
        let seconds = hour.saturating_mul(3600).saturating_add(minute.saturating_mul(60)).saturating_add(second);
        Some((i64::from(seconds), attos))
    }

    /// A point and digits, or nothing.
    fn fraction(&mut self) -> Option<u64> {
        if self.is('.').is_none() {
            return Some(0);
        }
        let digits = self.digits()?;
        let places = digits.bytes().chain(std::iter::repeat(b'0')).take(18);
        Some(places.fold(0, |sum: u64, byte| sum.saturating_mul(10).saturating_add(u64::from(byte.wrapping_sub(b'0')))))
    }

    /// The zone, which ends the text.
    fn zone(&mut self) -> Option<Option<i16>> {
        let sign = match self.rest.as_bytes().first() {
            None => return Some(None),
            Some(b'Z') if self.rest.len() == 1 => return Some(Some(0)),
            Some(b'+') => 1_i16,
            Some(b'-') => -1,
            Some(_) => return None,
        };
        self.rest = self.rest.get(1..)?;
        let hours = self.two()?;
        self.is(':')?;
        let minutes = self.two()?;
        let good = self.rest.is_empty() && (hours < 14 && minutes < 60 || hours == 14 && minutes == 0);
        let offset = i16::try_from(hours.saturating_mul(60).saturating_add(minutes)).ok()?;
        good.then_some(Some(offset.saturating_mul(sign)))
    }
}

impl Moment {
    /// Reads a text with these parts.
    pub(super) fn parse(parts: Parts, text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let (mut year, mut month, mut day, mut time) = (REFERENCE_YEAR, 1, 1, (0, 0));
        match parts {
            Parts::DateTime | Parts::Date => {
                year = reader.year()?;
                reader.is('-')?;
                month = reader.month()?;
                reader.is('-')?;
                day = reader.day(year, month)?;
                if parts == Parts::DateTime {
                    reader.is('T')?;
                    time = reader.time()?;
                }
            }
            Parts::Time => {
                time = reader.time()?;
                // The end of a day is the time of its beginning.
                time.0 = time.0.checked_rem(DAY_SECONDS)?;
            }
            Parts::YearMonth => {
                year = reader.year()?;
                reader.is('-')?;
                month = reader.month()?;
            }
            Parts::Year => year = reader.year()?,
            Parts::MonthDay => {
                reader.is('-').and_then(|()| reader.is('-'))?;
                month = reader.month()?;
                reader.is('-')?;
                day = reader.day(year, month)?;
            }
            Parts::Day => {
                reader.is('-').and_then(|()| reader.is('-')).and_then(|()| reader.is('-'))?;
                day = reader.day(year, month)?;
            }
            Parts::Month => {
                reader.is('-').and_then(|()| reader.is('-'))?;
                month = reader.month()?;
            }
        }
        let zone = reader.zone()?;
        let seconds = days(year, month, day).saturating_mul(DAY_SECONDS).saturating_add(time.0);
        Some(Self { seconds, attos: time.1, zone })
    }

    /// Seconds of UTC, or of a zone that is not known.
    pub(super) fn universal(&self) -> i64 {
        self.seconds.saturating_sub(i64::from(self.zone.unwrap_or(0)).saturating_mul(60))
    }

    /// Section 3.2.7.4: what has no zone is compared as if it could be in any, from +14:00 to -14:00.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        let order = |left: i64, right: i64| left.cmp(&right).then(self.attos.cmp(&other.attos));
        let (left, right) = (self.universal(), other.universal());
        match (self.zone.is_some(), other.zone.is_some()) {
            (true, true) | (false, false) => Some(order(left, right)),
            (true, false) => {
                let earliest = order(left, right.saturating_sub(ZONE_SECONDS_MAX));
                let latest = order(left, right.saturating_add(ZONE_SECONDS_MAX));
                match (earliest, latest) {
                    (Ordering::Less, _) => Some(Ordering::Less),
                    (_, Ordering::Greater) => Some(Ordering::Greater),
                    _ => None,
                }
            }
            (false, true) => other.compare(self).map(Ordering::reverse),
        }
    }
}

fn days_of(year: i64, month: u32) -> u32 {
    let leaps = |step: i64| year.checked_rem(step) == Some(0);
    match month {
        2 if leaps(4) && (!leaps(100) || leaps(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the beginning of March of the year 0, in the Gregorian calendar.
fn days(year: i64, month: u32, day: u32) -> i64 {
    let (year, month) =
        if month > 2 { (year, month.saturating_sub(3)) } else { (year.saturating_sub(1), month.saturating_add(9)) };
    let leaps = year.div_euclid(4).saturating_sub(year.div_euclid(100)).saturating_add(year.div_euclid(400));
    let before = i64::from(month.saturating_mul(153).saturating_add(2) / 5);
    year.saturating_mul(365).saturating_add(leaps).saturating_add(before).saturating_add(i64::from(day)).saturating_sub(1)
}

/// A duration: months and seconds, which only a date can bring together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duration {
    pub(super) months: i64,
    /// Whole seconds, rounded down; both parts have the sign.
    pub(super) seconds: i64,
    pub(super) attos: u64,
}

impl Duration {
    /// Reads `-PnYnMnDTnHnMn.nS`, of which parts may be missing (section 3.2.6.1).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let negative = reader.is('-').is_some();
        reader.is('P')?;
        let mut totals = [0_i64; 2];
        let mut attos = 0;
        let (mut units, mut any, mut clock) = (DATE_UNITS, false, false);
        while !reader.rest.is_empty() {
            if !clock && reader.is('T').is_some() {
                (units, clock) = (CLOCK_UNITS, true);
            }
            // Programs agree that digits may be missing before a point: PT.5S.
            let digits = if clock && reader.rest.starts_with('.') { "" } else { reader.digits()?.trim_start_matches('0') };
            let number = if digits.is_empty() { 0 } else { digits.parse::<i64>().ok().filter(|_| digits.len() <= DIGITS_MAX)? };
            let has_point = reader.rest.starts_with('.');
            attos = reader.fraction()?;
            let unit = reader.rest.chars().next()?;
            let at = units.iter().position(|(known, ..)| *known == unit).filter(|_| !has_point || (clock && unit == 'S'))?;
            let (_, which, factor) = units.get(at)?;
            units = units.get(at.saturating_add(1)..)?;
            reader.is(unit)?;
            let total = totals.get_mut(*which)?;
            *total = total.saturating_add(number.saturating_mul(*factor));
            any = true;
        }
        if !any {
            return None;
        }
        let [months, seconds] = totals;
        Some(match (negative, attos) {
            (false, _) => Self { months, seconds, attos },
            (true, 0) => Self { months: months.saturating_neg(), seconds: seconds.saturating_neg(), attos },
            (true, _) => {
                let seconds = seconds.saturating_neg().saturating_sub(1);
                Self { months: months.saturating_neg(), seconds, attos: SECOND_ATTOS.saturating_sub(attos) }
            }
        })
    }

    /// Section 3.2.6.2: longer or shorter is what is so from all four reference dates.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        let mut orders = REFERENCE_MONTHS.iter().map(|month| {
            let left = self.after(*month);
            left.cmp(&other.after(*month)).then(self.attos.cmp(&other.attos))
        });
        let first = orders.next()?;
        orders.all(|order| order == first).then_some(first)
    }

    /// The seconds of the date that is so long after the first day of a month.
    fn after(&self, month: i64) -> i64 {
        let months = month.saturating_add(self.months);
        let month = u32::try_from(months.rem_euclid(12)).unwrap_or(0).saturating_add(1);
        days(months.div_euclid(12), month, 1).saturating_mul(DAY_SECONDS).saturating_add(self.seconds)
    }
}

const DAY_SECONDS: i64 = 86_400;
const ZONE_SECONDS_MAX: i64 = 14 * 3600;
const SECOND_ATTOS: u64 = 1_000_000_000_000_000_000;
/// The most digits of one part of a duration.
const DIGITS_MAX: usize = 11;
/// A leap year, so that each day of the year is in it.
const REFERENCE_YEAR: i64 = 1972;
/// 1696-09, 1697-02, 1903-03, 1903-07, as months since the year 0.
const REFERENCE_MONTHS: [i64; 4] = [1696 * 12 + 8, 1697 * 12 + 1, 1903 * 12 + 2, 1903 * 12 + 6];
/// Each unit: to which total it belongs, and how much of it.
const DATE_UNITS: &[(char, usize, i64)] = &[('Y', 0, 12), ('M', 0, 1), ('D', 1, DAY_SECONDS)];
const CLOCK_UNITS: &[(char, usize, i64)] = &[('H', 1, 3600), ('M', 1, 60), ('S', 1, 1)];
