//! Ranges: that leaves, shown or only hashed, are exactly those of a range of a checkpoint's tree.
//!
//! A tree is covered from left to right by complete subtrees: those left of the range, the leaves of the range (or
//! subtrees of it whose leaves are not shown), and those right of it. Together they give the root (RFC 6962, section 2.1);
//! nothing can be left out, put in, changed or put in another order without giving another one.

use super::tree::{self, Hash, Hashes, Head, NotProved, PROOF_HASHES_MAX};

/// The largest complete subtrees that the leaves from `from` to before `to` consist of, from left to right: each as its
/// first leaf and its height.
pub fn pieces(from: u64, to: u64) -> impl Iterator<Item = (u64, u32)> {
    let mut start = from;
    std::iter::from_fn(move || {
        let left = to.checked_sub(start).filter(|left| *left > 0)?;
        // A subtree begins at a multiple of its size, and is not longer than what is left.
        let height = start.trailing_zeros().min(left.ilog2());
        let piece = (start, height);
        start += 1 << height;
        Some(piece)
    })
}

/// The hashes of [`pieces`].
pub fn prove<H: Hashes>(hashes: &H, from: u64, to: u64) -> Result<Vec<Hash>, H::Error> {
    pieces(from, to).map(|(start, height)| tree::subtree(hashes, start, start + (1 << height))).collect()
}

/// Takes a range from left to right and holds it against a tree.
#[derive(Clone, Debug)]
pub struct RangeVerifier {
    to: u64,
    size: u64,
    /// Complete subtrees, largest first, as height and root.
    roots: Vec<(u32, Hash)>,
}

impl RangeVerifier {
    /// Begins behind what is left of the range, whose hashes are those of [`prove`] from 0 to before `from`.
    pub fn new(from: u64, to: u64, left: &[Hash]) -> Result<Self, NotProved> {
        if from > to || to >= 1 << PROOF_HASHES_MAX {
            return Err(NotProved);
        }
        let mut this = Self { to, size: 0, roots: Vec::new() };
        this.push_all(from, left)?;
        Ok(this)
    }

    /// The index of the leaf that is expected next.
    pub fn next(&self) -> u64 {
        self.size
    }

    /// Takes a subtree of 2^height leaves: a leaf, if that is 0.
    pub fn push(&mut self, height: u32, hash: Hash) -> Result<(), NotProved> {
        let is_aligned = height < PROOF_HASHES_MAX as u32 && self.size.trailing_zeros() >= height;
        let end = if is_aligned { self.size.checked_add(1 << height).ok_or(NotProved)? } else { return Err(NotProved) };
        if end > self.to {
            return Err(NotProved);
        }
        self.join(height, hash);
        Ok(())
    }

    /// Ends with what is right of the range, whose hashes are those of [`prove`] up to the tree's size.
    pub fn finish(mut self, right: &[Hash], head: &Head) -> Result<(), NotProved> {
        if self.size != self.to || head.size < self.to {
            return Err(NotProved);
        }
        self.push_all(head.size, right)?;
        let mut roots = self.roots.iter().rev().map(|(_, root)| *root);
        let last = roots.next().unwrap_or_else(Hash::of_empty);
        let root = roots.fold(last, |right, left| Hash::of_children(&left, &right));
        if root == head.root { Ok(()) } else { Err(NotProved) }
    }

    fn push_all(&mut self, to: u64, hashes: &[Hash]) -> Result<(), NotProved> {
        let mut hashes = hashes.iter();
        for (_, height) in pieces(self.size, to) {
            self.join(height, *hashes.next().ok_or(NotProved)?);
        }
        if hashes.next().is_none() { Ok(()) } else { Err(NotProved) }
    }

    /// Two complete subtrees of one height that lie together are one of the next.
    fn join(&mut self, mut height: u32, mut hash: Hash) {
        self.size += 1 << height;
        while let Some((_, left)) = self.roots.pop_if(|(of, _)| *of == height) {
            (height, hash) = (height + 1, Hash::of_children(&left, &hash));
        }
        self.roots.push((height, hash));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Edge, TILE_WIDTH};
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Kept(Vec<Vec<Hash>>);

    impl Hashes for Kept {
        type Error = ();

        fn read(&self, level: u32, from: u64, count: u64, out: &mut Vec<Hash>) -> Result<(), ()> {
            let level = self.0.get(level as usize).ok_or(())?;
            out.extend_from_slice(level.get(from as usize..(from + count) as usize).ok_or(())?);
            Ok(())
        }
    }

    fn leaf(number: u64) -> Hash {
        Hash::of_leaf(&number.to_be_bytes())
    }

    fn grown(size: u64) -> (Kept, Head) {
        let (mut kept, mut edge) = (Kept::default(), Edge::new());
        for number in 0..size {
            edge.push(leaf(number), |level, hash| {
                kept.0.resize(kept.0.len().max(level as usize + 1), Vec::new());
                kept.0[level as usize].push(hash);
            });
        }
        (kept, Head { size, root: edge.root() })
    }

    /// A range as it is sent: what is left of it, its pieces, what is right of it.
    #[derive(Clone, Debug)]
    struct Sent {
        from: u64,
        to: u64,
        left: Vec<Hash>,
        pieces: Vec<(u32, Hash)>,
        right: Vec<Hash>,
    }

