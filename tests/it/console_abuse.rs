//! The pages for people, asked by those who mean ill: what they store, what they have others send, what they write into addresses.

use crate::console::{AUDITOR, Browser, Response, SCHOOL, Site, escaped, is_guarded, raw};
use oncegate::base::ids::{AgencyId, Code, Identifier};
use oncegate::host::config::Config;
use oncegate::host::control::Command;
use oncegate::message::envelope::{Ask, Context, Subject, World as MessageWorld};
use oncegate::program::demo::Behaviour;
use oncegate::program::setup::{Installation, NewAgency};
use serde_json::Value;

const SCRIPT: &str = "<script>alert(9)</script>\"'><img src=x onerror=alert(9)>";
const WHY: (&str, &str) = ("school-attendance", "XX:HEALTH:13");

/// An agency whose name is markup, and one whose name is a formula.
fn add_tricky(installation: &Installation) {
    let config = Config::load(&installation.config()).expect("a configuration");
    let gateway = format!("https://{}", config.exchange.listen);
    for (id, name) in [("xx.trick.markup", "<script>alert(9)</script>&'"), ("xx.trick.formula", "=1+cmd|' /C calc'!A0")] {
        let id = AgencyId::parse(id).expect("an agency");
        installation.add_agency(&NewAgency { id: &id, name, url: None, holds: &[], more: "" }, &gateway).expect("added");
    }
}

/// Nothing of what was written comes back as markup.
fn is_inert(response: &Response, what: &str) {
    is_guarded(response, what);
    let text = response.text();
    if response.is_html() {
        for mark in ["<script>alert", "<img src=x", "onerror=alert(9)>\"", "\"'>"] {
            assert!(!text.contains(mark), "{what}: {mark}: {text}");
        }
    }
    let is_ours = |kind: String| {
        ["text/html; charset=utf-8", "text/csv; charset=utf-8; header=present", "application/json", "text/plain; charset=utf-8"]
            .contains(&kind.as_str())
    };
    assert!(response.header("content-type").is_some_and(is_ours), "{what}: {}", response.head);
}

#[test]
fn what_somebody_has_stored_is_text_and_no_markup() {
    let site = Site::prepared("", &add_tricky);
    let mut auditor = site.auditor();
    // What a message may say of why it asks; the official's role and the fields are words.
    let (_, status) = site.ask(SCHOOL, Behaviour::Honest, ("school-attendance", SCRIPT));
    assert_eq!(status, 403);
    let asked = site.records(&mut auditor) - 1;
    let opened = auditor.post(&format!("/log/{asked}/open"), &[("reason", SCRIPT)]);
    assert_eq!(opened.status, 303, "{}", opened.text());
    let shown = auditor.get(&opened.header("location").expect("where to"));
    is_inert(&shown, "a refused question, opened");
    // The record of that reading has the reason, and whoever opens it sees it.
    let reading = site.records(&mut auditor) - 1;
    let opened = auditor.post(&format!("/log/{reading}/open"), &[("reason", "looking")]);
    let shown = auditor.get(&opened.header("location").expect("where to"));
    assert!(shown.text().contains("&#60;script&#62;alert(9)"), "the reason is shown: {}", shown.text());
    is_inert(&shown, "a reason, opened");
    let sought = auditor.post("/find", &[("q", SCRIPT)]);
    assert_eq!(sought.status, 200);
    is_inert(&sought, "what was sought");
    for path in ["/agencies", "/agencies/xx.trick.markup", "/log", "/", "/agencies?language=ru", "/agencies?as=json"] {
        let response = auditor.get(path);
        assert_eq!(response.status, 200, "{path}");
        is_inert(&response, path);
    }
    assert!(auditor.get("/agencies").text().contains("&#60;script&#62;alert(9)&#60;/script&#62;"));
    // A name of somebody who signs in is a name, too.
    let mut tricky = site.browser("<script>alert(9)</script>", &["operator"], None);
    is_inert(&tricky.get("/"), "a name");
}

