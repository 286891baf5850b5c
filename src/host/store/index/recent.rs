//! Where the records of each exchange of the live volume are: a message that is new is known to be from memory alone, and there is
//! never more of it than a volume has records.

use std::collections::HashMap;

/// Places by exchange.
#[derive(Default)]
pub(crate) struct Recent {
    /// The last place of each exchange.
    last: HashMap<u64, u32>,
    /// Of each place, the one before it of the same exchange.
    before: Vec<u32>,
}

const NO_PLACE: u32 = u32::MAX;

impl Recent {
    /// Takes the next place, which is of this exchange; of none if the key is 0.
    pub(crate) fn push(&mut self, key: u64) {
        let place = self.before.len() as u32;
        let before = if key == 0 { None } else { self.last.insert(key, place) };
        self.before.push(before.unwrap_or(NO_PLACE));
    }

    /// The places of an exchange, latest first.
    pub(crate) fn places(&self, key: u64) -> impl Iterator<Item = u32> {
        let next = |place: &u32| self.before.get(*place as usize).copied().filter(|before| *before != NO_PLACE);
        std::iter::successors(self.last.get(&key).copied(), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_an_exchange_are_found_latest_first_and_no_others() {
        let mut recent = Recent::default();
        [7, 0, 8, 7, 0, 7].into_iter().for_each(|key| recent.push(key));
        let places = |key| recent.places(key).collect::<Vec<_>>();
        assert_eq!((places(7), places(8), places(9), places(0)), (vec![5, 3, 0], vec![2], vec![], vec![]));
    }
}
