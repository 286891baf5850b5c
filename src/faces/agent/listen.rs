//! Being asked: a port with mutual TLS, at which the gateway of this agency is answered and nobody else.

use super::holder::Holder;
use super::kept::Kept;
use super::pull::Say;
use crate::host::transport::{Door, Listening, Question, serve_questions};
use crate::message::schema::fields_of_header;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The holder that is in force.
type Current = Arc<dyn Fn() -> Arc<Holder> + Send + Sync>;

/// Serves until it is told to stop. `tls` is asked for each connection, so that a renewed certificate counts at once.
pub async fn listen(
    listener: TcpListener,
    tls: Arc<dyn Fn() -> Listening + Send + Sync>,
    (holder, kept): (Current, Arc<Kept>),
    say: Say,
    stop: watch::Receiver<bool>,
) {
    let (of, told) = (Arc::clone(&holder), Arc::clone(&say));
    let door = Door {
        tls,
        may_ask: Arc::new(move |connection| connection.is_of_host(&of().client().gateway().host)),
        turned: Arc::new(move |address, why| told(format!("{address}: {why}"))),
    };
    let answer = move |question| answer(holder(), Arc::clone(&kept), question, Arc::clone(&say));
    serve_questions(listener, door, answer, stop).await;
}

async fn answer(holder: Arc<Holder>, kept: Arc<Kept>, question: Question, say: Say) -> Result<Vec<u8>, u16> {
    let Question { octets, fields, kind, id } = question;
    if kind == "request" {
        match holder.answer(&octets, fields.as_deref().and_then(fields_of_header)).await {
            Ok(answered) => {
                say(answered.said.to_string());
                return Ok(answered.octets);
            }
            // An application, say: its answer is somebody else's to give, by a message of its own.
            Err(what) => say(format!("{id} is put by for own systems: {what}")),
        }
    }
    match kept.put_by(&kind, &id, &octets) {
        Ok(()) => Err(202),
        Err(cause) => {
            say(format!("{kind} {id} cannot be put by: {cause}"));
            Err(503)
        }
    }
}
