//! From octets to a permitted message: pure, and safe to run in parallel.
//!
//! Each step takes the proof of the one before and gives the next: octets → [`Authenticated`] (the signature is the
//! sender's, the sender is the peer) → [`Permitted`] (times, kind, right, purpose, basis, fields, holder). A provider's
//! answer comes in by the same door, with the question as its measure.
//!
//! ```compile_fail,E0308
//! // What is not authenticated cannot be permitted.
//! fn skip(snapshot: oncegate::exchange::admission::Snapshot<'_>, message: oncegate::message::envelope::Message) {
//!     let _ = oncegate::exchange::admission::permit(snapshot, message);
//! }
//! ```

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

mod answer;
mod event;

pub use answer::{Answer, admit_answer, admit_attached, as_asked, same_subject, same_subject_as};
pub use event::{Cancel, Event, Told, event_again, permit_cancel, permit_event};

use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Digest, MessageId};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::evidence::tlog::Private;
use crate::message::crypto::sha256;
use crate::message::envelope::{Ask, Body, Claimed, Context, EnvelopeReader, Kind, Message};
use crate::message::schema::{Facts, FieldPath, Schemas};
use crate::message::sig;
use crate::rules::policy::{self, Grounds};
use crate::rules::registry::{Action, Agency, AgencyIndex, NoHolder, NoKey, Registry, Status};

/// One state of the world for one message, so that no exchange mixes clocks or versions.
#[derive(Clone, Copy)]
pub struct Snapshot<'w> {
    /// The time of the message's arrival.
    pub now: UnixTime,
    /// The registry.
    pub registry: &'w Registry,
    /// The schemas.
    pub schemas: &'w Schemas,
}

/// Whoever is at the other end of the connection: an agency known by its client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    agency: AgencyIndex,
    system: Digest,
}

impl Peer {
    /// The agency in whose name the gateway itself asks for its cases, known by the certificate that it signs with.
    pub fn coordinator(registry: &Registry, agency: &AgencyId, certificate: Digest) -> Result<Self, Fault> {
        let index = registry.find(agency).ok_or_else(|| Fault::new(Code::TlsUnknownCertificate))?;
        match registry.agency(index).map(|agency| agency.status) {
            Some(Status::Active) => Ok(Self { agency: index, system: certificate }),
            _ => Err(Fault::new(Code::TlsAgencySuspended)),
        }
    }

    /// The agency whose system holds this client certificate.
    pub fn identify(registry: &Registry, certificate: &Digest) -> Result<Self, Fault> {
        let index = registry.by_system(certificate).ok_or_else(|| Fault::new(Code::TlsUnknownCertificate))?;
        match registry.agency(index).map(|agency| agency.status) {
            Some(crate::rules::registry::Status::Active) => Ok(Self { agency: index, system: *certificate }),
            _ => Err(Fault::new(Code::TlsAgencySuspended)),
        }
    }

    /// The agency.
    pub fn agency(&self) -> AgencyIndex {
        self.agency
    }

    /// The SHA-256 of the client certificate.
    pub fn system(&self) -> Digest {
        self.system
    }
}

/// A refusal, with what may be recorded of the message.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The fault.
    pub fault: Fault,
    /// What the message claimed, as far as it was read and has its form.
    pub claimed: Claimed,
    /// The digest, if the octets were a message at all.
    pub digest: Option<Digest>,
    /// SHA-256 of the octets, if they were not.
    pub raw: Option<Digest>,
    /// What was tried, in the sender's own words, once its signature was verified: kept sealed beside the record.
    pub attempt: Option<Box<Private>>,
}

impl Refusal {
    /// A refusal of which nothing is known but its fault.
    pub fn new(fault: Fault) -> Self {
        Self { fault, claimed: Claimed::default(), digest: None, raw: None, attempt: None }
    }

