//! What comes next in a case: by its plan, its terms, and what nobody has answered.

use super::change::{Change, Ending, Errand, Handing, Text, Visit, Whom};
use super::survey::SURVEY;
use super::{Around, Case, PaperState, StepLine, StepState};
use crate::base::ids::{AgencyId, Code, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::schema::{DocumentType, FieldPath, SubjectKind};
use crate::rules::condition::{FactIndex, Value};
use crate::rules::registry::{Action, Grant};
use crate::rules::situation::plan::{Origin, Plan, Planned, Stage, Wait};
use crate::rules::situation::{Channel, DocumentOf, Expiry, Fallback, Level, Notice as About, Step, StepIndex};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The document with which a step is offered to its agency.
pub const TASK: &str = "case-task";

/// Gives message ids.
pub type Ids<'i> = &'i mut dyn FnMut() -> MessageId;

impl Case {
    /// The changes that come next. They are taken, and this is asked again, until there are none.
    pub fn forward(&self, around: Around<'_>, ids: Ids<'_>) -> Vec<Change> {
        if self.is_over() {
            return Vec::new();
        }
        let plan = self.plan(around);
        let next = Next { case: self, around, plan: &plan, time: self.time(around.now) };
        let mut changes = Vec::new();
        next.fetch(&mut changes, ids);
        next.steps(&mut changes, ids);
        next.silence(&mut changes);
        next.form(&mut changes);
        if changes.is_empty() {
            changes = match next.end() {
                Some(end) => self.forgotten().chain([end]).collect(),
                None => next.forget(),
            };
        }
        self.with_notices(around, changes, ids)
    }

    /// When there is something to do in it if nothing happens before, by everybody's clock, for whoever may lose messages: it is looked
    /// after those of which nothing was heard.
    pub fn wakes(&self, around: Around<'_>) -> Option<UnixTime> {
        let resend = (!self.errands.is_empty() && !self.is_over()).then(|| around.now.plus_ms(LOOK_MS));
        [self.wakes_by_itself(around), resend].into_iter().flatten().min()
    }

    /// The same for whoever knows that its messages have gone out.
    pub fn wakes_by_itself(&self, around: Around<'_>) -> Option<UnixTime> {
        if self.is_over() {
            return self.next_notice(around.now);
        }
        let mut times: Vec<UnixTime> = Vec::new();
        for (index, line) in self.steps.iter().enumerate() {
            let step = around.situation.steps.get(index);
            let is_open = !line.state.is_over();
            times.extend(line.again.as_ref().filter(|_| is_open).map(|(at, _)| *at));
            if let (Some(begun), Some(due), true) = (line.begun, line.due, is_open) {
                times.extend((!line.is_half).then(|| half(begun, due)));
                times.extend((!line.is_overdue).then_some(due));
            }
            if let (Some((_, Handing::Asked, Some(until), _)), true) = (&line.handing, is_open) {
                times.push(*until);
            }
            if let (Some(expiry), true) = (step.and_then(|step| step.expires), is_open) {
                times.extend(self.expiry(around, expiry).and_then(|(start, end)| next_warning(start, end, line.expiring)));
            }
        }
        for (document, state) in &self.papers {
            if state.paper.is_some() {
                continue;
            }
            times.extend(state.again.as_ref().map(|(at, _)| *at));
            if self.knowledge.is_asked(document) {
                times.push(state.since.plus_ms(self.own_ms(LATE_MS)));
            }
            times.extend(self.falls_back(around, document));
        }
        times.extend(self.form.since.map(|since| since.plus_ms(FORM_MS)));
        times.extend(self.days_end(around));
        let time = self.time(around.now);
        // What is past and was not done waits for something else.
        let next = times.into_iter().filter(|at| *at > time).min().map(|at| self.real(at));
        [next, self.next_notice(around.now)].into_iter().flatten().min()
    }

    /// Whoever drives cases knows when a notice goes out; it is looked after for the case that it has forgotten.
    fn next_notice(&self, now: UnixTime) -> Option<UnixTime> {
        self.notices.iter().any(|notice| !notice.is_over).then(|| now.plus_ms(NOTICE_MS))
    }

    /// So many milliseconds of everybody's clock, by the case's.
    pub(super) fn own_ms(&self, ms: u64) -> u64 {
        ms.saturating_mul(u64::from(self.opening.pace))
    }

    /// When something is asked again that failed so often.
    pub(super) fn again(&self, now: UnixTime, tries: u32) -> UnixTime {
        let pause = (AGAIN_MS << tries.min(10)).min(AGAIN_MS_MAX);
        self.time(now).plus_ms(self.own_ms(pause))
    }

    /// When the citizen is asked for a document whose holder is silent: half of the term of the first step that says so.
    fn falls_back(&self, around: Around<'_>, document: &DocumentOf) -> Option<UnixTime> {
        let steps = around.situation.steps.iter().zip(&self.steps);
        let waiting = steps.filter(|(step, line)| {
            let needs = step.needs.iter().any(|need| need.document == *document);
            needs && step.fallback == Fallback::AskApplicant && !line.state.is_over()
        });
        waiting.filter_map(|(_, line)| Some(half(line.begun?, line.due?))).min()
    }

    fn expiry(&self, around: Around<'_>, expiry: Expiry) -> Option<(UnixTime, UnixTime)> {
        let (value, _) = self.knowledge.known(expiry.from)?;
        let Value::Date(day) = value else { return None };
        let calendar = around.catalogue.calendar(self.region())?;
        let start = calendar.at(*day, 0);
        Some((start, expiry.after.end(start, calendar)))
    }

    /// The agency that does a step: whoever took it over, or the desk that does it, or whose it is.
    pub(super) fn agency_of(&self, around: Around<'_>, index: StepIndex, step: &Step) -> Option<AgencyId> {
        let handed = self.line(index).and_then(|line| line.handing.as_ref()).filter(|(_, state, ..)| *state == Handing::Taken);
        if let Some((agency, ..)) = handed {
            return Some(agency.clone());
        }
        let office = match &step.channel {
            Channel::OneStop(desk) => desk,
            Channel::Online | Channel::InPerson => &step.office,
        };
        self.office(around, office, step)
    }

    /// The agency of an office for this case: the one that a document names, or the only one of the region.
    fn office(&self, around: Around<'_>, office: &Code, step: &Step) -> Option<AgencyId> {
        if let Some(at) = step.at.as_ref().filter(|_| *office == step.office) {
            let (value, _) = self.knowledge.known(*at)?;
            let Value::Text(named) = value else { return None };
            return around.catalogue.agency_called(office, named).cloned();
        }
        around.catalogue.agencies_of(office, self.region()).first().map(|agency| (*agency).clone())
    }

    /// Whose step it is, whoever does it: by whose grants its documents are fetched.
    pub(super) fn principal_of(&self, around: Around<'_>, index: StepIndex, step: &Step) -> Option<AgencyId> {
        match step.channel {
            Channel::OneStop(_) => self.office(around, &step.office, step),
            _ => self.agency_of(around, index, step),
        }
    }
}

pub(super) struct Next<'n> {
    pub(super) case: &'n Case,
    pub(super) around: Around<'n>,
    pub(super) plan: &'n Plan,
    pub(super) time: UnixTime,
}

