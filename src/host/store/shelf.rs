//! Open work in sled. All of it can be made anew from the journal, so a shelf that does not open is thrown away, and one that
//! cannot be written to keeps what it was given in memory until it can.
//!
//! sled writes every batch to disk by itself, however small it is, and wakes all its threads for that. Changes wait in memory until there
//! are enough of them, or the shelf is saved; much of what waits is open for a moment only, and is never written.

use super::index::Entered;
use super::keys::PrivateHead;
use super::{Store, StoreError, again, found};
use crate::base::ids::Uuid;
use crate::base::time::UnixTime;
use crate::evidence::audit::Filter;
use crate::evidence::journal::Frame;
use crate::evidence::tlog::RecordKind;
use crate::evidence::tlog::leaf::Leaf;
use crate::exchange::ledger::OutcomePlace;
use crate::exchange::work::{Change, Shelf};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What lies under keys from now on, or that nothing does.
type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key, and what lies under it.
type Lying = (Vec<u8>, Vec<u8>);

/// Open work on disk.
pub struct SledShelf {
    folder: PathBuf,
    /// None only after sled has given up.
    tree: Option<sled::Db>,
    /// What sled has not been given yet, or has not taken.
    unwritten: Changes,
    /// What it was given since the shelf was noted last, and before that as long as nobody knows that it was saved: sled may lose what it
    /// has taken if the disk does not take it.
    given: Changes,
    noted: Changes,
    /// What sled has found behind keys since it was given anything: the same few places are looked at again and again for what comes
    /// next, and each look copies a page.
    found: RefCell<HashMap<Bound<Vec<u8>>, Option<Lying>>>,
    /// How often the shelf was noted, and up to which time it was saved.
    notes: u64,
    saved: Arc<AtomicU64>,
    /// It was saved before it was opened.
    was_marked: bool,
    /// It has not taken what it was given: it is opened again before it is given more.
    has_refused: bool,
}

impl SledShelf {
    /// Opens the shelf in a folder; one that does not open is made anew, and is empty.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let open = || {
            let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
            quietly(|| config.mode(sled::Mode::LowSpace).open())
        };
        let tree = match open() {
            Ok(tree) => tree,
            Err(_) => {
                std::fs::remove_dir_all(folder).map_err(|cause| StoreError::io(folder, cause))?;
                open()?
            }
        };
        let mut shelf = Self {
            folder: folder.to_owned(),
            tree: Some(tree),
            unwritten: Changes::new(),
            given: Changes::new(),
            noted: Changes::new(),
            found: RefCell::default(),
            notes: 0,
            saved: Arc::default(),
            was_marked: false,
            has_refused: false,
        };
        shelf.was_marked = shelf.mark() > 0;
        Ok(shelf)
    }

    /// The number of records that the shelf has been told of, when it was saved last.
    pub fn mark(&self) -> u64 {
        let mark = self.get(MARK).and_then(|mark| mark.try_into().ok());
        mark.map_or(0, u64::from_be_bytes)
    }

    /// Notes that the shelf has been told of so many records; what is returned saves it with all that is on it.
    pub fn note(&mut self, mark: u64) -> Result<Saving, StoreError> {
        self.unwritten.insert(MARK.to_vec(), Some(mark.to_be_bytes().to_vec()));
        if self.saved.load(Ordering::Acquire) == self.notes {
            self.noted.clear();
        }
        if self.has_refused {
            // After an error sled takes nothing any more.
            let (old, was_saved) = (self.tree.take(), self.was_marked || self.saved.load(Ordering::Acquire) > 0);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
            let reopened = Self::open(&self.folder)?;
            if reopened.mark() == 0 && was_saved {
                return Err(StoreError::Index("open work has to be read from the journal again".to_owned()));
            }
            (self.tree, self.has_refused) = (reopened.tree, false);
        }
        self.give();
        self.noted.extend(std::mem::take(&mut self.given));
        self.notes += 1;
        let tree = self.tree.clone().ok_or_else(|| StoreError::Index("it is not open".to_owned()))?;
        Ok(Saving { tree, number: self.notes, saved: Arc::clone(&self.saved) })
    }

    /// Gives sled all that waits, as one batch: all of it is there after a crash, or nothing.
    fn give(&mut self) {
        self.found.get_mut().clear();
        let mut batch = sled::Batch::default();
        for (key, value) in &self.unwritten {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        let Some(tree) = &self.tree else { return self.is_refused() };
        if quietly(|| tree.apply_batch(batch)).is_err() {
            return self.is_refused();
        }
        self.given.extend(std::mem::take(&mut self.unwritten));
        if self.given.len() + self.noted.len() >= UNSAVED_MAX {
            match quietly(|| tree.flush()) {
                Ok(_) => (self.given, self.noted) = (Changes::new(), Changes::new()),
                Err(_) => self.is_refused(),
            }
        }
    }

    /// Whatever may not be on disk is given to it again once it takes something.
    pub(super) fn is_refused(&mut self) {
        let mut all = std::mem::take(&mut self.noted);
        all.extend(std::mem::take(&mut self.given));
        all.extend(std::mem::take(&mut self.unwritten));
        (self.unwritten, self.has_refused) = (all, true);
    }

    /// How many octets lie on the shelf on disk.
    pub fn size_on_disk(&self) -> u64 {
        self.tree.as_ref().and_then(|tree| tree.size_on_disk().ok()).unwrap_or(0)
    }

    fn first(&self, from: Bound<&[u8]>) -> Option<Lying> {
        let tree = self.tree.as_ref()?;
        let key = from.map(<[u8]>::to_vec);
        if let Some(known) = self.found.borrow().get(&key) {
            return known.clone();
        }
        let found = quietly(|| tree.range::<&[u8], _>((from, Bound::Unbounded)).next().transpose()).ok()?;
        let found = found.map(|(key, value)| (key.to_vec(), value.to_vec()));
        let mut all = self.found.borrow_mut();
        if all.len() >= FOUND_MAX {
            all.clear();
        }
        all.insert(key, found.clone());
        found
    }
}

