//! Measures the evidence log: `cargo run --release --manifest-path benches/log/Cargo.toml -- --records 10000000`.
//!
//! What is compared runs side by side in one run: processors and disks differ from minute to minute on shared machines, so
//! only ratios within a run mean anything.

mod agencies;
mod console;
mod peers;
mod race;
mod scale;
mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;

struct Arguments {
    records: u64,
    rounds: usize,
    seconds: f64,
    folder: PathBuf,
    /// Records of the log that is asked what a console asks, and nothing else.
    console: Option<u64>,
    /// The number of the first record that a process appends which is there to be killed.
    from: Option<u64>,
}

fn arguments() -> Arguments {
    let folder = std::env::temp_dir().join(format!("oncegate-bench-log-{}", std::process::id()));
    let mut this = Arguments { records: 1_000_000, rounds: 3, seconds: 2.0, folder, console: None, from: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value follows");
        match argument.as_str() {
            "--records" => this.records = value().parse().expect("a number"),
            "--rounds" => this.rounds = value().parse().expect("a number"),
            "--seconds" => this.seconds = value().parse().expect("a number"),
            "--folder" => this.folder = PathBuf::from(value()),
            "--console" => this.console = Some(value().parse().expect("a number")),
            "--append-until-killed" => this.from = Some(value().parse().expect("a number")),
            other => panic!(
                "unknown argument {other}: --records N, --rounds N (0: no comparison), --seconds S, --console N, --folder PATH"
            ),
        }
    }
    this
}

fn main() {
    let arguments = arguments();
    match (arguments.from, arguments.console) {
        (Some(number), _) => scale::append_until_killed(&arguments.folder, number),
        (None, Some(records)) => console::measure(&arguments.folder.join("console"), records),
        (None, None) => measure(&arguments, &arguments.folder),
    }
}

fn measure(arguments: &Arguments, folder: &Path) {
    let mut goals = Vec::new();
    if arguments.records > 0 {
        goals.extend(scale::measure(&folder.join("scale"), arguments.records));
    }
    if arguments.rounds > 0 {
        println!();
        goals.extend(race::run(&folder.join("race"), arguments.rounds, Duration::from_secs_f64(arguments.seconds)));
        println!();
        agencies::measure(&folder.join("agencies"), arguments.rounds);
    }
    println!();
    goals.iter().for_each(|goal| println!("{goal}"));
    std::fs::remove_dir_all(folder).expect("it is ours");
}
