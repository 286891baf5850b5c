//! The HTTP contract as its documents describe it: routes, headers, problems, catalogue, metrics.

use crate::world::{QUICK, World};
use oncegate::base::fault;
use oncegate::base::ids::Code;
use oncegate::faces::api::{Listeners, OPENAPI, ROUTES};
use oncegate::faces::client::{Client, Signed, problem_of};
use oncegate::host::transport::Received;
use oncegate::message::envelope::{Ask, Context, World as MessageWorld};
use oncegate::message::schema::Schemas;
use oncegate::program::demo::Behaviour;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

const SCHOOL: &str = "xx.demo.school-17";
const FUND: &str = "xx.demo.social-fund";
const SECONDS: Duration = Duration::from_secs(30);

fn description() -> Value {
    serde_json::from_str(OPENAPI).expect("the description is JSON")
}

fn client(world: &World, name: &str) -> Client {
    world.demo().client(name).expect("an agency of the demo")
}

/// A request about somebody whose register behaves like this.
fn request(world: &World, client: &Client, behaviour: Behaviour) -> Signed {
    let code = |text| Code::parse(text).expect("a code");
    let person = &world.demo().people()[behaviour.household() as usize * 4];
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    let context = Context::new(code("school-attendance"), "XX:HEALTH:13", person.subject());
    client.request(ask, context, None, MessageWorld::Live).expect("signed")
}

fn post(world: &World, client: &Client, signed: &Signed, prefer: &str) -> Received {
    world.block_on(client.post(signed.octets.clone(), prefer, SECONDS)).expect("a response")
}

fn get(world: &World, client: &Client, path: &str) -> (u16, String) {
    let received = world.block_on(client.get(path)).expect("a response");
    (received.status.as_u16(), String::from_utf8_lossy(&received.body).into_owned())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn header<'r>(received: &'r Received, name: &str) -> &'r str {
    received.headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

/// Status, head and body of a request to the public listener.
fn plain(world: &World, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(world.demo().public_address()).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("written");
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).expect("a response");
    let response = String::from_utf8_lossy(&octets);
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_ascii_lowercase(), body.to_owned())
}

/// Head and body of what curl gets as an agency, with further arguments.
fn curl(world: &World, path: &str, arguments: &[&str]) -> (String, Vec<u8>) {
    let folder = world.agency_dir(SCHOOL);
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--max-time", "30"]).args(arguments);
    command.arg("--cacert").arg(folder.join("ca.pem")).arg("--cert").arg(folder.join("tls.pem"));
    command.arg("--key").arg(folder.join("tls.key")).arg(format!("{}{path}", world.gateway_url()));
    let output = command.output().expect("curl starts");
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    let end = output.stdout.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&output.stdout[..end]).to_ascii_lowercase();
    (head, output.stdout[end + 4..].to_vec())
}

#[test]
fn the_description_has_exactly_the_routes() {
    let description = description();
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let mut described = BTreeSet::new();
    for (path, operations) in description["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.contains_key("200"), "{method} {path}");
            let in_path = |parameter: &&Value| resolved(&description, parameter)["in"] == "path";
            let parameters = operation["parameters"].as_array().map_or(0, |all| all.iter().filter(in_path).count());
            assert_eq!(parameters, path.matches('{').count(), "{method} {path}");
            let servers = operation["servers"].as_array().expect("servers").len();
            described.insert((method.to_uppercase(), path.clone(), servers));
        }
    }
    let listeners = |listeners: Listeners| if listeners == Listeners::Both { 2 } else { 1 };
    let built = ROUTES.iter().map(|(method, path, on)| ((*method).to_owned(), (*path).to_owned(), listeners(*on))).collect();
    assert_eq!(described, built);
}

fn resolved<'d>(description: &'d Value, value: &'d Value) -> &'d Value {
    value["$ref"].as_str().map_or(value, |reference| {
        description.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    })
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn walk(description: &Value, value: &Value) {
        resolved(description, value);
        match value {
            Value::Object(members) => members.values().for_each(|member| walk(description, member)),
            Value::Array(items) => items.iter().for_each(|item| walk(description, item)),
            _ => {}
        }
    }
    let description = description();
    walk(&description, &description);
}

