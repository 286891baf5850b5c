//! The rounds: in each, everything that is compared runs once.

use super::load::{Load, Outcome, Plan, Traffic, Until, Weight};
use super::peers::{self, Xmlsec};
use super::primitive::Subjects;
use super::process::Process;
use super::report::{Found, Machine, Report, Round};
use super::world::{CLIENTS, Size, World};
use super::{BenchError, Extent, Options, words};
use crate::message::schema::Schemas;
use crate::rules::registry::Registry;
use std::net::TcpListener;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A gateway or what it is compared with, and its port.
pub(super) struct Target {
    pub(super) process: Process,
    pub(super) port: u16,
}

/// Everything that runs beside the rounds.
pub(super) struct Stage<'o> {
    options: &'o Options,
    pub(super) world: Rc<World>,
    pub(super) load: Rc<Load>,
    subjects: Rc<Subjects>,
    provider: u16,
}

/// What only a full run has, beside the gateway of each round.
struct Extras {
    volatile: Target,
    few: Target,
    many: Target,
}

const LARGE: Size = Size { agencies: 10_000, grants: 10 };
const SMALL: Size = Size { agencies: 10, grants: 0 };
/// The agencies that send where a registry of ten has the others' figures.
const FEW_CLIENTS: usize = 8;
const ENDURANCE: u64 = 100_000;

