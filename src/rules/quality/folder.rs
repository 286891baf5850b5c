//! All files about quality that a gateway has: what people are asked, which services meet the standard and what was measured of them, what
//! comes first in regions, what was found in laboratories.
//!
//! Refuses files of other names, two questionnaires of one name, and situations that name a questionnaire that is not there.

use super::laboratory::Laboratories;
use super::priorities::Priorities;
use super::questionnaire::Questionnaire;
use super::register::{Measured, Register};
use crate::base::fault::{Code as Fault, nearest};
use crate::base::ids::Code;
use crate::base::limits;
use crate::rules::situation::{Catalogue, Diagnostic, File, Survey};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// A file of the folder: where it stands in it, as `questionnaires/charity.toml`, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its place below the folder.
    pub place: String,
    /// The file, by the name that people are told.
    pub file: File,
}

/// What they say together.
#[derive(Clone, Debug, PartialEq)]
pub struct Folder {
    /// What people are asked.
    pub questionnaires: Questionnaires,
    /// Which services meet the standard.
    pub register: Option<Register>,
    /// What somebody has measured of their channels.
    pub measured: Measured,
    /// What comes first in regions.
    pub priorities: Option<Priorities>,
    /// What was found in laboratories.
    pub laboratories: Option<Laboratories>,
}

/// What people are asked: one questionnaire usually, others where a situation names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Questionnaires {
    usual: Questionnaire,
    /// The name of the program's own, in whose place the usual one stands.
    built_in: Code,
    others: BTreeMap<Code, Questionnaire>,
}

impl Questionnaires {
    /// The one for a situation: that which its file names, or the usual one.
    pub fn of(&self, survey: Option<&Survey>) -> &Questionnaire {
        survey.and_then(|survey| self.others.get(&survey.questionnaire)).unwrap_or(&self.usual)
    }

    fn is_known(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let own = [&self.usual.id, &self.built_in];
        own.into_iter().chain(self.others.keys()).map(Code::as_str)
    }

    fn read(files: &[Found]) -> Result<Self, Vec<Diagnostic>> {
        let built_in = Questionnaire::built_in()?;
        let usual = named(files, USUAL).map(|found| Questionnaire::read(&found.file)).transpose()?;
        let mut all = Self { built_in: built_in.id.clone(), usual: usual.unwrap_or(built_in), others: BTreeMap::new() };
        let mut wrong = Vec::new();
        for found in files.iter().filter(|found| found.place.starts_with(OTHERS)) {
            match Questionnaire::read(&found.file) {
                Err(told) => wrong.extend(told),
                Ok(one) if one.id == all.usual.id || all.others.contains_key(&one.id) => {
                    let at = toml::from_str(&found.file.text).map_or(0..0, |Id { id }| id.span());
                    let what = format!("another questionnaire is called {}: give this one an id of its own", one.id);
                    wrong.push(Diagnostic::new(Fault::QuaSyntax, &found.file, &at, what));
                }
                Ok(one) => drop(all.others.insert(one.id.clone(), one)),
            }
        }
        if wrong.is_empty() { Ok(all) } else { Err(wrong) }
    }

    /// Which situations name one that is not there.
    fn unknown(&self, situations: &[File]) -> Vec<Diagnostic> {
        let naming = situations.iter().filter(|file| file.name.ends_with(".toml")).filter_map(|file| {
            let Naming { survey } = toml::from_str(&file.text).ok()?;
            Some((file, survey?.questionnaire))
        });
        let unknown = naming.filter(|(_, name)| !self.is_known(name.get_ref()));
        let told = unknown.map(|(file, name)| {
            let (word, span) = (name.get_ref(), name.span());
            let near = nearest(word, self.names()).map_or(String::new(), |near| format!("; did you mean {near}?"));
            let what = format!(
                "no questionnaire is called {word}{near} Put one with id = \"{word}\" into {OTHERS} of the folder that \
                 console.quality names"
            );
            Diagnostic::new(Fault::QuaUnknown, file, &span, what)
        });
        told.collect()
    }
}

