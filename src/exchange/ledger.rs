//! The order of an exchange: idempotency, what must be recorded before what, and what is remembered.
//!
//! The ledger answers one question, "was this message here before, and what came of it?", for the window in which an id is
//! accepted at all. It is deterministic, single-threaded, without clock or disk. It knows what is open, and what has ended and
//! cannot be found in the log's index yet. Of everything else the log knows: the ledger says that it has to be asked, and lets nobody
//! else in with the same id meanwhile.

use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::Logged;
use crate::exchange::admission::{Answer, Permitted};
use crate::rules::registry::AgencyIndex;
use std::collections::{BTreeMap, VecDeque};

/// An outcome's place in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomePlace {
    /// Index of the record.
    pub index: u64,
    /// Segment number.
    pub segment: u32,
    /// Offset of the frame in the segment.
    pub offset: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    digest: Digest,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// The log is being asked.
    Sought,
    /// With what became of it when it was here before.
    Open(Option<Ended>),
    Ended(Ended),
}

/// What became of a message, until the log's index has so many records: then it can be found there.
#[derive(Clone, Copy)]
struct Ended {
    outcome: Outcome,
    until: u64,
}

#[derive(Clone, Copy)]
enum Outcome {
    Settled(OutcomePlace),
    Refused(Code),
}

/// What the log knows of a message that was permitted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// The digest of the message.
    pub digest: Digest,
    /// What became of it: never that it is open.
    pub outcome: Known,
}

/// What the ledger knows of a message.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Seen {
    /// All there is to know.
    Here(Begin),
    /// Nothing: the log has to be asked.
    Nowhere(Inquiry),
}

/// A message that the log is asked about. Until it is given back nobody comes in with its id.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Inquiry {
    key: Key,
    digest: Digest,
}

/// A message id and the number of its sender.
type Key = (MessageId, u32);

/// What a message id was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// New: the exchange is open from now on, until it is settled or abandoned.
    Fresh,
    /// The same, but it failed after it was accepted before, and its holder may have had it.
    Again,
    /// Settled before: the outcome is at this place.
    Replay(OutcomePlace),
}

/// What is known of a message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is being processed.
    Open,
    /// It was answered; the outcome is at this place.
    Settled(OutcomePlace),
    /// It was refused or failed after it was accepted; the same message may come again.
    Refused(Code),
}

/// The memory of message ids, per sender.
#[derive(Default)]
pub struct Ledger {
    entries: BTreeMap<Key, Entry>,
    senders: BTreeMap<AgencyId, u32>,
    /// What has ended, about in the order in which the index comes to know it.
    ended: VecDeque<(u64, Key)>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an exchange, or says what became of the same message before, or that the log has to be asked.
    pub fn begin(&mut self, now: UnixTime, sender: &AgencyId, id: MessageId, digest: Digest) -> Result<Seen, Fault> {
        if id.time().plus_ms(limits::IDEMPOTENCY_WINDOW_MS) < now {
            return Err(Fault::at(Code::MsgStaleId, "the id is older than 48 hours"));
        }
        let key = (id, self.number(sender));
        let in_progress = || Fault::new(Code::MsgInProgress).with_retry_after(1);
        let before = match self.entries.get(&key) {
            Some(Entry { state: State::Sought, .. }) => return Err(in_progress()),
            Some(entry) if entry.digest != digest => return Err(Fault::new(Code::MsgReplayed)),
            Some(Entry { state: State::Open(_), .. }) => return Err(in_progress()),
            Some(Entry { state: State::Ended(ended), .. }) => *ended,
            // The index does not come after: what was ended cannot be forgotten, and no more of it is taken.
            None if self.ended.len() >= limits::LEDGER_ENDED_MAX => {
                return Err(Fault::new(Code::LogUnavailable).with_retry_after(5));
            }
            None => {
                self.entries.insert(key, Entry { digest, state: State::Sought });
                return Ok(Seen::Nowhere(Inquiry { key, digest }));
            }
        };
        self.again(key, digest, before).map(Seen::Here)
    }

