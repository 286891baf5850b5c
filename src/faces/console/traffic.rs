//! Traffic drawn: of all, and of one agency; and what attackers and mistaken systems try.

use super::chart::{Stack, traffic};
use super::html::{
    Address, Cell, Field, Figure, Form, Html, Live, Must, Page, Table, Tone, chart, column, figure_row, figures, lead, link,
    marks, prose, section, spoken, text,
};
use super::log::duration;
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::base::time::{DAY_MS, UnixTime};
use crate::evidence::audit::{Filter, Thresholds};
use crate::evidence::traffic::{HOUR_MS, HOURS, MINUTE_MS, MINUTES, Tally};
use crate::gateway::driver::log_unreadable;
use crate::host::store::ReportError;
use crate::host::transport::Turned;
use std::collections::BTreeMap;

/// Minutes that stand together in the drawing of a day.
const TOGETHER: u64 = 10;

fn parts(tally: &Tally) -> [u64; 4] {
    [tally.answered, tally.refused, tally.limited, tally.failed].map(u64::from)
}

/// A drawing of so many steps that ends now.
fn drawn(words: Words, counted: &[(UnixTime, [u64; 4])], step_ms: u64, steps: u64, now: UnixTime) -> Html {
    let end = now.as_ms() / step_ms + 1;
    let begin = end.saturating_sub(steps);
    let mut stacks: Vec<Stack> = (0..steps).map(|_| Stack { parts: [0; 4] }).collect();
    for (at, parts) in counted {
        let place = (at.as_ms() / step_ms).checked_sub(begin).and_then(|place| usize::try_from(place).ok());
        if let Some(stack) = place.and_then(|place| stacks.get_mut(place)) {
            stack.parts.iter_mut().zip(parts).for_each(|(sum, more)| *sum += more);
        }
    }
    let sums = stacks.iter().fold([0_u64; 4], |sum, stack| std::array::from_fn(|part| sum[part] + stack.parts[part]));
    let [answered, refused, limited, failed] = sums.map(|sum| words.number(sum));
    let caption = words
        .fill("traffic.caption", &[("answered", &answered), ("refused", &refused), ("limited", &limited), ("failed", &failed)]);
    let ends = (spoken(UnixTime::from_ms(begin * step_ms)), spoken(now));
    let names = ["traffic.answered", "traffic.refusals", "traffic.limited", "traffic.failed"].map(|key| words.say(key));
    chart(&traffic(&stacks, &caption, names, (&ends.0, &ends.1)), &caption)
}

/// The last day of all that goes through.
pub(super) fn of_day(visit: &Visit) -> Html {
    let now = visit.now;
    let counted: Vec<_> = visit.gateway().traffic(|traffic| traffic.minutes(now).map(|(at, tally)| (at, parts(tally))).collect());
    let drawn = drawn(visit.words, &counted, TOGETHER * MINUTE_MS, MINUTES / TOGETHER, now);
    section("traffic", visit.words.say("traffic.day"), &[drawn])
}

/// How much goes on: figures of the last day.
pub(super) fn numbers(visit: &Visit) -> Vec<Figure> {
    let (words, now) = (visit.words, visit.now);
    let (sum, minute, latency) = visit.gateway().traffic(|traffic| {
        let mut sum = Tally::default();
        let mut minute = 0;
        for (at, tally) in traffic.minutes(now) {
            sum.add(tally);
            // The last one that is over.
            if at.as_ms() / MINUTE_MS + 1 == now.as_ms() / MINUTE_MS {
                minute = tally.requests;
            }
        }
        (sum, minute, traffic.latency(now))
    });
    let percentile = |of: u64| latency.percentile(of).map_or_else(|| "–".to_owned(), |us| duration(words, u64::from(us)));
    let refused = u64::from(sum.refused) + u64::from(sum.limited);
    let all = u64::from(sum.requests) + refused;
    vec![
        Figure::new(words.number(u64::from(minute)), words.say("traffic.minute")),
        Figure::new(percentile(50), words.say("traffic.p50")),
        Figure::new(percentile(99), words.say("traffic.p99")),
        Figure::new(words.percent(if all == 0 { 0.0 } else { refused as f64 / all as f64 }), words.say("traffic.refused"))
            .to("/log?kind=err"),
    ]
}

