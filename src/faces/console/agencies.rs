//! Agencies: who they are, what they may ask and why, what they hold, what they may use.

use super::html::{
    Cell, Field, Form, Html, Must, Note, Page, Span, Table, Tone, column, facts, figures, lead, marks, notes, prose, section,
    text,
};
use super::overview::days_left;
use super::words::Words;
use super::{Answered, Visit, log, traffic};
use crate::base::fault::{Code, Fault};
use crate::base::ids::AgencyId;
use crate::base::time::DAY_MS;
use crate::evidence::audit::Filter;
use crate::evidence::tlog::RecordKind;
use crate::gateway::driver::log_unreadable;
use crate::host::config::Duty;
use crate::host::store::StoreError;
use crate::message::envelope::World;
use crate::rules::quota::{Rehearsed, rehearse};
use crate::rules::registry::{Action, Agency, AgencyIndex, Grant, Status};

/// Whether the visitor may see an agency's page: whoever speaks for one sees that alone.
pub(super) fn sees(visit: &Visit, id: &AgencyId) -> bool {
    let is_own = visit.who.as_ref().is_some_and(|who| who.official.agency.as_ref() == Some(id));
    is_own || visit.does(&[Duty::Operator, Duty::Auditor, Duty::Curator, Duty::Security, Duty::Desk])
}

/// `GET /agencies`
pub(super) async fn agencies(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = Page::new(words.say("agencies.title"), visit.address.clone());
    let registry = &visit.world.registry;
    page.put(lead(&[text(words.fill("agencies.registry", &[("version", &words.number(registry.version()))]))]));
    let share = visit.number("share", 1..=100)?;
    if visit.does(&[Duty::Operator, Duty::Security]) {
        let field = Field::Input {
            name: "share".into(),
            label: words.say("agencies.share").into(),
            value: share.unwrap_or(50).to_string(),
            hint: words.say("agencies.share-hint").into(),
            kind: "number",
            must: Must::Be,
        };
        page.put(Form::get("/agencies", vec![field], words.say("agencies.try")).html());
    }
    let mut shown: Vec<(AgencyIndex, &Agency)> = registry.agencies().filter(|(_, agency)| sees(&visit, &agency.id)).collect();
    shown.sort_by(|left, right| left.1.name.cmp(&right.1.name));
    let rows = shown.into_iter().map(|(index, agency)| {
        let held: Vec<String> = registry.held_by(index).map(|document| document.as_str().to_owned()).collect();
        let titles: Vec<String> = held.iter().map(|document| visit.document_name(document)).collect();
        let key = agency.last_key_ends(visit.now).map(|until| (until, days_left(words, until, visit.now)));
        let mut row = vec![
            Cell::link(agency.name.clone(), format!("/agencies/{}", agency.id), agency.name.clone()),
            Cell::of(vec![Span::Code(agency.id.to_string())], agency.id.to_string()),
            standing(words, agency),
            Cell::of(vec![text(titles.join(", "))], held),
            Cell::maybe(key, |(until, (left, tone))| Cell::of(vec![text(left)], until.to_string()).toned(tone)),
            Cell::number(words, u64::from(agency.allowance.requests_per_minute)),
        ];
        if let Some(share) = share {
            let over = over_share(&visit, agency, share);
            let tone = if over.requests > 0 { Tone::Warn } else { Tone::Good };
            row.push(Cell::of(vec![text(words.number(over.minutes))], over.minutes).toned(tone));
            row.push(Cell::of(vec![text(words.number(over.requests))], over.requests).toned(tone));
        }
        row
    });
    let rows: Vec<_> = rows.collect();
    let mut columns = vec![
        column("name", words.say("agencies.name")),
        marks("id", words.say("agencies.id")),
        column("status", words.say("overview.state")),
        column("holds", words.say("agencies.holds")),
        figures("key", words.say("agencies.key")),
        figures("per_minute", words.say("agencies.per-minute")),
    ];
    if let Some(share) = share {
        columns.push(figures("hours_over", &words.fill("agencies.hours-over", &[("share", &share.to_string())])));
        columns.push(figures("refused", words.say("agencies.at-least")));
    }
    page.table(Table {
        name: "agencies",
        caption: words.count("agencies.count", registry.agencies().len() as u64),
        columns,
        rows,
        empty: words.say("agencies.none").to_owned(),
        next: None,
    });
    visit.page(&page)
}

