//! Reading the log: whoever looks for a person is recorded before anything is shown, and citizens see who has asked
//! about them.

use super::{Gateway, Refused, Visit, World, log_unavailable, now};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Digest, Identifier, MessageId, Uuid};
use crate::base::limits;
use crate::base::time::{Day, UnixTime};
use crate::evidence::audit::Filter;
use crate::evidence::audit::decisions::{DECISION, Measure};
use crate::evidence::journal::Entry;
use crate::evidence::tlog::leaf::Leaf;
use crate::evidence::tlog::{Logged, Private, Record, RecordKind};
use crate::exchange::admission::{Authenticated, Peer, Refusal, authenticate, check_times};
use crate::exchange::cases;
use crate::exchange::ledger::Begin;
use crate::host::config::Attempts;
use crate::host::store::{Page, Store, StoreError};
use crate::message::envelope::{Body, Context, Kind, World as MessageWorld};
use crate::rules::registry::{Agency, Role};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The document type and the purpose of a request for a trail.
pub const TRAIL: (&str, &str) = ("access-trail", "citizen-trail");

/// The personal part of a record, as it was sealed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Opened {
    /// The fields that were asked for.
    #[serde(rename = "f")]
    pub fields: Vec<String>,
    /// The document that a refused request asked for.
    #[serde(rename = "d")]
    pub document: Option<String>,
    /// Its purpose.
    #[serde(rename = "p")]
    pub purpose: Option<String>,
    /// Where and why something was refused.
    #[serde(rename = "e")]
    pub cause: Option<String>,
    #[serde(rename = "i")]
    identifiers: Vec<String>,
    #[serde(rename = "o")]
    official: Vec<String>,
    /// The official's role.
    #[serde(rename = "r")]
    pub role: Option<String>,
    /// The reason given.
    #[serde(rename = "w")]
    pub reason: Option<String>,
    /// Changes of a case.
    #[serde(rename = "x")]
    pub changes: Option<String>,
}

impl Opened {
    /// Whom it is about.
    pub fn identifiers(&self) -> Vec<Identifier> {
        pairs(&self.identifiers)
    }

    /// The official who asked.
    pub fn official(&self) -> Option<Identifier> {
        pairs(&self.official).pop()
    }
}

fn pairs(texts: &[String]) -> Vec<Identifier> {
    texts.as_chunks::<2>().0.iter().filter_map(|[scheme, value]| Identifier::parse(scheme, value).ok()).collect()
}

/// What a record keeps beside its leaf, as it was sealed, and read. Nothing if it has nothing or it was erased.
pub fn opened(store: &Store, index: u64) -> Result<Option<(String, Opened)>, StoreError> {
    let text = match store.private(index) {
        Ok(octets) => String::from_utf8(octets).unwrap_or_default(),
        Err(StoreError::Forgotten) => String::new(),
        Err(cause) => return Err(cause),
    };
    Ok(serde_json::from_str(&text).ok().map(|read| (text, read)))
}

/// A trail that may be shown: the request for it was checked, and is recorded.
pub struct Granted {
    /// The request's id.
    pub id: MessageId,
    /// The record of the request.
    pub logged: Logged,
    /// Whose trail it is.
    pub subject: Vec<Identifier>,
}

/// One access to a person's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its record.
    pub index: u64,
    /// The leaf.
    pub leaf: Leaf,
    /// The official's role.
    pub role: Option<String>,
    /// The fields that were asked for; all that the grant gives if none are named.
    pub fields: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The record of that.
    pub ended: Option<u64>,
}

/// How an access ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer was given.
    Answered,
    /// None was, for a reason that has a code.
    Refused(String),
    /// There is no answer yet.
    Open,
    /// Somebody looked into the log.
    Read(String),
}

/// A page of a trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The accesses, newest first.
    pub accesses: Vec<Access>,
    /// How many are withheld until which day.
    pub withheld: BTreeMap<Day, u64>,
    /// Where to go on: below this index.
    pub next: Option<u64>,
}

