//! The tables of the demo's holders: whoever reads what the demo says opens one, changes it, and has another answer.

use crate::folder::Folder;
use crate::process::{LONG, oncegate};
use crate::tool::said;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A demo that stays up, and what it says one can do.
struct Demo {
    child: Child,
    said: Vec<String>,
    /// What it says after that: nobody reads it, and it must not be cut off.
    _rest: BufReader<ChildStdout>,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo {
    fn start(folder: &Path) -> Self {
        let lines = std::fs::File::create(folder.join("lines")).expect("a file");
        let mut command = Command::new(oncegate());
        command.args(["demo", "--in"]).arg(folder.join("world")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(lines);
        let mut child = command.spawn().expect("it starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        // What it says last is of the town: by then all of this stands.
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains("oncegate agent check")) {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).expect("text") > 0, "it has ended: {said:?}");
            said.push(line);
        }
        Self { child, said, _rest: stdout }
    }

    fn line(&self, words: &str) -> String {
        self.said.iter().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {:?}", self.said)).trim().to_owned()
    }
}

fn run(line: &str) -> String {
    let programs = Path::new(oncegate()).parent().expect("a folder");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    said(&Command::new("bash").args(["-c", line]).env("PATH", path).stdin(Stdio::null()).output().expect("bash starts"))
}

/// Asks as the demo says, until the answer has these words.
fn asked_until(ask: &str, words: &str) -> String {
    let start = Instant::now();
    loop {
        let answer = run(ask);
        if answer.contains(words) {
            return answer;
        }
        assert!(start.elapsed() < LONG, "not {words}: {answer}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_reader_of_the_demo_changes_a_table_and_has_another_answer() {
    let folder = Folder::new();
    let demo = Demo::start(folder.path());
    let table = PathBuf::from(demo.line("absence-notes.csv"));
    let ask = demo.line("oncegate ask medical-absence-note --of XX-OGTEST:");
    let ask = ask.split(" -o ").next().expect("a command");
    let checked = run(&demo.line("oncegate agent check"));
    assert!(checked.contains("0 cannot become a document"), "{checked}");
    asked_until(ask, "illness");
    let text = std::fs::read_to_string(&table).expect("a table");
    let number = ask.split("XX-OGTEST:").nth(1).and_then(|rest| rest.split(' ').next()).expect("a number");
    let line = text.lines().find(|line| line.contains(number)).expect("a line of that number");
    // In its place, as editors write.
    let changed = text.replace(line, &line.replace("illness", "injury"));
    std::fs::write(&table, &changed).expect("written");
    asked_until(ask, "injury");
    std::fs::write(&table, changed.replace(line.split(';').next().expect("a cell"), "\"N-0")).expect("written");
    let start = Instant::now();
    loop {
        let lines = std::fs::read_to_string(folder.path().join("lines")).expect("lines");
        if lines.contains("the last good one stays in use") {
            break;
        }
        assert!(start.elapsed() < LONG, "{lines}");
        std::thread::sleep(Duration::from_millis(100));
    }
    asked_until(ask, "injury");
    std::fs::write(&table, text.replace(&format!("{line}\n"), "")).expect("written");
    let gone = asked_until(ask, "there is no record");
    assert!(gone.contains("signed"), "{gone}");
}
