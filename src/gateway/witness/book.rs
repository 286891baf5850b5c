//! What a witness has seen, and what it may cosign: C2SP tlog-witness as pure functions.

use crate::base::limits;
use crate::evidence::tlog::note::{Checkpoint, NoteError, VerifierKey, parse_decimal};
use crate::evidence::tlog::tree::{self, Hash, Head, NotProved};
use std::collections::BTreeMap;
use std::fmt;

/// What is sent to `add-checkpoint`: a checkpoint, and the proof that it goes on from the last one that the witness
/// cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The size of the tree that the witness cosigned last.
    pub old: u64,
    /// The consistency proof from there.
    pub proof: Vec<Hash>,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
}

/// The body is not one of `add-checkpoint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Submission {
    /// Reads a body.
    pub fn parse(body: &str) -> Result<Self, Malformed> {
        if body.len() > limits::WITNESS_REQUEST_BYTES_MAX {
            return Err(Malformed);
        }
        let (head, checkpoint) = body.split_once("\n\n").ok_or(Malformed)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_decimal).ok_or(Malformed)?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == tree::PROOF_HASHES_MAX {
                return Err(Malformed);
            }
            proof.push(Hash::parse(line).ok_or(Malformed)?);
        }
        let checkpoint = Checkpoint::parse(checkpoint).map_err(|_| Malformed)?;
        Ok(Self { old, proof, checkpoint })
    }
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not to the letter, or its tree is smaller than the one that it is said to go on from.
    Malformed,
    /// The witness does not know the log.
    UnknownLog,
    /// The log did not sign it, or a signature in the log's name does not fit.
    NotSigned,
    /// The witness cosigned a tree of another size last, or another tree of this size.
    Conflict {
        /// The size that the witness cosigned last.
        size: u64,
    },
    /// The proof does not hold.
    Inconsistent,
    /// The witness cannot write down what it cosigns.
    Stopped,
}

impl Refusal {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::NotSigned => 403,
            Self::UnknownLog => 404,
            Self::Conflict { .. } => 409,
            Self::Inconsistent => 422,
            Self::Stopped => 503,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not in the exact form of add-checkpoint"),
            Self::UnknownLog => f.write_str("the log is not known here"),
            Self::NotSigned => f.write_str("not signed with the log's key"),
            Self::Conflict { size } => write!(f, "{size}"),
            Self::Inconsistent => f.write_str("the tree does not go on from the one that was cosigned last"),
            Self::Stopped => f.write_str("the witness has stopped"),
        }
    }
}

/// A checkpoint that goes on from what was cosigned last, with the signatures of its log alone. Only [`Book::weigh`]
/// makes it.
#[derive(Clone, Debug)]
pub struct Consistent(Checkpoint);

impl Consistent {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.0
    }
}

/// The logs that a witness knows, and the last checkpoint of each that it cosigned.
#[derive(Clone, Debug, Default)]
pub struct Book {
    keys: BTreeMap<String, Vec<VerifierKey>>,
    last: BTreeMap<String, Checkpoint>,
}

impl Book {
    /// An empty book about the logs with these keys, each of which names its log.
    pub fn new(logs: impl IntoIterator<Item = VerifierKey>) -> Self {
        let mut this = Self::default();
        for key in logs {
            this.keys.entry(key.name().to_owned()).or_default().push(key);
        }
        this
    }

    /// Weighs a submission in the order of the specification.
    pub fn weigh(&self, submission: &Submission) -> Result<Consistent, Refusal> {
        let mut checkpoint = submission.checkpoint.clone();
        let keys = self.keys.get(checkpoint.origin()).ok_or(Refusal::UnknownLog)?;
        let new = signed(&checkpoint, keys).ok_or(Refusal::NotSigned)?;
        if submission.old > new.size {
            return Err(Refusal::Malformed);
        }
        let last = self.last.get(checkpoint.origin()).map(Checkpoint::claimed);
        let last = last.unwrap_or(Head { size: 0, root: Hash::of_empty() });
        let is_other_tree = last.size == new.size && last.root != new.root;
        if submission.old != last.size || is_other_tree {
            return Err(Refusal::Conflict { size: last.size });
        }
        tree::verify_consistency(&last, &new, &submission.proof).map_err(|NotProved| Refusal::Inconsistent)?;
        checkpoint.keep_only(keys);
        Ok(Consistent(checkpoint))
    }

