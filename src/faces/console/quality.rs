//! How good services are: which meet the standard, and what people say. Every share has its interval, and none of fewer than ten is shown;
//! what somebody wrote in their own words is on no page, since it may name persons.

use super::chart::interval;
use super::html::{
    Address, Cell, Column, Figure, Html, Note, Ordered, Page, Span, Table, Tone, column, figure_row, figures, lead, link, list,
    notes, prose, section, text,
};
use super::request::Answer;
use super::telling::capital;
use super::words::{Language as Spoken, Words};
use super::{Answered, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::ids::AgencyId;
use crate::gateway::driver::Gateway;
use crate::host::ratings::RatingsError;
use crate::message::envelope::World;
use crate::rules::quality::register::{AgencyRow, Register};
use crate::rules::quality::report::{Names, Report};
use crate::rules::quality::scoreboard::{Board, Row, Scoreboard, Scores};
use crate::rules::quality::statistics::Bounds;
use crate::rules::quality::{Dimension, Language, Rated, Rating, Share, Shown};
use serde_json::Value;
use std::collections::BTreeMap;

/// `GET /quality`
pub(super) async fn quality(visit: Visit) -> Answered {
    let words = visit.words;
    let asked = world_asked(&visit)?;
    let (board, world) = visit.console.read(move |gateway| board_of(gateway, asked)).await?.map_err(|cause| unread(&cause))?;
    let mut page = Page::new(words.say("quality.title"), visit.address.clone());
    page.put(lead(&[text(words.say("quality.lead"))]));
    page.put(more(words));
    let register = visit.world.quality.register.as_ref();
    match register {
        Some(register) => standard(words, &mut page, register),
        None => page.put(notes(words, &[note(Tone::Quiet, vec![text(words.say("quality.no-register"))])])),
    }
    said(&visit, &mut page, &board, world);
    if let Some(register) = register {
        page.table(by_agency(words, register));
    }
    visit.page(&page)
}

/// What has a page of its own.
fn more(words: Words) -> Html {
    let pages = ["priorities", "agreement", "channels", "laboratories"];
    let lines = pages.map(|page| vec![link(words.say(&format!("{page}.title")), format!("/quality/{page}"))]);
    list(&lines, Ordered::No)
}

/// A page below that of quality.
pub(super) fn below(visit: &Visit, title: &str) -> Page {
    let words = visit.words;
    Page::new(words.say(title), visit.address.clone()).below(words.say("quality.title"), "/quality")
}

/// There is no such file.
pub(super) fn without(words: Words, file: &str) -> Html {
    notes(words, &[note(Tone::Quiet, vec![text(words.fill("quality.without", &[("file", file)]))])])
}

/// Which world is asked for: `world` is `live` or `test`; if it is not said, the one that somebody was asked in.
fn world_asked(visit: &Visit) -> Result<Option<World>, Fault> {
    match visit.query.iter().find(|(key, _)| *key == "world").map(|(_, value)| value) {
        None => Ok(None),
        Some("live") => Ok(Some(World::Live)),
        Some("test") => Ok(Some(World::Test)),
        Some(_) => Err(Fault::at(Code::AudQuery, "world: expected live or test")),
    }
}

/// Which world is meant: the live one, unless nobody was asked there and somebody was in the other.
fn meant(gateway: &Gateway, asked: Option<World>) -> Result<World, RatingsError> {
    let Some(quality) = gateway.quality() else { return Ok(World::Live) };
    let is_empty = |world| Ok(gateway.invited(world).is_empty() && quality.ratings(world).board()?.is_empty());
    match asked {
        Some(asked) => Ok(asked),
        None if is_empty(World::Live)? && !is_empty(World::Test)? => Ok(World::Test),
        None => Ok(World::Live),
    }
}

/// The word for a world in addresses.
const fn word(world: World) -> &'static str {
    match world {
        World::Live => "live",
        World::Test => "test",
    }
}

fn board_of(gateway: &Gateway, asked: Option<World>) -> Result<(Board, World), RatingsError> {
    let Some(quality) = gateway.quality() else { return Ok((Scoreboard::new().show(), World::Live)) };
    let world = meant(gateway, asked)?;
    let mut board = quality.ratings(world).board()?;
    gateway.invited(world).iter().for_each(|invited| board.invite(invited));
    Ok((board.show(), world))
}

