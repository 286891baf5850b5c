//! What all that is simulated has in common: it is run from seeds, counts what happens, and a run that fails is made smaller.

use super::plan::{Case, Trouble};

/// What is run from seeds.
pub trait Simulated: Sized {
    /// A bug that can be planted.
    type Plant: Copy;
    /// What is counted.
    type Counts: Counted;

    /// Makes the land; nothing if the built-in documents do not fit, which a test would tell.
    fn new() -> Option<Self>;

    /// The bug with this name.
    fn plant(name: &str) -> Option<Self::Plant>;

    /// What is planned in a case, in words, and how much of it can be left out.
    fn planned(case: &Case, plant: Option<Self::Plant>) -> (String, [usize; 3]);

    /// Runs a case.
    fn go(&self, case: &Case, plant: Option<Self::Plant>, notes: Notes) -> Ran<Self::Counts>;

    /// Runs a case, without a note of its steps.
    fn run(&self, case: &Case, plant: Option<Self::Plant>) -> Ran<Self::Counts> {
        self.go(case, plant, Notes::None)
    }

    /// Runs a case twice, and says whether both ended in the same: now and then, as it doubles the time.
    fn run_twice(&self, case: &Case, plant: Option<Self::Plant>) -> Ran<Self::Counts> {
        let (mut first, second) = (self.run(case, plant), self.run(case, plant));
        if first.finding.is_none() && first != second {
            first.finding = Some(format!("two runs of one seed ended in {} and in {}", first.checkpoint, second.checkpoint));
        }
        first
    }

    /// Runs a case and notes what happens.
    fn told(&self, case: &Case, plant: Option<Self::Plant>) -> Failing<Self::Counts> {
        let ran = self.go(case, plant, Notes::Kept);
        Failing { plan: Self::planned(case, plant).0, case: case.clone(), ran, tries: 0 }
    }

    /// Leaves out of a failing case what it fails without.
    fn shrink(&self, case: &Case, plant: Option<Self::Plant>) -> Failing<Self::Counts> {
        let first = self.run(case, plant).finding;
        let (mut case, mut tries) = (case.clone(), 1);
        'smaller: while tries < SHRINK_RUNS {
            for smaller in case.smaller(Self::planned(&case, plant).1) {
                tries += 1;
                if same_kind(first.as_deref(), self.run(&smaller, plant).finding.as_deref()) {
                    case = smaller;
                    continue 'smaller;
                }
            }
            break;
        }
        Failing { tries, ..self.told(&case, plant) }
    }
}

/// How often each thing has happened.
pub trait Counted: Clone + Default + PartialEq {
    /// Adds those of another run.
    fn add(&mut self, other: &Self);

    /// The faults that are told of.
    fn faults(&self) -> Vec<(Trouble, u64)>;

    /// All else: its name, what it is in words, how often.
    fn rows(&self) -> Vec<(&'static str, &'static str, u64)>;
}

/// Whether what happens is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// It is.
    Kept,
    /// It is not.
    None,
}

impl Notes {
    /// Where it is noted.
    pub(super) fn begun(self) -> Option<Vec<String>> {
        (self == Self::Kept).then(Vec::new)
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran<C> {
    /// What was seen that must never be.
    pub finding: Option<String>,
    /// The size and root of each gateway's log at the end.
    pub checkpoint: String,
    /// What happened how often.
    pub counts: C,
    /// The steps, if they were noted.
    pub trace: Vec<String>,
}

/// A case that fails, made as small as it could be.
pub struct Failing<C> {
    /// The line that is a test.
    pub case: Case,
    /// What is planned in it.
    pub plan: String,
    /// What came of it, with its steps.
    pub ran: Ran<C>,
    /// How many runs it took to make it small.
    pub tries: u64,
}

/// Whether the same was found, whatever it was found in.
fn same_kind(first: Option<&str>, second: Option<&str>) -> bool {
    let is_word = |word: &&str| !word.contains(|letter: char| letter.is_ascii_digit());
    let kind = |finding: Option<&str>| finding.map(|text| text.split(' ').filter(is_word).collect::<String>());
    kind(first) == kind(second)
}

/// Most runs that are spent to make a case smaller.
const SHRINK_RUNS: u64 = 400;
