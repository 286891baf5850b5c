use super::*;

struct NoZones;

impl Zones for NoZones {
    fn instant(&self, _: &str, _: Day, _: u32) -> Option<UnixTime> {
        None
    }

    fn has(&self, _: &str) -> bool {
        false
    }
}

const NOTES: &str = r#"
format = 1
document = "medical-absence-note"
person = { column = "insurance_no", scheme = "XX-OGTEST" }
during = { from = "Absence/From", to = "Absence/To" }

[map]
"Head/DocumentId"     = { column = "id", as = "document-id" }
"Head/Issuer"         = { agency = true }
"Head/IssuedAt"       = { column = "signed", as = "instant", form = "dd.mm.yyyy HH:MM", zone = "+03:00" }
"Head/Status"         = { text = "in-force" }
"Patient/Id"          = { column = "insurance_no", as = "id", scheme = "XX-OGTEST" }
"Patient/Name/Family" = "family"
"Patient/Name/Given"  = "given"
"Patient/BirthDate"   = { column = "born", as = "day" }
"Absence/From"        = { column = "begin", as = "day", form = "dd.mm.yyyy" }
"Absence/To"          = { column = "end", as = "day", form = "dd.mm.yyyy" }
"Days"                = { column = "days", as = "integer" }
"Reason"              = { column = "cause", codes = { "1" = "illness", "2" = "injury" } }
"FirstOrFollowUp"     = { text = "first" }
"MayReturnOn"         = { column = "back", as = "day", form = "dd.mm.yyyy" }
"Diagnosis"           = "icd10"
"#;

const COLUMNS: [&str; 13] =
    ["id", "insurance_no", "family", "given", "born", "signed", "begin", "end", "days", "cause", "back", "icd10", "remarks"];

fn person() -> Identifier {
    Identifier::synthetic(13)
}

fn row(number: u64, change: &[(&str, &str)]) -> Row {
    let person = person();
    let usual = [
        ("id", "N-17"),
        ("insurance_no", person.value()),
        ("family", "Иванова"),
        ("given", "Анна & Co"),
        ("born", "2015-09-01"),
        ("signed", "02.03.2026 10:00"),
        ("begin", "02.03.2026"),
        ("end", "06.03.2026"),
        ("days", "5"),
        ("cause", "1"),
        ("back", "09.03.2026"),
        ("icd10", "J06.9"),
    ];
    let cell = |column: &&str| {
        let of = |list: &[(&str, &str)]| list.iter().find(|(name, _)| name == column).map(|(_, text)| (*text).to_owned());
        Cell::new(&of(change).or_else(|| of(&usual)).unwrap_or_default())
    };
    Row { number, cells: COLUMNS.iter().map(cell).collect() }
}

fn table(rows: Vec<Row>) -> Table {
    Table { columns: COLUMNS.iter().map(|name| (*name).into()).collect(), rows, as_of: UnixTime::from_ms(1_772_000_000_000) }
}

fn compile(text: &str) -> Result<Mapping, Vec<Wrong>> {
    let files = |name: &str| Err(format!("{name}: there is no such file"));
    Mapping::compile(text, &Around { files: &files, zones: &NoZones }, &Schemas::built_in())
}

fn ask(mapping: &Mapping, table: &Table, fields: &[&str], during: Option<(&str, Option<&str>)>) -> Result<Outcome, Failed> {
    let fields: Vec<FieldPath> = fields.iter().map(|field| FieldPath::parse(field).expect("a field")).collect();
    let day = |text: &str| Day::parse(text).expect("a day");
    let question = Question {
        role: "",
        identifiers: &[person()],
        during: during.map(|(from, to)| (day(from), to.map(day))),
        fields: &fields,
        now: UnixTime::parse("2026-03-10T12:00:00Z").expect("a time"),
    };
    let id = AgencyId::parse("xx.demo.clinic-3").expect("an agency");
    let own = Own { id: &id, name: "Clinic 3", identifier: Some(&Identifier::synthetic(9009)), zones: &NoZones };
    let (person, asked) = mapping.asked(&question)?;
    mapping.answer(&question, (person, &asked), table, &own, &Schemas::built_in())
}

fn documents(outcome: Result<Outcome, Failed>) -> Vec<String> {
    match outcome {
        Ok(Outcome::Documents(documents)) => documents,
        Ok(Outcome::NoRecord) => panic!("no record"),
        Err(failed) => panic!("{failed}"),
    }
}

