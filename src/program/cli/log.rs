//! `oncegate log`

mod export;
mod show;
mod verify;
pub(super) mod whole;

use super::{Failure, Out, Outcome, runtime};
use crate::base::ids::Code;
use crate::base::limits;
use crate::evidence::audit::Pairs;
use crate::faces::client::{Client, ClientError, problem_of};
use crate::gateway::driver::audit::TRAIL;
use crate::host::transport::Received;
use crate::message::envelope::{Ask, Context, World};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "Examples:\n  oncegate log search --as agencies/xx.court --consumer ru.yar.school-17 --from 2026-03-01\n  \
oncegate log search --as agencies/xx.court --person RU-SNILS:11223344595 --reason \"complaint 17-22\"\n  \
oncegate log export --as agencies/xx.court --from 2026-03-01 --to 2026-04-01 -o march.ndjson\n  \
oncegate log verify march.ndjson --key log.key";

/// Search the log, export it, verify what it proves. An agency sees its own exchanges, an auditor all.
#[derive(Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Log {
    #[command(subcommand)]
    action: Action,
}

/// Who asks.
#[derive(Args)]
struct As {
    /// The agency's folder, or its name under ./agencies
    #[arg(long = "as", id = "as")]
    folder: PathBuf,
}

impl As {
    fn client(&self) -> Result<Client, Failure> {
        Ok(Client::load(&super::ask::folder(&self.folder))?)
    }
}

/// Which records.
#[derive(Args, Default)]
struct Selection {
    /// Not before: 2026-03-04 or 2026-03-04T05:12:09Z
    #[arg(long)]
    from: Option<String>,
    /// Before: 2026-03-04 (its first instant) or 2026-03-04T05:12:09Z
    #[arg(long)]
    to: Option<String>,
    /// Of this kind: req (request), rsp (answer), err (refusal), aud (look into the log), era (erasure), adm
    #[arg(long)]
    kind: Option<String>,
    /// Asked by this agency
    #[arg(long)]
    consumer: Option<String>,
    /// Answered by this agency
    #[arg(long)]
    provider: Option<String>,
    /// Asked or answered by this agency
    #[arg(long)]
    agency: Option<String>,
    /// Of this document type
    #[arg(long)]
    document: Option<String>,
    /// For this purpose
    #[arg(long)]
    purpose: Option<String>,
    /// On this legal basis
    #[arg(long)]
    basis: Option<String>,
    /// Ended with this fault code
    #[arg(long)]
    code: Option<String>,
    /// Of this message and its answer
    #[arg(long)]
    message: Option<String>,
    /// Of the message with this digest: SHA-256 in hexadecimal digits or base64url
    #[arg(long)]
    digest: Option<String>,
    /// In this case
    #[arg(long)]
    case: Option<String>,
    /// Asked by this official: SCHEME:VALUE; needs --reason
    #[arg(long)]
    official: Option<String>,
    /// About this person: SCHEME:VALUE; needs --reason
    #[arg(long)]
    person: Option<String>,
    /// Why; it is recorded
    #[arg(long)]
    reason: Option<String>,
}

impl Selection {
    fn pairs(&self) -> Result<Pairs, Failure> {
        let id = |text: &Option<String>| text.as_ref().map(|text| text.replacen(':', "|", 1));
        let mut pairs = Pairs::default();
        for (key, value) in [
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("kind", self.kind.clone()),
            ("consumer", self.consumer.clone()),
            ("provider", self.provider.clone()),
            ("agency", self.agency.clone()),
            ("document", self.document.clone()),
            ("purpose", self.purpose.clone()),
            ("basis", self.basis.clone()),
            ("code", self.code.clone()),
            ("message", self.message.clone()),
            ("digest", self.digest.clone()),
            ("case", self.case.clone()),
            ("official", id(&self.official)),
            ("person", id(&self.person)),
            ("reason", self.reason.clone()),
        ] {
            add(&mut pairs, key, value)?;
        }
        Ok(pairs)
    }
}

fn add(pairs: &mut Pairs, key: &str, value: Option<String>) -> Result<(), Failure> {
    value.map_or(Ok(()), |value| pairs.add(key.to_owned(), value).map_err(|error| Failure::new(2, error)))
}

