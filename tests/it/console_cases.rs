//! What people do with cases at the console: a curator, a desk, a citizen and an auditor, over real connections.

use crate::cases::Scene;
use crate::console::{Browser, Response};
use oncegate::host::config::Config;
use oncegate::host::control::{Command, call};
use oncegate::program::demo::{PORTAL, TownPlan, live_on};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(30);

/// A town with pages, in which births have begun and two steps of each stand still.
struct Pages(Scene);

impl Pages {
    fn start(births: std::ops::Range<u32>) -> Self {
        let config = "records = \"off\"\n[console]\nlisten = \"127.0.0.1:0\"\n".to_owned();
        let scene = Scene::with(TownPlan { config, ..TownPlan::default() }, |_| {});
        scene.block_on(live_on(scene.town(), births)).expect("births");
        Self(scene)
    }

    fn browser(&self, name: &str, role: &str, agency: Option<&str>) -> Browser {
        let data = Config::load(&self.0.town().installation().config()).expect("a configuration").data;
        let who = json!({ "name": name, "agency": agency, "roles": [role] });
        let link = call(&data, Command::Link(who.to_string())).expect("told").expect("running").link.expect("a link");
        let (host, path) = link.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
        let mut browser = Browser::new(host.parse().expect("an address"));
        let path = format!("/{path}");
        browser.get(&path);
        assert_eq!(browser.post(&path, &[]).status, 303);
        browser.get("/about");
        browser
    }
}

