//! Makes a witness's folder, and adds logs to its file.

use super::file::WitnessFile;
use super::state::{Witness, WitnessError, signer};
use crate::evidence::tlog::note::VerifierKey;
use crate::host::authority;
use crate::host::config::{ConfigError, read_bounded};
use crate::host::store::{make_folder, replace, sync_parent};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

impl WitnessFile {
    /// Makes a new witness in a folder: `witness.toml`, `witness.key` and `witness.state`. Gives its public key.
    pub fn create(folder: &Path, name: &str, listen: SocketAddr) -> Result<VerifierKey, WitnessError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| WitnessError::File(path, cause)
        };
        let (file, key) = (folder.join("witness.toml"), folder.join("witness.key"));
        let pem = authority::make_log_key().map_err(|_| WitnessError::Key(key.clone()))?;
        let signer = signer(&pem, name).filter(|_| !name.contains(['"', '\\']));
        let signer = signer.ok_or_else(|| WitnessError::Name(name.to_owned()))?;
        make_folder(folder).map_err(failed(folder))?;
        write_new(&key, &pem, 0o600).map_err(failed(&key))?;
        let text = format!(
            "format = 1\nname = \"{name}\"\nkey = \"witness.key\"\nstate = \"witness.state\"\nlisten = \"{listen}\"\n\n\
             # Each log that is witnessed:\n# [[log]]\n# key = \"name+hash+base64\"\n"
        );
        write_new(&file, &text, 0o644).map_err(failed(&file))?;
        Witness::create(&folder.join("witness.state"))?;
        Ok(signer.verifier().clone())
    }

    /// Adds a log to a witness's file; nothing is written unless the file is good with it.
    pub fn add_log(file: &Path, key: &VerifierKey) -> Result<(), WitnessError> {
        let text = read_bounded(file)? + &format!("\n[[log]]\nkey = \"{key}\"\n");
        let parsed = Self::parse(&text, Path::new(""));
        parsed.map_err(|(_, what)| ConfigError { file: file.to_owned(), line: 0, column: 0, what, suggestion: None })?;
        replace(file, text.as_bytes(), 0o644).map_err(|cause| WitnessError::File(file.to_owned(), cause))
    }
}

/// Never writes over what is there: a key that is gone takes the witness with it.
fn write_new(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    sync_parent(path)
}
