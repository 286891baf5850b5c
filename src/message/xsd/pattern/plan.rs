//! How a pattern is matched: counted runs of classes, a table, or a table made while it is needed.

use super::class::Set;
use super::parse::{Node, UNBOUNDED};
use super::symbols::{Members, Symbols};
use crate::base::limits;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::hybrid;
use regex_automata::nfa::thompson;
use regex_automata::util::{primitives::StateID, start};
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, Hir, Repetition};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// The way that was chosen.
pub(super) enum Plan {
    /// Runs of classes, each of which ends where the next begins: no automaton is needed, whatever the counts.
    Runs(Vec<Run>, Symbols),
    /// A complete table.
    Table(Box<dense::DFA<Vec<u32>>>, StateID, Option<Symbols>),
    /// A table made while it is needed, in a cache of bounded size that the caller has.
    Lazy(Box<Lazy>, Option<Symbols>),
}

/// A table made while it is needed.
pub(super) struct Lazy {
    dfa: hybrid::dfa::DFA,
    number: u64,
    /// How large its cache may grow.
    octets: usize,
}

/// A class and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    members: Members,
    /// The same for the characters of ASCII, bit by bit.
    ascii: [u64; 2],
    min: u32,
    max: u32,
}

/// Caches of lazy tables, for one thread; old ones go when there are too many.
#[derive(Default)]
pub struct Caches {
    caches: BTreeMap<u64, (hybrid::dfa::Cache, usize)>,
    octets: usize,
}

impl Plan {
    /// Chooses for a tree over these sets.
    pub(super) fn of(node: &Node, sets: &[Set]) -> Result<Self, String> {
        let symbols = Symbols::of(sets);
        if let Some(symbols) = symbols {
            return match runs(node, &symbols) {
                Some(runs) => Ok(Self::Runs(runs, symbols)),
                None => Self::automaton(&hir(node, sets, Some(&symbols)), Some(symbols)),
            };
        }
        Self::automaton(&hir(node, sets, None), None)
    }

    fn automaton(hir: &Hir, symbols: Option<Symbols>) -> Result<Self, String> {
        let config = thompson::Config::new().utf8(false).shrink(false).nfa_size_limit(Some(NFA_BYTES_MAX));
        let nfa = thompson::Compiler::new().configure(config.which_captures(thompson::WhichCaptures::None)).build_from_hir(hir);
        let nfa = nfa.map_err(|_| "a pattern that is too large once its counts are written out".to_owned())?;
        if let Err(steps) = width(&nfa) {
            return Err(steps.to_owned());
        }
        // All matches, not the leftmost-first one: `a|ab` must see the end of `ab`.
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::All)
            .dfa_size_limit(Some(TABLE_BYTES_MAX))
            .determinize_size_limit(Some(TABLE_WORK_BYTES_MAX));
        if let Ok(table) = dense::Builder::new().configure(config).build_from_nfa(&nfa) {
            let start = table.start_state(&start::Config::new().anchored(Anchored::Yes));
            let start = start.map_err(|error| format!("a pattern that cannot be started: {error}"))?;
            return Ok(Self::Table(Box::new(table), start, symbols));
        }
        // Where that is too little for a few states, as many octets are taken as those need.
        let config =
            hybrid::dfa::Config::new().match_kind(MatchKind::All).cache_capacity(CACHE_BYTES).skip_cache_capacity_check(true);
        let failed = |error| format!("a pattern that cannot be compiled: {error}");
        let octets = config.get_minimum_cache_capacity(&nfa).map_err(failed)?.max(CACHE_BYTES);
        let dfa = hybrid::dfa::Builder::new().configure(config).build_from_nfa(nfa).map_err(failed)?;
        if octets > limits::SCHEMA_CACHE_BYTES_MAX {
            return Err("a pattern that would take too much memory to match".to_owned());
        }
        Ok(Self::Lazy(Box::new(Lazy { dfa, number: NEXT.fetch_add(1, Ordering::Relaxed), octets }), symbols))
    }

    /// Whether the whole value matches.
    pub(super) fn matches(&self, value: &str, caches: &mut Caches) -> bool {
        if let Self::Runs(runs, _) = self
            && let Some(matched) = match_ascii(runs, value.as_bytes())
        {
            return matched;
        }
        if let Self::Lazy(lazy, symbols) = self {
            let Some(cache) = caches.of(lazy) else { return false };
            let matched = match symbols {
                Some(symbols) => match_lazy(&lazy.dfa, cache, value.chars().map(|character| symbols.symbol(character))),
                None => match_lazy(&lazy.dfa, cache, value.bytes()),
            };
            return matched.unwrap_or(false);
        }
        self.steps().is_some_and(|mut steps| {
            steps.take(value);
            steps.is_match()
        })
    }

    /// The beginning of a value that comes in pieces; none for a table that is made while it is needed, since a place in it means
    /// nothing any more when its cache was given back.
    pub(super) fn steps(&self) -> Option<Steps<'_>> {
        Some(Steps(match self {
            Self::Runs(runs, symbols) => Way::Runs { runs, symbols, count: 0, is_dead: false },
            Self::Table(table, start, symbols) => Way::Table { table, state: *start, symbols: symbols.as_ref() },
            Self::Lazy(..) => return None,
        }))
    }
}

