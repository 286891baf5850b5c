//! `oncegate agent`

use super::ask::folder;
use super::{Failure, Out, Outcome, runtime};
use crate::base::ids::{AgencyId, Code};
use crate::exchange::mapping::{Failed, Question, Table};
use crate::faces::agent::{
    Agent as Running, Column, Config, Database, Draft, FILE, Finding, Fixtures, Hold, Say, Survey, Tried, Trying, quoted, schemas,
};
use crate::faces::client::Client;
use crate::gateway::driver::now;
use crate::host::schemas::sets::Sets;
use crate::host::source::{CsvConfig, Source, SourceConfig};
use crate::message::schema::{FieldPath, Schemas};
use clap::Subcommand;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const EXAMPLES: &str = "Examples:\n  oncegate agent inspect notes.csv\n  \
oncegate agent new agencies/ru.yar.clinic-3 --document medical-absence-note --from notes.csv\n  \
oncegate agent check agencies/ru.yar.clinic-3\n  oncegate agent test agencies/ru.yar.clinic-3 --explain\n  oncegate agent run agencies/ru.yar.clinic-3";

/// Be a holder from a table, on the agency's side.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Agent {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say what the columns of a file are: kinds, empty cells, whether each value is there once; never a value
    #[command(
        before_help = "Examples:\n  oncegate agent inspect notes.csv\n  oncegate agent inspect notes.csv --encoding windows-1251"
    )]
    Inspect {
        /// The file: lines with separators, names of columns in the first
        file: PathBuf,
        /// Its encoding, such as windows-1251
        #[arg(long)]
        encoding: Option<String>,
    },
    /// Write a first draft of an agent's files: what can be guessed, and a todo for the rest
    #[command(
        before_help = "Examples:\n  oncegate agent new agencies/ru.yar.clinic-3 --document medical-absence-note --from notes.csv"
    )]
    New {
        /// The agency's folder, or its name under ./agencies
        agency: PathBuf,
        /// The document type that it holds
        #[arg(long)]
        document: String,
        /// The file with its rows
        #[arg(long)]
        from: PathBuf,
        /// The file's encoding, such as windows-1251
        #[arg(long)]
        encoding: Option<String>,
        /// What the agency is called in documents
        #[arg(long)]
        name: Option<String>,
        /// Its registration number or the like: SCHEME:VALUE
        #[arg(long)]
        identifier: Option<String>,
        #[command(flatten)]
        with: super::schema::With,
    },
    /// Check an agent's files against the schemas and its sources, row by row
    #[command(
        before_help = "Examples:\n  oncegate agent check agencies/ru.yar.clinic-3\n  oncegate agent check agencies/ru.yar.clinic-3 --pin"
    )]
    Check {
        /// The agency's folder, or its name under ./agencies
        agency: PathBuf,
        /// Write the digest of each schema into its mapping, so that a changed schema is looked at again
        #[arg(long)]
        pin: bool,
    },
    /// Try an agent's fixtures, without sources, keys or a network
    #[command(before_help = "Examples:\n  oncegate agent test agencies/ru.yar.clinic-3 --explain")]
    Test {
        /// The agency's folder, or its name under ./agencies
        agency: PathBuf,
        /// Say what happens, step by step, without a value
        #[arg(long)]
        explain: bool,
    },
    /// Run an agent until SIGTERM or SIGINT; SIGHUP reads its files again
    #[command(before_help = "Examples:\n  oncegate agent run agencies/ru.yar.clinic-3")]
    Run {
        /// The agency's folder, or its name under ./agencies
        agency: PathBuf,
    },
}

impl Agent {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.action {
            Action::Inspect { file, encoding } => inspect(&file, encoding, out),
            Action::New { agency, document, from, encoding, name, identifier, with } => {
                let about = (name.as_deref(), identifier.as_deref());
                new(&folder(&agency), (&document, &from, encoding), about, &with.load()?, out)
            }
            Action::Check { agency, pin } => check(&folder(&agency), if pin { Pin::Write } else { Pin::Leave }, out),
            Action::Test { agency, explain } => test(&folder(&agency), if explain { Steps::All } else { Steps::OfWrong }, out),
            Action::Run { agency } => run(&folder(&agency), out),
        }
    }
}

/// A failure that says all that is wrong.
fn refused(findings: Vec<Finding>) -> Failure {
    let place = |finding: &Finding| {
        let mut parts = finding.place.rsplit(':').map(|part| part.parse::<usize>().unwrap_or(0));
        let column = parts.next();
        (parts.next(), column)
    };
    let mut findings = findings;
    findings.sort_by_key(place);
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    Failure::new(2, lines.join("\n"))
}