/// The purpose of records of complaints.
pub const COMPLAINT: &str = "complaint";

/// What is said of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complained {
    /// A citizen complains about the access on record there.
    About(u64),
    /// The complaint on record there is answered.
    Answer(u64),
}

/// Somebody at the console: not a system of an agency, but a person.
#[derive(Clone, Copy, Debug)]
pub struct Onlooker<'o> {
    /// For which agency.
    pub agency: Option<&'o AgencyId>,
    /// The client certificate, if they came by one.
    pub system: Option<Digest>,
    /// Who: it is sealed, with the reason.
    pub name: &'o str,
    /// The world of what they look at.
    pub world: MessageWorld,
}

impl Gateway {
    /// Records that somebody at the console reads what must not be read unseen; nothing of it may be shown before this has returned.
    pub async fn record_look(
        &self,
        world: &World,
        onlooker: &Onlooker<'_>,
        action: &str,
        private: Private,
        concerns: Option<u64>,
    ) -> Result<Logged, Fault> {
        let random = crate::message::crypto::random().map_err(|_| log_unavailable(&StoreError::NoRandomness))?;
        let mut record = Record::new(RecordKind::Audit, now());
        record.action = Word::parse(action);
        record.consumer = onlooker.agency.cloned();
        record.system = onlooker.system;
        record.registry_version = world.registry.version();
        record.world = onlooker.world;
        record.message = Some(MessageId::new(record.time, random));
        record.concerns = concerns;
        let reason = private.reason.map(|reason| format!("{reason} ({})", onlooker.name));
        self.append_reading(record, Private { reason, ..private }).await
    }

    /// Records a citizen's complaint about an access, or the answer to one: both are found by whom they are about.
    pub async fn record_complaint(
        &self,
        what: Complained,
        case: Option<Uuid>,
        private: Private,
        by: &Onlooker<'_>,
    ) -> Result<Logged, Fault> {
        let random = crate::message::crypto::random().map_err(|_| log_unavailable(&StoreError::NoRandomness))?;
        let mut record = Record::new(RecordKind::Administration, now());
        let (action, of) = match what {
            Complained::About(index) => ("complaint", index),
            Complained::Answer(index) => ("complaint-answer", index),
        };
        (record.action, record.concerns) = (Word::parse(action), Some(of));
        record.purpose = Word::parse(COMPLAINT);
        // As with readings: the tag by which the person finds it is of an id.
        record.message = Some(MessageId::new(record.time, random));
        record.case = case;
        (record.consumer, record.system, record.world) = (by.agency.cloned(), by.system, by.world);
        record.registry_version = self.world().registry.version();
        self.append_reading(record, private).await
    }

    /// Records what somebody at the console did, perhaps to a case, and what they said to it.
    pub async fn record_doing(
        &self,
        onlooker: &Onlooker<'_>,
        action: &str,
        case: Option<Uuid>,
        said: Option<&str>,
    ) -> Result<Logged, Fault> {
        let mut record = Record::new(RecordKind::Administration, now());
        record.action = Word::parse(action);
        record.consumer = onlooker.agency.cloned();
        record.system = onlooker.system;
        record.world = onlooker.world;
        record.registry_version = self.world().registry.version();
        record.case = case;
        let said = said.map_or_else(|| onlooker.name.to_owned(), |said| format!("{said} ({})", onlooker.name));
        let private = Private { reason: Some(said), ..Private::default() };
        self.append_reading(record, private).await
    }

    /// Records that somebody reads what must not be read unseen; nothing of it may be shown before this has returned.
    pub async fn record_reading(
        &self,
        world: &World,
        peer: &Peer,
        action: &str,
        private: Private,
        concerns: Option<u64>,
    ) -> Result<Logged, Fault> {
        let random = crate::message::crypto::random().map_err(|_| log_unavailable(&StoreError::NoRandomness))?;
        let mut record = reading(world, peer, action);
        // An id, so that there is a tag by which the person finds it.
        record.message = Some(MessageId::new(record.time, random));
        record.concerns = concerns;
        self.append_reading(record, private).await
    }

