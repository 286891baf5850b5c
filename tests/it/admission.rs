//! The room `admission` without a server: signed messages against a registry, check by check.

use oncegate::base::fault::{Code, Fault};
use oncegate::base::ids::{AgencyId, Code as Word, Digest, Identifier, MessageId, Region};
use oncegate::base::time::UnixTime;
use oncegate::exchange::admission::{
    Answer, Authenticated, Peer, Permitted, Refusal, Snapshot, admit_answer, authenticate, permit,
};
use oncegate::message::crypto::{Algorithm, PrivateKey, Signer, SigningFailed, sha256};
use oncegate::message::envelope::{
    Ask, Body, Context, Described, Header, Kind, Message, Person, Personal, ReplyTo, Subject, World, write,
};
use oncegate::message::schema::{FieldPath, Schemas};
use oncegate::message::sig::{sign, sign_envelope};
use oncegate::rules::registry::Registry;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use std::sync::LazyLock;

const NOTE: &str = "medical-absence-note";
const BIRTH: &str = "birth-certificate";
const MINUTES_5: u64 = 5 * 60 * 1000;
const HOURS_24: u64 = 24 * 60 * 60 * 1000;
const DAYS_30: u64 = 30 * HOURS_24;

/// Who signs with which key: the seed of an Ed25519 key, and how the registry limits it.
const KEYS: &[(&str, u8, &str)] = &[
    ("xx.school", 1, ""),
    ("xx.clinic", 2, ""),
    ("xx.carried", 3, ""),
    ("xx.keys", 4, "revoked_at = \"2027-03-04T05:00:00Z\"\n"),
    ("xx.keys", 5, "until = \"2027-03-04T05:00:00Z\"\n"),
    ("xx.keys", 6, ""),
    ("xx.keys", 7, ""),
    ("xx.one-left", 8, "until = \"2027-03-04T05:00:00Z\"\n"),
    ("xx.one-left", 9, ""),
    ("xx.test-school", 10, ""),
    ("xx.registry-b", 11, ""),
];

/// The other agencies, and what their sections say beside their names. Each agency has a url and a system.
const AGENCIES: &[(&str, &str)] = &[
    ("xx.school", ""),
    ("xx.clinic", ""),
    ("xx.carrier", ""),
    ("xx.carried", "carried_by = [\"xx.carrier\"]\n"),
    ("xx.keys", ""),
    ("xx.one-left", ""),
    ("xx.slow", ""),
    ("xx.gone", "suspended = true\n"),
    ("xx.registry-a", ""),
    ("xx.registry-b", ""),
    ("xx.test-school", "test = true\n"),
    ("xx.test-clinic", "test = true\n"),
];

const HOLDERS: &[(&str, &str, &str)] = &[
    (NOTE, "xx.clinic", ""),
    (NOTE, "xx.test-clinic", ""),
    (NOTE, "xx.gone", ""),
    (BIRTH, "xx.registry-a", "\"RU-YAR\""),
    (BIRTH, "xx.registry-b", "\"RU-YAR\", \"RU-IVA\""),
];

/// What stands in a certificate of birth beside the child.
const BESIDE: &str = "\"Parent\", \"FatherBasis\", \"MedicalRecord\", \"Extension\"";

/// Who, what, how, for which purpose and with which fields.
const GRANTS: &[(&str, &str, &str, &str, &[&str])] = &[
    ("xx.*", NOTE, "read", "p", &["\"Diagnosis\""]),
    ("xx.school", BIRTH, "read", "p", &[BESIDE]),
    ("xx.school", BIRTH, "read", "child-too", &[BESIDE, "\"Child\""]),
    (
        "xx.school",
        BIRTH,
        "read",
        "no-parents",
        &["\"Child\", \"FatherBasis\", \"MedicalRecord\", \"Extension\", \"Parent/Residence\""],
    ),
    ("xx.school", NOTE, "apply", "p", &[]),
    ("xx.school", "school-enrolment", "read", "p", &[]),
];

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32]).expect("32 octets are a seed")
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("a short one");
    let head = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [&head, content].concat()
}

/// A certificate of a key: the fields that the registry reads, and a signature that nobody checks.
fn certificate_of(algorithm: Algorithm, key: &[u8]) -> Vec<u8> {
    let oid = match algorithm {
        Algorithm::EcdsaP384 => [der(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), der(6, &[0x2b, 0x81, 4, 0, 0x22])].concat(),
        _ => der(6, &[0x2b, 0x65, 0x70]),
    };
    let bits = |octets: &[u8]| der(3, &[&[0], octets].concat());
    let signed_with = der(0x30, &der(6, &[0x2b, 0x65, 0x70]));
    let validity = [der(0x17, b"260101000000Z"), der(0x17, b"351231235959Z")].concat();
    let name = der(0x30, &[]);
    let key_info = der(0x30, &[der(0x30, &oid), bits(key)].concat());
    let version_3 = der(0xa0, &der(2, &[2]));
    let fields = [version_3, der(2, &[1]), signed_with.clone(), name.clone(), der(0x30, &validity), name, key_info].concat();
    der(0x30, &[der(0x30, &fields), signed_with, bits(&[0; 64])].concat())
}

pub fn certificate(seed: u8) -> Vec<u8> {
    certificate_of(Algorithm::Ed25519, key(seed).public_key().expect("it has a public half").octets())
}

/// A key of the one algorithm that the gateway verifies and never signs with.
struct P384(EcdsaKeyPair);

static SLOW: LazyLock<P384> = LazyLock::new(|| {
    let random = ring::rand::SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).expect("randomness");
    P384(EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, made.as_ref(), &random).expect("its own form"))
});

impl Signer for P384 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EcdsaP384
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = ring::rand::SystemRandom::new();
        self.0.sign(&random, message).map(|value| value.as_ref().to_vec()).map_err(|_| SigningFailed)
    }
}

