//! `oncegate ask --each`: the same question to every holder of a document, each by a request of its own.

use super::{Failure, Out, Outcome};
use crate::base::ids::AgencyId;
use crate::faces::client::{Checked, Client, ClientError, problem_of};
use crate::host::schemas::sets::Sets;
use crate::message::envelope::{Ask, Body, Context, World};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// What is asked of each holder.
#[derive(Clone)]
pub(super) struct Question {
    pub ask: Ask,
    pub context: Context,
    pub world: World,
}

/// Asks all holders at once, and says what came within the time, and who is missing.
pub(super) async fn ask_each(client: Client, question: Question, sets: Sets, wait: Duration, out: &Out) -> Outcome {
    let holders = holders(&client, question.ask.document_type.as_str()).await?;
    let (client, sets) = (Arc::new(client), Arc::new(sets));
    let mut asked = JoinSet::new();
    for holder in holders {
        let (client, sets, question) = (Arc::clone(&client), Arc::clone(&sets), question.clone());
        asked.spawn(async move {
            let Question { ask, context, world } = question;
            let answer = async {
                let request = client.request(ask, context, Some(holder.clone()), world)?;
                client.exchange(&request, wait, sets.schemas()).await
            };
            let answer = answer.await;
            (holder, answer)
        });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by(|(left, _), (right, _)| left.cmp(right));
    show(&answers, out)
}

/// The holders of a document, as the catalogue of this agency has them.
async fn holders(client: &Client, document: &str) -> Result<Vec<AgencyId>, Failure> {
    let received = client.get("/v1/catalogue").await?;
    if !received.status.is_success() {
        return Err(ClientError::Refused(problem_of(&received)).into());
    }
    let catalogue: Value = serde_json::from_slice(&received.body).map_err(|error| Failure::new(1, error))?;
    let grants = catalogue["mayAsk"].as_array().into_iter().flatten();
    let of_document = grants.filter(|grant| grant["documentType"] == document);
    let holders = of_document.flat_map(|grant| grant["holders"].as_array().into_iter().flatten());
    let mut holders: Vec<_> = holders.filter_map(|holder| AgencyId::parse(holder["agency"].as_str()?)).collect();
    holders.sort();
    holders.dedup();
    if holders.is_empty() {
        return Err(Failure::new(3, format!("this agency may ask nobody for {document}; GET /v1/catalogue says whom for what")));
    }
    Ok(holders)
}

fn show(answers: &[(AgencyId, Result<Checked, ClientError>)], out: &Out) -> Outcome {
    let said = |checked: &Checked| match &checked.message.body {
        Body::Documents(documents) => ("documents", documents.len()),
        Body::NoRecord { .. } => ("no record", 0),
        _ => ("something else", 0),
    };
    let row = |(holder, answer): &(AgencyId, Result<Checked, ClientError>)| match answer {
        Ok(checked) => {
            let (what, documents) = said(checked);
            let fields: Vec<_> = checked.outline.iter().map(|row| json!({ "path": row.path, "value": row.value })).collect();
            json!({ "holder": holder.as_str(), "what": what, "documents": documents, "logIndex": checked.log_index, "fields": fields })
        }
        Err(cause) => json!({ "holder": holder.as_str(), "missing": cause.to_string() }),
    };
    let missing = answers.iter().filter(|(_, answer)| answer.is_err()).count();
    if out.is_json {
        let rows: Vec<_> = answers.iter().map(row).collect();
        out.print(json!({ "format": 1, "answers": rows, "missing": missing }))?;
    } else {
        for (holder, answer) in answers {
            match answer {
                Ok(checked) => {
                    let (what, documents) = said(checked);
                    let index = checked.log_index.map_or_else(String::new, |index| format!("   log {index}"));
                    let count = if documents > 0 { format!("{documents} ") } else { String::new() };
                    out.print(format!("{holder:<40} {count}{what}, signed by it and checked{index}"))?;
                    for row in &checked.outline {
                        out.print(format!("  {:<28} {}", row.place, row.value))?;
                    }
                }
                Err(cause) => out.print(format!("{holder:<40} missing: {cause}"))?,
            }
        }
        out.print(format!("{} of {} holders have answered", answers.len() - missing, answers.len()))?;
    }
    match missing {
        0 => Ok(()),
        _ => Err(Failure::new(7, format!("{missing} of {} holders have not answered", answers.len()))),
    }
}
