//! Changes of an installation: a change that would leave no good registry is refused, and nothing is left of it.

use crate::folder::Folder;
use oncegate::base::ids::AgencyId;
use oncegate::host::authority::KeyType;
use oncegate::program::setup::{Installation, Listening, NewAgency, NewGrant, SetupError, Suspension};
use oncegate::rules::registry::{About, Status};
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
    refuses(&installation, "is not a name for a key", || key("../sign"));
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
    let p384 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
    // The key says what it is; with which digest the request was signed does not matter.
    enrol("p384", &[&p384[..], &["-sha256"]].concat()).expect("P-384");
    let p521 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"];
    refuses(&installation, "the key is not", || enrol("p521", &p521));
}

#[test]
fn the_schemas_of_the_configuration_count() {
    let folder = Folder::new();
    let installation = installation(&folder);
    refuses(&installation, "no document type is called", || add(&installation, &["tax-extract"]));
    let own = installation.folder().join("schemas/own");
    fs::create_dir_all(&own).expect("writable");
    let schema = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"><xs:element name=\"R\" type=\"xs:int\"/></xs:schema>";
    fs::write(own.join("r.xsd"), schema).expect("writable");
    let rows = "[[document]]\nname = \"tax-extract\"\nfile = \"r.xsd\"\nroot = \"R\"\nclass = \"test\"\ntitle = \"T\"\n";
    fs::write(own.join("documents.toml"), rows).expect("writable");
    add(&installation, &["tax-extract", "school-enrolment"]).expect("a type of its own schemas, and one of the gateway's");
    assert_eq!(installation.draft().expect("a good registry").agencies().len(), 1);
}

fn suspended(installation: &Installation) -> Vec<String> {
    let registry = installation.draft().expect("a good registry");
    let suspended = registry.agencies().filter(|(_, agency)| agency.status == Status::Suspended);
    suspended.map(|(_, agency)| agency.id.to_string()).collect()
}

fn add_named(installation: &Installation, name: &str) -> Result<PathBuf, SetupError> {
    let id = AgencyId::parse(name).expect("a name");
    installation.add_agency(&NewAgency { id: &id, name, url: None, holds: &[], more: "" }, "https://localhost:8443")
}

#[test]
fn the_agency_that_is_named_is_suspended_and_no_other() {
    let folder = Folder::new();
    let installation = installation(&folder);
    add_named(&installation, "xx.town.school-1").expect("added");
    // A grant that bears the name of an agency stands before it.
    let id = clinic();
    let grant = NewGrant {
        id: id.as_str(),
        who: "xx.*.school-*",
        action: "read",
        what: "medical-absence-note",
        about: About::Person,
        fields: &[],
        purpose: "school-attendance",
        basis: "law",
        until: "2027-12-31",
    };
    installation.add_grant(&grant).expect("granted");
    add(&installation, &[]).expect("added");
    installation.suspend(&clinic(), Suspension::Impose).expect("suspended");
    assert_eq!(suspended(&installation), [clinic().to_string()]);
    installation.suspend(&clinic(), Suspension::Lift).expect("lifted");
    assert!(suspended(&installation).is_empty());
}

/// The registry may be changed by hand, and TOML has many ways to say the same.
#[test]
fn an_agency_is_suspended_when_the_command_says_so_however_its_entry_is_written() {
    let folder = Folder::new();
    let installation = installation(&folder);
    add(&installation, &[]).expect("added");
    let path = installation.folder().join("registry.toml");
    let good = fs::read_to_string(&path).expect("readable");
    let id = format!("id = \"{}\"\n", clinic());
    for (from, to) in [
        ("name = ".to_owned(), "name=".to_owned()),
        ("name = ".to_owned(), "\tname = ".to_owned()),
        ("name = ".to_owned(), "\"name\" = ".to_owned()),
        (id.clone(), format!("id=\"{}\" # the clinic\n", clinic())),
        ("[[agency]]\n".to_owned(), "[[ agency ]]\n".to_owned()),
        ("[[agency]]\n".to_owned(), "[[agency]]\nsuspended = false\n".to_owned()),
        ("name = ".to_owned(), "suspended=true # by order\nname = ".to_owned()),
        (id, format!("id = \"{}\"\n# see [[agency]] of old\n", clinic())),
    ] {
        for (suspension, expected) in [(Suspension::Impose, vec![clinic().to_string()]), (Suspension::Lift, Vec::new())] {
            fs::write(&path, good.replacen(&from, &to, 1)).expect("writable");
            let before = suspended(&installation);
            match installation.suspend(&clinic(), suspension) {
                Ok(()) => assert_eq!(suspended(&installation), expected, "{to}"),
                Err(_) => assert_eq!(suspended(&installation), before, "{to}"),
            }
        }
    }
}

#[test]
fn a_registry_that_cannot_be_signed_is_as_it_was() {
    let folder = Folder::new();
    let installation = installation(&folder);
    add(&installation, &[]).expect("added");
    let key = installation.folder().join("authority/registry.key");
    let kept = fs::read(&key).expect("readable");
    // The authority's keys are on another machine, or the signature cannot be written.
    fs::remove_file(&key).expect("there");
    refuses(&installation, "registry.key", || add_named(&installation, "xx.town.school-1"));
    refuses(&installation, "registry.key", || installation.suspend(&clinic(), Suspension::Impose));
    refuses(&installation, "registry.key", || installation.add_key(&clinic(), "sign-2", KeyType::P256, None));
    fs::write(&key, kept).expect("writable");
    let in_the_way = installation.folder().join("registry.sig.new");
    fs::create_dir(&in_the_way).expect("writable");
    refuses(&installation, "registry.sig", || add_named(&installation, "xx.town.school-1"));
    fs::remove_dir(&in_the_way).expect("there");
    add_named(&installation, "xx.town.school-1").expect("it can be added after all");
    installation.add_key(&clinic(), "sign-2", KeyType::P256, None).expect("it can be enrolled after all");
}

#[test]
fn of_changes_at_the_same_time_none_is_lost() {
    let folder = Folder::new();
    let made = installation(&folder);
    let names: Vec<String> = (1..=8).map(|number| format!("xx.town.school-{number}")).collect();
    std::thread::scope(|scope| {
        let adding = names.iter().map(|name| scope.spawn(|| add_named(&Installation::at(made.folder()), name).expect("added")));
        adding.collect::<Vec<_>>().into_iter().for_each(|thread| drop(thread.join().expect("added")));
    });
    let registry = made.draft().expect("a good registry");
    let mut entered: Vec<String> = registry.agencies().map(|(_, agency)| agency.id.to_string()).collect();
    entered.sort();
    assert_eq!((entered, registry.version()), (names, 9));
    let [text, signature] = self::registry(&made);
    let authority = fs::read_to_string(made.folder().join("certs/authority.pem")).expect("readable");
    let der = oncegate::message::pki::pem_blocks(&authority, "CERTIFICATE").into_iter().next().expect("a certificate");
    let key = oncegate::message::pki::Certificate::from_der(&der).expect("a certificate").key;
    oncegate::rules::registry::Bundle::verify(&text, &signature, &key).map(|_| ()).expect("it is signed as it stands");
}
