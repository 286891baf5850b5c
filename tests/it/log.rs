//! The log over HTTP and by the command line: who may see what, who is seen looking, what citizens are shown.

use crate::process::oncegate;
use crate::tool::{Program, free_port, root, said};
use crate::world::{QUICK, World};
use oncegate::base::ids::{AgencyId, Code, Identifier, MessageId};
use oncegate::base::limits::{EXPORT_LINE_BYTES_MAX, QUERY_BYTES_MAX};
use oncegate::evidence::tlog::note::{LogSigner, Role, VerifierKey};
use oncegate::evidence::tlog::proof::Proof;
use oncegate::faces::client::Client;
use oncegate::host::config::Config;
use oncegate::message::crypto::PrivateKey;
use oncegate::message::envelope::{Ask, Body, Context, Kind, Message, Official, World as MessageWorld};
use oncegate::message::schema::FieldPath;
use oncegate::program::demo::Behaviour;
use oncegate::program::setup::{Installation, NewAgency};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SCHOOL: &str = "xx.demo.school-17";
const CLINIC: &str = "xx.demo.clinic-3";
const FUND: &str = "xx.demo.social-fund";
const COURT: &str = "xx.audit.court";
const PORTAL: &str = "xx.audit.portal";
const POLICE: &str = "xx.audit.police";

/// What an agency asks for: purpose and legal basis.
const ATTENDANCE: (&str, &str) = ("school-attendance", "XX:HEALTH:13");
const FINDING: (&str, &str) = ("fault-finding", "XX:TEST:1");
const CRIME: (&str, &str) = ("investigation", "XX:CRIME:5");

/// An auditor, a portal, and an agency whose accesses are withheld for thirty days.
fn add_readers(installation: &Installation) {
    let config = Config::load(&installation.config()).expect("a configuration");
    let gateway = format!("https://{}", config.exchange.listen);
    for (id, more) in [(COURT, "roles = [\"auditor\"]\n"), (PORTAL, "roles = [\"portal\"]\n"), (POLICE, "")] {
        let id = AgencyId::parse(id).expect("an agency");
        let agency = NewAgency { id: &id, name: "An office", url: None, holds: &[], more };
        installation.add_agency(&agency, &gateway).expect("added");
    }
    let (purpose, basis) = CRIME;
    let grant = format!(
        "\n[[grant]]\nid = \"police\"\nwho = \"{POLICE}\"\nwhat = \"medical-absence-note\"\nfields = [\"Absence\", \"PeExemption\"]\n\
         purpose = \"{purpose}\"\nbasis = \"{basis}\"\nuntil = \"2099-12-31\"\nwithheld_days = 30\n"
    );
    installation.extend_registry(&grant).expect("granted");
}

fn world() -> World {
    World::prepared(QUICK, &[], &add_readers)
}

fn client(world: &World, name: &str) -> Client {
    world.demo().client(name).expect("an agency")
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("a code")
}

fn person(world: &World, behaviour: Behaviour) -> Identifier {
    world.demo().people()[behaviour.household() as usize * 4].identifier.clone()
}

fn text_of(person: &Identifier) -> String {
    format!("{}|{}", person.scheme(), person.value())
}

/// Asks about somebody whose register behaves like this; gives the status and the message's id.
fn ask(world: &World, name: &str, behaviour: Behaviour, why: (&str, &str)) -> (u16, String) {
    let client = client(world, name);
    let subject = world.demo().people()[behaviour.household() as usize * 4].subject();
    let select = ["Absence", "PeExemption"].map(|path| FieldPath::parse(path).expect("a path")).to_vec();
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select, during: None };
    let mut context = Context::new(code(why.0), why.1, subject);
    context.official = Some(Official { identifier: Identifier::synthetic(500), role: code("registrar") });
    let signed = client.request(ask, context, None, MessageWorld::Live).expect("signed");
    let received = world.block_on(client.post(signed.octets.clone(), "wait=20", Duration::from_secs(30))).expect("a response");
    (received.status.as_u16(), signed.id.to_string())
}

fn get(world: &World, name: &str, path: &str) -> (u16, Value) {
    let received = world.block_on(client(world, name).get(path)).expect("a response");
    (received.status.as_u16(), serde_json::from_slice(&received.body).unwrap_or(Value::Null))
}

fn post(world: &World, name: &str, path: &str, media: &str, octets: Vec<u8>) -> (u16, Value) {
    let received = world.block_on(client(world, name).post_to(path, media, octets)).expect("a response");
    (received.status.as_u16(), serde_json::from_slice(&received.body).unwrap_or(Value::Null))
}

fn search(world: &World, name: &str, query: Value) -> (u16, Value) {
    post(world, name, "/v1/log/search", "application/json", query.to_string().into_bytes())
}

/// The signed request of a portal for the trail of somebody.
fn trail_request(world: &World, name: &str, of: &Identifier, what: &str, purpose: &str) -> Vec<u8> {
    let ask = Ask { document_type: code(what), of: None, select: Vec::new(), during: None };
    let subject = oncegate::message::envelope::Subject { identifiers: vec![of.clone()], ..Default::default() };
    let context = Context::new(code(purpose), "XX:ACCESS:15", subject);
    client(world, name).request(ask, context, None, MessageWorld::Live).expect("signed").octets
}

