//! A server of PostgreSQL for one test: a cluster of its own, which ends with it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The password of all roles.
pub const PASSWORD: &str = "Zq7Password";

/// A cluster with its server.
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    server: Option<Child>,
    /// What the server is started with beside what it needs.
    settings: Vec<String>,
}

/// How a server is told to stop.
#[derive(Clone, Copy)]
pub enum Stop {
    /// Connections are ended, and what they did is undone.
    Fast,
    /// At once, as in a power cut.
    Immediate,
}

impl Postgres {
    /// Makes a cluster and starts its server. The superuser `postgres` gets in by the socket without a password, everybody else needs theirs.
    pub fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("oncegate-pg-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // Where the server's user gets to; its own folders are deeper than a path of a socket may be long.
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a folder");
        if let Some((user, group)) = other_user() {
            chown(&folder, Some(user), Some(group)).expect("root may");
        }
        let made = as_server("initdb")
            .args(["--no-sync", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D"])
            .arg(folder.join("data"))
            .output();
        let made = made.expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(folder.join("data/pg_hba.conf"), rules).expect("written");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let mut this = Self { folder, port, server: None, settings: Vec::new() };
        this.run();
        this
    }

    /// The folder of its socket, and its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port))
    }

    /// Where it is by TCP.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Has the superuser do something, and gives what is said.
    pub fn sql(&self, sql: &str) -> String {
        let done = self.try_sql(sql);
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text").trim().to_owned()
    }

    /// Stops the server and starts it again, with these settings from now on.
    pub fn restart(&mut self, how: Stop, settings: &[&str]) {
        self.stop(how);
        self.settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        self.run();
    }

    /// Gives a file to the server's user, who alone may read it.
    pub fn give(&self, file: &Path) {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("a mode");
        if let Some((user, group)) = other_user() {
            chown(file, Some(user), Some(group)).expect("root may");
        }
    }

    fn try_sql(&self, sql: &str) -> Output {
        let mut psql = Command::new(binaries().join("psql"));
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-d",
            "postgres",
            "-p",
            &self.port.to_string(),
            "-h",
        ]);
        psql.arg(&self.folder).args(["-c", sql]).output().expect("psql starts")
    }

    fn run(&mut self) {
        let mut server = as_server("postgres");
        server.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "shared_buffers=16MB", "max_connections=20"] {
            server.args(["-c", setting]);
        }
        for setting in &self.settings {
            server.args(["-c", setting]);
        }
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).expect("a file");
        server.stdout(Stdio::null()).stderr(log);
        self.server = Some(server.spawn().expect("postgres starts"));
        let begun = Instant::now();
        while !self.try_sql("SELECT 1").status.success() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(60), "the server does not come up: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self, how: Stop) {
        let Some(mut server) = self.server.take() else { return };
        let pid = rustix::process::Pid::from_raw(server.id() as i32).expect("a process");
        let signal = match how {
            Stop::Fast => rustix::process::Signal::INT,
            Stop::Immediate => rustix::process::Signal::QUIT,
        };
        // The program that changes the user becomes the server, so this is the server.
        let _ = rustix::process::kill_process(pid, signal);
        let _ = server.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop(Stop::Immediate);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where Debian has the programs, of the newest version that there is.
fn binaries() -> PathBuf {
    let folders = fs::read_dir("/usr/lib/postgresql").expect("the package postgresql; tests/run installs it");
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = folders.filter_map(|entry| Some(entry.ok()?.path())).max_by_key(version);
    newest.expect("a version of PostgreSQL").join("bin")
}

/// The server refuses to be root, and then is the user that Debian made for it.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("users");
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == "postgres");
    let fields = fields.expect("the user postgres; the package postgresql makes it");
    Some((fields[2].parse().expect("a number"), fields[3].parse().expect("a number")))
}

fn as_server(program: &str) -> Command {
    let program = binaries().join(program);
    let Some((user, group)) = other_user() else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]).arg(program);
    command.current_dir("/");
    command
}
