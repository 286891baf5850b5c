//! A gateway: the real ledger, quotas, open work and journal, and a driver that does the same in the same order as
//! `gateway::driver`, step by step, since here one thread has all of it: what the driver awaits is an event here.

use super::disk::{Disk, Entry};
use super::index::{Index, note_asked};
use super::letters::{Letter, Sort};
use super::plan::{Left, Trouble};
use super::plant::Plant;
use super::saves::Saves;
use super::wire::{Event, Node, Packet, Reply, Scene, What as Call};
use super::writer::{Waiting, Writer, Written};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Digest, MessageId};
use crate::base::limits;
use crate::base::time::{DAY_MS, UnixTime};
use crate::evidence::journal::FrameKind;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Blind, Record, RecordKind};
use crate::exchange::admission::check_times;
use crate::exchange::ledger::{Begin, Known, Ledger, OutcomePlace, Seen};
use crate::exchange::work::{Class, Key, Memory, Row, Told, Way, Ways, What, Work, action};
use crate::host::store::PrivateHead;
use crate::rules::quota::{EngineClock, Persons, Quotas, Slot};
use crate::rules::registry::{Action, Registry, Status};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Whoever waits for the reply to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Caller {
    pub agency: usize,
    pub call: u64,
}

/// A gateway: what a crash leaves of it, and what runs.
pub(super) struct Gateway {
    pub number: usize,
    pub disk: Disk,
    offset: i64,
    drift: (u64, i64),
    /// Open work as it was saved.
    saves: Saves,
    /// Which start this is.
    pub run: u64,
    pub process: Option<Process>,
    /// The power goes while the next group is written: by which fault.
    pub doom: Option<usize>,
}

/// What a crash ends.
pub(super) struct Process {
    pub work: Work<Memory>,
    pub ledger: Ledger,
    index: Index,
    persons: Persons,
    quotas: Quotas,
    clock: EngineClock,
    started: u64,
    writer: Writer<Then>,
    pub posts: BTreeMap<u64, Post>,
    /// By the digest of the question: who may answer it by a message of its own.
    pub awaited: BTreeMap<Digest, Place>,
    slots: BTreeMap<Caller, Slot>,
    pub waiters: Vec<(u32, Caller)>,
    pub batches: BTreeMap<u64, Batch>,
    pub is_unrecording: bool,
    /// An event is being refused.
    pub is_telling: bool,
    /// When it looks next.
    pub wakes: Option<u64>,
}

/// Something on its way to its receiver.
pub(super) struct Post {
    pub letter: u32,
    pub key: Key,
    /// What open work gave, if that has sent it.
    pub row: Option<Row>,
    /// Who waits for the answer.
    pub caller: Option<Caller>,
    pub is_kept: bool,
    /// It is just being kept, and this has come meanwhile.
    pub keeping: Option<Option<Posted>>,
}

/// Who may answer by a message of its own, and what it has said.
pub(super) struct Place {
    pub holder: usize,
    pub post: Option<u64>,
    pub late: Option<(u32, Caller)>,
}

/// What came of taking something to its receiver.
#[derive(Clone, Debug)]
pub(super) enum Posted {
    Arrived(u32, Option<Caller>),
    Taken,
    Failed,
}

/// Leases that are given together.
pub(super) struct Batch {
    pub caller: Caller,
    pub left: usize,
    pub ready: Vec<(u64, u32)>,
}

