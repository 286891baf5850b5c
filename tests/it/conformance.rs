//! The operator's conformance run, by the program itself against a running gateway: agencies that keep the rules hold all twenty checks,
//! agencies that break one are told which, and nobody goes live without a good report.

use crate::inbox::registry;
use crate::process::{LONG, Process, Scene, oncegate};
use crate::tool::said;
use oncegate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId};
use oncegate::base::limits::{CLOCK_SKEW_MS, CONFORMANCE_DAYS};
use oncegate::base::time::{DAY_MS, UnixTime};
use oncegate::faces::client::{Checked, Client, ClientError, digest_of, verify_under};
use oncegate::gateway::driver::now;
use oncegate::host::authority::{Authority, KeyType, Purpose};
use oncegate::host::config::Config;
use oncegate::host::transport::{Anchors, Connection, Door, Identity, Question, serve_questions};
use oncegate::message::crypto::sha256;
use oncegate::message::envelope::{Ask, Body, Context, Kind, Message, ReplyTo, Subject, World, write};
use oncegate::message::pki;
use oncegate::message::schema::Schemas;
use oncegate::message::sig;
use oncegate::program::conformance::authority;
use oncegate::program::conformance::report::Report;
use oncegate::program::setup::{Installation, NewAgency};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

const SILENT: &str = "records = \"off\"\n";
const CLINIC: &str = "xx.demo.clinic-3";
const OTHER: &str = "xx.demo.clinic-7";
/// For how long a clinic is stuck: longer than a run waits for an answer.
const STUCK: Duration = Duration::from_secs(15);
/// What stands in each document of a clinic of ours, and must be in no report and no line.
const PLANTED: &str = "Planterova";

/// What is wrong with an agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// It answers about somebody else.
    OtherPerson,
    /// It never looks at the identifier.
    Everybody,
    /// It always says that there is nothing.
    Nobody,
    /// It gives a field that was not asked for.
    FieldTooMany,
    /// A document that breaks its schema.
    Invalid,
    /// A key that nobody has registered.
    UnknownKey,
    /// A signature that does not fit.
    BadSignature,
    /// It verifies nothing.
    TakesForged,
    /// It takes questions from whoever connects.
    TakesStrangers,
    /// It answers what has expired.
    TakesExpired,
    /// Each answer says something else.
    Changes,
    /// It takes an identifier for a pattern.
    Patterns,
    /// What it is asked lies in one place for all.
    Shares,
    /// A question that is not answered in time stops those behind it.
    Stuck,
}

/// A clinic of ours.
struct Clinic {
    client: Client,
    anchors: Anchors,
    schemas: Schemas,
    wrong: Wrong,
    forger: (oncegate::message::crypto::PrivateKey, Vec<u8>),
    answers: AtomicUsize,
    last: Mutex<Option<Identifier>>,
    queue: Arc<Mutex<()>>,
}

fn patients() -> [Identifier; 2] {
    [100, 110].map(Identifier::synthetic)
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("a code")
}

fn note(about: &Identifier, days: usize, more: &str) -> String {
    let id = MessageId::new(now(), oncegate::message::crypto::random().expect("random"));
    let (value, at) = (about.value(), now());
    format!(
        "<MedicalAbsenceNote xmlns=\"urn:oncegate:doc:medical-absence-note:1\" xmlns:t=\"urn:oncegate:types:1\"><Head><t:DocumentId>{id}</t:DocumentId>\
         <t:Issuer><t:Id scheme=\"XX-OGTEST\">99000090090</t:Id><t:Name>Clinic 3</t:Name></t:Issuer><t:IssuedAt>{at}</t:IssuedAt>\
         <t:Status>in-force</t:Status></Head><Patient><t:Id scheme=\"{}\">{value}</t:Id><t:Name><t:Family>{PLANTED}</t:Family>\
         <t:Given>Anna</t:Given></t:Name></Patient><Absence><t:From>2026-03-02</t:From></Absence><Days>{days}</Days><Reason>illness</Reason><FirstOrFollowUp>first</FirstOrFollowUp>\
         <MayReturnOn>2026-03-09</MayReturnOn>{more}</MedicalAbsenceNote>",
        about.scheme()
    )
}