    /// The refusal of a message whose signature was verified: what it tried is what an audit is for.
    pub fn of(fault: Fault, message: &Message, digest: Digest) -> Self {
        let claimed = Claimed { id: Some(message.header.id), from: Some(message.header.from.clone()) };
        let document = match &message.body {
            Body::Ask(ask) => Some(ask.document_type.clone()),
            Body::Documents(documents) => {
                let types = documents.iter().flatten().map(|facts| &facts.document_type);
                types.chain(message.attached().map(|(_, document_type)| document_type)).next().cloned()
            }
            _ => None,
        };
        let purpose = message.context.as_ref().map(|context| context.purpose.clone());
        let cause = (!fault.detail.is_empty()).then(|| fault.detail.to_string());
        let attempt = Private { document, purpose, cause, ..personal(message) };
        Self { fault, claimed, digest: Some(digest), raw: None, attempt: Some(Box::new(attempt)) }
    }
}

/// What is personal about a message: whom it is about, who asked, and for which fields.
pub fn personal(message: &Message) -> Private {
    let context = message.context.as_ref();
    let official = context.and_then(|context| context.official.as_ref());
    Private {
        subject: context.map(|context| context.subject.clone()).unwrap_or_default(),
        official: official.map(|official| official.identifier.clone()),
        role: official.map(|official| official.role.clone()),
        fields: match &message.body {
            Body::Ask(ask) => ask.select.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        },
        ..Private::default()
    }
}

/// A message whose signature is its sender's, and whose sender is the peer.
#[derive(Debug)]
pub struct Authenticated {
    message: Message,
    digest: Digest,
    sender: AgencyIndex,
    octets: Vec<u8>,
    price: u32,
}

impl Authenticated {
    /// What its verification cost, in verifications with P-256: more than one for P-384.
    pub fn price(&self) -> u32 {
        self.price
    }

    /// The id.
    pub fn id(&self) -> MessageId {
        self.message.header.id
    }

    /// The digest of the message: its identity.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The sender.
    pub fn sender(&self) -> AgencyIndex {
        self.sender
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The octets that were verified.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Spends the proof for the octets that were verified.
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }

    /// Spends the proof for digest, message and octets.
    pub fn into_parts(self) -> (Digest, Message, Vec<u8>) {
        (self.digest, self.message, self.octets)
    }
}

/// A question that may be put to its holder, and the grounds for it.
#[derive(Debug)]
pub struct Permitted {
    octets: Vec<u8>,
    length: u64,
    message: Message,
    digest: Digest,
    consumer: AgencyIndex,
    principal: Option<AgencyIndex>,
    addressed: AgencyIndex,
    holder: AgencyIndex,
    what: Word,
    grounds: Grounds,
}

impl Permitted {
    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The digest of the message.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The octets that were verified: these, and no others, are forwarded. None any more once they are.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// How many there were.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Gives the octets away, to be forwarded.
    pub(crate) fn take_octets(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.octets)
    }

    /// Who asks.
    pub fn consumer(&self) -> AgencyIndex {
        self.consumer
    }

    /// On whose behalf it is asked, and by whose grant, if not by the sender's own.
    pub fn principal(&self) -> Option<AgencyIndex> {
        self.principal
    }

    /// Who is asked.
    pub fn holder(&self) -> AgencyIndex {
        self.holder
    }

    /// The agency that the question is for by its name, in whose place its holder may stand.
    pub fn addressed(&self) -> AgencyIndex {
        self.addressed
    }

    /// The document type.
    pub fn what(&self) -> &Word {
        &self.what
    }

    /// The grounds.
    pub fn grounds(&self) -> &Grounds {
        &self.grounds
    }

    /// The optional fields that its answer may hold, if it asks for a document: for its holder, who does not know the grant.
    pub fn fields(&self, schemas: &Schemas) -> Option<Vec<FieldPath>> {
        let Body::Ask(ask) = &self.message.body else { return None };
        schemas.document_type(&self.what).map(|document| self.grounds.may_hold(document, ask.role()))
    }

    /// Why it is asked; a permitted question always says so.
    pub fn context(&self) -> Option<&Context> {
        self.message.context.as_ref()
    }
}

