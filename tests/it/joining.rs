//! The road of a newcomer: the operator opens the door, the newcomer asks, codes are compared, the operator approves; by the program
//! itself, against a running gateway.

use crate::process::{Process, Scene, answered, oncegate};
use oncegate::base::limits;
use oncegate::faces::client::Client;
use oncegate::host::authority::make_request;
use oncegate::message::schema::Schemas;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const SILENT: &str = "records = \"off\"\n";
const NEWCOMER: &str = "xx.demo.school-99";

/// A scene whose gateway runs.
struct Door {
    scene: Scene,
    gateway: Process,
}

impl Door {
    fn new() -> Self {
        let scene = Scene::new(SILENT);
        let gateway = scene.start();
        Self { scene, gateway }
    }

    /// What a command of the operator says.
    fn agency(&self, arguments: &[&str]) -> Output {
        Command::new(oncegate())
            .arg("agency")
            .args(arguments)
            .arg("--in")
            .arg(self.scene.world().folder())
            .output()
            .expect("it starts")
    }

    /// Opens the door; gives address and fingerprint, as the printed command has them.
    fn invite(&self) -> (String, String) {
        let said = text(&self.agency(&["invite"]).stdout);
        let words: Vec<&str> = said.split_whitespace().collect();
        assert_eq!((words[0], words[1], words[3]), ("oncegate", "join", "--fingerprint"), "{said}");
        (words[2].to_owned(), words[4].to_owned())
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.scene.folder().join("newcomers").join(name)
    }

