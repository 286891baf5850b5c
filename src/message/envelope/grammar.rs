//! The grammar of the envelope as a table: which element may follow which, and what its text is.

use super::{NAMESPACE, TYPES};
use crate::base::limits;
use crate::message::schema::FieldPath;

/// An element.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) uri: &'static str,
    pub(super) attributes: &'static [&'static str],
    pub(super) model: Model,
}

/// What an element holds.
pub(super) enum Model {
    /// Elements in order, only white space between them.
    Children(&'static [Particle]),
    /// Text with a meaning.
    Leaf(Field),
    /// Documents of other namespaces, and [`ATTACHED`].
    Documents,
}

/// A place in a sequence: one of some elements, so often.
pub(super) struct Particle {
    pub(super) rules: &'static [&'static Rule],
    pub(super) min: usize,
    pub(super) max: usize,
}

/// The leaves of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    MessageId,
    InReplyTo,
    Kind,
    From,
    To,
    CreatedAt,
    ExpiresAt,
    Test,
    SignerCertificate,
    Purpose,
    LegalBasis,
    Consent,
    SubjectId,
    OrganisationId,
    OrganisationName,
    Family,
    Given,
    BirthDate,
    OfficialId,
    OfficialRole,
    OnBehalfOf,
    Case,
    Situation,
    SituationVersion,
    Step,
    Region,
    Trace,
    AskType,
    AskOf,
    SelectPath,
    DuringFrom,
    DuringTo,
    NoRecordType,
    LaterBy,
    LaterReason,
    StateOf,
    StateAt,
    FaultCode,
    FaultBlame,
    FaultRetry,
    Count,
    Attachment,
    Attached,
    /// Text that is checked for its form and not kept.
    Line,
    Note,
    Absent,
    Sex,
    Country,
    PlaceId,
}

impl Field {
    /// The form of its value, for whoever wrote another.
    pub(super) const fn form(self) -> &'static str {
        match self {
            Self::MessageId => "a UUID of version 7 in lower case",
            Self::InReplyTo => "a UUID of version 7 in lower case, with sha256 as 64 hexadecimal digits in lower case",
            Self::Kind => "request, answer, event, application, status, cancel or fault",
            Self::From | Self::To | Self::OnBehalfOf => "an agency such as ru.yar.school-17",
            Self::CreatedAt | Self::ExpiresAt | Self::LaterBy | Self::StateAt => "an instant in UTC such as 2026-03-04T05:12:09Z",
            Self::Test => "true or false",
            Self::SignerCertificate => "44 characters of base64 without white space",
            Self::Consent | Self::Case => "a UUID in lower case",
            Self::SubjectId | Self::OrganisationId | Self::OfficialId | Self::PlaceId => "that of the identifier's scheme",
            Self::BirthDate => "a day, a month or a year such as 2015-09-01, 2015-09 or 2015",
            Self::DuringFrom | Self::DuringTo => "a day such as 2026-03-04",
            Self::Region => "a region of ISO 3166-2 such as RU-YAR",
            Self::Trace => "a trace context of the W3C, version 00",
            Self::SelectPath => FieldPath::FORM,
            Self::FaultCode => "a fault code such as OG-SIG-003",
            Self::FaultBlame => "sender, gateway or receiver",
            Self::FaultRetry => "never, after-change or later",
            Self::Count => "a number from 0 to 1000000",
            Self::Attachment => "no text; attributes id, name, mediaType, size and sha256 as message-1.xsd has them",
            Self::Attached => {
                "no text; attributes id, that of an attachment of the type application/xml, and documentType, a code"
            }
            Self::Note => "1 to 2000 characters",
            Self::Absent => "none, unknown or withheld",
            Self::Sex => "female, male, unknown or not-applicable",
            Self::Country => "two capital letters, stateless or unknown",
            Self::LegalBasis | Self::Family | Self::Given | Self::OrganisationName | Self::SituationVersion | Self::Line => {
                "one line of 1 to 200 characters"
            }
            Self::Purpose | Self::OfficialRole | Self::Situation | Self::Step | Self::AskType | Self::AskOf => CODE,
            Self::NoRecordType | Self::LaterReason | Self::StateOf => CODE,
        }
    }
}

const CODE: &str = "a code: 1 to 64 of a-z, 0-9, full stop and hyphen, a letter or digit first";

const fn children(name: &'static str, uri: &'static str, particles: &'static [Particle]) -> Rule {
    Rule { name, uri, attributes: &[], model: Model::Children(particles) }
}