/// Reads a message, of which nothing is believed yet.
fn read<'s>(snapshot: Snapshot<'s>, octets: &[u8]) -> Result<sig::Unverified<EnvelopeReader<'s>>, Refusal> {
    sig::read(octets, EnvelopeReader::new(snapshot.schemas)).map_err(|read| {
        let claimed = sig::Claim::claimed(&read.value);
        Refusal { claimed, raw: Some(sha256(octets)), ..Refusal::new(read.fault) }
    })
}

/// Reads and verifies a message from a peer.
pub fn authenticate(snapshot: Snapshot<'_>, peer: &Peer, octets: Vec<u8>) -> Result<Authenticated, Refusal> {
    let unverified = read(snapshot, &octets)?;
    let (claimed, digest) = (unverified.claimed(), unverified.digest());
    let refuse = |fault| Refusal { claimed: claimed.clone(), digest: Some(digest), ..Refusal::new(fault) };
    let sender = sender(snapshot.registry, peer, &claimed).map_err(&refuse)?;
    let agency = snapshot.registry.agency(sender).ok_or_else(|| refuse(Fault::new(Code::SigSender)))?;
    let price = unverified.algorithm().price();
    let message = verify(snapshot, agency, unverified).map_err(&refuse)?;
    Ok(Authenticated { message, digest, sender, octets, price })
}

/// The sender is the agency of the client certificate, or has said in the registry that this agency carries for it.
fn sender(registry: &Registry, peer: &Peer, claimed: &Claimed) -> Result<AgencyIndex, Fault> {
    let from = claimed.from.as_ref().ok_or_else(|| Fault::new(Code::MsgStructure))?;
    let sender = registry.find(from).ok_or_else(|| Fault::new(Code::SigSender))?;
    let carried = || {
        let (agency, carrier) = (registry.agency(sender), registry.agency(peer.agency));
        agency.zip(carrier).is_some_and(|(agency, carrier)| agency.carried_by.contains(&carrier.id))
    };
    if sender == peer.agency || carried() { Ok(sender) } else { Err(Fault::new(Code::SigSender)) }
}

/// Checks the signature with the sender's enrolled key. The key that the message names selects one; it never makes
/// the gateway try another.
fn verify(snapshot: Snapshot<'_>, agency: &Agency, unverified: sig::Unverified<EnvelopeReader<'_>>) -> Result<Message, Fault> {
    let thumbprint = unverified.thumbprint();
    let key = agency.key(thumbprint.as_ref(), snapshot.now).map_err(|missing| {
        Fault::new(match missing {
            NoKey::Unknown => Code::SigKeyUnknown,
            NoKey::OutsideValidity => Code::SigKeyExpired,
            NoKey::Revoked => Code::SigKeyRevoked,
        })
    })?;
    let verified = unverified.verify(key)?;
    let message = verified.into_value().into_message()?;
    let used = thumbprint.or_else(|| agency.only_thumbprint(snapshot.now));
    if message.header.signer_certificate.is_some_and(|stated| used != Some(stated)) {
        return Err(Fault::new(Code::SigCertificate));
    }
    Ok(message)
}

/// Decides whether an authenticated question may be put to its holder.
pub fn permit(snapshot: Snapshot<'_>, authenticated: Authenticated) -> Result<Permitted, Refusal> {
    let refuse = |fault| Refusal::of(fault, &authenticated.message, authenticated.digest);
    authenticated.message.fits().map_err(&refuse)?;
    check_times(&authenticated.message, snapshot.now).map_err(&refuse)?;
    permitted(snapshot, authenticated)
}

