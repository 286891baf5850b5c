use super::*;
use crate::base::limits;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Facts with the kinds that their first letter says.
struct Words;

const NAMES: [(&str, Kind); 8] = [
    ("a.yes", Kind::Truth),
    ("b.yes", Kind::Truth),
    ("c.yes", Kind::Truth),
    ("n.one", Kind::Number),
    ("n.two", Kind::Number),
    ("t.one", Kind::Text),
    ("d.one", Kind::Date),
    ("d.two", Kind::Date),
];

impl Vocabulary for Words {
    fn find(&self, name: &str) -> Option<(FactIndex, Kind)> {
        let at = NAMES.iter().position(|(known, _)| *known == name)?;
        Some((FactIndex(at as u16), NAMES[at].1))
    }

    fn nearest(&self, name: &str) -> Option<&str> {
        crate::base::fault::nearest(name, NAMES.iter().map(|(name, _)| *name))
    }
}

#[derive(Clone, Debug, Default)]
struct Known(BTreeMap<FactIndex, Value>);

impl Facts for Known {
    fn value(&self, fact: FactIndex) -> Option<&Value> {
        self.0.get(&fact)
    }
}

fn known(facts: &[(&str, Value)]) -> Known {
    Known(facts.iter().map(|(name, value)| (Words.find(name).expect("a fact").0, value.clone())).collect())
}

