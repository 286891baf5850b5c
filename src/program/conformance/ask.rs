//! Asking: through the running gateway as any agency asks, and at the agency's own port as the gateway asks.

use super::judge::{Answer, By, Came, Expected, Paper};
use super::persons::nobodys;
use crate::base::fault::Code as FaultCode;
use crate::base::ids::{AgencyId, Code, Digest, Identifier};
use crate::faces::client::{Checked, Client, ClientError, Row, Signed};
use crate::gateway::driver::now;
use crate::host::authority::{Authority, KeyType, Purpose, make_root};
use crate::host::transport::{Bytes, Identity, Upstream, UpstreamError, trust};
use crate::message::crypto::sha256;
use crate::message::envelope::{Ask, Body, Context, Described, Kind, Message, Subject, World, write};
use crate::message::pki;
use crate::message::schema::{DocumentType, Facts, FieldPath, Schemas, SubjectKind, fields_header};
use crate::message::sig;
use crate::message::xml::escape_text;
use crate::rules::registry::Url;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What is waited for an answer once several questions in a row have had none: a run that gets nothing must end.
const IMPATIENT: Duration = Duration::from_secs(1);
/// How many questions without an answer make it so.
const SILENCES_MAX: u32 = 3;
/// The legal basis of the grants of a run.
pub const BASIS: &str = "XX:CONFORMANCE";

/// What is asked for: a document type in one role.
pub struct Wanted<'w> {
    /// Its type.
    pub document: &'w DocumentType,
    /// The agency that is asked.
    pub holder: &'w AgencyId,
    /// The world.
    pub world: World,
    /// The purposes: of the grant that gives no optional field, and of the one that gives some.
    pub purposes: [Code; 2],
}

impl Wanted<'_> {
    /// The role that is asked for; the first one if a question has to name one.
    fn role(&self) -> &str {
        self.document.roles().first().copied().unwrap_or("")
    }

    /// A question that is not signed yet.
    pub fn question(&self, client: &Client, question: &Question) -> Result<Message, ClientError> {
        let header = client.header(Kind::Request, Some(self.holder.clone()), None, self.world)?;
        let of = if self.role().is_empty() { None } else { Code::parse(self.role()) };
        let select = question.selected.as_deref().and_then(FieldPath::parse).into_iter().collect();
        let described = match self.document.kinds(self.role()).first() {
            Some(SubjectKind::Organisation) => Described::Organisation(None),
            _ => Described::default(),
        };
        let subject = Subject { identifiers: vec![question.about.clone()], described };
        let [bare, some] = &self.purposes;
        let selects = question.selected.as_ref().is_some_and(|selected| !selected.is_empty());
        let purpose = if selects { some } else { bare };
        let ask = Ask { document_type: self.document.name.clone(), of, select, during: None };
        let context = Context::new(purpose.clone(), BASIS, subject);
        Ok(Message { header, context: Some(context), body: Body::Ask(ask), attachments: Vec::new() })
    }

    /// What is known of a document.
    fn paper(&self, facts: &Facts, rows: &[Row]) -> Paper {
        let about = facts.subjects_as(self.role()).flat_map(|subject| subject.identifiers.clone()).collect();
        let described = self.document.described(self.role());
        let says_whom = |path: &&String| described.iter().any(|part| part.covers(path));
        let optional = facts.optional_paths.iter().filter(|path| !says_whom(path)).cloned().collect();
        let mut octets = Vec::new();
        for row in rows.iter().filter(|row| !row.path.starts_with("Head/")) {
            for part in [&row.place, &row.value] {
                octets.extend((part.len() as u64).to_be_bytes());
                octets.extend(part.as_bytes());
            }
        }
        Paper { about, optional, says: sha256(&octets) }
    }

    fn came(&self, message: &Message, rows: &[Row]) -> Came {
        match &message.body {
            // What comes as an attachment was held against its schema by the gateway, and is known by its digest.
            Body::Documents(documents) if documents.is_empty() => {
                let of = |says| Paper { about: Vec::new(), optional: Vec::new(), says };
                Came::Papers(message.attached().map(|(attached, _)| of(attached.sha256)).collect())
            }
            Body::Documents(documents) => {
                let read: Result<Vec<Paper>, FaultCode> = documents
                    .iter()
                    .map(|facts| facts.as_ref().map(|facts| self.paper(facts, rows)).map_err(|fault| fault.code))
                    .collect();
                read.map_or_else(Came::Unread, Came::Papers)
            }
            Body::NoRecord { .. } => Came::NoRecord,
            Body::Fault { code, .. } => Came::Fault(code.clone()),
            Body::Later { .. } => Came::Status(202),
            Body::State { .. } | Body::Ask(_) => Came::Untrusted,
        }
    }
}

/// A question of a check.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who is asked about.
    pub about: Identifier,
    /// The path that is selected.
    pub selected: Option<String>,
    /// What is to come.
    pub expected: Expected,
}

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As long as a run waits.
    Usual,
    /// Not at all; the answer is got afterwards.
    Afterwards,
    /// The question expires after this.
    Deadline(Duration),
}

