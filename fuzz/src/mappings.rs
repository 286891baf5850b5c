//! Mappings of agents: from a register's rows to documents.

use crate::originals::SCHEMAS;
use oncegate::base::ids::{AgencyId, Identifier};
use oncegate::base::time::{Day, UnixTime};
use oncegate::exchange::mapping::{Around, Cell, Mapping, Outcome, Own, Question, Row, Table, Zones};
use oncegate::message::schema::FieldPath;

struct NoZones;

impl Zones for NoZones {
    fn instant(&self, _: &str, _: Day, _: u32) -> Option<UnixTime> {
        None
    }

    fn has(&self, zone: &str) -> bool {
        zone == "Europe/Moscow"
    }
}

/// What no failure may say.
const PLANTED: &str = "Zq7planted";

/// A mapping is whole, or refused with places in its text; what it makes of a row is a document, or a failure that says no value.
pub fn mapping(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let files = |name: &str| Err(format!("{name}: there is no such file"));
    let mapping = match Mapping::compile(text, &Around { files: &files, zones: &NoZones }, &SCHEMAS) {
        Ok(mapping) => mapping,
        Err(wrong) => {
            assert!(!wrong.is_empty() && wrong.iter().all(|wrong| wrong.at.end <= text.len()), "{wrong:?}");
            return;
        }
    };
    let Some(person) = mapping.persons().first().cloned() else { return };
    let identifier = Identifier::synthetic(13);
    let columns: Vec<Box<str>> = mapping.columns().into_iter().map(Into::into).collect();
    assert!(mapping.against(&columns).is_empty(), "it reads a column that it does not name");
    let id = AgencyId::parse("xx.demo.clinic-3").expect("an agency");
    let own = Own { id: &id, name: "Clinic 3", identifier: Some(&identifier), zones: &NoZones };
    let all: Vec<FieldPath> = FieldPath::parse("**").into_iter().collect();
    for (cells, fields) in [("2026-03-04", &[][..]), ("5", &all), (PLANTED, &all), ("", &all), ("illness", &[])] {
        let cell = |column: &str| Cell::new(if *column == *person.column { identifier.value() } else { cells });
        let row = Row { number: 2, cells: columns.iter().map(|column| cell(column)).collect() };
        let table = Table { columns: columns.clone().into(), rows: vec![row.clone(), row], as_of: UnixTime::from_ms(0) };
        let identifiers = std::slice::from_ref(&identifier);
        let question =
            Question { role: &person.role, identifiers, during: None, fields, now: UnixTime::from_ms(1_772_000_000_000) };
        let answered = mapping
            .asked(&question)
            .and_then(|(person, asked)| mapping.answer(&question, (person, &asked), &table, &own, &SCHEMAS));
        match answered {
            Ok(Outcome::Documents(documents)) => assert!(!documents.is_empty() && documents.len() <= 2),
            Ok(Outcome::NoRecord) => panic!("there were rows"),
            Err(failed) => assert!(!failed.what.contains(PLANTED) && !failed.what.contains(identifier.value()), "{failed}"),
        }
    }
}

/// A mapping of each kind of line.
pub fn mappings() -> Vec<Vec<u8>> {
    let note = "format = 1\ndocument = \"medical-absence-note\"\nperson = { column = \"no\", scheme = \"XX-OGTEST\" }\n\
        several = { latest = \"Absence/From\" }\nduring = { from = \"Absence/From\", to = \"Absence/To\" }\n[map]\n\
        \"Head/DocumentId\" = { column = \"id\", as = \"document-id\" }\n\"Head/Issuer\" = { agency = true }\n\"Head/IssuedAt\" = { now = true }\n\
        \"Head/Status\" = { text = \"in-force\" }\n\"Patient/Id\" = { column = \"no\", as = \"id\", scheme = \"XX-OGTEST\" }\n\
        \"Patient/Name/Family\" = \"family\"\n\"Patient/Name/FamilyAbsent\" = { text = \"unknown\" }\n\
        \"Patient/Name/Given\" = { columns = [\"given\", \"other\"], with = \" \" }\n\"Absence/From\" = { column = \"begin\", as = \"day\" }\n\
        \"Absence/To\" = { column = \"end\", as = \"day\", form = \"dd.mm.yyyy\" }\n\"Days\" = { column = \"days\", as = \"integer\" }\n\
        \"Reason\" = { column = \"cause\", codes = { \"1\" = \"illness\", \"illness\" = \"illness\" } }\n\"FirstOrFollowUp\" = { text = \"first\" }\n\
        \"MayReturnOn\" = { column = \"begin\", as = \"day\" }\n\"Diagnosis\" = \"icd10\"\n";
    let others = [
        "as = \"yes-no\"",
        "as = \"money\", currency = \"EUR\"",
        "as = \"instant\", zone = \"Europe/Moscow\", form = \"d.m.yyyy H:MM\"",
        "todo = \"?\"",
    ];
    let changed = others.map(|other| note.replace("as = \"integer\"", other));
    std::iter::once(note.to_owned()).chain(changed).map(String::into_bytes).collect()
}
