//! The doctor: green on a world that is well, and with each fault planted that line alone is red.

use crate::process::{Scene, oncegate};
use oncegate::base::time::UnixTime;
use oncegate::host::authority::Authority;
use oncegate::host::config::Config;
use oncegate::program::setup::Installation;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What was looked at, and of what: the worst word that was said of it.
type Lines = BTreeMap<(String, String), String>;

/// What the doctor says of a world.
fn doctor(folder: &Path) -> (Lines, String) {
    let file = folder.join("oncegate.toml");
    let output = Command::new(oncegate()).args(["doctor", "--json", "-c"]).arg(file).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = Lines::new();
    for line in said.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| line[name].as_str().expect("a text").to_owned();
        if text("state") != "ok" {
            assert!(!text("next").is_empty(), "what is not well has a next step: {line}");
        }
        let worst = lines.entry((text("check"), text("of"))).or_default();
        let rank = |state: &str| ["", "ok", "warn", "bad"].iter().position(|known| *known == state);
        if rank(worst) < rank(&text("state")) {
            *worst = text("state");
        }
    }
    let is_bad = lines.values().any(|state| state == "bad");
    assert_eq!(output.status.code(), Some(i32::from(is_bad)), "{said}");
    (lines, said)
}

/// The world that faults are planted in. What was changed is put back afterwards.
struct Patient {
    folder: PathBuf,
    files: Vec<(PathBuf, Vec<u8>, u32)>,
}

impl Patient {
    fn new(folder: &Path) -> Self {
        let mut files = Vec::new();
        for inside in ["", "certs", "authority", "data/keys"] {
            for entry in fs::read_dir(folder.join(inside)).expect("readable").flatten() {
                let path = entry.path();
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_file() {
                    files.push((path.clone(), fs::read(&path).expect("readable"), metadata.permissions().mode()));
                }
            }
        }
        Self { folder: folder.to_owned(), files }
    }

    fn heal(&self) {
        for (path, octets, mode) in &self.files {
            fs::write(path, octets).expect("writable");
            fs::set_permissions(path, fs::Permissions::from_mode(*mode)).expect("ours");
        }
        // The registry goes on from the version that was in force last: an older one is a fault.
        let version = |text: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix("version = ")).expect("a version");
            line.parse().expect("a number")
        };
        let last = oncegate::host::inforce::InForce::read(&self.folder.join("data")).expect("one is in force").version;
        self.registry(|text| text.replacen(&format!("version = {}", version(&text)), &format!("version = {}", last + 1), 1));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn change(&self, name: &str, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.path(name)).expect("readable");
        let changed = change(text.clone());
        assert_ne!(text, changed, "{name}");
        fs::write(self.path(name), changed).expect("writable");
    }

    /// Changes the registry and signs it.
    fn registry(&self, change: impl FnOnce(String) -> String) {
        self.change("registry.toml", change);
        Installation::at(&self.folder).sign().expect("signed");
        oncegate_takes_it(&self.folder);
    }

    /// Gives the gateway a certificate with a key of its own, issued at this time.
    fn certificate(&self, (certificate, key): (&str, &str), issued: UnixTime) {
        let authority = Authority::open(certificate, key).expect("an authority");
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = authority.issue_server("a gateway", &hosts, issued).expect("issued");
        fs::write(self.path("certs/gateway.pem"), made.certificate).expect("writable");
        fs::write(self.path("certs/gateway.key"), made.key).expect("writable");
    }
}

/// The doctor compares with what the gateway has taken.
fn oncegate_takes_it(folder: &Path) {
    let status = Command::new(oncegate()).args(["reload", "-c"]).arg(folder.join("oncegate.toml")).output().expect("it starts");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
}

/// The entry of an agency with its address changed.
fn moved(registry: &str, agency: &str, url: &str) -> String {
    let at = registry.find(&format!("id = \"{agency}\"")).expect("the agency");
    let (before, entry) = registry.split_at(at);
    let begin = entry.find("url = \"").expect("a url") + "url = \"".len();
    let end = begin + entry[begin..].find('"').expect("its end");
    format!("{before}{}{url}{}", &entry[..begin], &entry[end..])
}

