//! All open cases at a glance: how far each is, and who holds up what. A fold over cases as they change, without a name of anybody; it is in
//! memory, bounded, and made anew by reading.

use super::{Around, Case, StepState};
use crate::base::ids::{AgencyId, Code, Region, Uuid};
use crate::base::time::UnixTime;
use crate::rules::situation::plan::Stage;
use std::collections::BTreeMap;

/// A case in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// The situation.
    pub situation: Code,
    /// Where.
    pub region: Option<Region>,
    /// When it began.
    pub opened: UnixTime,
    /// Whether it is of the test world.
    pub test: bool,
    /// How many steps there are, and how many are over.
    pub steps: (u32, u32),
    /// What the citizen is asked.
    pub asks: u32,
    /// The agency that looks after it.
    pub assistant: Option<AgencyId>,
    /// Steps that somebody is at.
    pub waits: Vec<Waiting>,
    /// The agencies that have a part in it, and whoever applied.
    pub parties: Vec<AgencyId>,
}

/// A step that somebody is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub step: Code,
    /// Who.
    pub agency: AgencyId,
    /// Since when, by everybody's clock.
    pub since: UnixTime,
    /// When its term is over, by everybody's clock.
    pub due: Option<UnixTime>,
    /// Whether its term has passed.
    pub is_late: bool,
    /// Why it could not be asked or done, if that is so: a code.
    pub trouble: Option<String>,
}

impl Glance {
    /// What is seen of a case; nothing of one that is over.
    pub fn at(case: &Case, around: Around<'_>) -> Option<Self> {
        if case.is_over() {
            return None;
        }
        let plan = case.plan(around);
        let lines = || case.steps.iter().zip(&plan.steps).filter(|(_, planned)| planned.stage != Stage::Off);
        let rows = around.situation.steps.iter().zip(&case.steps);
        let waits = rows.filter_map(|(step, line)| {
            let is_at_work = matches!(line.state, StepState::Idle | StepState::Offered | StepState::Accepted);
            Some(Waiting {
                step: step.id.clone(),
                agency: line.agency.clone().filter(|_| is_at_work)?,
                since: case.real(line.begun?),
                due: line.due.map(|due| case.real(due)),
                is_late: line.is_overdue,
                trouble: line.again.as_ref().map(|(_, code)| code.clone()),
            })
        });
        let mut parties: Vec<AgencyId> = case.steps.iter().filter_map(|line| line.agency.clone()).collect();
        parties.push(case.opening.by.0.clone());
        parties.extend(case.assistant.iter().map(|(agency, _)| agency.clone()));
        parties.sort();
        parties.dedup();
        Some(Self {
            situation: case.opening.situation.0.clone(),
            region: case.region().cloned(),
            opened: case.opened,
            test: case.opening.test,
            steps: (lines().count() as u32, lines().filter(|(line, _)| line.state.is_over()).count() as u32),
            asks: (case.form.ask.len() + case.form.bring.len() + case.choosable(around).len()) as u32,
            assistant: case.assistant.as_ref().map(|(agency, _)| agency.clone()),
            waits: waits.collect(),
            parties,
        })
    }

    /// Whether a step is late.
    pub fn is_late(&self) -> bool {
        self.waits.iter().any(|wait| wait.is_late)
    }
}

/// What holds cases up: a step of a situation at an agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldUp {
    /// The situation.
    pub situation: Code,
    /// The step.
    pub step: Code,
    /// The agency.
    pub agency: AgencyId,
    /// How many cases wait there.
    pub waiting: u64,
    /// In how many of them it is late.
    pub late: u64,
    /// Since when the first of them waits.
    pub since: UnixTime,
    /// The case that has waited for the longest time.
    pub example: Uuid,
}

/// All open cases.
#[derive(Debug, Default)]
pub struct Board {
    lines: BTreeMap<Uuid, Glance>,
    /// Cases for which there was no room.
    left_out: u64,
}

impl Board {
    /// A case is as it is seen now, or is over.
    pub fn put(&mut self, id: Uuid, glance: Option<Glance>) {
        match glance {
            None => drop(self.lines.remove(&id)),
            Some(glance) if self.lines.len() < BOARD_CASES_MAX || self.lines.contains_key(&id) => {
                drop(self.lines.insert(id, glance))
            }
            Some(_) => self.left_out += 1,
        }
    }