/// How far a value has been matched.
pub struct Steps<'p>(Way<'p>);

enum Way<'p> {
    /// The runs from the present one on, and how often that was met.
    Runs { runs: &'p [Run], symbols: &'p Symbols, count: u32, is_dead: bool },
    /// The state of a table.
    Table { table: &'p dense::DFA<Vec<u32>>, state: StateID, symbols: Option<&'p Symbols> },
}

impl Steps<'_> {
    /// Takes the next characters.
    pub fn take(&mut self, text: &str) {
        match &mut self.0 {
            Way::Runs { runs, symbols, count, is_dead } => {
                let (mut here, mut times) = (*runs, *count);
                let goes = |character| step_runs(&mut here, &mut times, symbols.symbol(character)).is_some();
                *is_dead |= !text.chars().all(goes);
                (*runs, *count) = (here, times);
            }
            Way::Table { table, state, symbols: Some(symbols) } => {
                *state = step_table(table, *state, text.chars().map(|character| symbols.symbol(character)));
            }
            Way::Table { table, state, symbols: None } => *state = step_table(table, *state, text.bytes()),
        }
    }

    /// Whether all that was taken is a value that matches.
    pub fn is_match(&self) -> bool {
        match &self.0 {
            Way::Runs { runs, count, is_dead, .. } => {
                let mut counts = std::iter::once(*count).chain(std::iter::repeat(0));
                !is_dead && runs.iter().all(|run| counts.next().is_some_and(|count| count >= run.min))
            }
            Way::Table { table, state, .. } => table.is_match_state(table.next_eoi_state(*state)),
        }
    }
}

impl Caches {
    fn of(&mut self, lazy: &Lazy) -> Option<&mut hybrid::dfa::Cache> {
        if !self.caches.contains_key(&lazy.number) {
            while self.octets.saturating_add(lazy.octets) > limits::SCHEMA_CACHE_BYTES_MAX
                && let Some((_, (_, octets))) = self.caches.pop_first()
            {
                self.octets = self.octets.saturating_sub(octets);
            }
            self.octets = self.octets.saturating_add(lazy.octets);
            self.caches.insert(lazy.number, (lazy.dfa.create_cache(), lazy.octets));
        }
        self.caches.get_mut(&lazy.number).map(|(cache, _)| cache)
    }

    /// Gives back what the caches hold: they are made anew when they are needed.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn step_table(table: &dense::DFA<Vec<u32>>, from: StateID, symbols: impl Iterator<Item = u8>) -> StateID {
    let mut state = from;
    for symbol in symbols {
        state = table.next_state(state, symbol);
        if table.is_dead_state(state) {
            break;
        }
    }
    state
}

fn match_lazy(lazy: &hybrid::dfa::DFA, cache: &mut hybrid::dfa::Cache, symbols: impl Iterator<Item = u8>) -> Option<bool> {
    let mut state = lazy.start_state(cache, &start::Config::new().anchored(Anchored::Yes)).ok()?;
    for symbol in symbols {
        state = lazy.next_state(cache, state, symbol).ok()?;
        if state.is_dead() {
            return Some(false);
        }
    }
    Some(lazy.next_eoi_state(cache, state).ok()?.is_match())
}

/// Whether runs match a value of ASCII alone; nothing is said of one that holds more.
fn match_ascii(runs: &[Run], value: &[u8]) -> Option<bool> {
    let mut rest = value.iter();
    let mut next = rest.next();
    for run in runs {
        let mut count = 0_u32;
        while count < run.max
            && let Some(octet) = next
        {
            let word = run.ascii.get(usize::from(octet >> 6))?;
            if word >> (octet & 63) & 1 == 0 {
                break;
            }
            count = count.saturating_add(1);
            next = rest.next();
        }
        if count < run.min {
            return next.is_none_or(u8::is_ascii).then_some(false);
        }
    }
    next.is_none_or(u8::is_ascii).then_some(next.is_none())
}

/// Goes on to the run that the next symbol is of.
#[inline]
fn step_runs(runs: &mut &[Run], count: &mut u32, symbol: u8) -> Option<()> {
    loop {
        let (run, rest) = runs.split_first()?;
        if *count < run.max && run.members.holds(symbol) {
            *count = count.saturating_add(1);
            return Some(());
        }
        if *count < run.min {
            return None;
        }
        (*runs, *count) = (rest, 0);
    }
}

