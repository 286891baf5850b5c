//! Attacks on the signature: wrapping, shapes, references, algorithms, keys.

use super::SECRET;
use super::bench::{Attack, Bench, FUND, How, List, SCHOOL, certificate, element, replaced_leaf};
use crate::folder::Folder;
use oncegate::message::envelope::write;
use oncegate::program::demo::Behaviour;
use std::path::Path;
use std::process::Command;

const PROFILE: &[&str] = &["OG-SIG-002"];
/// A structure that is not the envelope's, or a signature out of its place: whichever the reader comes to first.
const WRAPPED: &[&str] = &["OG-SIG-002", "OG-SIG-003", "OG-MSG-001", "OG-DOC-001"];

/// A message about somebody else, which nobody signed.
fn forged(bench: &Bench<'_>) -> String {
    let mut message = bench.message();
    let other = &bench.world.demo().people()[Behaviour::Honest.household() as usize * 4 + 12];
    if let Some(context) = &mut message.context {
        context.subject = other.subject();
    }
    write(&message, "")
}

/// The eight ways to wrap, and more: each part of a signed message, moved into or beside each part of a forged one.
pub fn wrapping(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("wrapping");
    let signed = bench.signed();
    let signature = element(&signed, "Signature");
    let value = element(&signature, "SignatureValue");
    let decoy =
        format!("<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\">{value}{}</Signature>", element(&signed, "Context"));
    let with_forged = forged(bench).replacen("</Message>", &format!("{signature}</Message>"), 1);
    let parts = [
        ("the header", element(&signed, "Header")),
        ("the context", element(&signed, "Context")),
        ("the body", element(&signed, "Body")),
        ("the message", signed.clone()),
        ("the signature", signature.clone()),
        ("a decoy of the signature", decoy),
        ("the subject", element(&signed, "Subject")),
        ("an Object with the message", format!("<Object xmlns=\"http://www.w3.org/2000/09/xmldsig#\">{signed}</Object>")),
        ("a foreign element with the message", format!("<w xmlns=\"urn:wrapper\">{signed}</w>")),
    ];
    let places = [
        ("before the header", "<Header>", true),
        ("at the head of the header", "<Header>", false),
        ("at the end of the header", "</Header>", true),
        ("before the context", "<Context>", true),
        ("inside the context", "<Context>", false),
        ("inside the purpose", "<Purpose>", false),
        ("inside the body", "<Body>", false),
        ("behind the body", "</Body>", false),
        ("inside the signature", "<SignedInfo>", true),
        ("inside SignedInfo", "<SignedInfo>", false),
        ("inside the reference", "<Transforms>", true),
        ("inside a transform", "</Transform>", true),
        ("behind the signature's value", "</SignatureValue>", false),
        ("inside KeyInfo", "<KeyInfo>", false),
        ("at the end of the signature", "</Signature>", true),
        ("behind the signature", "</Signature>", false),
    ];
    for (what, part) in &parts {
        for (place, mark, is_before) in places {
            let put = if is_before { format!("{part}{mark}") } else { format!("{mark}{part}") };
            for (whose, text) in [("a forged", &with_forged), ("the signed", &signed)] {
                if text.contains(mark) {
                    let how = How::Message(text.replacen(mark, &put, 1).into_bytes());
                    list.add(format!("{what} {place} of {whose} message"), WRAPPED, how);
                }
            }
        }
    }
    roots(bench, &signed, &with_forged, &mut list);
    list.attacks
}

