//! The course of a case of which everything is known beforehand: what is fetched, asked, brought and waited for, until it is over.
//! For trying out situations on people who do not exist, before anybody else gets to feel them.

use super::plan::{Content, Knowledge, Plan, Stage};
use super::time::Term;
use super::{Catalogue, DocumentOf, FoundIn, Reads, Situation, Source, Spread, StepIndex};
use crate::base::ids::Code;
use crate::rules::condition::{FactIndex, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who does not exist, with all that could be known of them.
#[derive(Clone, Debug, Default)]
pub struct Synthetic {
    facts: BTreeMap<FactIndex, Value>,
    missing: BTreeSet<DocumentOf>,
    nobody: BTreeSet<Code>,
}

/// Numbers that look random and are the same for the same seed: xorshift, of 64 bits.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        // Neighbouring seeds begin far from each other.
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..8).for_each(|_| _ = dice.next());
        dice
    }

    /// The numbers of a person's property.
    fn of(person: u64, name: &str) -> Self {
        let hash =
            name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3));
        Self::new(person ^ hash)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn hits(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64 / (1_u64 << 53) as f64) < share
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

impl Synthetic {
    /// The person with this number, by what the catalogue says of the population. What is so of them does not depend on what else the
    /// catalogue has, so that the same people can be taken through another one.
    pub fn new(catalogue: &Catalogue, situation: &Situation, number: u64) -> Self {
        let mut person = Self::default();
        for (index, fact) in (0..).map(FactIndex).zip(catalogue.facts()) {
            let dice = &mut Dice::of(number, &fact.name);
            let spread = catalogue.spread(index);
            let value = match spread {
                Spread::Share(share) => Value::Truth(dice.hits(*share)),
                Spread::Between(from, to) => Value::Number(from + dice.below(to.abs_diff(*from) + 1) as i64),
                Spread::Among(values) => {
                    values.get(dice.below(values.len() as u64) as usize).cloned().unwrap_or(Value::Truth(false))
                }
            };
            if value.kind() == fact.kind {
                person.facts.insert(index, value);
            }
        }
        for role in situation.roles.iter().filter(|role| !role.found_in.is_empty()) {
            if !Dice::of(number, role.name.as_str()).hits(catalogue.population.found) {
                person.nobody.insert(role.name.clone());
            }
        }
        for document in catalogue.documents().keys() {
            let roles = situation.roles.iter().map(|role| &role.name);
            for role in roles.filter(|_| catalogue.population.missing.contains(document)) {
                let document = DocumentOf { document: document.clone(), role: role.clone() };
                let sources = catalogue.facts().iter().zip(0..);
                let mut own = sources.filter(|(fact, _)| fact.source.as_ref().is_some_and(|source| source.document == document));
                // It exists if it says anything else than what is so without it.
                let says = |(fact, index): (&super::Fact, u16)| fact.none.as_ref() != person.facts.get(&FactIndex(index));
                let mut dice = Dice::of(number, document.document.as_str());
                let is_there = if own.clone().next().is_some() { own.any(says) } else { dice.hits(0.5) };
                if !is_there {
                    person.missing.insert(document);
                }
            }
        }
        person
    }

    /// What is so of them.
    pub fn fact(&self, fact: FactIndex) -> Option<&Value> {
        self.facts.get(&fact)
    }

    /// Whether there is a document about them.
    pub fn has(&self, document: &DocumentOf) -> bool {
        !self.missing.contains(document)
    }

    /// Whether a document names somebody.
    pub fn is_named(&self, found_in: &FoundIn) -> bool {
        self.names(found_in)
    }
}

impl Content for Synthetic {
    fn value(&self, fact: FactIndex, source: &Source) -> Option<Value> {
        let value = self.facts.get(&fact).cloned();
        if source.reads == Reads::Presence { value.or(Some(Value::Truth(false))) } else { value }
    }

    fn names(&self, found_in: &FoundIn) -> bool {
        !self.missing.contains(&found_in.document) && !self.nobody.contains(&found_in.role)
    }
}

/// How a case went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// The steps that applied.
    pub steps: BTreeSet<StepIndex>,
    /// Documents that were fetched, each once.
    pub fetched: BTreeSet<DocumentOf>,
    /// Documents that the citizen brought.
    pub brought: BTreeSet<DocumentOf>,
    /// What the citizen was asked.
    pub asked: BTreeSet<FactIndex>,
    /// Forms that were sent.
    pub forms: u32,
    /// Documents that people carried before, each agency its own.
    pub carried_before: usize,
    /// Working days that it took before, one step after the other.
    pub days_before: f64,
    /// Working days at the most now, if each step takes its whole term.
    pub days: f64,
    /// Steps for which the citizen has to come.
    pub visits: usize,
    /// The step that holds the case up the longest.
    pub hold_up: Option<StepIndex>,
    /// Steps that never became ready, or of which it was never known whether they apply.
    pub stuck: BTreeSet<StepIndex>,
}

