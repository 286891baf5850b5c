//! How often an agency is answered that there is no record: whoever tries out identifiers is told so more often than whoever has
//! them from people.

use super::persons::{Alarm, Asked, next_day};
use crate::base::fault::Code;
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::base::time::{DAY_MS, UnixTime};
use crate::rules::registry;
use std::collections::BTreeMap;

/// The answers of this day, UTC, by the agency in whose budget they count.
#[derive(Default)]
pub struct Misses {
    agencies: BTreeMap<AgencyId, Today>,
}

#[derive(Clone, Copy, Default)]
struct Today {
    day: u64,
    answers: Answers,
    told: Alarm,
}

/// Answers to questions for documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// All of them.
    pub all: u32,
    /// Those of them that there is no record.
    pub misses: u32,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is a document.
    Something,
    /// There is no record.
    Nothing,
}

impl Answers {
    /// One more.
    pub fn add(&mut self, found: Found) {
        self.all = self.all.saturating_add(1);
        self.misses = self.misses.saturating_add(u32::from(found == Found::Nothing));
    }

    /// How near they are to what may be. A share of all is reached by nobody.
    fn near(&self, most: registry::Misses) -> Alarm {
        let (all, misses) = (u64::from(self.all), u64::from(self.misses));
        let (per_day, share) = (u64::from(most.per_day), u64::from(most.share));
        let has_share = most.share < 100 && self.all >= limits::MISSES_ANSWERS_MIN;
        if misses >= per_day || has_share && misses * 100 > share * all {
            Alarm::Beyond
        } else if misses * 5 >= per_day * 4 || has_share && misses * 500 > share * all * 4 {
            Alarm::Near
        } else {
            Alarm::None
        }
    }
}

impl Misses {
    /// Whether an agency may ask for one more.
    pub fn ask(&mut self, agency: &AgencyId, most: registry::Misses, now: UnixTime) -> Asked {
        let Some(today) = self.agencies.get_mut(agency) else { return Asked { verdict: Ok(()), alarm: Alarm::None } };
        today.begin(now);
        if today.answers.near(most) != Alarm::Beyond {
            return Asked { verdict: Ok(()), alarm: Alarm::None };
        }
        Asked { verdict: Err(next_day(Code::LimMisses, now)), alarm: today.tell(Alarm::Beyond) }
    }

    /// Counts an answer; says whether it is near now, once a day and start.
    pub fn answered(&mut self, agency: &AgencyId, found: Found, most: registry::Misses, now: UnixTime) -> Alarm {
        let today = self.agencies.entry(agency.clone()).or_default();
        today.begin(now);
        today.answers.add(found);
        // That it is beyond is told when it asks on.
        today.tell(today.answers.near(most).min(Alarm::Near))
    }

    /// Begins with the answers of this day from before the gateway started, by agency.
    pub fn since_midnight(answered: BTreeMap<AgencyId, Answers>, now: UnixTime) -> Self {
        let day = now.as_ms() / DAY_MS;
        let today = |answers| Today { day, answers, told: Alarm::None };
        Self { agencies: answered.into_iter().map(|(agency, answers)| (agency, today(answers))).collect() }
    }

    /// Forgets agencies that got no answer today.
    pub fn evict(&mut self, now: UnixTime) {
        let day = now.as_ms() / DAY_MS;
        self.agencies.retain(|_, today| today.day >= day);
    }
}

impl Today {
    /// A clock that goes back gives nobody a second budget.
    fn begin(&mut self, now: UnixTime) {
        let day = now.as_ms() / DAY_MS;
        if day > self.day {
            *self = Self { day, ..Self::default() };
        }
    }

    fn tell(&mut self, alarm: Alarm) -> Alarm {
        let is_new = alarm > self.told;
        self.told = self.told.max(alarm);
        if is_new { alarm } else { Alarm::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn school() -> AgencyId {
        AgencyId::parse("xx.school").expect("a name")
    }

    fn noon() -> UnixTime {
        UnixTime::from_ms(20_000 * DAY_MS + DAY_MS / 2)
    }

    #[test]
    fn so_many_answers_of_a_day_are_that_there_is_no_record_and_then_nothing_is_asked() {
        let (mut misses, most, school) = (Misses::default(), registry::Misses { per_day: 5, share: 100 }, school());
        let told: Vec<Alarm> = (0..5).map(|_| misses.answered(&school, Found::Nothing, most, noon())).collect();
        assert_eq!(told, [Alarm::None, Alarm::None, Alarm::None, Alarm::Near, Alarm::None], "four of five");
        let mut ask = |agency: &AgencyId, now| {
            let Asked { verdict, alarm } = misses.ask(agency, most, now);
            (verdict.map_err(|fault| (fault.code, fault.retry_after_seconds)), alarm)
        };
        let refused = Err((Code::LimMisses, Some(12 * 3600)));
        assert_eq!(ask(&school, noon()), (refused, Alarm::Beyond));
        assert_eq!(ask(&school, noon()), (refused, Alarm::None), "told once");
        assert_eq!(ask(&AgencyId::parse("xx.clinic").expect("a name"), noon()), (Ok(()), Alarm::None), "another has its own");
        assert!(ask(&school, noon().minus_ms(DAY_MS)).0.is_err(), "a clock that went back");
        assert_eq!(ask(&school, noon().plus_ms(DAY_MS)), (Ok(()), Alarm::None), "the next day");
    }

    #[test]
    fn a_share_counts_from_twenty_answers_on_and_one_of_all_never() {
        let (mut misses, school) = (Misses::default(), school());
        let (half, all) = (registry::Misses { per_day: 1_000, share: 50 }, registry::Misses { per_day: 1_000, share: 100 });
        for number in 1..limits::MISSES_ANSWERS_MIN {
            assert_eq!(misses.answered(&school, Found::Nothing, half, noon()), Alarm::None, "{number}");
            assert!(misses.ask(&school, half, noon()).verdict.is_ok(), "{number}");
        }
        assert_eq!(misses.answered(&school, Found::Nothing, half, noon()), Alarm::Near);
        assert!(misses.ask(&school, half, noon()).verdict.is_err());
        assert!(misses.ask(&school, all, noon()).verdict.is_ok());
        // Those on their way are answered all the same; half of forty is not too much.
        let told = (0..20).map(|_| misses.answered(&school, Found::Something, half, noon()));
        assert!(told.into_iter().all(|alarm| alarm == Alarm::None));
        assert!(misses.ask(&school, half, noon()).verdict.is_ok());
    }

    #[test]
    fn answers_from_before_the_start_count_on_this_day_alone() {
        let most = registry::Misses { per_day: 3, share: 100 };
        let before = BTreeMap::from([(school(), Answers { all: 9, misses: 3 })]);
        let mut misses = Misses::since_midnight(before, noon());
        assert!(misses.ask(&school(), most, noon()).verdict.is_err());
        misses.evict(noon().plus_ms(DAY_MS / 2 - 1));
        assert!(misses.ask(&school(), most, noon()).verdict.is_err());
        misses.evict(noon().plus_ms(DAY_MS / 2));
        assert!(misses.agencies.is_empty());
    }
}
