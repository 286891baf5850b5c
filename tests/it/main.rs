//! The integration tests, one binary.

mod generate;
mod vectors;
