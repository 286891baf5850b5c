//! `oncegate answer`

use super::ask::{fetch, folder, show};
use super::schema::With;
use super::{Failure, Out, Outcome, runtime};
use crate::base::ids::MessageId;
use crate::faces::client::{Client, ClientError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const EXAMPLES: &str = "Examples:\n  oncegate answer 01990a5d-ac96-774b-8cce-b302099a8057 --as agencies/ru.yar.school-17\n  \
oncegate answer 01990a5d-ac96-774b-8cce-b302099a8057 --as agencies/ru.yar.school-17 --wait 600 -o answer.xml";

/// Fetch the answer to a request of this agency that was made in the last 48 hours.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Answer {
    /// The id of the request's message, as `ask` says it
    id: String,
    /// The agency's folder, or its name under ./agencies
    #[arg(long = "as")]
    agency: PathBuf,
    #[command(flatten)]
    with: With,
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 0)]
    wait: u64,
    /// Write the signed answer to a file as well
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// A folder for the attachments of the answer, which are fetched and checked
    #[arg(long)]
    attachments: Option<PathBuf>,
}

impl Answer {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let id = MessageId::parse(&self.id);
        let id = id.ok_or_else(|| Failure::new(2, format!("\"{}\" is not the id of a message (a UUID, version 7)", self.id)))?;
        let client = Client::load(&folder(&self.agency))?;
        let sets = self.with.load()?;
        let start = Instant::now();
        let runtime = runtime()?;
        let received = runtime.block_on(client.answer_to(id, Duration::from_secs(self.wait)))?;
        match received.status.as_u16() {
            200 => {}
            202 => return Err(ClientError::NoAnswer { id, seconds: self.wait }.into()),
            _ => return Err(runtime.block_on(client.why_not(id, &received)).into()),
        }
        let checked = client.check_for(received, id, sets.schemas())?;
        if let Some(path) = &self.output {
            std::fs::write(path, &checked.octets)?;
        }
        runtime.block_on(fetch(&client, &checked, self.attachments.as_deref(), out))?;
        show(&checked, start.elapsed(), out)
    }
}
