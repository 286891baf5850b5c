//! The gateway as a process of its own, which can be signalled and killed.

use crate::folder::Folder;
use crate::tool::free_port;
use oncegate::base::ids::Code;
use oncegate::faces::client::{Client, Problem, Signed, problem_of};
use oncegate::host::transport::Received;
use oncegate::message::envelope::{Ask, Context, World as MessageWorld};
use oncegate::program::demo::{self, Elsewhere, Observer};
use oncegate::program::setup::Installation;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The program; that of a release build, if the environment names it, for longer runs and for figures.
pub fn oncegate() -> &'static str {
    static PROGRAM: LazyLock<String> =
        LazyLock::new(|| std::env::var("ONCEGATE_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_oncegate").to_owned()));
    &PROGRAM
}

/// Longer than anything here takes; only a test that fails waits for it.
pub const LONG: Duration = Duration::from_secs(60);

/// A world whose gateway is a process that the test starts, or does not.
pub struct Scene {
    runtime: tokio::runtime::Runtime,
    world: Option<demo::World>,
    folder: Folder,
}

impl Scene {
    pub fn new(config: &str) -> Self {
        Self::observed(config, Arc::new(|_| Box::pin(std::future::ready(()))))
    }

    pub fn observed(config: &str, observer: Observer) -> Self {
        Self::planned(&demo::Plan { config, absent: &[], prepare: &|_| {} }, observer)
    }

    /// With nobody in the clinic's place, until the test puts somebody there.
    pub fn without_clinic(config: &str) -> Self {
        let plan = demo::Plan { config, absent: &["xx.demo.clinic-3"], prepare: &|_| {} };
        Self::planned(&plan, Arc::new(|_| Box::pin(std::future::ready(()))))
    }

    /// With something done to the installation before anything starts.
    pub fn prepared(config: &str, prepare: &dyn Fn(&Installation)) -> Self {
        Self::planned(&demo::Plan { config, absent: &[], prepare }, Arc::new(|_| Box::pin(std::future::ready(()))))
    }

    /// The same, with something done to the installation before anything starts.
    pub fn prepared_without_clinic(config: &str, prepare: &dyn Fn(&Installation)) -> Self {
        Self::prepared_without(config, &["xx.demo.clinic-3"], prepare)
    }

    /// The same with nobody in the places of others.
    pub fn prepared_without(config: &str, absent: &[&str], prepare: &dyn Fn(&Installation)) -> Self {
        let plan = demo::Plan { config, absent, prepare };
        Self::planned(&plan, Arc::new(|_| Box::pin(std::future::ready(()))))
    }

    fn planned(plan: &demo::Plan<'_>, observer: Observer) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let folder = Folder::new();
        let address = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let gateway = Elsewhere { exchange: address(), public: address(), observer };
        let inside = folder.path().join("gateway");
        let world = demo::World::start_without_gateway(&inside, plan, &gateway);
        let world = runtime.block_on(world).expect("a world");
        Self { runtime, world: Some(world), folder }
    }

    pub fn world(&self) -> &demo::World {
        self.world.as_ref().expect("it is there until it is dropped")
    }

    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// A folder for files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn config(&self) -> PathBuf {
        self.world().installation().config()
    }

    pub fn data(&self) -> PathBuf {
        self.world().folder().join("data")
    }

    pub fn segment(&self, number: u32) -> PathBuf {
        self.data().join(format!("log/seg-{number:06}"))
    }

    /// Starts the gateway; it takes messages when this returns.
    pub fn start(&self) -> Process {
        loop {
            match Process::run(&self.config()) {
                Ok(gateway) => return gateway,
                // Another test is just starting a process, which has our files open until it becomes that program.
                Err((_, said)) if said.contains("another gateway is running") => std::thread::yield_now(),
                Err((status, said)) => panic!("the gateway has ended: {status}\n{said}"),
            }
        }
    }

    /// Starts the gateway for one exchange.
    pub fn run_once(&self, client: &Client, number: usize) {
        let gateway = self.start();
        self.block_on(answered(client, &self.request(client, number)));
        gateway.stop();
    }

    /// Why the gateway does not start.
    pub fn refuses_to_start(&self) -> String {
        match Process::run(&self.config()) {
            Ok(_) => panic!("the gateway has started"),
            Err((status, said)) => {
                assert!(status.code().is_some_and(|code| code == 1 || code == 2), "{status}: {said}");
                said
            }
        }
    }

    /// A client with connections of its own.
    pub fn client(&self) -> Client {
        self.world().client("xx.demo.school-17").expect("a client")
    }

    /// A signed request about an honest pupil who has been ill; `number` says which of them.
    pub fn request(&self, client: &Client, number: usize) -> Signed {
        // One pupil in three has not been ill; the households from 220 on are answered strangely.
        let household = number % 146 / 2 * 3 + number % 2;
        self.request_about(client, household as u32)
    }

    pub fn request_about(&self, client: &Client, household: u32) -> Signed {
        let code = |text| Code::parse(text).expect("a code");
        let person = self.world().people().get(household as usize * 4).expect("a person");
        let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
        let context = Context::new(code("school-attendance"), "XX:HEALTH:13", person.subject());
        client.request(ask, context, None, MessageWorld::Live).expect("it is signed")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Some(world) = self.world.take() {
            self.runtime.block_on(world.stop());
        }
    }
}

