//! A mock in the place of a holder: both ways, through a real gateway, by the program itself.

use crate::delivery::becomes;
use crate::inbox::{are_outbound, registry};
use crate::process::{Process, Scene, answered, oncegate};
use oncegate::base::ids::{Code, Identifier};
use oncegate::faces::client::{Checked, Client, Signed, problem_of};
use oncegate::message::envelope::{Ask, Body, Context, Subject, World};
use oncegate::message::schema::Schemas;
use oncegate::program::setup::Installation;
use std::process::Command;
use std::time::Duration;

const SILENT: &str = "records = \"off\"\n";
const CLINIC: &str = "xx.demo.clinic-3";

/// School and clinic are of the test world, and the school may have all fields of a note.
fn are_of_the_test_world(installation: &Installation) {
    registry(installation, |text| {
        [CLINIC, "xx.demo.school-17"].iter().fold(text.to_owned(), |text, who| {
            text.replacen(&format!("id = \"{who}\"\n"), &format!("id = \"{who}\"\ntest = true\n"), 1)
        })
    });
}

fn asking(school: &Client, number: u32, world: World) -> Signed {
    let code = |text| Code::parse(text).expect("a code");
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    let subject = Subject::from(vec![Identifier::synthetic(number)]);
    school.request(ask, Context::new(code("school-attendance"), "XX:HEALTH:13", subject), None, world).expect("signed")
}

fn mock(scene: &Scene, more: &[&str]) -> Process {
    let mut command = Command::new(oncegate());
    command.args(["mock", "medical-absence-note", "--as"]).arg(scene.world().agency_folder(CLINIC)).args(more);
    Process::from(command).unwrap_or_else(|(status, said)| panic!("{status}: {said}"))
}

/// What comes of a question: its answer, checked.
async fn answer(school: &Client, number: u32) -> Checked {
    let request = asking(school, number, World::Test);
    let received = answered(school, &request).await;
    school.check(received, &request, &Schemas::built_in()).expect("an answer to the question")
}

async fn answers_as_said(school: &Client) {
    // With the fields that the grant gives, about whoever was asked about.
    let found = answer(school, 7_000_120).await;
    let Body::Documents(documents) = &found.message.body else { panic!("no document") };
    let facts = documents[0].as_ref().expect("valid");
    assert_eq!(facts.subjects_as("").next().expect("somebody").identifiers, [Identifier::synthetic(7_000_120)]);
    assert!(facts.optional_paths.iter().any(|path| path == "PeExemption") && facts.status.as_deref() == Some("in-force"));
    assert!(!facts.optional_paths.iter().any(|path| path == "Diagnosis" || path == "Doctor"), "{:?}", facts.optional_paths);
    let none = answer(school, 7_000_121).await;
    assert!(matches!(none.message.body, Body::NoRecord { .. }));
    let fault = answer(school, 7_000_124).await;
    assert!(matches!(&fault.message.body, Body::Fault { code, .. } if code == "OG-SRC-001"));
    let cancelled = answer(school, 7_000_125).await;
    let Body::Documents(documents) = &cancelled.message.body else { panic!("no document") };
    assert_eq!(documents[0].as_ref().expect("valid").status.as_deref(), Some("cancelled"));
    // Later: it is kept, and answered after a while.
    let later = asking(school, 7_000_122, World::Test);
    let received = school.post(later.octets.clone(), "respond-async", Duration::from_secs(30)).await.expect("a response");
    assert_eq!(received.status.as_u16(), 202, "{:?}", problem_of(&received));
    becomes(school, &later, "answered").await;
    // Silence has no answer, and others are answered meanwhile.
    let silent = asking(school, 7_000_123, World::Test);
    let received = school.post(silent.octets.clone(), "wait=2", Duration::from_secs(30)).await.expect("a response");
    assert_eq!(received.status.as_u16(), 202, "{:?}", problem_of(&received));
    assert!(matches!(answer(school, 7_000_131).await.message.body, Body::NoRecord { .. }));
}

#[test]
fn a_mock_that_comes_for_questions_answers_them_as_their_numbers_say() {
    let scene = Scene::prepared_without_clinic(SILENT, &|installation| {
        are_outbound(installation);
        are_of_the_test_world(installation);
    });
    let gateway = scene.start();
    let mock = mock(&scene, &[]);
    scene.block_on(answers_as_said(&scene.client()));
    mock.stop();
    gateway.stop();
}

#[test]
fn a_mock_with_a_port_answers_questions_as_their_numbers_say() {
    let scene = Scene::prepared_without_clinic(SILENT, &are_of_the_test_world);
    let gateway = scene.start();
    let address = scene.world().provider_address(CLINIC).expect("a holder").to_string();
    let mock = mock(&scene, &["--listen", &address]);
    scene.block_on(answers_as_said(&scene.client()));
    mock.stop();
    gateway.stop();
}

#[test]
fn a_mock_answers_no_live_question_and_nothing_that_it_was_not_started_for() {
    let scene = Scene::prepared_without_clinic(SILENT, &are_outbound);
    let (gateway, mock) = (scene.start(), mock(&scene, &[]));
    scene.block_on(async {
        let (school, request) = (scene.client(), asking(&scene.client(), 7_000_120, World::Live));
        let received = answered(&school, &request).await;
        let checked = school.check(received, &request, &Schemas::built_in()).expect("an answer");
        assert!(matches!(&checked.message.body, Body::Fault { code, .. } if code == "OG-SRC-009"));
    });
    mock.stop();
    gateway.stop();
    let output = Command::new(oncegate()).args(["mock", "no-such-thing", "--as", "x"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
}
