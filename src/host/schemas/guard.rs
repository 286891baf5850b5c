//! Compiling and judging where it can do no harm: in a process of its own, with limits of time and of memory.
//!
//! A schema set can be made so that no limit on its size bounds the work that it costs; and the judge is a foreign library. So
//! whatever hangs, panics or takes too much ends that process alone, and is a refusal with words.

use super::Folder;
use crate::base::limits;
use crate::message::crypto::sha256;
use crate::message::xsd::read::{Loaded, XS};
use crate::message::xsd::{SchemaError, Set, compile, judge};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// What was found out about a root and all that it names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The root's path inside the set.
    pub root: String,
    /// The digest of all that was read of it, in hexadecimal digits.
    #[serde(default)]
    pub content: String,
    /// All documents of it.
    pub files: Vec<String>,
    /// Its global elements, as `{namespace}name`.
    pub elements: Vec<String>,
    /// How many types it has.
    pub types: usize,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// What the process had taken by then, in KiB; nothing where that is not known.
    pub memory_kib: Option<u64>,
    /// What was taken leniently, and what is absent and was only to be imported.
    pub notes: Vec<String>,
    /// What is wrong.
    pub faults: Vec<Wrong>,
}

/// What is wrong with a set, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// In words.
    pub what: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)
    }
}

impl From<Wrong> for SchemaError {
    fn from(wrong: Wrong) -> Self {
        Self { file: wrong.file, line: wrong.line, column: wrong.column, what: wrong.what }
    }
}

impl From<SchemaError> for Wrong {
    fn from(error: SchemaError) -> Self {
        Self { file: error.file, line: error.line, column: error.column, what: error.what }
    }
}

/// Which files of a folder count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    Whole,
    /// Those that are named.
    Named,
}

/// Starts processes of this program, and ends them.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The program.
    pub program: PathBuf,
    /// How long one root may take.
    pub patience: Duration,
}

impl Guard {
    /// That of the running program, if it is one that answers to `schema hold`: see [`this_program_serves`].
    ///
    /// The file may have been replaced since, by an upgrade; what runs is still there by this name (proc(5)).
    pub fn of_this_program() -> Option<Self> {
        let program = PathBuf::from("/proc/self/exe");
        let program = if program.exists() { program } else { std::env::current_exe().ok()? };
        SERVES.get().map(|()| Self { program, patience: Duration::from_millis(limits::SCHEMA_JUDGED_MS) })
    }

    /// Holds roots of a folder, each for itself.
    pub fn hold(&self, folder: &Path, which: Which, roots: &[String]) -> io::Result<Vec<Verdict>> {
        let (mut verdicts, mut deaths) = (Vec::with_capacity(roots.len()), 0);
        while verdicts.len() < roots.len() {
            let rest = roots.get(verdicts.len()..).unwrap_or_default();
            if deaths >= DEATHS_MAX {
                verdicts.extend(rest.iter().map(|root| refused(root, "not looked at, after others took too much".to_owned())));
                break;
            }
            let mut process = Process::start(&self.program, folder, which, rest)?;
            let died = process.collect(&mut verdicts, rest.len(), self.patience);
            if let (Some(why), Some(root)) = (died, roots.get(verdicts.len())) {
                deaths += 1;
                verdicts.push(refused(root, why));
            }
        }
        Ok(verdicts)
    }
}

/// Says that this program, started anew with `schema hold`, is the process of a guard. A program of tests is none, and would run
/// its tests.
pub fn this_program_serves() {
    SERVES.get_or_init(|| ());
}

static SERVES: OnceLock<()> = OnceLock::new();

fn refused(root: &str, what: String) -> Verdict {
    let wrong = Wrong { file: root.to_owned(), line: 1, column: 1, what };
    Verdict { root: root.to_owned(), faults: vec![wrong], ..Verdict::default() }
}

/// A process that holds schemas; it ends with this value.
struct Process {
    child: Child,
    lines: Receiver<Verdict>,
}

impl Process {
    fn start(program: &Path, folder: &Path, which: Which, roots: &[String]) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(["schema", "hold"]).arg(folder);
        if which == Which::Whole {
            command.arg("--whole");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (mut input, output) = (child.stdin.take(), child.stdout.take());
        let names = roots.join("\n");
        std::thread::spawn(move || input.as_mut().map(|input| input.write_all(names.as_bytes())));
        let (sender, lines) = sync_channel(16);
        std::thread::spawn(move || {
            for line in BufReader::new(output?).lines().map_while(Result::ok) {
                sender.send(serde_json::from_str(&line).ok()?).ok()?;
            }
            Some(())
        });
        Ok(Self { child, lines })
    }

