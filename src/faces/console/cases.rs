//! Cases: all that are open, those that are held up first, and each with its plan in time, its steps and what happened. Nobody's name and no
//! document's content is here; whoever coordinates from here is on record.

use super::chart::{Lane, gantt};
use super::entry::ago;
use super::html::{
    Address, Cell, Field, Figure, Form, Html, Live, Must, Note, Ordered, Page, Span, Table, Tone, chart, column, details,
    figure_row, figures, lead, link, list, marks, moment, notes, prose, section, spoken, text,
};
use super::request::Answer;
use super::seen::{fault_of, said_in, steps_of, time_of, word_of};
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Uuid};
use crate::base::time::UnixTime;
use crate::evidence::audit::Filter;
use crate::evidence::tlog::RecordKind;
use crate::exchange::cases::{Glance, OrderOf, Part};
use crate::gateway::driver::audit::{Onlooker, opened};
use crate::gateway::driver::log_unreadable;
use crate::host::config::Duty;
use serde_json::Value;

/// Cases of a page.
const ROWS: usize = 50;
/// Hold-ups of a page.
const HOLD_UPS: usize = 12;

/// Whether the visitor sees every case, or those of an agency.
fn sees_all(visit: &Visit) -> bool {
    visit.does(&[Duty::Operator, Duty::Auditor, Duty::Curator])
}

/// `GET /cases`
pub(super) async fn cases(visit: Visit) -> Answered {
    let words = visit.words;
    let value = |key: &str| visit.query.iter().find(|(known, _)| *known == key).map_or("", |(_, value)| value).to_owned();
    let (situation, agency, late) = (value("situation"), value("agency"), value("late"));
    let own = if sees_all(&visit) { None } else { visit.who.as_ref().and_then(|who| who.official.agency.clone()) };
    let is_meant = |glance: &Glance| {
        (situation.is_empty() || glance.situation.as_str() == situation)
            && (agency.is_empty() || glance.waits.iter().any(|wait| wait.agency.as_str() == agency))
            && (late.is_empty() || glance.is_late())
            && (sees_all(&visit) || own.as_ref().is_some_and(|own| glance.parties.contains(own)))
    };
    let number = visit.number("page", 1..=1000)?.unwrap_or(1) as usize;
    let before = (number - 1) * ROWS;
    let (found, all, late_count, hold_ups, leaves_out) = visit.gateway().board(|board| {
        let all = board.cases(is_meant);
        let late = all.iter().filter(|(_, glance)| glance.is_late()).count();
        let some: Vec<(Uuid, Glance)> = all.iter().skip(before).take(ROWS).map(|(id, glance)| (*id, (*glance).clone())).collect();
        (some, all.len(), late, board.hold_ups(is_meant), board.leaves_out())
    });
    let mut page = Page::new(words.say("cases.title"), visit.address.clone());
    page.is_live = Live::Yes;
    page.put(figure_row(&[
        Figure::new(words.number(all as u64), words.say("cases.open")),
        Figure::new(words.number(late_count as u64), words.say("cases.late"))
            .toned(if late_count > 0 { Tone::Bad } else { Tone::Good })
            .to(visit.address.with("late", "1").with("page", "").to_string()),
    ]));
    if leaves_out {
        page.put(notes(words, &[Note { tone: Tone::Warn, spans: vec![text(words.say("cases.left-out"))], action: None }]));
    }
    page.put(filters(&visit, &situation, &agency, &late).html());
    if visit.does(&[Duty::Curator, Duty::Operator]) {
        page.table(holding(&visit, &hold_ups));
    }
    let rows = found.iter().map(|(id, glance)| row(&visit, *id, glance)).collect();
    let next = (before + ROWS < all)
        .then(|| (words.say("cases.more").to_owned(), visit.address.with("page", &(number + 1).to_string()).to_string()));
    page.table(Table {
        name: "cases",
        caption: words.say("cases.list").to_owned(),
        columns: vec![
            column("situation", words.say("cases.situation")),
            column("region", words.say("cases.region")),
            column("opened", words.say("cases.opened")),
            figures("steps", words.say("cases.steps")),
            column("waits", words.say("cases.waits-for")),
            marks("id", words.say("cases.id")),
        ],
        rows,
        empty: words.say("cases.none").to_owned(),
        next,
    });
    visit.page(&page)
}

