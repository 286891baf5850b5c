//! A town for life situations: an agency of each kind that the catalogue knows, a school more, a portal, and the coordinator of cases.
//! None of them opens a port: each comes to the gateway for what waits for it, answers questions from registers about the people of the
//! demo, and does the steps that cases ask of it. How each behaves can be changed while it goes on.

use super::documents::{absence_note_of, document};
use super::people::{Person, Role, people};
use super::world::{WorldError, agency};
use crate::base::ids::{AgencyId, Code, MessageId, Region, Uuid};
use crate::base::time::{Day, UnixTime};
use crate::exchange::cases::{outcome_document, times_document};
use crate::faces::client::{Client, Signed, digest_of, verify_under};
use crate::gateway::driver::now;
use crate::host::config::Config;
use crate::host::ratings::Ratings;
use crate::host::transport::{Anchors, Received};
use crate::message::envelope::{Attachment, Body, Context, Kind, Message, ReplyTo, Subject, World as MessageWorld};
use crate::message::schema::Schemas;
use crate::program::server::{Durability, Server, StartError, check};
use crate::program::setup::{Installation, Listening, NewAgency, NewDelegation, NewGrant, grant_entry};
use crate::rules::quality::Rating;
use crate::rules::quality::laboratory::Laboratories;
use crate::rules::quality::priorities::Priorities;
use crate::rules::quality::register::Register;
use crate::rules::registry::About;
use crate::rules::situation::{Catalogue, Keeper, Start};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What a town is made of.
#[derive(Clone, Debug)]
pub struct TownPlan {
    /// Files of life situations beside those of the program.
    pub catalogue: Vec<(String, String)>,
    /// How many times as fast the clock of cases goes.
    pub pace: u32,
    /// Test or live.
    pub world: MessageWorld,
    /// Kinds of agencies that are not of that world but of the other.
    pub of_other_world: Vec<&'static str>,
    /// Further lines of the configuration.
    pub config: String,
    /// Where curators are told, by their names.
    pub curators: BTreeMap<String, String>,
    /// Grants that are left out: agency kind and document.
    pub ungranted: Vec<(&'static str, &'static str)>,
    /// Kinds of agencies in whose place those of another kind stand.
    pub succeeded: Vec<(&'static str, &'static str)>,
    /// The port at which all offices are asked, each under its kind; without one they come for what waits for them.
    pub asked_at: Option<u16>,
    /// What people have said before of how it was; the files about quality of the program are there then, too.
    pub ratings: Vec<Rating>,
    /// Files of the folder about quality, by their places in it.
    pub quality: Vec<(String, String)>,
}

impl Default for TownPlan {
    fn default() -> Self {
        Self {
            catalogue: Vec::new(),
            pace: 1,
            world: MessageWorld::Test,
            of_other_world: Vec::new(),
            config: "records = \"off\"\n".to_owned(),
            curators: BTreeMap::new(),
            ungranted: Vec::new(),
            succeeded: Vec::new(),
            asked_at: None,
            ratings: Vec::new(),
            quality: Vec::new(),
        }
    }
}

/// The folder of files about quality, beside the configuration of a town that has some.
pub const QUALITY: &str = "quality";

/// How the agencies of a town behave, and what they have seen.
#[derive(Default)]
pub struct Manners {
    /// Agencies of these kinds do not come for anything.
    pub away: BTreeSet<String>,
    /// Documents that there are not, by type, and by role in the family where it is said.
    pub none: BTreeSet<(String, Option<Role>)>,
    /// Steps that are refused, with the reason.
    pub refused: BTreeMap<String, String>,
    /// Steps that are taken and never done.
    pub idle: BTreeSet<String>,
    /// Steps whose document is about somebody else.
    pub mistaken: BTreeSet<String>,
    /// Steps and documents that say something else than they would: what is replaced, by what.
    pub otherwise: BTreeMap<String, (String, String)>,
    /// When steps can be attended: from when until when.
    pub times: BTreeMap<String, Vec<(UnixTime, UnixTime)>>,
    /// What was asked of whom: agency, document, whom it is about, on behalf of whom, message.
    pub asked: Vec<Asked>,
    /// What was to be done by whom.
    pub tasks: Vec<Tasked>,
    /// All octets that an agency got, by its kind.
    pub octets: BTreeMap<String, Vec<Vec<u8>>>,
    /// Ids of newborns that were registered.
    pub registered: BTreeSet<u32>,
}

/// A question that came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Of which kind of agency.
    pub kind: String,
    /// For what.
    pub document: String,
    /// About whom: the number of the person.
    pub about: Option<u32>,
    /// On whose behalf.
    pub behalf: Option<AgencyId>,
    /// The message.
    pub message: MessageId,
    /// The case, situation and step that it names.
    pub context: Option<(Uuid, Code, Code)>,
    /// When.
    pub at: UnixTime,
}

