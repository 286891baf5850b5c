//! The operator's conformance run: twenty checks of an agency that is to be admitted, a signed report that tells a clerk which rule its system
//! broke, and what lets it go live.
//!
//! The questions go through the running gateway of the installation, in the name of an agency that is there for nothing else, with
//! grants that are there during the run alone; and to the agency's own port, if it has one. Pure are the table ([`checks`]), the
//! judging ([`judge`]), whom it is about ([`persons`]) and the report ([`report`]); the rest is a thin shell.

mod ask;
pub mod checks;
pub mod judge;
pub mod persons;
pub mod report;
mod run;

use crate::base::fault::Code as FaultCode;
use crate::base::ids::{AgencyId, Code};
use crate::base::time::Day;
use crate::faces::client::{Client, ClientError};
use crate::gateway::driver::now;
use crate::host::config::{Config, read_bounded};
use crate::host::control::{Command, call};
use crate::host::schemas::sets::Sets;
use crate::host::telemetry::VERSION;
use crate::host::transport::Identity;
use crate::message::crypto::{PublicKey, sha256};
use crate::message::envelope::World;
use crate::message::pki::{self, Certificate};
use crate::program::setup::{Installation, NewGrant, SetupError, grant_entry};
use crate::rules::registry::{About, Agency, Registry, Url};
use ask::{Asker, BASIS, Door, Wanted};
use persons::{Named, Persons};
use report::{Asked, Line, NotGood, Present, Report, Tested, word};
use run::Course;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The agencies in whose names runs ask: of a country that there is not, so that no pattern of a grant is for them.
const ASKERS: [(World, &str); 2] = [(World::Test, "zz.oncegate.conformance-test"), (World::Live, "zz.oncegate.conformance-live")];

/// Why a run could not be made.
#[derive(Debug)]
pub enum NoRun {
    /// The installation.
    Setup(SetupError),
    /// The agency that asks, or the gateway.
    Client(ClientError),
    /// Something else, with the next step.
    Other(String),
}

impl std::fmt::Display for NoRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Setup(cause) => cause.fmt(f),
            Self::Client(cause) => write!(f, "the run was broken off: {cause}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for NoRun {}

impl From<SetupError> for NoRun {
    fn from(cause: SetupError) -> Self {
        Self::Setup(cause)
    }
}

impl From<ClientError> for NoRun {
    fn from(cause: ClientError) -> Self {
        Self::Client(cause)
    }
}

fn other(what: impl std::fmt::Display) -> NoRun {
    NoRun::Other(what.to_string())
}

/// What a run is told.
pub struct Orders<'o> {
    /// The agency that is tested.
    pub id: &'o AgencyId,
    /// The document types; none means all that it holds.
    pub documents: &'o [Code],
    /// People of whom it has a record.
    pub found: &'o [Named],
    /// People of whom it has none.
    pub none: &'o [Named],
    /// How long is waited for an answer.
    pub patience: Duration,
    /// The gateway's address, for the agency that asks.
    pub gateway: &'o str,
}

/// A run that is prepared: the agency that asks has its grants, and the gateway knows of them.
pub struct Prepared<'p> {
    installation: &'p Installation,
    orders: &'p Orders<'p>,
    config: Config,
    sets: Sets,
    world: World,
    keys: Vec<String>,
    url: Option<Url>,
    asker: AgencyId,
    folder: PathBuf,
    documents: Vec<(Code, Persons)>,
    /// Held until the run has ended.
    _held: File,
}

