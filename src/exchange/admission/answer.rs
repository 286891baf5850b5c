//! A provider's answer, measured by the question.
//!
//! Whatever is wrong with an answer is the holder's fault: the consumer learns that nothing was released and the code of
//! the cause, never any of the answer's content.

use super::{Permitted, Refusal, Snapshot, verify};
use crate::base::fault::{Code, Fault};
use crate::base::ids::{Code as Word, Digest, Identifier};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::message::crypto::sha256;
use crate::message::envelope::{self, Body, EnvelopeReader, Kind, Message, Person, Personal, Subject};
use crate::message::schema::{DocumentType, Facts, Subject as Described, SubjectKind};
use crate::message::sig;
use crate::rules::registry::About;
use unicode_normalization::UnicodeNormalization;

/// An answer that may be released to the consumer of its question.
#[derive(Debug)]
pub struct Answer {
    octets: Vec<u8>,
    message: Message,
    digest: Digest,
}

impl Answer {
    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The digest of the message.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The octets that were verified: these, and no others, are released.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether it is not the holder's last word, and when it wants to be asked again, if it says so.
    pub fn goes_on(&self) -> Option<Option<UnixTime>> {
        match (self.message.header.kind, &self.message.body) {
            (_, Body::Later { by, .. }) => Some(Some(*by)),
            (Kind::Status, _) => Some(None),
            _ => None,
        }
    }

    /// Spends the proof for the octets.
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }
}

/// Reads, verifies and permits the answer to a question.
pub fn admit_answer(snapshot: Snapshot<'_>, question: &Permitted, octets: Vec<u8>) -> Result<Answer, Refusal> {
    let unverified = sig::read(&octets, EnvelopeReader::expecting(snapshot.schemas, &question.what))
        .map_err(|read| Refusal { raw: Some(sha256(&octets)), ..Refusal::new(bad(&read.fault)) })?;
    let digest = unverified.digest();
    let refuse = |fault| Refusal { digest: Some(digest), ..Refusal::new(fault) };
    let holder = snapshot.registry.agency(question.holder).ok_or_else(|| refuse(Fault::new(Code::RteNoHolder)))?;
    if unverified.claimed().from.as_ref() != Some(&holder.id) {
        return Err(refuse(Fault::at(Code::RteBadAnswer, "OG-SIG-004: the answer is not from the holder")));
    }
    let message = verify(snapshot, holder, unverified).map_err(|fault| refuse(bad(&fault)))?;
    check_header(snapshot, question, &message).map_err(&refuse)?;
    check_body(snapshot, question, &message).map_err(&refuse)?;
    Ok(Answer { octets, message, digest })
}

/// The code alone is told, to the consumer and in the operator's lines: where and how a document is wrong tells of what it
/// holds, in words that the holder has chosen. They are sealed beside the record, for the holder and for auditors.
fn bad(cause: &Fault) -> Fault {
    let place = cause.private.as_ref().map_or_else(|| cause.to_string(), |private| format!("{cause}; {private}"));
    Fault::at(Code::RteBadAnswer, cause.code.as_str()).with_sealed(place)
}

/// Whether a document that came as an attachment of an answer to a question may be released: as one in the answer itself.
pub fn admit_attached(snapshot: Snapshot<'_>, question: &Permitted, facts: &Facts) -> Result<(), Fault> {
    check_document(snapshot, question, question.context().map(|context| &context.subject), facts)
}

