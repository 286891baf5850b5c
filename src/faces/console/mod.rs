//! The console: pages for people, in HTML that needs no script (HTML Living Standard; WCAG 2.2, level AA).
//!
//! A handler asks the gateway, and makes a [`Page`](html::Page) of pieces; one frame stands around all. Each table of a page is had as CSV and
//! JSON as well. Whoever looks has signed in, by client certificate or by a link that is good once, and sees what the [`ROUTES`] allow their
//! duties; personal links need no signing in. Whatever is a search for a person is on record before it is answered.

mod agencies;
mod cases;
mod chart;
mod citizen;
mod decisions;
mod desk;
mod documents;
mod effect;
mod entry;
mod help;
mod html;
mod issues;
mod laboratories;
mod live;
mod log;
mod overview;
mod provider;
mod quality;
mod queue;
mod register;
mod request;
mod seen;
mod session;
mod sign;
mod situations;
mod state;
mod survey;
mod telling;
mod tone;
mod traffic;
#[allow(dead_code, reason = "what the next pages say")]
mod words;

use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Digest, Uuid};
use crate::base::time::UnixTime;
use crate::evidence::audit::{Pairs, encoded};
use crate::faces::api::PublicApi;
use crate::faces::api::apart::apart;
use crate::gateway::driver::{Gateway, World, now};
use crate::host::config::{Config, Duty, Official, People, read_bounded};
use crate::host::expiry;
use crate::host::oidc::{Pending, Provider};
use crate::host::transport::{Body, Inbound};
use html::{Address, Finds, Frame, Page, Personal};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode};
use request::{Answer, Asked, Reach, Wire};
use session::{Begun, Sessions, Visitor};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use telling::Telling;
use tokio::sync::Semaphore;
use words::{Language, Words};

/// Who may have a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Whoever comes.
    Everybody,
    /// Whoever has signed in and does one of these.
    Duties(&'static [Duty]),
}

/// A page, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// What needs attention, and how much goes on.
    Overview,
    /// The log, searched.
    Log,
    /// Where the one box leads.
    Find,
    /// A search by person.
    Search,
    /// A record with its proof.
    Entry,
    /// What is private about a record.
    Open,
    /// Its receipt.
    Receipt,
    /// What two people decide together.
    Decisions,
    /// Something is proposed for a record.
    Propose,
    /// What is proposed is carried out, or declined.
    Decide,
    /// All agencies.
    Agencies,
    /// One of them.
    Agency,
    /// Cases.
    Cases,
    /// One of them.
    Case,
    /// The agency of a step is reminded.
    Remind,
    /// Another agency is asked to take a step.
    Reassign,
    /// Something is said to a case.
    Note,
    /// Where a desk applies for somebody.
    Desk,
    /// The application.
    Apply,
    /// What is answered at a desk.
    Answers,
    /// A personal link to hand over.
    Personal,
    /// A case is taken back.
    Withdraw,
    /// What is refused, and who tries it.
    Security,
    /// Life situations.
    Situations,
    /// One of them.
    Situation,
    /// What a changed situation would mean for people.
    Effect,
    /// Documents, and who may ask for them.
    Documents,
    /// One of them.
    Document,
    /// Whether somebody may.
    Explain,
    /// Open work.
    Queue,
    /// The state of the gateway.
    State,
    /// What citizens complain about.
    Complaints,
    /// A complaint is answered.
    AnswerComplaint,
    /// A citizen's page.
    My,
    /// The proof of an access.
    MyProof,
    /// A complaint about an access.
    Complain,
    /// The same, sent.
    FileComplaint,
    /// How good services are.
    Quality,
    /// What comes first in each region.
    Priorities,
    /// How far two assessors agree.
    Agreement,
    /// What channels keep of what is declared.
    Channels,
    /// What was found in laboratories.
    Laboratories,
    /// The report to one agency.
    Report,
    /// Somebody is asked how it was.
    Survey,
    /// They say it.
    Rate,
    /// What a code means: all of them.
    Faults,
    /// One of them.
    Fault,
    /// What this is.
    About,
    /// Where people sign in.
    SignIn,
    /// The way to the provider.
    Begin,
    /// The way back from it.
    Return,
    /// A link that signs in.
    Link,
    /// The same, used.
    UseLink,
    /// The way out.
    SignOut,
    /// Told when something has changed.
    Live,
    /// The style sheet and the script.
    Asset,
}

