//! What became of messages: looked up in the index and read from the journal, when somebody asks for one. So nothing is kept in
//! memory for those that are over, and a start reads nothing for them.

use super::index::Enough;
use super::{Store, StoreError};
use crate::base::fault::Code;
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::journal::FrameKind;
use crate::exchange::ledger::{Known, OutcomePlace, Past};
use crate::exchange::work::Kept;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// A leaf, as far as it tells what became of a message.
#[derive(Deserialize)]
struct Leaf<'l> {
    e: Option<&'l str>,
    h: Option<&'l str>,
    k: &'l str,
    m: Option<&'l str>,
    q: Option<&'l str>,
    s: Option<&'l str>,
    t: u64,
    u: Option<&'l str>,
    x: Option<&'l str>,
}

impl Leaf<'_> {
    fn is_of(&self, sender: &AgencyId, id: MessageId) -> bool {
        self.u == Some(sender.as_str()) && self.m.and_then(MessageId::parse) == Some(id)
    }
}

fn digest(text: Option<&str>) -> Option<Digest> {
    text.and_then(Digest::parse_base64url)
}

/// What was found so far, from the last record to the first.
#[derive(Default)]
struct Search {
    past: Option<Past>,
    /// How it failed, if there is a question before that.
    failure: Option<Code>,
}

impl Search {
    fn take(&mut self, leaf: &Leaf<'_>, place: OutcomePlace) -> Enough {
        match leaf.k {
            "rsp" => {
                if let Some(digest) = digest(leaf.q) {
                    self.past = Some(Past { digest, outcome: Known::Settled(place) });
                    return Enough::Yes;
                }
            }
            "req" => {
                if let Some(digest) = digest(leaf.h) {
                    self.past = Some(Past { digest, outcome: Known::Refused(self.failure.unwrap_or(Code::HttpBusy)) });
                }
                if self.failure.is_some() {
                    return Enough::Yes;
                }
            }
            // A refusal: the last one counts.
            _ => self.failure = self.failure.or(leaf.e.and_then(Code::parse)),
        }
        Enough::No
    }
}

impl Store {
    /// What the log knows of a message that was permitted before, as far as the index has come. One without an outcome was permitted by
    /// another run of this program, and nothing more is known: it may come again, and no other with its id.
    pub fn past(&self, sender: &AgencyId, id: MessageId) -> Result<Option<Past>, StoreError> {
        // No id that was taken was later by more than this than the clock that its records have their times from.
        let since = id.time().minus_ms(2 * limits::CLOCK_SKEW_MS).as_ms();
        let mut search = Search::default();
        self.index.each_of_exchange((sender, id), since, |index, row| {
            let place = OutcomePlace { index, segment: row.segment, offset: row.offset };
            self.with_frame(place, |frame| {
                let leaf = serde_json::from_slice::<Leaf<'_>>(frame.leaf).ok().filter(|_| frame.kind == FrameKind::Record);
                match leaf.filter(|leaf| leaf.is_of(sender, id)) {
                    Some(leaf) => search.take(&leaf, place),
                    None => Enough::No,
                }
            })
        })?;
        Ok(search.past)
    }

    /// The questions that are kept with their records and have no outcome, with their places, from a time on.
    pub fn unfinished(&self, from: UnixTime, mut visit: impl FnMut(Kept)) -> Result<(), StoreError> {
        self.index.each_open(|open| {
            if open.time < from.as_ms() {
                return Ok(());
            }
            let place = OutcomePlace { index: open.index, segment: open.segment, offset: open.offset };
            let kept = self.with_frame(place, |frame| {
                let leaf = serde_json::from_slice::<Leaf<'_>>(frame.leaf).ok().filter(|_| frame.kind == FrameKind::Record)?;
                // Its own deadline is in the message: none is later than this.
                let deadline = UnixTime::from_ms(leaf.t).plus_ms(limits::EVENT_LIFE_MS + limits::CLOCK_SKEW_MS);
                Some(Kept {
                    sender: leaf.u.and_then(AgencyId::parse)?,
                    id: leaf.m.and_then(MessageId::parse)?,
                    digest: digest(leaf.h)?,
                    system: digest(leaf.x),
                    holder: leaf.s.and_then(AgencyId::parse)?,
                    deadline,
                    place,
                    tries: 1,
                })
            })?;
            kept.into_iter().for_each(&mut visit);
            Ok(())
        })
    }

    /// The index keys of the persons whom each agency has asked about since a time.
    pub fn asked_since(&self, time: UnixTime) -> Result<BTreeMap<AgencyId, HashSet<u64>>, StoreError> {
        self.index.asked_since(time.as_ms())
    }
}
