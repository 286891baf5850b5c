//! The driver of the process: reads the configuration, opens the listeners, watches the signals, drains, closes.

use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, MessageId};
use crate::base::limits;
use crate::evidence::audit::Filter;
use crate::evidence::tlog::RecordKind;
use crate::evidence::tlog::leaf::Leaf;
use crate::exchange::admission::Refusal;
use crate::exchange::bulkhead::State;
use crate::faces::api::{ExchangeApi, JoinApi, PublicApi};
use crate::faces::console::{Console, ConsoleApi, PublicPages};
use crate::gateway::driver::audit::opened;
use crate::gateway::driver::{Coordination, Gateway, Parts, Quality, SealKeys, TellingPeople, now};
use crate::gateway::timestamp::Stamping;
use crate::gateway::witness::{self, Witness, WitnessFile, Witnessing};
use crate::host::catalogue;
use crate::host::config::{Config, ConfigError, Exchange, Official, read_bounded};
use crate::host::control::{self, Answer, Command, Control, HolderStanding};
use crate::host::expiry;
use crate::host::inforce::InForce;
use crate::host::notices::{Address, Notices};
use crate::host::quality;
use crate::host::schemas::sets::{Judging, Sets};
use crate::host::store::{Settings, Store, Sync};
use crate::host::telemetry::{Telemetry, Worker};
use crate::host::transport::{
    End, Entrance, Fetcher, Identity, Knock, Room, Turned, Upstream, serve_browser, serve_plain, trust,
};
use crate::message::crypto::PublicKey;
use crate::message::pki;
use crate::message::schema::Schemas;
use crate::rules::quality::Folder;
use crate::rules::registry::{Bundle, Older, Registry};
use crate::rules::situation::{Catalogue, File};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};

/// Why the gateway does not start, or stopped.
#[derive(Debug)]
pub struct StartError {
    /// The fault code of the cause.
    pub code: Code,
    /// What is wrong, with file, line and column where there is one.
    pub what: String,
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.what.contains(self.code.as_str()) { f.write_str(&self.what) } else { write!(f, "{} {}", self.code, self.what) }
    }
}

impl std::error::Error for StartError {}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self { code: Code::CfgInvalid, what: error.to_string() }
    }
}

fn failed(code: Code) -> impl Fn(&dyn std::fmt::Display) -> StartError {
    move |cause| StartError { code, what: cause.to_string() }
}

/// What a configuration names, read and checked, with no port opened and no file written.
pub struct Checked {
    /// The configuration.
    pub config: Config,
    /// The schemas, and which sets are refused.
    pub sets: Sets,
    /// The registry.
    pub registry: Registry,
    /// The life situations.
    pub catalogue: Arc<Catalogue>,
    /// What is known of the quality of services.
    pub quality: Arc<Folder>,
    identity: Identity,
    seal: SealKeys,
    witness: Option<WitnessFile>,
}

/// Reads and checks everything that a configuration names. A set of schemas that is refused is left out, and told.
pub fn check(config: Config) -> Result<Checked, StartError> {
    let sets = load_sets(&config, None)?;
    let registry = load_registry(&config, sets.schemas())?;
    let (catalogue, quality) = load_catalogue(&config, sets.schemas())?;
    let exchange = &config.exchange;
    let identity = load_identity(exchange)?;
    let seal = config.seal.as_deref().map(SealKeys::load).transpose().map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
    let witness = config.witness.as_deref().map(WitnessFile::load).transpose()?;
    let seal = seal.unwrap_or_default();
    check_coordinators(&config, &registry, &seal)?;
    Ok(Checked { config, sets, registry, catalogue, quality, identity, seal, witness })
}

/// Reads the sets of schemas, judged in a process of its own.
pub(super) fn load_sets(config: &Config, before: Option<&Sets>) -> Result<Sets, StartError> {
    let loaded = Sets::load(config.schemas.as_deref(), &Judging::of_this_program(), before);
    loaded.map_err(|cause| failed(Code::CfgSchema)(&cause))
}

/// Reads who we are on both sides, and sees that TLS takes it.
pub(super) fn load_identity(exchange: &Exchange) -> Result<Identity, StartError> {
    let identity = Identity::load(&exchange.certificate, &exchange.key, &exchange.authorities, exchange.revocation.as_deref());
    let identity = identity.map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
    identity.server().and_then(|_| identity.client()).map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
    Ok(identity)
}

/// Reads the life situations, if the gateway coordinates cases, and the files about quality, which speak of them.
pub(super) fn load_catalogue(config: &Config, schemas: &Schemas) -> Result<(Arc<Catalogue>, Arc<Folder>), StartError> {
    let files = config.cases.as_ref().map(|cases| catalogue::files(cases.catalogue.as_deref()));
    let files = files.transpose().map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
    let catalogue = files.as_ref().map(|files| read_catalogue(files, schemas)).transpose()?.unwrap_or_default();
    let quality = load_quality(config, &catalogue, files.as_deref().unwrap_or_default())?;
    Ok((Arc::new(catalogue), Arc::new(quality)))
}

