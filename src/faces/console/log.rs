//! The log, searched: one box that takes anything, filters that stand in the address, and persons for a reason.

use super::chart::{Bar, histogram};
use super::html::{
    Address, Cell, Column, Field, Form, Html, Live, Must, Note, Page, Span, Table, Tone, chart, column, figures, lead, link,
    moment, notes, spoken, text,
};
use super::request::Answer;
use super::session::TicketOf;
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{self, Code, Fault};
use crate::base::ids::{AgencyId, Identifier, MessageId, Uuid};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::audit::{Cursor, Filter, Histogram, Pairs, Query, QueryError, digest};
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Private, RecordKind};
use crate::gateway::driver::log_unreadable;
use crate::host::config::Duty;
use crate::host::store::{Found, Page as Records, StoreError};

/// Records of a page.
const ROWS: usize = 50;

/// `GET /log`
pub(super) async fn log(visit: Visit) -> Answered {
    let words = visit.words;
    let (mut pairs, mut ticket) = (Pairs::default(), None);
    for (key, value) in visit.query.iter().filter(|(key, value)| !value.is_empty() && !["as", "table"].contains(key)) {
        match key {
            "ticket" => ticket = Some(value.to_owned()),
            _ => pairs.add(key.to_owned(), value.to_owned())?,
        }
    }
    let mut query = Query::parse_address(pairs.clone())?;
    query.limit = if visit.query.iter().any(|(key, _)| key == "as") { limits::PAGE_RECORDS_MAX } else { ROWS };
    let ticket = ticket.map(|name| ticket_of(&visit, &name)).transpose()?;
    if let Some((filter, _)) = &ticket {
        (query.filter.person, query.filter.official) = (filter.person.clone(), filter.official.clone());
    }
    query.filter.scope = visit.scope();
    let before = query.before()?;
    let (filter, limit, now) = (query.filter.clone(), query.limit, visit.now);
    let read = visit.console.read(move |gateway| {
        let store = gateway.store();
        let found = store.search(&filter, before, limit)?;
        let to = filter.to.unwrap_or(now.plus_ms(1)).min(now.plus_ms(1));
        let first =
            || store.record(0).ok().and_then(|first| Leaf::parse(&first.leaf)).map_or(to, |leaf| UnixTime::from_ms(leaf.time));
        let counted = store.histogram(&filter, filter.from.unwrap_or_else(first), to, BARS)?;
        Ok((found, counted))
    });
    let (found, counted) = read.await?.map_err(|cause: StoreError| log_unreadable(&cause))?;
    let mut page = Page::new(words.say("log.title"), visit.address.clone());
    page.put(filters(&visit, &pairs).html());
    if let Some((_, recorded)) = &ticket {
        page.put(notes(words, &[person_note(&visit, *recorded)]));
    }
    if counted.sum().records > 0 {
        page.put(counts(&visit, &counted));
    }
    page.table(table(&visit, &query.filter, &found));
    if query.cursor.is_none() && ticket.is_none() {
        page.is_live = Live::Yes;
    }
    visit.page(&page)
}

/// How many records there are over time; each bar leads to its own.
fn counts(visit: &Visit, counted: &Histogram) -> Html {
    let words = visit.words;
    let bars = counted.buckets.iter().zip(0_u64..).map(|(bucket, number)| {
        let from = counted.from.plus_ms(number * counted.step_ms);
        let to = from.plus_ms(counted.step_ms).min(counted.to);
        let narrowed = visit.address.with("from", &from.to_string()).with("to", &to.to_string()).with("cursor", "");
        let label = format!("{} {}", spoken(from), words.count("log.found", bucket.records));
        Bar { total: bucket.records, refused: bucket.refused, label, href: narrowed.to_string() }
    });
    let bars: Vec<Bar> = bars.collect();
    let sum = counted.sum();
    let places = [("n", words.number(sum.records)), ("refused", words.number(sum.refused))];
    let places: Vec<(&str, &str)> = places.iter().map(|(place, text)| (*place, text.as_str())).collect();
    let caption = if counted.is_exact { words.fill("log.counted", &places) } else { words.fill("log.estimated", &places) };
    chart(&histogram(&bars, &caption, (&spoken(counted.from), &spoken(counted.to))), &caption)
}

/// Bars above a list of records.
const BARS: usize = 96;

fn person_note(visit: &Visit, recorded: u64) -> Note {
    let words = visit.words;
    let index = words.number(recorded);
    let spans = vec![text(words.say("log.person-shown")), text(" "), link(index, format!("/log/{recorded}"))];
    Note { tone: Tone::Warn, spans, action: Some((words.say("log.clear").to_owned(), "/log".to_owned())) }
}

