//! What somebody suspected who read the code to break it: each was a way through once.

use crate::abuse::peer::{DATA, END_HEADERS, END_STREAM, HEADERS, HTTP1, HTTP2, POST, PREFACE, Peer, SETTINGS, frame, head};
use crate::process::{Process, Scene, answered, oncegate};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use oncegate::base::ids::{AgencyId, Code, MessageId};
use oncegate::faces::client::{Client, Signed, digest_of, problem_of, verify_under};
use oncegate::host::config::Config;
use oncegate::host::transport::{self, Anchors, Identity, full};
use oncegate::message::crypto::sha256;
use oncegate::message::envelope::{Ask, Body, Kind, Message, ReplyTo, World, write};
use oncegate::message::schema::Schemas;
use oncegate::program::demo::Behaviour;
use oncegate::program::setup::NewAgency;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, date_time_ymd};
use std::fs;
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

const SILENT: &str = "records = \"off\"\n";
const CLINIC: &str = "xx.demo.clinic-3";
const FUND: &str = "xx.demo.social-fund";
/// Agencies of the demo that may all ask the clinic, and how many exchanges each may have open.
const FOUR: [&str; 4] = [FUND, "xx.demo.civil-registry", "xx.demo.maternity", CLINIC];
const PARALLEL: usize = 64;

fn code(text: &str) -> Code {
    Code::parse(text).expect("a code")
}

pub fn client(scene: &Scene, agency: &str) -> Client {
    scene.world().client(agency).expect("a client")
}

/// The question of an office about a household, not signed yet.
fn question(scene: &Scene, client: &Client, household: u32) -> Message {
    let person = &scene.world().people()[household as usize * 4];
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    Message {
        header: client.header(Kind::Request, None, None, World::Live).expect("a header"),
        context: Some(oncegate::message::envelope::Context::new(code("fault-finding"), "XX:TEST:1", person.subject())),
        body: Body::Ask(ask),
        attachments: Vec::new(),
    }
}

pub fn ask(scene: &Scene, client: &Client, household: u32) -> Signed {
    client.sign(&question(scene, client, household), "").expect("signed")
}

/// A signed message with so much white space in it that it is this long.
fn padded(client: &Client, message: &Message, octets: usize) -> Vec<u8> {
    let signed = client.sign(message, "").expect("signed").octets.len();
    let markup = write(message, "");
    let (head, tail) = markup.split_at(markup.find("<Header>").expect("a header"));
    client.sign_markup(&format!("{head}{}{tail}", " ".repeat(octets - signed))).expect("signed")
}

/// A body whose length is not declared.
struct Unsized(Option<Bytes>);

impl hyper::body::Body for Unsized {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|octets| Ok(Frame::data(octets))))
    }
}

/// A connection of HTTP/2.
async fn http2(peer: &Peer) -> SendRequest<Unsized> {
    let stream = peer.tls(HTTP2).await.expect("a handshake");
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

fn http2_request(method: &str, path: &str, body: Vec<u8>) -> Request<Unsized> {
    let request = Request::builder().method(method).uri(format!("https://localhost{path}"));
    let request = request.header("content-type", "application/xml").header("prefer", "wait=60");
    request.body(Unsized(Some(body.into()))).expect("a request")
}

pub type Answering = Pin<Box<dyn Future<Output = Option<Response<transport::Body>>> + Send>>;

/// What a holder of ours does with a question; nothing breaks the connection.
pub type Manner = Arc<dyn Fn(Arc<Client>, ReplyTo, Message) -> Answering + Send + Sync>;

pub fn empty(status: u16) -> Option<Response<transport::Body>> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Some(response)
}

/// The answer that there is nothing on record.
pub fn nothing(client: &Client, reply: ReplyTo, asked: &Message) -> Message {
    let to = Some(asked.header.from.clone());
    Message {
        header: client.header(Kind::Answer, to, Some(reply), World::Live).expect("a header"),
        context: asked.context.clone(),
        body: Body::NoRecord { document_type: code("medical-absence-note") },
        attachments: Vec::new(),
    }
}

