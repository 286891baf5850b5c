//! What two people decide together at the console: what is erased, and what a citizen sees before its day.

use crate::console::{AUDITOR, Browser, SCHOOL, Site};
use crate::console_abuse::{add_portal, trail};
use oncegate::base::ids::Identifier;
use oncegate::program::demo::Behaviour;
use oncegate::program::setup::Installation;
use serde_json::Value;

const WHY: (&str, &str) = ("school-attendance", "XX:HEALTH:13");
const SECRET: (&str, &str) = ("investigation", "XX:CRIME:5");

/// An agency whose accesses for one purpose are withheld for thirty days.
fn add_withholding(installation: &Installation) {
    add_portal(installation);
    let (purpose, basis) = SECRET;
    let grant = format!(
        "\n[[grant]]\nid = \"secret\"\nwho = \"{SCHOOL}\"\nwhat = \"medical-absence-note\"\nfields = [\"Absence\", \"PeExemption\"]\n\
         purpose = \"{purpose}\"\nbasis = \"{basis}\"\nuntil = \"2099-12-31\"\nwithheld_days = 30\n"
    );
    installation.extend_registry(&grant).expect("granted");
}

fn rows(browser: &mut Browser, target: &str) -> Vec<Value> {
    let text = browser.get(target).text();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The record of the question for a purpose.
fn question(browser: &mut Browser, purpose: &str) -> u64 {
    rows(browser, &format!("/log?kind=req&purpose={purpose}&as=json"))[0]["index"].as_u64().expect("an index")
}

fn decides(browser: &mut Browser, of: u64, measure: &str, verdict: &str) -> (u16, String) {
    browser.get("/decisions");
    let form = [("measure", measure), ("verdict", verdict), ("reason", "as ordered")];
    let response = browser.post(&format!("/decisions/{of}"), &form);
    (response.status, response.code())
}

fn proposes(browser: &mut Browser, of: u64, measure: &str) -> (u16, String) {
    browser.get(&format!("/log/{of}"));
    let response = browser.post(&format!("/log/{of}/propose"), &[("measure", measure), ("reason", "order 17-22 of the court")]);
    (response.status, response.code())
}

/// The records of what two people did, oldest first.
fn done(browser: &mut Browser) -> Vec<String> {
    let mut found = rows(browser, "/log?purpose=two-persons&as=json");
    found.reverse();
    found.iter().filter_map(|row| row["result"].as_str().map(str::to_owned)).collect()
}

fn found_by(browser: &mut Browser, person: &Identifier) -> String {
    let person = format!("{}|{}", person.scheme(), person.value());
    browser.get("/log");
    let found = browser.post("/log/search", &[("person", &person), ("reason", "a test")]);
    browser.get(&format!("{}&as=json&kind=req", found.header("location").expect("where to"))).text()
}

#[test]
fn what_is_erased_is_proposed_by_one_and_carried_out_by_another() {
    let site = Site::start();
    let (asked, status) = site.ask(SCHOOL, Behaviour::Honest, WHY);
    assert_eq!(status, 200);
    let mut auditor = site.auditor();
    let of = question(&mut auditor, WHY.0);
    assert!(found_by(&mut auditor, &asked.person).contains(WHY.0));
    // Nothing may be decided that nobody has proposed.
    assert_eq!(decides(&mut auditor, of, "erase-private", "carry-out"), (409, "OG-CON-011".to_owned()));
    assert_eq!(proposes(&mut auditor, of, "erase-private").0, 303);
    assert_eq!(proposes(&mut auditor, of, "erase-private"), (409, "OG-CON-011".to_owned()), "once is enough");
    let page = auditor.get("/decisions").text();
    assert!(page.contains("order 17-22 of the court (a.petrova)") && page.contains("You have proposed this"), "{page}");
    // Neither whoever has proposed it, nor they with another role, nor in another session.
    for mut same in [auditor.clone(), site.auditor(), site.browser("a.petrova", &["operator"], None)] {
        assert_eq!(decides(&mut same, of, "erase-private", "carry-out"), (403, "OG-CON-010".to_owned()));
    }
    let mut operator = site.operator();
    assert!(operator.get("/").text().contains("waits for another person"), "the overview says so");
    // Something else than what was proposed.
    assert_eq!(decides(&mut operator, of, "shred", "carry-out"), (409, "OG-CON-011".to_owned()));
    assert_eq!(decides(&mut operator, of, "erase-private", "carry-out").0, 303);
    assert_eq!(decides(&mut operator, of, "erase-private", "carry-out"), (409, "OG-CON-011".to_owned()), "it is done");
    // Whom the record is about is gone, whoever looks and however, and its proof still holds.
    assert!(!found_by(&mut auditor, &asked.person).contains(WHY.0));
    let opened = auditor.post(&format!("/log/{of}/open"), &[("reason", "to see")]);
    let page = auditor.get(&opened.header("location").expect("where to")).text();
    assert!(page.contains("it was erased") && page.contains("Proved:"), "{page}");
    assert_eq!(done(&mut auditor), ["propose-erase-private", "erase-private"]);
    // What says that it was erased stays.
    let erasure = rows(&mut auditor, "/log?kind=era&as=json")[0]["index"].as_u64().expect("an index");
    assert_eq!(proposes(&mut auditor, erasure, "shred"), (409, "OG-CON-011".to_owned()));
    // The next exchange goes on in the new volume.
    assert_eq!(site.ask(SCHOOL, Behaviour::Honest, WHY).1, 200);
}

#[test]
fn a_record_that_two_have_shredded_keeps_its_hash_and_all_proofs_hold() {
    let site = Site::start();
    site.ask(SCHOOL, Behaviour::Honest, WHY);
    let (mut auditor, mut operator) = (site.auditor(), site.operator());
    let of = question(&mut auditor, WHY.0);
    assert_eq!(proposes(&mut operator, of, "shred").0, 303);
    assert_eq!(decides(&mut auditor, of, "shred", "carry-out").0, 303);
    let page = auditor.get(&format!("/log/{of}")).text();
    assert!(page.contains("What this record said was erased"), "{page}");
    let next = auditor.get(&format!("/log/{}", of + 1)).text();
    assert!(next.contains("Proved:"), "{next}");
    assert_eq!(proposes(&mut operator, of, "erase-message"), (409, "OG-CON-011".to_owned()), "there is nothing left");
}

#[test]
fn what_is_declined_or_taken_back_is_not_done() {
    let site = Site::start();
    let (asked, _) = site.ask(SCHOOL, Behaviour::Honest, WHY);
    let (mut auditor, mut operator) = (site.auditor(), site.operator());
    let of = question(&mut auditor, WHY.0);
    assert_eq!(proposes(&mut auditor, of, "shred").0, 303);
    assert_eq!(decides(&mut operator, of, "shred", "decline").0, 303);
    assert_eq!(decides(&mut operator, of, "shred", "carry-out"), (409, "OG-CON-011".to_owned()));
    assert_eq!(proposes(&mut auditor, of, "erase-private").0, 303);
    assert_eq!(decides(&mut auditor, of, "erase-private", "decline").0, 303, "whoever has proposed it takes it back");
    assert!(found_by(&mut auditor, &asked.person).contains(WHY.0));
    assert!(auditor.get("/decisions").text().contains("Nothing is proposed"));
    let expected = ["propose-shred", "decline-shred", "propose-erase-private", "decline-erase-private"];
    assert_eq!(done(&mut auditor), expected);
    // A form says what, how and why.
    for (measure, verdict) in [("", "carry-out"), ("all", "carry-out"), ("shred", ""), ("shred", "perhaps")] {
        assert_eq!(decides(&mut operator, of, measure, verdict), (400, "OG-AUD-001".to_owned()), "{measure} {verdict}");
    }
    let page = operator.post(&format!("/log/{of}/propose"), &[("measure", "shred"), ("reason", " ")]);
    assert_eq!((page.status, page.code()), (400, "OG-AUD-003".to_owned()));
}

#[test]
fn a_withheld_access_is_shown_to_the_citizen_when_two_have_decided_so() {
    let site = Site::prepared("", &add_withholding);
    let (asked, status) = site.ask(SCHOOL, Behaviour::Honest, SECRET);
    assert_eq!(status, 200);
    site.ask(SCHOOL, Behaviour::Honest, WHY);
    let (mut auditor, mut operator) = (site.auditor(), site.operator());
    let of = question(&mut auditor, SECRET.0);
    let shown = |needle: &str| trail(&site, &asked.person).contains(needle);
    assert!(!shown(SECRET.0) && shown(WHY.0) && shown("one entry withheld"));
    let open = question(&mut auditor, WHY.0);
    assert_eq!(proposes(&mut auditor, open, "disclose"), (409, "OG-CON-011".to_owned()), "it is shown already");
    assert_eq!(proposes(&mut auditor, of, "disclose").0, 303);
    assert!(!shown(SECRET.0), "one person alone shows nothing");
    let another = site.browser("a.petrova", &["auditor"], Some(AUDITOR));
    assert_eq!(decides(&mut another.clone(), of, "disclose", "carry-out"), (403, "OG-CON-010".to_owned()));
    assert_eq!(decides(&mut operator, of, "disclose", "carry-out").0, 303);
    assert!(shown(SECRET.0) && !shown("withheld until"));
    // Another access for the same purpose stays withheld.
    site.ask(SCHOOL, Behaviour::Honest, SECRET);
    assert!(shown("one entry withheld"));
}
