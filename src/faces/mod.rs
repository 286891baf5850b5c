//! What others see of the gateway, and the agency's side of it.

pub mod api;
pub mod client;
pub mod console;
