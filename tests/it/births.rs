//! What the demo tells of life situations: each line of it was seen by a party of the case over its own connection.

use crate::process::oncegate;
use crate::tool::said;
use serde_json::Value;
use std::process::{Command, Stdio};

/// What the demo prints.
fn demo(arguments: &[&str]) -> String {
    let mut command = Command::new(oncegate());
    let output = command.args(["demo", "--birth", "--once"]).args(arguments).stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The lines of a story with a word, each from its agency on.
fn of<'t>(told: &'t str, word: &str) -> Vec<&'t str> {
    let rest = |line: &'t str| {
        let line = line.trim_start();
        let line = line
            .strip_prefix("day ")
            .and_then(|rest| Some(rest.split_once(' ')?.1.split_once(' ')?.1.trim_start()))
            .unwrap_or(line);
        line.strip_prefix(word).filter(|rest| rest.starts_with(' ')).map(str::trim)
    };
    told.lines().filter_map(rest).collect()
}

/// The number in front of some words.
fn number(told: &str, words: &str) -> u64 {
    let at = told.find(words).unwrap_or_else(|| panic!("no \"{words}\": {told}"));
    told[..at].split_whitespace().next_back().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{words}: {told}"))
}

/// The hospital tells of it; six agencies do what follows, each document is fetched from whoever has it, and the family says what nobody
/// else knows.
#[test]
fn the_demo_tells_of_a_birth_and_of_a_note() {
    let told = demo(&[]);
    let (birth, note) = told.split_once("\nThe note of a pupil").expect("two stories");
    assert!(of(birth, "told").len() == 1 && of(birth, "told")[0].starts_with("xx.town.maternity "), "{birth}");
    assert_eq!(of(birth, "begun").len(), 1, "{birth}");
    assert!(of(birth, "begun")[0].contains("birth-of-child 2026.2"), "{birth}");
    // Each step with its agency, and what it makes.
    let done = of(birth, "done");
    for (step, agency, makes) in [
        ("register-birth", "xx.town.zags", "birth-certificate:child"),
        ("snils", "xx.town.sfr", "insurance-number:child"),
        ("health-policy", "xx.town.tfoms", "health-policy:child"),
        ("residence", "xx.town.mvd", "residence-record:child"),
        ("birth-allowance", "xx.town.sfr", "benefit-decision:mother"),
        ("unified-allowance", "xx.town.sfr", "benefit-decision:mother"),
        ("family-capital", "xx.town.sfr", "family-capital:mother"),
        ("kindergarten", "xx.town.kindergarten", ""),
    ] {
        let is_it = |line: &&&str| line.starts_with(&format!("{agency} ")) && line.contains(&format!(" {step}: "));
        let line = done.iter().find(is_it).unwrap_or_else(|| panic!("{step}: {birth}"));
        assert!(line.ends_with(makes), "{line}");
    }
    assert_eq!(of(birth, "over"), ["xx.town.cases              the case is done"], "{birth}");
    // The family is told of each step, and of the end, by mail.
    let mailed = of(birth, "mailed");
    assert!(mailed.iter().all(|line| line.starts_with("family@home.example ") && line.contains("You need to ")), "{birth}");
    for words in ["answer a few questions", "All that follows the birth of your child is done."] {
        assert!(mailed.iter().any(|line| line.contains(words)), "{words}: {birth}");
    }
    // What mails say is not what is counted.
    let birth: String = birth.lines().filter(|line| !line.contains(" mailed ")).map(|line| format!("{line}\n")).collect();
    let birth = birth.as_str();
    assert_eq!(mailed.len() as u64, number(birth, " notices to the family"), "{birth}");
    assert!(mailed.len() >= 6, "{birth}");
    // What is told in lines is what is counted.
    let documents: usize = of(birth, "fetched").iter().map(|line| line.split(", ").count()).sum();
    let (fetched, made) = (number(birth, " documents fetched"), number(birth, " made on the way"));
    assert_eq!(documents as u64, fetched, "{birth}");
    assert!(fetched + made >= 14, "{birth}");
    assert!(number(birth, " demanded from the family") <= 1 && number(birth, " question") <= 2, "{birth}");
    assert!(of(birth, "asked").iter().any(|line| line.contains("Shall the child be put on the kindergarten list?")), "{birth}");
    assert!(number(birth, " documents carried") >= 2 * number(birth, " demanded"), "{birth}");
    assert_eq!(number(birth, " of 8 steps done"), 8, "{birth}");
    // The diagnosis is nowhere.
    assert!(of(note, "told").iter().all(|line| line.starts_with("xx.town.clinic ")), "{note}");
    assert!(of(note, "done").len() == 1 && of(note, "done")[0].starts_with("xx.town.school "), "{note}");
    assert_eq!(number(note, " of "), 0, "{note}");
    assert!(number(note, " messages to others") > 0, "{note}");
}

/// In Yaroslavl one desk issues the certificate and the policy.
#[test]
fn in_yaroslavl_the_demo_tells_of_the_clinic() {
    let told: Value = serde_json::from_str(&demo(&["--region", "RU-YAR", "--json"])).expect("one line of JSON");
    let (birth, note) = (&told["birth"], &told["note"]);
    let desks: Vec<(&str, &str)> = birth["atDesks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|at| (at["step"].as_str().unwrap_or_default(), at["desk"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(desks, [("register-birth", "xx.town.perinatal-clinic"), ("health-policy", "xx.town.perinatal-clinic")], "{told}");
    assert_eq!((&birth["state"], &birth["done"]), (&Value::from("done"), &birth["steps"]), "{told}");
    let count = |what: &str| birth[what].as_u64().expect("a number");
    assert!(count("fetched") + count("made") >= 14 && count("brought") <= 1 && count("questions") <= 2, "{told}");
    assert_eq!((&note["school"], &note["withDiagnosis"]), (&Value::from("xx.town.school"), &Value::from(0)), "{told}");
}
