//! A citizen's page, by a personal link: what happens next and what they must do, each step and date, who looked at their data and why, and a
//! way to complain about it. It names no other person, and nothing that the law withholds for now.

use super::cases::{Whose, next_of};
use super::html::{
    Address, Block, Cell, Field, Form, Html, Note, Ordered, Page, Personal, Span, Table, Tone, banner, column, details, facts,
    lead, link, list, minute, moment, notes, prose, section, spoken, text,
};
use super::request::Answer;
use super::seen::{fault_of, said_in, steps_of, time_of, word_of};
use super::telling::capital;
use super::{Answered, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{Code as Word, Identifier, Uuid};
use crate::base::time::UnixTime;
use crate::evidence::audit::Filter;
use crate::evidence::tlog::{Private, RecordKind};
use crate::exchange::cases::{Around, Asking, Case, Part};
use crate::gateway::driver::audit::{Access, COMPLAINT, Complained, Onlooker, Outcome, Trail, disclosures, opened, trail};
use crate::gateway::driver::{CaseError, Gateway, log_unreadable};
use crate::message::envelope::{Subject, World};
use serde_json::Value;
use std::collections::BTreeMap;

/// Accesses that are read for a page.
const ACCESSES: usize = 200;
/// Letters of a complaint.
const COMPLAINT_CHARS_MAX: usize = 400;
/// Complaints that are shown.
const COMPLAINTS: usize = 20;

/// A case that a personal link opens.
struct Mine {
    id: Uuid,
    view: Value,
    timeline: Value,
    subject: Subject,
    world: World,
}

async fn mine(visit: &Visit) -> Result<Mine, Fault> {
    let language = visit.words.0.tag();
    let found = visit.gateway().case_by_link(visit.of(), |case, around| Mine {
        id: case.id,
        view: case.view(around, Part::Whole, language),
        timeline: case.timeline_view(Part::Whole),
        subject: case.subject(),
        world: case.opening.world(),
    });
    found.await.map_err(|error| match error {
        CaseError::Unknown | CaseError::None => Fault::new(Code::CasLink),
        other => fault_of(other),
    })
}

fn page_of(visit: &Visit, title: String) -> Page {
    let mut page = Page::new(title, visit.address.clone());
    page.is_personal = Personal::Yes;
    page
}

/// `GET /my/{link}`
pub(super) async fn my(visit: Visit) -> Answered {
    let words = visit.words;
    let mine = mine(&visit).await?;
    let mut page = page_of(&visit, word_of(&mine.view, "title"));
    let asked = asked(&visit, &mine.view);
    let tone = if asked.is_some() { Tone::Warn } else { Tone::Good };
    page.put(banner(&next_of(&visit, &mine.view, Whose::TheirOwn), tone));
    if let Some(asked) = asked {
        page.put(asked);
    }
    let language = words.0.tag();
    let look = |case: &Case, around: Around<'_>| {
        let how = HowItWas { situation: around.situation.title.in_language(language).to_owned(), asking: asking(&visit, case) };
        (case.line_view(around, language), how)
    };
    let all = visit.gateway().cases_about(&mine.subject, mine.world, look).await.map_err(fault_of)?;
    let (lines, hows): (Vec<Value>, Vec<HowItWas>) = all.into_iter().unzip();
    page.blocks.extend(how_it_was(&visit, &hows).map(Block::Html));
    page.table(steps(&visit, &mine.view));
    if lines.len() > 1 {
        page.table(cases(&visit, &lines));
    }
    let who = looked(&visit, &mine).await?;
    page.blocks.extend(who.blocks);
    page.put(details(words.say("case.timeline"), &[events(&visit, &mine)]));
    page.put(prose(&[text(words.say("my.case-number")), text(" "), Span::Code(mine.id.to_string())]));
    visit.page(&page)
}

