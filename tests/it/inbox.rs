//! Agencies that open no port come for what waits for them: questions, answers, cancels and events, on lease.

use crate::delivery::becomes;
use crate::process::{LONG, Scene, oncegate};
use crate::suspicions::{Answering, Manner, client, clinic_at, empty, nothing};
use crate::tool::{STRANGER, SUBJECT, TOOLS};
use oncegate::base::ids::{Code, Identifier};
use oncegate::faces::client::{Client, Signed, digest_of, problem_of, verify_under};
use oncegate::host::schemas::sets::Sets;
use oncegate::host::transport::{Anchors, Received, full};
use oncegate::message::envelope::{Ask, Body, Context, Kind, Message, ReplyTo, Subject, World, write};
use oncegate::message::schema::Schemas;
use oncegate::message::xsd::example::Fullness;
use oncegate::program::setup::Installation;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const SILENT: &str = "records = \"off\"\n";
const CLINIC: &str = "xx.demo.clinic-3";
const SCHOOL: &str = "xx.demo.school-17";
/// It is granted to hear of events later.
const LATE: &str = "xx.demo.auditor";

pub fn registry(installation: &Installation, change: impl Fn(&str) -> String) {
    let file = installation.folder().join("registry.toml");
    let text = std::fs::read_to_string(&file).expect("readable");
    let changed = change(&text);
    assert_ne!(changed, text);
    std::fs::write(&file, changed).expect("writable");
    installation.sign().expect("signed");
}

/// An agency opens no port.
fn is_outbound(installation: &Installation, who: &str) {
    registry(installation, |text| {
        let (before, after) = text.split_once(&format!("id = \"{who}\"")).expect("the agency");
        let (own, others) = after.split_once("url = \"").expect("its url");
        let (_, others) = others.split_once('"').expect("its end");
        format!("{before}id = \"{who}\"{own}url = \"outbound\"{others}")
    });
}

pub fn are_outbound(installation: &Installation) {
    [CLINIC, SCHOOL].into_iter().for_each(|who| is_outbound(installation, who));
}

fn scene() -> Scene {
    Scene::prepared_without_clinic(SILENT, &are_outbound)
}

pub fn header<'r>(received: &'r Received, name: &str) -> &'r str {
    received.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

pub async fn inbox(client: &Client, query: &str) -> Received {
    client.get(&format!("/v1/inbox?{query}")).await.expect("the gateway is there")
}

pub async fn done(client: &Client, lease: &str, what: &str) -> (u16, String) {
    let path = format!("/v1/inbox/{lease}/{what}");
    let received = client.post_to(&path, "application/json", Vec::new()).await.expect("the gateway is there");
    let code = if received.status.is_success() { String::new() } else { problem_of(&received).code };
    (received.status.as_u16(), code)
}

pub async fn state(client: &Client, request: &Signed) -> serde_json::Value {
    let received = client.get(&format!("/v1/messages/{}", request.id)).await.expect("the gateway is there");
    serde_json::from_slice(&received.body).expect("JSON")
}

/// Reads a question and signs that there is nothing.
pub fn answer(scene: &Scene, clinic: &Client, question: &[u8]) -> Signed {
    let anchors = Anchors::load(&scene.world().agency_folder(CLINIC).join("ca.pem")).expect("authorities");
    let (asked, _) = verify_under(question, &anchors, &Schemas::built_in()).expect("a question");
    let reply = ReplyTo { id: asked.header.id, digest: digest_of(question).expect("a digest") };
    clinic.sign(&nothing(clinic, reply, &asked), "").expect("signed")
}

pub fn cancel(school: &Client, request: &Signed) -> Signed {
    let reply = ReplyTo { id: request.id, digest: request.digest };
    let header = school.header(Kind::Cancel, None, Some(reply), World::Live).expect("a header");
    let body = Body::State { of: Code::parse("withdrawn").expect("a code"), at: header.created_at };
    school.sign(&Message { header, context: None, body, attachments: Vec::new() }, "").expect("signed")
}

pub async fn post(client: &Client, signed: &Signed, prefer: &str) -> Received {
    client.post(signed.octets.clone(), prefer, LONG).await.expect("the gateway is there")
}

