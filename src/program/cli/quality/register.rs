//! `oncegate quality register`: which services meet the standard, and what is declared and measured of their channels.

use super::{Failure, Out, Outcome, Titles, file_or, interval, share_json, table, text_of, told};
use crate::rules::quality::Share;
use crate::rules::quality::register::{ChannelRow, Measured, Register as Loaded, Summary};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Say which services meet the standard, how far the assessors agree, and what channels keep of what is declared
#[derive(clap::Args)]
#[command(
    before_help = "Examples:\n  oncegate quality register\n  oncegate quality register --file register.toml --measured channels.jsonl --json"
)]
pub(super) struct Register {
    /// A register, in place of the program's, whose marks are invented
    #[arg(long)]
    file: Option<PathBuf>,
    /// What was measured of channels, a line of JSON for each; docs/quality.md has its keys
    #[arg(long, value_name = "FILE")]
    measured: Option<PathBuf>,
    #[command(flatten)]
    titles: Titles,
}

impl Register {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let file = file_or(self.file.as_deref(), Loaded::built_in_file)?;
        let register = Loaded::read(&file).map_err(|wrong| told(&wrong))?;
        let measured = self.measured.as_ref().map_or(Ok(Measured::default()), |path| {
            let wrong = |(line, cause)| Failure::new(2, format!("{}: line {line}: {cause}", path.display()));
            register.measured(&text_of(path)?).map_err(wrong)
        })?;
        let (summary, rows) = (register.summary(), register.channel_rows(&measured, &BTreeMap::new()));
        let language = self.titles.language.as_str();
        if out.is_json {
            return out.print(to_json(&summary, &rows, language));
        }
        // Of hundreds of channels those that somebody has measured; all of them are in JSON.
        let rows: Vec<&ChannelRow<'_>> = rows.iter().filter(|row| row.measured.is_some()).collect();
        out.print(text(&summary, &rows, language).trim_end())
    }
}

fn text(summary: &Summary<'_>, rows: &[&ChannelRow<'_>], language: &str) -> String {
    let (at, of) = summary.standard;
    let kappa = |agreement: Option<f64>| agreement.map_or("none".to_owned(), |kappa| format!("{kappa:.2}"));
    let agree = summary.of_services.both + summary.of_services.neither;
    let mut text = format!(
        "Services meeting the standard  {} ({} agencies)\nthe standard is {at} of {of} criteria, judged by somebody independent; all services were judged, so there is no \
         interval;\nwhoever takes them for others: {:.1} to {:.1} %\n",
        count(&summary.independent),
        summary.agencies,
        summary.independent.low * 100.0,
        summary.independent.high * 100.0
    );
    text += &format!("as the agencies say of themselves  {}\n", count(&summary.own));
    text += &format!(
        "the two agree about {agree} of {} services, Cohen's kappa {}; of single marks {}\n",
        summary.of_services.count(),
        kappa(summary.of_services.kappa()),
        kappa(summary.of_marks.kappa())
    );
    let criteria =
        summary.criteria.iter().map(|(criterion, share)| vec![criterion.title.in_language(language).to_owned(), count(share)]);
    text += &format!("\n{}", table(&["criterion", "met"], criteria));
    let agencies = summary.by_agency.iter().map(|row| {
        vec![row.id.to_string(), row.agency.title.in_language(language).to_owned(), count(&row.independent), count(&row.own)]
    });
    text += &format!("\n{}", table(&["agency", "", "meet the standard", "as it says itself"], agencies));
    let disagreements = summary.disagreements.iter().map(|one| {
        let criteria: Vec<&str> = one.criteria.iter().map(|criterion| criterion.id.as_str()).collect();
        vec![
            format!("{} {}", one.agency, one.id),
            one.service.own.met().to_string(),
            one.service.independent.met().to_string(),
            criteria.join(", "),
        ]
    });
    text += &format!("\n{}", table(&["the two say differently of", "itself", "independent", "criteria"], disagreements));
    if rows.is_empty() {
        return text + "\nno channel is measured: say --measured FILE; what is declared of all of them is in --json\n";
    }
    let rows = rows.iter().map(|row| channel(row));
    text + &format!(
        "\n{}",
        table(&["channel, measured", "n", "median", "p95", "declared", "", "available", "declared", ""], rows)
    )
}

fn channel(row: &ChannelRow<'_>) -> Vec<String> {
    let none = || "-".to_owned();
    let minutes = row.measured.and_then(|figures| figures.minutes);
    let available = row.measured.and_then(|figures| figures.available);
    let minute = |figure: Option<f64>| figure.map_or_else(none, |minutes| format!("{minutes:.1} min"));
    vec![
        row.of.to_string(),
        minutes.map_or_else(none, |minutes| minutes.count.to_string()),
        minute(minutes.map(|minutes| minutes.median)),
        minute(minutes.map(|minutes| minutes.p95)),
        format!("{} min", row.declared.minutes),
        row.time.as_str().to_owned(),
        available.map_or_else(none, |share| interval(&share)),
        format!("{:.1} %", row.declared.available * 100.0),
        row.availability.as_str().to_owned(),
    ]
}

/// `146 of 228, 64.0 %`.
fn count(share: &Share) -> String {
    format!("{} of {}, {:.1} %", share.count, share.of, share.share() * 100.0)
}

fn to_json(summary: &Summary<'_>, rows: &[ChannelRow<'_>], language: &str) -> Value {
    let agencies = summary.by_agency.iter().map(|row| {
        json!({
            "agency": row.id.as_str(), "title": row.agency.title.in_language(language), "provider": row.agency.provider.as_str(),
            "own": share_json(&row.own), "independent": share_json(&row.independent),
        })
    });
    let criteria = summary.criteria.iter().map(|(criterion, share)| {
        json!({ "id": criterion.id.as_str(), "title": criterion.title.in_language(language), "met": share_json(share) })
    });
    let disagreements = summary.disagreements.iter().map(|one| {
        let criteria: Vec<&str> = one.criteria.iter().map(|criterion| criterion.id.as_str()).collect();
        json!({
            "agency": one.agency.as_str(), "service": one.id.as_str(), "title": one.service.title.in_language(language),
            "own": one.service.own.met(), "independent": one.service.independent.met(), "criteria": criteria,
        })
    });
    json!({
        "format": 1, "meetsAt": summary.standard.0, "criteria": criteria.collect::<Vec<_>>(), "agencies": summary.agencies,
        "own": share_json(&summary.own), "independent": share_json(&summary.independent),
        "kappa": summary.of_services.kappa(), "kappaOfMarks": summary.of_marks.kappa(), "byAgency": agencies.collect::<Vec<_>>(),
        "disagreements": disagreements.collect::<Vec<_>>(), "channels": rows.iter().map(channel_json).collect::<Vec<_>>(),
    })
}

fn channel_json(row: &ChannelRow<'_>) -> Value {
    let minutes = row.measured.and_then(|figures| figures.minutes);
    let available = row.measured.and_then(|figures| figures.available);
    json!({
        "agency": row.of.agency.as_str(), "service": row.of.service.as_str(), "channel": row.of.channel.as_str(),
        "n": minutes.map(|minutes| minutes.count), "median": minutes.map(|minutes| minutes.median), "p95": minutes.map(|minutes| minutes.p95),
        "available": available.as_ref().map(share_json), "declaredMinutes": row.declared.minutes, "declaredAvailable": row.declared.available,
        "time": row.time.as_str(), "availability": row.availability.as_str(),
    })
}
