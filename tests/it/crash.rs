//! kill -9 at random moments under load: what was answered stays answered, what was forwarded is on record, and the log
//! goes on from every checkpoint that it has shown.
//!
//! `CRASH_ROUNDS=1000 cargo test --test it crash` does it for longer; `CRASH_SEED` begins elsewhere.

use crate::figures::{number_from, tell};
use crate::process::{LONG, ONCEGATE, Process, Scene, is_replayed, send};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oncegate::client::{Client, Signed, digest_of, problem_of};
use oncegate::ids::{Digest, MessageId};
use oncegate::journal;
use oncegate::store::verify_all;
use oncegate::tlog::note::Checkpoint;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

const ROUNDS: u64 = 60;
const CLIENTS: usize = 6;
/// The gateway is killed after up to so many events, which are: a request is sent, a provider has it, its answer is back.
const EVENTS_MAX: u64 = 120;
/// Answers of so many rounds are asked for again; their messages live for five minutes.
const AGAIN_ROUNDS: u64 = 3;

/// What the two sides of the gateway know.
struct Books {
    pages: Mutex<Pages>,
    events: watch::Sender<u64>,
}

#[derive(Default)]
struct Pages {
    round: u64,
    asked: BTreeMap<MessageId, Asked>,
    /// The ids that reached a provider.
    forwarded: BTreeSet<MessageId>,
    /// The ids whose answer was given or is on record: no provider may see them again.
    settled: BTreeSet<MessageId>,
    /// The log's checkpoints, in the order in which they were seen.
    checkpoints: Vec<String>,
    wrong: Vec<String>,
}

struct Asked {
    request: Vec<u8>,
    digest: Digest,
    round: u64,
    answer: Option<Given>,
}

#[derive(Clone)]
struct Given {
    octets: Vec<u8>,
    digest: String,
    log_index: u64,
}

impl Books {
    fn new() -> Arc<Self> {
        Arc::new(Self { pages: Mutex::default(), events: watch::Sender::new(0) })
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().expect("no test panics with it")
    }

    fn event(&self) {
        self.events.send_modify(|count| *count += 1);
    }

    fn asked(&self, signed: &Signed) {
        let mut pages = self.pages();
        let asked = Asked { request: signed.octets.clone(), digest: signed.digest, round: pages.round, answer: None };
        pages.asked.insert(signed.id, asked);
        drop(pages);
        self.event();
    }

    fn forwarded(&self, id: MessageId) {
        let mut pages = self.pages();
        pages.forwarded.insert(id);
        if pages.settled.contains(&id) {
            pages.wrong.push(format!("a provider sees {id} again, which was answered before"));
        }
        drop(pages);
        self.event();
    }

    fn answered(&self, id: MessageId, given: Given) {
        let mut pages = self.pages();
        pages.settled.insert(id);
        if let Some(asked) = pages.asked.get_mut(&id) {
            asked.answer = Some(given);
        }
        drop(pages);
        self.event();
    }
}

/// Sends a message and notes its answer; tells whether it was one given before, or none if the gateway is away.
async fn ask(books: &Books, client: &Client, id: MessageId, octets: &[u8]) -> Option<bool> {
    let received = send(client, octets).await?;
    assert_eq!(received.status.as_u16(), 200, "{id}: {:?}", problem_of(&received));
    let replayed = is_replayed(&received);
    let log_index = received.headers.get("oncegate-log-index").expect("an index").to_str().expect("digits");
    let digest = in_a_leaf(digest_of(&received.body).expect("an answer"));
    let given = Given { log_index: log_index.parse().expect("digits"), octets: received.body, digest };
    let before = books.pages().asked.get(&id).and_then(|asked| asked.answer.clone());
    if let Some(before) = before {
        assert!(replayed, "{id} was answered before and is answered afresh");
        assert!(before.octets == given.octets, "{id} has another answer than before");
        assert_eq!(before.log_index, given.log_index, "{id} has another record than before");
    }
    books.answered(id, given);
    Some(replayed)
}

/// The part of a leaf that is compared.
#[derive(Deserialize)]
struct Leaf {
    k: String,
    m: Option<String>,
    h: Option<String>,
    q: Option<String>,
}

fn in_a_leaf(digest: Digest) -> String {
    URL_SAFE_NO_PAD.encode(digest.octets())
}

