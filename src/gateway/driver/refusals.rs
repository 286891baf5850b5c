//! Refusals: each has its record, as long as nobody is refused so often that records would be all that the gateway writes.
//!
//! Beyond that budget the refusals of an agency are answered a little later, and one record a second stands for all of them,
//! with their number, their octets and the last of them. So who floods can neither fill the disk nor hurry others' records out
//! of a page.

use super::{Gateway, Refused, now};
use crate::base::ids::Digest;
use crate::base::limits;
use crate::base::time::DAY_MS;
use crate::evidence::tlog::{Private, Record, RecordKind};
use crate::exchange::admission::Refusal;
use crate::rules::registry::AgencyIndex;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The sums that have no record yet, by agency; those of unknown certificates are one.
#[derive(Default)]
pub(super) struct Sums(Mutex<BTreeMap<Option<AgencyIndex>, Sum>>);

struct Sum {
    count: u64,
    octets: u64,
    system: Digest,
    last: Refusal,
}

impl Gateway {
    /// Records a refusal and gives it back with its record's index.
    pub async fn refuse(&self, certificate: &Digest, octets: u64, refusal: Refusal) -> Refused {
        let world = self.world();
        let agency = world.registry.by_system(certificate);
        self.clock.advance_to(self.started.elapsed());
        if !world.quotas.may_be_refused(agency) {
            let refused = Refused { fault: refusal.fault.clone(), id: refusal.claimed.id, logged: None };
            self.sum_up(agency, *certificate, octets, refusal);
            tokio::time::sleep(Duration::from_millis(limits::REFUSED_TOO_OFTEN_MS)).await;
            return refused;
        }
        let record = self.refusal_record(certificate, octets, &refusal);
        let attempt = refusal.attempt.map(|attempt| *attempt).unwrap_or_default();
        self.record_refusal(record, attempt, refusal.fault).await
    }

    /// Writes the records of what was summed up.
    pub async fn record_sums(&self) {
        let sums = std::mem::take(&mut *self.sums.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, sum) in sums {
            let mut record = self.refusal_record(&sum.system, sum.octets, &sum.last);
            record.summed = Some(sum.count);
            self.record_refusal(record, Private::default(), sum.last.fault).await;
        }
    }

    fn sum_up(&self, agency: Option<AgencyIndex>, system: Digest, octets: u64, mut last: Refusal) {
        // One record stands for many attempts, of many persons: it tells of none.
        last.attempt = None;
        let mut sums = self.sums.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sums.remove(&agency);
        let (count, sum) = before.map_or((0, 0), |before| (before.count, before.octets));
        sums.insert(agency, Sum { count: count + 1, octets: sum.saturating_add(octets), system, last });
    }

    fn refusal_record(&self, certificate: &Digest, octets: u64, refusal: &Refusal) -> Record {
        let mut record = Record::new(RecordKind::Refusal, now());
        let world = self.world();
        record.system = Some(*certificate);
        record.octets = octets;
        record.registry_version = world.registry.version();
        record.consumer =
            world.registry.by_system(certificate).and_then(|index| world.registry.agency(index)).map(|agency| agency.id.clone());
        if refusal.attempt.is_some() {
            // As long as any grant withholds accesses from citizens: an attempt that failed must not give away whose they are.
            let days = world.withheld_days;
            record.withheld_until = (days > 0).then(|| record.time.plus_ms(u64::from(days) * DAY_MS));
        }
        (record.message, record.digest, record.raw) = (refusal.claimed.id, refusal.digest, refusal.raw);
        record
    }
}
