//! Quiet hours: what is not urgent waits until morning, by the clock of whoever is told.

use crate::base::time::{DAY_MS, UnixTime};

/// From which hour to which nobody is told of what can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    from: u8,
    to: u8,
}

impl Quiet {
    /// No hours at all.
    pub const NEVER: Self = Self { from: 0, to: 0 };
    /// From 21:00 to 08:00.
    pub const NIGHT: Self = Self { from: 21, to: 8 };
    /// The form, for whoever wrote another.
    pub const FORM: &'static str = "two hours of the day, as in \"21-8\", or \"off\"";

    /// Reads `21-8`: from the first hour to the second, over midnight if the first is the later one; or `off`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self::NEVER);
        }
        let hour = |digits: &str| {
            let is_number = matches!(digits.len(), 1 | 2) && digits.bytes().all(|digit| digit.is_ascii_digit());
            digits.parse::<u8>().ok().filter(|hour| is_number && *hour < 24)
        };
        let (from, to) = text.split_once('-')?;
        let this = Self { from: hour(from)?, to: hour(to)? };
        (this.from != this.to).then_some(this)
    }
}

impl Default for Quiet {
    fn default() -> Self {
        Self::NIGHT
    }
}

/// Until when something waits that is not urgent, for somebody whose clock is so many minutes ahead of UTC; nothing if that clock
/// shows an hour at which people may be told.
pub fn quiet_until(time: UnixTime, ahead_minutes: i32, quiet: Quiet) -> Option<UnixTime> {
    let (from, to) = (u64::from(quiet.from) * HOUR_MS, u64::from(quiet.to) * HOUR_MS);
    let ahead = (i64::from(ahead_minutes) * 60_000).rem_euclid(DAY_MS as i64) as u64;
    let clock = (time.as_ms() % DAY_MS + ahead) % DAY_MS;
    let length = (to + DAY_MS - from) % DAY_MS;
    let gone = (clock + DAY_MS - from) % DAY_MS;
    (gone < length).then(|| time.plus_ms(length - gone))
}

const HOUR_MS: u64 = 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hours_are_read() {
        for (text, expected) in [
            ("21-8", Some(Quiet::NIGHT)),
            ("21-08", Some(Quiet::NIGHT)),
            ("0-6", Some(Quiet { from: 0, to: 6 })),
            ("23-0", Some(Quiet { from: 23, to: 0 })),
            ("off", Some(Quiet::NEVER)),
            ("", None),
            ("8", None),
            ("8-8", None),
            ("24-8", None),
            ("21-", None),
            ("-8", None),
            ("+1-8", None),
            ("021-8", None),
            ("21:00-08:00", None),
            ("21-8-9", None),
        ] {
            assert_eq!(Quiet::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_can_wait_waits_until_morning_of_the_persons_own_clock() {
        let time = |text: &str| UnixTime::parse(text).expect("a time");
        for (at, ahead, expected) in [
            // Moscow is three hours ahead: 20:59:59, 21:00, midnight, 07:59:59 and 08:00 there.
            ("2026-03-04T17:59:59Z", 180, None),
            ("2026-03-04T18:00:00Z", 180, Some("2026-03-05T05:00:00Z")),
            ("2026-03-04T21:00:00Z", 180, Some("2026-03-05T05:00:00Z")),
            ("2026-03-05T04:59:59Z", 180, Some("2026-03-05T05:00:00Z")),
            ("2026-03-05T05:00:00Z", 180, None),
            // Kamchatka, where it is morning when Moscow goes to bed; and behind UTC.
            ("2026-03-04T18:00:00Z", 720, Some("2026-03-04T20:00:00Z")),
            ("2026-03-04T20:00:00Z", 720, None),
            ("2026-03-04T23:00:00Z", -210, None),
            ("2026-03-05T00:30:00Z", -210, Some("2026-03-05T11:30:00Z")),
        ] {
            assert_eq!(quiet_until(time(at), ahead, Quiet::NIGHT), expected.map(time), "{at} {ahead}");
        }
    }

    proptest! {
        #[test]
        fn quiet_hours_end_within_a_day_with_their_hour_and_are_over_then(
            ms in 0..u64::MAX - 2 * DAY_MS, ahead in any::<i32>(), from in 0_u8..24, to in 0_u8..24,
        ) {
            let (time, quiet) = (UnixTime::from_ms(ms), Quiet { from, to });
            let length = (u64::from(to) + 24 - u64::from(from)) % 24 * HOUR_MS;
            match quiet_until(time, ahead, quiet) {
                Some(end) => {
                    prop_assert!(end > time && end.distance_ms(time) <= length);
                    prop_assert_eq!(quiet_until(end, ahead, quiet), None);
                    prop_assert!(quiet_until(end.minus_ms(1), ahead, quiet) == Some(end));
                    let local = i128::from(end.as_ms()) + i128::from(ahead) * 60_000;
                    prop_assert_eq!(local.rem_euclid(i128::from(DAY_MS)), i128::from(u64::from(to) * HOUR_MS));
                }
                None => {
                    let local = (i128::from(ms) + i128::from(ahead) * 60_000).rem_euclid(i128::from(DAY_MS)) as u64;
                    let (from, to) = (u64::from(from) * HOUR_MS, u64::from(to) * HOUR_MS);
                    let is_within = if from <= to { from <= local && local < to } else { local >= from || local < to };
                    prop_assert!(!is_within);
                }
            }
        }

        #[test]
        fn where_no_hour_is_quiet_nothing_waits(ms in any::<u64>(), ahead in any::<i32>()) {
            prop_assert_eq!(quiet_until(UnixTime::from_ms(ms), ahead, Quiet::NEVER), None);
        }
    }
}
