//! `oncegate restore`

use super::log::whole::{kept_checkpoints, stamped};
use super::{Failure, Out, Outcome};
use crate::host::config::Config;
use crate::host::store::Restoring;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  oncegate restore /mnt/one/log --keys /mnt/two/keys -c oncegate.toml\n  \
oncegate restore /mnt/one/log --keys /mnt/two/keys -c oncegate.toml --checkpoint last-week.receipt";

/// Put a log back from a backup and its keys, into the data directory of a configuration, which is empty or not there.
///
/// It goes on as the same log, and all receipts hold. Everything is verified before it says that it is done; until then no gateway
/// starts with the folder. A state that is older than what a witness has seen is not started, as ever. See docs/backup.md.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Restore {
    /// Where the copy of the log is
    folder: PathBuf,
    /// Where its keys are
    #[arg(long)]
    keys: PathBuf,
    /// Checkpoints and receipts that somebody has kept: the log must have what they are of
    #[arg(long)]
    checkpoint: Vec<PathBuf>,
    /// The configuration of the gateway
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
}

impl Restore {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let config = Config::load(&self.config).map_err(|error| Failure::new(2, error))?;
        let restoring = Restoring::begin(&self.folder, &self.keys, &config.data, &config.log.origin)?;
        let mut checkpoints = Vec::new();
        for path in self.checkpoint.iter().chain(&stamped(&config.data)) {
            checkpoints.extend(kept_checkpoints(path, restoring.verifier())?);
        }
        let taken = restoring.taken().to_owned();
        let head = restoring.finish(&checkpoints)?;
        let (size, root, data) = (head.size, head.root, config.data.display());
        out.say(
            "next: start the gateway; if it has witnesses, they tell whether somebody has seen a later state. What was recorded after the backup is not in this log",
        );
        let text = format!(
            "ok  {size} records with the root {root}, as of {taken}, are in {data}; {} checkpoints hold beside that of the backup",
            checkpoints.len()
        );
        out.result(
            text,
            &json!({
                "format": 1, "records": size, "root": root.to_string(), "taken": taken, "data": config.data,
                "checkpoints": checkpoints.len(),
            }),
        )
    }
}
