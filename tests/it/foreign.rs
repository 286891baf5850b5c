//! Programs that are not ours verify what the log writes, cosign it, and stamp it: Go's packages of the checksum database,
//! aics-tlog, aics-witness, openssl, and the example in Python.

use crate::folder::Folder;
use crate::memory::{MemoryLog, Tree, signer};
use crate::tool::{Program, free_port, root, said};
use crate::witness::{fetcher, serve_witness};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oncegate::evidence::tlog::note::{Checkpoint, Role, VerifierKey};
use oncegate::evidence::tlog::tiles::{Content, Tile, read_bundle, write_bundle};
use oncegate::evidence::tlog::tree::{Hash, Head};
use oncegate::gateway::timestamp::{StampError, Stamping};
use oncegate::gateway::witness::Witnessing;
use oncegate::host::config::{Lines, Stamps, WitnessAt, Witnesses};
use oncegate::host::telemetry::Telemetry;
use oncegate::rules::registry::Endpoint;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

const ORIGIN: &str = "gateway.example/audit/2026";
const SIZE: u64 = 70_000;
const EARLIER: u64 = 1_000;
const RECORD: u64 = 1_793;

/// A log written as static tiles, with an earlier checkpoint and a receipt beside it.
struct Written {
    folder: Folder,
    log: VerifierKey,
    witness: VerifierKey,
}

impl Written {
    fn new() -> Self {
        let folder = Folder::new();
        let leaf = |number| format!("{{\"k\":\"req\",\"o\":{},\"t\":{number},\"v\":1}}", number % 977).into_bytes();
        let (log, witness) = (signer(ORIGIN, Role::Log, 1), signer("witness.example", Role::Witness, 2));
        let mut tree = Tree::of((0..EARLIER).map(leaf));
        let cosigned = |head: Head| {
            let mut checkpoint = log.checkpoint(head).expect("signs");
            let line = witness.cosign(&checkpoint, 1_800_000_000).expect("cosigns");
            checkpoint.add(line);
            checkpoint
        };
        let earlier = cosigned(tree.head());
        (EARLIER..SIZE).for_each(|number| tree.push(leaf(number)));
        let checkpoint = cosigned(tree.head());
        let written = Self { folder, log: log.verifier().clone(), witness: witness.verifier().clone() };
        fs::create_dir_all(written.tiles()).expect("writable");
        fs::write(written.tiles().join("checkpoint"), checkpoint.to_string()).expect("writable");
        fs::write(written.path("earlier"), earlier.to_string()).expect("writable");
        fs::write(written.path("leaf"), &tree.leaves[RECORD as usize]).expect("writable");
        fs::write(written.path("receipt"), tree.receipt(RECORD, &checkpoint).to_string()).expect("writable");
        for tile in Tile::all(SIZE) {
            let octets = match tile.content() {
                Content::Hashes(_) => {
                    let Ok(octets) = tile.hashes(&tree.hashes);
                    octets
                }
                Content::Entries => {
                    let (start, mut octets) = (tile.start() as usize, Vec::new());
                    let entries = tree.leaves[start..start + tile.width() as usize].iter().map(Vec::as_slice);
                    write_bundle(entries, &mut octets).expect("short entries");
                    octets
                }
            };
            let path = written.tiles().join(tile.to_string());
            fs::create_dir_all(path.parent().expect("in a folder")).expect("writable");
            fs::write(path, octets).expect("writable");
        }
        written
    }

