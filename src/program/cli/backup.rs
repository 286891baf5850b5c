//! `oncegate backup`

use super::{Failure, Out, Outcome};
use crate::gateway::driver::now;
use crate::host::config::Config;
use crate::host::control::{Command, call};
use crate::host::store::{Answers, BackupError, NotVerified, Places, Position, StoreError, back_up};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

const EXAMPLES: &str = "Examples:\n  oncegate backup /mnt/one/log --keys /mnt/two/keys -c oncegate.toml\n  \
oncegate backup /mnt/one/log --without-keys -c oncegate.toml";

/// Copy the log of a running or a stopped gateway, and what people have answered; segments that were copied before are not copied again.
///
/// The copy is of one instant. Its keys go to a folder of their own: whoever has both can read what is sealed. Keep them on
/// different disks, and under different persons if the law asks for it. See docs/backup.md.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Backup {
    /// Where the copy of the log is, or is to be
    folder: PathBuf,
    #[command(flatten)]
    where_keys: WhereKeys,
    /// The configuration of the gateway
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
}

/// What becomes of the keys: whoever makes a backup says it.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct WhereKeys {
    /// Where its keys are to be: a folder outside of that of the log
    #[arg(long)]
    keys: Option<PathBuf>,
    /// Do not copy the keys: they are kept in another way
    #[arg(long)]
    without_keys: bool,
}

impl Backup {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let config = Config::load(&self.config).map_err(|error| Failure::new(2, error))?;
        let origin = &config.log.origin;
        let mut tries = 0;
        let backed = loop {
            let answers = Answers::look(&config.data).map_err(BackupError::from)?;
            let position = position(&config.data, origin)?;
            let keys = self.where_keys.keys.as_deref();
            let places = Places { data: &config.data, folder: &self.folder, keys, origin, answers: &answers };
            match back_up(&places, position, now()) {
                // Somebody has just answered: a later position goes with that.
                Err(BackupError::AnswersChange) if tries < TRIES => tries += 1,
                backed => break backed?,
            }
            std::thread::sleep(PAUSE);
        };
        let (size, root) = (backed.head.size, backed.head.root);
        if self.where_keys.keys.is_none() {
            out.say("note: the keys were not copied; without them the log can be read and verified, and not restored");
        }
        let text = format!(
            "ok  {size} records with the root {root}; {} files copied ({} MiB), {} were there already",
            backed.copied.len(),
            backed.octets >> 20,
            backed.kept
        );
        out.result(
            text,
            &json!({
                "format": 1, "records": size, "root": root.to_string(), "copied": backed.copied, "kept": backed.kept,
                "octets": backed.octets, "keys": self.where_keys.keys,
            }),
        )
    }
}

/// How often the answers of people are looked at again that come in meanwhile: it takes milliseconds to copy the latest of them.
const TRIES: u32 = 50;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Up to where the log is durable: the running gateway says it, or the log of a stopped one.
fn position(data: &Path, origin: &str) -> Result<Position, Failure> {
    let unreachable = |cause| Failure::new(7, format!("the running gateway could not be asked: {cause}"));
    if let Some(answer) = call(data, Command::Durable).map_err(unreachable)? {
        let what = "the running gateway does not say up to where its log is durable: /health says why; or it is of another version: restart it";
        return answer.durable.ok_or_else(|| Failure::new(7, what));
    }
    match Position::of_stopped(data, origin) {
        // It is just starting, or is made anew.
        Err(BackupError::Store(StoreError::InUse { path })) => {
            let what = format!(
                "{}: a gateway that is starting or stopping has this log, or a command; try again in a moment",
                path.display()
            );
            Err(Failure::new(7, what))
        }
        position => Ok(position?),
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let exit = match &error {
            BackupError::Store(StoreError::Io { .. } | StoreError::NoRandomness | StoreError::Stopped)
            | BackupError::NoLog { .. }
            | BackupError::Erasing { .. }
            | BackupError::Busy(_)
            | BackupError::NotVerified(NotVerified::Torn { .. } | NotVerified::KeyAbsent { .. }) => 1,
            BackupError::AnswersChange => 7,
            BackupError::Together(..) | BackupError::NotEmpty(_) | BackupError::NoBackup(_) | BackupError::OtherLog { .. } => 2,
            _ => 6,
        };
        Self::new(exit, error)
    }
}
