//! The profile rule by rule, with a visitor that knows nothing of envelopes.

use super::*;
use crate::base::limits;
use crate::message::crypto::{PrivateKey, Signer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

const DOCUMENT: &str = "<Message xmlns=\"urn:oncegate:message:1\"><Header>a</Header><Body>b</Body></Message>";
const CERTIFICATE: &[u8] = b"a certificate; nobody reads it here";

/// What a visitor is shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard(Vec<String>);

impl Visitor for Heard {
    type Error = Fault;

    fn start(&mut self, element: &crate::message::xml::Start<'_>) -> Result<(), Fault> {
        self.0.push(element.local().to_owned());
        Ok(())
    }

    fn text(&mut self, text: &str, _: usize) -> Result<(), Fault> {
        self.0.push(format!("\"{text}\""));
        if text == "stop" { Err(Fault::new(Code::MsgValue)) } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.0.push("/".to_owned());
        Ok(())
    }
}

impl Claim for Heard {
    type Claimed = usize;

    fn claimed(&self) -> usize {
        self.0.len()
    }
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32]).expect("32 octets are a seed")
}

fn public(seed: u8) -> PublicKey {
    key(seed).public_key().expect("it has a public half")
}

fn signed(document: &str, certificate: Option<&[u8]>) -> String {
    let octets = sign(document.as_bytes(), &key(7), certificate).expect("it can be signed");
    String::from_utf8(octets).expect("text in, text out")
}

fn heard(document: &str) -> Result<Unverified<Heard>, Fault> {
    read(document.as_bytes(), Heard::default()).map_err(|read| read.fault)
}

#[test]
fn what_was_signed_is_read_and_verified_however_it_is_spelled() {
    for (document, canonical) in [
        (DOCUMENT, DOCUMENT),
        ("<?xml version='1.0'?>\n<a >x&#62;<b c = 'd'/>\r\n</a >\n", "<a>x&gt;<b c=\"d\"></b>\n</a>"),
        ("<p:a xmlns:q='u:q' xmlns:p='u:p'>x</p:a>", "<p:a xmlns:p=\"u:p\">x</p:a>"),
    ] {
        for certificate in [None, Some(CERTIFICATE)] {
            let message = signed(document, certificate);
            let read = heard(&message).unwrap_or_else(|fault| panic!("{fault}: {message}"));
            assert_eq!(read.digest(), sha256(canonical.as_bytes()), "{document}");
            assert_eq!((read.certificate(), read.thumbprint()), (certificate, certificate.map(sha256)));
            assert_eq!(read.algorithm(), Algorithm::Ed25519);
            let verified = read.verify(&public(7)).expect("the signature is the key's");
            assert_eq!((verified.digest(), verified.thumbprint()), (sha256(canonical.as_bytes()), certificate.map(sha256)));
        }
    }
}

#[test]
fn what_is_canonical_is_signed_in_one_go_and_to_the_same_octets() {
    for certificate in [None, Some(CERTIFICATE)] {
        let (message, digest) = sign_envelope(DOCUMENT, &key(7), certificate).expect("it can be signed");
        assert_eq!(message, signed(DOCUMENT, certificate));
        assert_eq!(digest, sha256(DOCUMENT.as_bytes()));
    }
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let refusal = |document: &str| match sign(document.as_bytes(), &key(7), None) {
        Err(SignError::Document(fault)) => Some(fault.code),
        _ => None,
    };
    assert_eq!(refusal(&signed(DOCUMENT, None)), Some(Code::SigProfile), "a signature already");
    assert_eq!(refusal("<Message/>"), Some(Code::MsgStructure), "nothing to put the signature into");
    assert_eq!(refusal("<Message></Message>"), None, "its twin");
    assert_eq!(refusal("<Message>"), Some(Code::XmlMalformed));
}

