//! `oncegate refusals`

use super::ask::folder;
use super::{Failure, Out, Outcome, runtime};
use crate::base::fault::Code;
use crate::base::ids::MessageId;
use crate::faces::client::{Client, ClientError, problem_of};
use serde_json::Value;
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:\n  oncegate refusals 01990a5d-ac96-774b-8cce-b302099a8057 --as agencies/ru.yar.clinic-3\n  \
oncegate refusals 01990a5d-ac96-774b-8cce-b302099a8057 --as agencies/ru.yar.clinic-3 --json";

/// As the holder that was asked: print why the gateway refused this agency's answers to a question.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Refusals {
    /// The id of the question's message; the gateway sends it in the header Oncegate-Message-Id
    id: String,
    /// The folder of the agency that was asked, or its name under ./agencies
    #[arg(long = "as")]
    agency: PathBuf,
}

impl Refusals {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let id = MessageId::parse(&self.id);
        let id = id.ok_or_else(|| Failure::new(2, format!("\"{}\" is not the id of a message (a UUID, version 7)", self.id)))?;
        let client = Client::load(&folder(&self.agency))?;
        show(&runtime()?.block_on(fetch(&client, id))?, out)
    }
}

/// What the gateway tells the holder: `messageId` and `refusals`.
pub(super) async fn fetch(client: &Client, id: MessageId) -> Result<Value, Failure> {
    let received = client.get(&format!("/v1/messages/{id}/refusals")).await?;
    if !received.status.is_success() {
        return Err(ClientError::Refused(problem_of(&received)).into());
    }
    serde_json::from_slice(&received.body).map_err(|error| Failure::new(1, error))
}

fn show(told: &Value, out: &Out) -> Outcome {
    if out.is_json {
        let mut marked = told.clone();
        marked["format"] = 1.into();
        return out.print(marked);
    }
    let refusals = told["refusals"].as_array().map_or(&[][..], Vec::as_slice);
    refusals.iter().try_for_each(|refusal| lines(refusal).iter().try_for_each(|line| out.print(line)))?;
    if refusals.is_empty() {
        out.say("no answer to this question was refused");
    }
    Ok(())
}

/// One refusal: when and with which code, the cause, what to do next.
pub(super) fn lines(refusal: &Value) -> [String; 3] {
    let code = refusal["code"].as_str().unwrap_or_default();
    let title = Code::parse(code).map_or("", Code::title);
    let time = refusal["time"].as_str().unwrap_or_default();
    let cause = refusal["cause"].as_str().unwrap_or("not kept");
    let rule = Code::parse(cause.split([' ', ':']).next().unwrap_or_default()).or(Code::parse(code));
    [
        format!("record {}  {time}  the consumer was told {code} {title}", refusal["logIndex"]),
        format!("   cause   {cause}"),
        format!("   next    {}", rule.map_or("", Code::next_step)),
    ]
}