    /// Takes verdicts until there are enough; says why there are not.
    fn collect(&mut self, verdicts: &mut Vec<Verdict>, expected: usize, patience: Duration) -> Option<String> {
        for _ in 0..expected {
            match self.lines.recv_timeout(patience) {
                Ok(verdict) => verdicts.push(verdict),
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = patience.as_secs_f64();
                    return Some(format!(
                        "compiling and judging did not end within {seconds} s; make its groups and types simpler"
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => return Some(self.why()),
            }
        }
        None
    }

    /// Why the process ended before it had said all.
    fn why(&mut self) -> String {
        let mut said = String::new();
        if let Some(errors) = self.child.stderr.take() {
            let _ = errors.take(SAID_BYTES_MAX).read_to_string(&mut said);
        }
        if said.contains("memory allocation") {
            let mib = limits::SCHEMA_JUDGED_BYTES_MAX >> 20;
            return format!("compiling and judging took more than {mib} MiB of memory; make its groups and types simpler");
        }
        if said.contains("overflowed its stack") {
            return "compiling and judging is nested too deep; make its groups and types simpler".to_owned();
        }
        let status = self.child.wait().map_or(String::new(), |status| status.to_string());
        format!("compiling and judging broke off ({status}); {}", said.lines().next().unwrap_or("nothing was said"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The inside of such a process: reads roots, one a line, and writes a verdict for each.
pub fn serve(folder: &Path, which: Which, roots: impl BufRead, mut out: impl Write) -> io::Result<()> {
    bound_memory(1)?;
    // Whoever started it may be killed, and then nobody ends it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    std::panic::set_hook(Box::new(|_| {}));
    let opened = match which {
        Which::Whole => Folder::open(folder),
        Which::Named => Folder::around(folder),
    };
    for root in roots.lines() {
        let root = root?;
        let verdict = match &opened {
            Ok(folder) => on_a_large_stack(|| verdict(folder, &root)),
            Err(error) => refused(&root, error.to_string()),
        };
        serde_json::to_writer(&mut out, &verdict)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(())
}

/// Bounds what this process may take: so many times what a root may.
pub fn bound_memory(times: u64) -> io::Result<()> {
    let most = Some(limits::SCHEMA_JUDGED_BYTES_MAX.saturating_mul(times));
    Ok(setrlimit(Resource::As, Rlimit { current: most, maximum: most })?)
}

/// Deep schemas are bounded, and the bound is deeper than a usual stack.
pub fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).expect("a thread can be started");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Loads, compiles and judges.
fn verdict(folder: &Folder, root: &str) -> Verdict {
    let begun = Instant::now();
    let mut verdict = Verdict { root: root.to_owned(), ..Verdict::default() };
    match folder.load(&[root]) {
        Err(error) => verdict.faults.push(error.into()),
        Ok((loaded, faults)) => {
            verdict.faults.extend(faults.into_iter().map(Wrong::from));
            examine(&loaded, &mut verdict);
        }
    }
    verdict.ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    verdict.memory_kib = memory_kib();
    verdict
}

fn examine(loaded: &Loaded, verdict: &mut Verdict) {
    verdict.content = content(loaded);
    verdict.files = loaded.sources.iter().map(|source| source.name.clone()).collect();
    for absent in loaded.absent.iter().filter(|absent| absent.is_import) {
        let SchemaError { file, line, column, what } = &absent.error;
        if verdict.faults.iter().any(|known| (&known.file, known.line, known.column) == (file, *line, *column)) {
            continue;
        }
        verdict.notes.push(format!("{file}:{line}:{column}: {what}: its types are unknown here, and what is of them is refused"));
    }
    // Where a part is absent, all that refers to it would be wrong as well.
    if !verdict.faults.is_empty() {
        return;
    }
    let set = match guarded("compiling", || compile(loaded)) {
        Ok(set) => set,
        Err(error) => return verdict.faults.push(error.into()),
    };
    verdict.elements =
        set.global_elements().filter_map(|number| set.element(number)).map(|element| named(&set, element.name)).collect();
    verdict.elements.sort();
    let built_in = set.global_types().filter(|(name, _)| set.names().uri(*name) == XS).count();
    verdict.types = set.size().types.saturating_sub(built_in);
    verdict.notes.extend(set.notes());
    drop(set);
    verdict.faults.extend(guarded("judging", || judge::judge(loaded)).err().map(Wrong::from));
}

/// The digest of all that was read, by which what was judged is known again.
pub fn content(loaded: &Loaded) -> String {
    let mut octets = Vec::new();
    for source in &loaded.sources {
        octets.extend_from_slice(sha256(source.name.as_bytes()).octets());
        octets.extend_from_slice(sha256(source.text.as_bytes()).octets());
    }
    sha256(&octets).to_string()
}

/// Compiles a root in this process, after [`Guard::hold`] has said that it ends and is good.
pub fn compile_root(folder: &Folder, root: &str) -> Result<Set, SchemaError> {
    let (loaded, faults) = folder.load(&[root])?;
    faults.into_iter().next().map_or(Ok(()), Err)?;
    on_a_large_stack(|| guarded("compiling", || compile(&loaded)))
}

/// `{namespace}name`, or the name alone.
pub fn named(set: &Set, name: u32) -> String {
    let (uri, local) = (set.names().uri(name), set.names().local(name));
    if uri.is_empty() { local.to_owned() } else { format!("{{{uri}}}{local}") }
}

/// A panic is a refusal.
pub fn guarded<T>(what: &str, work: impl FnOnce() -> Result<T, SchemaError>) -> Result<T, SchemaError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        let what = format!("{what} gave up on it: {}", words.unwrap_or("nothing was said"));
        Err(SchemaError { file: String::new(), line: 1, column: 1, what })
    })
}

/// The most memory that this process has had.
fn memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// So many roots may end badly before the others are left.
const DEATHS_MAX: usize = 3;
const SAID_BYTES_MAX: u64 = 4096;
const STACK_BYTES: usize = 128 << 20;
