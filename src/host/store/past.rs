//! What became of messages: looked up in the index and read from the journal, when somebody asks for one. So nothing is kept in
//! memory for those that are over, and a start reads nothing for them.

use super::index::Enough;
use super::{Store, StoreError};
use crate::base::fault::Code;
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::journal::{Frame, FrameKind};
use crate::exchange::ledger::{Known, OutcomePlace, Past};
use crate::rules::quota::Answers;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// A leaf, as far as it tells what became of a message.
#[derive(Deserialize)]
struct Leaf<'l> {
    e: Option<&'l str>,
    g: Option<&'l str>,
    h: Option<&'l str>,
    k: &'l str,
    m: Option<&'l str>,
    q: Option<&'l str>,
    u: Option<&'l str>,
    z: Option<u64>,
}

impl Leaf<'_> {
    fn is_of(&self, sender: &AgencyId, id: MessageId) -> bool {
        self.u == Some(sender.as_str()) && self.m.and_then(MessageId::parse) == Some(id)
    }
}

fn digest(text: Option<&str>) -> Option<Digest> {
    text.and_then(Digest::parse_base64url)
}

/// Looks for what became of a message in what may be its records, from the last to the first.
pub(crate) struct PastSearch<'q> {
    sender: &'q AgencyId,
    id: MessageId,
    oldest: UnixTime,
    past: Option<Past>,
    /// How it failed; what is before that is of interest for the question alone.
    failure: Option<Code>,
}

impl<'q> PastSearch<'q> {
    /// Looks for this message; not for one whose last record is from before `oldest`.
    pub(crate) fn new(sender: &'q AgencyId, id: MessageId, oldest: UnixTime) -> Self {
        Self { sender, id, oldest, past: None, failure: None }
    }

    /// Takes the next record, of this time: it may be another message's.
    pub(crate) fn take(&mut self, frame: &Frame<'_>, time: u64, place: OutcomePlace) -> Enough {
        let leaf = serde_json::from_slice::<Leaf<'_>>(frame.leaf).ok().filter(|_| frame.kind == FrameKind::Record);
        let Some(leaf) = leaf.filter(|leaf| leaf.is_of(self.sender, self.id)) else { return Enough::No };
        let is_last = self.past.is_none() && self.failure.is_none();
        if is_last && time < self.oldest.as_ms() {
            return Enough::Yes;
        }
        let settled = match leaf.k {
            "rsp" if !frame.body.is_empty() => digest(leaf.q),
            "evt" => digest(leaf.h),
            _ => None,
        };
        if let Some(digest) = settled {
            self.past = Some(Past { digest, outcome: Known::Settled(place) });
            return Enough::Yes;
        }
        self.take_failure(&leaf);
        Enough::No
    }

    /// Of several ends that are none the last one counts.
    fn take_failure(&mut self, leaf: &Leaf<'_>) {
        let (question, code) = match leaf.k {
            "req" => (digest(leaf.h), None),
            "cnl" => (digest(leaf.q), Some(Code::MsgCancelled)),
            // A refusal at the door has no grant, and ends nothing.
            "err" if leaf.g.is_some() || leaf.z.is_some() => (None, leaf.e.and_then(Code::parse)),
            _ => return,
        };
        self.failure = self.failure.or(code);
        if let Some(digest) = question {
            self.past = Some(Past { digest, outcome: Known::Refused(self.failure.unwrap_or(Code::HttpBusy)) });
        }
    }

    /// What was found. One without an outcome was permitted by another run of this program, and nothing more is known: it may come
    /// again, and no other with its id.
    pub(crate) fn found(self) -> Option<Past> {
        self.past
    }
}

impl Store {
    /// What the log knows of a message that was permitted before, as far as the index has come; not of one whose last record is from
    /// before `oldest`.
    pub fn past(&self, sender: &AgencyId, id: MessageId, oldest: UnixTime) -> Result<Option<Past>, StoreError> {
        // No id that was taken was later by more than this than the clock that its records have their times from.
        let since = id.time().minus_ms(2 * limits::CLOCK_SKEW_MS).as_ms();
        let mut search = PastSearch::new(sender, id, oldest);
        self.index.each_of_exchange((sender, id), since, |index, row| {
            let place = OutcomePlace { index, segment: row.segment, offset: row.offset };
            self.with_frame(place, |frame| search.take(frame, row.time, place))
        })?;
        Ok(search.found())
    }

    /// The index keys of the persons who were asked about in each agency's budget since a time.
    pub fn asked_since(&self, time: UnixTime) -> Result<BTreeMap<AgencyId, HashSet<u64>>, StoreError> {
        self.index.asked_since(time.as_ms())
    }

    /// The answers in each agency's budget since a time, and how many of them were that there is no record.
    pub fn answered_since(&self, time: UnixTime) -> Result<BTreeMap<AgencyId, Answers>, StoreError> {
        self.index.answered_since(time.as_ms())
    }
}
