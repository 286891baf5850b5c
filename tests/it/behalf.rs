//! On behalf of another: by a delegation, by the other's grants alone, with both names on record.

use crate::process::{LONG, Process, Scene, answered, oncegate, refused, send};
use crate::suspicions::{Answering, Manner, client, clinic_at, nothing};
use crate::tool::said;
use oncegate::base::ids::{AgencyId, Code, Digest};
use oncegate::faces::client::{Client, Problem, Signed};
use oncegate::host::config::Config;
use oncegate::host::transport::full;
use oncegate::message::envelope::{Ask, Context, Message, ReplyTo, Subject, World};
use oncegate::program::setup::{Installation, NewAgency};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SCHOOL: &str = "xx.demo.school-17";
const FUND: &str = "xx.demo.social-fund";
const CLINIC: &str = "xx.demo.clinic-3";
const SANDBOX: &str = "xx.demo.sandbox";
const PORTAL: &str = "xx.audit.portal";
const AUDITOR: &str = "xx.demo.auditor";
const SILENT: &str = "records = \"off\"\n";
/// Purpose and basis of the school, and of the fund.
const ATTENDANCE: (&str, &str) = ("school-attendance", "XX:HEALTH:13");
const ALLOWANCE: (&str, &str) = ("birth-allowance", "XX:FAMILY:81");

fn code(text: &str) -> Code {
    Code::parse(text).expect("a code")
}

/// A question of an agency on behalf of another.
fn question(scene: &Scene, who: &Client, principal: &str, what: &str, why: (&str, &str), person: usize, world: World) -> Signed {
    let ask = Ask { document_type: code(what), of: None, select: Vec::new(), during: None };
    let mut context = Context::new(code(why.0), why.1, scene.world().people()[person * 4].subject());
    context.on_behalf_of = AgencyId::parse(principal);
    assert!(context.on_behalf_of.is_some(), "{principal}");
    who.request(ask, context, None, world).expect("signed")
}

fn note(scene: &Scene, who: &Client, principal: &str, person: usize) -> Signed {
    question(scene, who, principal, "medical-absence-note", ATTENDANCE, person, World::Live)
}

/// Runs a command of the installation, which must end so.
fn run(scene: &Scene, status: i32, arguments: &[&str]) -> String {
    let mut command = Command::new(oncegate());
    let output = command.args(arguments).current_dir(scene.world().folder()).stdin(Stdio::null()).output().expect("it starts");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    said
}

fn delegate(scene: &Scene, id: &str, agent: &str, principal: &str, more: &[&str]) -> String {
    let fixed = ["agency", "delegate", id, "--agent", agent, "--principal", principal, "--basis", "XX:EDU:7"];
    run(scene, 0, &[&fixed[..], more].concat())
}

const ALWAYS: [&str; 2] = ["--until", "2099-12-31"];

/// What a holder sees: on whose behalf, and the digest of what it got.
type Seen = Arc<Mutex<Vec<(Option<String>, Digest)>>>;

fn holder(scene: &Scene) -> Seen {
    let seen = Seen::default();
    let sees = Arc::clone(&seen);
    let manner: Manner = Arc::new(move |client: Arc<Client>, reply: ReplyTo, question: Message| -> Answering {
        let behalf = question.context.as_ref().and_then(|context| context.on_behalf_of.as_ref()).map(ToString::to_string);
        sees.lock().expect("nobody panics").push((behalf, reply.digest));
        let signed = client.sign(&nothing(&client, reply, &question), "").expect("signed");
        Box::pin(std::future::ready(Some(hyper::Response::new(full(signed.octets)))))
    });
    clinic_at(scene, scene.world().provider_address(CLINIC).expect("a holder"), manner);
    seen
}

/// A scene with a portal, and a gateway that runs.
fn scene() -> (Scene, Process) {
    let scene = Scene::prepared_without_clinic(SILENT, &|installation| {
        let config = Config::load(&installation.config()).expect("a configuration");
        let (id, gateway) = (AgencyId::parse(PORTAL).expect("a name"), format!("https://{}", config.exchange.listen));
        let portal = NewAgency { id: &id, name: "The portal", url: None, holds: &[], more: "roles = [\"portal\"]\n" };
        installation.add_agency(&portal, &gateway).expect("added");
    });
    let gateway = scene.start();
    (scene, gateway)
}

fn is_refused(scene: &Scene, who: &Client, request: &Signed, words: &str) -> Problem {
    let problem = scene.block_on(refused(who, request));
    assert_eq!((problem.status, problem.code.as_str()), (403, "OG-POL-005"), "{problem:?}");
    assert!(problem.detail.contains(words), "{problem:?}");
    problem
}

