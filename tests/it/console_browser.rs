//! The pages for people in a browser: Chromium, with axe-core and html-validate as judges (`tests/peers/browser.js`).

use crate::cases::{brought, order, step_of};
use crate::console::{AUDITOR, SCHOOL, Site};
use crate::folder::Folder;
use crate::process::oncegate;
use crate::surveys::Asked;
use crate::tool::{root, said};
use oncegate::base::time::UnixTime;
use oncegate::program::demo::{Behaviour, PORTAL, TownPlan, WORKING_DAY_IN_A_SECOND, live_on, made_up, personal_link};
use serde_json::Value;
use std::io::{Read, Write};
use std::process::Command;

/// The pages that are walked through, by somebody who is operator, auditor and the rest. A path has a status before it that is not 200.
const PAGES: &[&str] = &[
    "/",
    "/log",
    "/log?code=OG-POL-002",
    "/log?purpose=nothing",
    "/log/0",
    "/log/1",
    "/agencies",
    "/agencies/xx.demo.school-17",
    "/agencies/xx.demo.clinic-3",
    "/cases",
    "/security",
    "/complaints",
    "/decisions",
    "/agencies?share=50",
    "/agencies/xx.demo.school-17?limit=10",
    "/security?days=7",
    "/situations",
    "/documents",
    "/documents/medical-absence-note",
    "/explain",
    "/queue",
    "/state",
    "/quality",
    "/quality/priorities",
    "/quality/agreement",
    "/quality/channels",
    "/quality/laboratories",
    "/help",
    "/help/OG-POL-002",
    "/about",
    "404:/nowhere",
    "400:/log?limit=-1",
    "410:/sign-in/guessed",
    "out:/sign-in",
];

const ALL: &[&str] = &["operator", "auditor", "curator", "security"];

/// Wide, narrow, and narrow without scripts.
const MODES: [&str; 3] = ["wide", "narrow", "plain"];

/// What the browser says, line by line.
fn browser(arguments: &[&str]) -> Vec<Value> {
    let modules = root().join("target/peers/node/node_modules");
    assert!(modules.join("playwright-core").exists(), "the peers are not installed yet: run tests/run once");
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules).env("CHROMIUM", "/usr/bin/chromium").arg(root().join("tests/peers/browser.js"));
    let output = node.args(arguments).output().expect("node starts");
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn site() -> Site {
    let site = Site::start();
    for behaviour in [Behaviour::Honest, Behaviour::WrongSubject] {
        site.ask(SCHOOL, behaviour, ("school-attendance", "XX:HEALTH:13"));
    }
    site.ask(SCHOOL, Behaviour::Honest, ("birth-allowance", "XX:FAMILY:81"));
    site
}

/// Nothing is wrong with pages.
fn are_good(link: &str, paths: &[&str]) {
    let said = browser(&[&["walk", link], paths].concat());
    let (last, wrong) = said.split_last().expect("a last line");
    let wrong: Vec<String> = wrong.iter().map(Value::to_string).collect();
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(last["looked"], paths.len() * 8);
}

/// What somebody has seen at the pages, with nothing wrong about these.
struct Seen(Value);

impl Seen {
    fn of(mode: &str, arguments: &[&str]) -> Self {
        let said = browser(&[arguments, &[mode]].concat());
        let this = Self(said.into_iter().next().expect("a line"));
        assert_eq!(this.0["wrong"].as_array().map(Vec::len), Some(0), "{mode}: {:#}", this.0);
        this
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("{key}: {:#}", self.0))
    }

    fn count(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or_else(|| panic!("{key}: {:#}", self.0))
    }

    /// It has these words.
    fn has(&self, key: &str, words: &[&str]) {
        let text = self.text(key);
        assert!(words.iter().all(|word| text.contains(word)), "{key} without one of {words:?}: {:#}", self.0);
    }
}

#[test]
fn every_page_is_good_for_everybody_in_two_languages_wide_and_narrow_light_and_dark() {
    let site = site();
    are_good(&site.url("a.petrova", ALL, Some(AUDITOR)), PAGES);
}

