//! The messages of the workload: exactly as large as said, the same every time but for what must differ.
//!
//! They are spelled as a foreign signer spells them, not as the canonical form has it: attributes out of order, empty
//! elements as one tag, namespaces declared before they are used. What is signed is their canonical form.

use super::BenchError;
use crate::base::ids::{AgencyId, Digest, MessageId};
use crate::base::time::UnixTime;
use crate::message::crypto::Signer;
use crate::message::sig;
use crate::message::xml::{Canonical, Event, Profile, Reader};
use std::fmt::Write as _;

/// What differs from message to message.
pub struct Values<'v> {
    /// The message's id.
    pub id: MessageId,
    /// The sender.
    pub from: &'v str,
    /// The receiver.
    pub to: &'v str,
    /// When it is made.
    pub now: UnixTime,
    /// The message that it answers: its id and its digest, as they stand in it.
    pub reply: (&'v str, &'v str),
}

/// A message of a fixed size with holes.
pub struct Template {
    raw: Vec<Piece>,
    canonical: Vec<Piece>,
}

enum Piece {
    Text(String),
    Hole(Hole),
}

#[derive(Clone, Copy)]
enum Hole {
    Id,
    From,
    To,
    Created,
    Expires,
    ReplyId,
    ReplyDigest,
}

const HOLES: [(&str, Hole); 7] = [
    ("{id}", Hole::Id),
    ("{from}", Hole::From),
    ("{to}", Hole::To),
    ("{created}", Hole::Created),
    ("{expires}", Hole::Expires),
    ("{reply-id}", Hole::ReplyId),
    ("{reply-digest}", Hole::ReplyDigest),
];

/// The document type of the workload.
pub const DOCUMENT_TYPE: &str = "bench-record";
/// The purpose of its grants.
pub const PURPOSE: &str = "benchmark";
/// The legal basis of its grants.
pub const BASIS: &str = "XX:BENCH:1";

const CONTEXT: &str = "<Context>\n<Purpose>benchmark</Purpose><LegalBasis>XX:BENCH:1</LegalBasis>\n<Subject><t:Name>\
                       <t:Family>Кузнецова</t:Family><t:Given>Мария</t:Given></t:Name></Subject>\n</Context>\n";