impl<'n> Next<'n> {
    fn steps_of(&self) -> impl Iterator<Item = (StepIndex, &'n Step, &'n StepLine, &'n Planned)> {
        let lines = self.case.steps.iter().zip(&self.plan.steps);
        (0..)
            .map(StepIndex)
            .zip(&self.around.situation.steps)
            .zip(lines)
            .map(|((index, step), (line, planned))| (index, step, line, planned))
    }

    /// Documents that can be fetched now, and those that are asked for again.
    fn fetch(&self, changes: &mut Vec<Change>, ids: Ids<'_>) {
        let mut wanted: Vec<(DocumentOf, Code)> =
            self.plan.fetch.iter().map(|(document, by)| (document.clone(), by.clone())).collect();
        for (document, state) in &self.case.papers {
            let is_time = state.again.as_ref().is_some_and(|(again, _)| *again <= self.time);
            if state.paper.is_none() && is_time && !wanted.iter().any(|(other, _)| other == document) && self.is_wanted(document)
            {
                let by = state.asked.as_ref().and_then(|errand| errand.by.as_ref()).map(|by| by.0.clone());
                wanted.push((document.clone(), by.unwrap_or_else(|| self.case.asked_by(self.around, document))));
            }
        }
        for (document, by) in wanted {
            let tries = self.case.papers.get(&document).map_or(0, |state| state.tries);
            match self.errand(&document, &by, tries, ids) {
                Ok(errand) => changes.push(Change::Asked(Box::new(errand))),
                Err(code) => {
                    let again = self.time.plus_ms(self.case.own_ms(AGAIN_MS_MAX)).into();
                    changes.push(Change::NotHad { document: Text(document), code: code.to_owned(), again });
                }
            }
        }
    }

