//! Open work: what is kept for whom, what a worker has, what is answered later, and when it goes on. Nothing of what a message says is here,
//! and nobody whom one is about.

use super::entry::ago;
use super::html::{Cell, Figure, Live, Note, Page, Span, Table, Tone, column, figure_row, figures, moment, notes, text};
use super::words::Words;
use super::{Answered, Visit};
use crate::base::time::UnixTime;
use crate::exchange::work::{Row, Stage, State, Way, What};
use crate::gateway::driver::console::{OpenRow, OpenWork};
use std::collections::BTreeMap;

/// Pieces of work that are looked at.
const ROWS: usize = 80;

/// `GET /queue`
pub(super) async fn queue(visit: Visit) -> Answered {
    let words = visit.words;
    let open = visit.console.read(|gateway| gateway.open_work(ROWS)).await?;
    let total: u64 = open.counts.all().map(|(_, _, count)| count).sum();
    let mut page = Page::new(words.say("queue.title"), visit.address.clone());
    page.is_live = Live::Yes;
    page.put(figure_row(&numbers(&visit, &open, total)));
    if total > ROWS as u64 {
        let said = words.fill("queue.oldest-alone", &[("n", &words.number(ROWS as u64))]);
        page.put(notes(words, &[Note { tone: Tone::Plain, spans: vec![text(said)], action: None }]));
    }
    page.table(kinds(words, &open));
    page.table(receivers(&visit, &open));
    page.table(oldest(&visit, &open));
    visit.page(&page)
}

fn numbers(visit: &Visit, open: &OpenWork, total: u64) -> Vec<Figure> {
    let words = visit.words;
    let in_state = |wanted: State| open.counts.all().filter(|(_, state, _)| *state == wanted).map(|(_, _, count)| count).sum();
    let figure = |number: u64, key: &str| Figure::new(words.number(number), words.say(key));
    let mut numbers = vec![
        figure(total, "queue.open"),
        figure(in_state(State::Waiting), "queue.waiting"),
        figure(in_state(State::Leased), "queue.leased"),
        figure(in_state(State::Delivered), "queue.delivered"),
        figure(open.under_way as u64, "queue.under-way"),
    ];
    if let Some(first) = open.rows.first() {
        numbers.push(Figure::new(ago(words, first.row.since, visit.now), words.say("queue.oldest")));
    }
    numbers
}

fn kind_word(words: Words, what: What) -> &'static str {
    let key = match what {
        What::Question => "queue.question",
        What::Answer => "queue.answer",
        What::Status => "queue.status",
        What::Cancel => "queue.cancel",
        What::Event => "queue.event",
        What::Withheld => "queue.withheld",
    };
    words.find(key).unwrap_or_default()
}

/// How much there is of each kind.
fn kinds(words: Words, open: &OpenWork) -> Table {
    let mut by_kind: BTreeMap<What, [u64; 3]> = BTreeMap::new();
    for (what, state, count) in open.counts.all().filter(|(_, _, count)| *count > 0) {
        by_kind.entry(what).or_default()[state as usize] += count;
    }
    let rows = by_kind.into_iter().map(|(what, [waiting, leased, delivered])| {
        vec![
            Cell::of(vec![text(kind_word(words, what))], what.as_str()),
            Cell::number(words, waiting),
            Cell::number(words, leased),
            Cell::number(words, delivered),
        ]
    });
    Table {
        name: "kinds",
        caption: words.say("queue.kinds").to_owned(),
        columns: vec![
            column("kind", words.say("log.kind")),
            figures("waiting", words.say("queue.waiting")),
            figures("leased", words.say("queue.leased")),
            figures("delivered", words.say("queue.delivered")),
        ],
        rows: rows.collect(),
        empty: words.say("queue.none").to_owned(),
        next: None,
    }
}

/// When something goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// At this time, or now if that is past.
    At(UnixTime),
    /// When its receiver comes for it.
    Fetched,
    /// When it is answered.
    Answered,
}

impl Next {
    fn of(open: &OpenRow, now: UnixTime) -> Self {
        match (open.row.stage, open.next, open.way) {
            (Stage::Delivered(_), None, _) => Self::Answered,
            (_, Some(next), _) => Self::At(next),
            (_, None, Way::Inbox) => Self::Fetched,
            (_, None, _) => Self::At(now),
        }
    }

    fn cell(self, visit: &Visit) -> Cell {
        let words = visit.words;
        match self {
            Self::At(next) if next > visit.now => Cell::of(vec![moment(next)], next.to_string()),
            Self::At(_) => Cell::of(vec![text(words.say("queue.now"))], "now"),
            Self::Fetched => Cell::of(vec![text(words.say("queue.fetched"))], "fetched"),
            Self::Answered => Cell::of(vec![text(words.say("queue.answered"))], "answered"),
        }
    }
}

/// What of the work that is looked at a receiver has.
#[derive(Debug, PartialEq, Eq)]
struct Load {
    pieces: u64,
    since: UnixTime,
    next: Next,
}

/// By receiver: those first who have the oldest.
fn loads(rows: &[OpenRow], now: UnixTime) -> Vec<(&str, Load)> {
    let mut found: BTreeMap<&str, Load> = BTreeMap::new();
    for open in rows {
        let next = Next::of(open, now);
        let fresh = Load { pieces: 0, since: open.row.since, next };
        let load = found.entry(open.row.key.to.as_str()).or_insert(fresh);
        load.pieces += 1;
        load.since = load.since.min(open.row.since);
        load.next = load.next.min(next);
    }
    let mut loads: Vec<_> = found.into_iter().collect();
    loads.sort_by_key(|(_, load)| load.since);
    loads
}