const LIFE_MS: u64 = 10 * 60 * 1000;
const END: &str = "</Message>";
const ID: &str = "01990a5d-ac96-774b-8cce-b302099a8056";
const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl Template {
    /// An application of `size` octets before it is signed.
    pub fn request(size: usize, sample: &AgencyId) -> Result<Self, BenchError> {
        Self::sized(size, sample, "", "application", CONTEXT)
    }

    /// An event of the same document.
    pub fn event(size: usize, sample: &AgencyId) -> Result<Self, BenchError> {
        Self::sized(size, sample, "", "event", CONTEXT)
    }

    /// The answer to it.
    pub fn answer(size: usize, sample: &AgencyId) -> Result<Self, BenchError> {
        Self::sized(size, sample, "<InReplyTo sha256=\"{reply-digest}\">{reply-id}</InReplyTo>", "answer", "")
    }

    fn sized(size: usize, sample: &AgencyId, reply: &str, kind: &str, context: &str) -> Result<Self, BenchError> {
        let head = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Message xmlns=\"urn:oncegate:message:1\" xmlns:t=\"urn:oncegate:types:1\" \
             version=\"1\">\n<Header>\n<MessageId>{{id}}</MessageId>{reply}<Kind>{kind}</Kind><From>{{from}}</From><To>{{to}}</To>\
             <CreatedAt>{{created}}</CreatedAt><ExpiresAt>{{expires}}</ExpiresAt>\n</Header>\n{context}<Body><Documents>\
             <b:Records xmlns:b=\"urn:oncegate:doc:bench-record:1\">\n"
        );
        let tail = format!("</b:Note></b:Records></Documents></Body>\n{END}");
        let now = UnixTime::from_ms(0);
        let (id, name) = (MessageId::parse(ID).ok_or(BenchError::Workload("no id"))?, sample.as_str());
        let values = Values { id, from: name, to: name, now, reply: (ID, DIGEST) };
        let length = |text: &str| fill(&pieces(text), &values).len();
        let mut body = String::new();
        let room =
            size.checked_sub(length(&head) + length(&tail) + "<b:Note>".len() + 1).ok_or(BenchError::Workload("too small"))?;
        for number in 1.. {
            let record = record(number);
            if body.len() + record.len() > room {
                break;
            }
            body.push_str(&record);
        }
        // Something stands in the note in any case: it is of a type that may not be empty.
        let filling = "x".repeat(room - body.len() + 1);
        let raw = format!("{head}{body}<b:Note>{filling}{tail}");
        let template = Self { canonical: pieces(&canonical(&raw)?), raw: pieces(&raw) };
        if fill(&template.raw, &values).len() == size {
            Ok(template)
        } else {
            Err(BenchError::Workload("a size that is not met"))
        }
    }

    /// The message, unsigned.
    pub fn unsigned(&self, values: &Values<'_>) -> String {
        fill(&self.raw, values)
    }

    /// The message, signed, and its digest. Only the canonical form is hashed; it need not be made again, since what is
    /// filled in is spelled the same in both.
    pub fn sign(&self, values: &Values<'_>, key: &dyn Signer) -> Result<(Vec<u8>, Digest), BenchError> {
        let canonical = fill(&self.canonical, values);
        let (signed, digest) =
            sig::sign_envelope(&canonical, key, None).map_err(|_| BenchError::Workload("a key that cannot sign"))?;
        let from = canonical.len() - END.len();
        let signature = signed.get(from..signed.len() - END.len()).unwrap_or("");
        let mut raw = fill(&self.raw, values);
        raw.truncate(raw.len() - END.len());
        raw.push_str(signature);
        raw.push_str(END);
        Ok((raw.into_bytes(), digest))
    }
}

/// One record: as many octets whichever number it has, nearly.
fn record(number: usize) -> String {
    let (day, act, house, control) = (number % 28 + 1, 110_000 + number, number % 90 + 1, number % 100);
    let mut out = String::new();
    let _ = write!(
        out,
        "<b:Record status=\"active\" no=\"{number}\">\n  <b:Name><b:Family>Кузнецова</b:Family><b:Given>Мария</b:Given>\
         <b:Patronymic>Сергеевна</b:Patronymic></b:Name>\n  <b:BirthDate>2019-04-{day:02}</b:BirthDate>\n  \
         <b:Act number=\"{act}\" date=\"2019-05-03\" office=\"R1600000&quot;7&quot;\"/>\n  \
         <b:Place>г. Казань, ул. Пушкина &amp; Гоголя, {house}</b:Place>\n  \
         <b:Parent role=\"mother\"><b:Snils>112-233-445 {control:02}</b:Snils></b:Parent>\n</b:Record>\n"
    );
    out
}

/// The exclusive canonical form of a document.
pub fn canonical(text: &str) -> Result<String, BenchError> {
    let refused = |_| BenchError::Workload("a document that is not of the subset");
    let mut reader = Reader::new(text.as_bytes(), Profile::Message).map_err(refused)?;
    let mut canonical = Canonical::new(text.as_bytes(), Vec::new());
    loop {
        match reader.next().map_err(refused)? {
            Event::Done => break,
            event => canonical.event(&event).map_err(refused)?,
        }
    }
    String::from_utf8(canonical.finish()).map_err(|_| BenchError::Workload("a canonical form that is no text"))
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let next = HOLES
            .iter()
            .filter_map(|(token, hole)| rest.find(token).map(|at| (at, token.len(), *hole)))
            .min_by_key(|next| next.0);
        let Some((at, length, hole)) = next else { break };
        found.push(Piece::Text(rest.get(..at).unwrap_or("").to_owned()));
        found.push(Piece::Hole(hole));
        rest = rest.get(at + length..).unwrap_or("");
    }
    found.push(Piece::Text(rest.to_owned()));
    found
}