fn standing(words: Words, agency: &Agency) -> Cell {
    let (word, tone) = match (agency.status, agency.world) {
        (Status::Suspended, _) => (words.say("agencies.suspended"), Tone::Bad),
        (Status::Active, World::Test) => (words.say("agencies.test"), Tone::Quiet),
        (Status::Active, World::Live) => (words.say("agencies.active"), Tone::Good),
    };
    Cell::of(vec![Span::Badge(word.to_owned(), tone)], word)
}

/// `GET /agencies/{id}`
pub(super) async fn agency(visit: Visit) -> Answered {
    let words = visit.words;
    let unknown = || Fault::new(Code::HttpNoSuchPath);
    let id = AgencyId::parse(visit.of()).filter(|id| sees(&visit, id)).ok_or_else(unknown)?;
    let registry = &visit.world.registry;
    let index = registry.find(&id).ok_or_else(unknown)?;
    let agency = registry.agency(index).ok_or_else(unknown)?;
    let mut page = Page::new(agency.name.clone(), visit.address.clone()).below(words.say("agencies.title"), "/agencies");
    page.put(section("about", words.say("agencies.about"), &[facts(&about(&visit, agency))]));
    for part in traffic::of_agency(&visit, &id, agency.allowance.requests_per_minute) {
        page.put(part);
    }
    page.put(rehearsed(&visit, agency).await?);
    page.table(keys(&visit, agency));
    page.table(grants(&visit, index));
    page.table(asked(&visit, index));
    if visit.does(&[Duty::Operator, Duty::Auditor, Duty::Security, Duty::Agency]) {
        let filter = Filter { party: Some(id.clone()), scope: visit.scope(), ..Filter::default() };
        let (sought, limit) = (filter.clone(), NEWEST);
        let read = visit.console.read(move |gateway| gateway.store().search(&sought, None, limit)).await?;
        let mut table = log::table(&visit, &filter, &read.map_err(|cause| log_unreadable(&cause))?);
        table.caption = words.say("agencies.newest").to_owned();
        table.next = Some((words.say("overview.all-records").to_owned(), format!("/log?agency={id}")));
        page.table(table);
    }
    visit.page(&page)
}

const NEWEST: usize = 12;

/// What another limit would have refused in the last day.
async fn rehearsed(visit: &Visit, agency: &Agency) -> Result<Html, Fault> {
    let words = visit.words;
    let asked = visit.number("limit", 1..=LIMIT_MAX)?;
    let limit = Field::Input {
        name: "limit".into(),
        label: words.say("agencies.try-limit").into(),
        value: asked.unwrap_or(u64::from(agency.allowance.requests_per_minute / 2).max(1)).to_string(),
        hint: String::new(),
        kind: "number",
        must: Must::Be,
    };
    let form = Form::get(visit.address.path.clone(), vec![limit], words.say("agencies.try")).html();
    let mut inside = vec![prose(&[text(words.say("agencies.try-lead"))]), form];
    if let Some(limit) = asked.and_then(|limit| u32::try_from(limit).ok()) {
        let (id, now) = (agency.id.clone(), visit.now);
        let read = visit.console.read(move |gateway| {
            let from = now.minus_ms(DAY_MS);
            let of = |kind| {
                let filter = Filter { consumer: Some(id.clone()), kind: Some(kind), ..Filter::default() };
                gateway.store().histogram(&filter, from, now, DAY_MINUTES)
            };
            let (questions, refusals) = (of(RecordKind::Request)?, of(RecordKind::Refusal)?);
            let each = questions.buckets.iter().zip(&refusals.buckets);
            Ok::<_, StoreError>(each.map(|(came, refused)| came.records + refused.records).collect::<Vec<_>>())
        });
        let minutes = read.await?.map_err(|cause| log_unreadable(&cause))?;
        let sum = minutes.iter().sum();
        let burst = agency.allowance.burst.min(limit);
        let over = rehearse(minutes, limit, burst);
        let places = [
            ("limit", words.number(u64::from(limit))),
            ("burst", words.number(u64::from(burst))),
            ("sum", words.number(sum)),
            ("requests", words.number(over.requests)),
            ("minutes", words.number(over.minutes)),
        ];
        let places: Vec<(&str, &str)> = places.iter().map(|(place, text)| (*place, text.as_str())).collect();
        let (tone, said) = match over.requests {
            0 => (Tone::Good, words.fill("agencies.try-none", &places)),
            _ => (Tone::Warn, words.fill("agencies.try-some", &places)),
        };
        inside.push(notes(words, &[Note { tone, spans: vec![text(said)], action: None }]));
    }
    Ok(section("try", words.say("agencies.try-title"), &inside))
}

