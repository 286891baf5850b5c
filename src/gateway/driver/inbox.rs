//! The inbox: agencies that have no server come for what waits for them, and get it on lease.

use super::delivery::Unready;
use super::{Gateway, log_unavailable, now};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::Private;
use crate::exchange::work::{Notice, Row, What, action};
use std::time::{Duration, Instant};

/// What a worker has on lease.
pub struct Leased {
    /// What it is.
    pub row: Row,
    /// Its octets.
    pub octets: Vec<u8>,
    /// The name of the lease: the record of it.
    pub lease: u64,
    /// When it runs out.
    pub until: UnixTime,
}

/// What a worker does with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It has done its work, or will answer by a message of its own.
    Ack,
    /// Another may have it at once.
    Nack,
    /// It needs more time.
    Extend,
}

impl Gateway {
    /// Gives a worker of an agency so many of what waits for it, on lease; waits for something if there is nothing.
    pub async fn come_for(&self, to: &AgencyId, system: Digest, most: usize, wait: Duration) -> Result<Vec<Leased>, Fault> {
        let mut told = self.inbox.of(to);
        let end = Instant::now() + wait;
        loop {
            told.mark_unchanged();
            let taken = self.work().take(to, now(), most);
            let leased = self.lease(taken, system).await?;
            let left = end.saturating_duration_since(Instant::now());
            if !leased.is_empty() || left.is_zero() || self.is_leaving() {
                return Ok(leased);
            }
            let _ = tokio::time::timeout(left, told.changed()).await;
        }
    }

    /// Records the leases of what was taken up, and reads it.
    async fn lease(&self, taken: Vec<Row>, system: Digest) -> Result<Vec<Leased>, Fault> {
        let (mut ready, mut size) = (Vec::new(), 0);

        for row in taken {
            match self.octets_for(&row) {
                Ok(octets) if ready.is_empty() || size + octets.len() <= limits::INBOX_BYTES_MAX => {
                    size += octets.len();
                    ready.push((row, octets));
                }
                Ok(_) => self.work().release(&row.key),
                Err(Unready::Later) => self.work().release(&row.key),
                Err(Unready::Refused(refusal)) => self.give_up(&row, *refusal).await,
            }
        }
        let until = now().plus_ms(limits::LEASE_MS);
        let mut recorded = Vec::with_capacity(ready.len());
        for (row, _) in &ready {
            let mut record = self.delivery(row, action::LEASE, Some(until));
            record.system = Some(system);
            recorded.push(self.keep(Entry { record, private: Private::default(), body: None }));
        }
        let recorded = join_all(recorded).await;
        let mut leased = Vec::with_capacity(ready.len());
        let mut trouble = None;
        for ((row, octets), recorded) in ready.into_iter().zip(recorded) {
            match recorded {
                Ok(committed) => {
                    let lease = committed.logged.index();
                    // While its lease was recorded its time may have passed.
                    if self.work().lease(&row.key, lease, until) && row.deadline > now() {
                        leased.push(Leased { row, octets, lease, until });
                    }
                }
                Err(cause) => {
                    self.work().release(&row.key);
                    trouble = Some(log_unavailable(&cause));
                }
            }
        }
        trouble.filter(|_| leased.is_empty()).map_or(Ok(leased), Err)
    }

    fn octets_for(&self, row: &Row) -> Result<Vec<u8>, Unready> {
        if row.what == What::Question {
            return self
                .take_up(row)
                .map(|(running, logged)| Notice::new(running.question.octets().to_vec(), &logged).into_octets());
        }
        self.take_notice(row).map(Notice::into_octets)
    }

    /// What a worker does with a lease of its agency's. Says until when it has it now.
    pub async fn lease_is(&self, to: &AgencyId, lease: u64, done: Done, system: Digest) -> Result<Option<UnixTime>, Fault> {
        let none = || Fault::new(Code::MsgLease);
        let row = self.work().take_leased(to, lease).ok_or_else(none)?;
        if done == Done::Nack {
            let mut work = self.work();
            work.free(&row.key);
            work.give_back(&row.key);
            drop(work);
            self.inbox.tell(to);
            return Ok(None);
        }
        let (what, until) = match done {
            Done::Extend => (action::EXTEND, Some(now().plus_ms(limits::LEASE_MS))),
            _ => (action::TAKEN, None),
        };
        let mut record = self.delivery(&row, what, until);
        record.system = Some(system);
        let kept = self.keep(Entry { record, private: Private::default(), body: None }).await;
        self.work().free(&row.key);
        kept.map_err(|cause| log_unavailable(&cause))?;
        // What stands behind it in the order may be handed out now.
        self.inbox.tell(to);
        Ok(until)
    }
}

/// Waits for all, which go on side by side: their records are of one group.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_waiting = false;
        for (future, output) in futures.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(context) {
                std::task::Poll::Ready(ready) => *output = Some(ready),
                std::task::Poll::Pending => is_waiting = true,
            }
        }
        if is_waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}
