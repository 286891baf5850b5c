//! The state of the gateway: whether messages are taken, which workers go on, what ends, who witnesses the log, how much room there is, and
//! who is signed in.

use super::entry::ago;
use super::html::{Cell, Figure, Live, Page, Span, Table, Tone, column, figure_row, figures, link, moment, notes, section, text};
use super::overview::{attention, days_left};
use super::words::Words;
use super::{Answered, Visit, duty_word};
use crate::base::ids::AgencyId;
use crate::host::config::Duty;
use crate::host::expiry::{self, Weight};
use crate::host::store::Room;
use crate::host::telemetry::Worker;

/// `GET /state`
pub(super) async fn state(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = Page::new(words.say("health.title"), visit.address.clone());
    page.is_live = Live::Yes;
    let room = visit.console.read(|gateway| gateway.store().room()).await?;
    page.put(figure_row(&numbers(&visit, room)));
    let found = attention(&visit).await;
    if !found.is_empty() {
        page.put(section("attention", words.say("overview.attention"), &[notes(words, &found)]));
    }
    page.table(workers(&visit));
    page.table(ends(&visit).await);
    page.table(witnesses(&visit));
    page.table(signed_in(&visit));
    visit.page(&page)
}

fn numbers(visit: &Visit, room: Room) -> Vec<Figure> {
    let (words, gateway) = (visit.words, visit.gateway());
    let telemetry = gateway.telemetry();
    let gauge = |value: i64| u64::try_from(value).unwrap_or(0);
    let (ready, tone) = match gateway.health().is_ready() {
        true => (words.say("overview.ready"), Tone::Good),
        false => (words.say("overview.not-ready"), Tone::Bad),
    };
    let started = visit.now.minus_ms(u64::try_from(gateway.uptime().as_millis()).unwrap_or(0));
    let behind = gauge(telemetry.index_lag.get());
    let journal = match room.most {
        Some(most) => words.fill("health.of", &[("used", &size(words, room.used)), ("most", &size(words, most))]),
        None => size(words, room.used),
    };
    let mut numbers = vec![
        Figure::new(ready, words.say("overview.state")).toned(tone),
        Figure::new(ago(words, started, visit.now), words.say("overview.running")),
        Figure::new(words.number(gateway.open_exchanges() as u64), words.say("overview.open")),
        Figure::new(words.number(gauge(telemetry.connections.get())), words.say("health.connections")),
        Figure::new(words.number(behind), words.say("health.behind")).toned(behind_tone(behind)),
        Figure::new(journal, words.say("health.journal")).toned(room_tone(room)),
    ];
    if let Some(free) = room.free {
        numbers.push(Figure::new(size(words, free), words.say("health.free")).toned(room_tone(room)));
    }
    if visit.does(&[Duty::Operator]) {
        let open: u64 = u64::try_from(telemetry.work_oldest.get()).unwrap_or(0);
        let since = visit.now.minus_ms(open.saturating_mul(1000));
        numbers.push(Figure::new(ago(words, since, visit.now), words.say("health.work")).to("/queue"));
    }
    numbers
}

/// The index follows the journal within a moment; far behind it is not at work.
const fn behind_tone(behind: u64) -> Tone {
    match behind {
        0..1000 => Tone::Plain,
        1000..100_000 => Tone::Warn,
        _ => Tone::Bad,
    }
}

/// How bad it is with the room: a journal that cannot grow stops everything.
fn room_tone(room: Room) -> Tone {
    let left = [room.free, room.most.map(|most| most.saturating_sub(room.used))].into_iter().flatten().min();
    match left {
        None => Tone::Plain,
        Some(left) if left < ROOM_BAD => Tone::Bad,
        Some(left) if left < ROOM_SMALL => Tone::Warn,
        Some(_) => Tone::Good,
    }
}

/// Room that is gone within hours, and room that is gone within days, of a gateway that has much to do.
const ROOM_BAD: u64 = 1 << 30;
const ROOM_SMALL: u64 = 16 << 30;

/// Octets as people read them: in powers of 1024, with one digit behind the point from the second on.
fn size(words: Words, octets: u64) -> String {
    let units = ["health.octets", "health.kib", "health.mib", "health.gib", "health.tib"];
    let (mut figure, mut unit) = (octets as f64, 0);
    while figure >= 1024.0 && unit + 1 < units.len() {
        (figure, unit) = (figure / 1024.0, unit + 1);
    }
    let figure = if unit == 0 { octets as f64 } else { (figure * 10.0).round() / 10.0 };
    let number = super::telling::decimal(words, figure);
    units.get(unit).map_or_else(String::new, |key| format!("{number}\u{202f}{}", words.say(key)))
}

