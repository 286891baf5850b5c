//! `oncegate simulate`

use super::{Failure, Out, Outcome};
use crate::program::simulate::{Case, Counted, Failing, LifePlant, Lives, Plant, Simulated, Simulator, Trouble};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

const EXAMPLES: &str = "Examples:\n  oncegate simulate --seeds 1000\n  oncegate simulate --seeds 1000000 --from 5000\n  \
oncegate simulate --case \"17 m0,2 f1\"\n  oncegate simulate --seeds 1000 --plant lease-forgotten\n  oncegate simulate --of cases --seeds 200";

/// Run simulated gateways with faults, from seeds, and look for what must never be seen.
#[derive(clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Simulate {
    /// How many seeds are run
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this seed alone, and print what happens in it
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// What is run: deliveries, or cases of life situations
    #[arg(long, value_enum, default_value_t = Of::Deliveries)]
    of: Of,
    /// Run this line that a failing seed was made into, and print what happens in it
    #[arg(long, conflicts_with_all = ["seeds", "from", "seed"])]
    case: Option<String>,
    /// Plant a bug, which is to be found
    #[arg(long, value_name = "BUG")]
    plant: Option<String>,
    /// Go on after a seed that fails, and print a line for each
    #[arg(long)]
    all: bool,
    /// Print the bugs that can be planted, and the faults that there are
    #[arg(long)]
    list: bool,
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// Messages on their way
    Deliveries,
    /// Life situations that are carried out
    Cases,
}

impl Of {
    /// What the command that runs it is called with.
    const fn option(self) -> &'static str {
        match self {
            Self::Deliveries => "",
            Self::Cases => "--of cases ",
        }
    }
}

impl Simulate {
    pub(super) fn run(self, out: &Out) -> Outcome {
        match self.of {
            _ if self.list => list(out),
            Of::Deliveries => self.run_of::<Simulator>(out),
            Of::Cases => self.run_of::<Lives>(out),
        }
    }

    fn run_of<S: Simulated>(&self, out: &Out) -> Outcome {
        let plant = match &self.plant {
            Some(name) => Some(S::plant(name).ok_or_else(|| Failure::new(2, format!("{name} is no bug; see --list")))?),
            None => None,
        };
        let simulator = S::new().ok_or_else(|| Failure::new(1, "the built-in documents do not fit"))?;
        let case = match (&self.case, self.seed) {
            (Some(text), _) => Some(Case::parse(text).ok_or_else(|| Failure::new(2, format!("{text} is no case")))?),
            (None, seed) => seed.map(Case::of),
        };
        match case {
            Some(case) => one(out, &simulator, &case, plant),
            None => self.many(out, &simulator, plant),
        }
    }

    fn many<S: Simulated>(&self, out: &Out, simulator: &S, plant: Option<S::Plant>) -> Outcome {
        let (began, mut told, mut counts, mut failed) = (Instant::now(), 0, S::Counts::default(), 0);
        for (done, seed) in (1..).zip(self.from..self.from.saturating_add(self.seeds)) {
            let case = Case::of(seed);
            let ran = if seed % TWICE == 0 { simulator.run_twice(&case, plant) } else { simulator.run(&case, plant) };
            counts.add(&ran.counts);
            if let (Some(finding), true) = (&ran.finding, self.all) {
                failed += 1;
                out.say(format_args!("seed {seed} fails: {finding}"));
            } else if ran.finding.is_some() {
                let failing = simulator.shrink(&case, plant);
                out.say(table(&counts, done, began));
                return Err(Failure::new(1, self.told_of(seed, &failing, &ran.counts)));
            }
            let seconds = began.elapsed().as_secs();
            if seconds >= told + PROGRESS_S {
                told = seconds;
                out.say(format_args!("{done} of {} seeds, the next is {}", self.seeds, seed + 1));
            }
        }
        let mut json = serde_json::json!({
            "format": 1, "from": self.from, "seeds": self.seeds, "findings": failed, "seconds": began.elapsed().as_secs_f64(),
            "faults": counts.faults().into_iter().map(|(kind, count)| (kind.as_str(), count)).collect::<BTreeMap<_, _>>(),
        });
        counts.rows().into_iter().for_each(|(name, _, count)| json[name] = count.into());
        out.result(table(&counts, self.seeds, began).trim_end(), &json)?;
        if failed == 0 { Ok(()) } else { Err(Failure::new(1, format!("{failed} seeds fail"))) }
    }

