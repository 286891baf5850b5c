//! `oncegate quality`: which services meet the standard, what people say of them, what comes first, and what each agency is told.

mod board;
mod register;

use super::{Failure, Out, Outcome};
use crate::base::ids::{AgencyId, Region};
use crate::message::schema::Schemas;
use crate::rules::quality::laboratory::{Laboratories, Severity};
use crate::rules::quality::priorities::{Priorities as Candidates, Ranked};
use crate::rules::quality::rating::read;
use crate::rules::quality::register::Register as Loaded;
use crate::rules::quality::report::{Names, Report as Written};
use crate::rules::quality::scoreboard::Scoreboard as Folded;
use crate::rules::quality::{Language, Rated, Rating, Share};
use crate::rules::situation::{Catalogue, Diagnostic, File};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:\n  oncegate quality register\n  oncegate quality priorities --region RU-YAR\n  \
oncegate quality scoreboard --ratings ratings.jsonl --invited 400\n  oncegate quality report --organisation ru.yar.sfr --ratings ratings.jsonl --language ru";

/// Say which services meet the standard, what people say of them, and what to do first
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Quality {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say which services meet the standard, how far the assessors agree, and what channels keep of what is declared
    Register(register::Register),
    /// Rank the everyday issues of a region by how many people they leave dissatisfied
    Priorities(Priorities),
    /// Say what many ratings come to
    Scoreboard(Scoreboard),
    /// Write the report to one agency
    Report(Report),
    /// Count what was found in laboratories where people try situations out
    Laboratories(Studies),
}

impl Quality {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.command {
            Command::Register(command) => command.run(out),
            Command::Priorities(command) => command.run(out),
            Command::Scoreboard(command) => command.run(out),
            Command::Report(command) => command.run(out),
            Command::Laboratories(command) => command.run(out),
        }
    }
}

/// The language of titles.
#[derive(Args)]
struct Titles {
    /// The language of titles: en or ru
    #[arg(long, default_value = "en", value_parser = language)]
    language: Language,
}

/// Rank the everyday issues of a region by how many people they leave dissatisfied
#[derive(Args)]
#[command(
    before_help = "Examples:\n  oncegate quality priorities --region RU-YAR\n  oncegate quality priorities --region RU-YAR --file issues.toml --json"
)]
struct Priorities {
    /// The region
    #[arg(long, value_parser = region)]
    region: Region,
    /// A file of issues, in place of the program's, whose figures are invented
    #[arg(long)]
    file: Option<PathBuf>,
    #[command(flatten)]
    titles: Titles,
}

impl Priorities {
    fn run(&self, out: &Out) -> Outcome {
        let file = file_or(self.file.as_deref(), Candidates::built_in_file)?;
        let all = Candidates::read(&file).map_err(|wrong| told(&wrong))?;
        let ranking = all.ranking(&self.region).ok_or_else(|| {
            let known: Vec<&str> = all.regions().map(Region::as_str).collect();
            Failure::new(2, format!("{} has nothing of {}; it has {}", file.name, self.region, known.join(", ")))
        })?;
        let language = self.titles.language.as_str();
        let json = |one: &Ranked<'_>| {
            json!({
                "id": one.id.as_str(), "title": one.issue.title.in_language(language), "situation": one.issue.situation.as_ref().map(|code| code.as_str()),
                "place": one.place, "placeBest": one.place_best, "placeWorst": one.place_worst, "cases": one.issue.cases,
                "dissatisfied": share_json(&one.share), "harm": one.harm(), "harmLow": one.harm_low(), "harmHigh": one.harm_high(),
            })
        };
        let list = |ranked: &[Ranked<'_>]| ranked.iter().map(json).collect::<Vec<_>>();
        let unknown: Vec<&str> = ranking.unknown.iter().map(|(id, _)| id.as_str()).collect();
        let told = json!({
            "format": 1, "region": self.region.as_str(), "chosen": list(&ranking.chosen), "others": list(&ranking.others), "unknown": unknown,
        });
        let head = ["", "issue", "dissatisfied a year", "might be place", "dissatisfied", "cases"];
        let row = |one: &Ranked<'_>| {
            let harm = format!("{:.0} ({:.0} to {:.0})", one.harm(), one.harm_low(), one.harm_high());
            let places = format!("{} to {}", one.place_best, one.place_worst);
            let title = one.issue.title.in_language(language).to_owned();
            vec![one.place.to_string(), title, harm, places, interval(&one.share), one.issue.cases.to_string()]
        };
        let mut text =
            format!("{}: {} chosen\n{}", self.region, ranking.chosen.len(), table(&head, ranking.chosen.iter().map(row)));
        if !ranking.others.is_empty() {
            text += &format!("\nnot chosen\n{}", table(&head, ranking.others.iter().map(row)));
        }
        if !unknown.is_empty() {
            text += &format!("\nfewer than ten have answered about {}: ask more people\n", unknown.join(", "));
        }
        out.result(text.trim_end(), &told)
    }
}

