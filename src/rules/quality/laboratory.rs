//! Laboratories in which people try situations out while somebody watches: studies, their tasks, and what was found, each finding linked
//! to a step of a situation.
//!
//! Refuses a finding at a step that the situation has not, one that more people met than took part, and studies of laboratories that the
//! file does not name. Participants are counted and never named.

use super::file::{RawTexts, Read, Reading, Table, Word};
use super::statistics::Share;
use super::words::Month;
use crate::base::ids::{AgencyId, Code, Region};
use crate::rules::situation::{Catalogue, Diagnostic, File, Texts};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

/// All laboratories, and what they have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Laboratories {
    laboratories: BTreeMap<Code, Laboratory>,
    studies: BTreeMap<Code, Study>,
}

/// A place where people try things out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Laboratory {
    /// Its name for people.
    pub title: Texts,
    /// Whose it is.
    pub agency: AgencyId,
}

/// One study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Study {
    /// Where it was held.
    pub laboratory: Code,
    /// Of which situation.
    pub situation: Code,
    /// As it is in which region, if not in the country.
    pub region: Option<Region>,
    /// When.
    pub month: Month,
    /// How many people took part.
    pub participants: u64,
    /// What they were asked to do.
    pub tasks: Vec<Task>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Something that people were asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub id: Code,
    /// What it is.
    pub title: Texts,
    /// How many tried it.
    pub tried: u64,
    /// How many of these came to its end without help.
    pub completed: u64,
}

/// Something that stood in people's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub id: Code,
    /// What it is.
    pub what: Texts,
    /// At which step.
    pub step: Code,
    /// How bad it is.
    pub severity: Severity,
    /// How many of the participants met it.
    pub met_by: u64,
    /// Since when it is mended.
    pub mended: Option<Month>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nobody can go on.
    Critical,
    /// Many cannot go on without help.
    Serious,
    /// It costs time.
    Minor,
    /// It is ugly.
    Cosmetic,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::Serious, Self::Minor, Self::Cosmetic];

    /// Its name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Serious => "serious",
            Self::Minor => "minor",
            Self::Cosmetic => "cosmetic",
        }
    }
}

/// What all studies come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// How many laboratories have held a study.
    pub laboratories: u64,
    /// How many studies.
    pub studies: u64,
    /// How many took part.
    pub participants: u64,
    /// How often a task was completed of how often it was tried.
    pub completed: Share,
    /// Findings by how bad they are, the worst first.
    pub findings: BTreeMap<Severity, Findings>,
    /// Findings by situation and step.
    pub steps: BTreeMap<(Code, Code), Findings>,
}

/// How many findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Those that still stand in the way.
    pub open: u64,
    /// Those that are mended.
    pub mended: u64,
}

impl Findings {
    fn add(&mut self, finding: &Finding) {
        let count = if finding.mended.is_some() { &mut self.mended } else { &mut self.open };
        *count += 1;
    }
}

impl Laboratories {
    /// Reads a file of studies of situations that a catalogue has. Either all of it is good, or all that is wrong is told.
    pub fn read(file: &File, catalogue: &Catalogue) -> Result<Self, Vec<Diagnostic>> {
        Reading::whole(file, |reading, raw| read(reading, catalogue, raw))
    }

    /// The file that comes with the program: invented studies.
    pub fn built_in_file() -> File {
        File::new("quality/laboratories.toml", include_str!("../../../schemas/quality/laboratories.toml"))
    }

    /// All of them, by name.
    pub const fn laboratories(&self) -> &BTreeMap<Code, Laboratory> {
        &self.laboratories
    }

    /// All studies, by name.
    pub const fn studies(&self) -> &BTreeMap<Code, Study> {
        &self.studies
    }