#[test]
fn the_visitor_hears_all_but_the_signature() {
    let heard = heard(&signed(DOCUMENT, Some(CERTIFICATE))).expect("it is good");
    assert_eq!(heard.claimed(), 8, "what the visitor has heard so far");
    let verified = heard.verify(&public(7)).expect("it is signed");
    let all = ["Message", "Header", "\"a\"", "/", "Body", "\"b\"", "/", "/"];
    assert_eq!(verified.value().0, all);
    assert_eq!(verified.into_value().0, all);
}

#[test]
fn a_visitor_may_stop_and_what_it_heard_is_given_back() {
    let stopped = read(signed(&DOCUMENT.replace(">a<", ">stop<"), None).as_bytes(), Heard::default()).err().expect("it stops");
    assert_eq!(
        (stopped.fault.code, stopped.value.0),
        (Code::MsgValue, ["Message", "Header", "\"stop\""].map(String::from).into())
    );
    let broken = read(b"<Message><Header>a</Message>", Heard::default()).err().expect("it is broken");
    assert_eq!(broken.fault.code, Code::XmlMalformed);
    assert!(broken.fault.detail.ends_with("at byte 18, in /Message/Header"), "{}", broken.fault.detail);
}

#[test]
fn the_key_decides_the_algorithm_and_only_its_own_signatures_are_valid() {
    let with =
        |key: &PublicKey| heard(&signed(DOCUMENT, None)).expect("it is good").verify(key).map(|_| ()).map_err(|fault| fault.code);
    assert_eq!(with(&public(7)), Ok(()));
    assert_eq!(with(&public(8)), Err(Code::SigInvalid));
    let another = PublicKey::new(Algorithm::EcdsaP256, &[4; 65]).expect("it has the length of a point");
    assert_eq!(with(&another), Err(Code::SigAlgorithm));
}

#[test]
fn what_was_changed_after_signing_has_another_digest() {
    let message = signed(DOCUMENT, None);
    for (from, to) in [(">a<", ">A<"), ("<Body>b</Body>", ""), ("</Body>", "</Body> "), ("<Header>", "<Header a=\"\">")] {
        let fault = heard(&message.replacen(from, to, 1)).err().expect("another message");
        assert_eq!(fault.code, Code::SigDigest, "{to}");
    }
    assert!(heard(&message.replace("<Header>", "<Header  >")).is_ok(), "spelling is not signed");
    let unsigned = heard(DOCUMENT).err().expect("there is no signature");
    assert_eq!(unsigned.code, Code::SigMissing);
}

/// One broken rule: what is put where, what the refusal says, and the words at which it says so.
struct Rule {
    name: &'static str,
    from: &'static str,
    to: &'static str,
    says: &'static str,
    at: &'static str,
}

const fn rule(name: &'static str, from: &'static str, to: &'static str, says: &'static str, at: &'static str) -> Rule {
    Rule { name, from, to, says, at }
}

const ELEMENT: &str = "an element that the profile does not have here";
const CHILD: &str = "an element that lacks a child";
const ATTRIBUTE: &str = "an attribute missing or superfluous";
const ALGORITHM: &str = "an algorithm or reference that the profile does not allow";
const TEXT: &str = "text between the elements";
const INCOMPLETE: &str = "a signature that lacks an element";
const PLACE: &str = "ds:Signature is not the last child of the root";
const AFTER: &str = "an element after ds:Signature";
const BASE64_BROKEN: &str = "a value that is not base64";

const EXCLUSIVE: &str = "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></Transform>";