fn trail(world: &World, of: &Identifier, query: &str) -> Value {
    let request = trail_request(world, PORTAL, of, "access-trail", "citizen-trail");
    let (status, trail) = post(world, PORTAL, &format!("/v1/trail{query}"), "application/xml", request);
    assert_eq!(status, 200, "{trail}");
    trail
}

fn indexes(page: &Value) -> Vec<u64> {
    page["entries"].as_array().expect("entries").iter().map(|entry| entry["logIndex"].as_u64().expect("an index")).collect()
}

#[test]
fn an_agency_sees_its_own_and_an_auditor_all() {
    let world = world();
    assert_eq!(ask(&world, SCHOOL, Behaviour::Honest, ATTENDANCE).0, 200);
    let (status, of_fund) = ask(&world, FUND, Behaviour::Honest, FINDING);
    assert_eq!(status, 200);
    let records = |name: &str, query: &str| get(&world, name, &format!("/v1/log/records{query}")).1;
    assert_eq!(indexes(&records(COURT, "")), [3, 2, 1, 0]);
    assert_eq!(indexes(&records(SCHOOL, "")), [1, 0]);
    assert_eq!(indexes(&records(CLINIC, "")), [3, 2, 1, 0], "it holds all that was asked for");
    assert_eq!(indexes(&records(CLINIC, &format!("?consumer={FUND}"))), [3, 2]);
    // What is not its own is not there, in whatever words it is asked for.
    for query in ["", "agency=", "consumer=", "kind=req&agency="].map(|key| format!("?{key}")) {
        let query = if query == "?" { format!("?message={of_fund}") } else { format!("{query}{FUND}") };
        assert!(indexes(&records(SCHOOL, &query)).is_empty(), "{query}");
        assert!(!indexes(&records(COURT, &query)).is_empty(), "{query}");
    }
    let problem = |name: &str, path: &str| {
        let (status, mut problem) = get(&world, name, path);
        problem["logIndex"] = 0.into();
        (status, problem)
    };
    let nothing = problem(SCHOOL, "/v1/log/records/999999");
    assert_eq!((nothing.0, &nothing.1["code"]), (404, &"OG-AUD-004".into()));
    for path in ["2", "2?reason=x", "18446744073709551615", "99999999999999999999", "-1", "a"] {
        assert_eq!(problem(SCHOOL, &format!("/v1/log/records/{path}")), nothing, "{path}");
    }
    assert_eq!(problem(SCHOOL, "/v1/log/records/2/receipt"), nothing);
    assert_eq!(get(&world, COURT, "/v1/log/records/2").1["record"]["u"], FUND);
    // Receipts and leaves follow the same rule.
    assert_eq!(get(&world, SCHOOL, &format!("/v1/messages/{of_fund}/receipt")).0, 404);
    assert_eq!(get(&world, COURT, &format!("/v1/messages/{of_fund}/receipt")).0, 200);
    assert_eq!(get(&world, SCHOOL, "/log/tile/entries/000.p/2").0, 404);
    assert_eq!(get(&world, COURT, "/log/tile/entries/000.p/2").0, 200);
    // An auditor's own trail is what it has asked and looked for itself.
    assert!(indexes(&get(&world, COURT, "/v1/trail?kind=req").1).is_empty());
    let counts = |name: &str| {
        let summary = get(&world, name, "/v1/log/summary?by=consumer&kind=rsp").1;
        let groups = summary["groups"].as_array().expect("groups").clone();
        groups
            .iter()
            .map(|group| (group["consumer"].as_str().unwrap_or("").to_owned(), group["answers"].as_u64()))
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(SCHOOL), [(SCHOOL.to_owned(), Some(1))]);
    assert_eq!(counts(COURT), [(SCHOOL.to_owned(), Some(1)), (FUND.to_owned(), Some(1))]);
}