impl Folder {
    /// Reads the files of a folder, beside a catalogue and the files that it was read from. Either all of it is good, or what is wrong is told.
    pub fn read(files: &[Found], catalogue: &Catalogue, situations: &[File]) -> Result<Self, Vec<Diagnostic>> {
        let strange = files.iter().find(|found| !is_place(&found.place));
        if let Some(strange) = strange {
            let near =
                nearest(&strange.place, PLACES.into_iter()).map_or(String::new(), |near| format!("; did you mean {near}?"));
            let what = format!("no file about quality is called {}{near}", strange.place);
            return Err(vec![Diagnostic::new(Fault::QuaUnknown, &strange.file, &(0..0), what)]);
        }
        if files.len() > limits::QUALITY_FILES_MAX {
            let what = format!("a folder about quality has at most {} files", limits::QUALITY_FILES_MAX);
            let last = files.last().map(|last| Diagnostic::new(Fault::QuaTooMuch, &last.file, &(0..0), what));
            return Err(last.into_iter().collect());
        }
        let questionnaires = Questionnaires::read(files)?;
        let unknown = questionnaires.unknown(situations);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let register = named(files, "register.toml").map(|found| Register::read(&found.file)).transpose()?;
        let measured = named(files, "measured.jsonl").map(|found| measured(&found.file, register.as_ref())).transpose()?;
        let priorities = named(files, "priorities.toml").map(|found| Priorities::read(&found.file)).transpose()?;
        let studies = named(files, "laboratories.toml");
        let laboratories = studies.map(|found| Laboratories::read(&found.file, catalogue)).transpose()?;
        Ok(Self { questionnaires, register, measured: measured.unwrap_or_default(), priorities, laboratories })
    }
}

fn measured(file: &File, register: Option<&Register>) -> Result<Measured, Vec<Diagnostic>> {
    let Some(register) = register else {
        let what = "what was measured is of channels of a register: put register.toml beside it";
        return Err(vec![Diagnostic::new(Fault::QuaUnknown, file, &(0..0), what)]);
    };
    register.measured(&file.text).map_err(|(line, cause)| {
        let start = file.text.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
        vec![Diagnostic::new(Fault::QuaSyntax, file, &(start..start), cause.to_string())]
    })
}

fn named<'f>(files: &'f [Found], place: &str) -> Option<&'f Found> {
    files.iter().find(|found| found.place == place)
}

fn is_place(place: &str) -> bool {
    let is_other = place.strip_prefix(OTHERS).is_some_and(|name| name.ends_with(".toml") && !name.contains('/'));
    is_other || PLACES.contains(&place)
}

/// The name of a questionnaire, wherever it stands in its file.
#[derive(Deserialize)]
struct Id {
    id: Spanned<String>,
}

/// What a situation's file says of its questionnaire; what else it says is read elsewhere.
#[derive(Deserialize)]
struct Naming {
    survey: Option<NamingSurvey>,
}

#[derive(Deserialize)]
struct NamingSurvey {
    questionnaire: Spanned<String>,
}

