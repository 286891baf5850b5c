//! The Merkle tree over the leaves: RFC 6962, section 2.1, with SHA-256.
//!
//! What is kept are the hashes of complete subtrees of 1, 256, 65,536 … leaves, level by level: the tiles of C2SP
//! tlog-tiles. Everything else, the root and the proofs included, is computed from them. Verifying needs none of it.

use crate::message::crypto::Sha256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;
/// The height of a tile: its hashes are the leaves of a subtree of this height.
const TILE_HEIGHT: u32 = 8;
/// Most hashes in a proof: a tree has at most 2^63 leaves.
pub const PROOF_HASHES_MAX: usize = 63;

/// A hash in the tree: of a leaf, or of a subtree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The root of the tree without leaves: SHA-256 of nothing.
    pub fn of_empty() -> Self {
        Self(*crate::message::crypto::sha256(b"").octets())
    }

    /// The hash with these octets.
    pub const fn from_octets(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets.
    pub const fn octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a leaf: SHA-256 of a zero octet and the leaf.
    pub fn of_leaf(leaf: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(&[0]);
        hash.update(leaf);
        Self(*hash.finish().octets())
    }

    /// The hash of a subtree from those of its halves: SHA-256 of the octet 1 and both.
    pub fn of_children(left: &Self, right: &Self) -> Self {
        let mut octets = [1; 65];
        octets[1..33].copy_from_slice(&left.0);
        octets[33..].copy_from_slice(&right.0);
        Self(*crate::message::crypto::sha256(&octets).octets())
    }

    /// Reads 44 characters of base64 (RFC 4648, section 4).
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 44 {
            return None;
        }
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where the hashes of complete subtrees are kept. At `level` a hash is that of a subtree of 256^level leaves.
pub trait Hashes {
    /// Why they cannot be read.
    type Error;

    /// Appends the `count` hashes of `level` from number `from` on; `count` is at most 256.
    fn read(&self, level: u32, from: u64, count: u64, out: &mut Vec<Hash>) -> Result<(), Self::Error>;
}

/// The right edge of a tree: the roots of the complete subtrees that it consists of, largest first. It is all that
/// appending and the root need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    roots: Vec<Hash>,
}

impl Edge {
    /// The edge of the tree without leaves.
    pub const fn new() -> Self {
        Self { size: 0, roots: Vec::new() }
    }