const fn m(name: &'static str, field: Field) -> Rule {
    Rule { name, uri: NAMESPACE, attributes: &[], model: Model::Leaf(field) }
}

const fn t(name: &'static str, field: Field) -> Rule {
    Rule { name, uri: TYPES, attributes: &[], model: Model::Leaf(field) }
}

const fn with(rule: Rule, attributes: &'static [&'static str]) -> Rule {
    Rule { attributes, ..rule }
}

const fn one(rules: &'static [&'static Rule]) -> Particle {
    Particle { rules, min: 1, max: 1 }
}

const fn optional(rules: &'static [&'static Rule]) -> Particle {
    Particle { rules, min: 0, max: 1 }
}

const fn up_to(rules: &'static [&'static Rule], min: usize, max: usize) -> Particle {
    Particle { rules, min, max }
}

macro_rules! rules {
    ($($name:ident = $rule:expr;)*) => { $(static $name: Rule = $rule;)* };
}

pub(super) static MESSAGE: Rule = Rule {
    name: "Message",
    uri: NAMESPACE,
    attributes: &["version"],
    model: Model::Children(&[one(&[&HEADER]), optional(&[&CONTEXT]), one(&[&BODY]), optional(&[&ATTACHMENTS])]),
};

/// A document that comes as an attachment.
pub(super) static ATTACHED: Rule = with(m("Attached", Field::Attached), &["id", "documentType"]);