/// What the citizen has to do: usually nothing, and then nothing stands here.
fn asked(visit: &Visit, view: &Value) -> Option<Html> {
    let words = visit.words;
    let texts = |key: &str, of: &str| -> Vec<Vec<Span>> {
        let rows = view["form"][key].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().filter_map(|row| Some(vec![text(row[of].as_str().or_else(|| row["document"].as_str())?)])).collect()
    };
    let mut lines = texts("ask", "question");
    lines.extend(texts("bring", "title").into_iter().map(|line| [vec![text(words.say("my.bring")), text(" ")], line].concat()));
    let days = view["form"]["days"].as_array().map(Vec::as_slice).unwrap_or_default();
    lines.extend(days.iter().map(|row| {
        let days: Vec<&str> = row["days"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        vec![text(words.fill("my.choose-day", &[("days", &days.join(", "))]))]
    }));
    if lines.is_empty() || view["state"] != "open" {
        return None;
    }
    Some(section("asked", words.say("my.asked"), &[list(&lines, Ordered::No), prose(&[text(words.say("my.answer-where"))])]))
}

/// What is said of a case that has ended to whoever it was for.
struct HowItWas {
    situation: String,
    asking: Said,
}

enum Said {
    /// Nobody is asked, or it is too late.
    Nothing,
    /// Here they can say how it was.
    At(String),
    /// They have said it.
    Thanks,
}

fn asking(visit: &Visit, case: &Case) -> Said {
    match case.asking {
        Asking::Over => Said::Thanks,
        Asking::Open(_) => visit.gateway().survey_path(case).map_or(Said::Nothing, Said::At),
        Asking::Not => Said::Nothing,
    }
}

/// The invitation to say how it was, for each case that has ended. It leads to the same page as the link in a mail, which is told neither of
/// this page nor of this link: what is answered there lies apart from the person.
fn how_it_was(visit: &Visit, all: &[HowItWas]) -> Option<Html> {
    let words = visit.words;
    let note = |how: &HowItWas| {
        let (tone, said, action) = match &how.asking {
            Said::Nothing => return None,
            Said::At(path) => (Tone::Plain, words.say("my.how-ask"), Some((words.say("my.how-go").to_owned(), path.clone()))),
            Said::Thanks => (Tone::Good, words.say("my.how-thanks"), None),
        };
        Some(Note { tone, spans: vec![Span::Strong(how.situation.clone()), text(format!(": {said}"))], action })
    };
    let lines: Vec<Note> = all.iter().filter_map(note).collect();
    let is_asked = all.iter().any(|how| matches!(how.asking, Said::At(_)));
    let apart = is_asked.then(|| prose(&[text(words.say("my.how-apart"))]));
    let inside: Vec<Html> = apart.into_iter().chain([notes(words, &lines)]).collect();
    (!lines.is_empty()).then(|| section("how", words.say("my.how"), &inside))
}

fn steps(visit: &Visit, view: &Value) -> Table {
    let words = visit.words;
    let rows = steps_of(view).iter().map(|step| {
        let state = step["state"].as_str().unwrap_or_default();
        let tone = match state {
            "done" => Tone::Good,
            "refused" | "expired" => Tone::Warn,
            _ => Tone::Quiet,
        };
        let mut said = vec![Span::Badge(words.find(&format!("step.{state}")).unwrap_or(state).to_owned(), tone)];
        if let Some(why) = step["reason"].as_str() {
            said.push(text(format!(" {why}")));
        }
        if let Some(visit_at) = time_of(step, "visit") {
            said.push(text(format!(" {}", words.fill("my.visit", &[("when", &spoken(visit_at))]))));
        }
        let by = step["agency"].as_str();
        vec![
            Cell::text(word_of(step, "title")),
            Cell::maybe(by, |agency| Cell::of(vec![text(visit.agency_name(agency))], agency)),
            Cell::of(said, state),
            Cell::maybe(time_of(step, "over").or_else(|| time_of(step, "due")), |time| Cell::day(words, time)),
        ]
    });
    Table {
        name: "steps",
        caption: words.say("my.steps").to_owned(),
        columns: vec![
            column("step", words.say("my.step")),
            column("agency", words.say("my.who-does")),
            column("state", words.say("my.how-far")),
            column("date", words.say("my.date")),
        ],
        rows: rows.collect(),
        empty: words.say("case.no-steps").to_owned(),
        next: None,
    }
}

fn cases(visit: &Visit, lines: &[Value]) -> Table {
    let words = visit.words;
    let rows = lines.iter().map(|line| {
        let state = line["state"].as_str().unwrap_or_default();
        let far = format!("{} / {}", line["over"].as_u64().unwrap_or(0), line["steps"].as_u64().unwrap_or(0));
        vec![
            Cell::text(word_of(line, "title")),
            Cell::maybe(time_of(line, "opened"), |time| Cell::day(words, time)),
            Cell::of(vec![text(words.find(&format!("ended.{state}")).unwrap_or(state))], state),
            Cell::text(far),
        ]
    });
    Table {
        name: "cases",
        caption: words.say("my.all-cases").to_owned(),
        columns: vec![
            column("title", words.say("cases.situation")),
            column("opened", words.say("my.began")),
            column("state", words.say("my.how-far")),
            column("steps", words.say("cases.steps")),
        ],
        rows: rows.collect(),
        empty: String::new(),
        next: None,
    }
}

fn events(visit: &Visit, mine: &Mine) -> Html {
    super::cases::happened(visit, &mine.view, &mine.timeline).html(visit.words, &visit.address)
}

/// A part of a page.
struct Section {
    blocks: Vec<super::html::Block>,
}

/// Whoever has a personal link, as records have them.
fn by_link(mine: &Mine) -> Onlooker<'static> {
    Onlooker { agency: None, system: None, name: "personal link", world: mine.world }
}

