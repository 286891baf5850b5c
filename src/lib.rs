//! Oncegate: an interagency data exchange gateway.
//!
//! The library is the core without I/O; the feature `server` adds the shell around it. `ARCHITECTURE.md` draws the
//! floors; `tests/it/tidy.rs` keeps them.

pub mod admission;
#[cfg(feature = "server")]
pub mod api;
pub mod audit;
#[cfg(feature = "server")]
pub mod authority;
#[cfg(feature = "server")]
pub mod bench;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod client;
#[cfg(feature = "server")]
pub mod config;
pub mod crypto;
#[cfg(feature = "server")]
pub mod demo;
pub mod envelope;
pub mod exchange;
pub mod fault;
#[cfg(feature = "server")]
pub mod gateway;
pub mod ids;
pub mod journal;
pub mod limits;
pub mod pki;
pub mod policy;
pub mod quota;
pub mod registry;
pub mod schema;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod setup;
pub mod sig;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
pub mod time;
#[cfg(feature = "server")]
pub mod timestamp;
pub mod tlog;
#[cfg(feature = "server")]
pub mod transport;
#[cfg(feature = "server")]
pub mod witness;
pub mod xml;
