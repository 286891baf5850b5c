//! The command line: one file per command.
//!
//! The result goes to standard output, everything else to standard error. A broken pipe ends quietly. Exit codes: 0 done,
//! 1 failed, 2 usage or an invalid file, 3 refused by policy, 4 no record, 5 limited, 6 integrity broken, 7 unreachable or no
//! answer in time. With `--json` a failure is told as JSON too, on standard error.

mod agency;
#[cfg(feature = "agent")]
mod agent;
mod answer;
mod ask;
mod backup;
mod bench;
mod case;
mod catalogue;
mod check;
mod complete;
mod console;
mod demo;
mod doctor;
mod each;
mod faults;
mod inbox;
mod init;
mod join;
mod log;
mod message;
mod mock;
mod policy;
mod quality;
mod refusals;
mod registry;
mod reload;
mod renew;
mod restore;
mod run;
mod schema;
mod simulate;
mod situation;
mod witness;

use crate::base::fault::Code;
use crate::faces::client::{ClientError, Problem};
use crate::host::telemetry::VERSION;
use clap::{Parser, Subcommand};
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

const EXAMPLES: &str = "Examples:\n  oncegate demo --once\n  oncegate init office && oncegate run -c office/oncegate.toml\n\n\
Exit codes: 0 done, 1 failed, 2 usage or invalid file, 3 refused, 4 no record, 5 limited, 6 integrity broken, 7 unreachable or no answer in time";

/// An interagency data exchange gateway.
#[derive(Parser)]
#[command(name = "oncegate", version = VERSION, about, before_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print the result as JSON, with "format": 1
    #[arg(long, global = true)]
    json: bool,
    /// Print nothing but the result
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Make an installation: configuration, authority, certificates, registry
    Init(init::Init),
    /// Check configuration, registry, schemas and certificates, as `run` would
    Check(check::Check),
    /// Look at everything that a gateway needs, and say what to do
    Doctor(doctor::Doctor),
    /// Run the gateway
    Run(run::Run),
    /// Make a throw-away world and run real exchanges in it
    Demo(demo::Demo),
    /// Make the running gateway read registry and certificates again
    Reload(reload::Reload),
    /// Sign people in and out at the pages of a running gateway
    Console(console::Console),
    /// Be a holder from a table, on the agency's side
    #[cfg(feature = "agent")]
    Agent(agent::Agent),
    /// Ask to take part: make keys, send a request, wait for the operator's approval
    Join(join::Join),
    /// Add, list and change agencies, their keys and grants
    Agency(agency::Agency),
    /// Say who may ask what of whom, and why not
    Policy(policy::Policy),
    /// Compare registries
    Registry(registry::Registry),
    /// Renew the certificate of the gateway, or those of an agency
    Renew(renew::Renew),
    /// Ask for a document
    Ask(ask::Ask),
    /// Fetch the answer to a request that was made before
    Answer(answer::Answer),
    /// Take what waits for an agency without a server
    Inbox(inbox::Inbox),
    /// Answer as a holder that is not there yet, from the examples of the schemas
    Mock(mock::MockCommand),
    /// As a holder, see why answers were refused
    Refusals(refusals::Refusals),
    /// Send a message as it is
    Send(message::Send),
    /// Sign a message
    Sign(message::Sign),
    /// Verify a signed message with the certificates of an authority
    Verify(message::Verify),
    /// Validate a message or a document against its schema
    Validate(message::Validate),
    /// Look at sets of schemas, run tests of them, make examples
    Schema(schema::Schema),
    /// Look at life situations, check and compare them, try them out
    Catalogue(catalogue::Catalogue),
    /// Tailor a life situation to what is known of somebody
    Situation(situation::Situation),
    /// Say which services meet the standard, what people say of them, and what to do first
    Quality(quality::Quality),
    /// Begin, see and change cases of life situations
    Case(case::Case),
    /// Measure this machine and this gateway, over loopback only
    Bench(bench::Bench),
    /// Run simulated gateways with faults, from seeds, and look for what must never be seen
    Simulate(simulate::Simulate),
    /// Search the log, export it, verify what it proves
    Log(Box<log::Log>),
    /// Copy the log of a gateway, running or stopped, and its keys
    Backup(backup::Backup),
    /// Put a log back from a backup and its keys
    Restore(restore::Restore),
    /// Be a witness to the logs of others
    Witness(witness::Witness),
    /// Print the completions of a shell
    Completions(complete::Completions),
    /// Write the manual pages
    Man(complete::Man),
    /// Print the catalogue of fault codes
    Faults(faults::Faults),
}

/// How a command ended badly.
pub(crate) struct Failure {
    exit: u8,
    text: String,
    /// What the gateway said, if it was the gateway that refused.
    problem: Option<Box<Problem>>,
}

impl Failure {
    fn new(exit: u8, text: impl Display) -> Self {
        Self { exit, text: text.to_string(), problem: None }
    }
}