rules! {
    HEADER = children("Header", NAMESPACE, &[
        one(&[&MESSAGE_ID]), optional(&[&IN_REPLY_TO]), one(&[&KIND]), one(&[&FROM]), optional(&[&TO]), one(&[&CREATED_AT]),
        one(&[&EXPIRES_AT]), optional(&[&TEST]), optional(&[&SIGNER_CERTIFICATE]),
    ]);
    MESSAGE_ID = m("MessageId", Field::MessageId);
    IN_REPLY_TO = with(m("InReplyTo", Field::InReplyTo), &["sha256"]);
    KIND = m("Kind", Field::Kind);
    FROM = m("From", Field::From);
    TO = m("To", Field::To);
    CREATED_AT = m("CreatedAt", Field::CreatedAt);
    EXPIRES_AT = m("ExpiresAt", Field::ExpiresAt);
    TEST = m("Test", Field::Test);
    SIGNER_CERTIFICATE = m("SignerCertificate", Field::SignerCertificate);

    CONTEXT = children("Context", NAMESPACE, &[
        one(&[&PURPOSE]), up_to(&[&LEGAL_BASIS], 1, limits::LEGAL_BASES_MAX), optional(&[&CONSENT]), one(&[&SUBJECT, &ORGANISATION]),
        optional(&[&OFFICIAL]), optional(&[&ON_BEHALF_OF]), optional(&[&CASE]), optional(&[&SITUATION]),
        optional(&[&SITUATION_VERSION]), optional(&[&STEP]), optional(&[&REGION]), optional(&[&TRACE]),
    ]);
    PURPOSE = m("Purpose", Field::Purpose);
    LEGAL_BASIS = m("LegalBasis", Field::LegalBasis);
    CONSENT = m("Consent", Field::Consent);
    SUBJECT = children("Subject", NAMESPACE, &[
        up_to(&[&SUBJECT_ID], 0, limits::IDENTIFIERS_MAX), one(&[&NAME]), optional(&[&SEX]), optional(&[&BIRTH_DATE]),
        optional(&[&BIRTH_PLACE]), up_to(&[&CITIZENSHIP], 0, 4),
    ]);
    ORGANISATION = children("Organisation", NAMESPACE, &[
        up_to(&[&ORGANISATION_ID], 1, limits::IDENTIFIERS_MAX), optional(&[&ORGANISATION_NAME]),
    ]);
    ORGANISATION_ID = with(t("Id", Field::OrganisationId), &["scheme"]);
    ORGANISATION_NAME = t("Name", Field::OrganisationName);
    SUBJECT_ID = with(t("Id", Field::SubjectId), &["scheme"]);
    NAME = children("Name", TYPES, &[
        one(&[&FAMILY, &FAMILY_ABSENT]), one(&[&GIVEN, &GIVEN_ABSENT]), optional(&[&PATRONYMIC, &PATRONYMIC_ABSENT]), optional(&[&LATIN]),
    ]);
    FAMILY = t("Family", Field::Family);
    FAMILY_ABSENT = t("FamilyAbsent", Field::Absent);
    GIVEN = t("Given", Field::Given);
    GIVEN_ABSENT = t("GivenAbsent", Field::Absent);
    PATRONYMIC = t("Patronymic", Field::Line);
    PATRONYMIC_ABSENT = t("PatronymicAbsent", Field::Absent);
    LATIN = t("Latin", Field::Line);
    SEX = t("Sex", Field::Sex);
    BIRTH_DATE = t("BirthDate", Field::BirthDate);
    BIRTH_PLACE = children("BirthPlace", TYPES, &[one(&[&PLACE_COUNTRY]), optional(&[&PLACE_REGION]), optional(&[&PLACE_TEXT]), optional(&[&PLACE_CODE])]);
    PLACE_COUNTRY = t("Country", Field::Country);
    PLACE_REGION = t("Region", Field::Line);
    PLACE_TEXT = t("Text", Field::Line);
    PLACE_CODE = with(t("Code", Field::PlaceId), &["scheme"]);
    CITIZENSHIP = t("Citizenship", Field::Country);
    OFFICIAL = children("Official", NAMESPACE, &[one(&[&OFFICIAL_ID]), one(&[&OFFICIAL_ROLE])]);
    OFFICIAL_ID = with(m("Id", Field::OfficialId), &["scheme"]);
    OFFICIAL_ROLE = m("Role", Field::OfficialRole);
    ON_BEHALF_OF = m("OnBehalfOf", Field::OnBehalfOf);
    CASE = m("Case", Field::Case);
    SITUATION = m("Situation", Field::Situation);
    SITUATION_VERSION = m("SituationVersion", Field::SituationVersion);
    STEP = m("Step", Field::Step);
    REGION = m("Region", Field::Region);
    TRACE = m("Trace", Field::Trace);

    BODY = children("Body", NAMESPACE, &[one(&[&ASK, &DOCUMENTS, &NO_RECORD, &LATER, &STATE, &FAULT])]);
    ASK = children("Ask", NAMESPACE, &[one(&[&ASK_TYPE]), optional(&[&ASK_OF]), optional(&[&SELECT]), optional(&[&DURING])]);
    ASK_TYPE = m("DocumentType", Field::AskType);
    ASK_OF = m("Of", Field::AskOf);
    SELECT = children("Select", NAMESPACE, &[up_to(&[&PATH], 1, limits::SELECT_PATHS_MAX)]);
    PATH = m("Path", Field::SelectPath);
    DURING = children("During", NAMESPACE, &[one(&[&DURING_FROM]), optional(&[&DURING_TO])]);
    DURING_FROM = t("From", Field::DuringFrom);
    DURING_TO = t("To", Field::DuringTo);
    DOCUMENTS = Rule { name: "Documents", uri: NAMESPACE, attributes: &[], model: Model::Documents };
    NO_RECORD = children("NoRecord", NAMESPACE, &[one(&[&NO_RECORD_TYPE]), one(&[&SEARCHED])]);
    NO_RECORD_TYPE = m("DocumentType", Field::NoRecordType);
    SEARCHED = m("Searched", Field::Line);
    LATER = children("Later", NAMESPACE, &[one(&[&LATER_BY]), one(&[&LATER_REASON])]);
    LATER_BY = m("By", Field::LaterBy);
    LATER_REASON = m("Reason", Field::LaterReason);
    STATE = children("State", NAMESPACE, &[one(&[&STATE_OF]), one(&[&STATE_AT]), optional(&[&STATE_TEXT])]);
    STATE_OF = m("Of", Field::StateOf);
    STATE_AT = m("At", Field::StateAt);
    STATE_TEXT = m("Text", Field::Note);
    FAULT = children("Fault", NAMESPACE, &[
        one(&[&FAULT_CODE]), one(&[&FAULT_BLAME]), one(&[&FAULT_RETRY]), optional(&[&RETRY_AFTER]), optional(&[&WHERE]), one(&[&FAULT_TEXT]),
        one(&[&HELP]),
    ]);
    FAULT_CODE = m("Code", Field::FaultCode);
    FAULT_BLAME = m("Blame", Field::FaultBlame);
    FAULT_RETRY = m("Retry", Field::FaultRetry);
    RETRY_AFTER = m("RetryAfterSeconds", Field::Count);
    WHERE = m("Where", Field::Line);
    FAULT_TEXT = m("Text", Field::Note);
    HELP = m("Help", Field::Line);

    ATTACHMENTS = children("Attachments", NAMESPACE, &[up_to(&[&ATTACHMENT], 1, limits::ATTACHMENTS_MAX)]);
    ATTACHMENT = with(m("Attachment", Field::Attachment), &["id", "name", "mediaType", "size", "sha256"]);
}