/// No port is open on the holder's side, and its consumer gets the answer in the same call.
#[test]
fn a_holder_behind_a_firewall_answers_while_its_consumer_waits() {
    let scene = scene();
    let (school, clinic) = (scene.client(), client(&scene, CLINIC));
    let gateway = scene.start();
    let request = scene.request(&school, 1);
    scene.block_on(async {
        let worker = async {
            let question = inbox(&clinic, "wait=30").await;
            assert_eq!((question.status.as_u16(), header(&question, "oncegate-kind")), (200, "request"));
            assert_eq!(question.body, request.octets, "octet for octet");
            let answer = answer(&scene, &clinic, &question.body);
            assert_eq!(post(&clinic, &answer, "respond-async").await.status.as_u16(), 202);
            // Its answer has ended the lease.
            assert_eq!(done(&clinic, header(&question, "oncegate-lease"), "ack").await, (404, "OG-MSG-020".to_owned()));
            answer
        };
        let (asked, answer) = tokio::join!(post(&school, &request, "wait=30"), worker);
        assert_eq!(asked.status.as_u16(), 200, "{:?}", problem_of(&asked));
        assert_eq!(asked.body, answer.octets);
        // Whoever has no server may come for answers as well; this one is there too.
        let notice = inbox(&school, "").await;
        assert_eq!((header(&notice, "oncegate-kind"), &notice.body), ("answer", &answer.octets));
        assert_eq!(header(&notice, "oncegate-message-id"), request.id.to_string());
        assert_eq!(done(&school, header(&notice, "oncegate-lease"), "ack").await.0, 200);
        assert_eq!(inbox(&school, "").await.status.as_u16(), 204);
        assert_eq!(inbox(&clinic, "max=5").await.status.as_u16(), 204);
    });
    gateway.stop();
}

#[test]
fn two_workers_never_have_the_same_and_a_lease_outlives_the_gateway() {
    let scene = scene();
    let (school, clinic) = (scene.client(), client(&scene, CLINIC));
    let gateway = scene.start();
    let requests = [1, 2, 3].map(|number| scene.request(&school, number));
    let first = scene.block_on(async {
        for request in &requests {
            assert_eq!(post(&school, request, "respond-async").await.status.as_u16(), 202);
        }
        let (one, two, three) = tokio::join!(inbox(&clinic, ""), inbox(&clinic, ""), inbox(&clinic, ""));
        let mut seen = [&one, &two, &three].map(|found| header(found, "oncegate-message-id").to_owned());
        let mut sent = requests.each_ref().map(|request| request.id.to_string());
        seen.sort();
        sent.sort();
        assert_eq!(seen, sent);
        assert_eq!(inbox(&clinic, "").await.status.as_u16(), 204);
        let [lease, other, third] = [&one, &two, &three].map(|found| header(found, "oncegate-lease").to_owned());
        // Another agency's lease, one that is none, one that is given back, and one that was.
        let none = (404, "OG-MSG-020".to_owned());
        assert_eq!(done(&school, &lease, "ack").await, none);
        assert_eq!(done(&clinic, "999999", "ack").await, none);
        assert_eq!(done(&clinic, "x", "nack").await, none);
        assert_eq!(done(&clinic, &third, "nack").await.0, 200);
        assert_eq!(done(&clinic, &third, "ack").await, none);
        let again = inbox(&clinic, "").await;
        assert_eq!((again.body == three.body, header(&again, "oncegate-redelivered")), (true, "true"));
        assert_eq!(done(&clinic, &other, "extend").await.0, 200);
        assert_eq!(done(&clinic, &other, "ack").await.0, 200);
        assert_eq!(done(&clinic, &other, "ack").await, none, "twice");
        one
    });
    gateway.kill();
    let gateway = scene.start();
    scene.block_on(async {
        assert_eq!(inbox(&clinic, "").await.status.as_u16(), 204, "each is leased or taken");
        let answer = answer(&scene, &clinic, &first.body);
        assert_eq!(post(&clinic, &answer, "").await.status.as_u16(), 202);
        let answered = requests.iter().find(|request| request.octets == first.body).expect("one of them");
        becomes(&school, answered, "answered").await;
        let taken = states(&requests, &school).await;
        assert_eq!(taken.iter().filter(|state| *state == "delivered").count(), 1, "{taken:?}");
        assert_eq!(done(&clinic, header(&first, "oncegate-lease"), "nack").await.0, 404);
    });
    gateway.stop();
}

