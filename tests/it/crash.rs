//! kill -9 at random moments under load: what was answered stays answered, what was forwarded is on record, and the log
//! goes on from every checkpoint that it has shown.
//!
//! `CRASH_ROUNDS=1000 cargo test --test it crash` does it for longer; `CRASH_SEED` begins elsewhere.

use crate::books::{Books, Chance, Retried, ask, compare, hold_against_checkpoints, records, retry};
use crate::figures::{number_from, tell};
use crate::process::{LONG, Process, Scene, oncegate};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const ROUNDS: u64 = 60;
const CLIENTS: usize = 6;
/// The gateway is killed after up to so many events, which are: a request is sent, a provider has it, its answer is back.
const EVENTS_MAX: u64 = 120;
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
        books.seen(&received.body);
    }
}

/// Starts the gateway and kills it before, or just when, it is ready.
fn kill_at_start(scene: &Scene, chance: &mut Chance) {
    let mut command = Command::new(oncegate());
    command.args(["run", "--quiet", "-c"]).arg(scene.config()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    // No event is waited for: any moment will do.
    std::thread::sleep(Duration::from_micros(chance.below(400_000)));
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn nothing_answered_is_lost_when_the_gateway_is_killed() {
    let (rounds, seed) = (number_from("CRASH_ROUNDS", ROUNDS), number_from("CRASH_SEED", 20_260_101));
    let (books, mut chance) = (Books::new(), Chance(seed.max(1)));
    let scene = Arc::new(Scene::observed("records = \"off\"\n", books.observer()));
    let (mut retried, mut killed_at_start, mut records_before, mut checkpoints) = (Retried::default(), 0, 0, 0);
    for round in 0..rounds {
        books.pages().round = round;
        let gateway = scene.start();
        assert!(gateway.greeting.contains(&format!("journal: {records_before} records")), "{}", gateway.greeting);
        scene.block_on(retry(&books, &scene.client(), usize::MAX, &mut retried));
        under_load(&scene, &books, gateway, &mut chance);
        let records = records(&scene.data());
        compare(&books, &records);
        checkpoints = hold_against_checkpoints(&scene.data(), &books);
        records_before = records.len();
        if chance.below(4) == 0 {
            kill_at_start(&scene, &mut chance);
            killed_at_start += 1;
        }
    }
    let gateway = scene.start();
    scene.block_on(retry(&books, &scene.client(), usize::MAX, &mut retried));
    gateway.stop();
    compare(&books, &records(&scene.data()));
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
    println!("records                       {}", records(&scene.data()).len());
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
