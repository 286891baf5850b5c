//! The pages for people in a browser: Chromium, with axe-core and html-validate as judges (`tests/peers/browser.js`).

use crate::console::{AUDITOR, SCHOOL, Site};
use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::{root, said};
use oncegate::program::demo::Behaviour;
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
    "/situations",
    "/documents",
    "/documents/medical-absence-note",
    "/explain",
    "/queue",
    "/state",
    "/quality",
    "/help",
    "/help/OG-POL-002",
    "/about",
    "404:/nowhere",
    "400:/log?limit=-1",
    "410:/sign-in/guessed",
    "out:/sign-in",
];

const ALL: &[&str] = &["operator", "auditor", "curator", "security"];

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

#[test]
fn every_page_is_good_for_everybody_in_two_languages_wide_and_narrow_light_and_dark() {
    let site = site();
    let link = site.url("a.petrova", ALL, Some(AUDITOR));
    let said = browser(&[&["walk", &link], PAGES].concat());
    let (last, wrong) = said.split_last().expect("a last line");
    let wrong: Vec<String> = wrong.iter().map(Value::to_string).collect();
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(last["looked"], PAGES.len() * 8);
}

#[test]
fn an_auditor_finds_an_exchange_and_takes_its_proof_home_with_scripts_and_without() {
    let site = Site::start();
    let (asked, _) = site.ask(SCHOOL, Behaviour::Honest, ("school-attendance", "XX:HEALTH:13"));
    let person = format!("{} {}", asked.person.scheme(), asked.person.value());
    for mode in ["wide", "narrow", "plain"] {
        let folder = Folder::new();
        let link = site.url("a.petrova", &["auditor"], Some(AUDITOR));
        let said = browser(&["auditor", &link, &person, &folder.path().display().to_string(), mode]);
        let text = |key: &str| said[0][key].as_str().unwrap_or_else(|| panic!("{mode}: {said:?}")).to_owned();
        assert!(
            !text("before").contains(asked.person.value()) && text("after").contains(asked.person.value()),
            "{mode}: {said:?}"
        );
        assert_eq!(said[0]["wrong"].as_array().map(Vec::len), Some(0), "{mode}: {said:?}");
        // The command that the page shows, as it stands there.
        let command = text("command").replace("\\\n", " ");
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[..3], ["oncegate", "log", "verify"], "{mode}: {command}");
        let verified = Command::new(oncegate()).args(&words[1..]).current_dir(folder.path()).output().expect("it starts");
        assert!(verified.status.success(), "{mode}: {}", crate::tool::said(&verified));
        let told = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(told.contains(&format!("record {}", text("record"))), "{mode}: {told}");
    }
}

/// A console on which all is wrong that is looked for.
fn wrong_site() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let page = format!(
        "<html><head><title>x</title></head><body><h1>x</h1><h3>x</h3><img src=\"http://localhost:{}/x.png\"><input id=a><p id=a>\
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