/// What is done once a record is durable, or could not be written.
pub(super) enum Then {
    /// A question is accepted.
    Accept { letter: u32, caller: Caller, wait: u64 },
    /// A question whose consumer waits goes to its holder.
    Ask { letter: u32, caller: Caller, wait: u64, key: Key },
    /// A question is kept whose consumer has waited long enough.
    Left { call: u64, caller: Caller },
    /// One is kept whose holder cannot be reached, or answers later.
    GoneOn { post: Post, posted: Posted },
    /// An answer is released.
    Release { letter: u32, answer: u32, row: Option<Row>, caller: Option<Caller>, verdict: Option<Caller> },
    /// A word of a holder is known.
    Hear { word: u32, row: Row, is_first: bool, verdict: Option<Caller> },
    /// A receiver has taken something.
    Taken(Row),
    /// An exchange has failed.
    Failed { letter: u32, code: Code, row: Option<Row>, caller: Option<Caller>, verdict: Option<Caller> },
    /// Something is not delivered any more.
    GivenUp(Row),
    /// A question was cancelled.
    Cancelled { row: Row, letter: u32, caller: Caller },
    /// An event was accepted.
    Published { letter: u32, caller: Caller },
    /// Nobody may hear of an event any more.
    EventRefused(Row),
    /// A lease was recorded.
    Leased { row: Row, batch: u64, until: UnixTime },
    /// A worker has done something with a lease.
    LeaseIs { row: Row, lease: u64, caller: Caller, until: Option<UnixTime> },
    /// It was on record only.
    Nothing,
}

impl Gateway {
    /// A gateway that has not been started.
    pub(super) fn new(number: usize) -> Self {
        let saves = Saves::default();
        Self { number, disk: Disk::new(), offset: 0, drift: (0, 0), saves, run: 0, process: None, doom: None }
    }

    /// What its clock says.
    pub(super) fn time(&self, now: u64) -> UnixTime {
        let (since, ppm) = self.drift;
        let drifted = (now - since) as i64 * ppm / 1_000_000;
        UnixTime::from_ms((START + now as i64 + self.offset + drifted) as u64)
    }

    /// Sets its clock.
    pub(super) fn set_clock(&mut self, by: i64) {
        self.offset += by;
    }

    /// Makes its clock go too fast or too slowly.
    pub(super) fn set_drift(&mut self, now: u64, ppm: i64) {
        let (since, before) = self.drift;
        self.offset += (now - since) as i64 * before / 1_000_000;
        self.drift = (now, ppm);
    }

    /// The power goes.
    pub(super) fn crash(&mut self, scene: &mut Scene<'_>, shelf: Left) {
        let Some(process) = self.process.take() else { return };
        scene.count(Trouble::Crash);
        let left = self.saves.crash(shelf, process.work.shelf());
        left.into_iter().for_each(|trouble| scene.count(trouble));
        if let Some(trouble) = self.disk.lose(&mut scene.dice) {
            scene.count(trouble);
        }
        // Of what was sealed and not written nothing is left.
        self.run += 1;
    }

