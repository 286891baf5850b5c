//! Finding records, newest first: what the lists of all filters have in common, in complete volumes; what the columns say, in the live
//! one. The rows of what is found decide. A page looks at so much and no more, and then says where to go on.

use super::columns::Columns;
use super::live::Live;
use super::names::Names;
use super::postings::{Key, Meeting, Met, Term};
use super::row::{By, Row, case_key, digest_key, kind_octet, message_key};
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
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) kind: u8,
    keys: Vec<(By, u64)>,
    /// Each agency is the one or the other.
    parties: Vec<u64>,
    /// A name that no record has: nothing is found.
    pub(super) is_void: bool,
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
        this.keys.extend(filter.digest.as_ref().map(|digest| (By::Digest, digest_key(digest))));
        this.keys.extend(filter.official.as_ref().map(|id| (By::Official, keys.index_key(id))));
        this.keys.extend(filter.person.as_ref().map(|id| (By::Person, keys.index_key(id))));
        this
    }

    pub(crate) fn hold(&self, row: &Row, driver: Option<By>) -> bool {
        let is_party = |party: &u64| row.key(By::Consumer) == *party || row.key(By::Provider) == *party;
        self.is_in_time(row.time)
            && (self.kind == 0 || self.kind == row.kind)
            && self.parties.iter().all(is_party)
            // A row has only the first person: the posting is the truth.
            && self.keys.iter().all(|(by, key)| row.key(*by) == *key || (*by == By::Person && driver == Some(By::Person)))
    }

    /// Whether they hold for a row of the live volume, as far as its columns tell.
    pub(super) fn hold_in(&self, columns: &Columns, place: u64) -> bool {
        let is_party = |party: &u64| columns.name(By::Consumer, place) == *party || columns.name(By::Provider, place) == *party;
        columns.brief(place).is_some_and(|(time, kind)| self.is_in_time(time) && (self.kind == 0 || self.kind == kind))
            && self.parties.iter().all(is_party)
            && self.keys.iter().all(|(by, key)| !by.is_name() || columns.name(*by, place) == *key)
    }

    /// Those of a time, of a kind, of keys and of parties.
    #[cfg(test)]
    pub(super) fn of((from, to): (u64, u64), kind: u8, keys: &[(By, u64)], parties: &[u64]) -> Self {
        Self { from, to, kind, keys: keys.to_vec(), parties: parties.to_vec(), is_void: false }
    }

    /// What was shredded has no time, and is of all times together.
    pub(super) fn is_in_time(&self, time: u64) -> bool {
        (self.from..self.to).contains(&time) && (time > 0 || self.is_of_all_times())
    }

    /// Whether nothing is said of times.
    pub(super) fn is_of_all_times(&self) -> bool {
        (self.from, self.to) == (0, u64::MAX)
    }

    /// What has to be in each place that is found, for complete volumes.
    pub(super) fn terms(&self) -> Vec<Term> {
        let keys = self.keys.iter().map(|(by, key)| Term::One(Key::new(by.number(), *key)));
        let kind = (self.kind != 0).then(|| Term::One(Key::kind(self.kind)));
        let of = |by: By, party: u64| Key::new(by.number(), party);
        let parties = self.parties.iter().map(|party| Term::Either(of(By::Consumer, *party), of(By::Provider, *party)));
        keys.chain(kind).chain(parties).collect()
    }

    /// Which of the keys the live volume is searched by: a person always, and else a hash; names are in its columns.
    pub(super) fn hash(&self) -> Option<(By, u64)> {
        let hashes = self.keys.iter().filter(|(by, _)| !by.is_name());
        hashes.min_by_key(|(by, _)| *by != By::Person).copied()
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
        // What was shredded is in no span's.
        if (from, to) == (0, u64::MAX) {
            return (0, self.count());
        }
        let meets = |(earliest, latest): &(u64, u64)| *earliest < to && *latest >= from;
        let times = &volume.meta.times;
        let first = times.iter().position(meets).map_or(self.count(), |span| span as u64 * SPAN);
        let last = times.iter().rposition(meets).map_or(0, |span| (span as u64 + 1) * SPAN);
        (first, last.min(self.count()))
    }

    /// What may be meant before a place; nothing if there is none in this volume.
    fn candidates(&self, conditions: &Conditions, (from, to): (u64, u64)) -> Result<Option<Candidates<'_>>, StoreError> {
        let volume = match self {
            Self::Live(live) => {
                return Ok(Some(match conditions.hash() {
                    Some((by, key)) => Candidates::Listed(Descending::new(live.places(by, key, to as u32))),
                    None => Candidates::All((from..to).rev()),
                }));
            }
            Self::Sealed(volume) => volume,
        };
        let terms = conditions.terms();
        if from >= to {
            return Ok(None);
        }
        if terms.is_empty() {
            return Ok(Some(Candidates::All((from..to).rev())));
        }
        let mut there = Vec::with_capacity(terms.len());
        for term in terms {
            let Some(term) = term.of(volume)? else { return Ok(None) };
            there.push(term);
        }
        Ok(Some(Candidates::Common(Meeting::new(volume, &there, to as u32))))
    }
}

