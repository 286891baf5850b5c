//! Two gateways side by side: in each round both run, in turn one and the other first, and what counts is the ratio of the round.

use super::load::{Traffic, Weight};
use super::primitive::median;
use super::rounds::{Stage, Target};
use super::world::{CLIENTS, Size};
use super::{BenchError, Options};
use std::path::Path;

/// The agencies that send where a registry of ten has the other's figures.
const FEW_CLIENTS: usize = 8;

/// One comparison.
#[derive(Clone, Debug)]
pub struct Pair {
    /// What was compared.
    pub name: String,
    /// CPU of both for each exchange, in microseconds.
    pub us: [f64; 2],
    /// The median of the ratios of the rounds, the second by the first.
    pub ratio: f64,
    /// The least and the greatest of them.
    pub range: [f64; 2],
    /// What it should be at the most.
    pub goal: Option<f64>,
}

impl Pair {
    /// As a row.
    pub fn row(&self) -> String {
        let Self { name, us: [first, second], ratio, range: [least, most], goal } = self;
        let verdict = goal.map_or(String::new(), |goal| format!("  ≤ {goal}  {}", if *ratio <= goal { "met" } else { "MISSED" }));
        format!("{name:<52} {first:>8.1} us {second:>8.1} us  {ratio:.3} ({least:.3} to {most:.3}){verdict}")
    }

    /// As a document.
    pub fn json(&self) -> serde_json::Value {
        let met = self.goal.map(|goal| self.ratio <= goal);
        serde_json::json!({ "format": 1, "name": self.name, "us": self.us, "ratio": self.ratio, "range": self.range, "met": met })
    }
}

/// What an exchange costs in a registry of so many agencies, ten grants each, beside one of ten.
pub fn registry(options: &Options, agencies: usize) -> Result<Pair, BenchError> {
    let measure = || {
        let stage = Stage::open(options)?;
        let few = stage.gateway("few", Size { agencies: 10, grants: 0 }, &[])?;
        let many = stage.gateway("many", Size { agencies, grants: 10 }, &[])?;
        let name = format!("2 KiB: {agencies} agencies / 10 agencies, CPU");
        let plan = Plan { traffic: Traffic::Exchange, weight: Weight::W2, clients: FEW_CLIENTS };
        compare(&stage, name, [&few, &many], plan, Some(1.05))
    };
    cleaned(options, measure)
}

/// What this build costs beside another one.
pub fn against(options: &Options, other: &Path) -> Result<Vec<Pair>, BenchError> {
    let measure = || {
        let here = Stage::open(options)?;
        let there = Options { program: other.to_owned(), ..options.clone() };
        let there = here.with(&there);
        let gateways = [there.gateway("there", Size::WORKLOAD, &[])?, here.gateway("here", Size::WORKLOAD, &[])?];
        let forwards = [there.forward()?, here.forward()?];
        let mut found = Vec::new();
        for (what, targets, traffic) in
            [("exchange", &gateways, Traffic::Exchange), ("bare forwarding", &forwards, Traffic::Forward)]
        {
            for weight in Weight::ALL {
                let name = format!("{} KiB: {what}, CPU, this build / the other", weight.octets() >> 10);
                let [there, here_] = targets;
                found.push(compare(&here, name, [there, here_], Plan { traffic, weight, clients: CLIENTS }, None)?);
            }
        }
        Ok(found)
    };
    cleaned(options, measure)
}

fn cleaned<T>(options: &Options, measure: impl FnOnce() -> Result<T, BenchError>) -> Result<T, BenchError> {
    if super::process::can_pin() {
        super::process::pin(super::process::LOAD_CORE);
    }
    let result = measure();
    let _ = std::fs::remove_dir_all(&options.folder);
    result
}

struct Plan {
    traffic: Traffic,
    weight: Weight,
    clients: usize,
}

fn compare(stage: &Stage<'_>, name: String, targets: [&Target; 2], plan: Plan, goal: Option<f64>) -> Result<Pair, BenchError> {
    let (mut first, mut second, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let run = |target: &Target| stage.run(target, plan.traffic, plan.weight, plan.clients).map(|outcome| outcome.cpu_us);
    for round in 0..stage.rounds() {
        let [one, two] = targets;
        let us = if round % 2 == 0 {
            let us = run(one)?;
            [us, run(two)?]
        } else {
            let us = run(two)?;
            [run(one)?, us]
        };
        first.push(us[0]);
        second.push(us[1]);
        ratios.push(us[1] / us[0]);
    }
    let ratio = median(&mut ratios);
    // The median has sorted them.
    let range = [ratios.first().copied().unwrap_or(ratio), ratios.last().copied().unwrap_or(ratio)];
    Ok(Pair { name, us: [median(&mut first), median(&mut second)], ratio, range, goal })
}
