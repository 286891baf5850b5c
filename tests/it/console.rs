//! The pages for people: who may see what, held against a table that is written out here; and a browser for the tests of the pages.

use crate::process::LONG;
use crate::world::{QUICK, World};
use oncegate::base::ids::{Code, Identifier};
use oncegate::faces::client::{Client, Signed, problem_of};
use oncegate::faces::console::ROUTES;
use oncegate::host::config::{Config, Duty};
use oncegate::host::control::{Command, call};
use oncegate::message::envelope::{Ask, Context, Official, World as MessageWorld};
use oncegate::program::demo::Behaviour;
use oncegate::program::setup::Installation;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

pub const SCHOOL: &str = "xx.demo.school-17";
pub const FUND: &str = "xx.demo.social-fund";
pub const AUDITOR: &str = "xx.demo.auditor";
/// What somebody may be, with the agency for which they are it.
pub const SEATS: [(Duty, Option<&str>); 6] = [
    (Duty::Operator, None),
    (Duty::Auditor, Some(AUDITOR)),
    (Duty::Curator, None),
    (Duty::Desk, Some(SCHOOL)),
    (Duty::Security, None),
    (Duty::Agency, Some(SCHOOL)),
];

/// A world whose gateway has pages.
pub struct Site {
    pub world: World,
    pub address: SocketAddr,
}

impl Site {
    pub fn start() -> Self {
        Self::prepared("", &|_| {})
    }

    /// With further lines of `[console]`, and something done to the installation before anything starts.
    pub fn prepared(console: &str, prepare: &(dyn Fn(&Installation) + Sync)) -> Self {
        Self::at("127.0.0.1:0", console, prepare)
    }

    pub fn at(listen: &str, console: &str, prepare: &(dyn Fn(&Installation) + Sync)) -> Self {
        let config = format!("{QUICK}\n[console]\nlisten = \"{listen}\"\n{console}");
        let world = World::prepared(&config, &[], prepare);
        let mut site = Self { world, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        // It says where it listens.
        let (address, _) = site.link("somebody", &["operator"], None);
        site.address = address;
        site
    }

    pub fn tell(&self, command: Command) -> oncegate::host::control::Answer {
        call(&self.data(), command).expect("it can be told").expect("it runs")
    }

    fn data(&self) -> PathBuf {
        Config::load(&self.world.demo().installation().config()).expect("a configuration").data
    }

    /// A link that is good once: where, and the path there.
    pub fn link(&self, name: &str, roles: &[&str], agency: Option<&str>) -> (SocketAddr, String) {
        let link = self.url(name, roles, agency);
        let (_, rest) = link.split_once("://").expect("a URL");
        let (host, path) = rest.split_once('/').expect("a path");
        (host.parse().expect("an address"), format!("/{path}"))
    }

    pub fn url(&self, name: &str, roles: &[&str], agency: Option<&str>) -> String {
        let who = json!({ "name": name, "agency": agency, "roles": roles });
        let answer = self.tell(Command::Link(who.to_string()));
        answer.link.unwrap_or_else(|| panic!("{:?}", answer.refused))
    }

    /// Somebody who has not signed in.
    pub fn nobody(&self) -> Browser {
        Browser::new(self.address)
    }

    /// Somebody who has signed in by a link.
    pub fn browser(&self, name: &str, roles: &[&str], agency: Option<&str>) -> Browser {
        let mut browser = self.nobody();
        let (_, path) = self.link(name, roles, agency);
        assert_eq!(browser.get(&path).status, 200);
        let response = browser.post(&path, &[]);
        assert_eq!((response.status, response.header("location")), (303, Some("/".to_owned())), "{}", response.text());
        browser.get("/about");
        assert!(!browser.token.is_empty(), "forms have a token");
        browser
    }

    pub fn auditor(&self) -> Browser {
        self.browser("a.petrova", &["auditor"], Some(AUDITOR))
    }

    pub fn operator(&self) -> Browser {
        self.browser("i.petersen", &["operator"], None)
    }

    /// How many records the log has.
    pub fn records(&self, auditor: &mut Browser) -> u64 {
        let rows: Value = serde_json::from_str(&auditor.get("/log?as=json").text()).expect("JSON");
        rows[0]["index"].as_u64().expect("an index") + 1
    }

    /// An agency asks about somebody whose register behaves like this, for the purpose that it has, with an official and further words
    /// of its own; gives the person and the status.
    pub fn ask(&self, agency: &str, behaviour: Behaviour, why: (&str, &str)) -> (Asked, u16) {
        let client = self.world.demo().client(agency).expect("an agency");
        let (asked, signed) = self.question(&client, behaviour, why);
        let received = self.world.block_on(client.post(signed.octets, "wait=30", LONG)).expect("a response");
        let status = received.status.as_u16();
        assert!(status == 200 || !problem_of(&received).code.is_empty());
        (asked, status)
    }

    pub fn question(&self, client: &Client, behaviour: Behaviour, why: (&str, &str)) -> (Asked, Signed) {
        let code = |text| Code::parse(text).expect("a code");
        let person = &self.world.demo().people()[behaviour.household() as usize * 4];
        let official = Identifier::synthetic(500);
        let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
        let mut context = Context::new(code(why.0), why.1, person.subject());
        context.official = Some(Official { identifier: official.clone(), role: code("registrar") });
        let signed = client.request(ask, context, None, MessageWorld::Live).expect("signed");
        let personal = [person.identifier.value(), official.value(), &person.family, &person.born.to_string()].map(str::to_owned);
        (Asked { person: person.identifier.clone(), personal: personal.to_vec() }, signed)
    }
}

/// What is personal about a question: it is in no page.
pub struct Asked {
    pub person: Identifier,
    pub personal: Vec<String>,
}

/// What has come.
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    fn parse(octets: &[u8]) -> Option<Self> {
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&octets[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut this = Self { status, head, body: octets[end + 4..].to_vec() };
        if this.header("transfer-encoding").as_deref() == Some("chunked") {
            this.body = unchunked(&this.body);
        }
        Some(this)
    }

    /// All values of a field, in order.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).collect()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers(name).into_iter().next()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn is_html(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    /// The code of a page of a refusal.
    pub fn code(&self) -> String {
        let text = self.text();
        let at = text.find("href=\"/help/").map_or(text.len(), |at| at + "href=\"/help/".len());
        text[at..].chars().take_while(|c| *c != '"').collect()
    }

    /// All octets, as a text.
    fn whole(&self) -> String {
        format!("{}\n{}", self.head, self.text())
    }
}

fn unchunked(mut octets: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = octets.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&octets[..end]).unwrap_or("").trim(), 16).unwrap_or(0);
        let chunk = &octets[end + 2..];
        body.extend_from_slice(&chunk[..length.min(chunk.len())]);
        if length == 0 || length + 2 > chunk.len() {
            break;
        }
        octets = &chunk[length + 2..];
    }
    body
}

