//! What situations have done for people: measured on cases that are over, by what was recorded of them.

use super::measure::{Before, Figures, Share};
use super::time::Calendar;
use super::{Channel, Situation, StepIndex};
use crate::base::ids::{AgencyId, Code};
use crate::base::time::UnixTime;
use std::collections::BTreeMap;

/// A step as it was carried out, by the clock of its case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Which.
    pub step: StepIndex,
    /// Who did it.
    pub agency: Option<AgencyId>,
    /// Since when nothing but documents stood between it and its agency.
    pub begun: UnixTime,
    /// When it was over.
    pub over: UnixTime,
}

/// What was recorded of a case.
#[derive(Clone, Debug)]
pub struct Recorded<'r> {
    /// Its situation.
    pub situation: &'r Situation,
    /// By which its days are counted.
    pub calendar: &'r Calendar,
    /// When it began.
    pub opened: UnixTime,
    /// The steps that applied.
    pub stays: &'r [Stay],
    /// Documents that came from the citizen.
    pub brought: u32,
    /// Questions that the citizen answered.
    pub questions: u32,
}

/// What a case was like for a family.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What it would have cost them before.
    pub before: Before,
    /// Documents that they brought.
    pub brought: u32,
    /// Questions that they answered.
    pub questions: u32,
    /// Working days from its beginning to the end of its last step.
    pub days: f64,
    /// Steps for which they had to come.
    pub visits: usize,
    /// The step that held it up the longest, and who did it.
    pub hold_up: Option<(Code, Option<AgencyId>)>,
}

impl Measured {
    /// Measures a case.
    pub fn of(case: &Recorded<'_>) -> Self {
        let steps = || case.stays.iter().map(|stay| stay.step);
        let last = case.stays.iter().map(|stay| stay.over).max().unwrap_or(case.opened);
        let in_person = |step: &StepIndex| case.situation.step(*step).is_some_and(|step| step.channel == Channel::InPerson);
        Self {
            before: Before::of(case.situation, steps()),
            brought: case.brought,
            questions: case.questions,
            days: case.calendar.working_days(case.opened, last),
            visits: steps().filter(in_person).count(),
            hold_up: hold_up(case),
        }
    }
}

/// The longest stay among the steps that waited for each other, back from the one that ended last.
fn hold_up(case: &Recorded<'_>) -> Option<(Code, Option<AgencyId>)> {
    let length = |stay: &Stay| case.calendar.working_days(stay.begun, stay.over);
    let mut at = case.stays.iter().max_by_key(|stay| stay.over);
    let mut longest: Option<(f64, &Stay)> = None;
    let mut left = case.stays.len();
    while let Some(stay) = at.filter(|_| left > 0) {
        if longest.is_none_or(|(most, _)| length(stay) > most) {
            longest = Some((length(stay), stay));
        }
        // What ended last before it began is what it had waited for.
        at = case.stays.iter().filter(|other| other.step != stay.step && other.over <= stay.begun).max_by_key(|other| other.over);
        left -= 1;
    }
    let (_, stay) = longest?;
    Some((case.situation.step(stay.step)?.id.clone(), stay.agency.clone()))
}

/// What many cases of a situation were like.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How many.
    pub cases: u64,
    /// Documents that people would have carried before.
    pub carried_before: Figures,
    /// Documents that they brought.
    pub brought: Figures,
    /// Questions that they answered.
    pub questions: Figures,
    /// Working days before.
    pub days_before: Figures,
    /// Working days now.
    pub days: Figures,
    /// Steps for which they had to come.
    pub visits: Figures,
    /// Whose documents were halved.
    pub documents_halved: Share,
    /// Whose waiting was halved.
    pub waiting_halved: Share,
    /// How often each step held a case up the longest, and at whom.
    pub hold_ups: BTreeMap<(Code, Option<AgencyId>), u64>,
}

impl Report {
    /// Of cases that were measured.
    pub fn of(cases: &[Measured]) -> Self {
        let spread = |figure: fn(&Measured) -> f64| Figures::of(cases.iter().map(figure).collect());
        let count = |is: fn(&&Measured) -> bool| Share::new(cases.iter().filter(is).count() as u64, cases.len() as u64);
        let mut hold_ups = BTreeMap::new();
        let held = cases.iter().filter_map(|case| case.hold_up.clone());
        held.for_each(|hold_up| *hold_ups.entry(hold_up).or_insert(0) += 1);
        Self {
            cases: cases.len() as u64,
            carried_before: spread(|case| case.before.documents as f64),
            brought: spread(|case| f64::from(case.brought)),
            questions: spread(|case| f64::from(case.questions)),
            days_before: spread(|case| case.before.days),
            days: spread(|case| case.days),
            visits: spread(|case| case.visits as f64),
            documents_halved: count(|case| case.brought as usize * 2 <= case.before.documents),
            waiting_halved: count(|case| case.days * 2.0 <= case.before.days),
            hold_ups,
        }
    }

