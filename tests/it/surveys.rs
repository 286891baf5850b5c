//! How it was: a running gateway asks people when their case is over, and keeps what they say apart from them.

use crate::cases::{Scene, application, case_in, order, own, situation, step};
use crate::console::Browser;
use crate::tool::free_port;
use oncegate::host::config::Config;
use oncegate::host::control::{Command, call};
use oncegate::host::store::{Settings, Store};
use oncegate::program::demo::{Manners, PORTAL, Person, Postbox, QUALITY, TownPlan, made_up};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A scene with pages and with a postbox that people's mail goes to.
pub struct Asked {
    pub scene: Scene,
    postbox: Postbox,
    pages: u16,
}

impl Asked {
    pub fn new(mut plan: TownPlan, prepare: impl FnOnce(&mut Manners)) -> Self {
        // The postbox lives as long as its runtime: it is asked for before there is a scene.
        static POST: std::sync::LazyLock<tokio::runtime::Runtime> = std::sync::LazyLock::new(|| {
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
        });
        let postbox = POST.block_on(Postbox::open()).expect("a port");
        let pages = free_port();
        plan.config += &format!(
            "[notices]\nmail = {{ relay = \"smtp://127.0.0.1:{}\", from = \"notices@town.example\" }}\nquiet = \"off\"\n\
             [console]\nlisten = \"127.0.0.1:{pages}\"\n",
            postbox.port()
        );
        if !plan.ratings.is_empty() {
            plan.config += &format!("quality = \"{QUALITY}\"\n");
        }
        Self { scene: Scene::with(plan, prepare), postbox, pages }
    }

    pub fn apply(&self, what: &str, person: &Person, name: &str) -> String {
        let contact = format!("<Contact><Address>mailto:{name}@home.example</Address></Contact>");
        case_in(&self.scene.send(PORTAL, &application(&self.scene, what, person, &contact)))
    }

    /// The path of the link that somebody was sent, as soon as they were.
    pub fn link(&self) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            if let Some(link) = self.links().pop() {
                return link;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("nobody was asked");
    }

    fn links(&self) -> Vec<String> {
        let mails = self.postbox.take();
        let words = mails.iter().flat_map(|mail| mail.text.split_whitespace().collect::<std::collections::BTreeSet<_>>());
        let paths = words.filter_map(|word| Some(format!("/s/{}", word.split_once("/s/")?.1)));
        paths.collect()
    }

    fn get(&self, path: &str, cookie: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nCookie: {cookie}\r\n"), "")
    }

    fn post(&self, path: &str, form: &str) -> (u16, String) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            form.len()
        );
        self.ask(&head, form)
    }

    fn ask(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.pages)).expect("pages");
        let request = format!("{head}Host: 127.0.0.1:{}\r\nConnection: close\r\n\r\n{body}", self.pages);
        stream.write_all(request.as_bytes()).expect("written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("read");
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, text)
    }

    /// The address of a page.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.pages)
    }

    /// A link that signs somebody in, once.
    pub fn link_for(&self, name: &str, roles: &[&str], agency: Option<&str>) -> String {
        let who = serde_json::json!({ "name": name, "agency": agency, "roles": roles });
        let answer = call(&self.data(), Command::Link(who.to_string())).expect("a gateway");
        answer.expect("a gateway").link.expect("a link")
    }

    /// Somebody who has signed in.
    pub fn browser(&self, name: &str, roles: &[&str], agency: Option<&str>) -> Browser {
        let link = self.link_for(name, roles, agency);
        let (_, path) = link.split_once("/sign-in/").expect("a path");
        let mut browser = Browser::new(([127, 0, 0, 1], self.pages).into());
        assert_eq!(browser.post(&format!("/sign-in/{path}"), &[]).status, 303);
        browser.get("/about");
        browser
    }

    /// The cookie of somebody who has signed in.
    fn signed_in(&self, role: &str) -> String {
        let link = self.link_for("a.petrova", &[role], Some(PORTAL));
        let (_, path) = link.split_once("/sign-in/").expect("a path");
        let (status, text) = self.post(&format!("/sign-in/{path}"), "");
        assert_eq!(status, 303, "{text}");
        let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:")).expect("a cookie");
        line.split_once(':').expect("a value").1.split(';').next().expect("a value").trim().to_owned()
    }

    fn data(&self) -> std::path::PathBuf {
        Config::load(&self.scene.town().installation().config()).expect("a configuration").data
    }
}

const FORM: &str = "process=5&comfort=4&courtesy=2&comment=%3Cscript%3Ealert%281%29%3C%2Fscript%3E+the+kettle+whistled";

/// One step of a partner's, and nothing else.
fn kit() -> String {
    situation("moving", "request:portal", "applicant", &step("kit", "charity", "deadline = \"P20D\"\n"))
}

