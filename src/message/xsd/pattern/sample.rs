//! Values that match a pattern, for examples.

use super::class::Set;
use super::parse::{self, Node, Sets};

/// Values made from the patterns, the plainest first. They are to be checked: a value may be too long to be made.
pub(super) fn of(sources: &[Box<str>]) -> Vec<String> {
    let mut made = Vec::new();
    for source in sources {
        let mut sets = Sets::default();
        let Ok(read) = parse::read(source, &mut sets) else { continue };
        for more in EXTRA {
            for branch in 0..BRANCHES {
                let mut writer = Writer { sets: &sets.sets, out: String::new(), more: *more, branch };
                if writer.write(&read.node).is_some() && !made.contains(&writer.out) {
                    made.push(writer.out);
                }
            }
        }
    }
    made
}

struct Writer<'s> {
    sets: &'s [Set],
    out: String,
    /// How many repetitions beyond one.
    more: Option<u32>,
    branch: usize,
}

impl Writer<'_> {
    fn write(&mut self, node: &Node) -> Option<()> {
        match node {
            Node::Empty => Some(()),
            Node::Set(set) => {
                let character = self.sets.get(*set).and_then(plainest)?;
                self.out.push(character);
                (self.out.len() < SAMPLE_BYTES_MAX).then_some(())
            }
            Node::Concat(nodes) => nodes.iter().try_for_each(|node| self.write(node)),
            Node::Alternation(nodes) => self.write(nodes.get(self.branch.checked_rem(nodes.len())?)?),
            Node::Repeat { node, min, max } => {
                let wanted = self.more.map_or(*min, |more| (*min).max(1).saturating_add(more)).min(*max);
                (0..wanted).try_for_each(|_| self.write(node))
            }
        }
    }
}

/// The character of a set that looks best in an example.
fn plainest(set: &Set) -> Option<char> {
    let holds = |character: &char| set.ranges().iter().any(|range| (range.start()..=range.end()).contains(character));
    let first = PLAIN.chars().find(holds);
    let visible = || set.ranges().iter().find(|range| range.end() > ' ').map(|range| range.start().max('!'));
    first.or_else(visible).or_else(|| " \n\t\r".chars().find(holds))
}

const PLAIN: &str = "1AaBb023456789CDEFGHIJKLMNOPQRSTUVWXYZcdefghijklmnopqrstuvwxyzАаБбВвГгABÄäÕõÖöÜü-._/:@ ";
/// How many repetitions beyond the first are tried; nothing stands for as few as may be.
const EXTRA: &[Option<u32>] = &[Some(0), None, Some(1), Some(2), Some(4), Some(9), Some(19), Some(39), Some(99)];
const BRANCHES: usize = 3;
const SAMPLE_BYTES_MAX: usize = 4096;
