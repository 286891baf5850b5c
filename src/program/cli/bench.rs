//! `oncegate bench`

use super::{Failure, Out, Outcome};
use crate::program::bench::{self, Extent, Options};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "Examples:\n  oncegate bench --quick\n  oncegate bench --json > bench.json\n  oncegate bench --rounds 9 --seconds 4\n  oncegate bench --endurance 1000000";

/// Measure this machine and this gateway, over loopback only.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Bench {
    /// Only the exchange and what it is compared with; under a minute
    #[arg(long)]
    quick: bool,
    /// Seconds that each part of a round counts
    #[arg(long)]
    seconds: Option<f64>,
    /// Rounds; every figure is the median of theirs
    #[arg(long)]
    rounds: Option<usize>,
    /// Where the run keeps its files, which it removes; the journal's disk is that of this folder
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Instead: memory, starts and look-ups at each power of ten up to so many exchanges
    #[arg(long, value_name = "EXCHANGES", conflicts_with_all = ["quick", "seconds", "rounds"])]
    endurance: Option<u64>,
    /// So many of them are driven through the gateway; the records of the others are written
    #[arg(long, value_name = "EXCHANGES", requires = "endurance", default_value_t = 1_000_000)]
    driven: u64,
    /// Only forward: a part of the benchmark that it starts itself
    #[arg(long, hide = true, num_args = 3, value_names = ["FOLDER", "PORT", "PROVIDER"])]
    forward: Option<Vec<String>>,
}

impl Bench {
    pub(super) fn run(self, out: &Out) -> Outcome {
        if let Some([folder, port, provider]) = self.forward.as_deref() {
            let port_of = |text: &String| text.parse::<u16>().map_err(|cause| Failure::new(2, cause));
            return bench::forward(folder.as_ref(), port_of(port)?, port_of(provider)?).map_err(|error| Failure::new(1, error));
        }
        let extent = if self.quick { Extent::Quick } else { Extent::Full };
        let mut options = Options::new(extent, std::env::current_exe()?);
        if let Some(seconds) = self.seconds {
            options.each = Duration::try_from_secs_f64(seconds).map_err(|cause| Failure::new(2, cause))?;
        }
        options.rounds = self.rounds.unwrap_or(options.rounds).max(1);
        options.folder = self.folder.unwrap_or(options.folder);
        if let Some(most) = self.endurance {
            let found = bench::endure(&options, most.max(1), self.driven, &mut |what| out.say(format_args!("{what}")));
            let found = found.map_err(|error| Failure::new(1, error))?;
            return if out.is_json { out.print(found.json()) } else { out.print(found.table()) };
        }
        let report = bench::run(&options, &mut |what| out.say(format_args!("{what}"))).map_err(|error| Failure::new(1, error))?;
        if out.is_json { out.print(report.json()) } else { out.print(report.table().trim_end()) }
    }
}