    fn again(&mut self, key: Key, digest: Digest, before: Ended) -> Result<Begin, Fault> {
        match before.outcome {
            Outcome::Settled(place) => Ok(Begin::Replay(place)),
            // Whoever took it back does not want it again: what comes now was sent before.
            Outcome::Refused(Code::MsgCancelled) => Err(Fault::new(Code::MsgCancelled)),
            Outcome::Refused(_) => {
                self.entries.insert(key, Entry { digest, state: State::Open(Some(before)) });
                Ok(Begin::Again)
            }
        }
    }

    /// Goes on with what the log knows, if anything: as [`Ledger::begin`].
    pub fn found(&mut self, inquiry: Inquiry, past: Option<Past>) -> Result<Begin, Fault> {
        let Inquiry { key, digest } = inquiry;
        let meanwhile = self.entries.get(&key).copied().filter(|entry| !matches!(entry.state, State::Sought));
        let Some(entry) = meanwhile else { return self.known_again(key, digest, past) };
        // What was kept has ended while the log was asked.
        match entry.state {
            _ if entry.digest != digest => Err(Fault::new(Code::MsgReplayed)),
            State::Ended(before) => self.again(key, digest, before),
            State::Sought | State::Open(_) => Err(Fault::new(Code::MsgInProgress).with_retry_after(1)),
        }
    }

    fn known_again(&mut self, key: Key, digest: Digest, past: Option<Past>) -> Result<Begin, Fault> {
        match past {
            Some(past) if past.digest != digest => {
                self.entries.remove(&key);
                Err(Fault::new(Code::MsgReplayed))
            }
            Some(Past { outcome: Known::Settled(place), .. }) => {
                self.entries.remove(&key);
                Ok(Begin::Replay(place))
            }
            Some(Past { outcome: Known::Refused(Code::MsgCancelled), .. }) => {
                self.entries.remove(&key);
                Err(Fault::new(Code::MsgCancelled))
            }
            // What is in the log need not be remembered for the case that this leads to nothing.
            past => {
                self.entries.insert(key, Entry { digest, state: State::Open(None) });
                Ok(if past.is_some() { Begin::Again } else { Begin::Fresh })
            }
        }
    }

    /// The log could not be asked.
    pub fn not_found_out(&mut self, inquiry: Inquiry) {
        if let Some(Entry { state: State::Sought, .. }) = self.entries.get(&inquiry.key) {
            self.entries.remove(&inquiry.key);
        }
    }

    /// Remembers the outcome of an exchange, whose record is durable.
    pub fn settle(&mut self, sender: &AgencyId, id: MessageId, digest: Digest, place: OutcomePlace) {
        let key = (id, self.number(sender));
        let ended = Ended { outcome: Outcome::Settled(place), until: place.index.saturating_add(1) };
        self.end(key, digest, ended);
    }

    /// Remembers how a message that was kept has failed. Whatever there is of it in the log is among the first `records`.
    pub fn refuse(&mut self, sender: &AgencyId, id: MessageId, digest: Digest, code: Code, records: u64) {
        let key = (id, self.number(sender));
        let ended = Ended { outcome: Outcome::Refused(code), until: records };
        match self.entries.get_mut(&key) {
            // It has come again just now, and may be about to be told that it is kept.
            Some(Entry { state: State::Open(before), digest: of }) if *of == digest => *before = Some(ended),
            Some(Entry { state: State::Open(_) | State::Ended(Ended { outcome: Outcome::Settled(_), .. }), .. }) => {}
            Some(Entry { state: State::Sought | State::Ended(_), .. }) | None => self.end(key, digest, ended),
        }
    }

    /// Forgets an exchange that was refused before anything came of it, but not that the same message was here before.
    pub fn abandon(&mut self, sender: &AgencyId, id: MessageId) {
        let key = (id, self.number(sender));
        let Some(Entry { state: State::Open(before), digest }) = self.entries.get(&key).copied() else { return };
        match before {
            None => drop(self.entries.remove(&key)),
            Some(before) => self.end(key, digest, before),
        }
    }

    /// Ends an exchange that failed after it was accepted: its state can be asked for, and the same message may come
    /// again. Whatever there is of it in the log is among the first `records`.
    pub fn fail(&mut self, sender: &AgencyId, id: MessageId, code: Code, records: u64) {
        let key = (id, self.number(sender));
        if let Some(Entry { digest, state: State::Open(_) }) = self.entries.get(&key).copied() {
            self.end(key, digest, Ended { outcome: Outcome::Refused(code), until: records });
        }
    }

