//! The catalogue of faults: every refusal and failure that leaves the gateway has one stable code.
//!
//! A code says whose fault it is, whether to try again, and which HTTP status carries it (RFC 9457 for the form). The
//! table below is the contract: codes are added, never changed. What only the operator may know goes into
//! [`Fault::private`], which reaches the operator's log and never the peer; what only auditors and a holder may know, into
//! [`Fault::sealed`], which reaches neither.

use std::borrow::Cow;
use std::fmt;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The agency that sent the message.
    Sender,
    /// This gateway.
    Gateway,
    /// The agency that was to receive or answer it.
    Receiver,
}

impl Blame {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Gateway => "gateway",
            Self::Receiver => "receiver",
        }
    }
}

/// Whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same question gets the same refusal.
    Never,
    /// After the sender changed something.
    AfterChange,
    /// The same message later.
    Later,
}

impl Retry {
    /// The word of the contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::AfterChange => "after-change",
            Self::Later => "later",
        }
    }
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $blame:ident, $retry:ident, $title:literal, $next:literal;)*) => {
        /// A fault code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $title] $name,)* }

        impl Code {
            /// All codes, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            const fn row(self) -> (&'static str, u16, Blame, Retry, &'static str, &'static str) {
                match self { $(Self::$name => ($code, $status, Blame::$blame, Retry::$retry, $title, $next)),* }
            }
        }
    };
}