/// The search that a ticket is for, and the record of it.
fn ticket_of(visit: &Visit, name: &str) -> Result<(Filter, u64), Fault> {
    let session = visit.who.as_ref().map(|who| who.session).ok_or_else(|| Fault::new(Code::ConsoleTicket))?;
    match visit.console.sessions().ticket(&session, name) {
        Some(ticket) => match ticket.of {
            TicketOf::Search(filter) => Ok((*filter, ticket.recorded)),
            TicketOf::Record(_) => Err(Fault::new(Code::ConsoleTicket)),
        },
        None => Err(Fault::new(Code::ConsoleTicket)),
    }
}

/// The filters, as a form whose address can be given to others.
fn filters(visit: &Visit, pairs: &Pairs) -> Form {
    let words = visit.words;
    let value = |key: &str| pairs.iter().find(|(known, _)| *known == key).map_or("", |(_, value)| value).to_owned();
    let any = || (String::new(), words.say("log.any").to_owned());
    let registry = &visit.world.registry;
    let mut agencies: Vec<_> = registry.agencies().map(|(_, agency)| (agency.id.to_string(), agency.name.clone())).collect();
    agencies.sort_by(|left, right| left.1.cmp(&right.1));
    let chosen = value("agency");
    // A long list is no choice: then the name is written.
    let agency = if agencies.len() <= CHOICES_MAX && (chosen.is_empty() || agencies.iter().any(|(id, _)| *id == chosen)) {
        let options = std::iter::once(any()).chain(agencies).collect();
        Field::Choice { name: "agency".into(), label: words.say("log.agency").into(), options, chosen }
    } else {
        Field::input("agency", words.say("log.agency"), chosen)
    };
    let documents = visit.world.schemas().document_types().map(|document| document.name.as_str().to_owned());
    let mut documents: Vec<_> = documents.map(|name| (name.clone(), visit.document_name(&name))).collect();
    documents.sort_by(|left, right| left.1.cmp(&right.1));
    let options = std::iter::once(any()).chain(documents).collect();
    let document =
        Field::Choice { name: "document".into(), label: words.say("log.document").into(), options, chosen: value("document") };
    let kinds = RecordKind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), kind_word(words, kind.as_str())));
    let options = std::iter::once(any()).chain(kinds).collect();
    let kind = Field::Choice { name: "kind".into(), label: words.say("log.kind").into(), options, chosen: value("kind") };
    let day = |name: &'static str, label: &str| Field::Input {
        name: name.into(),
        label: label.into(),
        value: value(name),
        hint: String::new(),
        kind: if value(name).len() > 10 { "text" } else { "date" },
        must: Must::Not,
    };
    let mut fields = vec![
        agency,
        document,
        Field::input("purpose", words.say("log.purpose"), value("purpose")),
        Field::input("code", words.say("log.code"), value("code")),
        kind,
        day("from", words.say("log.from")),
        day("to", words.say("log.to")),
    ];
    for key in ["consumer", "provider", "basis", "message", "digest", "case"] {
        if !value(key).is_empty() {
            fields.push(Field::input(
                key,
                match key {
                    "consumer" => words.say("log.consumer"),
                    "provider" => words.say("log.provider"),
                    "basis" => words.say("log.basis"),
                    "message" => words.say("log.message"),
                    "digest" => words.say("log.digest"),
                    _ => words.say("log.case"),
                },
                value(key),
            ));
        }
    }
    if let Some((_, ticket)) = visit.query.iter().find(|(key, _)| *key == "ticket") {
        fields.push(Field::Hidden { name: "ticket", value: ticket.to_owned() });
    }
    Form::get("/log", fields, words.say("log.search"))
}

/// Agencies of a list that one chooses from.
const CHOICES_MAX: usize = 200;

/// What a kind of record is called.
pub(super) fn kind_word(words: Words, kind: &str) -> String {
    words.find(&format!("kind.{kind}")).unwrap_or("?").to_owned()
}

fn heads(words: Words) -> Vec<Column> {
    vec![
        figures("index", words.say("log.index")),
        column("time", words.say("log.time")),
        column("kind", words.say("log.kind")),
        column("from", words.say("log.asks")),
        column("to", words.say("log.holds")),
        column("document", words.say("log.document")),
        column("purpose", words.say("log.purpose")),
        column("result", words.say("log.result")),
    ]
}

/// Records as a table.
pub(super) fn table(visit: &Visit, filter: &Filter, found: &Records) -> Table {
    let words = visit.words;
    let rows = found.records.iter().map(|record| row(visit, record)).collect();
    let next = found.next.map(|next| {
        let address = visit.address.with("cursor", &Cursor(next).to_text(filter));
        (words.say("log.older").to_owned(), address.to_string())
    });
    let caption = match (visit.address.pairs.is_empty(), next.is_some()) {
        (true, _) => words.say("log.newest").to_owned(),
        (false, true) => words.say("log.found-more").to_owned(),
        (false, false) => words.count("log.found", found.records.len() as u64),
    };
    Table { name: "records", caption, columns: heads(words), rows, empty: words.say("log.none").to_owned(), next }
}