/// Puts on record that whoever has the link looks at who has looked, as it is at a portal. A page that is opened again and again is one look:
/// else its readers would fill the log.
async fn own_look(visit: &Visit, mine: &Mine) -> Result<(), Fault> {
    let is_new = {
        let mut looks = visit.console.own_looks();
        looks.retain(|_, at| visit.now < at.plus_ms(OWN_LOOK_MS));
        !looks.contains_key(&mine.id)
    };
    if is_new {
        let private = Private { subject: mine.subject.clone(), ..Private::default() };
        visit.gateway().record_look(&visit.world, &by_link(mine), "trail", private, None).await?;
        let mut looks = visit.console.own_looks();
        if looks.len() < OWN_LOOKS_MAX {
            looks.insert(mine.id, visit.now);
        }
    }
    Ok(())
}

/// For how long looks at a page are one.
const OWN_LOOK_MS: u64 = 60 * 60 * 1000;
/// Cases of which it is known that somebody has looked; each look at another is on record.
const OWN_LOOKS_MAX: usize = 10_000;

/// Who looked at the data, with complaints; that it was looked at is on record before.
async fn looked(visit: &Visit, mine: &Mine) -> Result<Section, Fault> {
    let words = visit.words;
    own_look(visit, mine).await?;
    let persons: Vec<Identifier> = mine.subject.identifiers.clone();
    let mut part = Page::new("", visit.address.clone());
    let attempts = visit.gateway().limits().attempts;
    let (now, of) = (visit.now, persons.clone());
    let read = visit.console.read(move |gateway| trail(gateway.store(), &of, None, ACCESSES, now, attempts));
    let found = read.await?.map_err(|cause| log_unreadable(&cause))?;
    let complaints = complaints(visit, &persons).await?;
    let heading = vec![text(words.say("my.looked-lead"))];
    part.put(section("looked", words.say("my.looked"), &[prose(&heading)]));
    part.table(accesses(visit, &found, Only::Officials));
    let by_machine = grouped(visit, &found);
    part.table(by_machine);
    if !found.withheld.is_empty() {
        let lines: Vec<Vec<Span>> = found
            .withheld
            .iter()
            .map(|(day, count)| vec![text(words.fill("my.withheld", &[("day", &day.to_string()), ("n", &words.number(*count))]))])
            .collect();
        part.put(list(&lines, Ordered::No));
    }
    if !complaints.is_empty() {
        let lines: Vec<Note> = complaints.into_iter().map(|complaint| note_of(visit, complaint)).collect();
        part.put(section("complaints", words.say("my.complaints"), &[notes(words, &lines)]));
    }
    Ok(Section { blocks: part.blocks })
}

