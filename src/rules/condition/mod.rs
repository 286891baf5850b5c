//! The condition language: when a step of a life situation applies to somebody, and what is asked about a record without showing it.
//!
//! A condition is a strict subset of the Common Expression Language: `||`, `&&`, `!`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `in [...]`,
//! brackets, facts such as `child.birth_order`, whole numbers, `'texts'`, `true`, `false` and `date('2026-03-01')`. It has no
//! functions and no loops, so it ends; it has types, which are checked when it is read, so it cannot fail later. Where a fact is not
//! known, a condition may be neither true nor false (Kleene's strong logic of three values), and says because of which facts.

mod parse;
pub mod speech;
#[cfg(test)]
mod tests;

use crate::base::time::Day;
use std::fmt;
use std::ops::Range;

/// What a fact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `true` or `false`.
    Truth,
    /// A whole number of 64 bits.
    Number,
    /// A text.
    Text,
    /// A day of the calendar.
    Date,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Truth, Self::Number, Self::Text, Self::Date];

    /// Its name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truth => "bool",
            Self::Number => "int",
            Self::Text => "text",
            Self::Date => "date",
        }
    }

    /// Reads such a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// In words, with its article.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truth => "a yes or no",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Date => "a date",
        })
    }
}

/// What a fact is found to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// `true` or `false`.
    Truth(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Box<str>),
    /// A day.
    Date(Day),
}

impl Value {
    /// What it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Truth(_) => Kind::Truth,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Date(_) => Kind::Date,
        }
    }

    /// Reads a value as it stands in documents, forms and files: `true`, `1` and the like, `-12`, any text, `2026-03-01`.
    pub fn parse(kind: Kind, text: &str) -> Option<Self> {
        match (kind, text.trim_matches([' ', '\t', '\r', '\n'])) {
            (Kind::Truth, "true" | "1") => Some(Self::Truth(true)),
            (Kind::Truth, "false" | "0") => Some(Self::Truth(false)),
            (Kind::Truth, _) => None,
            (Kind::Number, digits) => digits.parse().ok().map(Self::Number),
            (Kind::Text, _) => Some(Self::Text(text.into())),
            (Kind::Date, day) => Day::parse(day).map(Self::Date),
        }
    }
}

/// As a condition has it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth(truth) => truth.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Date(day) => day.fmt(f),
        }
    }
}

/// The number of a fact in its vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FactIndex(pub u16);

/// The facts that conditions may speak of.
pub trait Vocabulary {
    /// A fact by its name.
    fn find(&self, name: &str) -> Option<(FactIndex, Kind)>;

    /// The name that is most like this one.
    fn nearest(&self, name: &str) -> Option<&str>;
}

/// What is known of the facts.
pub trait Facts {
    /// The value of a fact, if it is known. It is of the fact's kind.
    fn value(&self, fact: FactIndex) -> Option<&Value>;
}

/// What is wrong with a condition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionError {
    /// The octets of its text that are meant.
    pub at: Range<usize>,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for ConditionError {}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, whatever is not known.
    Yes,
    /// It does not, whatever is not known.
    No,
    /// That depends on facts that are not known.
    Unknown,
}

impl From<bool> for Verdict {
    fn from(truth: bool) -> Self {
        if truth { Self::Yes } else { Self::No }
    }
}

/// Facts of one condition: a bit for each, by the order in which it names them.
type Set = u64;

/// Whether a condition holds, and which facts say so; or which have to be known to say so.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'c> {
    condition: &'c Condition,
    /// Whether it holds.
    pub verdict: Verdict,
    because: Set,
}

impl<'c> Finding<'c> {
    /// The facts that it follows from, or that have to be known; in the order in which the condition names them.
    pub fn because(&self) -> impl Iterator<Item = FactIndex> + use<'c> {
        let set = self.because;
        self.condition.facts.iter().enumerate().filter(move |(at, _)| set & (1 << at) != 0).map(|(_, fact)| *fact)
    }
}

/// A condition whose facts are there and whose types fit.
#[derive(Clone, Debug)]
pub struct Condition {
    text: Box<str>,
    root: Node,
    facts: Vec<FactIndex>,
}

/// Two conditions are the same when their texts are.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

/// What is true, false or unknown.
#[derive(Clone, Debug)]
enum Node {
    Always(bool),
    Fact(u8),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    Compare(Relation, Operand, Operand),
    OneOf(Operand, Vec<Value>),
}

/// What is compared.
#[derive(Clone, Debug)]
enum Operand {
    Value(Value),
    Fact(u8),
    Node(Box<Node>),
}

