//! Tailoring: what a situation means for one applicant, by what is known so far.
//!
//! A plan says which steps apply and why, which documents can be fetched now and from whom, what waits for what, and what only the
//! citizen can say. Facts are fetched before they are asked; what is asked comes in one form, once nothing more can be fetched, and
//! only where it can still change the plan. All of it is pure: the same knowledge gives the same plan.

use super::{Catalogue, DocumentOf, FoundIn, Keeper, Must, Need, Role, Situation, Source, Step, StepIndex};
use crate::base::ids::Code;
use crate::rules::condition::{FactIndex, Facts, Value, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// What has become of a document in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Its holder is being asked.
    Asked,
    /// Its holder has been asked and takes its time: nothing else waits for it.
    Late,
    /// It is there.
    Here,
    /// Its holder has signed that there is none.
    Absent,
    /// Its holder is silent: the citizen is asked for it.
    Silent,
}

/// Where what is known of a fact is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// What started the case.
    Start,
    /// A document.
    Document(DocumentOf),
    /// That there is no such document, or nobody whom it would be about.
    Absence(DocumentOf),
    /// The citizen.
    Answer,
}

/// What is known of somebody whom a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Person {
    Known,
    Nobody,
}

/// What is known in a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Knowledge {
    facts: BTreeMap<FactIndex, (Value, Origin)>,
    documents: BTreeMap<DocumentOf, Held>,
    people: BTreeMap<Code, Person>,
    over: BTreeSet<StepIndex>,
}

impl Facts for Knowledge {
    fn value(&self, fact: FactIndex) -> Option<&Value> {
        self.facts.get(&fact).map(|(value, _)| value)
    }
}

/// A document that says something else than what is known already. Nothing is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// The fact.
    pub fact: FactIndex,
    /// What was known.
    pub known: Value,
    /// What was found.
    pub found: Value,
    /// In which document.
    pub document: DocumentOf,
}

/// What can be read from a document that has come.
pub trait Content {
    /// What a fact is by it. None if there is nothing at its place.
    fn value(&self, fact: FactIndex, source: &Source) -> Option<Value>;

    /// Whether it names somebody.
    fn names(&self, found_in: &FoundIn) -> bool;
}

impl Knowledge {
    /// What is known when nothing is: that those are there who are found in no document.
    pub fn new(situation: &Situation) -> Self {
        let known = situation.roles.iter().filter(|role| role.found_in.is_empty());
        Self { people: known.map(|role| (role.name.clone(), Person::Known)).collect(), ..Self::default() }
    }

    /// Whether an answer to anything is still expected at once.
    pub fn is_asking(&self) -> bool {
        self.documents.values().any(|held| *held == Held::Asked)
    }

    /// Whether the holder of a document is being asked, and expected to answer at once.
    pub fn is_asked(&self, document: &DocumentOf) -> bool {
        self.held(document) == Some(Held::Asked)
    }

    /// Whether the holder of a document has been asked, and takes its time.
    pub fn is_waited_for(&self, document: &DocumentOf) -> bool {
        self.held(document) == Some(Held::Late)
    }

    /// Whether a document is there.
    pub fn is_here(&self, document: &DocumentOf) -> bool {
        self.held(document) == Some(Held::Here)
    }

    /// Whether the citizen is asked for a document, since its holder is silent.
    pub fn is_silent_about(&self, document: &DocumentOf) -> bool {
        self.held(document) == Some(Held::Silent)
    }

    /// What has become of a document.
    pub fn held(&self, document: &DocumentOf) -> Option<Held> {
        self.documents.get(document).copied()
    }

    /// What is known of a fact, and where that is from.
    pub fn known(&self, fact: FactIndex) -> Option<&(Value, Origin)> {
        self.facts.get(&fact)
    }

    /// Whether a step is over: done, refused or left out.
    pub fn is_over(&self, step: StepIndex) -> bool {
        self.over.contains(&step)
    }

