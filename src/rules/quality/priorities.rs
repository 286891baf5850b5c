//! Which everyday issues of a region come first: those in which the most people are left dissatisfied.
//!
//! An issue is ranked by the share of the dissatisfied times the cases of a year, with the interval, and with the places that it might have
//! as well. Refuses to choose fewer than three or more than ten, and leaves out what fewer than ten have answered.

use super::file::{MANY, RawTexts, Read, Reading, Table, Word};
use super::statistics::{SHOWN_MIN, Share};
use crate::base::fault::Code as Fault;
use crate::base::ids::{Code, Region};
use crate::rules::situation::{Diagnostic, File, Texts};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Candidates of all regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priorities {
    regions: BTreeMap<Region, Candidates>,
}

/// The candidates of one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    choose: u64,
    issues: BTreeMap<Code, Issue>,
}

/// An everyday issue of which something might be made better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Its name for people.
    pub title: Texts,
    /// The situation that it belongs to, if it does.
    pub situation: Option<Code>,
    /// How many people have it in a year.
    pub cases: u64,
    /// How many of them were asked and answered.
    pub answered: u64,
    /// How many of these are dissatisfied.
    pub dissatisfied: u64,
}

impl Issue {
    /// The share of the dissatisfied, among the cases of a year and nobody else.
    fn share(&self) -> Option<Share> {
        Share::within(self.dissatisfied, self.answered, self.cases).filter(|share| share.of >= SHOWN_MIN)
    }
}

/// An issue with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked<'i> {
    /// Its name.
    pub id: &'i Code,
    /// The issue.
    pub issue: &'i Issue,
    /// The dissatisfied.
    pub share: Share,
    /// Its place, from 1.
    pub place: usize,
    /// The best place that it might have: of others whose interval overlaps with its own, nobody knows which comes first.
    pub place_best: usize,
    /// The worst.
    pub place_worst: usize,
}

impl Ranked<'_> {
    /// How many people a year it leaves dissatisfied.
    pub fn harm(&self) -> f64 {
        self.share.share() * self.issue.cases as f64
    }

    /// At the least.
    pub fn harm_low(&self) -> f64 {
        self.share.low * self.issue.cases as f64
    }

    /// At the most.
    pub fn harm_high(&self) -> f64 {
        self.share.high * self.issue.cases as f64
    }
}

/// The issues of a region in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking<'i> {
    /// Those that are chosen.
    pub chosen: Vec<Ranked<'i>>,
    /// The others.
    pub others: Vec<Ranked<'i>>,
    /// Those that fewer than ten have answered about: ask more people.
    pub unknown: Vec<(&'i Code, &'i Issue)>,
}

impl Priorities {
    /// Reads a file of candidates. Either all of it is good, or all that is wrong is told.
    pub fn read(file: &File) -> Result<Self, Vec<Diagnostic>> {
        Reading::whole(file, read)
    }

    /// The file that comes with the program: invented figures.
    pub fn built_in_file() -> File {
        File::new("quality/priorities.toml", include_str!("../../../schemas/quality/priorities.toml"))
    }

    /// The regions that it is about.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.keys()
    }

    /// The issues of a region, ranked.
    pub fn ranking(&self, region: &Region) -> Option<Ranking<'_>> {
        self.regions.get(region).map(Candidates::ranking)
    }
}

