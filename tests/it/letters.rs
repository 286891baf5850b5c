//! A document type whose attachments have a time of their own.

use crate::attached::{Answer, KIND, attachment, body, curl, expect_nothing_left, holder, left, post};
use crate::delivery::becomes;
use crate::inbox::registry;
use crate::process::{LONG, Scene};
use crate::suspicions::client;
use hyper::{Response, StatusCode};
use oncegate::base::ids::{AgencyId, Code};
use oncegate::faces::client::{Client, Signed};
use oncegate::host::transport::full;
use oncegate::message::crypto::sha256;
use oncegate::message::envelope::{Ask, Attachment, Body, Context, Kind, Message, ReplyTo, World};
use oncegate::program::setup::Installation;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const SCHOOL: &str = "xx.demo.school-17";
pub const CLINIC: &str = "xx.demo.clinic-3";
pub const PURPOSE: &str = "school-attendance";
pub const BASIS: &str = "XX:HEALTH:13";
const SCHEMA: &str = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"urn:letters\" \
    xmlns=\"urn:letters\" elementFormDefault=\"qualified\">\n<xs:element name=\"Letter\"><xs:complexType><xs:sequence>\
    <xs:element name=\"Id\" type=\"xs:token\"/><xs:element name=\"Line\" type=\"xs:string\" maxOccurs=\"unbounded\"/>\
    <xs:element name=\"Secret\" type=\"xs:string\" minOccurs=\"0\"/></xs:sequence></xs:complexType></xs:element>\n</xs:schema>\n";

/// A gateway that knows of letters, with more lines for their row, and with nobody in the clinic's place, who holds them.
pub fn scene(more: &str, config: &str) -> Scene {
    let prepare = |installation: &Installation| {
        let set = installation.folder().join("schemas/letters");
        fs::create_dir_all(&set).expect("writable");
        fs::write(set.join("letter.xsd"), SCHEMA).expect("writable");
        let row = format!(
            "[[document]]\nname = \"letter\"\nfile = \"letter.xsd\"\nroot = \"Letter\"\nclass = \"personal\"\ntitle = \"Letter\"\n\
             {more}subject = [{{ path = \"\", id = [{{ path = \"Id\", scheme = \"XX-OGTEST\" }}] }}]\n"
        );
        fs::write(set.join("documents.toml"), row).expect("writable");
        registry(installation, |text| {
            let rest = "what = \"letter\"\nfields = []\nuntil = \"2099-12-31\"\n";
            let (read, apply) =
                ("\n[[grant]]\nid = \"reads-letters\"", "\n[[grant]]\nid = \"sends-letters\"\naction = \"apply\"");
            let who = format!("\nwho = \"{SCHOOL}\"\npurpose = \"{PURPOSE}\"\nbasis = \"{BASIS}\"\n{rest}");
            format!("{text}\n[[holder]]\ndocument = \"letter\"\nagency = \"{CLINIC}\"\n{read}{who}{apply}{who}")
        });
    };
    Scene::prepared_without_clinic(&format!("records = \"off\"\n{config}"), &prepare)
}

/// A question about somebody, which names these.
pub fn asking(scene: &Scene, school: &Client, what: &str, attachments: Vec<Attachment>) -> Signed {
    let code = |text| Code::parse(text).expect("a code");
    let person = scene.world().people().first().expect("a person").subject();
    let ask = Ask { document_type: code(what), of: None, select: Vec::new(), during: None };
    let clinic = AgencyId::parse(CLINIC);
    let header = school.header(Kind::Request, clinic, None, World::Live).expect("a header");
    let message =
        Message { header, context: Some(Context::new(code(PURPOSE), BASIS, person)), body: Body::Ask(ask), attachments };
    school.sign(&message, "").expect("signed")
}

