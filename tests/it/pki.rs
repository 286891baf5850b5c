//! Keys, certificates, authorities and revocation lists: what ends is named, what is revoked is not believed, and one rule
//! counts everywhere.

use crate::folder::Folder;
use crate::process::{LONG, Scene, health, oncegate, send};
use oncegate::base::ids::AgencyId;
use oncegate::base::time::UnixTime;
use oncegate::faces::client::problem_of;
use oncegate::gateway::driver::now;
use oncegate::host::authority::{Authority, make_root};
use oncegate::host::config::Config;
use oncegate::host::expiry::{Kind, Row, State, Weight, survey};
use oncegate::host::transport::{Anchors, Identity};
use oncegate::message::pki::{self, Certificate, CertificateError};
use oncegate::program::setup::{Installation, Listening, NewAgency, Renewal};
use rcgen::{
    CertificateParams, CertificateRevocationListParams, CustomExtension, ExtendedKeyUsagePurpose, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SILENT: &str = "records = \"off\"\n";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn school() -> AgencyId {
    AgencyId::parse("xx.town.school-1").expect("a name")
}

/// An installation with one agency.
fn office(folder: &Folder) -> Installation {
    let made = Installation::create(&folder.path().join("office"), &Listening::default()).expect("made");
    let agency = NewAgency { id: &school(), name: "School 1", url: None, holds: &[], more: "" };
    made.add_agency(&agency, "https://localhost:8443").expect("added");
    made
}

fn run(arguments: &[&str]) -> Output {
    Command::new(oncegate()).args(arguments).output().expect("it starts")
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn openssl(folder: &Path, arguments: &str) -> Output {
    let made = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().expect("openssl starts");
    assert!(made.status.success(), "openssl {arguments}: {}", said(&made));
    made
}

pub fn der(path: &Path) -> Vec<u8> {
    pki::pem_blocks(&fs::read_to_string(path).expect("readable"), "CERTIFICATE").remove(0)
}

fn surveyed(installation: &Installation, now: UnixTime) -> Vec<Row> {
    let config = Config::load(&installation.config()).expect("a configuration");
    survey(&config, &installation.draft().expect("a registry"), now)
}

/// What is not good, by kind.
fn found(rows: &[Row]) -> Vec<(Kind, State)> {
    let mut found: Vec<_> = rows.iter().filter(|row| row.weight > Weight::Good).map(|row| (row.kind, row.state)).collect();
    found.sort();
    found
}

#[test]
fn what_ends_is_named_thirty_days_before() {
    let folder = Folder::new();
    let office = office(&folder);
    let all = surveyed(&office, now());
    assert_eq!((all.len(), found(&all)), (4, vec![]), "the gateway, the authority, an agency's two");
    let in_days = |days: u64| found(&surveyed(&office, now().plus_ms(days * DAY_MS)));
    let ends = |state| vec![(Kind::Gateway, state), (Kind::Signing, state), (Kind::Tls, state)];
    assert_eq!(in_days(365), []);
    assert_eq!(in_days(368), ends(State::EndsSoon));
    assert_eq!(in_days(398), ends(State::Ended));
    let before = UnixTime::from_ms(now().as_ms() - 3 * DAY_MS);
    assert_eq!(found(&surveyed(&office, before)).len(), 4, "not yet valid");
    // What ends works, and what has ended does not.
    let worst = |days: u64| surveyed(&office, now().plus_ms(days * DAY_MS))[0].weight;
    assert_eq!([worst(368), worst(398)], [Weight::Warning, Weight::Failure]);
}

/// Writes a certificate of the gateway with this validity, issued by the authority of the installation.
fn gateway_certificate(folder: &Path, from: (i32, u8, u8), until: (i32, u8, u8)) {
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("readable");
    let key = KeyPair::from_pem(&read("authority/ca.key")).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(&read("certs/ca.pem"), key).expect("an authority");
    let own = KeyPair::from_pem(&read("certs/gateway.key")).expect("a key");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    fs::write(folder.join("certs/gateway.pem"), params.signed_by(&own, &issuer).expect("issued").pem()).expect("writable");
}

#[test]
fn a_gateway_whose_certificate_has_ended_fails_the_check_and_does_not_start() {
    let folder = Folder::new();
    let office = office(&folder);
    let config = office.config();
    let elsewhere = format!("listen = \"127.0.0.1:{}\"", crate::tool::free_port());
    let text = fs::read_to_string(&config).expect("readable");
    fs::write(&config, text.replace("listen = \"127.0.0.1:8443\"", &elsewhere)).expect("writable");
    let config = config.to_str().expect("UTF-8");
    assert!(run(&["check", "-c", config]).status.success());
    for (from, until, words) in
        [((2020, 1, 1), (2021, 1, 1), "ended on 2021-01-01"), ((2120, 1, 1), (2121, 1, 1), "not yet valid")]
    {
        gateway_certificate(office.folder(), from, until);
        for command in ["check", "run"] {
            let output = run(&[command, "-c", config]);
            assert!(!output.status.success() && said(&output).contains(words), "{command}: {}", said(&output));
        }
    }
    // One that the authority did not issue is named as well, and no other reason is given.
    let other = make_root("Another authority", now()).expect("made");
    let other = Authority::open(&other.certificate, &other.key).expect("an authority");
    let issued = other.issue_server("Oncegate gateway", &["localhost".to_owned()], now()).expect("issued");
    fs::write(office.folder().join("certs/gateway.pem"), issued.certificate).expect("writable");
    let output = run(&["check", "-c", config]);
    assert!(said(&output).contains("the key does not belong to the certificate"), "{}", said(&output));
    fs::write(office.folder().join("certs/gateway.key"), issued.key).expect("writable");
    let output = run(&["check", "-c", config]);
    assert!(!output.status.success() && said(&output).contains("no path leads from it to"), "{}", said(&output));
}

#[test]
fn a_running_gateway_says_what_ends_in_lines_health_and_metrics() {
    let scene = Scene::prepared(SILENT, &|installation| {
        let soon = now().plus_ms(10 * DAY_MS).day().parts();
        gateway_certificate(installation.folder(), (2026, 1, 1), (i32::from(soon.0), soon.1, soon.2));
    });
    let gateway = scene.start();
    assert!(
        gateway.greeting.contains("the gateway's certificate") && gateway.greeting.contains("ends on"),
        "{}",
        gateway.greeting
    );
    let (status, body) = health(&scene).expect("it answers");
    assert_eq!(status, 200, "what ends still works");
    let told = body["certificates"].as_array().expect("a list");
    assert!(told.iter().any(|one| one["what"] == "gateway" && one["state"] == "ends soon"), "{body}");
    gateway.stop();
}

/// The serial number of a certificate, as OpenSSL reads it.
pub fn serial(path: &Path) -> Vec<u8> {
    let said = openssl(path.parent().expect("a folder"), &format!("x509 -noout -serial -in {}", path.display()));
    let digits = String::from_utf8(said.stdout).expect("text").trim().trim_start_matches("serial=").to_owned();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal")).collect()
}

/// A revocation list of an authority, in PEM.
pub fn list(certificate: &str, key: &str, serials: &[Vec<u8>]) -> String {
    let issuer = Issuer::from_ca_cert_pem(certificate, KeyPair::from_pem(key).expect("a key")).expect("an authority");
    let revoked = |serial: &Vec<u8>| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2099, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(&issuer).expect("signed").pem().expect("PEM")
}

#[test]
fn a_holder_whose_certificate_is_revoked_gets_no_request() {
    let scene = Scene::new(SILENT);
    let folder = scene.world().folder();
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("readable");
    let (authority, key) = (read("certs/ca.pem"), read("authority/ca.key"));
    fs::write(folder.join("revoked.pem"), list(&authority, &key, &[])).expect("writable");
    let config = read("oncegate.toml");
    fs::write(scene.config(), config.replace("[exchange]\n", "[exchange]\nrevocation = \"revoked.pem\"\n")).expect("writable");
    let mut gateway = scene.start();
    let client = scene.client();
    let asked =
        |number: usize| scene.block_on(send(&client, &scene.request(&client, number).octets)).expect("the gateway is there");
    assert_eq!(asked(0).status.as_u16(), 200, "a list that revokes nobody");
    let holder = scene.world().agency_folder("xx.demo.clinic-3").join("tls.pem");
    fs::write(folder.join("revoked.pem"), list(&authority, &key, &[serial(&holder)])).expect("writable");
    gateway.signal("HUP");
    gateway.says("were read again");
    // It is kept until the holder has another certificate, and the holder does not get it before.
    let request = scene.request(&client, 1);
    let kept = scene.block_on(client.post(request.octets.clone(), "wait=2", LONG)).expect("the gateway is there");
    assert_eq!(kept.status.as_u16(), 202, "{:?}", problem_of(&kept));
    let state = scene.block_on(client.get(&format!("/v1/messages/{}", request.id))).expect("the gateway is there");
    assert!(String::from_utf8_lossy(&state.body).contains("\"accepted\""));
    gateway.stop();
}

/// An authority, a certificate of it, and its list that revokes this or nothing.
fn authority(folder: &Path, name: &str, number: usize) -> (String, String, PathBuf) {
    let root = make_root(name, now()).expect("made");
    let issued = Authority::open(&root.certificate, &root.key).expect("an authority");
    let leaf = issued.issue_server("leaf", &["localhost".to_owned()], now()).expect("issued");
    let path = folder.join(format!("leaf-{number}.pem"));
    fs::write(&path, leaf.certificate).expect("writable");
    (root.certificate, root.key, path)
}

#[test]
fn of_two_authorities_of_one_name_each_has_its_own_revocation_list() {
    let folder = Folder::new();
    let two: Vec<_> = (0..2).map(|number| authority(folder.path(), "One name", number)).collect();
    let own = authority(folder.path(), "The gateway's", 2);
    let at = |name: &str| folder.path().join(name);
    let issuer = Authority::open(&own.0, &own.1).expect("an authority");
    let gateway = issuer.issue_server("gateway", &["localhost".to_owned()], now()).expect("issued");
    fs::write(at("gateway.pem"), gateway.certificate).expect("writable");
    fs::write(at("gateway.key"), gateway.key).expect("writable");
    fs::write(at("ca.pem"), format!("{}{}{}", two[0].0, two[1].0, own.0)).expect("writable");
    let believed = |revoked: usize, order: [usize; 2]| {
        let lists = order.map(|number| {
            let serials = if number == revoked { vec![serial(&two[number].2)] } else { Vec::new() };
            list(&two[number].0, &two[number].1, &serials)
        });
        fs::write(at("revoked.pem"), lists.concat()).expect("writable");
        let identity = Identity::load(&at("gateway.pem"), &at("gateway.key"), &at("ca.pem"), Some(&at("revoked.pem")));
        let verifier = identity.expect("it is read").verifier().expect("it is laid out");
        [0, 1].map(|number| verifier.check(&der(&two[number].2), now()).is_ok())
    };
    for order in [[0, 1], [1, 0]] {
        assert_eq!(believed(0, order), [false, true], "{order:?}");
        assert_eq!(believed(1, order), [true, false], "{order:?}");
        assert_eq!(believed(2, order), [true, true], "{order:?}");
    }
    // So many of one name, and no more.
    let load = |count: usize| {
        let lists: String = (0..count).map(|_| list(&two[0].0, &two[0].1, &[])).collect();
        fs::write(at("revoked.pem"), lists).expect("writable");
        Identity::load(&at("gateway.pem"), &at("gateway.key"), &at("ca.pem"), Some(&at("revoked.pem"))).expect("read").verifier()
    };
    // The second authority of the name takes a place of its own.
    assert!(load(oncegate::base::limits::AUTHORITY_VIEWS_MAX - 1).is_ok());
    let refused = load(oncegate::base::limits::AUTHORITY_VIEWS_MAX).err().expect("refused").to_string();
    assert!(refused.contains("too many"), "{refused}");
    // A list in the name of an authority that signed no such thing.
    let foreign = authority(folder.path(), "One name", 3);
    fs::write(at("revoked.pem"), list(&foreign.0, &foreign.1, &[])).expect("writable");
    let identity = Identity::load(&at("gateway.pem"), &at("gateway.key"), &at("ca.pem"), Some(&at("revoked.pem")));
    let refused = identity.expect("read").verifier().err().expect("refused").to_string();
    assert!(refused.contains("revoked.pem") && refused.contains("signed by no key"), "{refused}");
}

#[test]
fn revocation_lists_are_read_in_the_forms_that_authorities_make() {
    let folder = Folder::new();
    let (certificate, key, _) = authority(folder.path(), "An authority", 0);
    for (name, text) in [("ca.pem", &certificate), ("ca.key", &key)] {
        fs::write(folder.path().join(name), text).expect("writable");
    }
    fs::write(folder.path().join("index.txt"), "").expect("writable");
    fs::write(folder.path().join("number"), "01\n").expect("writable");
    let extensions = "[e]\nauthorityKeyIdentifier=keyid\n[idp]\nauthorityKeyIdentifier=keyid\nissuingDistributionPoint=critical,@p\n\
                      [p]\nonlyuser=TRUE\n";
    fs::write(
        folder.path().join("ca.cnf"),
        format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=30\n{extensions}"
        ),
    )
    .expect("writable");
    let make = |more: &str, out: &str| {
        openssl(folder.path(), &format!("ca -config ca.cnf -gencrl -cert ca.pem -keyfile ca.key {more} -out {out}"));
        fs::read(folder.path().join(out)).expect("readable")
    };
    let two = make("-crlexts e", "two.pem");
    let text = String::from_utf8(two.clone()).expect("PEM");
    let in_der = pki::pem_blocks(&text, "X509 CRL").remove(0);
    let critical = make("-crlexts idp", "idp.pem");
    for (form, octets, count) in [
        ("PEM", two.clone(), 1),
        ("DER", in_der, 1),
        ("text around", format!("Certificate Revocation List (CRL):\n{text}\nend\n").into_bytes(), 1),
        ("line ends of another system", text.replace('\n', "\r\n").into_bytes(), 1),
        ("several", text.repeat(2).into_bytes(), 2),
    ] {
        let read = pki::read_lists(&octets).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(read.len(), count, "{form}");
        let anchors = Anchors::of(&der(&folder.path().join("ca.pem")), &pki::to_pem("X509 CRL", &read[0].der));
        assert!(anchors.is_ok_and(|anchors| anchors.check(&der(&folder.path().join("leaf-0.pem")), now()).is_ok()), "{form}");
    }
    // A distribution point without a name cannot be told to cover anything by the library that checks paths.
    let refused = Anchors::of(&der(&folder.path().join("ca.pem")), &String::from_utf8(critical).expect("PEM"));
    let refused = refused.err().expect("refused").to_string();
    assert!(refused.contains("DistributionPoint") && refused.contains("the lists"), "{refused}");
    fs::write(
        folder.path().join("ca.cnf"),
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=30\n",
    )
    .expect("writable");
    for (octets, words) in [
        (make("", "one.pem"), "version 1"),
        (format!("{text}{certificate}").into_bytes(), "something else"),
        (certificate.into_bytes(), "something else"),
        (text.replacen("\nM", "\n!", 1).into_bytes(), "damaged"),
        (b"nothing".to_vec(), "no revocation list"),
    ] {
        let refused = pki::read_lists(&octets).expect_err(words).to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

/// A key is decrypted by the passphrase in the file beside it, and by no other.
fn passphrases(folder: &Folder, sign: &dyn Fn(&str, &str) -> Output) {
    let at = |name: &str| folder.path().join(name);
    for (key, how) in
        [("pbkdf2.key", "-v2 aes-256-cbc -v2prf hmacWithSHA512"), ("scrypt.key", "-scrypt"), ("aes128.key", "-v2 aes-128-cbc")]
    {
        openssl(folder.path(), &format!("pkcs8 -topk8 -in ec.key {how} -passout pass:secret -out {key}"));
        for passphrase in ["secret", "secret\n", "secret\r\n"] {
            fs::write(at(&format!("{key}.pass")), passphrase).expect("writable");
            let output = sign(key, "ec.pem");
            assert!(output.status.success(), "{key}: {}", said(&output));
        }
        for passphrase in ["", "Secret", "secret \n"] {
            fs::write(at(&format!("{key}.pass")), passphrase).expect("writable");
            let said = said(&sign(key, "ec.pem"));
            assert!(said.contains("not the passphrase") && said.contains(&format!("{key}.pass")), "{key}: {said}");
        }
    }
}

/// Each is taken by `oncegate sign`, or refused with the file's name and the reason.
#[test]
fn keys_are_read_in_the_forms_that_tools_write_and_others_are_refused_with_a_reason() {
    let folder = Folder::new();
    let at = |name: &str| folder.path().join(name);
    let message = at("m.xml");
    fs::write(&message, crate::tool::request("xx.school-1", crate::tool::SUBJECT)).expect("writable");
    let sign = |key: &str, certificate: &str| {
        let (key, certificate) = (at(key), at(certificate));
        Command::new(oncegate())
            .args(["sign", message.to_str().expect("UTF-8"), "--key"])
            .arg(key)
            .arg("--certificate")
            .arg(certificate)
            .output()
            .expect("it starts")
    };
    for (name, kind) in [("ec", "ec -pkeyopt ec_paramgen_curve:P-256"), ("rsa", "rsa:2048"), ("ed", "ed25519")] {
        openssl(
            folder.path(),
            &format!(
                "req -x509 -newkey {kind} -nodes -subj /CN=x -addext basicConstraints=CA:FALSE -keyout {name}.key -out {name}.pem -days 9"
            ),
        );
    }
    openssl(folder.path(), "ec -in ec.key -out ec-sec1.key");
    openssl(folder.path(), "rsa -in rsa.key -traditional -out rsa-pkcs1.key");
    let text = fs::read_to_string(at("ec-sec1.key")).expect("PEM");
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    fs::write(at("around.key"), format!("Bag Attributes\n  friendlyName: x\n{parameters}{text}\n").replace('\n', "\r\n"))
        .expect("writable");
    for (key, certificate) in [
        ("ec.key", "ec.pem"),
        ("ec-sec1.key", "ec.pem"),
        ("around.key", "ec.pem"),
        ("rsa.key", "rsa.pem"),
        ("rsa-pkcs1.key", "rsa.pem"),
        ("ed.key", "ed.pem"),
    ] {
        let output = sign(key, certificate);
        assert!(output.status.success(), "{key}: {}", said(&output));
    }
    openssl(folder.path(), "pkcs8 -topk8 -in ec.key -passout pass:secret -out encrypted.key");
    openssl(folder.path(), "pkey -in ec.key -outform DER -out der.key");
    openssl(folder.path(), "pkcs12 -export -inkey ec.key -in ec.pem -passout pass:secret -out p12.key");
    fs::write(at("two.key"), fs::read_to_string(at("ec.key")).expect("PEM").repeat(2)).expect("writable");
    openssl(folder.path(), "ecparam -name secp384r1 -genkey -noout -out p384.key");
    passphrases(&folder, &sign);
    openssl(folder.path(), "ec -in ec.key -aes128 -passout pass:secret -out old.key");
    openssl(folder.path(), "pkcs8 -topk8 -in ec.key -v1 PBE-SHA1-3DES -passout pass:secret -out weak.key");
    fs::write(at("weak.key.pass"), "secret").expect("writable");
    for (key, words) in [
        ("encrypted.key", ".pass beside it"),
        ("old.key", "old form"),
        ("weak.key", "an algorithm that is not used"),
        ("der.key", "binary"),
        ("p12.key", "binary"),
        ("ec.pem", "no private key"),
        ("two.key", "more than one"),
        ("p384.key", "is not P-256"),
        ("m.xml", "no private key in PEM"),
        ("rsa.key", "does not belong to the certificate"),
    ] {
        let output = sign(key, "ec.pem");
        let said = said(&output);
        assert!(!output.status.success() && said.contains(words) && said.contains(key), "{key}: {said}");
    }
}

/// A certificate for messages with something changed.
fn signing(change: impl FnOnce(&mut CertificateParams)) -> Result<Certificate, CertificateError> {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    change(&mut params);
    let made = params.self_signed(&KeyPair::generate().expect("a key")).expect("signed");
    Certificate::from_der(made.der())
}

#[test]
fn a_signing_certificate_is_for_signing_and_says_nothing_that_is_not_known() {
    signing(|_| {}).expect("digitalSignature");
    signing(|params| params.key_usages = vec![KeyUsagePurpose::ContentCommitment]).expect("a qualified seal");
    signing(|params| params.key_usages = Vec::new()).expect("for anything");
    let refused = |change: fn(&mut CertificateParams)| signing(change).err();
    assert_eq!(refused(|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]), Some(CertificateError::Usage));
    let for_servers = |params: &mut CertificateParams| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(refused(for_servers), Some(CertificateError::Extended));
    let unknown = |params: &mut CertificateParams| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    };
    assert_eq!(refused(unknown), Some(CertificateError::Critical));
    // Version 1 is made by tools that are given no extensions.
    let folder = Folder::new();
    openssl(folder.path(), "req -new -newkey ed25519 -nodes -subj /CN=x -keyout k -out r");
    openssl(folder.path(), "x509 -req -in r -signkey k -out c.pem");
    assert_eq!(Certificate::from_der(&der(&folder.path().join("c.pem"))).err(), Some(CertificateError::Version));
}

#[test]
fn requests_that_ask_for_more_get_a_certificate_for_their_key() {
    let folder = Folder::new();
    let office = office(&folder);
    let request = |arguments: &str| {
        let made = openssl(folder.path(), &format!("req -new -nodes -keyout k {arguments}"));
        String::from_utf8(made.stdout).expect("PEM")
    };
    // What the keytool of a JDK asks for, and a name of its own wish.
    let wishes =
        request("-newkey rsa:2048 -subj /CN=x -addext subjectKeyIdentifier=hash -addext subjectAltName=DNS:bank.example");
    let read = pki::read_request(&wishes).expect("taken");
    assert_eq!(read.passed_over, ["subject CN=x", "extension subjectKeyIdentifier", "extension subjectAltName"]);
    let path = office.add_key(&school(), "sign-2", oncegate::host::authority::KeyType::P256, Some(&wishes)).expect("issued");
    let issued = Certificate::from_der(&der(&path)).expect("of the profile");
    assert_eq!(issued.agency, Some(school()), "the name is ours");
    assert_eq!(pki::facts(&der(&path)).expect("readable").hosts, Vec::<String>::new());
    let with_sha384 = request("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha384 -subj /CN=x");
    pki::read_request(&with_sha384).expect("P-256 with SHA-384");
    let renamed = with_sha384.replace("BEGIN CERT", "BEGIN NEW CERT").replace("END CERT", "END NEW CERT");
    pki::read_request(&renamed).expect("the old label");
    let with_sha1 = request("-newkey rsa:2048 -sha1 -subj /CN=x");
    assert_eq!(pki::read_request(&with_sha1).err(), Some(pki::RequestError::Proof));
}

#[test]
fn two_installations_have_authorities_of_two_names() {
    let folder = Folder::new();
    let names = ["a", "b"].map(|name| {
        let made = Installation::create(&folder.path().join(name), &Listening::default()).expect("made");
        pki::facts(&der(&made.folder().join("certs/ca.pem"))).expect("readable").subject
    });
    assert_ne!(names[0], names[1]);
}

#[test]
fn renewing_keeps_the_old_certificates_valid_beside_the_new_ones() {
    let folder = Folder::new();
    let office = office(&folder);
    let at = |name: &str| office.folder().join(name);
    for (flag, is_same_key) in [(None, true), (Some("--new-key"), false)] {
        let before = der(&at("certs/gateway.pem"));
        let output = run(&[&["renew", "--in", office.folder().to_str().expect("UTF-8")][..], flag.as_slice()].concat());
        assert!(output.status.success(), "{}", said(&output));
        let after = der(&at("certs/gateway.pem"));
        assert_ne!(before, after);
        assert_eq!(pki::public_key(&before) == pki::public_key(&after), is_same_key);
        assert_eq!(pki::facts(&before).map(|facts| facts.hosts), pki::facts(&after).map(|facts| facts.hosts));
        assert!(run(&["check", "-c", office.config().to_str().expect("UTF-8")]).status.success(), "{flag:?}");
    }
    let agency = |name: &str| office.agency_folder(&school()).join(name);
    let (tls, sign) = (der(&agency("tls.pem")), der(&agency("sign.pem")));
    office.renew_agency(&school(), Renewal::KeepKey).expect("renewed");
    let registry = office.draft().expect("a registry");
    let index = registry.find(&school()).expect("there");
    for certificate in [&tls, &der(&agency("tls.pem"))] {
        assert_eq!(registry.by_system(&oncegate::message::crypto::sha256(certificate)), Some(index));
    }
    let known = registry.agency(index).expect("there");
    for certificate in [&sign, &der(&agency("sign.pem"))] {
        known.key(Some(&oncegate::message::crypto::sha256(certificate)), now()).expect("valid");
    }
    known.key(None, now()).expect("two certificates of one key are one key");
    office.renew_agency(&school(), Renewal::NewKey).expect("renewed");
    let registry = office.draft().expect("a registry");
    let known = registry.agency(registry.find(&school()).expect("there")).expect("there");
    assert_eq!(known.key_count(), 3);
    known.key(None, now()).expect_err("two keys: a message has to say which");
}

#[test]
fn a_handshake_that_fails_leaves_a_line_with_cause_address_and_subject() {
    let scene = Scene::new(SILENT);
    let mut gateway = scene.start();
    let folder = scene.folder();
    openssl(folder, "req -x509 -newkey ed25519 -nodes -subj /CN=stranger-17 -keyout k -out c.pem -days 9");
    let address = scene.world().exchange_address().to_string();
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", &address, "-cert", "c.pem", "-key", "k"]).current_dir(folder);
    client.stdin(std::process::Stdio::null()).output().expect("openssl starts");
    let line = gateway.says("a handshake with 127.0.0.1 failed");
    assert!(line.contains("stranger-17") && line.contains("invalid peer certificate"), "{line}");
    gateway.stop();
}

#[test]
fn a_gateway_and_a_client_meet_over_ipv6() {
    let Ok(probe) = std::net::TcpListener::bind("[::1]:0") else { return };
    let address = probe.local_addr().expect("bound");
    drop(probe);
    let folder = Folder::new();
    let hosts = vec!["::1".to_owned()];
    let public = format!("127.0.0.1:{}", crate::tool::free_port()).parse().expect("an address");
    let listening = Listening { exchange: address, public, hosts, ..Listening::default() };
    let made = Installation::create(&folder.path().join("office"), &listening).expect("made");
    let office = made.folder().to_str().expect("UTF-8");
    let output = run(&["agency", "add", "xx.town.school-1", "--in", office, "--name", "S", "--url", "https://[::1]:9443/x"]);
    assert!(output.status.success() && said(&output).contains(&format!("gateway = \"https://{address}\"")), "{}", said(&output));
    let tls = pki::facts(&der(&made.agency_folder(&school()).join("tls.pem"))).expect("readable");
    assert_eq!(tls.hosts, ["::1"]);
    let gateway = crate::process::Process::run(&made.config()).map_err(|(_, said)| said).expect("it starts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = oncegate::faces::client::Client::load(&made.agency_folder(&school())).expect("a client");
    let received = runtime.block_on(client.get("/v1/catalogue")).expect("it is reached");
    assert_eq!(received.status.as_u16(), 200);
    gateway.stop();
}

#[test]
fn a_certificate_that_an_agency_has_is_enrolled_if_consumers_would_believe_it() {
    let folder = Folder::new();
    let office = office(&folder);
    let read = |name: &str| fs::read_to_string(office.folder().join(name)).expect("readable");
    let key = KeyPair::from_pem(&read("authority/ca.key")).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(&read("certs/ca.pem"), key).expect("an authority");
    let own = KeyPair::generate().expect("a key");
    let enrol = |agency: Option<&str>, is_ours: bool| {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.key_usages = vec![KeyUsagePurpose::ContentCommitment];
        params.subject_alt_names.extend(agency.map(|id| {
            let urn = AgencyId::parse(id).expect("a name").urn();
            rcgen::SanType::URI(urn.try_into().expect("ASCII"))
        }));
        let made = if is_ours { params.signed_by(&own, &issuer) } else { params.self_signed(&own) };
        let path = folder.path().join("seal.pem");
        fs::write(&path, made.expect("made").pem()).expect("writable");
        let (path, office) = (path.to_str().expect("UTF-8"), office.folder().to_str().expect("UTF-8"));
        run(&["agency", "enrol", "xx.town.school-1", path, "--in", office])
    };
    for (agency, is_ours, words) in [
        (None, true, "names no agency"),
        (Some("xx.town.school-2"), true, "is that of xx.town.school-2"),
        (Some("xx.town.school-1"), false, "not issued by an authority"),
    ] {
        let output = enrol(agency, is_ours);
        assert!(!output.status.success() && said(&output).contains(words), "{}", said(&output));
    }
    let output = enrol(Some("xx.town.school-1"), true);
    assert!(output.status.success(), "{}", said(&output));
    let registry = office.draft().expect("a registry");
    let index = registry.find(&school()).expect("there");
    assert_eq!(registry.agency(index).expect("there").key_count(), 2);
}

/// The steps of `certs/README.md` under "An authority of your own", as they stand there.
#[test]
fn what_the_page_on_certificates_says_makes_an_installation_of_an_authority_of_ones_own() {
    let folder = Folder::new();
    let office = office(&folder);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("certs/README.md")).expect("readable");
    let section = page.split("## An authority of your own").nth(1).and_then(|rest| rest.split("## ").next()).expect("there");
    let lines: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let work = folder.path().join("work");
    fs::create_dir_all(work.join("certs")).expect("writable");
    for name in ["root.cnf", "tls.cnf", "signing.cnf"] {
        fs::copy(root.join("certs").join(name), work.join("certs").join(name)).expect("copied");
    }
    let made = Command::new("sh").args(["-e", "-c", &lines.join("\n")]).current_dir(&work).output().expect("a shell");
    assert!(made.status.success(), "{}", said(&made));
    for (from, to) in [("root.pem", "certs/ca.pem"), ("gateway.pem", "certs/gateway.pem"), ("gateway.key", "certs/gateway.key")] {
        fs::copy(work.join(from), office.folder().join(to)).expect("copied");
    }
    let output = run(&["check", "-c", office.config().to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{}", said(&output));
    let signing = work.join("signing.pem");
    office.enrol(&school(), &fs::read_to_string(signing).expect("readable")).expect("enrolled");
}

/// The gateway believes the registry, a consumer the certificate in a message: who enters one by hand is told the difference.
#[test]
fn a_key_entered_by_hand_that_consumers_would_refuse_is_named() {
    let folder = Folder::new();
    let office = office(&folder);
    let check = || said(&run(&["check", "-c", office.config().to_str().expect("UTF-8")]));
    assert!(!check().contains("consumers will refuse"), "{}", check());
    openssl(
        folder.path(),
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout own.key -out own.pem -days 90 -subj /CN=own -addext basicConstraints=CA:FALSE -addext keyUsage=digitalSignature",
    );
    let pem = fs::read_to_string(folder.path().join("own.pem")).expect("PEM");
    let own: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let file = office.folder().join("registry.toml");
    let text = fs::read_to_string(&file).expect("readable");
    let key = format!("[[agency.key]]\ncertificate = \"{own}\"\n\n[[agency.key]]");
    fs::write(&file, text.replacen("[[agency.key]]", &key, 1)).expect("writable");
    office.sign().expect("signed");
    let told = check();
    assert!(
        told.contains("consumers will refuse what is signed with it: it names no agency (URI:urn:oncegate:agency:"),
        "{told}"
    );
    assert!(told.contains("agency enrol"), "{told}");
}

/// The authority's own key is read in the forms in which every other key is.
#[test]
fn an_authority_issues_with_its_key_in_any_form() {
    let folder = Folder::new();
    let office = office(&folder);
    let authority = office.folder().join("authority/ca.key");
    let key = authority.to_str().expect("UTF-8").to_owned();
    openssl(folder.path(), &format!("ec -in {key} -out sec1.key"));
    let sec1 = fs::read_to_string(folder.path().join("sec1.key")).expect("readable");
    assert!(sec1.contains("BEGIN EC PRIVATE KEY"), "{sec1}");
    fs::write(&authority, format!("Bag Attributes\n{sec1}").replace('\n', "\r\n")).expect("writable");
    office.add_key(&school(), "next", oncegate::host::authority::KeyType::P256, None).expect("issued");
    let certificate = fs::read_to_string(office.folder().join("certs/ca.pem")).expect("readable");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (key, words) in [(encrypted, "encrypted"), ("nothing", "no private key"), (&*certificate, "no private key")] {
        fs::write(&authority, key).expect("writable");
        let refused =
            office.add_key(&school(), "third", oncegate::host::authority::KeyType::P256, None).expect_err("no key").to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn oncegate_verify_refuses_a_signer_certificate_that_is_another_as_the_gateway_does() {
    let folder = Folder::new();
    let office = office(&folder);
    let agency = office.agency_folder(&school());
    let own = base64(&oncegate::message::crypto::sha256(&der(&agency.join("sign.pem"))));
    let other = base64(&oncegate::message::crypto::sha256(&der(&agency.join("tls.pem"))));
    for (stated, is_good) in [(own, true), (other, false)] {
        let element = format!("<SignerCertificate>{stated}</SignerCertificate></Header>");
        let message = crate::tool::request(school().as_str(), crate::tool::SUBJECT).replace("</Header>", &element);
        fs::write(folder.path().join("m.xml"), message).expect("writable");
        let command = |program: &str, arguments: &[&str]| {
            Command::new(program).args(arguments).current_dir(folder.path()).output().expect("it starts")
        };
        let pair = ["office/agencies/xx.town.school-1/sign.key", "office/agencies/xx.town.school-1/sign.pem"];
        let signed = command(oncegate(), &["sign", "m.xml", "--key", pair[0], "--certificate", pair[1]]);
        assert!(signed.status.success(), "{}", said(&signed));
        fs::write(folder.path().join("signed.xml"), signed.stdout).expect("writable");
        let verified = command(oncegate(), &["verify", "signed.xml", "--authorities", "office/certs/ca.pem"]);
        assert_eq!(verified.status.success(), is_good, "{}", said(&verified));
        assert!(is_good || said(&verified).contains("OG-SIG-010"), "{}", said(&verified));
    }
}

fn base64(digest: &oncegate::base::ids::Digest) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(digest.octets())
}
