//! Idle long-polls: what a worker costs that waits at an empty inbox.
//!
//! The gateway is `oncegate run` as a process of its own. Workers of the agencies of the workload connect over loopback with mutual
//! TLS 1.3, each over a connection of its own, and ask `GET /v1/inbox?wait=60`, again and again. Memory is read when all wait and
//! nothing moves any more, beside that of the first hundred; then it is looked that each is still there.

use super::process::{self, Process};
use super::rounds::Stage;
use super::world::{Agency, CLIENTS, Size};
use super::{BenchError, Options};
use crate::base::limits;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Those that are there before anything is counted: what they need once is needed once.
const FIRST: usize = 100;
/// How many shake hands at once.
const AT_ONCE: usize = 64;
/// An address has room for so many of the connections.
const PER_ADDRESS: usize = 1_000;
/// How long it is watched what those who wait cost.
const WATCHED: Duration = Duration::from_secs(4);

/// What so many that wait take.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// How many.
    pub waiting: usize,
    /// Resident memory of the gateway.
    pub resident_kib: u64,
    /// What each beyond the first hundred has added to that.
    pub kib_each: f64,
    /// What part of a core the gateway uses while they wait.
    pub core_share: f64,
}

impl Waiting {
    /// The heads of the columns of [`Waiting::row`].
    pub const HEAD: &str = "  waiting   resident   each above the first 100   goal       share of a core";
    /// How much each may take, in KiB.
    pub const KIB_MAX: f64 = 32.0;

    /// As a row.
    pub fn row(&self) -> String {
        let verdict = if self.kib_each <= Self::KIB_MAX { "met" } else { "MISSED" };
        let (mib, each) = (self.resident_kib / 1024, self.kib_each);
        format!("{:>9} {mib:>6} MiB {each:>20.1} KiB   ≤ {} {verdict:<6} {:>15.3}", self.waiting, Self::KIB_MAX, self.core_share)
    }

    /// As a document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "format": 1, "waiting": self.waiting, "residentKib": self.resident_kib, "kibEach": self.kib_each,
            "coreShare": self.core_share, "met": self.kib_each <= Self::KIB_MAX,
        })
    }
}

/// Measures so many that wait; removes what it made.
pub fn waiting(options: &Options, count: usize) -> Result<Waiting, BenchError> {
    process::raise_open_files();
    let result = measure(options, count);
    let _ = std::fs::remove_dir_all(&options.folder);
    result
}

fn measure(options: &Options, count: usize) -> Result<Waiting, BenchError> {
    if count <= FIRST || count > limits::CONNECTIONS_MAX {
        return Err(BenchError::Start(format!("so many wait: {} to {}", FIRST + 1, limits::CONNECTIONS_MAX)));
    }
    let stage = Stage::open(options)?;
    let gateway = stage.gateway("waiting", Size::WORKLOAD, &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::Io)?;
    runtime.block_on(async {
        let (mut workers, clients) = (JoinSet::new(), &stage.world.clients);
        connect(clients, gateway.port, FIRST, &mut workers).await?;
        let before = settled(&gateway.process).await;
        connect(clients, gateway.port, count, &mut workers).await?;
        let resident_kib = settled(&gateway.process).await;
        let (cpu, started) = (gateway.process.cpu(), Instant::now());
        tokio::time::sleep(WATCHED).await;
        let core_share = gateway.process.cpu().saturating_sub(cpu).as_secs_f64() / started.elapsed().as_secs_f64();
        if let Some(ended) = workers.try_join_next() {
            return Err(match ended {
                Ok(Err(error)) => error,
                _ => BenchError::Workload("a worker that does not wait any more"),
            });
        }
        let kib_each = resident_kib.saturating_sub(before) as f64 / (count - FIRST) as f64;
        Ok(Waiting { waiting: count, resident_kib, kib_each, core_share })
    })
}

type Workers = JoinSet<Result<(), BenchError>>;

/// Has workers come until there are so many, and wait.
async fn connect(clients: &[Agency], port: u16, most: usize, workers: &mut Workers) -> Result<(), BenchError> {
    let mut coming = JoinSet::new();
    let mut begun = workers.len();
    while begun < most || !coming.is_empty() {
        while begun < most && coming.len() < AT_ONCE {
            let client = clients.get(begun % CLIENTS).ok_or(BenchError::Workload("no clients"))?;
            coming.spawn(come(Arc::clone(&client.tls), address(begun / PER_ADDRESS), port));
            begun += 1;
        }
        let Some(come) = coming.join_next().await else { break };
        workers.spawn(wait(come.map_err(|_| BenchError::Workload("a task has ended"))??));
    }
    Ok(())
}

/// An address of loopback.
fn address(number: usize) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, u8::try_from(number).unwrap_or(u8::MAX).saturating_add(1)).into()
}

async fn come(tls: Arc<rustls::ClientConfig>, from: IpAddr, port: u16) -> Result<TlsStream<TcpStream>, BenchError> {
    let socket = TcpSocket::new_v4().map_err(BenchError::Io)?;
    socket.bind(SocketAddr::new(from, 0)).map_err(BenchError::Io)?;
    let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.map_err(BenchError::Io)?;
    let name = ServerName::try_from("localhost").map_err(|_| BenchError::Workload("no name"))?;
    let mut stream = TlsConnector::from(tls).connect(name, stream).await.map_err(BenchError::Io)?;
    ask(&mut stream).await?;
    Ok(stream)
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> Result<(), BenchError> {
    let request = format!("GET /v1/inbox?wait={} HTTP/1.1\r\nhost: localhost\r\n\r\n", limits::WAIT_MS_MAX / 1000);
    stream.write_all(request.as_bytes()).await.map_err(BenchError::Io)?;
    stream.flush().await.map_err(BenchError::Io)
}

/// Waits, and asks again when nothing has come for as long as may be waited.
async fn wait(mut stream: TlsStream<TcpStream>) -> Result<(), BenchError> {
    loop {
        let mut answer = [0; 512];
        let count = stream.read(&mut answer).await.map_err(BenchError::Io)?;
        if !answer.get(..count).is_some_and(|answer| answer.starts_with(b"HTTP/1.1 204 ")) {
            return Err(BenchError::Workload("a worker that does not wait any more"));
        }
        ask(&mut stream).await?;
    }
}

/// The resident memory of a process, once it does nothing but wait.
async fn settled(process: &Process) -> u64 {
    let mut last = u64::MAX;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = process.resident_kib();
        if now == last {
            break;
        }
        last = now;
    }
    process.resident_kib()
}