/// That there is no such document, with what it names.
fn none(clinic: &Client, reply: ReplyTo, asked: &Message, attachments: Vec<Attachment>) -> Signed {
    let header = clinic.header(Kind::Answer, Some(asked.header.from.clone()), Some(reply), World::Live).expect("a header");
    let document_type = match &asked.body {
        Body::Ask(ask) => ask.document_type.clone(),
        _ => Code::parse("letter").expect("a code"),
    };
    let body = Body::NoRecord { document_type };
    clinic.sign(&Message { header, context: asked.context.clone(), body, attachments }, "").expect("signed")
}

type Question = (ReplyTo, Message);

/// A holder that answers with a report, or says that it answers later, as it is told to.
fn clinic(scene: &Scene, report: &[u8]) -> (Arc<Mutex<bool>>, Arc<Mutex<Vec<Question>>>) {
    let (is_late, asked) = (Arc::new(Mutex::new(false)), Arc::<Mutex<Vec<Question>>>::default());
    let (late, all, report) = (Arc::clone(&is_late), Arc::clone(&asked), report.to_vec());
    let answer: Answer = Arc::new(move |clinic, reply, question| {
        if *late.lock().expect("nobody panics") {
            all.lock().expect("nobody panics").push((reply, question.clone()));
            let mut response = Response::new(full(""));
            *response.status_mut() = StatusCode::ACCEPTED;
            return response;
        }
        let signed = none(clinic, reply, question, vec![attachment("report", &report)]).octets;
        let mut response = Response::new(full(body(&signed, &[("report", &report)])));
        response.headers_mut().insert("content-type", KIND.parse().expect("a value"));
        response
    });
    holder(scene, answer);
    (is_late, asked)
}

fn status(scene: &Scene, content: &[u8]) -> u16 {
    curl(scene, SCHOOL, &format!("/v1/attachments/{}", sha256(content)), &[]).status
}

