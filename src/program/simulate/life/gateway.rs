//! The gateway of the coordinator: the book of cases, its journal, and a driver that does the same in the same order as
//! `gateway::driver::cases`, step by step. What it hands to the network is an ordinary message there; here it is a record that it was
//! accepted, and one of what came of it.

use super::super::disk::{Disk, Entry};
use super::super::plan::{Left, Trouble};
use super::super::saves::Saves;
use super::super::writer::{Writer, Written};
use super::plant::Plant;
use super::wire::{Asked, Event, Packet, Posted, Say, Scene, Towards};
use crate::base::ids::{Code, Digest, MessageId, Uuid};
use crate::base::time::UnixTime;
use crate::evidence::journal::FrameKind;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Blind, Record, RecordKind};
use crate::exchange::cases::trial::{Family, Twist};
use crate::exchange::cases::{
    Book, Came, Case, CaseRow, Change, Heard, MadeBody, OrderOf, Part, Reading, Sending, Sent, StartedBy, Text, action, read,
    write,
};
use crate::exchange::work::Memory;
use crate::message::crypto::sha256;
use crate::message::envelope::Body;
use crate::rules::situation::{DocumentOf, Situation};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The gateway: what a crash leaves of it, and what runs.
pub(super) struct Gateway {
    pub disk: Disk,
    /// What is sealed beside records, by the number that stands for it there.
    sealed: Vec<Sealed>,
    saves: Saves,
    pub run: u64,
    pub process: Option<Process>,
    pub doom: Option<usize>,
}

/// What is sealed beside a record.
#[derive(Clone, Debug)]
enum Sealed {
    Event(usize, MessageId),
    Changes(String),
    Request(Arc<Posted>),
    Outcome(Say),
}

/// What a crash ends.
pub(super) struct Process {
    book: Book<Memory>,
    hands: BTreeMap<Uuid, Hand>,
    busy: BTreeSet<Uuid>,
    hints: BTreeMap<Uuid, VecDeque<Hint>>,
    /// Records that were not heard of yet.
    unheard: BTreeSet<u64>,
    writer: Writer<Then>,
    /// Messages that were accepted, and what has come of them.
    known: BTreeMap<MessageId, Known>,
    /// Of which something is being recorded.
    recording: BTreeSet<MessageId>,
    /// Events that were accepted and have begun nothing yet, by their records.
    events: BTreeMap<u64, (usize, MessageId)>,
    /// All events that ever were.
    accepted: BTreeSet<MessageId>,
    taking: Option<u64>,
    is_unrecording: bool,
    /// When it looks next.
    wakes: Option<u64>,
}

/// A case, and what is known of its messages.
struct Hand {
    case: Case,
    situation: Arc<Situation>,
    sent: BTreeSet<MessageId>,
}

#[derive(Clone, Debug)]
struct Known {
    posted: Arc<Posted>,
    outcome: Option<Say>,
}

#[derive(Clone, Copy, Debug)]
struct Hint {
    message: MessageId,
    say: Say,
    index: u64,
}

/// Something that goes on in a case.
#[derive(Debug)]
struct Doing {
    id: Uuid,
    hints: VecDeque<Hint>,
    all: Vec<Hint>,
    is_sought: bool,
    rounds: u32,
    taken: Option<MessageId>,
}

/// Whether an event was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Yes,
    /// Something is being done in its case.
    Later,
}

/// Whether a record is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Yes,
    No,
}

/// What is done once a record is durable, or could not be written.
enum Then {
    /// An event was accepted.
    Accepted(MessageId),
    /// A case goes on.
    Case(Doing),
    /// A message was accepted.
    Submitted(Uuid, MessageId),
    /// Something has come of one.
    Heard(MessageId),
}

impl Gateway {
    pub(super) fn new() -> Self {
        Self { disk: Disk::new(), sealed: Vec::new(), saves: Saves::default(), run: 0, process: None, doom: None }
    }

    /// The power goes.
    pub(super) fn crash(&mut self, scene: &mut Scene<'_>, shelf: Left) {
        let Some(process) = self.process.take() else { return };
        scene.count(Trouble::Crash);
        scene.note(|| "the power goes".to_owned());
        let left = self.saves.crash(shelf, process.book.shelf());
        left.into_iter().for_each(|trouble| scene.count(trouble));
        if let Some(trouble) = self.disk.lose(&mut scene.dice) {
            scene.count(trouble);
        }
        self.run += 1;
    }

