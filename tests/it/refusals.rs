//! Every way to be refused, each with a twin that is just accepted, against a running gateway; and what the commands that read a
//! message say of the same octets.

use crate::process::oncegate;
use crate::world::World;
use oncegate::base::fault::Code;
use oncegate::program::demo::CASES;
use std::fs;
use std::process::Command;

/// None is answered with 500, none stops the gateway, each leaves a record; the table is printed.
#[test]
fn each_bad_input_gets_its_code_and_its_twin_passes() {
    let world = World::start();
    let mut wrong = Vec::new();
    println!("{:<44} {:<12} {:<6} {:<9} {:<13} twin", "case", "code", "status", "blame", "retry");
    for case in CASES {
        let verdict = world.block_on(case.run(world.demo())).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let (bad, problem) = (&verdict.bad, &verdict.bad.problem);
        println!(
            "{:<44} {:<12} {:<6} {:<9} {:<13} {}",
            case.name, problem.code, bad.status, problem.blame, problem.retry, verdict.twin.status
        );
        if !verdict.is_right(case) {
            wrong.push(format!("{}: expected {}, got {:?}; twin {:?}", case.name, case.code, verdict.bad, verdict.twin));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

/// Who reads a message, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    /// `oncegate validate`: passes over the signature, knows neither registry nor time.
    Validate,
    /// `oncegate verify`: knows a key by its certificate, and passes over what the documents hold.
    Verify,
}

impl Face {
    /// The code under which it refuses what the gateway refuses under this one, or nothing where that is not its business.
    fn says(self, code: Code) -> Option<Code> {
        let is_of_documents = code.as_str().starts_with("OG-DOC") && code != Code::DocUnknown;
        match (self, code) {
            (_, Code::MsgStructure | Code::MsgValue | Code::DocCheckDigit) => Some(code),
            (_, code) if code.as_str().starts_with("OG-XML") => Some(code),
            (Self::Validate, Code::MsgContext) => Some(code),
            (Self::Validate, code) => Some(code).filter(|_| is_of_documents),
            // Without TLS and a registry nobody knows more of a sender than its certificate says.
            (Self::Verify, Code::SigSender) => Some(Code::SigKeyUnknown),
            (Self::Verify, Code::SigKeyExpired | Code::SigKeyRevoked) => None,
            (Self::Verify, code) => Some(code).filter(|code| code.as_str().starts_with("OG-SIG")),
        }
    }
}

/// What is wrong with a message is wrong with it for whoever reads it: one rule, one code.
#[test]
fn each_refusal_has_one_code_at_the_gateway_and_in_the_commands_that_read_messages() {
    let world = World::start();
    let file = world.folder().join("message.xml");
    let authorities = world.agency_dir("xx.demo.school-17").join("ca.pem");
    let (mut wrong, mut told) = (Vec::new(), 0);
    let mut judge = |name: &str, octets: &[u8], face: Face, expected: Option<Code>| {
        fs::write(&file, octets).expect("writable");
        let mut command = Command::new(oncegate());
        match face {
            Face::Validate => command.arg("validate").arg(&file),
            Face::Verify => command.arg("verify").arg(&file).arg("--authorities").arg(&authorities),
        };
        let output = command.output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let is_right = match expected {
            None => output.status.success(),
            Some(code) => !output.status.success() && said.contains(&format!("{code} {}", code.title())),
        };
        told += usize::from(expected.is_some());
        if !is_right {
            wrong.push(format!("{name}, {face:?}: expected {expected:?}, got {} {said}", output.status));
        }
    };
    for case in CASES {
        for face in [Face::Validate, Face::Verify] {
            if let Some((_, octets)) = case.bad.message(world.demo()).expect("it is made") {
                let expected = match (case.name, face) {
                    // An unknown type is a word in an Ask, which the operator's own schemas may know, and an element in Documents.
                    ("a document that nobody knows", Face::Validate) => Some(Code::DocUnknown),
                    _ => face.says(case.code),
                };
                judge(case.name, &octets, face, expected);
            }
            if let Some((_, octets)) = case.twin.message(world.demo()).expect("it is made") {
                judge(&format!("the twin of {}", case.name), &octets, face, None);
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(told >= 60, "{told} refusals were told by both");
}