/// Whoever asks.
pub struct Asker<'a> {
    /// The agency of the run.
    pub client: &'a Client,
    /// The schemas.
    pub schemas: &'a Schemas,
    /// How long is waited for an answer.
    pub patience: Duration,
    silences: AtomicU32,
}

impl<'a> Asker<'a> {
    /// Somebody who has not been disappointed yet.
    pub fn new(client: &'a Client, schemas: &'a Schemas, patience: Duration) -> Self {
        Self { client, schemas, patience, silences: AtomicU32::new(0) }
    }

    fn patience(&self) -> Duration {
        if self.silences.load(Ordering::Relaxed) < SILENCES_MAX { self.patience } else { self.patience.min(IMPATIENT) }
    }

    /// Asks through the gateway.
    pub async fn ask(&self, wanted: &Wanted<'_>, question: &Question, wait: Wait) -> Result<Answer, ClientError> {
        let mut message = wanted.question(self.client, question)?;
        if let Wait::Deadline(after) = wait {
            message.header.expires_at = message.header.created_at.plus_ms(after.as_millis() as u64);
        }
        let signed = self.client.sign(&message, "")?;
        self.put(wanted, question, &signed, wait).await
    }

    /// Puts a signed question to the gateway.
    pub async fn put(
        &self,
        wanted: &Wanted<'_>,
        question: &Question,
        signed: &Signed,
        wait: Wait,
    ) -> Result<Answer, ClientError> {
        let patience = match wait {
            Wait::Deadline(after) => after * 2,
            _ => self.patience(),
        };
        let checked = match wait {
            Wait::Afterwards => self.fetch(signed, patience).await,
            _ => self.client.exchange(signed, patience, self.schemas).await,
        };
        let (came, record) = match checked {
            Ok(Checked { message, outline, log_index, .. }) => (wanted.came(&message, &outline), log_index),
            Err(ClientError::Refused(problem)) => {
                refused_before_the_holder(&problem.code).map_or(Ok(()), |()| Err(ClientError::Refused(problem.clone())))?;
                (Came::Refused(problem.code), problem.log_index)
            }
            Err(ClientError::NoAnswer { seconds, .. }) => (Came::Nothing(seconds), None),
            Err(ClientError::Untrusted(_)) => (Came::Untrusted, None),
            Err(error @ (ClientError::Config(_) | ClientError::Unreachable(_))) => return Err(error),
        };
        match came {
            Came::Nothing(_) if matches!(wait, Wait::Deadline(_)) => {}
            Came::Nothing(_) => drop(self.silences.fetch_add(1, Ordering::Relaxed)),
            _ => self.silences.store(0, Ordering::Relaxed),
        }
        Ok(answer(By::Gateway, signed, question, came, record))
    }

    /// Sends a question without waiting, and gets its answer afterwards.
    async fn fetch(&self, signed: &Signed, patience: Duration) -> Result<Checked, ClientError> {
        let sent = self.client.post(signed.octets.clone(), "respond-async", patience + IMPATIENT).await?;
        let received = if sent.status.as_u16() == 202 { self.client.answer_to(signed.id, patience).await? } else { sent };
        match received.status.as_u16() {
            200 => self.client.check(received, signed, self.schemas),
            202 => Err(ClientError::NoAnswer { id: signed.id, seconds: patience.as_secs() }),
            _ => Err(self.client.why_not(signed.id, &received).await),
        }
    }
}

/// Refusals that say nothing of the holder: the run itself may not ask, or the gateway cannot serve.
fn refused_before_the_holder(code: &str) -> Option<()> {
    const OURS: [&str; 8] = ["OG-TLS-", "OG-SIG-", "OG-POL-00", "OG-POL-011", "OG-LIM-", "OG-LOG-", "OG-MSG-019", "OG-RTE-001"];
    OURS.iter().any(|prefix| code.starts_with(prefix)).then_some(())
}

fn answer(by: By, signed: &Signed, question: &Question, came: Came, record: Option<u64>) -> Answer {
    let Question { about, selected, expected } = question.clone();
    Answer { by, id: signed.id, record, asked: Some(about), selected, expected, came }
}

/// The agency's own port, and who knocks there.
pub struct Door {
    url: Url,
    gateway: Upstream,
    strangers: Vec<Upstream>,
}

impl Door {
    /// Opens it with the identity of the gateway; strangers are the agency of the run, and somebody without a certificate.
    pub fn open(url: &Url, gateway: &Identity, stranger: &Path) -> Result<Self, String> {
        let file = |name: &str| stranger.join(name);
        let failed = |error: crate::host::transport::TlsError| error.to_string();
        let other = Identity::load(&file("tls.pem"), &file("tls.key"), &file("ca.pem"), None).map_err(failed)?;
        let strangers =
            vec![Upstream::new(other.client().map_err(failed)?), Upstream::new(trust(&file("ca.pem")).map_err(failed)?)];
        Ok(Self { url: url.clone(), gateway: Upstream::new(gateway.client().map_err(failed)?), strangers })
    }

