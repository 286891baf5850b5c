//! What others see of the gateway, and the agency's side of it.

#[cfg(feature = "agent")]
pub mod agent;
pub mod api;
pub mod client;
pub mod console;
