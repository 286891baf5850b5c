//! What needs no gateway: planning, and reading a large catalogue.

use super::super::BenchError;
use super::super::primitive::median;
use crate::base::ids::Code;
use crate::message::schema::Schemas;
use crate::rules::situation::course::Synthetic;
use crate::rules::situation::plan::{Knowledge, Plan, Stage};
use crate::rules::situation::{Catalogue, File, Situation, StepIndex};
use std::hint::black_box;
use std::time::Instant;

/// Steps of the situation that is planned.
pub(super) const STEPS: usize = 12;
/// Situations of the catalogue that is read.
pub(super) const SITUATIONS: usize = 470;
/// People whose cases are planned at every turn of theirs.
const PEOPLE: u64 = 20;
/// Plans of which the time of one is taken, and how often.
const PLANS: u32 = 20;
const TIMES: usize = 15;

/// What a plan takes, in microseconds: the mean of all that a case needs on its way, and that of the dearest.
pub(super) fn plan_us() -> Result<(f64, f64), BenchError> {
    let (schemas, mut files) = (Schemas::built_in(), Catalogue::built_in_files());
    let birth = files.iter_mut().find(|file| file.name == "federal/birth-of-child.toml");
    let birth = birth.ok_or(BenchError::Workload("no situation of a birth"))?;
    let before = birth.text.split("[survey]").next().unwrap_or_default();
    birth.text = format!("{before}{}{}", step("registry-note", "residence"), step("city-card", "health-policy"));
    let catalogue = Catalogue::read(&files, &schemas).map_err(|wrong| BenchError::Start(told(&wrong)))?;
    let id = Code::parse("birth-of-child").ok_or(BenchError::Workload("no code"))?;
    let situation = catalogue.situation(&id, None).ok_or(BenchError::Workload("no situation"))?;
    if situation.steps.len() != STEPS {
        return Err(BenchError::Workload("a situation of twelve steps"));
    }
    let turns: Vec<Knowledge> = (0..PEOPLE).flat_map(|number| turns(&catalogue, situation, number)).collect();
    let mut each: Vec<f64> = Vec::with_capacity(turns.len());
    for knowledge in &turns {
        let mut times: Vec<f64> = (0..TIMES).map(|_| time_of(&catalogue, situation, knowledge)).collect();
        each.push(median(&mut times));
    }
    let dearest = each.iter().copied().fold(0.0, f64::max);
    Ok((each.iter().sum::<f64>() / each.len().max(1) as f64, dearest))
}

fn time_of(catalogue: &Catalogue, situation: &Situation, knowledge: &Knowledge) -> f64 {
    let start = Instant::now();
    for _ in 0..PLANS {
        black_box(Plan::make(catalogue, situation, black_box(knowledge)));
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(PLANS)
}

/// What is known at each turn of somebody's case.
fn turns(catalogue: &Catalogue, situation: &Situation, number: u64) -> Vec<Knowledge> {
    let person = Synthetic::new(catalogue, situation, number);
    let mut knowledge = Knowledge::new(situation);
    for fact in &situation.facts_at_start {
        person.fact(*fact).into_iter().for_each(|value| knowledge.start_with(*fact, value.clone()));
    }
    let mut turns = vec![knowledge.clone()];
    // A case that never ends is none.
    for _ in 0..200 {
        let plan = Plan::make(catalogue, situation, &knowledge);
        let papers = plan.fetch.keys().chain(&plan.bring);
        for document in papers.clone() {
            if person.has(document) {
                knowledge.found(catalogue, situation, document, &person);
            } else {
                knowledge.absent(catalogue, situation, document);
            }
        }
        for fact in &plan.ask {
            person.fact(*fact).into_iter().for_each(|value| knowledge.answer(*fact, value.clone()));
        }
        if papers.count() + plan.ask.len() == 0 {
            let ready = (0..).map(StepIndex).zip(&plan.steps).find(|(_, planned)| planned.stage == Stage::Ready);
            let Some((index, _)) = ready else { break };
            knowledge.over(index);
            let gives = situation.step(index).and_then(|step| step.gives.as_ref());
            gives.into_iter().for_each(|document| drop(knowledge.found(catalogue, situation, document, &person)));
        }
        turns.push(knowledge.clone());
    }
    turns
}

/// How long it takes to read so many situations, in seconds: those of the program again and again, under other names.
pub(super) fn load_seconds() -> Result<f64, BenchError> {
    let (schemas, mut files) = (Schemas::built_in(), Catalogue::built_in_files());
    let own: Vec<(String, String)> = files
        .iter()
        .filter_map(|file| Some((file.name.strip_prefix("federal/")?.strip_suffix(".toml")?.to_owned(), file.text.clone())))
        .collect();
    let known = Catalogue::read(&files, &schemas).map_err(|wrong| BenchError::Start(told(&wrong)))?.situations().count();
    for (number, (id, text)) in (0..SITUATIONS.saturating_sub(known)).zip(own.iter().cycle()) {
        let other = format!("{id}-{number}");
        let text = text.replacen(&format!("id = \"{id}\""), &format!("id = \"{other}\""), 1);
        files.push(File::new(format!("federal/{other}.toml"), text));
    }
    let start = Instant::now();
    let catalogue = Catalogue::read(&files, &schemas).map_err(|wrong| BenchError::Start(told(&wrong)))?;
    let seconds = start.elapsed().as_secs_f64();
    if catalogue.situations().count() < SITUATIONS {
        return Err(BenchError::Workload("a catalogue of so many situations"));
    }
    Ok(seconds)
}

fn told(wrong: &[crate::rules::situation::Diagnostic]) -> String {
    wrong.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn step(id: &str, after: &str) -> String {
    format!(
        r#"
[[step]]
id = "{id}"
title = {{ en = "One step more", ru = "Ещё один шаг" }}
agency = "mvd"
service = "{id}"
when = "child.live_birth && mother.citizen"
after = ["{after}"]
needs = ["birth-certificate:child", "identity-record:mother"]
deadline = "5wd"
"#
    )
}
