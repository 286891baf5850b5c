//! Oncegate: an interagency data exchange gateway.
//!
//! The library is the core without I/O; the feature `server` adds the shell around it. `ARCHITECTURE.md` draws the
//! floors; `tests/it/tidy.rs` keeps them.

pub mod fault;
pub mod ids;
pub mod limits;
pub mod schema;
pub mod time;
pub mod xml;
