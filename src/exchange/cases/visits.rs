//! Steps that are attended in person one after the other, on one day that the citizen chooses: the times that their agencies offer,
//! brought together.

use super::change::{Change, Text, Time};
use super::forward::Next;
use super::{Around, Case, StepLine, StepState};
use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::Code;
use crate::base::limits;
use crate::base::time::{Day, UnixTime};
use crate::rules::situation::plan::{Plan, Stage};
use crate::rules::situation::time::Calendar;
use crate::rules::situation::{Step, StepIndex};
use std::collections::{BTreeMap, BTreeSet};

/// From when until when somebody can be attended.
pub(super) type Slot = (UnixTime, UnixTime);

/// How the name of an appointment is answered: `appointment.specialists=2026-12-04`.
const ANSWER: &str = "appointment.";

/// Whether an answer chooses a day.
pub(super) fn is_choice(name: &str) -> bool {
    name.starts_with(ANSWER)
}

impl Case {
    /// Takes the times that an agency offers: what was chosen before counts for none of the appointment's steps any more.
    pub(super) fn offers(&mut self, around: Around<'_>, step: StepIndex, times: &[(Time, Time)]) {
        let name = around.situation.step(step).and_then(|step| step.appointment.as_ref());
        for (other, line) in around.situation.steps.iter().zip(&mut self.steps) {
            if other.appointment.as_ref() == name && !line.state.is_over() {
                line.visit = None;
            }
        }
        if let Some(line) = self.steps.get_mut(usize::from(step.0)) {
            (line.state, line.again) = (StepState::Idle, None);
            line.times = times.iter().map(|(from, until)| ((*from).into(), (*until).into())).collect();
        }
    }

    /// Takes what the citizen has chosen. Whoever was told another time is told anew.
    pub(super) fn chosen(&mut self, around: Around<'_>, appointment: &Code, visits: &[(Text<Code>, Time)]) {
        self.form.days.remove(appointment);
        for (step, at) in visits {
            let mut before = None;
            if let Some(line) = self.line_mut(around, &step.0).filter(|line| !line.state.is_over()) {
                line.visit = Some((*at).into());
                let told = line.errand.as_ref().and_then(|errand| errand.visit);
                if told != Some(super::change::Visit::At(*at)) {
                    line.state = StepState::Idle;
                    before = line.errand.take().map(|errand| errand.message.0);
                }
            }
            before.iter().for_each(|message| drop(self.errands.remove(message)));
        }
        self.settle_form();
    }

    /// Takes it that there is no such day: the agencies are asked for other times.
    pub(super) fn has_no_day(&mut self, around: Around<'_>, appointment: &Code, again: Time) {
        self.form.days.remove(appointment);
        self.settle_form();
        let mut before = Vec::new();
        for (step, line) in around.situation.steps.iter().zip(&mut self.steps) {
            if step.appointment.as_ref() == Some(appointment) && !line.state.is_over() {
                (line.state, line.times, line.visit) = (StepState::Idle, Vec::new(), None);
                line.again = Some((again.into(), NO_DAY.to_owned()));
                before.extend(line.errand.take().map(|errand| errand.message.0));
            }
        }
        // Whoever was told a day before is asked anew as well.
        before.iter().for_each(|message| drop(self.errands.remove(message)));
    }

    /// The days that a citizen can choose now, by appointment.
    pub(super) fn choosable(&self, around: Around<'_>) -> BTreeMap<&Code, Vec<Day>> {
        let Some(calendar) = around.catalogue.calendar(self.region()) else { return BTreeMap::new() };
        let today = calendar.day(self.time(around.now));
        let to_come = |days: &BTreeSet<Day>| days.iter().filter(|day| **day > today).copied().collect::<Vec<Day>>();
        let all = self.form.days.iter().map(|(appointment, days)| (appointment, to_come(days)));
        all.filter(|(_, days)| !days.is_empty()).collect()
    }

    /// When the last day of an appointment begins: from then on it cannot be chosen.
    pub(super) fn days_end(&self, around: Around<'_>) -> Option<UnixTime> {
        let calendar = around.catalogue.calendar(self.region())?;
        self.form.days.values().filter_map(|days| days.last()).map(|day| calendar.at(*day, 0)).min()
    }