/// What is known of the quality of services, beside a catalogue and its files.
fn load_quality(config: &Config, catalogue: &Catalogue, situations: &[File]) -> Result<Folder, StartError> {
    let folder = config.console.as_ref().and_then(|console| console.quality.as_deref());
    let files = quality::files(folder)?;
    Folder::read(&files, catalogue, situations).map_err(|wrong| {
        let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        StartError { code: wrong.first().map_or(Code::QuaSyntax, |first| first.code), what: lines.join("\n") }
    })
}

fn read_catalogue(files: &[File], schemas: &Schemas) -> Result<Catalogue, StartError> {
    Catalogue::read(files, schemas).map_err(|wrong| {
        let more = wrong.len().saturating_sub(1);
        let first = wrong.first().map_or_else(String::new, |first| first.to_string().trim_end().to_owned());
        let what = if more == 0 { first } else { format!("{first}\nand {more} more: oncegate catalogue check tells them all") };
        StartError { code: Code::CatSyntax, what }
    })
}

/// How people are told of cases, if there are any.
fn open_notices(config: &Config) -> Result<Option<TellingPeople>, StartError> {
    let Some(cases) = &config.cases else { return Ok(None) };
    let notices = Notices::open(&config.notices).map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
    if let Some((curator, address)) = cases.curators.iter().find(|(_, address)| Address::parse(address).is_none()) {
        let what =
            format!("[cases] curators: \"{address}\" of {curator} is no address; write mailto:name@host or https://host/path");
        return Err(failed(Code::CfgInvalid)(&what));
    }
    Ok(Some(TellingPeople { notices, config: config.notices.clone(), curators: cases.curators.clone() }))
}

/// Where the answers of people lie, if anybody is asked or there are files about quality.
fn open_quality(config: &Config) -> Result<Option<Quality>, StartError> {
    let folder = config.console.as_ref().and_then(|console| console.quality.as_ref());
    if config.cases.is_none() && folder.is_none() {
        return Ok(None);
    }
    Quality::open(&config.data).map(Some).map_err(|cause| failed(Code::CfgInvalid)(&cause))
}

/// A coordinating agency has to be one of the registry, holder of what is applied for, and its key has to be here.
fn check_coordinators(config: &Config, registry: &Registry, seal: &SealKeys) -> Result<(), StartError> {
    let Some(cases) = &config.cases else { return Ok(()) };
    let mut worlds = Vec::new();
    for coordinator in &cases.coordinators {
        let wrong = |what: String| failed(Code::CfgInvalid)(&format!("[cases] {coordinator} {what}"));
        let index = registry.find(coordinator).ok_or_else(|| wrong("is not in the registry; oncegate agency add".to_owned()))?;
        if !seal.has(coordinator) {
            return Err(wrong("has no key here to sign with: put its .key and .pem into the folder that seal names".to_owned()));
        }
        let world = registry.agency(index).map(|agency| agency.world);
        if worlds.contains(&world) {
            return Err(wrong("is the second coordinator of its world; there is one of each".to_owned()));
        }
        worlds.push(world);
    }
    Ok(())
}

pub(super) fn load_registry(config: &Config, schemas: &Schemas) -> Result<Registry, StartError> {
    let files = &config.registry;
    let (text, signature) = (read_bounded(&files.file)?, read_bounded(&files.signature)?);
    let authority = authority(&files.authority)?;
    let bundle = Bundle::verify(&text, &signature, &authority).map_err(|crate::rules::registry::NotSigned| {
        failed(Code::CfgRegistrySignature)(&format!("{}: the signature is wrong", files.file.display()))
    })?;
    Registry::load(&bundle, schemas).map_err(|error| {
        let (line, column, file) = (error.line, error.column, files.file.display());
        failed(Code::CfgRegistry)(&format!("{file}:{line}:{column}: {} {}", Code::CfgRegistry, error.what))
    })
}

/// With a certificate of the wrong time nobody takes the gateway's hand.
fn cannot_serve(state: expiry::State) -> bool {
    matches!(state, expiry::State::Ended | expiry::State::NotYetValid)
}

/// A line for each certificate and list that ends or has ended; the same is in metrics and `/health`.
fn say_what_ends(telemetry: &Telemetry, rows: &[expiry::Row]) {
    expiry::tell(telemetry, rows);
    let bad = || rows.iter().filter(|row| row.weight > expiry::Weight::Good);
    bad().take(EXPIRY_LINES).for_each(|row| telemetry.say(&row.to_string()));
    let more = bad().count().saturating_sub(EXPIRY_LINES);
    if more > 0 {
        telemetry.say(&format!("{more} more certificates end or have ended: oncegate check names them all"));
    }
}

/// Lines about certificates in one go.
const EXPIRY_LINES: usize = 50;