impl Clinic {
    fn open(scene: &Scene, wrong: Wrong) -> Arc<Self> {
        let installation = scene.world().installation();
        let folder = scene.world().agency_folder(CLINIC);
        let read = |name: &str| fs::read_to_string(installation.folder().join(name)).expect("readable");
        let issuer = Authority::open(&read("certs/ca.pem"), &read("authority/ca.key")).expect("the authority");
        let id = AgencyId::parse(CLINIC).expect("a name");
        let issued = issuer.issue(&id, Purpose::Signing, KeyType::P256, &[], now()).expect("issued");
        let forger =
            (pki::read_key(issued.key.as_bytes()).expect("a key"), pki::pem_blocks(&issued.certificate, "CERTIFICATE").remove(0));
        Arc::new(Self {
            client: scene.world().client(CLINIC).expect("a client"),
            anchors: Anchors::load(&folder.join("ca.pem")).expect("authorities"),
            schemas: Schemas::built_in(),
            wrong,
            forger,
            answers: AtomicUsize::new(0),
            last: Mutex::new(None),
            queue: Arc::default(),
        })
    }

    async fn answer(&self, question: Question) -> Result<Vec<u8>, u16> {
        let Ok((asked, _)) = verify_under(&question.octets, &self.anchors, &self.schemas) else {
            return if self.wrong == Wrong::TakesForged { Ok(self.unverified(&question.octets)) } else { Err(400) };
        };
        let header = &asked.header;
        if header.expires_at.plus_ms(CLOCK_SKEW_MS) < now() && self.wrong != Wrong::TakesExpired {
            return Err(410);
        }
        let fields = question.fields.unwrap_or_default();
        let context = asked.context.clone().expect("a question has one");
        let mut about = context.subject.identifiers[0].clone();
        if self.wrong == Wrong::Stuck {
            let place = Arc::clone(&self.queue).lock_owned().await;
            if header.created_at.distance_ms(header.expires_at) < 10_000 {
                // Whoever asked has gone, and it goes on.
                tokio::spawn(async move { (tokio::time::sleep(STUCK).await, drop(place)) });
                tokio::time::sleep(STUCK).await;
            }
        }
        if self.wrong == Wrong::Shares {
            *self.last.lock().await = Some(about);
            tokio::time::sleep(Duration::from_millis(100)).await;
            about = self.last.lock().await.clone().expect("somebody");
        }
        let found = self.find(&about);
        let reply = ReplyTo { id: header.id, digest: digest_of(&question.octets).expect("a digest") };
        Ok(self.write(&asked, reply, context, found, &fields))
    }

    /// Whose note is given.
    fn find(&self, about: &Identifier) -> Option<Identifier> {
        let [first, second] = patients();
        let is_pattern = about.value().contains('.') || about.value().contains('%');
        match self.wrong {
            Wrong::Everybody => Some(about.clone()),
            Wrong::Nobody => None,
            Wrong::OtherPerson if *about == first => Some(second),
            Wrong::OtherPerson if *about == second => Some(first),
            Wrong::Patterns if is_pattern => Some(first),
            _ => patients().into_iter().find(|patient| patient == about),
        }
    }

