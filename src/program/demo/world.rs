//! The world of the demo and of the tests.

use super::people::{Person, people};
use super::provider::{Observer, Provider, Register, nobody};
use crate::base::ids::{AgencyId, Digest};
use crate::faces::client::{Client, ClientError};
use crate::host::config::Config;
use crate::host::control::{Command, call};
use crate::host::transport::{Identity, TlsError};
use crate::message::crypto::sha256;
use crate::message::pki;
use crate::message::schema::Schemas;
use crate::program::server::{Durability, Server, StartError, check};
use crate::program::setup::{Installation, Listening, NewAgency, NewGrant, SetupError, Suspension, grant_entry};
use crate::rules::registry::About;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A world whose gateway and providers run.
pub struct World {
    installation: Installation,
    people: Arc<Vec<Person>>,
    schemas: Arc<Schemas>,
    certificate: Digest,
    exchange: SocketAddr,
    public: SocketAddr,
    providers: Vec<SocketAddr>,
    registers: Mutex<BTreeMap<String, Arc<Provider>>>,
    stop: watch::Sender<bool>,
    gateway: Option<JoinHandle<Result<(), StartError>>>,
}

/// What is particular about a world.
pub struct Plan<'p> {
    /// Further lines of the configuration.
    pub config: &'p str,
    /// Holders that are registered, but nobody listens for them.
    pub absent: &'p [&'p str],
    /// What is done to the installation before anything starts.
    pub prepare: &'p dyn Fn(&Installation),
}

/// The gateway of a world that is run by somebody else, and who looks on.
pub struct Elsewhere {
    /// Where its agencies connect.
    pub exchange: SocketAddr,
    /// Where its health and metrics are.
    pub public: SocketAddr,
    /// Who is told of each question that reaches a provider.
    pub observer: Observer,
}

/// Why a world could not be made.
#[derive(Debug)]
pub enum WorldError {
    /// The installation.
    Setup(SetupError),
    /// The gateway.
    Start(StartError),
    /// An agency.
    Agency(ClientError),
    /// TLS of an agency.
    Tls(TlsError),
    /// A file or a port.
    Io(std::io::Error),
    /// What was to be shown did not come about.
    Unlike(String),
}

impl std::fmt::Display for WorldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Setup(cause) => cause.fmt(f),
            Self::Start(cause) => cause.fmt(f),
            Self::Agency(cause) => cause.fmt(f),
            Self::Tls(cause) => cause.fmt(f),
            Self::Io(cause) => cause.fmt(f),
            Self::Unlike(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for WorldError {}

macro_rules! from {
    ($($cause:ty => $variant:ident),*) => { $(impl From<$cause> for WorldError { fn from(cause: $cause) -> Self { Self::$variant(cause) } })* };
}
from!(SetupError => Setup, StartError => Start, ClientError => Agency, TlsError => Tls, std::io::Error => Io);

/// The holders: name, what they are called, what they hold.
const HOLDERS: [(&str, &str, &[&str]); 4] = [
    ("xx.demo.civil-registry", "Civil registry", &["birth-certificate", "identity-record", "residence-record"]),
    ("xx.demo.clinic-3", "Clinic 3", &["medical-absence-note"]),
    ("xx.demo.school-17", "School 17", &["school-enrolment"]),
    ("xx.demo.maternity", "Maternity hospital", &["medical-birth-record"]),
];

/// The others: name, what they are called, further lines of their entry.
const OTHERS: [(&str, &str, &str); 7] = [
    ("xx.demo.social-fund", "Social fund", AMPLE),
    ("xx.demo.hasty", "An office with a small quota", "quota = { requests_per_minute = 2, burst = 2 }\n"),
    ("xx.demo.suspended", "A suspended office", "suspended = true\n"),
    ("xx.demo.old-key", "An office whose key has expired", ""),
    ("xx.demo.lost-key", "An office whose key was revoked", ""),
    ("xx.demo.sandbox", "An office of the test world", "test = true\n"),
    ("xx.demo.auditor", "Audit office", "roles = [\"auditor\"]\n"),
];

/// The demo and its table of refusals are in a hurry.
pub(super) const AMPLE: &str = "quota = { requests_per_minute = 60000, burst = 5000 }\n";

/// The grants: name, who, action, document type, fields, purpose, legal basis.
type GrantRow = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], &'static str, &'static str);
const GRANTS: [GrantRow; 9] = [
    (
        "school-reads-absence",
        "xx.*.school-*",
        "read",
        "medical-absence-note",
        &["Absence", "PeExemption", "InfectiousContact"],
        "school-attendance",
        "XX:HEALTH:13",
    ),
    (
        "offices-read-absence",
        "xx.demo.*",
        "read",
        "medical-absence-note",
        &["Absence", "PeExemption"],
        "fault-finding",
        "XX:TEST:1",
    ),
    (
        "fund-reads-birth",
        "xx.demo.social-fund",
        "read",
        "birth-certificate",
        &["Parent", "FatherBasis", "Child"],
        "birth-allowance",
        "XX:FAMILY:81",
    ),
    (
        "fund-reads-medical-birth",
        "xx.demo.social-fund",
        "read",
        "medical-birth-record",
        &["OrderForMother"],
        "birth-allowance",
        "XX:FAMILY:81",
    ),
    ("fund-reads-identity", "xx.demo.social-fund", "read", "identity-record", &["Document"], "birth-allowance", "XX:FAMILY:81"),
    ("fund-reads-residence", "xx.demo.social-fund", "read", "residence-record", &["Place"], "birth-allowance", "XX:FAMILY:81"),
    ("fund-reads-enrolment", "xx.demo.social-fund", "read", "school-enrolment", &[], "child-benefit", "XX:FAMILY:90"),
    (
        "registry-reads-birth-record",
        "xx.demo.civil-registry",
        "read",
        "medical-birth-record",
        &["OrderForMother"],
        "birth-registration",
        "XX:CIVIL:14",
    ),
    ("school-applies", "xx.demo.school-17", "apply", "medical-absence-note", &[], "absence-review", "XX:HEALTH:14"),
];