    /// Delivers octets as the gateway does.
    pub async fn deliver(&self, asker: &Asker<'_>, wanted: &Wanted<'_>, question: &Question, signed: &Signed) -> Answer {
        let came = self.knock(&self.gateway, asker, wanted, signed).await;
        answer(By::Port, signed, question, came, None)
    }

    /// Delivers octets as somebody who is not the gateway; nobody need be there.
    pub async fn deliver_as_strangers(
        &self,
        asker: &Asker<'_>,
        wanted: &Wanted<'_>,
        question: &Question,
        signed: &Signed,
    ) -> Vec<Answer> {
        let mut answers = Vec::new();
        for stranger in &self.strangers {
            let came = self.knock(stranger, asker, wanted, signed).await;
            answers.push(Answer { asked: None, ..answer(By::Port, signed, question, came, None) });
        }
        answers
    }

    async fn knock(&self, upstream: &Upstream, asker: &Asker<'_>, wanted: &Wanted<'_>, signed: &Signed) -> Came {
        let mut headers = vec![("oncegate-message-id", signed.id.to_string())];
        let described: Vec<FieldPath> = wanted.document.described(wanted.role()).iter().filter_map(|part| part.field()).collect();
        headers.extend(fields_header(&described).map(|fields| ("oncegate-fields", fields)));
        let posted = upstream.post(&self.url, Bytes::from(signed.octets.clone()), &headers, asker.patience()).await;
        match posted {
            Ok(arrival) => match asker.client.verify(&arrival.octets, asker.schemas) {
                Ok((message, rows)) => wanted.came(&message, &rows),
                Err(_) => Came::Untrusted,
            },
            Err(UpstreamError::Status(status, _)) => Came::Status(status),
            Err(UpstreamError::Deadline) => Came::Nothing(asker.patience().as_secs()),
            Err(UpstreamError::TooLarge | UpstreamError::Parts(_)) => Came::Untrusted,
            Err(UpstreamError::Unreachable(_) | UpstreamError::Broken(_)) => Came::Unreachable,
        }
    }
}

/// A question whose identifier is what no identifier can be.
pub fn raw(client: &Client, wanted: &Wanted<'_>, scheme: &str, value: &str) -> Result<Signed, ClientError> {
    const PLACE: &str = "4711-0815-4711";
    let config = |what: &str| ClientError::Config(what.to_owned());
    let about = nobodys(PLACE).ok_or_else(|| config("no identifier can be made"))?;
    let own = about.scheme().to_owned();
    let message = wanted.question(client, &Question { about, selected: None, expected: Expected::Nobody })?;
    let mut escaped = String::new();
    escape_text(value, &mut escaped);
    let markup = write(&message, "").replace(PLACE, &escaped).replace(&own, scheme);
    signed(message, client.sign_markup(&markup)?)
}

/// A question of which an octet was altered after it was signed.
pub fn altered(client: &Client, wanted: &Wanted<'_>, question: &Question) -> Result<Signed, ClientError> {
    let message = wanted.question(client, question)?;
    let good = client.sign(&message, "")?;
    let text = String::from_utf8(good.octets).map_err(|_| ClientError::Config("a message is no UTF-8".to_owned()))?;
    // A legal basis of the same length: nothing but the signature tells.
    let other = text.replacen(BASIS, "XX:CONFORMANCF", 1);
    Ok(Signed { octets: other.into_bytes(), id: good.id, digest: good.digest })
}

/// A question signed with a key whose certificate says that it is ours, and that no authority has issued.
pub fn unknown_key(client: &Client, wanted: &Wanted<'_>, question: &Question) -> Result<Signed, ClientError> {
    let config = |what: String| ClientError::Config(what);
    let root = make_root("An authority of nobody", now()).map_err(|error| config(error.to_string()))?;
    let issued = Authority::open(&root.certificate, &root.key)
        .and_then(|authority| authority.issue(client.agency(), Purpose::Signing, KeyType::P256, &[], now()));
    let issued = issued.map_err(|error| config(error.to_string()))?;
    let key = pki::read_key(issued.key.as_bytes()).map_err(|error| config(error.to_string()))?;
    let certificate = pki::pem_blocks(&issued.certificate, "CERTIFICATE").into_iter().next();
    let message = wanted.question(client, question)?;
    let octets = sig::sign(write(&message, "").as_bytes(), &key, certificate.as_deref());
    signed(message, octets.map_err(|error| config(error.to_string()))?)
}

/// A question that expired an hour ago.
pub fn expired(client: &Client, wanted: &Wanted<'_>, question: &Question) -> Result<Signed, ClientError> {
    const HOUR_MS: u64 = 60 * 60 * 1000;
    let mut message = wanted.question(client, question)?;
    let header = &mut message.header;
    (header.created_at, header.expires_at) = (header.created_at.minus_ms(HOUR_MS * 2), header.created_at.minus_ms(HOUR_MS));
    client.sign(&message, "")
}

fn signed(message: Message, octets: Vec<u8>) -> Result<Signed, ClientError> {
    let digest: Digest = crate::faces::client::digest_of(&octets).map_err(|fault| ClientError::Config(fault.to_string()))?;
    Ok(Signed { octets, id: message.header.id, digest })
}
