//! What the driver does with open work: `deliver_kept`, `deliver`, `come_of`, `hand_over`, `cancel`, the inbox and the events of
//! `gateway::driver`, in their order. What is awaited there is a [`Then`] here.

use super::gateway::{Batch, Caller, Gateway, Place, Post, Posted, Then};
use super::letters::{CLINIC, Letter, OFFICE, SCHOOL, Sort, VILLAGE};
use super::observer::Handing;
use super::plant::Plant;
use super::wire::{Act, Done, Event, Node, Reply, Scene, What as Call};
use crate::base::fault::Code;
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::{Record, RecordKind};
use crate::exchange::ledger::{Known, OutcomePlace};
use crate::exchange::work::{Fact, Key, NotCancelled, Row, What, action};
use crate::rules::registry::{Action, Status};

impl Gateway {
    /// Does what there is to do, and says when to look again.
    pub(super) fn look_around(&mut self, scene: &mut Scene<'_>) {
        if self.process.is_some() {
            scene.observer.clock(self.number, self.time(scene.now));
        }
        for _ in 0..1_000 {
            if !self.do_next(scene) {
                break;
            }
        }
        self.tell_events(scene);
        let time = self.time(scene.now);
        let Some(process) = &mut self.process else { return };
        for (agency, worker) in [(OFFICE, 0), (VILLAGE, 0), (VILLAGE, 1)] {
            if process.work.waits_for(&scene.land.agencies[agency]) {
                let come = Act::Come { gateway: self.number, worker };
                scene.later(300, Event::Agency(agency, come));
            }
        }
        let most = if scene.is_healed { u64::MAX } else { 60_000 };
        let left = process.work.wakes().map(|wakes| wakes.as_ms().saturating_sub(time.as_ms()).clamp(5, most));
        let pause = if process.is_unrecording { Some(limits::HEALTH_MS) } else { left };
        if let Some(pause) = pause.or((!scene.is_healed).then_some(most)) {
            let at = scene.now + pause;
            if process.wakes.is_none_or(|wakes| wakes <= scene.now || wakes > at) {
                process.wakes = Some(at);
                scene.later(pause, Event::Wake(self.number, self.run));
            }
        }
    }

    /// It is time to look: where no record could be written, for one thing.
    pub(super) fn wake(&mut self, scene: &mut Scene<'_>) {
        if let Some(process) = &mut self.process {
            process.is_unrecording = false;
        }
        self.look_around(scene);
    }

    fn do_next(&mut self, scene: &mut Scene<'_>) -> bool {
        let (time, plant) = (self.time(scene.now), scene.plan.plant);
        let Some(process) = self.process.as_mut().filter(|process| !process.is_unrecording) else { return false };
        if process.work.come_back(time).is_some() {
            return true;
        }
        if plant != Some(Plant::ExpiredDelivered)
            && let Some(row) = process.work.expired(time)
        {
            self.give_up(scene, row, Code::RteDeadline);
            return true;
        }
        let Some(row) = process.work.next(time) else { return false };
        match self.may_go(scene, &row) {
            Ok(letter) => self.post(scene, letter, row.key.clone(), Some(row), None),
            Err(code) => {
                self.reached(&row.key.to);
                self.give_up(scene, row, code);
            }
        }
        true
    }

    fn reached(&mut self, to: &AgencyId) {
        if let Some(process) = &mut self.process {
            process.work.reached(to);
        }
    }

    fn release_row(&mut self, key: &Key) {
        if let Some(process) = &mut self.process {
            process.work.release(key);
        }
    }

