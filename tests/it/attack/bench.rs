//! What attacks are made of and sent with.

use crate::world::World;
use oncegate::base::ids::Code;
use oncegate::faces::client::{Client, Problem, problem_of};
use oncegate::host::transport::Identity;
use oncegate::message::envelope::{Ask, Body, Context, Kind, Message, World as MessageWorld, write};
use oncegate::program::demo::Behaviour;
use rustls::pki_types::ServerName;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub const SCHOOL: &str = "xx.demo.school-17";
pub const FUND: &str = "xx.demo.social-fund";
const LONG: Duration = Duration::from_secs(30);

/// One attack.
pub struct Attack {
    pub class: &'static str,
    pub name: String,
    pub how: How,
    /// The codes that it may get, or beginnings of them; a status stands for a response without a code.
    pub codes: &'static [&'static str],
}

/// How it is sent.
pub enum How {
    /// As a message of the school.
    Message(Vec<u8>),
    /// As a message that another agency's system brings.
    By(&'static str, Vec<u8>),
    /// As these octets over the school's TLS connection.
    Raw(Vec<u8>),
}

/// What came back.
pub struct Outcome {
    pub status: u16,
    pub code: String,
    pub body: String,
    pub index: Option<u64>,
    pub responses: usize,
    /// Who may read its record.
    pub by: &'static str,
}

impl Outcome {
    pub fn shown(&self) -> String {
        self.body.chars().take(300).collect()
    }

    pub fn record(&self) -> Option<(u64, String, &'static str)> {
        self.index.map(|index| (index, self.code.clone(), self.by))
    }
}

/// The agencies and the gateway of the attacks.
pub struct Bench<'w> {
    pub world: &'w World,
    pub school: Client,
    pub fund: Client,
    /// A port that nobody may connect to.
    pub canary: u16,
    /// The index, the code and the reader of each refusal's record.
    pub recorded: RefCell<Vec<(u64, String, &'static str)>>,
    tls: Arc<rustls::ClientConfig>,
}

impl<'w> Bench<'w> {
    pub fn new(world: &'w World, canary: u16) -> Self {
        let client = |name: &str| world.demo().client(name).expect("an agency");
        let folder = world.agency_dir(SCHOOL);
        let identity =
            Identity::load(&folder.join("tls.pem"), &folder.join("tls.key"), &folder.join("ca.pem"), None).expect("an identity");
        let tls = identity.client().expect("TLS");
        Self { world, school: client(SCHOOL), fund: client(FUND), canary, recorded: RefCell::default(), tls }
    }

    /// A new request of the school about a pupil who is answered honestly.
    pub fn message(&self) -> Message {
        self.message_of(&self.school)
    }

    pub fn message_of(&self, client: &Client) -> Message {
        let code = |text| Code::parse(text).expect("a code");
        let person = &self.world.demo().people()[Behaviour::Honest.household() as usize * 4];
        Message {
            header: client.header(Kind::Request, None, None, MessageWorld::Live).expect("a header"),
            context: Some(Context::new(code("school-attendance"), "XX:HEALTH:13", person.subject())),
            body: Body::Ask(Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None }),
            attachments: Vec::new(),
        }
    }

    /// Its markup, not signed.
    pub fn markup(&self) -> String {
        write(&self.message(), "")
    }

    /// It, signed.
    pub fn signed(&self) -> String {
        self.sign(&self.markup())
    }

    /// Signs what can be signed, and gives the rest back as it is.
    pub fn sign(&self, markup: &str) -> String {
        let signed = self.school.sign_markup(markup).unwrap_or_else(|_| markup.as_bytes().to_vec());
        String::from_utf8(signed).expect("UTF-8")
    }

    /// A new signed request with one text replaced before it is signed.
    pub fn before(&self, from: &str, to: &str) -> How {
        let markup = self.markup();
        assert!(markup.contains(from), "{from} is not in {markup}");
        How::Message(self.sign(&markup.replacen(from, to, 1)).into_bytes())
    }

    /// A new signed request with one text replaced after it was signed.
    pub fn after(&self, from: &str, to: &str) -> How {
        let signed = self.signed();
        assert!(signed.contains(from), "{from} is not in {signed}");
        How::Message(signed.replacen(from, to, 1).into_bytes())
    }

    /// A new signed request with what stands between two texts replaced before it is signed.
    pub fn with_leaf(&self, name: &str, value: &str) -> How {
        let markup = self.markup();
        How::Message(self.sign(&replaced_leaf(&markup, name, value)).into_bytes())
    }

