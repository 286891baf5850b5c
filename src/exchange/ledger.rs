//! The order of an exchange: idempotency, what must be recorded before what, and what is remembered.
//!
//! The ledger is the memory of message ids: deterministic, single-threaded, without clock or disk. It answers one
//! question, "was this message here before, and what came of it?", for the window in which an id is accepted at all; the
//! journal holds the same facts durably and fills the ledger at start.

use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::Logged;
use crate::exchange::admission::{Answer, Permitted};
use crate::rules::registry::AgencyIndex;
use std::collections::BTreeMap;

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
    /// With what became of it when it was here before.
    Open(Option<Code>),
    Settled(OutcomePlace),
    Refused(Code),
}

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
    entries: BTreeMap<(MessageId, u32), Entry>,
    senders: BTreeMap<AgencyId, u32>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an exchange, or says what became of the same message before.
    pub fn begin(&mut self, now: UnixTime, sender: &AgencyId, id: MessageId, digest: Digest) -> Result<Begin, Fault> {
        if id.time().plus_ms(limits::IDEMPOTENCY_WINDOW_MS) < now {
            return Err(Fault::at(Code::MsgStaleId, "the id is older than 48 hours"));
        }
        let key = (id, self.number(sender));
        match self.entries.get(&key) {
            Some(entry) if entry.digest != digest => Err(Fault::new(Code::MsgReplayed)),
            Some(Entry { state: State::Open(_), .. }) => Err(Fault::new(Code::MsgInProgress).with_retry_after(1)),
            Some(Entry { state: State::Settled(place), .. }) => Ok(Begin::Replay(*place)),
            // Whoever took it back does not want it again: what comes now was sent before.
            Some(Entry { state: State::Refused(Code::MsgCancelled), .. }) => Err(Fault::new(Code::MsgCancelled)),
            Some(Entry { state: State::Refused(code), .. }) => {
                let state = State::Open(Some(*code));
                self.entries.insert(key, Entry { digest, state });
                Ok(Begin::Again)
            }
            None => {
                self.entries.insert(key, Entry { digest, state: State::Open(None) });
                Ok(Begin::Fresh)
            }
        }
    }

    /// Remembers the outcome of an exchange, whose record is durable.
    pub fn settle(&mut self, sender: &AgencyId, id: MessageId, digest: Digest, place: OutcomePlace) {
        let key = (id, self.number(sender));
        self.entries.insert(key, Entry { digest, state: State::Settled(place) });
    }

    /// Remembers a message that was permitted by another run of this program, of which nothing more is known: it may come again,
    /// and no other with its id.
    pub fn remember(&mut self, sender: &AgencyId, id: MessageId, digest: Digest) {
        let key = (id, self.number(sender));
        self.entries.entry(key).or_insert(Entry { digest, state: State::Refused(Code::HttpBusy) });
    }

    /// Such a message is kept, and gone on with.
    pub fn go_on(&mut self, sender: &AgencyId, id: MessageId) {
        let key = (id, self.number(sender));
        if let Some(Entry { state: state @ State::Refused(_), .. }) = self.entries.get_mut(&key) {
            *state = State::Open(None);
        }
    }

    /// Remembers how such a message failed.
    pub fn remember_failure(&mut self, sender: &AgencyId, id: MessageId, code: Code) {
        let key = (id, self.number(sender));
        if let Some(Entry { state: state @ State::Refused(_), .. }) = self.entries.get_mut(&key) {
            *state = State::Refused(code);
        }
    }

    /// Forgets an exchange that was refused before anything came of it, but not that the same message was here before.
    pub fn abandon(&mut self, sender: &AgencyId, id: MessageId) {
        let key = (id, self.number(sender));
        match self.entries.get_mut(&key) {
            Some(Entry { state: State::Open(None), .. }) => drop(self.entries.remove(&key)),
            Some(Entry { state, .. }) => {
                if let State::Open(Some(code)) = *state {
                    *state = State::Refused(code);
                }
            }
            None => {}
        }
    }

    /// Ends an exchange that failed after it was accepted: its state can be asked for, and the same message may come
    /// again.
    pub fn fail(&mut self, sender: &AgencyId, id: MessageId, code: Code) {
        let key = (id, self.number(sender));
        if let Some(entry @ Entry { state: State::Open(_), .. }) = self.entries.get_mut(&key) {
            entry.state = State::Refused(code);
        }
    }

    /// What is known of a sender's message.
    pub fn look_up(&self, sender: &AgencyId, id: MessageId) -> Option<Known> {
        let number = *self.senders.get(sender)?;
        self.entries.get(&(id, number)).map(|entry| match entry.state {
            State::Open(_) => Known::Open,
            State::Settled(place) => Known::Settled(place),
            State::Refused(code) => Known::Refused(code),
        })
    }

    /// Forgets the ids that would be refused as too old anyway; ids are in the order of their time.
    pub fn evict(&mut self, now: UnixTime) {
        let oldest = now.minus_ms(limits::IDEMPOTENCY_WINDOW_MS + limits::CLOCK_SKEW_MS);
        let kept = self.entries.split_off(&(MessageId::new(oldest, [0; 10]), 0));
        let evicted = std::mem::replace(&mut self.entries, kept);
        // An exchange that is still open is never forgotten.
        self.entries.extend(evicted.into_iter().filter(|(_, entry)| matches!(entry.state, State::Open(_))));
    }

    /// How many ids are remembered.
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

    #[test]
    fn replays_are_answered_from_the_ledger_and_changes_refused() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        let wait = Err((Code::MsgInProgress, Some(1)));
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST).map_err(|f| (f.code, f.retry_after_seconds)), wait);
        ledger.settle(&school, id(NOW), DIGEST, PLACE);
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Replay(PLACE)));
        let other = Digest::from_octets([2; 32]);
        assert_eq!(ledger.begin(NOW, &school, id(NOW), other).map_err(|f| f.code), Err(Code::MsgReplayed));
        assert_eq!(ledger.begin(NOW, &agency("xx.clinic"), id(NOW), other), Ok(Begin::Fresh));
    }

    #[test]
    fn the_window_bounds_the_ledger() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        let edge = NOW.minus_ms(limits::IDEMPOTENCY_WINDOW_MS);
        assert_eq!(ledger.begin(NOW, &school, id(edge), DIGEST), Ok(Begin::Fresh));
        assert_eq!(ledger.begin(NOW, &school, id(edge.minus_ms(1)), DIGEST).map_err(|f| f.code), Err(Code::MsgStaleId));
        ledger.settle(&school, id(edge), DIGEST, PLACE);
        ledger.evict(NOW.plus_ms(limits::CLOCK_SKEW_MS));
        assert_eq!(ledger.len(), 1);
        ledger.evict(NOW.plus_ms(limits::CLOCK_SKEW_MS + 1));
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_was_abandoned_may_come_again() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        ledger.abandon(&school, id(NOW));
        assert_eq!(ledger.look_up(&school, id(NOW)), None);
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
    }

    #[test]
    fn what_failed_is_known_and_may_come_again_unchanged() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        ledger.fail(&school, id(NOW), Code::RteBadAnswer);
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Refused(Code::RteBadAnswer)));
        let other = Digest::from_octets([2; 32]);
        assert_eq!(ledger.begin(NOW, &school, id(NOW), other).map_err(|f| f.code), Err(Code::MsgReplayed));
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Again));
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Open));
    }

    #[test]
    fn what_failed_and_was_turned_away_when_it_came_again_is_still_known() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        ledger.fail(&school, id(NOW), Code::RteBadAnswer);
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Again));
        ledger.abandon(&school, id(NOW));
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Refused(Code::RteBadAnswer)));
        let other = Digest::from_octets([2; 32]);
        assert_eq!(ledger.begin(NOW, &school, id(NOW), other).map_err(|f| f.code), Err(Code::MsgReplayed));
    }

    #[test]
    fn what_was_cancelled_stays_cancelled() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        ledger.remember(&school, id(NOW), DIGEST);
        ledger.remember_failure(&school, id(NOW), Code::MsgCancelled);
        let again = ledger.begin(NOW, &school, id(NOW), DIGEST).map_err(|fault| fault.code);
        assert_eq!(again, Err(Code::MsgCancelled), "a copy that was on its way for long");
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Refused(Code::MsgCancelled)));
    }

    #[test]
    fn what_was_settled_stays_settled() {
        let (mut ledger, school) = (Ledger::new(), agency("xx.school"));
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Fresh));
        ledger.settle(&school, id(NOW), DIGEST, PLACE);
        ledger.abandon(&school, id(NOW));
        ledger.fail(&school, id(NOW), Code::RteBadAnswer);
        assert_eq!(ledger.look_up(&school, id(NOW)), Some(Known::Settled(PLACE)));
        assert_eq!(ledger.begin(NOW, &school, id(NOW), DIGEST), Ok(Begin::Replay(PLACE)));
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
        assert_eq!(ledger.begin(NOW, &school, open, DIGEST), Ok(Begin::Fresh));
        ledger.settle(&school, settled, DIGEST, PLACE);
        ledger.evict(NOW.plus_ms(10 * limits::IDEMPOTENCY_WINDOW_MS));
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
