//! Oncegate: an interagency data exchange gateway.
//!
//! The library is the core without I/O; the feature `server` adds the shell around it. `ARCHITECTURE.md` draws the
//! floors; `tests/it/tidy.rs` keeps them.

pub mod admission;
pub mod crypto;
pub mod envelope;
pub mod exchange;
pub mod fault;
pub mod ids;
pub mod journal;
pub mod limits;
pub mod pki;
pub mod policy;
pub mod quota;
pub mod registry;
pub mod schema;
pub mod sig;
#[cfg(feature = "server")]
pub mod store;
pub mod time;
pub mod tlog;
pub mod xml;
