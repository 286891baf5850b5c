//! `oncegate bench`

use super::{Failure, Out, Outcome};
use crate::program::bench::{self, BenchError, Depth, Extent, Options, Waiting};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "Examples:\n  oncegate bench --quick\n  oncegate bench --json > bench.json\n  oncegate bench --rounds 9 --seconds 4\n  \
    oncegate bench --queue 100000         beside 1,000, 10,000 and 100,000 kept requests\n  \
    oncegate bench --endurance 1000000    memory and starts after 10,000, 100,000 and 1,000,000 exchanges\n  \
    oncegate bench --waiting 10000        memory of 10,000 idle long-polls\n  \
    oncegate bench --subscribers 1000     CPU of an event to 1,000 subscribers\n  \
    oncegate bench --registry 10000       CPU of an exchange among 10,000 agencies, beside ten\n  \
    oncegate bench --cases 10000          cases: planning, events, memory, the load of a one-stop centre\n  \
    oncegate bench --cases 10000 --pages 1000000   the pages of the console beside them and 1,000,000 records\n  \
    oncegate bench --against ./old        CPU of this build beside that of another";

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
    /// Only memory, starts and look-ups: at each power of ten up to so many exchanges
    #[arg(long, value_name = "EXCHANGES", conflicts_with_all = ["quick", "seconds", "rounds", "queue"])]
    endurance: Option<u64>,
    /// So many of them are driven through the gateway; the records of the others are written
    #[arg(long, value_name = "EXCHANGES", requires = "endurance", default_value_t = 1_000_000)]
    driven: u64,
    /// Only kept requests: what one costs beside 1,000, 10,000 and so on up to so many that wait for a dead holder
    #[arg(long, value_name = "N", conflicts_with_all = ["quick", "seconds", "rounds"])]
    queue: Option<u64>,
    /// Only workers that wait: what each of so many idle long-polls at the inbox takes of memory
    #[arg(long, value_name = "N", conflicts_with_all = ["quick", "seconds", "rounds", "queue"])]
    waiting: Option<usize>,
    /// Only events: what one costs that so many subscribers hear, beside one that a single subscriber hears
    #[arg(long, value_name = "N", conflicts_with_all = ["quick", "seconds", "queue", "waiting"])]
    subscribers: Option<u64>,
    /// Only the registry: what an exchange costs where so many agencies are registered, beside ten
    #[arg(long, value_name = "N", conflicts_with_all = ["quick", "queue", "waiting", "subscribers"])]
    registry: Option<usize>,
    /// Only cases: what an event costs beside so many open ones, what they take of memory, and the load of a one-stop centre
    #[arg(long, value_name = "N", conflicts_with_all = ["quick", "seconds", "queue", "waiting", "subscribers", "registry"])]
    cases: Option<usize>,
    /// So many seconds of that load
    #[arg(long, value_name = "SECONDS", requires = "cases", default_value_t = 60)]
    load: u64,
    /// Only the pages of the console beside these cases and so many records, and the exchange while people browse
    #[arg(long, value_name = "RECORDS", requires = "cases")]
    pages: Option<u64>,
    /// Only this build beside another one, which is named
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["quick", "queue", "waiting", "subscribers", "registry", "cases"])]
    against: Option<PathBuf>,
    /// Only one row of kept requests: a part of the benchmark that it starts itself
    #[arg(long, hide = true)]
    depth: Option<u64>,
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
        if let Some(kept) = self.depth {
            let folder = self.folder.unwrap_or_else(|| Options::new(Extent::Quick, PathBuf::new()).folder);
            let found = bench::queue(&folder, kept).map_err(|error| Failure::new(1, error))?;
            return if out.is_json { out.print(found.json()) } else { out.print(found.row()) };
        }
        if let Some(most) = self.queue {
            return queue(most, self.folder, out);
        }
        if let Some(count) = self.waiting {
            return waiting(count, self.folder, out);
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
        let failed = |error: BenchError| Failure::new(1, error);
        if let Some(count) = self.subscribers {
            let found = bench::subscribers(&options, count).map_err(failed)?;
            return if out.is_json { out.print(found.json()) } else { out.print(found.table()) };
        }
        if let Some(count) = self.cases {
            let found = bench::cases(&options, (count, self.load), self.pages, &mut |what| out.say(format_args!("{what}")));
            let found = found.map_err(failed)?;
            if out.is_json {
                out.print(found.json())?
            } else {
                out.print(found.table())?
            }
            return found.stopped.map_or(Ok(()), |why| Err(Failure::new(1, why)));
        }
        let pairs = match (self.registry, &self.against) {
            (Some(agencies), _) => vec![bench::registry(&options, agencies).map_err(failed)?],
            (None, Some(other)) => bench::against(&options, other).map_err(failed)?,
            (None, None) => Vec::new(),
        };
        for pair in &pairs {
            if out.is_json { out.print(pair.json())? } else { out.print(pair.row())? }
        }
        if !pairs.is_empty() {
            return Ok(());
        }
        let report = bench::run(&options, &mut |what| out.say(format_args!("{what}"))).map_err(|error| Failure::new(1, error))?;
        if out.is_json { out.print(report.json()) } else { out.print(report.table().trim_end()) }
    }
}

/// So many that wait, and before them a tenth of that, each in a gateway of its own.
fn waiting(most: usize, folder: Option<PathBuf>, out: &Out) -> Outcome {
    if !out.is_json {
        out.print(Waiting::HEAD)?;
    }
    for count in [most / 10, most].into_iter().filter(|count| *count > 100 || *count == most) {
        let mut options = Options::new(Extent::Quick, std::env::current_exe()?);
        options.folder = folder.clone().unwrap_or(options.folder);
        let found = bench::waiting(&options, count).map_err(|error| Failure::new(1, error))?;
        if out.is_json { out.print(found.json())? } else { out.print(found.row())? }
    }
    Ok(())
}

/// Each depth in a process of its own, one after the other.
fn queue(most: u64, folder: Option<PathBuf>, out: &Out) -> Outcome {
    if !out.is_json {
        out.print(Depth::HEAD)?;
    }
    let depths = std::iter::successors(Some(1000_u64), |kept| kept.checked_mul(10)).take_while(|kept| *kept <= most);
    for kept in depths {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args(["bench", "--depth", &kept.to_string()]).args(out.is_json.then_some("--json"));
        if let Some(folder) = &folder {
            command.arg("--folder").arg(folder.join(format!("queue-{kept}")));
        }
        if !command.status()?.success() {
            return Err(Failure::new(1, format!("nothing was measured beside {kept} kept requests")));
        }
    }
    Ok(())
}