fn receivers(visit: &Visit, open: &OpenWork) -> Table {
    let words = visit.words;
    let rows = loads(&open.rows, visit.now).into_iter().map(|(to, load)| {
        vec![
            Cell::link(visit.agency_name(to), format!("/agencies/{to}"), to),
            Cell::number(words, load.pieces),
            Cell::of(vec![text(ago(words, load.since, visit.now))], load.since.to_string()),
            load.next.cell(visit),
        ]
    });
    Table {
        name: "receivers",
        caption: words.say("queue.receivers").to_owned(),
        columns: vec![
            column("agency", words.say("log.agency")),
            figures("pieces", words.say("queue.pieces")),
            column("since", words.say("queue.oldest")),
            column("next", words.say("queue.next")),
        ],
        rows: rows.collect(),
        empty: words.say("queue.none").to_owned(),
        next: None,
    }
}

fn oldest(visit: &Visit, open: &OpenWork) -> Table {
    let words = visit.words;
    let rows = open.rows.iter().map(|open| {
        let row = &open.row;
        let (key, tone) = stage(row);
        let is_over = row.deadline <= visit.now;
        vec![
            Cell::link(words.number(row.key.index), format!("/log/{}", row.key.index), row.key.index),
            Cell::of(vec![text(kind_word(words, row.what))], row.what.as_str()),
            Cell::of(vec![text(visit.agency_name(row.sender.as_str()))], row.sender.to_string()),
            Cell::link(visit.agency_name(row.key.to.as_str()), format!("/agencies/{}", row.key.to), row.key.to.to_string()),
            Cell::of(vec![Span::Badge(words.say(key).to_owned(), tone)], key.trim_start_matches("queue.")),
            Cell::number(words, u64::from(row.tries)),
            Cell::of(vec![text(ago(words, row.since, visit.now))], row.since.to_string()),
            Next::of(open, visit.now).cell(visit),
            Cell::time(row.deadline).toned(if is_over { Tone::Bad } else { Tone::Plain }),
        ]
    });
    Table {
        name: "work",
        caption: words.say("queue.work").to_owned(),
        columns: vec![
            figures("record", words.say("queue.record")),
            column("kind", words.say("log.kind")),
            column("from", words.say("queue.from")),
            column("to", words.say("queue.to")),
            column("stage", words.say("overview.state")),
            figures("tries", words.say("queue.tries")),
            column("since", words.say("queue.since")),
            column("next", words.say("queue.next")),
            column("deadline", words.say("queue.until")),
        ],
        rows: rows.collect(),
        empty: words.say("queue.none").to_owned(),
        next: (!open.rows.is_empty()).then(|| (words.say("queue.deliveries").to_owned(), "/log?kind=dlv".to_owned())),
    }
}

const fn stage(row: &Row) -> (&'static str, Tone) {
    match row.stage {
        Stage::Waiting if row.tries > 0 => ("queue.again", Tone::Warn),
        Stage::Waiting => ("queue.waits", Tone::Plain),
        Stage::Leased { .. } => ("queue.has", Tone::Good),
        Stage::Delivered(_) => ("queue.taken", Tone::Good),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{AgencyId, Digest, MessageId};
    use crate::exchange::ledger::OutcomePlace;
    use crate::exchange::work::{Class, Key};

    fn piece(index: u64, to: &str, since: u64, next: Option<u64>) -> OpenRow {
        let agency = |name: &str| AgencyId::parse(name).expect("a name");
        let mut id = [0; 16];
        (id[6], id[8], id[15]) = (0x70, 0x80, index as u8);
        let row = Row {
            key: Key { index, to: agency(to) },
            what: What::Question,
            sender: agency("xx.asks"),
            id: MessageId::from_octets(id).expect("an id"),
            digest: Digest::from_octets([0; 32]),
            system: None,
            class: Class::Normal,
            since: UnixTime::from_ms(since),
            deadline: UnixTime::from_ms(100),
            order: None,
            place: OutcomePlace { index, segment: 0, offset: 0 },
            stage: Stage::Waiting,
            tries: 0,
        };
        OpenRow { row, way: Way::Push, next: next.map(UnixTime::from_ms) }
    }

    #[test]
    fn those_come_first_who_have_the_oldest_work() {
        let rows = [piece(1, "xx.late", 30, None), piece(2, "xx.first", 10, Some(90)), piece(3, "xx.late", 20, Some(80))];
        let load =
            |pieces, since, next| Load { pieces, since: UnixTime::from_ms(since), next: Next::At(UnixTime::from_ms(next)) };
        // What can be handed out now is next.
        let found = loads(&rows, UnixTime::from_ms(50));
        assert_eq!(found, [("xx.first", load(1, 10, 90)), ("xx.late", load(2, 20, 50))]);
        assert!(loads(&[], UnixTime::from_ms(1)).is_empty());
    }

    #[test]
    fn nothing_is_said_to_be_tried_that_waits_for_others() {
        let now = UnixTime::from_ms(50);
        let fetched = OpenRow { way: Way::Inbox, ..piece(1, "xx.a", 1, None) };
        assert_eq!(Next::of(&fetched, now), Next::Fetched);
        let mut answered = piece(1, "xx.a", 1, None);
        answered.row.stage = Stage::Delivered(None);
        assert_eq!(Next::of(&answered, now), Next::Answered);
    }
}
