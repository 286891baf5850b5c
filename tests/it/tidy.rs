//! The wings and floors of the house: a wing imports only from wings below it, a room only from lower floors of its own wing,
//! and no files import each other in a circle. Changing the table is a change of the design, made in `ARCHITECTURE.md` in the
//! same commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The wings from the lowest to the highest, each with its rooms, floor by floor. The first five are the core.
const WINGS: &[(&str, &[&[&str]])] = &[
    ("base", &[&["limits", "time", "ids", "fault"]]),
    ("message", &[&["xml", "crypto", "parts"], &["pki", "xsd"], &["sig", "schema"], &["envelope"]]),
    ("rules", &[&["registry", "condition"], &["policy", "quota", "situation"], &["quality"]]),
    ("evidence", &[&["tlog"], &["journal", "audit", "traffic"]]),
    ("exchange", &[&["admission", "bulkhead", "mapping"], &["ledger"], &["work"], &["cases"]]),
    (
        "host",
        &[
            &["config", "keyfile", "store", "authority", "schemas", "catalogue"],
            &["control", "inforce", "joins", "quality", "ratings", "telemetry", "transport"],
            &["expiry", "notices", "oidc", "source"],
        ],
    ),
    ("gateway", &[&["witness", "timestamp"], &["driver"]]),
    ("faces", &[&["api", "client"], &["agent", "console"]]),
    ("program", &[&["setup"], &["server"], &["conformance", "demo", "doctor", "mock", "simulate"], &["bench"], &["cli"]]),
];

/// What a room may import from its own floor: the rooms of the lowest wing are one vocabulary.
const NEIGHBOURS: &[(&str, &str)] = &[("ids", "time"), ("fault", "ids"), ("fault", "time")];

/// Crates that stay in the rooms that wrap them.
const WRAPPED: &[(&str, &[&str])] = &[
    ("quick_xml", &["xml", "bench"]),
    ("ring", &["crypto", "bench"]),
    ("sled", &["store"]),
    ("hyper", &["transport", "agent", "api", "client", "console", "demo", "bench"]),
    ("governor", &["quota"]),
    ("x509_parser", &["pki"]),
    ("rcgen", &["authority"]),
    ("pkcs8", &["keyfile"]),
    ("clap", &["cli"]),
    ("roxmltree", &["xsd", "schemas"]),
    ("xsd_schema", &["xsd"]),
    ("jiff", &["agent"]),
    ("encoding_rs", &["schemas", "source"]),
    ("zip", &["schemas"]),
    ("lettre", &["notices"]),
    ("askama", &["console"]),
    ("jsonwebtoken", &["oidc"]),
    ("form_urlencoded", &["oidc"]),
    ("tokio_postgres", &["source"]),
];

struct Source {
    wing: String,
    room: String,
    name: String,
    text: String,
}

/// The wing of a room, and its floor there.
fn place(wing: &str, room: &str) -> Option<(usize, usize)> {
    let at = WINGS.iter().position(|(name, _)| *name == wing)?;
    WINGS[at].1.iter().position(|rooms| rooms.contains(&room)).map(|floor| (at, floor))
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
        let mut parts = name.split(['/', '.']).map(str::to_owned);
        let (wing, room) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Source { wing, room, text: fs::read_to_string(&path).expect("readable"), name }
    };
    let is_wing = |name: &str| WINGS.iter().any(|(wing, _)| name == format!("{wing}/mod.rs"));
    let is_room = |source: &Source| !matches!(source.name.as_str(), "lib.rs" | "main.rs") && !is_wing(&source.name);
    paths.into_iter().map(read).filter(is_room).collect()
}

/// The wings and rooms that follow `crate::` outside of comments.
fn imports(text: &str) -> Vec<(String, String)> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut rooms = Vec::new();
    for line in code {
        for after in line.split("crate::").skip(1) {
            let mut names =
                after.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').next().unwrap_or("").split("::");
            rooms.push((names.next().unwrap_or("").to_owned(), names.next().unwrap_or("").to_owned()));
        }
    }
    rooms
}

fn upward_imports(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let Some((wing, floor)) = place(&source.wing, &source.room) else {
            wrong.push(format!("{}: the room {}/{} is on no floor", source.name, source.wing, source.room));
            continue;
        };
        for (to_wing, to_room) in imports(&source.text) {
            let is_allowed = match place(&to_wing, &to_room) {
                Some((to, _)) if to < wing => true,
                Some((to, below)) if to == wing => {
                    below < floor || to_room == source.room || NEIGHBOURS.contains(&(source.room.as_str(), to_room.as_str()))
                }
                _ => false,
            };
            if !is_allowed {
                wrong.push(format!("{}: imports {to_wing}::{to_room}, which is not below it", source.name));
            }
        }
    }
    wrong
}

