//! Events: what one costs that so many subscribers hear, beside one that a single subscriber hears, and one that nobody does.
//!
//! Three gateways with one and the same registry but for the grants, each a process of its own. Subscribers are reached over
//! loopback by mutual TLS 1.3, each at a port of its own, so that each has a connection of its own, which is kept; they take what
//! comes and say `200`. Events of 2 KiB follow one another, the next when all have heard the last.

use super::load::Weight;
use super::message::{DOCUMENT_TYPE, Template, Values};
use super::primitive::median;
use super::rounds::{Stage, Target, free_port};
use super::world::{Size, entry};
use super::{BenchError, Options};
use crate::gateway::driver::now;
use crate::host::transport::{Body, full, read_body};
use crate::message::crypto::sha256;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Events of a round that few hear, and that many hear.
const FEW_EVENTS: u64 = 40;
const MANY_EVENTS: u64 = 3;
/// The longest that an event is waited for.
const HEARD_WITHIN: Duration = Duration::from_secs(60);
/// What is done after an event was heard is done by then.
const AFTER: Duration = Duration::from_millis(100);

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// How many subscribers.
    pub subscribers: u64,
    /// CPU of the gateway for an event that nobody hears, in microseconds.
    pub none_us: f64,
    /// For one that a single subscriber hears.
    pub one_us: f64,
    /// For one that all hear.
    pub all_us: f64,
    /// What all cost by what so many single ones would.
    pub share: f64,
    /// Records of an event beside those of its deliveries.
    pub records: u64,
    /// Records of the deliveries.
    pub deliveries: u64,
    /// From the event's answer to the last subscriber, in milliseconds.
    pub all_ms: f64,
}

impl Told {
    /// As a table.
    pub fn table(&self) -> String {
        let Self { subscribers, none_us, one_us, all_us, share, records, deliveries, all_ms } = self;
        let met = |is_met| if is_met { "met" } else { "MISSED" };
        let each = (all_us - none_us) / *subscribers as f64;
        format!(
            "CPU of an event that nobody hears               {none_us:>9.1} us\n\
             CPU of one delivery to one subscriber           {:>9.1} us\n\
             CPU of an event to {subscribers:>5} subscribers            {all_us:>9.0} us\n\
             of which for each delivery                      {each:>9.1} us\n\
             by {subscribers:>5} times one delivery                     {share:>9.3}      ≤ 1  {}\n\
             records of the event, beside {deliveries} of deliveries  {records:>5}          = 1  {}\n\
             from its answer to the last subscriber          {all_ms:>9.0} ms",
            one_us - none_us,
            met(*share <= 1.0),
            met(*records == 1),
        )
    }

    /// As a document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "format": 1, "subscribers": self.subscribers, "noneUs": self.none_us, "oneUs": self.one_us, "allUs": self.all_us,
            "share": self.share, "records": self.records, "deliveries": self.deliveries, "allMs": self.all_ms,
            "met": self.share <= 1.0 && self.records == 1,
        })
    }
}

/// Measures so many subscribers; removes what it made.
pub fn subscribers(options: &Options, count: u64) -> Result<Told, BenchError> {
    super::process::raise_open_files();
    let result = measure(options, count.max(1));
    let _ = std::fs::remove_dir_all(&options.folder);
    result
}

fn measure(options: &Options, count: u64) -> Result<Told, BenchError> {
    let stage = Stage::open(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::Io)?;
    let heard = Arc::new(AtomicU64::new(0));
    let ports = runtime.block_on(listen(&stage, &heard, count))?;
    let mut publishers = Vec::new();
    for (name, hearing) in [("none", 0), ("one", 1), ("all", count)] {
        let (port, public) = (free_port()?, free_port()?);
        let text = registry(&stage, &ports, hearing)?;
        let config = stage.world.configure_with(name, &text, port, public)?;
        let (target, _) = stage.start(name, &config, port, &[])?;
        publishers.push(runtime.block_on(Publisher::open(&stage, target, public, hearing, &heard))?);
    }
    let [none, one, all] = publishers.as_mut_slice() else { return Err(BenchError::Workload("three gateways")) };
    runtime.block_on(async {
        // Connections are made, and code is warm.
        for publisher in [&mut *none, &mut *one, &mut *all] {
            publisher.tell(2).await?;
        }
        let mut found = [Vec::new(), Vec::new(), Vec::new()];
        let (mut times, mut records) = (Vec::new(), 0);
        for _ in 0..options.rounds {
            found[0].push(none.tell(FEW_EVENTS).await?.cpu_us);
            found[1].push(one.tell(FEW_EVENTS).await?.cpu_us);
            let told = all.tell(MANY_EVENTS).await?;
            found[2].push(told.cpu_us);
            times.push(told.ms);
            records = told.records;
        }
        let [none_us, one_us, all_us] = found.map(|mut each| median(&mut each));
        let share = (all_us - none_us) / ((one_us - none_us) * count as f64);
        let (of_events, all_ms) = (records.saturating_sub(MANY_EVENTS * count) / MANY_EVENTS, median(&mut times));
        let deliveries = records / MANY_EVENTS - of_events;
        Ok(Told { subscribers: count, none_us, one_us, all_us, share, records: of_events, deliveries, all_ms })
    })
}

