//! Whom foreign documents are about, and which version of which document one is of.

use super::*;
use std::fmt::Write;

/// A schema of these declarations without a namespace.
fn plain(declarations: &str) -> String {
    format!("<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' elementFormDefault='qualified'>{declarations}</xs:schema>")
}

fn row(name: &str, file: &str, rest: &str) -> String {
    format!("[[document]]\nname = '{name}'\nfile = '{file}'\nroot = 'R'\nclass = 'personal'\ntitle = 'T'\n{rest}\n")
}

fn set(name: &str, files: &[(&str, &str)], documents: &str) -> Result<OwnSet, Vec<SchemaError>> {
    let files: Vec<(String, String)> = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    OwnSet::compile(name, documents, &mut |file| {
        let one: Vec<_> = files.iter().filter(|(name, _)| name == file).cloned().collect();
        loaded(&one)
    })
}

fn said(faults: &[SchemaError]) -> String {
    faults.iter().fold(String::new(), |mut text, fault| {
        let _ = writeln!(text, "{fault}");
        text
    })
}

const RECORD: &str = "<xs:element name='R'><xs:complexType><xs:sequence>\
    <xs:element name='p' type='P' minOccurs='0' maxOccurs='9'/><xs:element name='o' type='O' minOccurs='0'/></xs:sequence>\
    <xs:attribute name='last'/><xs:attribute name='y'/><xs:attribute name='m'/><xs:attribute name='d'/></xs:complexType></xs:element>\
    <xs:complexType name='P'><xs:sequence><xs:element name='full' type='xs:string' minOccurs='0'/>\
    <xs:element name='name' type='xs:string' minOccurs='0' maxOccurs='3'/><xs:element name='p' type='P' minOccurs='0'/>\
    <xs:element name='born' type='xs:string' minOccurs='0'/>\
    <xs:element name='id' minOccurs='0' maxOccurs='3'><xs:complexType><xs:simpleContent><xs:extension base='xs:string'>\
    <xs:attribute name='kind'/></xs:extension></xs:simpleContent></xs:complexType></xs:element></xs:sequence>\
    <xs:attribute name='role'/></xs:complexType>\
    <xs:complexType name='O'><xs:sequence><xs:element name='title' type='xs:string'/></xs:sequence>\
    <xs:attribute name='ogrn'/></xs:complexType>";

fn subjects_of(subject: &str, document: &str) -> Vec<Subject> {
    let schema = plain(RECORD);
    let set = set("own", &[("t.xsd", &schema)], &row("test", "t.xsd", &format!("subject = [{subject}]")));
    let schemas = Schemas::with(vec![Arc::new(set.unwrap_or_else(|faults| panic!("{}", said(&faults))))], Vec::new());
    validate(&schemas.expect("no name twice"), document).unwrap_or_else(|fault| panic!("{fault:?} {}", fault.detail)).subjects
}

#[test]
fn names_are_put_together_from_parts() {
    for (subject, document, family, given) in [
        (
            "{ path = 'p', family = 'full', given = 'name' }",
            "<R><p><full> A </full><name>B</name><name>C</name></p></R>",
            "A",
            "B C",
        ),
        (
            "{ path = 'p', family = [{ path = 'full', words = 'first' }], given = [{ path = 'full', words = 'all-but-first' }] }",
            "<R><p><full>A\n B  C</full></p></R>",
            "A",
            "B C",
        ),
        (
            "{ path = 'p', family = [{ path = 'full', words = 'last' }, 'born'], given = [{ path = 'full', words = 'all-but-last' }] }",
            "<R><p><full>A B C</full><born>D</born></p></R>",
            "C D",
            "A B",
        ),
    ] {
        let found = subjects_of(subject, document);
        let person = found.first().expect("one");
        assert_eq!((person.family.as_deref(), person.given.as_deref()), (Some(family), Some(given)), "{subject}");
    }
}