/// A record as a row.
pub(super) fn row(visit: &Visit, record: &Found) -> Vec<Cell> {
    let words = visit.words;
    let index = Cell::link(words.number(record.index), format!("/log/{}", record.index), record.index);
    let Some(leaf) = Leaf::parse(&record.leaf) else {
        let erased = Cell::text(words.say("log.erased")).toned(Tone::Quiet);
        return [index, erased].into_iter().chain((0..6).map(|_| Cell::empty())).collect();
    };
    let agency = |id: &Option<String>| Cell::maybe(id.as_ref(), |id| Cell::of(vec![text(visit.agency_name(id))], id.clone()));
    let named = |word: &Option<String>, name: &dyn Fn(&str) -> String| {
        Cell::maybe(word.as_ref(), |word| Cell::of(vec![text(name(word))], word.clone()))
    };
    vec![
        index,
        Cell::time(UnixTime::from_ms(leaf.time)),
        Cell::of(vec![text(kind_word(words, &leaf.kind))], leaf.kind.clone()),
        agency(&leaf.consumer),
        agency(&leaf.provider),
        named(&leaf.document_type, &|name| visit.document_name(name)),
        named(&leaf.purpose, &|code| words.purpose(code).to_owned()),
        result(words, &leaf),
    ]
}

/// How it ended: a code, or what was done, or how long it took.
pub(super) fn result(words: Words, leaf: &Leaf) -> Cell {
    if let Some(code) = &leaf.code {
        let many = leaf.summed.map(|count| text(format!(" × {}", words.number(count))));
        let spans = std::iter::once(link(code.clone(), format!("/help/{code}"))).chain(many).collect();
        return Cell::of(spans, code.clone()).toned(Tone::Bad);
    }
    match (leaf.kind.as_str(), leaf.elapsed_us, &leaf.action) {
        ("rsp", Some(elapsed), _) => {
            let took = format!("{} {}", words.say("log.answered"), duration(words, elapsed));
            Cell::of(vec![text(took)], "answered").toned(Tone::Good)
        }
        (_, _, Some(action)) => {
            let word = words.find(&format!("action.{action}")).map_or_else(|| action.clone(), str::to_owned);
            Cell::of(vec![text(word)], action.clone())
        }
        ("req", ..) => Cell::of(vec![text(words.say("log.permitted"))], "permitted"),
        _ => Cell::empty(),
    }
}

/// A time that something took, in the largest unit that says it.
pub(super) fn duration(words: Words, us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000_000 => format!("{} {}", us / 1_000, words.say("unit.ms")),
        _ => format!("{} {}", us / 1_000_000, words.say("unit.s")),
    }
}

/// `POST /find`: where what was written into the one box leads.
pub(super) async fn find(visit: Visit) -> Answered {
    let mut form = visit.form.clone();
    let sought = form.take("q").unwrap_or_default();
    let sought = sought.trim();
    let words = visit.words;
    let filtered = |key: &str, value: &str| Ok(Answer::see(&Address::new("/log").with(key, value).to_string()));
    if sought.is_empty() {
        return Ok(Answer::see("/log"));
    }
    let digits: String = sought.chars().filter(|c| !matches!(c, ' ' | '\u{202f}' | '\u{a0}' | ',' | '#')).collect();
    if let Ok(index) = digits.parse::<u64>() {
        return Ok(Answer::see(&format!("/log/{index}")));
    }
    let lower = sought.to_ascii_lowercase();
    if let Some(id) = MessageId::parse(&lower) {
        let filter = Filter { message: Some(id), scope: visit.scope(), ..Filter::default() };
        let read = visit.console.read(move |gateway| gateway.store().search(&filter, None, 1)).await?;
        if read.is_ok_and(|found| !found.records.is_empty()) {
            return filtered("message", &lower);
        }
    }
    if Uuid::parse(&lower).is_some() {
        return filtered("case", &lower);
    }
    if let Some(digest) = digest(sought) {
        return filtered("digest", &digest.to_string());
    }
    if let Some(code) = fault::Code::parse(&sought.to_ascii_uppercase()) {
        return Ok(Answer::see(&format!("/help/{}", code.as_str())));
    }
    if AgencyId::parse(&lower).is_some_and(|id| visit.world.registry.find(&id).is_some()) {
        return Ok(Answer::see(&format!("/agencies/{lower}")));
    }
    if let Some(person) = person_in(sought) {
        return if visit.does(&[Duty::Auditor]) { why(&visit, &person) } else { Err(Fault::new(Code::ConsoleDuty)) };
    }
    let named = visit.world.registry.agencies().map(|(_, agency)| agency);
    let mut named = named.filter(|agency| agency.name.to_lowercase().contains(&sought.to_lowercase()));
    if let (Some(agency), None) = (named.next(), named.next()) {
        return Ok(Answer::see(&format!("/agencies/{}", agency.id)));
    }
    let document = visit.world.schemas().document_types().find(|document| document.name.as_str() == lower);
    if document.is_some() {
        return filtered("document", &lower);
    }
    let mut page = Page::new(words.say("find.title"), Address::new("/find"));
    page.put(lead(&[text(words.say("find.none")), text(" "), Span::Strong(sought.chars().take(80).collect())]));
    page.put(super::html::list(
        &[
            words.say("find.index"),
            words.say("find.message"),
            words.say("find.digest"),
            words.say("find.agency"),
            words.say("find.person"),
            words.say("find.code"),
        ]
        .map(|line| vec![text(line)]),
        super::html::Ordered::No,
    ));
    visit.page(&page)
}