/// A town with pages in which a working day goes by in a second.
fn town() -> Asked {
    let ratings = made_up(oncegate::gateway::driver::now()).expect("ratings");
    Asked::new(TownPlan { pace: WORKING_DAY_IN_A_SECOND, ratings, ..TownPlan::default() }, |_| {})
}

/// The path of a new personal link.
fn my(asked: &Asked, case: &str, household: u32) -> String {
    let link = asked.scene.block_on(personal_link(asked.scene.town(), case, household));
    format!("/my/{}", link.expect("a link"))
}

#[test]
fn every_page_of_cases_is_good_for_everybody_in_two_languages_wide_and_narrow_light_and_dark() {
    let asked = town();
    let town = asked.scene.town();
    let mut surveys = [3, 4].map(|household| {
        let mother = town.mother(household);
        let case = asked.apply("birth-of-child", &mother, "one");
        assert_eq!(order(&asked.scene, &case, PORTAL, &mother, "<Withdraw></Withdraw>").status.as_u16(), 200);
        asked.link()
    });
    asked.scene.block_on(live_on(town, 6..9)).expect("births");
    let case = asked.apply("birth-of-child", &town.mother(9), "two");
    asked.scene.becomes(&case, "something is late", |case| step_of(case, "health-policy")["late"] == true);
    asked.scene.becomes(&case, "the form is there", |case| case["form"]["ask"].as_array().is_some_and(|ask| !ask.is_empty()));
    let mut browser = asked.browser("o.lebedeva", &["curator"], None);
    let reminded = browser.post(&format!("/cases/{case}/remind"), &[("step", "health-policy"), ("why", "called <b>twice</b>")]);
    assert_eq!(reminded.status, 303);
    let [replaced, mine] = [(); 2].map(|()| my(&asked, &case, 9));
    let page = browser.get(&mine).text();
    let complain = page.split("href=\"").filter_map(|rest| rest.split('"').next()).find(|href| href.contains("/complain/"));
    let complain = complain.expect("an access").to_owned();
    assert_eq!(browser.post(&complain, &[("text", "I was not asked")]).status, 303);
    assert_eq!(browser.post(&surveys[0], &[("process", "5")]).status, 200);
    surveys[0].insert_str(0, "out:410:");
    let paths = [
        format!("out:{mine}"),
        format!("out:{complain}"),
        format!("out:410:{replaced}"),
        format!("out:404:{mine}/complain/0"),
        format!("out:{}", surveys[1]),
        surveys[0].clone(),
        format!("/cases/{case}"),
        format!("/log?case={case}"),
        format!("404:/cases/{case}0"),
    ];
    let others = [
        "/",
        "/cases",
        "/desk",
        "/agencies/xx.town.tfoms",
        "/agencies/xx.town.portal",
        "/situations/birth-of-child",
        "/situations/birth-of-child?region=RU-YAR&f.child.live_birth=true",
        "/complaints",
        "/queue",
        "/state",
        "/quality",
        "/quality/xx.town.sfr",
    ];
    let link = asked.link_for("v.orlov", &[ALL, &["desk"]].concat(), Some(PORTAL));
    are_good(&link, &paths.iter().map(String::as_str).chain(others).collect::<Vec<_>>());
}

#[test]
fn a_curator_finds_what_holds_cases_up_and_reminds_the_agency_with_scripts_and_without() {
    let asked = town();
    asked.scene.block_on(live_on(asked.scene.town(), 6..8)).expect("births");
    for mode in MODES {
        let why = format!("called them twice <{mode}>");
        let seen = Seen::of(mode, &["curator", &asked.link_for("o.lebedeva", &["curator"], None), &why]);
        seen.has("note", &["reminder", &why, "(o.lebedeva)"]);
        assert_eq!(seen.count("late"), 1, "{mode}: {:#}", seen.0);
        let case = seen.text("opened").trim_start_matches("/cases/");
        let index: u64 = seen.text("record").trim_start_matches("/log/").parse().expect("a record");
        let mut auditor = asked.browser("a.petrova", &["auditor"], Some(PORTAL));
        let text = auditor.get(&format!("/log?case={case}&kind=adm&as=json")).text();
        let rows: Vec<Value> = serde_json::from_str(&text).expect("rows");
        let record = rows.iter().find(|row| row["index"] == index).unwrap_or_else(|| panic!("no {index}: {text}"));
        assert_eq!(record["result"], "remind", "{mode}: {record}");
    }
}