/// A39: whoever has the link answers once; what comes after is `410`, and so is a link that never was.
#[test]
fn a_rating_link_is_good_once_and_for_so_long() {
    let asked = Asked::new(own("moving", &kit()), |_| {});
    let person = asked.scene.town().mother(3);
    let id = asked.apply("moving", &person, "one");
    asked.scene.becomes(&id, "it is done", |case| case["state"] == "done");
    let link = asked.link();
    assert_eq!(link.len(), "/s/".len() + 32, "128 bits: {link}");
    for _ in 0..2 {
        let (status, page) = asked.get(&link, "");
        assert_eq!(status, 200, "looking at it uses up nothing: {page}");
        for words in ["class=\"personal\"", "name=\"courtesy\"", "without your name"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        for word in [person.family.as_str(), person.identifier.value(), id.as_str()] {
            assert!(!page.contains(word), "{word}");
        }
    }
    let (status, russian) = asked.get(&format!("{link}?language=ru"), "");
    assert!(status == 200 && russian.contains("Вежливость сотрудников"), "{russian}");
    for (wrong, status) in [("process=6", 422), ("", 422), ("name=x", 422), ("process=5&process=4", 400)] {
        assert_eq!(asked.post(&link, wrong).0, status, "{wrong}");
    }
    assert_eq!(asked.post(&link, FORM).0, 200);
    for (status, page) in [asked.post(&link, FORM), asked.get(&link, ""), asked.get(&format!("/s/{}", "0".repeat(32)), "")] {
        assert!(status == 410 && page.contains("OG-CON-008"), "{page}");
    }
    // A start knows it as well.
    let Asked { mut scene, postbox, pages } = asked;
    scene.open_again();
    let asked = Asked { scene, postbox, pages };
    assert_eq!(asked.post(&link, FORM).0, 410);
}

/// Whoever took it back is asked as whoever got all is; once.
#[test]
fn whoever_took_it_back_is_asked_as_well_and_nobody_twice() {
    let asked = Asked::new(own("moving", &kit()), |_| {});
    let id = asked.apply("moving", &asked.scene.town().mother(3), "done");
    asked.scene.becomes(&id, "it is done", |case| case["state"] == "done");
    let first = asked.link();
    asked.scene.town().manners().idle.insert("kit".to_owned());
    let person = asked.scene.town().mother(4);
    let id = asked.apply("moving", &person, "withdrawn");
    asked.scene.becomes(&id, "the agency has it", |case| case["steps"][0]["state"] == "accepted");
    assert_eq!(order(&asked.scene, &id, PORTAL, &person, "<Withdraw></Withdraw>").status.as_u16(), 200);
    assert_ne!(first, asked.link());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(asked.links(), Vec::<String>::new());
}

/// The gateway was killed when the answer was durable, and before its case knew of it: the next start counts it, and the link is used up.
#[test]
fn what_a_crash_left_together_is_taken_apart_at_the_next_start() {
    let asked = Asked::new(own("moving", &kit()), |_| {});
    let _ = asked.apply("moving", &asked.scene.town().mother(3), "one");
    let link = asked.link();
    let folder = asked.data().join("ratings/test");
    let Asked { mut scene, postbox, pages } = asked;
    scene.close();
    let pending = |link: &str| folder.join(format!("pending-{}", oncegate::message::crypto::sha256(link.as_bytes())));
    let line = r#"0123456789abcdef0123456789abcdef {"situation":"moving","region":"XX-0","month":"2026-11","ending":"done","agencies":["xx.town.charity"],"provider":"non-state","scores":{"process":5},"text":"whistle"}"#;
    std::fs::write(pending(link.trim_start_matches("/s/")), format!("{line}\n")).expect("writable");
    std::fs::write(pending("of nobody"), format!("{line}\n")).expect("writable");
    scene.open_again();
    let asked = Asked { scene, postbox, pages };
    let end = Instant::now() + Duration::from_secs(20);
    let recent = || std::fs::read_to_string(folder.join("recent")).unwrap_or_default();
    while Instant::now() < end && (std::fs::read_dir(&folder).expect("there").count() > 1 || recent().is_empty()) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(recent().lines().collect::<Vec<_>>(), [line], "once, and nobody's not at all");
    assert_eq!(asked.get(&link, "").0, 410);
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push((path.display().to_string(), std::fs::read(&path).expect("readable")));
        }
    }
}

