//! What people and agencies ask of a case, and the documents in which a case speaks to agencies.

use super::Whom;
use super::change::{Came, Change, Contact, Ending, Errand, Handing, Paper, Said, Text, Visit, Written};
use super::forward::Ids;
use super::paper::{PaperOf, Reading};
use super::visits::is_choice;
use super::{Around, Case, Enclosed, Sending, Sent};
use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::{AgencyId, Code, MessageId, Region, Uuid};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::exchange::admission::same_subject;
use crate::message::envelope::{Ask, Subject, write_subject};
use crate::message::schema::FieldPath;
use crate::message::xml::Writer;
use crate::rules::condition::Value;
use crate::rules::registry::Action;
use crate::rules::situation::plan::Stage;
use crate::rules::situation::{DocumentOf, Keeper, Level, Situation, StepIndex};

/// What is asked of a case, or that one is begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Of which case; none if one is to begin.
    pub case: Option<Uuid>,
    /// What.
    pub of: OrderOf,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderOf {
    /// That it begins.
    Begin {
        /// The situation.
        situation: Code,
        /// By which way it is applied for.
        channel: Code,
        /// Where.
        region: Option<Region>,
        /// Whom it is about beside its subject, by their roles.
        others: Vec<(Code, Subject)>,
        /// Where the citizen is reached.
        contact: Option<Contact>,
        /// What the citizen says, by the names of the facts.
        answers: Vec<(String, String)>,
    },
    /// What the citizen says.
    Answer(Vec<(String, String)>),
    /// Documents that the citizen brings come with it.
    Bring,
    /// It is taken back.
    Withdraw,
    /// Somebody looks after it.
    Assistant(AgencyId, Option<String>),
    /// Another agency is to do a step.
    HandOver(Code, AgencyId),
    /// The agency of a step is reminded.
    Remind(Code),
    /// Where the citizen is reached.
    Contact(Contact),
    /// The citizen gets a new personal link; the one before ends.
    Link,
}

/// The document with which a case is begun.
pub const APPLICATION: &str = "case-application";
/// The document with which something is asked of a case.
pub const ORDER: &str = "case-order";

impl Order {
    /// Whether documents of a type are orders.
    pub fn is_order(document: &Code) -> bool {
        matches!(document.as_str(), APPLICATION | ORDER)
    }

    /// Reads what a message asks.
    pub fn read(reading: &Reading) -> Result<Self, Fault> {
        let of =
            |name: &str| Code::parse(name).and_then(|name| reading.documents().find(|paper| paper.facts.document_type == name));
        let wrong = || Fault::new(FaultCode::MsgValue);
        if let Some(paper) = of(APPLICATION) {
            let region = paper.text("Region").map(|text| Region::parse(text).ok_or_else(wrong)).transpose()?;
            let code = |path: &str| paper.text(path).and_then(Code::parse).ok_or_else(wrong);
            let begin = OrderOf::Begin {
                situation: code("Situation")?,
                channel: code("Channel")?,
                region,
                others: others(paper),
                contact: contact(paper)?,
                answers: answers(paper),
            };
            return Ok(Self { case: None, of: begin });
        }
        let paper = of(ORDER).ok_or_else(wrong)?;
        let case = paper.text("Case").and_then(Uuid::parse).ok_or_else(wrong)?;
        let code = |path: &str| paper.text(path).and_then(Code::parse).ok_or_else(wrong);
        let agency = |path: &str| paper.text(path).and_then(AgencyId::parse).ok_or_else(wrong);
        let has = |path: &str| paper.text(path).is_some();
        let of = if has("Answer") {
            OrderOf::Answer(answers(paper))
        } else if has("Withdraw") {
            OrderOf::Withdraw
        } else if has("Assistant") {
            OrderOf::Assistant(agency("Assistant/Agency")?, paper.text("Assistant/Name").map(str::to_owned))
        } else if has("HandOver") {
            OrderOf::HandOver(code("HandOver/Step")?, agency("HandOver/To")?)
        } else if has("Remind") {
            OrderOf::Remind(code("Remind/Step")?)
        } else if has("Contact") {
            OrderOf::Contact(contact(paper)?.ok_or_else(wrong)?)
        } else if has("Link") {
            OrderOf::Link
        } else {
            OrderOf::Bring
        };
        Ok(Self { case: Some(case), of })
    }
}