fn too_old(config: &Config, older: Older) -> StartError {
    failed(Code::CfgRegistry)(&format!("{}: {} {older}", config.registry.file.display(), Code::CfgRegistry))
}

/// The version of the registry by which the last messages were judged. Records of commands have none, and what cannot be read
/// is told elsewhere.
fn last_registry(store: &Store) -> u64 {
    let last = (0..store.size()).rev().take(LAST_RECORDS).filter_map(|index| store.record(index).ok());
    last.filter_map(|found| Leaf::parse(&found.leaf)).map(|leaf| leaf.registry_version).max().unwrap_or(0)
}

/// Records that are asked for the last registry.
const LAST_RECORDS: usize = 100;

fn authority(path: &Path) -> Result<PublicKey, StartError> {
    let text = read_bounded(path)?;
    let der = pki::pem_blocks(&text, "CERTIFICATE").into_iter().next();
    let certificate = der
        .ok_or("no certificate".to_owned())
        .and_then(|der| pki::Certificate::from_der(&der).map_err(|error| error.to_string()));
    certificate
        .map(|certificate| certificate.key)
        .map_err(|cause| failed(Code::CfgInvalid)(&format!("{}: {cause}", path.display())))
}

/// How many files may be open: as many as the system lets this process have, and not what a shell gives. Connections get half
/// of them, so that there is always one for the journal, the index, and holders.
fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let allowed = if raised.is_ok() { limit.maximum } else { limit.current };
    allowed.and_then(|allowed| usize::try_from(allowed).ok()).unwrap_or(usize::MAX)
}

/// A gateway whose listeners are open.
pub struct Server {
    gateway: Arc<Gateway>,
    exchange: TcpListener,
    public: TcpListener,
    entrance: Arc<Entrance>,
    config: Arc<Config>,
    hangup: Signal,
    control: Control,
    witness: Option<witness::Service>,
    stamping: Option<Stamping>,
    console: Arc<Console>,
    pages: Option<Pages>,
}

/// The listener for people, with its certificate if it speaks TLS.
struct Pages {
    listener: TcpListener,
    console: Arc<Console>,
    tls: Option<watch::Sender<Arc<rustls::ServerConfig>>>,
}

/// The threads for people and for whoever watches: they give way to those of the exchange, so that an answer does not wait for a page.
struct Aside(Option<Runtime>);

