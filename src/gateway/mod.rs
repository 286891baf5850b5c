//! The driver that puts the steps of an exchange in order, and its neighbours.

pub mod driver;
pub mod timestamp;
pub mod witness;
