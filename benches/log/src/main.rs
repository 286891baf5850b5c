//! Measures the evidence log: `cargo run --release --manifest-path benches/log/Cargo.toml -- --records 10000000`.
//!
//! What is compared runs side by side in one run: processors and disks differ from minute to minute on shared machines, so
//! only ratios within a run mean anything.

mod scale;
mod work;

use std::path::PathBuf;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut records, mut folder) = (1_000_000, std::env::temp_dir().join(format!("oncegate-bench-log-{}", std::process::id())));
    let mut child = None;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value follows");
        match argument.as_str() {
            "--records" => records = value().parse().expect("a number"),
            "--folder" => folder = PathBuf::from(value()),
            "--append-until-killed" => child = Some(value().parse().expect("a number")),
            other => panic!("unknown argument {other}"),
        }
    }
    match child {
        Some(number) => scale::append_until_killed(&folder, number),
        None => {
            scale::measure(&folder, records);
            std::fs::remove_dir_all(&folder).expect("it is ours");
        }
    }
}
