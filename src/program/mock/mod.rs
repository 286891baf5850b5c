//! A holder that is not there yet: it answers questions of the test world with the examples of their schemas, so that a consumer can
//! begin before its provider. It never answers a question of the live world.
//!
//! The last digit of the serial number of an identifier of the scheme XX-OGTEST says what comes of a question: see [`Manner`].

mod paper;

use crate::base::fault::Code as FaultCode;
use crate::base::ids::{Code, Identifier};
use crate::base::time::UnixTime;
use crate::faces::client::{Client, ClientError, digest_of, problem_of, verify_under};
use crate::gateway::driver::now;
use crate::host::schemas::sets::Sets;
use crate::host::transport::{Anchors, Door, Identity, Question, Received, serve_questions};
use crate::message::envelope::{Ask, Body, Context, Kind, Message, ReplyTo, World};
use crate::message::schema::fields_of_header;
use paper::{NoPaper, Standing, paper};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long a mock takes that answers later.
const LATER: Duration = Duration::from_secs(2);
/// How long a gateway is asked to wait for something, in seconds.
const TURN: u64 = 30;
/// After how long a gateway that cannot be reached is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// What comes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// The example.
    Found,
    /// Serial numbers that end in 1: there is no record.
    NoRecord,
    /// In 2: a word that it will be later, and after two seconds the answer, by a message of its own.
    Later,
    /// In 3: nothing, until the deadline.
    Silent,
    /// In 4: a fault of the register.
    Fault,
    /// In 5: the example, cancelled if its type has a head that can say so.
    Cancelled,
}

impl Manner {
    /// The manner for an identifier.
    pub fn about(identifier: Option<&Identifier>) -> Self {
        let synthetic = identifier.filter(|identifier| identifier.scheme() == "XX-OGTEST");
        // 99, seven digits, and two that check them.
        match synthetic.and_then(|identifier| identifier.value().as_bytes().get(8)) {
            Some(b'1') => Self::NoRecord,
            Some(b'2') => Self::Later,
            Some(b'3') => Self::Silent,
            Some(b'4') => Self::Fault,
            Some(b'5') => Self::Cancelled,
            _ => Self::Found,
        }
    }
}

/// What a mock says to a question.
enum Said {
    /// This, signed.
    Now(Vec<u8>),
    /// This, and later that.
    Later(Vec<u8>, Vec<u8>),
    /// Nothing before this time.
    Nothing(UnixTime),
}

/// Where lines go.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// A mock.
pub struct Mock {
    client: Client,
    anchors: Anchors,
    sets: Sets,
    types: Vec<Code>,
    say: Say,
}

impl Mock {
    /// Opens an agency's folder; the mock holds documents of these types.
    pub fn open(folder: &Path, sets: Sets, types: Vec<Code>, say: Say) -> Result<Arc<Self>, ClientError> {
        let anchors = Anchors::load(&folder.join("ca.pem")).map_err(|error| ClientError::Config(error.to_string()))?;
        Ok(Arc::new(Self { client: Client::load(folder)?, anchors, sets, types, say }))
    }