fn answers(paper: PaperOf<'_>) -> Vec<(String, String)> {
    let all = paper.texts("Answer");
    let named = all.filter_map(|(text, place)| Some((paper.text(&format!("{place}/@fact"))?.to_owned(), text.to_owned())));
    named.take(limits::CASE_ANSWERS_MAX).collect()
}

/// Those whom an application names, each in its role.
fn others(paper: PaperOf<'_>) -> Vec<(Code, Subject)> {
    let roles = paper.texts("Other").filter_map(|(_, place)| Code::parse(paper.text(&format!("{place}/@role"))?));
    roles.zip(paper.subjects_as("other")).collect()
}

fn contact(paper: PaperOf<'_>) -> Result<Option<Contact>, Fault> {
    if paper.text("Contact").is_none() {
        return Ok(None);
    }
    let ahead = paper.text("Contact/AheadMinutes").map(|text| text.parse().map_err(|_| Fault::new(FaultCode::MsgValue)));
    Ok(Some(Contact {
        address: paper.text("Contact/Address").map(str::to_owned),
        language: paper.text("Contact/Language").map(str::to_owned),
        ahead_minutes: ahead.transpose()?,
    }))
}

/// What somebody may do with a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It applied, or it coordinates.
    Applicant,
    /// It looks after it.
    Assistant,
    /// It does a step.
    Agency,
}

impl Case {
    fn standing(&self, agency: &AgencyId) -> Option<Standing> {
        let applied = self.opening.start == super::StartedBy::Application && self.opening.by.0 == *agency;
        let joined = self.timeline.iter().any(|event| event.what == "joined" && event.agency.as_ref() == Some(agency));
        if applied || joined || self.opening.coordinator.0 == *agency {
            return Some(Standing::Applicant);
        }
        if self.assistant.as_ref().is_some_and(|(assistant, _)| assistant == agency) {
            return Some(Standing::Assistant);
        }
        self.steps.iter().any(|line| line.concerns(agency)).then_some(Standing::Agency)
    }

    /// Whether an agency has a part in it.
    pub fn has_part(&self, agency: &AgencyId) -> bool {
        self.standing(agency).is_some()
    }

    /// Whether an agency sees all steps, and not its own alone.
    pub fn sees_all(&self, agency: &AgencyId) -> bool {
        matches!(self.standing(agency), Some(Standing::Applicant | Standing::Assistant))
    }

    /// The changes that an order brings about.
    pub fn order(
        &self,
        around: Around<'_>,
        by: &AgencyId,
        order: &OrderOf,
        reading: &Reading,
        ids: Ids<'_>,
    ) -> Result<Vec<Change>, Fault> {
        // Whether there is such a case is nothing to tell strangers.
        let standing = self.standing(by).ok_or_else(|| Fault::new(FaultCode::CasUnknown))?;
        let about = reading.message.context.as_ref().map(|context| &context.subject);
        if about.is_some_and(|about| *about != Subject::default() && !same_subject(about, &self.subject())) {
            return Err(Fault::at(FaultCode::CasUnknown, "the case is about somebody else than the Context"));
        }
        if self.is_over() && !matches!(order, OrderOf::Link | OrderOf::Contact(_)) {
            return Err(Fault::new(FaultCode::CasOver));
        }
        let may = match order {
            OrderOf::HandOver(step, _) => standing != Standing::Agency || self.does(around, step, by),
            OrderOf::Remind(_) | OrderOf::Contact(_) => standing != Standing::Agency,
            _ => standing == Standing::Applicant,
        };
        if !may {
            return Err(Fault::new(FaultCode::CasParty));
        }
        let changes = match order {
            OrderOf::Begin { .. } => Vec::new(),
            OrderOf::Answer(answers) => {
                let (days, facts): (Vec<_>, Vec<_>) = answers.iter().cloned().partition(|(name, _)| is_choice(name));
                let mut changes = self.choices(around, &days)?;
                if !facts.is_empty() {
                    changes.push(self.answered(around, &facts)?);
                }
                changes
            }
            OrderOf::Bring => self.brought(around, reading)?,
            OrderOf::Withdraw => self.forgotten().chain([Change::Closed { how: Ending::Withdrawn, invited: None }]).collect(),
            OrderOf::Assistant(agency, name) => {
                if around.registry.find(agency).is_none() {
                    return Err(Fault::at(FaultCode::CasStep, format!("no agency is called {agency}")));
                }
                vec![Change::Assistant { agency: Text(agency.clone()), name: name.clone() }]
            }
            OrderOf::HandOver(step, to) => vec![self.hand_over(around, step, to, ids)?],
            OrderOf::Remind(step) => vec![self.remind(around, step, ids)?],
            OrderOf::Contact(contact) => vec![Change::Contact { contact: contact.clone() }],
            OrderOf::Link => Vec::new(),
        };
        Ok(self.with_notices(around, changes, ids))
    }