const DAY_MINUTES: usize = 24 * 60;
/// Requests per minute that are tried out.
const LIMIT_MAX: u64 = 1_000_000;

/// In how many of the last hours an agency has asked for more than a part of its limit, and for how much more: at least so much would have
/// been refused, since what came within an hour came more unevenly than that.
fn over_share(visit: &Visit, agency: &Agency, share: u64) -> Rehearsed {
    let most = u64::from(agency.allowance.requests_per_minute) * 60 * share / 100;
    visit.gateway().traffic(|traffic| {
        let hours = traffic.hours_of_agency(&agency.id, visit.now);
        rehearse(hours.map(|(_, sides)| u64::from(sides.consumer.requests)), u32::try_from(most).unwrap_or(u32::MAX), 0)
    })
}

fn about(visit: &Visit, agency: &Agency) -> Vec<(String, Vec<Span>)> {
    let words = visit.words;
    let mut rows = vec![
        (words.say("agencies.id").to_owned(), vec![Span::Code(agency.id.to_string())]),
        (words.say("overview.state").to_owned(), standing(words, agency).spans),
    ];
    let mut put = |name: &str, value: String| rows.push((name.to_owned(), vec![text(value)]));
    let reached = match &agency.url {
        Some(url) => words.fill("agencies.reached-at", &[("host", &url.authority())]),
        None => words.say("agencies.fetches").to_owned(),
    };
    put(words.say("agencies.reached"), reached);
    let standings = visit.gateway().standings();
    if let Some((_, standing)) = standings.iter().find(|(holder, _)| *holder == agency.id) {
        let state = standing.state.as_str();
        put(words.say("agencies.as-holder"), words.find(&format!("state.{state}")).unwrap_or(state).to_owned());
    }
    let allowance = &agency.allowance;
    let n = |number: u32| words.number(u64::from(number));
    put(
        words.say("agencies.limit-requests"),
        words.fill("agencies.limit-requests-are", &[("n", &n(allowance.requests_per_minute)), ("burst", &n(allowance.burst))]),
    );
    put(words.say("agencies.limit-octets"), words.fill("agencies.limit-octets-are", &[("n", &n(allowance.kib_per_minute))]));
    put(words.say("agencies.limit-parallel"), n(allowance.parallel));
    put(words.say("agencies.limit-persons"), n(allowance.persons_per_day));
    let misses = [("n", &*n(allowance.misses.per_day)), ("share", &*n(allowance.misses.share))];
    put(words.say("agencies.limit-misses"), words.fill("agencies.limit-misses-are", &misses));
    rows
}

