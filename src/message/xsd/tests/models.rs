//! Content models against a slow matcher that knows nothing of automata, over all short words.

use crate::message::xsd::model::{Cursor, Declared, Model, Particle, Term, UNBOUNDED};
use crate::message::xsd::names::{Name, Names};
use crate::message::xsd::wildcard::{Process, Spaces, Wildcard};
use proptest::prelude::*;

/// The letters of words: three elements, one that may stand for the third, and what the wildcard lets through.
const LETTERS: [(&str, &str); 5] = [("", "a"), ("", "b"), ("", "c"), ("", "d"), ("urn:o", "x")];
const LONGEST: usize = 5;

struct Elements {
    names: Names,
}

impl Declared for Elements {
    fn names(&self, element: u32) -> Vec<(Name, u32)> {
        if element == 2 { vec![(2, 2), (3, 3)] } else { vec![(element, element)] }
    }

    fn table(&self) -> &Names {
        &self.names
    }
}

fn wildcard() -> Wildcard {
    Wildcard { spaces: Spaces::Other("urn:t".into()), process: Process::Skip }
}

fn fits(term: &Term, letter: usize) -> bool {
    match term {
        Term::Element(2) => letter == 2 || letter == 3,
        Term::Element(element) => *element as usize == letter,
        Term::Any(_) => letter == 4,
        _ => false,
    }
}

/// Where a particle may end in a word if it may begin at these places; places are bits.
fn ends(particle: &Particle, word: &[usize], from: u32) -> u32 {
    let (mut now, mut all, mut count) = (from, if particle.min == 0 { from } else { 0 }, 0);
    while count < particle.max.min(particle.min + word.len() as u32 + 1) && now != 0 {
        now = ends_once(&particle.term, word, now);
        count += 1;
        if count >= particle.min {
            all |= now;
        }
    }
    all
}

fn ends_once(term: &Term, word: &[usize], from: u32) -> u32 {
    match term {
        Term::Sequence(items) => items.iter().fold(from, |now, item| ends(item, word, now)),
        Term::Choice(items) => items.iter().fold(0, |all, item| all | ends(item, word, from)),
        Term::All(items) => all_ends(items, word, from),
        leaf => word
            .iter()
            .enumerate()
            .filter(|(at, letter)| from >> at & 1 == 1 && fits(leaf, **letter))
            .fold(0, |all, (at, _)| all | 1 << (at + 1)),
    }
}

fn all_ends(items: &[Particle], word: &[usize], from: u32) -> u32 {
    let mut all = if items.iter().all(|item| item.min == 0) { from } else { 0 };
    for at in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(at);
        let then = ends_once(&first.term, word, from);
        if then != 0 {
            all |= all_ends(&rest, word, then);
        }
    }
    all
}

/// First, last and following positions of what a particle is once all counts are written out (Glushkov's construction); each
/// position is a leaf.
struct Positions {
    leaves: Vec<(usize, Term)>,
    follow: Vec<Vec<usize>>,
}

struct Part {
    first: Vec<usize>,
    last: Vec<usize>,
    nullable: bool,
}

impl Positions {
    fn of(&mut self, particle: &Particle, leaf: usize) -> Part {
        let copies = if particle.max == UNBOUNDED { particle.min.max(1) } else { particle.max };
        let mut whole = Part { first: Vec::new(), last: Vec::new(), nullable: true };
        for copy in 0..copies {
            let mut part = self.once(&particle.term, leaf);
            part.nullable |= copy >= particle.min;
            if particle.max == UNBOUNDED && copy + 1 == copies {
                self.join(&part.last.clone(), &part.first);
            }
            whole = self.then(whole, part);
        }
        whole.nullable |= particle.min == 0;
        whole
    }

    fn join(&mut self, last: &[usize], first: &[usize]) {
        last.iter().for_each(|at| self.follow[*at].extend(first));
    }

    fn then(&mut self, one: Part, two: Part) -> Part {
        self.join(&one.last, &two.first);
        let (mut first, mut last) = (one.first, two.last);
        if one.nullable {
            first.extend(&two.first);
        }
        if two.nullable {
            last.extend(&one.last);
        }
        Part { first, last, nullable: one.nullable && two.nullable }
    }

    fn once(&mut self, term: &Term, leaf: usize) -> Part {
        match term {
            Term::Sequence(items) => {
                let (mut whole, mut leaf) = (Part { first: Vec::new(), last: Vec::new(), nullable: true }, leaf);
                for item in items {
                    let part = self.of(item, leaf);
                    whole = self.then(whole, part);
                    leaf += leaves(item);
                }
                whole
            }
            Term::Choice(items) => {
                let (mut whole, mut leaf) = (Part { first: Vec::new(), last: Vec::new(), nullable: false }, leaf);
                for item in items {
                    let part = self.of(item, leaf);
                    whole.first.extend(part.first);
                    whole.last.extend(part.last);
                    whole.nullable |= part.nullable;
                    leaf += leaves(item);
                }
                whole
            }
            term => {
                let at = self.leaves.len();
                self.leaves.push((leaf, term.clone()));
                self.follow.push(Vec::new());
                Part { first: vec![at], last: vec![at], nullable: false }
            }
        }
    }

