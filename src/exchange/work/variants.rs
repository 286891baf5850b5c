//! Events that have variants: messages of the same publisher about the same, of which each subscriber gets one.
//!
//! A variant is kept under the digest of the event that it names, and nobody is told of it before that event is on record. Then
//! they are one: a subscriber has a row under the record of the event, with what is said of the variant that it gets. So an order
//! is the events' own, and whoever has had one of them has had the event.

use super::Work;
use super::row::{self, Key, Row, Stage, of};
use super::shelf::Shelf;
use crate::base::ids::{AgencyId, Digest};
use crate::base::time::UnixTime;

/// How far a variant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The event that it is a variant of has not come yet.
    Waits,
    /// It is one of those of its event.
    Told,
}

impl<S: Shelf> Work<S> {
    /// A variant was accepted. The receiver of its row is its publisher.
    pub(super) fn keep_variant(&mut self, row: &Row, base: &Digest) {
        let index = row.key.index;
        let kept = [
            (row::variant(base, Some(index)), row.write()),
            (row::base(index), base.octets().to_vec()),
            (row::due(row.deadline, &row.key), Vec::new()),
        ];
        self.shelf.write(kept.into_iter().map(|(key, value)| (key, Some(value))).collect());
    }

    /// An event was accepted, and those that came before it and name it are its variants.
    pub(super) fn join_variants(&mut self, event: &Row) {
        for row in self.variants_naming(&event.digest, &event.sender) {
            let joined = Row { stage: Stage::Delivered(None), ..row };
            self.shelf.write(vec![(row::variant(&event.digest, Some(joined.key.index)), Some(joined.write()))]);
        }
    }

    /// What a publisher has sent that names an event of its own as the one that it is a variant of, in the order of the records.
    pub fn variants_naming(&self, base: &Digest, publisher: &AgencyId) -> Vec<Row> {
        let (mut found, mut next) = (Vec::new(), row::variant(base, None));
        while let Some((key, octets)) = self.shelf.from(&next) {
            let Some(index) = row::read_variant(base, &key) else { break };
            found.extend(read(index, &octets).filter(|row| row.sender == *publisher));
            next = [key.as_slice(), &[0]].concat();
        }
        found
    }

    /// The variants of an event.
    pub fn variants(&self, event: &Row) -> Vec<Row> {
        let naming = self.variants_naming(&event.digest, &event.sender);
        naming.into_iter().filter(|row| row.stage != Stage::Waiting).collect()
    }

    /// How far a variant has come; nothing if it is past its time, or none.
    pub fn variant(&self, index: u64) -> Option<Variant> {
        let row = self.kept_variant(index)?.0;
        Some(if row.stage == Stage::Waiting { Variant::Waits } else { Variant::Told })
    }

    fn kept_variant(&self, index: u64) -> Option<(Row, Digest)> {
        let base = Digest::from_octets(self.shelf.get(&row::base(index))?.try_into().ok()?);
        let row = read(index, &self.shelf.get(&row::variant(&base, Some(index)))?)?;
        Some((row, base))
    }

    /// A variant is past its time. Says whether there was one.
    pub(super) fn forget_variant(&mut self, index: u64) -> bool {
        let Some((row, base)) = self.kept_variant(index) else { return false };
        let keys = [row::variant(&base, Some(index)), row::base(index), row::due(row.deadline, &row.key)];
        self.shelf.write(keys.into_iter().map(|key| (key, None)).collect());
        true
    }

    /// When the oldest was accepted.
    pub(super) fn oldest_variant(&self) -> Option<UnixTime> {
        let (key, _) = self.shelf.from(&[of::BASE])?;
        self.kept_variant(row::read_event(of::BASE, &key)?).map(|(row, _)| row.since)
    }

    /// What a subscriber has of an event, by the digest of what it was given.
    pub(super) fn given_of(&self, event: Row, digest: Option<Digest>, to: &AgencyId) -> Row {
        let variant = self.variants(&event).into_iter().find(|variant| Some(variant.digest) == digest);
        match variant {
            Some(variant) => given(&event, &variant, to),
            None => given(&event, &event, to),
        }
    }

    /// Gives a subscriber what it may have of an event, if it has not had it. What waits for it and nobody has seen is replaced.
    pub fn give_variant(&mut self, event: &Row, variant: &Row, to: &AgencyId) {
        let row = given(event, variant, to);
        let is_new = match self.row(&row.key) {
            Some(known) => known.digest != row.digest && !self.busy.contains_key(&row.key) && !self.may_be_there(&known),
            None => !self.has_had(&row.key),
        };
        if is_new {
            self.put(&row);
        }
    }
}

fn given(event: &Row, variant: &Row, to: &AgencyId) -> Row {
    let key = Key { index: event.key.index, to: to.clone() };
    Row { key, since: event.since, order: event.order, stage: Stage::Waiting, tries: 0, ..variant.clone() }
}

/// The publisher is in the row.
pub(super) fn read(index: u64, octets: &[u8]) -> Option<Row> {
    let row = Row::read(Key { index, to: AgencyId::parse("xx.none")? }, octets)?;
    Some(Row { key: Key { index, to: row.sender.clone() }, ..row })
}
