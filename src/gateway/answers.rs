//! Exchanges whose holder said `202` and will answer by a message of its own.

use crate::ids::MessageId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// An answer that came as a message of its own.
pub(super) struct Late {
    pub(super) octets: Vec<u8>,
}

type Table = Arc<Mutex<BTreeMap<MessageId, oneshot::Sender<Late>>>>;

/// The exchanges that wait.
#[derive(Default)]
pub(super) struct Awaited(Table);

/// One exchange's place among those that wait, given up when dropped.
pub(super) struct Place {
    table: Table,
    id: MessageId,
    receiver: oneshot::Receiver<Late>,
}

impl Awaited {
    /// From now on an answer to this message is expected.
    pub(super) fn expect(&self, id: MessageId) -> Place {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        Place { table: Arc::clone(&self.0), id, receiver }
    }

    /// Hands an answer to whoever expects it; tells whether anybody did.
    pub(super) fn deliver(&self, question: MessageId, late: Late) -> bool {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&question);
        sender.is_some_and(|sender| sender.send(late).is_ok())
    }
}

impl Place {
    /// Waits for the answer.
    pub(super) async fn arrived(mut self) -> Result<Vec<u8>, oneshot::error::RecvError> {
        (&mut self.receiver).await.map(|late| late.octets)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
