//! Cases: life situations that are being carried out, each for one family.
//!
//! A case is a pure state machine. What happened to it are its [`Change`]s; [`Case::apply`] makes the case of them, and [`Case::forward`]
//! says, from what is known and the time, which changes come next: documents to ask for, steps to offer to their agencies, the one form
//! for the citizen, who is told of what. There is no clock here and no disk, and nothing is done here: whoever drives cases writes the
//! changes down first, and then sends the messages that follow from them. Those messages follow from the changes alone, so that after a
//! crash the same message is sent again, and not another.

mod board;
mod change;
mod desk;
mod forward;
mod hear;
mod line;
mod paper;
mod survey;
#[cfg(any(test, feature = "server"))]
pub mod trial;
mod view;
mod visits;

pub use board::{Board, Glance, HoldUp, Waiting};
pub use change::{
    Came, Change, Contact, Ending, Errand, Handing, Invitation, Opening, Paper, Said, StartedBy, Text, Time, Whom, Written, read,
    write,
};
pub use desk::{Made, MadeBody, Order, OrderOf, enclosure, outcome_document, times_document};
pub use hear::{Heard, Saying};
pub use line::{Book, CaseRow, State as RowState, action};
pub use paper::{PaperOf, Reading};
pub use survey::{Asking, SURVEY, Survey};
pub use view::{Part, step_word};

use crate::base::ids::{AgencyId, Code, Digest, MessageId, Region, Uuid};
use crate::base::time::{Day, UnixTime};
use crate::message::envelope::Subject;
use crate::message::schema::Schemas;
use crate::rules::condition::{FactIndex, Value};
use crate::rules::registry::Registry;
use crate::rules::situation::plan::{Content, Knowledge, Plan};
use crate::rules::situation::{Catalogue, DocumentOf, FoundIn, Situation, Source, Step, StepIndex, Sum, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a case is looked at by: one version of each.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// The version of the situation that the case stays with.
    pub situation: &'a Situation,
    /// The registry.
    pub registry: &'a Registry,
    /// The schemas.
    pub schemas: &'a Schemas,
    /// The time, by everybody's clock.
    pub now: UnixTime,
}

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its id.
    pub id: Uuid,
    /// With what it began.
    pub opening: Opening,
    /// When, by everybody's clock.
    pub opened: UnixTime,
    /// When the last change was written down.
    pub changed: UnixTime,
    people: BTreeMap<Code, Subject>,
    knowledge: Knowledge,
    papers: BTreeMap<DocumentOf, PaperState>,
    steps: Vec<StepLine>,
    form: Form,
    errands: BTreeMap<MessageId, Sent>,
    heard: BTreeSet<Digest>,
    /// The official who looks after it.
    pub assistant: Option<(AgencyId, Option<String>)>,
    /// Where the citizen is reached.
    pub contact: Contact,
    /// Notices to people, by their number.
    pub notices: Vec<Notice>,
    /// The personal link in force, by its hash.
    pub link: Option<(Digest, UnixTime)>,
    /// How many there were.
    pub links: u32,
    contradictions: Vec<(DocumentOf, String)>,
    counts: Counts,
    timeline: Vec<Event>,
    /// Whether whoever it was for is asked how it was.
    pub asking: Asking,
    /// How it ended, and when.
    pub ended: Option<(Ending, UnixTime)>,
}

/// Something that is told to somebody who is no agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who.
    pub whom: Whom,
    /// Of what.
    pub event: String,
    /// Of which step.
    pub step: Option<Code>,
    /// Since when, by the case's clock.
    pub since: UnixTime,
    /// Since when, by everybody's.
    pub at: UnixTime,
    /// Whether nobody has to be told any more.
    pub is_over: bool,
}