/// Codes stand under the status that carries them, and every code of the gateway stands somewhere.
#[test]
fn the_description_names_each_code_under_its_status() {
    let description = description();
    let mut named: BTreeSet<&str> = ["OG-HTTP-003", "OG-HTTP-008", "OG-HTTP-012", "OG-LOG-002"].into();
    for (path, operations) in description["paths"].as_object().expect("paths") {
        for operation in operations.as_object().expect("operations").values() {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let text = response["description"].as_str().expect("a description");
                for code in text.split(", ").filter(|word| word.starts_with("OG-")) {
                    let known = fault::Code::parse(code).unwrap_or_else(|| panic!("{path}: {code}"));
                    assert_eq!(known.status().to_string(), *status, "{path}: {code}");
                    named.insert(code);
                }
            }
        }
    }
    // The gateway's own files; what an answer is told by OG-RTE-003; what a word in the inbox says; what stands in a step's way.
    // What pages for people tell is in no description of calls, and what commands tell of quality is neither.
    let own = |code: &str| {
        ["OG-CFG", "OG-CAT", "OG-CON", "OG-QUA", "OG-SRC", "OG-AGT", "OG-DSK"].iter().any(|group| code.starts_with(group))
    };
    let inner = |code: &str| own(code) || matches!(code, "OG-DOC-003" | "OG-POL-013" | "OG-CAS-008" | "OG-CAS-009");
    let missing: Vec<_> = fault::Code::ALL.iter().map(|code| code.as_str()).filter(|code| !named.contains(code)).collect();
    assert!(missing.iter().all(|code| inner(code)), "{missing:?}");
}

#[test]
fn the_table_of_faults_is_that_of_the_program() {
    let text = include_str!("../../docs/faults.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `OG-")).collect();
    let expected: Vec<String> = fault::Code::ALL
        .iter()
        .map(|code| {
            let (blame, retry) = (code.blame().as_str(), code.retry().as_str());
            format!("| `{code}` | {} | {blame} | {retry} | {} | {} |", code.status(), code.title(), code.next_step())
        })
        .collect();
    assert_eq!(rows, expected, "docs/faults.md should have:\n{}", expected.join("\n"));
}

#[test]
fn every_get_route_answers_on_its_listeners() {
    let world = World::prepared(QUICK, &[], &|installation| {
        let set = installation.folder().join("schemas/tax");
        std::fs::create_dir_all(set.join("parts")).expect("writable");
        let schema =
            "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"><xs:element name=\"R\" type=\"xs:int\"/></xs:schema>";
        std::fs::write(set.join("parts/r.xsd"), schema).expect("writable");
        let rows = "[[document]]\nname = \"tax\"\nfile = \"parts/r.xsd\"\nroot = \"R\"\nclass = \"test\"\ntitle = \"T\"\n";
        std::fs::write(set.join("documents.toml"), rows).expect("writable");
    });
    let [school, clinic] = [SCHOOL, "xx.demo.clinic-3"].map(|name| client(&world, name));
    let signed = request(&world, &school, Behaviour::Honest);
    assert_eq!(post(&world, &school, &signed, "wait=20").status.as_u16(), 200);
    // An attachment is there once it was sent: `attached.rs` asks for it.
    let is_asked = |(method, template, _): &&(&str, &str, Listeners)| *method == "GET" && !template.contains("/attachments/");
    for (method, template, on) in ROUTES.iter().filter(is_asked) {
        let path = template
            .replace("{id}", &signed.id.to_string())
            .replace("{name}", "message-1.xsd")
            .replace("{set}/{path}", "tax/parts/r.xsd")
            .replace("{type}", "medical-absence-note")
            .replace("{index}", "0")
            .replace("{level}/{number}", "0/000.p/2")
            .replace("{link}", &"0".repeat(32))
            .replace("{code}", &"0".repeat(64));
        // Why an answer was refused is for its holder.
        let caller = if template.ends_with("/refusals") { &clinic } else { &school };
        let (exchange, public) = (get(&world, caller, &path).0, plain(&world, &path).0);
        let expected = match on {
            // Nothing waits there.
            Listeners::Exchange if path == "/v1/inbox" => (204, 421),
            // There is no case here: `cases.rs` looks at some.
            Listeners::Exchange if path.starts_with("/v1/cases/") => (404, 421),
            Listeners::Public if path.starts_with("/v1/my/") => (421, 410),
            // Nobody has asked to take part: `joining.rs` does.
            Listeners::Public if path.starts_with("/v1/join/") => (421, 404),
            Listeners::Exchange => (200, 421),
            Listeners::Public => (421, 200),
            Listeners::Both => (200, 200),
        };
        assert_eq!((exchange, public), expected, "{method} {path}");
    }
    let health = json(&plain(&world, "/health").2);
    assert_eq!((&health["status"], &health["journal"]), (&"ready".into(), &"open".into()), "{health}");
    assert_eq!(plain(&world, "/v1/openapi.json").2, OPENAPI);
}

