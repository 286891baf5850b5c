//! Notices as they arrive: a mail server that is not ours reads the mails, openssl verifies what webhooks are told.

use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::{Program, free_port, root, said};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oncegate::base::ids::Uuid;
use oncegate::base::time::UnixTime;
use oncegate::host::authority::{Authority, make_root};
use oncegate::host::config::Config;
use oncegate::host::notices::{Address, Notice, Notices, Undelivered};
use oncegate::host::transport::{Fetcher, Telling, trust};
use oncegate::rules::registry::Endpoint;
use oncegate::rules::situation::texts::TextEvent;
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the section `[notices]` says becomes whoever sends.
fn notices(folder: &Path, section: &str) -> Notices {
    let text = format!(
        "format = 1\ndata = \"data\"\n[exchange]\nlisten = \"127.0.0.1:8443\"\ncertificate = \"c\"\nkey = \"k\"\nauthorities = \"root.pem\"\n\
         [registry]\nfile = \"r\"\nsignature = \"s\"\nauthority = \"z\"\n[notices]\n{section}\n"
    );
    let config = Config::parse(&text, folder).unwrap_or_else(|(_, what)| panic!("{what}"));
    Notices::open(&config.notices).unwrap_or_else(|why| panic!("{why}"))
}

fn notice() -> Notice {
    Notice {
        id: Uuid::parse("01990a5d-ac96-774b-8cce-b302099a8057").expect("an id"),
        case: Uuid::parse("01990a5d-ac96-774b-8cce-b302099a8058").expect("an id"),
        event: TextEvent::Done,
        title: "Рождение ребёнка: свидетельство о рождении готово".to_owned(),
        text: "Ничего делать не нужно. Готово: свидетельство о рождении (ЗАГС).".to_owned(),
        language: "ru".to_owned(),
        link: Some("https://town.example/c/5rV0".to_owned()),
    }
}

fn to(address: &str) -> Address {
    Address::parse(address).expect("an address")
}

/// The mail server, and what it was given.
pub struct Mailbox {
    folder: Folder,
    pub port: u16,
    _server: Program,
}

impl Mailbox {
    pub fn start(wire: &str) -> Self {
        let (folder, port) = (Folder::new(), free_port());
        certificates(folder.path());
        let python = root().join("target/peers/venv/bin/python");
        assert!(python.exists(), "the peers are not installed yet: run tests/run once");
        let mut command = Command::new(python);
        command.arg(root().join("tests/peers/smtpd.py")).arg(port.to_string()).arg(folder.path()).arg(wire);
        command.args([folder.path().join("tls.pem"), folder.path().join("tls.key")]);
        let server = Program::start(command, port);
        Self { folder, port, _server: server }
    }

    /// Whoever sends by it; with more said of it.
    fn notices(&self, relay: &str, more: &str) -> Notices {
        let port = self.port;
        let mail = format!("mail = {{ relay = \"{relay}:{port}\", from = \"notices@town.example\"{more} }}");
        notices(self.folder.path(), &mail)
    }

    fn plain(&self) -> Notices {
        self.notices("smtp://127.0.0.1", "")
    }

    pub fn mails(&self) -> Vec<Value> {
        let read = |number: usize| fs::read_to_string(self.folder.path().join(format!("{number}.json"))).ok();
        (1..).map_while(read).map(|text| serde_json::from_str(&text).expect("JSON")).collect()
    }
}

/// An authority, `root.pem`, and a certificate of it for localhost; another, `other.pem`.
fn certificates(folder: &Path) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let now = UnixTime::from_ms(u64::try_from(since.as_millis()).expect("before the year 584 million"));
    let root = make_root("test", now).expect("a root");
    let authority = Authority::open(&root.certificate, &root.key).expect("an authority");
    let server = authority.issue_server("server", &["localhost".to_owned()], now).expect("a certificate");
    let other = make_root("other", now).expect("a root").certificate;
    for (name, text) in
        [("root.pem", &root.certificate), ("other.pem", &other), ("tls.pem", &server.certificate), ("tls.key", &server.key)]
    {
        fs::write(folder.join(name), text).expect("writable");
    }
}

