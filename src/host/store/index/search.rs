//! Finding records: the rarest of the filters drives, the rows of what it finds decide, newest first.

use super::live::Live;
use super::names::Names;
use super::row::{By, Row, case_key, kind_octet, message_key};
use super::rows::SPAN;
use super::volume::Volume;
use crate::base::limits;
use crate::evidence::audit::Filter;
use crate::host::store::StoreError;
use crate::host::store::keys::Keys;
use std::sync::{Arc, RwLockReadGuard};

/// A filter in terms of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    from: u64,
    to: u64,
    kind: u8,
    keys: Vec<(By, u64)>,
    /// Each agency is the one or the other.
    parties: Vec<u64>,
    /// A name that no record has: nothing is found.
    is_void: bool,
}

impl Conditions {
    pub(crate) fn new(filter: &Filter, names: &Names, keys: &Keys) -> Self {
        let mut this = Self {
            from: filter.from.map_or(0, |time| time.as_ms()),
            to: filter.to.map_or(u64::MAX, |time| time.as_ms()),
            kind: filter.kind.map_or(0, |kind| kind_octet(kind.as_str())),
            ..Self::default()
        };
        for (by, text) in [
            (By::Consumer, filter.consumer.as_ref().map(|name| name.as_str())),
            (By::Provider, filter.provider.as_ref().map(|name| name.as_str())),
            (By::DocumentType, filter.document_type.as_ref().map(|code| code.as_str())),
            (By::Purpose, filter.purpose.as_ref().map(|code| code.as_str())),
            (By::Basis, filter.basis_of_leaves()),
            (By::Code, filter.code.as_deref()),
        ] {
            let Some(text) = text else { continue };
            match names.number(text) {
                Some(number) => this.keys.push((by, number)),
                None => this.is_void = true,
            }
        }
        for party in filter.party.iter().chain(&filter.scope) {
            let number = names.number(party.as_str());
            this.is_void |= number.is_none();
            this.parties.extend(number);
        }
        this.keys.extend(filter.message.as_ref().map(|id| (By::Message, message_key(id))));
        this.keys.extend(filter.case.as_ref().map(|case| (By::Case, case_key(case))));
        this.keys.extend(filter.official.as_ref().map(|id| (By::Official, keys.index_key(id))));
        this.keys.extend(filter.person.as_ref().map(|id| (By::Person, keys.index_key(id))));
        this
    }

    pub(crate) fn hold(&self, row: &Row, driver: Option<By>) -> bool {
        let is_party = |party: &u64| row.key(By::Consumer) == *party || row.key(By::Provider) == *party;
        (self.from..self.to).contains(&row.time)
            && (self.kind == 0 || self.kind == row.kind)
            && self.parties.iter().all(is_party)
            // A row has only the first person: the posting is the truth.
            && self.keys.iter().all(|(by, key)| row.key(*by) == *key || (*by == By::Person && driver == Some(By::Person)))
    }
}

/// A volume, complete or not.
pub(crate) enum View<'v> {
    Live(RwLockReadGuard<'v, Live>),
    Sealed(Arc<Volume>),
}

impl View<'_> {
    pub(crate) fn first(&self) -> u64 {
        match self {
            Self::Live(live) => live.first,
            Self::Sealed(volume) => volume.meta.first,
        }
    }

    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Live(live) => live.count(),
            Self::Sealed(volume) => volume.meta.count,
        }
    }

    pub(crate) fn rows(&self, from: u64, to: u64, out: &mut Vec<Row>) -> Result<(), StoreError> {
        match self {
            Self::Live(live) => live.rows(from, to, out),
            Self::Sealed(volume) => volume.rows(from, to, out),
        }
    }

    /// The places that may lie in a range of times.
    pub(crate) fn span(&self, from: u64, to: u64) -> (u64, u64) {
        let Self::Sealed(volume) = self else { return (0, self.count()) };
        let meets = |(earliest, latest): &(u64, u64)| *earliest < to && *latest >= from;
        let times = &volume.meta.times;
        let first = times.iter().position(meets).map_or(self.count(), |span| span as u64 * SPAN);
        let last = times.iter().rposition(meets).map_or(0, |span| (span as u64 + 1) * SPAN);
        (first, last.min(self.count()))
    }

    /// Which of the keys is found by: a person always, and else what there is least of.
    fn driver(&self, conditions: &Conditions) -> Option<(By, u64)> {
        let rank = |(by, key): &(By, u64)| match self {
            _ if *by == By::Person => 0,
            Self::Live(live) => live.estimate(*by, *key) + 1,
            Self::Sealed(volume) => volume.estimate(*by, *key) + 1,
        };
        conditions.keys.iter().min_by_key(|key| rank(key)).copied()
    }

    fn places(&self, by: By, key: u64, before: u32) -> Descending<'_> {
        match self {
            Self::Live(live) => Descending::new(live.places(by, key, before)),
            Self::Sealed(volume) => {
                let mut places = volume.places(by, key, before);
                Descending::new(std::iter::from_fn(move || places.next().transpose()))
            }
        }
    }
}

/// Places from the last to the first, taken portion by portion.
struct Descending<'p> {
    portions: Box<dyn Iterator<Item = Result<Vec<u32>, StoreError>> + 'p>,
    /// In ascending order: the next is the last.
    waiting: Vec<u32>,
}