    /// Whether a submission shows that its log has two histories: another tree of the size that was cosigned last, signed
    /// by the log. A proof that does not hold shows nothing, since anybody can send one with a checkpoint of the log's.
    pub fn is_fork(&self, submission: &Submission) -> bool {
        let checkpoint = &submission.checkpoint;
        let claimed = checkpoint.claimed();
        let last = self.last.get(checkpoint.origin()).map(Checkpoint::claimed);
        let is_other_tree = last.is_some_and(|last| last.size == claimed.size && last.root != claimed.root);
        is_other_tree && self.keys.get(checkpoint.origin()).is_some_and(|keys| signed(checkpoint, keys).is_some())
    }

    /// Enters a checkpoint as the last one of its log that was cosigned.
    pub fn enter(&mut self, cosigned: Checkpoint) {
        self.last.insert(cosigned.origin().to_owned(), cosigned);
    }

    /// The last checkpoint of a log that was cosigned.
    pub fn last(&self, origin: &str) -> Option<&Checkpoint> {
        self.last.get(origin)
    }

    /// The last checkpoints, in the order of their origins; also those of logs that are not known any more, so that
    /// they cannot be rolled back by being forgotten.
    pub fn all(&self) -> impl Iterator<Item = &Checkpoint> {
        self.last.values()
    }

    /// The origins of the logs that it knows.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }
}