impl Aside {
    fn start() -> Result<Self, StartError> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).max_blocking_threads(ASIDE_BLOCKING_MAX).thread_name("people").enable_all();
        builder.on_thread_start(|| {
            // On Linux this is the thread's own.
            #[cfg(target_os = "linux")]
            let _ = rustix::process::setpriority_process(None, ASIDE_NICE);
        });
        builder.build().map(|runtime| Self(Some(runtime))).map_err(|cause| failed(Code::CfgInvalid)(&cause))
    }

    /// Serves a connection there, until it ends.
    fn serve(&self, connection: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(connection);
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // What is read there ends by itself.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// How far they give way (setpriority(2)): a tenth of the share of the others, where all have something to do.
const ASIDE_NICE: i32 = 10;
/// Threads of theirs that read files.
const ASIDE_BLOCKING_MAX: usize = 16;

/// Whether the journal syncs; only the benchmark's comparand does not.
pub use crate::host::store::Sync as Durability;

impl Server {
    /// Opens the store and the listeners. The gateway takes messages from `run` on.
    pub async fn open(checked: Checked, durability: Sync) -> Result<Self, StartError> {
        let Checked { config, sets, registry, catalogue, quality: known, identity, seal, witness } = checked;
        let rows = expiry::survey(&config, &registry, now());
        if let Some(row) = rows.iter().find(|row| row.kind == expiry::Kind::Gateway && cannot_serve(row.state)) {
            return Err(failed(Code::CfgInvalid)(&row));
        }
        let tls = identity.server().map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
        let (per_address, per_certificate) = (config.limits.per_address, config.limits.per_certificate);
        let connections = config.limits.connections.min(open_files() / 2);
        let entrance = Arc::new(Entrance::new(tls, Room { connections, per_address, per_certificate }));
        let upstream = Upstream::new(identity.client().map_err(|cause| failed(Code::CfgInvalid)(&cause))?);
        let bind = async |address: SocketAddr| {
            TcpListener::bind(address)
                .await
                .map_err(|cause| failed(Code::CfgInvalid)(&format!("cannot listen on {address}: {cause}")))
        };
        let (exchange, public) = (bind(config.exchange.listen).await?, bind(config.public).await?);
        let pages = match &config.console {
            Some(console) => Some((bind(console.listen).await?, load_console_tls(&config)?)),
            None => None,
        };
        let settings = Settings { sync: durability, bytes_max: config.limits.journal_bytes, ..Settings::default() };
        let store =
            Store::open(&config.data, &config.log.origin, settings).map_err(|cause| failed(Code::LogUnavailable)(&cause))?;
        let registry = put_in_force(&config, registry, last_registry(&store.0))?;
        let control = Control::open(&config.data)
            .map_err(|cause| failed(Code::LogUnavailable)(&format!("{}: {cause}", config.data.join(control::NAME).display())))?;
        // Before anybody is told that the gateway is ready: an unwatched SIGHUP would end it.
        let hangup = signal(SignalKind::hangup()).map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
        let (limits, lines) = (config.limits, config.records);
        let coordination =
            config.cases.as_ref().map(|cases| Coordination { coordinators: cases.coordinators.clone(), pace: cases.test_pace });
        let coordination = coordination.unwrap_or_default();
        let telling = open_notices(&config)?;
        let quality = open_quality(&config)?;
        let trusted = trust(config.log.authorities.as_ref().unwrap_or(&config.exchange.authorities));
        let trusted = trusted.map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
        let witness = witness.map(|file| Witness::open(&file)).transpose();
        let witness = witness.map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
        let fetcher = Fetcher::new(trusted);
        let witnessing = Witnessing::new(&config.log.witnesses, store.0.verifier().clone(), &fetcher);
        let stamping = config.log.stamps.clone().map(|stamps| Stamping::new(stamps, config.data.join("log/stamps"), fetcher));
        let gateway = Gateway::new(Parts {
            registry,
            sets,
            catalogue,
            known,
            coordination,
            telling,
            quality,
            store,
            witnessing,
            upstream,
            seal,
            limits,
            lines,
        });
        let gateway = gateway.map_err(|cause| failed(Code::LogUnavailable)(&cause))?;
        say_what_ends(gateway.telemetry(), &rows);
        say_what_is_bad(&gateway);
        let checked = gateway.witnessing().check_not_rolled_back(gateway.store(), gateway.telemetry()).await;
        checked.map_err(|rolled_back| failed(Code::LogForked)(&rolled_back))?;
        let witness = witness.map(|witness| {
            let gateway = Arc::clone(&gateway);
            let say = Arc::new(move |line: &str| gateway.telemetry().say(line));
            witness::Service::new(Arc::new(witness), witness::ROUTE_PREFIX, say)
        });
        let config = Arc::new(config);
        let (console, pages) = open_pages(&gateway, &config, pages)?;
        Ok(Self { gateway, exchange, public, entrance, config, hangup, control, witness, stamping, console, pages })
    }

    /// The gateway.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Where agencies connect.
    pub fn exchange_address(&self) -> std::io::Result<SocketAddr> {
        self.exchange.local_addr()
    }

    /// Where health and metrics are.
    pub fn public_address(&self) -> std::io::Result<SocketAddr> {
        self.public.local_addr()
    }

    /// The pages for people, if there are any.
    pub fn console(&self) -> Option<&Arc<Console>> {
        self.pages.as_ref().map(|pages| &pages.console)
    }

    /// Serves until `stop`, then lets open exchanges end and closes the store. Until they have ended the listeners stay
    /// open: a holder that answers later answers by a message of its own.
    ///
    /// It also stops, with an error, when a witness says that the log has another history: what such a log proves is worth
    /// nothing.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        let (stopping, stopped) = watch::channel(false);
        let exchange = accept_agencies(self.exchange, Arc::clone(&self.gateway), Arc::clone(&self.entrance), stopped.clone());
        let join = JoinApi::new(self.config.data.clone(), self.config.exchange.authorities.clone());
        let public = PublicPages::new(PublicApi::new(Arc::clone(&self.gateway), self.witness, join), self.console);
        let aside = Aside::start()?;
        let public = accept_public(self.public, public, &aside, stopped.clone());
        let console = self.pages.as_ref();
        let pages = async {
            match console {
                Some(pages) => accept_people(pages, &aside, stopped).await,
                None => std::future::pending().await,
            }
        };
        let upkeep = upkeep(Arc::clone(&self.gateway), Arc::clone(&self.config));
        let of_people = OfPeople { entrance: &self.entrance, console };
        let orders = orders(Arc::clone(&self.gateway), Arc::clone(&self.config), of_people, self.hangup, self.control);
        let deliveries = async {
            let gateway = || Arc::clone(&self.gateway);
            // What reads files holds up nobody who accepts connections; it ends when stopping begins.
            let filling = tokio::spawn(gateway().fill_board());
            let filled = async { filling.await.unwrap_or_default() };
            tokio::join!(gateway().deliver_kept(), gateway().tell_events(), gateway().drive_cases(), filled);
            std::future::pending().await
        };
        let stop = async {
            stop.await;
            self.gateway.stop();
            self.gateway.drained(Duration::from_millis(limits::DRAIN_MS)).await;
            self.gateway.leave();
        };
        let (witnessing, telemetry) = (self.gateway.witnessing(), self.gateway.telemetry());
        let stamping = async {
            match &self.stamping {
                Some(stamping) => stamping.run(|| self.gateway.checkpoint(), telemetry).await,
                None => std::future::pending().await,
            }
        };
        let recalling = recall_traffic(&self.gateway);
        let mut result = Ok(());
        tokio::select! {
            () = stop => {}
            () = exchange => {}
            () = public => {}
            () = pages => {}
            () = upkeep => {}
            () = orders => {}
            () = witnessing.run(Arc::clone(self.gateway.store()), telemetry) => {
                self.gateway.stop();
                let told = witnessing.fork().map_or_else(String::new, |fork| fork.to_string());
                result = Err(failed(Code::LogForked)(&told));
            }
            () = stamping => {}
            () = deliveries => {}
        }
        // Answers that are on their way out get out: a connection ends with the response that it is at.
        let _ = stopping.send(true);
        let _ = tokio::time::timeout(Duration::from_millis(limits::CLOSE_MS), self.entrance.left()).await;
        self.gateway.record_sums().await;
        self.gateway.save_work().await;
        // It ends with the portion that it is at.
        self.gateway.stop();
        let _ = tokio::task::spawn_blocking(move || recalling.map(JoinHandle::join)).await;
        let attachments = Arc::clone(self.gateway.store().attachments());
        // What is left is seen to after the next start: its case wakes again.
        let _ = tokio::task::spawn_blocking(move || attachments.remove_forgotten()).await;
        self.gateway.store().close();
        result
    }
}

