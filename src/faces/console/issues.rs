//! What comes first in each region: its everyday issues by how many people they leave dissatisfied, with the places that each might have.

use super::html::{Cell, Field, Form, Html, Table, Tone, column, figures, lead, link, prose, text};
use super::quality::{below, share_cell, without};
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{Code as Word, Region};
use crate::rules::quality::priorities::{Issue, Priorities, Ranked, Ranking};

/// `GET /quality/priorities`
pub(super) fn priorities(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = below(&visit, "priorities.title");
    page.put(lead(&[text(words.say("priorities.lead"))]));
    let Some(priorities) = visit.world.quality.priorities.as_ref() else {
        page.put(without(words, "priorities"));
        return visit.page(&page);
    };
    let asked = visit.query.iter().find(|(key, _)| *key == "region").map(|(_, value)| value).filter(|region| !region.is_empty());
    let region = match asked {
        None => priorities.regions().next(),
        Some(asked) => {
            let known = Region::parse(asked).and_then(|asked| priorities.regions().find(|known| **known == asked));
            Some(known.ok_or_else(|| Fault::at(Code::AudQuery, "region: expected one that has priorities, as RU-YAR"))?)
        }
    };
    page.put(chosen(words, priorities, region));
    let ranking = region.and_then(|region| Some((region, priorities.ranking(region)?)));
    if let Some((region, ranking)) = &ranking {
        page.table(ranked(&visit, region, ranking));
        page.put(prose(&[text(words.say("priorities.means"))]));
    }
    page.table(regions(words, priorities));
    visit.page(&page)
}

fn chosen(words: Words, priorities: &Priorities, region: Option<&Region>) -> Html {
    let choice = Field::Choice {
        name: "region".to_owned(),
        label: words.say("priorities.region").to_owned(),
        options: priorities.regions().map(|region| (region.to_string(), region.to_string())).collect(),
        chosen: region.map_or_else(String::new, Region::to_string),
    };
    Form::get("/quality/priorities", vec![choice], words.say("channels.show")).html()
}

/// `12 000 (10 500 – 13 700)`.
fn harm(words: Words, one: &Ranked<'_>) -> Cell {
    let whole = |figure: f64| words.number(figure.round() as u64);
    let said = format!("{} ({} – {})", whole(one.harm()), whole(one.harm_low()), whole(one.harm_high()));
    Cell::of(vec![text(said)], vec![one.harm(), one.harm_low(), one.harm_high()])
}

/// What an issue is called; where it belongs to a situation, this leads there.
fn named(visit: &Visit, region: &Region, (id, issue): (&Word, &Issue)) -> Cell {
    let title = issue.title.in_language(visit.words.0.tag());
    let known = issue.situation.as_ref().filter(|situation| visit.world.catalogue.situation(situation, Some(region)).is_some());
    let said = match known {
        Some(situation) => link(title, format!("/situations/{situation}?region={region}")),
        None => text(title),
    };
    Cell::of(vec![said], id.as_str())
}

fn ranked(visit: &Visit, region: &Region, ranking: &Ranking<'_>) -> Table {
    let words = visit.words;
    let row = |one: &Ranked<'_>, is_chosen: bool| {
        let (key, tone) = if is_chosen { ("priorities.chosen", Tone::Good) } else { ("priorities.not-chosen", Tone::Quiet) };
        let places = [one.place_best as u64, one.place_worst as u64];
        vec![
            Cell::number(words, one.place as u64),
            Cell::of(vec![text(format!("{} – {}", places[0], places[1]))], places.to_vec()),
            named(visit, region, (one.id, one.issue)),
            harm(words, one),
            share_cell(words, &one.share),
            Cell::number(words, one.share.of),
            Cell::number(words, one.issue.cases),
            Cell::of(vec![super::html::Span::Badge(words.say(key).to_owned(), tone)], is_chosen),
        ]
    };
    let chosen = ranking.chosen.iter().map(|one| row(one, true));
    let others = ranking.others.iter().map(|one| row(one, false));
    let unknown = ranking.unknown.iter().map(|(id, issue)| {
        let asks = Cell::of(vec![text(words.say("priorities.ask"))], false).toned(Tone::Quiet);
        let empty = Cell::empty;
        vec![
            empty(),
            empty(),
            named(visit, region, (id, issue)),
            empty(),
            empty(),
            empty(),
            Cell::number(words, issue.cases),
            asks,
        ]
    });
    Table {
        name: "priorities",
        caption: words.fill("priorities.of", &[("region", region.as_str())]),
        columns: vec![
            figures("place", words.say("priorities.place")),
            figures("places", words.say("priorities.places")),
            column("issue", words.say("priorities.issue")),
            figures("dissatisfied_a_year", words.say("priorities.harm")),
            figures("dissatisfied", words.say("priorities.share")),
            figures("answers", words.say("quality.answers")),
            figures("cases", words.say("priorities.cases")),
            column("chosen", words.say("priorities.is-chosen")),
        ],
        rows: chosen.chain(others).chain(unknown).collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}

/// Every region with what comes first there.
fn regions(words: Words, priorities: &Priorities) -> Table {
    let rankings = priorities.regions().filter_map(|region| Some((region, priorities.ranking(region)?)));
    let rows = rankings.map(|(region, ranking)| {
        let first = ranking.chosen.first();
        vec![
            Cell::link(region.as_str(), format!("/quality/priorities?region={region}"), region.as_str()),
            Cell::number(words, ranking.chosen.len() as u64),
            Cell::number(words, (ranking.chosen.len() + ranking.others.len() + ranking.unknown.len()) as u64),
            Cell::maybe(first, |one| Cell::of(vec![text(one.issue.title.in_language(words.0.tag()))], one.id.as_str())),
            Cell::maybe(first, |one| harm(words, one)),
        ]
    });
    Table {
        name: "regions",
        caption: words.say("priorities.regions").to_owned(),
        columns: vec![
            column("region", words.say("priorities.region")),
            figures("chosen", words.say("priorities.count")),
            figures("candidates", words.say("priorities.candidates")),
            column("first", words.say("priorities.first")),
            figures("dissatisfied_a_year", words.say("priorities.harm")),
        ],
        rows: rows.collect(),
        empty: words.say("quality.nothing").to_owned(),
        next: None,
    }
}