    /// Starts it: reads the journal, opens the book and tells it what it has not been told.
    pub(super) fn start(&mut self, scene: &mut Scene<'_>) {
        if self.process.is_some() {
            return;
        }
        let mut records = Vec::new();
        let recovered = self.disk.recover(None, |_, frame| {
            let number = frame.body.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets) as usize);
            let leaf = std::str::from_utf8(frame.leaf).ok().and_then(Leaf::parse).filter(|_| frame.kind == FrameKind::Record);
            records.extend(leaf.zip(number).map(|(leaf, number)| (frame.seq, leaf, number)));
        });
        if let Err(broken) = recovered {
            return scene.watcher.tell(format!("the gateway after a crash: {broken}"));
        }
        let plant = scene.plan.plant;
        let (shelf, mark) = self.saves.last(self.disk.size());
        let mark = if plant == Some(Plant::TailNotFolded) { self.disk.size() } else { mark };
        let mut process = Process {
            book: Book::open(shelf),
            hands: BTreeMap::new(),
            busy: BTreeSet::new(),
            hints: BTreeMap::new(),
            unheard: BTreeSet::new(),
            writer: Writer::default(),
            known: BTreeMap::new(),
            recording: BTreeSet::new(),
            events: BTreeMap::new(),
            accepted: BTreeSet::new(),
            taking: None,
            is_unrecording: false,
            wakes: None,
        };
        for (index, leaf, number) in &records {
            let sealed = &self.sealed[*number];
            watch(scene, *index, leaf, sealed);
            process.tell(*index, leaf, sealed, mark);
        }
        if plant == Some(Plant::EventForgotten) {
            process.events.clear();
        }
        let run = self.run;
        for id in process.known.iter().filter(|(_, known)| known.outcome.is_none()).map(|(id, _)| *id) {
            scene.later(5, Event::Post(run, id));
        }
        self.process = Some(process);
        scene.counts.starts += 1;
        let size = self.disk.size();
        scene.note(|| format!("the gateway starts with {size} records, told from {mark} on"));
        scene.later(SAVE_MS, Event::Save(run));
        self.look_around(scene);
    }

    /// Saves the book.
    pub(super) fn save(&mut self, scene: &mut Scene<'_>) {
        self.compare(scene);
        let Some(process) = &self.process else { return };
        let mark = process.unheard.first().copied().unwrap_or(self.disk.size()).min(self.disk.size());
        self.saves.save(process.book.shelf(), mark);
        if !scene.is_healed {
            scene.later(SAVE_MS, Event::Save(self.run));
        }
    }

    /// Each case in which nothing is being done is what is on record.
    pub(super) fn compare(&self, scene: &mut Scene<'_>) {
        let Some(process) = &self.process else { return };
        for (id, hand) in process.hands.iter().filter(|(id, _)| !process.busy.contains(*id)) {
            let Some(again) = load(scene, *id, &hand.situation) else { continue };
            let around = scene.land.around(&hand.situation, scene.time());
            let view = |case: &Case| (case.view(around, Part::Whole, "en"), case.timeline_view(Part::Whole));
            if view(&again) != view(&hand.case) {
                scene.watcher.tell(format!("the case {id} is not what is on record"));
            }
        }
    }

    /// Something has come.
    pub(super) fn arrive(&mut self, scene: &mut Scene<'_>, packet: Packet) {
        let Some(process) = &mut self.process else { return };
        match packet {
            Packet::Event(start, message) => {
                // The ledger and the log know what was accepted.
                if process.accepted.contains(&message) {
                    scene.carry(Towards::Others, Packet::Taken(message));
                } else if process.recording.insert(message) {
                    let mut record = Record::new(RecordKind::Event, scene.time());
                    record.message = Some(message);
                    self.keep(scene, record, Sealed::Event(start, message), Then::Accepted(message));
                }
            }
            Packet::Says(message, say) => self.said(scene, message, say),
            Packet::Order { case, message, answers, bring } => self.order(scene, case, message, &answers, &bring),
            Packet::Post(_) | Packet::Taken(_) => {}
        }
        self.look_around(scene);
    }

    fn said(&mut self, scene: &mut Scene<'_>, message: MessageId, say: Say) {
        let Some(process) = &mut self.process else { return };
        let Some(known) = process.known.get(&message) else { return };
        let is_over = known.outcome.is_some();
        if is_over && (scene.plan.plant != Some(Plant::HeardTwice) || say == Say::AtWork) {
            return;
        }
        if !process.recording.insert(message) {
            return;
        }
        let kind = if say == Say::AtWork { RecordKind::Status } else { RecordKind::Answer };
        let mut record = Record::new(kind, scene.time());
        (record.message, record.case) = (Some(message), Some(known.posted.case));
        self.keep(scene, record, Sealed::Outcome(say), Then::Heard(message));
    }

    /// Does what there is to do, and says when to look again.
    pub(super) fn look_around(&mut self, scene: &mut Scene<'_>) {
        for _ in 0..100 {
            if !self.do_next(scene) {
                break;
            }
        }
        let Some(process) = &mut self.process else { return };
        let time = scene.time();
        let wakes = process.book.wakes().map(|wakes| wakes.as_ms().saturating_sub(time.as_ms()).clamp(5, 40 * DAY_MS));
        let pause = if process.is_unrecording { Some(1_000) } else { wakes };
        if let Some(pause) = pause {
            let at = scene.now + pause;
            if process.wakes.is_none_or(|wakes| wakes <= scene.now || wakes > at) {
                process.wakes = Some(at);
                scene.later(pause, Event::Wake(self.run));
            }
        }
    }

    pub(super) fn wake(&mut self, scene: &mut Scene<'_>) {
        if let Some(process) = &mut self.process {
            process.is_unrecording = false;
        }
        self.look_around(scene);
    }

    fn do_next(&mut self, scene: &mut Scene<'_>) -> bool {
        let Some(process) = self.process.as_mut().filter(|process| !process.is_unrecording) else { return false };
        // What is about one person comes in its order: one event at a time.
        let first = process.events.first_key_value().map(|(index, event)| (*index, *event)).filter(|_| process.taking.is_none());
        if let Some((index, (start, message))) = first
            && self.begin(scene, index, start, message) == Begun::Yes
        {
            return true;
        }
        let Some(process) = &mut self.process else { return false };
        let heard = process.hints.keys().find(|id| !process.busy.contains(*id)).copied();
        let (id, hints) = match heard {
            Some(id) => (id, process.hints.remove(&id).unwrap_or_default()),
            None => match process.book.due(scene.time()) {
                Some(id) if !process.busy.contains(&id) => (id, VecDeque::new()),
                Some(_) => return true,
                None => return false,
            },
        };
        process.busy.insert(id);
        let all = hints.iter().copied().collect();
        self.go_on(scene, Doing { id, hints, all, is_sought: false, rounds: 0, taken: None });
        true
    }

    /// An event begins a case, or is told again of one.
    fn begin(&mut self, scene: &mut Scene<'_>, index: u64, start: usize, message: MessageId) -> Begun {
        let (plant, land, situation) = (scene.plan.plant, scene.land, scene.situation(start));
        let planned = scene.plan.starts[start];
        let family = Family::new(land, &situation, planned.family);
        let Some(document) = family.start() else { return Begun::Later };
        let by = land.holder(&document.document);
        let opening = family.opening(StartedBy::Event, &by, sha256(message.octets()), planned.pace);
        let name = format!("start-{start}");
        let key = sha256(format!("{} {name}", situation.id).as_bytes());
        let Some(process) = &mut self.process else { return Begun::Later };
        let known = process.book.by_key(&key).filter(|_| plant != Some(Plant::SecondCase));
        let fresh = Case::open(Uuid::from_octets(*message.octets()), opening.clone(), &situation, scene.time());
        let id = known.unwrap_or(fresh.id);
        // It is looked at again once the case is free.
        if !process.busy.insert(id) {
            return Begun::Later;
        }
        process.taking = Some(index);
        let (mut changes, around) = (Vec::new(), land.around(&situation, scene.time()));
        if known.is_some() || process.book.row(&id).is_some() {
            changes.push(Change::Again { by: Text(by) });
        } else {
            let reading = land.message(
                &by,
                (message, scene.time()),
                Body::Documents(Vec::new()),
                vec![family.sheet(&document, Twist::None)],
            );
            let Some(paper) = reading.document(&document.document) else { return Begun::Later };
            changes.push(Change::Opened(Box::new(opening)));
            changes.extend(fresh.has_come(around, &document, &reading, paper, Came::Start));
            for change in &mut changes {
                if let Change::Came { paper, .. } = change {
                    paper.start = Some(name.clone());
                }
            }
            process.hands.insert(id, Hand { case: fresh, situation: Arc::clone(&situation), sent: BTreeSet::new() });
        }
        let doing = Doing { id, hints: VecDeque::new(), all: Vec::new(), is_sought: true, rounds: 0, taken: None };
        self.record(scene, doing, &changes, Some((index, key)));
        Begun::Yes
    }

    /// Loads the case, if it is not in hand. Whether it is then.
    fn take_up(&mut self, scene: &mut Scene<'_>, id: Uuid) -> bool {
        let Some(process) = &mut self.process else { return false };
        if process.hands.contains_key(&id) {
            return true;
        }
        let row: Option<CaseRow> = process.book.row(&id);
        let Some(log) = scene.watcher.logs.get(&id).filter(|_| row.is_some()) else { return false };
        let row = row.map(|row| row.records).unwrap_or_default();
        // The book has all of them; of a case that is over the last one.
        if !log.keys().copied().eq(row.iter().copied()) && !scene.watcher.closed.contains(&id) {
            scene.watcher.tell(format!("the book lacks records of the case {id}"));
        }
        let Some(situation) = situation_of(scene, id) else { return false };
        let Some(case) = load(scene, id, &situation) else { return false };
        let mut sent = BTreeSet::new();
        if scene.plan.plant == Some(Plant::LostNotSought) {
            sent.extend(case.under_way().map(|(id, _)| *id));
        }
        process.hands.insert(id, Hand { case, situation, sent });
        true
    }

    /// Goes on in a case: hears what came, looks for what was lost, and does what comes next.
    fn go_on(&mut self, scene: &mut Scene<'_>, mut doing: Doing) {
        let id = doing.id;
        if !self.take_up(scene, id) {
            return self.is_free(&doing);
        }
        while let Some(hint) = doing.hints.pop_front() {
            let changes = self.heard(scene, id, hint);
            if changes.is_empty() {
                continue;
            }
            if scene.plan.plant == Some(Plant::HeardUnrecorded) && scene.dice.hits(200) {
                self.apply(scene, id, &changes);
                continue;
            }
            return self.record(scene, doing, &changes, None);
        }
        if !doing.is_sought {
            doing.is_sought = true;
            self.seek(id, &mut doing);
            if !doing.hints.is_empty() {
                return self.go_on(scene, doing);
            }
        }
        self.send(scene, id);
        let time = scene.time();
        let mut fresh: Vec<MessageId> = (0..80).map(|_| scene.id()).collect();
        let Some(process) = &mut self.process else { return };
        let Some(hand) = process.hands.get(&id) else { return self.is_free(&doing) };
        let around = scene.land.around(&hand.situation, time);
        let sums: Vec<Change> = match hand.case.is_over() {
            true => Vec::new(),
            // What adds up over the cases of a person: here each has one.
            false => hand
                .case
                .unsummed(around)
                .into_iter()
                .filter_map(|(fact, _, sum)| {
                    let fact = scene.land.catalogue.fact(fact)?.name.to_string();
                    Some(Change::Summed { fact, sum })
                })
                .collect(),
        };
        let changes = match doing.rounds < ROUNDS_MAX {
            true if !sums.is_empty() => sums,
            true => hand.case.forward(around, &mut || fresh.pop().unwrap_or_else(|| MessageId::new(time, [9; 10]))),
            false => Vec::new(),
        };
        if !changes.is_empty() {
            doing.rounds += 1;
            return self.record(scene, doing, &changes, None);
        }
        let wakes = hand.case.wakes(around);
        match wakes.filter(|_| scene.plan.plant != Some(Plant::TimerForgotten)) {
            Some(wakes) => process.book.wake(&id, wakes.max(time.plus_ms(5))),
            None => process.book.sleep(&id),
        }
        let has_form = hand.case.form_view(around, "en").get("since").is_some_and(|since| !since.is_null());
        if has_form && !hand.case.is_over() {
            scene.later(2_000, Event::Look(id));
        }
        self.is_free(&doing);
    }

    fn is_free(&mut self, doing: &Doing) {
        let Some(process) = &mut self.process else { return };
        process.busy.remove(&doing.id);
        doing.all.iter().for_each(|hint| _ = process.unheard.remove(&hint.index));
    }

    /// The changes that follow from what somebody has said.
    fn heard(&self, scene: &mut Scene<'_>, id: Uuid, hint: Hint) -> Vec<Change> {
        let Some(hand) = self.process.as_ref().and_then(|process| process.hands.get(&id)) else { return Vec::new() };
        let Some(known) = self.process.as_ref().and_then(|process| process.known.get(&hint.message)) else { return Vec::new() };
        let again = || match (&known.posted.what, scene.plan.plant) {
            // The first time is forgotten.
            (Asked::Document(_), Some(Plant::HeardTwice)) => load_before(scene, id, &hand.situation, hint.message),
            _ => None,
        };
        let is_waited_for = hand.case.under_way().any(|(message, _)| *message == hint.message);
        let before = if is_waited_for { None } else { again() };
        if !is_waited_for && before.is_none() {
            return Vec::new();
        }
        let case = before.as_ref().unwrap_or(&hand.case);
        let reading = reading(scene, &hand.situation, known, hint);
        let around = scene.land.around(&hand.situation, scene.time());
        let mut fresh: Vec<MessageId> = (0..40).map(|_| scene.id()).collect();
        case.hear(around, hint.message, &Heard::Message(&reading), &mut || fresh.pop().unwrap_or(hint.message))
    }

    /// Sees what became of messages of which nothing was heard since the case was read.
    fn seek(&mut self, id: Uuid, doing: &mut Doing) {
        let Some(process) = &mut self.process else { return };
        let Some(hand) = process.hands.get_mut(&id) else { return };
        let unsure: Vec<MessageId> = hand.case.under_way().map(|(id, _)| *id).filter(|id| !hand.sent.contains(id)).collect();
        for message in unsure {
            match process.known.get(&message).map(|known| known.outcome) {
                Some(None) => drop(hand.sent.insert(message)),
                Some(Some(say)) => doing.hints.push_back(Hint { message, say, index: u64::MAX }),
                // It was never accepted: it is sent.
                None => {}
            }
        }
    }

    /// Sends the messages that were decided on and not sent yet.
    fn send(&mut self, scene: &mut Scene<'_>, id: Uuid) {
        let Some(process) = &mut self.process else { return };
        let Some(hand) = process.hands.get_mut(&id) else { return };
        let unsent: Vec<(MessageId, Sent)> =
            hand.case.under_way().filter(|(id, _)| !hand.sent.contains(id)).map(|(id, sent)| (*id, sent.clone())).collect();
        let around = scene.land.around(&hand.situation, scene.time());
        let mut posted = Vec::new();
        for (message, sent) in unsent {
            hand.sent.insert(message);
            let Some(made) = hand.case.made(around, message, &sent) else {
                scene.watcher.tell(format!("the message {message} cannot be made"));
                continue;
            };
            let what = match &sent.what {
                Sending::Ask(errand) => {
                    errand.document.as_ref().map_or(Asked::Word, |document| Asked::Document(document.0.clone()))
                }
                Sending::Task(errand) => Asked::Step(errand.step.0.clone()),
                Sending::HandOver { .. } | Sending::Word { .. } => Asked::Word,
            };
            let body = match &made.body {
                MadeBody::Ask(ask) => format!("{ask:?}"),
                MadeBody::Task(task) => task.clone(),
            };
            let octets = format!("{:?} {body} {:?} {} {} {:?}", made.to, made.enclosed, made.at, made.expires, made.grounds);
            let to = match &what {
                Asked::Document(document) => scene.land.holder(&document.document),
                _ => made.to.unwrap_or_else(|| scene.land.coordinator.clone()),
            };
            let start = start_of(scene, id);
            let digest = sha256(octets.as_bytes());
            posted.push(Arc::new(Posted { id: message, to, case: id, start, made: digest, what }));
        }
        for posted in posted {
            let mut record = Record::new(RecordKind::Request, scene.time());
            (record.message, record.case) = (Some(posted.id), Some(id));
            let mut ids = vec![posted.id];
            if scene.plan.plant == Some(Plant::AnotherId) && scene.counts.starts > 1 && matches!(posted.what, Asked::Step(_)) {
                ids.push(scene.id());
            }
            for message in ids {
                let posted = Arc::new(Posted { id: message, ..(*posted).clone() });
                let mut record = record.clone();
                record.message = Some(message);
                self.keep(scene, record, Sealed::Request(posted), Then::Submitted(id, message));
            }
        }
    }

    /// Applies changes, and gives how the case stands then.
    fn apply(&mut self, scene: &Scene<'_>, id: Uuid, changes: &[Change]) -> Option<UnixTime> {
        let hand = self.process.as_mut()?.hands.get_mut(&id)?;
        let around = scene.land.around(&hand.situation, scene.time());
        hand.case.apply_all(around, scene.time(), changes);
        hand.case.wakes(around)
    }

    /// Writes changes down, and takes them.
    fn record(&mut self, scene: &mut Scene<'_>, doing: Doing, changes: &[Change], begins: Option<(u64, Digest)>) {
        let (id, time) = (doing.id, scene.time());
        if begins.is_some() && !matches!(changes.first(), Some(Change::Opened(_))) && !self.take_up(scene, id) {
            return self.is_free(&doing);
        }
        let wakes = self.apply(scene, id, changes);
        let Some(hand) = self.process.as_ref().and_then(|process| process.hands.get(&id)) else { return };
        let mut record = Record::new(RecordKind::Case, time);
        let what = match changes.first() {
            Some(Change::Opened(_)) => action::OPEN,
            _ if changes.iter().any(|change| matches!(change, Change::Closed { .. })) => action::CLOSE,
            _ => action::CHANGE,
        };
        let soon = time.plus_ms(SENT_MS);
        // What comes next is decided when it wakes, if the gateway dies before.
        record.until = if hand.case.is_over() { wakes } else { Some(wakes.map_or(soon, |wakes| wakes.min(soon))) };
        if scene.plan.plant == Some(Plant::TimerForgotten) {
            record.until = None;
        }
        (record.action, record.case) = (Code::parse(what), Some(id));
        record.consumer = Some(hand.case.opening.coordinator.0.clone());
        record.purpose = Some(hand.situation.id.clone());
        if let Some((index, key)) = begins {
            (record.concerns, record.counterpart) = (Some(index), (what == action::OPEN).then_some(key));
            record.digest = record.counterpart.map(|_| Digest::from_octets([1; 32]));
        }
        if scene.plan.plant == Some(Plant::SentBeforeRecord) {
            self.send(scene, id);
        }
        scene.note(|| format!("{id}: {}", words(changes)));
        self.keep(scene, record, Sealed::Changes(write(changes)), Then::Case(doing));
    }

    fn keep(&mut self, scene: &mut Scene<'_>, record: Record, sealed: Sealed, then: Then) {
        let text = record.leaf(&Blind::default());
        let (Some(process), Some(leaf)) = (&mut self.process, Leaf::parse(&text)) else { return };
        let number = self.sealed.len() as u32;
        self.sealed.push(sealed);
        process.writer.push(Entry { leaf: text, person: None, letter: Some((number, 40)) }, leaf, then);
        self.write(scene);
    }

    fn write(&mut self, scene: &mut Scene<'_>) {
        let time = scene.time();
        let Some(process) = &mut self.process else { return };
        let Some(pause) = process.writer.write(&mut self.disk, &mut scene.dice, time) else { return };
        if let Some(fault) = self.doom.take() {
            scene.later(0, Event::Fault(fault));
        }
        scene.later(pause, Event::Written(self.run));
    }

    /// A group is durable, or could not be written.
    pub(super) fn written(&mut self, scene: &mut Scene<'_>) {
        let Some(process) = &mut self.process else { return };
        let Some(Written { group, places }) = process.writer.sync(&mut self.disk) else { return };
        process.is_unrecording = places.is_none();
        if places.is_none() {
            scene.count(Trouble::DiskFull);
        }
        let kept = if places.is_some() { Kept::Yes } else { Kept::No };
        let places = places.unwrap_or_default();
        for (waiting, place) in group.iter().zip(&places) {
            let number = waiting.entry.letter.map_or(0, |(number, _)| number as usize);
            let sealed = &self.sealed[number];
            watch(scene, place.index, &waiting.leaf, sealed);
            process.tell(place.index, &waiting.leaf, sealed, 0);
        }
        for waiting in group {
            self.then(scene, waiting.then, kept);
        }
        self.write(scene);
        self.look_around(scene);
    }

    fn then(&mut self, scene: &mut Scene<'_>, then: Then, kept: Kept) {
        let is_kept = kept == Kept::Yes;
        let run = self.run;
        let Some(process) = &mut self.process else { return };
        match then {
            Then::Accepted(message) => {
                process.recording.remove(&message);
                if is_kept {
                    scene.carry(Towards::Others, Packet::Taken(message));
                }
            }
            Then::Submitted(id, message) => {
                if is_kept {
                    if let Some(hand) = process.hands.get_mut(&id) {
                        hand.case.is_sent(message);
                    }
                    scene.later(1, Event::Post(run, message));
                } else if let Some(hand) = process.hands.get_mut(&id) {
                    hand.sent.remove(&message);
                    process.book.wake(&id, scene.time().plus_ms(SENT_MS));
                }
            }
            Then::Heard(message) => _ = process.recording.remove(&message),
            Then::Case(doing) if is_kept => {
                process.taking = process.taking.filter(|index| process.events.contains_key(index));
                doing.taken.into_iter().for_each(|message| scene.carry(Towards::Others, Packet::Taken(message)));
                let doing = Doing { taken: None, ..doing };
                self.send(scene, doing.id);
                self.go_on(scene, doing);
            }
            Then::Case(doing) => {
                // What was decided may not be what is on record: it is read again.
                process.taking = None;
                process.hands.remove(&doing.id);
                process.busy.remove(&doing.id);
                process.book.wake(&doing.id, scene.time().plus_ms(1_000));
                let hints = doing.all.iter().copied().filter(|hint| hint.index != u64::MAX);
                process.hints.entry(doing.id).or_default().extend(hints);
            }
        }
    }

    /// A message is taken to its agency, until something has come of it.
    pub(super) fn post(&mut self, scene: &mut Scene<'_>, message: MessageId) {
        let Some(known) = self.process.as_ref().and_then(|process| process.known.get(&message)) else { return };
        if known.outcome.is_some() {
            return;
        }
        let posted = Arc::clone(&known.posted);
        scene.watcher.sent(message, posted.made);
        scene.note(|| format!("to {}: {message} {:?}", posted.to, posted.what));
        scene.carry(Towards::Others, Packet::Post(posted));
        scene.later(scene.plan.seed % 7 * 1_000 + 9_000, Event::Post(self.run, message));
    }

    /// The citizen looks at the form of a case, and gets ready to answer it.
    pub(super) fn form(&self, scene: &mut Scene<'_>, id: Uuid) -> Option<Packet> {
        let hand = self.process.as_ref()?.hands.get(&id)?;
        let around = scene.land.around(&hand.situation, scene.time());
        let form = hand.case.form_view(around, "en");
        let texts = |list: &str, name: &str| -> Vec<String> {
            let list = form.get(list).and_then(|list| list.as_array()).cloned().unwrap_or_default();
            list.iter().filter_map(|item| Some(item.get(name)?.as_str()?.to_owned())).collect()
        };
        let family = Family::new(scene.land, &hand.situation, scene.plan.starts[start_of(scene, id)].family);
        let answer = |name: String| Some((name.clone(), family.answer(scene.land.catalogue.fact_named(&name)?)));
        let answers: Vec<_> = texts("ask", "fact").into_iter().filter_map(answer).collect();
        let pairs = texts("bring", "document").into_iter().zip(texts("bring", "role"));
        let bring: Vec<_> = pairs.filter_map(|(document, role)| DocumentOf::parse(&format!("{document}:{role}"))).collect();
        if answers.is_empty() && bring.is_empty() {
            return None;
        }
        // One order answers, or brings.
        let bring = if answers.is_empty() { bring } else { Vec::new() };
        Some(Packet::Order { case: id, message: scene.id(), answers, bring })
    }

    /// An order of the citizen.
    fn order(&mut self, scene: &mut Scene<'_>, id: Uuid, message: MessageId, answers: &[(String, String)], bring: &[DocumentOf]) {
        if self.process.as_ref().is_none_or(|process| process.busy.contains(&id) || process.is_unrecording)
            || !self.take_up(scene, id)
        {
            return;
        }
        let (time, land) = (scene.time(), scene.land);
        let planned = scene.plan.starts[start_of(scene, id)];
        let mut fresh: Vec<MessageId> = (0..40).map(|_| scene.id()).collect();
        let Some(process) = &mut self.process else { return };
        let Some(hand) = process.hands.get(&id) else { return };
        let family = Family::new(land, &hand.situation, planned.family);
        let sheets = bring.iter().map(|document| family.sheet(document, Twist::None)).collect();
        let reading = land.message(&land.coordinator, (message, time), Body::Documents(Vec::new()), sheets);
        if hand.case.has_heard(&reading.digest) {
            return scene.carry(Towards::Others, Packet::Taken(message));
        }
        let order = if answers.is_empty() { OrderOf::Bring } else { OrderOf::Answer(answers.to_vec()) };
        let around = land.around(&hand.situation, time);
        let ordered = hand.case.order(around, &land.coordinator, &order, &reading, &mut || fresh.pop().unwrap_or(message));
        let Ok(mut changes) = ordered else { return scene.carry(Towards::Others, Packet::Taken(message)) };
        changes.push(Change::Heard { message: Text(reading.digest) });
        process.busy.insert(id);
        let doing = Doing { id, hints: VecDeque::new(), all: Vec::new(), is_sought: true, rounds: 0, taken: Some(message) };
        self.record(scene, doing, &changes, None);
    }

    /// What there is still to do, for whoever looks for a cause.
    pub(super) fn waits(&self) -> String {
        self.process.as_ref().map_or_else(String::new, |process| {
            let (events, taking, busy) = (&process.events, process.taking, &process.busy);
            let (mut rows, mut last) = (Vec::new(), None);
            while let Some(row) = process.book.open_behind(last.as_ref()) {
                last = Some(row.id);
                rows.push(format!("{} {:?} {:?}", row.id, row.wakes, row.records));
            }
            format!("events {events:?}, taking {taking:?}, busy {busy:?}, {rows:?}")
        })
    }

    /// Whether nothing is left to do.
    pub(super) fn is_idle(&self) -> bool {
        let is_idle = |process: &Process| process.events.is_empty() && process.writer.is_idle() && process.book.count_open() == 0;
        self.process.as_ref().is_some_and(is_idle)
    }
}