    /// Starts it: reads the journal, makes the index and fills the budgets, opens the shelf and tells it what it has not been told.
    pub(super) fn start(&mut self, scene: &mut Scene<'_>) {
        let (time, plant, number) = (self.time(scene.now), scene.plan.plant, self.number);
        let midnight = time.as_ms() - time.as_ms() % DAY_MS;
        let (mut asked, mut index, mut records) = (BTreeMap::new(), Index::default(), Vec::new());
        let read = self.disk.recover(plant, |place, frame| {
            let head = PrivateHead::read(frame.private).map(|(head, _)| head).unwrap_or_default();
            if frame.kind == FrameKind::Record {
                let place_of = OutcomePlace { index: frame.seq, segment: place.0, offset: place.1 };
                let Some(leaf) = std::str::from_utf8(frame.leaf).ok().and_then(Leaf::parse) else { return };
                note_asked(&mut asked, &leaf, &head.persons, midnight);
                index.push(&leaf, place_of);
                records.push((leaf, head.persons.first().copied(), place_of));
            }
        });
        if let Err(broken) = read {
            return scene.observer.tell(format!("gateway {number} after a crash: {broken}"));
        }
        for (leaf, _, place) in &records {
            let agency = about(scene, leaf);
            scene.observer.record(number, place.index, leaf, &scene.letters, agency);
        }
        index.catch_up();
        let (shelf, mark) = self.saves.last(self.disk.size());
        let mark = if plant == Some(Plant::TailNotFolded) { self.disk.size() } else { mark };
        let mut work = Work::open(shelf, ways(&scene.registry));
        for (leaf, person, place) in records.iter().filter(|(.., place)| place.index >= mark) {
            let is_forgotten = match plant {
                Some(Plant::LeaseForgotten) => leaf.action.as_deref() == Some(action::LEASE),
                Some(Plant::EventAgain) => leaf.action.as_deref() == Some(action::TAKEN) && leaf.consumer.is_none(),
                _ => false,
            };
            if !is_forgotten {
                tell(&mut work, scene, leaf, *person, *place);
            }
        }
        work.begin(self.disk.size());
        let clock = EngineClock::default();
        let process = Process {
            work,
            ledger: Ledger::new(),
            index,
            persons: Persons::since_midnight(asked, time),
            quotas: Quotas::new(&scene.registry, &clock),
            clock,
            started: scene.now,
            writer: Writer::default(),
            posts: BTreeMap::new(),
            awaited: BTreeMap::new(),
            slots: BTreeMap::new(),
            waiters: Vec::new(),
            batches: BTreeMap::new(),
            is_unrecording: false,
            is_telling: false,
            wakes: None,
        };
        self.process = Some(process);
        scene.counts.starts += 1;
        let (run, size) = (self.run, self.disk.size());
        scene.note(|| format!("gateway {number} starts with {size} records, told from {mark} on"));
        scene.later(limits::WORK_SAVED_MS, Event::Save(number, run));
        self.look_around(scene);
    }

    /// Saves open work.
    pub(super) fn save(&mut self, scene: &mut Scene<'_>) {
        let Some(process) = &self.process else { return };
        let mark = self.disk.size();
        if self.saves.mark() != Some(mark) {
            self.saves.save(process.work.shelf(), mark);
        }
        if !scene.is_healed {
            scene.later(limits::WORK_SAVED_MS, Event::Save(self.number, self.run));
        }
    }

    /// Puts the registry in force.
    pub(super) fn reload(&mut self, scene: &mut Scene<'_>) {
        if let Some(process) = &mut self.process {
            process.quotas = Quotas::new(&scene.registry, &process.clock);
            process.slots.clear();
            process.work.arrange(ways(&scene.registry));
            self.look_around(scene);
        }
    }

    /// A call or a reply has come.
    pub(super) fn arrive(&mut self, scene: &mut Scene<'_>, packet: Packet) {
        let Node::Agency(agency) = packet.from else { return };
        let caller = Caller { agency, call: packet.call };
        match packet.what {
            Call::Submit { letter, wait } => self.submit(scene, caller, letter, wait),
            Call::Come => self.come_for(scene, caller),
            Call::Lease { lease, done } => self.lease_is(scene, caller, lease, done),
            Call::Reply(reply) => {
                let posted = match reply {
                    Reply::Says(letter) => Posted::Arrived(letter, None),
                    Reply::Taken => Posted::Taken,
                    _ => Posted::Failed,
                };
                self.posted(scene, packet.call, posted);
            }
            Call::Post { .. } => {}
        }
        self.look_around(scene);
    }

    /// Replies to a call; its place in the quota is free.
    pub(super) fn reply(&mut self, scene: &mut Scene<'_>, caller: Caller, reply: Reply) {
        if let Some(process) = &mut self.process {
            process.slots.remove(&caller);
        }
        let number = self.number;
        scene.note(|| format!("gateway {number} to agency {}: {reply:?}", caller.agency));
        scene.reply(Node::Gateway(number), Node::Agency(caller.agency), caller.call, reply);
    }

