//! What the whole room promises: refusals of constructs, rules and their twins, facts.

mod about;

use super::*;
use crate::base::fault::Code as FaultCode;
use crate::base::fault::Fault;
use crate::message::xml::{self, Profile};

fn validate_with(validator: &mut Validator<'_>, document: &str) -> Result<Facts, Fault> {
    xml::scan(document.as_bytes(), Profile::Message, validator).expect("well-formed XML");
    assert!(validator.is_done());
    validator.finish()
}

fn validate(schemas: &Schemas, document: &str) -> Result<Facts, Fault> {
    validate_with(&mut Validator::new(schemas), document)
}

fn code(schemas: &Schemas, document: &str) -> Option<FaultCode> {
    validate(schemas, document).err().map(|fault| fault.code)
}

macro_rules! example {
    ($path:literal) => {
        include_str!(concat!("../../../schemas/examples/", $path, ".xml"))
    };
}

/// A set of one schema, whose declarations begin in line 2, and its document `test` with the root `R`.
fn compile(declarations: &str, rows: &str) -> Result<Schemas, SchemaError> {
    let schema = format!(
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:u=\"urn:t\" targetNamespace=\"urn:t\" elementFormDefault=\"qualified\">\n{declarations}\n</xs:schema>"
    );
    let documents =
        format!("[[document]]\nname = \"test\"\nfile = \"t.xsd\"\nroot = \"R\"\nclass = \"test\"\ntitle = \"T\"\n{rows}");
    Schemas::compile(&[("t.xsd".to_owned(), schema)], &documents)
}

/// What XML Schema forbids is refused with its place; what it allows is taken.
#[test]
fn a_wrong_schema_is_refused_with_its_line_and_rule() {
    for (around, construct, what) in REFUSED {
        let (before, after) = around.text();
        let error = compile(&format!("{before}{construct}{after}"), "").expect_err(construct);
        assert_eq!(error.file.as_str(), "t.xsd", "{construct}: {error}");
        assert!((2..=3).contains(&error.line), "{construct}: {error}");
        assert!(error.what.contains(what), "{construct}: {error}");
    }
}

#[test]
fn what_is_broken_across_lines_is_refused_too() {
    let root = "<xs:element name='R' type='u:C'/>";
    for (declarations, what) in [
        ("<xs:simpleType name='C'><xs:restriction base='u:C'/></xs:simpleType>", "derived from itself"),
        (
            "<xs:simpleType name='C'><xs:restriction base='xs:token'><xs:pattern value='a{2'/></xs:restriction></xs:simpleType>",
            "pattern",
        ),
        (
            "<xs:complexType name='C'><xs:sequence><xs:element name='a' type='xs:string' minOccurs='0'/>\
                 <xs:element name='a' type='xs:string'/></xs:sequence></xs:complexType>",
            "cos-nonambig",
        ),
        (
            "<xs:complexType name='C'><xs:sequence><xs:element name='a' type='xs:string'/>\
                 <xs:element name='b' type='xs:string'/><xs:element name='a' type='xs:token'/></xs:sequence>\
                 </xs:complexType>",
            "cos-element-consistent",
        ),
        (
            "<xs:complexType name='C'><xs:attribute name='a' type='xs:string'/>\
                 <xs:attribute name='a' type='xs:string'/></xs:complexType>",
            "ct-props-correct",
        ),
        (
            "<xs:simpleType name='C'><xs:list itemType='u:L'/></xs:simpleType><xs:simpleType name='L'>\
                 <xs:list itemType='xs:int'/></xs:simpleType>",
            "cos-list-of-atomic",
        ),
    ] {
        let error = compile(&format!("{root}{declarations}"), "").expect_err(declarations);
        assert!(error.what.contains(what) && error.file == "t.xsd", "{declarations}: {error}");
    }
}

