//! What a situation does for people: measured on those who do not exist, before it is released.

use super::course::{Course, Synthetic};
use super::{Catalogue, Situation, StepIndex};
use std::collections::{BTreeMap, BTreeSet};

/// A share of many, with the interval in which it lies with 95 % (Wilson, Journal of the American Statistical Association 22, 1927).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// How many of
    pub count: u64,
    /// so many.
    pub of: u64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Share {
    /// So many of so many.
    pub fn new(count: u64, of: u64) -> Self {
        if of == 0 {
            return Self { count, of, low: 0.0, high: 1.0 };
        }
        let (low, high) = wilson(count as f64 / of as f64, of as f64);
        Self { count, of, low, high }
    }

    /// So many of so many, who are all that were asked out of so many whom there are and no more: the interval narrows as fewer are
    /// left who might say otherwise, as if n(N-1)/(N-n) of endlessly many had been asked. Nothing if there are fewer than were asked.
    pub fn within(count: u64, of: u64, there_are: u64) -> Option<Self> {
        let left = there_are.checked_sub(of)?;
        if count > of {
            return None;
        }
        if of == 0 {
            return Some(Self::new(count, of));
        }
        let share = count as f64 / of as f64;
        // Whoever has asked everybody knows.
        let (low, high) =
            if left == 0 { (share, share) } else { wilson(share, of as f64 * (there_are - 1) as f64 / left as f64) };
        Some(Self { count, of, low, high })
    }

    /// The share itself.
    pub fn share(&self) -> f64 {
        if self.of == 0 { 0.0 } else { self.count as f64 / self.of as f64 }
    }
}

/// Wilson's interval around a share of so many.
fn wilson(share: f64, of: f64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    let middle = share + Z * Z / (2.0 * of);
    let margin = Z * (share * (1.0 - share) / of + Z * Z / (4.0 * of * of)).sqrt();
    let below = 1.0 + Z * Z / of;
    (((middle - margin) / below).max(0.0), ((middle + margin) / below).min(1.0))
}

/// The middle of many figures, and what nine tenths do not pass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// The median.
    pub median: f64,
    /// The 90th percentile.
    pub ninth: f64,
    /// The largest.
    pub most: f64,
}

impl Figures {
    /// Those of a list.
    pub(super) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        // The smallest figure that so many do not pass.
        let at = |share: f64| {
            let rank = (share * figures.len() as f64).ceil() as usize;
            figures.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self { median: at(0.5), ninth: at(0.9), most: at(1.0) }
    }
}

/// What a case cost people before: each agency demanded its own copies, and one step came after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Before {
    /// Documents that they carried.
    pub documents: usize,
    /// Working days that they waited: the terms of the steps, and the ways between offices.
    pub days: f64,
}

impl Before {
    /// By the steps that were active; or as it was measured, where it was.
    pub fn of(situation: &Situation, steps: impl IntoIterator<Item = StepIndex>) -> Self {
        let baseline = &situation.baseline;
        let steps = steps.into_iter().filter_map(|index| situation.step(index));
        let model = steps.fold(Self::default(), |before, step| Self {
            documents: before.documents + step.needs.len(),
            days: before.days + step.deadline.in_working_days() + baseline.carry_days,
        });
        let documents = baseline.documents.map_or(model.documents, |measured| measured as usize);
        Self { documents, days: baseline.days.unwrap_or(model.days) }
    }
}

/// What a situation does for many people.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many.
    pub people: u64,
    /// How many different plans they get.
    pub plans: usize,
    /// Documents that people carried before.
    pub carried_before: Figures,
    /// Documents that they bring now.
    pub brought: Figures,
    /// Documents that are fetched.
    pub fetched: Figures,
    /// What they are asked.
    pub questions: Figures,
    /// How many forms they get.
    pub forms: Figures,
    /// Working days before.
    pub days_before: Figures,
    /// Working days now, if each step takes its whole term.
    pub days: Figures,
    /// Whose documents are halved.
    pub documents_halved: Share,
    /// Whose waiting is halved.
    pub waiting_halved: Share,
    /// How often each step holds a case up the longest.
    pub hold_ups: BTreeMap<StepIndex, u64>,
    /// Steps that stood still, and how often.
    pub stuck: BTreeMap<StepIndex, u64>,
}

impl Summary {
    /// Takes so many people through a situation.
    pub fn of(catalogue: &Catalogue, situation: &Situation, people: u64) -> Self {
        let courses: Vec<Course> = courses(catalogue, situation, people).collect();
        let spread = |figure: fn(&Course) -> f64| Figures::of(courses.iter().map(figure).collect());
        let count = |is: fn(&Course) -> bool| Share::new(courses.iter().filter(|course| is(course)).count() as u64, people);
        let often = |steps: fn(&Course) -> Vec<StepIndex>| {
            let mut often = BTreeMap::new();
            courses.iter().flat_map(steps).for_each(|step| *often.entry(step).or_insert(0) += 1);
            often
        };
        let plans: BTreeSet<&BTreeSet<StepIndex>> = courses.iter().map(|course| &course.steps).collect();
        Self {
            people,
            plans: plans.len(),
            carried_before: spread(|course| course.carried_before as f64),
            brought: spread(|course| course.brought.len() as f64),
            fetched: spread(|course| course.fetched.len() as f64),
            questions: spread(|course| course.asked.len() as f64),
            forms: spread(|course| f64::from(course.forms)),
            days_before: spread(|course| course.days_before),
            days: spread(|course| course.days),
            documents_halved: count(|course| course.brought.len() * 2 <= course.carried_before),
            waiting_halved: count(|course| course.days * 2.0 <= course.days_before),
            hold_ups: often(|course| course.hold_up.into_iter().collect()),
            stuck: often(|course| course.stuck.iter().copied().collect()),
        }
    }
}