    pub(super) async fn append_reading(&self, record: Record, private: Private) -> Result<Logged, Fault> {
        self.telemetry.close(&record, None);
        let committed = self.keep(Entry { record, private, body: None }).await;
        committed.map(|committed| committed.logged).map_err(|cause| log_unavailable(&cause))
    }

    /// Checks a portal's signed request for a citizen's trail, and records it.
    pub async fn grant_trail(&self, visit: &Visit, octets: Vec<u8>) -> Result<Granted, Refused> {
        let (system, length) = (visit.peer.system(), octets.len() as u64);
        match self.take_trail(visit, octets).await {
            Ok(granted) => Ok(granted),
            Err(refusal) => {
                if refusal.fault.code.as_str().starts_with("OG-SIG") {
                    visit.world.quotas.charge(visit.peer.agency(), 9);
                }
                Err(self.refuse(&system, length, refusal).await)
            }
        }
    }

    async fn take_trail(&self, visit: &Visit, octets: Vec<u8>) -> Result<Granted, Refusal> {
        let length = octets.len() as u64;
        let agency = visit.world.registry.agency(visit.peer.agency());
        let agency = agency.filter(|agency| agency.roles.contains(&Role::Portal));
        let agency = agency.ok_or_else(|| Refusal::new(Fault::new(Code::AudRole)))?;
        let snapshot = self.snapshot(&visit.world);
        let octets = self.seal.at_the_door(&visit.world.registry, visit.peer.agency(), octets).map_err(Refusal::new)?;
        let request = authenticate(snapshot, &visit.peer, octets)?;
        visit.world.quotas.charge(visit.peer.agency(), request.price().saturating_sub(1));
        let header = &request.message().header;
        let digest = Some(request.digest());
        let refuse = |fault| Refusal::of(fault, request.message(), request.digest());
        // Nobody carries it for the portal: what is shown is for its eyes.
        if request.sender() != visit.peer.agency() {
            return Err(refuse(Fault::new(Code::SigSender)));
        }
        let context = asked_for(&request, agency).map_err(refuse)?;
        check_times(request.message(), snapshot.now).map_err(refuse)?;
        self.begin_reading(&agency.id, header.id, request.digest(), snapshot.now).map_err(refuse)?;
        let mut record = reading(&visit.world, &visit.peer, "trail");
        (record.message, record.digest) = (Some(header.id), digest);
        (record.purpose, record.document_type, record.case) = (Some(context.purpose.clone()), Word::parse(TRAIL.0), context.case);
        record.octets = length;
        let private = Private {
            subject: context.subject.clone(),
            official: context.official.as_ref().map(|official| official.identifier.clone()),
            role: context.official.as_ref().map(|official| official.role.clone()),
            ..Private::default()
        };
        let logged = self.append_reading(record, private).await.map_err(refuse)?;
        Ok(Granted { id: header.id, logged, subject: context.subject.identifiers.clone() })
    }
}

impl Gateway {
    /// The id must be of now and of no other message. The same request may come again: it is recorded again, and sees what
    /// came since; so nothing of it is remembered.
    fn begin_reading(&self, agency: &AgencyId, id: MessageId, digest: Digest, now: UnixTime) -> Result<(), Fault> {
        let begun = self.begin(now, agency, id, digest)?;
        self.ledger().abandon(agency, id);
        if matches!(begun, Begin::Replay(_)) { Err(Fault::new(Code::MsgReplayed)) } else { Ok(()) }
    }
}

fn reading(world: &World, peer: &Peer, action: &str) -> Record {
    let agency = world.registry.agency(peer.agency());
    let mut record = Record::new(RecordKind::Audit, now());
    record.action = Word::parse(action);
    record.consumer = agency.map(|agency| agency.id.clone());
    record.system = Some(peer.system());
    record.registry_version = world.registry.version();
    record.world = agency.map_or(crate::message::envelope::World::Live, |agency| agency.world);
    record
}

