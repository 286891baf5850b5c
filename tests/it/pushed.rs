//! A holder with an address, as a process of its own that can be killed: what it has done it remembers on the disk.
//!
//! It is an office that trusts the gateway's word: what comes without `Oncegate-Redelivered` it does, and only for what comes with it
//! does it look whether it has done it before. So whatever comes twice without that word is done twice, and shows.

use crate::inbox::{are_outbound, header, post};
use crate::process::{LONG, Scene};
use crate::rounds::lasting;
use crate::suspicions::client;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use oncegate::base::ids::{Code, MessageId};
use oncegate::base::limits;
use oncegate::faces::client::{Client, Signed, digest_of, problem_of, verify_under};
use oncegate::host::transport::{self, Anchors, Identity, full};
use oncegate::message::envelope::{Body, Context, Kind, Message, ReplyTo, World};
use oncegate::message::schema::Schemas;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const REGISTRY: &str = "xx.demo.civil-registry";
const FUND: &str = "xx.demo.social-fund";
/// Where the process finds what it needs: its agency's folder, its memory, its address.
const FOLDER: &str = "ONCEGATE_TEST_HOLDER";
const MEMORY: &str = "ONCEGATE_TEST_HOLDER_MEMORY";
const ADDRESS: &str = "ONCEGATE_TEST_HOLDER_ADDRESS";
/// How long it takes for each, in milliseconds; without it a moment.
const SLOW: &str = "ONCEGATE_TEST_HOLDER_SLOW";
const NAME: &str = "pushed::a_holder_as_a_process";

/// A holder that runs; killed when dropped.
pub struct Holder {
    agency: PathBuf,
    memory: PathBuf,
    address: SocketAddr,
    slow: Option<Duration>,
    child: Option<Child>,
}

/// What a holder remembers.
#[derive(Default)]
pub struct Memory {
    /// How often each question came.
    pub came: BTreeMap<String, usize>,
    /// Those that came again without the word that they may have come before.
    pub unmarked: Vec<String>,
    /// How often each was done.
    pub done: BTreeMap<String, usize>,
}

impl Holder {
    /// In the place of a holder that is absent.
    pub fn start(scene: &Scene, name: &str, slow: Option<Duration>) -> Self {
        let memory = scene.folder().join("memory");
        fs::create_dir_all(&memory).expect("writable");
        let address = scene.world().provider_address(name).expect("a holder");
        let mut holder = Self { agency: scene.world().agency_folder(name), memory, address, slow, child: None };
        holder.run();
        holder
    }

    /// Starts it; it may take a moment until it listens.
    pub fn run(&mut self) {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args([NAME, "--exact", "--ignored", "--nocapture"]).stdin(Stdio::piped());
        command.env(FOLDER, &self.agency).env(MEMORY, &self.memory).env(ADDRESS, self.address.to_string());
        command.env(SLOW, self.slow.map_or_else(String::new, |slow| slow.as_millis().to_string()));
        let log = OpenOptions::new().append(true).create(true).open(self.memory.join("said")).expect("writable");
        command.stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("it starts"));
    }

    /// kill -9
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        assert_eq!(child.try_wait().expect("it can be asked"), None, "it was alive: {}", self.said());
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }

    fn said(&self) -> String {
        fs::read_to_string(self.memory.join("said")).unwrap_or_default()
    }

    /// All that it has seen and done.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for line in fs::read_to_string(self.memory.join("came")).unwrap_or_default().lines() {
            let (id, mark) = line.split_once(' ').expect("an id and a mark");
            let count = memory.came.entry(id.to_owned()).or_default();
            *count += 1;
            if *count > 1 && mark != "true" {
                memory.unmarked.push(id.to_owned());
            }
        }
        for entry in fs::read_dir(&self.memory).expect("readable").flatten() {
            let name = entry.file_name().into_string().expect("ASCII");
            if let Some(("done", rest)) = name.split_once('.') {
                let (id, _) = rest.split_once('.').expect("an id and a number");
                *memory.done.entry(id.to_owned()).or_default() += 1;
            }
        }
        memory
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What the process works with.
struct Office {
    client: Client,
    anchors: Anchors,
    schemas: Schemas,
    memory: PathBuf,
    slow: Option<Duration>,
    /// One question at a time is looked at.
    desk: Mutex<File>,
}