/// A route of the console.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// The page.
    pub name: Name,
    /// Who may have it.
    pub sight: Sight,
    /// Its place in the menu, if it has one: a key of the words.
    pub menu: Option<&'static str>,
}

const fn route(method: &'static str, path: &'static str, name: Name, sight: Sight, menu: Option<&'static str>) -> Route {
    Route { method, path, name, sight, menu }
}

use Duty::{Agency, Auditor, Curator, Desk, Operator, Security};
use Sight::{Duties, Everybody};

const ALL: Sight = Duties(&Duty::ALL);
/// Who sees records: an agency its own.
const READERS: Sight = Duties(&[Operator, Auditor, Security, Agency]);

/// Who proposes and decides what is erased or disclosed: two of them.
const DECIDERS: Sight = Duties(&[Operator, Auditor]);

/// Who sees how good services are.
const ASSESSORS: Sight = Duties(&[Operator, Auditor, Curator]);

/// Who sees cases: a desk and an agency those that it has a part in.
const CASES: Sight = Duties(&[Operator, Auditor, Curator, Desk, Agency]);

/// All routes, and who may have each.
pub const ROUTES: &[Route] = &[
    route("GET", "/", Name::Overview, ALL, Some("menu.overview")),
    route("GET", "/log", Name::Log, READERS, Some("menu.log")),
    route("POST", "/find", Name::Find, ALL, None),
    route("POST", "/log/search", Name::Search, Duties(&[Auditor]), None),
    route("GET", "/log/{index}", Name::Entry, READERS, None),
    route("POST", "/log/{index}/open", Name::Open, Duties(&[Auditor]), None),
    route("GET", "/log/{index}/receipt", Name::Receipt, READERS, None),
    route("GET", "/cases", Name::Cases, CASES, Some("menu.cases")),
    route("GET", "/cases/{id}", Name::Case, CASES, None),
    route("POST", "/cases/{id}/remind", Name::Remind, Duties(&[Curator]), None),
    route("POST", "/cases/{id}/reassign", Name::Reassign, Duties(&[Curator]), None),
    route("POST", "/cases/{id}/note", Name::Note, Duties(&[Curator]), None),
    route(
        "GET",
        "/agencies",
        Name::Agencies,
        Duties(&[Operator, Auditor, Curator, Desk, Security, Agency]),
        Some("menu.agencies"),
    ),
    route("GET", "/agencies/{id}", Name::Agency, Duties(&[Operator, Auditor, Curator, Security, Agency]), None),
    route("GET", "/desk", Name::Desk, Duties(&[Desk]), Some("menu.desk")),
    route("POST", "/desk", Name::Apply, Duties(&[Desk]), None),
    route("POST", "/cases/{id}/answers", Name::Answers, Duties(&[Desk]), None),
    route("POST", "/cases/{id}/link", Name::Personal, Duties(&[Desk]), None),
    route("POST", "/cases/{id}/withdraw", Name::Withdraw, Duties(&[Desk]), None),
    route("GET", "/security", Name::Security, Duties(&[Operator, Security]), Some("menu.security")),
    route("GET", "/situations", Name::Situations, ALL, Some("menu.situations")),
    route("GET", "/situations/{id}", Name::Situation, ALL, None),
    route("POST", "/situations/{id}/effect", Name::Effect, Duties(&[Operator, Curator]), None),
    route("GET", "/documents", Name::Documents, ALL, Some("menu.documents")),
    route("GET", "/documents/{type}", Name::Document, ALL, None),
    route("GET", "/explain", Name::Explain, ALL, None),
    route("GET", "/queue", Name::Queue, Duties(&[Operator]), Some("menu.queue")),
    route("GET", "/state", Name::State, Duties(&[Operator, Security]), Some("menu.state")),
    route("GET", "/decisions", Name::Decisions, DECIDERS, Some("menu.decisions")),
    route("POST", "/log/{index}/propose", Name::Propose, DECIDERS, None),
    route("POST", "/decisions/{index}", Name::Decide, DECIDERS, None),
    route("GET", "/complaints", Name::Complaints, Duties(&[Auditor]), Some("menu.complaints")),
    route("POST", "/complaints/{index}", Name::AnswerComplaint, Duties(&[Auditor]), None),
    route("GET", "/my/{link}", Name::My, Everybody, None),
    route("GET", "/my/{link}/proof/{index}", Name::MyProof, Everybody, None),
    route("GET", "/my/{link}/complain/{index}", Name::Complain, Everybody, None),
    route("POST", "/my/{link}/complain/{index}", Name::FileComplaint, Everybody, None),
    route("GET", "/quality", Name::Quality, ASSESSORS, Some("menu.quality")),
    route("GET", "/quality/priorities", Name::Priorities, ASSESSORS, None),
    route("GET", "/quality/agreement", Name::Agreement, ASSESSORS, None),
    route("GET", "/quality/channels", Name::Channels, ASSESSORS, None),
    route("GET", "/quality/laboratories", Name::Laboratories, ASSESSORS, None),
    route("GET", "/quality/{organisation}", Name::Report, ASSESSORS, None),
    route("GET", "/s/{token}", Name::Survey, Everybody, None),
    route("POST", "/s/{token}", Name::Rate, Everybody, None),
    route("GET", "/help", Name::Faults, Everybody, Some("menu.help")),
    route("GET", "/help/{code}", Name::Fault, Everybody, None),
    route("GET", "/about", Name::About, Everybody, None),
    route("GET", "/sign-in", Name::SignIn, Everybody, None),
    route("GET", "/sign-in/provider", Name::Begin, Everybody, None),
    route("GET", "/sign-in/callback", Name::Return, Everybody, None),
    route("GET", "/sign-in/{link}", Name::Link, Everybody, None),
    route("POST", "/sign-in/{link}", Name::UseLink, Everybody, None),
    route("POST", "/sign-out", Name::SignOut, ALL, None),
    route("GET", "/live", Name::Live, ALL, None),
    route("GET", "/assets/{file}", Name::Asset, Everybody, None),
];