    /// Whether a step that is not over still waits for a document, or for what it says.
    fn is_wanted(&self, document: &DocumentOf) -> bool {
        self.steps_of().any(|(_, step, _, planned)| match planned.stage {
            Stage::Off | Stage::Over => false,
            Stage::Open => self.speaks_of(planned, document),
            Stage::Waiting | Stage::Ready => step.needs.iter().any(|need| need.document == *document),
        })
    }

    fn speaks_of(&self, planned: &Planned, document: &DocumentOf) -> bool {
        let facts = planned.because.iter().filter_map(|fact| self.around.catalogue.fact(*fact)?.source.as_ref());
        facts.into_iter().any(|source| source.document == *document || self.finds(document, &source.document.role))
    }

    /// Whether a document says who somebody is.
    fn finds(&self, document: &DocumentOf, role: &Code) -> bool {
        let role = self.around.situation.role(role);
        role.is_some_and(|role| role.found_in.iter().any(|found| found.document == *document))
    }

    /// The steps for which a document is wanted, those first that need it themselves.
    fn steps_for(&self, document: &DocumentOf) -> Vec<(StepIndex, &'n Step)> {
        let rank = |step: &Step, planned: &Planned| {
            if matches!(planned.stage, Stage::Off | Stage::Over) {
                return None;
            }
            if step.needs.iter().any(|need| need.document == *document) {
                return Some(u8::from(planned.stage == Stage::Open));
            }
            let through = || step.needs.iter().any(|need| self.finds(document, &need.document.role));
            match self.speaks_of(planned, document) {
                true => Some(2),
                false => through().then_some(3),
            }
        };
        let mut found: Vec<_> =
            self.steps_of().filter_map(|(index, step, _, planned)| Some((rank(step, planned)?, index, step))).collect();
        found.sort_by_key(|(rank, index, _)| (*rank, *index));
        found.into_iter().map(|(_, index, step)| (index, step)).collect()
    }

