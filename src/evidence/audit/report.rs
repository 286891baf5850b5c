//! Summaries and anomalies: what is asked, and what is found.

use super::{Pairs, QueryError};
use crate::base::time::Day;
use std::collections::BTreeMap;

/// What a summary counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grouping {
    /// Who asked.
    Consumer,
    /// Who holds.
    Provider,
    /// The document type.
    Document,
    /// The purpose.
    Purpose,
    /// The legal basis.
    Basis,
    /// The fault code.
    Code,
    /// The kind of record.
    Kind,
    /// The day, UTC.
    Day,
    /// The hour, UTC.
    Hour,
}

impl Grouping {
    const ALL: [(&'static str, Self); 9] = [
        ("consumer", Self::Consumer),
        ("provider", Self::Provider),
        ("document", Self::Document),
        ("purpose", Self::Purpose),
        ("basis", Self::Basis),
        ("code", Self::Code),
        ("kind", Self::Kind),
        ("day", Self::Day),
        ("hour", Self::Hour),
    ];

    /// The word of a query.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }

    /// Reads one to four words with commas between them; `consumer,day` if nothing is given.
    pub fn take(pairs: &mut Pairs) -> Result<Vec<Self>, QueryError> {
        let Some(text) = pairs.take("by") else { return Ok(vec![Self::Consumer, Self::Day]) };
        let wrong = || QueryError::value("by", BY);
        let mut by = Vec::new();
        for word in text.split(',') {
            let known = Self::ALL.iter().find(|(known, _)| *known == word).ok_or_else(wrong)?.1;
            if by.contains(&known) || by.len() == GROUPINGS_MAX {
                return Err(wrong());
            }
            by.push(known);
        }
        Ok(by)
    }
}

/// Most words that a summary counts by.
pub const GROUPINGS_MAX: usize = 4;
const BY: &str = "one to four of consumer, provider, document, purpose, basis, code, kind, day, hour, with commas, each once";

/// Times, counted in classes that are at most a sixty-fourth wide, so that memory does not grow with their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies(BTreeMap<u32, u64>);

impl Latencies {
    /// Counts a time in microseconds.
    pub fn add(&mut self, us: u32) {
        *self.0.entry(upper(us)).or_default() += 1;
    }

    /// The time that so many of a hundred are not above, rounded up by at most a sixty-fourth.
    pub fn percentile(&self, of_hundred: u64) -> Option<u32> {
        let count: u64 = self.0.values().sum();
        let rank = (count * of_hundred).div_ceil(100);
        let mut seen = 0;
        self.0.iter().find_map(|(us, number)| {
            seen += number;
            (seen >= rank).then_some(*us)
        })
    }
}

/// The greatest number of the class that one is in: all but its seven highest bits set.
fn upper(us: u32) -> u32 {
    let bits = u32::BITS - us.leading_zeros();
    us | ((1 << bits.saturating_sub(7)) - 1)
}

/// A group of a summary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// What its records have in common, in the order that was asked for; empty where they have none.
    pub key: Vec<String>,
    /// Records by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Refusals by code.
    pub codes: BTreeMap<String, u64>,
    /// How long answers took, from the request's arrival.
    pub latencies: Latencies,
}

/// What counts as conspicuous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// The hours of the night, UTC: from, and up to.
    pub night: (u8, u8),
    /// So many requests at night.
    pub nightly: u64,
    /// So many persons that one official asks for on a day.
    pub persons: u64,
    /// So many agencies that ask for one person on a day.
    pub agencies: u64,
    /// So many times the usual number of requests on a day.
    pub jump: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { night: (22, 6), nightly: 10, persons: 50, agencies: 5, jump: 5 }
    }
}

impl Thresholds {
    /// Reads the thresholds of a query.
    pub fn take(pairs: &mut Pairs) -> Result<Self, QueryError> {
        let mut this = Self::default();
        if let Some(text) = pairs.take("night") {
            let hour = |text: &str| text.parse::<u8>().ok().filter(|hour| *hour < 24);
            let night = text.split_once('-').and_then(|(from, to)| hour(from).zip(hour(to)));
            this.night = night.ok_or_else(|| QueryError::value("night", "two hours of the day in UTC, like 22-6"))?;
        }
        for (key, place) in [
            ("nightly", &mut this.nightly),
            ("persons", &mut this.persons),
            ("agencies", &mut this.agencies),
            ("jump", &mut this.jump),
        ] {
            if let Some(text) = pairs.take(key) {
                let number = text.parse().ok().filter(|number| (1..=1_000_000).contains(number));
                *place = number.ok_or_else(|| QueryError::value(key, "a number from 1 to 1000000"))?;
            }
        }
        Ok(this)
    }

    /// Whether an hour is of the night.
    pub fn is_night(&self, hour: u8) -> bool {
        let (from, to) = self.night;
        if from <= to { (from..to).contains(&hour) } else { hour >= from || hour < to }
    }
}

/// What is conspicuous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Of which kind.
    pub kind: AnomalyKind,
    /// The agency that asked; none where several did.
    pub agency: Option<String>,
    /// The official, by a pseudonym that is the same in the whole log.
    pub official: Option<String>,
    /// The day.
    pub day: Option<Day>,
    /// How many there were: requests, persons or agencies.
    pub count: u64,
    /// What it is to be compared with: all requests, or those of a usual day.
    pub usual: Option<u64>,
    /// One of the records.
    pub example: u64,
}

/// The kinds of anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnomalyKind {
    /// An agency asks at night.
    Night,
    /// An official asks for many persons on one day.
    ManyPersons,
    /// Many agencies ask for one person on one day.
    ManyAgencies,
    /// An agency asks far more often on a day than it usually does.
    Jump,
}

impl AnomalyKind {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Night => "night",
            Self::ManyPersons => "many-persons",
            Self::ManyAgencies => "many-agencies",
            Self::Jump => "jump",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list_up_to_a_sixty_fourth() {
        let mut numbers: Vec<u32> = (0..1000_u32).map(|number| number.wrapping_mul(2_654_435_761) >> (number % 25)).collect();
        let mut latencies = Latencies::default();
        numbers.iter().for_each(|number| latencies.add(*number));
        numbers.sort_unstable();
        for of_hundred in [1, 50, 90, 99, 100] {
            let exact = numbers[(of_hundred as usize * 10) - 1];
            let found = latencies.percentile(of_hundred).expect("there are some");
            assert!(found >= exact && u64::from(found) <= u64::from(exact) * 65 / 64, "{of_hundred}: {found} for {exact}");
        }
        assert_eq!(Latencies::default().percentile(50), None);
        assert_eq!((upper(0), upper(127), upper(128), upper(255), upper(u32::MAX)), (0, 127, 129, 255, u32::MAX));
    }

    #[test]
    fn groupings_and_thresholds_are_read_or_named() {
        let pairs = |text: &str| Pairs::parse(text).expect("pairs");
        assert_eq!(Grouping::take(&mut pairs("by=code,hour")), Ok(vec![Grouping::Code, Grouping::Hour]));
        for bad in ["by=", "by=day,day", "by=person", "by=consumer,provider,document,purpose,basis"] {
            assert!(Grouping::take(&mut pairs(bad)).is_err(), "{bad}");
        }
        let night = Thresholds::take(&mut pairs("night=23-5&persons=7")).expect("good");
        assert!(night.is_night(23) && night.is_night(0) && !night.is_night(5) && night.persons == 7);
        for bad in ["night=24-1", "night=3", "persons=0", "jump=x", "agencies=-1"] {
            assert!(Thresholds::take(&mut pairs(bad)).is_err(), "{bad}");
        }
    }
}