#[test]
fn a_desk_applies_for_somebody_follows_the_case_and_hands_over_a_link_with_scripts_and_without() {
    let asked = town();
    for (household, mode) in (9..).zip(MODES) {
        let mother = asked.scene.town().mother(household).identifier;
        let person = format!("{} {}", mother.scheme(), mother.value());
        let seen = Seen::of(
            mode,
            &["desk", &asked.link_for("v.orlov", &["desk"], Some(PORTAL)), &person, &format!("{mode}@home.example")],
        );
        assert_eq!((seen.count("questions"), seen.count("still")), (1, 0), "{mode}: {:#}", seen.0);
        assert!(seen.count("steps") >= 2, "{mode}: {:#}", seen.0);
        seen.has("personal", &[&asked.url("/my/")]);
        seen.has("title", &["Birth of a child"]);
        let unprinted = seen.0["unprinted"].as_array().expect("a list");
        assert!(unprinted.iter().any(|what| what == ".top nav"), "{mode}: {:#}", seen.0);
        let case = seen.text("opened").trim_start_matches("/cases/");
        let mut auditor = asked.browser("a.petrova", &["auditor"], Some(PORTAL));
        let text = auditor.get(&format!("/log?case={case}&kind=adm&as=json")).text();
        let rows: Vec<Value> = serde_json::from_str(&text).expect("rows");
        let done: Vec<&str> = rows.iter().filter_map(|row| row["result"].as_str()).collect();
        assert_eq!(done, ["order", "order", "apply"], "{mode}");
    }
}

#[test]
fn a_citizen_sees_who_looked_complains_is_answered_and_says_how_it_was_once_with_scripts_and_without() {
    let asked = town();
    let town = asked.scene.town();
    for (household, mode) in (9..).zip(MODES) {
        let mother = town.mother(household);
        let case = asked.apply("birth-of-child", &mother, mode);
        let has_form = |case: &Value| case["form"]["ask"].as_array().is_some_and(|ask| !ask.is_empty());
        let form = asked.scene.becomes(&case, "the form is there", has_form)["form"].take();
        let link = asked.url(&my(&asked, &case, household));
        let auditor = asked.link_for("a.petrova", &["auditor"], Some(PORTAL));
        let (text, answer) = (format!("Nobody asked me <{mode}>"), format!("It was for your case <{mode}>"));
        let seen = Seen::of(mode, &["citizen", &link, &text, &auditor, &answer]);
        seen.has("next", &["needed from", "Next:"]);
        seen.has("why", &["A life situation", "XX:LIFE:1"]);
        assert!(!seen.text("institution").is_empty() && !seen.text("what").is_empty(), "{mode}: {:#}", seen.0);
        assert!(UnixTime::parse(seen.text("time")).is_some(), "{mode}: {:#}", seen.0);
        seen.has("complained", &[&text, "not answered yet"]);
        seen.has("answered", &[&text, "Answer:", &answer]);
        seen.has("about", &["/log/"]);

        let no = "<Answer fact=\"mother.wants_kindergarten\">false</Answer>";
        assert_eq!(order(&asked.scene, &case, PORTAL, &mother, no).status.as_u16(), 200);
        let papers = form["bring"].as_array().into_iter().flatten().filter_map(|bring| bring["document"].as_str());
        let papers: Vec<&str> = papers.collect();
        assert!(papers.is_empty() || brought(&asked.scene, &case, &mother, &papers).status.as_u16() == 200, "{papers:?}");
        asked.scene.becomes(&case, "it is over", |case| case["state"] == "done");
        let seen = Seen::of(mode, &["survey", &asked.url(&asked.link()), "the kettle whistled"]);
        assert_eq!((seen.count("empty"), seen.count("again")), (422, 410), "{mode}: {:#}", seen.0);
        seen.has("thanks", &["Thank you", "apart from your name"]);
        seen.has("used", &["it was used", "OG-CON-008"]);
    }
}

