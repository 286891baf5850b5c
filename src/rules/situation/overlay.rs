//! Overlays: what a region does better. A patch changes a step, further steps come behind those of the situation. What would make
//! somebody worse off is refused.

use super::diagnostic::File;
use super::file::{Noted, Read, Reading, Table};
use super::steps::{Around, RawRole, RawStep, RawSurvey, RawTell};
use super::time::Term;
use super::words::RawTexts;
use super::{Channel, Must, Need, Situation, Step};
use crate::base::fault::{Code as Fault, nearest};
use crate::base::ids::{Code, Region};
use serde::Deserialize;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;

type Word = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOverlay {
    format: Spanned<u32>,
    overlay: Word,
    base: Word,
    region: Word,
    version: Word,
    curator: Option<String>,
    #[serde(default)]
    legal_checked: Vec<String>,
    #[serde(default)]
    remove: Vec<Word>,
    #[serde(default)]
    role: Vec<RawRole>,
    #[serde(default)]
    patch: Table<RawPatch>,
    #[serde(default = "nothing")]
    step: Spanned<Vec<RawStep>>,
    survey: Option<RawSurvey>,
}

fn nothing() -> Spanned<Vec<RawStep>> {
    Spanned::new(0..0, Vec::new())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPatch {
    title: Option<RawTexts>,
    agency: Option<Word>,
    service: Option<Word>,
    when: Option<Word>,
    needs: Option<Vec<Word>>,
    withhold: Option<Vec<Word>>,
    deadline: Option<Word>,
    channel: Option<Word>,
    tell: Option<RawTell>,
    purpose: Option<Word>,
    legal: Option<Word>,
}

impl Reading<'_> {
    pub(super) fn overlay(&mut self, file: &File) {
        // What is wrong is noted.
        let _: Read<()> = self.read_overlay(file);
    }

    fn read_overlay(&mut self, file: &File) -> Read<()> {
        let raw: RawOverlay = self.toml(file)?;
        self.format(file, &raw.format)?;
        let before = self.wrong.len();
        let region = self.region(file, &raw.region)?;
        let base = self.base(file, &raw)?;
        let mut situation = Situation::clone(&base);
        situation.overlay = Some(self.version(file, &raw.version)?);
        situation.region = Some(region.clone());
        if let Some(curator) = raw.curator {
            situation.curator = curator.into();
        }
        for step in &raw.remove {
            let what = format!("{} is a step of the country's situation: a region does not take it away", step.get_ref());
            self.note(Fault::CatWorse, file, &step.span(), what);
        }
        situation.roles = self.roles(file, raw.role, &situation.roles);
        if let Some(role) = situation.roles.iter().skip(base.roles.len()).find(|role| role.found_in.is_empty()) {
            let what = format!("people would have to say who the {} is: say in found_in which document does", role.name);
            self.note(Fault::CatWorse, file, &raw.overlay.span(), what);
        }
        let roles = situation.roles.clone();
        let around = Around { file, roles: &roles, checked: &raw.legal_checked };
        for (name, patch) in raw.patch.0 {
            let at = situation.steps.iter().position(|step| step.id.as_str() == name.get_ref());
            let Some(step) = at.and_then(|at| situation.steps.get_mut(at)) else {
                let near = nearest(name.get_ref(), base.steps.iter().map(|step| step.id.as_str()));
                let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
                self.note(Fault::CatOrder, file, &name.span(), format!("{} has no step {}{near}", base.id, name.get_ref()));
                continue;
            };
            // What is wrong is noted.
            let _: Read<()> = self.patch(&around, step, patch);
        }
        situation.steps = self.steps(&around, &situation.steps, raw.step);
        if let Some(survey) = raw.survey {
            situation.survey = Some(self.survey(file, &survey)?);
        }
        let key = (situation.id.clone(), situation.version.clone(), Some(region));
        if self.catalogue.situations.contains_key(&key) {
            self.note(Fault::CatOrder, file, &raw.overlay.span(), format!("the region has an overlay of {} already", base.id));
        }
        if self.wrong.len() > before {
            return Err(Noted);
        }
        self.catalogue.situations.insert(key, Arc::new(situation));
        Ok(())
    }

    fn region(&mut self, file: &File, text: &Word) -> Read<Region> {
        let region = Region::parse(text.get_ref()).filter(|region| region.as_str().starts_with(&*self.catalogue.country));
        let Some(region) = region else {
            let what = format!("\"{}\" is not a region of the country by ISO 3166-2, as in RU-YAR", text.get_ref());
            return self.wrong(Fault::CatSyntax, file, &text.span(), what);
        };
        if file.name.split('/').nth(1) != Some(region.as_str()) {
            self.note(Fault::CatSyntax, file, &text.span(), format!("an overlay of {region} stands in region/{region}/"));
        }
        Ok(region)
    }

    fn base(&mut self, file: &File, raw: &RawOverlay) -> Read<Arc<Situation>> {
        let known: Vec<Arc<Situation>> = self.catalogue.situations().filter(|known| known.region.is_none()).cloned().collect();
        let ids: Vec<Code> = known.iter().map(|known| known.id.clone()).collect();
        let id = self.known(file, &raw.overlay, "situation", &ids)?;
        let version = self.version(file, &raw.base)?;
        let found = known.iter().find(|known| known.id == id && known.version == version);
        found.map_or_else(
            || {
                let versions = known.iter().filter(|known| known.id == id).map(|known| known.version.to_string());
                let versions = versions.collect::<Vec<_>>().join(", ");
                let what = format!("{id} has no version {version}; it has {versions}. Compare them and write base = \"...\"");
                self.wrong(Fault::CatBase, file, &raw.base.span(), what)
            },
            |found| Ok(Arc::clone(found)),
        )
    }

    fn worse(&mut self, file: &File, at: &Range<usize>, what: String) {
        self.note(Fault::CatWorse, file, at, what);
    }

    fn patch(&mut self, around: &Around<'_>, step: &mut Step, raw: RawPatch) -> Read<()> {
        let file = around.file;
        if let Some(title) = raw.title {
            step.title = self.texts(file, title)?;
        }
        if let Some(agency) = &raw.agency {
            step.office = self.office(file, agency)?;
        }
        if let Some(service) = &raw.service {
            step.service = self.code(file, service)?;
        }
        if let Some(when) = &raw.when {
            let what = format!("for whom {} is done is for the country to say; what a region adds is a step of its own", step.id);
            self.worse(file, &when.span(), what);
        }
        if let Some(needs) = raw.needs {
            self.patch_needs(around, step, needs)?;
        }
        if let Some(withhold) = raw.withhold {
            let more = self.each(withhold, |reading, text| reading.withheld(file, &step.needs, &text));
            step.withhold.extend(more);
        }
        if let Some(deadline) = &raw.deadline {
            let term = self.term(file, deadline)?;
            if !Term::is_at_most(term, step.deadline) {
                let what = format!("people would wait longer for {}: {} instead of {}", step.id, term, step.deadline);
                self.worse(file, &deadline.span(), what);
            }
            step.deadline = term;
        }
        if let Some(legal) = &raw.legal {
            step.legal = Some(self.legal(file, legal, around.checked)?);
        }
        if let Some(channel) = &raw.channel {
            let new = self.channel(file, channel)?;
            if new == Channel::InPerson && step.channel != Channel::InPerson {
                self.worse(file, &channel.span(), format!("people would have to come for {}", step.id));
            }
            step.channel = new;
        }
        if let Some(tell) = raw.tell {
            let tell = self.tell(file, tell);
            for (own, more) in [
                (&mut step.tell.applicant, tell.applicant),
                (&mut step.tell.curator, tell.curator),
                (&mut step.tell.assistant, tell.assistant),
            ] {
                own.extend(more);
                own.sort_unstable();
                own.dedup();
            }
        }
        if let Some(purpose) = &raw.purpose {
            step.purpose = Some(self.code(file, purpose)?);
        }
        Ok(())
    }

    /// A region may do with fewer documents, and with "there is none" where one had to exist.
    fn patch_needs(&mut self, around: &Around<'_>, step: &mut Step, raw: Vec<Word>) -> Read<()> {
        let needs = self.each(raw, |reading, text| {
            let need = reading.need(around, &text)?;
            Ok((need, text.span()))
        });
        for (need, at) in &needs {
            let known = step.needs.iter().find(|known| known.document == need.document);
            match known {
                None => self.worse(around.file, at, format!("{} would need one more document: {}", step.id, need.document)),
                Some(known) if known.must == Must::BeLookedFor && need.must == Must::Exist => {
                    self.worse(around.file, at, format!("{} has to exist, and for the country it does not", need.document));
                }
                Some(_) => {}
            }
        }
        step.needs = needs.into_iter().map(|(need, _)| need).collect::<Vec<Need>>();
        let needs = &step.needs;
        step.withhold.retain(|(document, _)| needs.iter().any(|need| need.document.document == *document));
        Ok(())
    }
}
