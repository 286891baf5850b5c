//! What operators meet first: commands that change an installation, its names, and what a command says when it fails.

use crate::folder::Folder;
use crate::process::{Scene, answered, health, oncegate, refused};
use crate::tool::{SCHOOL, said};
use oncegate::base::ids::AgencyId;
use oncegate::host::config::Config;
use oncegate::program::demo::Behaviour;
use oncegate::program::setup::NewAgency;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(oncegate()).args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("it starts")
}

/// Runs the program and expects this exit status; gives all that it said.
fn ends(status: i32, folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    said
}

fn folder_of(scene: &Scene) -> &str {
    scene.world().folder().to_str().expect("UTF-8")
}

/// `agency suspend`, `grant`, `revoke-grant`, `sign` and `reload` tell the gateway that runs on the folder, and say so.
#[test]
fn a_command_that_changes_the_registry_tells_the_running_gateway() {
    let scene = Scene::new("");
    let office = folder_of(&scene).to_owned();
    let said = ends(0, scene.folder(), &["agency", "suspend", SCHOOL, "--in", &office]);
    assert!(said.contains("no gateway is running here"), "{said}");
    ends(0, scene.folder(), &["agency", "suspend", SCHOOL, "--lift", "--in", &office]);
    let gateway = scene.start();
    let client = scene.client();
    scene.block_on(answered(&client, &scene.request(&client, 0)));
    let said = ends(0, scene.folder(), &["agency", "suspend", SCHOOL, "--in", &office]);
    assert!(said.contains("the running gateway took it: registry version "), "{said}");
    let problem = scene.block_on(refused(&client, &scene.request(&client, 1)));
    assert_eq!(problem.status, 403, "{problem:?}");
    ends(0, scene.folder(), &["agency", "suspend", SCHOOL, "--lift", "--in", &office]);
    scene.block_on(answered(&client, &scene.request(&client, 2)));

    // A grant that is ended is no grant any more.
    let grants = ends(0, scene.folder(), &["agency", "grants", "--in", &office, "--json"]);
    let grants: Vec<serde_json::Value> = grants.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let is_ours = |grant: &&serde_json::Value| grant["what"] == "medical-absence-note" && grant["purpose"] == "school-attendance";
    let ours: Vec<&str> = grants.iter().filter(is_ours).filter_map(|grant| grant["id"].as_str()).collect();
    assert!(!ours.is_empty(), "{grants:?}");
    for grant in &ours {
        ends(0, scene.folder(), &["agency", "revoke-grant", grant, "--in", &office]);
        let said = ends(2, scene.folder(), &["agency", "revoke-grant", grant, "--in", &office]);
        assert!(said.contains("no grant is called"), "{said}");
    }
    let problem = scene.block_on(refused(&client, &scene.request(&client, 3)));
    assert!(problem.code.starts_with("OG-POL-"), "{problem:?}");
    let config = scene.config();
    let said = ends(0, scene.folder(), &["reload", "-c", config.to_str().expect("UTF-8")]);
    assert!(said.contains("is in force") && said.contains("certificates"), "{said}");

    // What the gateway does not take, it says, and the command ends badly.
    fs::write(scene.world().folder().join("certs/gateway.pem"), "nothing").expect("writable");
    let said = ends(1, scene.folder(), &["reload", "-c", config.to_str().expect("UTF-8")]);
    assert!(said.contains("did not take it") && said.contains("gateway.pem"), "{said}");
    gateway.kill();
    // The socket is still there.
    let said = ends(7, scene.folder(), &["reload", "-c", config.to_str().expect("UTF-8")]);
    assert!(said.contains("no gateway is running"), "{said}");
}