fn json(client: &Client, scene: &Scene, path: &str) -> Value {
    let received = scene.block_on(client.get(path)).expect("the gateway is there");
    serde_json::from_slice(&received.body).expect("JSON")
}

#[test]
fn an_agency_asks_on_behalf_of_another_by_the_others_grants_and_both_are_on_record() {
    let (scene, gateway) = scene();
    let seen = holder(&scene);
    let fund = client(&scene, FUND);
    let problem = is_refused(&scene, &fund, &note(&scene, &fund, SCHOOL, 0), "no delegation lets");
    assert!(problem.help.contains("delegation") && problem.help.contains("OnBehalfOf"), "{problem:?}");
    let said = delegate(&scene, "fund-for-school", FUND, SCHOOL, &ALWAYS);
    assert!(said.contains("the running gateway took it"), "{said}");
    let request = note(&scene, &fund, SCHOOL, 0);
    scene.block_on(answered(&fund, &request));
    // The holder has what was signed, and sees for whom.
    let digest = request.digest;
    assert_eq!(*seen.lock().expect("nobody panics"), [(Some(SCHOOL.to_owned()), digest)]);
    // Neither counts what the fund may ask for itself, nor does its own name give it what is the school's.
    let own = question(&scene, &fund, SCHOOL, "birth-certificate", ALLOWANCE, 0, World::Live);
    assert_eq!(scene.block_on(refused(&fund, &own)).code, "OG-POL-001");
    let mut plain = Context::new(code(ATTENDANCE.0), ATTENDANCE.1, scene.world().people()[0].subject());
    plain.on_behalf_of = None;
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    let plain = fund.request(ask, plain, None, World::Live).expect("signed");
    assert_eq!(scene.block_on(refused(&fund, &plain)).code, "OG-POL-002");
    // Request and answer name both.
    let auditor = client(&scene, AUDITOR);
    let found = json(&auditor, &scene, &format!("/v1/log/records?message={}", request.id));
    let records: Vec<_> = found["entries"].as_array().expect("entries").iter().map(|entry| &entry["record"]).collect();
    assert_eq!(records.len(), 2, "{found}");
    assert!(records.iter().all(|record| record["u"] == FUND && record["f"] == SCHOOL), "{found}");
    let shown = run(&scene, 0, &["log", "search", "--as", &format!("agencies/{FUND}"), "--kind", "req"]);
    assert!(shown.contains(&format!("{FUND}  on behalf of {SCHOOL}")), "{shown}");
    let file = scene.world().folder().join("fund.csv");
    let name = file.to_str().expect("UTF-8");
    run(&scene, 0, &["log", "export", "--as", &format!("agencies/{FUND}"), "--format", "csv", "--output", name]);
    let table = std::fs::read_to_string(&file).expect("readable");
    let columns = |line: &str| line.split(',').rev().nth(2).map(str::to_owned);
    let behalf: Vec<_> = table.lines().filter(|line| line.contains(&request.id.to_string())).filter_map(columns).collect();
    assert_eq!(
        (table.lines().next().and_then(columns).as_deref(), behalf),
        (Some("on_behalf_of"), vec![SCHOOL.to_owned(); 2]),
        "{table}"
    );
    // The citizen reads both names.
    let subject = Subject { identifiers: vec![scene.world().people()[0].identifier.clone()], ..Subject::default() };
    let ask = Ask { document_type: code("access-trail"), of: None, select: Vec::new(), during: None };
    let portal = client(&scene, PORTAL);
    let trail = |context: Context| {
        let request = portal.request(ask.clone(), context, None, World::Live).expect("signed").octets;
        let received = scene.block_on(portal.post_to("/v1/trail", "application/xml", request)).expect("the gateway is there");
        (received.status.as_u16(), serde_json::from_slice::<Value>(&received.body).expect("JSON"))
    };
    let context = Context::new(code("citizen-trail"), "XX:ACCESS:15", subject);
    let (status, found) = trail(context.clone());
    let entry = &found["entries"][1];
    assert_eq!((status, &entry["institution"], &entry["onBehalfOf"]), (200, &FUND.into(), &SCHOOL.into()), "{found}");
    assert_eq!((&entry["institutionName"], &entry["onBehalfOfName"]), (&"Social fund".into(), &"School 17".into()));
    // A trail is asked for on nobody's behalf.
    let (status, problem) = trail(Context { on_behalf_of: AgencyId::parse(SCHOOL), ..context });
    assert_eq!((status, &problem["code"]), (400, &"OG-AUD-006".into()), "{problem}");
    gateway.stop();
}