    /// Gives an answer to whoever asked.
    pub(super) fn release(&mut self, scene: &mut Scene<'_>, caller: Caller, question: u32, answer: u32) {
        let (asked, answered) = (scene.letters.get(question), scene.letters.get(answer));
        scene.observer.released(self.number, asked, answered, caller.agency);
        self.reply(scene, caller, Reply::Answered);
    }

    /// Says that a message is accepted.
    pub(super) fn promise(&mut self, scene: &mut Scene<'_>, caller: Caller, letter: u32) {
        scene.observer.promised(self.number, letter);
        self.reply(scene, caller, Reply::Accepted);
    }

    fn submit(&mut self, scene: &mut Scene<'_>, caller: Caller, number: u32, wait: u64) {
        let (time, run) = (self.time(scene.now), self.run);
        let Some(process) = &mut self.process else { return };
        process.clock.advance_to(Duration::from_millis(scene.now - process.started));
        let sender = scene.registry.find(&scene.land.agencies[caller.agency]);
        let entered = sender.map(|index| process.quotas.enter(index, 500));
        let slot = match entered {
            Some(Ok(slot)) => slot,
            Some(Err(fault)) => return self.reply(scene, caller, Reply::Refused(fault.code)),
            None => return self.reply(scene, caller, Reply::Refused(Code::TlsUnknownCertificate)),
        };
        process.slots.insert(caller, slot);
        let open = process.slots.keys().filter(|known| known.agency == caller.agency).count();
        scene.observer.entered((self.number, run), caller.agency, scene.now, open);
        let letter = scene.letters.get(number).clone();
        let is_active = sender.and_then(|index| scene.registry.agency(index)).is_some_and(|a| a.status == Status::Active);
        if !is_active {
            return self.reply(scene, caller, Reply::Refused(Code::SigSender));
        }
        if let Err(fault) = check_times(&letter.message(scene.land, &scene.letters), time) {
            return self.reply(scene, caller, Reply::Refused(fault.code));
        }
        match letter.sort {
            Sort::Answer | Sort::Status => self.deliver_late(scene, caller, &letter),
            Sort::Cancel => self.cancel(scene, caller, &letter),
            Sort::Question | Sort::Event => self.begin(scene, caller, &letter, wait),
        }
    }

    /// Whether it was here before; if not, whether it is permitted.
    fn begin(&mut self, scene: &mut Scene<'_>, caller: Caller, letter: &Letter, wait: u64) {
        let (time, sender) = (self.time(scene.now), &scene.land.agencies[letter.from]);
        let Some(process) = &mut self.process else { return };
        let begun = process.begin(&self.disk, scene.plan.plant, time, (sender, letter.id, letter.digest));
        match begun {
            Ok(Begin::Replay(_)) if letter.sort == Sort::Event => return self.promise(scene, caller, letter.number),
            Ok(Begin::Replay(place)) => return self.answer_again(scene, caller, letter.number, place),
            Ok(Begin::Fresh | Begin::Again) => {}
            Err(fault) => return self.reply(scene, caller, Reply::Refused(fault.code)),
        }
        if let Some(kept) = process.work.asked(sender, letter.id) {
            process.ledger.abandon(sender, letter.id);
            if kept.digest != letter.digest {
                return self.reply(scene, caller, Reply::Refused(Code::MsgReplayed));
            }
            return self.wait_for(scene, caller, letter.number, wait);
        }
        let verdict = self.permit(scene, letter, time);
        if let Err(code) = verdict {
            if let Some(process) = &mut self.process {
                process.ledger.abandon(sender, letter.id);
            }
            return self.reply(scene, caller, Reply::Refused(code));
        }
        if letter.sort == Sort::Event {
            let record = Record { until: Some(letter.expires), ..self.record(scene, RecordKind::Event, letter, None) };
            let then = Then::Published { letter: letter.number, caller };
            return self.keep(scene, record, Some(letter.person), Some(letter.number), then);
        }
        self.ask(scene, caller, letter, wait);
    }

