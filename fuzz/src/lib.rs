//! Fuzz targets as plain functions: each takes octets and panics when what it checks does not hold.
//!
//! They run under libFuzzer (`fuzz_targets/`) and, on the stable toolchain, in the program `replay`.

#[cfg(feature = "server")]
mod answers;
#[cfg(feature = "server")]
mod bundles;
#[cfg(feature = "server")]
mod changes;
mod forge;
#[cfg(feature = "server")]
mod heads;
mod logs;
mod mappings;
mod memory;
mod originals;
mod parts;
#[cfg(feature = "server")]
mod requests;
#[cfg(feature = "server")]
mod sealed;
mod seeds;
#[cfg(feature = "server")]
mod served;
mod sets;
mod situations;
mod targets;
mod xml;
mod xsd;

pub use forge::Forgeries;

/// A target: its name, its function, its dictionary.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name, also of the folder of its corpus.
    pub name: &'static str,
    /// The words that its inputs are likely to hold, in libFuzzer's form.
    pub dictionary: &'static str,
    run: fn(&[u8]),
}

const XML: &str = include_str!("../dict/xml.dict");
const TEXT: &str = include_str!("../dict/text.dict");
#[cfg(feature = "server")]
const HTTP: &str = include_str!("../dict/http.dict");
#[cfg(feature = "server")]
const CHANGE: &str = include_str!("../dict/change.dict");
const SITUATION: &str = include_str!("../dict/situation.dict");
const NONE: &str = "";

/// All targets. A new one is a row here, a file in `fuzz_targets/` and a `[[bin]]` in `Cargo.toml`.
pub const TARGETS: &[Target] = &[
    Target { name: "scan", dictionary: XML, run: targets::scan },
    Target { name: "c14n", dictionary: XML, run: targets::c14n },
    Target { name: "verify_bytes", dictionary: XML, run: targets::verify_bytes },
    Target { name: "verify_forge", dictionary: NONE, run: targets::verify_forge },
    Target { name: "envelope", dictionary: XML, run: targets::envelope },
    Target { name: "schema", dictionary: XML, run: targets::schema },
    Target { name: "xsd_compile", dictionary: XML, run: xsd::xsd_compile },
    Target { name: "xsd_validate", dictionary: NONE, run: xsd::xsd_validate },
    Target { name: "pattern", dictionary: NONE, run: xsd::pattern },
    Target { name: "documents", dictionary: TEXT, run: sets::documents },
    Target { name: "field_path", dictionary: NONE, run: sets::field_path },
    Target { name: "condition", dictionary: SITUATION, run: situations::condition },
    Target { name: "mapping", dictionary: SITUATION, run: mappings::mapping },
    Target { name: "catalogue", dictionary: SITUATION, run: situations::catalogue },
    Target { name: "parts", dictionary: NONE, run: parts::parts },
    Target { name: "x509", dictionary: NONE, run: targets::x509 },
    Target { name: "registry", dictionary: TEXT, run: targets::registry },
    Target { name: "note", dictionary: TEXT, run: targets::note },
    Target { name: "journal", dictionary: NONE, run: targets::journal },
    Target { name: "query", dictionary: TEXT, run: targets::query },
    Target { name: "admission", dictionary: XML, run: targets::admission },
    Target { name: "export", dictionary: TEXT, run: logs::export },
    Target { name: "tile", dictionary: TEXT, run: logs::tile },
    #[cfg(feature = "server")]
    Target { name: "config", dictionary: TEXT, run: served::config },
    #[cfg(feature = "server")]
    Target { name: "crl", dictionary: NONE, run: served::crl },
    #[cfg(feature = "server")]
    Target { name: "witness", dictionary: TEXT, run: served::witness },
    #[cfg(feature = "server")]
    Target { name: "stamp", dictionary: NONE, run: served::stamp },
    #[cfg(feature = "server")]
    Target { name: "joining", dictionary: TEXT, run: served::joining },
    #[cfg(feature = "server")]
    Target { name: "http_head", dictionary: HTTP, run: heads::http_head },
    #[cfg(feature = "server")]
    Target { name: "private", dictionary: TEXT, run: sealed::private },
    #[cfg(feature = "server")]
    Target { name: "bundle", dictionary: TEXT, run: bundles::bundle },
    #[cfg(feature = "server")]
    Target { name: "request", dictionary: NONE, run: requests::request },
    #[cfg(feature = "server")]
    Target { name: "answer", dictionary: XML, run: answers::answer },
    #[cfg(feature = "server")]
    Target { name: "archive", dictionary: NONE, run: sets::archive },
    #[cfg(feature = "server")]
    Target { name: "changes", dictionary: CHANGE, run: changes::changes },
];

impl Target {
    /// The target with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// The inputs to begin with.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        seeds::seeds(self.name)
    }
}

/// Runs one input.
pub fn run(target: &Target, input: &[u8]) {
    originals::ready();
    (target.run)(input);
}
