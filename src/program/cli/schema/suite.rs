//! `oncegate schema suite`: a list of tests, what was expected of each, and what came.

use crate::base::limits;
use crate::host::schemas::guard::{bound_memory, guarded, on_a_large_stack};
use crate::host::schemas::{Folder, loose};
use crate::message::xsd::read::Loaded;
use crate::message::xsd::{SchemaError, Set, compile, judge};
use crate::program::cli::{Failure, Out, Outcome};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Run a list of tests of schemas and documents, and print what agrees and what does not.
#[derive(clap::Args)]
#[command(before_help = "Examples:\n  oncegate schema suite xsts/MANIFEST.tsv\n  oncegate schema suite own.tsv --json")]
pub(super) struct Suite {
    /// The list: set, group, kind (schema, instance), schemas with blanks between, instance or -, expected (valid, invalid);
    /// paths are relative to the list
    manifest: PathBuf,
    /// Run the tests from this one on, before that one, and print what came of each: the process that a suite starts
    #[arg(long, hide = true, num_args = 2, value_names = ["FROM", "BEFORE"])]
    share: Vec<usize>,
}

#[derive(Debug)]
struct Test {
    set: String,
    group: String,
    kind: Kind,
    schemas: Vec<String>,
    instance: String,
    expected: Validity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Instance,
    Schema,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Validity {
    Invalid,
    Valid,
}

/// Why a test was found invalid; nothing where it was found valid.
type Found = Option<String>;

impl Kind {
    fn as_str(self) -> &'static str {
        if self == Self::Schema { "schema" } else { "instance" }
    }
}

impl Validity {
    fn as_str(self) -> &'static str {
        if self == Self::Valid { "valid" } else { "invalid" }
    }
}

impl Suite {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let begun = Instant::now();
        let text = std::fs::read_to_string(&self.manifest);
        let text = text.map_err(|error| Failure::new(2, format_args!("{}: {error}", self.manifest.display())))?;
        let mut tests = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let test = Test::read(line);
            let wrong = |why| Failure::new(2, format_args!("{}:{}:1: {why}", self.manifest.display(), number + 1));
            tests.push(test.map_err(wrong)?);
        }
        let folder = self.manifest.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let folder = Folder::around(folder).map_err(|error| Failure::new(2, format_args!("{}: {error}", folder.display())))?;
        if let [from, before] = self.share[..] {
            return share(&folder, tests.get(from..before).unwrap_or_default());
        }
        let found = run_all(&self.manifest, tests.len())?;
        print(out, &tests, &found, begun.elapsed())
    }
}

impl Test {
    fn read(line: &str) -> Result<Self, String> {
        let [set, group, kind, schemas, instance, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err("a line has six columns with tabs between: set, group, kind, schemas, instance, expected".to_owned());
        };
        let kind = match kind {
            "schema" => Kind::Schema,
            "instance" => Kind::Instance,
            other => return Err(format!("the kind {other:?} is neither schema nor instance")),
        };
        let expected = match expected {
            "valid" => Validity::Valid,
            "invalid" => Validity::Invalid,
            other => return Err(format!("the expectation {other:?} is neither valid nor invalid")),
        };
        let schemas = schemas.split_ascii_whitespace().filter(|name| *name != "-").map(str::to_owned).collect();
        Ok(Self { set: set.to_owned(), group: group.to_owned(), kind, schemas, instance: instance.to_owned(), expected })
    }
}

/// Runs all tests, in as many shares as there are processors.
fn run_all(manifest: &Path, count: usize) -> std::io::Result<Vec<Found>> {
    let shares = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let length = count.div_ceil(shares).max(1);
    let ranges = (0..shares).map(|share| (share * length).min(count)..((share + 1) * length).min(count));
    let found: std::io::Result<Vec<Vec<Found>>> = std::thread::scope(|scope| {
        let running: Vec<_> = ranges.map(|range| scope.spawn(|| run_some(manifest, range))).collect();
        running.into_iter().map(|share| share.join().unwrap_or_else(|_| Ok(Vec::new()))).collect()
    });
    found.map(|found| found.concat())
}

/// Runs some tests in a process, and in another one from behind the test that ends it.
fn run_some(manifest: &Path, range: std::ops::Range<usize>) -> std::io::Result<Vec<Found>> {
    let mut found = Vec::with_capacity(range.len());
    while range.start + found.len() < range.end {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["schema", "suite"]).arg(manifest).arg("--share");
        command.args([range.start + found.len(), range.end].map(|at| at.to_string()));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let results = lines_of(child.stdout.take());
        let why = loop {
            match results.recv_timeout(Duration::from_millis(limits::SCHEMA_JUDGED_MS)) {
                Ok(result) => found.push(result),
                Err(RecvTimeoutError::Timeout) => break format!("did not end within {} s", limits::SCHEMA_JUDGED_MS / 1000),
                Err(RecvTimeoutError::Disconnected) => {
                    break "the process that ran it broke off, or took too much memory".to_owned();
                }
            }
        };
        child.kill()?;
        child.wait()?;
        if range.start + found.len() < range.end {
            found.push(Some(why));
        }
    }
    Ok(found)
}

fn lines_of(output: Option<ChildStdout>) -> Receiver<Found> {
    let (sender, results) = sync_channel(1024);
    std::thread::spawn(move || {
        for line in BufReader::new(output?).lines().map_while(Result::ok) {
            sender.send(serde_json::from_str(&line).ok()?).ok()?;
        }
        Some(())
    });
    results
}

