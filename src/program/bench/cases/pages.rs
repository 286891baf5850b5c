//! The pages of the console beside so many records and cases: how long each takes, how large it is, and what people who browse take from the
//! exchange.

use super::super::{BenchError, endurance, primitive::median};
use super::Cases;
use super::hall::{Hall, LONG};
use super::load;
use super::offices::Task;
use crate::host::config::{Config, Duty};
use crate::host::control::{Command, call};
use crate::program::demo::COORDINATOR;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How often each page is opened, of which the median counts.
const TIMES: usize = 21;
/// People who browse.
const PEOPLE: usize = 50;
/// Each opens a page so often.
const EVERY: Duration = Duration::from_secs(2);
/// How long the exchange is measured without them and with them, in turn.
const SECONDS: u64 = 10;
/// How often.
const ROUNDS: usize = 5;
/// The most that a page may take, in milliseconds, and weigh, in KiB.
const MOST: (f64, f64) = (50.0, 100.0);

/// What the configuration says of the console.
pub(super) fn config(port: u16) -> String {
    format!("records = \"off\"\n\n[console]\nlisten = \"127.0.0.1:{port}\"\n")
}

/// Writes so many records before the gateway starts.
pub(super) fn fill(hall: &Hall, records: u64) -> Result<(), BenchError> {
    let config = Config::load(&hall.config()).map_err(|error| BenchError::Start(error.to_string()))?;
    // The store is waited for by a runtime of its own, which this thread has already.
    let filling = || endurance::fill((&config.data, &config.log.origin), records / 2);
    let filled = std::thread::scope(|scope| scope.spawn(filling).join());
    filled.map_err(|_| BenchError::Workload("a thread ended"))?.map_err(|error| BenchError::Start(error.to_string()))
}

/// Somebody who has signed in.
#[derive(Clone)]
struct Visitor {
    address: SocketAddr,
    cookie: String,
}

impl Visitor {
    /// Signs in with all roles.
    async fn sign_in(hall: &Hall) -> Result<Self, BenchError> {
        let roles: Vec<&str> = Duty::ALL.iter().map(|duty| duty.as_str()).collect();
        let who = serde_json::json!({ "name": "bench", "agency": COORDINATOR, "roles": roles });
        let data = hall.data();
        let answer = tokio::task::spawn_blocking(move || call(&data, Command::Link(who.to_string()))).await;
        let answer = answer.map_err(|_| BenchError::Workload("a task has ended"))?.map_err(BenchError::Io)?;
        let link = answer.and_then(|answer| answer.link).ok_or(BenchError::Workload("no link"))?;
        let rest = link.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
        let (host, path) = rest.ok_or(BenchError::Workload("no address"))?;
        let address = host.parse().map_err(|_| BenchError::Workload("no address"))?;
        let mut this = Self { address, cookie: String::new() };
        let said = this.send(&format!("POST /{path} HTTP/1.1\r\nContent-Length: 0\r\n")).await?;
        let cookie = said.lines().find_map(|line| line.strip_prefix("set-cookie: ").or(line.strip_prefix("Set-Cookie: ")));
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).ok_or(BenchError::Workload("no session"))?;
        this.cookie = cookie.to_owned();
        Ok(this)
    }

    async fn send(&self, head: &str) -> Result<String, BenchError> {
        let mut stream = TcpStream::connect(self.address).await.map_err(BenchError::Io)?;
        let cookie = if self.cookie.is_empty() { String::new() } else { format!("Cookie: {}\r\n", self.cookie) };
        let type_of = "Content-Type: application/x-www-form-urlencoded\r\n";
        let request = format!("{head}Host: {}\r\n{type_of}{cookie}Connection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.map_err(BenchError::Io)?;
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).await.map_err(BenchError::Io)?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    /// Opens a page; gives how many octets came.
    async fn open(&self, path: &str) -> Result<usize, BenchError> {
        let said = self.send(&format!("GET {path} HTTP/1.1\r\n")).await?;
        match said.starts_with("HTTP/1.1 200") {
            true => Ok(said.len()),
            false => Err(BenchError::Start(format!("{path}: {}", said.lines().next().unwrap_or("nothing came")))),
        }
    }
}