fn field<'m>(mail: &'m Value, name: &str) -> &'m str {
    let fields = mail["fields"].as_array().expect("fields");
    let found: Vec<&str> = fields.iter().filter(|field| field[0] == name).filter_map(|field| field[1].as_str()).collect();
    assert_eq!(found.len(), 1, "{name}: {mail}");
    found[0]
}

fn names(mail: &Value) -> Vec<&str> {
    mail["fields"].as_array().expect("fields").iter().filter_map(|field| field[0].as_str()).collect()
}

#[tokio::test]
async fn a_mail_in_russian_arrives_readable_and_the_same_again_is_the_same() {
    let mailbox = Mailbox::start("plain");
    let (notices, notice) = (mailbox.plain(), notice());
    for _ in 0..2 {
        notices.send(&to("mailto:maria@home.example"), &notice).await.expect("it is taken");
    }
    let mails = mailbox.mails();
    assert_eq!(mails.len(), 2);
    let mail = &mails[0];
    assert_eq!((mail["from"].as_str(), &mail["to"]), (Some("notices@town.example"), &serde_json::json!(["maria@home.example"])));
    assert_eq!(field(mail, "Subject"), notice.title);
    assert_eq!(mail["text"], "Ничего делать не нужно. Готово: свидетельство о рождении (ЗАГС).\n\nhttps://town.example/c/5rV0");
    assert_eq!((mail["type"].as_str(), &mail["defects"]), (Some("text/plain"), &serde_json::json!([])));
    assert_eq!((field(mail, "From"), field(mail, "To")), ("notices@town.example", "maria@home.example"));
    assert_eq!((field(mail, "Auto-Submitted"), field(mail, "Content-Language")), ("auto-generated", "ru"));
    assert!(field(mail, "Content-Type").contains("utf-8") && !field(mail, "Date").is_empty(), "{mail}");
    let id = "<01990a5d-ac96-774b-8cce-b302099a8057@town.example>";
    assert_eq!((field(mail, "Message-ID"), field(&mails[1], "Message-ID")), (id, id));
    // No line is longer than RFC 5322 has it, and all of it is ASCII on its way.
    assert!(mail["octets"].as_str().expect("text").lines().all(|line| line.len() <= 78), "{mail}");
    // A name of letters beyond ASCII, as mail servers have it.
    notices.send(&to("mailto:maria@xn--e1aybc.example"), &notice).await.expect("it is taken");
    assert_eq!(mailbox.mails()[2]["to"], serde_json::json!(["maria@xn--e1aybc.example"]));
    // A link that the text has already does not stand there twice.
    let text = "See https://town.example/c/5rV0 for it.".to_owned();
    notices.send(&to("mailto:maria@home.example"), &Notice { text, ..notice }).await.expect("it is taken");
    assert_eq!(mailbox.mails()[3]["text"], "See https://town.example/c/5rV0 for it.");
}

