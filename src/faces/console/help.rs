//! What codes mean, what this is, and what is said when something is refused.

use super::html::{Address, Cell, Page, Span, Table, Tone, column, facts, lead, link, marks, prose, section, text};
use super::request::Answer;
use super::session::Visitor;
use super::words::Words;
use super::{Answered, Console, Visit};
use crate::base::fault::{Code, Fault};
use crate::evidence::audit::Pairs;
use crate::host::telemetry::VERSION;
use hyper::StatusCode;
use std::sync::Arc;

/// `GET /help`
pub(super) fn faults(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = Page::new(words.say("help.title"), visit.address.clone());
    page.put(lead(&[text(words.say("help.lead"))]));
    let rows = Code::ALL.iter().map(|code| {
        vec![
            Cell::link(code.as_str(), format!("/help/{}", code.as_str()), code.as_str()),
            Cell::text(rule(words, *code)),
            Cell::of(vec![text(blame(words, *code))], code.blame().as_str()),
            Cell::of(vec![text(retry(words, *code))], code.retry().as_str()),
        ]
    });
    page.table(Table {
        name: "codes",
        caption: words.count("help.count", Code::ALL.len() as u64),
        columns: vec![
            marks("code", words.say("help.code")),
            column("rule", words.say("help.rule")),
            column("blame", words.say("help.blame")),
            column("retry", words.say("help.retry")),
        ],
        rows: rows.collect(),
        empty: String::new(),
        next: None,
    });
    visit.page(&page)
}

/// `GET /help/{code}`
pub(super) fn fault(visit: Visit) -> Answered {
    let words = visit.words;
    let code = Code::parse(&visit.of().to_ascii_uppercase()).ok_or_else(|| Fault::new(Code::HttpNoSuchPath))?;
    let mut page = Page::new(code.as_str(), visit.address.clone()).below(words.say("help.title"), "/help");
    page.put(lead(&[text(sentence(&rule(words, code)))]));
    page.put(section("next", words.say("help.next"), &[prose(&[text(sentence(&next(words, code)))])]));
    let mut rows = vec![
        (words.say("help.blame").to_owned(), vec![text(blame(words, code))]),
        (words.say("help.retry").to_owned(), vec![text(retry(words, code))]),
        (words.say("help.status").to_owned(), vec![text(code.status().to_string())]),
    ];
    if visit.who.is_some() {
        rows.push((
            words.say("help.records").to_owned(),
            vec![link(words.say("help.search"), format!("/log?code={}", code.as_str()))],
        ));
    }
    page.put(facts(&rows));
    visit.page(&page)
}

/// The rule that was broken.
pub(super) fn rule(words: Words, code: Code) -> String {
    words.code(code).0.to_owned()
}

fn next(words: Words, code: Code) -> String {
    words.code(code).1.to_owned()
}

fn blame(words: Words, code: Code) -> String {
    words
        .say(match code.blame().as_str() {
            "sender" => "help.sender",
            "gateway" => "help.gateway",
            _ => "help.receiver",
        })
        .to_owned()
}

fn retry(words: Words, code: Code) -> String {
    words
        .say(match code.retry().as_str() {
            "never" => "help.never",
            "later" => "help.later",
            _ => "help.after-change",
        })
        .to_owned()
}

/// A text as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// `GET /about`
pub(super) fn about(visit: Visit) -> Answered {
    let words = visit.words;
    let mut page = Page::new(words.say("about.title"), visit.address.clone());
    page.put(lead(&[text(words.say("about.lead"))]));
    page.put(prose(&[text(words.say("about.proof"))]));
    let mut rows = vec![(words.say("about.version").to_owned(), vec![text(VERSION)])];
    if visit.who.is_some() {
        rows.push((words.say("about.key").to_owned(), vec![Span::Code(visit.gateway().store().verifier().to_string())]));
        rows.push((words.say("about.registry").to_owned(), vec![text(words.number(visit.world.registry.version()))]));
    }
    page.put(facts(&rows));
    visit.page(&page)
}

/// The page of a refusal: which rule, and what to do next.
pub(super) fn refused(console: &Arc<Console>, words: Words, who: Option<Visitor>, address: Address, fault: &Fault) -> Answer {
    let code = fault.code;
    let visit = Visit {
        console: Arc::clone(console),
        world: console.gateway.world(),
        words,
        who,
        begun: None,
        of: Vec::new(),
        query: Pairs::default(),
        form: Pairs::default(),
        address: Address::new("/"),
        wire: super::request::Wire::Plain,
        now: crate::gateway::driver::now(),
    };
    let mut page = Page::new(words.say("refused.title"), address);
    // Programs are told the paths that there are; people are not helped by that.
    let (said, to_do) = match code {
        Code::HttpNoSuchPath => (
            words.say("refused.no-page").to_owned(),
            vec![text(words.say("refused.no-page-next")), text(" "), link(words.say("refused.no-page-begin"), "/"), text(".")],
        ),
        _ => (sentence(&rule(words, code)), vec![text(sentence(&next(words, code)))]),
    };
    page.put(lead(&[text(said)]));
    if !fault.detail.is_empty() {
        page.put(prose(&[text(fault.detail.to_string())]));
    }
    page.put(facts(&[
        (words.say("help.next").to_owned(), to_do),
        (
            words.say("help.code").to_owned(),
            vec![
                Span::Badge(code.as_str().to_owned(), Tone::Quiet),
                text(" "),
                link(words.say("refused.more"), format!("/help/{}", code.as_str())),
            ],
        ),
    ]));
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let answer = Answer::html(status, visit.framed(&page));
    match fault.retry_after_seconds {
        Some(seconds) => answer.with(hyper::header::RETRY_AFTER, &seconds.to_string()),
        None => answer,
    }
}