catalogue! {
    HttpMalformed = "OG-HTTP-001", 400, Sender, AfterChange, "the HTTP request is malformed", "send HTTP/1.1 or HTTP/2 as RFC 9112 and RFC 9113 define it";
    HttpNoSuchPath = "OG-HTTP-002", 404, Sender, AfterChange, "there is nothing at this path", "see the paths in /v1/openapi.json";
    HttpMethod = "OG-HTTP-003", 405, Sender, AfterChange, "the method is not allowed here", "use a method from the Allow header";
    HttpTimeout = "OG-HTTP-004", 408, Sender, Later, "the request did not arrive in time", "send head and body without pauses";
    HttpLengthRequired = "OG-HTTP-005", 411, Sender, AfterChange, "a Content-Length is required", "send Content-Length and no Transfer-Encoding";
    HttpTooLarge = "OG-HTTP-006", 413, Sender, AfterChange, "the message is too large", "send fewer or smaller documents; docs/message.md has the limits";
    HttpMediaType = "OG-HTTP-007", 415, Sender, AfterChange, "the media type is not supported", "send Content-Type: application/xml, without Content-Encoding";
    HttpHeadTooLarge = "OG-HTTP-008", 431, Sender, AfterChange, "the request head is too large", "send fewer or shorter header fields";
    HttpBusy = "OG-HTTP-009", 503, Gateway, Later, "the gateway is stopping or has no room", "send the same message again after Retry-After seconds";
    HttpIncomplete = "OG-HTTP-010", 400, Sender, Later, "the body ended before its Content-Length", "send the same message again";
    HttpExpectation = "OG-HTTP-011", 417, Sender, AfterChange, "the expectation cannot be met", "send the request without Expect";
    HttpMisdirected = "OG-HTTP-012", 421, Sender, AfterChange, "this is at the gateway's other listener", "send it to the listener that the table of calls in docs/http.md names";

    TlsUnknownCertificate = "OG-TLS-001", 403, Sender, AfterChange, "the client certificate is not in the registry", "register the certificate: oncegate agency add";
    TlsAgencySuspended = "OG-TLS-002", 403, Sender, AfterChange, "the agency is suspended", "ask the authority of the registry";

    XmlNotUtf8 = "OG-XML-001", 400, Sender, AfterChange, "the message is not UTF-8", "write the message as UTF-8 without a byte order mark";
    XmlMalformed = "OG-XML-002", 400, Sender, AfterChange, "the message is not well-formed XML 1.0", "check the message with: xmllint --noout FILE";
    XmlDoctype = "OG-XML-003", 400, Sender, AfterChange, "a DOCTYPE is forbidden", "leave the DOCTYPE out";
    XmlInstruction = "OG-XML-004", 400, Sender, AfterChange, "a processing instruction is forbidden", "leave it out";
    XmlComment = "OG-XML-005", 400, Sender, AfterChange, "a comment is forbidden", "leave comments out of signed messages";
    XmlCdata = "OG-XML-006", 400, Sender, AfterChange, "a CDATA section is forbidden", "escape the text instead";
    XmlEntity = "OG-XML-007", 400, Sender, AfterChange, "only the five predefined entities are allowed", "write the characters themselves";
    XmlVersion = "OG-XML-008", 400, Sender, AfterChange, "only XML 1.0 is allowed", "declare version 1.0 or leave the declaration out";
    XmlNamespace = "OG-XML-009", 400, Sender, AfterChange, "the namespaces are not well-formed or a namespace name is relative", "declare each prefix once, with an absolute URI";
    XmlForbiddenAttribute = "OG-XML-010", 400, Sender, AfterChange, "xml:base and xsi:schemaLocation are forbidden", "leave the attribute out";
    XmlQName = "OG-XML-011", 400, Sender, AfterChange, "a qualified name in a value uses a prefix that the signature does not cover", "use the prefix in an element or attribute name on the same element";
    XmlLimit = "OG-XML-012", 400, Sender, AfterChange, "the message exceeds a limit of its structure", "keep within the limits of docs/message.md";

    SigMissing = "OG-SIG-001", 400, Sender, AfterChange, "the message has no signature", "sign the message; ds:Signature is the last child of Message";
    SigProfile = "OG-SIG-002", 400, Sender, AfterChange, "the signature is not of the profile og-sig-1", "sign from the template of docs/message.md";
    SigDigest = "OG-SIG-003", 400, Sender, AfterChange, "the digest is not that of the message", "sign last and send the signed octets unchanged";
    SigSender = "OG-SIG-004", 403, Sender, AfterChange, "the sender is not the agency of the client certificate", "set From to your own agency";
    SigAlgorithm = "OG-SIG-005", 400, Sender, AfterChange, "the signature algorithm is not the one enrolled for the key", "sign with the enrolled algorithm";
    SigKeyUnknown = "OG-SIG-006", 403, Sender, AfterChange, "the key is not enrolled for the sender", "sign with an enrolled key, or enrol this one: oncegate agency cert";
    SigKeyExpired = "OG-SIG-007", 403, Sender, AfterChange, "the key is not valid at this time", "enrol a new key: oncegate agency cert";
    SigKeyRevoked = "OG-SIG-008", 403, Sender, AfterChange, "the key is revoked", "enrol a new key: oncegate agency cert";
    SigInvalid = "OG-SIG-009", 400, Sender, AfterChange, "the signature is not valid", "check that the private key belongs to the enrolled certificate";
    SigCertificate = "OG-SIG-010", 400, Sender, AfterChange, "SignerCertificate does not name the certificate used", "leave SignerCertificate out or set it to the SHA-256 of the certificate";

    MsgStructure = "OG-MSG-001", 400, Sender, AfterChange, "the envelope is not as message-1.xsd defines it", "check the message with: oncegate validate FILE";
    MsgValue = "OG-MSG-002", 400, Sender, AfterChange, "a value of the envelope does not have the required form", "check the message with: oncegate validate FILE";
    MsgKind = "OG-MSG-003", 400, Sender, AfterChange, "this kind of message is not accepted here", "send a request or an application, or an answer to one";
    MsgContext = "OG-MSG-004", 400, Sender, AfterChange, "the message needs a Context", "say purpose, legal basis and subject in Context";
    MsgStaleId = "OG-MSG-011", 400, Sender, AfterChange, "the time of MessageId is too far from CreatedAt or older than the window", "make a new UUIDv7 for each message";
    MsgLifetime = "OG-MSG-012", 400, Sender, AfterChange, "ExpiresAt is not after CreatedAt by at most the time allowed", "set ExpiresAt at most 24 hours after CreatedAt";
    MsgClock = "OG-MSG-013", 400, Sender, AfterChange, "CreatedAt is more than five minutes from the gateway's clock", "set the clock of your system and send at once";
    MsgReplayed = "OG-MSG-014", 409, Sender, AfterChange, "this message id was used with another content", "make a new MessageId for a new content";
    MsgExpired = "OG-MSG-015", 410, Sender, AfterChange, "the message has expired", "make a new message";
    MsgReplyTo = "OG-MSG-016", 400, Sender, AfterChange, "the message answers a question that is not known here", "set InReplyTo to the id and digest of the message answered";
    MsgInProgress = "OG-MSG-017", 409, Sender, Later, "the same message is being processed", "wait, then send the same message again for its outcome";
    MsgUnknown = "OG-MSG-018", 404, Sender, AfterChange, "no such message of yours is known", "ask with the id of a message that you sent within 48 hours";
    MsgTest = "OG-MSG-019", 400, Sender, AfterChange, "test messages and live messages do not mix", "send Test messages between agencies in test mode only";
    MsgLease = "OG-MSG-020", 404, Sender, AfterChange, "no such lease of yours is running", "take what waits from the inbox again: it comes under a new lease";
    MsgCancelled = "OG-MSG-021", 409, Sender, Never, "the question was cancelled by its sender", "make a new request if it is wanted again";
    MsgTooLate = "OG-MSG-022", 409, Sender, Never, "it is too late to cancel the question", "get its outcome by its id";

    DocUnknown = "OG-DOC-001", 422, Sender, AfterChange, "no schema is known for this document", "see /v1/catalogue for the documents and their namespaces";
    DocSchema = "OG-DOC-002", 422, Sender, AfterChange, "the document is not valid by its schema", "check the document with: oncegate validate FILE";
    DocType = "OG-DOC-003", 422, Sender, AfterChange, "the document is of another type than asked for", "answer with the document type of the request";
    DocEnded = "OG-DOC-004", 422, Sender, AfterChange, "the document is of a version that has ended", "send a version that is in force; see /v1/catalogue";
    DocSubject = "OG-DOC-005", 422, Sender, AfterChange, "the document of an event is about somebody else than its Context", "name in Context whom the document is about";
    DocCheckDigit = "OG-DOC-021", 422, Sender, AfterChange, "an identifier has wrong check digits or a wrong form for its scheme", "correct the identifier";
    DocPeriod = "OG-DOC-031", 422, Sender, AfterChange, "a period ends before it begins, or its number of days is wrong", "count both the first and the last day";
    DocBirth = "OG-DOC-032", 422, Sender, AfterChange, "a birth lies after the record of it", "correct the dates";
    DocMarriage = "OG-DOC-033", 422, Sender, AfterChange, "a marriage ends before it begins", "correct the dates";
    DocParents = "OG-DOC-034", 422, Sender, AfterChange, "a parent's role is given twice", "give each role once, as Parent or ParentNotStated";

    PolNoGrant = "OG-POL-001", 403, Sender, AfterChange, "no grant permits this request", "ask the authority for a grant; /v1/catalogue lists those that you have";
    PolPurpose = "OG-POL-002", 403, Sender, AfterChange, "the grant is for another purpose", "ask for a purpose that /v1/catalogue lists for you";
    PolBasis = "OG-POL-003", 403, Sender, AfterChange, "the grant is for another legal basis", "name the legal basis that /v1/catalogue lists for you";
    PolExpired = "OG-POL-004", 403, Sender, AfterChange, "the grant has ended", "ask the authority to renew it";
    PolDelegation = "OG-POL-005", 403, Sender, AfterChange, "the sender may not ask on behalf of this agency", "ask the authority for a delegation (oncegate agency delegate), or leave OnBehalfOf out and ask by your own grants";
    PolField = "OG-POL-011", 403, Sender, AfterChange, "the request selects a field that the grant does not give", "select fields that /v1/catalogue lists for you";
    PolWithheldField = "OG-POL-012", 502, Receiver, Later, "the answer holds a field that the request may not receive", "the holder must leave the field out; nothing was released";
    PolEventField = "OG-POL-013", 403, Sender, AfterChange, "the event has a field that the grant of somebody who would be told of it does not give", "the publisher tells a variant of it without the field; the subscriber asks the authority for the field, and gets what is told from then on";

    LimRequests = "OG-LIM-001", 429, Sender, Later, "the agency's quota of requests is used up", "send again after Retry-After seconds";
    LimParallel = "OG-LIM-002", 429, Sender, Later, "the agency has too many exchanges open at once", "wait for answers before sending more";
    LimGrant = "OG-LIM-003", 429, Sender, Later, "the grant's quota is used up", "send again after Retry-After seconds";
    LimBytes = "OG-LIM-004", 429, Sender, Later, "the agency's quota of bytes is used up", "send again after Retry-After seconds";
    LimPersons = "OG-LIM-005", 429, Sender, Later, "the agency's budget of different persons a day is used up", "ask again on the next day, or ask the authority for a larger budget";
    LimMisses = "OG-LIM-006", 429, Sender, Later, "the agency has asked about too many people of whom there is no record today", "ask again on the next day; check where your identifiers come from";

    RteNoHolder = "OG-RTE-001", 404, Sender, AfterChange, "no holder is registered for this document type, subject and region", "name the holder in To, or another region";
    RteUnreachable = "OG-RTE-002", 502, Receiver, Later, "the holder cannot be reached", "send the same message again later";
    RteBadAnswer = "OG-RTE-003", 502, Receiver, Later, "the holder's answer is not a valid signed answer", "nothing was released; send the same message again later";
    RteWrongSubject = "OG-RTE-004", 502, Receiver, Later, "the holder's answer is about another subject", "nothing was released; the holder must correct its answer";
    RteWrongQuestion = "OG-RTE-005", 502, Receiver, Later, "the holder's answer is to another question", "nothing was released; the holder must correct its answer";
    RteDeadline = "OG-RTE-006", 504, Receiver, Later, "the holder did not answer in time", "send the same message again later";
    RteLate = "OG-RTE-007", 504, Receiver, AfterChange, "the answer came after the request had expired", "make a new request";
    RteBusy = "OG-RTE-008", 503, Receiver, Later, "the holder is too busy", "send the same message again after Retry-After seconds";
    RteLeftAlone = "OG-RTE-009", 503, Receiver, Later, "the holder has failed several times in a row and is left alone for a while", "send the same message again after Retry-After seconds, or with Prefer: respond-async";

    LogUnavailable = "OG-LOG-001", 503, Gateway, Later, "the record could not be made durable: nothing was released", "send the same message again after Retry-After seconds";
    LogForked = "OG-LOG-002", 503, Gateway, Never, "a witness knows another history of this log", "tell the operator: restore the newest copy of the data directory, and find out who changed it";

    AudQuery = "OG-AUD-001", 400, Sender, AfterChange, "the query of the log is not valid", "correct the key that is named; docs/audit.md lists all keys";
    AudCursor = "OG-AUD-002", 400, Sender, AfterChange, "the cursor is not of this query", "leave the cursor out, or use the one that the last page gave";
    AudReason = "OG-AUD-003", 400, Sender, AfterChange, "whoever asks for a person, an official or what is private must say why, and not in an address", "send POST /v1/log/search with a reason";
    AudUnknown = "OG-AUD-004", 404, Sender, AfterChange, "no such record of yours is in the log", "ask with the index of a record of your own exchanges";
    AudRole = "OG-AUD-005", 403, Sender, AfterChange, "the agency does not have the role for this", "ask the authority for the role";
    AudTrail = "OG-AUD-006", 400, Sender, AfterChange, "the message is not a request for a trail", "ask for access-trail, for citizen-trail, with the identifier of the citizen as the subject";
    AudBusy = "OG-AUD-007", 503, Gateway, Later, "too many reports are being made at once", "ask again after Retry-After seconds";
    AudUnavailable = "OG-AUD-008", 503, Gateway, Later, "the log cannot be read at present: its index is being brought up to date, or a file cannot be read", "ask again after Retry-After seconds; /health says how far the index is";

    AttFraming = "OG-ATT-001", 400, Sender, AfterChange, "the parts of the body are not those of multipart/related", "send the message as the first part and each attachment once, as docs/http.md has it";
    AttUnnamed = "OG-ATT-002", 400, Sender, AfterChange, "a part is not an attachment that the message names, or comes twice", "send the attachments that the message names, each once, its id as Content-ID";
    AttMissing = "OG-ATT-003", 400, Sender, AfterChange, "an attachment that the message names did not come", "send the message as multipart/related, with all attachments that it names";
    AttDiffers = "OG-ATT-004", 400, Sender, AfterChange, "an attachment has another size or SHA-256 than the message says", "hash the file, sign the message and send the file unchanged";
    AttName = "OG-ATT-005", 400, Sender, AfterChange, "an attachment has no name that is safe on every system", "name it without path, control characters and reserved words; docs/http.md has the rules";
    AttTooLarge = "OG-ATT-006", 413, Sender, AfterChange, "an attachment is larger than this gateway takes", "send smaller ones; /v1/catalogue has the limit";
    AttNoRoom = "OG-ATT-007", 503, Gateway, Later, "there is no room for attachments at present", "send the same message again after Retry-After seconds";
    AttUnknown = "OG-ATT-008", 404, Sender, AfterChange, "no such attachment of a message from or to you is kept here", "ask with the sha256 of an attachment, while its message may be asked for";
    AttRange = "OG-ATT-009", 416, Sender, AfterChange, "the range is not in the attachment", "ask for a range within its size";

    CatSyntax = "OG-CAT-001", 500, Gateway, AfterChange, "a file of the catalogue is not of its form", "correct the file at the place named; docs/situations.md has all keys";
    CatUnknown = "OG-CAT-002", 500, Gateway, AfterChange, "a file of the catalogue speaks of something that is not there", "correct the word, or add what it means to agencies.toml, documents.toml, roles.toml or facts.toml";
    CatOrder = "OG-CAT-003", 500, Gateway, AfterChange, "the steps of a situation have no order: one is unknown, stands twice, or waits for itself", "correct id and after of the steps that are named";
    CatCondition = "OG-CAT-004", 500, Gateway, AfterChange, "a condition cannot be understood", "correct it at the place marked; docs/situations.md has the language";
    CatFact = "OG-CAT-005", 500, Gateway, AfterChange, "nobody can say what a fact is", "say where it is found, what it is where there is none, or how the citizen is asked";
    CatHolder = "OG-CAT-006", 500, Gateway, AfterChange, "nobody holds a document that is needed", "name its holder in documents.toml";
    CatDeadline = "OG-CAT-007", 500, Gateway, AfterChange, "a term cannot be understood", "write working days as 5wd, or an ISO 8601 duration of one part";
    CatTooMuch = "OG-CAT-008", 500, Gateway, AfterChange, "a catalogue has more of something than it may", "make it smaller; docs/limits.md has the limits";
    CatText = "OG-CAT-009", 500, Gateway, AfterChange, "a text for people is missing in a language, or is too long", "write it in each language of catalogue.toml, in at most 300 characters";
    CatWorse = "OG-CAT-010", 500, Gateway, AfterChange, "an overlay would make it worse for people", "leave the step as the country has it, or make it better: shorter, with fewer documents, with fewer ways";
    CatBase = "OG-CAT-011", 500, Gateway, AfterChange, "an overlay is of a version that is not there", "compare it with the version that is, and write that as base";
    CatGrant = "OG-CAT-012", 500, Gateway, AfterChange, "no grant lets an agency have a document that a step of it needs", "ask the authority of the registry for the grant, or leave the document out";
    CatPath = "OG-CAT-013", 500, Gateway, AfterChange, "a document has no such place, or names nobody in such a role", "correct the path; oncegate schema fields shows all paths of a document";
    CatInPerson = "OG-CAT-014", 500, Gateway, AfterChange, "people have to come, and no law is named", "name the law in legal, or let it be done online";

    QuaSyntax = "OG-QUA-001", 500, Gateway, AfterChange, "a file about quality is not of its form", "correct the file at the place named; docs/quality.md has all keys";
    QuaUnknown = "OG-QUA-002", 500, Gateway, AfterChange, "a file about quality speaks of something that is not there", "correct the word; the nearest known one is named";
    QuaTooMuch = "OG-QUA-003", 500, Gateway, AfterChange, "a file about quality is larger than it may be", "make it smaller; docs/limits.md has the limits";

    CasUnknown = "OG-CAS-001", 404, Sender, AfterChange, "there is no such case, or you have no part in it", "check the id of the case, and ask as an agency that has a part in it";
    CasOver = "OG-CAS-002", 409, Sender, Never, "the case is over", "apply again";
    CasAnswer = "OG-CAS-003", 422, Sender, AfterChange, "an answer is not of its kind, or answers nothing that was asked", "answer what GET /v1/cases/{id}/form asks, each in its kind";
    CasParty = "OG-CAS-004", 403, Sender, AfterChange, "this is for another party of the case to do", "ask whoever applied, or the coordinator";
    CasSituation = "OG-CAS-005", 422, Sender, AfterChange, "there is no such situation, or it does not begin in this way", "see the situations and what starts them: oncegate catalogue list";
    CasStep = "OG-CAS-006", 409, Sender, AfterChange, "the case has no such step, or it is not at a point where this can be done", "see the steps of the case: GET /v1/cases/{id}";
    CasDocument = "OG-CAS-007", 422, Sender, AfterChange, "a document was not asked for, or is about somebody else", "bring what GET /v1/cases/{id}/form asks for";
    CasNone = "OG-CAS-008", 404, Gateway, AfterChange, "this gateway coordinates no cases", "ask the operator to name the coordinating agency in [cases]";
    CasGives = "OG-CAS-009", 502, Receiver, AfterChange, "an agency says that its step is done, and the document that it makes is not there", "answer with the document that the step gives";
    CasLink = "OG-CAS-010", 410, Sender, AfterChange, "the link is not in force", "ask for a new one where you applied";

    ConsoleDuty = "OG-CON-001", 403, Sender, Never, "this page is not for what you do here", "ask the operator for the role that needs it";
    ConsoleForm = "OG-CON-002", 403, Sender, AfterChange, "the form did not come from a page of this console, or you were signed out meanwhile", "open the page anew, and send its form";
    ConsoleLink = "OG-CON-003", 410, Sender, AfterChange, "this link signs in nobody: it was used, has expired, or never was", "ask the operator for a new one: oncegate console link";
    ConsoleTicket = "OG-CON-004", 410, Sender, AfterChange, "what was opened for a reason is closed again", "search once more, and say why";
    ConsoleReturn = "OG-CON-005", 403, Sender, AfterChange, "signing in at the provider did not come to its end in this browser", "begin again on the page where people sign in";
    ConsoleProvider = "OG-CON-006", 502, Receiver, Later, "the provider at which people sign in was not understood", "try again later; the operator finds the cause in the lines of the gateway";
    ConsoleNobody = "OG-CON-007", 403, Sender, AfterChange, "you have signed in at the provider, and have no role here", "ask the operator for a group with a role, or for an entry in the file of people";
    ConsoleSurvey = "OG-CON-008", 410, Sender, Never, "this link takes no answer: it was used, has expired, or never was", "nothing is left to do; each link is good for one answer";
    ConsoleUnkept = "OG-CON-009", 503, Gateway, Later, "there was no room to keep your answer, and nothing of it was kept", "send it again later: your link is still good";
    ConsoleSecond = "OG-CON-010", 403, Sender, Never, "another person decides what you have proposed", "ask somebody else who is an auditor or an operator";
    ConsoleMeasure = "OG-CON-011", 409, Sender, AfterChange, "this cannot be done to that record, or not now", "see the record, and what is proposed for it";

    SrcUnavailable = "OG-SRC-001", 503, Receiver, Later, "the holder's register cannot be reached at present", "ask again later; this does not mean that there is no record";
    SrcTooOld = "OG-SRC-002", 503, Receiver, Later, "the data of the holder's register is older than it may be", "ask again later; the holder must load newer data";
    SrcRow = "OG-SRC-003", 502, Receiver, AfterChange, "an entry of the holder's register cannot become a document", "tell the holder the id of your request: its agent names the row and the path";
    SrcPersons = "OG-SRC-004", 502, Receiver, AfterChange, "the holder's register gave entries of another person, or of more than one, for one identifier", "tell the holder the id of your request; it must correct its register";
    SrcChanged = "OG-SRC-005", 502, Receiver, Later, "the holder's register has other columns than its mapping was made for", "ask again later; the holder must look at its mapping: oncegate agent check";
    SrcTooMuch = "OG-SRC-006", 502, Receiver, AfterChange, "the holder's register gave more than it may for one question", "ask for a shorter period; the holder's agent names the limit";
    SrcSeveral = "OG-SRC-007", 502, Receiver, AfterChange, "the holder's register has several entries where the holder gives one", "tell the holder the id of your request; it must correct its register, or say in its mapping which one counts";
    SrcUndecided = "OG-SRC-008", 502, Receiver, AfterChange, "the holder's register does not have what would say yes or no", "ask the holder to complete its register; this is not a no";
    SrcUnheld = "OG-SRC-009", 502, Receiver, AfterChange, "the holder's agent gives no such document", "ask the operator to correct the holders in the registry";
    SrcSelector = "OG-SRC-010", 422, Sender, AfterChange, "the holder's register knows people by another identifier", "ask with an identifier of the scheme that the holder's register has";

    AgtFile = "OG-AGT-001", 500, Receiver, AfterChange, "a file of the agent is not of its form", "correct the file at the place named; docs/agent.md has all keys";
    AgtUnknown = "OG-AGT-002", 500, Receiver, AfterChange, "a file of the agent speaks of something that is not there", "correct the word; the nearest known one is named";
    AgtMissing = "OG-AGT-003", 500, Receiver, AfterChange, "a path that each such document has comes from nowhere", "say in the mapping which column it comes from, or which text it always is";
    AgtTodo = "OG-AGT-004", 500, Receiver, AfterChange, "a guess that nobody has confirmed", "correct the line, then take its todo out";
    AgtSchema = "OG-AGT-005", 500, Receiver, AfterChange, "the schema is another one than the mapping was made for", "look at the mapping again, then: oncegate agent check --pin";
    AgtTable = "OG-AGT-006", 500, Receiver, AfterChange, "a table cannot be loaded", "correct the row that is named, and put the file into its place again; until then the last good one counts";
    AgtStatement = "OG-AGT-007", 500, Receiver, AfterChange, "a statement for a database is not one statement that reads", "write one SELECT with the parameters :scheme, :value, :from, :to and :today";

    DeskCaller = "OG-DSK-001", 401, Sender, AfterChange, "the desk does not know who asks", "send the token of the desk's file as Authorization: Bearer, or ask as a user whom agent.toml lists";
    DeskRequest = "OG-DSK-002", 400, Sender, AfterChange, "the desk does not understand the request", "correct the key that is named; docs/agent.md has all keys";
    DeskTooMany = "OG-DSK-003", 413, Sender, AfterChange, "the request names more persons than one request may", "ask in several requests; docs/limits.md has the limit";

    JoinForm = "OG-JOIN-001", 400, Sender, AfterChange, "the request to take part is not understood", "send it with: oncegate join";
    JoinShut = "OG-JOIN-002", 403, Sender, AfterChange, "nobody may ask to take part now", "ask the operator to open the door for some days: oncegate agency invite";
    JoinFull = "OG-JOIN-003", 503, Gateway, Later, "too many wait to be approved", "tell the operator, who decides on those who wait: oncegate agency requests";
    JoinUnknown = "OG-JOIN-004", 404, Sender, AfterChange, "nobody with this code waits here", "send the request again: oncegate join";

    CfgInvalid = "OG-CFG-001", 500, Gateway, AfterChange, "the configuration is not valid", "correct the file at the place named";
    CfgRegistry = "OG-CFG-002", 500, Gateway, AfterChange, "the registry is not valid", "correct the file at the place named";
    CfgRegistrySignature = "OG-CFG-003", 500, Gateway, AfterChange, "the registry is not signed by its authority", "sign it again: oncegate agency sign";
    CfgSchema = "OG-CFG-004", 500, Gateway, AfterChange, "a schema breaks a rule of XML Schema, or documents.toml names what it does not have", "correct it; oncegate schema check names all that is wrong with a schema";
}