    /// A step is over.
    pub fn over(&mut self, step: StepIndex) {
        self.over.insert(step);
    }

    /// A fact that comes with what started the case.
    pub fn start_with(&mut self, fact: FactIndex, value: Value) {
        self.facts.entry(fact).or_insert((value, Origin::Start));
    }

    /// What the citizen says. What is known otherwise stays.
    pub fn answer(&mut self, fact: FactIndex, value: Value) {
        self.facts.entry(fact).or_insert((value, Origin::Answer));
    }

    /// A document's holder is being asked.
    pub fn ask(&mut self, document: DocumentOf) {
        self.documents.entry(document).or_insert(Held::Asked);
    }

    /// A document's holder is asked once more.
    pub fn ask_again(&mut self, document: DocumentOf) {
        let held = self.documents.entry(document).or_insert(Held::Asked);
        if *held == Held::Late {
            *held = Held::Asked;
        }
    }

    /// A document's holder takes its time.
    pub fn is_late(&mut self, document: &DocumentOf) {
        if let Some(held) = self.documents.get_mut(document).filter(|held| **held == Held::Asked) {
            *held = Held::Late;
        }
    }

    /// A document's holder is silent for too long.
    pub fn is_silent(&mut self, document: DocumentOf) {
        self.documents.insert(document, Held::Silent);
    }

    /// A document has come. What it says against what is known is told, and replaces nothing.
    pub fn found(
        &mut self,
        catalogue: &Catalogue,
        situation: &Situation,
        document: &DocumentOf,
        content: &dyn Content,
    ) -> Vec<Contradiction> {
        self.documents.insert(document.clone(), Held::Here);
        let mut contradictions = Vec::new();
        for (fact, source) in facts_of(catalogue, document) {
            let own = content.value(fact, source);
            let (value, origin) = match (own, catalogue.fact(fact).and_then(|fact| fact.none.clone())) {
                (Some(value), _) => (value, Origin::Document(document.clone())),
                (None, Some(none)) => (none, Origin::Absence(document.clone())),
                (None, None) => continue,
            };
            // What did not exist may have been made since.
            let was_absent = |origin: &Origin| matches!(origin, Origin::Absence(absent) if absent == document);
            match self.facts.get(&fact) {
                Some((known, origin)) if !was_absent(origin) => {
                    if *known != value {
                        let (known, document) = (known.clone(), document.clone());
                        contradictions.push(Contradiction { fact, known, found: value, document });
                    }
                }
                _ => drop(self.facts.insert(fact, (value, origin))),
            }
        }
        for role in &situation.roles {
            let names = |found: &&FoundIn| found.document == *document && content.names(found);
            if role.found_in.iter().any(|found| names(&found)) {
                self.people.insert(role.name.clone(), Person::Known);
            }
        }
        self.look_for_people(catalogue, situation);
        contradictions
    }

    /// A document's holder has signed that there is none.
    pub fn absent(&mut self, catalogue: &Catalogue, situation: &Situation, document: &DocumentOf) {
        self.documents.insert(document.clone(), Held::Absent);
        self.without(catalogue, document);
        self.look_for_people(catalogue, situation);
    }

    /// Facts of a document that does not exist are what they are without one.
    fn without(&mut self, catalogue: &Catalogue, document: &DocumentOf) {
        for (fact, _) in facts_of(catalogue, document) {
            if let Some(none) = catalogue.fact(fact).and_then(|fact| fact.none.clone()) {
                self.facts.entry(fact).or_insert((none, Origin::Absence(document.clone())));
            }
        }
    }