/// Fills the figures of traffic on a thread of its own, which gives way to whoever serves messages. Without one they are whole from the
/// start on.
fn recall_traffic(gateway: &Arc<Gateway>) -> Option<JoinHandle<()>> {
    let gateway = Arc::downgrade(gateway);
    let recall = move || {
        // On Linux this is the thread's own.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, 15);
        Gateway::recall_traffic(&gateway);
    };
    std::thread::Builder::new().name("traffic".to_owned()).spawn(recall).ok()
}

async fn accept_agencies(listener: TcpListener, gateway: Arc<Gateway>, entrance: Arc<Entrance>, stop: watch::Receiver<bool>) {
    loop {
        match entrance.next(&listener).await {
            Ok(knock) => drop(tokio::spawn(serve_agency(knock, Arc::clone(&gateway), Arc::clone(&entrance), stop.clone()))),
            Err(turned) => gateway.counters().connection_ended(turned.as_str()),
        }
    }
}

async fn serve_agency(knock: Knock, gateway: Arc<Gateway>, entrance: Arc<Entrance>, stop: watch::Receiver<bool>) {
    let counters = gateway.counters();
    // Boxed: a connection needs the room for its handshake no longer than that takes.
    let (connection, place) = match Box::pin(entrance.admit(knock)).await {
        Ok(admitted) => admitted,
        Err(failed) => {
            if failed.turned == Turned::Handshake {
                gateway.telemetry().say_sparingly(&failed.to_string());
            }
            return counters.connection_ended(failed.turned.as_str());
        }
    };
    counters.connections.inc();
    let certificate = connection.certificate;
    let end = place.serve(connection, ExchangeApi::new(Arc::clone(&gateway), certificate), stop).await;
    counters.connections.dec();
    counters.connection_ended(end.as_str());
    if end == End::Malformed {
        // hyper has answered it; whose it was is known, so it is on record.
        Box::pin(gateway.refuse(&certificate, 0, Refusal::new(Fault::new(Code::HttpMalformed)))).await;
    }
}

/// The certificate of the console, if it speaks TLS.
fn load_console_tls(config: &Config) -> Result<Option<Arc<rustls::ServerConfig>>, StartError> {
    let Some(tls) = config.console.as_ref().and_then(|console| console.tls.as_ref()) else { return Ok(None) };
    let exchange = &config.exchange;
    // Revocation lists are of the authorities of the exchange.
    let (authorities, lists) = match &tls.authorities {
        Some(own) => (own, None),
        None => (&exchange.authorities, exchange.revocation.as_deref()),
    };
    let identity = Identity::load(&tls.certificate, &tls.key, authorities, lists);
    identity
        .and_then(|identity| identity.browsers())
        .map(Some)
        .map_err(|cause| failed(Code::CfgInvalid)(&format!("[console] {cause}")))
}

/// The pages for people: those of the public listener in any case, and those of a listener of their own.
fn open_pages(
    gateway: &Arc<Gateway>,
    config: &Arc<Config>,
    opened: Option<(TcpListener, Option<Arc<rustls::ServerConfig>>)>,
) -> Result<(Arc<Console>, Option<Pages>), StartError> {
    let listens = opened.as_ref().map(|(listener, _)| listener.local_addr()).transpose();
    let listens = listens.map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
    let console = Console::new(Arc::clone(gateway), Arc::clone(config), listens);
    let console = console.map_err(|cause| failed(Code::CfgInvalid)(&cause))?;
    if opened.is_some() {
        gateway.quality().into_iter().for_each(|quality| quality.pages_are_at(console.url()));
    }
    let pages = opened.map(|(listener, tls)| Pages { listener, console: Arc::clone(&console), tls: tls.map(watch::Sender::new) });
    Ok((console, pages))
}

