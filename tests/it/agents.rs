//! Agencies that become holders from a table: the page as a user pastes it, a database that is restarted, a file that is edited.

use crate::folder::Folder;
use crate::postgres::{PASSWORD, Postgres, Stop};
use crate::process::{LONG, oncegate};
use crate::tool::{free_port, root, said};
use oncegate::base::ids::{Code, Identifier};
use oncegate::faces::client::Client;
use oncegate::message::envelope::{Ask, Context, Subject, World};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The fenced blocks of the page's first part, by kind.
fn blocks(kind: &str) -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/agent.md")).expect("the page");
    let (_, part) = page.split_once("## From a spreadsheet to a signed answer").expect("its part");
    let part = part.split("\n## ").next().expect("its end").to_owned();
    let fence = format!("```{kind}\n");
    part.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An installation with a clinic that comes for its questions, and a school that may ask; its gateway runs.
struct Office {
    folder: Folder,
    gateway: Option<Running>,
    agent: Option<Running>,
}

const CLINIC: &str = "xx.office.clinic-3";
const ASK: &str = "oncegate ask medical-absence-note --of XX-OGTEST:99000000136 --for school-attendance --as xx.office.school-1";

impl Office {
    fn new() -> Self {
        Self::at("127.0.0.1")
    }

    fn at(host: &str) -> Self {
        let mut this = Self { folder: Folder::new(), gateway: None, agent: None };
        let (exchange, public) = (free_port(), free_port());
        this.done(&format!("oncegate init . --listen {host}:{exchange} --public 127.0.0.1:{public} --host {host}"));
        this.done(&format!("oncegate agency add {CLINIC} --name \"Clinic 3\" --url outbound --holds medical-absence-note"));
        this.done("oncegate agency add xx.office.school-1 --name \"School 1\"");
        this.done(
            "oncegate agency grant school-reads-absence --who 'xx.office.school-*' --what medical-absence-note \
             --purpose school-attendance --basis XX:HEALTH:13 --field Absence --until 2099-12-31",
        );
        this.gateway = Some(this.start("oncegate run"));
        let start = Instant::now();
        while std::net::TcpStream::connect((host, exchange)).is_err() {
            assert!(start.elapsed() < LONG, "the gateway does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        this
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn clinic(&self, file: &str) -> PathBuf {
        self.path().join("agencies").join(CLINIC).join(file)
    }

    fn shell(&self, line: &str) -> Command {
        let programs = Path::new(oncegate()).parent().expect("a folder");
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(self.path()).env("PATH", path).stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.shell(line).output().expect("bash starts")
    }

    fn done(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}\n{}", said(&output));
        said(&output)
    }

    fn start(&self, line: &str) -> Running {
        let lines = fs::OpenOptions::new().create(true).append(true).open(self.path().join("lines")).expect("a file");
        let mut command = self.shell(&format!("exec {line}"));
        Running(command.stdout(Stdio::null()).stderr(lines).spawn().expect("it starts"))
    }

    fn start_agent(&mut self) {
        self.agent = Some(self.start(&format!("oncegate agent run {CLINIC}")));
    }

    fn lines(&self) -> String {
        fs::read_to_string(self.path().join("lines")).unwrap_or_default()
    }

    /// Asks until the answer has these words.
    fn asked_until(&self, words: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let answer = said(&self.run(ASK));
            if words.iter().all(|word| answer.contains(word)) {
                return answer;
            }
            assert!(start.elapsed() < LONG, "not {words:?}: {answer}\n{}", self.lines());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Makes an agent that holds what the page's part "Yes or no" says; of one of two people the day of birth is not known.
    fn says_yes_or_no(&self) {
        let table = blocks("csv").concat().replace("01.09.2015", "01.09.2001").replace("14.02.2014", "");
        fs::write(self.path().join("notes.csv"), table).expect("written");
        let agent = "format = 1\n[agency]\nname = \"Clinic 3\"\nidentifier = \"XX-OGTEST:99000090090\"\n[source.notes]\nkind = \"csv\"\n\
            file = \"../../notes.csv\"\nseparator = \";\"\n[[hold]]\nsource = \"notes\"\nmap = \"adult.toml\"\n";
        fs::write(self.clinic("agent.toml"), agent).expect("written");
        fs::write(self.clinic("adult.toml"), yes_or_no()).expect("written");
    }

    /// Makes the agent of the page's spreadsheet, corrected as the page says.
    fn draft(&self) {
        fs::write(self.path().join("notes.csv"), blocks("csv").concat()).expect("written");
        let commands = blocks("sh").concat();
        self.done(commands.lines().find(|line| line.contains(" agent new ")).expect("the page makes a draft"));
        self.correct(&blocks("toml").concat());
    }

    /// Puts lines of the page in the place of those for the same paths.
    fn correct(&self, lines: &str) {
        let file = self.clinic("medical-absence-note.toml");
        let mut map = fs::read_to_string(&file).expect("a mapping");
        for line in lines.lines() {
            let (path, _) = line.split_once(" =").expect("a line of a mapping");
            let old = map.lines().find(|old| old.starts_with(path)).expect("the draft has the path").to_owned();
            assert!(old.contains("todo"), "the page corrects what asks for it: {old}");
            map = map.replace(&old, line);
        }
        fs::write(file, map).expect("written");
    }
}

/// What the page says, pasted line by line; then the spreadsheet is edited, spoilt and mended while the agent runs.
#[test]
fn from_a_spreadsheet_to_a_signed_answer_as_the_page_says() {
    let mut office = Office::new();
    let commands = blocks("sh").concat();
    let commands: Vec<&str> = commands.lines().collect();
    assert!((1..=6).contains(&commands.len()), "{commands:?}");
    let table = blocks("csv").concat();
    fs::write(office.path().join("notes.csv"), &table).expect("written");
    let start = Instant::now();
    for command in &commands {
        if command.contains(" agent run ") {
            office.agent = Some(office.start(command));
            continue;
        }
        if command.contains(" agent check ") {
            let refused = office.run(command);
            assert_eq!(refused.status.code(), Some(2), "a todo is refused: {}", said(&refused));
            assert_eq!(said(&refused).matches("OG-AGT-004").count(), 3, "{}", said(&refused));
            office.correct(&blocks("toml").concat());
        }
        let told = if command.starts_with("oncegate ask") {
            office.asked_until(&["Absence/From", "2026-03-02"])
        } else {
            office.done(command)
        };
        assert!(!told.contains("Petrov") && (command.contains(" ask ") || !told.contains("Иванова")), "{command}: {told}");
    }
    println!("from a spreadsheet to a signed answer: {:.1} s, {} commands", start.elapsed().as_secs_f64(), commands.len());
    let answer = office.asked_until(&["log "]);
    assert!(answer.contains("Иванова") && !answer.contains("J06.9"), "the diagnosis is granted to nobody: {answer}");

    let put = |text: &str| {
        fs::write(office.path().join("notes.new"), text).expect("written");
        fs::rename(office.path().join("notes.new"), office.path().join("notes.csv")).expect("renamed");
    };
    put(&table.replace("06.03.2026;5;1;09.03.2026", "05.03.2026;4;1;06.03.2026"));
    office.asked_until(&["2026-03-05"]);
    put(&table.replace("N-18;", "N-18;\"never closed;"));
    let start = Instant::now();
    while !office.lines().contains("OG-AGT-006") {
        assert!(start.elapsed() < LONG, "{}", office.lines());
        std::thread::sleep(Duration::from_millis(50));
    }
    office.asked_until(&["2026-03-05"]);
    put(&table.replace("99000000136", "99000000245"));
    let gone = office.asked_until(&["there is no record"]);
    assert!(gone.contains("signed"), "{gone}");
    assert!(!office.lines().contains("Иванова") && !office.lines().contains("99000000136"), "{}", office.lines());
}

/// The same from a database that is restarted in between, and stopped: an outage is never "there is none".
#[test]
fn from_a_database_to_a_signed_answer_with_a_restart_in_between() {
    let mut server = Postgres::start();
    server.sql(
        "CREATE TABLE notes (id text, insurance_no text, family text, given text, signed timestamptz, begins date, ends date, days int, secret text); \
         INSERT INTO notes VALUES ('N-17', '99000000136', 'Иванова', 'Анна', '2026-03-02T07:00Z', '2026-03-02', '2026-03-06', 5, 'Planted'); \
         CREATE VIEW absence AS SELECT id, insurance_no, family, given, to_char(signed AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS signed, begins, ends, days FROM notes; \
         CREATE ROLE agent LOGIN; GRANT SELECT ON absence TO agent;",
    );
    server.sql(&format!("ALTER ROLE agent PASSWORD '{PASSWORD}'"));
    let mut office = Office::new();
    let password = office.clinic("password");
    fs::write(&password, PASSWORD).expect("written");
    fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    let agent = format!(
        "format = 1\n[agency]\nname = \"Clinic 3\"\nidentifier = \"XX-OGTEST:99000090090\"\n[source.notes]\nkind = \"postgres\"\naddress = \"{}\"\n\
         database = \"postgres\"\nuser = \"agent\"\npassword_file = \"password\"\n[[hold]]\nsource = \"notes\"\nmap = \"notes.toml\"\nquery = \"notes.sql\"\n",
        server.address()
    );
    let map = "format = 1\ndocument = \"medical-absence-note\"\nperson = { column = \"insurance_no\", scheme = \"XX-OGTEST\" }\n[map]\n\
        \"Head/DocumentId\" = { column = \"id\", as = \"document-id\" }\n\"Head/Issuer\" = { agency = true }\n\
        \"Head/IssuedAt\" = { column = \"signed\", as = \"instant\" }\n\"Head/Status\" = { text = \"in-force\" }\n\
        \"Patient/Id\" = { column = \"insurance_no\", as = \"id\", scheme = \"XX-OGTEST\" }\n\"Patient/Name/Family\" = \"family\"\n\
        \"Patient/Name/Given\" = \"given\"\n\"Absence/From\" = { column = \"begins\", as = \"day\" }\n\"Absence/To\" = { column = \"ends\", as = \"day\" }\n\
        \"Days\" = { column = \"days\", as = \"integer\" }\n\"Reason\" = { text = \"illness\" }\n\"FirstOrFollowUp\" = { text = \"first\" }\n\
        \"MayReturnOn\" = { column = \"ends\", as = \"day\" }\n";
    fs::write(office.clinic("agent.toml"), agent).expect("written");
    fs::write(office.clinic("notes.toml"), map).expect("written");
    fs::write(office.clinic("notes.sql"), "SELECT * FROM absence WHERE insurance_no = :value\n").expect("written");
    let checked = office.done(&format!("oncegate agent check {CLINIC} --pin"));
    assert!(checked.contains("sha256:"), "{checked}");
    office.start_agent();
    office.asked_until(&["2026-03-06", "Иванова"]);
    server.restart(Stop::Immediate, &[]);
    office.asked_until(&["2026-03-06"]);
    server.sql("DROP VIEW absence; CREATE VIEW absence AS SELECT id, insurance_no, family, given, begins, ends, days FROM notes; GRANT SELECT ON absence TO agent");
    office.asked_until(&["OG-SRC-005"]);
    server.sql("DROP VIEW absence");
    let away = office.asked_until(&["OG-SRC-"]);
    assert!(!away.contains("states, signed"), "{away}");
    drop(server);
    let away = office.asked_until(&["OG-SRC-001"]);
    assert!(!away.contains("states, signed"), "{away}");
    assert!(!office.lines().contains("Planted") && !office.lines().contains("Иванова"), "{}", office.lines());
}

/// A network of its own from which one can go out, and into which nobody comes: a name space with a filter, and a cable to it.
struct Outbound {
    name: String,
    outside: String,
    inside: String,
}

impl Outbound {
    fn new() -> Self {
        let number = std::process::id() % 60_000;
        let (name, third) = (format!("og{number}"), number % 250);
        let this = Self { outside: format!("10.213.{third}.1"), inside: format!("10.213.{third}.2"), name };
        let Self { name, outside, inside } = &this;
        for line in [
            format!("ip netns add {name}"),
            format!("ip link add {name}a type veth peer name {name}b"),
            format!("ip link set {name}b netns {name}"),
            format!("ip addr add {outside}/30 dev {name}a"),
            format!("ip link set {name}a up"),
            format!("ip netns exec {name} ip addr add {inside}/30 dev {name}b"),
            format!("ip netns exec {name} ip link set {name}b up"),
            format!("ip netns exec {name} ip link set lo up"),
            format!(
                "ip netns exec {name} nft 'add table inet f; add chain inet f input {{ type filter hook input priority 0; policy drop; }}; \
                 add rule inet f input ct state established,related accept; add rule inet f input iif lo accept'"
            ),
        ] {
            let done = Command::new("bash").args(["-c", &line]).output().expect("bash starts");
            assert!(done.status.success(), "{line}: {}", said(&done));
        }
        this
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        for line in [format!("ip link del {}a", self.name), format!("ip netns del {}", self.name)] {
            let _ = Command::new("bash").args(["-c", &line]).output();
        }
    }
}

/// The agency's machine can reach the gateway, and nobody can reach the agency's machine.
#[test]
fn an_agency_without_any_inbound_port_holds_and_asks() {
    if !rustix::process::getuid().is_root() {
        println!("not tried: only root can make networks");
        return;
    }
    let network = Outbound::new();
    let mut office = Office::at(&network.outside);
    let inside = format!("ip netns exec {}", network.name);
    office.draft();
    office.agent = Some(office.start(&format!("{inside} oncegate agent run {CLINIC}")));
    let start = Instant::now();
    loop {
        let answer = said(&office.run(&format!("{inside} {ASK}")));
        if answer.contains("2026-03-06") {
            break;
        }
        assert!(start.elapsed() < LONG, "{answer}\n{}", office.lines());
        std::thread::sleep(Duration::from_millis(100));
    }
    let ports = office.done(&format!("{inside} ss -H -ltn"));
    assert_eq!(ports.lines().filter(|line| line.contains("LISTEN")).count(), 0, "{ports}");
    let address = format!("{}:9443", network.inside).parse().expect("an address");
    let knocked = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300));
    assert!(knocked.is_err(), "nobody gets in");
}

/// Whom the table has a record of, and whom it has none of.
const PERSONS: &str = "--found XX-OGTEST:99000000136 --found XX-OGTEST:99000000245 --none XX-OGTEST:99000000354";

/// The operator's twenty checks, of an agency that nobody has programmed and that has no port.
#[test]
fn an_agency_with_a_spreadsheet_and_no_port_holds_all_twenty_checks() {
    let mut office = Office::new();
    office.draft();
    office.start_agent();
    office.asked_until(&["2026-03-06"]);
    let run = office.done(&format!("oncegate agency test {CLINIC} {PERSONS}"));
    assert!(run.contains("medical-absence-note: 20 of 20"), "{run}");
    assert_eq!(run.matches("it has no port, so nobody but the gateway reaches it").count(), 4, "{run}");
    for value in ["Petrov", "Иванова", "99000000136", "99000000245", "99000000354", "J06.9"] {
        assert!(!run.contains(value) && !office.lines().contains(value), "{value}: {run}\n{}", office.lines());
    }
    let refused = said(&office.run(&format!("oncegate agency go-live {CLINIC}")));
    assert!(refused.contains("is live already"), "{refused}");
}

/// A desk at a port, and one at a socket: one person, many, and whoever may not ask.
#[test]
fn own_systems_ask_at_the_desk_in_json_and_nobody_else_does() {
    let mut office = Office::new();
    office.draft();
    office.start_agent();
    office.asked_until(&["2026-03-06"]);
    let port = free_port();
    let school = office.path().join("agencies/xx.office.school-1");
    fs::write(school.join("token"), "a-token-of-the-school-17\n").expect("written");
    fs::set_permissions(school.join("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    let agent = format!("format = 1\n[agency]\nname = \"School 1\"\n[desk]\nlisten = \"127.0.0.1:{port}\"\ntoken = \"token\"\n");
    fs::write(school.join("agent.toml"), &agent).expect("written");
    let _desk = office.start("oncegate agent run xx.office.school-1");
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < LONG, "{}", office.lines());
        std::thread::sleep(Duration::from_millis(20));
    }
    let curl = |more: &str, of: &str| {
        let ask = format!("{{\"document\":\"medical-absence-note\",\"of\":{of},\"for\":\"school-attendance\"}}");
        let line = format!("curl -s -w '%{{http_code}}' {more} http://127.0.0.1:{port}/ask -d '{ask}'");
        said(&office.run(&line))
    };
    let token = "-H 'Authorization: Bearer a-token-of-the-school-17'";
    let one = curl(token, "\"XX-OGTEST:99000000136\"");
    assert!(one.contains("200") && one.contains("\"outcome\":\"documents\""), "{one}");
    assert!(one.contains("\"Id\":[{\"@scheme\":\"XX-OGTEST\",\"value\":\"99000000136\"}]"), "what may recur is a list: {one}");
    assert!(one.find("\"Absence\"") < one.find("\"Days\""), "in the order of the schema: {one}");
    let nobody = curl(token, "\"XX-OGTEST:99000000354\"");
    assert!(nobody.contains("\"outcome\":\"no_record\"") && nobody.contains("404"), "{nobody}");
    let many = curl(token, "[\"XX-OGTEST:99000000136\",\"XX-OGTEST:99000000245\"]");
    assert_eq!(many.lines().filter(|line| line.contains("\"outcome\":\"documents\"")).count(), 2, "{many}");
    assert!(many.contains("{\"done\":2}"), "{many}");
    for program in ["bash ask.sh", "python3 ask.py", "node ask.js", "java Ask.java", "php ask.php"] {
        let (runtime, file) = program.split_once(' ').expect("two words");
        let example = root().join("examples/desk").join(file);
        assert!(fs::read_to_string(&example).expect("an example").lines().count() < 15, "{file}");
        let line = format!(
            "{runtime} {} {port} {} medical-absence-note XX-OGTEST:99000000136 school-attendance",
            example.display(),
            school.join("token").display()
        );
        let told = said(&office.run(&line));
        assert!(told.contains("documents") && told.contains("2026-03-06"), "{line}: {told}");
    }
    let too_many = format!("[{}]", vec!["\"XX-OGTEST:99000000136\""; oncegate::base::limits::DESK_PERSONS_MAX + 1].join(","));
    fs::write(office.path().join("many"), format!("{{\"document\":\"x\",\"of\":{too_many},\"for\":\"y\",\"basis\":\"XX:1\"}}"))
        .expect("written");
    let refused = said(&office.run(&format!("curl -s {token} http://127.0.0.1:{port}/ask -d @many")));
    assert!(refused.contains("OG-DSK-003"), "{refused}");
    for (more, why) in [
        ("", "no token"),
        ("-H 'Authorization: Bearer a-token-of-the-school-18'", "another"),
        (&format!("{token} -H 'Host: evil.example'"), "another host"),
    ] {
        let refused = curl(more, "\"XX-OGTEST:99000000136\"");
        assert!(refused.contains("OG-DSK-001") && refused.contains("401"), "{why}: {refused}");
    }
    says_who_asks(&office, &curl, (token, port));
    let wrong = curl(token, "17");
    assert!(wrong.contains("OG-DSK-002"), "{wrong}");
    let kept = fs::read_dir(school.join("kept/answers")).expect("a folder").count();
    assert!(kept >= 3, "answers are kept: {kept}");
    let file = one.split("\"file\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a file");
    office.done(&format!("oncegate verify {file} --authorities agencies/xx.office.school-1/ca.pem"));
    assert!(!office.lines().contains("99000000136"), "{}", office.lines());
}