    /// The changes that a curator brings about, who is no party: reminding the agency of a step, and asking another to take it.
    pub fn curated(&self, around: Around<'_>, order: &OrderOf, ids: Ids<'_>) -> Result<Vec<Change>, Fault> {
        if self.is_over() {
            return Err(Fault::new(FaultCode::CasOver));
        }
        let change = match order {
            OrderOf::Remind(step) => self.remind(around, step, ids)?,
            OrderOf::HandOver(step, to) => self.hand_over(around, step, to, ids)?,
            _ => return Err(Fault::new(FaultCode::CasParty)),
        };
        Ok(self.with_notices(around, vec![change], ids))
    }

    fn does(&self, around: Around<'_>, step: &Code, agency: &AgencyId) -> bool {
        let line = Self::step_index(around, step).and_then(|index| self.line(index));
        line.is_some_and(|line| line.agency.as_ref() == Some(agency))
    }

    /// What the citizen says: of its kind, and asked.
    pub fn answered(&self, around: Around<'_>, answers: &[(String, String)]) -> Result<Change, Fault> {
        let mut facts = Vec::with_capacity(answers.len());
        for (name, text) in answers {
            let fact = around.catalogue.fact_named(name).filter(|fact| self.form.ask.contains(fact));
            let fact = fact.ok_or_else(|| Fault::at(FaultCode::CasAnswer, format!("{name} was not asked")))?;
            facts.push((name.clone(), said(around, fact, name, text)?));
        }
        Ok(Change::Answered { facts })
    }

    /// What comes with an application: of its kind, and what a citizen may be asked at all.
    pub fn told_at_start(around: Around<'_>, answers: &[(String, String)]) -> Result<Vec<(String, Said)>, Fault> {
        let mut facts = Vec::with_capacity(answers.len());
        for (name, text) in answers {
            let fact = around.catalogue.fact_named(name);
            let asked =
                fact.filter(|fact| around.catalogue.fact(*fact).is_some_and(|fact| fact.ask.is_some() && fact.source.is_none()));
            let fact =
                asked.ok_or_else(|| Fault::at(FaultCode::CasAnswer, format!("{name} is nothing that a citizen is asked")))?;
            facts.push((name.clone(), said(around, fact, name, text)?));
        }
        Ok(facts)
    }

    /// Those whom an application has to name beside its subject: each role that no document says, and no other.
    pub fn named_at_start(situation: &Situation, others: &[(Code, Subject)]) -> Result<Vec<Change>, Fault> {
        let wrong = |why: String| Fault::at(FaultCode::CasSituation, why);
        let wanted = || situation.roles.iter().skip(1).filter(|role| role.found_in.is_empty()).map(|role| &role.name);
        if let Some((role, _)) = others.iter().find(|(role, _)| !wanted().any(|wanted| wanted == role)) {
            return Err(wrong(format!("{} takes nobody from an application as {role}", situation.id)));
        }
        let named = wanted().map(|role| {
            let mut found = others.iter().filter(|(other, _)| other == role);
            match (found.next(), found.next()) {
                (Some((_, subject)), None) => Ok(Change::Person { role: Text(role.clone()), subject: Written::from(subject) }),
                (None, _) => {
                    Err(wrong(format!("{} is about the {role} as well: name them in Other role=\"{role}\"", situation.id)))
                }
                (Some(_), Some(_)) => Err(wrong(format!("there is one {role} in {}, and two are named", situation.id))),
            }
        });
        named.collect()
    }

