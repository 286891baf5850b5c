use super::plan::Plan;
use super::*;
use proptest::prelude::*;

fn matches(pattern: &str, value: &str) -> bool {
    Pattern::compile(&[pattern]).expect(pattern).matches(value, &mut Caches::default())
}

#[test]
fn patterns_mean_the_whole_value() {
    for (pattern, yes, no) in [
        ("a|ab", &["a", "ab"][..], &["", "abb", "b"][..]),
        ("[A-Z]{2}-[A-Z0-9]{1,3}", &["RU-YAR", "EE-3"], &["RU-", "ru-YAR", "RU-YAROS", "RU-YAR\n"]),
        ("^a$", &["^a$"], &["a"]),
        ("a.c", &["abc", "aяc", "a c"], &["a\nc", "ac", "a\rc"]),
        (r"\d+\.\d", &["12.3", "١.٢"], &["12x3"]),
        (r"[a-z0-9.\-]*", &["", "a-b.c"], &["A", "a b"]),
        ("[-a]+[a-]", &["-a", "a-"], &["b-"]),
        ("[^a-c]", &["d", "я"], &["a", "dd"]),
        (r"\p{Lu}\p{Ll}+", &["Анна", "Zoë"], &["анна"]),
        (r"\p{Zl}\P{Zp}", &["\u{2028}a"], &["a\u{2029}"]),
        (r"\p{IsCyrillic}+", &["привет"], &["hello", ""]),
        (r"\P{IsBasicLatin}", &["я"], &["a"]),
        (r"\p{IsHighSurrogates}*", &[""], &["a"]),
        ("[a-z-[aeiou]]+", &["bcd"], &["bad", "-"]),
        (r"[^a-z-[0-9-[5]]]", &["A", "5", "-"], &["a", "3"]),
        (r"[\i-[:]][\c-[:]]*", &["_a-1", "я.б"], &["1a", "a:b", ""]),
        (r"\w+\s\S", &["яz1 !"], &["! a", "a  b\t"]),
        (r"\n\r\t\\\|\.\?\*\+\(\)\{\}\-\[\]\^", &["\n\r\t\\|.?*+(){}-[]^"], &["nrt"]),
        ("(ab){2,}", &["abab", "ababab"], &["ab"]),
        ("(a|b){0,2}c{3}", &["ccc", "abccc"], &["cc", "aabccc"]),
        ("a{0}b", &["b"], &["ab"]),
        ("(a*)*", &["", "aaa"], &["b"]),
        ("", &[""], &["a"]),
        ("a||b", &["a", "", "b"], &["ab"]),
        ("a&&b~", &["a&&b~"], &["a"]),
        ("[a&&b]", &["&", "a"], &["c"]),
        ("[^^]", &["a"], &["^"]),
        (r"[\^\-\]]", &["^", "-", "]"], &["\\"]),
        (r"[\w\W]*", &["", "a \n"], &[]),
        (r"[^\w\W]|a", &["a"], &["b", ""]),
    ] {
        yes.iter().for_each(|value| assert!(matches(pattern, value), "{pattern} {value:?}"));
        no.iter().for_each(|value| assert!(!matches(pattern, value), "{pattern} {value:?}"));
    }
}

#[test]
fn what_is_no_pattern_is_refused() {
    for pattern in [
        "(",
        ")",
        "a)",
        "[",
        "[]",
        "[^]",
        "[a",
        "[c-a]",
        "[a-c-1-4]",
        r"[a-\d]",
        "[[:alpha:]]",
        "[a-[b]c]",
        r"\b",
        r"\1",
        r"\Z",
        r"\p{Foo}",
        r"\p{IsFoo}",
        r"\p{Cs}",
        r"\p{L",
        r"\pL",
        r"\p{lu}",
        "a{",
        "a{2",
        "a{x}",
        "a{,2}",
        "a{}",
        "{2}",
        "*",
        "+a",
        "a**",
        "a+?",
        "(?i)a",
        "a{2}{3}",
        r"\",
        "{",
        "}",
        "a]",
        "a{2,1}",
        r"\я",
        "a{1, 2}",
    ] {
        assert!(Pattern::compile(&[pattern]).is_err(), "{pattern}");
        assert_eq!(canonical(pattern), None, "{pattern}");
    }
}