    /// What follows from the days that a citizen chooses.
    pub(super) fn choices(&self, around: Around<'_>, answers: &[(String, String)]) -> Result<Vec<Change>, Fault> {
        let (choosable, plan) = (self.choosable(around), self.plan(around));
        let mut changes = Vec::with_capacity(answers.len());
        for (name, text) in answers {
            let appointment = name.strip_prefix(ANSWER).unwrap_or_default();
            let asked = Code::parse(appointment).and_then(|name| Some((choosable.get(&name)?, name)));
            let (days, appointment) = asked.ok_or_else(|| Fault::at(FaultCode::CasAnswer, format!("{name} was not asked")))?;
            let day = Day::parse(text).filter(|day| days.contains(day));
            let visits = day.and_then(|day| {
                let calendar = around.catalogue.calendar(self.region())?;
                let attended = self.attended(around, &plan, &appointment);
                let times = on_a_day(&attended, calendar, day)?;
                Some(attended.iter().map(|(step, _)| Text(step.id.clone())).zip(times.into_iter().map(Time::from)).collect())
            });
            let wrong = || Fault::at(FaultCode::CasAnswer, format!("{name} is one of the days that are offered"));
            changes.push(Change::Chosen { appointment: Text(appointment), visits: visits.ok_or_else(wrong)? });
        }
        Ok(changes)
    }

    /// The steps of an appointment that apply, or may, and are not over, with the times that are offered.
    fn attended<'c>(&'c self, around: Around<'c>, plan: &Plan, appointment: &Code) -> Vec<(&'c Step, &'c StepLine)> {
        let rows = around.situation.steps.iter().zip(&self.steps).zip(&plan.steps);
        let of = rows.filter(|((step, line), planned)| {
            step.appointment.as_ref() == Some(appointment) && planned.stage != Stage::Off && !line.state.is_over()
        });
        of.map(|(row, _)| row).collect()
    }
}

impl StepLine {
    /// Whether nothing is to be asked of its agency before the citizen has chosen.
    pub(super) fn waits_for_a_choice(&self, step: &Step) -> bool {
        step.appointment.is_some() && self.visit.is_none() && !self.times.is_empty()
    }
}

impl Next<'_> {
    /// The days of which the citizen is to choose, by appointment, once all its steps have times; and of which there are none.
    pub(super) fn days(&self, changes: &mut Vec<Change>) -> BTreeMap<Code, BTreeSet<Day>> {
        let mut days = BTreeMap::new();
        let names: BTreeSet<&Code> = self.around.situation.steps.iter().filter_map(|step| step.appointment.as_ref()).collect();
        let Some(calendar) = self.around.catalogue.calendar(self.case.region()) else { return days };
        for name in names {
            let attended = self.case.attended(self.around, self.plan, name);
            let is_open = attended.iter().any(|(_, line)| line.visit.is_none());
            if !is_open || attended.iter().any(|(_, line)| line.times.is_empty()) {
                continue;
            }
            let common = common_days(&attended, calendar, self.time);
            if common.is_empty() {
                let again = self.case.again(self.around.now, NO_DAY_TRIES).into();
                changes.push(Change::NoDay { appointment: Text(name.clone()), again });
            } else {
                days.insert(name.clone(), common);
            }
        }
        days
    }
}

/// The days on which all can be attended, from the next one on.
fn common_days(attended: &[(&Step, &StepLine)], calendar: &Calendar, now: UnixTime) -> BTreeSet<Day> {
    let today = calendar.day(now);
    let first = attended.first().map_or(&[][..], |(_, line)| line.times.as_slice());
    let days: BTreeSet<Day> = first.iter().map(|(from, _)| calendar.day(*from)).filter(|day| *day > today).collect();
    days.into_iter().filter(|day| on_a_day(attended, calendar, *day).is_some()).collect()
}