#[derive(Subcommand)]
enum Action {
    /// Find records, newest first
    #[command(
        before_help = "Examples:\n  oncegate log search --as agencies/xx.court --code OG-POL-001 --from 2026-03-01\n  oncegate log search --as agencies/xx.court --person RU-SNILS:11223344595 --reason \"complaint 17-22\" --json"
    )]
    Search {
        #[command(flatten)]
        who: As,
        #[command(flatten)]
        selection: Selection,
        /// How many, 1 to 1,000
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Where to continue: what the page before gave
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show one record; an auditor who gives a reason sees its private part too
    #[command(before_help = "Examples:\n  oncegate log show 1204331 --as agencies/xx.court --reason \"complaint 17-22\"")]
    Show {
        /// The index of the record
        index: u64,
        #[command(flatten)]
        who: As,
        /// Why; it is recorded
        #[arg(long)]
        reason: Option<String>,
    },
    /// Show the latest records, and new ones as they come
    #[command(
        before_help = "Examples:\n  oncegate log tail --as agencies/xx.court --kind err\n  oncegate log tail --as agencies/xx.court --lines 5 --seconds 0"
    )]
    Tail {
        #[command(flatten)]
        who: As,
        #[command(flatten)]
        selection: Selection,
        /// How many of the latest, 0 to 500
        #[arg(long, default_value_t = 10)]
        lines: usize,
        /// For how many seconds; without it until it is stopped
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// Fetch the receipts of a message, or of the record with an index
    #[command(
        before_help = "Examples:\n  oncegate log prove 01990a5d-ac96-774b-8cce-b302099a8057 --as agencies/ru.yar.school-17 > receipt.txt\n  oncegate log prove 1204331 --as agencies/xx.court > receipt.txt"
    )]
    Prove {
        /// The id of the message, or the index of the record
        what: String,
        #[command(flatten)]
        who: As,
    },
    /// Verify receipts, an export, or the whole log of a stopped gateway, offline
    #[command(
        before_help = "Examples:\n  oncegate log verify receipt.txt --key log.key\n  oncegate log verify march.ndjson --key gateway.office/audit/2026+1f2e3d4c+AZ…\n  oncegate log verify --all -c oncegate.toml --checkpoint receipt.txt"
    )]
    Verify(verify::Verify),
    /// Rebuild what is derived from the journal: tree, index, names
    Rebuild(whole::Rebuild),
    /// Print the key that checkpoints are verified with
    Key(whole::Key),
    /// Erase the personal part of a record, its message, or all but its hash
    Erase(whole::Erase),
    /// Print the log's latest signed checkpoint
    #[command(before_help = "Examples:\n  oncegate log checkpoint --as agencies/xx.court --key log.key")]
    Checkpoint {
        #[command(flatten)]
        who: As,
        /// Verify it with this key: name+hash+base64, or a file that has it
        #[arg(long)]
        key: Option<String>,
    },
    /// Export the records of a range of time, with a proof that none is missing
    #[command(
        before_help = "Examples:\n  oncegate log export --as agencies/xx.court --from 2026-03-01 --to 2026-04-01 -o march.ndjson\n  oncegate log export --as agencies/xx.court --from 2026-03-01 --to 2026-04-01 --format csv -o march.csv"
    )]
    Export(export::Export),
    /// Count records: requests, answers, refusals, times
    #[command(before_help = "Examples:\n  oncegate log summary --as agencies/xx.court --by consumer,day --from 2026-03-01")]
    Summary {
        #[command(flatten)]
        who: As,
        #[command(flatten)]
        selection: Selection,
        /// One to four of consumer, provider, document, purpose, basis, code, kind, day, hour
        #[arg(long, default_value = "consumer,day")]
        by: String,
    },
    /// Find what is unusual: who asks at night, about many persons, far more than usual
    #[command(
        before_help = "Examples:\n  oncegate log anomalies --as agencies/xx.court --from 2026-03-01 --persons 30 --night 19-4"
    )]
    Anomalies {
        #[command(flatten)]
        who: As,
        #[command(flatten)]
        selection: Selection,
        /// The hours of the night, UTC
        #[arg(long)]
        night: Option<String>,
        /// How many requests at night are unusual
        #[arg(long)]
        nightly: Option<String>,
        /// How many persons that one official asks about on a day are unusual
        #[arg(long)]
        persons: Option<String>,
        /// How many agencies that ask about one person on a day are unusual
        #[arg(long)]
        agencies: Option<String>,
        /// How many times the usual number of requests on a day is unusual
        #[arg(long)]
        jump: Option<String>,
    },
    /// As a portal: who has accessed a citizen's data
    #[command(before_help = "Examples:\n  oncegate log trail --as agencies/xx.portal --of RU-SNILS:11223344595")]
    Trail {
        #[command(flatten)]
        who: As,
        /// The citizen: SCHEME:VALUE
        #[arg(long)]
        of: String,
        /// The legal basis on which it is asked
        #[arg(long, default_value = "access to own data")]
        basis: String,
        /// How many, 1 to 100
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Where to continue: what the page before gave
        #[arg(long)]
        before: Option<u64>,
        /// With the receipt of each record
        #[arg(long)]
        proof: bool,
    },
}