    /// Whoever is named in none of the documents that could name them is nobody; documents about nobody do not exist.
    fn look_for_people(&mut self, catalogue: &Catalogue, situation: &Situation) {
        for role in &situation.roles {
            let is_looked_for = |found: &FoundIn| matches!(self.held(&found.document), Some(Held::Here | Held::Absent));
            let is_about_nobody = |found: &FoundIn| self.people.get(&found.document.role) == Some(&Person::Nobody);
            let is_known = self.people.contains_key(&role.name);
            if is_known || !role.found_in.iter().all(|found| is_looked_for(found) || is_about_nobody(found)) {
                continue;
            }
            self.people.insert(role.name.clone(), Person::Nobody);
            let about = catalogue.facts().iter().filter_map(|fact| fact.source.as_ref());
            let documents: BTreeSet<DocumentOf> =
                about.map(|source| &source.document).filter(|of| of.role == role.name).cloned().collect();
            documents.iter().for_each(|document| self.without(catalogue, document));
        }
    }
}

fn facts_of<'c>(catalogue: &'c Catalogue, document: &DocumentOf) -> impl Iterator<Item = (FactIndex, &'c Source)> {
    let indexed = (0..).map(FactIndex).zip(catalogue.facts());
    indexed.filter_map(move |(index, fact)| Some((index, fact.source.as_ref().filter(|source| source.document == *document)?)))
}

/// What a situation means for one applicant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Each step of the situation, in its order.
    pub steps: Vec<Planned>,
    /// Documents whose holders can be asked now, all at once; each with the role of whoever it is asked for by.
    pub fetch: BTreeMap<DocumentOf, Code>,
    /// Documents that only the citizen has.
    pub bring: BTreeSet<DocumentOf>,
    /// The one form: what only the citizen can say and what still can change the plan. Empty as long as something is being fetched.
    pub ask: Vec<FactIndex>,
}

/// A step, as it is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Whether it applies.
    pub applies: Verdict,
    /// The facts that say so, or that have to be known.
    pub because: Vec<FactIndex>,
    /// Where it stands.
    pub stage: Stage,
    /// What it waits for.
    pub waits_for: Vec<Wait>,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It does not apply.
    Off,
    /// Whether it applies is not known yet.
    Open,
    /// It waits.
    Waiting,
    /// Its agency can begin.
    Ready,
    /// It is over.
    Over,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Another step.
    Step(StepIndex),
    /// A document.
    Document(DocumentOf),
}

impl Plan {
    /// The plan by what is known.
    pub fn make(catalogue: &Catalogue, situation: &Situation, knowledge: &Knowledge) -> Self {
        let careful = Self::by(catalogue, situation, knowledge, Givers::Possible);
        let is_stuck = |plan: &Self| plan.steps.iter().any(|planned| planned.stage == Stage::Open);
        let has_nothing = careful.fetch.is_empty() && careful.bring.is_empty() && careful.ask.is_empty();
        if has_nothing && is_stuck(&careful) && !knowledge.is_asking() {
            // Whether a step applies that would make a document depends on that document.
            return Self::by(catalogue, situation, knowledge, Givers::Certain);
        }
        careful
    }

    fn by(catalogue: &Catalogue, situation: &Situation, knowledge: &Knowledge, givers: Givers) -> Self {
        let mut planning = Planning { catalogue, situation, knowledge, givers, plan: Self::default(), wanted: BTreeMap::new() };
        planning.plan.steps =
            (0..).map(StepIndex).zip(&situation.steps).map(|(index, step)| planning.applies(index, step)).collect();
        let mut asked = BTreeSet::new();
        for (index, step) in (0..).map(StepIndex).zip(&situation.steps) {
            match planning.stage(index) {
                Stage::Off | Stage::Over => {}
                Stage::Open => planning.want_facts(index, &mut asked),
                Stage::Waiting | Stage::Ready => {
                    let waits_for = planning.waits(index, step);
                    if let Some(planned) = planning.plan.steps.get_mut(usize::from(index.0)) {
                        planned.stage = if waits_for.is_empty() { Stage::Ready } else { Stage::Waiting };
                        planned.waits_for = waits_for;
                    }
                }
            }
        }
        let mut plan = planning.plan;
        if plan.fetch.is_empty() && !knowledge.is_asking() {
            plan.ask = asked.into_iter().collect();
        }
        plan
    }
}

