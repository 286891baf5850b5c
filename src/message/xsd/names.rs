//! Expanded names as numbers: every name of a schema set has one, and what a document calls otherwise has none.

/// The number of an expanded name.
pub type Name = u32;

/// All names of a set. Looking one up costs one hash; the table is filled from the schemas alone, so no document can make it
/// slow.
#[derive(Debug, Default)]
pub struct Names {
    /// The namespaces, each once, so that the few that there are stay near.
    uris: Vec<Box<str>>,
    /// Namespace and local part.
    entries: Vec<(u32, Box<str>)>,
    /// One more than the entry; zero is free. Its length is a power of two, at most half full.
    slots: Vec<u32>,
}

fn hash(uri: &str, local: &str) -> u64 {
    // Of a namespace's name the end tells most.
    let space = last_word(uri.as_bytes()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let octets = local.as_bytes();
    // Words of eight octets, of which the last may begin within the one before it.
    let words = octets.as_chunks::<8>().0.iter().take(octets.len().saturating_sub(1) / 8);
    let state = words.fold(space ^ octets.len() as u64, |state, word| mix(state, u64::from_le_bytes(*word)));
    let state = mix(state, last_word(octets));
    state ^ state >> 29
}

/// The last eight octets, or all.
#[inline]
pub(super) fn last_word(octets: &[u8]) -> u64 {
    match (octets.last_chunk::<8>(), octets.last_chunk::<4>(), octets.first_chunk::<4>()) {
        (Some(last), ..) => u64::from_le_bytes(*last),
        (None, Some(last), Some(first)) => u64::from(u32::from_le_bytes(*last)) << 32 | u64::from(u32::from_le_bytes(*first)),
        _ => octets.iter().fold(0, |word, octet| word << 8 | u64::from(*octet)),
    }
}

/// Names are short: comparing them in place is faster than a call.
#[inline]
fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    match (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        (Some(left_end), Some(right_end)) => {
            let words = left.as_chunks::<8>().0.iter().zip(right.as_chunks::<8>().0);
            u64::from_le_bytes(*left_end) == u64::from_le_bytes(*right_end)
                && words.into_iter().all(|(left, right)| u64::from_le_bytes(*left) == u64::from_le_bytes(*right))
        }
        _ => left.iter().zip(right).all(|(left, right)| left == right),
    }
}

fn mix(state: u64, word: u64) -> u64 {
    (state ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31)
}

impl Names {
    /// The number of a name, if it has one.
    #[inline]
    pub fn find(&self, uri: &str, local: &str) -> Option<Name> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash(uri, local) as usize & mask;
        loop {
            let entry = self.slots.get(at).copied()?.checked_sub(1)?;
            if self.is(entry, uri, local) {
                return Some(entry);
            }
            at = at.wrapping_add(1) & mask;
        }
    }

    /// The number of a name, given to it if it has none.
    pub fn intern(&mut self, uri: &str, local: &str) -> Name {
        if let Some(known) = self.find(uri, local) {
            return known;
        }
        let space = self.uris.iter().rposition(|known| **known == *uri).unwrap_or_else(|| {
            self.uris.push(uri.into());
            self.uris.len().saturating_sub(1)
        });
        self.entries.push((space as u32, local.into()));
        if self.entries.len().saturating_mul(2) > self.slots.len() {
            let length = self.slots.len().saturating_mul(2).max(64);
            self.slots = vec![0; length];
            for entry in 0..self.entries.len() {
                self.place(entry);
            }
        } else {
            self.place(self.entries.len().saturating_sub(1));
        }
        self.entries.len().saturating_sub(1) as Name
    }

    fn space(&self, space: u32) -> &str {
        self.uris.get(space as usize).map_or("", |uri| uri)
    }

    /// Whether a name is this one.
    #[inline]
    pub fn is(&self, name: Name, uri: &str, local: &str) -> bool {
        let Some((space, known)) = self.entries.get(name as usize) else { return false };
        same(known, local) && same(self.space(*space), uri)
    }

    fn place(&mut self, entry: usize) {
        let mask = self.slots.len().saturating_sub(1);
        let Some((space, local)) = self.entries.get(entry) else { return };
        let mut at = hash(self.space(*space), local) as usize & mask;
        while self.slots.get(at).is_some_and(|slot| *slot != 0) {
            at = at.wrapping_add(1) & mask;
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = (entry as u32).saturating_add(1);
        }
    }

    /// The namespace name of a name, empty if it has none.
    pub fn uri(&self, name: Name) -> &str {
        self.entries.get(name as usize).map_or("", |(space, _)| self.space(*space))
    }

    /// The local part of a name.
    pub fn local(&self, name: Name) -> &str {
        self.entries.get(name as usize).map_or("", |(_, local)| local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_one_octet_are_two() {
        let mut names = Names::default();
        let mut all = Vec::new();
        for length in 1..60 {
            for place in 0..length {
                let mut text = vec![b'n'; length];
                text[place] = b'm';
                all.push(String::from_utf8(text).expect("ASCII"));
            }
        }
        let numbers: Vec<Name> = all.iter().map(|local| names.intern("urn:a", local)).collect();
        assert_eq!(numbers, (0..all.len() as u32).collect::<Vec<_>>());
        for (local, number) in all.iter().zip(numbers) {
            assert_eq!(names.find("urn:a", local), Some(number));
            assert_eq!((names.find("urn:b", local), names.find("", local)), (None, None));
            assert!(names.is(number, "urn:a", local) && names.local(number) == local);
        }
    }
}