/// One message as the root of another.
fn roots(bench: &Bench<'_>, signed: &str, with_forged: &str, list: &mut List) {
    let mut add = |name: &str, text: String| list.add(name, WRAPPED, How::Message(text.into_bytes()));
    add("the signature of another message", with_forged.to_owned());
    add("a forged root around the signed one", forged(bench).replacen("</Message>", &format!("{signed}</Message>"), 1));
    add("a foreign root around it", format!("<r xmlns=\"urn:r\">{signed}</r>"));
    add(
        "a SOAP envelope around it",
        format!("<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>{signed}</s:Body></s:Envelope>"),
    );
    let signature = element(signed, "Signature");
    add("the signature as the root", signature.replacen("</Signature>", &format!("<Object>{signed}</Object></Signature>"), 1));
    add(
        "a message as a document of another",
        forged(bench).replacen(&element(&forged(bench), "Body"), &format!("<Body><Documents>{signed}</Documents></Body>"), 1),
    );
    for leaf in ["MessageId", "From", "Purpose", "LegalBasis", "DocumentType", "t:Family"] {
        let twice = {
            let part = element(signed, leaf);
            signed.replacen(&part, &format!("{part}{part}"), 1)
        };
        list.add(format!("{leaf} twice"), &["OG-MSG-001", "OG-SIG-003"], How::Message(twice.into_bytes()));
        let changed = replaced_leaf(signed, leaf, &element(&forged(bench), leaf).replace(['<', '>', '/'], ""));
        list.add(format!("{leaf} of another message"), &["OG-SIG-003", "OG-MSG-002"], How::Message(changed.into_bytes()));
    }
    // Each of forty octets of what is signed, one bit changed.
    let end = signed.find("<Signature ").expect("it is signed");
    let letters: Vec<usize> = signed[..end].char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
    for at in letters.iter().step_by((letters.len() / 40).max(1)).take(40) {
        let mut octets = signed.as_bytes().to_vec();
        octets[*at] ^= 1;
        let codes: &[&str] = &["OG-SIG-003", "OG-MSG-002", "OG-MSG-001", "OG-DOC-021", "OG-XML-009"];
        list.add(format!("a bit changed at octet {at}"), codes, How::Message(octets));
    }
}

#[expect(clippy::too_many_lines, reason = "a table of attacks")]
pub fn shapes(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("signature");
    let signed = bench.signed();
    let signature = element(&signed, "Signature");
    let info = element(&signature, "SignedInfo");
    let value = element(&signature, "SignatureValue");
    let without = signed.replacen(&signature, "", 1);
    let mut put = |name: &str, codes: &'static [&'static str], new: String| {
        list.add(name, codes, How::Message(signed.replacen(&signature, &new, 1).into_bytes()));
    };
    put("none", &["OG-SIG-001"], String::new());
    put("an empty one", PROFILE, "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"/>".to_owned());
    put("one of no namespace", &["OG-MSG-001"], signature.replacen(" xmlns=\"http://www.w3.org/2000/09/xmldsig#\"", "", 1));
    put("one of XML Signature 1.1's namespace", &["OG-MSG-001"], signature.replacen("2000/09/xmldsig#", "2009/xmldsig11#", 1));
    put("one of a namespace in capitals", &["OG-MSG-001"], signature.replacen("http://www", "HTTP://www", 1));
    put("one in small letters", &["OG-MSG-001"], signature.replace("Signature", "signature"));
    put("one in a comment", &["OG-XML-005"], format!("<!--{signature}-->"));
    put("one in a CDATA section", &["OG-XML-006"], format!("<![CDATA[{signature}]]>"));
    put("one as text", &["OG-MSG-001"], signature.replace('<', "&lt;").replace('>', "&gt;"));
    put("two", PROFILE, format!("{signature}{signature}"));
    put("one in one", PROFILE, signature.replacen("<SignedInfo>", &format!("{signature}<SignedInfo>"), 1));
    put("a thousand", PROFILE, signature.repeat(500));
    put("text behind it", &["OG-MSG-001"], format!("{signature}x"));
    put("without SignedInfo", PROFILE, signature.replacen(&info, "", 1));
    put("without its value", PROFILE, signature.replacen(&value, "", 1));
    put("its value first", PROFILE, signature.replacen(&value, "", 1).replacen(&info, &format!("{value}{info}"), 1));
    put("SignedInfo twice", PROFILE, signature.replacen(&info, &format!("{info}{info}"), 1));
    put("its value twice", PROFILE, signature.replacen(&value, &format!("{value}{value}"), 1));
    put("an Object", PROFILE, signature.replacen("</Signature>", "<Object></Object></Signature>", 1));
    put(
        "SignatureProperties",
        PROFILE,
        signature.replacen("</Signature>", "<Object><SignatureProperties></SignatureProperties></Object></Signature>", 1),
    );
    put("a Manifest", PROFILE, signature.replacen("</Signature>", "<Object><Manifest></Manifest></Object></Signature>", 1));
    put("an Id", PROFILE, signature.replacen("<Signature ", "<Signature Id=\"s\" ", 1));
    put("an xml:id", PROFILE, signature.replacen("<Signature ", "<Signature xml:id=\"s\" ", 1));
    for name in ["SignedInfo", "SignatureValue", "KeyInfo", "X509Data", "X509Certificate", "Transforms", "DigestValue"] {
        put(&format!("an Id on {name}"), PROFILE, signature.replacen(&format!("<{name}>"), &format!("<{name} Id=\"i\">"), 1));
        put(&format!("text in front of {name}"), PROFILE, signature.replacen(&format!("<{name}>"), &format!("x<{name}>"), 1));
        put(
            &format!("{name} of another namespace"),
            PROFILE,
            signature.replacen(&format!("<{name}>"), &format!("<{name} xmlns=\"urn:x\">"), 1),
        );
        let elsewhere =
            signature.replace(&format!("<{name}>"), &format!("<{name}x>")).replace(&format!("</{name}>"), &format!("</{name}x>"));
        put(&format!("{name} by another name"), PROFILE, elsewhere);
    }
    for part in ["CanonicalizationMethod", "SignatureMethod", "Reference", "Transforms", "DigestMethod", "DigestValue"] {
        let element = element(&signature, part);
        put(&format!("without {part}"), PROFILE, signature.replacen(&element, "", 1));
        put(&format!("{part} twice"), PROFILE, signature.replacen(&element, &format!("{element}{element}"), 1));
    }
    for (name, tail) in [("cut by an octet", 4), ("cut by half", 44)] {
        let text = value.split_once('>').and_then(|(_, rest)| rest.split_once('<')).map_or("", |(text, _)| text);
        let cut = format!("<SignatureValue>{}</SignatureValue>", &text[..text.len() - tail]);
        put(&format!("its value {name}"), PROFILE, signature.replacen(&value, &cut, 1));
    }
    put("its value of a mebibyte's half", PROFILE, replaced_leaf(&signature, "SignatureValue", &"A".repeat(500_000)));
    for (name, octets) in [("zeros", [0_u8; 64]), ("ones", [0xff; 64]), ("the order of the curve", order())] {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(octets);
        put(&format!("r and s are {name}"), &["OG-SIG-009"], replaced_leaf(&signature, "SignatureValue", &text));
    }
    put(
        "in DER",
        PROFILE,
        replaced_leaf(
            &signature,
            "SignatureValue",
            "MEUCIQDfAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=",
        ),
    );
    put(
        "the signature value of another message",
        &["OG-SIG-009"],
        signature.replacen(&value, &element(&bench.signed(), "SignatureValue"), 1),
    );
    list.add(
        "before the header",
        PROFILE,
        How::Message(without.replacen("<Header>", &format!("{signature}<Header>"), 1).into_bytes()),
    );
    list.add(
        "inside the header",
        PROFILE,
        How::Message(without.replacen("</Header>", &format!("{signature}</Header>"), 1).into_bytes()),
    );
    list.add(
        "inside the body",
        PROFILE,
        How::Message(without.replacen("</Body>", &format!("{signature}</Body>"), 1).into_bytes()),
    );
    list.add("before the body", PROFILE, How::Message(without.replacen("<Body>", &format!("{signature}<Body>"), 1).into_bytes()));
    list.attacks
}