#[test]
fn dates_are_read_in_their_form() {
    let born = |form: &str, value: &str| {
        let subject = format!("{{ path = 'p', birth_date = {{ path = 'born', form = '{form}' }} }}");
        subjects_of(&subject, &format!("<R><p><born>{value}</born></p></R>")).remove(0).birth_date
    };
    for (form, value, date) in [
        ("yyyy-mm-dd", "2015-09-01", Some("2015-09-01")),
        ("yyyy-mm-dd", "2015-09-01T10:00:00Z", Some("2015-09-01")),
        ("yyyy-mm-dd", "2015-09-01+03:00", Some("2015-09-01")),
        ("yyyy-mm-dd", "2015-09", Some("2015-09")),
        ("yyyy-mm-dd", "2015", Some("2015")),
        ("dd.mm.yyyy", "01.09.2015", Some("2015-09-01")),
        ("dd.mm.yyyy", "00.09.2015", Some("2015-09")),
        ("dd.mm.yyyy", "00.00.2015", Some("2015")),
        ("mm/dd/yyyy", "09/01/2015", Some("2015-09-01")),
        ("yyyymmdd", "20150901", Some("2015-09-01")),
        ("yyyymmdd", "201509011", None),
        ("dd.mm.yyyy", "2015-09-01", None),
        ("dd.mm.yyyy", "1.9.2015", None),
        ("yyyy", "2015", Some("2015")),
    ] {
        assert_eq!(born(form, value).as_deref(), date, "{form} {value}");
    }
    let of_parts = "{ path = '', family = '@last', birth_date = { year = '@y', month = '@m', day = '@d' } }";
    for (attributes, date) in [
        ("y='2015' m='9' d='1'", Some("2015-09-01")),
        ("y='2015' m='09' d=''", Some("2015-09")),
        ("y='2015'", Some("2015")),
        ("m='9' d='1'", None),
        ("y='x' m='9'", None),
    ] {
        assert_eq!(
            subjects_of(of_parts, &format!("<R last='A' {attributes}/>")).remove(0).birth_date.as_deref(),
            date,
            "{attributes}"
        );
    }
}

#[test]
fn the_scheme_of_an_identifier_may_stand_beside_it_as_a_code() {
    let subject =
        "{ path = 'p', id = [{ path = 'id', scheme_at = 'id/@kind', schemes = { 'own' = 'XX-OGTEST', 'pass' = 'XX-PASS' } }] }";
    let document = "<R><p><id kind='pass'>AB-1</id><id kind='other'>7</id><id kind='own'>99000000136</id></p></R>";
    let found: Vec<String> = subjects_of(subject, document)[0]
        .identifiers
        .iter()
        .map(|identifier| format!("{}:{}", identifier.scheme(), identifier.value()))
        .collect();
    assert_eq!(found, ["XX-PASS:AB-1", "XX-OGTEST:99000000136"]);
    for (form, value) in [("digits", "990-000-001 36"), ("last-part", "XX/YY/99000000136"), ("last-part", "urn:x:99000000136")] {
        let subject = format!("{{ path = 'p', id = [{{ path = 'id', scheme = 'XX-OGTEST', form = '{form}' }}] }}");
        let found = subjects_of(&subject, &format!("<R><p><id>{value}</id></p></R>"));
        assert_eq!(found[0].identifiers, [crate::base::ids::Identifier::synthetic(1)], "{value}");
    }
}

/// What is inside a person inside another one is the inner one's, and what comes behind it the outer one's again.
#[test]
fn a_person_inside_another_one_is_another() {
    let subject = "{ path = 'p', family = 'full', birth_date = 'born' }, { role = 'child', path = 'p/p', family = 'full' }";
    let found = subjects_of(subject, "<R><p><full>A</full><p><full>B</full><born>2020</born></p><born>1990</born></p></R>");
    let told: Vec<_> =
        found.iter().map(|person| (person.role.as_str(), person.family.as_deref(), person.birth_date.as_deref())).collect();
    assert_eq!(told, [("child", Some("B"), None), ("", Some("A"), Some("1990"))]);
}

