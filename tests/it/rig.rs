//! A file system whose power can be cut: ext4 on a loop device, in a mount namespace of its own, so that nothing is left when
//! the test ends. It writes nothing by itself within minutes; a cut makes it forget all that it has not written.
//!
//! What a cut leaves is what the device was given. With [`Device::Caching`] the device is a file on a second ext4 in the
//! first one's place, and that one is cut: what the device was given since it was last told to flush is gone too.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What the device does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// It keeps it.
    Plain,
    /// It keeps what it was told to flush, and forgets the rest.
    Caching,
    /// The same, and the file system does not tell it to flush.
    CachingUnflushed,
    /// No device: a small file system in memory, which is soon full.
    Memory,
}

/// A mounted file system.
pub struct Rig {
    holder: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    folder: PathBuf,
    at: PathBuf,
    device: Device,
}

/// The shell's functions: `make` begins with nothing, `up` mounts, `down` unmounts.
const SCRIPT: &str = r#"
quiet=noatime,commit=900
make_on() { rm -f "$1" && truncate -s "${2:-400M}" "$1" && mkfs.ext4 -q -F -m 0 -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 "$1"; }
up() {
    case $device in
    Plain) mount -o loop,$quiet,noinit_itable "$folder/device" "$at" ;;
    Memory) mount -t tmpfs -o size=16m none "$at" ;;
    *)
        mount -o loop,$quiet,noinit_itable "$folder/host" "$folder/outer" || return 1
        if [ -n "$1" ]; then make_on "$folder/outer/device" && sync -f "$folder/outer/device" || return 1; fi
        barrier=1; if [ $device = CachingUnflushed ]; then barrier=0; fi
        mount -o loop,$quiet,noinit_itable,barrier=$barrier "$folder/outer/device" "$at" ;;
    esac
}
down() {
    umount "$at" || return 1
    case $device in Caching*) umount "$folder/outer" ;; esac
}
make() {
    mkdir -p "$folder/outer"
    case $device in
    Plain) make_on "$folder/device" ;;
    Caching*) make_on "$folder/host" 600M ;;
    esac || return 1
    up new
}
"#;

impl Rig {
    /// Mounts a new file system at a folder; or says why that cannot be done here.
    pub fn new(at: &Path, device: Device) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let memory = Path::new("/dev/shm");
        let under = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let name = format!("oncegate-power-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = under.join(name);
        fs::create_dir_all(&folder).map_err(|cause| cause.to_string())?;
        let mut command = Command::new("unshare");
        command.args(["-m", "sh"]).env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        command.env("folder", &folder).env("at", at).env("device", format!("{device:?}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().map_err(|cause| format!("unshare: {cause}"))?;
        let (to, from) = (holder.stdin.take(), BufReader::new(holder.stdout.take().expect("piped")));
        let mut rig = Self { holder, to, from, folder, at: at.to_owned(), device };
        rig.run(&format!("exec 2>&1{SCRIPT}")).map_err(|_| rig.said())?;
        rig.begin_anew_from("make")?;
        Ok(rig)
    }

    fn begin_anew_from(&mut self, command: &str) -> Result<(), String> {
        self.run(command).map(drop)
    }

    /// An empty file system.
    pub fn begin_anew(&mut self) {
        self.begin_anew_from("down && make").expect("it was mounted before");
    }

    /// Has the shell that holds the mounts do something.
    fn run(&mut self, command: &str) -> Result<String, String> {
        let to = self.to.as_mut().expect("it is there until this is dropped");
        let sent = to.write_all(format!("{command}\necho \"= $?\"\n").as_bytes()).and_then(|()| to.flush());
        sent.map_err(|cause| cause.to_string())?;
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line).expect("readable") == 0 {
                return Err(format!("{said}the shell has ended"));
            }
            match line.strip_prefix("= ") {
                Some("0\n") => return Ok(said),
                Some(status) => return Err(format!("{command}: {said} {status}")),
                None => said += &line,
            }
        }
    }

    /// Why the shell is not there.
    fn said(&mut self) -> String {
        let mut said = String::new();
        if let Some(mut from) = self.holder.stderr.take() {
            let _ = from.read_to_string(&mut said);
        }
        said
    }

    /// What a path below the mount is called for those outside.
    pub fn inside(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), self.at.display()))
    }

    /// A program that sees the mount.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("-t").arg(self.holder.id().to_string()).args(["-m", program]);
        command
    }

    /// Gets everything ready, so that a cut is a matter of microseconds.
    pub fn arm(&self) -> Armed {
        let host = match self.device {
            Device::Plain => self.inside(),
            _ => PathBuf::from(format!("/proc/{}/root{}/outer", self.holder.id(), self.folder.display())),
        };
        // EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: from now on nothing is written any more.
        const SCRIPT: &str = "import fcntl, os, struct, sys\n\
            place = os.open(sys.argv[1], os.O_RDONLY)\n\
            print('armed', flush=True)\n\
            sys.stdin.readline()\n\
            fcntl.ioctl(place, 0x8004587d, struct.pack('I', 2))\n\
            print('cut', flush=True)\n";
        let mut command = Command::new("python3");
        command.args(["-c", SCRIPT]).arg(host).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut from = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        from.read_line(&mut line).expect("readable");
        assert_eq!(line, "armed\n");
        let to = child.stdin.take().expect("piped");
        Armed { child, to, from }
    }

    /// Power is back; whoever used the file system has ended.
    pub fn restore(&mut self) {
        self.run("down && up").expect("it was mounted before");
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.run("down");
        drop(self.to.take());
        let _ = self.holder.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A hand on the switch.
pub struct Armed {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Armed {
    /// Cuts the power.
    pub fn cut(mut self) {
        self.to.write_all(b"\n").expect("it waits");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("readable");
        assert_eq!(line, "cut\n");
        let ended = self.child.wait().expect("it ends");
        assert!(ended.success(), "{ended}");
    }
}
