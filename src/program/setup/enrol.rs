//! Enrolling a signing certificate that an agency already has.

use super::{Installation, SetupError};
use crate::base::ids::AgencyId;
use crate::gateway::driver::now;
use crate::host::config::Config;
use crate::host::transport::Anchors;
use crate::message::pki::{self, Certificate};

impl Installation {
    /// Enters a certificate in PEM as a signing key of an agency. It is held to the rule by which consumers believe
    /// signatures, so that nothing is enrolled that the gateway would take and they would not.
    pub fn enrol(&self, id: &AgencyId, pem: &str) -> Result<(), SetupError> {
        let refuse = |what: String| SetupError::Change(what);
        let der = pki::pem_blocks(pem, "CERTIFICATE").into_iter().next();
        let der = der.ok_or_else(|| refuse("the file holds no certificate in PEM".to_owned()))?;
        let certificate = Certificate::from_der(&der).map_err(|error| refuse(error.to_string()))?;
        match &certificate.agency {
            Some(named) if named == id => {}
            Some(named) => return Err(refuse(format!("the certificate is that of {named}, not of {id}"))),
            None => {
                let what = format!(
                    "the certificate names no agency, so that a consumer cannot tell whose it is; have it issued with the \
                     subject alternative name URI:{}",
                    id.urn()
                );
                return Err(refuse(what));
            }
        }
        let config = Config::load(&self.config()).map_err(|error| refuse(error.to_string()))?;
        let authorities = &config.exchange.authorities;
        let anchors = Anchors::load(authorities).map_err(|error| refuse(error.to_string()))?;
        anchors.check(&der, now()).map_err(|cause| {
            let file = authorities.display();
            refuse(format!("the certificate is not issued by an authority in {file}, or is not valid now: {cause}"))
        })?;
        let _lock = self.lock()?;
        use base64::Engine;
        let key = format!("[[agency.key]]\ncertificate = \"{}\"\n", base64::engine::general_purpose::STANDARD.encode(&der));
        let registry = self.changed_entry(id, |entry| format!("{}\n{key}", entry.trim_end()))?;
        self.check(&registry)?;
        self.publish(&registry)
    }
}
