//! A scoreboard as text and as JSON. What is suppressed is `not shown`, and `null`.

use super::{interval, share_json, table};
use crate::rules::quality::scoreboard::{Board, Participation, Row, Rows, Scores};
use crate::rules::quality::{Language, Shown};
use serde_json::{Value, json};
use std::fmt::Display;

pub(super) fn text(board: &Board) -> String {
    let mut text = String::from("Satisfied: the mean of the points is 4 or more; with Wilson's interval, 95 %\n");
    let Some(total) = board.total.value() else { return "fewer than 10 people have answered: nothing is shown".to_owned() };
    text += &format!("all  {}, {} of {}\n", interval(&total.satisfied), total.satisfied.count, total.satisfied.of);
    text += &total.participation.map_or("how many were asked is not known\n".to_owned(), |participation| asked(&participation));
    for alarm in &board.alarms {
        text += &format!("ALARM  drop from {} to {}, p = {:.4}\n", alarm.before, alarm.after, alarm.comparison.p);
    }
    for alarm in &board.rated_alarms {
        text += &format!("ALARM  {}: drop from {} to {}\n", alarm.rated, alarm.before, alarm.after);
    }
    text += &format!("\n{}", points(board));
    let words = [
        rows("month", &board.months, |month| month.to_string()),
        rows("ending", &board.endings, |ending| ending.title(Language::English).to_owned()),
        rows("situation or service", &board.rated, |rated| rated.to_string()),
        rows("region", &board.regions, |region| region.to_string()),
        rows("agency that took part", &board.agencies, |agency| agency.to_string()),
        rows("provider", &board.providers, |provider| provider.title(Language::English).to_owned()),
    ];
    text += &words.concat();
    if let Some(coded) = board.coded.value() {
        let reason = |shown: &Shown| shown.value().map_or(HIDDEN.to_owned(), |share| share.count.to_string());
        let reasons = board.reasons.iter().map(|(word, shown)| vec![word.title(Language::English).to_owned(), reason(shown)]);
        text += &format!("\n{}", table(&[&format!("reasons in {coded} comments"), "how many"], reasons));
    }
    text
}

fn asked(participation: &Participation) -> String {
    let (answered, bounds) = (participation.answered, participation.bounds);
    format!(
        "answered  {} of {}, {:.1} %\nwhatever the others think  {:.1} to {:.1} %\n",
        answered.count,
        answered.of,
        answered.share() * 100.0,
        bounds.low * 100.0,
        bounds.high * 100.0
    )
}

fn points(board: &Board) -> String {
    let row = |shown: &Shown<Scores>| {
        shown.value().map_or(vec![HIDDEN.to_owned()], |scores| {
            let counts = scores.points.iter().map(u64::to_string);
            [format!("{:.2}", scores.mean)].into_iter().chain(counts).chain([interval(&scores.satisfied)]).collect()
        })
    };
    let rows = board
        .dimensions
        .iter()
        .map(|(dimension, shown)| [vec![dimension.title(Language::English).to_owned()], row(shown)].concat());
    table(&["question", "mean", "1", "2", "3", "4", "5", "4 or 5"], rows)
}

fn rows<K>(what: &str, rows: &Rows<K>, name: impl Fn(&K) -> String) -> String {
    let lines = rows.iter().map(|(key, shown)| {
        let cells = |row: &Row| [interval(&row.satisfied), row.satisfied.of.to_string()];
        [vec![name(key)], shown.value().map_or(vec![HIDDEN.to_owned()], |row| cells(row).to_vec())].concat()
    });
    format!("\n{}", table(&[what, "satisfied", "answers"], lines))
}

pub(super) fn json(board: &Board) -> Value {
    let items = board.items.iter().map(|((dimension, rated), shown)| {
        json!({ "dimension": dimension.as_str(), "rated": rated.to_string(), "scores": shown.value().map(scores_json) })
    });
    let alarms = board.alarms.iter().map(|alarm| {
        json!({ "before": alarm.before.to_string(), "after": alarm.after.to_string(), "z": alarm.comparison.z, "p": alarm.comparison.p })
    });
    let dimensions = board
        .dimensions
        .iter()
        .map(|(dimension, shown)| json!({ "name": dimension.as_str(), "scores": shown.value().map(scores_json) }));
    let reasons =
        board.reasons.iter().map(|(reason, shown)| json!({ "name": reason.as_str(), "share": shown.value().map(share_json) }));
    let rated_alarms = board.rated_alarms.iter().map(
        |alarm| json!({ "rated": alarm.rated.to_string(), "before": alarm.before.to_string(), "after": alarm.after.to_string() }),
    );
    json!({
        "total": board.total.value().map(row_json), "invited": board.invited, "dimensions": dimensions.collect::<Vec<_>>(),
        "byMonth": rows_json(&board.months), "byEnding": rows_json(&board.endings), "byRegion": rows_json(&board.regions),
        "byAgency": rows_json(&board.agencies), "byProvider": rows_json(&board.providers), "byRated": rows_json(&board.rated),
        "items": items.collect::<Vec<_>>(), "coded": board.coded.value(), "reasons": reasons.collect::<Vec<_>>(),
        "alarms": alarms.collect::<Vec<_>>(), "alarmsByRated": rated_alarms.collect::<Vec<_>>(),
    })
}

fn rows_json<K: Display>(rows: &Rows<K>) -> Vec<Value> {
    rows.iter().map(|(key, shown)| json!({ "name": key.to_string(), "row": shown.value().map(row_json) })).collect()
}

fn row_json(row: &Row) -> Value {
    let participation = row.participation.map(|participation| {
        json!({
            "answered": participation.answered.count, "invited": participation.answered.of, "share": participation.answered.share(),
            "worst": participation.bounds.low, "best": participation.bounds.high, "within": share_json(&participation.within),
        })
    });
    json!({ "satisfied": share_json(&row.satisfied), "participation": participation })
}

fn scores_json(scores: &Scores) -> Value {
    json!({ "mean": scores.mean, "points": scores.points, "satisfied": share_json(&scores.satisfied) })
}

const HIDDEN: &str = "not shown";
