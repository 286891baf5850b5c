//! Schema sets of other owners in a gateway: read at start and again, each replaced whole or not at all; and all that is refused
//! of them, with its place.

use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::{free_port, root, said};
use oncegate::base::ids::Code;
use oncegate::base::limits;
use oncegate::host::schemas::guard::Guard;
use oncegate::host::schemas::sets::{Bad, Former, Judging, Sets};
use oncegate::message::xsd::example::Fullness;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const HEAD: &str =
    "xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"urn:x\" xmlns=\"urn:x\" elementFormDefault=\"qualified\"";

fn schema(inside: &str) -> String {
    format!("<xs:schema {HEAD}>\n{inside}\n</xs:schema>\n")
}

/// A schema whose root is `R`, of a person's number and something more.
fn good(more: &str) -> String {
    schema(&format!(
        "<xs:element name=\"R\"><xs:complexType><xs:sequence><xs:element name=\"Id\" type=\"xs:token\"/>{more}</xs:sequence>\
         </xs:complexType></xs:element>"
    ))
}

fn rows(name: &str) -> String {
    format!(
        "[[document]]\nname = \"{name}\"\nfile = \"r.xsd\"\nroot = \"R\"\nclass = \"personal\"\ntitle = \"R\"\n\
         subject = [{{ path = \"\", id = [{{ path = \"Id\", scheme = \"XX-OGTEST\" }}] }}]\n"
    )
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }
}

/// A folder with a good set `other` of the document `other`, and a set `bad` of these files.
fn with(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    write(folder.path(), &[("other/r.xsd", &good("").replace("urn:x", "urn:other")), ("other/documents.toml", &rows("other"))]);
    for (name, text) in files {
        write(folder.path(), &[(&format!("bad/{name}"), text)]);
    }
    folder
}

fn judging() -> Judging {
    Judging::Guarded(Guard { program: PathBuf::from(oncegate()), patience: Duration::from_secs(60) })
}

fn load(folder: &Path, before: Option<&Sets>) -> Sets {
    Sets::load(Some(folder), &judging(), before).unwrap_or_else(|error| panic!("{error}"))
}

fn is_known(sets: &Sets, name: &str) -> bool {
    sets.schemas().document_type(&Code::parse(name).expect("a code")).is_some()
}

fn is_absent(sets: &Sets, name: &str) -> bool {
    sets.schemas().is_absent(&Code::parse(name).expect("a code"))
}

/// What is told of the set `bad`; the other one is in force.
fn refusal(folder: &Folder) -> Bad {
    let sets = load(folder.path(), None);
    assert!(is_known(&sets, "other") && is_known(&sets, "birth-certificate"), "{:?}", sets.bad());
    assert_eq!(sets.bad().len(), 1, "{:?}", sets.bad());
    sets.bad()[0].clone()
}