#[test]
fn an_auditor_finds_an_exchange_and_takes_its_proof_home_with_scripts_and_without() {
    let site = Site::start();
    let (asked, _) = site.ask(SCHOOL, Behaviour::Honest, ("school-attendance", "XX:HEALTH:13"));
    let person = format!("{} {}", asked.person.scheme(), asked.person.value());
    for mode in MODES {
        let folder = Folder::new();
        let link = site.url("a.petrova", &["auditor"], Some(AUDITOR));
        let seen = Seen::of(mode, &["auditor", &link, &person, &folder.path().display().to_string()]);
        assert!(
            !seen.text("before").contains(asked.person.value()) && seen.text("after").contains(asked.person.value()),
            "{mode}: {:#}",
            seen.0
        );
        // The command that the page shows, as it stands there.
        let command = seen.text("command").replace("\\\n", " ");
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[..3], ["oncegate", "log", "verify"], "{mode}: {command}");
        let verified = Command::new(oncegate()).args(&words[1..]).current_dir(folder.path()).output().expect("it starts");
        assert!(verified.status.success(), "{mode}: {}", crate::tool::said(&verified));
        let told = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(told.contains(&format!("record {}", seen.text("record"))), "{mode}: {told}");
    }
}

/// A console on which all is wrong that is looked for.
fn wrong_site() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let page = format!(
        "<html><head><title>x</title></head><body><h1>x</h1><h3>x</h3><img src=\"http://localhost:{}/x.png\"><input id=a><p id=a>\
         <svg width=20 height=20 role=img aria-label=x><text class=tick x=5 y=9>wide</text></svg>\
         <div style=\"width: 2000px; color: #eee; background: #fff\">pale</div><script src=\"/x.js\"></script>{}</body></html>",
        address.port(),
        "<!-- octets -->".repeat(10_000),
    );
    let form = "<!DOCTYPE html><main><form method=\"post\"><button type=\"submit\">x</button></form></main>";
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 4096];
            let count = stream.read(&mut asked).unwrap_or(0);
            let (head, body) = match &asked[..count] {
                head if head.starts_with(b"GET /sign-in") => ("200 OK", form),
                head if head.starts_with(b"POST") => ("303 See Other\r\nLocation: /", ""),
                head if head.starts_with(b"GET /x.js") => {
                    ("200 OK\r\nContent-Type: text/javascript", "throw new Error('thrown')")
                }
                head if head.starts_with(b"GET /wrong") => ("404 Not Found", page.as_str()),
                _ => ("200 OK", form),
            };
            let kind = if head.contains("Content-Type") { "" } else { "Content-Type: text/html; charset=utf-8\r\n" };
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 {head}\r\n{kind}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    address
}

/// A judge that finds nothing anywhere would let everything pass.
#[test]
fn the_judges_find_what_is_wrong_with_a_page() {
    let said = browser(&["walk", &format!("http://{}/sign-in/x", wrong_site()), "/wrong"]);
    let found = |what: &str| said.iter().any(|line| line["what"].as_str().is_some_and(|found| found.starts_with(what)));
    for what in [
        "status",
        "language",
        "another origin",
        "script",
        "console",
        "wider than the screen",
        "out of its drawing",
        "octets",
        "axe color-contrast",
        "axe image-alt",
        "axe html-has-lang",
        "axe label",
        "html no-dup-id",
        "html missing-doctype",
        "html heading-level",
    ] {
        assert!(found(what), "nothing of {what}: {said:#?}");
    }
}