#[test]
fn what_stands_in_an_address_is_text_and_no_markup() {
    let site = Site::start();
    site.ask(SCHOOL, Behaviour::Honest, WHY);
    let mut auditor = site.auditor();
    let keys = [
        "agency",
        "consumer",
        "provider",
        "document",
        "purpose",
        "basis",
        "code",
        "kind",
        "from",
        "to",
        "message",
        "case",
        "cursor",
        "limit",
        "ticket",
        "as",
        "table",
        "language",
        "next",
        "return",
        "q",
        "person",
        "official",
        "a\"><script>alert(9)</script>",
    ];
    for path in [
        "/",
        "/log",
        "/log/0",
        "/log/0/receipt",
        "/agencies",
        "/agencies/xx.demo.school-17",
        "/help",
        "/help/OG-POL-002",
        "/about",
        "/sign-in",
        "/sign-in/x",
    ] {
        for key in keys {
            let target = format!("{path}?{}={}", escaped(key), escaped(SCRIPT));
            is_inert(&auditor.get(&target), &target);
        }
        for tail in [escaped(SCRIPT), escaped("javascript:alert(9)"), escaped("\"onfocus=alert(9) autofocus=\"")] {
            let target = format!("{}/{tail}", path.trim_end_matches('/'));
            let response = auditor.get(&target);
            is_inert(&response, &target);
            assert!(!response.text().contains("\"onfocus") && !response.text().contains("href=\"javascript:"), "{target}");
        }
    }
    for path in ["/find", "/log/search", "/log/0/open", "/sign-in/x"] {
        for key in ["q", "person", "official", "reason", "agency", "unknown"] {
            let response = auditor.post(path, &[(key, SCRIPT), ("other", SCRIPT)]);
            if response.status != 303 {
                is_inert(&response, &format!("{path} {key}"));
            }
        }
    }
}

#[test]
fn a_form_of_another_site_does_nothing_and_leaves_no_record() {
    let site = Site::start();
    let (asked, _) = site.ask(SCHOOL, Behaviour::Honest, WHY);
    let mut auditor = site.auditor();
    let before = site.records(&mut auditor);
    let person = format!("{}|{}", asked.person.scheme(), asked.person.value());
    let forms = [
        ("/find", vec![("q", "1")]),
        ("/log/search", vec![("person", person.as_str()), ("reason", "a reason")]),
        ("/log/0/open", vec![("reason", "a reason")]),
        ("/sign-out", Vec::new()),
    ];
    let mut other = site.auditor();
    other.get("/");
    assert_ne!(other.token, auditor.token, "each session has a token of its own");
    let before = before + 1;
    for (path, fields) in &forms {
        for token in ["", "wrong", other.token.as_str(), &auditor.token[..auditor.token.len() - 1]] {
            let mut forged = auditor.clone();
            forged.token = token.to_owned();
            let response = forged.post(path, fields);
            assert_eq!((response.status, response.code().as_str()), (403, "OG-CON-002"), "{path} {token}");
        }
        for (name, value) in [
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Site", "none"),
            ("Origin", "https://evil.example"),
            ("Origin", "null"),
            ("Origin", "http://127.0.0.1:1"),
        ] {
            let response = auditor.clone().with(name, value).post(path, fields);
            assert_eq!((response.status, response.code().as_str()), (403, "OG-CON-002"), "{path} {name}: {value}");
        }
        // A form that is sent as something that other sites may send unasked.
        let plain = auditor.octets("POST", path, "q=1").replace("application/x-www-form-urlencoded", "text/plain");
        assert_eq!(raw(site.address, plain.as_bytes()).expect("an answer").status, 415, "{path}");
    }
    assert_eq!(site.records(&mut auditor), before, "nothing was recorded, and nobody signed out");
    // The twin that is just barely accepted.
    let own = format!("http://{}", site.address);
    let mut good = auditor.clone().with("Sec-Fetch-Site", "same-origin").with("Origin", &own);
    assert_eq!(good.post("/log/0/open", &[("reason", "a reason")]).status, 303);
    assert_eq!(site.records(&mut auditor), before + 1);
}