/// A shelf that is to be saved.
pub struct Saving {
    tree: sled::Db,
    number: u64,
    saved: Arc<AtomicU64>,
}

impl Saving {
    /// Waits for the disk.
    pub fn save(self) -> Result<(), StoreError> {
        quietly(|| self.tree.flush())?;
        self.saved.fetch_max(self.number, Ordering::AcqRel);
        Ok(())
    }
}

impl Shelf for SledShelf {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        if let Some(value) = self.unwritten.get(key) {
            return value.clone();
        }
        let tree = self.tree.as_ref()?;
        quietly(|| tree.get(key)).ok().flatten().map(|value| value.to_vec())
    }

    fn from(&self, key: &[u8]) -> Option<Lying> {
        let mut written = self.first(Bound::Included(key));
        loop {
            let from = (Bound::Included(key), Bound::Unbounded);
            let hides = |found: &Lying| self.unwritten.get(&found.0).is_some_and(Option::is_none);
            let unwritten = self.unwritten.range::<[u8], _>(from).find_map(|(key, value)| Some((key.clone(), value.clone()?)));
            match written {
                Some(found) if hides(&found) => written = self.first(Bound::Excluded(&found.0)),
                // What has not been written is newer.
                found => return [unwritten, found].into_iter().flatten().min_by(|left, right| left.0.cmp(&right.0)),
            }
        }
    }

    fn write(&mut self, changes: Vec<Change>) {
        self.unwritten.extend(changes);
        if self.unwritten.len() >= BATCH && !self.has_refused {
            self.give();
        }
    }
}

/// sled panics on some damage instead of returning an error.
fn quietly<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|cause| StoreError::Index(cause.to_string())),
        Err(_) => Err(StoreError::Index("sled gave up".to_owned())),
    }
}

/// Before all keys of work.
const MARK: &[u8] = &[0];
/// What lies on the shelf; nothing means 1.
const FORM: &[u8] = &[0, 0];
/// Since 2 there are the keys of the persons whom cases are about.
const FORM_OF_CASES: u8 = 2;
const CACHE_BYTES: u64 = 4 << 20;
/// So many changes are put on disk together, and fewer wait for more: sled holds all that a batch has changed in memory until its end.
const BATCH: usize = 64;
/// So many changes are in memory at most because they may not be on disk yet; then the disk is waited for.
const UNSAVED_MAX: usize = 4_096;
/// Looks that are remembered.
const FOUND_MAX: usize = 256;
pub(super) const SHELF_OF_CASES: &str = "cases";
/// Records of one look at the index.
const PAGE: usize = 1_000;

/// A record as it is told again.
pub struct Recorded {
    /// Its leaf.
    pub leaf: Leaf,
    /// The index keys of the persons whom it is about.
    pub persons: Vec<u64>,
    /// Where it is.
    pub place: OutcomePlace,
}

impl Store {
    /// The shelf of open work, and how many records it has been told of.
    pub fn shelf(&self) -> Result<(SledShelf, u64), StoreError> {
        self.shelf_in(SHELF, 1)
    }