#[test]
fn whoever_looks_for_a_person_says_why_and_is_seen() {
    let world = world();
    ask(&world, SCHOOL, Behaviour::Honest, ATTENDANCE);
    let person = person(&world, Behaviour::Honest);
    let sought = text_of(&person);
    let aud = || indexes(&get(&world, COURT, "/v1/log/records?kind=aud").1).len();
    // Without a reason, in an address, or with a cursor of another search: refused, and nobody was looked for.
    let in_address = format!("/v1/log/records?person={}", sought.replace('|', "%7C"));
    for (status, problem) in [
        get(&world, COURT, &in_address),
        get(&world, COURT, "/v1/log/export?official=x"),
        get(&world, COURT, "/v1/trail?person=x"),
        search(&world, COURT, json!({ "person": sought })),
        search(&world, COURT, json!({ "official": sought })),
    ] {
        assert_eq!((status, &problem["code"]), (400, &"OG-AUD-003".into()), "{problem}");
        assert!(!problem.to_string().contains(person.value()), "{problem}");
    }
    let (_, page) = search(&world, COURT, json!({ "kind": "req", "limit": 1 }));
    assert_eq!((indexes(&page).len(), &page["recordedAs"]), (1, &Value::Null));
    let other = get(&world, COURT, "/v1/log/records?limit=1").1["next"].clone();
    let (status, problem) = search(&world, COURT, json!({ "person": sought, "reason": "r", "cursor": other }));
    assert_eq!((status, &problem["code"]), (400, &"OG-AUD-002".into()));
    assert_eq!(aud(), 0);

    let (status, page) = search(&world, COURT, json!({ "person": sought, "reason": "complaint 17-22" }));
    assert_eq!(status, 200, "{page}");
    let recorded = page["recordedAs"].as_u64().expect("a record");
    // It finds itself as well: looking is an access.
    assert_eq!(indexes(&page), [recorded, 1, 0]);
    assert_eq!((aud(), &page["entries"][0]["record"]["a"]), (1, &"search-person".into()));
    let shown = get(&world, COURT, &format!("/v1/log/records/{recorded}?reason=control")).1;
    assert_eq!((&shown["private"]["reason"], &shown["private"]["subject"]), (&"complaint 17-22".into(), &json!([sought])));
    assert_eq!(aud(), 2);
    let by_official = search(&world, COURT, json!({ "official": text_of(&Identifier::synthetic(500)), "reason": "control" })).1;
    assert_eq!(by_official["entries"][0]["logIndex"], 1, "the answer's record and the request's name the official");
    // What is private needs a reason and an auditor.
    assert!(get(&world, COURT, "/v1/log/records/0").1.get("private").is_none());
    assert!(get(&world, SCHOOL, "/v1/log/records/0?reason=curious").1.get("private").is_none());
    let private = get(&world, COURT, "/v1/log/records/0?reason=control").1["private"].clone();
    assert_eq!((&private["role"], &private["fields"]), (&"registrar".into(), &json!(["Absence", "PeExemption"])));
    // An agency may look for a person among its own exchanges.
    let own = search(&world, SCHOOL, json!({ "person": sought, "kind": "req", "reason": "the parents ask" })).1;
    assert_eq!(indexes(&own), [0]);
    let none = search(&world, FUND, json!({ "person": sought, "kind": "req", "reason": "curious" })).1;
    assert!(indexes(&none).is_empty());
    // All of them are in the person's trail.
    let trail = trail(&world, &person, "");
    let read: Vec<&Value> =
        trail["entries"].as_array().expect("entries").iter().filter(|entry| entry["outcome"] == "log-read").collect();
    let by: Vec<_> = read.iter().map(|entry| (entry["institution"].as_str(), entry["action"].as_str())).collect();
    let looked = |who, what| (Some(who), Some(what));
    assert_eq!(
        by,
        [
            looked(PORTAL, "trail"),
            looked(FUND, "search-person"),
            looked(SCHOOL, "search-person"),
            looked(COURT, "read-private"),
            looked(COURT, "read-private"),
            looked(COURT, "search-person")
        ]
    );
    assert!(!trail.to_string().contains("complaint"), "a reason may be of somebody else");
}

#[test]
fn hostile_queries_are_refused_by_name() {
    let world = world();
    let cursor = {
        ask(&world, SCHOOL, Behaviour::Honest, ATTENDANCE);
        get(&world, COURT, "/v1/log/records?limit=1").1["next"].as_str().expect("more").to_owned()
    };
    assert_eq!(indexes(&get(&world, COURT, &format!("/v1/log/records?limit=1&cursor={cursor}")).1), [0]);
    for (path, code, words) in [
        ("/v1/log/records?form=2026-03-04", "OG-AUD-001", "did you mean from?"),
        ("/v1/log/records?from=yesterday", "OG-AUD-001", "from: expected an instant"),
        ("/v1/log/records?from=2026-03-05&to=2026-03-04", "OG-AUD-001", "from is after to"),
        ("/v1/log/records?kind=req&kind=req", "OG-AUD-001", "kind is given twice"),
        ("/v1/log/records?limit=1001", "OG-AUD-001", "limit: expected a number from 1 to 1000"),
        ("/v1/log/records?code=OG-XXX-1", "OG-AUD-001", "code: expected a fault code"),
        ("/v1/log/records?basis=%ff", "OG-AUD-001", "basis: expected UTF-8"),
        ("/v1/log/records?scope=xx.demo.clinic-3", "OG-AUD-001", "no key is called scope"),
        ("/v1/log/records?seen-by=xx.demo.clinic-3", "OG-AUD-001", "no key is called seen-by"),
        ("/v1/log/records?cursor=AAAA", "OG-AUD-002", "cursor: expected one"),
        (&format!("/v1/log/records?kind=req&cursor={cursor}"), "OG-AUD-002", "another filter"),
        (&format!("/v1/trail?cursor={cursor}"), "OG-AUD-002", "another filter"),
        ("/v1/log/summary?by=person", "OG-AUD-001", "by: expected one to four"),
        ("/v1/log/anomalies?night=25-3", "OG-AUD-001", "night: expected two hours"),
        ("/v1/log/export?format=xlsx", "OG-AUD-001", "format: expected ndjson or csv"),
        ("/v1/log/export?proof=yes", "OG-AUD-001", "proof: expected 1 or 0"),
        (&format!("/v1/log/export?cursor={cursor}"), "OG-AUD-001", "an export is whole"),
    ] {
        let (status, problem) = get(&world, COURT, path);
        assert_eq!((status, &problem["code"]), (400, &code.into()), "{path}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{path}: {problem}");
    }
    for (body, words) in
        [("[]", "an object"), ("{\"to\":1.5}", "to: expected"), ("{\"to\":[]}", "to: expected a text"), ("{", "an object")]
    {
        let (status, problem) = post(&world, COURT, "/v1/log/search", "application/json", body.into());
        assert_eq!((status, &problem["code"]), (400, &"OG-AUD-001".into()), "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{body}: {problem}");
    }
    assert_eq!(post(&world, COURT, "/v1/log/search", "application/xml", b"{}".to_vec()).0, 415);
    assert_eq!(post(&world, COURT, "/v1/log/search", "application/json", vec![b' '; 17 << 10]).0, 413);
    // Nothing of this was an export or a search for somebody.
    assert!(indexes(&get(&world, COURT, "/v1/log/records?kind=aud").1).is_empty());
}