impl Log {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.action {
            Action::Search { who, selection, limit, cursor } => {
                let mut pairs = selection.pairs()?;
                if !(1..=limits::PAGE_RECORDS_MAX).contains(&limit) {
                    let what = format!("--limit is 1 to {}; the next page begins at --cursor", limits::PAGE_RECORDS_MAX);
                    return Err(Failure::new(2, what));
                }
                add(&mut pairs, "limit", Some(limit.to_string()))?;
                add(&mut pairs, "cursor", cursor)?;
                show::page(&runtime()?.block_on(search(&who.client()?, &pairs))?, out)
            }
            Action::Show { index, who, reason } => {
                let mut pairs = Pairs::default();
                add(&mut pairs, "reason", reason)?;
                let found = runtime()?.block_on(get(&who.client()?, &format!("/v1/log/records/{index}"), &pairs))?;
                show::record(&found, out)
            }
            Action::Tail { who, selection, lines, seconds } => {
                let follow = Tail { selection, lines: lines.min(500), seconds };
                runtime()?.block_on(follow.run(&who.client()?, out))
            }
            Action::Prove { what, who } => {
                let path = if what.bytes().all(|octet| octet.is_ascii_digit()) {
                    format!("/v1/log/records/{what}/receipt")
                } else {
                    format!("/v1/messages/{what}/receipt")
                };
                let receipt = runtime()?.block_on(fetched(&who.client()?, &path))?;
                let text = text(receipt)?;
                out.result(text.trim_end(), &serde_json::json!({ "format": 1, "receipt": text }))
            }
            Action::Verify(command) => command.run(out),
            Action::Rebuild(command) => command.run(out),
            Action::Key(command) => command.run(out),
            Action::Erase(command) => command.run(out),
            Action::Checkpoint { who, key } => {
                let note = text(runtime()?.block_on(fetched(&who.client()?, "/log/checkpoint"))?)?;
                verify::checkpoint(&note, key.as_deref(), out)
            }
            Action::Export(command) => command.run(out),
            Action::Summary { who, selection, by } => {
                let mut pairs = selection.pairs()?;
                add(&mut pairs, "by", Some(by))?;
                show::summary(&runtime()?.block_on(get(&who.client()?, "/v1/log/summary", &pairs))?, out)
            }
            Action::Anomalies { who, selection, night, nightly, persons, agencies, jump } => {
                let mut pairs = selection.pairs()?;
                let keys = ["night", "nightly", "persons", "agencies", "jump"];
                for (key, value) in keys.into_iter().zip([night, nightly, persons, agencies, jump]) {
                    add(&mut pairs, key, value)?;
                }
                show::anomalies(&runtime()?.block_on(get(&who.client()?, "/v1/log/anomalies", &pairs))?, out)
            }
            Action::Trail { who, of, basis, limit, before, proof } => {
                let client = who.client()?;
                let request = trail_request(&client, &of, &basis)?;
                let before = before.map_or(String::new(), |before| format!("&before={before}"));
                let path = format!("/v1/trail?limit={limit}&proof={}{before}", u8::from(proof));
                let received = runtime()?.block_on(client.post_to(&path, "application/xml", request))?;
                show::trail(&json(accepted(received)?)?, out)
            }
        }
    }
}

