//! What happens in one run besides what follows from it: what is sent, which faults there are, which bad habits. All of it is
//! made from the seed, and a run that fails is tried again with parts of it left out.

use super::dice::Dice;
use super::plant::Plant;
use crate::base::time::DAY_MS;
use std::fmt;

/// A kind of fault, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the words of `Trouble::as_str` say it")]
pub enum Trouble {
    Loss,
    Delay,
    Twice,
    Partition,
    Crash,
    Torn,
    Unsynced,
    ShelfLost,
    ShelfOlder,
    ShelfNewer,
    ClockStep,
    ClockDay,
    Drift,
    DiskFull,
    NoAnswer,
    LateAnswer,
    AnswerTwice,
    OtherAnswer,
    Busy,
    Asks,
    WrongGateway,
    Vanished,
    OtherLease,
    AckTwice,
    AckLate,
    Nack,
    Extended,
    NeverAcked,
    Cancel,
    GrantEnded,
    AgencyEnded,
    Resent,
}

impl Trouble {
    /// All kinds, with their words.
    pub const ALL: [(Self, &'static str, &'static str); 32] = [
        (Self::Loss, "loss", "messages lost"),
        (Self::Delay, "delay", "messages late, and so behind later ones"),
        (Self::Twice, "twice", "messages that came twice"),
        (Self::Partition, "partition", "partitions"),
        (Self::Crash, "crash", "crashes of a gateway"),
        (Self::Torn, "torn", "groups of which a crash left a part"),
        (Self::Unsynced, "unsynced", "groups of which a crash left nothing"),
        (Self::ShelfLost, "shelf-lost", "shelves lost"),
        (Self::ShelfOlder, "shelf-older", "shelves older than the last save"),
        (Self::ShelfNewer, "shelf-newer", "shelves newer than their mark"),
        (Self::ClockStep, "clock-step", "clocks set by up to an hour"),
        (Self::ClockDay, "clock-day", "clocks set by a day"),
        (Self::Drift, "drift", "clocks that go too fast or too slowly"),
        (Self::DiskFull, "disk-full", "full disks"),
        (Self::NoAnswer, "no-answer", "questions that a holder never answered"),
        (Self::LateAnswer, "late-answer", "answers that came late, by a message of their own"),
        (Self::AnswerTwice, "answer-twice", "questions that were answered twice"),
        (Self::OtherAnswer, "other-answer", "questions that got the answer of another"),
        (Self::Busy, "busy", "receivers that were busy"),
        (Self::Asks, "asks", "holders that asked for time"),
        (Self::WrongGateway, "wrong-gateway", "answers given to another gateway"),
        (Self::Vanished, "vanished", "workers that vanished with a lease"),
        (Self::OtherLease, "other-lease", "acks of a lease of another"),
        (Self::AckTwice, "ack-twice", "acks given twice"),
        (Self::AckLate, "ack-late", "acks after the end of the lease"),
        (Self::Nack, "nack", "leases given back"),
        (Self::Extended, "extended", "leases extended"),
        (Self::NeverAcked, "never-acked", "receivers that did not acknowledge"),
        (Self::Cancel, "cancel", "cancels"),
        (Self::GrantEnded, "grant-ended", "grants that ended"),
        (Self::AgencyEnded, "agency-ended", "agencies that were suspended"),
        (Self::Resent, "resent", "messages sent again"),
    ];

    /// Its short name.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// What happened so many times.
    pub fn in_words(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., what)| what)
    }
}

/// What an agency sends.
#[derive(Clone, Debug)]
pub(super) struct Sending {
    pub at: u64,
    pub from: usize,
    pub gateway: usize,
    pub what: Sent,
    pub person: u64,
    /// For how long it is good, in milliseconds.
    pub life: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// A question for a document, whose consumer waits so long for the answer.
    Question {
        document: usize,
        wait: u64,
        cancel: Option<u64>,
    },
    Event,
}

/// A fault at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub at: u64,
    pub what: Happening,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    Crash { gateway: usize, down: u64, shelf: Left, when: When },
    Partition { gateway: usize, agency: usize, long: u64 },
    Clock { gateway: usize, by: i64 },
    Drift { gateway: usize, ppm: i64 },
    Full { gateway: usize, long: u64 },
    Registry { without: usize, long: u64 },
}

