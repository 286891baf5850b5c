//! `oncegate catalogue`: the life situations that there are, checked, compared, tried out.

mod compare;
mod generate;
mod population;
mod services;

use super::schema::With;
use super::{Failure, Out, Outcome};
use crate::base::ids::{Code, Region};
use crate::gateway::driver::now;
use crate::host::catalogue::files;
use crate::host::config::Config;
use crate::program::server::check;
use crate::rules::situation::plan::{Knowledge, Plan};
use crate::rules::situation::{Catalogue as Loaded, Diagnostic, File, Legal, Must, Situation, Step, Tell};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLES: &str = "Examples:\n  oncegate catalogue list\n  oncegate catalogue show birth-of-child --region RU-YAR\n  \
oncegate catalogue check my-situations/\n  oncegate catalogue diff my-situations/ new-situations/ --population 10000";

/// Look at life situations, check and compare them, try them out.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Catalogue {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the situations
    List(List),
    /// Show a situation: steps, conditions, documents, terms, law
    Show(Show),
    /// Check the files of a catalogue, and say all that is wrong
    Check(Check),
    /// Say who gains and who loses by a change
    Diff(compare::Compare),
    /// Take people who do not exist through the situations, and print what becomes of their documents and days
    Population(population::Population),
    /// Write a large catalogue for load tests: 70 situations of the country, 400 overlays of regions
    Generate(generate::Generate),
}

impl Catalogue {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.command {
            Command::List(command) => command.run(out),
            Command::Show(command) => command.run(out),
            Command::Check(command) => command.run(out),
            Command::Diff(command) => command.run(out),
            Command::Population(command) => command.run(out),
            Command::Generate(command) => command.run(out),
        }
    }
}

/// Which catalogue.
#[derive(Args)]
pub(super) struct Own {
    /// A folder of files beside those of the program, or a whole catalogue of its own
    #[arg(long, value_name = "FOLDER")]
    catalogue: Option<PathBuf>,
    #[command(flatten)]
    with: With,
}

impl Own {
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        read(self.catalogue.as_deref(), &self.with)
    }

    pub(super) fn files(&self) -> Result<Vec<File>, Failure> {
        files(self.catalogue.as_deref()).map_err(|cause| Failure::new(2, cause))
    }

    pub(super) fn read(&self, files: &[File]) -> Result<Loaded, Failure> {
        read_files(files, &self.with)
    }
}

pub(super) fn read(folder: Option<&Path>, with: &With) -> Result<Loaded, Failure> {
    let files = files(folder).map_err(|cause| Failure::new(2, cause))?;
    read_files(&files, with)
}

fn read_files(files: &[File], with: &With) -> Result<Loaded, Failure> {
    Loaded::read(files, with.load()?.schemas()).map_err(|wrong| Failure::new(2, told(&wrong)))
}

fn told(wrong: &[Diagnostic]) -> String {
    let lines: Vec<String> = wrong.iter().map(Diagnostic::to_string).collect();
    let count = if wrong.len() == 1 { "one mistake".to_owned() } else { format!("{} mistakes", wrong.len()) };
    format!("{count} in the catalogue\n{}", lines.join("\n"))
}

/// A situation of a catalogue, in the version that a region has.
pub(super) fn situation(catalogue: &Loaded, id: &str, region: Option<&str>) -> Result<Arc<Situation>, Failure> {
    let region =
        region.map(|text| Region::parse(text).ok_or_else(|| Failure::new(2, format!("\"{text}\" is no region, as RU-YAR is"))));
    let region = region.transpose()?;
    let found = Code::parse(id).and_then(|id| catalogue.situation(&id, region.as_ref()).cloned());
    found.ok_or_else(|| {
        let known = catalogue.situations().map(|situation| situation.id.as_str());
        let near = crate::base::fault::nearest(id, known).map_or(String::new(), |near| format!("; did you mean {near}?"));
        Failure::new(2, format!("no situation is called {id}{near}"))
    })
}

/// List the situations.
#[derive(Args)]
#[command(before_help = "Examples:\n  oncegate catalogue list\n  oncegate catalogue list --json")]
struct List {
    #[command(flatten)]
    own: Own,
    /// The language of titles
    #[arg(long, default_value = "en")]
    language: String,
}