    /// The shelf of cases, and how many records it has been told of.
    pub fn shelf_of_cases(&self) -> Result<(SledShelf, u64), StoreError> {
        self.shelf_in(SHELF_OF_CASES, FORM_OF_CASES)
    }

    fn shelf_in(&self, name: &str, form: u8) -> Result<(SledShelf, u64), StoreError> {
        let folder = self.folder.join(name);
        let mut shelf = SledShelf::open(&folder)?;
        let known = shelf.get(FORM).and_then(|form| form.first().copied()).unwrap_or(1);
        // A shelf of another log, or of a tail that is gone, or one on which other things lie than now.
        if shelf.mark() > self.size() || (shelf.mark() > 0 && known != form) {
            drop(shelf);
            std::fs::remove_dir_all(&folder).map_err(|cause| StoreError::io(&folder, cause))?;
            shelf = SledShelf::open(&folder)?;
        }
        shelf.write(vec![(FORM.to_vec(), Some(vec![form]))]);
        let mark = shelf.mark();
        Ok((shelf, mark))
    }

    /// Tells of all records of cases that the index has, in their order; gives how many records the index has.
    pub fn tell_cases(&self, tell: &mut dyn FnMut(Recorded)) -> Result<u64, StoreError> {
        let until = self.index.watermark();
        let filter = Filter { kind: Some(RecordKind::Case), ..Filter::default() };
        // The newest are found first, and of all cases that ever were there may be very many: only where they are is kept.
        for index in self.all_of(&filter, until, |index, _| Some(index))? {
            let place = self.place(index)?;
            let head = |frame: &Frame<'_>| PrivateHead::read(frame.private).map_or_else(Vec::new, |(head, _)| head.persons);
            let (record, persons) = self.with_frame(place, |frame| (found(frame), head(frame)))?;
            if let Some(leaf) = Leaf::parse(&record.leaf) {
                tell(Recorded { leaf, persons, place });
            }
        }
        Ok(until)
    }

    /// The records of the changes of a case below an index, in their order.
    pub fn records_of_case(&self, case: &Uuid, below: u64) -> Result<Vec<u64>, StoreError> {
        let filter = Filter { kind: Some(RecordKind::Case), case: Some(*case), ..Filter::default() };
        self.all_of(&filter, below, |index, leaf| (leaf.action.as_deref() != Some("hand")).then_some(index))
    }

    /// What is taken of each record below `until` that a filter finds, in their order. All of these are looked at: what the index does
    /// not know yet would look as if it had never been.
    fn all_of<T>(&self, filter: &Filter, until: u64, take: impl Fn(u64, Leaf) -> Option<T>) -> Result<Vec<T>, StoreError> {
        let (mut found, mut before) = (Vec::new(), Some(until));
        while before.is_some() {
            let page = self.search(filter, before, PAGE)?;
            if page.indexed < until {
                return Err(StoreError::Index(format!("it has {} of {until} records yet", page.indexed)));
            }
            found.extend(page.records.iter().filter_map(|record| take(record.index, Leaf::parse(&record.leaf)?)));
            before = page.next;
        }
        found.reverse();
        Ok(found)
    }

    /// Tells of the records from an index on, in their order. What is older than `oldest` may be left out.
    pub fn tell(&self, from: u64, oldest: UnixTime, tell: &mut dyn FnMut(Recorded)) -> Result<(), StoreError> {
        let from = if from == 0 { self.first_of(oldest)? } else { from };
        if from >= self.size() {
            return Ok(());
        }
        let mut index = from;
        again::journal(&self.folder)(from, self.size(), &mut |entered: Entered, _| {
            let place = OutcomePlace { index, segment: entered.segment, offset: entered.offset };
            index += 1;
            if let Some(leaf) = std::str::from_utf8(&entered.leaf).ok().and_then(Leaf::parse) {
                tell(Recorded { leaf, persons: entered.head.persons, place });
            }
            Ok(())
        })
    }

    /// A record before which all are older. Records are in the order of time, but for moments.
    fn first_of(&self, oldest: UnixTime) -> Result<u64, StoreError> {
        let (mut low, mut high) = (0, self.size());
        while low < high {
            let middle = low + (high - low) / 2;
            // One that was shredded says nothing: then from there on all are told of.
            let leaf = Leaf::parse(&self.record(middle)?.leaf);
            if leaf.is_some_and(|leaf| leaf.time < oldest.as_ms()) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

/// The folder of the shelf in that of the log.
pub(super) const SHELF: &str = "work";
