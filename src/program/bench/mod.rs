//! The benchmark: what one exchange costs, beside what it must cost and what others take, all in one run.
//!
//! The workload `exchange`: clients and a provider on one core, the gateway on another as a process of its own, both legs
//! mutual TLS 1.3 over loopback, HTTP/1.1, 32 exchanges open at once over the kept connections of 50 agencies. Each
//! request is signed and has an id of its own; each answer is signed and bound to its request; no step of the gateway
//! is left out. Whatever a figure is compared with runs in the same round: processors and disks differ from minute to
//! minute on shared machines, so only ratios within a run mean anything. `docs/performance.md` explains each row.

mod cases;
mod endurance;
mod forward;
mod load;
mod message;
mod model;
mod pair;
mod peers;
mod primitive;
mod process;
mod queue;
mod report;
mod rounds;
mod subscribers;
mod waiting;
mod world;

pub use cases::{Cases, Figure, cases};
pub use endurance::{Endurance, Point};
pub use forward::forward;
pub use message::{Template, Values};
pub use pair::{Pair, against, registry};
pub use primitive::canonical;
pub use queue::{Depth, queue};
pub use report::{Report, Row};
pub use subscribers::{Told, subscribers};
pub use waiting::{Waiting, waiting};

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is measured, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// This program: `run` and `bench --forward` are started from it.
    pub program: PathBuf,
    /// Which parts.
    pub extent: Extent,
    /// How long each part of a round counts.
    pub each: Duration,
    /// How many rounds; every figure is the median of theirs.
    pub rounds: usize,
    /// Where the run keeps its files; the journal's disk is that of this folder.
    pub folder: PathBuf,
}

/// Which parts are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The exchange and its comparands.
    Quick,
    /// Durability, memory, start and a large registry as well.
    Full,
}

impl Options {
    /// What is usual for an extent.
    pub fn new(extent: Extent, program: PathBuf) -> Self {
        let folder = std::env::temp_dir().join(format!("oncegate-bench-{}", std::process::id()));
        match extent {
            Extent::Quick => Self { program, extent, each: Duration::from_millis(800), rounds: 3, folder },
            Extent::Full => Self { program, extent, each: Duration::from_secs(2), rounds: 5, folder },
        }
    }
}

/// Why nothing could be measured.
#[derive(Debug)]
pub enum BenchError {
    /// A file could not be read or written.
    File(PathBuf, std::io::Error),
    /// The operating system refused.
    Io(std::io::Error),
    /// A connection broke.
    Http(hyper::Error),
    /// A key or certificate could not be made.
    Authority(crate::host::authority::AuthorityError),
    /// A connection could not be set up.
    Tls(crate::host::transport::TlsError),
    /// The registry is refused.
    Registry(crate::rules::registry::RegistryError),
    /// An exchange was refused: the status and the body.
    Answer(u16, String),
    /// A program did what it should not.
    Start(String),
    /// The workload is not what it should be.
    Workload(&'static str),
}

impl BenchError {
    fn file(path: &Path, cause: std::io::Error) -> Self {
        Self::File(path.to_owned(), cause)
    }
}

impl std::fmt::Display for BenchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, cause) => write!(f, "{}: {cause}", path.display()),
            Self::Io(cause) => write!(f, "{cause}"),
            Self::Http(cause) => write!(f, "{cause}"),
            Self::Authority(cause) => write!(f, "{cause}"),
            Self::Tls(cause) => write!(f, "{cause}"),
            Self::Registry(cause) => write!(f, "{cause}"),
            Self::Answer(status, body) => write!(f, "an exchange was answered with {status}: {body}"),
            Self::Start(what) => f.write_str(what),
            Self::Workload(what) => write!(f, "the workload is broken: {what}"),
        }
    }
}

impl std::error::Error for BenchError {}

impl From<crate::host::authority::AuthorityError> for BenchError {
    fn from(cause: crate::host::authority::AuthorityError) -> Self {
        Self::Authority(cause)
    }
}

impl From<crate::host::transport::TlsError> for BenchError {
    fn from(cause: crate::host::transport::TlsError) -> Self {
        Self::Tls(cause)
    }
}

/// Measures, and removes what it made. `progress` is told what is going on.
pub fn run(options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    if process::can_pin() {
        process::pin(process::LOAD_CORE);
    }
    let result = rounds::measure(options, progress);
    // What is left over in a folder for temporary files does no harm.
    let _ = std::fs::remove_dir_all(&options.folder);
    result
}

/// Measures what many exchanges leave behind, at each power of ten up to `most`; those beyond `driven` are written, not driven.
pub fn endure(options: &Options, most: u64, driven: u64, progress: &mut dyn FnMut(&str)) -> Result<Endurance, BenchError> {
    if process::can_pin() {
        process::pin(process::LOAD_CORE);
    }
    let result = endurance::endure(options, most, driven, progress);
    let _ = std::fs::remove_dir_all(&options.folder);
    result
}

fn words(list: &[&dyn AsRef<std::ffi::OsStr>]) -> Vec<OsString> {
    list.iter().map(|word| word.as_ref().to_os_string()).collect()
}