    fn tiles(&self) -> PathBuf {
        self.folder.path().join("tiles")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes one bit of a tile while `then` runs.
    fn with_a_bit_flipped(&self, tile: &str, then: impl FnOnce()) {
        let path = self.tiles().join(tile);
        let good = fs::read(&path).expect("a tile");
        let mut changed = good.clone();
        changed[good.len() / 2] ^= 1;
        fs::write(&path, changed).expect("writable");
        then();
        fs::write(&path, good).expect("writable");
    }
}

fn installed(name: &str) -> PathBuf {
    let path = root().join("target/peers").join(name);
    assert!(path.exists(), "the peers are not installed yet: run tests/run once");
    path
}

fn run(command: &mut Command) -> Output {
    command.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("it starts")
}

#[test]
fn go_verifies_the_log_and_finds_what_was_changed() {
    let written = Written::new();
    let verify = |receipt: &str| {
        let mut command = Command::new(installed("tlog"));
        command.arg(written.tiles()).arg(written.log.to_string()).arg(written.path("earlier")).arg(written.path(receipt));
        run(&mut command)
    };
    let output = verify("receipt");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "verified: 70000 entries, from 1000 on, record 1793\n");
    let assert_refused = |what: &str| {
        let output = verify("receipt");
        assert!(output.status.code() == Some(1) && output.stdout.starts_with(b"refused: "), "{what}: {}", said(&output));
    };
    for tile in ["tile/entries/007", "tile/entries/273.p/112", "tile/0/001", "tile/0/200", "tile/1/001.p/17", "tile/2/000.p/1"] {
        written.with_a_bit_flipped(tile, || assert_refused(tile));
    }
    // An entry and its hash, both changed to fit each other.
    let [entries, hashes] = ["tile/entries/001", "tile/0/001"].map(|path| written.tiles().join(path));
    let (good, mut changed) = (fs::read(&entries).expect("a bundle"), fs::read(&entries).expect("a bundle"));
    changed[2] ^= 1;
    let first = read_bundle(&changed, 256).expect("whole")[0].to_vec();
    let (good_hashes, mut changed_hashes) = (fs::read(&hashes).expect("a tile"), fs::read(&hashes).expect("a tile"));
    changed_hashes[..32].copy_from_slice(Hash::of_leaf(&first).octets());
    fs::write(&entries, changed).and_then(|()| fs::write(&hashes, changed_hashes)).expect("writable");
    assert_refused("an entry with its hash");
    fs::write(&entries, good).and_then(|()| fs::write(&hashes, good_hashes)).expect("writable");
    let receipt = fs::read_to_string(written.path("receipt")).expect("a receipt");
    fs::write(written.path("other"), receipt.replace("index 1793", "index 1792")).expect("writable");
    assert!(!verify("other").status.success());
    // Another log's key.
    let mut command = Command::new(installed("tlog"));
    command.arg(written.tiles()).arg(signer(ORIGIN, Role::Log, 7).verifier().to_string());
    let output = run(command.arg(written.path("earlier")).arg(written.path("receipt")));
    assert!(!output.status.success(), "{}", said(&output));
}