/// A task that came.
#[derive(Clone, Debug)]
pub struct Tasked {
    /// To which kind of agency.
    pub kind: String,
    /// What is asked: `step`, `times`, `handover`, `reminder`, `notice`.
    pub what: String,
    /// Which step.
    pub step: Option<String>,
    /// What a notice is about.
    pub note: Option<String>,
    /// When a step is attended.
    pub visit: Option<UnixTime>,
    /// The case.
    pub case: String,
    /// What came along: document and role, with the octets.
    pub enclosed: Vec<(String, Vec<u8>)>,
    /// The message.
    pub message: MessageId,
    /// When.
    pub at: UnixTime,
}

/// A town in a folder.
pub struct Town {
    installation: Installation,
    exchange: SocketAddr,
    public: SocketAddr,
    plan: TownPlan,
    stop: watch::Sender<bool>,
    gateway: Option<Running>,
    shared: Arc<Shared>,
}

/// A gateway in this process, and how it is stopped.
type Running = (watch::Sender<bool>, tokio::task::JoinHandle<Result<(), StartError>>);

struct Shared {
    manners: Mutex<Manners>,
    people: Vec<Person>,
    schemas: Schemas,
    catalogue: Catalogue,
}

/// The coordinator of cases.
pub const COORDINATOR: &str = "xx.town.cases";
/// Where citizens apply.
pub const PORTAL: &str = "xx.town.portal";
/// The name of an agency of a kind.
pub fn of_kind(kind: &str) -> AgencyId {
    agency(&format!("xx.town.{kind}"))
}

/// The kinds of agencies beside those of the catalogue.
const MORE: [&str; 4] = ["school-2", "clinic-2", "zags-2", "zags-3"];
const AMPLE: &str = "quota = { requests_per_minute = 600000, burst = 50000, kib_per_minute = 60000000, parallel = 60000, persons_per_day = 1000000, misses_per_day = 1000000 }\n";
const BASIS: &str = "XX:LIFE:1";
const PURPOSE: &str = "life-situation";