    /// Reads something that is kept again, and looks whether it may still go to its receiver.
    fn may_go(&self, scene: &mut Scene<'_>, row: &Row) -> Result<u32, Code> {
        let (time, registry) = (self.time(scene.now), &scene.registry);
        let Some(number) = self.disk.letter(row.place) else {
            scene.observer.tell(format!("what is kept with record {} cannot be read", row.key.index));
            return Err(Code::LogUnavailable);
        };
        let letter = scene.letters.get(number);
        let is_past = letter.expires <= time && scene.plan.plant != Some(Plant::ExpiredDelivered);
        let is_active = |who: &AgencyId| {
            let agency = registry.find(who).and_then(|index| registry.agency(index));
            agency.is_some_and(|agency| agency.status == Status::Active)
        };
        match row.what {
            What::Question if is_past => Err(Code::RteDeadline),
            What::Question if !is_active(&row.sender) => Err(Code::SigSender),
            What::Question if !scene.land.permits(registry, letter.from, Action::Read, letter, time) => Err(Code::PolNoGrant),
            What::Question if scene.land.holder(registry, letter.document).as_ref() != Some(&row.key.to) => {
                Err(Code::RteNoHolder)
            }
            What::Question => Ok(number),
            _ if !is_active(&row.key.to) => Err(Code::RteNoHolder),
            What::Event if is_past => Err(Code::RteDeadline),
            What::Event => {
                let to = scene.land.number(&row.key.to);
                let may = scene.land.permits(registry, to, Action::Subscribe, letter, time);
                if may { Ok(number) } else { Err(Code::PolNoGrant) }
            }
            What::Answer | What::Status | What::Cancel | What::Withheld => Ok(number),
        }
    }

    /// Takes something to its receiver.
    pub(super) fn post(&mut self, scene: &mut Scene<'_>, number: u32, key: Key, row: Option<Row>, caller: Option<Caller>) {
        let (now, to) = (self.time(scene.now), scene.land.number(&key.to));
        let letter = scene.letters.get(number).clone();
        let is_question = letter.sort == Sort::Question;
        let is_marked = row.as_ref().is_some_and(|row| row.tries > 0);
        let handing = Handing { gateway: self.number, index: key.index, to, letter: &letter, is_marked, now };
        scene.observer.posted(handing);
        let left = letter.expires.as_ms().saturating_sub(now.as_ms());
        let wait = if is_question { left.clamp(1, limits::ANSWER_MS) } else { limits::ANSWER_MS };
        let at = (Node::Gateway(self.number), Node::Agency(to));
        let call = scene.call(at.0, at.1, Call::Post { letter: number, is_question }, wait);
        scene.note(|| format!("gateway {} posts {:?} {number} to agency {to}, record {}", self.number, letter.sort, key.index));
        let Some(process) = &mut self.process else { return };
        if is_question {
            process.awaited.insert(letter.digest, Place { holder: to, post: Some(call), late: None });
        }
        let is_kept = row.is_some();
        process.posts.insert(call, Post { letter: number, key, row, caller, is_kept, keeping: None });
    }

    /// Something came of taking something to its receiver.
    pub(super) fn posted(&mut self, scene: &mut Scene<'_>, call: u64, posted: Posted) {
        let Some(process) = &mut self.process else { return };
        let Some(post) = process.posts.get_mut(&call) else { return };
        if let Some(arrived) = &mut post.keeping {
            arrived.get_or_insert(posted);
            return;
        }
        let Some(post) = process.posts.remove(&call) else { return };
        let digest = scene.letters.get(post.letter).digest;
        if matches!(posted, Posted::Taken) {
            process.awaited.entry(digest).and_modify(|place| place.post = None);
        } else {
            process.awaited.remove(&digest);
        }
        match (&post.row, post.is_kept) {
            (Some(row), _) if row.what != What::Question => self.handed_over(scene, row.clone(), posted),
            (Some(row), _) => self.came_of(scene, row.clone(), post.letter, posted),
            (None, true) => match process.work.row(&post.key) {
                Some(row) => self.came_of(scene, row, post.letter, posted),
                None => self.reached(&post.key.to),
            },
            (None, false) => self.first_word(scene, post, posted),
        }
    }

    /// The first that comes of a question whose consumer waits.
    fn first_word(&mut self, scene: &mut Scene<'_>, post: Post, posted: Posted) {
        let letter = scene.letters.get(post.letter).clone();
        match posted {
            Posted::Arrived(answer, verdict) => {
                let checked = self.check(scene, &letter, answer);
                match checked {
                    Ok(Sort::Status) => self.keep_on(scene, post, Posted::Arrived(answer, verdict)),
                    Ok(_) => self.record_answer(scene, &letter, answer, (None, None), post.caller, verdict),
                    Err(code) => self.fail(scene, &letter, answer, code, (None, None), post.caller, verdict),
                }
            }
            Posted::Failed if letter.expires <= self.time(scene.now) => {
                let none = (None, None);
                self.fail(scene, &letter, post.letter, Code::RteDeadline, none, post.caller, None);
            }
            posted => self.keep_on(scene, post, posted),
        }
    }