/// What a record says of a version of the registry must be what was in force.
#[test]
fn two_contents_of_the_registry_never_have_one_version() {
    let scene = Scene::new("");
    let office = folder_of(&scene).to_owned();
    let file = scene.world().folder().join("registry.toml");
    let mut gateway = scene.start();
    let version = || health(&scene).expect("it is there").1["registryVersion"].as_u64().expect("a number");
    let first = version();
    let (text, signature) = (fs::read_to_string(&file).expect("readable"), file.with_extension("sig"));
    let signed = fs::read_to_string(&signature).expect("readable");
    // By hand, under the same version: a command raises it.
    fs::write(&file, format!("{text}# changed by hand\n")).expect("writable");
    let said = ends(0, scene.folder(), &["agency", "sign", "--in", &office]);
    assert!(said.contains(&format!("so this is version {}", first + 1)), "{said}");
    assert_eq!(version(), first + 1);
    // Signed elsewhere, it is refused, and what was in force stays in force.
    let raised = fs::read_to_string(&file).expect("readable");
    let key = fs::read_to_string(scene.world().folder().join("authority/registry.key")).expect("readable");
    let other = format!("{raised}# and again\n");
    fs::write(&file, &other).expect("writable");
    fs::write(&signature, oncegate::host::authority::sign_registry(&other, &key).expect("signed")).expect("writable");
    gateway.signal("HUP");
    let line = gateway.says("the registry was not read again");
    assert!(line.contains(&format!("not that of version {}, which is in force", first + 1)), "{line}");
    // Over a restart as well; and an older one stays refused.
    gateway.kill();
    let said = scene.refuses_to_start();
    assert!(said.contains("OG-CFG-002") && said.contains("raise the version"), "{said}");
    fs::write(&file, &text).expect("writable");
    fs::write(&signature, &signed).expect("writable");
    fs::remove_file(scene.data().join("registry")).expect("it was remembered");
    scene.start().stop();
}

/// Each figure of a quota is what it says, or is refused; and each grant has a name of its own.
#[test]
fn an_ambiguous_registry_is_refused_and_a_pattern_for_nobody_warned_about() {
    let folder = Folder::new();
    let path = folder.path();
    ends(0, path, &["init", "office"]);
    ends(0, path, &["agency", "add", "xx.school-1", "--name", "School", "--in", "office"]);
    let said =
        ends(2, path, &["agency", "add", "xx.school-2", "--name", "School", "--requests-per-minute", "0", "--in", "office"]);
    assert!(said.contains("requests_per_minute = 0: the least is 1"), "{said}");
    let grant = |id: &'static str, who: &'static str| {
        let mut arguments = vec!["agency", "grant", id, "--who", who, "--what", "medical-absence-note", "--purpose", "p"];
        arguments.extend(["--basis", "XX:1", "--until", "2099-12-31", "--in", "office"]);
        arguments
    };
    ends(0, path, &grant("g", "xx.school-*"));
    let said = ends(2, path, &grant("g", "xx.school-1"));
    assert!(said.contains("the grant g is given twice"), "{said}");
    ends(0, path, &grant("h", "xx.*.school-*"));
    let said = ends(0, path, &["check", "-c", "office/oncegate.toml"]);
    assert!(said.contains("warn  grant h is for xx.*.school-*, and no registered agency has a name like that"), "{said}");
    let said = ends(0, path, &["agency", "grants", "--in", "office"]);
    assert!(said.contains("xx.school-* may read medical-absence-note for p on XX:1 until 2099-12-31"), "{said}");
}

#[test]
fn a_new_gateway_is_reached_by_its_host_and_its_log_has_a_name_of_its_own() {
    let folder = Folder::new();
    let path = folder.path();
    let first = ends(0, path, &["init", "a", "--host", "gateway.example", "--listen", "0.0.0.0:8443"]);
    assert!(first.contains("log gateway.example/audit/"), "{first}");
    ends(0, path, &["init", "b", "--host", "gateway.example", "--origin", "log.example/2027"]);
    ends(0, path, &["init", "c"]);
    ends(0, path, &["init", "d", "--host", "2001:db8::1"]);
    let key = |office: &str| ends(0, path, &["log", "key", "-c", &format!("{office}/oncegate.toml")]);
    let name = |office: &str| key(office).split('+').next().map(str::to_owned).expect("a name");
    assert!(name("a").starts_with("gateway.example/audit/"));
    assert_eq!(name("b"), "log.example/2027");
    assert!(name("c").starts_with("oncegate/audit/") && name("c").len() > "oncegate/audit/".len());
    for (office, url) in
        [("a", "https://gateway.example:8443"), ("c", "https://127.0.0.1:8443"), ("d", "https://[2001:db8::1]:8443")]
    {
        let said = ends(0, path, &["agency", "add", "xx.school-1", "--name", "School", "--in", office]);
        assert!(said.contains(&format!("gateway = \"{url}\"")), "{said}");
    }
    let said = ends(2, path, &["init", "e", "--origin", "two words"]);
    assert!(said.contains("without spaces"), "{said}");
    assert!(!path.join("e/oncegate.toml").exists());
}

