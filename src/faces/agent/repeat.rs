//! Answers that were given, for questions that come again: whoever did not get the first one gets that, and not another. Where less may go
//! out than the first time, it is another question.

use crate::base::ids::Digest;
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::schema::FieldPath;
use std::collections::VecDeque;

/// Answers by the digest of their question, the oldest first.
#[derive(Default)]
pub(super) struct Repeats {
    given: VecDeque<Given>,
    bytes: usize,
}

struct Given {
    question: Digest,
    fields: Vec<FieldPath>,
    until: UnixTime,
    answer: Vec<u8>,
}

impl Repeats {
    /// What was said to this question when the same fields could go out, as long as it may be answered.
    pub(super) fn find(&self, (question, fields): (&Digest, &[FieldPath]), now: UnixTime) -> Option<&[u8]> {
        let is_it = |given: &&Given| given.question == *question && given.fields == fields && now < given.until;
        let given = self.given.iter().rev().find(is_it)?;
        Some(&given.answer)
    }

    /// Keeps what is said to a question until that ends; what there is no room for goes, the oldest first.
    pub(super) fn keep(&mut self, (question, fields): (Digest, Vec<FieldPath>), until: UnixTime, answer: &[u8], now: UnixTime) {
        if answer.len() > limits::AGENT_REPEATS_BYTES_MAX {
            return;
        }
        self.bytes += answer.len();
        self.given.push_back(Given { question, fields, until, answer: answer.to_vec() });
        let is_over = |this: &Self| {
            let first = this.given.front();
            this.given.len() > limits::AGENT_REPEATS_MAX
                || this.bytes > limits::AGENT_REPEATS_BYTES_MAX
                || first.is_some_and(|first| first.until <= now)
        };
        while is_over(self) {
            let Some(gone) = self.given.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(gone.answer.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: usize) -> Digest {
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&number.to_be_bytes());
        Digest::from_octets(octets)
    }

    #[test]
    fn an_answer_is_said_again_until_its_question_ends() {
        let at = UnixTime::from_ms;
        let mut repeats = Repeats::default();
        let field = || vec![FieldPath::parse("PeExemption").expect("a path")];
        repeats.keep((of(1), field()), at(10), b"one", at(1));
        let find = |number, fields: &[FieldPath], ms| repeats.find((&of(number), fields), at(ms));
        assert_eq!((find(1, &field(), 9), find(2, &field(), 9)), (Some(b"one".as_slice()), None));
        assert_eq!(find(1, &[], 9), None, "less may go out now");
        assert_eq!(find(1, &field(), 10), None);
        repeats.keep((of(2), Vec::new()), at(20), b"two", at(11));
        assert_eq!((repeats.given.len(), repeats.bytes), (1, 3));
    }

    #[test]
    fn so_many_answers_are_kept_and_so_many_octets_and_no_more() {
        let at = UnixTime::from_ms;
        let mut repeats = Repeats::default();
        for number in 0..=limits::AGENT_REPEATS_MAX {
            repeats.keep((of(number), Vec::new()), at(10), b"x", at(1));
        }
        assert_eq!(repeats.given.len(), limits::AGENT_REPEATS_MAX);
        assert!(repeats.find((&of(0), &[]), at(1)).is_none() && repeats.find((&of(1), &[]), at(1)).is_some());
        let large = vec![0; limits::AGENT_REPEATS_BYTES_MAX];
        repeats.keep((of(9999), Vec::new()), at(10), &large, at(1));
        assert_eq!((repeats.given.len(), repeats.bytes), (1, large.len()));
        repeats.keep((of(9998), Vec::new()), at(10), &[large, vec![0]].concat(), at(1));
        assert_eq!(repeats.given.len(), 1);
    }
}