impl Candidates {
    fn ranking(&self) -> Ranking<'_> {
        let unknown = self.issues.iter().filter(|(_, issue)| issue.share().is_none()).collect();
        let known = self.issues.iter().filter_map(|(id, issue)| Some((id, issue, issue.share()?)));
        let mut ranked: Vec<Ranked<'_>> =
            known.map(|(id, issue, share)| Ranked { id, issue, share, place: 0, place_best: 0, place_worst: 0 }).collect();
        ranked.sort_by(|left, right| {
            let by_harm = right.harm().total_cmp(&left.harm());
            by_harm.then(right.harm_low().total_cmp(&left.harm_low())).then(left.id.cmp(right.id))
        });
        let intervals: Vec<(f64, f64)> = ranked.iter().map(|one| (one.harm_low(), one.harm_high())).collect();
        for (at, one) in ranked.iter_mut().enumerate() {
            one.place = at + 1;
            one.place_best = 1 + intervals.iter().filter(|(low, _)| *low > one.harm_high()).count();
            one.place_worst = intervals.len() - intervals.iter().filter(|(_, high)| *high < one.harm_low()).count();
        }
        let others = ranked.split_off(ranked.len().min(self.choose as usize));
        Ranking { chosen: ranked, others, unknown }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    format: Spanned<u32>,
    region: Table<RawRegion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRegion {
    choose: Spanned<u64>,
    issue: Table<RawIssue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIssue {
    title: RawTexts,
    situation: Option<Word>,
    cases: Spanned<u64>,
    answered: Spanned<u64>,
    dissatisfied: Spanned<u64>,
}

fn read(reading: &mut Reading<'_>, raw: Raw) -> Read<Priorities> {
    reading.format(&raw.format)?;
    let regions = reading.each(raw.region.0.into_iter().collect(), |reading, (name, raw)| {
        let region = reading.region(&name)?;
        let choose = reading.count(&raw.choose, CHOSEN, "choose")?;
        let issues = reading
            .each(raw.issue.0.into_iter().collect(), |reading, (name, raw)| Ok((reading.code(&name)?, issue(reading, raw)?)));
        if (issues.len() as u64) < choose {
            let what = format!("{choose} are to be chosen, and there are {} candidates", issues.len());
            return reading.wrong(Fault::QuaSyntax, &raw.choose.span(), what);
        }
        Ok((region, Candidates { choose, issues: issues.into_iter().collect() }))
    });
    Ok(Priorities { regions: regions.into_iter().collect() })
}

fn issue(reading: &mut Reading<'_>, raw: RawIssue) -> Read<Issue> {
    let title = reading.texts(raw.title)?;
    let situation = raw.situation.map(|code| reading.code(&code)).transpose()?;
    let cases = reading.count(&raw.cases, 1..=MANY, "cases")?;
    let answered = reading.count(&raw.answered, 0..=cases, "answered")?;
    let dissatisfied = reading.count(&raw.dissatisfied, 0..=answered, "dissatisfied")?;
    Ok(Issue { title, situation, cases, answered, dissatisfied })
}

/// How many issues a region takes up at once.
const CHOSEN: std::ops::RangeInclusive<u64> = 3..=10;

#[cfg(test)]
mod tests {
    use super::*;

    fn region(text: &str) -> Region {
        Region::parse(text).expect("a region")
    }

    fn built_in() -> Priorities {
        Priorities::read(&Priorities::built_in_file()).unwrap_or_else(|wrong| panic!("{}", wrong[0]))
    }

    /// By hand, cases times dissatisfied by answered: 60000 * 120/400 = 18000; 24000 * 90/150 = 14400; 9000 * 52/80 = 5850;
    /// 5200 * 66/120 = 2860; 3100 * 30/40 = 2325; 40000 * 12/300 = 1600; 1500 * 11/60 = 275. Six have answered about the last.
    #[test]
    fn priorities_are_ranked_as_by_hand() {
        let priorities = built_in();
        let ranking = priorities.ranking(&region("RU-YAR")).expect("there");
        let told = |ranked: &[Ranked<'_>]| -> Vec<(String, f64)> {
            ranked.iter().map(|one| (one.id.to_string(), (one.harm() * 1e6).round() / 1e6)).collect()
        };
        let named = |rows: &[(&str, f64)]| rows.iter().map(|(id, harm)| ((*id).to_owned(), *harm)).collect::<Vec<_>>();
        assert_eq!(
            told(&ranking.chosen),
            named(&[
                ("doctors-appointment", 18_000.0),
                ("kindergarten-queue", 14_400.0),
                ("disability-papers", 5_850.0),
                ("school-transfer", 2_860.0),
            ])
        );
        assert_eq!(
            told(&ranking.others),
            named(&[("carers-payment", 2_325.0), ("vehicle-registration", 1_600.0), ("large-family-card", 275.0)])
        );
        assert_eq!(ranking.unknown.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["veterans-grave"]);
    }

    /// With python3: n(N-1)/(N-n) and Wilson at 40 digits; who overlaps with whom, by looking at the intervals.
    #[test]
    fn places_come_with_intervals_and_with_the_places_that_they_might_be() {
        let priorities = built_in();
        let ranking = priorities.ranking(&region("RU-YAR")).expect("there");
        let all: Vec<&Ranked<'_>> = ranking.chosen.iter().chain(&ranking.others).collect();
        let places: Vec<(usize, usize, usize)> = all.iter().map(|one| (one.place, one.place_best, one.place_worst)).collect();
        assert_eq!(places, PLACES);
        for (one, (low, high)) in all.iter().zip(HARM) {
            assert!((one.harm_low() - low).abs() < 1e-4 && (one.harm_high() - high).abs() < 1e-4, "{one:?}");
        }
    }

    const PLACES: [(usize, usize, usize); 7] = [(1, 1, 2), (2, 1, 2), (3, 3, 3), (4, 4, 6), (5, 4, 6), (6, 4, 6), (7, 7, 7)];
    const HARM: [(f64, f64); 7] = [
        (15_438.179_342_6, 20_788.611_880_2),
        (12_487.184_346_1, 16_193.684_156_2),
        (4_871.603_096_5, 6_705.724_622_1),
        (2_401.506_222_1, 3_302.721_812_4),
        (1_857.156_621_2, 2_658.591_030_5),
        (922.964_486_1, 2_738.862_586_1),
        (160.127_194_2, 444.916_505_9),
    ];

    #[test]
    fn the_situations_of_issues_are_in_the_catalogue() {
        let schemas = crate::message::schema::Schemas::built_in();
        let catalogue = crate::rules::situation::Catalogue::built_in(&schemas).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let priorities = built_in();
        let issues = priorities.regions.values().flat_map(|region| region.issues.values());
        for situation in issues.filter_map(|issue| issue.situation.as_ref()) {
            assert!(catalogue.situation(situation, None).is_some(), "{situation}");
        }
    }

    #[test]
    fn each_mistake_of_a_file_of_priorities_is_told_with_its_place() {
        let text = Priorities::built_in_file().text;
        for (from, to, expected) in [
            ("choose = 4", "choose = 2", "choose is 3 to 10, and not 2"),
            ("choose = 4", "choose = 11", "choose is 3 to 10, and not 11"),
            ("choose = 4", "choose = 9", "9 are to be chosen, and there are 8 candidates"),
            ("dissatisfied = 120", "dissatisfied = 401", "dissatisfied is 0 to 400, and not 401"),
            ("answered = 400", "answered = 60001", "answered is 0 to 60000, and not 60001"),
            ("RU-YAR", "yar", "\"yar\" is not a region"),
            ("dissatisfied = 120", "disatisfied = 120", "did you mean dissatisfied?"),
        ] {
            assert!(text.contains(from), "{from}");
            let wrong = Priorities::read(&File::new("p.toml", text.replace(from, to))).expect_err(to);
            let told = wrong[0].to_string();
            assert!(told.starts_with("p.toml:") && told.contains(expected), "expected {expected}, found {told}");
        }
    }
}