/// Which accesses are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    /// Those with an official behind them, and readings of the log: each by itself.
    Officials,
    /// Those of machines.
    Machines,
}

fn is_of(access: &Access, only: Only) -> bool {
    let is_official = access.role.is_some() || matches!(access.outcome, Outcome::Read(_));
    let is_own = matches!(&access.outcome, Outcome::Read(action) if action == "trail");
    !is_own && is_official == (only == Only::Officials)
}

fn accesses(visit: &Visit, found: &Trail, only: Only) -> Table {
    let words = visit.words;
    let rows = found.accesses.iter().filter(|access| is_of(access, only)).map(|access| {
        let leaf = &access.leaf;
        let who = leaf.consumer.as_deref().map_or_else(|| words.say("my.operator").to_owned(), |id| visit.agency_name(id));
        let role = access.role.as_ref().map(|role| text(format!(" ({role})")));
        let what = match &access.outcome {
            Outcome::Read(action) => words.find(&format!("action.{action}")).map_or_else(|| action.clone(), str::to_owned),
            _ => document_title(visit, leaf.document_type.as_deref()),
        };
        vec![
            Cell::minute(UnixTime::from_ms(leaf.time)),
            Cell::of([vec![text(who)], role.into_iter().collect()].concat(), leaf.consumer.clone()),
            Cell::of(fields_of(&what, &access.fields), access.fields.clone()),
            Cell::text(why(visit, leaf.purpose.as_deref(), leaf.basis.as_deref())),
            outcome(visit, access),
            actions(visit, access),
        ]
    });
    Table {
        name: "accesses",
        caption: words.say("my.by-officials").to_owned(),
        columns: vec![
            column("time", words.say("log.time")),
            column("institution", words.say("my.who")),
            column("document", words.say("my.what")),
            column("purpose", words.say("my.why")),
            column("outcome", words.say("log.result")),
            column("proof", words.say("entry.proof")),
        ],
        rows: rows.collect(),
        empty: words.say("my.no-officials").to_owned(),
        next: None,
    }
}

/// Why, and on what law; what an agency gets for its step of a case says neither.
fn why(visit: &Visit, purpose: Option<&str>, basis: Option<&str>) -> String {
    let purpose = purpose.map(|code| capital(visit.words.purpose(code)));
    let told: Vec<String> = purpose.into_iter().chain(basis.map(str::to_owned)).filter(|text| !text.is_empty()).collect();
    if told.is_empty() { visit.words.say("my.for-step").to_owned() } else { told.join(", ") }
}

fn fields_of(what: &str, fields: &[String]) -> Vec<Span> {
    let mut spans = vec![text(what)];
    if !fields.is_empty() {
        spans.push(text(format!(": {}", fields.join(", "))));
    }
    spans
}

fn document_title(visit: &Visit, name: Option<&str>) -> String {
    let Some(name) = name else { return String::new() };
    visit.words.find(&format!("paper.{name}")).map_or_else(|| visit.document_name(name), str::to_owned)
}

fn outcome(visit: &Visit, access: &Access) -> Cell {
    let words = visit.words;
    match &access.outcome {
        Outcome::Answered => Cell::of(vec![text(words.say("my.given"))], "answered"),
        Outcome::Refused(code) => {
            Cell::of(vec![text(words.say("my.refused")), text(" "), link(code.clone(), format!("/help/{code}"))], code.clone())
        }
        Outcome::Open => Cell::of(vec![text(words.say("my.open"))], "open"),
        Outcome::Read(_) => Cell::of(vec![text(words.say("my.log-read"))], "log-read"),
    }
}

fn actions(visit: &Visit, access: &Access) -> Cell {
    let words = visit.words;
    let (base, index) = (&visit.address.path, access.index);
    let spans = vec![
        link(words.say("my.proof"), format!("{base}/proof/{index}")),
        Span::Line,
        link(words.say("my.complain"), format!("{base}/complain/{index}")),
    ];
    Cell::of(spans, index)
}