/// Whether a message asks for a trail, and for whose.
fn asked_for<'r>(request: &'r Authenticated, agency: &Agency) -> Result<&'r Context, Fault> {
    let message = request.message();
    let wrong = |what| Fault::at(Code::AudTrail, what);
    let Body::Ask(ask) = &message.body else { return Err(wrong("the body is not Ask")) };
    if message.header.kind != Kind::Request {
        return Err(wrong("the kind is not request"));
    }
    if ask.document_type.as_str() != TRAIL.0 {
        return Err(wrong("the document type is not access-trail"));
    }
    let context = message.reason()?;
    if context.purpose.as_str() != TRAIL.1 {
        return Err(wrong("the purpose is not citizen-trail"));
    }
    if context.on_behalf_of.is_some() {
        return Err(wrong("a portal asks for a trail on nobody's behalf but the citizen's: leave OnBehalfOf out"));
    }
    if context.subject.identifiers.is_empty() {
        return Err(wrong("the subject has no identifier"));
    }
    if message.header.world == agency.world { Ok(context) } else { Err(Fault::new(Code::MsgTest)) }
}

/// A page of the trail of whoever has these identifiers: what has an index below `before`, newest first.
pub fn trail(
    store: &Store,
    subject: &[Identifier],
    before: Option<u64>,
    limit: usize,
    now: UnixTime,
    attempts: Attempts,
) -> Result<Trail, StoreError> {
    let (found, next) = accesses(store, subject, before, limit, attempts)?;
    let mut trail = Trail { next, ..Trail::default() };
    let mut disclosed = None;
    for (index, text) in found {
        let Some(mut leaf) = Leaf::parse(&text) else { continue };
        if leaf.withheld_until.is_some_and(|until| UnixTime::from_ms(until) > now) {
            let known = match &mut disclosed {
                Some(known) => known,
                unknown => unknown.insert(disclosures(store, subject)?),
            };
            if known.contains(&index) {
                leaf.withheld_until = None;
            }
        }
        if let Some(until) = leaf.withheld_until.map(UnixTime::from_ms).filter(|until| *until > now) {
            *trail.withheld.entry(until.day()).or_default() += 1;
            continue;
        }
        let private = opened(store, index)?.map(|(_, private)| private).unwrap_or_default();
        // Of a refused attempt only the sealed part says what it was for.
        leaf.document_type = leaf.document_type.or(private.document);
        leaf.purpose = leaf.purpose.or(private.purpose);
        let (outcome, ended) = outcome(store, index, &leaf)?;
        trail.accesses.push(Access { index, leaf, role: private.role, fields: private.fields, outcome, ended });
    }
    Ok(trail)
}

/// The records about somebody that two people have decided to show before their day.
pub fn disclosures(store: &Store, subject: &[Identifier]) -> Result<BTreeSet<u64>, StoreError> {
    let mut found = BTreeSet::new();
    for person in subject.iter().take(limits::IDENTIFIERS_MAX) {
        let kind = Some(RecordKind::Administration);
        let filter = Filter { person: Some(person.clone()), purpose: Word::parse(DECISION), kind, ..Filter::default() };
        let records = store.search_all(&filter)?;
        let leaves = records.iter().filter_map(|record| Leaf::parse(&record.leaf));
        let shown = leaves.filter(|leaf| leaf.action.as_deref() == Some(Measure::Disclose.as_str()));
        found.extend(shown.filter_map(|leaf| leaf.concerns));
    }
    Ok(found)
}

/// The requests about a person, and the readings: each as its index and leaf.
type Found = (Vec<(u64, String)>, Option<u64>);