/// A scene that tells which questions have reached a holder.
fn watched() -> (Scene, mpsc::UnboundedReceiver<MessageId>) {
    let (reached, has_reached) = mpsc::unbounded_channel();
    let observer = Arc::new(move |id| {
        let _ = reached.send(id);
        Box::pin(std::future::ready(())) as Pin<Box<dyn Future<Output = ()> + Send>>
    });
    (Scene::observed(SILENT, observer), has_reached)
}

/// Puts a holder into the clinic's place; counts its connections.
fn clinic(scene: &Scene, manner: Manner) -> Arc<AtomicUsize> {
    clinic_at(scene, scene.world().provider_address(CLINIC).expect("a holder"), manner)
}

/// The same at another address.
pub fn clinic_at(scene: &Scene, address: SocketAddr, manner: Manner) -> Arc<AtomicUsize> {
    let folder = scene.world().agency_folder(CLINIC);
    let identity = Identity::load(&folder.join("tls.pem"), &folder.join("tls.key"), &folder.join("ca.pem"), None);
    let tls = TlsAcceptor::from(identity.expect("files").server().expect("they fit").config());
    let anchors = Anchors::load(&folder.join("ca.pem")).expect("authorities");
    let (client, schemas) = (Arc::new(client(scene, CLINIC)), Arc::new(Schemas::built_in()));
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let listener = scene.block_on(TcpListener::bind(address)).expect("nobody is there");
    let answer = move |request: Request<Incoming>| {
        let (anchors, client, schemas, manner) =
            (anchors.clone(), Arc::clone(&client), Arc::clone(&schemas), Arc::clone(&manner));
        async move {
            let octets = request.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
            let (asked, _) = verify_under(&octets, &anchors, &schemas).expect("a question");
            let reply = ReplyTo { id: asked.header.id, digest: digest_of(&octets).expect("a digest") };
            manner(client, reply, asked).await.ok_or_else(|| std::io::Error::other("broken off"))
        }
    };
    let serving = async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let (tls, answer) = (tls.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else { return };
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
            });
        }
    };
    scene.block_on(async { drop(tokio::spawn(serving)) });
    connections
}

/// HTTP/2 need not say how long a body is. Room is taken for the longest; it is given back when the body is there, not when
/// the exchange ends.
#[test]
fn small_messages_without_a_declared_length_take_nobodys_room() {
    let (scene, mut has_reached) = watched();
    crate::bulkheads::with_load("parallel = 256")(scene.world().installation());
    let (gateway, slow) = (scene.start(), Behaviour::Slow.household());
    scene.block_on(async {
        let mut waiting = Vec::new();
        for agency in FOUR {
            let (asking, mut sender) = (client(&scene, agency), http2(&Peer::new(&scene, agency)).await);
            for _ in 0..PARALLEL {
                let signed = ask(&scene, &asking, slow);
                waiting.push(tokio::spawn(sender.send_request(http2_request("POST", "/v1/messages", signed.octets))));
            }
            waiting.push(tokio::spawn(async move {
                // The connection stays.
                let _sender = sender;
                std::future::pending().await
            }));
        }
        for _ in 0..FOUR.len() * PARALLEL {
            has_reached.recv().await.expect("each is forwarded");
        }
        let school = scene.client();
        answered(&school, &scene.request(&school, 0)).await;
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    });
    gateway.stop();
}

