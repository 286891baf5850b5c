//! Who gets in, with which certificate, how often, and for how long.

use crate::abuse::peer::{HTTP1, Peer};
use crate::crowd;
use crate::process::{Scene, answered, send};
use oncegate::base::limits;
use oncegate::evidence::journal;
use oncegate::faces::client::problem_of;
use oncegate::host::transport::{Entrance, Identity, Listening, Room, Turned};
use oncegate::message::pki;
use std::fs;
use std::path::Path;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const SILENT: &str = "records = \"off\"\n";
const GET: &[u8] = b"GET /health HTTP/1.1\r\nhost: l\r\n\r\n";

/// The first line of the response to a request over a connection that stays open.
async fn status(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), request: &[u8]) -> Option<String> {
    stream.write_all(request).await.ok()?;
    let mut octets = vec![0; 4096];
    let count = stream.read(&mut octets).await.ok()?;
    String::from_utf8_lossy(octets.get(..count)?).lines().next().map(str::to_owned)
}

#[test]
fn a_certificate_has_so_many_connections_and_no_more() {
    let scene = Scene::new("records = \"off\"\n[limits]\nconnections_per_certificate = 3\n");
    let gateway = scene.start();
    scene.block_on(async {
        let (fund, school) = (Peer::new(&scene, "xx.demo.social-fund"), Peer::new(&scene, "xx.demo.school-17"));
        let mut inside = Vec::new();
        for _ in 0..3 {
            let mut stream = fund.tls(HTTP1).await.expect("a handshake");
            assert_eq!(status(&mut stream, GET).await.as_deref(), Some("HTTP/1.1 200 OK"));
            inside.push(stream);
        }
        let mut fourth = fund.tls(HTTP1).await.expect("a handshake");
        assert_eq!(status(&mut fourth, GET).await, None, "closed");
        let mut other = school.tls(HTTP1).await.expect("a handshake");
        assert_eq!(status(&mut other, GET).await.as_deref(), Some("HTTP/1.1 200 OK"), "another agency is not concerned");
        for stream in &mut inside {
            assert_eq!(status(stream, GET).await.as_deref(), Some("HTTP/1.1 200 OK"));
        }
        drop(inside.pop());
        // Its place is free when the gateway has seen the end of it.
        loop {
            let mut again = fund.tls(HTTP1).await.expect("a handshake");
            if status(&mut again, GET).await.is_some() {
                break;
            }
        }
    });
    gateway.stop();
}

#[test]
fn an_address_has_so_many_connections_and_no_more() {
    let scene = Scene::new("records = \"off\"\n[limits]\nconnections_per_address = 2\n");
    let gateway = scene.start();
    scene.block_on(async {
        let (fund, school) = (Peer::new(&scene, "xx.demo.social-fund"), Peer::new(&scene, "xx.demo.school-17"));
        let mut first = fund.tls(HTTP1).await.expect("a handshake");
        let mut second = school.tls(HTTP1).await.expect("a handshake");
        assert!(fund.tls(HTTP1).await.is_err(), "closed before the handshake");
        assert!(status(&mut first, GET).await.is_some() && status(&mut second, GET).await.is_some());
        let elsewhere = fund.from("127.0.0.2");
        assert!(elsewhere.tls(HTTP1).await.is_ok(), "another address is not concerned");
    });
    gateway.stop();
}

#[test]
fn the_public_listener_has_so_many_connections_and_no_more() {
    crowd::allow_files(2 * limits::PUBLIC_CONNECTIONS_MAX as u64);
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    scene.block_on(crowd::has_room_for(scene.world().public_address(), limits::PUBLIC_CONNECTIONS_MAX, "/health"));
    gateway.stop();
}

/// So many come in by `entrance`, from addresses that take turns; the next one is still outside.
async fn fill(entrance: &Entrance, most: usize, per_address: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let knock = async |number: usize| {
        let socket = TcpSocket::new_v4().expect("a socket");
        let from = format!("127.0.0.{}:0", number / per_address + 2);
        socket.bind(from.parse().expect("an address")).expect("it is ours");
        socket.connect(listener.local_addr().expect("bound")).await.expect("it listens")
    };
    let mut inside = Vec::with_capacity(most);
    for number in 0..most {
        let _outside = knock(number).await;
        inside.push(entrance.next(&listener).await.expect("there is room"));
    }
    let _outside = knock(most).await;
    let mut next = pin!(entrance.next(&listener));
    // Whoever else accepts gets it, since the entrance does not.
    tokio::select! {
        biased;
        _ = next.as_mut() => panic!("there is room for more than {most}"),
        accepted = listener.accept() => drop(accepted),
    }
    drop(inside.pop());
    let _outside = knock(most).await;
    assert!(next.await.is_ok(), "there is room again");
}