/// Prepares a run. What an interrupted one has left is put in order.
pub fn prepare<'p>(installation: &'p Installation, orders: &'p Orders<'p>) -> Result<Prepared<'p>, NoRun> {
    let config = Config::load(&installation.config()).map_err(other)?;
    let (registry, sets) = (installation.draft()?, installation.schemas()?);
    let agency = agency(&registry, orders.id)?;
    let (world, keys, url) = (agency.world, thumbprints(agency), agency.url.clone());
    let documents = documents(&registry, &sets, orders, world)?;
    if call(&config.data, Command::Durable).ok().flatten().is_none() {
        return Err(other("no gateway is running on this installation; start it (oncegate run), then do this again"));
    }
    let asker = ASKERS.iter().find(|(of, _)| *of == world).and_then(|(_, name)| AgencyId::parse(name));
    let asker = asker.ok_or_else(|| other("no agency can ask"))?;
    let (folder, held) = installation.conformance_agency(&asker, world, orders.gateway)?;
    installation.end_grants_of(&asker)?;
    installation.extend_registry(&grants(&sets, &asker, &documents))?;
    let prepared = Prepared { installation, orders, config, sets, world, keys, url, asker, folder, documents, _held: held };
    prepared.reload().inspect_err(|_| drop(installation.end_grants_of(&prepared.asker)))?;
    Ok(prepared)
}

fn agency<'r>(registry: &'r Registry, id: &AgencyId) -> Result<&'r Agency, NoRun> {
    let found = registry.find(id).and_then(|index| registry.agency(index));
    found.ok_or_else(|| other(format!("no agency is called {id}; oncegate agency list shows all")))
}

/// The thumbprints of the keys that count now.
fn thumbprints(agency: &Agency) -> Vec<String> {
    let at = now();
    let good = agency.keys().filter(|key| !key.is_revoked && key.from <= at && at <= key.until);
    good.map(|key| key.thumbprint.to_string()).collect()
}

/// The types that are tested, and about whom.
fn documents(registry: &Registry, sets: &Sets, orders: &Orders<'_>, world: World) -> Result<Vec<(Code, Persons)>, NoRun> {
    let held = held(registry, sets, orders.id);
    if let Some(unheld) = orders.documents.iter().find(|document| !held.contains(document)) {
        return Err(other(format!("{} does not hold {unheld}, or {unheld} is about nobody, which is not tested", orders.id)));
    }
    let chosen = if orders.documents.is_empty() { &held } else { orders.documents };
    if chosen.is_empty() {
        let what =
            format!("{} holds no document type about somebody; say which: oncegate agency holds {} TYPE", orders.id, orders.id);
        return Err(other(what));
    }
    let choose = |document: &Code| {
        Persons::choose(document, orders.found, orders.none, world).map(|persons| (document.clone(), persons)).map_err(other)
    };
    chosen.iter().map(choose).collect()
}

/// The types that an agency holds and that are about somebody. About whom one asks makes no difference for the others.
fn held(registry: &Registry, sets: &Sets, id: &AgencyId) -> Vec<Code> {
    let is_about_somebody =
        |document: &&Code| sets.schemas().document_type(document).is_some_and(|document| !About::Thing.is_of(document));
    registry.find(id).into_iter().flat_map(|index| registry.held_by(index)).filter(is_about_somebody).cloned().collect()
}

fn purposes() -> Option<[Code; 2]> {
    Some([Code::parse("conformance")?, Code::parse("conformance-field")?])
}

/// The grants of a run: for each type one that gives no optional field, and one that gives some. They end tomorrow whatever happens.
fn grants(sets: &Sets, asker: &AgencyId, documents: &[(Code, Persons)]) -> String {
    let until = Day::from_days(now().day().days_since_epoch() + 1).to_string();
    let mut entries = String::new();
    for (at, (name, _)) in documents.iter().enumerate() {
        let Some(document) = sets.schemas().document_type(name) else { continue };
        let some = Course::optional(document);
        let role = document.roles().first().copied().unwrap_or("").to_owned();
        let is_organisation = document.kinds(&role).first() == Some(&crate::message::schema::SubjectKind::Organisation);
        for (purpose, fields) in purposes().iter().flatten().zip([&[][..], &some]) {
            entries += &grant_entry(&NewGrant {
                id: &format!("conformance-{}-{purpose}", at + 1),
                who: asker.as_str(),
                action: "read",
                what: name.as_str(),
                about: if is_organisation { About::Organisation } else { About::Person },
                fields,
                purpose: purpose.as_str(),
                basis: BASIS,
                until: &until,
            });
        }
    }
    entries
}

