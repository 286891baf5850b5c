//! Patterns: regular expressions of XML Schema 1.0, part 2, appendix F, as a table-driven automaton.
//!
//! The two languages look alike and differ: in XML Schema `^` and `$` are ordinary characters, a pattern always means
//! the whole value, and `.` means all but line ends. So each pattern is translated piece by piece; a piece that the
//! translation does not know is refused.

use crate::base::limits;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, MatchKind};
use std::fmt;
use std::sync::Arc;

/// A compiled pattern; cheap to clone.
#[derive(Clone)]
pub(super) struct Pattern {
    dfa: Arc<dense::DFA<Vec<u32>>>,
    start: StateID,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pattern")
    }
}

impl Pattern {
    /// Compiles the alternatives of one step of derivation: a value must match any of them.
    pub(super) fn compile(alternatives: &[&str]) -> Result<Self, String> {
        let translated = alternatives.iter().map(|pattern| Translation::of(pattern)).collect::<Result<Vec<_>, _>>()?;
        let joined = translated.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|");
        let built = automaton(&joined, Some(limits::SCHEMA_PATTERN_BYTES_MAX));
        let dfa = built.map_err(|error| format!("a pattern that cannot be compiled: {error}"))?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes));
        let start = start.map_err(|error| format!("a pattern that cannot be started: {error}"))?;
        Ok(Self { dfa: Arc::new(dfa), start })
    }

    /// Whether the whole value matches.
    pub(super) fn matches(&self, value: &str) -> bool {
        let mut state = self.start;
        for byte in value.bytes() {
            state = self.dfa.next_state(state, byte);
            if self.dfa.is_dead_state(state) {
                return false;
            }
        }
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }
}

/// All of what is made on the way to it is held to the limit as well.
fn automaton(pattern: &str, bytes_max: Option<usize>) -> Result<dense::DFA<Vec<u32>>, dense::BuildError> {
    // All matches, not the leftmost-first one: `a|ab` must see the end of `ab`.
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::All)
        .dfa_size_limit(bytes_max)
        .determinize_size_limit(bytes_max);
    let states = thompson::Config::new().nfa_size_limit(bytes_max);
    dense::Builder::new().configure(config).thompson(states).syntax(syntax::Config::new()).build(pattern)
}

/// What a character of a pattern stands for.
enum Meaning {
    Character(char),
    Class(&'static str),
}

struct Translation<'p> {
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    out: String,
    depth: usize,
}

impl<'p> Translation<'p> {
    fn of(pattern: &'p str) -> Result<String, String> {
        let mut translation = Self { rest: pattern.chars().peekable(), out: String::new(), depth: 0 };
        translation.branches()?;
        match translation.rest.peek() {
            None => Ok(translation.out),
            Some(_) => Err("a pattern with an unmatched )".to_owned()),
        }
    }

    fn branches(&mut self) -> Result<(), String> {
        while let Some(next) = self.rest.peek().copied() {
            match next {
                ')' => return Ok(()),
                '|' => {
                    self.rest.next();
                    self.out.push('|');
                }
                _ => {
                    self.atom(next)?;
                    self.quantifier()?;
                }
            }
        }
        Ok(())
    }

