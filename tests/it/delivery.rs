//! Questions that their consumer does not wait for: kept, and delivered until their deadline, whatever ends meanwhile.

use crate::process::{LONG, Scene, is_replayed};
use crate::suspicions::{Answering, Manner, clinic_at, nothing};
use oncegate::base::ids::{AgencyId, Code, Digest};
use oncegate::faces::client::{Client, Signed, problem_of};
use oncegate::host::transport::full;
use oncegate::message::envelope::{Ask, Body, Context, Kind, Message, ReplyTo, World};
use oncegate::program::setup::Suspension;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SILENT: &str = "records = \"off\"\n";
const CLINIC: &str = "xx.demo.clinic-3";
const ASYNC: &str = "respond-async";

/// A holder that says, signed, that it has nothing, and counts the questions.
fn no_record(scene: &Scene) -> Arc<AtomicUsize> {
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    let manner: Manner = Arc::new(move |client: Arc<Client>, reply: ReplyTo, question: Message| -> Answering {
        count.fetch_add(1, Ordering::Relaxed);
        let signed = client.sign(&nothing(&client, reply, &question), "").expect("signed");
        Box::pin(std::future::ready(Some(hyper::Response::new(full(signed.octets)))))
    });
    clinic_at(scene, scene.world().provider_address(CLINIC).expect("a holder"), manner);
    asked
}

async fn accepted(client: &Client, request: &Signed) {
    let received = client.post(request.octets.clone(), ASYNC, LONG).await.expect("the gateway is there");
    assert_eq!(received.status.as_u16(), 202, "{:?}", problem_of(&received));
    assert!(received.headers.contains_key("location") && received.headers.contains_key("oncegate-log-index"));
}

pub async fn state(client: &Client, request: &Signed) -> String {
    let received = client.get(&format!("/v1/messages/{}", request.id)).await.expect("the gateway is there");
    let state: serde_json::Value = serde_json::from_slice(&received.body).expect("JSON");
    state["state"].as_str().unwrap_or_default().to_owned()
}