fn filters(visit: &Visit, situation: &str, agency: &str, late: &str) -> Form {
    let words = visit.words;
    let any = || (String::new(), words.say("log.any").to_owned());
    let mut known: Vec<(String, String)> = visit
        .world
        .catalogue
        .situations()
        .map(|situation| (situation.id.as_str().to_owned(), situation.title.in_language(words.0.tag()).to_owned()))
        .collect();
    known.sort_by(|left, right| left.1.cmp(&right.1));
    known.dedup_by(|left, right| left.0 == right.0);
    let fields = vec![
        Field::Choice {
            name: "situation".into(),
            label: words.say("cases.situation").into(),
            options: std::iter::once(any()).chain(known).collect(),
            chosen: situation.into(),
        },
        Field::input("agency", words.say("log.agency"), agency),
        Field::Choice {
            name: "late".into(),
            label: words.say("cases.which").into(),
            options: vec![any(), ("1".into(), words.say("cases.late").into())],
            chosen: late.into(),
        },
    ];
    Form::get("/cases", fields, words.say("log.search"))
}

/// What people call a situation.
fn situation_title(visit: &Visit, id: &Word) -> String {
    let known = visit.world.catalogue.situation(id, None);
    known.map_or_else(|| id.to_string(), |known| known.title.in_language(visit.words.0.tag()).to_owned())
}

fn step_title(visit: &Visit, situation: &Word, step: &Word) -> String {
    let known = visit.world.catalogue.situations().find(|known| known.id == *situation && known.step_named(step).is_some());
    let step_known = known.and_then(|known| known.step(known.step_named(step)?));
    step_known.map_or_else(|| step.to_string(), |known| known.title.in_language(visit.words.0.tag()).to_owned())
}

fn row(visit: &Visit, id: Uuid, glance: &Glance) -> Vec<Cell> {
    let words = visit.words;
    let mut waits: Vec<Span> = Vec::new();
    for wait in &glance.waits {
        if !waits.is_empty() {
            waits.push(Span::Line);
        }
        let (step, agency) = (step_title(visit, &glance.situation, &wait.step), visit.agency_name(wait.agency.as_str()));
        waits.push(text(format!("{step}, {agency} ")));
        if wait.is_late {
            waits.push(Span::Badge(words.say("cases.is-late").to_owned(), Tone::Bad));
        }
    }
    if glance.asks > 0 {
        waits.extend((!waits.is_empty()).then_some(Span::Line));
        waits.push(Span::Badge(words.count("cases.asks", u64::from(glance.asks)), Tone::Warn));
    }
    let machine: Vec<String> = glance.waits.iter().map(|wait| format!("{}@{}", wait.step, wait.agency)).collect();
    let (steps, over) = glance.steps;
    let mut title = vec![link(situation_title(visit, &glance.situation), format!("/cases/{id}"))];
    if glance.test {
        title.extend([text(" "), Span::Badge(words.say("entry.test").to_owned(), Tone::Quiet)]);
    }
    vec![
        Cell::of(title, glance.situation.as_str()),
        Cell::maybe(glance.region.as_ref(), |region| Cell::text(region.as_str())),
        Cell::minute(glance.opened),
        Cell::of(vec![text(format!("{over} / {steps}"))], format!("{over}/{steps}")),
        Cell::of(waits, machine),
        Cell::of(vec![Span::Code(id.to_string().chars().take(13).collect())], id.to_string()),
    ]
}