#[tokio::test]
async fn nothing_that_is_said_becomes_a_header_or_a_command() {
    let mailbox = Mailbox::start("plain");
    let notices = mailbox.plain();
    notices.send(&to("mailto:maria@home.example"), &notice()).await.expect("it is taken");
    let expected: Vec<String> = names(&mailbox.mails()[0]).into_iter().map(str::to_owned).collect();
    let attacks = [
        "\r\nBcc: eve@evil.example",
        "x\r\nBcc: eve@evil.example\r\n\r\n<b>x</b>",
        "x\nSubject: y",
        "x\rSubject: y",
        "x\r\n\r\n.\r\nMAIL FROM:<eve@evil.example>\r\nRCPT TO:<eve@evil.example>\r\nDATA\r\n",
        ".\r\n.\r\nQUIT",
        "\u{2028}Bcc: eve@evil.example\u{85}X: y\0\u{b}\u{c}",
        "=?utf-8?q?=0D=0ABcc:_eve=40evil.example?=",
        "",
    ];
    for (at, attack) in attacks.iter().enumerate() {
        let attack = (*attack).to_owned();
        let (title, text, link) = (attack.clone(), attack.clone(), Some(attack.clone()));
        let notice = Notice { title, text, link, language: attack.clone(), ..notice() };
        notices.send(&to("mailto:maria@home.example"), &notice).await.expect("it is taken");
        let mails = mailbox.mails();
        assert_eq!(mails.len(), at + 2, "{attack:?}");
        let mail = &mails[at + 1];
        assert_eq!(names(mail), expected, "{attack:?}: {mail}");
        assert_eq!((&mail["to"], field(mail, "To")), (&serde_json::json!(["maria@home.example"]), "maria@home.example"));
        assert_eq!(field(mail, "From"), "notices@town.example");
    }
    // A text that begins with a point comes as it is.
    notices
        .send(&to("mailto:maria@home.example"), &Notice { text: ".x".to_owned(), link: None, ..notice() })
        .await
        .expect("taken");
    assert_eq!(mailbox.mails().last().expect("a mail")["text"], ".x");
}

#[tokio::test]
async fn a_refusal_of_the_moment_is_worth_another_try_and_one_of_the_recipient_is_not() {
    let mailbox = Mailbox::start("plain");
    let notices = mailbox.plain();
    let busy = to("mailto:busy@home.example");
    let told = notices.send(&busy, &notice()).await;
    assert_eq!(told, Err(Undelivered::Later("the mail server, about the recipient: status 451".to_owned())));
    let told = notices.send(&to("mailto:nobody@home.example"), &notice()).await;
    assert_eq!(told, Err(Undelivered::Never("the mail server, about the recipient: status 550".to_owned())));
    let told = notices.send(&to("mailto:full@home.example"), &notice()).await;
    assert_eq!(told, Err(Undelivered::Never("the mail server, about the message: status 552".to_owned())));
    assert!(mailbox.mails().is_empty());
    fs::write(mailbox.folder.path().join("calm"), "").expect("writable");
    assert_eq!(notices.send(&busy, &notice()).await, Ok(()));
    assert_eq!(mailbox.mails().len(), 1);
    // What is said about the gateway is no word about the person.
    fs::write(mailbox.folder.path().join("closed"), "").expect("writable");
    let told = notices.send(&to("mailto:maria@home.example"), &notice()).await;
    assert_eq!(told, Err(Undelivered::Later("the mail server, about the sender: status 550".to_owned())));
    // Nobody is there at all; and nothing is configured.
    let gone = format!("mail = {{ relay = \"smtp://127.0.0.1:{}\", from = \"a@b\" }}", free_port());
    let told = self::notices(mailbox.folder.path(), &gone).send(&busy, &notice()).await;
    assert!(matches!(told, Err(Undelivered::Later(_))), "{told:?}");
    for address in ["mailto:a@b", "https://hooks.example/"] {
        let told = self::notices(mailbox.folder.path(), "").send(&to(address), &notice()).await;
        assert!(matches!(&told, Err(Undelivered::Never(why)) if why.contains("[notices]")), "{told:?}");
    }
}