fn workers(visit: &Visit) -> Table {
    let words = visit.words;
    let troubles = visit.gateway().health().workers;
    let rows = Worker::ALL.into_iter().map(|worker| {
        let key = match worker {
            Worker::Index => "health.index",
            Worker::Upkeep => "health.upkeep",
            Worker::Witness => "health.witness",
            Worker::Stamps => "health.stamps",
        };
        let trouble = troubles.iter().find(|(known, _)| *known == worker).map(|(_, why)| why.clone());
        let (state, tone) = match trouble {
            None => ("health.goes-on", Tone::Good),
            Some(_) => ("health.fails", Tone::Bad),
        };
        vec![
            Cell::of(vec![text(words.say(key))], worker.as_str()),
            Cell::of(vec![Span::Badge(words.say(state).to_owned(), tone)], state.trim_start_matches("health.")),
            Cell::maybe(trouble, Cell::text),
        ]
    });
    Table {
        name: "workers",
        caption: words.say("health.workers").to_owned(),
        columns: vec![
            column("worker", words.say("health.does")),
            column("state", words.say("overview.state")),
            column("why", words.say("situations.why")),
        ],
        rows: rows.collect(),
        empty: String::new(),
        next: None,
    }
}

/// Certificates, keys and lists, the worst first.
async fn ends(visit: &Visit) -> Table {
    let words = visit.words;
    let rows = visit.console.ends().await;
    let rows = rows.iter().take(ENDS_MAX).map(|row| {
        let kind = words.find(&format!("ends.{}", row.kind.as_str())).unwrap_or(row.kind.as_str());
        let what = named(&row.what, |id| visit.agency_name(id));
        let tone = match row.weight {
            Weight::Good => Tone::Good,
            Weight::Warning => Tone::Warn,
            Weight::Failure => Tone::Bad,
        };
        let left = row.until.map(|until| (until, days_left(words, until, visit.now).0));
        vec![
            Cell::of(vec![text(kind)], row.kind.as_str()),
            Cell::text(what),
            Cell::of(vec![Span::Badge(words.say(ending(row.state)).to_owned(), tone)], row.state.as_str()),
            Cell::maybe(left, |(until, left)| Cell::of(vec![text(left)], until.to_string())).toned(tone),
            Cell::maybe(row.until, Cell::time),
        ]
    });
    Table {
        name: "ends",
        caption: words.say("health.ends").to_owned(),
        columns: vec![
            column("kind", words.say("log.kind")),
            column("what", words.say("health.what")),
            column("state", words.say("overview.state")),
            figures("left", words.say("agencies.left")),
            column("until", words.say("agencies.until")),
        ],
        rows: rows.collect(),
        empty: words.say("health.ends-none").to_owned(),
        next: None,
    }
}

/// What ends, by the name of its agency where it is one's, and otherwise of its file: where that lies is nobody's business here.
fn named(what: &str, name: impl Fn(&str) -> String) -> String {
    let mut path = what.rsplit('/');
    let file = path.next().unwrap_or(what);
    let folder = path.next().filter(|folder| AgencyId::parse(folder).is_some() && name(folder) != **folder);
    match (folder, what.rsplit_once(" of ")) {
        (Some(agency), _) => name(agency),
        (None, Some((key, agency))) if AgencyId::parse(agency).is_some() => {
            let number: String = key.chars().filter(char::is_ascii_digit).collect();
            if number.is_empty() { name(agency) } else { format!("{} ({number})", name(agency)) }
        }
        (None, _) => file.to_owned(),
    }
}

/// Things that end in one table.
const ENDS_MAX: usize = 200;

const fn ending(state: expiry::State) -> &'static str {
    match state {
        expiry::State::Good => "health.good",
        expiry::State::EndsSoon => "health.ends-soon",
        expiry::State::NotYetValid => "health.not-yet",
        expiry::State::Ended => "health.ended",
        expiry::State::DoesNotFit => "health.does-not-fit",
        expiry::State::Unreadable => "health.unreadable",
    }
}

