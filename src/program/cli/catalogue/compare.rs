//! `oncegate catalogue diff`: what a change means for people, before it is released.

use super::super::schema::With;
use super::super::{Failure, Out, Outcome};
use super::read;
use crate::base::ids::Region;
use crate::rules::situation::Situation;
use crate::rules::situation::measure::Change;
use clap::Args;
use std::path::PathBuf;

/// Say who gains and who loses a step, a day, a document, a question or a way by a change. Fails if anybody loses.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  oncegate catalogue diff old/ new/\n  oncegate catalogue diff old/ new/ --population 10000 --accept-loss"
)]
pub(super) struct Compare {
    /// The catalogue before
    old: PathBuf,
    /// The catalogue after
    new: PathBuf,
    /// How many people who do not exist are taken through each situation
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    population: u64,
    /// A loss is meant
    #[arg(long)]
    accept_loss: bool,
    #[command(flatten)]
    with: With,
}

impl Compare {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let (old, new) = (read(Some(&self.old), &self.with)?, read(Some(&self.new), &self.with)?);
        let mut losing = Vec::new();
        let mut told = Vec::new();
        for after in new.situations() {
            let before = old.situation(&after.id, after.region.as_ref()).filter(|before| before.region == after.region);
            let Some(before) = before else {
                told.push(serde_json::json!({ "situation": name(after), "new": true }));
                self.say(out, format_args!("{}: it is new", name(after)))?;
                continue;
            };
            let change = Change::between((&old, before), (&new, after), self.population);
            if change.is_loss() {
                losing.push(name(after));
            }
            told.push(json(&name(after), &change));
            if !change.is_none() {
                self.say(out, format_args!("{}, of {} people", name(after), self.population))?;
                lines(&change).iter().try_for_each(|line| self.say(out, line))?;
            }
        }
        for before in old.situations().filter(|before| new.situation(&before.id, None).is_none()) {
            losing.push(name(before));
            told.push(serde_json::json!({ "situation": name(before), "gone": true }));
            self.say(out, format_args!("{}: it is gone", name(before)))?;
        }
        if out.is_json {
            out.print(serde_json::json!({ "format": 1, "people": self.population, "changes": told, "losing": losing }))?;
        }
        match losing.is_empty() || self.accept_loss {
            true => Ok(()),
            false => Err(Failure::new(1, format!("people lose by {}; --accept-loss if that is meant", losing.join(", ")))),
        }
    }

    fn say(&self, out: &Out, line: impl std::fmt::Display) -> Outcome {
        if out.is_json { Ok(()) } else { out.print(line) }
    }
}

fn name(situation: &Situation) -> String {
    let region = situation.region.as_ref().map_or(String::new(), |region: &Region| format!("@{region}"));
    format!("{}{region}", situation.id)
}

fn lines(change: &Change) -> Vec<String> {
    let steps = |steps: &std::collections::BTreeMap<String, u64>, what: &str| -> Vec<String> {
        steps.iter().map(|(step, count)| format!("  {count} {what} the step {step}")).collect()
    };
    let counts = [
        (change.days_gained, "are done earlier"),
        (change.days_lost, "wait longer: a loss"),
        (change.documents_gained, "bring fewer documents"),
        (change.documents_lost, "bring more documents: a loss"),
        (change.visits_gained, "have to come less often"),
        (change.visits_lost, "have to come more often: a loss"),
        (change.questions_gained, "are asked less"),
        (change.questions_lost, "are asked more"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("  {count} {what}"));
    [steps(&change.steps_gained, "gain"), steps(&change.steps_lost, "lose")].concat().into_iter().chain(counts).collect()
}

fn json(name: &str, change: &Change) -> serde_json::Value {
    serde_json::json!({
        "situation": name, "stepsGained": change.steps_gained, "stepsLost": change.steps_lost,
        "daysGained": change.days_gained, "daysLost": change.days_lost,
        "documentsGained": change.documents_gained, "documentsLost": change.documents_lost,
        "visitsGained": change.visits_gained, "visitsLost": change.visits_lost,
        "questionsGained": change.questions_gained, "questionsLost": change.questions_lost,
    })
}