impl Code {
    /// The stable code: `OG-SIG-003`.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status that carries it.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// Whose fault it is.
    pub const fn blame(self) -> Blame {
        self.row().2
    }

    /// Whether to try again.
    pub const fn retry(self) -> Retry {
        self.row().3
    }

    /// The rule that was broken, as a sentence without a full stop.
    pub const fn title(self) -> &'static str {
        self.row().4
    }

    /// What to do next.
    pub const fn next_step(self) -> &'static str {
        self.row().5
    }

    /// The code with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One refusal or failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its code.
    pub code: Code,
    /// Where and what, for the peer: an element path or byte offset; never personal data, a secret or an address.
    pub detail: Cow<'static, str>,
    /// What only the operator may know.
    pub private: Option<String>,
    /// Where and why in words that may hold what a message says: kept sealed beside the record, in no line and no response.
    pub sealed: Option<Box<str>>,
    /// When to try again, where that is known.
    pub retry_after_seconds: Option<u32>,
}

impl Fault {
    /// A fault that says nothing beyond its code.
    pub const fn new(code: Code) -> Self {
        Self { code, detail: Cow::Borrowed(""), private: None, sealed: None, retry_after_seconds: None }
    }

    /// A fault with its place or cause.
    pub fn at(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: detail.into(), ..Self::new(code) }
    }

    /// Adds what only the operator may know.
    #[must_use]
    pub fn with_private(mut self, private: impl Into<String>) -> Self {
        self.private = Some(private.into());
        self
    }

    /// Adds what is kept sealed beside the record alone.
    #[must_use]
    pub fn with_sealed(mut self, cause: impl Into<Box<str>>) -> Self {
        self.sealed = Some(cause.into());
        self
    }

    /// Adds the time after which to try again.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

