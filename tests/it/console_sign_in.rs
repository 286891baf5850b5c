//! Signing in to the pages for people: by client certificate, and at a provider of OpenID Connect that is not ours.

use crate::console::{AUDITOR, Browser, Response, SCHOOL, Site, raw};
use crate::folder::Folder;
use crate::tool::{Program, free_port, root};
use oncegate::host::authority::make_root;
use oncegate::host::control::Command;
use oncegate::message::crypto::sha256;
use oncegate::message::pki::pem_blocks;
use oncegate::program::setup::Installation;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;

const TLS: &str = "certificate = \"certs/gateway.pem\"\nkey = \"certs/gateway.key\"\npeople = \"people.toml\"\n";

/// The file of people.
fn write_people(folder: &Path, people: &str) {
    fs::write(folder.join("people.toml"), format!("format = 1\n{people}")).expect("writable");
}

fn person(name: &str, more: &str) -> String {
    format!("\n[[person]]\nname = \"{name}\"\n{more}\n")
}

/// The SHA-256 of the certificate in a file.
fn print_of(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a certificate");
    sha256(&pem_blocks(&text, "CERTIFICATE")[0]).to_string()
}

/// What curl gets under TLS, with a certificate or without: status, where it is sent, and the page; none if there was no handshake.
fn curl(site: &Site, certificate: Option<(PathBuf, PathBuf)>, target: &str) -> Option<(String, String)> {
    let mut curl = process::Command::new("curl");
    curl.args(["--silent", "--max-time", "30", "--write-out", "\n%{http_code} %header{location}"]);
    curl.arg("--cacert").arg(site.world.agency_dir(SCHOOL).join("ca.pem"));
    if let Some((certificate, key)) = certificate {
        curl.arg("--cert").arg(certificate).arg("--key").arg(key);
    }
    let output = curl.arg(format!("https://{}{target}", site.address)).output().expect("curl starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (page, end) = text.rsplit_once('\n')?;
    output.status.success().then(|| (end.trim().to_owned(), page.to_owned()))
}

fn identity(site: &Site, agency: &str) -> Option<(PathBuf, PathBuf)> {
    let folder = site.world.agency_dir(agency);
    Some((folder.join("tls.pem"), folder.join("tls.key")))
}

#[test]
fn a_client_certificate_signs_in_whom_the_people_or_the_registry_know() {
    let prepare = |installation: &Installation| {
        let clinic = installation.folder().join("agencies/xx.demo.clinic-3/tls.pem");
        let entry =
            format!("agency = \"{AUDITOR}\"\nroles = [\"auditor\", \"operator\"]\ncertificate = \"{}\"", print_of(&clinic));
        write_people(installation.folder(), &person("a.petrova", &entry));
    };
    let site = Site::prepared(TLS, &prepare);
    let seen = |agency: &str, target: &str| curl(&site, identity(&site, agency), target).expect("a handshake");
    // A system of an agency sees what its agency may.
    let (status, page) = seen(SCHOOL, "/");
    assert!(status == "200" && page.contains("School 17") && !page.contains("action=\"/log/search\""), "{status}: {page}");
    assert_eq!(seen(SCHOOL, "/agencies/xx.demo.social-fund").0, "404");
    // Somebody in the file of people is who stands there, whatever else the certificate is good for.
    let (status, page) = seen("xx.demo.clinic-3", "/");
    assert!(status == "200" && page.contains("a.petrova"), "{status}: {page}");
    assert_eq!(seen("xx.demo.clinic-3", "/agencies/xx.demo.social-fund").0, "200");
    // Without one, and with one of an agency that is suspended, nobody is signed in.
    assert_eq!(curl(&site, None, "/").expect("a handshake").0, "303 /sign-in");
    assert_eq!(curl(&site, None, "/sign-in").expect("a handshake").0, "200");
    assert_eq!(seen("xx.demo.suspended", "/").0, "303 /sign-in");
    // One of another authority is refused before anything is said.
    let strange = make_root("strange", oncegate::base::time::UnixTime::from_ms(1_800_000_000_000)).expect("a root");
    let [certificate, key] = ["strange.pem", "strange.key"].map(|name| site.world.folder().join(name));
    fs::write(&certificate, strange.certificate).expect("writable");
    fs::write(&key, strange.key).expect("writable");
    assert!(curl(&site, Some((certificate, key)), "/").is_none());
    // Whoever leaves is out at once; what does not read leaves in force what was.
    let folder = site.world.demo().folder().to_owned();
    write_people(&folder, "[[person]]\nnam = \"x\"\n");
    assert!(site.tell(Command::Reload).refused.iter().any(|line| line.contains("did you mean `name`")));
    assert!(seen("xx.demo.clinic-3", "/").1.contains("a.petrova"));
    write_people(&folder, "");
    site.tell(Command::Reload);
    let (status, page) = seen("xx.demo.clinic-3", "/");
    assert!(
        status == "200" && page.contains("Clinic 3") && !page.contains("a.petrova"),
        "it is a system of an agency again: {page}"
    );
}

#[test]
fn under_tls_cookies_are_for_it_alone_and_browsers_are_told_to_stay() {
    let prepare = |installation: &Installation| write_people(installation.folder(), "");
    let site = Site::prepared(TLS, &prepare);
    let (_, path) = site.link("o", &["operator"], None);
    let mut curl = process::Command::new("curl");
    curl.args(["--silent", "--include", "--http1.1", "--data", ""])
        .arg("--cacert")
        .arg(site.world.agency_dir(SCHOOL).join("ca.pem"));
    let output = curl.arg(format!("https://{}{path}", site.address)).output().expect("curl starts");
    let head = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(head.contains("set-cookie: __host-oncegate=") && head.contains("; secure"), "{head}");
    assert!(head.contains("strict-transport-security: max-age="), "{head}");
}

/// The provider that is not ours, for consoles at these ports.
struct Foreign {
    port: u16,
    _program: Program,
}

impl Foreign {
    fn start(consoles: &[u16]) -> Self {
        let modules = root().join("target/peers/node/node_modules");
        assert!(modules.join("oidc-provider").exists(), "the peers are not installed yet: run tests/run once");
        let port = free_port();
        let redirects: Vec<String> = consoles.iter().map(|port| format!("http://127.0.0.1:{port}/sign-in/callback")).collect();
        let mut command = process::Command::new("node");
        command.env("NODE_PATH", modules).arg(root().join("tests/peers/oidc.js"));
        command.args([&port.to_string(), &redirects[0], "userinfo"]).args(&redirects[1..]);
        Self { port, _program: Program::start(command, port) }
    }
}

/// The section of a console that has a provider at this port.
fn section(port: u16, client: &str, more: &str, roles: &str) -> String {
    format!(
        "people = \"people.toml\"\n\n[console.oidc]\nissuer = \"http://127.0.0.1:{port}\"\nclient_id = \"{client}\"\n\
         scopes = \"openid profile email groups\"\n{more}\n[console.oidc.roles]\naudit-office = [{roles}]\n"
    )
}

fn site(console: u16, section: &str) -> Site {
    Site::at(&format!("127.0.0.1:{console}"), section, &|installation| write_people(installation.folder(), ""))
}

/// Where a URL leads: the address, and what is asked for there.
fn parts(url: &str) -> (SocketAddr, String) {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url}"));
    let (host, path) = rest.split_once('/').expect("a path");
    (host.parse().expect("an address"), format!("/{path}"))
}