impl Route {
    /// The values of its parameters, if it is the route of a path.
    fn matches(&self, path: &[String]) -> Option<Vec<String>> {
        let template: Vec<&str> = self.path.strip_prefix('/').unwrap_or(self.path).split('/').collect();
        if template.len() != path.len() {
            return None;
        }
        let mut values = Vec::new();
        for (known, given) in template.iter().zip(path) {
            match known.starts_with('{') {
                true if !given.is_empty() => values.push(given.clone()),
                false if known == given => {}
                _ => return None,
            }
        }
        Some(values)
    }
}

/// The console of a gateway.
pub struct Console {
    gateway: Arc<Gateway>,
    config: Arc<Config>,
    sessions: Mutex<Sessions>,
    people: RwLock<People>,
    /// Where it listens, once it does.
    listens: SocketAddr,
    reads: Semaphore,
    /// When whoever has a personal link has looked at who looked, by their cases.
    own_looks: Mutex<BTreeMap<Uuid, UnixTime>>,
    assets: Assets,
    /// Where people sign in, if they do so elsewhere.
    provider: Option<Provider>,
    /// Who is there.
    pending: Pending,
    /// What ends, as it was found last, and when.
    ends: Mutex<Option<(UnixTime, Arc<Vec<expiry::Row>>)>>,
}

/// The style sheet and the script, under names that change with them.
struct Assets {
    style: String,
    script: String,
}

const STYLE: &str = include_str!("assets/console.css");
const SCRIPT: &str = include_str!("assets/console.js");

impl Assets {
    fn new() -> Self {
        let name = |text: &str| crate::message::crypto::sha256(text.as_bytes()).to_string().chars().take(12).collect::<String>();
        Self { style: format!("/assets/{}.css", name(STYLE)), script: format!("/assets/{}.js", name(SCRIPT)) }
    }
}