fn condition(text: &str) -> Condition {
    Condition::parse(text, &Words).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn because(finding: &Finding<'_>) -> Vec<&'static str> {
    finding.because().map(|fact| NAMES[usize::from(fact.0)].0).collect()
}

#[test]
fn what_is_unknown_stays_so_only_where_it_matters() {
    use Verdict::{No, Unknown, Yes};
    let facts = known(&[("a.yes", Value::Truth(true)), ("n.one", Value::Number(3)), ("t.one", Value::Text("x".into()))]);
    let cases: &[(&str, Verdict, &[&str])] = &[
        ("a.yes", Yes, &["a.yes"]),
        ("!a.yes", No, &["a.yes"]),
        ("b.yes", Unknown, &["b.yes"]),
        ("a.yes || b.yes", Yes, &["a.yes"]),
        ("b.yes || a.yes", Yes, &["a.yes"]),
        ("a.yes && b.yes", Unknown, &["b.yes"]),
        ("b.yes && !a.yes", No, &["a.yes"]),
        ("b.yes && c.yes", Unknown, &["b.yes", "c.yes"]),
        ("b.yes || c.yes || n.one > 2", Yes, &["n.one"]),
        ("n.one >= 3 && n.one <= 3 && n.one != 4", Yes, &["n.one"]),
        ("n.one < n.two", Unknown, &["n.two"]),
        ("n.two in [1, 3]", Unknown, &["n.two"]),
        ("n.one in [1, -3]", No, &["n.one"]),
        ("t.one in ['y', 'x']", Yes, &["t.one"]),
        ("t.one == 'X'", No, &["t.one"]),
        ("d.one < date('2026-03-01')", Unknown, &["d.one"]),
        ("(a.yes && n.one == 3) == true", Yes, &["a.yes", "n.one"]),
        ("(b.yes || c.yes) == a.yes", Unknown, &["b.yes", "c.yes"]),
        ("!a.yes == b.yes", Unknown, &["b.yes"]),
        ("true || b.yes", Yes, &[]),
        ("true in [true]", Yes, &[]),
    ];
    for (text, verdict, facts_of) in cases {
        let condition = condition(text);
        let finding = condition.evaluate(&facts);
        assert_eq!((finding.verdict, &because(&finding)[..]), (*verdict, *facts_of), "{text}");
    }
}

#[test]
fn operators_bind_as_they_do_in_cel() {
    let facts = known(&[("a.yes", Value::Truth(true)), ("b.yes", Value::Truth(false)), ("c.yes", Value::Truth(false))]);
    for (text, expected) in [
        ("a.yes || b.yes && c.yes", Verdict::Yes),
        ("(a.yes || b.yes) && c.yes", Verdict::No),
        ("!b.yes == a.yes", Verdict::Yes),
        ("!(b.yes == a.yes)", Verdict::Yes),
        ("!c.yes == b.yes", Verdict::No),
        ("!!a.yes", Verdict::Yes),
    ] {
        assert_eq!(condition(text).evaluate(&facts).verdict, expected, "{text}");
    }
}

#[test]
fn each_mistake_is_told_with_its_place_and_what_to_write() {
    for (text, at, what) in [
        ("", "", "expected a fact, a value or a bracket, and found the end"),
        ("a.yess", "a.yess", "no fact is called a.yess; did you mean a.yes?"),
        ("a.yes and b.yes", "and", "expected && or || or the end, and found and"),
        ("not a.yes", "not", "write ! for \"not\""),
        ("n.one = 3", "=", "to compare, write =="),
        ("n.one", "n.one", "n.one is a number, where a yes or no is needed; compare it with something, as in n.one == ..."),
        (
            "n.one && a.yes",
            "n.one",
            "n.one is a number, where a yes or no is needed; compare it with something, as in n.one == ...",
        ),
        ("n.one == '3'", "==", "a number cannot be compared with a text"),
        ("t.one < 'b'", "<", "< compares numbers and dates, and this is a text"),
        ("a.yes >= b.yes", ">=", ">= compares numbers and dates, and this is a yes or no"),
        ("1 < n.one < 3", "<", "comparisons are not chained: write brackets, or two of them with && between"),
        ("t.one == \"x\"", "\"", "a text stands in single quotes: 'text'"),
        ("t.one == 'x", "'x", "a text is not closed: expected '"),
        ("t.one == 'x\\n'", "'x\\", "a text has no backslash, line break or other control character"),
        ("d.one == '2026-03-01'", "==", "a date cannot be compared with a text"),
        ("d.one == date('2026-02-30')", "'2026-02-30'", "a date is written date('2026-03-01')"),
        ("d.one == date(2026)", "2026", "a date is written date('2026-03-01')"),
        ("n.one in 3", "3", "a list follows \"in\": in ['a', 'b'], and found 3"),
        ("n.one in [3, 'x']", "'x'", "a number is looked for in a list, and this is a text"),
        ("n.one in [n.two]", "n.two", "a list has values alone, no facts"),
        ("n.one in [3", "", "a list ends with ], and found the end"),
        ("(a.yes", "", "a bracket is not closed: expected ), and found the end"),
        ("a.yes)", ")", "expected && or || or the end, and found )"),
        ("a.yes & b.yes", "&", "for \"and\", write &&"),
        ("n.one + 1 == 2", "+", "nothing is computed here: conditions compare facts with what is written"),
        ("n.one - 1 == 2", "-", "nothing is computed here: a - stands before a digit"),
        ("n.one == 1.5", "1.5", "numbers are whole: digits alone, with a - before them or not"),
        ("n.one == 0x10", "0x10", "numbers are whole: digits alone, with a - before them or not"),
        ("n.one == 5u", "5u", "numbers are whole: digits alone, with a - before them or not"),
        ("n.one == 007", "007", "a number does not begin with 0"),
        ("n.one == 9223372036854775808", "9223372036854775808", "the number is too large: 64 bits are the most"),
        ("a.yes // always", "/", "nothing is computed here, and there are no comments"),
        ("a.yes ? b.yes : c.yes", "?", "there is no choice between two: write two conditions"),
        ("!n.one", "n.one", "n.one is a number, where a yes or no is needed; compare it with something, as in n.one == ..."),
        ("a.yes \u{a0}", "\u{a0}", "'\\u{a0}' has no meaning in a condition"),
        ("size(t.one) == 1", "size", "no fact is called size"),
        ("t.one == 'x\u{85}'", "'x\u{85}", "a text has no backslash, line break or other control character"),
    ] {
        let error = Condition::parse(text, &Words).expect_err(text);
        assert_eq!((&text[error.at.clone()], &*error.what), (at, what), "{text}");
    }
}

#[test]
fn a_condition_has_a_most_of_characters_levels_and_facts() {
    let blanks = limits::CONDITION_CHARACTERS_MAX - "a.yes".len();
    condition(&format!("a.yes{}", " ".repeat(blanks)));
    let error = Condition::parse(&format!("a.yes{}", " ".repeat(blanks + 1)), &Words).expect_err("one too many");
    assert_eq!(error.what, "a condition has at most 2000 characters");
    // Characters, not octets.
    condition(&format!("t.one == '{}'", "ё".repeat(limits::CONDITION_CHARACTERS_MAX - "t.one == ''".len())));
    for (open, close) in [("(", ")"), ("!", ""), ("!(", ")")] {
        let levels = limits::CONDITION_DEPTH_MAX / open.len();
        condition(&format!("{}a.yes{}", open.repeat(levels), close.repeat(levels)));
        let deep = format!("{}a.yes{}", open.repeat(levels + 1), close.repeat(levels + 1));
        let error = Condition::parse(&deep, &Words).expect_err("one too deep");
        assert_eq!(error.what, "brackets and ! are nested at most 64 deep");
    }
    struct Many;
    impl Vocabulary for Many {
        fn find(&self, name: &str) -> Option<(FactIndex, Kind)> {
            name.strip_prefix('f')?.parse().ok().map(|number| (FactIndex(number), Kind::Truth))
        }

        fn nearest(&self, _: &str) -> Option<&str> {
            None
        }
    }
    let of = |facts: usize| (0..facts).map(|number| format!("f{number}")).collect::<Vec<_>>().join("&&");
    assert!(Condition::parse(&of(limits::CONDITION_FACTS_MAX), &Many).is_ok());
    let error = Condition::parse(&of(limits::CONDITION_FACTS_MAX + 1), &Many).expect_err("one too many");
    assert_eq!(error.what, "a condition has at most 64 facts");
}

#[test]
fn values_are_read_as_documents_and_forms_have_them() {
    for (kind, text, value) in [
        (Kind::Truth, "true", Some(Value::Truth(true))),
        (Kind::Truth, " 0\n", Some(Value::Truth(false))),
        (Kind::Truth, "yes", None),
        (Kind::Number, "-12", Some(Value::Number(-12))),
        (Kind::Number, "1.5", None),
        (Kind::Text, " x", Some(Value::Text(" x".into()))),
        (Kind::Date, "2026-03-01", Some(Value::Date(Day::parse("2026-03-01").expect("a day")))),
        (Kind::Date, "01.03.2026", None),
    ] {
        assert_eq!(Value::parse(kind, text), value, "{text}");
    }
}

/// Conditions of all shapes, as text.
fn any_condition() -> impl Strategy<Value = String> {
    let relation = || proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let equality = || proptest::sample::select(vec!["==", "!="]);
    let leaf = prop_oneof![
        proptest::sample::select(vec!["a.yes", "b.yes", "c.yes", "true", "false"]).prop_map(str::to_owned),
        (relation(), -3_i64..3).prop_map(|(relation, number)| format!("n.one {relation} {number}")),
        relation().prop_map(|relation| format!("n.one {relation} n.two")),
        (equality(), "[xyё]{0,2}").prop_map(|(relation, text)| format!("t.one {relation} '{text}'")),
        relation().prop_map(|relation| format!("d.one {relation} date('2026-03-01')")),
        proptest::collection::vec(-2_i64..3, 1..4).prop_map(|numbers| format!("n.two in {numbers:?}")),
    ];
    leaf.prop_recursive(4, 24, 3, move |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("!({one})")),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(|some| format!("({})", some.join(" && "))),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(|some| format!("({})", some.join(" || "))),
            (inner.clone(), equality(), inner).prop_map(|(left, relation, right)| format!("(({left}) {relation} ({right}))")),
        ]
    })
}

