//! The world of one run: one queue of what is to happen, taken in the order of time and, at one time, of coming. The network loses,
//! delays and copies; faults happen when the plan says so; after a while all is healed, and what was accepted must come to an end.

use super::dice::Dice;
use super::gateway::{Gateway, START};
use super::letters::{Land, Letter, Letters, Sort};
use super::observer::Observer;
use super::people::{self, People};
use super::plan::{BUSY_MS, Case, Happening, Plan, Sent, Trouble, When};
use super::plant::Plant;
use super::runs::{Notes, Ran};
use super::wire::{Act, Counts, Event, Node, Packet, Scene, What};
use crate::base::limits;
use crate::exchange::ledger::Known;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

struct World<'w> {
    scene: Scene<'w>,
    gateways: Vec<Gateway>,
    people: People,
    /// By time and number.
    queue: BTreeMap<(u64, u64), Event>,
    pushed: u64,
    /// Who cannot reach whom, and how often over.
    cut: BTreeMap<(usize, usize), u32>,
    /// Crashes that have waited for a group.
    doomed: BTreeSet<usize>,
    /// The messages of the plan that were written.
    sent: BTreeMap<usize, u32>,
}

/// Runs a case.
pub(super) fn run(land: &Land, case: &Case, plant: Option<Plant>, notes: Notes) -> Ran<Counts> {
    let plan = Arc::new(Plan::of(case, plant));
    let scene = Scene {
        now: 0,
        land,
        registry: Arc::clone(land.registry(0)),
        dice: Dice::new(plan.seed ^ 0x5eed),
        letters: Letters::default(),
        observer: Observer::new(),
        counts: Counts::default(),
        out: Vec::new(),
        next_call: 0,
        is_healed: false,
        trace: notes.begun(),
        plan: Arc::clone(&plan),
    };
    let gateways = (0..plan.gateways).map(Gateway::new).collect();
    let (people, queue) = (People::default(), BTreeMap::new());
    let mut world =
        World { scene, gateways, people, queue, pushed: 0, cut: BTreeMap::new(), doomed: BTreeSet::new(), sent: BTreeMap::new() };
    world.prepare(&plan, case);
    world.go();
    world.end()
}