fn paths(case: &str) -> Vec<String> {
    let fixed = [
        "/",
        "/log",
        "/log?kind=req",
        "/log?code=OG-RTE-006",
        "/log?agency=xx.bench.client-00&kind=rsp",
        "/log/1",
        "/agencies",
        "/agencies?share=50",
        "/cases",
        "/cases?late=1",
        "/situations",
        "/documents",
        "/documents/identity-record",
        "/explain",
        "/queue",
        "/state",
        "/security",
        "/quality",
        "/complaints",
        "/decisions",
        "/help",
        "/help/OG-POL-002",
        "/about",
    ];
    let of = [format!("/cases/{case}"), format!("/situations/{LONG}"), format!("/agencies/{COORDINATOR}")];
    fixed.map(str::to_owned).into_iter().chain(of).collect()
}

/// Opens each page, and has people browse beside the load of a one-stop centre.
pub(super) async fn measure(hall: &Hall, tasks: &mut Vec<Task>, found: &mut Cases) -> Result<(), BenchError> {
    let visitor = Visitor::sign_in(hall).await?;
    let case = tasks.first().map(|task| task.case.to_string()).ok_or(BenchError::Workload("no case"))?;
    let paths = paths(&case);
    for path in &paths {
        let (mut times, mut octets) = (Vec::new(), 0);
        for _ in 0..TIMES {
            let begun = Instant::now();
            octets = octets.max(visitor.open(path).await?);
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        let name = path.replace(&case, "…");
        found.add(format!("{name}, median of {TIMES}"), (median(&mut times), "ms"), Some(MOST.0));
        found.add("  with its head", (octets as f64 / 1024.0, "KiB"), Some(MOST.1));
    }
    let (mut alone, mut beside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let without = load::load(hall, SECONDS, tasks).await?;
        let with = {
            let mut people = People::come(&visitor, &paths)?;
            let loading = load::load(hall, SECONDS, tasks);
            tokio::pin!(loading);
            tokio::select! {
                loaded = &mut loading => loaded?,
                failed = &mut people.failed => return Err(failed.unwrap_or(BenchError::Workload("nobody browses"))),
            }
        };
        if let Some(first) = without.first.or(with.first) {
            return Err(BenchError::Start(first));
        }
        alone.push(without.p99_ms);
        beside.push(with.p99_ms);
        ratios.push(with.p99_ms / without.p99_ms);
    }
    found.add("p99 of the load, nobody browses", (median(&mut alone), "ms"), None);
    found.add(format!("  {PEOPLE} people open a page every {} s each", EVERY.as_secs()), (median(&mut beside), "ms"), None);
    found.add("  ratio, the median of all rounds", (median(&mut ratios), ""), Some(1.1));
    Ok(())
}

/// People who browse, on a thread of their own that gives way to all others: they sit elsewhere, and what their browsers take is not the
/// gateway's. They go when this is dropped.
struct People {
    failed: oneshot::Receiver<BenchError>,
    _go: oneshot::Sender<()>,
}

impl People {
    fn come(visitor: &Visitor, paths: &[String]) -> Result<Self, BenchError> {
        let ((fails, failed), (go, gone)) = (oneshot::channel(), oneshot::channel::<()>());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::Io)?;
        let (visitor, paths) = (visitor.clone(), paths.to_owned());
        let browsing = move || {
            // On Linux this is the thread's own.
            #[cfg(target_os = "linux")]
            let _ = rustix::process::setpriority_process(None, 19);
            runtime.block_on(async {
                tokio::select! {
                    error = browse(&visitor, &paths) => drop(fails.send(error)),
                    _ = gone => {}
                }
            });
        };
        std::thread::Builder::new().name("people".to_owned()).spawn(browsing).map_err(BenchError::Io)?;
        Ok(Self { failed, _go: go })
    }
}

/// People who open one page after the other, for ever; ends when one does not come.
async fn browse(visitor: &Visitor, paths: &[String]) -> BenchError {
    let mut people = JoinSet::new();
    for number in 0..PEOPLE {
        let (visitor, paths) = (visitor.clone(), paths.to_owned());
        people.spawn(async move {
            tokio::time::sleep(EVERY / PEOPLE as u32 * number as u32).await;
            for path in paths.iter().cycle().skip(number * 7 % paths.len()) {
                let begun = Instant::now();
                if let Err(error) = visitor.open(path).await {
                    return error;
                }
                tokio::time::sleep(EVERY.saturating_sub(begun.elapsed())).await;
            }
            BenchError::Workload("there are no pages")
        });
    }
    people.join_next().await.and_then(Result::ok).unwrap_or(BenchError::Workload("nobody browses"))
}
