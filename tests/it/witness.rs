//! A witness over HTTP, and logs that are witnessed.

use crate::crowd;
use crate::folder::Folder;
use crate::memory::{MemoryLog, Tree, signer};
use crate::tool::{Program, free_port, said};
use crate::world::{QUICK, World};
use oncegate::base::limits;
use oncegate::base::time::UnixTime;
use oncegate::evidence::tlog::note::{Checkpoint, LogSigner, Role, VerifierKey};
use oncegate::evidence::tlog::tree::{Hash, Head};
use oncegate::gateway::witness::{
    Fork, Log, Refusal, Service, Submission, Weighed, Witness, WitnessError, WitnessFile, Witnessing, serve,
};
use oncegate::host::authority::{Authority, make_root};
use oncegate::host::config::{Lines, WitnessAt, Witnesses};
use oncegate::host::telemetry::Telemetry;
use oncegate::host::transport::{Fetch, Fetcher, Received, trust};
use oncegate::message::crypto::sha256;
use oncegate::rules::registry::Endpoint;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

fn log() -> LogSigner {
    signer("log.example/2026", Role::Log, 1)
}

fn leaves(count: usize) -> Tree {
    Tree::of((0..count).map(|number| format!("record {number}").into_bytes()))
}

/// Somebody that believes any certificate of a throw-away authority: the tests talk over plain HTTP.
pub fn fetcher(folder: &Path) -> Fetcher {
    let root = make_root("test", UnixTime::from_ms(1_800_000_000_000)).expect("a root");
    let path = folder.join("root.pem");
    std::fs::write(&path, root.certificate).expect("writable");
    Fetcher::new(trust(&path).expect("a root"))
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::parse(&format!("http://{address}/w")).expect("a URL")
}

fn witness_key(file: &WitnessFile) -> String {
    let pem = std::fs::read_to_string(&file.key).expect("a key");
    let der = oncegate::message::pki::pem_blocks(&pem, "PRIVATE KEY").pop().expect("a key");
    let key = oncegate::message::crypto::PrivateKey::from_pkcs8(&der).expect("an Ed25519 key");
    LogSigner::new(&file.name, Role::Witness, key).expect("a name").verifier().to_string()
}

fn make(folder: &Path, logs: &[&VerifierKey]) -> (WitnessFile, VerifierKey) {
    let key = WitnessFile::create(folder, "witness.example", SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a witness");
    let file = folder.join("witness.toml");
    logs.iter().for_each(|log| WitnessFile::add_log(&file, log).expect("a good log"));
    (WitnessFile::load(&file).expect("a good file"), key)
}

/// A witness that is served until this value goes.
pub struct Served {
    pub key: VerifierKey,
    pub address: SocketAddr,
    _stop: watch::Sender<bool>,
}

async fn start(file: &WitnessFile) -> Served {
    let witness = Arc::new(Witness::open(file).expect("a witness"));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let (address, key) = (listener.local_addr().expect("bound"), witness.verifier().clone());
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, Service::new(witness, "/w", Arc::new(|_: &str| {})), stopped));
    Served { key, address, _stop: stop }
}

/// A new witness of these logs, served.
pub async fn serve_witness(folder: &Path, logs: &[&VerifierKey]) -> Served {
    start(&make(folder, logs).0).await
}

async fn post(fetcher: &Fetcher, at: &Endpoint, body: impl Into<Vec<u8>>) -> (u16, String, String) {
    let body = Some(("text/plain", body.into()));
    let fetch = Fetch { body, headers: Vec::new(), answer_bytes_max: 100_000, deadline: Duration::from_secs(10) };
    told(fetcher.fetch(&at.below("add-checkpoint"), fetch).await.expect("an answer"))
}

async fn get(fetcher: &Fetcher, at: &Endpoint, path: &str) -> (u16, String, String) {
    let fetch = Fetch { body: None, headers: Vec::new(), answer_bytes_max: 100_000, deadline: Duration::from_secs(10) };
    told(fetcher.fetch(&at.below(path), fetch).await.expect("an answer"))
}