async fn states(requests: &[Signed], school: &Client) -> Vec<String> {
    let mut states = Vec::new();
    for request in requests {
        states.push(state(school, request).await["state"].as_str().unwrap_or_default().to_owned());
    }
    states
}

#[test]
fn several_come_in_parts_that_a_mail_reader_takes_apart() {
    let scene = scene();
    let (school, clinic) = (scene.client(), client(&scene, CLINIC));
    let gateway = scene.start();
    let requests = [1, 2, 3, 4].map(|number| scene.request(&school, number));
    scene.block_on(async {
        for request in &requests {
            post(&school, request, "respond-async").await;
        }
        let received = inbox(&clinic, "max=3").await;
        let media = header(&received, "content-type").to_owned();
        let boundary = media.strip_prefix("multipart/mixed; boundary=\"").and_then(|rest| rest.strip_suffix('"'));
        let text = String::from_utf8(received.body).expect("UTF-8");
        let parts: Vec<_> = text.split(&format!("--{}", boundary.expect("a boundary"))).collect();
        assert_eq!((parts.len(), parts[0], parts[4]), (5, "", "--\r\n"));
        for part in &parts[1..4] {
            let (head, body) = part.split_once("\r\n\r\n").expect("a head");
            let body = body.strip_suffix("\r\n").expect("its end");
            assert!(requests.iter().any(|request| request.octets == body.as_bytes()));
            assert!(head.contains("\r\noncegate-lease: ") && head.contains("Content-Type: application/xml\r\n"), "{head}");
        }
        assert_eq!(inbox(&clinic, "max=101").await.status.as_u16(), 400);
        assert_eq!(inbox(&clinic, "wait=1&wait=2").await.status.as_u16(), 400);
        assert_eq!(inbox(&clinic, "max=9").await.status.as_u16(), 200);
    });
    gateway.stop();
}

/// A cancel that comes in time is final, and the holder is told if it may have the question.
#[test]
fn a_question_is_taken_back_in_time_or_not_at_all() {
    let scene = scene();
    let (school, clinic) = (scene.client(), client(&scene, CLINIC));
    let gateway = scene.start();
    let requests = [1, 2, 3].map(|number| scene.request(&school, number));
    let [early, late, over] = &requests;
    scene.block_on(async {
        assert_eq!(post(&school, early, "respond-async").await.status.as_u16(), 202);
        let taken_back = cancel(&school, early);
        let told = post(&school, &taken_back, "").await;
        assert_eq!(told.status.as_u16(), 202, "{:?}", problem_of(&told));
        assert_eq!(header(&told, "location"), format!("/v1/messages/{}", early.id));
        assert_eq!(state(&school, early).await["state"], "cancelled");
        assert_eq!(post(&school, &cancel(&school, early), "").await.status.as_u16(), 202, "it is taken back already");
        assert_eq!(inbox(&clinic, "").await.status.as_u16(), 204, "nobody has seen it");
        // The holder has it.
        post(&school, late, "respond-async").await;
        let question = inbox(&clinic, "wait=9").await;
        assert_eq!(question.body, late.octets);
        let taken_back = cancel(&school, late);
        assert_eq!(post(&school, &taken_back, "").await.status.as_u16(), 202);
        let notice = inbox(&clinic, "wait=9").await;
        assert_eq!((header(&notice, "oncegate-kind"), &notice.body), ("cancel", &taken_back.octets));
        assert_eq!(header(&notice, "oncegate-message-id"), late.id.to_string());
        let refused = post(&clinic, &answer(&scene, &clinic, &question.body), "").await;
        assert_eq!(problem_of(&refused).code, "OG-MSG-016", "nobody waits for it any more");
        // It is answered.
        post(&school, over, "respond-async").await;
        let question = inbox(&clinic, "wait=9").await;
        assert_eq!(post(&clinic, &answer(&scene, &clinic, &question.body), "").await.status.as_u16(), 202);
        assert_eq!(problem_of(&post(&school, &cancel(&school, over), "").await).code, "OG-MSG-022");
        // What somebody else asked.
        let other = client(&scene, "xx.demo.social-fund");
        assert_eq!(problem_of(&post(&other, &cancel(&other, late), "").await).code, "OG-MSG-016");
    });
    gateway.kill();
    let gateway = scene.start();
    scene.block_on(async {
        for request in [early, late] {
            assert_eq!(state(&school, request).await["state"], "cancelled", "over a restart too");
        }
    });
    gateway.stop();
}