fn check_header(snapshot: Snapshot<'_>, question: &Permitted, answer: &Message) -> Result<(), Fault> {
    let (asked, header) = (&question.message.header, &answer.header);
    let reply = header.in_reply_to.filter(|reply| reply.id == asked.id && reply.digest == question.digest);
    if reply.is_none() {
        let wanted = format!("InReplyTo is not {} with the digest {}", asked.id, question.digest);
        return Err(Fault::new(Code::RteWrongQuestion).with_sealed(wanted));
    }
    if !matches!(header.kind, Kind::Answer | Kind::Status | Kind::Fault) {
        return Err(bad(&Fault::at(Code::MsgKind, "Kind is not answer, status or fault")));
    }
    if header.world != asked.world {
        return Err(bad(&Fault::new(Code::MsgTest)));
    }
    if header.to.as_ref().is_some_and(|to| *to != asked.from) {
        return Err(Fault::at(Code::RteWrongQuestion, "the answer is addressed to another agency"));
    }
    if header.created_at.distance_ms(snapshot.now) > limits::CLOCK_SKEW_MS {
        let clocks = format!("CreatedAt is {}, the gateway's clock says {}", header.created_at, snapshot.now);
        return Err(bad(&Fault::at(Code::MsgClock, clocks)));
    }
    if header.id.time().distance_ms(header.created_at) > limits::CLOCK_SKEW_MS {
        return Err(bad(&Fault::new(Code::MsgStaleId)));
    }
    if header.expires_at <= header.created_at || header.expires_at > header.created_at.plus_ms(limits::REQUEST_LIFE_MS) {
        return Err(bad(&Fault::new(Code::MsgLifetime)));
    }
    if asked.expires_at <= snapshot.now {
        return Err(Fault::new(Code::RteLate));
    }
    // Its maker said until when it holds: what is released later would be taken for what holds now.
    if header.expires_at <= snapshot.now { Err(bad(&Fault::new(Code::MsgExpired))) } else { Ok(()) }
}

fn check_body(snapshot: Snapshot<'_>, question: &Permitted, answer: &Message) -> Result<(), Fault> {
    answer.fits().map_err(|fault| bad(&fault))?;
    let asked = question.context().map(|context| &context.subject);
    if let (Some(asked), Some(context)) = (asked, &answer.context)
        && !are_nobody(question, asked, &context.subject)
        && !same_subject(asked, &context.subject)
    {
        return Err(Fault::new(Code::RteWrongSubject).with_sealed("the Subject of the answer's Context is not the question's"));
    }
    match &answer.body {
        Body::Documents(documents) => {
            let is_asked = matches!(question.message.body, Body::Ask(_));
            if let Some((_, found)) = answer.attached().find(|(_, found)| is_asked && **found != question.what) {
                return Err(wrong_type(question, found));
            }
            let mut documents = documents.iter();
            documents.try_for_each(|document| {
                let facts = document.as_ref().map_err(bad)?;
                check_document(snapshot, question, asked, facts)
            })
        }
        Body::NoRecord { document_type } if document_type != &question.what => Err(wrong_type(question, document_type)),
        Body::NoRecord { .. } | Body::Later { .. } | Body::State { .. } | Body::Fault { .. } => Ok(()),
        Body::Ask(_) => Err(bad(&Fault::at(Code::MsgStructure, "an answer asks for nothing"))),
    }
}

/// What is about nobody, as tasks for partners are, is answered about nobody.
fn are_nobody(question: &Permitted, asked: &Subject, answered: &Subject) -> bool {
    let is_application = question.message.header.kind == Kind::Application;
    is_application && *asked == Subject::default() && *answered == Subject::default()
}

/// An answer to a request holds the type asked for, about the subject asked about, with no field withheld. The answer
/// to an application is a document of the service's choice.
fn check_document(snapshot: Snapshot<'_>, question: &Permitted, asked: Option<&Subject>, facts: &Facts) -> Result<(), Fault> {
    let Body::Ask(ask) = &question.message.body else { return Ok(()) };
    if facts.document_type != question.what {
        return Err(wrong_type(question, &facts.document_type));
    }
    facts.in_force(snapshot.now.day()).map_err(|fault| bad(&fault))?;
    let document = snapshot.schemas.document_type(&question.what).ok_or_else(|| Fault::new(Code::DocUnknown))?;
    let (role, grounds) = (ask.role(), &question.grounds);
    if let Some(path) = grounds.withheld(&facts.optional_paths, &document.paths(), &document.described(role)) {
        // That there is such a field is for the operator and the holder to know.
        return Err(Fault::new(Code::PolWithheldField)
            .with_private(format!("the field {path}"))
            .with_sealed(format!("the field {path}")));
    }
    // Of a thing nobody is described who could be another than the one asked about.
    let is_about = grounds.about == About::Thing || asked.is_none_or(|asked| document_is_about((facts, document), role, asked));
    if is_about {
        Ok(())
    } else {
        Err(Fault::new(Code::RteWrongSubject).with_sealed(format!("a {} is about somebody else", question.what)))
    }
}

