//! One agency at ten times its limit, and what the others notice of it.
//!
//! `FAIR_TURNS=30 cargo test --release --test it fairness` measures for longer: 99th percentiles of short runs are noise.

use crate::abuse::Meanwhile;
use crate::abuse::peer::{HTTP1, Peer};
use crate::figures::{number_from, tell};
use crate::process::Scene;
use oncegate::base::ids::Code;
use oncegate::base::limits;
use oncegate::faces::client::Client;
use oncegate::message::envelope::{Ask, Context, World as MessageWorld};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// The limit of the agency, in requests per second, and how far it goes beyond.
const LIMIT: u64 = 10;
const TIMES: u64 = 10;
/// Connections of the agency, and good clients.
const CONNECTIONS: usize = 8;
const GOOD: usize = 4;
/// With and without the abuse, in turn.
const TURN: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq)]
enum Abuse {
    Junk,
    BadSignatures,
    Valid,
    Mebibytes,
    Handshakes,
    Reads,
}

const ALL: [(Abuse, &str); 6] = [
    (Abuse::Junk, "junk"),
    (Abuse::BadSignatures, "bad signatures"),
    (Abuse::Valid, "valid messages"),
    (Abuse::Mebibytes, "messages of 1 MiB"),
    (Abuse::Handshakes, "TLS handshakes"),
    (Abuse::Reads, "pages of the log"),
];

/// A valid question that the agency has a grant for.
fn valid(scene: &Scene, client: &Client) -> Vec<u8> {
    let code = |text| Code::parse(text).expect("a code");
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    let context = Context::new(code("fault-finding"), "XX:TEST:1", scene.world().people()[0].subject());
    client.request(ask, context, None, MessageWorld::Live).expect("it is signed").octets
}

fn message(abuse: Abuse, scene: &Scene, client: &Client) -> Vec<u8> {
    let mut octets = valid(scene, client);
    let text = String::from_utf8(octets.clone()).expect("UTF-8");
    match abuse {
        Abuse::Junk => b"<junk>".repeat(300),
        Abuse::BadSignatures => {
            let at = text.find("SignatureValue>").expect("signed") + 30;
            octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
            octets
        }
        Abuse::Mebibytes => {
            let at = text.find("<Header").or_else(|| text.find(":Header")).map_or(text.len() / 2, |at| at);
            let at = text[at..].find('>').expect("a tag") + at + 1;
            let room = limits::MESSAGE_BYTES_MAX - octets.len();
            octets.splice(at..at, std::iter::repeat_n(b' ', room));
            octets
        }
        Abuse::Valid | Abuse::Handshakes | Abuse::Reads => octets,
    }
}

/// Sends at the rate until told to stop; counts the statuses.
async fn abuse(
    scene: Arc<Scene>,
    kind: Abuse,
    turn: Arc<AtomicU64>,
    begun: Instant,
    until: watch::Receiver<bool>,
    statuses: Arc<Mutex<BTreeMap<u16, u64>>>,
) {
    let client = scene.world().client("xx.demo.social-fund").expect("a client");
    // It has an address of its own.
    let peer = Peer::new(&scene, "xx.demo.social-fund").from("127.0.0.2");
    let prepared = message(kind, &scene, &client);
    let limit = match kind {
        Abuse::Handshakes => u64::from(limits::CERTIFICATE_PER_SECOND),
        Abuse::Reads => LIMIT * u64::from(limits::READS_PER_REQUEST),
        _ => LIMIT,
    };
    let per_second = limit * TIMES;
    while !*until.borrow() {
        let number = turn.fetch_add(1, Ordering::Relaxed);
        sleep_until(begun + Duration::from_micros(number * 1_000_000 / per_second)).await;
        let status = match kind {
            Abuse::Handshakes => u16::from(peer.tls(HTTP1).await.is_ok()),
            Abuse::Reads => client.get("/v1/log/records?limit=1000").await.map_or(0, |received| received.status.as_u16()),
            _ => {
                let octets = if kind == Abuse::Valid { valid(&scene, &client) } else { prepared.clone() };
                client.post(octets, "wait=30", Duration::from_secs(30)).await.map_or(0, |received| received.status.as_u16())
            }
        };
        *statuses.lock().await.entry(status).or_default() += 1;
    }
}