fn told(received: Received) -> (u16, String, String) {
    let media_type = received.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    (received.status.as_u16(), media_type.to_owned(), String::from_utf8(received.body).expect("text"))
}

fn submission(old: u64, tree: &Tree) -> Submission {
    let checkpoint = log().checkpoint(tree.head()).expect("signs");
    Submission { old, proof: tree.consistency(old, tree.size()), checkpoint }
}

#[tokio::test]
async fn a_request_to_a_witness_is_read_up_to_its_limit() {
    let folder = Folder::new();
    let (file, _) = make(&folder.path().join("w"), &[log().verifier()]);
    let (served, fetcher) = (start(&file).await, fetcher(folder.path()));
    let at = endpoint(served.address);
    let most = limits::WITNESS_REQUEST_BYTES_MAX;
    for (octets, status) in [(most, 400), (most + 1, 413)] {
        assert_eq!(post(&fetcher, &at, vec![b'x'; octets]).await.0, status, "{octets}");
    }
}

#[tokio::test]
async fn a_witness_has_so_many_connections_and_no_more() {
    let folder = Folder::new();
    let (file, _) = make(&folder.path().join("w"), &[]);
    let served = start(&file).await;
    crowd::has_room_for(served.address, limits::WITNESS_CONNECTIONS_MAX, "/w/health").await;
}

#[tokio::test]
async fn a_witness_answers_as_the_specification_says() {
    let folder = Folder::new();
    let (file, _) = make(&folder.path().join("w"), &[log().verifier()]);
    let (served, fetcher) = (start(&file).await, fetcher(folder.path()));
    let at = endpoint(served.address);
    let path = format!("{}/checkpoint", sha256(log().verifier().name().as_bytes()));
    assert_eq!(get(&fetcher, &at, &path).await.0, 404);

    let first = submission(0, &leaves(5));
    let (status, _, line) = post(&fetcher, &at, first.to_string()).await;
    assert_eq!(status, 200, "{line}");
    let cosigned = Checkpoint::parse(&format!("{}{line}", first.checkpoint)).expect("a checkpoint with one line more");
    cosigned.cosigned_at(&served.key).expect("the cosignature fits");

    let mut of_others = submission(5, &leaves(9));
    of_others.checkpoint = signer("other.example", Role::Log, 1).checkpoint(leaves(9).head()).expect("signs");
    let mut forged = submission(5, &leaves(9));
    forged.checkpoint = signer("log.example/2026", Role::Log, 7).checkpoint(leaves(9).head()).expect("signs");
    let other_tree = Tree::of((0..9).map(|_| b"other".to_vec()));
    for (body, status) in [
        (submission(0, &leaves(9)).to_string(), 409),
        (submission(3, &leaves(9)).to_string(), 409),
        (submission(5, &other_tree).to_string(), 422),
        (forged.to_string(), 403),
        (of_others.to_string(), 404),
        (submission(5, &leaves(9)).to_string().replacen("old 5", "old 10", 1), 400),
        ("old 5\n".to_owned(), 400),
        ("\n".to_owned(), 400),
    ] {
        let (found, media_type, answer) = post(&fetcher, &at, body.clone()).await;
        assert_eq!(found, status, "{body}: {answer}");
        assert!(status != 409 || (media_type == "text/x.tlog.size" && answer == "5\n"), "{media_type}: {answer}");
    }
    assert_eq!(post(&fetcher, &at, submission(5, &leaves(9)).to_string()).await.0, 200);
    let (status, _, last) = get(&fetcher, &at, &path).await;
    let last = Checkpoint::parse(&last).expect("a checkpoint");
    assert_eq!((status, last.verify(log().verifier())), (200, Ok(leaves(9).head())));
    last.cosigned_at(&served.key).expect("cosigned");

    let large = vec![b'x'; 100_000];
    assert_eq!(post(&fetcher, &at, large).await.0, 413);
    for (path, status) in [("add-checkpoint", 405), ("health", 200), ("", 404), ("xyz/checkpoint", 404)] {
        assert_eq!(get(&fetcher, &at, path).await.0, status, "{path}");
    }
}