#[test]
fn nobody_is_signed_in_by_the_form_of_another_site() {
    let site = Site::start();
    let (_, path) = site.link("mallory", &["operator"], None);
    for (name, value) in [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")] {
        let mut victim = site.nobody().with(name, value);
        assert_eq!(victim.post(&path, &[]).code(), "OG-CON-002", "{name}");
        assert!(victim.cookies.is_empty());
    }
    let mut own = site.nobody();
    assert_eq!(own.post(&path, &[]).status, 303, "the link was not used up");
}

#[test]
fn nobody_frames_a_page_whatever_is_answered() {
    let site = Site::start();
    let mut operator = site.operator();
    let mut seen = Vec::new();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("POST", "/log"),
        ("GET", "/log?cursor=x"),
        ("GET", "/log/0/open"),
        ("GET", "/sign-in/x"),
        ("GET", "/log/%"),
        ("GET", "/log?as=csv"),
        ("GET", "/log?as=xml"),
        ("DELETE", "/"),
        ("HEAD", "/"),
        ("POST", "/sign-out"),
    ] {
        let response = operator.send(method, path, "");
        is_guarded(&response, path);
        seen.push(response.status);
    }
    for status in [200, 303, 400, 403, 404, 405, 410] {
        assert!(seen.contains(&status) || status == 303, "{status}: {seen:?}");
    }
    is_guarded(&operator.clone().with("Host", "evil.example").get("/"), "421");
    is_guarded(&site.nobody().get("/"), "303");
}

#[test]
fn a_session_is_never_taken_over_from_before_signing_in() {
    let site = Site::start();
    let (_, path) = site.link("o", &["operator"], None);
    let planted = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut browser = site.nobody();
    browser.cookies.insert("oncegate".into(), planted.into());
    assert_eq!(browser.post(&path, &[]).status, 303);
    assert_ne!(browser.cookies["oncegate"], planted, "signing in gives a new one");
    let mut attacker = site.nobody();
    attacker.cookies.insert("oncegate".into(), planted.into());
    assert_eq!(attacker.get("/").header("location").as_deref(), Some("/sign-in"));
    // Somebody who signs in where somebody is signed in ends that session.
    let mut before = browser.clone();
    let (_, path) = site.link("p", &["operator"], None);
    assert_eq!(browser.post(&path, &[]).status, 303);
    assert_eq!((before.get("/").status, browser.get("/").status), (303, 200));
    let set = browser.clone().post(&site.link("p", &["operator"], None).1, &[]).header("set-cookie").expect("a cookie");
    assert!(
        set.contains("; HttpOnly") && set.contains("; SameSite=Lax") && set.contains("; Path=/") && !set.contains("Domain"),
        "{set}"
    );
}

#[test]
fn a_link_that_was_forged_guessed_or_used_signs_in_nobody() {
    let site = Site::start();
    let (_, path) = site.link("o", &["operator"], None);
    let cut = &path[..path.len() - 1];
    for forged in [
        "/sign-in/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        cut,
        &format!("{path}A"),
        &path.to_ascii_lowercase(),
        "/sign-in/%20",
    ] {
        for method in ["GET", "POST"] {
            let mut browser = site.nobody();
            let response = browser.send(method, forged, "");
            assert_eq!((response.status, response.code().as_str()), (410, "OG-CON-003"), "{method} {forged}");
            assert!(browser.cookies.is_empty());
        }
    }
    // Looking at it, as programs do that look into letters, uses it up no more than asking for its head.
    for method in ["GET", "HEAD", "GET"] {
        assert_eq!(site.nobody().send(method, &path, "").status, 200);
    }
    assert_eq!(site.nobody().post(&path, &[]).status, 303);
    assert_eq!(site.nobody().post(&path, &[]).status, 410, "used twice");
    assert_eq!(site.nobody().get(&path).status, 410);
    let (_, path) = site.link("o", &["operator"], None);
    site.tell(Command::SignOut("o".into()));
    assert_eq!(site.nobody().get(&path).status, 410, "whoever is signed out has no links either");
}