#[test]
fn aics_tlog_verifies_the_log_and_finds_what_was_changed() {
    let written = Written::new();
    let tlog = |args: &[&str]| {
        let mut command = Command::new(installed("venv/bin/aics-tlog"));
        command.args(args).arg("--log-key").arg(written.log.to_string()).arg("--tiles").arg(written.tiles());
        command.arg("--witness-key").arg(written.witness.to_string()).args(["--quorum", "1", "--origin", ORIGIN]);
        run(&mut command)
    };
    let (earlier, leaf) = (written.path("earlier"), written.path("leaf"));
    let (earlier, leaf) = (earlier.to_str().expect("a name"), leaf.to_str().expect("a name"));
    let inclusion = ["verify-inclusion", "--leaf", leaf, "--index", "1793"];
    let consistency = ["verify-consistency", "--old-checkpoint", earlier];
    for args in [&["verify-checkpoint"][..], &inclusion, &consistency] {
        let output = tlog(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    }
    let output = tlog(&["verify-inclusion", "--leaf", leaf, "--index", "1792"]);
    assert!(!output.status.success(), "{}", said(&output));
    written.with_a_bit_flipped("tile/0/007", || assert!(!tlog(&inclusion).status.success()));
    written.with_a_bit_flipped("tile/1/000", || assert!(!tlog(&consistency).status.success()));
    let checkpoint = written.tiles().join("checkpoint");
    let text = fs::read_to_string(&checkpoint).expect("a checkpoint");
    fs::write(&checkpoint, text.replace("\n70000\n", "\n70001\n")).expect("writable");
    assert!(!tlog(&["verify-checkpoint"]).status.success());
}

/// What is signed is the text up to the empty line, and the signature stands after the four octets of the key's hash.
#[test]
fn openssl_verifies_a_checkpoint() {
    let written = Written::new();
    let note = fs::read_to_string(written.tiles().join("checkpoint")).expect("a checkpoint");
    let (text, lines) = note.split_once("\n\n").expect("a signed note");
    let key = STANDARD.decode(written.log.to_string().splitn(3, '+').nth(2).expect("a key")).expect("base64");
    let signature = lines.lines().find_map(|line| line.strip_prefix(&format!("\u{2014} {ORIGIN} "))).expect("the log's line");
    let signature = STANDARD.decode(signature).expect("base64");
    // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410).
    let head = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    fs::write(written.path("key.der"), [head.as_slice(), &key[1..]].concat()).expect("writable");
    fs::write(written.path("signature"), &signature[4..]).expect("writable");
    let verify = |text: &str| {
        fs::write(written.path("text"), text).expect("writable");
        let mut openssl = Command::new("openssl");
        openssl.args(["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin", "-inkey"]).arg(written.path("key.der"));
        run(openssl.arg("-sigfile").arg(written.path("signature")).arg("-in").arg(written.path("text")))
    };
    let output = verify(&format!("{text}\n"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(!verify(&format!("{}\n", text.replace("70000", "70001"))).status.success());
}

#[test]
fn the_example_in_python_verifies_a_receipt_and_no_changed_one() {
    let written = Written::new();
    let script = root().join("examples/python/verify_receipt.py");
    let lines = fs::read_to_string(&script).expect("readable").lines().count();
    assert!(lines <= 60, "{lines} lines");
    let verify = |receipt: &str, keys: &[&VerifierKey]| {
        let path = written.path("tried");
        fs::write(&path, receipt).expect("writable");
        let mut python = Command::new(installed("venv/bin/python"));
        run(python.arg(&script).arg(path).args(keys.iter().map(|key| key.to_string())))
    };
    let receipt = fs::read_to_string(written.path("receipt")).expect("a receipt");
    let leaf = fs::read_to_string(written.path("leaf")).expect("a leaf");
    let output = verify(&receipt, &[&written.log, &written.witness]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{leaf}\n"));
    let output = verify(&[receipt.as_str(), &receipt].concat(), &[&written.log]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{leaf}\n{leaf}\n"), "{}", said(&output));
    let (other, stranger) = (signer(ORIGIN, Role::Log, 7), signer("w.example", Role::Witness, 8));
    for (what, receipt, keys) in [
        ("another index", receipt.replace("index 1793", "index 1792"), [&written.log, &written.witness]),
        ("another leaf", receipt.replacen("extra e", "extra f", 1), [&written.log, &written.witness]),
        ("another size", receipt.replace("\n70000\n", "\n70001\n"), [&written.log, &written.witness]),
        ("a hash less", receipt.replacen("=\n\n", "=\n", 1), [&written.log, &written.witness]),
        ("another key", receipt.clone(), [other.verifier(), &written.witness]),
        ("a witness that did not cosign", receipt.clone(), [&written.log, stranger.verifier()]),
        ("a witness in place of the log", receipt.clone(), [&written.witness, &written.log]),
        ("nothing", String::new(), [&written.log, &written.witness]),
    ] {
        let output = verify(&receipt, &keys);
        assert!(!output.status.success() && output.stdout.is_empty(), "{what}: {}", said(&output));
    }
}

#[tokio::test]
async fn aics_witness_cosigns_our_checkpoints_and_tells_a_fork() {
    let (folder, port) = (Folder::new(), free_port());
    let (config, log) = (folder.path().join("witness.json"), signer(ORIGIN, Role::Log, 1));
    let witness = |args: &[&str]| {
        let mut command = Command::new(installed("venv/bin/aics-witness"));
        command.args(args).arg("--config").arg(&config).current_dir(folder.path());
        command
    };
    let listen = format!("127.0.0.1:{port}");
    let output = run(&mut witness(&["init", "--name", "witness.example/w1", "--listen", &listen]));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let key = printed.split_whitespace().find_map(|word| VerifierKey::parse(word).ok());
    let key = key.unwrap_or_else(|| panic!("no key in {}", said(&output)));
    let output = run(&mut witness(&["add-log", "--origin", ORIGIN, "--vkey", &log.verifier().to_string()]));
    assert!(output.status.success(), "{}", said(&output));
    let _running = Program::start(witness(&["serve"]), port);

    let (fetcher, telemetry) = (fetcher(folder.path()), Telemetry::new(Lines::Off));
    let url = Endpoint::parse(&format!("http://{listen}")).expect("a URL");
    let config = Witnesses { witnesses: vec![WitnessAt { key: key.clone(), url }], every_s: 1 };
    let witnessing = Witnessing::new(&config, log.verifier().clone(), &fetcher);
    let log = MemoryLog::new(log, Tree::default());
    witnessing.check_not_rolled_back(&log, &telemetry).await.expect("it does not know the log yet");
    for grown in [1, 999, 300, 0] {
        log.grow(grown);
        witnessing.round(&log, &telemetry).await;
        let cosigned = witnessing.cosigned().unwrap_or_else(|| panic!("{:?}", witnessing.known()));
        assert_eq!(cosigned.claimed(), log.tree().head(), "{:?}", witnessing.known());
        cosigned.cosigned_at(&key).expect("a cosignature of the witness");
    }
    // Started anew, it finds the witness where it was.
    let again = Witnessing::new(&config, log.signer.verifier().clone(), &fetcher);
    again.check_not_rolled_back(&log, &telemetry).await.expect("the same history");
    again.round(&log, &telemetry).await;
    assert!(again.cosigned().is_some(), "{:?}", again.known());

    let truth = log.tree();
    let other = |size: u64| Tree::of((0..size).map(|number| format!("other {number}").into_bytes()));
    let rolled_back = Tree::of(truth.leaves[..700].to_vec());
    for (what, forged) in [("rolled back", rolled_back), ("of this size", other(1300)), ("longer", other(1400))] {
        log.replace(forged);
        let witnessing = Witnessing::new(&config, log.signer.verifier().clone(), &fetcher);
        let at_start = witnessing.check_not_rolled_back(&log, &telemetry).await.expect_err(what);
        witnessing.round(&log, &telemetry).await;
        let later = witnessing.fork().expect(what);
        for fork in [&at_start.0, &*later] {
            assert_eq!((fork.own_size, fork.size), (log.tree().size(), Some(1300)), "{what}");
            assert!(fork.evidence.is_some(), "{what}: {fork}");
        }
    }
    log.replace(truth);
    again.round(&log, &telemetry).await;
    assert!(again.fork().is_none() && again.known()[0].trouble.is_none(), "{:?}", again.known());
}

/// The other way round: our witness, asked by a log and a client that are not ours.
#[tokio::test(flavor = "multi_thread")]
async fn our_witness_cosigns_the_checkpoints_of_aics_tlog() {
    let folder = Folder::new();
    let log = signer("foreign.example/log", Role::Log, 3);
    let served = serve_witness(&folder.path().join("w"), &[log.verifier()]).await;
    let mut python = Command::new(installed("venv/bin/python"));
    python.arg(root().join("tests/peers/aics_log.py")).arg("03".repeat(32));
    python.arg(format!("http://{}/w", served.address)).arg(served.key.to_string());
    let output = tokio::task::spawn_blocking(move || run(&mut python)).await.expect("it ends");
    let expected = "size 1 cosigned\nsize 5 cosigned\nsize 5 cosigned\nsize 256 cosigned\nsize 300 cosigned\n\
                    rolled back WitnessAhead \nanother tree of this size WitnessRejected 409\n\
                    another tree WitnessRejected 422\nsize 301 cosigned\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", said(&output));
    let evidence = fs::read_dir(folder.path().join("w")).expect("a folder").flatten();
    let evidence: Vec<_> = evidence.filter(|file| file.file_name().to_string_lossy().contains(".fork-")).collect();
    let kept = fs::read_to_string(evidence.first().expect("both checkpoints are kept").path()).expect("text");
    assert_eq!((evidence.len(), kept.matches("foreign.example/log\n300\n").count()), (1, 2), "{kept}");
}

/// A time stamping authority: `openssl ts -reply` behind a few lines of HTTP.
struct Authority {
    folder: PathBuf,
    url: Endpoint,
}

fn openssl(folder: &Path, args: &[&str]) -> Output {
    let output = run(Command::new("openssl").args(args).current_dir(folder));
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    output
}

impl Authority {
    fn start(folder: &Path, reply: fn(&Path, Vec<u8>) -> Vec<u8>) -> Self {
        fs::create_dir_all(folder).expect("writable");
        let config = "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n\
                      signer_digest = sha256\ndefault_policy = 1.2.3.4\ndigests = sha256\naccuracy = secs:1\nordering = yes\n\
                      ess_cert_id_alg = sha256\n[req]\ndistinguished_name = name\n[name]\n[ca]\nbasicConstraints = critical,CA:TRUE\n\
                      keyUsage = critical,keyCertSign\n[ext]\nextendedKeyUsage = critical,timeStamping\nkeyUsage = critical,digitalSignature\n";
        fs::write(folder.join("tsa.cnf"), config).expect("writable");
        fs::write(folder.join("serial"), "01\n").expect("writable");
        let new = ["req", "-config", "tsa.cnf", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30"];
        openssl(folder, &[&new[..], &["-subj", "/CN=Root", "-extensions", "ca", "-keyout", "ca.key", "-out", "ca.pem"]].concat());
        let request = ["req", "-config", "tsa.cnf", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=Stamps"];
        openssl(folder, &[&request[..], &["-keyout", "tsa.key", "-out", "tsa.csr"]].concat());
        let sign = ["x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"];
        openssl(folder, &[&sign[..], &["-extfile", "tsa.cnf", "-extensions", "ext", "-out", "tsa.pem"]].concat());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let url = format!("http://{}/stamp", listener.local_addr().expect("bound"));
        let here = folder.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let Some(query) = read_query(&mut stream) else { continue };
                let answer = reply(&here, query);
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\n\r\n",
                    answer.len()
                );
                let _ = stream.write_all(&[head.as_bytes(), &answer].concat());
            }
        });
        Self { folder: folder.to_owned(), url: Endpoint::parse(&url).expect("a URL") }
    }

    fn stamping(&self, folder: &Path) -> Stamping {
        let stamps = Stamps { url: self.url.clone(), every_hours: 24 };
        Stamping::new(stamps, folder.join("stamps"), fetcher(folder))
    }
}

fn read_query(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            assert!(
                head.starts_with("POST /stamp ") && head.to_lowercase().contains("content-type: application/timestamp-query")
            );
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let body = octets.split_off(octets.windows(4).position(|four| four == b"\r\n\r\n")? + 4);
            let mut body = body;
            while body.len() < length? {
                let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
                body.extend_from_slice(&part[..read]);
            }
            return Some(body);
        }
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        octets.extend_from_slice(&part[..read]);
    }
}

