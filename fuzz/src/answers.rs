//! Answers of a holder who signs whatever it likes.

use crate::forge::{Choices, edit};
use crate::memory::bounded;
use crate::originals::{self, ORIGINALS, SCHEMAS, SEED};
use crate::requests::certificate_of;
use crate::xml::{Noted, Said};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oncegate::base::ids::{AgencyId, Digest, Identifier, MessageId};
use oncegate::exchange::admission::{Peer, Permitted, Snapshot, admit_answer, authenticate, permit};
use oncegate::message::crypto::PrivateKey;
use oncegate::message::envelope::{Body, Kind};
use oncegate::message::sig;
use oncegate::message::xml::{Profile, scan};
use oncegate::rules::registry::Registry;
use std::sync::LazyLock;

/// A question that was permitted, and what its holder signs with.
struct Asked {
    registry: Registry,
    question: Permitted,
    holder: AgencyId,
    person: Identifier,
    key: PrivateKey,
    certificate: Vec<u8>,
}

static ASKED: LazyLock<Asked> = LazyLock::new(|| {
    let holder = AgencyId::parse("xx.clinic").expect("a name");
    let certificate = certificate_of(&holder);
    let url = "url = \"https://b/\"\n";
    let enrolled = format!("{url}[[agency.key]]\ncertificate = \"{}\"\n", STANDARD.encode(&certificate));
    let fields = "basis = \"a law\"\nfields = [\"PeExemption\", \"Absence\"]\n";
    let text = originals::registry_text().replace(url, &enrolled).replace("basis = \"a law\"\n", fields);
    let registry = Registry::check(&text, &SCHEMAS).expect("a good registry");
    let system = Digest::parse_hex(&"cd".repeat(32)).expect("a digest");
    let peer = Peer::identify(&registry, &system).expect("the asking agency is known");
    let octets = ORIGINALS.last().expect("a question").octets.clone();
    let snapshot = Snapshot { now: originals::now(), registry: &registry, schemas: &SCHEMAS };
    let question = authenticate(snapshot, &peer, octets).and_then(|authenticated| permit(snapshot, authenticated));
    let question = question.expect("it is permitted");
    let person = Identifier::parse("XX-OGTEST", "99000000136").expect("an identifier");
    let key = PrivateKey::from_seed(&SEED).expect("32 octets are a seed");
    Asked { registry, question, holder, person, key, certificate }
});

/// Optional fields of the document that the grant does not name and that do not describe the person, as its example has them.
const WITHHELD: [&str; 8] =
    ["t:Replaces", "t:ValidUntil", "t:Blank", "InfectiousContact", "VaccinationExemption", "Diagnosis", "Doctor", "School"];
const TYPES: &str = "urn:oncegate:types:1";
const NOTE: &str = "urn:oncegate:doc:medical-absence-note:1";

/// Answers before they are signed: with what is granted alone, with all fields, and without a document.
static UNSIGNED: LazyLock<[String; 3]> = LazyLock::new(|| {
    let asked = ORIGINALS.last().expect("a question");
    let (id, other) = (MessageId::new(originals::now(), [2; 10]), asked.message.header.id);
    let [all, none] = [0, 1].map(|number| {
        let text = originals::unsigned().swap_remove(number).replace("<From>xx.school", "<From>xx.clinic");
        let text = text.replace(&id.to_string(), "ID").replace(&other.to_string(), &id.to_string());
        text.replace("ID", &other.to_string()).replace(&"ab".repeat(32), &asked.digest.to_string())
    });
    let granted = WITHHELD.iter().fold(all.clone(), |text, name| without(&text, name));
    [granted, all, none]
});

/// An answer without the elements of a name.
fn without(text: &str, name: &str) -> String {
    let (mut rest, close) = (text.to_owned(), format!("</{name}>"));
    for open in [format!("<{name}>"), format!("<{name} ")] {
        while let Some(at) = rest.find(&open) {
            let length = rest[at..].find(&close).expect("it has an end") + close.len();
            rest.replace_range(at..at + length, "");
        }
    }
    rest
}

/// What is released answers this question, is about the person asked about and of the type asked for, and holds no field that is
/// not granted; whatever the holder signs: a text of its own (first octet even), or an answer that was edited (odd).
pub fn answer(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let asked = &*ASKED;
    let unsigned = if kind % 2 == 0 { rest.to_vec() } else { edited(rest) };
    let Ok(octets) = sig::sign(&unsigned, &asked.key, Some(&asked.certificate)) else { return };
    let snapshot = Snapshot { now: originals::now(), registry: &asked.registry, schemas: &SCHEMAS };
    let released = bounded(octets.len(), || admit_answer(snapshot, &asked.question, octets.clone()));
    let answer = match released {
        Ok(answer) => answer,
        Err(refusal) => {
            let [granted, _, none] = &*UNSIGNED;
            let is_good = [granted, none].iter().any(|text| text.as_bytes() == unsigned);
            return assert!(!is_good, "a good answer is refused: {:?}", refusal.fault);
        }
    };
    assert!(answer.octets() == octets, "other octets go on");
    let message = answer.message();
    let reply = message.header.in_reply_to.expect("it answers something");
    assert!(reply.id == asked.question.message().header.id && reply.digest == asked.question.digest(), "another question");
    assert!(message.header.from == asked.holder && matches!(message.header.kind, Kind::Answer | Kind::Status | Kind::Fault));
    let others = |identifiers: &[Identifier]| !identifiers.contains(&asked.person);
    assert!(!message.context.as_ref().is_some_and(|context| others(&context.subject.identifiers)), "another person");
    let Body::Documents(documents) = &message.body else { return };
    for document in documents {
        let facts = document.as_ref().expect("what is released is valid");
        assert_eq!(facts.document_type.as_str(), "medical-absence-note", "another type");
        assert!(facts.subjects_as("").any(|subject| !others(&subject.identifiers)), "a document about another person");
    }
    let mut noted = Noted::default();
    assert!(scan(&octets, Profile::Message, &mut noted).is_ok(), "it was read");
    for said in &noted.0 {
        let Said::Start(space, name, _) = said else { continue };
        let is_withheld = |field: &&str| match field.strip_prefix("t:") {
            Some(field) => field == name && space == TYPES,
            None => field == name && space == NOTE,
        };
        assert!(!WITHHELD.iter().any(is_withheld), "{name} is not granted");
    }
}

fn edited(input: &[u8]) -> Vec<u8> {
    let mut choices = Choices(input);
    let mut octets = UNSIGNED[choices.below(UNSIGNED.len())].clone().into_bytes();
    for _ in 0..choices.octet() % 6 {
        edit(&mut octets, &mut choices);
    }
    octets
}

/// The answers, and choices.
pub fn answers() -> Vec<Vec<u8>> {
    UNSIGNED.iter().map(|text| [&[0], text.as_bytes()].concat()).chain(originals::numbers(1)).collect()
}