fn witnesses(visit: &Visit) -> Table {
    let (words, gateway) = (visit.words, visit.gateway());
    let size = gateway.store().size();
    let rows = gateway.witnessing().known().into_iter().map(|known| {
        let (state, tone) = match (&known.trouble, known.size) {
            (Some(_), _) => ("entry.silent", Tone::Warn),
            (None, 0) => ("health.not-asked", Tone::Quiet),
            (None, _) => ("health.agrees", Tone::Good),
        };
        vec![
            Cell::text(known.name.clone()),
            Cell::of(vec![Span::Badge(words.say(state).to_owned(), tone)], state.rsplit('.').next().unwrap_or(state)),
            Cell::number(words, known.size),
            Cell::number(words, size.saturating_sub(known.size)),
            Cell::maybe(known.trouble, Cell::text),
        ]
    });
    Table {
        name: "witnesses",
        caption: words.say("health.witnesses").to_owned(),
        columns: vec![
            column("witness", words.say("entry.witness")),
            column("state", words.say("overview.state")),
            figures("size", words.say("health.cosigned")),
            figures("behind", words.say("health.since")),
            column("why", words.say("situations.why")),
        ],
        rows: rows.collect(),
        empty: words.say("health.no-witness").to_owned(),
        next: None,
    }
}

/// Who is signed in, whoever was here last first.
fn signed_in(visit: &Visit) -> Table {
    let words = visit.words;
    let mut all = visit.console.sessions().all(visit.now);
    all.sort_by(|left, right| right.2.cmp(&left.2).then_with(|| left.0.name.cmp(&right.0.name)));
    let count = all.len() as u64;
    let rows = all.into_iter().take(SESSIONS_SHOWN).map(|(official, began, seen)| {
        let duties: Vec<String> = official.duties.iter().map(|duty| duty_word(words, *duty)).collect();
        let codes: Vec<&str> = official.duties.iter().map(|duty| duty.as_str()).collect();
        let agency = official.agency.as_ref().map(|id| (visit.agency_name(id.as_str()), id));
        vec![
            Cell::text(official.name.clone()),
            Cell::of(vec![text(duties.join(", "))], codes),
            Cell::maybe(agency, |(name, id)| Cell::of(vec![link(name, format!("/agencies/{id}"))], id.to_string())),
            Cell::time(began),
            Cell::of(vec![moment(seen)], seen.to_string()),
        ]
    });
    Table {
        name: "people",
        caption: words.count("health.people", count),
        columns: vec![
            column("name", words.say("agencies.name")),
            column("roles", words.say("health.roles")),
            column("agency", words.say("log.agency")),
            column("since", words.say("health.signed-in")),
            column("seen", words.say("health.seen")),
        ],
        rows: rows.collect(),
        empty: words.say("health.nobody").to_owned(),
        next: None,
    }
}

/// Sessions in one table.
const SESSIONS_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::super::words::Language;
    use super::*;

    #[test]
    fn octets_are_told_as_people_read_them() {
        for (octets, english, russian) in [
            (0, "0\u{202f}octets", "0\u{202f}байт"),
            (1023, "1023\u{202f}octets", "1023\u{202f}байт"),
            (1536, "1.5\u{202f}KiB", "1,5\u{202f}КиБ"),
            (1 << 30, "1\u{202f}GiB", "1\u{202f}ГиБ"),
            (u64::MAX, "16777216\u{202f}TiB", "16777216\u{202f}ТиБ"),
        ] {
            assert_eq!(size(Words(Language::En), octets), english);
            assert_eq!(size(Words(Language::Ru), octets), russian);
        }
    }

    #[test]
    fn what_ends_has_the_name_of_whom_it_belongs_to() {
        let name = |id: &str| if id == "xx.town.school" { "School".to_owned() } else { id.to_owned() };
        for (what, said) in [
            ("signing key 2 of xx.town.school", "School (2)"),
            ("/etc/oncegate/agencies/xx.town.school/tls.pem", "School"),
            ("/etc/oncegate/ca.pem", "ca.pem"),
            ("gateway.pem", "gateway.pem"),
        ] {
            assert_eq!(named(what, name), said);
        }
    }

    #[test]
    fn little_room_is_bad_wherever_it_is_little() {
        let room = |used, most, free| room_tone(Room { used, most, free });
        assert_eq!(room(0, None, None), Tone::Plain);
        assert_eq!(room(0, None, Some(ROOM_SMALL)), Tone::Good);
        assert_eq!(room(0, None, Some(ROOM_SMALL - 1)), Tone::Warn);
        assert_eq!(room(0, None, Some(ROOM_BAD - 1)), Tone::Bad);
        // A limit counts as the disk does.
        assert_eq!(room(1 << 40, Some((1 << 40) + ROOM_BAD - 1), Some(u64::MAX)), Tone::Bad);
    }
}