/// Accesses of machines, those of one institution for one document and purpose together.
fn grouped(visit: &Visit, found: &Trail) -> Table {
    let words = visit.words;
    let mut groups: BTreeMap<(String, String, String), Vec<&Access>> = BTreeMap::new();
    for access in found.accesses.iter().filter(|access| is_of(access, Only::Machines)) {
        let leaf = &access.leaf;
        let key = (
            leaf.consumer.clone().unwrap_or_default(),
            leaf.document_type.clone().unwrap_or_default(),
            leaf.purpose.clone().unwrap_or_default(),
        );
        groups.entry(key).or_default().push(access);
    }
    let rows = groups.iter().map(|((who, document, purpose), of)| {
        let latest = of.iter().max_by_key(|access| access.leaf.time);
        let case = of.iter().filter_map(|access| access.leaf.basis.clone()).next().unwrap_or_default();
        vec![
            Cell::of(vec![text(visit.agency_name(who))], who.clone()),
            Cell::of(vec![text(document_title(visit, Some(document)))], document.clone()),
            Cell::text(why(visit, Some(purpose.as_str()), Some(case.as_ref()))),
            Cell::number(words, of.len() as u64),
            Cell::maybe(latest, |access| Cell::minute(UnixTime::from_ms(access.leaf.time))),
            Cell::maybe(latest, |access| actions(visit, access)),
        ]
    });
    Table {
        name: "machines",
        caption: words.say("my.by-machines").to_owned(),
        columns: vec![
            column("institution", words.say("my.who")),
            column("document", words.say("my.what")),
            column("purpose", words.say("my.why")),
            super::html::figures("count", words.say("my.how-often")),
            column("last", words.say("my.last")),
            column("proof", words.say("entry.proof")),
        ],
        rows: rows.collect(),
        empty: words.say("my.no-machines").to_owned(),
        next: None,
    }
}

/// A record about whoever has the link, with its index; any other is not there.
async fn own_record(visit: &Visit, mine: &Mine) -> Result<(u64, crate::evidence::tlog::leaf::Leaf), Fault> {
    let unknown = || Fault::new(Code::AudUnknown);
    let index: u64 = visit.of.get(1).and_then(|text| text.parse().ok()).ok_or_else(unknown)?;
    let (persons, now) = (mine.subject.identifiers.clone(), visit.now);
    let read = visit.console.read(move |gateway| {
        let leaf = gateway.store().record(index).ok().and_then(|found| crate::evidence::tlog::leaf::Leaf::parse(&found.leaf));
        let about = opened(gateway.store(), index).ok().flatten().map(|(_, private)| private.identifiers()).unwrap_or_default();
        let is_own = about.iter().any(|person| persons.contains(person));
        let leaf = leaf.filter(|_| is_own)?;
        let is_withheld = leaf.withheld_until.is_some_and(|until| UnixTime::from_ms(until) > now);
        let is_disclosed = || disclosures(gateway.store(), &persons).is_ok_and(|disclosed| disclosed.contains(&index));
        (!is_withheld || is_disclosed()).then_some(leaf)
    });
    read.await?.map(|leaf| (index, leaf)).ok_or_else(unknown)
}

/// `GET /my/{link}/proof/{index}`
pub(super) async fn proof(visit: Visit) -> Answered {
    let mine = mine(&visit).await?;
    let (index, _) = own_record(&visit, &mine).await?;
    let read = visit.console.read(move |gateway| {
        let checkpoint = gateway.store().checkpoint();
        gateway.store().receipt(index, &checkpoint)
    });
    let proof = read.await?.map_err(|cause| log_unreadable(&cause))?;
    Ok(Answer::file("text/plain; charset=utf-8", &format!("entry-{index}.tlog-proof"), proof.to_string()))
}