#[test]
fn each_bad_set_is_refused_with_its_place_and_the_others_are_in_force() {
    let documents = rows("bad");
    let twice = good("") + "";
    let twice = twice.replace("</xs:schema>", "<xs:element name=\"R\" type=\"xs:string\"/></xs:schema>");
    let cycle = good("").replace(
        "</xs:schema>",
        "<xs:complexType name=\"A\"><xs:complexContent><xs:extension base=\"A\"/></xs:complexContent></xs:complexType></xs:schema>",
    );
    let wider = good("").replace(
        "</xs:schema>",
        "<xs:simpleType name=\"A\"><xs:restriction base=\"xs:string\"><xs:maxLength value=\"5\"/></xs:restriction></xs:simpleType>\
         <xs:simpleType name=\"B\"><xs:restriction base=\"A\"><xs:maxLength value=\"9\"/></xs:restriction></xs:simpleType></xs:schema>",
    );
    let ambiguous =
        good("<xs:element name=\"a\" type=\"xs:string\" minOccurs=\"0\"/><xs:element name=\"a\" type=\"xs:string\"/>");
    let include = |location: &str| {
        good("").replacen("<xs:element", &format!("<xs:include schemaLocation=\"{location}\"/>\n<xs:element"), 1)
    };
    let bomb = format!(
        "<!DOCTYPE b [<!ENTITY a \"{}\"><!ENTITY b \"{}\"><!ENTITY c \"{}\">]>\n{}",
        "x".repeat(1000),
        "&a;".repeat(200),
        "&b;".repeat(200),
        good("<xs:annotation><xs:documentation>&c;</xs:documentation></xs:annotation>")
    );
    for (schema, documents, place, what) in [
        (&include("gone.xsd"), &documents, "bad/r.xsd:2:", "gone.xsd is not in the set"),
        (&twice, &documents, "bad/r.xsd:3:", "R"),
        (&cycle, &documents, "bad/r.xsd:3:", "derived from itself"),
        (&wider, &documents, "bad/r.xsd:3:", "maxLength"),
        (&ambiguous, &documents, "bad/r.xsd:2:", ""),
        (&include("../other/r.xsd"), &documents, "bad/r.xsd:2:", "outside of the set"),
        (&include("/etc/passwd"), &documents, "bad/r.xsd:2:", "outside of the set"),
        (&bomb, &documents, "bad/r.xsd:", "entit"),
        (&good(""), &documents.replace("r.xsd", "s.xsd"), "bad/documents.toml:3:", "did you mean r.xsd?"),
        (&good(""), &documents.replace("\"Id\"", "\"Ids\""), "bad/documents.toml:", "Id"),
        (&good(""), &documents.replace("root = \"R\"", "root = \"S\""), "bad/documents.toml:", "S"),
        (&good(""), &format!("{documents}todo = \"whom\"\n"), "bad/documents.toml:8:", "take its todo out"),
        (&good(""), &documents.replace("name = \"bad\"", "name = \"birth-certificate\""), "documents.toml:", "birth-certificate"),
        (&good(""), &format!("{documents}{documents}"), "bad/documents.toml:8:", "twice"),
        (
            &good("").replace("</xs:sequence>", "</xs:sequence><xs:attribute name=\"v\" type=\"xs:token\"/>"),
            &[1, 2].map(|version| documents.replace("root =", &format!("version = \"{version}\"\nroot ="))).concat(),
            "bad/documents.toml:9:",
            "cannot be told from another",
        ),
        (&"<xs:schema".to_owned(), &documents, "bad/r.xsd:1:", "not well-formed"),
        (&good(""), &"[[document".to_owned(), "bad/documents.toml:1:", ""),
    ] {
        let folder = with(&[("r.xsd", schema), ("documents.toml", documents)]);
        let bad = refusal(&folder);
        let lines = bad.lines().join("\n");
        assert_eq!((bad.name.as_str(), bad.former), ("bad", Former::None));
        assert!(lines.contains(place) && lines.contains(what), "{place} {what}: {lines}");
    }
}

#[test]
fn files_that_are_no_schemas_of_the_set_refuse_it() {
    let folder = with(&[("documents.toml", &rows("bad"))]);
    let file = fs::File::create(folder.path().join("bad/r.xsd")).expect("writable");
    file.set_len(100 << 20).expect("it may have a hole");
    let lines = refusal(&folder).lines().join("\n");
    assert!(lines.contains("bad/r.xsd:1:1:") && lines.contains("larger than a schema may be"), "{lines}");

    let folder = with(&[("r.xsd", &good("")), ("documents.toml", &rows("bad"))]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("bad/link.xsd")).expect("writable");
    let lines = refusal(&folder).lines().join("\n");
    assert!(lines.contains("bad/link.xsd:1:1:") && lines.contains("a symbolic link"), "{lines}");

    for (made, what) in [("link", "a symbolic link"), ("stray.xsd", "a folder of its own"), ("ä", "not the name of a set")] {
        let folder = with(&[]);
        let path = folder.path().join(made);
        match made {
            "link" => std::os::unix::fs::symlink(folder.path().join("other"), path).expect("writable"),
            "stray.xsd" => fs::write(path, good("")).expect("writable"),
            _ => fs::create_dir(path).expect("writable"),
        }
        let lines = refusal(&folder).lines().join("\n");
        assert!(lines.contains(what), "{lines}");
    }

    let folder = with(&[("r.xsd", &good(""))]);
    let lines = refusal(&folder).lines().join("\n");
    assert!(lines.contains("no documents.toml") && lines.contains("oncegate schema add"), "{lines}");
}

