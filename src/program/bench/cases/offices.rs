//! The agencies of the town, behind one port: they answer questions from registers, take each step at once, and do it when they are told.

use super::super::BenchError;
use crate::base::ids::{AgencyId, Code, Uuid};
use crate::faces::client::{Client, digest_of, verify_under};
use crate::gateway::driver::now;
use crate::host::transport::{Anchors, Body as HttpBody, Identity, full, read_body};
use crate::message::envelope::{Body, Context, Kind, Message, ReplyTo, World};
use crate::message::schema::Schemas;
use crate::program::demo::{Person, Town, of_kind};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Messages are far smaller.
const BYTES_MAX: usize = 1 << 22;
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// All agencies of a town, and what they have taken.
pub(super) struct Offices {
    clients: BTreeMap<String, Client>,
    anchors: Anchors,
    schemas: Schemas,
    town: Arc<Town>,
    person: Person,
    /// How long a holder takes to answer a question, in milliseconds.
    pause_ms: AtomicU64,
    /// How many tasks have come.
    taken: AtomicU64,
    tasks: Mutex<Vec<Task>>,
}

/// A step that an agency is at work at.
pub(super) struct Task {
    /// Of which kind the agency is.
    pub kind: String,
    /// The case.
    pub case: Uuid,
    /// The step.
    pub step: Code,
    /// When it came.
    pub at: Instant,
    from: AgencyId,
    reply: ReplyTo,
    /// With whom it is about.
    pub context: Context,
    world: World,
}

impl Offices {
    /// Opens them.
    pub(super) fn open(town: Arc<Town>, person: Person) -> Result<Self, BenchError> {
        let mut clients = BTreeMap::new();
        for kind in town.kinds() {
            let client = town.client(of_kind(&kind).as_str()).map_err(|error| BenchError::Start(error.to_string()))?;
            clients.insert(kind, client);
        }
        let anchors = Anchors::load(&town.agency_folder(of_kind("onestop").as_str()).join("ca.pem"))?;
        let (pause_ms, taken, tasks) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::default());
        Ok(Self { clients, anchors, schemas: Schemas::built_in(), town, person, pause_ms, taken, tasks })
    }

    /// Has holders take so long.
    pub(super) fn pause(&self, each: Duration) {
        self.pause_ms.store(u64::try_from(each.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many tasks have come.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The tasks that have come and that nobody has taken from here.
    pub(super) fn take_tasks(&self) -> Vec<Task> {
        std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says that a step is done; whether the gateway has taken it.
    pub(super) async fn done(&self, task: &Task) -> Result<(), BenchError> {
        let client = self.clients.get(&task.kind).ok_or(BenchError::Workload("no such office"))?;
        let markup = crate::exchange::cases::outcome_document(&task.case, &task.step, "done", None);
        let octets = {
            let answered = (&task.from, task.reply, &task.context, task.world);
            sign(client, Kind::Answer, answered, (Body::Documents(Vec::new()), &markup))
        };
        let octets = octets.ok_or(BenchError::Workload("an outcome that cannot be signed"))?;
        let taken = client.post(octets, "respond-async", BODY_WITHIN).await;
        let taken = taken.map_err(|error| BenchError::Start(error.to_string()))?;
        if taken.status.is_success() {
            return Ok(());
        }
        Err(BenchError::Answer(taken.status.as_u16(), String::from_utf8_lossy(&taken.body).into_owned()))
    }

    /// Serves behind a port.
    pub(super) fn serve(self: &Arc<Self>, listener: TcpListener) -> Result<(), BenchError> {
        let folder = self.town.agency_folder(of_kind("onestop").as_str());
        let path = |name: &str| folder.join(name);
        let tls = Identity::load(&path("tls.pem"), &path("tls.key"), &path("ca.pem"), None)?.server()?.config();
        let offices = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (offices, tls) = (Arc::clone(&offices), TlsAcceptor::from(Arc::clone(&tls)));
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let service = service_fn(move |request| Arc::clone(&offices).respond(request));
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(())
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<HttpBody>, Infallible> {
        let (head, body) = request.into_parts();
        let octets = read_body(head.version, &head.headers, body.into(), BYTES_MAX, BODY_WITHIN).await.unwrap_or_default();
        let answer = self.answer(head.uri.path().trim_start_matches('/'), root(&octets)).await;
        let mut response = Response::new(full(answer.clone().unwrap_or_default()));
        if answer.is_none() {
            *response.status_mut() = StatusCode::ACCEPTED;
        }
        response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/xml"));
        Ok(response)
    }

    /// The signed answer of an office; none to what needs none.
    async fn answer(&self, kind: &str, octets: &[u8]) -> Option<Vec<u8>> {
        let client = self.clients.get(kind)?;
        let (question, _) = verify_under(octets, &self.anchors, &self.schemas).ok()?;
        let reply = ReplyTo { id: question.header.id, digest: digest_of(octets).ok()? };
        let (from, world, context) = (question.header.from.clone(), question.header.world, question.context.clone()?);
        match &question.body {
            Body::Ask(ask) => {
                let pause = self.pause_ms.load(Ordering::Relaxed);
                if pause > 0 {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                let person = Person { identifier: context.subject.identifiers.first()?.clone(), ..self.person.clone() };
                let markup = self.town.paper(ask.document_type.as_str(), &person)?;
                sign(client, Kind::Answer, (&from, reply, &context, world), (Body::Documents(Vec::new()), &markup))
            }
            Body::Documents(_) if question.header.kind == Kind::Application => {
                let text = std::str::from_utf8(octets).ok()?.split_once("<CaseTask")?.1;
                if within(text, "Kind")? != "step" {
                    return None;
                }
                let (case, step) = (Uuid::parse(within(text, "Case")?)?, Code::parse(within(text, "Step")?)?);
                let accepted = Body::State { of: Code::parse("accepted")?, at: now() };
                let octets = sign(client, Kind::Status, (&from, reply, &context, world), (accepted, ""))?;
                let task = Task { kind: kind.to_owned(), case, step, at: Instant::now(), from, reply, context, world };
                self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
                self.taken.fetch_add(1, Ordering::Relaxed);
                Some(octets)
            }
            _ => None,
        }
    }
}

/// Whom an answer is to, what it answers, and what it is about.
type Answered<'a> = (&'a AgencyId, ReplyTo, &'a Context, World);

fn sign(client: &Client, kind: Kind, (to, reply, context, world): Answered<'_>, (body, markup): (Body, &str)) -> Option<Vec<u8>> {
    let header = client.header(kind, Some(to.clone()), Some(reply), world).ok()?;
    let context = Context { official: None, on_behalf_of: None, ..context.clone() };
    let message = Message { header, context: Some(context), body, attachments: Vec::new() };
    client.sign(&message, markup).ok().map(|signed| signed.octets)
}

/// The message of a body, which has the documents of a task behind it: what stands in its first part.
fn root(octets: &[u8]) -> &[u8] {
    let Some(line) = memchr::memmem::find(octets, b"\r\n").filter(|_| octets.starts_with(b"--")) else { return octets };
    let (boundary, rest) = octets.split_at(line);
    let Some(from) = memchr::memmem::find(rest, b"\r\n\r\n") else { return octets };
    let rest = rest.get(from + 4..).unwrap_or_default();
    let end = memchr::memmem::find(rest, &[b"\r\n", boundary].concat()).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// What stands in an element; the message was verified.
fn within<'t>(text: &'t str, element: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{element}>"))?;
    rest.split_once(&format!("</{element}>")).map(|(value, _)| value)
}