    fn write(&self, asked: &Message, reply: ReplyTo, context: Context, found: Option<Identifier>, fields: &str) -> Vec<u8> {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let (from, world) = (asked.header.from.clone(), asked.header.world);
        let header = self.client.header(Kind::Answer, Some(from), Some(reply), world).expect("a header");
        let more =
            if fields.contains("Diagnosis") || self.wrong == Wrong::FieldTooMany { "<Diagnosis>J06.9</Diagnosis>" } else { "" };
        let days = if self.wrong == Wrong::Changes { 1 + number % 300 } else { 5 };
        let markup = found.map(|about| note(&about, days, more)).unwrap_or_default();
        let markup = if self.wrong == Wrong::Invalid { markup.replace("illness", "laziness") } else { markup };
        let nothing = Body::NoRecord { document_type: code("medical-absence-note") };
        let body = if markup.is_empty() { nothing } else { Body::Documents(Vec::new()) };
        let message = Message { header, context: Some(context), body, attachments: Vec::new() };
        let (key, certificate) = &self.forger;
        match self.wrong {
            Wrong::UnknownKey => sig::sign(write(&message, &markup).as_bytes(), key, Some(certificate)).expect("signed"),
            Wrong::BadSignature => {
                let signed = self.client.sign(&message, &markup).expect("signed").octets;
                String::from_utf8(signed).expect("UTF-8").replacen("<Kind>answer", "<Kind>status", 1).into_bytes()
            }
            _ => self.client.sign(&message, &markup).expect("signed").octets,
        }
    }

    /// What is answered to a question that nobody has verified.
    fn unverified(&self, octets: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(octets);
        let id = text.split("<MessageId>").nth(1).and_then(|rest| MessageId::parse(rest.get(..36)?)).expect("an id");
        let reply = ReplyTo { id, digest: Digest::from_octets([7; 32]) };
        let subject = Subject::from(vec![patients()[0].clone()]);
        let context = Context::new(code("conformance"), "XX:CONFORMANCE", subject);
        let header = self.client.header(Kind::Answer, None, Some(reply), World::Test).expect("a header");
        let message = Message { header, context: Some(context), body: Body::Documents(Vec::new()), attachments: Vec::new() };
        self.client.sign(&message, &note(&patients()[0], 5, "")).expect("signed").octets
    }
}

/// A clinic that serves, until it is dropped.
struct Serving {
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(scene: &Scene, wrong: Wrong) -> Self {
        let folder = scene.world().agency_folder(CLINIC);
        let identity = Identity::load(&folder.join("tls.pem"), &folder.join("tls.key"), &folder.join("ca.pem"), None);
        let tls = identity.expect("files").server().expect("they fit");
        let gateway = fs::read_to_string(scene.world().folder().join("certs/gateway.pem")).expect("readable");
        let gateway = sha256(&pki::pem_blocks(&gateway, "CERTIFICATE")[0]);
        let may_ask = move |asks: &Connection| wrong == Wrong::TakesStrangers || asks.certificate == gateway;
        let door = Door::fixed(tls, may_ask);
        let clinic = Clinic::open(scene, wrong);
        let address = scene.world().provider_address(CLINIC).expect("a holder");
        let (stop, stopped) = watch::channel(false);
        let listener = scene.block_on(TcpListener::bind(address)).expect("nobody is there");
        let answer = move |question| {
            let clinic = Arc::clone(&clinic);
            async move { clinic.answer(question).await }
        };
        let serving = serve_questions(listener, door, answer, stopped);
        let mut task = None;
        scene.block_on(async { task = Some(tokio::spawn(serving)) });
        Self { stop, task }
    }

    fn end(mut self, scene: &Scene) {
        let _ = self.stop.send(true);
        scene.block_on(self.task.take().expect("it runs")).expect("it ends");
    }
}

/// The clinic is of the test world, and so is another one, of which nobody is there.
fn are_candidates(installation: &Installation) {
    registry(installation, |text| {
        text.replacen(&format!("id = \"{CLINIC}\"\n"), &format!("id = \"{CLINIC}\"\ntest = true\n"), 1)
    });
    let id = AgencyId::parse(OTHER).expect("a name");
    let (holds, more) = (&["medical-absence-note"][..], "test = true\n");
    let new = NewAgency { id: &id, name: "Clinic 7", url: Some("outbound"), holds, more };
    installation.add_agency(&new, "https://127.0.0.1:1").expect("added");
}

