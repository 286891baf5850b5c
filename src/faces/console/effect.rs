//! What a change of a life situation would mean for people, before it is released: its file is read as the gateway would read it, and people
//! who do not exist are taken through the situation as it is and as it would be. Nothing is changed by it.

use super::html::{Field, Form, Html, Note, Ordered, Page, Span, Tone, facts, lead, link, list, notes, prose, section, text};
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{Code as Refusal, Fault};
use crate::base::ids::Code;
use crate::host::catalogue::files;
use crate::rules::situation::measure::Change;
use crate::rules::situation::{Catalogue, Diagnostic, File, Situation};
use std::collections::{BTreeMap, BTreeSet};

/// People who are taken through each situation.
const PEOPLE: u64 = 500;
/// Letters of a file.
const FILE_CHARS_MAX: usize = 32 << 10;

/// The name of the file of a situation, as the catalogue of the program has them.
fn file_of(situation: &Situation) -> String {
    match &situation.region {
        Some(region) => format!("region/{region}/{}.toml", situation.id),
        None => format!("federal/{}.toml", situation.id),
    }
}

/// Where a changed file is tried out.
pub(super) fn form(visit: &Visit, situation: &Situation) -> Html {
    let words = visit.words;
    let fields = vec![
        Field::input("file", words.say("effect.file"), file_of(situation)),
        Field::Area {
            name: "text".into(),
            label: words.say("effect.text").into(),
            hint: words.say("effect.text-hint").into(),
            length: FILE_CHARS_MAX,
        },
    ];
    let action = format!("/situations/{}/effect", situation.id);
    let form = Form::post(action, fields, words.say("effect.go"), visit.token()).html();
    section("effect", words.say("effect.title"), &[prose(&[text(words.say("effect.lead"))]), form])
}

/// What comes of a changed file.
enum Effect {
    /// It is not read.
    Wrong(Vec<Diagnostic>),
    /// Each situation that would change, or be new.
    Changes(Vec<(String, Option<Change>)>),
}

/// `POST /situations/{id}/effect`
pub(super) async fn effect(visit: Visit) -> Answered {
    let words = visit.words;
    let id = Code::parse(visit.of()).filter(|id| visit.world.catalogue.situation(id, None).is_some());
    let id = id.ok_or_else(|| Fault::new(Refusal::HttpNoSuchPath))?;
    let mut form = visit.form.clone();
    let name = form.take("file").map(|name| name.trim().to_owned()).filter(|name| is_name(name));
    let name = name.ok_or_else(|| Fault::at(Refusal::AudQuery, "file: expected the name of a file of the catalogue"))?;
    // Browsers send lines as RFC 7578 has them.
    let said = form.take("text").unwrap_or_default().replace("\r\n", "\n");
    if said.trim().is_empty() || said.chars().count() > FILE_CHARS_MAX {
        return Err(Fault::at(Refusal::AudQuery, format!("text: expected 1 to {FILE_CHARS_MAX} characters")));
    }
    let folder = visit.console.config.cases.as_ref().and_then(|cases| cases.catalogue.clone());
    let read = visit.console.read(move |gateway| {
        let world = gateway.world();
        let mut files = files(folder.as_deref()).map_err(|cause| Fault::at(Refusal::CatSyntax, cause.to_string()))?;
        match files.iter_mut().find(|file| file.name == name) {
            Some(file) => file.text = said,
            None => files.push(File::new(name, said)),
        }
        Ok::<_, Fault>(match Catalogue::read(&files, world.schemas()) {
            Err(wrong) => Effect::Wrong(wrong),
            Ok(new) => Effect::Changes(changes(&world.catalogue, &new)),
        })
    });
    let back = format!("/situations/{id}");
    let mut page = Page::new(words.say("effect.title"), super::html::Address::new(back.clone())).below(id.as_str(), back);
    match read.await?? {
        Effect::Wrong(wrong) => {
            let note = Note { tone: Tone::Bad, spans: vec![text(words.say("effect.wrong"))], action: None };
            page.put(notes(words, &[note]));
            page.put(told(words, &wrong));
        }
        Effect::Changes(found) => {
            let spans = vec![text(words.fill("effect.measured", &[("n", &words.number(PEOPLE))]))];
            page.put(lead(&spans));
            if found.is_empty() {
                let note = Note { tone: Tone::Good, spans: vec![text(words.say("effect.none"))], action: None };
                page.put(notes(words, &[note]));
            }
            found.iter().for_each(|(name, change)| page.put(changed(&visit, name, change.as_ref())));
        }
    }
    visit.page(&page)
}