    fn permit(&mut self, scene: &mut Scene<'_>, letter: &Letter, time: UnixTime) -> Result<(), Code> {
        let registry = Arc::clone(&scene.registry);
        let Some(process) = &mut self.process else { return Err(Code::HttpBusy) };
        if letter.sort == Sort::Event {
            let holds = scene.land.holder(&registry, letter.document);
            return if holds.as_ref() == Some(&scene.land.agencies[letter.from]) { Ok(()) } else { Err(Code::PolNoGrant) };
        }
        if !scene.land.permits(&registry, letter.from, Action::Read, letter, time) {
            return Err(Code::PolNoGrant);
        }
        scene.land.holder(&registry, letter.document).ok_or(Code::RteNoHolder)?;
        let budget = super::letters::PERSONS;
        process.persons.ask(&scene.land.agencies[letter.from], &[letter.person], budget, time).verdict.map_err(|fault| fault.code)
    }

    fn ask(&mut self, scene: &mut Scene<'_>, caller: Caller, letter: &Letter, wait: u64) {
        let Some(holder) = scene.land.holder(&scene.registry, letter.document) else { return };
        let Some(process) = &self.process else { return };
        let is_accepted = wait == 0 || process.work.way(&holder) == Way::Inbox;
        let mut record = self.record(scene, RecordKind::Request, letter, None);
        let key = Key { index: 0, to: holder };
        if is_accepted {
            record.until = Some(letter.expires);
            if scene.plan.plant == Some(Plant::AckBeforeRecord) {
                self.promise(scene, caller, letter.number);
            }
            let then = Then::Accept { letter: letter.number, caller, wait };
            return self.keep(scene, record, Some(letter.person), Some(letter.number), then);
        }
        let then = Then::Ask { letter: letter.number, caller, wait, key };
        self.keep(scene, record, Some(letter.person), None, then);
    }

    /// Gives an answer again that was given before.
    fn answer_again(&mut self, scene: &mut Scene<'_>, caller: Caller, question: u32, place: OutcomePlace) {
        match self.disk.letter(place) {
            Some(answer) => self.release(scene, caller, question, answer),
            None => scene.observer.tell(format!("the answer to question {question} is not in the journal")),
        }
    }

    /// Waits for the outcome of a question that is kept.
    pub(super) fn wait_for(&mut self, scene: &mut Scene<'_>, caller: Caller, question: u32, wait: u64) {
        if wait == 0 {
            return self.promise(scene, caller, question);
        }
        if let Some(process) = &mut self.process {
            process.waiters.push((question, caller));
            scene.later(wait, Event::Leave(self.number, self.run, caller.call));
            self.settled(scene, question);
        }
    }

    /// Tells those who wait for the outcome of a question, if it has one.
    pub(super) fn settled(&mut self, scene: &mut Scene<'_>, question: u32) {
        let Some(process) = &mut self.process else { return };
        let (waiting, others) = process.waiters.drain(..).partition(|(of, _)| *of == question);
        process.waiters = others;
        for (_, caller) in waiting {
            match self.known(scene, question) {
                Some(Known::Settled(place)) => self.answer_again(scene, caller, question, place),
                Some(Known::Refused(code)) => self.reply(scene, caller, Reply::Refused(code)),
                _ => self.process.iter_mut().for_each(|process| process.waiters.push((question, caller))),
            }
        }
    }

    /// What is known of a message.
    pub(super) fn known(&self, scene: &Scene<'_>, letter: u32) -> Option<Known> {
        let letter = scene.letters.get(letter);
        let (process, sender) = (self.process.as_ref()?, &scene.land.agencies[letter.from]);
        if process.work.asked(sender, letter.id).is_some() {
            return Some(Known::Open);
        }
        let past = || process.index.past(&self.disk, (sender, letter.id), oldest(self.time(scene.now)));
        process.ledger.look_up(sender, letter.id).or_else(|| past().map(|past| past.outcome))
    }