/// The thumbprint of the client certificate of an agency's system.
fn system(agency: &str) -> Digest {
    sha256(agency.as_bytes())
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(Schemas::built_in);

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    use base64::Engine as _;
    let base64 = |der: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = String::from("format = 1\nversion = 1\n");
    for (agency, more) in AGENCIES {
        text += &format!("[[agency]]\nid = \"{agency}\"\nname = \"A\"\nurl = \"https://a/\"\n{more}");
        for (_, seed, more) in KEYS.iter().filter(|(of, _, _)| of == agency) {
            text += &format!("[[agency.key]]\ncertificate = \"{}\"\n{more}", base64(certificate(*seed)));
        }
        if *agency == "xx.slow" {
            let slow = certificate_of(Algorithm::EcdsaP384, SLOW.0.public_key().as_ref());
            text += &format!("[[agency.key]]\ncertificate = \"{}\"\n", base64(slow));
        }
        text += &format!("[[agency.system]]\ncertificate_sha256 = \"{}\"\n", system(agency));
    }
    for (document, agency, regions) in HOLDERS {
        text += &format!("[[holder]]\ndocument = \"{document}\"\nagency = \"{agency}\"\nregions = [{regions}]\n");
    }
    for (at, (who, what, action, purpose, fields)) in GRANTS.iter().enumerate() {
        text += &format!(
            "[[grant]]\nid = \"g-{at}\"\nwho = \"{who}\"\nwhat = \"{what}\"\naction = \"{action}\"\npurpose = \"{purpose}\"\n\
             basis = \"a law\"\nuntil = \"2030-12-31\"\nfields = [{}]\n",
            fields.join(", ")
        );
    }
    Registry::check(&text, &SCHEMAS).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
});

fn now() -> UnixTime {
    UnixTime::parse("2027-03-04T05:12:10.500Z").expect("an instant")
}

fn at(now: UnixTime) -> Snapshot<'static> {
    Snapshot { now, registry: &REGISTRY, schemas: &SCHEMAS }
}

fn peer(agency: &str) -> Peer {
    Peer::identify(&REGISTRY, &system(agency)).expect("a system of the registry")
}

fn agency(name: &str) -> AgencyId {
    AgencyId::parse(name).expect("a name")
}

fn word(text: &str) -> Word {
    Word::parse(text).expect("a code")
}

fn identifier(number: u32) -> Identifier {
    Identifier::synthetic(number)
}

/// The patient of the example.
fn patient() -> Subject {
    let example = Identifier::parse("XX-OGTEST", "99000000136").expect("an identifier");
    Subject { identifiers: vec![example], ..Subject::default() }
}

/// A question of the school about the patient of the example.
fn question() -> Message {
    let header = Header {
        id: MessageId::new(now(), [1; 10]),
        in_reply_to: None,
        kind: Kind::Request,
        from: agency("xx.school"),
        to: None,
        created_at: now(),
        expires_at: now().plus_ms(MINUTES_5),
        world: World::Live,
        signer_certificate: None,
    };
    let context = Context::new(word("p"), "a law", patient());
    let ask = Ask { document_type: word(NOTE), of: None, select: Vec::new(), during: None };
    Message { header, context: Some(context), body: Body::Ask(ask), attachments: Vec::new() }
}

fn ask(message: &mut Message) -> &mut Ask {
    match &mut message.body {
        Body::Ask(ask) => ask,
        other => panic!("not a question: {other:?}"),
    }
}

fn field(text: &str) -> FieldPath {
    FieldPath::parse(text).expect("a path")
}

fn context(message: &mut Message) -> &mut Context {
    message.context.as_mut().expect("it has a context")
}

/// The example of a document type, without its XML declaration.
fn example(name: &str) -> &'static str {
    let text = Schemas::example(name).expect("an example");
    text.split_once("?>").map_or(text, |(_, rest)| rest)
}

fn minimal() -> &'static str {
    let text = include_str!("../../schemas/examples/medical-absence-note/valid/minimal.xml");
    text.split_once("?>").map_or(text, |(_, rest)| rest)
}

fn signed(message: &Message, documents: &str, seed: u8) -> Vec<u8> {
    sign(write(message, documents).as_bytes(), &key(seed), Some(&certificate(seed))).expect("it can be signed")
}