impl Console {
    /// The console of a gateway that listens there; without an address it has the pages of the public listener alone.
    pub fn new(gateway: Arc<Gateway>, config: Arc<Config>, listens: Option<SocketAddr>) -> Result<Arc<Self>, String> {
        let people = read_people(&config)?;
        let (idle_ms, session_ms) = config.console.as_ref().map_or((1, 1), |console| (console.idle_ms, console.session_ms));
        let sessions = Sessions::new(idle_ms, session_ms);
        let listens = listens.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let settings = config.console.as_ref().and_then(|console| console.oidc.clone());
        let redirect = format!("{}/sign-in/callback", url(&config, listens));
        let provider = settings.map(|settings| Provider::open(settings, &redirect)).transpose();
        let provider = provider.map_err(|why| format!("[console.oidc] {why}"))?;
        Ok(Arc::new(Self {
            gateway,
            provider,
            pending: Pending::default(),
            sessions: Mutex::new(sessions),
            people: RwLock::new(people),
            listens,
            reads: Semaphore::new(READS_AT_ONCE),
            own_looks: Mutex::default(),
            assets: Assets::new(),
            ends: Mutex::new(None),
            config,
        }))
    }

    /// Reads again who may sign in; whoever is not there any more is signed out.
    pub fn reload(&self) -> Result<(), String> {
        let people = read_people(&self.config)?;
        *self.people.write().unwrap_or_else(PoisonError::into_inner) = people.clone();
        self.sessions().keep(&people);
        Ok(())
    }

    /// A link that signs somebody in, once.
    pub fn link(&self, official: Official) -> Option<String> {
        let link = self.sessions().link(official, now())?;
        Some(format!("{}/sign-in/{link}", self.url()))
    }

    /// The name of an agency for people, if it is in the registry.
    pub fn knows(&self, agency: &AgencyId) -> Option<String> {
        let world = self.gateway.world();
        world.registry.agency(world.registry.find(agency)?).map(|agency| agency.name.clone())
    }

    /// Signs out everybody of a name; says how many sessions that were.
    pub fn sign_out(&self, name: &str) -> usize {
        self.sessions().close_all(name)
    }

    /// Where browsers reach it.
    pub fn url(&self) -> String {
        url(&self.config, self.listens)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own_looks(&self) -> MutexGuard<'_, BTreeMap<Uuid, UnixTime>> {
        self.own_looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn people(&self) -> People {
        self.people.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads from the log where it holds up nobody else, few at once.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&Gateway) -> T + Send + 'static) -> Result<T, Fault> {
        let _place = self.reads.acquire().await.map_err(|_| Fault::new(Code::HttpBusy))?;
        let gateway = Arc::clone(&self.gateway);
        apart(move || read(&gateway)).await.map(|(made, _)| made)
    }

    /// What ends, as it was a minute ago at most: it reads files.
    async fn ends(self: &Arc<Self>) -> Arc<Vec<expiry::Row>> {
        let now = now();
        let known = self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, rows)) = known
            && now.distance_ms(at) < ENDS_MS
        {
            return rows;
        }
        let this = Arc::clone(self);
        let survey = move || Arc::new(expiry::survey(&this.config, &this.gateway.world().registry, now));
        let rows = tokio::task::spawn_blocking(survey).await.unwrap_or_default();
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&rows)));
        rows
    }

    /// Whether a request is for us by its Host: another name that leads here is somebody's trick (DNS rebinding).
    fn is_host(&self, host: &str) -> bool {
        // Under the address that people's links have, which somebody in front leads here.
        if self.config.notices.public_url.as_ref().is_some_and(|url| host == url.url.host || host == url.url.authority()) {
            return true;
        }
        let name =
            host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|c| c.is_ascii_digit())).map_or(host, |(name, _)| name);
        match self.config.console.as_ref().and_then(|console| console.url.as_ref()) {
            Some(url) => name == url.url.host || host == url.url.authority(),
            None => {
                name == "localhost"
                    || host == self.listens.to_string()
                    || name.trim_matches(['[', ']']) == self.listens.ip().to_string()
            }
        }
    }
}

/// Where browsers reach a console that listens there.
fn url(config: &Config, listens: SocketAddr) -> String {
    let console = config.console.as_ref();
    if let Some(url) = console.and_then(|console| console.url.as_ref()) {
        return url.to_string().trim_end_matches('/').to_owned();
    }
    let scheme = if console.is_some_and(|console| console.tls.is_some()) { "https" } else { "http" };
    format!("{scheme}://{listens}")
}

