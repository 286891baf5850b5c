//! `oncegate join`: the newcomer's side. It makes keys that never leave its folder, asks to take part, and waits until an operator has
//! approved that.

use super::{Failure, Out, Outcome, runtime};
use crate::base::ids::{AgencyId, Digest};
use crate::gateway::driver::now;
use crate::host::authority::make_request;
use crate::host::joins::{Application, State, spoken};
use crate::host::store::{make_folder, replace};
use crate::host::transport::{Anchors, Fetch, Fetcher, trust, trust_nobody};
use crate::message::crypto::sha256;
use crate::message::pki::{pem_blocks, public_key, read_request, to_pem};
use crate::program::setup::client_configuration;
use crate::rules::registry::{Endpoint, Scheme};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

const EXAMPLES: &str = "Examples:\n  oncegate join http://gateway.example:8081 --fingerprint 3f2c… --as ru.yar.school-17 --name \"School 17\"\n  \
oncegate join http://gateway.example:8081 --fingerprint 3f2c… --as ru.yar.clinic-3 --name \"Clinic 3\" --holds medical-absence-note\n\n\
Asked again with the same words it goes on where it was. The operator's command oncegate agency invite prints the fingerprint.";

/// Ask to take part: make keys, send a request, wait for the operator's approval.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Join {
    /// The public address of the gateway
    url: String,
    /// The fingerprint (SHA-256) of its authority, from the operator
    #[arg(long)]
    fingerprint: String,
    /// The name in messages that this agency wants: ru.yar.school-17
    #[arg(long = "as")]
    agency: String,
    /// Its name for people
    #[arg(long)]
    name: String,
    /// A document type that it holds; may be given again
    #[arg(long)]
    holds: Vec<String>,
    /// Where it is asked, https://host:port/path, if it opens a port; a holder without one comes for its questions
    #[arg(long = "at")]
    address: Option<String>,
    /// The folder for keys and client configuration; without it, one of the agency's name
    #[arg(long = "in")]
    folder: Option<PathBuf>,
    /// Authorities of the public address, if it is https, PEM
    #[arg(long, default_value = "/etc/ssl/certs/ca-certificates.crt")]
    tls_authorities: PathBuf,
    /// Send the request, and do not wait
    #[arg(long)]
    no_wait: bool,
}

/// How long after an answer that nobody has decided it is asked again.
const PAUSE: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 256 << 10;
const REQUEST: &str = "join.json";

/// The gateway as a newcomer knows it.
struct Door {
    fetcher: Fetcher,
    at: Endpoint,
}

impl Join {
    pub(super) fn run(self, out: &Out) -> Outcome {
        let wrong = |what: &str| Failure::new(2, what);
        let agency = AgencyId::parse(&self.agency)
            .ok_or_else(|| wrong("--as: it is not the name of an agency; a name looks like ru.yar.school-17"))?;
        let digits: String = self.fingerprint.chars().filter(|character| character.is_ascii_alphanumeric()).collect();
        let fingerprint = Digest::parse_hex(&digits.to_ascii_lowercase())
            .ok_or_else(|| wrong("--fingerprint: it is a SHA-256 in 64 hexadecimal digits; the operator has it"))?;
        let at = Endpoint::parse(&self.url).ok_or_else(|| wrong("the address is http://host:port or https://host:port"))?;
        let tls = if at.scheme == Scheme::Https { trust(&self.tls_authorities) } else { trust_nobody() };
        let fetcher = Fetcher::new(tls.map_err(|cause| Failure::new(2, cause))?);
        let folder = self.folder.clone().unwrap_or_else(|| PathBuf::from(agency.as_str()));
        let door = Door { fetcher, at };
        runtime()?.block_on(self.join(&agency, &folder, (&door, fingerprint), out))
    }

    async fn join(&self, agency: &AgencyId, folder: &Path, (door, fingerprint): (&Door, Digest), out: &Out) -> Outcome {
        if folder.join("client.toml").exists() {
            return Err(Failure::new(2, format!("{}: this agency takes part already", folder.display())));
        }
        let authority = door.authority(fingerprint).await?;
        let octets = self.request(agency, folder)?;
        let mut said = door.ask("v1/join", Some(octets.clone())).await?;
        let code = sha256(&octets);
        out.say(format_args!("the code of this request is {}", spoken(&code)));
        out.say("tell it to the operator by telephone or on paper, who compares it and types:");
        out.say(format_args!("  oncegate agency approve {}", spoken(&code)));
        loop {
            if let Some(fields) = said.as_object_mut() {
                fields.remove("format");
                fields.remove("code");
            }
            let state = serde_json::from_value(said).map_err(|_| Failure::new(7, "the gateway's answer is not understood"))?;
            match state {
                State::Approved { tls, sign, gateway } => {
                    let request = Application::parse(&octets).map_err(|fault| Failure::new(2, fault.detail))?;
                    let trusted = folder.join("ca.pem");
                    replace(&trusted, to_pem("CERTIFICATE", &authority).as_bytes(), 0o644)?;
                    let trusted = Anchors::load(&trusted).map_err(|cause| Failure::new(6, cause))?;
                    for (name, pem, of) in [("tls", &tls, &request.tls_request), ("sign", &sign, &request.sign_request)] {
                        take(folder, (name, pem), of, &trusted)?;
                    }
                    return finish(agency, folder, &gateway, out);
                }
                State::Refused { reason } => return Err(Failure::new(3, format!("the operator has refused: {reason}"))),
                State::Waiting if self.no_wait => {
                    let told = serde_json::json!({ "format": 1, "state": "waiting", "code": code.to_string() });
                    return out.result("it waits; the same command again looks whether it is approved", &told);
                }
                State::Waiting => tokio::time::sleep(PAUSE).await,
            }
            said = door.ask(&format!("v1/join/{code}"), None).await?;
        }
    }

