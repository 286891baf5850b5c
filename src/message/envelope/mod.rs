//! The envelope (`message.md` sections 2 and 4): the kinds of message as types, read in the hashing pass and written in
//! canonical form.
//!
//! The grammar is code, not a schema at run time; `schemas/message-1.xsd` says the same for everybody else, and a test
//! holds the two against each other. What needs a clock or the registry is not decided here.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used))]

mod draft;
mod grammar;
mod read;
mod write;

pub use read::{Claimed, EnvelopeReader};
pub use write::{write, write_subject};

use crate::base::fault;
use crate::base::ids::{AgencyId, Code, Digest, Identifier, MessageId, Region, Uuid};
use crate::base::time::{Day, UnixTime};
use crate::message::schema::{Facts, FieldPath, SubjectKind};
use std::fmt;

/// The namespace of the envelope.
pub const NAMESPACE: &str = "urn:oncegate:message:1";
/// The namespace of the common types.
pub const TYPES: &str = "urn:oncegate:types:1";

/// A text that is personal data or may hold some: it never prints itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Personal(String);

impl Personal {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for writing it into a message or comparing it; never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(…)")
    }
}

/// The kinds of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Asks for documents; answered by an answer.
    Request,
    /// Answers a request or an application.
    Answer,
    /// Pushed to subscribers.
    Event,
    /// Asks for a service; answered by status messages and an answer.
    Application,
    /// Says how far a case has come.
    Status,
    /// Takes an application back.
    Cancel,
    /// Says that a message could not be processed.
    Fault,
}

impl Kind {
    const ALL: [Self; 7] = [Self::Request, Self::Answer, Self::Event, Self::Application, Self::Status, Self::Cancel, Self::Fault];

    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
            Self::Event => "event",
            Self::Application => "application",
            Self::Status => "status",
            Self::Cancel => "cancel",
            Self::Fault => "fault",
        }
    }

    /// Whether a message of this kind may have this body: the table of `message.md`, section "Envelope".
    pub const fn carries(self, body: &Body) -> bool {
        match self {
            Self::Request => matches!(body, Body::Ask(_)),
            Self::Answer => matches!(body, Body::Documents(_) | Body::NoRecord { .. } | Body::Later { .. }),
            Self::Event | Self::Application => matches!(body, Body::Documents(_)),
            Self::Status => matches!(body, Body::State { .. } | Body::Later { .. }),
            Self::Cancel => matches!(body, Body::State { .. }),
            Self::Fault => matches!(body, Body::Fault { .. }),
        }
    }

    /// The kind with this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Whether a message is of the test world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum World {
    /// The real one.
    Live,
    /// Same code path, own log, own quota; never reaches a live agency.
    Test,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its header.
    pub header: Header,
    /// Why, about whom, in which case.
    pub context: Option<Context>,
    /// Its content.
    pub body: Body,
    /// What travels beside it.
    pub attachments: Vec<Attachment>,
}

impl Message {
    /// That its body is one of its kind's. Every face asks this of a message as soon as it is read: the gateway of what comes in
    /// and of answers, `oncegate verify`, `oncegate validate`.
    pub fn fits(&self) -> Result<(), fault::Fault> {
        if !self.header.kind.carries(&self.body) {
            return Err(fault::Fault::at(fault::Code::MsgStructure, "the body is not one for this kind of message"));
        }
        if self.attached().next().is_some() && !matches!(self.header.kind, Kind::Answer | Kind::Application) {
            let only = "a document that is attached, in another message than an answer or an application";
            return Err(fault::Fault::at(fault::Code::MsgStructure, only));
        }
        Ok(())
    }

    /// The documents that come as attachments, with their types.
    pub fn attached(&self) -> impl Iterator<Item = (&Attachment, &Code)> {
        self.attachments.iter().filter_map(|named| Some((named, named.document.as_ref()?)))
    }

    /// Its context, which a question cannot do without.
    pub fn reason(&self) -> Result<&Context, fault::Fault> {
        self.context.as_ref().ok_or_else(|| fault::Fault::new(fault::Code::MsgContext))
    }
}

/// The header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The id, which is also the idempotency key.
    pub id: MessageId,
    /// The message that this one answers.
    pub in_reply_to: Option<ReplyTo>,
    /// The kind.
    pub kind: Kind,
    /// The sender.
    pub from: AgencyId,
    /// The receiver; a request may leave it to the gateway to find the holder.
    pub to: Option<AgencyId>,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it is void.
    pub expires_at: UnixTime,
    /// Test or live.
    pub world: World,
    /// SHA-256 of the certificate that the sender says it signs with.
    pub signer_certificate: Option<Digest>,
}

