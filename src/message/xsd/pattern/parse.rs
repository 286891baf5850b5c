//! Reads a regular expression of XML Schema (part 2, appendix F) into a tree, and writes it again as it should be.
//!
//! What the specification refuses is refused, except for a few habits of real schemas whose meaning nobody doubts: a hyphen in
//! the middle of a class, and a backslash before a sign that needs none. Each of them leaves a note.

use super::class::{self, Block, Set};
use std::collections::BTreeMap;

/// No upper bound.
pub(super) const UNBOUNDED: u32 = u32::MAX;

/// A part of a pattern.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Empty,
    /// One character of the set with this number.
    Set(usize),
    Concat(Vec<Node>),
    Alternation(Vec<Node>),
    Repeat {
        node: Box<Node>,
        min: u32,
        max: u32,
    },
}

/// Patterns as read: the sets of characters are kept once each.
#[derive(Debug, Default)]
pub(super) struct Sets {
    pub(super) sets: Vec<Set>,
    /// By the strict spelling.
    by_text: BTreeMap<String, usize>,
    ranges: usize,
}

impl Sets {
    fn number(&mut self, text: &str, make: impl FnOnce() -> Option<Set>) -> Result<usize, String> {
        if let Some(known) = self.by_text.get(text) {
            return Ok(*known);
        }
        let set = make().ok_or("a pattern with a class that is not known")?;
        self.ranges = self.ranges.saturating_add(set.ranges().len());
        if self.sets.len() >= SETS_MAX || self.ranges > RANGES_MAX {
            return Err("a pattern with too many different classes of characters".to_owned());
        }
        let number = self.sets.len();
        self.sets.push(set);
        self.by_text.insert(text.to_owned(), number);
        Ok(number)
    }
}

/// What reading gives.
pub(super) struct Read {
    pub(super) node: Node,
    pub(super) canonical: String,
    pub(super) notes: Vec<String>,
}

/// Reads one pattern.
pub(super) fn read(pattern: &str, sets: &mut Sets) -> Result<Read, String> {
    if pattern.len() > PATTERN_TEXT_BYTES_MAX {
        return Err("a pattern that is too long".to_owned());
    }
    let mut parser = Parser { rest: pattern.chars(), out: String::new(), notes: Vec::new(), sets, depth: 0 };
    let node = parser.alternation()?;
    if parser.peek().is_some() {
        return Err("a pattern with an unmatched )".to_owned());
    }
    let (mut notes, canonical) = (parser.notes, parser.out);
    let ends_in_dollar = pattern.ends_with('$') && !pattern.ends_with("\\$");
    if pattern.starts_with('^') || ends_in_dollar {
        notes.push("in XML Schema ^ and $ are ordinary characters, and a pattern always means the whole value".to_owned());
    }
    notes.sort_unstable();
    notes.dedup();
    Ok(Read { node, canonical, notes })
}

struct Parser<'p> {
    rest: std::str::Chars<'p>,
    /// The strict spelling of what has been read.
    out: String,
    notes: Vec<String>,
    sets: &'p mut Sets,
    depth: usize,
}

/// What a character of a class or an escape stands for.
enum Meaning {
    Character(char),
    Class(Set),
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn peek_second(&self) -> Option<char> {
        self.rest.clone().nth(1)
    }

    fn next(&mut self) -> Option<char> {
        self.rest.next()
    }

    /// Takes a character and writes it as it is.
    fn copy(&mut self) {
        self.out.extend(self.rest.next());
    }

    fn alternation(&mut self) -> Result<Node, String> {
        let mut branches = vec![self.branch()?];
        while self.peek() == Some('|') {
            self.copy();
            branches.push(self.branch()?);
        }
        Ok(if branches.len() == 1 { branches.pop().unwrap_or(Node::Empty) } else { Node::Alternation(branches) })
    }

    fn branch(&mut self) -> Result<Node, String> {
        let mut pieces = Vec::new();
        while let Some(first) = self.peek().filter(|next| !matches!(next, '|' | ')')) {
            let atom = self.atom(first)?;
            pieces.push(self.quantified(atom)?);
        }
        Ok(match pieces.len() {
            0 => Node::Empty,
            1 => pieces.pop().unwrap_or(Node::Empty),
            _ => Node::Concat(pieces),
        })
    }

    fn atom(&mut self, first: char) -> Result<Node, String> {
        let from = self.out.len();
        match first {
            '(' => return self.group(),
            '?' | '*' | '+' | '{' | '}' | ']' => return Err(format!("a pattern with {first} where a character should be")),
            '[' => {
                let set = self.class()?;
                return self.set(from, || Some(set));
            }
            '.' => {
                self.copy();
                return self.set(from, || Some(class::dot()));
            }
            '\\' => match self.escape()? {
                Meaning::Character(character) => return self.character(character),
                Meaning::Class(set) => return self.set(from, || Some(set)),
            },
            _ => self.copy(),
        }
        self.character(first)
    }

