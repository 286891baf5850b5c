//! The values of an envelope as they come in, and the forms that they must have.

use super::grammar::Field;
use super::{
    Ask, Attachment, Body, Context, Described, Header, Kind, Message, Official, Person, Personal, ReplyTo, Subject, World,
};
use crate::base::fault::{Code as FaultCode, Fault};
use crate::base::ids::{AgencyId, CheckDigitError, Code, Digest, Identifier, MessageId, Region, Uuid};
use crate::base::time::{Day, UnixTime};
use crate::message::pki;
use crate::message::schema::{Facts, FieldPath};
use std::borrow::Cow;

/// What has been read so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) id: Option<MessageId>,
    pub(super) from: Option<AgencyId>,
    pub(super) documents: Vec<Result<Facts, Fault>>,
    in_reply_to: Option<ReplyTo>,
    kind: Option<Kind>,
    to: Option<AgencyId>,
    created_at: Option<UnixTime>,
    expires_at: Option<UnixTime>,
    test: bool,
    signer_certificate: Option<Digest>,
    purpose: Option<Code>,
    legal_basis: Vec<String>,
    consent: Option<Uuid>,
    identifiers: Vec<Identifier>,
    person: Person,
    /// The organisation, if it is one, and its name.
    organisation: Option<Option<Personal>>,
    official_id: Option<Identifier>,
    official_role: Option<Code>,
    on_behalf_of: Option<AgencyId>,
    case: Option<Uuid>,
    situation: Option<Code>,
    situation_version: Option<String>,
    step: Option<Code>,
    region: Option<Region>,
    trace: Option<String>,
    ask_type: Option<Code>,
    ask_of: Option<Code>,
    select: Vec<FieldPath>,
    during_from: Option<Day>,
    during_to: Option<Day>,
    body: Option<Body>,
    later_by: Option<UnixTime>,
    state_of: Option<Code>,
    fault: [Option<String>; 2],
    attachments: Vec<Attachment>,
    /// The documents that are attached: id and type.
    pub(super) attached: Vec<(String, Code)>,
}

const BAD: FaultCode = FaultCode::MsgValue;

impl Draft {
    /// Takes the text of a leaf; the error is the code of the broken rule.
    pub(super) fn set(&mut self, field: Field, raw: &str, attributes: &[String]) -> Result<(), FaultCode> {
        let text = &*collapse(raw);
        let attribute = attributes.first().map_or("", String::as_str);
        match field {
            Field::MessageId => self.id = Some(MessageId::parse(text).ok_or(BAD)?),
            Field::InReplyTo => {
                let (id, digest) = (MessageId::parse(text).ok_or(BAD)?, Digest::parse_hex(attribute).ok_or(BAD)?);
                self.in_reply_to = Some(ReplyTo { id, digest });
            }
            Field::Kind => self.kind = Some(Kind::parse(text).ok_or(BAD)?),
            Field::From => self.from = Some(AgencyId::parse(text).ok_or(BAD)?),
            Field::To => self.to = Some(AgencyId::parse(text).ok_or(BAD)?),
            Field::CreatedAt => self.created_at = Some(UnixTime::parse(text).ok_or(BAD)?),
            Field::ExpiresAt => self.expires_at = Some(UnixTime::parse(text).ok_or(BAD)?),
            Field::Test => self.test = boolean(text).ok_or(BAD)?,
            Field::SignerCertificate => self.signer_certificate = Some(thumbprint(text).ok_or(BAD)?),
            Field::AskType => self.ask_type = Some(Code::parse(text).ok_or(BAD)?),
            Field::AskOf => self.ask_of = Some(Code::parse(text).ok_or(BAD)?),
            Field::SelectPath => self.select.push(FieldPath::parse(text).ok_or(BAD)?),
            Field::DuringFrom => self.during_from = Some(Day::parse(text).ok_or(BAD)?),
            Field::DuringTo => self.during_to = Some(Day::parse(text).ok_or(BAD)?),
            Field::Attachment => self.attachments.push(attachment(raw, attributes).ok_or(BAD)?),
            Field::Attached => self.attached.push(attached(raw, attributes).ok_or(BAD)?),
            _ => return self.set_context(field, text, raw, attribute),
        }
        Ok(())
    }