fn listening(scene: &Scene) -> Listening {
    let certs = scene.world().folder().join("certs");
    let identity = Identity::load(&certs.join("gateway.pem"), &certs.join("gateway.key"), &certs.join("ca.pem"), None);
    identity.expect("files").server().expect("they fit")
}

#[test]
fn so_many_are_inside_and_shake_hands_at_once_and_no_more() {
    const PENDING: usize = limits::ADDRESS_HANDSHAKES_MAX as usize;
    crowd::allow_files(2 * limits::HANDSHAKES_MAX as u64);
    let scene = Scene::new(SILENT);
    let tls = listening(&scene);
    let room = Room { connections: limits::CONNECTIONS_MAX, per_address: u32::MAX, per_certificate: 1 };
    scene.block_on(async {
        fill(&Entrance::new(tls.clone(), room), limits::HANDSHAKES_MAX, PENDING).await;
        fill(&Entrance::new(tls.clone(), Room { connections: 3, ..room }), 3, PENDING).await;
        let (entrance, listener) = (Entrance::new(tls, room), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
        let mut inside = Vec::with_capacity(PENDING);
        for is_last in (0..=PENDING).map(|number| number == PENDING) {
            let _outside = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
            let next = entrance.next(&listener).await;
            assert_eq!(next.as_ref().err(), is_last.then_some(&Turned::Address));
            inside.push(next);
        }
    });
}

#[test]
fn a_handshake_takes_so_long_and_no_longer() {
    let scene = Scene::new(SILENT);
    let entrance = Entrance::new(listening(&scene), Room { connections: 1, per_address: 1, per_certificate: 1 });
    let paused = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    paused.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let _silent = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        let knock = entrance.next(&listener).await.map_err(|turned| turned.as_str()).expect("there is room");
        let begun = tokio::time::Instant::now();
        assert_eq!(entrance.admit(knock).await.err().map(|failed| failed.turned), Some(Turned::Handshake));
        assert_eq!(begun.elapsed().as_millis(), u128::from(limits::HANDSHAKE_MS));
    });
}

/// Each is answered with its code, also those that have no record of their own; what they have in common has one.
#[test]
fn refusals_beyond_the_budget_are_summed_up() {
    const MORE: u64 = 7;
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let fund = scene.world().client("xx.demo.social-fund").expect("a client");
    let refused = |number: u64| {
        let received = scene.block_on(fund.get(&format!("/no/such/path/{number}"))).expect("the gateway is there");
        let problem = problem_of(&received);
        assert_eq!((received.status.as_u16(), problem.code.as_str()), (404, "OG-HTTP-002"));
        problem.log_index
    };
    let budget = u64::from(oncegate::base::limits::REFUSALS_BURST);
    let (mut recorded, mut unrecorded) = (0, 0);
    while unrecorded < MORE {
        match refused(recorded + unrecorded) {
            Some(_) => recorded += 1,
            None => unrecorded += 1,
        }
    }
    assert!(recorded >= budget, "{recorded} of {budget}");
    let school = scene.client();
    scene.block_on(answered(&school, &scene.request(&school, 0)));
    // The stop writes what is not yet written.
    gateway.stop();
    let leaves = leaves(&scene);
    let summed: u64 = leaves.iter().filter_map(|leaf| leaf["y"].as_u64()).sum();
    assert_eq!(summed, MORE);
    let refusals = leaves.iter().filter(|leaf| leaf["k"] == "err" && leaf["y"].is_null()).count() as u64;
    assert_eq!(refusals, recorded);
}

fn leaves(scene: &Scene) -> Vec<serde_json::Value> {
    let octets = fs::read(scene.segment(0)).expect("a segment");
    let mut leaves = Vec::new();
    journal::walk(&octets, journal::From { offset: 0, size: 0 }, journal::Erasure::None, |_, frame| {
        leaves.push(serde_json::from_slice(frame.leaf).expect("a leaf"));
    });
    leaves
}