fn refused(text: &str) -> Vec<(FaultCode, String)> {
    let wrong = compile(text).expect_err("refused");
    wrong.into_iter().map(|wrong| (wrong.code, wrong.what)).collect()
}

#[test]
fn a_row_becomes_a_valid_document_in_the_order_of_its_schema() {
    let mapping = compile(NOTES).expect("a mapping");
    let made = documents(ask(&mapping, &table(vec![row(2, &[])]), &["Patient/BirthDate", "Absence/To"], None));
    let [note] = made.as_slice() else { panic!("one document") };
    assert!(note.starts_with("<MedicalAbsenceNote xmlns=\"urn:oncegate:doc:medical-absence-note:1\" xmlns:n2=\"urn:oncegate:types:1\"><Head><n2:DocumentId>"), "{note}");
    assert!(note.contains("<n2:IssuedAt>2026-03-02T07:00:00Z</n2:IssuedAt>"), "{note}");
    assert!(note.contains("<n2:Given>Анна &amp; Co</n2:Given>"), "{note}");
    assert!(note.contains("<n2:BirthDate>2015-09-01</n2:BirthDate>"), "{note}");
    assert!(!note.contains("J06.9"), "what was not given stays here: {note}");
    let with = documents(ask(&mapping, &table(vec![row(2, &[])]), &["Diagnosis"], None));
    assert!(with[0].contains("<Diagnosis>J06.9</Diagnosis>"));
    assert!(with[0].contains("BirthDate"), "it tells whom it is about: {}", with[0]);
    assert!(!with[0].contains("2026-03-06"), "{}", with[0]);
}

#[test]
fn what_has_no_row_is_no_record_and_what_is_of_another_period_is_none() {
    let mapping = compile(NOTES).expect("a mapping");
    assert!(ask(&mapping, &table(Vec::new()), &[], None).is_ok_and(|outcome| outcome == Outcome::NoRecord));
    let both = table(vec![row(2, &[]), row(3, &[("id", "N-18"), ("begin", "01.02.2026"), ("end", "03.02.2026"), ("days", "3")])]);
    assert_eq!(documents(ask(&mapping, &both, &[], None)).len(), 2);
    assert_eq!(documents(ask(&mapping, &both, &[], Some(("2026-03-01", None)))).len(), 1);
    assert!(ask(&mapping, &both, &[], Some(("2026-04-01", None))).is_ok_and(|outcome| outcome == Outcome::NoRecord));
    assert!(
        ask(&mapping, &both, &[], Some(("2025-04-01", Some("2025-05-01")))).is_ok_and(|outcome| outcome == Outcome::NoRecord)
    );
}

#[test]
fn a_row_that_cannot_become_a_document_is_a_failure_with_its_number_and_path_and_no_value() {
    let mapping = compile(NOTES).expect("a mapping");
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("begin", "2026-03-02")], "row 7: Absence/From: a day such as dd.mm.yyyy in column \"begin\" is expected"),
        (&[("cause", "Secret")], "row 7: Reason: a code that has a row in codes in column \"cause\" is expected"),
        (&[("family", "")], "row 7: nothing stands in what becomes one of Patient/Name/Family, Patient/Name/FamilyAbsent"),
        (&[("days", "6")], "row 7: OG-DOC-"),
        (&[("days", "")], "row 7: nothing stands in what becomes Days"),
        (&[("family", "Se\u{1}cret")], "row 7: Patient/Name/Family: a text without control characters"),
    ];
    for (change, expected) in cases {
        let failed = ask(&mapping, &table(vec![row(7, change)]), &["Absence"], None).err().expect("a failure");
        assert_eq!(failed.code, FaultCode::SrcRow, "{failed}");
        let start: String = expected.chars().take(40).collect();
        assert!(failed.what.starts_with(&start), "{failed}");
        assert!(!failed.what.contains("Secret") && !failed.what.contains("Иванова"), "{failed}");
    }
    // A cell that nobody is given spoils nothing.
    assert_eq!(documents(ask(&mapping, &table(vec![row(7, &[("icd10", "\u{1}")])]), &[], None)).len(), 1);
}

#[test]
fn two_people_with_one_identifier_and_rows_of_another_person_are_a_failure() {
    let mapping = compile(NOTES).expect("a mapping");
    let two = table(vec![row(2, &[]), row(9, &[("id", "N-18"), ("family", "Петрова"), ("given", "Ольга")])]);
    let failed = ask(&mapping, &two, &[], None).err().expect("a failure");
    assert_eq!(
        (failed.code, failed.what.as_str()),
        (FaultCode::SrcPersons, "rows 2 and 9 are of two people with one identifier")
    );
    let other = Identifier::synthetic(14);
    let failed = ask(&mapping, &table(vec![row(2, &[("insurance_no", other.value())])]), &[], None).err().expect("a failure");
    assert_eq!(failed.code, FaultCode::SrcPersons);
}