#[test]
fn schemas_and_examples_are_served_as_they_are() {
    let world = World::start();
    let school = client(&world, SCHOOL);
    for (name, text) in Schemas::built_in_files().iter().chain([&Schemas::message_file()]) {
        let path = format!("/v1/schemas/{name}");
        assert_eq!(get(&world, &school, &path), (200, (*text).to_owned()), "{name}");
        assert_eq!(plain(&world, &path).2, *text, "{name}");
    }
    for document in world.demo().schemas().document_types().filter(|document| document.class.as_str() != "test") {
        let example = Schemas::example(document.name.as_str()).expect("each has one");
        assert_eq!(plain(&world, &format!("/v1/examples/{}", document.name)).2, example, "{}", document.name);
    }
    assert_eq!(plain(&world, "/v1/schemas/..%2fCargo.toml").0, 404);
    assert_eq!(plain(&world, "/v1/examples/horoscope").0, 404);
}

#[test]
fn the_catalogue_names_the_callers_own_grants() {
    let world = World::start();
    let grants = |name: &str| -> BTreeSet<String> {
        let catalogue = json(&get(&world, &client(&world, name), "/v1/catalogue").1);
        assert_eq!(catalogue["agency"], name);
        let grants = catalogue["mayAsk"].as_array().expect("grants");
        grants.iter().map(|grant| grant["grant"].as_str().expect("a name").to_owned()).collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(grants(SCHOOL), set(&["school-reads-absence", "offices-read-absence", "ended", "school-applies"]));
    let of_fund =
        ["offices-read-absence", "fund-reads-birth", "fund-reads-medical-birth", "fund-reads-identity", "fund-reads-residence"];
    assert_eq!(grants(FUND), &set(&of_fund) | &set(&["fund-reads-enrolment"]));
    let catalogue = json(&get(&world, &client(&world, SCHOOL), "/v1/catalogue").1);
    assert_eq!(catalogue["holds"], serde_json::json!(["school-enrolment"]));
    for grant in catalogue["mayAsk"].as_array().expect("grants") {
        let schema = grant["schema"].as_str().expect("a path");
        assert_eq!(get(&world, &client(&world, SCHOOL), schema).0, 200, "{schema}");
    }
}

/// The value of a metric with these labels; every other line has the form of OpenMetrics as well.
fn metric(text: &str, wanted: &str) -> f64 {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut found = 0.0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("name and value");
        let value: f64 = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(name.starts_with("oncegate_"), "{line}");
        if name == wanted {
            found = value;
        }
    }
    found
}

#[test]
fn metrics_parse_and_count_an_exchange() {
    let world = World::start();
    let school = client(&world, SCHOOL);
    let metrics = || {
        let (status, head, body) = plain(&world, "/metrics");
        assert!(status == 200 && head.contains("content-type: application/openmetrics-text"), "{head}");
        body
    };
    const WATCHED: [&str; 3] = [
        "oncegate_records_total{kind=\"req\",code=\"\"}",
        "oncegate_records_total{kind=\"rsp\",code=\"\"}",
        "oncegate_exchange_seconds_count",
    ];
    let values = |text: &str| WATCHED.map(|name| metric(text, name));
    assert_eq!(values(&metrics()), [0.0; 3]);
    post(&world, &school, &request(&world, &school, Behaviour::Honest), "wait=20");
    assert_eq!(values(&metrics()), [1.0; 3]);
    assert_eq!(metric(&metrics(), "oncegate_journal_records"), 2.0);
    post(&world, &school, &request(&world, &school, Behaviour::Failing), "wait=20");
    let failed = "oncegate_records_total{kind=\"err\",code=\"OG-RTE-003\"}";
    assert_eq!(metric(&metrics(), failed), 1.0);
}

