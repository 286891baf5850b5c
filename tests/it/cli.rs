//! Each command as its user runs it: the real program, its exit status, what it prints and where.

use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::{SCHOOL, STRANGER, SUBJECT, free_port, request, root, said};
use crate::world::World;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Runs the program in a folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(oncegate()).args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("it starts")
}

/// Runs it and expects this exit status; gives standard output and standard error.
fn ends(status: i32, folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("UTF-8");
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    // A result is on standard output, and a failure is told on standard error, in its words.
    let is_told = if arguments.contains(&"--json") {
        let told = err.lines().last().and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        told.is_some_and(|told| told["format"] == 1 && told["exit"] == status && told["error"].is_string())
    } else {
        err.starts_with("error: ")
    };
    assert!(status == 0 || is_told, "{arguments:?}: {err}");
    (out, err)
}

/// Runs it with `--json`: each line that it prints is an object with `"format": 1`.
fn json(status: i32, folder: &Path, arguments: &[&str]) -> Vec<serde_json::Value> {
    let (out, _) = ends(status, folder, &[arguments, &["--json"]].concat());
    let objects: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {line}")))
        .collect();
    assert!(objects.iter().all(|object| object["format"] == 1), "{arguments:?}: {out}");
    assert!(status != 0 || !objects.is_empty(), "{arguments:?} prints nothing");
    objects
}

/// An installation in the folder `office`.
fn office() -> (Folder, PathBuf) {
    let folder = Folder::new();
    let path = folder.path().to_owned();
    ends(0, &path, &["init", "office", "--listen", "127.0.0.1:9", "--public", "127.0.0.1:9"]);
    (folder, path)
}

/// Replaces the first occurrence in a file; gives the line and the column at which it stands, from 1.
fn change(file: &Path, from: &str, to: &str) -> (usize, usize) {
    let text = fs::read_to_string(file).expect("readable");
    let at = text.find(from).unwrap_or_else(|| panic!("{} has no {from}", file.display()));
    fs::write(file, text.replacen(from, to, 1)).expect("writable");
    let before = &text[..at];
    (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or("").chars().count() + 1)
}

#[test]
fn init_makes_an_installation_once() {
    let folder = Folder::new();
    let (out, err) = ends(0, folder.path(), &["init", "office"]);
    assert!(out.contains("office/oncegate.toml") && err.contains("next:"), "{out}{err}");
    let key = fs::read_to_string(folder.path().join("office/authority/ca.key")).expect("a key");
    let (out, err) = ends(2, folder.path(), &["init", "office"]);
    assert!(out.is_empty() && err.contains("there is an installation here already"), "{out}{err}");
    assert_eq!(
        fs::read_to_string(folder.path().join("office/authority/ca.key")).expect("a key"),
        key,
        "nothing was written over"
    );
    assert_eq!(json(0, folder.path(), &["init", "other"])[0]["config"], "other/oncegate.toml");
    ends(0, folder.path(), &["init", "third", "--quiet"]);
}

