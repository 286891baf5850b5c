//! Simulated gateways with faults: seeds that once failed, a thousand others, planted bugs, and the command.

use crate::process::oncegate;
use oncegate::program::simulate::{Case, Counted, Counts, LifeCounts, LifePlant, Lives, Plant, Simulated, Simulator, Trouble};
use std::process::Command;

/// Lines that failed once, with what was found by them; `oncegate simulate` prints such a line.
const CASES: &[(&str, &str)] = &[
    (
        "288 m0,1,2,3,4,5,6,7,8,10,11 f0,1,3,4,5 h0,1,2,3,4,5,6,7,8,9,10,11,12,14,15,16",
        "an event on lease was given to another worker after its shelf was lost",
    ),
    (
        "36 m1,3,4,5 f2,3,4 h1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
        "an event that was on its way when the power went came again, and its receiver was not told so",
    ),
    ("4 m0,1,2,4,5,6,7 f0,1,2,4 h0,2,3,4,5,6,7,9,10,11,12,13,14,15,16", "so did a question"),
    (
        "21 m0,1,2,3,5,6,7,8,9,10,11 f0,1,2,3 h0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
        "a question that came again after its cancel was asked again",
    ),
    (
        "1740 m5,7 f1,3,4 h0,1,3,4,5,6,8,9,10,11,12,13,14,15,16",
        "a lease was given after the end of its message, which came while the lease was recorded",
    ),
    (
        "4653 m1 h1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
        "a question was asked after its end, which came while its record was written",
    ),
];

/// So many seeds are run, which takes less than a minute.
const SEEDS: u64 = 1000;

fn simulator() -> Simulator {
    Simulator::new().expect("the built-in documents fit")
}

#[test]
fn what_failed_once_does_not_fail_again() {
    let simulator = simulator();
    for (line, what) in CASES {
        let case = Case::parse(line).expect("a case");
        assert_eq!(case.to_string(), *line);
        let ran = simulator.run_twice(&case, None);
        assert_eq!(ran.finding, None, "{line}: {what}");
    }
}

#[test]
fn a_thousand_seeds_show_nothing_that_must_never_be_seen() {
    let (simulator, mut counts) = (simulator(), Counts::default());
    for seed in 0..SEEDS {
        let case = Case::of(seed);
        let ran = if seed % 16 == 0 { simulator.run_twice(&case, None) } else { simulator.run(&case, None) };
        assert_eq!(ran.finding, None, "seed {seed}: look with `oncegate simulate --seed {seed}`");
        counts.add(&ran.counts);
    }
    // A simulation in which nothing happens finds nothing.
    for (kind, name, _) in Trouble::ALL {
        assert!(counts.troubles.get(&kind).is_some_and(|count| *count >= 10), "there is hardly any {name}: {counts:?}");
    }
    for (what, count) in [
        ("answered", counts.answered),
        ("cancelled", counts.cancelled),
        ("refused", counts.refused),
        ("events", counts.events),
        ("starts", counts.starts - SEEDS),
    ] {
        assert!(count > SEEDS / 10, "only {count} {what}: {counts:?}");
    }
}

#[test]
fn each_planted_bug_is_found_within_a_thousand_seeds() {
    let simulator = simulator();
    for plant in Plant::ALL {
        let found = (0..SEEDS).find_map(|seed| Some((seed, simulator.run(&Case::of(seed), Some(plant)).finding?)));
        let (seed, finding) = found.unwrap_or_else(|| panic!("{} is not found", plant.as_str()));
        println!("{} is found with seed {seed}: {finding}", plant.as_str());
        assert_eq!(Plant::parse(plant.as_str()), Some(plant));
    }
}