    fn set_context(&mut self, field: Field, text: &str, raw: &str, attribute: &str) -> Result<(), FaultCode> {
        match field {
            Field::Purpose => self.purpose = Some(Code::parse(text).ok_or(BAD)?),
            Field::LegalBasis => self.legal_basis.push(line(text).ok_or(BAD)?),
            Field::Consent => self.consent = Some(Uuid::parse(text).ok_or(BAD)?),
            Field::SubjectId => self.identifiers.push(identifier(attribute, text)?),
            Field::Family => self.person.family = Some(Personal::new(line(text).ok_or(BAD)?)),
            Field::Given => self.person.given = Some(Personal::new(line(text).ok_or(BAD)?)),
            Field::BirthDate => self.person.birth_date = Some(Personal::new(partial_day(text).ok_or(BAD)?)),
            Field::OrganisationId => {
                self.identifiers.push(identifier(attribute, text)?);
                self.organisation.get_or_insert_default();
            }
            Field::OrganisationName => self.organisation = Some(Some(Personal::new(line(text).ok_or(BAD)?))),
            Field::OfficialId => self.official_id = Some(identifier(attribute, text)?),
            Field::OfficialRole => self.official_role = Some(Code::parse(text).ok_or(BAD)?),
            Field::OnBehalfOf => self.on_behalf_of = Some(AgencyId::parse(text).ok_or(BAD)?),
            Field::Case => self.case = Some(Uuid::parse(text).ok_or(BAD)?),
            Field::Situation => self.situation = Some(Code::parse(text).ok_or(BAD)?),
            Field::SituationVersion => self.situation_version = Some(line(text).ok_or(BAD)?),
            Field::Step => self.step = Some(Code::parse(text).ok_or(BAD)?),
            Field::Region => self.region = Some(Region::parse(text).ok_or(BAD)?),
            Field::Trace => self.trace = Some(trace(text).ok_or(BAD)?),
            _ => return self.set_body(field, text, raw, attribute),
        }
        Ok(())
    }

    fn set_body(&mut self, field: Field, text: &str, raw: &str, attribute: &str) -> Result<(), FaultCode> {
        match field {
            Field::NoRecordType => self.body = Some(Body::NoRecord { document_type: Code::parse(text).ok_or(BAD)? }),
            Field::LaterBy => self.later_by = Some(UnixTime::parse(text).ok_or(BAD)?),
            Field::LaterReason => {
                let (by, reason) = (self.later_by.ok_or(BAD)?, Code::parse(text).ok_or(BAD)?);
                self.body = Some(Body::Later { by, reason });
            }
            Field::StateOf => self.state_of = Some(Code::parse(text).ok_or(BAD)?),
            Field::StateAt => {
                let (of, at) = (self.state_of.take().ok_or(BAD)?, UnixTime::parse(text).ok_or(BAD)?);
                self.body = Some(Body::State { of, at });
            }
            Field::FaultCode => self.fault[0] = Some(fault_code(text).ok_or(BAD)?),
            Field::FaultBlame => self.fault[1] = Some(one_of(text, &["sender", "gateway", "receiver"]).ok_or(BAD)?),
            Field::FaultRetry => {
                let retry = one_of(text, &["never", "after-change", "later"]).ok_or(BAD)?;
                let [code, blame] = std::mem::take(&mut self.fault);
                self.body = Some(Body::Fault { code: code.ok_or(BAD)?, blame: blame.ok_or(BAD)?, retry });
            }
            _ => check_form(field, text, raw, attribute)?,
        }
        Ok(())
    }

    pub(super) fn header(&self) -> Result<Header, Fault> {
        let missing = || Fault::at(FaultCode::MsgStructure, "a header that lacks an element");
        Ok(Header {
            id: self.id.ok_or_else(missing)?,
            in_reply_to: self.in_reply_to,
            kind: self.kind.ok_or_else(missing)?,
            from: self.from.clone().ok_or_else(missing)?,
            to: self.to.clone(),
            created_at: self.created_at.ok_or_else(missing)?,
            expires_at: self.expires_at.ok_or_else(missing)?,
            world: if self.test { World::Test } else { World::Live },
            signer_certificate: self.signer_certificate,
        })
    }

    pub(super) fn into_message(mut self) -> Result<Message, Fault> {
        let header = self.header()?;
        let body = match (self.body.take(), self.ask_type.take()) {
            (Some(body), _) => body,
            (None, Some(document_type)) => Body::Ask(Ask {
                document_type,
                of: self.ask_of.take(),
                select: std::mem::take(&mut self.select),
                during: self.during_from.map(|from| (from, self.during_to)),
            }),
            (None, None) => Body::Documents(std::mem::take(&mut self.documents)),
        };
        let mut attachments = std::mem::take(&mut self.attachments);
        for (id, document) in std::mem::take(&mut self.attached) {
            let named =
                attachments.iter_mut().find(|named| named.id == id && named.document.is_none() && is_xml(&named.media_type));
            let strange =
                || Fault::at(FaultCode::MsgStructure, "Attached names no attachment of the type application/xml, or one twice");
            named.ok_or_else(strange)?.document = Some(document);
        }
        Ok(Message { header, context: self.into_context(), body, attachments })
    }

    fn into_context(self) -> Option<Context> {
        let version = self.situation_version;
        let described = self.organisation.map_or(Described::Person(self.person), Described::Organisation);
        Some(Context {
            purpose: self.purpose?,
            legal_basis: self.legal_basis,
            consent: self.consent,
            subject: Subject { identifiers: self.identifiers, described },
            official: self.official_id.zip(self.official_role).map(|(identifier, role)| Official { identifier, role }),
            on_behalf_of: self.on_behalf_of,
            case: self.case,
            situation: self.situation.map(|situation| (situation, version)),
            step: self.step,
            region: self.region,
            trace: self.trace,
        })
    }
}