/// The good clients' times while something goes on, and what whoever does it was told.
fn phase(scene: &Arc<Scene>, kind: Option<Abuse>, lasts: Duration) -> (Meanwhile, BTreeMap<u16, u64>) {
    let elsewhere = another_machine();
    scene.block_on(async {
        let (stop, until) = watch::channel(false);
        let (mut good, mut bad) = (JoinSet::new(), JoinSet::new());
        for client in 0..GOOD {
            good.spawn(Meanwhile::go_on(Arc::clone(scene), until.clone(), client * 31));
        }
        let (turn, begun, statuses) = (Arc::new(AtomicU64::new(0)), Instant::now(), Arc::new(Mutex::new(BTreeMap::new())));
        for _ in 0..if kind.is_some() { CONNECTIONS } else { 0 } {
            let kind = kind.expect("there is one");
            let abuse = abuse(Arc::clone(scene), kind, Arc::clone(&turn), begun, until.clone(), Arc::clone(&statuses));
            bad.spawn_on(abuse, elsewhere.handle());
        }
        tokio::time::sleep(lasts).await;
        stop.send(true).expect("they listen");
        let mut all = Meanwhile::default();
        good.join_all().await.into_iter().for_each(|one| all.times.extend(one.times));
        bad.join_all().await;
        let statuses = statuses.lock().await.clone();
        (all, statuses)
    })
}

/// Where the abuse comes from: threads that give way to all others, as what it costs to make is not the gateway's.
fn another_machine() -> tokio::runtime::Runtime {
    let gives_way = || {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, 19);
    };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().on_thread_start(gives_way).build().expect("a runtime")
}

#[test]
fn one_agency_beyond_its_limit_costs_the_others_nothing() {
    let turns = number_from("FAIR_TURNS", 3);
    let scene = Arc::new(Scene::new("records = \"off\"\n"));
    let registry = scene.world().folder().join("registry.toml");
    let text = fs::read_to_string(&registry).expect("readable");
    let (before, entry) = text.split_once("id = \"xx.demo.social-fund\"").expect("an entry");
    let limit = format!("quota = {{ requests_per_minute = {}, burst = {LIMIT} }}", LIMIT * 60);
    let entry = entry.replacen("quota = { requests_per_minute = 60000, burst = 5000 }", &limit, 1);
    assert!(entry.contains(&limit));
    fs::write(&registry, format!("{before}id = \"xx.demo.social-fund\"{entry}")).expect("writable");
    scene.world().installation().sign().expect("signed");
    let gateway = scene.start();
    phase(&scene, None, TURN);
    let mut worst = (0.0, "");
    for (kind, name) in ALL {
        let (mut quiet, mut beside, mut statuses) = (Meanwhile::default(), Meanwhile::default(), BTreeMap::new());
        // In turn, so that what else the machine does is on both sides.
        for _ in 0..turns {
            quiet.times.extend(phase(&scene, None, TURN).0.times);
            let (more, told) = phase(&scene, Some(kind), TURN);
            beside.times.extend(more.times);
            told.into_iter().for_each(|(status, count)| *statuses.entry(status).or_insert(0) += count);
        }
        let p99 = |one: &Meanwhile| one.percentile(99).as_secs_f64() * 1e3;
        let ratio = p99(&beside) / p99(&quiet);
        let quiet = p99(&quiet);
        println!(
            "{name:<20} p99 {:>6.1} ms beside quiet {quiet:>6.1} ms: {ratio:.2}; {} exchanges; it was told {statuses:?}",
            p99(&beside),
            beside.times.len()
        );
        worst = if ratio > worst.0 { (ratio, name) } else { worst };
        assert!(!beside.times.is_empty());
        // Handshakes are made to wait, and so are reads where the gateway has more to do.
        if !matches!(kind, Abuse::Handshakes | Abuse::Reads) {
            assert!(statuses.get(&429).is_some_and(|count| *count > 0), "{name}: it was held back: {statuses:?}");
        }
    }
    let build = if std::env::var_os("ONCEGATE_PROGRAM").is_some() { "release build" } else { "debug build" };
    tell(
        "fairness",
        format!(
            "p99 of others at most {:.2} times their quiet p99 ({}; {build}), none of their messages refused",
            worst.0, worst.1
        ),
    );
    gateway.stop();
}