    /// Keeps a question whose consumer waits.
    fn keep_on(&mut self, scene: &mut Scene<'_>, post: Post, posted: Posted) {
        if let Some(process) = &mut self.process {
            process.work.set_out(&post.key);
        }
        let record = self.kept(scene, &post);
        let letter = post.letter;
        self.keep(scene, record, None, Some(letter), Then::GoneOn { post, posted });
    }

    fn kept(&self, scene: &Scene<'_>, post: &Post) -> Record {
        let letter = scene.letters.get(post.letter);
        let mut record = self.record(scene, RecordKind::Delivery, letter, Some(post.key.index));
        record.action = crate::base::ids::Code::parse(action::KEEP);
        record.until = Some(letter.expires);
        record
    }

    /// The consumer of a call does not wait any longer.
    pub(super) fn leave(&mut self, scene: &mut Scene<'_>, call: u64) {
        let Some(process) = &mut self.process else { return };
        if let Some(at) = process.waiters.iter().position(|(_, caller)| caller.call == call) {
            let (letter, caller) = process.waiters.remove(at);
            return self.promise(scene, caller, letter);
        }
        let mut posts = process.posts.iter_mut();
        let found = posts.find(|(_, post)| post.caller.is_some_and(|caller| caller.call == call) && post.keeping.is_none());
        let Some((id, post)) = found else { return };
        let Some(caller) = post.caller.take() else { return };
        (post.is_kept, post.keeping) = (true, Some(None));
        let (id, key, letter) = (*id, post.key.clone(), post.letter);
        process.work.set_out(&key);
        let stand_in = Post { letter, key, row: None, caller: None, is_kept: true, keeping: None };
        let record = self.kept(scene, &stand_in);
        self.keep(scene, record, None, Some(letter), Then::Left { call: id, caller });
    }

    /// What came of taking a kept question to its holder.
    fn came_of(&mut self, scene: &mut Scene<'_>, row: Row, letter: u32, posted: Posted) {
        match posted {
            Posted::Failed => self.again(scene, &row),
            Posted::Taken => {
                let record = self.delivery(scene, &row, action::TAKEN, None);
                self.keep(scene, record, None, None, Then::Taken(row));
            }
            Posted::Arrived(answer, verdict) => {
                self.reached(&row.key.to);
                let Some(process) = &mut self.process else { return };
                let is_ours = process.work.settle(&row.key) || scene.plan.plant == Some(Plant::AnswerOverCancel);
                if is_ours {
                    return self.conclude(scene, row, letter, answer, verdict);
                }
                self.refuse_verdict(scene, verdict, Code::MsgReplyTo);
                let question = scene.letters.get(letter).clone();
                let mut record = self.record(scene, RecordKind::Refusal, &question, None);
                record.code = Some(Code::MsgCancelled);
                self.keep(scene, record, None, None, Then::Nothing);
            }
        }
    }

    /// The receiver could not be reached.
    fn again(&mut self, scene: &mut Scene<'_>, row: &Row) {
        let time = self.time(scene.now);
        let spread = (time.as_ms() ^ row.key.index.wrapping_mul(2_654_435_761)) % 1000;
        if let Some(process) = self.process.as_mut().filter(|_| scene.plan.plant != Some(Plant::NeverAgain)) {
            process.work.failed(&row.key, time, spread);
        }
    }

    fn handed_over(&mut self, scene: &mut Scene<'_>, row: Row, posted: Posted) {
        if matches!(posted, Posted::Failed) {
            return self.again(scene, &row);
        }
        self.reached(&row.key.to);
        let record = self.delivery(scene, &row, action::TAKEN, None);
        self.keep(scene, record, None, None, Then::Taken(row));
    }

    /// Whether something is a word about a question by its holder.
    fn check(&self, scene: &Scene<'_>, question: &Letter, number: u32) -> Result<Sort, Code> {
        let (answer, time) = (scene.letters.get(number), self.time(scene.now));
        let holder = if question.document == 0 { CLINIC } else { VILLAGE };
        if answer.from != holder || answer.created.distance_ms(time) > limits::CLOCK_SKEW_MS || answer.expires <= time {
            return Err(Code::RteBadAnswer);
        }
        if answer.about != Some(question.number) {
            return Err(Code::RteWrongQuestion);
        }
        if question.expires <= time { Err(Code::RteLate) } else { Ok(answer.sort) }
    }

