//! `oncegate catalogue population`: people who do not exist, taken through each situation.

use super::super::{Failure, Out, Outcome};
use super::Own;
use crate::base::ids::Region;
use crate::rules::situation::Situation;
use crate::rules::situation::measure::{Share, Summary};
use clap::Args;

/// Take people who do not exist through the situations, and print a table of their documents, questions and days.
#[derive(Args)]
#[command(before_help = "Examples:\n  oncegate catalogue population\n  oncegate catalogue population --people 10000 > table.md")]
pub(super) struct Population {
    /// How many for each situation
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    people: u64,
    #[command(flatten)]
    own: Own,
}

const HEAD: &str = "\
| Situation | Steps | Plans | Documents carried before → brought | Fetched | Questions, median/most | Working days before → now | Documents halved | Waiting halved | Longest hold-up |
|---|---|---|---|---|---|---|---|---|---|";

impl Population {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let catalogue = self.own.load()?;
        if !out.is_json {
            out.print(HEAD)?;
        }
        let mut all = Vec::new();
        for situation in catalogue.situations() {
            let summary = Summary::of(&catalogue, situation, self.people);
            if let Some((step, count)) = summary.stuck.iter().next() {
                let step = situation.step(*step).map_or("", |step| step.id.as_str());
                return Err(Failure::new(1, format!("{}: the step {step} stands still for {count} people", situation.id)));
            }
            if out.is_json {
                all.push(json(situation, &summary));
            } else {
                out.print(row(situation, &summary))?;
            }
        }
        if out.is_json { out.print(serde_json::json!({ "format": 1, "people": self.people, "situations": all })) } else { Ok(()) }
    }
}

fn hold_up<'s>(situation: &'s Situation, summary: &Summary) -> &'s str {
    let most = summary.hold_ups.iter().max_by_key(|(step, count)| (**count, std::cmp::Reverse(**step)));
    most.and_then(|(step, _)| situation.step(*step)).map_or("", |step| step.id.as_str())
}

fn row(situation: &Situation, summary: &Summary) -> String {
    let region = situation.region.as_ref().map_or(String::new(), |region: &Region| format!("@{region}"));
    let percent =
        |share: &Share| format!("{:.1} % ({:.1} to {:.1})", share.share() * 100.0, share.low * 100.0, share.high * 100.0);
    format!(
        "| `{}{region}` | {} | {} | {} → {} | {} | {}/{} | {:.1} → {:.1} | {} | {} | `{}` |",
        situation.id,
        situation.steps.len(),
        summary.plans,
        summary.carried_before.median,
        summary.brought.median,
        summary.fetched.median,
        summary.questions.median,
        summary.questions.most,
        summary.days_before.median,
        summary.days.median,
        percent(&summary.documents_halved),
        percent(&summary.waiting_halved),
        hold_up(situation, summary),
    )
}

fn json(situation: &Situation, summary: &Summary) -> serde_json::Value {
    let share = |share: &Share| serde_json::json!({ "count": share.count, "of": share.of, "low": share.low, "high": share.high });
    serde_json::json!({
        "situation": situation.id.as_str(), "region": situation.region.as_ref().map(Region::as_str), "plans": summary.plans,
        "carriedBefore": summary.carried_before.median, "brought": summary.brought.median, "fetched": summary.fetched.median,
        "questions": { "median": summary.questions.median, "most": summary.questions.most }, "forms": summary.forms.most,
        "daysBefore": summary.days_before.median, "days": summary.days.median,
        "documentsHalved": share(&summary.documents_halved), "waitingHalved": share(&summary.waiting_halved),
        "holdUp": hold_up(situation, summary),
    })
}
