//! Changes of an installation: a change that would leave no good registry is refused, and nothing is left of it.

use crate::folder::Folder;
use oncegate::authority::KeyType;
use oncegate::ids::AgencyId;
use oncegate::setup::{Installation, Listening, NewAgency, SetupError};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const URL: Option<&str> = Some("https://localhost:9443/");

fn clinic() -> AgencyId {
    AgencyId::parse("xx.town.clinic-1").expect("a name")
}

fn installation(folder: &Folder) -> Installation {
    Installation::create(&folder.path().join("office"), &Listening::default()).expect("made")
}

fn add(installation: &Installation, holds: &[&str]) -> Result<PathBuf, SetupError> {
    let agency = NewAgency { id: &clinic(), name: "Clinic 1", url: URL, holds, more: "" };
    installation.add_agency(&agency, "https://localhost:8443")
}

fn registry(installation: &Installation) -> [String; 2] {
    ["registry.toml", "registry.sig"].map(|name| fs::read_to_string(installation.folder().join(name)).expect("readable"))
}

/// The change is refused for this reason, and the registry is as it was.
fn refuses<T>(installation: &Installation, reason: &str, change: impl FnOnce() -> Result<T, SetupError>) {
    let before = registry(installation);
    let error = change().err().expect(reason).to_string();
    assert!(error.contains(reason), "{error}");
    assert_eq!(registry(installation), before, "{reason}");
}

/// A certificate request for a key of this kind, by openssl.
fn request(folder: &Folder, arguments: &[&str]) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-new", "-nodes", "-subj", "/CN=x", "-keyout", "/dev/null", "-newkey"]).args(arguments);
    let made = openssl.current_dir(folder.path()).output().expect("openssl starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).expect("PEM")
}

#[test]
fn a_document_type_that_nobody_knows_leaves_no_half_added_agency() {
    let folder = Folder::new();
    let installation = installation(&folder);
    refuses(&installation, "no document type is called", || add(&installation, &["horoscope"]));
    assert!(!installation.agency_folder(&clinic()).exists());
    add(&installation, &["medical-absence-note"]).expect("it can be added after all");
}

#[test]
fn keys_are_never_written_over_and_never_too_many() {
    let folder = Folder::new();
    let installation = installation(&folder);
    add(&installation, &[]).expect("added");
    let key = |name: &str| installation.add_key(&clinic(), name, KeyType::P256, None);
    for name in ["sign", "tls"] {
        refuses(&installation, "there already", || key(name));
    }
    refuses(&installation, "no name of a key", || key("../sign"));
    for name in ["sign-2", "sign-3", "sign-4"] {
        key(name).expect("enrolled");
    }
    refuses(&installation, "more than 4 keys", || key("sign-5"));
    assert!(!installation.agency_folder(&clinic()).join("sign-5.pem").exists());
}

#[test]
fn requests_for_keys_of_the_profile_are_certified_and_others_refused() {
    let folder = Folder::new();
    let installation = installation(&folder);
    add(&installation, &[]).expect("added");
    let enrol =
        |name: &str, arguments: &[&str]| installation.add_key(&clinic(), name, KeyType::P256, Some(&request(&folder, arguments)));
    enrol("rsa", &["rsa:2048", "-sha256"]).expect("RSA");
    enrol("ed25519", &["ed25519"]).expect("Ed25519");
    // A request of a P-384 key signed with SHA-256 would get a certificate that says P-256.
    let p384 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
    refuses(&installation, "the key is not", || enrol("p384", &[&p384[..], &["-sha256"]].concat()));
    enrol("p384", &[&p384[..], &["-sha384"]].concat()).expect("P-384");
}

#[test]
fn the_schemas_of_the_configuration_count() {
    let folder = Folder::new();
    let installation = installation(&folder);
    let own = installation.folder().join("own");
    fs::create_dir(&own).expect("writable");
    let schemas = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for name in ["types-1.xsd", "medical-absence-note-1.xsd"] {
        fs::copy(schemas.join(name), own.join(name)).expect("copied");
    }
    let documents = fs::read_to_string(schemas.join("documents.toml")).expect("readable");
    let second = documents.match_indices("[[document]]").nth(1).expect("several").0;
    fs::write(own.join("documents.toml"), &documents[..second]).expect("writable");
    let config = fs::read_to_string(installation.config()).expect("readable");
    fs::write(installation.config(), config.replacen("data =", "schemas = \"own\"\ndata =", 1)).expect("writable");
    refuses(&installation, "no document type is called", || add(&installation, &["school-enrolment"]));
    add(&installation, &["medical-absence-note"]).expect("a type of its own schemas");
    assert_eq!(installation.draft().expect("a good registry").agencies().len(), 1);
}