    /// Checks what a holder says of a question that is kept, and records it.
    fn conclude(&mut self, scene: &mut Scene<'_>, row: Row, letter: u32, answer: u32, verdict: Option<Caller>) {
        let question = scene.letters.get(letter).clone();
        let kept = Some(row.key.index);
        match self.check(scene, &question, answer) {
            Ok(Sort::Status) => self.hear(scene, &question, answer, (row, false), verdict),
            Ok(_) => self.record_answer(scene, &question, answer, (Some(row), kept), None, verdict),
            Err(code) => self.fail(scene, &question, answer, code, (Some(row), kept), None, verdict),
        }
    }

    fn hear(&mut self, scene: &mut Scene<'_>, letter: &Letter, word: u32, of: (Row, bool), verdict: Option<Caller>) {
        let (row, is_first) = of;
        let mut record = self.record(scene, RecordKind::Status, letter, Some(row.key.index));
        let said = scene.letters.get(word);
        (record.digest, record.counterpart, record.until) = (Some(said.digest), Some(letter.digest), said.by);
        self.keep(scene, record, None, Some(word), Then::Hear { word, row, is_first, verdict });
    }

    fn record_answer(
        &mut self,
        scene: &mut Scene<'_>,
        letter: &Letter,
        answer: u32,
        (row, kept): (Option<Row>, Option<u64>),
        caller: Option<Caller>,
        verdict: Option<Caller>,
    ) {
        let mut record = self.record(scene, RecordKind::Answer, letter, kept);
        (record.digest, record.counterpart) = (Some(scene.letters.get(answer).digest), Some(letter.digest));
        let then = Then::Release { letter: letter.number, answer, row, caller, verdict };
        self.keep(scene, record, None, Some(answer), then);
    }

    #[allow(clippy::too_many_arguments, reason = "who waits for what of a failure")]
    fn fail(
        &mut self,
        scene: &mut Scene<'_>,
        letter: &Letter,
        answer: u32,
        code: Code,
        (row, kept): (Option<Row>, Option<u64>),
        caller: Option<Caller>,
        verdict: Option<Caller>,
    ) {
        let mut record = self.record(scene, RecordKind::Refusal, letter, kept);
        (record.counterpart, record.code) = (Some(scene.letters.get(answer).digest), Some(code));
        self.keep(scene, record, None, None, Then::Failed { letter: letter.number, code, row, caller, verdict });
    }

    /// Records that something will not be delivered any more.
    fn give_up(&mut self, scene: &mut Scene<'_>, row: Row, code: Code) {
        if matches!(row.what, What::Answer | What::Status | What::Cancel | What::Withheld) {
            if let Some(process) = &mut self.process {
                process.work.fold(Fact::Ended(row.key));
            }
            return;
        }
        let mut record = self.delivery(scene, &row, "", None);
        (record.kind, record.code) = (RecordKind::Refusal, Some(code));
        self.keep(scene, record, None, None, Then::GivenUp(row));
    }

    fn refuse_verdict(&mut self, scene: &mut Scene<'_>, verdict: Option<Caller>, code: Code) {
        if let Some(caller) = verdict {
            self.reply(scene, caller, Reply::Refused(code));
        }
    }

    fn kept_has_ended(&mut self, scene: &mut Scene<'_>, row: &Row) {
        let question = scene.letters.find(&row.digest).map(|letter| letter.number);
        if let Some(question) = question {
            self.settled(scene, question);
        }
    }