/// The judge would not end with these: our own reading refuses them first.
#[test]
fn what_doubles_itself_never_reaches_the_judge() {
    let root = "<xs:element name='R' type='u:C'/>";
    let twice = |kind: &str, inside: &dyn Fn(usize) -> String| -> String {
        (0..40).map(|at| format!("<xs:{kind} name='g{at}'>{}</xs:{kind}>", inside(at))).collect()
    };
    let groups =
        twice("group", &|at| format!("<xs:sequence><xs:group ref='u:g{0}'/><xs:group ref='u:g{0}'/></xs:sequence>", at + 1));
    let of_groups = "<xs:group name='g40'><xs:sequence><xs:element name='e' type='xs:string'/></xs:sequence></xs:group>\
         <xs:complexType name='C'><xs:sequence><xs:group ref='u:g0'/></xs:sequence></xs:complexType>";
    let attributes =
        twice("attributeGroup", &|at| format!("<xs:attributeGroup ref='u:g{0}'/><xs:attributeGroup ref='u:g{0}'/>", at + 1));
    let of_attributes = "<xs:attributeGroup name='g40'><xs:attribute name='a'/></xs:attributeGroup>\
         <xs:complexType name='C'><xs:attributeGroup ref='u:g0'/></xs:complexType>";
    for declarations in [format!("{root}{groups}{of_groups}"), format!("{root}{attributes}{of_attributes}")] {
        let error = compile(&declarations, "").expect_err("it is refused");
        assert!(error.what.contains("too many"), "{error}");
    }
}

/// A type may contain itself: its paths are not all listed, and a grant may name what lies deeper all the same.
#[test]
fn a_document_that_contains_itself_has_fields() {
    let declarations = "<xs:element name='R' type='u:C'/><xs:complexType name='C'><xs:sequence>\
         <xs:element name='v' type='xs:string' minOccurs='0'/><xs:element name='c' type='u:C' minOccurs='0'/></xs:sequence>\
         <xs:attribute name='k'/></xs:complexType>";
    let schemas = compile(declarations, "").expect("a schema");
    let kind = schemas.document_types().next().expect("one");
    assert_eq!(kind.reach, Reach::Open);
    let has = |field: &str| kind.has_field(&super::FieldPath::parse(field).expect("a path"));
    assert!(has("c/c/v") && has("v") && has("@k") && has("**") && has("c/*/@k") && !has("x") && !has("x/*"));
    let facts = validate(&schemas, "<R xmlns='urn:t' k='1'><c><c><v>x</v></c></c></R>").expect("valid");
    let mut found = facts.optional_paths;
    found.sort();
    assert_eq!(found, ["@k", "c", "c/c", "c/c/v"]);
}

/// What is required in something that a document may lack can be given alone; what nobody listed is not held against anybody.
#[test]
fn a_path_is_known_that_a_document_may_have() {
    let declarations = "<xs:element name='R'><xs:complexType><xs:sequence><xs:element name='must' type='xs:string'/>\
         <xs:element name='office' minOccurs='0'><xs:complexType><xs:sequence><xs:element name='town' type='xs:string'/></xs:sequence>\
         <xs:attribute name='since' use='required'/></xs:complexType></xs:element>\
         <xs:element name='b' type='u:B' minOccurs='0'/><xs:element name='w' minOccurs='0'><xs:complexType><xs:sequence>\
         <xs:any processContents='skip' namespace='##other'/></xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>\
         <xs:complexType name='B'><xs:sequence/></xs:complexType>\
         <xs:complexType name='D'><xs:complexContent><xs:extension base='u:B'><xs:sequence>\
         <xs:element name='y' type='xs:string'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>";
    let schemas = compile(declarations, "").expect("a schema");
    let kind = schemas.document_types().next().expect("one");
    for (path, is_there, is_field) in [
        ("must", true, false),
        ("office", true, true),
        ("office/town", true, true),
        ("office/@since", true, true),
        ("*/town", true, true),
        ("*/@*", true, true),
        ("**", true, true),
        ("*", true, true),
        ("must/x", false, false),
        ("office/street", false, false),
        ("office/@until", false, false),
        ("@x", false, false),
        // By xsi:type, and by a wildcard.
        ("b/y", true, true),
        ("w/anything/@at-all", true, true),
    ] {
        let field = super::FieldPath::parse(path).expect("a path");
        assert_eq!((kind.has_path(&field), kind.has_field(&field)), (is_there, is_field), "{path}");
    }
}