/// Connections of the console's listener at once.
const CONSOLE_CONNECTIONS_MAX: usize = 1024;

async fn accept_people(pages: &Pages, aside: &Aside, stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONSOLE_CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = pages.listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (console, stop) = (Arc::clone(&pages.console), stop.clone());
        let tls = pages.tls.as_ref().map(watch::Sender::subscribe);
        aside.serve(async move {
            match tls {
                None => drop(serve_plain(stream, ConsoleApi::plain(console), stop).await),
                Some(mut tls) => {
                    let now = Arc::clone(&tls.borrow_and_update());
                    tokio::select! {
                        // Whoever was let in by a list that was replaced comes again.
                        _ = tls.changed() => {}
                        _ = serve_browser(stream, now, |shown| ConsoleApi::under_tls(console, shown), stop) => {}
                    }
                }
            }
            drop(permit);
        });
    }
}

async fn accept_public(listener: TcpListener, api: PublicPages, aside: &Aside, stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(limits::PUBLIC_CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (api, stop) = (api.clone(), stop.clone());
        aside.serve(async move {
            let gateway = Arc::clone(api.gateway());
            if serve_plain(stream, api, stop).await == End::Tls {
                let address = peer.ip().to_canonical();
                let what = "spoke TLS to the public listener, which speaks plain HTTP; agencies connect to the exchange listener";
                gateway.telemetry().say_sparingly(&format!("{address} {what}"));
            }
            drop(permit);
        });
    }
}

/// Forgets what is past its window, reads a part of the log again to see that it is whole, and records what was refused too
/// often to be recorded one by one.
async fn upkeep(gateway: Arc<Gateway>, config: Arc<Config>) {
    let mut regularly = tokio::time::interval(Duration::from_millis(limits::UPKEEP_MS));
    let mut health = tokio::time::interval(Duration::from_millis(limits::HEALTH_MS));
    let mut saved = tokio::time::interval(Duration::from_millis(limits::WORK_SAVED_MS));
    let mut sums = tokio::time::interval(Duration::from_millis(limits::REFUSALS_SUMMED_MS));
    let mut ends = every_day();
    let mut turn = 0;
    loop {
        tokio::select! {
            _ = regularly.tick() => {
                let gateway = Arc::clone(&gateway);
                // It reads files.
                let done = tokio::task::spawn_blocking({ let gateway = Arc::clone(&gateway); move || gateway.tidy_up(turn) });
                if let Err(panicked) = done.await {
                    gateway.counters().worker_is(Worker::Upkeep, Some(panicked.to_string()));
                }
                turn += 1;
            }
            _ = health.tick() => gateway.look_after(),
            _ = saved.tick() => {
                gateway.save_work().await;
                let forgetting = { let gateway = Arc::clone(&gateway); move || gateway.forget_attachments() };
                let failed = match tokio::task::spawn_blocking(forgetting).await {
                    Ok(forgotten) => forgotten.err().map(|cause| cause.to_string()),
                    Err(panicked) => Some(panicked.to_string()),
                };
                if let Some(cause) = failed {
                    gateway.telemetry().say_sparingly(&format!("attachments past their time could not be deleted: {cause}"));
                }
            }
            _ = sums.tick() => gateway.record_sums().await,
            _ = ends.tick() => say_what_ends(gateway.telemetry(), &expiry::survey(&config, &gateway.world().registry, now())),
        }
    }
}

/// Where agencies and people come in, as far as it is read again.
struct OfPeople<'p> {
    entrance: &'p Arc<Entrance>,
    console: Option<&'p Pages>,
}

impl OfPeople<'_> {
    /// Reads again who may sign in at the console, and its certificate.
    fn read_again(&self, config: &Config, answer: &mut Answer) {
        let Some(pages) = self.console else { return };
        let read = load_console_tls(config).map_err(|error| error.to_string()).and_then(|tls| {
            pages.console.reload()?;
            Ok(tls)
        });
        match read {
            Ok(tls) => {
                if let (Some(sender), Some(tls)) = (&pages.tls, tls) {
                    sender.send_replace(tls);
                }
                answer.taken.push("the people of the console were read again".to_owned());
            }
            Err(cause) => answer.refused.push(format!("the people of the console were not read again: {cause}")),
        }
    }

    fn link(&self, who: &str) -> Result<String, String> {
        let pages = self.console.ok_or("there is no [console] in the configuration")?;
        let who: serde_json::Value = serde_json::from_str(who).map_err(|cause| cause.to_string())?;
        let text = |key: &str| who.get(key).and_then(serde_json::Value::as_str);
        let roles = who.get("roles").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let roles = roles.iter().filter_map(serde_json::Value::as_str);
        let official = Official::new(text("name").unwrap_or(""), text("agency"), roles)?;
        if let Some(agency) = official.agency.as_ref().filter(|agency| pages.console.knows(agency).is_none()) {
            return Err(format!("no agency is called {agency}"));
        }
        pages.console.link(official).ok_or_else(|| "too many links wait to be used".to_owned())
    }
}

