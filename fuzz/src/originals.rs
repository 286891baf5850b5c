//! What the kit is sure of: messages signed with a key of its own, a registry that knows the key, a small log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oncegate::base::ids::{Digest, MessageId};
use oncegate::base::time::UnixTime;
use oncegate::evidence::tlog::note::{LogSigner, Role};
use oncegate::evidence::tlog::proof::Proof;
use oncegate::evidence::tlog::tree::{self, Hash, Hashes, Head};
use oncegate::exchange::admission::{Peer, Snapshot};
use oncegate::message::crypto::{PrivateKey, PublicKey};
use oncegate::message::envelope::{Body, EnvelopeReader, Message};
use oncegate::message::schema::Schemas;
use oncegate::message::sig;
use oncegate::rules::registry::Registry;
use std::sync::LazyLock;

/// A signed message and what it says.
pub struct Original {
    /// Its octets.
    pub octets: Vec<u8>,
    /// What the gateway reads from it.
    pub message: Message,
    /// Its identity.
    pub digest: Digest,
}

/// The schemas of the program.
pub static SCHEMAS: LazyLock<Schemas> = LazyLock::new(Schemas::built_in);
/// The seed of the key that the messages are signed with.
pub const SEED: [u8; 32] = [7; 32];
static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::from_seed(&SEED).expect("32 octets are a seed"));
/// The key that the messages are signed with.
pub static PUBLIC: LazyLock<PublicKey> = LazyLock::new(|| KEY.public_key().expect("an Ed25519 key has a public half"));
/// The signed messages.
pub static ORIGINALS: LazyLock<Vec<Original>> = LazyLock::new(|| unsigned().iter().map(|text| original(text)).collect());

const NOW: &str = "2027-03-04T05:12:10Z";
/// The certificate of the key above.
pub const CERTIFICATE: &[u8] = include_bytes!("../fixtures/signing.der");

/// Makes what is made once, so that no input is charged with it.
pub fn ready() {
    LazyLock::force(&ORIGINALS);
    LazyLock::force(&REGISTRY);
    LazyLock::force(&LOG);
}

/// The time at which the messages are looked at.
pub fn now() -> UnixTime {
    UnixTime::parse(NOW).expect("an instant")
}

/// The messages before they are signed: a question, an answer with a document, one without, two spellings.
pub fn unsigned() -> Vec<String> {
    let (id, reply) = (MessageId::new(now(), [1; 10]), MessageId::new(now(), [2; 10]));
    let header = |kind: &str, reply: &str| {
        format!(
            "<Header><MessageId>{id}</MessageId>{reply}<Kind>{kind}</Kind><From>xx.school</From>\
             <CreatedAt>2027-03-04T05:12:10Z</CreatedAt><ExpiresAt>2027-03-04T05:17:10Z</ExpiresAt></Header>"
        )
    };
    let reply = format!("<InReplyTo sha256=\"{}\">{reply}</InReplyTo>", "ab".repeat(32));
    let context = "<Context><Purpose>school-attendance</Purpose><LegalBasis>a law</LegalBasis><Subject>\
                   <t:Id scheme=\"XX-OGTEST\">99000000136</t:Id><t:Name><t:FamilyAbsent>withheld</t:FamilyAbsent>\
                   <t:GivenAbsent>withheld</t:GivenAbsent></t:Name></Subject>\
                   <Case>01990a5c-0000-7000-8000-000000000001</Case></Context>";
    let ask = "<Body><Ask><DocumentType>medical-absence-note</DocumentType></Ask></Body>";
    let document = Schemas::example("medical-absence-note").expect("an example of the program");
    let document = document.split_once("?>").filter(|_| document.starts_with("<?xml")).map_or(document, |(_, rest)| rest);
    let root = |inside: &str| {
        format!("<Message xmlns=\"urn:oncegate:message:1\" xmlns:t=\"urn:oncegate:types:1\" version=\"1\">{inside}</Message>")
    };
    let question = root(&format!("{}{context}{ask}", header("request", "")));
    let spelled = question.replace("xmlns=", "xmlns:m=").replace("<t:", "\u{1}").replace("</t:", "\u{2}");
    let spelled = spelled.replace("</", "</m:").replace('\u{2}', "</t:");
    let spelled = spelled
        .split('<')
        .map(|part| if part.is_empty() || part.starts_with('/') { part.to_owned() } else { format!("m:{part}") });
    let spelled = spelled.collect::<Vec<_>>().join("<").replace('\u{1}', "<t:");
    vec![
        root(&format!("{}{context}<Body><Documents>{document}</Documents></Body>", header("answer", &reply))),
        root(&format!(
            "{}{context}<Body><NoRecord><DocumentType>medical-absence-note</DocumentType><Searched>all</Searched></NoRecord></Body>",
            header("answer", &reply)
        )),
        question.replace("><", ">\n  <"),
        spelled,
        question,
    ]
}