    /// What is sent: the same as before, if it was begun before.
    fn request(&self, agency: &AgencyId, folder: &Path) -> Result<Vec<u8>, Failure> {
        let path = folder.join(REQUEST);
        let url = self.address.clone().or_else(|| (!self.holds.is_empty()).then(|| "outbound".to_owned()));
        let is_same = |before: &Application| {
            before.agency == agency.as_str() && before.name == self.name && before.url == url && before.holds == self.holds
        };
        if let Ok(octets) = std::fs::read(&path) {
            let before =
                Application::parse(&octets).map_err(|fault| Failure::new(2, format!("{}: {}", path.display(), fault.detail)))?;
            let what = format!("{}: another request was begun here; remove the file to begin anew", path.display());
            return if is_same(&before) { Ok(octets) } else { Err(Failure::new(2, what)) };
        }
        make_folder(folder)?;
        let make = |name: &str| {
            let (key, request) = make_request(agency).map_err(|cause| Failure::new(1, cause))?;
            replace(&folder.join(format!("{name}.key")), key.as_bytes(), 0o600)?;
            Ok::<_, Failure>(request)
        };
        let application = Application {
            format: 1,
            agency: agency.to_string(),
            name: self.name.clone(),
            url,
            holds: self.holds.clone(),
            tls_request: make("tls")?,
            sign_request: make("sign")?,
        };
        let octets = serde_json::to_vec(&application).map_err(|cause| Failure::new(1, cause))?;
        // Whatever the gateway would not take is told before anything is sent.
        Application::parse(&octets).map_err(|fault| Failure::new(2, fault.detail))?;
        replace(&path, &octets, 0o600)?;
        Ok(octets)
    }
}

impl Door {
    /// The authority with this fingerprint, in DER.
    async fn authority(&self, fingerprint: Digest) -> Result<Vec<u8>, Failure> {
        let said = self.ask("v1/join", None).await?;
        let authorities = pem_blocks(said["authorities"].as_str().unwrap_or(""), "CERTIFICATE");
        let found = authorities.iter().map(|der| sha256(der).to_string()).collect::<Vec<_>>().join(", ");
        let known = authorities.into_iter().find(|der| sha256(der) == fingerprint);
        known.ok_or_else(|| {
            let what = format!(
                "the authority at {} has another fingerprint: {found}\n  \
                 next: do not go on; ask the operator by telephone for the fingerprint, and whether the address is right",
                self.at
            );
            Failure::new(6, what)
        })
    }

    async fn ask(&self, path: &str, octets: Option<Vec<u8>>) -> Result<Value, Failure> {
        let fetch = Fetch {
            body: octets.map(|octets| ("application/json", octets)),
            headers: vec![("accept", "application/json".to_owned())],
            answer_bytes_max: ANSWER_BYTES_MAX,
            deadline: DEADLINE,
        };
        let received = self.fetcher.fetch(&self.at.below(path), fetch).await;
        let received = received.map_err(|cause| Failure::new(7, format!("{} was not reached: {cause}", self.at)))?;
        if !received.status.is_success() {
            return Err(crate::faces::client::ClientError::Refused(crate::faces::client::problem_of(&received)).into());
        }
        serde_json::from_slice(&received.body)
            .map_err(|_| Failure::new(7, format!("{} does not answer as a gateway: is it the public address?", self.at)))
    }
}

/// Writes a certificate that the authority has issued for our key.
fn take(folder: &Path, (name, pem): (&str, &str), request: &str, trusted: &Anchors) -> Outcome {
    let not_ours = || Failure::new(6, format!("the {name} certificate that came is not for our key, or not of that authority"));
    let der = pem_blocks(pem, "CERTIFICATE").into_iter().next().ok_or_else(not_ours)?;
    let key = read_request(request).map_err(|cause| Failure::new(2, cause))?.key;
    if public_key(&der) != Some(key) || trusted.check(&der, now()).is_err() {
        return Err(not_ours());
    }
    Ok(replace(&folder.join(format!("{name}.pem")), to_pem("CERTIFICATE", &der).as_bytes(), 0o644)?)
}

/// The client's configuration comes last: with it the agency takes part.
fn finish(agency: &AgencyId, folder: &Path, gateway: &str, out: &Out) -> Outcome {
    replace(&folder.join("client.toml"), client_configuration(agency, gateway).as_bytes(), 0o644)?;
    std::fs::remove_file(folder.join(REQUEST))?;
    let told = serde_json::json!({ "format": 1, "state": "approved", "agency": agency.as_str(), "folder": folder });
    out.result(format_args!("{agency} takes part; its keys and client.toml are in {}", folder.display()), &told)?;
    out.say("next, to hold documents from a table: oncegate agent new --help");
    out.say("next, to ask for one: oncegate ask --help");
    Ok(())
}