/// The records of the journal as it lies on the disk.
fn records(scene: &Scene) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for number in 0.. {
        let Ok(octets) = fs::read(scene.segment(number)) else { break };
        let size = leaves.len() as u64;
        let from = journal::From { offset: 0, size };
        let walked = journal::walk(&octets, from, journal::Erasure::None, |_, frame| {
            leaves.push(serde_json::from_slice(frame.leaf).expect("a leaf"))
        });
        assert_eq!(walked.size, leaves.len() as u64);
    }
    leaves
}

/// Holds the journal against both sides; notes what is on record as answered.
fn compare(books: &Books, records: &[Leaf]) {
    let mut pages = books.pages();
    let (mut requests, mut answers) = (BTreeSet::new(), BTreeMap::new());
    for (index, leaf) in records.iter().enumerate() {
        let id = leaf.m.as_deref().and_then(MessageId::parse).expect("each record here is of a message");
        match leaf.k.as_str() {
            "req" => drop(requests.insert(id)),
            "rsp" => {
                assert!(requests.contains(&id), "the answer to {id} is on record, and its request is not before it");
                assert!(answers.insert(id, index).is_none(), "{id} is answered twice");
            }
            other => panic!("{id}: a record of kind {other}: {:?}", leaf.h),
        }
    }
    for (id, asked) in &pages.asked {
        let Some(given) = &asked.answer else { continue };
        let index = *answers.get(id).unwrap_or_else(|| panic!("{id} was answered, and the answer is not on record"));
        assert_eq!(index as u64, given.log_index, "{id} has its record elsewhere");
        let leaf = &records[index];
        assert_eq!(leaf.h.as_deref(), Some(&*given.digest), "the record of {id} is of another answer");
        assert_eq!(leaf.q.as_deref(), Some(&*in_a_leaf(asked.digest)), "the record of {id} is of another request");
    }
    for id in &pages.forwarded {
        assert!(requests.contains(id), "a provider has seen {id}, and the request is not on record");
    }
    pages.settled.extend(answers.into_keys());
    assert!(pages.wrong.is_empty(), "{:#?}", pages.wrong);
}

/// What was retried in a round.
#[derive(Default)]
struct Retried {
    answered_before: usize,
    on_record_only: usize,
    afresh: usize,
}

/// Sends everything of the last rounds again.
async fn retry(books: &Books, client: &Client, retried: &mut Retried) {
    let (all, settled) = {
        let pages = books.pages();
        let recent = pages.asked.iter().filter(|(_, asked)| asked.round + AGAIN_ROUNDS >= pages.round || asked.answer.is_none());
        let all: Vec<_> = recent.map(|(id, asked)| (*id, asked.request.clone(), asked.answer.is_some())).collect();
        (all, pages.settled.clone())
    };
    for (id, octets, was_answered) in all {
        let replayed = ask(books, client, id, &octets).await.expect("the gateway is there");
        assert_eq!(replayed, settled.contains(&id), "{id}: an answer on record is given again, and no other");
        match (was_answered, replayed) {
            (true, _) => retried.answered_before += 1,
            (false, true) => retried.on_record_only += 1,
            (false, false) => retried.afresh += 1,
        }
    }
}

/// Asks without end, until the gateway is away.
async fn load(scene: Arc<Scene>, books: Arc<Books>, first: usize) {
    let client = scene.client();
    for number in first.. {
        let request = scene.request(&client, number);
        books.asked(&request);
        if ask(&books, &client, request.id, &request.octets).await.is_none() {
            return;
        }
    }
}

/// Reads the log's checkpoint again and again, until the gateway is away.
async fn watch_log(scene: Arc<Scene>, books: Arc<Books>) {
    let client = scene.client();
    while let Ok(received) = client.get("/log/checkpoint").await {
        let text = String::from_utf8_lossy(&received.body).into_owned();
        let mut pages = books.pages();
        if pages.checkpoints.last() != Some(&text) {
            pages.checkpoints.push(text);
        }
    }
}

