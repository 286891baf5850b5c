//! The journal's frames under truncation and change: nothing that was not written is ever read, and nothing that was
//! acknowledged before the damage is missed.

use oncegate::base::time::UnixTime;
use oncegate::evidence::journal::{Commit, Erasure, Frame, FrameKind, From, Header, is_damaged, walk, write_frame};
use oncegate::evidence::tlog::tree::{Hash, Head};
use proptest::prelude::*;

/// The groups of a segment; a record is its leaf and its private part.
type Groups = Vec<Vec<(Vec<u8>, Vec<u8>)>>;

fn groups() -> impl Strategy<Value = Groups> {
    let record = (prop::collection::vec(any::<u8>(), 0..60), prop::collection::vec(any::<u8>(), 0..200));
    prop::collection::vec(prop::collection::vec(record, 0..5), 0..6)
}

fn head(size: u64) -> Head {
    Head { size, root: Hash::of_empty() }
}

fn write_commit(size: u64, start: u64, out: &mut Vec<u8>) {
    Commit { head: head(size), start, time: UnixTime::from_ms(7) }.write(out);
}

fn record<'r>(seq: u64, leaf: &'r [u8], private: &'r [u8]) -> Frame<'r> {
    Frame { kind: FrameKind::Record, seq, leaf, private, body: b"" }
}

fn from(size: u64) -> From {
    From { offset: 0, size }
}

/// The octets, and where each group ends; the header is the first.
fn segment(groups: &Groups, first: u64) -> (Vec<u8>, Vec<usize>) {
    let (mut octets, mut seq) = (Vec::new(), first);
    Header { head: head(seq), volume: 0 }.write(&mut octets);
    write_commit(seq, 0, &mut octets);
    let mut ends = vec![octets.len()];
    for group in groups {
        let start = octets.len() as u64;
        for (leaf, private) in group {
            write_frame(&record(seq, leaf, private), &mut octets);
            seq += 1;
        }
        write_commit(seq, start, &mut octets);
        ends.push(octets.len());
    }
    (octets, ends)
}

/// Walks changed octets: gives the end and how many records there are, each of which is as it was written.
fn read(octets: &[u8], groups: &Groups, first: u64) -> (usize, usize) {
    let written: Vec<_> = groups.iter().flatten().collect();
    let mut count = 0;
    let walked = walk(octets, from(first), Erasure::None, |_, frame| {
        assert_eq!(frame.seq, first + count as u64);
        let (leaf, private) = written[count];
        assert!(frame.leaf == leaf && frame.private == private, "record {count} is not as it was written");
        count += 1;
    });
    assert_eq!(walked.size, first + count as u64);
    assert!(walked.end + walked.cut <= octets.len());
    (walked.end, count)
}

/// The end of the last group that lies wholly before `at`, and the number of records up to it.
fn whole_before(ends: &[usize], groups: &Groups, at: usize) -> (usize, usize) {
    let whole = ends.iter().filter(|end| **end <= at).count();
    let end = whole.checked_sub(1).map_or(0, |last| ends[last]);
    (end, groups.iter().take(whole.saturating_sub(1)).map(Vec::len).sum())
}