/// Whoever sends nothing takes no room, however much it may still send.
#[test]
fn bodies_that_do_not_come_take_nobodys_room() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    scene.block_on(async {
        let mut waiting = Vec::new();
        for agency in FOUR {
            let peer = Peer::new(&scene, agency);
            let mut stream = peer.tls(HTTP2).await.expect("a handshake");
            let mut octets = PREFACE.to_vec();
            for number in 0..PARALLEL as u32 {
                let mut block = head(POST, "/v1/messages");
                // A literal field whose name is the 31st of the static table.
                block.extend([0x0f, 0x10, 15]);
                block.extend(b"application/xml");
                octets.extend(frame(HEADERS, END_HEADERS, number * 2 + 1, &block));
            }
            stream.write_all(&octets).await.expect("taken");
            waiting.push(stream);
        }
        let school = scene.client();
        // They have been seen when a message of one of them is one too many.
        let fund = client(&scene, FUND);
        let crowded = async || fund.post(b"<".to_vec(), "wait=1", Duration::from_secs(10)).await.expect("a response");
        while crowded().await.status.as_u16() != 429 {}
        for _ in 0..50 {
            answered(&school, &scene.request(&school, 0)).await;
        }
    });
    drop(gateway);
}

/// A holder that says 202 may take until the question expires. The gateway has the question no longer then.
#[test]
fn exchanges_whose_holder_answers_later_hold_nobodys_room() {
    let scene = Scene::without_clinic(SILENT);
    let gateway = scene.start();
    let (reached, mut has_reached) = mpsc::unbounded_channel();
    clinic(
        &scene,
        Arc::new(move |client, reply, asked| {
            let is_large = asked.header.from.as_str() != FUND;
            reached.send(()).expect("it listens");
            let signed = client.sign(&nothing(&client, reply, &asked), "").expect("signed");
            Box::pin(async move { if is_large { empty(202) } else { Some(Response::new(full(signed.octets))) } })
        }),
    );
    scene.block_on(async {
        let large = oncegate::base::limits::MESSAGE_BYTES_MAX - (1 << 10);
        let agencies = ["xx.demo.civil-registry", "xx.demo.maternity", CLINIC, "xx.demo.school-17", "xx.demo.clinic-9"];
        for agency in agencies {
            let asking = client(&scene, agency);
            for _ in 0..52 {
                let octets = padded(&asking, &question(&scene, &asking, 0), large);
                let received = asking.post(octets, "respond-async", Duration::from_secs(60)).await.expect("a response");
                assert_eq!(received.status.as_u16(), 202, "{}", String::from_utf8_lossy(&received.body));
            }
        }
        for _ in 0..agencies.len() * 52 {
            has_reached.recv().await.expect("each is forwarded");
        }
        let fund = client(&scene, FUND);
        answered(&fund, &ask(&scene, &fund, 0)).await;
    });
    drop(gateway);
}

/// A holder may answer by a message of its own before it has answered the question's HTTP request, or instead of it. What
/// was taken from it is not lost.
#[test]
fn an_answer_that_was_taken_is_released_although_the_delivery_broke() {
    let scene = Scene::without_clinic(SILENT);
    let gateway = scene.start();
    clinic(
        &scene,
        Arc::new(|client, reply, asked| {
            let signed = client.sign(&nothing(&client, reply, &asked), "").expect("signed");
            Box::pin(async move {
                let taken = client.post(signed.octets, "wait=5", Duration::from_secs(10)).await.expect("a response");
                assert_eq!(taken.status.as_u16(), 202);
                None
            })
        }),
    );
    let fund = client(&scene, FUND);
    scene.block_on(answered(&fund, &ask(&scene, &fund, 0)));
    gateway.stop();
}

