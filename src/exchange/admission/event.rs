//! Events: told once by whoever holds such documents, for all who have a grant to be told.
//!
//! The gateway never edits: a subscriber whose grant gives fewer fields than the event's document has is not told of it.

use super::answer::{is_about, same_subject};
use super::{Authenticated, Refusal, Snapshot, authenticate_again, check_times};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{AgencyId, Code as Word, Digest, MessageId, Region};
use crate::message::envelope::{Body, Kind, Message, ReplyTo};
use crate::message::schema::{DocumentType, Facts};
use crate::rules::policy::{self, Question};
use crate::rules::registry::{Action, AgencyIndex, Grant, Registry, Status};

/// An event that its publisher may tell.
#[derive(Debug)]
pub struct Event {
    octets: Vec<u8>,
    message: Message,
    digest: Digest,
    publisher: AgencyIndex,
    what: Word,
}

/// What is to be done with an event for one agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is told.
    Yes,
    /// Its grant does not give a field that the document has, which is named.
    Withheld(String),
}

impl Event {
    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Its digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The octets that were verified.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Who tells it.
    pub fn publisher(&self) -> AgencyIndex {
        self.publisher
    }

    /// The type of its document.
    pub fn what(&self) -> &Word {
        &self.what
    }

    /// Spends the proof for the octets.
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }

    /// The event that it is a variant of.
    pub fn variant_of(&self) -> Option<ReplyTo> {
        self.message.header.in_reply_to
    }

    /// Whether both are about the same: one person or organisation, of one world.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        let subject = |event: &Self| event.message.context.as_ref().map(|context| context.subject.clone());
        let is_same = subject(self).zip(subject(other)).is_some_and(|(mine, other)| same_subject(&mine, &other));
        is_same && self.message.header.world == other.message.header.world
    }

    /// How much it has that not everybody may have.
    pub fn richness(&self) -> usize {
        self.documents().map(|facts| facts.optional_paths.len()).sum()
    }

    /// Whether an agency is told, and if not, why; nothing if it has no grant that fits.
    pub fn is_for(&self, snapshot: Snapshot<'_>, agency: AgencyIndex) -> Option<Told> {
        let registry = snapshot.registry;
        let here = registry.agency(agency)?;
        if here.status != Status::Active || here.world != self.message.header.world || agency == self.publisher {
            return None;
        }
        let document = snapshot.schemas.document_type(&self.what)?;
        let context = self.message.reason().ok()?;
        let mut withheld = None;
        let regions = self.regions(registry);
        let is_of = |grant: &Grant| grant.sources.as_ref().is_none_or(|from| from.include(&self.message.header.from, &regions));
        let is_for_it = |grant: &Grant| grant.action == Action::Subscribe && is_of(grant);
        for (index, grant) in registry.grants_of(agency, &self.what).filter(|(_, grant)| is_for_it(grant)) {
            // A subscriber's purpose and basis are its own, and stand in its grant.
            let context = crate::message::envelope::Context {
                purpose: grant.purpose.clone(),
                legal_basis: vec![grant.basis.to_string()],
                ..context.clone()
            };
            let question =
                Question { consumer: agency, action: Action::Subscribe, document, context: &context, select: &[], role: "" };
            let Some(grounds) = policy::by_grant((index, grant), &question, snapshot.now) else { continue };
            let found = self.documents().find_map(|facts| withheld_of(&grounds, facts, document));
            match found {
                None => return Some(Told::Yes),
                found => withheld = found,
            }
        }
        withheld.map(Told::Withheld)
    }

    /// Where it happened, as far as that is known: in the region that it names, else in one of those that its publisher is
    /// registered for.
    fn regions<'e>(&'e self, registry: &'e Registry) -> Vec<&'e Region> {
        let named = self.message.context.as_ref().and_then(|context| context.region.as_ref());
        named.map_or_else(|| registry.regions_of(self.publisher, &self.what), |region| vec![region])
    }

    fn documents(&self) -> impl Iterator<Item = &Facts> {
        let Body::Documents(documents) = &self.message.body else { return [].iter().flatten() };
        documents.iter().flatten()
    }
}

fn withheld_of(grounds: &policy::Grounds, facts: &Facts, document: &DocumentType) -> Option<String> {
    let described = document.roles().into_iter().flat_map(|role| document.described(role)).collect::<Vec<_>>();
    grounds.withheld(&facts.optional_paths, &document.paths(), &described).map(str::to_owned)
}

