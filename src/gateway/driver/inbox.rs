//! The inbox: agencies that have no server come for what waits for them, and get it on lease.

use super::delivery::Unready;
use super::{Gateway, log_unavailable, now};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::journal::Entry;
use crate::evidence::tlog::{Private, Record};
use crate::exchange::work::{Notice, Row, What, action};
use crate::host::store::StoreError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a worker has on lease.
pub struct Leased {
    /// What it is.
    pub row: Row,
    /// Its octets, which may be given out.
    pub notice: Notice,
    /// The name of the lease: the record of it.
    pub lease: u64,
    /// When it runs out.
    pub until: UnixTime,
    /// Of a question, the optional fields that its answer may hold, as a header has them.
    pub fields: Option<String>,
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
    pub async fn come_for(
        self: &Arc<Self>,
        to: &AgencyId,
        system: Digest,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Leased>, Fault> {
        let mut told = self.inbox.of(to);
        let end = Instant::now() + wait;
        loop {
            told.mark_unchanged();
            let taken = self.work().take(to, now(), most);
            let gateway = Arc::clone(self);
            // Whoever hangs up meanwhile has them on lease, like any worker that is lost.
            let leasing = tokio::spawn(async move { gateway.lease(taken, system).await });
            let leased = leasing.await.unwrap_or_else(|_| Err(interrupted()))?;
            let left = end.saturating_duration_since(Instant::now());
            if !leased.is_empty() || left.is_zero() || self.is_leaving() {
                return Ok(leased);
            }
            let _ = tokio::time::timeout(left, told.changed()).await;
        }
    }

    /// Records the leases of what was taken up, and reads it.
    async fn lease(self: &Arc<Self>, taken: Vec<Row>, system: Digest) -> Result<Vec<Leased>, Fault> {
        let (mut ready, mut size) = (Vec::new(), 0);
        for row in taken {
            match self.notice_for(&row) {
                Ok((notice, fields)) if ready.is_empty() || size + notice.octets().len() <= limits::INBOX_BYTES_MAX => {
                    size += notice.octets().len();
                    ready.push((row, notice, fields));
                }
                // Nobody has had it.
                Ok(_) | Err(Unready::Later) => self.work().free(&row.key),
                Err(Unready::Refused(refusal)) => self.give_up(&row, *refusal).await,
            }
        }
        let until = now().plus_ms(limits::LEASE_MS);
        let record = |(row, notice, fields): (Row, Notice, Option<String>)| {
            let (gateway, record) = (Arc::clone(self), self.delivery(&row, action::LEASE, Some(until)));
            let entry = Entry { record: Record { system: Some(system), ..record }, private: Private::default(), body: None };
            (row, (notice, fields), tokio::spawn(async move { gateway.keep(entry).await }))
        };
        // Side by side, so that their records are of one group.
        let recording: Vec<_> = ready.into_iter().map(record).collect();
        let mut leased = Vec::with_capacity(recording.len());
        let mut trouble = None;
        for (row, (notice, fields), recording) in recording {
            match recording.await.unwrap_or(Err(StoreError::Stopped)) {
                Ok(committed) => {
                    let lease = committed.logged.index();
                    // While its lease was recorded its time may have passed.
                    if self.work().lease(&row.key, lease, until) && row.deadline > now() {
                        leased.push(Leased { row, notice, lease, until, fields });
                    }
                }
                Err(cause) => {
                    self.work().free(&row.key);
                    trouble = Some(log_unavailable(&cause));
                }
            }
        }
        trouble.filter(|_| leased.is_empty()).map_or(Ok(leased), Err)
    }

    fn notice_for(&self, row: &Row) -> Result<(Notice, Option<String>), Unready> {
        if row.what != What::Question {
            return self.take_notice(row).map(|notice| (notice, None));
        }
        let (mut running, logged) = self.take_up(row)?;
        let fields = running.fields();
        Ok((Notice::new(running.question.take_octets(), &logged), fields))
    }

    /// What a worker does with a lease of its agency's. Says until when it has it now.
    pub async fn lease_is(
        self: &Arc<Self>,
        to: &AgencyId,
        lease: u64,
        done: Done,
        system: Digest,
    ) -> Result<Option<UnixTime>, Fault> {
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
        let gateway = Arc::clone(self);
        let noting = tokio::spawn(async move { gateway.note_lease(&row, done, system).await });
        noting.await.unwrap_or_else(|_| Err(interrupted()))
    }

    async fn note_lease(&self, row: &Row, done: Done, system: Digest) -> Result<Option<UnixTime>, Fault> {
        let (what, until) = match done {
            Done::Extend => (action::EXTEND, Some(now().plus_ms(limits::LEASE_MS))),
            _ => (action::TAKEN, None),
        };
        let mut record = self.delivery(row, what, until);
        record.system = Some(system);
        let kept = self.keep(Entry { record, private: Private::default(), body: None }).await;
        self.work().free(&row.key);
        kept.map_err(|cause| log_unavailable(&cause))?;
        // What stands behind it in the order may be handed out now.
        self.inbox.tell(&row.key.to);
        Ok(until)
    }
}

/// What was begun has broken off: a fault of ours.
fn interrupted() -> Fault {
    Fault::new(Code::HttpBusy).with_retry_after(1)
}