#[test]
fn check_says_what_is_good_and_where_it_is_not() {
    let (_folder, path) = office();
    let (out, _) = ends(0, &path, &["check", "-c", "office/oncegate.toml"]);
    for what in ["configuration", "registry", "schemas"] {
        assert!(out.lines().any(|line| line.starts_with("ok ") && line.contains(what)), "{out}");
    }
    assert_eq!(json(0, &path, &["check", "-c", "office/oncegate.toml"])[0]["registryVersion"], 1);

    let config = path.join("office/oncegate.toml");
    let good = fs::read_to_string(&config).expect("readable");
    for (from, to, code, words) in [
        ("listen =", "lisen =", "OG-CFG-001", "did you mean `listen`?"),
        ("\"127.0.0.1:9\"", "\"localhost\"", "OG-CFG-001", "is not an address"),
        ("format = 1", "format = one", "OG-CFG-001", ""),
    ] {
        let (line, _) = change(&config, from, to);
        for command in ["check", "run"] {
            let (out, err) = ends(2, &path, &[command, "-c", "office/oncegate.toml"]);
            let place = format!("office/oncegate.toml:{line}:");
            assert!(out.is_empty() && err.contains(&place) && err.contains(code) && err.contains(words), "{command}: {err}");
        }
        fs::write(&config, &good).expect("writable");
    }
    let (_, err) = ends(2, &path, &["check", "-c", "office/nothing.toml"]);
    assert!(err.contains("office/nothing.toml"), "{err}");

    let registry = path.join("office/registry.toml");
    let good = fs::read_to_string(&registry).expect("readable");
    let agency = "\n[[agency]]\nid = \"xx.a\"\nname = \"A\"\n";
    for (more, line, words) in [
        ("\n[[holder]]\ndocument = \"medical-absence-not\"\nagency = \"xx.a\"\n", 4, "did you mean \"medical-absence-note\"?"),
        ("\n[[agency]]\nid = \"xx.b\"\nnme = \"B\"\n", 3, "did you mean `name`?"),
    ] {
        fs::write(&registry, format!("{good}{agency}{more}")).expect("writable");
        let first = good.lines().count() + agency.lines().count();
        // Unsigned as it is, it is refused for that.
        let (_, err) = ends(2, &path, &["check", "-c", "office/oncegate.toml"]);
        assert!(err.contains("OG-CFG-003"), "{err}");
        // And nobody signs what is not good.
        let (_, err) = ends(2, &path, &["agency", "sign", "--in", "office"]);
        let at: Vec<usize> =
            err.split("registry.toml:").nth(1).map_or(Vec::new(), |rest| rest.split(':').take(2).flat_map(str::parse).collect());
        assert!(err.contains("OG-CFG-002") && err.contains(words), "{err}");
        assert!(at.len() == 2 && at[0].abs_diff(first + line) <= 1, "{err}: expected line {}", first + line);
    }
    fs::write(&registry, format!("{good}{agency}")).expect("writable");
    ends(0, &path, &["agency", "sign", "--in", "office"]);
    let (out, _) = ends(0, &path, &["check", "-c", "office/oncegate.toml"]);
    assert!(out.contains("warn  agency xx.a has no key"), "{out}");
}

fn agency<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["agency"], arguments, &["--in", "office"]].concat()
}