/// What is counted for the measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Documents that were fetched.
    pub fetched: u32,
    /// Documents that agencies made on the way.
    pub made: u32,
    /// Documents that the citizen brought.
    pub brought: u32,
    /// Questions that the citizen answered.
    pub answered: u32,
    /// Forms that the citizen got.
    pub forms: u32,
}

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, by the case's clock.
    pub at: UnixTime,
    /// What.
    pub what: &'static str,
    /// In which step.
    pub step: Option<Code>,
    /// Which document.
    pub document: Option<DocumentOf>,
    /// Which agency.
    pub agency: Option<AgencyId>,
}

/// What has become of a document in a case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PaperState {
    paper: Option<Paper>,
    asked: Option<Box<Errand>>,
    /// When it was asked for first, and last.
    since: UnixTime,
    at: UnixTime,
    promised: Option<UnixTime>,
    /// When it is asked for again, after it could not be had; and why not.
    again: Option<(UnixTime, String)>,
    tries: u32,
    is_forgotten: bool,
}

/// How far a step has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct StepLine {
    state: StepState,
    agency: Option<AgencyId>,
    errand: Option<Box<Errand>>,
    begun: Option<UnixTime>,
    due: Option<UnixTime>,
    offered: Option<UnixTime>,
    promised: Option<UnixTime>,
    again: Option<(UnixTime, String)>,
    tries: u32,
    is_half: bool,
    is_overdue: bool,
    expiring: u8,
    reason: Option<String>,
    /// The times that its agency offers, and the one that it is attended at.
    times: Vec<visits::Slot>,
    visit: Option<UnixTime>,
    over: Option<UnixTime>,
    handing: Option<Handover>,
}

/// A step on its way to another agency: which, how far that is, until when it may say so, by which message it was asked.
type Handover = (AgencyId, Handing, Option<UnixTime>, Option<MessageId>);

/// Where a step stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum StepState {
    /// Nothing was done yet.
    #[default]
    Idle,
    /// Its agency is asked.
    Offered,
    /// Its agency is at work.
    Accepted,
    /// It is done.
    Done,
    /// Its agency has refused it.
    Refused,
    /// The right to it has ended.
    Expired,
}

/// What the citizen is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Form {
    ask: BTreeSet<FactIndex>,
    bring: BTreeSet<DocumentOf>,
    /// Days of which one is to be chosen, by appointment.
    days: BTreeMap<Code, BTreeSet<Day>>,
    since: Option<UnixTime>,
}

/// A message that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When it was decided on, by everybody's clock: when it was made.
    pub at: UnixTime,
    /// What it is.
    pub what: Sending,
    /// What goes along, as it was then: a document that comes anew meanwhile makes no other message of it.
    enclosed: Vec<Enclosed>,
}

/// A document that goes along with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Enclosed {
    document: DocumentOf,
    paper: Paper,
    /// Whether it is there, or the word that there is none.
    is_there: bool,
}

/// What a message of a case is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// A question for a document.
    Ask(Box<Errand>),
    /// A step for its agency.
    Task(Box<Errand>),
    /// Another agency is asked to take a step.
    HandOver {
        /// Which step.
        step: Code,
        /// Who.
        to: AgencyId,
    },
    /// An agency is told of something.
    Word {
        /// Who.
        to: AgencyId,
        /// As what.
        whom: Whom,
        /// Of what.
        event: String,
        /// Of which step.
        step: Option<Code>,
    },
}

/// What a document said when it came.
struct Recalled<'r> {
    facts: BTreeMap<FactIndex, Value>,
    names: &'r [Text<Code>],
}

impl Content for Recalled<'_> {
    fn value(&self, fact: FactIndex, _: &Source) -> Option<Value> {
        self.facts.get(&fact).cloned()
    }

    fn names(&self, found_in: &FoundIn) -> bool {
        self.names.iter().any(|role| role.0 == found_in.role)
    }
}