/// What a derived type adds, what stands in another's place, and what nobody looks at is released by no accident.
#[test]
fn whatever_may_be_absent_is_a_field() {
    let declarations = "<xs:element name='R'><xs:complexType><xs:sequence><xs:element name='b' type='u:B'/>\
         <xs:element ref='u:h'/><xs:any processContents='skip' namespace='##other' minOccurs='0'/></xs:sequence>\
         <xs:attribute name='must' use='required'/><xs:attribute name='may'/><xs:anyAttribute processContents='skip' namespace='##other'/>\
         </xs:complexType></xs:element>\
         <xs:complexType name='B'><xs:sequence><xs:element name='x' type='xs:string'/></xs:sequence></xs:complexType>\
         <xs:complexType name='D'><xs:complexContent><xs:extension base='u:B'><xs:sequence>\
         <xs:element name='y' type='xs:string'/></xs:sequence><xs:attribute name='z' use='required'/></xs:extension></xs:complexContent></xs:complexType>\
         <xs:element name='h' type='xs:string'/><xs:element name='s' type='xs:string' substitutionGroup='u:h'/>";
    let schemas = compile(declarations, "").expect("a schema");
    let fields = |document: &str| {
        let mut found = validate(&schemas, document).expect("valid").optional_paths;
        found.sort();
        found
    };
    let open = "<R xmlns='urn:t' xmlns:o='urn:o' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' must='1'";
    assert!(fields(&format!("{open}><b><x/></b><h/></R>")).is_empty());
    assert_eq!(fields(&format!("{open} may='1' o:more='1'><b><x/></b><h/></R>")), ["@may", "@more"]);
    assert_eq!(fields(&format!("{open}><b xsi:type='D' z='1'><x/><y/></b><h/></R>")), ["b/@z", "b/x", "b/y"]);
    assert_eq!(fields(&format!("{open}><b><x/></b><s/></R>")), ["s"]);
    assert_eq!(fields(&format!("{open}><b><x/></b><h/><o:n><o:m/></o:n></R>")), ["n/**"]);
}

/// One name in two places of a content model is one path, and so is what nobody looked at in both.
#[test]
fn a_path_that_can_be_there_in_two_ways_is_one_field() {
    let declarations = "<xs:element name='R'><xs:complexType><xs:sequence><xs:element name='b' type='u:C' minOccurs='0'/>\
         <xs:element name='c' type='xs:string'/><xs:element name='b' type='u:C' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>\
         <xs:complexType name='C'><xs:sequence><xs:any processContents='skip' namespace='##other' minOccurs='0'/></xs:sequence>\
         <xs:attribute name='k'/></xs:complexType>";
    let schemas = compile(declarations, "").expect("a schema");
    let fields = |inside: &str| {
        let document = format!("<R xmlns='urn:t' xmlns:o='urn:o'>{inside}</R>");
        validate(&schemas, &document).expect("valid").optional_paths
    };
    assert_eq!(fields("<b k='1'><o:x/></b><c/><b k='2'><o:x/></b>"), ["b", "b/@k", "b/x/**"]);
    assert_eq!(fields("<c/><b k='2'/>"), fields("<b k='2'/><c/>"));
}

/// A foreign document says by paths where the person is.
#[test]
fn the_subject_of_a_foreign_document_is_where_its_paths_say() {
    let declarations = "<xs:element name='R'><xs:complexType><xs:sequence><xs:element name='who'><xs:complexType><xs:sequence>\
         <xs:element name='fio'><xs:complexType><xs:attribute name='last' use='required'/><xs:attribute name='first'/></xs:complexType></xs:element>\
         <xs:element name='born' type='xs:string'/><xs:element name='num' type='xs:string' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>\
         </xs:sequence></xs:complexType></xs:element>";
    let subject = "subject = [{ path = 'who', id = [{ path = 'num', scheme = 'XX-OGTEST' }], family = 'fio/@last', given = 'fio/@first', \
         birth_date = { path = 'born', form = 'dd.mm.yyyy' } }]";
    let schemas = compile(declarations, subject).expect("a schema");
    let document = |number: &str| {
        format!("<R xmlns='urn:t'><who><fio last='F' first='G'/><born>01.09.2015</born><num>{number}</num></who></R>")
    };
    let facts = validate(&schemas, &document("99000000136")).expect("valid");
    let person = facts.subjects_as("").next().expect("one");
    assert_eq!(
        (person.family.as_deref(), person.given.as_deref(), person.birth_date.as_deref()),
        (Some("F"), Some("G"), Some("2015-09-01"))
    );
    assert_eq!(person.identifiers.len(), 1);
    assert_eq!(facts.optional_paths, ["who/num", "who/fio/@first"]);
    assert_eq!(code(&schemas, &document("99000000137")), Some(FaultCode::DocCheckDigit));
    let wrong = subject.replace("fio/@last", "fio/@lst");
    let error = compile(declarations, &wrong).expect_err("no such path");
    assert!(error.what.contains("did you mean who/fio/@last?"), "{error}");
}

