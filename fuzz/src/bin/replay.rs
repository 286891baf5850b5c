//! Runs every seed and every kept input of each target, then a fixed number of seeded mutations of them: no libFuzzer, no
//! nightly toolchain. `replay [--inputs N] [--seed S] [target...]`, or `replay --write FOLDER` for the seeds as files.

use oncegate_fuzz::{Forgeries, TARGETS, Target, run};
use std::path::Path;
use std::time::Instant;

fn main() -> std::io::Result<()> {
    let (mut inputs, mut seed, mut named, mut write) = (20_000_u64, 1_u64, Vec::new(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("a number after the option");
        match argument.as_str() {
            "--inputs" => inputs = number(),
            "--seed" => seed = number(),
            "--write" => write = arguments.next(),
            name => named.push(*Target::named(name).unwrap_or_else(|| panic!("no target is called {name}"))),
        }
    }
    let targets = if named.is_empty() { TARGETS } else { &named };
    if let Some(folder) = write {
        return targets.iter().try_for_each(|target| write_seeds(target, Path::new(&folder)));
    }
    all_are_registered();
    println!("{:<14}{:>8}{:>12}{:>16}{:>14}", "target", "kept", "executions", "per CPU-second", "slowest ms");
    let (mut all, mut all_s) = (0, 0.0);
    for target in targets {
        let (executions, seconds) = replay(target, inputs, seed);
        all += executions;
        all_s += seconds;
    }
    println!("{:<22}{all:>12}{:>16.0}", "total", all as f64 / all_s);
    let (tried, equal) = Forgeries::counted();
    println!("forgeries tried {tried}, accepted {equal} (all equal to the original)");
    Ok(())
}

/// Holds the list of targets against the files, the manifest and the document: whichever lacks one, it would not be run, or
/// nobody would know what it holds.
fn all_are_registered() {
    let (manifest, document) = (include_str!("../../Cargo.toml"), include_str!("../../../docs/fuzzing.md"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    for Target { name, .. } in TARGETS {
        let source = std::fs::read_to_string(folder.join(name).with_extension("rs")).unwrap_or_default();
        assert!(source.contains(&format!("named(\"{name}\")")), "fuzz_targets/{name}.rs does not run {name}");
        assert!(manifest.contains(&format!("[[bin]]\nname = \"{name}\"")), "Cargo.toml has no [[bin]] of {name}");
        assert!(document.contains(&format!("\n| `{name}` |")), "docs/fuzzing.md has no row about {name}");
    }
    let files = std::fs::read_dir(folder).into_iter().flatten().count();
    assert!(files == TARGETS.len() || !cfg!(feature = "server"), "a file of fuzz_targets/ is no target");
}

fn kept(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target.name);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a kept input can be read")).chain(target.seeds()).collect()
}

fn write_seeds(target: &Target, folder: &Path) -> std::io::Result<()> {
    let folder = folder.join(target.name);
    std::fs::create_dir_all(&folder)?;
    kept(target)
        .iter()
        .enumerate()
        .try_for_each(|(number, octets)| std::fs::write(folder.join(format!("seed-{number:03}")), octets))?;
    std::fs::write(folder.with_extension("dict"), target.dictionary)
}

fn replay(target: &Target, inputs: u64, seed: u64) -> (u64, f64) {
    let corpus = kept(target);
    assert!(!corpus.is_empty(), "{} has nothing to begin with", target.name);
    let words = words(target.dictionary);
    let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
    let (start, mut slowest) = (cpu_s(), 0.0_f64);
    let mut one = |input: &[u8]| {
        let before = Instant::now();
        run(target, input);
        slowest = slowest.max(before.elapsed().as_secs_f64());
    };
    corpus.iter().for_each(|input| one(input));
    for _ in 0..inputs {
        one(&mutated(&corpus, &words, &mut random));
    }
    let (executions, seconds) = (corpus.len() as u64 + inputs, (cpu_s() - start).max(1e-6));
    let speed = executions as f64 / seconds;
    println!("{:<14}{:>8}{executions:>12}{speed:>16.0}{:>14.1}", target.name, corpus.len(), slowest * 1000.0);
    (executions, seconds)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % bound.max(1) as u64) as usize
    }
}

fn mutated(corpus: &[Vec<u8>], words: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut octets = corpus[random.below(corpus.len())].clone();
    for _ in 0..1 + random.below(4) {
        let (from, length) = (random.below(octets.len() + 1), random.below(64));
        let to = (from + length).min(octets.len());
        let at = random.below(octets.len() + 1);
        match random.below(7) {
            0 if from < octets.len() => octets[from] ^= 1 << random.below(8),
            1 if from < octets.len() => octets[from] = random.below(256) as u8,
            2 => drop(octets.drain(from..to)),
            3 => {
                let copy = octets[from..to].to_vec();
                octets.splice(at..at, copy);
            }
            4 if !words.is_empty() => {
                let word = words[random.below(words.len())].clone();
                octets.splice(at..at, word);
            }
            5 => {
                let other = &corpus[random.below(corpus.len())];
                let start = random.below(other.len() + 1);
                let piece = other[start..(start + length).min(other.len())].to_vec();
                octets.splice(from..to, piece);
            }
            _ => octets.insert(at, random.below(256) as u8),
        }
    }
    octets
}

/// The words of a dictionary in libFuzzer's form: one in quotes per line, with `\\`, `\"` and `\xHH`.
fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let word = |line: &str| {
        let mut rest = line.trim().strip_prefix('"')?.strip_suffix('"')?.bytes();
        let mut octets = Vec::new();
        while let Some(octet) = rest.next() {
            octets.push(match octet {
                b'\\' => match rest.next()? {
                    b'x' => u8::from_str_radix(std::str::from_utf8(&[rest.next()?, rest.next()?]).ok()?, 16).ok()?,
                    other => other,
                },
                other => other,
            });
        }
        Some(octets)
    };
    dictionary.lines().filter_map(word).collect()
}

/// Seconds on a processor, of this thread; Linux alone tells without a library.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e9
}