fn unread(cause: &RatingsError) -> Fault {
    Fault::new(Code::AudUnavailable).with_private(cause.to_string()).with_retry_after(5)
}

fn note(tone: Tone, spans: Vec<Span>) -> Note {
    Note { tone, spans, action: None }
}

/// `140 of 200`.
pub(super) fn of(words: Words, count: u64, of: u64) -> String {
    words.fill("quality.of", &[("count", &words.number(count)), ("of", &words.number(of))])
}

/// `70.0 % (63.3 % to 75.9 %)`.
pub(super) fn with_interval(words: Words, share: &Share) -> String {
    let (low, high) = (words.percent(share.low), words.percent(share.high));
    words.fill("quality.interval", &[("share", &words.percent(share.share())), ("low", &low), ("high", &high)])
}

/// The register: how many services meet the standard, and which of its criteria.
fn standard(words: Words, page: &mut Page, register: &Register) {
    let language = words.0.tag();
    let summary = register.summary();
    let (own, independent) = (summary.own, summary.independent);
    page.put(figure_row(&[
        Figure::new(words.percent(independent.share()), words.say("quality.meet")),
        Figure::new(of(words, independent.count, independent.of), words.say("quality.services")),
        Figure::new(words.number(summary.agencies), words.say("quality.agencies")),
        Figure::new(words.percent(own.share()), words.say("quality.own")),
    ]));
    let rows = summary.criteria.iter().map(|(criterion, share)| {
        vec![
            Cell::of(vec![text(criterion.title.in_language(language))], criterion.id.as_str()),
            Cell::of(vec![text(of(words, share.count, share.of))], share.count),
            percent(words, share.share()),
        ]
    });
    page.table(Table {
        name: "criteria",
        caption: words.say("quality.criteria").to_owned(),
        columns: vec![
            column("criterion", words.say("quality.criterion")),
            figures("met", words.say("quality.meet-count")),
            figures("share", words.say("quality.share")),
        ],
        rows: rows.collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    });
}

