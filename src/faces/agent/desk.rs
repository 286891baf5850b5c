//! The desk: the agency's own systems ask in JSON, at a Unix socket or a port of this machine, and get fields. What they get was
//! verified; the signed answer and its receipt are kept beside it.

use super::config::{DeskAt, DeskConfig};
use super::fields::{documents, text};
use super::holder::Holder;
use super::kept::Kept;
use super::pull::Say;
use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::{AgencyId, Code, Digest, Identifier, Uuid};
use crate::base::limits;
use crate::faces::client::{Checked, Client, ClientError, Problem};
use crate::host::config::read_bounded;
use crate::host::transport::{self, Body as HttpBody, Inbound, Protocol, full, streamed};
use crate::message::crypto::{equal, sha256};
use crate::message::envelope::{Ask, Body, Context, Official, Subject, World};
use crate::message::schema::{FieldPath, recurring};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc, watch};

/// What the desk understands and says, in OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../../../docs/desk.json");

/// Questions of one request that are under way at once.
const AT_ONCE: usize = 16;
/// For how long a legal basis from the catalogue is known.
const KNOWN: Duration = Duration::from_secs(60);
/// How long an answer is waited for if the request does not say.
const WAIT_S: u64 = 30;
/// Longest wait that a request may ask for, in seconds.
const WAIT_S_MAX: u64 = 300;

/// A desk.
pub struct Desk {
    holder: Arc<dyn Fn() -> Arc<Holder> + Send + Sync>,
    kept: Arc<Kept>,
    /// By document type and purpose: the legal basis, and when it was read.
    bases: Mutex<BTreeMap<(String, String), (Instant, String)>>,
    say: Say,
}

/// Where a desk listens.
pub enum At {
    /// A Unix socket, for these users.
    Socket(UnixListener, Arc<[u32]>),
    /// A port, for whoever has the token with this digest.
    Port(TcpListener, Digest),
}

/// What is asked.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asking {
    document: String,
    of: OneOrMany,
    r#for: String,
    basis: Option<String>,
    role: Option<String>,
    #[serde(default)]
    select: Vec<String>,
    to: Option<String>,
    #[serde(default)]
    test: bool,
    wait: Option<u64>,
    by: Option<By>,
}

/// Who at the agency asks, and in which case: on record, and for the citizen to see.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    official: Option<String>,
    role: Option<String>,
    case: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "SCHEME:VALUE, or a list of these")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A question that can be asked about anybody.
#[derive(Clone)]
struct Question {
    ask: Ask,
    purpose: Code,
    basis: String,
    to: Option<AgencyId>,
    world: World,
    wait: Duration,
    official: Option<Official>,
    case: Option<Uuid>,
}

/// What is told: a status, and an object of JSON.
struct Told(u16, String);

impl At {
    /// Opens what a configuration names.
    pub async fn open(config: &DeskConfig) -> Result<Self, String> {
        match &config.at {
            DeskAt::Socket(path, users) => {
                // One that was left behind is in the way; anything else is not ours to remove.
                if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
                    let _ = std::fs::remove_file(path);
                }
                let listener = UnixListener::bind(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
                // Who may ask is told by the kernel, of each connection; others may knock.
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(|cause| cause.to_string())?;
                Ok(Self::Socket(listener, users.as_slice().into()))
            }
            DeskAt::Port(address, token) => {
                let listener = TcpListener::bind(address).await.map_err(|cause| format!("{address}: {cause}"))?;
                Ok(Self::Port(listener, token_of(token)?))
            }
        }
    }
}

/// The digest of the token in a file that is its owner's alone.
fn token_of(file: &Path) -> Result<Digest, String> {
    let mode = std::fs::metadata(file).map_err(|cause| format!("{}: {cause}", file.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("{}: others may read it; chmod 600", file.display()));
    }
    let text = read_bounded(file).map_err(|error| format!("{}: {}", file.display(), error.what))?;
    let token = text.trim();
    if token.len() < 16 {
        Err(format!("{}: a token has 16 characters or more", file.display()))
    } else {
        Ok(sha256(token.as_bytes()))
    }
}

