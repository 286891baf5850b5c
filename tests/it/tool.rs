//! Foreign tools as peers: whatever signs, verifies, asks or answers without a line of our code.

use oncegate::base::ids::MessageId;
use oncegate::base::time::UnixTime;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The agency that asks.
pub const SCHOOL: &str = "xx.demo.school-17";
/// The agency that answers.
pub const CLINIC: &str = "xx.demo.clinic-3";
/// A subject that the clinic knows; the value fits `examples/register.csv`.
pub const SUBJECT: &str = "XX-OGTEST:99000000136";
/// A subject of whom nobody knows anything.
pub const STRANGER: &str = "XX-OGTEST:99000000245";
const PURPOSE: &str = "school-attendance";
const LEGAL_BASIS: &str = "XX:HEALTH:13";

/// A tool that signs and verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name for `tests/peers/peer`.
    pub name: &'static str,
    /// The keys of an agency's folder that it can sign with.
    pub keys: &'static [&'static str],
}

const COMMON: &[&str] = &["sign", "sign-rsa"];
const WITH_ED25519: &[&str] = &["sign", "sign-rsa", "sign-ed25519"];
/// All of them.
pub const TOOLS: [Tool; 5] = [
    Tool { name: "xmlsec1", keys: COMMON },
    Tool { name: "signxml", keys: COMMON },
    Tool { name: "santuario", keys: COMMON },
    Tool { name: "xml-crypto", keys: WITH_ED25519 },
    Tool { name: "jdk", keys: WITH_ED25519 },
];

impl Tool {
    /// Signs a message.
    pub fn sign(self, agency: &Path, key: &str, message: &Path, signed: &Path) {
        let output = self.command("sign").arg(agency).arg(key).arg(message).arg(signed).output().expect("it starts");
        assert!(output.status.success() && signed.exists(), "{} with {key}: {}", self.name, said(&output));
    }

    /// The digest of each message, in hex; none where the tool refuses it.
    pub fn verify(self, agency: &Path, messages: &[PathBuf]) -> Vec<Option<String>> {
        let output = self.command("verify").arg(agency).args(messages).output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let verdicts: Vec<_> = text.lines().map(|line| line.strip_prefix("valid ").map(str::to_owned)).collect();
        assert_eq!(verdicts.len(), messages.len(), "{}: {}", self.name, said(&output));
        verdicts
    }

    /// Runs the example that asks for a medical absence note.
    pub fn consumer(self, key: &str, agency: &Path, url: &str, from: &str, subject: &str) -> Output {
        let mut command = self.command("consumer");
        command.env("SIGN", key).arg(agency).args([url, from, "medical-absence-note", subject, PURPOSE, LEGAL_BASIS]);
        command.output().expect("it starts")
    }

    /// Starts the example that answers.
    pub fn provider(self, key: &str, agency: &Path, id: &str, port: u16) -> Program {
        let register = root().join("examples/register.csv");
        let mut command = self.command("provider");
        command.env("SIGN", key).arg(agency).args([id, &port.to_string()]).arg(register);
        Program::start(command, port)
    }

    /// Starts the example that comes for what waits.
    #[cfg(feature = "server")]
    pub fn worker(self, agency: &Path, url: &str, id: &str) -> Program {
        let register = root().join("examples/register.csv");
        let mut command = self.command("worker");
        command.arg(agency).args([url, id]).arg(register).stdout(Stdio::null()).stderr(Stdio::null());
        Program(command.spawn().expect("it starts"))
    }

    fn command(self, what: &str) -> Command {
        let root = root();
        assert!(root.join("target/peers/java.stamp").exists(), "the peers are not installed yet: run tests/run once");
        let mut command = Command::new(root.join("tests/peers/peer"));
        command.args([self.name, what]);
        command
    }
}

/// A running program; it ends with this value.
pub struct Program(Child);

impl Program {
    /// Starts a program and waits until it listens.
    pub fn start(mut command: Command, port: u16) -> Self {
        // What is in Python leaves nothing beside its sources.
        let quiet = command.env("PYTHONDONTWRITEBYTECODE", "1").stdout(Stdio::null()).stderr(Stdio::null());
        let mut this = Self(quiet.spawn().expect("it starts"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(this.0.try_wait().is_ok_and(|ended| ended.is_none()), "{command:?} has ended");
            assert!(Instant::now() < deadline, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        this
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The template of a request, filled in for a subject, valid for five minutes.
pub fn request(from: &str, subject: &str) -> String {
    static COUNTER: AtomicU8 = AtomicU8::new(0);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let now = UnixTime::from_ms(u64::try_from(since.as_millis()).expect("before the year 584 million"));
    let mut random = [COUNTER.fetch_add(1, Ordering::Relaxed); 10];
    random[..4].copy_from_slice(&std::process::id().to_be_bytes());
    random[4..8].copy_from_slice(&since.subsec_nanos().to_be_bytes());
    let (scheme, value) = subject.split_once(':').expect("SCHEME:VALUE");
    let template = fs::read_to_string(root().join("examples/templates/request.xml")).expect("readable");
    [
        ("{MessageId}", &*MessageId::new(now, random).to_string()),
        ("{From}", from),
        ("{CreatedAt}", &now.to_string()),
        ("{ExpiresAt}", &UnixTime::from_ms(now.as_ms() + 300_000).to_string()),
        ("{Purpose}", PURPOSE),
        ("{LegalBasis}", LEGAL_BASIS),
        ("{Scheme}", scheme),
        ("{Value}", value),
        ("{DocumentType}", "medical-absence-note"),
    ]
    .iter()
    .fold(template, |text, (name, value)| text.replace(name, value))
}

/// What a program wrote.
pub fn said(output: &Output) -> String {
    format!("{}{} ({})", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr), output.status)
}

/// A port of the loopback that nobody uses. It lies below the ports that systems give to outgoing connections, and each
/// process begins elsewhere, so that nobody takes it before it is listened at.
pub fn free_port() -> u16 {
    static COUNTER: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 1_000).expect("small") * 12;
    let mut ports = std::iter::from_fn(|| Some(first + COUNTER.fetch_add(1, Ordering::Relaxed)));
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("there are many")
}

/// The folder of the package.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
