//! Receipts: C2SP tlog-proof, one record each, verified offline with the log's key alone.

use super::note::{Checkpoint, NoteError, VerifierKey, parse_decimal};
use super::tree::{self, Hash, Head, NotProved};
use crate::limits;
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
    use crate::crypto::PrivateKey;

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
}
