//! What the pages say is held to what the program does: the README's demo and quick start, the table of invariants, the names
//! of limits.

use crate::folder::Folder;
use crate::process::oncegate;
use crate::tool::{free_port, root, said};
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

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let output = Command::new(oncegate()).args(["demo", "--once"]).stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{}", said(&output));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
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
        "1 checkpoints hold",
    ] {
        let (_, after) = rest.split_once(words).unwrap_or_else(|| panic!("no {words:?} at its place:\n{}", said(&output)));
        rest = after;
    }
    assert!(err.contains("OG-POL-002") && err.contains("the holder states, signed, that there is no record"), "{err}");
}