#[test]
fn whoever_may_not_speak_for_another_is_refused() {
    let (scene, gateway) = scene();
    let seen = holder(&scene);
    let (fund, school, sandbox) = (client(&scene, FUND), client(&scene, SCHOOL), client(&scene, SANDBOX));
    delegate(&scene, "fund-for-school", FUND, SCHOOL, &["--what", "birth-certificate", "--until", "2099-12-31"]);
    delegate(&scene, "sandbox-for-school", SANDBOX, SCHOOL, &ALWAYS);
    for (who, principal, words) in [
        (&fund, FUND, "leave it out"),
        (&fund, "xx.demo.maternity", "no delegation lets"),
        (&fund, "xx.demo.nobody", "no delegation lets"),
        (&school, FUND, "no delegation lets"),
        (&fund, SCHOOL, "the delegation fund-for-school is not for medical-absence-note"),
    ] {
        is_refused(&scene, who, &note(&scene, who, principal, 0), words);
    }
    // Another world, whichever of both it says it is in.
    for world in [World::Test, World::Live] {
        let request = question(&scene, &sandbox, SCHOOL, "medical-absence-note", ATTENDANCE, 0, world);
        assert_eq!(scene.block_on(refused(&sandbox, &request)).code, "OG-MSG-019");
    }
    run(&scene, 0, &["agency", "end-delegation", "fund-for-school"]);
    delegate(&scene, "past", FUND, SCHOOL, &["--until", "2020-12-31"]);
    is_refused(&scene, &fund, &note(&scene, &fund, SCHOOL, 0), "ended on 2020-12-31");
    delegate(&scene, "future", FUND, SCHOOL, &["--from", "2098-01-01", "--until", "2099-12-31"]);
    is_refused(&scene, &fund, &note(&scene, &fund, SCHOOL, 0), "the delegation past ended");
    delegate(&scene, "narrow", FUND, SCHOOL, &["--purpose", ATTENDANCE.0, "--until", "2099-12-31"]);
    scene.block_on(answered(&fund, &note(&scene, &fund, SCHOOL, 0)));
    // A principal that is suspended is spoken for by nobody.
    run(&scene, 0, &["agency", "suspend", SCHOOL]);
    is_refused(&scene, &fund, &note(&scene, &fund, SCHOOL, 1), "is suspended");
    run(&scene, 0, &["agency", "suspend", SCHOOL, "--lift"]);
    scene.block_on(answered(&fund, &note(&scene, &fund, SCHOOL, 1)));
    assert_eq!(seen.lock().expect("nobody panics").len(), 2, "the holder sees nothing of what is refused");
    gateway.stop();
}

#[test]
fn the_commands_know_delegations() {
    let (scene, gateway) = scene();
    let file = scene.world().folder().join("registry.toml");
    let before = std::fs::read_to_string(&file).expect("readable");
    let explain =
        ["policy", "explain", "--who", FUND, "--on-behalf-of", SCHOOL, "--what", "medical-absence-note", "--for", ATTENDANCE.0];
    let said = run(&scene, 3, &explain);
    assert!(said.contains("OG-POL-005") && said.contains("no delegation lets"), "{said}");
    delegate(&scene, "fund-for-school", FUND, SCHOOL, &["--what", "medical-absence-note", "--until", "2099-12-31"]);
    let said = run(&scene, 0, &explain);
    assert!(said.contains("permits") && said.contains("school-reads-absence") && said.contains("on behalf of"), "{said}");
    let said = run(&scene, 0, &["agency", "delegations"]);
    assert!(
        said.contains(&format!("in force {FUND} on behalf of {SCHOOL}: medical-absence-note for all purposes on XX:EDU:7")),
        "{said}"
    );
    for agency in [FUND, SCHOOL] {
        assert!(run(&scene, 0, &["agency", "show", agency]).contains("[fund-for-school]"));
    }
    let old = scene.world().folder().join("before.toml");
    std::fs::write(&old, before).expect("writable");
    let diff =
        |from: &str, to: &str| run(&scene, 0, &["registry", "diff", from, to]).lines().next().unwrap_or_default().to_owned();
    let words = format!(
        "delegation fund-for-school: {FUND} asks on behalf of {SCHOOL}: medical-absence-note for all purposes on XX:EDU:7"
    );
    assert_eq!(diff("before.toml", "registry.toml"), format!("widens   {words}"));
    assert_eq!(diff("registry.toml", "before.toml"), format!("breaks   {words} no more"));
    // What makes no sense is not taken, and nothing is left of it.
    for (id, agent, principal, words) in [
        ("a", FUND, FUND, "asks for itself without one"),
        ("a", FUND, "xx.demo.nobody", "no agency is called"),
        ("a", CLINIC, FUND, "a delegation is not passed on"),
        ("a", SCHOOL, CLINIC, "a delegation is not passed on"),
        ("fund-for-school", FUND, CLINIC, "given twice"),
    ] {
        let fixed =
            ["agency", "delegate", id, "--agent", agent, "--principal", principal, "--basis", "L", "--until", "2099-12-31"];
        let said = run(&scene, 2, &fixed);
        assert!(said.contains(words) && said.contains("OG-CFG-002"), "{said}");
    }
    let ask =
        ["ask", "medical-absence-note", "--for", ATTENDANCE.0, "--as", &format!("agencies/{FUND}"), "--on-behalf-of", SCHOOL];
    let person = &scene.world().people()[0].identifier;
    let of = format!("{}:{}", person.scheme(), person.value());
    assert!(run(&scene, 2, &[&ask[..], &["--of", &of]].concat()).contains("needs --basis"));
    let _seen = holder(&scene);
    let said = run(&scene, 4, &[&ask[..], &["--of", &of, "--basis", ATTENDANCE.1]].concat());
    assert!(said.contains("no record from"), "{said}");
    run(&scene, 0, &["agency", "end-delegation", "fund-for-school"]);
    assert!(run(&scene, 2, &["agency", "end-delegation", "fund-for-school"]).contains("no delegation is called"));
    gateway.stop();
}