/// An answer that takes longer than one wait is fetched, by `ask` itself and by `answer` afterwards.
#[test]
fn an_answer_that_comes_late_is_waited_for_and_can_be_fetched_later() {
    let scene = Scene::new("[limits]\nwait_ms = 1\n");
    let gateway = scene.start();
    let agency = scene.world().agency_folder(SCHOOL);
    let agency = agency.to_str().expect("UTF-8");
    let person = |behaviour: Behaviour| {
        let person = scene.world().people().get(behaviour.household() as usize * 4).expect("a person");
        let subject = person.subject();
        let id = subject.identifiers.first().expect("an identifier");
        format!("{}:{}", id.scheme(), id.value())
    };
    let late = person(Behaviour::Later);
    let ask = ["ask", "medical-absence-note", "--of", &late, "--for", "school-attendance", "--as", agency];
    let said = ends(0, scene.folder(), &ask);
    assert!(said.starts_with("medical-absence-note from"), "{said}");
    let late = person(Behaviour::Slow);
    let ask = ["ask", "medical-absence-note", "--of", &late, "--for", "school-attendance", "--as", agency];
    let said = ends(7, scene.folder(), &[&ask[..], &["--wait", "1"]].concat());
    let id = said.split("oncegate answer ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a command").to_owned();
    let said = ends(7, scene.folder(), &["answer", &id, "--as", agency, "--json"]);
    let told: serde_json::Value = serde_json::from_str(said.lines().next().expect("a line")).expect("JSON");
    assert!(told["exit"] == 7 && told["error"].as_str().is_some_and(|error| error.starts_with("no answer")), "{said}");
    ends(2, scene.folder(), &["answer", "nothing", "--as", agency]);
    gateway.kill();
}

#[test]
fn a_failure_is_told_as_json_where_json_is_asked_for() {
    let folder = Folder::new();
    let said = ends(2, folder.path(), &["check", "-c", "nowhere.toml", "--json"]);
    let told: serde_json::Value = serde_json::from_str(said.lines().next().expect("a line")).expect("JSON");
    assert!(told["format"] == 1 && told["exit"] == 2 && told["error"].as_str().is_some(), "{said}");
    assert!(ends(0, folder.path(), &["faults", "og-rte-003"]).starts_with("OG-RTE-003"));
    fs::write(folder.path().join("text"), "no receipt\n").expect("writable");
    let key = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let said = ends(2, folder.path(), &["log", "verify", "text", "--key", key]);
    assert!(said.contains("neither a receipt"), "{said}");
}

/// Nothing found is said; more than may be asked for is not cut in silence.
#[test]
fn an_empty_search_says_so_and_a_limit_above_the_bound_is_refused() {
    let scene = Scene::new("");
    let gateway = scene.start();
    let client = scene.client();
    scene.block_on(answered(&client, &scene.request(&client, 0)));
    let agency = scene.world().agency_folder(SCHOOL);
    let agency = agency.to_str().expect("UTF-8");
    let said = ends(0, scene.folder(), &["log", "search", "--as", agency, "--document", "birth-certificate"]);
    assert!(said.contains("no record matches"), "{said}");
    let said = ends(2, scene.folder(), &["log", "search", "--as", agency, "--limit", "1001"]);
    assert!(said.contains("--limit is 1 to 1000"), "{said}");
    ends(0, scene.folder(), &["log", "search", "--as", agency, "--limit", "1000"]);
    gateway.stop();
}

