//! Figures that a test has found, for the security table that `tests/security` prints.

use std::env;
use std::fmt::Display;
use std::fs;
use std::path::Path;

/// Notes a figure. The row's name sorts it in the table; each row has one test that writes it.
pub fn tell(row: &str, value: impl Display) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures");
    fs::create_dir_all(&folder).expect("writable");
    fs::write(folder.join(row), format!("{row}\t{value}\n")).expect("writable");
    println!("{row}: {value}");
}

/// A number that the environment gives, for a longer run than CI's.
pub fn number_from(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |value| value.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}
