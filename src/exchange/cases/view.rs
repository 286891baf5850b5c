//! A case as it is shown: to whoever applied and to its assistant as a whole, to an agency its own steps. No document's content, and no
//! fact, is shown to anybody.

use super::{Around, Case, Handing, StepLine, StepState};
use crate::base::ids::AgencyId;
use crate::base::time::UnixTime;
use crate::rules::situation::plan::{Stage, Wait};
use serde_json::{Value, json};

/// Whose part is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// All of it.
    Whole,
    /// The steps of an agency.
    Of(&'p AgencyId),
}

/// The word for how far a step is.
pub fn step_word(case: &Case, around: Around<'_>, step: &crate::base::ids::Code) -> Option<&'static str> {
    let index = Case::step_index(around, step)?;
    let plan = case.plan(around);
    Some(word(case.line(index)?, plan.steps.get(usize::from(index.0))?.stage))
}

pub(super) fn word(line: &StepLine, stage: Stage) -> &'static str {
    match (line.state, stage) {
        (StepState::Done, _) => "done",
        (StepState::Refused, _) => "refused",
        (StepState::Expired, _) => "expired",
        (StepState::Offered, _) => "asked",
        (StepState::Accepted, _) => "accepted",
        (StepState::Idle, Stage::Off) => "off",
        (StepState::Idle, Stage::Open) => "open",
        (StepState::Idle, Stage::Ready) => "ready",
        (StepState::Idle, Stage::Waiting | Stage::Over) => "waiting",
    }
}

fn moment(time: Option<UnixTime>) -> Value {
    time.map_or(Value::Null, |time| Value::String(time.to_string()))
}

impl Case {
    /// The case in JSON, in a language.
    pub fn view(&self, around: Around<'_>, part: Part<'_>, language: &str) -> Value {
        let plan = self.plan(around);
        let is_shown = |line: &StepLine| match part {
            Part::Whole => true,
            Part::Of(agency) => line.concerns(agency),
        };
        let rows = around.situation.steps.iter().zip(&self.steps).zip(&plan.steps);
        let steps: Vec<Value> = rows
            .filter(|((_, line), planned)| planned.stage != Stage::Off && is_shown(line))
            .map(|((step, line), planned)| {
                let waits: Vec<String> = planned.waits_for.iter().map(|wait| match wait {
                    Wait::Step(index) => around.situation.step(*index).map_or_else(String::new, |step| format!("step {}", step.id)),
                    Wait::Document(document) => document.to_string(),
                }).collect();
                json!({
                    "id": step.id.as_str(), "title": step.title.in_language(language), "state": word(line, planned.stage),
                    "agency": line.agency.as_ref().map(AgencyId::as_str), "office": step.office.as_str(),
                    "channel": step.channel.to_string(), "service": step.service.as_str(),
                    "begun": moment(line.begun), "due": moment(line.due), "over": moment(line.over),
                    "appointment": step.appointment.as_ref().map(|name| name.as_str()), "visit": moment(line.visit),
                    "promised": moment(line.promised), "late": line.is_overdue, "reason": line.reason, "waitsFor": waits,
                    "trouble": line.again.as_ref().map(|(_, code)| code), "again": moment(line.again.as_ref().map(|(at, _)| *at)),
                    "handingOver": line.handing.as_ref().map(|(to, state, until, _)| json!({
                        "to": to.as_str(), "until": moment(*until), "state": match state {
                            Handing::Asked => "asked", Handing::Taken => "taken", Handing::Overdue => "late", Handing::Refused => "refused",
                        }
                    })),
                })
            })
            .collect();
        let mut shown = json!({
            "id": self.id.to_string(), "situation": self.opening.situation.0.as_str(), "version": self.opening.version,
            "title": around.situation.title.in_language(language), "region": self.region().map(|region| region.as_str()),
            "opened": self.opened.to_string(), "now": self.time(around.now).to_string(), "test": self.opening.test,
            "state": self.ended.map_or("open", |(how, _)| how.as_str()), "ended": moment(self.ended.map(|(_, at)| at)),
            "steps": steps,
        });
        if let (Part::Whole, Some(shown)) = (part, shown.as_object_mut()) {
            shown.insert("form".to_owned(), self.form_view(around, language));
            shown.insert("documents".to_owned(), self.documents_view(around, language));
            shown.insert(
                "assistant".to_owned(),
                self.assistant.as_ref().map_or(Value::Null, |(agency, name)| json!({ "agency": agency.as_str(), "name": name })),
            );
            let counts = self.counts;
            shown.insert("counts".to_owned(), json!({
                "fetched": counts.fetched, "made": counts.made, "brought": counts.brought, "answered": counts.answered, "forms": counts.forms,
            }));
            let contradictions =
                self.contradictions.iter().map(|(document, fact)| json!({ "document": document.to_string(), "fact": fact }));
            shown.insert("contradictions".to_owned(), contradictions.collect());
        }
        shown
    }

