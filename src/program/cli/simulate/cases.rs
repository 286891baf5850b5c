//! `oncegate simulate --of cases`

use super::super::{Failure, Out, Outcome};
use super::{PROGRESS_S, STEPS_SHOWN, Simulate, TWICE};
use crate::program::simulate::{Case, FailingLife, LifeCounts, LifePlant, Lives, Trouble};
use std::fmt::Write;
use std::time::Instant;

impl Simulate {
    pub(super) fn run_cases(&self, out: &Out) -> Outcome {
        let plant = match &self.plant {
            Some(name) => Some(LifePlant::parse(name).ok_or_else(|| Failure::new(2, format!("{name} is no bug; see --list")))?),
            None => None,
        };
        let lives = Lives::new().ok_or_else(|| Failure::new(1, "the built-in documents do not fit"))?;
        let line = match (&self.case, self.seed) {
            (Some(text), _) => Some(Case::parse(text).ok_or_else(|| Failure::new(2, format!("{text} is no case")))?),
            (None, seed) => seed.map(Case::of),
        };
        match line {
            Some(line) => one(out, &lives, &line, plant),
            None => self.many_cases(out, &lives, plant),
        }
    }

    fn many_cases(&self, out: &Out, lives: &Lives, plant: Option<LifePlant>) -> Outcome {
        let (began, mut told, mut counts, mut failed) = (Instant::now(), 0, LifeCounts::default(), 0);
        for (done, seed) in (1..).zip(self.from..self.from.saturating_add(self.seeds)) {
            let line = Case::of(seed);
            let ran = if seed % TWICE == 0 { lives.run_twice(&line, plant) } else { lives.run(&line, plant) };
            counts.add(&ran.counts);
            if let (Some(finding), true) = (&ran.finding, self.all) {
                failed += 1;
                out.say(format_args!("seed {seed} fails: {finding}"));
            } else if ran.finding.is_some() {
                let failing = lives.shrink(&line, plant);
                out.say(table(&counts, done, began));
                return Err(Failure::new(1, told_of(seed, &failing)));
            }
            let seconds = began.elapsed().as_secs();
            if seconds >= told + PROGRESS_S {
                told = seconds;
                out.say(format_args!("{done} of {} seeds, the next is {}", self.seeds, seed + 1));
            }
        }
        let json = serde_json::json!({
            "format": 1, "from": self.from, "seeds": self.seeds, "findings": failed, "seconds": began.elapsed().as_secs_f64(),
            "steps": counts.steps, "cases": counts.cases, "ended": counts.ended, "done": counts.done, "messages": counts.messages,
            "records": counts.records, "starts": counts.starts,
            "faults": counts.troubles.iter().map(|(kind, count)| (kind.as_str(), *count))
                .collect::<std::collections::BTreeMap<_, _>>(),
        });
        out.result(table(&counts, self.seeds, began).trim_end(), &json)?;
        if failed == 0 { Ok(()) } else { Err(Failure::new(1, format!("{failed} seeds fail"))) }
    }
}

fn one(out: &Out, lives: &Lives, line: &Case, plant: Option<LifePlant>) -> Outcome {
    let failing = lives.told(line, plant);
    let end = failing.ran.finding.clone().map_or_else(|| "nothing was found".to_owned(), |finding| format!("FOUND: {finding}"));
    out.say(format_args!("{}\n{}", failing.plan, failing.ran.trace.join("\n")));
    let json = serde_json::json!({
        "format": 1, "case": line.to_string(), "finding": failing.ran.finding, "checkpoint": failing.ran.checkpoint,
    });
    out.result(format_args!("{end}\nlog at the end: {}", failing.ran.checkpoint), &json)?;
    failing.ran.finding.map_or(Ok(()), |finding| Err(Failure::new(1, finding)))
}

fn told_of(seed: u64, failing: &FailingLife) -> String {
    let finding = failing.ran.finding.clone().unwrap_or_default();
    let steps = &failing.ran.trace;
    let last = steps.get(steps.len().saturating_sub(STEPS_SHOWN)..).unwrap_or_default().join("\n  ");
    format!(
        "seed {seed} fails: {finding}\nmade smaller in {} runs:\n{}the last steps:\n  {last}\n\
         as a test:  \"{}\",\nrun it again:  oncegate simulate --of cases --case \"{}\"",
        failing.tries, failing.plan, failing.case, failing.case
    )
}

fn table(counts: &LifeCounts, seeds: u64, began: Instant) -> String {
    let mut text = String::new();
    let seconds = began.elapsed().as_secs_f64().max(0.001);
    for (kind, _, what) in &Trouble::ALL {
        if let Some(count) = counts.troubles.get(kind) {
            let _ = writeln!(text, "{count:>12}  {what}");
        }
    }
    for (count, what) in [
        (counts.steps, "steps"),
        (counts.starts, "starts of gateways"),
        (counts.records, "records"),
        (counts.messages, "messages that came to agencies"),
        (counts.cases, "cases"),
        (counts.ended, "of them ended"),
        (counts.done, "steps done by agencies"),
    ] {
        let _ = writeln!(text, "{count:>12}  {what}");
    }
    let _ = writeln!(text, "{seeds:>12}  seeds in {seconds:.1} s, {:.0} in a second", seeds as f64 / seconds);
    text
}