/// Sends octets as they are, and reads what comes: to its end, or, of a stream that goes on, its beginning.
pub fn raw(address: SocketAddr, octets: &[u8]) -> Option<Response> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LONG)).expect("settable");
    stream.write_all(octets).ok()?;
    let (mut came, mut part) = (Vec::new(), [0; 16 << 10]);
    loop {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(count) => came.extend_from_slice(&part[..count]),
        }
        let is_stream = came.windows(17).any(|words| words == b"text/event-stream");
        if is_stream && came.ends_with(b"\n\n\r\n") {
            break;
        }
    }
    Response::parse(&came)
}

/// A browser without scripts: it keeps cookies, and goes nowhere by itself.
#[derive(Clone)]
pub struct Browser {
    pub address: SocketAddr,
    pub cookies: BTreeMap<String, String>,
    pub token: String,
    pub headers: Vec<(String, String)>,
}

impl Browser {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, cookies: BTreeMap::new(), token: String::new(), headers: Vec::new() }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn get(&mut self, target: &str) -> Response {
        self.send("GET", target, "")
    }

    /// Sends a form, with the token of the last page.
    pub fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Response {
        let token = [("token", self.token.clone())];
        let fields = fields.iter().map(|(key, value)| (*key, (*value).to_owned())).chain(token);
        let form: Vec<String> = fields.map(|(key, value)| format!("{key}={}", escaped(&value))).collect();
        self.send("POST", target, &form.join("&"))
    }

    pub fn send(&mut self, method: &str, target: &str, form: &str) -> Response {
        let octets = self.octets(method, target, form);
        let response = raw(self.address, octets.as_bytes()).unwrap_or_else(|| panic!("no answer to {method} {target}"));
        self.takes(&response);
        response
    }

    /// A request as it is sent.
    pub fn octets(&self, method: &str, target: &str, form: &str) -> String {
        let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            head += &format!("Cookie: {}\r\n", cookies.join("; "));
        }
        if method == "POST" {
            head += &format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", form.len());
        }
        format!("{head}\r\n{form}")
    }

    /// Keeps what a response gives: cookies, and the token of its forms.
    pub fn takes(&mut self, response: &Response) {
        for cookie in response.headers("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((&cookie, ""));
            let (name, value) = pair.split_once('=').expect("a cookie");
            if value.is_empty() || attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = response.text();
        if let Some((_, after)) = text.split_once("name=\"token\" value=\"") {
            let token: String = after.chars().take_while(|c| *c != '"').collect();
            self.token = if token.is_empty() { self.token.clone() } else { token };
        }
    }
}