/// Ratings, and how many were asked.
#[derive(Args)]
struct Given {
    /// A file with a line of JSON for each answer; docs/quality.md has its keys
    #[arg(long, value_name = "FILE")]
    ratings: PathBuf,
    /// How many were asked to answer, if that is known
    #[arg(long)]
    invited: Option<u64>,
}

impl Given {
    fn ratings(&self) -> Result<Vec<Rating>, Failure> {
        let text = text_of(&self.ratings)?;
        let ratings: Result<Vec<Rating>, _> = read(&text).collect();
        ratings.map_err(|wrong| Failure::new(2, format!("{}: {wrong}", self.ratings.display())))
    }
}

/// Say what many ratings come to
#[derive(Args)]
#[command(
    before_help = "Examples:\n  oncegate quality scoreboard --ratings ratings.jsonl\n  oncegate quality scoreboard --ratings ratings.jsonl --invited 400 --json"
)]
struct Scoreboard {
    #[command(flatten)]
    given: Given,
}

impl Scoreboard {
    fn run(&self, out: &Out) -> Outcome {
        let mut folded = Folded::of(&self.given.ratings()?);
        if let Some(invited) = self.given.invited {
            folded.invite_any(invited);
        }
        let shown = folded.show();
        let mut json = board::json(&shown);
        json["format"] = 1.into();
        out.result(board::text(&shown).trim_end(), &json)
    }
}

/// Write the report to one agency, as Markdown: of the same ratings the same octets
#[derive(Args)]
#[command(before_help = "Examples:\n  oncegate quality report --organisation ru.yar.sfr --ratings ratings.jsonl\n  \
oncegate quality report --organisation ru.yar.sfr --ratings ratings.jsonl --language ru > report.md")]
struct Report {
    /// The agency
    #[arg(long, value_name = "AGENCY", value_parser = agency)]
    organisation: AgencyId,
    #[command(flatten)]
    given: Given,
    #[command(flatten)]
    titles: Titles,
}

impl Report {
    fn run(&self, out: &Out) -> Outcome {
        let ratings = self.given.ratings()?;
        let report = Written::of(&self.organisation, &ratings, self.given.invited);
        let language = self.titles.language;
        let text = report.markdown(language, &names(&self.organisation, language)?);
        let mut json = board::json(report.board());
        json["format"] = 1.into();
        json["agency"] = self.organisation.as_str().into();
        json["months"] =
            report.period().map(|(first, last)| [first.to_string(), last.to_string()]).into_iter().flatten().collect();
        json["report"] = text.as_str().into();
        out.result(text.trim_end(), &json)
    }
}

/// What the program's catalogue and register call things.
fn names(agency: &AgencyId, language: Language) -> Result<Names, Failure> {
    let catalogue = Catalogue::built_in(&Schemas::built_in()).map_err(|wrong| told(&wrong))?;
    let register = Loaded::read(&Loaded::built_in_file()).map_err(|wrong| told(&wrong))?;
    let language = language.as_str();
    let situations = catalogue
        .situations()
        .filter(|situation| situation.region.is_none())
        .map(|situation| (Rated::Situation(situation.id.clone()), situation.title.in_language(language).to_owned()));
    let services = register.agencies().values().flat_map(|agency| &agency.services);
    let services = services.map(|(id, service)| (Rated::Service(id.clone()), service.title.in_language(language).to_owned()));
    Ok(Names {
        agency: register.agencies().get(agency).map(|known| known.title.in_language(language).to_owned()),
        rated: situations.chain(services).collect(),
    })
}