#[test]
fn no_address_leads_out_of_the_console() {
    let site = Site::start();
    let mut operator = site.operator();
    operator.get("/");
    let (_, link) = site.link("o", &["operator"], None);
    let evil = [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "%0d%0aLocation:%20https://evil.example",
    ];
    let mut browsers = [operator, site.nobody()];
    for evil in evil {
        let targets = [
            format!("/{evil}"),
            format!("/sign-in?next={evil}"),
            format!("/?return={evil}"),
            format!("/log/{evil}"),
            format!("/sign-in/{evil}"),
            format!("{link}?next={evil}"),
            format!("/?language=ru&next={evil}"),
            evil.replace(' ', ""),
        ];
        for (browser, target) in
            browsers.iter_mut().flat_map(|browser| targets.iter().map(move |target| (browser.clone(), target)))
        {
            for method in ["GET", "POST"] {
                let mut browser = browser.clone();
                let form = format!("token={}&q={}&next={}", browser.token, escaped(evil), escaped(evil));
                let octets = browser.octets(method, target, &form);
                let Some(response) = raw(site.address, octets.as_bytes()) else { continue };
                for location in response.headers("location") {
                    let is_ours =
                        location.starts_with('/') && !location.starts_with("//") && !location.contains(['\\', '\r', '\n']);
                    assert!(is_ours && !location.contains("evil"), "{method} {target}: {location}");
                }
                let hrefs = response.text();
                assert!(
                    !hrefs.contains("href=\"//") && !hrefs.contains("action=\"//") && !hrefs.contains("href=\"http"),
                    "{target}"
                );
                browser.takes(&response);
            }
        }
        let found = site.operator().post("/find", &[("q", evil)]);
        assert!(found.header("location").is_none_or(|location| location.starts_with("/log")), "{evil}: {}", found.head);
    }
}

#[test]
fn tricks_with_paths_lead_nowhere() {
    let site = Site::start();
    let mut operator = site.operator();
    let long = format!("/{}", "a".repeat(7_000));
    for (path, status) in [
        ("/%2e%2e/log", 404),
        ("/log/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/log/..", 404),
        ("/assets/..%2f..%2fetc%2fpasswd", 404),
        ("/log%2f0", 404),
        ("/log/%00", 404),
        ("/log/0%00", 404),
        ("/log/%", 404),
        ("/log/%zz", 404),
        ("/log/%+1", 404),
        ("/log/%c3%28", 404),
        ("//log", 404),
        ("/log/", 404),
        ("/LOG", 404),
        ("/log/+0", 404),
        ("/log/%2b0", 404),
        ("/log/00", 404),
        ("/log/-1", 404),
        ("/log/18446744073709551616", 404),
        ("/log;a=b", 404),
        ("/help/../log", 404),
        ("/l%6fg", 200),
        ("/sign-in/..", 410),
        (&long, 404),
    ] {
        let response = operator.get(path);
        assert_eq!(response.status, status, "{path}");
        is_guarded(&response, path);
    }
    // Longer than a head may be.
    let octets = operator.octets("GET", &format!("/{}", "a".repeat(100_000)), "");
    let refused = raw(site.address, octets.as_bytes());
    assert!(refused.is_none_or(|response| (400..500).contains(&response.status)));
    assert_eq!(operator.get("/").status, 200);
}