fn agency(scene: &Scene, arguments: &[&str]) -> Output {
    let mut command = Command::new(oncegate());
    command.arg("agency").args(arguments).arg("--in").arg(scene.world().folder()).stdin(Stdio::null());
    command.output().expect("it starts")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

/// A run of an agency: its exit code, and what it says in JSON.
fn tested(scene: &Scene, id: &str, more: &[&str]) -> (i32, serde_json::Value) {
    let output = agency(scene, &[&["test", id, "--json"], more].concat());
    let told = said(&output);
    assert!(!told.contains(PLANTED), "{told}");
    let first = String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned).unwrap_or_else(|| panic!("{told}"));
    (status(&output), serde_json::from_str(&first).unwrap_or_else(|error| panic!("{error}: {told}")))
}

/// The checks that are not held: name, code and what came.
fn broken(report: &serde_json::Value) -> Vec<(String, String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let documents = report["report"]["documents"].as_array().expect("types");
    let checks = documents.iter().flat_map(|tested| tested["checks"].as_array().expect("checks"));
    let wrong = checks.filter(|check| check["held"] == false);
    wrong.map(|check| (text(&check["name"]), text(&check["code"]), text(&check["what"]))).collect()
}

fn holds_all(scene: &Scene, id: &str, more: &[&str], types: usize) -> PathBuf {
    let (status, told) = tested(scene, id, more);
    assert_eq!((status, &broken(&told)), (0, &Vec::new()), "{id}");
    assert_eq!((told["held"].as_u64(), told["of"].as_u64()), (Some(20 * types as u64), Some(20 * types as u64)), "{id}");
    told["file"].as_str().expect("a file").into()
}

#[test]
fn the_agencies_of_the_demo_hold_all_twenty_checks() {
    let scene = Scene::new(SILENT);
    let gateway = scene.start();
    let people = scene.world().people();
    // Of each household: a pupil, mother, father and newborn; every third pupil has not been ill.
    let of = |number: usize| format!("XX-OGTEST:{}", people[number].identifier.value());
    let nobody = format!("XX-OGTEST:{}", Identifier::synthetic(7_654_321).value());
    let pupils = [of(0), of(4)];
    let mothers = [of(1), of(5)];
    let run = |id: &str, persons: &[(&str, &[String; 2])]| {
        let named = persons.iter().flat_map(|(of, two)| two.iter().map(move |one| format!("--found={of}{one}")));
        let named: Vec<String> = named.chain([format!("--none={nobody}")]).collect();
        let more: Vec<&str> = named.iter().map(String::as_str).collect();
        let file = holds_all(&scene, id, &more, persons.len());
        let report = fs::read_to_string(file).expect("a report");
        for value in people[..8].iter().map(|person| person.identifier.value()) {
            assert!(!report.contains(value), "{report}");
        }
    };
    run(CLINIC, &[("", &pupils)]);
    run("xx.demo.school-17", &[("", &pupils)]);
    run("xx.demo.maternity", &[("", &mothers)]);
    let types = [("birth-certificate=", &pupils), ("identity-record=", &mothers), ("residence-record=", &pupils)];
    run("xx.demo.civil-registry", &types);
    // What was there for the runs alone is gone.
    let grants = said(&agency(&scene, &["grants"]));
    assert!(!grants.contains("zz.oncegate"), "{grants}");
    // In the live world nobody is asked about who was not named.
    let refused = agency(&scene, &["test", CLINIC]);
    assert!(status(&refused) == 2 && said(&refused).contains("--found"), "{}", said(&refused));
    gateway.stop();
    let refused = agency(
        &scene,
        &["test", CLINIC, &format!("--found={}", of(0)), &format!("--found={}", of(4)), &format!("--none={nobody}")],
    );
    assert!(status(&refused) == 2 && said(&refused).contains("oncegate run"), "{}", said(&refused));
}