fn accesses(
    store: &Store,
    subject: &[Identifier],
    before: Option<u64>,
    limit: usize,
    attempts: Attempts,
) -> Result<Found, StoreError> {
    let kinds: &[_] = match attempts {
        Attempts::Shown => &[RecordKind::Request, RecordKind::Audit, RecordKind::Refusal],
        Attempts::Hidden => &[RecordKind::Request, RecordKind::Audit],
    };
    let mut found = BTreeMap::new();
    // Below this index not all were looked at.
    let mut from = 0;
    for identifier in subject.iter().take(limits::IDENTIFIERS_MAX) {
        found.extend(handed(store, identifier, (before, &mut from), limit)?);
        for kind in kinds.iter().copied() {
            let filter = Filter { person: Some(identifier.clone()), kind: Some(kind), ..Filter::default() };
            let Page { records, next, .. } = store.search(&filter, before, limit)?;
            from = from.max(next.unwrap_or(0));
            // A failure with a grant is the end of a request that stands there itself.
            let is_shown = |leaf: &str| kind != RecordKind::Refusal || Leaf::parse(leaf).is_some_and(|leaf| leaf.grant.is_none());
            let shown = records.into_iter().filter(|record| is_shown(&record.leaf));
            found.extend(shown.map(|record| (record.index, record.leaf)));
        }
    }
    let mut found: Vec<_> = found.split_off(&from).into_iter().rev().collect();
    if let Some((index, _)) = found.get(limit.wrapping_sub(1)).filter(|_| found.len() > limit) {
        from = *index;
        found.truncate(limit);
    }
    Ok((found, (from > 0).then_some(from)))
}

/// The documents about a person that agencies got for steps of cases. Most records of cases are none of these.
fn handed(
    store: &Store,
    person: &Identifier,
    (before, from): (Option<u64>, &mut u64),
    limit: usize,
) -> Result<Vec<(u64, String)>, StoreError> {
    let filter = Filter { person: Some(person.clone()), kind: Some(RecordKind::Case), ..Filter::default() };
    let (mut found, mut next) = (Vec::new(), before);
    loop {
        let page = store.search(&filter, next, limits::TRAIL_LOOK)?;
        let is_handed = |leaf: &str| Leaf::parse(leaf).is_some_and(|leaf| leaf.action.as_deref() == Some(cases::action::HAND));
        found.extend(page.records.into_iter().filter(|record| is_handed(&record.leaf)).map(|record| (record.index, record.leaf)));
        next = page.next;
        if next.is_none() || found.len() >= limit {
            *from = (*from).max(next.unwrap_or(0));
            return Ok(found);
        }
    }
}

/// What came of a request: of what was recorded after it, up to the next time that the same message came.
fn outcome(store: &Store, index: u64, leaf: &Leaf) -> Result<(Outcome, Option<u64>), StoreError> {
    if leaf.kind == RecordKind::Audit.as_str() {
        return Ok((Outcome::Read(leaf.action.clone().unwrap_or_default()), None));
    }
    if leaf.kind == RecordKind::Refusal.as_str() {
        return Ok((Outcome::Refused(leaf.code.clone().unwrap_or_default()), Some(index)));
    }
    if leaf.kind == RecordKind::Case.as_str() {
        return Ok((Outcome::Answered, Some(index)));
    }
    let Some(id) = leaf.message.as_deref().and_then(MessageId::parse) else { return Ok((Outcome::Open, None)) };
    let consumer = leaf.consumer.as_deref().and_then(AgencyId::parse);
    let mut last = (Outcome::Open, None);
    for record in store.by_message(id, consumer.as_ref())?.into_iter().filter(|record| record.index > index) {
        // A refusal without a grant is of another attempt, that was turned away meanwhile.
        // What ends a kept question says which.
        let is_same =
            |other: &Leaf| other.consumer == leaf.consumer && (other.grant == leaf.grant || other.concerns == Some(index));
        let Some(other) = Leaf::parse(&record.leaf).filter(is_same) else { continue };
        match RecordKind::ALL.into_iter().find(|kind| kind.as_str() == other.kind) {
            Some(RecordKind::Request) => break,
            Some(RecordKind::Answer) => return Ok((Outcome::Answered, Some(record.index))),
            Some(RecordKind::Refusal | RecordKind::Cancel) => {
                last = (Outcome::Refused(other.code.unwrap_or_default()), Some(record.index))
            }
            _ => {}
        }
    }
    Ok(last)
}