    /// Goes on once a record is durable, or could not be written.
    pub(super) fn go_on(&mut self, scene: &mut Scene<'_>, then: Then, place: Option<OutcomePlace>) {
        match then {
            Then::Accept { letter, caller, wait } => self.accepted(scene, letter, caller, wait, place),
            Then::Ask { letter, caller, wait, key } => match place {
                Some(_) if scene.letters.get(letter).expires <= self.time(scene.now) => {
                    let letter = scene.letters.get(letter).clone();
                    self.fail(scene, &letter, letter.number, Code::RteDeadline, (None, None), Some(caller), None);
                }
                Some(place) => {
                    self.post(scene, letter, Key { index: place.index, ..key }, None, Some(caller));
                    scene.later(wait, Event::Leave(self.number, self.run, caller.call));
                }
                None => self.failed_first(scene, letter, Some(caller), Code::LogUnavailable),
            },
            Then::Left { call, caller } => self.left(scene, call, caller, place),
            Then::GoneOn { post, posted } => self.gone_on(scene, post, posted, place),
            Then::Release { letter, answer, row, caller, verdict } => match place {
                Some(place) => {
                    if row.is_none() {
                        self.first_is_answered(scene, letter, place);
                    }
                    self.is_answered(scene, letter, answer, caller, verdict);
                }
                None => self.unrecorded(scene, letter, row, caller, verdict),
            },
            Then::Hear { word, row, is_first, verdict } => {
                if is_first {
                    self.reached(&row.key.to);
                }
                match place {
                    Some(_) => self.verdict(scene, word, verdict),
                    None => {
                        self.release_row(&row.key);
                        self.refuse_verdict(scene, verdict, Code::LogUnavailable);
                    }
                }
            }
            Then::Taken(row) => self.taken(scene, row, place),
            Then::Failed { letter, code, row, caller, verdict } => match (place, row) {
                (Some(_), Some(row)) => {
                    self.kept_has_ended(scene, &row);
                    self.refuse_verdict(scene, verdict, code);
                }
                (Some(_), None) => {
                    self.failed_first(scene, letter, caller, code);
                    self.refuse_verdict(scene, verdict, code);
                }
                (None, row) => self.unrecorded(scene, letter, row, caller, verdict),
            },
            Then::GivenUp(row) => match place {
                Some(_) if row.what == What::Question => self.kept_has_ended(scene, &row),
                Some(_) => {}
                None => self.release_row(&row.key),
            },
            Then::Cancelled { row, letter, caller } => self.is_cancelled(scene, row, letter, caller, place),
            Then::Published { letter, caller } => self.published(scene, letter, caller, place),
            Then::EventRefused(row) => {
                let Some(process) = &mut self.process else { return };
                process.is_telling = false;
                if place.is_some() {
                    process.work.forget_event(&row.key);
                }
            }
            Then::Leased { row, batch, until } => self.is_leased(scene, row, batch, until, place),
            Then::LeaseIs { row, lease, caller, until } => self.lease_was(scene, row, lease, caller, until, place),
            Then::Nothing => {}
        }
    }

    fn accepted(&mut self, scene: &mut Scene<'_>, number: u32, caller: Caller, wait: u64, place: Option<OutcomePlace>) {
        let letter = scene.letters.get(number).clone();
        if let Some(process) = &mut self.process {
            process.ledger.abandon(&scene.land.agencies[letter.from], letter.id);
        }
        match place {
            Some(_) => self.wait_for(scene, caller, number, wait),
            None => self.reply(scene, caller, Reply::Refused(Code::LogUnavailable)),
        }
    }

    fn published(&mut self, scene: &mut Scene<'_>, number: u32, caller: Caller, place: Option<OutcomePlace>) {
        let letter = scene.letters.get(number).clone();
        let (Some(process), sender) = (&mut self.process, &scene.land.agencies[letter.from]) else { return };
        match place {
            Some(place) => {
                process.ledger.settle(sender, letter.id, letter.digest, place);
                self.promise(scene, caller, number);
            }
            None => {
                process.ledger.abandon(sender, letter.id);
                self.reply(scene, caller, Reply::Refused(Code::LogUnavailable));
            }
        }
    }

    /// An exchange whose consumer waits has failed.
    fn failed_first(&mut self, scene: &mut Scene<'_>, number: u32, caller: Option<Caller>, code: Code) {
        let letter = scene.letters.get(number).clone();
        if let Some(process) = &mut self.process {
            process.ledger.fail(&scene.land.agencies[letter.from], letter.id, code, self.disk.size());
        }
        if let Some(caller) = caller {
            self.reply(scene, caller, Reply::Refused(code));
        }
    }

    fn unrecorded(
        &mut self,
        scene: &mut Scene<'_>,
        letter: u32,
        row: Option<Row>,
        caller: Option<Caller>,
        verdict: Option<Caller>,
    ) {
        match row {
            Some(row) => self.release_row(&row.key),
            None => self.failed_first(scene, letter, caller, Code::LogUnavailable),
        }
        self.refuse_verdict(scene, verdict, Code::LogUnavailable);
    }