/// The files of a folder that import each other in a circle: `super::name` inside a room.
fn circles(sources: &[(String, String)]) -> Vec<String> {
    let stem = |name: &str| name.rsplit('/').next().unwrap_or("").trim_end_matches(".rs").to_owned();
    let folder = |name: &str| name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let known: BTreeSet<(String, String)> = sources.iter().map(|(name, _)| (folder(name), stem(name))).collect();
    let mut arrows: BTreeMap<(String, String), BTreeSet<(String, String)>> = BTreeMap::new();
    for (name, text) in sources {
        let body = text.split("#[cfg(test)]").next().unwrap_or("");
        for line in body.lines().filter(|line| !line.trim_start().starts_with("//")) {
            // The fuzz targets are one room, at the root of their crate.
            for after in line.split(if name.starts_with("fuzz/") { "crate::" } else { "super::" }).skip(1) {
                let other: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let to = (folder(name), other);
                if known.contains(&to) && to.1 != stem(name) && to.1 != "mod" {
                    arrows.entry((folder(name), stem(name))).or_default().insert(to);
                }
            }
        }
    }
    let mut wrong = Vec::new();
    for start in arrows.keys() {
        let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(at) = next.pop() {
            for to in arrows.get(at).into_iter().flatten() {
                if to == start {
                    wrong.push(format!("{}/{} imports itself by way of {}", start.0, start.1, at.1));
                }
                if seen.insert(to) {
                    next.push(to);
                }
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
    let planted = |place: &str, text: &str| {
        let (wing, room) = place.split_once('/').expect("a wing and a room");
        Source { wing: wing.to_owned(), room: room.to_owned(), name: format!("{place}.rs"), text: text.to_owned() }
    };
    for (place, text) in [
        ("message/xml", "use crate::message::sig::Verified;"),
        ("message/sig", "fn f() { crate::gateway::driver::now(); }"),
        ("rules/registry", "use crate::rules::policy;"),
        ("rules/policy", "use crate::rules::quota::Quotas;"),
        ("evidence/attic", "use crate::message::xml;"),
        ("base/xml", "use crate::base::limits;"),
        ("host/store", "use crate::gateway;"),
        ("gateway/witness", "use crate::gateway::driver::Gateway;"),
    ] {
        assert_eq!(upward_imports(&[planted(place, text)]).len(), 1, "{place}: {text}");
    }
    for (place, text) in [
        ("message/sig", "use crate::message::xml::Reader;"),
        ("message/xml", "// crate::message::sig is above us"),
        ("base/ids", "use crate::base::time::Day;"),
        ("faces/api", "use crate::gateway::driver::Gateway;"),
    ] {
        assert!(upward_imports(&[planted(place, text)]).is_empty(), "{place}: {text}");
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: Vec<(String, String)> = sources().into_iter().map(|source| (source.name, source.text)).collect();
    let mut paths = Vec::new();
    files(&root.join("fuzz/src"), &mut paths);
    all.extend(paths.into_iter().map(|path| {
        let name = path.strip_prefix(root).expect("inside").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("readable"))
    }));
    let wrong = circles(&all);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let planted = [("x/a.rs", "use super::b::B;"), ("x/b.rs", "use super::c::C;"), ("x/c.rs", "use super::a::A;")];
    assert_eq!(circles(&planted.map(|(name, text)| (name.to_owned(), text.to_owned()))).len(), 3);
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
    let known = ["sig/mod.rs", "sig/sign.rs", "xml/mod.rs", "xml/reader.rs"].map(|name| format!("message/{name}"));
    let mut sorted = readers.clone();
    sorted.sort();
    assert_eq!(sorted, known);
    // Behind the door: admission reads what came in, once for a message and once for an answer, and the gateway never.
    for source in sources() {
        let body = source.text.split("#[cfg(test)]").next().unwrap_or("").to_owned();
        let times = body.matches("sig::read(").count();
        let expected = match source.name.as_str() {
            "exchange/admission/mod.rs" | "exchange/admission/answer.rs" => 1,
            "faces/client.rs" => 2,
            name if name.starts_with("program/bench/") => continue,
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