fn any_facts() -> impl Strategy<Value = Known> {
    let value = |kind: Kind| match kind {
        Kind::Truth => any::<bool>().prop_map(Value::Truth).boxed(),
        Kind::Number => (-3_i64..3).prop_map(Value::Number).boxed(),
        Kind::Text => "[xyё]{0,2}".prop_map(|text| Value::Text(text.into())).boxed(),
        Kind::Date => (20_500_i64..20_520).prop_map(|days| Value::Date(Day::from_days(days))).boxed(),
    };
    let facts: Vec<_> = NAMES.iter().map(|(_, kind)| value(*kind)).collect();
    facts.prop_map(|values| Known((0..).map(FactIndex).zip(values).collect()))
}

fn without(facts: &Known, unknown: u8) -> Known {
    let is_known = |fact: &FactIndex| unknown & (1 << fact.0) == 0;
    Known(facts.0.iter().filter(|(fact, _)| is_known(fact)).map(|(fact, value)| (*fact, value.clone())).collect())
}

/// What CEL has for a condition whose facts are all known. A date is the number of its day there.
#[allow(clippy::disallowed_types, reason = "what the judge takes")]
fn as_cel_has_it(text: &str, facts: &Known) -> Option<bool> {
    use std::collections::HashMap;
    let environment = std::sync::Arc::new(cel::Env::stdlib());
    let program = environment.compile(text).unwrap_or_else(|error| panic!("CEL does not read {text}: {error}"));
    let mut context = cel::Context::with_env(environment);
    let day = |text: std::sync::Arc<String>| Day::parse(&text).map_or(0, Day::days_since_epoch);
    context.add_function("date", day).expect("a function");
    let mut roots = BTreeMap::<&str, HashMap<String, cel::Value>>::new();
    for (fact, value) in &facts.0 {
        let (root, field) = NAMES[usize::from(fact.0)].0.split_once('.').expect("two parts");
        let value = match value {
            Value::Truth(truth) => cel::Value::Bool(*truth),
            Value::Number(number) => cel::Value::Int(*number),
            Value::Text(text) => cel::Value::from(&**text),
            Value::Date(day) => cel::Value::Int(day.days_since_epoch()),
        };
        roots.entry(root).or_default().insert(field.to_owned(), value);
    }
    roots.into_iter().for_each(|(root, fields)| context.add_variable_from_value(root, fields));
    match program.execute(&context) {
        Ok(cel::Value::Bool(truth)) => Some(truth),
        other => panic!("CEL has {other:?} for {text}"),
    }
}

