//! What each target begins with.

use crate::originals::{CERTIFICATE, LEAVES, LOG, ORIGINALS, SCHEMAS, head, numbers, proof, registry_text, unsigned};
use crate::xml;
use oncegate::message::schema::Schemas;

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
        "xsd_compile" => crate::xsd::schemas(),
        "xsd_validate" | "pattern" => crate::xsd::choices(),
        "documents" => crate::sets::texts(),
        "field_path" => crate::sets::paths(),
        "condition" => crate::situations::conditions(),
        "mapping" => crate::mappings::mappings(),
        "catalogue" => crate::situations::catalogues(),
        "parts" => crate::parts::bodies(),
        "x509" => vec![CERTIFICATE.to_vec(), oncegate::message::pki::to_pem("CERTIFICATE", CERTIFICATE).into_bytes()],
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
        "joining" => crate::served::joinings(),
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
        #[cfg(feature = "server")]
        "archive" => crate::sets::archives(),
        #[cfg(feature = "server")]
        "changes" => crate::changes::cases(),
        _ => Vec::new(),
    }
}

/// The largest vector that is an input to begin with.
const SMALL: usize = 4 << 10;
