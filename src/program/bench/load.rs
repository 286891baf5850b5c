//! The clients and the provider: one thread on a core of its own, closed loop.

use super::BenchError;
use super::message::{Template, Values, claims_of};
use super::process::Process;
use super::world::{Agency, World};
use crate::base::ids::MessageId;
use crate::base::limits;
use crate::gateway::driver::now;
use crate::host::transport::{Body, full, read_body};
use crate::message::crypto;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::service::Service;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::ServerName;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How many exchanges are open at once.
pub const OPEN: usize = 32;
const PLAIN_MESSAGE: &str = "/v1/messages";

/// How large the messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// 2,048 octets.
    W2,
    /// 204,800 octets.
    W200,
}

impl Weight {
    /// Both.
    pub const ALL: [Self; 2] = [Self::W2, Self::W200];

    /// Octets before the signature.
    pub const fn octets(self) -> usize {
        match self {
            Self::W2 => 2_048,
            Self::W200 => 204_800,
        }
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Messages of their own, each signed, to be answered by answers of their own.
    Exchange,
    /// One message again and again, echoed as one answer: for what only forwards.
    Forward,
}

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After a time.
    Time(Duration),
    /// After so many exchanges.
    Count(u64),
}

/// What one run is.
pub struct Plan<'p> {
    /// The process measured.
    pub process: &'p Process,
    /// Its port.
    pub port: u16,
    /// What is sent.
    pub traffic: Traffic,
    /// How large it is.
    pub weight: Weight,
    /// How many of the agencies send.
    pub clients: usize,
    /// Not counted.
    pub warm: Duration,
    /// Counted.
    pub until: Until,
}

/// What a run found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Exchanges per second.
    pub per_second: f64,
    /// CPU time of the process for each, in microseconds.
    pub cpu_us: f64,
    /// The median of their times.
    pub p50_us: f64,
    /// 99 of 100 took less.
    pub p99_us: f64,
    /// How busy the clients' own core was.
    pub load_share: f64,
}

/// Clients and provider.
pub struct Load {
    runtime: tokio::runtime::Runtime,
    world: Rc<World>,
    requests: [Template; 2],
    plain: [Bytes; 2],
}