/// Sends a message; an error is a gateway that is away.
pub async fn send(client: &Client, octets: &[u8]) -> Option<Received> {
    client.post(octets.to_vec(), "wait=30", LONG).await.ok()
}

/// What `/health` of the public listener says.
pub fn health(scene: &Scene) -> std::io::Result<(u16, serde_json::Value)> {
    let mut stream = TcpStream::connect(scene.world().public_address())?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Ok((status, serde_json::from_str(body).expect("JSON")))
}

/// Sends a message and expects an answer.
pub async fn answered(client: &Client, request: &Signed) -> Received {
    let received = send(client, &request.octets).await.expect("the gateway is there");
    assert_eq!(received.status.as_u16(), 200, "{:?}", problem_of(&received));
    received
}

/// Sends a message and expects a refusal.
pub async fn refused(client: &Client, request: &Signed) -> Problem {
    let received = send(client, &request.octets).await.expect("the gateway is there");
    assert_ne!(received.status.as_u16(), 200);
    problem_of(&received)
}

pub fn is_replayed(received: &Received) -> bool {
    received.headers.get("oncegate-replayed").is_some_and(|value| value == "true")
}

/// A gateway that runs; killed when dropped.
pub struct Process {
    child: Child,
    lines: BufReader<ChildStderr>,
    /// What it said before it was ready.
    pub greeting: String,
}

impl Process {
    /// Starts a gateway and waits until it is ready, or gives how it ended.
    pub fn run(config: &Path) -> Result<Self, (ExitStatus, String)> {
        let mut command = Command::new(oncegate());
        command.arg("run").arg("-c").arg(config);
        Self::from(command)
    }

    /// The same with a command that becomes the gateway.
    pub fn from(mut command: Command) -> Result<Self, (ExitStatus, String)> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped"));
        let mut greeting = String::new();
        while lines.read_line(&mut greeting).expect("readable") > 0 {
            if greeting.lines().last().is_some_and(|line| line.starts_with("ready: ")) {
                return Ok(Self { child, lines, greeting });
            }
        }
        Err((child.wait().expect("it has ended"), greeting))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A line of what the system says of its memory, in KiB: `VmRSS` now, `VmHWM` the most so far.
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let found = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'));
        found.expect("Linux says so").trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// kill -9
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// kill -9, and the rest of what it and whoever traced it have said.
    pub fn killed(mut self) -> String {
        self.child.kill().expect("it can be killed");
        self.ended().1
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status().expect("a shell");
        assert!(sent.success());
    }

    /// Waits for a line that holds these words.
    pub fn says(&mut self, words: &str) -> String {
        let mut said = String::new();
        while self.lines.read_line(&mut said).expect("readable") > 0 {
            if said.lines().last().is_some_and(|line| line.contains(words)) {
                return said;
            }
        }
        panic!("it ended without saying {words:?}: {said}")
    }

    /// Waits until it has ended by itself; gives the rest of what it said.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("readable");
        (self.child.wait().expect("it ends"), rest)
    }

    /// SIGTERM, and a good end.
    pub fn stop(self) {
        self.signal("TERM");
        let (status, rest) = self.ended();
        assert!(status.success(), "{status}: {rest}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
