//! Files and folders that are there after a power cut once a function here has returned: octets, then their name.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces a file in one step: after a crash it is the old one or the new one, and once this returns the new one.
pub(crate) fn replace(path: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.write_all(octets)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    sync_parent(path)
}

/// Makes a folder, and those above it that are not there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent(path);
    make_folder(parent)?;
    match std::fs::create_dir(path) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(cause),
        _ => sync_directory(parent),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a file's name durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    sync_directory(parent(path))
}

/// The folder that a name is in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