/// The order of P-256, twice.
fn order() -> [u8; 64] {
    let n = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut both = [0; 64];
    both[..32].copy_from_slice(&n);
    both[32..].copy_from_slice(&n);
    both
}

#[expect(clippy::too_many_lines, reason = "a table of attacks")]
pub fn references(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("reference");
    let port = bench.canary;
    let uris = [
        "#x",
        "#",
        "#xpointer(/)",
        "#xpointer(id('x'))",
        "#xmlns(a=b)xpointer(//a)",
        "#element(/1)",
        " ",
        "%20",
        "%23x",
        "?",
        "./",
        ".",
        "/",
        "urn:x",
        "data:,x",
        "cid:x",
        "file:///etc/passwd",
        "file:///dev/zero",
        "\\\\127.0.0.1\\x",
        "mailto:x",
        "jar:http://127.0.0.1/x!/",
        "ldap://127.0.0.1/x",
        "#a' or '1'='1",
        "#x&quot;",
        "&#32;",
        "&#x9;",
    ];
    for uri in
        uris.into_iter().map(str::to_owned).chain(["http", "https", "ftp"].map(|scheme| format!("{scheme}://127.0.0.1:{port}/x")))
    {
        list.add(format!("URI {uri:?}"), PROFILE, bench.after("URI=\"\"", &format!("URI=\"{uri}\"")));
    }
    list.add("no URI", PROFILE, bench.after(" URI=\"\"", ""));
    list.add("a Type", PROFILE, bench.after("URI=\"\"", "URI=\"\" Type=\"http://www.w3.org/2000/09/xmldsig#Object\""));
    list.add("an Id", PROFILE, bench.after("URI=\"\"", "URI=\"\" Id=\"r\""));
    list.add("a uri in small letters", PROFILE, bench.after("URI=\"\"", "uri=\"\""));
    list.add("a URI of a namespace", PROFILE, bench.after("URI=\"\"", "xmlns:p=\"urn:p\" p:URI=\"\""));
    let reference = element(&bench.signed(), "Reference");
    list.add("a second reference", PROFILE, bench.after("</Reference>", &format!("</Reference>{reference}")));
    list.add("a thousand references", PROFILE, bench.after("</Reference>", &format!("</Reference>{}", reference.repeat(1000))));
    let enveloped = "<Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></Transform>";
    let exclusive = "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></Transform>";
    for (name, from, to) in [
        ("no transforms", format!("{enveloped}{exclusive}"), String::new()),
        ("only enveloped", exclusive.to_owned(), String::new()),
        ("only exclusive", enveloped.to_owned(), String::new()),
        ("in another order", format!("{enveloped}{exclusive}"), format!("{exclusive}{enveloped}")),
        ("enveloped twice", enveloped.to_owned(), enveloped.repeat(2)),
        ("a thousand of them", exclusive.to_owned(), exclusive.repeat(1000)),
        ("text in a transform", "enveloped-signature\">".to_owned(), "enveloped-signature\">x".to_owned()),
        (
            "InclusiveNamespaces",
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">".to_owned(),
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><InclusiveNamespaces xmlns=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"a b\"/>".to_owned(),
        ),
        (
            "20,000 inclusive prefixes",
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">".to_owned(),
            format!("<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><InclusiveNamespaces xmlns=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"{}\"/>", "p ".repeat(4000)),
        ),
    ] {
        list.add(name, PROFILE, bench.after(&from, &to));
    }
    let parameters = format!(
        "<XPath xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\">not(ancestor-or-self::d:Signature) or document('http://127.0.0.1:{port}/')</XPath>"
    );
    for algorithm in [
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2000/09/xmldsig#base64",
        "http://www.w3.org/2002/07/decrypt#XML",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform",
        "urn:x",
        "",
        " http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2000/09/xmldsig#Enveloped-Signature",
    ] {
        let to = format!("<Transform Algorithm=\"{algorithm}\"></Transform>");
        list.add(format!("the transform {algorithm}"), PROFILE, bench.after(enveloped, &to));
        let with = format!("<Transform Algorithm=\"{algorithm}\">{parameters}</Transform>");
        list.add(format!("{algorithm} with XPath"), PROFILE, bench.after(enveloped, &with));
    }
    for digest in ["", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "AA==", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="] {
        let codes: &[&str] = if digest.len() == 44 { &["OG-SIG-003"] } else { PROFILE };
        list.add(
            format!("the digest {digest:?}"),
            codes,
            How::Message(replaced_leaf(&bench.signed(), "DigestValue", digest).into_bytes()),
        );
    }
    list.attacks
}