/// For people: `OG-SIG-003 the digest is not that of the message: byte 812`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.code.title())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl std::error::Error for Fault {}

/// "Did you mean", from the words of an unknown-field error: ``unknown field `lisen`, expected one of `listen`, …``.
pub fn suggestion(what: &str) -> Option<String> {
    let rest = what.strip_prefix("unknown field `")?;
    let (word, rest) = rest.split_once('`')?;
    nearest(word, rest.split('`').skip(1).step_by(2)).map(|known| format!("did you mean `{known}`?"))
}

/// The candidate at the smallest edit distance of at most a third of the word.
pub fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let ranked = candidates.map(|candidate| (distance(word, candidate), candidate));
    ranked.filter(|(distance, _)| *distance <= word.len() / 3 + 1).min().map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        for (slot, b) in row.iter_mut().skip(1).zip(&right) {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = *slot;
            last = substituted.min(last + 1).min(diagonal + 1);
            *slot = last;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_found_by_name() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!(Code::ALL.iter().skip(at + 1).all(|other| other.as_str() != code.as_str()));
        }
    }

    #[test]
    fn only_the_gateways_own_files_answer_500() {
        for code in Code::ALL {
            let is_of_a_file = ["OG-CFG-", "OG-CAT-", "OG-QUA-", "OG-AGT-"].iter().any(|own| code.as_str().starts_with(own));
            assert_eq!(code.status() == 500, is_of_a_file, "{code}");
        }
    }
}