fn read_people(config: &Config) -> Result<People, String> {
    let Some(file) = config.console.as_ref().and_then(|console| console.people.as_ref()) else { return Ok(People::default()) };
    let text = read_bounded(file).map_err(|error| error.to_string())?;
    People::parse(&text)
        .map_err(|(line, column, what)| format!("{}:{line}:{column}: {} {what}", file.display(), Code::CfgInvalid))
}

/// Reads of the log at once, for pages.
const READS_AT_ONCE: usize = 4;
/// For how long what ends is believed.
const ENDS_MS: u64 = 60_000;

/// Where somebody has come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// At the console.
    Console,
    /// At the public listener: there are pages for everybody alone, and nobody signs in.
    Public,
}

/// The service of a connection.
#[derive(Clone)]
pub struct ConsoleApi {
    console: Arc<Console>,
    certificate: Option<Digest>,
    wire: Wire,
    door: Door,
}

/// The public listener: what programs ask, and the pages for everybody.
#[derive(Clone)]
pub struct PublicPages {
    api: PublicApi,
    pages: ConsoleApi,
}

impl PublicPages {
    /// Both.
    pub fn new(api: PublicApi, console: Arc<Console>) -> Self {
        Self { api, pages: ConsoleApi { console, certificate: None, wire: Wire::Plain, door: Door::Public } }
    }

    /// Whose they are.
    pub fn gateway(&self) -> &Arc<Gateway> {
        self.api.gateway()
    }
}

impl Service<Request<Inbound>> for PublicPages {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Inbound>) -> Self::Future {
        let first = request.uri().path().split('/').nth(1).unwrap_or("");
        match PUBLIC.contains(&first) {
            true => self.pages.call(request),
            false => self.api.call(request),
        }
    }
}

/// With what the paths of pages begin that are at the public listener too.
const PUBLIC: &[&str] = &["my", "s", "help", "about", "assets"];

impl ConsoleApi {
    /// For a connection under TLS, with the client's certificate if it has shown one.
    pub fn under_tls(console: Arc<Console>, certificate: Option<Digest>) -> Self {
        Self { console, certificate, wire: Wire::Tls, door: Door::Console }
    }

    /// For a connection on loopback: what is in front of it may speak TLS.
    pub fn plain(console: Arc<Console>) -> Self {
        let behind = console.config.console.as_ref().and_then(|console| console.url.as_ref());
        let is_tls = behind.is_some_and(|url| url.scheme == crate::rules::registry::Scheme::Https);
        let wire = if is_tls { Wire::Tls } else { Wire::Plain };
        Self { console, certificate: None, wire, door: Door::Console }
    }
}

impl Service<Request<Inbound>> for ConsoleApi {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Inbound>) -> Self::Future {
        let api = self.clone();
        Box::pin(async move {
            let (wire, accepts) = (api.wire, request.headers().clone());
            let language =
                accepts.get("accept-language").and_then(|field| field.to_str().ok()).map_or(Language::En, Language::accepted);
            let answered = match Asked::read(request, api.certificate, wire).await {
                Ok(asked) => api.console.answer(asked, api.door).await,
                Err(fault) => help::refused(&api.console, Words(language), None, Address::new("/"), &fault),
            };
            Ok(answered.response(wire))
        })
    }
}

/// What a handler has at hand.
struct Visit {
    console: Arc<Console>,
    world: Arc<World>,
    words: Words,
    who: Option<Visitor>,
    /// The sign-in at the provider that this browser has begun.
    begun: Option<String>,
    /// The parameters of the path.
    of: Vec<String>,
    query: Pairs,
    form: Pairs,
    address: Address,
    wire: Wire,
    now: UnixTime,
}

type Answered = Result<Answer, Fault>;

impl Visit {
    /// The one parameter of the path.
    fn of(&self) -> &str {
        self.of.first().map_or("", String::as_str)
    }

    fn gateway(&self) -> &Arc<Gateway> {
        &self.console.gateway
    }

    fn does(&self, duties: &[Duty]) -> bool {
        self.who.as_ref().is_some_and(|who| who.does(duties))
    }