/// Whoever sends further messages with an id that was used is refused, and each refusal is a record of that id. They are not in
/// the way of what the id stands for.
#[test]
fn no_number_of_refusals_hides_that_there_was_an_answer() {
    const MORE: usize = 300;
    let world = world();
    let person = person(&world, Behaviour::Honest);
    let (status, message) = ask(&world, SCHOOL, Behaviour::Honest, ATTENDANCE);
    assert_eq!(status, 200);
    let (_, before) = raw(&world, SCHOOL, &format!("/v1/messages/{message}/receipt"));
    for name in [SCHOOL, CLINIC] {
        let client = client(&world, name);
        let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
        let subject = world.demo().people()[Behaviour::Honest.household() as usize * 4].subject();
        let mut header = client.header(Kind::Request, None, None, MessageWorld::Live).expect("a header");
        header.id = MessageId::parse(&message).expect("an id");
        // By the clinic it is a new message, which it has no grant for.
        let why = if name == SCHOOL { ATTENDANCE } else { CRIME };
        let context = Some(Context::new(code(why.0), why.1, subject));
        let other = Message { header, context, body: Body::Ask(ask), attachments: Vec::new() };
        let octets = client.sign(&other, "").expect("signed").octets;
        for _ in 0..MORE {
            let received = world.block_on(client.post(octets.clone(), "wait=20", Duration::from_secs(30))).expect("a response");
            assert!([403, 409].contains(&received.status.as_u16()), "{}", received.status);
        }
    }
    let entry = trail(&world, &person, "")["entries"][1].clone();
    assert_eq!((&entry["outcome"], &entry["outcomeLogIndex"]), (&"answered".into(), &1.into()), "{entry}");
    let (status, after) = raw(&world, SCHOOL, &format!("/v1/messages/{message}/receipt"));
    let proofs = |text: &str| text.matches("\nindex ").count();
    assert_eq!((status, proofs(&before)), (200, 2), "{before}");
    let indexes: Vec<&str> = after.lines().filter(|line| line.starts_with("index ")).take(2).collect();
    assert_eq!(indexes, ["index 0", "index 1"]);
}

#[test]
fn a_citizen_sees_each_access_and_what_is_withheld() {
    let world = world();
    let person = person(&world, Behaviour::Honest);
    assert_eq!(trail(&world, &person, "")["entries"].as_array().map(Vec::len), Some(1), "the request itself");
    let (_, message) = ask(&world, SCHOOL, Behaviour::Honest, ATTENDANCE);
    assert_eq!(ask(&world, POLICE, Behaviour::Honest, CRIME).0, 200);
    // Not about this person; and one that failed, about another one.
    let (status, _) = ask(&world, FUND, Behaviour::Failing, FINDING);
    assert_eq!(status, 502);
    let shown = trail(&world, &person, "?proof=1");
    let entries = shown["entries"].as_array().expect("entries");
    let outcomes: Vec<_> = entries.iter().map(|entry| entry["outcome"].as_str().unwrap_or("")).collect();
    assert_eq!(outcomes, ["log-read", "answered", "log-read"], "{shown}");
    let entry = &entries[1];
    for (key, value) in [
        ("institution", SCHOOL),
        ("institutionName", "School 17"),
        ("role", "registrar"),
        ("holder", CLINIC),
        ("documentType", "medical-absence-note"),
        ("purpose", ATTENDANCE.0),
        ("legalBasis", ATTENDANCE.1),
        ("receipt", &format!("/v1/messages/{message}/receipt")),
    ] {
        assert_eq!(entry[key], value, "{key}: {entry}");
    }
    assert_eq!(entry["fields"], json!(["Absence", "PeExemption"]));
    assert_eq!(entry["outcomeLogIndex"], entry["logIndex"].as_u64().expect("an index") + 1);
    // The proof holds, and is of this record.
    let (_, key) = raw(&world, PORTAL, "/log/key");
    let key = VerifierKey::parse(key.trim()).expect("a key");
    let proof = Proof::parse(entry["proof"].as_str().expect("a proof")).expect("a receipt");
    assert_eq!(proof.verify(&key).map(|shown| shown.index), Ok(entry["logIndex"].as_u64().expect("an index")));
    // What the police did is counted, and nothing else is said of it.
    let until = shown["withheld"][0]["until"].as_str().expect("a day");
    assert_eq!(shown["withheld"][0]["text"], format!("one entry withheld until {until}"));
    assert_eq!(shown["withheld"].as_array().map(Vec::len), Some(1));
    assert!(!shown.to_string().contains(POLICE) && !shown.to_string().contains(CRIME.0));
    let now = oncegate::gateway::driver::now();
    let days = oncegate::base::time::Day::parse(until).expect("a day").days_since_epoch() - now.day().days_since_epoch();
    assert_eq!(days, 30);
    // An auditor sees it, marked.
    let found = get(&world, COURT, &format!("/v1/log/records?consumer={POLICE}")).1;
    assert!(found["entries"][0]["record"]["n"].as_u64().is_some_and(|until| until > now.as_ms()));
    // Page by page.
    let mut seen = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let page = trail(&world, &person, &query);
        seen.extend(indexes(&page));
        seen.extend(page["withheld"].as_array().expect("a list").iter().map(|_| u64::MAX));
        let Some(next) = page["next"].as_u64() else { break };
        query = format!("?limit=1&before={next}");
    }
    assert_eq!(seen[1..], [indexes(&shown)[0], u64::MAX, indexes(&shown)[1], indexes(&shown)[2]], "{seen:?}");
    let failed = trail(&world, &self::person(&world, Behaviour::Failing), "");
    assert_eq!((&failed["entries"][1]["outcome"], &failed["entries"][1]["code"]), (&"refused".into(), &"OG-RTE-003".into()));
}