/// Reads and verifies.
pub fn verified(octets: &[u8]) -> Option<(Message, Digest)> {
    let verified = sig::read(octets, EnvelopeReader::new(&SCHEMAS)).ok()?.verify(&PUBLIC).ok()?;
    let digest = verified.digest();
    verified.into_value().into_message().ok().map(|message| (message, digest))
}

fn original(text: &str) -> Original {
    let octets = sig::sign(text.as_bytes(), &*KEY, Some(CERTIFICATE)).expect("the kit's messages can be signed");
    let read = sig::read(&octets, EnvelopeReader::new(&SCHEMAS)).map_err(|read| format!("{text}\n{:?}", read.fault));
    let verified = read.expect("they can be read").verify(&PUBLIC).expect("they are verified");
    let digest = verified.digest();
    let message = verified.into_value().into_message().expect("they are messages");
    if let Body::Documents(documents) = &message.body {
        assert!(documents.iter().all(Result::is_ok), "their documents are valid");
    }
    Original { octets, message, digest }
}

/// A registry in which the signer may ask.
pub fn registry_text() -> String {
    format!(
        "format = 1\nversion = 1\n[[agency]]\nid = \"xx.school\"\nname = \"A\"\n[[agency.key]]\ncertificate = \"{}\"\n\
         [[agency.system]]\ncertificate_sha256 = \"{}\"\n[[agency]]\nid = \"xx.clinic\"\nname = \"B\"\nurl = \"https://b/\"\n\
         [[holder]]\ndocument = \"medical-absence-note\"\nagency = \"xx.clinic\"\n[[grant]]\nid = \"g\"\nwho = \"xx.school\"\n\
         what = \"medical-absence-note\"\npurpose = \"school-attendance\"\nbasis = \"a law\"\nuntil = \"2030-12-31\"\n",
        STANDARD.encode(CERTIFICATE),
        "cd".repeat(32)
    )
}

static REGISTRY: LazyLock<(Registry, Peer)> = LazyLock::new(|| {
    let registry = Registry::check(&registry_text(), &SCHEMAS).expect("a good registry");
    let system = Digest::parse_hex(&"cd".repeat(32)).expect("a digest");
    let peer = Peer::identify(&registry, &system).expect("the signer is known");
    (registry, peer)
});

/// The state of the world in which the messages are admitted, and who brings them.
pub fn world() -> (Snapshot<'static>, &'static Peer) {
    let (registry, peer) = &*REGISTRY;
    (Snapshot { now: now(), registry, schemas: &SCHEMAS }, peer)
}

/// Leaves of the small log.
pub const LEAVES: u64 = 7;

/// The hashes of the small log.
pub struct Few;

impl Hashes for Few {
    type Error = std::convert::Infallible;

    fn read(&self, level: u32, from: u64, count: u64, out: &mut Vec<Hash>) -> Result<(), Self::Error> {
        assert_eq!(level, 0, "the small log has no full tile");
        out.extend((from..from + count).map(|index| Hash::of_leaf(leaf(index).as_bytes())));
        Ok(())
    }
}

/// A leaf of the small log.
pub fn leaf(index: u64) -> String {
    let kind = if index.is_multiple_of(2) { "req" } else { "rsp" };
    format!("{{\"k\":\"{kind}\",\"o\":{index},\"r\":1,\"t\":7,\"v\":1}}")
}

/// A tree of the small log.
pub fn head(size: u64) -> Head {
    let Ok(root) = tree::root(&Few, size);
    Head { size, root }
}

/// Who signs the small log.
pub static LOG: LazyLock<LogSigner> = LazyLock::new(|| {
    let key = PrivateKey::from_seed(&[8; 32]).expect("32 octets are a seed");
    LogSigner::new("log.example", Role::Log, key).expect("an Ed25519 key")
});

/// A witness.
#[cfg(feature = "server")]
pub static WITNESS: LazyLock<LogSigner> = LazyLock::new(|| {
    let key = PrivateKey::from_seed(&[9; 32]).expect("32 octets are a seed");
    LogSigner::new("witness.example", Role::Witness, key).expect("an Ed25519 key")
});

pub fn proof(index: u64, size: u64) -> Proof {
    let Ok(hashes) = tree::inclusion(&Few, index, size);
    Proof { leaf: leaf(index).into_bytes(), index, hashes, checkpoint: LOG.checkpoint(head(size)).expect("signs") }
}

/// Inputs that are read as choices.
pub fn numbers(first: u8) -> Vec<Vec<u8>> {
    (0..32_u8)
        .map(|row| std::iter::once(first).chain((0..24_u8).map(|at| row.wrapping_mul(37) ^ at.wrapping_mul(101))).collect())
        .collect()
}
