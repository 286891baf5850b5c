//! What the kit is sure of: messages signed with a key of its own, a registry that knows the key, a small log.

use crate::xml;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oncegate::admission::{Peer, Snapshot};
use oncegate::crypto::{PrivateKey, PublicKey};
use oncegate::envelope::{Body, EnvelopeReader, Message};
use oncegate::ids::{Digest, MessageId};
use oncegate::registry::Registry;
use oncegate::schema::Schemas;
use oncegate::sig;
use oncegate::time::UnixTime;
use oncegate::tlog::note::{LogSigner, Role};
use oncegate::tlog::proof::Proof;
use oncegate::tlog::tree::{self, Hash, Hashes, Head};
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

fn proof(index: u64, size: u64) -> Proof {
    let Ok(hashes) = tree::inclusion(&Few, index, size);
    Proof { leaf: leaf(index).into_bytes(), index, hashes, checkpoint: LOG.checkpoint(head(size)).expect("signs") }
}

/// The inputs that a target begins with: made here, and the vectors of the tests.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/xml/c14n");
    let vectors = || {
        let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
        let mut files: Vec<Vec<u8>> = files.filter(|octets| octets.len() <= SMALL).collect();
        // The order of a folder is not the same everywhere, and the smoke run is.
        files.sort();
        files
    };
    let signed = || ORIGINALS.iter().map(|original| original.octets.clone()).collect::<Vec<_>>();
    let plain = || unsigned().into_iter().map(String::into_bytes).collect::<Vec<_>>();
    let after = |octet: u8, text: &str| [&[octet], text.as_bytes()].concat();
    match target {
        "scan" => [vectors(), plain()].concat(),
        "c14n" => [vectors(), signed(), signed().iter().filter_map(|octets| xml::canonical(octets).ok()).collect()].concat(),
        "verify_bytes" => signed(),
        "admission" => signed().into_iter().map(|octets| [vec![0], octets].concat()).chain(numbers(1)).collect(),
        "verify_forge" => numbers(0),
        "envelope" => [plain(), vectors()].concat(),
        "schema" => Schemas::built_in_files()
            .iter()
            .map(|(_, text)| after(1, text))
            .chain(SCHEMAS.document_types().filter_map(|known| Schemas::example(known.name.as_str())).map(|text| after(0, text)))
            .chain(numbers(2))
            .collect(),
        "x509" => vec![CERTIFICATE.to_vec(), oncegate::pki::to_pem("CERTIFICATE", CERTIFICATE).into_bytes()],
        "registry" => vec![registry_text().into_bytes()],
        "note" => (1..=LEAVES)
            .flat_map(|size| (0..size).map(move |index| proof(index, size).to_string()))
            .chain([LOG.checkpoint(head(3)).expect("signs").to_string(), LOG.verifier().to_string()])
            .chain([format!("log {}\nquorum none\n", LOG.verifier())])
            .map(String::into_bytes)
            .collect(),
        "journal" => numbers(1).into_iter().chain([crate::targets::segment(&[3, 1, 5]).0]).collect(),
        "query" => [
            "from=2026-03-04&to=2027-03-04T05:12:09Z&kind=rsp&consumer=xx.a&provider=xx.b&agency=xx.a&document=note",
            "purpose=p&basis=RU%3A323-FZ%3A13&code=OG-POL-001&message=01990a5d-ac96-774b-8cce-b302099a8057&limit=7",
            "case=01990a5c-0000-7000-8000-000000000001&person=RU-SNILS%7C11223344595&reason=complaint+17-22",
            "{\"from\":\"2026-03-04\",\"limit\":7}",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "export" => crate::logs::exports(),
        "tile" => crate::logs::tiles(),
        #[cfg(feature = "server")]
        "config" => crate::served::configs(),
        #[cfg(feature = "server")]
        "crl" => crate::served::lists(),
        #[cfg(feature = "server")]
        "witness" => crate::served::submissions(),
        #[cfg(feature = "server")]
        "stamp" => crate::served::stamps(),
        #[cfg(feature = "server")]
        "http_head" => crate::heads::requests(),
        #[cfg(feature = "server")]
        "private" => crate::sealed::privates(),
        #[cfg(feature = "server")]
        "bundle" => crate::bundles::bundles(),
        #[cfg(feature = "server")]
        "request" => crate::requests::requests(),
        #[cfg(feature = "server")]
        "answer" => crate::answers::answers(),
        _ => Vec::new(),
    }
}

/// The largest vector that is an input to begin with.
const SMALL: usize = 4 << 10;

/// Inputs that are read as choices.
pub fn numbers(first: u8) -> Vec<Vec<u8>> {
    (0..32_u8)
        .map(|row| std::iter::once(first).chain((0..24_u8).map(|at| row.wrapping_mul(37) ^ at.wrapping_mul(101))).collect())
        .collect()
}
