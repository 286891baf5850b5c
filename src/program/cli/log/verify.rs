//! `oncegate log verify`: what the log proves, without asking it.

use super::super::{Failure, Out, Outcome};
use crate::base::limits;
use crate::evidence::audit::{ExportVerifier, Exported};
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::note::{Checkpoint, Role, VerifierKey};
use crate::evidence::tlog::policy::Policy;
use crate::evidence::tlog::proof::FIRST_LINE;
use crate::evidence::tlog::proof::Proof;
use serde_json::json;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Verify receipts or an export, offline, with the log's public key; or recompute the whole log of a stopped gateway.
#[derive(clap::Args)]
pub(super) struct Verify {
    /// Receipts as `log prove` gives them, or an export
    #[arg(required_unless_present = "all", requires = "key")]
    file: Option<PathBuf>,
    /// The log's key: name+hash+base64, or a file that has it
    #[arg(long)]
    key: Option<String>,
    /// A policy (C2SP tlog-policy): so many of its witnesses must have cosigned each receipt, or the export
    #[arg(long, requires = "file")]
    policy: Option<PathBuf>,
    /// The whole log: every record, the tree, the index
    #[arg(long, conflicts_with_all = ["file", "key"])]
    all: bool,
    /// The configuration of the gateway, which is stopped
    #[arg(short, long, default_value = "oncegate.toml")]
    config: PathBuf,
    /// Checkpoints and receipts that somebody has kept: the log must go on from each
    #[arg(long, requires = "all")]
    checkpoint: Vec<PathBuf>,
}

impl Verify {
    pub(super) fn run(&self, out: &Out) -> Outcome {
        let (Some(file), Some(key)) = (&self.file, &self.key) else {
            return super::whole::verify(&self.config, &self.checkpoint, out);
        };
        let key = read_key(key)?;
        let policy = self.policy.as_deref().map(read_policy).transpose()?;
        let failed = |cause: std::io::Error| Failure::new(2, format!("{}: {cause}", file.display()));
        let mut reader = BufReader::new(File::open(file).map_err(failed)?);
        let is_export = reader.fill_buf().map_err(failed)?.first() == Some(&b'{');
        if is_export {
            let exported = export(reader, file, &key, |_, _| Ok(()))?;
            if let Some(policy) = &policy {
                let unmet = |unmet| Failure::new(6, format!("{}: the checkpoint: {unmet}", file.display()));
                policy.verify(&exported.checkpoint).map_err(unmet)?;
            }
            return say(&exported, out);
        }
        let mut text = String::new();
        let limit = (limits::PROOF_BYTES_MAX * limits::RECEIPT_PROOFS_MAX) as u64;
        reader.take(limit).read_to_string(&mut text).map_err(failed)?;
        receipts(&text, file, &key, policy.as_ref(), out)
    }
}

fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let wrong = |cause: &dyn std::fmt::Display| Failure::new(2, format!("{}: {cause}", path.display()));
    let mut octets = Vec::new();
    let file = File::open(path).map_err(|cause| wrong(&cause))?;
    file.take(limits::WITNESS_POLICY_BYTES_MAX as u64 + 1).read_to_end(&mut octets).map_err(|cause| wrong(&cause))?;
    Policy::parse(&octets).map_err(|error| wrong(&error))
}

fn receipts(text: &str, file: &Path, key: &VerifierKey, policy: Option<&Policy>, out: &Out) -> Outcome {
    let wrong = |what: String| Failure::new(6, format!("{}: {what}", file.display()));
    // One that was cut anywhere is a broken receipt; anything else is none.
    if !text.starts_with(FIRST_LINE) && !FIRST_LINE.starts_with(text) {
        let what = format!("{}: this is neither a receipt (its first line is {FIRST_LINE}) nor an export", file.display());
        return Err(Failure::new(2, what));
    }
    let proofs = Proof::parse_bundle(text).map_err(|error| wrong(error.to_string()))?;
    // All of them hold before any is believed.
    for (number, proof) in (1..).zip(&proofs) {
        proof.verify(key).map_err(|error| wrong(format!("receipt {number}: {error}")))?;
        if let Some(policy) = policy {
            policy.verify(&proof.checkpoint).map_err(|unmet| wrong(format!("receipt {number}: {unmet}")))?;
        }
    }
    for proof in &proofs {
        let leaf = String::from_utf8_lossy(&proof.leaf);
        let (index, size, origin) = (proof.index, proof.checkpoint.claimed().size, proof.checkpoint.origin());
        let what = Leaf::parse(&leaf).map_or("record".to_owned(), |leaf| {
            let time = crate::base::time::UnixTime::from_ms(leaf.time);
            format!("{} {} of {time}", leaf.kind, leaf.message.unwrap_or_default())
        });
        let text =
            format_args!("ok  record {index} ({what}) is in the log {origin}, which has signed its {size} records").to_string();
        out.result(text, &json!({ "format": 1, "index": index, "size": size, "origin": origin, "leaf": leaf }))?;
    }
    Ok(())
}