/// Thirty days of an agency: as one who asks and as one who is asked, what it may use and has used, and when it was turned away.
pub(super) fn of_agency(visit: &Visit, id: &AgencyId, per_minute: u32) -> Vec<Html> {
    let (words, now) = (visit.words, visit.now);
    let (asked, held, busiest, known) = visit.gateway().traffic(|traffic| {
        let hours: Vec<_> = traffic
            .hours_of_agency(id, now)
            .map(|(at, sides)| (at, parts(&sides.consumer), parts(&sides.holder), sides.consumer.requests))
            .collect();
        let busiest = hours.iter().map(|hour| hour.3).max().unwrap_or(0);
        let asked: Vec<_> = hours.iter().map(|hour| (hour.0, hour.1)).collect();
        let held: Vec<_> = hours.iter().map(|hour| (hour.0, hour.2)).collect();
        (asked, held, busiest, traffic.agency(id).cloned())
    });
    let when = |time: Option<UnixTime>| time.map_or_else(|| "–".to_owned(), spoken);
    let known = known.unwrap_or_default();
    let of_limit = f64::from(busiest) / (f64::from(per_minute) * 60.0);
    let mut inside = vec![figure_row(&[
        Figure::new(when(known.last_seen), words.say("traffic.last-seen")),
        Figure::new(when(known.last_answer), words.say("traffic.last-answer")),
        Figure::new(words.percent(of_limit), words.say("traffic.busiest")).toned(if of_limit > 0.8 {
            Tone::Warn
        } else {
            Tone::Plain
        }),
        Figure::new(words.number(known.rejections.len() as u64), words.say("traffic.turned-away"))
            .toned(if known.rejections.is_empty() { Tone::Good } else { Tone::Warn }),
    ])];
    const DAY_PARTS: u64 = 6;
    inside.push(prose(&[text(words.say("traffic.asks"))]));
    inside.push(drawn(words, &asked, DAY_PARTS * HOUR_MS, HOURS / DAY_PARTS, now));
    inside.push(prose(&[text(words.say("traffic.holds"))]));
    inside.push(drawn(words, &held, DAY_PARTS * HOUR_MS, HOURS / DAY_PARTS, now));
    if let Some((at, code)) = known.last_failure {
        inside.push(prose(&[
            text(words.say("traffic.last-failure")),
            text(format!(" {} ", spoken(at))),
            link(code.as_str(), format!("/help/{}", code.as_str())),
        ]));
    }
    let rejections: Vec<_> = known
        .rejections
        .iter()
        .rev()
        .map(|(at, code)| vec![super::html::moment(*at), text(" "), link(code.as_str(), format!("/help/{}", code.as_str()))])
        .collect();
    if !rejections.is_empty() {
        inside.push(super::html::details(
            words.say("traffic.rejections"),
            &[super::html::list(&rejections, super::html::Ordered::No)],
        ));
    }
    vec![section("traffic", words.say("traffic.month"), &inside)]
}

/// What codes are of, by their groups.
const GROUPS: &[(&str, &[&str])] =
    &[("security.signature", &["OG-SIG", "OG-TLS"]), ("security.form", &["OG-XML", "OG-HTTP"]), ("security.right", &["OG-POL"])];

/// `GET /security`
pub(super) async fn security(visit: Visit) -> Answered {
    let (words, now) = (visit.words, visit.now);
    let mut page = Page::new(words.say("security.title"), visit.address.clone());
    page.is_live = Live::Yes;
    let faults: BTreeMap<Code, u64> = visit.gateway().traffic(|traffic| {
        let mut sums = BTreeMap::new();
        for (_, hour) in traffic.faults(now) {
            hour.iter().for_each(|(code, count)| *sums.entry(*code).or_insert(0) += u64::from(*count));
        }
        sums
    });
    page.put(lead(&[text(words.say("security.lead"))]));
    let of_group = |prefixes: &[&str]| {
        faults
            .iter()
            .filter(|(code, _)| prefixes.iter().any(|prefix| code.as_str().starts_with(prefix)))
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    let replays = faults.get(&Code::MsgReplayed).copied().unwrap_or(0);
    let group = |(key, prefixes): &(&str, &[&str])| Figure::new(words.number(of_group(prefixes)), words.say(key));
    let mut numbers: Vec<Figure> = GROUPS.iter().map(group).collect();
    numbers.push(Figure::new(words.number(replays), words.say("security.replay")).to("/log?code=OG-MSG-014"));
    let limited: u64 = faults.iter().filter(|(code, _)| crate::evidence::traffic::is_quota(**code)).map(|(_, count)| count).sum();
    numbers.push(Figure::new(words.number(limited), words.say("security.quota")));
    numbers.push(Figure::new(
        words.number(visit.gateway().counters().connections_ended(Turned::Handshake.as_str())),
        words.say("security.handshakes"),
    ));
    page.put(figure_row(&numbers));
    page.put(of_day(&visit));
    page.table(codes(words, &faults));
    page.table(senders(&visit));
    let days = visit.number("days", 1..=UNUSUAL_DAYS_MAX)?;
    page.put(Form::get("/security", vec![days_field(words, days)], words.say("security.look")).html());
    if let Some(days) = days {
        page.table(unusual(&visit, days).await?);
    }
    page.table(parser(words));
    visit.page(&page)
}

fn codes(words: Words, faults: &BTreeMap<Code, u64>) -> Table {
    let mut rows: Vec<(&Code, &u64)> = faults.iter().collect();
    rows.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), **code));
    let rows = rows.into_iter().map(|(code, count)| {
        vec![
            Cell::link(code.as_str(), format!("/help/{}", code.as_str()), code.as_str()),
            Cell::text(super::help::rule(words, *code)),
            Cell::of(vec![link(words.number(*count), Address::new("/log").with("code", code.as_str()).to_string())], *count),
        ]
    });
    Table {
        name: "faults",
        caption: words.say("security.faults").to_owned(),
        columns: vec![
            marks("code", words.say("help.code")),
            column("rule", words.say("help.rule")),
            figures("count", words.say("security.count")),
        ],
        rows: rows.collect(),
        empty: words.say("security.no-faults").to_owned(),
        next: None,
    }
}