/// The figures of what is kept, as `/metrics` has them; what is 0 left out.
async fn kept(scene: &Scene) -> Vec<String> {
    let text = tokio::task::block_in_place(|| {
        let mut stream = TcpStream::connect(scene.world().public_address()).expect("it listens");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("read");
        text
    });
    assert!(text.contains("\noncegate_work_oldest_seconds "), "{text}");
    let lines = text.lines().filter_map(|line| line.strip_prefix("oncegate_work_open"));
    lines.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect()
}

/// An operator sees how much is kept, by kind and state, over restarts too.
#[test]
fn the_metrics_say_how_much_is_kept() {
    let scene = scene();
    let (school, clinic) = (scene.client(), client(&scene, CLINIC));
    let gateway = scene.start();
    let requests = [1, 2].map(|number| scene.request(&school, number));
    let leased = ["{kind=\"request\",state=\"leased\"} 1".to_owned(), "{kind=\"request\",state=\"waiting\"} 1".to_owned()];
    scene.block_on(async {
        assert_eq!(kept(&scene).await, [""; 0]);
        for request in &requests {
            assert_eq!(post(&school, request, "respond-async").await.status.as_u16(), 202);
        }
        assert_eq!(kept(&scene).await, ["{kind=\"request\",state=\"waiting\"} 2"]);
        assert_eq!(inbox(&clinic, "wait=9").await.status.as_u16(), 200);
        let mut found = kept(&scene).await;
        found.sort();
        assert_eq!(found, leased);
    });
    gateway.kill();
    let gateway = scene.start();
    scene.block_on(async {
        let mut found = kept(&scene).await;
        found.sort();
        assert_eq!(found, leased, "a start counts the same");
        for request in &requests {
            assert_eq!(post(&school, &cancel(&school, request), "").await.status.as_u16(), 202);
        }
        let notice = inbox(&clinic, "wait=9").await;
        assert_eq!(done(&clinic, header(&notice, "oncegate-lease"), "ack").await.0, 200);
        assert_eq!(kept(&scene).await, [""; 0]);
    });
    gateway.stop();
}

/// A holder asks for time, and is asked again then; whoever waits is told in order.
#[test]
fn a_holder_that_asks_for_time_keeps_the_exchange_open() {
    let scene = Scene::prepared_without_clinic(SILENT, &|installation| is_outbound(installation, SCHOOL));
    let school = scene.client();
    let asked = Arc::<AtomicUsize>::default();
    let said = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let (count, words) = (Arc::clone(&asked), Arc::clone(&said));
    let manner: Manner = Arc::new(move |clinic: Arc<Client>, reply: ReplyTo, question: Message| -> Answering {
        let mut message = nothing(&clinic, reply, &question);
        if count.fetch_add(1, Ordering::Relaxed) < 2 {
            let by = message.header.created_at.plus_ms(1_500);
            message.body = Body::Later { by, reason: Code::parse("archive").expect("a code") };
        }
        let signed = clinic.sign(&message, "").expect("signed");
        words.lock().expect("nobody panics").push(signed.octets.clone());
        Box::pin(std::future::ready(Some(hyper::Response::new(full(signed.octets)))))
    });
    clinic_at(&scene, scene.world().provider_address(CLINIC).expect("a holder"), manner);
    let gateway = scene.start();
    let request = scene.request(&school, 1);
    scene.block_on(async {
        let received = post(&school, &request, "wait=1").await;
        assert_eq!(received.status.as_u16(), 202);
        let state = state(&school, &request).await;
        assert!(state["state"] == "delivered" && state["askedAgainAt"].is_string(), "{state}");
        becomes(&school, &request, "answered").await;
        let mut heard = Vec::new();
        while heard.len() < 3 {
            let word = inbox(&school, "wait=5").await;
            assert_eq!(word.status.as_u16(), 200);
            heard.push(word.body.clone());
            assert_eq!(done(&school, header(&word, "oncegate-lease"), "ack").await.0, 200);
        }
        assert_eq!(heard, *said.lock().expect("nobody panics"), "in order");
    });
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    gateway.stop();
}