    fn end(&mut self, key: Key, digest: Digest, ended: Ended) {
        self.entries.insert(key, Entry { digest, state: State::Ended(ended) });
        self.ended.push_back((ended.until, key));
    }

    /// What is known here of a sender's message. What is not may be in the log.
    pub fn look_up(&self, sender: &AgencyId, id: MessageId) -> Option<Known> {
        let number = *self.senders.get(sender)?;
        match self.entries.get(&(id, number))?.state {
            State::Sought => None,
            State::Open(_) => Some(Known::Open),
            State::Ended(Ended { outcome: Outcome::Settled(place), .. }) => Some(Known::Settled(place)),
            State::Ended(Ended { outcome: Outcome::Refused(code), .. }) => Some(Known::Refused(code)),
        }
    }

    /// Forgets what has ended and is among the first `indexed` records, which can be found in the log; a part of it, so that
    /// nobody waits. An exchange that is open is never forgotten.
    pub fn forget(&mut self, indexed: u64) {
        for _ in 0..limits::LEDGER_FORGETS {
            let Some((_, key)) = self.ended.front().copied().filter(|(until, _)| *until <= indexed) else { return };
            self.ended.pop_front();
            // It may have been opened again, and have ended otherwise.
            if let Some(Entry { state: State::Ended(ended), .. }) = self.entries.get(&key)
                && ended.until <= indexed
            {
                self.entries.remove(&key);
            }
        }
    }

    /// How many exchanges are open, or not in the index yet.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn number(&mut self, sender: &AgencyId) -> u32 {
        if let Some(number) = self.senders.get(sender) {
            return *number;
        }
        let number = self.senders.len() as u32;
        self.senders.insert(sender.clone(), number);
        number
    }
}

/// A question on its way to the holder. It can be made only from a permitted question whose record is durable:
///
/// ```compile_fail,E0451
/// // Without the proof of the log nothing is forwarded.
/// fn early(question: &mut oncegate::exchange::admission::Permitted) -> oncegate::exchange::ledger::Forward {
///     oncegate::exchange::ledger::Forward { holder: question.holder(), octets: Vec::new() }
/// }
/// ```
pub struct Forward {
    holder: AgencyIndex,
    octets: Vec<u8>,
}

impl Forward {
    /// The question may go out, since its record is durable. It takes the octets: they go out once, and nobody keeps them for
    /// as long as the holder takes to answer.
    pub fn new(question: &mut Permitted, _recorded: &Logged) -> Self {
        Self { holder: question.holder(), octets: question.take_octets() }
    }

    /// Who is asked.
    pub fn holder(&self) -> AgencyIndex {
        self.holder
    }

    /// What is sent: the octets that were verified.
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }
}

/// An answer on its way to the consumer, whose record is durable.
pub struct Release {
    octets: Vec<u8>,
    logged: Logged,
}

impl Release {
    /// The answer may be released: its record is durable.
    pub fn new(answer: Answer, recorded: Logged) -> Self {
        Self { octets: answer.into_octets(), logged: recorded }
    }

    /// An answer that was released before, read back from the record it was kept with.
    pub fn again(octets: Vec<u8>, recorded: Logged) -> Self {
        Self { octets, logged: recorded }
    }

    /// The record that it stands on.
    pub fn logged(&self) -> Logged {
        self.logged
    }