/// The separators that files have.
const SEPARATORS: [&str; 4] = [",", ";", "tab", "|"];

/// A file with the separator that gives it the most columns.
fn open_file(file: &Path, encoding: Option<String>) -> Result<(CsvConfig, Source), Failure> {
    let runtime = runtime()?;
    let mut best: Option<(usize, CsvConfig, Source)> = None;
    let mut trouble = None;
    for separator in SEPARATORS {
        let config = CsvConfig {
            file: file.to_owned(),
            encoding: encoding.clone(),
            separator: Some(separator.to_owned()),
            quote: None,
            max_age: None,
            as_of_column: None,
            rows_max: None,
        };
        match runtime.block_on(Source::open("file", &SourceConfig::Csv(config.clone()), Path::new("."), &[])) {
            Ok(source) => {
                let by = crate::host::source::By { how: crate::host::source::How::Question, columns: None };
                let columns = runtime.block_on(source.columns(&by)).map_or(0, |columns| columns.len());
                if best.as_ref().is_none_or(|(most, ..)| columns > *most) {
                    best = Some((columns, config, source));
                }
            }
            // What the usual separator says of a file is what its owner wants to hear, unless another one fits.
            Err(error) => {
                trouble.get_or_insert(error);
            }
        }
    }
    match (best, trouble) {
        (Some((_, config, source)), None) => Ok((config, source)),
        (Some((2.., config, source)), _) => Ok((config, source)),
        (_, Some(error)) => {
            let hint = if error.what.contains("encoding") && encoding.is_none() {
                "; --encoding windows-1251 reads another one"
            } else {
                ""
            };
            Err(Failure::new(2, format!("{error}{hint}")))
        }
        (None, None) => Err(Failure::new(2, format!("{}: it cannot be read", file.display()))),
    }
}

fn survey(source: &Source) -> Result<(u64, Vec<Column>), Failure> {
    let by = crate::host::source::By { how: crate::host::source::How::Question, columns: None };
    let columns = runtime()?.block_on(source.columns(&by)).map_err(|error| Failure::new(2, error))?;
    let mut survey = Survey::new(&columns);
    let nobody = AgencyId::parse("xx.nobody").ok_or_else(|| Failure::new(1, "no agency"))?;
    source.each_row(&mut |row| survey.see(&row, &nobody));
    Ok(survey.finish())
}

fn inspect(file: &Path, encoding: Option<String>, out: &Out) -> Outcome {
    let (config, source) = open_file(file, encoding)?;
    let (rows, columns) = survey(&source)?;
    if out.is_json {
        let row = |column: &Column| serde_json::json!({ "name": column.name, "kind": column.kind.to_string(), "empty": column.empty, "different": column.different, "unique": column.is_unique });
        let rows_of: Vec<_> = columns.iter().map(row).collect();
        return out.print(serde_json::json!({ "format": 1, "rows": rows, "separator": config.separator, "columns": rows_of }));
    }
    let separator = config.separator.as_deref().unwrap_or(",");
    out.print(format!("{}: {rows} rows, {} columns, separator {separator}", file.display(), columns.len()))?;
    let width = columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0);
    for column in &columns {
        let unique = if column.is_unique && column.empty == 0 { ", another in each row" } else { "" };
        let empty = if column.empty > 0 { format!(", empty in {}", column.empty) } else { String::new() };
        out.print(format!("  {:<width$}  {}{unique}{empty}", column.name, column.kind))?;
    }
    Ok(())
}