/// Waits until a message has a state.
pub async fn becomes(client: &Client, request: &Signed, wanted: &str) {
    let waiting = async {
        while state(client, request).await != wanted {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("it never was {wanted}"));
}

#[test]
fn a_question_waits_for_a_holder_that_is_down_over_a_restart_and_is_answered_once() {
    let scene = Scene::without_clinic(SILENT);
    let client = scene.client();
    let gateway = scene.start();
    let requests = [1, 2, 3].map(|number| scene.request(&client, number));
    scene.block_on(async {
        for request in &requests {
            accepted(&client, request).await;
            // Whoever asks again is told the same.
            accepted(&client, request).await;
            assert_eq!(state(&client, request).await, "accepted");
        }
    });
    gateway.kill();
    let gateway = scene.start();
    scene.block_on(async {
        for request in &requests {
            assert_eq!(state(&client, request).await, "accepted");
            accepted(&client, request).await;
        }
    });
    let asked = no_record(&scene);
    scene.block_on(async {
        for request in &requests {
            becomes(&client, request, "answered").await;
            let answer = client.get(&format!("/v1/messages/{}/answer", request.id)).await.expect("the gateway is there");
            assert_eq!(answer.status.as_u16(), 200);
            let again = client.post(request.octets.clone(), ASYNC, LONG).await.expect("the gateway is there");
            assert!(is_replayed(&again) && again.body == answer.body);
        }
    });
    assert_eq!(asked.load(Ordering::Relaxed), requests.len(), "each was delivered once");
    gateway.stop();
    let gateway = scene.start();
    scene.block_on(async { assert_eq!(state(&client, &requests[0]).await, "answered") });
    gateway.stop();
}

#[test]
fn a_holder_that_answers_later_by_itself_is_awaited_over_a_restart() {
    let scene = Scene::without_clinic(SILENT);
    let client = scene.client();
    type Asked = Arc<Mutex<Vec<(ReplyTo, Message, Arc<Client>)>>>;
    let questions = Asked::default();
    let seen = Arc::clone(&questions);
    let manner: Manner = Arc::new(move |client: Arc<Client>, reply: ReplyTo, asked: Message| -> Answering {
        seen.lock().expect("nobody panics").push((reply, asked, client));
        let mut response = hyper::Response::new(full(""));
        *response.status_mut() = hyper::StatusCode::ACCEPTED;
        Box::pin(std::future::ready(Some(response)))
    });
    clinic_at(&scene, scene.world().provider_address(CLINIC).expect("a holder"), manner);
    let gateway = scene.start();
    let request = scene.request(&client, 1);
    scene.block_on(async {
        accepted(&client, &request).await;
        becomes(&client, &request, "delivered").await;
    });
    gateway.kill();
    let gateway = scene.start();
    scene.block_on(async {
        becomes(&client, &request, "delivered").await;
        let (reply, asked, clinic) = questions.lock().expect("nobody panics").pop().expect("it was asked");
        let send = async |reply: ReplyTo| {
            let answer = clinic.sign(&nothing(&clinic, reply, &asked), "").expect("signed");
            clinic.post(answer.octets, ASYNC, LONG).await.expect("the gateway is there").status.as_u16()
        };
        let strange = ReplyTo { digest: Digest::from_octets([7; 32]), ..reply };
        assert_eq!(send(strange).await, 400, "an answer to nothing");
        assert_eq!(send(reply).await, 202);
        becomes(&client, &request, "answered").await;
        assert_eq!(send(reply).await, 400, "it has been answered");
    });
    gateway.stop();
}

/// Nothing is delivered any more to or for whoever may not have it any more.
#[test]
fn what_has_ended_while_a_question_waits_ends_the_question() {
    let scene = Scene::without_clinic(SILENT);
    let client = scene.client();
    let gateway = scene.start();
    let code = |text| Code::parse(text).expect("a code");
    let short = {
        let mut header = client.header(Kind::Request, None, None, World::Live).expect("a header");
        header.expires_at = header.created_at.plus_ms(2_000);
        let person = scene.world().people().first().expect("a person").subject();
        let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
        let context = Some(Context::new(code("school-attendance"), "XX:HEALTH:13", person));
        client.sign(&Message { header, context, body: Body::Ask(ask), attachments: Vec::new() }, "").expect("signed")
    };
    let long = scene.request(&client, 1);
    scene.block_on(async {
        accepted(&client, &short).await;
        accepted(&client, &long).await;
        becomes(&client, &short, "expired").await;
    });
    gateway.kill();
    let installation = scene.world().installation();
    installation.suspend(&AgencyId::parse(CLINIC).expect("an agency"), Suspension::Impose).expect("suspended");
    let gateway = scene.start();
    let asked = no_record(&scene);
    scene.block_on(async {
        becomes(&client, &long, "undeliverable").await;
        assert_eq!(state(&client, &short).await, "expired");
    });
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    // What has ended is on record, and stays so.
    gateway.kill();
    let gateway = scene.start();
    scene.block_on(async {
        assert_eq!((state(&client, &long).await.as_str(), state(&client, &short).await.as_str()), ("undeliverable", "expired"));
    });
    gateway.stop();
}

/// The record says who is asked: a question does not go to another holder by itself.
#[test]
fn a_kept_question_goes_to_the_holder_on_record_and_to_no_other() {
    let scene = Scene::without_clinic(SILENT);
    let client = scene.client();
    let gateway = scene.start();
    let request = scene.request(&client, 1);
    scene.block_on(accepted(&client, &request));
    gateway.kill();
    let installation = scene.world().installation();
    let file = installation.folder().join("registry.toml");
    let registry = std::fs::read_to_string(&file).expect("readable");
    let held = |agency: &str| format!("document = \"medical-absence-note\"\nagency = \"{agency}\"");
    assert!(registry.contains(&held(CLINIC)));
    std::fs::write(&file, registry.replace(&held(CLINIC), &held("xx.demo.maternity"))).expect("writable");
    installation.sign().expect("signed");
    let gateway = scene.start();
    scene.block_on(becomes(&client, &request, "undeliverable"));
    gateway.stop();
}

/// Whoever carries a message for another is told what comes of it, as the other is.
#[test]
fn whoever_carries_a_kept_question_waits_for_its_answer_like_its_sender() {
    let carried = |text: &str| {
        let school = "id = \"xx.demo.school-17\"\n";
        text.replacen(school, &format!("{school}carried_by = [\"xx.demo.maternity\"]\n"), 1)
    };
    let scene = Scene::prepared_without_clinic(SILENT, &|installation| crate::inbox::registry(installation, carried));
    let gateway = scene.start();
    let request = scene.request(&scene.client(), 1);
    let carrier = crate::suspicions::client(&scene, "xx.demo.maternity");
    scene.block_on(accepted(&carrier, &request));
    no_record(&scene);
    let received = scene.block_on(carrier.post(request.octets.clone(), "wait=30", LONG)).expect("the gateway is there");
    assert_eq!(received.status.as_u16(), 200, "{:?}", problem_of(&received));
    gateway.stop();
}

/// What was accepted is answered, whenever the gateway is killed, and its consumer is told one answer.
#[test]
fn nothing_that_was_accepted_is_lost_at_any_kill() {
    const ROUNDS: usize = 12;
    let scene = Scene::without_clinic(SILENT);
    let client = scene.client();
    let asked = no_record(&scene);
    let mut waiting = Vec::new();
    let mut answers = BTreeMap::new();
    for round in 0..ROUNDS {
        let gateway = scene.start();
        scene.block_on(async {
            for number in 0..6 {
                let request = scene.request(&client, round * 6 + number);
                let received = client.post(request.octets.clone(), ASYNC, LONG).await.expect("the gateway is there");
                assert_eq!(received.status.as_u16(), 202, "{:?}", problem_of(&received));
                waiting.push(request);
            }
            // Some are answered, some are on their way, some have not set out.
            tokio::time::sleep(Duration::from_millis(3 * round as u64)).await;
            for request in &waiting {
                let answer = client.get(&format!("/v1/messages/{}/answer", request.id)).await.expect("the gateway is there");
                if answer.status.as_u16() == 200 {
                    let first = answers.entry(request.id).or_insert_with(|| answer.body.clone());
                    assert_eq!(*first, answer.body, "an answer that was told is told again");
                }
            }
        });
        gateway.kill();
    }
    let gateway = scene.start();
    scene.block_on(async {
        for request in &waiting {
            becomes(&client, request, "answered").await;
            let answer = client.get(&format!("/v1/messages/{}/answer", request.id)).await.expect("the gateway is there");
            assert!(answers.get(&request.id).is_none_or(|first| *first == answer.body));
        }
    });
    gateway.stop();
    let deliveries = asked.load(Ordering::Relaxed);
    crate::figures::tell(
        "kept requests over kill -9",
        format!("{} in {ROUNDS} rounds, 0 lost, {deliveries} deliveries", waiting.len()),
    );
    assert!(deliveries >= waiting.len());
}