    /// Documents that the citizen brings: those that were asked for, about those whom they are to be about.
    fn brought(&self, around: Around<'_>, reading: &Reading) -> Result<Vec<Change>, Fault> {
        let mut changes = Vec::new();
        for paper in reading.documents().filter(|paper| !Order::is_order(&paper.facts.document_type)) {
            let what = &paper.facts.document_type;
            let mut asked = self.form.bring.iter().filter(|document| document.document == *what).peekable();
            if asked.peek().is_none() {
                return Err(Fault::at(FaultCode::CasDocument, format!("{what} was not asked for")));
            }
            let is_of = |document: &&DocumentOf| self.is_of(&document.role, paper);
            let nobody = || Fault::at(FaultCode::CasDocument, format!("{what} is about nobody whom it was asked for about"));
            let document = asked.find(is_of).ok_or_else(nobody)?;
            changes.extend(self.has_come(around, document, reading, paper, Came::Brought));
        }
        if changes.is_empty() {
            return Err(Fault::at(FaultCode::CasDocument, "no document came with it"));
        }
        Ok(changes)
    }

    fn hand_over(&self, around: Around<'_>, step: &Code, to: &AgencyId, ids: Ids<'_>) -> Result<Change, Fault> {
        let wrong = |why: String| Fault::at(FaultCode::CasStep, why);
        let index = Self::step_index(around, step).ok_or_else(|| wrong(format!("the situation has no step {step}")))?;
        let line = self.line(index).filter(|line| !line.state.is_over());
        let line = line.ok_or_else(|| wrong(format!("the step {step} is over")))?;
        if matches!(line.handing, Some((_, Handing::Asked, ..))) {
            return Err(wrong(format!("another agency is asked to take the step {step} already")));
        }
        if let Some(document) = self.first_without_right(around, index, to) {
            return Err(wrong(format!("{to} has no grant for {document}, which the step needs")));
        }
        if line.agency.as_ref() == Some(to) {
            return Err(wrong(format!("{to} does the step {step} already")));
        }
        if around.registry.find(to).is_none() {
            return Err(wrong(format!("no agency is called {to}")));
        }
        let until = self.time(around.now).plus_ms(HAND_OVER_MS).into();
        let message = Some(Text(ids()));
        Ok(Change::HandedOver {
            step: Text(step.clone()),
            to: Text(to.clone()),
            message,
            until: Some(until),
            state: Handing::Asked,
        })
    }

    /// The first document that a step needs and an agency may not have.
    fn first_without_right(&self, around: Around<'_>, step: StepIndex, to: &AgencyId) -> Option<Code> {
        let to = around.registry.find(to)?;
        let may_have = |document: &Code| {
            let mut grants = around.registry.grants_of(to, document);
            around.registry.is_holder(to, document) || grants.any(|(_, grant)| grant.action == Action::Read)
        };
        let is_fetched =
            |document: &Code| around.catalogue.documents().get(document).is_some_and(|known| known.holder != Keeper::Applicant);
        let needs = around.situation.step(step)?.needs.iter().map(|need| &need.document.document);
        needs.into_iter().find(|document| is_fetched(document) && !may_have(document)).cloned()
    }

    fn remind(&self, around: Around<'_>, step: &Code, ids: Ids<'_>) -> Result<Change, Fault> {
        let index = Self::step_index(around, step);
        let line = index.and_then(|index| self.line(index)).filter(|line| line.agency.is_some() && !line.state.is_over());
        if line.is_none() {
            return Err(Fault::at(FaultCode::CasStep, format!("nobody is at work at the step {step}")));
        }
        let message = Some(Text(ids()));
        Ok(Change::Told { whom: Whom::Agency, event: "reminder".to_owned(), step: Some(Text(step.clone())), message })
    }
}

