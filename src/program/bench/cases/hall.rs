//! A town with a gateway of its own as a process, whose agencies are all here.

use super::super::process::Process;
use super::super::rounds::free_port;
use super::super::{BenchError, Options, words};
use super::offices::{Offices, Task};
use crate::base::ids::{AgencyId, Code, Identifier};
use crate::faces::client::{Client, NewCase, Order, application, order};
use crate::message::envelope::{Ask, Body, Context, Kind, Message, Subject};
use crate::program::demo::{COORDINATOR, PORTAL, Person, Town, TownPlan, WorldError, of_kind};
use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Steps of a case that stays open.
pub(super) const STEPS: usize = 10;
/// Documents of the case whose fetching is timed.
pub(super) const PAPERS: [&str; 14] = [
    "identity-record",
    "residence-record",
    "insurance-number",
    "health-policy",
    "employment-record",
    "income-statement",
    "pension-record",
    "disability-record",
    "education-certificate",
    "military-record",
    "family-status",
    "veteran-record",
    "unemployment-registration",
    "exam-results",
];
/// The situation of cases that stay open.
pub(super) const LONG: &str = "long-case";
/// The situation of many documents.
pub(super) const MANY_PAPERS: &str = "many-papers";
/// Who does the steps of a long case, one after the other.
const OFFICES: [&str; STEPS] = ["onestop", "mvd", "tax", "sfr", "zags", "tfoms", "social", "employment", "housing", "education"];
/// How many things are begun at once.
const AT_ONCE: usize = 32;
const WITHIN: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(2);

/// A town, its gateway and its agencies.
pub(super) struct Hall {
    town: Arc<Town>,
    process: Option<Process>,
    program: PathBuf,
    pub(super) offices: Arc<Offices>,
    portal: Client,
    desk: Client,
    coordinator: Client,
    person: Person,
    last: Cell<u32>,
}

impl Hall {
    /// Makes one in a folder, and starts its gateway.
    pub(super) async fn open(options: &Options, name: &str) -> Result<Self, BenchError> {
        let mut hall = Self::found(options, name, TownPlan::default().config).await?;
        hall.start()?;
        Ok(hall)
    }

    /// The same with a configuration, and something that is done before the gateway starts.
    pub(super) async fn prepared(
        options: &Options,
        (name, config): (&str, String),
        prepare: impl FnOnce(&Self) -> Result<(), BenchError>,
    ) -> Result<Self, BenchError> {
        let mut hall = Self::found(options, name, config).await?;
        prepare(&hall)?;
        hall.start()?;
        Ok(hall)
    }