/// Decides whether an authenticated event may be told: its sender holds such documents, and each is valid.
pub fn permit_event(snapshot: Snapshot<'_>, authenticated: Authenticated) -> Result<Event, Refusal> {
    let refuse = |fault| Refusal::of(fault, &authenticated.message, authenticated.digest);
    authenticated.message.fits().map_err(&refuse)?;
    check_times(&authenticated.message, snapshot.now).map_err(&refuse)?;
    permitted(snapshot, authenticated)
}

/// Looks again at an event that was accepted, before it is told to somebody.
pub fn event_again(snapshot: Snapshot<'_>, octets: Vec<u8>) -> Result<Event, Refusal> {
    permitted(snapshot, authenticate_again(snapshot, octets)?)
}

fn permitted(snapshot: Snapshot<'_>, authenticated: Authenticated) -> Result<Event, Refusal> {
    let what = what(snapshot, &authenticated);
    let what = what.map_err(|fault| Refusal::of(fault, &authenticated.message, authenticated.digest))?;
    let Authenticated { message, digest, sender: publisher, octets, price: _ } = authenticated;
    Ok(Event { octets, message, digest, publisher, what })
}

fn what(snapshot: Snapshot<'_>, authenticated: &Authenticated) -> Result<Word, Fault> {
    let message = &authenticated.message;
    let (Kind::Event, Body::Documents(documents)) = (message.header.kind, &message.body) else {
        return Err(Fault::new(Code::MsgKind));
    };
    let sender = snapshot.registry.agency(authenticated.sender).ok_or_else(|| Fault::new(Code::SigSender))?;
    if sender.world != message.header.world {
        return Err(Fault::new(Code::MsgTest));
    }
    let subject = &message.reason()?.subject;
    if !message.attachments.is_empty() {
        return Err(Fault::at(Code::AttUnnamed, "an event has no attachments"));
    }
    let what = super::first_type(documents, message, snapshot.now)?;
    if documents.iter().flatten().any(|facts| facts.document_type != what) {
        return Err(Fault::at(Code::DocType, "the documents of one event are of one type"));
    }
    if !snapshot.registry.is_holder(authenticated.sender, &what) {
        let why = format!("only a holder of {what} tells of it; {} is none", sender.id);
        return Err(Fault::at(Code::PolNoGrant, why));
    }
    is_registered_there(snapshot.registry, authenticated, &what)?;
    // By the Context go the order of events about one person, and the trail that the person sees.
    let document = snapshot.schemas.document_type(&what).ok_or_else(|| Fault::new(Code::DocUnknown))?;
    if documents.iter().flatten().any(|facts| !is_about((facts, document), subject)) {
        return Err(Fault::new(Code::DocSubject));
    }
    Ok(what)
}

/// Whoever holds documents of some regions tells of those.
fn is_registered_there(registry: &Registry, authenticated: &Authenticated, what: &Word) -> Result<(), Fault> {
    let named = authenticated.message.context.as_ref().and_then(|context| context.region.as_ref());
    let registered = registry.regions_of(authenticated.sender, what);
    match named.filter(|named| !registered.is_empty() && !registered.contains(named)) {
        None => Ok(()),
        Some(named) => {
            let names = registered.iter().map(|region| region.as_str()).collect::<Vec<_>>().join(", ");
            let why = format!("{} holds {what} for {names}, and the event is of {named}", authenticated.message.header.from);
            Err(Fault::at(Code::PolNoGrant, why))
        }
    }
}

/// A question that its sender takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Who takes it back.
    pub sender: AgencyId,
    /// The question, as the cancel names it.
    pub question: (MessageId, Digest),
}

/// What an authenticated cancel takes back.
pub fn permit_cancel(snapshot: Snapshot<'_>, authenticated: &Authenticated) -> Result<Cancel, Refusal> {
    let (message, digest) = (&authenticated.message, authenticated.digest);
    let refuse = |fault| Refusal::of(fault, message, digest);
    message.fits().map_err(&refuse)?;
    check_times(message, snapshot.now).map_err(&refuse)?;
    let question = message
        .header
        .in_reply_to
        .ok_or_else(|| refuse(Fault::at(Code::MsgReplyTo, "a cancel names the question in InReplyTo, by its id and digest")))?;
    Ok(Cancel { sender: message.header.from.clone(), question: (question.id, question.digest) })
}