    fn told_of<C: Counted>(&self, seed: u64, failing: &Failing<C>, first: &C) -> String {
        let finding = failing.ran.finding.clone().unwrap_or_default();
        let happened = first.faults().into_iter().filter(|(_, count)| *count > 0);
        let faults: Vec<String> = happened.map(|(kind, count)| format!("{} {count}", kind.as_str())).collect();
        let steps = &failing.ran.trace;
        let last = steps.get(steps.len().saturating_sub(STEPS_SHOWN)..).unwrap_or_default().join("\n  ");
        let (tries, plan, case) = (failing.tries, &failing.plan, &failing.case);
        format!(
            "seed {seed} fails: {finding}\nfaults of the whole run: {}\nmade smaller in {tries} runs:\n{plan}the last steps:\n  {last}\n\
             as a test:  \"{case}\",\nrun it again:  oncegate simulate {}--case \"{case}\"",
            faults.join(", "),
            self.of.option()
        )
    }
}

/// Each of so many seeds is run twice, and both runs must end in the same.
const TWICE: u64 = 16;
/// How often it is told how far it has come, in seconds.
const PROGRESS_S: u64 = 10;
/// How many of the last steps of a failing run are printed.
const STEPS_SHOWN: usize = 60;

fn list(out: &Out) -> Outcome {
    let plants: Vec<&str> = Plant::ALL.into_iter().map(Plant::as_str).collect();
    let of_cases: Vec<&str> = LifePlant::ALL.into_iter().map(LifePlant::as_str).collect();
    let faults: Vec<String> = Trouble::ALL.iter().map(|(_, name, what)| format!("{name:<14} {what}")).collect();
    let text = format!(
        "bugs that can be planted:\n  {}\nwith --of cases:\n  {}\nfaults:\n  {}",
        plants.join("\n  "),
        of_cases.join("\n  "),
        faults.join("\n  ")
    );
    out.result(text, &serde_json::json!({ "format": 1, "plants": plants, "casePlants": of_cases, "faults": Trouble::ALL.map(|(_, name, _)| name) }))
}

fn one<S: Simulated>(out: &Out, simulator: &S, case: &Case, plant: Option<S::Plant>) -> Outcome {
    let failing = simulator.told(case, plant);
    let steps = failing.ran.trace.join("\n");
    let end = failing.ran.finding.clone().map_or_else(|| "nothing was found".to_owned(), |finding| format!("FOUND: {finding}"));
    out.say(format_args!("{}\n{steps}", failing.plan));
    let json = serde_json::json!({
        "format": 1, "case": case.to_string(), "finding": failing.ran.finding, "checkpoint": failing.ran.checkpoint,
    });
    out.result(format_args!("{end}\nlogs at the end: {}", failing.ran.checkpoint), &json)?;
    failing.ran.finding.map_or(Ok(()), |finding| Err(Failure::new(1, finding)))
}

fn table(counts: &impl Counted, seeds: u64, began: Instant) -> String {
    let mut text = String::new();
    let seconds = began.elapsed().as_secs_f64().max(0.001);
    for (kind, count) in counts.faults() {
        let _ = writeln!(text, "{count:>12}  {}", kind.in_words());
    }
    for (_, what, count) in counts.rows() {
        let _ = writeln!(text, "{count:>12}  {what}");
    }
    let _ = writeln!(text, "{seeds:>12}  seeds in {seconds:.1} s, {:.0} in a second", seeds as f64 / seconds);
    text
}