/// Whether a text may be the name of a file of the catalogue; it names none on the disk.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    (1..=200).contains(&name.len()) && name.ends_with(".toml") && name.chars().all(is_plain) && !name.contains("..")
}

/// Each situation that is new or does something else for people; those that are as they were are left out.
fn changes(old: &Catalogue, new: &Catalogue) -> Vec<(String, Option<Change>)> {
    let name = |situation: &Situation| match &situation.region {
        Some(region) => format!("{}@{region}", situation.id),
        None => situation.id.to_string(),
    };
    let mut found = Vec::new();
    for after in new.situations() {
        let before = old.situation(&after.id, after.region.as_ref()).filter(|before| before.region == after.region);
        match before {
            None => found.push((name(after), None)),
            // What reads the same in both needs no measuring.
            Some(before) if format!("{before:?}") == format!("{after:?}") => {}
            Some(before) => {
                let change = Change::between((old, before), (new, after), PEOPLE);
                found.extend((!change.is_none()).then(|| (name(after), Some(change))));
            }
        }
    }
    found
}

/// What is wrong with a file, line by line.
fn told(words: Words, wrong: &[Diagnostic]) -> Html {
    let lines = wrong.iter().take(MISTAKES_MAX).map(|wrong| {
        let code = wrong.code.as_str();
        vec![
            Span::Code(format!("{}:{}:{}", wrong.file, wrong.line, wrong.column)),
            text(" "),
            link(code, format!("/help/{code}")),
            text(format!(" {}", wrong.what)),
        ]
    });
    let lines: Vec<_> = lines.collect();
    section("mistakes", words.say("effect.mistakes"), &[list(&lines, Ordered::No)])
}

const MISTAKES_MAX: usize = 100;

/// What a situation would do for people that it does not, and the other way round.
fn changed(visit: &Visit, name: &str, change: Option<&Change>) -> Html {
    let words = visit.words;
    let situation = name.split('@').next().unwrap_or(name);
    let open = visit.gateway().board(|board| board.cases(|glance| glance.situation.as_str() == situation).len());
    let mut rows = vec![(words.say("effect.open").to_owned(), vec![text(words.number(open as u64))])];
    let mut put = |what: String, gained: u64, lost: u64| {
        let tone = match (gained, lost) {
            (0, 0) => return,
            (_, 0) => Tone::Good,
            _ => Tone::Bad,
        };
        let places = [("gain", words.number(gained)), ("lose", words.number(lost))];
        let places: Vec<(&str, &str)> = places.iter().map(|(place, text)| (*place, text.as_str())).collect();
        rows.push((what, vec![Span::Badge(words.fill("effect.both", &places), tone)]));
    };
    match change {
        None => rows.push((words.say("overview.state").to_owned(), vec![text(words.say("effect.new"))])),
        Some(change) => {
            let steps: BTreeSet<&String> = change.steps_gained.keys().chain(change.steps_lost.keys()).collect();
            for step in steps {
                let count = |steps: &BTreeMap<String, u64>| steps.get(step).copied().unwrap_or(0);
                put(words.fill("effect.step", &[("step", step)]), count(&change.steps_gained), count(&change.steps_lost));
            }
            for (what, gained, lost) in [
                (words.say("effect.days"), change.days_gained, change.days_lost),
                (words.say("effect.documents"), change.documents_gained, change.documents_lost),
                (words.say("effect.questions"), change.questions_gained, change.questions_lost),
                (words.say("effect.visits"), change.visits_gained, change.visits_lost),
            ] {
                put(what.to_owned(), gained, lost);
            }
        }
    }
    section(&format!("effect-{}", name.replace('@', "-")), name, &[facts(&rows)])
}
