//! The words that everybody uses: bounds, times, names, faults.

pub mod fault;
pub mod ids;
pub mod limits;
pub mod time;