impl Load {
    /// Opens the provider.
    pub fn new(world: Rc<World>, provider: std::net::TcpListener) -> Result<Self, BenchError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::Io)?;
        let client = &world.clients.first().ok_or(BenchError::Workload("no clients"))?.id;
        let request = |weight: Weight| Template::request(weight.octets(), client);
        let answer = |weight: Weight| Template::answer(weight.octets(), client);
        let (requests, answers) = ([request(Weight::W2)?, request(Weight::W200)?], [answer(Weight::W2)?, answer(Weight::W200)?]);
        let plain = [plain(&requests[0], &world)?, plain(&requests[1], &world)?];
        let stub = Stub {
            world: Provider { id: world.holder.id.to_string(), key: Arc::clone(&world.holder.key) },
            answers: Arc::new(answers),
            plain: plain.clone(),
        };
        let tls = Arc::clone(&world.holder_tls);
        runtime.block_on(async { provider.set_nonblocking(true).and_then(|()| TcpListener::from_std(provider)) }).map_or_else(
            |cause| Err(BenchError::Io(cause)),
            |listener| {
                runtime.spawn(stub.serve(listener, tls));
                Ok(())
            },
        )?;
        Ok(Self { runtime, world, requests, plain })
    }

    /// Runs a plan.
    pub fn run(&self, plan: &Plan<'_>) -> Result<Outcome, BenchError> {
        let tasks = LocalSet::new();
        tasks.block_on(&self.runtime, self.measure(plan))
    }

    /// How long it takes until a gateway that was just started has given one answer.
    pub fn first_answer(&self, port: u16, since: Instant) -> Result<Duration, BenchError> {
        let client = self.world.clients.first().ok_or(BenchError::Workload("no clients"))?;
        self.runtime.block_on(async {
            while since.elapsed() < Duration::from_secs(20) {
                match Line::open(0, client, port).await {
                    Ok(mut line) => {
                        let octets = self.message(0, Traffic::Exchange, Weight::W2)?;
                        line.exchange(octets, Traffic::Exchange).await?;
                        return Ok(since.elapsed());
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
            Err(BenchError::Workload("a process that does not listen"))
        })
    }

    async fn measure(&self, plan: &Plan<'_>) -> Result<Outcome, BenchError> {
        let shared = Rc::new(Shared::default());
        for number in 0..plan.clients.min(self.world.clients.len()) {
            let client = self.world.clients.get(number).ok_or(BenchError::Workload("no clients"))?;
            let line = Line::open(number, client, plan.port).await?;
            shared.idle.borrow_mut().push_back(line);
        }
        let loops = (0..OPEN.min(plan.clients)).map(|_| self.client(plan, &shared));
        let clock = async {
            tokio::time::sleep(plan.warm).await;
            let (cpu, own, started) = (plan.process.cpu(), own_cpu(), Instant::now());
            shared.done.set(0);
            shared.is_counting.set(true);
            let is_over = || match plan.until {
                Until::Time(time) => started.elapsed() >= time,
                Until::Count(count) => shared.done.get() >= count,
            };
            while !is_over() && shared.error.borrow().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let (cpu, own, wall) = (plan.process.cpu().saturating_sub(cpu), own_cpu().saturating_sub(own), started.elapsed());
            shared.is_over.set(true);
            shared.outcome(cpu, own, wall)
        };
        let (outcome, _) = tokio::join!(clock, join_all(loops.collect()));
        match shared.error.take() {
            Some(error) => Err(error),
            None => Ok(outcome),
        }
    }

    /// One of the clients that are open at once: takes the line that was idle longest.
    async fn client(&self, plan: &Plan<'_>, shared: &Rc<Shared>) {
        while !shared.is_over.get() && shared.error.borrow().is_none() {
            let Some(mut line) = shared.idle.borrow_mut().pop_front() else { return };
            let result = match self.message(line.number, plan.traffic, plan.weight) {
                Ok(octets) => {
                    let started = Instant::now();
                    line.exchange(octets, plan.traffic).await.map(|()| started.elapsed())
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(time) => shared.count(time),
                Err(error) => *shared.error.borrow_mut() = Some(error),
            }
            shared.idle.borrow_mut().push_back(line);
        }
    }

    fn message(&self, client: usize, traffic: Traffic, weight: Weight) -> Result<Bytes, BenchError> {
        let [small, large] = &self.requests;
        let [plain_small, plain_large] = &self.plain;
        let (template, plain) = if weight == Weight::W2 { (small, plain_small) } else { (large, plain_large) };
        if traffic == Traffic::Forward {
            return Ok(plain.clone());
        }
        let sender = self.world.clients.get(client).ok_or(BenchError::Workload("no clients"))?;
        let (now, to) = (now(), self.world.holder.id.as_str());
        let values = Values { id: fresh_id()?, from: sender.id.as_str(), to, now, reply: ("", "") };
        template.sign(&values, &*sender.key).map(|(octets, _)| octets.into())
    }
}

pub(super) fn fresh_id() -> Result<MessageId, BenchError> {
    let random = crypto::random::<10>().map_err(|crypto::NoRandomness| BenchError::Workload("no randomness"))?;
    Ok(MessageId::new(now(), random))
}

fn plain(template: &Template, world: &World) -> Result<Bytes, BenchError> {
    let holder = &world.holder;
    let values = Values { id: fresh_id()?, from: holder.id.as_str(), to: holder.id.as_str(), now: now(), reply: ("", "") };
    template.sign(&values, &*holder.key).map(|(octets, _)| octets.into())
}

/// The CPU time of this process.
fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

async fn join_all<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut open: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        open.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if open.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[derive(Default)]
struct Shared {
    idle: RefCell<VecDeque<Line>>,
    times: RefCell<Vec<u32>>,
    done: Cell<u64>,
    is_counting: Cell<bool>,
    is_over: Cell<bool>,
    error: RefCell<Option<BenchError>>,
}

impl Shared {
    fn count(&self, time: Duration) {
        if self.is_counting.get() && !self.is_over.get() {
            self.done.set(self.done.get() + 1);
            self.times.borrow_mut().push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
        }
    }

    fn outcome(&self, cpu: Duration, own: Duration, wall: Duration) -> Outcome {
        let mut times = self.times.borrow_mut();
        times.sort_unstable();
        let at = |share: f64| {
            times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1))).copied().map_or(0.0, f64::from)
        };
        let count = self.done.get().max(1) as f64;
        Outcome {
            per_second: self.done.get() as f64 / wall.as_secs_f64(),
            cpu_us: cpu.as_secs_f64() * 1e6 / count,
            p50_us: at(0.5),
            p99_us: at(0.99),
            load_share: own.as_secs_f64() / wall.as_secs_f64(),
        }
    }
}