#[tokio::test]
async fn mail_goes_over_tls_to_whoever_the_authority_knows_and_to_nobody_else() {
    for (wire, relay) in [("tls", "smtps://localhost"), ("starttls", "smtp://localhost")] {
        let mailbox = Mailbox::start(wire);
        fs::write(mailbox.folder.path().join("password"), "secret\n").expect("writable");
        let login = ", user = \"gateway\", password_file = \"password\"";
        mailbox.notices(relay, login).send(&to("mailto:maria@home.example"), &notice()).await.expect("it is taken");
        let mails = mailbox.mails();
        assert_eq!((mails.len(), &mails[0]["tls"], &mails[0]["login"]), (1, &Value::Bool(true), &"gateway".into()), "{wire}");
        assert_eq!(field(&mails[0], "Subject"), notice().title);
        // A wrong password is nobody's fault but the operator's, who may put it right.
        fs::write(mailbox.folder.path().join("password"), "secrex\n").expect("writable");
        let told = mailbox.notices(relay, login).send(&to("mailto:maria@home.example"), &notice()).await;
        assert_eq!(told, Err(Undelivered::Later("the mail server: the login: status 535".to_owned())), "{wire}");
        // A certificate of another authority, and one for another name.
        let mail = |host: &str| format!("mail = {{ relay = \"{host}:{}\", from = \"notices@town.example\" }}", mailbox.port);
        let other = format!("{}\nauthorities = \"other.pem\"", mail(relay));
        let elsewhere = mail("smtps://127.0.0.1");
        for section in [&other, &elsewhere] {
            let told = notices(mailbox.folder.path(), section).send(&to("mailto:maria@home.example"), &notice()).await;
            assert!(matches!(told, Err(Undelivered::Later(_))), "{section}: {told:?}");
        }
        assert_eq!(mailbox.mails().len(), 1, "{wire}");
    }
    // A server that does not begin TLS is told nothing.
    let mailbox = Mailbox::start("plain");
    let told = mailbox.notices("smtp://localhost", "").send(&to("mailto:maria@home.example"), &notice()).await;
    assert_eq!(told, Err(Undelivered::Later("the mail server: the mail server has no STARTTLS".to_owned())));
    assert!(mailbox.mails().is_empty());
}

/// On a clock that jumps: whoever connects and says nothing, or nothing more, has had all its time.
#[tokio::test(start_paused = true)]
async fn whoever_hangs_is_waited_for_so_long_and_no_longer() {
    let folder = Folder::new();
    certificates(folder.path());
    for greeting in ["", "220 mail.example\r\n"] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let at = listener.local_addr().expect("bound");
        let hanging = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.write_all(greeting.as_bytes()).await.expect("writable");
            std::future::pending::<()>().await;
        });
        let section =
            format!("mail = {{ relay = \"smtp://{at}\", from = \"a@b\" }}\nwebhook_key = \"w.key\"\nwebhook_hosts = [\"{at}\"]");
        let notices = notices(folder.path(), &section);
        for address in ["mailto:maria@home.example", &format!("http://{at}/")] {
            let told = notices.send(&to(address), &notice()).await;
            assert!(matches!(told, Err(Undelivered::Later(_))), "{address}: {told:?}");
        }
        hanging.abort();
    }
}

/// Somebody who is told by HTTP: each connection gets the next answer, as it stands, and the last one again and again.
pub struct Receiver {
    pub at: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    pub async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let (at, heard) = (listener.local_addr().expect("bound"), Arc::<Mutex<Vec<String>>>::default());
        let all = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut answers = answers.into_iter().peekable();
            let mut answer = String::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                answer = answers.next().unwrap_or(answer);
                let Some(request) = request(&mut stream).await else { continue };
                all.lock().expect("nobody panics").push(request);
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { at, heard }
    }

    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panics").clone()
    }

    /// Whoever tells it, since it is listed.
    fn notices(&self, folder: &Path) -> Notices {
        notices(folder, &format!("webhook_key = \"w.key\"\nwebhook_hosts = [\"{}\"]", self.at))
    }

    fn address(&self) -> Address {
        to(&format!("http://{}/told", self.at))
    }
}

/// A request with its body.
async fn request(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<String> {
    let mut said = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&said).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut said).await.ok()? == 0 {
            return None;
        }
    }
}

pub fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn header<'r>(request: &'r str, name: &str) -> &'r str {
    let (head, _) = request.split_once("\r\n\r\n").expect("a head");
    let fields: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect();
    assert_eq!(fields.len(), 1, "{name}: {head}");
    fields[0]
}

