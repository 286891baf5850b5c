//! Admitting an agency that has asked to take part: its certificates are issued for keys that never leave it.

use super::{Installation, NewAgency, SetupError, agency_entry, client_configuration};
use crate::base::ids::AgencyId;
use crate::gateway::driver::now;
use crate::host::authority::{Issued, Purpose};
use crate::host::joins::{Application, State};
use crate::message::pki::{pem_blocks, public_key, read_request};
use crate::rules::registry::Url;

impl Installation {
    /// Issues the certificates of an agency that has asked to take part, enters it into the registry and signs that. `more` are further
    /// lines of its entry. Gives what it is told.
    pub fn admit(&self, application: &Application, more: &str, gateway: &str) -> Result<State, SetupError> {
        let refuse = |what: String| SetupError::Change(what);
        let id = AgencyId::parse(&application.agency);
        let id = id.ok_or_else(|| refuse(format!("\"{}\" is not the name of an agency", application.agency)))?;
        let _lock = self.lock()?;
        let key = |request: &str| read_request(request).map(|request| request.key).map_err(|cause| refuse(cause.to_string()));
        let (tls_key, sign_key) = (key(&application.tls_request)?, key(&application.sign_request)?);
        if self.draft()?.find(&id).is_some() {
            // Whoever was interrupted when it was in the registry already goes on.
            let own =
                |name: &str, key: &[u8]| self.read(&format!("agencies/{id}/{name}.pem")).ok().filter(|pem| is_for(pem, key));
            let admitted = own("tls", &tls_key).zip(own("sign", &sign_key));
            let approved = |(tls, sign)| State::Approved { tls, sign, gateway: gateway.to_owned() };
            let taken = || refuse(format!("the registry has an agency {id} already; have it ask under another name"));
            return admitted.map(approved).ok_or_else(taken);
        }
        if tls_key == sign_key {
            return Err(refuse("its systems and its signatures have one key; they need one each".to_owned()));
        }
        let (authority, at) = (self.authority()?, now());
        let hosts: Vec<String> = application.url.as_deref().and_then(Url::parse).map(|url| url.host).into_iter().collect();
        let issue = |purpose, hosts: &[String], key: &[u8]| {
            let certificate = authority.reissue(id.as_str(), Some(&id), purpose, hosts, key, at)?;
            Ok::<_, SetupError>(Issued { certificate, key: String::new() })
        };
        let (tls, sign) = (issue(Purpose::Tls, &hosts, &tls_key)?, issue(Purpose::Signing, &[], &sign_key)?);
        let holds: Vec<&str> = application.holds.iter().map(String::as_str).collect();
        let new = NewAgency { id: &id, name: &application.name, url: application.url.as_deref(), holds: &holds, more };
        let entry = agency_entry(&new, &tls, &sign)?;
        let folder = format!("agencies/{id}");
        if self.agency_folder(&id).join("tls.key").exists() {
            return Err(refuse(format!("{folder} has keys, and the registry has no such agency: remove the folder")));
        }
        self.write(&format!("{folder}/ca.pem"), &self.read("certs/ca.pem")?)?;
        self.write_pair(&folder, "tls", &tls)?;
        self.write_pair(&folder, "sign", &sign)?;
        self.write(&format!("{folder}/client.toml"), &client_configuration(&id, gateway))?;
        if let Err(error) = self.extend(&entry) {
            // It was not there before; without it the agency can be admitted again.
            let _ = std::fs::remove_dir_all(self.agency_folder(&id));
            return Err(error);
        }
        Ok(State::Approved { tls: tls.certificate, sign: sign.certificate, gateway: gateway.to_owned() })
    }
}

/// Whether a certificate is for a key.
fn is_for(pem: &str, key: &[u8]) -> bool {
    pem_blocks(pem, "CERTIFICATE").first().and_then(|der| public_key(der)).is_some_and(|own| own == key)
}
