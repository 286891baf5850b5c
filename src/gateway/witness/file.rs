//! The file of a witness, in TOML: its name, key and state, where it listens, and the logs that it knows.

use crate::base::fault;
use crate::base::limits;
use crate::evidence::tlog::note::{Role, VerifierKey};
use crate::host::config::{ConfigError, place, read_bounded};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A checked file of a witness.
#[derive(Clone, Debug)]
pub struct WitnessFile {
    /// Its name, which its key is bound to.
    pub name: String,
    /// Its private key, PKCS#8 in PEM.
    pub key: PathBuf,
    /// Its state.
    pub state: PathBuf,
    /// Where it listens, if it is a program of its own.
    pub listen: SocketAddr,
    /// What its paths begin with: empty, or a path without a solidus at its end.
    pub prefix: String,
    /// The keys of the logs that it knows. A log may have several.
    pub logs: Vec<VerifierKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    format: Spanned<u32>,
    name: String,
    key: String,
    state: String,
    listen: Option<Spanned<String>>,
    #[serde(default)]
    prefix: Option<Spanned<String>>,
    #[serde(default)]
    log: Vec<RawLog>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    key: Spanned<String>,
}

impl WitnessFile {
    /// Reads a witness's file; paths in it are relative to it.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = read_bounded(file)?;
        Self::parse(&text, file.parent().unwrap_or(Path::new(""))).map_err(|(offset, what)| {
            let (line, column) = place(&text, offset);
            let suggestion = fault::suggestion(&what);
            ConfigError { file: file.to_owned(), line, column, what, suggestion }
        })
    }

    /// Reads the text of a witness's file; a refusal has its offset in the text. No file is opened.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, (usize, String)> {
        let raw: Raw =
            toml::from_str(text).map_err(|error| (error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        if *raw.format.get_ref() != 1 {
            return Err((raw.format.span().start, "this program reads format = 1".to_owned()));
        }
        if raw.log.len() > limits::WITNESSED_LOGS_MAX {
            return Err((0, format!("more than {} logs", limits::WITNESSED_LOGS_MAX)));
        }
        let mut logs: Vec<VerifierKey> = Vec::with_capacity(raw.log.len());
        for log in &raw.log {
            let wrong = |what: String| (log.key.span().start, what);
            let key = VerifierKey::parse(log.key.get_ref()).map_err(|error| wrong(error.to_string()))?;
            if key.role() != Role::Log {
                return Err(wrong("the key is a witness's, not a log's".to_owned()));
            }
            if logs.contains(&key) {
                return Err(wrong("the key is there already".to_owned()));
            }
            logs.push(key);
        }
        let listen = raw.listen.map_or(Ok(LISTEN), |listen| {
            let wrong = || (listen.span().start, format!("\"{}\" is not an address; write \"{LISTEN}\"", listen.get_ref()));
            listen.get_ref().parse().map_err(|_| wrong())
        })?;
        let prefix = raw.prefix.map_or(Ok(String::new()), |prefix| {
            let text = prefix.get_ref();
            let is_good = text.is_empty() || (text.starts_with('/') && !text.ends_with('/') && !text.contains(['?', '#', ' ']));
            let wrong = || (prefix.span().start, "a prefix begins with / and does not end with /".to_owned());
            if is_good { Ok(text.clone()) } else { Err(wrong()) }
        })?;
        Ok(Self { name: raw.name, key: folder.join(raw.key), state: folder.join(raw.state), listen, prefix, logs })
    }
}

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8090);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tlog::note::LogSigner;
    use crate::message::crypto::PrivateKey;

    const KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

    #[test]
    fn a_witness_knows_so_many_logs_and_no_more() {
        let with = |count: usize| {
            let log = |number: usize| {
                let mut seed = [0; 32];
                seed[..8].copy_from_slice(&number.to_be_bytes());
                let key = PrivateKey::from_seed(&seed).expect("a seed");
                let signer = LogSigner::new("log.example", Role::Log, key).expect("an Ed25519 key");
                format!("[[log]]\nkey = \"{}\"\n", signer.verifier())
            };
            let logs: String = (0..count).map(log).collect();
            let text = format!("format = 1\nname = \"w\"\nkey = \"k\"\nstate = \"s\"\n{logs}");
            WitnessFile::parse(&text, Path::new("")).map(|file| file.logs.len()).map_err(|(_, what)| what)
        };
        assert_eq!(with(limits::WITNESSED_LOGS_MAX), Ok(limits::WITNESSED_LOGS_MAX));
        assert_eq!(with(limits::WITNESSED_LOGS_MAX + 1), Err(format!("more than {} logs", limits::WITNESSED_LOGS_MAX)));
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        let good = format!("format = 1\nname = \"w\"\nkey = \"k\"\nstate = \"s\"\nprefix = \"/w\"\n[[log]]\nkey = \"{KEY}\"\n");
        let file = WitnessFile::parse(&good, Path::new("/etc/w")).expect("good");
        assert_eq!((file.logs.len(), file.state.to_str(), file.listen.port()), (1, Some("/etc/w/s"), 8090));
        for (from, to, what) in [
            ("format = 1", "format = 2", "format = 1"),
            ("state =", "stat =", "unknown field `stat`"),
            ("\"/w\"", "\"/w/\"", "prefix"),
            ("033de0ae", "033de0af", "verifier key"),
            ("[[log]]", &format!("listen = \"here\"\n[[log]]\nkey = \"{KEY}\"\n[[log]]"), "already"),
            ("[[log]]", "listen = \"here\"\n[[log]]", "is not an address"),
        ] {
            let (_, found) = WitnessFile::parse(&good.replace(from, to), Path::new("")).expect_err(what);
            assert!(found.contains(what), "{found}");
        }
    }
}
