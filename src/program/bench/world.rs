//! The folder that a run works in: keys, certificates, the registry, the gateway's configuration.

use super::BenchError;
use super::message::{BASIS, DOCUMENT_TYPE, PURPOSE};
use crate::base::ids::{AgencyId, Digest};
use crate::gateway::driver::now;
use crate::host::authority::{Authority, KeyType, Purpose, make_registry_key, make_root, sign_registry};
use crate::host::transport::Identity;
use crate::message::crypto::{PrivateKey, sha256};
use crate::message::pki;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many agencies send.
pub const CLIENTS: usize = 50;
/// How many agencies the registry of the workload has.
pub const AGENCIES: usize = 400;
/// How many grants each of the others has.
const GRANTS: usize = 3;

/// An agency that sends.
pub struct Agency {
    /// Its name.
    pub id: AgencyId,
    /// Its signing key.
    pub key: Arc<PrivateKey>,
    /// Its side of a connection.
    pub tls: Arc<rustls::ClientConfig>,
}

/// Everything that a run needs, in a folder of its own.
pub struct World {
    folder: PathBuf,
    /// The agencies that send.
    pub clients: Vec<Agency>,
    /// The agency that answers.
    pub holder: Agency,
    /// The holder's side as a server.
    pub holder_tls: Arc<rustls::ServerConfig>,
    registry_key: String,
    entries: Vec<String>,
    filler: String,
}

/// How large a registry is.
#[derive(Clone, Copy)]
pub struct Size {
    /// Agencies, those that send included.
    pub agencies: usize,
    /// Grants of each agency that does not send.
    pub grants: usize,
}

impl Size {
    /// That of the workload.
    pub const WORKLOAD: Self = Self { agencies: AGENCIES, grants: GRANTS };
}

struct Issuer {
    folder: PathBuf,
    authority: Authority,
}

impl Issuer {
    /// Issues both pairs of an agency; gives it and its registry entry.
    fn agency(&self, name: &str, hosts: &[String], more: &str) -> Result<(Agency, String), BenchError> {
        let id = AgencyId::parse(name).ok_or(BenchError::Workload("no agency name"))?;
        let (tls, sign) = (
            self.authority.issue(&id, Purpose::Tls, KeyType::P256, hosts, now())?,
            self.authority.issue(&id, Purpose::Signing, KeyType::P256, &[], now())?,
        );
        write(&self.folder.join(format!("{name}.pem")), &tls.certificate)?;
        write(&self.folder.join(format!("{name}.key")), &tls.key)?;
        write(&self.folder.join(format!("{name}.sign.pem")), &sign.certificate)?;
        let identity = identity(&self.folder, name)?;
        let entry = entry(name, more, &sha256(&der(&tls.certificate, "CERTIFICATE")?), &sign.certificate)?;
        let key = PrivateKey::from_pkcs8(&der(&sign.key, "PRIVATE KEY")?).ok_or(BenchError::Workload("no key"))?;
        Ok((Agency { id, key: Arc::new(key), tls: identity.client()? }, entry))
    }
}

