//! What needs attention first, and how much goes on.

use super::entry::ago;
use super::html::{Cell, Figure, Live, Note, Page, Table, Tone, column, figure_row, figures, link, notes, section, text};
use super::words::Words;
use super::{Answered, Visit, log, quality, traffic};
use crate::base::fault::Fault;
use crate::base::time::UnixTime;
use crate::evidence::audit::Filter;
use crate::exchange::bulkhead::State;
use crate::gateway::driver::log_unreadable;
use crate::host::config::Duty;
use crate::host::expiry::{Row, Weight};

/// `GET /`
pub(super) async fn overview(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = Page::new(words.say("overview.title"), visit.address.clone());
    page.is_live = Live::Yes;
    let mut seen = numbers(&visit);
    let is_for_gateway = visit.does(&[Duty::Operator, Duty::Security, Duty::Auditor]);
    if is_for_gateway {
        seen.extend(traffic::numbers(&visit));
    }
    let attention = attention(&visit).await;
    let inside = match attention.is_empty() {
        true => notes(words, &[Note { tone: Tone::Good, spans: vec![text(words.say("overview.calm"))], action: None }]),
        false => notes(words, &attention),
    };
    page.put(section("attention", words.say("overview.attention"), &[inside]));
    page.put(figure_row(&seen));
    if is_for_gateway {
        page.put(traffic::of_day(&visit));
    }
    if visit.does(&[Duty::Operator, Duty::Security]) {
        page.table(holders(&visit));
    }
    if visit.does(&[Duty::Operator, Duty::Auditor, Duty::Security, Duty::Agency]) {
        page.table(newest(&visit).await?);
    }
    visit.page(&page)
}

/// Numbers that everybody understands who looks after a gateway.
fn numbers(visit: &Visit) -> Vec<Figure> {
    let (words, gateway) = (visit.words, visit.gateway());
    let telemetry = gateway.telemetry();
    let ready = match gateway.health().is_ready() {
        true => Figure::new(words.say("overview.ready"), words.say("overview.state")).toned(Tone::Good),
        false => Figure::new(words.say("overview.not-ready"), words.say("overview.state")).toned(Tone::Bad),
    };
    let started = visit.now.minus_ms(u64::try_from(gateway.uptime().as_millis()).unwrap_or(0));
    let mut numbers = vec![
        ready,
        Figure::new(ago(words, started, visit.now), words.say("overview.running")),
        Figure::new(words.number(gateway.store().size()), words.say("overview.records")).to("/log"),
        Figure::new(words.number(gateway.open_exchanges() as u64), words.say("overview.open")),
        Figure::new(words.number(u64::try_from(telemetry.cases_open.get()).unwrap_or(0)), words.say("overview.cases")),
    ];
    let world = &visit.world.registry;
    numbers.push(Figure::new(words.number(world.agencies().len() as u64), words.say("overview.agencies")).to("/agencies"));
    numbers
}

/// What somebody should look at, the worst first.
pub(super) async fn attention(visit: &Visit) -> Vec<Note> {
    let (words, gateway) = (visit.words, visit.gateway());
    let mut found = Vec::new();
    if let Some(fork) = gateway.witnessing().fork() {
        found.push(Note {
            tone: Tone::Bad,
            spans: vec![text(words.say("attention.fork")), text(format!(" {fork}"))],
            action: None,
        });
    }
    if gateway.damage().is_some() {
        found.push(Note { tone: Tone::Bad, spans: vec![text(words.say("attention.damage"))], action: None });
    }
    let health = gateway.health();
    for reason in &health.reasons {
        let spans = vec![
            text(words.say("attention.refuses")),
            text(" "),
            link(reason.code.as_str(), format!("/help/{}", reason.code.as_str())),
            text(format!(" {}", reason.what)),
        ];
        found.push(Note { tone: Tone::Bad, spans, action: None });
    }
    for (worker, _) in &health.workers {
        found.push(Note {
            tone: Tone::Warn,
            spans: vec![text(words.fill("attention.worker", &[("worker", worker.as_str())]))],
            action: None,
        });
    }
    for (set, reason) in &health.schemas {
        let spans = vec![text(words.fill("attention.schemas", &[("set", set)])), text(format!(" {}", reason.what))];
        found.push(Note { tone: Tone::Warn, spans, action: None });
    }
    for (holder, standing) in gateway.standings() {
        if let State::LeftAlone(_) = standing.state {
            let name = visit.agency_name(holder.as_str());
            let spans =
                vec![text(words.fill("attention.holder", &[("name", &name), ("n", &words.number(standing.waiting as u64))]))];
            let action = Some((words.say("attention.look").to_owned(), format!("/agencies/{holder}")));
            found.push(Note { tone: Tone::Bad, spans, action });
        }
    }
    if visit.does(&[Duty::Operator, Duty::Auditor])
        && let Ok(waiting @ 1..) = super::decisions::waiting(visit).await
    {
        let action = Some((words.say("attention.look").to_owned(), "/decisions".to_owned()));
        let spans = vec![text(words.count("attention.decisions", waiting as u64))];
        found.push(Note { tone: Tone::Warn, spans, action });
    }
    if visit.does(&[Duty::Operator, Duty::Security]) {
        found.extend(
            visit.console.ends().await.iter().filter(|row| row.weight > Weight::Good).take(ENDS_MAX).map(|row| ends(words, row)),
        );
    }
    if visit.does(&[Duty::Operator, Duty::Curator]) {
        found.extend(quality::attention(visit).await);
    }
    found.sort_by_key(|note| match note.tone {
        Tone::Bad => 0,
        Tone::Warn => 1,
        _ => 2,
    });
    found
}