fn new(
    agency: &Path,
    (document, file, encoding): (&str, &Path, Option<String>),
    (name, identifier): (Option<&str>, Option<&str>),
    sets: &Sets,
    out: &Out,
) -> Outcome {
    let client = Client::load(agency)?;
    let document =
        Code::parse(document).ok_or_else(|| Failure::new(2, format!("\"{document}\" is not the name of a document")))?;
    if sets.schemas().document_type(&document).is_none() {
        let names = sets.schemas().document_types().map(|known| known.name.as_str());
        let near =
            crate::base::fault::nearest(document.as_str(), names).map_or(String::new(), |near| format!("; did you mean {near}?"));
        return Err(Failure::new(2, format!("OG-AGT-002 there is no document {document}{near}")));
    }
    let (config, source) = open_file(file, encoding)?;
    let (rows, columns) = survey(&source)?;
    let draft = Draft::new(sets.schemas(), &document, &columns);
    let (map, fixtures) = (format!("{document}.toml"), format!("{document}.fixtures.toml"));
    for name in [FILE, &map, &fixtures] {
        if agency.join(name).exists() {
            return Err(Failure::new(2, format!("{} is there already; what is in it stays", agency.join(name).display())));
        }
    }
    let called = name.map_or_else(|| client.agency().to_string(), str::to_owned);
    let identifier = match identifier {
        Some(identifier) => format!("identifier = {}\n", quoted(identifier)),
        None => "# identifier = \"RU-OGRN:1027700132195\"    its registration number, if documents name it\n".to_owned(),
    };
    let from = std::fs::canonicalize(file)?;
    let home = std::fs::canonicalize(agency)?;
    let shown = from.strip_prefix(&home).map_or(from.clone(), Path::to_owned);
    let mut lines = vec![format!("file = {}", quoted(&shown.display().to_string()))];
    lines.extend(config.encoding.iter().map(|encoding| format!("encoding = {}", quoted(encoding))));
    lines.extend(
        config
            .separator
            .iter()
            .filter(|separator| *separator != ",")
            .map(|separator| format!("separator = {}", quoted(separator))),
    );
    let agent = format!(
        "# An agent: oncegate agent check, test, run. docs/agent.md has all keys.\nformat = 1\nholds = \"outbound\"    # no port is open; or where the gateway asks: \"0.0.0.0:9443\"\n\n\
         [agency]\nname = {}\n{identifier}\n[source.rows]\nkind = \"csv\"\n{}\n# max_age = \"26h\"    older data is told as such, and never as \"there is none\"\n\n\
         [[hold]]\nsource = \"rows\"\nmap = {}\nfixtures = {}\n",
        quoted(&called),
        lines.join("\n"),
        quoted(&map),
        quoted(&fixtures)
    );
    for (name, text) in [(FILE, &agent), (&map, &draft.map), (&fixtures, &draft.fixtures)] {
        std::fs::write(agency.join(name), text)?;
        out.print(agency.join(name).display())?;
    }
    out.say(format!("{rows} rows looked at. Lines with todo in {}: {}", agency.join(&map).display(), draft.todos));
    out.say(format!("next: correct them, then oncegate agent check {}", agency.display()));
    Ok(())
}

/// An agent's configuration, its schemas and its holds.
type Opened = (Config, Arc<Sets>, Vec<Hold>);

fn open(agency: &Path) -> Result<Opened, Failure> {
    let config = Config::load(agency).map_err(refused)?;
    let sets = schemas(&config).map_err(refused)?;
    let holds = config.holds(sets.schemas()).map_err(refused)?;
    Ok((config, sets, holds))
}

/// Whether digests of schemas are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pin {
    Write,
    Leave,
}

/// Which cases are told step by step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    All,
    OfWrong,
}

fn check(agency: &Path, pin: Pin, out: &Out) -> Outcome {
    let (config, sets, holds) = open(agency)?;
    let client = Client::load(&config.client)?;
    let runtime = runtime()?;
    let mut bad = 0;
    for hold in &holds {
        let kind = config.sources.get(&hold.config.source).ok_or_else(|| Failure::new(2, "no source"))?;
        let keys = config.keys(&hold.config.source, &holds);
        let source = runtime.block_on(Source::open(&hold.config.source, kind, &config.folder, &keys));
        let source = source.map_err(|error| Failure::new(2, error))?;
        let columns = runtime.block_on(source.columns(&hold.by_any(kind))).map_err(|error| Failure::new(2, error))?;
        let wrong = hold.mapping.against(&columns);
        if !wrong.is_empty() {
            return Err(refused(wrong.into_iter().map(|wrong| Finding::at(&hold.config.map, "", wrong)).collect()));
        }
        for warning in source.warnings() {
            out.say(format!("warning: {warning}"));
        }
        let (rows, failed) = each_row(hold, (&source, &columns), &config, &client, sets.schemas());
        for failed in failed.iter().take(TOLD) {
            out.say(format!("{}: {failed}", hold.config.map.display()));
        }
        bad += failed.len();
        let rows = rows.map_or("its rows are looked at when they are asked for".to_owned(), |rows| {
            format!("{rows} rows, {} cannot become a document", failed.len())
        });
        out.print(format!(
            "{} from {}: {} paths; {rows}",
            hold.mapping.document(),
            hold.config.source,
            hold.mapping.sources().count()
        ))?;
        if pin == Pin::Write {
            pin_schema(hold, sets.schemas(), out)?;
        }
    }
    if holds.is_empty() {
        return Err(Failure::new(2, format!("{}: there is no [[hold]]", agency.join(FILE).display())));
    }
    if bad > 0 {
        Err(Failure::new(
            1,
            format!("{bad} rows cannot become a document; whoever asks for them is told the code that stands beside each"),
        ))
    } else {
        Ok(())
    }
}

/// So many rows are told one by one.
const TOLD: usize = 20;