fn wrong_type(question: &Permitted, found: &Word) -> Fault {
    bad(&Fault::at(Code::DocType, format!("{found}, where {} was asked for", question.what)))
}

/// Whether a document describes a subject.
pub fn same_subject_as(left: &Subject, described: &Described) -> bool {
    same_subject(left, &as_asked(described))
}

/// Two descriptions are of one subject when they are of one kind and share an identifier; of one person also, where no identifier
/// tells, when name and birth date are the same. An identifier of the same scheme with another value settles that they are not.
/// Organisations may share a name, and have several: theirs counts for nothing.
pub fn same_subject(left: &Subject, right: &Subject) -> bool {
    let same_scheme = |a: &Identifier, b: &Identifier| a.scheme() == b.scheme();
    let pairs = || left.identifiers.iter().flat_map(|a| right.identifiers.iter().map(move |b| (a, b)));
    if left.kind() != right.kind() || pairs().any(|(a, b)| same_scheme(a, b) && a != b) {
        return false;
    }
    let by_name = || left.person().zip(right.person()).is_some_and(|(left, right)| same_person(left, right));
    pairs().any(|(a, b)| a == b) || by_name()
}

fn same_person(left: &Person, right: &Person) -> bool {
    let is_described = left.family.is_some() && left.birth_date.is_some();
    let same_name =
        same_name(left.family.as_ref(), right.family.as_ref()) && same_name(left.given.as_ref(), right.given.as_ref());
    is_described && same_name && left.birth_date == right.birth_date
}

/// Names are the same when they are canonically equivalent (Unicode Standard Annex 15): one letter with its accent, and the
/// letter with the accent behind it, look alike to everybody but a program. Letter case and everything else counts.
fn same_name(left: Option<&Personal>, right: Option<&Personal>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => {
            let (left, right) = (left.expose(), right.expose());
            left == right || !(left.is_ascii() && right.is_ascii()) && left.nfd().eq(right.nfd())
        }
        (left, right) => left == right,
    }
}

/// A document is about whoever it describes in the role that was asked for, and about nobody else in that role, unless the document
/// type says that several may have it: a certificate names two parents, and either may be the subject.
fn document_is_about((facts, document): (&Facts, &DocumentType), role: &str, asked: &Subject) -> bool {
    let mut described = facts.subjects_as(role).map(|described| same_subject(asked, &as_asked(described))).peekable();
    if document.lets_several(role) {
        return described.any(|is_asked| is_asked);
    }
    described.peek().is_some() && described.all(|is_asked| is_asked)
}

/// Whether a document is about a subject in any role; one of a thing describes nobody who could be another.
pub(super) fn is_about((facts, document): (&Facts, &DocumentType), subject: &Subject) -> bool {
    let roles = document.roles();
    roles.is_empty() || roles.into_iter().any(|role| document_is_about((facts, document), role, subject))
}

/// A subject of a document in the words of a question.
pub fn as_asked(described: &Described) -> Subject {
    let personal = |text: &Option<String>| text.as_deref().map(Personal::new);
    let said = match described.kind {
        SubjectKind::Person => envelope::Described::Person(Person {
            family: personal(&described.family),
            given: personal(&described.given),
            birth_date: personal(&described.birth_date),
        }),
        SubjectKind::Organisation => envelope::Described::Organisation(personal(&described.name)),
    };
    Subject { identifiers: described.identifiers.clone(), described: said }
}