    /// Sends an attack.
    pub fn send(&self, attack: &Attack) -> Outcome {
        match &attack.how {
            // Beyond the limit the gateway answers before the body is there, and closes.
            How::Message(octets) if octets.len() > oncegate::base::limits::MESSAGE_BYTES_MAX => {
                let head = format!(
                    "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\
                     Content-Type: application/xml\r\nContent-Length: {}\r\n\r\n",
                    octets.len()
                );
                self.world.block_on(self.raw(head.as_bytes()))
            }
            How::Message(octets) => self.post(&self.school, octets.clone(), SCHOOL),
            How::By(name, octets) => {
                let client = self.world.demo().client(name).expect("an agency");
                self.post(&client, octets.clone(), name)
            }
            How::Raw(octets) => self.world.block_on(self.raw(octets)),
        }
    }

    fn post(&self, client: &Client, octets: Vec<u8>, by: &'static str) -> Outcome {
        let received = self.world.block_on(client.post(octets, "wait=20", LONG)).expect("a response");
        let problem = if received.status.is_success() { Problem::default() } else { problem_of(&received) };
        Outcome {
            status: received.status.as_u16(),
            code: problem.code,
            body: String::from_utf8_lossy(&received.body).into_owned(),
            index: problem.log_index,
            responses: 1,
            by,
        }
    }

    /// Sends octets over a connection of their own, and reads until it is closed.
    pub async fn raw(&self, octets: &[u8]) -> Outcome {
        let address = self.world.demo().exchange_address();
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls));
        let mut stream = connector.connect(name, stream).await.expect("TLS");
        // A peer that refuses a head may close before all of it is written.
        let _ = stream.write_all(octets).await;
        let mut response = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut response)).await.expect("it is closed");
        let response = String::from_utf8_lossy(&response).into_owned();
        let status = response.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        let problem: Problem = serde_json::from_str(&body).unwrap_or_default();
        let responses = response.split("HTTP/1.1 ").skip(1).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).count();
        Outcome { status, code: problem.code, body, index: problem.log_index, responses, by: SCHOOL }
    }

    pub fn good_message_passes(&self) -> bool {
        let received = self.world.block_on(self.school.post(self.signed().into_bytes(), "wait=20", LONG));
        received.expect("a response").status.as_u16() == 200
    }

    /// The refusals that the log does not have under their code.
    pub fn missing_records(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (index, code, by) in self.recorded.borrow().iter() {
            let client = match *by {
                SCHOOL => &self.school,
                FUND => &self.fund,
                // Who is not in the registry, or suspended, cannot read.
                _ => continue,
            };
            let received = self.world.block_on(client.get(&format!("/v1/log/records/{index}"))).expect("a response");
            let body = String::from_utf8_lossy(&received.body).into_owned();
            if !body.contains(&format!("\"{code}\"")) {
                missing.push(format!("record {index} of {by} does not say {code}: {body}"));
            }
        }
        missing
    }

    pub fn folder(&self, agency: &str) -> PathBuf {
        self.world.agency_dir(agency)
    }
}

/// Replaces the content of the first element of this name.
pub fn replaced_leaf(markup: &str, name: &str, value: &str) -> String {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let from = markup.find(&start).unwrap_or_else(|| panic!("{name} is in {markup}")) + start.len();
    let to = from + markup[from..].find(&end).expect("it ends");
    format!("{}{value}{}", &markup[..from], &markup[to..])
}

/// An element of a document, tags included.
pub fn element(markup: &str, name: &str) -> String {
    let start = markup.find(&format!("<{name}")).unwrap_or_else(|| panic!("{name} is in {markup}"));
    let close = format!("</{name}>");
    let end = start + markup[start..].find(&close).expect("it ends") + close.len();
    markup[start..end].to_owned()
}

/// The base64 of a certificate in a PEM file.
pub fn certificate(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("readable");
    text.lines().filter(|line| !line.starts_with("-----")).collect()
}

/// Puts attacks of one class together.
pub struct List {
    class: &'static str,
    pub attacks: Vec<Attack>,
}

impl List {
    pub fn new(class: &'static str) -> Self {
        Self { class, attacks: Vec::new() }
    }

    pub fn add(&mut self, name: impl Into<String>, codes: &'static [&'static str], how: How) {
        self.attacks.push(Attack { class: self.class, name: name.into(), how, codes });
    }
}