/// The runs that a tree is a sequence of, if taking as many characters as possible for each is always right.
fn runs(node: &Node, symbols: &Symbols) -> Option<Vec<Run>> {
    let nodes = match node {
        Node::Concat(nodes) => nodes.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut runs = Vec::<Run>::new();
    for node in nodes {
        let (set, min, max) = match node {
            Node::Empty => continue,
            Node::Set(set) => (*set, 1, 1),
            Node::Repeat { node, min, max } => match **node {
                Node::Set(set) => (set, *min, *max),
                _ => return None,
            },
            _ => return None,
        };
        let members = symbols.members(set);
        match runs.last_mut().filter(|last| last.members == members) {
            // `[0-9][0-9]{2,}` is `[0-9]{3,}`; the sum of two unbounded ones stays so.
            Some(last) => {
                last.min = last.min.saturating_add(min);
                last.max = last.max.saturating_add(max);
            }
            None => runs.push(Run { members, ascii: symbols.ascii_of(&members), min, max }),
        }
    }
    let decided = |at: usize, run: &Run| {
        if run.min == run.max {
            return true;
        }
        for next in runs.iter().skip(at.saturating_add(1)) {
            if !next.members.is_disjoint(&run.members) {
                return false;
            }
            if next.min > 0 {
                break;
            }
        }
        true
    };
    runs.iter().enumerate().all(|(at, run)| decided(at, run)).then_some(runs)
}

/// The tree for the compiler of automata: over symbols where there are some, else over UTF-8.
fn hir(node: &Node, sets: &[Set], symbols: Option<&Symbols>) -> Hir {
    match node {
        Node::Empty => Hir::empty(),
        Node::Set(set) => Hir::class(match symbols {
            Some(symbols) => {
                let members = symbols.members(*set);
                Class::Bytes(ClassBytes::new(members.iter().map(|symbol| ClassBytesRange::new(symbol, symbol))))
            }
            None => Class::Unicode(sets.get(*set).cloned().unwrap_or_else(ClassUnicode::empty)),
        }),
        Node::Concat(nodes) => Hir::concat(nodes.iter().map(|node| hir(node, sets, symbols)).collect()),
        Node::Alternation(nodes) => Hir::alternation(nodes.iter().map(|node| hir(node, sets, symbols)).collect()),
        Node::Repeat { node, min, max } => Hir::repetition(Repetition {
            min: *min,
            max: (*max != UNBOUNDED).then_some(*max),
            greedy: true,
            sub: Box::new(hir(node, sets, symbols)),
        }),
    }
}

/// How many states can be alive at once, whatever the value: that is what each of its characters may cost. It is found by
/// walking all values of each length together.
fn width(nfa: &thompson::NFA) -> Result<usize, &'static str> {
    let mut mark = vec![0_u32; nfa.states().len()];
    let (mut now, mut next, mut stack) = (vec![nfa.start_anchored()], Vec::new(), Vec::new());
    let (mut widest, mut work, mut round, mut known) = (0_usize, 0_usize, 0_u32, Vec::new());
    while !now.is_empty() && round < ROUNDS_MAX && work < WALK_STEPS_MAX {
        round = round.saturating_add(1);
        let mut seen = 0_usize;
        stack.append(&mut now);
        while let Some(id) = stack.pop() {
            let Some(mark) = mark.get_mut(id.as_usize()).filter(|mark| **mark != round) else { continue };
            *mark = round;
            seen = seen.saturating_add(1);
            match nfa.state(id) {
                thompson::State::ByteRange { trans } => next.push(trans.next),
                thompson::State::Sparse(sparse) => next.extend(sparse.transitions.iter().map(|trans| trans.next)),
                thompson::State::Dense(dense) => next.extend(dense.transitions.iter().copied().filter(|id| *id != StateID::ZERO)),
                thompson::State::Look { next, .. } | thompson::State::Capture { next, .. } => stack.push(*next),
                thompson::State::Union { alternates } => stack.extend(alternates.iter().copied()),
                thompson::State::BinaryUnion { alt1, alt2 } => stack.extend([*alt1, *alt2]),
                thompson::State::Fail | thompson::State::Match { .. } => {}
            }
        }
        work = work.saturating_add(seen).saturating_add(next.len());
        widest = widest.max(seen);
        if widest > WIDTH_MAX {
            return Err("a pattern with counts within counts that would be slow to match");
        }
        next.sort_unstable();
        next.dedup();
        std::mem::swap(&mut now, &mut next);
        next.clear();
        // What has been reached before goes round for ever.
        if now == known {
            break;
        }
        if round.is_power_of_two() {
            known.clone_from(&now);
        }
    }
    Ok(widest)
}

/// Numbers of lazy tables; a cache must never be used with another one's.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Largest automaton once counts are written out.
const NFA_BYTES_MAX: usize = 1 << 20;
/// Largest complete table, and what making it may take.
const TABLE_BYTES_MAX: usize = 1 << 16;
const TABLE_WORK_BYTES_MAX: usize = 1 << 19;
/// How large one cache may grow, but for patterns that cannot do with it.
const CACHE_BYTES: usize = 24 << 10;
/// Most states that may be alive at once.
const WIDTH_MAX: usize = 2048;
/// How far the walk for it goes.
const ROUNDS_MAX: u32 = 1 << 16;
const WALK_STEPS_MAX: usize = 1 << 22;