#[test]
fn what_was_cosigned_is_on_disk_and_a_damaged_state_is_refused() {
    let folder = Folder::new();
    let (file, _) = make(&folder.path().join("w"), &[log().verifier()]);
    let now = UnixTime::from_ms(1_800_000_000_000);
    let step = |witness: &Witness, old, tree: &Tree| witness.add_checkpoint(submission(old, tree).to_string().as_bytes(), now);
    let witness = Witness::open(&file).expect("a witness");
    assert!(matches!(Witness::open(&file), Err(WitnessError::InUse(_))));
    assert!(matches!(step(&witness, 0, &leaves(4)), Weighed::Cosigned(_)));
    let early = std::fs::read(&file.state).expect("a state");
    assert!(matches!(step(&witness, 4, &leaves(7)), Weighed::Cosigned(_)));
    // Asked again, it says so again, and needs no further write.
    let late = std::fs::read(&file.state).expect("a state");
    assert!(matches!(step(&witness, 7, &leaves(7)), Weighed::Cosigned(_)));
    assert_eq!(std::fs::read(&file.state).expect("a state"), late);
    // Another tree of that size is two histories.
    let other = Tree::of((0..7).map(|_| b"other".to_vec()));
    assert_eq!(step(&witness, 7, &other), Weighed::Fork(Refusal::Conflict { size: 7 }));
    drop(witness);

    let witness = Witness::open(&file).expect("the state");
    assert_eq!(step(&witness, 4, &leaves(9)), Weighed::Refused(Refusal::Conflict { size: 7 }));
    drop(witness);
    // Each octet counts.
    for at in 0..late.len() {
        let mut damaged = late.clone();
        damaged[at] ^= 4;
        std::fs::write(&file.state, damaged).expect("writable");
        assert!(Witness::open(&file).is_err(), "octet {at}");
    }
    for cut in [0, 1, late.len() / 2, late.len() - 1] {
        std::fs::write(&file.state, &late[..cut]).expect("writable");
        assert!(matches!(Witness::open(&file), Err(WitnessError::Damaged(_))), "{cut}");
    }
    std::fs::remove_file(&file.state).expect("there");
    assert!(matches!(Witness::open(&file), Err(WitnessError::NoState(_))));
    // A state that another key cosigned is not this witness's.
    let (other, _) = make(&folder.path().join("other"), &[log().verifier()]);
    std::fs::write(&other.state, &early).expect("writable");
    assert!(matches!(Witness::open(&other), Err(WitnessError::Key(_))));
}

#[test]
fn a_witness_that_cannot_write_stops() {
    let folder = Folder::new();
    let (file, _) = make(&folder.path().join("w"), &[log().verifier()]);
    let now = UnixTime::from_ms(1_800_000_000_000);
    let witness = Witness::open(&file).expect("a witness");
    // In place of the file that the next state is written to there is a folder.
    let beside = folder.path().join("w/witness.state.new");
    std::fs::create_dir(&beside).expect("writable");
    let body = submission(0, &leaves(4)).to_string();
    assert_eq!(witness.add_checkpoint(body.as_bytes(), now), Weighed::Refused(Refusal::Stopped));
    std::fs::remove_dir(&beside).expect("there");
    assert_eq!(witness.add_checkpoint(body.as_bytes(), now), Weighed::Refused(Refusal::Stopped));
    assert!(!witness.is_ready() && witness.all().is_empty());
}

fn witnessing(witnesses: &[(VerifierKey, SocketAddr)], fetcher: &Fetcher) -> Witnessing {
    let witnesses = witnesses.iter().map(|(key, at)| WitnessAt { key: key.clone(), url: endpoint(*at) }).collect();
    Witnessing::new(&Witnesses { witnesses, every_s: 1 }, log().verifier().clone(), fetcher)
}