/// Derives the log anew from the disk, and holds it against every checkpoint that was ever seen.
fn hold_against_checkpoints(scene: &Scene, books: &Books) -> usize {
    let seen: Vec<Checkpoint> =
        books.pages().checkpoints.iter().map(|text| Checkpoint::parse(text).expect("a checkpoint")).collect();
    let sizes: Vec<u64> = seen.iter().map(|checkpoint| checkpoint.claimed().size).collect();
    assert!(sizes.is_sorted(), "a checkpoint went backwards: {sizes:?}");
    let verified = verify_all(&scene.data(), &seen).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(verified.checkpoints, seen.len());
    seen.len()
}

/// Starts the gateway and kills it before, or just when, it is ready.
fn kill_at_start(scene: &Scene, chance: &mut Chance) {
    let mut command = Command::new(ONCEGATE);
    command.args(["run", "--quiet", "-c"]).arg(scene.config()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    // No event is waited for: any moment will do.
    std::thread::sleep(Duration::from_micros(chance.below(400_000)));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

/// Numbers that look random (xorshift64*), so that a seed gives the same rounds.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

#[test]
fn nothing_answered_is_lost_when_the_gateway_is_killed() {
    let (rounds, seed) = (number_from("CRASH_ROUNDS", ROUNDS), number_from("CRASH_SEED", 20_260_101));
    let (books, mut chance) = (Books::new(), Chance(seed.max(1)));
    let observing = Arc::clone(&books);
    let observer = Arc::new(move |id| {
        observing.forwarded(id);
        Box::pin(std::future::ready(())) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    let scene = Arc::new(Scene::observed("records = \"off\"\n", observer));
    let (mut retried, mut killed_at_start, mut records_before, mut checkpoints) = (Retried::default(), 0, 0, 0);
    for round in 0..rounds {
        books.pages().round = round;
        let gateway = scene.start();
        assert!(gateway.greeting.contains(&format!("journal: {records_before} records")), "{}", gateway.greeting);
        scene.block_on(retry(&books, &scene.client(), &mut retried));
        under_load(&scene, &books, gateway, &mut chance);
        let records = records(&scene);
        compare(&books, &records);
        checkpoints = hold_against_checkpoints(&scene, &books);
        records_before = records.len();
        if chance.below(4) == 0 {
            kill_at_start(&scene, &mut chance);
            killed_at_start += 1;
        }
    }
    let gateway = scene.start();
    scene.block_on(retry(&books, &scene.client(), &mut retried));
    gateway.stop();
    compare(&books, &records(&scene));
    let pages = books.pages();
    assert!(pages.asked.values().all(|asked| asked.answer.is_some()), "an exchange was never answered");
    assert_eq!(pages.asked.len(), pages.settled.len());
    // A load that is never interrupted shows nothing.
    assert!(rounds < ROUNDS || (retried.afresh > 0 && retried.answered_before > 0), "no exchange was cut short");
    println!("killed {rounds} times under load and {killed_at_start} times at start, seed {seed}");
    println!("exchanges answered            {}", pages.asked.len());
    println!("retried, answered before      {}", retried.answered_before);
    println!("retried, on record only       {}", retried.on_record_only);
    println!("retried, answered afresh      {}", retried.afresh);
    println!("records                       {}", records(&scene).len());
    println!("checkpoints seen, all kept    {checkpoints}");
    tell("kill -9 rounds", format!("{rounds}; {} answered, 0 lost", pages.asked.len()));
}

/// Many clients ask at once, until the gateway is killed.
fn under_load(scene: &Arc<Scene>, books: &Arc<Books>, gateway: Process, chance: &mut Chance) {
    let mut events = books.events.subscribe();
    let until = *events.borrow() + 1 + chance.below(EVENTS_MAX);
    let pause = Duration::from_micros(chance.below(3_000));
    let first = chance.below(146) as usize;
    scene.block_on(async {
        let mut clients = JoinSet::new();
        clients.spawn(watch_log(Arc::clone(scene), Arc::clone(books)));
        for client in 0..CLIENTS {
            clients.spawn(load(Arc::clone(scene), Arc::clone(books), first + client * 17));
        }
        let counted = tokio::time::timeout(LONG, events.wait_for(|count| *count >= until)).await;
        counted.expect("requests are answered").expect("the books are open");
        // A random moment after it, since events themselves come at few places of an exchange.
        tokio::time::sleep(pause).await;
        gateway.kill();
        while let Some(ended) = clients.join_next().await {
            ended.expect("a client only ends");
        }
    });
}
