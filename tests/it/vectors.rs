//! Foreign vectors for the room `xml`, and its canonical form against libxml2's.

use crate::figures::{number_from, tell};
use crate::generate::{Random, document};
use oncegate::base::fault::Code;
use oncegate::message::xml::{Canonical, Event, Profile, Reader, Violation};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SEED: u64 = 20_261_122;
/// Documents of one comparison in CI; `CANONICAL_DOCUMENTS` makes a longer run of it.
const DOCUMENTS: u64 = 6_000;
/// How many documents the peer is given at a time.
const BATCH: u64 = 2_000;

/// The canonical form of the first element with this local name, or of the root; the whole document is read.
pub fn canonical(octets: &[u8], apex: Option<&str>) -> Result<Vec<u8>, Violation> {
    let mut reader = Reader::new(octets, Profile::Message)?;
    let mut canonical = Canonical::new(octets, Vec::new());
    let mut depth = apex.is_none().then_some(0_usize);
    let mut over = false;
    loop {
        let event = reader.next()?;
        match &event {
            Event::Done => return Ok(canonical.finish()),
            Event::Start(start) if depth.is_none() && apex == Some(start.local()) => depth = Some(1),
            Event::Start(_) if !over => depth = depth.map(|depth| depth + 1),
            Event::End { .. } if !over => depth = depth.map(|depth| depth - 1),
            Event::Start(_) | Event::End { .. } | Event::Text { .. } => {}
        }
        if depth.is_some() && !over {
            canonical.event(&event)?;
        }
        over |= depth == Some(0);
    }
}

/// A folder of James Clark's tests, unpacked once for this run: they may be passed on only in their archive.
fn clarks_documents(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder.replace('/', "-"));
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/xml/xmltest.zip");
    let unzip = Command::new("python3").args(["-m", "zipfile", "-e"]).arg(archive).arg(&target).status();
    assert!(unzip.is_ok_and(|status| status.success()), "python3 unpacks xmltest.zip");
    let entries = fs::read_dir(target.join("xmltest").join(folder)).expect("the folder is in the archive");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let documents = paths.filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
    documents.map(|path| (path.clone(), fs::read(path).expect("readable"))).collect()
}

#[test]
fn refuses_every_document_that_is_not_well_formed() {
    let documents = clarks_documents("not-wf/sa");
    assert_eq!(documents.len(), 186);
    for (path, octets) in documents {
        let refusal = canonical(&octets, None).expect_err(&path.display().to_string());
        assert!(refusal.code.as_str().starts_with("OG-XML-"), "{}: {refusal}", path.display());
    }
}

#[test]
fn refuses_every_document_type_declaration() {
    let documents = clarks_documents("valid/sa");
    assert_eq!(documents.len(), 119);
    for (path, octets) in documents {
        let refusal = canonical(&octets, None).expect_err(&path.display().to_string());
        let expected = match std::str::from_utf8(&octets).map(|text| text.split_once("<!DOCTYPE")) {
            Ok(Some((before, _))) if before.contains("<!--") => Code::XmlComment,
            Ok(Some((before, _))) if before.replace("<?xml ", "").contains("<?") => Code::XmlInstruction,
            Ok(Some(_)) => Code::XmlDoctype,
            // UTF-16.
            Ok(None) | Err(_) => Code::XmlNotUtf8,
        };
        assert_eq!(refusal.code, expected, "{}: {refusal}", path.display());
    }
}

#[test]
fn agrees_with_the_examples_of_the_specifications() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/xml/c14n");
    let cases = fs::read_to_string(folder.join("CASES.tsv")).expect("readable");
    assert_eq!(cases.lines().count(), 16);
    for case in cases.lines().skip(1) {
        let [input, apex, outcome] = case.split('\t').collect::<Vec<_>>()[..] else { panic!("three columns: {case}") };
        let got = canonical(&fs::read(folder.join(input)).expect("readable"), Some(apex));
        match Code::parse(outcome) {
            Some(code) => assert_eq!(got.map_err(|violation| violation.code), Err(code), "{case}"),
            None => {
                let expected = fs::read_to_string(folder.join(outcome)).expect("readable");
                assert_eq!(got.map(|form| String::from_utf8(form).expect("UTF-8")).as_deref(), Ok(expected.trim_end()), "{case}");
            }
        }
    }
}