fn permitted(snapshot: Snapshot<'_>, authenticated: Authenticated) -> Result<Permitted, Refusal> {
    let refuse = |fault| Refusal::of(fault, &authenticated.message, authenticated.digest);
    let Found { what, principal, grounds } = find_grounds(snapshot, &authenticated).map_err(&refuse)?;
    let is_elsewhere =
        |index| snapshot.registry.agency(index).is_none_or(|agency| agency.world != authenticated.message.header.world);
    if principal.is_some_and(is_elsewhere) {
        return Err(refuse(Fault::new(Code::MsgTest)));
    }
    let addressed = find_holder(snapshot.registry, &authenticated, &what).map_err(&refuse)?;
    let holder = snapshot.registry.acting(addressed);
    let Authenticated { message, digest, sender: consumer, octets, price: _ } = authenticated;
    let length = octets.len() as u64;
    Ok(Permitted { octets, length, message, digest, consumer, principal, addressed, holder, what, grounds })
}

/// Looks again at a question that was permitted and kept, before it is delivered: its keys, its grant and its holder may have
/// ended meanwhile. When it was made was looked at when it came.
pub fn permit_again(snapshot: Snapshot<'_>, octets: Vec<u8>) -> Result<Permitted, Refusal> {
    permitted(snapshot, authenticate_again(snapshot, octets)?)
}

/// Reads and verifies a message again that was admitted and recorded, whatever time has passed since: what it says is used.
pub fn read_again(snapshot: Snapshot<'_>, octets: Vec<u8>) -> Result<Authenticated, Refusal> {
    let unverified = read(snapshot, &octets)?;
    let (claimed, digest) = (unverified.claimed(), unverified.digest());
    let refuse = |fault| Refusal { claimed: claimed.clone(), digest: Some(digest), ..Refusal::new(fault) };
    let sender = claimed.from.as_ref().and_then(|from| snapshot.registry.find(from));
    let sender = sender.ok_or_else(|| refuse(Fault::new(Code::SigSender)))?;
    let agency = snapshot.registry.agency(sender).ok_or_else(|| refuse(Fault::new(Code::SigSender)))?;
    let price = unverified.algorithm().price();
    let message = verify(snapshot, agency, unverified).map_err(&refuse)?;
    Ok(Authenticated { message, digest, sender, octets, price })
}

/// Reads and verifies a message that was accepted from its sender before.
fn authenticate_again(snapshot: Snapshot<'_>, octets: Vec<u8>) -> Result<Authenticated, Refusal> {
    let unverified = read(snapshot, &octets)?;
    let (claimed, digest) = (unverified.claimed(), unverified.digest());
    let refuse = |fault| Refusal { claimed: claimed.clone(), digest: Some(digest), ..Refusal::new(fault) };
    let sender = claimed.from.as_ref().and_then(|from| snapshot.registry.find(from));
    let sender = sender.ok_or_else(|| refuse(Fault::new(Code::SigSender)))?;
    let agency = snapshot.registry.agency(sender).filter(|agency| agency.status == Status::Active);
    let agency = agency.ok_or_else(|| refuse(Fault::new(Code::SigSender)))?;
    let price = unverified.algorithm().price();
    let message = verify(snapshot, agency, unverified).map_err(&refuse)?;
    if message.header.expires_at <= snapshot.now {
        return Err(Refusal::of(Fault::new(Code::RteDeadline), &message, digest));
    }
    Ok(Authenticated { message, digest, sender, octets, price })
}

/// Whether a message is of now, by `message.md` section 4.
pub fn check_times(message: &Message, now: UnixTime) -> Result<(), Fault> {
    let header = &message.header;
    if header.created_at.distance_ms(now) > limits::CLOCK_SKEW_MS {
        return Err(Fault::at(Code::MsgClock, format!("the gateway's clock says {now}")));
    }
    if header.id.time().distance_ms(header.created_at) > limits::CLOCK_SKEW_MS {
        return Err(Fault::new(Code::MsgStaleId));
    }
    let life = match header.kind {
        Kind::Request | Kind::Answer | Kind::Fault => limits::REQUEST_LIFE_MS,
        Kind::Event | Kind::Application | Kind::Status | Kind::Cancel => limits::EVENT_LIFE_MS,
    };
    if header.expires_at <= header.created_at || header.expires_at > header.created_at.plus_ms(life) {
        return Err(Fault::new(Code::MsgLifetime));
    }
    if header.expires_at <= now { Err(Fault::new(Code::MsgExpired)) } else { Ok(()) }
}