impl Process {
    /// Takes a record into account.
    fn tell(&mut self, index: u64, leaf: &Leaf, sealed: &Sealed, mark: u64) {
        let message = leaf.message.as_deref().and_then(MessageId::parse);
        match sealed {
            Sealed::Event(start, message) => {
                self.accepted.insert(*message);
                self.events.insert(index, (*start, *message));
            }
            Sealed::Changes(_) => {
                if index >= mark {
                    self.book.record(leaf, index, &[]);
                }
                leaf.concerns.iter().for_each(|event| _ = self.events.remove(event));
            }
            Sealed::Request(posted) => {
                self.known.entry(posted.id).or_insert(Known { posted: Arc::clone(posted), outcome: None });
            }
            Sealed::Outcome(say) => {
                let Some((message, known)) = message.and_then(|message| Some((message, self.known.get_mut(&message)?))) else {
                    return;
                };
                if *say != Say::AtWork {
                    known.outcome = Some(*say);
                }
                if index >= mark {
                    self.unheard.insert(index);
                    self.hints.entry(known.posted.case).or_default().push_back(Hint { message, say: *say, index });
                }
            }
        }
    }
}

/// Whoever watches sees what is durable.
fn watch(scene: &mut Scene<'_>, index: u64, leaf: &Leaf, sealed: &Sealed) {
    if let (Sealed::Changes(text), Some(case)) = (sealed, leaf.case.as_deref().and_then(Uuid::parse)) {
        scene.watcher.durable(case, index, UnixTime::from_ms(leaf.time), text);
    }
}