    fn set(&mut self, from: usize, make: impl FnOnce() -> Option<Set>) -> Result<Node, String> {
        let text = self.out.get(from..).unwrap_or_default();
        self.sets.number(text, make).map(Node::Set)
    }

    fn character(&mut self, character: char) -> Result<Node, String> {
        let text = String::from(character);
        self.sets
            .number(if character == '.' { "[.]" } else { &text }, || Some(class::of(&[(character, character)])))
            .map(Node::Set)
    }

    fn group(&mut self) -> Result<Node, String> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH_MAX {
            return Err("a pattern with groups nested too deep".to_owned());
        }
        self.copy();
        let node = self.alternation()?;
        if self.peek() != Some(')') {
            return Err("a pattern with an unmatched (".to_owned());
        }
        self.copy();
        self.depth = self.depth.saturating_sub(1);
        Ok(node)
    }

    fn quantified(&mut self, node: Node) -> Result<Node, String> {
        let (min, max) = match self.peek() {
            Some('?') => (0, 1),
            Some('*') => (0, UNBOUNDED),
            Some('+') => (1, UNBOUNDED),
            Some('{') => {
                self.copy();
                let range = self.quantity()?;
                if self.peek() != Some('}') {
                    return Err("a pattern with a quantifier that is not {n}, {n,} or {n,m}".to_owned());
                }
                range
            }
            _ => return Ok(node),
        };
        self.copy();
        Ok(match (min, max) {
            _ if matches!(node, Node::Empty) => Node::Empty,
            (_, 0) => Node::Empty,
            (1, 1) => node,
            _ => Node::Repeat { node: Box::new(node), min, max },
        })
    }

    fn quantity(&mut self) -> Result<(u32, u32), String> {
        let min = self.number()?;
        if self.peek() != Some(',') {
            return Ok((min, min));
        }
        self.copy();
        if self.peek() == Some('}') {
            return Ok((min, UNBOUNDED));
        }
        let max = self.number()?;
        if min > max {
            return Err("a pattern with a quantifier whose lower bound is above its upper bound".to_owned());
        }
        Ok((min, max))
    }

    /// A number; those that no value can reach are as good as [`COUNT_MAX`].
    fn number(&mut self) -> Result<u32, String> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(10)) {
            number = Some(number.unwrap_or(0_u32).saturating_mul(10).saturating_add(digit).min(COUNT_MAX));
            self.copy();
        }
        number.ok_or_else(|| "a pattern with a quantifier that is not {n}, {n,} or {n,m}".to_owned())
    }

    /// A class in brackets (productions 12 to 21), with subtraction.
    fn class(&mut self) -> Result<Set, String> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH_MAX {
            return Err("a pattern with classes nested too deep".to_owned());
        }
        self.copy();
        let negated = self.peek() == Some('^');
        if negated {
            self.copy();
        }
        let mut set = class::of(&[]);
        let (mut first, mut after_range) = (true, false);
        let mut taken = None;
        while self.peek() != Some(']') {
            match self.peek().ok_or("a pattern with an unmatched [")? {
                '[' => return Err("a pattern with [ inside a class; it is written \\[ there".to_owned()),
                '-' if !first && self.peek_second() == Some('[') => {
                    self.copy();
                    taken = Some(self.class()?);
                    if self.peek() != Some(']') {
                        return Err("a pattern with something behind the class that is taken away".to_owned());
                    }
                    break;
                }
                '-' => {
                    if first {
                        self.copy();
                    } else {
                        self.hyphen();
                    }
                    set.union(&class::of(&[('-', '-')]));
                    if after_range && self.is_range_ahead() {
                        return Err("a pattern with a hyphen between two ranges; it is written \\- there".to_owned());
                    }
                    after_range = false;
                }
                _ => after_range = self.class_item(&mut set)?,
            }
            first = false;
        }
        if first {
            return Err("a pattern with an empty class".to_owned());
        }
        self.copy();
        self.depth = self.depth.saturating_sub(1);
        let mut set = if negated { class::negated(set) } else { set };
        if let Some(taken) = taken {
            set.difference(&taken);
        }
        Ok(set)
    }

    /// A hyphen behind something else that stands for itself, which it may only at the end.
    fn hyphen(&mut self) {
        self.next();
        if self.peek() == Some(']') || (self.peek() == Some('-') && self.peek_second() == Some('[')) {
            self.out.push('-');
            return;
        }
        self.out.push_str("\\-");
        self.notes.push("a hyphen in the middle of a class, where the specification wants \\-".to_owned());
    }

    /// Whether a range follows: a character, a hyphen, and something that is not the end.
    fn is_range_ahead(&self) -> bool {
        let mut ahead = self.rest.clone();
        let start = ahead.next();
        let hyphen = if start == Some('\\') { ahead.nth(1) } else { ahead.next() };
        start != Some(']') && hyphen == Some('-') && !matches!(ahead.next(), Some(']' | '[') | None)
    }

    /// A character, a range, or an escape; says whether it was a range.
    fn class_item(&mut self, set: &mut Set) -> Result<bool, String> {
        let start = match self.class_character()? {
            Meaning::Class(class) => {
                set.union(&class);
                return Ok(false);
            }
            Meaning::Character(start) => start,
        };
        let is_range = self.peek() == Some('-') && !matches!(self.peek_second(), Some(']' | '[') | None);
        if !is_range {
            set.union(&class::of(&[(start, start)]));
            return Ok(false);
        }
        self.copy();
        if self.peek() == Some('-') {
            return Err("a pattern with a range that ends in an unescaped hyphen".to_owned());
        }
        let Meaning::Character(end) = self.class_character()? else {
            return Err("a pattern with a range that ends in a class".to_owned());
        };
        if end < start {
            return Err("a pattern with a range whose end is before its start".to_owned());
        }
        set.union(&class::of(&[(start, end)]));
        Ok(true)
    }

    fn class_character(&mut self) -> Result<Meaning, String> {
        match self.peek().ok_or("a pattern with an unmatched [")? {
            '\\' => self.escape(),
            other => {
                self.copy();
                Ok(Meaning::Character(other))
            }
        }
    }

    fn escape(&mut self) -> Result<Meaning, String> {
        self.next();
        let escaped = self.next().ok_or("a pattern that ends in a backslash")?;
        let meaning = match escaped {
            'n' => Meaning::Character('\n'),
            'r' => Meaning::Character('\r'),
            't' => Meaning::Character('\t'),
            '\\' | '|' | '.' | '-' | '^' | '?' | '*' | '+' | '{' | '}' | '(' | ')' | '[' | ']' => Meaning::Character(escaped),
            'p' | 'P' => return self.property(escaped),
            letter if letter.is_ascii_alphabetic() => {
                Meaning::Class(class::escape(letter).ok_or_else(|| format!("a pattern with the escape \\{letter}"))?)
            }
            sign if sign.is_ascii_punctuation() || sign == ' ' => {
                self.out.push(sign);
                self.notes.push(format!("a backslash before {sign}, which needs none"));
                return Ok(Meaning::Character(sign));
            }
            other => return Err(format!("a pattern with the escape \\{other}")),
        };
        self.out.push('\\');
        self.out.push(escaped);
        Ok(meaning)
    }

    /// `\p{…}` and `\P{…}`.
    fn property(&mut self, letter: char) -> Result<Meaning, String> {
        const BROKEN: &str = "a pattern with \\p that is not followed by a name in braces";
        if self.next() != Some('{') {
            return Err(BROKEN.to_owned());
        }
        let (name, _) = self.rest.as_str().split_once('}').ok_or(BROKEN)?;
        let name = name.to_owned();
        let set = match name.strip_prefix("Is") {
            None => class::category(&name).ok_or_else(|| format!("a pattern with the category {name}, which there is not"))?,
            Some(block) => match class::block(block) {
                Some(Block::Listed(set)) => set,
                Some(Block::Later(set)) => {
                    self.notes.push(format!("the block {block}, which Unicode 3.1 does not have by this name"));
                    set
                }
                None => return Err(format!("a pattern with the block {block}, which there is not")),
            },
        };
        self.rest.by_ref().take(name.chars().count().saturating_add(1)).for_each(drop);
        self.out.extend(['\\', letter, '{']);
        self.out.push_str(&name);
        self.out.push('}');
        Ok(Meaning::Class(if letter == 'P' { class::negated(set) } else { set }))
    }
}

/// Longest pattern, in octets.
const PATTERN_TEXT_BYTES_MAX: usize = 1 << 16;
/// Most groups or classes within each other.
const DEPTH_MAX: usize = 100;
/// Most different sets of characters in the patterns of one step.
const SETS_MAX: usize = 4096;
/// Most ranges of all of them.
const RANGES_MAX: usize = 1 << 18;
/// No value has as many characters, so larger counts need not be told apart.
const COUNT_MAX: u32 = 1 << 24;
