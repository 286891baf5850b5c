//! What was found in laboratories where people try situations out: studies, the tasks that they did, and findings, each leading to its step on
//! the page of its situation. Participants are counted, and named nowhere.

use super::html::{Cell, Figure, Span, Table, Tone, column, figure_row, figures, lead, link, text};
use super::quality::{below, of, share_cell, with_interval, without};
use super::words::Words;
use super::{Answered, Visit};
use crate::base::ids::{Code, Region};
use crate::rules::quality::Share;
use crate::rules::quality::laboratory::{Count, Finding, Laboratories, Severity, Study};

/// `GET /quality/laboratories`
pub(super) fn laboratories(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = below(&visit, "laboratories.title");
    page.put(lead(&[text(words.say("laboratories.lead"))]));
    let Some(known) = visit.world.quality.laboratories.as_ref() else {
        page.put(without(words, "laboratories"));
        return visit.page(&page);
    };
    let count = known.count();
    let open: u64 = count.findings.values().map(|findings| findings.open).sum();
    page.put(figure_row(&[
        Figure::new(words.number(count.studies), words.say("laboratories.studies")),
        Figure::new(words.number(count.laboratories), words.say("laboratories.laboratories")),
        Figure::new(words.number(count.participants), words.say("laboratories.participants")),
        Figure::new(with_interval(words, &count.completed), words.say("laboratories.completed")),
        Figure::new(words.number(open), words.say("laboratories.open")),
    ]));
    page.table(findings(&visit, known));
    page.table(steps(&visit, &count));
    page.table(severities(words, &count));
    page.table(studies(&visit, known));
    page.table(tasks(&visit, known));
    visit.page(&page)
}

/// What people call a situation.
fn situation(visit: &Visit, id: &Code, region: Option<&Region>) -> Cell {
    let known = visit.world.catalogue.situation(id, region);
    let title = known.map_or(id.as_str(), |known| known.title.in_language(visit.words.0.tag()));
    Cell::link(title, address(id, region), id.as_str())
}

fn address(situation: &Code, region: Option<&Region>) -> String {
    let region = region.map_or_else(String::new, |region| format!("?region={region}"));
    format!("/situations/{situation}{region}")
}

/// A step, leading to where it stands on the page of its situation.
fn step(visit: &Visit, (id, region): (&Code, Option<&Region>), step: &Code) -> Cell {
    let known = visit.world.catalogue.situation(id, region).and_then(|known| known.steps.iter().find(|known| known.id == *step));
    let title = known.map_or(step.as_str(), |known| known.title.in_language(visit.words.0.tag()));
    Cell::of(vec![link(title, format!("{}#step-{step}", address(id, region)))], step.as_str())
}

fn severity(words: Words, severity: Severity) -> Cell {
    let (key, tone) = match severity {
        Severity::Critical => ("laboratories.critical", Tone::Bad),
        Severity::Serious => ("laboratories.serious", Tone::Warn),
        Severity::Minor => ("laboratories.minor", Tone::Quiet),
        Severity::Cosmetic => ("laboratories.cosmetic", Tone::Quiet),
    };
    Cell::of(vec![Span::Badge(words.say(key).to_owned(), tone)], severity.as_str())
}

