//! What people who do not exist have said of how it was, so that a fresh demo has something to show: sixty answers over three months.

use super::world::WorldError;
use crate::base::ids::{AgencyId, Code, Region};
use crate::base::time::{Day, UnixTime};
use crate::rules::quality::{About, Ending, Month, Provider, Questionnaire, Rated, Rating};
use std::collections::BTreeSet;

/// What is answered about, where, and by which agencies.
const ABOUT: [(&str, &str, &[&str]); 3] = [
    ("birth-of-child", "RU-YAR", &["xx.town.perinatal-clinic", "xx.town.sfr", "xx.town.kindergarten"]),
    ("birth-of-child", "RU-TAT", &["xx.town.zags", "xx.town.sfr", "xx.town.tfoms"]),
    ("loss-of-work", "RU-YAR", &["xx.town.employment", "xx.town.sfr"]),
];

/// Sixty answers, the same each time but for their months: this one and the two before it.
pub fn made_up(now: UnixTime) -> Result<Vec<Rating>, WorldError> {
    let questionnaire =
        Questionnaire::built_in().map_err(|wrong| unlike(&wrong.first().map(ToString::to_string).unwrap_or_default()))?;
    (0..ANSWERS).map(|number| rating(&questionnaire, now, number)).collect()
}

fn rating(questionnaire: &Questionnaire, now: UnixTime, number: u32) -> Result<Rating, WorldError> {
    let of = ABOUT[number as usize % ABOUT.len()];
    let (situation, region) = (Code::parse(of.0), Region::parse(of.1));
    let (situation, region) = situation.zip(region).ok_or_else(|| unlike(of.0))?;
    let back = i64::from(number / 3 % 3) * 31;
    let about = About {
        rated: Rated::Situation(situation),
        region,
        month: Month::of(Day::from_days(now.day().days_since_epoch() - back)),
        ending: if number % 5 == 4 { Ending::Refused } else { Ending::Done },
        agencies: of.2.iter().filter_map(|agency| AgencyId::parse(agency)).collect::<BTreeSet<_>>(),
        provider: Provider::State,
    };
    // Whoever was refused something is less content; nobody is content with everything.
    let most = if number % 5 == 4 { 3 } else { 5 };
    let points = |question: u32| {
        (most - (number * 7 + question * 3) % 4 / 2 - u32::from((number + question).is_multiple_of(9))).to_string()
    };
    let given = ["process", "comfort", "courtesy", "competence", "conditions"];
    let given: Vec<(&str, String)> = given.into_iter().zip((0_u32..).map(points)).collect();
    let answer = questionnaire.answer(given.iter().map(|(question, points)| (*question, points.as_str())));
    let answer = answer.map_err(|wrong| unlike(&wrong.to_string()))?;
    Rating::new(about, answer).map_err(|wrong| unlike(&wrong.to_string()))
}

fn unlike(what: &str) -> WorldError {
    WorldError::Unlike(what.to_owned())
}

const ANSWERS: u32 = 60;