#[test]
fn agencies_are_added_granted_listed_shown_suspended() {
    let (_folder, path) = office();
    let (out, _) = ends(0, &path, &agency(&["add", "xx.school-1", "--name", "School 1"]));
    assert!(out.contains("agency = \"xx.school-1\""), "{out}");
    let clinic = ["add", "xx.clinic-1", "--name", "Clinic \"1\"", "--url", "https://127.0.0.1:9/x", "--holds"];
    // A mistake leaves the installation as it was, and the same command without it passes.
    let before = fs::read_to_string(path.join("office/registry.toml")).expect("readable");
    let (_, err) = ends(2, &path, &agency(&[&clinic[..], &["medical-absence-not"]].concat()));
    assert!(err.contains("did you mean \"medical-absence-note\"?"), "{err}");
    assert_eq!(fs::read_to_string(path.join("office/registry.toml")).expect("readable"), before);
    assert_eq!(json(0, &path, &agency(&[&clinic[..], &["medical-absence-note"]].concat()))[0]["id"], "xx.clinic-1");
    ends(2, &path, &agency(&["add", "xx.school-1", "--name", "twice"]));
    ends(2, &path, &agency(&["add", "Not A Name", "--name", "wrong"]));

    let grant = ["grant", "g1", "--who", "xx.school-*", "--what", "medical-absence-note", "--purpose", "school-attendance"];
    let rest = ["--basis", "XX:1", "--until", "2099-12-31", "--field", "Absence"];
    ends(0, &path, &agency(&[&grant[..], &rest[..]].concat()));
    let (_, err) = ends(2, &path, &agency(&[&grant[..], &["--basis", "XX:1", "--until", "soon"]].concat()));
    assert!(!err.is_empty());
    let (out, _) = ends(0, &path, &agency(&["list"]));
    assert_eq!(out.lines().count(), 2);
    assert_eq!(json(0, &path, &agency(&["list"])).len(), 2);
    let (out, _) = ends(0, &path, &agency(&["show", "xx.school-1"]));
    assert!(out.contains("active") && out.contains("may     medical-absence-note for school-attendance"), "{out}");
    let shown = &json(0, &path, &agency(&["show", "xx.clinic-1"]))[0];
    assert_eq!((shown["name"].as_str(), shown["holds"][0].as_str()), (Some("Clinic \"1\""), Some("medical-absence-note")));
    assert_eq!(json(0, &path, &agency(&["show", "xx.school-1"]))[0]["may"][0]["legalBasis"], "XX:1");
    ends(4, &path, &agency(&["show", "xx.nobody"]));

    let status = || json(0, &path, &agency(&["show", "xx.school-1"]))[0]["status"].as_str().map(str::to_owned);
    for (arguments, expected) in
        [(&["suspend", "xx.school-1"][..], "suspended"), (&["suspend", "xx.school-1", "--lift"], "active")]
    {
        assert_eq!(json(0, &path, &agency(arguments))[0]["status"], expected);
        assert_eq!(status().as_deref(), Some(expected));
        ends(0, &path, &agency(arguments));
    }
    ends(2, &path, &agency(&["suspend", "xx.nobody"]));

    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x"]);
    let made = openssl.args(["-keyout", "own.key", "-out", "own.csr"]).current_dir(&path).output().expect("openssl starts");
    assert!(made.status.success(), "{}", said(&made));
    let (out, _) = ends(0, &path, &agency(&["cert", "xx.school-1", "--request", "own.csr", "--name", "own"]));
    assert_eq!(out.trim(), "office/agencies/xx.school-1/own.pem");
    assert!(!path.join("office/agencies/xx.school-1/own.key").exists(), "a private key stays where it was made");
    let made = &json(0, &path, &agency(&["cert", "xx.school-1", "--name", "second", "--ed25519"]))[0];
    assert_eq!(made["certificate"], "office/agencies/xx.school-1/second.pem");
    assert_eq!(json(0, &path, &agency(&["show", "xx.school-1"]))[0]["keys"], 3);
    fs::write(path.join("no.csr"), "no request").expect("writable");
    ends(2, &path, &agency(&["cert", "xx.school-1", "--request", "no.csr", "--name", "no"]));
    assert_eq!(json(0, &path, &agency(&["sign"]))[0]["format"], 1);
    ends(0, &path, &["check", "-c", "office/oncegate.toml"]);

    // The key that openssl made signs, with the certificate that came for it.
    fs::write(path.join("m.xml"), request("xx.school-1", SUBJECT)).expect("writable");
    let own = ["sign", "m.xml", "--key", "own.key", "--certificate", "office/agencies/xx.school-1/own.pem"];
    fs::write(path.join("signed.xml"), ends(0, &path, &own).0).expect("writable");
    ends(0, &path, &["verify", "signed.xml", "--authorities", "office/certs/ca.pem"]);
}