#[expect(clippy::too_many_lines, reason = "a table of attacks")]
pub fn algorithms(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("algorithm");
    let own = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    for other in [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-md5",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2009/xmldsig11#dsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha224",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        "http://www.w3.org/2001/04/xmldsig-more#ECDSA-SHA256",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256 ",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256#",
        "none",
        "",
        "urn:oid:1.2.643.7.1.1.3.2",
        "http://www.w3.org/2000/09/xmldsig#none",
    ] {
        list.add(format!("signed with {other}"), PROFILE, bench.after(own, other));
    }
    for other in ["http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"] {
        // The length of the value is not that algorithm's.
        list.add(format!("signed with {other}"), PROFILE, bench.after(own, other));
    }
    list.add(
        "signed with Ed25519, says the message",
        &["OG-SIG-005"],
        bench.after(own, "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"),
    );
    let method = format!("<SignatureMethod Algorithm=\"{own}\">");
    for length in ["0", "1", "8", "80", "-1"] {
        let hmac = format!(
            "<SignatureMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#hmac-sha1\"><HMACOutputLength>{length}</HMACOutputLength>"
        );
        list.add(format!("an HMAC of {length} bits"), PROFILE, bench.after(&method, &hmac));
        let more = format!("{method}<HMACOutputLength>{length}</HMACOutputLength>");
        list.add(format!("an HMACOutputLength of {length} beside ECDSA"), PROFILE, bench.after(&method, &more));
    }
    for other in [
        "http://www.w3.org/2000/09/xmldsig#sha1",
        "http://www.w3.org/2001/04/xmldsig-more#md5",
        "http://www.w3.org/2001/04/xmldsig-more#sha224",
        "http://www.w3.org/2001/04/xmlenc#sha512",
        "http://www.w3.org/2001/04/xmlenc#ripemd160",
        "http://www.w3.org/2007/05/xmldsig-more#sha3-256",
        "http://www.w3.org/2001/04/xmlenc#SHA256",
        "",
    ] {
        list.add(format!("the digest {other}"), PROFILE, bench.after("http://www.w3.org/2001/04/xmlenc#sha256", other));
    }
    for other in [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2006/12/xml-c14n11#WithComments",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/2010/xml-c14n2",
        "http://www.w3.org/2001/10/xml-exc-c14n",
        "",
    ] {
        let from = "<CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"";
        list.add(
            format!("canonicalisation {other}"),
            PROFILE,
            bench.after(from, &format!("<CanonicalizationMethod Algorithm=\"{other}\"")),
        );
        let from = "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"";
        list.add(format!("the transform {other}"), PROFILE, bench.after(from, &format!("<Transform Algorithm=\"{other}\"")));
    }
    list.attacks
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let made = Command::new("openssl").current_dir(folder).args(arguments).output().expect("openssl starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

pub fn keys(bench: &Bench<'_>) -> Vec<Attack> {
    let mut list = List::new("key");
    let port = bench.canary;
    let own = certificate(&bench.folder(SCHOOL).join("sign.pem"));
    let here = format!("http://127.0.0.1:{port}/key");
    for (name, to) in [
        ("a KeyValue", "<KeyInfo><KeyValue></KeyValue></KeyInfo>".to_owned()),
        ("a KeyName", format!("<KeyInfo><KeyName>{SECRET}</KeyName></KeyInfo>")),
        ("a KeyName that is a path", "<KeyInfo><KeyName>../../../../etc/passwd</KeyName></KeyInfo>".to_owned()),
        ("a RetrievalMethod", format!("<KeyInfo><RetrievalMethod URI=\"{here}\"/></KeyInfo>")),
        ("a RetrievalMethod of itself", "<KeyInfo Id=\"k\"><RetrievalMethod URI=\"#k\"/></KeyInfo>".to_owned()),
        ("a KeyInfoReference", format!("<KeyInfo><KeyInfoReference xmlns=\"http://www.w3.org/2009/xmldsig11#\" URI=\"{here}\"/></KeyInfo>")),
        ("PGPData", "<KeyInfo><PGPData></PGPData></KeyInfo>".to_owned()),
        ("SPKIData", "<KeyInfo><SPKIData></SPKIData></KeyInfo>".to_owned()),
        ("MgmtData", "<KeyInfo><MgmtData>x</MgmtData></KeyInfo>".to_owned()),
        ("an EncryptedKey", "<KeyInfo><EncryptedKey xmlns=\"http://www.w3.org/2001/04/xmlenc#\"/></KeyInfo>".to_owned()),
        ("a DEREncodedKeyValue", "<KeyInfo><DEREncodedKeyValue xmlns=\"http://www.w3.org/2009/xmldsig11#\">AA==</DEREncodedKeyValue></KeyInfo>".to_owned()),
        ("an SAML token", "<KeyInfo><Assertion xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\"/></KeyInfo>".to_owned()),
        ("an empty KeyInfo", "<KeyInfo/>".to_owned()),
        ("an empty X509Data", "<KeyInfo><X509Data/></KeyInfo>".to_owned()),
        ("a subject's name", "<KeyInfo><X509Data><X509SubjectName>CN=x</X509SubjectName></X509Data></KeyInfo>".to_owned()),
        ("issuer and serial", "<KeyInfo><X509Data><X509IssuerSerial><X509IssuerName>CN=x</X509IssuerName><X509SerialNumber>1</X509SerialNumber></X509IssuerSerial></X509Data></KeyInfo>".to_owned()),
        ("an SKI", "<KeyInfo><X509Data><X509SKI>AA==</X509SKI></X509Data></KeyInfo>".to_owned()),
        ("a CRL", "<KeyInfo><X509Data><X509CRL>AA==</X509CRL></X509Data></KeyInfo>".to_owned()),
        ("two certificates", format!("<KeyInfo><X509Data><X509Certificate>{own}</X509Certificate><X509Certificate>{own}</X509Certificate></X509Data></KeyInfo>")),
        ("two X509Data", format!("<KeyInfo><X509Data><X509Certificate>{own}</X509Certificate></X509Data><X509Data><X509Certificate>{own}</X509Certificate></X509Data></KeyInfo>")),
        ("two KeyInfo", format!("{0}{0}", format_args!("<KeyInfo><X509Data><X509Certificate>{own}</X509Certificate></X509Data></KeyInfo>"))),
        ("200 certificates", format!("<KeyInfo><X509Data>{}</X509Data></KeyInfo>", format!("<X509Certificate>{own}</X509Certificate>").repeat(200))),
        ("a certificate of 700,000 octets", format!("<KeyInfo><X509Data><X509Certificate>{}</X509Certificate></X509Data></KeyInfo>", "A".repeat(700_000))),
        ("a KeyValue beside the certificate", format!("<KeyInfo><KeyValue/><X509Data><X509Certificate>{own}</X509Certificate></X509Data></KeyInfo>")),
    ] {
        let signed = bench.signed();
        list.add(name, PROFILE, How::Message(signed.replacen(&element(&signed, "KeyInfo"), &to, 1).into_bytes()));
    }
    for (name, text) in [
        ("octets that are no certificate", "AAAA".to_owned()),
        ("a certificate with an octet more", own.trim_end_matches('=').to_owned() + "AAAA"),
        ("another agency's certificate", certificate(&bench.folder(FUND).join("sign.pem"))),
        ("the school's TLS certificate", certificate(&bench.folder(SCHOOL).join("tls.pem"))),
        ("the authority's certificate", certificate(&bench.folder(SCHOOL).join("ca.pem")).chars().take(4_000).collect()),
        ("a certificate that is not enrolled", certificate(&bench.folder("xx.demo.stranger").join("sign.pem"))),
        ("the revoked certificate of another", certificate(&bench.folder("xx.demo.lost-key").join("sign.pem"))),
    ] {
        let codes: &[&str] = &["OG-SIG-006", "OG-SIG-002"];
        list.add(name, codes, How::Message(replaced_leaf(&bench.signed(), "X509Certificate", &text).into_bytes()));
    }
    fakes(bench, &mut list);
    list.attacks
}

/// Messages that are really signed, by keys whose certificates only look like the school's.
fn fakes(bench: &Bench<'_>, list: &mut List) {
    let folder = Folder::new();
    for (number, (name, subject, more)) in [
        ("a certificate of the same name, signed by itself", "/CN=xx.demo.school-17", &[][..]),
        ("one that says that it is an authority", "/CN=xx.demo.school-17", &["-addext", "basicConstraints=critical,CA:TRUE"]),
        ("one of another name", "/CN=x", &[]),
        ("one with the gateway's name", "/CN=localhost", &[]),
        (
            "one with an alternative name of the school",
            "/CN=x",
            &["-addext", "subjectAltName=URI:urn:oncegate:agency:xx.demo.school-17"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let (key, pem) = (format!("{number}.key"), format!("{number}.pem"));
        let mut arguments = vec![
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
            "-set_serial",
            "1",
            "-subj",
            subject,
        ];
        arguments.extend(["-keyout", &key, "-out", &pem]);
        arguments.extend(more);
        openssl(folder.path(), &arguments);
        // Whoever forges does not ask our own tool, which takes no such certificate.
        let read = |name: &str| std::fs::read(folder.path().join(name)).expect("readable");
        let private = oncegate::message::pki::read_key(&read(&key)).expect("a key");
        let der = certificate(&folder.path().join(&pem));
        let der = oncegate::message::pki::decode(&der).expect("base64");
        let signed = oncegate::message::sig::sign(bench.markup().as_bytes(), &private, Some(&der)).expect("signed");
        list.add(name, &["OG-SIG-006"], How::Message(signed));
        // With the certificate that is enrolled the signature is of another key; without any the enrolled key is taken.
        let enrolled = certificate(&bench.folder(SCHOOL).join("sign.pem"));
        let signed = oncegate::message::sig::sign(bench.markup().as_bytes(), &private, Some(&der)).expect("signed");
        let text = replaced_leaf(&String::from_utf8(signed).expect("UTF-8"), "X509Certificate", &enrolled);
        list.add(format!("{name}, under the enrolled certificate"), &["OG-SIG-009"], How::Message(text.into_bytes()));
        let signed = oncegate::message::sig::sign(bench.markup().as_bytes(), &private, None).expect("signed");
        list.add(format!("{name}, not named"), &["OG-SIG-006", "OG-SIG-009"], How::Message(signed));
    }
}