#[test]
fn a_message_sent_again_gets_the_same_answer_and_says_so() {
    let world = World::start();
    let (school, fund) = (client(&world, SCHOOL), client(&world, FUND));
    let signed = request(&world, &school, Behaviour::Honest);
    let first = post(&world, &school, &signed, "wait=20");
    assert_eq!(header(&first, "oncegate-message-id"), signed.id.to_string());
    assert_eq!((header(&first, "oncegate-log-index"), header(&first, "oncegate-replayed")), ("1", ""));
    assert_eq!(header(&first, "ratelimit-policy"), "\"requests\";q=60000;w=60");
    let left = |received: &Received| -> u32 {
        let rest = header(received, "ratelimit").strip_prefix("\"requests\";r=").expect("the form of the draft");
        rest.split(';').next().and_then(|left| left.parse().ok()).expect("a number")
    };
    let again = post(&world, &school, &signed, "wait=20");
    assert_eq!((header(&again, "oncegate-log-index"), header(&again, "oncegate-replayed")), ("1", "true"));
    assert_eq!(first.body, again.body);
    assert!(left(&again) <= left(&first) && left(&first) < 5000, "{} {}", left(&first), left(&again));
    let path = format!("/v1/messages/{}", signed.id);
    assert_eq!(json(&get(&world, &school, &path).1)["state"], "answered");
    assert_eq!(json(&get(&world, &fund, &path).1)["code"], "OG-MSG-018");
    let (status, body) = get(&world, &school, &format!("{path}/answer"));
    assert_eq!((status, body.as_bytes()), (200, first.body.as_slice()));
}

/// Reading has a quota of its own: whoever has used it up may still send messages, and others may read.
#[test]
fn whoever_reads_too_often_is_told_when_to_come_again() {
    let world = World::with_quota(FUND, "requests_per_minute = 6, burst = 2");
    let (school, fund) = (client(&world, SCHOOL), client(&world, FUND));
    let read = |client: &Client| world.block_on(client.get("/v1/catalogue")).expect("a response");
    for left in (0..20).rev() {
        let received = read(&fund);
        assert_eq!(received.status.as_u16(), 200);
        assert_eq!(header(&received, "ratelimit-policy"), "\"reads\";q=60;w=60");
        assert_eq!(header(&received, "ratelimit"), format!("\"reads\";r={left};t=60"));
    }
    let received = read(&fund);
    assert_eq!((received.status.as_u16(), problem_of(&received).code.as_str()), (429, "OG-LIM-001"));
    assert_eq!((header(&received, "ratelimit"), header(&received, "retry-after")), ("\"reads\";r=0;t=60", "1"));
    assert_eq!(read(&school).status.as_u16(), 200);
    let sent = post(&world, &fund, &request(&world, &fund, Behaviour::Honest), "wait=20");
    assert_eq!(header(&sent, "ratelimit"), "\"requests\";r=1;t=60", "{}", String::from_utf8_lossy(&sent.body));
}

/// Whoever does not wait, by any way of saying so, gets 202 with the record, and the answer later.
#[test]
fn whoever_does_not_wait_fetches_the_answer() {
    let world = World::start();
    let school = client(&world, SCHOOL);
    for (at, prefer) in ["respond-async", "wait=0", "respond-async, wait=5"].into_iter().enumerate() {
        let signed = request(&world, &school, Behaviour::Later);
        let accepted = post(&world, &school, &signed, prefer);
        assert_eq!(accepted.status.as_u16(), 202, "{prefer}: {}", String::from_utf8_lossy(&accepted.body));
        assert_eq!(header(&accepted, "oncegate-log-index"), (at * 3).to_string(), "{prefer}");
        assert!(!header(&accepted, "retry-after").is_empty() && accepted.body.is_empty(), "{prefer}");
        let location = header(&accepted, "location");
        assert_eq!(location, format!("/v1/messages/{}", signed.id));
        let (head, answer) = curl(&world, &format!("{location}/answer"), &["--header", "Prefer: wait=20"]);
        assert!(head.contains(" 200"), "{head}");
        school.verify(&answer, world.demo().schemas()).expect("a good answer");
        assert_eq!(json(&get(&world, &school, location).1)["state"], "answered");
    }
}