/// What a question stands on.
struct Found {
    what: Word,
    principal: Option<AgencyIndex>,
    grounds: Grounds,
}

fn find_grounds(snapshot: Snapshot<'_>, authenticated: &Authenticated) -> Result<Found, Fault> {
    let message = &authenticated.message;
    let (action, what, ask) = match (message.header.kind, &message.body) {
        (Kind::Request, Body::Ask(ask)) => (Action::Read, ask.document_type.clone(), Some(ask)),
        (Kind::Application, Body::Documents(documents)) => (Action::Apply, first_type(documents, message, snapshot.now)?, None),
        _ => return Err(Fault::new(Code::MsgKind)),
    };
    let context = message.reason()?;
    let document = snapshot.schemas.document_type(&what);
    let document = document.ok_or_else(|| Fault::at(Code::DocUnknown, unknown(snapshot.schemas, &what)))?;
    let (select, role) = (ask.map_or(&[][..], |ask| ask.select.as_slice()), ask.map_or("", Ask::role));
    let (registry, now) = (snapshot.registry, snapshot.now);
    let principal = policy::principal(registry, authenticated.sender, (&what, context), now)?;
    // Whoever asks for another asks by the other's grants alone.
    let consumer = principal.unwrap_or(authenticated.sender);
    let grounds = policy::decide(registry, &policy::Question { consumer, action, document, context, select, role }, now)?;
    Ok(Found { what, principal, grounds })
}

/// A document that has no schema here, and one whose schema is refused at present, are two things to whoever asks.
fn unknown(schemas: &Schemas, what: &Word) -> String {
    if schemas.is_absent(what) {
        format!("{what} is not in force at present: its schemas are refused; ask the operator of the gateway")
    } else {
        what.to_string()
    }
}

/// The type of an application is that of its first document; each must be valid, and of a version that is in force. Those that are
/// attached come behind those that are not.
fn first_type(documents: &[Result<Facts, Fault>], message: &Message, now: UnixTime) -> Result<Word, Fault> {
    let mut facts = documents.iter().map(|document| {
        let facts = document.as_ref().map_err(Clone::clone)?;
        facts.in_force(now.day()).map(|()| facts)
    });
    let attached = || message.attached().next().map(|(_, document_type)| document_type.clone());
    let first = match facts.next() {
        Some(first) => first?.document_type.clone(),
        None => attached().ok_or_else(|| Fault::new(Code::MsgStructure))?,
    };
    facts.try_for_each(|other| other.map(|_| ()))?;
    Ok(first)
}

fn find_holder(registry: &Registry, authenticated: &Authenticated, what: &Word) -> Result<AgencyIndex, Fault> {
    let header = &authenticated.message.header;
    let none = |why: String| Fault::at(Code::RteNoHolder, why);
    let region = authenticated.message.context.as_ref().and_then(|context| context.region.as_ref());
    let sender_world = registry.agency(authenticated.sender).map(|agency| agency.world);
    if sender_world != Some(header.world) {
        return Err(Fault::new(Code::MsgTest));
    }
    let Some(to) = &header.to else {
        return registry.holder(what, region, header.world).map_err(|missing| match missing {
            NoHolder::None => none(format!("no holder of {what}")),
            NoHolder::Several => none(format!("several holders of {what}: name one in To")),
        });
    };
    let holds = |holder: AgencyIndex| registry.is_holder(holder, what) || registry.is_holder(registry.acting(holder), what);
    let holder = registry.find(to).filter(|holder| holds(*holder));
    let holder = holder.ok_or_else(|| none(format!("{to} does not hold {what}")))?;
    let agency = registry.agency(registry.acting(holder)).ok_or_else(|| none(format!("{to} is not registered")))?;
    if agency.status != Status::Active {
        return Err(none(format!("{} is suspended", agency.id)));
    }
    if agency.world == header.world { Ok(holder) } else { Err(Fault::new(Code::MsgTest)) }
}
