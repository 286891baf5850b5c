//! Coming for what waits: no port of the agency is open. What is taken is on lease; a question is answered by a message of its own,
//! which ends its lease, and all else is put by before its lease is ended.

use super::holder::Holder;
use super::kept::Kept;
use crate::faces::client::{ClientError, problem_of};
use crate::host::transport::Received;
use crate::message::schema::fields_of_header;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long something is waited for at once.
const WAIT_S: u64 = 30;
/// Between two tries where the gateway is away: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How often an answer is sent that was not taken, while its question is on lease.
const TRIES: u32 = 5;

/// A line for whoever runs the agent.
pub type Say = Arc<dyn Fn(String) + Send + Sync>;

/// Takes one thing after the other until it is told to stop. What was taken is ended first.
pub async fn pull(
    holder: Arc<dyn Fn() -> Arc<Holder> + Send + Sync>,
    kept: Arc<Kept>,
    say: Say,
    mut stop: watch::Receiver<bool>,
) {
    let (mut pause, mut is_away) = (PAUSE, false);
    while !*stop.borrow() {
        let now = holder();
        let path = format!("/v1/inbox?wait={WAIT_S}");
        let asked = tokio::select! {
            asked = now.client().get_within(&path, WAIT_S) => asked,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let trouble = match asked {
            Ok(received) if received.status.as_u16() == 200 => {
                take(&now, &kept, &received, &say).await;
                None
            }
            Ok(received) if received.status.as_u16() == 204 => None,
            Ok(received) => Some(ClientError::Refused(problem_of(&received)).to_string()),
            Err(error) => Some(error.to_string()),
        };
        match trouble {
            None => {
                if std::mem::take(&mut is_away) {
                    say("the gateway is there again".to_owned());
                }
                pause = PAUSE;
            }
            Some(what) => {
                // Said once, and not each time that it is so.
                if !std::mem::replace(&mut is_away, true) {
                    say(format!("{what}; it is tried again"));
                }
                tokio::select! { () = tokio::time::sleep(pause) => {}, _ = stop.wait_for(|stop| *stop) => return }
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
        }
    }
}

async fn take(holder: &Holder, kept: &Kept, received: &Received, say: &Say) {
    let header = |name: &str| received.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, lease) = (header("oncegate-kind"), header("oncegate-lease"));
    let id = header("oncegate-message-id");
    if kind == "request" {
        let fields = received.headers.get("oncegate-fields").and_then(|value| fields_of_header(value.to_str().ok()?));
        match holder.answer(&received.body, fields).await {
            Ok(answered) => {
                say(answered.said.to_string());
                return post(holder, answered.octets, say).await;
            }
            // An application, say: its answer is somebody else's to give.
            Err(what) => say(format!("{id} is put by for own systems: {what}")),
        }
    }
    match kept.put_by(kind, id, &received.body) {
        Ok(()) => end(holder, lease, say).await,
        // It comes again when its lease has run out. To give it back at once would have it come again at once.
        Err(cause) => say(format!("{kind} {id} cannot be put by: {cause}")),
    }
}

/// Sends an answer until it is taken or refused. The same octets are the same message, however often they come.
async fn post(holder: &Holder, octets: Vec<u8>, say: &Say) {
    let mut pause = PAUSE;
    for _ in 0..TRIES {
        match holder.client().post(octets.clone(), "wait=20", Duration::from_secs(40)).await {
            Ok(received) if received.status.is_success() => return,
            Ok(received) => {
                let problem = problem_of(&received);
                let is_over = problem.retry != "later";
                say(ClientError::Refused(problem).to_string());
                if is_over {
                    return;
                }
            }
            Err(error) => say(error.to_string()),
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
}

async fn end(holder: &Holder, lease: &str, say: &Say) {
    let ended = holder.client().post_to(&format!("/v1/inbox/{lease}/ack"), "application/json", Vec::new()).await;
    match ended {
        Ok(received) if received.status.is_success() => {}
        Ok(received) => say(ClientError::Refused(problem_of(&received)).to_string()),
        Err(error) => say(error.to_string()),
    }
}
