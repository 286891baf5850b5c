//! Renewing what ends: certificates of the gateway and of agencies, with the key that is there or a new one.
//!
//! The old certificate stays valid beside the new one until it ends, in the registry too, so that systems change over when it
//! suits them. The files that were in use are kept beside the new ones, with `.old` behind their names.

use super::{Installation, SetupError, base64_of, thumbprint};
use crate::base::ids::AgencyId;
use crate::base::time::UnixTime;
use crate::gateway::driver::now;
use crate::host::authority::{Authority, Issued, KeyType, Purpose};
use crate::host::config::Config;
use crate::message::pki::{self, Certificate, Facts};
use std::path::{Path, PathBuf};

/// Whether the key changes with its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// A new certificate for the key that is there.
    KeepKey,
    /// A new key with its certificate.
    NewKey,
}

/// A pair of files that is renewed.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    der: Vec<u8>,
    facts: Facts,
}

impl Installation {
    /// Renews the gateway's certificate for the hosts that the old one has. Gives the files that were written.
    pub fn renew_gateway(&self, renewal: Renewal) -> Result<Vec<PathBuf>, SetupError> {
        let _lock = self.lock()?;
        let config = Config::load(&self.config()).map_err(|error| SetupError::Change(error.to_string()))?;
        let old = self.pair(&config.exchange.certificate, &config.exchange.key)?;
        let (name, authority) = ("Oncegate gateway", self.authority()?);
        let issued = match renewal {
            Renewal::KeepKey => again(&authority, name, None, Purpose::Tls, &old)?,
            Renewal::NewKey => authority.issue_server(name, &old.facts.hosts, now())?,
        };
        self.replace_pair(&old, &issued)
    }

    /// Renews the TLS and the signing certificate of an agency, and enters the new ones into the registry beside the old
    /// ones. Signing keys whose certificates have ended are taken out. Gives the files that were written.
    pub fn renew_agency(&self, id: &AgencyId, renewal: Renewal) -> Result<Vec<PathBuf>, SetupError> {
        let _lock = self.lock()?;
        let (folder, authority) = (self.agency_folder(id), self.authority()?);
        let make = |name: &str, purpose: Purpose| {
            let old = self.pair(&folder.join(format!("{name}.pem")), &folder.join(format!("{name}.key")))?;
            let issued = match renewal {
                Renewal::KeepKey => again(&authority, id.as_str(), Some(id), purpose, &old)?,
                Renewal::NewKey => authority.issue(id, purpose, KeyType::P256, &old.facts.hosts, now())?,
            };
            Ok::<_, SetupError>((old, issued))
        };
        let (tls, sign) = (make("tls", Purpose::Tls)?, make("sign", Purpose::Signing)?);
        let tables = format!(
            "[[agency.system]]\ncertificate_sha256 = \"{}\"\n[[agency.key]]\ncertificate = \"{}\"\n",
            thumbprint(&tls.1)?,
            base64_of(&sign.1)?
        );
        let registry = self.changed_entry(id, |entry| format!("{}\n{tables}", without_ended(entry, now()).trim_end()))?;
        self.check(&registry)?;
        // First the registry: a certificate that it does not name yet would be refused.
        self.publish(&registry)?;
        let mut written = self.replace_pair(&tls.0, &tls.1)?;
        written.extend(self.replace_pair(&sign.0, &sign.1)?);
        Ok(written)
    }

    fn pair(&self, certificate: &Path, key: &Path) -> Result<Pair, SetupError> {
        let text = std::fs::read_to_string(certificate).map_err(|cause| SetupError::File(certificate.to_owned(), cause))?;
        let broken = || SetupError::Change(format!("{}: holds no certificate in PEM", certificate.display()));
        let der = pki::pem_blocks(&text, "CERTIFICATE").into_iter().next().ok_or_else(broken)?;
        let facts = pki::facts(&der).ok_or_else(broken)?;
        Ok(Pair { certificate: certificate.to_owned(), key: key.to_owned(), der, facts })
    }

    /// Keeps the old files and writes the new ones; a key that was made elsewhere is not here and stays there.
    fn replace_pair(&self, old: &Pair, issued: &Issued) -> Result<Vec<PathBuf>, SetupError> {
        let kept = |path: &Path| PathBuf::from(format!("{}.old", path.display()));
        let copy = |path: &Path, mode: u32| {
            let text = std::fs::read_to_string(path).map_err(|cause| SetupError::File(path.to_owned(), cause))?;
            self.write_with(&kept(path).to_string_lossy(), &text, mode)
        };
        let own = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned();
        let (certificate, key) = (PathBuf::from(own(&old.certificate)), PathBuf::from(own(&old.key)));
        copy(&certificate, 0o644)?;
        let mut written = vec![old.certificate.clone()];
        if !issued.key.is_empty() {
            copy(&key, 0o600)?;
            self.write_secret(&own(&old.key), &issued.key)?;
            written.push(old.key.clone());
        }
        self.write(&own(&old.certificate), &issued.certificate)?;
        Ok(written)
    }
}

fn again(
    authority: &Authority,
    name: &str,
    agency: Option<&AgencyId>,
    purpose: Purpose,
    old: &Pair,
) -> Result<Issued, SetupError> {
    let key = pki::public_key(&old.der).unwrap_or_default();
    let certificate = authority.reissue(name, agency, purpose, &old.facts.hosts, &key, now())?;
    Ok(Issued { certificate, key: String::new() })
}

/// An agency's entry without the signing keys whose certificates have ended: an agency has few places for keys.
fn without_ended(entry: &str, now: UnixTime) -> String {
    let has_ended = |table: &str| {
        let line = table.lines().find_map(|line| line.trim().strip_prefix("certificate = \"")?.strip_suffix('"'));
        let certificate = line.and_then(|text| Certificate::from_base64(text).ok());
        table.starts_with("[[agency.key]]") && certificate.is_some_and(|certificate| certificate.not_after < now)
    };
    let mut kept = String::new();
    for (number, table) in entry.split("\n[[").enumerate() {
        let table = if number == 0 { table.to_owned() } else { format!("[[{table}") };
        if !has_ended(&table) {
            kept.push_str(if number == 0 { "" } else { "\n" });
            kept.push_str(&table);
        }
    }
    kept
}