impl Office {
    /// Notes that a question came, and does it, unless it came with the word and was done before; gives the answer.
    fn take(&self, octets: &[u8], mark: &str) -> (MessageId, Vec<u8>) {
        let (asked, _) = verify_under(octets, &self.anchors, &self.schemas).expect("a question");
        let id = asked.header.id;
        let mut came = self.desk.lock().expect("nobody panics");
        came.write_all(format!("{id} {mark}\n").as_bytes()).expect("writable");
        let mut done = (1..).map(|number| self.memory.join(format!("done.{id}.{number}")));
        let before: Vec<PathBuf> = done.clone().take_while(|path| path.exists()).collect();
        if let Some(last) = before.last().filter(|_| mark == "true") {
            return (id, fs::read(last).expect("readable"));
        }
        let reply = ReplyTo { id, digest: digest_of(octets).expect("a digest") };
        let answer = self.client.sign(&none(&self.client, reply, &asked), "").expect("signed").octets;
        // It is done, and its answer is there, at once or not at all.
        let half = self.memory.join("half");
        fs::write(&half, &answer).expect("writable");
        fs::rename(&half, done.nth(before.len()).expect("numbers do not end")).expect("renamed");
        (id, answer)
    }

    /// Writes down that it owes an answer.
    fn owe(&self, id: MessageId, answer: &[u8]) {
        let half = self.memory.join(format!("half.{id}"));
        fs::write(&half, answer).expect("writable");
        fs::rename(&half, self.memory.join(format!("owed.{id}"))).expect("renamed");
    }

