//! `oncegate inbox`

use super::ask::folder;
use super::{Failure, Out, Outcome, runtime};
use crate::faces::client::{Client, ClientError, problem_of};
use crate::host::transport::Received;
use clap::ArgGroup;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:\n  oncegate inbox --as agencies/ru.yar.clinic-3 --wait 30 -o question.xml\n  \
oncegate inbox --as agencies/ru.yar.clinic-3 --ack 1044";

/// Take the next message that waits for an agency without a server, on lease for a minute; or end a lease.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES, group = ArgGroup::new("done").multiple(false))]
pub(super) struct Inbox {
    /// The agency's folder, or its name under ./agencies
    #[arg(long = "as")]
    agency: PathBuf,
    /// How long to wait for something, in seconds
    #[arg(long, default_value_t = 0, conflicts_with = "done")]
    wait: u64,
    /// Write the message to a file
    #[arg(short, long, conflicts_with = "done")]
    output: Option<PathBuf>,
    /// The work of this lease is done, or will be answered by a message of its own
    #[arg(long, value_name = "LEASE", group = "done")]
    ack: Option<u64>,
    /// Give the message of this lease back at once
    #[arg(long, value_name = "LEASE", group = "done")]
    nack: Option<u64>,
    /// Have this lease for another minute
    #[arg(long, value_name = "LEASE", group = "done")]
    extend: Option<u64>,
}

impl Inbox {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let client = Client::load(&folder(&self.agency))?;
        let runtime = runtime()?;
        let done = [("ack", self.ack), ("nack", self.nack), ("extend", self.extend)];
        if let Some((what, lease)) = done.into_iter().find_map(|(what, lease)| Some((what, lease?))) {
            let path = format!("/v1/inbox/{lease}/{what}");
            let received = runtime.block_on(client.post_to(&path, "application/json", Vec::new()))?;
            return show_state(lease, &received, out);
        }
        let received = runtime.block_on(client.get_within(&format!("/v1/inbox?wait={}", self.wait), self.wait))?;
        if !matches!(received.status.as_u16(), 200 | 204) {
            return Err(ClientError::Refused(problem_of(&received)).into());
        }
        if let Some(path) = self.output.as_ref().filter(|_| received.status.as_u16() == 200) {
            std::fs::write(path, &received.body)?;
        }
        show(&received, self.output.as_deref(), out)
    }
}

fn show_state(lease: u64, received: &Received, out: &Out) -> Outcome {
    if !received.status.is_success() {
        return Err(ClientError::Refused(problem_of(received)).into());
    }
    let mut said: Value = serde_json::from_slice(&received.body).map_err(|error| Failure::new(1, error))?;
    if out.is_json {
        said["format"] = 1.into();
        return out.print(said);
    }
    out.print(format!("lease {lease}: {}", said["state"].as_str().unwrap_or_default()))
}

fn show(received: &Received, output: Option<&Path>, out: &Out) -> Outcome {
    let said = |name: &str| received.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_there = received.status.as_u16() == 200;
    if out.is_json {
        return out.print(json!({
            "format": 1,
            "lease": said("oncegate-lease").parse::<u64>().ok(),
            "until": is_there.then(|| said("oncegate-lease-until")),
            "kind": is_there.then(|| said("oncegate-kind")),
            "messageId": is_there.then(|| said("oncegate-message-id")),
            "deadline": is_there.then(|| said("oncegate-deadline")),
            "redelivered": said("oncegate-redelivered") == "true",
            "message": is_there.then(|| String::from_utf8_lossy(&received.body)),
        }));
    }
    if !is_there {
        out.say("nothing waits");
        return Ok(());
    }
    out.print(format!("{} {}", said("oncegate-kind"), said("oncegate-message-id")))?;
    let until = said("oncegate-lease-until");
    out.print(format!(
        "lease {} until {until}; it may be handed out until {}",
        said("oncegate-lease"),
        said("oncegate-deadline")
    ))?;
    match output {
        Some(path) => out.print(format!("written to {}", path.display())),
        None => out.print(String::from_utf8_lossy(&received.body)),
    }
}