/// A person as people write one: `RU-SNILS|112-233-445 95`, with a blank for the bar, and with what stands between digits.
pub(super) fn person_in(sought: &str) -> Option<Identifier> {
    let (scheme, value) = sought.split_once('|').or_else(|| sought.split_once(char::is_whitespace))?;
    let plain: String = value.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let scheme = scheme.trim().to_ascii_uppercase();
    Identifier::parse(&scheme, value.trim()).or_else(|_| Identifier::parse(&scheme, &plain)).ok()
}

/// Asks for the reason of a search by person. Whom it is about stands in no address.
fn why(visit: &Visit, person: &Identifier) -> Answered {
    let words = visit.words;
    let mut page = Page::new(words.say("why.title"), Address::new("/find"));
    page.put(lead(&[text(words.say("why.lead"))]));
    let person = format!("{}|{}", person.scheme(), person.value());
    let field = |name: &'static str, label: &str, hint: &str, value: String| Field::Input {
        name: name.into(),
        label: label.into(),
        value,
        hint: hint.into(),
        kind: "text",
        must: Must::Be,
    };
    let fields = vec![
        field("person", words.say("why.person"), words.say("why.person-hint"), person),
        field("reason", words.say("why.reason"), words.say("why.reason-hint"), String::new()),
    ];
    page.put(Form::post("/log/search", fields, words.say("why.go"), visit.token()).html());
    visit.page(&page)
}

/// `POST /log/search`: puts the search on record, and only then goes to what it finds.
pub(super) async fn search(visit: Visit) -> Answered {
    let mut pairs = Pairs::default();
    for (key, value) in visit.form.iter() {
        let value = if key == "person" || key == "official" { written(value) } else { value.to_owned() };
        if !value.is_empty() {
            pairs.add(key.to_owned(), value)?;
        }
    }
    let query = Query::parse(pairs)?;
    if !query.filter.is_personal() {
        return Err(QueryError::value("person", "SCHEME|VALUE with good check digits, like RU-SNILS|11223344595").into());
    }
    let who = visit.who.as_ref().ok_or_else(|| Fault::new(Code::ConsoleDuty))?;
    let sought: Vec<_> = query.filter.person.iter().chain(&query.filter.official).cloned().collect();
    let action = if query.filter.person.is_some() { "search-person" } else { "search-official" };
    let private = Private { subject: sought.into(), reason: Some(query.reason()?.to_owned()), ..Private::default() };
    let onlooker = who.onlooker(&visit.world.registry);
    let recorded = visit.gateway().record_look(&visit.world, &onlooker, action, private, None).await?.index();
    let filter = Box::new(Filter { scope: None, ..query.filter });
    let given = visit.console.sessions().give(&who.session, TicketOf::Search(filter), recorded);
    let ticket = given.ok_or_else(|| Fault::new(Code::ConsoleTicket))?;
    Ok(Answer::see(&Address::new("/log").with("ticket", &ticket).to_string()))
}

fn written(text: &str) -> String {
    person_in(text).map_or_else(|| text.to_owned(), |person| format!("{}|{}", person.scheme(), person.value()))
}

/// When it was, as a run of text.
pub(super) fn when(time: u64) -> Span {
    moment(UnixTime::from_ms(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_read_as_people_write_one() {
        for text in ["RU-SNILS|11223344595", "ru-snils 112-233-445 95", "RU-SNILS 11223344595", "RU-SNILS | 11223344595"] {
            assert_eq!(person_in(text).map(|person| person.value().to_owned()).as_deref(), Some("11223344595"), "{text}");
        }
        for text in ["RU-SNILS|11223344594", "11223344595", "school-17", "a b"] {
            assert!(person_in(text).is_none(), "{text}");
        }
    }
}