/// At least one key must have signed, and no signature in a key's name may be wrong (C2SP signed-note).
fn signed(checkpoint: &Checkpoint, keys: &[VerifierKey]) -> Option<Head> {
    let mut head = None;
    for key in keys {
        match checkpoint.verify(key) {
            Ok(signed) => head = Some(signed),
            Err(NoteError::Unsigned) => {}
            Err(_) => return None,
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tlog::note::{LogSigner, Role};
    use crate::evidence::tlog::tree::Edge;
    use crate::message::crypto::PrivateKey;

    fn signer(name: &str, seed: u8) -> LogSigner {
        LogSigner::new(name, Role::Log, PrivateKey::from_seed(&[seed; 32]).expect("a seed")).expect("an Ed25519 key")
    }

    fn head(size: u64) -> Head {
        let mut edge = Edge::new();
        (0..size).for_each(|number| edge.push(Hash::of_leaf(&number.to_be_bytes()), |_, _| {}));
        Head { size, root: edge.root() }
    }

    fn leaf(number: u64) -> Hash {
        Hash::of_leaf(&number.to_be_bytes())
    }

    fn submission(signer: &LogSigner, old: u64, proof: &[Hash], head: Head) -> Submission {
        Submission { old, proof: proof.to_vec(), checkpoint: signer.checkpoint(head).expect("signs") }
    }

    #[test]
    fn each_status_of_the_specification_has_its_cause() {
        let (log, other, stranger) = (signer("log.example", 1), signer("log.example", 2), signer("other.example", 1));
        let mut book = Book::new([log.verifier().clone()]);
        let first = book.weigh(&submission(&log, 0, &[], head(1))).expect("the first");
        book.enter(first.checkpoint().clone());
        let step = [leaf(1)];
        let foreign = Head { size: 1, root: leaf(9) };
        let mut forged = submission(&log, 1, &step, head(2));
        forged.checkpoint = Checkpoint::parse(&forged.checkpoint.to_string().replacen("\n2\n", "\n3\n", 1)).expect("read");
        for (submission, status) in [
            (submission(&log, 1, &step, head(2)), Ok(())),
            (submission(&log, 1, &[], head(1)), Ok(())),
            (submission(&log, 2, &[], head(1)), Err(400)),
            (submission(&other, 1, &step, head(2)), Err(403)),
            (forged, Err(403)),
            (submission(&stranger, 1, &step, head(2)), Err(404)),
            (submission(&log, 0, &[], head(2)), Err(409)),
            (submission(&log, 0, &[], head(0)), Err(409)),
            (submission(&log, 2, &[], head(2)), Err(409)),
            (submission(&log, 1, &[], foreign), Err(409)),
            (submission(&log, 1, &[leaf(2)], head(2)), Err(422)),
            (submission(&log, 1, &[], head(2)), Err(422)),
            (submission(&log, 1, &[leaf(1), leaf(1)], head(2)), Err(422)),
            (submission(&log, 1, &step, head(1)), Err(422)),
        ] {
            let weighed = book.weigh(&submission).map(|_| ()).map_err(Refusal::status);
            assert_eq!(weighed, status, "{submission}");
        }
        assert_eq!(book.weigh(&submission(&log, 0, &[], head(2))).err(), Some(Refusal::Conflict { size: 1 }));
    }

    #[test]
    fn an_empty_log_has_one_tree() {
        let log = signer("log.example", 1);
        let book = Book::new([log.verifier().clone()]);
        assert!(book.weigh(&submission(&log, 0, &[], head(0))).is_ok());
        let other = Head { size: 0, root: leaf(1) };
        assert_eq!(book.weigh(&submission(&log, 0, &[], other)).err(), Some(Refusal::Conflict { size: 0 }));
        assert_eq!(book.weigh(&submission(&log, 0, &[leaf(1)], head(2))).err(), Some(Refusal::Inconsistent));
    }

    #[test]
    fn signatures_of_others_are_passed_over_and_not_kept() {
        let (log, other) = (signer("log.example", 1), signer("log.example", 2));
        let new_key = signer("log.example", 3);
        let mut signed = submission(&log, 0, &[], head(1));
        for line in [&other, &new_key].map(|signer| signer.checkpoint(head(1)).expect("signs").to_string()) {
            let line = line.lines().last().and_then(|line| crate::evidence::tlog::note::SignatureLine::parse(line).ok());
            signed.checkpoint.add(line.expect("a signature"));
        }
        let book = Book::new([log.verifier().clone(), new_key.verifier().clone()]);
        let kept = book.weigh(&signed).expect("signed by both keys");
        assert_eq!(kept.checkpoint().to_string().lines().count(), 6);
        assert_eq!(kept.checkpoint().verify(other.verifier()), Err(NoteError::Unsigned));
    }

    #[test]
    fn bodies_are_read_to_the_letter() {
        let log = signer("log.example", 1);
        let good = submission(&log, 1, &[leaf(1), leaf(2)], head(3)).to_string();
        assert_eq!(Submission::parse(&good).expect("good").to_string(), good);
        for (from, to) in [
            ("old 1", "old 01"),
            ("old 1", "old +1"),
            ("old 1", "old  1"),
            ("old 1", "Old 1"),
            ("old 1", "old 1 "),
            ("old 1", "old 1\r"),
            ("old 1", "old 9223372036854775808"),
            ("old 1\n", ""),
            ("=\n", "\n"),
            ("=\n", "=\r\n"),
            ("\n\nlog", "\nlog"),
            ("\n\nlog", "\n\n\nlog"),
        ] {
            let body = good.replacen(from, to, 1);
            assert_eq!(Submission::parse(&body), Err(Malformed), "{body}");
        }
        let long = |count| submission(&log, 1, &vec![leaf(1); count], head(3)).to_string();
        assert!(Submission::parse(&long(63)).is_ok());
        assert_eq!(Submission::parse(&long(64)), Err(Malformed));
        for at in 0..good.len() {
            let _ = Submission::parse(good.get(..at).unwrap_or_default());
        }
    }

    #[test]
    fn two_histories_are_told_from_a_mistake() {
        let log = signer("log.example", 1);
        let mut book = Book::new([log.verifier().clone()]);
        book.enter(log.checkpoint(head(2)).expect("signs"));
        let foreign = Head { size: 3, root: leaf(9) };
        let other = Head { size: 2, ..foreign };
        assert!(book.is_fork(&submission(&log, 0, &[], other)) && book.is_fork(&submission(&log, 2, &[], other)));
        assert!(!book.is_fork(&submission(&log, 2, &[leaf(2)], foreign)));
        assert!(!book.is_fork(&submission(&log, 0, &[], head(2))));
        assert!(!book.is_fork(&submission(&signer("log.example", 2), 2, &[], other)));
    }
}
