//! A document type whose attachments have a time of their own.

use crate::attached::{Answer, KIND, attachment, body, curl, holder, left, post};
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
    let Body::Ask(ask) = &asked.body else { panic!("a question") };
    let body = Body::NoRecord { document_type: ask.document_type.clone() };
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
