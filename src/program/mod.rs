//! The commands, the process, and the worlds that they make.

pub mod bench;
pub mod cli;
pub mod conformance;
pub mod demo;
pub mod doctor;
pub mod mock;
pub mod server;
pub mod setup;
pub mod simulate;