#[test]
fn tricks_with_headers_are_refused() {
    let site = Site::start();
    let operator = site.operator();
    let get = |more: &[(&str, &str)]| {
        let browser = more.iter().fold(operator.clone(), |browser, (name, value)| browser.with(name, value));
        let octets = browser.octets("GET", "/", "");
        raw(site.address, octets.as_bytes()).map(|response| response.status)
    };
    let own = site.address.to_string();
    let port = site.address.port();
    for foreign in [
        "evil.example",
        &format!("evil.example:{port}"),
        &format!("127.0.0.1.evil.example:{port}"),
        "",
        &format!("user@{own}"),
        &format!("{own}, evil.example"),
    ] {
        assert!(matches!(get(&[("Host", foreign)]), Some(421 | 400)), "{foreign}: {:?}", get(&[("Host", foreign)]));
    }
    assert_eq!(get(&[("Host", &own)]), Some(200));
    assert_eq!(get(&[("Host", &format!("localhost:{port}"))]), Some(200));
    for (first, second) in [(own.as_str(), "evil.example"), ("evil.example", own.as_str()), (own.as_str(), own.as_str())] {
        assert_eq!(get(&[("Host", first), ("Host", second)]), Some(400), "two hosts: {first}, {second}");
    }
    // What is meant for proxies means nothing here.
    for name in [
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Forwarded",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
    ] {
        let octets = operator.clone().with(name, "evil.example").octets("GET", "/about", "");
        let response = raw(site.address, octets.as_bytes()).expect("an answer");
        assert!(response.status == 200 && !response.text().contains("evil"), "{name}");
    }
    // A target with a host of its own counts more than the field (RFC 9112, section 3.2.2).
    let octets = operator.octets("GET", "http://evil.example/", "");
    assert_eq!(raw(site.address, octets.as_bytes()).map(|response| response.status), Some(421));
    let octets = operator.octets("GET", &format!("http://{own}/"), "");
    assert_eq!(raw(site.address, octets.as_bytes()).map(|response| response.status), Some(200));
    // Of two cookies with one name nobody knows which is ours.
    let shown = &operator.cookies["oncegate"];
    for cookies in [
        format!("oncegate={shown}; oncegate=x"),
        format!("oncegate=x; oncegate={shown}"),
        format!("oncegate=\"{shown}\""),
        format!("ONCEGATE={shown}"),
    ] {
        let mut browser = site.nobody().with("Cookie", &cookies);
        assert_eq!(browser.get("/").header("location").as_deref(), Some("/sign-in"), "{cookies}");
    }
    let mut browser = site.nobody().with("Cookie", &format!("a=b; oncegate={shown}")).with("Cookie", "c=d");
    assert_eq!(browser.get("/").status, 200);
}