impl Case {
    /// A case that begins at a time, with what it begins with.
    pub fn open(id: Uuid, opening: Opening, situation: &Situation, at: UnixTime) -> Self {
        let subject = situation.subject().map(|role| (role.name.clone(), Subject::from(&opening.subject)));
        let mut case = Self {
            id,
            opened: at,
            changed: at,
            people: subject.into_iter().collect(),
            knowledge: Knowledge::new(situation),
            papers: BTreeMap::new(),
            steps: vec![StepLine::default(); situation.steps.len()],
            form: Form::default(),
            errands: BTreeMap::new(),
            heard: BTreeSet::new(),
            assistant: None,
            contact: Contact::default(),
            notices: Vec::new(),
            link: None,
            links: 0,
            contradictions: Vec::new(),
            counts: Counts::default(),
            timeline: Vec::new(),
            asking: Asking::Not,
            ended: None,
            opening,
        };
        case.note(at, "opened");
        case
    }

    /// The case that its first changes make, with the version of its situation; nothing if that is not in the catalogue, or the clock of
    /// the case would stand still, or go otherwise than everybody's in the live world: no gateway begins such a case.
    pub fn begun(catalogue: &Catalogue, id: Uuid, changes: &[Change], at: UnixTime) -> Option<(Self, Arc<Situation>)> {
        let opening = changes.iter().find_map(|change| match change {
            Change::Opened(opening) => Some((**opening).clone()),
            _ => None,
        })?;
        if opening.pace == 0 || (opening.pace > 1 && !opening.test) {
            return None;
        }
        let version = Version::parse(&opening.version)?;
        let region = opening.region.as_ref().map(|region| &region.0);
        let situation = Arc::clone(catalogue.version(&opening.situation.0, &version, region)?);
        Some((Self::open(id, opening, &situation, at), situation))
    }

    /// The time by the case's clock.
    pub fn time(&self, real: UnixTime) -> UnixTime {
        let since = real.as_ms().saturating_sub(self.opened.as_ms());
        self.opened.plus_ms(since.saturating_mul(u64::from(self.opening.pace)))
    }

    /// The time by everybody's clock at which it is a time by the case's.
    pub fn real(&self, time: UnixTime) -> UnixTime {
        let since = time.as_ms().saturating_sub(self.opened.as_ms());
        self.opened.plus_ms(since.div_ceil(u64::from(self.opening.pace.max(1))))
    }

    /// Where it takes place.
    pub fn region(&self) -> Option<&Region> {
        self.opening.region.as_ref().map(|region| &region.0)
    }

    /// Whom it is about most of all.
    pub fn subject(&self) -> Subject {
        Subject::from(&self.opening.subject)
    }

    /// Somebody whom it is about, as far as that is proven.
    pub fn person(&self, role: &Code) -> Option<&Subject> {
        self.people.get(role)
    }

    /// The hash of the personal link by which it is shown now.
    pub fn link_in_force(&self, now: UnixTime) -> Option<Digest> {
        self.link.filter(|(_, until)| *until > self.time(now)).map(|(hash, _)| hash)
    }