/// The registry of the workload, with so many subscribers more of whom so many may hear.
fn registry(stage: &Stage<'_>, ports: &[u16], hearing: u64) -> Result<String, BenchError> {
    let mut text = stage.world.registry(Size::WORKLOAD)?;
    let name = |number: usize| format!("xx.bench.subscriber-{number:05}");
    for (number, port) in ports.iter().enumerate() {
        let url = format!("url = \"https://localhost:{port}/heard\"\n");
        text.push_str(&entry(&name(number), &url, &sha256(name(number).as_bytes()), stage.world.filler())?);
    }
    for number in (0..ports.len()).take(usize::try_from(hearing).unwrap_or(usize::MAX)) {
        let _ = write!(
            text,
            "\n[[grant]]\nid = \"hears-{number}\"\nwho = \"{}\"\naction = \"subscribe\"\nwhat = \"{DOCUMENT_TYPE}\"\nabout = \"thing\"\n\
             fields = [\"*\"]\npurpose = \"benchmark\"\nbasis = \"XX:BENCH:1\"\nuntil = \"2099-12-31\"\n",
            name(number)
        );
    }
    Ok(text)
}

/// Opens a port for each subscriber.
async fn listen(stage: &Stage<'_>, heard: &Arc<AtomicU64>, count: u64) -> Result<Vec<u16>, BenchError> {
    let mut ports = Vec::new();
    for _ in 0..count {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(BenchError::Io)?;
        ports.push(listener.local_addr().map_err(BenchError::Io)?.port());
        let (heard, tls) = (Arc::clone(heard), Arc::clone(&stage.world.holder_tls));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(hear(stream, TlsAcceptor::from(Arc::clone(&tls)), Arc::clone(&heard)));
            }
        });
    }
    Ok(ports)
}

async fn hear(stream: TcpStream, tls: TlsAcceptor, heard: Arc<AtomicU64>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(move |request: Request<Incoming>| {
        let heard = Arc::clone(&heard);
        async move {
            let (head, body) = request.into_parts();
            let octets = read_body(head.version, &head.headers, body.into(), 1 << 20, HEARD_WITHIN).await.unwrap_or_default();
            heard.fetch_add(u64::from(!octets.is_empty()), Ordering::Relaxed);
            Ok::<_, Infallible>(Response::new(full("")))
        }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The agency that tells events, at one of the gateways.
struct Publisher<'s> {
    stage: &'s Stage<'s>,
    target: Target,
    public: u16,
    hearing: u64,
    heard: Arc<AtomicU64>,
    sender: SendRequest<Body>,
    template: Template,
}

/// What some events took.
struct Took {
    /// CPU of the gateway for each.
    cpu_us: f64,
    /// From its answer until all had heard the last.
    ms: f64,
    /// Records of all.
    records: u64,
}

impl<'s> Publisher<'s> {
    async fn open(
        stage: &'s Stage<'s>,
        target: Target,
        public: u16,
        hearing: u64,
        heard: &Arc<AtomicU64>,
    ) -> Result<Self, BenchError> {
        let holder = &stage.world.holder;
        let stream = TcpStream::connect(("127.0.0.1", target.port)).await.map_err(BenchError::Io)?;
        stream.set_nodelay(true).map_err(BenchError::Io)?;
        let name = ServerName::try_from("localhost").map_err(|_| BenchError::Workload("no name"))?;
        let stream = TlsConnector::from(Arc::clone(&holder.tls)).connect(name, stream).await.map_err(BenchError::Io)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(BenchError::Http)?;
        tokio::spawn(connection);
        let template = Template::event(Weight::W2.octets(), &holder.id)?;
        Ok(Self { stage, target, public, hearing, heard: Arc::clone(heard), sender, template })
    }

    /// Tells so many, one after the other.
    async fn tell(&mut self, events: u64) -> Result<Took, BenchError> {
        let (cpu, records) = (self.target.process.cpu(), self.records()?);
        let mut ms = 0.0;
        for _ in 0..events {
            let before = self.heard.load(Ordering::Relaxed);
            self.publish().await?;
            let answered = Instant::now();
            while self.heard.load(Ordering::Relaxed) < before + self.hearing {
                if answered.elapsed() > HEARD_WITHIN {
                    return Err(BenchError::Workload("an event that not all hear"));
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            ms = answered.elapsed().as_secs_f64() * 1e3;
        }
        tokio::time::sleep(AFTER).await;
        let cpu = self.target.process.cpu().saturating_sub(cpu);
        Ok(Took { cpu_us: cpu.as_secs_f64() * 1e6 / events as f64, ms, records: self.records()? - records })
    }

    async fn publish(&mut self) -> Result<(), BenchError> {
        let holder = &self.stage.world.holder;
        let name = holder.id.as_str();
        let values = Values { id: super::load::fresh_id()?, from: name, to: name, now: now(), reply: ("", "") };
        let (octets, _) = self.template.sign(&values, &*holder.key)?;
        self.sender.ready().await.map_err(BenchError::Http)?;
        let request = Request::post("/v1/messages").header("host", "localhost").header("content-type", "application/xml");
        let request = request.body(full(octets)).map_err(|_| BenchError::Workload("no request"))?;
        let response = self.sender.send_request(request).await.map_err(BenchError::Http)?;
        let (status, body) = (response.status(), http_body_util::BodyExt::collect(response.into_body()).await);
        let body = body.map_err(BenchError::Http)?.to_bytes();
        if status == StatusCode::ACCEPTED {
            Ok(())
        } else {
            Err(BenchError::Answer(status.as_u16(), String::from_utf8_lossy(&body).into_owned()))
        }
    }

    /// How many records the log has, by its checkpoint.
    fn records(&self) -> Result<u64, BenchError> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.public)).map_err(BenchError::Io)?;
        let mut said = String::new();
        let request = b"GET /log/checkpoint HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).and_then(|()| stream.read_to_string(&mut said)).map_err(BenchError::Io)?;
        let note = said.split_once("\r\n\r\n").map_or("", |(_, note)| note);
        note.lines().nth(1).and_then(|size| size.parse().ok()).ok_or(BenchError::Workload("no checkpoint"))
    }
}