impl World {
    /// Makes keys, certificates and the parts of a registry whose holder is asked at `provider`.
    pub fn make(folder: &Path, provider: u16) -> Result<Self, BenchError> {
        std::fs::create_dir_all(folder).map_err(|cause| BenchError::file(folder, cause))?;
        let (root, registry_key) = (make_root("Benchmark authority", now())?, make_registry_key(now())?);
        let issuer = Issuer { folder: folder.to_owned(), authority: Authority::open(&root.certificate, &root.key)? };
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let gateway = issuer.authority.issue_server("Benchmark gateway", &hosts, now())?;
        for (name, text) in [
            ("ca.pem", &root.certificate),
            ("authority.pem", &registry_key.certificate),
            ("gateway.pem", &gateway.certificate),
            ("gateway.key", &gateway.key),
        ] {
            write(&folder.join(name), text)?;
        }
        let url = format!("url = \"https://localhost:{provider}/messages\"\n");
        let (holder, entry) = issuer.agency("xx.bench.holder-0", &hosts, &url)?;
        let mut entries = vec![entry];
        let holder_tls = identity(folder, holder.id.as_str())?.server()?.config();
        let mut clients = Vec::with_capacity(CLIENTS);
        for number in 0..CLIENTS {
            let (client, entry) = issuer.agency(&format!("xx.bench.client-{number:02}"), &[], "")?;
            entries.push(entry);
            clients.push(client);
        }
        let filler = issuer.authority.issue_server("Filler", &[], now())?.certificate;
        Ok(Self { folder: folder.to_owned(), clients, holder, holder_tls, registry_key: registry_key.key, entries, filler })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The text of a registry of a size.
    pub fn registry(&self, size: Size) -> Result<String, BenchError> {
        let mut text = String::from("format = 1\nversion = 1\n");
        text.extend(self.entries.iter().take(size.agencies).map(String::as_str));
        let others = size.agencies.saturating_sub(CLIENTS + 1);
        for number in 0..others {
            let name = format!("xx.bench.other-{number:05}");
            text.push_str(&entry(&name, "", &sha256(name.as_bytes()), &self.filler)?);
        }
        let _ = write!(text, "\n[[holder]]\ndocument = \"{DOCUMENT_TYPE}\"\nagency = \"{}\"\n", self.holder.id);
        for client in self.clients.iter().take(size.agencies.saturating_sub(1)) {
            grant(&format!("g-{}", client.id), client.id.as_str(), "apply", DOCUMENT_TYPE, PURPOSE, &mut text);
        }
        for number in 0..others {
            for place in 0..size.grants {
                let what = ["birth-certificate", "residence-record", "identity-record", "school-enrolment"]
                    .get(place % 4)
                    .unwrap_or(&"");
                grant(
                    &format!("g-{number}-{place}"),
                    &format!("xx.bench.other-{number:05}"),
                    "read",
                    what,
                    &format!("p-{place}"),
                    &mut text,
                );
            }
        }
        Ok(text)
    }

    /// The signing certificate of agencies that never sign.
    pub fn filler(&self) -> &str {
        &self.filler
    }

    /// Writes a registry of a size and the configuration of a gateway that uses it; gives the configuration's file.
    pub fn configure(&self, name: &str, size: Size, port: u16, public: u16) -> Result<PathBuf, BenchError> {
        self.configure_with(name, &self.registry(size)?, port, public)
    }

    /// The same with a registry that is given.
    pub fn configure_with(&self, name: &str, registry: &str, port: u16, public: u16) -> Result<PathBuf, BenchError> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).map_err(|cause| BenchError::file(&folder, cause))?;
        write(&folder.join("registry.toml"), registry)?;
        write(&folder.join("registry.sig"), &sign_registry(registry, &self.registry_key)?)?;
        let configuration = format!(
            "format = 1\ndata = \"data\"\n[exchange]\nlisten = \"127.0.0.1:{port}\"\ncertificate = \"../gateway.pem\"\n\
             key = \"../gateway.key\"\nauthorities = \"../ca.pem\"\n[public]\nlisten = \"127.0.0.1:{public}\"\n[registry]\n\
             file = \"registry.toml\"\nsignature = \"registry.sig\"\nauthority = \"../authority.pem\"\n[log]\nrecords = \"off\"\n"
        );
        let file = folder.join("oncegate.toml");
        write(&file, &configuration)?;
        Ok(file)
    }
}

fn identity(folder: &Path, name: &str) -> Result<Identity, BenchError> {
    let path = |end: &str| folder.join(format!("{name}.{end}"));
    Ok(Identity::load(&path("pem"), &path("key"), &folder.join("ca.pem"), None)?)
}

/// An agency in the registry; `more` are further lines of its own.
pub(super) fn entry(name: &str, more: &str, system: &Digest, sign: &str) -> Result<String, BenchError> {
    let certificate: String = sign.lines().filter(|line| !line.starts_with("-----")).collect();
    if certificate.is_empty() {
        return Err(BenchError::Workload("no certificate"));
    }
    Ok(format!(
        "\n[[agency]]\nid = \"{name}\"\nname = \"{name}\"\n{more}quota = {{ requests_per_minute = 1000000000, burst = 1000000000, \
         kib_per_minute = 1000000000, parallel = 1000 }}\n[[agency.system]]\ncertificate_sha256 = \"{system}\"\n[[agency.key]]\n\
         certificate = \"{certificate}\"\n"
    ))
}

fn grant(id: &str, who: &str, action: &str, what: &str, purpose: &str, out: &mut String) {
    let about = if what == DOCUMENT_TYPE { "about = \"thing\"\n" } else { "" };
    let _ = write!(
        out,
        "\n[[grant]]\nid = \"{id}\"\nwho = \"{who}\"\naction = \"{action}\"\nwhat = \"{what}\"\npurpose = \"{purpose}\"\n\
         {about}basis = \"{BASIS}\"\nuntil = \"2099-12-31\"\n"
    );
}

fn der(pem: &str, label: &str) -> Result<Vec<u8>, BenchError> {
    pki::pem_blocks(pem, label).into_iter().next().ok_or(BenchError::Workload("no PEM block"))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), BenchError> {
    std::fs::write(path, text).map_err(|cause| BenchError::file(path, cause))
}