/// A fault: its name, what becomes red (a check, and how what it is of ends), what cannot be looked at then, and how it is planted.
type Fault = (&'static str, (&'static str, &'static str), &'static [&'static str], fn(&Patient, &str));

const FAULTS: &[Fault] = &[
    ("a private key that others may read", ("files", "gateway.key"), &["private keys"], |patient, _| {
        fs::set_permissions(patient.path("certs/gateway.key"), fs::Permissions::from_mode(0o644)).expect("ours");
    }),
    ("a key of the log that others may read", ("files", "keys/index"), &["private keys"], |patient, _| {
        fs::set_permissions(patient.path("data/keys/index"), fs::Permissions::from_mode(0o640)).expect("ours");
    }),
    ("the key of another certificate", ("key", "gateway.pem"), &[], |patient, _| {
        fs::copy(patient.path("authority/ca.key"), patient.path("certs/gateway.key")).expect("copied");
    }),
    ("the gateway's certificate has ended", ("certificate", "certs/gateway.pem"), &[], |patient, _| {
        let read = |name: &str| fs::read_to_string(patient.path(name)).expect("readable");
        patient.certificate((&read("certs/ca.pem"), &read("authority/ca.key")), UnixTime::from_ms(1_500_000_000_000));
    }),
    ("the gateway's certificate is of a strange authority", ("certificate", "certs/gateway.pem"), &[], |patient, _| {
        let made = oncegate::host::authority::make_root("Somebody", oncegate::gateway::driver::now()).expect("made");
        patient.certificate((&made.certificate, &made.key), oncegate::gateway::driver::now());
    }),
    (
        "the registry was changed and not signed",
        ("registry", "registry.toml"),
        &["agency", "holder", "agencies/", "signing key", "this machine"],
        |patient, _| {
            patient.change("registry.toml", |text| text.replacen("Clinic 3", "Clinic 4", 1));
        },
    ),
    ("an older registry was put back", ("registry", "registry.toml"), &[], |patient, _| {
        let before = ["registry.toml", "registry.sig"].map(|name| fs::read(patient.path(name)).expect("readable"));
        patient.registry(|text| text.replacen("Clinic 3", "Clinic 4", 1));
        let [registry, signature] = before;
        fs::write(patient.path("registry.toml"), registry).expect("writable");
        fs::write(patient.path("registry.sig"), signature).expect("writable");
    }),
    ("a holder is down", ("holder", "xx.demo.civil-registry"), &[], |patient, _| {
        patient.registry(|text| moved(&text, "xx.demo.civil-registry", "https://127.0.0.1:9/oncegate"));
    }),
    ("a holder's name has no address", ("holder", "xx.demo.maternity"), &[], |patient, _| {
        patient.registry(|text| moved(&text, "xx.demo.maternity", "https://register.invalid/oncegate"));
    }),
    ("no holder but somebody else is there", ("holder", "xx.demo.school-17"), &[], |patient, public| {
        patient.registry(|text| moved(&text, "xx.demo.school-17", &format!("https://{public}/oncegate")));
    }),
    ("an agency's only signing key has ended", ("certificate", "of xx.demo.hasty"), &[], |patient, _| {
        patient.registry(|text| {
            let at = text.find("id = \"xx.demo.hasty\"").expect("the agency");
            let (before, entry) = text.split_at(at);
            let end = entry.find("\n[[agency]]").expect("another one follows");
            format!("{before}{}\nuntil = \"2026-01-01T00:00:00Z\"\n{}", entry[..end].trim_end(), &entry[end..])
        });
    }),
    ("the key of the log is gone", ("log", "localhost/audit"), &[], |patient, _| {
        fs::remove_file(patient.path("data/keys/log")).expect("removed");
    }),
    ("a key of the log was changed", ("log", "localhost/audit"), &[], |patient, _| {
        let path = patient.path("data/keys/index");
        let mut octets = fs::read(&path).expect("readable");
        octets[7] ^= 1;
        fs::write(path, octets).expect("writable");
    }),
    ("the time stamping authority is away", ("time stamps", "http://127.0.0.1:9/"), &[], |patient, _| {
        patient.change("oncegate.toml", |text| text.replacen("[log]\n", "[log]\ntimestamp = \"http://127.0.0.1:9/\"\n", 1));
    }),
    ("a key of the configuration that nobody knows", ("configuration", "oncegate.toml"), &[""], |patient, _| {
        patient.change("oncegate.toml", |text| text.replacen("[log]\n", "[log]\norigins = \"a\"\n", 1));
    }),
];

#[test]
fn the_doctor_names_each_planted_fault_and_nothing_else() {
    let scene = Scene::new("");
    let folder = scene.world().folder().to_owned();
    scene.block_on(scene.world().retire_unwell()).expect("they are suspended");
    let _gateway = scene.start();
    let public = Config::load(&folder.join("oncegate.toml")).expect("a configuration").public.to_string();
    let (well, said) = doctor(&folder);
    assert!(well.values().all(|state| state == "ok"), "{said}");
    assert!(well.len() > 20, "{said}");

    let mut red = 0;
    for (name, (check, of), unseen, plant) in FAULTS {
        let patient = Patient::new(&folder);
        plant(&patient, &public);
        let (ill, said) = doctor(&folder);
        let is_it = |(is, what): &(String, String)| is == check && what.ends_with(of);
        assert!(ill.iter().any(|(line, state)| is_it(line) && state == "bad"), "{name}: {said}");
        for (line, state) in &ill {
            assert!(is_it(line) || well.get(line) == Some(state), "{name}: {line:?} is {state}: {said}");
        }
        let hidden = |(is, what): &(String, String)| unseen.iter().any(|part| is.contains(part) || what.contains(part));
        for line in well.keys().filter(|line| !is_it(line) && !hidden(line)) {
            assert!(ill.contains_key(line), "{name}: nothing is said of {line:?}: {said}");
        }
        patient.heal();
        red += 1;
    }
    assert_eq!(red, FAULTS.len());
    let (well, said) = doctor(&folder);
    assert!(well.values().all(|state| state == "ok"), "{said}");
}