    fn compete(&self, among: &[usize]) -> bool {
        let fit = |at: &usize, letter: usize| fits(&self.leaves[*at].1, letter);
        among.iter().any(|one| {
            among.iter().any(|two| {
                self.leaves[*one].0 != self.leaves[*two].0
                    && (0..LETTERS.len()).any(|letter| fit(one, letter) && fit(two, letter))
            })
        })
    }
}

fn leaves(particle: &Particle) -> usize {
    match &particle.term {
        Term::Sequence(items) | Term::Choice(items) | Term::All(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}

/// Unique particle attribution (section 3.8.6).
fn is_unique(particle: &Particle) -> bool {
    let mut positions = Positions { leaves: Vec::new(), follow: Vec::new() };
    let whole = positions.of(particle, 0);
    !positions.compete(&whole.first) && positions.follow.iter().all(|follow| !positions.compete(follow))
}

struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }

    fn particle(&mut self, depth: u64) -> Particle {
        let kind = self.below(if depth == 0 { 4 } else { 9 });
        let term = match kind {
            0..=2 => Term::Element(kind as u32),
            3 => Term::Any(wildcard()),
            4..=6 => Term::Sequence(self.items(depth)),
            _ => Term::Choice(self.items(depth)),
        };
        let min = [0, 1, 1, 1, 2, 3][self.below(6) as usize];
        let max = [min.max(1), min.max(1), min.max(1), min + 1, min + 2, UNBOUNDED][self.below(6) as usize];
        Particle { min, max, term }
    }

    fn items(&mut self, depth: u64) -> Vec<Particle> {
        (0..[0, 1, 2, 2, 3, 3][self.below(6) as usize]).map(|_| self.particle(depth - 1)).collect()
    }

    /// A particle of which each next element tells which of its leaves is meant.
    fn unique(&mut self) -> Particle {
        loop {
            let particle = self.particle(3);
            // Most of the small ones are alike.
            if is_unique(&particle) && (leaves(&particle) > 2 || self.below(8) == 0) {
                return particle;
            }
        }
    }

    fn all(&mut self) -> Particle {
        let mut items = Vec::new();
        for element in [0, 1, 2] {
            if self.below(4) > 0 {
                items.push(Particle { min: self.below(2) as u32, max: 1, term: Term::Element(element) });
            }
        }
        Particle { min: 1, max: 1, term: Term::All(items) }
    }
}

/// Walks all words that begin with `word`; gives how many there were that fit.
fn walk(model: &Model, particle: &Particle, word: &mut Vec<usize>, state: Option<(Cursor, Vec<u32>)>) -> usize {
    let fits = ends(particle, word, 1) >> word.len() & 1 == 1;
    let taken = state.as_ref().is_some_and(|(cursor, stack)| model.may_end(*cursor, stack, 0));
    assert_eq!(fits, taken, "{particle:?} {word:?}");
    let mut found = usize::from(fits);
    if word.len() == LONGEST {
        return found;
    }
    for (letter, (uri, local)) in LETTERS.iter().enumerate() {
        let next = state.clone().and_then(|(mut cursor, mut stack)| {
            let names = names();
            let expected = model.expected(cursor, &stack, 0, &names).len();
            let step = model.step(&mut cursor, &mut stack, 0, (&names, uri, local)).ok();
            assert!(step.is_none() || expected > 0, "what is taken was expected");
            step.map(|_| (cursor, stack))
        });
        word.push(letter);
        found += walk(model, particle, word, next);
        word.pop();
    }
    found
}

fn names() -> Names {
    let mut names = Names::default();
    for (uri, local) in &LETTERS[..4] {
        names.intern(uri, local);
    }
    names
}

fn hold(particle: &Particle) -> usize {
    let model = Model::compile(particle, &Elements { names: names() }, &mut 10_000).expect("small enough");
    walk(&model, particle, &mut Vec::new(), Some((Cursor::default(), Vec::new())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(100_000), ..ProptestConfig::default() })]

    #[test]
    fn models_take_the_words_that_a_slow_matcher_takes(seed in 1_u64..) {
        let mut random = Random(seed);
        let particle = random.unique();
        hold(&particle);
        hold(&random.all());
    }
}

#[test]
fn the_random_models_are_worth_trying() {
    let (mut random, mut some, mut counted) = (Random(7), 0, 0);
    for _ in 0..200 {
        let particle = random.unique();
        some += usize::from(leaves(&particle) > 2);
        counted += usize::from(
            matches!(&particle.term, Term::Sequence(items) if particle.max > 1 && items.iter().any(|item| item.max > 1)),
        );
    }
    assert!(some > 60 && counted > 20, "{some} with more than two leaves, {counted} with counts in counts");
}