#[test]
fn documents_toml_is_checked_against_the_schemas() {
    let schema = "<xs:element name='R'><xs:complexType><xs:sequence>\
         <xs:element name='a' type='xs:date' maxOccurs='2'/><xs:element name='b' type='xs:date'/></xs:sequence>\
         </xs:complexType></xs:element>";
    for (rows, good) in [
        ("subject = [{ path = 'b' }]", false),
        ("subject = [{ path = 'b', id = [{ path = '', scheme = 'XX-OGTEST' }] }]", true),
        ("subject = [{ path = 'c' }]", false),
        ("subject = [{ path = 'b', role = 'Mother' }]", false),
        ("subject = [{ path = 'b', only_if = { path = 'b', is = 'x' } }]", false),
        ("rule = [{ kind = 'once-per-role', paths = ['a'] }]", true),
        ("rule = [{ kind = 'marriage', begins = 'a', ends = 'b' }]", false),
        ("rule = [{ kind = 'marriage', begins = 'b', ends = 'b' }]", true),
        ("rule = [{ kind = 'divorce', begins = 'b', ends = 'b' }]", false),
        ("colour = 'red'", false),
    ] {
        let made = compile(schema, rows);
        assert_eq!(made.is_ok(), good, "{rows}: {:?}", made.err());
    }
}

#[test]
fn facts_name_the_fields_and_the_subject() {
    let schemas = Schemas::built_in();
    let facts = validate(&schemas, example!("medical-absence-note/valid/minimal")).expect("valid");
    assert_eq!(facts.document_type.as_str(), "medical-absence-note");
    assert_eq!(facts.status.as_deref(), Some("in-force"));
    assert_eq!(facts.optional_paths, ["Patient/Id", "Patient/Name/Family", "Patient/Name/Given"]);
    assert_eq!(facts.identifiers.len(), 2);
    let facts = validate(&schemas, example!("birth-certificate/valid/full")).expect("valid");
    for field in ["Parent", "Parent/Residence", "Extension", "Extension/OrderForMother", "FatherBasis"] {
        assert!(facts.optional_paths.iter().any(|path| path == field), "{field}");
    }
    assert!(!facts.optional_paths.iter().any(|path| path.starts_with("Head/") || path == "Child"));
    assert_eq!(facts.optional_paths.iter().filter(|path| *path == "Parent").count(), 1);
}

#[test]
fn persons_are_found_by_their_role() {
    let schemas = Schemas::built_in();
    let facts = validate(&schemas, example!("birth-certificate/valid/full")).expect("valid");
    for (role, given) in [
        ("", &["Илья"][..]),
        ("child", &["Илья"]),
        ("mother", &["Мария"]),
        ("father", &["Сергей"]),
        ("parent", &["Мария", "Сергей"]),
    ] {
        let found: Vec<_> = facts.subjects_as(role).filter_map(|subject| subject.given.as_deref()).collect();
        assert_eq!(found, given, "{role}");
    }
    let mother = facts.subjects_as("mother").next().expect("one mother");
    assert_eq!((mother.family.as_deref(), mother.birth_date.as_deref()), (Some("Петрова"), Some("1998")));
    assert_eq!(mother.identifiers, [crate::base::ids::Identifier::synthetic(6)]);
    let printed = format!("{facts:?}");
    assert!(!printed.contains("Петрова") && !printed.contains("9900000"), "{printed}");
}