/// Goes where a browser is sent, until it is sent to a path that begins like this; gives what is asked for there.
fn sent(browser: &mut Browser, from: &str, until: &str) -> Result<String, Response> {
    let console = browser.address;
    let mut target = from.to_owned();
    for _ in 0..20 {
        let response = browser.get(&target);
        let Some(location) = response.header("location") else {
            browser.address = console;
            return Err(response);
        };
        let (address, next) = if location.starts_with('/') { (browser.address, location) } else { parts(&location) };
        (browser.address, target) = (address, next);
        if address == console && target.starts_with(until) {
            return Ok(target);
        }
    }
    panic!("it never ends: {target}")
}

/// Signs in at the provider, up to the address with which it sends back.
fn comes_back(browser: &mut Browser) -> String {
    sent(browser, "/sign-in/provider", "/sign-in/callback?")
        .unwrap_or_else(|response| panic!("{}: {}", response.head, response.text()))
}

fn told(response: &Response) -> (u16, String) {
    (response.status, response.code())
}

#[test]
fn people_sign_in_at_their_provider_with_the_roles_of_their_groups() {
    let console = free_port();
    let foreign = Foreign::start(&[console]);
    for (client, agency, shown) in [
        ("RS256", "", "security"),
        ("EdDSA", "agency = \"xx.demo.auditor\"", "auditor, security"),
        ("ES256", "agency = \"xx.demo.gone\"", "security"),
    ] {
        let site = site(console, &section(foreign.port, client, agency, "\"auditor\", \"security\""));
        let mut browser = site.nobody();
        let page = browser.get("/sign-in").text();
        assert!(page.contains("href=\"/sign-in/provider\"") && page.contains(&format!("127.0.0.1:{}", foreign.port)), "{page}");
        let back = comes_back(&mut browser);
        let response = browser.get(&back);
        assert_eq!((response.status, response.header("location").as_deref()), (303, Some("/")), "{}", response.text());
        assert!(browser.cookies.contains_key("oncegate") && !browser.cookies.contains_key("oncegate-begun"));
        let page = browser.get("/").text();
        assert!(
            page.contains("Мария Иванова (maria)") && page.contains(&format!("<span class=\"duty\">{shown}</span>")),
            "{client}: {page}"
        );
        // It is on record, with who it was beside it.
        let mut auditor = site.auditor();
        let rows = auditor.get("/log?as=json&kind=adm").text();
        assert_eq!(rows.matches("\"sign-in\"").count(), 2, "{rows}");
        assert!(!rows.contains("maria"));
        let told = site.tell(Command::SignOut("Мария Иванова (maria)".into()));
        assert_eq!(told.taken, ["1 sessions of Мария Иванова (maria) were ended"]);
        assert_eq!(browser.get("/").status, 303);
    }
}