/// Whose messages were refused most.
fn senders(visit: &Visit) -> Table {
    let words = visit.words;
    let mut found: Vec<(AgencyId, u64, u64)> = visit.gateway().traffic(|traffic| {
        let of = |tally: &Tally| u64::from(tally.refused) + u64::from(tally.limited);
        traffic
            .agencies()
            .map(|(id, agency)| (id.clone(), of(&agency.sum.consumer), u64::from(agency.sum.consumer.requests)))
            .filter(|row| row.1 > 0)
            .collect()
    });
    found.sort_by_key(|row| std::cmp::Reverse(row.1));
    let rows = found.into_iter().take(SENDERS).map(|(id, refused, requests)| {
        vec![
            Cell::link(visit.agency_name(id.as_str()), format!("/agencies/{id}"), id.to_string()),
            Cell::of(
                vec![link(
                    words.number(refused),
                    Address::new("/log").with("consumer", id.as_str()).with("kind", "err").to_string(),
                )],
                refused,
            ),
            Cell::number(words, requests),
        ]
    });
    Table {
        name: "senders",
        caption: words.say("security.senders").to_owned(),
        columns: vec![
            column("agency", words.say("log.agency")),
            figures("refused", words.say("security.refused")),
            figures("requests", words.say("security.permitted")),
        ],
        rows: rows.collect(),
        empty: words.say("security.no-senders").to_owned(),
        next: None,
    }
}

const SENDERS: usize = 20;

fn days_field(words: Words, days: Option<u64>) -> Field {
    Field::Input {
        name: "days".into(),
        label: words.say("security.days").into(),
        value: days.unwrap_or(7).to_string(),
        hint: words.say("security.days-hint").into(),
        kind: "number",
        must: Must::Be,
    }
}

const UNUSUAL_DAYS_MAX: u64 = 90;

/// What is unusual: who asks at night, for many persons, or far more than usually; and persons whom many ask about, without their names.
async fn unusual(visit: &Visit, days: u64) -> Result<Table, Fault> {
    let words = visit.words;
    let filter = Filter { from: Some(visit.now.minus_ms(days * DAY_MS)), ..Filter::default() };
    let read = visit.console.read(move |gateway| gateway.store().anomalies(&filter, &Thresholds::default())).await?;
    let found = read.map_err(|error| match error {
        ReportError::Store(cause) => log_unreadable(&cause),
        ReportError::Query(error) => error.into(),
    })?;
    let rows = found.iter().map(|anomaly| {
        let kind = anomaly.kind.as_str();
        let what = words.find(&format!("unusual.{kind}")).unwrap_or(kind);
        vec![
            Cell::of(vec![text(what)], kind),
            Cell::maybe(anomaly.agency.as_ref(), |id| Cell::link(visit.agency_name(id), format!("/agencies/{id}"), id.clone())),
            Cell::maybe(anomaly.official.as_ref(), |official| Cell::text(official.clone())),
            Cell::maybe(anomaly.day, |day| Cell::text(day.to_string())),
            Cell::number(words, anomaly.count),
            Cell::maybe(anomaly.usual, |usual| Cell::number(words, usual)),
            Cell::link(words.number(anomaly.example), format!("/log/{}", anomaly.example), anomaly.example),
        ]
    });
    Ok(Table {
        name: "unusual",
        caption: words.count("security.unusual", days),
        columns: vec![
            column("what", words.say("case.what")),
            column("agency", words.say("log.agency")),
            column("official", words.say("security.official")),
            column("day", words.say("security.day")),
            figures("count", words.say("security.count")),
            figures("usual", words.say("security.usual")),
            figures("example", words.say("security.example")),
        ],
        rows: rows.collect(),
        empty: words.say("security.nothing-unusual").to_owned(),
        next: None,
    })
}

/// What no message may be more of.
fn parser(words: Words) -> Table {
    let limits = [
        (words.say("security.message-octets"), limits::MESSAGE_BYTES_MAX as u64),
        (words.say("security.depth"), limits::DEPTH_MAX as u64),
        (words.say("security.attributes"), limits::ATTRIBUTES_MAX as u64),
        (words.say("security.head-octets"), limits::HEAD_BYTES_MAX as u64),
        (words.say("security.headers"), limits::HEADERS_MAX as u64),
    ];
    Table {
        name: "limits",
        caption: words.say("security.limits").to_owned(),
        columns: vec![column("what", words.say("case.what")), figures("limit", words.say("security.limit"))],
        rows: limits.into_iter().map(|(what, limit)| vec![Cell::text(what), Cell::number(words, limit)]).collect(),
        empty: String::new(),
        next: None,
    }
}
