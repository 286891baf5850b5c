//! `oncegate case` as its users run it, in a town of agencies.

use crate::cases::{Scene, state_of};
use crate::process::oncegate;
use crate::tool::said;
use oncegate::program::demo::{PORTAL, TownPlan, WORKING_DAY_IN_A_SECOND};
use serde_json::Value;
use std::process::{Command, Stdio};

/// Runs the program, and expects this exit status; gives what it printed, on standard output and on standard error.
fn ends(status: i32, arguments: &[&str]) -> (String, String) {
    let output = Command::new(oncegate()).args(arguments).stdin(Stdio::null()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

/// `oncegate case` as an agency.
fn case(scene: &Scene, by: &str, status: i32, arguments: &[&str]) -> (String, String) {
    let folder = scene.town().agency_folder(by);
    ends(status, &[&["case"], arguments, &["--as", folder.to_str().expect("UTF-8")]].concat())
}

fn json(scene: &Scene, by: &str, arguments: &[&str]) -> Value {
    let (out, _) = case(scene, by, 0, &[arguments, &["--json"]].concat());
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"));
    assert_eq!(told["format"], 1, "{arguments:?}: {out}");
    told
}

/// The mother of a household, as commands name her.
fn mother(scene: &Scene, household: u32) -> String {
    let mother = scene.town().mother(household);
    format!("{}:{}", mother.identifier.scheme(), mother.identifier.value())
}

fn begin(scene: &Scene, household: u32) -> String {
    let mother = mother(scene, household);
    let begun = json(scene, PORTAL, &["begin", "birth-of-child", "--subject", &mother, "--test"]);
    assert_eq!((&begun["state"], &begun["situation"]), (&Value::from("open"), &Value::from("birth-of-child")), "{begun}");
    assert_eq!(begun["from"], "xx.town.cases", "the coordinator has signed it");
    begun["case"].as_str().expect("an id").to_owned()
}

/// From the application to the end: begun, seen, answered, brought.
#[test]
fn a_portal_takes_a_family_through_a_case() {
    let scene = Scene::new(|_| {});
    let mother_id = mother(&scene, 3);
    let begin = ["begin", "birth-of-child", "--subject", &mother_id, "--test"];
    let contact = ["--contact", "mailto:anna@example.org", "--language", "ru"];
    let (out, _) = case(&scene, PORTAL, 0, &[&begin[..], &contact].concat());
    assert!(out.starts_with("applied for  birth-of-child 2026.2, case ") && out.contains("signed by xx.town.cases "), "{out}");
    let id = out.split("case ").nth(1).and_then(|rest| rest.split(',').next()).expect("an id").to_owned();
    // Twice is the same case.
    assert_eq!(json(&scene, PORTAL, &begin)["case"], id.as_str());
    let done = ["register-birth", "snils", "health-policy", "residence", "birth-allowance", "family-capital"];
    let all_but_the_form = |case: &Value| {
        let asks = |what: &str| case["form"][what].as_array().is_some_and(|list| list.len() == 1);
        done.iter().all(|step| state_of(case, step) == "done") && asks("ask") && asks("bring")
    };
    scene.becomes(&id, "all but the form is done", all_but_the_form);
    let (out, _) = case(&scene, PORTAL, 0, &["show", &id]);
    for words in [
        "birth-of-child 2026.2",
        "in the test world",
        "Birth of a child",
        "open  opened ",
        "ask    mother.wants_kindergarten (bool)",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let line = out.lines().find(|line| line.contains(" register-birth ")).expect("a step");
    assert!(line.trim_start().starts_with("done ") && line.contains(" xx.town.zags ") && line.contains(" over 20"), "{line}");
    let (out, _) = case(&scene, PORTAL, 0, &["form", &id, "--language", "ru"]);
    assert!(out.contains("Поставить ребёнка в очередь в детский сад?") && out.contains("bring  bank-details of mother"), "{out}");
    let (out, _) = case(&scene, PORTAL, 0, &["timeline", &id]);
    for words in ["opened", "asked        identity-record:mother", "done         register-birth"] {
        assert!(out.contains(words), "{words}: {out}");
    }
    let answered = json(&scene, PORTAL, &["answer", &id, "mother.wants_kindergarten=true"]);
    assert_eq!(answered["ask"], Value::Array(Vec::new()), "{answered}");
    assert_eq!(answered["bring"][0]["document"], "bank-details", "{answered}");
    let file = scene.town().installation().folder().join("bank-details.xml");
    let paper = scene.town().paper("bank-details", &scene.town().mother(3)).expect("a document");
    std::fs::write(&file, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{paper}\n")).expect("writable");
    let (out, _) = case(&scene, PORTAL, 0, &["bring", &id, file.to_str().expect("UTF-8")]);
    assert!(out.starts_with("brought  ") && !out.contains("bring  "), "{out}");
    scene.becomes(&id, "it is over", |case| case["state"] == "done");
    let shown = json(&scene, PORTAL, &["show", &id]);
    assert_eq!((&shown["state"], &shown["counts"]["brought"]), (&Value::from("done"), &Value::from(1)), "{shown}");
    assert!(!json(&scene, PORTAL, &["timeline", &id])["events"].as_array().expect("a list").is_empty());
    let (_, err) = case(&scene, PORTAL, 2, &["withdraw", &id]);
    assert!(err.starts_with("error: OG-CAS-002 the case is over") && err.contains("next: apply again"), "{err}");
}

/// What else can be asked of a case.
#[test]
fn a_case_is_assisted_handed_over_reminded_linked_and_withdrawn() {
    let scene = Scene::new(|manners| _ = manners.idle.insert("register-birth".to_owned()));
    let id = begin(&scene, 3);
    let at_work = |case: &Value| state_of(case, "register-birth") == "accepted";
    scene.becomes(&id, "the registry is at work", at_work);
    let (out, _) = case(&scene, PORTAL, 0, &["assistant", &id, "xx.town.social", "--name", "Team 4"]);
    assert!(out.starts_with("has an assistant  birth-of-child"), "{out}");
    let (out, _) = case(&scene, "xx.town.social", 0, &["remind", &id, "register-birth"]);
    assert!(out.starts_with("reminded  "), "{out}");
    scene.until("the registry is reminded", |manners| {
        manners.tasks.iter().find(|task| task.what == "reminder" && task.kind == "zags").map(drop)
    });
    // Whoever does a step may hand it over.
    let (out, _) = case(&scene, "xx.town.zags", 0, &["hand-over", &id, "register-birth", "--to", "xx.town.zags-2"]);
    assert!(out.starts_with("handing over  "), "{out}");
    scene.becomes(&id, "it has gone over", |case| at_work(case) && case["steps"][0]["agency"] == "xx.town.zags-2");
    let (out, _) = case(&scene, PORTAL, 0, &["show", &id]);
    assert!(out.contains("handing over to xx.town.zags-2: taken") && out.contains("assistant  xx.town.social"), "{out}");
    let (out, _) = case(&scene, PORTAL, 0, &["contact", &id, "mailto:anna@example.org", "--language", "ru"]);
    assert!(out.starts_with("contact changed  "), "{out}");
    let linked = json(&scene, PORTAL, &["link", &id]);
    assert_eq!(linked["link"].as_str().map(str::len), Some(32), "{linked}");
    let (out, _) = case(&scene, PORTAL, 0, &["link", &id]);
    assert!(out.contains("\nlink   /my/"), "{out}");
    let (out, _) = case(&scene, PORTAL, 0, &["withdraw", &id]);
    assert!(out.starts_with("withdrawn  ") && out.contains(", withdrawn\n"), "{out}");
}

/// Each error names the rule, and what to do next.
#[test]
fn what_is_refused_is_told_with_the_next_step() {
    let scene = Scene::new(|manners| _ = manners.idle.insert("register-birth".to_owned()));
    let id = begin(&scene, 3);
    let about = mother(&scene, 4);
    let nowhere = "01990a5d-ac96-774b-8cce-b302099a8001";
    let town = scene.town().installation().folder().join("oncegate.toml");
    for (by, status, arguments, words) in [
        (PORTAL, 2, &["show", "so"][..], "\"so\" is not the id of a case"),
        (PORTAL, 2, &["show", nowhere], "OG-CAS-001 there is no such case"),
        ("xx.town.employer", 2, &["withdraw", &id], "next: check the id of the case"),
        (PORTAL, 2, &["answer", &id, "mother.wants_kindergarten"], "write FACT=VALUE"),
        (PORTAL, 2, &["answer", &id, "mother.employed=true"], "OG-CAS-003"),
        (PORTAL, 2, &["bring", &id, town.to_str().expect("UTF-8")], "error: "),
        (PORTAL, 2, &["bring", &id, "nothing.xml"], "nothing.xml"),
        (PORTAL, 2, &["assistant", &id, "xx.town.nobody"], "OG-CAS-006"),
        (PORTAL, 2, &["hand-over", &id, "nothing", "--to", "xx.town.zags-2"], "the situation has no step nothing"),
        (PORTAL, 2, &["remind", &id, "kindergarten"], "nobody is at work at the step kindergarten"),
        (PORTAL, 2, &["contact", &id, "anna@example.org"], "write mailto:"),
        (PORTAL, 2, &["begin", "birth-of-a-cat", "--subject", &about, "--test"], "no situation is called birth-of-a-cat"),
        (PORTAL, 2, &["begin", "birth-of-child", "--subject", &about, "--channel", "post", "--test"], "by way of post"),
        (PORTAL, 2, &["begin", "birth-of-child", "--subject", "XX-OGTEST:1", "--test"], "OG-DOC-021"),
        ("xx.town.tax", 3, &["begin", "birth-of-child", "--subject", &about, "--test"], "may not send a case-application"),
    ] {
        let (_, err) = case(&scene, by, status, arguments);
        assert!(err.starts_with("error: ") && err.contains(words), "{arguments:?}: {err}");
    }
    let (_, err) = case(&scene, PORTAL, 2, &["answer", &id, "mother.employed=true", "--json"]);
    let told: Value = serde_json::from_str(err.trim()).expect("JSON");
    assert_eq!(told["problem"]["code"], "OG-CAS-003", "{told}");
}

/// The measures of a town in which so many children were born, of which the last is waited for at the kindergarten.
fn measures(births: u32) -> Value {
    let plan = TownPlan { pace: WORKING_DAY_IN_A_SECOND, ..TownPlan::default() };
    let mut scene = Scene::with(plan, |manners| _ = manners.away.insert("kindergarten".to_owned()));
    let ids: Vec<String> = (3..3 + births).map(|household| begin(&scene, household)).collect();
    for id in &ids {
        scene.becomes(id, "the form is there", |case| {
            let asks = |what: &str| case["form"][what].as_array().is_some_and(|list| !list.is_empty());
            asks("ask") && asks("bring")
        });
        json(&scene, PORTAL, &["answer", id, "mother.wants_kindergarten=true"]);
    }
    for (id, household) in ids.iter().zip(3..) {
        let file = scene.town().installation().folder().join("bank-details.xml");
        let paper = scene.town().paper("bank-details", &scene.town().mother(household)).expect("a document");
        std::fs::write(&file, paper).expect("writable");
        json(&scene, PORTAL, &["bring", id, file.to_str().expect("UTF-8")]);
        scene.becomes(id, "all but the kindergarten is done", |case| {
            let steps = case["steps"].as_array().expect("steps");
            steps.iter().all(|step| step["state"] == "done" || step["id"] == "kindergarten")
        });
    }
    scene.town().manners().away.clear();
    ids.iter().for_each(|id| _ = scene.becomes(id, "it is over", |case| case["state"] == "done"));
    // One that goes on, and one that was taken back.
    scene.town().manners().idle.insert("register-birth".to_owned());
    begin(&scene, 3 + births);
    let withdrawn = begin(&scene, 4 + births);
    json(&scene, PORTAL, &["withdraw", &withdrawn]);
    let file = scene.town().installation().config();
    let file = file.to_str().expect("UTF-8").to_owned();
    let (_, err) = ends(1, &["case", "measures", "-c", &file]);
    assert!(err.contains("the gateway is running on this log; stop it"), "{err}");
    scene.close();
    let (out, _) = ends(0, &["case", "measures", "-c", &file, "--test"]);
    assert!(out.starts_with(&format!("birth-of-child  {births} cases measured, 1 open, 1 withdrawn or given up\n")), "{out}");
    let (_, err) = ends(0, &["case", "measures", "-c", &file]);
    assert!(err.contains("the log has no cases"), "those of real people: {err}");
    let (out, _) = ends(0, &["case", "measures", "-c", &file, "--test", "--json"]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    told["situations"][0].clone()
}

/// Whose documents were halved: each brought one, where each agency had demanded its own copies.
#[test]
fn documents_halved() {
    let told = measures(2);
    assert_eq!((&told["cases"], &told["open"], &told["givenUp"]), (&Value::from(2), &Value::from(1), &Value::from(1)), "{told}");
    // 3 + 1 + 4 + 3 + 4 + 5 + 2 + 3 papers for eight offices.
    assert_eq!(told["documentsBefore"]["median"], 25.0, "{told}");
    assert_eq!((&told["brought"]["median"], &told["questions"]["most"]), (&Value::from(1.0), &Value::from(1.0)), "{told}");
    let halved = &told["documentsHalved"];
    assert_eq!((&halved["count"], &halved["of"]), (&Value::from(2), &Value::from(2)), "{told}");
    // By hand: 2 of 2 by Wilson is 1 / (1 + z² / 2) at the least.
    let low = halved["low"].as_f64().expect("a number");
    assert!((low - 0.342_380_227_506_653_1).abs() < 1e-9 && halved["high"] == 1.0, "{told}");
    assert_eq!(told["visits"]["most"], 0.0, "{told}");
}

/// How long was waited, and for whom the longest.
#[test]
fn waiting_report() {
    let told = measures(1);
    // Terms of 1 + 1 + 1 + 3 + 10 + 10 + 5 + 7 working days, and one for each way.
    assert_eq!(told["daysBefore"]["median"], 46.0, "{told}");
    let days = told["days"]["median"].as_f64().expect("a number");
    assert_eq!(told["waitingHalved"]["count"].as_u64(), Some(u64::from(days * 2.0 <= 46.0)), "{told}");
    assert_eq!(told["holdUps"][0]["step"], "kindergarten", "{told}");
    assert_eq!(told["holdUps"][0]["agency"], "xx.town.kindergarten", "{told}");
}