#[test]
fn validate_tells_the_valid_examples_from_the_broken() {
    let examples = root().join("schemas/examples");
    let (mut valid, mut broken) = (0, 0);
    for entry in fs::read_dir(&examples).expect("readable").map(|entry| entry.expect("readable").path()) {
        for (kind, status) in [("valid", 0), ("broken", 2)] {
            for file in fs::read_dir(entry.join(kind)).expect("readable").map(|file| file.expect("readable").path()) {
                let name = file.to_str().expect("UTF-8");
                let (out, err) = ends(status, root(), &["validate", name]);
                if status == 0 {
                    assert!(out.starts_with("ok  document: ") && err.is_empty(), "{out}{err}");
                    valid += 1;
                    continue;
                }
                broken += 1;
                let code = file.file_name().expect("a name").to_string_lossy()[..10].to_owned();
                assert!(out.is_empty() && err.contains(&code), "{err}");
                // What compares two values names both, and all else the place.
                let place = err.split(&format!("{name}:")).nth(1).unwrap_or("");
                let numbers: Vec<usize> = place.split(':').take(2).flat_map(str::parse).collect();
                assert!(numbers.len() == 2 || code.starts_with("OG-DOC-03"), "{err}");
                let lines = fs::read_to_string(&file).map_or(usize::MAX, |text| text.lines().count());
                assert!(numbers.first().is_none_or(|line| (1..=lines).contains(line)), "{err}");
            }
        }
    }
    assert!(valid >= 14 && broken >= 100, "{valid} {broken}");
    let good = fs::read(examples.join("school-enrolment/valid/minimal.xml")).expect("readable");
    let mut reading = Command::new(oncegate());
    reading.args(["validate", "-", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut reading = reading.spawn().expect("it starts");
    reading.stdin.take().expect("piped").write_all(&good).expect("it reads");
    let output = reading.wait_with_output().expect("it ends");
    assert!(output.status.success() && said(&output).contains("\"format\":1"), "{}", said(&output));
    println!("{valid} valid, {broken} broken");
}

#[test]
fn what_is_signed_is_verified_here_and_by_xmlsec1_and_changed_it_is_not() {
    let (_folder, path) = office();
    ends(0, &path, &["agency", "add", "xx.school-1", "--in", "office", "--name", "School 1"]);
    fs::write(path.join("m.xml"), request("xx.school-1", SUBJECT)).expect("writable");
    let agency = "office/agencies/xx.school-1";
    let (key, certificate) = (format!("{agency}/sign.key"), format!("{agency}/sign.pem"));
    let sign = |file: &'static str| ["sign", file, "--key", &key, "--certificate", &certificate].map(str::to_owned);
    let sign = |status, file| ends(status, &path, &sign(file).each_ref().map(String::as_str));
    let (signed, _) = sign(0, "m.xml");
    fs::write(path.join("signed.xml"), &signed).expect("writable");
    let verify = |file| ["verify", file, "--authorities", "office/certs/ca.pem"];
    let (out, _) = ends(0, &path, &verify("signed.xml"));
    assert!(out.starts_with("ok  request ") && out.contains("from xx.school-1"), "{out}");
    assert_eq!(json(0, &path, &verify("signed.xml"))[0]["from"], "xx.school-1");
    let (out, _) = ends(0, &path, &["validate", "signed.xml"]);
    assert!(out.starts_with("ok  message: request"), "{out}");

    let xmlsec1 = |file: &str| {
        let mut command = Command::new("xmlsec1");
        command.args(["--verify", "--trusted-pem", "office/certs/ca.pem", "--enabled-key-data", "x509", file]);
        command.current_dir(&path).output().expect("xmlsec1 starts")
    };
    let verified = xmlsec1("signed.xml");
    assert!(verified.status.success(), "{}", said(&verified));
    let changed = signed.replacen(SUBJECT.split_once(':').expect("a scheme").1, "99000000245", 1);
    assert_ne!(changed, signed);
    fs::write(path.join("changed.xml"), changed).expect("writable");
    let (out, err) = ends(6, &path, &verify("changed.xml"));
    assert!(out.is_empty() && err.contains("changed.xml") && err.contains("OG-SIG-"), "{err}");
    assert!(!xmlsec1("changed.xml").status.success());
    // Signed well, but under nobody that we trust.
    ends(0, &path, &["init", "elsewhere"]);
    ends(6, &path, &["verify", "signed.xml", "--authorities", "elsewhere/certs/ca.pem"]);
    let (_, err) = sign(2, "signed.xml");
    assert!(err.contains("holds a signature already"), "{err}");
    fs::write(path.join("cut.xml"), "<Message>\n  <Header>").expect("writable");
    let (_, err) = sign(2, "cut.xml");
    assert!(err.contains("cut.xml:2:"), "{err}");
}

fn ask<'a>(subject: &'a str, agency: &'a str) -> [&'a str; 8] {
    ["ask", "medical-absence-note", "--of", subject, "--for", "school-attendance", "--as", agency]
}

#[test]
fn ask_prints_what_came_and_ends_as_it_went() {
    let world = World::start();
    let (folder, school) = (world.folder(), world.agency_dir(SCHOOL));
    let school = school.to_str().expect("UTF-8");
    let (out, _) = ends(0, folder, &ask(SUBJECT, school));
    assert!(
        out.starts_with("medical-absence-note from xx.demo.clinic-3") && out.contains("Absence/From") && out.contains("log "),
        "{out}"
    );
    let answer = &json(0, folder, &[&ask(SUBJECT, school)[..], &["-o", "answer.xml"]].concat())[0];
    assert!(answer["what"] == "medical-absence-note" && answer["logIndex"].is_u64(), "{answer}");
    assert!(
        answer["fields"].as_array().is_some_and(|fields| fields
            .iter()
            .any(|field| field["path"].as_str().is_some_and(|path| path.ends_with("Absence/From")))),
        "{answer}"
    );
    ends(0, folder, &["verify", "answer.xml", "--authorities", &format!("{school}/ca.pem")]);

    let (out, err) = ends(4, folder, &ask(STRANGER, school));
    assert!(out.starts_with("no record from") && err.contains("there is no record"), "{out}{err}");
    assert_eq!(json(4, folder, &ask(STRANGER, school))[0]["what"], "no record");
    // Without a grant it is refused here already; whoever names a legal basis is refused by the gateway.
    let other = ["ask", "birth-certificate", "--of", SUBJECT, "--for", "birth-allowance", "--as", school];
    let (_, err) = ends(3, folder, &other);
    assert!(err.contains("may not ask for birth-certificate"), "{err}");
    let (_, err) = ends(3, folder, &[&other[..], &["--basis", "XX:FAMILY:81"]].concat());
    assert!(err.contains("OG-POL-001") && err.contains("whose fault: sender") && err.contains("next: "), "{err}");
    let suspended = world.agency_dir("xx.demo.suspended");
    ends(3, folder, &ask(SUBJECT, suspended.to_str().expect("UTF-8")));

    // A gateway that is away; and a mistake that is found before anything is sent to it.
    let away = folder.join("away");
    fs::create_dir(&away).expect("writable");
    for file in fs::read_dir(school).expect("readable").map(|file| file.expect("readable").path()) {
        fs::copy(&file, away.join(file.file_name().expect("a name"))).expect("copied");
    }
    change(&away.join("client.toml"), &world.gateway_url(), &format!("https://127.0.0.1:{}", free_port()));
    let (_, err) = ends(7, folder, &ask(SUBJECT, "away"));
    assert!(err.contains("cannot be reached"), "{err}");
    let (_, err) = ends(2, folder, &ask("XX-OGTEST:99000000137", "away"));
    assert!(err.contains("OG-DOC-021"), "{err}");
    ends(2, folder, &ask("99000000136", "away"));
    ends(2, folder, &ask(SUBJECT, "nobody"));
    ends(2, folder, &["ask", "medical-absence-note"]);

    // A message as it is.
    fs::write(folder.join("m.xml"), request(SCHOOL, SUBJECT)).expect("writable");
    let (key, certificate) = (format!("{school}/sign.key"), format!("{school}/sign.pem"));
    let (signed, _) = ends(0, folder, &["sign", "m.xml", "--key", &key, "--certificate", &certificate]);
    fs::write(folder.join("signed.xml"), signed).expect("writable");
    let (out, err) = ends(0, folder, &["send", "signed.xml", "--as", school]);
    assert!(out.contains("MedicalAbsenceNote") && err.contains("200"), "{err}");
    let (_, err) = ends(2, folder, &["send", "m.xml", "--as", school]);
    assert!(err.contains("OG-SIG-"), "{err}");
    ends(7, folder, &["send", "signed.xml", "--as", "away"]);
    ends(2, folder, &["send", "nothing.xml", "--as", school]);
}

#[test]
fn faults_lists_all_codes_or_one() {
    let folder = Folder::new();
    let all = json(0, folder.path(), &["faults"]);
    assert_eq!(all.len(), oncegate::base::fault::Code::ALL.len());
    let (out, _) = ends(0, folder.path(), &["faults", "OG-SIG-003"]);
    assert!(out.lines().count() == 1 && out.starts_with("OG-SIG-003"), "{out}");
    let (out, err) = ends(2, folder.path(), &["faults", "OG-SIG-03"]);
    assert!(out.is_empty() && err.contains("did you mean OG-SIG-0"), "{err}");
}

#[test]
fn the_help_of_every_command_starts_with_examples() {
    let commands = |arguments: &[&str]| -> Vec<String> {
        let (out, _) = ends(0, root(), &[arguments, &["--help"]].concat());
        assert!(out.starts_with("Examples:\n  oncegate "), "{arguments:?}: {out}");
        // The names stand in a list of their own.
        let list = out.split("\nCommands:\n").nth(1).unwrap_or("").split("\n\n").next().unwrap_or("");
        list.lines()
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut waiting: Vec<Vec<String>> = vec![Vec::new()];
    let mut count = 0;
    while let Some(arguments) = waiting.pop() {
        let found = commands(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        count += 1;
        waiting.extend(found.into_iter().filter(|name| name != "help").map(|name| [&arguments[..], &[name]].concat()));
    }
    assert!(count > 18, "{count} commands");
}

#[test]
fn a_broken_pipe_ends_quietly() {
    for arguments in [&["faults"][..], &["faults", "--json"], &["--help"]] {
        // Nobody reads from the start, so that no write can succeed.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(oncegate()).args(arguments).stdout(writer).stderr(Stdio::piped()).output().expect("it starts");
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments:?}: {}", said(&output));
    }
    let script = format!("{} faults | head -1; echo ${{PIPESTATUS[0]}}", oncegate());
    let output = Command::new("bash").args(["-c", &script]).output().expect("bash starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.stderr.is_empty() && text.lines().collect::<Vec<_>>()[1..] == ["0"], "{}", said(&output));
}

#[test]
fn roles_and_withholding_are_given_within_their_bounds() {
    let (_folder, path) = office();
    let (_, err) = ends(2, &path, &agency(&["add", "xx.court", "--name", "Court", "--role", "auditr"]));
    assert!(err.contains("no role is called \"auditr\"; did you mean \"auditor\"?"), "{err}");
    ends(0, &path, &agency(&["add", "xx.court", "--name", "Court", "--role", "auditor", "--role", "portal"]));
    assert_eq!(json(0, &path, &agency(&["show", "xx.court"]))[0]["roles"], serde_json::json!(["auditor", "portal"]));
    let grant = ["grant", "g", "--who", "xx.court", "--what", "medical-absence-note", "--purpose", "p", "--basis", "XX:1"];
    ends(0, &path, &agency(&[&grant[..], &["--until", "2099-12-31"]].concat()));
    let registry = path.join("office/registry.toml");
    for (days, status) in [(3650, 0), (3651, 2), (70_000, 2)] {
        let text = fs::read_to_string(&registry).expect("readable");
        let kept = text.lines().filter(|line| !line.starts_with("withheld_days")).map(|line| format!("{line}\n"));
        fs::write(&registry, kept.collect::<String>() + &format!("withheld_days = {days}\n")).expect("writable");
        ends(status, &path, &agency(&["sign"]));
    }
}