/// Whether openssl finds the signature of a request to be the key's.
fn is_verified(folder: &Path, notices: &Notices, request: &str) -> bool {
    let (_, body) = request.split_once("\r\n\r\n").expect("a head");
    let (seconds, signature) = header(request, "oncegate-signature").split_once(",ed25519=").expect("two parts");
    let seconds = seconds.strip_prefix("t=").expect("the seconds");
    let file = |name: &str, octets: &[u8]| -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, octets).expect("writable");
        path
    };
    let key = file("w.pub", notices.webhook_public_key().expect("a key").as_bytes());
    let signature = file("signature", &STANDARD.decode(signature).expect("Base64"));
    let signed = file("signed", format!("{seconds}.{body}").as_bytes());
    let mut openssl = Command::new("openssl");
    openssl
        .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"])
        .arg(key)
        .arg("-sigfile")
        .arg(signature)
        .arg("-in")
        .arg(signed);
    openssl.output().expect("it starts").status.success()
}

#[tokio::test]
async fn a_webhook_is_told_signed_and_again_until_it_confirms() {
    let folder = Folder::new();
    certificates(folder.path());
    let receiver = Receiver::start([status("503 Busy"), String::new(), status("204 No Content")].into()).await;
    let notices = receiver.notices(folder.path());
    let later = |told: &Result<(), Undelivered>| matches!(told, Err(Undelivered::Later(_)));
    let told = notices.send(&receiver.address(), &notice()).await;
    assert_eq!(told, Err(Undelivered::Later("the webhook answered with status 503".to_owned())));
    let told = notices.send(&receiver.address(), &notice()).await;
    assert!(later(&told), "it closed without a word: {told:?}");
    assert_eq!(notices.send(&receiver.address(), &notice()).await, Ok(()));
    let heard = receiver.heard();
    assert_eq!(heard.len(), 3);
    for request in &heard {
        assert!(request.starts_with("POST /told HTTP/1.1\r\n") && is_verified(folder.path(), &notices, request), "{request}");
        assert_eq!(header(request, "content-type"), "application/json");
        let (_, body) = request.split_once("\r\n\r\n").expect("a head");
        let body: Value = serde_json::from_str(body).expect("JSON");
        let notice = notice();
        for (key, expected) in [
            ("id", "01990a5d-ac96-774b-8cce-b302099a8057"),
            ("case", "01990a5d-ac96-774b-8cce-b302099a8058"),
            ("event", "done"),
            ("title", &notice.title),
            ("text", &notice.text),
            ("language", "ru"),
            ("link", "https://town.example/c/5rV0"),
        ] {
            assert_eq!(body[key], expected, "{body}");
        }
        let sent = UnixTime::parse(body["sentAt"].as_str().expect("a time")).expect("a time");
        assert!(header(request, "oncegate-signature").starts_with(&format!("t={},", sent.as_ms() / 1000)), "{request}");
    }
    let changed = heard[2].replace("done", "late");
    assert!(!is_verified(folder.path(), &notices, &changed), "what was changed is not verified");
    // The key was made once, for its owner alone; a second start has the same.
    let mode = fs::metadata(folder.path().join("w.key")).expect("it was made").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(receiver.notices(folder.path()).webhook_public_key(), notices.webhook_public_key());
}