    /// The question for a document: on behalf of the first agency that has a grant for it, and is of the world of the case.
    fn errand(&self, document: &DocumentOf, by: &Code, tries: u32, ids: Ids<'_>) -> Result<Errand, &'static str> {
        let around = self.around;
        let what = around.schemas.document_type(&document.document).ok_or("OG-DOC-001")?;
        let subject = self.case.person(by).ok_or("OG-CAS-005")?;
        let steps = self.steps_for(document);
        let own = &self.case.opening.coordinator.0;
        let mut candidates: Vec<(AgencyId, &Step)> = Vec::new();
        for (index, step) in &steps {
            candidates.extend(self.case.principal_of(around, *index, step).map(|agency| (agency, *step)));
        }
        candidates.extend(steps.first().map(|(_, step)| (own.clone(), *step)));
        let found = candidates.into_iter().find_map(|(agency, step)| {
            let grant = self.grant(&agency, step, &document.document, subject.kind())?;
            Some((agency, step, grant))
        });
        let (agency, step, grant) = found.ok_or("OG-POL-001")?;
        let select = self.select(document, (what, subject.kind()), &grant.fields);
        Ok(Errand {
            message: Text(ids()),
            agency: Text(agency),
            step: Text(step.id.clone()),
            document: Some(Text(document.clone())),
            by: Some(Text(by.clone())),
            of: role_in(what, document, by).map(Text),
            select: select.iter().map(ToString::to_string).collect(),
            purpose: Text(grant.purpose.clone()),
            basis: grant.basis.to_string(),
            enclosed: Vec::new(),
            shown: Vec::new(),
            visit: None,
            due: None,
            expires: around.now.plus_ms(limits::REQUEST_LIFE_MS - limits::CLOCK_SKEW_MS).into(),
            tries,
        })
    }

    fn grant(&self, agency: &AgencyId, step: &Step, document: &Code, kind: SubjectKind) -> Option<&'n Grant> {
        let registry = self.around.registry;
        let today = self.around.now.day();
        let index = registry
            .find(agency)
            .filter(|index| registry.agency(*index).is_some_and(|agency| agency.world == self.case.opening.world()))?;
        let fits = |grant: &Grant| {
            grant.action == Action::Read
                && grant.until >= today
                && grant.about.fits(kind)
                && step.purpose.as_ref().is_none_or(|purpose| *purpose == grant.purpose)
        };
        registry.grants_of(index, document).map(|(_, grant)| grant).find(|grant| fits(grant))
    }

    /// The fields that all may have who are to have the document: what is signed cannot be cut for one of them. Nothing means all that
    /// the grant gives.
    fn select(
        &self,
        document: &DocumentOf,
        (what, kind): (&DocumentType, SubjectKind),
        granted: &Arc<[FieldPath]>,
    ) -> Vec<FieldPath> {
        let needing = || {
            self.steps_of().filter(|(_, step, line, planned)| {
                planned.stage != Stage::Off && !line.state.is_over() && step.needs.iter().any(|need| need.document == *document)
            })
        };
        let mut others: Vec<Option<&Grant>> = Vec::new();
        let mut withheld: Vec<&FieldPath> = Vec::new();
        for (index, step, ..) in needing() {
            let agency = self.case.principal_of(self.around, index, step);
            others.push(agency.and_then(|agency| self.grant(&agency, step, &document.document, kind)));
            withheld.extend(step.withholds(&document.document));
        }
        let may_all = |path: &FieldPath| {
            others.iter().flatten().all(|grant| grant.fields.iter().any(|field| field.includes(path)))
                && !withheld.iter().any(|field| field.includes(path) || path.includes(field))
        };
        if granted.iter().all(may_all) {
            return Vec::new();
        }
        let may = |path: &FieldPath| granted.iter().any(|field| field.includes(path)) && may_all(path);
        let all = what.fields.iter().filter_map(|path| FieldPath::parse(path));
        let mut chosen: Vec<FieldPath> = Vec::new();
        for path in all.filter(may) {
            if !chosen.iter().any(|above| above.includes(&path)) {
                chosen.push(path);
            }
        }
        chosen.truncate(limits::SELECT_PATHS_MAX);
        if chosen.is_empty() {
            // What is required is in every answer: whoever selects some of that gets nothing beside it.
            let [_, required] = what.paths();
            chosen.extend(required.iter().filter_map(|path| FieldPath::parse(path)).take(1));
        }
        chosen
    }