/// The word on the role may come before, behind, or at the person itself, and is never that of the neighbour.
#[test]
fn a_role_is_told_by_what_stands_with_the_person() {
    let subject = |role: &str| {
        format!("{{ role = '{role}', path = 'p', family = 'full', only_if = {{ path = 'p/@role', is = '{role}' }} }}")
    };
    let document = "<R><p role='a'><full>A</full></p><p><full>B</full></p><p role='c'><full>C</full></p></R>";
    let found = subjects_of(&format!("{}, {}", subject("a"), subject("c")), document);
    let told: Vec<_> = found.iter().map(|person| (person.role.as_str(), person.family.as_deref())).collect();
    assert_eq!(told, [("a", Some("A")), ("c", Some("C"))]);
    let behind = "{ role = 'a', path = 'p/p', family = 'full', only_if = { path = 'p/born', is = 'x' } }";
    let found = subjects_of(behind, "<R><p><p><full>A</full></p><born>x</born></p><p><p><full>B</full></p></p></R>");
    assert_eq!(found.iter().map(|person| person.family.as_deref()).collect::<Vec<_>>(), [Some("A")]);
}

#[test]
fn an_organisation_is_one() {
    let subject = "{ path = 'o', name = 'title', id = [{ path = '@ogrn', scheme = 'RU-OGRN' }] }";
    let found = subjects_of(subject, "<R><o ogrn='1027700132195'><title>Bank</title></o></R>");
    assert_eq!((found[0].kind, found[0].name.as_deref()), (SubjectKind::Organisation, Some("Bank")));
    assert_eq!(found[0].identifiers.len(), 1);
    assert!(found[0].family.is_none());
}

#[test]
fn what_is_wrong_with_a_subject_is_said_with_its_place() {
    let schema = plain(RECORD);
    for (subject, what) in [
        ("{ path = 'p' }", "nobody can be told by"),
        ("{ path = 'o', family = 'ttle' }", "did you mean o/title?"),
        ("{ path = '@last', family = '' }", "which is an attribute"),
        ("{ path = 'p', id = [{ path = 'id' }] }", "needs a scheme, or scheme_at and schemes"),
        ("{ path = 'p', id = [{ path = 'id', scheme = 'SNILS' }] }", "not a scheme"),
        ("{ path = 'p', id = [{ path = 'id', scheme_at = 'id/@kind', schemes = { a = 'b' } }] }", "not a scheme"),
        ("{ path = 'p', family = 'full', kind = 'organisation' }", "which are a person's"),
        ("{ path = 'p', name = 'full', kind = 'person' }", "which is an organisation's"),
        ("{ path = 'p', birth_date = { path = 'born', form = 'd.m.y' } }", "not one of a date"),
        ("{ path = 'p', birth_date = { day = 'born' } }", "a path, { path, form } or { year, month, day }"),
        ("{ path = 'p', family = 'full' }, { path = 'p/p', family = 'full' }", "two subjects for no role"),
        (
            "{ role = 'a', path = 'p', family = 'full' }, { role = 'a', path = 'p/p', family = 'full', only_if = { path = 'p/@role', is = 'x' } }",
            "two subjects for a",
        ),
        ("{ role = 'a', path = 'p', family = 'full', only_if = { path = '@last', is = 'x' } }", "beside the subject once"),
        (
            "{ path = 'p', family = 'full', todo = 'is it the family name?' }",
            "a guess that nobody has confirmed (is it the family name?)",
        ),
    ] {
        let faults =
            set("own", &[("t.xsd", &schema)], &row("test", "t.xsd", &format!("subject = [{subject}]"))).expect_err(subject);
        let text = said(&faults);
        assert!(text.contains(what) && text.starts_with("documents.toml:7:"), "{subject}: {text}");
    }
}

