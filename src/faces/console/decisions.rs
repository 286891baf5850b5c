//! What two people decide together: what is erased of a record, and what a citizen sees before its day.

use super::html::{
    Address, Field, Form, Html, Note, Page, Tone, details, facts, lead, link, moment, notes, prose, section, text,
};
use super::request::Answer;
use super::words::Words;
use super::{Answered, Visit};
use crate::base::fault::{Code, Fault};
use crate::base::time::UnixTime;
use crate::evidence::audit::decisions::{DECISION, Measure, Proposal};
use crate::evidence::audit::{Pairs, QueryError, reason};
use crate::evidence::tlog::leaf::Leaf;
use crate::gateway::driver::audit::opened;
use crate::gateway::driver::decisions::{self, Verdict};
use crate::gateway::driver::log_unreadable;
use crate::host::config::Duty;

/// A proposal as pages show it.
pub(super) struct Shown {
    proposal: Proposal,
    said: String,
    is_own: bool,
}

/// How many proposals wait for another person.
pub(super) async fn waiting(visit: &Visit) -> Result<usize, Fault> {
    let now = visit.now;
    let read = visit.console.read(move |gateway| decisions::decisions(gateway.store(), now)).await?;
    read.map(|found| found.open().len()).map_err(|cause| log_unreadable(&cause))
}

/// What waits for another person, the oldest first.
async fn open(visit: &Visit) -> Result<Vec<Shown>, Fault> {
    let (now, name) = (visit.now, visit.who.as_ref().map_or_else(String::new, |who| who.official.name.clone()));
    let read = visit.console.read(move |gateway| {
        let found = decisions::decisions(gateway.store(), now)?.open();
        let shown = found.into_iter().map(|proposal| {
            let said = opened(gateway.store(), proposal.index)?.and_then(|(_, private)| private.reason).unwrap_or_default();
            Ok(Shown { proposal, is_own: said.ends_with(&format!(" ({name})")), said })
        });
        shown.collect::<Result<Vec<_>, _>>()
    });
    read.await?.map_err(|cause| log_unreadable(&cause))
}

fn measure_word(words: Words, measure: Measure) -> &'static str {
    match measure {
        Measure::ErasePrivate => words.say("decisions.erase-private"),
        Measure::EraseMessage => words.say("decisions.erase-message"),
        Measure::EraseRecord => words.say("decisions.shred"),
        Measure::Disclose => words.say("decisions.disclose"),
    }
}

/// `GET /decisions`
pub(super) async fn decisions(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = Page::new(words.say("decisions.title"), visit.address.clone());
    page.put(lead(&[text(words.say("decisions.lead"))]));
    let found = open(&visit).await?;
    if found.is_empty() {
        page.put(notes(words, &[Note { tone: Tone::Good, spans: vec![text(words.say("decisions.none"))], action: None }]));
    }
    for shown in &found {
        page.put(one(&visit, shown));
    }
    let past = Address::new("/log").with("purpose", DECISION).to_string();
    page.put(prose(&[link(words.say("decisions.past"), past)]));
    visit.page(&page)
}

fn one(visit: &Visit, shown: &Shown) -> Html {
    let (words, proposal) = (visit.words, &shown.proposal);
    let what = measure_word(words, proposal.measure);
    let title = words.fill("decisions.one", &[("index", &words.number(proposal.of)), ("what", what)]);
    let rows = [
        (words.say("decisions.record").to_owned(), vec![link(words.number(proposal.of), format!("/log/{}", proposal.of))]),
        (
            words.say("decisions.proposed").to_owned(),
            vec![moment(proposal.at), text(" "), link(words.number(proposal.index), format!("/log/{}", proposal.index))],
        ),
        (words.say("decisions.said").to_owned(), vec![text(shown.said.clone())]),
    ];
    let mut inside = vec![facts(&rows)];
    let form = |verdict: &str, submit: &str| {
        let fields = vec![
            Field::Hidden { name: "measure", value: proposal.measure.as_str().to_owned() },
            Field::Hidden { name: "verdict", value: verdict.to_owned() },
            Field::required("reason", words.say("decisions.reason"), words.say("decisions.reason-hint")),
        ];
        Form::post(format!("/decisions/{}", proposal.of), fields, submit, visit.token()).html()
    };
    match shown.is_own {
        true => {
            inside.push(prose(&[text(words.say("decisions.own"))]));
            inside.push(form("decline", words.say("decisions.take-back")));
        }
        false => {
            inside.push(form("carry-out", words.say("decisions.carry-out")));
            inside.push(form("decline", words.say("decisions.decline")));
        }
    }
    section(&format!("decision-{}-{}", proposal.of, proposal.measure.as_str()), &title, &inside)
}

