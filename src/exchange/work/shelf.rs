//! Where open work lies: octets under keys that have an order. What the keys and octets mean is for `work` alone to know, so
//! another place for them (a folder, a database) has three things to do, and [`conformance`] says whether it does them.

use std::collections::BTreeMap;
use std::ops::Bound;

/// A change: what lies under a key from now on, or that nothing does.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Octets under keys, in the order of the keys.
pub trait Shelf {
    /// What lies under a key.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;

    /// The first of what lies under keys behind this one, or at it.
    fn from(&self, key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)>;

    /// Makes changes, all of them or none. They are seen at once; what has not been saved may be gone after a crash, beginning with
    /// the newest.
    fn write(&mut self, changes: Vec<Change>);
}

/// A shelf in memory: for tests and the simulator.
#[derive(Clone, Debug, Default)]
pub struct Memory(BTreeMap<Vec<u8>, Vec<u8>>);

impl Shelf for Memory {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }

    fn from(&self, key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut found = self.0.range::<[u8], _>((Bound::Included(key), Bound::Unbounded));
        found.next().map(|(key, value)| (key.clone(), value.clone()))
    }

    fn write(&mut self, changes: Vec<Change>) {
        for (key, value) in changes {
            match value {
                Some(value) => drop(self.0.insert(key, value)),
                None => drop(self.0.remove(&key)),
            }
        }
    }
}

impl Memory {
    /// How much lies there.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing does.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Holds a shelf against what `work` relies on, and says what it does otherwise. It must be empty, and is left with something on
/// it.
pub fn conformance(shelf: &mut impl Shelf) -> Result<(), String> {
    let mut model = Memory::default();
    let mut dice = 0x9e37_79b9_u32;
    for round in 0..400_u32 {
        let mut changes: Vec<Change> = Vec::new();
        for _ in 0..=round % 5 {
            // Knuth's linear congruential generator: any numbers will do.
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [length, first, second, kind] = dice.to_be_bytes();
            let key = [first % 4, second, 0, 255].into_iter().take(usize::from(length % 4) + 1).collect();
            changes.push((key, (!kind.is_multiple_of(3)).then(|| vec![kind; usize::from(second)])));
        }
        model.write(changes.clone());
        shelf.write(changes.clone());
        for (key, _) in &changes {
            let behind = [key.as_slice(), &[0]].concat();
            if shelf.get(key) != model.get(key) {
                return Err(format!("round {round}: another value lies under {key:?}"));
            }
            if shelf.from(key) != model.from(key) || shelf.from(&behind) != model.from(&behind) {
                return Err(format!("round {round}: something else comes after {key:?}"));
            }
        }
    }
    let mut next = Vec::new();
    while let Some((key, value)) = model.from(&next) {
        if shelf.from(&next).as_ref() != Some(&(key.clone(), value)) {
            return Err(format!("at the end something else comes after {next:?}"));
        }
        next = [key.as_slice(), &[0]].concat();
    }
    shelf.from(&next).map_or(Ok(()), |(key, _)| Err(format!("at the end there is also {key:?}")))
}