/// Makes a document of each row of a file, as if it was asked for, and gives those that fail.
fn each_row(
    hold: &Hold,
    (source, columns): (&Source, &Arc<[Box<str>]>),
    config: &Config,
    client: &Client,
    schemas: &Schemas,
) -> (Option<u64>, Vec<Failed>) {
    let Some(person) = hold.mapping.persons().first() else { return (None, Vec::new()) };
    let at = columns.iter().position(|column| **column == *person.column).unwrap_or(usize::MAX);
    let own = crate::exchange::mapping::Own {
        id: client.agency(),
        name: &config.name,
        identifier: config.identifier.as_ref(),
        zones: &Database,
    };
    let fields: Vec<FieldPath> = FieldPath::parse("**").into_iter().collect();
    let (mut count, mut failed) = (0, Vec::new());
    let seen = source.each_row(&mut |row| {
        count += 1;
        let identifier = row.cells.get(at).and_then(|cell| crate::exchange::mapping::identifier(&person.scheme, cell.expose()?));
        let Some(identifier) = identifier else { return };
        let question = Question {
            role: &person.role,
            identifiers: std::slice::from_ref(&identifier),
            during: None,
            fields: &fields,
            now: now(),
        };
        let table = Table { columns: Arc::clone(columns), rows: vec![row], as_of: now() };
        let answered = hold
            .mapping
            .asked(&question)
            .and_then(|(person, asked)| hold.mapping.answer(&question, (person, &asked), &table, &own, schemas));
        failed.extend(answered.err());
    });
    (seen.map(|_| count), failed)
}

/// Writes the digest of a schema into its mapping.
fn pin_schema(hold: &Hold, schemas: &Schemas, out: &Out) -> Outcome {
    let file = &hold.config.map;
    let text = std::fs::read_to_string(file)?;
    let Some(digest) = schemas.digest_of(hold.mapping.document()) else { return Ok(()) };
    let line = format!("schema = \"sha256:{digest}\"");
    let is_pin = |line: &&str| line.trim_start().starts_with("schema");
    let pinned = match text.lines().find(is_pin) {
        Some(old) => text.replacen(old, &line, 1),
        None => text.replacen("\ndocument = ", &format!("\n{line}\ndocument = "), 1),
    };
    std::fs::write(file, pinned)?;
    out.print(format!("{}: {line}", file.display()))
}

fn test(agency: &Path, told: Steps, out: &Out) -> Outcome {
    let (config, sets, holds) = open(agency)?;
    let client = Client::load(&config.client)?;
    let (mut all, mut wrong) = (0, 0);
    for hold in &holds {
        let Some(file) = &hold.config.fixtures else { continue };
        let fixtures = Fixtures::load(file).map_err(|finding| refused(vec![finding]))?;
        let trying = Trying {
            mapping: &hold.mapping,
            schemas: sets.schemas(),
            agency: client.agency(),
            name: &config.name,
            identifier: config.identifier.as_ref(),
        };
        for Tried { name, outcome, wrong: differs, steps } in fixtures.run(&trying) {
            all += 1;
            let verdict = if differs.is_none() { "ok" } else { "WRONG" };
            out.print(format!("{verdict:<6} {}  {name}: {outcome}", hold.mapping.document()))?;
            if told == Steps::All || differs.is_some() {
                steps.iter().try_for_each(|step| out.print(format!("         {step}")))?;
            }
            if let Some(differs) = differs {
                wrong += 1;
                out.print(format!("         {differs}"))?;
            }
        }
    }
    match (all, wrong) {
        (0, _) => Err(Failure::new(1, "no fixture: nothing was tried. Name a file of them in [[hold]]: fixtures = \"…\"")),
        (_, 0) => out.print(format!("{all} of {all}")),
        _ => Err(Failure::new(1, format!("{wrong} of {all} are wrong"))),
    }
}

fn run(agency: &Path, out: &Out) -> Outcome {
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hangup = signal(SignalKind::hangup())?;
        let running = Running::open(agency).await.map_err(refused)?;
        out.say(format!("ready: {}", running.describe()));
        let is_quiet = out.is_quiet;
        let say: Say = Arc::new(move |line| Out { is_json: false, is_quiet }.say(line));
        let (stop, stopped) = watch::channel(false);
        let (again, told) = watch::channel(0_u64);
        let mut task = tokio::spawn(running.run(say, told, stopped));
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => again.send_modify(|count| *count = count.wrapping_add(1)),
                _ = &mut task => return Err(Failure::new(1, "the agent has ended")),
            }
        }
        out.say("stopping: what was taken is answered first");
        let _ = stop.send(true);
        let _ = task.await;
        out.say("stopped");
        Ok(())
    });
    runtime.shutdown_background();
    outcome
}