pub fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What every response says to browsers.
pub fn is_guarded(response: &Response, what: &str) {
    let policy = response.header("content-security-policy").unwrap_or_default();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    for (name, value) in [("x-frame-options", "DENY"), ("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin")]
    {
        assert_eq!(response.header(name).as_deref(), Some(value), "{what}: {name}");
    }
    assert!(response.header("cache-control").is_some(), "{what}");
}

/// A row of the table: method, template of the path, path, form, and what comes of it for nobody, the operator, an auditor, a curator, a
/// desk, security and an agency. In paths and forms `{own}` is a record of the agency, `{other}` one of others, `{person}` somebody.
type Line = (&'static str, &'static str, &'static str, &'static str, [u16; 7]);

const NO_CASE: &str = "/cases/01990a5c-0000-7000-8000-000000000001";
const NO_CASE_REMIND: &str = "/cases/01990a5c-0000-7000-8000-000000000001/remind";
const NO_CASE_REASSIGN: &str = "/cases/01990a5c-0000-7000-8000-000000000001/reassign";
const NO_CASE_NOTE: &str = "/cases/01990a5c-0000-7000-8000-000000000001/note";
const NO_CASE_ANSWERS: &str = "/cases/01990a5c-0000-7000-8000-000000000001/answers";
const NO_CASE_LINK: &str = "/cases/01990a5c-0000-7000-8000-000000000001/link";
const NO_CASE_WITHDRAW: &str = "/cases/01990a5c-0000-7000-8000-000000000001/withdraw";

