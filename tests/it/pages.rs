//! What the pages say is held to what the program does: the README's demo and quick start, the table of invariants, the names
//! of limits.

use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::{free_port, root, said};
use oncegate::message::schema::{Schemas, Validator};
use oncegate::message::xml::{Profile, scan};
use oncegate::rules::registry::Registry;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The fenced blocks of a kind in a text.
fn blocks<'t>(text: &'t str, kind: &str) -> Vec<&'t str> {
    let fence = format!("```{kind}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// A line without what differs from run to run: numbers, ids, and the width of columns.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4;
    for word in line.split_whitespace() {
        let digits = word.chars().map(|found| if found.is_ascii_digit() { '0' } else { found });
        let mut plain: String = if is_id(word) { "ID".to_owned() } else { digits.collect() };
        while plain.contains("00") {
            plain = plain.replace("00", "0");
        }
        shape.push_str(&plain);
        shape.push(' ');
    }
    shape
}

fn demo() -> String {
    let output = Command::new(oncegate()).args(["demo", "--once"]).stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Each story of delivery has its line, what it has shown, and the records whose receipts were verified.
#[test]
fn the_demo_shows_five_stories_of_delivery_and_verifies_their_receipts() {
    let printed = demo();
    let (_, told) = printed.split_once("\nDelivery: ").expect("its part");
    let told: Vec<&str> = told.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    let stories: [(&str, &[&str], &str); 5] = [
        ("down at first", &["xx.demo.late is down: 202 after", "later the answer is there"], "req, dlv, rsp"),
        ("no open port", &["xx.demo.archive comes for the question", "in the one call"], "req, dlv, rsp"),
        (
            "told once",
            &["xx.demo.social-fund and xx.demo.insurer have heard", "xx.demo.statistics, granted less, is told that it has not"],
            "evt, err, dlv",
        ),
        (
            "a large scan",
            &["200 MB beside an answer", "stored once, sealed", "with the SHA-256 that was signed"],
            "req, dlv, rsp",
        ),
        ("taken back", &["the archive never sees it"], "req, cnl"),
    ];
    assert_eq!(told.len(), 2 * stories.len(), "{printed}");
    for (lines, (title, words, kinds)) in told.chunks(2).zip(stories) {
        assert!(lines[0].trim_start().starts_with(title) && words.iter().all(|word| lines[0].contains(word)), "{lines:?}");
        let records = lines[1].trim_start().strip_prefix("verified  receipts of ").expect("receipts").split(", ");
        let records: Vec<(&str, &str)> = records.map(|record| record.split_once(' ').expect("kind and index")).collect();
        assert!(records.iter().all(|(_, index)| index.parse::<u64>().is_ok()), "{lines:?}");
        // A delivery may have been tried more than once.
        let mut found: Vec<&str> = records.iter().map(|(kind, _)| *kind).collect();
        found.dedup();
        assert_eq!(found.join(", "), kinds, "{lines:?}");
    }
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let printed = demo();
    let mut lines = printed.lines().map(shape);
    let readme = page("README.md");
    let shown: Vec<&str> = blocks(&readme, "text").first().expect("a block of what the demo prints").lines().collect();
    assert!((18..=26).contains(&shown.len()), "about twenty lines, not {}", shown.len());
    let mut is_cut = true;
    for line in shown {
        if line == "…" {
            is_cut = true;
            continue;
        }
        let wanted = shape(line);
        let found = if is_cut { lines.find(|found| *found == wanted) } else { lines.next() };
        // In the table of refusals rows are left out without a mark.
        let is_there = found.as_ref() == Some(&wanted) || lines.any(|found| found == wanted);
        assert!(is_there, "the demo does not print, at this place: {line}");
        is_cut = false;
    }
    let three_lies = ["found by `log verify --all`: record", "found by whoever has a receipt", "found by the witness"];
    assert!(three_lies.iter().all(|words| printed.contains(words)), "{printed}");
}

/// The README's quick start, block by block, as a user pastes it; but for the two lines that install and build, and with ports
/// that nobody else has.
fn quick_start(home: &Path) -> String {
    let readme = page("README.md");
    let section = readme.split("## Quick start").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a quick start");
    let (first, others) = blocks(section, "sh").split_first().map(|(first, others)| (*first, others.concat())).expect("blocks");
    let first: Vec<&str> = first.lines().collect();
    let [install, build, export, enter] = first[..] else { panic!("the first block has four lines: {first:?}") };
    assert!(install.starts_with("sudo apt-get install -y ") && build == "cargo build --release", "{first:?}");
    let [exchange, public, holder] = [8443, 8081, 9443].map(|usual: u16| (usual.to_string(), free_port().to_string()));
    let listen = format!("oncegate init office --listen 127.0.0.1:{} --public 127.0.0.1:{}\n", exchange.0, public.0);
    let mut others = others.replacen("oncegate init office\n", &listen, 1);
    for (usual, free) in [exchange, public, holder] {
        assert!(others.contains(&usual), "{usual} is in the quick start");
        others = others.replace(&usual, &free);
    }
    let programs = Path::new(oncegate()).parent().expect("a folder");
    format!(
        "trap 'echo \"ended with $?: $BASH_COMMAND\"' ERR\nexport HOME='{}'\ncd '{}'\n{export}\nPATH='{}':\"$PATH\"\n{enter}\n{others}",
        home.display(),
        root().display(),
        programs.display()
    )
}

#[test]
fn the_quick_start_works_as_it_is_written() {
    let folder = Folder::new();
    let script = quick_start(folder.path());
    let pasted = folder.path().join("pasted");
    fs::write(&pasted, &script).expect("writable");
    let mut bash = Command::new("timeout");
    bash.args(["--kill-after=5", "240", "bash"]).stdin(fs::File::open(&pasted).expect("readable"));
    let output = bash.output().expect("bash starts");
    assert!(output.status.success(), "{}", said(&output));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let failed: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("ended with ")?.split(':').next()).collect();
    assert_eq!(failed, ["3", "4"], "the two that are to fail do, and nothing else: {}", said(&output));
    let mut rest = &*out;
    for words in [
        "office/oncegate.toml",
        "agency = \"xx.town.school-1\"",
        "agency = \"xx.town.clinic-1\"",
        "school-reads-absence",
        "ok ",
        "\"status\":\"ready\"",
        "medical-absence-note from xx.town.clinic-1, signed",
        "<MedicalAbsenceNote",
        "no record from xx.town.clinic-1, signed",
        "req  xx.town.school-1  asks xx.town.clinic-1  medical-absence-note  for school-attendance  on XX:HEALTH:13",
        "ok  record 1 (rsp ",
        "\"purpose\":\"school-attendance\"",
        "agrees with 1 kept checkpoints",
    ] {
        let (_, after) = rest.split_once(words).unwrap_or_else(|| panic!("no {words:?} at its place:\n{}", said(&output)));
        rest = after;
    }
    assert!(err.contains("OG-POL-002") && err.contains("the holder states, signed, that there is no record"), "{err}");
}