fn honest(folder: &Path, query: Vec<u8>) -> Vec<u8> {
    fs::write(folder.join("query"), query).expect("writable");
    openssl(folder, &["ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"]);
    fs::read(folder.join("reply")).expect("a reply")
}

fn checkpoint() -> Checkpoint {
    let tree = Tree::of((0..50_u64).map(|number| number.to_be_bytes().to_vec()));
    signer(ORIGIN, Role::Log, 1).checkpoint(tree.head()).expect("signs")
}

#[tokio::test]
async fn openssl_stamps_a_checkpoint_and_verifies_what_was_kept() {
    let folder = Folder::new();
    let authority = Authority::start(&folder.path().join("tsa"), honest);
    let token = authority.stamping(folder.path()).stamp(&checkpoint()).await.expect("a stamp");
    assert_eq!(token, folder.path().join("stamps/50.tsr"));
    // A gateway that starts now finds that there is one of today.
    let (stamping, telemetry) = (authority.stamping(folder.path()), Telemetry::new(Lines::Off));
    let running = stamping.run(|| Arc::new(checkpoint()), &telemetry);
    tokio::time::timeout(Duration::from_millis(300), running).await.expect_err("it runs for ever");
    assert_eq!(fs::read_to_string(authority.folder.join("serial")).expect("a serial number").trim(), "02");
    let kept = folder.path().join("stamps/50.checkpoint");
    assert_eq!(fs::read_to_string(&kept).expect("beside the token"), checkpoint().to_string());
    let verify = || {
        let mut openssl = Command::new("openssl");
        openssl.args(["ts", "-verify", "-in"]).arg(&token).arg("-data").arg(&kept);
        run(openssl.arg("-CAfile").arg(authority.folder.join("ca.pem")))
    };
    let output = verify();
    assert!(output.status.success() && said(&output).contains("Verification: OK"), "{}", said(&output));
    fs::write(&kept, checkpoint().to_string().replace("\n50\n", "\n51\n")).expect("writable");
    assert!(!verify().status.success());
}

