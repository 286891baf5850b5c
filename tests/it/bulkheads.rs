//! Bulkheads: a holder that hangs, fails or is away costs nobody anything but those who ask it, and they are told when to come again.

use crate::process::{LONG, Scene, answered, oncegate, send};
use crate::suspicions::{Answering, Manner, ask, client, clinic_at, empty, nothing};
use crate::tool::said;
use oncegate::base::ids::Code;
use oncegate::base::limits;
use oncegate::faces::client::{Client, Signed, problem_of};
use oncegate::host::transport::{Received, full};
use oncegate::message::envelope::{Ask, Body, Context, Kind, Message, ReplyTo, World};
use oncegate::program::setup::Installation;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

const CLINIC: &str = "xx.demo.clinic-3";
const FUND: &str = "xx.demo.social-fund";
/// Agencies that may all ask the clinic, each with 64 exchanges at once.
const FOUR: [&str; 4] = [FUND, "xx.demo.civil-registry", "xx.demo.maternity", "xx.demo.school-17"];
const SILENT: &str = "records = \"off\"\n";

/// Gives the clinic another load.
pub fn with_load(load: &'static str) -> impl Fn(&Installation) {
    move |installation| {
        let file = installation.folder().join("registry.toml");
        let text = std::fs::read_to_string(&file).expect("readable");
        let (before, after) = text.split_at(text.find(&format!("id = \"{CLINIC}\"")).expect("the clinic"));
        let after = after.replacen('\n', &format!("\nload = {{ {load} }}\n"), 1);
        std::fs::write(&file, format!("{before}{after}")).expect("writable");
        installation.sign().expect("signed");
    }
}