pub(super) fn measure(options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Report, BenchError> {
    let stage = Stage::open(options)?;
    let gateway = stage.gateway("exchange", Size::WORKLOAD, &[])?;
    let forward = stage.forward()?;
    let nginx = stage.nginx()?;
    let xmlsec = Xmlsec::build(stage.world.folder(), &stage.world.folder().join("xx.bench.client-00.sign.pem"))?;
    let mut found = Found { machine: Machine::here(), ..Found::default() };
    if nginx.is_none() {
        progress("nginx is not installed: its rows are left out");
    }
    if xmlsec.is_none() {
        progress("libxmlsec1 or a compiler is not installed: its row is left out");
    }
    let extras = match options.extent {
        Extent::Full => Some(stage.extras(&mut found, progress)?),
        Extent::Quick => None,
    };
    for number in 1..=options.rounds {
        progress(&format!("round {number} of {}", options.rounds));
        let mut round = Round { primitives: stage.subjects.measure(&stage.world, options.each / 10)?, ..Round::default() };
        for (place, weight) in Weight::ALL.into_iter().enumerate() {
            let run = |target: &Target, traffic| stage.run(target, traffic, weight, CLIENTS);
            let figures = round.of_mut(place);
            figures.exchange = run(&gateway, Traffic::Exchange)?;
            figures.forward = run(&forward, Traffic::Forward)?;
            figures.nginx = nginx.as_ref().map(|nginx| run(nginx, Traffic::Forward)).transpose()?;
            let signed = stage.subjects.signed(weight);
            figures.xmlsec_us = xmlsec.as_ref().map(|xmlsec| xmlsec.verify(stage.world.folder(), signed)).transpose()?;
        }
        if let Some(extras) = &extras {
            round.volatile = Some(stage.run(&extras.volatile, Traffic::Exchange, Weight::W2, CLIENTS)?);
            round.few = Some(stage.run(&extras.few, Traffic::Exchange, Weight::W2, FEW_CLIENTS)?);
            round.many = Some(stage.run(&extras.many, Traffic::Exchange, Weight::W2, FEW_CLIENTS)?);
        }
        found.rounds.push(round);
    }
    drop((gateway, forward, nginx, extras));
    if options.extent == Extent::Full {
        stage.endure(&mut found, progress)?;
    }
    Ok(Report::new(found))
}

impl<'o> Stage<'o> {
    pub(super) fn open(options: &'o Options) -> Result<Self, BenchError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(BenchError::Io)?;
        let provider = listener.local_addr().map_err(BenchError::Io)?.port();
        let world = Rc::new(World::make(&options.folder, provider)?);
        let subjects = Rc::new(Subjects::new(&world)?);
        let load = Rc::new(Load::new(Rc::clone(&world), listener)?);
        Ok(Self { options, world, load, subjects, provider })
    }

    /// The same stage for another program.
    pub(super) fn with(&self, options: &'o Options) -> Self {
        let (world, load, subjects) = (Rc::clone(&self.world), Rc::clone(&self.load), Rc::clone(&self.subjects));
        Self { options, world, load, subjects, provider: self.provider }
    }

    pub(super) fn rounds(&self) -> usize {
        self.options.rounds
    }

    /// Starts a gateway with a registry of a size and a journal of its own, and waits for its first answer.
    pub(super) fn gateway(&self, name: &str, size: Size, more: &[&str]) -> Result<Target, BenchError> {
        let (port, public) = (free_port()?, free_port()?);
        let config = self.world.configure(name, size, port, public)?;
        self.start(name, &config, port, more).map(|(target, _)| target)
    }

    pub(super) fn start(&self, name: &str, config: &Path, port: u16, more: &[&str]) -> Result<(Target, Duration), BenchError> {
        let mut arguments = words(&[&"run", &"-c", &config]);
        arguments.extend(more.iter().map(Into::into));
        let started = Instant::now();
        let errors = self.world.folder().join(format!("{name}.stderr"));
        let mut process = Process::start(&words(&[&self.options.program]), &arguments, &errors)?;
        let said = || std::fs::read_to_string(&errors).unwrap_or_default();
        let first = self.load.first_answer(port, started).map_err(|error| match error {
            BenchError::Workload(_) if process.has_ended() => BenchError::Start(format!("the gateway ended: {}", said())),
            error => error,
        })?;
        Ok((Target { process, port }, first))
    }

    pub(super) fn forward(&self) -> Result<Target, BenchError> {
        let port = free_port()?;
        let folder = self.world.folder();
        let arguments = words(&[&"bench", &"--forward", &folder, &port.to_string(), &self.provider.to_string()]);
        let process = Process::start(&words(&[&self.options.program]), &arguments, &folder.join("forward.stderr"))?;
        wait_for(port)?;
        Ok(Target { process, port })
    }

    fn nginx(&self) -> Result<Option<Target>, BenchError> {
        let port = free_port()?;
        let Some(process) = peers::nginx(self.world.folder(), port, self.provider)? else { return Ok(None) };
        wait_for(port)?;
        Ok(Some(Target { process, port }))
    }

    pub(super) fn run(&self, target: &Target, traffic: Traffic, weight: Weight, clients: usize) -> Result<Outcome, BenchError> {
        let until = Until::Time(self.options.each);
        let warm = (self.options.each / 4).max(Duration::from_millis(300));
        self.load.run(&Plan { process: &target.process, port: target.port, traffic, weight, clients, warm, until })
    }

    /// Starts what only a full run has, and measures what a large registry takes.
    fn extras(&self, found: &mut Found, progress: &mut dyn FnMut(&str)) -> Result<Extras, BenchError> {
        progress("loading a registry of 10,000 agencies and 100,000 grants");
        let (text, schemas) = (self.world.registry(LARGE)?, Schemas::built_in());
        let started = Instant::now();
        let registry = Registry::check(&text, &schemas).map_err(BenchError::Registry)?;
        found.load_seconds = started.elapsed().as_secs_f64();
        found.registry = (registry.agencies().len(), registry.grants().len());
        drop(registry);
        let volatile = self.gateway("volatile", Size::WORKLOAD, &["--no-sync"])?;
        let (few, many) = (self.gateway("few", SMALL, &[])?, self.gateway("many", LARGE, &[])?);
        let more = many.process.resident_kib().saturating_sub(few.process.resident_kib());
        found.kib_per_agency = more as f64 / (LARGE.agencies - SMALL.agencies) as f64;
        Ok(Extras { volatile, few, many })
    }

    /// Memory after many exchanges, and how long starts take before and after them.
    fn endure(&self, found: &mut Found, progress: &mut dyn FnMut(&str)) -> Result<(), BenchError> {
        progress("100,000 exchanges");
        let (port, public) = (free_port()?, free_port()?);
        let config = self.world.configure("endurance", Size::WORKLOAD, port, public)?;
        let (target, fresh) = self.start("endurance", &config, port, &[])?;
        found.fresh_start_seconds = fresh.as_secs_f64();
        found.fresh_mib = target.process.resident_kib() as f64 / 1024.0;
        let (until, warm) = (Until::Count(ENDURANCE), Duration::ZERO);
        let plan = Plan {
            process: &target.process,
            port,
            traffic: Traffic::Exchange,
            weight: Weight::W2,
            clients: CLIENTS,
            warm,
            until,
        };
        self.load.run(&plan)?;
        found.endurance_mib = target.process.resident_kib() as f64 / 1024.0;
        target.process.stop();
        let (_, again) = self.start("endurance", &config, port, &[])?;
        found.full_start_seconds = again.as_secs_f64();
        Ok(())
    }
}

pub(super) fn free_port() -> Result<u16, BenchError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(BenchError::Io)?;
    listener.local_addr().map(|address| address.port()).map_err(BenchError::Io)
}

fn wait_for(port: u16) -> Result<(), BenchError> {
    for _ in 0..1000 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(BenchError::Workload("a process that does not listen"))
}

impl Round {
    fn of_mut(&mut self, place: usize) -> &mut super::report::OfWeight {
        if place == 0 { &mut self.small } else { &mut self.large }
    }
}
