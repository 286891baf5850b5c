//! What auditors read of a log beside receipts: exports, and what witnesses are sent.

use crate::memory::bounded;
use crate::originals::{self, Few, LEAVES, LOG};
use oncegate::evidence::audit::ExportVerifier;
use oncegate::evidence::tlog::range;
use oncegate::evidence::tlog::tiles::{Tile, read_bundle, write_bundle};
use std::collections::BTreeMap;

/// An export that is believed shows records of the log at their places, all that its lines count, and none that its filter
/// leaves out.
pub fn export(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let read = bounded(input.len(), || {
        let mut lines = text.lines();
        let mut verifier = ExportVerifier::begin(lines.next()?, LOG.verifier()).ok()?;
        let mut shown = Vec::new();
        for line in lines {
            shown.extend(verifier.line(line).ok()?);
        }
        Some((verifier.finish().ok()?, shown))
    });
    let Some((exported, shown)) = read else { return };
    assert!((0..=LEAVES).any(|size| originals::head(size) == exported.head), "a tree that was not signed");
    let (from, to) = exported.range;
    assert!(from <= to && to <= exported.head.size, "outside of the log");
    assert_eq!((exported.shown, exported.shown + exported.hidden), (shown.len() as u64, to - from), "other counts");
    let kind = exported.filter.get("kind");
    let mut next = from;
    for (index, leaf) in shown {
        assert!((next..to).contains(&index), "record {index} is out of order");
        assert_eq!(leaf, originals::leaf(index), "a leaf that is not there");
        assert!(kind.is_none_or(|kind| leaf.contains(&format!("\"k\":\"{kind}\""))), "the filter leaves this out");
        next = index + 1;
    }
}

/// Exports of the small log: whole, of a range, and with a filter; one that was cut off, and one that shows what its filter
/// leaves out.
pub fn exports() -> Vec<Vec<u8>> {
    let whole = written(0, LEAVES, LEAVES, None);
    let cut = whole.rsplit_once("{\"shown\"").map(|(cut, _)| cut.to_owned());
    let lying = whole.replace("\"filter\":{}", "\"filter\":{\"kind\":\"rsp\"}");
    [(0, LEAVES, LEAVES, None), (2, 5, LEAVES, None), (1, 6, LEAVES, Some("rsp")), (0, 0, 0, None), (3, 3, 5, Some("req"))]
        .map(|(from, to, size, kind)| written(from, to, size, kind))
        .into_iter()
        .chain(cut)
        .chain([lying])
        .map(String::into_bytes)
        .collect()
}

fn written(from: u64, to: u64, size: u64, kind: Option<&str>) -> String {
    let hashes = |from, to| {
        let Ok(hashes) = range::prove(&Few, from, to);
        hashes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let checkpoint = LOG.checkpoint(originals::head(size)).expect("signs").to_string();
    let filter: BTreeMap<_, _> = kind.map(|kind| ("kind", kind)).into_iter().collect();
    let first = (format!("{checkpoint:?}"), format!("{filter:?}"), format!("{:?}", hashes(0, from)));
    let mut out = format!(
        "{{\"format\":1,\"checkpoint\":{},\"range\":[{from},{to}],\"filter\":{},\"left\":{}}}\n",
        first.0, first.1, first.2
    );
    let fits = |index: u64| kind.is_none_or(|kind| originals::leaf(index).contains(kind));
    let (mut index, mut shown) = (from, 0);
    while index < to {
        if fits(index) {
            out += &format!("{{\"index\":{index},\"leaf\":{:?}}}\n", originals::leaf(index));
            (index, shown) = (index + 1, shown + 1);
            continue;
        }
        let end = (index..to).find(|index| fits(*index)).unwrap_or(to);
        for ((start, height), hash) in range::pieces(index, end).zip(hashes(index, end)) {
            out += &format!("{{\"index\":{start},\"count\":{},\"hash\":\"{hash}\"}}\n", 1 << height);
        }
        index = end;
    }
    out + &format!("{{\"shown\":{shown},\"hidden\":{},\"right\":{:?}}}\n", to - from - shown, hashes(to, size))
}

/// A tile has one path; a bundle of entries (the first octet is how many) is written as it was read.
pub fn tile(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input)
        && let Some(tile) = bounded(input.len(), || Tile::parse(text))
    {
        assert_eq!(tile.to_string(), text, "a second path");
        assert!((1..=256).contains(&tile.width()) && tile.start().is_multiple_of(256));
        assert!(!tile.is_within(0), "{text}");
    }
    let Some((width, octets)) = input.split_first() else { return };
    if let Ok(entries) = bounded(input.len(), || read_bundle(octets, u64::from(*width))) {
        assert_eq!(entries.len(), usize::from(*width));
        let mut again = Vec::new();
        assert_eq!(write_bundle(entries.iter().copied(), &mut again), Ok(()));
        assert_eq!(again, octets);
    }
}

/// Paths and bundles.
pub fn tiles() -> Vec<Vec<u8>> {
    let mut bundle = vec![3];
    write_bundle([&b"first"[..], b"", b"third"], &mut bundle).expect("short entries");
    let paths = ["tile/0/000", "tile/1/x001/x234/067.p/255", "tile/entries/x001/000.p/1", "tile/63/999", "tile/0/x000/001"];
    paths.into_iter().map(|path| path.as_bytes().to_vec()).chain([bundle]).collect()
}
