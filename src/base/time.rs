//! Time as a value: milliseconds since 1970-01-01T00:00:00Z, and calendar days.
//!
//! Nothing here reads a clock. The only spelling of an instant is UTC with the letter `Z` and at most six decimals
//! (a profile of RFC 3339, section 5.6); leap seconds are refused, as XML Schema 1.0 does.

use std::fmt;

/// Milliseconds of a day.
pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The instant `ms` milliseconds after the epoch.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Reads `2026-03-04T05:12:09Z` or `2026-03-04T05:12:09.123456Z`; digits beyond milliseconds are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, clock) = text.split_once('T')?;
        let day = Day::parse(date)?;
        let clock = clock.strip_suffix('Z')?;
        let (whole, fraction) = match clock.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (clock, None),
        };
        let bytes = whole.as_bytes();
        if bytes.len() != 8 || bytes.get(2) != Some(&b':') || bytes.get(5) != Some(&b':') {
            return None;
        }
        let (hour, minute, second) = (number(whole.get(0..2)?)?, number(whole.get(3..5)?)?, number(whole.get(6..8)?)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let ms = fraction.map_or(Some(0), milliseconds)?;
        let seconds = day.days_since_epoch().checked_mul(86_400)?.checked_add(i64::from(hour * 3600 + minute * 60 + second))?;
        u64::try_from(seconds).ok()?.checked_mul(1000)?.checked_add(ms).map(Self)
    }

    /// Milliseconds since the epoch.
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// The instant `ms` milliseconds later; the end of time if there is none.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The instant `ms` milliseconds earlier; the epoch if there is none.
    #[must_use]
    pub const fn minus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// How far the two instants are apart.
    pub const fn distance_ms(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// The calendar day in UTC.
    pub fn day(self) -> Day {
        Day::from_days((self.0 / 86_400_000) as i64)
    }
}

/// Writes `2026-03-04T05:12:09.123Z`, always with three decimals.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, seconds) = (self.0 % 1000, self.0 / 1000);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z", self.day())
    }
}

/// A day of the proleptic Gregorian calendar, years 0001 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// Reads `2026-03-04`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
            return None;
        }
        let (year, month, day) = (number(text.get(0..4)?)?, number(text.get(5..7)?)?, number(text.get(8..10)?)?);
        let known = year > 0 && (1..=12).contains(&month) && day > 0 && day <= days_in_month(year, month);
        known.then_some(Self { year: year as u16, month: month as u8, day: day as u8 })
    }

    /// The day `days` after 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
    pub fn from_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year: year.clamp(1, 9999) as u16, month: month as u8, day: day as u8 }
    }

    /// Year, month and day.
    pub const fn parts(self) -> (u16, u8, u8) {
        (self.year, self.month, self.day)
    }

    /// Days since 1970-01-01, negative before it.
    pub fn days_since_epoch(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Digits only: `str::parse` alone would take a sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn milliseconds(fraction: &str) -> Option<u64> {
    if fraction.is_empty() || fraction.len() > 6 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.parse::<u64>().ok()?;
    Some(digits * 10_u64.pow(6 - fraction.len() as u32) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_and_written() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-03-04T05:12:09Z", 1_772_601_129_000),
            ("2024-02-29T23:59:59.999999Z", 1_709_251_199_999),
        ] {
            assert_eq!(UnixTime::parse(text), Some(UnixTime(ms)), "{text}");
        }
        assert_eq!(UnixTime(1_772_601_129_007).to_string(), "2026-03-04T05:12:09.007Z");
    }

    #[test]
    fn other_spellings_of_an_instant_are_refused() {
        for text in [
            "2026-03-04T05:12:09+00:00",
            "2026-03-04 05:12:09Z",
            "2026-03-04T24:00:00Z",
            "2026-03-04T05:12:60Z",
            "2026-02-29T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-03-04T05:12:09.Z",
            "2026-03-04T05:12:09.1234567Z",
            "+026-03-04T05:12:09Z",
            "1969-12-31T23:59:59Z",
            "2026-03-04T05:12:09z",
        ] {
            assert_eq!(UnixTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_go_there_and_back() {
        for days in [-719_162, -1, 0, 59, 11_016, 20_000, 2_932_896] {
            assert_eq!(Day::from_days(days).days_since_epoch(), days);
        }
    }
}