/// In the order of `message.md`, "Signature".
const RULES: &[Rule] = &[
    rule("an attribute on Signature", "<Signature ", "<Signature Id=\"s\" ", "an attribute on ds:Signature", "<Signature "),
    rule(
        "two signatures",
        "</Signature>",
        "</Signature><Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/>",
        AFTER,
        "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/>",
    ),
    rule("an element behind the signature", "</Signature>", "</Signature><x/>", AFTER, "<x/>"),
    rule("an Object inside of it", "</KeyInfo>", "</KeyInfo><Object></Object>", ELEMENT, "<Object>"),
    rule("SignatureValue twice", "<KeyInfo>", "<SignatureValue>AA==</SignatureValue><KeyInfo>", ELEMENT, "<SignatureValue>AA=="),
    rule("KeyInfo twice", "</KeyInfo>", "</KeyInfo><KeyInfo></KeyInfo>", ELEMENT, "<KeyInfo></"),
    rule("text between the children", "<SignatureValue>", "x<SignatureValue>", TEXT, "x<SignatureValue>"),
    rule("text inside an empty element", "c14n#\"></Can", "c14n#\">x</Can", TEXT, "x</Can"),
    rule("a child's name of another namespace", "<SignedInfo>", "<SignedInfo xmlns=\"urn:x\">", ELEMENT, "<SignedInfo "),
    rule("a child by another name", "<Transforms>", "<transforms>", ELEMENT, "<transforms>"),
    rule(
        "no canonicalisation method",
        "<CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></CanonicalizationMethod>",
        "",
        ELEMENT,
        "<SignatureMethod ",
    ),
    rule(
        "inclusive canonicalisation",
        "2001/10/xml-exc-c14n#\"></Can",
        "TR/2001/REC-xml-c14n-20010315\"></Can",
        ALGORITHM,
        "<CanonicalizationMethod ",
    ),
    rule(
        "canonicalisation with comments",
        "xml-exc-c14n#\"></Can",
        "xml-exc-c14n#WithComments\"></Can",
        ALGORITHM,
        "<CanonicalizationMethod ",
    ),
    rule("a reference to a part", "URI=\"\"", "URI=\"#x\"", ALGORITHM, "<Reference "),
    rule("a reference without URI", " URI=\"\"", "", ATTRIBUTE, "<Reference>"),
    rule("a URI of a namespace", "URI=\"\"", "xmlns:p=\"urn:p\" p:URI=\"\"", ATTRIBUTE, "<Reference "),
    rule("a URI in small letters", "URI=\"\"", "uri=\"\"", ATTRIBUTE, "<Reference "),
    rule("a second attribute of the reference", "URI=\"\"", "URI=\"\" Id=\"r\"", ATTRIBUTE, "<Reference "),
    rule("an attribute where none may be", "<Transforms>", "<Transforms Id=\"t\">", ATTRIBUTE, "<Transforms "),
    rule("a second reference", "</Reference>", "</Reference><Reference URI=\"\"></Reference>", ELEMENT, "<Reference URI=\"\"></"),
    rule(
        "the transforms the other way round",
        "2000/09/xmldsig#enveloped-signature\"></Transform><Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#",
        "2001/10/xml-exc-c14n#\"></Transform><Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        ALGORITHM,
        "<Transform ",
    ),
    rule("only one transform", EXCLUSIVE, "", CHILD, "</Transforms>"),
    rule(
        "a third transform",
        "</Transforms>",
        "<Transform Algorithm=\"x\"></Transform></Transforms>",
        ELEMENT,
        "<Transform Algorithm=\"x\">",
    ),
    rule("no transform at all", "<Transforms>", "<Transforms></Transforms><Transforms>", CHILD, "</Transforms><Transforms>"),
    rule(
        "one transform inside of the other",
        "</Transform><Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></Transform>",
        "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></Transform></Transform>",
        ELEMENT,
        EXCLUSIVE,
    ),
    rule("another digest", "xmlenc#sha256", "xmlenc#sha512", ALGORITHM, "<DigestMethod "),
    rule("an element inside of a value", "<DigestValue>", "<DigestValue><x/>", ELEMENT, "<x/>"),
    rule("an empty SignedInfo", "<SignedInfo>", "<SignedInfo></SignedInfo><SignedInfo>", CHILD, "</SignedInfo><SignedInfo>"),
    rule("a reference without a digest", "<DigestMethod ", "</Reference><DigestMethod ", CHILD, "</Reference><DigestMethod"),
    rule("an unknown signature algorithm", "eddsa-ed25519", "eddsa-ed448", "an unknown signature algorithm", "<SignatureMethod "),
    rule("KeyInfo without X509Data", "<KeyInfo>", "<KeyInfo></KeyInfo><KeyInfo>", CHILD, "</KeyInfo><KeyInfo>"),
    rule("X509Data without a certificate", "<X509Data>", "<X509Data></X509Data><X509Data>", CHILD, "</X509Data><X509Data>"),
    rule("a key by name", "<X509Data>", "<KeyName>k</KeyName><X509Data>", ELEMENT, "<KeyName>"),
    rule(
        "a second certificate",
        "</X509Certificate>",
        "</X509Certificate><X509Certificate></X509Certificate>",
        ELEMENT,
        "<X509Certificate></",
    ),
    rule("a certificate that is not base64", "</X509Certificate>", "*</X509Certificate>", BASE64_BROKEN, "</X509Certificate>"),
    rule("a digest that is not base64", "</DigestValue>", "*</DigestValue>", BASE64_BROKEN, "</DigestValue>"),
    rule("a value that is not base64", "</SignatureValue>", "*</SignatureValue>", BASE64_BROKEN, "</SignatureValue>"),
];

