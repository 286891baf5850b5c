//! From text to condition: tokens, precedence as in CEL, types.

use super::{ConditionError, FactIndex, Kind, Node, Operand, Relation, Value, Vocabulary};
use crate::base::limits;
use crate::base::time::Day;
use std::ops::Range;

type Parsed<T> = Result<T, ConditionError>;

fn error<T>(at: Range<usize>, what: impl Into<String>) -> Parsed<T> {
    Err(ConditionError { at, what: what.into() })
}

pub(super) fn parse(text: &str, vocabulary: &dyn Vocabulary) -> Parsed<(Node, Vec<FactIndex>)> {
    if let Some((cut, _)) = text.char_indices().nth(limits::CONDITION_CHARACTERS_MAX) {
        return error(cut..text.len(), format!("a condition has at most {} characters", limits::CONDITION_CHARACTERS_MAX));
    }
    let mut parser = Parser { text, at: 0, token: Token::End, span: 0..0, depth: 0, vocabulary, facts: Vec::new() };
    parser.advance()?;
    let whole = parser.any()?;
    match parser.token {
        Token::End => {}
        Token::Operator(operator) if RELATIONS.iter().any(|(text, _)| *text == operator) => {
            return error(parser.span, "comparisons are not chained: write brackets, or two of them with && between");
        }
        _ => return error(parser.span.clone(), format!("expected && or || or the end, and found {}", parser.found())),
    }
    let root = whole.truth()?;
    Ok((root, parser.facts))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'t> {
    Word(&'t str),
    Number(i64),
    Text(&'t str),
    Operator(&'static str),
    End,
}

/// Longer ones first.
const OPERATORS: [&str; 14] = ["||", "&&", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ","];

const RELATIONS: [(&str, Relation); 6] = [
    ("==", Relation::Equal),
    ("!=", Relation::NotEqual),
    ("<", Relation::Less),
    ("<=", Relation::AtMost),
    (">", Relation::Greater),
    (">=", Relation::AtLeast),
];

/// What people write who come from other languages.
const HABITS: [(&str, &str); 9] = [
    ("=", "to compare, write =="),
    ("&", "for \"and\", write &&"),
    ("|", "for \"or\", write ||"),
    ("\"", "a text stands in single quotes: 'text'"),
    ("`", "a text stands in single quotes: 'text'"),
    ("?", "there is no choice between two: write two conditions"),
    ("+", "nothing is computed here: conditions compare facts with what is written"),
    ("*", "nothing is computed here: conditions compare facts with what is written"),
    ("/", "nothing is computed here, and there are no comments"),
];

/// Words that are operators elsewhere.
const WORDS: [(&str, &str); 5] = [
    ("and", "write && for \"and\""),
    ("or", "write || for \"or\""),
    ("not", "write ! for \"not\""),
    ("True", "write true"),
    ("False", "write false"),
];

struct Parser<'t> {
    text: &'t str,
    /// Behind the token.
    at: usize,
    token: Token<'t>,
    /// Where the token stands.
    span: Range<usize>,
    depth: usize,
    vocabulary: &'t dyn Vocabulary,
    facts: Vec<FactIndex>,
}

/// A part of a condition, and where it stands.
struct Part {
    operand: Operand,
    kind: Kind,
    /// The name of a fact alone.
    name: Option<String>,
    at: Range<usize>,
}

impl Part {
    fn of(node: Node, at: Range<usize>) -> Self {
        Self { operand: Operand::Node(Box::new(node)), kind: Kind::Truth, name: None, at }
    }

    /// It as something that is true or false.
    fn truth(self) -> Parsed<Node> {
        match (self.operand, self.kind) {
            (Operand::Node(node), _) => Ok(*node),
            (Operand::Fact(fact), Kind::Truth) => Ok(Node::Fact(fact)),
            (Operand::Value(Value::Truth(truth)), _) => Ok(Node::Always(truth)),
            (_, kind) => {
                let what = self.name.as_deref().unwrap_or("this");
                error(
                    self.at,
                    format!("{what} is {kind}, where a yes or no is needed; compare it with something, as in {what} == ..."),
                )
            }
        }
    }
}

impl<'t> Parser<'t> {
    fn any(&mut self) -> Parsed<Part> {
        self.joined("||", Self::all, Node::Any)
    }

    fn all(&mut self) -> Parsed<Part> {
        self.joined("&&", Self::relation, Node::All)
    }

    fn joined(&mut self, by: &'static str, part: fn(&mut Self) -> Parsed<Part>, join: fn(Vec<Node>) -> Node) -> Parsed<Part> {
        let first = part(self)?;
        if self.token != Token::Operator(by) {
            return Ok(first);
        }
        let start = first.at.start;
        let (mut end, mut nodes) = (first.at.end, vec![first.truth()?]);
        while self.token == Token::Operator(by) {
            self.advance()?;
            let next = part(self)?;
            end = next.at.end;
            nodes.push(next.truth()?);
        }
        Ok(Part::of(join(nodes), start..end))
    }

    fn relation(&mut self) -> Parsed<Part> {
        let left = self.unary()?;
        if self.token == Token::Word("in") {
            return self.one_of(left);
        }
        let Token::Operator(operator) = self.token else { return Ok(left) };
        let Some((_, relation)) = RELATIONS.iter().find(|(text, _)| *text == operator) else { return Ok(left) };
        let span = self.span.clone();
        self.advance()?;
        let right = self.unary()?;
        let at = left.at.start..right.at.end;
        if left.kind != right.kind {
            return error(span, format!("{} cannot be compared with {}", left.kind, right.kind));
        }
        let is_ordered = !matches!(relation, Relation::Equal | Relation::NotEqual);
        if is_ordered && !matches!(left.kind, Kind::Number | Kind::Date) {
            return error(span, format!("{operator} compares numbers and dates, and this is {}", left.kind));
        }
        Ok(Part::of(Node::Compare(*relation, left.operand, right.operand), at))
    }

    fn one_of(&mut self, left: Part) -> Parsed<Part> {
        self.advance()?;
        self.expect("[", "a list follows \"in\": in ['a', 'b']")?;
        let mut values = Vec::new();
        loop {
            let item = self.primary()?;
            let Operand::Value(value) = item.operand else { return error(item.at, "a list has values alone, no facts") };
            if value.kind() != left.kind {
                return error(item.at, format!("{} is looked for in a list, and this is {}", left.kind, value.kind()));
            }
            values.push(value);
            if self.token != Token::Operator(",") {
                break;
            }
            self.advance()?;
        }
        let end = self.span.end;
        self.expect("]", "a list ends with ]")?;
        Ok(Part::of(Node::OneOf(left.operand, values), left.at.start..end))
    }

    fn unary(&mut self) -> Parsed<Part> {
        if self.token != Token::Operator("!") {
            return self.primary();
        }
        let start = self.span.start;
        self.deeper()?;
        self.advance()?;
        let part = self.unary()?;
        self.depth -= 1;
        let at = start..part.at.end;
        Ok(Part::of(Node::Not(Box::new(part.truth()?)), at))
    }

    fn primary(&mut self) -> Parsed<Part> {
        let at = self.span.clone();
        let value = match self.token {
            Token::Operator("(") => return self.bracketed(),
            Token::Number(number) => Value::Number(number),
            Token::Text(text) => Value::Text(text.into()),
            Token::Word("true") => Value::Truth(true),
            Token::Word("false") => Value::Truth(false),
            Token::Word("date") => return self.date(),
            Token::Word(name) => return self.fact(name),
            Token::Operator(_) | Token::End => {
                return error(at, format!("expected a fact, a value or a bracket, and found {}", self.found()));
            }
        };
        self.advance()?;
        let kind = value.kind();
        Ok(Part { operand: Operand::Value(value), kind, name: None, at })
    }

    fn bracketed(&mut self) -> Parsed<Part> {
        let start = self.span.start;
        self.deeper()?;
        self.advance()?;
        let part = self.any()?;
        let end = self.span.end;
        self.expect(")", "a bracket is not closed: expected )")?;
        self.depth -= 1;
        Ok(Part { at: start..end, ..part })
    }

    fn date(&mut self) -> Parsed<Part> {
        let start = self.span.start;
        self.advance()?;
        self.expect("(", "a date is written date('2026-03-01')")?;
        let day = match self.token {
            Token::Text(text) => Day::parse(text),
            _ => None,
        };
        let Some(day) = day else { return error(self.span.clone(), "a date is written date('2026-03-01')") };
        self.advance()?;
        let end = self.span.end;
        self.expect(")", "a date is written date('2026-03-01')")?;
        Ok(Part { operand: Operand::Value(Value::Date(day)), kind: Kind::Date, name: None, at: start..end })
    }

    fn fact(&mut self, name: &str) -> Parsed<Part> {
        let at = self.span.clone();
        let Some((index, kind)) = self.vocabulary.find(name) else {
            if let Some((_, what)) = WORDS.iter().find(|(word, _)| *word == name) {
                return error(at, *what);
            }
            let near = self.vocabulary.nearest(name).map_or(String::new(), |near| format!("; did you mean {near}?"));
            return error(at, format!("no fact is called {name}{near}"));
        };
        let known = self.facts.iter().position(|known| *known == index);
        let number = known.unwrap_or(self.facts.len());
        if known.is_none() {
            if number >= limits::CONDITION_FACTS_MAX {
                return error(at, format!("a condition has at most {} facts", limits::CONDITION_FACTS_MAX));
            }
            self.facts.push(index);
        }
        self.advance()?;
        Ok(Part { operand: Operand::Fact(number as u8), kind, name: Some(name.to_owned()), at })
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > limits::CONDITION_DEPTH_MAX {
            return error(self.span.clone(), format!("brackets and ! are nested at most {} deep", limits::CONDITION_DEPTH_MAX));
        }
        Ok(())
    }

    fn expect(&mut self, operator: &'static str, what: &str) -> Parsed<()> {
        if self.token != Token::Operator(operator) {
            return error(self.span.clone(), format!("{what}, and found {}", self.found()));
        }
        self.advance()
    }

    fn found(&self) -> String {
        match self.token {
            Token::End => "the end".to_owned(),
            _ => self.text.get(self.span.clone()).unwrap_or_default().to_owned(),
        }
    }

    fn advance(&mut self) -> Parsed<()> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        let start = self.at + blanks;
        let rest = rest.get(blanks..).unwrap_or_default();
        let (token, length) = token(rest).map_err(|(length, what)| ConditionError { at: start..start + length, what })?;
        (self.token, self.span, self.at) = (token, start..start + length, start + length);
        Ok(())
    }
}

/// The token at the beginning of a text, and its length; or what is wrong with so many octets.
fn token(rest: &str) -> Result<(Token<'_>, usize), (usize, String)> {
    let Some(first) = rest.chars().next() else { return Ok((Token::End, 0)) };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let length = |is_in: fn(char) -> bool| rest.find(|c| !is_in(c)).unwrap_or(rest.len());
    if first.is_ascii_alphabetic() || first == '_' {
        let length = length(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        return Ok((Token::Word(rest.get(..length).unwrap_or_default()), length));
    }
    if first.is_ascii_digit() || first == '-' {
        let length = rest.get(1..).and_then(|tail| tail.find(|c| !is_word(c))).map_or(rest.len(), |end| end + 1);
        return number(rest.get(..length).unwrap_or_default()).map(|number| (Token::Number(number), length));
    }
    if first == '\'' {
        return text(rest);
    }
    if let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
        return Ok((Token::Operator(operator), operator.len()));
    }
    let habit = HABITS.iter().find(|(habit, _)| rest.starts_with(habit)).map(|(_, what)| (*what).to_owned());
    Err((first.len_utf8(), habit.unwrap_or_else(|| format!("{first:?} has no meaning in a condition"))))
}

fn number(word: &str) -> Result<i64, (usize, String)> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let wrong = |what: &str| Err((word.len(), what.to_owned()));
    if digits.is_empty() {
        return wrong("nothing is computed here: a - stands before a digit");
    }
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return wrong("numbers are whole: digits alone, with a - before them or not");
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return wrong("a number does not begin with 0");
    }
    word.parse().or_else(|_| wrong("the number is too large: 64 bits are the most"))
}

fn text(rest: &str) -> Result<(Token<'_>, usize), (usize, String)> {
    let inner = rest.get(1..).unwrap_or_default();
    let Some(end) = inner.find('\'') else { return Err((rest.len(), "a text is not closed: expected '".to_owned())) };
    let text = inner.get(..end).unwrap_or_default();
    match text.char_indices().find(|(_, c)| *c == '\\' || c.is_control()) {
        Some((at, c)) => {
            Err((at + 1 + c.len_utf8(), "a text has no backslash, line break or other control character".to_owned()))
        }
        None => Ok((Token::Text(text), end + 2)),
    }
}
