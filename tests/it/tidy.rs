//! The floors of the house: a room imports only from lower floors. Changing the table is a change of the design, made in
//! `ARCHITECTURE.md` in the same commit.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, floor by floor.
const FLOORS: &[&[&str]] = &[
    &["limits", "time", "ids", "fault"],
    &["xml", "crypto"],
    &["pki"],
    &["sig", "schema"],
    &["envelope"],
    &["registry"],
    &["policy", "quota", "tlog"],
    &["journal", "admission", "audit"],
    &["exchange"],
    &["config", "store", "authority"],
    &["telemetry", "transport"],
    &["witness", "timestamp"],
    &["gateway"],
    &["api", "setup", "client"],
    &["server"],
    &["demo", "bench"],
    &["cli"],
];

/// What a room may import from its own floor: the parts of floor 0 are one vocabulary.
const NEIGHBOURS: &[(&str, &str)] = &[("ids", "time"), ("fault", "ids"), ("fault", "time")];

/// Crates that stay in the rooms that wrap them.
const WRAPPED: &[(&str, &[&str])] = &[
    ("quick_xml", &["xml", "bench"]),
    ("ring", &["crypto", "bench"]),
    ("sled", &["store"]),
    ("hyper", &["transport", "api", "client", "demo", "bench"]),
    ("governor", &["quota"]),
    ("x509_parser", &["pki"]),
    ("rcgen", &["authority"]),
    ("clap", &["cli"]),
];

struct Source {
    room: String,
    name: String,
    text: String,
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("inside").to_string_lossy().into_owned();
        let room = name.split(['/', '.']).next().unwrap_or("").to_owned();
        Source { room, text: fs::read_to_string(&path).expect("readable"), name }
    };
    let is_room = |source: &Source| !matches!(source.name.as_str(), "lib.rs" | "main.rs");
    paths.into_iter().map(read).filter(is_room).collect()
}

/// The names that follow `crate::` outside of comments.
fn imports(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut rooms = Vec::new();
    for line in code {
        for after in line.split("crate::").skip(1) {
            let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            rooms.push(name);
        }
    }
    rooms
}

fn upward_imports(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let Some(own) = floor(&source.room) else {
            wrong.push(format!("{}: the room {} is on no floor", source.name, source.room));
            continue;
        };
        for import in imports(&source.text) {
            let is_allowed = import == source.room
                || floor(&import).is_none_or(|floor| floor < own)
                || NEIGHBOURS.contains(&(source.room.as_str(), import.as_str()));
            if !is_allowed {
                wrong.push(format!(
                    "{}: {} imports {} from floor {:?} or the same",
                    source.name,
                    source.room,
                    import,
                    floor(&import)
                ));
            }
        }
    }
    wrong
}

fn strayed_crates(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let code: String = source.text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for (name, rooms) in WRAPPED {
            let uses = code.contains(&format!("use {name}::")) || code.contains(&format!(" {name}::"));
            if uses && !rooms.contains(&source.room.as_str()) {
                wrong.push(format!("{}: {name} outside of {rooms:?}", source.name));
            }
        }
    }
    wrong
}

#[test]
fn no_room_imports_upwards() {
    let wrong = upward_imports(&sources());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_planted_upward_import_is_found() {
    let planted = |room: &str, text: &str| Source { room: room.to_owned(), name: format!("{room}.rs"), text: text.to_owned() };
    for (room, text) in [
        ("xml", "use crate::sig::Verified;"),
        ("sig", "fn f() { crate::gateway::now(); }"),
        ("registry", "use crate::policy;"),
        ("policy", "use crate::quota::Quotas;"),
        ("attic", "use crate::xml;"),
    ] {
        assert_eq!(upward_imports(&[planted(room, text)]).len(), 1, "{room}: {text}");
    }
    for (room, text) in
        [("sig", "use crate::xml::Reader;"), ("xml", "// crate::sig is above us"), ("ids", "use crate::time::Day;")]
    {
        assert!(upward_imports(&[planted(room, text)]).is_empty(), "{room}: {text}");
    }
}

#[test]
fn foreign_types_stay_in_the_room_that_wraps_them() {
    let wrong = strayed_crates(&sources());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_proof_of_the_log_is_made_by_the_store_alone() {
    for source in sources() {
        let is_maker = matches!(source.room.as_str(), "store" | "tlog");
        assert!(is_maker || !source.text.contains("Logged::durable"), "{} makes a proof that only a store may make", source.name);
    }
}

/// One look: what was hashed is what is read. So a document is scanned in few places, and behind the door in one: the room
/// `sig`, which gives its octets away only with the values that it read from them.
#[test]
fn a_document_is_read_in_few_places() {
    let readers: Vec<String> = sources()
        .into_iter()
        .filter(|source| {
            let body = source.text.split("#[cfg(test)]").next().unwrap_or("");
            let code: String = body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            let makes =
                ["Reader::new(octets, Profile", "Reader::new(text", "xml::scan(", "Reader::new(octets, profile", "quick_xml::"]
                    .iter()
                    .any(|call| code.contains(call));
            makes && source.room != "bench" && !source.name.ends_with("/tests.rs")
        })
        .map(|source| source.name)
        .collect();
    // The scan itself; schemas of the operator; a message at the door; a message that the gateway signs for its sender, and
    // which then comes through the same door as any other.
    let known = ["schema/read.rs", "sig/mod.rs", "sig/sign.rs", "xml/mod.rs", "xml/reader.rs"];
    let mut sorted = readers.clone();
    sorted.sort();
    assert_eq!(sorted, known);
    // Behind the door: admission reads what came in, once for a message and once for an answer, and the gateway never.
    for source in sources() {
        let body = source.text.split("#[cfg(test)]").next().unwrap_or("").to_owned();
        let times = body.matches("sig::read(").count();
        let expected = match source.name.as_str() {
            "admission/mod.rs" | "admission/answer.rs" => 1,
            "client.rs" => 2,
            name if name.starts_with("bench/") => continue,
            _ => 0,
        };
        assert_eq!(times, expected, "{} reads a message", source.name);
    }
}

#[test]
fn only_the_command_line_and_the_telemetry_print() {
    for source in sources() {
        let code: String = source.text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let prints = ["println!", "eprintln!", "print!(", "dbg!("].iter().any(|call| code.contains(call));
        assert!(!prints || source.room == "cli", "{} prints", source.name);
    }
}

#[test]
fn functions_and_files_stay_small() {
    for source in sources() {
        let body = source.text.split("#[cfg(test)]").next().unwrap_or("");
        assert!(body.lines().count() <= 1000, "{} has more than 1,000 lines", source.name);
    }
}
