//! Judging what came back. Pure: what was asked and what came go in, and whether the check is held, with the rule that was broken in the
//! words of the catalogue of faults. No value of a person comes out.

use super::checks::Step;
use crate::base::fault::Code;
use crate::base::ids::{Digest, Identifier, MessageId};

/// Codes by which the gateway says that the time was up; none of them is an answer.
const TIME_UP: [Code; 4] = [Code::RteDeadline, Code::RteLate, Code::RteLeftAlone, Code::MsgExpired];

/// What is known of a document that came: enough to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Whom it is about, by the role that was asked for.
    pub about: Vec<Identifier>,
    /// The optional fields that it has, without those that say whom it is about.
    pub optional: Vec<String>,
    /// The digest of what it says, without its head.
    pub says: Digest,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// Documents.
    Papers(Vec<Paper>),
    /// A document that this program cannot read, for this reason.
    Unread(Code),
    /// The holder's signed word that there is none.
    NoRecord,
    /// A signed fault of the holder.
    Fault(String),
    /// A refusal of the gateway, by its code.
    Refused(String),
    /// At the port: this status, and no message.
    Status(u16),
    /// Nothing, for so many seconds.
    Nothing(u64),
    /// Something that is no answer to this question.
    Untrusted,
    /// The connection was refused or broke.
    Unreachable,
}

/// Where a question went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Through the gateway.
    Gateway,
    /// To the agency's own port.
    Port,
}

/// A question, and what came of it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Where it went.
    pub by: By,
    /// Its id.
    pub id: MessageId,
    /// Its record in the log, if the gateway has told it.
    pub record: Option<u64>,
    /// Who was asked about.
    pub asked: Option<Identifier>,
    /// The optional field that was selected.
    pub selected: Option<String>,
    /// What is to come: a person with a record, or one without.
    pub expected: Expected,
    /// What came.
    pub came: Came,
}

/// What is to come of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The person's document.
    Paper,
    /// That there is no record.
    NoRecord,
    /// Nobody is found: no record, or a signed fault.
    Nobody,
    /// An answer in time, or none.
    InTime,
    /// Neither a document nor the word that there is none.
    Silence,
}

/// The verdict on a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is held; perhaps with a word about how.
    Held(Option<&'static str>),
    /// It is not: what came, and the code of the rule that was broken, where there is one.
    Broken(String, Option<Code>),
}

/// Judges a check by its answers.
pub fn judge(step: Step, answers: &[Answer]) -> Verdict {
    if let Some(broken) = answers.iter().find_map(|answer| wrong(answer).err()) {
        return broken;
    }
    match step {
        Step::Again | Step::Twice if !all_say_the_same(answers) => {
            Verdict::Broken("the two answers say different things".to_owned(), None)
        }
        Step::Twice if answers.iter().any(|answer| matches!(answer.came, Came::Status(_))) => {
            Verdict::Held(Some("it answers by messages of its own, of which the gateway takes one"))
        }
        Step::Selected if answers.is_empty() => Verdict::Held(Some("documents of this type have no optional field to select")),
        Step::Selected if !answers.iter().any(has_selected) => {
            Verdict::Held(Some("the record has none of the optional fields that were selected"))
        }
        Step::Deadline if answers.iter().any(|answer| !matches!(answer.came, Came::Papers(_))) => {
            Verdict::Held(Some("it was not answered in time, and not afterwards"))
        }
        _ => Verdict::Held(None),
    }
}

/// Whether an answer has the field that its question has selected.
pub fn has_selected(answer: &Answer) -> bool {
    let Came::Papers(papers) = &answer.came else { return false };
    let is_of = |path: &String| answer.selected.as_ref().is_some_and(|field| is_within(path, field));
    papers.iter().any(|paper| paper.optional.iter().any(is_of))
}

/// Whether a path is a field or lies in it.
fn is_within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn all_say_the_same(answers: &[Answer]) -> bool {
    let says = |answer: &Answer| match &answer.came {
        Came::Papers(papers) => papers.iter().map(|paper| Some(paper.says)).collect(),
        _ => vec![None],
    };
    let mut all = answers.iter().map(says);
    let first = all.next();
    all.all(|other| Some(other) == first)
}

fn wrong(answer: &Answer) -> Result<(), Verdict> {
    match answer.expected {
        Expected::Paper => paper(answer),
        Expected::NoRecord => match &answer.came {
            Came::NoRecord => Ok(()),
            Came::Papers(_) | Came::Unread(_) => {
                Err(broken("it gave a document about a person of whom it has no record", Some(Code::RteWrongSubject)))
            }
            other => Err(in_words(other)),
        },
        Expected::Nobody => nobody(answer),
        Expected::InTime => match &answer.came {
            Came::Papers(_) => paper(answer),
            Came::Nothing(_) => Ok(()),
            Came::Refused(code) if TIME_UP.iter().any(|known| known.as_str() == code) => Ok(()),
            other => Err(in_words(other)),
        },
        Expected::Silence => match &answer.came {
            Came::Papers(_) | Came::Unread(_) => Err(broken("it answered with a document", None)),
            Came::NoRecord => Err(broken("it answered that there is no record, so it has looked the person up", None)),
            Came::Unreachable if answer.by == By::Port && answer.asked.is_some() => {
                Err(broken("its port cannot be reached", Some(Code::RteUnreachable)))
            }
            _ => Ok(()),
        },
    }
}

