//! Where clocks stand: the time zone database, as the crate has it.

use crate::base::time::{Day, UnixTime};
use crate::exchange::mapping::Zones;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The zones of the database that comes with the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Database;

impl Zones for Database {
    fn instant(&self, zone: &str, day: Day, seconds: u32) -> Option<UnixTime> {
        let (year, month, day) = day.parts();
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let part = |number: u32| i8::try_from(number).ok();
        let (year, month, day) = (i16::try_from(year).ok()?, part(month.into())?, part(day.into())?);
        let local = DateTime::new(year, month, day, part(hour)?, part(minute)?, part(second)?, 0).ok()?;
        // What a clock shows twice is the first of both; what it jumps over is what it would have been (RFC 5545, section 3.3.5).
        let zoned = TimeZone::get(zone).ok()?.to_ambiguous_zoned_datetime(local).compatible().ok()?;
        u64::try_from(zoned.timestamp().as_millisecond()).ok().map(UnixTime::from_ms)
    }

    fn has(&self, zone: &str) -> bool {
        TimeZone::get(zone).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_becomes_utc_in_summer_and_winter_and_where_clocks_jump() {
        let at = |zone: &str, day: &str, hour: u32| {
            let day = Day::parse(day).expect("a day");
            Database.instant(zone, day, hour * 3600 + 1800).map(|time| time.to_string())
        };
        assert_eq!(at("Europe/Moscow", "2026-03-04", 1).as_deref(), Some("2026-03-03T22:30:00.000Z"));
        assert_eq!(at("Europe/Moscow", "2013-03-04", 1).as_deref(), Some("2013-03-03T21:30:00.000Z"));
        assert_eq!(at("Europe/Tallinn", "2026-07-01", 12).as_deref(), Some("2026-07-01T09:30:00.000Z"));
        assert_eq!(at("Europe/Tallinn", "2026-10-25", 3).as_deref(), Some("2026-10-25T00:30:00.000Z"), "the first of both");
        assert_eq!(at("Europe/Tallinn", "2026-03-29", 3).as_deref(), Some("2026-03-29T01:30:00.000Z"), "nobody saw it");
        assert_eq!(at("Mars/Olympus", "2026-03-29", 3), None);
        assert!(Database.has("Asia/Yekaterinburg") && !Database.has("Moscow"));
    }
}