fn holding(visit: &Visit, hold_ups: &[crate::exchange::cases::HoldUp]) -> Table {
    let words = visit.words;
    let rows = hold_ups.iter().take(HOLD_UPS).map(|row| {
        let those = Address::new("/cases").with("situation", row.situation.as_str()).with("agency", row.agency.as_str());
        vec![
            Cell::of(vec![link(step_title(visit, &row.situation, &row.step), those.to_string())], row.step.as_str()),
            Cell::of(vec![text(situation_title(visit, &row.situation))], row.situation.as_str()),
            Cell::link(visit.agency_name(row.agency.as_str()), format!("/agencies/{}", row.agency), row.agency.to_string()),
            Cell::number(words, row.waiting),
            Cell::number(words, row.late).toned(if row.late > 0 { Tone::Bad } else { Tone::Plain }),
            Cell::of(vec![link(ago(words, row.since, visit.now), format!("/cases/{}", row.example))], row.since.to_string()),
        ]
    });
    Table {
        name: "hold-ups",
        caption: words.say("cases.hold-ups").to_owned(),
        columns: vec![
            column("step", words.say("cases.step")),
            column("situation", words.say("cases.situation")),
            column("agency", words.say("log.agency")),
            figures("waiting", words.say("cases.waiting")),
            figures("late", words.say("cases.late")),
            column("since", words.say("cases.longest")),
        ],
        rows: rows.collect(),
        empty: words.say("cases.no-hold-ups").to_owned(),
        next: None,
    }
}

/// A case as it is shown: the view of it, what happened, and how many days it may take.
type Shown = (Value, Value);

async fn shown(visit: &Visit) -> Result<(Uuid, Shown), Fault> {
    let unknown = || Fault::new(Code::CasUnknown);
    let id = Uuid::parse(&visit.of().to_ascii_lowercase()).ok_or_else(unknown)?;
    let language = visit.words.0.tag();
    let gateway = visit.gateway();
    let found = if sees_all(visit) {
        gateway
            .case_for_people(id, |case, around| (case.view(around, Part::Whole, language), case.timeline_view(Part::Whole)))
            .await
    } else {
        let agency = visit.who.as_ref().and_then(|who| who.official.agency.clone()).ok_or_else(unknown)?;
        gateway.case(id, &agency, |case, around, part| (case.view(around, part, language), case.timeline_view(part))).await
    };
    found.map(|shown| (id, shown)).map_err(fault_of)
}

/// `GET /cases/{id}`
pub(super) async fn case(visit: Visit) -> Answered {
    let words = visit.words;
    let (id, (view, timeline)) = shown(&visit).await?;
    let mut page = Page::new(word_of(&view, "title"), visit.address.clone()).below(words.say("cases.title"), "/cases");
    page.is_live = Live::Yes;
    page.put(lead(&next_of(&visit, &view, Whose::Somebodys)));
    page.put(figure_row(&numbers(words, &view)));
    if visit.does(&[Duty::Desk]) {
        super::desk::forms(&visit, id, &view).into_iter().for_each(|form| page.put(form));
    }
    page.put(drawn(words, &view));
    page.table(steps(&visit, &view));
    if visit.does(&[Duty::Curator]) && view["state"] == "open" {
        page.put(curate(&visit, id, &view));
    }
    let said = said(&visit, id).await?;
    if !said.is_empty() {
        page.put(section("notes", words.say("case.notes"), &[list(&said, Ordered::No)]));
    }
    page.table(documents(&visit, &view));
    page.table(happened(&visit, &view, &timeline));
    page.put(prose(&[link(words.say("case.records"), format!("/log?case={id}")), text(" · "), Span::Code(id.to_string())]));
    visit.page(&page)
}

fn is_over(step: &Value) -> bool {
    matches!(step["state"].as_str(), Some("done" | "refused" | "expired"))
}

/// Whose case somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    TheirOwn,
    Somebodys,
}

