//! How a command speaks to the running gateway of the same folder: a Unix socket in `data` that only its owner may open.
//!
//! One call is one line with the name of a command and what it is about, and one line of JSON back. What passes is for the owner of the
//! folder alone, who could do all of it otherwise.

use crate::base::limits;
use crate::host::store::Position;
use serde::{Deserialize, Serialize};
use std::fs::{File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as Blocking;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What a gateway can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Read schemas, registry, certificates and revocation lists again.
    Reload,
    /// Say when each holder answered last.
    Holders,
    /// Say up to where the log is durable.
    Durable,
    /// Say what stands at each holder.
    Standings,
    /// Make a link that signs somebody in at the console: who, in JSON.
    Link(String),
    /// Sign out everybody of a name.
    SignOut(String),
    /// Say by the code alone why answers to a question were refused.
    Causes(String),
}

const COMMANDS: &[(&str, Command)] = &[
    ("reload", Command::Reload),
    ("holders", Command::Holders),
    ("durable", Command::Durable),
    ("standings", Command::Standings),
];

impl Command {
    fn line(&self) -> String {
        match self {
            Self::Link(who) => format!("link {who}"),
            Self::SignOut(name) => format!("sign-out {name}"),
            Self::Causes(id) => format!("causes {id}"),
            plain => COMMANDS.iter().find(|(_, known)| known == plain).map_or("", |(name, _)| name).to_owned(),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            Some(("link", who)) => Some(Self::Link(who.to_owned())),
            Some(("sign-out", name)) => Some(Self::SignOut(name.to_owned())),
            Some(("causes", id)) => Some(Self::Causes(id.to_owned())),
            _ => COMMANDS.iter().find(|(name, _)| *name == line).map(|(_, command)| command.clone()),
        }
    }
}

/// What it says to that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What is in force now.
    pub taken: Vec<String>,
    /// What it did not take, and why; what was in force before still is.
    pub refused: Vec<String>,
    /// Sets of schemas that are refused as they lie in the folder, line by line; what was in force of them before still is.
    #[serde(default)]
    pub bad: Vec<String>,
    /// Each holder, with the time of its last answer in milliseconds since 1970, if there was one.
    #[serde(default)]
    pub holders: Vec<(String, Option<u64>)>,
    /// Up to where the log is durable.
    #[serde(default)]
    pub durable: Option<Position>,
    /// What stands at each holder that was asked since the start.
    #[serde(default)]
    pub standings: Vec<HolderStanding>,
    /// A link that signs in once.
    #[serde(default)]
    pub link: Option<String>,
    /// Codes of what was wrong with the answers to a question.
    #[serde(default)]
    pub causes: Vec<String>,
}

/// What stands at a holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HolderStanding {
    /// The holder.
    pub holder: String,
    /// Requests that it has.
    pub requests: usize,
    /// Requests that wait for a place.
    pub waiting: usize,
    /// `asked`, `left-alone` or `tried`.
    pub state: String,
    /// For how long it is left alone.
    pub wait_ms: Option<u64>,
}

/// The gateway's end.
pub struct Control {
    listener: UnixListener,
    folder: File,
}

/// A command that waits for its answer.
pub struct Call {
    /// The command.
    pub command: Command,
    stream: UnixStream,
}

impl Control {
    /// Opens the socket. Whoever opens the store of this folder is its only gateway, so a socket that is there is of one that
    /// was killed.
    pub fn open(data: &Path) -> io::Result<Self> {
        let folder = File::open(data)?;
        let path = within(&folder);
        match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self { listener, folder })
    }

    /// The next command. Whoever sends no command in time, or an unknown one, is hung up on.
    pub async fn next(&self) -> Call {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let mut line = String::new();
            let mut reader = tokio::io::BufReader::new((&mut stream).take(limits::CONTROL_BYTES_MAX));
            let read = tokio::time::timeout(Duration::from_millis(limits::CONTROL_LINE_MS), reader.read_line(&mut line)).await;
            if let (Ok(Ok(_)), Some(command)) = (read, Command::parse(line.trim_end_matches('\n'))) {
                return Call { command, stream };
            }
        }
    }
}

/// A gateway that ends leaves no socket; the next one that opens the store begins after this.
impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(within(&self.folder));
    }
}

impl Call {
    /// Says what became of it. A command that went away does not matter.
    pub async fn answer(mut self, answer: &Answer) {
        let line = serde_json::to_string(answer).unwrap_or_default() + "\n";
        let _ = self.stream.write_all(line.as_bytes()).await;
    }
}

/// Tells the gateway that runs on this folder, if one does.
pub fn call(data: &Path, command: Command) -> io::Result<Option<Answer>> {
    let folder = match File::open(data) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        folder => folder?,
    };
    let mut stream = match Blocking::connect(within(&folder)) {
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(None),
        stream => stream?,
    };
    let patience = if command == Command::Reload { limits::RELOAD_MS } else { limits::CONTROL_MS };
    stream.set_read_timeout(Some(Duration::from_millis(patience)))?;
    stream.write_all(format!("{}\n", command.line()).as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(limits::CONTROL_BYTES_MAX)).read_line(&mut line)?;
    serde_json::from_str(&line).map(Some).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))
}

/// A socket's path has at most 107 octets (unix(7)); a folder's may have more, so it is named by its descriptor.
fn within(folder: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(NAME)
}

/// The name of the socket in `data`.
pub const NAME: &str = "control";
const PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_any_length_has_a_gateway_or_has_none() {
        let folder = std::env::temp_dir().join(format!("og-control-{}-{}", std::process::id(), "x".repeat(120)));
        assert_eq!(call(&folder, Command::Reload).expect("no folder"), None);
        std::fs::create_dir_all(&folder).expect("a folder");
        assert_eq!(call(&folder, Command::Reload).expect("no socket"), None);
        let answer = Answer { taken: vec!["registry version 2 is in force".to_owned()], ..Answer::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let control = {
            let _inside = runtime.enter();
            Control::open(&folder).expect("a socket")
        };
        let expected = answer.clone();
        let serving = runtime.spawn(async move { control.next().await.answer(&answer).await });
        assert_eq!(call(&folder, Command::Reload).expect("an answer"), Some(expected));
        runtime.block_on(serving).expect("it served");
        // It left with its gateway; one that was killed leaves it.
        assert!(!folder.join(NAME).exists());
        let opened = File::open(&folder).expect("a folder");
        drop(std::os::unix::net::UnixListener::bind(within(&opened)).expect("a socket"));
        assert_eq!(call(&folder, Command::Reload).expect("nobody"), None);
        let _inside = runtime.enter();
        drop(Control::open(&folder).expect("again"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