/// A holder that was told that its answer has been taken need not keep it: whatever happens, the consumer gets it.
#[test]
fn an_answer_that_was_taken_outlives_the_gateway() {
    let scene = Scene::without_clinic(SILENT);
    let (taken, mut was_taken) = mpsc::unbounded_channel();
    clinic(
        &scene,
        Arc::new(move |client, reply, asked| {
            let signed = client.sign(&nothing(&client, reply, &asked), "").expect("signed");
            let taken = taken.clone();
            tokio::spawn(async move {
                let status = loop {
                    let response = client.post(signed.octets.clone(), "wait=5", Duration::from_secs(10)).await;
                    let status = response.expect("a response").status.as_u16();
                    // Its answer may be faster than the word that it will come.
                    if status != 409 {
                        break status;
                    }
                };
                let _ = taken.send(status);
            });
            Box::pin(async { empty(202) })
        }),
    );
    let fund = client(&scene, FUND);
    for _ in 0..5 {
        let gateway = scene.start();
        let question = ask(&scene, &fund, 0);
        scene.block_on(async {
            let asked = fund.post(question.octets.clone(), "respond-async", Duration::from_secs(10)).await.expect("a response");
            assert_eq!(asked.status.as_u16(), 202);
            assert_eq!(was_taken.recv().await, Some(202));
        });
        gateway.kill();
        let gateway = scene.start();
        let path = format!("/v1/messages/{}/answer", question.id);
        assert_eq!(scene.block_on(fund.get(&path)).expect("a response").status.as_u16(), 200);
        gateway.stop();
    }
}

/// A holder learns why the answer that it sent by a message of its own was refused.
#[test]
fn a_late_answer_that_does_not_fit_is_refused_to_its_holder() {
    let scene = Scene::without_clinic(SILENT);
    let gateway = scene.start();
    let (told, mut was_told) = mpsc::unbounded_channel();
    clinic(
        &scene,
        Arc::new(move |client, reply, asked| {
            let other =
                Message { body: Body::NoRecord { document_type: code("birth-certificate") }, ..nothing(&client, reply, &asked) };
            let (signed, told) = (client.sign(&other, "").expect("signed"), told.clone());
            Box::pin(async move {
                let response = client.post(signed.octets, "wait=5", Duration::from_secs(10)).await.expect("a response");
                let _ = told.send(problem_of(&response));
                empty(202)
            })
        }),
    );
    let fund = client(&scene, FUND);
    let refused = scene.block_on(async {
        let question = ask(&scene, &fund, 0);
        fund.post(question.octets, "wait=20", Duration::from_secs(30)).await.expect("a response")
    });
    let told = scene.block_on(was_told.recv()).expect("a problem");
    assert_eq!((problem_of(&refused).code, problem_of(&refused).log_index), (told.code.clone(), told.log_index), "{told:?}");
    assert!(told.code.starts_with("OG-") && told.log_index.is_some(), "{told:?}");
    gateway.stop();
}

/// A request that needs no body may have one all the same, and be answered a minute later. Nobody keeps it meanwhile.
#[test]
fn bodies_that_nobody_reads_are_not_kept() {
    const CONNECTIONS: usize = 24;
    const STREAMS: usize = 4;
    let (scene, mut has_reached) = watched();
    let (gateway, slow) = (scene.start(), Behaviour::Slow.household());
    scene.block_on(async {
        let fund = client(&scene, FUND);
        let open = ask(&scene, &fund, slow);
        let path = format!("/v1/messages/{}", open.id);
        assert_eq!(fund.post(open.octets, "wait=0", Duration::from_secs(10)).await.expect("a response").status.as_u16(), 202);
        has_reached.recv().await.expect("it is open");
        let peer = Peer::new(&scene, FUND);
        let mut waiting = Vec::new();
        let before = gateway.memory_kib("VmRSS");
        for _ in 0..CONNECTIONS {
            let mut sender = http2(&peer).await;
            for _ in 0..STREAMS {
                let request = http2_request("GET", &path, vec![b' '; oncegate::base::limits::MESSAGE_BYTES_MAX]);
                waiting.push(tokio::spawn(sender.send_request(request)));
            }
            waiting.push(tokio::spawn(async move {
                let _sender = sender;
                std::future::pending().await
            }));
        }
        // As long as it takes to send them, and longer.
        let mut most = 0;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            most = most.max(gateway.memory_kib("VmRSS"));
        }
        let grown = most.saturating_sub(before) >> 10;
        println!("{grown} MiB");
        assert!(grown < 48, "{grown} MiB are kept of {} bodies", CONNECTIONS * STREAMS);
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
    });
    drop(gateway);
}