/// What is next, and for whom: most of all whether anybody has to do something.
pub(super) fn next_of(visit: &Visit, view: &Value, whose: Whose) -> Vec<Span> {
    let words = visit.words;
    let (nothing, needed) = match whose {
        Whose::TheirOwn => ("my.nothing-needed", "my.needed"),
        Whose::Somebodys => ("case.nothing-needed", "case.needed"),
    };
    match view["state"].as_str() {
        Some("open") => {}
        Some(ended) => return vec![text(words.find(&format!("state.{ended}")).unwrap_or(ended))],
        None => return Vec::new(),
    }
    let asks = ["ask", "bring", "days"].iter().map(|key| view["form"][*key].as_array().map_or(0, Vec::len)).sum::<usize>();
    let mut spans = vec![match asks {
        0 => text(words.say(nothing)),
        _ => Span::Strong(words.count(needed, asks as u64)),
    }];
    let due = |step: &&Value| time_of(step, "due");
    let mut open: Vec<&Value> = steps_of(view).iter().filter(|step| !is_over(step) && !step["due"].is_null()).collect();
    open.sort_by_key(due);
    if let Some(step) = open.first() {
        let day = due(step).map_or_else(String::new, |due| words.day(due.day()));
        spans.push(text(format!(
            " {}",
            words.fill("case.next", &[("step", step["title"].as_str().unwrap_or_default()), ("day", &day)])
        )));
    }
    spans
}

fn numbers(words: Words, view: &Value) -> Vec<Figure> {
    let steps = steps_of(view);
    let over = steps.iter().filter(|step| is_over(step)).count();
    let late = steps.iter().filter(|step| step["late"] == true && !is_over(step)).count();
    let state = view["state"].as_str().unwrap_or_default();
    let days = time_of(view, "opened")
        .zip(time_of(view, "ended").or_else(|| time_of(view, "now")))
        .map_or(0, |(from, to)| to.as_ms().saturating_sub(from.as_ms()) / 86_400_000 + 1);
    let mut numbers = vec![
        Figure::new(words.find(&format!("ended.{state}")).unwrap_or(state), words.say("overview.state")),
        Figure::new(words.number(days), words.say("case.day")),
        Figure::new(format!("{over} / {}", steps.len()), words.say("cases.steps")),
        Figure::new(words.number(late as u64), words.say("cases.late")).toned(if late > 0 { Tone::Bad } else { Tone::Plain }),
    ];
    if let Some(counts) = view["counts"].as_object() {
        let count = |key: &str| words.number(counts.get(key).and_then(Value::as_u64).unwrap_or(0));
        numbers.push(Figure::new(count("brought"), words.say("case.brought")));
        numbers.push(Figure::new(count("fetched"), words.say("case.fetched")));
        numbers.push(Figure::new(count("answered"), words.say("case.answered")));
    }
    let visits =
        steps.iter().filter(|step| step["channel"].as_str().is_some_and(|channel| channel.starts_with("in-person"))).count();
    numbers.push(Figure::new(words.number(visits as u64), words.say("case.visits")));
    numbers
}

/// The plan in time.
fn drawn(words: Words, view: &Value) -> Html {
    let steps = steps_of(view);
    let now = time_of(view, "now").map(UnixTime::as_ms);
    let begin = time_of(view, "opened").map_or(0, UnixTime::as_ms);
    let ends = steps.iter().flat_map(|step| [time_of(step, "over"), time_of(step, "due")]).flatten().map(UnixTime::as_ms);
    let ended = time_of(view, "ended").map(UnixTime::as_ms);
    let end = ends.chain(ended).chain(now.filter(|_| ended.is_none())).max().unwrap_or(begin).max(begin + 1);
    let lanes: Vec<Lane> = steps.iter().map(|step| lane(words, step)).collect();
    let span = (end - begin) / 86_400_000 + 1;
    let every = span.div_ceil(12).max(1);
    let days = (0..)
        .map(|number| begin - begin % 86_400_000 + number * every * 86_400_000)
        .take_while(|at| *at <= end)
        .skip_while(|at| *at < begin);
    let days: Vec<(u64, String)> =
        days.map(|at| (at, spoken(UnixTime::from_ms(at)).get(5..10).unwrap_or_default().to_owned())).collect();
    let caption = words.say("case.drawing");
    chart(&gantt(&lanes, (begin, end), now.filter(|_| ended.is_none()), &days, caption), caption)
}

fn lane(words: Words, step: &Value) -> Lane {
    let state = step["state"].as_str().unwrap_or_default();
    let is_late = step["late"] == true && !is_over(step);
    let tone = match state {
        _ if is_late => Tone::Bad,
        "done" => Tone::Good,
        "refused" | "expired" => Tone::Warn,
        _ => Tone::Plain,
    };
    let word = words.find(&format!("step.{state}")).unwrap_or(state);
    let note = if is_late { format!("{word}, {}", words.say("cases.is-late")) } else { word.to_owned() };
    let ms = |key: &str| time_of(step, key).map(UnixTime::as_ms);
    Lane { title: word_of(step, "title"), from: ms("begun"), to: ms("over"), due: ms("due"), tone, note }
}