impl<'p> Descending<'p> {
    fn new(portions: impl Iterator<Item = Result<Vec<u32>, StoreError>> + 'p) -> Self {
        Self { portions: Box::new(portions), waiting: Vec::new() }
    }

    fn peek(&mut self) -> Result<Option<u32>, StoreError> {
        while self.waiting.is_empty() {
            let Some(mut portion) = self.portions.next().transpose()? else { return Ok(None) };
            portion.reverse();
            self.waiting = portion;
        }
        Ok(self.waiting.last().copied())
    }

    fn next(&mut self) -> Result<Option<u32>, StoreError> {
        let next = self.peek()?;
        self.waiting.pop();
        Ok(next)
    }
}

/// What may be a hit, from the last to the first.
enum Candidates<'p> {
    All(std::iter::Rev<std::ops::Range<u64>>),
    Of(Descending<'p>),
    Either(Descending<'p>, Descending<'p>),
}

impl Candidates<'_> {
    fn next(&mut self) -> Result<Option<u64>, StoreError> {
        let place = match self {
            Self::All(places) => return Ok(places.next()),
            Self::Of(places) => places.next()?,
            Self::Either(left, right) => match (left.peek()?, right.peek()?) {
                (Some(a), Some(b)) if a == b => {
                    right.next()?;
                    left.next()?
                }
                (Some(a), Some(b)) if a < b => right.next()?,
                (None, Some(_)) => right.next()?,
                _ => left.next()?,
            },
        };
        Ok(place.map(u64::from))
    }
}

/// What was found.
#[derive(Default)]
pub(crate) struct Hits {
    pub rows: Vec<(u64, Row)>,
    /// Where to go on: everything from here on was looked at.
    pub next: Option<u64>,
    /// How many rows may still be looked at.
    budget: usize,
}

impl Hits {
    pub(crate) fn new() -> Self {
        Self { budget: limits::SEARCH_ROWS_MAX, ..Self::default() }
    }

    /// Looks through a volume; says whether the page is full.
    pub(crate) fn look(
        &mut self,
        view: &View<'_>,
        conditions: &Conditions,
        before: u64,
        limit: usize,
    ) -> Result<bool, StoreError> {
        each_row(view, conditions, before, |index, row, holds| {
            let is_full = self.budget == 0 || (holds && self.rows.len() == limit);
            if is_full {
                self.next = Some(index + 1);
                return true;
            }
            self.budget -= 1;
            if holds {
                self.rows.push((index, *row));
            }
            false
        })
    }
}

/// Gives each row of a volume that may be meant to `visit`, latest first, and whether the conditions hold for it, until
/// `visit` has enough; says whether it had.
pub(crate) fn each_row(
    view: &View<'_>,
    conditions: &Conditions,
    before: u64,
    mut visit: impl FnMut(u64, &Row, bool) -> bool,
) -> Result<bool, StoreError> {
    if conditions.is_void {
        return Ok(false);
    }
    let first = view.first();
    let (from, to) = view.span(conditions.from, conditions.to);
    let to = to.min(before.saturating_sub(first));
    let driver = view.driver(conditions);
    let mut candidates = match (driver, conditions.parties.first().copied()) {
        (Some((by, key)), _) => Candidates::Of(view.places(by, key, to as u32)),
        (None, Some(party)) => {
            Candidates::Either(view.places(By::Consumer, party, to as u32), view.places(By::Provider, party, to as u32))
        }
        (None, None) => Candidates::All((from..to).rev()),
    };
    // Rows are read in portions, since what is found often lies together.
    let (mut rows, mut start) = (Vec::new(), u64::MAX);
    while let Some(place) = candidates.next()? {
        if place < from {
            break;
        }
        if !(start..start.saturating_add(rows.len() as u64)).contains(&place) {
            start = place.saturating_sub(PORTION - 1);
            view.rows(start, place + 1, &mut rows)?;
        }
        let Some(row) = rows.get((place - start) as usize) else { continue };
        if visit(first + place, row, conditions.hold(row, driver.map(|(by, _)| by))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Rows that are read together: one block or two.
const PORTION: u64 = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::RwLock;

    #[test]
    fn a_page_looks_at_so_many_rows_and_then_says_where_to_go_on() {
        const MAX: usize = limits::SEARCH_ROWS_MAX;
        let folder = std::env::temp_dir().join(format!("oncegate-search-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        let (mut live, _) = Live::open(&folder, 0, 0).expect("opens");
        live.append(&vec![Row { kind: 1, time: 1, ..Row::default() }; MAX + 1], &[], Default::default()).expect("writable");
        let live = RwLock::new(live);
        let view = View::Live(live.read().expect("not poisoned"));
        // None of them is meant.
        let conditions = Conditions { to: u64::MAX, kind: 2, ..Conditions::default() };
        let page_before = |before: u64| {
            let mut hits = Hits::new();
            let is_full = hits.look(&view, &conditions, before, 10).expect("readable");
            (is_full, hits.rows.len(), hits.next)
        };
        assert_eq!(page_before(MAX as u64), (false, 0, None));
        assert_eq!(page_before(u64::MAX), (true, 0, Some(1)));
        std::fs::remove_dir_all(&folder).expect("it is there");
    }
}