#[test]
fn a_set_that_would_hang_or_take_all_memory_is_refused_and_the_others_are_in_force() {
    // Names that refer to names, each ten times: judged it has no end.
    let mut groups = String::from("<xs:simpleType name=\"T0\"><xs:union memberTypes=\"xs:int xs:long\"/></xs:simpleType>");
    for at in 1..20 {
        let members = format!("T{} ", at - 1).repeat(16);
        groups.push_str(&format!("<xs:simpleType name=\"T{at}\"><xs:union memberTypes=\"{}\"/></xs:simpleType>", members.trim()));
    }
    let folder =
        with(&[("r.xsd", &good("").replace("</xs:schema>", &format!("{groups}</xs:schema>"))), ("documents.toml", &rows("bad"))]);
    let lines = refusal(&folder).lines().join("\n");
    assert!(lines.contains("bad/r.xsd"), "{lines}");
}

#[test]
fn a_set_is_replaced_whole_or_not_at_all() {
    let folder = with(&[("r.xsd", &good("")), ("documents.toml", &rows("bad"))]);
    let first = load(folder.path(), None);
    assert!(first.bad().is_empty() && is_known(&first, "bad") && is_known(&first, "other"), "{:?}", first.bad());
    // One becomes bad, the other changes; a third comes, and is bad from the beginning.
    write(
        folder.path(),
        &[
            ("bad/r.xsd", &good("<xs:element name=\"a\" type=\"Gone\"/>")),
            ("other/documents.toml", &rows("other-2")),
            ("third/documents.toml", &rows("third")),
        ],
    );
    let second = load(folder.path(), Some(&first));
    let states: Vec<_> = second.bad().iter().map(|bad| (bad.name.as_str(), bad.former)).collect();
    assert_eq!(states, [("bad", Former::InForce), ("third", Former::None)]);
    assert!(
        is_known(&second, "bad") && is_known(&second, "other-2") && !is_known(&second, "other") && !is_known(&second, "third")
    );
    assert!(is_absent(&second, "third") && !is_absent(&second, "bad"));
    // Both in order, and what is gone is gone.
    write(
        folder.path(),
        &[
            ("bad/r.xsd", &good("<xs:element name=\"a\" type=\"xs:int\"/>")),
            ("third/r.xsd", &good("").replace("urn:x", "urn:third")),
        ],
    );
    fs::remove_dir_all(folder.path().join("other")).expect("removed");
    let third = load(folder.path(), Some(&second));
    assert!(third.bad().is_empty(), "{:?}", third.bad());
    assert!(is_known(&third, "bad") && is_known(&third, "third") && !is_known(&third, "other-2"));
}

#[test]
fn of_two_sets_with_one_document_the_one_in_force_stays() {
    let folder = with(&[]);
    let first = load(folder.path(), None);
    write(folder.path(), &[("a/r.xsd", &good("").replace("urn:x", "urn:a")), ("a/documents.toml", &rows("other"))]);
    let second = load(folder.path(), Some(&first));
    let lines = second.bad().iter().flat_map(Bad::lines).collect::<Vec<_>>().join("\n");
    assert!(second.bad().len() == 1 && second.bad()[0].name == "a" && lines.contains("other"), "{lines}");
    assert!(is_known(&second, "other") && !is_absent(&second, "other"));
}