fn steps(visit: &Visit, view: &Value) -> Table {
    let words = visit.words;
    let rows = steps_of(view).iter().map(|step| {
        let state = step["state"].as_str().unwrap_or_default();
        let is_late = step["late"] == true && !is_over(step);
        let tone = match state {
            _ if is_late => Tone::Bad,
            "done" => Tone::Good,
            "refused" | "expired" => Tone::Warn,
            _ => Tone::Plain,
        };
        let mut word = words.find(&format!("step.{state}")).unwrap_or(state).to_owned();
        if is_late {
            word = format!("{word}, {}", words.say("cases.is-late"));
        }
        let mut spans = vec![Span::Badge(word, tone)];
        if let Some(code) = step["trouble"].as_str() {
            spans.extend([text(" "), link(code, format!("/help/{code}"))]);
        }
        if let Some(to) = step["handingOver"]["to"].as_str() {
            spans.push(text(format!(" {}", words.fill("case.handing", &[("agency", &visit.agency_name(to))]))));
        }
        let waits: Vec<&str> = step["waitsFor"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let named: Vec<String> = waits.iter().map(|of| called(visit, view, of)).collect();
        let agency = step["agency"].as_str();
        vec![
            Cell::of(vec![text(word_of(step, "title"))], word_of(step, "id")),
            Cell::maybe(agency, |agency| Cell::link(visit.agency_name(agency), format!("/agencies/{agency}"), agency)),
            Cell::of(spans, state).toned(Tone::Plain),
            Cell::maybe(time_of(step, "begun"), Cell::minute),
            Cell::maybe(time_of(step, "due"), Cell::minute),
            Cell::maybe(time_of(step, "over"), Cell::minute),
            Cell::of(vec![text(named.join("; "))], waits),
        ]
    });
    Table {
        name: "steps",
        caption: words.say("cases.steps").to_owned(),
        columns: vec![
            column("step", words.say("cases.step")),
            column("agency", words.say("log.agency")),
            column("state", words.say("overview.state")),
            column("begun", words.say("case.begun")),
            column("due", words.say("case.due")),
            column("over", words.say("case.over")),
            column("waits_for", words.say("cases.waits-for")),
        ],
        rows: rows.collect(),
        empty: words.say("case.no-steps").to_owned(),
        next: None,
    }
}

/// What a curator can do.
fn curate(visit: &Visit, id: Uuid, view: &Value) -> Html {
    let words = visit.words;
    let at_work = steps_of(view).iter().filter(|step| !is_over(step) && step["agency"].is_string());
    let options: Vec<(String, String)> = at_work.map(|step| (word_of(step, "id"), word_of(step, "title"))).collect();
    let mut inside = Vec::new();
    if !options.is_empty() {
        let first = options.first().map(|(id, _)| id.clone()).unwrap_or_default();
        let step = |name: &str| Field::Choice {
            name: name.into(),
            label: words.say("cases.step").into(),
            options: options.clone(),
            chosen: first.clone(),
        };
        let why = Field::Area {
            name: "why".into(),
            label: words.say("case.why").into(),
            hint: words.say("case.why-hint").into(),
            length: NOTE_CHARS_MAX,
        };
        let remind = Form::post(format!("/cases/{id}/remind"), vec![step("step"), why], words.say("case.remind"), visit.token());
        inside.push(remind.html());
        let to = Field::Input {
            name: "to".into(),
            label: words.say("case.to").into(),
            value: String::new(),
            hint: words.say("case.to-hint").into(),
            kind: "text",
            must: Must::Be,
        };
        let reassign =
            Form::post(format!("/cases/{id}/reassign"), vec![step("step"), to], words.say("case.reassign"), visit.token())
                .classed("row");
        inside.push(details(words.say("case.reassign-lead"), &[reassign.html()]));
    }
    let note = Field::Area {
        name: "note".into(),
        label: words.say("case.note").into(),
        hint: words.say("case.note-hint").into(),
        length: NOTE_CHARS_MAX,
    };
    inside.push(details(
        words.say("case.note-lead"),
        &[Form::post(format!("/cases/{id}/note"), vec![note], words.say("case.note-go"), visit.token()).html()],
    ));
    section("curate", words.say("case.curate"), &inside)
}

/// Letters of a note.
const NOTE_CHARS_MAX: usize = 500;
/// Notes and reminders of a case that are shown.
const SAID_MAX: usize = 20;

/// What people do to a case from here, by its action in records.
const OF_CURATORS: [&str; 5] = ["remind", "reassign", "note", "apply", "order"];

/// What people did to a case from here, the newest first.
async fn said(visit: &Visit, id: Uuid) -> Result<Vec<Vec<Span>>, Fault> {
    if !sees_all(visit) {
        return Ok(Vec::new());
    }
    let words = visit.words;
    let filter = Filter { case: Some(id), kind: Some(RecordKind::Administration), ..Filter::default() };
    let read = visit.console.read(move |gateway| {
        let found = gateway.store().search(&filter, None, SAID_MAX)?;
        found
            .records
            .into_iter()
            .map(|record| Ok((record.index, record.leaf, opened(gateway.store(), record.index)?)))
            .collect::<Result<Vec<_>, _>>()
    });
    let found = read.await?.map_err(|cause| log_unreadable(&cause))?;
    let rows = found.into_iter().filter_map(|(index, leaf, private)| {
        let leaf = crate::evidence::tlog::leaf::Leaf::parse(&leaf)?;
        // What citizens complain of is for auditors, and not for whoever looks after cases.
        let action = leaf.action.clone().filter(|action| OF_CURATORS.contains(&action.as_str()))?;
        let word = words.find(&format!("action.{action}")).unwrap_or("?").to_owned();
        let said = private.and_then(|(_, private)| private.reason).unwrap_or_default();
        Some(vec![
            link(words.number(index), format!("/log/{index}")),
            text(" "),
            moment(UnixTime::from_ms(leaf.time)),
            text(format!(" {word}: {said}")),
        ])
    });
    Ok(rows.collect())
}

fn documents(visit: &Visit, view: &Value) -> Table {
    let words = visit.words;
    let known = view["documents"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = known.iter().map(|document| {
        let state = document["state"].as_str().unwrap_or_default();
        let (from, role) = (document["from"].as_str(), word_of(document, "role"));
        let title = document["title"].as_str().map_or_else(|| word_of(document, "document"), str::to_owned);
        vec![
            Cell::of(vec![text(title)], word_of(document, "document")),
            Cell::of(vec![text(role_title(visit, &role))], role),
            Cell::of(vec![text(words.find(&format!("document.{state}")).unwrap_or(state))], state),
            Cell::maybe(from, |agency| Cell::of(vec![text(visit.agency_name(agency))], agency)),
            Cell::maybe(document["trouble"].as_str(), |code| Cell::link(code, format!("/help/{code}"), code)),
        ]
    });
    Table {
        name: "documents",
        caption: words.say("case.documents").to_owned(),
        columns: vec![
            column("document", words.say("log.document")),
            column("role", words.say("case.about")),
            column("state", words.say("overview.state")),
            column("from", words.say("case.from")),
            column("trouble", words.say("case.trouble")),
        ],
        rows: rows.collect(),
        empty: words.say("case.no-documents").to_owned(),
        next: None,
    }
}

/// What people call a role in a family.
fn role_title(visit: &Visit, role: &str) -> String {
    let known = Word::parse(role).and_then(|role| visit.world.catalogue.role_title(&role));
    known.map_or(role, |title| title.in_language(visit.words.0.tag())).to_owned()
}

/// What a step or a document is called; of a document also about whom it is.
fn called(visit: &Visit, view: &Value, of: &str) -> String {
    let step = steps_of(view).iter().find(|step| step["id"] == of).map(|step| word_of(step, "title"));
    let document = || {
        let (name, role) = of.split_once(':')?;
        let known = visit.world.catalogue.documents().get(&Word::parse(name)?)?;
        Some(format!("{} ({})", known.title.in_language(visit.words.0.tag()), role_title(visit, role)))
    };
    step.or_else(document).unwrap_or_else(|| of.to_owned())
}

/// What happened in a case, as it was told.
pub(super) fn happened(visit: &Visit, view: &Value, timeline: &Value) -> Table {
    let words = visit.words;
    let events = timeline.as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = events.iter().rev().map(|event| {
        let what = event["what"].as_str().unwrap_or_default();
        let of = event["step"].as_str().or_else(|| event["document"].as_str());
        vec![
            Cell::maybe(time_of(event, "at"), Cell::minute),
            Cell::of(vec![text(words.find(&format!("happened.{what}")).unwrap_or(what))], what),
            Cell::maybe(of, |of| Cell::of(vec![text(called(visit, view, of))], of)),
            Cell::maybe(event["agency"].as_str(), |agency| Cell::of(vec![text(visit.agency_name(agency))], agency)),
        ]
    });
    Table {
        name: "timeline",
        caption: words.say("case.timeline").to_owned(),
        columns: vec![
            column("at", words.say("case.when")),
            column("what", words.say("case.what")),
            column("of", words.say("case.of")),
            column("agency", words.say("log.agency")),
        ],
        rows: rows.collect(),
        empty: words.say("case.nothing-yet").to_owned(),
        next: None,
    }
}

/// What a form says of a case, for a curator.
fn curators(visit: &Visit) -> Result<(Uuid, crate::evidence::audit::Pairs), Fault> {
    let id = Uuid::parse(&visit.of().to_ascii_lowercase()).ok_or_else(|| Fault::new(Code::CasUnknown))?;
    Ok((id, visit.form.clone()))
}

fn onlooker<'v>(visit: &'v Visit) -> Result<Onlooker<'v>, Fault> {
    let who = visit.who.as_ref().ok_or_else(|| Fault::new(Code::ConsoleDuty))?;
    Ok(who.onlooker(&visit.world.registry))
}