    /// What they come to.
    pub fn count(&self) -> Count {
        let studies = || self.studies.values();
        let (mut findings, mut steps) = (BTreeMap::<_, Findings>::new(), BTreeMap::<_, Findings>::new());
        for (study, finding) in studies().flat_map(|study| study.findings.iter().map(move |finding| (study, finding))) {
            findings.entry(finding.severity).or_default().add(finding);
            steps.entry((study.situation.clone(), finding.step.clone())).or_default().add(finding);
        }
        let tasks = || studies().flat_map(|study| &study.tasks);
        Count {
            laboratories: studies().map(|study| &study.laboratory).collect::<BTreeSet<_>>().len() as u64,
            studies: self.studies.len() as u64,
            participants: studies().map(|study| study.participants).sum(),
            completed: Share::new(tasks().map(|task| task.completed).sum(), tasks().map(|task| task.tried).sum()),
            findings,
            steps,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    format: Spanned<u32>,
    laboratory: Table<RawLaboratory>,
    study: Table<RawStudy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLaboratory {
    title: RawTexts,
    agency: Word,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStudy {
    laboratory: Word,
    situation: Word,
    region: Option<Word>,
    month: Word,
    participants: Spanned<u64>,
    #[serde(default)]
    task: Vec<RawTask>,
    #[serde(default)]
    finding: Vec<RawFinding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTask {
    id: Word,
    title: RawTexts,
    tried: Spanned<u64>,
    completed: Spanned<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFinding {
    id: Word,
    what: RawTexts,
    step: Word,
    severity: Word,
    met_by: Spanned<u64>,
    mended: Option<Word>,
}

fn read(reading: &mut Reading<'_>, catalogue: &Catalogue, raw: Raw) -> Read<Laboratories> {
    reading.format(&raw.format)?;
    let laboratories = reading.each(raw.laboratory.0.into_iter().collect(), |reading, (name, raw)| {
        let laboratory = Laboratory { title: reading.texts(raw.title)?, agency: reading.agency(&raw.agency)? };
        Ok((reading.code(&name)?, laboratory))
    });
    let laboratories: BTreeMap<Code, Laboratory> = laboratories.into_iter().collect();
    let known: Vec<(&str, Code)> = laboratories.keys().map(|id| (id.as_str(), id.clone())).collect();
    let studies = reading.each(raw.study.0.into_iter().collect(), |reading, (name, raw)| {
        let laboratory = reading.known(&raw.laboratory, "laboratory", &known)?;
        Ok((reading.code(&name)?, study(reading, catalogue, laboratory, raw)?))
    });
    Ok(Laboratories { studies: studies.into_iter().collect(), laboratories })
}

fn study(reading: &mut Reading<'_>, catalogue: &Catalogue, laboratory: Code, raw: RawStudy) -> Read<Study> {
    let known: Vec<(&str, Code)> = catalogue.situations().map(|known| (known.id.as_str(), known.id.clone())).collect();
    let situation = reading.known(&raw.situation, "situation", &known)?;
    let region = raw.region.map(|region| reading.region(&region)).transpose()?;
    let month = reading.month(&raw.month)?;
    let participants = reading.count(&raw.participants, 1..=PARTICIPANTS_MAX, "participants")?;
    let steps: Vec<(&str, Code)> = (catalogue.situation(&situation, region.as_ref()))
        .map(|known| known.steps.iter().map(|step| (step.id.as_str(), step.id.clone())).collect())
        .unwrap_or_default();
    let mut ids = BTreeSet::new();
    let tasks = reading.each(raw.task, |reading, raw| {
        let tried = reading.count(&raw.tried, 1..=participants, "tried")?;
        let completed = reading.count(&raw.completed, 0..=tried, "completed")?;
        Ok(Task { id: reading.once(&mut ids, &raw.id)?, title: reading.texts(raw.title)?, tried, completed })
    });
    let mut ids = BTreeSet::new();
    let severities = Severity::ALL.map(|known| (known.as_str(), known));
    let findings = reading.each(raw.finding, |reading, raw| {
        Ok(Finding {
            id: reading.once(&mut ids, &raw.id)?,
            what: reading.texts(raw.what)?,
            step: reading.known(&raw.step, "step", &steps)?,
            severity: reading.known(&raw.severity, "severity", &severities)?,
            met_by: reading.count(&raw.met_by, 1..=participants, "met_by")?,
            mended: raw.mended.map(|month| reading.month(&month)).transpose()?,
        })
    });
    Ok(Study { laboratory, situation, region, month, participants, tasks, findings })
}

/// No study has watched more.
const PARTICIPANTS_MAX: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::schema::Schemas;

    fn catalogue() -> Catalogue {
        Catalogue::built_in(&Schemas::built_in()).unwrap_or_else(|wrong| panic!("{}", wrong[0]))
    }

    #[test]
    fn what_laboratories_found_is_counted_by_step_and_severity() {
        let laboratories =
            Laboratories::read(&Laboratories::built_in_file(), &catalogue()).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let count = laboratories.count();
        assert_eq!((count.laboratories, count.studies, count.participants), (2, 3, 22));
        assert_eq!((count.completed.count, count.completed.of), (32, 44));
        let findings: Vec<(&str, u64, u64)> =
            count.findings.iter().map(|(severity, found)| (severity.as_str(), found.open, found.mended)).collect();
        assert_eq!(findings, [("critical", 0, 1), ("serious", 2, 0), ("minor", 1, 1), ("cosmetic", 1, 0)]);
        let code = |text: &str| Code::parse(text).expect("a code");
        assert_eq!(count.steps[&(code("birth-of-child"), code("kindergarten"))], Findings { open: 1, mended: 1 });
        assert_eq!(count.steps.values().map(|found| found.open + found.mended).sum::<u64>(), 6);
    }

    #[test]
    fn each_mistake_of_a_file_of_studies_is_told_with_its_place() {
        let (text, catalogue) = (Laboratories::built_in_file().text, catalogue());
        for (from, to, expected) in [
            ("step = \"kindergarten\"", "step = \"kindergaten\"", "no step is called kindergaten; did you mean kindergarten?"),
            ("situation = \"birth-of-child\"", "situation = \"birth\"", "no situation is called birth"),
            (
                "laboratory = \"yaroslavl\"",
                "laboratory = \"jaroslavl\"",
                "no laboratory is called jaroslavl; did you mean yaroslavl?",
            ),
            ("severity = \"serious\"", "severity = \"serous\"", "no severity is called serous; did you mean serious?"),
            ("met_by = 5", "met_by = 9", "met_by is 1 to 8, and not 9"),
            ("tried = 8", "tried = 9", "tried is 1 to 8, and not 9"),
            ("completed = 5", "completed = 9", "completed is 0 to 8, and not 9"),
            ("participants = 8", "participants = 0", "participants is 1 to 1000, and not 0"),
            ("month = \"2026-05\"", "month = \"May\"", "\"May\" is not a month"),
            ("id = \"list-place\"", "id = \"apply\"", "apply stands there twice"),
        ] {
            assert!(text.contains(from), "{from}");
            let file = File::new("l.toml", text.replacen(from, to, 1));
            let wrong = Laboratories::read(&file, &catalogue).expect_err(to);
            let told = wrong[0].to_string();
            assert!(told.starts_with("l.toml:") && told.contains(expected), "expected {expected}, found {told}");
        }
    }
}