/// Nothing is delivered any more for whoever may not ask any more.
#[test]
fn a_delegation_that_ends_while_a_question_waits_ends_the_question() {
    let (scene, gateway) = scene();
    delegate(&scene, "fund-for-school", FUND, SCHOOL, &ALWAYS);
    let fund = client(&scene, FUND);
    let kept = note(&scene, &fund, SCHOOL, 0);
    let received = scene.block_on(fund.post(kept.octets.clone(), "respond-async", LONG)).expect("the gateway is there");
    assert_eq!(received.status.as_u16(), 202);
    run(&scene, 0, &["agency", "end-delegation", "fund-for-school"]);
    let seen = holder(&scene);
    scene.block_on(async {
        let over = async {
            loop {
                let state = fund.get(&format!("/v1/messages/{}", kept.id)).await.expect("the gateway is there");
                let state: Value = serde_json::from_slice(&state.body).expect("JSON");
                if state["state"] != "accepted" {
                    break state;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let state = tokio::time::timeout(LONG, over).await.expect("it is over");
        assert_eq!((&state["state"], &state["code"]), (&"refused".into(), &"OG-POL-005".into()), "{state}");
    });
    assert!(seen.lock().expect("nobody panics").is_empty());
    gateway.stop();
}

/// Gives the school a budget of two persons a day, and its grant three questions a minute.
fn with_a_small_budget(installation: &Installation) {
    let file = installation.folder().join("registry.toml");
    let text = std::fs::read_to_string(&file).expect("readable");
    let (before, after) = text.split_at(text.find(&format!("id = \"{SCHOOL}\"")).expect("the school"));
    let after = after.replacen("burst = 5000", "burst = 5000, persons_per_day = 2", 1);
    let after = after.replacen("id = \"school-reads-absence\"\n", "id = \"school-reads-absence\"\nper_minute = 3\n", 1);
    let delegation = format!(
        "\n[[delegation]]\nid = \"d\"\nagent = \"{FUND}\"\nprincipal = \"{SCHOOL}\"\nbasis = \"L\"\nuntil = \"2099-12-31\"\n"
    );
    std::fs::write(&file, format!("{before}{after}{delegation}")).expect("writable");
    installation.sign().expect("signed");
}

#[test]
fn whoever_asks_for_another_asks_from_the_others_budget() {
    let scene = Scene::prepared_without_clinic(SILENT, &with_a_small_budget);
    let gateway = scene.start();
    let seen = holder(&scene);
    let (fund, school) = (client(&scene, FUND), client(&scene, SCHOOL));
    let status = |who: &Client, request: &Signed| {
        let received = scene.block_on(send(who, &request.octets)).expect("the gateway is there");
        let is_good = received.status.as_u16() == 200;
        if is_good { String::new() } else { oncegate::faces::client::problem_of(&received).code }
    };
    assert_eq!(status(&fund, &note(&scene, &fund, SCHOOL, 0)), "");
    assert_eq!(status(&school, &scene.request_about(&school, 1)), "");
    assert_eq!(status(&fund, &note(&scene, &fund, SCHOOL, 2)), "OG-LIM-005", "two persons were asked about");
    assert_eq!(status(&school, &scene.request_about(&school, 0)), "OG-LIM-003", "three questions were asked by the grant");
    gateway.stop();
    // The budget is counted again from the day's records.
    let gateway = scene.start();
    assert_eq!(status(&school, &scene.request_about(&school, 2)), "OG-LIM-005");
    assert_eq!(status(&fund, &note(&scene, &fund, SCHOOL, 1)), "");
    assert_eq!(seen.lock().expect("nobody panics").len(), 3);
    gateway.stop();
}