#[test]
fn of_several_rows_as_many_are_given_as_the_mapping_says() {
    let rows = || table(vec![row(2, &[]), row(3, &[("id", "N-18"), ("begin", "04.03.2026"), ("days", "3")])]);
    let with = |several: &str| compile(&NOTES.replace("during =", &format!("several = {several}\nduring ="))).expect("a mapping");
    assert_eq!(ask(&with("\"refuse\""), &rows(), &[], None).err().map(|failed| failed.code), Some(FaultCode::SrcSeveral));
    let latest = documents(ask(&with("{ latest = \"Absence/From\" }"), &rows(), &[], None));
    assert!(matches!(latest.as_slice(), [only] if only.contains("2026-03-04")));
}

#[test]
fn what_is_wrong_with_a_mapping_is_said_at_once_and_by_its_code() {
    let swap = |from: &str, to: &str| refused(&NOTES.replacen(from, to, 1));
    assert_eq!(
        swap("\"Patient/Name/Family\"", "\"Patient/Name/Famly\"")[0],
        (FaultCode::AgtUnknown, "the document has no Patient/Name/Famly; did you mean Patient/Name/Family?".to_owned())
    );
    let wrong = swap("\"Days\"                = { column = \"days\", as = \"integer\" }", "");
    assert_eq!(wrong, [(FaultCode::AgtMissing, "Days is in every such document, and comes from nowhere".to_owned())]);
    assert_eq!(swap("as = \"integer\"", "as = \"intger\"")[0].0, FaultCode::AgtUnknown);
    assert_eq!(swap("column = \"days\", ", "colum = \"days\", ")[0].0, FaultCode::AgtFile);
    assert_eq!(swap("as = \"integer\" }", "as = \"integer\", todo = \"a guess by its name\" }")[0].0, FaultCode::AgtTodo);
    assert_eq!(swap("\"2\" = \"injury\"", "\"2\" = \"laziness\"")[0].0, FaultCode::AgtFile);
    assert_eq!(swap("{ text = \"first\" }", "{ text = \"third\" }")[0].0, FaultCode::AgtFile);
    assert_eq!(
        swap(
            "\"Days\"                = { column = \"days\", as = \"integer\" }",
            "\"Days\" = { column = \"begin\", as = \"day\" }"
        )[0]
        .0,
        FaultCode::AgtFile
    );
    assert_eq!(swap("zone = \"+03:00\"", "zone = \"Moscow\"")[0].0, FaultCode::AgtUnknown);
    assert_eq!(
        swap("codes = { \"1\" = \"illness\", \"2\" = \"injury\" }", "codes = \"causes.toml\"")[0].0,
        FaultCode::AgtUnknown
    );
    assert_eq!(swap("\"medical-absence-note\"", "\"medical-absense-note\"")[0].0, FaultCode::AgtUnknown);
    let pinned = |digest: &str| NOTES.replacen("person =", &format!("schema = \"sha256:{digest}\"\nperson ="), 1);
    assert_eq!(refused(&pinned(&"0".repeat(64)))[0].0, FaultCode::AgtSchema);
    let name = Code::parse("medical-absence-note").expect("a name");
    let digest = Schemas::built_in().digest_of(&name).expect("a digest");
    assert!(compile(&pinned(&digest.to_string())).is_ok());
}

#[test]
fn a_column_that_a_source_lacks_is_named_with_the_nearest() {
    let mapping = compile(NOTES).expect("a mapping");
    let columns: Vec<Box<str>> = COLUMNS.iter().map(|name| name.replace("family", "familie").into()).collect();
    let wrong = mapping.against(&columns);
    assert_eq!(wrong[0].what, "the source has no column \"family\"; did you mean \"familie\"?");
    let drifted = Table { columns: columns.into(), ..table(vec![row(2, &[])]) };
    assert_eq!(ask(&mapping, &drifted, &[], None).err().map(|failed| failed.code), Some(FaultCode::SrcChanged));
}

