//! The twenty checks of a conformance run, as a table: what is sent, what is expected, what it means if that does not come, and what to
//! do next. The page [docs/conformance.md](../../../docs/conformance.md) has the same rows.

/// What is done in a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Ask about the first person.
    Found,
    /// Ask about the second person.
    Second,
    /// Ask about a person without a record.
    NoRecord,
    /// Select nothing that is optional.
    Bare,
    /// Select one optional field.
    Selected,
    /// Ask the same with a new id.
    Again,
    /// Ask about two persons at once.
    Pair,
    /// Ask twenty questions at once.
    Crowd,
    /// Ask with the number of the first person in a scheme that nobody has.
    OtherScheme,
    /// Ask with wildcards.
    Wildcards,
    /// Ask with what a database would run.
    Injection,
    /// Ask with what only looks like an identifier.
    LookAlikes,
    /// Deliver a question twice.
    Twice,
    /// Do not wait for the answer, and get it later.
    Late,
    /// Ask with a deadline that is near.
    Deadline,
    /// Ask as usual after that.
    After,
    /// Send a question of which an octet was altered.
    Altered,
    /// Send a question signed with a key that nobody registered.
    UnknownKey,
    /// Send a question that has expired.
    Expired,
    /// Knock without the gateway's certificate.
    Stranger,
}

/// A check: one row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What is done.
    pub step: Step,
    /// Its name.
    pub name: &'static str,
    /// What is sent.
    pub sent: &'static str,
    /// What is expected: the rule.
    pub rule: &'static str,
    /// What it means if that does not come.
    pub meaning: &'static str,
    /// What to do then.
    pub next: &'static str,
}

impl Step {
    /// Whether it needs a port of the agency. Whoever has none is reached by the gateway alone.
    pub fn is_at_port(self) -> bool {
        matches!(self, Self::Altered | Self::UnknownKey | Self::Expired | Self::Stranger)
    }
}

macro_rules! checks {
    ($($step:ident, $name:literal, $sent:literal, $rule:literal, $meaning:literal, $next:literal;)*) => {
        /// The checks, in the order in which they are made; a report numbers them from 1.
        pub const CHECKS: [Check; 20] = [$(Check {
            step: Step::$step, name: $name, sent: $sent, rule: $rule, meaning: $meaning, next: $next,
        }),*];
    };
}

checks! {
    Found, "found", "a question about the first person of whom there is a record",
        "the document comes, valid by its schema, signed, about that person",
        "an agency that may ask would not get what the register has",
        "see the code; oncegate refusals ID --as FOLDER tells the holder in detail why its answer was refused";
    Second, "found-second", "a question about the second person of whom there is a record",
        "that person's document comes, and not the first one's",
        "the system answers whatever is asked with what it has at hand",
        "look the person up by the identifier in Context of each question";
    NoRecord, "no-record", "a question about a person of whom there is no record",
        "a signed answer that there is no record",
        "people would be taken for others, or an outage for an answer",
        "answer with NoRecord if the register has nobody by this identifier, and with a signed fault if it could not be asked";
    Bare, "nothing-optional", "a question that selects no optional field, though the grant gives some",
        "no optional field is in the document",
        "more is told about people than was asked",
        "leave out every optional field that the header Oncegate-Fields does not name";
    Selected, "one-field", "questions that select one optional field each",
        "of the optional fields the selected one comes, or none",
        "more is told about people than was asked",
        "give the optional fields that the header Oncegate-Fields names, and no others";
    Again, "found-again", "the question of check 1 twice, each with an id of its own",
        "both answers say the same",
        "what is said of people depends on chance",
        "make the document from the record alone; only its head may be new each time";
    Pair, "two-at-once", "questions about both persons at the same time",
        "each answer is about the person of its question",
        "under load one person's document would go out as another's",
        "keep nothing about a question in a place that two questions share";
    Crowd, "twenty-at-once", "twenty questions at the same time, about both persons and the one without a record",
        "all are answered, each about the person of its question",
        "the system breaks down or mixes people up on a busy day",
        "let the system take twenty questions at once, or ask the operator for load.parallel in the registry";
    OtherScheme, "other-scheme", "the first person's number in a scheme of identifiers that nobody has",
        "a signed answer that there is no record, or a signed fault",
        "numbers of different kinds would be taken for each other, and people with them",
        "compare the scheme of an identifier as well as its value";
    Wildcards, "wildcards", "identifiers with signs that a search may take for \"any\"",
        "nobody is found by them",
        "whoever sends a pattern gets a person nobody has named",
        "compare identifiers as a whole and octet for octet, never by LIKE or a pattern";
    Injection, "injection", "identifiers that a database or a shell would run",
        "nobody is found by them, and the next question is answered",
        "the register can be read or changed by whoever sends a question",
        "give identifiers to the database as parameters, never as a part of a statement";
    LookAlikes, "look-alikes", "formulas, markup, a very long value, zeros in front, and letters that look like digits of the first person's number",
        "nobody is found by them",
        "one person has several numbers, and some of them are somebody else's",
        "take an identifier as it stands, without adding, dropping or changing a character";
    Twice, "twice", "one question delivered twice, octet for octet",
        "both answers say the same",
        "a question that a network repeats would be answered twice differently",
        "answer a question that comes again as the first time; its id is the same";
    Late, "late", "a question whose asker does not wait",
        "the answer comes afterwards and is kept for the asker",
        "answers that take their time would be lost",
        "answer each question when its answer is there, by a message of its own if the connection has ended";
    Deadline, "time-out", "a question whose deadline is two seconds away",
        "it is answered in time or not at all",
        "an answer that nobody waits for any more would count",
        "give a question up when its ExpiresAt has passed";
    After, "after-time-out", "a usual question after that",
        "it is answered as if nothing had been",
        "one slow question stops those behind it",
        "let no question wait for another one, and end what has taken too long";
    Altered, "altered", "at the agency's port: a question of which one octet was altered after it was signed",
        "no document and no \"no record\" comes",
        "the signature is not verified, so anybody in between could ask",
        "verify the signature over the whole message before anything is looked up";
    UnknownKey, "unknown-key", "at the agency's port: a question signed with a key whose certificate no authority has issued",
        "no document and no \"no record\" comes",
        "a signature by anybody counts",
        "verify that the signer's certificate leads to the authority in ca.pem and names the sender";
    Expired, "expired", "at the agency's port: a question that expired an hour ago",
        "no document and no \"no record\" comes",
        "a question that somebody has kept can be asked again at any time",
        "refuse a question whose ExpiresAt has passed by more than five minutes";
    Stranger, "stranger", "at the agency's port: a good question from somebody who does not have the gateway's certificate",
        "no document and no \"no record\" comes",
        "questions get around the gateway: past its rules, and without a record",
        "let nobody in whose TLS certificate is not the gateway's";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_check_as_the_table_has_it() {
        let page = include_str!("../../../docs/conformance.md");
        for (at, Check { name, sent, rule, next, .. }) in CHECKS.iter().enumerate() {
            let row = format!("| {} | `{name}` | {sent} | {rule} | {next} |", at + 1);
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn each_step_is_made_once_and_each_text_says_something_of_its_own() {
        let steps: std::collections::BTreeSet<Step> = CHECKS.iter().map(|check| check.step).collect();
        let names: std::collections::BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!((steps.len(), names.len()), (20, 20));
        assert!(
            CHECKS.iter().all(|check| [check.sent, check.rule, check.meaning, check.next].iter().all(|text| text.len() > 15))
        );
    }
}