#[test]
fn whatever_is_not_of_the_closed_grammar_is_refused_where_it_stands() {
    let good = signed(DOCUMENT, Some(CERTIFICATE));
    for Rule { name, from, to, says, at } in RULES {
        let message = good.replacen(from, to, 1);
        assert_ne!(message, good, "{name} changes nothing");
        let place = message.find(at).unwrap_or_else(|| panic!("{name}: {at} is not there"));
        let fault = heard(&message).err().unwrap_or_else(|| panic!("{name} is taken"));
        assert_eq!((fault.code, &*fault.detail), (Code::SigProfile, &*format!("{says}, at byte {place}")), "{name}");
    }
}

#[test]
fn a_signature_that_ends_early_is_refused_at_its_end() {
    let good = signed(DOCUMENT, Some(CERTIFICATE));
    let (info, value) = (good.find("<SignedInfo>").expect("it has one"), good.find("<SignatureValue>").expect("it has one"));
    let (key, end) = (good.find("<KeyInfo>").expect("it has one"), good.find("</Signature>").expect("it ends"));
    let cut = |from: usize| [&good[..from], &good[end..]].concat();
    for (name, from) in [("an empty one", info), ("one without a value", value)] {
        let fault = heard(&cut(from)).err().unwrap_or_else(|| panic!("{name} is taken"));
        assert_eq!((fault.code, &*fault.detail), (Code::SigProfile, &*format!("{INCOMPLETE}, at byte {from}")), "{name}");
    }
    assert!(heard(&cut(key)).is_ok(), "KeyInfo may be left out");
}

#[test]
fn the_signature_stands_below_the_root_and_nowhere_else() {
    let good = signed(DOCUMENT, None);
    let start = good.find("<Signature ").expect("it is signed");
    let signature = &good[start..good.len() - "</Message>".len()];
    for (name, message) in [
        ("as the root", signature.to_owned()),
        ("in the header", DOCUMENT.replacen("</Header>", &format!("{signature}</Header>"), 1)),
        ("in the body", DOCUMENT.replacen("<Body>", &format!("<Body>{signature}"), 1)),
    ] {
        let fault = heard(&message).err().unwrap_or_else(|| panic!("{name} it is taken"));
        let place = message.find("<Signature ").expect("it is there");
        assert_eq!((fault.code, &*fault.detail), (Code::SigProfile, &*format!("{PLACE}, at byte {place}")), "{name}");
    }
    let first = DOCUMENT.replacen("<Header>", &format!("{signature}<Header>"), 1);
    let fault = heard(&first).err().expect("something is behind it");
    assert_eq!(&*fault.detail, format!("{AFTER}, at byte {}", first.find("<Header>").expect("it is there")));
    // Another element of the same namespace, or of the same name, is none of the signature's business.
    for other in ["<Signature>x</Signature>", "<Object xmlns=\"http://www.w3.org/2000/09/xmldsig#\"></Object>"] {
        assert!(heard(&signed(&DOCUMENT.replace("<Body>", &format!("{other}<Body>")), None)).is_ok(), "{other}");
    }
}