/// Who may ask what, and at which rule each grant fails: without a gateway, and as the gateway decides.
#[test]
fn policy_explain_names_the_rule_that_each_grant_fails_at() {
    let folder = Folder::new();
    let path = folder.path();
    ends(0, path, &["init", "office"]);
    ends(0, path, &["agency", "add", "xx.school-1", "--name", "School", "--in", "office"]);
    let grant = |id: &'static str, purpose: &'static str, until: &'static str| {
        let mut arguments = vec!["agency", "grant", id, "--who", "xx.school-*", "--what", "medical-absence-note", "--purpose"];
        arguments.extend([purpose, "--basis", "XX:1", "--until", until, "--field", "School", "--in", "office"]);
        ends(0, path, &arguments);
    };
    let explain = |status: i32, more: &[&str]| {
        let asked = ["policy", "explain", "-c", "office/oncegate.toml", "--who", "xx.school-1", "--what", "medical-absence-note"];
        ends(status, path, &[&asked[..], more].concat())
    };
    let said = explain(3, &["--for", "attendance"]);
    assert!(said.contains("OG-POL-001"), "{said}");
    grant("old", "attendance", "2020-12-31");
    grant("statistics", "statistics", "2099-12-31");
    let said = explain(3, &["--for", "attendance"]);
    assert!(said.contains("OG-POL-004 the grant old ended on 2020-12-31") && said.contains("OG-POL-002"), "{said}");
    grant("new", "attendance", "2099-12-31");
    let said = explain(3, &["--for", "attendance"]);
    assert!(said.contains("permits  new") && said.contains("no agency holds"), "{said}");
    let clinic =
        ["agency", "add", "xx.clinic-1", "--name", "C", "--url", "https://localhost:9/", "--holds", "medical-absence-note"];
    ends(0, path, &[&clinic[..], &["--in", "office"]].concat());
    let said = explain(0, &["--for", "attendance", "--json"]);
    assert!(said.contains("\"verdict\":\"permits\"") && said.contains("permitted by new; 1 active holders"), "{said}");
    let said = explain(3, &["--for", "attendance", "--basis", "XX:2"]);
    assert!(said.contains("OG-POL-003"), "{said}");
    let said = explain(3, &["--for", "attendance", "--select", "Diagnosis"]);
    assert!(said.contains("OG-POL-011") && said.contains("does not give Diagnosis"), "{said}");
    ends(0, path, &["agency", "suspend", "xx.school-1", "--in", "office"]);
    let said = explain(3, &["--for", "attendance"]);
    assert!(said.contains("OG-TLS-002"), "{said}");
}

/// Before a registry is put in force, its curator sees what it breaks, and who would have noticed.
#[test]
fn registry_diff_says_what_a_change_breaks_and_who_used_it() {
    let scene = Scene::prepared("", &|installation| {
        let config = Config::load(&installation.config()).expect("a configuration");
        let id = AgencyId::parse("xx.demo.court").expect("a name");
        let more = "roles = [\"auditor\"]\n";
        let court = NewAgency { id: &id, name: "Court", url: None, holds: &[], more };
        installation.add_agency(&court, &format!("https://{}", config.exchange.listen)).expect("added");
    });
    let gateway = scene.start();
    let client = scene.client();
    for number in 0..3 {
        scene.block_on(answered(&client, &scene.request(&client, number)));
    }
    let old = scene.world().folder().join("registry.toml");
    let text = fs::read_to_string(&old).expect("readable");
    let registry = oncegate::rules::registry::Registry::check(&text, &oncegate::message::schema::Schemas::built_in());
    let registry = registry.expect("a registry");
    let used = registry.grants().find(|grant| grant.purpose.as_str() == "school-attendance").expect("a grant").id.to_string();
    let copy = scene.folder().join("new.toml");
    let line = text.lines().find(|line| *line == format!("id = \"{used}\"")).expect("its line");
    fs::write(&copy, text.replacen(line, &format!("{line}\nper_minute = 1"), 1)).expect("writable");
    let auditor = scene.world().agency_folder("xx.demo.court");
    let diff = |more: &[&str]| {
        let files = ["registry", "diff", old.to_str().expect("UTF-8"), copy.to_str().expect("UTF-8")];
        ends(0, scene.folder(), &[&files[..], more].concat())
    };
    let said = diff(&["--as", auditor.to_str().expect("UTF-8")]);
    assert!(said.contains("narrows  grant") && said.contains("used 3 times in 30 days by xx.demo.school-17"), "{said}");
    fs::write(&copy, text.replacen("id = \"xx.demo.school-17\"\n", "id = \"xx.demo.school-17\"\nsuspended = true\n", 1))
        .expect("writable");
    let said = diff(&["--as", auditor.to_str().expect("UTF-8"), "--json"]);
    assert!(said.contains("\"effect\":\"breaks\"") && said.contains("\"requests\":3"), "{said}");
    assert!(diff(&[]).contains("is suspended: it can ask nothing"));
    fs::write(&copy, &text).expect("writable");
    assert!(diff(&[]).contains("nothing changes"));
    gateway.stop();
}
