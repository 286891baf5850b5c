//! `oncegate init`

use super::{Failure, Out, Outcome};
use crate::host::config::Config;
use crate::program::setup::{Installation, Listening};
use std::net::SocketAddr;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  oncegate init office\n  oncegate init office --listen 0.0.0.0:8443 --host gateway.example";

/// Make an installation in a folder.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Init {
    /// The folder, made if it is not there
    folder: PathBuf,
    /// Where agencies connect
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Where health, metrics and descriptions are served, over plain HTTP
    #[arg(long, default_value = "127.0.0.1:8081")]
    public: SocketAddr,
    /// A host name or address by which agencies reach the gateway, for its certificate and theirs; may be given again
    #[arg(long)]
    host: Vec<String>,
    /// Where the log and its keys are kept, if not in the folder; a relative path is relative to the folder
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// The name of the log, which no other log has and which never changes; without it one is made
    #[arg(long)]
    origin: Option<String>,
}

impl Init {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let listening =
            Listening { exchange: self.listen, public: self.public, hosts: self.host, origin: self.origin, data: self.data };
        let made = Installation::create(&self.folder, &listening).map_err(|error| Failure::new(2, error))?;
        let folder = made.folder().display();
        if out.is_json {
            return out.print(serde_json::json!({ "format": 1, "folder": folder.to_string(), "config": made.config() }));
        }
        out.print(format_args!("{folder}/oncegate.toml   the configuration"))?;
        out.print(format_args!("{folder}/registry.toml   agencies, holders and grants, signed"))?;
        out.print(format_args!("{folder}/certs           certificates; ca.pem is what agencies trust"))?;
        out.print(format_args!("{folder}/authority       the authority's keys: move them to a safe place"))?;
        let config = Config::load(&made.config()).map_err(|error| Failure::new(2, error))?;
        out.print(format_args!("log {}   its name, which is in every receipt and never changes", config.log.origin))?;
        out.say("next:");
        out.say(format_args!("  oncegate agency add xx.office.school-1 --in {folder} --name \"School 1\""));
        out.say(format_args!("  oncegate run -c {folder}/oncegate.toml"));
        Ok(())
    }
}