/// The forms of values that are checked and not kept.
fn check_form(field: Field, text: &str, raw: &str, attribute: &str) -> Result<(), FaultCode> {
    let good = match field {
        Field::Line => line(text).is_some(),
        Field::Note => (1..=2000).contains(&raw.chars().count()),
        Field::Absent => matches!(text, "none" | "unknown" | "withheld"),
        Field::Sex => matches!(text, "female" | "male" | "unknown" | "not-applicable"),
        Field::Country => {
            matches!(text, "stateless" | "unknown") || (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()))
        }
        Field::Count => text.parse::<u32>().is_ok_and(|count| count <= 1_000_000),
        Field::PlaceId => identifier(attribute, text).map(|_| true)?,
        _ => false,
    };
    if good { Ok(()) } else { Err(BAD) }
}

/// White space collapsed, as `xs:token` has it.
pub(super) fn collapse(text: &str) -> Cow<'_, str> {
    let space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let tight = !text.bytes().any(|byte| matches!(byte, b'\t' | b'\n' | b'\r')) && !text.contains("  ");
    if tight && !text.bytes().next().is_some_and(space) && !text.bytes().next_back().is_some_and(space) {
        return Cow::Borrowed(text);
    }
    let words: Vec<&str> = text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect();
    Cow::Owned(words.join(" "))
}

fn line(text: &str) -> Option<String> {
    (1..=200).contains(&text.chars().count()).then(|| text.to_owned())
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn one_of(text: &str, words: &[&str]) -> Option<String> {
    words.contains(&text).then(|| text.to_owned())
}

fn thumbprint(text: &str) -> Option<Digest> {
    // It is a token: nothing stands inside.
    if text.contains(' ') {
        return None;
    }
    <[u8; 32]>::try_from(pki::decode(text)?.as_slice()).ok().map(Digest::from_octets)
}

fn identifier(scheme: &str, value: &str) -> Result<Identifier, FaultCode> {
    Identifier::parse(scheme, value).map_err(|error| if error == CheckDigitError::Form { BAD } else { FaultCode::DocCheckDigit })
}

fn partial_day(text: &str) -> Option<String> {
    let padded = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    Day::parse(&padded).map(|_| text.to_owned())
}

/// W3C Trace Context, section 3.2, version 00.
fn trace(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let hex =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match parts.as_slice() {
        ["00", trace, span, flags] if hex(trace, 32) && hex(span, 16) && hex(flags, 2) => Some(text.to_owned()),
        _ => None,
    }
}

/// `OG-SIG-003`; the family has three or four letters.
fn fault_code(text: &str) -> Option<String> {
    let (family, number) = text.strip_prefix("OG-")?.split_once('-')?;
    let good = matches!(family.len(), 3 | 4)
        && family.bytes().all(|byte| byte.is_ascii_uppercase())
        && number.len() == 3
        && number.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.to_owned())
}

fn attachment(text: &str, attributes: &[String]) -> Option<Attachment> {
    let [id, name, media_type, size, sha256] = attributes else { return None };
    let digits = size.len() <= 16 && size.bytes().all(|byte| byte.is_ascii_digit());
    let size = size.parse().ok().filter(|size| digits && *size <= ATTACHMENT_SIZE_MAX)?;
    Code::parse(id).filter(|_| text.is_empty() && is_media_type(media_type))?;
    Some(Attachment {
        id: id.clone(),
        name: line(name)?,
        media_type: line(media_type)?,
        size,
        sha256: Digest::parse_hex(sha256)?,
        document: None,
    })
}

fn attached(text: &str, attributes: &[String]) -> Option<(String, Code)> {
    let [id, document_type] = attributes else { return None };
    Code::parse(id).filter(|_| text.is_empty())?;
    Some((id.clone(), Code::parse(document_type)?))
}

/// Parameters say nothing: what is read is UTF-8.
fn is_xml(media_type: &str) -> bool {
    let essence = media_type.split_once(';').map_or(media_type, |(essence, _)| essence.trim_end());
    essence.eq_ignore_ascii_case("application/xml")
}

/// The largest whole number that every JSON reader keeps (RFC 8259, section 6).
const ATTACHMENT_SIZE_MAX: u64 = (1 << 53) - 1;

/// Type and subtype as RFC 6838, section 4.2, has their names; parameters may follow.
fn is_media_type(text: &str) -> bool {
    let essence = text.split_once(';').map_or(text, |(essence, _)| essence.strip_suffix(' ').unwrap_or(essence));
    let is_name = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        (1..=127).contains(&name.len())
            && name.bytes().all(plain)
            && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
    };
    essence.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}
