//! What the register of services says beside its shares: how far two assessors agree and where they do not, and what channels keep of what
//! is declared of them.

use super::html::{Cell, Field, Figure, Form, Table, Tone, column, figure_row, figures, lead, prose, text};
use super::quality::{below, of, percent, share_cell, spoken, without};
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::ids::AgencyId;
use crate::rules::quality::register::{ChannelRow, Kept, Register, Summary};
use crate::rules::quality::statistics::{Agreement, Quantiles};
use crate::rules::quality::{Share, Strength};
use std::collections::BTreeMap;

/// Channels of a page.
const ROWS: usize = 40;

/// `GET /quality/agreement`: what agencies say of themselves beside what somebody independent says.
pub(super) fn agreement(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = below(&visit, "agreement.title");
    page.put(lead(&[text(words.say("agreement.lead"))]));
    let Some(register) = visit.world.quality.register.as_ref() else {
        page.put(without(words, "register"));
        return visit.page(&page);
    };
    let summary = register.summary();
    let kappa = |agreement: &Agreement| agreement.kappa().map_or_else(|| "–".to_owned(), |kappa| words.decimal(kappa, 2));
    page.put(figure_row(&[
        Figure::new(kappa(&summary.of_services), words.say("agreement.kappa-services")),
        Figure::new(kappa(&summary.of_marks), words.say("agreement.kappa-marks")),
        Figure::new(words.number(summary.disagreements.len() as u64), words.say("agreement.differ")),
    ]));
    page.table(agreements(words, &summary));
    page.put(prose(&[text(words.say("agreement.means"))]));
    page.table(disagreements(words, &summary));
    visit.page(&page)
}

