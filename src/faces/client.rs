//! The agency's side: makes a request, sends it, and believes an answer only when it has checked it.

mod attached;
mod case;
mod outline;

pub use attached::Attached;
pub use case::{CaseState, NewCase, Order, application, order};
pub use outline::Row;

use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::gateway::driver::now;
use crate::host::config::read_bounded;
use crate::host::keyfile;
use crate::host::transport::{Anchors, Identity, Received, Upstream, UpstreamError};
use crate::message::crypto::PrivateKey;
use crate::message::envelope::{Ask, Body, Context, EnvelopeReader, Header, Kind, Message, ReplyTo, World, write};
use crate::message::pki::{self, Certificate};
use crate::message::schema::Schemas;
use crate::message::sig;
use crate::message::xml::{Start, Visitor};
use crate::rules::registry::Url;
use hyper::Method;
use outline::Outline;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a request of ours lives.
const LIFE_MS: u64 = 5 * 60 * 1000;
/// How long a gateway is asked to wait at once, in which time networks keep a silent connection.
const TURN: Duration = Duration::from_secs(30);
/// What a response takes beyond the time that it was waited for.
const GRACE: Duration = Duration::from_secs(10);
/// An answer, or why there is none.
const ACCEPT: &str = "application/xml;q=0.9, application/problem+json";
/// Between two questions for one answer, if a gateway waits for less than it was asked to.
const PAUSE: Duration = Duration::from_millis(200);

/// A client of a gateway.
#[derive(Clone)]
pub struct Client {
    agency: AgencyId,
    gateway: Url,
    upstream: Arc<Upstream>,
    key: Arc<PrivateKey>,
    certificate: Vec<u8>,
    anchors: Anchors,
}

/// Why something could not be asked or believed.
#[derive(Debug)]
pub enum ClientError {
    /// A file of the client is missing or wrong.
    Config(String),
    /// The gateway cannot be reached.
    Unreachable(String),
    /// The gateway refused.
    Refused(Problem),
    /// There is no answer yet; the exchange goes on.
    NoAnswer {
        /// The request.
        id: MessageId,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },
    /// What came back is not to be believed.
    Untrusted(String),
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(what) => f.write_str(what),
            Self::Unreachable(what) => write!(f, "the gateway cannot be reached: {what}"),
            Self::NoAnswer { id, seconds } => {
                write!(f, "no answer within {seconds} s; the exchange goes on, and oncegate answer {id} fetches what comes")
            }
            Self::Refused(problem) => write!(f, "{} {}", problem.code, problem.detail),
            Self::Untrusted(what) => write!(f, "the answer cannot be trusted: {what}"),
        }
    }
}

impl std::error::Error for ClientError {}

/// A refusal as the gateway told it (RFC 9457).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The code.
    pub code: String,
    /// The rule that was broken.
    pub title: String,
    /// The place.
    pub detail: String,
    /// Whose fault it is.
    pub blame: String,
    /// Whether to try again.
    pub retry: String,
    /// What to do next.
    pub help: String,
    /// The record of the refusal.
    pub log_index: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClient {
    format: u32,
    agency: String,
    gateway: String,
    authorities: String,
    tls_certificate: String,
    tls_key: String,
    sign_certificate: String,
    sign_key: String,
}

#[derive(Deserialize)]
struct State {
    code: Option<String>,
}

/// A signed message of ours.
pub struct Signed {
    /// Its octets.
    pub octets: Vec<u8>,
    /// Its id.
    pub id: MessageId,
    /// Its digest.
    pub digest: Digest,
}

/// An answer that was checked: signed by a key under our authority for the agency that it says, and an answer to our
/// question.
pub struct Checked {
    /// The message.
    pub message: Message,
    /// What its body holds, row by row.
    pub outline: Vec<Row>,
    /// The index of its record in the gateway's log.
    pub log_index: Option<u64>,
    /// The octets, as they came.
    pub octets: Vec<u8>,
}