impl Prepared<'_> {
    /// Has the running gateway take the registry.
    fn reload(&self) -> Result<(), NoRun> {
        let answer = call(&self.config.data, Command::Reload).map_err(|cause| other(format!("the running gateway: {cause}")))?;
        match answer {
            None => {
                Err(other("no gateway is running on this installation any more; start it (oncegate run), then do this again"))
            }
            Some(answer) if !answer.refused.is_empty() => {
                Err(other(format!("the running gateway did not take the registry: {}", answer.refused.join("; "))))
            }
            Some(_) => Ok(()),
        }
    }

    /// Makes the checks of all types; `told` hears of each.
    pub async fn run(&self, told: &(dyn Fn(&Code, &Line) + Sync)) -> Result<Report, NoRun> {
        let client = Client::load(&self.folder)?;
        let door = self.url.as_ref().map(|url| Door::open(url, &self.identity()?, &self.folder).map_err(other)).transpose()?;
        let schemas = self.sets.schemas();
        let mut documents = Vec::new();
        for (name, persons) in &self.documents {
            let document = schemas.document_type(name).ok_or_else(|| other(format!("{name} has no schema")))?;
            let purposes = purposes().ok_or_else(|| other("no purpose can be named"))?;
            let asker = Asker::new(&client, schemas, self.orders.patience);
            let wanted = Wanted { document, holder: self.orders.id, world: self.world, purposes };
            let course = Course { asker: &asker, wanted, persons: persons.clone(), door: door.as_ref() };
            let checks = course.run(&|line| told(name, line)).await?;
            let schema = schemas.digest_of(name).map_or(String::new(), |digest| digest.to_string());
            documents.push(Tested { document: name.to_string(), schema, checks });
        }
        self.report(documents)
    }

    fn identity(&self) -> Result<Identity, NoRun> {
        let exchange = &self.config.exchange;
        let (certificate, key) = (&exchange.certificate, &exchange.key);
        Identity::load(certificate, key, &exchange.authorities, exchange.revocation.as_deref()).map_err(other)
    }

    fn report(&self, documents: Vec<Tested>) -> Result<Report, NoRun> {
        let pem = read_bounded(&self.config.exchange.certificate).map_err(other)?;
        let certificate = pki::pem_blocks(&pem, "CERTIFICATE").first().map(|der| sha256(der).to_string());
        Ok(Report {
            format: 1,
            agency: self.orders.id.to_string(),
            world: word(self.world).to_owned(),
            gateway: self.config.log.origin.clone(),
            gateway_certificate: certificate.unwrap_or_default(),
            asked_by: self.asker.to_string(),
            made_at: now().to_string(),
            program: VERSION.to_owned(),
            keys: self.keys.clone(),
            documents,
        })
    }

    /// Says of answers that are no valid answers what is wrong with them: a consumer is told the code alone, and the operator may know.
    pub fn explain(&self, report: &mut Report) {
        let lines = report.documents.iter_mut().flat_map(|tested| &mut tested.checks);
        for line in lines.filter(|line| line.code.as_deref() == Some(FaultCode::RteBadAnswer.as_str())) {
            let causes = |asked: &Asked| call(&self.config.data, Command::Causes(asked.id.clone())).ok()?;
            let causes = line.messages.iter().filter_map(causes).flat_map(|answer| answer.causes);
            let known = causes.filter_map(|code| FaultCode::parse(&code)).find(|code| *code != FaultCode::RteBadAnswer);
            if let Some(cause) = known {
                line.what = Some(format!("{}: {}", FaultCode::RteBadAnswer.title(), cause.title()));
                (line.code, line.help) = (Some(cause.to_string()), Some(cause.next_step().to_owned()));
            }
        }
    }

    /// Takes the grants out again, and tells the gateway.
    pub fn end(&self) -> Result<(), NoRun> {
        self.installation.end_grants_of(&self.asker)?;
        self.reload()
    }

    /// Signs a report and keeps it; gives its file.
    pub fn keep(&self, report: &Report) -> Result<PathBuf, NoRun> {
        let text = report.text();
        let signed = Report::signed(&text, &self.installation.sign_text(&text)?);
        let time: String = report.made_at.chars().filter(char::is_ascii_alphanumeric).collect();
        Ok(self.installation.keep_report(&format!("{}-{time}.note", report.agency), &signed)?)
    }
}

