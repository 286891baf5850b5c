//! Processes under measurement: started on a core of their own, their CPU time read from the scheduler's books.

use super::BenchError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The core of the clients and the provider.
pub const LOAD_CORE: usize = 0;
/// The core of whatever is measured.
pub const CORE: usize = 1;

/// Whether there are two cores to keep apart.
pub fn can_pin() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
}

/// Keeps the calling thread, and what it starts, on one core, where there is more than one.
pub fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    // Where that is forbidden the figures are noisier, and the report says so.
    let _ = sched_setaffinity(None, &cores);
}

/// Lets this process, and what it starts, have as many files open as the system allows.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where that is forbidden fewer connections are opened, and that is said.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// A process that ends with this value.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a program on the measured core; its standard error goes to a file.
    pub fn start(program: &[OsString], arguments: &[OsString], errors: &Path) -> Result<Self, BenchError> {
        let (name, first) = program.split_first().ok_or(BenchError::Workload("no program"))?;
        let file = std::fs::File::create(errors).map_err(|cause| BenchError::file(errors, cause))?;
        let mut command = Command::new(name);
        command.args(first).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        // A child begins on the cores of the thread that starts it.
        let started = std::thread::scope(|scope| {
            let starter = scope.spawn(|| {
                if can_pin() {
                    pin(CORE);
                }
                command.spawn()
            });
            starter.join()
        });
        let child = started
            .map_err(|_| BenchError::Workload("a thread ended"))?
            .map_err(|cause| BenchError::file(Path::new(name), cause))?;
        Ok(Self { child })
    }

    /// The CPU time that it has used. The scheduler's books are exact but forget threads that have ended; the process's
    /// own are kept in ticks of 10 ms.
    pub fn cpu(&self) -> Duration {
        let process = format!("/proc/{}", self.child.id());
        cpu_of_threads(&process).max(cpu_in_ticks(&process).unwrap_or_default())
    }

    /// Its resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib().0
    }

    /// Its resident memory in KiB, and how much of that is anonymous: the rest are pages of files.
    pub fn memory_kib(&self) -> (u64, u64) {
        memory_kib_of(&format!("/proc/{}", self.child.id()))
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, as an operator would, and waits for that.
    pub fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        for _ in 0..400 {
            if self.has_ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The resident memory of a process in KiB, by its folder in /proc.
pub fn resident_kib_of(process: &str) -> u64 {
    memory_kib_of(process).0
}

fn memory_kib_of(process: &str) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap_or_default();
    let figure = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    (figure("VmRSS:"), figure("RssAnon:"))
}

/// The first figure of each thread's schedstat: nanoseconds on a core.
pub fn cpu_of_threads(process: &str) -> Duration {
    let entries = std::fs::read_dir(format!("{process}/task")).into_iter().flatten().flatten();
    let spent = entries.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// Fields 14 and 15 of the process's stat (proc(5)): user and system time.
fn cpu_in_ticks(process: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("{process}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 10))
}