/// A consumer that waits for a holder that is down is not turned away: its question is kept.
#[test]
fn whoever_waits_for_a_holder_that_is_down_gets_202_and_its_answer_later() {
    let scene = Scene::without_clinic(SILENT);
    let school = scene.client();
    let gateway = scene.start();
    let request = scene.request(&school, 1);
    scene.block_on(async {
        let received = post(&school, &request, "wait=1").await;
        assert_eq!(received.status.as_u16(), 202, "{:?}", problem_of(&received));
    });
    gateway.kill();
    let gateway = scene.start();
    let manner: Manner = Arc::new(move |clinic: Arc<Client>, reply: ReplyTo, question: Message| -> Answering {
        let signed = clinic.sign(&nothing(&clinic, reply, &question), "").expect("signed");
        Box::pin(std::future::ready(Some(hyper::Response::new(full(signed.octets)))))
    });
    clinic_at(&scene, scene.world().provider_address(CLINIC).expect("a holder"), manner);
    scene.block_on(async {
        let answered = post(&school, &request, "wait=30").await;
        assert_eq!(answered.status.as_u16(), 200, "{:?}", problem_of(&answered));
    });
    gateway.stop();
}

/// What waits for another is looked at again before it is handed out.
#[test]
fn nothing_is_handed_out_to_whoever_may_not_have_it_any_more() {
    let scene = scene();
    let (school, clinic) = (scene.client(), client(&scene, CLINIC));
    let gateway = scene.start();
    let request = scene.request(&school, 1);
    scene.block_on(async { assert_eq!(post(&school, &request, "respond-async").await.status.as_u16(), 202) });
    gateway.kill();
    registry(scene.world().installation(), |text| {
        text.replace("purpose = \"school-attendance\"", "purpose = \"school-statistics\"")
    });
    let gateway = scene.start();
    scene.block_on(async {
        assert_eq!(inbox(&clinic, "").await.status.as_u16(), 204);
        becomes(&school, &request, "refused").await;
        assert_eq!(state(&school, &request).await["code"], "OG-POL-002");
    });
    gateway.stop();
}

/// A grant to be told of medical absence notes.
pub fn subscribe(who: &str, fields: &str) -> String {
    format!(
        "\n[[grant]]\nid = \"hears-{}\"\nwho = \"{who}\"\naction = \"subscribe\"\nwhat = \"medical-absence-note\"\n\
         purpose = \"school-attendance\"\nbasis = \"XX:HEALTH:14\"\nfields = [{fields}]\nuntil = \"2099-12-31\"\n",
        who.rsplit('.').next().expect("a name")
    )
}

/// An event about somebody, good for an hour.
pub fn event_of(scene: &Scene, publisher: &Client, school: &Client) -> Signed {
    let document = Sets::built_in().example("medical-absence-note", Fullness::Full).expect("an example");
    event_on(scene, publisher, (school, &document), |_| {})
}