#[test]
fn only_a_portals_signed_request_opens_a_trail() {
    let world = world();
    let person = person(&world, Behaviour::Honest);
    let good = |name: &str| trail_request(&world, name, &person, "access-trail", "citizen-trail");
    let changed = |from: &str, to: &str| {
        let text = String::from_utf8(good(PORTAL)).expect("UTF-8");
        text.replacen(from, to, 1).into_bytes()
    };
    let unsigned = {
        let text = String::from_utf8(good(PORTAL)).expect("UTF-8");
        let (at, end) = (text.find("<Signature ").expect("signed"), text.find("</Signature>").expect("signed"));
        (text[..at].to_owned() + &text[end + "</Signature>".len()..]).into_bytes()
    };
    for (name, octets, status, code) in [
        (SCHOOL, good(SCHOOL), 403, "OG-AUD-005"),
        (COURT, good(COURT), 403, "OG-AUD-005"),
        (PORTAL, good(SCHOOL), 403, "OG-SIG-004"),
        (PORTAL, changed(person.value(), Identifier::synthetic(77).value()), 400, "OG-SIG-003"),
        (PORTAL, unsigned, 400, "OG-SIG-001"),
        (PORTAL, trail_request(&world, PORTAL, &person, "medical-absence-note", "citizen-trail"), 400, "OG-AUD-006"),
        (PORTAL, trail_request(&world, PORTAL, &person, "access-trail", "curiosity"), 400, "OG-AUD-006"),
    ] {
        let (got, problem) = post(&world, name, "/v1/trail", "application/xml", octets);
        assert_eq!((got, &problem["code"]), (status, &code.into()), "{problem}");
    }
    for (query, words) in
        [("?limit=0", "limit"), ("?before=x", "before"), ("?kind=req", "only limit, before and proof"), ("?person=x", "person")]
    {
        let (status, problem) = post(&world, PORTAL, &format!("/v1/trail{query}"), "application/xml", good(PORTAL));
        assert!(status == 400 && problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{query}: {problem}");
    }
    assert_eq!(post(&world, PORTAL, "/v1/trail", "application/json", good(PORTAL)).0, 415);
    assert!(indexes(&get(&world, COURT, "/v1/log/records?kind=aud").1).is_empty(), "nothing was shown");
    // The same request may come again; it is seen again.
    let request = good(PORTAL);
    for count in 1..3 {
        let (status, trail) = post(&world, PORTAL, "/v1/trail", "application/xml", request.clone());
        assert_eq!((status, trail["entries"].as_array().map(Vec::len)), (200, Some(count)));
    }
}

/// Status and text of what is no JSON.
fn raw(world: &World, name: &str, path: &str) -> (u16, String) {
    let received = world.block_on(client(world, name).get(path)).expect("a response");
    (received.status.as_u16(), String::from_utf8(received.body).expect("text"))
}

/// Runs the program; gives standard output and standard error.
fn run(folder: &Path, status: i32, arguments: &[&str]) -> (String, String) {
    let output = Command::new(oncegate()).args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("it starts");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

/// A world with two exchanges, and the folders of those who read its log.
struct Office {
    world: World,
    message: String,
}

impl Office {
    fn new() -> Self {
        let world = world();
        let (_, message) = ask(&world, SCHOOL, Behaviour::Honest, ATTENDANCE);
        ask(&world, FUND, Behaviour::Honest, FINDING);
        std::fs::write(world.folder().join("log.key"), raw(&world, COURT, "/log/key").1).expect("writable");
        Self { world, message }
    }

    /// `oncegate log …` as an agency; gives standard output and standard error.
    fn log(&self, status: i32, name: &str, arguments: &[&str]) -> (String, String) {
        let folder = self.world.agency_dir(name);
        let folder = folder.to_str().expect("UTF-8");
        run(self.world.folder(), status, &[&["log"], arguments, &["--as", folder]].concat())
    }

    fn verify(&self, status: i32, file: &str, key: &str) -> (String, String) {
        run(self.world.folder(), status, &["log", "verify", file, "--key", key])
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.world.folder().join(file), text).expect("writable");
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.world.folder().join(file)).expect("readable")
    }

    fn person(&self) -> String {
        text_of(&person(&self.world, Behaviour::Honest)).replace('|', ":")
    }
}