#[test]
fn branches_of_a_choice_and_elements_that_recur_are_filled_as_there_are_values() {
    let births = r#"
format = 1
document = "birth-certificate"
person = [{ column = "child", scheme = "XX-OGTEST" }, { role = "mother", column = "mother", scheme = "XX-OGTEST" }]
[map]
"Head/DocumentId" = { column = "no", as = "document-id" }
"Head/Issuer" = { agency = true }
"Head/IssuedAt" = { now = true }
"Head/Status" = { text = "in-force" }
"Child/Id" = { column = "child", as = "id", scheme = "XX-OGTEST" }
"Child/Name/Family" = "family"
"Child/Name/FamilyAbsent" = { text = "unknown" }
"Child/Name/Given" = "given"
"Child/Name/GivenAbsent" = { text = "none" }
"Parent[1]/Role" = { text = "mother" }
"#;
    let wrong = refused(births);
    assert!(wrong.iter().all(|(code, _)| *code == FaultCode::AgtMissing), "{wrong:?}");
    assert!(
        wrong.iter().any(|(_, what)| what.starts_with("Parent[1]/Person/Name") || what.contains("Parent[1]/Person/Name/Family")),
        "{wrong:?}"
    );
}

/// A document of somebody else's set that says yes or no.
fn yes_no_schemas() -> Schemas {
    let schema = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:x:adult" xmlns="urn:x:adult" elementFormDefault="qualified">
      <xs:element name="IsAdult"><xs:complexType><xs:sequence>
        <xs:element name="Person"><xs:complexType><xs:sequence><xs:element name="Id" type="xs:token"/></xs:sequence></xs:complexType></xs:element>
        <xs:element name="Answer"><xs:simpleType><xs:restriction base="xs:token"><xs:enumeration value="yes"/><xs:enumeration value="no"/></xs:restriction></xs:simpleType></xs:element>
        <xs:element name="AsOf" type="xs:date"/>
      </xs:sequence></xs:complexType></xs:element></xs:schema>"#;
    let documents = r#"[[document]]
name = "is-adult"
file = "adult.xsd"
root = "IsAdult"
class = "predicate"
title = "Whether somebody is of age"
subject = [{ path = "Person", id = [{ path = "Id", scheme = "XX-OGTEST" }] }]
"#;
    Schemas::compile(&[("adult.xsd".to_owned(), schema.to_owned())], documents).expect("a set")
}

#[test]
fn a_yes_or_no_leaves_the_record_where_it_is_and_what_is_not_known_is_no_no() {
    let schemas = yes_no_schemas();
    let text = r#"
format = 1
document = "is-adult"
person = { column = "insurance_no", scheme = "XX-OGTEST" }
yes = "age >= 18"
[facts]
age = { column = "born", as = "years" }
[map]
"Person/Id" = { column = "insurance_no", as = "id", scheme = "XX-OGTEST" }
"AsOf" = { now = true, as = "day" }
"#;
    let files = |name: &str| Err(format!("{name}: there is no such file"));
    let around = Around { files: &files, zones: &NoZones };
    let mapping = Mapping::compile(text, &around, &schemas).expect("a mapping");
    assert!(mapping.is_decision());
    let id = AgencyId::parse("xx.demo.civil-registry").expect("an agency");
    let own = Own { id: &id, name: "Register", identifier: None, zones: &NoZones };
    let question = Question {
        role: "",
        identifiers: &[person()],
        during: None,
        fields: &[],
        now: UnixTime::parse("2026-03-10T12:00:00Z").expect("a time"),
    };
    let answer = |rows: Vec<Row>| {
        let (person, asked) = mapping.asked(&question)?;
        mapping.answer(&question, (person, &asked), &table(rows), &own, &schemas)
    };
    let of = |born: &str| documents(answer(vec![row(2, &[("born", born)])])).concat();
    let yes = of("2008-03-10");
    assert!(yes.contains("<Answer>yes</Answer>") && yes.contains("<AsOf>2026-03-10</AsOf>"), "{yes}");
    assert!(!yes.contains("2008") && !yes.contains("Иванова"), "nothing of the record goes out: {yes}");
    assert!(of("2008-03-11").contains("<Answer>no</Answer>"));
    let unknown = answer(vec![row(2, &[("born", "")])]).err().expect("a failure");
    assert_eq!((unknown.code, unknown.what.as_str()), (FaultCode::SrcUndecided, "row 2 does not say age"));
    assert!(answer(Vec::new()).is_ok_and(|outcome| outcome == Outcome::NoRecord), "nobody is no no either");
    let wrong = Mapping::compile(&text.replace("age >= 18", "aeg >= 18"), &around, &schemas).expect_err("refused");
    assert!(wrong[0].what.contains("age"), "{wrong:?}");
}
