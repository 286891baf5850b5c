//! The registry as its authority signed it: a file and its signature, which may both have been changed since.

use crate::forge::Choices;
use crate::memory::bounded;
use crate::originals::{self, SCHEMAS, now};
use crate::requests::pkcs8;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oncegate::host::authority::{make_registry_key, sign_registry};
use oncegate::message::crypto::{PrivateKey, PublicKey};
use oncegate::message::pki::{Certificate, pem_blocks, to_pem};
use oncegate::rules::registry::{Bundle, Registry};
use std::sync::LazyLock;

/// A registry that was signed, and what it says.
struct Signed {
    text: String,
    signature: String,
    says: String,
    version: u64,
}

/// Who signs registries.
struct Authority {
    key: PublicKey,
    signed: Vec<Signed>,
}

/// Three versions: all that the kit knows, without its grant, without the asking agency's certificate of today.
fn texts() -> [String; 3] {
    let first = originals::registry_text();
    let (without_grant, _) = first.split_once("[[grant]]").expect("it has a grant");
    let second = without_grant.replace("version = 1", "version = 2");
    let third = first.replace("\nversion = 1", "\nversion = 3").replace(&"cd".repeat(32), &"ef".repeat(32));
    [first, second, third]
}

fn signed(text: String, key_pem: &str) -> Signed {
    let signature = sign_registry(&text, key_pem).expect("the key signs");
    let registry = Registry::check(&text, &SCHEMAS).expect("a good registry");
    Signed { says: format!("{registry:?}"), version: registry.version(), text, signature }
}

/// An authority with the kit's Ed25519 key, whose signatures are the same each time; two with keys as the program makes them,
/// of which the last is not believed by anybody.
static AUTHORITIES: LazyLock<[Authority; 3]> = LazyLock::new(|| {
    let der = pkcs8();
    let key = PrivateKey::from_pkcs8(&der).and_then(|key| key.public_key()).expect("a key in PKCS#8");
    let pem = to_pem("PRIVATE KEY", &der);
    let first = Authority { key, signed: texts().map(|text| signed(text, &pem)).into() };
    let made = || {
        let issued = make_registry_key(now()).expect("a key");
        let certificate = pem_blocks(&issued.certificate, "CERTIFICATE").pop().expect("a certificate in PEM");
        let key = Certificate::from_der(&certificate).expect("a certificate of the profile").key;
        Authority { key, signed: texts().map(|text| signed(text, &issued.key)).into() }
    };
    [first, made(), made()]
});

/// Believed is what this authority signed, octet for octet, and nothing else; it says what was signed, and does not come after
/// a later version.
fn weighed(text: &str, signature: &str, authority: &Authority) {
    let expected = authority.signed.iter().find(|signed| signed.text == text && signed.signature.trim() == signature.trim());
    match bounded(text.len() + signature.len(), || Bundle::verify(text, signature, &authority.key)) {
        Ok(bundle) => {
            let expected = expected.expect("a registry that was not signed is believed");
            let registry = Registry::load(&bundle, &SCHEMAS).expect("it was read before it was signed");
            assert!(format!("{registry:?}") == expected.says, "another registry is in force than was signed");
            let mut registry = Some(registry);
            for last in [expected.version + 1, expected.version, expected.version - 1] {
                let after = registry.take().map(|registry| registry.after(last));
                assert!(
                    matches!(after, Some(Err(_))) == (last > expected.version),
                    "version {} is taken after {last}, or refused",
                    expected.version
                );
                registry = Registry::load(&bundle, &SCHEMAS).ok();
            }
        }
        Err(oncegate::rules::registry::NotSigned) => assert!(expected.is_none(), "what was signed is refused"),
    }
}

/// By its first octet: a registry with the signature of one that was signed; a signature for one that was signed; both, the
/// signature in the first line; a registry and its signature edited one to five times.
pub fn bundle(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let [first, ..] = &*AUTHORITIES;
    if kind % 4 == 3 {
        return edited(rest);
    }
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match kind % 4 {
        0 => first.signed.iter().for_each(|signed| weighed(text, &signed.signature, first)),
        1 => first.signed.iter().for_each(|signed| weighed(&signed.text, text, first)),
        _ => text.split_once('\n').into_iter().for_each(|(signature, text)| weighed(text, signature, first)),
    }
}