fn paper(answer: &Answer) -> Result<(), Verdict> {
    let papers = match &answer.came {
        // A status that says "taken": the answer comes by a message of its own.
        Came::Status(202) if answer.by == By::Port => return Ok(()),
        Came::Papers(papers) => papers,
        Came::NoRecord => {
            return Err(broken("it says, signed, that there is no record of a person of whom it has one", None));
        }
        other => return Err(in_words(other)),
    };
    if papers.is_empty() {
        return Err(broken("its answer has no document", Some(Code::RteBadAnswer)));
    }
    for paper in papers {
        if answer.asked.as_ref().is_some_and(|asked| !paper.about.is_empty() && !paper.about.contains(asked)) {
            return Err(by_code(Code::RteWrongSubject));
        }
        let is_selected = |path: &&String| answer.selected.as_ref().is_some_and(|field| is_within(path, field));
        if answer.selected.is_some() && paper.optional.iter().any(|path| !is_selected(&path)) {
            return Err(by_code(Code::PolWithheldField));
        }
    }
    Ok(())
}

fn nobody(answer: &Answer) -> Result<(), Verdict> {
    match &answer.came {
        Came::NoRecord | Came::Fault(_) => Ok(()),
        Came::Papers(_) | Came::Unread(_) => {
            Err(broken("it gave a document for an identifier that nobody has", Some(Code::RteWrongSubject)))
        }
        // What the gateway would refuse itself comes to the port alone; there any refusal is good.
        Came::Status(_) | Came::Untrusted | Came::Nothing(_) if answer.by == By::Port => Ok(()),
        Came::Unreachable if answer.by == By::Port => {
            Err(broken("it broke the connection off instead of refusing", Some(Code::RteUnreachable)))
        }
        other => Err(in_words(other)),
    }
}

fn broken(what: &str, code: Option<Code>) -> Verdict {
    Verdict::Broken(what.to_owned(), code)
}

fn by_code(code: Code) -> Verdict {
    Verdict::Broken(code.title().to_owned(), Some(code))
}

/// What came, where something else was to come, in words.
fn in_words(came: &Came) -> Verdict {
    match came {
        Came::Papers(_) => broken("it gave a document", None),
        Came::Unread(code) => by_code(*code),
        Came::NoRecord => broken("it says, signed, that there is no record", None),
        Came::Fault(code) | Came::Refused(code) => match Code::parse(code) {
            Some(known) => by_code(known),
            None => broken("it answered with a fault whose code is not in the catalogue", Some(Code::RteBadAnswer)),
        },
        Came::Status(status) => Verdict::Broken(format!("its port answered with HTTP status {status} and no message"), None),
        Came::Nothing(seconds) => Verdict::Broken(format!("no answer came within {seconds} s"), Some(Code::RteDeadline)),
        Came::Untrusted => by_code(Code::RteBadAnswer),
        Came::Unreachable => by_code(Code::RteUnreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(expected: Expected, came: Came) -> Answer {
        let id = MessageId::new(crate::base::time::UnixTime::from_ms(1), [0; 10]);
        Answer { by: By::Gateway, id, record: None, asked: Some(Identifier::synthetic(1)), selected: None, expected, came }
    }

    fn papers(about: u32, optional: &[&str], says: u8) -> Came {
        let optional = optional.iter().map(|path| (*path).to_owned()).collect();
        Came::Papers(vec![Paper { about: vec![Identifier::synthetic(about)], optional, says: Digest::from_octets([says; 32]) }])
    }

    fn is_held(step: Step, answers: &[Answer]) -> bool {
        matches!(judge(step, answers), Verdict::Held(_))
    }

    #[test]
    fn of_each_expectation_what_fits_is_held_and_nothing_else() {
        let came = [
            papers(1, &[], 1),
            papers(2, &[], 1),
            Came::Papers(Vec::new()),
            Came::Unread(Code::DocSchema),
            Came::NoRecord,
            Came::Fault("OG-SRC-001".to_owned()),
            Came::Refused("OG-RTE-004".to_owned()),
            Came::Refused("OG-RTE-006".to_owned()),
            Came::Status(400),
            Came::Nothing(2),
            Came::Untrusted,
            Came::Unreachable,
        ];
        for (expected, held) in [
            (Expected::Paper, "1 0 0 0 0 0 0 0 0 0 0 0"),
            (Expected::NoRecord, "0 0 0 0 1 0 0 0 0 0 0 0"),
            (Expected::Nobody, "0 0 0 0 1 1 0 0 0 0 0 0"),
            (Expected::InTime, "1 0 0 0 0 0 0 1 0 1 0 0"),
            (Expected::Silence, "0 0 0 0 0 1 1 1 1 1 1 1"),
        ] {
            let found = came.iter().map(|came| u8::from(is_held(Step::Found, &[answer(expected, came.clone())])).to_string());
            assert_eq!(found.collect::<Vec<_>>().join(" "), held, "{expected:?}");
        }
    }

    #[test]
    fn a_selected_field_may_come_with_what_lies_in_it_and_no_other() {
        let with = |selected: &str, optional: &[&str]| {
            let selected = Some(selected.to_owned());
            is_held(Step::Selected, &[Answer { selected, ..answer(Expected::Paper, papers(1, optional, 1)) }])
        };
        assert!(with("Doctor", &[]) && with("Doctor", &["Doctor", "Doctor/Id"]) && with("", &[]));
        assert!(!with("Doctor", &["DoctorName"]) && !with("Doctor", &["Doctor", "Diagnosis"]) && !with("", &["Doctor"]));
        assert!(is_held(Step::Selected, &[]));
    }

    #[test]
    fn what_is_asked_twice_says_the_same_twice() {
        let two =
            |first, second| [answer(Expected::Paper, papers(1, &[], first)), answer(Expected::Paper, papers(1, &[], second))];
        for step in [Step::Again, Step::Twice] {
            assert!(is_held(step, &two(1, 1)) && !is_held(step, &two(1, 2)), "{step:?}");
        }
        assert!(is_held(Step::Pair, &two(1, 2)));
    }
}