/// Things that end in one list.
const ENDS_MAX: usize = 20;

fn ends(words: Words, row: &Row) -> Note {
    let what = row.what.rsplit('/').next().unwrap_or(&row.what);
    let tone = if row.weight == Weight::Failure { Tone::Bad } else { Tone::Warn };
    let next = if row.next.is_empty() { String::new() } else { format!("; {}", row.next) };
    let kind = words.find(&format!("ends.{}", row.kind.as_str())).unwrap_or(row.kind.as_str());
    Note { tone, spans: vec![text(format!("{kind}: {what} {}{next}", row.found()))], action: None }
}

/// What stands at each holder.
fn holders(visit: &Visit) -> Table {
    let words = visit.words;
    let mut standings = visit.gateway().standings();
    standings.sort_by(|left, right| right.1.waiting.cmp(&left.1.waiting).then_with(|| left.0.cmp(&right.0)));
    let rows = standings.into_iter().map(|(holder, standing)| {
        let state = standing.state.as_str();
        let tone = if matches!(standing.state, State::LeftAlone(_)) { Tone::Bad } else { Tone::Good };
        vec![
            Cell::link(visit.agency_name(holder.as_str()), format!("/agencies/{holder}"), holder.to_string()),
            Cell::of(vec![text(words.find(&format!("state.{state}")).unwrap_or(state))], state).toned(tone),
            Cell::number(words, standing.under_way as u64),
            Cell::number(words, standing.waiting as u64),
        ]
    });
    Table {
        name: "holders",
        caption: words.say("overview.holders").to_owned(),
        columns: vec![
            column("holder", words.say("log.holds")),
            column("state", words.say("overview.state")),
            figures("requests", words.say("overview.under-way")),
            figures("waiting", words.say("overview.waiting")),
        ],
        rows: rows.collect(),
        empty: words.say("overview.no-holders").to_owned(),
        next: None,
    }
}

/// The newest records that the visitor may see.
async fn newest(visit: &Visit) -> Result<Table, Fault> {
    let filter = Filter { scope: visit.scope(), ..Filter::default() };
    let (sought, limit) = (filter.clone(), NEWEST);
    let read = visit.console.read(move |gateway| gateway.store().search(&sought, None, limit)).await?;
    let found = read.map_err(|cause| log_unreadable(&cause))?;
    let mut table = log::table(visit, &filter, &found);
    table.next = Some((visit.words.say("overview.all-records").to_owned(), "/log".to_owned()));
    Ok(table)
}

const NEWEST: usize = 12;

/// How long until a moment, in days; how bad that is.
pub(super) fn days_left(words: Words, until: UnixTime, now: UnixTime) -> (String, Tone) {
    let days = until.as_ms().saturating_sub(now.as_ms()) / 86_400_000;
    let tone = match days {
        0 => Tone::Bad,
        1..30 => Tone::Warn,
        _ => Tone::Good,
    };
    (words.count("unit.days", days), tone)
}