#[test]
fn other_methods_do_nothing() {
    let site = Site::start();
    let mut operator = site.operator();
    let head = operator.send("HEAD", "/log", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    is_guarded(&head, "HEAD");
    for method in ["OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "PROPFIND", "get"] {
        let octets = operator.octets(method, "/log", "");
        let response = raw(site.address, octets.as_bytes()).expect("an answer");
        assert!(matches!(response.status, 405 | 400 | 421), "{method}: {}", response.status);
        assert!(
            !response.text().contains("Cookie:") && !response.text().contains(&operator.cookies["oncegate"]),
            "{method} echoes"
        );
        if response.status == 405 {
            assert_eq!(response.header("allow").as_deref(), Some("GET, HEAD"), "{method} (RFC 9110, section 15.5.6)");
        }
    }
    assert_eq!(operator.get("/find").header("allow").as_deref(), Some("POST"));
    assert_eq!(operator.get("/sign-out").status, 405, "nobody is signed out by a picture");
    assert_eq!(operator.get("/").status, 200);
}

#[test]
fn no_cell_of_a_file_is_a_formula() {
    let site = Site::prepared("", &add_tricky);
    let csv = site.auditor().get("/agencies?as=csv&table=agencies");
    assert_eq!(csv.header("content-disposition").as_deref(), Some("attachment; filename=\"agencies.csv\""));
    let text = csv.text();
    assert!(text.contains("'=1+cmd|' /C calc'!A0"), "{text}");
    let begins = |line: &str| line.split(',').any(|cell| cell.trim_matches('"').starts_with(['=', '+', '-', '@']));
    assert!(!text.lines().any(begins), "{text}");
}

#[test]
fn whoever_is_signed_out_by_the_operator_is_out_at_once() {
    let site = Site::start();
    let (mut first, mut second) = (site.auditor(), site.auditor());
    let mut other = site.operator();
    let told = site.tell(Command::SignOut("a.petrova".into()));
    assert_eq!(told.taken, ["2 sessions of a.petrova were ended"]);
    for browser in [&mut first, &mut second] {
        assert_eq!(browser.get("/").header("location").as_deref(), Some("/sign-in"));
    }
    assert_eq!(other.get("/").status, 200);
    // By the form of the page, too; and the cookie is of no use afterwards.
    let kept = other.clone();
    assert_eq!(other.post("/sign-out", &[]).status, 303);
    assert!(other.cookies.is_empty());
    assert_eq!(kept.clone().get("/").status, 303);
}

#[test]
fn each_look_at_a_person_is_on_record_before_it_is_shown_and_the_person_finds_it() {
    let site = Site::prepared("", &add_portal);
    let (asked, _) = site.ask(SCHOOL, Behaviour::Honest, WHY);
    let mut auditor = site.auditor();
    let person = format!("{}|{}", asked.person.scheme(), asked.person.value());
    let before = site.records(&mut auditor);
    assert_eq!(auditor.post("/find", &[("q", &person)]).status, 200, "a reason is asked for");
    for reason in ["", " ", "\t"] {
        assert_eq!(auditor.post("/log/search", &[("person", &person), ("reason", reason)]).status, 400);
    }
    assert_eq!(site.records(&mut auditor), before, "nothing was looked for yet");
    let found = auditor.post("/log/search", &[("person", &person), ("reason", "case 4711")]);
    let location = found.header("location").expect("where to");
    assert!(!location.contains(asked.person.value()));
    // It is there before what was found is asked for.
    assert_eq!(site.records(&mut auditor), before + 1);
    let shown: Value = serde_json::from_str(&auditor.get(&format!("{location}&as=json")).text()).expect("JSON");
    let rows = shown.as_array().expect("rows");
    assert!(rows.iter().any(|row| row["from"] == SCHOOL && row["kind"] == "req"), "{shown}");
    // The search itself is among what concerns the person, under the auditor's agency.
    assert!(rows.iter().any(|row| row["from"] == AUDITOR && row["kind"] == "aud" && row["result"] == "search-person"), "{shown}");
    // So is whoever opens what is private about the person's record; and all of it is in the trail that the person is shown.
    let question = rows.iter().find(|row| row["kind"] == "req").expect("a question")["index"].to_string();
    assert_eq!(auditor.post(&format!("/log/{question}/open"), &[("reason", "case 4711")]).status, 303);
    let trail = trail(&site, &asked.person);
    assert_eq!(trail.matches(&format!("\"{AUDITOR}\"")).count(), 2, "{trail}");
    assert!(trail.contains("search-person") && trail.contains("read-private"), "{trail}");
    // Another's ticket is of no use.
    assert_eq!(site.auditor().get(&location).code(), "OG-CON-004");
    let mut nobody: Browser = site.nobody();
    assert_eq!(nobody.get(&location).status, 303);
}

pub const PORTAL: &str = "xx.audit.portal";

/// Who shows people their trail.
pub fn add_portal(installation: &Installation) {
    let config = Config::load(&installation.config()).expect("a configuration");
    let id = AgencyId::parse(PORTAL).expect("an agency");
    let agency = NewAgency { id: &id, name: "A portal", url: None, holds: &[], more: "roles = [\"portal\"]\n" };
    installation.add_agency(&agency, &format!("https://{}", config.exchange.listen)).expect("added");
}

/// What a person is shown of who has looked at them.
pub fn trail(site: &Site, of: &Identifier) -> String {
    let code = |text| Code::parse(text).expect("a code");
    let client = site.world.demo().client(PORTAL).expect("an agency");
    let ask = Ask { document_type: code("access-trail"), of: None, select: Vec::new(), during: None };
    let subject = Subject { identifiers: vec![of.clone()], ..Default::default() };
    let context = Context::new(code("citizen-trail"), "XX:ACCESS:15", subject);
    let request = client.request(ask, context, None, MessageWorld::Live).expect("signed").octets;
    let received = site.world.block_on(client.post_to("/v1/trail", "application/xml", request)).expect("a response");
    assert_eq!(received.status.as_u16(), 200);
    String::from_utf8_lossy(&received.body).into_owned()
}