impl Failure {
    fn to_json(&self) -> serde_json::Value {
        let mut told = serde_json::json!({ "format": 1, "error": self.text, "exit": self.exit });
        if let Some(problem) = &self.problem {
            told["problem"] = serde_json::json!({
                "status": problem.status, "code": problem.code, "title": problem.title, "detail": problem.detail,
                "blame": problem.blame, "retry": problem.retry, "help": problem.help, "logIndex": problem.log_index,
            });
        }
        told
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // Whoever reads us has seen enough.
        let exit = if error.kind() == io::ErrorKind::BrokenPipe { 0 } else { 1 };
        Self::new(exit, if exit == 0 { String::new() } else { error.to_string() })
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::Config(_) => 2,
            ClientError::Unreachable(_) | ClientError::NoAnswer { .. } => 7,
            ClientError::Untrusted(_) => 6,
            ClientError::Refused(problem) => exit_of(&problem.code),
        };
        match error {
            ClientError::Refused(problem) => Self { exit, text: describe(&problem), problem: Some(Box::new(problem)) },
            other => Self::new(exit, other),
        }
    }
}

/// Two lines that answer: what rule, whose fault, what next.
fn describe(problem: &Problem) -> String {
    let place = if problem.detail.is_empty() || problem.detail == problem.title {
        String::new()
    } else {
        format!(": {}", problem.detail)
    };
    let record = problem.log_index.map_or(String::new(), |index| format!("    record: {index}"));
    let (code, title, blame, retry, help) = (&problem.code, &problem.title, &problem.blame, &problem.retry, &problem.help);
    format!("{code} {title}{place}\n  whose fault: {blame}    retry: {retry}{record}\n  next: {help}")
}

fn exit_of(code: &str) -> u8 {
    match code {
        "OG-AUD-004" => return 4,
        "OG-AUD-005" => return 3,
        "OG-AUD-007" => return 5,
        "OG-AUD-008" => return 7,
        _ => {}
    }
    match Code::parse(code).map(|_| code.get(3..6).unwrap_or("")) {
        Some("POL" | "TLS") => 3,
        Some("LIM") => 5,
        Some("LOG" | "RTE") => 7,
        _ => 2,
    }
}

type Outcome = Result<(), Failure>;

/// Where a command writes, and how.
struct Out {
    is_json: bool,
    is_quiet: bool,
}

impl Out {
    /// Writes to standard output.
    fn print(&self, text: impl Display) -> Outcome {
        writeln!(io::stdout().lock(), "{text}")?;
        Ok(())
    }

    /// Writes a result in the form that was asked for.
    fn result(&self, text: impl Display, json: &serde_json::Value) -> Outcome {
        if self.is_json { self.print(json) } else { self.print(text) }
    }

    /// Writes to standard error, unless told to be quiet.
    fn say(&self, text: impl Display) {
        if !self.is_quiet {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    crate::host::schemas::guard::this_program_serves();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let out = Out { is_json: cli.json, is_quiet: cli.quiet };
    let outcome = match cli.command {
        Command::Init(command) => command.run(&out),
        Command::Check(command) => command.run(&out),
        Command::Doctor(command) => command.run(&out),
        Command::Run(command) => command.run(&out),
        Command::Demo(command) => command.run(&out),
        Command::Reload(command) => command.run(&out),
        Command::Console(command) => command.run(&out),
        #[cfg(feature = "agent")]
        Command::Agent(command) => command.run(&out),
        Command::Join(command) => command.run(&out),
        Command::Agency(command) => command.run(&out),
        Command::Policy(command) => command.run(&out),
        Command::Registry(command) => command.run(&out),
        Command::Renew(command) => command.run(&out),
        Command::Ask(command) => command.run(&out),
        Command::Answer(command) => command.run(&out),
        Command::Inbox(command) => command.run(&out),
        Command::Mock(command) => command.run(&out),
        Command::Refusals(command) => command.run(&out),
        Command::Send(command) => command.run(&out),
        Command::Sign(command) => command.run(&out),
        Command::Verify(command) => command.run(&out),
        Command::Validate(command) => command.run(&out),
        Command::Schema(command) => command.run(&out),
        Command::Catalogue(command) => command.run(&out),
        Command::Situation(command) => command.run(&out),
        Command::Quality(command) => command.run(&out),
        Command::Case(command) => command.run(&out),
        Command::Bench(command) => command.run(&out),
        Command::Simulate(command) => command.run(&out),
        Command::Log(command) => command.run(&out),
        Command::Backup(command) => command.run(&out),
        Command::Restore(command) => command.run(&out),
        Command::Witness(command) => command.run(&out),
        Command::Completions(command) => command.run(&out),
        Command::Man(command) => command.run(&out),
        Command::Faults(command) => command.run(&out),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.text.is_empty() {
                let _ = if out.is_json {
                    writeln!(io::stderr().lock(), "{}", failure.to_json())
                } else {
                    writeln!(io::stderr().lock(), "error: {}", failure.text)
                };
            }
            ExitCode::from(failure.exit)
        }
    }
}

/// A runtime for commands that talk.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