impl Client {
    /// Opens the folder that `oncegate agency add` made.
    pub fn load(folder: &Path) -> Result<Self, ClientError> {
        let file = folder.join("client.toml");
        let config = |what: String| ClientError::Config(what);
        let text = read_bounded(&file).map_err(|error| config(error.to_string()))?;
        let raw: RawClient = toml::from_str(&text).map_err(|error| config(format!("{}: {error}", file.display())))?;
        let path = |name: &str| folder.join(name);
        let identity = Identity::load(&path(&raw.tls_certificate), &path(&raw.tls_key), &path(&raw.authorities), None);
        let tls = identity.and_then(|identity| identity.client()).map_err(|error| config(error.to_string()))?;
        let anchors = Anchors::load(&path(&raw.authorities)).map_err(|error| config(error.to_string()))?;
        let (key, certificate) = signing_pair(&path(&raw.sign_key), &path(&raw.sign_certificate))?;
        if raw.format != 1 {
            return Err(config(format!("{}: this program reads format = 1", file.display())));
        }
        Ok(Self {
            agency: AgencyId::parse(&raw.agency)
                .ok_or_else(|| config(format!("\"{}\" is not the name of an agency", raw.agency)))?,
            gateway: Url::parse(&raw.gateway).ok_or_else(|| config(format!("\"{}\" is not an https address", raw.gateway)))?,
            upstream: Arc::new(Upstream::new(tls)),
            key: Arc::new(key),
            certificate,
            anchors,
        })
    }

    /// The agency.
    pub fn agency(&self) -> &AgencyId {
        &self.agency
    }

    /// The authorities whose certificates it believes.
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The gateway.
    pub fn gateway(&self) -> &Url {
        &self.gateway
    }

    /// The legal basis of the grant by which this agency may ask for a document for a purpose; or why there is none.
    pub async fn granted_basis(&self, document: &str, purpose: &str) -> Result<Result<String, String>, ClientError> {
        let received = self.get("/v1/catalogue").await?;
        if !received.status.is_success() {
            return Err(ClientError::Refused(problem_of(&received)));
        }
        let unread = |_| ClientError::Untrusted("the gateway's catalogue is no JSON".to_owned());
        let catalogue: serde_json::Value = serde_json::from_slice(&received.body).map_err(unread)?;
        let grants = catalogue["mayAsk"].as_array().cloned().unwrap_or_default();
        let of_type = |grant: &&serde_json::Value| grant["documentType"] == document;
        let found = grants.iter().filter(of_type).find(|grant| grant["purpose"] == purpose);
        if let Some(basis) = found.and_then(|grant| grant["legalBasis"].as_str()) {
            return Ok(Ok(basis.to_owned()));
        }
        let purposes: Vec<&str> = grants.iter().filter(of_type).filter_map(|grant| grant["purpose"].as_str()).collect();
        let known = if purposes.is_empty() {
            format!("no grant gives {document}")
        } else {
            format!("it is granted for: {}", purposes.join(", "))
        };
        Ok(Err(format!("{} may not ask for {document} for {purpose}; {known}", self.agency)))
    }

    /// Makes and signs a request.
    pub fn request(&self, ask: Ask, context: Context, to: Option<AgencyId>, world: World) -> Result<Signed, ClientError> {
        self.request_with(ask, context, to, world, &[])
    }

    /// The same, with attachments.
    pub fn request_with(
        &self,
        ask: Ask,
        context: Context,
        to: Option<AgencyId>,
        world: World,
        files: &[Attached],
    ) -> Result<Signed, ClientError> {
        let message = Message {
            header: self.header(Kind::Request, to, None, world)?,
            context: Some(context),
            body: Body::Ask(ask),
            attachments: files.iter().map(|file| file.attachment().clone()).collect(),
        };
        self.sign(&message, "")
    }

    /// Signs markup of ours as it stands.
    pub fn sign_markup(&self, markup: &str) -> Result<Vec<u8>, ClientError> {
        sig::sign(markup.as_bytes(), self.key.as_ref(), Some(&self.certificate))
            .map_err(|error| ClientError::Config(error.to_string()))
    }

    /// Signs a message of ours; `documents` is the markup of its payload.
    pub fn sign(&self, message: &Message, documents: &str) -> Result<Signed, ClientError> {
        let failed = |error: sig::SignError| ClientError::Config(error.to_string());
        let octets =
            sig::sign(write(message, documents).as_bytes(), self.key.as_ref(), Some(&self.certificate)).map_err(failed)?;
        let digest = digest_of(&octets).map_err(|fault| ClientError::Config(fault.to_string()))?;
        Ok(Signed { octets, id: message.header.id, digest })
    }

