//! Mixed traffic while gateway, holder and worker are killed at any moment: nothing that was acknowledged is lost, and nothing is done
//! twice.

use crate::inbox::{are_outbound, event_of, header, registry, subscribe};
use crate::process::{LONG, Scene, oncegate};
use crate::pushed::Holder;
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
const REGISTRY: &str = "xx.demo.civil-registry";

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
    events: Vec<Signed>,
    letters: Vec<Digest>,
}

/// What the fund has asked the holder that is pushed to.
#[derive(Default)]
struct Asked {
    kept: Vec<Signed>,
    answers: Vec<(Signed, Vec<u8>)>,
    /// Of which nothing was heard yet: it is sent again.
    unheard: Vec<Signed>,
    again: usize,
}

/// A question that is good for an hour.
pub fn lasting(client: &Client, document_type: &str, context: Context) -> Signed {
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
    let Cast { scene, school, .. } = cast;
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
    if !round.is_multiple_of(2) {
        publish(cast, told).await;
    }
}

/// The fund asks a holder that is pushed to, and asks again what it has heard nothing of.
async fn ask_registry(cast: &Cast<'_>, round: usize, asked: &mut Asked) {
    let code = |text| Code::parse(text).expect("a code");
    let person = &cast.scene.world().people()[round % 200];
    for _ in 0..2 {
        let context = Context::new(code("birth-allowance"), "XX:FAMILY:81", person.subject());
        asked.unheard.push(lasting(&cast.fund, "identity-record", context));
    }
    for number in 0..asked.unheard.len() {
        // The newest first: the oldest may be asked again for ever.
        let at = asked.unheard.len() - 1 - number.min(asked.unheard.len() - 1);
        let request = &asked.unheard[at];
        asked.again += usize::from(number > 1);
        let prefer = if request.id.octets()[15].is_multiple_of(2) { "wait=5" } else { "respond-async" };
        let Ok(received) = cast.fund.post(request.octets.clone(), prefer, LONG).await else { continue };
        match received.status.as_u16() {
            200 => asked.answers.push((asked.unheard.remove(at), received.body)),
            202 => asked.kept.push(asked.unheard.remove(at)),
            _ => {}
        }
    }
}

/// How often who was killed.
struct Killed {
    gateways: usize,
    workers: usize,
    holders: usize,
}

/// The gateway is killed in each round, in half of them a worker before that, with what it has on lease, and in half of them the
/// holder that is pushed to.
fn kill_in_rounds(cast: &Cast<'_>, holder: &mut Holder, (told, asked): (&mut Acknowledged, &mut Asked)) -> Killed {
    let mut dice = 12_345_u32;
    let mut roll = |sides: u32| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 8) % sides
    };
    let mut killed = Killed { gateways: 0, workers: 0, holders: 0 };
    for round in 0..ROUNDS {
        let gateway = cast.scene.start();
        let (pause, whom) = (u64::from(roll(120)), roll(4) as usize);
        let dies = (roll(2) == 0).then(|| Duration::from_millis(u64::from(roll(pause as u32 + 30))));
        cast.scene.block_on(async {
            let tasks = cast.start();
            let sending = async { tokio::join!(traffic(cast, round, told), ask_registry(cast, round, asked)) };
            let killing = async {
                let Some(at) = dies else { return };
                tokio::time::sleep(at).await;
                holder.kill();
                holder.run();
                killed.holders += 1;
            };
            // The sender too is cut off where it stands.
            let sending = tokio::time::timeout(Duration::from_millis(pause + 30), sending);
            let _ = tokio::join!(sending, killing);
            if let Some(worker) = tasks.get(whom).filter(|_| whom < 2) {
                worker.abort();
                killed.workers += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tasks.iter().for_each(JoinHandle::abort);
        });
        gateway.kill();
        killed.gateways += 1;
    }
    killed
}

/// All that was acknowledged has come to its end, and the end that was told before.
async fn is_all_there(cast: &Cast<'_>, told: &Acknowledged, asked: &Asked) {
    let kept = told.kept.iter().map(|request| (&*cast.school, request));
    for (client, request) in kept.chain(asked.kept.iter().map(|request| (&cast.fund, request))) {
        // A lease that was lost with its worker runs out after a minute.
        let answer = client.answer_to(request.id, 2 * LONG).await.expect("the gateway is there");
        assert_eq!(answer.status.as_u16(), 200, "{} was accepted and is lost", request.id);
    }
    for letter in &told.letters {
        let fetched = cast.clinic.get(&format!("/v1/attachments/{letter}")).await.expect("the gateway is there");
        assert_eq!((fetched.status.as_u16(), sha256(&fetched.body)), (200, *letter), "what travelled with it is there");
    }
    for (request, body) in &asked.answers {
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
    let scene = Scene::prepared_without("records = \"off\"\n", &[CLINIC, REGISTRY], &|installation| {
        are_outbound(installation);
        registry(installation, |text| text.to_owned() + &subscribe("xx.demo.school-17", "\"*\""));
    });
    let mut holder = Holder::start(&scene, REGISTRY, None);
    let cast = Cast {
        scene: &scene,
        school: Arc::new(scene.client()),
        clinic: Arc::new(client(&scene, CLINIC)),
        fund: client(&scene, FUND),
        anchors: Anchors::load(&scene.world().agency_folder(CLINIC).join("ca.pem")).expect("authorities"),
        seen: Arc::default(),
    };
    let (mut told, mut asked) = (Acknowledged::default(), Asked::default());
    let killed = kill_in_rounds(&cast, &mut holder, (&mut told, &mut asked));
    let gateway = scene.start();
    scene.block_on(async {
        let tasks = cast.start();
        is_all_there(&cast, &told, &asked).await;
        tasks.iter().for_each(JoinHandle::abort);
    });
    gateway.stop();
    let redelivered = expect_nothing_twice(&cast, &holder);
    let output = Command::new(oncegate()).args(["log", "verify", "--all", "-c"]).arg(scene.config()).output().expect("it starts");
    assert!(output.status.success(), "{}", said(&output));
    let Killed { gateways, workers, holders } = killed;
    let (kept, pushed, letters) = (told.kept.len() + asked.kept.len(), asked.kept.len(), told.letters.len());
    let (answers, events, again) = (asked.answers.len(), told.events.len(), asked.again);
    crate::figures::tell(
        "kill -9 under mixed traffic",
        format!(
            "{ROUNDS} rounds, gateway killed {gateways} times, workers {workers}, the holder that is pushed to {holders}; acknowledged: \
             {kept} kept requests, {letters} of them with an attachment and {pushed} pushed, {answers} answers, {events} events; {again} \
             sent again; lost 0, done twice 0; {redelivered} marked redeliveries"
        ),
    );
}

/// Whoever got something again was told so, and nothing was done twice; gives how much came again.
fn expect_nothing_twice(cast: &Cast<'_>, holder: &Holder) -> usize {
    let seen = cast.seen.lock().expect("nobody panics");
    assert_eq!(seen.unmarked, Vec::<String>::new(), "came again as if it were new");
    assert!(seen.answered.values().all(|count| *count == 1), "answered twice");
    let mut order = seen.events.clone();
    order.dedup();
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(order, sorted, "events about one person come in their order");
    let memory = holder.memory();
    assert_eq!(memory.unmarked, Vec::<String>::new(), "came to the holder again as if it were new");
    assert!(memory.done.values().all(|count| *count == 1), "done twice: {:?}", memory.done);
    seen.messages.values().chain(memory.came.values()).map(|count| count - 1).sum()
}