/// A step that is being done.
struct Running {
    ends: f64,
    term: f64,
    /// The step whose end it had waited for.
    behind: Option<StepIndex>,
}

impl Course {
    /// Takes a case through, from its start to its end.
    pub fn run(catalogue: &Catalogue, situation: &Situation, person: &Synthetic) -> Self {
        let mut run = Run { catalogue, situation, person, knowledge: Knowledge::new(situation), course: Self::default() };
        // What adds up over cases is known to whoever carries them out.
        for (index, _) in (0..).map(FactIndex).zip(catalogue.facts()).filter(|(_, fact)| fact.sum.is_some()) {
            if let Some(value) = person.facts.get(&index).cloned() {
                run.knowledge.start_with(index, value);
            }
        }
        for fact in &situation.facts_at_start {
            let value = person.facts.get(fact).cloned().or_else(|| catalogue.fact(*fact)?.none.clone());
            if let Some(value) = value {
                run.knowledge.start_with(*fact, value);
            }
        }
        run.all();
        run.course
    }
}

struct Run<'r> {
    catalogue: &'r Catalogue,
    situation: &'r Situation,
    person: &'r Synthetic,
    knowledge: Knowledge,
    course: Course,
}

impl Run<'_> {
    fn all(&mut self) {
        let (mut now, mut last) = (0.0, None);
        let mut running = BTreeMap::<StepIndex, Running>::new();
        let mut begun = BTreeMap::<StepIndex, (f64, Option<StepIndex>)>::new();
        loop {
            let plan = Plan::make(self.catalogue, self.situation, &self.knowledge);
            if self.go_on(&plan) {
                continue;
            }
            for (index, planned) in (0..).map(StepIndex).zip(&plan.steps) {
                if planned.stage == Stage::Ready && !running.contains_key(&index) {
                    let term = self.situation.step(index).map_or(0.0, |step| Term::in_working_days(step.deadline));
                    running.insert(index, Running { ends: now + term, term, behind: last });
                }
            }
            let next = running.iter().min_by(|left, right| left.1.ends.total_cmp(&right.1.ends)).map(|(index, _)| *index);
            let Some((index, done)) = next.and_then(|index| running.remove_entry(&index)) else {
                let is_left =
                    |planned: &super::plan::Planned| matches!(planned.stage, Stage::Open | Stage::Waiting | Stage::Ready);
                let steps = (0..).map(StepIndex).zip(&plan.steps);
                self.course.stuck = steps.filter(|(_, planned)| is_left(planned)).map(|(index, _)| index).collect();
                break;
            };
            (now, last) = (done.ends, Some(index));
            begun.insert(index, (done.term, done.behind));
            self.is_done(index);
        }
        self.course.days = now;
        // Back along the steps that waited for each other.
        let (mut at, mut longest) = (last, 0.0);
        while let Some((term, behind)) = at.and_then(|index| begun.get(&index)) {
            if *term > longest {
                (longest, self.course.hold_up) = (*term, at);
            }
            at = *behind;
        }
    }

    /// Fetches, or takes what the citizen brings or says; whether there was anything.
    fn go_on(&mut self, plan: &Plan) -> bool {
        if !plan.fetch.is_empty() {
            for document in plan.fetch.keys() {
                self.course.fetched.insert(document.clone());
                if self.person.missing.contains(document) {
                    self.knowledge.absent(self.catalogue, self.situation, document);
                } else {
                    self.knowledge.found(self.catalogue, self.situation, document, self.person);
                }
            }
            return true;
        }
        if !plan.bring.is_empty() {
            for document in &plan.bring {
                self.course.brought.insert(document.clone());
                self.knowledge.found(self.catalogue, self.situation, document, self.person);
            }
            return true;
        }
        for fact in &plan.ask {
            let answer = self.person.facts.get(fact).cloned();
            let kind = self.catalogue.fact(*fact).map(|fact| fact.kind);
            let answer = answer.or_else(|| kind.and_then(|kind| Value::parse(kind, "0")).or(Some(Value::Text("".into()))));
            self.course.asked.insert(*fact);
            answer.into_iter().for_each(|answer| self.knowledge.answer(*fact, answer));
        }
        self.course.forms += u32::from(!plan.ask.is_empty());
        !plan.ask.is_empty()
    }

    fn is_done(&mut self, index: StepIndex) {
        let Some(step) = self.situation.step(index) else { return };
        self.course.steps.insert(index);
        self.course.carried_before += step.needs.len();
        self.course.days_before += step.deadline.in_working_days() + self.situation.baseline.carry_days;
        self.course.visits += usize::from(step.channel == super::Channel::InPerson);
        self.knowledge.over(index);
        if let Some(document) = &step.gives {
            self.knowledge.found(self.catalogue, self.situation, document, self.person);
        }
    }
}