#[test]
fn the_file_of_people_counts_more_than_groups_and_nobody_without_a_role_gets_in() {
    let console = free_port();
    let foreign = Foreign::start(&[console]);
    // A role that needs an agency, and none is named.
    let site = site(console, &section(foreign.port, "PS256", "", "\"auditor\""));
    let folder = site.world.demo().folder().to_owned();
    let mut browser = site.nobody();
    let back = comes_back(&mut browser);
    let response = browser.get(&back);
    assert_eq!(told(&response), (403, "OG-CON-007".to_owned()));
    assert!(!browser.cookies.contains_key("oncegate"));
    assert_eq!(browser.get("/").status, 303);
    let mut auditor = site.auditor();
    assert_eq!(auditor.get("/log?as=json&kind=adm").text().matches("\"sign-in\"").count(), 1, "only the auditor has signed in");
    // With an entry she has its name, agency and roles.
    let entry = |roles: &str| person("m.ivanova", &format!("agency = \"{AUDITOR}\"\nroles = [{roles}]\nsubject = \"maria\""));
    write_people(&folder, &entry("\"auditor\""));
    site.tell(Command::Reload);
    let back = comes_back(&mut browser);
    assert_eq!(browser.get(&back).status, 303);
    let page = browser.get("/").text();
    assert!(
        page.contains("m.ivanova") && page.contains("<span class=\"duty\">auditor</span>") && !page.contains("Мария"),
        "{page}"
    );
    // Nothing changes for her while her entry is the same; with another she signs in again.
    site.tell(Command::Reload);
    assert_eq!(browser.get("/").status, 200);
    write_people(&folder, &entry("\"auditor\", \"curator\""));
    site.tell(Command::Reload);
    assert_eq!(browser.get("/").status, 303, "out at once");
}