proptest! {
    /// With all facts known a condition is what it is in CEL.
    #[test]
    fn with_all_known_it_is_what_cel_has(text in any_condition(), facts in any_facts()) {
        let expected = as_cel_has_it(&text, &facts).map(Verdict::from);
        prop_assert_eq!(Some(condition(&text).evaluate(&facts).verdict), expected, "{} by {:?}", text, facts);
    }

    /// Operators without brackets bind as they do in CEL.
    #[test]
    fn without_brackets_it_is_what_cel_has(
        first in proptest::sample::select(vec!["a.yes", "!b.yes", "n.one < 1", "!c.yes == a.yes", "n.two in [0, -1]", "d.one <= d.two"]),
        rest in proptest::collection::vec((any::<bool>(), proptest::sample::select(
            vec!["a.yes", "!b.yes", "!!c.yes", "n.one == -1", "t.one != 'x'", "a.yes != !b.yes", "d.one > date('2026-02-22')"])), 0..6),
        facts in any_facts(),
    ) {
        let more = rest.iter().map(|(is_and, term)| format!(" {} {term}", if *is_and { "&&" } else { "||" }));
        let text = format!("{first}{}", more.collect::<String>());
        let expected = as_cel_has_it(&text, &facts).map(Verdict::from);
        prop_assert_eq!(Some(condition(&text).evaluate(&facts).verdict), expected, "{} by {:?}", text, facts);
    }

    /// To learn more never changes what was certain, and when all is known all is certain.
    #[test]
    fn to_learn_more_changes_nothing_that_was_certain(text in any_condition(), facts in any_facts(), unknown in any::<u8>()) {
        let condition = condition(&text);
        let (some, all) = (without(&facts, unknown), facts);
        let (before, after) = (condition.evaluate(&some).verdict, condition.evaluate(&all).verdict);
        prop_assert_ne!(after, Verdict::Unknown);
        prop_assert!(before == Verdict::Unknown || before == after, "{} by {:?}", text, some);
    }

    /// The facts that are named as the reason are enough: whatever else is known or not, the verdict stays. Where the reason is that they
    /// are not known, to learn others does not help.
    #[test]
    fn the_facts_that_say_so_are_enough(text in any_condition(), facts in any_facts(), others in any_facts(), unknown in any::<u8>()) {
        let condition = condition(&text);
        let some = without(&facts, unknown);
        let finding = condition.evaluate(&some);
        let reason: Vec<FactIndex> = finding.because().collect();
        let mut changed = others;
        if finding.verdict == Verdict::Unknown {
            changed.0.retain(|fact, _| !reason.contains(fact));
            changed.0.extend(some.0.clone());
        } else {
            changed.0.extend(reason.iter().filter_map(|fact| Some((*fact, some.0.get(fact)?.clone()))));
        }
        prop_assert_eq!(condition.evaluate(&changed).verdict, finding.verdict, "{} because of {:?}", text, reason);
    }

    /// Whatever is given is read or refused with a place in it.
    #[test]
    fn any_text_is_read_or_refused_with_its_place(text in "[a-cnt.yeso0-9'!()&|=<>,\\[\\] date\\-ё\n]{0,60}") {
        if let Err(error) = Condition::parse(&text, &Words) {
            prop_assert!(text.get(error.at.clone()).is_some(), "{:?} in {:?}", error.at, text);
        }
    }
}