/// Whatever is wrong with a set is said at once.
#[test]
fn all_faults_of_a_set_are_said() {
    let (good, bad) = (
        plain("<xs:element name='R' type='xs:string'/>"),
        plain(
            "<xs:element name='R'><xs:simpleType><xs:restriction base='xs:token'><xs:pattern value='a{2'/></xs:restriction></xs:simpleType></xs:element>",
        ),
    );
    let rows = [
        row("one", "bad.xsd", ""),
        row("two", "good.xsd", "until = 'soon'"),
        row("three", "good.xsd", "todo = 'x'"),
        row("four", "bad.xsd", ""),
    ];
    let faults = set("own", &[("good.xsd", &good), ("bad.xsd", &bad)], &rows.concat()).expect_err("three faults");
    let text = said(&faults);
    assert_eq!(faults.len(), 3, "{text}");
    for what in ["bad.xsd:1:", "documents.toml:14:9: until soon", "a guess that nobody has confirmed (x)"] {
        assert!(text.contains(what), "{what}: {text}");
    }
}

/// Each set has names of its own; which document begins alike is told by an attribute, or by what was asked for.
#[test]
fn documents_that_begin_alike_are_told_apart() {
    let schema = |value: &str| {
        plain(&format!(
            "<xs:element name='R'><xs:complexType><xs:simpleContent><xs:extension base='xs:{value}'><xs:attribute name='v'/></xs:extension></xs:simpleContent></xs:complexType></xs:element>"
        ))
    };
    let version = |number: &str, file: &str, until: &str| {
        row("test", file, &format!("version = '{number}'\nwhen = {{ attribute = 'v', is = '{number}' }}\n{until}"))
    };
    let (one, two) = (schema("int"), schema("date"));
    let rows = version("1", "one.xsd", "until = '2026-12-31'") + &version("2", "two.xsd", "");
    let first = Arc::new(set("first", &[("one.xsd", &one), ("two.xsd", &two)], &rows).expect("a set"));
    let other = plain(
        "<xs:element name='R'><xs:complexType><xs:attribute name='v'/><xs:attribute name='more' use='required'/></xs:complexType></xs:element>",
    );
    let second = Arc::new(set("second", &[("r.xsd", &other)], &row("other", "r.xsd", "")).expect("a set"));
    let alone = Schemas::with(vec![Arc::clone(&first)], Vec::new()).expect("schemas");
    let taken = |schemas: &Schemas, expected: Option<&Code>, document: &str| {
        let mut validator = Validator::new(schemas);
        validator.expect(expected);
        validate_with(&mut validator, document).map(|facts| (facts.document_type.to_string(), facts.until.is_some()))
    };
    assert_eq!(taken(&alone, None, "<R v='1'>7</R>"), Ok(("test".to_owned(), true)));
    assert_eq!(taken(&alone, None, "<R v='2'>2026-01-01</R>"), Ok(("test".to_owned(), false)));
    assert!(taken(&alone, None, "<R v='2'>7</R>").is_err_and(|fault| fault.code == FaultCode::DocSchema));
    let strange = taken(&alone, None, "<R v='3'>7</R>").expect_err("no such version");
    assert!(strange.code == FaultCode::DocUnknown && strange.detail.contains("a version of test"), "{}", strange.detail);
    let both = Schemas::with(vec![first, second], Vec::new()).expect("schemas");
    let asked = ["test", "other"].map(|name| Code::parse(name).expect("a code"));
    assert!(taken(&both, None, "<R v='1'>7</R>").is_err_and(|fault| fault.code == FaultCode::DocUnknown));
    assert_eq!(taken(&both, Some(&asked[0]), "<R v='1'>7</R>"), Ok(("test".to_owned(), true)));
    assert_eq!(taken(&both, Some(&asked[1]), "<R v='1' more=''/>"), Ok(("other".to_owned(), false)));
    let facts = validate(&alone, "<R v='1'>7</R>").expect("valid");
    let day = |text: &str| crate::base::time::Day::parse(text).expect("a day");
    assert!(facts.in_force(day("2026-12-31")).is_ok());
    assert!(facts.in_force(day("2027-01-01")).is_err_and(|fault| fault.code == FaultCode::DocEnded));
}