#[test]
fn white_space_in_the_signature_is_taken_between_elements_and_in_values() {
    let good = signed(DOCUMENT, Some(CERTIFICATE));
    for (from, to) in [
        ("<SignatureValue>", "\n\t <SignatureValue>"),
        ("</X509Certificate>", "\n </X509Certificate>"),
        ("<X509Certificate>", "<X509Certificate>&#13;\r\n"),
        ("</KeyInfo>", "</KeyInfo >\n"),
    ] {
        let read = heard(&good.replacen(from, to, 1)).unwrap_or_else(|fault| panic!("{to:?}: {fault}"));
        assert!(read.verify(&public(7)).is_ok(), "{to:?}");
    }
    // Inside SignedInfo it is signed: taken by the grammar, and no longer what was signed.
    let inside = heard(&good.replacen("<Reference", "\n<Reference", 1)).expect("the grammar has it");
    assert_eq!(inside.verify(&public(7)).map(|_| ()).map_err(|fault| fault.code), Err(Code::SigInvalid));
}

#[test]
fn values_have_the_length_of_their_algorithm_and_the_limits_hold() {
    let good = signed(DOCUMENT, Some(CERTIFICATE));
    let with = |name: &str, value: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let (before, rest) = good.split_once(&open).expect("it is there");
        let (_, after) = rest.split_once(&close).expect("it ends");
        heard(&format!("{before}{open}{value}{close}{after}")).err().map(|fault| (fault.code, fault.detail.into_owned()))
    };
    let says = |case: &Option<(Code, String)>, words: &str| {
        case.as_ref().is_some_and(|(code, detail)| *code == Code::SigProfile && detail.starts_with(words))
    };
    let of = |octets: usize| BASE64.encode(vec![1; octets]);
    for octets in [31, 33] {
        assert!(says(&with("DigestValue", &of(octets)), "a digest that does not have 32 octets"), "{octets}");
    }
    assert_eq!(with("DigestValue", &of(32)).map(|(code, _)| code), Some(Code::SigDigest));
    for octets in [0, 63, 65, 256] {
        assert!(says(&with("SignatureValue", &of(octets)), "a signature value whose length is wrong"), "{octets}");
    }
    assert_eq!(with("SignatureValue", &of(64)), None);
    let max = limits::CERTIFICATE_BYTES_MAX;
    assert_eq!(with("X509Certificate", &of(max)), None);
    assert!(says(&with("X509Certificate", &of(max + 1)), "a certificate too long"));
    let padded = |length: usize| format!("{:length$}", of(max));
    assert_eq!(with("X509Certificate", &padded(2 * max)), None, "a certificate with white space");
    assert!(says(&with("X509Certificate", &padded(2 * max + 1)), "a value too long"));
}

#[test]
fn a_key_that_cannot_sign_is_told_apart_from_a_document_that_cannot_be_signed() {
    struct Broken;
    impl Signer for Broken {
        fn algorithm(&self) -> Algorithm {
            Algorithm::EcdsaP256
        }

        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, crate::message::crypto::SigningFailed> {
            Err(crate::message::crypto::SigningFailed)
        }
    }
    assert!(matches!(sign(DOCUMENT.as_bytes(), &Broken, None), Err(SignError::Key)));
    assert!(matches!(sign_envelope(DOCUMENT, &Broken, None), Err(SignError::Key)));
}
