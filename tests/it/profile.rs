//! Our signer and our verifier against the foreign tools, in both directions, without a network.

use crate::agreement::{keys, write};
use crate::tool::{SCHOOL, SUBJECT, TOOLS, request};
use oncegate::message::crypto::PrivateKey;
use oncegate::message::envelope::EnvelopeReader;
use oncegate::message::pki::{Certificate, pem_blocks};
use oncegate::message::schema::Schemas;
use oncegate::message::sig;
use std::fs;
use std::path::Path;

const ALL_KEYS: [&str; 3] = ["sign", "sign-rsa", "sign-ed25519"];

fn certificate(agency: &Path, key: &str) -> Vec<u8> {
    let text = fs::read_to_string(agency.join(format!("{key}.pem"))).expect("readable");
    pem_blocks(&text, "CERTIFICATE").remove(0)
}

#[test]
fn what_every_tool_signs_is_verified() {
    let folder = keys("profile-in");
    let (agency, schemas) = (folder.join(SCHOOL), Schemas::built_in());
    let message = write(&folder, "request.xml", &request(SCHOOL, SUBJECT));
    for tool in TOOLS {
        for key in tool.keys {
            let path = folder.join(format!("{}-{key}.xml", tool.name));
            tool.sign(&agency, key, &message, &path);
            let octets = fs::read(&path).expect("readable");
            let read = sig::read(&octets, EnvelopeReader::new(&schemas));
            let unverified = read.unwrap_or_else(|read| panic!("{} with {key}: {}", tool.name, read.fault));
            let digest = unverified.digest().to_string();
            let enrolled = Certificate::from_der(&certificate(&agency, key)).expect("of the profile");
            assert_eq!(unverified.thumbprint(), Some(enrolled.thumbprint), "{} with {key}", tool.name);
            let verified = unverified.verify(&enrolled.key).unwrap_or_else(|fault| panic!("{} with {key}: {fault}", tool.name));
            assert_eq!(
                verified.into_value().into_message().map(|message| message.header.from.to_string()),
                Ok(SCHOOL.to_owned())
            );
            assert_eq!(tool.verify(&agency, &[path]), [Some(digest)], "{} with {key}", tool.name);
        }
    }
}

#[test]
fn every_tool_verifies_what_we_sign() {
    let folder = keys("profile-out");
    let agency = folder.join(SCHOOL);
    let message = request(SCHOOL, SUBJECT);
    let signed = ALL_KEYS.map(|key| {
        let text = fs::read_to_string(agency.join(format!("{key}.key"))).expect("readable");
        let signer = PrivateKey::from_pkcs8(&pem_blocks(&text, "PRIVATE KEY")[0]).expect("a key of the profile");
        let octets = sig::sign(message.as_bytes(), &signer, Some(&certificate(&agency, key))).expect("signed");
        write(&folder, &format!("ours-{key}.xml"), &String::from_utf8(octets).expect("UTF-8"))
    });
    for tool in TOOLS {
        let known = ALL_KEYS.iter().zip(&signed).filter(|(key, _)| tool.keys.contains(key));
        let known: Vec<_> = known.map(|(_, path)| path.clone()).collect();
        for (path, verdict) in known.iter().zip(tool.verify(&agency, &known)) {
            assert!(verdict.is_some(), "{} refuses {}", tool.name, path.display());
        }
    }
}