#[test]
fn habits_of_makers_are_read_and_noted() {
    for (pattern, strict, yes) in [
        ("[a-zA-Z0-9-+.]", r"[a-zA-Z0-9\-+.]", "-"),
        (r"[\w-.]", r"[\w\-.]", "-"),
        (r"\/\_\@", "/_@", "/_@"),
        (r#"[\"\/]"#, r#"["/]"#, "/"),
        (r"[\w-a-z]", r"[\w\-a-z]", "-"),
        (r"\p{IsGreekandCoptic}", r"\p{IsGreekandCoptic}", "α"),
        ("^a$", "^a$", "^a$"),
    ] {
        let compiled = Pattern::compile(&[pattern]).expect(pattern);
        assert!(!compiled.notes().is_empty(), "{pattern}");
        assert!(compiled.matches(yes, &mut Caches::default()), "{pattern}");
        assert_eq!(canonical(pattern).as_deref(), Some(strict));
        assert!(matches(strict, yes), "{strict}");
    }
    for pattern in [r"[a\-z]-\-", "[-a]", "[a-]", "[a-z-[aeiou]]", r"\$", r"a\$"] {
        assert_eq!(Pattern::compile(&[pattern]).map(|compiled| compiled.notes().len()), Ok(usize::from(pattern.contains('$'))));
        assert_eq!(canonical(pattern).map(|strict| strict.replace('$', "")), Some(pattern.replace(r"\$", "")));
    }
}

#[test]
fn large_counts_of_one_class_need_no_automaton() {
    let mut caches = Caches::default();
    for (pattern, yes, no) in [
        (".{1,4000}", 4000, 4001),
        (r"[\s\S]{0,2000}", 2000, 2001),
        (r"\p{L}{1,100}", 100, 101),
        ("я{1000000}", 1_000_000, 999_999),
        ("я{0,99999999999}", 1_000_000, usize::MAX),
        ("я[я]{2,3}", 4, 5),
    ] {
        let compiled = Pattern::compile(&[pattern]).expect(pattern);
        assert!(matches!(compiled.plan, Plan::Runs(..)), "{pattern}");
        assert!(compiled.matches(&"я".repeat(yes), &mut caches), "{pattern}");
        assert!(no == usize::MAX || !compiled.matches(&"я".repeat(no), &mut caches), "{pattern}");
    }
}

#[test]
fn counts_within_patterns_are_bounded() {
    let mut caches = Caches::default();
    for (pattern, yes, no) in [
        (r"\S(.{0,1998}\S)?", "я".repeat(2000), "я".repeat(2001)),
        (r"(\p{L}{1,100} ?){1,10}", "я".repeat(1000), "я".repeat(1001)),
        (r"\p{Lu}.{0,2000}\p{Ll}", format!("Я{}я", "Я".repeat(2000)), format!("Я{}я", "Я".repeat(2001))),
        ("(abcdefghij){0,500}", "abcdefghij".repeat(500), "abcdefghij".repeat(501)),
    ] {
        let compiled = Pattern::compile(&[pattern]).expect(pattern);
        for _ in 0..2 {
            assert!(compiled.matches(&yes, &mut caches), "{pattern}");
            assert!(!compiled.matches(&no, &mut caches), "{pattern}");
        }
    }
    for pattern in [
        "(a{0,1000}b?){0,1000}",
        "((a{0,100}){0,100}b?){0,100}",
        "(a{1,9999}b){9999}",
        "((((a?){99}){99}){99}){99}",
        r"\p{Lu}.{0,4000}\p{Ll}",
    ] {
        assert!(Pattern::compile(&[pattern]).is_err(), "{pattern}");
    }
    let deep = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Pattern::compile(&[&deep(100)]).is_ok() && Pattern::compile(&[&deep(101)]).is_err());
}

#[test]
fn more_characters_than_symbols_are_matched_by_their_octets() {
    let letters = (0x4E00..0x4E00 + 300).filter_map(char::from_u32).map(String::from).collect::<Vec<_>>();
    let compiled = Pattern::compile(&[&letters.join("|")]).expect("a pattern");
    assert!(matches!(compiled.plan, Plan::Table(_, _, None) | Plan::Lazy(_, None)));
    let mut caches = Caches::default();
    assert!(letters.iter().all(|letter| compiled.matches(letter, &mut caches)));
    assert!(!compiled.matches("a", &mut caches) && !compiled.matches("", &mut caches));
}

#[test]
fn any_alternative_of_a_step_will_do() {
    let compiled = Pattern::compile(&["a+", "b{2}|c"]).expect("patterns");
    let mut caches = Caches::default();
    for (value, good) in [("aaa", true), ("bb", true), ("c", true), ("b", false), ("ac", false)] {
        assert_eq!(compiled.matches(value, &mut caches), good, "{value}");
    }
}

#[test]
fn blocks_and_name_tables_are_in_order() {
    for table in [letters::LETTERS, letters::FOLLOWERS] {
        assert!(table.windows(2).all(|pair| pair[0].1 < pair[1].0) && table.iter().all(|(start, end)| start <= end));
    }
    for (character, starts, follows) in [
        ('a', true, true),
        ('1', false, true),
        ('·', false, true),
        ('\u{346}', false, false),
        ('Ā', true, true),
        ('\u{132}', false, false),
    ] {
        assert_eq!((letters::starts_name(character), letters::follows_in_name(character)), (starts, follows), "{character:?}");
    }
}