#[tokio::test]
async fn of_the_statuses_of_a_webhook_some_are_worth_another_try_and_no_redirect_is_followed() {
    let folder = Folder::new();
    certificates(folder.path());
    let elsewhere = Receiver::start(vec![status("200 OK")]).await;
    for (line, expected) in [
        ("200 OK", "taken"),
        ("202 Accepted", "taken"),
        ("301 Moved Permanently", "never"),
        ("302 Found", "never"),
        ("307 Temporary Redirect", "never"),
        ("308 Permanent Redirect", "never"),
        ("400 Bad Request", "never"),
        ("401 Unauthorized", "never"),
        ("404 Not Found", "never"),
        ("408 Request Timeout", "later"),
        ("410 Gone", "never"),
        ("425 Too Early", "later"),
        ("429 Too Many Requests", "later"),
        ("500 Internal Server Error", "later"),
        ("599 Nobody Knows", "later"),
    ] {
        let answer = status(&format!("{line}\r\nlocation: http://{}/told", elsewhere.at));
        let receiver = Receiver::start(vec![answer]).await;
        let told = match receiver.notices(folder.path()).send(&receiver.address(), &notice()).await {
            Ok(()) => "taken",
            Err(Undelivered::Later(_)) => "later",
            Err(Undelivered::Never(_)) => "never",
        };
        assert_eq!((told, receiver.heard().len()), (expected, 1), "{line}");
    }
    let receiver = Receiver::start(vec!["SSH-2.0-x\r\n".to_owned()]).await;
    let told = receiver.notices(folder.path()).send(&receiver.address(), &notice()).await;
    assert!(matches!(told, Err(Undelivered::Later(_))), "{told:?}");
    assert!(elsewhere.heard().is_empty());
}

#[tokio::test]
async fn what_a_webhook_says_beside_its_status_is_not_waited_for() {
    let folder = Folder::new();
    certificates(folder.path());
    let long = "x".repeat(8 << 20);
    let receiver = Receiver::start(vec![format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", long.len())]).await;
    assert_eq!(receiver.notices(folder.path()).send(&receiver.address(), &notice()).await, Ok(()));
    // The status comes, and then nothing.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let at = Endpoint::parse(&format!("http://{}/", listener.local_addr().expect("bound"))).expect("a URL");
    let silent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        request(&mut stream).await.expect("a request");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx").await.expect("writable");
        std::future::pending::<()>().await;
    });
    let fetcher = Fetcher::new(trust(&folder.path().join("root.pem")).expect("a root"));
    let telling = Telling {
        media_type: "text/plain",
        octets: b"x".to_vec(),
        headers: Vec::new(),
        answer_bytes_max: 100,
        deadline: Duration::from_secs(3),
    };
    let told = fetcher.tell(&at, telling, |_| true).await;
    assert!(matches!(told, Ok(200)), "{told:?}");
    silent.abort();
}

#[tokio::test]
async fn a_webhook_is_no_way_into_a_private_network() {
    let folder = Folder::new();
    certificates(folder.path());
    let receiver = Receiver::start(vec![status("200 OK")]).await;
    let port = receiver.at.port();
    let section = format!("webhook_key = \"w.key\"\nwebhook_hosts = [\"localhost:1\", \"127.0.0.2:{port}\"]");
    let notices = notices(folder.path(), &section);
    for address in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        // Looked up and found to be the loopback.
        format!("https://localhost:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://0.0.0.0:{port}/"),
        "https://10.0.0.1/".to_owned(),
        "https://192.168.1.1/".to_owned(),
        "https://169.254.169.254/latest".to_owned(),
        "https://[fd00::1]/".to_owned(),
        "https://[fe80::1]/".to_owned(),
    ] {
        let told = notices.send(&to(&address), &notice()).await;
        let why = "the webhook is in a private network, and not in webhook_hosts".to_owned();
        assert_eq!(told, Err(Undelivered::Never(why)), "{address}");
    }
    assert!(receiver.heard().is_empty());
}

