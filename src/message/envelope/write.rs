//! Writing messages in canonical form.

use super::{Ask, Body, Context, Described, Message, NAMESPACE, Person, Subject, TYPES, World};
use crate::base::fault::Code as FaultCode;
use crate::message::schema::SubjectKind;
use crate::message::xml::Writer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Writes a message in canonical form, ready to be signed. `documents` is the canonical markup of the payload of a
/// [`Body::Documents`].
pub fn write(message: &Message, documents: &str) -> String {
    let mut out = Writer::new();
    out.open("Message", &[("xmlns", NAMESPACE), ("version", "1")]);
    let header = &message.header;
    out.open("Header", &[]).leaf("MessageId", &header.id.to_string());
    if let Some(reply) = &header.in_reply_to {
        out.leaf_with("InReplyTo", &[("sha256", &reply.digest.to_string())], &reply.id.to_string());
    }
    out.leaf("Kind", header.kind.as_str()).leaf("From", header.from.as_str());
    out.leaf_if("To", header.to.as_ref().map(|to| to.as_str()));
    out.leaf("CreatedAt", &header.created_at.to_string()).leaf("ExpiresAt", &header.expires_at.to_string());
    out.leaf_if("Test", (header.world == World::Test).then_some("true"));
    let certificate = header.signer_certificate.map(|digest| BASE64.encode(digest.octets()));
    out.leaf_if("SignerCertificate", certificate.as_deref()).close();
    if let Some(context) = &message.context {
        write_context(context, &mut out);
    }
    write_body(message, documents, &mut out);
    if !message.attachments.is_empty() {
        out.open("Attachments", &[]);
        for part in &message.attachments {
            let (size, sha256) = (part.size.to_string(), part.sha256.to_string());
            // Canonical order: by local name.
            let attributes = [
                ("id", part.id.as_str()),
                ("mediaType", &part.media_type),
                ("name", &part.name),
                ("sha256", &sha256),
                ("size", &size),
            ];
            out.leaf_with("Attachment", &attributes, "");
        }
        out.close();
    }
    out.finish()
}

fn write_context(context: &Context, out: &mut Writer) {
    out.open("Context", &[]).leaf("Purpose", context.purpose.as_str());
    for basis in &context.legal_basis {
        out.leaf("LegalBasis", basis);
    }
    out.leaf_if("Consent", context.consent.map(|consent| consent.to_string()).as_deref());
    write_subject(&context.subject, "Subject", out);
    if let Some(official) = &context.official {
        out.open("Official", &[]);
        out.leaf_with("Id", &[("scheme", official.identifier.scheme())], official.identifier.value());
        out.leaf("Role", official.role.as_str()).close();
    }
    out.leaf_if("OnBehalfOf", context.on_behalf_of.as_ref().map(|agency| agency.as_str()));
    out.leaf_if("Case", context.case.map(|case| case.to_string()).as_deref());
    if let Some((situation, version)) = &context.situation {
        out.leaf("Situation", situation.as_str()).leaf_if("SituationVersion", version.as_deref());
    }
    out.leaf_if("Step", context.step.as_ref().map(|step| step.as_str()));
    out.leaf_if("Region", context.region.as_ref().map(|region| region.as_str()))
        .leaf_if("Trace", context.trace.as_deref())
        .close();
}

/// Writes whom something is about: a `t:Person` in an element of that name, or a `t:Organisation` in one that is called so. The elements
/// of the common types declare their namespace where they begin, as exclusive canonicalisation does.
pub fn write_subject(subject: &Subject, person: &'static str, out: &mut Writer) {
    out.open(if subject.kind() == SubjectKind::Person { person } else { "Organisation" }, &[]);
    for identifier in &subject.identifiers {
        out.leaf_with("t:Id", &[("xmlns:t", TYPES), ("scheme", identifier.scheme())], identifier.value());
    }
    match &subject.described {
        Described::Person(person) => write_person(person, out),
        Described::Organisation(Some(name)) => {
            out.leaf_with("t:Name", &[("xmlns:t", TYPES)], name.expose());
        }
        Described::Organisation(None) => {}
    }
    out.close();
}

fn write_person(person: &Person, out: &mut Writer) {
    out.open("t:Name", &[("xmlns:t", TYPES)]);
    match &person.family {
        Some(family) => out.leaf("t:Family", family.expose()),
        None => out.leaf("t:FamilyAbsent", "unknown"),
    };
    match &person.given {
        Some(given) => out.leaf("t:Given", given.expose()),
        None => out.leaf("t:GivenAbsent", "unknown"),
    };
    out.close();
    if let Some(date) = &person.birth_date {
        out.leaf_with("t:BirthDate", &[("xmlns:t", TYPES)], date.expose());
    }
}

fn write_body(message: &Message, documents: &str, out: &mut Writer) {
    out.open("Body", &[]);
    match &message.body {
        Body::Ask(ask) => write_ask(ask, out),
        Body::Documents(_) => {
            out.open("Documents", &[]).raw(documents);
            for (named, document_type) in message.attached() {
                out.leaf_with("Attached", &[("documentType", document_type.as_str()), ("id", &named.id)], "");
            }
            out.close();
        }
        Body::NoRecord { document_type } => {
            out.open("NoRecord", &[]).leaf("DocumentType", document_type.as_str()).leaf("Searched", "the register").close();
        }
        Body::Later { by, reason } => {
            out.open("Later", &[]).leaf("By", &by.to_string()).leaf("Reason", reason.as_str()).close();
        }
        Body::State { of, at } => {
            out.open("State", &[]).leaf("Of", of.as_str()).leaf("At", &at.to_string()).close();
        }
        Body::Fault { code, blame, retry } => {
            out.open("Fault", &[]).leaf("Code", code).leaf("Blame", blame).leaf("Retry", retry);
            let known = FaultCode::parse(code);
            out.leaf("Text", known.map_or("see the code", FaultCode::title));
            out.leaf("Help", known.map_or("see the code", FaultCode::next_step)).close();
        }
    }
    out.close();
}

fn write_ask(ask: &Ask, out: &mut Writer) {
    out.open("Ask", &[]).leaf("DocumentType", ask.document_type.as_str());
    out.leaf_if("Of", ask.of.as_ref().map(|of| of.as_str()));
    if !ask.select.is_empty() {
        out.open("Select", &[]);
        for path in &ask.select {
            out.leaf("Path", path.as_str());
        }
        out.close();
    }
    if let Some((from, to)) = ask.during {
        out.open("During", &[]).leaf_with("t:From", &[("xmlns:t", TYPES)], &from.to_string());
        if let Some(to) = to {
            out.leaf_with("t:To", &[("xmlns:t", TYPES)], &to.to_string());
        }
        out.close();
    }
    out.close();
}