/// Such an event on a document about somebody whom the school asks about, changed before it is signed.
pub fn event_on(
    scene: &Scene,
    publisher: &Client,
    (school, document): (&Client, &str),
    change: impl FnOnce(&mut Message),
) -> Signed {
    // What stands in a message has no declaration of its own.
    let document = document.split_once("?>").map_or(document, |(_, rest)| rest).trim();
    let asked = scene.request(school, 1);
    let anchors = Anchors::load(&scene.world().agency_folder(CLINIC).join("ca.pem")).expect("authorities");
    let (asked, _) = verify_under(&asked.octets, &anchors, &Schemas::built_in()).expect("a question");
    let mut header = publisher.header(Kind::Event, None, None, World::Live).expect("a header");
    header.expires_at = header.created_at.plus_ms(60 * 60 * 1000);
    let body = Body::Documents(Vec::new());
    let mut message = Message { header, context: asked.context, body, attachments: Vec::new() };
    change(&mut message);
    // The document is about whoever the Context names.
    let subject = message.context.as_ref().and_then(|context| context.subject.identifiers.first()).expect("an identifier");
    publisher.sign(&message, &document.replace(PATIENT, subject.value())).expect("signed")
}

/// The patient of the examples.
pub const PATIENT: &str = "99000000136";

/// Told once, heard by each whose grant fits, in order, also by whoever was away.
#[test]
fn an_event_reaches_each_subscriber_once() {
    let all = "\"*\"";
    let scene = Scene::prepared_without_clinic(SILENT, &|installation| {
        are_outbound(installation);
        registry(installation, |text| text.to_owned() + &subscribe(SCHOOL, all) + &subscribe("xx.demo.social-fund", ""));
    });
    let (school, clinic, fund) = (scene.client(), client(&scene, CLINIC), client(&scene, "xx.demo.social-fund"));
    let gateway = scene.start();
    let event = |publisher: &Client| event_of(&scene, publisher, &school);
    let events = [event(&clinic), event(&clinic)];
    scene.block_on(async {
        for event in &events {
            let told = post(&clinic, event, "").await;
            assert_eq!(told.status.as_u16(), 202, "{:?}", problem_of(&told));
            let again = post(&clinic, event, "").await;
            assert_eq!(header(&again, "oncegate-log-index"), header(&told, "oncegate-log-index"), "told once");
            assert_eq!(state(&clinic, event).await["state"], "published");
        }
        let first = inbox(&school, "wait=20").await;
        assert_eq!((header(&first, "oncegate-kind"), &first.body), ("event", &events[0].octets));
        assert_eq!(inbox(&school, "").await.status.as_u16(), 204, "the second about one person waits for the first");
        assert_eq!(done(&school, header(&first, "oncegate-lease"), "ack").await.0, 200);
        let second = inbox(&school, "wait=9").await;
        assert_eq!(second.body, events[1].octets);
        assert_eq!(done(&school, header(&second, "oncegate-lease"), "ack").await.0, 200);
        assert_eq!(header(&inbox(&fund, "wait=9").await, "oncegate-kind"), "withheld", "its grant gives no field");
        let stranger = event(&school);
        assert_eq!(problem_of(&post(&school, &stranger, "").await).code, "OG-POL-001");
    });
    gateway.kill();
    registry(scene.world().installation(), |text| text.to_owned() + &subscribe(LATE, all));
    let gateway = scene.start();
    let late = client(&scene, LATE);
    scene.block_on(async {
        for event in &events {
            let told = inbox(&late, "wait=20").await;
            assert_eq!(told.body, event.octets, "it reads what it has missed");
            assert_eq!(done(&late, header(&told, "oncegate-lease"), "ack").await.0, 200);
        }
        assert_eq!(inbox(&school, "").await.status.as_u16(), 204, "it has had both");
    });
    gateway.stop();
}

/// The example in Python answers what comes to its inbox; no port is open on its side.
#[test]
fn a_worker_in_python_answers_what_waits() {
    let scene = scene();
    let gateway = scene.start();
    let url = format!("https://{}", scene.world().exchange_address());
    let tool = TOOLS.iter().find(|tool| tool.name == "signxml").expect("the tool");
    let worker = tool.worker(&scene.world().agency_folder(CLINIC), &url, CLINIC);
    let school = scene.client();
    let subject = |text: &str| {
        let (scheme, value) = text.split_once(':').expect("an identifier");
        Subject::from(vec![Identifier::parse(scheme, value).expect("an identifier")])
    };
    let code = |text| Code::parse(text).expect("a code");
    scene.block_on(async {
        for (about, has_documents) in [(SUBJECT, true), (STRANGER, false)] {
            let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
            let context = Context::new(code("school-attendance"), "XX:HEALTH:13", subject(about));
            let request = school.request(ask, context, None, World::Live).expect("signed");
            let received = post(&school, &request, "wait=60").await;
            assert_eq!(received.status.as_u16(), 200, "{:?}", problem_of(&received));
            let (answer, _) = school.verify(&received.body, &Schemas::built_in()).expect("a good answer");
            assert_eq!(matches!(answer.body, Body::Documents(_)), has_documents);
        }
    });
    drop(worker);
    gateway.stop();
}

