//! How it was: a running gateway asks people when their case is over, and keeps what they say apart from them.

use crate::cases::{Scene, application, case_in, order, own, personal_link, situation, step};
use crate::console::Browser;
use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::{free_port, said};
use oncegate::host::config::Config;
use oncegate::host::control::{Command, call};
use oncegate::host::ratings::Ratings;
use oncegate::host::store::{Settings, Store};
use oncegate::program::demo::{Manners, PORTAL, Person, Postbox, QUALITY, TownPlan, made_up};
use oncegate::rules::quality::Rating;
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
        if !(plan.ratings.is_empty() && plan.quality.is_empty()) {
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

/// Text of a page as it is for machines.
fn rows(answer: &str) -> Vec<serde_json::Value> {
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).unwrap_or_else(|wrong| panic!("{wrong}: {answer}"))
}

/// So many answers about a month, of whom so many are satisfied.
fn of_month(month: &str, count: usize, satisfied: usize) -> Vec<Rating> {
    let line = |points: u8| {
        let about = format!(r#""situation":"birth-of-child","region":"RU-YAR","month":"{month}","ending":"done""#);
        format!(r#"{{{about},"agencies":["xx.town.sfr"],"provider":"state","scores":{{"process":{points}}}}}"#)
    };
    let of = |number: usize| Rating::parse(&line(if number < satisfied { 5 } else { 1 })).expect("a rating");
    (0..count).map(of).collect()
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

/// Whoever has a personal link finds the invitation on their page, for each of their cases that has ended, and thanks once it is used; and what
/// they answer by that way lies as far from them as what comes by a mail.
#[test]
fn whose_case_has_ended_is_asked_on_their_page_and_nothing_joins_what_they_say() {
    let asked = Asked::new(own("moving", &kit()), |_| {});
    let person = asked.scene.town().mother(3);
    let first = asked.apply("moving", &person, "one");
    asked.scene.becomes(&first, "it is done", |case| case["state"] == "done");
    let mailed = asked.link();
    asked.scene.town().manners().idle.insert("kit".to_owned());
    let second = asked.apply("moving", &person, "one");
    asked.scene.becomes(&second, "the agency has it", |case| case["steps"][0]["state"] == "accepted");
    let page = format!("/my/{}", personal_link(&asked.scene, &second, PORTAL, &person));
    let look = |query: &str| {
        let (status, text) = asked.get(&format!("{page}{query}"), "");
        assert_eq!(status, 200, "{text}");
        let found = text.match_indices("/s/").map(|(at, _)| text[at..].split('"').next().unwrap_or_default().to_owned());
        let links: Vec<String> = found.collect();
        assert_eq!(
            text.matches("rel=\"noreferrer\" href=\"/s/").count(),
            links.len(),
            "the questionnaire hears nothing of this page"
        );
        (text, links)
    };
    let (text, links) = look("");
    assert_eq!(links, [mailed.as_str()], "of what goes on still nobody is asked: {text}");
    assert!(text.contains("stored apart from you") && !text.contains("Thank you!"), "{text}");
    let (russian, _) = look("?language=ru");
    assert!(russian.contains("Как всё прошло?") && russian.contains("отдельно от вас"), "{russian}");
    // No table for machines has it.
    for table in ["cases", "steps"] {
        let (_, rows) = asked.get(&format!("{page}?as=json&table={table}"), "");
        assert!(!rows.contains("/s/"), "{rows}");
    }
    assert_eq!(order(&asked.scene, &second, PORTAL, &person, "<Withdraw></Withdraw>").status.as_u16(), 200);
    asked.scene.becomes(&second, "it is withdrawn", |case| case["state"] == "withdrawn");
    let (_, links) = look("");
    assert_eq!(links.len(), 2, "each that has ended has its own: {links:?}");
    let another = links.iter().find(|link| **link != mailed).expect("another").clone();
    assert_eq!(asked.get(&another, "").0, 200);
    assert_eq!(asked.post(&another, FORM).0, 200);
    let (text, links) = look("");
    assert_eq!((links, text.matches("Thank you!").count()), (vec![mailed.clone()], 1), "{text}");
    assert!(!text.contains("kettle"), "{text}");
    assert_eq!(asked.post(&mailed, "process=1").0, 200);
    let (text, links) = look("");
    assert_eq!((links, text.matches("Thank you!").count()), (Vec::new(), 2), "{text}");
    assert!(!text.contains("A few questions"), "there is nothing to be asked any more: {text}");
    nothing_joins(asked, &person, &second, &another, 2);
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
    nothing_joins(asked, &person, &id, &link, 1);
}

/// Sees that of an answer which says `FORM` nothing leads to its case, of so many answers.
fn nothing_joins(asked: Asked, person: &Person, id: &str, link: &str, count: usize) {
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
    assert_eq!(String::from_utf8_lossy(octets).lines().count(), count);
    for secret in [id, &token, &hash, person.identifier.value(), person.family.as_str(), person.given, "one@home"] {
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
    // Each kind of line has its interval (Wilson, of 10 of 10) and its bounds: all who were asked have answered.
    for name in ["dimensions", "months", "endings", "regions", "agencies"] {
        let lines = rows(&asked.get(&format!("/quality?as=json&table={name}"), &auditor).1);
        let line = lines.iter().find(|line| line["answers"] == 10).unwrap_or_else(|| panic!("{name}: {lines:?}"));
        assert_eq!(line["bounds"], serde_json::json!([1.0, 1.0]), "{name}");
        assert_eq!(line["interval"], serde_json::json!([0.722_467, 1.0]), "{name}");
    }
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

/// A questionnaire of one question.
fn questionnaire(id: &str, dimension: &str) -> String {
    let anchors: String = (1..=5).map(|point| format!("{point} = {{ en = \"{point}\", ru = \"{point}\" }}\n")).collect();
    format!(
        "format = 1\nid = \"{id}\"\nversion = \"1\"\ntitle = {{ en = \"Of {id}\", ru = \"{id}\" }}\n[anchors]\n{anchors}[[question]]\n\
         id = \"only\"\ndimension = \"{dimension}\"\ntext = {{ en = \"The one question\", ru = \"Один вопрос\" }}\n"
    )
}

/// A40, A38: a situation that a partner carries out asks what its file says, any other what the gateway asks; both are of the same dimensions.
/// One that is not there is told with its place, and what was in force stays.
#[test]
fn each_situation_may_have_a_questionnaire_of_its_own() {
    let survey = |name: &str| format!("[survey]\nafter = \"case-closed\"\ndelay = \"PT30M\"\nquestionnaire = \"{name}\"\n");
    let other = situation("gathering", "request:portal", "applicant", &step("feast", "charity", "deadline = \"P20D\"\n"));
    let mut plan = own("moving", &format!("{}{}", kit(), survey("charity")));
    plan.catalogue.push(("federal/gathering.toml".to_owned(), other.clone()));
    plan.quality.push(("questionnaires/partners.toml".to_owned(), questionnaire("charity", "courtesy")));
    let asked = Asked::new(plan, |manners| manners.idle.extend(["kit", "feast"].map(str::to_owned)));
    // Mails come half an hour after the end; the person's page has the link at once.
    let over = |what: &str, household: u32, step: &str| {
        let person = asked.scene.town().mother(household);
        let id = asked.apply(what, &person, &format!("n{household}"));
        asked
            .scene
            .becomes(&id, "the agency has it", |case| case["steps"][0]["state"] == "accepted" && case["steps"][0]["id"] == step);
        let page = format!("/my/{}", personal_link(&asked.scene, &id, PORTAL, &person));
        assert_eq!(order(&asked.scene, &id, PORTAL, &person, "<Withdraw></Withdraw>").status.as_u16(), 200);
        asked.scene.becomes(&id, "it is withdrawn", |case| case["state"] == "withdrawn");
        let (_, text) = asked.get(&page, "");
        let (_, rest) = text.split_once("/s/").unwrap_or_else(|| panic!("{text}"));
        format!("/s/{}", rest.split('"').next().unwrap_or_default())
    };
    let link = over("moving", 3, "kit");
    let (status, page) = asked.get(&link, "");
    assert!(status == 200 && page.contains("Of charity") && page.contains("The one question"), "{page}");
    assert!(!page.contains("name=\"process\""), "{page}");
    assert_eq!(asked.post(&link, "process=5").0, 422, "that is a question of another");
    assert_eq!(asked.post(&link, "only=4").0, 200);
    let link = over("gathering", 4, "feast");
    let (_, page) = asked.get(&link, "");
    assert!(page.contains("name=\"process\"") && !page.contains("The one question"), "{page}");
    assert_eq!(asked.post(&link, "process=2").0, 200);
    let kept = std::fs::read_to_string(asked.data().join("ratings/test/recent")).expect("there");
    for words in [
        r#""situation":"moving""#,
        r#""provider":"non-state","scores":{"courtesy":4}"#,
        r#""situation":"gathering""#,
        r#""provider":"non-state","scores":{"process":2}"#,
    ] {
        assert!(kept.contains(words), "{words}: {kept}");
    }
    // The town changes what it asks.
    let beside = asked.scene.town().installation().config();
    let reload = || call(&asked.data(), Command::Reload).expect("a gateway").expect("a gateway");
    let file = beside.with_file_name("catalogue").join("federal/gathering.toml");
    std::fs::write(&file, format!("{other}{}", survey("charty"))).expect("writable");
    let refused = reload().refused.join("\n");
    for words in ["federal/gathering.toml:26:17", "OG-QUA-002", "did you mean charity?", "questionnaires/"] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let link = over("gathering", 5, "feast");
    assert!(asked.get(&link, "").1.contains("name=\"process\""), "what was in force stays");
    let own = beside.with_file_name(QUALITY).join("questionnaires/another.toml");
    std::fs::write(own, questionnaire("charty", "comfort")).expect("writable");
    let answer = reload();
    assert!(answer.refused.is_empty(), "{:?}", answer.refused);
    assert!(asked.get(&over("gathering", 6, "feast"), "").1.contains("Of charty"), "read again with the catalogue");
}

/// A16: a drop that is not noise is what needs attention first, for whoever looks after services; noise is not.
#[test]
fn a_drop_that_is_not_noise_is_on_the_overview() {
    let mut ratings = of_month("2026-01", 100, 80);
    ratings.extend(of_month("2026-02", 100, 77));
    let asked = Asked::new(TownPlan { ratings: ratings.clone(), ..TownPlan::default() }, |_| {});
    let seen = |asked: &Asked, role: &str, language: &str| asked.get(&format!("/?language={language}"), &asked.signed_in(role)).1;
    assert!(!seen(&asked, "operator", "en").contains("Satisfaction dropped"), "of noise nothing is said");
    drop(asked);
    ratings.extend(of_month("2026-03", 100, 57));
    let asked = Asked::new(TownPlan { ratings, ..TownPlan::default() }, |_| {});
    for role in ["operator", "curator"] {
        let page = seen(&asked, role, "en");
        for words in
            ["Satisfaction dropped from 2026-02 to 2026-03: 77.0\u{202f}% to 57.0\u{202f}%", "href=\"/quality?world=test\""]
        {
            assert!(page.contains(words), "{role}: {words}: {page}");
        }
        assert!(seen(&asked, role, "ru").contains("77,0\u{202f}%"), "{role}");
    }
    let page = seen(&asked, "security", "en");
    assert!(page.contains("attention") && !page.contains("Satisfaction dropped"), "it is not theirs: {page}");
    // The same on the page that it leads to; by hand: 214 of 300, and 100 of each month.
    let operator = asked.signed_in("operator");
    let months = rows(&asked.get("/quality?world=test&as=json&table=months", &operator).1);
    assert_eq!(months.iter().map(|row| row["answers"].as_u64()).collect::<Vec<_>>(), [Some(100); 3]);
    let near = |value: &serde_json::Value, expected: f64| (value.as_f64().expect("a number") - expected).abs() < 1e-6;
    // Wilson's interval of 80 of 100, as B4 has it.
    assert!(near(&months[0]["interval"][0], 0.711_171) && near(&months[0]["interval"][1], 0.866_633), "{months:?}");
}

/// A13, A14, A15, A29: what the commands print is on the pages, in both languages and for machines.
#[test]
fn priorities_agreement_channels_and_laboratories_have_pages() {
    let ratings = made_up(oncegate::gateway::driver::now()).expect("ratings");
    let asked = Asked::new(TownPlan { ratings, ..TownPlan::default() }, |_| {});
    let curator = asked.signed_in("curator");
    let look = |path: &str| {
        let (status, page) = asked.get(path, &curator);
        assert_eq!(status, 200, "{path}: {page}");
        page
    };
    let table = |path: &str, name: &str| {
        let mark = if path.contains('?') { '&' } else { '?' };
        assert!(look(&format!("{path}{mark}as=csv&table={name}")).contains("text/csv"), "{path} {name}");
        rows(&look(&format!("{path}{mark}as=json&table={name}")))
    };
    let page = look("/quality");
    for name in ["priorities", "agreement", "channels", "laboratories"] {
        assert!(page.contains(&format!("href=\"/quality/{name}\"")), "{name}: {page}");
        let russian = look(&format!("/quality/{name}?language=ru"));
        assert!(russian.contains("lang=\"ru\""), "{name}");
        // With its style and script a page has 100 KiB at most, also with the whole register.
        assert!(russian.len() < 80 * 1024, "{name}: {} octets", russian.len());
    }

    // By hand: 120 of 400 are dissatisfied, of 60,000 cases a year.
    let priorities = table("/quality/priorities?region=RU-YAR", "priorities");
    assert_eq!(priorities[0]["issue"], "doctors-appointment");
    assert_eq!((&priorities[0]["place"], &priorities[0]["places"]), (&1.into(), &serde_json::json!([1, 2])));
    let harm: Vec<u64> =
        (0..3).map(|at| priorities[0]["dissatisfied_a_year"][at].as_f64().expect("a number").round() as u64).collect();
    assert_eq!(harm, [18000, 15438, 20789]);
    assert_eq!(priorities.iter().filter(|row| row["chosen"] == true).count(), 4);
    let last = priorities.last().expect("a row");
    assert!(last["issue"] == "veterans-grave" && last["place"].is_null(), "six have answered: {last}");
    assert!(look("/quality/priorities?region=RU-YAR").contains("/situations/birth-of-child?region=RU-YAR"));
    assert_eq!(table("/quality/priorities", "regions").len(), 2);
    assert_eq!(asked.get("/quality/priorities?region=RU-NGR", &curator).0, 400);

    // By hand: (191/228 - 0.6129)/(1 - 0.6129), as the textbook's formula has it.
    let agreement = table("/quality/agreement", "agreement");
    assert_eq!(
        (&agreement[0]["both"], &agreement[0]["own_alone"], &agreement[0]["same"]),
        (&140.into(), &31.into(), &191.into())
    );
    assert!((agreement[0]["kappa"].as_f64().expect("a number") - 0.622_448_979_591_836_7).abs() < 1e-9);
    assert_eq!((agreement[0]["strength"].as_str(), agreement[1]["strength"].as_str()), (Some("substantial"), Some("moderate")));
    assert!(look("/quality/agreement?language=ru").contains("существенное"));
    let disagreements = table("/quality/agreement", "disagreements");
    assert_eq!(disagreements.len(), 37);
    assert!(disagreements.iter().all(|row| row["criteria"].as_array().is_some_and(|criteria| !criteria.is_empty())));

    let findings = table("/quality/laboratories", "findings");
    assert_eq!(findings.len(), 6);
    let open: Vec<bool> = findings.iter().map(|row| row["mended"].is_null()).collect();
    assert_eq!(open, [true, true, true, true, false, false], "what still stands in the way comes first");
    assert_eq!(findings[0]["severity"], "serious");
    assert_eq!(table("/quality/laboratories", "studies").len(), 3);
    let severities = table("/quality/laboratories", "severities");
    assert_eq!(
        (&severities[0]["severity"], &severities[0]["open"], &severities[0]["mended"]),
        (&"critical".into(), &0.into(), &1.into())
    );
    let tasks = table("/quality/laboratories", "tasks");
    let sum = |key: &str| tasks.iter().filter_map(|row| row[key].as_u64()).sum::<u64>();
    assert_eq!((sum("completed"), sum("tried")), (32, 44));
    let page = look("/quality/laboratories");
    let step = "/situations/birth-of-child?region=RU-YAR#step-kindergarten";
    assert!(page.contains(step), "{page}");
    let (situation, anchor) = step.split_once('#').expect("a step");
    assert!(look(situation).contains(&format!("id=\"{anchor}\"")), "the link leads to the step");
}

/// A14: what nobody has counted is measured by the log: of what an agency was brought, how much it answered in time.
#[test]
fn declared_availability_stands_beside_what_the_log_has_measured() {
    let line = r#"{"agency":"xx.town.zags","service":"birth-registration","channel":"desk","minutes":[3,8,11],"tried":1000,"worked":900}"#;
    let ratings = of_month("2026-01", 10, 10);
    let quality = vec![("measured.jsonl".to_owned(), format!("{line}\n"))];
    let asked = Asked::new(TownPlan { ratings, quality, ..TownPlan::default() }, |_| {});
    let operator = asked.signed_in("operator");
    let channels = || rows(&asked.get("/quality/channels?as=json", &operator).1);
    let before = channels();
    assert!(before.len() > 40, "all of them, though a page has forty: {}", before.len());
    let page = asked.get("/quality/channels", &operator).1;
    assert!(page.contains("page=2") && page.contains("More channels"), "{page}");
    assert!(
        asked.get("/quality/channels?page=2", &operator).0 == 200 && asked.get("/quality/channels?page=0", &operator).0 == 400
    );
    let of = |rows: &[serde_json::Value], agency: &str, channel: &str| {
        let is_it = |row: &&serde_json::Value| row["agency"] == agency && row["channel"] == channel;
        rows.iter().find(is_it).cloned().unwrap_or_else(|| panic!("{agency} {channel}"))
    };
    assert_eq!(of(&before, "xx.town.mvd", "portal")["availability"], "not measured");
    // What is not kept comes first: 900 of 1,000 where 98 % are declared; the three who were timed waited less than declared.
    assert_eq!((before[0]["agency"].as_str(), before[0]["channel"].as_str()), (Some("xx.town.zags"), Some("desk")));
    assert_eq!((before[0]["availability"].as_str(), before[0]["time"].as_str()), (Some("not kept"), Some("kept")));
    assert_eq!((before[0]["measured_by"].as_str(), before[0]["of"].as_u64()), (Some("counted"), Some(1000)));
    assert_eq!(before[0]["minutes"], serde_json::json!([8.0, 11.0, 3.0]));
    // A birth has the coordinator ask registers.
    asked.apply("birth-of-child", &asked.scene.town().mother(3), "one");
    let end = Instant::now() + Duration::from_secs(20);
    let asked_now = loop {
        let rows = channels();
        let by_log: Vec<serde_json::Value> = rows.into_iter().filter(|row| row["measured_by"] == "log").collect();
        if !by_log.is_empty() {
            break by_log;
        }
        assert!(Instant::now() < end, "nobody was asked");
        std::thread::sleep(Duration::from_millis(50));
    };
    for row in &asked_now {
        let (share, n) = (row["available"][0].as_f64().expect("a share"), row["of"].as_u64().expect("a number"));
        assert!(n > 0 && (share - 1.0).abs() < 1e-9, "all that was brought was answered: {row}");
        assert_eq!((row["availability"].as_str(), row["time"].as_str()), (Some("kept"), Some("not measured")), "{row}");
        assert!(row["answers_ms"][1].as_f64().is_some_and(|ms| ms > 0.0), "{row}");
    }
    let agency = asked_now[0]["agency"].as_str().expect("a name");
    let alone = rows(&asked.get(&format!("/quality/channels?agency={agency}&as=json"), &operator).1);
    assert!(!alone.is_empty() && alone.iter().all(|row| row["agency"] == agency), "{alone:?}");
    assert_eq!(asked.get("/quality/channels?agency=x", &operator).0, 400);
}

/// Runs a command of backups on the gateway of a scene.
fn of_backup(asked: &Asked, shelf: &Folder, command: &str) -> serde_json::Value {
    let config = asked.scene.town().installation().config();
    let mut process = std::process::Command::new(oncegate());
    process.arg(command).arg(shelf.path().join("one/log")).arg("--keys").arg(shelf.path().join("two/keys"));
    let output = process.arg("-c").arg(config).arg("--json").output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The gateway's data are lost, and come back.
fn lost_and_restored(mut asked: Asked, shelf: &Folder) -> Asked {
    asked.scene.close();
    let data = asked.data();
    std::fs::rename(&data, data.with_file_name("lost")).expect("writable");
    of_backup(&asked, shelf, "restore");
    asked.scene.open_again();
    asked
}

/// What was answered before a backup comes back with its links used up; what came later is not there, and its link takes an answer again.
/// What was durable, and not noted by its case yet, is counted once.
#[test]
fn answers_come_back_from_a_backup_with_the_log_that_knows_of_them() {
    let asked = Asked::new(own("moving", &kit()), |_| {});
    let links: Vec<String> = (3..6)
        .map(|household| {
            asked.apply("moving", &asked.scene.town().mother(household), &format!("n{household}"));
            asked.link()
        })
        .collect();
    assert_eq!(asked.post(&links[0], FORM).0, 200);
    let folder = asked.data().join("ratings/test");
    let recent = || std::fs::read_to_string(folder.join("recent")).expect("there");
    let first = recent();
    // As a crash would have left it: durable, and its case does not know.
    let pending =
        |link: &str| format!("pending-{}", oncegate::message::crypto::sha256(link.trim_start_matches("/s/").as_bytes()));
    let line = first.split_once(' ').expect("a key").1.replace("kettle", "spoon");
    std::fs::write(folder.join(pending(&links[1])), format!("0123456789abcdef0123456789abcdef {line}")).expect("writable");
    std::fs::write(folder.join("2026-01.new"), "half").expect("writable");
    std::fs::create_dir_all(asked.data().join("ratings/live")).expect("writable");

    let shelf = Folder::new();
    let backed = of_backup(&asked, &shelf, "backup");
    let copied = |backed: &serde_json::Value| -> Vec<String> {
        let all = backed["copied"].as_array().expect("a list").iter().filter_map(|name| name.as_str());
        all.filter(|name| name.starts_with("ratings/")).map(str::to_owned).collect()
    };
    assert_eq!(copied(&backed), ["ratings/test/recent".to_owned(), format!("ratings/test/{}", pending(&links[1]))]);
    let manifest = std::fs::read_to_string(shelf.path().join("one/log/backup.json")).expect("there");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let of_answers = manifest["files"].as_array().expect("a list").iter().filter(|item| item["name"] == "ratings/test/recent");
    for item in of_answers {
        assert_eq!(item["modified"], "", "the backup does not say when somebody has answered");
        let file = shelf.path().join("one/log/files").join(item["file"].as_str().expect("a name"));
        let modified = std::fs::metadata(file).expect("there").modified().expect("a time");
        assert_eq!(modified, std::time::SystemTime::UNIX_EPOCH);
    }
    assert!(copied(&of_backup(&asked, &shelf, "backup")).is_empty(), "nothing has changed");

    assert_eq!(asked.post(&links[2], "process=1").0, 200);
    assert_eq!(recent().lines().count(), 2);
    let asked = lost_and_restored(asked, &shelf);
    let end = Instant::now() + Duration::from_secs(20);
    while recent().lines().count() < 2 || folder.join(pending(&links[1])).exists() {
        assert!(Instant::now() < end, "what was durable is not counted: {}", recent());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(recent().contains("kettle") && recent().contains("spoon") && recent().contains(first.trim_end()), "{}", recent());
    for link in &links[..2] {
        assert_eq!(asked.get(link, "").0, 410, "it is used up");
    }
    assert_eq!(asked.post(&links[2], "process=3").0, 200, "what came after the backup can be said again");
    assert_eq!(recent().lines().count(), 3, "{}", recent());
    // Where one has come meanwhile, it is copied anew.
    assert_eq!(copied(&of_backup(&asked, &shelf, "backup")), ["ratings/test/recent"]);
}

/// Answers come in while backups are made: each backup has all that were counted before it began and none that was not yet when it ended,
/// each once and whole.
#[test]
fn a_backup_while_people_answer_loses_none_and_doubles_none() {
    let asked = Asked::new(TownPlan::default(), |_| {});
    let ratings = Ratings::open(&asked.data().join("ratings/live")).expect("writable");
    let (settled, is_over) = (std::sync::atomic::AtomicUsize::new(0), std::sync::atomic::AtomicBool::new(false));
    let relaxed = std::sync::atomic::Ordering::SeqCst;
    let count = |folder: &Path| {
        let mut keys = std::collections::BTreeSet::new();
        let mut lines = 0;
        let mut found = Vec::new();
        files(folder, &mut found);
        for (_, octets) in found {
            for line in String::from_utf8(octets).expect("UTF-8").lines() {
                let (key, rating) = line.split_once(' ').expect("a key");
                Rating::parse(rating).expect("whole");
                lines += usize::from(keys.insert(key.to_owned()));
            }
        }
        lines
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let all = of_month("2026-01", 300, 150).into_iter().chain(of_month("2026-02", 2_000, 1_000));
            for (number, rating) in all.enumerate() {
                if is_over.load(relaxed) {
                    return;
                }
                let link = oncegate::message::crypto::sha256(&number.to_be_bytes());
                ratings.pend(&link, &rating).expect("kept");
                ratings.settle(&link).expect("counted");
                settled.fetch_add(1, relaxed);
                // People answer in their own time, as does the disk of whoever tests this.
                std::thread::sleep(Duration::from_millis(40));
            }
        });
        while settled.load(relaxed) == 0 {
            std::thread::yield_now();
        }
        let mut backups = 0;
        while backups < 4 || settled.load(relaxed) <= 20 {
            backups += 1;
            let shelf = Folder::new();
            let before = settled.load(relaxed);
            of_backup(&asked, &shelf, "backup");
            let after = settled.load(relaxed);
            let restored = Folder::new();
            let config = std::fs::read_to_string(asked.scene.town().installation().config()).expect("there");
            assert!(config.contains("\ndata = "), "{config}");
            let elsewhere: String = config
                .lines()
                .map(|line| match line.starts_with("data = ") {
                    true => format!("data = \"{}\"\n", restored.path().join("data").display()),
                    false => format!("{line}\n"),
                })
                .collect();
            let drill = asked.scene.town().installation().config().with_file_name("drill.toml");
            std::fs::write(&drill, elsewhere).expect("writable");
            let mut process = std::process::Command::new(oncegate());
            process.arg("restore").arg(shelf.path().join("one/log")).arg("--keys").arg(shelf.path().join("two/keys"));
            let output = process.arg("-c").arg(&drill).output().expect("it starts");
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
            let found = count(&restored.path().join("data/ratings/live"));
            // One more may wait to be counted.
            assert!((before..=after + 1).contains(&found), "{found} of {before} to {after}");
        }
        is_over.store(true, relaxed);
    });
}