    fn token(&self) -> &str {
        self.who.as_ref().map_or("", |who| who.token.as_str())
    }

    /// Whose records may be seen: all, or those of an agency.
    fn scope(&self) -> Option<AgencyId> {
        if self.does(&[Operator, Auditor, Security]) {
            None
        } else {
            self.who.as_ref().and_then(|who| who.official.agency.clone())
        }
    }

    /// What people call an agency.
    fn agency_name(&self, id: &str) -> String {
        let index = AgencyId::parse(id).and_then(|id| self.world.registry.find(&id));
        index.and_then(|index| self.world.registry.agency(index)).map_or_else(|| id.to_owned(), |agency| agency.name.clone())
    }

    /// A number of the address; nothing if it is not there, or empty, as forms send it.
    fn number(&self, key: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Fault> {
        let Some((_, asked)) = self.query.iter().find(|(known, value)| *known == key && !value.is_empty()) else {
            return Ok(None);
        };
        let wrong = || Fault::at(Code::AudQuery, format!("{key}: expected a number from {} to {}", range.start(), range.end()));
        asked.parse().ok().filter(|number| range.contains(number)).map(Some).ok_or_else(wrong)
    }

    /// What people call a type of document.
    fn document_name(&self, name: &str) -> String {
        let Some(code) = Word::parse(name) else { return name.to_owned() };
        let telling = Telling { words: self.words, catalogue: &self.world.catalogue };
        let of_schema = || self.world.schemas().document_type(&code).map(|known| known.title.clone());
        telling.document_title(&code).or_else(of_schema).unwrap_or_else(|| name.to_owned())
    }

    /// A page, or one of its tables for machines.
    fn page(&self, page: &Page) -> Answered {
        let mut query = self.query.clone();
        let (form, table) = (query.take("as"), query.take("table"));
        let Some(form) = form else { return Ok(Answer::html(StatusCode::OK, self.framed(page))) };
        let named = page.tables().find(|known| table.as_deref().is_none_or(|name| known.name == name));
        let named = named.ok_or_else(|| Fault::new(Code::HttpNoSuchPath))?;
        match form.as_str() {
            "csv" => Ok(Answer::file("text/csv; charset=utf-8; header=present", &format!("{}.csv", named.name), named.csv())),
            "json" => Ok(Answer::of(StatusCode::OK, "application/json", named.json().to_string())),
            _ => Err(Fault::at(Code::AudQuery, "as: expected csv or json")),
        }
    }

    fn framed(&self, page: &Page) -> String {
        let words = self.words;
        let is_here = |path: &str| if path == "/" { page.address.path == "/" } else { page.address.path.starts_with(path) };
        let is_personal = page.is_personal == Personal::Yes;
        let may = |route: &&Route| match route.sight {
            Sight::Everybody => true,
            Sight::Duties(duties) => self.does(duties),
        };
        let shown = ROUTES.iter().filter(|_| !is_personal && self.who.is_some()).filter(may);
        let menu = shown.filter_map(|route| Some((route.path, words.say(route.menu?).to_owned(), is_here(route.path)))).collect();
        let duties =
            |who: &Visitor| who.official.duties.iter().map(|duty| duty_word(words, *duty)).collect::<Vec<_>>().join(", ");
        let others = Language::ALL.into_iter().filter(|language| *language != words.0);
        let languages =
            others.map(|language| (language.tag(), language.name(), page.address.with("language", language.tag()).to_string()));
        let name = self.console.config.log.origin.split('/').next().unwrap_or_default();
        page.html(&Frame {
            words,
            name: if is_personal { "" } else { name },
            menu,
            who: self.who.as_ref().filter(|_| !is_personal).map(|who| (who.official.name.clone(), duties(who))),
            token: self.token(),
            languages: languages.collect(),
            style: &self.console.assets.style,
            script: &self.console.assets.script,
            finds: if self.does(&Duty::ALL) && !is_personal { Finds::Yes } else { Finds::No },
        })
    }
}

fn duty_word(words: Words, duty: Duty) -> String {
    words.find(&format!("duty.{}", duty.as_str())).unwrap_or(duty.as_str()).to_owned()
}

impl Console {
    async fn answer(self: &Arc<Self>, asked: Asked, door: Door) -> Answer {
        let words = Words(asked.language());
        let chosen = asked.query.iter().any(|(key, tag)| key == "language" && Language::parse(tag).is_some());
        let who = match door {
            Door::Console => self.who(&asked).await,
            Door::Public => None,
        };
        let shown = who.clone();
        let wire = asked.wire;
        // The same page in another language; what was sent, or asked for and refused, is not said again by it.
        let address = Address::new(if asked.method == Method::POST { "/".to_owned() } else { address_of(&asked).path });
        let answer = match self.handle(asked, words, (who, door)).await {
            Ok(answer) => answer,
            Err(fault) => help::refused(self, words, shown, address, &fault),
        };
        if chosen { answer.with_cookie("language", words.0.tag(), wire, Reach::Year) } else { answer }
    }