/// Every holder is asked, each by a request of its own; who is missing is said.
#[test]
fn all_holders_are_asked_at_once_and_it_is_said_who_is_missing() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let person = scene.world().people().first().expect("a person").subject();
    let identifier = person.identifiers.first().expect("an identifier");
    let of = format!("{}:{}", identifier.scheme(), identifier.value());
    let run = |more: &[&str]| {
        let mut command = Command::new(oncegate());
        command.args(["ask", "medical-absence-note", "--of", &of, "--for", "school-attendance", "--each", "--wait", "2", "--as"]);
        let output = command.arg(scene.world().agency_folder(SCHOOL)).args(more).output().expect("it starts");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (status, text) = run(&[]);
    assert_eq!(status, Some(7), "{text}");
    assert!(text.contains("xx.demo.clinic-3 ") && text.contains("signed by it and checked   log "), "{text}");
    assert!(text.contains("xx.demo.clinic-9 ") && text.contains("missing: "), "{text}");
    assert!(text.ends_with("1 of 2 holders have answered\n"), "{text}");
    let (_, text) = run(&["--json"]);
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&told["missing"], &told["answers"][0]["holder"]), (&1.into(), &CLINIC.into()));
    gateway.stop();
}

/// A holder whose software is not ours says `202`, and answers later by a message that each of five tools has signed for it, over a
/// restart of the gateway.
#[test]
fn a_foreign_holder_answers_late() {
    let scene = Scene::without_clinic(SILENT);
    type Asked = Arc<Mutex<Vec<(ReplyTo, Message)>>>;
    let questions = Asked::default();
    let seen = Arc::clone(&questions);
    let manner: Manner = Arc::new(move |_: Arc<Client>, reply: ReplyTo, asked: Message| -> Answering {
        seen.lock().expect("nobody panics").push((reply, asked));
        Box::pin(std::future::ready(empty(202)))
    });
    clinic_at(&scene, scene.world().provider_address(CLINIC).expect("a holder"), manner);
    let (school, clinic) = (scene.client(), client(&scene, CLINIC));
    let gateway = scene.start();
    let requests: Vec<_> = (0..TOOLS.len()).map(|number| scene.request(&school, number)).collect();
    scene.block_on(async {
        for request in &requests {
            assert_eq!(post(&school, request, "wait=1").await.status.as_u16(), 202);
            becomes(&school, request, "delivered").await;
        }
    });
    gateway.kill();
    let gateway = scene.start();
    for (tool, request) in TOOLS.iter().zip(&requests) {
        let questions = questions.lock().expect("nobody panics");
        let (reply, asked) = questions.iter().rev().find(|(reply, _)| reply.id == request.id).expect("it was asked");
        let message = scene.folder().join("answer.xml");
        let signed = scene.folder().join(format!("answer-{}.xml", tool.name));
        // The example in shell looks for the end of the message at the beginning of a line.
        let markup = write(&nothing(&clinic, *reply, asked), "").replace("</Message>", "\n</Message>\n");
        std::fs::write(&message, markup).expect("writable");
        tool.sign(&scene.world().agency_folder(CLINIC), "sign", &message, &signed);
        let octets = std::fs::read(&signed).expect("readable");
        scene.block_on(async {
            let taken = clinic.post(octets.clone(), "", LONG).await.expect("the gateway is there");
            assert_eq!(taken.status.as_u16(), 202, "{}: {:?}", tool.name, problem_of(&taken));
            becomes(&school, request, "answered").await;
            let answer = school.answer_to(request.id, LONG).await.expect("the gateway is there");
            assert_eq!(answer.body, octets, "octet for octet");
        });
    }
    gateway.stop();
}