/// The message that is answered, bound by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// Its id.
    pub id: MessageId,
    /// Its digest.
    pub digest: Digest,
}

/// Why, about whom, in which case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The purpose.
    pub purpose: Code,
    /// The legal bases.
    pub legal_basis: Vec<String>,
    /// The consent given, if the basis is one.
    pub consent: Option<Uuid>,
    /// The person or organisation that the documents are about.
    pub subject: Subject,
    /// The person at the consumer who asks; a system that asks by itself leaves it out.
    pub official: Option<Official>,
    /// The agency for which the sender acts.
    pub on_behalf_of: Option<AgencyId>,
    /// The case.
    pub case: Option<Uuid>,
    /// The life situation and its version.
    pub situation: Option<(Code, Option<String>)>,
    /// The step of the situation.
    pub step: Option<Code>,
    /// Where, by ISO 3166-2.
    pub region: Option<Region>,
    /// W3C trace context.
    pub trace: Option<String>,
}

impl Context {
    /// What every request must say.
    pub fn new(purpose: Code, basis: impl Into<String>, subject: Subject) -> Self {
        Self {
            purpose,
            legal_basis: vec![basis.into()],
            consent: None,
            subject,
            official: None,
            on_behalf_of: None,
            case: None,
            situation: None,
            step: None,
            region: None,
            trace: None,
        }
    }
}

/// The person or organisation that documents are about.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Subject {
    /// Identifiers, check digits verified. An organisation has at least one.
    pub identifiers: Vec<Identifier>,
    /// What else is said of it.
    pub described: Described,
}

/// What is said of a subject beside its identifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Described {
    /// Of a person.
    Person(Person),
    /// Of an organisation: its name, for people. It is never known by its name alone.
    Organisation(Option<Personal>),
}

/// A person's description.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Person {
    /// Family name.
    pub family: Option<Personal>,
    /// Given name.
    pub given: Option<Personal>,
    /// Date of birth, as far as it is known.
    pub birth_date: Option<Personal>,
}

impl Default for Described {
    fn default() -> Self {
        Self::Person(Person::default())
    }
}

impl Subject {
    /// What it is.
    pub const fn kind(&self) -> SubjectKind {
        match self.described {
            Described::Person(_) => SubjectKind::Person,
            Described::Organisation(_) => SubjectKind::Organisation,
        }
    }

    /// The person's description, if it is a person.
    pub const fn person(&self) -> Option<&Person> {
        match &self.described {
            Described::Person(person) => Some(person),
            Described::Organisation(_) => None,
        }
    }
}

impl From<Vec<Identifier>> for Subject {
    fn from(identifiers: Vec<Identifier>) -> Self {
        Self { identifiers, ..Self::default() }
    }
}

/// The official who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Official {
    /// The official's identifier.
    pub identifier: Identifier,
    /// The official's role.
    pub role: Code,
}

/// The content of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Asks for documents of one type.
    Ask(Ask),
    /// Documents; each was validated against its schema while it was hashed. Those that are attached are not among them.
    Documents(Vec<Result<Facts, fault::Fault>>),
    /// The holder states that there is none.
    NoRecord {
        /// The type asked for.
        document_type: Code,
    },
    /// The answer will come later.
    Later {
        /// By when.
        by: UnixTime,
        /// Why.
        reason: Code,
    },
    /// How far something has come.
    State {
        /// What.
        of: Code,
        /// Since when.
        at: UnixTime,
    },
    /// The receiver could not process the message.
    Fault {
        /// The code.
        code: String,
        /// Whose fault, by the contract's word.
        blame: String,
        /// Whether to try again, by the contract's word.
        retry: String,
    },
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The document type.
    pub document_type: Code,
    /// The role of the subject in the document, where there are several.
    pub of: Option<Code>,
    /// The fields wanted; empty means all that the grant gives.
    pub select: Vec<FieldPath>,
    /// The period that the documents are to concern.
    pub during: Option<(Day, Option<Day>)>,
}

impl Ask {
    /// The role of the subject; empty where none is named.
    pub fn role(&self) -> &str {
        self.of.as_ref().map_or("", Code::as_str)
    }
}

/// Content outside the signature whose hash is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The `Content-ID` of its part.
    pub id: String,
    /// Its file name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Digest,
    /// The type of the document that it is, if `Documents` names it as one.
    pub document: Option<Code>,
}