    /// The case in a line of a list: what it is, how far, what is next, and what is asked.
    pub fn line_view(&self, around: Around<'_>, language: &str) -> Value {
        let plan = self.plan(around);
        let lines = self.steps.iter().zip(&plan.steps).filter(|(_, planned)| planned.stage != Stage::Off);
        let (all, over) = lines.clone().fold((0, 0), |(all, over), (line, _)| (all + 1, over + u32::from(line.state.is_over())));
        let due = lines.filter(|(line, _)| !line.state.is_over()).filter_map(|(line, _)| line.due).min();
        json!({
            "id": self.id.to_string(), "situation": self.opening.situation.0.as_str(),
            "title": around.situation.title.in_language(language), "opened": self.opened.to_string(),
            "state": self.ended.map_or("open", |(how, _)| how.as_str()), "ended": moment(self.ended.map(|(_, at)| at)),
            "steps": all, "over": over, "due": moment(due.filter(|_| !self.is_over())), "coordinator": self.opening.coordinator.0.as_str(),
            "asks": self.form.ask.len() + self.form.bring.len() + self.choosable(around).len(),
        })
    }

    /// What the citizen is asked.
    pub fn form_view(&self, around: Around<'_>, language: &str) -> Value {
        let ask = self.form.ask.iter().filter_map(|fact| around.catalogue.fact(*fact)).map(|fact| {
            let words = fact.ask.as_ref().map(|ask| ask.in_language(language));
            json!({ "fact": &*fact.name, "kind": fact.kind.as_str(), "question": words })
        });
        let bring = self.form.bring.iter().map(|document| {
            let title = around.catalogue.documents().get(&document.document).map(|known| known.title.in_language(language));
            json!({ "document": document.document.as_str(), "role": document.role.as_str(), "title": title })
        });
        let days = self.choosable(around).into_iter().map(|(appointment, days)| {
            let steps = around.situation.steps.iter().filter(|step| step.appointment.as_ref() == Some(appointment));
            let steps: Vec<&str> = steps.map(|step| step.title.in_language(language)).collect();
            let days: Vec<String> = days.iter().map(ToString::to_string).collect();
            json!({ "appointment": appointment.as_str(), "steps": steps, "days": days })
        });
        json!({ "days": days.collect::<Vec<_>>(), "ask": ask.collect::<Vec<_>>(), "bring": bring.collect::<Vec<_>>(), "since": moment(self.form.since) })
    }

    fn documents_view(&self, around: Around<'_>, language: &str) -> Value {
        let shown = self.papers.iter().map(|(document, state)| {
            let title = around.catalogue.documents().get(&document.document).map(|known| known.title.in_language(language));
            let is_here = self.knowledge.is_here(document);
            let word = match &state.paper {
                Some(_) if state.is_forgotten => "forgotten",
                Some(_) if is_here => "here",
                Some(_) => "none",
                None if self.knowledge.is_silent_about(document) => "silent",
                None => "asked",
            };
            json!({
                "document": document.document.as_str(), "role": document.role.as_str(), "title": title, "state": word,
                "from": state.paper.as_ref().map(|paper| paper.from.0.as_str()), "asked": state.tries,
                "askedFor": state.asked.as_ref().map(|errand| errand.agency.0.as_str()),
                "promised": moment(state.promised), "trouble": state.again.as_ref().map(|(_, code)| code),
            })
        });
        shown.collect()
    }

    /// What happened, for whoever sees all of it, or for an agency.
    pub fn timeline_view(&self, part: Part<'_>) -> Value {
        let is_shown = |agency: Option<&AgencyId>| match part {
            Part::Whole => true,
            Part::Of(own) => agency == Some(own),
        };
        let shown = self.timeline.iter().filter(|event| is_shown(event.agency.as_ref())).map(|event| {
            json!({
                "at": event.at.to_string(), "what": event.what, "step": event.step.as_ref().map(|step| step.as_str()),
                "document": event.document.as_ref().map(ToString::to_string), "agency": event.agency.as_ref().map(AgencyId::as_str),
            })
        });
        shown.collect()
    }
}