fn damaged(octets: &[u8], end: usize) -> bool {
    is_damaged(&octets[end..], end as u64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_segments_are_read_as_written(groups in groups(), first in 0..1000_u64) {
        let (octets, ends) = segment(&groups, first);
        let all = groups.iter().map(Vec::len).sum::<usize>();
        prop_assert_eq!(read(&octets, &groups, first), (*ends.last().unwrap(), all));
        prop_assert_eq!(read(&octets, &groups, first + 1), (0, 0));
    }

    #[test]
    fn a_cut_segment_keeps_its_whole_groups(groups in groups(), first in 0..1000_u64, cut: prop::sample::Index, zeros in 0..300_usize) {
        let (octets, ends) = segment(&groups, first);
        let cut = cut.index(octets.len() + 1);
        let mut left = octets[..cut].to_vec();
        left.resize(cut + zeros, 0);
        // A frame may end with zeros, so that zeros behind the cut make it whole again.
        let same = octets.iter().zip(&left).take_while(|(a, b)| a == b).count();
        prop_assert_eq!(read(&left, &groups, first), whole_before(&ends, &groups, same));
        prop_assert!(!damaged(&left, whole_before(&ends, &groups, same).0), "an unfinished group is no damage");
    }

    #[test]
    fn a_flipped_bit_ends_the_log_before_its_group(groups in groups(), first in 0..1000_u64, at: prop::sample::Index, bit in 0..8_u8) {
        let (mut octets, ends) = segment(&groups, first);
        let at = at.index(octets.len());
        octets[at] ^= 1 << bit;
        let (end, count) = whole_before(&ends, &groups, at);
        prop_assert_eq!(read(&octets, &groups, first), (end, count));
        // All groups but the last have a witness: the commit frame of the one behind them.
        let is_last = ends.len() < 2 || at >= ends[ends.len() - 2];
        prop_assert_eq!(damaged(&octets, end), !is_last);
    }

    #[test]
    fn nothing_is_read_that_was_not_written(groups in groups(), first in 0..1000_u64, changes: Vec<(prop::sample::Index, u8)>) {
        let (mut octets, ends) = segment(&groups, first);
        let good = octets.clone();
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        let same = good.iter().zip(&octets).take_while(|(a, b)| a == b).count();
        let (end, count) = read(&octets, &groups, first);
        prop_assert!((end, count) >= whole_before(&ends, &groups, same));
        damaged(&octets, end);
    }

    #[test]
    fn noise_is_no_segment(noise in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert_eq!(walk(&noise, from(0), Erasure::Possible, |_, _| panic!("a record in noise")).size, 0);
        damaged(&noise, 0);
    }

    /// A group whose write failed may lie behind the end of a shorter one that took its place.
    #[test]
    fn the_rest_of_a_failed_group_is_never_read(groups in groups(), failed in groups(), last in groups()) {
        let (mut octets, _) = segment(&groups, 0);
        let (start, seq) = (octets.len(), groups.iter().map(Vec::len).sum::<usize>() as u64);
        let group = |records: Vec<&(Vec<u8>, Vec<u8>)>, out: &mut Vec<u8>| {
            let from = out.len() as u64;
            for (seq, (leaf, private)) in (seq..).zip(&records) {
                write_frame(&record(seq, leaf, private), out);
            }
            write_commit(seq + records.len() as u64, from, out);
        };
        let mut over = octets.clone();
        group(failed.iter().flatten().collect(), &mut over);
        group(last.iter().flatten().collect(), &mut octets);
        let end = octets.len();
        octets.extend_from_slice(over.get(end..).unwrap_or_default());
        let written: Groups = groups.iter().cloned().chain([last.iter().flatten().cloned().collect()]).collect();
        let count = written.iter().map(Vec::len).sum::<usize>();
        prop_assert_eq!(read(&octets, &written, 0), (end, count), "from {}", start);
        prop_assert!(!damaged(&octets, end));
    }
}

/// The worst case of it: the frames of the failed group stand just where the next group is expected.
#[test]
fn a_commit_frame_ends_only_the_group_that_it_was_written_for() {
    let (mut octets, ends) = segment(&vec![vec![(b"kept".to_vec(), Vec::new())]], 0);
    let end = ends[1];
    write_frame(&record(1, b"refused", b""), &mut octets);
    let mut stale = octets.clone();
    write_commit(2, end as u64 - 40, &mut stale);
    assert_eq!(walk(&stale, from(0), Erasure::None, |_, _| {}).size, 1);
    write_commit(2, end as u64, &mut octets);
    assert_eq!(walk(&octets, from(0), Erasure::None, |_, _| {}).size, 2);
}
