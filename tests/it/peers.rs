//! Foreign tools and the programs of `examples/` through a running gateway, over mutual TLS.

use crate::tool::{CLINIC, Program, SCHOOL, STRANGER, SUBJECT, TOOLS, Tool, request, said};
use crate::world::World;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All that these tests want of the world: where the gateway is, the folder of an agency (all keys of [`TOOLS`] are
/// enrolled), a folder for files, and where the gateway looks for the clinic.
struct Scene {
    world: World,
}

impl Scene {
    /// With the world's own provider in the clinic's place.
    fn with_clinic() -> Self {
        Self { world: World::start() }
    }

    /// With nobody in the clinic's place until [`Scene::clinic`] starts somebody.
    fn without_clinic() -> Self {
        Self { world: World::start_without_provider() }
    }

    fn clinic(&self, provider: Tool, key: &str) -> Program {
        provider.provider(key, &self.agency(CLINIC), CLINIC, self.world.provider_port())
    }

    fn url(&self) -> String {
        self.world.gateway_url()
    }

    fn agency(&self, id: &str) -> PathBuf {
        self.world.agency_dir(id)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.folder().join(name)
    }
}

/// Posts a signed message with curl; gives the status and writes the answer.
pub fn post(url: &str, agency: &Path, message: &Path, answer: &Path) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--header", "Content-Type: application/xml", "--write-out", "%{http_code}"]);
    curl.arg("--cacert")
        .arg(agency.join("ca.pem"))
        .arg("--cert")
        .arg(agency.join("tls.pem"))
        .arg("--key")
        .arg(agency.join("tls.key"));
    curl.arg("--data-binary")
        .arg(format!("@{}", message.display()))
        .arg("--output")
        .arg(answer)
        .arg(format!("{url}/v1/messages"));
    let output = curl.output().expect("curl starts");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A request made from the template, signed by the tool, posted by curl, answered with 200; the same tool verifies the
/// answer, which names the request's digest.
fn asks(scene: &Scene, tool: Tool, key: &str) {
    let agency = scene.agency(SCHOOL);
    let [message, signed, answer] =
        ["message", "signed", "answer"].map(|what| scene.file(&format!("{}-{key}-{what}.xml", tool.name)));
    fs::write(&message, request(SCHOOL, SUBJECT)).expect("writable");
    tool.sign(&agency, key, &message, &signed);
    let status = post(&scene.url(), &agency, &signed, &answer);
    let text = fs::read_to_string(&answer).expect("an answer");
    assert_eq!(status, "200", "{} with {key}: {text}", tool.name);
    let verdicts = tool.verify(&agency, &[signed, answer]);
    let [Some(asked), Some(_)] = &verdicts[..] else { panic!("{} with {key} refuses the answer: {text}", tool.name) };
    assert!(text.contains("MedicalAbsenceNote") && text.contains(asked), "{} with {key}: {text}", tool.name);
}

#[test]
fn xmlsec1_asks() {
    asks_with_all_keys(TOOLS[0]);
}

#[test]
fn signxml_asks() {
    asks_with_all_keys(TOOLS[1]);
}

#[test]
fn santuario_asks() {
    asks_with_all_keys(TOOLS[2]);
}

#[test]
fn xml_crypto_asks() {
    asks_with_all_keys(TOOLS[3]);
}

#[test]
fn the_jdk_asks() {
    asks_with_all_keys(TOOLS[4]);
}

fn asks_with_all_keys(tool: Tool) {
    let scene = Scene::with_clinic();
    for key in tool.keys {
        asks(&scene, tool, key);
    }
}

#[test]
fn the_examples_ask() {
    let scene = Scene::with_clinic();
    let school = scene.agency(SCHOOL);
    for tool in TOOLS {
        let answered = tool.consumer("sign", &school, &scene.url(), SCHOOL, SUBJECT);
        let body = String::from_utf8_lossy(&answered.stdout);
        assert!(answered.status.success() && body.contains("MedicalAbsenceNote"), "{}: {}", tool.name, said(&answered));
        // Another agency's name under this agency's certificate and key.
        let refused = tool.consumer("sign", &school, &scene.url(), CLINIC, SUBJECT);
        let reason = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(3) && reason.contains("OG-SIG-004"), "{}: {}", tool.name, said(&refused));
    }
}

#[test]
fn the_examples_answer() {
    let scene = Scene::without_clinic();
    let school = scene.agency(SCHOOL);
    for tool in TOOLS {
        for key in tool.keys {
            let _running = scene.clinic(tool, key);
            // The shell asks, because it starts fastest; it knows no Ed25519, so the one to ask then is xml-crypto.
            let consumer = if *key == "sign-ed25519" { TOOLS[3] } else { TOOLS[0] };
            for (subject, found) in [(SUBJECT, "MedicalAbsenceNote"), (STRANGER, "NoRecord")] {
                let answered = consumer.consumer(key, &school, &scene.url(), SCHOOL, subject);
                let body = String::from_utf8_lossy(&answered.stdout);
                assert!(answered.status.success() && body.contains(found), "{} with {key}: {}", tool.name, said(&answered));
            }
        }
    }
}