fn courses<'c>(catalogue: &'c Catalogue, situation: &'c Situation, people: u64) -> impl Iterator<Item = Course> + 'c {
    (0..people).map(|number| Course::run(catalogue, situation, &Synthetic::new(catalogue, situation, number)))
}

/// Who gains and who loses by a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// How many people were looked at.
    pub people: u64,
    /// By step: how many get it now and did not before.
    pub steps_gained: BTreeMap<String, u64>,
    /// By step: how many got it before and do not now.
    pub steps_lost: BTreeMap<String, u64>,
    /// Who is done earlier.
    pub days_gained: u64,
    /// Who waits longer.
    pub days_lost: u64,
    /// Who brings fewer documents.
    pub documents_gained: u64,
    /// Who brings more.
    pub documents_lost: u64,
    /// Who is asked less.
    pub questions_gained: u64,
    /// Who is asked more.
    pub questions_lost: u64,
    /// Who has to come for fewer steps.
    pub visits_gained: u64,
    /// Who has to come for more.
    pub visits_lost: u64,
}

impl Change {
    /// What changes for the same people between two forms of a situation.
    pub fn between(before: (&Catalogue, &Situation), after: (&Catalogue, &Situation), people: u64) -> Self {
        let mut change = Self { people, ..Self::default() };
        let courses = courses(before.0, before.1, people).zip(courses(after.0, after.1, people));
        for (old, new) in courses {
            let names = |situation: &Situation, course: &Course| -> BTreeSet<String> {
                course.steps.iter().filter_map(|step| situation.step(*step)).map(|step| step.id.to_string()).collect()
            };
            let (had, has) = (names(before.1, &old), names(after.1, &new));
            has.difference(&had).for_each(|step| *change.steps_gained.entry(step.clone()).or_default() += 1);
            had.difference(&has).for_each(|step| *change.steps_lost.entry(step.clone()).or_default() += 1);
            let mut count = |before: f64, after: f64, gained: fn(&mut Self) -> &mut u64, lost: fn(&mut Self) -> &mut u64| {
                *gained(&mut change) += u64::from(after < before);
                *lost(&mut change) += u64::from(after > before);
            };
            // Whoever gets one more step may be done later with all of them, and loses nothing by that.
            if had.is_superset(&has) {
                count(old.days, new.days, |change| &mut change.days_gained, |change| &mut change.days_lost);
                let (brought, brings) = (old.brought.len() as f64, new.brought.len() as f64);
                count(brought, brings, |change| &mut change.documents_gained, |change| &mut change.documents_lost);
                let (visited, visits) = (old.visits as f64, new.visits as f64);
                count(visited, visits, |change| &mut change.visits_gained, |change| &mut change.visits_lost);
            }
            let (asked, asks) = (old.asked.len() as f64, new.asked.len() as f64);
            count(asked, asks, |change| &mut change.questions_gained, |change| &mut change.questions_lost);
        }
        change
    }

    /// Whether anybody loses a step, a day, a document or a way.
    pub fn is_loss(&self) -> bool {
        !self.steps_lost.is_empty() || self.days_lost + self.documents_lost + self.visits_lost > 0
    }

    /// Whether nothing changes for anybody.
    pub fn is_none(&self) -> bool {
        *self == Self { people: self.people, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_wilson() {
        // By hand: 8 of 10, and 0 of 20.
        let near = |left: f64, right: f64| (left - right).abs() < 1e-9;
        let some = Share::new(8, 10);
        assert!(near(some.low, 0.490_162_471_536_641_8) && near(some.high, 0.943_317_848_545_624_7), "{some:?}");
        let none = Share::new(0, 20);
        assert!(near(none.low, 0.0) && near(none.high, 0.161_125_158_052_819_38), "{none:?}");
        assert_eq!((Share::new(0, 0).low, Share::new(0, 0).high), (0.0, 1.0));
    }

    #[test]
    fn a_spread_has_figures_that_were_there() {
        let spread = Figures::of(vec![5.0, 1.0, 2.0, 3.0, 4.0, 9.0, 8.0, 7.0, 6.0, 10.0]);
        assert_eq!((spread.median, spread.ninth, spread.most), (5.0, 9.0, 10.0));
        assert_eq!(Figures::of(Vec::new()), Figures::default());
    }
}