    /// Steps whose term begins, that are offered, that are half over or late.
    fn steps(&self, changes: &mut Vec<Change>, ids: Ids<'_>) {
        let calendar = self.around.catalogue.calendar(self.case.region());
        for (index, step, line, planned) in self.steps_of() {
            if line.state.is_over() {
                continue;
            }
            let applies = matches!(planned.stage, Stage::Waiting | Stage::Ready);
            let is_next = applies && !planned.waits_for.iter().any(|wait| matches!(wait, Wait::Step(_)));
            let name = Text(step.id.clone());
            if let (true, None, Some(calendar)) = (is_next, line.begun, calendar) {
                changes.push(Change::Begun { step: name.clone(), due: step.deadline.end(self.time, calendar).into() });
            }
            let ends = step.expires.filter(|_| applies && line.state == StepState::Idle);
            let ends = ends.and_then(|expiry| self.case.expiry(self.around, expiry));
            if ends.is_some_and(|(_, end)| end <= self.time) {
                changes.push(Change::Expired { step: name });
                continue;
            }
            let may_be_offered = line.again.as_ref().is_none_or(|(again, _)| *again <= self.time);
            if planned.stage == Stage::Ready && line.state == StepState::Idle && may_be_offered && !line.waits_for_a_choice(step)
            {
                changes.push(self.offer(index, step, line, ids));
            }
            if let (Some(begun), Some(due)) = (line.begun, line.due) {
                if !line.is_half && half(begun, due) <= self.time {
                    changes.push(Change::Half { step: name.clone() });
                }
                if !line.is_overdue && due <= self.time {
                    changes.push(Change::Overdue { step: name.clone() });
                }
            }
            if let Some((to, Handing::Asked, Some(until), message)) = &line.handing
                && *until <= self.time
            {
                changes.push(Change::HandedOver {
                    step: name.clone(),
                    to: Text(to.clone()),
                    message: message.map(Text),
                    until: None,
                    state: Handing::Overdue,
                });
            }
            if let Some((start, end)) = ends
                && next_warning(start, end, line.expiring).is_some_and(|at| at <= self.time)
            {
                changes.push(Change::Expiring { step: name, times: warnings(start, end, self.time) });
            }
        }
    }

    /// A step that is offered to its agency, with the documents that it names and no other.
    fn offer(&self, index: StepIndex, step: &Step, line: &StepLine, ids: Ids<'_>) -> Change {
        let name = Text(step.id.clone());
        let not_now = |code: &str| Change::NotOffered {
            step: name.clone(),
            code: code.to_owned(),
            again: self.case.again(self.around.now, line.tries.saturating_add(6)).into(),
        };
        let Some(agency) = self.case.agency_of(self.around, index, step) else { return not_now("OG-RTE-001") };
        let own = self.around.registry.find(&self.case.opening.coordinator.0);
        let task = Code::parse(TASK);
        let grant = own.zip(task.as_ref()).and_then(|(own, task)| {
            let grants = || self.around.registry.grants_of(own, task).map(|(_, grant)| grant);
            let fits = |grant: &&Grant| grant.action == Action::Apply && grant.until >= self.around.now.day();
            let own = grants().filter(fits).find(|grant| step.purpose.as_ref() == Some(&grant.purpose));
            own.or_else(|| grants().find(fits))
        });
        let Some(grant) = grant else { return not_now("OG-POL-001") };
        let is_partner = self.around.catalogue.offices().get(&step.office).is_some_and(|office| office.level == Level::Partner);
        let has = |document: &DocumentOf| self.case.paper(document).is_some();
        let visit = step.appointment.as_ref().map(|_| line.visit.map_or(Visit::ToBeOffered, |at| Visit::At(at.into())));
        // Whoever says when somebody can come needs nobody's papers for that.
        let is_asked_when = visit == Some(Visit::ToBeOffered);
        let goes_along = |document: &&DocumentOf| !is_partner && !is_asked_when && has(document);
        let needs = step.needs.iter().map(|need| &need.document).filter(goes_along);
        Change::Offered(Box::new(Errand {
            message: Text(ids()),
            agency: Text(agency),
            step: name,
            document: None,
            by: None,
            of: None,
            select: Vec::new(),
            purpose: Text(grant.purpose.clone()),
            basis: grant.basis.to_string(),
            enclosed: needs.cloned().map(Text).collect(),
            shown: if is_asked_when { Vec::new() } else { self.shown(step) },
            visit,
            due: line
                .due
                .or_else(|| {
                    let calendar = self.around.catalogue.calendar(self.case.region())?;
                    Some(step.deadline.end(self.time, calendar))
                })
                .map(Into::into),
            expires: self.around.now.plus_ms(limits::EVENT_LIFE_MS - limits::CLOCK_SKEW_MS).into(),
            tries: line.tries,
        }))
    }

