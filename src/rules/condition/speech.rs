//! A condition in somebody's words. What holds what together is said here; the words are the speaker's.

use super::{Condition, FactIndex, Node, Operand, Relation, Value};

/// Whoever says a condition, in a language.
pub trait Speech {
    /// What a fact is called.
    fn fact(&self, fact: FactIndex) -> String;

    /// A value.
    fn value(&self, value: &Value) -> String;

    /// Parts, put together.
    fn phrase(&self, phrase: Phrase, parts: &[String]) -> String;
}

/// How parts are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phrase {
    /// It holds always.
    Always,
    /// It never holds.
    Never,
    /// The one part is so.
    Is,
    /// The one part is not so.
    IsNot,
    /// All of these hold.
    All,
    /// One of these holds.
    Any,
    /// The first part compares so with the second.
    Compare(Relation),
    /// The first part is one of the others.
    OneOf,
    /// The one part is kept together.
    Group,
}

impl Condition {
    /// The condition in somebody's words.
    pub fn speak(&self, speech: &impl Speech) -> String {
        Speaking { condition: self, speech }.node(&self.root)
    }
}

struct Speaking<'s, S> {
    condition: &'s Condition,
    speech: &'s S,
}

impl<S: Speech> Speaking<'_, S> {
    fn node(&self, node: &Node) -> String {
        match node {
            Node::Always(true) => self.speech.phrase(Phrase::Always, &[]),
            Node::Always(false) => self.speech.phrase(Phrase::Never, &[]),
            Node::Fact(fact) => self.speech.phrase(Phrase::Is, &[self.fact(*fact)]),
            Node::Not(inside) => match inside.as_ref() {
                Node::Fact(fact) => self.speech.phrase(Phrase::IsNot, &[self.fact(*fact)]),
                other => self.speech.phrase(Phrase::IsNot, &[self.inside(other)]),
            },
            Node::All(nodes) => self.several(Phrase::All, nodes),
            Node::Any(nodes) => self.several(Phrase::Any, nodes),
            Node::Compare(relation, left, right) => {
                self.speech.phrase(Phrase::Compare(*relation), &[self.operand(left), self.operand(right)])
            }
            Node::OneOf(operand, values) => {
                let values = values.iter().map(|value| self.speech.value(value));
                let parts: Vec<String> = std::iter::once(self.operand(operand)).chain(values).collect();
                self.speech.phrase(Phrase::OneOf, &parts)
            }
        }
    }

    fn several(&self, phrase: Phrase, nodes: &[Node]) -> String {
        let parts: Vec<String> = nodes.iter().map(|node| self.inside(node)).collect();
        self.speech.phrase(phrase, &parts)
    }

    /// What has parts of its own is kept together where it is a part itself.
    fn inside(&self, node: &Node) -> String {
        let said = self.node(node);
        if matches!(node, Node::All(_) | Node::Any(_)) { self.speech.phrase(Phrase::Group, &[said]) } else { said }
    }

    fn operand(&self, operand: &Operand) -> String {
        match operand {
            Operand::Value(value) => self.speech.value(value),
            Operand::Fact(fact) => self.fact(*fact),
            Operand::Node(node) => self.inside(node),
        }
    }

    fn fact(&self, fact: u8) -> String {
        self.condition.facts.get(usize::from(fact)).map_or_else(String::new, |fact| self.speech.fact(*fact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::condition::{Kind, Vocabulary};

    /// A condition as it is written.
    struct Written;

    const NAMES: [(&str, Kind); 3] = [("a.x", Kind::Truth), ("a.y", Kind::Truth), ("a.n", Kind::Number)];

    impl Vocabulary for Written {
        fn find(&self, name: &str) -> Option<(FactIndex, Kind)> {
            let at = NAMES.iter().position(|(known, _)| *known == name)?;
            Some((FactIndex(at as u16), NAMES[at].1))
        }

        fn nearest(&self, _: &str) -> Option<&str> {
            None
        }
    }

    impl Speech for Written {
        fn fact(&self, fact: FactIndex) -> String {
            NAMES[usize::from(fact.0)].0.to_owned()
        }

        fn value(&self, value: &Value) -> String {
            value.to_string()
        }

        fn phrase(&self, phrase: Phrase, parts: &[String]) -> String {
            match phrase {
                Phrase::Always => "true".to_owned(),
                Phrase::Never => "false".to_owned(),
                Phrase::Is => parts[0].clone(),
                Phrase::IsNot => format!("!{}", parts[0]),
                Phrase::All => parts.join(" && "),
                Phrase::Any => parts.join(" || "),
                Phrase::Compare(Relation::AtLeast) => parts.join(" >= "),
                Phrase::Compare(_) => parts.join(" < "),
                Phrase::OneOf => format!("{} in [{}]", parts[0], parts[1..].join(", ")),
                Phrase::Group => format!("({})", parts[0]),
            }
        }
    }

    #[test]
    fn a_condition_is_said_as_it_is_meant() {
        for text in [
            "a.x",
            "!a.x",
            "a.x && !(a.x || a.y) && a.n >= 3",
            "(a.x && a.y) || a.n < 2",
            "a.n in [1, 2] && (a.x || !a.y)",
            "true",
        ] {
            let condition = Condition::parse(text, &Written).expect("a condition");
            assert_eq!(condition.speak(&Written), text);
        }
    }
}