#[test]
fn sets_are_bounded_in_number_and_size() {
    let folder = Folder::new();
    for at in 0..limits::SCHEMA_SETS_MAX {
        fs::create_dir(folder.path().join(format!("s{at}"))).expect("writable");
    }
    let judging = Judging::Compiled;
    let loaded = Sets::load(Some(folder.path()), &judging, None).expect("so many may be");
    assert_eq!(loaded.bad().len(), limits::SCHEMA_SETS_MAX, "none of them is a set yet");
    fs::create_dir(folder.path().join("one-more")).expect("writable");
    let error = Sets::load(Some(folder.path()), &judging, None).expect_err("too many");
    assert!(error.to_string().contains(&format!("more than {} sets", limits::SCHEMA_SETS_MAX)), "{error}");

    let folder = Folder::new();
    let filler = format!("<xs:schema {HEAD}><!--{}--></xs:schema>", " ".repeat(limits::SCHEMA_BYTES_MAX - 4096));
    let sets = limits::SCHEMA_SETS_BYTES_MAX / (7 * limits::SCHEMA_BYTES_MAX) + 1;
    for at in 0..sets {
        let set = format!("s{at}");
        write(
            folder.path(),
            &[
                (&format!("{set}/r.xsd"), &good("").replace("urn:x", &format!("urn:{set}"))),
                (&format!("{set}/documents.toml"), &rows(&set)),
            ],
        );
        (0..7).for_each(|file| write(folder.path(), &[(&format!("{set}/f{file}.xsd"), &filler)]));
    }
    let loaded = Sets::load(Some(folder.path()), &judging, None).expect("readable");
    let lines = loaded.bad().iter().flat_map(Bad::lines).collect::<Vec<_>>().join("\n");
    assert!(loaded.bad().len() == 1 && lines.contains("all sets together"), "{lines}");
}