/// The quota of octets is one for all messages, also those whose length is not declared.
#[test]
fn a_request_for_a_trail_costs_its_octets() {
    const PORTAL: &str = "xx.audit.portal";
    let scene = Scene::prepared(SILENT, &|installation| {
        let gateway = Config::load(&installation.config()).expect("a configuration").exchange.listen;
        let (id, more) = (AgencyId::parse(PORTAL).expect("a name"), "roles = [\"portal\"]\nquota = { kib_per_minute = 2048 }\n");
        let agency = NewAgency { id: &id, name: "A portal", url: None, holds: &[], more };
        installation.add_agency(&agency, &format!("https://{gateway}")).expect("added");
    });
    let gateway = scene.start();
    scene.block_on(async {
        let mut sender = http2(&Peer::new(&scene, PORTAL)).await;
        for expected in [400, 400, 429] {
            let junk = vec![b' '; oncegate::base::limits::MESSAGE_BYTES_MAX - 1];
            let response = sender.send_request(http2_request("POST", "/v1/trail", junk)).await.expect("a response");
            assert_eq!(response.status().as_u16(), expected);
        }
    });
    gateway.stop();
}

/// HTTP/2 hands on what a peer sends ahead in one go: a whole message may have been read before there is a request to which
/// its octets belong.
#[test]
fn large_messages_over_http2_are_no_flood() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    scene.block_on(async {
        let mut sender = http2(&Peer::new(&scene, FUND)).await;
        for turn in 0..40 {
            let junk = vec![b' '; oncegate::base::limits::MESSAGE_BYTES_MAX];
            let sent = sender.send_request(http2_request("POST", "/v1/messages", junk)).await;
            assert_eq!(sent.map(|response| response.status().as_u16()).map_err(|error| error.to_string()), Ok(400), "{turn}");
        }
    });
    gateway.stop();
}

/// The processor's time that a process has used.
fn used(process: &Process) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).expect("it runs");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split(' ').collect();
    let ticks = fields[12].parse::<u64>().expect("a number") + fields[13].parse::<u64>().expect("a number");
    Duration::from_millis(ticks * 1000 / 100)
}

/// Whoever waits for an exchange of its own is not woken by those of others.
#[test]
fn a_crowd_that_waits_costs_the_exchanges_of_others_nothing() {
    const CONNECTIONS: usize = 40;
    const STREAMS: usize = 60;
    let (scene, mut has_reached) = watched();
    let (gateway, slow) = (scene.start(), Behaviour::Slow.household());
    let school = scene.client();
    let exchanges = || {
        let before = used(&gateway);
        for number in 0..60 {
            scene.block_on(answered(&school, &scene.request(&school, number)));
        }
        used(&gateway).saturating_sub(before)
    };
    exchanges();
    let quiet = exchanges();
    let fund = client(&scene, FUND);
    let open = ask(&scene, &fund, slow);
    let path = format!("/v1/messages/{}", open.id);
    let waiting = scene.block_on(async {
        assert_eq!(fund.post(open.octets, "wait=0", Duration::from_secs(10)).await.expect("a response").status.as_u16(), 202);
        let peer = Peer::new(&scene, FUND);
        let mut waiting = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut sender = http2(&peer).await;
            for _ in 0..STREAMS {
                waiting.push(tokio::spawn(sender.send_request(http2_request("GET", &path, Vec::new()))));
            }
            waiting.push(tokio::spawn(async move {
                let _sender = sender;
                std::future::pending().await
            }));
        }
        // An answer to the last says that the others were read.
        tokio::time::sleep(Duration::from_secs(1)).await;
        has_reached.recv().await.expect("it is open");
        waiting
    });
    let beside = exchanges();
    println!("{quiet:?} alone, {beside:?} beside {} that wait", CONNECTIONS * STREAMS);
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    drop(gateway);
    assert!(beside < quiet * 3, "{quiet:?} alone, {beside:?} beside a crowd");
}

