//! How many different persons an agency may ask about on a day: who tries out numbers one after the other is stopped and
//! told of.

use crate::envelope::{Personal, Subject};
use crate::fault::{Code, Fault};
use crate::ids::AgencyId;
use crate::time::UnixTime;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The persons of this day, UTC, by agency. A person is kept as a keyed hash of 64 bits (SipHash) under a key that this process
/// has drawn; no set grows beyond the agency's budget, since what is beyond it is refused. Another start begins the day anew.
#[derive(Default)]
pub struct Persons {
    key: RandomState,
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
    /// What is to be told; each of it once a day.
    pub alarm: Alarm,
}

impl Persons {
    /// Counts a permitted question. Persons who were asked for before on this day cost nothing.
    pub fn ask(&mut self, agency: &AgencyId, subject: &Subject, budget: u32, now: UnixTime) -> Asked {
        let tags = tags(&self.key, subject);
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
        let fresh = tags.iter().filter(|tag| !today.known.contains(tag)).count();
        let is_beyond = today.known.len().saturating_add(fresh) > budget;
        let alarm = if is_beyond && fresh > 0 {
            Alarm::Beyond
        } else {
            today.known.extend(tags);
            // In 64 bits: a budget is a number of 32.
            if today.known.len() as u64 * 5 >= budget as u64 * 4 { Alarm::Near } else { Alarm::None }
        };
        let verdict = if alarm == Alarm::Beyond { Err(refusal(now)) } else { Ok(()) };
        let is_new = alarm > today.told;
        today.told = today.told.max(alarm);
        Asked { verdict, alarm: if is_new { alarm } else { Alarm::None } }
    }

    /// Forgets agencies that have not asked today.
    pub fn evict(&mut self, now: UnixTime) {
        let day = now.as_ms() / DAY_MS;
        self.agencies.retain(|_, today| today.day >= day);
    }
}

fn refusal(now: UnixTime) -> Fault {
    let left = (DAY_MS - now.as_ms() % DAY_MS).div_ceil(1000);
    Fault::at(Code::LimPersons, "next on the next day, UTC").with_retry_after(u32::try_from(left).unwrap_or(u32::MAX))
}

/// One for each identifier, so that nobody tries out numbers beside one that is known; without any, one for the name and
/// the date of birth.
fn tags(key: &RandomState, subject: &Subject) -> Vec<u64> {
    let mut tags: Vec<u64> = subject.identifiers.iter().map(|id| key.hash_one((id.scheme(), id.value()))).collect();
    if tags.is_empty() {
        let parts = [&subject.family, &subject.given, &subject.birth_date];
        tags.push(key.hash_one(parts.map(|part| part.as_ref().map(Personal::expose))));
    }
    tags.sort_unstable();
    tags.dedup();
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Identifier;

    fn subject(number: u32) -> Subject {
        Subject { identifiers: vec![Identifier::synthetic(number)], ..Subject::default() }
    }

    #[test]
    fn a_budget_is_of_different_persons_and_of_one_day() {
        let mut persons = Persons::default();
        let agency = |name| AgencyId::parse(name).expect("a name");
        let (school, clinic) = (agency("xx.school"), agency("xx.clinic"));
        let now = UnixTime::from_ms(20_000 * DAY_MS + 1_000);
        let mut ask = |who: &AgencyId, number, now| {
            let Asked { verdict, alarm } = persons.ask(who, &subject(number), 5, now);
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
    fn several_identifiers_are_several_and_a_name_is_one() {
        let mut persons = Persons::default();
        let agency = AgencyId::parse("xx.school").expect("a name");
        let now = UnixTime::from_ms(1);
        let mut known = subject(1);
        assert!(persons.ask(&agency, &known, 2, now).verdict.is_ok());
        known.identifiers.push(Identifier::synthetic(2));
        assert!(persons.ask(&agency, &known, 2, now).verdict.is_ok());
        known.identifiers[1] = Identifier::synthetic(3);
        assert!(persons.ask(&agency, &known, 2, now).verdict.is_err(), "a number tried out beside one that is known");
        let named = |family: &str| Subject { family: Some(Personal::new(family)), ..Subject::default() };
        assert!(persons.ask(&agency, &named("A"), 3, now).verdict.is_ok());
        assert!(persons.ask(&agency, &named("A"), 3, now).verdict.is_ok());
        assert!(persons.ask(&agency, &named("B"), 3, now).verdict.is_err());
        persons.evict(now.plus_ms(DAY_MS));
        assert!(persons.agencies.is_empty());
    }

    #[test]
    fn a_smaller_budget_leaves_those_who_are_known() {
        let (mut persons, now) = (Persons::default(), UnixTime::from_ms(1));
        let school = AgencyId::parse("xx.school").expect("a name");
        let mut ask = |number, budget| persons.ask(&school, &subject(number), budget, now).verdict.map_err(|fault| fault.code);
        assert_eq!([1, 2, 3].map(|number| ask(number, 3)), [Ok(()); 3]);
        assert_eq!(ask(2, 1), Ok(()));
        assert_eq!(ask(4, 1), Err(Code::LimPersons));
    }

    #[test]
    fn an_identifier_given_twice_is_one() {
        let (mut persons, now) = (Persons::default(), UnixTime::from_ms(1));
        let school = AgencyId::parse("xx.school").expect("a name");
        let twice = Subject { identifiers: vec![Identifier::synthetic(1); 2], ..Subject::default() };
        assert!(persons.ask(&school, &twice, 1, now).verdict.is_ok());
    }

    #[test]
    fn an_agency_is_forgotten_on_the_next_day_and_not_before() {
        let mut persons = Persons::default();
        let school = AgencyId::parse("xx.school").expect("a name");
        let midnight = UnixTime::from_ms(20_000 * DAY_MS);
        assert!(persons.ask(&school, &subject(1), 1, midnight).verdict.is_ok());
        for later in [0, DAY_MS / 2, DAY_MS - 1] {
            persons.evict(midnight.plus_ms(later));
            assert!(persons.ask(&school, &subject(2), 1, midnight.plus_ms(later)).verdict.is_err(), "{later} ms after midnight");
        }
        persons.evict(midnight.plus_ms(DAY_MS));
        assert!(persons.agencies.is_empty());
    }
}
