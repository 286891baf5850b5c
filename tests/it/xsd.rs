//! The cases of the XML Schema engine before an independent judge: xmllint, which is libxml2.

#[path = "../../src/message/xsd/tests/cases.rs"]
mod cases;

use cases::{Case, OPEN, Peer, SETS, TYPES, VALUES, document, schema};
use std::path::Path;
use std::process::Command;

/// What xmllint says of the documents of a case.
fn verdicts(folder: &Path, case: &Case) -> Vec<bool> {
    std::fs::create_dir_all(folder).expect("a folder for temporary files");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a writable folder");
        path
    };
    let root = write("t.xsd", &schema(case.schema));
    case.more.iter().for_each(|(name, text)| drop(write(name, &schema(text))));
    let texts = case.good.iter().chain(case.bad.iter().map(|(text, _)| text)).enumerate();
    let documents: Vec<_> = texts.map(|(at, text)| write(&format!("{at}.xml"), &document(case, text))).collect();
    let run = Command::new("xmllint").args(["--nonet", "--noout", "--schema"]).arg(root).args(&documents).output();
    let said = String::from_utf8_lossy(&run.expect("these tests need xmllint: install libxml2-utils").stderr).into_owned();
    assert!(!said.contains("failed to compile"), "{}: {said}", case.name);
    documents.iter().map(|path| said.contains(&format!("{} validates", path.display()))).collect()
}

#[test]
fn small_schemas_mean_the_same_to_libxml2() {
    let folder = std::env::temp_dir().join(format!("oncegate-xsd-{}", std::process::id()));
    let mut wrong = Vec::new();
    for (number, case) in [TYPES, OPEN, VALUES, SETS].into_iter().flatten().enumerate() {
        if let Peer::Differs(reason) = case.peer {
            assert!(!reason.is_empty(), "a reason");
            continue;
        }
        let texts = case.good.iter().map(|text| (*text, true)).chain(case.bad.iter().map(|(text, _)| (*text, false)));
        for ((text, is_good), is_valid) in texts.zip(verdicts(&folder.join(number.to_string()), case)) {
            let is_known = matches!(case.peer, Peer::AgreesBut(known) if known.contains(&text));
            if (is_good != is_valid) != is_known {
                wrong.push(format!("{}: {text}: valid for xmllint: {is_valid}", case.name));
            }
        }
    }
    // What is left over in the folder for temporary files does no harm.
    let _ = std::fs::remove_dir_all(&folder);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