/// Each agency with the checks that it breaks, and the code of the first.
const WRONG: [(Wrong, &[&str], &str); 14] = [
    (Wrong::OtherPerson, &["found", "found-second", "twice"], "OG-RTE-004"),
    (Wrong::Everybody, &["no-record", "other-scheme", "wildcards", "injection", "look-alikes"], "OG-RTE-004"),
    (Wrong::Nobody, &["found", "found-second", "twice", "late"], ""),
    (Wrong::FieldTooMany, &["found", "nothing-optional"], "OG-POL-012"),
    (Wrong::Invalid, &["found"], "OG-DOC-002"),
    (Wrong::UnknownKey, &["found", "no-record"], "OG-SIG-006"),
    (Wrong::BadSignature, &["found", "no-record"], "OG-SIG-003"),
    (Wrong::TakesForged, &["altered", "unknown-key"], ""),
    (Wrong::TakesStrangers, &["stranger"], ""),
    (Wrong::TakesExpired, &["expired"], ""),
    (Wrong::Changes, &["found-again", "twice"], ""),
    (Wrong::Patterns, &["wildcards"], "OG-RTE-004"),
    (Wrong::Shares, &["two-at-once", "twenty-at-once"], "OG-RTE-004"),
    (Wrong::Stuck, &["after-time-out"], "OG-RTE-006"),
];

#[test]
fn agencies_that_break_a_rule_are_told_which() {
    let scene = Scene::prepared_without_clinic(SILENT, &are_candidates);
    let gateway = scene.start();
    for (wrong, names, first) in WRONG {
        let clinic = Serving::start(&scene, wrong);
        let (status, told) = tested(&scene, CLINIC, &["--wait=3"]);
        let broken = broken(&told);
        println!("{wrong:?}: {} of 20: {broken:?}", told["held"]);
        let found: BTreeSet<&str> = broken.iter().map(|(name, ..)| name.as_str()).collect();
        assert!(status == 1 && names.iter().all(|name| found.contains(name)), "{wrong:?}: {broken:?}");
        let named = broken.iter().find(|(name, ..)| name == names[0]).expect("it is among them");
        assert_eq!(named.1, first, "{wrong:?}: {broken:?}");
        assert!(broken.iter().all(|(_, _, what)| !what.is_empty()), "{wrong:?}: {broken:?}");
        let file = told["file"].as_str().expect("a file");
        let shown = said(&agency(&scene, &["test", "--verify", file]));
        assert!(shown.contains("the rule:") && shown.contains("next step:") && shown.contains("BROKEN"), "{shown}");
        assert!(wrong != Wrong::Stuck || shown.contains("see that it runs"), "{shown}");
        assert!(!shown.contains(PLANTED) && patients().iter().all(|patient| !shown.contains(patient.value())), "{shown}");
        clinic.end(&scene);
    }
    gateway.stop();
}

/// Signs a report anew, as nobody but the operator can.
fn resigned(scene: &Scene, report: &Report) -> String {
    let text = report.text();
    Report::signed(&text, &scene.world().installation().sign_text(&text).expect("signed"))
}

/// What `go-live` says if this is the only report.
fn goes_live_by(scene: &Scene, id: &str, report: Option<&str>) -> (i32, String) {
    let folder = scene.world().installation().reports();
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("writable");
    if let Some(report) = report {
        fs::write(folder.join(format!("{id}-20261201T090000000Z.note")), report).expect("writable");
    }
    let output = agency(scene, &["go-live", id]);
    (status(&output), said(&output))
}

async fn asked(scene: &Scene, who: &str, world: World) -> Result<Checked, ClientError> {
    let client = scene.world().client(who).expect("a client");
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    let context = Context::new(code("fault-finding"), "XX:TEST:1", Subject::from(vec![patients()[0].clone()]));
    let request = client.request(ask, context, Some(AgencyId::parse(CLINIC).expect("a name")), world).expect("signed");
    client.exchange(&request, LONG, &Schemas::built_in()).await
}