fn goes(scene: &Scene, content: &[u8]) {
    let begun = Instant::now();
    while status(scene, content) != 404 {
        assert!(begun.elapsed() < LONG, "its time has passed");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn files(scene: &Scene) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = left(scene).into_iter().map(|name| scene.data().join("attachments").join(name));
    paths.map(|path| (path.clone(), fs::read(path).expect("readable"))).collect()
}

#[test]
fn attachments_go_when_the_time_of_their_type_has_passed_with_their_keys() {
    let scene = scene("attachments_seconds = 3\n", "");
    let (scan, report) = (vec![7; 100_000], vec![9; 100_000]);
    let other = vec![8; 100_000];
    clinic(&scene, &report);
    let (gateway, school) = (scene.start(), scene.client());
    let send = |what: &str, content: &[u8]| {
        let question = asking(&scene, &school, what, vec![attachment("scan", content)]);
        let sent = post(&scene, &body(&question.octets, &[("scan", content)]), &[]);
        assert_eq!(sent.status, 200, "{}", sent.head);
    };
    send("medical-absence-note", &other);
    let before = files(&scene);
    send("letter", &scan);
    let kept = files(&scene);
    assert_eq!((status(&scene, &scan), status(&scene, &other)), (200, 200));
    goes(&scene, &scan);
    // The report came with both: what another type's message names stays.
    assert_eq!([status(&scene, &other), status(&scene, &report)], [200, 200]);
    assert_eq!(files(&scene).len(), before.len());
    gateway.stop();
    // Whoever has kept the files has nothing.
    for (path, octets) in kept.into_iter().filter(|file| !before.contains(file)) {
        fs::write(path, octets).expect("writable");
    }
    let gateway = scene.start();
    assert_eq!([status(&scene, &scan), status(&scene, &other)], [404, 200]);
    assert_eq!(files(&scene).len(), before.len());
    gateway.stop();
}

#[test]
fn attachments_of_an_exchange_that_is_open_stay_until_it_is_over() {
    let scene = scene("attachments_seconds = 1\n", "");
    let (scan, other) = (vec![7; 100_000], vec![8; 100_000]);
    let (is_late, asked) = clinic(&scene, &[9; 1000]);
    let (gateway, school, office) = (scene.start(), scene.client(), client(&scene, CLINIC));
    let send = |content: &[u8], prefer: &str| {
        let question = asking(&scene, &school, "letter", vec![attachment("scan", content)]);
        let sent = post(&scene, &body(&question.octets, &[("scan", content)]), &["-H", prefer]);
        assert!(matches!(sent.status, 200 | 202), "{}", sent.head);
        question
    };
    *is_late.lock().expect("nobody panics") = true;
    let question = send(&scan, "Prefer: respond-async");
    scene.block_on(becomes(&school, &question, "delivered"));
    *is_late.lock().expect("nobody panics") = false;
    send(&other, "Accept: application/xml");
    goes(&scene, &other);
    assert_eq!(status(&scene, &scan), 200, "it is older, and open");
    gateway.kill();
    let gateway = scene.start();
    send(&[6; 1000], "Accept: application/xml");
    goes(&scene, &[6; 1000]);
    assert_eq!(status(&scene, &scan), 200, "it is open");
    let (reply, read) = asked.lock().expect("nobody panics").pop().expect("it was asked");
    let answer = none(&office, reply, &read, Vec::new());
    let taken = scene.block_on(office.post(answer.octets, "", LONG)).expect("the gateway is there");
    assert_eq!(taken.status.as_u16(), 202);
    goes(&scene, &scan);
    gateway.stop();
}

/// A letter about somebody, too large for a message.
fn large(id: &str, more: &str) -> Vec<u8> {
    let lines = "<Line>\u{e9}&amp; so on, line after line\r\n</Line>\n".repeat(60_000);
    format!(
        "<?xml version=\"1.0\"?>\n<l:Letter xmlns:l=\"urn:letters\" xmlns=\"urn:letters\"><Id>{id}</Id>{lines}{more}</l:Letter>\n"
    )
    .into_bytes()
}

/// The attachment that is a letter.
fn letter(content: &[u8]) -> Attachment {
    let document = Code::parse("letter");
    let media_type = "application/xml; charset=utf-8".to_owned();
    Attachment { name: "letter.xml".to_owned(), media_type, document, ..attachment("letter", content) }
}

/// A holder that answers with what it is given.
fn answering(scene: &Scene) -> Arc<Mutex<(Vec<Attachment>, Vec<u8>)>> {
    let given = Arc::<Mutex<(Vec<Attachment>, Vec<u8>)>>::default();
    let known = Arc::clone(&given);
    let answer: Answer = Arc::new(move |clinic, reply, asked| {
        let (attachments, content) = known.lock().expect("nobody panics").clone();
        let header = clinic.header(Kind::Answer, Some(asked.header.from.clone()), Some(reply), World::Live).expect("a header");
        let message = Message { header, context: asked.context.clone(), body: Body::Documents(Vec::new()), attachments };
        let signed = clinic.sign(&message, "").expect("signed").octets;
        let mut response = Response::new(full(body(&signed, &[("letter", &content)])));
        response.headers_mut().insert("content-type", KIND.parse().expect("a value"));
        response
    });
    holder(scene, answer);
    given
}

/// A message that comes alone.
const XML: &[&str] = &["-H", "Content-Type: application/xml", "-H", "Accept: application/problem+json"];

fn own_id(scene: &Scene) -> String {
    let subject = scene.world().people().first().expect("a person").subject();
    subject.identifiers.first().expect("an identifier").value().to_owned()
}

#[test]
fn a_document_that_is_attached_is_held_to_the_rules_of_one_in_the_answer() {
    let scene = scene("", "");
    let given = answering(&scene);
    let (gateway, school) = (scene.start(), scene.client());
    let ask = |content: &[u8], attachments: Vec<Attachment>| {
        *given.lock().expect("nobody panics") = (attachments, content.to_vec());
        post(&scene, &asking(&scene, &school, "letter", Vec::new()).octets, XML)
    };
    let id = own_id(&scene);
    let other = scene.world().people()[8].subject().identifiers[0].value().to_owned();
    let good = large(&id, "");
    let cut = good[..good.len() - 20].to_vec();
    for (what, content, code, place) in [
        ("somebody else", large(&other, ""), "OG-RTE-004", ""),
        ("a field that was not granted", large(&id, "<Secret>x</Secret>"), "OG-POL-012", ""),
        ("an element that the schema has not", large(&id, "<Other/>"), "OG-RTE-003", "OG-DOC-"),
        ("a check digit", large("99000000137", ""), "OG-RTE-003", "OG-DOC-021"),
        ("a comment", large(&id, "<!-- x -->"), "OG-RTE-003", "OG-XML-005"),
        ("no end", cut, "OG-RTE-003", "OG-XML-002"),
        ("another type", b"<R xmlns=\"urn:x\"/>".to_vec(), "OG-RTE-003", "OG-DOC-001"),
    ] {
        let refused = ask(&content, vec![letter(&content)]);
        assert_eq!(refused.code(), code, "{what}: {}", String::from_utf8_lossy(&refused.body));
        assert!(String::from_utf8_lossy(&refused.body).contains(place), "{what}: {}", String::from_utf8_lossy(&refused.body));
        expect_nothing_left(&scene, what);
    }
    let announced = Attachment { document: Code::parse("identity-record"), ..letter(&good) };
    let refused = ask(&good, vec![announced]);
    assert!(refused.code() == "OG-RTE-003" && String::from_utf8_lossy(&refused.body).contains("OG-DOC-003"), "{}", refused.head);
    let image = Attachment { media_type: "image/png".to_owned(), ..letter(&good) };
    assert_eq!(ask(&good, vec![image]).code(), "OG-RTE-003", "no XML");
    expect_nothing_left(&scene, "refused");
    let answered = ask(&good, vec![letter(&good)]);
    assert_eq!((answered.status, answered.code()), (200, String::new()));
    assert!(good.len() > 2 << 20, "{}", good.len());
    assert!(curl(&scene, SCHOOL, &format!("/v1/attachments/{}", sha256(&good)), &[]).body == good);
    gateway.stop();
}

#[test]
fn a_document_of_an_application_is_validated_whichever_way_it_comes() {
    let scene = scene("", "");
    clinic(&scene, b"received");
    let (gateway, school) = (scene.start(), scene.client());
    let apply = |attachments: Vec<Attachment>| {
        let person = scene.world().people().first().expect("a person").subject();
        let context = Some(Context::new(Code::parse(PURPOSE).expect("a code"), BASIS, person));
        let header = school.header(Kind::Application, AgencyId::parse(CLINIC), None, World::Live).expect("a header");
        let body = Body::Documents(Vec::new());
        school.sign(&Message { header, context, body, attachments }, "").expect("signed").octets
    };
    let (good, bad) = (large(&own_id(&scene), ""), large(&own_id(&scene), "<Other/>"));
    let refused = post(&scene, &body(&apply(vec![letter(&bad)]), &[("letter", &bad)]), &[]);
    assert_eq!(refused.code(), "OG-DOC-002", "{}", String::from_utf8_lossy(&refused.body));
    assert!(String::from_utf8_lossy(&refused.body).contains("the attachment letter: Letter"), "{}", refused.head);
    expect_nothing_left(&scene, "refused");
    // As something that nobody looks into it may come, and does not become a document by that.
    let question = asking(&scene, &school, "letter", vec![attachment("letter", &bad)]);
    assert_eq!(post(&scene, &body(&question.octets, &[("letter", &bad)]), &[]).status, 200);
    let refused = post(&scene, &apply(vec![letter(&bad)]), XML);
    assert_eq!(refused.code(), "OG-DOC-002", "{}", String::from_utf8_lossy(&refused.body));
    for _ in 0..2 {
        let taken = post(&scene, &body(&apply(vec![letter(&good)]), &[("letter", &good)]), &["-H", "Prefer: respond-async"]);
        assert!(matches!(taken.status, 200 | 202), "{}", String::from_utf8_lossy(&taken.body));
    }
    gateway.stop();
}