/// Does what it is told by SIGHUP or by a command, one after the other: reads schemas, registry and certificates again; what does
/// not read leaves in force what was.
async fn orders(gateway: Arc<Gateway>, config: Arc<Config>, people: OfPeople<'_>, mut hangup: Signal, control: Control) {
    // Schemas are judged for seconds, in a process of their own; exchanges go on meanwhile.
    let read_again = async || {
        let (gateway, of, entrance) = (Arc::clone(&gateway), Arc::clone(&config), Arc::clone(people.entrance));
        let done = tokio::task::spawn_blocking(move || {
            let answer = read_again(&gateway, &of, &entrance);
            say_what_ends(gateway.telemetry(), &expiry::survey(&of, &gateway.world().registry, now()));
            answer
        });
        let mut answer = done.await.unwrap_or_else(|panic| Answer { refused: vec![panic.to_string()], ..Answer::default() });
        people.read_again(&config, &mut answer);
        answer
    };
    loop {
        tokio::select! {
            call = control.next() => match call.command {
                Command::Holders => {
                    let of = Arc::clone(&gateway);
                    let told = tokio::task::spawn_blocking(move || holders(&of)).await;
                    call.answer(&told.unwrap_or_default()).await;
                }
                Command::Durable => {
                    let durable = gateway.store().position().ok();
                    call.answer(&Answer { durable, ..Answer::default() }).await;
                }
                Command::Standings => call.answer(&standings(&gateway)).await,
                Command::Causes(ref id) => {
                    let (of, id) = (Arc::clone(&gateway), MessageId::parse(id));
                    let told = tokio::task::spawn_blocking(move || id.map_or_else(Answer::default, |id| causes(&of, id))).await;
                    call.answer(&told.unwrap_or_default()).await;
                }
                Command::Link(ref who) => {
                    let answer = match people.link(who) {
                        Ok(link) => Answer { link: Some(link), ..Answer::default() },
                        Err(cause) => Answer { refused: vec![cause], ..Answer::default() },
                    };
                    call.answer(&answer).await;
                }
                Command::SignOut(ref name) => {
                    let count = people.console.map_or(0, |pages| pages.console.sign_out(name));
                    let taken = vec![format!("{count} sessions of {name} were ended")];
                    call.answer(&Answer { taken, ..Answer::default() }).await;
                }
                Command::Reload => call.answer(&read_again().await).await,
            },
            _ = hangup.recv() => drop(read_again().await),
        }
    }
}

/// When it is said what ends; at start it was said already.
fn every_day() -> tokio::time::Interval {
    let look = Duration::from_millis(limits::EXPIRY_LOOK_MS);
    tokio::time::interval_at(tokio::time::Instant::now() + look, look)
}

fn read_again(gateway: &Gateway, config: &Config, entrance: &Entrance) -> Answer {
    let mut answer = Answer::default();
    read_world_again(gateway, config, &mut answer);
    let identity = load_identity(&config.exchange);
    let sides = identity.and_then(|identity| {
        let sides = identity.server().and_then(|server| Ok((server, identity.client()?)));
        sides.map_err(|cause| failed(Code::CfgInvalid)(&cause))
    });
    match sides {
        Ok((server, client)) => {
            entrance.renew(server);
            gateway.renew_identity(client);
            answer.taken.push("certificates and revocation lists were read again".to_owned());
        }
        Err(error) => answer.refused.push(format!("certificates and revocation lists were not read again: {error}")),
    }
    answer.taken.iter().chain(&answer.refused).chain(&answer.bad).for_each(|line| gateway.telemetry().say(line));
    answer
}

/// Reads the sets of schemas and the registry again. A registry is in force with the schemas that it was checked against, so both
/// are swapped together or not at all.
fn read_world_again(gateway: &Gateway, config: &Config, answer: &mut Answer) {
    let before = gateway.world();
    let sets = match load_sets(config, Some(&before.sets)) {
        Ok(sets) => Arc::new(sets),
        Err(error) => return answer.refused.push(format!("schemas and registry were not read again: {error}")),
    };
    answer.bad = told(&sets);
    let (catalogue, quality) = match load_catalogue(config, sets.schemas()) {
        Ok(read) => read,
        Err(error) => {
            let still = "so registry, schemas and catalogue before stay in force";
            return answer.refused.push(format!("the catalogue was not read again: {error}; {still}"));
        }
    };
    let missing = gateway.missing_situations(&catalogue);
    if !missing.is_empty() {
        let (missing, still) = (missing.join(", "), "so registry, schemas and catalogue before stay in force");
        let keep = "keep its file beside the new one";
        return answer.refused.push(format!("the catalogue lacks {missing}, by which open cases go: {keep}; {still}"));
    }
    let registry = load_registry(config, sets.schemas());
    match registry.and_then(|registry| put_in_force(config, registry, before.registry.version())) {
        Ok(registry) => {
            let version = registry.version();
            let with = match (config.schemas.is_some(), sets.held().count()) {
                (false, _) => String::new(),
                (true, 1) => ", with 1 set of schemas".to_owned(),
                (true, count) => format!(", with {count} sets of schemas"),
            };
            answer.taken.push(format!("registry version {version} is in force{with}"));
            gateway.reload(registry, sets, (catalogue, quality));
        }
        Err(error) => {
            let with = if config.schemas.is_some() { ", so the schemas before stay in force too" } else { "" };
            answer.refused.push(format!("the registry was not read again: {error}{with}"));
        }
    }
}

