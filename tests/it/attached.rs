//! Attachments with the real program: sent by curl, passed on to a holder, given back, refused, cut off, killed.

use crate::abuse::peer::{HTTP1, Peer};
use crate::delivery::{becomes, state};
use crate::figures::tell;
use crate::process::{LONG, Process, Scene, answered, oncegate};
use crate::suspicions::{client, nothing};
use crate::world::set_quota;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use oncegate::base::ids::{Code, Digest};
use oncegate::base::limits;
use oncegate::faces::client::{Attached, Client, Signed, digest_of, problem_of, verify_under};
use oncegate::host::transport::{self, Anchors, Identity, full};
use oncegate::message::crypto::{SealKey, Sha256, sha256};
use oncegate::message::envelope::{Ask, Attachment, Body, Context, Kind, Message, ReplyTo, World};
use oncegate::message::parts::{Event, Reader, Related};
use oncegate::message::schema::Schemas;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const SILENT: &str = "records = \"off\"\n";
const SCHOOL: &str = "xx.demo.school-17";
const CLINIC: &str = "xx.demo.clinic-3";
const FUND: &str = "xx.demo.social-fund";
/// More than is written at once.
const REPORT: usize = 1 << 20;
pub const KIND: &str = "multipart/related; boundary=\"b-0\"; type=\"application/xml\"";

pub fn attachment(id: &str, content: &[u8]) -> Attachment {
    let media_type = "application/pdf".to_owned();
    Attachment {
        id: id.to_owned(),
        name: format!("{id}.pdf"),
        media_type,
        size: content.len() as u64,
        sha256: sha256(content),
        document: None,
    }
}

/// A signed question that names these.
pub fn naming(scene: &Scene, client: &Client, attachments: Vec<Attachment>) -> Signed {
    let code = |text| Code::parse(text).expect("a code");
    let person = scene.world().people().first().expect("a person").subject();
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    let header = client.header(Kind::Request, None, None, World::Live).expect("a header");
    let context = Some(Context::new(code("school-attendance"), "XX:HEALTH:13", person));
    client.sign(&Message { header, context, body: Body::Ask(ask), attachments }, "").expect("signed")
}

fn part(id: &str, content: &[u8]) -> Vec<u8> {
    [format!("--b-0\r\nContent-Type: application/pdf\r\nContent-ID: <{id}>\r\n\r\n").as_bytes(), content, b"\r\n"].concat()
}

fn root(message: &[u8]) -> Vec<u8> {
    [b"--b-0\r\nContent-Type: application/xml\r\n\r\n".as_slice(), message, b"\r\n"].concat()
}

const END: &[u8] = b"--b-0--\r\n";

/// A message with parts, in the order given.
pub fn body(message: &[u8], parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = root(message);
    parts.iter().for_each(|(id, content)| body.extend(part(id, content)));
    body.extend_from_slice(END);
    body
}