fn zipped(folder: &Path, archive: &Path) {
    let output = Command::new("python3")
        .args(["-c", "import sys,shutil; shutil.make_archive(sys.argv[2][:-4],'zip',sys.argv[1])"])
        .args([folder, archive])
        .output()
        .expect("python3 starts");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_set_may_be_an_archive_and_its_files_are_served_as_they_lie_in_it() {
    let folder = with(&[]);
    let set = Folder::new();
    let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"urn:x\"><!--\xE9--></xs:schema>";
    write(
        set.path(),
        &[("r.xsd", &good("").replacen("<xs:element", "<xs:include schemaLocation=\"parts/p.xsd\"/><xs:element", 1))],
    );
    fs::create_dir(set.path().join("parts")).expect("writable");
    fs::write(set.path().join("parts/p.xsd"), latin).expect("writable");
    zipped(set.path(), &folder.path().join("packed.zip"));
    let lines = load(folder.path(), None).bad().iter().flat_map(Bad::lines).collect::<Vec<_>>().join("\n");
    assert!(lines.contains("packed.zip") && lines.contains("no documents.toml"), "{lines}");
    write(folder.path(), &[("packed.toml", &rows("packed"))]);
    let sets = load(folder.path(), None);
    assert!(sets.bad().is_empty() && is_known(&sets, "packed"), "{:?}", sets.bad());
    assert_eq!(sets.file("packed/parts/p.xsd"), Some(&latin[..]));
    assert_eq!(
        (sets.file("packed/documents.toml"), sets.file("other/documents.toml"), sets.file("gone/r.xsd")),
        (None, None, None)
    );
    let example = sets.example("packed", Fullness::Minimal).expect("an example");
    assert!(example.contains("<Id") || example.contains(":Id"), "{example}");
    assert!(sets.example("birth-certificate", Fullness::Minimal).is_some() && sets.example("none", Fullness::Full).is_none());
    // Two sets of one name.
    write(folder.path(), &[("packed/r.xsd", &good(""))]);
    let lines = load(folder.path(), None).bad().iter().flat_map(Bad::lines).collect::<Vec<_>>().join("\n");
    assert!(lines.contains("a folder and an archive of one name"), "{lines}");
}

#[test]
fn a_folder_that_says_its_documents_itself_is_one_set() {
    let folder = Folder::new();
    write(
        folder.path(),
        &[
            (
                "r.xsd",
                &good("<xs:element name=\"Whom\" type=\"t:Person\" xmlns:t=\"urn:oncegate:types:1\" minOccurs=\"0\"/>").replacen(
                    "<xs:element",
                    "<xs:import namespace=\"urn:oncegate:types:1\" schemaLocation=\"types-1.xsd\"/><xs:element",
                    1,
                ),
            ),
            ("documents.toml", &rows("one")),
        ],
    );
    let sets = load(folder.path(), None);
    assert!(sets.bad().is_empty() && is_known(&sets, "one") && is_known(&sets, "birth-certificate"), "{:?}", sets.bad());
    assert_eq!(sets.held().count(), 1);
}

/// Runs a command of the program in a folder; its exit status and all that it said.
fn ended(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(oncegate()).args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("it starts");
    (output.status.code(), said(&output))
}

/// A gateway as a process, which ends with this value.
struct Running(Child);

impl Running {
    fn start(folder: &Path, public: &str) -> Self {
        let lines = fs::File::options().create(true).append(true).open(folder.join("lines")).expect("writable");
        let child =
            Command::new(oncegate()).args(["run", "-c", "office/oncegate.toml"]).current_dir(folder).stderr(lines).spawn();
        let this = Self(child.expect("it starts"));
        assert!(get(public, "/health").contains("\"status\":\"ready\""));
        this
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(public: &str, path: &str) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--retry", "20", "--retry-delay", "1", "--retry-connrefused"]).arg(format!("http://{public}{path}"));
    String::from_utf8_lossy(&curl.output().expect("curl starts").stdout).into_owned()
}

#[test]
fn a_running_gateway_keeps_what_was_in_force_of_a_set_and_starts_without_a_bad_one() {
    let home = Folder::new();
    let home = home.path();
    let [exchange, public] = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
    let sets = home.join("office/schemas");
    assert_eq!(ended(home, &["init", "office", "--listen", &exchange, "--public", &public]).0, Some(0));
    write(&sets, &[("tax/parts/r.xsd", &good("")), ("tax/documents.toml", &rows("tax").replace("r.xsd", "parts/r.xsd"))]);
    let school = ["agency", "add", "xx.town.school-1", "--in", "office", "--name", "S"];
    let tax =
        ["agency", "add", "xx.town.tax-1", "--in", "office", "--name", "T", "--url", "https://localhost:1/", "--holds", "tax"];
    let grant = ["agency", "grant", "g", "--in", "office", "--who", "xx.town.school-1", "--what", "tax"];
    let grant = [&grant[..], &["--purpose", "p", "--basis", "b", "--until", "2099-12-31"]].concat();
    for command in [&school[..], &tax, &grant] {
        assert_eq!(ended(home, command).0, Some(0), "{}", ended(home, command).1);
    }
    let (status, checked) = ended(home, &["check", "-c", "office/oncegate.toml"]);
    assert!(status == Some(0) && checked.contains("set tax: tax, root R in parts/r.xsd"), "{checked}");
    let running = Running::start(home, &public);
    assert!(get(&public, "/v1/schemas/tax/parts/r.xsd").contains("xs:schema") && get(&public, "/v1/examples/tax").contains("Id"));
    assert!(get(&public, "/v1/schemas/tax/documents.toml").contains("OG-HTTP-002"));

    // A set that became bad: its state before stays, also when another command has the gateway read again.
    write(&sets, &[("tax/parts/r.xsd", &good("<xs:element name=\"a\" type=\"Gone\"/>\n<xs:element name=\"b\" type=\"Away\"/>"))]);
    let (status, told) = ended(home, &["reload", "-c", "office/oncegate.toml"]);
    assert!(
        status == Some(1) && told.contains("tax/parts/r.xsd:2:") && told.contains("its state before stays in force"),
        "{told}"
    );
    assert!(fs::read_to_string(home.join("lines")).expect("readable").contains("tax/parts/r.xsd:2:"));
    let health = get(&public, "/health");
    assert!(health.contains("\"set\":\"tax\"") && health.contains("OG-CFG-004") && health.contains("\"ready\""), "{health}");
    assert!(!get(&public, "/v1/schemas/tax/parts/r.xsd").contains("Gone"));
    let (status, told) = ended(home, &["agency", "suspend", "xx.town.tax-1", "--in", "office", "--lift"]);
    assert!(status == Some(0) && told.contains("took it") && told.contains("its state before stays in force"), "{told}");
    let (status, checked) = ended(home, &["check", "-c", "office/oncegate.toml"]);
    assert!(status == Some(2) && checked.contains("OG-CFG-004") && checked.contains("tax/parts/r.xsd:2:"), "{checked}");
    // What nobody can check is said.
    write(&sets, &[("tax/parts/r.xsd", "no schema")]);
    let blind = ["agency", "grant", "blind", "--in", "office", "--who", "xx.town.school-1", "--what", "tax"];
    let blind = [&blind[..], &["--purpose", "q", "--basis", "b", "--until", "2099-12-31"]].concat();
    let (status, told) = ended(home, &blind);
    assert!(status == Some(0) && told.contains("warning: the schemas of tax are refused at present"), "{told}");
    drop(running);

    // At a start there is no state before: the rest is in force, and whoever asks is told.
    let running = Running::start(home, &public);
    assert!(get(&public, "/health").contains("none of its documents is in force"));
    let ask = ["ask", "tax", "--of", "XX-OGTEST:99000000136", "--for", "p", "--basis", "b", "--wait", "1", "--as"];
    let ask = [&ask[..], &["office/agencies/xx.town.school-1"]].concat();
    let (_, told) = ended(home, &ask);
    assert!(told.contains("OG-DOC-001") && told.contains("not in force at present"), "{told}");
    // In order again.
    write(&sets, &[("tax/parts/r.xsd", &good(""))]);
    let (status, told) = ended(home, &["reload", "-c", "office/oncegate.toml"]);
    assert!(status == Some(0) && told.contains("with 1 set of schemas"), "{told}");
    let (_, told) = ended(home, &ask);
    assert!(!told.contains("OG-DOC-001"), "{told}");
    assert!(get(&public, "/health").contains("\"schemas\":[]"));

    // A set that rows of the registry need goes, and the registry with it does not fit: both stay.
    fs::remove_dir_all(sets.join("tax")).expect("removed");
    let (status, told) = ended(home, &["reload", "-c", "office/oncegate.toml"]);
    assert!(status == Some(1) && told.contains("no document type is called") && told.contains("stay in force too"), "{told}");
    assert!(get(&public, "/v1/schemas/tax/parts/r.xsd").contains("xs:schema"));
    drop(running);
}

#[test]
fn a_set_is_added_once_as_it_is_and_nothing_is_written_over() {
    let home = Folder::new();
    let home = home.path();
    write(home, &[("tax/a/r.xsd", &good("<xs:element name=\"BirthDate\" type=\"xs:date\"/>").replace("\"Id\"", "\"pesel\""))]);
    write(home, &[("tax/read.me", "for people")]);
    assert_eq!(ended(home, &["init", "office"]).0, Some(0));
    let config = home.join("office/oncegate.toml");
    let before = fs::read_to_string(&config).expect("readable");
    fs::write(&config, before.replace("schemas = \"schemas\"\n", "")).expect("writable");
    fs::remove_dir_all(home.join("office/schemas")).expect("removed");
    let add = ["schema", "add", "tax", "--config", "office/oncegate.toml"];
    let (status, told) = ended(home, &add);
    assert!(status == Some(0) && told.contains("added schemas = \"schemas\"") && told.contains("pesel (PL-PESEL)"), "{told}");
    let set = home.join("office/schemas/tax");
    assert_eq!(fs::read(set.join("a/r.xsd")).expect("copied"), fs::read(home.join("tax/a/r.xsd")).expect("readable"));
    let rows = fs::read_to_string(set.join("documents.toml")).expect("readable");
    assert_eq!(rows.matches("\ntodo = ").count(), 2, "{rows}");
    let (status, told) = ended(home, &["check", "-c", "office/oncegate.toml"]);
    assert!(status == Some(2) && told.contains("office/schemas/tax/documents.toml:"), "{told}");
    assert!(told.contains("a guess that nobody has confirmed"), "{told}");
    fs::write(set.join("documents.toml"), rows.replace("\ntodo = ", "\n# ")).expect("writable");
    let (status, told) = ended(home, &["check", "-c", "office/oncegate.toml"]);
    assert!(status == Some(0) && told.contains("set tax: tax-r, root R in a/r.xsd"), "{told}");
    // Again, and in place.
    for path in ["tax", "office/schemas/tax"] {
        let (status, told) = ended(home, &["schema", "add", path, "--config", "office/oncegate.toml"]);
        assert!(status == Some(2) && told.contains("is not written again"), "{told}");
    }
    assert!(!fs::read_to_string(set.join("documents.toml")).expect("readable").contains("\ntodo"));
    // An archive stays one; what no document can begin with is refused.
    zipped(&home.join("tax"), &home.join("packed.zip"));
    let packed = ["schema", "add", "packed.zip", "--name", "other", "--config", "office/oncegate.toml"];
    assert_eq!(ended(home, &packed).0, Some(0));
    assert!(home.join("office/schemas/other.zip").exists() && home.join("office/schemas/other.toml").exists());
    write(home, &[("none/a.xsd", &schema(""))]);
    let (status, told) = ended(home, &["schema", "add", "none", "--config", "office/oncegate.toml"]);
    assert!(status == Some(2) && told.contains("no document can begin with anything"), "{told}");
    let (status, told) = ended(home, &["schema", "add", "tax", "--name", "../tax", "--config", "office/oncegate.toml"]);
    assert!(status == Some(2) && told.contains("not the name of a set"), "{told}");
}

/// The commands of docs/schemas.md from an empty folder to an answer, as they stand there, with ports that nobody else has.
#[test]
fn a_set_is_added_and_answers_by_the_commands_of_its_page() {
    let page = fs::read_to_string(root().join("docs/schemas.md")).expect("readable");
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [office, added] = blocks[..] else { panic!("two blocks: {blocks:?}") };
    assert!(added.lines().count() <= 5 && added.starts_with("oncegate schema add "), "{added}");
    let [exchange, public, holder] = [8443, 8081, 9443].map(|usual: u16| (usual.to_string(), free_port().to_string()));
    let listen = format!("oncegate init office --listen 127.0.0.1:{} --public 127.0.0.1:{}\n", exchange.0, public.0);
    let mut script = format!("{}{added}", office.replacen("oncegate init office\n", &listen, 1));
    for (usual, free) in [exchange, public, holder] {
        script = script.replace(&usual, &free);
    }
    let folder = Folder::new();
    let programs = Path::new(oncegate()).parent().expect("a folder");
    let (root, home, programs) = (root().display().to_string(), folder.path().display(), programs.display());
    let script = format!(
        "trap 'echo \"ended with $?: $BASH_COMMAND\"' ERR\nexport HOME='{home}' ONCEGATE='{root}'\ncd '{home}'\nPATH='{programs}':\"$PATH\"\n{script}kill %1 %2; wait\n"
    );
    let pasted = folder.path().join("pasted");
    fs::write(&pasted, script).expect("writable");
    let mut bash = Command::new("timeout");
    bash.args(["--kill-after=5", "240", "bash"]).stdin(fs::File::open(&pasted).expect("readable")).stderr(Stdio::piped());
    let output = bash.output().expect("bash starts");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !out.contains("ended with"), "{}", said(&output));
    let mut rest = &*out;
    for words in [
        "copied 2 files to office/schemas/tax",
        "guess tax-extract",
        "Payer: @personId (XX-ID), @lastName, @firstName, @birthDate",
        "xx.town.tax-1 holds tax-extract",
        "granted school-reads-tax",
        "tax-extract from xx.town.tax-1, signed",
        "1250.50",
    ] {
        let (_, after) = rest.split_once(words).unwrap_or_else(|| panic!("no {words:?} at its place:\n{}", said(&output)));
        rest = after;
    }
}