#[tokio::test]
async fn a_stamp_of_something_else_is_not_kept() {
    type Reply = fn(&Path, Vec<u8>) -> Vec<u8>;
    let of_before: Reply = |folder, query| {
        // The first answer again, whatever is asked: another nonce.
        if folder.join("reply").exists() { fs::read(folder.join("reply")).expect("a reply") } else { honest(folder, query) }
    };
    let of_another_text: Reply = |folder, mut query| {
        let length = query.len();
        // The imprint stands before the nonce (10 octets) and the wish for certificates (3).
        query[length - 14] ^= 1;
        honest(folder, query)
    };
    let refused: Reply = |_, _| vec![0x30, 5, 0x30, 3, 2, 1, 2];
    let nothing: Reply = |_, _| Vec::new();
    let folder = Folder::new();
    for (what, reply, first) in [
        ("before", of_before, true),
        ("another text", of_another_text, false),
        ("refused", refused, false),
        ("nothing", nothing, false),
    ] {
        let here = folder.path().join(what.replace(' ', "-"));
        let authority = Authority::start(&here, reply);
        let stamping = authority.stamping(&here);
        if first {
            stamping.stamp(&checkpoint()).await.expect("the first is good");
            fs::remove_dir_all(here.join("stamps")).expect("there");
        }
        let error = stamping.stamp(&checkpoint()).await.expect_err(what);
        let is_told = match what {
            "refused" => matches!(error, StampError::Refused(2)),
            "nothing" => matches!(error, StampError::Form),
            _ => matches!(error, StampError::Other),
        };
        assert!(is_told && !here.join("stamps").exists(), "{what}: {error}");
    }
}