#[tokio::test]
async fn a_webhook_behind_tls_is_told_if_its_authority_is_believed() {
    let folder = Folder::new();
    certificates(folder.path());
    let receiver = Receiver::start(vec![status("200 OK")]).await;
    let (port, path) = (free_port(), |name: &str| folder.path().join(name));
    let mut socat = Command::new("socat");
    let (certificate, key) = (path("tls.pem"), path("tls.key"));
    let options = format!("bind=127.0.0.1,reuseaddr,fork,verify=0,cert={},key={}", certificate.display(), key.display());
    socat.arg(format!("OPENSSL-LISTEN:{port},{options}")).arg(format!("TCP:{}", receiver.at));
    let _socat = Program::start(socat, port);
    let section =
        |more: &str| format!("webhook_key = \"w.key\"\nwebhook_hosts = [\"LocalHost:{port}\", \"127.0.0.1:{port}\"]{more}");
    let own = notices(folder.path(), &section(""));
    assert_eq!(own.send(&to(&format!("https://localhost:{port}/told")), &notice()).await, Ok(()));
    let other = notices(folder.path(), &section("\nauthorities = \"other.pem\""));
    for (notices, host) in [(&other, "localhost"), (&own, "127.0.0.1")] {
        let told = notices.send(&to(&format!("https://{host}:{port}/told")), &notice()).await;
        assert!(matches!(told, Err(Undelivered::Later(_))), "{told:?}");
    }
    let heard = receiver.heard();
    assert!(heard.len() == 1 && is_verified(folder.path(), &own, &heard[0]), "{heard:?}");
}

#[test]
fn what_cannot_be_used_is_said_before_anybody_is_told_of_anything() {
    let folder = Folder::new();
    certificates(folder.path());
    for (name, text) in [("empty", "\n"), ("lines", "a\nb\n"), ("no.key", "nothing\n")] {
        fs::write(folder.path().join(name), text).expect("writable");
    }
    let why = |section: &str| {
        let text = format!(
            "format = 1\ndata = \"data\"\n[exchange]\nlisten = \"127.0.0.1:8443\"\ncertificate = \"c\"\nkey = \"k\"\nauthorities = \"root.pem\"\n\
             [registry]\nfile = \"r\"\nsignature = \"s\"\nauthority = \"z\"\n[notices]\n{section}\n"
        );
        let config = Config::parse(&text, folder.path()).unwrap_or_else(|(_, what)| panic!("{what}"));
        Notices::open(&config.notices).err().map_or_else(String::new, |why| why.to_string())
    };
    let login = |file: &str| {
        format!("mail = {{ relay = \"smtp://127.0.0.1:25\", from = \"a@b\", user = \"u\", password_file = \"{file}\" }}")
    };
    for (section, expected) in [
        (login("gone"), "gone"),
        (login("empty"), "empty: it has no password"),
        (login("lines"), "lines: it has no password"),
        ("webhook_key = \"no.key\"".to_owned(), "no.key"),
        // A key that TLS uses is none of Ed25519.
        ("webhook_key = \"tls.key\"".to_owned(), "webhooks are signed with Ed25519"),
        ("webhook_key = \"no/folder.key\"".to_owned(), "no/folder.key"),
        ("webhook_key = \"w.key\"\nauthorities = \"gone.pem\"".to_owned(), "gone.pem"),
    ] {
        let said = why(&section);
        assert!(said.contains(expected), "{section}: {said}");
    }
    assert_eq!(why("webhook_key = \"w.key\""), "");
}

/// Texts are files of a catalogue's folder as all others are.
#[test]
fn a_folder_may_have_texts_of_its_own() {
    let folder = Folder::new();
    let own = folder.path().join("texts/marriage");
    fs::create_dir_all(&own).expect("a folder");
    let check = || {
        let mut command = Command::new(oncegate());
        command.args(["catalogue", "check"]).arg(folder.path()).stdin(Stdio::null()).output().expect("it starts")
    };
    fs::write(own.join("done.en.txt"), "You need to do nothing. {stpe}\n").expect("writable");
    let refused = check();
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    let told = said(&refused);
    assert!(
        told.contains("texts/marriage/done.en.txt:1:25: OG-CAT-002 nothing is filled in for {stpe}; did you mean {step}?"),
        "{told}"
    );
    fs::write(own.join("done.en.txt"), "You need to do nothing. {step}\n").expect("writable");
    fs::write(own.join("notes.md"), "Nothing that is told.").expect("writable");
    let taken = check();
    assert!(taken.status.success(), "{}", said(&taken));
}