    /// A header of ours, as of now.
    pub fn header(
        &self,
        kind: Kind,
        to: Option<AgencyId>,
        in_reply_to: Option<ReplyTo>,
        world: World,
    ) -> Result<Header, ClientError> {
        let random =
            crate::message::crypto::random().map_err(|_| ClientError::Config("the system gives no random octets".to_owned()))?;
        let created_at = now();
        let expires_at = created_at.plus_ms(LIFE_MS);
        let id = MessageId::new(created_at, random);
        let from = self.agency.clone();
        Ok(Header { id, in_reply_to, kind, from, to, created_at, expires_at, world, signer_certificate: None })
    }

    /// Sends octets to the gateway and gives whatever comes back.
    pub async fn post(&self, octets: Vec<u8>, prefer: &str, deadline: Duration) -> Result<Received, ClientError> {
        let headers = [("accept", ACCEPT.to_owned()), ("prefer", prefer.to_owned())];
        let url = self.at("/v1/messages");
        self.upstream.send(Method::POST, &url, octets, &headers, deadline).await.map_err(unreachable)
    }

    /// Gets something from the gateway.
    pub async fn get(&self, path: &str) -> Result<Received, ClientError> {
        let headers = [("accept", "application/json".to_owned())];
        self.upstream.send(Method::GET, &self.at(path), Vec::new(), &headers, Duration::from_secs(30)).await.map_err(unreachable)
    }

    /// Gets something from the gateway that may take so many seconds to come.
    pub async fn get_within(&self, path: &str, seconds: u64) -> Result<Received, ClientError> {
        let headers = [("accept", "application/json".to_owned())];
        let deadline = Duration::from_secs(seconds.saturating_add(30));
        self.upstream.send(Method::GET, &self.at(path), Vec::new(), &headers, deadline).await.map_err(unreachable)
    }

    /// Posts something that is no message.
    pub async fn post_to(&self, path: &str, media_type: &str, octets: Vec<u8>) -> Result<Received, ClientError> {
        let headers = [("accept", "application/json".to_owned()), ("content-type", media_type.to_owned())];
        let url = self.at(path);
        self.upstream.send(Method::POST, &url, octets, &headers, Duration::from_secs(30)).await.map_err(unreachable)
    }

