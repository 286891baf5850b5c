//! What an agency hands in to be enrolled, and the keys that the programs sign with.

use crate::memory::bounded_by;
use crate::originals::{PUBLIC, SEED, now};
use oncegate::base::ids::AgencyId;
use oncegate::host::authority::{Authority, Purpose, make_registry_key, make_root};
use oncegate::message::crypto::{PrivateKey, Signer};
use oncegate::message::pki::{Certificate, pem_blocks, to_pem};
use std::sync::LazyLock;

/// Octets of memory for each octet of a request or a key: names and extensions become trees.
const REQUEST: usize = 64;
const CONSTANT: usize = 64 << 10;

struct Office {
    authority: Authority,
    agency: AgencyId,
}

static OFFICE: LazyLock<Office> = LazyLock::new(|| {
    let root = make_root("An authority", now()).expect("a root");
    let authority = Authority::open(&root.certificate, &root.key).expect("it was made");
    Office { authority, agency: AgencyId::parse("xx.school").expect("a name") }
});

/// A certificate of the kit's key for an agency.
pub fn certificate_of(agency: &AgencyId) -> Vec<u8> {
    let request = to_pem("CERTIFICATE REQUEST", &signed(&info("x", &[])));
    let issued = OFFICE.authority.certify(&request, agency, Purpose::Signing, now()).expect("a good request");
    pem_blocks(&issued.certificate, "CERTIFICATE").pop().expect("a certificate in PEM")
}

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::from_pkcs8(&pkcs8()).expect("a key in PKCS#8"));

/// The kit's key in PKCS#8 (RFC 8410, section 7).
pub fn pkcs8() -> Vec<u8> {
    const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    [HEAD.as_slice(), &SEED].concat()
}

/// By its first octet: what is signed in a request for a certificate, which is signed here with the kit's key; a request as it
/// is, in DER or PEM; a private key.
pub fn request(input: &[u8]) {
    let Some((kind, octets)) = input.split_first() else { return };
    match kind % 4 {
        0 => certified(&to_pem("CERTIFICATE REQUEST", &signed(octets)), octets.len()),
        1 => certified(&to_pem("CERTIFICATE REQUEST", octets), octets.len()),
        2 => certified(&String::from_utf8_lossy(octets), octets.len()),
        _ => read_key(octets),
    }
}

/// The usages serverAuth and clientAuth (RFC 5280, section 4.2.1.12).
const SERVER_AND_CLIENT: [[u8; 8]; 2] = [[0x2b, 6, 1, 5, 5, 7, 3, 1], [0x2b, 6, 1, 5, 5, 7, 3, 2]];

/// Of a request only its key is taken, and only from whoever has it: the certificate is of the kit's key, names the agency that
/// the office has named, may be used for what the office says, and is no authority's.
fn certified(request: &str, length: usize) {
    let Office { authority, agency } = &*OFFICE;
    for purpose in [Purpose::Signing, Purpose::Tls] {
        let certify = || authority.certify(request, agency, purpose, now());
        let Ok(issued) = bounded_by(REQUEST * length + CONSTANT, certify) else { return };
        let der = pem_blocks(&issued.certificate, "CERTIFICATE").pop().expect("a certificate in PEM");
        let certificate = Certificate::from_der(&der).expect("a certificate of the profile");
        assert_eq!(certificate.agency.as_ref(), Some(agency), "another agency");
        assert!(certificate.key == *PUBLIC, "a key that signed nothing");
        assert!(certificate.not_before < now() && now() < certificate.not_after && issued.key.is_empty());
        let is_for_tls = SERVER_AND_CLIENT.iter().all(|usage| der.windows(usage.len()).any(|window| window == usage));
        assert_eq!(is_for_tls, purpose == Purpose::Tls, "it may be used for something else");
    }
}

/// A key that is read signs what its public half verifies.
fn read_key(octets: &[u8]) {
    let Some(key) = bounded_by(REQUEST * octets.len() + CONSTANT, || PrivateKey::from_pkcs8(octets)) else { return };
    let Some(public) = key.public_key() else { return };
    let signature = key.sign(b"a message").expect("it was read");
    assert_eq!(public.verify(b"a message", &signature), Ok(()), "it signs with another key");
    assert!(public.algorithm().fits(signature.len()) && public.verify(b"another", &signature).is_err());
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    match contents.len() {
        short @ ..0x80 => [&[tag, short as u8], contents.as_slice()].concat(),
        long => [&[tag, 0x82, (long >> 8) as u8, long as u8], contents.as_slice()].concat(),
    }
}

const ED25519: [u8; 7] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];

/// A request (PKCS#10, RFC 2986) with this `CertificationRequestInfo`, signed with the kit's key.
fn signed(info: &[u8]) -> Vec<u8> {
    let signature = KEY.sign(info).expect("it signs");
    der(0x30, &[info, &ED25519, &der(3, &[&[0], &signature])])
}

/// What is signed: of the kit's key, with this name, and these extensions asked for.
fn info(name: &str, extensions: &[&[u8]]) -> Vec<u8> {
    let common_name = der(0x30, &[&[6, 3, 0x55, 4, 3], &der(0x0c, &[name.as_bytes()])]);
    let name = der(0x30, &[&der(0x31, &[&common_name])]);
    let key = der(0x30, &[&ED25519, &der(3, &[&[0], PUBLIC.octets()])]);
    let kind = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
    let asked = der(0x30, &[&kind, &der(0x31, &[&der(0x30, extensions)])]);
    let attributes = if extensions.is_empty() { der(0xa0, &[]) } else { der(0xa0, &[&asked]) };
    der(0x30, &[&[2, 1, 0], &name, &key, &attributes])
}

/// Requests that ask for nothing, for another agency's name, to be an authority, and for another use; keys.
pub fn requests() -> Vec<Vec<u8>> {
    let name = der(0x30, &[&der(0x86, &[b"urn:oncegate:agency:xx.clinic"]), &der(0x82, &[b"localhost"])]);
    let names = der(0x30, &[&[6, 3, 0x55, 0x1d, 0x11], &der(4, &[&name])]);
    let authority = der(0x30, &[&[6, 3, 0x55, 0x1d, 0x13, 1, 1, 0xff], &der(4, &[&[0x30, 3, 1, 1, 0xff]])]);
    let usage = der(0x30, &[&[6, 3, 0x55, 0x1d, 0x0f, 1, 1, 0xff], &der(4, &[&[3, 2, 1, 6]])]);
    let both = der(0x30, &SERVER_AND_CLIENT.map(|usage| der(6, &[&usage])).each_ref().map(Vec::as_slice));
    let purposes = der(0x30, &[&[6, 3, 0x55, 0x1d, 0x25], &der(4, &[&both])]);
    let asked: [&[&[u8]]; 6] = [&[], &[&names], &[&authority], &[&usage], &[&purposes], &[&names, &authority, &usage, &purposes]];
    let infos = asked.map(|extensions| info("xx.school", extensions));
    let made = make_registry_key(now()).expect("a key").key;
    let keys = pem_blocks(&made, "PRIVATE KEY").into_iter().chain([pkcs8()]).map(|key| [&[3], key.as_slice()].concat());
    let one = |info: &Vec<u8>| {
        let request = signed(info);
        let pem = to_pem("CERTIFICATE REQUEST", &request);
        [[&[0], info.as_slice()].concat(), [&[1], request.as_slice()].concat(), [&[2], pem.as_bytes()].concat()]
    };
    infos.iter().flat_map(one).chain(keys).collect()
}