/// The inside of such a process.
fn share(folder: &Folder, tests: &[Test]) -> Outcome {
    bound_memory(MEMORY_FACTOR)?;
    std::panic::set_hook(Box::new(|_| {}));
    let made: std::io::Result<()> = on_a_large_stack(|| {
        let mut bench = Bench { folder, roots: Vec::new(), loaded: None, set: None, judged: None };
        let mut out = std::io::stdout().lock();
        for test in tests {
            serde_json::to_writer(&mut out, &bench.run(test))?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        Ok(())
    });
    Ok(made?)
}

/// The set of the last test: the next one mostly has the same.
struct Bench<'f> {
    folder: &'f Folder,
    roots: Vec<String>,
    loaded: Option<Result<Loaded, SchemaError>>,
    set: Option<Result<Set, SchemaError>>,
    judged: Option<Result<(), SchemaError>>,
}

impl Bench<'_> {
    fn run(&mut self, test: &Test) -> Found {
        let document = match test.kind {
            Kind::Schema => None,
            Kind::Instance => match self.folder.read(&test.instance) {
                Ok(source) => Some(source.text),
                Err(error) => return Some(format!("{}: {error}", test.instance)),
            },
        };
        self.put(self.roots_of(test, document.as_deref()));
        let loaded = match self.loaded.as_ref() {
            Some(Ok(loaded)) => loaded,
            Some(Err(error)) => return Some(error.to_string()),
            None => return Some("nothing was read".to_owned()),
        };
        let set = match self.set.get_or_insert_with(|| guarded("compiling", || compile(loaded))) {
            Ok(set) => set,
            Err(error) => return Some(error.to_string()),
        };
        let Some(document) = document else {
            let judged = self.judged.get_or_insert_with(|| guarded("judging", || judge::judge(loaded)));
            return judged.as_ref().err().map(ToString::to_string);
        };
        let told = guarded("holding a document", || Ok(loose::hold(set, &document, 1)));
        match told {
            Ok(told) => told.first().map(|told| format!("{}:{}: {} {}", told.line, told.column, told.rule, told.what)),
            Err(error) => Some(error.to_string()),
        }
    }

    /// The schemas of a test, and those that its document names for namespaces which they do not have.
    fn roots_of(&self, test: &Test, document: Option<&str>) -> Vec<String> {
        let mut roots = test.schemas.clone();
        let hints = document.and_then(|document| loose::says(document).ok()).map_or(Vec::new(), |says| says.hints);
        for hint in hints {
            let Ok(Some(name)) = self.folder.find(&test.instance, &hint) else { continue };
            let target = |name: &str| self.folder.read(name).ok().and_then(|source| loose::target(&source));
            let Some(own) = target(&name) else { continue };
            if !roots.contains(&name) && roots.iter().all(|known| target(known).as_ref() != Some(&own)) {
                roots.push(name);
            }
        }
        roots
    }

    fn put(&mut self, roots: Vec<String>) {
        if self.loaded.is_none() || self.roots != roots {
            let names: Vec<&str> = roots.iter().map(String::as_str).collect();
            self.loaded = Some(guarded("reading", || self.folder.load(&names).map(|(loaded, _)| loaded)));
            (self.set, self.judged) = (None, None);
            self.roots = roots;
        }
    }
}

fn print(out: &Out, tests: &[Test], found: &[Found], took: Duration) -> Outcome {
    let mut rows: BTreeMap<(&str, Kind, Validity), (usize, usize)> = BTreeMap::new();
    let (mut agreed, mut wrong) = (0_usize, Vec::new());
    for (test, found) in tests.iter().zip(found) {
        let agrees = found.is_none() == (test.expected == Validity::Valid);
        let row = rows.entry((&test.set, test.kind, test.expected)).or_default();
        (row.0, row.1, agreed) = (row.0 + 1, row.1 + usize::from(agrees), agreed + usize::from(agrees));
        if !agrees {
            wrong.push((test, found.as_deref().unwrap_or("nothing was found wrong").replace('\n', " ")));
        }
    }
    let seconds = took.as_secs_f64();
    if out.is_json {
        let rows = rows.iter().map(|((set, kind, expected), (tests, agreed))| {
            serde_json::json!({ "set": set, "kind": kind.as_str(), "expected": expected.as_str(), "tests": tests, "agreed": agreed })
        });
        let wrong = wrong.iter().map(|(test, why)| {
            serde_json::json!({ "set": test.set, "group": test.group, "kind": test.kind.as_str(), "schemas": test.schemas,
                "instance": test.instance, "expected": test.expected.as_str(), "reason": why })
        });
        return out.print(
            serde_json::json!({ "format": 1, "table": rows.collect::<Vec<_>>(), "disagreements": wrong.collect::<Vec<_>>(),
            "tests": tests.len(), "agreed": agreed, "seconds": seconds }),
        );
    }
    out.print(format_args!("{:10}{:10}{:10}{:>7}{:>8}", "set", "kind", "expected", "tests", "agreed"))?;
    for ((set, kind, expected), (tests, agreed)) in &rows {
        out.print(format_args!("{set:10}{:10}{:10}{tests:7}{agreed:8}", kind.as_str(), expected.as_str()))?;
    }
    for (test, why) in &wrong {
        let file = if test.kind == Kind::Schema { test.schemas.join(" ") } else { test.instance.clone() };
        out.print(format_args!(
            "differs  {} {} {}: expected {}: {why}",
            test.group,
            test.kind.as_str(),
            file,
            test.expected.as_str()
        ))?;
    }
    let total = tests.len();
    #[expect(clippy::cast_precision_loss, reason = "a share, for people")]
    let share = if total == 0 { 100.0 } else { agreed as f64 * 100.0 / total as f64 };
    out.print(format_args!("all: {total} tests, {agreed} agreed ({share:.2} %), {} differ, {seconds:.1} s", total - agreed))
}

/// A process that runs many tests may have so many times the memory of one root.
const MEMORY_FACTOR: u64 = 4;
