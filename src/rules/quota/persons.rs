//! How many different persons an agency may ask about on a day: who tries out numbers one after the other is stopped and
//! told of.

use crate::base::fault::{Code, Fault};
use crate::base::ids::AgencyId;
use crate::base::time::{DAY_MS, UnixTime};
use std::collections::{BTreeMap, HashSet};

/// The persons of this day, UTC, by agency. A person is known by the keys that the log's index has for them, keyed hashes of
/// 64 bits: one for each identifier, so that nobody tries out numbers beside one that is known. No set grows beyond the
/// agency's budget, since what is beyond it is refused.
#[derive(Default)]
pub struct Persons {
    agencies: BTreeMap<AgencyId, Today>,
}

#[derive(Default)]
struct Today {
    day: u64,
    known: HashSet<u64>,
    told: Alarm,
}

/// How near an agency is to its budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// Not near.
    #[default]
    None,
    /// Four fifths of it are used.
    Near,
    /// It is used up, and somebody new was asked for.
    Beyond,
}

/// What comes of a question about somebody.
pub struct Asked {
    /// Whether it may be asked.
    pub verdict: Result<(), Fault>,
    /// What is to be told; each of it once a day and start.
    pub alarm: Alarm,
}

impl Persons {
    /// Counts a permitted question. Persons who were asked for before on this day cost nothing.
    pub fn ask(&mut self, agency: &AgencyId, keys: &[u64], budget: u32, now: UnixTime) -> Asked {
        let day = now.as_ms() / DAY_MS;
        if !self.agencies.contains_key(agency) {
            self.agencies.insert(agency.clone(), Today::default());
        }
        let Some(today) = self.agencies.get_mut(agency) else { return Asked { verdict: Ok(()), alarm: Alarm::None } };
        // A clock that goes back gives nobody a second budget.
        if day > today.day {
            *today = Today { day, ..Today::default() };
        }
        let budget = budget as usize;
        let fresh: HashSet<u64> = keys.iter().filter(|key| !today.known.contains(key)).copied().collect();
        let is_beyond = today.known.len().saturating_add(fresh.len()) > budget;
        let alarm = if is_beyond && !fresh.is_empty() {
            Alarm::Beyond
        } else {
            today.known.extend(fresh);
            // In 64 bits: a budget is a number of 32.
            if today.known.len() as u64 * 5 >= budget as u64 * 4 { Alarm::Near } else { Alarm::None }
        };
        let verdict = if alarm == Alarm::Beyond { Err(next_day(Code::LimPersons, now)) } else { Ok(()) };
        let is_new = alarm > today.told;
        today.told = today.told.max(alarm);
        Asked { verdict, alarm: if is_new { alarm } else { Alarm::None } }
    }

    /// Begins with those who were asked for on this day before the gateway started, by agency.
    pub fn since_midnight(asked: BTreeMap<AgencyId, HashSet<u64>>, now: UnixTime) -> Self {
        let day = now.as_ms() / DAY_MS;
        let today = |known| Today { day, known, told: Alarm::None };
        Self { agencies: asked.into_iter().map(|(agency, known)| (agency, today(known))).collect() }
    }

    /// Forgets agencies that have not asked today.
    pub fn evict(&mut self, now: UnixTime) {
        let day = now.as_ms() / DAY_MS;
        self.agencies.retain(|_, today| today.day >= day);
    }
}

