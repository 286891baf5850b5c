//! A world in which a case goes on: holders, agencies and a citizen, who do things well or badly, and a clock that goes from one thing
//! to the next.

use super::super::change::Visit;
use super::super::forward::LOOK_MS;
use super::super::trial::{Family, Land, Twist};
use super::super::*;
use super::START;
use crate::message::envelope::Body;
use crate::rules::situation::plan::{Stage, Wait};
use crate::rules::situation::{Level, Must};

/// How the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Everybody does at once what they should.
    Good,
    /// Documents, refusals, silence and nonsense in any order, until all mend.
    Mixed,
    /// So, and steps are handed over.
    HandedOver,
}

/// Something that will be heard.
#[derive(Clone, Debug)]
enum Coming {
    /// What becomes of a message.
    Word(MessageId, Say),
    /// The citizen answers the form.
    Form,
    /// Somebody orders something.
    Order(u64),
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    Question,
    Task,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    Right,
    Contrary,
    Stranger,
    Nothing,
    Later,
    Nonsense,
    Failed,
    Refused,
}

pub(super) struct World<'w> {
    land: &'w Land,
    family: &'w Family<'w>,
    manner: Manner,
    seed: u64,
    dice: u64,
    now: UnixTime,
    pub case: Case,
    /// What was written down, and when.
    log: Vec<(UnixTime, String)>,
    coming: BTreeMap<(UnixTime, u64), Coming>,
    numbers: u64,
    sent: BTreeSet<MessageId>,
    /// Each message as it was made first.
    made: BTreeMap<MessageId, String>,
    ended: BTreeSet<Code>,
    /// Documents that are here and those that were offered with.
    form: Option<UnixTime>,
    told: Vec<(UnixTime, Result<Change, String>)>,
}

impl<'w> World<'w> {
    pub(super) fn new(land: &'w Land, family: &'w Family<'w>, manner: Manner, seed: u64) -> Self {
        let dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed_5eed;
        let message = Digest::from_octets([7; 32]);
        let by = AgencyId::parse("xx.trial.onestop").expect("an agency");
        let document = family.start().filter(|_| manner == Manner::Good || seed.is_multiple_of(2));
        let start = if document.is_some() { StartedBy::Event } else { StartedBy::Application };
        let pace = if manner == Manner::Good { 1 } else { [1, 60, 100_000][(seed % 3) as usize] };
        let opening = family.opening(start, &by, message, pace);
        let id = Uuid::from_octets([9; 16]);
        let case = Case::open(id, opening.clone(), family.situation, START);
        let mut world = Self {
            land,
            family,
            manner,
            seed,
            dice,
            now: START,
            case,
            log: Vec::new(),
            coming: BTreeMap::new(),
            numbers: 0,
            sent: BTreeSet::new(),
            made: BTreeMap::new(),
            ended: BTreeSet::new(),
            form: None,
            told: Vec::new(),
        };
        let mut changes = vec![Change::Opened(Box::new(opening))];
        if let Some(document) = document {
            let reading = world.reading(&by, Body::Documents(Vec::new()), vec![family.sheet(&document, Twist::None)]);
            let paper = reading.document(&document.document).expect("it is there");
            changes.extend(world.case.has_come(world.around(), &document, &reading, paper, Came::Start));
        }
        // Whoever is known from the start beside whom it is about most of all is named by whoever begins it.
        for role in family.situation.roles.iter().skip(1).filter(|role| role.found_in.is_empty()) {
            changes.push(Change::Person { role: Text(role.name.clone()), subject: (&family.subject(&role.name)).into() });
        }
        world.take(changes);
        world
    }