/// When each is attended on a day, so that nobody has to be in two places at once; nothing if that cannot be.
fn on_a_day(attended: &[(&Step, &StepLine)], calendar: &Calendar, day: Day) -> Option<Vec<UnixTime>> {
    let on_it =
        |line: &StepLine| line.times.iter().copied().filter(|(from, _)| calendar.day(*from) == day).collect::<Vec<Slot>>();
    let slots: Vec<Vec<Slot>> = attended.iter().map(|(_, line)| on_it(line)).collect();
    let mut visits = vec![None; slots.len()];
    arrange(&slots, UnixTime::default(), &mut visits).then(|| visits.into_iter().flatten().collect())
}

/// One after the other, in whatever order they fit. Of the slots of one that of the earliest end leaves most room for the others.
fn arrange(slots: &[Vec<Slot>], from: UnixTime, visits: &mut Vec<Option<UnixTime>>) -> bool {
    let left: Vec<usize> = (0..slots.len()).filter(|index| visits.get(*index).is_some_and(Option::is_none)).collect();
    left.is_empty()
        || left.into_iter().any(|index| {
            let fitting = slots.get(index).into_iter().flatten().filter(|(start, _)| *start >= from);
            let Some((start, end)) = fitting.min_by_key(|(_, end)| *end).copied() else { return false };
            visits[index] = Some(start);
            let fits = arrange(slots, end, visits);
            if !fits {
                visits[index] = None;
            }
            fits
        })
}

/// Times as an agency has offered them: in order, not over, and so many.
pub(super) fn usable(times: impl Iterator<Item = Slot>, now: UnixTime) -> Vec<(Time, Time)> {
    let mut times: Vec<Slot> = times.filter(|(from, until)| *from > now && until > from).collect();
    times.sort_unstable();
    times.dedup();
    times.truncate(limits::SLOTS_MAX);
    times.into_iter().map(|(from, until)| (from.into(), until.into())).collect()
}

/// What stands in the way of steps that have no common day.
pub(super) const NO_DAY: &str = "no-day";
/// They are asked again as if it had failed so often: after half an hour.
const NO_DAY_TRIES: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(text: &str) -> Slot {
        let (day, from, until) = (&text[..2], &text[3..5], &text[6..8]);
        let at = |hour: &str| UnixTime::parse(&format!("2026-12-{day}T{hour}:00:00Z")).expect("an instant");
        (at(from), at(until))
    }

    fn visits(offers: &[&[&str]]) -> Option<Vec<u64>> {
        let slots: Vec<Vec<Slot>> = offers.iter().map(|slots| slots.iter().map(|text| slot(text)).collect()).collect();
        let mut visits = vec![None; slots.len()];
        let found = arrange(&slots, UnixTime::default(), &mut visits);
        found.then(|| visits.into_iter().flatten().map(|at| at.as_ms() / 3_600_000 % 24).collect())
    }

    #[test]
    fn nobody_has_to_be_in_two_places_at_once() {
        assert_eq!(visits(&[&["04 09-10"], &["04 10-11"], &["04 11-12"]]), Some(vec![9, 10, 11]));
        // In whatever order they fit.
        assert_eq!(visits(&[&["04 11-12"], &["04 10-11"], &["04 09-10", "04 10-11"]]), Some(vec![11, 10, 9]));
        assert_eq!(visits(&[&["04 09-11"], &["04 10-12"]]), None);
        // A long slot that begins early is no hindrance where a short one ends before.
        assert_eq!(visits(&[&["04 09-12", "04 10-11"], &["04 11-12"]]), Some(vec![10, 11]));
        assert_eq!(visits(&[&["04 09-10"], &[]]), None);
    }

    #[test]
    fn times_are_taken_in_order_once_and_only_so_many() {
        let now = UnixTime::parse("2026-12-04T08:00:00Z").expect("an instant");
        let some = ["05 09-10", "04 09-10", "05 09-10", "04 07-08", "04 10-09"].map(slot);
        let taken: Vec<Slot> =
            usable(some.into_iter(), now).into_iter().map(|(from, until)| (from.into(), until.into())).collect();
        assert_eq!(taken, ["04 09-10", "05 09-10"].map(slot));
        let many = |count: u64| usable((1..=count).map(|hour| (now.plus_ms(hour), now.plus_ms(hour + 1))), now).len();
        let most = limits::SLOTS_MAX;
        assert_eq!([most as u64, most as u64 + 1].map(many), [most, most]);
    }
}