impl List {
    fn run(self, out: &Out) -> Outcome {
        let catalogue = self.own.load()?;
        if out.is_json {
            let situations: Vec<serde_json::Value> =
                catalogue.situations().map(|situation| as_json(situation, &self.language)).collect();
            let services = services::services(&catalogue, &self.language);
            return out.print(serde_json::json!({ "format": 1, "situations": situations, "services": services }));
        }
        for situation in catalogue.situations() {
            let region = situation.region.as_ref().map_or("", Region::as_str);
            let (steps, title) = (situation.steps.len(), situation.title.in_language(&self.language));
            let version = situation.version.to_string();
            out.print(format_args!("{:<32} {version:<10} {region:<8} {steps:>3} steps  {title}", situation.id.as_str()))?;
        }
        Ok(())
    }
}

fn as_json(situation: &Situation, language: &str) -> serde_json::Value {
    let legal = |legal: &Legal| serde_json::json!({ "reference": legal.reference, "checked": legal.checked == crate::rules::situation::Checked::Yes });
    let step = |step: &Step| {
        let after: Vec<&str> =
            step.after.iter().filter_map(|index| situation.step(*index)).map(|step| step.id.as_str()).collect();
        let needs: Vec<String> = step.needs.iter().map(need).collect();
        serde_json::json!({
            "id": step.id.as_str(), "title": step.title.in_language(language), "agency": step.office.as_str(), "service": step.service.as_str(),
            "when": step.when.as_ref().map(|when| when.as_str()), "after": after, "needs": needs,
            "gives": step.gives.as_ref().map(ToString::to_string), "deadline": step.deadline.to_string(),
            "channel": step.channel.to_string(), "legal": step.legal.as_ref().map(legal),
        })
    };
    serde_json::json!({
        "id": situation.id.as_str(), "version": situation.version.to_string(), "region": situation.region.as_ref().map(Region::as_str),
        "overlay": situation.overlay.as_ref().map(ToString::to_string), "title": situation.title.in_language(language),
        "curator": situation.curator, "legal": situation.legal.iter().map(legal).collect::<Vec<_>>(),
        "steps": situation.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn need(need: &crate::rules::situation::Need) -> String {
    let mark = if need.must == Must::BeLookedFor { "?" } else { "" };
    format!("{}{mark}", need.document)
}

/// Show a situation.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  oncegate catalogue show birth-of-child\n  oncegate catalogue show birth-of-child --region RU-YAR --language ru"
)]
struct Show {
    /// The situation
    id: String,
    /// The region whose overlay is shown
    #[arg(long)]
    region: Option<String>,
    /// The language of titles
    #[arg(long, default_value = "en")]
    language: String,
    #[command(flatten)]
    own: Own,
}

impl Show {
    fn run(self, out: &Out) -> Outcome {
        let catalogue = self.own.load()?;
        let situation = situation(&catalogue, &self.id, self.region.as_deref())?;
        if out.is_json {
            return out.print(as_json(&situation, &self.language));
        }
        let overlay = situation.overlay.as_ref().zip(situation.region.as_ref());
        let overlay = overlay.map_or(String::new(), |(version, region)| format!(", with the overlay {version} of {region}"));
        out.print(format_args!("{}: {}", situation.id, situation.title.in_language(&self.language)))?;
        out.print(format_args!("version {}{overlay}; curator {}", situation.version, situation.curator))?;
        for legal in &situation.legal {
            out.print(format_args!("law      {}", law(legal)))?;
        }
        for role in &situation.roles {
            let found: Vec<String> =
                role.found_in.iter().map(|found| format!("{} as {}", found.document, found.named_as)).collect();
            let found =
                if found.is_empty() { "known from the start".to_owned() } else { format!("found in {}", found.join(", or ")) };
            out.print(format_args!("about    {:<10} {found}", role.name))?;
        }
        situation.steps.iter().try_for_each(|step| self.step(out, &situation, step))
    }

    fn step(&self, out: &Out, situation: &Situation, step: &Step) -> Outcome {
        out.print(format_args!("\n{}: {}", step.id, step.title.in_language(&self.language)))?;
        out.print(format_args!("  by       {} ({}), {}, within {}", step.office, step.service, step.channel, step.deadline))?;
        if let Some(when) = &step.when {
            out.print(format_args!("  when     {}", when.as_str()))?;
        }
        let after: Vec<&str> =
            step.after.iter().filter_map(|index| situation.step(*index)).map(|step| step.id.as_str()).collect();
        let needs: Vec<String> = step.needs.iter().map(need).collect();
        let withheld: Vec<String> =
            step.withhold.iter().map(|(document, path)| format!("{document}:{}", path.as_str())).collect();
        let gives: Vec<String> = step.gives.iter().map(ToString::to_string).collect();
        let Tell { applicant, curator, assistant } = &step.tell;
        let told = [("applicant", applicant), ("curator", curator), ("assistant", assistant)]
            .into_iter()
            .filter(|(_, of)| !of.is_empty());
        let told: Vec<String> = told
            .map(|(who, of)| format!("{who}: {}", of.iter().map(|notice| notice.as_str()).collect::<Vec<_>>().join(", ")))
            .collect();
        let law: Vec<String> = step.legal.iter().map(law).collect();
        let lines = [
            ("after", after.join(", ")),
            ("needs", needs.join(", ")),
            ("without", withheld.join(", ")),
            ("gives", gives.join(", ")),
            ("tells", told.join("; ")),
            ("law", law.join(", ")),
        ];
        lines
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .try_for_each(|(what, text)| out.print(format_args!("  {what:<8} {text}")))
    }
}

fn law(legal: &Legal) -> String {
    match legal.checked {
        crate::rules::situation::Checked::Yes => legal.reference.to_string(),
        crate::rules::situation::Checked::No => format!("{} (unchecked)", legal.reference),
    }
}

/// Check the files of a catalogue.
#[derive(Args)]
#[command(
    before_help = "Examples:\n  oncegate catalogue check\n  oncegate catalogue check my-situations/\n  oncegate catalogue check my-situations/ -c office/oncegate.toml"
)]
struct Check {
    /// A folder of files beside those of the program, or a whole catalogue of its own
    folder: Option<PathBuf>,
    /// The configuration of a gateway: also say which agencies, holders and grants its registry lacks; offices.toml names the agencies
    #[arg(short, long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    with: With,
}