fn agreements(words: Words, summary: &Summary<'_>) -> Table {
    let kinds = [("services", "agreement.services", &summary.of_services), ("marks", "agreement.marks", &summary.of_marks)];
    let rows = kinds.map(|(name, key, agreement)| {
        let same = Share::new(agreement.both + agreement.neither, agreement.count());
        let kappa = agreement.kappa();
        let strength = kappa.map(Strength::of);
        vec![
            Cell::of(vec![text(words.say(key))], name),
            Cell::number(words, agreement.both),
            Cell::number(words, agreement.first),
            Cell::number(words, agreement.second),
            Cell::number(words, agreement.neither),
            Cell::of(vec![text(of(words, same.count, same.of))], same.count),
            Cell::maybe(kappa, |kappa| Cell::of(vec![text(words.decimal(kappa, 2))], kappa)),
            Cell::maybe(strength, |strength| Cell::of(vec![text(strength.title(spoken(words)))], strength.as_str())),
        ]
    });
    Table {
        name: "agreement",
        caption: words.say("agreement.table").to_owned(),
        columns: vec![
            column("of", words.say("quality.what")),
            figures("both", words.say("agreement.both")),
            figures("own_alone", words.say("agreement.own-alone")),
            figures("independent_alone", words.say("agreement.independent-alone")),
            figures("neither", words.say("agreement.neither")),
            figures("same", words.say("agreement.same")),
            figures("kappa", words.say("agreement.kappa")),
            column("strength", words.say("agreement.strength")),
        ],
        rows: rows.into(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}

fn disagreements(words: Words, summary: &Summary<'_>) -> Table {
    let language = words.0.tag();
    let (_, of_criteria) = summary.standard;
    let titles: BTreeMap<&AgencyId, &str> =
        summary.by_agency.iter().map(|row| (row.id, row.agency.title.in_language(language))).collect();
    let rows = summary.disagreements.iter().map(|one| {
        let criteria: Vec<&str> = one.criteria.iter().map(|criterion| criterion.title.in_language(language)).collect();
        let ids: Vec<&str> = one.criteria.iter().map(|criterion| criterion.id.as_str()).collect();
        let (own, independent) = (one.service.own.met(), one.service.independent.met());
        vec![
            Cell::link(
                titles.get(one.agency).copied().unwrap_or_default(),
                format!("/quality/{}", one.agency),
                one.agency.to_string(),
            ),
            Cell::of(vec![text(one.service.title.in_language(language))], one.id.as_str()),
            Cell::of(vec![text(of(words, own, of_criteria))], own),
            Cell::of(vec![text(of(words, independent, of_criteria))], independent),
            Cell::of(vec![text(criteria.join("; "))], ids),
        ]
    });
    Table {
        name: "disagreements",
        caption: words.say("agreement.disagreements").to_owned(),
        columns: vec![
            column("agency", words.say("log.agency")),
            column("service", words.say("channels.service")),
            figures("own", words.say("agreement.own")),
            figures("independent", words.say("agreement.independent")),
            column("criteria", words.say("agreement.criteria")),
        ],
        rows: rows.collect(),
        empty: words.say("agreement.none").to_owned(),
        next: None,
    }
}

/// How an agency answers what the gateway brings it.
#[derive(Clone, Copy)]
struct Answers {
    /// Of the last thirty days.
    in_time: Share,
    /// Of yesterday and today: the median and what nineteen of twenty do not pass, in microseconds.
    took: Option<(u32, u32)>,
}

/// What the traffic says of the agencies of a register: those that were asked something.
fn answers(visit: &Visit, register: &Register) -> BTreeMap<AgencyId, Answers> {
    let now = visit.now;
    visit.gateway().traffic(|traffic| {
        let known = register.agencies().keys().filter_map(|id| Some((id, traffic.agency(id)?)));
        let answering = known.filter_map(|(id, agency)| {
            let (answered, failed) = (u64::from(agency.sum.holder.answered), u64::from(agency.sum.holder.failed));
            let latency = agency.latency(now);
            let took = latency.percentile(50).zip(latency.percentile(95));
            (answered + failed > 0).then(|| (id.clone(), Answers { in_time: Share::new(answered, answered + failed), took }))
        });
        answering.collect()
    })
}

/// `GET /quality/channels`: what is declared of channels, beside what was measured.
pub(super) fn channels(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = below(&visit, "channels.title");
    page.put(lead(&[text(words.say("channels.lead"))]));
    let known = &visit.world.quality;
    let Some(register) = known.register.as_ref() else {
        page.put(without(words, "register"));
        return visit.page(&page);
    };
    let value = |key: &str| visit.query.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value);
    let agency = match value("agency") {
        "" => None,
        id => Some(AgencyId::parse(id).ok_or_else(|| Fault::at(Code::AudQuery, "agency: expected a name as ru.yar.school-17"))?),
    };
    let number = visit.number("page", 1..=1000)?.unwrap_or(1) as usize;
    let answers = answers(&visit, register);
    let in_time = answers.iter().map(|(id, answers)| (id.clone(), answers.in_time)).collect();
    let mut rows = register.channel_rows(&known.measured, &in_time);
    rows.retain(|row| agency.as_ref().is_none_or(|agency| row.of.agency == *agency));
    rows.sort_by_key(order);
    page.put(filter(words, register, agency.as_ref()));
    let kept = |row: &&ChannelRow<'_>| row.availability == Kept::No || row.time == Kept::No;
    page.put(figure_row(&[
        Figure::new(words.number(rows.len() as u64), words.say("channels.count")),
        Figure::new(words.number(rows.iter().filter(kept).count() as u64), words.say("channels.broken")),
    ]));
    // Whoever takes the table with them gets all of it.
    let (skip, take) = if value("as").is_empty() { ((number - 1) * ROWS, ROWS) } else { (0, usize::MAX) };
    let more = rows.len() > skip.saturating_add(take);
    let shown: Vec<&ChannelRow<'_>> = rows.iter().skip(skip).take(take).collect();
    let mut table = table(&visit, register, &shown, &answers);
    let next = visit.address.with("page", &(number + 1).to_string()).to_string();
    table.next = more.then(|| (words.say("channels.more").to_owned(), next));
    page.table(table);
    page.put(prose(&[text(words.say("channels.how"))]));
    visit.page(&page)
}

/// What is not kept comes first, and what nobody has measured last.
fn order(row: &ChannelRow<'_>) -> u8 {
    let rank = |kept: Kept| match kept {
        Kept::No => 0,
        Kept::Yes => 1,
        Kept::Unknown => 2,
    };
    rank(row.availability).min(rank(row.time))
}

fn filter(words: Words, register: &Register, chosen: Option<&AgencyId>) -> super::html::Html {
    let all = (String::new(), words.say("channels.all").to_owned());
    let named =
        register.agencies().iter().map(|(id, agency)| (id.to_string(), agency.title.in_language(words.0.tag()).to_owned()));
    let choice = Field::Choice {
        name: "agency".to_owned(),
        label: words.say("log.agency").to_owned(),
        options: std::iter::once(all).chain(named).collect(),
        chosen: chosen.map_or_else(String::new, AgencyId::to_string),
    };
    Form::get("/quality/channels", vec![choice], words.say("channels.show")).html()
}

fn badge(words: Words, kept: Kept) -> Cell {
    let (key, tone) = match kept {
        Kept::Yes => ("channels.kept", Tone::Good),
        Kept::No => ("channels.not-kept", Tone::Bad),
        Kept::Unknown => ("channels.not-measured", Tone::Quiet),
    };
    Cell::of(vec![super::html::Span::Badge(words.say(key).to_owned(), tone)], kept.as_str())
}

fn table(visit: &Visit, register: &Register, rows: &[&ChannelRow<'_>], answers: &BTreeMap<AgencyId, Answers>) -> Table {
    let words = visit.words;
    let language = words.0.tag();
    let row = |row: &&ChannelRow<'_>| {
        let agency = register.agencies().get(&row.of.agency);
        let title = agency.map_or("", |agency| agency.title.in_language(language));
        let service = agency.and_then(|agency| agency.services.get(&row.of.service));
        let service = service.map_or("", |service| service.title.in_language(language));
        let channel = register.channels().get(&row.of.channel).map_or("", |channel| channel.in_language(language));
        let own = row.measured.and_then(|figures| figures.available);
        let by = match (own, row.answered) {
            (Some(_), _) => Some(("counted", "channels.by-counted")),
            (None, Some(_)) => Some(("log", "channels.by-log")),
            (None, None) => None,
        };
        let minutes = row.measured.and_then(|figures| figures.minutes);
        vec![
            Cell::link(title, format!("/quality/channels?agency={}", row.of.agency), row.of.agency.to_string()),
            Cell::of(vec![text(service)], row.of.service.as_str()),
            Cell::of(vec![text(channel)], row.of.channel.as_str()),
            percent(words, row.declared.available),
            Cell::maybe(own.or(row.answered), |share| share_cell(words, &share)),
            Cell::maybe(own.or(row.answered), |share| Cell::of(vec![text(of(words, share.count, share.of))], share.of)),
            Cell::maybe(by, |(by, key)| Cell::of(vec![text(words.say(key))], by)),
            badge(words, row.availability),
            Cell::of(vec![text(words.decimal(row.declared.minutes, 0))], row.declared.minutes),
            Cell::maybe(minutes, |minutes| waited(words, &minutes)),
            badge(words, row.time),
            Cell::maybe(answers.get(&row.of.agency).and_then(|answers| answers.took), |took| answered(words, took)),
        ]
    };
    Table {
        name: "channels",
        caption: words.say("channels.table").to_owned(),
        columns: vec![
            column("agency", words.say("log.agency")),
            column("service", words.say("channels.service")),
            column("channel", words.say("channels.channel")),
            figures("declared", words.say("channels.declared")),
            figures("available", words.say("channels.available")),
            figures("of", words.say("channels.of")),
            column("measured_by", words.say("channels.by")),
            column("availability", words.say("channels.is-kept")),
            figures("declared_minutes", words.say("channels.minutes")),
            figures("minutes", words.say("channels.waited")),
            column("time", words.say("channels.is-kept")),
            figures("answers_ms", words.say("channels.answers")),
        ],
        rows: rows.iter().map(row).collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}

/// `20 / 38 (40)`: the median, what nineteen of twenty do not pass, and of how many.
fn waited(words: Words, minutes: &Quantiles) -> Cell {
    let (median, p95) = (words.decimal(minutes.median, 1), words.decimal(minutes.p95, 1));
    let said = format!("{median} / {p95} ({})", words.number(minutes.count));
    Cell::of(vec![text(said)], vec![minutes.median, minutes.p95, minutes.count as f64])
}

fn answered(words: Words, (median, p95): (u32, u32)) -> Cell {
    let ms = |us: u32| f64::from(us) / 1000.0;
    let said = format!("{} / {}", words.decimal(ms(median), 0), words.decimal(ms(p95), 0));
    Cell::of(vec![text(said)], vec![ms(median), ms(p95)])
}
