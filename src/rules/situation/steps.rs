//! Situations and their steps.

use super::diagnostic::File;
use super::file::{Noted, Read, Reading};
use super::time::{Calendar, Term};
use super::words::{RawTexts, read_path};
use super::{
    Baseline, Channel, DocumentOf, Expiry, Fallback, FoundIn, Must, Need, Notice, Role, Situation, Start, Step, StepIndex,
    Survey, Tell, Version,
};
use crate::base::fault::{Code as Fault, nearest};
use crate::base::ids::{Code, Region};
use crate::base::limits;
use crate::base::time::Day;
use crate::rules::condition::{Condition, FactIndex, Kind};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;

type Word = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSituation {
    format: Spanned<u32>,
    id: Word,
    version: Word,
    title: RawTexts,
    curator: String,
    starts_on: Vec<Word>,
    #[serde(default)]
    facts_at_start: Vec<Word>,
    legal: Vec<Word>,
    #[serde(default)]
    legal_checked: Vec<String>,
    role: Vec<RawRole>,
    baseline: RawBaseline,
    step: Spanned<Vec<RawStep>>,
    survey: Option<RawSurvey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRole {
    name: Word,
    #[serde(default)]
    found_in: Vec<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBaseline {
    carry_days: Spanned<f64>,
    documents: Option<u32>,
    days: Option<Spanned<f64>>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSurvey {
    after: Word,
    delay: Word,
    questionnaire: Word,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub id: Word,
    title: RawTexts,
    agency: Word,
    at: Option<Word>,
    service: Word,
    when: Option<Word>,
    #[serde(default)]
    pub after: Vec<Word>,
    #[serde(default)]
    needs: Vec<Word>,
    #[serde(default)]
    shows: Vec<Word>,
    appointment: Option<Word>,
    #[serde(default)]
    withhold: Vec<Word>,
    gives: Option<Word>,
    deadline: Word,
    expires: Option<Word>,
    expires_from: Option<Word>,
    #[serde(default)]
    tell: RawTell,
    channel: Option<Word>,
    purpose: Option<Word>,
    legal: Option<Word>,
    fallback: Option<Word>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTell {
    #[serde(default)]
    applicant: Vec<Word>,
    #[serde(default)]
    curator: Vec<Word>,
    #[serde(default)]
    assistant: Vec<Word>,
}

/// What a step is read beside: those whom the situation is about, and which references have been looked up.
pub(super) struct Around<'a> {
    pub file: &'a File,
    pub roles: &'a [Role],
    pub checked: &'a [String],
}

impl Reading<'_> {
    pub(super) fn situation(&mut self, file: &File) {
        // What is wrong is noted.
        let _: Read<()> = self.read_situation(file);
    }

    fn read_situation(&mut self, file: &File) -> Read<()> {
        let raw: RawSituation = self.toml(file)?;
        self.format(file, &raw.format)?;
        let before = self.wrong.len();
        let id = self.code(file, &raw.id)?;
        let version = self.version(file, &raw.version)?;
        let name = file.name.rsplit('/').next().and_then(|name| name.strip_suffix(".toml")).unwrap_or_default();
        if name.split('@').next() != Some(id.as_str()) {
            self.note(
                Fault::CatSyntax,
                file,
                &raw.id.span(),
                format!("the file of {id} is called {id}.toml, or {id}@{version}.toml"),
            );
        }
        let key = (id.clone(), version.clone(), None);
        if self.catalogue.situations.contains_key(&key) {
            self.note(
                Fault::CatOrder,
                file,
                &raw.version.span(),
                format!("there is a version {version} of {id} in another file"),
            );
        }
        let roles = self.roles(file, raw.role, &[]);
        let around = Around { file, roles: &roles, checked: &raw.legal_checked };
        let title = self.texts(file, raw.title);
        let starts_on = self.each(raw.starts_on, |reading, start| reading.start(file, &start));
        let facts_at_start = self.each(raw.facts_at_start, |reading, fact| reading.fact(&around, &fact));
        let legal = self.each(raw.legal, |reading, legal| reading.legal(file, &legal, &raw.legal_checked));
        let baseline = self.baseline(file, raw.baseline);
        let steps = self.steps(&around, &[], raw.step);
        let survey = raw.survey.map(|survey| self.survey(file, &survey)).transpose();
        let (title, baseline, survey) = (title?, baseline?, survey?);
        if starts_on.is_empty() {
            self.note(Fault::CatSyntax, file, &raw.id.span(), "nothing starts it: starts_on = [\"request:portal\"]");
        }
        let unnamed = roles.iter().skip(1).find(|role| role.found_in.is_empty());
        if let Some(role) = unnamed.filter(|_| starts_on.iter().any(|start| matches!(start, Start::Document(_)))) {
            let what = format!("an event names nobody as {}: say in found_in which document does", role.name);
            self.note(Fault::CatSyntax, file, &raw.id.span(), what);
        }
        if self.wrong.len() > before {
            return Err(Noted);
        }
        let (curator, region, overlay) = (raw.curator.into(), None, None);
        let situation = Situation {
            id,
            version,
            region,
            overlay,
            title,
            curator,
            roles,
            starts_on,
            facts_at_start,
            legal,
            baseline,
            steps,
            survey,
        };
        self.catalogue.situations.insert(key, Arc::new(situation));
        Ok(())
    }

    pub(super) fn version(&mut self, file: &File, text: &Word) -> Read<Version> {
        let what = || format!("version = \"{}\"; it is numbers with points between, as in 2026.2", text.get_ref());
        Version::parse(text.get_ref()).map_or_else(|| self.wrong(Fault::CatSyntax, file, &text.span(), what()), Ok)
    }

    /// Those whom it is about; each is found in documents of those before, or in one of its own.
    pub(super) fn roles(&mut self, file: &File, raw: Vec<RawRole>, known: &[Role]) -> Vec<Role> {
        let mut roles = known.to_vec();
        for raw in raw {
            let Ok(name) = self.role(file, &raw.name) else { continue };
            if roles.iter().any(|role| role.name == name) {
                self.note(Fault::CatOrder, file, &raw.name.span(), format!("the role {name} twice"));
                continue;
            }
            let role = name.clone();
            roles.push(Role { name, found_in: Vec::new() });
            let found_in = self.each(raw.found_in, |reading, text| {
                let around = Around { file, roles: &roles, checked: &[] };
                let form = "a document, whose, and as whom it names them, as in \"birth-certificate:child as father\"";
                let Some((document, named_as)) = text.get_ref().split_once(" as ") else {
                    return reading.wrong(Fault::CatSyntax, file, &text.span(), format!("\"{}\" is not {form}", text.get_ref()));
                };
                let document = reading.document_of(&around, &text, document)?;
                let schemas = reading.schemas;
                let known = schemas.document_type(&document.document).map(|known| known.roles()).unwrap_or_default();
                if !known.contains(named_as) {
                    let known: Vec<&str> = known.into_iter().filter(|role| !role.is_empty()).collect();
                    let what = format!("{} names nobody as {named_as}; it has: {}", document.document, known.join(", "));
                    return reading.wrong(Fault::CatPath, file, &text.span(), what);
                }
                Ok(FoundIn { role: role.clone(), document, named_as: named_as.into() })
            });
            roles.last_mut().into_iter().for_each(|role| role.found_in.clone_from(&found_in));
        }
        if roles.is_empty() {
            self.note(Fault::CatSyntax, file, &(0..0), "it is about nobody: write [[role]] with name = \"applicant\"");
        }
        roles
    }

    fn start(&mut self, file: &File, text: &Word) -> Read<Start> {
        let (kind, name) = text.get_ref().split_once(':').unwrap_or_default();
        let word = Spanned::new(text.span(), name.to_owned());
        match kind {
            "document" => self.document(file, &word).map(Start::Document),
            "request" => self.code(file, &word).map(Start::Request),
            _ => {
                let what = format!("\"{}\" starts nothing: write document:... or request:...", text.get_ref());
                self.wrong(Fault::CatSyntax, file, &text.span(), what)
            }
        }
    }

    /// A fact about somebody whom the situation is about.
    pub(super) fn fact(&mut self, around: &Around<'_>, text: &Word) -> Read<FactIndex> {
        let Some(index) = self.catalogue.fact_named(text.get_ref()) else {
            let names = self.catalogue.numbers.keys().map(|name| &**name);
            let near = nearest(text.get_ref(), names).map_or(String::new(), |near| format!("; did you mean {near}?"));
            return self.wrong(
                Fault::CatUnknown,
                around.file,
                &text.span(),
                format!("no fact is called {}{near}", text.get_ref()),
            );
        };
        self.fits(around, index, &text.span()).map(|()| index)
    }

    /// Whether the situation is about whoever a fact is found at.
    fn fits(&mut self, around: &Around<'_>, index: FactIndex, at: &Range<usize>) -> Read<()> {
        let Some(fact) = self.catalogue.fact(index) else { return Err(Noted) };
        let role = fact.source.as_ref().map(|source| &source.document.role);
        let is_strange = role.filter(|role| !around.roles.iter().any(|known| known.name == **role));
        match is_strange {
            None => Ok(()),
            Some(role) => {
                let what = format!("{} is found at the {role}, and there is no [[role]] with name = \"{role}\" here", fact.name);
                self.wrong(Fault::CatFact, around.file, at, what)
            }
        }
    }

    fn baseline(&mut self, file: &File, raw: RawBaseline) -> Read<Baseline> {
        let is_good = |days: f64| days.is_finite() && (0.0..=3660.0).contains(&days);
        for days in [Some(&raw.carry_days), raw.days.as_ref()].into_iter().flatten() {
            if !is_good(*days.get_ref()) {
                return self.wrong(Fault::CatSyntax, file, &days.span(), "days are a number from 0 to 3660");
            }
        }
        let (carry_days, days) = (raw.carry_days.into_inner(), raw.days.map(Spanned::into_inner));
        Ok(Baseline { carry_days, documents: raw.documents, days, source: raw.source.into() })
    }

    pub(super) fn survey(&mut self, file: &File, raw: &RawSurvey) -> Read<Survey> {
        if raw.after.get_ref() != "case-closed" {
            return self.wrong(Fault::CatSyntax, file, &raw.after.span(), "a survey follows the end: after = \"case-closed\"");
        }
        let (delay, questionnaire) = (self.term(file, &raw.delay), self.code(file, &raw.questionnaire));
        Ok(Survey { delay: delay?, questionnaire: questionnaire? })
    }

    pub(super) fn term(&mut self, file: &File, text: &Word) -> Read<Term> {
        let what = || format!("\"{}\" is not a term: {}, at most ten years", text.get_ref(), Term::FORM);
        Term::parse(text.get_ref()).map_or_else(|| self.wrong(Fault::CatDeadline, file, &text.span(), what()), Ok)
    }

    /// Steps that come behind others.
    pub(super) fn steps(&mut self, around: &Around<'_>, before: &[Step], raw: Spanned<Vec<RawStep>>) -> Vec<Step> {
        let (span, raw) = (raw.span(), raw.into_inner());
        if before.len() + raw.len() > limits::SITUATION_STEPS_MAX {
            let what = format!("a situation has at most {} steps", limits::SITUATION_STEPS_MAX);
            self.note(Fault::CatTooMuch, around.file, &(span.start..span.start), what);
            return Vec::new();
        }
        let mut ids: Vec<Code> = before.iter().map(|step| step.id.clone()).collect();
        for step in &raw {
            let Ok(id) = self.code(around.file, &step.id) else { continue };
            if ids.contains(&id) {
                self.note(Fault::CatOrder, around.file, &step.id.span(), format!("the step {id} twice"));
            }
            ids.push(id);
        }
        let places: Vec<Range<usize>> = raw.iter().map(|step| step.id.span()).collect();
        let wrong = self.wrong.len();
        let read = self.each(raw, |reading, step| reading.step(around, &ids, step));
        let steps: Vec<Step> = before.iter().cloned().chain(read).collect();
        let together = |name: &Code| steps.iter().filter(|step| step.appointment.as_ref() == Some(name)).count();
        if let Some(name) =
            steps.iter().filter_map(|step| step.appointment.as_ref()).find(|name| together(name) > limits::VISITS_MAX)
        {
            let what = format!("{name}: at most {} steps are attended on one day", limits::VISITS_MAX);
            self.note(Fault::CatTooMuch, around.file, &(span.start..span.start), what);
        }
        if self.wrong.len() == wrong
            && let Some(circle) = circle(&steps)
        {
            let names: Vec<&str> = circle.iter().map(|at| steps[*at].id.as_str()).collect();
            let place = circle.iter().find_map(|at| places.get(at.checked_sub(before.len())?)).cloned().unwrap_or(0..0);
            self.note(Fault::CatOrder, around.file, &place, format!("steps wait for each other: {}", names.join(", ")));
        }
        steps
    }

    fn step(&mut self, around: &Around<'_>, ids: &[Code], raw: RawStep) -> Read<Step> {
        let file = around.file;
        let id = self.code(file, &raw.id);
        let title = self.texts(file, raw.title);
        let (office, service) = (self.office(file, &raw.agency), self.code(file, &raw.service));
        let when = raw.when.as_ref().map(|when| self.condition(around, when)).transpose();
        let after = self.each(raw.after, |reading, text| reading.step_index(file, ids, &text));
        let needs = self.each(raw.needs, |reading, text| reading.need(around, &text));
        let withhold = self.each(raw.withhold, |reading, text| reading.withheld(file, &needs, &text));
        let gives = raw.gives.as_ref().map(|text| self.document_of(around, text, text.get_ref())).transpose();
        let deadline = self.term(file, &raw.deadline);
        let expires = self.expiry(around, raw.expires.as_ref(), raw.expires_from.as_ref());
        let tell = self.tell(file, raw.tell);
        let channel = raw.channel.as_ref().map_or(Ok(Channel::Online), |channel| self.channel(file, channel));
        let purpose = raw.purpose.as_ref().map(|purpose| self.code(file, purpose)).transpose();
        let legal = raw.legal.as_ref().map(|legal| self.legal(file, legal, around.checked)).transpose();
        let fallback = self.fallback(file, raw.fallback.as_ref());
        let shows = self.each(raw.shows, |reading, fact| reading.fact(around, &fact));
        let appointment = raw.appointment.as_ref().map(|name| self.code(file, name)).transpose();
        let at = raw.at.as_ref().map(|at| self.named_at(around, at)).transpose();
        if let (Ok(Channel::InPerson), Ok(None), Some(at)) = (&channel, &legal, &raw.channel) {
            self.note(Fault::CatInPerson, file, &at.span(), "why do people have to come? Name the law: legal = \"RU:...\"");
        }
        let (id, title, office, service, when) = (id?, title?, office?, service?, when?);
        let (at, appointment) = (at?, appointment?);
        let (gives, deadline, expires, tell) = (gives?, deadline?, expires?, tell);
        let (channel, purpose, legal, fallback) = (channel?, purpose?, legal?, fallback?);
        Ok(Step {
            id,
            title,
            office,
            at,
            service,
            when,
            after,
            needs,
            shows,
            appointment,
            withhold,
            gives,
            deadline,
            expires,
            tell,
            channel,
            purpose,
            legal,
            fallback,
        })
    }

    fn step_index(&mut self, file: &File, ids: &[Code], text: &Word) -> Read<StepIndex> {
        let at = ids.iter().position(|id| id.as_str() == text.get_ref());
        let Some(at) = at else {
            let near = nearest(text.get_ref(), ids.iter().map(Code::as_str));
            let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            return self.wrong(Fault::CatOrder, file, &text.span(), format!("no step is called {}{near}", text.get_ref()));
        };
        Ok(StepIndex(at as u16))
    }

    pub(super) fn condition(&mut self, around: &Around<'_>, text: &Word) -> Read<Condition> {
        let read = Condition::parse(text.get_ref(), &self.catalogue);
        // Where the text stands behind its quotes, if it is written there as it is read.
        let span = text.span();
        let written = around.file.text.get(span.clone()).unwrap_or_default();
        let start = written.find(text.get_ref().as_str()).map(|at| span.start + at);
        let condition = match read {
            Ok(condition) => condition,
            Err(error) => {
                let at = start.map_or(span, |start| start + error.at.start..start + error.at.end);
                return self.wrong(Fault::CatCondition, around.file, &at, error.what);
            }
        };
        for fact in condition.facts() {
            self.fits(around, *fact, &span)?;
        }
        Ok(condition)
    }

    /// `document:role`, of somebody whom the situation is about; without a role of the first one.
    fn document_of(&mut self, around: &Around<'_>, place: &Word, text: &str) -> Read<DocumentOf> {
        let (document, role) = text.split_once(':').map_or((text, None), |(document, role)| (document, Some(role)));
        let word = |text: &str| Spanned::new(place.span(), text.to_owned());
        let document = self.document(around.file, &word(document))?;
        let role = match role {
            Some(role) => self.role(around.file, &word(role))?,
            None => around.roles.first().map(|role| role.name.clone()).ok_or(Noted)?,
        };
        if !around.roles.iter().any(|known| known.name == role) {
            let what = format!("there is no [[role]] with name = \"{role}\" here, or it comes later");
            return self.wrong(Fault::CatUnknown, around.file, &place.span(), what);
        }
        let known = self.schemas.document_type(&document).map(|known| known.roles()).unwrap_or_default();
        if !known.contains(role.as_str()) && !known.contains("") {
            let what = format!(
                "{document} is about nobody in the role {role}; its roles are {}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            );
            return self.wrong(Fault::CatPath, around.file, &place.span(), what);
        }
        Ok(DocumentOf { document, role })
    }

    pub(super) fn need(&mut self, around: &Around<'_>, text: &Word) -> Read<Need> {
        let (name, must) = match text.get_ref().strip_suffix('?') {
            Some(name) => (name, Must::BeLookedFor),
            None => (text.get_ref().as_str(), Must::Exist),
        };
        let document = self.document_of(around, text, name)?;
        Ok(Need { document, must })
    }

    pub(super) fn withheld(
        &mut self,
        file: &File,
        needs: &[Need],
        text: &Word,
    ) -> Read<(Code, crate::message::schema::FieldPath)> {
        let Some((document, path)) = text.get_ref().split_once(':') else {
            let what = "what is withheld is a path in a document: medical-absence-note:Diagnosis";
            return self.wrong(Fault::CatSyntax, file, &text.span(), what);
        };
        let document = self.document(file, &Spanned::new(text.span(), document.to_owned()))?;
        if !needs.iter().any(|need| need.document.document == document) {
            return self.wrong(Fault::CatUnknown, file, &text.span(), format!("the step does not need {document}"));
        }
        let path = read_path(self, file, &document, &Spanned::new(text.span(), path.to_owned()))?;
        Ok((document, path))
    }

    /// The fact by which an agency is called.
    fn named_at(&mut self, around: &Around<'_>, at: &Word) -> Read<FactIndex> {
        let fact = self.fact(around, at)?;
        let is_found = self.catalogue.fact(fact).is_some_and(|fact| fact.kind == Kind::Text && fact.source.is_some());
        if is_found {
            return Ok(fact);
        }
        let what = format!("{} is not a text in a document, by which an agency could be called", at.get_ref());
        self.wrong(Fault::CatFact, around.file, &at.span(), what)
    }

    fn expiry(&mut self, around: &Around<'_>, expires: Option<&Word>, from: Option<&Word>) -> Read<Option<Expiry>> {
        let (expires, from) = match (expires, from) {
            (None, None) => return Ok(None),
            (Some(expires), Some(from)) => (expires, from),
            (Some(one), None) | (None, Some(one)) => {
                return self.wrong(Fault::CatDeadline, around.file, &one.span(), "expires and expires_from come together");
            }
        };
        let (after, fact) = (self.term(around.file, expires)?, self.fact(around, from)?);
        if self.catalogue.fact(fact).is_none_or(|fact| fact.kind != Kind::Date) {
            return self.wrong(Fault::CatDeadline, around.file, &from.span(), format!("{} is not a date", from.get_ref()));
        }
        Ok(Some(Expiry { after, from: fact }))
    }

    pub(super) fn tell(&mut self, file: &File, raw: RawTell) -> Tell {
        let mut read = |raw: Vec<Word>| {
            let mut notices = self.each(raw, |reading, text| {
                let known = Notice::ALL.into_iter().find(|notice| notice.as_str() == text.get_ref());
                let what = || format!("\"{}\" is nothing to tell: started, done, late, failed or expiring", text.get_ref());
                known.map_or_else(|| reading.wrong(Fault::CatSyntax, file, &text.span(), what()), Ok)
            });
            notices.sort_unstable();
            notices.dedup();
            notices
        };
        Tell { applicant: read(raw.applicant), curator: read(raw.curator), assistant: read(raw.assistant) }
    }

    pub(super) fn channel(&mut self, file: &File, text: &Word) -> Read<Channel> {
        match text.get_ref().as_str() {
            "online" => Ok(Channel::Online),
            "in-person" => Ok(Channel::InPerson),
            other => match other.strip_prefix("onestop@") {
                Some(office) => self.office(file, &Spanned::new(text.span(), office.to_owned())).map(Channel::OneStop),
                None => {
                    let what = format!("channel = \"{other}\"; it is online, in-person, or onestop@ with an agency");
                    self.wrong(Fault::CatSyntax, file, &text.span(), what)
                }
            },
        }
    }

    fn fallback(&mut self, file: &File, text: Option<&Word>) -> Read<Fallback> {
        match text.map(|text| text.get_ref().as_str()) {
            None | Some("wait") => Ok(Fallback::Wait),
            Some("ask-applicant") => Ok(Fallback::AskApplicant),
            Some(other) => {
                let span = text.map_or(0..0, Spanned::span);
                self.wrong(Fault::CatSyntax, file, &span, format!("fallback = \"{other}\"; it is wait or ask-applicant"))
            }
        }
    }

    pub(super) fn calendar(&mut self, file: &File) {
        // What is wrong is noted.
        let _: Read<()> = self.read_calendar(file);
    }

    fn read_calendar(&mut self, file: &File) -> Read<()> {
        let raw: RawCalendar = self.toml(file)?;
        self.format(file, &raw.format)?;
        let (name, at) = (raw.place.get_ref(), raw.place.span());
        let is_place = **name == *self.catalogue.country || Region::parse(name).is_some();
        if !is_place || file.name != format!("calendar/{name}.toml") {
            return self.wrong(
                Fault::CatSyntax,
                file,
                &at,
                "place is the country or a region, and the file has its name: calendar/RU.toml",
            );
        }
        let ahead = offset(raw.utc_offset.get_ref());
        let Some(ahead) = ahead else {
            return self.wrong(Fault::CatSyntax, file, &raw.utc_offset.span(), "utc_offset is written +03:00");
        };
        let mut days = |raw: Vec<Spanned<toml::value::Datetime>>| {
            let read = self.each(raw, |reading, date| {
                let day = Day::parse(&date.get_ref().to_string());
                day.map_or_else(|| reading.wrong(Fault::CatSyntax, file, &date.span(), "a day is written 2026-01-01"), Ok)
            });
            read.into_iter().collect::<BTreeSet<Day>>()
        };
        let calendar = Calendar::new(ahead, days(raw.off), days(raw.on));
        self.catalogue.calendars.insert(name.as_str().into(), calendar);
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCalendar {
    format: Spanned<u32>,
    place: Word,
    utc_offset: Word,
    #[serde(default)]
    off: Vec<Spanned<toml::value::Datetime>>,
    #[serde(default)]
    on: Vec<Spanned<toml::value::Datetime>>,
}

/// Minutes ahead of UTC, from `+03:00`.
fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let number =
        |text: &str| text.parse::<i32>().ok().filter(|_| text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit()));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let ahead = hours * 60 + minutes;
    match sign {
        "+" if hours <= 14 && minutes < 60 => Some(ahead),
        "-" if hours <= 12 && minutes < 60 => Some(-ahead),
        _ => None,
    }
}

/// Steps that wait for each other: by `after`, or for a document that another gives.
fn circle(steps: &[Step]) -> Option<Vec<usize>> {
    let waits = |at: usize| {
        let step = &steps[at];
        let given = |need: &Need| steps.iter().position(|other| other.gives.as_ref() == Some(&need.document));
        let for_documents = step.needs.iter().filter(|need| step.gives.as_ref() != Some(&need.document)).filter_map(given);
        step.after.iter().map(|index| usize::from(index.0)).chain(for_documents).collect::<Vec<_>>()
    };
    // What waits for nothing but what is over is over; what is left waits in a circle, or behind one.
    let mut left: BTreeSet<usize> = (0..steps.len()).collect();
    loop {
        let over: Vec<usize> = left.iter().copied().filter(|at| waits(*at).iter().all(|other| !left.contains(other))).collect();
        if over.is_empty() {
            break;
        }
        left.retain(|at| !over.contains(at));
    }
    let mut at = *left.first()?;
    let mut way = Vec::new();
    while !way.contains(&at) {
        way.push(at);
        at = *waits(at).iter().find(|other| left.contains(other))?;
    }
    let begin = way.iter().position(|seen| *seen == at)?;
    Some(way.split_off(begin))
}
