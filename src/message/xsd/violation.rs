//! What is said of a document that breaks a rule.

/// A rule that a document breaks, in words without any of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule's name in the specification.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
}