impl Check {
    fn run(self, out: &Out) -> Outcome {
        let catalogue = read(self.folder.as_deref(), &self.with)?;
        if let Some(config) = &self.config {
            self.against(out, &catalogue, config)?;
        }
        let (own, regional): (Vec<_>, Vec<_>) = catalogue.situations().partition(|situation| situation.region.is_none());
        let steps: usize = own.iter().map(|situation| situation.steps.len()).sum();
        let plans: usize = catalogue
            .situations()
            .map(|situation| Plan::make(&catalogue, situation, &Knowledge::new(situation)).fetch.len())
            .sum();
        let json = serde_json::json!({ "format": 1, "situations": own.len(), "overlays": regional.len(), "steps": steps, "facts": catalogue.facts().len() });
        let text = format!(
            "good: {} situations of {steps} steps, {} overlays, {} facts; {plans} documents can be fetched at once when nothing is known",
            own.len(),
            regional.len(),
            catalogue.facts().len()
        );
        out.result(text, &json)
    }

    /// What stands between the situations and the registry of a gateway.
    fn against(&self, out: &Out, catalogue: &Loaded, config: &Path) -> Outcome {
        let config = Config::load(config).map_err(|error| Failure::new(2, error))?;
        let checked = check(config).map_err(|error| Failure::new(2, error))?;
        let mut lines = Vec::new();
        for situation in catalogue.situations() {
            let region = situation.region.as_ref().map_or(String::new(), |region| format!("@{region}"));
            let obstacles = catalogue.obstacles(situation, &checked.registry, now().day());
            lines.extend(obstacles.iter().map(|obstacle| format!("{}{region}: {obstacle}", situation.id)));
        }
        if lines.is_empty() {
            out.say("the registry has what the situations need");
            return Ok(());
        }
        Err(Failure::new(2, format!("the registry lacks what situations need, in {} places\n{}", lines.len(), lines.join("\n"))))
    }
}