#[test]
fn a_failing_seed_is_made_smaller_and_still_fails() {
    let (simulator, plant) = (simulator(), Some(Plant::EventAgain));
    let seed = (0..SEEDS).find(|seed| simulator.run(&Case::of(*seed), plant).finding.is_some()).expect("it is found");
    let (whole, failing) = (simulator.told(&Case::of(seed), plant), simulator.shrink(&Case::of(seed), plant));
    assert!(failing.ran.finding.is_some() && !failing.ran.trace.is_empty());
    assert!(failing.plan.lines().count() < whole.plan.lines().count() / 2, "{}", failing.plan);
    let again = Case::parse(&failing.case.to_string()).expect("a case");
    assert_eq!(simulator.run(&again, plant).finding, failing.ran.finding);
    assert_eq!(simulator.run(&again, None).finding, None, "it is the bug that was found");
}

#[test]
fn the_command_tells_what_happened_and_ends_badly_when_something_was_found() {
    let run = |arguments: &[&str]| {
        let output = Command::new(oncegate()).arg("simulate").args(arguments).output().expect("it starts");
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("UTF-8");
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (status, out, _) = run(&["--seeds", "20", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((status, told["seeds"].as_u64(), told["findings"].as_u64()), (Some(0), Some(20), Some(0)));
    assert!(told["faults"]["crash"].as_u64() > Some(0), "{out}");
    let (status, out, err) = run(&["--seeds", "1000", "--plant", "ack-before-record"]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.contains("before its record was durable") && err.contains("--case"), "{err}");
    let line = err.rsplit("--case \"").next().and_then(|rest| rest.split('"').next()).expect("a line");
    assert_eq!(run(&["--case", line, "--plant", "ack-before-record"]).0, Some(1));
    let (status, out, _) = run(&["--case", line]);
    assert!(status == Some(0) && out.contains("nothing was found"), "{out}");
    assert_eq!(run(&["--plant", "no-such-bug"]).0, Some(2));
    assert!(run(&["--list"]).1.contains("torn-tail-believed"));
}

/// Lines of cases that failed once, with what was found by them; `oncegate simulate --of cases` prints such a line.
const LIVES: &[(&str, &str)] =
    &[("163", "a case was begun and the power went before anything was asked: nothing woke it again"), ("275", "so did another")];

/// So many seeds of cases are run.
const LIVES_SEEDS: u64 = 150;

fn lives() -> Lives {
    Lives::new().expect("the built-in documents fit")
}

#[test]
fn cases_that_failed_once_do_not_fail_again() {
    let lives = lives();
    for (line, what) in LIVES {
        let case = Case::parse(line).expect("a case");
        assert_eq!(lives.run_twice(&case, None).finding, None, "{line}: {what}");
    }
}

#[test]
fn cases_of_all_seeds_come_to_their_end_and_no_step_is_lost_or_done_twice() {
    let (lives, mut counts) = (lives(), LifeCounts::default());
    for seed in 0..LIVES_SEEDS {
        let case = Case::of(seed);
        let ran = if seed % 16 == 0 { lives.run_twice(&case, None) } else { lives.run(&case, None) };
        assert_eq!(ran.finding, None, "seed {seed}: look with `oncegate simulate --of cases --seed {seed}`");
        counts.add(&ran.counts);
    }
    println!("{counts:?}");
    assert!(counts.cases >= LIVES_SEEDS && counts.ended == counts.cases && counts.done > counts.cases, "{counts:?}");
    assert!(counts.starts > LIVES_SEEDS * 2, "the gateway hardly ever starts again: {counts:?}");
    for kind in [Trouble::Crash, Trouble::Torn, Trouble::Loss, Trouble::Twice, Trouble::AnswerTwice, Trouble::DiskFull] {
        assert!(counts.troubles.get(&kind).is_some_and(|count| *count >= 10), "{kind:?}: {counts:?}");
    }
}

#[test]
fn each_planted_bug_of_cases_is_found() {
    let lives = lives();
    for plant in LifePlant::ALL {
        let found = (0..LIVES_SEEDS).find_map(|seed| Some((seed, lives.run(&Case::of(seed), Some(plant)).finding?)));
        let (seed, finding) = found.unwrap_or_else(|| panic!("{} is not found", plant.as_str()));
        println!("{} is found with seed {seed}: {finding}", plant.as_str());
        assert_eq!(LifePlant::parse(plant.as_str()), Some(plant));
    }
}