pub struct Said {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Said {
    pub fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    fn has(&self, line: &str) -> bool {
        self.head.lines().any(|found| found.eq_ignore_ascii_case(line))
    }
}

/// What curl gets as an agency.
pub fn curl(scene: &Scene, agency: &str, path: &str, arguments: &[&str]) -> Said {
    let folder = scene.world().agency_folder(agency);
    let (head, body) = (scene.folder().join("curl-head"), scene.folder().join("curl-body"));
    let _ = (fs::remove_file(&head), fs::remove_file(&body));
    let mut curl = Command::new("curl");
    curl.args(["-s", "--max-time", "60", "-w", "%{http_code}"]);
    for (flag, file) in [("--cert", "tls.pem"), ("--key", "tls.key"), ("--cacert", "ca.pem")] {
        curl.arg(flag).arg(folder.join(file));
    }
    curl.arg("-D").arg(&head).arg("-o").arg(&body).args(arguments);
    let output = curl.arg(format!("https://{}{path}", scene.world().exchange_address())).output().expect("curl");
    let status = String::from_utf8_lossy(&output.stdout).parse().expect("a status");
    let head = fs::read_to_string(&head).unwrap_or_default();
    Said { status, head, body: fs::read(&body).unwrap_or_default() }
}

/// Sends a body of several parts.
pub fn post(scene: &Scene, octets: &[u8], arguments: &[&str]) -> Said {
    let file = scene.folder().join("body");
    fs::write(&file, octets).expect("writable");
    let (kind, data) = (format!("Content-Type: {KIND}"), format!("@{}", file.display()));
    let kind = if arguments.contains(&"Content-Type: application/xml") { "Accept-Language: en" } else { &kind };
    let common = ["-H", kind, "-H", "Prefer: wait=30", "--data-binary", &data];
    let accept = if arguments.contains(&"-H") { &[][..] } else { &["-H", "Accept: application/problem+json"][..] };
    curl(scene, SCHOOL, "/v1/messages", &[&common[..], accept, arguments].concat())
}

/// The files that attachments have left.
pub fn left(scene: &Scene) -> Vec<String> {
    let names = fs::read_dir(scene.data().join("attachments")).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Waits until nothing is left: a thread that wrote may be told a moment later.
pub fn expect_nothing_left(scene: &Scene, why: &str) {
    let begun = Instant::now();
    while !left(scene).is_empty() {
        assert!(begun.elapsed() < LONG, "{why}: {:?}", left(scene));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What came to a holder.
#[derive(Clone, Default)]
pub struct Seen {
    pub question: Vec<u8>,
    pub parts: Vec<(String, u64, Digest)>,
}

pub type Answer = Arc<dyn Fn(&Client, ReplyTo, &Message) -> Response<transport::Body> + Send + Sync>;

async fn read(request: Request<Incoming>) -> Seen {
    let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("").to_owned();
    let mut body = request.into_body();
    let Ok(related) = Related::parse(&kind) else {
        return Seen { question: body.collect().await.expect("whole").to_bytes().to_vec(), parts: Vec::new() };
    };
    let (mut reader, mut seen) = (Reader::new(&related), Seen::default());
    let mut open: Option<(String, u64, Sha256)> = None;
    while let Some(frame) = body.frame().await {
        reader.take(&frame.expect("whole").into_data().expect("octets"));
        while let Some(event) = reader.event().expect("parts") {
            match event {
                Event::Part(head) => open = Some((head.id.unwrap_or_default(), 0, Sha256::new())),
                Event::Octets(octets) => {
                    let (_, size, hash) = open.as_mut().expect("a part");
                    *size += octets.len() as u64;
                    hash.update(octets);
                    if seen.parts.is_empty() {
                        seen.question.extend_from_slice(octets);
                    }
                }
                Event::End => seen.parts.extend(open.take().map(|(id, size, hash)| (id, size, hash.finish()))),
            }
        }
    }
    reader.finish().expect("whole");
    seen.parts.remove(0);
    seen
}

/// A holder in the clinic's place; gives what has come to it.
pub fn holder(scene: &Scene, answer: Answer) -> Arc<Mutex<Vec<Seen>>> {
    let folder = scene.world().agency_folder(CLINIC);
    let identity = Identity::load(&folder.join("tls.pem"), &folder.join("tls.key"), &folder.join("ca.pem"), None);
    let tls = TlsAcceptor::from(identity.expect("files").server().expect("they fit").config());
    let anchors = Anchors::load(&folder.join("ca.pem")).expect("authorities");
    let (clinic, schemas) = (Arc::new(client(scene, CLINIC)), Arc::new(Schemas::built_in()));
    let all = Arc::<Mutex<Vec<Seen>>>::default();
    let noted = Arc::clone(&all);
    let listener = scene.block_on(TcpListener::bind(scene.world().provider_address(CLINIC).expect("a holder"))).expect("free");
    let service = move |request: Request<Incoming>| {
        let (anchors, clinic, schemas) = (anchors.clone(), Arc::clone(&clinic), Arc::clone(&schemas));
        let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
        async move {
            let seen = read(request).await;
            let (asked, _) = verify_under(&seen.question, &anchors, &schemas).expect("a question");
            let reply = ReplyTo { id: asked.header.id, digest: digest_of(&seen.question).expect("a digest") };
            noted.lock().expect("nobody panics").push(seen);
            Ok::<_, std::convert::Infallible>(answer(&clinic, reply, &asked))
        }
    };
    let serving = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, service) = (tls.clone(), service.clone());
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else { return };
                let builder = hyper::server::conn::http1::Builder::new();
                let _ = builder.serve_connection(TokioIo::new(stream), service_fn(service)).await;
            });
        }
    };
    scene.block_on(async { drop(tokio::spawn(serving)) });
    all
}