    /// Who comes: by a cookie, or by a client certificate. The first request with a certificate begins a session, which is on record.
    async fn who(&self, asked: &Asked) -> Option<Visitor> {
        let now = now();
        let by_cookie = asked.cookie(Asked::session_cookie(asked.wire)).and_then(|shown| self.sessions().find(shown, now));
        if by_cookie.is_some() {
            return by_cookie;
        }
        let certificate = asked.certificate?;
        let official = sign::by_certificate(&self.people(), &self.gateway.world(), &certificate)?;
        let (who, begun) = self.sessions().of_certificate(&official, certificate, now)?;
        if begun == Begun::Now && sign::recorded(self, &who, "sign-in").await.is_err() {
            self.sessions().close(&who.session);
            return None;
        }
        Some(who)
    }

    async fn handle(self: &Arc<Self>, asked: Asked, words: Words, (who, door): (Option<Visitor>, Door)) -> Answered {
        if door == Door::Console && !self.is_host(&asked.host) {
            return Err(Fault::at(Code::HttpMisdirected, "the console has another name; see [console] url"));
        }
        let is_here = |path: &str| door == Door::Console || PUBLIC.contains(&path.split('/').nth(1).unwrap_or(""));
        let found = ROUTES.iter().filter(|route| is_here(route.path));
        let found = found.filter_map(|route| Some((route, route.matches(&asked.path)?)));
        let found: Vec<_> = found.collect();
        // A head is the head of what would be got.
        let method = if asked.method == Method::HEAD { "GET" } else { asked.method.as_str() };
        let known = found.iter().find(|(route, _)| route.method == method);
        let Some((route, of)) = known else {
            if found.is_empty() {
                return Err(Fault::new(Code::HttpNoSuchPath));
            }
            let has = |method: &str| found.iter().any(|(route, _)| route.method == method);
            let allowed: Vec<&str> = [("GET", "GET, HEAD"), ("POST", "POST")]
                .into_iter()
                .filter(|(method, _)| has(method))
                .map(|(_, all)| all)
                .collect();
            let allowed = allowed.join(", ");
            let refused =
                help::refused(self, words, who, Address::new("/"), &Fault::at(Code::HttpMethod, format!("allowed: {allowed}")));
            // RFC 9110, section 15.5.6.
            return Ok(refused.with(hyper::header::ALLOW, &allowed));
        };
        if let Sight::Duties(duties) = route.sight {
            let Some(who) = &who else { return Ok(Answer::see("/sign-in")) };
            if !who.does(duties) {
                return Err(Fault::new(Code::ConsoleDuty));
            }
        }
        if asked.method == Method::POST {
            let mut form = asked.form.clone();
            let token = form.take("token").unwrap_or_default();
            let is_own = who.as_ref().is_none_or(|who| same(&who.token, &token));
            let needs = matches!(route.sight, Sight::Duties(_));
            if !asked.is_from_here() || (needs && !is_own) {
                return Err(Fault::new(Code::ConsoleForm));
            }
        }
        let begun = asked.cookie(Asked::state_cookie(asked.wire)).map(str::to_owned);
        let address = address_of(&asked);
        let (mut query, mut form) = (asked.query, asked.form);
        query.take("language");
        form.take("token");
        let (console, world) = (Arc::clone(self), self.gateway.world());
        let visit =
            Visit { console, world, words, who, begun, of: of.clone(), query, form, address, wire: asked.wire, now: now() };
        route.name.answer(visit).await
    }
}

/// The address of what was asked, without what every page knows. It is one of this console, whatever its path says: two solidi would begin
/// the name of another host (RFC 3986, section 4.2).
fn address_of(asked: &Asked) -> Address {
    let pairs = asked.query.iter().filter(|(key, _)| !["language", "as", "table"].contains(key));
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let path = match asked.path.iter().any(String::is_empty) {
        true => "/".to_owned(),
        false => asked.path.iter().map(|part| format!("/{}", encoded(part))).collect(),
    };
    Address { path, pairs }
}

/// Whether two secrets are the same; how far they are says nothing.
fn same(left: &str, right: &str) -> bool {
    let hash = |text: &str| crate::message::crypto::sha256(text.as_bytes());
    crate::message::crypto::equal(&hash(left), &hash(right))
}

impl Name {
    async fn answer(self, visit: Visit) -> Answered {
        match self {
            Self::Overview => overview::overview(visit).await,
            Self::Log => log::log(visit).await,
            Self::Find => log::find(visit).await,
            Self::Search => log::search(visit).await,
            Self::Entry => entry::entry(visit).await,
            Self::Open => entry::open(visit).await,
            Self::Receipt => entry::receipt(visit).await,
            Self::Decisions => decisions::decisions(visit).await,
            Self::Propose => decisions::propose(visit).await,
            Self::Decide => decisions::decide(visit).await,
            Self::Cases => cases::cases(visit).await,
            Self::Case => cases::case(visit).await,
            Self::Remind => cases::remind(visit).await,
            Self::Reassign => cases::reassign(visit).await,
            Self::Note => cases::note(visit).await,
            Self::Agencies => agencies::agencies(visit).await,
            Self::Agency => agencies::agency(visit).await,
            Self::Desk => desk::desk(visit).await,
            Self::Apply => desk::apply(visit).await,
            Self::Answers => desk::answers(visit).await,
            Self::Personal => desk::personal(visit).await,
            Self::Withdraw => desk::withdraw(visit).await,
            Self::Security => traffic::security(visit).await,
            Self::Situations => situations::situations(visit),
            Self::Situation => situations::situation(visit).await,
            Self::Effect => effect::effect(visit).await,
            Self::Documents => documents::documents(visit),
            Self::Document => documents::document(visit),
            Self::Explain => documents::explain(visit),
            Self::Queue => queue::queue(visit).await,
            Self::State => state::state(visit).await,
            Self::Complaints => citizen::all_complaints(visit).await,
            Self::AnswerComplaint => citizen::answer_complaint(visit).await,
            Self::My => citizen::my(visit).await,
            Self::MyProof => citizen::proof(visit).await,
            Self::Complain => citizen::complain(visit).await,
            Self::FileComplaint => citizen::file_complaint(visit).await,
            Self::Quality => quality::quality(visit).await,
            Self::Priorities => issues::priorities(visit),
            Self::Agreement => register::agreement(visit),
            Self::Channels => register::channels(visit),
            Self::Laboratories => laboratories::laboratories(visit),
            Self::Report => quality::report(visit).await,
            Self::Survey => survey::survey(visit).await,
            Self::Rate => survey::rate(visit).await,
            Self::Faults => help::faults(visit),
            Self::Fault => help::fault(visit),
            Self::About => help::about(visit),
            Self::SignIn => sign::sign_in(visit),
            Self::Begin => provider::begin(visit).await,
            Self::Return => provider::come_back(visit).await,
            Self::Link => sign::link(visit),
            Self::UseLink => sign::use_link(visit).await,
            Self::SignOut => sign::sign_out(visit).await,
            Self::Live => Ok(live::live(visit)),
            Self::Asset => asset(&visit),
        }
    }
}

fn asset(visit: &Visit) -> Answered {
    let assets = &visit.console.assets;
    match &visit.address.path {
        path if *path == assets.style => Ok(Answer::asset("text/css; charset=utf-8", STYLE)),
        path if *path == assets.script => Ok(Answer::asset("text/javascript; charset=utf-8", SCRIPT)),
        _ => Err(Fault::new(Code::HttpNoSuchPath)),
    }
}