/// Count what was found in laboratories where people try situations out
#[derive(Args)]
#[command(before_help = "Examples:\n  oncegate quality laboratories\n  oncegate quality laboratories --file studies.toml --json")]
struct Studies {
    /// A file of studies, in place of the program's, which are invented
    #[arg(long)]
    file: Option<PathBuf>,
    #[command(flatten)]
    own: super::catalogue::Own,
}

impl Studies {
    fn run(&self, out: &Out) -> Outcome {
        let catalogue = self.own.load()?;
        let file = file_or(self.file.as_deref(), Laboratories::built_in_file)?;
        let count = Laboratories::read(&file, &catalogue).map_err(|wrong| told(&wrong))?.count();
        let of = |severity: &Severity| count.findings.get(severity).copied().unwrap_or_default();
        let severities = Severity::ALL.iter().map(|severity| {
            json!({
                "severity": severity.as_str(), "open": of(severity).open, "mended": of(severity).mended,
            })
        });
        let steps = count.steps.iter().map(|((situation, step), found)| {
            json!({
                "situation": situation.as_str(), "step": step.as_str(), "open": found.open, "mended": found.mended,
            })
        });
        let told = json!({
            "format": 1, "laboratories": count.laboratories, "studies": count.studies, "participants": count.participants,
            "completed": share_json(&count.completed), "findings": severities.collect::<Vec<_>>(), "steps": steps.collect::<Vec<_>>(),
        });
        let (laboratories, studies, participants) = (count.laboratories, count.studies, count.participants);
        let head = format!("{studies} studies in {laboratories} laboratories, {participants} participants");
        let done = format!(
            "tasks done without help  {}, {} of {}",
            interval(&count.completed),
            count.completed.count,
            count.completed.of
        );
        let severities = Severity::ALL
            .iter()
            .map(|severity| vec![severity.as_str().to_owned(), of(severity).open.to_string(), of(severity).mended.to_string()]);
        let steps = count.steps.iter().map(|((situation, step), found)| {
            vec![format!("{situation} {step}"), found.open.to_string(), found.mended.to_string()]
        });
        let severities = table(&["findings", "open", "mended"], severities);
        let steps = table(&["step", "open", "mended"], steps);
        out.result(format!("{head}\n{done}\n\n{severities}\n{steps}").trim_end(), &told)
    }
}

fn region(text: &str) -> Result<Region, String> {
    Region::parse(text).ok_or_else(|| "no region, as RU-YAR is".to_owned())
}

fn agency(text: &str) -> Result<AgencyId, String> {
    AgencyId::parse(text).ok_or_else(|| "no name of an agency, as ru.yar.school-17 is".to_owned())
}

fn language(text: &str) -> Result<Language, String> {
    Language::parse(text).ok_or_else(|| "write en or ru".to_owned())
}

fn text_of(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|cause| Failure::new(2, format!("{}: {cause}", path.display())))
}

/// A file that was named, or that of the program.
fn file_or(path: Option<&Path>, built_in: fn() -> File) -> Result<File, Failure> {
    path.map_or_else(|| Ok(built_in()), |path| Ok(File::new(path.display().to_string(), text_of(path)?)))
}

fn told(wrong: &[Diagnostic]) -> Failure {
    Failure::new(2, wrong.iter().map(Diagnostic::to_string).collect::<Vec<_>>().join("\n"))
}

fn share_json(share: &Share) -> serde_json::Value {
    json!({ "count": share.count, "of": share.of, "share": share.share(), "low": share.low, "high": share.high })
}

/// `64.0 % (57.6 to 70.0 %)`.
fn interval(share: &Share) -> String {
    format!("{:.1} % ({:.1} to {:.1} %)", share.share() * 100.0, share.low * 100.0, share.high * 100.0)
}

/// Lines with their columns below each other.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut all = vec![head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>()];
    all.extend(rows);
    let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("  {}", cells.join("  ")).trim_end().to_owned() + "\n"
    };
    all.iter().map(line).collect()
}