fn fill(pieces: &[Piece], values: &Values<'_>) -> String {
    let fixed: usize = pieces.iter().map(|piece| if let Piece::Text(text) = piece { text.len() } else { 64 }).sum();
    // Room for the signature, so that adding it copies nothing.
    let mut out = String::with_capacity(fixed + 2048);
    for piece in pieces {
        let _ = match piece {
            Piece::Text(text) => out.write_str(text),
            Piece::Hole(Hole::Id) => write!(out, "{}", values.id),
            Piece::Hole(Hole::From) => out.write_str(values.from),
            Piece::Hole(Hole::To) => out.write_str(values.to),
            Piece::Hole(Hole::Created) => write!(out, "{}", values.now),
            Piece::Hole(Hole::Expires) => write!(out, "{}", values.now.plus_ms(LIFE_MS)),
            Piece::Hole(Hole::ReplyId) => out.write_str(values.reply.0),
            Piece::Hole(Hole::ReplyDigest) => out.write_str(values.reply.1),
        };
    }
    out
}

/// What an answer needs of the request it answers: its id, its sender and its digest in base64. The signed messages of
/// the workload have one form, so this looks for the elements by their spelling.
pub fn claims_of(request: &[u8]) -> Option<(&str, &str, &str)> {
    let (head, rest) = request.split_at_checked(request.len().min(1024))?;
    let tail_at = request.len().saturating_sub(1024);
    let tail = if rest.is_empty() { request } else { request.get(tail_at..)? };
    Some((between(head, b"<MessageId>", b'<')?, between(head, b"<From>", b'<')?, between(tail, b"<DigestValue>", b'<')?))
}

fn between<'t>(text: &'t [u8], start: &[u8], end: u8) -> Option<&'t str> {
    let from = memchr::memmem::find(text, start)? + start.len();
    let length = memchr::memchr(end, text.get(from..)?)?;
    std::str::from_utf8(text.get(from..from + length)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::crypto::{PrivateKey, sha256};
    use crate::message::envelope::{Body, EnvelopeReader};
    use crate::message::schema::Schemas;

    #[test]
    fn messages_are_as_large_as_said_valid_and_verified() {
        let key = crate::host::authority::make_registry_key(UnixTime::from_ms(1_800_000_000_000)).expect("a key").key;
        let key = PrivateKey::from_pkcs8(crate::message::pki::pem_blocks(&key, "PRIVATE KEY").first().expect("one block"))
            .expect("a key");
        let (schemas, agency) = (Schemas::built_in(), AgencyId::parse("xx.bench.client-01").expect("a name"));
        let id = MessageId::new(UnixTime::from_ms(1), [7; 10]);
        let values = Values { id, from: agency.as_str(), to: agency.as_str(), now: UnixTime::from_ms(1), reply: (ID, DIGEST) };
        for size in [2_048, 204_800] {
            for template in [Template::request(size, &agency), Template::answer(size, &agency)] {
                let template = template.expect("a template");
                let unsigned = template.unsigned(&values);
                assert_eq!(unsigned.len(), size);
                let (octets, digest) = template.sign(&values, &key).expect("signing");
                assert_eq!(digest, sha256(canonical(&unsigned).expect("a document").as_bytes()));
                assert_eq!(claims_of(&octets).map(|claims| claims.1), Some(agency.as_str()));
                let Ok(read) = sig::read(&octets, EnvelopeReader::new(&schemas)) else { panic!("no message") };
                let message = read.verify(&key.public_key().expect("a key")).expect("a signature").into_value().into_message();
                let Body::Documents(documents) = message.expect("a message").body else { panic!("no documents") };
                assert!(documents.iter().all(Result::is_ok), "{documents:?}");
            }
        }
    }
}