/// What is wrong with sets that are refused, line by line, as much as fits into an answer.
fn told(sets: &Sets) -> Vec<String> {
    let mut lines: Vec<String> = sets.bad().iter().flat_map(|bad| bad.lines()).collect();
    let more = lines.len().saturating_sub(BAD_LINES);
    lines.truncate(BAD_LINES);
    if more > 0 {
        lines.push(format!("and {more} more lines: oncegate check tells them all"));
    }
    lines
}

/// At start: what is left out, and why.
fn say_what_is_bad(gateway: &Gateway) {
    told(&gateway.world().sets).iter().for_each(|line| gateway.telemetry().say(&format!("{} {line}", Code::CfgSchema)));
}

/// Lines about schemas in one go.
const BAD_LINES: usize = 400;

/// The registry, unless it is older than the last one, or has the last one's version and another content.
fn put_in_force(config: &Config, registry: Registry, last: u64) -> Result<Registry, StartError> {
    let registry = registry.after(last).map_err(|older| too_old(config, older))?;
    let this = InForce { version: registry.version(), digest: registry.digest() };
    let before = InForce::read(&config.data);
    if before.is_some_and(|before| this.contradicts(before)) {
        return Err(same_version(config, this.version));
    }
    if before != Some(this) {
        // A full disk must not stop a change of rights; the next start then knows no better than before.
        let _ = this.write(&config.data);
    }
    Ok(registry)
}

/// When each holder answered last, by the log.
fn holders(gateway: &Gateway) -> Answer {
    let world = gateway.world();
    let last = |id: &AgencyId| {
        let filter = Filter { provider: Some(id.clone()), kind: Some(RecordKind::Answer), ..Filter::default() };
        let found = gateway.store().search(&filter, None, 1).ok()?;
        Leaf::parse(&found.records.first()?.leaf).map(|leaf| leaf.time)
    };
    let agencies = world.registry.agencies().filter(|(index, _)| world.registry.held_by(*index).next().is_some());
    let holders = agencies.take(limits::HOLDERS_TOLD_MAX).map(|(_, agency)| (agency.id.to_string(), last(&agency.id))).collect();
    Answer { holders, ..Answer::default() }
}

/// Why answers to a question were refused. Of what is sealed beside the records the codes alone, which say nothing of anybody.
fn causes(gateway: &Gateway, id: MessageId) -> Answer {
    let filter = Filter { message: Some(id), kind: Some(RecordKind::Refusal), ..Filter::default() };
    let found = gateway.store().search(&filter, None, limits::PAGE_RECORDS).map(|page| page.records).unwrap_or_default();
    let code = |index| {
        let cause = opened(gateway.store(), index).ok()??.1.cause?;
        Code::parse(cause.split([' ', ':']).next()?).map(|code| code.to_string())
    };
    Answer { causes: found.iter().filter_map(|record| code(record.index)).collect(), ..Answer::default() }
}

/// What stands at holders; those first that are not asked as ever, since there may be more than fit into an answer.
fn standings(gateway: &Gateway) -> Answer {
    let mut standings = gateway.standings();
    standings.sort_by_key(|(_, standing)| standing.state == State::Asked);
    let told = standings.into_iter().take(STANDINGS_TOLD).map(|(holder, standing)| HolderStanding {
        holder: holder.to_string(),
        requests: standing.under_way,
        waiting: standing.waiting,
        state: standing.state.as_str().to_owned(),
        wait_ms: match standing.state {
            State::LeftAlone(wait) => Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            State::Asked | State::Tried => None,
        },
    });
    Answer { standings: told.collect(), ..Answer::default() }
}

/// Holders in one answer: each takes at most 200 octets of it.
const STANDINGS_TOLD: usize = 5_000;

fn same_version(config: &Config, version: u64) -> StartError {
    let what = format!(
        "{}: {} its content is not that of version {version}, which is in force; raise the version, then oncegate agency sign",
        config.registry.file.display(),
        Code::CfgRegistry
    );
    failed(Code::CfgRegistry)(&what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_ends_is_said_once_a_day() {
        let begun = tokio::time::Instant::now();
        let mut ends = every_day();
        for day in 1..=3 {
            ends.tick().await;
            assert_eq!(begun.elapsed(), Duration::from_millis(day * limits::EXPIRY_LOOK_MS));
        }
    }
}
