//! Which registry was in force last: its version and the digest of its file, in `data/registry`.
//!
//! What a record says of a version must be what was in force then; so two contents never have one version, not over a restart
//! either. The file is only a memory: without it nothing is refused.

use crate::base::ids::Digest;
use crate::host::store::replace;
use std::io;
use std::path::Path;

/// A registry that was in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Its version.
    pub version: u64,
    /// The SHA-256 of its file.
    pub digest: Digest,
}

impl InForce {
    /// What was in force last, if that is known.
    pub fn read(data: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(data.join(NAME)).ok()?;
        let (version, digest) = text.trim_end().split_once(' ')?;
        Some(Self { version: version.parse().ok()?, digest: Digest::parse_hex(digest)? })
    }

    /// Remembers it.
    pub fn write(self, data: &Path) -> io::Result<()> {
        let text = format!("{} {}\n", self.version, self.digest);
        replace(&data.join(NAME), text.as_bytes(), 0o644)
    }

    /// Whether another content of this version was in force.
    pub fn contradicts(self, other: Self) -> bool {
        self.version == other.version && self.digest != other.digest
    }
}

/// The name of the file in `data`.
pub const NAME: &str = "registry";