/// When a crash comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    AtOnce,
    /// While the next group is written.
    Writing,
}

/// What a crash leaves of the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Saved,
    Older,
    Newer,
    Nothing,
}

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub seed: u64,
    pub plant: Option<Plant>,
    pub gateways: usize,
    pub sendings: Vec<Sending>,
    pub faults: Vec<Fault>,
    pub habits: Habits,
    pub left_out: Case,
}

/// What is done badly now and then.
const HABITS: [Trouble; 17] = [
    Trouble::Loss,
    Trouble::Delay,
    Trouble::Twice,
    Trouble::NoAnswer,
    Trouble::LateAnswer,
    Trouble::AnswerTwice,
    Trouble::OtherAnswer,
    Trouble::Busy,
    Trouble::Asks,
    Trouble::WrongGateway,
    Trouble::Vanished,
    Trouble::OtherLease,
    Trouble::AckTwice,
    Trouble::AckLate,
    Trouble::Nack,
    Trouble::Extended,
    Trouble::NeverAcked,
];

/// A seed, and what is left out of its run: a line that can be given to the command, and stands in the tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// The seed.
    pub seed: u64,
    /// Messages that are not sent.
    pub messages: Vec<usize>,
    /// Faults that do not happen.
    pub faults: Vec<usize>,
    /// Habits that nobody has.
    pub habits: Vec<usize>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        for (letter, list) in [('m', &self.messages), ('f', &self.faults), ('h', &self.habits)] {
            let numbers: Vec<String> = list.iter().map(usize::to_string).collect();
            if !numbers.is_empty() {
                write!(f, " {letter}{}", numbers.join(","))?;
            }
        }
        Ok(())
    }
}

impl Case {
    /// The whole run of a seed.
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut case = Self::of(words.next()?.parse().ok()?);
        for word in words {
            let numbers: Option<Vec<usize>> = word.get(1..)?.split(',').map(|number| number.parse().ok()).collect();
            match word.get(..1)? {
                "m" => case.messages = numbers?,
                "f" => case.faults = numbers?,
                "h" => case.habits = numbers?,
                _ => return None,
            }
        }
        Some(case)
    }

    /// Each part of the plan that may be left out besides, largest first.
    pub(super) fn smaller(&self, sizes: [usize; 3]) -> Vec<Self> {
        let mut smaller = Vec::new();
        let more = |list: &[usize], add: std::ops::Range<usize>| {
            let fresh: Vec<usize> = add.filter(|number| !list.contains(number)).collect();
            (!fresh.is_empty()).then(|| [list, &fresh].concat())
        };
        let parts = [0, 1, 2].into_iter().zip(sizes);
        for (which, count) in parts {
            for pieces in [2, 4, count.max(1)] {
                let size = count.div_ceil(pieces).max(1);
                for start in (0..count).step_by(size) {
                    let range = start..(start + size).min(count);
                    let mut case = self.clone();
                    let list = match which {
                        0 => &mut case.messages,
                        1 => &mut case.faults,
                        _ => &mut case.habits,
                    };
                    if let Some(longer) = more(list, range) {
                        *list = longer;
                        list.sort_unstable();
                        smaller.push(case);
                    }
                }
            }
        }
        smaller
    }
}

impl Plan {
    /// The plan of a case.
    pub(super) fn of(case: &Case, plant: Option<Plant>) -> Self {
        let mut dice = Dice::new(case.seed);
        let gateways = 1 + usize::from(dice.hits(400));
        let count = dice.between(4, 12);
        let sendings = (0..count).map(|_| sending(&mut dice, gateways)).collect();
        let faults = (0..dice.below(7)).map(|_| fault(&mut dice, gateways)).collect();
        let habits = Habits::of(&HABITS, &mut dice, 500, case);
        Self { seed: case.seed, plant, gateways, sendings, faults, habits, left_out: case.clone() }
    }

    /// How much there is that can be left out.
    pub(super) fn sizes(&self) -> [usize; 3] {
        [self.sendings.len(), self.faults.len(), self.habits.count()]
    }
}