    /// What a step's agency is told of what is known.
    fn shown(&self, step: &Step) -> Vec<(String, String)> {
        let known = step.shows.iter().filter_map(|fact| {
            let (value, _) = self.case.knowledge.known(*fact)?;
            let text = match value {
                Value::Text(text) => text.to_string(),
                other => other.to_string(),
            };
            Some((self.around.catalogue.fact(*fact)?.name.to_string(), text))
        });
        known.filter(|(_, text)| !text.is_empty()).collect()
    }

    /// Holders that do not answer.
    fn silence(&self, changes: &mut Vec<Change>) {
        for (document, state) in &self.case.papers {
            if state.paper.is_some() {
                continue;
            }
            let is_asked = self.case.knowledge.is_asked(document);
            if is_asked && state.since.plus_ms(self.case.own_ms(LATE_MS)) <= self.time {
                changes.push(Change::Late { document: Text(document.clone()) });
            }
            let is_waited_for = is_asked || self.case.knowledge.is_waited_for(document);
            if is_waited_for && self.case.falls_back(self.around, document).is_some_and(|at| at <= self.time) {
                changes.push(Change::Silent { document: Text(document.clone()) });
            }
        }
    }

    /// The form, once it is known what it asks; it grows, and never asks the same twice.
    fn form(&self, changes: &mut Vec<Change>) {
        let is_fetching = self.case.knowledge.is_asking() || !self.plan.fetch.is_empty();
        if is_fetching || changes.iter().any(|change| matches!(change, Change::Asked(_))) {
            return;
        }
        let days = self.days(changes);
        let form = &self.case.form;
        let ask: BTreeSet<_> = self.plan.ask.iter().copied().collect();
        let is_new = !ask.is_subset(&form.ask)
            || !self.plan.bring.is_subset(&form.bring)
            // Days that have passed are no news.
            || days.iter().any(|(name, days)| form.days.get(name).is_none_or(|known| !days.is_subset(known)));
        if is_new {
            let names = ask.union(&form.ask).filter_map(|fact| self.around.catalogue.fact(*fact));
            changes.push(Change::Form {
                ask: names.map(|fact| fact.name.to_string()).collect(),
                bring: self.plan.bring.union(&form.bring).cloned().map(Text).collect(),
                days: days.into_iter().map(|(name, days)| (Text(name), days.into_iter().map(Text).collect())).collect(),
            });
        }
    }

    /// Whether no step is left.
    fn is_last(&self) -> bool {
        self.plan.steps.iter().all(|planned| matches!(planned.stage, Stage::Off | Stage::Over))
    }

    /// Whether all is over.
    fn end(&self) -> Option<Change> {
        let done = self.case.steps.iter().filter(|line| line.state == StepState::Done).count();
        let over = self.case.steps.iter().filter(|line| line.state.is_over()).count();
        if self.is_last() {
            let how = match (done, over) {
                (0, 0) => Ending::Nothing,
                (0, _) => Ending::Refused,
                _ => Ending::Done,
            };
            return Some(Change::Closed { how, invited: None });
        }
        let is_busy = self.case.steps.iter().any(|line| matches!(line.state, StepState::Offered | StepState::Accepted));
        let is_old = self.case.form.since.is_some_and(|since| since.plus_ms(FORM_MS) <= self.time);
        let waits = self.case.papers.values().any(PaperState::is_waited_for);
        // As long as a right can be used the citizen may come.
        let may_come = self.steps_of().any(|(_, step, line, planned)| {
            let end = step.expires.and_then(|expiry| self.case.expiry(self.around, expiry)).map(|(_, end)| end);
            !line.state.is_over() && planned.stage != Stage::Off && end.is_some_and(|end| end > self.time)
        });
        (is_old && !is_busy && !waits && !may_come).then_some(Change::Closed { how: Ending::Abandoned, invited: None })
    }