/// All findings: those that still stand in the way first, the worst of these first.
fn findings(visit: &Visit, known: &Laboratories) -> Table {
    let words = visit.words;
    let all = known.studies().iter().flat_map(|(id, study)| study.findings.iter().map(move |finding| (id, study, finding)));
    let mut all: Vec<(&Code, &Study, &Finding)> = all.collect();
    all.sort_by_key(|(_, _, finding)| (finding.mended.is_some(), finding.severity));
    let rows = all.into_iter().map(|(id, study, finding)| {
        vec![
            severity(words, finding.severity),
            Cell::of(vec![text(finding.what.in_language(words.0.tag()))], finding.id.as_str()),
            situation(visit, &study.situation, study.region.as_ref()),
            step(visit, (&study.situation, study.region.as_ref()), &finding.step),
            Cell::of(vec![text(of(words, finding.met_by, study.participants))], finding.met_by),
            Cell::maybe(finding.mended, |month| Cell::text(month.to_string())),
            Cell::text(id.as_str()),
        ]
    });
    Table {
        name: "findings",
        caption: words.say("laboratories.findings").to_owned(),
        columns: vec![
            column("severity", words.say("laboratories.severity")),
            column("finding", words.say("laboratories.finding")),
            column("situation", words.say("cases.situation")),
            column("step", words.say("cases.step")),
            figures("met_by", words.say("laboratories.met-by")),
            column("mended", words.say("laboratories.mended")),
            column("study", words.say("laboratories.study")),
        ],
        rows: rows.collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}

fn steps(visit: &Visit, count: &Count) -> Table {
    let words = visit.words;
    let rows = count.steps.iter().map(|((of, at), findings)| {
        vec![
            situation(visit, of, None),
            step(visit, (of, None), at),
            Cell::number(words, findings.open),
            Cell::number(words, findings.mended),
        ]
    });
    Table {
        name: "steps",
        caption: words.say("laboratories.by-step").to_owned(),
        columns: vec![
            column("situation", words.say("cases.situation")),
            column("step", words.say("cases.step")),
            figures("open", words.say("laboratories.open")),
            figures("mended", words.say("laboratories.mended-count")),
        ],
        rows: rows.collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}

fn severities(words: Words, count: &Count) -> Table {
    let rows = Severity::ALL.map(|known| {
        let findings = count.findings.get(&known).copied().unwrap_or_default();
        vec![severity(words, known), Cell::number(words, findings.open), Cell::number(words, findings.mended)]
    });
    Table {
        name: "severities",
        caption: words.say("laboratories.by-severity").to_owned(),
        columns: vec![
            column("severity", words.say("laboratories.severity")),
            figures("open", words.say("laboratories.open")),
            figures("mended", words.say("laboratories.mended-count")),
        ],
        rows: rows.into(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}

fn studies(visit: &Visit, known: &Laboratories) -> Table {
    let words = visit.words;
    let rows = known.studies().iter().map(|(id, study)| {
        let laboratory = known.laboratories().get(&study.laboratory);
        let title = laboratory.map_or("", |laboratory| laboratory.title.in_language(words.0.tag()));
        let by = laboratory.map(|laboratory| &laboratory.agency);
        vec![
            Cell::text(id.as_str()),
            Cell::of(vec![text(title)], study.laboratory.as_str()),
            Cell::maybe(by, |by| Cell::of(vec![text(visit.agency_name(by.as_str()))], by.to_string())),
            situation(visit, &study.situation, study.region.as_ref()),
            Cell::maybe(study.region.as_ref(), |region| Cell::text(region.as_str())),
            Cell::text(study.month.to_string()),
            Cell::number(words, study.participants),
            Cell::number(words, study.tasks.len() as u64),
            Cell::number(words, study.findings.len() as u64),
        ]
    });
    Table {
        name: "studies",
        caption: words.say("laboratories.studies-table").to_owned(),
        columns: vec![
            column("study", words.say("laboratories.study")),
            column("laboratory", words.say("laboratories.laboratory")),
            column("agency", words.say("log.agency")),
            column("situation", words.say("cases.situation")),
            column("region", words.say("priorities.region")),
            column("month", words.say("laboratories.month")),
            figures("participants", words.say("laboratories.participants")),
            figures("tasks", words.say("laboratories.tasks")),
            figures("findings", words.say("laboratories.findings")),
        ],
        rows: rows.collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}

fn tasks(visit: &Visit, known: &Laboratories) -> Table {
    let words = visit.words;
    let all = known.studies().iter().flat_map(|(id, study)| study.tasks.iter().map(move |task| (id, task)));
    let rows = all.map(|(id, task)| {
        let share = Share::new(task.completed, task.tried);
        vec![
            Cell::text(id.as_str()),
            Cell::of(vec![text(task.title.in_language(words.0.tag()))], task.id.as_str()),
            Cell::of(vec![text(of(words, task.completed, task.tried))], task.completed),
            share_cell(words, &share),
            Cell::number(words, task.tried),
        ]
    });
    Table {
        name: "tasks",
        caption: words.say("laboratories.tasks-table").to_owned(),
        columns: vec![
            column("study", words.say("laboratories.study")),
            column("task", words.say("laboratories.task")),
            figures("completed", words.say("laboratories.completed")),
            figures("share", words.say("quality.interval-head")),
            figures("tried", words.say("laboratories.tried")),
        ],
        rows: rows.collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}
