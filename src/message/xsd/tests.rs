use super::read::{Library, Source, load};
use super::run::Run;
use super::*;
use crate::message::xml::{Profile, scan};
use cases::{Case, OPEN, SETS, TYPES, VALUES, document, schema};

mod cases;
mod hostile;
mod long;
mod models;

/// The files of a set, by name.
struct Files(Vec<Source>);

impl Library for Files {
    fn fetch(&mut self, _: &str, location: Option<&str>, _: &str) -> Option<Source> {
        self.0.iter().find(|file| Some(file.name.as_str()) == location).cloned()
    }
}

fn source(name: &str, text: String) -> Source {
    Source { name: name.to_owned(), text }
}

fn loaded(root: String, more: &[(&str, &str)]) -> Result<read::Loaded, SchemaError> {
    let mut files = Files(more.iter().map(|(name, text)| source(name, schema(text))).collect());
    load(vec![source("t.xsd", root)], &mut files)
}

fn compiled(text: &str) -> Result<Set, SchemaError> {
    compile(&loaded(schema(text), &[])?)
}

/// The rules that a document breaks.
fn broken(set: &Set, document: &str) -> Vec<&'static str> {
    let mut run = Run::new(set, 8);
    scan(document.as_bytes(), Profile::Schema, &mut run).unwrap_or_else(|error| panic!("{document}: {error:?}"));
    run.violations().iter().map(|violation| violation.rule).collect()
}

fn hold(cases: &[Case]) {
    for case in cases {
        let loaded = loaded(schema(case.schema), case.more).expect(case.name);
        judge::judge(&loaded).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let set = compile(&loaded).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        for good in case.good {
            assert_eq!(broken(&set, &document(case, good)), <[&str; 0]>::default(), "{}: {good}", case.name);
        }
        for (bad, rule) in case.bad {
            assert_eq!(broken(&set, &document(case, bad)).first(), Some(rule), "{}: {bad}", case.name);
        }
    }
}

#[test]
fn content_and_attributes_are_as_the_types_have_them() {
    hold(TYPES);
}

#[test]
fn what_schemas_leave_open_is_held_to_what_the_document_names() {
    hold(OPEN);
}

#[test]
fn values_are_of_their_types_and_refer_to_what_is_there() {
    hold(VALUES);
}

#[test]
fn the_files_of_a_set_make_one_schema() {
    hold(SETS);
}

/// What the crate that judges refuses of real sets (GML, XBRL, OVAL, XML signatures), though it keeps the rules.
#[test]
fn what_the_judge_takes_too_strictly_is_told_to_it_in_other_words() {
    let judged =
        |root: String| loaded(root, &[]).and_then(|loaded| judge::judge(&loaded).and_then(|()| compile(&loaded).map(drop)));
    let kind = "<xs:complexType name='K'><xs:sequence><xs:element name='k' type='xs:int'/></xs:sequence></xs:complexType>\
        <xs:element name='head' abstract='true' type='K'/><xs:element name='other' abstract='true' type='K'/>\
        <xs:complexType name='L'><xs:complexContent><xs:extension base='K'><xs:sequence><xs:element name='l' type='xs:int'/>\
        </xs:sequence></xs:extension></xs:complexContent></xs:complexType>\
        <xs:element name='one' type='L' substitutionGroup='head'/><xs:element name='two' type='L' substitutionGroup='one'/>\
        <xs:complexType name='B'><xs:sequence minOccurs='0'><xs:choice><xs:element ref='head'/><xs:element ref='other'/></xs:choice>\
        </xs:sequence></xs:complexType>";
    let restricted = |content: &str| {
        let inside = format!("<xs:sequence minOccurs='0'><xs:choice>{content}</xs:choice></xs:sequence>");
        judged(schema(&format!(
            "{kind}<xs:complexType name='R'><xs:complexContent><xs:restriction base='B'>{inside}</xs:restriction></xs:complexContent></xs:complexType>"
        )))
    };
    for good in ["<xs:element ref='one'/>", "<xs:element ref='two'/>", "<xs:element ref='one'/><xs:element ref='two'/>"] {
        assert_eq!(restricted(good), Ok(()), "{good}");
    }
    // Neither more of them than the base has nor others are let through.
    for bad in ["<xs:element ref='two' maxOccurs='2'/>", "<xs:element name='stranger' type='L'/>"] {
        let said = restricted(bad).expect_err(bad).what;
        assert!(said.contains("derivation-ok-restriction"), "{bad}: {said}");
    }
    let narrowed = |between: &str| {
        judged(schema(&format!(
            "<xs:complexType name='A'><xs:simpleContent><xs:extension base='xs:anySimpleType'/></xs:simpleContent></xs:complexType>\
             <xs:complexType name='S'><xs:simpleContent><xs:restriction base='A'>{between}</xs:restriction></xs:simpleContent></xs:complexType>\
             <xs:complexType name='E'><xs:simpleContent><xs:restriction base='S'><xs:enumeration value='x'/></xs:restriction></xs:simpleContent></xs:complexType>"
        )))
    };
    assert_eq!(narrowed("<xs:simpleType><xs:restriction base='xs:string'/></xs:simpleType>"), Ok(()));
    assert!(narrowed("").is_err_and(|error| error.what.contains("cos-applicable-facets")));
    let entities = |of: &str| {
        format!(
            "<!DOCTYPE xs:schema PUBLIC '-//W3C//DTD XMLSchema 200102//EN' 'XMLSchema.dtd' [<!ATTLIST xs:schema xmlns:t CDATA #FIXED 'urn:t'>\n\
             <!ENTITY % p 'xs:'><!ENTITY t 'urn:t'><!ENTITY e '<xs:element name=\"B\" type=\"t:T\"/>'>]>\n\
             <xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='&t;' xmlns:t='&t;' xml:lang='en'>\n\
             <xs:simpleType name='T'><xs:restriction base='xs:string'><xs:pattern value='&lt;&#9;[\"a]'/></xs:restriction></xs:simpleType>\
             <xs:element name='A' type='{of}'/>&e;</xs:schema>"
        )
    };
    assert_eq!(judged(entities("t:T")), Ok(()));
    assert!(judged(entities("t:T'/><xs:element name='B")).is_err(), "what an entity brings is there");
}
