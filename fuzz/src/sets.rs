//! What an owner of schemas writes beside them, paths of fields, and archives of sets.

use crate::forge::Choices;
#[cfg(feature = "server")]
use crate::memory::bounded_by;
use oncegate::base::limits;
use oncegate::message::schema::{FieldPath, Known, OwnSet, Schemas, Validator};
use oncegate::message::xml::{Profile, scan};
use oncegate::message::xsd::read::{Library, Source, load};
use std::fmt::Write as _;
use std::sync::Arc;

/// A schema with all that rows of `documents.toml` speak of: persons repeated and in each other, parts of names and dates,
/// identifiers with a code of their scheme, a choice, a wildcard, attributes.
const SCHEMA: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' elementFormDefault='qualified'>\
    <xs:element name='R'><xs:complexType><xs:sequence><xs:element name='p' type='P' minOccurs='0' maxOccurs='9'/>\
    <xs:choice minOccurs='0'><xs:element name='o' type='O'/><xs:element name='n' type='xs:string'/></xs:choice>\
    <xs:any namespace='##other' processContents='skip' minOccurs='0'/></xs:sequence>\
    <xs:attribute name='v'/><xs:attribute name='day'/></xs:complexType></xs:element>\
    <xs:complexType name='P'><xs:sequence><xs:element name='full' type='xs:string' minOccurs='0'/>\
    <xs:element name='name' type='xs:string' minOccurs='0' maxOccurs='3'/><xs:element name='p' type='P' minOccurs='0'/>\
    <xs:element name='born' type='xs:string' minOccurs='0'/><xs:element name='id' minOccurs='0' maxOccurs='3'><xs:complexType>\
    <xs:simpleContent><xs:extension base='xs:string'><xs:attribute name='kind'/></xs:extension></xs:simpleContent></xs:complexType></xs:element>\
    </xs:sequence><xs:attribute name='role'/></xs:complexType>\
    <xs:complexType name='O'><xs:sequence><xs:element name='title' type='xs:string'/></xs:sequence><xs:attribute name='ogrn'/></xs:complexType>\
    </xs:schema>";

/// Documents of it.
const EXAMPLES: [&str; 3] = [
    "<R v='1' day='2024-05-17'><p role='a'><full>A B C</full><name>D</name><name>E</name><p role='b'><name>F</name><born>01.02.2003</born></p>\
     <born>2003-02-00</born><id kind='1'>112-233-445 95</id><id kind='2'>x/99000000136</id></p><p role='b'/><o ogrn='1027700132195'><title>T</title></o></R>",
    "<R><n>x</n></R>",
    "<R v='2'><p><full/><name> </name><born/><id/></p><o><title/></o><x xmlns='urn:x'><y/></x></R>",
];

const PATHS: [&str; 16] = [
    "",
    "p",
    "p/full",
    "p/name",
    "p/p",
    "p/p/born",
    "p/born",
    "p/id",
    "p/id/@kind",
    "p/@role",
    "o",
    "o/title",
    "o/@ogrn",
    "@v",
    "@day",
    "p/x",
];
/// Paths inside of `p`, and of `o`.
const PARTS: [&str; 10] = ["full", "name", "born", "id", "id/@kind", "@role", "p/name", "title", "@ogrn", "x"];
const FORMS: [&str; 5] = ["yyyy-mm-dd", "dd.mm.yyyy", "ddmmyyyy", "yyyy", "\u{e4}yyyy mm dd"];
const WORDS: [&str; 4] = ["first", "last", "all-but-first", "all-but-last"];

struct Nothing;

impl Library for Nothing {
    fn fetch(&mut self, _: &str, _: Option<&str>, _: &str) -> Option<Source> {
        None
    }
}