fn metric(scene: &Scene, name: &str) -> u64 {
    let mut stream = TcpStream::connect(scene.world().public_address()).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read");
    let wanted = format!("oncegate_{name}{{holder=\"{CLINIC}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&wanted)?.parse().ok()).unwrap_or(0)
}

async fn becomes(scene: &Scene, name: &str, wanted: u64) {
    let waiting = async {
        while metric(scene, name) != wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("{name} is {}, not {wanted}", metric(scene, name)));
}

/// A holder that tells which number of question has reached it, and does with it what is said.
fn holder<F>(scene: &Scene, does: F) -> mpsc::UnboundedReceiver<usize>
where
    F: Fn(usize) -> std::pin::Pin<Box<dyn Future<Output = Option<u16>> + Send>> + Send + Sync + 'static,
{
    let (reached, has_reached) = mpsc::unbounded_channel();
    let (count, does) = (std::sync::atomic::AtomicUsize::new(0), Arc::new(does));
    let manner: Manner = Arc::new(move |client: Arc<Client>, reply: ReplyTo, question: Message| -> Answering {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let _ = reached.send(number);
        let status = does(number);
        Box::pin(async move {
            match status.await {
                Some(status) => empty(status),
                None => {
                    let signed = client.sign(&nothing(&client, reply, &question), "").expect("signed");
                    Some(hyper::Response::new(full(signed.octets)))
                }
            }
        })
    });
    clinic_at(scene, scene.world().provider_address(CLINIC).expect("a holder"), manner);
    has_reached
}

/// What somebody is told: status, code and `Retry-After`.
fn told(received: &Received) -> (u16, String, Option<u32>) {
    let after = received.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let code = if received.status.is_success() { String::new() } else { problem_of(received).code };
    (received.status.as_u16(), code, after)
}

async fn asks(client: &Client, request: &Signed) -> (u16, String, Option<u32>) {
    told(&send(client, &request.octets).await.expect("the gateway is there"))
}

/// The same of somebody who waits for a second.
async fn briefly(client: &Client, request: &Signed) -> (u16, String, Option<u32>) {
    told(&client.post(request.octets.clone(), "wait=1", LONG).await.expect("the gateway is there"))
}

/// A question that is void after two seconds.
fn short_lived(scene: &Scene, client: &Client) -> Signed {
    let code = |text| Code::parse(text).expect("a code");
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    let context = Context::new(code("school-attendance"), "XX:HEALTH:13", scene.world().people()[0].subject());
    let mut header = client.header(Kind::Request, None, None, World::Live).expect("a header");
    header.expires_at = header.created_at.plus_ms(2_000);
    client.sign(&Message { header, context: Some(context), body: Body::Ask(ask), attachments: Vec::new() }, "").expect("signed")
}

/// The fund's question to another holder.
async fn asks_another(scene: &Scene, fund: &Client) {
    let code = |text| Code::parse(text).expect("a code");
    let ask = Ask { document_type: code("identity-record"), of: None, select: Vec::new(), during: None };
    let context = Context::new(code("birth-allowance"), "XX:FAMILY:81", scene.world().people()[0].subject());
    let request = fund.request(ask, context, None, World::Live).expect("signed");
    answered(fund, &request).await;
}

fn shows(scene: &Scene) -> String {
    let folder = scene.world().folder().to_str().expect("UTF-8");
    let output = Command::new(oncegate()).args(["agency", "show", CLINIC, "--in", folder]).output().expect("it starts");
    said(&output)
}

#[test]
fn a_holder_that_hangs_costs_other_holders_nothing() {
    const EACH: usize = 50;
    let scene = Scene::without_clinic("records = \"off\"\n\n[limits]\nanswer_ms = 10000\n");
    let gateway = scene.start();
    let _reached = holder(&scene, |_| Box::pin(std::future::pending()));
    scene.block_on(async {
        let mut sent = JoinSet::new();
        for agency in FOUR {
            let asking = client(&scene, agency);
            for number in 0..EACH {
                let (asking, request) = (asking.clone(), ask(&scene, &asking, number as u32 % 200));
                sent.spawn(async move { asks(&asking, &request).await });
            }
        }
        let places = u64::from(limits::HOLDER_PARALLEL);
        becomes(&scene, "holder_requests", places).await;
        becomes(&scene, "holder_waiting", (FOUR.len() * EACH) as u64 - places).await;
        // Of the fund's 64 places the clinic has 14 more at most, and another holder as many as ever.
        let fund = client(&scene, FUND);
        let rest: Vec<_> = (0..15).map(|number| ask(&scene, &fund, number)).collect();
        for request in &rest[..14] {
            let (fund, octets) = (fund.clone(), request.octets.clone());
            sent.spawn(async move { told(&send(&fund, &octets).await.expect("the gateway is there")) });
        }
        becomes(&scene, "holder_waiting", (FOUR.len() * EACH) as u64 - places + 14).await;
        assert_eq!(asks(&fund, &rest[14]).await, (429, "OG-LIM-002".to_owned(), Some(1)));
        for _ in 0..100 {
            asks_another(&scene, &fund).await;
        }
        assert_eq!(metric(&scene, "holder_requests"), places, "the clinic has them still");
        // Nobody is turned away: what it had and has not answered, and what waited for it, is kept and tried again.
        for (status, code, after) in sent.join_all().await {
            assert_eq!((status, code.as_str(), after), (202, "", Some(1)));
        }
        assert_eq!(metric(&scene, "holder_waiting"), 0);
        assert!(metric(&scene, "holder_requests") <= 1, "it is tried with one at a time");
        asks_another(&scene, &fund).await;
    });
    gateway.stop();
}

#[test]
fn a_holder_that_is_away_is_left_alone_and_asked_again_when_it_is_back() {
    let scene = Scene::without_clinic(SILENT);
    let gateway = scene.start();
    let school = scene.client();
    let kept: Vec<_> = (0..limits::HOLDER_FAILURES as usize).map(|number| scene.request(&school, number)).collect();
    scene.block_on(async {
        for request in &kept {
            assert_eq!(briefly(&school, request).await.0, 202, "it is kept, and tried again");
        }
        becomes(&scene, "holder_left_alone", 1).await;
        let shown = shows(&scene);
        assert!(shown.contains("left-alone") || shown.contains("tried"), "{shown}");
        assert!(shown.contains("64 requests at once, 256 waiting, left alone after 5 failures"), "{shown}");
        // Whoever has no time to wait for the next try is told so, before anything is recorded as permitted.
        let told = async {
            loop {
                match asks(&school, &short_lived(&scene, &school)).await {
                    (202 | 504, ..) => {}
                    other => break other,
                }
            }
        };
        let (status, code, after) = tokio::time::timeout(LONG, told).await.expect("the pauses become longer");
        assert!((status, code.as_str()) == (503, "OG-RTE-009") && after.is_some_and(|seconds| seconds > 1), "{code}");
    });
    let mut reached = holder(&scene, |_| Box::pin(std::future::ready(None)));
    scene.block_on(async {
        for request in &kept {
            let answer = school.answer_to(request.id, LONG).await.expect("the gateway is there");
            assert_eq!(answer.status.as_u16(), 200);
        }
        answered(&school, &scene.request(&school, 22)).await;
        let asked = std::iter::from_fn(|| reached.try_recv().ok()).count();
        assert_eq!(asked, kept.len() + 1, "each was asked once");
        assert!(shows(&scene).contains("now     asked: 0 requests under way, 0 waiting"));
    });
    gateway.stop();
}

#[test]
fn so_many_wait_for_a_holder_and_no_more() {
    let scene = Scene::prepared_without_clinic(SILENT, &with_load("parallel = 1, waiting = 2"));
    let gateway = scene.start();
    let (goes_on, may_go_on) = watch::channel(false);
    let mut reached = holder(&scene, move |_| {
        let mut may_go_on = may_go_on.clone();
        Box::pin(async move {
            let _ = may_go_on.wait_for(|may| *may).await;
            None
        })
    });
    let school = scene.client();
    scene.block_on(async {
        let mut sent = JoinSet::new();
        for number in 0..3 {
            let (school, request) = (school.clone(), scene.request(&school, number));
            sent.spawn(async move { asks(&school, &request).await.0 });
        }
        assert_eq!(reached.recv().await, Some(0));
        becomes(&scene, "holder_waiting", 2).await;
        let (status, code, after) = asks(&school, &scene.request(&school, 5)).await;
        assert_eq!((status, code.as_str()), (503, "OG-RTE-008"));
        assert!(after.is_some_and(|seconds| seconds >= 1));
        assert!(reached.try_recv().is_err(), "one at a time");
        let _ = goes_on.send(true);
        assert_eq!(sent.join_all().await, [200, 200, 200]);
        answered(&school, &scene.request(&school, 5)).await;
    });
    gateway.stop();
}

#[test]
fn one_request_tries_whether_a_holder_is_back() {
    let scene = Scene::prepared_without_clinic(SILENT, &with_load("failures = 1"));
    let gateway = scene.start();
    let (goes_on, may_go_on) = watch::channel(false);
    let mut reached = holder(&scene, move |number| {
        let mut may_go_on = may_go_on.clone();
        Box::pin(async move {
            if number == 0 {
                return Some(500);
            }
            let _ = may_go_on.wait_for(|may| *may).await;
            None
        })
    });
    let school = scene.client();
    scene.block_on(async {
        // It fails once, is left alone, and tried again with the same request.
        let first = scene.request(&school, 0);
        assert_eq!(briefly(&school, &first).await.0, 202);
        assert_eq!([reached.recv().await, reached.recv().await], [Some(0), Some(1)]);
        let more = [scene.request(&school, 1)];
        for request in &more {
            assert_eq!(briefly(&school, request).await.0, 202);
        }
        assert!(reached.try_recv().is_err(), "one tries");
        let _ = goes_on.send(true);
        for request in more.iter().chain([&first]) {
            let answer = school.answer_to(request.id, LONG).await.expect("the gateway is there");
            assert_eq!(answer.status.as_u16(), 200);
        }
    });
    gateway.stop();
}

/// Whoever gives a holder no time to answer closes it to nobody.
#[test]
fn a_request_that_expires_at_once_says_nothing_against_its_holder() {
    let scene = Scene::prepared_without_clinic(SILENT, &with_load("failures = 1"));
    let gateway = scene.start();
    let mut reached = holder(&scene, |number| {
        Box::pin(async move {
            if number < 3 {
                std::future::pending::<()>().await;
            }
            None
        })
    });
    let school = scene.client();
    scene.block_on(async {
        for number in 0..3 {
            let code = |text| Code::parse(text).expect("a code");
            let mut header =
                school.header(oncegate::message::envelope::Kind::Request, None, None, World::Live).expect("a header");
            header.expires_at = header.created_at.plus_ms(1_500);
            let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
            let context = Context::new(code("school-attendance"), "XX:HEALTH:13", scene.world().people()[0].subject());
            let body = oncegate::message::envelope::Body::Ask(ask);
            let message = Message { header, context: Some(context), body, attachments: Vec::new() };
            let (status, code, _) = asks(&school, &school.sign(&message, "").expect("signed")).await;
            assert_eq!((status, code.as_str()), (504, "OG-RTE-006"));
            assert_eq!(reached.recv().await, Some(number));
        }
        answered(&school, &scene.request(&school, 7)).await;
    });
    gateway.stop();
}
