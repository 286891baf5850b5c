//! Content models that are a row: one slot behind the other, in each an element or a choice of elements, so often. Nearly all
//! types are such. Where a document stands is then a slot and a count, and what may come next stands just behind it: names are
//! compared with it before any is looked up.

use super::names::{Name, Names, last_word};

/// Whether content may lack a particle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Each content has it.
    Required,
    /// It, or a group around it, may occur zero times, or it is one of a choice.
    Optional,
}

/// An element that content may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The element, by its number in the set.
    pub element: u32,
    /// Whether content may lack it.
    pub presence: Presence,
    /// Its place among all elements that content may have.
    pub place: u32,
}

/// A place in a row: how often what may stand there, and how far one may go from there.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) min: u32,
    pub(super) max: u32,
    /// The particle.
    pub(super) node: u32,
    /// The names that may stand there.
    pub(super) names: Vec<(Name, Listed)>,
}

#[derive(Debug)]
struct Place {
    min: u32,
    max: u32,
    node: u32,
    /// Its own names, and those of the places behind it.
    own: u32,
    behind: u32,
    /// The last place to which one may go on.
    reach: u32,
}

#[derive(Debug)]
struct Entry {
    /// What tells its name from most others at a glance.
    sign: u64,
    name: Name,
    place: u32,
    listed: Listed,
}

/// The row.
#[derive(Debug)]
pub(super) struct Row {
    /// The first is where content begins.
    places: Box<[Place]>,
    entries: Box<[Entry]>,
    /// Names with their entries, sorted.
    sorted: Box<[(Name, u32)]>,
}

/// Where a document stands in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    place: u32,
    count: u32,
}

impl Mark {
    /// Whether no element has come.
    pub(super) fn is_first(self) -> bool {
        self.place == 0
    }

    /// How often what the present place is for has come.
    pub(super) fn count(self) -> u32 {
        self.count
    }
}

impl Row {
    /// A row of these slots; none if a name stands in two of them, so that it does not tell its place.
    pub(super) fn of(slots: &[Slot], names: &Names) -> Option<Self> {
        let mut places = vec![Place { min: 0, max: 0, node: 0, own: 0, behind: 0, reach: 0 }];
        let mut entries = Vec::new();
        for (place, slot) in (1..).zip(slots) {
            let own = entries.len() as u32;
            let entry =
                |(name, listed): &(Name, Listed)| Entry { sign: sign(names.local(*name)), name: *name, place, listed: *listed };
            entries.extend(slot.names.iter().map(entry));
            places.push(Place { min: slot.min, max: slot.max, node: slot.node, own, behind: entries.len() as u32, reach: 0 });
        }
        let mut reach = places.len() as u32;
        for (at, place) in places.iter_mut().enumerate().rev() {
            place.reach = reach;
            reach = if place.min > 0 { at as u32 } else { reach };
        }
        let mut sorted: Vec<(Name, u32)> = (0..).zip(&entries).map(|(at, entry)| (entry.name, at)).collect();
        sorted.sort_unstable();
        let is_clear = sorted.iter().zip(sorted.iter().skip(1)).all(|((one, _), (next, _))| one != next);
        is_clear.then(|| Self { places: places.into(), entries: entries.into(), sorted: sorted.into() })
    }

    /// Takes the next element.
    #[inline]
    pub(super) fn step(&self, mark: &mut Mark, names: &Names, (uri, local): (&str, &str)) -> Option<Listed> {
        let here = self.places.get(mark.place as usize)?;
        let from = if mark.count < here.max { here.own } else { here.behind };
        let sign = sign(local);
        let mut near = self.entries.get(from as usize..)?.iter().take(NEAR);
        let entry = match near.find(|entry| entry.sign == sign && names.is(entry.name, uri, local)) {
            Some(entry) => entry,
            None => self.find(names.find(uri, local)?)?,
        };
        if entry.place == mark.place {
            if mark.count >= here.max {
                return None;
            }
            mark.count = mark.count.saturating_add(1);
        } else {
            if entry.place < mark.place || entry.place > here.reach || mark.count < here.min {
                return None;
            }
            *mark = Mark { place: entry.place, count: 1 };
        }
        Some(entry.listed)
    }

    fn find(&self, name: Name) -> Option<&Entry> {
        let at = self.sorted.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        self.entries.get(self.sorted.get(at)?.1 as usize)
    }

    /// Whether content that has begun may end here.
    #[inline]
    pub(super) fn may_end(&self, mark: Mark) -> bool {
        let place = self.places.get(mark.place as usize);
        place.is_some_and(|place| mark.count >= place.min && place.reach as usize == self.places.len())
    }

    /// The particle of the present place.
    pub(super) fn node(&self, mark: Mark) -> u32 {
        self.places.get(mark.place as usize).map_or(0, |place| place.node)
    }
}

/// The end of a name with its length.
#[inline]
fn sign(local: &str) -> u64 {
    last_word(local.as_bytes()) ^ (local.len() as u64).rotate_right(8)
}

/// How many names are compared before the next one is looked up.
const NEAR: usize = 10;
