//! Cases in the simulator: events that begin them, holders, agencies and citizens, and the gateway that coordinates them, with faults.
//!
//! Real are the cases themselves (`exchange::cases`), their book, the journal and the walk of recovery. Modelled are the driver, what
//! an ordinary exchange makes of a message, signatures and documents: what is read in a document is made of people who do not exist.

mod agencies;
mod gateway;
mod plan;
mod plant;
mod watcher;
mod wire;

pub use plant::Plant;
pub use wire::Counts;

use super::dice::Dice;
use super::plan::{Case as Line, Trouble, When};
use super::runs::{Notes, Ran, Simulated};
use crate::base::ids::{MessageId, Uuid};
use crate::exchange::cases::trial::{Family, Land, situations};
use crate::rules::situation::Situation;
use agencies::Agencies;
use gateway::Gateway;
use plan::{BUSY_MS, GROUPS, Happening, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use watcher::Watcher;
use wire::{Event, Packet, Scene, Telling, Towards};

/// A land in which runs of cases take place.
pub struct Lives {
    land: Land,
    /// Those that an event begins.
    situations: Vec<Arc<Situation>>,
}

impl Simulated for Lives {
    type Plant = Plant;
    type Counts = Counts;

    fn new() -> Option<Self> {
        let land = Land::new()?;
        let begins = |situation: &Arc<Situation>| {
            // Whoever is known from the start is in what begins it.
            Family::new(&land, situation, 0).start().is_some()
                && situation.roles.iter().filter(|role| role.found_in.is_empty()).count() == 1
        };
        let situations = situations(&land).into_iter().filter(begins).collect();
        Some(Self { land, situations })
    }

    fn plant(name: &str) -> Option<Plant> {
        Plant::parse(name)
    }

    fn planned(line: &Line, plant: Option<Plant>) -> (String, [usize; 3]) {
        let plan = Plan::of(line, plant);
        (plan.to_string(), plan.sizes())
    }

    fn go(&self, line: &Line, plant: Option<Plant>, notes: Notes) -> Ran<Counts> {
        let plan = Arc::new(Plan::of(line, plant));
        let scene = Scene {
            now: 0,
            land: &self.land,
            situations: &self.situations,
            dice: Dice::new(plan.seed ^ 0x0b0e),
            watcher: Watcher::default(),
            counts: Counts::default(),
            out: Vec::new(),
            is_healed: false,
            ids: 0,
            trace: notes.begun(),
            plan: Arc::clone(&plan),
        };
        let mut world = World {
            scene,
            gateway: Gateway::new(),
            agencies: Agencies::default(),
            queue: BTreeMap::new(),
            pushed: 0,
            cut: BTreeMap::new(),
            doomed: BTreeSet::new(),
            untaken: BTreeMap::new(),
            looking: BTreeSet::new(),
        };
        world.prepare(&plan, line);
        world.all();
        world.end()
    }
}

struct World<'l> {
    scene: Scene<'l>,
    gateway: Gateway,
    agencies: Agencies,
    queue: BTreeMap<(u64, u64), Event>,
    pushed: u64,
    /// Groups of agencies that cannot be reached.
    cut: BTreeMap<usize, u32>,
    doomed: BTreeSet<usize>,
    /// What is told until it is taken.
    untaken: BTreeMap<MessageId, Packet>,
    /// Cases whose citizens are about to answer.
    looking: BTreeSet<Uuid>,
}