#[test]
fn the_command_line_searches_and_follows() {
    let office = Office::new();
    let log = |status, name: &str, arguments: &[&str]| office.log(status, name, arguments);
    let person = office.person();
    let (out, err) = log(0, COURT, &["search", "--kind", "req", "--limit", "1"]);
    assert!(out.lines().count() == 1 && out.contains(FUND) && err.contains("more: --cursor "), "{out}{err}");
    let cursor = err.split("--cursor ").nth(1).expect("a cursor").trim();
    let (out, _) = log(0, COURT, &["search", "--kind", "req", "--limit", "1", "--cursor", cursor]);
    assert!(out.lines().count() == 1 && out.contains(SCHOOL), "{out}");
    let (_, err) = log(2, COURT, &["search", "--kind", "rsp", "--cursor", cursor]);
    assert!(err.contains("OG-AUD-002") && err.contains("next: "), "{err}");
    let (_, err) = log(2, COURT, &["search", "--person", &person]);
    assert!(err.contains("OG-AUD-003"), "{err}");
    let (out, err) = log(0, COURT, &["search", "--person", &person, "--reason", "complaint"]);
    assert!(out.contains("search-person") && out.contains(SCHOOL) && err.contains("this search is record 6"), "{out}{err}");
    let (out, _) = log(0, COURT, &["search", "--json"]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.len() == 8 && lines.iter().all(|line| line["format"] == 1) && lines[7]["indexLag"] == 0, "{out}");
    let (out, _) = log(0, COURT, &["show", "0", "--reason", "control"]);
    assert!(out.contains("registrar") && out.contains("Absence"), "{out}");
    log(4, SCHOOL, &["show", "2"]);
    let (out, _) = log(0, COURT, &["tail", "--kind", "req", "--lines", "2", "--seconds", "1"]);
    assert_eq!(out.lines().count(), 2, "{out}");
    log(2, COURT, &["tail", "--person", &person, "--reason", "complaint"]);
    let (out, _) = log(0, COURT, &["summary", "--by", "consumer,kind", "--kind", "rsp"]);
    assert!(out.lines().count() == 3 && out.contains(SCHOOL), "{out}");
    let every = ["--night", "0-23", "--nightly", "1", "--agencies", "2", "--persons", "1"];
    let (out, _) = log(0, COURT, &[&["anomalies"], &every[..]].concat());
    assert!(["many-persons", "many-agencies"].iter().all(|kind| out.contains(kind)), "{out}");
    let (out, _) = log(0, PORTAL, &["trail", "--of", &person]);
    assert!(out.contains("School 17 (registrar)") && out.contains("search-person"), "{out}");
    log(3, SCHOOL, &["trail", "--of", &person]);
}

/// A server that answers as a gateway does whose index has fallen behind.
#[test]
fn a_search_says_that_the_index_lags_behind_the_log() {
    let office = Office::new();
    let (folder, school) = (office.world.folder(), office.world.agency_dir(SCHOOL));
    let behind = folder.join("behind");
    oncegate::program::demo::copy(&school, &behind).expect("copied");
    let port = free_port();
    let client = std::fs::read_to_string(behind.join("client.toml")).expect("readable");
    let client = client.replace(&office.world.gateway_url(), &format!("https://127.0.0.1:{port}"));
    std::fs::write(behind.join("client.toml"), client).expect("writable");
    let page = json!({ "entries": [], "next": null, "indexedUpTo": 10, "indexLag": 3, "recordedAs": null });
    office.write("page.json", &page.to_string());
    let mut server = Command::new(root().join("tests/peers/replay.sh"));
    server.arg(office.world.agency_dir(CLINIC)).arg(port.to_string()).arg(folder.join("page.json"));
    let _running = Program::start(server, port);
    let (out, err) = run(folder, 0, &["log", "search", "--as", "behind"]);
    assert!(out.is_empty() && err.contains("the latest 3 are not searched yet"), "{out}{err}");
    let (out, _) = run(folder, 0, &["log", "search", "--as", "behind", "--json"]);
    let last: Value = serde_json::from_str(out.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["indexedUpTo"], &last["indexLag"]), (&10.into(), &3.into()));
}

#[test]
fn the_command_line_fetches_proofs_and_verifies_them() {
    let office = Office::new();
    let (out, err) = office.log(0, SCHOOL, &["checkpoint", "--key", "log.key"]);
    assert!(out.contains("\u{2014} ") && err.contains("good"), "{out}{err}");
    let (receipt, _) = office.log(0, SCHOOL, &["prove", &office.message]);
    office.write("receipt.txt", &receipt);
    let (out, _) = office.verify(0, "receipt.txt", "log.key");
    assert!(out.lines().count() == 2 && out.contains("ok  record 0 (req ") && out.contains("ok  record 1 (rsp "), "{out}");
    let (one, _) = office.log(0, SCHOOL, &["prove", "1"]);
    office.write("one.txt", &one.replace("index 1", "index 0"));
    let (_, err) = office.verify(6, "one.txt", "log.key");
    assert!(err.contains("receipt 1: the leaf is not in the tree"), "{err}");
    // A policy without an end is not read to it.
    let endless = ["log", "verify", "receipt.txt", "--key", "log.key", "--policy", "/dev/zero"];
    let (_, err) = run(office.world.folder(), 2, &endless);
    assert!(err.contains("a policy has at most"), "{err}");
    office.write("none.txt", "");
    office.verify(6, "none.txt", "log.key");
}