/// How two things compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Relation {
    fn holds(self, left: &Value, right: &Value) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl Condition {
    /// Reads a condition, and checks it against the facts that there are.
    pub fn parse(text: &str, vocabulary: &dyn Vocabulary) -> Result<Self, ConditionError> {
        parse::parse(text, vocabulary).map(|(root, facts)| Self { text: text.into(), root, facts })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The facts that it names, each once, in their order.
    pub fn facts(&self) -> &[FactIndex] {
        &self.facts
    }

    /// Whether it holds by what is known.
    pub fn evaluate(&self, known: &(impl Facts + ?Sized)) -> Finding<'_> {
        let (verdict, because) = Evaluation { facts: &self.facts, known }.node(&self.root);
        Finding { condition: self, verdict, because }
    }
}

struct Evaluation<'e, F: ?Sized> {
    facts: &'e [FactIndex],
    known: &'e F,
}

/// A value that is looked at, or what has to be known for it.
enum Seen<'e> {
    Value(&'e Value, Set),
    Truth(bool, Set),
    Unknown(Set),
}

impl<'e, F: Facts + ?Sized> Evaluation<'e, F> {
    fn node(&self, node: &'e Node) -> (Verdict, Set) {
        match node {
            Node::Always(truth) => (Verdict::from(*truth), 0),
            Node::Fact(fact) => match self.fact(*fact) {
                Seen::Value(Value::Truth(truth), set) => (Verdict::from(*truth), set),
                Seen::Value(_, set) | Seen::Truth(_, set) | Seen::Unknown(set) => (Verdict::Unknown, set),
            },
            Node::Not(node) => match self.node(node) {
                (Verdict::Yes, set) => (Verdict::No, set),
                (Verdict::No, set) => (Verdict::Yes, set),
                unknown => unknown,
            },
            Node::All(nodes) => self.several(nodes, Verdict::No, Verdict::Yes),
            Node::Any(nodes) => self.several(nodes, Verdict::Yes, Verdict::No),
            Node::Compare(relation, left, right) => self.compare(*relation, left, right),
            Node::OneOf(operand, values) => match self.operand(operand) {
                Seen::Value(value, set) => (Verdict::from(values.contains(value)), set),
                Seen::Truth(truth, set) => (Verdict::from(values.contains(&Value::Truth(truth))), set),
                Seen::Unknown(set) => (Verdict::Unknown, set),
            },
        }
    }

    /// One that is `decisive` decides; without one, and with all known, it is the `other`.
    fn several(&self, nodes: &'e [Node], decisive: Verdict, other: Verdict) -> (Verdict, Set) {
        let (mut known, mut unknown) = (0, None);
        for node in nodes {
            match self.node(node) {
                (verdict, set) if verdict == decisive => return (verdict, set),
                (Verdict::Unknown, set) => unknown = Some(unknown.unwrap_or(0) | set),
                (_, set) => known |= set,
            }
        }
        unknown.map_or((other, known), |set| (Verdict::Unknown, set))
    }

    fn compare(&self, relation: Relation, left: &'e Operand, right: &'e Operand) -> (Verdict, Set) {
        match (self.operand(left), self.operand(right)) {
            (Seen::Unknown(left), Seen::Unknown(right)) => (Verdict::Unknown, left | right),
            (Seen::Unknown(set), _) | (_, Seen::Unknown(set)) => (Verdict::Unknown, set),
            (Seen::Value(left, known), Seen::Value(right, also)) => (Verdict::from(relation.holds(left, right)), known | also),
            (Seen::Value(left, known), Seen::Truth(right, also)) => {
                (Verdict::from(relation.holds(left, &Value::Truth(right))), known | also)
            }
            (Seen::Truth(left, known), Seen::Value(right, also)) => {
                (Verdict::from(relation.holds(&Value::Truth(left), right)), known | also)
            }
            (Seen::Truth(left, known), Seen::Truth(right, also)) => {
                (Verdict::from(relation.holds(&Value::Truth(left), &Value::Truth(right))), known | also)
            }
        }
    }

    fn operand(&self, operand: &'e Operand) -> Seen<'e> {
        match operand {
            Operand::Value(value) => Seen::Value(value, 0),
            Operand::Fact(fact) => self.fact(*fact),
            Operand::Node(node) => match self.node(node) {
                (Verdict::Unknown, set) => Seen::Unknown(set),
                (verdict, set) => Seen::Truth(verdict == Verdict::Yes, set),
            },
        }
    }

    fn fact(&self, fact: u8) -> Seen<'e> {
        let set = 1 << fact;
        let value = self.facts.get(usize::from(fact)).and_then(|index| self.known.value(*index));
        value.map_or(Seen::Unknown(set), |value| Seen::Value(value, set))
    }
}