/// Places from the last to the first, taken portion by portion.
struct Descending<'p> {
    portions: Box<dyn Iterator<Item = Result<Vec<u32>, StoreError>> + 'p>,
    /// In ascending order: the next is the last.
    waiting: Vec<u32>,
    last: Option<u32>,
}

impl<'p> Descending<'p> {
    fn new(portions: impl Iterator<Item = Result<Vec<u32>, StoreError>> + 'p) -> Self {
        Self { portions: Box::new(portions), waiting: Vec::new(), last: None }
    }

    fn next(&mut self) -> Result<Option<u32>, StoreError> {
        loop {
            while self.waiting.is_empty() {
                let Some(mut portion) = self.portions.next().transpose()? else { return Ok(None) };
                portion.reverse();
                self.waiting = portion;
            }
            let next = self.waiting.pop();
            // A record may name somebody twice.
            if next != self.last {
                self.last = next;
                return Ok(next);
            }
        }
    }
}

/// What may be a hit, from the last to the first.
enum Candidates<'v> {
    All(std::iter::Rev<std::ops::Range<u64>>),
    /// Of a key of the live volume.
    Listed(Descending<'v>),
    /// What lists of a complete volume have in common.
    Common(Meeting<'v>),
}

impl Candidates<'_> {
    fn next(&mut self, floor: u64, effort: &mut Effort) -> Result<Met, StoreError> {
        let place = match self {
            Self::All(places) => places.next().map(|place| place as u32),
            Self::Listed(places) => places.next()?.filter(|place| u64::from(*place) >= floor),
            Self::Common(meeting) => {
                let before = meeting.read;
                let met = meeting.next(floor as u32, before.saturating_add(effort.blocks))?;
                effort.blocks = effort.blocks.saturating_sub(meeting.read - before);
                return Ok(met);
            }
        };
        Ok(place.map_or(Met::Over, Met::Here))
    }
}

/// How much may still be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    rows: usize,
    /// Of postings.
    blocks: u64,
}

impl Effort {
    /// As much as there is.
    pub(super) const ALL: Self = Self { rows: usize::MAX, blocks: u64::MAX };
}

/// How looking through a volume has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// There is nothing more in it.
    Through,
    /// Whoever was given something had enough.
    Enough,
    /// As much was looked at as may be; everything from this index on was.
    Tired(u64),
}

/// What was found.
pub(crate) struct Hits {
    pub rows: Vec<(u64, Row)>,
    /// Where to go on: everything from here on was looked at.
    pub next: Option<u64>,
    /// How much may still be looked at.
    effort: Effort,
}

impl Hits {
    pub(crate) fn new() -> Self {
        let effort = Effort { rows: limits::SEARCH_ROWS_MAX, blocks: limits::SEARCH_BLOCKS_MAX };
        Self { rows: Vec::new(), next: None, effort }
    }

    /// Looks through a volume; says whether the page is full.
    pub(crate) fn look(
        &mut self,
        view: &View<'_>,
        conditions: &Conditions,
        before: u64,
        limit: usize,
    ) -> Result<bool, StoreError> {
        let (rows, next) = (&mut self.rows, &mut self.next);
        let looked = each_row(view, conditions, before, &mut self.effort, |index, row| {
            if rows.len() == limit {
                *next = Some(index + 1);
                return true;
            }
            rows.push((index, *row));
            false
        })?;
        if let Looked::Tired(index) = looked {
            self.next = Some(index);
        }
        Ok(looked != Looked::Through)
    }
}