#[tokio::test]
async fn a_log_gets_the_cosignatures_of_all_its_witnesses() {
    let folder = Folder::new();
    let (fetcher, telemetry) = (fetcher(folder.path()), Telemetry::new(Lines::Off));
    let mut served = Vec::new();
    for name in ["a", "b", "c"] {
        served.push(start(&make(&folder.path().join(name), &[log().verifier()]).0).await);
    }
    let mut witnesses: Vec<_> = served.iter().map(|served| (served.key.clone(), served.address)).collect();
    // One is not there.
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    witnesses.push((signer("away.example", Role::Witness, 9).verifier().clone(), nobody));
    let witnessing = witnessing(&witnesses, &fetcher);
    let log = MemoryLog::new(log(), leaves(3));
    witnessing.check_not_rolled_back(&log, &telemetry).await.expect("nobody knows the log");
    for grown in [0, 1, 300, 70] {
        log.grow(grown);
        witnessing.round(&log, &telemetry).await;
        let cosigned = witnessing.cosigned().expect("three witnesses are there");
        assert_eq!(cosigned.claimed(), log.tree().head());
        for served in &served {
            cosigned.cosigned_at(&served.key).expect("a cosignature of each");
        }
        // A receipt under it carries them.
        let receipt = log.tree().receipt(2, &cosigned).to_string();
        assert_eq!(receipt.matches("\u{2014} witness.example ").count(), 3);
    }
    assert!(witnessing.fork().is_none());
    let known = witnessing.known();
    assert!(known[..3].iter().all(|known| known.trouble.is_none() && known.size == 374), "{known:?}");
    assert!(known[3].trouble.is_some());
    let metrics = telemetry.metrics();
    assert!(metrics.contains("oncegate_cosigned_records 374"), "{metrics}");
    assert!(metrics.contains("oncegate_witness_answers_total{answer=\"cosigned\"} 12"), "{metrics}");
    // Started again, the log is what the witnesses know.
    let again = self::witnessing(&witnesses, &fetcher);
    again.check_not_rolled_back(&log, &telemetry).await.expect("the same history");
}

/// What one witness says of a log that is another one than the one that it saw.
async fn said_at_start_and_later(truth: Tree, forged: Tree) -> (Fork, Fork) {
    let folder = Folder::new();
    let (fetcher, telemetry) = (fetcher(folder.path()), Telemetry::new(Lines::Off));
    let served = start(&make(&folder.path().join("w"), &[log().verifier()]).0).await;
    let witnesses = [(served.key.clone(), served.address)];
    let log = MemoryLog::new(log(), truth);
    let first = witnessing(&witnesses, &fetcher);
    first.round(&log, &telemetry).await;
    assert!(first.cosigned().is_some());
    log.replace(forged);
    let at_start = witnessing(&witnesses, &fetcher).check_not_rolled_back(&log, &telemetry).await;
    // The gateway runs on and finds it in the next round.
    let deadline = Duration::from_secs(10);
    let running = first.run(Arc::clone(&log), &telemetry);
    tokio::time::timeout(deadline, running).await.expect("it ends by itself");
    let later = tokio::time::timeout(deadline, first.forked()).await.expect("it was told");
    (at_start.expect_err("the witness knows better").0, Fork::clone(&later))
}

#[tokio::test]
async fn a_log_that_was_rolled_back_does_not_start_and_a_fork_stops_it() {
    let other = |count: usize| Tree::of((0..count).map(|number| format!("other {number}").into_bytes()));
    for (what, forged) in [
        ("rolled back", leaves(20)),
        ("empty", Tree::default()),
        ("another of the same size", other(50)),
        ("another and longer", other(90)),
        ("another and shorter", other(10)),
    ] {
        let own = forged.size();
        let (at_start, later) = said_at_start_and_later(leaves(50), forged).await;
        for fork in [at_start, later] {
            assert_eq!((fork.own_size, fork.size), (own, Some(50)), "{what}");
            let evidence = fork.evidence.as_ref().expect("our witnesses show what they cosigned");
            assert_eq!(evidence.verify(log().verifier()), Ok(leaves(50).head()));
            let line = fork.to_string();
            assert!(line.contains("witness.example") && line.contains(&leaves(50).head().root.to_string()), "{line}");
        }
    }
}

