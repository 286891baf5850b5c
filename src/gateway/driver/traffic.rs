//! The figures of traffic: each record is told to them when it is durable, and those from before the start one portion after the other,
//! while messages are taken already.

use super::{Gateway, now};
use crate::base::time::DAY_MS;
use crate::evidence::traffic::{Told, Traffic};
use crate::host::store::Recalling;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

/// The figures, and how many records there were before the first that they are told of.
pub(super) struct Figures {
    traffic: Mutex<Traffic>,
    before: u64,
}

impl Figures {
    pub(super) fn new(before: u64) -> Self {
        Self { traffic: Mutex::new(Traffic::new(now())), before }
    }

    /// Takes a record that is durable.
    pub(super) fn tell(&self, told: &Told) {
        self.lock().tell(told);
    }

    fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Lets somebody read the figures of traffic. Records wait meanwhile: take what is needed, and work with it afterwards.
    pub fn traffic<R>(&self, read: impl FnOnce(&Traffic) -> R) -> R {
        let mut traffic = self.figures.lock();
        traffic.advance(now());
        read(&traffic)
    }

    /// Tells the figures of what was before the start, until they know all that they may, or the gateway stops or is gone. It
    /// reads files: call it where nobody waits.
    pub fn recall_traffic(gateway: &Weak<Self>) {
        let mut recalling = None;
        while let Some(gateway) = gateway.upgrade()
            && !gateway.is_stopping()
        {
            let begin = || gateway.store.recall_traffic(gateway.figures.before, now().minus_ms(30 * DAY_MS));
            if !gateway.recall_portion(recalling.get_or_insert_with(begin)) {
                return;
            }
        }
    }

    /// Whether there is more.
    fn recall_portion(&self, recalling: &mut Recalling) -> bool {
        match self.store.recall_next(recalling) {
            Ok(Some(recalled)) => {
                for told in recalled.told.chunks(HELD) {
                    let mut traffic = self.figures.lock();
                    told.iter().for_each(|told| traffic.tell(told));
                }
                self.figures.lock().is_whole_since(recalled.whole_since);
                true
            }
            Ok(None) => false,
            Err(cause) => {
                self.telemetry.say_sparingly(&format!("figures of traffic are not whole for the time before the start: {cause}"));
                false
            }
        }
    }
}

/// Records that are told while messages wait for it: some twenty microseconds.
const HELD: usize = 32;
