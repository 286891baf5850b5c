//! Receipts: C2SP tlog-proof, one record each, verified offline with the log's key alone.

use super::note::{Checkpoint, NoteError, VerifierKey, parse_decimal};
use super::tree::{self, Hash, Head, NotProved};
use crate::base::limits;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// The line that every proof begins with.
pub const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The proof that a leaf is in the log. Its `extra` is the leaf itself, which the hashes authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The leaf, as the log has it.
    pub leaf: Vec<u8>,
    /// Its index.
    pub index: u64,
    /// The hashes from its sibling up to the root's child.
    pub hashes: Vec<Hash>,
    /// The checkpoint that it is proved against.
    pub checkpoint: Checkpoint,
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// It does not have the form of a proof.
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// Its checkpoint is refused.
    Checkpoint(NoteError),
    /// Leaf, index and hashes do not lead to the root of the checkpoint.
    NotIncluded,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { line } => write!(f, "line {line}: not of the form of C2SP tlog-proof"),
            Self::Checkpoint(error) => write!(f, "the checkpoint: {error}"),
            Self::NotIncluded => f.write_str("the leaf is not in the tree of the checkpoint"),
        }
    }
}

impl std::error::Error for ProofError {}

/// What a proof has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Included {
    /// The index of the leaf.
    pub index: u64,
    /// The tree that it is in, which the log has signed.
    pub head: Head,
}

impl Proof {
    /// Reads a proof.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let form = |line| ProofError::Form { line };
        if text.len() > limits::PROOF_BYTES_MAX {
            return Err(form(1));
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(form(1))?;
        let mut lines = (1..).zip(head.split('\n'));
        let mut next = |line| lines.next().ok_or(form(line));
        if next(1)?.1 != FIRST_LINE {
            return Err(form(1));
        }
        let extra = next(2)?.1.strip_prefix("extra ").ok_or(form(2))?;
        let leaf = STANDARD.decode(extra).ok().filter(|leaf| leaf.len() <= limits::LEAF_BYTES_MAX).ok_or(form(2))?;
        let index = next(3)?.1.strip_prefix("index ").and_then(parse_decimal).ok_or(form(3))?;
        let hashes: Result<Vec<Hash>, _> = lines.map(|(line, text)| Hash::parse(text).ok_or(form(line))).collect();
        let hashes = hashes?;
        if hashes.len() > tree::PROOF_HASHES_MAX {
            return Err(form(4 + tree::PROOF_HASHES_MAX));
        }
        let checkpoint = Checkpoint::parse(checkpoint).map_err(ProofError::Checkpoint)?;
        Ok(Self { leaf, index, hashes, checkpoint })
    }

    /// Reads a bundle: one proof after the other.
    pub fn parse_bundle(text: &str) -> Result<Vec<Self>, ProofError> {
        if text.len() > limits::PROOF_BYTES_MAX * limits::RECEIPT_PROOFS_MAX {
            return Err(ProofError::Form { line: 1 });
        }
        let mut starts: Vec<usize> = text.match_indices(FIRST_LINE).map(|(at, _)| at).collect();
        starts.retain(|at| *at == 0 || text.get(..*at).is_some_and(|before| before.ends_with('\n')));
        if starts.first() != Some(&0) {
            return Err(ProofError::Form { line: 1 });
        }
        if starts.len() > limits::RECEIPT_PROOFS_MAX {
            return Err(ProofError::Form { line: 1 });
        }
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        starts.iter().zip(ends).map(|(start, end)| Self::parse(text.get(*start..end).unwrap_or_default())).collect()
    }

    /// Checks the log's signature and that the leaf is in its tree.
    pub fn verify(&self, log: &VerifierKey) -> Result<Included, ProofError> {
        let head = self.checkpoint.verify(log).map_err(ProofError::Checkpoint)?;
        let root = tree::root_of_inclusion(Hash::of_leaf(&self.leaf), self.index, head.size, &self.hashes);
        match root {
            Ok(root) if root == head.root => Ok(Included { index: self.index, head }),
            Ok(_) | Err(NotProved) => Err(ProofError::NotIncluded),
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\nextra {}\nindex {}", STANDARD.encode(&self.leaf), self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::super::note::{LogSigner, Role};
    use super::*;
    use crate::message::crypto::PrivateKey;

    fn log() -> LogSigner {
        let key = PrivateKey::from_seed(&[1; 32]).expect("a seed");
        LogSigner::new("log.example/2026", Role::Log, key).expect("an Ed25519 key")
    }

    fn proof() -> Proof {
        let (leaf, other) = (b"a leaf".to_vec(), Hash::of_leaf(b"another"));
        let root = Hash::of_children(&other, &Hash::of_leaf(&leaf));
        let checkpoint = log().checkpoint(Head { size: 2, root }).expect("signs");
        Proof { leaf, index: 1, hashes: vec![other], checkpoint }
    }

    #[test]
    fn a_receipt_is_read_as_written_and_holds() {
        let text = proof().to_string();
        let read = Proof::parse(&text).expect("as written");
        assert_eq!(read, proof());
        assert_eq!(read.verify(log().verifier()).map(|shown| (shown.index, shown.head.size)), Ok((1, 2)));
        assert_eq!(Proof::parse_bundle(&[text.as_str(), &text].concat()).map(|proofs| proofs.len()), Ok(2));
    }

    #[test]
    fn no_changed_receipt_holds() {
        let text = proof().to_string();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut octets = text.clone().into_bytes();
                octets[at] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(octets) else { continue };
                let Ok(read) = Proof::parse(&changed) else { continue };
                assert!(read.verify(log().verifier()).is_err(), "octet {at}, bit {bit}: {changed}");
            }
        }
    }