/// An answer that there is nothing, with what it names and the parts that come with it.
fn with(named: Vec<Attachment>, parts: Vec<(&'static str, Vec<u8>)>) -> Answer {
    Arc::new(move |clinic, reply, asked| {
        let message = Message { attachments: named.clone(), ..nothing(clinic, reply, asked) };
        let signed = clinic.sign(&message, "").expect("signed").octets;
        let parts: Vec<(&str, &[u8])> = parts.iter().map(|(id, content)| (*id, content.as_slice())).collect();
        let mut response = Response::new(full(if parts.is_empty() { signed.clone() } else { body(&signed, &parts) }));
        let kind = if parts.is_empty() { "application/xml" } else { KIND };
        response.headers_mut().insert("content-type", kind.parse().expect("a value"));
        response
    })
}

fn plainly() -> Answer {
    with(Vec::new(), Vec::new())
}

#[test]
fn attachments_go_to_the_holder_and_come_back_and_nobody_else_has_them() {
    let scene = Scene::without_clinic(SILENT);
    let (scan, note, report) = (vec![7; 200_000], b"\r\n--b-\r\n".to_vec(), vec![9; 65_536]);
    let seen = holder(&scene, with(vec![attachment("report", &report)], vec![("report", report.clone())]));
    let (gateway, school) = (scene.start(), scene.client());
    for protocol in ["--http1.1", "--http2"] {
        let named = vec![attachment("scan", &scan), attachment("note", &note), attachment("empty", b"")];
        let question = naming(&scene, &school, named);
        // In any order.
        let octets = body(&question.octets, &[("note", &note), ("empty", b""), ("scan", &scan)]);
        let answered = post(&scene, &octets, &[protocol]);
        assert_eq!((answered.status, answered.code()), (200, String::new()), "{protocol}: {}", answered.head);
        assert!(answered.has("content-type: application/xml"), "{}", answered.head);
        let came = seen.lock().expect("nobody panics").pop().expect("it was asked");
        assert_eq!(came.question, question.octets);
        let expected = [("scan", &scan), ("note", &note), ("empty", &Vec::new())];
        assert_eq!(
            came.parts,
            expected.map(|(id, content)| (id.to_owned(), content.len() as u64, sha256(content))),
            "{protocol}"
        );
        let whole = post(&scene, &octets, &[protocol, "-H", "Accept: multipart/related, application/problem+json"]);
        let (size, is_replayed) = (whole.body.len(), whole.has("oncegate-replayed: true"));
        assert!(whole.status == 200 && is_replayed && size > report.len(), "{}", whole.head);
        assert!(whole.body.windows(report.len()).any(|window| window == report) && whole.body.starts_with(b"--og-"));
        for (agency, hash, status) in [
            (SCHOOL, sha256(&report), 200),
            (SCHOOL, sha256(&scan), 200),
            (CLINIC, sha256(&note), 200),
            (CLINIC, sha256(b""), 200),
            (FUND, sha256(&report), 404),
            (FUND, sha256(&scan), 404),
            (SCHOOL, sha256(b"another"), 404),
        ] {
            let got = curl(&scene, agency, &format!("/v1/attachments/{hash}"), &[protocol]);
            assert_eq!(got.status, status, "{agency} {hash}");
            let is_whole = sha256(&got.body) == hash && got.has(&format!("content-length: {}", got.body.len()));
            assert!(status == 404 || is_whole, "{agency} {hash} {protocol}: {}", got.head);
        }
    }
    let files = left(&scene);
    assert!(files.iter().all(|name| name.starts_with("c-") || name.starts_with("n-")), "{files:?}");
    for name in files {
        let octets = fs::read(scene.data().join("attachments").join(&name)).expect("readable");
        assert!(
            ![&scan, &report].iter().any(|plain| octets.windows(64).any(|window| window == &plain[..64])),
            "{name} is not sealed"
        );
    }
    // They are there after a restart, too.
    gateway.kill();
    let gateway = scene.start();
    assert!(curl(&scene, SCHOOL, &format!("/v1/attachments/{}", sha256(&report)), &[]).body == report);
    gateway.stop();
}

#[test]
fn a_part_of_an_attachment_is_given_and_a_cut_fetch_goes_on() {
    let scene = Scene::without_clinic(SILENT);
    holder(&scene, plainly());
    let (gateway, school) = (scene.start(), scene.client());
    let scan: Vec<u8> = (0..300_000_u32).map(|number| (number / 7) as u8).collect();
    let question = naming(&scene, &school, vec![attachment("scan", &scan)]);
    assert_eq!(post(&scene, &body(&question.octets, &[("scan", &scan)]), &[]).status, 200);
    let path = format!("/v1/attachments/{}", sha256(&scan));
    let tag = format!("\"{}\"", sha256(&scan));
    let get = |range: &str, more: &[&str]| curl(&scene, SCHOOL, &path, &[&["-H", &format!("Range: {range}")], more].concat());
    const CHUNK: usize = limits::CHUNK_BYTES;
    for (first, last) in [(0, 0), (CHUNK - 1, CHUNK), (1, 3 * CHUNK), (CHUNK, 2 * CHUNK - 1), (299_999, 299_999), (4, 299_999)] {
        let got = get(&format!("bytes={first}-{last}"), &[]);
        assert!(got.status == 206 && got.body == scan[first..=last], "{first}-{last}: {}", got.head);
        assert!(
            got.has(&format!("content-range: bytes {first}-{last}/300000")) && got.has(&format!("etag: {tag}")),
            "{}",
            got.head
        );
    }
    assert!(get("bytes=-5", &[]).body == scan[299_995..]);
    assert_eq!(get("bytes=1-", &["-H", &format!("If-Range: {tag}")]).status, 206);
    assert_eq!(get("bytes=1-", &["-H", "If-Range: \"another\""]).status, 200);
    assert_eq!(get("bytes=0-1,3-4", &[]).status, 200);
    let beyond = get("bytes=300000-", &["-H", "Accept: application/problem+json"]);
    assert_eq!((beyond.status, beyond.code().as_str()), (416, "OG-ATT-009"));
    assert!(beyond.has("content-range: bytes */300000"), "{}", beyond.head);
    for protocol in ["--http1.1", "--http2"] {
        let head = curl(&scene, SCHOOL, &path, &["-I", protocol]);
        assert!(
            head.status == 200 && head.body == head.head.as_bytes() && head.has("content-length: 300000"),
            "{protocol} {}",
            head.head
        );
        assert!(head.has("accept-ranges: bytes"), "{}", head.head);
    }
    for protocol in ["--http1.1", "--http2"] {
        assert_eq!(curl(&scene, FUND, &path, &["-I", protocol]).status, 404, "{protocol}");
    }
    // A changed octet is found before anything of its chunk goes out.
    let name = left(&scene).into_iter().find(|name| name.starts_with("c-")).expect("a content");
    let file = scene.data().join("attachments").join(name);
    let mut octets = fs::read(&file).expect("readable");
    octets[2 * (CHUNK + 16) + 5] ^= 1;
    fs::write(&file, octets).expect("writable");
    for protocol in ["--http1.1", "--http2"] {
        let got = curl(&scene, SCHOOL, &path, &[protocol]).body;
        assert!(scan[..2 * CHUNK].starts_with(&got), "{protocol}: {} octets", got.len());
    }
    assert!(get(&format!("bytes={}-", 3 * CHUNK), &[]).body == scan[3 * CHUNK..]);
    gateway.stop();
}

/// What is wrong, its code, what the message names, and the parts behind it.
type Spoilt = (&'static str, &'static str, Vec<Attachment>, Vec<u8>);

fn spoilt(scan: &[u8], other: &[u8]) -> Vec<Spoilt> {
    let named = |name: &str| Attachment { name: name.to_owned(), ..attachment("scan", scan) };
    let good = || vec![attachment("scan", scan)];
    let two = || vec![attachment("scan", scan), attachment("note", b"n")];
    let head = |extra: &str| {
        let mut octets = root(b"");
        octets.truncate(0);
        octets.extend_from_slice(format!("--b-0\r\nContent-ID: <scan>\r\n{extra}\r\n").as_bytes());
        octets.extend_from_slice(scan);
        octets.extend_from_slice(b"\r\n");
        octets
    };
    let long = format!("X: {}\r\n", "y".repeat(limits::PART_HEAD_BYTES_MAX));
    let many = [head(""), part("x", b"").repeat(limits::ATTACHMENTS_MAX)].concat();
    vec![
        ("another hash", "OG-ATT-004", good(), part("scan", other)),
        ("a bit less", "OG-ATT-004", good(), part("scan", &scan[1..])),
        ("nothing of it", "OG-ATT-004", good(), part("scan", b"")),
        ("a bit more", "OG-ATT-004", good(), part("scan", &[scan, b"7"].concat())),
        ("far more", "OG-ATT-004", good(), part("scan", &vec![7; 3 << 20])),
        ("missing", "OG-ATT-003", two(), part("scan", scan)),
        ("all missing", "OG-ATT-003", two(), Vec::new()),
        ("unknown", "OG-ATT-002", good(), [part("scan", scan), part("more", b"x")].concat()),
        ("no identifier", "OG-ATT-002", good(), b"--b-0\r\n\r\nx\r\n".to_vec()),
        ("twice", "OG-ATT-002", good(), [part("scan", scan), part("scan", scan)].concat()),
        ("not named at all", "OG-ATT-002", Vec::new(), part("scan", scan)),
        ("the same id twice", "OG-ATT-002", vec![attachment("scan", scan), attachment("scan", b"n")], part("scan", scan)),
        ("a path", "OG-ATT-005", vec![named("../scan.pdf")], part("scan", scan)),
        ("a device", "OG-ATT-005", vec![named("NUL.pdf")], part("scan", scan)),
        ("a turned name", "OG-ATT-005", vec![named("a\u{202e}fdp.exe")], part("scan", scan)),
        ("one name twice", "OG-ATT-005", vec![named("A.pdf"), attachment("a", b"n")], part("scan", scan)),
        ("a long head", "OG-ATT-001", good(), head(&long)),
        ("a doubled field", "OG-ATT-001", good(), head("Content-ID: <scan>\r\n")),
        ("base64", "OG-ATT-001", good(), head("Content-Transfer-Encoding: base64\r\n")),
        ("too many", "OG-ATT-002", good(), many),
        ("a boundary that goes on", "OG-ATT-001", good(), [part("scan", scan), b"--b-0x\r\n\r\n\r\n".to_vec()].concat()),
        ("too large", "OG-ATT-006", vec![Attachment { size: 1 << 40, ..attachment("scan", scan) }], part("scan", scan)),
    ]
}

/// What is told to whoever sends this. Once refused, curl breaks off its upload; on HTTP/2 that makes its request malformed (RFC
/// 9113, section 8.1.1) and ends the stream, also between the head of our answer and the rest of it, if it is as quick as that.
/// Then it has the status alone, and asks again.
fn refusal(scene: &Scene, octets: &[u8], protocol: &str) -> Said {
    let mut said = post(scene, octets, &[protocol]);
    for _ in 0..3 {
        if !said.body.is_empty() {
            break;
        }
        assert_eq!((said.status, protocol), (400, "--http2"), "{}", said.head);
        said = post(scene, octets, &[protocol]);
    }
    said
}

#[test]
fn what_is_not_what_was_signed_is_refused_and_leaves_nothing() {
    let scene = Scene::without_clinic(SILENT);
    let seen = holder(&scene, plainly());
    let (gateway, school) = (scene.start(), scene.client());
    let (scan, other) = (vec![7; 150_000], vec![8; 150_000]);
    let good = || vec![attachment("scan", &scan)];
    let rows = spoilt(&scan, &other);
    for (what, code, named, parts) in rows {
        let question = naming(&scene, &school, named);
        let octets = [root(&question.octets), parts, END.to_vec()].concat();
        for protocol in ["--http1.1", "--http2"] {
            let refused = refusal(&scene, &octets, protocol);
            assert_eq!(refused.code(), code, "{what} {protocol}: {} {}", refused.head, String::from_utf8_lossy(&refused.body));
            assert!(refused.head.to_lowercase().contains("oncegate-log-index"), "{what} has no record");
            expect_nothing_left(&scene, what);
        }
    }
    let signed = naming(&scene, &school, good()).octets;
    for (what, code, octets) in [
        ("a preamble", "OG-ATT-001", [b"hello\r\n".to_vec(), body(&signed, &[("scan", &scan)])].concat()),
        ("an epilogue", "OG-ATT-001", [body(&signed, &[("scan", &scan)]), b"bye".to_vec()].concat()),
        ("no end", "OG-ATT-001", [root(&signed), part("scan", &scan)].concat()),
        ("no message", "OG-HTTP-007", [part("scan", &scan), END.to_vec()].concat()),
        ("a message that is too large", "OG-HTTP-006", body(&vec![b' '; limits::MESSAGE_BYTES_MAX + 1], &[])),
        ("a message that is none", "OG-XML-002", body(b"<m", &[("scan", &scan)])),
    ] {
        let refused = post(&scene, &octets, &[]);
        assert_eq!(refused.code(), code, "{what}: {}", String::from_utf8_lossy(&refused.body));
        expect_nothing_left(&scene, what);
    }
    // Without its attachments.
    let question = naming(&scene, &school, good());
    let refused = scene.block_on(school.post(question.octets.clone(), "wait=30", LONG)).expect("the gateway is there");
    assert_eq!(problem_of(&refused).code, "OG-ATT-003");
    // Somebody without a right to ask is refused before its attachments are read.
    let fund = client(&scene, FUND);
    let file = scene.folder().join("fund");
    fs::write(&file, body(&naming(&scene, &fund, good()).octets, &[("scan", &other)])).expect("writable");
    let (kind, data) = (format!("Content-Type: {KIND}"), format!("@{}", file.display()));
    let refused = curl(&scene, FUND, "/v1/messages", &["-H", &kind, "--data-binary", &data, "-H", "Accept: application/json"]);
    assert!(refused.code().starts_with("OG-POL"), "{}", refused.code());
    assert!(left(&scene).is_empty() && seen.lock().expect("nobody panics").is_empty());
    // The same messages are taken when they are whole; then their content may be named again.
    assert_eq!(post(&scene, &body(&question.octets, &[("scan", &scan)]), &[]).status, 200);
    let again = scene.block_on(answered(&school, &naming(&scene, &school, good())));
    assert_eq!(again.status.as_u16(), 200);
    let came: Vec<usize> = seen.lock().expect("nobody panics").iter().map(|seen| seen.parts.len()).collect();
    assert_eq!((came, left(&scene).iter().filter(|name| name.starts_with("c-")).count()), (vec![1, 1], 1));
    gateway.stop();
}

/// Begins to send a body, and gives the connection.
async fn begin(
    scene: &Scene,
    agency: &str,
    octets: &[u8],
    length: usize,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let mut stream = Peer::new(scene, agency).tls(HTTP1).await.expect("a handshake");
    let head = format!("POST /v1/messages HTTP/1.1\r\nHost: l\r\nContent-Type: {KIND}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    stream.write_all(octets).await.expect("it is taken");
    stream.flush().await.expect("it is taken");
    stream
}

async fn until_something_is_written(scene: &Scene) {
    let written = async {
        let folder = scene.data().join("attachments");
        let has_octets = |name: &String| fs::metadata(folder.join(name)).is_ok_and(|file| file.len() > 0);
        while !left(scene).iter().any(has_octets) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(LONG, written).await.expect("something is written");
}

#[test]
fn what_is_cut_off_leaves_nothing_and_may_be_sent_again() {
    let scene = Scene::without_clinic(SILENT);
    holder(&scene, plainly());
    let (gateway, school) = (scene.start(), scene.client());
    let scan = vec![7; 1 << 20];
    let question = naming(&scene, &school, vec![attachment("scan", &scan)]);
    let whole = body(&question.octets, &[("scan", &scan)]);
    // Its sender goes away.
    scene.block_on(async {
        let stream = begin(&scene, SCHOOL, &whole[..whole.len() / 2], whole.len()).await;
        until_something_is_written(&scene).await;
        drop(stream);
    });
    expect_nothing_left(&scene, "its sender went away");
    // It is killed.
    scene.block_on(async {
        let _stream = begin(&scene, SCHOOL, &whole[..whole.len() / 2], whole.len()).await;
        until_something_is_written(&scene).await;
        gateway.kill();
    });
    assert!(!left(&scene).is_empty(), "a kill leaves what it leaves");
    let gateway = scene.start();
    assert_eq!(left(&scene), Vec::<String>::new(), "until the next start");
    assert_eq!(post(&scene, &whole, &[]).status, 200);
    gateway.stop();
}

#[test]
fn what_was_accepted_has_its_attachments_whenever_the_gateway_is_killed() {
    let scene = Scene::without_clinic(SILENT);
    let school = scene.client();
    let mut accepted = Vec::new();
    for round in 0..6_u8 {
        let gateway = scene.start();
        for number in 0..3 {
            let scan = vec![round * 3 + number; 100_000];
            let question = naming(&scene, &school, vec![attachment("scan", &scan)]);
            let said = post(&scene, &body(&question.octets, &[("scan", &scan)]), &["-H", "Prefer: respond-async"]);
            assert_eq!(said.status, 202, "{}", String::from_utf8_lossy(&said.body));
            accepted.push((question, sha256(&scan)));
        }
        gateway.kill();
    }
    let seen = holder(&scene, plainly());
    let gateway = scene.start();
    for (question, hash) in &accepted {
        let answer = scene.block_on(school.answer_to(question.id, LONG)).expect("the gateway is there");
        assert_eq!(answer.status.as_u16(), 200);
        let seen = seen.lock().expect("nobody panics");
        let came = seen.iter().find(|seen| seen.question == question.octets).expect("it was asked");
        assert_eq!(came.parts, [("scan".to_owned(), 100_000, *hash)]);
    }
    gateway.stop();
}

#[test]
fn an_answer_without_what_it_names_is_not_released() {
    let report = vec![9; 100_000];
    for (named, parts) in [
        (vec![attachment("report", &report)], Vec::new()),
        (vec![attachment("report", &report)], vec![("report", vec![8; 100_000])]),
        (vec![attachment("report", &report)], vec![("report", vec![9; 100_001])]),
        (vec![attachment("report", &report)], vec![("other", report.clone())]),
        (Vec::new(), vec![("report", report.clone())]),
    ] {
        let scene = Scene::without_clinic(SILENT);
        holder(&scene, with(named, parts));
        let (gateway, school) = (scene.start(), scene.client());
        let refused = scene.block_on(crate::process::refused(&school, &naming(&scene, &school, Vec::new())));
        assert_eq!(refused.code, "OG-RTE-003", "{refused:?}");
        assert!(refused.detail.contains("OG-ATT-00"), "{refused:?}");
        expect_nothing_left(&scene, "refused");
        gateway.stop();
    }
}

/// The holder sends its answer by itself, with what it names.
#[test]
fn an_answer_that_comes_later_brings_what_it_names() {
    let scene = Scene::without_clinic(SILENT);
    let file = scene.folder().join("report.pdf");
    fs::write(&file, vec![9; 100_000]).expect("writable");
    let report = Attached::of_file(&file, 1).expect("a file");
    let named = report.attachment().clone();
    let answer: Answer = Arc::new(move |clinic, reply, asked| {
        let message = Message { attachments: vec![report.attachment().clone()], ..nothing(clinic, reply, asked) };
        let (clinic, report) = (clinic.clone(), report.clone());
        let signed = clinic.sign(&message, "").expect("signed");
        tokio::spawn(async move { clinic.post_with(signed.octets, &[report], "wait=5", LONG).await });
        let mut response = Response::new(full(""));
        *response.status_mut() = hyper::StatusCode::ACCEPTED;
        response
    });
    holder(&scene, answer);
    let (gateway, school) = (scene.start(), scene.client());
    for prefer in ["wait=30", "respond-async"] {
        let question = naming(&scene, &school, Vec::new());
        scene.block_on(async {
            school.post(question.octets.clone(), prefer, LONG).await.expect("the gateway is there");
            let received = school.answer_to(question.id, LONG).await.expect("the gateway is there");
            assert_eq!(received.status.as_u16(), 200);
            let path = school.fetch(&named, scene.folder()).await.expect("it is there");
            assert_eq!(fs::read(&path).expect("readable"), vec![9; 100_000]);
        });
    }
    gateway.stop();
}

/// A holder that has said that it answers later; with the answer that it will send, and what travels with it.
fn owing(scene: &Scene, school: &Client, clinic: &Client) -> (Signed, Signed, Attached) {
    let asked = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&asked);
    let later: Answer = Arc::new(move |_, reply, question| {
        *seen.lock().expect("nobody panics") = Some((reply, question.clone()));
        let mut response = Response::new(full(""));
        *response.status_mut() = hyper::StatusCode::ACCEPTED;
        response
    });
    holder(scene, later);
    let question = naming(scene, school, Vec::new());
    scene.block_on(async {
        school.post(question.octets.clone(), "respond-async", LONG).await.expect("the gateway is there");
        becomes(school, &question, "delivered").await;
    });
    let (reply, read) = asked.lock().expect("nobody panics").take().expect("it was asked");
    let file = scene.folder().join("report.pdf");
    fs::write(&file, vec![9; REPORT]).expect("writable");
    let report = Attached::of_file(&file, 1).expect("a file");
    let message = Message { attachments: vec![report.attachment().clone()], ..nothing(clinic, reply, &read) };
    (question, clinic.sign(&message, "").expect("signed"), report)
}

/// A line that breaks is no answer: the question is still open, and its holder sends the answer again.
#[test]
fn an_answer_that_is_cut_off_ends_nothing() {
    let scene = Scene::without_clinic(SILENT);
    let (gateway, school, clinic) = (scene.start(), scene.client(), client(&scene, CLINIC));
    let (question, answer, report) = owing(&scene, &school, &clinic);
    let whole = body(&answer.octets, &[("file-1", &vec![9; REPORT])]);
    scene.block_on(async {
        let stream = begin(&scene, CLINIC, &whole[..whole.len() / 2], whole.len()).await;
        until_something_is_written(&scene).await;
        drop(stream);
    });
    expect_nothing_left(&scene, "it was cut off");
    scene.block_on(async {
        let files = std::slice::from_ref(&report);
        // Until it is on record that it was cut off, whoever sends it again is somebody else.
        let taken = async {
            while clinic.post_with(answer.octets.clone(), files, "", LONG).await.expect("a word").status.as_u16() != 202 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LONG, taken).await.expect("it is taken");
        becomes(&school, &question, "answered").await;
    });
    gateway.stop();
}

/// Nor is a disk that is full.
#[test]
fn an_answer_that_finds_no_room_ends_nothing() {
    let scene = Scene::without_clinic(&format!("{SILENT}\n[limits]\nattachments_bytes = 50000\n"));
    let (gateway, school, clinic) = (scene.start(), scene.client(), client(&scene, CLINIC));
    let (question, answer, report) = owing(&scene, &school, &clinic);
    let received = scene.block_on(clinic.post_with(answer.octets, std::slice::from_ref(&report), "", LONG)).expect("a word");
    assert_eq!(problem_of(&received).code, "OG-ATT-007");
    assert_eq!(scene.block_on(state(&school, &question)), "delivered", "it may be answered when there is room");
    gateway.stop();
}

#[test]
fn without_room_attachments_are_refused_and_others_go_on() {
    let scene = Scene::without_clinic("records = \"off\"\n\n[limits]\nattachments_bytes = 200000\n");
    holder(&scene, plainly());
    let (gateway, school) = (scene.start(), scene.client());
    let (first, second) = (vec![7; 150_000], vec![8; 100_000]);
    let send = |content: &[u8]| {
        let question = naming(&scene, &school, vec![attachment("scan", content)]);
        post(&scene, &body(&question.octets, &[("scan", content)]), &[])
    };
    assert_eq!(send(&first).status, 200);
    let refused = send(&second);
    assert_eq!((refused.status, refused.code().as_str()), (503, "OG-ATT-007"), "{}", refused.head);
    assert!(refused.has("retry-after: 60"), "{}", refused.head);
    scene.block_on(answered(&school, &naming(&scene, &school, Vec::new())));
    // What is there already needs no room.
    assert_eq!(send(&first).status, 200);
    gateway.stop();
}

#[test]
fn what_is_erased_takes_what_it_names_with_it() {
    let scene = Scene::without_clinic(SILENT);
    let (scan, report) = (vec![7; 100_000], vec![9; 100_000]);
    holder(&scene, with(vec![attachment("report", &report)], vec![("report", report.clone())]));
    let school = scene.client();
    let gateway = scene.start();
    let question = naming(&scene, &school, vec![attachment("scan", &scan)]);
    let said = post(&scene, &body(&question.octets, &[("scan", &scan)]), &[]);
    let index = said.head.lines().find_map(|line| line.to_lowercase().strip_prefix("oncegate-log-index: ")?.parse::<u64>().ok());
    let answer = index.expect("a record");
    gateway.stop();
    for (index, part, expected) in [(answer, "message", [200, 404]), (answer - 1, "private", [404, 404])] {
        let mut command = Command::new(oncegate());
        command.args(["log", "erase", &index.to_string(), part, "--reason", "a court", "-c"]).arg(scene.config());
        let output = command.output().expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let gateway = scene.start();
        let status = |content: &[u8]| curl(&scene, SCHOOL, &format!("/v1/attachments/{}", sha256(content)), &[]).status;
        assert_eq!([status(&scan), status(&report)], expected, "{part}");
        gateway.stop();
    }
    assert!(left(&scene).is_empty());
}

#[test]
fn the_commands_send_files_and_fetch_them() {
    let scene = Scene::without_clinic(SILENT);
    let report = vec![9; 100_000];
    let seen = holder(&scene, with(vec![attachment("report", &report)], vec![("report", report.clone())]));
    let gateway = scene.start();
    let file = scene.folder().join("letter.txt");
    fs::write(&file, "a letter").expect("writable");
    let run = |arguments: &[&str]| {
        let folder = scene.world().agency_folder(SCHOOL);
        let mut command = Command::new(oncegate());
        command.args(arguments).arg("--as").arg(folder).arg("--attachments").arg(scene.folder());
        command.output().expect("it starts")
    };
    let person = scene.world().people().first().expect("a person").subject();
    let id = person.identifiers.first().expect("an identifier");
    let of = format!("{}:{}", id.scheme(), id.value());
    let attach = file.display().to_string();
    let output = run(&[
        "ask",
        "medical-absence-note",
        "--of",
        &of,
        "--for",
        "school-attendance",
        "--attach",
        &attach,
        "--attach",
        &attach,
    ]);
    assert!(!output.status.success(), "one name twice");
    let output = run(&["ask", "medical-absence-note", "--of", &of, "--for", "school-attendance", "--attach", &attach]);
    // The holder states that there is no record.
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(scene.folder().join("report.pdf")).expect("fetched"), report);
    let came = seen.lock().expect("nobody panics").pop().expect("it was asked");
    assert_eq!(came.parts, [("file-1".to_owned(), 8, sha256(b"a letter"))]);
    let (asked, _) = verify_under(
        &came.question,
        &Anchors::load(&scene.world().agency_folder(SCHOOL).join("ca.pem")).expect("authorities"),
        &Schemas::built_in(),
    )
    .expect("a question");
    fs::remove_file(scene.folder().join("report.pdf")).expect("there");
    let output = run(&["answer", &asked.header.id.to_string()]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(scene.folder().join("report.pdf")).expect("fetched"), report);
    gateway.stop();
}

/// Sends a file of so many octets and has it passed on; gives the memory above that before, in KiB, and how long sending took.
fn send_large(scene: &Scene, gateway: &Process, size: u64, seen: &Arc<Mutex<Vec<Seen>>>) -> (u64, Duration) {
    let school = scene.client();
    scene.block_on(answered(&school, &naming(scene, &school, Vec::new())));
    let before = gateway.memory_kib("VmRSS");
    let file = scene.folder().join("large.bin");
    write_large(&file, size);
    let attached = Attached::of_file(&file, 1).expect("a file");
    let question = naming(scene, &school, vec![attached.attachment().clone()]);
    let begun = Instant::now();
    let prefer = if size > 1 << 30 { "respond-async" } else { "wait=60" };
    let sent = scene.block_on(school.post_with(question.octets.clone(), std::slice::from_ref(&attached), prefer, LONG));
    let took = begun.elapsed();
    let sent = sent.expect("the gateway is there");
    assert!(matches!(sent.status.as_u16(), 200 | 202), "{:?}", problem_of(&sent));
    let answer = scene.block_on(school.answer_to(question.id, LONG * 10)).expect("the gateway is there");
    assert_eq!(answer.status.as_u16(), 200, "{:?}", problem_of(&answer));
    let (id, named) = ("file-1".to_owned(), attached.attachment());
    assert_eq!(seen.lock().expect("nobody panics").last().expect("asked").parts, [(id, named.size, named.sha256)]);
    fs::remove_file(&file).expect("there");
    let fetched = scene.block_on(school.fetch(named, scene.folder())).expect("it is there");
    fs::remove_file(fetched).expect("there");
    (gateway.memory_kib("VmHWM").saturating_sub(before), took)
}

fn write_large(path: &Path, size: u64) {
    use std::io::Write;
    let mut file = std::io::BufWriter::new(fs::File::create(path).expect("writable"));
    let block: Vec<u8> = (0..1_u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for number in 0..size >> 20 {
        file.write_all(&number.to_be_bytes()).expect("writable");
        file.write_all(&block[8..]).expect("writable");
    }
    file.flush().expect("writable");
}

fn with_large_quota() -> Scene {
    let config = "records = \"off\"\n\n[limits]\nattachment_bytes = 4294967296\n";
    Scene::prepared_without_clinic(config, &|installation| {
        set_quota(installation, SCHOOL, "requests_per_minute = 60000, burst = 5000, kib_per_minute = 4000000000");
    })
}

#[test]
fn memory_does_not_grow_with_an_attachment() {
    let scene = with_large_quota();
    let seen = holder(&scene, plainly());
    let gateway = scene.start();
    let (kib, _) = send_large(&scene, &gateway, 96 << 20, &seen);
    tell("memory above start for an attachment of 96 MiB", format!("{kib} KiB"));
    assert!(kib < 48 << 10, "{kib} KiB above start");
    gateway.stop();
}

/// For figures; `ONCEGATE_PROGRAM` names a release build.
#[test]
#[ignore = "sends 2 GiB"]
fn two_gibibytes_are_sent() {
    let scene = with_large_quota();
    let seen = holder(&scene, plainly());
    let gateway = scene.start();
    let (kib, took) = send_large(&scene, &gateway, 2 << 30, &seen);
    let (key, mut record, begun) = (SealKey::new(&[7; 32]).expect("a key"), Vec::with_capacity(20_000), Instant::now());
    let mut hash = Sha256::new();
    for number in 0..(1_u64 << 30) / 16_384 {
        record.resize(16_384, 0);
        hash.update(&record);
        key.seal(number, &mut record).expect("sealed");
    }
    assert_ne!(hash.finish(), Digest::from_octets([0; 32]));
    let rate = (1_u64 << 30) as f64 / begun.elapsed().as_secs_f64() / 1e6;
    tell("rate of AES-256-GCM and SHA-256 on one core", format!("{rate:.0} MB/s"));
    tell("memory above start for an attachment of 2 GiB", format!("{kib} KiB"));
    tell(
        "rate of an attachment of 2 GiB into the gateway",
        format!("{:.0} MB/s", (2_u64 << 30) as f64 / took.as_secs_f64() / 1e6),
    );
    gateway.stop();
}

#[test]
fn a_message_to_nobody_reads_no_attachment() {
    let scene = Scene::without_clinic(SILENT);
    let gateway = scene.start();
    let school = scene.client();
    let scan = vec![7; 1 << 20];
    let question = naming(&scene, &school, vec![attachment("scan", &scan)]);
    let mut forged = question.octets.clone();
    let at = forged.windows(8).position(|window| window == b"scan.pdf").expect("its name");
    forged[at] = b'x';
    // The refusal comes though the rest of the body never does.
    let said = scene.block_on(async {
        let octets = body(&forged, &[("scan", &scan)]);
        let mut stream = begin(&scene, SCHOOL, &octets[..forged.len() + 300], octets.len()).await;
        let mut said = vec![0; 12];
        tokio::time::timeout(LONG, stream.read_exact(&mut said)).await.expect("in time").expect("a head");
        String::from_utf8_lossy(&said).into_owned()
    });
    assert_eq!(said, "HTTP/1.1 400");
    assert!(left(&scene).is_empty());
    gateway.stop();
}