/// Who asks at the desk, and in which case, is on record; and the desk describes itself.
fn says_who_asks(office: &Office, curl: &dyn Fn(&str, &str) -> String, (token, port): (&str, u16)) {
    let by = |by: &str| curl(token, &format!("\"XX-OGTEST:99000000136\",\"by\":{by}"));
    let asked =
        by("{\"official\":\"XX-OGTEST:99000000463\",\"role\":\"clerk\",\"case\":\"01990a5c-0000-7000-8000-000000000001\"}");
    let index = asked.split("\"log_index\":").nth(1).and_then(|rest| rest.split(',').next()).expect("a record");
    let record = office.done(&format!("oncegate log show {index} --as agencies/xx.office.school-1"));
    assert!(record.contains("01990a5c-0000-7000-8000-000000000001"), "{record}");
    for wrong in ["{\"official\":\"XX-OGTEST:99000000463\"}", "{\"case\":\"17\"}", "{\"clerk\":\"x\"}"] {
        assert!(by(wrong).contains("OG-DSK-002"), "{wrong}");
    }
    let described = office.run(&format!("curl -s {token} http://127.0.0.1:{port}/openapi.json")).stdout;
    assert_eq!(String::from_utf8_lossy(&described), oncegate::faces::agent::OPENAPI);
}