/// `GET /my/{link}/complain/{index}`
pub(super) async fn complain(visit: Visit) -> Answered {
    let words = visit.words;
    let mine = mine(&visit).await?;
    let (index, leaf) = own_record(&visit, &mine).await?;
    let back = format!("/my/{}", visit.of());
    let mut page = page_of(&visit, words.say("complain.title").to_owned()).below(words.say("complain.back"), back.clone());
    page.put(lead(&[text(words.say("complain.lead"))]));
    let who = leaf.consumer.as_deref().map_or_else(|| words.say("my.operator").to_owned(), |id| visit.agency_name(id));
    page.put(facts(&[
        (words.say("my.who").to_owned(), vec![text(who)]),
        (words.say("log.time").to_owned(), vec![moment(UnixTime::from_ms(leaf.time))]),
        (words.say("my.what").to_owned(), vec![text(document_title(&visit, leaf.document_type.as_deref()))]),
        (words.say("log.index").to_owned(), vec![text(words.number(index))]),
    ]));
    let said = Field::Area {
        name: "text".to_owned(),
        label: words.say("complain.text").into(),
        hint: words.say("complain.hint").into(),
        length: COMPLAINT_CHARS_MAX,
    };
    page.put(Form::post(visit.address.path.clone(), vec![said], words.say("complain.go"), "").html());
    visit.page(&page)
}

/// `POST /my/{link}/complain/{index}`
pub(super) async fn file_complaint(visit: Visit) -> Answered {
    let mine = mine(&visit).await?;
    let (index, _) = own_record(&visit, &mine).await?;
    let mut form = visit.form.clone();
    let said = said_in(&form.take("text").unwrap_or_default(), "text", COMPLAINT_CHARS_MAX)?;
    let persons = mine.subject.identifiers.clone();
    if complaints(&visit, &persons).await?.iter().filter(|complaint| complaint.answer.is_none()).count() >= COMPLAINTS {
        return Err(Fault::new(Code::HttpBusy).with_retry_after(3600));
    }
    let private = Private { subject: persons.into(), reason: Some(said), ..Private::default() };
    visit.gateway().record_complaint(Complained::About(index), Some(mine.id), private, &by_link(&mine)).await?;
    Ok(Answer::see(&format!("/my/{}#complaints", visit.of())))
}

/// A complaint, and what was answered.
pub(super) struct Complaint {
    pub index: u64,
    pub about: u64,
    pub at: UnixTime,
    pub said: String,
    pub answer: Option<(UnixTime, String)>,
}

/// Reads complaints of a filter, the newest first.
pub(super) fn read_complaints(gateway: &Gateway, filter: &Filter) -> Result<Vec<Complaint>, Fault> {
    let unreadable = |cause| log_unreadable(&cause);
    let found = gateway.store().search(filter, None, COMPLAINTS * 4).map_err(unreadable)?;
    let mut answers: BTreeMap<u64, (UnixTime, String)> = BTreeMap::new();
    let mut complaints = Vec::new();
    for record in found.records {
        let Some(leaf) = crate::evidence::tlog::leaf::Leaf::parse(&record.leaf) else { continue };
        let said = opened(gateway.store(), record.index)
            .map_err(unreadable)?
            .and_then(|(_, private)| private.reason)
            .unwrap_or_default();
        let at = UnixTime::from_ms(leaf.time);
        match (leaf.action.as_deref(), leaf.concerns) {
            (Some("complaint"), Some(about)) => complaints.push(Complaint { index: record.index, about, at, said, answer: None }),
            (Some("complaint-answer"), Some(of)) => drop(answers.entry(of).or_insert((at, said))),
            _ => {}
        }
    }
    for complaint in &mut complaints {
        complaint.answer = answers.remove(&complaint.index);
    }
    Ok(complaints)
}

async fn complaints(visit: &Visit, persons: &[Identifier]) -> Result<Vec<Complaint>, Fault> {
    let mut all = Vec::new();
    for person in persons.iter().take(2) {
        let filter = Filter {
            person: Some(person.clone()),
            purpose: Word::parse(COMPLAINT),
            kind: Some(RecordKind::Administration),
            ..Filter::default()
        };
        all.extend(visit.console.read(move |gateway| read_complaints(gateway, &filter)).await??);
    }
    all.sort_by_key(|complaint| std::cmp::Reverse(complaint.index));
    all.dedup_by_key(|complaint| complaint.index);
    Ok(all)
}

