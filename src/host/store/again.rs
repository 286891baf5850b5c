//! Reading records again from a journal that is being written to, for an index that has fallen behind.

use super::index::{Entered, Journal};
use super::keys::PrivateHead;
use super::recovery::{segments, walk_segment};
use crate::evidence::journal::{Erasure, FrameKind};
use std::path::Path;

/// The journal in a folder. Only records that are durable may be asked for.
pub(super) fn journal(folder: &Path) -> Journal {
    let folder = folder.to_owned();
    Box::new(move |from, to, enter| {
        let segments = segments(&folder)?;
        let mut next = from;
        for (at, segment) in segments.iter().enumerate() {
            let end = segments.get(at + 1).map(|next| next.header.head.size);
            if end.is_some_and(|end| end <= next) || segment.header.head.size >= to {
                continue;
            }
            let first_of = segments.iter().find(|other| other.header.volume == segment.header.volume);
            let volume = (segment.header.volume, first_of.map_or(0, |first| first.header.head.size));
            let erasure = if end.is_none() { Erasure::None } else { Erasure::Possible };
            let walked = walk_segment(&folder, segment, erasure, |offset, frame| {
                if frame.seq != next || next >= to {
                    return Ok(());
                }
                next += 1;
                let head = PrivateHead::read(frame.private).map(|(head, _)| head).unwrap_or_default();
                let leaf = if frame.kind == FrameKind::Record { frame.leaf.to_vec() } else { Vec::new() };
                enter(Entered { leaf, head, segment: segment.number, offset }, volume)
            });
            // What the writer is just adding behind them may look torn.
            if next < to {
                walked?;
            }
        }
        Ok(())
    })
}