/// `POST /cases/{id}/remind`
pub(super) async fn remind(visit: Visit) -> Answered {
    let (id, mut form) = curators(&visit)?;
    let step = form.take("step").as_deref().and_then(Word::parse).ok_or_else(|| Fault::new(Code::CasStep))?;
    let why = form.take("why").filter(|why| !why.trim().is_empty());
    let why = why.map(|why| said_in(&why, "why", NOTE_CHARS_MAX)).transpose()?;
    visit.gateway().curate(id, &onlooker(&visit)?, &OrderOf::Remind(step), why.as_deref()).await?;
    Ok(Answer::see(&format!("/cases/{id}")))
}

/// `POST /cases/{id}/reassign`
pub(super) async fn reassign(visit: Visit) -> Answered {
    let (id, mut form) = curators(&visit)?;
    let step = form.take("step").as_deref().and_then(Word::parse).ok_or_else(|| Fault::new(Code::CasStep))?;
    let to = form
        .take("to")
        .as_deref()
        .map(str::trim)
        .and_then(AgencyId::parse)
        .ok_or_else(|| Fault::at(Code::CasStep, "no agency is called so; write its name in messages"))?;
    visit.gateway().curate(id, &onlooker(&visit)?, &OrderOf::HandOver(step, to), None).await?;
    Ok(Answer::see(&format!("/cases/{id}")))
}

/// `POST /cases/{id}/note`
pub(super) async fn note(visit: Visit) -> Answered {
    let (id, mut form) = curators(&visit)?;
    let world = visit.gateway().case_for_people(id, |case, _| case.opening.world()).await.map_err(fault_of)?;
    let said = said_in(&form.take("note").unwrap_or_default(), "note", NOTE_CHARS_MAX)?;
    let onlooker = Onlooker { world, ..onlooker(&visit)? };
    visit.gateway().record_doing(&onlooker, "note", Some(id), Some(&said)).await?;
    Ok(Answer::see(&format!("/cases/{id}")))
}