const USUAL: &str = "questionnaire.toml";
const OTHERS: &str = "questionnaires/";
const PLACES: [&str; 5] = ["register.toml", "measured.jsonl", "priorities.toml", "laboratories.toml", USUAL];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::schema::Schemas;
    use crate::rules::quality::words::Dimension;

    fn found(place: &str, text: impl Into<String>) -> Found {
        Found { place: place.to_owned(), file: File::new(format!("q/{place}"), text) }
    }

    /// A questionnaire of one question.
    fn asking(id: &str, dimension: &str) -> String {
        let anchors: String = (1..=5).map(|point| format!("{point} = {{ en = \"{point}\", ru = \"{point}\" }}\n")).collect();
        format!(
            "format = 1\nid = \"{id}\"\nversion = \"1\"\ntitle = {{ en = \"x\", ru = \"x\" }}\n[anchors]\n{anchors}[[question]]\nid = \"only\"\n\
             dimension = \"{dimension}\"\ntext = {{ en = \"x\", ru = \"x\" }}\n"
        )
    }

    /// The catalogue of the program, with this in place of the questionnaire of a birth.
    fn situations(questionnaire: &str) -> (Catalogue, Vec<File>) {
        let mut files = Catalogue::built_in_files();
        let birth = files.iter_mut().find(|file| file.name == "federal/birth-of-child.toml").expect("it is there");
        assert!(birth.text.contains("questionnaire = \"social-5point-1\""));
        birth.text = birth.text.replace("social-5point-1", questionnaire);
        let catalogue = Catalogue::read(&files, &Schemas::built_in()).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        (catalogue, files)
    }

    fn told(files: &[Found], (catalogue, situations): &(Catalogue, Vec<File>)) -> String {
        Folder::read(files, catalogue, situations).expect_err("it is refused")[0].to_string()
    }

    #[test]
    fn a_situation_has_its_own_questionnaire_and_any_other_the_usual_one() {
        let (catalogue, files) = situations("charity");
        let survey =
            |id: &str| catalogue.situation(&Code::parse(id).expect("a name"), None).and_then(|known| known.survey.as_ref());
        let own = [found("questionnaires/c.toml", asking("charity", "courtesy"))];
        let folder = Folder::read(&own, &catalogue, &files).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let of = |folder: &Folder, id: &str| folder.questionnaires.of(survey(id)).id.to_string();
        assert_eq!((of(&folder, "birth-of-child"), of(&folder, "marriage")), ("charity".into(), "social-5point-1".into()));
        assert_eq!(folder.questionnaires.of(None).id.as_str(), "social-5point-1");
        // Its answers are of the five dimensions that all have.
        let answer = folder.questionnaires.of(survey("birth-of-child")).answer([("only", "4")]).expect("an answer");
        assert_eq!(answer.scores().keys().collect::<Vec<_>>(), [&Dimension::Courtesy]);
        // One that stands in place of the program's is for all that name the program's.
        let both = [own[0].clone(), found("questionnaire.toml", asking("town", "process"))];
        let folder = Folder::read(&both, &catalogue, &files).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        assert_eq!((of(&folder, "birth-of-child"), of(&folder, "marriage")), ("charity".into(), "town".into()));
    }

    #[test]
    fn a_questionnaire_that_is_not_there_is_refused_with_its_place_and_what_to_do() {
        let all = situations("charty");
        let own = [found("questionnaires/c.toml", asking("charity", "courtesy"))];
        let text = told(&own, &all);
        assert!(text.starts_with("federal/birth-of-child.toml:"), "{text}");
        for words in
            ["OG-QUA-002", "no questionnaire is called charty; did you mean charity?", "id = \"charty\"", "questionnaires/"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(told(&[], &situations("charity")).contains("no questionnaire is called charity"));
        assert!(Folder::read(&own, &situations("charity").0, &situations("charity").1).is_ok());
    }

    #[test]
    fn what_is_wrong_in_the_folder_is_told_with_its_place() {
        let all = situations("social-5point-1");
        let register = || found("register.toml", Register::built_in_file().text);
        let line = r#"{"agency":"xx.town.zags","service":"birth-registration","channel":"portal","tried":10,"worked":9}"#;
        for (files, place, expected) in [
            (vec![found("registry.toml", "")], "q/registry.toml:1:1", "did you mean register.toml?"),
            (vec![found("questionnaires/x/y.toml", "")], "q/questionnaires/x/y.toml:1:1", "no file about quality"),
            (
                vec![found("questionnaires/a.toml", asking("social-5point-1", "process"))],
                "q/questionnaires/a.toml:2:6",
                "an id of its own",
            ),
            (
                vec![
                    found("questionnaires/a.toml", asking("a", "process")),
                    found("questionnaires/b.toml", asking("a", "comfort")),
                ],
                "q/questionnaires/b.toml:2:6",
                "another questionnaire is called a",
            ),
            (vec![found("questionnaires/a.toml", asking("a", "price"))], "q/questionnaires/a.toml:11:1", "five points"),
            (vec![found("measured.jsonl", line)], "q/measured.jsonl:1:1", "put register.toml beside it"),
            (
                vec![register(), found("measured.jsonl", format!("{line}\n{line}\n"))],
                "q/measured.jsonl:2:1",
                "has a line already",
            ),
        ] {
            let text = told(&files, &all);
            assert!(text.starts_with(place) && text.contains(expected), "expected {place} {expected}, found {text}");
        }
        let whole = [register(), found("measured.jsonl", line)];
        let folder = Folder::read(&whole, &all.0, &all.1).unwrap_or_else(|wrong| panic!("{}", wrong[0]));
        let rows = folder.register.as_ref().expect("read").channel_rows(&folder.measured, &BTreeMap::new());
        assert_eq!(rows.iter().filter(|row| row.measured.is_some()).count(), 1);
    }

    #[test]
    fn of_files_there_is_a_most() {
        let all = situations("social-5point-1");
        let of = |count: usize| -> Vec<Found> {
            (0..count)
                .map(|number| found(&format!("questionnaires/{number}.toml"), asking(&format!("q{number}"), "process")))
                .collect()
        };
        assert!(Folder::read(&of(limits::QUALITY_FILES_MAX), &all.0, &all.1).is_ok());
        assert!(told(&of(limits::QUALITY_FILES_MAX + 1), &all).contains("OG-QUA-003"));
    }
}