    fn left(&mut self, scene: &mut Scene<'_>, call: u64, caller: Caller, place: Option<OutcomePlace>) {
        let Some(process) = &mut self.process else { return };
        let Some(post) = process.posts.get_mut(&call) else { return };
        let arrived = post.keeping.take().flatten();
        let (number, key) = (post.letter, post.key.clone());
        post.is_kept = place.is_some();
        if place.is_some() {
            let letter = scene.letters.get(number);
            process.ledger.abandon(&scene.land.agencies[letter.from], letter.id);
            self.promise(scene, caller, number);
        } else {
            process.work.reached(&key.to);
            process.work.release(&key);
            self.reply(scene, caller, Reply::Refused(Code::LogUnavailable));
        }
        if let Some(posted) = arrived {
            self.posted(scene, call, posted);
        }
    }

    fn gone_on(&mut self, scene: &mut Scene<'_>, post: Post, posted: Posted, place: Option<OutcomePlace>) {
        let Some(process) = &mut self.process else { return };
        if place.is_none() {
            process.work.reached(&post.key.to);
            process.work.release(&post.key);
            if let Posted::Arrived(_, verdict) = posted {
                self.refuse_verdict(scene, verdict, Code::LogUnavailable);
            }
            return self.failed_first(scene, post.letter, post.caller, Code::LogUnavailable);
        }
        let letter = scene.letters.get(post.letter).clone();
        process.ledger.abandon(&scene.land.agencies[letter.from], letter.id);
        let row = process.work.row(&post.key);
        match (row, posted) {
            (Some(row), Posted::Arrived(word, verdict)) => self.hear(scene, &letter, word, (row, true), verdict),
            (Some(row), posted) => self.came_of(scene, row, post.letter, posted),
            (None, _) => self.reached(&post.key.to),
        }
        if let Some(caller) = post.caller {
            self.wait_for(scene, caller, post.letter, 0);
        }
    }

    /// A question was answered that was not kept: of others the ledger has been told.
    fn first_is_answered(&mut self, scene: &Scene<'_>, number: u32, place: OutcomePlace) {
        let letter = scene.letters.get(number);
        if let Some(process) = &mut self.process {
            process.ledger.settle(&scene.land.agencies[letter.from], letter.id, letter.digest, place);
        }
    }

    fn is_answered(&mut self, scene: &mut Scene<'_>, number: u32, answer: u32, caller: Option<Caller>, verdict: Option<Caller>) {
        if let Some(caller) = caller {
            self.release(scene, caller, number, answer);
        }
        self.settled(scene, number);
        self.verdict(scene, answer, verdict);
    }

    fn verdict(&mut self, scene: &mut Scene<'_>, word: u32, verdict: Option<Caller>) {
        if let Some(caller) = verdict {
            scene.observer.answer_taken(self.number, word);
            self.reply(scene, caller, Reply::Accepted);
        }
    }

    fn taken(&mut self, scene: &mut Scene<'_>, row: Row, place: Option<OutcomePlace>) {
        let Some(process) = &mut self.process else { return };
        if row.what == What::Question {
            process.work.reached(&row.key.to);
        }
        if place.is_none() {
            process.work.release(&row.key);
        }
        if row.what != What::Question || process.awaited.get(&row.digest).is_none_or(|waits| waits.post.is_some()) {
            return;
        }
        let late = process.awaited.remove(&row.digest).and_then(|waits| waits.late);
        let Some((answer, caller)) = late else { return };
        let is_ours = process.work.answered(&row.digest, &row.key.to).is_some();
        let question = scene.letters.find(&row.digest).map(|letter| letter.number);
        match question.filter(|_| is_ours) {
            Some(question) => self.conclude(scene, row, question, answer, Some(caller)),
            None => self.reply(scene, caller, Reply::Refused(Code::MsgReplyTo)),
        }
    }