/// The key by which reports of an installation are believed: that of its registry, from a certificate in PEM.
pub fn authority(certificate: &Path) -> Result<PublicKey, NoRun> {
    let pem = read_bounded(certificate).map_err(other)?;
    let der = pki::pem_blocks(&pem, "CERTIFICATE").into_iter().next();
    let der = der.ok_or_else(|| other(format!("{}: the file holds no certificate in PEM", certificate.display())))?;
    Ok(Certificate::from_der(&der).map_err(other)?.key)
}

/// Reads a report and checks who has signed it.
pub fn read(file: &Path, authority: &PublicKey) -> Result<Result<Report, NotGood>, NoRun> {
    let text = read_bounded(file).map_err(other)?;
    Ok(Report::verify(&text, authority))
}

/// Moves an agency from the test world to the live one, if reports say that it keeps the rules for all that it holds. Gives the files that
/// count.
pub fn go_live(installation: &Installation, id: &AgencyId) -> Result<Vec<PathBuf>, NoRun> {
    let config = Config::load(&installation.config()).map_err(other)?;
    let (registry, sets) = (installation.draft()?, installation.schemas()?);
    let agency = agency(&registry, id)?;
    if agency.world == World::Live {
        return Err(other(format!("{id} is live already")));
    }
    let key = authority(&config.registry.authority)?;
    let (keys, at) = (thumbprints(agency), now());
    let present = Present { agency: id, keys: &keys, now: at };
    let (mut good, mut told) = (Vec::new(), Vec::new());
    for file in reports_of(installation, id) {
        let judged = read(&file, &key)?.and_then(|report| report.counts_for(&present).map(|()| report));
        match judged {
            Ok(report) => good.push((file, report)),
            Err(why) => told.push(format!("{}: {why}", file.display())),
        }
    }
    let mut counted = Vec::new();
    for document in held(&registry, &sets, id) {
        let schema = sets.schemas().digest_of(&document).map_or(String::new(), |digest| digest.to_string());
        match covering(&good, document.as_str(), &schema) {
            Ok(file) => counted.push(file),
            Err(why) => told.push(why),
        }
    }
    let is_covered = counted.len() == held(&registry, &sets, id).len();
    if !is_covered {
        if reports_of(installation, id).is_empty() {
            told = vec!["there is no report".to_owned()];
        }
        let why = told.join("\n  ");
        return Err(other(format!("{id} does not go live:\n  {why}\n  next: oncegate agency test {id}, then do this again")));
    }
    counted.sort();
    counted.dedup();
    installation.move_to(id, World::Live)?;
    Ok(counted)
}

/// The report that says that all checks of a type are held; or why there is none.
fn covering(good: &[(PathBuf, Report)], document: &str, schema: &str) -> Result<PathBuf, String> {
    let of = |(file, report): &'_ (PathBuf, Report)| {
        report.documents.iter().find(|tested| tested.document == document).map(|tested| (file.clone(), tested.clone()))
    };
    let mut all = good.iter().filter_map(of).collect::<Vec<_>>();
    if let Some((file, _)) = all.iter().find(|(_, tested)| tested.is_whole() && tested.schema == schema) {
        return Ok(file.clone());
    }
    Err(match all.pop() {
        None => format!("{document}: no report that counts is about it"),
        Some((file, tested)) if tested.is_whole() => {
            format!("{}: {document} has another schema now than when it was tested", file.display())
        }
        Some((file, tested)) => format!(
            "{}: {document}: {} of {} checks are held, and it takes all",
            file.display(),
            tested.held(),
            checks::CHECKS.len()
        ),
    })
}

/// The files of reports about an agency, the oldest first.
pub fn reports_of(installation: &Installation, id: &AgencyId) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(installation.reports()) else { return Vec::new() };
    let is_of = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.strip_suffix(".note").and_then(|name| name.rsplit_once('-')).is_some_and(|(of, _)| of == id.as_str())
    };
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_of).collect();
    found.sort();
    found
}
