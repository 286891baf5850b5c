//! Somebody has the disk and the key of the log, and rewrites its history. One honest witness saw it before. Whatever is
//! tried, it is found: the witness does not cosign, and what was cosigned before contradicts it.

use crate::memory::{Tree, signer};
use oncegate::evidence::tlog::note::{Checkpoint, LogSigner, Role};
use oncegate::evidence::tlog::proof::{Proof, ProofError};
use oncegate::evidence::tlog::tree::{Hash, Head, NotProved, verify_consistency};
use oncegate::gateway::witness::{Book, Refusal, Submission};

const MANIPULATIONS: usize = 12_000;

/// Numbers that are the same in each run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A history, and what the world knows of it.
struct History {
    tree: Tree,
    book: Book,
    /// The last checkpoint that the witness cosigned.
    cosigned: Checkpoint,
}

fn history(numbers: &mut Numbers, log: &LogSigner, witness: &LogSigner) -> History {
    let mut tree = Tree::default();
    let mut book = Book::new([log.verifier().clone()]);
    let mut cosigned = log.checkpoint(tree.head()).expect("signs");
    for _ in 0..=numbers.below(5) {
        let old = tree.size();
        for _ in 0..=numbers.below(60) {
            let leaf = format!("{{\"m\":{},\"x\":{}}}", tree.size(), numbers.next());
            tree.push(leaf.into_bytes());
        }
        let checkpoint = log.checkpoint(tree.head()).expect("signs");
        let submission = Submission { old, proof: tree.consistency(old, tree.size()), checkpoint };
        cosigned = book.weigh(&submission).expect("an honest step is cosigned").checkpoint().clone();
        cosigned.add(witness.cosign(&cosigned, 1_800_000_000).expect("cosigns"));
        book.enter(cosigned.clone());
    }
    History { tree, book, cosigned }
}

type Rewrite = fn(&mut Numbers, &mut Vec<Vec<u8>>);

/// The ways to rewrite a history of at least one record.
const WAYS: [(&str, Rewrite); 11] = [
    ("change an octet of a record", |numbers, leaves| {
        let at = numbers.below(leaves.len() as u64) as usize;
        let octet = numbers.below(leaves[at].len() as u64) as usize;
        leaves[at][octet] ^= 1 << numbers.below(8);
    }),
    ("replace a record", |numbers, leaves| {
        let at = numbers.below(leaves.len() as u64) as usize;
        leaves[at] = format!("{{\"forged\":{}}}", numbers.next()).into_bytes();
    }),
    ("drop a record", |numbers, leaves| {
        leaves.remove(numbers.below(leaves.len() as u64) as usize);
    }),
    ("insert a record", |numbers, leaves| {
        let at = numbers.below(leaves.len() as u64) as usize;
        leaves.insert(at, format!("{{\"inserted\":{}}}", numbers.next()).into_bytes());
    }),
    ("write a record twice", |numbers, leaves| {
        let at = numbers.below(leaves.len() as u64) as usize;
        leaves.insert(at, leaves[at].clone());
    }),
    ("swap two records", |numbers, leaves| {
        let (one, two) = (numbers.below(leaves.len() as u64) as usize, numbers.below(leaves.len() as u64) as usize);
        leaves.swap(one, two);
    }),
    ("reorder a stretch", |numbers, leaves| {
        let start = numbers.below(leaves.len() as u64) as usize;
        leaves[start..].reverse();
    }),
    ("roll back", |numbers, leaves| {
        leaves.truncate(numbers.below(leaves.len() as u64) as usize);
    }),
    ("truncate and go on otherwise", |numbers, leaves| {
        let size = leaves.len();
        leaves.truncate(numbers.below(size as u64) as usize);
        while leaves.len() < size {
            leaves.push(format!("{{\"other\":{}}}", numbers.next()).into_bytes());
        }
    }),
    ("fork and outgrow", |numbers, leaves| {
        let size = leaves.len() + numbers.below(40) as usize;
        leaves.truncate(numbers.below(leaves.len() as u64) as usize);
        while leaves.len() <= size {
            leaves.push(format!("{{\"fork\":{}}}", numbers.next()).into_bytes());
        }
    }),
    ("begin anew", |numbers, leaves| {
        let size = numbers.below(2 * leaves.len() as u64);
        *leaves = (0..size).map(|_| format!("{{\"anew\":{}}}", numbers.next()).into_bytes()).collect();
    }),
];

