//! What happened to cases: changes as they are sealed in the log, read again and taken.

use crate::forge::Choices;
use crate::memory::bounded_by;
use crate::originals::now;
use oncegate::base::ids::{AgencyId, Code, Digest, MessageId, Uuid};
use oncegate::base::time::DAY_MS;
use oncegate::exchange::cases::trial::Land;
use oncegate::exchange::cases::{
    Around, Came, Case, Change, Errand, Opening, Paper, Part, Said, Sending, StartedBy, Text, Written, read, write,
};
use oncegate::rules::condition::{Kind, Value as Fact};
use oncegate::rules::situation::{DocumentOf, Situation};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static LAND: LazyLock<Land> = LazyLock::new(|| Land::new().expect("the built-in documents fit"));

/// What happened in a case of each situation, by what was written down together.
static LIVED: LazyLock<Vec<Vec<Vec<Change>>>> =
    LazyLock::new(|| LAND.catalogue.situations().map(|situation| lived(situation)).collect());

/// All that stands in them, by where it stands.
static WORDS: LazyLock<BTreeMap<String, Vec<Value>>> = LazyLock::new(|| {
    let mut words: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for group in LIVED.iter().flatten() {
        let value: Value = serde_json::from_str(&write(group)).expect("it was written");
        for place in places(&value) {
            let known = words.entry(name_of(&place).to_owned()).or_default();
            known.extend(value.pointer(&place).cloned().filter(|word| known.len() < 64 && !known.contains(word)));
        }
    }
    words
});

/// By its first octet: changes as text, a line for each time that some were written down; or choices, by which what happened in cases
/// happens in another order, again, and otherwise.
pub fn changes(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let groups: Vec<Vec<Change>> = match (kind % 2, std::str::from_utf8(rest)) {
        (0, Ok(text)) => text.lines().filter_map(read_again).collect(),
        (0, Err(_)) => return,
        _ => chosen(&mut Choices(rest)),
    };
    taken(&groups);
}

/// What is read is written and read again as the same.
fn read_again(text: &str) -> Option<Vec<Change>> {
    let first = bounded_by(READ * text.len() + CONSTANT, || read(text))?;
    let written = write(&first);
    let second = read(&written).expect("what was written is read");
    assert!(second == first, "another change: {written}");
    assert_eq!(write(&second), written);
    Some(first)
}

/// Octets of memory for each octet of changes: the shortest has room for the longest.
const READ: usize = 64;
const CONSTANT: usize = 64 << 10;

fn chosen(choices: &mut Choices<'_>) -> Vec<Vec<Change>> {
    let own = &LIVED[choices.below(LIVED.len())];
    let mut groups = Vec::new();
    for number in 0..1 + choices.octet() % 20 {
        let lived = if number > 0 && choices.octet() % 4 == 0 { &LIVED[choices.below(LIVED.len())] } else { own };
        // Often what came next; what it began with first.
        let at =
            if number == 0 || choices.octet() % 2 == 0 { usize::from(number) % lived.len() } else { choices.below(lived.len()) };
        let mut value: Value = serde_json::from_str(&write(&lived[at])).expect("it was written");
        for _ in 0..choices.octet() % 3 {
            edit(&mut value, choices);
        }
        groups.extend(read_again(&value.to_string()));
    }
    groups
}

/// Something else stands in one place.
fn edit(value: &mut Value, choices: &mut Choices<'_>) {
    let places = places(value);
    let Some(place) = places.get(choices.below(places.len())) else { return };
    let words = WORDS.get(name_of(place)).map_or(&[][..], Vec::as_slice);
    let other = match choices.octet() % 12 {
        0 => Value::Null,
        1 => true.into(),
        2 => 0.into(),
        3 => u64::MAX.into(),
        4 => i64::MIN.into(),
        5 => [1, 255, 4_294_967_295, i64::MAX][choices.below(4)].into(),
        6 => ["", "9999-12-31", "0001-01-01", "\u{1}<&\"'\\", "x@y"][choices.below(5)].into(),
        7 => {
            let day = ["9999-12-31", "0001-01-01", "2026-02-28"][choices.below(3)];
            serde_json::json!({ "day": day })
        }
        _ => words.get(choices.below(words.len())).cloned().unwrap_or_default(),
    };
    value.pointer_mut(place).into_iter().for_each(|place| *place = other.clone());
}