/// A server that gives the same answer to whatever comes; nothing at all if the answer is empty.
fn liar(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let answer = answer.clone();
            if answer.is_empty() {
                kept.push(stream);
                continue;
            }
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let _ = stream.read(&mut [0; 65_536]);
            let _ = stream.write_all(&answer);
        }
    });
    address
}

fn response(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn a_witness_that_lies_changes_nothing() {
    let folder = Folder::new();
    let (fetcher, telemetry) = (fetcher(folder.path()), Telemetry::new(Lines::Off));
    let witness = signer("witness.example", Role::Witness, 5);
    let log = MemoryLog::new(log(), leaves(50));
    let checkpoint = log.checkpoint();
    let other = log.signer.checkpoint(Head { size: 50, root: Hash::of_leaf(b"x") }).expect("signs");
    let in_future = witness.cosign(&checkpoint, 99_999_999_999).expect("cosigns").to_string();
    let of_other = witness.cosign(&other, 1).expect("cosigns").to_string();
    let of_stranger = signer("w2.example", Role::Witness, 6).cosign(&checkpoint, 1).expect("cosigns").to_string();
    let mut shown = Checkpoint::clone(&checkpoint);
    shown.add(witness.cosign(&checkpoint, 1).expect("cosigns"));
    let of_this_history = shown.to_string();
    for (what, answer) in [
        ("silence", Vec::new()),
        ("no HTTP", b"hello\n".to_vec()),
        ("a redirect", response("302 Found\r\nLocation: http://127.0.0.1:1/", "")),
        ("an error", response("500 Internal Server Error", "")),
        ("an unknown log", response("404 Not Found", "")),
        ("garbage", response("200 OK", "garbage\n")),
        ("nothing", response("200 OK", "")),
        ("no end of line", response("200 OK", of_stranger.trim_end())),
        ("a cosignature of somebody else", response("200 OK", &of_stranger)),
        ("a cosignature of something else", response("200 OK", &of_other)),
        ("a cosignature from the future", response("200 OK", &in_future)),
        ("a huge body", response("200 OK", &"x".repeat(10_000_000))),
        ("a huge length", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec()),
        ("a conflict without a size", response("409 Conflict\r\nContent-Type: text/x.tlog.size", "")),
        ("a conflict of another type", response("409 Conflict\r\nContent-Type: text/plain", "7\n")),
        ("a size that changes nothing", response("409 Conflict\r\nContent-Type: text/x.tlog.size", "20\n")),
        ("this history", response("200 OK", &of_this_history)),
    ] {
        let witnessing = witnessing(&[(witness.verifier().clone(), liar(answer))], &fetcher);
        let started = Instant::now();
        let checked = witnessing.check_not_rolled_back(&log, &telemetry).await;
        // A size that does not move when the proof is right is a claim of two histories, made without showing anything.
        let is_claim = what == "a size that changes nothing";
        assert_eq!(checked.is_err(), is_claim, "{what}");
        witnessing.round(&log, &telemetry).await;
        assert_eq!((witnessing.cosigned().is_none(), witnessing.fork().is_some()), (true, is_claim), "{what}");
        assert!(is_claim || witnessing.known()[0].trouble.is_some(), "{what}");
        assert!(started.elapsed() < Duration::from_secs(25), "{what}");
    }
}

/// A witness says that there are two histories, and shows one checkpoint that is of this history: nothing is believed.
#[tokio::test]
async fn a_claim_that_its_own_evidence_contradicts_is_none() {
    let folder = Folder::new();
    let (fetcher, telemetry) = (fetcher(folder.path()), Telemetry::new(Lines::Off));
    let witness = signer("witness.example", Role::Witness, 5);
    let log = MemoryLog::new(log(), leaves(50));
    let mut shown = Checkpoint::clone(&log.checkpoint());
    shown.add(witness.cosign(&shown, 1).expect("cosigns"));
    for (status, body, is_fork) in [("409 Conflict", "60\n", false), ("422 Unprocessable Content", "", false)] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        let shown = response("200 OK", &shown.to_string());
        let said = response(&format!("{status}\r\nContent-Type: text/x.tlog.size"), body);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut octets = [0; 65_536];
                let read = stream.read(&mut octets).unwrap_or(0);
                let _ = stream.write_all(if octets[..read].starts_with(b"GET") { &shown } else { &said });
            }
        });
        let witnessing = witnessing(&[(witness.verifier().clone(), address)], &fetcher);
        witnessing.round(&log, &telemetry).await;
        assert_eq!(witnessing.fork().is_some(), is_fork, "{status}");
    }
}