    /// Sends an answer that it owes by a message of its own, until somebody says what became of it.
    async fn pay(&self, id: MessageId, answer: Vec<u8>) {
        loop {
            match self.client.post(answer.clone(), "", Duration::from_secs(5)).await {
                Ok(received) if received.status.as_u16() < 500 && received.status.as_u16() != 429 => break,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        let _ = fs::remove_file(self.memory.join(format!("owed.{id}")));
    }
}

fn none(client: &Client, reply: ReplyTo, asked: &Message) -> Message {
    let header = client.header(Kind::Answer, Some(asked.header.from.clone()), Some(reply), World::Live).expect("a header");
    let body = Body::NoRecord { document_type: Code::parse("identity-record").expect("a code") };
    Message { header, context: asked.context.clone(), body, attachments: Vec::new() }
}

async fn answer(office: Arc<Office>, request: Request<Incoming>) -> Result<Response<transport::Body>, hyper::Error> {
    let mark = request.headers().get("oncegate-redelivered").map_or("new", |value| value.to_str().expect("ASCII")).to_owned();
    let octets = request.into_body().collect().await?.to_bytes();
    let (id, answer) = office.take(&octets, &mark);
    let die = id.octets()[15];
    // It takes its time: so it is killed with what it has done and has not said.
    tokio::time::sleep(office.slow.unwrap_or(Duration::from_millis(u64::from(die % 16)))).await;
    let mut response = Response::new(full(answer.clone()));
    if die >= 192 && office.slow.is_none() {
        office.owe(id, &answer);
        tokio::spawn(async move { office.pay(id, answer).await });
        response = Response::new(full(""));
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    Ok(response)
}

async fn serve(office: Arc<Office>, folder: &Path, address: SocketAddr) {
    let identity = Identity::load(&folder.join("tls.pem"), &folder.join("tls.key"), &folder.join("ca.pem"), None);
    let tls = TlsAcceptor::from(identity.expect("files").server().expect("they fit").config());
    let listener = TcpListener::bind(address).await.expect("its predecessor is gone");
    for entry in fs::read_dir(&office.memory).expect("readable").flatten() {
        let name = entry.file_name().into_string().expect("ASCII");
        if let Some(id) = name.strip_prefix("owed.").and_then(MessageId::parse) {
            let (office, answer) = (Arc::clone(&office), fs::read(entry.path()).expect("readable"));
            tokio::spawn(async move { office.pay(id, answer).await });
        }
    }
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, office) = (tls.clone(), Arc::clone(&office));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(move |request| answer(Arc::clone(&office), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[test]
#[ignore = "a process that other tests start"]
fn a_holder_as_a_process() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let memory = PathBuf::from(std::env::var_os(MEMORY).expect("with its memory"));
    let address = std::env::var(ADDRESS).expect("with its address").parse().expect("an address");
    // Whoever started it may be killed.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let came = OpenOptions::new().append(true).create(true).open(memory.join("came")).expect("writable");
    let office = Arc::new(Office {
        client: Client::load(&folder).expect("a client"),
        anchors: Anchors::load(&folder.join("ca.pem")).expect("authorities"),
        schemas: Schemas::built_in(),
        memory,
        slow: std::env::var(SLOW).ok().and_then(|slow| slow.parse().ok()).map(Duration::from_millis),
        desk: Mutex::new(came),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(serve(office, &folder, address));
}

/// Asks the civil registry, which is slow, and waits until it has the question so often.
async fn has_come(holder: &Holder, request: &Signed, times: usize) {
    let came = || holder.memory().came.get(&request.id.to_string()).copied().unwrap_or(0);
    let waiting = async {
        while came() < times {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.expect("it comes");
}

#[test]
fn whoever_may_have_had_a_question_is_told_so_whatever_way_it_comes_again() {
    let scene = Scene::prepared_without("records = \"off\"\n", &[REGISTRY], &|_| {});
    let slow = Duration::from_millis(limits::AGAIN_MS + 500);
    let mut holder = Holder::start(&scene, REGISTRY, Some(slow));
    let fund = client(&scene, FUND);
    let ask = |household: usize| {
        let person = &scene.world().people()[household * 4];
        let context = Context::new(Code::parse("birth-allowance").expect("a code"), "XX:FAMILY:81", person.subject());
        lasting(&fund, "identity-record", context)
    };
    let post = |request: &Signed| {
        let (fund, octets) = (fund.clone(), request.octets.clone());
        tokio::spawn(async move { fund.post(octets, "wait=30", LONG).await })
    };
    let gateway = scene.start();
    let (first, doubted, unheard, broken) = (ask(0), ask(1), ask(2), ask(3));
    scene.block_on(async {
        // A kept connection that gives nothing for long is doubted: a copy goes by another.
        for request in [&first, &doubted] {
            assert_eq!(post(request).await.expect("it ends").expect("an answer").status.as_u16(), 200);
        }
        assert_eq!(holder.memory().came[&doubted.id.to_string()], 2);
        // The gateway dies while its holder has a question: the consumer sends it again.
        drop(post(&unheard));
        has_come(&holder, &unheard, 1).await;
    });
    gateway.kill();
    let gateway = scene.start();
    scene.block_on(async {
        drop(post(&unheard));
        has_come(&holder, &unheard, 2).await;
        // The connection breaks: it is kept, and tried again.
        drop(post(&broken));
        has_come(&holder, &broken, 1).await;
        holder.kill();
        holder.run();
        has_come(&holder, &broken, 2).await;
    });
    let memory = holder.memory();
    assert_eq!(memory.unmarked, Vec::<String>::new());
    assert!(memory.done.values().all(|count| *count == 1), "{:?}", memory.done);
    gateway.stop();
}

/// So it is for whoever comes for its questions.
#[test]
fn a_worker_is_told_that_a_question_failed_before() {
    let scene = Scene::prepared_without_clinic("records = \"off\"\n", &are_outbound);
    let (school, clinic) = (scene.client(), client(&scene, "xx.demo.clinic-3"));
    let request = scene.request(&school, 1);
    let gateway = scene.start();
    scene.block_on(async {
        for mark in ["", "true"] {
            assert_eq!(post(&school, &request, "respond-async").await.status.as_u16(), 202);
            let found = clinic.get("/v1/inbox?wait=30").await.expect("the gateway is there");
            assert_eq!((found.status.as_u16(), header(&found, "oncegate-redelivered")), (200, mark));
            // An answer to somebody else's question.
            let about = scene.request(&school, 4);
            let wrong = crate::inbox::answer(&scene, &clinic, &about.octets);
            let text = String::from_utf8(wrong.octets).expect("UTF-8");
            let signature = text.find("<Signature").expect("signed");
            let reply = [about.id.to_string(), about.digest.to_string()];
            let own = [request.id.to_string(), request.digest.to_string()];
            let markup = format!("{}</Message>", &text[..signature]).replace(&reply[0], &own[0]).replace(&reply[1], &own[1]);
            let wrong = clinic.sign_markup(&markup).expect("signed");
            let refused = clinic.post(wrong, "", LONG).await.expect("the gateway is there");
            assert_eq!(problem_of(&refused).code, "OG-RTE-004");
        }
    });
    gateway.stop();
}