/// Rows that somebody could have written.
fn rows(choices: &mut Choices<'_>) -> String {
    let mut out = String::new();
    for version in 0..1 + choices.octet() % 2 {
        let _ = write!(
            out,
            "[[document]]\nname = 'd'\nfile = 's.xsd'\nroot = 'R'\nclass = 'test'\ntitle = 'T'\nversion = '{version}'\n"
        );
        match choices.octet() % 4 {
            0 => {}
            1 => out.push_str("until = '2024-02-30'\n"),
            _ => {
                let _ = write!(
                    out,
                    "until = '2099-12-31'\nwhen = {{ attribute = '{}', is = '{version}' }}\n",
                    ["v", "w"][choices.below(2)]
                );
            }
        }
        out.push_str("subject = [");
        for _ in 0..choices.octet() % 4 {
            subject(choices, &mut out);
        }
        out.push_str("]\nrule = [");
        let path = |choices: &mut Choices<'_>| PATHS[choices.below(PATHS.len())];
        match choices.octet() % 8 {
            0 => {
                let _ = write!(out, "{{ kind = 'once-per-role', paths = ['{}', '{}'] }}", path(choices), path(choices));
            }
            1 => {
                let _ = write!(out, "{{ kind = 'birth', born = '{}', recorded = '{}' }}", path(choices), path(choices));
            }
            _ => {}
        }
        out.push_str("]\n");
    }
    out
}

fn subject(choices: &mut Choices<'_>, out: &mut String) {
    let part = |choices: &mut Choices<'_>| PARTS[choices.below(PARTS.len())];
    let _ = write!(out, "{{ path = '{}'", ["", "p", "o", "p/p", "p/id", "@v"][choices.below(6)]);
    let keys = choices.octet();
    if keys & 1 == 1 {
        let _ = write!(out, ", role = '{}'", ["a", "b", "A"][choices.below(3)]);
    }
    if keys & 2 == 2 {
        let _ = write!(out, ", only_if = {{ path = '{}', is = 'a' }}", PATHS[choices.below(PATHS.len())]);
    }
    if keys & 4 == 4 {
        let _ = write!(out, ", family = [{{ path = '{}', words = '{}' }}]", part(choices), WORDS[choices.below(4)]);
    }
    if keys & 8 == 8 {
        let _ = write!(out, ", given = ['{}', '{}']", part(choices), part(choices));
    }
    if keys & 16 == 16 {
        let form = ["plain", "digits", "last-part"][choices.below(3)];
        let scheme = match choices.octet() % 3 {
            0 => "scheme = 'RU-SNILS'".to_owned(),
            1 => format!("scheme_at = '{}', schemes = {{ 1 = 'RU-SNILS', 2 = 'XX-OGTEST' }}", part(choices)),
            _ => "scheme = 'x'".to_owned(),
        };
        let _ = write!(out, ", id = [{{ path = '{}', {scheme}, form = '{form}' }}]", part(choices));
    }
    match keys >> 5 {
        1 => {
            let _ =
                write!(out, ", birth_date = {{ path = '{}', form = '{}' }}", part(choices), FORMS[choices.below(FORMS.len())]);
        }
        2 => {
            let _ = write!(out, ", birth_date = {{ year = '{}', month = '{}' }}", part(choices), part(choices));
        }
        3 => {
            let _ = write!(out, ", name = '{}'", part(choices));
        }
        _ => {}
    }
    out.push_str(" }, ");
}

/// Any text as `documents.toml` is taken or refused with a place inside it; what is taken reads documents to their ends.
pub fn documents(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    let text = if kind % 2 == 0 {
        let Ok(text) = std::str::from_utf8(rest) else { return };
        text.to_owned()
    } else {
        rows(&mut Choices(rest))
    };
    let set = OwnSet::compile("own", &text, &mut |_| {
        load(vec![Source { name: "s.xsd".to_owned(), text: SCHEMA.to_owned() }], &mut Nothing)
    });
    let set = match set {
        Ok(set) => set,
        Err(faults) => {
            let lines = text.split('\n').count();
            for fault in faults.iter().filter(|fault| fault.file == "documents.toml") {
                assert!((1..=lines).contains(&fault.line), "{fault} is outside of\n{text}");
            }
            assert!(!faults.is_empty(), "refused for nothing");
            return;
        }
    };
    // A name that a document of the gateway has is refused here.
    let Ok(schemas) = Schemas::with(vec![Arc::new(set)], Vec::new()) else { return };
    for example in EXAMPLES {
        let mut validator = Validator::new(&schemas);
        let read = scan(example.as_bytes(), Profile::Message, &mut validator);
        assert!(read.is_ok(), "a well-formed document was not read to its end");
        if let Ok(facts) = validator.finish() {
            let document = schemas.document_type(&facts.document_type).expect("it is of a type that is known");
            for subject in &facts.subjects {
                assert!(document.kinds(&subject.role).contains(&subject.kind), "a subject in a role that no row has\n{text}");
            }
            for path in &facts.optional_paths {
                let whole = FieldPath::parse(path).filter(|path| !path.as_str().ends_with("**"));
                assert!(whole.is_none_or(|path| document.has_path(&path)), "{path} was found, and is not known\n{text}");
            }
        }
    }
}