/// What may be proposed for a record, and what is.
pub(super) async fn of_record(visit: &Visit, index: u64, leaf: &Leaf) -> Result<Vec<Html>, Fault> {
    let words = visit.words;
    if !visit.does(&[Duty::Operator, Duty::Auditor]) || leaf.purpose.as_deref() == Some(DECISION) {
        return Ok(Vec::new());
    }
    let found = open(visit).await?;
    let mut parts: Vec<Html> = found.iter().filter(|shown| shown.proposal.of == index).map(|shown| one(visit, shown)).collect();
    let is_open = |measure: Measure| found.iter().any(|shown| (shown.proposal.of, shown.proposal.measure) == (index, measure));
    let is_withheld = leaf.withheld_until.is_some_and(|until| UnixTime::from_ms(until) > visit.now);
    let may = |measure: &Measure| !is_open(*measure) && (*measure != Measure::Disclose || is_withheld);
    let options: Vec<(String, String)> = Measure::ALL
        .into_iter()
        .filter(may)
        .map(|measure| (measure.as_str().to_owned(), measure_word(words, measure).to_owned()))
        .collect();
    if let Some((chosen, _)) = options.first().cloned() {
        let fields = vec![
            Field::Choice { name: "measure".into(), label: words.say("decisions.what").into(), options, chosen },
            Field::required("reason", words.say("decisions.reason"), words.say("decisions.reason-hint")),
        ];
        let form = Form::post(format!("/log/{index}/propose"), fields, words.say("decisions.propose"), visit.token()).html();
        let inside = [prose(&[text(words.say("decisions.of-record-lead"))]), form];
        parts.push(details(words.say("decisions.of-record"), &inside));
    }
    Ok(parts)
}

/// The record, the measure and the reason that a form names.
fn named(visit: &Visit) -> Result<(u64, Measure, String, Pairs), Fault> {
    let index = visit.of().parse().map_err(|_| Fault::new(Code::AudUnknown))?;
    let mut form = visit.form.clone();
    let measure = form.take("measure").as_deref().and_then(Measure::parse);
    let measure = measure.ok_or_else(|| Fault::at(Code::AudQuery, "measure: expected one of those that the page offers"))?;
    let reason = form.take("reason").as_deref().and_then(reason).ok_or(QueryError::NoReason)?;
    Ok((index, measure, reason, form))
}

/// `POST /log/{index}/propose`
pub(super) async fn propose(visit: Visit) -> Answered {
    let (index, measure, reason, _) = named(&visit)?;
    let who = visit.who.as_ref().ok_or_else(|| Fault::new(Code::ConsoleDuty))?;
    visit.gateway().propose(measure, index, &reason, &who.onlooker(&visit.world.registry)).await?;
    Ok(Answer::see("/decisions"))
}

/// `POST /decisions/{index}`
pub(super) async fn decide(visit: Visit) -> Answered {
    let (index, measure, reason, mut form) = named(&visit)?;
    let verdict = match form.take("verdict").as_deref() {
        Some("carry-out") => Verdict::CarryOut,
        Some("decline") => Verdict::Decline,
        _ => return Err(Fault::at(Code::AudQuery, "verdict: expected carry-out or decline")),
    };
    let who = visit.who.as_ref().ok_or_else(|| Fault::new(Code::ConsoleDuty))?;
    visit.gateway().decide(verdict, measure, index, &reason, &who.onlooker(&visit.world.registry)).await?;
    Ok(Answer::see(&format!("/log/{index}")))
}
