//! Attacks by repetition: the same message again, changed, and fifty at once; and what is shown of hostile texts.

use super::bench::{Bench, SCHOOL};
use crate::figures::tell;
use crate::world::World;
use oncegate::faces::client::problem_of;
use oncegate::message::envelope::write;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn of_fifty_at_once_with_one_id_one_is_taken() {
    let world = World::start();
    let bench = Bench::new(&world, 9);
    for round in 0..6 {
        let message = bench.message();
        let mut others = Vec::new();
        for number in 0..50 {
            let mut other = message.clone();
            // In every other round all fifty are the same; in the others each has another content.
            other.header.expires_at = other.header.expires_at.plus_ms(if round % 2 == 0 { 0 } else { number });
            others.push(bench.sign(&write(&other, "")).into_bytes());
        }
        let before = requests(&bench);
        let answers = world.block_on(async {
            let tasks: Vec<_> = others
                .into_iter()
                .map(|octets| {
                    let client = bench.school.clone();
                    tokio::spawn(async move { client.post(octets, "wait=30", LONG).await.expect("a response") })
                })
                .collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.expect("no panic"));
            }
            answers
        });
        let first = |received: &&oncegate::host::transport::Received| {
            received.status.as_u16() == 200 && !received.headers.contains_key("oncegate-replayed")
        };
        assert_eq!(answers.iter().filter(first).count(), 1, "round {round}");
        for received in answers.iter().filter(|received| received.status.as_u16() != 200) {
            let problem = problem_of(received);
            assert!(["OG-MSG-014", "OG-MSG-017"].contains(&problem.code.as_str()), "{problem:?}");
        }
        assert_eq!(requests(&bench) - before, 1, "one is forwarded, in round {round}");
    }
    tell("same id, fifty at once", "one outcome in 6 of 6 rounds");
}

/// How many requests the log holds.
fn requests(bench: &Bench<'_>) -> usize {
    let page = bench.world.block_on(bench.school.get("/v1/log/records?kind=req&limit=1000")).expect("a response");
    let page: serde_json::Value = serde_json::from_slice(&page.body).expect("JSON");
    page["entries"].as_array().unwrap_or_else(|| panic!("{page}")).len()
}

#[test]
fn a_message_again_gets_its_outcome_again_and_a_changed_one_is_refused() {
    let world = World::start();
    let bench = Bench::new(&world, 9);
    let message = bench.message();
    let octets = bench.sign(&write(&message, ""));
    let post = |octets: &str| world.block_on(bench.school.post(octets.as_bytes().to_vec(), "wait=30", LONG)).expect("a response");
    let first = post(&octets);
    assert_eq!(first.status.as_u16(), 200);
    for again in [
        octets.clone(),
        // Another spelling of the same: the digest is the message's identity.
        octets.replacen("school-attendance", "school-attend&#97;nce", 1),
        octets.replacen("<Message ", "<Message  ", 1),
        format!("<?xml version=\"1.0\"?>{octets}\n"),
        // Another signature of the same.
        bench.sign(&write(&message, "")),
    ] {
        let received = post(&again);
        assert_eq!((received.status.as_u16(), &received.body), (200, &first.body));
        assert_eq!(received.headers.get("oncegate-replayed").map(|value| value.as_bytes()), Some(&b"true"[..]));
    }
    let mut changed = message.clone();
    changed.header.expires_at = changed.header.expires_at.plus_ms(1);
    assert_eq!(problem_of(&post(&bench.sign(&write(&changed, "")))).code, "OG-MSG-014");
    // The same id of another sender is another message.
    let mut theirs = bench.message_of(&bench.fund);
    theirs.header.id = message.header.id;
    if let Some(context) = &mut theirs.context {
        context.purpose = oncegate::base::ids::Code::parse("fault-finding").expect("a code");
        context.legal_basis = vec!["XX:TEST:1".to_owned()];
    }
    let theirs = bench.fund.sign_markup(&write(&theirs, "")).expect("signed");
    let received = world.block_on(bench.fund.post(theirs, "wait=30", LONG)).expect("a response");
    assert_eq!(received.status.as_u16(), 200, "{:?}", problem_of(&received));
    assert!(!received.headers.contains_key("oncegate-replayed"));
    assert_eq!(bench.school.agency().as_str(), SCHOOL);
}