/// The number of the event that a case was begun by.
fn start_of(scene: &Scene<'_>, id: Uuid) -> usize {
    let log = scene.watcher.logs.get(&id).into_iter().flat_map(BTreeMap::values);
    let starts = log.filter_map(|(_, text)| read(text)).flatten().find_map(|change| match change {
        Change::Came { paper, .. } => paper.start?.strip_prefix("start-")?.parse().ok(),
        _ => None,
    });
    starts.unwrap_or_default()
}

fn situation_of(scene: &Scene<'_>, id: Uuid) -> Option<Arc<Situation>> {
    scene.watcher.logs.contains_key(&id).then(|| scene.situation(start_of(scene, id)))
}

/// A case as its records have it.
fn load(scene: &Scene<'_>, id: Uuid, situation: &Situation) -> Option<Case> {
    load_until(scene, id, situation, |_| false)
}

/// A case as it was before something of a message was heard.
fn load_before(scene: &Scene<'_>, id: Uuid, situation: &Situation, message: MessageId) -> Option<Case> {
    let is_it = |change: &Change| matches!(change, Change::Asked(errand) if errand.message.0 == message);
    load_until(scene, id, situation, is_it)
}

fn load_until(scene: &Scene<'_>, id: Uuid, situation: &Situation, is_last: impl Fn(&Change) -> bool) -> Option<Case> {
    let mut case: Option<Case> = None;
    for (at, text) in scene.watcher.logs.get(&id)?.values() {
        let changes = read(text)?;
        if case.is_none() {
            let opening = changes.iter().find_map(|change| match change {
                Change::Opened(opening) => Some((**opening).clone()),
                _ => None,
            })?;
            case = Some(Case::open(id, opening, situation, *at));
        }
        case.as_mut()?.apply_all(scene.land.around(situation, *at), *at, &changes);
        if changes.iter().any(&is_last) {
            break;
        }
    }
    case
}