impl World {
    /// Makes a world in a folder and starts it.
    pub async fn start(folder: &Path, plan: &Plan<'_>) -> Result<Self, WorldError> {
        // Ports for the gateway, held until everybody else has a port.
        let (exchange, public) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let gateway = Elsewhere { exchange: exchange.local_addr()?, public: public.local_addr()?, observer: nobody() };
        let mut world = Self::start_without_gateway(folder, plan, &gateway).await?;
        drop((exchange, public));
        world.start_gateway(Durability::Always).await?;
        Ok(world)
    }

    /// Makes a world in a folder and starts its providers; its gateway is started by whoever called.
    pub async fn start_without_gateway(folder: &Path, plan: &Plan<'_>, gateway: &Elsewhere) -> Result<Self, WorldError> {
        let mut listeners = Vec::new();
        for _ in HOLDERS {
            listeners.push(TcpListener::bind("127.0.0.1:0").await?);
        }
        let providers = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
        let installation = install(folder, gateway, &providers, plan.config)?;
        (plan.prepare)(&installation);
        let (people, schemas) = (Arc::new(people()), Arc::new(Schemas::built_in()));
        let certificate = std::fs::read_to_string(folder.join("certs/gateway.pem"))?;
        let certificate = pki::pem_blocks(&certificate, "CERTIFICATE").first().map(|der| sha256(der));
        let certificate = certificate.ok_or_else(|| std::io::Error::other("the gateway has no certificate"))?;
        let Elsewhere { exchange, public, .. } = *gateway;
        let stop = watch::channel(false).0;
        let world = Self {
            installation,
            people,
            schemas,
            certificate,
            exchange,
            public,
            providers,
            registers: Mutex::default(),
            stop,
            gateway: None,
        };
        for ((name, _, _), listener) in HOLDERS.iter().zip(listeners).filter(|((name, _, _), _)| !plan.absent.contains(name)) {
            world.open_holder(name, listener, Arc::clone(&gateway.observer))?;
        }
        Ok(world)
    }