#[test]
fn an_exchange_that_failed_says_so_when_asked() {
    let world = World::start();
    let school = client(&world, SCHOOL);
    let signed = request(&world, &school, Behaviour::Failing);
    assert_eq!(post(&world, &school, &signed, "respond-async").status.as_u16(), 202);
    let path = format!("/v1/messages/{}", signed.id);
    let (_, state) = curl(&world, &path, &["--header", "Prefer: wait=20"]);
    let state = json(&String::from_utf8_lossy(&state));
    assert_eq!((&state["state"], &state["code"]), (&"refused".into(), &"OG-RTE-003".into()));
    assert_eq!(get(&world, &school, &format!("{path}/answer")).0, 404);
}

#[test]
fn problems_are_xml_unless_json_is_preferred() {
    let world = World::start();
    for (accept, media) in [
        ("*/*", "xml"),
        ("application/json", "json"),
        ("application/problem+json", "json"),
        ("application/json;q=0.5, application/xml", "xml"),
        ("application/json, application/xml;q=0.9", "json"),
        ("application/json, application/xml", "xml"),
    ] {
        let (head, body) = curl(&world, "/v1/nothing", &["--header", &format!("Accept: {accept}")]);
        assert!(head.contains(" 404") && head.contains(&format!("content-type: application/problem+{media}")), "{head}");
        let body = String::from_utf8_lossy(&body);
        if media == "json" {
            let problem = json(&body);
            assert_eq!(problem["type"], "urn:oncegate:error:OG-HTTP-002");
            assert!(head.contains(&format!("oncegate-log-index: {}", problem["logIndex"])), "{head}");
        } else {
            assert!(body.contains("<problem xmlns=\"urn:ietf:rfc:7807\"><type>urn:oncegate:error:OG-HTTP-002</type>"), "{body}");
        }
    }
    let (head, _) = curl(&world, "/v1/messages", &["--request", "DELETE"]);
    assert!(head.contains(" 405") && head.contains("allow: post"), "{head}");
}

#[test]
fn heads_and_media_types_are_judged_by_their_rfcs() {
    let world = World::start();
    let field = |bytes: usize| format!("X-Long: {}", "a".repeat(bytes));
    let (head, body) = curl(&world, "/v1/catalogue", &["--http1.1", "--header", &field(17_000)]);
    assert!(head.contains(" 431") && String::from_utf8_lossy(&body).contains("OG-HTTP-008"), "{head}");
    assert!(curl(&world, "/v1/catalogue", &["--http1.1", "--header", &field(15_000)]).0.contains(" 200"));
    let school = client(&world, SCHOOL);
    let file = world.folder().join("request.xml");
    for (media, status) in [
        ("Application/XML; Charset=\"UTF-8\"", " 200"),
        ("text/xml", " 200"),
        ("application/xml; charset=latin1", " 415"),
        ("application/xhtml+xml", " 415"),
    ] {
        std::fs::write(&file, request(&world, &school, Behaviour::Honest).octets).expect("writable");
        let data = format!("@{}", file.display());
        let (head, _) = curl(&world, "/v1/messages", &["--data-binary", &data, "--header", &format!("Content-Type: {media}")]);
        assert!(head.contains(status), "{media}: {head}");
    }
}

#[test]
fn http_2_works_as_http_1_does() {
    let world = World::start();
    let school = client(&world, SCHOOL);
    for (version, line) in [("--http2", "http/2 200"), ("--http1.1", "http/1.1 200")] {
        let file = world.folder().join("request.xml");
        std::fs::write(&file, request(&world, &school, Behaviour::Honest).octets).expect("writable");
        let data = format!("@{}", file.display());
        let trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let arguments = [version, "--data-binary", &data, "--header", "Content-Type: application/xml", "--header", trace];
        let (head, body) = curl(&world, "/v1/messages", &arguments);
        assert!(head.starts_with(line) && head.contains(trace), "{head}");
        school.verify(&body, world.demo().schemas()).expect("a good answer");
    }
}
