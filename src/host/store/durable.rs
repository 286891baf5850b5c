//! Files and folders that are there after a power cut once a function here has returned: octets, then their name.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces a file in one step: after a crash it is the old one or the new one, and once this returns the new one.
pub(crate) fn replace(path: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    // What a crash or somebody else has left there has a mode, an owner or a target of its own.
    let _ = std::fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_secret_goes_into_no_file_that_was_there_before() {
        let folder = std::env::temp_dir().join(format!("oncegate-durable-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        make_folder(&folder).expect("writable");
        let (secret, beside, elsewhere) = (folder.join("key"), folder.join("key.new"), folder.join("elsewhere"));
        let write = || {
            replace(&secret, b"secret", 0o600).expect("writable");
            let metadata = std::fs::symlink_metadata(&secret).expect("there");
            assert_eq!((metadata.is_file(), metadata.permissions().mode() & 0o777), (true, 0o600));
            assert_eq!(std::fs::read(&secret).expect("readable"), b"secret");
        };
        std::fs::write(&beside, "of others").expect("writable");
        std::fs::set_permissions(&beside, PermissionsExt::from_mode(0o644)).expect("ours");
        write();
        std::fs::write(&elsewhere, "").expect("writable");
        symlink(&elsewhere, &beside).expect("writable");
        write();
        assert_eq!(std::fs::read(&elsewhere).expect("readable"), b"");
        std::fs::remove_dir_all(&folder).expect("there");
    }
}