impl Desk {
    /// A desk for a holder.
    pub fn new(holder: Arc<dyn Fn() -> Arc<Holder> + Send + Sync>, kept: Arc<Kept>, say: Say) -> Arc<Self> {
        Arc::new(Self { holder, kept, bases: Mutex::default(), say })
    }

    /// Serves until it is told to stop.
    pub async fn serve(self: Arc<Self>, at: At, mut stop: watch::Receiver<bool>) {
        loop {
            let stopped = stop.clone();
            match &at {
                At::Socket(listener, users) => {
                    let accepted =
                        tokio::select! { accepted = listener.accept() => accepted, _ = stop.wait_for(|stop| *stop) => return };
                    let Ok((stream, _)) = accepted else { continue };
                    let may_ask = stream.peer_cred().is_ok_and(|peer| users.contains(&peer.uid()));
                    let desk = Arc::clone(&self);
                    tokio::spawn(transport::serve(
                        stream,
                        Protocol::Http1,
                        service_fn(move |request| Arc::clone(&desk).answer(request, may_ask.then_some(()))),
                        stopped,
                    ));
                }
                At::Port(listener, token) => {
                    let accepted =
                        tokio::select! { accepted = listener.accept() => accepted, _ = stop.wait_for(|stop| *stop) => return };
                    let Ok((stream, _)) = accepted else { continue };
                    let _ = stream.set_nodelay(true);
                    let (desk, token) = (Arc::clone(&self), *token);
                    let service = service_fn(move |request: Request<Inbound>| {
                        let knows = knows_token(&request, &token);
                        Arc::clone(&desk).answer(request, knows.then_some(()))
                    });
                    tokio::spawn(transport::serve(stream, Protocol::Http1, service, stopped));
                }
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Inbound>, knows: Option<()>) -> Result<Response<HttpBody>, Infallible> {
        Ok(match self.route(request, knows).await {
            Ok(response) => response,
            Err(fault) => response(problem(&fault)),
        })
    }

    async fn route(self: Arc<Self>, request: Request<Inbound>, knows: Option<()>) -> Result<Response<HttpBody>, Fault> {
        let (head, body) = request.into_parts();
        knows.ok_or_else(|| Fault::new(FaultCode::DeskCaller))?;
        let path = head.uri.path().to_owned();
        match (&head.method, path.as_str()) {
            (&Method::POST, "/ask") => {
                let deadline = Duration::from_millis(limits::BODY_MS);
                let octets = transport::read_body(head.version, &head.headers, body, limits::MESSAGE_BYTES_MAX, deadline).await?;
                let asking: Asking = serde_json::from_slice(&octets).map_err(|error| {
                    Fault::at(
                        FaultCode::DeskRequest,
                        format!("line {} column {}: {}", error.line(), error.column(), kind_of(&error)),
                    )
                })?;
                self.ask(asking).await
            }
            (&Method::GET, "/openapi.json") => Ok(response(Told(200, OPENAPI.trim_end().to_owned()))),
            (&Method::GET, "/inbox") => {
                let waiting = self.kept.waiting().map_err(|_| Fault::new(FaultCode::DeskRequest))?;
                let rows = waiting.iter().map(|waiting| {
                    let (name, kind, file) =
                        (text(&waiting.name), text(&waiting.kind), text(&waiting.file.display().to_string()));
                    format!("{{\"name\":{name},\"kind\":{kind},\"file\":{file}}}")
                });
                Ok(response(Told(200, format!("{{\"waiting\":[{}]}}", rows.collect::<Vec<_>>().join(",")))))
            }
            (&Method::POST, path) if path.starts_with("/inbox/") && path.ends_with("/done") => {
                let name = path.trim_start_matches("/inbox/").trim_end_matches("/done");
                match self.kept.done(name) {
                    Ok(true) => Ok(response(Told(200, "{\"state\":\"done\"}".to_owned()))),
                    _ => Err(Fault::new(FaultCode::HttpNoSuchPath)),
                }
            }
            (_, "/ask" | "/inbox" | "/openapi.json") => Err(Fault::new(FaultCode::HttpMethod)),
            _ => Err(Fault::new(FaultCode::HttpNoSuchPath)),
        }
    }

    async fn ask(self: Arc<Self>, asking: Asking) -> Result<Response<HttpBody>, Fault> {
        let holder = (self.holder)();
        let question = self.question(&asking, holder.client()).await;
        let question = match question {
            Ok(question) => question,
            Err(Refusal::Fault(fault)) => return Err(fault),
            Err(Refusal::Client(error)) => return Ok(response(told_of(error))),
        };
        match asking.of {
            OneOrMany::One(of) => {
                let of = person(&of)?;
                Ok(response(self.about(&holder, &question, of).await))
            }
            OneOrMany::Many(all) => {
                if all.len() > limits::DESK_PERSONS_MAX {
                    return Err(Fault::at(
                        FaultCode::DeskTooMany,
                        format!("{}, of at most {}", all.len(), limits::DESK_PERSONS_MAX),
                    ));
                }
                let people = all.iter().map(|of| person(of)).collect::<Result<Vec<_>, _>>()?;
                Ok(self.about_all(holder, question, people))
            }
        }
    }

    /// Asks about many, and tells each answer as it comes: a line of JSON for each, and one at the end.
    fn about_all(self: Arc<Self>, holder: Arc<Holder>, question: Question, people: Vec<Identifier>) -> Response<HttpBody> {
        let (lines, portions) = mpsc::channel(AT_ONCE);
        tokio::spawn(async move {
            let (room, count) = (Arc::new(Semaphore::new(AT_ONCE)), people.len());
            let mut tasks = tokio::task::JoinSet::new();
            for of in people {
                let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
                let (desk, holder, question, lines) = (Arc::clone(&self), Arc::clone(&holder), question.clone(), lines.clone());
                tasks.spawn(async move {
                    let named = text(&format!("{}:{}", of.scheme(), of.value()));
                    let Told(status, told) = desk.about(&holder, &question, of).await;
                    drop(place);
                    let rest = told.strip_prefix('{').unwrap_or_default();
                    let line = format!("{{\"of\":{named},\"status\":{status},{rest}\n");
                    lines.send(Some(line.into())).await.is_ok()
                });
            }
            while let Some(told) = tasks.join_next().await {
                // Nobody listens any more: what is under way ends, and nothing is begun.
                if !told.unwrap_or(false) {
                    return;
                }
            }
            let _ = lines.send(Some(format!("{{\"done\":{count}}}\n").into())).await;
            let _ = lines.send(None).await;
        });
        let mut response = Response::new(streamed(portions));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        response
    }

    async fn about(&self, holder: &Arc<Holder>, question: &Question, of: Identifier) -> Told {
        let subject = Subject { identifiers: vec![of], ..Subject::default() };
        let mut context = Context::new(question.purpose.clone(), &question.basis, subject);
        (context.official, context.case) = (question.official.clone(), question.case);
        let client = holder.client();
        let request = match client.request(question.ask.clone(), context, question.to.clone(), question.world) {
            Ok(request) => request,
            Err(error) => return told_of(error),
        };
        match client.exchange(&request, question.wait, holder.schemas()).await {
            Ok(checked) => {
                let file = self.kept.keep(request.id, &checked.octets);
                let file = file.map_err(|cause| (self.say)(format!("{} cannot be kept: {cause}", request.id))).ok();
                self.fetch_receipt(Arc::clone(holder), request.id);
                let recurring = recurring(holder.schemas(), &question.ask.document_type);
                let kept = (file, self.kept.receipt(request.id));
                answered(&checked, &recurring, kept)
            }
            Err(error) => told_of(error),
        }
    }

    /// The receipt comes when the answer has been given: nobody waits for it.
    fn fetch_receipt(&self, holder: Arc<Holder>, id: crate::base::ids::MessageId) {
        let (kept, say) = (Arc::clone(&self.kept), Arc::clone(&self.say));
        tokio::spawn(async move {
            match holder.client().get(&format!("/v1/messages/{id}/receipt")).await {
                Ok(received) if received.status.is_success() => {
                    let _ = kept.keep_receipt(id, &received.body).map_err(|cause| say(format!("receipt of {id}: {cause}")));
                }
                Ok(received) => say(format!("receipt of {id}: status {}", received.status)),
                Err(error) => say(format!("receipt of {id}: {error}")),
            }
        });
    }

    async fn question(&self, asking: &Asking, client: &Client) -> Result<Question, Refusal> {
        let wrong = |what: String| Refusal::Fault(Fault::at(FaultCode::DeskRequest, what));
        let code = |key: &str, text: &str| Code::parse(text).ok_or_else(|| wrong(format!("{key} is not a code")));
        let (document_type, purpose) = (code("document", &asking.document)?, code("for", &asking.r#for)?);
        let of = asking.role.as_deref().map(|role| code("role", role)).transpose()?;
        let select: Option<Vec<FieldPath>> = asking.select.iter().map(|path| FieldPath::parse(path)).collect();
        let select = select.ok_or_else(|| wrong(format!("select: {}", FieldPath::FORM)))?;
        let to =
            asking.to.as_deref().map(|to| AgencyId::parse(to).ok_or_else(|| wrong("to is not the name of an agency".to_owned())));
        let (official, case) = asking.by.as_ref().map_or(Ok((None, None)), by)?;
        let basis = match &asking.basis {
            Some(basis) => basis.clone(),
            None => self.basis(client, &asking.document, &asking.r#for).await?,
        };
        Ok(Question {
            ask: Ask { document_type, of, select, during: None },
            purpose,
            basis,
            to: to.transpose()?,
            world: if asking.test { World::Test } else { World::Live },
            wait: Duration::from_secs(asking.wait.unwrap_or(WAIT_S).min(WAIT_S_MAX)),
            official,
            case,
        })
    }

    /// The legal basis of the grant for this document and purpose.
    async fn basis(&self, client: &Client, document: &str, purpose: &str) -> Result<String, Refusal> {
        let key = (document.to_owned(), purpose.to_owned());
        let known = self.bases.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((_, basis)) = known.filter(|(at, _)| at.elapsed() < KNOWN) {
            return Ok(basis);
        }
        let found = client.granted_basis(document, purpose).await.map_err(Refusal::Client)?;
        let basis = found.map_err(|what| Refusal::Fault(Fault::at(FaultCode::PolNoGrant, what)))?;
        self.bases.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (Instant::now(), basis.clone()));
        Ok(basis)
    }
}

enum Refusal {
    Fault(Fault),
    Client(ClientError),
}

/// Who asks, and in which case.
fn by(by: &By) -> Result<(Option<Official>, Option<Uuid>), Refusal> {
    let wrong = |what: &'static str| Refusal::Fault(Fault::at(FaultCode::DeskRequest, what));
    let official = match (&by.official, &by.role) {
        (Some(official), Some(role)) => {
            let identifier = person(official).map_err(|_| wrong("by.official is SCHEME:VALUE, with its check digits"))?;
            let role = Code::parse(role).ok_or_else(|| wrong("by.role is not a code, such as clerk"))?;
            Some(Official { identifier, role })
        }
        (None, None) => None,
        _ => return Err(wrong("by.official and by.role go together")),
    };
    let case = by.case.as_deref().map(|case| Uuid::parse(case).ok_or_else(|| wrong("by.case is not a UUID"))).transpose()?;
    Ok((official, case))
}

fn person(text: &str) -> Result<Identifier, Fault> {
    let read = text.split_once(':').and_then(|(scheme, value)| Identifier::parse(scheme, value).ok());
    read.ok_or_else(|| Fault::at(FaultCode::DeskRequest, "of is SCHEME:VALUE, with its check digits"))
}

/// What is wrong with JSON, without what stands there.
fn kind_of(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "a key is unknown, missing, or of another kind",
        _ => "it is no JSON",
    }
}

/// Whether a request has the token, and came to this machine by its own name: a page in a browser has neither.
fn knows_token(request: &Request<Inbound>, token: &Digest) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = header(HOST).rsplit_once(':').map_or(header(HOST), |(host, _)| host);
    let given = header(AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default();
    matches!(host, "127.0.0.1" | "localhost" | "[::1]") && equal(&sha256(given.trim().as_bytes()), token)
}

/// An answer as JSON.
fn answered(
    checked: &Checked,
    recurring: &std::collections::BTreeSet<String>,
    (file, receipt): (Option<std::path::PathBuf>, std::path::PathBuf),
) -> Told {
    let header = &checked.message.header;
    let (status, outcome, more) = match &checked.message.body {
        Body::Documents(_) => {
            let all = documents(&checked.outline, recurring);
            (200, "documents", format!(",\"documents\":[{}]", all.join(",")))
        }
        Body::NoRecord { .. } => (404, "no_record", String::new()),
        Body::Later { by, .. } => (202, "later", format!(",\"by\":\"{by}\"")),
        Body::Fault { code, .. } => {
            let help = FaultCode::parse(code).map_or("", FaultCode::next_step);
            (502, "fault", format!(",\"code\":{},\"help\":{}", text(code), text(help)))
        }
        Body::State { .. } | Body::Ask(_) => (200, "state", String::new()),
    };
    let digest = sha256(&checked.octets);
    let file = file.map_or("null".to_owned(), |file| text(&file.display().to_string()));
    let index = checked.log_index.map_or("null".to_owned(), |index| index.to_string());
    Told(
        status,
        format!(
            "{{\"outcome\":\"{outcome}\"{more},\"holder\":{},\"as_of\":\"{}\",\"log_index\":{index},\"signed\":{{\"sha256\":\"{digest}\",\"file\":{file}}},\"receipt\":{}}}",
            text(header.from.as_str()),
            header.created_at,
            text(&receipt.display().to_string())
        ),
    )
}

/// A refusal, or that there is no answer, as JSON.
fn told_of(error: ClientError) -> Told {
    match error {
        ClientError::Refused(Problem { status, code, title, detail, blame, retry, help, .. }) => Told(
            status,
            format!(
                "{{\"outcome\":\"refused\",\"code\":{},\"title\":{},\"detail\":{},\"blame\":{},\"retry\":{},\"help\":{}}}",
                text(&code),
                text(&title),
                text(&detail),
                text(&blame),
                text(&retry),
                text(&help)
            ),
        ),
        ClientError::NoAnswer { id, .. } => Told(202, format!("{{\"outcome\":\"later\",\"id\":\"{id}\"}}")),
        ClientError::Untrusted(what) => Told(502, format!("{{\"outcome\":\"untrusted\",\"detail\":{}}}", text(&what))),
        ClientError::Unreachable(what) | ClientError::Config(what) => {
            Told(503, format!("{{\"outcome\":\"unreachable\",\"detail\":{}}}", text(&what)))
        }
    }
}

fn problem(fault: &Fault) -> Told {
    let code = fault.code;
    Told(
        code.status(),
        format!(
            "{{\"outcome\":\"refused\",\"code\":\"{code}\",\"title\":{},\"detail\":{},\"help\":{}}}",
            text(code.title()),
            text(&fault.detail),
            text(code.next_step())
        ),
    )
}

fn response(Told(status, json): Told) -> Response<HttpBody> {
    let mut response = Response::new(full(format!("{json}\n")));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
