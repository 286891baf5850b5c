//! Private keys in files: in the clear, or encrypted with the passphrase in a file beside them.

use crate::message::crypto::PrivateKey;
use crate::message::pki::{KeyDer, KeyError, find_encrypted, find_key};
use pkcs8::EncryptedPrivateKeyInfoRef;
use std::path::{Path, PathBuf};

/// Why a key file cannot be used: file and cause, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFileError(String);

impl std::fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeyFileError {}

/// Where the passphrase of a key is: `tls.key` has it in `tls.key.pass`.
pub fn passphrase_file(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".pass");
    name.into()
}

/// Reads the private key of a file.
pub fn read(path: &Path) -> Result<KeyDer, KeyFileError> {
    let failed = |cause: &dyn std::fmt::Display| KeyFileError(format!("{}: {cause}", path.display()));
    let octets = std::fs::read(path).map_err(|cause| failed(&cause))?;
    match find_key(&octets) {
        Err(KeyError::Encrypted) if passphrase_file(path).exists() => {
            let der = find_encrypted(&octets).map_err(|cause| failed(&cause))?;
            decrypt(&der, &passphrase_file(path))
        }
        found => found.map_err(|cause| failed(&cause)),
    }
}

/// Reads the private key of a file, for signing.
pub fn read_signing(path: &Path) -> Result<PrivateKey, KeyFileError> {
    read(path)?.for_signing().map_err(|cause| KeyFileError(format!("{}: {cause}", path.display())))
}

fn decrypt(der: &[u8], passphrase: &Path) -> Result<KeyDer, KeyFileError> {
    let failed = |cause: &dyn std::fmt::Display| KeyFileError(format!("{}: {cause}", passphrase.display()));
    let text = std::fs::read(passphrase).map_err(|cause| failed(&cause))?;
    // The line's end is the editor's.
    let line = text.strip_suffix(b"\n").unwrap_or(&text);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| {
        failed(&"the key beside it is encrypted by an algorithm that is not used here; openssl pkcs8 -topk8 -v2 aes256 makes one that is")
    })?;
    let plain = encrypted.decrypt(line).map_err(|_| failed(&"it is not the passphrase of the key beside it"))?;
    Ok(KeyDer::Pkcs8(plain.as_bytes().to_vec()))
}