/// A witness that starts anew with the same key would cosign whatever comes: it is not believed again.
#[tokio::test]
async fn a_witness_that_has_lost_its_state_is_not_believed() {
    let folder = Folder::new();
    let (fetcher, telemetry) = (fetcher(folder.path()), Telemetry::new(Lines::Off));
    let (file, _) = make(&folder.path().join("w"), &[log().verifier()]);
    let witness = |file| Service::new(Arc::new(Witness::open(file).expect("a witness")), "/w", Arc::new(|_: &str| {}));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = watch::channel(false);
    let first = witness(&file);
    let serving = tokio::spawn(async move {
        serve(listener, first, stopped).await;
    });
    let key = VerifierKey::parse(&witness_key(&file)).expect("a key");
    let witnessing = witnessing(&[(key, address)], &fetcher);
    let log = MemoryLog::new(log(), leaves(50));
    witnessing.round(&log, &telemetry).await;
    stop.send(true).expect("it is served");
    serving.await.expect("it ends");
    std::fs::remove_file(&file.state).expect("there");
    Witness::create(&file.state).expect("a state");
    let listener = tokio::net::TcpListener::bind(address).await.expect("the port is free again");
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, witness(&file), stopped));
    log.grow(1);
    witnessing.round(&log, &telemetry).await;
    let known = &witnessing.known()[0];
    assert!(known.size == 50 && known.trouble.as_ref().is_some_and(|why| why.contains("lost its state")), "{known:?}");
    assert_eq!(witnessing.cosigned().expect("of before").claimed().size, 50);
}

/// `oncegate witness`, running.
fn running(file: &Path, port: u16) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oncegate"));
    command.args(["witness", "run", "-c"]).arg(file);
    Program::start(command, port)
}

/// Killed at any time, the program never cosigns two histories: each time it is started again, it knows what it cosigned.
#[tokio::test]
async fn the_program_remembers_what_it_cosigned_when_it_is_killed() {
    let folder = Folder::new();
    let (port, w) = (free_port(), folder.path().join("w"));
    let oncegate = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_oncegate")).arg("witness").args(args).output().expect("it starts");
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).expect("text")
    };
    let (listen, file) = (format!("127.0.0.1:{port}"), w.join("witness.toml"));
    let (w, file_name) = (w.to_str().expect("a name"), file.to_str().expect("a name"));
    let key = oncegate(&["init", w, "--name", "witness.example/w1", "--listen", &listen]);
    let key = VerifierKey::parse(key.trim()).expect("a public key");
    oncegate(&["add", "-c", file_name, &log().verifier().to_string()]);
    let fetcher = fetcher(folder.path());
    let at = Endpoint::parse(&format!("http://{listen}")).expect("a URL");
    let mut size = 0;
    for round in 1..=5 {
        let _running = running(&file, port);
        let mut tree = leaves(size as usize);
        if size > 0 {
            let other = Tree::of((0..size + 9).map(|_| b"other".to_vec()));
            assert_eq!(post(&fetcher, &at, submission(size, &other).to_string()).await.0, 422, "round {round}");
        }
        for _ in 0..round {
            let old = tree.size();
            tree = leaves(old as usize + 7);
            let submission = submission(old, &tree);
            let (status, _, line) = post(&fetcher, &at, submission.to_string()).await;
            assert_eq!(status, 200, "{line}");
            let cosigned = Checkpoint::parse(&format!("{}{line}", submission.checkpoint)).expect("a checkpoint");
            cosigned.cosigned_at(&key).expect("cosigned");
            size = tree.size();
        }
    }
    // A second one with the same state does not start.
    let _running = running(&file, port);
    let output = Command::new(env!("CARGO_BIN_EXE_oncegate")).args(["witness", "run", "-c", file_name]).output().expect("starts");
    assert!(!output.status.success() && said(&output).contains("another process has it"), "{}", said(&output));
}