/// Gives each row of a volume for which the conditions hold to `visit`, latest first, until `visit` has enough.
pub(super) fn each_row(
    view: &View<'_>,
    conditions: &Conditions,
    before: u64,
    effort: &mut Effort,
    mut visit: impl FnMut(u64, &Row) -> bool,
) -> Result<Looked, StoreError> {
    if conditions.is_void {
        return Ok(Looked::Through);
    }
    let first = view.first();
    let (from, to) = view.span(conditions.from, conditions.to);
    let to = to.min(before.saturating_sub(first));
    let Some(mut candidates) = view.candidates(conditions, (from, to))? else { return Ok(Looked::Through) };
    // The lists of a person are the truth: rows have only the first.
    let driver = conditions.keys.iter().find(|(by, _)| *by == By::Person).map(|(by, _)| *by);
    // Rows are read in portions, since what is found often lies together.
    let (mut rows, mut start) = (Vec::new(), u64::MAX);
    loop {
        let place = match candidates.next(from, effort)? {
            Met::Here(place) => u64::from(place),
            Met::Paused(place) => return Ok(Looked::Tired(first + u64::from(place) + 1)),
            Met::Over => return Ok(Looked::Through),
        };
        if let View::Live(live) = view
            && !conditions.hold_in(&live.columns, place)
        {
            continue;
        }
        if effort.rows == 0 {
            return Ok(Looked::Tired(first + place + 1));
        }
        effort.rows -= 1;
        if !(start..start.saturating_add(rows.len() as u64)).contains(&place) {
            start = place.saturating_sub(PORTION - 1);
            view.rows(start, place + 1, &mut rows)?;
        }
        let Some(row) = rows.get((place - start) as usize) else { continue };
        if conditions.hold(row, driver) && visit(first + place, row) {
            return Ok(Looked::Enough);
        }
    }
}

/// Rows that are read together: one block or two.
const PORTION: u64 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    /// A complete volume of these rows.
    fn sealed(name: &str, rows: &[Row]) -> (std::path::PathBuf, Arc<Volume>) {
        let folder = std::env::temp_dir().join(format!("oncegate-search-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        let (mut live, _) = Live::open(&folder, 0, 0).expect("opens");
        live.append(rows, &[], Default::default()).expect("writable");
        Volume::seal(&folder, &live.source(Default::default())).expect("writable");
        let volume = Volume::open(&folder, 0).expect("as written");
        (folder, Arc::new(volume))
    }

    fn page(view: &View<'_>, conditions: &Conditions, before: u64, effort: Effort) -> (bool, usize, Option<u64>) {
        let mut hits = Hits { effort, ..Hits::new() };
        let is_full = hits.look(view, conditions, before, 10).expect("readable");
        (is_full, hits.rows.len(), hits.next)
    }

    #[test]
    fn a_page_looks_at_so_many_rows_and_then_says_where_to_go_on() {
        const MAX: usize = limits::SEARCH_ROWS_MAX;
        // None of them is meant, and the times of none of their spans say so.
        let row = |number: usize| Row { kind: 1, time: if number.is_multiple_of(2) { 1 } else { 9 }, ..Row::default() };
        let rows: Vec<Row> = (0..=MAX).map(row).collect();
        let (folder, volume) = sealed("rows", &rows);
        let (view, effort) = (View::Sealed(volume), Hits::new().effort);
        let conditions = Conditions { from: 5, to: 6, ..Conditions::default() };
        assert_eq!(page(&view, &conditions, MAX as u64, effort), (false, 0, None));
        assert_eq!(page(&view, &conditions, u64::MAX, effort), (true, 0, Some(1)));
        std::fs::remove_dir_all(&folder).expect("it is there");
    }

    #[test]
    fn a_page_reads_so_many_blocks_of_postings_and_then_says_where_to_go_on() {
        // Two lists of many blocks that have nothing in common.
        let row = |number: u64| {
            let mut row = Row { kind: 1, time: 1, ..Row::default() };
            row.keys[(number % 2) as usize] = 1;
            row
        };
        let rows: Vec<Row> = (0..3000).map(row).collect();
        let (folder, volume) = sealed("blocks", &rows);
        let view = View::Sealed(volume);
        let conditions = Conditions { to: u64::MAX, keys: vec![(By::Consumer, 1), (By::Provider, 1)], ..Conditions::default() };
        // 1,500 postings of each are five blocks of each.
        let effort = |blocks| Effort { blocks, ..Hits::new().effort };
        assert_eq!(page(&view, &conditions, u64::MAX, effort(10)), (false, 0, None));
        let (is_full, found, next) = page(&view, &conditions, u64::MAX, effort(9));
        assert!(is_full && found == 0 && next.is_some_and(|next| (1..1000).contains(&next)), "{next:?}");
        // What is left is looked at by the next page.
        assert_eq!(page(&view, &conditions, next.expect("more"), effort(10)), (false, 0, None));
        // A kind that is rare, or not there at all, costs nothing.
        let rare = Conditions { kind: 4, ..conditions };
        assert_eq!(page(&view, &rare, u64::MAX, effort(1)), (false, 0, None));
        std::fs::remove_dir_all(&folder).expect("it is there");
    }
}
