//! Oncegate: an interagency data exchange gateway.
//!
//! Nine wings. The first five are the core: no I/O, no clock, no threads. The other four, behind the feature `server`, are the
//! shell around it. `ARCHITECTURE.md` draws wings and floors; `tests/it/tidy.rs` keeps them.

pub mod base;
pub mod evidence;
pub mod exchange;
#[cfg(feature = "server")]
pub mod faces;
#[cfg(feature = "server")]
pub mod gateway;
#[cfg(feature = "server")]
pub mod host;
pub mod message;
#[cfg(feature = "server")]
pub mod program;
pub mod rules;
