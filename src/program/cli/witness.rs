//! `oncegate witness`

use super::{Failure, Out, Outcome, runtime};
use crate::evidence::tlog::note::VerifierKey;
use crate::gateway::witness::{Service, WitnessError, WitnessFile, serve};
use clap::Subcommand;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const EXAMPLES: &str = "Examples:\n  oncegate witness init w --name witness.office.example\n  \
oncegate witness add -c w/witness.toml gateway.school.example/audit/2026+1f2e3d4c+AQ…\n  \
oncegate witness run -c w/witness.toml\n\n\
A witness cosigns the checkpoints of logs that it knows, as long as each goes on from the one before (C2SP tlog-witness).\n\
It keeps the last checkpoint of each in its state file. Never put back an older state, and never start anew with the same\n\
key: it would cosign a second history. It speaks plain HTTP: what it says is signed. For others than yourself, put a\n\
server with TLS before it.";

/// Be a witness to the logs of others.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Witness {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    #[command(before_help = "Examples:\n  oncegate witness init w --name witness.office.example")]
    /// Make a witness: its file, its key and its empty state; prints its public key
    Init {
        /// The folder, made if it is not there
        folder: PathBuf,
        /// Its name, which can never be changed: a host name of yours, with a path if you like
        #[arg(long)]
        name: String,
        /// Where it listens
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
    #[command(before_help = "Examples:\n  oncegate witness add -c w/witness.toml log.school.example/2026+1f2e3d4c+AQ…")]
    /// Add a log, by its public key; takes effect at the next start
    Add {
        /// The public key of the log: name+hash+base64
        key: String,
        /// The witness's file
        #[arg(short, long, default_value = "witness.toml")]
        config: PathBuf,
    },
    #[command(before_help = "Examples:\n  oncegate witness run -c w/witness.toml")]
    /// Run it until SIGTERM or SIGINT
    Run {
        /// The witness's file
        #[arg(short, long, default_value = "witness.toml")]
        config: PathBuf,
    },
}

impl From<WitnessError> for Failure {
    fn from(error: WitnessError) -> Self {
        let exit = match &error {
            WitnessError::Config(_) | WitnessError::Key(_) | WitnessError::Name(_) => 2,
            WitnessError::NoState(_) | WitnessError::Damaged(_) => 6,
            WitnessError::File(..) | WitnessError::InUse(_) => 1,
        };
        Self::new(exit, error)
    }
}

impl Witness {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.what {
            What::Init { folder, name, listen } => {
                let key = WitnessFile::create(&folder, &name, listen)?;
                let json = serde_json::json!({ "format": 1, "folder": folder.display().to_string(), "key": key.to_string() });
                out.result(&key, &json)?;
                out.say(format_args!("next:\n  oncegate witness add -c {0}/witness.toml KEY-OF-A-LOG", folder.display()));
                out.say(format_args!("  oncegate witness run -c {}/witness.toml", folder.display()));
                out.say("and give the key above, and where the witness is, to those whose logs it is to cosign");
                Ok(())
            }
            What::Add { key, config } => {
                let key = VerifierKey::parse(&key).map_err(|error| Failure::new(2, error))?;
                WitnessFile::add_log(&config, &key)?;
                out.say(format_args!("{} is witnessed from the next start on", key.name()));
                Ok(())
            }
            What::Run { config } => run(&config, out),
        }
    }
}

fn run(config: &std::path::Path, out: &Out) -> Outcome {
    let file = WitnessFile::load(config).map_err(|error| Failure::new(2, error))?;
    let witness = Arc::new(crate::gateway::witness::Witness::open(&file)?);
    for checkpoint in witness.all() {
        out.say(format_args!("{}: {} records", checkpoint.origin(), checkpoint.claimed().size));
    }
    runtime()?.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let listener =
            TcpListener::bind(file.listen).await.map_err(|cause| Failure::new(1, format!("{}: {cause}", file.listen)))?;
        out.say(format_args!("ready: http://{}{}, {} logs", listener.local_addr()?, file.prefix, file.logs.len()));
        out.say(format_args!("key: {}", witness.verifier()));
        let (stopping, stopped) = watch::channel(false);
        let say = |line: &str| {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        };
        let serving = serve(listener, Service::new(witness, &file.prefix, Arc::new(say)), stopped);
        let stop = async {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            let _ = stopping.send(true);
            std::future::pending::<()>().await;
        };
        tokio::select! { () = serving => {}, () = stop => {} }
        out.say("stopped");
        Ok(())
    })
}
