//! The machine of cases without a gateway: people who do not exist are taken through all situations by a world that answers late, badly
//! or not at all, in any order; after each change what must never be is looked for.

mod world;

use super::trial::{Family, Land, situations};
use super::*;
use crate::message::envelope::Described;
use std::sync::LazyLock;
use world::{Manner, World};

static LAND: LazyLock<Land> = LazyLock::new(|| Land::new().expect("the built-in documents fit"));

const START: UnixTime = UnixTime::from_ms(1_800_000_000_000);

/// How many people are taken through each situation: more for whoever sets `ONCEGATE_CASES`.
fn people(usual: u64) -> u64 {
    std::env::var("ONCEGATE_CASES").ok().and_then(|people| people.parse().ok()).unwrap_or(usual)
}

/// Takes people through all situations, in the way that is asked for; gives how many cases there were, and how often each end came.
fn courses(manner: impl Fn(u64) -> Manner, people: u64) -> BTreeMap<&'static str, u64> {
    let mut ends = BTreeMap::new();
    for situation in situations(&LAND) {
        for number in 0..people {
            let family = Family::new(&LAND, &situation, number);
            let mut world = World::new(&LAND, &family, manner(number), number);
            let end = world.run();
            *ends.entry(end.map_or("open", Ending::as_str)).or_default() += 1;
        }
    }
    ends
}

#[test]
fn with_good_agencies_every_case_comes_to_its_end_as_the_planner_says() {
    for situation in situations(&LAND) {
        for number in 0..6 {
            let family = Family::new(&LAND, &situation, number);
            let mut world = World::new(&LAND, &family, Manner::Good, number);
            let end = world.run();
            assert!(matches!(end, Some(Ending::Done | Ending::Nothing)), "{} {number}: {end:?}", situation.id);
        }
    }
}

#[test]
fn with_bad_agencies_every_case_comes_to_an_end_once_they_mend() {
    let ends = courses(|_| Manner::Mixed, people(12));
    assert!(!ends.contains_key("open"), "{ends:?}");
    assert!(ends.get("done") > Some(&100) && ends.contains_key("refused"), "{ends:?}");
}

#[test]
fn cases_that_are_handed_over_and_taken_back_end_once() {
    let ends = courses(|_| Manner::HandedOver, people(6));
    assert!(!ends.contains_key("open") && ends.contains_key("withdrawn"), "{ends:?}");
}

/// A link that has ended shows nothing, so that whoever is told of the case later needs another; in the case's own time.
#[test]
fn a_personal_link_ends_by_the_clock_of_the_case() {
    let situation = situations(&LAND).swap_remove(0);
    let family = Family::new(&LAND, &situation, 1);
    let digest = crate::message::crypto::sha256(b"link");
    let opening = family.opening(StartedBy::Application, &LAND.coordinator, digest, 10);
    let mut case = Case::open(Uuid::from_octets([7; 16]), opening, &situation, START);
    assert_eq!(case.link_in_force(START), None);
    let until = case.time(START).plus_ms(1_000).into();
    case.apply(LAND.around(&situation, START), START, &Change::Link { hash: Text(digest), until });
    assert_eq!(case.link_in_force(START.plus_ms(99)), Some(digest));
    assert_eq!(case.link_in_force(START.plus_ms(100)), None);
}

/// An organisation that is known by its number alone is no less an organisation once its case is read again.
#[test]
fn whoever_a_case_is_about_is_read_as_it_was_written() {
    let identifiers = || vec![crate::base::ids::Identifier::synthetic(1)];
    let text = |text: &str| Some(crate::message::envelope::Personal::new(text));
    let person = crate::message::envelope::Person { family: text("Nobody"), given: None, birth_date: text("2026-03-04") };
    for described in [
        Described::Organisation(text("Nobody and Sons")),
        Described::Organisation(None),
        Described::Person(person),
        Described::Person(Default::default()),
    ] {
        let subject = Subject { identifiers: identifiers(), described };
        let role = Text(Code::parse("company").expect("a code"));
        let changes = [Change::Person { role, subject: Written::from(&subject) }];
        let again = read(&write(&changes)).expect("it was written");
        assert_eq!(again, changes);
        assert!(matches!(&again[..], [Change::Person { subject: written, .. }] if Subject::from(written) == subject));
    }
}

/// A clock that stands still would wake a case at moments that are past, without end.
#[test]
fn no_case_begins_whose_clock_cannot_be() {
    let situation = situations(&LAND).swap_remove(0);
    let family = Family::new(&LAND, &situation, 1);
    for (test, pace, begins) in
        [(true, 0, false), (true, 1, true), (true, 60, true), (false, 0, false), (false, 1, true), (false, 2, false)]
    {
        let opening = family.opening(StartedBy::Event, &LAND.coordinator, crate::message::crypto::sha256(b"event"), pace);
        let changes = [Change::Opened(Box::new(Opening { test, ..opening }))];
        let begun = Case::begun(&LAND.catalogue, Uuid::from_octets([7; 16]), &changes, START);
        assert_eq!(begun.is_some(), begins, "{test} {pace}");
    }
}