fn trail_request(client: &Client, of: &str, basis: &str) -> Result<Vec<u8>, Failure> {
    let code = |text| Code::parse(text).ok_or_else(|| Failure::new(2, format!("\"{text}\" is not a code")));
    let ask = Ask { document_type: code(TRAIL.0)?, of: None, select: Vec::new(), during: None };
    let context = Context::new(code(TRAIL.1)?, basis, super::ask::subject(of)?);
    Ok(client.request(ask, context, None, World::Live)?.octets)
}

/// Follows the log.
struct Tail {
    selection: Selection,
    lines: usize,
    seconds: Option<u64>,
}

impl Tail {
    async fn run(&self, client: &Client, out: &Out) -> Outcome {
        // A search for a person is recorded, and would follow itself.
        if self.selection.person.is_some() || self.selection.official.is_some() {
            return Err(Failure::new(2, "a person or an official is not followed: each look is recorded; use log search"));
        }
        let start = Instant::now();
        let mut pairs = self.selection.pairs()?;
        add(&mut pairs, "limit", Some(self.lines.max(1).to_string()))?;
        let first = search(client, &pairs).await?;
        let mut seen = None;
        let entries = first["entries"].as_array().cloned().unwrap_or_default();
        for entry in entries.iter().take(self.lines).rev() {
            show::entry(entry, out)?;
        }
        if let Some(newest) = entries.first() {
            seen = newest["logIndex"].as_u64();
        }
        while self.seconds.is_none_or(|seconds| start.elapsed() < Duration::from_secs(seconds)) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            for entry in self.newer(client, seen).await?.iter().rev() {
                show::entry(entry, out)?;
                seen = entry["logIndex"].as_u64();
            }
        }
        Ok(())
    }

    /// The records that came after one, newest first.
    async fn newer(&self, client: &Client, seen: Option<u64>) -> Result<Vec<Value>, Failure> {
        let (mut newer, mut cursor) = (Vec::new(), None);
        loop {
            let mut pairs = self.selection.pairs()?;
            add(&mut pairs, "limit", Some("500".to_owned()))?;
            add(&mut pairs, "cursor", cursor.take())?;
            let page = search(client, &pairs).await?;
            let entries = page["entries"].as_array().cloned().unwrap_or_default();
            let is_new = |entry: &Value| seen.is_none_or(|seen| entry["logIndex"].as_u64() > Some(seen));
            let is_all_new = entries.iter().all(is_new);
            newer.extend(entries.into_iter().take_while(is_new));
            cursor = page["next"].as_str().map(str::to_owned);
            if !is_all_new || cursor.is_none() {
                return Ok(newer);
            }
        }
    }
}

/// A search: of a person or an official in a body, of anything else by an address.
async fn search(client: &Client, pairs: &Pairs) -> Result<Value, Failure> {
    if ["person", "official"].iter().all(|key| pairs.clone().take(key).is_none()) {
        return get(client, "/v1/log/records", pairs).await;
    }
    let body = serde_json::Value::from_iter(pairs.iter().map(|(key, value)| (key.to_owned(), Value::from(value))));
    json(accepted(client.post_to("/v1/log/search", "application/json", body.to_string().into_bytes()).await?)?)
}

async fn get(client: &Client, path: &str, pairs: &Pairs) -> Result<Value, Failure> {
    json(fetched(client, &format!("{path}?{pairs}")).await?)
}

async fn fetched(client: &Client, path: &str) -> Result<Received, Failure> {
    accepted(client.get(path).await?)
}

fn accepted(received: Received) -> Result<Received, Failure> {
    if received.status.is_success() { Ok(received) } else { Err(ClientError::Refused(problem_of(&received)).into()) }
}

fn json(received: Received) -> Result<Value, Failure> {
    serde_json::from_slice(&received.body).map_err(|error| Failure::new(1, error))
}

fn text(received: Received) -> Result<String, Failure> {
    String::from_utf8(received.body).map_err(|error| Failure::new(1, error))
}