#[test]
fn every_field_of_a_type_is_found_by_its_full_example_or_is_an_alternative() {
    let schemas = Schemas::built_in();
    for (name, document) in [
        ("school-enrolment", example!("school-enrolment/valid/full")),
        ("residence-record", example!("residence-record/valid/full")),
        ("medical-absence-note", example!("medical-absence-note/valid/full")),
    ] {
        let facts = validate(&schemas, document).expect("valid");
        let kind = schemas.document_type(&Code::parse(name).expect("a code")).expect("built in");
        let missing = kind.fields.iter().filter(|field| !facts.optional_paths.contains(field));
        let missing: Vec<_> = missing.filter(|field| !field.ends_with("Absent") && !field.starts_with("Doctor/Name/")).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

#[test]
fn rules_have_their_codes_and_their_twins() {
    let schemas = Schemas::built_in();
    let note = example!("medical-absence-note/valid/full");
    let birth = example!("birth-certificate/valid/full");
    let medical = example!("medical-birth-record/valid/full");
    for (document, from, to, fault) in [
        (note, "<Days>6<", "<Days>+06<", None),
        (note, "<Days>6<", "<Days>7<", Some(FaultCode::DocPeriod)),
        (note, "<t:To>2026-03-04<", "<t:To>2026-02-26<", Some(FaultCode::DocPeriod)),
        (note, "<t:To>2026-03-19<", "<t:To>2026-03-05<", None),
        (note, "<t:To>2026-03-19<", "<t:To>2026-03-04<", Some(FaultCode::DocPeriod)),
        (birth, "<BirthDate>2026-02-14<", "<BirthDate>2026-02-20<", None),
        (birth, "<BirthDate>2026-02-14<", "<BirthDate>2026-02-21<", Some(FaultCode::DocBirth)),
        (medical, "2026-02-14T03:20:00.5Z", "2026-03-04T05:12:09.9Z", None),
        (medical, "2026-02-14T03:20:00.5Z", "2026-03-04T05:12:10Z", Some(FaultCode::DocBirth)),
        (birth, "<Role>father<", "<Role>parent<", None),
        (birth, "<Role>father<", "<Role>mother<", Some(FaultCode::DocParents)),
    ] {
        assert!(document.contains(from), "{from}");
        assert_eq!(code(&schemas, &document.replace(from, to)), fault, "{from} {to}");
    }
    let declarations = "<xs:element name='R'><xs:complexType><xs:sequence><xs:element name='b' type='xs:date'/>\
         <xs:element name='e' type='xs:date' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>";
    let schemas = compile(declarations, "rule = [{ kind = 'marriage', begins = 'b', ends = 'e' }]").expect("a schema");
    for (inside, fault) in [
        ("<b>2020-01-02</b>", None),
        ("<b>2020-01-02</b><e>2020-01-02</e>", None),
        ("<b>2020-01-02</b><e>2020-01-01</e>", Some(FaultCode::DocMarriage)),
        ("<b>-2020-01-02</b><e>2020-01-03</e>", Some(FaultCode::DocMarriage)),
    ] {
        assert_eq!(code(&schemas, &format!("<R xmlns='urn:t'>{inside}</R>")), fault, "{inside}");
    }
}

#[test]
fn a_fault_says_where_and_nothing_of_the_content() {
    let schemas = Schemas::built_in();
    let detail = |document: &str| validate(&schemas, document).expect_err("broken").detail.into_owned();
    let note = example!("medical-absence-note/valid/full");
    assert_eq!(
        detail(&note.replace("<Days>6</Days>", "<Secret>7</Secret>")),
        format!(
            "MedicalAbsenceNote, byte {}: an element that no schema of the set has where Days is expected",
            note.find("<Days>").expect("there")
        )
    );
    assert!(detail(&note.replace("<Days>6<", "<Days>six<")).contains("the value of Days is not "));
    let identifier = detail(example!("medical-absence-note/broken/OG-DOC-021-check-digits"));
    assert!(
        identifier.starts_with("MedicalAbsenceNote/Head/Issuer/Id, byte ")
            && identifier.ends_with("XX-OGTEST: the check digits are wrong")
    );
    assert!(
        detail(&note.replace("</MedicalAbsenceNote>", "<x/></MedicalAbsenceNote>")).ends_with("where nothing more may stand")
    );
    assert!(detail("<x xmlns='urn:x'/>").starts_with("byte 0"));
}

#[test]
fn one_validator_reads_one_document_after_another() {
    let schemas = Schemas::built_in();
    let mut validator = Validator::new(&schemas);
    let good = example!("school-enrolment/valid/full");
    let first = validate_with(&mut validator, good);
    assert!(validate_with(&mut validator, example!("school-enrolment/broken/OG-DOC-002-text-empty")).is_err());
    assert!(first.is_ok());
    assert_eq!(validate_with(&mut validator, good), first);
    assert_eq!(validator.finish().map_err(|fault| fault.code), Err(FaultCode::DocSchema));
}

#[test]
fn texts_in_pieces_are_one_value() {
    let schemas = compile(
        "<xs:element name='R'><xs:simpleType><xs:restriction base='xs:token'>\
         <xs:pattern value='a&amp;b'/></xs:restriction></xs:simpleType></xs:element>",
        "",
    )
    .expect("a schema");
    assert_eq!(code(&schemas, "<R xmlns='urn:t'> a&amp;&#98;\n</R>"), None);
    assert_eq!(code(&schemas, "<R xmlns='urn:t'>a&amp; b</R>"), Some(FaultCode::DocSchema));
}

#[test]
fn limits_hold_at_their_edge() {
    let listed = "<xs:element name='R'><xs:simpleType><xs:restriction base='xs:token'><xs:enumeration value='x'/>\
         </xs:restriction></xs:simpleType></xs:element>";
    let kept = compile(listed, "").expect("a schema");
    let text = compile("<xs:element name='R' type='xs:string'/>", "").expect("a schema");
    let person = "<xs:element name='R'><xs:complexType><xs:sequence><xs:element name='a' type='xs:string'/>\
         </xs:sequence></xs:complexType></xs:element>";
    let asked = compile(person, "subject = [{ path = '', family = 'a' }]").expect("a schema");
    for (len, fault) in [
        (crate::base::limits::KEPT_TEXT_BYTES_MAX, None),
        (crate::base::limits::KEPT_TEXT_BYTES_MAX + 1, Some(FaultCode::DocSchema)),
    ] {
        let value = " ".repeat(len - 1) + "x";
        assert_eq!(code(&kept, &format!("<R xmlns='urn:t'>{value}</R>")), fault);
        assert_eq!(code(&asked, &format!("<R xmlns='urn:t'><a>{value}</a></R>")), fault);
        assert_eq!(code(&text, &format!("<R xmlns='urn:t'>{value}</R>")), None, "nobody asks for it");
    }
    let rule =
        "rule = [{ kind = 'once-per-role', paths = ['a'] }]\nsubject = [{ path = 'a', id = [{ path = '', scheme = 'XX-N1' }] }]";
    let many = "<xs:element name='R'><xs:complexType><xs:sequence>\
         <xs:element name='a' type='xs:int' maxOccurs='unbounded'/></xs:sequence></xs:complexType></xs:element>";
    let many = compile(many, rule).expect("a schema");
    let document =
        |count: usize| format!("<R xmlns='urn:t'>{}</R>", (0..count).map(|i| format!("<a>{i}</a>")).collect::<String>());
    assert_eq!(code(&many, &document(crate::base::limits::DOCUMENT_WATCHED_MAX)), None);
    assert_eq!(code(&many, &document(crate::base::limits::DOCUMENT_WATCHED_MAX + 1)), Some(FaultCode::DocSchema));
}

#[test]
fn a_document_has_so_many_different_paths_and_no_more() {
    const MAX: usize = crate::base::limits::SCHEMA_PATHS_MAX;
    let elements: String = (0..=MAX).map(|at| format!("<xs:element name='e{at}' type='xs:string' minOccurs='0'/>")).collect();
    let declarations =
        format!("<xs:element name='R'><xs:complexType><xs:sequence>{elements}</xs:sequence></xs:complexType></xs:element>");
    let schemas = compile(&declarations, "").expect("a schema");
    assert_eq!(schemas.document_types().next().expect("one").reach, Reach::Open, "more than are listed");
    // The root is one.
    for (count, fault) in [(MAX - 1, None), (MAX, Some(FaultCode::DocSchema))] {
        let inside: String = (0..count).map(|at| format!("<e{at}/>")).collect();
        assert_eq!(code(&schemas, &format!("<R xmlns='urn:t'>{inside}</R>")), fault, "{count}");
    }
}

#[test]
fn a_document_holds_so_many_identifiers_and_no_more() {
    let types = Schemas::built_in_files().iter().find(|(file, _)| *file == "types-1.xsd").expect("it is there").1;
    let schema = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:t='urn:oncegate:types:1' targetNamespace='urn:t' \
         elementFormDefault='qualified'><xs:import namespace='urn:oncegate:types:1' schemaLocation='types-1.xsd'/>\
         <xs:element name='R'><xs:complexType><xs:sequence><xs:element name='a' type='t:Id' maxOccurs='unbounded'/></xs:sequence></xs:complexType></xs:element></xs:schema>";
    let documents = "[[document]]\nname = 'test'\nfile = 't.xsd'\nroot = 'R'\nclass = 'test'\ntitle = 'T'\n";
    let files = [("types-1.xsd", types), ("t.xsd", schema)].map(|(file, text)| (file.to_owned(), text.to_owned()));
    let schemas = Schemas::compile(&files, documents).expect("schemas");
    let validated = |count: usize| {
        let identifiers = "<a scheme='XX-OGTEST'>99000000136</a>".repeat(count);
        let validated = validate(&schemas, &format!("<R xmlns='urn:t'>{identifiers}</R>"));
        validated.map(|facts| facts.identifiers.len()).map_err(|fault| fault.code)
    };
    const MAX: usize = crate::base::limits::DOCUMENT_IDENTIFIERS_MAX;
    assert_eq!(validated(MAX), Ok(MAX));
    assert_eq!(validated(MAX + 1), Err(FaultCode::DocSchema));
}

#[test]
fn lists_and_unions_are_checked_item_by_item() {
    let declarations = "<xs:element name='R'><xs:complexType><xs:simpleContent><xs:extension base='u:L'>\
         <xs:attribute name='u' type='u:U'/></xs:extension></xs:simpleContent></xs:complexType>\
         </xs:element>\n<xs:simpleType name='L'><xs:restriction><xs:simpleType><xs:list itemType='xs:byte'/>\
         </xs:simpleType><xs:maxLength value='3'/></xs:restriction></xs:simpleType>\n<xs:simpleType name='U'>\
         <xs:union memberTypes='xs:byte xs:date'><xs:simpleType><xs:restriction base='xs:token'>\
         <xs:enumeration value='none'/></xs:restriction></xs:simpleType></xs:union></xs:simpleType>";
    let schemas = compile(declarations, "").expect("a schema");
    for (document, good) in [
        ("<R xmlns='urn:t'>1 2\n 3</R>", true),
        ("<R xmlns='urn:t'/>", true),
        ("<R xmlns='urn:t'>1 2 3 4</R>", false),
        ("<R xmlns='urn:t'>1 200</R>", false),
        ("<R xmlns='urn:t' u='2020-01-01'>1</R>", true),
        ("<R xmlns='urn:t' u=' none '>1</R>", true),
        ("<R xmlns='urn:t' u='some'>1</R>", false),
        ("<R xmlns='urn:t' xmlns:q='urn:t' q:u='1'>1</R>", false),
    ] {
        assert_eq!(validate(&schemas, document).is_ok(), good, "{document}");
    }
}

#[test]
fn a_list_of_values_keeps_to_the_facets_around_it() {
    let values = "<xs:simpleType name='V'><xs:restriction base='xs:token'><xs:enumeration value='a'/>\
         <xs:enumeration value='bb'/></xs:restriction></xs:simpleType>";
    let root = |facets: &str| {
        format!(
            "<xs:element name='R'><xs:simpleType><xs:restriction base='u:V'>{facets}</xs:restriction></xs:simpleType></xs:element>{values}"
        )
    };
    let schemas = compile(&root("<xs:maxLength value='1'/>"), "").expect("a schema");
    for (value, good) in [("a", true), (" a ", true), ("bb", false), ("c", false)] {
        assert_eq!(validate(&schemas, &format!("<R xmlns='urn:t'>{value}</R>")).is_ok(), good, "{value}");
    }
    assert!(compile(&root("<xs:enumeration value='bb'/>"), "").is_ok());
    assert!(compile(&root("<xs:enumeration value='c'/>"), "").is_err());
}

#[test]
fn a_type_that_extends_an_identifier_is_one() {
    let types = Schemas::built_in_files().iter().find(|(file, _)| *file == "types-1.xsd").map(|(_, text)| (*text).to_owned());
    let schema = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:t='urn:oncegate:types:1' targetNamespace='urn:t' elementFormDefault='qualified'>
      <xs:import namespace='urn:oncegate:types:1' schemaLocation='types-1.xsd'/>
      <xs:element name='R'><xs:complexType><xs:simpleContent><xs:extension base='t:Id'>
        <xs:attribute name='since' type='t:Day'/>
      </xs:extension></xs:simpleContent></xs:complexType></xs:element></xs:schema>";
    let files = [("types-1.xsd".to_owned(), types.expect("built in")), ("t.xsd".to_owned(), schema.to_owned())];
    let row = "[[document]]\nname = \"test\"\nfile = \"t.xsd\"\nroot = \"R\"\nclass = \"test\"\ntitle = \"T\"\n";
    let schemas = Schemas::compile(&files, row).expect("a schema");
    for (document, fault) in [
        ("<R xmlns='urn:t' scheme='XX-OGTEST' since='2026-01-01'>99000000136</R>", None),
        ("<R xmlns='urn:t' scheme='XX-OGTEST'>99000000137</R>", Some(FaultCode::DocCheckDigit)),
        ("<R xmlns='urn:t' since='2026-01-01'>99000000136</R>", Some(FaultCode::DocSchema)),
    ] {
        assert_eq!(code(&schemas, document), fault, "{document}");
    }
}

#[test]
fn a_simple_root_may_be_a_document() {
    let schemas = compile(
        "<!-- a comment -->\n<xs:element name='R' type='xs:date'/>\n<xs:annotation>\
             <xs:documentation>Text.</xs:documentation></xs:annotation>",
        "",
    );
    assert_eq!(code(&schemas.expect("a schema"), "<R xmlns='urn:t'>2026-01-01</R>"), None);
}

/// Where a construct stands; the line before it is always line 2.
enum Around {
    Simple,
    Complex,
    Sequence,
    Restriction,
    Number,
}

impl Around {
    fn text(&self) -> (&'static str, &'static str) {
        const IN_TYPE: &str = "</xs:complexType></xs:element>";
        const IN_SEQUENCE: &str = "</xs:sequence></xs:complexType></xs:element>";
        const IN_SIMPLE: &str = "</xs:restriction></xs:simpleType></xs:element>";
        match self {
            Self::Simple => ("<xs:element name='R' type='xs:string'/>\n", ""),
            Self::Complex => ("<xs:element name='R'><xs:complexType>\n", IN_TYPE),
            Self::Sequence => ("<xs:element name='R'><xs:complexType><xs:sequence>\n", IN_SEQUENCE),
            Self::Restriction => ("<xs:element name='R'><xs:simpleType><xs:restriction base='xs:token'>\n", IN_SIMPLE),
            Self::Number => ("<xs:element name='R'><xs:simpleType><xs:restriction base='xs:integer'>\n", IN_SIMPLE),
        }
    }
}

const REFUSED: &[(Around, &str, &str)] = &[
    (Around::Simple, "<xs:redefine schemaLocation='t.xsd'/>", "s4s-elt-invalid-content"),
    (Around::Simple, "<xs:import namespace='urn:x' schemaLocation='x.xsd'/>", "not in the set"),
    (Around::Simple, "<xs:include schemaLocation='x.xsd'/>", "not in the set"),
    (Around::Simple, "<xs:group name='g'/>", "src-group"),
    (Around::Simple, "<xs:element name='R' type='xs:string'/>", "sch-props-correct"),
    (Around::Simple, "<xs:element name='S' type='xs:int' default='x'/>", "default"),
    (Around::Simple, "<xs:element name='S' type='xs:string'><xs:unique name='q'/></xs:element>", "src-identity-constraint"),
    (Around::Simple, "<xs:element name='S' type='v:None'/>", "src-qname"),
    (Around::Simple, "<x:element xmlns:x='urn:x'/>", "s4s-elt-invalid-content"),
    (Around::Simple, "stray", "text"),
    (Around::Complex, "<xs:complexContent/>", "src-ct"),
    (Around::Complex, "<xs:group ref='u:g'/>", "u"),
    (Around::Complex, "<xs:attribute ref='u:a'/>", "src-resolve"),
    (Around::Sequence, "<xs:element name='a' type='xs:string' minOccurs='2'/>", "p-props-correct"),
    (Around::Restriction, "<xs:minInclusive value='1'/>", "cos-applicable-facets"),
    (Around::Restriction, "<xs:totalDigits value='1'/>", "cos-applicable-facets"),
    (Around::Restriction, "<xs:maxLength value='x'/>", "the facet maxLength is not a whole number"),
    (Around::Number, "<xs:maxLength value='1'/>", "cos-applicable-facets"),
    (Around::Number, "<xs:minInclusive value='x'/>", "minInclusive"),
];
