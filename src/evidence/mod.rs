//! What a record is, and what proves it: leaves, tree, receipts, journal, queries.

pub mod audit;
pub mod journal;
pub mod tlog;
pub mod traffic;
