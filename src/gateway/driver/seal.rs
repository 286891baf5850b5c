//! Signing at the door for agencies whose key the gateway holds (`seal = "gateway"` in the registry).

use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest};
use crate::host::keyfile;
use crate::message::crypto::{PrivateKey, sha256};
use crate::message::pki;
use crate::message::sig;
use crate::rules::registry::{AgencyIndex, Registry, Seal};
use std::collections::BTreeMap;
use std::path::Path;

/// The keys of agencies for which the gateway signs.
#[derive(Default)]
pub struct SealKeys(BTreeMap<AgencyId, (PrivateKey, Vec<u8>)>);

/// A key that cannot be used.
#[derive(Debug)]
pub struct SealError(String);

impl std::fmt::Display for SealError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SealError {}

impl SealKeys {
    /// Reads `<agency>.key` and `<agency>.pem` of a folder.
    pub fn load(folder: &Path) -> Result<Self, SealError> {
        let failed = |cause: std::io::Error| SealError(format!("{}: {cause}", folder.display()));
        let mut keys = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".key"));
            let Some(agency) = name.and_then(AgencyId::parse) else { continue };
            let read =
                |path: &Path| std::fs::read_to_string(path).map_err(|cause| SealError(format!("{}: {cause}", path.display())));
            let unusable = || SealError(format!("{}: no certificate beside the key", path.display()));
            let key = keyfile::read_signing(&path).map_err(|cause| SealError(cause.to_string()))?;
            // Not `with_extension`: the last label of the agency's name would be taken for one.
            let certificate = pki::pem_blocks(&read(&folder.join(format!("{agency}.pem")))?, "CERTIFICATE").into_iter().next();
            let certificate = certificate.ok_or_else(unusable)?;
            if key.public_key().is_none_or(|public| !pki::has_key(&certificate, public.octets())) {
                return Err(SealError(format!("{}: the key does not belong to the certificate beside it", path.display())));
            }
            keys.insert(agency, (key, certificate));
        }
        Ok(Self(keys))
    }

    /// Signs a message of an agency whose key is here.
    pub(super) fn sign(&self, agency: &AgencyId, unsigned: &[u8]) -> Option<Result<Vec<u8>, Fault>> {
        let (key, certificate) = self.0.get(agency)?;
        let failed = |error| match error {
            sig::SignError::Document(fault) => fault,
            sig::SignError::Key => Fault::new(Code::LogUnavailable).with_private("a seal key could not sign"),
        };
        Some(sig::sign(unsigned, key, Some(certificate)).map_err(failed))
    }

    /// Whether the key of an agency is here.
    pub fn has(&self, agency: &AgencyId) -> bool {
        self.0.contains_key(agency)
    }

    /// SHA-256 of the certificate of an agency whose key is here.
    pub(super) fn certificate(&self, agency: &AgencyId) -> Option<Digest> {
        self.0.get(agency).map(|(_, certificate)| sha256(certificate))
    }

    /// Signs an unsigned message of an agency that leaves signing to the gateway; any other message stays as it is.
    pub(super) fn at_the_door(&self, registry: &Registry, agency: AgencyIndex, octets: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let sealed = registry.agency(agency).filter(|agency| agency.seal == Seal::Gateway);
        let Some((key, certificate)) = sealed.and_then(|agency| self.0.get(&agency.id)) else { return Ok(octets) };
        match sig::sign(&octets, key, Some(certificate)) {
            Ok(signed) => Ok(signed),
            // Signed by the agency itself after all.
            Err(sig::SignError::Document(fault)) if fault.code == Code::SigProfile => Ok(octets),
            Err(sig::SignError::Document(fault)) => Err(fault),
            Err(sig::SignError::Key) => Err(Fault::new(Code::LogUnavailable).with_private("a seal key could not sign")),
        }
    }
}