fn edited(input: &[u8]) {
    let mut choices = Choices(input);
    let authority = &AUTHORITIES[choices.below(2)];
    let signed = &authority.signed[choices.below(authority.signed.len())];
    let (mut text, mut signature) = (signed.text.clone(), signed.signature.clone());
    for _ in 0..choices.octet() % 6 {
        let other = &AUTHORITIES[choices.below(AUTHORITIES.len())];
        let other = &other.signed[choices.below(other.signed.len())];
        match choices.octet() % 8 {
            0 => signature = other.signature.clone(),
            1 => text = other.text.clone(),
            2 => edit_signature(&mut signature, &mut choices),
            3 => edit_octet(&mut signature, &mut choices),
            4 => edit_octet(&mut text, &mut choices),
            5 => {
                let (what, by) = WORDS[choices.below(WORDS.len())];
                text = text.replacen(what, by, 1);
            }
            _ => edit_lines(&mut text, &other.text, &mut choices),
        }
    }
    weighed(&text, &signature, authority);
}

/// What somebody would like to read in a registry, and other spellings of what is there.
const WORDS: &[(&str, &str)] = &[
    ("version = 1", "version = 4"),
    ("version = ", "version = 1"),
    ("version = 2", "version = 0x2"),
    ("xx.school", "xx.*"),
    ("what = \"medical-absence-note\"", "what = \"*\""),
    ("until = \"2030", "until = \"2099"),
    ("cdcd", "cdce"),
    ("https://b/", "https://c/"),
    ("\n", "\r\n"),
    ("\n", "\n\n"),
    (" = ", "="),
    ("name = \"A\"", "name = 'A'"),
    ("[[grant]]", "[[agency.key]]"),
    ("format = 1", "# format\nformat = 1"),
    ("[[holder]]", "[[grant]]\nid = \"x\"\nwho = \"xx.school\"\nwhat = \"medical-absence-note\"\n[[holder]]"),
];

fn edit_lines(text: &mut String, other: &str, choices: &mut Choices<'_>) {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let others: Vec<&str> = other.split_inclusive('\n').collect();
    if lines.is_empty() {
        return;
    }
    let (from, to) = (choices.below(lines.len()), choices.below(lines.len()));
    match choices.octet() % 5 {
        0 => drop(lines.remove(from)),
        1 => lines.insert(to, lines[from]),
        2 => lines.swap(from, to),
        3 => lines.truncate(from),
        _ => lines.insert(to, others[choices.below(others.len())]),
    }
    *text = lines.concat();
}

/// Changes, puts in or takes out an octet; the text stays ASCII.
fn edit_octet(text: &mut String, choices: &mut Choices<'_>) {
    let (at, value, way) = (choices.below(text.len() + 1), char::from(choices.octet() & 0x7f), choices.octet());
    if way.is_multiple_of(3) || at == text.len() {
        return text.insert(at, value);
    }
    text.remove(at);
    if way % 3 == 1 {
        text.insert(at, value);
    }
}

/// Changes what the base64 of a signature stands for, or how it is written.
fn edit_signature(signature: &mut String, choices: &mut Choices<'_>) {
    let Ok(mut octets) = STANDARD.decode(signature.trim()) else { return };
    let (at, value) = (choices.below(octets.len()), choices.octet());
    match choices.octet() % 7 {
        0 => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= value),
        1 => octets.truncate(at),
        2 => octets.push(value),
        3 => octets.fill(value % 2),
        4 => octets.rotate_left(at),
        5 => return *signature = format!(" \n{}\r\n\t", signature.trim()),
        _ => return *signature = signature.trim().trim_end_matches('=').to_owned(),
    }
    *signature = STANDARD.encode(octets);
}

/// Registries and signatures as they were signed, each alone and both together, and choices.
pub fn bundles() -> Vec<Vec<u8>> {
    let [first, ..] = &*AUTHORITIES;
    let one = |signed: &Signed| {
        let both = [signed.signature.as_bytes(), signed.text.as_bytes()].concat();
        [[&[0], signed.text.as_bytes()].concat(), [&[1], signed.signature.as_bytes()].concat(), [&[2], both.as_slice()].concat()]
    };
    first.signed.iter().flat_map(one).chain(originals::numbers(3)).collect()
}