/// Which steps are waited for that would make a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Givers {
    /// Those that apply, and those that may apply.
    Possible,
    /// Those that apply.
    Certain,
}

struct Planning<'p> {
    catalogue: &'p Catalogue,
    situation: &'p Situation,
    knowledge: &'p Knowledge,
    givers: Givers,
    plan: Plan,
    /// Documents that were looked for, and whether one can come of it.
    wanted: BTreeMap<DocumentOf, bool>,
}

impl Planning<'_> {
    fn applies(&self, index: StepIndex, step: &Step) -> Planned {
        let finding = step.when.as_ref().map(|when| when.evaluate(self.knowledge));
        let applies = finding.as_ref().map_or(Verdict::Yes, |finding| finding.verdict);
        let because = finding.map(|finding| finding.because().collect()).unwrap_or_default();
        let stage = match applies {
            _ if self.knowledge.is_over(index) => Stage::Over,
            Verdict::Yes => Stage::Waiting,
            Verdict::No => Stage::Off,
            Verdict::Unknown => Stage::Open,
        };
        Planned { applies, because, stage, waits_for: Vec::new() }
    }

    fn stage(&self, step: StepIndex) -> Stage {
        self.plan.steps.get(usize::from(step.0)).map_or(Stage::Off, |planned| planned.stage)
    }

    /// What a step that applies waits for; what of that can be fetched is.
    fn waits(&mut self, index: StepIndex, step: &Step) -> Vec<Wait> {
        let is_before = |planning: &Self, after: &StepIndex| !matches!(planning.stage(*after), Stage::Off | Stage::Over);
        let steps = step.after.iter().filter(|after| is_before(self, after)).map(|after| Wait::Step(*after));
        let mut waits: Vec<Wait> = steps.collect();
        waits.extend(self.whose(step));
        for need in &step.needs {
            if self.is_met(need) {
                continue;
            }
            match self.given_by(&need.document).filter(|giver| *giver != index) {
                Some(giver) if waits.contains(&Wait::Step(giver)) => {}
                Some(giver) => waits.push(Wait::Step(giver)),
                None => {
                    self.want_document(&need.document);
                    waits.push(Wait::Document(need.document.clone()));
                }
            }
        }
        waits
    }

    /// The document that says which agency does a step, if that is not known yet.
    fn whose(&mut self, step: &Step) -> Option<Wait> {
        let at = step.at.filter(|at| self.knowledge.known(*at).is_none())?;
        let document = self.catalogue.fact(at)?.source.as_ref()?.document.clone();
        if matches!(self.knowledge.held(&document), Some(Held::Here | Held::Absent)) {
            return None;
        }
        match self.given_by(&document) {
            Some(giver) => Some(Wait::Step(giver)),
            None => {
                self.want_document(&document);
                Some(Wait::Document(document))
            }
        }
    }

    fn is_met(&self, need: &Need) -> bool {
        let is_nobody = self.knowledge.people.get(&need.document.role) == Some(&Person::Nobody);
        match (self.knowledge.held(&need.document), need.must) {
            (Some(Held::Here), _) => true,
            (Some(Held::Absent), Must::BeLookedFor) => true,
            (None, Must::BeLookedFor) => is_nobody,
            _ => false,
        }
    }

    /// The step that is not over and makes a document.
    fn given_by(&self, document: &DocumentOf) -> Option<StepIndex> {
        let gives = |index: &StepIndex| match self.stage(*index) {
            Stage::Waiting | Stage::Ready => true,
            Stage::Open => self.givers == Givers::Possible,
            Stage::Off | Stage::Over => false,
        };
        let steps = (0..).map(StepIndex).zip(&self.situation.steps);
        let mut giving = steps.filter(|(_, step)| step.gives.as_ref() == Some(document)).map(|(index, _)| index);
        giving.find(gives)
    }

    /// What has to be known to say whether a step applies.
    fn want_facts(&mut self, index: StepIndex, asked: &mut BTreeSet<FactIndex>) {
        let because = self.plan.steps.get(usize::from(index.0)).map(|planned| planned.because.clone()).unwrap_or_default();
        because.into_iter().for_each(|fact| self.want_fact(fact, asked));
    }

    fn want_fact(&mut self, fact: FactIndex, asked: &mut BTreeSet<FactIndex>) {
        let Some(known) = self.catalogue.fact(fact) else { return };
        if let Some(sum) = known.sum {
            // Whoever carries the case out adds it up, once it knows this case's own.
            return self.want_fact(sum.of, asked);
        }
        let Some(source) = &known.source else { return asked.extend([fact]) };
        let document = &source.document;
        match self.knowledge.held(document) {
            Some(Held::Asked | Held::Late) => {}
            Some(Held::Here | Held::Absent | Held::Silent) if known.ask.is_some() => asked.extend([fact]),
            Some(Held::Silent) => self.plan.bring.extend([document.clone()]),
            Some(Held::Here | Held::Absent) => {}
            None if self.given_by(document).is_some() => {}
            None if self.knowledge.people.get(&document.role) == Some(&Person::Nobody) => asked.extend([fact]),
            None => _ = self.want_document(document),
        }
    }

    /// By whom a document can be asked for: by whoever it is about, or, as long as that is not known, by somebody else whom it names.
    fn asked_by(&self, document: &DocumentOf) -> Option<Code> {
        let is_known = |role: &Code| self.knowledge.people.get(role) == Some(&Person::Known);
        match self.knowledge.people.get(&document.role) {
            Some(Person::Known) => Some(document.role.clone()),
            Some(Person::Nobody) => None,
            None => {
                let names = &self.catalogue.documents().get(&document.document)?.names;
                let roles = self.situation.roles.iter().map(|role| &role.name);
                roles.into_iter().find(|role| names.contains(*role) && is_known(role)).cloned()
            }
        }
    }

    /// A document is fetched, once it is known whose it is; or the citizen brings it. Says whether one can come of it.
    fn want_document(&mut self, document: &DocumentOf) -> bool {
        if let Some(known) = self.wanted.get(document) {
            return *known;
        }
        // Whoever is found in a document that is found by them is not found in this way.
        self.wanted.insert(document.clone(), false);
        let is_fetched = match self.knowledge.held(document) {
            Some(Held::Asked | Held::Late | Held::Here) => true,
            // There is none, and there has to be one: the citizen may know better.
            Some(Held::Absent | Held::Silent) => false,
            None => self.given_by(document).is_some() || self.fetch(document),
        };
        if !is_fetched {
            self.plan.bring.extend([document.clone()]);
        }
        self.wanted.insert(document.clone(), true);
        true
    }

    /// Whether a document can be fetched, now or once it is known whose it is.
    fn fetch(&mut self, document: &DocumentOf) -> bool {
        if self.catalogue.documents().get(&document.document).is_none_or(|known| known.holder == Keeper::Applicant) {
            return false;
        }
        if let Some(by) = self.asked_by(document) {
            self.plan.fetch.extend([(document.clone(), by)]);
            return true;
        }
        if self.knowledge.people.contains_key(&document.role) {
            return false;
        }
        // Who it is about is in another document, which proves it as well.
        let found_in = self.situation.role(&document.role).map(|role: &Role| role.found_in.clone()).unwrap_or_default();
        let left = found_in.into_iter().map(|found| found.document);
        let left = left.filter(|found| !matches!(self.knowledge.held(found), Some(Held::Here | Held::Absent)));
        let mut is_found = false;
        for found in left.collect::<Vec<_>>() {
            is_found |= self.want_document(&found);
        }
        is_found
    }
}