fn has(octets: &[u8], text: &str) -> bool {
    octets.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A39: the answer's words are in one file, and beside them there is nothing of the case, the link or the person; what is sealed in the log
/// has none of the words.
#[test]
fn no_file_joins_an_answer_to_a_person() {
    let asked = Asked::new(own("moving", &kit()), |_| {});
    let person = asked.scene.town().mother(3);
    let id = asked.apply("moving", &person, "one");
    let link = asked.link();
    assert_eq!(asked.post(&link, FORM).0, 200);
    let data = asked.data();
    // What is sealed beside records, as the auditor's tools open it.
    let auditor = asked.signed_in("auditor");
    let (status, log) = asked.get(&format!("/log?case={id}&as=json&table=records"), &auditor);
    assert!(status == 200 && !log.contains("kettle"), "{log}");
    let token = link.trim_start_matches("/s/").to_owned();
    let hash = oncegate::message::crypto::sha256(token.as_bytes()).to_string();
    let Asked { mut scene, postbox: _, pages: _ } = asked;
    scene.close();
    let mut found = Vec::new();
    files(&data, &mut found);
    let with_answer: Vec<&(String, Vec<u8>)> = found.iter().filter(|(_, octets)| has(octets, "kettle")).collect();
    let [(name, octets)] = with_answer[..] else { panic!("{:?}", with_answer.iter().map(|(name, _)| name).collect::<Vec<_>>()) };
    assert!(name.ends_with("ratings/test/recent"), "{name}");
    for secret in [id.as_str(), &token, &hash, person.identifier.value(), person.family.as_str(), person.given, "one@home"] {
        assert!(!has(octets, secret), "{secret} in {name}");
    }
    let modified = std::fs::metadata(name).expect("there").modified().expect("a time");
    assert_eq!(modified, std::time::SystemTime::UNIX_EPOCH, "the time of the file says nothing");
    assert!(found.iter().all(|(name, octets)| !name.contains("pending") && !has(octets, &token)), "the link is kept nowhere");
    // What the log keeps sealed, opened with its own keys: that the link is used up, and nothing of what was said.
    let (store, _) = Store::open(&data, "localhost/town", Settings::default()).expect("opens");
    let private: Vec<Vec<u8>> = (0..store.size()).filter_map(|index| store.private(index).ok()).collect();
    assert!(private.iter().any(|octets| has(octets, "rated")), "the case notes it");
    for said in ["kettle", "\"process\"", &token] {
        assert!(private.iter().all(|octets| !has(octets, said)), "{said} in the log");
    }
}

/// A38: an agency that is nobody's of the state is rated as any other, and stands on the board.
#[test]
fn a_partners_service_is_rated_as_any_other() {
    let asked = Asked::new(TownPlan { pace: 1, ..own("moving", &kit()) }, |_| {});
    for household in 0..10 {
        asked.apply("moving", &asked.scene.town().mother(household), &format!("n{household}"));
        assert_eq!(asked.post(&asked.link(), "process=5&courtesy=5").0, 200);
        let auditor = asked.signed_in("auditor");
        let (status, page) = asked.get("/quality?as=json&table=agencies", &auditor);
        assert_eq!(status, 200, "{page}");
        // Of fewer than ten nothing is shown.
        assert_eq!(page.contains("\"answers\":10"), household == 9, "{household}: {page}");
        assert!(page.contains("xx.town.charity"), "{page}");
    }
    let auditor = asked.signed_in("auditor");
    let (_, page) = asked.get("/quality?as=json&table=providers", &auditor);
    assert!(page.contains("non-state") && page.contains("\"answers\":10"), "{page}");
    let (_, page) = asked.get("/quality", &auditor);
    assert!(page.contains("10 of 10"), "all who were asked have answered: {page}");
    let report = || asked.get("/quality/xx.town.charity?as=md", &auditor).1.split_once("\r\n\r\n").expect("a body").1.to_owned();
    assert!(report().contains("100.0 %") && report() == report(), "{}", report());
}

/// The register of the program, and the sixty answers of the demo.
#[test]
fn the_quality_page_prints_64_0_percent() {
    let ratings = made_up(oncegate::gateway::driver::now()).expect("ratings");
    assert_eq!(ratings.len(), 60);
    let asked = Asked::new(TownPlan { ratings, ..TownPlan::default() }, |_| {});
    let operator = asked.signed_in("operator");
    let (status, page) = asked.get("/quality", &operator);
    assert_eq!(status, 200, "{page}");
    for words in ["64.0\u{202f}%", "146 of 228", "of 60"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let (_, page) = asked.get("/quality?language=ru", &operator);
    assert!(page.contains("64,0\u{202f}%") && page.contains("146 из 228"), "{page}");
    assert_eq!(asked.get("/quality", "").0, 303, "nobody sees it without signing in");
    assert_eq!(asked.get("/quality?world=other", &operator).0, 400);
    let (_, page) = asked.get("/quality/xx.town.sfr", &operator);
    assert!(page.contains("xx.town.sfr") && page.contains("as=md"), "{page}");
}
