//! Characters as symbols: two characters that no set of a pattern tells apart are one symbol.
//!
//! An automaton over symbols is small: `\p{L}` is one step and not some hundred of octets of UTF-8, so counted repetitions of
//! it cost no more than those of a letter.

use super::class::Set;
use std::collections::BTreeMap;

/// Which symbol each character is.
#[derive(Debug)]
pub(super) struct Symbols {
    ascii: [u8; 128],
    /// Where runs of one symbol start, in order; the first is 0.
    starts: Box<[u32]>,
    symbols: Box<[u8]>,
    /// For each set, the symbols that are in it.
    members: Vec<Members>,
}

/// A set of symbols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Members([u64; 4]);

impl Members {
    pub(super) fn holds(&self, symbol: u8) -> bool {
        let word = self.0.get(usize::from(symbol >> 6)).copied().unwrap_or(0);
        word >> (symbol & 63) & 1 == 1
    }

    pub(super) fn is_disjoint(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(left, right)| left & right == 0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|symbol| self.holds(*symbol))
    }

    fn insert(&mut self, symbol: u8) {
        if let Some(word) = self.0.get_mut(usize::from(symbol >> 6)) {
            *word |= 1 << (symbol & 63);
        }
    }
}

impl Symbols {
    /// The symbols of some sets; `None` if there are more than an octet can tell apart.
    pub(super) fn of(sets: &[Set]) -> Option<Self> {
        let mut edges = vec![(0, None)];
        for (number, set) in sets.iter().enumerate() {
            for range in set.ranges() {
                edges.push((u32::from(range.start()), Some(number)));
                edges.push((u32::from(range.end()).saturating_add(1), Some(number)));
            }
        }
        edges.sort_unstable();
        let mut inside = vec![0_u64; sets.len().div_ceil(64)];
        let mut known = BTreeMap::<Vec<u64>, u8>::new();
        let (mut starts, mut symbols) = (Vec::<u32>::new(), Vec::<u8>::new());
        let mut edges = edges.into_iter().peekable();
        while let Some((at, number)) = edges.next() {
            if let Some(number) = number
                && let Some(word) = inside.get_mut(number / 64)
            {
                *word ^= 1 << (number % 64);
            }
            if edges.peek().is_some_and(|(next, _)| *next == at) {
                continue;
            }
            let symbol = match known.get(&inside) {
                Some(symbol) => *symbol,
                None => {
                    let symbol = u8::try_from(known.len()).ok().filter(|symbol| *symbol < u8::MAX)?;
                    known.insert(inside.clone(), symbol);
                    symbol
                }
            };
            if symbols.last() != Some(&symbol) {
                starts.push(at);
                symbols.push(symbol);
            }
        }
        let mut members = vec![Members::default(); sets.len()];
        for (inside, symbol) in &known {
            for (number, members) in members.iter_mut().enumerate() {
                if inside.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1) {
                    members.insert(*symbol);
                }
            }
        }
        let mut made = Self { ascii: [0; 128], starts: starts.into(), symbols: symbols.into(), members };
        made.ascii = std::array::from_fn(|code| made.find(u32::try_from(code).unwrap_or(0)));
        Some(made)
    }

    /// The symbols of the set with this number.
    pub(super) fn members(&self, set: usize) -> Members {
        self.members.get(set).copied().unwrap_or_default()
    }

    /// Which characters of ASCII are of these symbols, bit by bit.
    pub(super) fn ascii_of(&self, members: &Members) -> [u64; 2] {
        let mut bits = [0; 2];
        for (code, _) in self.ascii.iter().enumerate().filter(|(_, symbol)| members.holds(**symbol)) {
            if let Some(word) = bits.get_mut(code / 64) {
                *word |= 1 << (code % 64);
            }
        }
        bits
    }

    /// The symbol of a character.
    #[inline]
    pub(super) fn symbol(&self, character: char) -> u8 {
        let code = u32::from(character);
        match self.ascii.get(code as usize) {
            Some(symbol) => *symbol,
            None => self.find(code),
        }
    }

    fn find(&self, code: u32) -> u8 {
        let at = self.starts.partition_point(|start| *start <= code).saturating_sub(1);
        self.symbols.get(at).copied().unwrap_or(0)
    }
}