impl World<'_> {
    fn prepare(&mut self, plan: &Plan, case: &Case) {
        for (number, sending) in plan.sendings.iter().enumerate().filter(|(number, _)| !case.messages.contains(number)) {
            self.push(sending.at, Event::Send(number));
        }
        for (number, fault) in plan.faults.iter().enumerate().filter(|(number, _)| !case.faults.contains(number)) {
            self.push(fault.at, Event::Fault(number));
        }
        self.push(BUSY_MS, Event::Heal);
        self.push(BUSY_MS + 40 * 60_000, Event::Check);
        for number in 0..self.gateways.len() {
            self.gateways[number].start(&mut self.scene);
        }
    }

    fn push(&mut self, at: u64, event: Event) {
        self.pushed += 1;
        self.queue.insert((at, self.pushed), event);
    }

    fn go(&mut self) {
        self.drain();
        while let Some(((now, _), event)) = self.queue.pop_first() {
            self.scene.now = now;
            self.scene.counts.steps += 1;
            self.step(event);
            self.drain();
            if self.scene.counts.steps > STEPS_MAX {
                self.scene.observer.tell(format!("after {STEPS_MAX} steps it does not come to an end"));
            }
            if self.scene.observer.finding.is_some() {
                return;
            }
        }
    }

    /// What was sent goes by the network.
    fn drain(&mut self) {
        for (at, event) in std::mem::take(&mut self.scene.out) {
            match event {
                Event::Arrive(packet) => self.carry(packet),
                event => self.push(at, event),
            }
        }
    }

    fn carry(&mut self, packet: Packet) {
        let between = match (packet.from, packet.to) {
            (Node::Gateway(gateway), Node::Agency(agency)) | (Node::Agency(agency), Node::Gateway(gateway)) => (gateway, agency),
            _ => return,
        };
        if self.cut.get(&between).is_some_and(|count| *count > 0) || self.scene.errs(Trouble::Loss) {
            return;
        }
        let mut pause = self.scene.dice.between(1, 40);
        if self.scene.errs(Trouble::Delay) {
            pause += self.scene.dice.pick(&[100, 3_000, 45_000]);
        }
        if matches!(packet.what, What::Submit { .. } | What::Post { .. }) && self.scene.errs(Trouble::Twice) {
            self.scene.next_call += 1;
            let again = Packet { call: self.scene.next_call, ..packet.clone() };
            let later = pause + self.scene.dice.pick(&[0, 10, 2_000, 70_000]);
            self.push(self.scene.now + later, Event::Arrive(again));
        }
        self.push(self.scene.now + pause, Event::Arrive(packet));
    }

    fn step(&mut self, event: Event) {
        let scene = &mut self.scene;
        match event {
            Event::Arrive(packet) => match packet.to {
                Node::Gateway(number) => self.gateways[number].arrive(scene, packet),
                Node::Agency(agency) => self.people.arrive(scene, agency, packet),
            },
            Event::CallOver(Node::Gateway(number), call) => {
                self.gateways[number].posted(scene, call, super::gateway::Posted::Failed);
                self.gateways[number].look_around(scene);
            }
            Event::CallOver(Node::Agency(_), call) => self.people.call_over(scene, call),
            Event::Written(number, run) => {
                if self.gateways[number].run == run {
                    self.gateways[number].written(scene);
                }
            }
            Event::Wake(number, run) => {
                if self.gateways[number].run == run {
                    self.gateways[number].wake(scene);
                }
            }
            Event::Leave(number, run, call) => {
                if self.gateways[number].run == run {
                    self.gateways[number].leave(scene, call);
                    self.gateways[number].look_around(scene);
                }
            }
            Event::Save(number, run) => {
                if self.gateways[number].run == run {
                    self.gateways[number].save(scene);
                }
            }
            Event::Send(number) => self.send(number),
            Event::Cancel(number) => self.cancel(number),
            Event::Fault(number) => self.fault(number),
            Event::FaultEnds(number) => self.fault_ends(number),
            Event::Agency(agency, act) => self.people.act(scene, agency, act),
            Event::Heal => self.heal(),
            Event::Check => self.check(),
        }
    }

    fn send(&mut self, number: usize) {
        let plan = Arc::clone(&self.scene.plan);
        let sending = &plan.sendings[number];
        let scene = &mut self.scene;
        let (sort, document, wait, cancel) = match sending.what {
            Sent::Question { document, wait, cancel } => (Sort::Question, document, wait, cancel),
            Sent::Event => (Sort::Event, 0, 0, None),
        };
        let size = scene.dice.between(4, 300) as usize;
        let letter = Letter::new(sort, sending.from, people::time(scene.now), sending.life);
        let letter = Letter { document, person: sending.person, size, ..letter };
        let letter = scene.letters.write(plan.seed, letter);
        self.sent.insert(number, letter);
        if let Some(after) = cancel {
            self.push(self.scene.now + after, Event::Cancel(number));
        }
        let act = Act::Submit { gateway: sending.gateway, letter, wait, more: 4 };
        self.people.act(&mut self.scene, sending.from, act);
    }

    fn cancel(&mut self, number: usize) {
        let plan = Arc::clone(&self.scene.plan);
        let Some(question) = self.sent.get(&number).copied() else { return };
        let (sending, scene) = (&plan.sendings[number], &mut self.scene);
        scene.count(Trouble::Cancel);
        let letter = Letter::new(Sort::Cancel, sending.from, people::time(scene.now), 60_000);
        let letter = scene.letters.write(plan.seed, Letter { about: Some(question), ..letter });
        let act = Act::Submit { gateway: sending.gateway, letter, wait: 0, more: 2 };
        self.people.act(scene, sending.from, act);
    }

    fn fault(&mut self, number: usize) {
        let plan = Arc::clone(&self.scene.plan);
        let (fault, now) = (plan.faults[number], self.scene.now);
        self.scene.note(|| format!("fault {number}: {:?}", fault.what));
        let scene = &mut self.scene;
        match fault.what {
            Happening::Crash { gateway, when: When::Writing, .. } if self.doomed.insert(number) => {
                self.gateways[gateway].doom = Some(number);
            }
            Happening::Crash { gateway, down, shelf, .. } => {
                self.gateways[gateway].crash(scene, shelf);
                self.push(now + down, Event::FaultEnds(number));
            }
            Happening::Partition { gateway, agency, long } => {
                scene.count(Trouble::Partition);
                *self.cut.entry((gateway, agency)).or_default() += 1;
                self.push(now + long, Event::FaultEnds(number));
            }
            Happening::Clock { gateway, by } => {
                let is_day = by.unsigned_abs() >= crate::base::time::DAY_MS;
                scene.count(if is_day { Trouble::ClockDay } else { Trouble::ClockStep });
                self.gateways[gateway].set_clock(by);
                self.gateways[gateway].look_around(scene);
            }
            Happening::Drift { gateway, ppm } => {
                scene.count(Trouble::Drift);
                self.gateways[gateway].set_drift(now, ppm);
            }
            Happening::Full { gateway, long } => {
                self.gateways[gateway].disk.is_full = true;
                self.push(now + long, Event::FaultEnds(number));
            }
            Happening::Registry { without, long } => {
                scene.count(if without & 3 > 0 { Trouble::GrantEnded } else { Trouble::AgencyEnded });
                scene.observer.is_order_known = false;
                self.reload(without);
                self.push(now + long, Event::FaultEnds(number));
            }
        }
    }

    fn fault_ends(&mut self, number: usize) {
        let plan = Arc::clone(&self.scene.plan);
        match plan.faults[number].what {
            Happening::Crash { gateway, .. } => self.start(gateway),
            Happening::Partition { gateway, agency, .. } => {
                self.cut.entry((gateway, agency)).and_modify(|count| *count = count.saturating_sub(1));
            }
            Happening::Full { gateway, .. } => self.gateways[gateway].disk.is_full = false,
            Happening::Registry { .. } => self.reload(0),
            Happening::Clock { .. } | Happening::Drift { .. } => {}
        }
    }

    fn start(&mut self, number: usize) {
        if self.gateways[number].process.is_none() {
            self.gateways[number].start(&mut self.scene);
        }
    }

    fn reload(&mut self, without: usize) {
        self.scene.registry = Arc::clone(self.scene.land.registry(without));
        for number in 0..self.gateways.len() {
            self.gateways[number].reload(&mut self.scene);
        }
    }

    /// Everything is well from now on.
    fn heal(&mut self) {
        self.scene.note(|| "all is healed".to_owned());
        self.scene.is_healed = true;
        self.cut.clear();
        let now = self.scene.now;
        for number in 0..self.gateways.len() {
            let gateway = &mut self.gateways[number];
            (gateway.disk.is_full, gateway.doom) = (false, None);
            gateway.set_drift(now, 0);
            let off = gateway.time(now).as_ms() as i64 - START - now as i64;
            gateway.set_clock(-off);
            self.start(number);
        }
        self.reload(0);
    }

    /// Long after that nothing may wait that is not past its time.
    fn check(&mut self) {
        for (number, letter) in self.scene.observer.promises() {
            let time = self.gateways[number].time(self.scene.now);
            let letter = self.scene.letters.get(letter);
            // Leases last for longer by a clock that was set back.
            if self.scene.observer.latest(number) > time {
                continue;
            }
            if letter.sort == Sort::Event
                && letter.expires > time.plus_ms(60_000)
                && let Some(Known::Settled(place)) = self.gateways[number].known(&self.scene, letter.number)
            {
                self.scene.observer.heard(number, place.index, letter);
            }
        }
    }

    fn is_forgotten(&self, gateway: usize, letter: u32) -> bool {
        let known = self.scene.letters.get(letter).id.time().plus_ms(limits::IDEMPOTENCY_WINDOW_MS);
        known < self.scene.observer.latest(gateway).max(self.gateways[gateway].time(self.scene.now))
    }

    /// Each question that was accepted has an outcome, and only events that are not past their time are left.
    fn end(mut self) -> Ran<Counts> {
        let is_whole = self.scene.observer.finding.is_none();
        let mut counts = std::mem::take(&mut self.scene.counts);
        for (number, letter) in self.scene.observer.promises() {
            counts.messages += 1;
            let sort = self.scene.letters.get(letter).sort;
            let answers = self.scene.observer.of(number, letter).answers.clone();
            match self.gateways[number].known(&self.scene, letter) {
                _ if sort == Sort::Event => counts.events += 1,
                Some(Known::Settled(place)) => {
                    counts.answered += 1;
                    let kept = self.gateways[number].disk.letter(place);
                    if is_whole && !kept.is_some_and(|kept| answers.contains(&kept)) {
                        self.scene.observer.tell(format!("question {letter} has an answer that was never recorded"));
                    }
                }
                Some(Known::Refused(code)) => {
                    let is_cancelled = self.scene.observer.of(number, letter).cancel.is_some();
                    *(if is_cancelled { &mut counts.cancelled } else { &mut counts.refused }) += 1;
                    if is_whole && !answers.is_empty() {
                        self.scene.observer.tell(format!("question {letter} was answered, and is said to be {code}"));
                    }
                }
                // By the gateway's clock nobody may ask for it any more.
                None if self.is_forgotten(number, letter) => {}
                known if is_whole => {
                    self.scene.observer.tell(format!("question {letter} was accepted and never ended: {known:?}"));
                }
                _ => {}
            }
        }
        let mut checkpoint = Vec::new();
        for gateway in &self.gateways {
            let head = gateway.disk.head();
            counts.records += head.size;
            checkpoint.push(format!("{} {}", head.size, head.root));
            if let (true, Some(process)) = (is_whole, &gateway.process)
                && (process.work.wakes().is_some() || process.work.under_way() > 0)
            {
                self.scene.observer.tell(format!("gateway {} has open work at the end", gateway.number));
            }
        }
        let trace = self.scene.trace.take().unwrap_or_default();
        Ran { finding: self.scene.observer.finding.take(), checkpoint: checkpoint.join(", "), counts, trace }
    }
}

/// A run of usual length has some hundreds.
const STEPS_MAX: u64 = 30_000;