/// What stands in `docs/cases.md` can be copied: its documents are valid, its registry is one, and each type of document is shown.
#[test]
fn the_examples_of_cases_are_valid() {
    let (text, schemas) = (page("docs/cases.md"), Schemas::built_in());
    let mut shown = BTreeSet::new();
    for document in blocks(&text, "xml") {
        let mut validator = Validator::new(&schemas);
        scan(document.as_bytes(), Profile::Message, &mut validator).unwrap_or_else(|error| panic!("{error:?}: {document}"));
        let facts = validator.finish().unwrap_or_else(|fault| panic!("{fault}: {document}"));
        shown.insert(facts.document_type.to_string());
    }
    let all = ["case-application", "case-order", "case-outcome", "case-state", "case-task"];
    assert_eq!(shown, BTreeSet::from(all.map(str::to_owned)));
    let registries = blocks(&text, "toml");
    assert_eq!(registries.len(), 1);
    Registry::check(registries[0], &schemas).expect("a registry");
}

/// Every Rust file under a folder, with its path.
fn rust_files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).expect("readable")));
        }
    }
}

/// Whether a text defines a name.
fn defines(text: &str, name: &str) -> bool {
    ["fn", "struct", "enum", "trait", "type", "const", "mod"].iter().any(|word| {
        text.split(&format!("{word} {name}"))
            .skip(1)
            .any(|after| !after.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
    })
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// A name such as `policy::decide`: one file has both, be it by its path.
fn is_in_the_tree(name: &str, sources: &[(String, String)]) -> bool {
    let name = name.trim_start_matches('&');
    let (room, inside) = name.split_once("::").map_or((name, None), |(room, inside)| (room, Some(inside)));
    sources.iter().any(|(path, text)| {
        let is_room = path.contains(&format!("/{room}/")) || path.ends_with(&format!("/{room}.rs"));
        let has_room = is_room || defines(text, room) || text.contains(&format!("impl {room} {{"));
        has_room && inside.is_none_or(|inside| defines(text, inside))
    })
}

#[test]
fn each_invariant_names_who_keeps_it_and_a_test_that_there_is() {
    let (mut sources, mut tests) = (Vec::new(), Vec::new());
    rust_files(&root().join("src"), &mut sources);
    rust_files(&root().join("tests"), &mut tests);
    tests.extend(sources.iter().cloned());
    let text = page("ARCHITECTURE.md");
    let section = text.split("## Invariants").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a table");
    let rows: Vec<Vec<&str>> =
        section.lines().filter(|line| line.starts_with("| ")).map(|line| line.split(" | ").collect()).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in &rows[1..] {
        let [rule, threat, keeper, test] = row[..] else { panic!("four columns: {row:?}") };
        assert!(rule.len() > 20 && threat.len() > 10, "{row:?}");
        let lost = quoted(keeper).find(|name| !is_in_the_tree(name, &sources));
        assert!(lost.is_none() && keeper.len() > 5, "nothing is called {lost:?}: {rule}");
        let is_test = |name: &str| {
            let marks = ["#[test]", "#[tokio::test"];
            let is_marked =
                |before: &str| marks.iter().any(|mark| before.rsplit("\n\n").next().is_some_and(|near| near.contains(mark)));
            tests.iter().any(|(_, text)| text.split_once(&format!("fn {name}()")).is_some_and(|(before, _)| is_marked(before)))
        };
        let names: Vec<&str> = quoted(test).collect();
        assert!(!names.is_empty(), "no test: {rule}");
        let lost = names.iter().find(|name| !is_test(name));
        assert!(lost.is_none(), "no test is called {lost:?}: {rule}");
    }
}

/// `docs/limits.md` says where a figure is set: each constant that it names is in the program with that value.
#[test]
fn the_page_of_limits_names_constants_that_there_are() {
    let constants = page("src/base/limits.rs");
    let text = page("docs/limits.md");
    let is_constant = |name: &&str| name.len() > 5 && name.bytes().all(|octet| octet.is_ascii_uppercase() || octet == b'_');
    let named: Vec<&str> = quoted(&text).filter(is_constant).collect();
    assert!(named.len() > 12, "{named:?}");
    let lost = named.iter().find(|name| !constants.contains(&format!("const {name}:")));
    assert!(lost.is_none(), "no constant is called {lost:?}");
    let settings = page("docs/configuration.md");
    let key = |name: &&str| name.starts_with("limits.") || name.starts_with("log.");
    let lost = quoted(&text).filter(key).find(|name| !settings.contains(&format!("| `{name}` |")));
    assert!(lost.is_none(), "no setting is called {lost:?}");
}

#[test]
fn the_readme_lists_every_command() {
    let output = Command::new(oncegate()).arg("help").output().expect("it starts");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let list = help.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list of commands");
    let readme = page("README.md");
    let table = readme.split("## Commands").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a table");
    let words: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).flat_map(quoted).collect();
    for command in list.lines().filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help") {
        let is_there = words.iter().any(|word| word.strip_prefix("oncegate ").unwrap_or(word).split(' ').next() == Some(command));
        assert!(is_there, "the README's table of commands lacks {command}");
    }
}