    fn atom(&mut self, first: char) -> Result<(), String> {
        self.rest.next();
        match first {
            '(' => return self.group(),
            '[' => return self.class(),
            '.' => self.out.push_str("[^\\n\\r]"),
            '\\' => match self.escape()? {
                Meaning::Character(character) => self.literal(character),
                Meaning::Class(class) => self.out.push_str(class),
            },
            '?' | '*' | '+' | '{' | '}' | ']' => return Err(format!("a pattern with {first} where a character should be")),
            other => self.literal(other),
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        if self.depth >= 16 || self.rest.peek() == Some(&'?') {
            return Err("a pattern with (? or groups nested too deep".to_owned());
        }
        self.depth = self.depth.saturating_add(1);
        self.out.push_str("(?:");
        self.branches()?;
        self.depth = self.depth.saturating_sub(1);
        self.out.push(')');
        self.rest.next().map(|_| ()).ok_or_else(|| "a pattern with an unmatched (".to_owned())
    }

    fn quantifier(&mut self) -> Result<(), String> {
        match self.rest.peek() {
            Some(&sign @ ('?' | '*' | '+')) => {
                self.rest.next();
                self.out.push(sign);
            }
            Some('{') => {
                self.rest.next();
                let inner: String = self.rest.by_ref().take_while(|character| *character != '}').collect();
                let (low, high) = inner.split_once(',').unwrap_or((&inner, &inner));
                let number = |text: &str| text.len() <= 4 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                if !number(low) || !(high.is_empty() || number(high)) {
                    return Err(format!("a pattern with the quantifier {{{inner}}}"));
                }
                self.out.push_str(&format!("{{{inner}}}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// The inside of `[…]`; subtraction and a hyphen in the middle are refused, for programs disagree about them.
    fn class(&mut self) -> Result<(), String> {
        const BROKEN: &str = "a pattern with a character class that is not of the subset";
        self.out.push('[');
        if self.rest.peek() == Some(&'^') {
            self.rest.next();
            self.out.push('^');
        }
        let mut empty = true;
        loop {
            let character = match self.rest.next().ok_or(BROKEN)? {
                ']' if !empty => break,
                '-' if empty || self.rest.peek() == Some(&']') => '-',
                '[' | ']' | '-' => return Err(BROKEN.to_owned()),
                '\\' => match self.escape()? {
                    Meaning::Character(character) => character,
                    Meaning::Class(class) => {
                        self.out.push_str(class);
                        empty = false;
                        continue;
                    }
                },
                other => other,
            };
            empty = false;
            self.literal(character);
            let mut ahead = self.rest.clone();
            if ahead.next() == Some('-') && ahead.next() != Some(']') {
                self.rest.next();
                let end = match self.rest.next().ok_or(BROKEN)? {
                    '\\' => match self.escape()? {
                        Meaning::Character(end) => end,
                        Meaning::Class(_) => return Err(BROKEN.to_owned()),
                    },
                    '[' | ']' | '-' => return Err(BROKEN.to_owned()),
                    end => end,
                };
                if end < character {
                    return Err(BROKEN.to_owned());
                }
                self.out.push('-');
                self.literal(end);
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn escape(&mut self) -> Result<Meaning, String> {
        let escaped = self.rest.next().ok_or("a pattern that ends in a backslash")?;
        Ok(match escaped {
            'n' => Meaning::Character('\n'),
            'r' => Meaning::Character('\r'),
            't' => Meaning::Character('\t'),
            '\\' | '|' | '.' | '-' | '^' | '?' | '*' | '+' | '{' | '}' | '(' | ')' | '[' | ']' => Meaning::Character(escaped),
            'd' => Meaning::Class("\\p{Nd}"),
            's' => Meaning::Class("[ \\t\\n\\r]"),
            'p' => {
                let name: String = self.rest.by_ref().take_while(|character| *character != '}').collect();
                Meaning::Class(match name.as_str() {
                    "{L" => "\\p{L}",
                    "{Lu" => "\\p{Lu}",
                    "{Ll" => "\\p{Ll}",
                    "{N" => "\\p{N}",
                    "{Nd" => "\\p{Nd}",
                    _ => return Err("a pattern with a category other than L, Lu, Ll, N, Nd".to_owned()),
                })
            }
            other => return Err(format!("a pattern with the escape \\{other}")),
        })
    }

    fn literal(&mut self, character: char) {
        self.out.push_str(&format!("\\x{{{:x}}}", u32::from(character)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("(ab){2,}", &["abab", "ababab"], &["ab"]),
            ("", &[""], &["a"]),
            ("a&&b~", &["a&&b~"], &["a"]),
            ("[a&&b]", &["&", "a"], &["c"]),
        ] {
            let compiled = Pattern::compile(&[pattern]).expect(pattern);
            yes.iter().for_each(|value| assert!(compiled.matches(value), "{pattern} {value}"));
            no.iter().for_each(|value| assert!(!compiled.matches(value), "{pattern} {value}"));
        }
    }

    #[test]
    fn what_is_not_translated_is_refused() {
        for pattern in [
            "(",
            ")",
            "a)",
            "[",
            "[]",
            "[a-z-[aeiou]]",
            "[a-c-e]",
            "[c-a]",
            r"\w",
            r"\i",
            r"\c",
            r"\b",
            r"\1",
            r"\p{IsCyrillic}",
            r"\P{L}",
            "a{",
            "a{x}",
            "a{,2}",
            "*",
            "+a",
            "a**",
            "(?i)a",
            "a{2}{3}",
            r"\",
            "{",
            "a]",
            "a{2,1}",
            "[[:alpha:]]",
        ] {
            assert!(Pattern::compile(&[pattern]).is_err(), "{pattern}");
        }
    }

    /// Patterns grow step by step up to the first that is refused: the last one before is as large as one may be.
    #[test]
    fn an_automaton_is_as_large_as_it_may_be_and_not_larger() {
        const MAX: usize = limits::SCHEMA_PATTERN_BYTES_MAX;
        for piece in ["(abcdefgh)", "(abcdefghijklmnopqrst)"] {
            let (mut taken, mut refused) = (1, 9_999);
            while refused - taken > 1 {
                let middle = (taken + refused) / 2;
                let is_taken = Pattern::compile(&[&format!("{piece}{{{middle}}}")]).is_ok();
                *if is_taken { &mut taken } else { &mut refused } = middle;
            }
            let size = |count| automaton(&format!("{piece}{{{count}}}"), None).expect("there is no limit").memory_usage();
            assert!(size(taken) <= MAX && size(refused) > MAX, "{piece}: {taken}, {}, {}", size(taken), size(refused));
        }
    }

    #[test]
    fn a_pattern_has_a_limit() {
        assert!(Pattern::compile(&["(\\p{L}{1,500}x){1,50}"]).is_err());
    }
}
