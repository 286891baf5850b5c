//! `oncegate case measures`: what all cases of a log carried, asked and waited for, beside what that was before.

use super::super::{Failure, Out, Outcome};
use crate::base::ids::{Code, Region, Uuid};
use crate::base::time::UnixTime;
use crate::evidence::tlog::RecordKind;
use crate::exchange::cases::{Around, Case, Ending, action};
use crate::gateway::driver::changes_at;
use crate::host::config::Config;
use crate::host::store::{self, Settings, Store, StoreError};
use crate::program::server::{Checked, check};
use crate::rules::situation::Situation;
use crate::rules::situation::measure::{Figures, Share};
use crate::rules::situation::practice::{Measured, Recorded, Report, Stay};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Say what cases that are over carried, asked and waited for, by situation, and what that was before; from the log of a stopped gateway.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate case measures -c oncegate.toml\n  oncegate case measures -c oncegate.toml --json")]
pub(super) struct Measures {
    /// The configuration of the gateway, which is stopped
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
    /// The cases of the test world, instead of those of real people
    #[arg(long)]
    test: bool,
}

/// The cases of a situation in a region.
#[derive(Default)]
struct Group {
    measured: Vec<Measured>,
    open: u64,
    /// Withdrawn, not answered, or nothing applied.
    given_up: u64,
}

/// All cases of a log.
#[derive(Default)]
struct Found {
    groups: BTreeMap<(Code, Option<Region>), Group>,
    /// What was erased, or of situations that are not in the catalogue any more.
    unreadable: u64,
}

impl Measures {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let config = Config::load(&self.config).map_err(|error| Failure::new(2, error))?;
        let checked = check(config).map_err(|error| Failure::new(2, error))?;
        let opened = Store::open(&checked.config.data, &checked.config.log.origin, Settings::default());
        let (store, _) = opened.map_err(|error| match error {
            StoreError::InUse { .. } => {
                Failure::new(1, "the gateway is running on this log; stop it, or measure a copy (oncegate backup)")
            }
            other => other.into(),
        })?;
        let found = self.measure(&store, &checked);
        store.close();
        show(&found?, out)
    }

    fn measure(&self, store: &Store, checked: &Checked) -> Result<Found, Failure> {
        let mut found = Found::default();
        for (id, records) in records(store)? {
            let Some((case, situation)) = rebuilt(store, checked, id, &records)? else {
                found.unreadable += 1;
                continue;
            };
            if case.opening.test != self.test {
                continue;
            }
            let group = found.groups.entry((situation.id.clone(), case.region().cloned())).or_default();
            match case.ended {
                Some((Ending::Done | Ending::Refused, _)) => group.measured.extend(measured(&case, &situation, checked)),
                Some(_) => group.given_up += 1,
                None => group.open += 1,
            }
        }
        Ok(found)
    }
}

/// The records of the changes of each case.
fn records(store: &Store) -> Result<BTreeMap<Uuid, Vec<u64>>, StoreError> {
    let mut records: BTreeMap<Uuid, Vec<u64>> = BTreeMap::new();
    let mut note = |store::Recorded { leaf, place, .. }: store::Recorded| {
        let is_change = leaf.kind == RecordKind::Case.as_str() && leaf.action.as_deref() != Some(action::HAND);
        if let Some(id) = leaf.case.as_deref().and_then(Uuid::parse).filter(|_| is_change) {
            records.entry(id).or_default().push(place.index);
        }
    };
    let from = store.tell_cases(&mut note)?;
    store.tell(from, UnixTime::default(), &mut note)?;
    Ok(records)
}

/// A case as its records make it; nothing if they were erased, or its situation is not known any more.
fn rebuilt(store: &Store, checked: &Checked, id: Uuid, records: &[u64]) -> Result<Option<(Case, Arc<Situation>)>, StoreError> {
    let mut found: Option<(Case, Arc<Situation>)> = None;
    for index in records {
        let (at, Some(changes)) = changes_at(store, *index)? else { return Ok(None) };
        if found.is_none() {
            found = Case::begun(&checked.catalogue, id, &changes, at);
        }
        let Some((case, situation)) = &mut found else { return Ok(None) };
        let (catalogue, registry, schemas) = (&*checked.catalogue, &checked.registry, checked.sets.schemas());
        case.apply_all(Around { catalogue, situation, registry, schemas, now: at }, at, &changes);
    }
    Ok(found)
}