    /// A record of a question or event, or of something said about it.
    pub(super) fn record(&self, scene: &Scene<'_>, kind: RecordKind, letter: &Letter, kept: Option<u64>) -> Record {
        let mut record = Record::new(kind, self.time(scene.now));
        (record.message, record.digest) = (Some(letter.id), Some(letter.digest));
        record.consumer = Some(scene.land.agencies[letter.from].clone());
        if letter.sort != Sort::Event {
            let holder = if letter.document == 0 { super::letters::CLINIC } else { super::letters::VILLAGE };
            record.provider = Some(scene.land.agencies[holder].clone());
            record.grant = Word::parse("a-0");
        }
        record.document_type = Some(scene.land.documents[letter.document].clone());
        (record.concerns, record.octets) = (kept, letter.size as u64);
        record
    }

    /// A record of what was done with something that is kept.
    pub(super) fn delivery(&self, scene: &Scene<'_>, row: &Row, what: &str, until: Option<UnixTime>) -> Record {
        let mut record = Record::new(RecordKind::Delivery, self.time(scene.now));
        (record.action, record.until, record.concerns) = (Word::parse(what), until, Some(row.key.index));
        (record.message, record.digest, record.provider) = (Some(row.id), Some(row.digest), Some(row.key.to.clone()));
        record.consumer = (!matches!(row.what, What::Event | What::Withheld)).then(|| row.sender.clone());
        record
    }

    /// Makes a record durable, and goes on then.
    pub(super) fn keep(&mut self, scene: &mut Scene<'_>, record: Record, person: Option<u64>, letter: Option<u32>, then: Then) {
        let text = record.leaf(&Blind::default());
        let (Some(process), Some(leaf)) = (&mut self.process, Leaf::parse(&text)) else { return };
        let letter = letter.map(|number| (number, scene.letters.get(number).size));
        process.writer.push(Entry { leaf: text, person, letter }, leaf, then);
        self.write(scene);
    }

    /// Writes what waits as a group, if none is being written.
    fn write(&mut self, scene: &mut Scene<'_>) {
        let time = self.time(scene.now);
        let Some(process) = &mut self.process else { return };
        let Some(pause) = process.writer.write(&mut self.disk, &mut scene.dice, time) else { return };
        if let Some(fault) = self.doom.take() {
            scene.later(0, Event::Fault(fault));
        }
        scene.later(pause, Event::Written(self.number, self.run));
    }

    /// A group is durable, or could not be written.
    pub(super) fn written(&mut self, scene: &mut Scene<'_>) {
        let Some(process) = &mut self.process else { return };
        let Some(Written { mut group, places }) = process.writer.sync(&mut self.disk) else { return };
        process.is_unrecording = places.is_none();
        if places.is_none() {
            scene.count(Trouble::DiskFull);
        }
        let places = places.unwrap_or_default();
        for (waiting, place) in group.iter().zip(&places) {
            let agency = about(scene, &waiting.leaf);
            scene.note(|| format!("record {}: {}", place.index, waiting.entry.leaf));
            scene.observer.record(self.number, place.index, &waiting.leaf, &scene.letters, agency);
            process.index.push(&waiting.leaf, *place);
        }
        let mut order: Vec<(usize, Waiting<Then>)> = group.drain(..).enumerate().collect();
        // Whoever waited for a record goes on by itself: in which order is for nobody to say.
        if order.len() > 1 && scene.dice.hits(300) {
            order.reverse();
        }
        for (at, waiting) in order {
            let place = places.get(at).copied();
            if let (Some(place), Some(process)) = (place, &mut self.process)
                && is_of_work(&waiting.leaf)
            {
                process.tell_ledger(&waiting.leaf, place);
                tell(&mut process.work, scene, &waiting.leaf, waiting.entry.person, place);
            }
            self.go_on(scene, waiting.then, place);
        }
        if let Some(process) = &mut self.process {
            process.index.go_on(&mut scene.dice);
        }
        self.write(scene);
        self.look_around(scene);
    }
}

