//! What the ledger and the budgets have to know of what was before: looked up, not remembered.

use super::row::exchange_key;
use super::volume::Volume;
use super::{Index, Row};
use crate::base::ids::{AgencyId, MessageId};
use crate::host::store::StoreError;
use crate::rules::quota::Answers;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError};

impl Index {
    /// Gives the records of a sender's exchange from a time on to `visit`, latest first, until it has enough. A few of another exchange
    /// may be among them.
    pub(in crate::host::store) fn each_of_exchange(
        &self,
        (sender, id): (&AgencyId, MessageId),
        since: u64,
        mut visit: impl FnMut(u64, &Row) -> Result<Enough, StoreError>,
    ) -> Result<(), StoreError> {
        let key = exchange_key(sender.as_str(), &id);
        let mut rows = Vec::new();
        // The live volume may become a complete one in between: it is looked at as what it was.
        let may_have = |volume: &Volume| volume.latest() >= since && volume.meta.ids.may_have(id.time().as_ms());
        let (live, sealed) = self.both(may_have);
        for place in live.exchange(key) {
            live.rows(place.into(), u64::from(place) + 1, &mut rows)?;
            for row in rows.iter().filter(|row| row.time >= since) {
                if visit(live.first + u64::from(place), row)? == Enough::Yes {
                    return Ok(());
                }
            }
        }
        drop(live);
        for volume in sealed.iter().rev() {
            let mut places = volume.exchange(key);
            while let Some(found) = places.next()? {
                for place in found {
                    volume.rows(place.into(), u64::from(place) + 1, &mut rows)?;
                    for row in rows.iter().filter(|row| row.time >= since) {
                        if visit(volume.meta.first + u64::from(place), row)? == Enough::Yes {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The live volume, and those complete ones that are meant.
    fn both(&self, is_meant: impl Fn(&Volume) -> bool) -> (std::sync::RwLockReadGuard<'_, super::Live>, Vec<Arc<Volume>>) {
        let sealed = self.shared.sealed.read().unwrap_or_else(PoisonError::into_inner);
        let live = self.shared.live();
        let meant = sealed.iter().filter(|volume| is_meant(volume)).map(Arc::clone).collect();
        (live, meant)
    }

    /// The index keys of the persons who were asked about in each agency's budget since a time.
    pub(in crate::host::store) fn asked_since(&self, since: u64) -> Result<BTreeMap<AgencyId, HashSet<u64>>, StoreError> {
        let mut asked = BTreeMap::<u64, HashSet<u64>>::new();
        let mut take = |person, budget| asked.entry(budget).or_default().extend([person]);
        let (live, sealed) = self.both(|volume| volume.latest() >= since);
        sealed.iter().try_for_each(|volume| volume.asked_since(since, &mut take))?;
        live.asked_since(since, &mut take)?;
        let of = |(number, persons)| Some((AgencyId::parse(&self.name(number)?)?, persons));
        Ok(asked.into_iter().filter_map(of).collect())
    }
}

impl Index {
    /// The answers in each agency's budget since a time. The rows of all volumes since then are read: no list has them.
    pub(in crate::host::store) fn answered_since(&self, since: u64) -> Result<BTreeMap<AgencyId, Answers>, StoreError> {
        let mut answered = BTreeMap::<u32, Answers>::new();
        let mut take = |budget, found| answered.entry(budget).or_default().add(found);
        let (live, sealed) = self.both(|volume| volume.latest() >= since);
        sealed.iter().try_for_each(|volume| volume.answered_since(since, &mut take))?;
        live.answered_since(since, &mut take)?;
        let of = |(number, answers)| Some((AgencyId::parse(&self.name(u64::from(number))?)?, answers));
        Ok(answered.into_iter().filter_map(of).collect())
    }
}

/// Whether whoever is given something wants more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enough {
    Yes,
    No,
}