/// What a case that is over was like.
fn measured(case: &Case, situation: &Situation, checked: &Checked) -> Option<Measured> {
    let mut begun = BTreeMap::new();
    let mut stays: BTreeMap<_, Stay> = BTreeMap::new();
    for event in case.timeline() {
        let Some(step) = event.step.as_ref().and_then(|step| situation.step_named(step)) else { continue };
        match event.what {
            "begun" => _ = begun.entry(step).or_insert(event.at),
            "done" | "refused" | "expired" => {
                let since = begun.get(&step).copied().unwrap_or(event.at);
                stays.insert(step, Stay { step, agency: event.agency.clone(), begun: since, over: event.at });
            }
            _ => {}
        }
    }
    let (stays, counts): (Vec<Stay>, _) = (stays.into_values().collect(), case.counts());
    let calendar = checked.catalogue.calendar(case.region())?;
    Some(Measured::of(&Recorded {
        situation,
        calendar,
        opened: case.opened,
        stays: &stays,
        brought: counts.brought,
        questions: counts.answered,
    }))
}

fn show(found: &Found, out: &Out) -> Outcome {
    if out.is_json {
        let situations: Vec<_> = found.groups.iter().map(json_of).collect();
        return out.print(json!({ "format": 1, "situations": situations, "unreadable": found.unreadable }));
    }
    if found.groups.is_empty() {
        out.say("the log has no cases");
    }
    for ((situation, region), group) in &found.groups {
        let region = region.as_ref().map_or(String::new(), |region| format!("@{region}"));
        out.print(format_args!(
            "{situation}{region}  {} cases measured, {} open, {} withdrawn or given up",
            group.measured.len(),
            group.open,
            group.given_up
        ))?;
        if !group.measured.is_empty() {
            words(&Report::of(&group.measured), out)?;
        }
    }
    if found.unreadable > 0 {
        out.say(format_args!(
            "{} cases cannot be read: erased, or of situations that the catalogue has no more",
            found.unreadable
        ));
    }
    Ok(())
}

fn words(report: &Report, out: &Out) -> Outcome {
    let both = |figures: &Figures| format!("{:.1} ({:.1})", figures.median, figures.ninth);
    let share = |share: &Share| {
        let percent = |share: f64| share * 100.0;
        format!(
            "halved for {} of {}: {:.0} %, in truth {:.0} to {:.0} %",
            share.count,
            share.of,
            percent(share.share()),
            percent(share.low),
            percent(share.high)
        )
    };
    out.print("  median (nine of ten at most)")?;
    let (carried, brought) = (both(&report.carried_before), both(&report.brought));
    out.print(format_args!("  documents carried   {carried} before, {brought} now; {}", share(&report.documents_halved)))?;
    let (before, now) = (both(&report.days_before), both(&report.days));
    out.print(format_args!("  working days        {before} before, {now} now; {}", share(&report.waiting_halved)))?;
    out.print(format_args!("  questions           {}", both(&report.questions)))?;
    out.print(format_args!("  visits              {}", both(&report.visits)))?;
    report.most_held_up().map_or(Ok(()), |(step, agency, count)| {
        let agency = agency.map_or(String::new(), |agency| format!(" at {agency}"));
        out.print(format_args!("  held up longest by  {step}{agency}, in {count} of {}", report.cases))
    })
}

fn json_of(((situation, region), group): (&(Code, Option<Region>), &Group)) -> serde_json::Value {
    let report = Report::of(&group.measured);
    let figures = |figures: &Figures| json!({ "median": figures.median, "p90": figures.ninth, "most": figures.most });
    let share = |share: &Share| json!({ "count": share.count, "of": share.of, "share": share.share(), "low": share.low, "high": share.high });
    let hold_ups = report.hold_ups.iter().map(|((step, agency), count)| {
        json!({ "step": step.as_str(), "agency": agency.as_ref().map(|agency| agency.as_str()), "cases": count })
    });
    json!({
        "situation": situation.as_str(), "region": region.as_ref().map(Region::as_str), "cases": report.cases, "open": group.open,
        "givenUp": group.given_up, "documentsBefore": figures(&report.carried_before), "brought": figures(&report.brought),
        "questions": figures(&report.questions), "daysBefore": figures(&report.days_before), "days": figures(&report.days),
        "visits": figures(&report.visits), "documentsHalved": share(&report.documents_halved),
        "waitingHalved": share(&report.waiting_halved), "holdUps": hold_ups.collect::<Vec<_>>(),
    })
}