/// Proofs that a forger may try: of the forged tree, of the true one, mixtures, and nonsense.
fn proofs(numbers: &mut Numbers, forged: &Tree, truth: &Tree, old: u64) -> Vec<Vec<Hash>> {
    let mut proofs = vec![Vec::new(), vec![Hash::of_leaf(&numbers.next().to_be_bytes())]];
    if old <= forged.size() {
        let mut proof = forged.consistency(old, forged.size());
        proofs.push(proof.clone());
        proof.push(forged.head().root);
        proofs.push(proof.clone());
        if old.is_power_of_two() {
            proof.insert(0, truth.head().root);
            proofs.push(proof);
        }
    }
    if old <= truth.size() {
        proofs.push(truth.consistency(old, truth.size()));
    }
    proofs
}

/// Every attempt to have the forged tree cosigned fails; one that follows the protocol as the log's own program does fails
/// with 409 or 422.
fn assert_refused(what: &str, numbers: &mut Numbers, history: &History, log: &LogSigner, forged: &Tree, head: Head) {
    let checkpoint = log.checkpoint(head).expect("the key signs anything");
    let seen = history.cosigned.claimed().size;
    let attempt = |old, proof| {
        let refusal = history.book.weigh(&Submission { old, proof, checkpoint: checkpoint.clone() }).expect_err(what);
        let is_told = matches!(refusal, Refusal::Conflict { .. } | Refusal::Inconsistent);
        assert!(is_told || (refusal == Refusal::Malformed && old > head.size), "{what}: {refusal:?}");
    };
    for proof in proofs(numbers, forged, &history.tree, seen) {
        attempt(seen, proof);
    }
    // From any other size the witness says where it is, whatever the proof.
    for old in [0, head.size, numbers.below(seen + 2)] {
        attempt(old, forged.consistency(old.min(forged.size()), forged.size()));
    }
}

/// Whoever has a cosigned checkpoint sees that the forged tree does not go on from it, and no record of the forged tree
/// that was not in the true one, in its place, can be shown under it.
fn assert_contradicted(what: &str, numbers: &mut Numbers, history: &History, log: &LogSigner, forged: &Tree, head: Head) {
    let cosigned = history.cosigned.claimed();
    for proof in proofs(numbers, forged, &history.tree, cosigned.size) {
        assert_eq!(verify_consistency(&cosigned, &head, &proof), Err(NotProved), "{what}");
    }
    let differs = |(index, leaf): &(usize, &Vec<u8>)| history.tree.leaves.get(*index) != Some(*leaf);
    let Some((index, leaf)) = forged.leaves.iter().enumerate().find(differs) else { return };
    let index = index as u64;
    let mut tries = vec![forged.inclusion(index, forged.size())];
    if index < cosigned.size {
        tries.push(history.tree.inclusion(index, cosigned.size));
    }
    for hashes in tries {
        let receipt = Proof { leaf: leaf.clone(), index, hashes, checkpoint: history.cosigned.clone() };
        assert_eq!(receipt.verify(log.verifier()), Err(ProofError::NotIncluded), "{what}");
    }
}

#[test]
fn whoever_has_the_disk_and_the_key_is_found_by_one_honest_witness() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (log, witness) = (signer("log.example/2026", Role::Log, 1), signer("witness.example", Role::Witness, 2));
    let (mut found, mut by_way) = (0, [0; WAYS.len() + 2]);
    while found < MANIPULATIONS {
        let history = history(&mut numbers, &log, &witness);
        for round in 0..40 {
            let way = round % by_way.len();
            let (what, forged, head) = if let Some((what, rewrite)) = WAYS.get(way) {
                let mut leaves = history.tree.leaves.clone();
                rewrite(&mut numbers, &mut leaves);
                // Some forgers cover their traces with further records.
                let more = numbers.below(3) * numbers.below(30);
                leaves.extend((0..more).map(|_| format!("{{\"more\":{}}}", numbers.next()).into_bytes()));
                if leaves.starts_with(&history.tree.leaves) {
                    continue;
                }
                let forged = Tree::of(leaves);
                let head = forged.head();
                (*what, forged, head)
            } else {
                // Not even a tree: a head that the key signs all the same.
                let (true_head, other) = (history.tree.head(), Hash::of_leaf(&numbers.next().to_be_bytes()));
                let size = true_head.size + numbers.below(3);
                let is_root = way == WAYS.len();
                let head = if is_root { Head { size, root: other } } else { Head { size: size + 1, ..true_head } };
                ("sign a head without a tree", history.tree.clone(), head)
            };
            assert_refused(what, &mut numbers, &history, &log, &forged, head);
            assert_contradicted(what, &mut numbers, &history, &log, &forged, head);
            found += 1;
            by_way[way] += 1;
        }
    }
    assert!(by_way.iter().all(|count| *count > MANIPULATIONS / 50), "{by_way:?}");
    println!("{found} manipulations, all found: {by_way:?}");
}
