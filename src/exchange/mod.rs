//! What becomes of a message, as pure steps: admission, and the ledger of message ids.

pub mod admission;
pub mod bulkhead;
pub mod cases;
pub mod ledger;
pub mod mapping;
pub mod work;