    /// Takes questions of its gateway at a port, until told to stop.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, identity: &Identity, stop: watch::Receiver<bool>) {
        let Ok(tls) = identity.server() else { return };
        let say = Arc::clone(&self.say);
        let turned = Arc::new(move |address, why: &str| say(&format!("{address}: {why}")));
        let host = self.client.gateway().host.clone();
        let door = Door { turned, ..Door::fixed(tls, move |connection| connection.is_of_host(&host)) };
        let answer = move |question: Question| {
            let mock = Arc::clone(&self);
            async move {
                match mock.answer(&question.octets, question.fields.as_deref()) {
                    None => Err(400),
                    Some(Said::Now(answer)) => Ok(answer),
                    Some(Said::Later(word, answer)) => {
                        tokio::spawn(Arc::clone(&mock).send_later(answer));
                        Ok(word)
                    }
                    Some(Said::Nothing(until)) => {
                        tokio::time::sleep(Duration::from_millis(until.distance_ms(now()))).await;
                        Err(504)
                    }
                }
            }
        };
        serve_questions(listener, door, answer, stop).await;
    }

    /// Comes for questions, until told to stop.
    pub async fn come_for_questions(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let path = format!("/v1/inbox?wait={TURN}");
        loop {
            let received = tokio::select! {
                received = self.client.get_within(&path, TURN) => received,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match received {
                Ok(received) if received.status.as_u16() == 200 => drop(tokio::spawn(Arc::clone(&self).take(received))),
                Ok(received) if received.status.as_u16() == 204 => {}
                other => {
                    let why = other.map_or_else(|error| error.to_string(), |received| problem_of(&received).code);
                    (self.say)(&format!("the inbox: {why}"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Does what is to be done with what waited in the inbox.
    async fn take(self: Arc<Self>, received: Received) {
        let header = |name: &str| received.headers.get(name).and_then(|value| value.to_str().ok());
        let lease = header("oncegate-lease").unwrap_or_default();
        let said = match header("oncegate-kind") {
            Some("request") => self.answer(&received.body, header("oncegate-fields")),
            _ => None,
        };
        match said {
            // An answer acknowledges its question.
            Some(Said::Now(answer)) => self.send(answer).await,
            Some(Said::Later(word, answer)) => {
                self.send(word).await;
                self.acknowledge(lease).await;
                self.send_later(answer).await;
            }
            // Whoever says nothing has taken it.
            Some(Said::Nothing(_)) | None => self.acknowledge(lease).await,
        }
    }

    async fn acknowledge(&self, lease: &str) {
        // It may have ended with an answer.
        let _ = self.client.post_to(&format!("/v1/inbox/{lease}/ack"), "application/json", Vec::new()).await;
    }

    async fn send_later(self: Arc<Self>, answer: Vec<u8>) {
        tokio::time::sleep(LATER).await;
        self.send(answer).await;
    }

    async fn send(&self, answer: Vec<u8>) {
        match self.client.post(answer, "", Duration::from_secs(TURN)).await {
            Ok(received) if received.status.is_success() => {}
            Ok(received) => (self.say)(&format!("an answer was refused: {}", problem_of(&received).code)),
            Err(error) => (self.say)(&error.to_string()),
        }
    }

    /// What it says to a question; nothing to what is none.
    fn answer(&self, octets: &[u8], fields: Option<&str>) -> Option<Said> {
        let (question, _) = verify_under(octets, &self.anchors, self.sets.schemas()).ok()?;
        let reply = ReplyTo { id: question.header.id, digest: digest_of(octets).ok()? };
        let write = |body, markup: &str| self.write(&question, reply, body, markup);
        let context = question.context.as_ref()?;
        let ask = match &question.body {
            Body::Ask(ask) if question.header.world == World::Test && self.types.contains(&ask.document_type) => ask,
            // A mock answers nothing that is live, and nothing else than what it was started for.
            _ => return Some(Said::Now(write(fault(FaultCode::SrcUnheld), "")?)),
        };
        let manner = Manner::about(context.subject.identifiers.first());
        (self.say)(&format!("{} {}: {manner:?}", question.header.id, ask.document_type));
        match manner {
            Manner::Found => Some(Said::Now(self.found((&question, reply), (ask, context), fields, Standing::InForce)?)),
            Manner::Cancelled => Some(Said::Now(self.found((&question, reply), (ask, context), fields, Standing::Cancelled)?)),
            Manner::NoRecord => Some(Said::Now(write(Body::NoRecord { document_type: ask.document_type.clone() }, "")?)),
            Manner::Fault => Some(Said::Now(write(fault(FaultCode::SrcUnavailable), "")?)),
            Manner::Silent => Some(Said::Nothing(question.header.expires_at)),
            Manner::Later => {
                let word = Body::Later { by: question.header.expires_at, reason: Code::parse("searching")? };
                let answer = self.found((&question, reply), (ask, context), fields, Standing::InForce)?;
                Some(Said::Later(write(word, "")?, answer))
            }
        }
    }

    fn found(
        &self,
        (question, reply): (&Message, ReplyTo),
        (ask, context): (&Ask, &Context),
        fields: Option<&str>,
        standing: Standing,
    ) -> Option<Vec<u8>> {
        let fields = fields.and_then(fields_of_header);
        match paper(&self.sets, (ask, &context.subject), fields.as_deref(), standing) {
            Ok(markup) => self.write(question, reply, Body::Documents(Vec::new()), &markup),
            Err(why) => {
                (self.say)(&format!("no {} could be made: {why:?}", ask.document_type));
                let code = if why == NoPaper::OtherScheme { FaultCode::SrcSelector } else { FaultCode::SrcRow };
                self.write(question, reply, fault(code), "")
            }
        }
    }

    fn write(&self, question: &Message, reply: ReplyTo, body: Body, markup: &str) -> Option<Vec<u8>> {
        let kind = if matches!(body, Body::Fault { .. }) { Kind::Fault } else { Kind::Answer };
        let to = Some(question.header.from.clone());
        let header = self.client.header(kind, to, Some(reply), question.header.world).ok()?;
        let context = question.context.clone().map(|context| Context { official: None, ..context });
        let message = Message { header, context, body, attachments: Vec::new() };
        self.client.sign(&message, markup).ok().map(|signed| signed.octets)
    }
}

fn fault(code: FaultCode) -> Body {
    Body::Fault { code: code.to_string(), blame: code.blame().as_str().to_owned(), retry: code.retry().as_str().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_of_a_synthetic_serial_number_says_what_comes_of_a_question() {
        let about = |number| Manner::about(Some(&Identifier::synthetic(number)));
        let expected = [Manner::Found, Manner::NoRecord, Manner::Later, Manner::Silent, Manner::Fault, Manner::Cancelled];
        assert_eq!([120, 121, 122, 123, 124, 125].map(about), expected);
        assert_eq!((about(126), about(9), Manner::about(None)), (Manner::Found, Manner::Found, Manner::Found));
    }
}
