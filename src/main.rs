//! The program `oncegate`.
fn main() {}
