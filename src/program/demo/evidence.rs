//! What somebody who has the disk, and the log's key, may try: the demo does it to copies of its database, and shows who
//! finds it.

use super::WorldError;
use crate::base::time::UnixTime;
use crate::evidence::journal::{Commit, Erasure, Frame, FrameKind, From, Header, read_frame, walk, write_frame};
use crate::evidence::tlog::note::VerifierKey;
use crate::evidence::tlog::tree::{Edge, Hash, Head};
use crate::gateway::witness::{Service, Witness, WitnessError, WitnessFile, serve};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A witness that somebody else would run.
pub struct DemoWitness {
    listener: TcpListener,
    file: PathBuf,
    key: VerifierKey,
    address: SocketAddr,
}

impl DemoWitness {
    /// Makes a witness in a folder, with a port of its own.
    pub async fn make(folder: &Path) -> Result<Self, WorldError> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        std::fs::create_dir_all(folder)?;
        let key = WitnessFile::create(folder, "witness.demo.example", address).map_err(as_io)?;
        Ok(Self { listener, file: folder.join("witness.toml"), key, address })
    }

    /// Its public key.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The lines by which a gateway has its checkpoints cosigned here.
    pub fn configuration(&self) -> String {
        format!(
            "witness_seconds = 1\n\n[[log.witness]]\nkey = \"{}\"\nurl = \"http://{}{}\"\n",
            self.key,
            self.address,
            crate::gateway::witness::ROUTE_PREFIX
        )
    }

    /// Witnesses the log with this key, until the sender is gone.
    pub fn serve(self, log: &VerifierKey) -> Result<watch::Sender<bool>, WorldError> {
        WitnessFile::add_log(&self.file, log).map_err(as_io)?;
        let file = WitnessFile::load(&self.file).map_err(|error| std::io::Error::other(error.to_string()))?;
        let witness = Witness::open(&file).map_err(as_io)?;
        let service = Service::new(Arc::new(witness), crate::gateway::witness::ROUTE_PREFIX, Arc::new(|_: &str| ()));
        let (stopping, stopped) = watch::channel(false);
        tokio::spawn(serve(self.listener, service, stopped));
        Ok(stopping)
    }
}

fn as_io(error: WitnessError) -> WorldError {
    WorldError::Io(std::io::Error::other(error.to_string()))
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn segment(data: &Path) -> PathBuf {
    data.join("log/seg-000000")
}

/// Writes another word into a record of the first segment, and makes its checksum fit.
pub fn change_record(data: &Path, index: u64) -> std::io::Result<()> {
    let mut octets = std::fs::read(segment(data))?;
    let mut place = None;
    walk(&octets, From { offset: 0, size: 0 }, Erasure::Possible, |offset, frame| {
        if frame.seq == index {
            place = Some(offset);
        }
    });
    let missing = || std::io::Error::other("there is no such record");
    let offset = place.ok_or_else(missing)?;
    let (frame, length) = read_frame(octets.get(offset..).unwrap_or_default(), Erasure::Possible).map_err(|_| missing())?;
    let leaf = String::from_utf8_lossy(frame.leaf).replace("\"k\":\"req\"", "\"k\":\"err\"");
    let mut changed = Vec::new();
    write_frame(&Frame { leaf: leaf.as_bytes(), ..frame }, &mut changed);
    octets.get_mut(offset..offset + length).ok_or_else(missing)?.copy_from_slice(&changed);
    std::fs::write(segment(data), octets)
}

/// Writes the journal anew without one record, with the last one twice so that the number is right, and removes all that is
/// derived from it: what is left fits together.
pub fn drop_record(data: &Path, index: u64) -> std::io::Result<()> {
    let octets = std::fs::read(segment(data))?;
    let (mut edge, mut out) = (Edge::new(), Vec::new());
    let time = UnixTime::from_ms(0);
    let empty = Head { size: 0, root: Hash::of_empty() };
    Header { head: empty, volume: 0 }.write(&mut out);
    Commit { head: empty, start: 0, time }.write(&mut out);
    let mut records = Vec::new();
    walk(&octets, From { offset: 0, size: 0 }, Erasure::Possible, |_, frame| records.push(frame));
    let last = records.last().copied();
    for frame in records.into_iter().chain(last) {
        if frame.seq != index && frame.kind == FrameKind::Record {
            let start = out.len() as u64;
            write_frame(&Frame { seq: edge.size(), ..frame }, &mut out);
            edge.push(frame.hash(), |_, _| {});
            Commit { head: Head { size: edge.size(), root: edge.root() }, start, time }.write(&mut out);
        }
    }
    std::fs::write(segment(data), out)?;
    for derived in ["tree", "live-000000"] {
        std::fs::remove_dir_all(data.join("log").join(derived))?;
    }
    Ok(())
}