fn said(around: Around<'_>, fact: crate::rules::condition::FactIndex, name: &str, text: &str) -> Result<Said, Fault> {
    let known = around.catalogue.fact(fact);
    let value = known.and_then(|known| Value::parse(known.kind, text));
    let kind = known.map_or(crate::rules::condition::Kind::Text, |known| known.kind);
    value.map(Said).ok_or_else(|| Fault::at(FaultCode::CasAnswer, format!("{name} is {kind}")))
}

/// A message that a case sends, ready to be signed, but for its sender.
pub struct Made {
    /// Its id.
    pub id: MessageId,
    /// To whom, if not to whoever holds the document.
    pub to: Option<AgencyId>,
    /// The document that it asks for, or the markup that it brings.
    pub body: MadeBody,
    /// When it was made.
    pub at: UnixTime,
    /// Until when it holds.
    pub expires: UnixTime,
    /// Whom it is about.
    pub subject: Subject,
    /// On whose behalf it is asked.
    pub behalf: Option<AgencyId>,
    /// The step.
    pub step: Option<Code>,
    /// What for, and by which law; none where that of the first grant counts.
    pub grounds: Option<(Code, String)>,
    /// Documents that go along.
    pub enclosed: Vec<DocumentOf>,
    /// The signed messages that they came in, in the same order.
    pub papers: Vec<Paper>,
}

/// What a message of a case brings.
pub enum MadeBody {
    /// A question.
    Ask(Ask),
    /// The document of a task.
    Task(String),
}

impl Case {
    /// A message that is under way, as it was made: the same each time.
    pub fn made(&self, around: Around<'_>, id: MessageId, sent: &Sent) -> Option<Made> {
        let step_of = |step: &Code| around.situation.steps.iter().find(|known| known.id == *step);
        match &sent.what {
            Sending::Ask(errand) => self.question(id, sent, errand),
            Sending::Task(errand) => self.step_task(around, id, sent, errand),
            Sending::HandOver { step, to } => {
                let known = step_of(step)?;
                let title = known.title.in_language("en");
                let task =
                    Task { step: Some(step), service: Some(&known.service), ..Task::of("handover", title, self.subject()) };
                Some(self.word(around, (id, sent), (to, Whom::Agency, Some(step)), task))
            }
            Sending::Word { to, whom, event, step } => {
                let title = step.as_ref().and_then(step_of).map_or(&around.situation.title, |step| &step.title);
                let kind = if event == "reminder" { "reminder" } else { "notice" };
                let task =
                    Task { step: step.as_ref(), note: Some(event), ..Task::of(kind, title.in_language("en"), self.subject()) };
                Some(self.word(around, (id, sent), (to, *whom, step.as_ref()), task))
            }
        }
    }

    fn question(&self, id: MessageId, sent: &Sent, errand: &Errand) -> Option<Made> {
        let ask = Ask {
            document_type: errand.document.as_ref()?.0.document.clone(),
            of: errand.of.as_ref().map(|of| of.0.clone()),
            select: errand.select.iter().filter_map(|path| FieldPath::parse(path)).collect(),
            during: None,
        };
        Some(Made {
            id,
            to: None,
            body: MadeBody::Ask(ask),
            at: sent.at,
            expires: errand.expires.into(),
            subject: self.people.get(&errand.by.as_ref()?.0)?.clone(),
            behalf: Some(errand.agency.0.clone()).filter(|agency| *agency != self.opening.coordinator.0),
            step: Some(errand.step.0.clone()),
            grounds: Some((errand.purpose.0.clone(), errand.basis.clone())),
            enclosed: Vec::new(),
            papers: Vec::new(),
        })
    }