/// What an agency has said, as it is read.
fn reading(scene: &Scene<'_>, situation: &Situation, known: &Known, hint: Hint) -> Reading {
    let (land, posted) = (scene.land, &known.posted);
    let family = Family::new(land, situation, scene.plan.starts[posted.start].family);
    let word = |text: &str| Code::parse(text);
    let none = |document: Option<Code>| match document.or_else(|| word("none")) {
        Some(document_type) => Body::NoRecord { document_type },
        None => Body::Documents(Vec::new()),
    };
    let documents = Body::Documents(Vec::new());
    let (body, sheet) = match (hint.say, &posted.what) {
        (Say::Fault, _) => {
            (Body::Fault { code: "OG-DOC-002".to_owned(), blame: "provider".to_owned(), retry: "no".to_owned() }, None)
        }
        (Say::AtWork, _) => match word("accepted") {
            Some(of) => (Body::State { of, at: scene.time() }, None),
            None => (documents, None),
        },
        (Say::Right, Asked::Document(document)) if family.has(document) => (documents, Some(family.sheet(document, Twist::None))),
        (Say::Right, Asked::Document(document)) => (none(Some(document.document.clone())), None),
        (Say::Right, Asked::Step(step)) => {
            let gives = situation.steps.iter().find(|known| known.id == *step).and_then(|step| step.gives.as_ref());
            (documents, gives.map(|gives| family.sheet(gives, Twist::None)).or_else(|| land.outcome("done")))
        }
        (Say::Right, Asked::Word) => (documents, land.outcome("done")),
    };
    // The answer to a message has an id that follows from it.
    let mut octets = *posted.id.octets();
    octets[15] ^= 0xff;
    let id = MessageId::from_octets(octets).unwrap_or(posted.id);
    land.message(&posted.to, (id, scene.time()), body, sheet.into_iter().collect())
}

/// What happened, in few words.
fn words(changes: &[Change]) -> String {
    let word = |change: &Change| {
        let text = write(std::slice::from_ref(change));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let of = |name: &str| value.get(0).and_then(|it| it.get(name)).and_then(|it| it.as_str()).unwrap_or_default().to_owned();
        format!("{} {}{} {}", of("c"), of("step"), of("document"), of("code")).trim_end().to_owned()
    };
    changes.iter().map(word).collect::<Vec<_>>().join(", ")
}

const DAY_MS: u64 = crate::base::time::DAY_MS;
const SAVE_MS: u64 = 5_000;
/// After how long it is looked whether messages were sent that were decided on.
const SENT_MS: u64 = 10_000;
const ROUNDS_MAX: u32 = 16;