impl World<'_> {
    fn prepare(&mut self, plan: &Plan, line: &Line) {
        for (number, start) in plan.starts.iter().enumerate().filter(|(number, _)| !line.messages.contains(number)) {
            self.push(start.at, Event::Start(number, Telling::First));
        }
        for (number, fault) in plan.faults.iter().enumerate().filter(|(number, _)| !line.faults.contains(number)) {
            self.push(fault.at, Event::Fault(number));
        }
        self.push(BUSY_MS, Event::Heal);
        self.gateway.start(&mut self.scene);
    }

    fn push(&mut self, at: u64, event: Event) {
        self.pushed += 1;
        self.queue.insert((at, self.pushed), event);
    }

    fn all(&mut self) {
        self.drain();
        while let Some(((now, _), event)) = self.queue.pop_first() {
            self.scene.now = now;
            self.scene.counts.steps += 1;
            self.step(event);
            self.drain();
            if self.scene.watcher.finding.is_some() || (self.scene.is_healed && self.is_quiet()) {
                return;
            }
            if self.scene.counts.steps > STEPS_MAX {
                let waits = format!("{}, {} untaken", self.gateway.waits(), self.untaken.len());
                self.scene.note(|| format!("it waits: {waits}"));
                self.scene.watcher.tell(format!("after {STEPS_MAX} steps it does not come to an end"));
            }
        }
    }

    fn is_quiet(&self) -> bool {
        self.gateway.is_idle() && self.untaken.is_empty()
    }

    /// What was sent goes by the network.
    fn drain(&mut self) {
        for (at, event) in std::mem::take(&mut self.scene.out) {
            match event {
                Event::Arrive(towards, packet) => self.carry(towards, packet),
                event => self.push(at, event),
            }
        }
    }

    fn carry(&mut self, towards: Towards, packet: Packet) {
        let group = match &packet {
            Packet::Post(posted) => posted.to.as_str().bytes().map(usize::from).sum::<usize>() % GROUPS,
            Packet::Says(message, _) => usize::from(message.octets()[15]) % GROUPS,
            _ => GROUPS,
        };
        if self.cut.get(&group).is_some_and(|count| *count > 0) || self.scene.errs(Trouble::Loss) {
            return;
        }
        let mut pause = self.scene.dice.between(1, 40);
        if self.scene.errs(Trouble::Delay) {
            pause += self.scene.dice.pick(&[100, 3_000, 45_000]);
        }
        if self.scene.errs(Trouble::Twice) {
            let later = pause + self.scene.dice.pick(&[0, 10, 2_000, 70_000]);
            self.push(self.scene.now + later, Event::Arrive(towards, packet.clone()));
        }
        self.push(self.scene.now + pause, Event::Arrive(towards, packet));
    }

    fn step(&mut self, event: Event) {
        let scene = &mut self.scene;
        let run = self.gateway.run;
        match event {
            Event::Arrive(Towards::Gateway, packet) => self.gateway.arrive(scene, packet),
            Event::Arrive(Towards::Others, Packet::Post(posted)) => {
                scene.counts.messages += 1;
                self.agencies.take(scene, &posted);
            }
            Event::Arrive(Towards::Others, Packet::Taken(message)) => self.is_taken(message),
            Event::Arrive(Towards::Others, _) => {}
            Event::Written(of) if of == run => self.gateway.written(scene),
            Event::Wake(of) if of == run => self.gateway.wake(scene),
            Event::Save(of) if of == run => self.gateway.save(scene),
            Event::Post(of, message) if of == run => self.gateway.post(scene, message),
            Event::Written(_) | Event::Wake(_) | Event::Save(_) | Event::Post(..) => {}
            Event::Tell(message) => self.tell(message),
            Event::Start(number, telling) => self.start(number, telling),
            Event::Look(id) => self.look(id),
            Event::Say(agency, message, say) => self.agencies.say(scene, &agency, message, say),
            Event::Fault(number) => self.fault(number),
            Event::FaultEnds(number) => self.fault_ends(number),
            Event::Heal => self.heal(),
        }
    }

    fn start(&mut self, number: usize, telling: Telling) {
        let message = self.scene.id();
        self.untaken.insert(message, Packet::Event(number, message));
        if let Some(after) = self.scene.plan.starts[number].again.filter(|_| telling == Telling::First) {
            self.scene.later(after, Event::Start(number, Telling::Again));
        }
        self.tell(message);
    }

    /// Something is told until it is taken.
    fn tell(&mut self, message: MessageId) {
        if let Some(packet) = self.untaken.get(&message) {
            self.scene.carry(Towards::Gateway, packet.clone());
            self.scene.later(7_000, Event::Tell(message));
        }
    }

    fn is_taken(&mut self, message: MessageId) {
        if let Some(Packet::Order { case, .. }) = self.untaken.remove(&message) {
            self.looking.remove(&case);
            self.scene.later(2_000, Event::Look(case));
        }
    }

    /// The citizen answers the form, if there is one; one thing after the other.
    fn look(&mut self, id: Uuid) {
        if self.looking.contains(&id) {
            return;
        }
        let Some(packet) = self.gateway.form(&mut self.scene, id) else { return };
        if let Packet::Order { message, .. } = &packet {
            let message = *message;
            self.looking.insert(id);
            self.untaken.insert(message, packet);
            self.tell(message);
        }
    }

    fn fault(&mut self, number: usize) {
        let plan = Arc::clone(&self.scene.plan);
        let fault = plan.faults[number];
        match fault.what {
            Happening::Crash { when: When::Writing, .. } if self.doomed.insert(number) => self.gateway.doom = Some(number),
            Happening::Crash { down, shelf, .. } => {
                self.gateway.crash(&mut self.scene, shelf);
                self.scene.later(down, Event::FaultEnds(number));
            }
            Happening::Partition { agency, long } => {
                self.scene.count(Trouble::Partition);
                *self.cut.entry(agency).or_default() += 1;
                self.scene.later(long, Event::FaultEnds(number));
            }
            Happening::Full { long } => {
                self.gateway.disk.is_full = true;
                self.scene.later(long, Event::FaultEnds(number));
            }
        }
    }

    fn fault_ends(&mut self, number: usize) {
        match self.scene.plan.faults[number].what {
            Happening::Crash { .. } => self.gateway.start(&mut self.scene),
            Happening::Partition { agency, .. } => {
                self.cut.entry(agency).and_modify(|count| *count = count.saturating_sub(1));
            }
            Happening::Full { .. } => self.gateway.disk.is_full = false,
        }
    }

    /// Everything is well from now on.
    fn heal(&mut self) {
        self.scene.note(|| "all is healed".to_owned());
        self.scene.is_healed = true;
        self.cut.clear();
        (self.gateway.disk.is_full, self.gateway.doom) = (false, None);
        self.gateway.start(&mut self.scene);
        self.gateway.wake(&mut self.scene);
    }

    /// Each event that was taken has begun a case, and each case has come to its end.
    fn end(mut self) -> Ran<Counts> {
        let scene = &mut self.scene;
        if scene.watcher.finding.is_none() {
            self.gateway.compare(scene);
            let open = scene.watcher.logs.keys().filter(|id| !scene.watcher.closed.contains(*id)).count();
            if open > 0 {
                scene.watcher.tell(format!("{open} cases have not come to their end"));
            }
            let told = scene.plan.starts.len() - scene.plan.left_out.messages.len().min(scene.plan.starts.len());
            if scene.watcher.cases() != told {
                let cases = scene.watcher.cases();
                scene.watcher.tell(format!("{told} events were told, and {cases} cases were begun"));
            }
            if !self.untaken.is_empty() {
                scene.watcher.tell("something that was told was never taken".to_owned());
            }
        }
        let mut counts = std::mem::take(&mut scene.counts);
        let head = self.gateway.disk.head();
        (counts.records, counts.cases, counts.ended) =
            (head.size, scene.watcher.cases() as u64, scene.watcher.closed.len() as u64);
        counts.done = scene.watcher.steps();
        let trace = scene.trace.take().unwrap_or_default();
        Ran { finding: scene.watcher.finding.take(), checkpoint: format!("{} {}", head.size, head.root), counts, trace }
    }
}

/// A run of usual length has some thousands.
const STEPS_MAX: u64 = 60_000;