/// A connection of one agency.
struct Line {
    number: usize,
    sender: SendRequest<Body>,
    is_checked: bool,
}

impl Line {
    async fn open(number: usize, client: &Agency, port: u16) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(BenchError::Io)?;
        stream.set_nodelay(true).map_err(BenchError::Io)?;
        let name = ServerName::try_from("localhost").map_err(|_| BenchError::Workload("no name"))?;
        let stream = TlsConnector::from(Arc::clone(&client.tls)).connect(name, stream).await.map_err(BenchError::Io)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(BenchError::Http)?;
        tokio::spawn(connection);
        Ok(Self { number, sender, is_checked: false })
    }

    /// Sends a message and reads the answer to its end; the first answer of each line is looked at.
    async fn exchange(&mut self, octets: Bytes, traffic: Traffic) -> Result<(), BenchError> {
        self.sender.ready().await.map_err(BenchError::Http)?;
        let sent = octets.clone();
        let request = Request::post(PLAIN_MESSAGE).header("host", "localhost").header("content-type", "application/xml");
        let request = request.body(full(octets)).map_err(|_| BenchError::Workload("no request"))?;
        let response = self.sender.send_request(request).await.map_err(BenchError::Http)?;
        let (status, is_logged) = (response.status(), response.headers().contains_key("oncegate-log-index"));
        let body = response.into_body().collect().await.map_err(BenchError::Http)?.to_bytes();
        if status != StatusCode::OK {
            return Err(BenchError::Answer(status.as_u16(), String::from_utf8_lossy(&body).into_owned()));
        }
        if traffic == Traffic::Exchange && !self.is_checked {
            let id = claims_of(&sent).map_or("", |claims| claims.0);
            let is_answer = memchr::memmem::find(&body, id.as_bytes()).is_some() && is_logged;
            if !is_answer {
                return Err(BenchError::Workload("an answer that is none to its request"));
            }
            self.is_checked = true;
        }
        Ok(())
    }
}

/// The holder's name and key.
struct Provider {
    id: String,
    key: Arc<crate::message::crypto::PrivateKey>,
}

/// The provider.
struct Stub {
    world: Provider,
    answers: Arc<[Template; 2]>,
    plain: [Bytes; 2],
}

impl Stub {
    async fn serve(self, listener: TcpListener, tls: Arc<rustls::ServerConfig>) {
        let stub = Arc::new(self);
        while let Ok((stream, _)) = listener.accept().await {
            let (stub, tls) = (Arc::clone(&stub), Arc::clone(&tls));
            let _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                // Without the deadlines of the gateway's own listeners: between two runs nobody looks at these connections.
                let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await else { return };
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), Serving(stub)).await;
            });
        }
    }

    fn answer(&self, path: &str, request: &[u8]) -> Option<Bytes> {
        let [plain_small, plain_large] = &self.plain;
        let [small, large] = &*self.answers;
        let (template, plain) = if request.len() < 100_000 { (small, plain_small) } else { (large, plain_large) };
        if path == PLAIN_MESSAGE {
            return Some(plain.clone());
        }
        let (id, from, digest) = claims_of(request)?;
        let digest: [u8; 32] = BASE64.decode(digest).ok()?.try_into().ok()?;
        let digest = crate::base::ids::Digest::from_octets(digest).to_string();
        let values = Values { id: fresh_id().ok()?, from: &self.world.id, to: from, now: now(), reply: (id, &digest) };
        template.sign(&values, &*self.world.key).ok().map(|(octets, _)| octets.into())
    }
}

struct Serving(Arc<Stub>);

impl Service<Request<Incoming>> for Serving {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let stub = Arc::clone(&self.0);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let octets = read_body(head.version, &head.headers, body.into(), limits::MESSAGE_BYTES_MAX, Duration::from_secs(30))
                .await
                .unwrap_or_default();
            let mut response = Response::new(full(Bytes::new()));
            match stub.answer(head.uri.path(), &octets) {
                Some(answer) => *response.body_mut() = full(answer),
                None => *response.status_mut() = StatusCode::BAD_REQUEST,
            }
            Ok(response)
        })
    }
}
