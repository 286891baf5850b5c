//! `oncegate run`

use super::{Failure, Out, Outcome, runtime};
use crate::host::config::Config;
use crate::program::server::{Durability, Server, check};
use sd_notify::NotifyState;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "Examples:\n  oncegate run -c office/oncegate.toml\n  kill -HUP PID     reads the registry, certificates and revocation lists again\n  kill -TERM PID    lets open exchanges end, then stops";

/// Run the gateway until SIGTERM or SIGINT.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Run {
    /// The configuration
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
    /// Do not sync the journal; for measuring only, everything may be lost
    #[arg(long, hide = true)]
    no_sync: bool,
}

impl Run {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let config = Config::load(&self.config).map_err(|error| Failure::new(2, error))?;
        let checked = check(config).map_err(|error| Failure::new(2, error))?;
        let durability = if self.no_sync { Durability::Never } else { Durability::Always };
        let runtime = runtime()?;
        let outcome = runtime.block_on(async {
            let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            let server = Server::open(checked, durability).await.map_err(|error| Failure::new(1, error))?;
            let (exchange, public) = (server.exchange_address()?, server.public_address()?);
            let store = server.gateway().store();
            let rebuilt = if store.index().was_rebuilt() { ", index rebuilt" } else { "" };
            out.say(format_args!("journal: {} records{rebuilt}", store.size()));
            notify(&[NotifyState::Ready]);
            out.say(format_args!("ready: agencies at https://{exchange}, health and metrics at http://{public}"));
            let stop = async {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
                notify(&[NotifyState::Stopping]);
                out.say("stopping: open exchanges end first");
            };
            server.run(stop).await.map_err(|error| Failure::new(1, error))?;
            out.say("stopped");
            Ok(())
        });
        // Schemas that are just being judged are not waited for; their process ends with this one.
        runtime.shutdown_background();
        outcome
    }
}

/// Tells systemd, if it has started us and wants to know (sd_notify(3)).
fn notify(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