    /// What is sent: the octets that were verified.
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Code as Word, Identifier};
    use crate::exchange::admission::{Peer, Snapshot, authenticate, permit};
    use crate::message::crypto::PrivateKey;
    use crate::message::envelope::{Ask, Body, Context, Header, Kind, Message, World, write};
    use crate::message::pki;
    use crate::message::schema::Schemas;
    use crate::message::sig;
    use crate::rules::registry::Registry;

    const NOW: UnixTime = UnixTime::from_ms(1_800_000_000_000);

    fn agency(name: &str) -> AgencyId {
        AgencyId::parse(name).expect("an agency")
    }

    fn id(time: UnixTime) -> MessageId {
        MessageId::new(time, [1; 10])
    }

    const DIGEST: Digest = Digest::from_octets([1; 32]);
    const PLACE: OutcomePlace = OutcomePlace { index: 5, segment: 1, offset: 2 };

    /// Begins where the log knows nothing of the message, or this.
    fn begin_with(
        ledger: &mut Ledger,
        past: Option<Past>,
        sender: &AgencyId,
        id: MessageId,
        digest: Digest,
    ) -> Result<Begin, Fault> {
        match ledger.begin(NOW, sender, id, digest)? {
            Seen::Here(begun) => Ok(begun),
            Seen::Nowhere(inquiry) => ledger.found(inquiry, past),
        }
    }

    fn begin(ledger: &mut Ledger, sender: &AgencyId, id: MessageId, digest: Digest) -> Result<Begin, Fault> {
        begin_with(ledger, None, sender, id, digest)
    }

    const OTHER: Digest = Digest::from_octets([2; 32]);

    #[test]
    fn replays_are_answered_from_the_ledger_and_changes_refused() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        let wait = Err((Code::MsgInProgress, Some(1)));
        let again = begin(&mut ledger, &school, id(NOW), DIGEST);
        assert_eq!(again.map_err(|f| (f.code, f.retry_after_seconds)), wait);
        ledger.settle(&school, id(NOW), DIGEST, PLACE);
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Replay(PLACE)));
        assert_eq!(begin(&mut ledger, &school, id(NOW), OTHER).map_err(|f| f.code), Err(Code::MsgReplayed));
        assert_eq!(begin(&mut ledger, &agency("xx.clinic"), id(NOW), OTHER), Ok(Begin::Fresh));
    }

    #[test]
    fn the_window_bounds_the_ledger() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        let edge = NOW.minus_ms(limits::IDEMPOTENCY_WINDOW_MS);
        assert_eq!(begin(&mut ledger, &school, id(edge), DIGEST), Ok(Begin::Fresh));
        let early = begin(&mut ledger, &school, id(edge.minus_ms(1)), DIGEST);
        assert_eq!(early.map_err(|f| f.code), Err(Code::MsgStaleId));
    }

    #[test]
    fn what_ended_is_forgotten_when_the_log_can_be_asked_and_not_before() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        let failed = id(NOW.plus_ms(1));
        ledger.settle(&school, id(NOW), DIGEST, PLACE);
        assert_eq!(begin(&mut ledger, &school, failed, DIGEST), Ok(Begin::Fresh));
        ledger.fail(&school, failed, Code::RteBadAnswer, 8);
        ledger.forget(PLACE.index);
        assert_eq!((ledger.len(), ledger.look_up(&school, id(NOW))), (2, Some(Known::Settled(PLACE))));
        ledger.forget(PLACE.index + 1);
        assert_eq!((ledger.len(), ledger.look_up(&school, id(NOW))), (1, None));
        ledger.forget(7);
        assert_eq!(ledger.look_up(&school, failed), Some(Known::Refused(Code::RteBadAnswer)));
        ledger.forget(8);
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_came_again_is_not_forgotten_for_what_it_was_before() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        ledger.fail(&school, id(NOW), Code::RteBadAnswer, 5);
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Again));
        ledger.forget(5);
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Open));
        ledger.settle(&school, id(NOW), DIGEST, PLACE);
        ledger.forget(5);
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Settled(PLACE)));
        ledger.forget(PLACE.index + 1);
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_the_log_knows_counts_as_what_the_ledger_knows() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        let settled = Some(Past { digest: DIGEST, outcome: Known::Settled(PLACE) });
        let refused = Some(Past { digest: DIGEST, outcome: Known::Refused(Code::RteBadAnswer) });
        for past in [settled, refused] {
            let changed = begin_with(&mut ledger, past, &school, id(NOW), OTHER);
            assert_eq!(changed.map_err(|f| f.code), Err(Code::MsgReplayed));
            assert!(ledger.is_empty());
        }
        assert_eq!(begin_with(&mut ledger, settled, &school, id(NOW), DIGEST), Ok(Begin::Replay(PLACE)));
        assert!(ledger.is_empty());
        assert_eq!(begin_with(&mut ledger, refused, &school, id(NOW), DIGEST), Ok(Begin::Again));
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Open));
        ledger.abandon(&school, id(NOW));
        assert_eq!(begin_with(&mut ledger, refused, &school, id(NOW), OTHER).map_err(|f| f.code), Err(Code::MsgReplayed));
    }

    #[test]
    fn while_the_log_is_asked_nobody_comes_in_with_the_same_id() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        let Ok(Seen::Nowhere(inquiry)) = ledger.begin(NOW, &school, id(NOW), DIGEST) else { panic!("nothing is known") };
        for digest in [DIGEST, OTHER] {
            // Whose message was here before is not known yet: it is not said of either that it was changed.
            assert_eq!(ledger.begin(NOW, &school, id(NOW), digest).map_err(|f| f.code), Err(Code::MsgInProgress));
        }
        assert_eq!(ledger.look_up(&school, id(NOW)), None);
        ledger.not_found_out(inquiry);
        assert!(ledger.is_empty());
        assert_eq!(begin(&mut ledger, &school, id(NOW), OTHER), Ok(Begin::Fresh));
    }

    #[test]
    fn so_many_outcomes_wait_for_the_index_and_no_more() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        for number in 0..limits::LEDGER_ENDED_MAX as u64 {
            ledger.settle(&school, id(NOW.minus_ms(number)), DIGEST, OutcomePlace { index: number, ..PLACE });
        }
        let (fresh, known) = (id(NOW.plus_ms(1)), id(NOW));
        assert_eq!(begin(&mut ledger, &school, fresh, DIGEST).map_err(|f| f.code), Err(Code::LogUnavailable));
        assert!(matches!(begin(&mut ledger, &school, known, DIGEST), Ok(Begin::Replay(_))), "what is known is answered");
        ledger.forget(1);
        assert_eq!(begin(&mut ledger, &school, fresh, DIGEST), Ok(Begin::Fresh));
    }

    #[test]
    fn what_was_kept_is_remembered_when_it_fails_also_where_it_has_just_come_again() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        let (key, code) = (id(NOW), Code::RteDeadline);
        let refused = Some(Known::Refused(code));
        ledger.refuse(&school, key, DIGEST, code, 9);
        assert_eq!(ledger.look_up(&school, key), refused);
        assert_eq!(begin(&mut ledger, &school, key, DIGEST), Ok(Begin::Again));
        ledger.abandon(&school, key);
        assert_eq!(ledger.look_up(&school, key), refused, "it came again and was not taken");
        // While it is told that it is kept, or another is told that the id is taken.
        for (digest, expected) in [(DIGEST, refused), (OTHER, None)] {
            let mut ledger = Ledger::new();
            assert_eq!(begin(&mut ledger, &school, key, digest), Ok(Begin::Fresh));
            ledger.refuse(&school, key, DIGEST, code, 9);
            assert_eq!(ledger.look_up(&school, key), Some(Known::Open));
            ledger.abandon(&school, key);
            assert_eq!(ledger.look_up(&school, key), expected);
        }
        ledger.settle(&school, key, DIGEST, PLACE);
        ledger.refuse(&school, key, DIGEST, code, 9);
        assert_eq!(ledger.look_up(&school, key), Some(Known::Settled(PLACE)), "an answer stays");
    }

    #[test]
    fn what_was_cancelled_stays_cancelled() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        let cancelled = Some(Past { digest: DIGEST, outcome: Known::Refused(Code::MsgCancelled) });
        let again = begin_with(&mut ledger, cancelled, &school, id(NOW), DIGEST).map_err(|fault| fault.code);
        assert_eq!(again, Err(Code::MsgCancelled), "by the log");
        assert!(ledger.is_empty());
        ledger.refuse(&school, id(NOW), DIGEST, Code::MsgCancelled, 9);
        let again = begin(&mut ledger, &school, id(NOW), DIGEST).map_err(|fault| fault.code);
        assert_eq!(again, Err(Code::MsgCancelled), "a copy that was on its way for long");
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Refused(Code::MsgCancelled)));
    }

    #[test]
    fn what_ends_while_the_log_is_asked_is_not_begun_again() {
        let school = agency("xx.school");
        let asked = |digest| {
            let mut ledger = Ledger::new();
            let Ok(Seen::Nowhere(inquiry)) = ledger.begin(NOW, &school, id(NOW), digest) else { panic!("nothing is known") };
            (ledger, inquiry)
        };
        let (mut ledger, inquiry) = asked(DIGEST);
        ledger.settle(&school, id(NOW), DIGEST, PLACE);
        assert_eq!(ledger.found(inquiry, None), Ok(Begin::Replay(PLACE)));
        let (mut ledger, inquiry) = asked(OTHER);
        ledger.settle(&school, id(NOW), DIGEST, PLACE);
        assert_eq!(ledger.found(inquiry, None).map_err(|fault| fault.code), Err(Code::MsgReplayed));
        let (mut ledger, inquiry) = asked(DIGEST);
        ledger.refuse(&school, id(NOW), DIGEST, Code::RteDeadline, 9);
        assert_eq!(ledger.found(inquiry, None), Ok(Begin::Again));
        ledger.abandon(&school, id(NOW));
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Refused(Code::RteDeadline)));
        let (mut ledger, inquiry) = asked(DIGEST);
        ledger.settle(&school, id(NOW), DIGEST, PLACE);
        ledger.not_found_out(inquiry);
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Settled(PLACE)));
    }

    #[test]
    fn what_was_abandoned_may_come_again() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        ledger.abandon(&school, id(NOW));
        assert_eq!(ledger.look_up(&school, id(NOW)), None);
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
    }

    #[test]
    fn what_failed_is_known_and_may_come_again_unchanged() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        ledger.fail(&school, id(NOW), Code::RteBadAnswer, 9);
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Refused(Code::RteBadAnswer)));
        assert_eq!(begin(&mut ledger, &school, id(NOW), OTHER).map_err(|f| f.code), Err(Code::MsgReplayed));
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Again));
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Open));
    }

    #[test]
    fn what_failed_and_was_turned_away_when_it_came_again_is_still_known() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        ledger.fail(&school, id(NOW), Code::RteBadAnswer, 9);
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Again));
        ledger.abandon(&school, id(NOW));
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Refused(Code::RteBadAnswer)));
        assert_eq!(begin(&mut ledger, &school, id(NOW), OTHER).map_err(|f| f.code), Err(Code::MsgReplayed));
        ledger.forget(9);
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_was_settled_stays_settled() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        ledger.settle(&school, id(NOW), DIGEST, PLACE);
        ledger.abandon(&school, id(NOW));
        ledger.fail(&school, id(NOW), Code::RteBadAnswer, 9);
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Settled(PLACE)));
        assert_eq!(begin(&mut ledger, &school, id(NOW), DIGEST), Ok(Begin::Replay(PLACE)));
    }

    #[test]
    fn each_sender_has_ids_of_its_own() {
        let (mut ledger, names) = (Ledger::new(), ["xx.school", "xx.clinic", "xx.fund"].map(agency));
        assert!(ledger.is_empty());
        for (number, sender) in (0..).zip(&names) {
            assert_eq!(ledger.look_up(sender, id(NOW)), None);
            ledger.settle(sender, id(NOW), DIGEST, OutcomePlace { index: number, ..PLACE });
            assert_eq!((ledger.len(), ledger.is_empty()), (number as usize + 1, false));
        }
        for (number, sender) in (0..).zip(&names) {
            assert_eq!(ledger.look_up(sender, id(NOW)), Some(Known::Settled(OutcomePlace { index: number, ..PLACE })));
            assert_eq!(ledger.look_up(sender, id(NOW.plus_ms(1))), None);
        }
    }

    #[test]
    fn an_open_exchange_is_never_forgotten() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        let (open, settled) = (id(NOW), id(NOW.plus_ms(1)));
        assert_eq!(begin(&mut ledger, &school, open, DIGEST), Ok(Begin::Fresh));
        ledger.settle(&school, settled, DIGEST, PLACE);
        ledger.forget(u64::MAX);
        assert_eq!((ledger.look_up(&school, open), ledger.look_up(&school, settled)), (Some(Known::Open), None));
    }

    /// A self-signed certificate of `xx.school` for the Ed25519 key with the seed of 32 sevens, valid from November 2026
    /// to November 2036; made with openssl by the profile in `certs/signing.cnf`.
    const CERTIFICATE: &str = "MIIBPzCB8qADAgECAgEBMAUGAytlcDAUMRIwEAYDVQQDDAl4eC5zY2hvb2wwHhcNMjYxMTIzMDQwODM1WhcNMzYxMTIw\
        MDQwODM1WjAUMRIwEAYDVQQDDAl4eC5zY2hvb2wwKjAFBgMrZXADIQDqSmxj4pxSCr71UHsTLsX5lUd2rr6+e5JCHuppFEbSLKNpMGcwDAYDVR0TAQH/\
        BAIwADAOBgNVHQ8BAf8EBAMCB4AwKAYDVR0RBCEwH4YddXJuOm9uY2VnYXRlOmFnZW5jeTp4eC5zY2hvb2wwHQYDVR0OBBYEFExezkAjoDQe4qz/zE0X\
        FUqFTwLlMAUGAytlcANBAD3QzT24zJSCtxD1rPlM9Udldc5qA6UEdOfEHOQamrC5ElWxFTKvsVSGEymEQRXhtxXzI8FWRxUZoxH3E3abSQ0=";

    fn registry(schemas: &Schemas) -> Registry {
        let zeros = "0".repeat(64);
        let text = format!(
            "format = 1\nversion = 1\n\
             [[agency]]\nid = \"xx.school\"\nname = \"S\"\n\
             [[agency.key]]\ncertificate = \"{CERTIFICATE}\"\n[[agency.system]]\ncertificate_sha256 = \"{zeros}\"\n\
             [[agency]]\nid = \"xx.clinic\"\nname = \"C\"\nurl = \"https://c/\"\n\
             [[holder]]\ndocument = \"medical-absence-note\"\nagency = \"xx.clinic\"\n\
             [[grant]]\nid = \"g\"\nwho = \"xx.school\"\nwhat = \"medical-absence-note\"\npurpose = \"p\"\nbasis = \"L 1\"\n\
             until = \"2030-12-31\"\n"
        );
        Registry::check(&text, schemas).expect("a registry")
    }

    /// A request of the school, signed.
    fn request() -> Vec<u8> {
        let header = Header {
            id: id(NOW),
            in_reply_to: None,
            kind: Kind::Request,
            from: agency("xx.school"),
            to: None,
            created_at: NOW,
            expires_at: NOW.plus_ms(60_000),
            world: World::Live,
            signer_certificate: None,
        };
        let code = |text| Word::parse(text).expect("a code");
        let context = Context::new(code("p"), "L 1", vec![Identifier::synthetic(1)].into());
        let ask = Ask { document_type: code("medical-absence-note"), of: None, select: Vec::new(), during: None };
        let message = Message { header, context: Some(context), body: Body::Ask(ask), attachments: Vec::new() };
        let key = PrivateKey::from_seed(&[7; 32]).expect("a seed");
        let certificate = pki::decode(CERTIFICATE).expect("base64");
        sig::sign(write(&message, "").as_bytes(), &key, Some(&certificate)).expect("signed")
    }

    #[test]
    fn what_goes_out_are_the_octets_that_came_in() {
        let schemas = Schemas::built_in();
        let registry = registry(&schemas);
        let (snapshot, octets) = (Snapshot { now: NOW, registry: &registry, schemas: &schemas }, request());
        let peer = Peer::identify(&registry, &Digest::from_octets([0; 32])).expect("its system");
        let message = authenticate(snapshot, &peer, octets.clone()).unwrap_or_else(|refusal| panic!("{}", refusal.fault));
        let mut question = permit(snapshot, message).unwrap_or_else(|refusal| panic!("{}", refusal.fault));
        let forward = Forward::new(&mut question, &Logged::of_test(3));
        assert_eq!(Some(forward.holder()), registry.find(&agency("xx.clinic")));
        assert_eq!(forward.into_octets(), octets);
        assert_eq!((question.octets().len(), question.length()), (0, octets.len() as u64), "they are sent once");
        let release = Release::again(octets.clone(), Logged::of_test(4));
        assert_eq!(release.logged(), Logged::of_test(4));
        assert_eq!(release.into_octets(), octets);
    }
}
