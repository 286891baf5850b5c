//! Mixed traffic while gateway, holder and worker are killed at any moment: nothing that was acknowledged is lost, and nothing is done
//! twice.

use crate::inbox::{are_outbound, event_of, header, registry, subscribe};
use crate::process::{LONG, Scene, oncegate};
use crate::suspicions::{client, nothing};
use crate::tool::said;
use oncegate::base::ids::{Code, Digest};
use oncegate::faces::client::{Attached, Client, Signed, digest_of, verify_under};
use oncegate::host::transport::Anchors;
use oncegate::message::crypto::sha256;
use oncegate::message::envelope::{Ask, Attachment, Body, Context, Kind, Message, ReplyTo, World};
use oncegate::message::schema::Schemas;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

const ROUNDS: usize = 200;
const CLINIC: &str = "xx.demo.clinic-3";
const FUND: &str = "xx.demo.social-fund";

/// What workers have seen and done.
#[derive(Default)]
struct Seen {
    /// The messages, by id, and how often each came.
    messages: BTreeMap<String, usize>,
    /// Those that came again without a word that they might have come before.
    unmarked: Vec<String>,
    /// Questions whose answer was taken, and how often.
    answered: BTreeMap<String, usize>,
    /// Events in the order in which they were acknowledged.
    events: Vec<String>,
}

impl Seen {
    fn sees(&mut self, id: &str, redelivered: &str) {
        let count = self.messages.entry(id.to_owned()).or_default();
        *count += 1;
        if *count > 1 && redelivered != "true" {
            self.unmarked.push(id.to_owned());
        }
    }
}