/// For whoever looks for a cause: what is sent, what happens, which habits there are.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed(f, "message", &self.sendings, &self.left_out.messages)?;
        listed(f, "fault", &self.faults, &self.left_out.faults)?;
        write!(f, "{}", self.habits)
    }
}

/// A line for each that is not left out.
pub(super) fn listed(f: &mut fmt::Formatter<'_>, word: &str, all: &[impl fmt::Debug], left_out: &[usize]) -> fmt::Result {
    let mut rest = all.iter().enumerate().filter(|(number, _)| !left_out.contains(number));
    rest.try_for_each(|(number, one)| writeln!(f, "{word} {number}: {one:?}"))
}

/// What is done badly now and then, and how often in a thousand times.
#[derive(Clone, Debug)]
pub(super) struct Habits(Vec<(Trouble, u64)>);

impl Habits {
    /// Those of a case, of which some are left out; each of the others is had or not: it is not so many times in a thousand.
    pub(super) fn of(all: &[Trouble], dice: &mut Dice, none: u64, case: &Case) -> Self {
        let quiet = dice.hits(100);
        let mut rate = || if quiet || dice.hits(none) { 0 } else { dice.between(20, 250) };
        let mut habits: Vec<(Trouble, u64)> = all.iter().map(|habit| (*habit, rate())).collect();
        for habit in &case.habits {
            if let Some((_, rate)) = habits.get_mut(*habit) {
                *rate = 0;
            }
        }
        Self(habits)
    }

    /// How many there may be.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// How often in a thousand times something is done badly.
    pub(super) fn rate(&self, habit: Trouble) -> u64 {
        self.0.iter().find(|(known, _)| *known == habit).map_or(0, |(_, rate)| *rate)
    }
}

impl fmt::Display for Habits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut had = self.0.iter().filter(|(_, rate)| *rate > 0);
        had.try_for_each(|(habit, rate)| writeln!(f, "habit {}: {rate} in a thousand", habit.as_str()))
    }
}

/// For how long things are sent and go wrong.
pub(super) const BUSY_MS: u64 = 8 * 60 * 1000;

fn sending(dice: &mut Dice, gateways: usize) -> Sending {
    let (at, gateway) = (dice.below(BUSY_MS / 2), dice.below(gateways as u64) as usize);
    let life = dice.pick(&[20_000, 120_000, 120_000, 1_800_000, 20_000_000]);
    let person = dice.below(5);
    if dice.hits(350) {
        return Sending { at, from: 2, gateway, what: Sent::Event, person: dice.below(2), life };
    }
    let cancel = dice.hits(400).then(|| dice.pick(&[20, 100, 1_000, 40_000])).map(|most| dice.below(most));
    let wait = dice.pick(&[0, 0, 2_000, 20_000]);
    let what = Sent::Question { document: dice.below(2) as usize, wait, cancel };
    Sending { at, from: dice.below(2) as usize, gateway, what, person, life }
}

fn fault(dice: &mut Dice, gateways: usize) -> Fault {
    let (at, gateway) = (dice.below(BUSY_MS * 3 / 4), dice.below(gateways as u64) as usize);
    let long = dice.pick(&[2_000, 30_000, 120_000]);
    let day = DAY_MS as i64;
    let what = match dice.below(12) {
        0..=4 => {
            let shelf = dice.pick(&[Left::Saved, Left::Older, Left::Newer, Left::Nothing]);
            let when = dice.pick(&[When::AtOnce, When::Writing]);
            Happening::Crash { gateway, down: dice.pick(&[50, 5_000, 70_000]), shelf, when }
        }
        5 | 6 => Happening::Partition { gateway, agency: dice.below(4) as usize, long },
        7 => Happening::Clock { gateway, by: dice.pick(&[-3_600_000, -61_000, -1_000, 1_000, 61_000, 3_600_000]) },
        8 => Happening::Clock { gateway, by: dice.pick(&[-day, day]) },
        9 => Happening::Drift { gateway, ppm: dice.pick(&[-50_000, -200, 200, 50_000]) },
        10 => Happening::Full { gateway, long: dice.pick(&[300, 2_000, 30_000, 120_000]) },
        _ => Happening::Registry { without: dice.between(1, 15) as usize, long },
    };
    Fault { at, what }
}