/// At a socket the kernel says who asks.
#[test]
fn at_a_socket_whoever_is_not_listed_gets_nothing() {
    let office = Office::new();
    let school = office.path().join("agencies/xx.office.school-1");
    let own = rustix::process::getuid().as_raw();
    for (users, expected) in [(own, "OG-POL-001"), (own + 1, "OG-DSK-001")] {
        let agent =
            format!("format = 1\n[agency]\nname = \"School 1\"\n[desk]\nlisten = \"unix:desk.sock\"\nusers = [{users}]\n");
        fs::write(school.join("agent.toml"), &agent).expect("written");
        let _desk = office.start("oncegate agent run xx.office.school-1");
        let ask = "{\"document\":\"birth-certificate\",\"of\":\"XX-OGTEST:99000000136\",\"for\":\"curiosity\"}";
        let line = format!("curl -s --unix-socket {}/desk.sock http://desk/ask -d '{ask}'", school.display());
        let start = Instant::now();
        let mut told = String::new();
        while !told.contains("OG-") {
            assert!(start.elapsed() < LONG, "{told} {}", office.lines());
            told = said(&office.run(&line));
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(told.contains(expected), "{users}: {told}");
    }
}

/// Where the gateway asks at a port, nobody else is answered there: an agency's certificate is no gateway's, whatever host it is for.
#[test]
fn at_a_port_the_gateway_is_answered_and_no_agency() {
    let mut office = Office::new();
    let port = free_port();
    let clinic = "xx.office.clinic-9";
    office.done(&format!(
        "oncegate agency add {clinic} --name \"Clinic 9\" --url https://127.0.0.1:{port}/ --holds medical-absence-note"
    ));
    fs::write(office.path().join("notes.csv"), blocks("csv").concat()).expect("written");
    let draft = blocks("sh").concat();
    let draft = draft.lines().find(|line| line.contains(" agent new ")).expect("the page makes a draft").replace(CLINIC, clinic);
    office.done(&draft);
    let folder = office.path().join("agencies").join(clinic);
    let agent = fs::read_to_string(folder.join("agent.toml")).expect("a file");
    let agent = agent.replace("holds = \"outbound\"", &format!("holds = \"127.0.0.1:{port}\""));
    fs::write(folder.join("agent.toml"), agent).expect("written");
    let map = fs::read_to_string(folder.join("medical-absence-note.toml")).expect("a mapping");
    let map: Vec<String> = map.lines().filter(|line| !line.contains("todo")).map(str::to_owned).collect();
    fs::write(folder.join("medical-absence-note.toml"), format!("{}\n{}", map.join("\n"), blocks("toml").concat()))
        .expect("written");
    office.agent = Some(office.start(&format!("oncegate agent run {clinic}")));
    let start = Instant::now();
    loop {
        let answer = said(&office.run(&format!("{ASK} --to {clinic}")));
        if answer.contains("2026-03-06") && answer.contains(clinic) {
            break;
        }
        assert!(start.elapsed() < LONG, "{answer}\n{}", office.lines());
        std::thread::sleep(Duration::from_millis(100));
    }
    let school = "agencies/xx.office.school-1";
    let stranger = said(&office.run(&format!(
        "curl -s -w '%{{http_code}}' --cacert {school}/ca.pem --cert {school}/tls.pem --key {school}/tls.key https://127.0.0.1:{port}/ -d x"
    )));
    assert!(stranger.contains("403"), "{stranger}");
    assert!(office.lines().contains("is not the gateway of this agency"), "{}", office.lines());
    let run = office.done(&format!("oncegate agency test {clinic} {PERSONS}"));
    assert!(run.contains("medical-absence-note: 20 of 20") && !run.contains("has no port"), "{run}");
    // A question that comes again gets the same answer, octet for octet, and another question another.
    let ask = |number: &str| {
        fs::write(office.path().join(number), question(&office.path().join(school))).expect("written");
        let line = format!(
            "curl -s --cacert {school}/ca.pem --cert certs/gateway.pem --key certs/gateway.key https://127.0.0.1:{port}/ \
             -H 'Content-Type: application/xml' --data-binary @{number}"
        );
        move |office: &Office| office.run(&line).stdout
    };
    let (one, other) = (ask("one"), ask("other"));
    let first = one(&office);
    assert!(String::from_utf8_lossy(&first).contains("MedicalAbsenceNote"), "{}", String::from_utf8_lossy(&first));
    assert!(first == one(&office) && first != other(&office), "{}", office.lines());
    assert!(office.lines().contains("the same again"), "{}", office.lines());
}

/// A signed question of an agency.
fn question(folder: &Path) -> Vec<u8> {
    let code = |text| Code::parse(text).expect("a code");
    let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
    let subject = Subject::from(vec![Identifier::parse("XX-OGTEST", "99000000136").expect("an identifier")]);
    let context = Context::new(code("school-attendance"), "XX:HEALTH:13", subject);
    Client::load(folder).expect("a client").request(ask, context, None, World::Live).expect("signed").octets
}

/// The mapping of the page's part "Yes or no".
fn yes_or_no() -> String {
    let page = fs::read_to_string(root().join("docs/agent.md")).expect("the page");
    let (_, part) = page.split_once("### Yes or no").expect("its part");
    let mapping = part.split("```\n").find(|block| block.starts_with("document = ")).expect("a mapping");
    format!("format = 1\n{mapping}")
}

#[test]
fn whoever_may_ask_whether_somebody_is_an_adult_gets_a_yes_or_no_and_nothing_else() {
    let mut office = Office::new();
    let grant = |what: &str| {
        format!(
            "oncegate agency grant school-asks-{what} --who xx.office.school-1 --what {what} --purpose school-attendance --basis XX:EDU:7 --until 2099-12-31"
        )
    };
    office.done(&format!("oncegate agency holds {CLINIC} is-adult"));
    office.done(&grant("is-adult"));
    office.says_yes_or_no();
    let looked = said(&office.run(&format!("oncegate agent check {CLINIC}")));
    assert!(looked.contains("2 rows, 1 cannot") && looked.contains("OG-SRC-008 row 3 does not say age"), "{looked}");
    office.start_agent();
    let ask =
        |person: &str| format!("oncegate ask is-adult --of XX-OGTEST:{person} --for school-attendance --as xx.office.school-1");
    let start = Instant::now();
    let yes = loop {
        let answer = said(&office.run(&ask("99000000136")));
        if answer.contains("Answer") {
            break answer;
        }
        assert!(start.elapsed() < LONG, "{answer}\n{}", office.lines());
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(yes.contains("yes") && !yes.contains("2001") && !yes.contains("Иванова"), "{yes}");
    let unknown = said(&office.run(&ask("99000000245")));
    assert!(unknown.contains("OG-SRC-008"), "what is not known is no no: {unknown}");
    let nobody = said(&office.run(&ask("99000000354")));
    assert!(nobody.contains("there is no record"), "{nobody}");
    // Its class is seen where grants are, and two of a family are warned of.
    let grants = office.done("oncegate agency grants");
    assert!(grants.contains("may read is-adult (yes or no)") && !grants.contains("medical-absence-note (yes or no)"), "{grants}");
    assert!(!office.done("oncegate check").contains("say more of it"));
    office.done(&grant("is-of-school-age"));
    let checked = office.done("oncegate check");
    let expected = "agency xx.office.school-1 may ask for is-adult and is-of-school-age: both are about the age";
    assert!(checked.contains(expected), "{checked}");
}

#[test]
fn the_doctor_says_at_an_agency_what_does_not_work_and_what_to_do() {
    let mut office = Office::new();
    office.says_yes_or_no();
    let doctor = || {
        let output = office.run(&format!("oncegate doctor --as agencies/{CLINIC}"));
        (output.status.code(), said(&output))
    };
    let bad = |words: &[&str]| {
        let (status, told) = doctor();
        let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("BAD")).collect();
        assert_eq!((status, lines.len()), (Some(1), 1), "{told}");
        assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
    };
    bad(&["is-adult: the registry does not say", "oncegate agency holds", "warn  agent", "medical-absence-note"]);
    office.done(&format!("oncegate agency holds {CLINIC} is-adult"));
    let (status, told) = doctor();
    assert!(status == Some(0) && told.contains("12 columns, for is-adult") && told.contains("days left"), "{told}");
    let key = office.clinic("sign.key");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("set");
    bad(&["mode 0644", "chmod 600"]);
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    fs::rename(office.path().join("notes.csv"), office.path().join("away.csv")).expect("renamed");
    bad(&["source", "notes"]);
    fs::rename(office.path().join("away.csv"), office.path().join("notes.csv")).expect("renamed");
    office.done(&format!("oncegate agency suspend {CLINIC}"));
    bad(&["OG-TLS-002", "ask the authority of the registry"]);
    office.gateway = None;
    let output = office.run(&format!("oncegate doctor --as agencies/{CLINIC}"));
    assert!(said(&output).contains("nothing accepts connections there"), "{}", said(&output));
}
