//! Programs of the agency, as sources: whatever can be asked by one is not in our dependencies.
//!
//! A program is started for each question, without a shell. It reads the question as one line of JSON and writes a line of JSON for each
//! row; that it wrote none and ended well says that there is none. It has no environment but what is said, little time, little processor
//! time, few files, and is killed with all that it has started. What it says to its error output goes nowhere, since it may repeat
//! values.

use super::answer::{Gathering, Presence, Question, columns, now, optional, rows_max, too_large, within, within_ms};
use super::json::{Json, Members, put};
use super::{CommandConfig, SourceError};
use crate::base::fault::Code;
use crate::base::limits;
use crate::exchange::mapping::{Asked, Table};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// A program that is asked.
pub(super) struct CommandSource {
    program: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
    columns: Arc<[Box<str>]>,
    presences: Vec<Presence>,
    deadline: Duration,
    rows_max: usize,
    room: Semaphore,
}

impl CommandSource {
    pub fn open(config: &CommandConfig, folder: &Path) -> Result<Self, SourceError> {
        let wrong = |what: String| SourceError::new(Code::AgtFile, what);
        if !config.program.is_absolute() {
            return Err(wrong("program is a path from the root on".to_owned()));
        }
        let path = config.program.display();
        let metadata = std::fs::metadata(&config.program).map_err(|cause| wrong(format!("{path}: {}", cause.kind())))?;
        let mode = metadata.permissions().mode();
        if !metadata.is_file() || mode & 0o111 == 0 {
            return Err(wrong(format!("{path} is no program")));
        }
        if mode & 0o002 != 0 {
            return Err(wrong(format!("{path} may be changed by anybody; chmod o-w takes that from them")));
        }
        let columns = columns(config.columns.iter().map(String::as_str))?;
        let most = limits::SOURCE_PARALLEL_MAX;
        let said = config.deadline.map(super::Span::duration);
        Ok(Self {
            program: config.program.clone(),
            arguments: config.arguments.clone(),
            environment: config.environment.0.clone(),
            folder: folder.to_owned(),
            presences: optional(&config.optional, &columns)?,
            columns,
            deadline: within_ms("deadline", said, limits::SOURCE_ANSWER_MS, limits::SOURCE_ANSWER_MS)?,
            rows_max: rows_max(config.rows_max)?,
            room: Semaphore::new(within("at_once", config.at_once, most, most)?),
        })
    }

    pub fn columns(&self) -> Arc<[Box<str>]> {
        Arc::clone(&self.columns)
    }

    pub async fn rows(&self, asked: &Asked) -> Result<Table, SourceError> {
        let question = Question::of(asked).line()?;
        let run = async {
            let _room = self.room.acquire().await.map_err(|_| unavailable("no program is started any more"))?;
            self.run(&question).await
        };
        let ended =
            timeout(self.deadline, run).await.map_err(|_| unavailable("the program gave no answer in time, and was killed"))?;
        let (output, status) = ended?;
        if !status.success() {
            let how = status.code().map_or("by a signal".to_owned(), |code| format!("with {code}"));
            return Err(unavailable(format!("the program ended {how}; only 0 says that its answer counts")));
        }
        self.read(&output)
    }

    /// Starts the program, and waits for its end and its output. If nobody waits any more, it is killed.
    async fn run(&self, question: &[u8]) -> Result<(Vec<u8>, ExitStatus), SourceError> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().env("PATH", PATH).envs(&self.environment).current_dir(&self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|cause| unavailable(format!("the program cannot be started: {}", cause.kind())))?;
        let group = Group::of(&child);
        group.limit(self.deadline);
        let (Some(input), Some(mut output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(unavailable("the program has no input or output"));
        };
        let mut read = Vec::new();
        // A program that does not read its question may still answer it.
        let status = {
            let (written, ended) = (write(input, question), end(&mut child, &mut output, &mut read));
            let (mut written, mut ended) = (std::pin::pin!(written), std::pin::pin!(ended));
            tokio::select! {
                ended = ended.as_mut() => ended?,
                () = written.as_mut() => ended.await?,
            }
        };
        // Whatever the program has left behind would hold its output open, and go on.
        drop(group);
        let rest = timeout(Duration::from_millis(limits::SOURCE_PROGRAM_END_MS), drain(&mut output, &mut read)).await;
        rest.unwrap_or(Ok(()))?;
        Ok((read, status))
    }

    fn read(&self, output: &[u8]) -> Result<Table, SourceError> {
        let mut gathering = Gathering::new(&self.columns, self.rows_max);
        for (at, line) in output.split(|octet| *octet == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                self.row(line, &mut gathering).map_err(|error| SourceError {
                    code: error.code,
                    what: format!("line {} of the program's output: {}", at + 1, error.what),
                })?;
            }
        }
        Ok(gathering.finish(now()))
    }

    fn row(&self, line: &[u8], gathering: &mut Gathering) -> Result<(), SourceError> {
        let changed = |what: String| SourceError::new(Code::SrcChanged, what);
        let no_json = |_| unavailable("it is no JSON, or has a name twice in one object");
        let Json::Object(Members(mut members)) = Json::parse(line).map_err(no_json)? else {
            return Err(changed("it is no object".to_owned()));
        };
        for (name, presence) in self.columns.iter().zip(&self.presences) {
            put(members.remove(&**name).map(Json::of).transpose().map_err(no_json)?, name, *presence, gathering)?;
        }
        // What is not in columns may be a value by mistake, so its name is not said.
        if members.is_empty() {
            gathering.end_row(None)
        } else {
            Err(changed("it has a column that is not in columns".to_owned()))
        }
    }
}

async fn write(mut input: ChildStdin, question: &[u8]) {
    // A program that has ended without reading is judged by how it ended.
    let _ = input.write_all(question).await;
    let _ = input.shutdown().await;
}

/// Reads the output until the program has ended.
async fn end(child: &mut Child, output: &mut ChildStdout, read: &mut Vec<u8>) -> Result<ExitStatus, SourceError> {
    let failed = |cause: std::io::Error| unavailable(format!("the program cannot be waited for: {}", cause.kind()));
    tokio::select! {
        status = child.wait() => return status.map_err(failed),
        drained = drain(output, read) => drained?,
    }
    child.wait().await.map_err(failed)
}

/// Reads to the end of the output, and no more than an answer may have.
async fn drain(output: &mut ChildStdout, read: &mut Vec<u8>) -> Result<(), SourceError> {
    loop {
        let octets = output.read_buf(read).await.map_err(|cause| unavailable(format!("its output: {}", cause.kind())))?;
        if read.len() > limits::SOURCE_ANSWER_BYTES_MAX {
            return Err(too_large());
        }
        if octets == 0 {
            return Ok(());
        }
    }
}

/// A program with all that it has started; it is killed with this.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Bounds what it may use. What cannot be bounded is bounded by the deadline all the same.
    fn limit(&self, deadline: Duration) {
        for (resource, most) in [(Resource::Cpu, deadline.as_secs() + 1), (Resource::Nofile, FILES_MAX), (Resource::Core, 0)] {
            let _ = prlimit(self.0, resource, Rlimit { current: Some(most), maximum: Some(most) });
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn unavailable(what: impl Into<String>) -> SourceError {
    SourceError::new(Code::SrcUnavailable, what)
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const FILES_MAX: u64 = 256;
