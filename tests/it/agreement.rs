//! The peers and the programs of `examples/` among themselves, without a gateway between them: what they agree on is the
//! profile, and what fails here is not the gateway's fault.

use crate::tool::{CLINIC, Program, SCHOOL, STRANGER, SUBJECT, TOOLS, Tool, free_port, request, root, said};
use crate::vectors::canonical;
use oncegate::base::ids::Digest;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with throw-away keys of the school and the clinic.
pub fn keys(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    let made = Command::new(root().join("tests/peers/pki.sh")).arg(&folder).args([SCHOOL, CLINIC]).output().expect("it starts");
    assert!(made.status.success(), "{}", said(&made));
    folder
}

pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("writable");
    path
}

#[test]
fn every_tool_verifies_what_every_other_signs() {
    let folder = keys("agreement");
    let message = write(&folder, "request.xml", &request(SCHOOL, SUBJECT));
    let agency = folder.join(SCHOOL);
    let mut signed = Vec::new();
    for tool in TOOLS {
        for key in tool.keys {
            let path = folder.join(format!("{}-{key}.xml", tool.name));
            tool.sign(&agency, key, &message, &path);
            signed.push((tool, *key, path));
        }
    }
    let mut digests = Vec::new();
    for tool in TOOLS {
        let readable: Vec<_> = signed.iter().filter(|(_, key, _)| tool.keys.contains(key)).collect();
        let paths: Vec<_> = readable.iter().map(|(_, _, path)| path.clone()).collect();
        for ((signer, key, path), verdict) in readable.into_iter().zip(tool.verify(&agency, &paths)) {
            // Signatures are random, and once in a great many one tool refuses another's: that is signed again, once.
            let again = || {
                signer.sign(&agency, key, &message, path);
                tool.verify(&agency, std::slice::from_ref(path)).pop().flatten()
            };
            digests.push(verdict.or_else(again).unwrap_or_else(|| panic!("{} refuses {}", tool.name, path.display())));
        }
    }
    let canonical = canonical(&fs::read(&message).expect("readable"), None).expect("of the subset");
    let ours =
        Digest::from_octets(ring::digest::digest(&ring::digest::SHA256, &canonical).as_ref().try_into().expect("32 octets"));
    digests.dedup();
    assert_eq!(digests, [ours.to_string()], "one message, one digest");
}

#[test]
fn every_tool_refuses_what_is_not_as_it_was_signed() {
    let folder = keys("refusals");
    let agency = folder.join(SCHOOL);
    let message = write(&folder, "request.xml", &request(SCHOOL, SUBJECT));
    let good = folder.join("good.xml");
    let [first, ..] = TOOLS;
    first.sign(&agency, "sign", &message, &good);
    let text = fs::read_to_string(&good).expect("readable");
    let stranger = write(&folder, "stranger-unsigned.xml", &request("xx.demo", SUBJECT));
    let as_other = folder.join("as-other.xml");
    first.sign(&agency, "sign", &stranger, &as_other);
    let cases = [
        good.clone(),
        as_other,
        write(&folder, "changed.xml", &text.replace("school-attendance", "other-purposes")),
        write(&folder, "transform.xml", &text.replace("#enveloped-signature", "#base64")),
        write(&folder, "reference.xml", &text.replace("URI=\"\"", "URI=\"#x\"")),
        write(&folder, "doctype.xml", &text.replacen("<Message", "<!DOCTYPE Message><Message", 1)),
    ];
    for tool in TOOLS {
        let verdicts = tool.verify(&agency, &cases);
        for (case, verdict) in cases.iter().zip(verdicts) {
            assert_eq!(verdict.is_some(), *case == good, "{}: {}", tool.name, case.display());
        }
    }
}

fn asks_and_answers(provider: Tool, name: &str) {
    let folder = keys(name);
    let port = free_port();
    let key = provider.keys.last().expect("some");
    let _running = provider.provider(key, &folder.join(CLINIC), CLINIC, port);
    let url = format!("https://localhost:{port}");
    let school = folder.join(SCHOOL);
    for consumer in TOOLS.iter().filter(|consumer| consumer.keys.contains(key)) {
        let output = consumer.consumer(key, &school, &url, SCHOOL, SUBJECT);
        let body = String::from_utf8_lossy(&output.stdout);
        let told = output.status.success() && body.contains("MedicalAbsenceNote") && body.contains("Иванова");
        assert!(told, "{} asks {}: {}", consumer.name, provider.name, said(&output));
    }
    let itself = TOOLS.into_iter().find(|tool| tool.name == provider.name).expect("one of them");
    let none = itself.consumer("sign", &school, &url, SCHOOL, STRANGER);
    assert!(none.status.success() && String::from_utf8_lossy(&none.stdout).contains("NoRecord"), "{}", said(&none));
    let refused = itself.consumer("sign", &school, &url, "xx.demo.school-1", SUBJECT);
    let reason = String::from_utf8_lossy(&refused.stderr);
    assert!(
        refused.status.code() == Some(3) && reason.starts_with("refused ") && refused.stdout.is_empty(),
        "{}",
        said(&refused)
    );
}

#[test]
fn the_shell_provider_answers_every_consumer() {
    asks_and_answers(TOOLS[0], "answers-shell");
}

#[test]
fn the_python_provider_answers_every_consumer() {
    asks_and_answers(TOOLS[1], "answers-python");
}

#[test]
fn the_java_provider_answers_every_consumer_with_santuario() {
    asks_and_answers(TOOLS[2], "answers-santuario");
}

#[test]
fn the_javascript_provider_answers_every_consumer() {
    asks_and_answers(TOOLS[3], "answers-javascript");
}

#[test]
fn the_java_provider_answers_every_consumer() {
    asks_and_answers(TOOLS[4], "answers-java");
}

#[test]
fn no_consumer_takes_the_answer_to_another_request() {
    let folder = keys("replay");
    let (school, clinic) = (folder.join(SCHOOL), folder.join(CLINIC));
    let template = fs::read_to_string(root().join("examples/templates/answer.xml")).expect("readable");
    let body = "<NoRecord><DocumentType>medical-absence-note</DocumentType><Searched>register</Searched></NoRecord>";
    let answer = template.replace("{From}", CLINIC).replace("{Context}", "").replace("{Body}", body);
    let unsigned = write(&folder, "answer-unsigned.xml", &answer);
    let answer = folder.join("answer.xml");
    TOOLS[0].sign(&clinic, "sign", &unsigned, &answer);
    let port = free_port();
    let mut replay = Command::new(root().join("tests/peers/replay.sh"));
    replay.arg(&clinic).arg(port.to_string()).arg(&answer);
    let _running = Program::start(replay, port);
    for consumer in TOOLS {
        let output = consumer.consumer("sign", &school, &format!("https://localhost:{port}"), SCHOOL, SUBJECT);
        let reason = String::from_utf8_lossy(&output.stderr);
        let refused =
            output.status.code() == Some(1) && output.stdout.is_empty() && reason.contains("the answer is to another request");
        assert!(refused, "{}: {}", consumer.name, said(&output));
    }
}