    /// Messages that are under way, of which nothing was heard yet.
    pub fn under_way(&self) -> impl Iterator<Item = (&MessageId, &Sent)> {
        self.errands.iter()
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// The plan by what is known.
    pub fn plan(&self, around: Around<'_>) -> Plan {
        Plan::make(around.catalogue, around.situation, &self.knowledge)
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What happened, in its order.
    pub fn timeline(&self) -> &[Event] {
        &self.timeline
    }

    /// The signed message that a document came in, as long as it is not forgotten.
    pub fn paper(&self, document: &DocumentOf) -> Option<&Paper> {
        self.papers.get(document).filter(|state| !state.is_forgotten).and_then(|state| state.paper.as_ref())
    }

    /// Whether an event has told of what it is about.
    pub fn has_start(&self) -> bool {
        self.papers.values().filter_map(|state| state.paper.as_ref()).any(|paper| paper.way == Came::Start)
    }

    /// The signed message that a document came in, forgotten or not.
    pub fn paper_of(&self, document: &DocumentOf) -> Option<&Paper> {
        self.papers.get(document).and_then(|state| state.paper.as_ref())
    }

    /// Whether it still has a document of a signed message.
    pub fn keeps(&self, message: &Paper) -> bool {
        let kept = self.papers.values().filter(|state| !state.is_forgotten).filter_map(|state| state.paper.as_ref());
        kept.into_iter().any(|paper| paper.sha256 == message.sha256)
    }

    /// The signed messages of which no document is needed any more.
    pub fn unneeded(&self) -> impl Iterator<Item = &Paper> {
        let forgotten = self.papers.values().filter(|state| state.is_forgotten);
        forgotten.filter_map(|state| state.paper.as_ref()).filter(|paper| !self.keeps(paper))
    }

    /// Whether what a message asked is done.
    pub fn has_heard(&self, message: &Digest) -> bool {
        self.heard.contains(message)
    }

    /// What adds up over cases and is not known yet, though this case's own number is: the fact, of what it is the sum, and that number.
    pub fn unsummed(&self, around: Around<'_>) -> Vec<(FactIndex, Sum, i64)> {
        let conditions = around.situation.steps.iter().filter_map(|step| step.when.as_ref());
        let facts: BTreeSet<FactIndex> = conditions.flat_map(|when| when.facts()).copied().collect();
        let unknown = facts.into_iter().filter(|fact| self.knowledge.known(*fact).is_none());
        let sums = unknown.filter_map(|fact| Some((fact, around.catalogue.fact(fact)?.sum?)));
        sums.filter_map(|(fact, sum)| Some((fact, sum, self.number(sum.of)?))).collect()
    }

    /// What a fact is that is a number.
    pub fn number(&self, fact: FactIndex) -> Option<i64> {
        match self.knowledge.known(fact) {
            Some((Value::Number(number), _)) => Some(*number),
            _ => None,
        }
    }

    /// The documents that the citizen is asked for, in a language.
    pub fn asked_for(&self, catalogue: &Catalogue, language: &str) -> String {
        let titles = self.form.bring.iter().filter_map(|document| catalogue.documents().get(&document.document));
        titles.map(|document| document.title.in_language(language)).collect::<Vec<_>>().join(", ")
    }

    /// When the term of a step is over, or the form's.
    pub fn due_of(&self, situation: &Situation, step: Option<&Code>) -> Option<UnixTime> {
        match step {
            Some(step) => self.line(situation.step_named(step)?)?.due,
            // What is not about a step is about the form.
            None => self.form.since.map(|since| since.plus_ms(forward::FORM_MS)),
        }
    }

    /// Whose a step is, whoever does it.
    pub fn principal(&self, around: Around<'_>, step: &Step) -> Option<AgencyId> {
        self.principal_of(around, Self::step_index(around, &step.id)?, step)
    }

    /// A message was taken by the gateway, and nothing has to be heard of it.
    pub fn is_sent(&mut self, message: MessageId) {
        if self.errands.get(&message).is_some_and(|sent| matches!(sent.what, Sending::Word { .. })) {
            self.errands.remove(&message);
        }
    }

    fn step_index(around: Around<'_>, step: &Code) -> Option<StepIndex> {
        around.situation.step_named(step)
    }

    fn line(&self, step: StepIndex) -> Option<&StepLine> {
        self.steps.get(usize::from(step.0))
    }

    fn line_mut(&mut self, around: Around<'_>, step: &Code) -> Option<&mut StepLine> {
        let index = Self::step_index(around, step)?;
        self.steps.get_mut(usize::from(index.0))
    }

    fn note(&mut self, at: UnixTime, what: &'static str) -> &mut Event {
        let event = Event { at: self.time(at), what, step: None, document: None, agency: None };
        self.timeline.push(event);
        let last = self.timeline.len().saturating_sub(1);
        &mut self.timeline[last]
    }

    fn note_step(&mut self, at: UnixTime, what: &'static str, step: &Text<Code>, agency: Option<&AgencyId>) {
        let event = self.note(at, what);
        (event.step, event.agency) = (Some(step.0.clone()), agency.cloned());
    }

    fn note_document(&mut self, at: UnixTime, what: &'static str, document: &Text<DocumentOf>, agency: Option<&AgencyId>) {
        let event = self.note(at, what);
        (event.document, event.agency) = (Some(document.0.clone()), agency.cloned());
    }

    /// Takes changes that were written down together at a time.
    pub fn apply_all(&mut self, around: Around<'_>, at: UnixTime, changes: &[Change]) {
        changes.iter().for_each(|change| self.apply(around, at, change));
    }

    /// Takes a change that was written down.
    pub fn apply(&mut self, around: Around<'_>, at: UnixTime, change: &Change) {
        self.changed = at;
        match change {
            // With it the case was made.
            Change::Opened(_) => {}
            Change::Person { role, subject } => drop(self.people.entry(role.0.clone()).or_insert_with(|| Subject::from(subject))),
            Change::Form { .. } | Change::Answered { .. } => self.apply_to_form(around, at, change),
            Change::NoDay { appointment, again } => {
                self.has_no_day(around, &appointment.0, *again);
                self.note(at, "no-day");
            }
            Change::Chosen { appointment, visits } => {
                self.chosen(around, &appointment.0, visits);
                self.note(at, "chosen");
            }
            Change::HandedOver { step, to, message, until, state } => {
                let handing = (to.0.clone(), *state, until.map(UnixTime::from), message.as_ref().map(|id| id.0));
                self.handed_over(around, at, step, handing);
            }
            Change::Assistant { agency, name } => {
                self.assistant = Some((agency.0.clone(), name.clone()));
                self.note(at, "assistant").agency = Some(agency.0.clone());
            }
            Change::Told { whom, event, step, message } => {
                self.told(around, at, (*whom, event), (step.as_ref(), message.as_ref()));
            }
            Change::NoticeIs { number, .. } => {
                if let Some(notice) = self.notices.get_mut(*number as usize) {
                    notice.is_over = true;
                }
            }
            Change::Contact { contact } => self.contact = contact.clone(),
            Change::Link { hash, until } => {
                (self.link, self.links) = (Some((hash.0, (*until).into())), self.links.saturating_add(1));
            }
            Change::Summed { fact, sum } => {
                if let Some(fact) = around.catalogue.fact_named(fact) {
                    self.knowledge.start_with(fact, Value::Number(*sum));
                }
            }
            Change::Heard { message } => drop(self.heard.insert(message.0)),
            Change::Joined { by } => self.note(at, "joined").agency = Some(by.0.clone()),
            Change::Again { by } => self.note(at, "again").agency = Some(by.0.clone()),
            Change::Closed { how, invited } => {
                self.asking = invited.map_or(Asking::Not, Asking::Open);
                self.close(at, *how);
            }
            Change::Rated => self.asking = Asking::Over,
            Change::Asked(_)
            | Change::Came { .. }
            | Change::Absent { .. }
            | Change::Promised { .. }
            | Change::NotHad { .. }
            | Change::Late { .. }
            | Change::Silent { .. }
            | Change::Contradicted { .. }
            | Change::Forgotten { .. } => self.apply_to_document(around, at, change),
            Change::Begun { .. }
            | Change::Offered(_)
            | Change::NotOffered { .. }
            | Change::Accepted { .. }
            | Change::Offers { .. }
            | Change::Done { .. }
            | Change::Refused { .. }
            | Change::Unusable { .. }
            | Change::Half { .. }
            | Change::Overdue { .. }
            | Change::Expiring { .. }
            | Change::Expired { .. } => self.apply_to_step(around, at, change),
        }
    }

    fn close(&mut self, at: UnixTime, how: Ending) {
        let time = self.time(at);
        self.ended = Some((how, time));
        self.errands.clear();
        self.form = Form::default();
        self.link = self.link.map(|(hash, until)| (hash, until.min(time.plus_ms(LINK_AFTER_END_MS))));
        self.note(at, "closed");
    }

    fn apply_to_form(&mut self, around: Around<'_>, at: UnixTime, change: &Change) {
        match change {
            Change::Form { ask, bring, days } => {
                let days = days.iter().map(|(name, days)| (name.0.clone(), days.iter().map(|day| day.0).collect()));
                self.form.days = days.collect();
                self.form.ask = ask.iter().filter_map(|name| around.catalogue.fact_named(name)).collect();
                self.form.bring = bring.iter().map(|document| document.0.clone()).collect();
                self.form.since = Some(self.time(at));
                self.counts.forms += 1;
                self.note(at, "form");
            }
            Change::Answered { facts } => {
                for (name, value) in facts {
                    if let Some(fact) = around.catalogue.fact_named(name) {
                        self.knowledge.answer(fact, value.0.clone());
                        self.form.ask.remove(&fact);
                        self.counts.answered += 1;
                    }
                }
                self.settle_form();
                self.note(at, "answered");
            }
            _ => {}
        }
    }

    fn handed_over(&mut self, around: Around<'_>, at: UnixTime, step: &Text<Code>, handing: Handover) {
        let (to, state, _, message) = handing.clone();
        let mut before = None;
        if let Some(line) = self.line_mut(around, &step.0).filter(|line| !line.state.is_over()) {
            // Whoever will not take it has no part in it.
            line.handing = Some(handing).filter(|_| state != Handing::Refused);
            if state == Handing::Taken {
                before = line.errand.take().map(|errand| errand.message.0);
                (line.state, line.agency, line.again) = (StepState::Idle, Some(to.clone()), None);
                // It has times of its own.
                (line.times, line.visit) = (Vec::new(), None);
            }
        }
        // Whoever did it until now is not heard any more: two do not do it.
        before.iter().for_each(|message| drop(self.errands.remove(message)));
        match (state, message) {
            (Handing::Asked, Some(message)) => {
                let what = Sending::HandOver { step: step.0.clone(), to: to.clone() };
                self.errands.insert(message, Sent { at, what, enclosed: Vec::new() });
            }
            (Handing::Taken | Handing::Refused, Some(message)) => drop(self.errands.remove(&message)),
            _ => {}
        }
        let what = match state {
            Handing::Asked => "handing-over",
            Handing::Taken => "handed-over",
            Handing::Overdue => "hand-over-late",
            Handing::Refused => "hand-over-refused",
        };
        self.note_step(at, what, step, Some(&to));
    }

    fn told(
        &mut self,
        around: Around<'_>,
        at: UnixTime,
        (whom, event): (Whom, &str),
        (step, message): (Option<&Text<Code>>, Option<&Text<MessageId>>),
    ) {
        let step = step.map(|step| step.0.clone());
        let Some(message) = message else {
            let since = self.time(at);
            return self.notices.push(Notice { whom, event: event.to_owned(), step, since, at, is_over: false });
        };
        let to = match whom {
            Whom::Assistant => self.assistant.as_ref().map(|(agency, _)| agency.clone()),
            _ => step.as_ref().and_then(|step| self.line_mut(around, step)?.agency.clone()),
        };
        if let Some(to) = to {
            let what = Sending::Word { to, whom, event: event.to_owned(), step };
            self.errands.insert(message.0, Sent { at, what, enclosed: Vec::new() });
        }
    }

    fn apply_to_document(&mut self, around: Around<'_>, at: UnixTime, change: &Change) {
        let time = self.time(at);
        match change {
            Change::Asked(errand) => self.asked(at, errand),
            Change::Came { document, paper, facts, names } => self.came(around, at, (document, paper), facts, names),
            Change::Absent { document, paper } => {
                self.has_paper(at, document, paper);
                self.knowledge.absent(around.catalogue, around.situation, &document.0);
                self.note_document(at, "absent", document, Some(&paper.from.0));
            }
            Change::Promised { document, by } => {
                if let Some(state) = self.papers.get_mut(&document.0) {
                    state.promised = Some((*by).into());
                }
                self.knowledge.is_late(&document.0);
                self.note_document(at, "promised", document, None);
            }
            Change::NotHad { document, code, again } => {
                self.knowledge.ask(document.0.clone());
                self.knowledge.is_late(&document.0);
                let state = self.papers.entry(document.0.clone()).or_insert_with(|| PaperState::new(time));
                state.again = Some(((*again).into(), code.clone()));
                let message = state.asked.as_ref().map(|errand| errand.message.0);
                message.iter().for_each(|message| drop(self.errands.remove(message)));
                self.note_document(at, "not-had", document, None);
            }
            Change::Late { document } => self.knowledge.is_late(&document.0),
            Change::Silent { document } => {
                self.knowledge.is_silent(document.0.clone());
                self.note_document(at, "silent", document, None);
            }
            Change::Contradicted { document, fact } => {
                self.contradictions.push((document.0.clone(), fact.clone()));
                self.note_document(at, "contradicted", document, None);
            }
            Change::Forgotten { document } => {
                if let Some(state) = self.papers.get_mut(&document.0) {
                    state.is_forgotten = true;
                }
            }
            _ => {}
        }
    }

    fn apply_to_step(&mut self, around: Around<'_>, at: UnixTime, change: &Change) {
        let time = self.time(at);
        let (step, what) = match change {
            Change::Begun { step, .. } => (step, "begun"),
            Change::Offered(errand) => (&errand.step, "offered"),
            Change::NotOffered { step, .. } => (step, "not-offered"),
            Change::Accepted { step, .. } => (step, "accepted"),
            Change::Offers { step, .. } => (step, "times"),
            Change::Done { step } => (step, "done"),
            Change::Refused { step, .. } => (step, "refused"),
            Change::Unusable { step, .. } => (step, "unusable"),
            Change::Half { step } => (step, "half"),
            Change::Overdue { step } => (step, "overdue"),
            Change::Expiring { step, .. } => (step, "expiring"),
            Change::Expired { step } => (step, "expired"),
            _ => return,
        };
        let Some(index) = Self::step_index(around, &step.0) else { return };
        if let Change::Offers { times, .. } = change {
            self.offers(around, index, times);
        }
        let mut line = self.steps.get(usize::from(index.0)).cloned().unwrap_or_default();
        let before = line.errand.as_ref().map(|errand| errand.message.0);
        match change {
            Change::Begun { due, .. } => (line.begun, line.due) = (Some(time), Some((*due).into())),
            Change::Offered(errand) => {
                (line.state, line.agency, line.errand) =
                    (StepState::Offered, Some(errand.agency.0.clone()), Some(errand.clone()));
                (line.offered, line.again) = (line.offered.or(Some(time)), None);
                line.tries = errand.tries.saturating_add(1);
                before.iter().for_each(|message| drop(self.errands.remove(message)));
                let enclosed = self.enclosed(errand);
                self.errands.insert(errand.message.0, Sent { at, what: Sending::Task(errand.clone()), enclosed });
            }
            Change::NotOffered { code, again, .. } | Change::Unusable { code, again, .. } => {
                (line.state, line.again) = (StepState::Idle, Some(((*again).into(), code.clone())));
                before.iter().for_each(|message| drop(self.errands.remove(message)));
            }
            Change::Offers { .. } => before.iter().for_each(|message| drop(self.errands.remove(message))),
            Change::Accepted { by, .. } => {
                (line.state, line.promised) = (StepState::Accepted, by.map(UnixTime::from).or(line.promised));
            }
            Change::Done { .. } | Change::Refused { .. } | Change::Expired { .. } => {
                line.state = match change {
                    Change::Done { .. } => StepState::Done,
                    Change::Refused { .. } => StepState::Refused,
                    _ => StepState::Expired,
                };
                line.over = Some(time);
                if let Change::Refused { reason, .. } = change {
                    line.reason.clone_from(reason);
                }
                self.knowledge.over(index);
                before.iter().for_each(|message| drop(self.errands.remove(message)));
                // Nobody can take over what is over.
                self.errands.retain(|_, sent| !matches!(&sent.what, Sending::HandOver { step: other, .. } if *other == step.0));
            }
            Change::Half { .. } => line.is_half = true,
            Change::Overdue { .. } => line.is_overdue = true,
            Change::Expiring { times, .. } => line.expiring = *times,
            _ => {}
        }
        let agency = line.agency.clone();
        if let Some(place) = self.steps.get_mut(usize::from(index.0)) {
            *place = line;
        }
        self.note_step(at, what, step, agency.as_ref());
    }

    fn enclosed(&self, errand: &Errand) -> Vec<Enclosed> {
        let enclosed = errand.enclosed.iter().filter_map(|document| {
            let (document, paper) = (document.0.clone(), self.paper(&document.0)?.clone());
            Some(Enclosed { is_there: self.knowledge.is_here(&document), document, paper })
        });
        enclosed.collect()
    }

    fn asked(&mut self, at: UnixTime, errand: &Errand) {
        let Some(document) = &errand.document else { return };
        let time = self.time(at);
        self.knowledge.ask_again(document.0.clone());
        let state = self.papers.entry(document.0.clone()).or_insert_with(|| PaperState::new(time));
        let before = state.asked.as_ref().map(|errand| errand.message.0);
        (state.asked, state.at, state.again) = (Some(Box::new(errand.clone())), time, None);
        state.tries = errand.tries.saturating_add(1);
        before.iter().for_each(|message| drop(self.errands.remove(message)));
        let what = Sending::Ask(Box::new(errand.clone()));
        self.errands.insert(errand.message.0, Sent { at, what, enclosed: Vec::new() });
        self.note_document(at, "asked", document, Some(&errand.agency.0));
    }

    fn came(
        &mut self,
        around: Around<'_>,
        at: UnixTime,
        (document, paper): (&Text<DocumentOf>, &Paper),
        facts: &[(String, Said)],
        names: &[Text<Code>],
    ) {
        self.has_paper(at, document, paper);
        let known = facts.iter().filter_map(|(name, said)| Some((around.catalogue.fact_named(name)?, said.0.clone())));
        let content = Recalled { facts: known.collect(), names };
        self.knowledge.found(around.catalogue, around.situation, &document.0, &content);
        self.form.bring.remove(&document.0);
        self.settle_form();
        match paper.way {
            Came::Start => {}
            Came::Fetched => self.counts.fetched += 1,
            Came::Made => self.counts.made += 1,
            Came::Brought => self.counts.brought += 1,
        }
        self.note_document(at, "came", document, Some(&paper.from.0));
    }

    fn has_paper(&mut self, at: UnixTime, document: &Text<DocumentOf>, paper: &Paper) {
        let time = self.time(at);
        let state = self.papers.entry(document.0.clone()).or_insert_with(|| PaperState::new(time));
        (state.paper, state.again, state.promised, state.is_forgotten) = (Some(paper.clone()), None, None, false);
        let message = state.asked.as_ref().map(|errand| errand.message.0);
        message.iter().for_each(|message| drop(self.errands.remove(message)));
    }

    fn settle_form(&mut self) {
        if self.form.ask.is_empty() && self.form.bring.is_empty() && self.form.days.is_empty() {
            self.form.since = None;
        }
    }
}

impl PaperState {
    fn new(time: UnixTime) -> Self {
        Self { paper: None, asked: None, since: time, at: time, promised: None, again: None, tries: 0, is_forgotten: false }
    }
}

impl StepLine {
    /// Whether it is an agency's, or may become so.
    fn concerns(&self, agency: &AgencyId) -> bool {
        self.agency.as_ref() == Some(agency) || self.handing.as_ref().is_some_and(|(to, ..)| to == agency)
    }
}

impl StepState {
    const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Refused | Self::Expired)
    }
}

/// How long a personal link shows a case that is over: 90 days.
const LINK_AFTER_END_MS: u64 = 90 * 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests;
