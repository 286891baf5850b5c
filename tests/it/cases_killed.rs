//! Cases whose gateway is killed at any instant: no step is lost, and none is done twice.

use crate::cases::{DONE_WITHOUT_A_FORM, applied_for, case_in, state_of};
use crate::folder::Folder;
use crate::process::{LONG, Process};
use crate::tool::free_port;
use oncegate::faces::client::Signed;
use oncegate::program::demo::{PORTAL, Town, TownPlan};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How often the gateway is killed; more by the environment, for a night.
fn rounds() -> usize {
    std::env::var("ONCEGATE_CASE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(50)
}

struct Killed {
    runtime: tokio::runtime::Runtime,
    town: Town,
    _folder: Folder,
}

impl Killed {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let folder = Folder::new();
        let port = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let town = runtime.block_on(async {
            let town = Town::found(&folder.path().join("town"), TownPlan::default(), (port(), port())).expect("a town");
            town.work();
            town
        });
        Self { runtime, town, _folder: folder }
    }

    fn start(&self) -> Process {
        loop {
            match Process::run(&self.town.installation().config()) {
                Ok(gateway) => return gateway,
                Err((_, said)) if said.contains("another gateway is running") => std::thread::yield_now(),
                Err((status, said)) => panic!("the gateway has ended: {status}\n{said}"),
            }
        }
    }

    /// Whether the gateway has taken an event; it may be killed meanwhile.
    fn is_taken(&self, event: &Signed) -> bool {
        let client = self.town.client("xx.town.maternity").expect("a client");
        let posting = client.post(event.octets.clone(), "", Duration::from_secs(5));
        self.runtime.block_on(posting).is_ok_and(|received| received.status.as_u16() == 202)
    }

    fn case(&self, id: &str) -> Value {
        let client = self.town.client("xx.town.cases").expect("a client");
        let received = self.runtime.block_on(client.get(&format!("/v1/cases/{id}")));
        received.ok().and_then(|received| serde_json::from_slice(&received.body).ok()).unwrap_or(Value::Null)
    }
}

#[test]
fn kill_dash_nine_mid_case() {
    let scene = Killed::new();
    // Any numbers will do that are spread over the time in which a case goes through.
    let pause = |round: usize| Duration::from_millis((round as u64 * 137) % 450);
    let (mut waiting, mut births) = (Vec::new(), 0_u32);
    for round in 0..rounds() {
        let gateway = scene.start();
        if round % 3 == 0 {
            waiting.push(scene.town.birth(births, None).expect("signed"));
            births += 1;
        }
        waiting.retain(|event| !scene.is_taken(event));
        std::thread::sleep(pause(round));
        gateway.kill();
    }
    let gateway = scene.start();
    waiting.retain(|event| !scene.is_taken(event));
    assert!(waiting.is_empty(), "all births are told");
    let deadline = Instant::now() + LONG * 2;
    let cases = loop {
        let cases: BTreeSet<String> = scene.town.manners().tasks.iter().map(|task| task.case.clone()).collect();
        let states: Vec<Value> = cases.iter().map(|id| scene.case(id)).collect();
        let is_done =
            |case: &Value| case["steps"].is_array() && DONE_WITHOUT_A_FORM.iter().all(|step| state_of(case, step) == "done");
        if cases.len() == births as usize && states.iter().all(is_done) {
            break cases;
        }
        let open: Vec<&Value> = states.iter().filter(|case| !is_done(case)).collect();
        assert!(Instant::now() < deadline, "{births} births, {} cases; {open:#?}", cases.len());
        std::thread::sleep(Duration::from_millis(200));
    };
    gateway.stop();
    let manners = scene.town.manners();
    // What came again after a kill is the same message.
    let mut steps: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for task in manners.tasks.iter().filter(|task| task.what == "step") {
        let step = task.step.as_deref().expect("a step");
        steps.entry((&task.case, step)).or_default().insert(task.message.to_string());
    }
    for ((case, step), messages) in &steps {
        assert_eq!(messages.len(), 1, "{case} {step} was asked by several messages");
    }
    let mut asked: BTreeMap<(String, &str, Option<u32>), BTreeSet<String>> = BTreeMap::new();
    for question in &manners.asked {
        let (case, ..) = question.context.as_ref().expect("a case");
        let key = (case.to_string(), question.document.as_str(), question.about);
        asked.entry(key).or_default().insert(question.message.to_string());
    }
    for (what, messages) in &asked {
        assert_eq!(messages.len(), 1, "{what:?} was asked by several messages");
    }
    assert_eq!(cases.len(), births as usize);
}

/// What a case has had is gone from the disk when it is over, also if the gateway dies in the middle of forgetting it.
#[test]
fn what_is_forgotten_is_gone_after_a_kill() {
    let scene = Killed::new();
    let mother = scene.town.mother(3);
    let portal = scene.town.client(PORTAL).expect("a client");
    let send = |markup: &str| {
        let signed = scene.town.apply(PORTAL, &mother, markup).expect("signed");
        scene.runtime.block_on(portal.post(signed.octets, "", LONG)).expect("the gateway is there")
    };
    let left = || {
        let folder = scene.town.installation().folder().join("data/attachments");
        std::fs::read_dir(folder).into_iter().flatten().flatten().count()
    };
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let deadline = Instant::now() + LONG * 2;
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let gateway = scene.start();
    let id = case_in(&send(&applied_for("birth-of-child", "portal", &mother, "")));
    until("its documents have come", &|| DONE_WITHOUT_A_FORM.iter().all(|step| state_of(&scene.case(&id), step) == "done"));
    let case = scene.case(&id);
    let here = case["documents"].as_array().expect("a list").iter().filter(|document| document["state"] == "here").count();
    let before = left();
    assert!(here > 0, "{case:#}");
    let withdraw =
        format!("<CaseOrder xmlns=\"urn:oncegate:doc:case-order:1\"><Case>{id}</Case><Withdraw></Withdraw></CaseOrder>");
    assert_eq!(send(&withdraw).status.as_u16(), 200);
    gateway.kill();
    let gateway = scene.start();
    // Each is a file, and a note beside it; what was sent along with tasks is kept for its agencies.
    until("all are removed", &|| left() + 2 * here <= before);
    gateway.stop();
}