#[test]
fn the_command_line_exports_and_verifies_offline() {
    let office = Office::new();
    let selection = ["--consumer", SCHOOL, "-o", "all.ndjson", "--key", "log.key"];
    let (out, err) = office.log(0, COURT, &[&["export"], &selection[..]].concat());
    assert!(out.starts_with("2 records; all.ndjson sha256 ") && err.contains("verified with the key given"), "{out}{err}");
    let (out, _) = office.verify(0, "all.ndjson", "log.key");
    assert!(out.lines().filter(|line| line.starts_with("ok ")).count() == 3 && out.contains("2 are shown"), "{out}");
    assert!(out.contains(&format!("looked for: consumer={SCHOOL}")), "{out}");
    let (out, _) = office.log(0, COURT, &["export", "--to", "2001-01-01", "-o", "none.ndjson"]);
    assert!(out.starts_with("0 records"), "{out}");
    let (out, _) = office.verify(0, "none.ndjson", "log.key");
    assert!(out.contains("are before or after them; the gateway says that they do not match, which is not proved"), "{out}");
    // A policy holds for an export as well: no witness has cosigned it.
    let witness = PrivateKey::from_seed(&[8; 32]).expect("a seed");
    let witness = LogSigner::new("w.example", Role::Witness, witness).expect("a key");
    let key = office.read("log.key");
    let policy = |quorum| format!("log {}\nwitness w {}\nquorum {quorum}\n", key.trim(), witness.verifier());
    for (quorum, status) in [("none", 0), ("w", 6)] {
        office.write("policy", &policy(quorum));
        let verify = ["log", "verify", "all.ndjson", "--key", "log.key", "--policy", "policy"];
        let (_, err) = run(office.world.folder(), status, &verify);
        assert!(status == 0 || err.contains("too few witnesses"), "{err}");
    }
    let text = office.read("all.ndjson");
    // White space at the end of a line says nothing; too much of it is too long a line.
    let (first, others) = text.split_once('\n').expect("lines");
    for (length, status) in [(EXPORT_LINE_BYTES_MAX as usize, 0), (EXPORT_LINE_BYTES_MAX as usize + 1, 6)] {
        office.write("padded.ndjson", &format!("{first}{}\n{others}", " ".repeat(length - 1 - first.len())));
        office.verify(status, "padded.ndjson", "log.key");
    }
    let lines = |keep: &dyn Fn(usize, &str) -> bool| -> String {
        text.lines().enumerate().filter(|(at, line)| keep(*at, line)).map(|(_, line)| format!("{line}\n")).collect()
    };
    for (changed, words) in [
        (text.replacen("school-17", "school-18", 2), "does not match the filter"),
        (text.replacen("\\\"o\\\":", "\\\"o\\\":1", 1), "at least one line was changed"),
        (lines(&|_, line| !line.contains("\\\"k\\\":\\\"rsp\\\"")), "is missing here"),
        (lines(&|at, _| at < 3), "cut off"),
    ] {
        office.write("changed.ndjson", &changed);
        let (out, err) = office.verify(6, "changed.ndjson", "log.key");
        assert!(out.is_empty() && err.contains(words), "{words}: {err}");
    }
    let (_, err) = office.verify(6, "all.ndjson", &text_of_other_key());
    assert!(err.contains("the checkpoint"), "{err}");
    office.verify(2, "all.ndjson", "nonsense+x");
    let (out, _) = office.log(0, COURT, &["export", "--format", "csv", "-o", "all.csv"]);
    let table = office.read("all.csv");
    assert!(table.starts_with("index,time,kind,") && out.contains("all.csv.ndjson"), "{out}");
    let records: usize = out.split(' ').next().and_then(|count| count.parse().ok()).expect("a number");
    assert_eq!(table.lines().count(), records + 1);
    // The same table comes from the gateway, with what was recorded since.
    let mut given = Vec::new();
    let download = client(&office.world, COURT);
    let download = download.download("/v1/log/export?format=csv", |portion| {
        given.extend_from_slice(portion);
        Ok(())
    });
    assert!(office.world.block_on(download).is_ok_and(|received| received.headers.contains_key("oncegate-checkpoint")));
    assert!(String::from_utf8(given).is_ok_and(|text| text.starts_with(&table)));
}

/// A key of the same log that is not its own.
fn text_of_other_key() -> String {
    let key = PrivateKey::from_seed(&[9; 32]).expect("a seed");
    LogSigner::new("gateway.localhost/audit", Role::Log, key).expect("a key").verifier().to_string()
}

#[test]
fn a_query_is_so_large_and_no_larger() {
    let world = world();
    let asked = |octets: usize| {
        let query = json!({ "kind": "req" }).to_string();
        let padded = format!("{query}{}", " ".repeat(octets - query.len()));
        post(&world, COURT, "/v1/log/search", "application/json", padded.into_bytes())
    };
    assert_eq!(asked(QUERY_BYTES_MAX).0, 200);
    let (status, problem) = asked(QUERY_BYTES_MAX + 1);
    assert_eq!((status, &problem["code"]), (413, &"OG-HTTP-006".into()), "{problem}");
}