    /// Whether a case is on it.
    pub fn has(&self, id: &Uuid) -> bool {
        self.lines.contains_key(id)
    }

    /// Whether there was no room for some.
    pub fn leaves_out(&self) -> bool {
        self.left_out > 0
    }

    /// The cases that are meant, those that are late first and then the oldest.
    pub fn cases(&self, is_meant: impl Fn(&Glance) -> bool) -> Vec<(Uuid, &Glance)> {
        let mut found: Vec<_> =
            self.lines.iter().filter(|(_, glance)| is_meant(glance)).map(|(id, glance)| (*id, glance)).collect();
        found.sort_by_key(|(id, glance)| (!glance.is_late(), glance.opened, *id));
        found
    }

    /// What holds up the cases that are meant, the worst first: where most are late, and then where most wait.
    pub fn hold_ups(&self, is_meant: impl Fn(&Glance) -> bool) -> Vec<HoldUp> {
        let mut found: BTreeMap<(Code, Code, AgencyId), HoldUp> = BTreeMap::new();
        for (id, glance) in self.lines.iter().filter(|(_, glance)| is_meant(glance)) {
            for wait in &glance.waits {
                let key = (glance.situation.clone(), wait.step.clone(), wait.agency.clone());
                let (situation, step, agency) = key.clone();
                let first = HoldUp { situation, step, agency, waiting: 0, late: 0, since: wait.since, example: *id };
                let row = found.entry(key).or_insert(first);
                row.waiting += 1;
                row.late += u64::from(wait.is_late);
                if wait.since < row.since {
                    (row.since, row.example) = (wait.since, *id);
                }
            }
        }
        let mut found: Vec<HoldUp> = found.into_values().collect();
        found.sort_by(|left, right| (right.late, right.waiting, left.since).cmp(&(left.late, left.waiting, right.since)));
        found
    }
}

/// Cases that are on the board at most.
const BOARD_CASES_MAX: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn glance(situation: &str, waits: &[(&str, &str, u64, bool)]) -> Glance {
        let code = |text: &str| Code::parse(text).expect("a code");
        let agency = |text: &str| AgencyId::parse(text).expect("an agency");
        let wait = |(step, to, since, is_late): &(&str, &str, u64, bool)| Waiting {
            step: code(step),
            agency: agency(to),
            since: UnixTime::from_ms(*since),
            due: None,
            is_late: *is_late,
            trouble: None,
        };
        Glance {
            situation: code(situation),
            region: None,
            opened: UnixTime::from_ms(waits.first().map_or(0, |wait| wait.2)),
            test: false,
            steps: (3, 0),
            asks: 0,
            assistant: None,
            waits: waits.iter().map(wait).collect(),
            parties: Vec::new(),
        }
    }

    fn id(number: u8) -> Uuid {
        Uuid::parse(&format!("01990a5c-0000-7000-8000-0000000000{number:02x}")).expect("a UUID")
    }

    #[test]
    fn what_is_late_in_most_cases_is_first() {
        let mut board = Board::default();
        board.put(id(1), Some(glance("birth", &[("policy", "xx.tfoms", 50, false)])));
        board.put(id(2), Some(glance("birth", &[("policy", "xx.tfoms", 40, false)])));
        board.put(id(3), Some(glance("birth", &[("allowance", "xx.sfr", 90, true)])));
        let told = |board: &Board| {
            let found = board.hold_ups(|_| true);
            found.iter().map(|row| (row.step.to_string(), row.waiting, row.late, row.example)).collect::<Vec<_>>()
        };
        assert_eq!(told(&board), [("allowance".to_owned(), 1, 1, id(3)), ("policy".to_owned(), 2, 0, id(2))]);
        let first: Vec<Uuid> = board.cases(|_| true).into_iter().map(|(id, _)| id).collect();
        assert_eq!(first, [id(3), id(2), id(1)], "late first, then the oldest");
        board.put(id(3), None);
        assert_eq!(told(&board).len(), 1);
    }
}