/// Comes for questions and answers them, until it is killed.
async fn work(clinic: Arc<Client>, anchors: Anchors, seen: Arc<Mutex<Seen>>) {
    let schemas = Schemas::built_in();
    loop {
        let Ok(found) = clinic.get("/v1/inbox?wait=1").await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        if found.status.as_u16() != 200 {
            continue;
        }
        let id = header(&found, "oncegate-message-id").to_owned();
        seen.lock().expect("nobody panics").sees(&id, header(&found, "oncegate-redelivered"));
        let (asked, _) = verify_under(&found.body, &anchors, &schemas).expect("a question");
        let reply = ReplyTo { id: asked.header.id, digest: digest_of(&found.body).expect("a digest") };
        let answer = clinic.sign(&nothing(&clinic, reply, &asked), "").expect("signed");
        // Whoever does not hear what became of its answer sends it again.
        for _ in 0..3 {
            match clinic.post(answer.octets.clone(), "", Duration::from_secs(5)).await {
                Ok(received) if received.status.as_u16() == 202 => {
                    *seen.lock().expect("nobody panics").answered.entry(id.clone()).or_default() += 1;
                    break;
                }
                Ok(_) => break,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// Comes for what the school is told, and acknowledges it.
async fn hear(school: Arc<Client>, seen: Arc<Mutex<Seen>>) {
    loop {
        let Ok(found) = school.get("/v1/inbox?wait=1").await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        if found.status.as_u16() != 200 {
            continue;
        }
        let id = header(&found, "oncegate-message-id").to_owned();
        if header(&found, "oncegate-kind") == "event" {
            seen.lock().expect("nobody panics").sees(&id, header(&found, "oncegate-redelivered"));
        }
        let path = format!("/v1/inbox/{}/ack", header(&found, "oncegate-lease"));
        let told = school.post_to(&path, "application/json", Vec::new()).await;
        if told.is_ok_and(|told| told.status.is_success()) && header(&found, "oncegate-kind") == "event" {
            seen.lock().expect("nobody panics").events.push(id);
        }
    }
}

/// What was acknowledged to those who sent it.
#[derive(Default)]
struct Acknowledged {
    kept: Vec<Signed>,
    answers: Vec<(Signed, Vec<u8>)>,
    events: Vec<Signed>,
    letters: Vec<Digest>,
}

/// A question that is good for an hour.
fn lasting(client: &Client, document_type: &str, context: Context) -> Signed {
    lasting_with(client, document_type, context, Vec::new())
}

fn lasting_with(client: &Client, document_type: &str, context: Context, attachments: Vec<Attachment>) -> Signed {
    let document_type = Code::parse(document_type).expect("a code");
    let ask = Ask { document_type, of: None, select: Vec::new(), during: None };
    let mut header = client.header(Kind::Request, None, None, World::Live).expect("a header");
    header.expires_at = header.created_at.plus_ms(60 * 60 * 1000);
    client.sign(&Message { header, context: Some(context), body: Body::Ask(ask), attachments }, "").expect("signed")
}

/// Who takes part.
struct Cast<'s> {
    scene: &'s Scene,
    school: Arc<Client>,
    clinic: Arc<Client>,
    fund: Client,
    anchors: Anchors,
    seen: Arc<Mutex<Seen>>,
}

impl Cast<'_> {
    /// Two workers of the clinic, and one who hears what the school is told.
    fn start(&self) -> Vec<JoinHandle<()>> {
        let working = || tokio::spawn(work(Arc::clone(&self.clinic), self.anchors.clone(), Arc::clone(&self.seen)));
        vec![working(), working(), tokio::spawn(hear(Arc::clone(&self.school), Arc::clone(&self.seen)))]
    }
}

async fn publish(cast: &Cast<'_>, told: &mut Acknowledged) {
    let event = event_of(cast.scene, &cast.clinic, &cast.school);
    if let Ok(received) = cast.clinic.post(event.octets.clone(), "", LONG).await
        && received.status.as_u16() == 202
    {
        told.events.push(event);
    }
}

async fn traffic(cast: &Cast<'_>, round: usize, told: &mut Acknowledged) {
    let Cast { scene, school, fund, .. } = cast;
    if round.is_multiple_of(2) {
        publish(cast, told).await;
    }
    let code = |text| Code::parse(text).expect("a code");
    for number in 0..3 {
        let person = &scene.world().people()[(round * 3 + number) % 200 * 4];
        let context = Context::new(code("school-attendance"), "XX:HEALTH:13", person.subject());
        let request = lasting(school, "medical-absence-note", context);
        if let Ok(received) = school.post(request.octets.clone(), "respond-async", LONG).await
            && received.status.as_u16() == 202
        {
            told.kept.push(request);
        }
    }
    // A letter travels with one.
    let file = scene.folder().join("letter.bin");
    std::fs::write(&file, vec![round as u8; 100_000 + round]).expect("writable");
    let letter = Attached::of_file(&file, 1).expect("a file");
    let person = &scene.world().people()[round % 200 * 4];
    let context = Context::new(code("school-attendance"), "XX:HEALTH:13", person.subject());
    let request = lasting_with(school, "medical-absence-note", context, vec![letter.attachment().clone()]);
    if let Ok(received) = school.post_with(request.octets.clone(), std::slice::from_ref(&letter), "respond-async", LONG).await
        && received.status.as_u16() == 202
    {
        told.letters.push(letter.attachment().sha256);
        told.kept.push(request);
    }
    let person = &scene.world().people()[round % 200];
    let context = Context::new(code("birth-allowance"), "XX:FAMILY:81", person.subject());
    let request = lasting(fund, "identity-record", context);
    if let Ok(received) = fund.post(request.octets.clone(), "wait=5", LONG).await {
        match received.status.as_u16() {
            200 => told.answers.push((request, received.body)),
            202 => told.kept.push(request),
            _ => {}
        }
    }
    if !round.is_multiple_of(2) {
        publish(cast, told).await;
    }
}

/// The gateway is killed in each round, in half of them a worker before that, with what it has on lease. Says how often.
fn kill_in_rounds(cast: &Cast<'_>, told: &mut Acknowledged) -> [usize; 2] {
    let mut dice = 12_345_u32;
    let mut roll = |sides: u32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 8) % sides
    };
    let mut workers = 0;
    for round in 0..ROUNDS {
        let gateway = cast.scene.start();
        let (pause, whom) = (u64::from(roll(120)), roll(4) as usize);
        cast.scene.block_on(async {
            let tasks = cast.start();
            let sending = traffic(cast, round, told);
            // The sender too is cut off where it stands.
            let _ = tokio::time::timeout(Duration::from_millis(pause + 30), sending).await;
            if let Some(worker) = tasks.get(whom).filter(|_| whom < 2) {
                worker.abort();
                workers += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tasks.iter().for_each(JoinHandle::abort);
        });
        gateway.kill();
    }
    [ROUNDS, workers]
}

/// All that was acknowledged has come to its end, and the end that was told before.
async fn is_all_there(cast: &Cast<'_>, told: &Acknowledged) {
    for request in &told.kept {
        // A lease that was lost with its worker runs out after a minute.
        let is_funds = request.octets.windows(FUND.len()).any(|part| part == FUND.as_bytes());
        let asking = if is_funds { &cast.fund } else { &*cast.school };
        let answer = asking.answer_to(request.id, 2 * LONG).await.expect("the gateway is there");
        assert_eq!(answer.status.as_u16(), 200, "{} was accepted and is lost", request.id);
    }
    for letter in &told.letters {
        let fetched = cast.clinic.get(&format!("/v1/attachments/{letter}")).await.expect("the gateway is there");
        assert_eq!((fetched.status.as_u16(), sha256(&fetched.body)), (200, *letter), "what travelled with it is there");
    }
    for (request, body) in &told.answers {
        let again = cast.fund.get(&format!("/v1/messages/{}/answer", request.id)).await.expect("the gateway is there");
        assert_eq!(&again.body, body, "the answer that was given is given again");
    }
    let wanted: Vec<_> = told.events.iter().map(|event| event.id.to_string()).collect();
    let heard = async {
        loop {
            let is_heard = {
                let seen = cast.seen.lock().expect("nobody panics");
                wanted.iter().all(|id| seen.messages.contains_key(id))
            };
            if is_heard {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(3 * LONG, heard).await.expect("every event is heard");
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_done_twice_whoever_is_killed() {
    let scene = Scene::prepared_without_clinic("records = \"off\"\n", &|installation| {
        are_outbound(installation);
        registry(installation, |text| text.to_owned() + &subscribe("xx.demo.school-17", "\"*\""));
    });
    let cast = Cast {
        scene: &scene,
        school: Arc::new(scene.client()),
        clinic: Arc::new(client(&scene, CLINIC)),
        fund: client(&scene, FUND),
        anchors: Anchors::load(&scene.world().agency_folder(CLINIC).join("ca.pem")).expect("authorities"),
        seen: Arc::default(),
    };
    let mut told = Acknowledged::default();
    let [gateways, workers] = kill_in_rounds(&cast, &mut told);
    let gateway = scene.start();
    scene.block_on(async {
        let tasks = cast.start();
        is_all_there(&cast, &told).await;
        tasks.iter().for_each(JoinHandle::abort);
    });
    gateway.stop();
    let seen = cast.seen.lock().expect("nobody panics");
    assert_eq!(seen.unmarked, Vec::<String>::new(), "came again as if it were new");
    assert!(seen.answered.values().all(|count| *count == 1), "answered twice");
    let mut order = seen.events.clone();
    order.dedup();
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(order, sorted, "events about one person come in their order");
    let output = Command::new(oncegate()).args(["log", "verify", "--all", "-c"]).arg(scene.config()).output().expect("it starts");
    assert!(output.status.success(), "{}", said(&output));
    let redelivered: usize = seen.messages.values().map(|count| count - 1).sum();
    let (kept, answers, events) = (told.kept.len(), told.answers.len(), told.events.len());
    let letters = told.letters.len();
    crate::figures::tell(
        "kill -9 under mixed traffic",
        format!(
            "{ROUNDS} rounds, gateway killed {gateways} times, workers {workers}; acknowledged: {kept} kept requests, {letters} of them \
             with an attachment, {answers} answers, {events} events; lost 0, done twice 0; {redelivered} marked redeliveries"
        ),
    );
}