/// Whether OpenSSL resumes a session that it keeps in a file, making one if there is none.
fn resumes(scene: &Scene, session: &Path, tls: &str) -> bool {
    let folder = scene.world().agency_folder("xx.demo.school-17");
    let mut command = Command::new("openssl");
    command.args(["s_client", tls, "-ign_eof", "-connect", &scene.world().exchange_address().to_string()]);
    command.args(["-servername", "localhost", "-CAfile"]).arg(folder.join("ca.pem"));
    command.arg("-cert").arg(folder.join("tls.pem")).arg("-key").arg(folder.join("tls.key"));
    if session.exists() {
        command.arg("-sess_in").arg(session);
    }
    command.arg("-sess_out").arg(session);
    let ended = with_input(command, b"GET /health HTTP/1.1\r\nhost: l\r\nconnection: close\r\n\r\n");
    assert!(ended.contains("HTTP/1.1 200 OK"), "{ended}");
    ended.contains("Reused, TLS")
}

fn with_input(mut command: Command, input: &[u8]) -> String {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(input).expect("taken");
    String::from_utf8_lossy(&child.wait_with_output().expect("it ends").stdout).into_owned()
}

#[test]
fn sessions_are_resumed_by_tickets_until_the_certificates_are_read_again() {
    let scene = Scene::new(SILENT);
    let mut gateway = scene.start();
    for tls in ["-tls1_3", "-tls1_2"] {
        let session = scene.folder().join(format!("session{tls}"));
        assert!(!resumes(&scene, &session, tls), "{tls}: the first is new");
        assert!(resumes(&scene, &session, tls), "{tls}");
        gateway.signal("HUP");
        gateway.says("were read again");
        assert!(!resumes(&scene, &session, tls), "{tls}: its key is gone");
    }
    gateway.stop();
}

/// Writes a revocation list of the installation's authority.
fn revoke(scene: &Scene, serials: &[Vec<u8>]) {
    let folder = scene.world().folder();
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("readable");
    let list = crate::pki::list(&read("certs/ca.pem"), &read("authority/ca.key"), serials);
    fs::write(folder.join("revoked.pem"), list).expect("writable");
}

#[test]
fn a_revoked_certificate_loses_its_connections_and_gets_no_other() {
    let scene = Arc::new(Scene::new(SILENT));
    revoke(&scene, &[]);
    let config = fs::read_to_string(scene.config()).expect("readable");
    fs::write(scene.config(), config.replace("[exchange]\n", "[exchange]\nrevocation = \"revoked.pem\"\n")).expect("writable");
    let mut gateway = scene.start();
    let fund = Peer::new(&scene, "xx.demo.social-fund");
    let mut stream = scene.block_on(fund.tls(HTTP1)).expect("a handshake");
    assert!(scene.block_on(status(&mut stream, GET)).is_some());
    let school = scene.client();
    assert!(scene.block_on(send(&school, &scene.request(&school, 0).octets)).is_some());

    let certificate = fs::read_to_string(scene.world().agency_folder("xx.demo.social-fund").join("tls.pem")).expect("readable");
    let der = pki::pem_blocks(&certificate, "CERTIFICATE").remove(0);
    revoke(&scene, &[serial(&der)]);
    gateway.signal("HUP");
    gateway.says("were read again");
    assert_eq!(scene.block_on(status(&mut stream, GET)), None, "the connection is closed");
    let mut another = scene.block_on(fund.tls(HTTP1)).expect("TLS 1.3 tells a client afterwards");
    assert_eq!(scene.block_on(status(&mut another, GET)), None);
    assert!(scene.block_on(send(&school, &scene.request(&school, 1).octets)).is_some(), "others are not concerned");

    // A list that does not read leaves the one in force.
    fs::write(scene.world().folder().join("revoked.pem"), "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
        .expect("writable");
    gateway.signal("HUP");
    gateway.says("were not read again");
    let mut another = scene.block_on(fund.tls(HTTP1)).expect("TLS 1.3 tells a client afterwards");
    assert_eq!(scene.block_on(status(&mut another, GET)), None);
    gateway.stop();
}

/// The serial number of a certificate, as OpenSSL reads it.
fn serial(der: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(["x509", "-inform", "DER", "-noout", "-serial"]);
    let said = with_input(command, der);
    let digits = said.trim().strip_prefix("serial=").expect("a serial number").to_owned();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal")).collect()
}