fn note_of(visit: &Visit, complaint: Complaint) -> Note {
    let words = visit.words;
    let head =
        words.fill("my.complaint", &[("index", &words.number(complaint.index)), ("about", &words.number(complaint.about))]);
    let mut spans = vec![Span::Strong(head), text(" "), minute(complaint.at), Span::Line, text(complaint.said), Span::Line];
    let tone = match complaint.answer {
        Some((at, answer)) => {
            spans.extend([Span::Strong(words.say("my.answered").to_owned()), text(" "), minute(at), Span::Line, text(answer)]);
            Tone::Good
        }
        None => {
            spans.push(Span::Badge(words.say("my.not-answered").to_owned(), Tone::Warn));
            Tone::Warn
        }
    };
    Note { tone, spans, action: None }
}

/// `GET /complaints`: what citizens complain about, for auditors.
pub(super) async fn all_complaints(visit: Visit) -> Answered {
    let words = visit.words;
    let filter = Filter { purpose: Word::parse(COMPLAINT), kind: Some(RecordKind::Administration), ..Filter::default() };
    let found = visit.console.read(move |gateway| read_complaints(gateway, &filter)).await??;
    let mut page = Page::new(words.say("complaints.title"), visit.address.clone());
    page.put(lead(&[text(words.say("complaints.lead"))]));
    if found.is_empty() {
        page.put(notes(words, &[Note { tone: Tone::Good, spans: vec![text(words.say("complaints.none"))], action: None }]));
    }
    for complaint in found {
        let title = words.fill("complaints.one", &[("index", &words.number(complaint.index))]);
        let mut rows = vec![
            (words.say("case.when").to_owned(), vec![moment(complaint.at)]),
            (
                words.say("complaints.about").to_owned(),
                vec![link(words.number(complaint.about), format!("/log/{}", complaint.about))],
            ),
            (words.say("complaints.said").to_owned(), vec![text(complaint.said)]),
        ];
        let mut inside = Vec::new();
        match complaint.answer {
            Some((at, answer)) => rows.push((words.say("my.answered").to_owned(), vec![moment(at), text(format!(" {answer}"))])),
            None => {
                let said = Field::Area {
                    name: "text".to_owned(),
                    label: words.say("complaints.answer").into(),
                    hint: String::new(),
                    length: COMPLAINT_CHARS_MAX,
                };
                inside.push(
                    Form::post(format!("/complaints/{}", complaint.index), vec![said], words.say("complaints.go"), visit.token())
                        .html(),
                );
            }
        }
        inside.insert(0, facts(&rows));
        page.put(section(&format!("complaint-{}", complaint.index), &title, &inside));
    }
    visit.page(&page)
}

/// `POST /complaints/{index}`
pub(super) async fn answer_complaint(visit: Visit) -> Answered {
    let unknown = || Fault::new(Code::AudUnknown);
    let index: u64 = visit.of().parse().map_err(|_| unknown())?;
    let who = visit.who.as_ref().ok_or_else(|| Fault::new(Code::ConsoleDuty))?;
    let mut form = visit.form.clone();
    let said = said_in(&form.take("text").unwrap_or_default(), "text", COMPLAINT_CHARS_MAX)?;
    let read = visit.console.read(move |gateway| {
        let leaf = gateway.store().record(index).ok().and_then(|found| crate::evidence::tlog::leaf::Leaf::parse(&found.leaf))?;
        let about = opened(gateway.store(), index).ok().flatten().map(|(_, private)| private.identifiers())?;
        (leaf.action.as_deref() == Some("complaint")).then_some((about, leaf.case.as_deref().and_then(Uuid::parse)))
    });
    let (about, case) = read.await?.ok_or_else(unknown)?;
    let private = Private { subject: about.into(), reason: Some(said), ..Private::default() };
    let onlooker = who.onlooker(&visit.world.registry);
    visit.gateway().record_complaint(Complained::Answer(index), case, private, &onlooker).await?;
    Ok(Answer::see(&Address::new("/complaints").to_string()))
}