    /// Gets something of any length; the body that is returned is that of a refusal.
    pub async fn download(&self, path: &str, take: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<Received, ClientError> {
        let headers = [("accept", "application/json".to_owned())];
        self.upstream.download(&self.at(path), &headers, Duration::from_secs(60), take).await.map_err(unreachable)
    }

    /// Sends a signed request, waits for the answer and checks it.
    pub async fn exchange(&self, request: &Signed, wait: Duration, schemas: &Schemas) -> Result<Checked, ClientError> {
        self.exchange_with(request, &[], wait, schemas).await
    }

    /// The same, with the files that the request names.
    pub async fn exchange_with(
        &self,
        request: &Signed,
        files: &[Attached],
        wait: Duration,
        schemas: &Schemas,
    ) -> Result<Checked, ClientError> {
        let start = Instant::now();
        let turn = wait.min(TURN);
        let received = if files.is_empty() {
            self.post(request.octets.clone(), &prefer(turn), turn + GRACE).await?
        } else {
            self.post_with(request.octets.clone(), files, &prefer(turn), turn + GRACE).await?
        };
        self.conclude(received, request, (start, wait), schemas).await
    }

    /// Sends a signed application or order to its own address, waits for the answer and checks it.
    pub async fn exchange_at(
        &self,
        path: &str,
        request: &Signed,
        wait: Duration,
        schemas: &Schemas,
    ) -> Result<Checked, ClientError> {
        let start = Instant::now();
        let turn = wait.min(TURN);
        let headers = [("accept", ACCEPT.to_owned()), ("prefer", prefer(turn))];
        let url = self.at(path);
        let sent = self.upstream.send(Method::POST, &url, request.octets.clone(), &headers, turn + GRACE).await;
        self.conclude(sent.map_err(unreachable)?, request, (start, wait), schemas).await
    }

    /// Waits for the answer, if it did not come at once, and checks it.
    async fn conclude(
        &self,
        mut received: Received,
        request: &Signed,
        (start, wait): (Instant, Duration),
        schemas: &Schemas,
    ) -> Result<Checked, ClientError> {
        if received.status.as_u16() == 202 {
            received = self.answer_to(request.id, wait.saturating_sub(start.elapsed())).await?;
        }
        match received.status.as_u16() {
            200 => self.check(received, request, schemas),
            202 => Err(ClientError::NoAnswer { id: request.id, seconds: wait.as_secs() }),
            _ => Err(self.why_not(request.id, &received).await),
        }
    }

    /// Why there is no answer: whoever asks for one later is told that there is none, and the message's state says why.
    pub async fn why_not(&self, id: MessageId, received: &Received) -> ClientError {
        let told = problem_of(received);
        if told.code != Code::MsgUnknown.as_str() {
            return ClientError::Refused(told);
        }
        let state = self.get(&format!("/v1/messages/{id}")).await.ok();
        let state = state.and_then(|state| serde_json::from_slice::<State>(&state.body).ok());
        let Some(code) = state.and_then(|state| Code::parse(&state.code?)) else { return ClientError::Refused(told) };
        ClientError::Refused(Problem {
            status: code.status(),
            code: code.as_str().to_owned(),
            title: code.title().to_owned(),
            detail: String::new(),
            blame: code.blame().as_str().to_owned(),
            retry: code.retry().as_str().to_owned(),
            help: code.next_step().to_owned(),
            log_index: None,
        })
    }

    /// Waits for the answer to a request that was made before. A gateway waits for a minute at most, so it is asked again.
    pub async fn answer_to(&self, id: MessageId, wait: Duration) -> Result<Received, ClientError> {
        let start = Instant::now();
        loop {
            let turn = wait.saturating_sub(start.elapsed()).min(TURN);
            let headers = [("accept", ACCEPT.to_owned()), ("prefer", prefer(turn))];
            let url = self.at(&format!("/v1/messages/{id}/answer"));
            let asked = self.upstream.send(Method::GET, &url, Vec::new(), &headers, turn + GRACE).await;
            let received = asked.map_err(unreachable)?;
            if received.status.as_u16() != 202 || start.elapsed() >= wait {
                return Ok(received);
            }
            tokio::time::sleep(PAUSE.min(wait.saturating_sub(start.elapsed()))).await;
        }
    }

    /// Checks an answer: signature, path of the certificate, sender, and that it answers this request.
    pub fn check(&self, received: Received, request: &Signed, schemas: &Schemas) -> Result<Checked, ClientError> {
        let checked = self.check_for(received, request.id, schemas)?;
        let reply = checked.message.header.in_reply_to;
        if reply != Some(ReplyTo { id: request.id, digest: request.digest }) {
            return Err(ClientError::Untrusted("it answers another request".to_owned()));
        }
        Ok(checked)
    }

    /// The same where the request is no longer there: that the answer is to its very octets is then the gateway's word.
    pub fn check_for(&self, received: Received, request: MessageId, schemas: &Schemas) -> Result<Checked, ClientError> {
        let log_index = received.headers.get("oncegate-log-index").and_then(|value| value.to_str().ok()?.parse().ok());
        let (message, outline) = self.verify(&received.body, schemas).map_err(ClientError::Untrusted)?;
        if message.header.in_reply_to.is_none_or(|reply| reply.id != request) {
            return Err(ClientError::Untrusted("it answers another request".to_owned()));
        }
        Ok(Checked { message, outline, log_index, octets: received.body })
    }

    /// Verifies any message by the certificate that it carries, under our authorities.
    pub fn verify(&self, octets: &[u8], schemas: &Schemas) -> Result<(Message, Vec<Row>), String> {
        verify_under(octets, &self.anchors, schemas)
    }

    fn at(&self, path: &str) -> Url {
        Url { path: path.to_owned(), ..self.gateway.clone() }
    }
}

/// Verifies a message by the certificate in its `KeyInfo`, whose path must lead to an authority and whose name must be
/// the sender's. This is what a consumer does who has no registry.
pub fn verify_under(octets: &[u8], anchors: &Anchors, schemas: &Schemas) -> Result<(Message, Vec<Row>), String> {
    // Who has no registry knows a key by its certificate.
    let unknown = |what: String| Fault::at(Code::SigKeyUnknown, what).to_string();
    let reader = Viewer { envelope: EnvelopeReader::new(schemas), outline: Outline::default() };
    let unverified = sig::read(octets, reader).map_err(|read| read.fault.to_string())?;
    let der = unverified.certificate().ok_or_else(|| unknown("it carries no certificate".to_owned()))?.to_vec();
    anchors.check(&der, now()).map_err(|error| unknown(format!("its certificate: {error}")))?;
    let certificate = Certificate::from_der(&der).map_err(|error| unknown(format!("its certificate: {error}")))?;
    let Viewer { envelope, outline } = unverified.verify(&certificate.key).map_err(|fault| fault.to_string())?.into_value();
    let message = envelope.into_message().map_err(|fault| fault.to_string())?;
    if message.header.signer_certificate.is_some_and(|stated| stated != certificate.thumbprint) {
        return Err(Fault::new(Code::SigCertificate).to_string());
    }
    if certificate.agency.as_ref() != Some(&message.header.from) {
        return Err(unknown("its certificate is not the sender's".to_owned()));
    }
    message.fits().map_err(|fault| fault.to_string())?;
    Ok((message, outline.into_rows()))
}

/// The digest of a message of ours that was just signed.
pub fn digest_of(octets: &[u8]) -> Result<Digest, Fault> {
    sig::read(octets, sig::Unread).map(|unverified| unverified.digest()).map_err(|read| read.fault)
}

/// Reads a signing key and its certificate.
pub fn signing_pair(key: &Path, certificate: &Path) -> Result<(PrivateKey, Vec<u8>), ClientError> {
    let read = |path: &Path| read_bounded(path).map_err(|error| ClientError::Config(error.to_string()));
    let unusable = |path: &Path, what| ClientError::Config(format!("{}: {what}", path.display()));
    let private = keyfile::read_signing(key).map_err(|error| ClientError::Config(error.to_string()))?;
    let public = pki::pem_blocks(&read(certificate)?, "CERTIFICATE").into_iter().next();
    let public = public.ok_or_else(|| unusable(certificate, "the file holds no certificate in PEM".to_owned()))?;
    Certificate::from_der(&public).map_err(|error| unusable(certificate, error.to_string()))?;
    if private.public_key().is_none_or(|own| !pki::has_key(&public, own.octets())) {
        return Err(unusable(key, format!("the key does not belong to the certificate {}", certificate.display())));
    }
    Ok((private, public))
}

/// The problem in a response that is no answer.
pub fn problem_of(received: &Received) -> Problem {
    let status = received.status.as_u16();
    let fallback = || Problem { status, detail: format!("HTTP status {status}"), ..Problem::default() };
    serde_json::from_slice(&received.body).unwrap_or_else(|_| fallback())
}

fn prefer(wait: Duration) -> String {
    format!("wait={}", wait.as_secs())
}

fn unreachable(error: UpstreamError) -> ClientError {
    ClientError::Unreachable(match error {
        UpstreamError::Unreachable(cause) | UpstreamError::Broken(cause) => cause,
        UpstreamError::TooLarge => "the answer is too large".to_owned(),
        UpstreamError::Status(status, _) => format!("HTTP status {status}"),
        UpstreamError::Deadline => "no answer in time".to_owned(),
        UpstreamError::Parts(fault) => fault.to_string(),
    })
}

struct Viewer<'s> {
    envelope: EnvelopeReader<'s>,
    outline: Outline,
}

impl Visitor for Viewer<'_> {
    type Error = Fault;

    fn start(&mut self, element: &Start<'_>) -> Result<(), Fault> {
        self.outline.start(element);
        self.envelope.start(element)
    }

    fn text(&mut self, text: &str, at: usize) -> Result<(), Fault> {
        self.outline.text(text);
        self.envelope.text(text, at)
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.outline.end();
        self.envelope.end()
    }
}
