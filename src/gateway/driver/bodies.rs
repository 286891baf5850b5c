//! Room for the bodies of requests: the octets of all that are being read or worked on have a limit together.

use crate::base::fault::{Code, Fault};
use crate::base::limits;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The room, a permit for each octet.
pub(super) struct Bodies(Arc<Semaphore>);

impl Default for Bodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(limits::BODIES_BYTES_MAX)))
    }
}

impl Bodies {
    /// Room for a body of so many octets, until what is given back is dropped.
    pub(super) fn hold(&self, octets: usize) -> Result<OwnedSemaphorePermit, Fault> {
        let held = Arc::clone(&self.0).try_acquire_many_owned(u32::try_from(octets).unwrap_or(u32::MAX));
        held.map_err(|_| Fault::new(Code::HttpBusy).with_retry_after(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_take_so_much_room_together_and_no_more() {
        const MAX: usize = limits::BODIES_BYTES_MAX;
        for octets in [1_000, 1 << 10, limits::MESSAGE_BYTES_MAX - 1, limits::MESSAGE_BYTES_MAX] {
            let bodies = Bodies::default();
            let mut held: Vec<_> = (0..MAX / octets).map(|_| bodies.hold(octets).expect("there is room")).collect();
            held.push(bodies.hold(MAX % octets).expect("up to the last octet"));
            for more in [1, octets] {
                assert_eq!(bodies.hold(more).map_err(|fault| fault.code).err(), Some(Code::HttpBusy), "{more} beside {octets}");
            }
            drop(held.swap_remove(0));
            assert!(bodies.hold(octets).is_ok());
        }
    }
}