fn authenticated(message: &Message, documents: &str) -> Authenticated {
    let octets = signed(message, documents, 1);
    authenticate(at(now()), &peer("xx.school"), octets).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

/// What becomes of the question when it is changed.
fn permitted(change: impl FnOnce(&mut Message), documents: &str) -> Result<Permitted, Refusal> {
    let mut message = question();
    change(&mut message);
    permit(at(now()), authenticated(&message, documents))
}

#[test]
fn a_peer_is_an_active_agency_whose_system_is_registered() {
    let known = peer("xx.clinic");
    assert_eq!(REGISTRY.agency(known.agency()).map(|agency| agency.id.as_str()), Some("xx.clinic"));
    assert_eq!(known.system(), system("xx.clinic"));
    let code = |agency: &str| Peer::identify(&REGISTRY, &system(agency)).map_err(|fault| fault.code);
    assert_eq!(code("xx.stranger"), Err(Code::TlsUnknownCertificate));
    assert_eq!(code("xx.gone"), Err(Code::TlsAgencySuspended));
}

#[test]
fn whoever_is_authenticated_is_the_sender_that_the_message_says() {
    let message = question();
    let octets = signed(&message, "", 1);
    let proof = authenticate(at(now()), &peer("xx.school"), octets.clone()).expect("it is good");
    assert_eq!((proof.message(), proof.id()), (&message, message.header.id));
    assert_eq!(proof.digest(), sha256(write(&message, "").as_bytes()));
    assert_eq!(Some(proof.sender()), REGISTRY.find(&agency("xx.school")));
    assert_eq!(proof.price(), 1);
    assert_eq!(proof.into_octets(), octets);
}

#[test]
fn a_signature_with_p384_has_the_price_of_its_verification() {
    let mut message = question();
    message.header.from = agency("xx.slow");
    let (text, _) = sign_envelope(&write(&message, ""), &*SLOW, None).expect("it can be signed");
    let proof = authenticate(at(now()), &peer("xx.slow"), text.into_bytes()).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(proof.price(), Algorithm::EcdsaP384.price());
    assert!(proof.price() > 1);
}

/// From, the peer, the seed of the key that signs, the seed of the certificate in `KeyInfo`, and that which
/// `SignerCertificate` states.
type Sent = (&'static str, &'static str, u8, Option<u8>, Option<u8>);

#[test]
fn sender_and_key_are_checked_one_by_one() {
    let rows: &[(&str, Sent, Option<Code>)] = &[
        ("the agency itself", ("xx.school", "xx.school", 1, Some(1), None), None),
        ("without KeyInfo, one key", ("xx.school", "xx.school", 1, None, None), None),
        ("an agency that nobody knows", ("xx.stranger", "xx.school", 1, Some(1), None), Some(Code::SigSender)),
        ("another agency", ("xx.school", "xx.clinic", 1, Some(1), None), Some(Code::SigSender)),
        ("whom the registry names as its carrier", ("xx.carried", "xx.carrier", 3, Some(3), None), None),
        ("who is no carrier of it", ("xx.carried", "xx.school", 3, Some(3), None), Some(Code::SigSender)),
        ("whom it carries for", ("xx.carrier", "xx.carried", 3, Some(3), None), Some(Code::SigSender)),
        ("another agency's key", ("xx.school", "xx.school", 2, Some(2), None), Some(Code::SigKeyUnknown)),
        ("another key than KeyInfo names", ("xx.school", "xx.school", 2, Some(1), None), Some(Code::SigInvalid)),
        ("another key, none named", ("xx.school", "xx.school", 2, None, None), Some(Code::SigInvalid)),
        ("a revoked key", ("xx.keys", "xx.keys", 4, Some(4), None), Some(Code::SigKeyRevoked)),
        ("a key that is over", ("xx.keys", "xx.keys", 5, Some(5), None), Some(Code::SigKeyExpired)),
        ("a valid key of several", ("xx.keys", "xx.keys", 6, Some(6), None), None),
        ("which of several is not said", ("xx.keys", "xx.keys", 6, None, None), Some(Code::SigKeyUnknown)),
        ("the only one left", ("xx.one-left", "xx.one-left", 9, None, None), None),
        ("SignerCertificate that fits KeyInfo", ("xx.keys", "xx.keys", 6, Some(6), Some(6)), None),
        ("SignerCertificate of another key", ("xx.keys", "xx.keys", 6, Some(6), Some(7)), Some(Code::SigCertificate)),
        ("SignerCertificate of the only key", ("xx.one-left", "xx.one-left", 9, None, Some(9)), None),
        ("of another, KeyInfo left out", ("xx.one-left", "xx.one-left", 9, None, Some(8)), Some(Code::SigCertificate)),
    ];
    for (name, (from, by, seed, named, stated), code) in rows {
        let mut message = question();
        message.header.from = agency(from);
        message.header.signer_certificate = stated.map(|seed| sha256(&certificate(seed)));
        let named = named.map(certificate);
        let (text, digest) = sign_envelope(&write(&message, ""), &key(*seed), named.as_deref()).expect("it can be signed");
        let outcome = authenticate(at(now()), &peer(by), text.into_bytes());
        assert_eq!(outcome.as_ref().err().map(|refusal| refusal.fault.code), *code, "{name}");
        if let Err(refusal) = outcome {
            assert_eq!((refusal.digest, refusal.raw), (Some(digest), None), "{name}");
            assert_eq!(refusal.claimed.from.as_ref(), Some(&message.header.from), "{name}");
            assert_eq!(refusal.claimed.id, Some(message.header.id), "{name}");
        }
    }
}

#[test]
fn of_what_is_no_message_the_octets_are_recorded_and_what_was_read_up_to_there() {
    let message = question();
    let octets = String::from_utf8(signed(&message, "", 1)).expect("text").replace("<Body>", "<Body >&e;").into_bytes();
    let refusal = authenticate(at(now()), &peer("xx.school"), octets.clone()).expect_err("it is no message");
    assert_eq!(refusal.fault.code, Code::XmlEntity);
    assert_eq!((refusal.digest, refusal.raw), (None, Some(sha256(&octets))));
    assert_eq!((refusal.claimed.id, refusal.claimed.from), (Some(message.header.id), Some(message.header.from)));
}

#[test]
fn what_is_permitted_says_who_asks_whom_for_what_on_which_grounds() {
    let message = question();
    let proof = authenticated(&message, "");
    let (digest, octets) = (proof.digest(), signed(&message, "", 1));
    let permitted = permit(at(now()), proof).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let id = |index| REGISTRY.agency(index).map(|agency| agency.id.as_str());
    assert_eq!((id(permitted.consumer()), id(permitted.holder())), (Some("xx.school"), Some("xx.clinic")));
    assert_eq!((permitted.message(), permitted.digest()), (&message, digest));
    assert_eq!(permitted.context(), message.context.as_ref());
    assert_eq!(permitted.what().as_str(), NOTE);
    assert_eq!(permitted.grounds().grant_id.as_str(), "g-0");
    assert_eq!(permitted.octets(), octets);
}

#[test]
fn a_refusal_to_permit_says_which_message_it_was() {
    let message = question();
    let proof = authenticated(&message, "");
    let digest = proof.digest();
    let late = permit(at(now().plus_ms(HOURS_24)), proof).expect_err("it is too late");
    assert_eq!((late.digest, late.raw), (Some(digest), None));
    assert_eq!((late.claimed.id, late.claimed.from), (Some(message.header.id), Some(message.header.from)));
}

type Row = (&'static str, fn(&mut Message), Option<Code>);

/// At each border: what is just taken, and what is just refused.
const TIMES: &[Row] = &[
    ("made five minutes ago", |m| made(m, now().minus_ms(MINUTES_5), MINUTES_5 + 1), None),
    ("made longer ago", |m| made(m, now().minus_ms(MINUTES_5 + 1), HOURS_24), Some(Code::MsgClock)),
    ("made in five minutes", |m| made(m, now().plus_ms(MINUTES_5), 1), None),
    ("made even later", |m| made(m, now().plus_ms(MINUTES_5 + 1), 1), Some(Code::MsgClock)),
    ("an id five minutes older", |m| m.header.id = MessageId::new(now().minus_ms(MINUTES_5), [1; 10]), None),
    ("an id older than that", |m| m.header.id = MessageId::new(now().minus_ms(MINUTES_5 + 1), [1; 10]), Some(Code::MsgStaleId)),
    ("an id five minutes newer", |m| m.header.id = MessageId::new(now().plus_ms(MINUTES_5), [1; 10]), None),
    ("an id newer than that", |m| m.header.id = MessageId::new(now().plus_ms(MINUTES_5 + 1), [1; 10]), Some(Code::MsgStaleId)),
    ("a life of a day", |m| made(m, now(), HOURS_24), None),
    ("a longer life", |m| made(m, now(), HOURS_24 + 1), Some(Code::MsgLifetime)),
    ("a life of nothing", |m| made(m, now(), 0), Some(Code::MsgLifetime)),
    ("a life that ends before it begins", |m| m.header.expires_at = now().minus_ms(1), Some(Code::MsgLifetime)),
    ("a life of a millisecond", |m| made(m, now(), 1), None),
    ("expired this very millisecond", |m| made(m, now().minus_ms(1), 1), Some(Code::MsgExpired)),
    ("expired before", |m| made(m, now().minus_ms(2), 1), Some(Code::MsgExpired)),
];

fn made(message: &mut Message, at: UnixTime, life: u64) {
    message.header.id = MessageId::new(at, [1; 10]);
    (message.header.created_at, message.header.expires_at) = (at, at.plus_ms(life));
}

#[test]
fn a_question_is_of_now_and_of_a_limited_life() {
    for (name, change, code) in TIMES {
        let outcome = permitted(change, "");
        assert_eq!(outcome.as_ref().err().map(|refusal| refusal.fault.code), *code, "{name}: {outcome:?}");
    }
}

#[test]
fn an_application_may_live_for_thirty_days() {
    let application = |life| {
        let change = |m: &mut Message| {
            (m.header.kind, m.body) = (Kind::Application, Body::Documents(Vec::new()));
            made(m, now(), life);
        };
        permitted(change, minimal()).map(|_| ()).map_err(|refusal| refusal.fault.code)
    };
    assert_eq!(application(DAYS_30), Ok(()));
    assert_eq!(application(DAYS_30 + 1), Err(Code::MsgLifetime));
}

const QUESTIONS: &[Row] = &[
    ("as it is", |_| {}, None),
    ("without a context", |m| m.context = None, Some(Code::MsgContext)),
    ("a kind that nobody asks with", |m| (m.header.kind, m.body) = (Kind::Answer, no_record()), Some(Code::MsgKind)),
    ("a kind that nobody asks with, and another kind's body", |m| m.header.kind = Kind::Answer, Some(Code::MsgStructure)),
    ("a body that is no question", |m| m.body = no_record(), Some(Code::MsgStructure)),
    ("an application without documents", |m| m.header.kind = Kind::Application, Some(Code::MsgStructure)),
    ("a document type that nobody knows", |m| ask(m).document_type = word("marsh-permit"), Some(Code::DocUnknown)),
    ("another purpose", |m| context(m).purpose = word("q"), Some(Code::PolPurpose)),
    ("a field that is granted", |m| ask(m).select = vec![field("Diagnosis")], None),
    ("a field that is not", |m| ask(m).select = vec![field("Doctor")], Some(Code::PolField)),
    ("to its holder", |m| m.header.to = Some(agency("xx.clinic")), None),
    ("to one that holds nothing", |m| m.header.to = Some(agency("xx.carrier")), Some(Code::RteNoHolder)),
    ("to one that nobody knows", |m| m.header.to = Some(agency("xx.stranger")), Some(Code::RteNoHolder)),
    ("to one that is suspended", |m| m.header.to = Some(agency("xx.gone")), Some(Code::RteNoHolder)),
    ("to one of the test world", |m| m.header.to = Some(agency("xx.test-clinic")), Some(Code::MsgTest)),
    ("a test of an agency that is not", |m| m.header.world = World::Test, Some(Code::MsgTest)),
    ("of several holders none named", |m| birth(m, Some("RU-YAR"), None), Some(Code::RteNoHolder)),
    ("the one holder of a region", |m| birth(m, Some("RU-IVA"), None), None),
    ("a region without holder", |m| birth(m, Some("RU-MOW"), None), Some(Code::RteNoHolder)),
    ("no region", |m| birth(m, None, None), Some(Code::RteNoHolder)),
    ("of several holders one named", |m| birth(m, Some("RU-YAR"), Some("xx.registry-b")), None),
    ("a type without holder", |m| ask(m).document_type = word("school-enrolment"), Some(Code::RteNoHolder)),
];

fn birth(message: &mut Message, region: Option<&str>, to: Option<&str>) {
    ask(message).document_type = word(BIRTH);
    context(message).region = region.and_then(Region::parse);
    message.header.to = to.map(agency);
}

fn no_record() -> Body {
    Body::NoRecord { document_type: word(NOTE) }
}

#[test]
fn kind_grant_and_holder_are_checked_one_by_one() {
    for (name, change, code) in QUESTIONS {
        let outcome = permitted(change, "");
        assert_eq!(outcome.as_ref().err().map(|refusal| refusal.fault.code), *code, "{name}: {outcome:?}");
    }
}

#[test]
fn of_several_holders_the_named_one_is_asked_else_that_of_the_region() {
    let holder = |region, to| {
        let permitted = permitted(|m| birth(m, region, to), "").expect("there is one");
        REGISTRY.agency(permitted.holder()).map(|agency| agency.id.as_str())
    };
    assert_eq!(holder(Some("RU-IVA"), None), Some("xx.registry-b"));
    assert_eq!(holder(Some("RU-IVA"), Some("xx.registry-a")), Some("xx.registry-a"));
}

#[test]
fn the_test_world_has_holders_of_its_own() {
    let mut message = question();
    (message.header.from, message.header.world) = (agency("xx.test-school"), World::Test);
    let outcome = |message: &Message| {
        let proof = authenticate(at(now()), &peer("xx.test-school"), signed(message, "", 10)).expect("it is good");
        let permitted = permit(at(now()), proof).map_err(|refusal| refusal.fault.code)?;
        Ok(REGISTRY.agency(permitted.holder()).map(|agency| agency.id.as_str()))
    };
    assert_eq!(outcome(&message), Ok(Some("xx.test-clinic")));
    message.header.to = Some(agency("xx.clinic"));
    assert_eq!(outcome(&message), Err(Code::MsgTest), "a live holder");
    (message.header.to, message.header.world) = (None, World::Live);
    assert_eq!(outcome(&message), Err(Code::MsgTest), "a message that says it is live");
}

#[test]
fn an_application_is_of_the_type_of_its_first_document_and_all_must_be_valid() {
    let apply = |documents: &str| {
        let change = |m: &mut Message| (m.header.kind, m.body) = (Kind::Application, Body::Documents(Vec::new()));
        permitted(change, documents).map(|permitted| permitted.what().to_string()).map_err(|refusal| refusal.fault.code)
    };
    let broken = minimal().replace("<Days>6</Days>", "<Days>many</Days>");
    assert_eq!(apply(minimal()), Ok(NOTE.to_owned()));
    assert_eq!(apply(&format!("{}{}", minimal(), example(BIRTH))), Ok(NOTE.to_owned()));
    assert_eq!(apply(&format!("{}{}", example(BIRTH), minimal())), Err(Code::PolNoGrant), "no grant for the first");
    assert_eq!(apply(&broken), Err(Code::DocSchema));
    assert_eq!(apply(&format!("{}{broken}", minimal())), Err(Code::DocSchema), "the second is broken");
    let asked = permitted(|m| m.body = Body::Documents(Vec::new()), minimal());
    assert_eq!(asked.map(|_| ()).map_err(|refusal| refusal.fault.code), Err(Code::MsgStructure), "a request with documents");
}

/// The question that answers are measured by, as it may be changed.
fn asked(change: impl FnOnce(&mut Message)) -> Permitted {
    permitted(change, "").unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

/// The holder's answer to a question, without its documents.
fn answer(question: &Permitted) -> Message {
    let mut message = question.message().clone();
    let id = message.header.id;
    message.header.in_reply_to = Some(ReplyTo { id, digest: question.digest() });
    let holder = REGISTRY.agency(question.holder()).expect("a holder").id.clone();
    (message.header.kind, message.header.from, message.header.to) = (Kind::Answer, holder, None);
    made(&mut message, now(), MINUTES_5);
    (message.context, message.body) = (None, Body::Documents(Vec::new()));
    message
}

fn answered(question: &Permitted, change: impl FnOnce(&mut Message), documents: &str) -> Result<Answer, Refusal> {
    let mut message = answer(question);
    change(&mut message);
    let seed = KEYS.iter().find(|(of, _, _)| agency(of) == message.header.from).map(|(_, seed, _)| *seed);
    admit_answer(at(now()), question, signed(&message, documents, seed.expect("it has a key")))
}

/// The code of a refused answer, and what its detail begins with.
fn says(outcome: &Result<Answer, Refusal>) -> Option<(Code, &str)> {
    outcome.as_ref().err().map(|refusal| (refusal.fault.code, refusal.fault.detail.split([':', ' ']).next().unwrap_or("")))
}

#[test]
fn an_answer_that_fits_is_released_as_it_was_signed() {
    let question = asked(|_| {});
    let message = answer(&question);
    let octets = signed(&message, minimal(), 2);
    let answer = admit_answer(at(now()), &question, octets.clone()).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    assert_eq!(answer.message().header, message.header);
    let canonical = crate::vectors::canonical(write(&message, minimal()).as_bytes(), None).expect("a document");
    assert_eq!(answer.digest(), sha256(&canonical));
    assert_eq!(answer.octets(), octets);
    assert_eq!(answer.into_octets(), octets);
}

#[test]
fn what_is_wrong_with_an_answer_is_told_with_the_code_of_its_cause() {
    let question = asked(|_| {});
    let good = signed(&answer(&question), minimal(), 2);
    let outcome = |octets: &[u8]| admit_answer(at(now()), &question, octets.to_vec());
    let garbage = outcome(b"<");
    assert_eq!(says(&garbage), Some((Code::RteBadAnswer, "OG-XML-002")));
    let refusal = garbage.expect_err("it is no message");
    assert_eq!((refusal.digest, refusal.raw), (None, Some(sha256(b"<"))));
    let mut other = answer(&question);
    other.header.from = agency("xx.carrier");
    let other = outcome(&signed(&other, minimal(), 2));
    assert_eq!(says(&other), Some((Code::RteBadAnswer, "OG-SIG-004")), "not from the holder");
    assert!(other.expect_err("not from the holder").digest.is_some());
    let forged = signed(&answer(&question), minimal(), 1);
    assert_eq!(says(&outcome(&forged)), Some((Code::RteBadAnswer, "OG-SIG-006")), "another agency's key");
    let unnamed = sign(write(&answer(&question), minimal()).as_bytes(), &key(1), None).expect("it can be signed");
    assert_eq!(says(&outcome(&unnamed)), Some((Code::RteBadAnswer, "OG-SIG-009")), "the same, not named");
    assert_eq!(says(&outcome(&good)), None, "their twin");
}

type AnswerRow = (&'static str, fn(&mut Message), Option<(Code, &'static str)>);

const BAD: Code = Code::RteBadAnswer;

const ANSWERS: &[AnswerRow] = &[
    ("as it is", |_| {}, None),
    ("to no question", |m| m.header.in_reply_to = None, Some((Code::RteWrongQuestion, ""))),
    ("to another id", |m| reply(m).id = MessageId::new(now(), [9; 10]), Some((Code::RteWrongQuestion, ""))),
    ("to another digest", |m| reply(m).digest = sha256(b"another"), Some((Code::RteWrongQuestion, ""))),
    ("a request", |m| m.header.kind = Kind::Request, Some((BAD, "OG-MSG-003"))),
    ("an event", |m| m.header.kind = Kind::Event, Some((BAD, "OG-MSG-003"))),
    ("of the test world", |m| m.header.world = World::Test, Some((BAD, "OG-MSG-019"))),
    ("to the consumer", |m| m.header.to = Some(agency("xx.school")), None),
    ("to another agency", |m| m.header.to = Some(agency("xx.carrier")), Some((Code::RteWrongQuestion, "the"))),
    ("made five minutes ago", |m| made(m, now().minus_ms(MINUTES_5), MINUTES_5 + 1), None),
    ("made longer ago", |m| made(m, now().minus_ms(MINUTES_5 + 1), HOURS_24), Some((BAD, "OG-MSG-013"))),
    ("made in five minutes", |m| made(m, now().plus_ms(MINUTES_5), 1), None),
    ("made even later", |m| made(m, now().plus_ms(MINUTES_5 + 1), 1), Some((BAD, "OG-MSG-013"))),
    ("an id five minutes older", |m| m.header.id = MessageId::new(now().minus_ms(MINUTES_5), [1; 10]), None),
    (
        "an id older than that",
        |m| m.header.id = MessageId::new(now().minus_ms(MINUTES_5 + 1), [1; 10]),
        Some((BAD, "OG-MSG-011")),
    ),
    ("an id newer than that", |m| m.header.id = MessageId::new(now().plus_ms(MINUTES_5 + 1), [1; 10]), Some((BAD, "OG-MSG-011"))),
    ("a life of a day", |m| made(m, now(), HOURS_24), None),
    ("a longer life", |m| made(m, now(), HOURS_24 + 1), Some((BAD, "OG-MSG-012"))),
    ("a life of nothing", |m| made(m, now(), 0), Some((BAD, "OG-MSG-012"))),
    ("a life that ends before it begins", |m| m.header.expires_at = now().minus_ms(1), Some((BAD, "OG-MSG-012"))),
    ("a life of a millisecond", |m| made(m, now(), 1), None),
];

fn reply(message: &mut Message) -> &mut ReplyTo {
    message.header.in_reply_to.as_mut().expect("it answers")
}

#[test]
fn the_header_of_an_answer_is_checked_against_its_question() {
    let question = asked(|_| {});
    for (name, change, expected) in ANSWERS {
        let outcome = answered(&question, change, minimal());
        assert_eq!(says(&outcome), *expected, "{name}: {outcome:?}");
        let has_digest = outcome.err().is_none_or(|refusal| refusal.digest.is_some() && refusal.raw.is_none());
        assert!(has_digest, "{name}: it was a message");
    }
}

#[test]
fn an_answer_to_a_question_that_has_expired_is_late() {
    let question = asked(|m| m.header.expires_at = now().plus_ms(1000));
    let message = signed(&answer(&question), minimal(), 2);
    let outcome = |ms| admit_answer(at(now().plus_ms(ms)), &question, message.clone());
    assert_eq!(says(&outcome(999)), None);
    assert_eq!(says(&outcome(1000)), Some((Code::RteLate, "")));
    assert_eq!(says(&outcome(1001)), Some((Code::RteLate, "")));
}

#[test]
fn an_answer_that_has_itself_expired_is_not_released() {
    let question = asked(|_| {});
    let mut message = answer(&question);
    message.header.expires_at = now().plus_ms(1000);
    let message = signed(&message, minimal(), 2);
    let outcome = |ms| admit_answer(at(now().plus_ms(ms)), &question, message.clone());
    assert_eq!(says(&outcome(999)), None);
    assert_eq!(says(&outcome(1000)), Some((BAD, "OG-MSG-015")));
}

#[test]
fn each_kind_of_message_has_its_bodies_and_no_others_as_the_document_says() {
    let state = || Body::State { of: word("s"), at: now() };
    let fault = || {
        let [code, blame, retry] = ["OG-MSG-002", "sender", "never"].map(str::to_owned);
        Body::Fault { code, blame, retry }
    };
    let ask = Body::Ask(Ask { document_type: word(NOTE), of: None, select: Vec::new(), during: None });
    let bodies = [
        ("Ask", ask),
        ("Documents", Body::Documents(Vec::new())),
        ("NoRecord", no_record()),
        ("Later", Body::Later { by: now(), reason: word("busy") }),
        ("State", state()),
        ("Fault", fault()),
    ];
    let contract = include_str!("../../docs/message.md");
    let (_, table) = contract.split_once("| Kind | Body |\n|---|---|\n").expect("the table");
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let question = asked(|_| {});
    for kind in ["request", "answer", "event", "application", "status", "cancel", "fault"] {
        let (name, kind) = (kind, Kind::parse(kind).expect("a kind"));
        let has = |row: &&&str| row.split('|').nth(1).is_some_and(|kinds| kinds.contains(&format!("`{name}`")));
        let written = rows.iter().find(has).and_then(|row| row.split('|').nth(2)).expect("a row");
        for (body, value) in &bodies {
            assert_eq!(kind.carries(value), written.contains(&format!("`{body}`")), "{name} with {body}");
            let is_reply = matches!(kind, Kind::Answer | Kind::Status | Kind::Fault);
            let markup = if *body == "Documents" { minimal() } else { "" };
            let outcome = answered(&question, |m| (m.header.kind, m.body) = (kind, value.clone()), markup);
            let expected =
                if !is_reply { Some((BAD, "OG-MSG-003")) } else { Some((BAD, "OG-MSG-001")).filter(|_| !kind.carries(value)) };
            assert_eq!(says(&outcome), expected, "{name} with {body}");
        }
    }
}

#[test]
fn each_shape_of_an_answer_is_taken_and_no_question() {
    let question = asked(|_| {});
    let rows: &[AnswerRow] = &[
        ("none on record", |m| m.body = no_record(), None),
        ("none of another type", |m| m.body = Body::NoRecord { document_type: word(BIRTH) }, Some((BAD, "OG-DOC-003"))),
        ("later", |m| m.body = Body::Later { by: now(), reason: word("busy") }, None),
        ("a state", |m| (m.header.kind, m.body) = (Kind::Status, Body::State { of: word("s"), at: now() }), None),
        (
            "a fault",
            |m| {
                m.header.kind = Kind::Fault;
                let [code, blame, retry] = ["OG-MSG-002", "sender", "never"].map(str::to_owned);
                m.body = Body::Fault { code, blame, retry };
            },
            None,
        ),
        (
            "a question",
            |m| m.body = Body::Ask(Ask { document_type: word(NOTE), of: None, select: Vec::new(), during: None }),
            Some((BAD, "OG-MSG-001")),
        ),
    ];
    for (name, change, expected) in rows {
        let outcome = answered(&question, change, "");
        assert_eq!(says(&outcome), *expected, "{name}: {outcome:?}");
    }
}

#[test]
fn documents_are_valid_of_the_type_about_the_subject_and_hold_no_more_than_was_granted() {
    let with = |field: &str| {
        minimal().replace("<MayReturnOn>2026-03-05</MayReturnOn>", &format!("<MayReturnOn>2026-03-05</MayReturnOn>{field}"))
    };
    let doctor = "<Doctor><Name><t:Family>A</t:Family><t:Given>B</t:Given></Name><Position>C</Position></Doctor>";
    let born = |text: &str| {
        text.replace("</t:Name>\n  </Patient>", "</t:Name>\n    <t:BirthDate>2015-09-01</t:BirthDate>\n  </Patient>")
    };
    let rows = [
        ("a note", minimal().to_owned(), None),
        ("two notes", minimal().repeat(2), None),
        ("a broken one", minimal().replace("<Days>6</Days>", "<Days>many</Days>"), Some((BAD, "OG-DOC-002"))),
        ("a broken one behind a good one", minimal().to_owned() + &minimal().replace(">6<", ">x<"), Some((BAD, "OG-DOC-002"))),
        ("another type", example(BIRTH).to_owned(), Some((BAD, "OG-DOC-003"))),
        ("with a field that is granted", with("<Diagnosis>J06.9</Diagnosis>"), None),
        ("with one that is not", with(doctor), Some((Code::PolWithheldField, ""))),
        ("with what describes the subject", born(minimal()), None),
        ("about another person", minimal().replace("99000000136", identifier(77).value()), Some((Code::RteWrongSubject, ""))),
    ];
    let question = asked(|_| {});
    assert_ne!(rows[7].1, minimal(), "it is described further");
    for (name, documents, expected) in &rows {
        let outcome = answered(&question, |_| {}, documents);
        assert_eq!(says(&outcome), *expected, "{name}: {outcome:?}");
    }
    let selected = asked(|m| ask(m).select = vec![field("Reason")]);
    let outcome = answered(&selected, |_| {}, &with("<Diagnosis>J06.9</Diagnosis>"));
    assert_eq!(says(&outcome), Some((Code::PolWithheldField, "")), "granted and not selected");
}

#[test]
fn a_document_is_about_whoever_it_names_in_the_role_that_was_asked_for() {
    let (child, mother, father) = ("99000000572", "99000000681", "99000000790");
    let withheld = Some((Code::PolWithheldField, ""));
    let another = Some((Code::RteWrongSubject, ""));
    for (of, who, purpose, expected) in [
        (None, child, "p", None),
        (Some("child"), child, "p", None),
        (None, mother, "p", another),
        // Of the mother the certificate may say all, of her child only what is granted.
        (Some("mother"), mother, "p", withheld),
        (Some("mother"), mother, "child-too", None),
        (Some("father"), mother, "child-too", another),
        // Where she stands, another parent may stand as well.
        (Some("mother"), mother, "no-parents", withheld),
        (Some("parent"), mother, "no-parents", withheld),
        (Some("child"), child, "no-parents", withheld),
        (Some("parent"), mother, "child-too", None),
        (Some("parent"), father, "child-too", None),
        (Some("parent"), child, "child-too", another),
    ] {
        let question = asked(|m| {
            birth(m, Some("RU-IVA"), None);
            ask(m).of = of.map(word);
            context(m).purpose = word(purpose);
            context(m).subject = person(&[("XX-OGTEST", who)], "", "", "");
        });
        let outcome = answered(&question, |_| {}, example(BIRTH));
        assert_eq!(says(&outcome), expected, "{who} as {of:?}: {outcome:?}");
    }
    // A role that the document does not have is refused before anybody is asked.
    let witness = permitted(
        |m| {
            birth(m, Some("RU-IVA"), None);
            ask(m).of = Some(word("witness"));
            context(m).purpose = word("child-too");
            context(m).subject = person(&[("XX-OGTEST", mother)], "", "", "");
        },
        "",
    );
    assert_eq!(witness.map(|_| ()).map_err(|refusal| refusal.fault.code), Err(Code::PolNoGrant));
}

/// Whatever is wrong with an answer, its words do not reach the consumer as the reason for which it gets nothing.
#[test]
fn a_refused_answer_is_told_by_its_code_alone() {
    let question = asked(|_| {});
    let with = |field: &str| minimal().replace("<Days>6</Days>", field);
    let doctor = "<Doctor><Name><t:Family>A</t:Family><t:Given>B</t:Given></Name><Position>C</Position></Doctor>";
    for (secret, documents) in [
        ("Depression", with("<Depression/>")),
        ("Depression", with("<Depression")),
        ("Depression", with("<Days>6<Depression>")),
        ("depression", with("<Days depression=\"\">6</Days>")),
        ("depression", with("<Days>depression</Days>")),
        ("depression", with("<Days>6</Days><depression:x/>")),
        ("depression", with("<Days>6</Days>&depression;")),
        ("depression", with("<Days xmlns:x=\"depression {}\">6</Days>")),
        ("depression", with("<Days xmlns:x=\"urn:depression\">6</Days><x:x/>")),
        ("Doctor", minimal().replace("</MedicalAbsenceNote>", &format!("{doctor}</MedicalAbsenceNote>"))),
    ] {
        for (name, octets) in [
            ("signed", sign(write(&answer(&question), &documents).as_bytes(), &key(2), Some(&certificate(2))).ok()),
            ("not signed", Some(write(&answer(&question), &documents).into_bytes())),
        ] {
            let Some(octets) = octets else { continue };
            let refusal = admit_answer(at(now()), &question, octets).expect_err("it is refused");
            let Fault { detail, private, .. } = refusal.fault;
            assert!(!detail.contains(secret), "{name}: {documents}: {detail}");
            // Which field of the schema is withheld is for the operator to know, what else stands there is not.
            let told = private.unwrap_or_default();
            assert!(!told.to_lowercase().contains("depression"), "{name}: {documents}: {told}");
        }
    }
}

/// The child is required, what it is called is not: naming the one must not give the other.
#[test]
fn selecting_what_is_required_gives_no_optional_field_that_lies_in_it() {
    let mother = "99000000681";
    for (purpose, select, expected) in [
        ("p", "Child", Err(Code::PolField)),
        ("p", "Child/Name", Err(Code::PolField)),
        ("p", "Record", Ok(())),
        ("p", "Parent", Ok(())),
        ("child-too", "Child", Ok(())),
    ] {
        let change = |m: &mut Message| {
            birth(m, Some("RU-IVA"), None);
            ask(m).of = Some(word("mother"));
            ask(m).select = vec![field(select)];
            context(m).purpose = word(purpose);
            context(m).subject = person(&[("XX-OGTEST", mother)], "", "", "");
        };
        let outcome = permitted(change, "").map(|_| ()).map_err(|refusal| refusal.fault.code);
        assert_eq!(outcome, expected, "{select} for {purpose}");
    }
}

#[test]
fn an_application_is_answered_with_what_the_service_makes() {
    let change = |m: &mut Message| (m.header.kind, m.body) = (Kind::Application, Body::Documents(Vec::new()));
    let question = permitted(change, minimal()).expect("it is granted");
    let outcome = answered(&question, |_| {}, example(BIRTH));
    assert_eq!(says(&outcome), None, "{outcome:?}");
}

/// A person with identifiers (scheme and value), names and a date of birth; what is empty is not given.
fn person(identifiers: &[(&str, &str)], family: &str, given: &str, birth_date: &str) -> Subject {
    let personal = |text: &str| (!text.is_empty()).then(|| Personal::new(text));
    let identifiers = identifiers.iter().map(|(scheme, value)| Identifier::parse(scheme, value).expect("an identifier"));
    let described = Person { family: personal(family), given: personal(given), birth_date: personal(birth_date) };
    Subject { identifiers: identifiers.collect(), described: Described::Person(described) }
}

#[test]
fn two_descriptions_are_of_one_person_by_identifier_else_by_name_and_date_of_birth() {
    let (a, b) = (("XX-OGTEST", "99000000136"), ("XX-OGTEST", "99000000245"));
    let (other, same_digits) = (("YY-NUMBER", "17"), ("YY-NUMBER", "99000000136"));
    let named = |ids: &[(&str, &str)]| person(ids, "F", "G", "2015-09-01");
    let accents = |family: &str, given: &str| person(&[], family, given, "2015-09-01");
    for (name, asked_about, described, is_same) in [
        ("the same identifier", person(&[a], "", "", ""), person(&[a], "", "", ""), true),
        ("the same identifier and another name", named(&[a]), person(&[a], "X", "Y", "2001"), true),
        ("another identifier of the scheme, the same name", named(&[a]), named(&[b]), false),
        ("one the same, one of another scheme", person(&[a], "", "", ""), person(&[other, a], "", "", ""), true),
        ("one the same, one other", person(&[a, other], "", "", ""), person(&[a, ("YY-NUMBER", "18")], "", "", ""), false),
        ("identifiers of different schemes, the same name", named(&[a]), named(&[other]), true),
        ("the same digits in another scheme, no name", person(&[a], "", "", ""), person(&[same_digits], "", "", ""), false),
        ("the same name and date", named(&[]), named(&[a]), true),
        ("another family name", named(&[]), person(&[], "X", "G", "2015-09-01"), false),
        ("another given name", named(&[]), person(&[], "F", "X", "2015-09-01"), false),
        ("another date", named(&[]), person(&[], "F", "G", "2015-09-02"), false),
        ("no family name, the same date", person(&[], "", "G", "2015-09-01"), person(&[], "", "G", "2015-09-01"), false),
        ("no date, the same name", person(&[], "F", "G", ""), person(&[], "F", "G", ""), false),
        ("no given name, the rest the same", person(&[], "F", "", "2015-09-01"), person(&[], "F", "", "2015-09-01"), true),
        ("nothing at all", person(&[], "", "", ""), person(&[], "", "", ""), false),
        ("accents written behind their letters", accents("Zo\u{eb}", "\u{419}"), accents("Zoe\u{308}", "\u{418}\u{306}"), true),
        ("accents in another order", accents("a\u{323}\u{302}", "G"), accents("a\u{302}\u{323}", "G"), true),
        ("no accents", accents("Zo\u{eb}", "G"), accents("Zoe", "G"), false),
        ("other letter case", accents("Zo\u{eb}", "G"), accents("ZO\u{cb}", "G"), false),
        ("a letter that only looks alike", accents("A", "G"), accents("\u{410}", "G"), false),
    ] {
        let question = asked(|m| context(m).subject = asked_about.clone());
        let echo = |m: &mut Message| {
            m.context.clone_from(&question.message().context);
            context(m).subject = described.clone();
            m.body = no_record();
        };
        let outcome = answered(&question, echo, "");
        let expected = if is_same { None } else { Some((Code::RteWrongSubject, "")) };
        assert_eq!(says(&outcome), expected, "{name}: {outcome:?}");
    }
}
