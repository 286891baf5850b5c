//! A plan in words: line by line what applies and why, what is fetched from whom, and what is asked.

use super::plan::{Knowledge, Origin, Plan, Planned, Stage, Wait};
use super::{Catalogue, DocumentOf, Keeper, Situation, StepIndex};
use crate::rules::condition::{FactIndex, Verdict};
use std::fmt::Write;

/// Somebody's plan in a language.
pub struct Explaining<'e> {
    /// The catalogue.
    pub catalogue: &'e Catalogue,
    /// The situation.
    pub situation: &'e Situation,
    /// What is known.
    pub knowledge: &'e Knowledge,
    /// The plan by that.
    pub plan: &'e Plan,
    /// The language, as in `en`.
    pub language: &'e str,
}

/// Whether it is said why.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reasons {
    Told,
    LeftOut,
}

impl Explaining<'_> {
    /// All of it: steps with their reasons, documents, questions.
    pub fn text(&self) -> String {
        self.write(Reasons::Told)
    }

    /// Steps, documents, questions.
    pub fn brief(&self) -> String {
        self.write(Reasons::LeftOut)
    }

    /// All of it, for programs.
    pub fn json(&self) -> serde_json::Value {
        let steps = (0..).map(StepIndex).zip(&self.plan.steps).filter_map(|(index, planned)| {
            let step = self.situation.step(index)?;
            let waits: Vec<String> = planned.waits_for.iter().map(|wait| self.wait(wait)).collect();
            Some(serde_json::json!({
                "id": step.id.as_str(), "title": step.title.in_language(self.language), "agency": step.office.as_str(),
                "stage": stage(planned.stage), "why": self.why(index, planned), "waitsFor": waits,
            }))
        });
        let fetch = self
            .plan
            .fetch
            .iter()
            .map(|(document, by)| serde_json::json!({ "document": document.to_string(), "by": by.as_str() }));
        let ask = self.plan.ask.iter().filter_map(|fact| self.catalogue.fact(*fact)).map(|fact| {
            let ask = fact.ask.as_ref().map(|ask| ask.in_language(self.language));
            serde_json::json!({ "fact": fact.name, "type": fact.kind.as_str(), "question": ask })
        });
        serde_json::json!({
            "format": 1, "situation": self.situation.id.as_str(), "version": self.situation.version.to_string(),
            "steps": steps.collect::<Vec<_>>(), "fetch": fetch.collect::<Vec<_>>(),
            "bring": self.plan.bring.iter().map(ToString::to_string).collect::<Vec<_>>(), "ask": ask.collect::<Vec<_>>(),
        })
    }

    fn write(&self, reasons: Reasons) -> String {
        let mut text = String::new();
        for (index, planned) in (0..).map(StepIndex).zip(&self.plan.steps) {
            let Some(step) = self.situation.step(index) else { continue };
            let title = step.title.in_language(self.language);
            let _ = writeln!(text, "{:<12} {:<28} {title}", stage(planned.stage), step.id.as_str());
            if reasons == Reasons::LeftOut {
                continue;
            }
            let _ = writeln!(text, "             {}", self.why(index, planned));
            for wait in &planned.waits_for {
                let _ = writeln!(text, "             waits for {}", self.wait(wait));
            }
        }
        self.documents(&mut text);
        for fact in &self.plan.ask {
            let known = self.catalogue.fact(*fact);
            let ask = known.and_then(|fact| fact.ask.as_ref()).map_or("", |ask| ask.in_language(self.language));
            let _ = writeln!(text, "ask          {:<28} {ask}", known.map_or("", |fact| &fact.name));
        }
        text
    }

    fn documents(&self, text: &mut String) {
        for (document, by) in &self.plan.fetch {
            let holder = self.catalogue.documents().get(&document.document).map(|known| &known.holder);
            let from = match holder {
                Some(Keeper::Office(office)) => {
                    self.catalogue.offices().get(office).map(|office| office.title.in_language(self.language))
                }
                _ => None,
            };
            let by = if *by == document.role { String::new() } else { format!(", asked for by the {by}") };
            let _ = writeln!(text, "fetch        {:<28} from: {}{by}", document.to_string(), from.unwrap_or_default());
        }
        for document in &self.plan.bring {
            let _ = writeln!(text, "bring        {:<28} {}", document.to_string(), self.title(document));
        }
    }

    fn title(&self, document: &DocumentOf) -> &str {
        self.catalogue.documents().get(&document.document).map_or("", |known| known.title.in_language(self.language))
    }

    fn wait(&self, wait: &Wait) -> String {
        match wait {
            Wait::Step(step) => format!("the step {}", self.situation.step(*step).map_or("", |step| step.id.as_str())),
            Wait::Document(document) => format!("the document {document}"),
        }
    }

    /// Why a step applies, does not, or is not known to.
    pub fn why(&self, step: StepIndex, planned: &Planned) -> String {
        let condition = self.situation.step(step).and_then(|step| step.when.as_ref());
        let Some(condition) = condition else { return "always".to_owned() };
        let facts: Vec<String> = planned.because.iter().map(|fact| self.fact(*fact)).collect();
        match planned.applies {
            Verdict::Unknown => format!("it is not known yet: {}", facts.join("; ")),
            Verdict::Yes | Verdict::No if facts.is_empty() => format!("by the condition {}", condition.as_str()),
            Verdict::Yes => format!("because {}", facts.join("; ")),
            Verdict::No => format!("not, because {}", facts.join("; ")),
        }
    }

    fn fact(&self, index: FactIndex) -> String {
        let Some(fact) = self.catalogue.fact(index) else { return String::new() };
        let Some((value, origin)) = self.knowledge.known(index) else {
            return match &fact.source {
                Some(source) => format!("{} is in {}", fact.name, source.document),
                None if fact.sum.is_some() => format!("{} adds up over cases", fact.name),
                None => format!("{} is for the citizen to say", fact.name),
            };
        };
        let origin = match origin {
            Origin::Start => "from the start".to_owned(),
            Origin::Document(document) => format!("by {document}"),
            Origin::Absence(document) => format!("there is no {document}, or nothing in it"),
            Origin::Answer => "as the citizen says".to_owned(),
        };
        format!("{} is {value} ({origin})", fact.name)
    }
}

const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Off => "off",
        Stage::Open => "open",
        Stage::Waiting => "waits",
        Stage::Ready => "ready",
        Stage::Over => "over",
    }
}