/// The places of all that is no list and no object, in the form of RFC 6901.
fn places(value: &Value) -> Vec<String> {
    let below = |name: &str, value: &Value| places(value).into_iter().map(|rest| format!("/{name}{rest}")).collect::<Vec<_>>();
    match value {
        Value::Array(all) => all.iter().enumerate().flat_map(|(at, value)| below(&at.to_string(), value)).collect(),
        Value::Object(all) => all.iter().flat_map(|(name, value)| below(name, value)).collect(),
        _ => vec![String::new()],
    }
}

/// The last name of a place.
fn name_of(place: &str) -> &str {
    let names = place.rsplit('/').find(|name| name.parse::<usize>().is_err());
    names.unwrap_or_default()
}

/// A case takes whatever was read, is shown, and goes on; what comes next in it can be written down.
fn taken(groups: &[Vec<Change>]) {
    let Some(first) = groups.first() else { return };
    let (mut at, mut ids) = (now(), ids());
    let Some((mut case, situation)) = Case::begun(&LAND.catalogue, Uuid::from_octets([7; 16]), first, at) else { return };
    for (number, group) in groups.iter().enumerate() {
        let around = LAND.around(&situation, at);
        case.apply_all(around, at, group);
        if number % 4 == 3 || number + 1 == groups.len() {
            looked_at(&case, around);
        }
        at = at.plus_ms([0, 1_000, 30_000, DAY_MS, 40 * DAY_MS][number % 5]);
    }
    for _ in 0..ROUNDS {
        let around = LAND.around(&situation, at);
        let next = case.forward(around, &mut ids);
        assert!(!case.is_over() || next.is_empty(), "something comes after the end");
        if next.is_empty() {
            let Some(wakes) = case.wakes_by_itself(around) else { break };
            at = wakes;
            continue;
        }
        assert!(read_again(&write(&next)).as_ref() == Some(&next), "what comes next is not what is written down");
        case.apply_all(around, at, &next);
        looked_at(&case, around);
    }
}

/// How often it is seen what comes next.
const ROUNDS: usize = 3;

/// All that is asked of a case.
fn looked_at(case: &Case, around: Around<'_>) {
    for part in [Part::Whole, Part::Of(&case.opening.by.0)] {
        let (shown, events) = (case.view(around, part, "en"), case.timeline_view(part));
        assert!(shown.is_object() && events.is_array());
    }
    for wakes in [case.wakes(around), case.wakes_by_itself(around)].into_iter().flatten() {
        assert!(wakes > around.now, "it wakes at {wakes}, which is past");
    }
    let _ = (case.state_document(around, None), case.asked_for(around.catalogue, "ru"), case.unsummed(around));
    let _ = (case.has_part(&case.opening.by.0), case.link_in_force(around.now), case.has_start(), case.subject());
    for step in &around.situation.steps {
        let _ = (case.due_of(around.situation, Some(&step.id)), case.principal(around, step));
    }
    for (id, sent) in case.under_way() {
        let _ = case.made(around, *id, sent);
    }
}

fn ids() -> impl FnMut() -> MessageId {
    let mut number = 0_u8;
    move || {
        number = number.wrapping_add(1);
        MessageId::new(now(), [number; 10])
    }
}

/// Takes a case of a situation to its end: holders have all documents, agencies do their steps, the citizen answers.
fn lived(situation: &Situation) -> Vec<Vec<Change>> {
    let (mut at, mut ids) = (now(), ids());
    let opening = Opening {
        situation: Text(situation.id.clone()),
        version: situation.version.to_string(),
        region: situation.region.clone().map(Text),
        test: true,
        coordinator: Text(LAND.coordinator.clone()),
        start: StartedBy::Event,
        by: Text(LAND.coordinator.clone()),
        message: Text(Digest::from_octets([1; 32])),
        subject: Written::from(&subject(0)),
        pace: 60,
    };
    let mut first = vec![Change::Opened(Box::new(opening))];
    // Who is known from the start is somebody.
    let known = situation.roles.iter().zip(1..).filter(|(role, _)| role.found_in.is_empty()).skip(1);
    first.extend(
        known.map(|(role, number)| Change::Person { role: Text(role.name.clone()), subject: Written::from(&subject(number)) }),
    );
    let (mut case, own) = Case::begun(&LAND.catalogue, Uuid::from_octets([7; 16]), &first, at).expect("it is in the catalogue");
    let mut all = vec![first];
    for round in 0..LIVED_ROUNDS {
        let around = LAND.around(&own, at);
        let mut next = if round == 0 { all[0].clone() } else { case.forward(around, &mut ids) };
        if next.is_empty() {
            next = answers(&case, around);
        }
        match (next.is_empty(), case.wakes_by_itself(around)) {
            (false, _) => {
                case.apply_all(around, at, &next);
                if round > 0 {
                    all.push(next);
                }
            }
            (true, Some(wakes)) if !case.is_over() => at = wakes,
            (true, _) => break,
        }
    }
    all
}