#[test]
fn samples_match() {
    for pattern in [r"\d{10}", "[A-Z]{2}-[0-9]{4,}", "(0[1-9]|1[0-2])/20[0-9]{2}", r"\p{IsCyrillic}+", "[^a-zA-Z0-9]", "a*"] {
        let compiled = Pattern::compile(&[pattern]).expect(pattern);
        let samples = compiled.samples();
        assert!(samples.iter().all(|sample| compiled.matches(sample, &mut Caches::default())), "{samples:?}");
        assert!(!samples.is_empty(), "{pattern}");
    }
}

/// A pattern whose meaning is known without reading it.
#[derive(Clone, Debug)]
enum Tree {
    One(char),
    Class { negated: bool, holds: Vec<char> },
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Times(Box<Tree>, u32, Option<u32>),
}

impl Tree {
    fn text(&self) -> String {
        match self {
            Self::One(character) => character.to_string(),
            Self::Class { negated, holds } => format!("[{}{}]", if *negated { "^" } else { "" }, String::from_iter(holds)),
            Self::All(trees) => trees.iter().map(Self::text).collect(),
            Self::Any(trees) => format!("({})", trees.iter().map(Self::text).collect::<Vec<_>>().join("|")),
            Self::Times(tree, min, max) => {
                let count = match (min, max) {
                    (0, None) => "*".to_owned(),
                    (1, None) => "+".to_owned(),
                    (0, Some(1)) => "?".to_owned(),
                    (min, None) => format!("{{{min},}}"),
                    (min, Some(max)) if min == max => format!("{{{min}}}"),
                    (min, Some(max)) => format!("{{{min},{max}}}"),
                };
                format!("({}){count}", tree.text())
            }
        }
    }

    /// All places where a match that begins at a place can end.
    fn ends(&self, value: &[char], at: usize) -> Vec<usize> {
        let mut ends = match self {
            Self::One(character) => value.get(at).filter(|found| *found == character).map(|_| at + 1).into_iter().collect(),
            Self::Class { negated, holds } => {
                value.get(at).filter(|found| holds.contains(found) != *negated).map(|_| at + 1).into_iter().collect()
            }
            Self::All(trees) => {
                trees.iter().fold(vec![at], |ends, tree| ends.iter().flat_map(|at| tree.ends(value, *at)).collect())
            }
            Self::Any(trees) => trees.iter().flat_map(|tree| tree.ends(value, at)).collect(),
            Self::Times(tree, min, max) => {
                let (mut now, mut all) = (vec![at], Vec::new());
                // After as many rounds as there are characters beyond the fewest, only empty ones could follow.
                for round in 0..=max.unwrap_or(*min + 8) {
                    if round >= *min {
                        all.extend(&now);
                    }
                    now = now.iter().flat_map(|at| tree.ends(value, *at)).collect();
                    now.sort_unstable();
                    now.dedup();
                }
                all
            }
        };
        ends.sort_unstable();
        ends.dedup();
        ends
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let character = || prop::sample::select(vec!['a', 'b', 'c', 'я']);
    let leaf = prop_oneof![
        character().prop_map(Tree::One),
        (any::<bool>(), prop::collection::vec(character(), 1..3)).prop_map(|(negated, holds)| Tree::Class { negated, holds }),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::Any),
            (inner, 0..3_u32, prop::option::of(0..3_u32)).prop_map(|(tree, min, more)| Tree::Times(
                Box::new(tree),
                min,
                more.map(|more| min + more)
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matching_agrees_with_a_slow_and_plain_one(tree in tree(), values in prop::collection::vec("[abcя]{0,7}", 8)) {
        let pattern = tree.text();
        let compiled = Pattern::compile(&[&pattern]).expect("a pattern of the subset");
        let mut caches = Caches::default();
        for value in values {
            let characters = value.chars().collect::<Vec<_>>();
            let expected = tree.ends(&characters, 0).contains(&characters.len());
            prop_assert_eq!(compiled.matches(&value, &mut caches), expected, "{} {}", pattern, value);
        }
        for sample in compiled.samples() {
            prop_assert!(compiled.matches(&sample, &mut caches), "{} {}", pattern, sample);
        }
        prop_assert_eq!(canonical(&pattern), Some(pattern));
    }

    #[test]
    fn nothing_that_is_read_panics(pattern in r"[a-c\\\[\](){}|^$.,*+?0-9pPIsLu-]{0,24}", value in "[a-c0-9-]{0,8}") {
        if let Ok(compiled) = Pattern::compile(&[&pattern]) {
            let strict = canonical(&pattern).expect("what compiles has a strict spelling");
            let again = Pattern::compile(&[&strict]).expect("the strict spelling compiles");
            let mut caches = Caches::default();
            prop_assert_eq!(compiled.matches(&value, &mut caches), again.matches(&value, &mut caches), "{}", pattern);
        }
    }
}