    /// Documents that no step needs any more. What is so only since a document is missing may be otherwise once that is made: a step
    /// that does not apply for that keeps what it would need.
    fn forget(&self) -> Vec<Change> {
        let is_missing = |fact: &FactIndex| matches!(self.case.knowledge.known(*fact), Some((_, Origin::Absence(_))));
        let is_needed = |document: &DocumentOf| {
            self.steps_of().any(|(_, step, line, planned)| {
                let may_apply = planned.stage != Stage::Off || planned.because.iter().any(is_missing);
                may_apply && !line.state.is_over() && step.needs.iter().any(|need| need.document == *document)
            })
        };
        let kept = self.case.papers.iter().filter(|(_, state)| state.paper.is_some() && !state.is_forgotten);
        kept.filter(|(document, _)| !is_needed(document))
            .map(|(document, _)| Change::Forgotten { document: Text(document.clone()) })
            .collect()
    }
}

impl Case {
    /// All documents that it has are forgotten, as they are at its end.
    pub(super) fn forgotten(&self) -> impl Iterator<Item = Change> {
        let kept = self.papers.iter().filter(|(_, state)| state.paper.is_some() && !state.is_forgotten);
        kept.map(|(document, _)| Change::Forgotten { document: Text(document.clone()) })
    }

    /// By whom a document is asked for: whoever it is about, if that is known, else somebody else whom it names.
    fn asked_by(&self, around: Around<'_>, document: &DocumentOf) -> Code {
        let names = around.catalogue.documents().get(&document.document).map(|known| &known.names);
        let roles = std::iter::once(&document.role).chain(names.into_iter().flatten());
        roles.into_iter().find(|role| self.people.contains_key(*role)).unwrap_or(&document.role).clone()
    }

    /// Changes, and behind them who is told of each.
    pub fn with_notices(&self, around: Around<'_>, mut changes: Vec<Change>, ids: Ids<'_>) -> Vec<Change> {
        let told: Vec<Change> = changes.iter().flat_map(|change| self.notices_of(around, change, ids)).collect();
        changes.extend(told);
        changes
    }

    /// Who is told of a change.
    fn notices_of(&self, around: Around<'_>, change: &Change, ids: Ids<'_>) -> Vec<Change> {
        let (about, event, step) = match change {
            Change::Begun { step, .. } => (Some(About::Started), "started", Some(step)),
            Change::Done { step } => (Some(About::Done), "done", Some(step)),
            Change::Refused { step, .. } | Change::Expired { step } => (Some(About::Failed), "failed", Some(step)),
            Change::Half { step } => (None, "reminder", Some(step)),
            Change::Overdue { step } => (Some(About::Late), "late", Some(step)),
            Change::Expiring { step, .. } => (Some(About::Expiring), "expiring", Some(step)),
            Change::Unusable { step, .. } => (None, "unusable", Some(step)),
            Change::NotOffered { step, .. } => (None, "not-offered", Some(step)),
            Change::Accepted { step, .. } => (None, "accepted", Some(step)),
            Change::Offered(errand) => (None, "offered", Some(&errand.step)),
            Change::HandedOver { step, state: Handing::Overdue | Handing::Refused, .. } => (None, "hand-over-late", Some(step)),
            Change::HandedOver { step, state: Handing::Taken, .. } => (None, "handed-over", Some(step)),
            Change::NotHad { .. } => (None, "not-had", None),
            Change::Contradicted { .. } => (None, "contradicted", None),
            Change::Form { ask, days, .. } => (None, if ask.is_empty() && days.is_empty() { "bring" } else { "form" }, None),
            Change::NoDay { .. } => (None, "no-day", None),
            // Whoever can be reached now is asked what was asked before.
            Change::Contact { contact }
                if contact.address.is_some() && self.contact.address.is_none() && self.form.since.is_some() =>
            {
                (None, if self.form.ask.is_empty() && self.form.days.is_empty() { "bring" } else { "form" }, None)
            }
            Change::Closed { how: Ending::Withdrawn, .. } => (None, "withdrawn", None),
            Change::Closed { .. } => (None, "closed", None),
            _ => return Vec::new(),
        };
        let tell = step.and_then(|step| around.situation.steps.iter().find(|known| known.id == step.0)).map(|step| &step.tell);
        let is_told = |list: fn(&crate::rules::situation::Tell) -> &Vec<About>| {
            about.is_some_and(|about| tell.is_some_and(|tell| list(tell).contains(&about)))
        };
        let mut told = Vec::new();
        let mut say = |whom, message: Option<MessageId>| {
            told.push(Change::Told { whom, event: event.to_owned(), step: step.cloned(), message: message.map(Text) });
        };
        let is_for_citizen = matches!(event, "form" | "bring" | "closed" | "withdrawn");
        if is_for_citizen || is_told(|tell| &tell.applicant) {
            say(Whom::Applicant, None);
        }
        // A curator is told of what nobody else puts right; of the same once.
        let is_trouble = matches!(
            event,
            "late" | "failed" | "unusable" | "hand-over-late" | "not-had" | "not-offered" | "contradicted" | "no-day"
        );
        let was_told = self.notices.iter().any(|notice| {
            notice.whom == Whom::Curator && notice.event == event && notice.step == step.map(|step| step.0.clone())
        });
        if (is_trouble && !was_told) || is_told(|tell| &tell.curator) && event != "late" {
            say(Whom::Curator, None);
        }
        if self.assistant.is_some() {
            say(Whom::Assistant, Some(ids()));
        }
        let line = step.and_then(|step| Self::step_index(around, &step.0)).and_then(|index| self.line(index));
        let is_asked = line.is_some_and(|line| matches!(line.state, StepState::Offered | StepState::Accepted));
        if matches!(event, "reminder" | "late") && is_asked {
            say(Whom::Agency, Some(ids()));
        }
        // Whatever came of it: those who were refused something are asked as the others are.
        if matches!(change, Change::Closed { how, .. } if how.is_rated()) && self.contact.address.is_some() {
            told.push(Change::Told { whom: Whom::Applicant, event: SURVEY.to_owned(), step: None, message: None });
        }
        told
    }
}