fn keys(visit: &Visit, agency: &Agency) -> Table {
    let words = visit.words;
    let rows = agency.keys().map(|key| {
        let (left, tone) = match key.is_revoked {
            true => (words.say("agencies.revoked").to_owned(), Tone::Bad),
            false => days_left(words, key.until, visit.now),
        };
        let print = key.thumbprint.to_string();
        vec![
            Cell::of(vec![Span::Code(print.chars().take(16).collect())], print),
            Cell::time(key.from),
            Cell::time(key.until),
            Cell::of(vec![text(left.clone())], left).toned(tone),
        ]
    });
    Table {
        name: "keys",
        caption: words.say("agencies.keys").to_owned(),
        columns: vec![
            column("certificate", words.say("agencies.certificate")),
            column("from", words.say("agencies.from")),
            column("until", words.say("agencies.until")),
            figures("left", words.say("agencies.left")),
        ],
        rows: rows.collect(),
        empty: words.say("agencies.no-keys").to_owned(),
        next: None,
    }
}

/// A grant in a sentence.
pub(super) fn in_words(visit: &Visit, grant: &Grant) -> String {
    let words = visit.words;
    let key = match grant.action {
        Action::Read => "grant.read",
        Action::Apply => "grant.apply",
        Action::Subscribe => "grant.subscribe",
    };
    let (what, purpose) = (visit.document_name(grant.what.as_str()), words.purpose(grant.purpose.as_str()));
    let sentence = words.fill(key, &[("what", &what), ("purpose", purpose)]);
    match grant.withheld_days {
        0 => sentence,
        days => format!("{sentence} {}", words.count("grant.withheld", u64::from(days))),
    }
}

fn grants(visit: &Visit, index: AgencyIndex) -> Table {
    let words = visit.words;
    let registry = &visit.world.registry;
    let documents = visit.world.schemas().document_types().map(|document| &document.name);
    let found = documents.flat_map(|document| registry.grants_of(index, document)).map(|(_, grant)| grant);
    let rows = found.map(|grant| {
        let fields: Vec<String> = grant.fields.iter().map(ToString::to_string).collect();
        vec![
            Cell::of(vec![text(in_words(visit, grant))], grant.id.as_str()),
            Cell::of(vec![text(fields.join(", "))], fields.clone()),
            Cell::text(grant.basis.to_string()),
            Cell::text(grant.until.to_string()),
            Cell::maybe(grant.per_minute, |n| Cell::number(words, u64::from(n))),
        ]
    });
    Table {
        name: "grants",
        caption: words.say("agencies.grants").to_owned(),
        columns: vec![
            column("grant", words.say("agencies.may")),
            column("fields", words.say("agencies.fields")),
            marks("basis", words.say("log.basis")),
            marks("until", words.say("agencies.until")),
            figures("per_minute", words.say("agencies.per-minute")),
        ],
        rows: rows.collect(),
        empty: words.say("agencies.no-grants").to_owned(),
        next: None,
    }
}

/// What it holds, and for whom.
fn asked(visit: &Visit, index: AgencyIndex) -> Table {
    let words = visit.words;
    let registry = &visit.world.registry;
    let rows = registry.held_by(index).map(|document| {
        let mut who: Vec<String> = registry
            .grants_with_whom()
            .filter(|(grant, _)| grant.what == *document)
            .map(|(_, whom)| visit.agency_name(whom))
            .collect();
        who.sort();
        who.dedup();
        let regions: Vec<&str> = registry.regions_of(index, document).into_iter().map(|region| region.as_str()).collect();
        vec![
            Cell::link(visit.document_name(document.as_str()), format!("/documents/{}", document.as_str()), document.as_str()),
            Cell::text(if regions.is_empty() { words.say("agencies.everywhere").to_owned() } else { regions.join(", ") }),
            Cell::of(vec![text(who.join(", "))], who.clone()),
        ]
    });
    Table {
        name: "holds",
        caption: words.say("agencies.asked").to_owned(),
        columns: vec![
            column("document", words.say("log.document")),
            column("regions", words.say("agencies.regions")),
            column("who", words.say("agencies.who-asks")),
        ],
        rows: rows.collect(),
        empty: words.say("agencies.holds-nothing").to_owned(),
        next: None,
    }
}