/// A gateway that has a witness's file witnesses the logs of others at its public listener.
#[test]
fn a_gateway_witnesses_the_logs_of_others() {
    let folder = Folder::new();
    let (file, key) = make(&folder.path().join("w"), &[log().verifier()]);
    let config = format!("{QUICK}\n[witness]\nfile = {:?}\n", folder.path().join("w/witness.toml"));
    let world = World::with(&config, &[]);
    let at = Endpoint::parse(&format!("http://{}/witness", world.demo().public_address())).expect("a URL");
    let fetcher = fetcher(folder.path());
    let first = submission(0, &leaves(5));
    let (status, _, line) = world.block_on(post(&fetcher, &at, first.to_string()));
    assert_eq!(status, 200, "{line}");
    let cosigned = Checkpoint::parse(&format!("{}{line}", first.checkpoint)).expect("a checkpoint");
    cosigned.cosigned_at(&key).expect("cosigned");
    let path = format!("{}/checkpoint", sha256(log().verifier().name().as_bytes()));
    assert_eq!(world.block_on(get(&fetcher, &at, &path)).0, 200);
    assert_eq!(world.block_on(post(&fetcher, &at, submission(3, &leaves(9)).to_string())).0, 409);
    // What is not the witness's is answered as ever.
    let public = Endpoint::parse(&format!("http://{}", world.demo().public_address())).expect("a URL");
    assert_eq!(world.block_on(get(&fetcher, &public, "health")).0, 200);
    assert_eq!(world.block_on(get(&fetcher, &public, "witnesses")).0, 404);
    // The state is the gateway's as long as it runs.
    assert!(matches!(Witness::open(&file), Err(WitnessError::InUse(_))));
}

/// A witness behind a server with TLS is reached if its certificate is of the authority that is configured, and only then.
#[tokio::test]
async fn a_witness_behind_tls_is_reached_by_its_authority() {
    let folder = Folder::new();
    let now = UnixTime::from_ms(u64::try_from(since_1970().as_millis()).expect("before the year 584 million"));
    let root = make_root("test", now).expect("a root");
    let authority = Authority::open(&root.certificate, &root.key).expect("an authority");
    let server = authority.issue_server("witness", &["localhost".to_owned()], now).expect("a certificate");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path
    };
    let (root, certificate) = (file("root.pem", &root.certificate), file("tls.pem", &server.certificate));
    let (key, other) = (file("tls.key", &server.key), make_root("other", now).expect("a root").certificate);
    let other = file("other.pem", &other);
    let served = serve_witness(&folder.path().join("w"), &[log().verifier()]).await;
    let port = free_port();
    let mut socat = Command::new("socat");
    let options = format!("bind=127.0.0.1,reuseaddr,fork,verify=0,cert={},key={}", certificate.display(), key.display());
    socat.arg(format!("OPENSSL-LISTEN:{port},{options}")).arg(format!("TCP:{}", served.address));
    let _socat = Program::start(socat, port);
    let url = Endpoint::parse(&format!("https://localhost:{port}/w")).expect("a URL");
    let (log, telemetry) = (MemoryLog::new(log(), leaves(7)), Telemetry::new(Lines::Off));
    for (authorities, is_believed) in [(&root, true), (&other, false)] {
        let witnesses = vec![WitnessAt { key: served.key.clone(), url: url.clone() }];
        let fetcher = Fetcher::new(trust(authorities).expect("a root"));
        let config = Witnesses { witnesses, every_s: 1 };
        let witnessing = Witnessing::new(&config, log.signer.verifier().clone(), &fetcher);
        witnessing.round(&log, &telemetry).await;
        assert_eq!(witnessing.cosigned().is_some(), is_believed, "{:?}", witnessing.known());
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970")
}