/// Rows to begin with.
pub fn texts() -> Vec<Vec<u8>> {
    let choices = crate::xsd::choices();
    let written = choices.iter().take(8).map(|choices| [&[0], rows(&mut Choices(choices)).as_bytes()].concat());
    let chosen = choices.iter().map(|choices| [&[1], choices.as_slice()].concat());
    written.chain(chosen).collect()
}

const STEPS: [&str; 8] = ["A", "B", "C", "*", "@a", "@b", "@*", "**"];

fn steps(choices: &mut Choices<'_>, most: usize) -> Vec<&'static str> {
    (0..1 + choices.below(most)).map(|_| STEPS[choices.below(STEPS.len())]).collect()
}

/// Whether a pattern names a path or something around it, said slowly.
fn slow(own: &[&str], path: &[&str]) -> bool {
    let fits = |own: &str, step: &str| match own {
        "*" => !step.starts_with('@') && step != "**",
        "@*" => step.starts_with('@'),
        own => own == step,
    };
    match own {
        [] | ["**"] => true,
        [first, rest @ ..] => path.split_first().is_some_and(|(step, more)| fits(first, step) && slow(rest, more)),
    }
}

/// A path is written as it was read, and names what a slow matcher says.
pub fn field_path(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else { return };
    if kind % 2 == 0 {
        let Ok(text) = std::str::from_utf8(rest) else { return };
        let Some(path) = FieldPath::parse(text) else { return };
        assert_eq!(path.to_string(), text);
        assert!(text.chars().count() <= limits::FIELD_PATH_CHARS_MAX && !text.contains(char::is_whitespace), "{text:?}");
        assert!(path.includes(&path), "{text} does not include itself");
        return;
    }
    let mut choices = Choices(rest);
    let (own, other) = (steps(&mut choices, 5), steps(&mut choices, 5));
    let (Some(left), Some(right)) = (FieldPath::parse(&own.join("/")), FieldPath::parse(&other.join("/"))) else { return };
    let mut listed = Vec::new();
    for _ in 0..8 {
        // A document's path: elements, an attribute or what nobody looked at behind them.
        let mut path = steps(&mut choices, 6);
        path.retain(|step| !step.starts_with('@') && !step.contains('*'));
        if let Some(end @ ("@a" | "@b" | "**")) = STEPS.get(choices.below(STEPS.len())).copied() {
            path.push(end);
        }
        if path.is_empty() {
            continue;
        }
        let text = path.join("/");
        assert_eq!(left.covers(&text), slow(&own, &path), "{left} {text}");
        assert!(!left.includes(&right) || !slow(&other, &path) || slow(&own, &path), "{left} includes {right}, and not {text}");
        listed.push(text);
    }
    let known = Known::of([&left], &[&listed]);
    for path in &listed {
        let below = format!("{path}/");
        let leads = listed.iter().any(|other| other.starts_with(&below) && left.covers(other));
        let releases = left.releases(path, &known);
        assert!(!(left.covers(path) || leads) || releases, "{left} does not release {path}");
        assert!(!releases || left.covers(path) || left.is_within(path), "{left} releases {path}");
    }
}

/// Paths to begin with.
pub fn paths() -> Vec<Vec<u8>> {
    let texts = ["A/b/@c", "*/@*", "A/**", "**", "СвЮЛ/@ОГРН", "A//b"].map(|text| [&[0], text.as_bytes()].concat());
    texts.into_iter().chain(crate::xsd::choices().iter().map(|choices| [&[1], choices.as_slice()].concat())).collect()
}

/// Names of packed files, and whether an archive may have them.
#[cfg(feature = "server")]
const PACKED: [(&str, bool); 10] = [
    ("a.xsd", true),
    ("a/b.xsd", true),
    ("documents.toml", true),
    ("a/read.me", true),
    ("catalogue.tsv", true),
    ("../a.xsd", false),
    ("/a.xsd", false),
    ("a/../b.xsd", false),
    ("a\\b.xsd", false),
    ("c:a.xsd", false),
];

/// An archive, as its files with their content; one after the other, not compressed.
#[cfg(feature = "server")]
fn zipped(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let (at, size, length) = (out.len() as u32, content.len() as u32, name.len() as u16);
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc(content).to_le_bytes());
        common.extend([size.to_le_bytes(), size.to_le_bytes()].concat());
        common.extend([length.to_le_bytes(), [0, 0]].concat());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(content);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (at, count) = (out.len() as u32, files.len() as u16);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend([(directory.len() as u32).to_le_bytes(), at.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}

/// The checksum of ZIP (ISO 3309).
#[cfg(feature = "server")]
fn crc(octets: &[u8]) -> u32 {
    !octets.iter().fold(u32::MAX, |sum, octet| {
        (0..8).fold(sum ^ u32::from(*octet), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 })
    })
}

/// What may be taken for each octet of an archive: what is packed may swell so much, and a buffer doubles as it grows. A file of
/// few octets may swell to 64 KiB for nothing, and a file needs 76 octets of an archive at least.
#[cfg(feature = "server")]
const SWOLLEN: usize = 2 * (limits::SCHEMA_RATIO_MAX as usize + (64 << 10) / 76) + 64;

/// Any octets as an archive are read within bounds or refused; one that is good gives what was packed, one with a name that leaves
/// the set gives nothing.
#[cfg(feature = "server")]
pub fn archive(input: &[u8]) {
    use oncegate::host::schemas::archive::unpack;
    let Some((kind, rest)) = input.split_first() else { return };
    if kind % 2 == 0 {
        // The last file is read until it is too large.
        let most = SWOLLEN * rest.len() + 2 * limits::SCHEMA_BYTES_MAX + (1 << 20);
        if let Ok(files) = bounded_by(most, || unpack(rest)) {
            assert!(files.keys().all(|name| !name.contains("..") && !name.starts_with('/')), "a name leaves the set");
        }
        return;
    }
    let mut choices = Choices(rest);
    let mut files: Vec<(&str, bool, Vec<u8>)> = Vec::new();
    for _ in 0..choices.octet() % 6 {
        let (name, is_good) = PACKED[choices.below(PACKED.len())];
        if files.iter().all(|(other, ..)| *other != name) {
            files.push((name, is_good, vec![choices.octet(); usize::from(choices.octet())]));
        }
    }
    let packed: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, _, content)| (*name, content.clone())).collect();
    let unpacked = unpack(&zipped(&packed));
    assert_eq!(
        unpacked.is_ok(),
        files.iter().all(|(_, is_good, _)| *is_good),
        "{:?} {unpacked:?}",
        files.iter().map(|file| file.0).collect::<Vec<_>>()
    );
    for (name, content) in unpacked.into_iter().flatten() {
        assert!(packed.iter().any(|(other, packed)| *other == name && *packed == content), "{name} was not packed so");
    }
}

/// Archives to begin with.
#[cfg(feature = "server")]
pub fn archives() -> Vec<Vec<u8>> {
    let good = zipped(&[("a.xsd", SCHEMA.as_bytes().to_vec()), ("documents.toml", b"x = 1".to_vec()), ("read.me", Vec::new())]);
    let chosen = crate::xsd::choices().iter().map(|choices| [&[1], choices.as_slice()].concat()).collect::<Vec<_>>();
    [[&[0], good.as_slice()].concat()].into_iter().chain(chosen).collect()
}
