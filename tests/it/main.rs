//! The integration tests, one binary.

mod agreement;
mod generate;
mod tool;
mod vectors;