/// Asks for a page until it is as it should be.
fn until(browser: &mut Browser, target: &str, is: impl Fn(&str) -> bool) -> String {
    let end = Instant::now() + WAIT;
    loop {
        let text = browser.get(target).text();
        if is(&text) {
            return text;
        }
        assert!(Instant::now() < end, "{target} is not as it should be: {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn rows(browser: &mut Browser, target: &str) -> Vec<Value> {
    let text = browser.get(target).text();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The case that waits longest, and its steps at work.
fn waiting(browser: &mut Browser) -> (String, String) {
    until(browser, "/cases?as=json&table=cases", |text| text.contains("health-policy@"));
    let found = rows(browser, "/cases?as=json&table=cases");
    let case = found.iter().find(|row| row["waits"].to_string().contains("health-policy@")).expect("a case that waits");
    (case["id"].as_str().expect("an id").to_owned(), case["waits"].to_string())
}

fn goes_to(response: &Response) -> String {
    assert_eq!(response.status, 303, "{}", response.text());
    response.header("location").expect("where to go")
}

#[test]
fn a_reminder_by_the_curator_lands_in_the_log() {
    let pages = Pages::start(6..8);
    let mut curator = pages.browser("o.lebedeva", "curator", None);
    let (case, _) = waiting(&mut curator);
    let held = rows(&mut curator, "/cases?as=json&table=hold-ups");
    assert!(held.iter().any(|row| row["step"] == "health-policy" && row["waiting"].as_u64() >= Some(1)), "{held:?}");
    curator.get(&format!("/cases/{case}"));
    let back = curator.post(&format!("/cases/{case}/remind"), &[("step", "health-policy")]);
    assert_eq!(goes_to(&back), format!("/cases/{case}"));
    // Its agency is told.
    pages.0.until("a reminder", |manners| manners.tasks.iter().any(|task| task.what == "reminder").then_some(()));
    let note = curator.post(&format!("/cases/{case}/note"), &[("note", "<b>called</b> the fund")]);
    assert_eq!(note.status, 303);
    let page = curator.get(&format!("/cases/{case}")).text();
    assert!(page.contains("reminder: o.lebedeva") && page.contains("&#60;b&#62;called"), "{page}");
    let mut auditor = pages.browser("a.petrova", "auditor", Some(PORTAL));
    let found = rows(&mut auditor, &format!("/log?case={case}&kind=adm&as=json"));
    let done: Vec<&str> = found.iter().filter_map(|row| row["result"].as_str()).collect();
    assert_eq!(done, ["note", "remind"]);
    // A step that is not there is refused, and nothing is on record for it.
    let wrong = curator.post(&format!("/cases/{case}/remind"), &[("step", "no-such-step")]);
    assert_eq!((wrong.status, wrong.code().as_str()), (409, "OG-CAS-006"));
    assert_eq!(rows(&mut auditor, &format!("/log?case={case}&kind=adm&as=json")).len(), 2);
}

#[test]
fn curator_sees_no_names() {
    let pages = Pages::start(6..8);
    let mut curator = pages.browser("o.lebedeva", "curator", None);
    let (case, _) = waiting(&mut curator);
    let personal: Vec<String> =
        pages.0.town().people().iter().flat_map(|person| [person.identifier.value().to_owned(), person.family.clone()]).collect();
    for target in [
        "/".to_owned(),
        "/cases".to_owned(),
        format!("/cases/{case}"),
        format!("/cases/{case}?as=json&table=timeline"),
        "/cases?as=csv&table=cases".to_owned(),
    ] {
        let text = curator.get(&target).text();
        for name in &personal {
            assert!(
                !text.contains(&format!(">{name}<"))
                    && !text.contains(&format!(" {name} "))
                    && (name.len() < 9 || !text.contains(name.as_str())),
                "{target} shows {name}"
            );
        }
    }
}

#[test]
fn a_desk_applies_for_somebody_and_a_citizen_sees_who_looked_complains_and_is_answered() {
    let pages = Pages::start(6..7);
    let mother = pages.0.town().mother(9);
    let mut desk = pages.browser("v.orlov", "desk", Some(PORTAL));
    desk.get("/desk");
    let person = format!("{} {}", mother.identifier.scheme(), mother.identifier.value());
    let case =
        goes_to(&desk.post(
            "/desk",
            &[("situation", "birth-of-child"), ("person", &person), ("region", ""), ("mail", ""), ("tongue", "ru")],
        ));
    assert!(case.starts_with("/cases/"), "{case}");
    let page = until(&mut desk, &case, |text| text.contains(&format!("action=\"{case}/answers\"")));
    let fact = page.split("name=\"f.").nth(1).and_then(|rest| rest.split('"').next()).expect("a question").to_owned();
    let refused = desk.post(&format!("{case}/answers"), &[(&format!("f.{fact}"), "perhaps")]);
    assert_eq!(refused.code(), "OG-CAS-003");
    assert_eq!(goes_to(&desk.post(&format!("{case}/answers"), &[(&format!("f.{fact}"), "true")])), case);
    let shown = desk.post(&format!("{case}/link"), &[]).text();
    let link = shown.split("/my/").nth(1).and_then(|rest| rest.get(..32)).expect("a link").to_owned();
    // The citizen has no session, and comes by the public listener as well.
    let mut citizen = Browser::new(desk.address);
    let mine = format!("/my/{link}");
    let seen = until(&mut citizen, &mine, |text| text.contains("/complain/"));
    let mut public = Browser::new(pages.0.town().public_address());
    assert_eq!(public.get(&mine).status, 200);
    assert_eq!(public.get("/log").status, 404, "nothing else is there");
    let complain =
        seen.split(&format!("href=\"{mine}/complain/")).nth(1).and_then(|rest| rest.split('"').next()).expect("an access");
    let proof = citizen.get(&format!("{mine}/proof/{complain}"));
    assert!(proof.text().starts_with("c2sp.org/tlog-proof@v1\n"), "{}", proof.text());
    assert_eq!(citizen.get(&format!("{mine}/complain/{complain}")).status, 200);
    let sent = citizen.post(&format!("{mine}/complain/{complain}"), &[("text", "<i>I was not asked</i>")]);
    assert_eq!(goes_to(&sent), format!("{mine}#complaints"));
    assert!(citizen.get(&mine).text().contains("&#60;i&#62;I was not asked"));
    // What they say is not for whoever looks after cases; that they have looked is on record, once.
    let mut curator = pages.browser("o.lebedeva", "curator", None);
    let page = curator.get(&case).text();
    assert!(page.contains("applied at the desk: v.orlov") && !page.contains("I was not asked"), "{page}");
    // An access about somebody else is not there for them.
    let mut auditor = pages.browser("a.petrova", "auditor", Some(PORTAL));
    assert_eq!(citizen.get(&format!("{mine}/proof/0")).status, 404);
    let looks = rows(&mut auditor, "/log?kind=aud&as=json");
    assert_eq!(looks.iter().filter(|row| row["result"] == "trail").count(), 1, "{looks:?}");
    let list = auditor.get("/complaints").text();
    let index =
        list.split("action=\"/complaints/").nth(1).and_then(|rest| rest.split('"').next()).expect("a complaint").to_owned();
    assert_eq!(goes_to(&auditor.post(&format!("/complaints/{index}"), &[("text", "It was for your case.")])), "/complaints");
    assert!(citizen.get(&mine).text().contains("It was for your case."));
    // What was taken back is over, and the desk has no forms for it.
    assert_eq!(goes_to(&desk.post(&format!("{case}/withdraw"), &[])), case);
    assert!(!desk.get(&case).text().contains("/answers\""));
}

/// The file of a situation with a term that is longer, and with a mistake.
#[test]
fn a_curator_sees_what_a_changed_situation_would_mean_before_it_is_released() {
    const FILE: &str = include_str!("../../schemas/catalogue/federal/birth-of-child.toml");
    let pages = Pages::start(6..7);
    let mut curator = pages.browser("o.lebedeva", "curator", None);
    waiting(&mut curator);
    assert!(curator.get("/situations/birth-of-child").text().contains("federal/birth-of-child.toml"));
    let mut effect = |text: &str| {
        let fields = [("file", "federal/birth-of-child.toml"), ("text", text)];
        let response = curator.post("/situations/birth-of-child/effect", &fields);
        assert_eq!(response.status, 200, "{}", response.text());
        response.text()
    };
    assert!(effect(&FILE.replace('\n', "\r\n")).contains("Nothing would change for anybody"));
    let longer = effect(&FILE.replacen("deadline = \"1wd\"", "deadline = \"30wd\"", 1));
    assert!(longer.contains("birth-of-child</h2>") && longer.contains("0 gain, 500 lose"), "{longer}");
    let wrong = effect(&FILE.replacen("deadline = \"1wd\"", "deadlin = \"1wd\"", 1));
    assert!(wrong.contains("would not take this file") && wrong.contains("OG-CAT-001"), "{wrong}");
    for (file, text) in [("../../secret.toml", FILE), ("/etc/passwd", FILE), ("federal/birth-of-child.toml", " ")] {
        let fields = [("file", file), ("text", text)];
        assert_eq!(curator.post("/situations/birth-of-child/effect", &fields).status, 400, "{file}");
    }
    // Nothing is changed by it.
    assert!(!curator.get("/situations/birth-of-child").text().contains("30 working days"));
}