    /// An answer, or a word, that came by a message of its own.
    pub(super) fn deliver_late(&mut self, scene: &mut Scene<'_>, caller: Caller, letter: &Letter) {
        let Some(process) = &mut self.process else { return };
        let Some(question) = letter.about.map(|about| scene.letters.get(about).clone()) else { return };
        let from = &scene.land.agencies[letter.from];
        if let Some(row) = process.work.answered(&question.digest, from) {
            return match self.may_go(scene, &row) {
                Ok(number) => self.conclude(scene, row, number, letter.number, Some(caller)),
                Err(code) => {
                    self.reached(&row.key.to);
                    self.give_up(scene, row, code);
                    self.reply(scene, caller, Reply::Refused(code));
                }
            };
        }
        if scene.plan.plant == Some(Plant::SecondAnswer) && matches!(self.known(scene, question.number), Some(Known::Settled(_)))
        {
            return self.record_answer(scene, &question, letter.number, (None, None), None, Some(caller));
        }
        let Some(process) = &mut self.process else { return };
        let place = process.awaited.get_mut(&question.digest);
        match place.filter(|place| place.holder == letter.from && place.late.is_none()) {
            Some(Place { post: Some(call), .. }) => {
                let call = *call;
                let is_free = process.posts.get(&call).is_some_and(|post| post.keeping.as_ref().is_none_or(Option::is_none));
                if is_free {
                    self.posted(scene, call, Posted::Arrived(letter.number, Some(caller)));
                } else {
                    self.reply(scene, caller, Reply::Refused(Code::MsgReplyTo));
                }
            }
            Some(place) => place.late = Some((letter.number, caller)),
            None => self.reply(scene, caller, Reply::Refused(Code::MsgReplyTo)),
        }
    }

    /// Takes a question back.
    pub(super) fn cancel(&mut self, scene: &mut Scene<'_>, caller: Caller, letter: &Letter) {
        let Some(process) = &mut self.process else { return };
        let Some(question) = letter.about.map(|about| scene.letters.get(about).clone()) else { return };
        let row = match process.work.cancel(&question.digest, &scene.land.agencies[letter.from]) {
            Ok(row) => row,
            Err(NotCancelled::TooLate) => return self.reply(scene, caller, Reply::Refused(Code::MsgTooLate)),
            Err(NotCancelled::Unknown) => {
                let reply = match self.known(scene, question.number) {
                    Some(Known::Refused(Code::MsgCancelled)) => Reply::Cancelled,
                    Some(Known::Open) => Reply::Refused(Code::MsgInProgress),
                    Some(Known::Settled(_) | Known::Refused(_)) => Reply::Refused(Code::MsgTooLate),
                    None => Reply::Refused(Code::MsgReplyTo),
                };
                return self.reply(scene, caller, reply);
            }
        };
        let mut record = self.delivery(scene, &row, "", None);
        (record.kind, record.code) = (RecordKind::Cancel, Some(Code::MsgCancelled));
        (record.digest, record.counterpart) = (Some(letter.digest), Some(row.digest));
        let then = Then::Cancelled { row, letter: question.number, caller };
        // The cancel itself is on record from then on, as the notice of it is.
        self.keep(scene, record, None, Some(letter.number), then);
    }

    fn is_cancelled(&mut self, scene: &mut Scene<'_>, row: Row, letter: u32, caller: Caller, place: Option<OutcomePlace>) {
        if place.is_some() {
            self.kept_has_ended(scene, &row);
            scene.observer.cancelled(self.number, letter);
            return self.reply(scene, caller, Reply::Cancelled);
        }
        if let Some(process) = &mut self.process {
            process.work.uncancel(&row.key);
        }
        self.reply(scene, caller, Reply::Refused(Code::LogUnavailable));
    }

    /// A worker comes for what waits.
    pub(super) fn come_for(&mut self, scene: &mut Scene<'_>, caller: Caller) {
        let (time, to) = (self.time(scene.now), scene.land.agencies[caller.agency].clone());
        let Some(process) = &mut self.process else { return };
        let taken = process.work.take(&to, time, 3);
        let until = time.plus_ms(limits::LEASE_MS);
        let mut ready = Vec::new();
        for row in taken {
            match self.may_go(scene, &row) {
                Ok(_) => ready.push(row),
                Err(code) => self.give_up(scene, row, code),
            }
        }
        if ready.is_empty() {
            return self.reply(scene, caller, Reply::Leased(Vec::new()));
        }
        let batch = caller.call;
        if let Some(process) = &mut self.process {
            process.batches.insert(batch, Batch { caller, left: ready.len(), ready: Vec::new() });
        }
        for row in ready {
            if scene.plan.plant == Some(Plant::LeaseUnrecorded) {
                let lease = 1_000_000 + row.key.index;
                let place = OutcomePlace { index: lease, ..row.place };
                if let Some(process) = &mut self.process {
                    process.work.fold(Fact::Leased { key: row.key.clone(), digest: Some(row.digest), lease, until });
                }
                self.is_leased(scene, row, batch, until, Some(place));
                continue;
            }
            let record = self.delivery(scene, &row, action::LEASE, Some(until));
            self.keep(scene, record, None, None, Then::Leased { row, batch, until });
        }
    }