#[test]
fn a_holder_and_an_auditor_learn_why_an_answer_was_refused_and_the_consumer_its_code_alone() {
    let world = world();
    let (status, id) = ask(&world, FUND, Behaviour::Invalid, FINDING);
    assert_eq!(status, 502);
    let path = format!("/v1/messages/{id}/refusals");
    let (status, shown) = get(&world, CLINIC, &path);
    assert_eq!((status, &shown["messageId"]), (200, &id.as_str().into()), "{shown}");
    let refusal = &shown["refusals"][0];
    assert_eq!(refusal["code"], "OG-RTE-003");
    let cause = refusal["cause"].as_str().expect("a cause");
    assert!(cause.starts_with("OG-DOC-002") && cause.contains("Reason"), "{cause}");
    for other in [FUND, SCHOOL, COURT] {
        let (status, problem) = get(&world, other, &path);
        assert_eq!((status, &problem["code"]), (404, &"OG-MSG-018".into()), "{other}");
    }
    let (_, record) = get(&world, COURT, &format!("/v1/log/records/{}?reason=inspection", refusal["logIndex"]));
    assert_eq!(record["private"]["cause"], cause);
    let refusals = |status, name: &str, more: &[&str]| {
        let agency = world.agency_dir(name);
        let agency = agency.to_str().expect("UTF-8");
        run(world.folder(), status, &[&["refusals", &id, "--as", agency], more].concat())
    };
    let (out, _) = refusals(0, CLINIC, &[]);
    assert!(
        out.contains("the consumer was told OG-RTE-003") && out.contains(cause) && out.contains("oncegate validate"),
        "{out}"
    );
    let (out, _) = refusals(0, CLINIC, &["--json"]);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&told["format"], &told["refusals"][0]["cause"]), (&1.into(), &cause.into()));
    let (out, err) = refusals(2, FUND, &[]);
    assert!(out.is_empty() && err.contains("OG-MSG-018"), "{out}{err}");
    let (_, record) = get(&world, FUND, &format!("/v1/log/records/{}?reason=inspection", refusal["logIndex"]));
    assert!(record["private"].is_null() && !record.to_string().contains("Reason"), "{record}");
    // An exchange that went well has nothing to tell, to its holder either.
    let (_, id) = ask(&world, SCHOOL, Behaviour::Honest, ATTENDANCE);
    let (status, shown) = get(&world, CLINIC, &format!("/v1/messages/{id}/refusals"));
    assert_eq!((status, &shown["refusals"]), (200, &json!([])));
    let agency = world.agency_dir(CLINIC);
    let (out, err) = run(world.folder(), 0, &["refusals", &id, "--as", agency.to_str().expect("UTF-8")]);
    assert!(out.is_empty() && err.contains("no answer to this question was refused"), "{out}{err}");
    // What the journal has of a refused answer is whole: whom it is about is sealed with the request.
    let copied = world.folder().join("copied");
    oncegate::program::demo::copy(&world.demo().folder().join("data"), &copied).expect("copied");
    let verified = oncegate::host::store::verify_all(&copied, &[]);
    assert!(verified.is_ok(), "{}", verified.err().map_or(String::new(), |error| error.to_string()));
}

/// The refused attempt of the school to find out about somebody for the police's purpose.
fn attempt(world: &World) -> (Identifier, String) {
    let (status, id) = ask(world, SCHOOL, Behaviour::Honest, CRIME);
    assert_eq!(status, 403);
    (person(world, Behaviour::Honest), id)
}

#[test]
fn an_auditor_finds_whom_a_refused_request_was_about_who_asked_and_for_what() {
    let world = world();
    let (of, id) = attempt(&world);
    let (_, found) = search(&world, COURT, json!({ "person": text_of(&of), "reason": "inspection", "kind": "err" }));
    let entry = &found["entries"][0];
    assert_eq!(entry["record"]["m"], id.as_str(), "{found}");
    assert!(!entry.to_string().contains(of.value()), "only sealed");
    let (_, record) = get(&world, COURT, &format!("/v1/log/records/{}?reason=inspection", entry["logIndex"]));
    let private = &record["private"];
    assert_eq!(private["subject"], json!([text_of(&of)]));
    assert_eq!(private["official"], text_of(&Identifier::synthetic(500)));
    assert_eq!((&private["documentType"], &private["purpose"]), (&"medical-absence-note".into(), &CRIME.0.into()));
    // Nothing was read of that person, and nobody said that they may be told.
    let shown = trail(&world, &of, "");
    let entries = shown["entries"].as_array().expect("entries");
    assert!(entries.iter().all(|entry| entry["outcome"] == "log-read"), "the auditor's looks and the portal's: {shown}");
}

#[test]
fn a_citizen_sees_refused_attempts_where_the_operator_says_so_and_none_before_its_time() {
    let config = QUICK.replace("records", "trail_refusals = true\nrecords");
    let open = World::prepared(&config, &[], &|installation| {
        let config = Config::load(&installation.config()).expect("a configuration");
        let gateway = format!("https://{}", config.exchange.listen);
        let id = AgencyId::parse(PORTAL).expect("an agency");
        let portal = NewAgency { id: &id, name: "An office", url: None, holds: &[], more: "roles = [\"portal\"]\n" };
        installation.add_agency(&portal, &gateway).expect("added");
    });
    let (of, _) = attempt(&open);
    let entry = trail(&open, &of, "")["entries"][1].clone();
    assert_eq!((&entry["outcome"], &entry["institution"]), (&"refused".into(), &SCHOOL.into()), "{entry}");
    assert_eq!((&entry["documentType"], &entry["purpose"]), (&"medical-absence-note".into(), &CRIME.0.into()));
    // Where a grant withholds accesses, an attempt does not give away whose they are.
    let withholding = World::prepared(&config, &[], &add_readers);
    let (of, _) = attempt(&withholding);
    let shown = trail(&withholding, &of, "");
    assert_eq!((shown["entries"].as_array().map(Vec::len), &shown["withheld"][0]["entries"]), (Some(1), &1.into()), "{shown}");
}
