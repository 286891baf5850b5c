//! Disk, network, files, clocks: what the core leaves to others.

pub mod authority;
pub mod catalogue;
pub mod config;
pub mod control;
pub mod expiry;
pub mod inforce;
pub mod joins;
pub mod keyfile;
pub mod notices;
pub mod oidc;
pub mod quality;
pub mod ratings;
pub mod schemas;
#[cfg(feature = "agent")]
pub mod source;
pub mod store;
pub mod telemetry;
pub mod transport;