#[test]
fn whoever_comes_back_has_begun_here_and_comes_once() {
    let console = free_port();
    let foreign = Foreign::start(&[console]);
    let site = site(console, &section(foreign.port, "RS256", "", "\"operator\""));
    let refused = |browser: &mut Browser, target: &str, word: &str| {
        let response = browser.get(target);
        assert_eq!(told(&response), (403, "OG-CON-005".to_owned()), "{target}");
        assert!(response.text().contains(word), "{target}: {}", response.text());
        assert!(!browser.cookies.contains_key("oncegate"), "{target}");
    };
    // Another state, none, two, and none of the rest.
    let mut browser = site.nobody();
    let back = comes_back(&mut browser);
    let state = back.split("state=").nth(1).expect("a state").split('&').next().expect("one").to_owned();
    refused(&mut browser, &back.replace(&state, "guessed"), "other-browser");
    refused(&mut browser, "/sign-in/callback", "bad-return");
    refused(&mut browser, &format!("/sign-in/callback?state={state}"), "bad-return");
    refused(&mut browser, &format!("/sign-in/callback?state={state}&code=a&error=b"), "bad-return");
    assert_eq!(browser.get(&format!("{back}&state={state}")).status, 400, "a parameter that is there twice");
    // In another browser, with no cookie or its own: somebody else's link signs in nobody.
    refused(&mut site.nobody(), &back, "other-browser");
    let mut other = site.nobody();
    comes_back(&mut other);
    refused(&mut other, &back, "other-browser");
    // The victim's browser was not disturbed; the address is good once.
    assert_eq!(browser.clone().get(&back).status, 303);
    browser.cookies.insert("oncegate-begun".into(), state.clone());
    refused(&mut browser, &back, "unknown-state");
    // A code that the provider does not know, and an issuer that is another's.
    let mut browser = site.nobody();
    let back = comes_back(&mut browser);
    let code = back.split("code=").nth(1).expect("a code").split('&').next().expect("one").to_owned();
    let response = browser.get(&back.replace(&code, "guessed"));
    assert_eq!(told(&response), (502, "OG-CON-006".to_owned()));
    let back = comes_back(&mut browser);
    let (before, _) = back.split_once("iss=").expect("an issuer");
    refused(&mut browser, &format!("{before}iss=https%3A%2F%2Fevil.example"), "other-sender");
    // What is refused there is told here.
    let begun = browser.get("/sign-in/provider");
    let state = begun
        .header("location")
        .expect("where to")
        .split("state=")
        .nth(1)
        .expect("a state")
        .split('&')
        .next()
        .expect("one")
        .to_owned();
    let issuer = format!("http%3A%2F%2F127.0.0.1%3A{}", foreign.port);
    refused(&mut browser, &format!("/sign-in/callback?error=access_denied&state={state}&iss={issuer}"), "denied");
}

#[test]
fn while_the_provider_is_down_there_are_other_ways_in() {
    let (console, nobody) = (free_port(), free_port());
    let site = site(console, &section(nobody, "RS256", "", "\"operator\""));
    let mut browser = site.nobody();
    assert_eq!(told(&browser.get("/sign-in/provider")), (502, "OG-CON-006".to_owned()));
    assert_eq!(browser.get("/sign-in").status, 200);
    assert_eq!(site.operator().get("/").status, 200);
    // Who begins there and never comes back holds up nobody; nothing of them is in a cookie.
    assert!(browser.cookies.is_empty());
}

#[test]
fn a_console_does_not_start_with_a_provider_to_which_nobody_could_come_back() {
    let folder = Folder::new();
    let text = fs::read_to_string(root().join("docs/console-sign-in.md")).expect("readable");
    let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let head = "format = 1\ndata = \"data\"\n[exchange]\nlisten = \"127.0.0.1:1\"\ncertificate = \"c\"\nkey = \"k\"\nauthorities = \"a\"\n\
                [registry]\nfile = \"r\"\nsignature = \"s\"\nauthority = \"a\"\n[log]\norigin = \"localhost/audit\"\n";
    let config = oncegate::host::config::Config::parse(&format!("{head}{example}"), folder.path());
    let config = config.unwrap_or_else(|(at, what)| panic!("{at}: {what}"));
    assert!(config.console.expect("a console").oidc.is_some(), "the example of the document is read");
    let raw = |text: &str| {
        oncegate::host::config::Config::parse(&format!("{head}{text}"), folder.path()).map(drop).map_err(|(_, what)| what)
    };
    assert!(raw("[console.oidc]\nissuer = \"x\"\nclient_id = \"c\"\nroles = {}").is_err_and(|what| what.contains("no issuer")));
    assert!(raw("[console]\nodic = 1").is_err_and(|what| what.contains("unknown field")));
}

/// Nothing of a form that is not ours is read: a method that the way back does not have.
#[test]
fn the_way_back_is_no_form() {
    let console = free_port();
    let site = site(console, &section(free_port(), "RS256", "", "\"operator\""));
    let octets = site.nobody().octets("POST", "/sign-in/callback", "code=c&state=s");
    let response = raw(site.address, octets.as_bytes()).expect("an answer");
    // It is taken for a link, and there is none.
    assert_eq!(told(&response), (410, "OG-CON-003".to_owned()));
}