impl Town {
    /// Makes a town in a folder; its gateway is not started yet, and nobody comes for anything.
    pub fn found(folder: &Path, plan: TownPlan, ports: (SocketAddr, SocketAddr)) -> Result<Self, WorldError> {
        let schemas = Schemas::built_in();
        let own = plan.catalogue.iter().map(|(name, text)| crate::rules::situation::File::new(name.clone(), text.clone()));
        let files = crate::host::catalogue::beside(own.collect());
        let catalogue = Catalogue::read(&files, &schemas);
        let catalogue = catalogue
            .map_err(|wrong| WorldError::Unlike(wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
        let listening =
            Listening { exchange: ports.0, public: ports.1, origin: Some("localhost/town".to_owned()), ..Listening::default() };
        let installation = Installation::create(folder, &listening)?;
        let stop = watch::channel(false).0;
        let shared = Shared { manners: Mutex::default(), people: townspeople(), schemas, catalogue };
        let town = Self { installation, exchange: ports.0, public: ports.1, plan, stop, gateway: None, shared: Arc::new(shared) };
        town.furnish()?;
        Ok(town)
    }

    /// Ports that are free now.
    pub async fn ports() -> std::io::Result<(SocketAddr, SocketAddr)> {
        let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let (exchange, public) = (any().await?, any().await?);
        Ok((exchange.local_addr()?, public.local_addr()?))
    }

    /// Makes a town, starts its gateway in this process, and opens all offices.
    pub async fn start(folder: &Path, plan: TownPlan) -> Result<Self, WorldError> {
        let mut town = Self::found(folder, plan, Self::ports().await?)?;
        town.open().await?;
        town.work();
        Ok(town)
    }

    fn furnish(&self) -> Result<(), WorldError> {
        let gateway = format!("https://{}", self.exchange);
        let in_world = |is_other: bool| {
            let is_test = (self.plan.world == MessageWorld::Test) != is_other;
            format!("{}{AMPLE}", if is_test { "test = true\n" } else { "" })
        };
        let own = in_world(false);
        let mut entries = String::new();
        let kinds: Vec<String> = self.kinds();
        for kind in &kinds {
            let office = Code::parse(kind);
            let keeps = |document: &crate::rules::situation::Document| match &document.holder {
                Keeper::Office(holder) => Some(holder) == office.as_ref(),
                Keeper::Applicant => false,
            };
            let documents = self.shared.catalogue.documents().iter().filter(|(_, document)| keeps(document));
            let holds: Vec<&str> = documents.map(|(name, _)| name.as_str()).chain(["case-task"]).collect();
            let by = self.plan.succeeded.iter().find(|(old, _)| old == kind);
            let more = in_world(self.plan.of_other_world.contains(&kind.as_str()));
            let more = by.map_or_else(|| more.clone(), |(_, by)| format!("{more}succeeded_by = \"{}\"\n", of_kind(by)));
            let url = self.plan.asked_at.map_or_else(|| "outbound".to_owned(), |port| format!("https://localhost:{port}/{kind}"));
            let office = Code::parse(kind).and_then(|kind| self.shared.catalogue.offices().get(&kind));
            let name = office.map_or_else(|| kind.clone(), |office| office.title.in_language("en").to_owned());
            let new = NewAgency { id: &of_kind(kind), name: &name, url: Some(&url), holds: &holds, more: &more };
            entries += &self.installation.prepare_agency(&new, &gateway)?;
        }
        // Another clinic has its own patients: whoever asks for a note says whom.
        let _ = write!(
            entries,
            "\n[[holder]]\ndocument = \"medical-absence-note\"\nagency = \"{}\"\nregions = [\"XX-TWO\"]\n",
            of_kind("clinic-2")
        );
        for (name, holds) in [(COORDINATOR, &["case-application", "case-order"][..]), (PORTAL, &["case-task"])] {
            let portal = if name == PORTAL { format!("{own}roles = [\"portal\"]\n") } else { own.clone() };
            let title = if name == PORTAL { "Portal for citizens" } else { "Coordinator of cases" };
            let new = NewAgency { id: &agency(name), name: title, url: Some("outbound"), holds, more: &portal };
            entries += &self.installation.prepare_agency(&new, &gateway)?;
        }
        entries += &self.grants(&kinds);
        self.installation.extend_registry(&entries)?;
        for kind in &kinds {
            self.installation.add_delegation(&NewDelegation {
                id: &format!("cases-for-{kind}"),
                agent: COORDINATOR,
                principal: of_kind(kind).as_str(),
                what: &[],
                purposes: &[],
                basis: BASIS,
                from: None,
                until: "2099-12-31",
            })?;
        }
        self.write_files()
    }

    /// The kinds of agencies.
    pub fn kinds(&self) -> Vec<String> {
        let known = self.shared.catalogue.offices().keys().map(ToString::to_string);
        known.chain(MORE.map(str::to_owned)).collect()
    }

    fn grants(&self, kinds: &[String]) -> String {
        let mut grants = Grants::default();
        for (office, document, purpose) in self.needed() {
            let is_left_out = self.plan.ungranted.contains(&(office.as_str(), document.as_str()));
            let Some(known) = self.shared.schemas.document_type(&document).filter(|_| !is_left_out) else { continue };
            let offices = kinds
                .iter()
                .filter(|kind| *kind == office.as_str() || (kind.starts_with(office.as_str()) && MORE.contains(&kind.as_str())));
            for kind in offices {
                for about in [About::Person, About::Organisation].into_iter().filter(|about| about.is_of(known)) {
                    grants.add(of_kind(kind).as_str(), "read", (document.as_str(), about), purpose.as_str());
                }
            }
        }
        let situations = || self.shared.catalogue.situations();
        let starts = situations().flat_map(|situation| &situation.starts_on);
        let starts: BTreeSet<&Code> =
            starts.filter_map(|start| if let Start::Document(document) = start { Some(document) } else { None }).collect();
        for document in starts {
            grants.add(COORDINATOR, "subscribe", (document.as_str(), About::Person), PURPOSE);
        }
        // What says which agency does a step is looked up before it is known who would ask.
        let steps = situations().flat_map(|situation| &situation.steps);
        let places: BTreeSet<Code> = steps
            .filter_map(|step| Some(self.shared.catalogue.fact(step.at?)?.source.as_ref()?.document.document.clone()))
            .collect();
        for document in places {
            for purpose in [PURPOSE, "school-attendance", "epidemic-control"] {
                grants.add(COORDINATOR, "read", (document.as_str(), About::Person), purpose);
            }
        }
        for about in [About::Person, About::Organisation] {
            grants.add(COORDINATOR, "apply", ("case-task", about), PURPOSE);
            for who in [PORTAL, of_kind("onestop").as_str()] {
                grants.add(who, "apply", ("case-application", about), PURPOSE);
            }
        }
        grants.add("xx.town.*", "apply", ("case-order", About::Thing), PURPOSE);
        grants.entries
    }

    /// What each office needs for its steps, and what says whether they apply: office, document, purpose.
    fn needed(&self) -> BTreeSet<(Code, Code, Code)> {
        let mut needed = BTreeSet::new();
        for situation in self.shared.catalogue.situations() {
            for step in &situation.steps {
                let facts = step.when.iter().flat_map(|when| when.facts()).copied().chain(step.at);
                let sources = facts.filter_map(|fact| self.shared.catalogue.fact(fact)?.source.as_ref());
                let mut documents: BTreeSet<Code> = sources.map(|source| source.document.document.clone()).collect();
                documents.extend(step.needs.iter().map(|need| need.document.document.clone()));
                let found_in =
                    situation.roles.iter().flat_map(|role| &role.found_in).map(|found| found.document.document.clone());
                documents.extend(found_in);
                let purpose = step.purpose.clone().or_else(|| Code::parse(PURPOSE));
                needed
                    .extend(documents.into_iter().filter_map(|document| Some((step.office.clone(), document, purpose.clone()?))));
            }
        }
        needed
    }

    fn write_files(&self) -> Result<(), WorldError> {
        let folder = self.installation.folder();
        let (catalogue, seal) = (folder.join("catalogue"), folder.join("seal"));
        std::fs::create_dir_all(&catalogue)?;
        std::fs::create_dir_all(&seal)?;
        let mut offices = String::from("format = 1\n");
        for kind in self.shared.catalogue.offices().keys() {
            let called = if kind.as_str() == "school" { format!("called = [\"{}\"]\n", school_id(1)) } else { String::new() };
            let _ = write!(offices, "\n[[office]]\nkind = \"{kind}\"\nagency = \"{}\"\n{called}", of_kind(kind.as_str()));
        }
        let second = of_kind("school-2");
        let _ = write!(offices, "\n[[office]]\nkind = \"school\"\nagency = \"{second}\"\ncalled = [\"{}\"]\n", school_id(2));
        std::fs::write(catalogue.join("offices.toml"), offices)?;
        for (name, text) in &self.plan.catalogue {
            let path = catalogue.join(name);
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(path, text)?;
        }
        // The portal has a desk at the pages of the gateway, which signs for it there.
        for own in [COORDINATOR, PORTAL] {
            let folder = self.agency_folder(own);
            std::fs::copy(folder.join("sign.key"), seal.join(format!("{own}.key")))?;
            std::fs::copy(folder.join("sign.pem"), seal.join(format!("{own}.pem")))?;
        }
        let text = std::fs::read_to_string(self.installation.config())?;
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let cases =
            format!("\n[cases]\ncoordinators = [\"{COORDINATOR}\"]\ncatalogue = \"catalogue\"\ntest_pace = {}\n", self.plan.pace);
        let curators: String = self.plan.curators.iter().map(|(name, address)| format!("\"{name}\" = \"{address}\"\n")).collect();
        let cases = if curators.is_empty() { cases } else { format!("{cases}[cases.curators]\n{curators}") };
        let (before, sections) = rest.split_at(rest.find("\n[").unwrap_or(rest.len()));
        let config = format!("{first}\nseal = \"seal\"\n{before}{cases}{sections}\n{}", self.plan.config);
        std::fs::write(self.installation.config(), config)?;
        let quality = self.installation.config().with_file_name(QUALITY);
        for (place, text) in &self.plan.quality {
            let path = quality.join(place);
            std::fs::create_dir_all(path.parent().unwrap_or(&quality))?;
            std::fs::write(path, text)?;
        }
        if self.plan.ratings.is_empty() {
            return Ok(());
        }
        let data = Config::load(&self.installation.config()).map_err(StartError::from)?.data;
        let kept = Ratings::open(&data.join("ratings/test")).and_then(|ratings| ratings.keep(self.plan.ratings.clone()));
        kept.map_err(|cause| WorldError::Unlike(cause.to_string()))?;
        std::fs::create_dir_all(&quality)?;
        let files = [Register::built_in_file(), Priorities::built_in_file(), Laboratories::built_in_file()];
        files.iter().try_for_each(|file| std::fs::write(quality.join(file.name.trim_start_matches("quality/")), &*file.text))?;
        Ok(())
    }

    /// Starts the gateway in this process.
    pub async fn open(&mut self) -> Result<(), WorldError> {
        let config = Config::load(&self.installation.config()).map_err(StartError::from)?;
        let server = Server::open(check(config)?, Durability::Always).await?;
        let (stop, mut stopped) = watch::channel(false);
        let running = tokio::spawn(server.run(async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        self.gateway = Some((stop, running));
        Ok(())
    }

    /// Stops the gateway, if it is in this process.
    pub async fn close(&mut self) {
        if let Some((stop, running)) = self.gateway.take() {
            let _ = stop.send(true);
            let _ = running.await;
        }
    }

    /// Opens all offices: from now on each comes for what waits for it.
    pub fn work(&self) {
        for kind in self.kinds().into_iter().chain(["portal".to_owned()]) {
            let (shared, folder) = (Arc::clone(&self.shared), self.agency_folder(of_kind(&kind).as_str()));
            let mut stop = self.stop.subscribe();
            tokio::spawn(async move {
                let Ok(office) = Office::open(&kind, &folder, shared) else { return };
                tokio::select! {
                    () = office.work() => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        }
    }

    /// Stops everything.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        self.close().await;
    }

    /// How the agencies behave, and what they have seen.
    pub fn manners(&self) -> MutexGuard<'_, Manners> {
        self.shared.manners()
    }

    /// The installation.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The folder of an agency.
    pub fn agency_folder(&self, name: &str) -> PathBuf {
        self.installation.agency_folder(&agency(name))
    }

    /// The client of an agency.
    pub fn client(&self, name: &str) -> Result<Client, WorldError> {
        Ok(Client::load(&self.agency_folder(name))?)
    }

    /// The people.
    pub fn people(&self) -> &[Person] {
        &self.shared.people
    }

    /// The mother of a household.
    pub fn mother(&self, household: u32) -> Person {
        self.of(household, Role::Mother)
    }

    /// The pupil of a household.
    pub fn pupil(&self, household: u32) -> Person {
        self.of(household, Role::Pupil)
    }

    fn of(&self, household: u32, role: Role) -> Person {
        let family = self.shared.people.iter().filter(|person| person.household() == household);
        let mut family = family.filter(|person| person.role == role);
        family.next().or(self.shared.people.first()).cloned().unwrap_or_else(|| people().remove(0))
    }

    /// Where agencies connect.
    pub fn exchange_address(&self) -> SocketAddr {
        self.exchange
    }

    /// Where health and metrics are.
    pub fn public_address(&self) -> SocketAddr {
        self.public
    }

    /// Test or live.
    pub fn world(&self) -> MessageWorld {
        self.plan.world
    }

    /// The schemas.
    pub fn schemas(&self) -> &Schemas {
        &self.shared.schemas
    }

    /// The life situations.
    pub fn catalogue(&self) -> &Catalogue {
        &self.shared.catalogue
    }

    /// How many agencies there are.
    pub fn agencies(&self) -> usize {
        // The coordinator and the portal are of no kind.
        self.kinds().len() + 2
    }

    /// A birth, told by the maternity hospital.
    pub fn birth(&self, household: u32, region: Option<&str>) -> Result<Signed, WorldError> {
        let mother = self.mother(household);
        let markup = self.shared.paper("medical-birth-record", &mother).unwrap_or_default();
        self.event("xx.town.maternity", &mother, &markup, region)
    }

    /// An absence note, told by the clinic; with a diagnosis or without one.
    pub fn note(&self, household: u32, days: i64, diagnosis: Option<&str>) -> Result<Signed, WorldError> {
        let pupil = self.pupil(household);
        self.event("xx.town.clinic", &pupil, &absence_note_of(&pupil, days, diagnosis), None)
    }

    /// Something that an agency tells about a person.
    pub fn event(&self, publisher: &str, about: &Person, markup: &str, region: Option<&str>) -> Result<Signed, WorldError> {
        let client = self.client(publisher)?;
        let header = client.header(Kind::Event, None, None, self.plan.world)?;
        let context = self.context(about.subject(), region);
        let message = Message { header, context: Some(context), body: Body::Documents(Vec::new()), attachments: Vec::new() };
        Ok(client.sign(&message, markup)?)
    }

    /// An application or an order to the coordinator.
    pub fn apply(&self, by: &str, about: &Person, markup: &str) -> Result<Signed, WorldError> {
        self.apply_about(by, about.subject(), markup)
    }

    /// The same about anybody.
    pub fn apply_about(&self, by: &str, about: Subject, markup: &str) -> Result<Signed, WorldError> {
        let client = self.client(by)?;
        let header = client.header(Kind::Application, Some(agency(COORDINATOR)), None, self.plan.world)?;
        let context = self.context(about, None);
        let message = Message { header, context: Some(context), body: Body::Documents(Vec::new()), attachments: Vec::new() };
        Ok(client.sign(&message, markup)?)
    }

    fn context(&self, about: Subject, region: Option<&str>) -> Context {
        let purpose = Code::parse(PURPOSE).expect("the purpose of the town has the form of a code");
        Context { region: region.and_then(Region::parse), ..Context::new(purpose, BASIS, about) }
    }

    /// A document about a person, as the town's registers have it.
    pub fn paper(&self, document_type: &str, about: &Person) -> Option<String> {
        self.shared.paper(document_type, about)
    }
}

/// The people of the demo, whose newborns were born the day before.
fn townspeople() -> Vec<Person> {
    let yesterday = Day::from_days(now().day().days_since_epoch() - 1);
    let born = |person: Person| if person.role == Role::Newborn { Person { born: yesterday, ..person } } else { person };
    people().into_iter().map(born).collect()
}

/// Grants as they stand in a registry.
#[derive(Default)]
struct Grants {
    entries: String,
    number: u32,
}

impl Grants {
    fn add(&mut self, who: &str, action: &str, (what, about): (&str, About), purpose: &str) {
        self.number += 1;
        let id = format!("g{}", self.number);
        // The diagnosis is for nobody.
        let fields: &[&str] = if what == "medical-absence-note" {
            &["School", "Absence", "Patient", "PeExemption", "InfectiousContact", "VaccinationExemption"]
        } else {
            &["**"]
        };
        self.entries +=
            &grant_entry(&NewGrant { id: &id, who, action, what, about, fields, purpose, basis: BASIS, until: "2099-12-31" });
    }
}

fn said_otherwise(markup: String, otherwise: Option<&(String, String)>) -> String {
    match otherwise {
        Some((what, by)) => markup.replace(what, by),
        None => markup,
    }
}

/// The identifier of a school of the town.
pub fn school_id(number: u32) -> String {
    crate::base::ids::Identifier::synthetic(9016 + number).value().to_owned()
}

impl Shared {
    fn manners(&self) -> MutexGuard<'_, Manners> {
        self.manners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn person(&self, subject: &Subject) -> Option<&Person> {
        let asked = subject.identifiers.first()?;
        let is_hers = |person: &&Person| person.role == Role::Mother && person.business().identifiers.contains(asked);
        let person = self.people.iter().find(|person| person.identifier == *asked);
        person.or_else(|| self.people.iter().find(is_hers))
    }

    /// A document about a person.
    fn paper(&self, document_type: &str, person: &Person) -> Option<String> {
        // Whoever is none of the townspeople has somebody's family.
        let at = (person.household() as usize * 4) % self.people.len().max(1);
        let family = self.people.get(at..at + 4)?;
        if let Some(own) = document(document_type, person, family) {
            return Some(own);
        }
        let [_, mother, father, newborn] = family else { return None };
        let full = Schemas::example(document_type)?;
        let markup = full.split_once("?>").map_or(full, |(_, rest)| rest).trim();
        let couple = [mother, father];
        let mut text = fresh_head(markup);
        let of: Vec<(&str, &Person)> = match (document_type, person.role) {
            ("marriage-record", Role::Mother | Role::Father) => vec![("Person", couple[0]), ("Person", couple[1])],
            ("paternity-record", Role::Newborn) => vec![("Child", newborn), ("Father", father), ("Mother", mother)],
            ("benefit-decision", _) => vec![("Recipient", person), ("For", newborn), ("For", newborn)],
            ("family-capital", Role::Mother) => vec![("Holder", mother), ("Child", newborn)],
            ("bank-details", _) => vec![("Holder", person)],
            ("birth-allowance-application", _) => vec![("Applicant", person), ("Child", newborn)],
            ("marriage-record" | "paternity-record" | "family-capital", _) => return None,
            _ => vec![("Person", person), ("Student", person), ("Patient", person), ("Pupil", person), ("Parent", person)],
        };
        let mut from = 0;
        for (element, person) in of {
            from = put_person(&mut text, from, element, person);
        }
        Some(text)
    }
}

/// The text with a document id and a time of its own.
fn fresh_head(markup: &str) -> String {
    let id = MessageId::new(now(), crate::message::crypto::random().unwrap_or_default());
    let replaced = |text: &str, element: &str, value: &str| {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let found = text.split_once(&open).and_then(|(before, rest)| Some((before, rest.split_once(&close)?.1)));
        found.map_or_else(|| text.to_owned(), |(before, after)| format!("{before}{open}{value}{close}{after}"))
    };
    let text = replaced(markup, "t:DocumentId", &id.to_string());
    replaced(&text, "t:IssuedAt", &now().to_string())
}

/// Puts a person in the place of the first element of a name from an offset on; gives where it ends.
fn put_person(text: &mut String, from: usize, element: &str, person: &Person) -> usize {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let place = text.get(from..).and_then(|rest| {
        let start = from + rest.find(&open)? + open.len();
        let end = start + text.get(start..)?.find(&close)?;
        Some((start, end))
    });
    let Some((start, end)) = place else { return from };
    let (id, born) = (&person.identifier, person.born);
    let markup = format!(
        "<t:Id scheme=\"{}\">{}</t:Id><t:Name><t:Family>{}</t:Family><t:Given>{}</t:Given></t:Name><t:Sex>{}</t:Sex><t:BirthDate>{born}</t:BirthDate>",
        id.scheme(),
        id.value(),
        person.family,
        person.given,
        person.sex
    );
    text.replace_range(start..end, &markup);
    start + markup.len()
}

/// An office at work.
struct Office {
    kind: String,
    client: Client,
    anchors: Anchors,
    shared: Arc<Shared>,
}

impl Office {
    fn open(kind: &str, folder: &Path, shared: Arc<Shared>) -> Result<Self, WorldError> {
        let anchors = Anchors::load(&folder.join("ca.pem")).map_err(|error| WorldError::Unlike(error.to_string()))?;
        Ok(Self { kind: kind.to_owned(), client: Client::load(folder)?, anchors, shared })
    }

    async fn work(&self) {
        loop {
            if self.shared.manners().away.contains(&self.kind) {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let came = self.client.get_within("/v1/inbox?wait=1&max=1", 20).await;
            match came {
                Ok(received) if received.status.as_u16() == 200 => self.take(received).await,
                Ok(received) if received.status.is_success() => {}
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn take(&self, received: Received) {
        let header = |name: &str| received.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let (kind, lease) = (header("oncegate-kind"), header("oncegate-lease"));
        self.shared.manners().octets.entry(self.kind.clone()).or_default().push(received.body.to_vec());
        let answered = if kind == "request" { self.answer(&received.body).await } else { None };
        match answered {
            Some(answer) => drop(self.client.post(answer, "respond-async", LONG).await),
            None => drop(self.client.post_to(&format!("/v1/inbox/{lease}/ack"), "application/json", Vec::new()).await),
        }
    }

    /// The signed answer to a question or a task; none if there is nothing to say.
    async fn answer(&self, octets: &[u8]) -> Option<Vec<u8>> {
        let (question, _) = verify_under(octets, &self.anchors, &self.shared.schemas).ok()?;
        let reply = ReplyTo { id: question.header.id, digest: digest_of(octets).ok()? };
        let context = question.context.clone()?;
        let (body, markup) = match &question.body {
            Body::Ask(ask) => self.document(&question, ask.document_type.as_str(), &context),
            Body::Documents(_) => self.task(&question, octets).await?,
            _ => return None,
        };
        let kind = if matches!(body, Body::State { .. }) { Kind::Status } else { Kind::Answer };
        let header = self.client.header(kind, Some(question.header.from.clone()), Some(reply), question.header.world).ok()?;
        let context = Context { official: None, on_behalf_of: None, ..context };
        let message = Message { header, context: Some(context), body, attachments: Vec::new() };
        Some(self.client.sign(&message, &markup).ok()?.octets)
    }

    fn document(&self, question: &Message, document: &str, context: &Context) -> (Body, String) {
        let person = self.shared.person(&context.subject);
        let mut manners = self.shared.manners();
        manners.asked.push(Asked {
            kind: self.kind.clone(),
            document: document.to_owned(),
            about: person.map(|person| person.number),
            behalf: context.on_behalf_of.clone(),
            message: question.header.id,
            context: context
                .case
                .zip(context.situation.clone())
                .zip(context.step.clone())
                .map(|((case, (situation, _)), step)| (case, situation, step)),
            at: now(),
        });
        let role = person.map(|person| person.role);
        let is_missing =
            manners.none.contains(&(document.to_owned(), None)) || manners.none.contains(&(document.to_owned(), role));
        // Whoever is asked for a certificate by a parent is asked about the newborn.
        let about = match (document, person) {
            ("birth-certificate" | "paternity-record", Some(parent)) if matches!(parent.role, Role::Mother | Role::Father) => {
                self.shared.people.get(parent.household() as usize * 4 + 3)
            }
            _ => person,
        };
        let otherwise = manners.otherwise.get(document).cloned();
        drop(manners);
        let markup = about.filter(|_| !is_missing).and_then(|person| self.shared.paper(document, person));
        let markup = markup.map(|markup| said_otherwise(markup, otherwise.as_ref()));
        match (markup, Code::parse(document)) {
            (Some(markup), _) => (Body::Documents(Vec::new()), markup),
            (None, Some(document_type)) => (Body::NoRecord { document_type }, String::new()),
            (None, None) => (Body::Documents(Vec::new()), String::new()),
        }
    }

    async fn task(&self, question: &Message, octets: &[u8]) -> Option<(Body, String)> {
        let task = task_of(octets)?;
        let mut enclosed = Vec::new();
        for (attachment, name) in question.attachments.iter().zip(&task.enclosed) {
            enclosed.push((name.clone(), self.fetch(attachment).await.unwrap_or_default()));
        }
        let tasked = Tasked {
            kind: self.kind.clone(),
            what: task.kind.clone(),
            step: task.step.clone(),
            note: task.note.clone(),
            visit: task.visit,
            case: task.case.clone(),
            enclosed,
            message: question.header.id,
            at: now(),
        };
        let (refused, is_idle, is_mistaken, otherwise) = {
            let mut manners = self.shared.manners();
            for (_, octets) in &tasked.enclosed {
                manners.octets.entry(self.kind.clone()).or_default().push(octets.clone());
            }
            manners.tasks.push(tasked);
            let step = task.step.clone().unwrap_or_default();
            let otherwise = manners.otherwise.get(&step).cloned();
            (manners.refused.get(&step).cloned(), manners.idle.contains(&step), manners.mistaken.contains(&step), otherwise)
        };
        let state = |of: &str| Some((Body::State { of: Code::parse(of)?, at: now() }, String::new()));
        if matches!(task.kind.as_str(), "notice" | "reminder") {
            return None;
        }
        if is_idle {
            return state("accepted");
        }
        let (case, step) = (Uuid::parse(&task.case)?, Code::parse(task.step.as_deref()?)?);
        if task.kind == "times" {
            let times = self.shared.manners().times.get(step.as_str()).cloned().unwrap_or_default();
            return Some((Body::Documents(Vec::new()), times_document(&case, &step, &times)));
        }
        if task.kind == "handover" {
            return Some((Body::Documents(Vec::new()), outcome_document(&case, &step, "done", None)));
        }
        if let Some(reason) = refused {
            return Some((Body::Documents(Vec::new()), outcome_document(&case, &step, "refused", Some(&reason))));
        }
        let situation = self.shared.catalogue.situation(&Code::parse(&task.situation)?, task.region.as_ref());
        let gives = situation.and_then(|situation| situation.steps.iter().find(|known| known.id == step)?.gives.clone());
        let subject = question.context.as_ref().map(|context| &context.subject)?;
        let Some(gives) = gives else {
            return Some((Body::Documents(Vec::new()), outcome_document(&case, &step, "done", None)));
        };
        let person = self.shared.person(subject)?;
        let at = person.household() as usize * 4;
        let about = match gives.role.as_str() {
            "child" => self.shared.people.get(at + 3)?,
            _ => person,
        };
        let about = if is_mistaken { self.shared.people.get((about.number as usize + 8) % 1000)? } else { about };
        let markup = self.shared.paper(gives.document.as_str(), about)?;
        Some((Body::Documents(Vec::new()), said_otherwise(markup, otherwise.as_ref())))
    }

    async fn fetch(&self, attachment: &Attachment) -> Option<Vec<u8>> {
        let got = self.client.get(&format!("/v1/attachments/{}", attachment.sha256)).await.ok()?;
        got.status.is_success().then(|| got.body.to_vec())
    }
}

struct TaskOf {
    case: String,
    kind: String,
    situation: String,
    region: Option<Region>,
    step: Option<String>,
    note: Option<String>,
    visit: Option<UnixTime>,
    enclosed: Vec<String>,
}

/// What a task says; the message was verified.
fn task_of(octets: &[u8]) -> Option<TaskOf> {
    let text = std::str::from_utf8(octets).ok()?;
    let of = |element: &str| {
        let rest = text.split_once(&format!("<{element}>"))?.1;
        Some(rest.split_once(&format!("</{element}>"))?.0.to_owned())
    };
    let body = text.split_once("<CaseTask")?.1;
    let inner = |element: &str| {
        let rest = body.split_once(&format!("<{element}>"))?.1;
        Some(rest.split_once(&format!("</{element}>"))?.0.to_owned())
    };
    let enclosed = body.split("<Enclosed ").skip(1).map(|part| {
        let value =
            |name: &str| part.split_once(&format!("{name}=\"")).and_then(|(_, rest)| Some(rest.split_once('"')?.0.to_owned()));
        format!("{}:{}", value("documentType").unwrap_or_default(), value("role").unwrap_or_default())
    });
    Some(TaskOf {
        case: inner("Case").or_else(|| of("Case"))?,
        kind: inner("Kind")?,
        situation: inner("Situation")?,
        region: inner("Region").as_deref().and_then(Region::parse),
        step: inner("Step"),
        note: inner("Note"),
        visit: inner("Visit").as_deref().and_then(UnixTime::parse),
        enclosed: enclosed.collect(),
    })
}

const PAUSE: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(30);