/// A refusal until the next day.
pub(super) fn next_day(code: Code, now: UnixTime) -> Fault {
    let left = (DAY_MS - now.as_ms() % DAY_MS).div_ceil(1000);
    Fault::at(code, "again on the next day, UTC").with_retry_after(u32::try_from(left).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_of_different_persons_and_of_one_day() {
        let mut persons = Persons::default();
        let agency = |name| AgencyId::parse(name).expect("a name");
        let (school, clinic) = (agency("xx.school"), agency("xx.clinic"));
        let now = UnixTime::from_ms(20_000 * DAY_MS + 1_000);
        let mut ask = |who: &AgencyId, number, now| {
            let Asked { verdict, alarm } = persons.ask(who, &[number], 5, now);
            (verdict.map_err(|fault| (fault.code, fault.retry_after_seconds)), alarm)
        };
        for number in 1..=3 {
            assert_eq!(ask(&school, number, now), (Ok(()), Alarm::None), "{number}");
        }
        assert_eq!(ask(&school, 4, now), (Ok(()), Alarm::Near), "four of five");
        assert_eq!(ask(&school, 5, now), (Ok(()), Alarm::None), "the last; it was told already");
        let refused = (Err((Code::LimPersons, Some(86_399))), Alarm::Beyond);
        assert_eq!(ask(&school, 6, now), refused);
        assert_eq!(ask(&school, 6, now), (refused.0, Alarm::None), "told once");
        assert_eq!(ask(&school, 3, now), (Ok(()), Alarm::None), "whoever is known may be asked for again");
        assert_eq!(ask(&clinic, 6, now), (Ok(()), Alarm::None), "another agency has its own");
        assert_eq!(ask(&school, 6, now.minus_ms(DAY_MS)), (refused.0, Alarm::None), "a clock that went back");
        assert_eq!(ask(&school, 6, now.plus_ms(DAY_MS)), (Ok(()), Alarm::None), "the next day");
    }

    #[test]
    fn each_key_counts() {
        let (mut persons, now) = (Persons::default(), UnixTime::from_ms(1));
        let school = AgencyId::parse("xx.school").expect("a name");
        let mut ask = |keys: &[u64]| persons.ask(&school, keys, 2, now).verdict.is_ok();
        assert!(ask(&[1]) && ask(&[1, 2]) && ask(&[]));
        assert!(!ask(&[1, 3]), "a number tried out beside one that is known");
    }

    #[test]
    fn who_was_asked_for_before_the_start_counts_on_this_day() {
        let now = UnixTime::from_ms(20_000 * DAY_MS + 1_000);
        let school = AgencyId::parse("xx.school").expect("a name");
        let mut persons = Persons::since_midnight(BTreeMap::from([(school.clone(), HashSet::from([1, 2]))]), now);
        let mut ask = |key, now| persons.ask(&school, &[key], 3, now).verdict.is_ok();
        assert!(ask(1, now) && ask(3, now) && !ask(4, now));
        assert!(ask(4, now.plus_ms(DAY_MS)));
    }

    #[test]
    fn a_smaller_budget_leaves_those_who_are_known() {
        let (mut persons, now) = (Persons::default(), UnixTime::from_ms(1));
        let school = AgencyId::parse("xx.school").expect("a name");
        let mut ask = |number, budget| persons.ask(&school, &[number], budget, now).verdict.map_err(|fault| fault.code);
        assert_eq!([1, 2, 3].map(|number| ask(number, 3)), [Ok(()); 3]);
        assert_eq!(ask(2, 1), Ok(()));
        assert_eq!(ask(4, 1), Err(Code::LimPersons));
    }

    #[test]
    fn an_identifier_given_twice_is_one() {
        let (mut persons, now) = (Persons::default(), UnixTime::from_ms(1));
        let school = AgencyId::parse("xx.school").expect("a name");
        assert!(persons.ask(&school, &[1, 1], 1, now).verdict.is_ok());
    }

    #[test]
    fn an_agency_is_forgotten_on_the_next_day_and_not_before() {
        let mut persons = Persons::default();
        let school = AgencyId::parse("xx.school").expect("a name");
        let midnight = UnixTime::from_ms(20_000 * DAY_MS);
        assert!(persons.ask(&school, &[1], 1, midnight).verdict.is_ok());
        for later in [0, DAY_MS / 2, DAY_MS - 1] {
            persons.evict(midnight.plus_ms(later));
            assert!(persons.ask(&school, &[2], 1, midnight.plus_ms(later)).verdict.is_err(), "{later} ms after midnight");
        }
        persons.evict(midnight.plus_ms(DAY_MS));
        assert!(persons.agencies.is_empty());
    }
}