impl PaperState {
    fn is_waited_for(&self) -> bool {
        self.paper.is_none() && self.asked.is_some() && self.again.is_none()
    }
}

/// The role that a question names in `Of`.
fn role_in(what: &DocumentType, document: &DocumentOf, by: &Code) -> Option<Code> {
    let roles = what.roles();
    if roles.contains("") && document.role == *by {
        return None;
    }
    roles.contains(by.as_str()).then(|| by.clone())
}

/// The middle between two moments.
fn half(begun: UnixTime, due: UnixTime) -> UnixTime {
    begun.plus_ms(due.as_ms().saturating_sub(begun.as_ms()) / 2)
}

/// When it is said that a right ends: after a half of its time, after five sixths, and seven days before.
fn warning_times(start: UnixTime, end: UnixTime) -> [UnixTime; 3] {
    let length = end.as_ms().saturating_sub(start.as_ms());
    let mut times = [start.plus_ms(length / 2), start.plus_ms(length / 6 * 5), end.minus_ms(7 * 24 * 60 * 60 * 1000).max(start)];
    times.sort();
    times
}

fn warnings(start: UnixTime, end: UnixTime, time: UnixTime) -> u8 {
    warning_times(start, end).iter().filter(|at| **at <= time).count() as u8
}

fn next_warning(start: UnixTime, end: UnixTime, said: u8) -> Option<UnixTime> {
    warning_times(start, end).get(usize::from(said)).copied().or(Some(end))
}

/// After how long nobody waits for a holder alone.
const LATE_MS: u64 = 30_000;
/// After how long a message is looked after of which nothing was heard.
pub(super) const LOOK_MS: u64 = 10_000;
/// After how long it is looked whether a notice went out.
const NOTICE_MS: u64 = 60_000;
/// How long is waited before something is asked again: longer and longer.
const AGAIN_MS: u64 = 30_000;
const AGAIN_MS_MAX: u64 = 6 * 60 * 60 * 1000;
/// After how long a form that nobody answers ends a case in which nothing else goes on: 60 days.
pub(super) const FORM_MS: u64 = 60 * 24 * 60 * 60 * 1000;
