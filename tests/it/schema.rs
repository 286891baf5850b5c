//! The schemas and the validator against an independent one: xmllint, which is libxml2.
//!
//! The schemas must mean to every user's tools what they mean to the gateway. So both judge every example, and a few
//! hundred documents made by breaking the examples in one place each.

use oncegate::base::fault::{Code, Fault};
use oncegate::message::schema::{Facts, Schemas, Validator};
use oncegate::message::xml::{self, Profile, ScanError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

fn validate(schemas: &Schemas, document: &str) -> Result<Facts, Fault> {
    let mut validator = Validator::new(schemas);
    match xml::scan(document.as_bytes(), Profile::Message, &mut validator) {
        Ok(()) => validator.finish(),
        Err(ScanError::Xml(violation)) => panic!("not well-formed: {violation}"),
    }
}

/// Whether the document is valid by its schema alone; check digits and rules are beyond XML Schema.
fn valid_by_schema(result: &Result<Facts, Fault>) -> bool {
    !matches!(result, Err(fault) if matches!(fault.code, Code::DocSchema | Code::DocUnknown))
}

fn schemas_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// Asks xmllint about many documents in one call: what it says of each, by path.
fn xmllint(schema: &Path, documents: &[PathBuf]) -> BTreeMap<PathBuf, bool> {
    let run = Command::new("xmllint").args(["--nonet", "--noout", "--schema"]).arg(schema).args(documents).output();
    let output = run.expect("these tests need xmllint: install the package libxml2-utils");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("failed to compile"), "{}: {said}", schema.display());
    let verdict = |document: &PathBuf| {
        let (validates, fails) =
            (format!("{} validates", document.display()), format!("{} fails to validate", document.display()));
        let found = said.lines().find_map(|line| match line {
            line if line == validates => Some(true),
            line if line == fails => Some(false),
            _ => None,
        });
        (document.clone(), found.unwrap_or_else(|| panic!("no verdict of xmllint on {}: {said}", document.display())))
    };
    documents.iter().map(verdict).collect()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

fn name_of(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// A folder for the documents of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("oncegate-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a writable folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over in the folder for temporary files does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_files_of_the_folder_are_those_of_the_program() {
    let listed = Schemas::built_in_files().iter().map(|(file, _)| *file).chain([Schemas::message_file().0]);
    let mut listed: Vec<String> = listed.map(str::to_owned).collect();
    listed.sort();
    let found: Vec<String> =
        files_in(&schemas_folder()).iter().map(|path| name_of(path)).filter(|name| name.ends_with(".xsd")).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_schema_is_a_schema_to_xmllint() {
    let folder = Folder::new("schemas");
    let document = folder.write("nothing.xml", "<nothing/>");
    for schema in files_in(&schemas_folder()).into_iter().filter(|path| name_of(path).ends_with(".xsd")) {
        assert_eq!(xmllint(&schema, std::slice::from_ref(&document)).get(&document), Some(&false), "{}", schema.display());
    }
}

#[test]
fn a_message_is_valid_by_the_message_schema() {
    let folder = Folder::new("messages");
    let (head, tail) = MESSAGE.split_once("<Consent>").expect("a consent in the example");
    let good = folder.write("good.xml", MESSAGE);
    let bad = folder.write("bad.xml", &format!("{head}<Consent Id=\"c\">{tail}"));
    let verdicts = xmllint(&schemas_folder().join(Schemas::message_file().0), &[good.clone(), bad.clone()]);
    assert_eq!((verdicts.get(&good), verdicts.get(&bad)), (Some(&true), Some(&false)));
}

/// `valid/*.xml` are valid; `broken/OG-DOC-nnn-why.xml` break the rule of that code and no earlier one.
#[test]
fn every_example_is_judged_alike() {
    let schemas = Schemas::built_in();
    for document_type in schemas.document_types() {
        let folder = schemas_folder().join("examples").join(document_type.name.as_str());
        let (valid, broken) = (files_in(&folder.join("valid")), files_in(&folder.join("broken")));
        assert!(valid.len() >= 2 && broken.len() >= 6, "{}: too few examples", document_type.name);
        let all: Vec<PathBuf> = valid.into_iter().chain(broken).collect();
        for (path, verdict) in xmllint(&schemas_folder().join(&document_type.versions()[0].file), &all) {
            let text = std::fs::read_to_string(&path).expect("a readable example");
            let result = validate(&schemas, &text);
            let expected = name_of(&path).get(..10).and_then(Code::parse);
            assert_eq!(result.as_ref().err().map(|fault| fault.code), expected, "{}: {result:?}", path.display());
            assert_eq!(valid_by_schema(&result), verdict, "{}: xmllint judges otherwise; {result:?}", path.display());
        }
    }
}

#[test]
fn broken_documents_are_judged_alike() {
    let schemas = Schemas::built_in();
    let (mut count, mut refused) = (0, 0);
    for document_type in schemas.document_types() {
        let folder = Folder::new(document_type.name.as_str());
        let mut mutants = BTreeMap::new();
        for example in ["minimal.xml", "full.xml"] {
            let path = schemas_folder().join("examples").join(document_type.name.as_str()).join("valid").join(example);
            let text = std::fs::read_to_string(path).expect("a readable example");
            for (number, mutant) in mutants_of(&text).into_iter().enumerate() {
                mutants.insert(folder.write(&format!("{number:04}-{example}"), &mutant), mutant);
            }
        }
        let paths: Vec<PathBuf> = mutants.keys().cloned().collect();
        let verdicts = xmllint(&schemas_folder().join(&document_type.versions()[0].file), &paths);
        for (path, mutant) in &mutants {
            let result = validate(&schemas, mutant);
            count += 1;
            refused += usize::from(!valid_by_schema(&result));
            assert_eq!(valid_by_schema(&result), verdicts[path], "xmllint judges otherwise; {result:?}\n{mutant}");
        }
    }
    assert!(
        count > 2_000 && refused > count / 2 && refused < count,
        "{refused} of {count} refused: the mutations are too tame or too wild"
    );
}

/// The types and groups of the subset that our own schemas do not use: each element with each value, and rows of elements.
#[test]
fn types_and_groups_mean_the_same() {
    let folder = Folder::new("types");
    let schema = folder.write("probe.xsd", PROBE);
    let documents = "[[document]]\nname = \"probe\"\nfile = \"probe.xsd\"\nroot = \"R\"\nclass = \"test\"\ntitle = \"Probe\"\n";
    let schemas = Schemas::compile(&[("probe.xsd".to_owned(), PROBE.to_owned())], documents).expect("of the subset");
    let elements = PROBE.split("<xs:element name=\"T").skip(1).filter_map(|rest| rest.split('"').next());
    let values = || VALUES.iter().chain(PROBE_VALUES);
    let of_types = elements.flat_map(|name| values().map(move |value| format!("<T{name}>{value}</T{name}>")));
    let of_groups = (0..1024_u32).flat_map(|number| {
        let row: String = (0..5).map(|place| ["<a/>", "<b/>", "<e/>", ""][(number >> (2 * place) & 3) as usize]).collect();
        ["G", "H", "I"].map(|group| format!("<{group}>{row}</{group}>"))
    });
    let inside: Vec<String> = of_types.chain(of_groups).collect();
    let write = |(number, inside): (usize, &String)| {
        let document = format!("<R xmlns=\"urn:probe\">{inside}</R>");
        (folder.write(&format!("{number:05}.xml"), &document), document)
    };
    let documents: BTreeMap<PathBuf, String> = inside.iter().enumerate().map(write).collect();
    let paths: Vec<PathBuf> = documents.keys().cloned().collect();
    let verdicts: BTreeMap<PathBuf, bool> = paths.chunks(1_000).flat_map(|paths| xmllint(&schema, paths)).collect();
    // libxml2 passes over characters that are not base64, which the standard and the gateway refuse; and the gateway takes
    // years of up to 18 digits, as the standard leaves open.
    let lenient = |document: &str| document.contains("<T-base64>") || document.contains("<T-year>9223372036854775807<");
    let differing = |(path, document): &(&PathBuf, &String)| {
        let good = validate(&schemas, document).is_ok();
        good != verdicts[*path] && (good || !lenient(document))
    };
    let differing: Vec<&String> = documents.iter().filter(differing).map(|(_, document)| document).collect();
    assert!(differing.is_empty(), "xmllint judges {} of {} otherwise: {differing:#?}", differing.len(), documents.len());
}

/// The documents that differ from `text` by one element or one value.
fn mutants_of(text: &str) -> Vec<String> {
    let mut mutants = Vec::new();
    let elements = elements_of(text);
    for (at, (from, to)) in elements.iter().enumerate() {
        let element = &text[*from..*to];
        let with = |new: &str| format!("{}{new}{}", &text[..*from], &text[*to..]);
        mutants.push(with(""));
        mutants.push(with(&format!("{element}{element}")));
        mutants.push(with(&format!("{element} x")));
        if let Some((next_from, next_to)) = elements.iter().skip(at + 1).find(|(next, _)| next >= to) {
            mutants.push(format!(
                "{}{}{}{element}{}",
                &text[..*from],
                &text[*next_from..*next_to],
                &text[*to..*next_from],
                &text[*next_to..]
            ));
        }
    }
    for (from, to) in values_of(text) {
        mutants.extend(VALUES.iter().map(|value| format!("{}{value}{}", &text[..from], &text[to..])));
        mutants.push(format!("{}  {}\n{}", &text[..from], &text[from..to], &text[to..]));
        mutants.push(format!("{}{}{}", &text[..from], text[from..to].repeat(40), &text[to..]));
    }
    mutants
}

/// Where the elements below the root begin and end.
fn elements_of(text: &str) -> Vec<(usize, usize)> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    for (at, _) in text.match_indices('<') {
        let end = at + text[at..].find('>').expect("a tag ends") + 1;
        let tag = &text[at..end];
        if tag.starts_with("</") {
            found.push((open.pop().expect("an open element"), end));
        } else if tag.ends_with("/>") {
            found.push((at, end));
        } else if !tag.starts_with("<?") {
            open.push(at);
        }
    }
    found.pop();
    found
}

/// Where the texts of elements and the values of attributes begin and end, every third value but all attributes.
fn values_of(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (number, (at, _)) in text.match_indices('>').enumerate() {
        let end = text[at..].find('<').map_or(text.len(), |end| at + end);
        if number % 3 == 0 && !text[at + 1..end].trim().is_empty() {
            found.push((at + 1, end));
        }
    }
    const ATTRIBUTES: &[&str] = &["scheme", "status", " no", "number", "date", "office", "role"];
    for (at, _) in text.match_indices("=\"").filter(|(at, _)| ATTRIBUTES.iter().any(|name| text[..*at].ends_with(name))) {
        let from = at + 2;
        found.push((from, from + text[from..].find('"').expect("a value ends")));
    }
    found
}

/// Values at the edges of the types in use.
const VALUES: &[&str] = &[
    "",
    " ",
    "0",
    "-0",
    "+6",
    "006",
    "1",
    "1000001",
    "2147483648",
    "true",
    "TRUE",
    "2026-02-28",
    "2026-02-29",
    "2024-02-29",
    "2026-02-28Z",
    "2026-02",
    "2026",
    "0000",
    "2026-13",
    "2026-03-04T05:12:09Z",
    "2026-03-04T24:00:00Z",
    "2026-03-04T05:12:09.1234567Z",
    "RU",
    "ru",
    "RU-YAR",
    "RU-SNILS",
    "stateless",
    "in-force",
    "female",
    "permanent",
    "day",
    "J06.9",
    "01990a5d-ac96-774b-8cce-b302099a8001",
    "a&amp;b",
    "&#160;",
    "Ж\u{301}",
    "a\tb",
    "112-233-445 95",
];

const PROBE_VALUES: &[&str] = &[
    "-1",
    "127",
    "128",
    "-128",
    "-129",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "1.5",
    "1.50",
    "-.5",
    ".",
    "+",
    "1e3",
    "00001.10000",
    "123.45",
    "123.456",
    "9.99",
    "10.00",
    "10.001",
    "-2024",
    "12024-02-29",
    "12023-02-29",
    "2023-02-29",
    "2024-02-29+14:00",
    "2024-02-29+14:01",
    "2024-2-9",
    "2024-02-29T23:59:60Z",
    "2024-02-29T24:00:01",
    "2024-02-29T23:59:59-05:00",
    "2024-02-29T23:59",
    "QUJD",
    "QUI=",
    "QQ==",
    "QR==",
    "QUJ",
    "=",
    "a",
    "ab",
    "abc",
    "abcd",
    "яя",
    "яяя",
    "a b",
    "a  b",
    "1 2 3",
    "1 2 3 4",
    "1 200",
    "a-b",
    "a:b",
    "1a",
    "_a",
    "x1",
    "^a$",
    "aXc",
    "none",
    "12.3",
    "Анна",
    "анна",
    "abab",
];

const PROBE: &str = r#"<?xml version="1.0"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:probe" targetNamespace="urn:probe" elementFormDefault="qualified">
  <xs:element name="R"><xs:complexType><xs:choice maxOccurs="unbounded">
    <xs:element name="T-string" type="xs:string"/>
    <xs:element name="T-normalized" type="xs:normalizedString"/>
    <xs:element name="T-token" type="xs:token"/>
    <xs:element name="T-name" type="xs:NCName"/>
    <xs:element name="T-base64" type="xs:base64Binary"/>
    <xs:element name="T-boolean" type="xs:boolean"/>
    <xs:element name="T-decimal" type="xs:decimal"/>
    <xs:element name="T-integer" type="xs:integer"/>
    <xs:element name="T-non-negative" type="xs:nonNegativeInteger"/>
    <xs:element name="T-positive" type="xs:positiveInteger"/>
    <xs:element name="T-non-positive" type="xs:nonPositiveInteger"/>
    <xs:element name="T-negative" type="xs:negativeInteger"/>
    <xs:element name="T-long" type="xs:long"/>
    <xs:element name="T-int" type="xs:int"/>
    <xs:element name="T-short" type="xs:short"/>
    <xs:element name="T-byte" type="xs:byte"/>
    <xs:element name="T-unsigned-long" type="xs:unsignedLong"/>
    <xs:element name="T-unsigned-int" type="xs:unsignedInt"/>
    <xs:element name="T-unsigned-short" type="xs:unsignedShort"/>
    <xs:element name="T-unsigned-byte" type="xs:unsignedByte"/>
    <xs:element name="T-date" type="xs:date"/>
    <xs:element name="T-date-time" type="xs:dateTime"/>
    <xs:element name="T-year" type="xs:gYear"/>
    <xs:element name="T-month" type="xs:gYearMonth"/>
    <xs:element name="T-length" type="Length"/>
    <xs:element name="T-octets" type="Octets"/>
    <xs:element name="T-money" type="Money"/>
    <xs:element name="T-between" type="Between"/>
    <xs:element name="T-list" type="ShortList"/>
    <xs:element name="T-union" type="Union"/>
    <xs:element name="T-words" type="Words"/>
    <xs:element name="T-anchors" type="Anchors"/>
    <xs:element name="T-any" type="Any"/>
    <xs:element name="T-longest" type="Longest"/>
    <xs:element name="T-digits" type="Digits"/>
    <xs:element name="T-proper" type="Proper"/>
    <xs:element name="G"><xs:complexType><xs:sequence minOccurs="0" maxOccurs="unbounded">
      <xs:element name="a" type="Empty" minOccurs="0"/>
      <xs:choice><xs:element name="b" type="Empty" maxOccurs="2"/><xs:element name="c" type="Empty"/></xs:choice>
      <xs:element name="d" type="Empty"  minOccurs="0" maxOccurs="3"/>
      <xs:element name="e" type="Empty"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="H"><xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded">
      <xs:sequence><xs:element name="a" type="Empty"/><xs:element name="b" type="Empty"/></xs:sequence>
      <xs:element name="b" type="Empty"/>
    </xs:choice></xs:complexType></xs:element>
    <xs:element name="I"><xs:complexType><xs:sequence>
      <xs:element name="a" type="Empty" minOccurs="2" maxOccurs="3"/><xs:element name="b" type="Empty" minOccurs="0" maxOccurs="2"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:choice></xs:complexType></xs:element>
  <xs:complexType name="Empty"/>
  <xs:simpleType name="Length"><xs:restriction base="xs:string"><xs:length value="3"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Octets"><xs:restriction base="xs:base64Binary"><xs:minLength value="2"/><xs:maxLength value="2"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Money"><xs:restriction base="xs:decimal"><xs:totalDigits value="5"/><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Between"><xs:restriction base="xs:decimal"><xs:minExclusive value="1.5"/><xs:maxInclusive value="10"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="List"><xs:list itemType="xs:decimal"/></xs:simpleType>
  <xs:simpleType name="ShortList"><xs:restriction base="List"><xs:minLength value="1"/><xs:maxLength value="3"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Union"><xs:union memberTypes="xs:boolean xs:date"><xs:simpleType><xs:restriction base="xs:token"><xs:enumeration value="none"/></xs:restriction></xs:simpleType></xs:union></xs:simpleType>
  <xs:simpleType name="Words"><xs:restriction base="xs:token"><xs:pattern value="[a-z]+( [a-z]+)*"/><xs:pattern value="[\-0-9]{1,3}"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Anchors"><xs:restriction base="xs:string"><xs:pattern value="^a$"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Any"><xs:restriction base="xs:string"><xs:pattern value="a.(b|c)?"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Longest"><xs:restriction base="xs:string"><xs:pattern value="a|ab|(ab){2}"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Digits"><xs:restriction base="xs:string"><xs:pattern value="\d+\.?\d*"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Proper"><xs:restriction base="xs:string"><xs:pattern value="\p{Lu}\p{Ll}+"/></xs:restriction></xs:simpleType>
</xs:schema>
"#;

const MESSAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Message xmlns="urn:oncegate:message:1" xmlns:t="urn:oncegate:types:1" version="1">
  <Header>
    <MessageId>01990a5d-ac96-774b-8cce-b302099a8057</MessageId>
    <InReplyTo sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855">01990a5d-ac96-774b-8cce-b302099a8056</InReplyTo>
    <Kind>cancel</Kind>
    <From>ru.yar.school-17</From>
    <CreatedAt>2026-03-04T05:12:09Z</CreatedAt>
    <ExpiresAt>2026-03-04T05:17:09Z</ExpiresAt>
    <Test>true</Test>
    <SignerCertificate>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=</SignerCertificate>
  </Header>
  <Context>
    <Purpose>school-attendance</Purpose>
    <LegalBasis>RU:323-FZ:13</LegalBasis>
    <Consent>01990a5d-ac96-774b-8cce-b302099a8058</Consent>
    <Subject><t:Id scheme="XX-OGTEST">99000000136</t:Id><t:Name><t:Family>Иванова</t:Family><t:Given>Анна</t:Given></t:Name></Subject>
    <Official><Id scheme="XX-OGTEST">99000001701</Id><Role>secretary</Role></Official>
    <OnBehalfOf>ru.yar.education</OnBehalfOf>
    <Region>RU-YAR</Region>
  </Context>
  <Body><Ask><DocumentType>medical-absence-note</DocumentType><Select><Path>PeExemption</Path></Select></Ask></Body>
  <Attachments>
    <Attachment id="scan" name="scan.pdf" mediaType="application/pdf" size="1024" sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"/>
  </Attachments>
</Message>
"#;
