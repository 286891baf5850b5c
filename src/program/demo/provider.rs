//! A provider: an HTTPS server that verifies the questions it gets and answers them, signed, from its register.

use super::documents::document;
use super::people::Person;
use crate::base::ids::{Digest, MessageId};
use crate::base::limits::{CLOCK_SKEW_MS, MESSAGE_BYTES_MAX};
use crate::faces::client::{Client, ClientError, digest_of, verify_under};
use crate::gateway::driver::now;
use crate::host::transport::{Anchors, Door, Identity, Question, serve_questions};
use crate::message::envelope::{Body, Context, Kind, Message, ReplyTo};
use crate::message::schema::{FieldPath, Schemas, Validator, fields_of_header};
use crate::message::xml::{Profile, scan, without};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How a register answers about some people, so that the gateway has something to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    Honest,
    /// With a field that was not asked for and is not granted.
    ExtraField,
    /// About somebody else.
    WrongSubject,
    /// To another question.
    WrongQuestion,
    /// With a document of another type.
    WrongType,
    /// With a document that breaks its schema.
    Invalid,
    /// With an identifier whose check digits are wrong.
    CheckDigit,
    /// With a signature that does not fit.
    BadSignature,
    /// With something that is no message.
    Garbage,
    /// With more than a message may have.
    TooLarge,
    /// Not before the deadline.
    Slow,
    /// With "no room".
    Busy,
    /// With "not found".
    Failing,
    /// Later, by a message of its own.
    Later,
}

impl Behaviour {
    /// The behaviour for the families at the end of the register; all others are answered honestly.
    pub fn about(person: &Person) -> Self {
        const STRANGE: [Behaviour; 13] = [
            Behaviour::ExtraField,
            Behaviour::WrongSubject,
            Behaviour::WrongQuestion,
            Behaviour::WrongType,
            Behaviour::Invalid,
            Behaviour::CheckDigit,
            Behaviour::BadSignature,
            Behaviour::Garbage,
            Behaviour::TooLarge,
            Behaviour::Slow,
            Behaviour::Busy,
            Behaviour::Failing,
            Behaviour::Later,
        ];
        let at = (person.household() as usize).checked_sub(220);
        at.and_then(|at| STRANGE.get(at / 2)).copied().unwrap_or(Self::Honest)
    }

    /// A household whose pupil has an absence note and is answered in this manner.
    pub fn household(self) -> u32 {
        let of = |household: u32| super::people::people().into_iter().nth(household as usize * 4);
        let fits = |household: &u32| household % 3 != 2 && of(*household).is_some_and(|person| Self::about(&person) == self);
        (0..250).find(fits).unwrap_or(0)
    }
}

/// Told of each question before it is answered; the answer waits for what it gives.
pub type Observer = Arc<dyn Fn(MessageId) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// An observer who does not care.
pub(super) fn nobody() -> Observer {
    Arc::new(|_| Box::pin(std::future::ready(())))
}

/// A register that answers instead: what it says, signed, to a question and to what the gateway says may go out.
pub type Register = Arc<dyn Fn(Vec<u8>, Option<String>) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>> + Send + Sync>;

/// A provider.
pub struct Provider {
    client: Client,
    anchors: Anchors,
    schemas: Arc<Schemas>,
    people: Arc<Vec<Person>>,
    gateway: Digest,
    observer: Observer,
    register: OnceLock<Register>,
}

impl Provider {
    /// Opens an agency's folder; only the gateway with this certificate may ask.
    pub fn open(folder: &Path, schemas: Arc<Schemas>, people: Arc<Vec<Person>>, gateway: Digest) -> Result<Self, ClientError> {
        let anchors = Anchors::load(&folder.join("ca.pem")).map_err(|error| ClientError::Config(error.to_string()))?;
        Ok(Self {
            client: Client::load(folder)?,
            anchors,
            schemas,
            people,
            gateway,
            observer: nobody(),
            register: OnceLock::new(),
        })
    }

    /// The same provider, watched.
    #[must_use]
    pub fn observed_by(self, observer: Observer) -> Self {
        Self { observer, ..self }
    }

    /// Has a register answer from now on about everybody about whom the answer is honest.
    pub fn answer_from(&self, register: Register) {
        let _ = self.register.set(register);
    }