    #[test]
    fn a_proof_may_have_as_long_a_leaf_and_as_many_hashes_as_there_can_be() {
        let with = |leaf: usize, hashes: usize| {
            let proof = Proof { leaf: vec![7; leaf], hashes: vec![Hash::of_leaf(b"x"); hashes], ..proof() };
            Proof::parse(&proof.to_string()).map(|read| read == proof)
        };
        assert_eq!(with(limits::LEAF_BYTES_MAX, tree::PROOF_HASHES_MAX), Ok(true));
        assert_eq!(with(limits::LEAF_BYTES_MAX + 1, 0), Err(ProofError::Form { line: 2 }));
        // Lines 4 to 66 may be hashes.
        for hashes in [64, 65, 100] {
            assert_eq!(with(0, hashes), Err(ProofError::Form { line: 67 }));
        }
    }

    #[test]
    fn each_line_that_is_wrong_is_named() {
        let text = proof().to_string();
        for (from, to, error) in [
            ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2", ProofError::Form { line: 1 }),
            ("extra ", "Extra ", ProofError::Form { line: 2 }),
            ("extra ", "extra !", ProofError::Form { line: 2 }),
            ("index 1\n", "index 01\n", ProofError::Form { line: 3 }),
            ("index 1\n", "index 1\nx\n", ProofError::Form { line: 4 }),
            ("log.example/2026\n2\n", "log.example/2026\nx\n", ProofError::Checkpoint(NoteError::Checkpoint)),
        ] {
            assert_eq!(Proof::parse(&text.replacen(from, to, 1)), Err(error), "{from:?} -> {to:?}");
        }
        for lines in [FIRST_LINE, "c2sp.org/tlog-proof@v1\nextra ", ""] {
            assert!(matches!(Proof::parse(&format!("{lines}\n\n")), Err(ProofError::Form { .. })), "{lines:?}");
        }
    }

    /// A text that begins like a proof, goes on with what is no checkpoint, and has this length.
    fn of_length(length: usize) -> String {
        let head = format!("{FIRST_LINE}\nextra AA==\nindex 0\n\n");
        format!("{head}{}\n", "x".repeat(length - head.len() - 1))
    }

    #[test]
    fn what_is_longer_than_a_proof_can_be_is_not_read() {
        const MAX: usize = limits::PROOF_BYTES_MAX;
        let read_and_refused = Err(ProofError::Checkpoint(NoteError::Form));
        assert_eq!(Proof::parse(&of_length(MAX)), read_and_refused);
        assert_eq!(Proof::parse(&of_length(MAX + 1)), Err(ProofError::Form { line: 1 }));
        let mut bundle = of_length(MAX).repeat(limits::RECEIPT_PROOFS_MAX);
        assert_eq!(Proof::parse_bundle(&bundle).map(|_| ()), Err(ProofError::Checkpoint(NoteError::Form)));
        bundle.push('x');
        assert_eq!(Proof::parse_bundle(&bundle), Err(ProofError::Form { line: 1 }));
    }

    #[test]
    fn a_receipt_has_so_many_proofs_and_no_more() {
        const MAX: usize = limits::RECEIPT_PROOFS_MAX;
        let read = |count| Proof::parse_bundle(&proof().to_string().repeat(count)).map(|proofs| proofs.len());
        assert_eq!(read(MAX), Ok(MAX));
        assert_eq!(read(MAX + 1), Err(ProofError::Form { line: 1 }));
    }

    #[test]
    fn a_bundle_is_cut_at_first_lines_and_nowhere_else() {
        let one = proof().to_string();
        let root = one.split_once("\n2\n").and_then(|(_, rest)| rest.split_once('\n')).expect("a root").0;
        // An extension line of a checkpoint that has the words of a first line in it.
        let odd = one.replacen(&format!("{root}\n\n"), &format!("{root}\nsee {FIRST_LINE}\n\n"), 1);
        assert_ne!(odd, one);
        let count = |text: &str| Proof::parse_bundle(text).map(|proofs| proofs.len());
        assert_eq!((count(&odd), count(&format!("{one}{odd}{one}"))), (Ok(1), Ok(3)));
        for text in [String::new(), format!("\n{one}"), format!(" {one}")] {
            assert_eq!(count(&text), Err(ProofError::Form { line: 1 }), "{text:?}");
        }
    }

    #[test]
    fn each_refusal_says_something_of_its_own() {
        let all = [
            ProofError::Form { line: 1 },
            ProofError::Form { line: 2 },
            ProofError::Checkpoint(NoteError::Form),
            ProofError::Checkpoint(NoteError::Signature),
            ProofError::NotIncluded,
        ];
        let texts: std::collections::BTreeSet<String> = all.iter().map(ProofError::to_string).collect();
        assert!(texts.len() == all.len() && !texts.contains(""), "{texts:?}");
    }
}