const LIVED_ROUNDS: usize = 120;

fn subject(number: u32) -> oncegate::message::envelope::Subject {
    vec![oncegate::base::ids::Identifier::synthetic(number)].into()
}

/// What is said by those of whom a case has asked something.
fn answers(case: &Case, around: Around<'_>) -> Vec<Change> {
    let mut said = Vec::new();
    for (id, sent) in case.under_way() {
        match &sent.what {
            Sending::Ask(errand) => said.extend(errand.document.iter().flat_map(|document| came(around, document, errand))),
            Sending::Task(errand) => {
                let step = around.situation.steps.iter().find(|step| step.id == errand.step.0);
                let gives = step.and_then(|step| step.gives.clone());
                said.extend(gives.iter().flat_map(|document| came(around, &Text(document.clone()), errand)));
                said.push(Change::Accepted { step: errand.step.clone(), by: None });
                said.push(Change::Done { step: errand.step.clone() });
            }
            Sending::HandOver { .. } | Sending::Word { .. } => {
                said.push(Change::Heard { message: Text(Digest::from_octets([id.octets()[15]; 32])) })
            }
        }
        if !said.is_empty() {
            break;
        }
    }
    let form = case.form_view(around, "en");
    let facts = form["ask"].as_array().into_iter().flatten().filter_map(|ask| {
        let name = ask["fact"].as_str()?;
        Some((name.to_owned(), value(around.catalogue.fact(around.catalogue.fact_named(name)?)?.kind)))
    });
    let facts: Vec<(String, Said)> = facts.collect();
    if said.is_empty() && !facts.is_empty() {
        said.push(Change::Answered { facts });
    }
    said
}

fn value(kind: Kind) -> Said {
    Said(match kind {
        Kind::Truth => Fact::Truth(true),
        Kind::Number => Fact::Number(1),
        Kind::Text => Fact::Text("1".into()),
        Kind::Date => Fact::parse(Kind::Date, "2026-05-04").expect("a day"),
    })
}

/// A document comes: those whom it names are found, and it says what it can say.
fn came(around: Around<'_>, document: &Text<DocumentOf>, errand: &Errand) -> Vec<Change> {
    let facts = around.catalogue.facts().iter().filter(|fact| fact.source.as_ref().is_some_and(|it| it.document == document.0));
    let facts = facts.map(|fact| (fact.name.to_string(), value(fact.kind))).collect();
    let roles = around.situation.roles.iter().zip(1..);
    let found: Vec<(&Code, u32)> = roles
        .filter(|(role, _)| role.found_in.iter().any(|found| found.document == document.0))
        .map(|(role, number)| (&role.name, number))
        .collect();
    let people = found
        .iter()
        .map(|(role, number)| Change::Person { role: Text((*role).clone()), subject: Written::from(&subject(*number)) });
    let mut changes: Vec<Change> = people.collect();
    let paper = Paper {
        message: errand.message.clone(),
        from: Text(AgencyId::parse("xx.a").expect("an agency")),
        sha256: Text(Digest::from_octets([2; 32])),
        size: 100,
        way: Came::Fetched,
        start: None,
    };
    let names = found.into_iter().map(|(role, _)| Text(role.clone())).collect();
    changes.push(Change::Came { document: document.clone(), paper, facts, names });
    changes
}

/// The beginnings of what happened; choices.
pub fn cases() -> Vec<Vec<u8>> {
    let texts = LIVED.iter().map(|lived| {
        let lines = lived.iter().map(|group| write(group) + "\n");
        let mut text = String::from("\0");
        lines.take_while(|line| line.len() < TEXT).for_each(|line| {
            if text.len() + line.len() < TEXT {
                text += &line;
            }
        });
        text.into_bytes()
    });
    let choices = (0..64_u64).map(|row| {
        let octets = (0..200_u64).map(|at| ((row * 200 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8);
        [1].into_iter().chain(octets).collect()
    });
    texts.chain(choices).collect()
}

const TEXT: usize = 12 << 10;