    /// Serves until told to stop.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, identity: Arc<Identity>, stop: watch::Receiver<bool>) {
        let Ok(tls) = identity.server() else { return };
        let gateway = self.gateway;
        let door = Door::fixed(tls, move |connection| connection.certificate == gateway);
        let answer = move |question: Question| {
            let provider = Arc::clone(&self);
            async move { provider.answer(&question).await.unwrap_or(Err(400)) }
        };
        serve_questions(listener, door, answer, stop).await;
    }

    /// The signed answer to a question, or the status that says why there is none.
    async fn answer(&self, asked: &Question) -> Option<Result<Vec<u8>, u16>> {
        let Question { octets, fields, .. } = asked;
        let (question, _) = verify_under(octets, &self.anchors, &self.schemas).ok()?;
        // Clocks differ; a question that is older than that was kept by somebody.
        if question.header.expires_at.plus_ms(CLOCK_SKEW_MS) < now() {
            return Some(Err(410));
        }
        (self.observer)(question.header.id).await;
        let reply = ReplyTo { id: question.header.id, digest: digest_of(octets).ok()? };
        let context = question.context.clone()?;
        let asked = context.subject.identifiers.first()?;
        let person = self.people.iter().find(|person| person.identifier == *asked);
        let behaviour = person.map_or(Behaviour::Honest, Behaviour::about);
        if let Some(register) = self.register.get()
            && behaviour == Behaviour::Honest
            && matches!(question.body, Body::Ask(_))
        {
            return Some(register(octets.clone(), fields.clone()).await.ok_or(500));
        }
        match behaviour {
            Behaviour::Slow => tokio::time::sleep(Duration::from_secs(60)).await,
            Behaviour::Busy => return Some(Err(503)),
            Behaviour::Failing => return Some(Err(404)),
            Behaviour::Garbage => return Some(Ok(b"<html>it works</html>".to_vec())),
            Behaviour::TooLarge => return Some(Ok(vec![b' '; MESSAGE_BYTES_MAX + 1])),
            _ => {}
        }
        let (body, markup) = self.body(&question, person, behaviour)?;
        let fields = fields.as_deref().and_then(fields_of_header);
        let markup = strange(fields.map_or(markup.clone(), |fields| self.released(&markup, &fields)), behaviour);
        let signed = self.write(&question, reply, context, body, &markup, behaviour)?;
        if behaviour == Behaviour::Later {
            self.answer_later(signed);
            return Some(Err(202));
        }
        Some(Ok(signed))
    }

    fn body(&self, question: &Message, person: Option<&Person>, behaviour: Behaviour) -> Option<(Body, String)> {
        let Body::Ask(ask) = &question.body else {
            return Some((Body::State { of: question.context.as_ref()?.purpose.clone(), at: now() }, String::new()));
        };
        let document_type = ask.document_type.as_str();
        let described = match behaviour {
            Behaviour::WrongSubject => {
                person.and_then(|person| self.people.get((person.number as usize + 12) % self.people.len()))
            }
            _ => person,
        };
        let family = described.map_or(&[][..], |person| {
            self.people.get(person.household() as usize * 4..person.household() as usize * 4 + 4).unwrap_or(&[])
        });
        let wanted = if behaviour == Behaviour::WrongType { "residence-record" } else { document_type };
        match described.and_then(|person| document(wanted, person, family)) {
            Some(markup) => Some((Body::Documents(Vec::new()), markup)),
            None => Some((Body::NoRecord { document_type: ask.document_type.clone() }, String::new())),
        }
    }

    /// A document without the optional fields that may not go out.
    fn released(&self, markup: &str, fields: &[FieldPath]) -> String {
        let mut validator = Validator::new(&self.schemas);
        let read = scan(markup.as_bytes(), Profile::Message, &mut validator).ok().and_then(|()| validator.finish().ok());
        read.map_or_else(|| markup.to_owned(), |facts| without(markup, &facts.withheld(&self.schemas, fields)))
    }

    fn write(
        &self,
        question: &Message,
        reply: ReplyTo,
        mut context: Context,
        body: Body,
        markup: &str,
        behaviour: Behaviour,
    ) -> Option<Vec<u8>> {
        let reply = match behaviour {
            Behaviour::WrongQuestion => ReplyTo { digest: Digest::from_octets([7; 32]), ..reply },
            _ => reply,
        };
        context.official = None;
        let kind = if matches!(body, Body::State { .. }) { Kind::Status } else { Kind::Answer };
        let header = self.client.header(kind, Some(question.header.from.clone()), Some(reply), question.header.world).ok()?;
        let message = Message { header, context: Some(context), body, attachments: Vec::new() };
        let signed = self.client.sign(&message, markup).ok()?;
        Some(match behaviour {
            Behaviour::BadSignature => {
                String::from_utf8(signed.octets).ok()?.replacen("<Kind>answer", "<Kind>status", 1).into_bytes()
            }
            _ => signed.octets,
        })
    }

    /// The answer goes to the gateway as a message of its own.
    fn answer_later(&self, signed: Vec<u8>) {
        let client = self.client.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let _ = client.post(signed, "wait=5", Duration::from_secs(10)).await;
        });
    }
}

/// Spoils a document, for the gateway to find out.
fn strange(markup: String, behaviour: Behaviour) -> String {
    match behaviour {
        Behaviour::ExtraField => markup.replacen("</MedicalAbsenceNote>", "<Diagnosis>J06.9</Diagnosis></MedicalAbsenceNote>", 1),
        Behaviour::Invalid => markup.replacen("<Reason>illness", "<Reason>laziness", 1),
        Behaviour::CheckDigit => {
            // The last digit before the first closing tag of an identifier.
            let at = markup.find("</t:Id>").unwrap_or(1);
            let (head, tail) = markup.split_at(at);
            let last = head.chars().last().and_then(|digit| digit.to_digit(10)).unwrap_or(0);
            format!("{}{}{tail}", head.get(..at - 1).unwrap_or(""), (last + 1) % 10)
        }
        _ => markup,
    }
}