    /// The step that held cases up most often, and at whom.
    pub fn most_held_up(&self) -> Option<(&Code, Option<&AgencyId>, u64)> {
        let most = self.hold_ups.iter().max_by_key(|(_, count)| **count);
        most.map(|((step, agency), count)| (step, agency.as_ref(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::schema::Schemas;
    use crate::rules::situation::Catalogue;

    /// The birth of a child, with steps that were begun and over so many hours after a Monday morning.
    fn measured(steps: &[(&str, u64, u64)], brought: u32) -> Measured {
        let catalogue = Catalogue::built_in(&Schemas::built_in()).expect("it is right");
        let situation = catalogue.situation(&Code::parse("birth-of-child").expect("a code"), None).expect("it is there");
        let opened = UnixTime::parse("2026-03-02T06:00:00Z").expect("an instant");
        let at = |hours: u64| opened.plus_ms(hours * 60 * 60 * 1000);
        let stay = |(step, begun, over): &(&str, u64, u64)| Stay {
            step: situation.step_named(&Code::parse(step).expect("a code")).expect("a step"),
            agency: AgencyId::parse(&format!("xx.town.{step}")),
            begun: at(*begun),
            over: at(*over),
        };
        let stays: Vec<Stay> = steps.iter().map(stay).collect();
        let calendar = Calendar::new(180, Default::default(), Default::default());
        Measured::of(&Recorded { situation, calendar: &calendar, opened, stays: &stays, brought, questions: 1 })
    }

    #[test]
    fn a_case_is_measured_by_the_formulas() {
        // Monday 9:00 to Thursday 9:00, local time; the registration until Tuesday 9:00, and the residence after it.
        let case = measured(&[("register-birth", 0, 24), ("snils", 24, 26), ("residence", 24, 72)], 1);
        // Needs 3 + 1 + 3; terms 1 + 1 + 3, and a day for each way.
        assert_eq!(case.before, Before { documents: 7, days: 8.0 });
        // Monday and Tuesday and Wednesday are waited for whole, and of Thursday nine hours since midnight, which is more than a day.
        assert!((case.days - 4.0).abs() < 1e-9, "{}", case.days);
        assert_eq!(case.visits, 0);
        let (step, agency) = case.hold_up.expect("something is the longest");
        assert_eq!((step.as_str(), agency.as_ref().map(AgencyId::as_str)), ("residence", Some("xx.town.residence")));
    }

    #[test]
    fn what_waits_for_nothing_that_is_long_is_held_up_by_what_came_before() {
        let case = measured(&[("register-birth", 0, 49), ("snils", 49, 50)], 0);
        assert_eq!(case.hold_up.map(|(step, _)| step.to_string()), Some("register-birth".to_owned()));
        let none = measured(&[], 0);
        assert_eq!((none.hold_up, none.days, none.before), (None, 0.0, Before::default()));
    }

    #[test]
    fn a_report_says_whose_documents_and_waiting_were_halved() {
        let quick = measured(&[("register-birth", 0, 8)], 0);
        let slow = measured(&[("register-birth", 0, 200)], 2);
        let report = Report::of(&[quick.clone(), quick.clone(), quick, slow]);
        assert_eq!((report.cases, report.carried_before.median), (4, 3.0));
        // By hand: 3 of 4 by Wilson, with z = 1.959964: (0.75 + z²/8 ± z·sqrt(0.75·0.25/4 + z²/64)) / (1 + z²/4), which is
        // (1.230182 ± 0.640815) / 1.960365.
        for share in [report.documents_halved, report.waiting_halved] {
            assert_eq!((share.count, share.of), (3, 4));
            assert!((share.low - 0.300_641_842_582_402).abs() < 1e-9, "{share:?}");
            assert!((share.high - 0.954_412_739_190_296_1).abs() < 1e-9, "{share:?}");
        }
        assert_eq!(report.most_held_up().map(|(step, _, count)| (step.as_str(), count)), Some(("register-birth", 4)));
    }
}