/// Agencies, those first that have the most services below the standard.
fn by_agency(words: Words, register: &Register) -> Table {
    let language = words.0.tag();
    let mut all = register.summary().by_agency;
    let lack = |share: &Share| share.of.saturating_sub(share.count);
    let title = |row: &AgencyRow<'_>| row.agency.title.in_language(language).to_owned();
    all.sort_by_cached_key(|row| (std::cmp::Reverse(lack(&row.independent)), title(row)));
    let rows = all.iter().map(|row| {
        vec![
            Cell::link(title(row), format!("/quality/{}", row.id), row.id.to_string()),
            Cell::number(words, row.independent.of),
            Cell::number(words, row.independent.count),
            Cell::number(words, row.own.count),
        ]
    });
    Table {
        name: "register",
        caption: words.say("quality.register").to_owned(),
        columns: vec![
            column("agency", words.say("log.agency")),
            figures("services", words.say("quality.services")),
            figures("independent", words.say("quality.independent")),
            figures("own", words.say("quality.own")),
        ],
        rows: rows.collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}

/// The same as a cell; machines get the share and both ends.
pub(super) fn share_cell(words: Words, share: &Share) -> Cell {
    let machine = |part: f64| (part * 1e6).round() / 1e6;
    Cell::of(vec![text(with_interval(words, share))], vec![machine(share.share()), machine(share.low), machine(share.high)])
}

pub(super) fn percent(words: Words, share: f64) -> Cell {
    Cell::of(vec![text(words.percent(share))], (share * 1e6).round() / 1e6)
}

/// What people have said.
fn said(visit: &Visit, page: &mut Page, board: &Board, world: World) {
    let words = visit.words;
    let (other, which) = match world {
        World::Test => (World::Live, words.say("quality.of-test")),
        World::Live => (World::Test, words.say("quality.of-live")),
    };
    let to_other = match other {
        World::Test => words.say("quality.test"),
        World::Live => words.say("quality.live"),
    };
    let there = visit.address.with("world", word(other)).to_string();
    page.put(section("said", words.say("quality.said"), &[prose(&[text(which), text(" "), link(to_other, there)])]));
    total(visit, page, board);
    let alarms = alarms(visit, board);
    if !alarms.is_empty() {
        page.put(notes(words, &alarms));
    }
    page.table(dimensions(words, board));
    let plain = |name: String| Cell::text(name);
    let language = spoken(words);
    let months = board.months.iter().map(|(month, row)| (plain(month.to_string()), row));
    page.table(rows(words, ("months", "quality.months"), months));
    let named = |title: &str, name: &str| Cell::of(vec![text(title)], name);
    let endings = board.endings.iter().map(|(ending, row)| (named(ending.title(language), ending.as_str()), row));
    page.table(rows(words, ("endings", "quality.endings"), endings));
    let regions = board.regions.iter().map(|(region, row)| (plain(region.to_string()), row));
    page.table(rows(words, ("regions", "quality.regions"), regions));
    let rated = board.rated.iter().map(|(rated, row)| (named(&rated_title(visit, rated), rated.code().as_str()), row));
    page.table(rows(words, ("rated", "quality.rated"), rated));
    let agencies = board.agencies.iter().map(|(agency, row)| {
        let report = Address::new(format!("/quality/{agency}")).with("world", word(world));
        (Cell::link(visit.agency_name(agency.as_str()), report.to_string(), agency.to_string()), row)
    });
    page.table(rows(words, ("agencies", "quality.by-agency"), agencies));
    let providers = board.providers.iter().map(|(provider, row)| (named(provider.title(language), provider.as_str()), row));
    page.table(rows(words, ("providers", "quality.providers"), providers));
}

/// All together: the share with its interval, how many have answered, and what those might say who have not.
fn total(visit: &Visit, page: &mut Page, board: &Board) {
    let words = visit.words;
    let Some(row) = board.total.value() else {
        let mut spans = vec![text(words.say("quality.too-few"))];
        if let Some(invited) = board.invited {
            spans.push(text(format!(" {}", words.fill("quality.asked", &[("n", &words.number(invited))]))));
        }
        return page.put(notes(words, &[note(Tone::Quiet, spans)]));
    };
    let share = &row.satisfied;
    let satisfied = format!("{} ({} – {})", words.say("quality.satisfied"), words.percent(share.low), words.percent(share.high));
    let mut numbers = vec![
        Figure::new(words.percent(share.share()), satisfied),
        Figure::new(of(words, share.count, share.of), words.say("quality.answers")),
    ];
    if let Some(participation) = &row.participation {
        numbers.push(Figure::new(words.percent(participation.answered.share()), words.say("quality.answered")));
        let (low, high) = (words.percent(participation.bounds.low), words.percent(participation.bounds.high));
        numbers.push(Figure::new(format!("{low} – {high}"), words.say("quality.bounds")));
    }
    page.put(figure_row(&numbers));
}

/// Drops that are not noise, for whoever looks after services, each leading to the page of its world.
pub(super) async fn attention(visit: &Visit) -> Vec<Note> {
    let words = visit.words;
    let read = visit.console.read(|gateway| board_of(gateway, None)).await;
    let (board, world) = match read.and_then(|read| read.map_err(|cause| unread(&cause))) {
        Ok(read) => read,
        Err(fault) => {
            let what = words.fill("attention.quality", &[("code", fault.code.as_str())]);
            return vec![note(Tone::Warn, vec![text(what)])];
        }
    };
    let address = Address::new("/quality").with("world", word(world)).to_string();
    let look = (words.say("attention.look").to_owned(), address);
    alarms(visit, &board).into_iter().map(|note| Note { action: Some(look.clone()), ..note }).collect()
}

/// Drops that are not noise.
fn alarms(visit: &Visit, board: &Board) -> Vec<Note> {
    let words = visit.words;
    let all = board.alarms.iter().map(|alarm| {
        let (before, after) = (alarm.comparison.before, alarm.comparison.after);
        let places = [
            ("before", &*alarm.before.to_string()),
            ("after", &*alarm.after.to_string()),
            ("from", &*words.percent(before.share())),
            ("to", &*words.percent(after.share())),
        ];
        note(Tone::Bad, vec![text(words.fill("quality.alarm", &places))])
    });
    let single = board.rated_alarms.iter().map(|alarm| {
        let places = [
            ("rated", &*rated_title(visit, &alarm.rated)),
            ("before", &*alarm.before.to_string()),
            ("after", &*alarm.after.to_string()),
        ];
        note(Tone::Bad, vec![text(words.fill("quality.rated-alarm", &places))])
    });
    all.chain(single).collect()
}

fn hidden(words: Words) -> Cell {
    Cell::of(vec![text(words.say("quality.hidden"))], Value::Null).toned(Tone::Quiet)
}

/// Points by dimension.
fn dimensions(words: Words, board: &Board) -> Table {
    let row = |(dimension, scores): &(Dimension, Shown<Scores>)| {
        let mut cells = vec![Cell::of(vec![text(capital(dimension.title(spoken(words))))], dimension.as_str())];
        match scores.value() {
            None => cells.extend(std::iter::once(hidden(words)).chain(std::iter::repeat_n(Cell::empty(), 9))),
            Some(scores) => {
                cells.extend(share_cells(words, &scores.satisfied));
                cells.push(Cell::of(vec![text(words.decimal(scores.mean, 2))], (scores.mean * 1e6).round() / 1e6));
                cells.extend(scores.points.iter().map(|points| Cell::number(words, *points)));
                cells.push(Cell::maybe(scores.bounds.as_ref(), |bounds| bounds_cell(words, bounds)));
            }
        }
        cells
    };
    let mut heads = vec![column("dimension", words.say("quality.dimension"))];
    heads.extend(share_columns(words));
    heads.push(figures("mean", words.say("quality.mean")));
    heads.extend(
        ["points_1", "points_2", "points_3", "points_4", "points_5"]
            .iter()
            .zip(1..)
            .map(|(key, points)| Column { title: points.to_string(), ..figures(key, "") }),
    );
    heads.push(figures("bounds", words.say("quality.bounds")));
    Table {
        name: "dimensions",
        caption: words.say("quality.dimensions").to_owned(),
        columns: heads,
        rows: board.dimensions.iter().map(row).collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}

fn share_columns(words: Words) -> [Column; 3] {
    [
        figures("satisfied_share", words.say("quality.satisfied")),
        figures("interval", words.say("quality.interval-head")),
        figures("answers", words.say("quality.answers")),
    ]
}

fn share_cells(words: Words, share: &Share) -> [Cell; 3] {
    let machine = |part: f64| (part * 1e6).round() / 1e6;
    let both = format!("{} – {}", words.percent(share.low), words.percent(share.high));
    [
        percent(words, share.share()),
        Cell::of(
            vec![Span::Drawn(interval(share.share(), (share.low, share.high), &both)), text(both)],
            vec![machine(share.low), machine(share.high)],
        ),
        Cell::of(vec![text(of(words, share.count, share.of))], share.of),
    ]
}

fn bounds_cell(words: Words, bounds: &Bounds) -> Cell {
    let said = format!("{} – {}", words.percent(bounds.low), words.percent(bounds.high));
    Cell::of(vec![text(said)], vec![bounds.low, bounds.high])
}

/// A table of shares by whatever they are of.
fn rows<'r>(words: Words, (name, key): (&'static str, &str), rows: impl Iterator<Item = (Cell, &'r Shown<Row>)>) -> Table {
    let row = |(title, shown): (Cell, &Shown<Row>)| {
        let mut cells = vec![title];
        let Some(row) = shown.value() else {
            cells.extend(std::iter::once(hidden(words)).chain(std::iter::repeat_n(Cell::empty(), 4)));
            return cells;
        };
        cells.extend(share_cells(words, &row.satisfied));
        cells.push(Cell::maybe(row.participation.as_ref(), |participation| {
            let answered = &participation.answered;
            let said = format!("{}, {}", words.percent(answered.share()), of(words, answered.count, answered.of));
            Cell::of(vec![text(said)], answered.of)
        }));
        cells.push(Cell::maybe(row.bounds.as_ref(), |bounds| bounds_cell(words, bounds)));
        cells
    };
    let mut heads = vec![column("of", words.say("quality.what"))];
    heads.extend(share_columns(words));
    heads.push(figures("asked", words.say("quality.answered")));
    heads.push(figures("bounds", words.say("quality.bounds")));
    Table {
        name,
        caption: words.say(key).to_owned(),
        columns: heads,
        rows: rows.map(row).collect(),
        empty: String::new(),
        next: None,
    }
}

/// The language of what quality has words of its own for.
pub(super) fn spoken(words: Words) -> Language {
    match words.0 {
        Spoken::En => Language::English,
        Spoken::Ru => Language::Russian,
    }
}

/// What people call a situation or a service.
fn rated_title(visit: &Visit, rated: &Rated) -> String {
    let Rated::Situation(code) = rated else { return rated.code().to_string() };
    let known = visit.world.catalogue.situation(code, None);
    known.map_or_else(|| code.to_string(), |known| known.title.in_language(visit.words.0.tag()).to_owned())
}

/// What people call an agency: as it stands in the registry, or else in the register of services.
fn called(visit: &Visit, agency: &AgencyId) -> String {
    let register = visit.world.quality.register.as_ref();
    let rows = register.map(|register| register.summary().by_agency).unwrap_or_default();
    match rows.iter().find(|row| row.id == agency && visit.world.registry.find(agency).is_none()) {
        Some(row) => row.agency.title.in_language(visit.words.0.tag()).to_owned(),
        None => visit.agency_name(agency.as_str()),
    }
}

/// `GET /quality/{organisation}`: the report to an agency, as a page or, with `as=md`, as a file, the same octet for octet as long as
/// nobody else answers.
pub(super) async fn report(mut visit: Visit) -> Answered {
    let words = visit.words;
    let agency = AgencyId::parse(visit.of()).ok_or_else(|| Fault::new(Code::HttpNoSuchPath))?;
    let asked = world_asked(&visit)?;
    let wanted = agency.clone();
    let read = visit.console.read(move |gateway| {
        let Some(quality) = gateway.quality() else { return Ok((Vec::new(), World::Live)) };
        let world = meant(gateway, asked)?;
        let mut found: Vec<Rating> = Vec::new();
        quality
            .ratings(world)
            .each(|rating| found.extend(Some(rating).filter(|rating| rating.about().agencies.contains(&wanted))))?;
        Ok::<_, RatingsError>((found, world))
    });
    let (ratings, world) = read.await?.map_err(|cause| unread(&cause))?;
    let report = Report::of(&agency, &ratings, None);
    if visit.query.iter().any(|pair| pair == ("as", "md")) {
        visit.query.take("as");
        let rated: BTreeMap<Rated, String> =
            report.board().rated.iter().map(|(rated, _)| (rated.clone(), rated_title(&visit, rated))).collect();
        let names = Names { agency: Some(called(&visit, &agency)), rated };
        let file = format!("{agency}.md");
        return Ok(Answer::file("text/markdown; charset=utf-8", &file, report.markdown(spoken(words), &names)));
    }
    let title = called(&visit, &agency);
    let mut page = Page::new(title, visit.address.clone()).below(words.say("quality.title"), "/quality");
    let as_file = visit.address.with("as", "md").to_string();
    page.put(prose(&[link(words.say("quality.as-file"), as_file)]));
    let worst = report.worst().map(|(dimension, rated, scores)| {
        let mut cells = vec![
            Cell::of(vec![text(capital(dimension.title(spoken(words))))], dimension.as_str()),
            Cell::of(vec![text(rated_title(&visit, rated))], rated.code().as_str()),
        ];
        cells.extend(share_cells(words, &scores.satisfied));
        cells
    });
    let mut heads = vec![column("dimension", words.say("quality.dimension")), column("rated", words.say("quality.what"))];
    heads.extend(share_columns(words));
    let worst = Table {
        name: "worst",
        caption: words.say("quality.worst").to_owned(),
        columns: heads,
        rows: worst.collect(),
        empty: words.say("quality.too-few").to_owned(),
        next: None,
    };
    page.table(worst);
    said(&visit, &mut page, report.board(), world);
    visit.page(&page)
}