    impl Sent {
        /// Leaves whose bit is set in `hidden` are not shown.
        fn new(kept: &Kept, head: &Head, from: u64, to: u64, hidden: u64) -> Self {
            let (mut list, mut index) = (Vec::new(), from);
            let is_hidden = |index: u64| hidden >> (index % 64) & 1 == 1;
            while index < to {
                let end = (index..to).find(|index| !is_hidden(*index)).unwrap_or(to);
                for (start, height) in pieces(index, end) {
                    list.push((height, tree::subtree(kept, start, start + (1 << height)).expect("kept")));
                }
                if end < to {
                    list.push((0, leaf(end)));
                }
                index = (end + 1).min(to);
            }
            let prove = |from, to| prove(kept, from, to).expect("kept");
            Self { from, to, left: prove(0, from), pieces: list, right: prove(to, head.size) }
        }

        fn verify(&self, head: &Head) -> Result<(), NotProved> {
            let mut verifier = RangeVerifier::new(self.from, self.to, &self.left)?;
            self.pieces.iter().try_for_each(|(height, hash)| verifier.push(*height, *hash))?;
            verifier.finish(&self.right, head)
        }
    }

    #[test]
    fn every_range_of_small_trees_holds() {
        for size in 0..20 {
            let (kept, head) = grown(size);
            for from in 0..=size {
                for to in from..=size {
                    assert_eq!(Sent::new(&kept, &head, from, to, 0).verify(&head), Ok(()), "{from}..{to} of {size}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_range_holds_and_no_changed_one(size in 1..3 * TILE_WIDTH, ends: (u64, u64), hidden: u64, at: usize, how in 0..9_u8) {
            let (kept, head) = grown(size);
            let (a, b) = (ends.0 % (size + 1), ends.1 % (size + 1));
            let (from, to) = (a.min(b), a.max(b));
            let sent = Sent::new(&kept, &head, from, to, hidden);
            prop_assert_eq!(sent.verify(&head), Ok(()));
            let mut changed = sent.clone();
            let other = Hash::of_leaf(b"other");
            let place = |length: usize| at % length.max(1);
            match how {
                0 if from < to => changed.pieces[place(sent.pieces.len())].1 = other,
                1 if from < to => { changed.pieces.remove(place(sent.pieces.len())); }
                2 => changed.pieces.insert(place(sent.pieces.len() + 1), (0, other)),
                3 if sent.pieces.len() > 1 => {
                    let at = place(sent.pieces.len() - 1);
                    changed.pieces.swap(at, at + 1);
                }
                4 if !sent.left.is_empty() => changed.left[place(sent.left.len())] = other,
                5 if !sent.right.is_empty() => { changed.right.remove(place(sent.right.len())); }
                6 => changed.from = from.wrapping_sub(1),
                7 => changed.to += 1,
                8 if from < to => changed.pieces[place(sent.pieces.len())].0 += 1,
                _ => changed.right.push(other),
            }
            prop_assert_eq!(changed.verify(&head), Err(NotProved));
            prop_assert_eq!(sent.verify(&Head { root: other, ..head }), Err(NotProved));
        }
    }

    #[test]
    fn what_is_expected_next_is_behind_what_was_taken() {
        let (kept, _) = grown(8);
        let mut verifier = RangeVerifier::new(2, 8, &prove(&kept, 0, 2).expect("kept")).expect("the left of it");
        assert_eq!(verifier.next(), 2);
        for (height, next) in [(0, 3), (0, 4), (2, 8)] {
            let subtree = tree::subtree(&kept, verifier.next(), next).expect("kept");
            verifier.push(height, subtree).expect("it is next");
            assert_eq!(verifier.next(), next);
        }
    }

    #[test]
    fn no_subtree_stands_where_none_can_or_beyond_the_range() {
        let other = Hash::of_leaf(b"other");
        let longest = (1 << PROOF_HASHES_MAX) - 1;
        for (from, to, height) in
            [(0, 3, 2), (0, 4, 3), (2, 8, 2), (3, 8, 1), (0, longest, 63), (0, longest, 64), (0, longest, u32::MAX)]
        {
            let left = vec![other; pieces(0, from).count()];
            let mut verifier = RangeVerifier::new(from, to, &left).expect("a range");
            assert_eq!(verifier.push(height, other), Err(NotProved), "{height} at {from} of {to}");
            assert_eq!(verifier.next(), from);
        }
        assert!(RangeVerifier::new(0, longest, &[]).expect("a range").push(62, other).is_ok());
        assert_eq!(RangeVerifier::new(0, longest + 1, &[]).err(), Some(NotProved));
        assert_eq!(RangeVerifier::new(1, 0, &[other]).err(), Some(NotProved));
    }

    /// Its leaves would otherwise pass as hashes to the right of it, which nobody looks at.
    #[test]
    fn a_range_that_was_not_taken_whole_does_not_hold() {
        let (kept, head) = grown(4);
        let mut verifier = RangeVerifier::new(0, 2, &[]).expect("a range");
        verifier.push(0, leaf(0)).expect("the first");
        let right = prove(&kept, 1, 4).expect("kept");
        assert_eq!(verifier.finish(&right, &head), Err(NotProved));
    }

    #[test]
    fn no_range_goes_beyond_its_tree() {
        let (_, head) = grown(4);
        let taken = || {
            let mut verifier = RangeVerifier::new(0, 4, &[]).expect("a range");
            (0..4).for_each(|number| verifier.push(0, leaf(number)).expect("the next"));
            verifier
        };
        assert_eq!(taken().finish(&[], &head), Ok(()));
        for size in 0..4 {
            assert_eq!(taken().finish(&[], &Head { size, ..head }), Err(NotProved), "{size}");
        }
    }
}
