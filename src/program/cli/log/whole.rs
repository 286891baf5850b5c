//! `oncegate log verify --all`, `rebuild`, `key` and `erase`: what is done to a log by whoever has its disk.

use super::super::{Failure, Out, Outcome, runtime};
use crate::base::ids::Code;
use crate::base::limits;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::note::{Checkpoint, VerifierKey};
use crate::evidence::tlog::proof::{FIRST_LINE, Proof};
use crate::evidence::tlog::{Private, Record, RecordKind};
use crate::gateway::driver::now;
use crate::host::config::{Config, read_bounded};
use crate::host::store::{NotVerified, Note, Settings, Store, StoreError, log_key, remove_derived, verify_all};
use serde_json::json;
use std::path::{Path, PathBuf};

fn load(config: &Path) -> Result<Config, Failure> {
    Config::load(config).map_err(|error| Failure::new(2, error))
}

fn unreadable(path: &Path, cause: &dyn std::fmt::Display) -> Failure {
    Failure::new(2, format!("{}: {cause}", path.display()))
}

/// Recomputes a whole log and compares it with all checkpoints that are there: those that are given, and those that were
/// stamped.
pub(super) fn verify(config: &Path, given: &[PathBuf], out: &Out) -> Outcome {
    let config = load(config)?;
    let stamped = stamped(&config.data);
    let mut checkpoints = Vec::new();
    for path in given.iter().chain(&stamped) {
        // A copy of the log that nobody has a checkpoint of needs no keys beside it.
        let key = log_key(&config.data, &config.log.origin)?;
        checkpoints.extend(kept_checkpoints(path, &key)?);
    }
    let verified = verify_all(&config.data, &checkpoints).map_err(|error| match error {
        NotVerified::Store(StoreError::InUse { .. }) => {
            Failure::new(1, "the gateway is running on this log; stop it, or verify a copy")
        }
        // A copy that is not whole proves nothing, good or bad.
        torn @ (NotVerified::Torn { .. } | NotVerified::KeyAbsent { .. }) => Failure::new(1, torn),
        error => Failure::new(6, error),
    })?;
    let (size, root) = (verified.head.size, verified.head.root);
    for note in &verified.notes {
        out.say(format_args!("note: {note}"));
    }
    let notes: Vec<String> = verified.notes.iter().map(ToString::to_string).collect();
    let tree_ends = verified.notes.iter().find_map(|note| if let Note::TreeEnds(record) = note { Some(record) } else { None });
    let text = format!(
        "ok  {size} records in {} segments ({} MiB) give the root {root}; it agrees with {} kept checkpoints; {} records erased",
        verified.segments,
        verified.octets >> 20,
        verified.checkpoints,
        verified.shredded
    );
    out.result(
        text,
        &json!({
            "format": 1, "records": size, "root": root.to_string(), "segments": verified.segments, "octets": verified.octets,
            "checkpoints": verified.checkpoints, "shredded": verified.shredded, "treeEnds": tree_ends, "notes": notes,
        }),
    )
}

/// The checkpoints that were stamped.
pub(in crate::program::cli) fn stamped(data: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(data.join("log/stamps")).into_iter().flatten().flatten();
    found.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == "checkpoint")).collect()
}

/// A checkpoint that somebody has kept, or those that receipts stand on; all of it verified.
pub(in crate::program::cli) fn kept_checkpoints(path: &Path, key: &VerifierKey) -> Result<Vec<Checkpoint>, Failure> {
    let text = read_bounded(path).map_err(|error| Failure::new(2, error))?;
    // A receipt has the checkpoint that it stands on.
    let found = if text.starts_with(FIRST_LINE) {
        let proofs = Proof::parse_bundle(&text).map_err(|error| unreadable(path, &error))?;
        for proof in &proofs {
            proof.verify(key).map_err(|error| Failure::new(6, format!("{}: {error}", path.display())))?;
        }
        proofs.into_iter().map(|proof| proof.checkpoint).collect()
    } else {
        vec![Checkpoint::parse(&text).map_err(|error| unreadable(path, &error))?]
    };
    for checkpoint in &found {
        checkpoint.verify(key).map_err(|error| Failure::new(6, format!("{}: {error}", path.display())))?;
    }
    Ok(found)
}

/// Rebuild everything that is derived from the journal: tree, index, names.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate log rebuild -c oncegate.toml")]
pub(super) struct Rebuild {
    /// The configuration of the gateway, which is stopped
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
}

impl Rebuild {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let config = load(&self.config)?;
        remove_derived(&config.data)?;
        let (store, recovered) = Store::open(&config.data, &config.log.origin, Settings::default())?;
        store.close();
        out.result(format!("ok  rebuilt from {} records", recovered.size), &json!({ "format": 1, "records": recovered.size }))
    }
}

/// Print the key that the log's checkpoints are verified with; make it, if there is none yet.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate log key -c oncegate.toml > log.key")]
pub(super) struct Key {
    /// The configuration of the gateway
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
}

impl Key {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let config = load(&self.config)?;
        let key = log_key(&config.data, &config.log.origin)?.to_string();
        out.result(&key, &json!({ "format": 1, "key": key }))
    }
}

/// What is erased of a record.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// The personal part (identifiers, official, fields), and the message
    Private,
    /// The message that is kept with it
    Message,
    /// All but the hash of its leaf
    Record,
}

/// Erase the personal part of a record, its message, or all but its hash. All proofs stay valid, also those of this record.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate log erase 1204331 private --reason \"order 17-22 of the court\" -c oncegate.toml")]
pub(super) struct Erase {
    /// The index of the record
    index: u64,
    /// What is erased of it
    part: Part,
    /// Why; it is recorded
    #[arg(long)]
    reason: String,
    /// The configuration of the gateway, which is stopped
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
}

impl Erase {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        if self.reason.is_empty() || self.reason.len() > limits::REASON_BYTES_MAX {
            return Err(Failure::new(2, format!("the reason has 1 to {} octets", limits::REASON_BYTES_MAX)));
        }
        let config = load(&self.config)?;
        // The record of the erasure begins a new volume: only of those that are complete anything can be erased.
        let settings =
            Settings { volume_records: if self.is_of_message() { limits::VOLUME_RECORDS_MAX } else { 1 }, ..Settings::default() };
        let (store, _) = Store::open(&config.data, &config.log.origin, settings)?;
        let erased = self.erase(&store);
        store.close();
        let noted = erased?;
        let text = format!("ok  erased; record {noted} says so");
        out.result(text, &json!({ "format": 1, "index": self.index, "record": noted }))
    }

    fn is_of_message(&self) -> bool {
        matches!(self.part, Part::Message)
    }

    /// The record of it comes first: nothing is erased without a trace.
    fn erase(&self, store: &Store) -> Result<u64, Failure> {
        let action = match self.part {
            Part::Private => "erase-private",
            Part::Message => "erase-message",
            Part::Record => "shred",
        };
        store.record(self.index)?;
        let mut record = Record::new(RecordKind::Erasure, now());
        (record.action, record.concerns) = (Code::parse(action), Some(self.index));
        let private = Private { reason: Some(self.reason.clone()), ..Private::default() };
        let committed = runtime()?.block_on(store.append(Entry { record, private, body: None }))?;
        match self.part {
            Part::Private => store.erase_private(self.index)?,
            Part::Message => store.erase_body(self.index)?,
            Part::Record => store.shred(self.index)?,
        }
        Ok(committed.logged.index())
    }
}