    /// Has a register answer for an agency, until the world stops; the observer is told of each question that reaches it.
    pub fn open_holder(&self, name: &str, listener: TcpListener, observer: Observer) -> Result<(), WorldError> {
        let folder = self.agency_folder(name);
        let identity = Identity::load(&folder.join("tls.pem"), &folder.join("tls.key"), &folder.join("ca.pem"), None)?;
        let provider = Provider::open(&folder, Arc::clone(&self.schemas), Arc::clone(&self.people), self.certificate)?;
        let provider = Arc::new(provider.observed_by(observer));
        self.registers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::clone(&provider));
        tokio::spawn(provider.serve(listener, Arc::new(identity), self.stop.subscribe()));
        Ok(())
    }

    /// Has a register answer for a holder from now on, about everybody about whom the answer is honest.
    pub fn answer_from(&self, name: &str, register: Register) {
        if let Some(provider) = self.registers.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            provider.answer_from(register);
        }
    }

    /// Told when the world stops.
    pub fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Starts the gateway of the world in this process.
    pub async fn start_gateway(&mut self, durability: Durability) -> Result<(), WorldError> {
        let config = Config::load(&self.installation.config()).map_err(StartError::from)?;
        let server = Server::open(check(config)?, durability).await?;
        let mut stopped = self.stop.subscribe();
        self.gateway = Some(tokio::spawn(server.run(async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        })));
        Ok(())
    }

    /// Suspends the agencies that are there only to be refused: one that is away, and two whose keys are of no use.
    pub async fn retire_unwell(&self) -> Result<(), WorldError> {
        for name in ["xx.demo.clinic-9", "xx.demo.old-key", "xx.demo.lost-key"] {
            self.installation.suspend(&agency(name), Suspension::Impose)?;
        }
        let data = Config::load(&self.installation.config()).map_err(StartError::from)?.data;
        let told = tokio::task::spawn_blocking(move || call(&data, Command::Reload)).await;
        told.map_err(std::io::Error::other)??;
        Ok(())
    }

    /// Stops everything and waits until the store is closed.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        if let Some(gateway) = self.gateway.take() {
            let _ = gateway.await;
        }
    }

    /// The client of an agency.
    pub fn client(&self, name: &str) -> Result<Client, WorldError> {
        Ok(Client::load(&self.agency_folder(name))?)
    }

    /// The folder of an agency.
    pub fn agency_folder(&self, name: &str) -> PathBuf {
        self.installation.agency_folder(&agency(name))
    }

    /// The folder of the world.
    pub fn folder(&self) -> &Path {
        self.installation.folder()
    }

    /// The installation.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The people.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The schemas.
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Where agencies connect.
    pub fn exchange_address(&self) -> SocketAddr {
        self.exchange
    }

    /// Where a holder listens.
    pub fn provider_address(&self, name: &str) -> Option<SocketAddr> {
        HOLDERS.iter().zip(&self.providers).find(|((holder, _, _), _)| *holder == name).map(|(_, address)| *address)
    }

    /// Where health and metrics are.
    pub fn public_address(&self) -> SocketAddr {
        self.public
    }
}

/// An agency of the demo.
pub(super) fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).expect("the names of the demo's agencies have the form of agency names")
}

fn install(folder: &Path, gateway: &Elsewhere, providers: &[SocketAddr], more: &str) -> Result<Installation, WorldError> {
    let listening = Listening {
        exchange: gateway.exchange,
        public: gateway.public,
        origin: Some("localhost/audit".to_owned()),
        ..Listening::default()
    };
    let installation = Installation::create(folder, &listening)?;
    let gateway = format!("https://{}", gateway.exchange);
    let mut entries = String::new();
    for ((id, name, holds), address) in HOLDERS.iter().zip(providers) {
        let url = format!("https://{address}/oncegate");
        let new = NewAgency { id: &agency(id), name, url: Some(&url), holds, more: AMPLE };
        entries += &installation.prepare_agency(&new, &gateway)?;
    }
    // A holder that is never there: port 9 discards, and here nobody even listens.
    let away = NewAgency {
        id: &agency("xx.demo.clinic-9"),
        name: "A clinic that is away",
        url: Some("https://127.0.0.1:9/"),
        holds: &["medical-absence-note"],
        more: "",
    };
    entries += &(installation.prepare_agency(&away, &gateway)?.trim_end().to_owned() + "\nregions = [\"XX-AWY\"]\n");
    for (id, name, more) in OTHERS {
        let entry = installation.prepare_agency(&NewAgency { id: &agency(id), name, url: None, holds: &[], more }, &gateway)?;
        entries += &match id {
            "xx.demo.old-key" => entry.trim_end().to_owned() + "\nuntil = \"2026-01-01T00:00:00Z\"\n",
            "xx.demo.lost-key" => entry.trim_end().to_owned() + "\nrevoked_at = \"2026-01-01T00:00:00Z\"\n",
            _ => entry,
        };
    }
    for (id, who, action, what, fields, purpose, basis) in GRANTS {
        entries +=
            &grant_entry(&NewGrant { id, who, action, what, about: About::Person, fields, purpose, basis, until: "2099-12-31" });
    }
    let ended = NewGrant {
        id: "ended",
        who: "xx.demo.school-17",
        action: "read",
        what: "residence-record",
        about: About::Person,
        fields: &[],
        purpose: "school-attendance",
        basis: "XX:HEALTH:13",
        until: "2020-12-31",
    };
    entries += &grant_entry(&ended);
    installation.extend_registry(&entries)?;
    // What no agency was made for: a certificate of our authority that nobody registered.
    let stranger = NewAgency { id: &agency("xx.demo.stranger"), name: "Nobody", url: None, holds: &[], more: "" };
    installation.prepare_agency(&stranger, &gateway)?;
    let config = std::fs::read_to_string(installation.config())?;
    std::fs::write(installation.config(), format!("{config}\n{more}"))?;
    Ok(installation)
}