    /// The newcomer's command.
    fn join(&self, (url, fingerprint): &(String, String), agency: &str, more: &[&str]) -> Command {
        let mut command = Command::new(oncegate());
        command.args(["join", url, "--fingerprint", fingerprint, "--as", agency, "--name", "School 99", "--in"]);
        command.arg(self.folder(agency)).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn waiting(&self) -> Vec<serde_json::Value> {
        let said = text(&self.agency(&["requests", "--json"]).stdout);
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn ended(mut child: Child) -> (Option<i32>, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    (child.wait().expect("it ends").code(), out, err)
}

#[test]
fn a_newcomer_takes_part_by_one_command_on_each_side() {
    let door = Door::new();
    let invited = door.invite();
    let joining = door.join(&invited, NEWCOMER, &[]).spawn().expect("it starts");
    let found = loop {
        match door.waiting().first() {
            Some(found) => break found.clone(),
            None => std::thread::sleep(std::time::Duration::from_millis(50)),
        }
    };
    assert_eq!((found["agency"].as_str(), found["state"].as_str()), (Some(NEWCOMER), Some("waiting")));
    let code = found["spoken"].as_str().expect("a code").to_owned();
    // A code that is not whole is not enough.
    assert_eq!(door.agency(&["approve", &code[..19], "--live"]).status.code(), Some(2));
    let approved = door.agency(&["approve", &code.to_uppercase(), "--live"]);
    assert!(approved.status.success(), "{}", text(&approved.stderr));
    let (status, out, err) = ended(joining);
    assert_eq!(status, Some(0), "{err}");
    // The newcomer was shown the code that the operator sees.
    assert!(err.contains(&format!("oncegate agency approve {code}")) && out.contains(NEWCOMER), "{out}{err}");
    let folder = door.folder(NEWCOMER);
    for key in ["tls.key", "sign.key"] {
        let mode = std::fs::metadata(folder.join(key)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
        assert!(!door.scene.world().agency_folder(NEWCOMER).join(key).exists(), "the operator has {key}");
    }
    // It asks, and the answer is checked.
    door.scene.block_on(async {
        let client = Client::load(&folder).expect("a client");
        let request = door.scene.request(&client, 0);
        let received = answered(&client, &request).await;
        client.check(received, &request, &Schemas::built_in()).expect("an answer");
    });
    let again = door.join(&invited, NEWCOMER, &[]).output().expect("it starts");
    assert_eq!(again.status.code(), Some(2), "{}", text(&again.stderr));
    let twice = door.agency(&["approve", &code]);
    assert!(!twice.status.success() && text(&twice.stderr).contains("decided already"));
    door.gateway.stop();
}

#[test]
fn whoever_is_not_live_is_of_the_test_world_and_goes_on_where_it_was() {
    let door = Door::new();
    let invited = door.invite();
    let more = ["--holds", "medical-absence-note", "--no-wait"];
    let first = door.join(&invited, "xx.demo.clinic-99", &more).output().expect("it starts");
    assert!(first.status.success(), "{}", text(&first.stderr));
    let code = door.waiting()[0]["spoken"].as_str().expect("a code").to_owned();
    // The same words are the same request, other words another.
    let again = door.join(&invited, "xx.demo.clinic-99", &more).output().expect("it starts");
    assert!(again.status.success() && door.waiting().len() == 1, "{}", text(&again.stderr));
    let other = door.join(&invited, "xx.demo.clinic-99", &["--no-wait"]).output().expect("it starts");
    assert!(other.status.code() == Some(2) && text(&other.stderr).contains("another request"), "{}", text(&other.stderr));
    let approved = door.agency(&["approve", &code]);
    assert!(approved.status.success(), "{}", text(&approved.stderr));
    // An operator whose command was killed before it had said so approves once more.
    let decided =
        door.scene.data().join("joins").join(format!("{}.decision.json", door.waiting()[0]["code"].as_str().expect("a code")));
    std::fs::remove_file(&decided).expect("it was decided");
    let once_more = door.agency(&["approve", &code]);
    assert!(once_more.status.success(), "{}", text(&once_more.stderr));
    let last = door.join(&invited, "xx.demo.clinic-99", &more).output().expect("it starts");
    assert!(last.status.success() && text(&last.stdout).contains("takes part"), "{}", text(&last.stderr));
    let registry = std::fs::read_to_string(door.scene.world().folder().join("registry.toml")).expect("there");
    let entry = registry.split("[[agency]]").find(|entry| entry.contains("clinic-99")).expect("it is there");
    assert!(entry.contains("test = true") && entry.contains("url = \"outbound\""), "{entry}");
    door.gateway.stop();
}

#[test]
fn nobody_gets_in_who_is_not_meant() {
    let door = Door::new();
    let config = std::fs::read_to_string(door.scene.config()).expect("there");
    let address = config.split("[public]").nth(1).and_then(|rest| rest.split('"').nth(1)).expect("an address").to_owned();
    let nowhere = (format!("http://{address}"), "0".repeat(64));
    // The authority is another one than the operator said.
    let (status, _, err) = ended(door.join(&nowhere, NEWCOMER, &["--no-wait"]).spawn().expect("it starts"));
    assert!(status == Some(6) && err.contains("do not go on"), "{err}");
    let pem = std::fs::read_to_string(door.scene.world().folder().join("certs/ca.pem")).expect("there");
    let der = oncegate::message::pki::pem_blocks(&pem, "CERTIFICATE").remove(0);
    let known = (nowhere.0, oncegate::message::crypto::sha256(&der).to_string());
    // The door is shut.
    let (_, _, err) = ended(door.join(&known, NEWCOMER, &["--no-wait"]).spawn().expect("it starts"));
    assert!(err.contains("OG-JOIN-002") && err.contains("oncegate agency invite"), "{err}");
    let invited = door.invite();
    assert_eq!(invited, known);
    // Turned away, with the reason.
    let (status, _, err) = ended(door.join(&invited, NEWCOMER, &["--no-wait"]).spawn().expect("it starts"));
    assert_eq!(status, Some(0), "{err}");
    let code = door.waiting()[0]["spoken"].as_str().expect("a code").to_owned();
    assert!(door.agency(&["turn-away", &code, "--reason", "not this region"]).status.success());
    let (status, _, err) = ended(door.join(&invited, NEWCOMER, &["--no-wait"]).spawn().expect("it starts"));
    assert!(status == Some(3) && err.contains("not this region"), "{err}");
    // The name of somebody who is there.
    let (_, _, _) = ended(door.join(&invited, "xx.demo.school-17", &["--no-wait"]).spawn().expect("it starts"));
    let found = door.waiting().into_iter().find(|found| found["agency"] == "xx.demo.school-17").expect("it waits");
    let taken = door.agency(&["approve", found["spoken"].as_str().expect("a code")]);
    assert!(!taken.status.success() && text(&taken.stderr).contains("already"), "{}", text(&taken.stderr));
    door.gateway.stop();
}

#[test]
fn what_is_sent_by_hand_is_read_within_limits_and_refused_with_a_code() {
    let door = Door::new();
    let (url, _) = door.invite();
    let said = |arguments: &[&str], path: &str| {
        let output = Command::new("curl").args(["-s", "--max-time", "30"]).args(arguments).arg(format!("{url}{path}")).output();
        text(&output.expect("curl").stdout)
    };
    let agency = oncegate::base::ids::AgencyId::parse("xx.demo.n").expect("a name");
    let (_, request) = make_request(&agency).expect("a request");
    let good = |name: &str| serde_json::json!({ "format": 1, "agency": "xx.demo.n", "name": name, "tlsRequest": request, "signRequest": request });
    let name = |chars: usize| good(&"n".repeat(chars)).to_string();
    let post =
        |body: &str| said(&["-H", "Accept: application/json", "-H", "Content-Type: application/json", "-d", body], "/v1/join");
    let mut many = good("n");
    many["holds"] = vec!["a"; limits::JOIN_HOLDS_MAX + 1].into();
    many["url"] = "outbound".into();
    let mut damaged = good("n");
    // Another key than the one that has signed it.
    let (_, other) = make_request(&agency).expect("a request");
    let (begin, end) = (request.len() / 2, other.len() / 2);
    damaged["signRequest"] = format!("{}{}", &request[..begin], &other[end..]).into();
    for (body, expected) in [
        ("nonsense".to_owned(), "OG-JOIN-001"),
        (name(limits::JOIN_NAME_CHARS_MAX + 1), "OG-JOIN-001"),
        (many.to_string(), "OG-JOIN-001"),
        (damaged.to_string(), "OG-JOIN-001"),
        ("x".repeat(limits::JOIN_BYTES_MAX + 1), "OG-HTTP-006"),
        (name(limits::JOIN_NAME_CHARS_MAX), "waiting"),
    ] {
        let said = post(&body);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(said(&[], &format!("/v1/join/{}", "0".repeat(64))).contains("OG-JOIN-004"));
    assert!(said(&[], "/v1/join/../../etc/passwd").contains("OG-HTTP-002"));
    assert!(said(&["-X", "DELETE"], "/v1/join").contains("OG-HTTP-003"));
    // One key for two things is not taken.
    let code = door.waiting()[0]["spoken"].as_str().expect("a code").to_owned();
    let output = door.agency(&["approve", &code]);
    assert!(text(&output.stderr).contains("one each"), "{}", text(&output.stderr));
    for number in 1..limits::JOINS_MAX {
        assert!(post(&good(&format!("n {number}")).to_string()).contains("waiting"), "{number}");
    }
    assert!(post(&good("one more").to_string()).contains("OG-JOIN-003"));
    assert!(!door.agency(&["invite", "--days", &(limits::JOIN_DAYS_MAX + 1).to_string()]).status.success());
    door.gateway.stop();
}
