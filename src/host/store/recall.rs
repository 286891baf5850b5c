//! What the index tells of records that were before a start, from the latest to the earliest, for the figures of traffic. Rows are read,
//! and of refusals leaves, since one may stand for several: so many of both and no more, a portion at a time.

use super::index::{By, Row};
use super::report::kind_of;
use super::{Store, StoreError};
use crate::base::fault::Code;
use crate::base::ids::AgencyId;
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::RecordKind;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::traffic::{MINUTE_MS, Told};
use crate::exchange::ledger::OutcomePlace;
use std::collections::HashMap;

/// How far it has come.
pub struct Recalling {
    pub(super) before: u64,
    pub(super) oldest: UnixTime,
    pub(super) rows_left: u64,
    pub(super) leaves_left: usize,
    pub(super) agencies: HashMap<u64, Option<AgencyId>>,
}

/// Some records, and what is known with them.
#[derive(Debug, PartialEq, Eq)]
pub struct Recalled {
    /// What is told of each that counts.
    pub told: Vec<Told>,
    /// From this time on, all that there are have been told now.
    pub whole_since: UnixTime,
}

impl Store {
    /// Begins below an index; what is from before `oldest` does not count.
    pub fn recall_traffic(&self, before: u64, oldest: UnixTime) -> Recalling {
        let (rows_left, leaves_left) = (limits::TRAFFIC_ROWS_MAX, limits::TRAFFIC_LEAVES_MAX);
        Recalling { before, oldest, rows_left, leaves_left, agencies: HashMap::new() }
    }

    /// The next portion; nothing if all has been told, or as much was looked at as may be.
    pub fn recall_next(&self, recalling: &mut Recalling) -> Result<Option<Recalled>, StoreError> {
        let (to, from) = (recalling.before, recalling.before.saturating_sub(PORTION.min(recalling.rows_left)));
        if from == to {
            return Ok(None);
        }
        if self.settle(to) < to {
            return Err(StoreError::Index("it is behind".to_owned()));
        }
        let (mut rows, mut some) = (Vec::with_capacity(PORTION as usize), Vec::new());
        while from + (rows.len() as u64) < to {
            self.index.rows_from(from + rows.len() as u64, to, &mut some)?;
            if some.is_empty() {
                return Err(StoreError::Index("rows are missing".to_owned()));
            }
            rows.append(&mut some);
        }
        recalling.before = from;
        recalling.rows_left -= to - from;
        let mut told = Vec::with_capacity(rows.len());
        let oldest = recalling.oldest.as_ms();
        for (index, row) in (from..).zip(&rows).filter(|(_, row)| row.time >= oldest) {
            told.extend(self.told_of(index, row, recalling)?);
        }
        // Records are in the order of their times, but for moments.
        let first = rows.iter().map(|row| row.time).find(|time| *time > 0).unwrap_or(u64::MAX);
        let is_all = from == 0 || rows.iter().all(|row| row.time < recalling.oldest.as_ms());
        if is_all {
            recalling.before = 0;
        }
        let whole_since = if is_all { recalling.oldest } else { UnixTime::from_ms(first).plus_ms(MINUTE_MS) };
        Ok(Some(Recalled { told, whole_since }))
    }

    fn told_of(&self, index: u64, row: &Row, recalling: &mut Recalling) -> Result<Option<Told>, StoreError> {
        let Some(kind) = kind_of(row) else { return Ok(None) };
        // Whatever ends an exchange has its key; what does not was refused at the door.
        let is_at_the_door = row.exchange == 0;
        if kind == RecordKind::Refusal && is_at_the_door && recalling.leaves_left > 0 {
            recalling.leaves_left -= 1;
            let place = OutcomePlace { index, segment: row.segment, offset: row.offset };
            let found = self.with_frame(place, super::found)?;
            return Ok(Leaf::parse(&found.leaf).as_ref().and_then(Told::of_leaf));
        }
        let mut agency = |by: By| {
            let name = |number: &u64| self.index.name(*number).and_then(|name| AgencyId::parse(&name));
            recalling.agencies.entry(row.key(by)).or_insert_with_key(name).clone()
        };
        let (consumer, provider) = (agency(By::Consumer), agency(By::Provider));
        let code = Some(row.key(By::Code)).filter(|number| *number != 0).and_then(|number| self.index.name(number));
        Ok(Some(Told {
            time: UnixTime::from_ms(row.time),
            kind,
            code: code.and_then(|code| Code::parse(&code)),
            consumer,
            provider,
            elapsed_us: row.latency_us,
            count: 1,
            is_at_the_door,
        }))
    }
}

/// Records that are looked at together.
const PORTION: u64 = 1024;