    fn step_task(&self, around: Around<'_>, id: MessageId, sent: &Sent, errand: &Errand) -> Option<Made> {
        let step = around.situation.steps.iter().find(|step| step.id == errand.step.0)?;
        let is_partner = around.catalogue.offices().get(&step.office).is_some_and(|office| office.level == Level::Partner);
        let task = Task {
            step: Some(&step.id),
            service: Some(&step.service),
            due: errand.due.map(Into::into),
            enclosed: &sent.enclosed,
            shown: &errand.shown,
            visit: match errand.visit {
                Some(Visit::At(at)) => Some(at.into()),
                _ => None,
            },
            ..Task::of(
                if errand.visit == Some(Visit::ToBeOffered) { "times" } else { "step" },
                step.title.in_language("en"),
                self.subject(),
            )
        };
        // A partner is told what to do, and not for whom.
        let task = if is_partner { Task { about: None, ..task } } else { task };
        let body = MadeBody::Task(self.task(&task));
        Some(Made {
            id,
            to: Some(errand.agency.0.clone()),
            body,
            at: sent.at,
            expires: errand.expires.into(),
            subject: if is_partner { Subject::default() } else { self.subject() },
            behalf: None,
            step: Some(errand.step.0.clone()),
            grounds: Some((errand.purpose.0.clone(), errand.basis.clone())),
            enclosed: sent.enclosed.iter().map(|enclosed| enclosed.document.clone()).collect(),
            papers: sent.enclosed.iter().map(|enclosed| enclosed.paper.clone()).collect(),
        })
    }

    fn word(
        &self,
        around: Around<'_>,
        (id, sent): (MessageId, &Sent),
        (to, whom, step): (&AgencyId, Whom, Option<&Code>),
        task: Task<'_>,
    ) -> Made {
        let known = step.and_then(|step| around.situation.steps.iter().find(|known| known.id == *step));
        let office = known.and_then(|step| around.catalogue.offices().get(&step.office));
        // A partner is not told of whom.
        let is_partner = whom != Whom::Assistant && office.is_some_and(|office| office.level == Level::Partner);
        let task = if is_partner { Task { about: None, ..task } } else { task };
        Made {
            id,
            to: Some(to.clone()),
            body: MadeBody::Task(self.task(&task)),
            at: sent.at,
            expires: sent.at.plus_ms(WORD_MS),
            subject: if is_partner { Subject::default() } else { self.subject() },
            behalf: None,
            step: step.cloned(),
            grounds: None,
            enclosed: Vec::new(),
            papers: Vec::new(),
        }
    }

    /// The document of a task, in canonical form.
    fn task(&self, task: &Task<'_>) -> String {
        let mut out = Writer::new();
        out.open("CaseTask", &[("xmlns", "urn:oncegate:doc:case-task:1")]);
        out.leaf("Case", &self.id.to_string()).leaf("Kind", task.kind);
        out.leaf("Situation", self.opening.situation.0.as_str()).leaf("Version", &self.opening.version);
        out.leaf_if("Region", self.region().map(Region::as_str));
        out.leaf_if("Step", task.step.map(Code::as_str)).leaf_if("Service", task.service.map(Code::as_str));
        out.leaf("Title", task.title).leaf_if("Due", task.due.map(|due| due.to_string()).as_deref());
        out.leaf_if("Visit", task.visit.map(|at| at.to_string()).as_deref());
        if let Some(about) = &task.about {
            out.open("About", &[]);
            write_subject(about, "Person", &mut out);
            out.close();
        }
        for (number, Enclosed { document, paper, is_there }) in task.enclosed.iter().enumerate() {
            let id = enclosure(number);
            let attributes = [
                ("documentType", document.document.as_str()),
                ("from", paper.from.0.as_str()),
                ("id", id.as_str()),
                ("is", if *is_there { "document" } else { "no-record" }),
                ("messageId", &paper.message.0.to_string()),
                ("role", document.role.as_str()),
                ("sha256", &paper.sha256.0.to_string()),
            ];
            out.leaf_with("Enclosed", &attributes, "");
        }
        for (name, text) in task.shown {
            out.leaf_with("Fact", &[("name", name)], text);
        }
        out.leaf_if("Note", task.note.map(String::as_str)).close();
        out.finish()
    }