    async fn found(options: &Options, name: &str, config: String) -> Result<Self, BenchError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(BenchError::Io)?;
        let port = listener.local_addr().map_err(BenchError::Io)?.port();
        let catalogue = vec![long("1"), many_papers()];
        let plan = TownPlan { catalogue, config, asked_at: Some(port), ..TownPlan::default() };
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ports = (address(free_port()?), address(free_port()?));
        let town = Arc::new(Town::found(&options.folder.join(name), plan, ports).map_err(broken)?);
        let person = town.mother(0);
        let offices = Arc::new(Offices::open(Arc::clone(&town), person.clone())?);
        offices.serve(listener)?;
        let client = |name: &str| town.client(name).map_err(broken);
        let (portal, coordinator, desk) = (client(PORTAL)?, client(COORDINATOR)?, client(of_kind("onestop").as_str())?);
        let (program, last) = (options.program.clone(), Cell::new(0));
        Ok(Self { town, process: None, program, offices, portal, desk, coordinator, person, last })
    }

    /// Starts the gateway, and waits for its port.
    pub(super) fn start(&mut self) -> Result<Duration, BenchError> {
        let config = self.town.installation().config();
        let errors = self.town.installation().folder().join("gateway.stderr");
        let begun = Instant::now();
        let mut process = Process::start(&words(&[&self.program]), &words(&[&"run", &"-c", &config]), &errors)?;
        while std::net::TcpStream::connect(self.town.exchange_address()).is_err() {
            if process.has_ended() || begun.elapsed() > WITHIN {
                let said = std::fs::read_to_string(&errors).unwrap_or_default();
                return Err(BenchError::Start(format!("the gateway ended: {said}")));
            }
            std::thread::sleep(PAUSE);
        }
        self.process = Some(process);
        Ok(begun.elapsed())
    }

    /// Stops the gateway in good order, and starts it again.
    pub(super) fn restart(&mut self) -> Result<Duration, BenchError> {
        if let Some(process) = self.process.take() {
            process.stop();
        }
        self.start()
    }

    /// CPU that the gateway has used.
    pub(super) fn cpu(&self) -> Duration {
        self.process.as_ref().map(Process::cpu).unwrap_or_default()
    }

    /// The resident memory of the gateway in KiB, once it does nothing but wait.
    pub(super) async fn settled_kib(&self) -> u64 {
        let kib = || self.process.as_ref().map_or(0, Process::resident_kib);
        let (mut last, mut same) = (0, 0);
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            same = if kib().abs_diff(last) <= 16 { same + 1 } else { 0 };
            last = kib();
            if same >= 4 {
                break;
            }
        }
        kib()
    }

    /// The resident memory once it has answered a question: the first needs what every one does.
    pub(super) async fn fresh_kib(&self) -> Result<u64, BenchError> {
        self.warm().await?;
        Ok(self.settled_kib().await)
    }

    /// From the next start on nobody coordinates cases: their book stays closed.
    pub(super) fn coordinate_nothing(&self) -> Result<(), BenchError> {
        let path = self.town.installation().config();
        let text = std::fs::read_to_string(&path).map_err(|cause| BenchError::file(&path, cause))?;
        let text = text.replace(&format!("coordinators = [\"{COORDINATOR}\"]"), "coordinators = []");
        std::fs::write(&path, text).map_err(|cause| BenchError::file(&path, cause))
    }

    /// The file of the gateway's configuration.
    pub(super) fn config(&self) -> PathBuf {
        self.town.installation().config()
    }

    /// The folder of the gateway's data.
    pub(super) fn data(&self) -> PathBuf {
        self.town.installation().folder().join("data")
    }

    /// Puts another version of the long case into the catalogue, beside the one before; the gateway is not told.
    pub(super) fn put_version(&self, version: &str) -> Result<(), BenchError> {
        let folder = self.town.installation().folder().join("catalogue");
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|cause| BenchError::file(&path, cause))
        };
        let ((name, old), (_, new)) = (long("1"), long(version));
        write(&name.replace(".toml", "@1.toml"), &old)?;
        write(&name, &new)
    }

    /// Somebody more.
    pub(super) fn somebody(&self) -> Person {
        self.last.set(self.last.get() + 1);
        Person { identifier: Identifier::synthetic(10_000 + self.last.get()), ..self.person.clone() }
    }

    /// Begins so many cases, and waits until an agency is at work at each; gives those tasks.
    pub(super) async fn begin(&self, count: usize, situation: &str) -> Result<Vec<Task>, BenchError> {
        let before = self.offices.taken();
        self.all((0..count).map(|_| self.application(&self.somebody(), situation))).await?;
        self.until_taken(before + count as u64).await?;
        Ok(self.offices.take_tasks())
    }

    /// Says of each task that it is done, one by one, and waits until the next step of each case is begun; gives those.
    pub(super) async fn go_on(&self, tasks: &[Task]) -> Result<Vec<Task>, BenchError> {
        let before = self.offices.taken();
        for task in tasks {
            self.offices.done(task).await?;
        }
        self.until_taken(before + tasks.len() as u64).await?;
        Ok(self.offices.take_tasks())
    }

    /// Takes cases back.
    pub(super) async fn withdraw(&self, tasks: &[Task]) -> Result<(), BenchError> {
        self.all(tasks.iter().map(|task| self.to_coordinator(&task.context.subject, &order(task.case, Order::Withdraw)))).await
    }

    /// Waits until so many tasks have come in all.
    pub(super) async fn until_taken(&self, count: u64) -> Result<(), BenchError> {
        let begun = Instant::now();
        while self.offices.taken() < count {
            if begun.elapsed() > WITHIN {
                return Err(BenchError::Start(format!("{} of {count} tasks have come", self.offices.taken())));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Has the portal send what is signed just before, some at a time.
    async fn all(&self, messages: impl Iterator<Item = Result<Vec<u8>, BenchError>>) -> Result<(), BenchError> {
        let mut under_way = JoinSet::new();
        let ended = |ended: Result<Result<(), BenchError>, _>| ended.map_err(|_| BenchError::Workload("a task has ended"))?;
        for message in messages {
            if under_way.len() >= AT_ONCE {
                under_way.join_next().await.map_or(Ok(()), ended)?;
            }
            under_way.spawn(post(self.portal.clone(), message?));
        }
        while let Some(one) = under_way.join_next().await {
            ended(one)?;
        }
        Ok(())
    }

    /// A signed application for a case of somebody's.
    pub(super) fn application(&self, about: &Person, situation: &str) -> Result<Vec<u8>, BenchError> {
        let (situation, channel) = (code(situation)?, code("portal")?);
        let (subject, answers) = (about.subject(), &[]);
        let new = NewCase {
            situation: &situation,
            channel: &channel,
            region: None,
            about: &subject,
            others: &[],
            contact: None,
            answers,
        };
        self.to_coordinator(&subject, &application(&new))
    }

    fn to_coordinator(&self, about: &Subject, markup: &str) -> Result<Vec<u8>, BenchError> {
        let header = self.portal.header(Kind::Application, AgencyId::parse(COORDINATOR), None, self.town.world());
        let context = Some(Context::new(code("life-situation")?, "XX:LIFE:1", about.clone()));
        let (header, body) = (header.map_err(broken)?, Body::Documents(Vec::new()));
        let message = Message { header, context, body, attachments: Vec::new() };
        self.portal.sign(&message, markup).map(|signed| signed.octets).map_err(broken)
    }

    /// A signed question of the one-stop desk about somebody.
    pub(super) fn question(&self) -> Result<Vec<u8>, BenchError> {
        let ask = Ask { document_type: code("identity-record")?, of: None, select: Vec::new(), during: None };
        let context = Context::new(code("life-situation")?, "XX:LIFE:1", self.somebody().subject());
        self.desk.request(ask, context, None, self.town.world()).map(|signed| signed.octets).map_err(broken)
    }

    /// Has the gateway answer one question; connections to the one before it may be tried first.
    pub(super) async fn warm(&self) -> Result<(), BenchError> {
        for _ in 0..5 {
            if post(self.desk.clone(), self.question()?).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        post(self.desk.clone(), self.question()?).await
    }

    /// Where citizens apply.
    pub(super) fn portal(&self) -> Client {
        self.portal.clone()
    }

    /// The desk that asks.
    pub(super) fn desk(&self) -> Client {
        self.desk.clone()
    }

    /// The coordinator, who sees every case.
    pub(super) fn coordinator(&self) -> Client {
        self.coordinator.clone()
    }

    /// A case as its coordinator sees it, or its timeline.
    pub(super) async fn look(&self, path: &str) -> Result<serde_json::Value, BenchError> {
        let received = self.coordinator.get(path).await.map_err(broken)?;
        let said = || String::from_utf8_lossy(&received.body).into_owned();
        if !received.status.is_success() {
            return Err(BenchError::Answer(received.status.as_u16(), said()));
        }
        serde_json::from_slice(&received.body).map_err(|_| BenchError::Start(said()))
    }

    /// How many cases are open, by the gateway's metrics.
    pub(super) fn count_open(&self) -> Result<u64, BenchError> {
        let mut stream = std::net::TcpStream::connect(self.town.public_address()).map_err(BenchError::Io)?;
        let mut said = String::new();
        let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).and_then(|()| stream.read_to_string(&mut said)).map_err(BenchError::Io)?;
        let line = said.lines().find_map(|line| line.trim().strip_prefix("oncegate_cases_open "));
        line.and_then(|count| count.trim().parse().ok()).ok_or(BenchError::Workload("no metric of open cases"))
    }
}

/// Posts something that is taken or answered at once.
pub(super) async fn post(client: Client, octets: Vec<u8>) -> Result<(), BenchError> {
    let received = client.post(octets, "", WITHIN).await.map_err(broken)?;
    if received.status.is_success() {
        return Ok(());
    }
    Err(BenchError::Answer(received.status.as_u16(), String::from_utf8_lossy(&received.body).into_owned()))
}

pub(super) fn broken(cause: impl Into<WorldError>) -> BenchError {
    BenchError::Start(cause.into().to_string())
}

fn code(text: &str) -> Result<Code, BenchError> {
    Code::parse(text).ok_or(BenchError::Workload("a code"))
}

/// A situation of ten steps, each behind the one before.
fn long(version: &str) -> (String, String) {
    let mut text = head(LONG, version);
    for (number, office) in OFFICES.iter().enumerate() {
        let after = number.checked_sub(1).map_or(String::new(), |before| format!("after = [\"step-{before}\"]\n"));
        let needs = if number == 0 { "needs = [\"identity-record:applicant\"]\n" } else { "" };
        text += &step(&format!("step-{number}"), office, &format!("{after}{needs}"));
    }
    (format!("federal/{LONG}.toml"), text)
}

/// A situation of one step that needs many documents.
fn many_papers() -> (String, String) {
    let needs = PAPERS.map(|document| format!("\"{document}:applicant\"")).join(", ");
    let text = head(MANY_PAPERS, "1") + &step("decide", "social", &format!("needs = [{needs}]\n"));
    (format!("federal/{MANY_PAPERS}.toml"), text)
}

fn head(id: &str, version: &str) -> String {
    format!(
        r#"format = 1
id = "{id}"
version = "{version}"
title = {{ en = "A situation of the benchmark", ru = "Жизненная ситуация для измерений" }}
curator = "curator:bench"
starts_on = ["request:portal"]
legal = ["XX:1"]

[[role]]
name = "applicant"

[baseline]
carry_days = 1
source = "invented"
"#
    )
}

fn step(id: &str, office: &str, more: &str) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "\n[[step]]\nid = \"{id}\"\ntitle = {{ en = \"A step\", ru = \"Шаг\" }}\nagency = \"{office}\"\nservice = \"{id}\"\n\
         {more}deadline = \"20wd\"\n"
    );
    text
}