fn say(exported: &Exported, out: &Out) -> Outcome {
    let Exported { origin, head, range: (from, to), filter, shown, hidden, .. } = exported;
    if out.is_json {
        return out.print(json!({
            "format": 1, "origin": origin, "size": head.size, "range": [from, to], "shown": shown, "hidden": hidden, "filter": filter,
        }));
    }
    out.print(format_args!("ok  the log {origin} has signed its {} records", head.size))?;
    out.print(format_args!(
        "ok  the records {from} to {to} (not included) are all accounted for: none is missing, added or changed"
    ))?;
    let looked: Vec<String> = filter.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let looked = if looked.is_empty() { "everything".to_owned() } else { looked.join(" ") };
    out.print(format_args!("ok  {shown} are shown, and match what was looked for: {looked}"))?;
    if *hidden > 0 {
        out.print(format_args!(
            "    {hidden} are shown as hashes only; the gateway says that they do not match, which is not proved"
        ))?;
    }
    let outside = from + (head.size - to);
    if outside == 0 {
        return Ok(());
    }
    out.print(format_args!(
        "    {outside} are before or after them; the gateway says that they do not match, which is not proved"
    ))
}

/// Verifies an export line by line; gives each leaf to `take`.
pub(super) fn export(
    mut reader: impl BufRead,
    path: &Path,
    key: &VerifierKey,
    mut take: impl FnMut(u64, &str) -> Outcome,
) -> Result<Exported, Failure> {
    let wrong = |what: String| Failure::new(6, format!("{}: {what}", path.display()));
    let mut verifier: Option<ExportVerifier> = None;
    let mut line = String::new();
    loop {
        line.clear();
        let read = (&mut reader).take(limits::EXPORT_LINE_BYTES_MAX).read_line(&mut line);
        if read.map_err(|cause| match cause.kind() {
            std::io::ErrorKind::InvalidData => wrong(cause.to_string()),
            _ => Failure::new(1, format!("{}: {cause}", path.display())),
        })? == 0
        {
            break;
        }
        let text = line.trim_end_matches('\n');
        match &mut verifier {
            None => verifier = Some(ExportVerifier::begin(text, key).map_err(|error| wrong(error.to_string()))?),
            Some(verifier) => {
                if let Some((index, leaf)) = verifier.line(text).map_err(|error| wrong(error.to_string()))? {
                    take(index, &leaf)?;
                }
            }
        }
    }
    let verifier = verifier.ok_or_else(|| wrong("it is empty".to_owned()))?;
    verifier.finish().map_err(|error| wrong(error.to_string()))
}

/// Prints a checkpoint, verified if there is a key to verify it with.
pub(super) fn checkpoint(note: &str, key: Option<&str>, out: &Out) -> Outcome {
    let checkpoint = Checkpoint::parse(note).map_err(|error| Failure::new(6, error))?;
    let key = key.map(read_key).transpose()?;
    if let Some(key) = &key {
        checkpoint.verify(key).map_err(|error| Failure::new(6, format!("the checkpoint: {error}")))?;
    }
    let (origin, head) = (checkpoint.origin(), checkpoint.claimed());
    let root = head.root.to_string();
    let json =
        json!({ "format": 1, "origin": origin, "size": head.size, "root": root, "verified": key.is_some(), "checkpoint": note });
    out.result(note.trim_end(), &json)?;
    out.say(if key.is_some() { "the signature is good" } else { "not verified: give --key" });
    Ok(())
}

/// A key as given, or in a file.
pub(super) fn read_key(given: &str) -> Result<VerifierKey, Failure> {
    let text = if given.contains('+') && !Path::new(given).exists() {
        given.to_owned()
    } else {
        crate::host::config::read_bounded(Path::new(given)).map_err(|error| Failure::new(2, error))?
    };
    let key = VerifierKey::parse(text.trim()).map_err(|error| Failure::new(2, format!("--key: {error}")))?;
    if key.role() == Role::Log { Ok(key) } else { Err(Failure::new(2, "--key: it is the key of a witness")) }
}
