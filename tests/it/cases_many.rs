//! Hundreds of open cases while the catalogue is read again and again: none is lost, and each stays with the version that it began with.

use crate::cases::{Scene, application, case_in, order, own, situation, state_of, step_of};
use crate::process::LONG;
use oncegate::faces::client::{Signed, problem_of};
use oncegate::host::control::{Command, call};
use oncegate::host::transport::Received;
use oncegate::program::demo::{PORTAL, Person};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Cases that begin before the catalogue changes, and while it does.
const BEFORE: usize = 150;
const MEANWHILE: usize = 100;
/// Versions beside the first one, in the order in which they come into force.
const NEWER: [&str; 2] = ["2", "3"];

/// A version of the situation: an office is at work at its first step for as long as it likes, and what the family gets when it has said
/// that it wants something is another step in each.
fn version(number: &str) -> String {
    let steps = format!(
        r#"
[[step]]
id = "register"
title = {{ en = "Registration", ru = "Регистрация" }}
agency = "mvd"
service = "registration"
deadline = "20wd"

[[step]]
id = "gift-{number}"
title = {{ en = "A gift", ru = "Подарок" }}
agency = "charity"
service = "gift"
when = "applicant.needs_dormitory"
deadline = "20wd"
"#
    );
    situation("moving", "request:portal", "applicant", &steps).replace("version = \"1\"", &format!("version = \"{number}\""))
}

/// Puts a version into force beside those that were before.
fn put(scene: &Scene, number: &str, before: &[&str]) -> Vec<String> {
    let folder = scene.town().installation().folder();
    let file = folder.join("catalogue/federal/moving.toml");
    for older in before {
        std::fs::write(file.with_file_name(format!("moving@{older}.toml")), version(older)).expect("writable");
    }
    std::fs::write(&file, version(number)).expect("writable");
    call(&folder.join("data"), Command::Reload).expect("it answers").expect("it runs").refused
}

/// Sends so many side by side.
async fn send_all(scene: &Scene, messages: Vec<Signed>) -> Vec<Received> {
    let portal = scene.client(PORTAL);
    let mut sending = tokio::task::JoinSet::new();
    let mut received = Vec::with_capacity(messages.len());
    for message in messages {
        if sending.len() >= 16 {
            received.extend(sending.join_next().await.map(|ended: Result<Received, _>| ended.expect("nobody panics")));
        }
        let portal = portal.clone();
        sending.spawn(async move { portal.post(message.octets, "", LONG).await.expect("the gateway is there") });
    }
    received.extend(sending.join_all().await);
    received
}

/// The cases that were begun, each with the version that its first answer names.
fn begun(received: &[Received]) -> BTreeMap<String, String> {
    let version = |text: &str| Some(text.split_once("<Version>")?.1.split_once("</Version>")?.0.to_owned());
    let cases = received.iter().map(|received| {
        assert_eq!(received.status.as_u16(), 200, "{:?}", problem_of(received));
        let text = String::from_utf8_lossy(&received.body);
        (case_in(received), version(&text).unwrap_or_else(|| panic!("{text}")))
    });
    cases.collect()
}

/// Waits until each case is as it should be.
fn all_become(scene: &Scene, cases: &BTreeMap<String, String>, what: &str, is_so: impl Fn(&Value, &str) -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    for (id, version) in cases {
        loop {
            let case = scene.case("xx.town.cases", id);
            if is_so(&case, version) {
                break;
            }
            assert!(Instant::now() < end, "{what}: {case:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_catalogue_that_changes_in_the_middle_of_many_cases_loses_none() {
    let mut scene = Scene::with(own("moving", &version("1")), |manners| _ = manners.idle.insert("register".to_owned()));
    let people: Vec<Person> = scene.town().people().iter().take(BEFORE + MEANWHILE).cloned().collect();
    let applications: Vec<Signed> = people.iter().map(|person| application(&scene, "moving", person, "")).collect();
    let (before, meanwhile) = {
        let mut applications = applications.into_iter();
        let before: Vec<Signed> = applications.by_ref().take(BEFORE).collect();
        (before, applications.collect::<Vec<Signed>>())
    };
    let mut cases = begun(&scene.block_on(send_all(&scene, before)));
    assert_eq!(cases.len(), BEFORE);
    assert!(cases.values().all(|version| version == "1"));
    // Others begin while one version after the other comes into force.
    let received = std::thread::scope(|scope| {
        let sending = scope.spawn(|| scene.block_on(send_all(&scene, meanwhile)));
        for (number, at) in NEWER.iter().zip(0..) {
            let older: Vec<&str> = ["1"].into_iter().chain(NEWER.into_iter().take(at)).collect();
            assert_eq!(put(&scene, number, &older), Vec::<String>::new());
        }
        sending.join().expect("nobody panics")
    });
    let newer = begun(&received);
    assert_eq!(newer.len(), MEANWHILE);
    cases.extend(newer);
    assert_eq!(cases.len(), BEFORE + MEANWHILE, "no two are one");
    all_become(&scene, &cases, "the office is at work, by the version that it began with", |case, version| {
        case["version"] == version && case["state"] == "open" && state_of(case, "register") == "accepted"
    });
    // A version that cases are open of does not go, whatever else comes.
    std::fs::remove_file(scene.town().installation().folder().join("catalogue/federal/moving@1.toml")).expect("it is there");
    let refused =
        call(&scene.town().installation().folder().join("data"), Command::Reload).expect("it answers").expect("it runs");
    assert!(refused.refused.iter().any(|line| line.contains("moving 1")), "{:?}", refused.refused);
    assert_eq!(put(&scene, "3", &["1", "2"]), Vec::<String>::new());
    // A gateway that starts again reads all of them from the log.
    scene.open_again();
    let wanted = "<Answer fact=\"applicant.needs_dormitory\">true</Answer>";
    let mut of_person = people.iter().cycle();
    for id in cases.keys() {
        // Whom an order is from counts, and not whom its context is about.
        let person = of_person.next().expect("there are people");
        let answered = order(&scene, id, PORTAL, person, wanted);
        assert_eq!(answered.status.as_u16(), 200, "{:?}", problem_of(&answered));
    }
    all_become(&scene, &cases, "each has the gift of its version and no other", |case, version| {
        let of = |number: &str| format!("gift-{number}");
        let others = ["1", "2", "3"].into_iter().filter(|number| *number != version);
        case["version"] == version
            && case["state"] == "open"
            && state_of(case, &of(version)) == "done"
            && others.map(of).all(|other| step_of(case, &other).is_null())
    });
}