/// All routes. What is not here does not pass; what is here and is no route does not either.
const TABLE: &[Line] = &[
    ("GET", "/", "/", "", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/log", "/log", "", [303, 200, 200, 403, 403, 200, 200]),
    ("GET", "/log", "/log?as=csv", "", [303, 200, 200, 403, 403, 200, 200]),
    ("GET", "/log", "/log?as=json", "", [303, 200, 200, 403, 403, 200, 200]),
    ("GET", "/log", "/log?language=ru", "", [303, 200, 200, 403, 403, 200, 200]),
    ("GET", "/log", "/log?person={person}", "", [303, 400, 400, 403, 403, 400, 400]),
    ("GET", "/log", "/log?ticket={ticket}", "", [303, 410, 410, 403, 403, 410, 410]),
    ("POST", "/find", "/find", "q={own}", [303, 303, 303, 303, 303, 303, 303]),
    ("POST", "/find", "/find", "q={person}", [303, 403, 200, 403, 403, 403, 403]),
    ("POST", "/log/search", "/log/search", "person={person}&reason=a+reason", [303, 403, 303, 403, 403, 403, 403]),
    ("GET", "/log/{index}", "/log/{own}", "", [303, 200, 200, 403, 403, 200, 200]),
    ("GET", "/log/{index}", "/log/{own}?language=ru", "", [303, 200, 200, 403, 403, 200, 200]),
    ("GET", "/log/{index}", "/log/{other}", "", [303, 200, 200, 403, 403, 200, 404]),
    ("GET", "/log/{index}", "/log/{own}?ticket={ticket}", "", [303, 200, 200, 403, 403, 200, 200]),
    ("GET", "/log/{index}", "/log/99999", "", [303, 404, 404, 403, 403, 404, 404]),
    ("POST", "/log/{index}/open", "/log/{own}/open", "reason=a+reason", [303, 403, 303, 403, 403, 403, 403]),
    ("GET", "/log/{index}/receipt", "/log/{own}/receipt", "", [303, 200, 200, 403, 403, 200, 200]),
    ("GET", "/log/{index}/receipt", "/log/{other}/receipt", "", [303, 200, 200, 403, 403, 200, 404]),
    ("GET", "/agencies", "/agencies", "", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/agencies", "/agencies?as=csv", "", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/agencies/{id}", "/agencies/xx.demo.school-17", "", [303, 200, 200, 200, 403, 200, 200]),
    ("GET", "/agencies/{id}", "/agencies/xx.demo.social-fund", "", [303, 200, 200, 200, 403, 200, 404]),
    ("GET", "/cases", "/cases", "", [303, 200, 200, 200, 200, 403, 200]),
    ("GET", "/cases", "/cases?as=csv&table=cases", "", [303, 200, 200, 200, 200, 403, 200]),
    ("GET", "/cases/{id}", NO_CASE, "", [303, 404, 404, 404, 404, 403, 404]),
    ("POST", "/cases/{id}/remind", NO_CASE_REMIND, "step=x", [303, 403, 403, 404, 403, 403, 403]),
    ("POST", "/cases/{id}/reassign", NO_CASE_REASSIGN, "step=x&to=xx.demo.school-17", [303, 403, 403, 404, 403, 403, 403]),
    ("POST", "/cases/{id}/note", NO_CASE_NOTE, "note=x", [303, 403, 403, 404, 403, 403, 403]),
    ("GET", "/desk", "/desk", "", [303, 403, 403, 403, 200, 403, 403]),
    ("POST", "/desk", "/desk", "person=x", [303, 403, 403, 403, 400, 403, 403]),
    ("POST", "/cases/{id}/answers", NO_CASE_ANSWERS, "f.x=true", [303, 403, 403, 403, 404, 403, 403]),
    ("POST", "/cases/{id}/link", NO_CASE_LINK, "", [303, 403, 403, 403, 404, 403, 403]),
    ("POST", "/cases/{id}/withdraw", NO_CASE_WITHDRAW, "", [303, 403, 403, 403, 404, 403, 403]),
    ("GET", "/security", "/security", "", [303, 200, 403, 403, 403, 200, 403]),
    ("GET", "/situations", "/situations", "", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/situations/{id}", "/situations/none", "", [303, 404, 404, 404, 404, 404, 404]),
    ("POST", "/situations/{id}/effect", "/situations/none/effect", "file=x.toml&text=x", [303, 404, 403, 404, 403, 403, 403]),
    ("GET", "/documents", "/documents", "", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/documents/{type}", "/documents/medical-absence-note", "", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/explain", "/explain", "", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/queue", "/queue", "", [303, 200, 403, 403, 403, 403, 403]),
    ("GET", "/state", "/state", "", [303, 200, 403, 403, 403, 200, 403]),
    ("GET", "/quality", "/quality", "", [303, 200, 200, 200, 403, 403, 403]),
    ("GET", "/quality/priorities", "/quality/priorities", "", [303, 200, 200, 200, 403, 403, 403]),
    ("GET", "/quality/agreement", "/quality/agreement", "", [303, 200, 200, 200, 403, 403, 403]),
    ("GET", "/quality/channels", "/quality/channels?agency=", "", [303, 200, 200, 200, 403, 403, 403]),
    ("GET", "/quality/laboratories", "/quality/laboratories", "", [303, 200, 200, 200, 403, 403, 403]),
    ("GET", "/quality/{organisation}", "/quality/xx.demo.school-17", "", [303, 200, 200, 200, 403, 403, 403]),
    ("GET", "/s/{token}", "/s/guessed", "", [410; 7]),
    ("POST", "/s/{token}", "/s/guessed", "process=5", [410; 7]),
    ("GET", "/decisions", "/decisions", "", [303, 200, 200, 403, 403, 403, 403]),
    ("POST", "/log/{index}/propose", "/log/99999/propose", "measure=shred&reason=x", [303, 409, 409, 403, 403, 403, 403]),
    (
        "POST",
        "/decisions/{index}",
        "/decisions/99999",
        "measure=shred&verdict=carry-out&reason=x",
        [303, 409, 409, 403, 403, 403, 403],
    ),
    ("GET", "/complaints", "/complaints", "", [303, 403, 200, 403, 403, 403, 403]),
    ("POST", "/complaints/{index}", "/complaints/0", "text=x", [303, 403, 404, 403, 403, 403, 403]),
    ("GET", "/my/{link}", "/my/guessed", "", [410; 7]),
    ("GET", "/my/{link}/proof/{index}", "/my/guessed/proof/{own}", "", [410; 7]),
    ("GET", "/my/{link}/complain/{index}", "/my/guessed/complain/{own}", "", [410; 7]),
    ("POST", "/my/{link}/complain/{index}", "/my/guessed/complain/{own}", "text=x", [410; 7]),
    ("GET", "/help", "/help", "", [200; 7]),
    ("GET", "/help/{code}", "/help/OG-POL-002", "", [200; 7]),
    ("GET", "/about", "/about", "", [200; 7]),
    ("GET", "/sign-in", "/sign-in", "", [200, 303, 303, 303, 303, 303, 303]),
    ("GET", "/sign-in/provider", "/sign-in/provider", "", [404; 7]),
    ("GET", "/sign-in/callback", "/sign-in/callback?code=c&state=s", "", [404; 7]),
    ("GET", "/sign-in/{link}", "/sign-in/guessed", "", [410; 7]),
    ("POST", "/sign-in/{link}", "/sign-in/guessed", "", [410; 7]),
    ("GET", "/live", "/live", "", [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/assets/{file}", "{style}", "", [200; 7]),
    ("GET", "/assets/{file}", "/assets/another.css", "", [404; 7]),
    // The last one, since it ends the session.
    ("POST", "/sign-out", "/sign-out", "", [303; 7]),
];

#[test]
fn each_role_sees_its_pages_and_no_others() {
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    let listed: BTreeSet<_> = TABLE.iter().map(|(method, path, ..)| (*method, *path)).collect();
    assert_eq!(routes, listed, "the table of this test lists all routes, and nothing else");

    let site = Site::start();
    let why = ("school-attendance", "XX:HEALTH:13");
    let (mine, status) = site.ask(SCHOOL, Behaviour::Honest, why);
    assert_eq!(status, 200);
    // What the register says of others than was asked, and what another agency asks in vain.
    let (strange, status) = site.ask(SCHOOL, Behaviour::WrongSubject, why);
    assert_ne!(status, 200);
    let (others, status) = site.ask(FUND, Behaviour::Honest, why);
    assert_eq!(status, 403);
    let mut auditor = site.auditor();
    // The oldest of an agency; the newest comes first.
    let find = |rows: &str, agency: &str| {
        let rows: Value = serde_json::from_str(rows).expect("JSON");
        let found = rows.as_array().expect("rows").iter().rfind(|row| row["from"] == agency).cloned();
        found.expect("a record")["index"].to_string()
    };
    let rows = auditor.get("/log?as=json").text();
    let (own, other) = (find(&rows, SCHOOL), find(&rows, FUND));
    // A ticket of somebody else's session.
    let opened = auditor.post(&format!("/log/{own}/open"), &[("reason", "an audit")]);
    let ticketed = opened.header("location").expect("where to go");
    let ticket = ticketed.rsplit('=').next().expect("a ticket").to_owned();
    let mut personal: BTreeSet<String> = [mine.personal, strange.personal, others.personal].into_iter().flatten().collect();
    personal.insert(site.world.demo().people()[3].identifier.value().to_owned());
    let shown = auditor.get(&ticketed).text();
    assert!(shown.contains(mine.person.value()), "an auditor who has said why sees whom it is about");

    let style = auditor.get("/about").text();
    let style: String =
        style.split("stylesheet\" href=\"").nth(1).expect("a style sheet").chars().take_while(|c| *c != '"').collect();
    let person = escaped(&format!("{}|{}", mine.person.scheme(), mine.person.value()));
    let filled = |text: &str| {
        [("{own}", &own), ("{other}", &other), ("{person}", &person), ("{ticket}", &ticket), ("{style}", &style)]
            .iter()
            .fold(text.to_owned(), |text, (place, with)| text.replace(place, with))
    };
    let mut wrong = Vec::new();
    for (at, seat) in std::iter::once(None).chain(SEATS.map(Some)).enumerate() {
        let name = seat.map_or("nobody", |(duty, _)| duty.as_str());
        let mut browser =
            seat.map_or_else(|| site.nobody(), |(duty, agency)| site.browser("i.petersen", &[duty.as_str()], agency));
        browser.get("/about");
        for (method, _, path, form, statuses) in TABLE {
            let (path, form) = (filled(path), filled(form));
            let response = browser.send(method, &path, &format!("{form}&token={}", browser.token.clone()));
            let what = format!("{name}: {method} {path} {form}");
            if response.status != statuses[at] {
                wrong.push(format!("{what}: {}, not {}", response.status, statuses[at]));
            }
            is_guarded(&response, &what);
            // Only what an auditor has written into the box themselves is shown again, in the form that asks why.
            let is_echo = name == "auditor" && path == "/find" && response.status == 200;
            let whole = response.whole();
            if let Some(found) = personal.iter().find(|text| !is_echo && whole.contains(text.as_str())) {
                wrong.push(format!("{what}: shows {found}"));
            }
            if response.status == 303 && at == 0 {
                assert_eq!(response.header("location").as_deref(), Some("/sign-in"), "{what}");
            }
            let has_name = personal.iter().any(|text| response.head.contains(text.as_str()));
            assert!(!has_name, "{what}: an address has it: {}", response.head);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What was opened is closed for whoever comes without the ticket.
    assert!(!auditor.get(&format!("/log/{own}")).text().contains(mine.person.value()));
}