#[test]
fn an_agency_goes_live_by_a_good_report_of_its_own_and_by_no_other() {
    let scene = Scene::prepared_without_clinic(SILENT, &are_candidates);
    let gateway = scene.start();
    let clinic = Serving::start(&scene, Wrong::Nothing);
    let file = holds_all(&scene, CLINIC, &[], 1);
    let good = fs::read_to_string(&file).expect("a report");
    let config = Config::load(&scene.config()).expect("a configuration");
    let report = Report::verify(&good, &authority(&config.registry.authority).expect("a key")).expect("signed");
    let at = UnixTime::parse(&report.made_at).expect("a time");
    let changed = |change: &dyn Fn(&mut Report)| {
        let mut other = report.clone();
        change(&mut other);
        resigned(&scene, &other)
    };
    let too_old = at.minus_ms(CONFORMANCE_DAYS * DAY_MS).to_string();
    let nineteen = changed(&|report| report.documents[0].checks[4].held = false);
    let altered = nineteen.replace("\"held\": false", "\"held\": true");
    for (id, report, why) in [
        (CLINIC, None, "there is no report"),
        (OTHER, Some(&good), "it is about another agency"),
        (CLINIC, Some(&altered), "was altered afterwards"),
        (CLINIC, Some(&good.replace("\n\n", "\n")), "no conformance report"),
        (CLINIC, Some(&nineteen), "19 of 20 checks are held"),
        (CLINIC, Some(&changed(&|report| report.made_at.clone_from(&too_old))), "older than 30 days"),
        (CLINIC, Some(&changed(&|report| report.made_at = at.plus_ms(DAY_MS).to_string())), "time to come"),
        (CLINIC, Some(&changed(&|report| report.keys[0] = "0".repeat(64))), "other keys"),
        (CLINIC, Some(&changed(&|report| report.world = "live".to_owned())), "live world"),
        (CLINIC, Some(&changed(&|report| report.documents[0].schema = "0".repeat(64))), "another schema"),
        (CLINIC, Some(&changed(&|report| report.documents.clear())), "no report that counts is about it"),
        (CLINIC, Some(&changed(&|report| drop(report.documents[0].checks.pop()))), "19 of 20"),
    ] {
        let (status, told) = goes_live_by(&scene, id, report.map(|report| report.as_str()));
        assert!(status == 2 && told.contains(why) && told.contains("next: oncegate agency test"), "{why}: {told}");
    }
    // Of the test world until now.
    let before = scene.block_on(asked(&scene, "xx.demo.school-17", World::Live));
    assert!(before.is_err(), "a live question reaches nobody in the test world");
    assert!(scene.block_on(asked(&scene, "xx.demo.sandbox", World::Test)).is_ok());
    let (status, told) = goes_live_by(
        &scene,
        CLINIC,
        Some(&changed(&|report| {
            report.made_at = at.minus_ms((CONFORMANCE_DAYS - 1) * DAY_MS).to_string();
        })),
    );
    assert!(status == 0 && told.contains("is live"), "{told}");
    let live = scene.block_on(asked(&scene, "xx.demo.school-17", World::Live)).expect("it answers");
    assert!(matches!(live.message.body, Body::Documents(_)));
    let test = scene.block_on(asked(&scene, "xx.demo.sandbox", World::Test));
    assert!(matches!(test, Err(ClientError::Refused(_))), "no test question any more");
    let again = agency(&scene, &["go-live", CLINIC]);
    assert!(status_and(&again, 2, "is live already"), "{}", said(&again));
    let back = agency(&scene, &["go-live", CLINIC, "--back"]);
    assert!(status_and(&back, 0, "test world"), "{}", said(&back));
    assert!(scene.block_on(asked(&scene, "xx.demo.sandbox", World::Test)).is_ok());
    clinic.end(&scene);
    gateway.stop();
}

fn status_and(output: &Output, code: i32, words: &str) -> bool {
    status(output) == code && said(output).contains(words)
}

