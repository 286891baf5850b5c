//! `oncegate situation`: what a situation means for one person.

use super::catalogue::{Own, situation};
use super::{Failure, Out, Outcome};
use crate::rules::condition::Value;
use crate::rules::situation::explain::Explaining;
use crate::rules::situation::plan::{Knowledge, Plan};
use crate::rules::situation::{Catalogue, DocumentOf, File, Situation as Loaded};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLES: &str = "Examples:\n  oncegate situation plan birth-of-child\n  oncegate situation plan birth-of-child --region RU-YAR --facts family.toml\n  \
oncegate situation plan my-situation.toml --fact applicant.citizen=true --explain";

/// Tailor a life situation to what is known of somebody.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Situation {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say which steps apply, what is fetched from whom, and what is asked
    #[command(before_help = EXAMPLES)]
    Plan(Tailor),
}

#[derive(Args)]
struct Tailor {
    /// The name of a situation, or the file of one
    situation: String,
    /// The region
    #[arg(long)]
    region: Option<String>,
    /// A file with what is known: lines as child.birth_order = 3, and absent = ["marriage-record:mother"]
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// One thing that is known, as child.birth_order=3; may be given again
    #[arg(long = "fact", value_name = "NAME=VALUE")]
    fact: Vec<String>,
    /// Say for each step why it applies or not
    #[arg(long)]
    explain: bool,
    /// The language of titles
    #[arg(long, default_value = "en")]
    language: String,
    #[command(flatten)]
    own: Own,
}

impl Situation {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let Command::Plan(tailor) = self.command;
        tailor.run(out)
    }
}

impl Tailor {
    fn run(self, out: &Out) -> Outcome {
        let (catalogue, situation) = self.situation()?;
        let mut knowledge = Knowledge::new(&situation);
        if let Some(path) = &self.facts {
            learn(&catalogue, &situation, &mut knowledge, path)?;
        }
        for text in &self.fact {
            let (name, value) =
                text.split_once('=').ok_or_else(|| Failure::new(2, format!("--fact {text}: write NAME=VALUE")))?;
            know(&catalogue, &mut knowledge, name.trim(), value.trim())?;
        }
        let plan = Plan::make(&catalogue, &situation, &knowledge);
        let explaining = Explaining {
            catalogue: &catalogue,
            situation: &situation,
            knowledge: &knowledge,
            plan: &plan,
            language: &self.language,
        };
        if out.is_json {
            return out.print(explaining.json());
        }
        let text = if self.explain { explaining.text() } else { explaining.brief() };
        out.print(text.trim_end())
    }

    /// By its name, or from a file that comes beside the catalogue.
    fn situation(&self) -> Result<(Catalogue, Arc<Loaded>), Failure> {
        let path = Path::new(&self.situation);
        if !self.situation.ends_with(".toml") {
            let catalogue = self.own.load()?;
            let situation = situation(&catalogue, &self.situation, self.region.as_deref())?;
            return Ok((catalogue, situation));
        }
        let text = std::fs::read_to_string(path).map_err(|cause| Failure::new(2, format!("{}: {cause}", path.display())))?;
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("federal/{file}");
        let mut files = self.own.files()?;
        files.retain(|file| file.name != name);
        files.push(File::new(name, text));
        let catalogue = self.own.read(&files)?;
        let id = file.trim_end_matches(".toml").split('@').next().unwrap_or_default().to_owned();
        let situation = situation(&catalogue, &id, self.region.as_deref())?;
        Ok((catalogue, situation))
    }
}

fn know(catalogue: &Catalogue, knowledge: &mut Knowledge, name: &str, value: &str) -> Outcome {
    let index = catalogue.fact_named(name);
    let (Some(index), Some(fact)) = (index, index.and_then(|index| catalogue.fact(index))) else {
        let known = catalogue.facts().iter().map(|fact| &*fact.name);
        let near = crate::base::fault::nearest(name, known).map_or(String::new(), |near| format!("; did you mean {near}?"));
        return Err(Failure::new(2, format!("no fact is called {name}{near}")));
    };
    let value =
        Value::parse(fact.kind, value).ok_or_else(|| Failure::new(2, format!("{name} is {}, and not \"{value}\"", fact.kind)))?;
    knowledge.start_with(index, value);
    Ok(())
}

/// What a file says: nested as TOML has it, `child.birth_order = 3`.
fn learn(catalogue: &Catalogue, situation: &Loaded, knowledge: &mut Knowledge, path: &Path) -> Outcome {
    let told = |cause: &dyn std::fmt::Display| Failure::new(2, format!("{}: {cause}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|cause| told(&cause))?;
    let table: toml::Table = toml::from_str(&text).map_err(|cause| told(&cause))?;
    let mut flat = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::Array(documents) if key == "absent" => {
                for document in &documents {
                    let text = document.as_str().unwrap_or_default();
                    let of = DocumentOf::parse(text)
                        .ok_or_else(|| told(&format_args!("\"{text}\" is no document, as marriage-record:mother is")))?;
                    knowledge.absent(catalogue, situation, &of);
                }
            }
            value => flatten(&key, value, &mut flat),
        }
    }
    flat.iter().try_for_each(|(name, value)| know(catalogue, knowledge, name, value))
}

fn flatten(name: &str, value: toml::Value, flat: &mut Vec<(String, String)>) {
    match value {
        toml::Value::Table(table) => table.into_iter().for_each(|(key, value)| flatten(&format!("{name}.{key}"), value, flat)),
        toml::Value::String(text) => flat.push((name.to_owned(), text)),
        toml::Value::Boolean(truth) => flat.push((name.to_owned(), truth.to_string())),
        toml::Value::Integer(number) => flat.push((name.to_owned(), number.to_string())),
        toml::Value::Datetime(date) => flat.push((name.to_owned(), date.to_string())),
        // No fact is of such a type.
        toml::Value::Float(_) | toml::Value::Array(_) => flat.push((name.to_owned(), String::new())),
    }
}