    fn around(&self) -> Around<'w> {
        self.land.around(self.family.situation, self.now)
    }

    fn roll(&mut self, end: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % end
    }

    fn id(&mut self) -> MessageId {
        self.numbers += 1;
        let mut random = [3; 10];
        random[2..].copy_from_slice(&self.numbers.to_be_bytes());
        MessageId::new(self.now, random)
    }

    fn reading(&mut self, from: &AgencyId, body: Body, sheets: Vec<super::super::trial::Sheet>) -> Reading {
        let id = self.id();
        self.land.message(from, (id, self.now), body, sheets)
    }

    fn wrong(&self, what: &str) -> ! {
        let last = self.told.len().saturating_sub(40);
        let told: Vec<String> = self.told[last..].iter().map(|(at, told)| format!("{at} {told:?}")).collect();
        panic!("{} {} {:?}: {what}\n{}", self.family.situation.id, self.seed, self.manner, told.join("\n"))
    }

    /// Writes changes down and takes them, and looks at what came of it.
    fn take(&mut self, changes: Vec<Change>) {
        self.told.extend(changes.iter().map(|change| (self.now, Ok(change.clone()))));
        self.look_before(&changes);
        let text = write(&changes);
        match read(&text) {
            Some(same) if same == changes => {}
            _ => self.wrong("changes are not read as they were written"),
        }
        for change in &changes {
            self.look_at(change);
            self.case.apply(self.around(), self.now, change);
        }
        self.log.push((self.now, text));
        self.look_after();
    }

    /// What comes next, until nothing does.
    fn go_on(&mut self) {
        for round in 0.. {
            let sums = self.case.unsummed(self.around());
            if !sums.is_empty() && !self.case.is_over() {
                let sums = sums.into_iter().filter_map(|(fact, _, own)| {
                    let (fact, sum) = (self.land.catalogue.fact(fact)?.name.to_string(), own + (self.seed % 5) as i64 * 10);
                    Some(Change::Summed { fact, sum })
                });
                let sums = sums.collect();
                self.take(sums);
            }
            let mut ids = Vec::new();
            for _ in 0..400 {
                ids.push(self.id());
            }
            let mut given = ids.into_iter();
            let changes = self.case.forward(self.around(), &mut || given.next().expect("ids enough"));
            if changes.is_empty() {
                break;
            }
            if self.case.is_over() {
                self.wrong("something comes after the end");
            }
            if round > ROUNDS_MAX {
                self.wrong("it goes on and on at one time");
            }
            self.take(changes);
            self.send();
        }
    }

    fn send(&mut self) {
        let unsent: Vec<(MessageId, Sent)> = self.case.under_way().map(|(id, sent)| (*id, sent.clone())).collect();
        for (id, sent) in unsent {
            if !self.sent.insert(id) {
                continue;
            }
            match &sent.what {
                Sending::Word { .. } => self.case.is_sent(id),
                Sending::Ask(errand) => self.expect(id, errand.expires.into(), Asking::Question),
                Sending::Task(errand) => self.expect(id, errand.expires.into(), Asking::Task),
                Sending::HandOver { .. } => self.expect(id, self.now.plus_ms(6 * DAY_MS), Asking::Task),
            }
        }
    }

    fn is_good(&self) -> bool {
        self.manner == Manner::Good || self.now > START.plus_ms(self.bad_ms())
    }

    /// For how long it goes badly, by everybody's clock: half a year of the case's.
    fn bad_ms(&self) -> u64 {
        180 * DAY_MS / u64::from(self.case.opening.pace)
    }

    /// Decides what will be heard of a message, and when.
    fn expect(&mut self, id: MessageId, expires: UnixTime, asking: Asking) {
        let pace = u64::from(self.case.opening.pace);
        let pauses = [20, 3_000, 40_000, 3_600_000, DAY_MS, 9 * DAY_MS];
        let pause = pauses[self.roll(pauses.len() as u64) as usize] / pace + self.roll(50);
        let at = if self.manner == Manner::Good { self.now.plus_ms(20 + self.roll(50)) } else { self.now.plus_ms(pause.max(1)) };
        let all = if asking == Asking::Question {
            [Say::Right, Say::Right, Say::Right, Say::Contrary, Say::Nothing, Say::Later, Say::Failed, Say::Nonsense]
        } else {
            [Say::Right, Say::Right, Say::Stranger, Say::Nonsense, Say::Refused, Say::Later, Say::Failed, Say::Nothing]
        };
        let say = all[self.roll(8) as usize];
        let say = if self.is_good() { Say::Right } else { say };
        // Of whoever is silent the end of the message is heard.
        let is_silent = !self.is_good() && self.roll(6) == 0;
        match is_silent || at >= expires {
            true => self.later(expires, Coming::Word(id, Say::Failed)),
            false => self.later(at, Coming::Word(id, say)),
        }
    }

    fn later(&mut self, at: UnixTime, coming: Coming) {
        self.numbers += 1;
        self.coming.insert((at, self.numbers), coming);
    }

    fn hear(&mut self, id: MessageId, say: Say) {
        let Some(sent) = self.case.under_way().find(|(known, _)| **known == id).map(|(_, sent)| sent.clone()) else {
            // Nobody waits for it any more: whatever is said changes nothing.
            let mut fresh = || id;
            if !self.case.hear(self.around(), id, &Heard::Failed("OG-X"), &mut fresh).is_empty() {
                self.wrong("something is heard for which nobody waits");
            }
            return;
        };
        let (from, sheet) = self.sheet_for(&sent, say);
        let by = self.now.plus_ms(3_600_000 / u64::from(self.case.opening.pace) + 5);
        let body = match (say, &sheet) {
            (Say::Later, _) if self.roll(2) == 0 => Body::Later { by, reason: Code::parse("busy").expect("a code") },
            (Say::Later, _) => Body::State { of: Code::parse("accepted").expect("a code"), at: self.now },
            (Say::Nothing, _) | (Say::Right, None) => Body::NoRecord { document_type: Code::parse("x").expect("a code") },
            (Say::Nonsense, _) if self.roll(2) == 0 => {
                Body::Fault { code: "OG-DOC-002".to_owned(), blame: "them".to_owned(), retry: "no".to_owned() }
            }
            _ => Body::Documents(Vec::new()),
        };
        if say == Say::Later {
            let is_question = matches!(sent.what, Sending::Ask(_));
            let again = if self.is_good() || self.roll(3) > 0 { Say::Right } else { Say::Failed };
            self.later(by, Coming::Word(id, if is_question { again } else { Say::Right }));
        }
        let reading = self.reading(&from, body, sheet.into_iter().collect());
        let heard = if say == Say::Failed { Heard::Failed("OG-RTE-004") } else { Heard::Message(&reading) };
        let spare: Vec<MessageId> = (0..60).map(|_| self.id()).collect();
        let mut given = spare.into_iter();
        let changes = self.case.hear(self.around(), id, &heard, &mut || given.next().expect("ids enough"));
        if changes.is_empty() {
            return;
        }
        self.take(changes);
        // What was heard once is not heard twice.
        let ids = self.id();
        let is_left = self.case.under_way().any(|(known, _)| *known == id);
        if !is_left && !self.case.hear(self.around(), id, &heard, &mut || ids).is_empty() {
            self.wrong("the same is heard twice");
        }
    }

    /// What comes with an answer, and from whom.
    fn sheet_for(&mut self, sent: &Sent, say: Say) -> (AgencyId, Option<super::super::trial::Sheet>) {
        let twist = match say {
            Say::Contrary => Twist::Contrary,
            Say::Stranger => Twist::Stranger,
            _ => Twist::None,
        };
        let outcome = |state: &str| self.land.outcome(state);
        match &sent.what {
            Sending::Ask(errand) => {
                let document = &errand.document.as_ref().expect("a document").0;
                let from = self.land.holder(&document.document);
                let other = DocumentOf { document: Code::parse("bench-record").expect("a code"), role: document.role.clone() };
                match say {
                    Say::Nonsense => (from, Some(self.family.sheet(&other, Twist::None))),
                    _ if self.family.has(document) => (from, Some(self.family.sheet(document, twist))),
                    _ => (from, None),
                }
            }
            Sending::Task(errand) => {
                let step = self.family.situation.steps.iter().find(|step| step.id == errand.step.0).expect("a step");
                let from = errand.agency.0.clone();
                if errand.visit == Some(Visit::ToBeOffered) && !matches!(say, Say::Refused | Say::Nonsense) {
                    // Few have a day in common at once, and fewer an hour.
                    let slots: Vec<(i64, u64)> = (0..4).map(|_| (self.roll(6) as i64, 6 + self.roll(6))).collect();
                    return (from, self.land.times(self.case.time(self.now), &slots));
                }
                match (&step.gives, say) {
                    (_, Say::Refused) => (from, outcome("refused")),
                    (Some(_), Say::Nonsense) => (from, outcome("done")),
                    (Some(gives), _) => (from, Some(self.family.sheet(gives, twist))),
                    (None, _) => (from, outcome("done")),
                }
            }
            Sending::HandOver { to, .. } => (to.clone(), outcome(if say == Say::Refused { "refused" } else { "done" })),
            Sending::Word { to, .. } => (to.clone(), None),
        }
    }

    /// The citizen looks whether there is a form, and answers it some time.
    fn look_at_form(&mut self) {
        let since = self.case.form.since;
        if since == self.form {
            return;
        }
        self.form = since;
        if since.is_some() {
            let pauses = [1_000, 3_600_000, 5 * DAY_MS, 80 * DAY_MS];
            let pause = pauses[self.roll(if self.manner == Manner::Good { 2 } else { 4 }) as usize];
            let at = self.now.plus_ms(pause / u64::from(self.case.opening.pace) + 1);
            self.later(at, Coming::Form);
        }
    }

    fn answer_form(&mut self) {
        if self.case.is_over() || self.case.form.since.is_none() {
            return;
        }
        let by = match self.case.opening.start {
            StartedBy::Application => self.case.opening.by.0.clone(),
            StartedBy::Event => self.land.coordinator.clone(),
        };
        let asked: Vec<(String, String)> = self
            .case
            .form
            .ask
            .iter()
            .filter_map(|fact| Some((self.land.catalogue.fact(*fact)?.name.to_string(), self.family.answer(*fact))))
            .collect();
        let days = self.case.choosable(self.around());
        let days: Vec<(String, String)> =
            days.into_iter().map(|(name, days)| (format!("appointment.{name}"), days[0].to_string())).collect();
        if !days.is_empty() {
            let reading = self.reading(&by, Body::Documents(Vec::new()), Vec::new());
            self.order(&by, &OrderOf::Answer(days), &reading);
        }
        let bring: Vec<DocumentOf> = self.case.form.bring.iter().cloned().collect();
        if !asked.is_empty() {
            let reading = self.reading(&by, Body::Documents(Vec::new()), Vec::new());
            self.order(&by, &OrderOf::Answer(asked.clone()), &reading);
            // What was answered is not asked any more.
            let reading = self.reading(&by, Body::Documents(Vec::new()), Vec::new());
            let id = self.id();
            if self.case.order(self.around(), &by, &OrderOf::Answer(asked), &reading, &mut || id).is_ok() {
                self.wrong("the form is answered twice");
            }
        }
        for document in bring {
            let twist = if !self.is_good() && self.roll(4) == 0 { Twist::Contrary } else { Twist::None };
            let sheet = self.family.sheet(&document, twist);
            let reading = self.reading(&by, Body::Documents(Vec::new()), vec![sheet]);
            if self.case.form.bring.contains(&document) {
                self.order(&by, &OrderOf::Bring, &reading);
            }
        }
        self.form = None;
        self.look_at_form();
    }

    fn order(&mut self, by: &AgencyId, order: &OrderOf, reading: &Reading) {
        let spare: Vec<MessageId> = (0..60).map(|_| self.id()).collect();
        let mut given = spare.into_iter();
        match self.case.order(self.around(), by, order, reading, &mut || given.next().expect("ids enough")) {
            Ok(changes) => self.take(changes),
            Err(fault) => {
                self.told.push((self.now, Err(format!("{order:?}: {fault:?}"))));
                if matches!(order, OrderOf::Answer(_)) {
                    self.wrong("the form's answer is refused");
                }
            }
        }
    }

    /// Somebody wants something of the case.
    fn some_order(&mut self, number: u64) {
        let coordinator = self.land.coordinator.clone();
        let steps = &self.family.situation.steps;
        let step = steps[self.roll(steps.len() as u64) as usize].id.clone();
        let to =
            AgencyId::parse(["xx.trial.onestop", "xx.trial.social", "xx.trial.zags"][self.roll(3) as usize]).expect("an agency");
        let order = match number % 4 {
            0 => OrderOf::Assistant(to, None),
            1 => OrderOf::Remind(step),
            2 if self.seed % 6 == 5 && number > 5 => OrderOf::Withdraw,
            _ => OrderOf::HandOver(step, to),
        };
        let reading = self.reading(&coordinator, Body::Documents(Vec::new()), Vec::new());
        self.order(&coordinator, &order, &reading);
    }

    /// From the start to the end.
    pub(super) fn run(&mut self) -> Option<Ending> {
        if self.manner == Manner::HandedOver {
            for number in 0..12 {
                let pause = self.roll(40 * DAY_MS) / u64::from(self.case.opening.pace);
                self.later(START.plus_ms(pause + 1), Coming::Order(number));
            }
        }
        for step in 0.. {
            self.go_on();
            self.send();
            self.look_at_form();
            if self.case.is_over() {
                self.is_over();
                break;
            }
            if step > STEPS_MAX {
                self.wrong("it never ends");
            }
            let Some(next) = self.next() else { self.wrong("nothing is waited for, and it is open") };
            self.now = self.now.max(next);
            let due: Vec<_> = self.coming.range(..=(self.now, u64::MAX)).map(|(key, _)| *key).collect();
            for key in due {
                match self.coming.remove(&key) {
                    Some(Coming::Word(id, say)) => self.hear(id, say),
                    Some(Coming::Form) => self.answer_form(),
                    Some(Coming::Order(number)) if !self.case.is_over() => self.some_order(number),
                    Some(Coming::Order(_)) | None => {}
                }
            }
            if step % 37 == 5 {
                self.is_what_is_written();
            }
        }
        self.is_what_is_written();
        self.case.ended.map(|(how, _)| how)
    }

    /// When something happens next. Looking after messages again is not waited for: here none is lost.
    fn next(&mut self) -> Option<UnixTime> {
        let mut quiet = self.case.clone();
        let is_asking = !quiet.errands.is_empty();
        quiet.errands.clear();
        quiet.notices.iter_mut().for_each(|notice| notice.is_over = true);
        let wakes = quiet.wakes(self.around());
        if let Some(wakes) = wakes.filter(|wakes| *wakes <= self.now) {
            self.wrong(&format!("it wakes at {wakes}, which is past"));
        }
        let all = self.case.wakes(self.around());
        if is_asking && all.is_none_or(|all| all > self.now.plus_ms(LOOK_MS)) {
            self.wrong("nobody looks after messages that are under way");
        }
        let first = self.coming.keys().next().map(|(at, _)| *at);
        // Whoever is asked, and what is on a timer, is all that a case may wait for.
        if wakes.is_none() && !is_asking && self.case.form.since.is_none() {
            self.wrong("nothing wakes it, and it waits for nobody");
        }
        [wakes, first].into_iter().flatten().min()
    }

    fn is_over(&mut self) {
        let plan = self.case.plan(self.around());
        let is_open = |planned: &crate::rules::situation::plan::Planned| !matches!(planned.stage, Stage::Off | Stage::Over);
        let (how, _) = self.case.ended.expect("it is over");
        if plan.steps.iter().any(is_open) && !matches!(how, Ending::Abandoned | Ending::Withdrawn) {
            self.wrong("it is over, and steps are open");
        }
        if self.case.under_way().next().is_some() {
            self.wrong("it is over, and something is under way");
        }
        if self.case.papers.values().any(|state| state.paper.is_some() && !state.is_forgotten) {
            self.wrong("it is over, and documents are kept");
        }
        self.now = self.now.plus_ms(400 * DAY_MS);
        self.go_on();
    }

    /// The case is what its changes make of it when they are read again.
    fn is_what_is_written(&self) {
        let opening = read(&self.log[0].1).into_iter().flatten().find_map(|change| match change {
            Change::Opened(opening) => Some(*opening),
            _ => None,
        });
        let mut again = Case::open(self.case.id, opening.expect("it began"), self.family.situation, START);

        for (at, text) in &self.log {
            let around = self.land.around(self.family.situation, *at);
            again.apply_all(around, *at, &read(text).expect("it was written"));
        }
        let mut own = self.case.clone();
        for case in [&mut own, &mut again] {
            // That a word was taken is not written down: it is sent once more, under the same id.
            case.errands.retain(|_, sent| !matches!(sent.what, Sending::Word { .. }));
        }
        let around = self.around();
        if format!("{own:?}") != format!("{again:?}") || own.people != again.people {
            self.wrong(&format!("it is not what is written:\n{own:#?}\n{again:#?}"));
        }
        let views = |case: &Case| {
            let timeline = case.timeline_view(Part::Whole);
            (
                case.view(around, Part::Whole, "en"),
                timeline,
                case.plan(around),
                case.wakes(around),
                case.state_document(around, None),
            )
        };
        assert!(views(&own) == views(&again), "{} {}: it looks otherwise", self.family.situation.id, self.seed);
        for (id, sent) in again.under_way() {
            let rendered = again.made(around, *id, sent).map(|made| render(&made));

            if rendered.as_ref() != self.made.get(id) {
                self.wrong(&format!("a message is made otherwise after a start: {rendered:?}, {:?}", self.made.get(id)));
            }
        }
    }

    fn look_before(&self, changes: &[Change]) {
        let mut asked = BTreeSet::new();
        for change in changes {
            let document = match change {
                Change::Asked(errand) => errand.document.clone(),
                _ => None,
            };
            if let Some(document) = document
                && !asked.insert(document.clone())
            {
                self.wrong(&format!("{} is asked for twice at once", document.0));
            }
        }
        let over: BTreeSet<&Code> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Expired { step } | Change::Done { step } | Change::Refused { step, .. } => Some(&step.0),
                _ => None,
            })
            .collect();
        for change in changes {
            if let Change::Offered(errand) = change
                && over.contains(&errand.step.0)
            {
                self.wrong(&format!("{} is offered and over at once", errand.step.0));
            }
        }
    }

    /// What must not be of a change in the light of what was before it.
    fn look_at(&mut self, change: &Change) {
        let case = &self.case;
        match change {
            Change::Asked(errand) => {
                let document = &errand.document.as_ref().expect("a document").0;
                let is_awaited = case.errands.values().any(|sent| {
                    matches!(&sent.what, Sending::Ask(other) if other.document.as_ref().is_some_and(|other| other.0 == *document))
                });
                if is_awaited {
                    self.wrong(&format!("{document} is asked for while an answer is awaited"));
                }
                if case.knowledge.is_here(document) {
                    self.wrong(&format!("{document} is asked for and is here"));
                }
                let by = &errand.by.as_ref().expect("somebody").0;
                if !case.people.contains_key(by) {
                    self.wrong(&format!("{document} is asked for by {by}, who is not proven"));
                }
            }
            Change::Offered(errand) => self.look_at_offer(errand),
            Change::Done { step } | Change::Refused { step, .. } | Change::Expired { step } => {
                let step = step.0.clone();
                if !self.ended.insert(step.clone()) {
                    self.wrong(&format!("{step} ends twice"));
                }
            }
            Change::Closed { .. } if case.is_over() => self.wrong("it ends twice"),
            Change::Person { role, .. } if case.people.contains_key(&role.0) => self.wrong("somebody becomes somebody else"),
            _ => {}
        }
    }

    fn look_at_offer(&self, errand: &Errand) {
        let (case, situation) = (&self.case, self.family.situation);
        let index = situation.step_named(&errand.step.0).expect("a step");
        let step = situation.step(index).expect("a step");
        let plan = case.plan(self.around());
        let planned = &plan.steps[usize::from(index.0)];
        if planned.stage != Stage::Ready || planned.waits_for.iter().any(|wait| matches!(wait, Wait::Step(_) | Wait::Document(_)))
        {
            self.wrong(&format!("{} is offered, and is {:?}", step.id, planned.stage));
        }
        if self.ended.contains(&step.id) {
            self.wrong(&format!("{} is offered after its end", step.id));
        }
        let is_awaited =
            case.errands.values().any(|sent| matches!(&sent.what, Sending::Task(other) if other.step == errand.step));
        if is_awaited {
            self.wrong(&format!("{} is offered while its agency is asked", step.id));
        }
        for after in &step.after {
            let stage = plan.steps[usize::from(after.0)].stage;
            if !matches!(stage, Stage::Off | Stage::Over) {
                self.wrong(&format!("{} is offered before what comes before it", step.id));
            }
        }
        let is_partner = self.land.catalogue.offices().get(&step.office).is_some_and(|office| office.level == Level::Partner);
        let enclosed: BTreeSet<&DocumentOf> = errand.enclosed.iter().map(|document| &document.0).collect();
        for need in &step.needs {
            let is_here = case.paper(&need.document).is_some();
            if need.must == Must::Exist && !(is_here && case.knowledge.is_here(&need.document)) {
                self.wrong(&format!("{} is offered without {}", step.id, need.document));
            }
            let is_asked_when = errand.visit == Some(Visit::ToBeOffered);
            if enclosed.contains(&need.document) != (is_here && !is_partner && !is_asked_when) {
                self.wrong(&format!("{} gets {} or does not", step.id, need.document));
            }
        }
        if enclosed.iter().any(|document| step.needs.iter().all(|need| need.document != **document)) {
            self.wrong(&format!("{} gets what it does not name", step.id));
        }
    }

    /// Each message is made the same each time.
    fn look_after(&mut self) {
        let around = self.around();
        let under_way: Vec<(MessageId, Sent)> = self.case.under_way().map(|(id, sent)| (*id, sent.clone())).collect();
        for (id, sent) in under_way {
            let Some(made) = self.case.made(around, id, &sent) else { self.wrong("a message cannot be made") };
            let rendered = render(&made);
            let first = self.made.entry(id).or_insert_with(|| rendered.clone()).clone();
            if first != rendered {
                self.wrong(&format!("a message is made otherwise the second time: {first} {rendered}"));
            }
        }
    }
}

fn render(made: &Made) -> String {
    let body = match &made.body {
        MadeBody::Ask(ask) => format!("{ask:?}"),
        MadeBody::Task(markup) => markup.clone(),
    };
    format!(
        "{} {:?} {body} {} {} {:?} {:?} {:?} {:?} {:?}",
        made.id, made.to, made.at, made.expires, made.subject.identifiers, made.behalf, made.step, made.grounds, made.enclosed
    )
}

const DAY_MS: u64 = crate::base::time::DAY_MS;
const ROUNDS_MAX: u32 = 12;
const STEPS_MAX: u32 = 6_000;