#[test]
fn what_cannot_be_told_apart_is_refused() {
    let schema = plain("<xs:element name='R'><xs:complexType><xs:attribute name='v'/></xs:complexType></xs:element>");
    for (rows, what) in [
        (row("a", "r.xsd", "") + &row("a", "r.xsd", ""), "the document a twice"),
        (row("a", "r.xsd", "version = '1'") + &row("a", "r.xsd", "version = '1'"), "the document a twice"),
        (row("a", "r.xsd", "version = '1'") + &row("a", "r.xsd", "version = '2'"), "cannot be told from another"),
        (row("a", "r.xsd", "when = { attribute = 'w', is = '1' }"), "did you mean @v?"),
        (row("a", "none.xsd", ""), "none.xsd"),
    ] {
        let text = said(&set("own", &[("r.xsd", &schema)], &rows).expect_err(what));
        assert!(text.contains(what), "{text}");
    }
    let one = || Arc::new(set("one", &[("r.xsd", &schema)], &row("birth-certificate", "r.xsd", "")).expect("a set"));
    let text = said(&Schemas::with(vec![one()], Vec::new()).expect_err("a name of ours"));
    assert!(text.contains("birth-certificate, which is one of the gateway's own already"), "{text}");
}

#[test]
fn a_document_is_about_so_many_and_no_more() {
    const MAX: usize = crate::base::limits::DOCUMENT_SCOPES_MAX;
    let schema = plain(
        "<xs:element name='R'><xs:complexType><xs:sequence><xs:element name='p' type='xs:string' maxOccurs='unbounded'/></xs:sequence></xs:complexType></xs:element>",
    );
    let own = set("own", &[("t.xsd", &schema)], &row("test", "t.xsd", "subject = [{ path = 'p', family = '' }]")).expect("a set");
    let schemas = Schemas::with(vec![Arc::new(own)], Vec::new()).expect("schemas");
    let found = |count: usize| validate(&schemas, &format!("<R>{}</R>", "<p>A</p>".repeat(count)));
    assert_eq!(found(MAX).map(|facts| facts.subjects.len()), Ok(MAX));
    assert_eq!(found(MAX + 1).map_err(|fault| fault.code), Err(FaultCode::DocSchema));
}

/// Whoever asks about somebody knows the name and the number, and not all else that stands beside them.
#[test]
fn the_subject_is_described_by_its_parts_and_by_nothing_beside_them() {
    let schema = plain(
        "<xs:element name='R'><xs:complexType><xs:sequence><xs:element name='w' minOccurs='0'><xs:complexType><xs:sequence>\
         <xs:element name='p'><xs:complexType><xs:sequence><xs:element name='name' minOccurs='0'><xs:complexType><xs:attribute name='last'/>\
         <xs:attribute name='title'/></xs:complexType></xs:element><xs:element name='ill' type='xs:string' minOccurs='0'/></xs:sequence>\
         <xs:attribute name='id'/></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>",
    );
    for (base, path, around) in [("w/p", "", false), ("", "w/p/", true)] {
        let subject = format!(
            "subject = [{{ path = '{base}', id = [{{ path = '{path}@id', scheme = 'XX-OGTEST' }}], family = '{path}name/@last' }}]"
        );
        let set = set("own", &[("t.xsd", &schema)], &row("test", "t.xsd", &subject));
        let schemas = Schemas::with(vec![Arc::new(set.unwrap_or_else(|faults| panic!("{}", said(&faults))))], Vec::new());
        let schemas = schemas.expect("no name twice");
        let document = schemas.document_type(&Code::parse("test").expect("a code")).expect("it is there");
        let described = document.described("");
        for (path, expected) in [
            ("w", around),
            ("w/p", true),
            ("w/p/@id", true),
            ("w/p/name", true),
            ("w/p/name/@last", true),
            ("w/p/name/@title", false),
            ("w/p/ill", false),
        ] {
            assert_eq!(described.iter().any(|part| part.covers(path)), expected, "{base} {path}");
        }
    }
}