/// The canonical forms by libxml2, or `refused`.
fn by_libxml2(documents: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/peers/venv/bin/python");
    assert!(python.exists(), "tests/run has not made target/peers/venv yet");
    let mut peer = Command::new(python)
        .arg(root.join("tests/vectors/xml/canonical.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let (mut stdin, mut stdout) = (peer.stdin.take().expect("piped"), peer.stdout.take().expect("piped"));
    let mut forms = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for document in documents {
                stdin.write_all(&(document.len() as u32).to_be_bytes()).expect("the peer reads");
                stdin.write_all(document).expect("the peer reads");
            }
        });
        for _ in documents {
            let mut length = [0; 4];
            stdout.read_exact(&mut length).expect("the peer answers");
            let mut form = vec![0; u32::from_be_bytes(length) as usize];
            stdout.read_exact(&mut form).expect("the peer answers");
            forms.push(form);
        }
    });
    assert!(peer.wait().is_ok_and(|status| status.success()));
    forms
}

/// How many documents are compared, and the documents of each batch.
fn batches(seed: u64, make: impl Fn(&mut Random) -> Vec<u8>) -> (u64, impl Iterator<Item = Vec<Vec<u8>>>) {
    let total = number_from("CANONICAL_DOCUMENTS", DOCUMENTS);
    let mut random = Random(seed);
    let starts = (0..total).step_by(usize::try_from(BATCH).expect("small"));
    (total, starts.map(move |from| (from..total.min(from + BATCH)).map(|_| make(&mut random)).collect()))
}

#[test]
fn canonical_form_equals_that_of_libxml2() {
    let (total, batches) = batches(SEED, |random| document(random).into_bytes());
    for documents in batches {
        for (ours, theirs) in documents.iter().zip(by_libxml2(&documents)) {
            let shown = String::from_utf8_lossy(ours);
            let form = canonical(ours, None).unwrap_or_else(|violation| panic!("{violation}: {shown}"));
            assert_eq!(String::from_utf8_lossy(&form), String::from_utf8_lossy(&theirs), "{shown}");
            assert_eq!(canonical(&form, None).as_ref(), Ok(&form), "canonical again: {shown}");
        }
    }
    tell("canonical forms compared with libxml2", format!("{total} of {total} equal"));
}

/// What the reader lets through is read by others in the same way, and what they refuse it refuses; what it refuses they may
/// take.
#[test]
fn whatever_is_accepted_is_accepted_by_libxml2_with_the_same_form() {
    let (total, batches) = batches(SEED + 1, mutated);
    let (mut accepted, mut refused_by_both) = (0, 0);
    for documents in batches {
        for (ours, theirs) in documents.iter().zip(by_libxml2(&documents)) {
            let Ok(form) = canonical(ours, None) else {
                refused_by_both += u64::from(theirs == b"refused");
                continue;
            };
            accepted += 1;
            assert_eq!(String::from_utf8_lossy(&form), String::from_utf8_lossy(&theirs), "{}", String::from_utf8_lossy(ours));
        }
    }
    assert!(
        accepted > total / 16 && accepted < total && refused_by_both > 0,
        "{accepted} accepted, {refused_by_both} by neither"
    );
    let more = total - accepted - refused_by_both;
    tell(
        "damaged documents compared with libxml2",
        format!(
            "{total}: {accepted} taken by both in the same form, {refused_by_both} by neither, {more} by libxml2 alone, 0 by us alone"
        ),
    );
}

/// A generated document with one to three edits.
fn mutated(random: &mut Random) -> Vec<u8> {
    let pieces = [
        "<",
        ">",
        "&",
        ";",
        "\"",
        "'",
        "/",
        "=",
        " ",
        ":",
        "xmlns",
        "xmlns:p=\"u:2\" ",
        "<a>",
        "</a>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "?>",
        "&#",
        "&#x",
        "\0",
        "\u{1}",
        "\u{fffe}",
        "<!DOCTYPE a>",
        "p:",
        "\r",
        "1",
        "é",
        "xml:base=\"\" ",
    ];
    let mut octets = document(random).into_bytes();
    for _ in 0..=random.below(3) {
        let at = random.below(octets.len() + 1);
        let end = octets.len().min(at + random.below(3) * random.below(6));
        let piece = if random.one_in(3) { "" } else { random.pick(&pieces) };
        octets.splice(at..end, piece.bytes());
    }
    octets
}
