//! Exchanges whose holder said `202` and will answer by a message of its own.

use super::Refused;
use super::attachments::Carried;
use crate::base::ids::{AgencyId, Digest, MessageId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// By the digest of the question, which nobody else's question has: the holder that may answer, and the way to whoever
/// waits.
type Table = Arc<Mutex<BTreeMap<Digest, (AgencyId, oneshot::Sender<Late>)>>>;

/// An answer that came by a message of its own.
pub(super) struct Late {
    pub carried: Carried,
    /// Its holder waits for what comes of it: nothing is acknowledged before its record.
    pub verdict: oneshot::Sender<Result<(), Refused>>,
}

/// The exchanges that wait.
#[derive(Default)]
pub(super) struct Awaited(Table);

/// One exchange's place among those that wait, given up when dropped.
pub(super) struct Place {
    table: Table,
    question: Digest,
    receiver: oneshot::Receiver<Late>,
}

impl Awaited {
    /// From now on an answer of this holder to this question is expected.
    pub(super) fn expect(&self, question: Digest, holder: AgencyId) -> Place {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(question, (holder, sender));
        Place { table: Arc::clone(&self.0), question, receiver }
    }

    /// Hands an answer to whoever expects it from its sender, and gives what will be said of it; none if nobody expects it.
    pub(super) fn deliver(
        &self,
        question: Digest,
        from: &AgencyId,
        carried: Carried,
    ) -> Option<oneshot::Receiver<Result<(), Refused>>> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.get(&question).is_none_or(|(holder, _)| holder != from) {
            return None;
        }
        let (verdict, said) = oneshot::channel();
        let (_, sender) = table.remove(&question)?;
        sender.send(Late { carried, verdict }).is_ok().then_some(said)
    }
}

impl Place {
    /// Waits for the answer; may be given up and begun again.
    pub(super) async fn arrived(&mut self) -> Result<Late, oneshot::error::RecvError> {
        (&mut self.receiver).await
    }

    /// The answer, if it has come; from now on none is taken.
    pub(super) fn already(mut self) -> Option<Late> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
        self.receiver.try_recv().ok()
    }
}

/// How questions that are kept were refused, for those who wait for their outcome. There are no more entries than consumers that
/// wait.
#[derive(Default)]
pub(super) struct Ends(Arc<Mutex<Ended>>);

type Ended = BTreeMap<(AgencyId, MessageId), Option<Refused>>;

/// Somebody who waits for the outcome of a question that is kept.
pub(super) struct Waiter {
    ends: Arc<Mutex<Ended>>,
    question: (AgencyId, MessageId),
}

impl Ends {
    /// From now on a refusal of this question is remembered.
    pub(super) fn expect(&self, sender: &AgencyId, id: MessageId) -> Waiter {
        let question = (sender.clone(), id);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(question.clone(), None);
        Waiter { ends: Arc::clone(&self.0), question }
    }

    /// A question was refused.
    pub(super) fn tell(&self, sender: &AgencyId, id: MessageId, refused: Refused) {
        if let Some(end) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&(sender.clone(), id)) {
            *end = Some(refused);
        }
    }
}

impl Waiter {
    /// The refusal, if there was one.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(&self.question).cloned().flatten()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
    }
}
