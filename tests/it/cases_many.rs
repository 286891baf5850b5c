//! Hundreds of open cases while the catalogue is read again and again: none is lost, and each stays with the version that it began with.

use crate::cases::{Scene, application, case_in, order, own, situation, state_of, step, step_of};
use crate::process::LONG;
use oncegate::faces::client::problem_of;
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
    let gift = step(&format!("gift-{number}"), "charity", "when = \"applicant.needs_dormitory\"\ndeadline = \"20wd\"");
    let steps = step("register", "mvd", "deadline = \"20wd\"") + &gift;
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

/// A case that was begun: whom it is about, and the version that its first answer names.
type Begun = BTreeMap<String, (Person, String)>;

/// Has so many people apply side by side; gives their cases.
async fn begin(scene: &Scene, people: &[Person]) -> Begun {
    let portal = scene.client(PORTAL);
    let mut sending = tokio::task::JoinSet::new();
    let mut cases = Begun::new();
    let mut has_come = |(person, received): (Person, Received)| {
        assert_eq!(received.status.as_u16(), 200, "{:?}", problem_of(&received));
        let text = String::from_utf8_lossy(&received.body);
        let version = text.split_once("<Version>").and_then(|(_, rest)| rest.split_once("</Version>"));
        let version = version.unwrap_or_else(|| panic!("{text}")).0.to_owned();
        assert_eq!(cases.insert(case_in(&received), (person, version)).map(|(person, _)| person.number), None, "two are one");
    };
    for person in people {
        if sending.len() >= 16 {
            has_come(sending.join_next().await.expect("there are some").expect("nobody panics"));
        }
        let (portal, person, message) = (portal.clone(), person.clone(), application(scene, "moving", person, ""));
        sending.spawn(async move { (person, portal.post(message.octets, "", LONG).await.expect("the gateway is there")) });
    }
    sending.join_all().await.into_iter().for_each(has_come);
    cases
}

/// Waits until each case is as it should be.
fn all_become(scene: &Scene, cases: &Begun, what: &str, is_so: impl Fn(&Value, &str) -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    for (id, (_, version)) in cases {
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
    let (first, others) = people.split_at(BEFORE);
    let mut cases = scene.block_on(begin(&scene, first));
    assert!(cases.len() == BEFORE && cases.values().all(|(_, version)| version == "1"));
    // Others begin while one version after the other comes into force.
    let newer = std::thread::scope(|scope| {
        let beginning = scope.spawn(|| scene.block_on(begin(&scene, others)));
        for (number, at) in NEWER.iter().zip(0..) {
            let older: Vec<&str> = ["1"].into_iter().chain(NEWER.into_iter().take(at)).collect();
            assert_eq!(put(&scene, number, &older), Vec::<String>::new());
        }
        beginning.join().expect("nobody panics")
    });
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
    for (id, (person, _)) in &cases {
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
