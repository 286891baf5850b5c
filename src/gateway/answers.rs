//! Exchanges whose holder said `202` and will answer by a message of its own.

use crate::ids::{AgencyId, Digest};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// By the digest of the question, which nobody else's question has: the holder that may answer, and the way to whoever
/// waits.
type Table = Arc<Mutex<BTreeMap<Digest, (AgencyId, oneshot::Sender<Vec<u8>>)>>>;

/// The exchanges that wait.
#[derive(Default)]
pub(super) struct Awaited(Table);

/// One exchange's place among those that wait, given up when dropped.
pub(super) struct Place {
    table: Table,
    question: Digest,
    receiver: oneshot::Receiver<Vec<u8>>,
}

impl Awaited {
    /// From now on an answer of this holder to this question is expected.
    pub(super) fn expect(&self, question: Digest, holder: AgencyId) -> Place {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(question, (holder, sender));
        Place { table: Arc::clone(&self.0), question, receiver }
    }

    /// Hands an answer to whoever expects it from its sender; tells whether anybody did.
    pub(super) fn deliver(&self, question: Digest, from: &AgencyId, octets: Vec<u8>) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.get(&question).is_none_or(|(holder, _)| holder != from) {
            return false;
        }
        table.remove(&question).is_some_and(|(_, sender)| sender.send(octets).is_ok())
    }
}

impl Place {
    /// Waits for the answer.
    pub(super) async fn arrived(mut self) -> Result<Vec<u8>, oneshot::error::RecvError> {
        (&mut self.receiver).await
    }

    /// The answer, if it has come; from now on none is taken.
    pub(super) fn already(mut self) -> Option<Vec<u8>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
        self.receiver.try_recv().ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
    }
}