    fn is_leased(&mut self, scene: &mut Scene<'_>, row: Row, batch: u64, until: UnixTime, place: Option<OutcomePlace>) {
        let now = self.time(scene.now);
        let letter = self.disk.letter(row.place);
        let Some(process) = &mut self.process else { return };
        let is_given = match place {
            Some(place) => process.work.lease(&row.key, place.index, until) && row.deadline > now,
            None => {
                process.work.free(&row.key);
                false
            }
        };
        let Some(of) = process.batches.get_mut(&batch) else { return };
        of.left -= 1;
        if let (true, Some(place), Some(letter)) = (is_given, place, letter) {
            of.ready.push((place.index, letter));
            let (to, letter) = (scene.land.number(&row.key.to), scene.letters.get(letter));
            let is_marked = row.tries > 0;
            let handing = Handing { gateway: self.number, index: row.key.index, to, letter, is_marked, now };
            scene.observer.leased(handing, place.index, until);
        }
        if of.left == 0
            && let Some(batch) = process.batches.remove(&batch)
        {
            self.reply(scene, batch.caller, Reply::Leased(batch.ready));
        }
    }

    /// A worker does something with a lease.
    pub(super) fn lease_is(&mut self, scene: &mut Scene<'_>, caller: Caller, lease: u64, done: Done) {
        let (time, to) = (self.time(scene.now), &scene.land.agencies[caller.agency]);
        let Some(process) = &mut self.process else { return };
        let Some(row) = process.work.take_leased(to, lease) else {
            return self.reply(scene, caller, Reply::Refused(Code::MsgLease));
        };
        let (what, until) = match done {
            Done::Nack => {
                process.work.free(&row.key);
                process.work.give_back(&row.key);
                scene.observer.given_back(self.number, caller.agency, lease);
                return self.reply(scene, caller, Reply::LeaseKept);
            }
            Done::Extend => (action::EXTEND, Some(time.plus_ms(limits::LEASE_MS))),
            Done::Ack => (action::TAKEN, None),
        };
        let record = self.delivery(scene, &row, what, until);
        self.keep(scene, record, None, None, Then::LeaseIs { row, lease, caller, until });
    }

    fn lease_was(
        &mut self,
        scene: &mut Scene<'_>,
        row: Row,
        lease: u64,
        caller: Caller,
        until: Option<UnixTime>,
        place: Option<OutcomePlace>,
    ) {
        if let Some(process) = &mut self.process {
            process.work.free(&row.key);
        }
        if place.is_none() {
            return self.reply(scene, caller, Reply::Refused(Code::LogUnavailable));
        }
        scene.observer.acknowledged(self.number, caller.agency, lease, until);
        self.reply(scene, caller, Reply::LeaseKept);
    }

    /// Gives events to their subscribers.
    fn tell_events(&mut self, scene: &mut Scene<'_>) {
        let time = self.time(scene.now);
        loop {
            let Some(process) = self.process.as_mut().filter(|process| !process.is_telling) else { return };
            if process.is_unrecording {
                return;
            }
            let Some(row) = process.work.fresh_event(0) else { return };
            let Some(letter) = self.disk.letter(row.place).map(|number| scene.letters.get(number).clone()) else { return };
            let holds = scene.land.holder(&scene.registry, letter.document);
            if letter.expires <= time || holds.as_ref() != Some(&row.key.to) {
                process.is_telling = true;
                let mut record = self.delivery(scene, &row, "", None);
                (record.kind, record.code) = (RecordKind::Refusal, Some(Code::RteDeadline));
                return self.keep(scene, record, None, None, Then::EventRefused(row));
            }
            for to in [SCHOOL, OFFICE] {
                if scene.land.permits(&scene.registry, to, Action::Subscribe, &letter, time) {
                    process.work.give(&row, &scene.land.agencies[to]);
                }
            }
            process.work.given(row.key.index);
            while self.do_next(scene) {}
        }
    }
}