/// A certificate counts for as long as it is valid, and not for as long as a connection can be kept open.
#[test]
fn a_connection_ends_when_its_certificate_expires() {
    const LEFT: u64 = 15_000;
    let scene = Scene::prepared(SILENT, &|installation| {
        let fund = AgencyId::parse(FUND).expect("a name");
        let read = |name: &str| fs::read_to_string(installation.folder().join(name)).expect("readable");
        let authority = KeyPair::from_pem(&read("authority/ca.key")).expect("a key");
        let issuer = Issuer::from_ca_cert_pem(&read("certs/ca.pem"), authority).expect("an authority");
        let (key, mut params) = (KeyPair::generate().expect("a key"), CertificateParams::default());
        params.not_before = date_time_ymd(2026, 1, 1);
        let ends = Duration::from_millis(oncegate::gateway::driver::now().plus_ms(LEFT).as_ms());
        params.not_after = date_time_ymd(1970, 1, 1) + ends;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let issued = params.signed_by(&key, &issuer).expect("signed").pem();
        let folder = installation.agency_folder(&fund);
        let of = |text: &str| sha256(&oncegate::message::pki::pem_blocks(text, "CERTIFICATE")[0]).to_string();
        let before = of(&fs::read_to_string(folder.join("tls.pem")).expect("readable"));
        let registry = read("registry.toml").replace(&before, &of(&issued));
        fs::write(installation.folder().join("registry.toml"), registry).expect("writable");
        installation.sign().expect("signed");
        fs::write(folder.join("tls.pem"), issued).expect("writable");
        fs::write(folder.join("tls.key"), key.serialize_pem()).expect("writable");
    });
    let gateway = scene.start();
    scene.block_on(async {
        let peer = Peer::new(&scene, FUND);
        let mut stream = peer.tls(HTTP1).await.expect("a handshake");
        let began = std::time::Instant::now();
        let mut asked = 0;
        // It is never idle.
        while ok(&mut stream).await {
            asked += 1;
            assert!(began.elapsed() < Duration::from_millis(3 * LEFT), "it is served with a certificate that has expired");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(asked > 0, "it was served while it was valid");
        // TLS 1.3 tells a client afterwards.
        let another = peer.tls(HTTP1).await;
        assert!(match another {
            Ok(mut stream) => !ok(&mut stream).await,
            Err(_) => true,
        });
    });
    gateway.stop();
}

/// Whether a request over a connection that stays open is answered well.
async fn ok(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> bool {
    let mut octets = vec![0; 4096];
    if stream.write_all(b"GET /health HTTP/1.1\r\nhost: l\r\n\r\n").await.is_err() {
        return false;
    }
    let count = stream.read(&mut octets).await.unwrap_or(0);
    octets.get(..count).is_some_and(|head| head.starts_with(b"HTTP/1.1 200"))
}

/// What is believed is believed from now on, also of a holder whose connection was in use when it changed.
#[test]
fn a_connection_to_a_holder_is_not_kept_beyond_the_authorities_it_was_made_under() {
    let scene = Scene::without_clinic(SILENT);
    let mut gateway = scene.start();
    let (reached, mut has_reached) = mpsc::unbounded_channel();
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let gate = Arc::clone(&go_on);
    let connections = clinic(
        &scene,
        Arc::new(move |client, reply, asked| {
            let signed = client.sign(&nothing(&client, reply, &asked), "").expect("signed");
            let gate = Arc::clone(&gate);
            reached.send(()).expect("it listens");
            Box::pin(async move {
                gate.acquire().await.expect("open").forget();
                Some(Response::new(full(signed.octets)))
            })
        }),
    );
    let fund = client(&scene, FUND);
    scene.block_on(async {
        let request = ask(&scene, &fund, 0);
        let (first, ()) = tokio::join!(answered(&fund, &request), async {
            has_reached.recv().await.expect("it is asked");
            gateway.signal("HUP");
            gateway.says("revocation lists were read again");
            go_on.add_permits(1);
        });
        assert_eq!(first.status.as_u16(), 200);
        go_on.add_permits(1);
        answered(&fund, &ask(&scene, &fund, 0)).await;
        assert_eq!(connections.load(Ordering::Relaxed), 2, "each has its own");
        go_on.add_permits(1);
        answered(&fund, &ask(&scene, &fund, 0)).await;
        assert_eq!(connections.load(Ordering::Relaxed), 2, "the second is kept");
    });
    gateway.stop();
}

/// Who asks again and again for the same large answer, and takes none of them, makes the gateway keep as many as it may have
/// exchanges open.
#[test]
fn answers_that_nobody_takes_count_as_open_exchanges() {
    const CONNECTIONS: usize = 16;
    /// So that their messages fit into the window that a connection begins with.
    const STREAMS: usize = 16;
    let scene = Scene::without_clinic(SILENT);
    let gateway = scene.start();
    clinic(
        &scene,
        Arc::new(|client, reply, asked| {
            let large = padded(&client, &nothing(&client, reply, &asked), oncegate::base::limits::MESSAGE_BYTES_MAX - 1024);
            Box::pin(async move { Some(Response::new(full(large))) })
        }),
    );
    let fund = client(&scene, FUND);
    let request = ask(&scene, &fund, 0);
    scene.block_on(async {
        answered(&fund, &request).await;
        let before = gateway.memory_kib("VmRSS");
        let mut block = head(POST, "/v1/messages");
        block.extend([0x0f, 0x10, 15]);
        block.extend(b"application/xml");
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut stream = Peer::new(&scene, FUND).tls(HTTP2).await.expect("a handshake");
            // Windows of no octet: no answer's body is taken.
            let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
            octets.extend(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
            for number in 0..STREAMS as u32 {
                octets.extend(frame(HEADERS, END_HEADERS, number * 2 + 1, &block));
                octets.extend(frame(DATA, END_STREAM, number * 2 + 1, &request.octets));
            }
            stream.write_all(&octets).await.expect("taken");
            stream.flush().await.expect("taken");
            streams.push(stream);
        }
        let mut most = 0;
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            most = most.max(gateway.memory_kib("VmRSS"));
        }
        let grown = most.saturating_sub(before) >> 10;
        println!("{grown} MiB of {}", CONNECTIONS * STREAMS);
        assert!(grown < 2 * PARALLEL as u64, "{grown} MiB are kept");
    });
    drop(gateway);
}

/// A shell gives a process 1,024 open files, if nobody asked for more: half of those who have not shaken hands could take all.
#[test]
fn silent_connections_leave_files_for_those_who_have_shaken_hands() {
    let scene = Scene::new(SILENT);
    let mut command = Command::new("sh");
    let run = format!("ulimit -Sn 128 && exec {} run -c {}", oncegate(), scene.config().display());
    command.args(["-c", &run]);
    let gateway = Process::from(command).unwrap_or_else(|(status, said)| panic!("{status}: {said}"));
    scene.block_on(async {
        let nobody = Peer::new(&scene, FUND).from("127.0.0.2");
        let mut silent = Vec::new();
        for _ in 0..200 {
            silent.push(nobody.tcp().await.expect("it is accepted, or waits to be"));
        }
        let school = scene.client();
        let request = scene.request(&school, 0);
        let asked = tokio::time::timeout(Duration::from_millis(2_500), answered(&school, &request)).await;
        assert!(asked.is_ok(), "those who say nothing are not closed yet");
    });
    gateway.stop();
}