    /// The edge of a tree whose hashes are kept.
    pub fn of<H: Hashes>(hashes: &H, size: u64) -> Result<Self, H::Error> {
        let mut roots = Vec::new();
        let mut start = 0;
        for height in (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1) {
            roots.push(subtree(hashes, start, start + (1 << height))?);
            start += 1 << height;
        }
        Ok(Self { size, roots })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Takes the hash of the next leaf, and gives each hash that is to be kept to `keep` with its level: the leaf's own,
    /// and those of the subtrees that it completes.
    pub fn push(&mut self, leaf: Hash, mut keep: impl FnMut(u32, Hash)) {
        let mut hash = leaf;
        keep(0, hash);
        for height in 1..=self.size.trailing_ones() {
            // As many complete subtrees end here as the size has trailing ones.
            let Some(left) = self.roots.pop() else { break };
            hash = Hash::of_children(&left, &hash);
            if height.is_multiple_of(TILE_HEIGHT) {
                keep(height / TILE_HEIGHT, hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return Hash::of_empty() };
        roots.fold(*last, |right, left| Hash::of_children(left, &right))
    }
}

impl Default for Edge {
    fn default() -> Self {
        Self::new()
    }
}

/// The root of the first `size` leaves.
pub fn root<H: Hashes>(hashes: &H, size: u64) -> Result<Hash, H::Error> {
    if size == 0 { Ok(Hash::of_empty()) } else { subtree(hashes, 0, size) }
}

/// The proof that leaf `index` is in the tree of `size` leaves, which is more than `index` (RFC 6962, section 2.1.1).
pub fn inclusion<H: Hashes>(hashes: &H, index: u64, size: u64) -> Result<Vec<Hash>, H::Error> {
    let (mut start, mut end, mut proof) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(subtree(hashes, middle, end)?);
            end = middle;
        } else {
            proof.push(subtree(hashes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `old` leaves is the beginning of that of `new` leaves; `old` is at most `new` (RFC 6962,
/// section 2.1.2). It is empty if `old` is 0 or `new`.
pub fn consistency<H: Hashes>(hashes: &H, old: u64, new: u64) -> Result<Vec<Hash>, H::Error> {
    let (mut start, mut end, mut proof) = (0, new, Vec::new());
    if old == 0 || old == new {
        return Ok(proof);
    }
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(subtree(hashes, middle, end)?);
            end = middle;
        } else {
            proof.push(subtree(hashes, start, middle)?);
            start = middle;
        }
    }
    if start > 0 {
        proof.push(subtree(hashes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The largest power of two that is less than `size`, which is at least 2.
const fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The hash of the leaves from `start` to before `end`, a range that the recursion of RFC 6962 comes by.
pub(super) fn subtree<H: Hashes>(hashes: &H, start: u64, end: u64) -> Result<Hash, H::Error> {
    let size = end - start;
    if !size.is_power_of_two() {
        let middle = start + split(size);
        return Ok(Hash::of_children(&subtree(hashes, start, middle)?, &subtree(hashes, middle, end)?));
    }
    let height = size.trailing_zeros();
    let (level, rest) = (height / TILE_HEIGHT, height % TILE_HEIGHT);
    let mut kept = Vec::with_capacity(1 << rest);
    hashes.read(level, start >> (level * TILE_HEIGHT), 1 << rest, &mut kept)?;
    while kept.len() > 1 {
        kept = kept.chunks_exact(2).filter_map(|pair| Some(Hash::of_children(pair.first()?, pair.get(1)?))).collect();
    }
    Ok(kept.first().copied().unwrap_or_else(Hash::of_empty))
}

/// The proof is not one of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotProved;

/// The root that follows from a leaf and its inclusion proof (RFC 9162, section 2.1.3.2); whoever asks compares it.
pub fn root_of_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Result<Hash, NotProved> {
    if index >= size {
        return Err(NotProved);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return Err(NotProved);
        }
        if node & 1 == 1 || node == last {
            hash = Hash::of_children(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = Hash::of_children(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last == 0 { Ok(hash) } else { Err(NotProved) }
}

/// A tree as a checkpoint gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many leaves it has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// Checks that the tree `old` is the beginning of the tree `new` (RFC 9162, section 2.1.4.2). Every tree begins with the
/// one without leaves.
pub fn verify_consistency(old: &Head, new: &Head, proof: &[Hash]) -> Result<(), NotProved> {
    let holds = |holds: bool| if holds { Ok(()) } else { Err(NotProved) };
    if old.size > new.size {
        return Err(NotProved);
    }
    if old.size == new.size {
        return holds(proof.is_empty() && old.root == new.root);
    }
    if old.size == 0 {
        return holds(proof.is_empty() && old.root == Hash::of_empty());
    }
    let (mut node, mut last) = (old.size - 1, new.size - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let mut hashes = proof.iter();
    // The old tree is a complete subtree of the new one: its root is what the proof would begin with.
    let first = if old.size.is_power_of_two() { &old.root } else { hashes.next().ok_or(NotProved)? };
    let (mut of_old, mut of_new) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return Err(NotProved);
        }
        if node & 1 == 1 || node == last {
            (of_old, of_new) = (Hash::of_children(hash, &of_old), Hash::of_children(hash, &of_new));
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            of_new = Hash::of_children(&of_new, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    holds(last == 0 && of_old == old.root && of_new == new.root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Vec<Vec<Hash>>);

    impl Hashes for Kept {
        type Error = &'static str;

        fn read(&self, level: u32, from: u64, count: u64, out: &mut Vec<Hash>) -> Result<(), Self::Error> {
            let level = self.0.get(level as usize).ok_or("no such level")?;
            out.extend_from_slice(level.get(from as usize..(from + count) as usize).ok_or("no such hash")?);
            Ok(())
        }
    }

    fn leaf(number: u64) -> Hash {
        Hash::of_leaf(&number.to_be_bytes())
    }

    fn grown(size: u64) -> (Kept, Edge) {
        let (mut kept, mut edge) = (Kept::default(), Edge::new());
        for number in 0..size {
            edge.push(leaf(number), |level, hash| {
                kept.0.resize(kept.0.len().max(level as usize + 1), Vec::new());
                kept.0[level as usize].push(hash);
            });
        }
        (kept, edge)
    }

    /// The definition of RFC 6962, section 2.1, word for word.
    fn by_definition(leaves: &[u64]) -> Hash {
        match leaves {
            [] => Hash::of_empty(),
            [one] => leaf(*one),
            more => {
                let (left, right) = more.split_at(split(more.len() as u64) as usize);
                Hash::of_children(&by_definition(left), &by_definition(right))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        for size in [0, 1, 2, 3, 7, 8, 255, 256, 257, 600] {
            let (kept, edge) = grown(size);
            let expected = by_definition(&(0..size).collect::<Vec<_>>());
            assert_eq!((edge.root(), root(&kept, size)), (expected, Ok(expected)), "{size}");
            assert_eq!(Edge::of(&kept, size), Ok(edge), "{size}");
        }
    }

    /// The roots that the authors of Certificate Transparency publish for their eight test leaves.
    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let mut edge = Edge::new();
        for leaf in leaves {
            edge.push(Hash::of_leaf(leaf), |_, _| {});
        }
        let expected = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
        assert_eq!(crate::base::ids::Digest::from_octets(*edge.root().octets()).to_string(), expected);
    }

    #[test]
    fn every_proof_of_every_tree_holds_and_no_other() {
        let (kept, _) = grown(300);
        for size in (1..40).chain([254, 255, 256, 257, 258, 300]) {
            let head = Head { size, root: root(&kept, size).expect("kept") };
            for index in (0..size).filter(|index| size < 40 || index % 37 == 0 || *index + 2 > size) {
                let proof = inclusion(&kept, index, size).expect("kept");
                assert_eq!(root_of_inclusion(leaf(index), index, size, &proof), Ok(head.root));
                assert_ne!(root_of_inclusion(leaf(index + 1), index, size, &proof), Ok(head.root));
                assert_ne!(root_of_inclusion(leaf(index), index + 1, size, &proof), Ok(head.root));
                assert_ne!(
                    root_of_inclusion(leaf(index), index, size, &[proof.as_slice(), &[head.root]].concat()),
                    Ok(head.root)
                );
                if let Some((_, rest)) = proof.split_first() {
                    assert_ne!(root_of_inclusion(leaf(index), index, size, rest), Ok(head.root));
                }
            }
            for old in (0..=size).filter(|old| size < 40 || old % 31 == 0) {
                let old = Head { size: old, root: root(&kept, old).expect("kept") };
                let proof = consistency(&kept, old.size, size).expect("kept");
                assert_eq!(verify_consistency(&old, &head, &proof), Ok(()), "{} of {size}", old.size);
                let other = Head { root: leaf(1000), ..old };
                assert_eq!(verify_consistency(&other, &head, &proof), Err(NotProved));
                // Any tree goes on from the one without leaves.
                let is_changed_found = verify_consistency(&old, &Head { root: leaf(1000), size }, &proof).is_err();
                assert_eq!(is_changed_found, old.size > 0);
                assert_eq!(verify_consistency(&old, &head, &[proof.as_slice(), &[head.root]].concat()), Err(NotProved));
            }
        }
    }

    #[test]
    fn an_edge_knows_its_size() {
        for size in [0, 1, 2, 255, 256, 300] {
            let (kept, edge) = grown(size);
            assert_eq!((edge.size(), Edge::of(&kept, size).map(|edge| edge.size())), (size, Ok(size)));
        }
    }

    #[test]
    fn hashes_have_one_text() {
        let hash = Hash::from_octets([0xff; 32]);
        let text = "//////////////////////////////////////////8=";
        assert_eq!((hash.to_string().as_str(), format!("{hash:?}").as_str(), Hash::parse(text)), (text, text, Some(hash)));
        for wrong in [
            "",
            &text[1..],
            &text[..43],
            "//////////////////////////////////////////9=",
            &format!("{text}="),
            &format!("/{text}"),
        ] {
            assert_eq!(Hash::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn no_proof_leads_from_a_larger_tree_to_a_smaller_one() {
        let (kept, _) = grown(9);
        let head = |size| Head { size, root: root(&kept, size).expect("kept") };
        for new in 0..9 {
            for old in new + 1..=9 {
                assert_eq!(verify_consistency(&head(old), &head(new), &[]), Err(NotProved));
                let proof = consistency(&kept, new, old).expect("kept");
                assert_eq!(verify_consistency(&head(old), &head(new), &proof), Err(NotProved));
            }
        }
    }
}