impl Process {
    /// As the driver begins an exchange: what the ledger does not know is looked for in the log.
    fn begin(
        &mut self,
        disk: &Disk,
        plant: Option<Plant>,
        time: UnixTime,
        (sender, id, digest): (&AgencyId, MessageId, Digest),
    ) -> Result<Begin, Fault> {
        let indexed = if plant == Some(Plant::ForgottenEarly) { disk.size() } else { self.index.watermark() };
        self.ledger.forget(indexed);
        match self.ledger.begin(time, sender, id, digest)? {
            Seen::Here(begun) => Ok(begun),
            Seen::Nowhere(inquiry) => {
                let past = self.index.past(disk, (sender, id), oldest(time));
                self.ledger.found(inquiry, past.filter(|_| plant != Some(Plant::PastNotAsked)))
            }
        }
    }

    /// As the driver tells the ledger how a question has ended that is kept.
    fn tell_ledger(&mut self, leaf: &Leaf, place: OutcomePlace) {
        let sender = leaf.consumer.as_deref().and_then(AgencyId::parse);
        let id = leaf.message.as_deref().and_then(MessageId::parse);
        let (Some(sender), Some(id), Some(concerned)) = (sender, id, leaf.concerns) else { return };
        let question = if leaf.kind == RecordKind::Refusal.as_str() { &leaf.digest } else { &leaf.counterpart };
        let Some(digest) = question.as_deref().and_then(Digest::parse_base64url) else { return };
        let code = leaf.code.as_deref().and_then(Code::parse);
        match (leaf.kind.as_str(), code) {
            ("rsp", _) => self.ledger.settle(&sender, id, digest, place),
            ("err" | "cnl", Some(code)) => {
                let to = leaf.provider.as_deref().and_then(AgencyId::parse);
                let is_open = to.is_some_and(|to| self.work.row(&Key { index: concerned, to }).is_some());
                if is_open {
                    self.ledger.refuse(&sender, id, digest, code, place.index + 1);
                }
            }
            _ => {}
        }
    }
}

/// What ended before this is not told of any more, as the driver has it.
fn oldest(now: UnixTime) -> UnixTime {
    now.minus_ms(limits::IDEMPOTENCY_WINDOW_MS + limits::CLOCK_SKEW_MS)
}

/// The number of the agency that a record says is to have something.
fn about(scene: &Scene<'_>, leaf: &Leaf) -> usize {
    let name = leaf.provider.as_deref().and_then(AgencyId::parse);
    name.map_or(usize::MAX, |name| scene.land.number(&name))
}

/// Tells open work of a record, as the driver does.
fn tell(work: &mut Work<Memory>, scene: &Scene<'_>, leaf: &Leaf, person: Option<u64>, place: OutcomePlace) {
    let person = person.filter(|_| scene.plan.plant != Some(Plant::OrderIgnored));
    work.record(Told { leaf, place, person, class: Class::default() });
}

/// Whether open work has to know of a record, as the driver says it.
fn is_of_work(leaf: &Leaf) -> bool {
    match leaf.kind.as_str() {
        "req" => leaf.until.is_some(),
        "rsp" | "err" => leaf.concerns.is_some(),
        "evt" | "dlv" | "sts" | "cnl" => true,
        _ => false,
    }
}

fn ways(registry: &Arc<Registry>) -> Ways {
    let registry = Arc::clone(registry);
    Box::new(move |to| {
        let agency = registry.find(to).and_then(|index| registry.agency(index));
        if agency.is_some_and(|agency| agency.url.is_some()) { Way::Push } else { Way::Inbox }
    })
}

/// True time at which a run begins: at noon, so that a clock that is set by a day is on another.
pub(super) const START: i64 = 1_800_014_400_000;