/// Somebody stops a run: its grants are taken out. It is killed: the next run does so. Of two at once the second is refused.
#[test]
fn what_is_there_for_a_run_alone_goes_with_it() {
    let scene = Scene::prepared_without_clinic(SILENT, &are_candidates);
    let gateway = scene.start();
    let grants = || said(&agency(&scene, &["grants"])).matches("zz.oncegate").count();
    for (signal, left) in [("TERM", 0), ("KILL", 2)] {
        let clinic = Serving::start(&scene, Wrong::Stuck);
        let mut command = Command::new(oncegate());
        command.args(["agency", "test", CLINIC, "--in"]).arg(scene.world().folder());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut run = command.spawn().expect("it starts");
        waits_for(run.stderr.take().expect("piped"), "time-out held");
        assert_eq!(grants(), 2);
        let second = agency(&scene, &["test", CLINIC]);
        assert!(status_and(&second, 2, "another conformance run"), "{}", said(&second));
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", run.id())]).status().expect("a shell");
        assert!(sent.success());
        let ended = run.wait().expect("it ends");
        assert!(signal == "KILL" || ended.code() == Some(2), "{ended}");
        assert_eq!(grants(), left, "{signal}");
        clinic.end(&scene);
    }
    let clinic = Serving::start(&scene, Wrong::Nothing);
    holds_all(&scene, CLINIC, &[], 1);
    assert_eq!(grants(), 0);
    clinic.end(&scene);
    gateway.stop();
}

fn waits_for(lines: std::process::ChildStderr, words: &str) {
    use std::io::{BufRead, BufReader};
    let mut said = String::new();
    let mut lines = BufReader::new(lines);
    while lines.read_line(&mut said).expect("readable") > 0 {
        if said.contains(words) {
            // Whoever writes to a pipe that nobody reads must not end by that.
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
            return;
        }
    }
    panic!("it ended without saying {words:?}: {said}");
}

/// A mock answers about everybody: it is none that goes live.
#[test]
fn a_mock_does_not_pass_and_its_operator_is_told_why() {
    let scene = Scene::prepared_without_clinic(SILENT, &|installation| {
        are_candidates(installation);
    });
    let gateway = scene.start();
    let mut command = Command::new(oncegate());
    let address = scene.world().provider_address(CLINIC).expect("a holder").to_string();
    command.args(["mock", "medical-absence-note", "--listen", &address, "--as"]).arg(scene.world().agency_folder(CLINIC));
    let mock = Process::from(command).unwrap_or_else(|(status, said)| panic!("{status}: {said}"));
    let (status, told) = tested(&scene, CLINIC, &["--wait=3"]);
    let names: Vec<String> = broken(&told).into_iter().map(|(name, ..)| name).collect();
    println!("{names:?}");
    assert!(status == 1 && names.contains(&"wildcards".to_owned()) && names.contains(&"expired".to_owned()), "{names:?}");
    let holds = ["found", "no-record", "stranger"];
    assert!(!names.iter().any(|name| holds.contains(&name.as_str())), "{names:?}");
    mock.stop();
    gateway.stop();
}

/// A report is what the operator has signed, wherever it is read.
#[test]
fn a_report_is_verified_offline() {
    let scene = Scene::prepared_without_clinic(SILENT, &are_candidates);
    let gateway = scene.start();
    let clinic = Serving::start(&scene, Wrong::Nothing);
    let file = holds_all(&scene, CLINIC, &[], 1);
    clinic.end(&scene);
    gateway.stop();
    let elsewhere = scene.folder().join("elsewhere");
    fs::create_dir_all(&elsewhere).expect("writable");
    fs::copy(&file, elsewhere.join("r.note")).expect("copied");
    fs::copy(scene.world().folder().join("certs/authority.pem"), elsewhere.join("authority.pem")).expect("copied");
    let verify = |folder: &Path| {
        let mut command = Command::new(oncegate());
        command.args(["agency", "test", "--verify", "r.note", "--authority", "authority.pem"]).current_dir(folder);
        command.output().expect("it starts")
    };
    let good = verify(&elsewhere);
    assert!(status_and(&good, 0, "20 of 20"), "{}", said(&good));
    let text = fs::read_to_string(elsewhere.join("r.note")).expect("readable");
    fs::write(elsewhere.join("r.note"), text.replacen(CLINIC, OTHER, 1)).expect("writable");
    let altered = verify(&elsewhere);
    assert!(status_and(&altered, 6, "altered"), "{}", said(&altered));
}