    /// How far a case is, as a document: what whoever applied gets as an answer.
    pub fn state_document(&self, around: Around<'_>, link: Option<&str>) -> String {
        let plan = self.plan(around);
        let mut out = Writer::new();
        out.open("CaseState", &[("xmlns", "urn:oncegate:doc:case-state:1")]);
        out.leaf("Case", &self.id.to_string());
        out.leaf("Situation", self.opening.situation.0.as_str()).leaf("Version", &self.opening.version);
        out.leaf("State", self.ended.map_or("open", |(how, _)| how.as_str()));
        out.leaf_if("Link", link);
        for ((step, line), planned) in around.situation.steps.iter().zip(&self.steps).zip(&plan.steps) {
            if planned.stage == Stage::Off {
                continue;
            }
            let due = line.due.map(|due| due.to_string());
            let mut attributes = due.as_deref().map_or_else(Vec::new, |due| vec![("due", due)]);
            attributes.extend([("id", step.id.as_str()), ("state", super::view::word(line, planned.stage))]);
            out.leaf_with("Step", &attributes, "");
        }
        for fact in self.form.ask.iter().filter_map(|fact| around.catalogue.fact(*fact)) {
            out.leaf_with("Ask", &[("fact", &fact.name), ("kind", fact.kind.as_str())], "");
        }
        for (appointment, days) in self.choosable(around) {
            out.open("Choose", &[("appointment", appointment.as_str())]);
            days.iter().for_each(|day| _ = out.leaf("Day", &day.to_string()));
            out.close();
        }
        for document in &self.form.bring {
            out.leaf_with("Bring", &[("documentType", document.document.as_str()), ("role", document.role.as_str())], "");
        }
        out.close();
        out.finish()
    }
}

/// What an agency is asked or told.
struct Task<'t> {
    kind: &'t str,
    step: Option<&'t Code>,
    service: Option<&'t Code>,
    title: &'t str,
    due: Option<UnixTime>,
    about: Option<Subject>,
    enclosed: &'t [Enclosed],
    shown: &'t [(String, String)],
    note: Option<&'t String>,
    visit: Option<UnixTime>,
}

impl<'t> Task<'t> {
    fn of(kind: &'t str, title: &'t str, about: Subject) -> Self {
        Self {
            kind,
            step: None,
            service: None,
            title,
            due: None,
            about: Some(about),
            enclosed: &[],
            shown: &[],
            note: None,
            visit: None,
        }
    }
}

/// The name of the so-manyth enclosed message.
pub fn enclosure(number: usize) -> String {
    format!("d{}", number + 1)
}

/// The document with which an agency says how a step ended; for those that make none.
pub fn outcome_document(case: &Uuid, step: &Code, state: &str, reason: Option<&str>) -> String {
    let mut out = Writer::new();
    out.open("CaseOutcome", &[("xmlns", "urn:oncegate:doc:case-outcome:1")]);
    out.leaf("Case", &case.to_string()).leaf("Step", step.as_str()).leaf("State", state).leaf_if("Reason", reason).close();
    out.finish()
}

/// The document with which an agency says when a step can be attended.
pub fn times_document(case: &Uuid, step: &Code, times: &[(UnixTime, UnixTime)]) -> String {
    let mut out = Writer::new();
    out.open("CaseOutcome", &[("xmlns", "urn:oncegate:doc:case-outcome:1")]);
    out.leaf("Case", &case.to_string()).leaf("Step", step.as_str()).leaf("State", "times");
    for (from, until) in times {
        out.leaf_with("Slot", &[("from", &from.to_string()), ("until", &until.to_string())], "");
    }
    out.close();
    out.finish()
}

/// How long another agency has to take over a step: two days.
const HAND_OVER_MS: u64 = 2 * 24 * 60 * 60 * 1000;
/// How long a word to an agency waits for it: seven days.
const WORD_MS: u64 = 7 * 24 * 60 * 60 * 1000;
